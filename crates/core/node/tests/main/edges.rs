//! Corners found by reading: leaving in the middle, machines out of sight, histories that lead nowhere.

use printmesh_node::{
    Code, Command, Effect, Input, JobEdit, Message, NewJob, Place, PrinterReport,
};
use printmesh_queue::Bed;

use crate::farm::{Farm, job};

#[test]
fn a_host_leaves_the_queue_into_which_it_is_moving_a_job_only_while_no_voter_may_have_decided() {
    let mut outcomes = std::collections::BTreeSet::new();
    for steps in 0..8 {
        let mut farm = Farm::shared(&[0, 0]);
        let attic = Command::QueueCreate {
            name: "attic".into(),
        };
        farm.ok(1, attic);
        let id = farm.submit(1, job("farm", "bracket"));
        let moving = Command::JobMove {
            job: id.to_string(),
            to: Some("attic".into()),
            place: Place::Keep,
        };
        let moving = farm.give(1, moving);
        for _ in 0..steps {
            if let Some(act) = farm.acts().first().copied() {
                farm.act(act);
            }
        }
        let leave = Command::QueueLeave {
            queue: "attic".into(),
        };
        let asked = farm.give(1, leave);
        let left = farm.hosts[1].replies.remove(&asked).unwrap();
        farm.settle();
        let moved = farm.hosts[1].replies.remove(&moving).unwrap();
        if let Err(refusal) = &left {
            assert_eq!(refusal.code, Code::JobLeased);
            let arrived = farm.snapshot(1, "attic").jobs.len();
            assert_eq!(arrived, 1, "the job is in the queue that was not left");
        }
        let here = if moved.is_ok() { "moved" } else { "queued" };
        assert_eq!(farm.status(0, id), here);
        outcomes.insert((left.is_ok(), moved.is_ok()));
        farm.check();
    }
    let all = [(false, true), (true, false), (true, true)];
    assert_eq!(outcomes, all.into_iter().collect());
}

#[test]
fn copies_added_while_a_job_is_cancelled_are_cancelled_too() {
    let mut farm = Farm::shared(&[0, 0]);
    let id = farm.submit(
        1,
        NewJob {
            copies: 2,
            ..job("farm", "bracket")
        },
    );
    let cancel = Command::JobCancel {
        job: id.to_string(),
    };
    let cancelled = farm.give(1, cancel);
    let copies = JobEdit {
        copies: Some(5),
        ..JobEdit::default()
    };
    farm.give(
        1,
        Command::JobEdit {
            job: id.to_string(),
            edit: copies,
        },
    );
    farm.settle();
    assert!(farm.hosts[1].replies.remove(&cancelled).unwrap().is_ok());
    assert_eq!(farm.status(0, id), "cancelled");
    farm.check();
}

#[test]
fn a_real_printer_that_was_out_of_sight_waits_until_somebody_has_looked() {
    let mut farm = Farm::new(&[0]);
    let add = Command::PrinterAdd {
        name: "mk4".into(),
        at: "serial:/dev/mk4".into(),
    };
    farm.ok(0, add);
    let bed = |farm: &Farm| farm.node(0).own_printers_view()["mk4"].bed;
    farm.ready(0);
    assert_eq!(bed(&farm), Bed::Clear);
    farm.printer_says(0, "mk4", PrinterReport::Offline("unplugged".into()));
    assert_eq!(bed(&farm), Bed::Unknown);
    farm.ready(0);
    farm.stop(0);
    farm.boot(0);
    farm.settle();
    assert_eq!(
        bed(&farm),
        Bed::Unknown,
        "nobody watched it while the daemon was down"
    );
}

#[test]
fn a_history_that_leads_nowhere_is_asked_for_once_by_number_and_once_by_name() {
    let mut farm = Farm::shared(&[0, 0]);
    let queue = farm.queue(0, "farm");
    farm.give_job(0, job("farm", "never sent"));
    farm.give_job(0, job("farm", "sent without its past"));
    let change = farm.hosts[0].logs[&queue.0].last().unwrap().clone();
    let from = farm.hosts[0].id;
    farm.hosts[1].effects.clear();
    for _ in 0..3 {
        let message = Message::Changes {
            epoch: printmesh_queue::EpochHash::default(),
            queue,
            changes: vec![change.clone()],
            also: Vec::new(),
        };
        farm.input(
            1,
            Input::Message {
                from,
                bytes: message.encode(),
            },
        );
    }
    let asked = farm.hosts[1].effects.iter();
    let asked = asked
        .filter(|effect| matches!(effect, Effect::Send { .. }))
        .count();
    assert_eq!(asked, 2, "once by number, and once by name");
    farm.settle();
    assert_eq!(
        farm.snapshot(1, "farm").jobs.len(),
        2,
        "and what was on its way arrives"
    );
}
