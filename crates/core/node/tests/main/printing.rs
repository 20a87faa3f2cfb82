//! From submitting to the last good print.

use printmesh_node::{Command, Input, NewJob, NewSet, PrinterReport};
use printmesh_queue::{Bed, JobId, RunResult};

use crate::farm::{Farm, Machines, file, job};

/// Names of the jobs in the order in which their prints began.
fn order(farm: &Farm, jobs: &[(JobId, &'static str)]) -> Vec<&'static str> {
    let name = |id: &str| {
        jobs.iter()
            .find(|(job, _)| job.to_string() == id)
            .expect("a job of the test")
            .1
    };
    farm.starts.iter().map(|start| name(&start.run.0)).collect()
}

#[test]
fn a_host_alone_prints_its_local_job() {
    let mut farm = Farm::new(&[1]);
    let id = farm.submit(0, job("local", "bracket"));
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(farm.starts[0].path, "imports/bracket/bracket.gcode");
    farm.check();
}

#[test]
fn what_a_submits_is_printed_by_b_and_both_know_it_after_a_restart() {
    let mut farm = Farm::shared(&[0, 1]);
    let id = farm.submit(0, job("farm", "bracket"));
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts[0].host, 1);
    assert_eq!(farm.hosts[1].imports, ["imports/bracket/bracket.gcode"]);
    for n in [0, 1] {
        farm.kill(n);
        farm.boot(n);
    }
    farm.settle();
    for n in [0, 1] {
        assert_eq!(farm.status(n, id), "done");
        let history = farm.node(n).history();
        assert_eq!(history.len(), 1);
        assert_eq!(
            (history[0].result, history[0].host_name.as_str()),
            (RunResult::Ok, "b")
        );
    }
    farm.check();
}

#[test]
fn three_copies_over_two_hosts_are_three_good_prints_spread_over_both() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Print;
    let id = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    assert_eq!(farm.starts.len(), 2, "one on each bed");
    assert_eq!(farm.starts[0].host + farm.starts[1].host, 1);
    farm.ready(0);
    let (snapshot, done) = farm.job(1, id);
    assert_eq!(
        (
            Farm::good_runs(snapshot, done),
            Farm::done_copies(snapshot, done)
        ),
        (3, 3)
    );
    assert_eq!(farm.status(1, id), "done");
    farm.check();
}

#[test]
fn a_copy_of_two_sets_is_printed_whole_in_order_by_one_printer_with_a_clear_bed_each_time() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Print;
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 2)];
    let id = farm.submit(
        0,
        NewJob {
            sets,
            copies: 2,
            ..job("farm", "kit")
        },
    );
    assert_eq!(farm.starts.len(), 2);
    for _ in 0..4 {
        farm.ready(0);
        farm.ready(1);
    }
    assert_eq!(farm.status(0, id), "done");
    for host in [0, 1] {
        let of_host: Vec<_> = farm
            .starts
            .iter()
            .filter(|start| start.host == host)
            .collect();
        let paths: Vec<_> = of_host.iter().map(|start| start.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "imports/kit/a.gcode",
                "imports/kit/b.gcode",
                "imports/kit/b.gcode"
            ]
        );
        assert!(
            of_host.iter().all(|start| start.run.1 == of_host[0].run.1),
            "one copy"
        );
    }
    farm.check();
}

#[test]
fn all_copies_of_a_job_that_belongs_together_are_printed_by_one_printer() {
    let mut farm = Farm::shared(&[1, 1]);
    let id = farm.submit(
        0,
        NewJob {
            copies: 3,
            together: true,
            ..job("farm", "set of three")
        },
    );
    assert_eq!(farm.status(1, id), "done");
    assert_eq!(farm.starts.len(), 3);
    assert!(
        farm.starts
            .iter()
            .all(|start| start.host == farm.starts[0].host)
    );
    farm.check();
}

#[test]
fn a_draft_waits_until_it_is_released_and_then_starts_at_once() {
    let mut farm = Farm::shared(&[0, 1]);
    let id = farm.submit(
        0,
        NewJob {
            draft: true,
            ..job("farm", "idea")
        },
    );
    farm.pass(600_000);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (0, "draft"));
    assert_eq!(farm.why(1, id), [("b/p0".into(), "draft")]);
    farm.ok(
        0,
        Command::JobRelease {
            job: id.to_string(),
        },
    );
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn a_held_job_starts_no_further_copy_and_goes_on_when_released() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        NewJob {
            copies: 2,
            ..job("local", "bracket")
        },
    );
    farm.ok(
        0,
        Command::JobHold {
            job: id.to_string(),
        },
    );
    farm.begin(0, "p0");
    farm.finish(0, "p0");
    farm.settle();
    farm.ready(0);
    farm.pass(600_000);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (1, "held"));
    assert_eq!(farm.why(0, id), [("a/p0".into(), "held")]);
    farm.machines = Machines::PrintAndClear;
    farm.ok(
        0,
        Command::JobRelease {
            job: id.to_string(),
        },
    );
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn jobs_print_in_the_order_of_their_queue_and_queues_in_the_order_of_their_host() {
    let mut farm = Farm::new(&[1]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.ok(
        0,
        Command::QueueCreate {
            name: "night".into(),
        },
    );
    farm.ok(
        0,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: "cleaning".into(),
        },
    );
    let mut jobs = Vec::new();
    for (queue, name) in [
        ("night", "n1"),
        ("farm", "f1"),
        ("farm", "f2"),
        ("local", "l1"),
    ] {
        jobs.push((farm.submit(0, job(queue, name)), name));
    }
    assert_eq!(farm.why(0, jobs[2].0)[0].1, "printer-paused");
    farm.ok(
        0,
        Command::QueueOrder {
            queues: vec!["night".into()],
        },
    );
    farm.ok(
        0,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    assert_eq!(order(&farm, &jobs), ["n1", "l1", "f1", "f2"]);
    farm.check();
}

#[test]
fn the_printer_that_a_job_names_takes_it_and_the_other_takes_the_next() {
    let mut farm = Farm::new(&[2]);
    farm.machines = Machines::Print;
    farm.ok(
        0,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: String::new(),
        },
    );
    farm.ok(
        0,
        Command::PrinterPause {
            printer: "p1".into(),
            reason: String::new(),
        },
    );
    let mut jobs = Vec::new();
    for (name, pin) in [
        ("first", vec!["p1".to_owned()]),
        ("second", Vec::new()),
        ("third", Vec::new()),
    ] {
        jobs.push((
            farm.submit(
                0,
                NewJob {
                    printers: pin,
                    ..job("local", name)
                },
            ),
            name,
        ));
    }
    farm.ok(
        0,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    assert_eq!(order(&farm, &jobs), ["second"]);
    assert_eq!(
        farm.why(0, jobs[0].0)[0],
        ("a/p0".into(), "pinned-elsewhere")
    );
    farm.ok(
        0,
        Command::PrinterResume {
            printer: "p1".into(),
        },
    );
    assert_eq!(order(&farm, &jobs), ["second", "first"]);
    farm.ready(0);
    assert_eq!(order(&farm, &jobs), ["second", "first", "third"]);
    farm.check();
}

#[test]
fn a_printer_that_is_not_fit_to_print_says_why() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let pause = |on: bool| match on {
        true => Command::PrinterPause {
            printer: "p0".into(),
            reason: "nozzle".into(),
        },
        false => Command::PrinterResume {
            printer: "p0".into(),
        },
    };
    farm.ok(0, pause(true));
    let id = farm.submit(0, job("local", "bracket"));
    assert_eq!(farm.why(0, id)[0].1, "printer-paused");
    farm.ok(
        0,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    farm.ok(0, pause(false));
    assert_eq!(farm.why(0, id)[0].1, "autoprint-off");
    farm.printer_says(0, "p0", PrinterReport::Offline("unplugged".into()));
    farm.ok(
        0,
        Command::Autoprint {
            printers: Vec::new(),
            on: true,
        },
    );
    assert_eq!(farm.why(0, id)[0].1, "printer-offline");
    farm.printer_says(0, "p0", PrinterReport::Fault("thermal runaway".into()));
    assert_eq!(farm.why(0, id)[0].1, "printer-fault");
    assert!(farm.starts.is_empty());
    farm.ready(0);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (1, "printing"));
    let next = farm.submit(0, job("local", "next"));
    assert_eq!(farm.why(0, next)[0].1, "printer-busy");
    farm.begin(0, "p0");
    farm.finish(0, "p0");
    farm.settle();
    assert_eq!(farm.why(0, next)[0].1, "bed-not-clear");
    farm.check();
}

#[test]
fn where_the_queue_allows_no_second_try_a_failed_print_is_not_printed_again() {
    let mut farm = Farm::shared(&[1]);
    farm.machines = Machines::Wait;
    farm.edit_farm(|edit| edit.set_setting(printmesh_queue::Setting::Retries, "0"));
    farm.ready(0);
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(0, "p0");
    farm.settle();
    farm.fail(0, "p0", "the filament ran out");
    assert_eq!(farm.status(0, id), "failed");
    assert_eq!(farm.node(0).own_printers_view()["p0"].bed, Bed::Occupied);
    farm.ready(0);
    farm.pass(3_600_000);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(farm.why(0, id)[0].1, "retries-exhausted");
    let history = farm.node(0).history();
    assert_eq!(history[0].note.as_deref(), Some("the filament ran out"));
    // One more is asked for, not the same again.
    let edit = printmesh_node::JobEdit {
        copies: Some(2),
        ..Default::default()
    };
    farm.ok(
        0,
        Command::JobEdit {
            job: id.to_string(),
            edit,
        },
    );
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_print_that_is_refused_before_it_heats_leaves_the_bed_clear() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    farm.submit(0, job("local", "bracket"));
    farm.fail(0, "p0", "the file is damaged");
    assert_eq!(farm.node(0).own_printers_view()["p0"].bed, Bed::Clear);
    // It is tried again, and not at once.
    farm.pass(20_000);
    assert_eq!(farm.starts.len(), 1);
    farm.pass(20_000);
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_sensor_that_speaks_too_early_does_not_clear_the_bed_of_a_printer_that_prints() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    farm.submit(
        0,
        NewJob {
            copies: 2,
            ..job("local", "bracket")
        },
    );
    let before = farm.node(0).own_printers_view()["p0"].bed;
    assert_eq!(before, Bed::Occupied, "from the intent on");
    farm.printer_says(0, "p0", PrinterReport::BedCleared);
    farm.begin(0, "p0");
    farm.finish(0, "p0");
    farm.settle();
    assert_eq!(farm.node(0).own_printers_view()["p0"].bed, Bed::Occupied);
    assert_eq!(farm.starts.len(), 1);
    let problem = {
        farm.ready(0);
        farm.refused(
            0,
            Command::PrinterReady {
                printers: vec!["p0".into()],
                good: None,
            },
        )
    };
    assert_eq!(problem.code.as_str(), "printer.busy");
    farm.check();
}

#[test]
fn progress_reaches_the_other_hosts_and_ends_with_the_print() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, "p0");
    farm.settle();
    let printer = farm.node(0).printer_named("b/p0").expect("seen");
    let progress = farm.node(0).progress_of(&printer).expect("told");
    assert_eq!((progress.fraction, progress.copy.job), (Some(0.5), id));
    assert!(
        farm.hosts[0]
            .events
            .iter()
            .any(|event| event.kind == "print.progress")
    );
    farm.finish(1, "p0");
    farm.settle();
    assert!(farm.node(0).progress_of(&printer).is_none());
    let told: Vec<_> = farm.hosts[0]
        .events
        .iter()
        .filter(|event| event.kind == "job.state")
        .collect();
    let states: Vec<_> = told
        .iter()
        .filter_map(|event| event.state.as_deref())
        .collect();
    assert_eq!(
        states.last(),
        Some(&"done"),
        "told on the host that does not print: {states:?}"
    );
}

#[test]
fn a_printer_is_tried_before_it_is_added_and_can_be_removed_when_it_is_idle() {
    let mut farm = Farm::shared(&[0, 0]);
    let add = |name: &str, at: &str| Command::PrinterAdd {
        name: name.into(),
        at: at.into(),
    };
    farm.broken.insert((1, "mk3".into()));
    assert_eq!(
        farm.refused(1, add("mk3", "serial:/dev/x")).code.as_str(),
        "printer.unreachable"
    );
    farm.broken.clear();
    farm.ok(1, add("mk4", "serial:/dev/y"));
    assert_eq!(
        farm.refused(1, add("mk4", "serial:/dev/z")).code.as_str(),
        "name.taken"
    );
    assert_eq!(
        farm.refused(1, add("mk5", "serial:/dev/y")).code.as_str(),
        "name.taken"
    );
    // A real printer waits for a person.
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    assert_eq!(farm.why(0, id), [("b/mk4".into(), "autoprint-off")]);
    farm.ok(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: true,
        },
    );
    assert_eq!(farm.why(0, id), [("b/mk4".into(), "bed-unknown")]);
    farm.ready(1);
    assert!(farm.prints(1, "mk4"));
    let remove = || Command::PrinterRemove {
        printer: "mk4".into(),
    };
    assert_eq!(farm.refused(1, remove()).code.as_str(), "printer.busy");
    assert_eq!(
        farm.refused(
            0,
            Command::PrinterRemove {
                printer: "mk9".into()
            }
        )
        .code
        .as_str(),
        "printer.unknown"
    );
    assert_eq!(
        farm.refused(
            0,
            Command::PrinterRemove {
                printer: "b/mk4".into()
            }
        )
        .code
        .as_str(),
        "printer.foreign"
    );
    farm.begin(1, "mk4");
    farm.finish(1, "mk4");
    farm.settle();
    farm.ok(1, remove());
    assert!(farm.node(0).visible_printers().is_empty());
    farm.check();
}

#[test]
fn r_l7_a_printer_that_goes_offline_before_the_start_gives_its_copy_to_another() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    farm.printer_says(2, "p0", PrinterReport::Offline("unplugged".into()));
    farm.hosts[1].import_fails = true;
    let id = farm.submit(0, job("farm", "bracket"));
    assert!(farm.starts.is_empty());
    farm.printer_says(1, "p0", PrinterReport::Offline("unplugged".into()));
    farm.printer_says(
        2,
        "p0",
        PrinterReport::Online(printmesh_node::Machine { name: "sim".into() }),
    );
    assert_eq!(
        farm.starts
            .iter()
            .map(|start| start.host)
            .collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(farm.status(1, id), "printing");
    farm.check();
}

#[test]
fn r_a1_switching_autoprint_off_keeps_a_claimed_copy_from_starting() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.lan = false;
    // Claimed, and its file is on its way.
    let id = farm.give_job(0, job("farm", "bracket"));
    while farm.snapshot(1, "farm").claims.is_empty() {
        let act = farm.acts().first().copied().expect("it goes on");
        farm.act(act);
    }
    farm.give(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    farm.settle();
    assert!(farm.hosts[0].replies[&id].is_ok());
    assert!(farm.starts.is_empty());
    farm.ok(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: true,
        },
    );
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn an_orderly_stop_gives_claims_back_and_leaves_beds_clear() {
    let mut farm = Farm::shared(&[0, 2, 1]);
    farm.machines = Machines::Wait;
    farm.submit(0, job("farm", "first"));
    let (at, other) = (farm.starts[0].host, 3 - farm.starts[0].host);
    farm.begin(at, "p0");
    farm.settle();
    farm.stop(at);
    farm.boot(at);
    farm.settle();
    let own = farm.node(at).own_printers_view();
    assert_eq!(own["p0"].bed, Bed::Unknown, "it was stopped in mid-print");
    if let Some(idle) = own.get("p1") {
        assert_eq!(idle.bed, Bed::Clear, "nothing was on it and nobody crashed");
    }
    assert!(farm.up(other));
    farm.input(other, Input::ShuttingDown);
    let second = farm.submit(0, job("farm", "second")).to_string();
    let mut seconds = farm.starts.iter().filter(|start| start.run.0 == second);
    assert!(
        seconds.all(|start| start.host == at),
        "a host that stops begins nothing"
    );
    farm.check();
}
