//! What holds of every plan of every farm.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{ClaimState, CopyState, RunResult, Touched};
use printmesh_schedule::{Index, Planner, plan, turn};

use crate::{
    farm::{Farm, job_id, printer},
    oracle::{Dice, any_farm},
};

fn farms(count: u64) -> impl Iterator<Item = Farm> {
    (0..count).map(|seed| any_farm(&mut Dice::new(1_000_000 + seed)))
}

/// R-E1, R-E3: one engine, and one printer's turn is its row in the plan. Two hosts with equal snapshots plan alike: the one that
/// has kept its index since the farm was empty, and the one that reads it now.
#[test]
fn a_plan_is_the_same_each_time_on_every_host_and_for_every_printer_asked_alone() {
    for farm in farms(1500) {
        let whole = farm.plan();
        assert_eq!(whole, plan(&farm.snapshot.clone(), &farm.presence.clone()));
        for (id, row) in &whole.printers {
            assert_eq!(turn(&farm.snapshot, &farm.presence, id), *row, "{farm:#?}");
        }
    }
}

#[test]
fn an_index_that_was_kept_says_the_same_as_one_that_is_made_now() {
    for seed in 0..800 {
        let dice = &mut Dice::new(seed);
        let farm = any_farm(dice);
        let mut then = farm.clone();
        let mut index = Index::new(&farm.snapshot);
        let mut touched = Touched::default();
        let jobs: Vec<_> = then
            .snapshot
            .jobs
            .values()
            .map(|job| job.name.clone())
            .collect();
        for name in &jobs {
            if dice.one_in(3) {
                let state = [
                    ClaimState::Finished,
                    ClaimState::Released,
                    ClaimState::Printing,
                ];
                then = match dice.one_in(3) {
                    true => then.printed(name, 1, "p1", 50, RunResult::Failed),
                    false => then.claim(name, 1, "p1", state[dice.below(3) as usize]),
                };
                touched.copies.insert(printmesh_queue::CopyId {
                    job: job_id(name),
                    index: 0,
                });
            }
        }
        for (id, record) in &mut then.snapshot.printers {
            if dice.one_in(2) {
                record.position = dice.below(9) as u32;
                record.set_aside = dice.one_in(3);
                record.equipment.slots.clear();
                touched.printers.insert(id.clone());
            }
        }
        if dice.one_in(3)
            && let Some(name) = jobs.first()
        {
            then = then.edit(name, |job| job.held = !job.held);
            touched.jobs.insert(job_id(name));
        }
        index.update(&then.snapshot, &touched);
        let kept = Planner::new(&then.snapshot, &then.presence, &index).plan();
        assert_eq!(kept, then.plan(), "farm {seed}");
    }
}

#[test]
fn nothing_starts_that_may_not_and_never_more_than_is_wanted() {
    for farm in farms(3000) {
        let starts = farm.plan().starts;
        let mut printers = BTreeSet::new();
        let mut copies = BTreeSet::new();
        let mut per_job: BTreeMap<_, u32> = BTreeMap::new();
        for start in &starts {
            assert!(printers.insert(&start.printer), "one start per printer");
            assert!(copies.insert(start.open.copy), "one printer per copy");
            *per_job.entry(start.open.copy.job).or_default() += 1;
            let record = &farm.snapshot.printers[&start.printer];
            assert!(record.paused.is_none() && !farm.presence.busy.contains(&start.printer));
            let job = &farm.snapshot.jobs[&start.open.copy.job];
            assert!(
                !job.held
                    && !job.draft
                    && job
                        .terms
                        .not_before
                        .is_none_or(|at| at <= farm.presence.now)
            );
            assert!(!(job.terms.backburner && farm.snapshot.settings.exclude_backburner));
            assert!(printmesh_schedule::misfit_of(&farm.snapshot, job, &start.printer).is_none());
            assert!(matches!(
                farm.snapshot.copy_state(start.open.copy),
                CopyState::Open(_)
            ));
        }
        for (job, starts) in per_job {
            let job = &farm.snapshot.jobs[&job];
            let open = farm.snapshot.copies_of(job);
            let open = open
                .filter(|(_, state)| matches!(state, CopyState::Open(_)))
                .count();
            assert!(starts as usize <= open, "{}", job.name);
        }
    }
}

/// A job that some printer can print is printed in the end, whatever comes in meanwhile.
#[test]
fn no_job_starves() {
    for (order, urgent) in [
        ("sequential", false),
        ("sequential", true),
        ("round-robin", true),
    ] {
        let mut farm = Farm::new(1).set(&[("order", order)]).job("old", 1);
        let mut now = 10;
        let mut printed = false;
        for n in 0..20 {
            // Something comes in before each start, urgent or not.
            farm = farm.job(&format!("n{n:02}"), 2).with(|job| {
                job.created = printmesh_queue::Timestamp(now);
                if urgent {
                    job.terms.priority = printmesh_queue::Priority::Rush;
                }
            });
            let start = farm.plan().starts.remove(0);
            let name = farm.snapshot.jobs[&start.open.copy.job].name.clone();
            printed |= name == "old";
            farm = farm.printed(
                &name,
                start.open.copy.index + 1,
                "q",
                now + 1,
                RunResult::Ok,
            );
            assert_eq!(start.printer, printer("p1"));
            now += 2;
        }
        assert!(printed, "{order}, urgent: {urgent}");
    }
}
