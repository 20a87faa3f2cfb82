//! What passes between two prints, ahead of time: cooling, quiet hours, copies by itself, places to heat. Each setting as a table of
//! what the simulation says with it.

use printmesh_queue::{
    Bed, Between, ClaimState, Needs, PrinterRecord, Routine, RunResult, Timestamp,
};
use printmesh_schedule::{Assume, COOLING_MS, Finish, Forecast, HEATING_MS, simulate, which_heat};

use crate::{
    ahead::{ASSUME, MINUTE, NOW, ahead, done, free, job, outlook, timeline},
    farm::{Farm, job_id},
};

/// Cleared by somebody who comes after that many minutes.
fn cleared_after(farm: &Farm, minutes: u64) -> Forecast {
    let assume = Assume {
        turnaround_ms: Some(minutes * MINUTE),
        ..ASSUME
    };
    simulate(&outlook(&[farm]), &assume)
}

/// What its owner said of a printer.
fn routine(farm: Farm, printer: &str, f: impl FnOnce(&mut Routine)) -> Farm {
    farm.record(printer, |record| f(&mut record.routine))
}

/// The minute of the day, in UTC, so many minutes from the farm's now.
fn minute(from_now: u64) -> u16 {
    u16::try_from((NOW / MINUTE + from_now) % (24 * 60)).expect("a minute of a day")
}

#[track_caller]
fn shows(farm: &Farm, expected: &[&str]) {
    assert_eq!(timeline(&[farm], &ahead(farm)), expected);
}

#[test]
fn assumed_times_are_the_documented_ones() {
    assert_eq!((COOLING_MS, HEATING_MS), (20 * MINUTE, 5 * MINUTE));
}

#[test]
fn a_bed_cools_down_before_it_is_cleared() {
    let farm = job(free(1), "A", 2, 60);
    let hot = |bed_c: Option<u32>| {
        farm.clone().edit("A", |job| {
            job.sets[0].spec.files[0].needs = Needs {
                bed_c,
                ..Needs::default()
            };
        })
    };
    let cool = |routine: &mut Routine| routine.cool_c = Some(30);
    let by_itself = |routine: &mut Routine| {
        cool(routine);
        routine.by_itself = true;
    };
    // (what the file says of the bed, who clears it, somebody comes after, the second print begins at)
    type Owner<'a> = &'a dyn Fn(&mut Routine);
    let cases: &[(Option<u32>, Owner<'_>, u64, &str)] = &[
        (Some(60), &|_| {}, 0, "p1 A2 60-120"),
        (Some(60), &cool, 0, "p1 A2 80-140"),
        (None, &cool, 0, "p1 A2 80-140"),
        (Some(30), &cool, 0, "p1 A2 60-120"),
        (Some(60), &cool, 15, "p1 A2 80-140"),
        (Some(60), &cool, 45, "p1 A2 105-165"),
        (Some(30), &cool, 45, "p1 A2 105-165"),
        // A script that its owner trusts waits for nobody.
        (Some(60), &by_itself, 45, "p1 A2 80-140"),
        (Some(0), &by_itself, 45, "p1 A2 60-120"),
    ];
    for (n, (bed_c, owner, comes, second)) in cases.iter().enumerate() {
        let farm = routine(hot(*bed_c), "p1", owner);
        let forecast = cleared_after(&farm, *comes);
        assert_eq!(
            timeline(&[&farm], &forecast),
            ["p1 A1 0-60", second],
            "case {n}"
        );
    }
}

#[test]
fn a_bed_that_cools_down_now_is_clear_some_time_after_its_print_ended() {
    let cools = |record: &mut PrinterRecord| {
        record.bed = Bed::Occupied;
        record.between = Some(Between::Cooling(30));
        record.routine.cool_c = Some(30);
        record.last_print_ended = Some(Timestamp(NOW - 5 * MINUTE));
    };
    let farm = job(free(1), "A", 1, 60).record("p1", cools);
    shows(&farm, &["p1 A1 15-75"]);
    let late = cleared_after(&farm, 40);
    assert_eq!(timeline(&[&farm], &late), ["p1 A1 40-100"]);
    let script = routine(farm.clone(), "p1", |routine| routine.by_itself = true);
    let by_itself = cleared_after(&script, 40);
    assert_eq!(timeline(&[&script], &by_itself), ["p1 A1 15-75"]);
    // It is long over, by a clock that nobody has turned back.
    let long = |ended: u64| {
        let farm = farm.clone();
        farm.record("p1", |p| p.last_print_ended = Some(Timestamp(ended)))
    };
    shows(&long(NOW - 500 * MINUTE), &["p1 A1 0-60"]);
    shows(&long(NOW + 500 * MINUTE), &["p1 A1 20-80"]);
}

#[test]
fn a_bed_that_a_trusted_script_clears_now_is_counted_on_and_one_that_a_person_must_look_at_is_not()
{
    let clearing = |record: &mut PrinterRecord| {
        record.bed = Bed::Unknown;
        record.between = Some(Between::Clearing);
    };
    let farm = job(free(1), "A", 1, 60).record("p1", clearing);
    assert_eq!(ahead(&farm).jobs[&job_id("A")], Finish::Waits);
    let trusted = routine(farm, "p1", |routine| routine.by_itself = true);
    shows(&trusted, &["p1 A1 0-60"]);
}

#[test]
fn nothing_starts_in_quiet_hours_and_what_is_under_way_goes_on() {
    // (parts of the day in minutes from now, what is printed when)
    let cases: &[(&[[u64; 2]], &[&str])] = &[
        (&[], &["p1 A1 0-60", "p1 A2 60-120", "p1 A3 120-180"]),
        (
            &[[30, 90]],
            &["p1 A1 0-60", "p1 A2 90-150", "p1 A3 150-210"],
        ),
        // It is quiet now already.
        (
            &[[1430, 10]],
            &["p1 A1 10-70", "p1 A2 70-130", "p1 A3 130-190"],
        ),
        // Parts that follow one another are one.
        (
            &[[60, 70], [70, 100], [95, 130]],
            &["p1 A1 0-60", "p1 A2 130-190", "p1 A3 190-250"],
        ),
        // The very minute at which it begins is quiet, the one at which it is over is not.
        (
            &[[120, 121]],
            &["p1 A1 0-60", "p1 A2 60-120", "p1 A3 121-181"],
        ),
        // The next day as well.
        (
            &[[30, 1420]],
            &["p1 A1 0-60", "p1 A2 1420-1480", "p1 A3 2860-2920"],
        ),
    ];
    for (parts, expected) in cases {
        let farm = routine(job(free(1), "A", 3, 60), "p1", |routine| {
            let parts = parts.iter();
            routine.quiet = parts.map(|part| part.map(minute)).collect();
        });
        assert_eq!(timeline(&[&farm], &ahead(&farm)), *expected, "{parts:?}");
    }
}

#[test]
fn a_printer_in_quiet_hours_leaves_its_copies_to_others() {
    let farm = routine(job(job(free(2), "A", 2, 60), "B", 1, 60), "p1", |routine| {
        routine.quiet = vec![[minute(0), minute(90)]];
    });
    shows(&farm, &["p2 A1 0-60", "p2 A2 60-120", "p1 B1 90-150"]);
    // As its host tells it, with a clear bed.
    let told = farm.record("p1", |record| {
        record.between = Some(Between::Quiet(minute(90)))
    });
    shows(&told, &["p2 A1 0-60", "p2 A2 60-120", "p1 B1 90-150"]);
}

#[test]
fn a_job_that_starts_later_does_not_wake_a_printer_in_its_quiet_hours() {
    let farm = job(free(1), "A", 1, 60)
        .with(|job| job.terms.not_before = Some(Timestamp(NOW + 30 * MINUTE)));
    let farm = routine(farm, "p1", |routine| {
        routine.quiet = vec![[minute(10), minute(50)]];
    });
    shows(&farm, &["p1 A1 50-110"]);
}

#[test]
fn a_day_that_is_quiet_from_end_to_end_starts_nothing_and_comes_to_an_end() {
    let farm = routine(job(free(1), "A", 1, 60), "p1", |routine| {
        routine.quiet = vec![[minute(0), minute(700)], [minute(700), minute(0)]];
    });
    let forecast = ahead(&farm);
    assert_eq!(forecast.prints, []);
    assert_eq!(forecast.jobs[&job_id("A")], Finish::Waits);
    // As many parts as another host cares to send.
    let many = routine(farm, "p1", |routine| {
        routine.quiet = (0..1_440).map(|n| [n, (n + 1) % 1_440]).collect();
    });
    assert!(ahead(&many).prints.len() <= 1);
}

#[test]
fn a_printer_prints_by_itself_only_as_many_copies_as_its_owner_said() {
    let two = |routine: &mut Routine| routine.cycles_left = Some(2);
    let farm = routine(job(free(1), "A", 3, 60), "p1", two);
    shows(&farm, &["p1 A1 0-60", "p1 A2 60-120"]);
    assert_eq!(ahead(&farm).jobs[&job_id("A")], Finish::Waits);
    // Another printer makes the rest.
    let farm = routine(job(free(2), "A", 4, 60), "p1", |routine| {
        routine.cycles_left = Some(1);
    });
    shows(
        &farm,
        &["p1 A1 0-60", "p2 A2 0-60", "p2 A3 60-120", "p2 A4 120-180"],
    );
    // What it prints now is one of them; a job whose time comes does not make it begin again.
    let began = NOW - 20 * MINUTE;
    let farm = job(free(1), "A", 2, 60).printed("A", 1, "p1", began, RunResult::Started);
    let farm = job(farm, "B", 1, 60)
        .with(|job| job.terms.not_before = Some(Timestamp(NOW + 90 * MINUTE)))
        .record("p1", |p| p.bed = Bed::Occupied)
        .busy(&["p1"]);
    let farm = routine(farm, "p1", two);
    shows(&farm, &["p1 A1 0-40", "p1 A2 40-100"]);
}

#[test]
fn at_most_so_many_printers_of_a_circuit_heat_at_once() {
    let farm = job(free(4), "A", 4, 60);
    let watts = |farm: Farm, of: [Option<u32>; 4]| {
        let each = of.into_iter().enumerate();
        each.fold(farm, |farm, (n, watts)| {
            farm.has(&format!("p{}", n + 1), |e| e.watts = watts)
        })
    };
    let circuits = |of: [&str; 4]| {
        let each = of.into_iter().enumerate();
        each.fold(farm.clone(), |farm, (n, circuit)| {
            farm.has(&format!("p{}", n + 1), |e| e.circuit = Some(circuit.into()))
        })
    };
    let w = Some::<u64>;
    // (the farm, the setting, when each of four printers begins; `None` = it never does)
    type Case = (Farm, (&'static str, &'static str), [Option<u64>; 4]);
    let cases: Vec<Case> = vec![
        (
            farm.clone(),
            ("heat-slots", "none"),
            [w(0), w(0), w(0), w(0)],
        ),
        (farm.clone(), ("heat-slots", "2"), [w(0), w(0), w(5), w(5)]),
        (
            farm.clone(),
            ("heat-slots", "1"),
            [w(0), w(5), w(10), w(15)],
        ),
        (
            circuits(["left", "left", "right", "right"]),
            ("heat-slots", "1"),
            [w(0), w(5), w(0), w(5)],
        ),
        (
            watts(farm.clone(), [Some(300), Some(300), Some(150), Some(1_000)]),
            ("heat-watts", "700"),
            // More than the circuit has is never given.
            [w(0), w(0), w(5), None],
        ),
        (
            watts(farm.clone(), [Some(300), None, Some(300), Some(300)]),
            ("heat-watts", "600"),
            // So is what nobody has said.
            [w(0), None, w(0), w(5)],
        ),
    ];
    for (farm, rule, expected) in cases {
        let farm = farm.set(&[rule]);
        let forecast = ahead(&farm);
        let begins = |printer: &str| {
            let mut prints = forecast.prints.iter();
            let print = prints.find(|print| print.printer.name == printer)?;
            assert_eq!(
                print.to.as_ref().expect("a known end").0.0 - print.from.0,
                60 * MINUTE
            );
            Some((print.from.0 - NOW) / MINUTE)
        };
        assert_eq!(["p1", "p2", "p3", "p4"].map(begins), expected, "{rule:?}");
        let all = expected.iter().all(Option::is_some);
        match forecast.jobs[&job_id("A")] {
            Finish::At(_) => assert!(all),
            ref other => assert!(!all && *other == Finish::Waits, "{other:?}"),
        }
    }
}

#[test]
fn a_print_that_has_just_begun_still_has_its_place_to_heat() {
    let began = NOW - 2 * MINUTE;
    let farm = job(free(2), "A", 2, 60).printed("A", 1, "p1", began, RunResult::Started);
    let farm = farm
        .record("p1", |p| p.bed = Bed::Occupied)
        .busy(&["p1"])
        .set(&[("heat-slots", "1")]);
    shows(&farm, &["p1 A1 0-58", "p2 A2 3-63"]);
}

#[test]
fn a_copy_that_is_claimed_waits_for_its_place_and_is_not_under_way_before() {
    let farm = job(free(2), "A", 2, 60)
        .claim("A", 1, "p1", ClaimState::Staged)
        .claim("A", 2, "p2", ClaimState::Staged)
        .busy(&["p1", "p2"])
        .set(&[("heat-slots", "1")]);
    shows(&farm, &["p1 A1 0-60", "p2 A2 5-65"]);
    let forecast = ahead(&farm);
    let begun: Vec<bool> = forecast.prints.iter().map(|print| print.begun).collect();
    assert_eq!(begun, [true, false]);
    done(&forecast, "A", 65);
}

/// It was taken for one print: a bed cleared five times in between was not counted once.
#[test]
fn a_copy_of_several_prints_takes_as_long_as_all_that_comes_between_them() {
    // All three copies on one printer, one after the other: ten minutes each.
    let together = job(free(1), "A", 3, 10).with(|job| job.together = true);
    let then = job(together.clone(), "B", 1, 10);
    shows(&then, &["p1 A1 0-30", "p1 B1 30-40"]);
    let late = cleared_after(&then, 30);
    assert_eq!(timeline(&[&then], &late), ["p1 A1 0-90", "p1 B1 120-130"]);
    done(&late, "A", 90);
    let cooled = routine(together.clone(), "p1", |routine| routine.cool_c = Some(30));
    shows(&cooled, &["p1 A1 0-70"]);

    // What the queue says of the people who clear beds is true for `job list` as well.
    shows(
        &then.set(&[("turnaround", "1800")]),
        &["p1 A1 0-90", "p1 B1 120-130"],
    );

    // Two prints of an hour in each copy.
    let twice =
        |farm: Farm, name: &str| job(farm, name, 1, 60).edit(name, |job| job.sets[0].per_run = 2);
    let a = twice(free(1), "A");
    shows(&a, &["p1 A1 0-120"]);
    let quiet = routine(a.clone(), "p1", |routine| {
        routine.quiet = vec![[minute(30), minute(90)]]
    });
    shows(&quiet, &["p1 A1 0-150"]);
    // The second one heats when another printer does.
    let two = job(twice(free(2), "A"), "B", 1, 60);
    let two = two.edit("B", |job| {
        job.terms.not_before = Some(Timestamp(NOW + 58 * MINUTE))
    });
    shows(
        &two.set(&[("heat-slots", "1")]),
        &["p1 A1 0-123", "p2 B1 58-118"],
    );

    // One is done, the second is under way, or waits until its bed is clear.
    let three = job(free(1), "A", 1, 60).edit("A", |job| job.sets[0].per_run = 3);
    let began = NOW - 70 * MINUTE;
    let first = three.printed("A", 1, "p1", began, RunResult::Ok);
    let with = |second: Option<u64>| {
        let mut farm = first
            .clone()
            .busy(&["p1"])
            .record("p1", |p| p.bed = Bed::Occupied);
        let claims = farm.snapshot.claims.values_mut().next().expect("just made");
        let claim = claims.values_mut().next().expect("just made");
        claim.record.state = ClaimState::Printing;
        let mut run = claim.runs[&0].clone();
        (run.result, run.repetition) = (RunResult::Started, 1);
        if let Some(at) = second {
            run.started = Timestamp(at);
            claim.runs.insert(1, run);
        }
        farm
    };
    let running = with(Some(NOW - 5 * MINUTE));
    assert_eq!(
        timeline(&[&running], &cleared_after(&running, 30)),
        ["p1 A1 0-145"]
    );
    let between = with(None);
    assert_eq!(
        timeline(&[&between], &cleared_after(&between, 30)),
        ["p1 A1 0-180"]
    );
    let forecast = cleared_after(&between, 30);
    assert_eq!(
        (forecast.prints[0].from, forecast.prints[0].begun),
        (Timestamp(began), true)
    );
}

#[test]
fn a_copy_of_more_prints_than_are_looked_at_is_not_looked_at_for_ever() {
    let farm = job(free(1), "A", 1_000_000, 10).with(|job| job.together = true);
    let farm = job(farm, "B", 1, 10);
    let assume = Assume {
        prints_max: 100,
        ..ASSUME
    };
    let forecast = simulate(&outlook(&[&farm]), &assume);
    assert!(forecast.cut);
    done(&forecast, "A", 10_000_000);
    assert_eq!(forecast.jobs[&job_id("B")], Finish::Beyond);
}

#[test]
fn of_the_starts_of_a_plan_so_many_heat_at_once_as_the_queue_says() {
    let heat = |farm: &Farm, rules: &[(&str, &str)]| {
        let farm = farm.clone().set(rules);
        let starts = which_heat(&farm.snapshot, farm.presence.now, farm.plan().starts);
        let words = starts.into_iter().map(|(start, heats)| {
            let when = if heats { "at once" } else { "later" };
            format!("{} {when}", start.printer.name)
        });
        words.collect::<Vec<_>>()
    };
    let farm = job(free(3), "A", 3, 60);
    assert_eq!(heat(&farm, &[]), ["p1 at once", "p2 at once", "p3 at once"]);
    let one = [("heat-slots", "1")];
    assert_eq!(heat(&farm, &one), ["p1 at once", "p2 later", "p3 later"]);
    let shed = farm.clone().has("p2", |e| e.circuit = Some("shed".into()));
    assert_eq!(heat(&shed, &one), ["p1 at once", "p2 at once", "p3 later"]);
    // One began a minute ago, one has its copy and waits.
    let began = NOW - MINUTE;
    let busy = farm
        .printed("A", 1, "p1", began, RunResult::Started)
        .claim("A", 2, "p2", ClaimState::Staged)
        .record("p2", |p| p.between = Some(Between::Heat))
        .busy(&["p1", "p2"]);
    assert_eq!(heat(&busy, &one), ["p2 later", "p3 later"]);
    let two = [("heat-slots", "2")];
    assert_eq!(heat(&busy, &two), ["p2 at once", "p3 later"]);
}
