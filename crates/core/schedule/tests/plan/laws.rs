//! What holds of every plan of every farm.

use printmesh_queue::{ClaimState, CopyId, RunResult, Touched};
use printmesh_schedule::{Index, Planner, plan, turn};

use crate::{
    any::any,
    farm::{Farm, job_id},
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
                touched.copies.insert(CopyId {
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

/// The same where several hosts' printers claim, print, fail and give back, as many at once as there are.
#[test]
fn an_index_that_hears_of_claims_one_by_one_says_the_same_as_one_that_is_made_now() {
    let mut heard = 0;
    for seed in 0..3000 {
        let dice = &mut Dice::new(80_000_000 + seed);
        let mut farm = any(dice);
        let mut index = Index::new(&farm.snapshot);
        for _ in 0..3 {
            let copies: Vec<CopyId> = farm.snapshot.claims.keys().copied().collect();
            for copy in copies {
                if dice.one_in(2) {
                    continue;
                }
                let claims = farm.snapshot.claims.get_mut(&copy).expect("a key of it");
                let last = claims.values_mut().last().expect("a claim");
                last.record.state = dice.of(&[
                    ClaimState::Claimed,
                    ClaimState::Dropped,
                    ClaimState::Printing,
                    ClaimState::Finished,
                    ClaimState::Failed,
                ]);
                if last.record.state == ClaimState::Finished {
                    last.runs
                        .values_mut()
                        .for_each(|run| run.result = RunResult::Ok);
                }
                let touched = Touched {
                    copies: [copy].into(),
                    ..Touched::default()
                };
                index.update(&farm.snapshot, &touched);
                let kept = Planner::new(&farm.snapshot, &farm.presence, &index).plan();
                assert_eq!(kept, farm.plan(), "farm {seed}, {copy:?}");
                heard += 1;
            }
        }
    }
    assert!(heard > 5000, "{heard}");
}
