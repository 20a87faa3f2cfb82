//! What one host asks of another: to stop its print, to start a job; and what a hold does to a copy under way.

use printmesh_node::{Answer, Command, NewJob, NewSet};
use printmesh_queue::{ClaimState, JobId, Role, RunResult};

use crate::farm::{Crash, Farm, Machines, file, job};

fn cancel(job: JobId) -> Command {
    Command::JobCancel {
        job: job.to_string(),
    }
}

fn stop(job: JobId) -> Command {
    Command::JobStop {
        job: job.to_string(),
    }
}

fn start(job: JobId, printer: &str) -> Command {
    Command::JobStart {
        job: job.to_string(),
        printer: printer.into(),
    }
}

fn hold(job: JobId) -> Command {
    Command::JobHold {
        job: job.to_string(),
    }
}

fn release(job: JobId) -> Command {
    Command::JobRelease {
        job: job.to_string(),
    }
}

fn said(answer: &Answer) -> (bool, &str) {
    match answer {
        Answer::Done { already, text } => (*already, text),
        other => panic!("{other:?}"),
    }
}

/// Kinds of the requests about a job, with what they wait for.
fn requests(farm: &Farm, n: usize, job: JobId) -> Vec<(&'static str, String)> {
    let (queue, id) = farm
        .node(n)
        .job_named(&job.to_string())
        .expect("it is there");
    let about = farm.node(n).requests_about(queue, id);
    about
        .into_iter()
        .map(|request| (request.kind, request.waits_for))
        .collect()
}

fn no_request_is_left(farm: &Farm) {
    for n in (0..farm.hosts.len()).filter(|n| farm.up(*n)) {
        let left = &farm.snapshot(n, "farm").requests;
        assert!(left.is_empty(), "{left:?}");
        let keys = farm.hosts[n].keys.keys();
        let journal = keys.filter(|key| key.starts_with(b"request/")).count();
        assert_eq!(journal, 0, "the journal of {n}");
    }
}

/// Texts with which requests ended on a host.
fn ended(farm: &Farm, n: usize) -> Vec<String> {
    let events = farm.hosts[n].events.iter();
    events
        .filter(|event| event.kind == "request.ended")
        .filter_map(|event| event.text.clone())
        .collect()
}

#[test]
fn an_own_print_and_that_of_another_host_are_stopped_and_the_job_is_cancelled() {
    for asker in [0, 1, 2] {
        let mut farm = Farm::shared(&[0, 1, 0]);
        farm.machines = Machines::Wait;
        let id = farm.submit(
            0,
            NewJob {
                copies: 3,
                ..job("farm", "bracket")
            },
        );
        farm.begin(1, "p0");
        farm.settle();
        let answer = farm.ok(asker, stop(id));
        assert_eq!(said(&answer), (false, "bracket is cancelled"));
        assert_eq!(farm.stops, [(1, "p0".to_owned())]);
        assert!(!farm.prints(1, "p0"));
        for n in 0..3 {
            assert_eq!(farm.status(n, id), "cancelled");
            let claim = farm.snapshot(n, "farm").claims.values().next();
            let claim = claim
                .and_then(|claims| claims.values().next())
                .expect("one");
            assert_eq!(claim.record.state, ClaimState::Failed);
            let by = format!("stopped by {}", farm.hosts[asker].name);
            assert_eq!(claim.record.note.as_deref(), Some(&*by));
            assert_eq!(claim.runs[&0].result, RunResult::Aborted);
        }
        farm.ready(1);
        assert_eq!(farm.starts.len(), 1);
        no_request_is_left(&farm);
        farm.check();
    }
}

#[test]
fn every_print_of_a_job_on_every_host_is_stopped_and_prints_of_other_jobs_are_not() {
    let mut farm = Farm::shared(&[2, 2, 2]);
    farm.machines = Machines::Wait;
    let other = farm.submit(0, job("farm", "other"));
    let id = farm.submit(
        0,
        NewJob {
            copies: 9,
            ..job("farm", "bracket")
        },
    );
    assert_eq!(farm.starts.len(), 6);
    farm.ok(2, stop(id));
    assert_eq!((farm.stops.len(), farm.status(1, id)), (5, "cancelled"));
    assert_eq!(farm.status(1, other), "printing");
    for n in 0..3 {
        farm.ready(n);
    }
    assert_eq!(farm.starts.len(), 6);
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_job_that_nobody_prints_is_simply_cancelled() {
    let mut farm = Farm::shared(&[0, 0]);
    let id = farm.submit(0, job("farm", "bracket"));
    assert_eq!(said(&farm.ok(1, stop(id))), (false, "bracket is cancelled"));
    assert!(said(&farm.ok(1, stop(id))).0, "before");
    no_request_is_left(&farm);
}

#[test]
fn a_stop_of_a_host_that_is_away_is_shown_and_carried_out_when_it_returns() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, "p0");
    farm.settle();
    farm.cut(0, 1);
    farm.cut(2, 1);
    let answer = farm.ok(2, stop(id));
    assert_eq!(
        said(&answer),
        (false, "asked to stop and cancel bracket; it waits for b")
    );
    assert!(said(&farm.ok(2, stop(id))).0, "asked before");
    for n in [0, 2] {
        assert_eq!(farm.status(n, id), "cancel-requested");
        assert_eq!(requests(&farm, n, id), [("stop", "b".to_owned())]);
    }
    assert!(farm.prints(1, "p0"), "it has not heard of it");
    // The asker's host restarts meanwhile.
    farm.kill(2);
    farm.settle();
    farm.boot(2);
    farm.settle();
    farm.heal(0, 1);
    farm.heal(1, 2);
    farm.pass(10_000);
    for n in 0..3 {
        assert_eq!(farm.status(n, id), "cancelled");
    }
    assert!(!farm.prints(1, "p0"));
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_print_that_ends_well_before_the_stop_arrives_counts_and_the_asker_hears_so() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, "p0");
    farm.settle();
    farm.cut(0, 1);
    farm.ok(0, stop(id));
    farm.finish(1, "p0");
    farm.settle();
    farm.heal(0, 1);
    farm.pass(10_000);
    for n in [0, 1] {
        assert_eq!(farm.status(n, id), "done");
    }
    assert!(farm.stops.is_empty());
    assert_eq!(ended(&farm, 0), ["bracket is done"]);
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_driver_that_takes_its_time_to_stop_is_told_once_and_waited_for() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    farm.stops_at_once = false;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, "p0");
    farm.settle();
    let asked = farm.give(0, stop(id));
    farm.settle();
    assert_eq!(farm.status(0, id), "cancel-requested");
    assert!(!farm.hosts[0].replies.contains_key(&asked));
    // The command does not wait for ever; the request does.
    farm.pass(6_000);
    let answer = farm.hosts[0].replies.remove(&asked).expect("answered");
    assert!(said(&answer.expect("asked")).1.ends_with("waits for b"));
    assert_eq!(farm.stops.len(), 1);
    farm.abort(1, "p0");
    farm.pass(10_000);
    assert_eq!(farm.status(0, id), "cancelled");
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_crash_of_the_asker_or_the_holder_at_any_step_never_loses_a_stop_nor_prints_again() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in [0, 1] {
            for at in 1..40 {
                let what = format!("{crash:?} of {victim} at {at}");
                let mut farm = Farm::shared(&[0, 1]);
                farm.machines = Machines::Wait;
                let id = farm.submit(
                    1,
                    NewJob {
                        copies: 2,
                        ..job("farm", "bracket")
                    },
                );
                farm.begin(1, "p0");
                farm.settle();
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                farm.give(0, stop(id));
                farm.pass(20_000);
                if farm.up(victim) {
                    farm.check();
                    break;
                }
                farm.boot(victim);
                farm.pass(20_000);
                // Of the command itself only the first step can be lost: nobody was told that it was heard.
                let asked = farm.status(0, id) == "cancelled";
                if !asked {
                    assert_eq!((victim, at, crash), (0, 1, Crash::BeforeWrites), "{what}");
                    farm.give(0, stop(id));
                    farm.pass(20_000);
                }
                for n in [0, 1] {
                    assert_eq!(farm.status(n, id), "cancelled", "{what}");
                }
                assert!(!farm.prints(1, "p0"), "{what}");
                farm.ready(1);
                farm.pass(100_000);
                assert_eq!(farm.starts.len(), 1, "{what}");
                no_request_is_left(&farm);
                farm.check();
            }
        }
    }
}

#[test]
fn who_may_not_cancel_a_job_cannot_stop_or_start_it_either() {
    let mut farm = Farm::new(&[1, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Submitter);
    farm.machines = Machines::Wait;
    let foreign = farm.submit(0, job("farm", "foreign"));
    let own = farm.submit(1, job("farm", "own"));
    farm.pass(10_000);
    assert!(farm.prints(0, "p0"), "{}", farm.dump(foreign));
    for command in [stop(foreign), start(foreign, "a/p0")] {
        assert_eq!(farm.refused(1, command).code.as_str(), "member.role");
    }
    assert!(farm.prints(0, "p0") && farm.stops.is_empty());
    // Its own job it may.
    farm.ok(1, start(own, "a/p0"));
    farm.begin(0, "p0");
    farm.finish(0, "p0");
    farm.settle();
    farm.ready(0);
    let last = farm.starts.last().map(|start| start.run.0.clone());
    assert_eq!(last, Some(own.to_string()));
    farm.ok(1, stop(own));
    assert_eq!(farm.status(1, own), "cancelled");
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_stop_can_be_taken_back_as_long_as_nobody_heard_it() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, "p0");
    farm.settle();
    farm.cut(0, 1);
    farm.ok(0, stop(id));
    assert_eq!(
        said(&farm.ok(0, release(id))),
        (false, "bracket: what was asked is taken back")
    );
    assert_eq!(farm.status(0, id), "printing");
    farm.heal(0, 1);
    farm.pass(10_000);
    assert!(farm.prints(1, "p0") && farm.stops.is_empty());
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_hold_lets_a_copy_under_way_come_to_its_end_and_starts_no_other_one() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        NewJob {
            sets: vec![NewSet::of(file("a"), 2), NewSet::of(file("b"), 1)],
            copies: 2,
            ..job("farm", "kit")
        },
    );
    for run in 0..3 {
        assert_eq!(farm.starts.len(), run + 1);
        if run == 0 {
            farm.ok(0, hold(id));
        }
        farm.begin(1, "p0");
        farm.finish(1, "p0");
        farm.settle();
        farm.ready(1);
    }
    farm.pass(100_000);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (3, "held"));
    farm.ok(0, release(id));
    assert_eq!(farm.starts.len(), 4);
    farm.check();
}

#[test]
fn a_stop_between_two_prints_of_a_copy_starts_the_next_one_no_more() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        NewJob {
            sets: vec![NewSet::of(file("a"), 2)],
            ..job("farm", "kit")
        },
    );
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
    assert!(!farm.prints(1, "p0"), "the bed is not clear");
    farm.ok(0, stop(id));
    farm.ready(1);
    farm.pass(100_000);
    assert_eq!((farm.starts.len(), farm.status(1, id)), (1, "cancelled"));
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn a_job_that_is_asked_for_goes_first_on_that_printer_of_another_host() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    let first = farm.submit(
        0,
        NewJob {
            copies: 5,
            ..job("farm", "first")
        },
    );
    let asked = farm.submit(0, job("farm", "asked"));
    assert_eq!(farm.starts.len(), 2);
    let answer = farm.ok(0, start(asked, "b/p0"));
    assert_eq!(
        said(&answer),
        (false, "asked is next on b/p0; now the printer is busy")
    );
    assert!(said(&farm.ok(0, start(asked, "b/p0"))).0, "asked before");
    assert_eq!(
        requests(&farm, 1, asked),
        [("start", "the printer is busy".to_owned())]
    );
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
    assert_eq!(farm.starts.len(), 2, "the bed still decides");
    assert_eq!(requests(&farm, 0, asked).len(), 1);
    farm.ready(1);
    let last = farm.starts.last().expect("started");
    assert_eq!((last.host, last.run.0.clone()), (1, asked.to_string()));
    assert_eq!(ended(&farm, 0), ["b/p0 started asked"]);
    no_request_is_left(&farm);
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
    farm.ready(1);
    assert_eq!(
        farm.starts.last().map(|start| start.run.0.clone()),
        Some(first.to_string())
    );
    farm.check();
}

#[test]
fn a_start_that_can_never_be_is_refused_and_says_why() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    let pinned = farm.submit(
        0,
        NewJob {
            copies: 3,
            printers: vec!["a/p0".into()],
            ..job("farm", "pinned")
        },
    );
    let problem = farm.refused(0, start(pinned, "b/p0"));
    assert_eq!(problem.code.as_str(), "printer.refuses");
    assert_eq!(problem.why.as_deref(), Some("it is for other printers"));
    farm.ok(0, hold(pinned));
    let problem = farm.refused(1, start(pinned, "a/p0"));
    assert_eq!(problem.why.as_deref(), Some("a person holds it"));
    assert_eq!(
        farm.refused(1, start(pinned, "nowhere")).code.as_str(),
        "printer.unknown"
    );
    no_request_is_left(&farm);
    // What was possible when it was asked may become hopeless.
    let single = farm.submit(0, job("farm", "single"));
    assert!(farm.prints(0, "p0") && farm.prints(1, "p0"));
    let problem = farm.refused(0, start(single, "a/p0"));
    assert_eq!(
        problem.why.as_deref(),
        Some("all its copies are done or being made")
    );
    farm.check();
}

#[test]
fn a_start_survives_the_restart_of_both_hosts_and_ends_with_the_job() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.ok(
        1,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: "oil".into(),
        },
    );
    let ids = [
        farm.submit(0, job("farm", "first")),
        farm.submit(0, job("farm", "second")),
        farm.submit(0, job("farm", "third")),
    ];
    farm.machines = Machines::Wait;
    let answer = farm.ok(0, start(ids[1], "b/p0"));
    assert!(said(&answer).1.contains("oil"), "{answer:?}");
    farm.ok(0, start(ids[2], "b/p0"));
    for n in [0, 1] {
        farm.stop(n);
        farm.boot(n);
        farm.settle();
    }
    farm.ok(0, cancel(ids[2]));
    farm.ready(1);
    farm.ok(
        1,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    assert_eq!(farm.starts[0].run.0, ids[1].to_string());
    no_request_is_left(&farm);
    farm.check();
}
