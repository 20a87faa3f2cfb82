//! A print that fails is tried again: so often and no more, on another printer first, and only what is missing. A file that
//! fails everywhere and a printer that fails at everything are told apart, and neither drags the other down.

use printmesh_node::{Command, NewJob, NewSet, Resolve};
use printmesh_queue::{CopyId, JobId, Setting};

use crate::{
    farm::{Farm, Machines, file, job},
    resuming::resolve,
};

/// The print that this printer is at fails.
fn fails(farm: &mut Farm, host: usize, printer: &str, why: &str) {
    farm.begin(host, printer);
    farm.settle();
    farm.fail(host, printer, why);
}

fn comes_out_well(farm: &mut Farm, host: usize, printer: &str) {
    farm.begin(host, printer);
    farm.finish(host, printer);
    farm.settle();
}

/// Where each print began: host and copy and run, in order.
fn prints(farm: &Farm) -> Vec<(usize, u32, u32)> {
    let starts = farm.starts.iter();
    starts.map(|s| (s.host, s.run.1, s.run.2)).collect()
}

/// The first reason why the job waits, as the first printer has it.
fn reason(farm: &Farm, n: usize, id: JobId) -> &'static str {
    farm.why(n, id)[0].1
}

#[test]
fn r_l6_a_copy_that_fails_is_tried_three_times_more_and_then_rests_with_the_last_reason() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("local", "bracket"));
    for n in 0..4 {
        assert_eq!(farm.starts.len(), n + 1);
        assert_ne!(farm.status(0, id), "failed");
        fails(&mut farm, 0, "p0", &format!("jam {n}"));
        farm.ready(0);
    }
    farm.pass(3_600_000);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (4, "failed"));
    assert_eq!(reason(&farm, 0, id), "retries-exhausted");
    let (snapshot, of) = farm.job(0, id);
    let why = printmesh_schedule::no_copy_left(snapshot, of).text();
    assert!(why.contains("4 times") && why.contains("jam 3"), "{why}");
    let notes: Vec<_> = snapshot
        .claims_of(CopyId { job: id, index: 0 })
        .map(|claim| claim.record.note.clone().unwrap_or_default())
        .collect();
    assert_eq!(notes, ["jam 0", "jam 1", "jam 2", "jam 3"]);
    // One failure is one file: the printer is not to blame for it.
    assert_eq!(farm.snapshot(0, "local").present_printers().count(), 1);
    assert!(!is_set_aside(&farm, 0, "a/p0"));
    farm.check();
}

fn is_set_aside(farm: &Farm, n: usize, printer: &str) -> bool {
    let id = farm.node(n).printer_named(printer).expect("it is there");
    let queue = if farm.node(n).queue_named("farm").is_ok() {
        "farm"
    } else {
        "local"
    };
    farm.snapshot(n, queue).printers[&id].set_aside
}

#[test]
fn how_often_is_tried_again_is_said_by_the_queue_or_by_the_job() {
    let mut farm = Farm::shared(&[1]);
    farm.machines = Machines::Wait;
    farm.edit_farm(|edit| edit.set_setting(Setting::Retries, "1"));
    farm.ready(0);
    let id = farm.submit(0, job("farm", "bracket"));
    for _ in 0..2 {
        assert_eq!(farm.status(0, id), "printing");
        fails(&mut farm, 0, "p0", "jam");
        farm.ready(0);
    }
    assert_eq!((farm.starts.len(), farm.status(0, id)), (2, "failed"));
    farm.edit_farm(|edit| edit.set_job_retries(id, 2));
    farm.ready(0);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (3, "printing"));
    farm.check();
}

#[test]
fn a_print_that_a_person_stopped_is_tried_again_only_when_a_person_says_so() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("local", "bracket"));
    farm.begin(0, "p0");
    farm.settle();
    farm.abort(0, "p0");
    farm.settle();
    farm.ready(0);
    farm.pass(3_600_000);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (1, "failed"));
    assert_eq!(reason(&farm, 0, id), "copy-failed");
    farm.ok(0, resolve(&id.to_string(), Resolve::Retry));
    assert_eq!((farm.starts.len(), farm.status(0, id)), (2, "printing"));
    comes_out_well(&mut farm, 0, "p0");
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn a_copy_that_rests_is_tried_once_more_when_a_person_says_so_on_any_host_and_no_more_often() {
    let mut farm = Farm::shared(&[1, 0]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    for _ in 0..4 {
        fails(&mut farm, 0, "p0", "jam");
        farm.ready(0);
    }
    assert_eq!(farm.status(1, id), "failed");
    farm.ok(1, resolve(&format!("{id}#1"), Resolve::Retry));
    assert_eq!((farm.starts.len(), farm.status(1, id)), (5, "printing"));
    let early = farm.refused(1, resolve(&id.to_string(), Resolve::Retry));
    assert_eq!(early.code.as_str(), "copy.certain");
    fails(&mut farm, 0, "p0", "jam");
    farm.ready(0);
    assert_eq!((farm.starts.len(), farm.status(1, id)), (5, "failed"));
    farm.check();
}

#[test]
fn a_copy_that_failed_on_one_printer_is_made_by_another_one_that_is_free() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    let first = farm.starts[0].host;
    let other = 3 - first;
    fails(&mut farm, first, "p0", "jam");
    assert_eq!(prints(&farm), [(first, 0, 0), (other, 0, 0)]);
    farm.ready(first);
    comes_out_well(&mut farm, other, "p0");
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn a_copy_that_failed_comes_back_to_its_printer_when_no_other_one_is_free() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let long = farm.submit(0, job("farm", "long"));
    let busy = farm.starts[0].host;
    let id = farm.submit(0, job("farm", "bracket"));
    let failing = 3 - busy;
    fails(&mut farm, failing, "p0", "jam");
    farm.ready(failing);
    assert_eq!(farm.starts.len(), 3);
    assert_eq!(farm.starts[2].host, failing);
    comes_out_well(&mut farm, failing, "p0");
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.status(0, long), "printing");
    farm.check();
}

#[test]
fn the_next_try_prints_only_what_is_missing_also_on_another_printer() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 2)];
    let id = farm.submit(
        0,
        NewJob {
            sets,
            ..job("farm", "kit")
        },
    );
    let first = farm.starts[0].host;
    let other = 3 - first;
    comes_out_well(&mut farm, first, "p0");
    farm.ready(first);
    comes_out_well(&mut farm, first, "p0");
    farm.ready(first);
    assert_eq!(farm.status(0, id), "printing", "one is missing");
    fails(&mut farm, first, "p0", "jam");
    assert_eq!(
        prints(&farm),
        [(first, 0, 0), (first, 0, 1), (first, 0, 2), (other, 0, 2)]
    );
    let run = |farm: &Farm, n: usize| {
        let (snapshot, _) = farm.job(n, id);
        let claim = snapshot.claims_of(CopyId { job: id, index: 0 }).last();
        claim.expect("it prints").runs[&2].repetition
    };
    assert_eq!(run(&farm, 0), 1, "the second b");
    comes_out_well(&mut farm, other, "p0");
    for n in 0..3 {
        assert_eq!(farm.status(n, id), "done");
        let (snapshot, of) = farm.job(n, id);
        assert_eq!(Farm::good_runs(snapshot, of), 3);
        let sets = of.sets.iter();
        let good: Vec<u32> = sets
            .map(|set| printmesh_schedule::good_runs_of_set(snapshot, of, set.id))
            .collect();
        assert_eq!(good, [1, 2]);
    }
    farm.check();
}

#[test]
fn where_the_queue_says_restart_the_next_try_prints_the_whole_copy_again() {
    let mut farm = Farm::shared(&[1]);
    farm.machines = Machines::Wait;
    farm.edit_farm(|edit| edit.set_setting(Setting::OnPartial, "restart"));
    farm.ready(0);
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 1)];
    let id = farm.submit(
        0,
        NewJob {
            sets,
            ..job("farm", "kit")
        },
    );
    comes_out_well(&mut farm, 0, "p0");
    farm.ready(0);
    fails(&mut farm, 0, "p0", "jam");
    farm.ready(0);
    comes_out_well(&mut farm, 0, "p0");
    farm.ready(0);
    assert_eq!(farm.status(0, id), "printing");
    comes_out_well(&mut farm, 0, "p0");
    assert_eq!(prints(&farm), [(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 1)]);
    assert_eq!(farm.status(0, id), "done");
    let (snapshot, of) = farm.job(0, id);
    let good = |n: usize| printmesh_schedule::good_runs_of_set(snapshot, of, of.sets[n].id);
    assert_eq!(
        (good(0), good(1)),
        (1, 1),
        "what was thrown away counts no more"
    );
    farm.check();
}

#[test]
fn r_l9_a_bad_file_and_a_bad_printer_are_told_apart_and_neither_drags_the_other_down() {
    let mut farm = Farm::shared(&[0, 1, 1, 1]);
    farm.machines = Machines::Wait;
    // Host 3 has the bad printer; whoever prints `crooked` fails as well.
    let mut jobs = Vec::new();
    let names = ["crooked", "a", "b", "c", "d", "e", "f"];
    for name in names {
        jobs.push((farm.submit(0, job("farm", name)), name));
    }
    for _ in 0..60 {
        let printing: Vec<usize> = (1..4).filter(|n| farm.prints(*n, "p0")).collect();
        if printing.is_empty() {
            break;
        }
        for n in printing {
            let last = farm.starts.iter().rfind(|start| start.host == n);
            let path = last.expect("it prints").path.clone();
            if n == 3 {
                fails(&mut farm, n, "p0", "the nozzle is clogged");
            } else if path.contains("crooked") {
                fails(&mut farm, n, "p0", "the file is crooked");
            } else {
                comes_out_well(&mut farm, n, "p0");
            }
            farm.ready(n);
        }
    }
    for (id, name) in &jobs[1..] {
        assert_eq!(farm.status(0, *id), "done", "{name}");
    }
    let crooked = jobs[0].0;
    assert_eq!(farm.status(0, crooked), "queued");
    for (printer, why) in farm.why(0, crooked) {
        assert_eq!(why, "file-fails", "{printer}");
    }
    let aside: Vec<bool> = ["b/p0", "c/p0", "d/p0"]
        .map(|name| is_set_aside(&farm, 0, name))
        .to_vec();
    assert_eq!(aside, [false, false, true]);
    let told = |farm: &Farm| {
        let events = farm.hosts[3].events.iter();
        events.filter(|e| e.kind == "printer.set-aside").count()
    };
    assert_eq!(told(&farm), 1);
    // A person mends the printer, and another the file's reputation.
    let resume = Command::PrinterResume {
        printer: "p0".into(),
    };
    farm.ok(3, resume);
    assert!(!is_set_aside(&farm, 0, "d/p0"));
    farm.ok(0, resolve(&crooked.to_string(), Resolve::Retry));
    let at = (1..4).find(|n| farm.prints(*n, "p0")).expect("it is tried");
    comes_out_well(&mut farm, at, "p0");
    assert_eq!(farm.status(0, crooked), "done");
    farm.check();
}

#[test]
fn files_that_the_guard_refuses_set_no_printer_aside() {
    let mut farm = Farm::shared(&[1]);
    farm.set("retries", "0");
    farm.machines = Machines::Wait;
    for n in 0..6 {
        farm.submit(0, job("farm", &format!("bad {n}")));
        let why = format!(
            "{}line 1: M500: would change the settings",
            printmesh_node::GUARDED
        );
        farm.fail(0, "p0", &why);
        assert!(!is_set_aside(&farm, 0, "a/p0"), "after {n}");
    }
    farm.machines = Machines::PrintAndClear;
    let good = farm.submit(0, job("farm", "good"));
    farm.pass(60_000);
    assert_eq!(farm.status(0, good), "done");
}
