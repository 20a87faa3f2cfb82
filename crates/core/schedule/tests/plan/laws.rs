//! What holds of every plan of every farm.

use printmesh_queue::{ClaimState, RunResult, Touched};
use printmesh_schedule::{Index, Planner, plan, turn};

use crate::{
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
