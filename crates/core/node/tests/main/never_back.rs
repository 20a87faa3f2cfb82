//! Hosts that never come back: what the others do about what those had claimed, begun or taken out.

use std::collections::BTreeSet;

use printmesh_node::{Command, Effect, Message, NewJob};
use printmesh_queue::Ballot;

use crate::{
    farm::{Farm, Machines, job},
    lost::{ABANDON, HOUR, MINUTE, accepted, printing, words},
};

/// Pauses a printer for a reason, or lets it go on.
fn pause(reason: Option<&str>) -> Command {
    let printer = "p0".to_owned();
    match reason {
        Some(reason) => Command::PrinterPause {
            printer,
            reason: reason.to_owned(),
        },
        None => Command::PrinterResume { printer },
    }
}

/// A host has the file, whoever else can be reached.
fn file_at(farm: &mut Farm, n: usize) {
    let draft = NewJob {
        draft: true,
        ..job("local", "bracket")
    };
    farm.submit(n, draft);
}

#[test]
fn a_copy_that_the_voters_gave_to_a_host_that_is_lost_for_good_is_hardly_asked_for() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set("abandon", "never");
    farm.machines = Machines::Wait;
    let autoprint = |farm: &mut Farm, on| {
        let printers = Vec::new();
        farm.ok(2, Command::Autoprint { printers, on });
    };
    autoprint(&mut farm, false);
    farm.give_job(0, job("farm", "bracket"));
    // It dies when the voter's word is on the way: the document does not say that the copy is its.
    while !accepted(&farm) {
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.kill(1);
    farm.settle();
    farm.hosts[2].effects.clear();
    autoprint(&mut farm, true);
    farm.pass(24 * HOUR);
    let sent = farm.hosts[2].effects.iter();
    let asked: BTreeSet<Ballot> = sent
        .filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Message::decode(bytes),
            _ => None,
        })
        .filter_map(|message| match message {
            Message::Prepare(ask) => Some(ask.ballot),
            _ => None,
        })
        .collect();
    assert!(farm.starts.is_empty());
    // Every ten leases of a minute and a half.
    assert!((24 * 4..=24 * 6).contains(&asked.len()), "{}", asked.len());
    farm.check();
}

#[test]
fn a_print_of_a_host_that_never_comes_back_is_given_up_although_another_one_had_printed_the_same_without_the_voters()
 {
    let mut farm = Farm::available(&[0, 1, 1], &[0]);
    farm.set("budget", "all");
    farm.set("foreign-wait", "0");
    farm.machines = Machines::Wait;
    farm.ok(1, pause(Some("later")));
    farm.ok(2, pause(Some("later")));
    // Both have its file.
    for n in [1, 2] {
        file_at(&mut farm, n);
    }
    let id = farm.submit(0, job("farm", "bracket"));
    farm.pass(2_000);
    farm.cut(2, 0);
    farm.cut(2, 1);
    farm.pass(60_000);
    farm.ok(1, pause(None));
    farm.ok(2, pause(None));
    farm.pass(2 * MINUTE);
    assert_eq!(farm.starts.len(), 2, "one on each side");
    farm.begin(1, "p0");
    farm.begin(2, "p0");
    farm.heal(2, 0);
    farm.heal(2, 1);
    farm.pass(2_000);
    farm.finish(2, "p0");
    farm.settle();
    farm.kill(1);
    farm.settle();
    farm.ready(2);
    farm.pass(10 * HOUR);
    assert_eq!(farm.starts.len(), 3, "{}", farm.dump(id));
    assert_eq!(words(&farm, 0, id, 0), 1);
}

#[test]
fn a_job_that_is_to_be_stopped_on_a_host_that_never_comes_back_leaves_the_queue_when_its_print_is_given_up()
 {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.ok(
        0,
        Command::JobStop {
            job: id.to_string(),
        },
    );
    farm.pass(ABANDON - MINUTE);
    assert_ne!(farm.status(0, id), "cancelled");
    farm.pass(2 * MINUTE);
    assert_eq!(farm.status(0, id), "cancelled");
    assert_eq!(farm.starts.len(), 1);
}

/// The voters had nothing to wait for: whom they had let start was long at its end.
#[test]
fn a_print_without_the_voters_on_a_host_that_never_comes_back_is_not_shown_for_ever_when_the_one_with_them_failed()
 {
    let mut farm = Farm::available(&[1, 1], &[0]);
    farm.set("foreign-wait", "0");
    farm.set("retries", "0");
    farm.machines = Machines::Wait;
    for n in [0, 1] {
        farm.ok(n, pause(Some("later")));
        file_at(&mut farm, n);
    }
    let id = farm.submit(0, job("farm", "bracket"));
    farm.pass(2_000);
    farm.cut(0, 1);
    for n in [0, 1] {
        farm.ok(n, pause(None));
    }
    farm.pass(3 * MINUTE);
    assert_eq!(farm.starts.len(), 2, "one on each side");
    farm.begin(0, "p0");
    farm.begin(1, "p0");
    farm.fail(0, "p0", "the part came off");
    farm.settle();
    farm.heal(0, 1);
    farm.pass(2_000);
    farm.kill(1);
    farm.settle();
    farm.ready(0);
    assert_eq!(farm.status(0, id), "printing");
    farm.pass(10 * HOUR);
    assert_eq!(farm.status(0, id), "failed", "{}", farm.dump(id));
    assert_eq!(words(&farm, 0, id, 0), 1);
}
