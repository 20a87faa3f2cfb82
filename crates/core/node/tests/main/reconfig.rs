//! Voters that change: by themselves, by a person's word, before a stop, and after a loss for good.

use std::collections::BTreeSet;

use printmesh_node::{Ask, Code, Command, Effect, Input, Message, Nack, NewJob, Problem, Value};
use printmesh_queue::{Ballot, CopyId, HostId, JobId, Role};

use crate::{
    farm::{Crash, Farm, Machines, job},
    speculation::{let_print, words},
};

/// Names of the voters, as a host's document has them.
pub(crate) fn voters(farm: &Farm, n: usize) -> String {
    let snapshot = farm.snapshot(n, "farm");
    let names = |host: &HostId| snapshot.host_name(*host);
    let mut names: Vec<String> = snapshot.voters.hosts.iter().map(names).collect();
    names.sort();
    names.concat()
}

fn set(farm: &mut Farm, n: usize, names: &str) -> Result<printmesh_node::Answer, Problem> {
    let hosts = names.chars().map(String::from).collect();
    let queue = "farm".into();
    farm.command(n, Command::VotersSet { queue, hosts })
}

pub(crate) fn give_set(farm: &mut Farm, n: usize, names: &str) -> u64 {
    let hosts = names.chars().map(String::from).collect();
    let queue = "farm".into();
    farm.give(n, Command::VotersSet { queue, hosts })
}

fn copies(name: &str, copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job("farm", name)
    }
}

/// What a host says about its own vote.
pub(crate) fn me(farm: &Farm, n: usize) -> &'static str {
    farm.node(n).voters_view(farm.queue(n, "farm")).me
}

/// Asks a voter whether `from` may start the job's only copy now, with a ballot above all others.
fn asks(farm: &mut Farm, voter: usize, from: usize, job: JobId, cfg: u32) -> Option<Nack> {
    let host = farm.hosts[from].id;
    let queue = farm.queue(voter, "farm");
    let ask = Ask {
        queue,
        cfg,
        units: vec![(CopyId { job, index: 0 }, 0)],
        ballot: Ballot {
            n: 1 << 30,
            host,
            printer: "p0".into(),
        },
        value: Value::Print {
            host,
            printer: "p0".into(),
            spec_hash: [0; 32],
        },
        told: None,
    };
    farm.hosts[voter].effects.clear();
    let bytes = Message::Prepare(ask).encode();
    farm.input(voter, Input::Message { from: host, bytes });
    farm.hosts[voter].effects.iter().find_map(|effect| {
        let Effect::Send { bytes, .. } = effect else {
            return None;
        };
        match Message::decode(bytes)? {
            Message::Refused { nack, .. } => Some(nack),
            _ => None,
        }
    })
}

#[test]
fn three_hosts_vote_as_soon_as_there_are_three_and_one_of_them_may_break() {
    let mut farm = Farm::choosing(&[1, 1]);
    farm.pass(60_000);
    assert_eq!(voters(&farm, 0), "a", "two hosts need one voter");
    let mut farm = Farm::choosing(&[1, 1, 1]);
    farm.pass(60_000);
    assert_eq!(voters(&farm, 1), "abc");
    farm.kill(0);
    let id = farm.submit(1, copies("bracket", 4));
    farm.pass(1_000);
    assert_eq!(farm.status(2, id), "done");
    farm.boot(0);
    farm.pass(1_000);
    assert_eq!((voters(&farm, 0).as_str(), me(&farm, 0)), ("abc", "serves"));
    farm.check();
}

#[test]
fn of_two_hosts_the_one_that_is_stopped_gives_its_vote_away_and_the_other_prints_on() {
    let mut farm = Farm::choosing(&[0, 1]);
    let first = farm.submit(0, copies("first", 1));
    assert_eq!(farm.status(1, first), "done");
    farm.stop(0);
    assert_eq!((voters(&farm, 1).as_str(), me(&farm, 1)), ("b", "serves"));
    let second = farm.submit(1, copies("second", 2));
    assert_eq!(farm.status(1, second), "done");
    farm.boot(0);
    farm.pass(3_600_000);
    assert_eq!(voters(&farm, 0), "b", "no change without a reason");
    assert_eq!(me(&farm, 0), "parked");
    farm.stop(1);
    assert_eq!((voters(&farm, 0).as_str(), me(&farm, 0)), ("a", "serves"));
    // Alone there is nobody to give it to.
    let before = farm.mono_ms;
    farm.stop(0);
    assert!(
        farm.mono_ms - before <= 3_500,
        "it is not noticed at once that b is gone"
    );
    farm.boot(0);
    assert_eq!(me(&farm, 0), "serves");
    farm.boot(1);
    farm.pass(1_000);
    let third = farm.submit(0, copies("third", 1));
    assert_eq!(farm.status(0, third), "done", "{}", farm.dump(third));
    assert_eq!(farm.starts.len(), 4);
    farm.check();
}

#[test]
fn a_voter_that_leaves_hands_its_vote_over_and_the_others_print_on() {
    for voters_of_it in ["a", "ab"] {
        let mut farm = Farm::choosing(&vec![1; voters_of_it.len() + 1]);
        farm.pass(60_000);
        let leave = || Command::QueueLeave {
            queue: "farm".into(),
        };
        farm.ok(0, leave());
        farm.pass(60_000);
        assert!(!voters(&farm, 1).contains('a'), "{}", voters(&farm, 1));
        let id = farm.submit(1, copies("bracket", 2));
        farm.pass(1_000);
        assert_eq!(farm.status(1, id), "done", "{}", farm.dump(id));
        farm.check();
    }
}

#[test]
fn who_leaves_with_the_only_key_of_a_queue_is_told_and_a_second_admin_is_one_more() {
    for admins in [1, 2] {
        let mut farm = Farm::new(&[0, 1]);
        let name = "farm".to_owned();
        farm.ok(0, Command::QueueCreate { name: name.clone() });
        let role = if admins == 2 {
            Role::Admin
        } else {
            Role::Operator
        };
        farm.join(1, role);
        farm.pass(20_000);
        let id = farm.submit(1, copies("bracket", 1));
        farm.pass(60_000);
        let queue = name;
        let left = farm.command(0, Command::QueueLeave { queue });
        let Ok(printmesh_node::Answer::Done { text, .. }) = left else {
            panic!("{left:?}");
        };
        assert_eq!(
            text.contains("No other host has its key"),
            admins == 1,
            "{text}"
        );
        assert_eq!(farm.status(1, id), "done");
    }
}

#[test]
fn a_voter_that_nobody_can_follow_stays_and_says_why() {
    let mut farm = Farm::choosing(&[1, 1]);
    let leave = || Command::QueueLeave {
        queue: "farm".into(),
    };
    farm.kill(1);
    farm.settle();
    assert_eq!(farm.refused(0, leave()).code, Code::QueueVoter);
    // The other one seems to be there, and dies in the middle.
    farm.boot(1);
    farm.pass(1_000);
    let asked = farm.give(0, leave());
    farm.kill(1);
    farm.pass(60_000);
    let answer = farm.hosts[0].replies.remove(&asked).expect("answered");
    assert_eq!(answer.expect_err("it is still there").code, Code::NoQuorum);
    assert_eq!((voters(&farm, 0).as_str(), me(&farm, 0)), ("a", "serves"));
    farm.boot(1);
    farm.pass(1_000);
    farm.ok(0, leave());
    farm.pass(1_000);
    assert_eq!(voters(&farm, 1), "b");
    farm.check();
}

#[test]
fn a_host_that_is_stopped_does_not_wait_for_voters_that_do_not_answer() {
    let mut farm = Farm::choosing(&[1, 1, 1]);
    farm.pass(60_000);
    farm.kill(1);
    farm.kill(2);
    farm.settle();
    let before = farm.mono_ms;
    farm.stop(0);
    assert_eq!(farm.mono_ms, before, "nobody to ask");
    farm.boot(0);
    farm.boot(1);
    farm.pass(1_000);
    // This one is there, as far as the network knows, and says nothing.
    let b = farm.hosts[1].id;
    farm.kill(1);
    farm.input(0, Input::ShuttingDown);
    assert!(farm.node(0).is_parking(), "b seems to be there");
    farm.pass(3_000);
    assert!(!farm.node(0).is_parking());
    farm.kill(0);
    for n in 0..3 {
        farm.boot(n);
    }
    farm.pass(60_000);
    let id = farm.submit(0, copies("bracket", 2));
    farm.pass(10_000);
    assert_eq!(farm.status(2, id), "done", "{}", farm.dump(id));
    assert!(farm.node(0).link(b).connected);
    farm.check();
}

#[test]
fn a_voter_that_is_away_for_long_is_replaced_and_a_short_absence_changes_nothing() {
    let mut farm = Farm::choosing(&[1, 1, 1, 1]);
    farm.pass(60_000);
    let before = voters(&farm, 0);
    assert_eq!(before.len(), 3);
    let gone = before.chars().last().expect("three") as usize - 'a' as usize;
    farm.kill(gone);
    farm.pass(5 * 60_000);
    assert_eq!(voters(&farm, 0), before);
    farm.boot(gone);
    farm.pass(60_000);
    farm.kill(gone);
    farm.pass(9 * 60_000);
    assert_eq!(voters(&farm, 0), before);
    farm.pass(2 * 60_000);
    let after = voters(&farm, 0);
    assert!(
        after.len() == 3 && !after.contains(char::from(b'a' + gone as u8)),
        "{after}"
    );
    farm.boot(gone);
    farm.pass(3_600_000);
    assert_eq!((voters(&farm, gone), me(&farm, gone)), (after, "parked"));
    farm.check();
}

/// One host does not reach whom another one has called, and the other way round.
#[test]
fn two_hosts_that_reach_different_ones_do_not_change_the_voters_all_day() {
    let mut farm = Farm::choosing(&[1, 1, 1, 1]);
    farm.pass(60_000);
    let now = voters(&farm, 0);
    let (voters, others): (Vec<usize>, Vec<usize>) =
        (0..4).partition(|n| now.contains(char::from(b'a' + *n as u8)));
    farm.cut(voters[0], voters[2]);
    farm.cut(voters[1], others[0]);
    let number = |farm: &Farm| farm.snapshot(voters[0], "farm").voters.cfg;
    let before = number(&farm);
    farm.pass(24 * 3_600_000);
    let changes = number(&farm) - before;
    assert!((1..=48).contains(&changes), "{changes} changes in a day");
    farm.heal_all();
    farm.pass(3_600_000);
    farm.check();
}

#[test]
fn a_farm_that_chooses_its_voters_sleeps_once_it_has() {
    let mut farm = Farm::choosing(&[1, 1, 1, 1]);
    farm.pass(60_000);
    let wakes = farm.wakes;
    farm.pass(24 * 3_600_000);
    assert_eq!(farm.wakes, wakes);
    farm.kill(3);
    farm.kill(2);
    farm.pass(3_600_000);
    let wakes = farm.wakes;
    farm.pass(24 * 3_600_000);
    assert!(farm.wakes <= wakes, "{}", farm.wakes - wakes);
    farm.check();
}

#[test]
fn a_person_says_who_votes_and_that_stays() {
    let mut farm = Farm::choosing(&[1, 1, 1, 1, 1]);
    farm.pass(60_000);
    set(&mut farm, 3, "bde").expect("an operator may");
    assert_eq!(voters(&farm, 0), "bde");
    let id = farm.submit(0, copies("bracket", 3));
    assert_eq!(farm.status(0, id), "done");
    farm.kill(1);
    farm.pass(3_600_000);
    assert_eq!(voters(&farm, 0), "bde");
    farm.boot(1);
    farm.stop(3);
    assert_eq!(voters(&farm, 0), "bde", "nor does a stop change it");
    farm.ok(
        0,
        Command::VotersAuto {
            queue: "farm".into(),
        },
    );
    farm.pass(3_600_000);
    let chosen = voters(&farm, 0);
    assert!(chosen.len() == 3 && !chosen.contains('d'), "{chosen}");
    for (names, code) in [
        ("ab", "voters.bad"),
        ("aab", "voters.bad"),
        ("", "voters.bad"),
        ("abx", "member.unknown"),
        ("abd", "claims.no-quorum"),
    ] {
        let problem = set(&mut farm, 0, names).expect_err(names);
        assert_eq!(problem.code.as_str(), code, "{names}");
    }
    farm.check();
}

#[test]
fn what_the_voters_decided_is_known_to_those_that_follow() {
    let mut farm = Farm::shared(&[0, 1, 0, 1]);
    farm.machines = Machines::Wait;
    farm.ok(
        3,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    let id = farm.submit(0, copies("bracket", 1));
    assert_eq!(farm.status(0, id), "printing");
    set(&mut farm, 0, "c").expect("changed");
    let cfg = farm.snapshot(2, "farm").voters.cfg;
    let b = farm.hosts[1].id;
    let held = asks(&mut farm, 2, 3, id, cfg);
    assert!(
        matches!(&held, Some(Nack::Accepted(Value::Print { host, .. })) if *host == b),
        "{held:?}"
    );
    // The one before says nothing any more, in either configuration.
    for cfg in [cfg - 1, cfg] {
        let stale = asks(&mut farm, 0, 3, id, cfg);
        assert!(matches!(stale, Some(Nack::StaleConfig { .. })), "{stale:?}");
    }
    farm.kill(0);
    farm.finish_all(1);
    farm.settle();
    assert_eq!(farm.status(3, id), "done");
    farm.check();
}

#[test]
fn many_decisions_are_handed_over_page_by_page() {
    let mut farm = Farm::shared(&[0, 1, 0, 0]);
    farm.ok(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    let id = farm.submit(0, copies("bracket", 1_700));
    farm.ok(
        0,
        Command::JobCancel {
            job: id.to_string(),
        },
    );
    set(&mut farm, 1, "bcd").expect("changed");
    let held = |farm: &Farm, n: usize| {
        let keys = farm.hosts[n].keys.keys();
        keys.filter(|key| key.starts_with(b"vote/")).count()
    };
    assert_eq!([1, 2, 3].map(|n| held(&farm, n)), [1_700; 3]);
    farm.check();
}

#[test]
fn of_two_who_set_the_voters_at_once_one_is_told_that_the_other_did() {
    let mut seen = BTreeSet::new();
    for seed in 0..20 {
        let mut farm = Farm::shared(&[1, 1, 1, 1, 1]);
        farm.set_voters(&[0, 1, 2]);
        let asked = [
            (0, "abd", give_set(&mut farm, 0, "abd")),
            (4, "bce", give_set(&mut farm, 4, "bce")),
        ];
        farm.settle_by(seed, 40 + seed as usize * 9);
        let id = farm.submit(3, copies("bracket", 3));
        farm.pass(60_000);
        let now = voters(&farm, 0);
        let mut done = 0;
        for (n, names, asked) in asked {
            match farm.hosts[n].replies.remove(&asked).expect("answered") {
                Ok(_) => {
                    done += 1;
                    assert!(seen.insert((names, now == names)) || now.len() == 3);
                }
                Err(problem) => assert_eq!(problem.code.as_str(), "voters.changed", "seed {seed}"),
            }
        }
        assert!(done >= 1, "seed {seed}");
        assert_eq!(farm.status(3, id), "done", "seed {seed}: {}", farm.dump(id));
        farm.check();
    }
    assert!(
        seen.contains(&("abd", true)) && seen.contains(&("bce", true)),
        "{seen:?}"
    );
}

/// Everything is up again, and given time.
fn recover(farm: &mut Farm) {
    for host in &mut farm.hosts {
        host.crash_at = None;
    }
    farm.heal_all();
    for n in 0..farm.hosts.len() {
        if !farm.up(n) {
            farm.boot(n);
        }
    }
    farm.machines = Machines::PrintAndClear;
    for _ in 0..2 {
        for n in 0..farm.hosts.len() {
            farm.finish_all(n);
            farm.ready(n);
        }
        farm.pass(100_000);
    }
}

/// The voters of the document serve, nobody else does, and they decide.
fn all_is_well(farm: &mut Farm, what: &str) {
    let now = voters(farm, 0);
    for n in 0..farm.hosts.len() {
        assert_eq!(voters(farm, n), now, "{what}");
        let votes = now.contains(farm.hosts[n].name.as_str());
        assert_eq!(
            me(farm, n) == "serves",
            votes,
            "{what}: host {n} is {}",
            me(farm, n)
        );
    }
    let id = farm.submit(0, copies("last", 3));
    farm.pass(100_000);
    assert_eq!(farm.status(0, id), "done", "{what}: {}", farm.dump(id));
    farm.check();
}

#[test]
fn a_power_cut_at_any_step_of_a_change_of_the_voters_neither_stops_the_farm_nor_repeats_a_print() {
    let mut changed = [0, 0];
    for (before, after, asker) in [(&[0][..], "bcd", 0), (&[0, 1, 2][..], "bcd", 3)] {
        // After the effects of a step is before the writes of the next one.
        for crash in [Crash::BeforeWrites, Crash::AfterWrites] {
            // One that leaves, one that stays or comes, and who asks.
            for victim in [0, 1, 3] {
                for at in 1.. {
                    let what = format!("{before:?} to {after}, {crash:?} of {victim} at {at}");
                    let mut farm = Farm::shared(&[1, 1, 1, 1]);
                    farm.set_voters(before);
                    farm.machines = Machines::PrintAndClear;
                    let id = farm.submit(
                        3,
                        NewJob {
                            draft: true,
                            ..copies("kit", 2)
                        },
                    );
                    farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                    farm.give(
                        3,
                        Command::JobRelease {
                            job: id.to_string(),
                        },
                    );
                    let asked = give_set(&mut farm, asker, after);
                    farm.settle();
                    farm.pass(5_000);
                    let over = farm.hosts[victim].crash_at.is_some();
                    if farm.hosts[asker]
                        .replies
                        .remove(&asked)
                        .is_some_and(|r| r.is_ok())
                    {
                        changed[0] += 1;
                    }
                    recover(&mut farm);
                    all_is_well(&mut farm, &what);
                    changed[1] += 1;
                    let status = farm.status(0, id);
                    assert!(
                        ["done", "unknown", "draft"].contains(&status),
                        "{what}: {status}{}",
                        farm.dump(id)
                    );
                    if over {
                        break;
                    }
                }
            }
        }
    }
    assert!(changed[0] > 50 && changed[1] > 300, "{changed:?}");
}

#[test]
fn whatever_order_things_happen_in_changing_voters_never_start_a_copy_twice() {
    for seed in 0..50_u64 {
        let mut farm = Farm::shared(&[1, 1, 1, 1, 1]);
        farm.machines = Machines::PrintAndClear;
        let what = format!("seed {seed}");
        let id = farm.submit(
            4,
            NewJob {
                draft: true,
                ..copies("kit", 12)
            },
        );
        farm.give(
            4,
            Command::JobRelease {
                job: id.to_string(),
            },
        );
        let lists = ["abc", "b", "cde", "abcde", "e", "ade"];
        for step in 0..6 {
            farm.settle_by(seed * 7 + step, 12 + (seed as usize * 5) % 40);
            let asker = ((seed + step) % 5) as usize;
            if farm.up(asker) {
                give_set(&mut farm, asker, lists[((seed + 2 * step) % 6) as usize]);
            }
            let victim = ((seed / 5 + step) % 5) as usize;
            match (seed + step) % 4 {
                0 if farm.up(victim) => farm.kill(victim),
                1 if !farm.up(victim) => farm.boot(victim),
                2 => farm.cut_now(victim, asker),
                3 => farm.heal_all(),
                _ => farm.pass(700),
            }
            farm.check();
        }
        recover(&mut farm);
        all_is_well(&mut farm, &what);
        let status = farm.status(0, id);
        assert!(
            ["done", "unknown"].contains(&status),
            "{what}: {status}{}",
            farm.dump(id)
        );
    }
}

/// `a` founded the queue and is its voter; `b` is an admin, `c` an operator.
fn with_admins() -> Farm {
    let mut farm = Farm::new(&[1, 1, 0]);
    let name = "farm".into();
    farm.ok(0, Command::QueueCreate { name });
    farm.join(1, Role::Admin);
    farm.join(2, Role::Operator);
    farm.set_voters(&[0]);
    farm
}

fn recovery(farm: &mut Farm, n: usize, confirm: &str) -> Result<String, Problem> {
    let (queue, confirm) = ("farm".into(), confirm.into());
    match farm.command(n, Command::QueueRecover { queue, confirm })? {
        printmesh_node::Answer::Done { text, .. } => Ok(text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_queue_whose_voter_is_gone_for_good_is_recovered_by_an_admin_who_confirms_it() {
    let mut farm = with_admins();
    farm.machines = Machines::Wait;
    farm.ok(
        1,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: String::new(),
        },
    );
    let id = farm.submit(2, copies("bracket", 1));
    // It may be the other printer's by rank, which is paused.
    farm.pass(10_000);
    assert_eq!(farm.status(2, id), "printing");
    for n in 1..3 {
        let problem = recovery(&mut farm, n, "farm").expect_err("the voter answers");
        assert!(["voters.answer", "member.role"].contains(&problem.code.as_str()));
    }
    farm.kill(0);
    farm.settle();
    farm.ok(
        1,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    let problem = recovery(&mut farm, 2, "farm").expect_err("no admin");
    assert_eq!(problem.code.as_str(), "member.role");
    let problem = recovery(&mut farm, 1, "yes").expect_err("not confirmed");
    assert_eq!(problem.code.as_str(), "confirm.other-name");
    let text = recovery(&mut farm, 1, "farm").expect("recovered");
    assert!(
        text.contains("1 print of a host that is away is given up"),
        "{text}"
    );
    assert!(
        farm.snapshot(2, "farm")
            .is_lost(CopyId { job: id, index: 0 }, 0)
    );
    assert_eq!((voters(&farm, 2).as_str(), me(&farm, 1)), ("b", "serves"));
    // The copy is made again: one more than was asked for, should the other one turn up.
    farm.pass(10_000);
    assert!(farm.prints(1, "p0"), "{}", farm.dump(id));
    let told = farm.hosts[1]
        .events
        .iter()
        .filter(|event| event.kind == "queue.recovered");
    assert_eq!(told.count(), 1);
    // The old voter decides nothing any more, whoever asks it.
    farm.boot(0);
    farm.pass(10_000);
    assert_eq!((voters(&farm, 0).as_str(), me(&farm, 0)), ("b", "parked"));
    let cfg = farm.snapshot(0, "farm").voters.cfg;
    for cfg in [1, cfg] {
        let stale = asks(&mut farm, 0, 2, id, cfg);
        assert!(matches!(stale, Some(Nack::StaleConfig { .. })), "{stale:?}");
    }
    // And may vote again, by the way that keeps what is decided.
    set(&mut farm, 2, "abc").expect("changed");
    assert_eq!((voters(&farm, 1).as_str(), me(&farm, 0)), ("abc", "serves"));
}

#[test]
fn a_queue_whose_next_voter_dies_as_the_others_have_given_way_to_it_is_recovered() {
    let mut farm = with_admins();
    farm.join(2, Role::Admin);
    farm.machines = Machines::Wait;
    set(&mut farm, 0, "abc").expect("changed");
    give_set(&mut farm, 0, "b");
    while me(&farm, 0) == "serves" || me(&farm, 2) == "serves" {
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.kill(1);
    farm.pass(100_000);
    assert_eq!(voters(&farm, 0), "abc", "the document does not know it");
    let id = farm.submit(2, copies("bracket", 1));
    farm.pass(100_000);
    assert!(farm.starts.is_empty(), "nobody decides");
    recovery(&mut farm, 0, "farm").expect("the one that would decide is gone");
    farm.pass(100_000);
    assert!(farm.prints(0, "p0"), "{}", farm.dump(id));
    farm.finish_all(0);
    farm.settle();
    assert_eq!(farm.status(2, id), "done");
}

/// Its voter can be reached, and says that others decide; of whom no document tells.
#[test]
fn an_admin_that_is_no_voter_recovers_a_queue_whose_voter_has_given_way_to_a_host_that_died() {
    let mut farm = Farm::new(&[0, 0, 1]);
    let name = "farm".to_owned();
    farm.ok(0, Command::QueueCreate { name: name.clone() });
    for n in [1, 2] {
        farm.join(n, Role::Admin);
    }
    farm.set_voters(&[0]);
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    give_set(&mut farm, 0, "b");
    while me(&farm, 0) == "serves" {
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.kill(1);
    farm.pass(100_000);
    assert_eq!(voters(&farm, 2), "a", "the document does not know it");
    let id = farm.submit(2, copies("bracket", 1));
    let_print(&mut farm, true);
    farm.pass(100_000);
    assert!(farm.starts.is_empty(), "nobody decides");
    let seen = farm.node(2).voters_view(farm.queue(2, "farm"));
    let of_a = (seen.hosts[0].reachable, seen.hosts[0].decides);
    assert_eq!((seen.answer, of_a), (false, (true, false)));
    let why = words(&farm, 2, id);
    assert!(
        why[0].contains("a, which answers and decides nothing now"),
        "{why:?}"
    );
    recovery(&mut farm, 2, &name).expect("who decides does so no more");
    farm.pass(100_000);
    assert_eq!(farm.starts.len(), 1, "{}", farm.dump(id));
    assert_eq!(voters(&farm, 0), "c");
}

#[test]
fn two_admins_that_recover_a_queue_apart_end_with_one_voter_and_every_print_is_accounted_for() {
    for (wanted, later) in [(1, false), (3, false), (3, true)] {
        let mut farm = Farm::new(&[0, 1, 1, 1]);
        let name = "farm".into();
        farm.ok(0, Command::QueueCreate { name });
        for n in 1..4 {
            farm.join(n, Role::Admin);
        }
        farm.set_voters(&[0]);
        farm.machines = Machines::Wait;
        // Nobody's printer takes anything before the voter is gone.
        farm.kill(0);
        farm.cut_now(1, 2);
        farm.cut_now(1, 3);
        farm.settle();
        let id = farm.submit(1, copies("bracket", wanted));
        farm.heal_all();
        farm.settle();
        farm.cut_now(1, 2);
        farm.cut_now(1, 3);
        farm.settle();
        recovery(&mut farm, 1, "farm").expect("one side");
        recovery(&mut farm, 2, "farm").expect("the other side");
        if later {
            // One side goes on to other voters, by the way that keeps what is decided.
            set(&mut farm, 2, "cd").ok();
        }
        farm.pass(10_000);
        assert!(farm.prints(1, "p0"), "{}", farm.dump(id));
        farm.heal_all();
        farm.boot(0);
        farm.pass(60_000);
        // Both sides have one idea of who decides, and who is not meant decides nothing.
        let agreed = voters(&farm, 0);
        for n in 1..4 {
            assert_eq!(voters(&farm, n), agreed, "{wanted} {later}");
        }
        let serving: String = (0..4)
            .filter(|n| me(&farm, *n) == "serves")
            .map(|n| farm.hosts[n].name.clone())
            .collect();
        assert_eq!(serving, agreed, "{wanted} {later}");
        // Everything that was begun ends, and nothing is made that was not wanted but for what the other side had begun.
        for _ in 0..4 {
            (1..4).for_each(|n| farm.finish_all(n));
            (1..4).for_each(|n| farm.ready(n));
            farm.pass(100_000);
        }
        assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
        let most = wanted as usize + 1;
        assert!(farm.starts.len() <= most, "{}", farm.starts.len());
        set(&mut farm, 3, "bcd").expect("they can be changed");
        farm.pass(10_000);
        assert_eq!(voters(&farm, 0), "bcd");
    }
}

#[test]
fn a_print_of_a_host_that_is_there_goes_on_over_a_recovery() {
    let mut farm = with_admins();
    farm.machines = Machines::Wait;
    farm.ok(
        0,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: String::new(),
        },
    );
    let id = farm.submit(2, copies("bracket", 1));
    farm.pass(10_000);
    assert!(farm.prints(1, "p0"));
    farm.kill(0);
    farm.settle();
    let text = recovery(&mut farm, 1, "farm").expect("recovered");
    assert!(text.contains("no print was under way elsewhere"), "{text}");
    let cfg = farm.snapshot(1, "farm").voters.cfg;
    let held = asks(&mut farm, 1, 2, id, cfg);
    assert!(
        matches!(held, Some(Nack::NotAllowed | Nack::Accepted(_))),
        "{held:?}"
    );
    farm.finish_all(1);
    farm.settle();
    assert_eq!((farm.status(2, id), farm.starts.len()), ("done", 1));
    farm.check();
}
