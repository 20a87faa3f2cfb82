//! When things will be done, as each host of a farm sees it.

use printmesh_node::{Command, Input, NewJob, NewSet, PrinterEdit, PrinterReport, Quiet};
use printmesh_queue::{FileSpec, JobId, Timestamp};
use printmesh_schedule::{Assume, Basis, COOLING_MS, Finish, Forecast, HEATING_MS, simulate};

use crate::farm::{Farm, Machines, file, job};

const HOUR_MS: u64 = 3_600_000;

fn ahead(farm: &Farm, n: usize) -> Forecast {
    let assume = Assume {
        turnaround_ms: Some(0),
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

/// Both printers at `b`; each copy takes an hour by its slicer.
fn hours(farm: &mut Farm, copies: u32) -> JobId {
    let hour = FileSpec {
        estimate_s: Some(3600),
        ..file("vase")
    };
    farm.submit(
        0,
        NewJob {
            sets: vec![NewSet::of(hour, 1)],
            copies,
            ..job("farm", "vase")
        },
    )
}

fn edit(farm: &mut Farm, edit: PrinterEdit) {
    let printer = "p0".into();
    farm.ok(1, Command::PrinterEdit { printer, edit });
    farm.settle();
}

/// What begins after what is under way, in minutes from the farm's now, as both hosts say.
#[track_caller]
fn next(farm: &Farm) -> Vec<u64> {
    let now = farm.now().wall.0;
    let next = |n: usize| -> Vec<u64> {
        let prints = ahead(farm, n).prints.into_iter();
        let prints = prints.filter(|print| !print.begun);
        prints.map(|print| (print.from.0 - now) / 60_000).collect()
    };
    let said = next(0);
    assert_eq!(said, next(1), "both hosts say the same");
    said
}

#[test]
fn every_host_counts_what_the_owner_of_a_printer_has_set_up_between_two_prints() {
    const ZONE: i32 = -(9 * 60 + 30);
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    farm.input(1, Input::Zone { minutes: ZONE });
    let id = hours(&mut farm, 2);
    farm.begin(1, "p0");
    farm.settle();
    // The machine says that a minute is left.
    assert_eq!(next(&farm), [1]);
    edit(
        &mut farm,
        PrinterEdit {
            cool_c: Some(30),
            ..PrinterEdit::default()
        },
    );
    assert_eq!(next(&farm), [1 + COOLING_MS / 60_000]);
    // By the clock on the wall beside the printer.
    let utc = i64::try_from(farm.now().wall.0 / 60_000).unwrap();
    let wall = |from_now: i64| u16::try_from((utc + i64::from(ZONE) + from_now).rem_euclid(1440));
    let quiet = Quiet {
        from: wall(15).unwrap(),
        to: wall(200).unwrap(),
    };
    edit(
        &mut farm,
        PrinterEdit {
            quiet: Some(vec![quiet]),
            ..PrinterEdit::default()
        },
    );
    assert_eq!(next(&farm), [200]);
    // Really it goes the same way.
    farm.finish(1, "p0");
    farm.printer_says(1, "p0", PrinterReport::BedTemperature(Some(60)));
    farm.settle();
    assert_eq!(next(&farm), [200]);
    farm.pass(20 * 60_000);
    farm.printer_says(1, "p0", PrinterReport::BedTemperature(Some(30)));
    farm.ready(1);
    assert_eq!((farm.starts.len(), next(&farm)), (1, vec![180]));
    farm.pass(179 * 60_000);
    assert_eq!(farm.starts.len(), 1);
    farm.pass(2 * 60_000);
    assert_eq!(farm.starts.len(), 2, "{}", farm.dump(id));
    farm.check();
}

#[test]
fn every_host_counts_how_many_copies_a_printer_prints_by_itself() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    farm.ok(
        1,
        Command::AutoprintFor {
            printers: Vec::new(),
            cycles: 2,
        },
    );
    let id = hours(&mut farm, 3);
    farm.begin(1, "p0");
    farm.settle();
    assert_eq!(next(&farm), [1]);
    for n in 0..2 {
        assert_eq!(ahead(&farm, n).jobs[&id], Finish::Waits, "host {n}");
    }
    farm.check();
}

#[test]
fn every_host_counts_places_to_heat() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    farm.set("heat-slots", "1");
    let id = hours(&mut farm, 2);
    // One of them heats; nobody says that it is hot.
    assert_eq!(farm.starts.len(), 1, "{}", farm.dump(id));
    assert_eq!(next(&farm), [HEATING_MS / 60_000]);
    farm.check();
}
