//! Hosts whose disk knows less than they told others: restored from a backup, or copied while the other one lives.

use printmesh_node::{Command, Effect, Message, Resolve};

use crate::farm::{Farm, Machines, job};

type Backup = (
    std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
    std::collections::BTreeMap<[u8; 32], Vec<Vec<u8>>>,
);

fn backup(farm: &Farm, n: usize) -> Backup {
    (farm.hosts[n].keys.clone(), farm.hosts[n].logs.clone())
}

/// The machine goes down, and comes up with an older state of its disk.
fn restore(farm: &mut Farm, n: usize, (keys, logs): Backup) {
    farm.kill(n);
    farm.hosts[n].keys = keys;
    farm.hosts[n].logs = logs;
    farm.boot(n);
    farm.settle();
}

fn me(farm: &Farm, n: usize) -> &'static str {
    farm.node(n).voters_view(farm.queue(n, "farm")).me
}

fn told(farm: &Farm, n: usize, kind: &str) -> usize {
    let events = farm.hosts[n].events.iter();
    events.filter(|event| event.kind == kind).count()
}

#[test]
fn a_voter_that_was_restored_gives_no_copy_away_a_second_time() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set_voters(&[0, 1, 2]);
    farm.machines = Machines::Wait;
    farm.pass(60_000);
    let old = backup(&farm, 0);
    // `a` and `b` give the copy to `b`, and `c` hears nothing of it.
    farm.cut(0, 2);
    farm.cut(1, 2);
    let id = farm.submit(1, job("farm", "clip"));
    farm.pass(2_000);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(me(&farm, 0), "serves");
    restore(&mut farm, 0, old);
    assert_eq!(told(&farm, 0, "host.problem"), 1, "b has shown it");
    assert_eq!(me(&farm, 0), "forgot");
    // Now `c` asks `a` alone.
    farm.cut(0, 1);
    farm.heal(0, 2);
    farm.pass(30 * 60_000);
    assert_eq!(farm.starts.len(), 1, "{}", farm.dump(id));
    // When all are together again the voters are renewed, and it votes on.
    farm.heal(0, 1);
    farm.heal(1, 2);
    farm.pass(3 * 60_000);
    assert_eq!(me(&farm, 0), "serves");
    farm.check();
}

#[test]
fn a_host_that_was_restored_prints_nothing_until_somebody_has_looked() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set_voters(&[0, 1, 2]);
    farm.pass(60_000);
    let old = backup(&farm, 1);
    let first = farm.submit(0, job("farm", "clip"));
    farm.pass(60_000);
    assert_eq!(farm.status(0, first), "done");
    restore(&mut farm, 1, old);
    farm.kill(2);
    let second = farm.submit(0, job("farm", "cube"));
    farm.pass(10 * 60_000);
    assert_ne!(farm.status(0, second), "done", "{}", farm.dump(second));
    let printers = farm.snapshot(1, "farm").printers.values();
    let paused = printers.filter_map(|printer| printer.paused.clone());
    let why: Vec<String> = paused.collect();
    assert!(
        why.len() == 1 && why[0].contains("restored from a backup"),
        "{why:?}"
    );
    farm.boot(2);
    farm.ready(2);
    farm.pass(3 * 60_000);
    assert_eq!(farm.status(0, second), "done", "{}", farm.dump(second));
    farm.ok(
        1,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    farm.check();
}

#[test]
fn a_print_that_a_restored_host_had_begun_is_unknown_until_somebody_says_how_it_ended() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    farm.set_voters(&[0, 1, 2]);
    farm.machines = Machines::Wait;
    farm.pass(60_000);
    let old = backup(&farm, 1);
    let id = farm.submit(0, job("farm", "clip"));
    farm.pass(2_000);
    assert_eq!(farm.status(0, id), "printing");
    restore(&mut farm, 1, old);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "unknown", "{}", farm.dump(id));
    farm.ok(
        1,
        Command::JobResolve {
            copy: id.to_string(),
            resolve: Resolve::Done,
        },
    );
    farm.pass(1_000);
    assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn a_restart_is_not_taken_for_a_backup() {
    let mut farm = Farm::choosing(&[1, 1, 1]);
    farm.pass(60_000);
    for round in 0..4 {
        let id = farm.submit(0, job("farm", &format!("clip-{round}")));
        farm.pass(1_000);
        for n in 0..3 {
            farm.kill(n);
            farm.boot(n);
            farm.ready(n);
        }
        farm.pass(10 * 60_000);
        assert_eq!(farm.status(1, id), "done", "{}", farm.dump(id));
    }
    for n in 0..3 {
        assert_eq!(told(&farm, n, "host.problem"), 0);
        assert_eq!(me(&farm, n), "serves");
    }
    farm.check();
}

#[test]
fn a_lone_voter_that_was_restored_decides_nothing_until_the_queue_is_recovered() {
    let mut farm = Farm::shared(&[0, 1]);
    let old = backup(&farm, 0);
    let first = farm.submit(1, job("farm", "clip"));
    farm.pass(60_000);
    assert_eq!(farm.status(1, first), "done");
    restore(&mut farm, 0, old);
    let second = farm.submit(1, job("farm", "cube"));
    farm.pass(10 * 60_000);
    assert_ne!(farm.status(1, second), "done", "{}", farm.dump(second));
    assert_eq!(me(&farm, 0), "forgot");
    farm.ok(
        0,
        Command::QueueRecover {
            queue: "farm".into(),
            confirm: "farm".into(),
        },
    );
    farm.pass(60_000);
    assert_eq!(farm.status(1, second), "done", "{}", farm.dump(second));
    farm.check();
}

#[test]
fn of_two_machines_with_one_key_the_one_that_knows_less_stops() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set_voters(&[0, 1, 2]);
    farm.stop(0);
    let copied = backup(&farm, 0);
    farm.boot(0);
    farm.pass(60_000);
    assert_eq!(told(&farm, 0, "host.problem"), 0);
    // The copy wakes up on another machine. Nobody voted meanwhile: the others have met the first one, that is all.
    restore(&mut farm, 0, copied);
    assert_eq!(told(&farm, 0, "host.problem"), 1);
    assert!(told(&farm, 1, "peer.state") > 0);
    let forgetful = |event: &&printmesh_node::Event| event.state.as_deref() == Some("forgetful");
    assert!(farm.hosts[1].events.iter().any(|event| forgetful(&event)));
}

/// In a farm of a thousand hosts each start of one would else be a million words.
#[test]
fn a_host_that_starts_asks_each_member_what_it_said_and_not_all_of_them_again_with_each_answer() {
    const HOSTS: usize = 12;
    let mut farm = Farm::choosing(&[1; HOSTS]);
    farm.pass(60_000);
    // A voter, and one that is none.
    let voters = &farm.snapshot(0, "farm").voters.hosts;
    let votes = |n: &usize| voters.contains(&farm.hosts[*n].id);
    let (voter, other) = (
        (0..HOSTS).find(votes).expect("five vote"),
        (0..HOSTS).find(|n| !votes(n)).expect("seven do not"),
    );
    for n in [voter, other] {
        farm.kill(n);
        farm.settle();
        farm.hosts[n].effects.clear();
        farm.boot(n);
        farm.settle();
        let words = farm.hosts[n].effects.iter().filter(|effect| {
            let Effect::Send { bytes, .. } = effect else {
                return false;
            };
            matches!(Message::decode(bytes), Some(Message::Memory { .. }))
        });
        let words = words.count();
        assert!((HOSTS - 1..=3 * HOSTS).contains(&words), "{words}");
    }
    farm.check();
}

/// A job of two prints, of which the first is done; a backup of the printer's host from then; the second print has begun since.
fn in_the_second_print(by_itself: bool) -> (Farm, printmesh_queue::JobId, Backup) {
    let mut farm = Farm::shared(&[0, 1]);
    farm.kill(1);
    if by_itself {
        farm.alone
            .insert((1, "p0".to_owned()), crate::farm::Alone::Rests(None));
    }
    farm.boot(1);
    farm.settle();
    farm.ready(1);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        printmesh_node::NewJob {
            sets: vec![printmesh_node::NewSet::of(crate::farm::file("lid"), 2)],
            ..job("farm", "lids")
        },
    );
    farm.begin(1, "p0");
    farm.finish(1, "p0");
    farm.settle();
    let old = backup(&farm, 1);
    farm.ready(1);
    farm.settle();
    assert_eq!(farm.starts.len(), 2);
    farm.begin(1, "p0");
    farm.settle();
    (farm, id, old)
}

#[test]
fn a_printer_that_prints_on_while_its_host_is_restored_is_followed_and_prints_nothing_twice() {
    let (mut farm, id, old) = in_the_second_print(true);
    restore(&mut farm, 1, old);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "printing", "{}", farm.dump(id));
    farm.finish(1, "p0");
    farm.pass(60_000);
    farm.ready(1);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_print_that_a_restored_host_had_begun_itself_is_unknown_and_not_begun_again() {
    let (mut farm, id, old) = in_the_second_print(false);
    restore(&mut farm, 1, old);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "unknown", "{}", farm.dump(id));
    farm.ready(1);
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 2, "{}", farm.dump(id));
    farm.ok(
        1,
        Command::JobResolve {
            copy: id.to_string(),
            resolve: Resolve::Done,
        },
    );
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_print_that_a_host_had_begun_after_the_one_in_its_backup_is_settled_by_a_word() {
    for resolve in [Resolve::Done, Resolve::Failed] {
        let mut farm = Farm::shared(&[0, 1]);
        farm.machines = Machines::Wait;
        let id = farm.submit(
            0,
            printmesh_node::NewJob {
                sets: vec![printmesh_node::NewSet::of(crate::farm::file("lid"), 2)],
                ..job("farm", "lids")
            },
        );
        farm.begin(1, "p0");
        let old = backup(&farm, 1);
        // So much is said meanwhile that it counts as newer than what the host says when it is back.
        for n in 0..4 {
            farm.give_job(0, job("farm", &format!("later {n}")));
        }
        farm.settle();
        farm.finish(1, "p0");
        farm.settle();
        farm.ready(1);
        farm.settle();
        farm.begin(1, "p0");
        farm.settle();
        assert_eq!(farm.starts.len(), 2);
        restore(&mut farm, 1, old);
        farm.pass(60_000);
        assert_eq!(farm.status(0, id), "unknown", "{}", farm.dump(id));
        farm.ok(
            1,
            Command::JobResolve {
                copy: id.to_string(),
                resolve,
            },
        );
        farm.pass(60_000);
        assert_ne!(farm.status(0, id), "unknown", "{}", farm.dump(id));
        assert_eq!(farm.starts.len(), 2);
    }
}
