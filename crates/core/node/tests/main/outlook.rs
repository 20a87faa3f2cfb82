//! When things will be done, as each host of a farm sees it.

use printmesh_node::{NewJob, NewSet};
use printmesh_queue::{FileSpec, Timestamp};
use printmesh_schedule::{Assume, Basis, Finish, Forecast, simulate};

use crate::farm::{Farm, Machines, file, job};

const HOUR_MS: u64 = 3_600_000;

fn ahead(farm: &Farm, n: usize) -> Forecast {
    let assume = Assume {
        turnaround_ms: 0,
        until: None,
        prints_max: 100,
    };
    simulate(&farm.node(n).outlook(farm.now_of(n)), &assume)
}

#[test]
fn hosts_agree_when_a_job_is_done_and_learn_from_what_prints_took() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    let hour = FileSpec {
        estimate_s: Some(3600),
        ..file("vase")
    };
    let id = farm.submit(
        0,
        NewJob {
            sets: vec![NewSet::of(hour, 1)],
            copies: 3,
            ..job("farm", "vase")
        },
    );
    // The machines say that a minute is left, the third copy follows.
    for n in 0..2 {
        farm.begin(n, "p0");
    }
    farm.settle();
    let begun = farm.now().wall.0;
    for _ in 0..2 {
        for n in 0..2 {
            let forecast = ahead(&farm, n);
            let done = Finish::At(Timestamp(begun + 60_000 + HOUR_MS));
            assert_eq!(forecast.jobs[&id], done, "host {n}: {forecast:#?}");
        }
        // What was said then is not true any more, the end is.
        farm.pass(30_000);
    }
    // It took half as long again as its slicer said.
    farm.pass(HOUR_MS + HOUR_MS / 2 - 60_000);
    farm.finish(0, "p0");
    farm.settle();
    farm.ready(0);
    let now = farm.now().wall.0;
    for n in 0..2 {
        let forecast = ahead(&farm, n);
        let third = forecast.prints.iter().find(|print| print.copy.index == 2);
        let (to, basis) = third.expect("it began").to.clone().expect("a time");
        assert_eq!(basis, Basis::Measured, "host {n}: {forecast:#?}");
        assert_eq!(to, Timestamp(now + HOUR_MS + HOUR_MS / 2), "host {n}");
        assert_eq!(forecast.jobs[&id], Finish::At(to));
    }
}
