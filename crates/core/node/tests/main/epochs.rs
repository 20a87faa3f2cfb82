//! A queue goes from one epoch to the next: nobody notices but who was put out.

use printmesh_node::{Answer, Command, NewJob};
use printmesh_queue::{JobId, Role};

use crate::farm::{Crash, Farm, Machines, job};

fn rotate(remove: &[&str]) -> Command {
    Command::QueueRotateKey {
        queue: "farm".into(),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn remove(member: &str) -> Command {
    Command::MemberRemove {
        queue: "farm".into(),
        member: member.into(),
    }
}

fn admin(farm: &mut Farm, member: &str) {
    let role = Command::MemberRole {
        queue: "farm".into(),
        member: member.into(),
        role: Role::Admin,
    };
    farm.ok(0, role);
}

fn key_ticket(farm: &mut Farm, n: usize) -> printmesh_node::Ticket {
    let share = Command::QueueShare {
        queue: "farm".into(),
        role: Role::Admin,
        expires_ms: None,
        uses: 1,
        with_key: true,
    };
    let Answer::Ticket(parts) = farm.ok(n, share) else {
        panic!("a ticket")
    };
    farm.as_ticket(n, parts)
}

fn join(ticket: printmesh_node::Ticket) -> Command {
    Command::QueueJoin {
        ticket,
        as_name: None,
        wan: false,
    }
}

fn epoch(farm: &Farm, n: usize) -> u64 {
    let queue = farm.queue(n, "farm");
    farm.node(n).queue_view(queue).epoch
}

fn entries(farm: &Farm, n: usize) -> usize {
    farm.hosts[n].logs[&farm.queue(n, "farm").0].len()
}

/// All of these hosts are in the same epoch and read the same.
fn agree(farm: &Farm, hosts: &[usize], number: u64) {
    for n in hosts {
        assert_eq!(epoch(farm, *n), number, "host {n}");
        let queue = farm.queue(*n, "farm");
        assert!(!farm.node(*n).is_carrying(queue), "host {n}");
        let first = farm.node(hosts[0]).shared_view(queue);
        assert_eq!(farm.node(*n).shared_view(queue), first, "host {n}");
        let log = |n: usize| {
            let mut log = farm.hosts[n].logs[&queue.0].clone();
            log.sort();
            log
        };
        assert_eq!(log(*n), log(hosts[0]), "host {n}");
    }
}

#[test]
fn removing_a_member_gives_the_queue_another_key_and_the_others_follow_by_themselves() {
    let mut farm = Farm::shared(&[0, 1, 1, 0]);
    let id = farm.submit(1, job("farm", "bracket"));
    farm.ready(2);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "done");
    let before = entries(&farm, 3);
    farm.ok(0, remove("d"));
    farm.pass(10_000);
    agree(&farm, &[0, 1, 2], 1);
    // Nothing of it came to who was put out but the word that it is.
    assert_eq!(epoch(&farm, 3), 0);
    assert_eq!(entries(&farm, 3), before + 1);
    let secret = farm.submit(0, job("farm", "secret"));
    farm.pass(120_000);
    farm.kill(3);
    farm.boot(3);
    farm.pass(120_000);
    assert_eq!(entries(&farm, 3), before + 1);
    // Everything goes on, what was over is still listed, also after a restart.
    assert_eq!(farm.status(1, secret), "done");
    for n in [0, 1, 2] {
        farm.stop(n);
        farm.boot(n);
        assert_eq!(farm.status(n, id), "done");
        assert_eq!(farm.node(n).history().len(), 2, "host {n}");
    }
    farm.pass(10_000);
    agree(&farm, &[0, 1, 2], 1);
    farm.check();
}

#[test]
fn a_print_and_a_claim_and_a_cancel_under_way_do_not_notice() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let printing = farm.submit(0, job("farm", "printing"));
    farm.pass(5_000);
    let busy = if farm.prints(1, "p0") { 1 } else { 2 };
    let claimed = farm.submit(0, job("farm", "claimed"));
    let cancelled = farm.submit(0, job("farm", "cancelled"));
    // Not a moment passes between these.
    farm.give(
        0,
        Command::JobCancel {
            job: cancelled.to_string(),
        },
    );
    farm.give(0, rotate(&[]));
    farm.settle();
    farm.pass(5_000);
    farm.finish(busy, "p0");
    farm.pass(5_000);
    farm.ok(0, rotate(&[]));
    farm.machines = Machines::PrintAndClear;
    for _ in 0..3 {
        for n in [1, 2] {
            farm.finish_all(n);
            farm.ready(n);
        }
        farm.pass(60_000);
    }
    for n in 0..3 {
        assert_eq!(farm.status(n, printing), "done", "host {n}");
        assert_eq!(farm.status(n, claimed), "done", "host {n}");
        assert_eq!(farm.status(n, cancelled), "cancelled", "host {n}");
    }
    assert_eq!(farm.starts.len(), 2);
    agree(&farm, &[0, 1, 2], 2);
    farm.check();
}

#[test]
fn a_member_that_was_away_for_several_epochs_comes_back_with_what_it_has_to_say() {
    let mut farm = Farm::available(&[0, 1, 1], &[0]);
    farm.cut(0, 2);
    farm.cut(1, 2);
    let late = farm.submit(2, job("farm", "late"));
    farm.pass(120_000);
    // It printed that alone; and this is one that it heard of before.
    assert_eq!(farm.status(2, late), "done");
    for _ in 0..4 {
        farm.ok(0, rotate(&[]));
        let id = farm.submit(0, job("farm", "meanwhile"));
        farm.pass(120_000);
        assert_eq!(farm.status(1, id), "done");
    }
    farm.kill(2);
    farm.heal_all();
    farm.boot(2);
    farm.pass(120_000);
    agree(&farm, &[0, 1, 2], 4);
    for n in 0..3 {
        assert_eq!(farm.status(n, late), "done", "host {n}");
        let (_, job) = farm.job(n, late);
        assert_eq!(job.submitter, farm.hosts[2].id);
    }
    assert_eq!(farm.starts.len(), 5);
    farm.check();
}

#[test]
fn two_admins_that_rotate_at_once_end_in_one_epoch_and_both_removals_hold() {
    for seed in 0..4 {
        let mut farm = Farm::shared(&[0, 0, 0, 0, 0]);
        for _ in 0..seed {
            farm.ok(0, rotate(&[]));
        }
        admin(&mut farm, "b");
        farm.pass(10_000);
        for (a, b) in [(0, 1), (0, 2), (3, 1), (3, 2), (4, 1), (0, 4), (4, 2)] {
            farm.cut(a, b);
        }
        let (with_a, with_b) = (
            farm.submit(3, job("farm", "a")),
            farm.submit(2, job("farm", "b")),
        );
        farm.ok(0, rotate(&[]));
        // e is on nobody's side.
        farm.ok(1, remove("e"));
        let later = farm.submit(2, job("farm", "later"));
        farm.pass(30_000);
        farm.heal_all();
        farm.pass(120_000);
        let number = epoch(&farm, 0);
        agree(&farm, &[0, 1, 2, 3], number);
        for n in 0..4 {
            let snapshot = farm.snapshot(n, "farm");
            for id in [with_a, with_b, later] {
                assert!(snapshot.jobs.contains_key(&id), "host {n}");
            }
            assert!(snapshot.members[&farm.hosts[4].id].is_removed(), "host {n}");
        }
        // Both have the key that counts.
        for n in [0, 1] {
            farm.ok(n, rotate(&[]));
            farm.pass(10_000);
        }
        agree(&farm, &[0, 1, 2, 3], number + 2);
        farm.check();
    }
}

fn refusals(farm: &Farm, n: usize, code: &str) -> usize {
    let events = farm.hosts[n].events.iter();
    let of_it = |event: &&printmesh_node::Event| {
        event.kind == "refused" && event.state.as_deref() == Some(code)
    };
    events.filter(of_it).count()
}

#[test]
fn two_admins_that_remove_each_other_part_the_others_until_a_third_one_puts_both_out() {
    let mut farm = Farm::shared(&[0, 0, 1, 1, 0]);
    admin(&mut farm, "b");
    admin(&mut farm, "c");
    farm.pass(5_000);
    farm.set_voters(&[2, 3, 4]);
    let before = farm.submit(3, job("farm", "before"));
    farm.pass(60_000);
    for (one, other) in [(0, 1), (0, 3), (2, 1), (2, 3), (4, 1), (4, 3)] {
        farm.cut(one, other);
    }
    farm.ok(0, remove("b"));
    farm.ok(1, remove("a"));
    let (here, there) = (
        farm.submit(2, job("farm", "here")),
        farm.submit(3, job("farm", "there")),
    );
    farm.pass(120_000);
    farm.heal_all();
    farm.pass(120_000);
    // Each of the others stays where it is, and says so.
    let is_out = |farm: &Farm, n: usize, member: usize| {
        farm.snapshot(n, "farm").members[&farm.hosts[member].id].is_removed()
    };
    for n in [2, 3, 4] {
        let with_a = n != 3;
        assert_eq!(
            (is_out(&farm, n, 0), is_out(&farm, n, 1)),
            (!with_a, with_a)
        );
        assert!(refusals(&farm, n, "epoch-split") > 0, "host {n}");
        assert_eq!(farm.status(n, before), "done", "host {n}");
    }
    // The side that has the voters goes on, the other one starts nothing.
    assert_eq!(farm.status(2, here), "done");
    assert_eq!(farm.status(3, there), "queued");
    assert_eq!(farm.starts.len(), 2);

    farm.ok(2, rotate(&["a"]));
    farm.pass(120_000);
    agree(&farm, &[2, 3, 4], 2);
    for n in [2, 3, 4] {
        assert!(is_out(&farm, n, 0) && is_out(&farm, n, 1), "host {n}");
        for id in [before, there] {
            assert_eq!(farm.status(n, id), "done", "host {n}");
        }
    }
    // It was over before d came.
    assert_eq!(farm.status(4, here), "done");
    // Whoever was wronged is let in again by a person that knows.
    let back = Command::MemberRole {
        queue: "farm".into(),
        member: "a".into(),
        role: Role::Admin,
    };
    farm.ok(2, back);
    assert!(!is_out(&farm, 3, 0));
    assert_eq!(farm.starts.len(), 3, "nothing was printed twice");
    farm.check();
}

#[test]
fn the_old_key_lets_nobody_in_and_tickets_of_the_queue_still_do() {
    let mut farm = Farm::new(&[0, 0, 0, 0, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Operator);
    admin(&mut farm, "b");
    farm.pass(5_000);
    let (old_key, invited) = (
        key_ticket(&mut farm, 0),
        farm.ticket(0, "farm", Role::Printer),
    );
    let by_b = farm.ticket(1, "farm", Role::Printer);
    farm.ok(0, remove("b"));
    farm.pass(5_000);
    let refused = farm.refused(2, join(old_key));
    assert_eq!(refused.code.as_str(), "ticket.old-key");
    // What the removed one gave out is worth nothing; what the others did is.
    let of_a = printmesh_node::Ticket {
        host: farm.hosts[0].id,
        ..by_b
    };
    assert_eq!(farm.refused(2, join(of_a)).code.as_str(), "ticket.old-key");
    farm.ok(2, join(invited));
    let new_key = key_ticket(&mut farm, 0);
    farm.ok(3, join(new_key));
    farm.pass(10_000);
    agree(&farm, &[0, 2, 3], 1);
    assert!(farm.snapshot(0, "farm").members[&farm.hosts[3].id].may(Role::Admin));
    // And who came with it may let others in, and end the epoch.
    let ticket = farm.ticket(3, "farm", Role::Submitter);
    farm.ok(4, join(ticket));
    farm.ok(3, rotate(&["c"]));
    farm.pass(10_000);
    agree(&farm, &[0, 3, 4], 2);
    assert_eq!(epoch(&farm, 2), 1);
}

#[test]
fn who_takes_an_admins_role_away_takes_the_key_too() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    admin(&mut farm, "b");
    farm.pass(5_000);
    let role = Command::MemberRole {
        queue: "farm".into(),
        member: "b".into(),
        role: Role::Operator,
    };
    farm.ok(0, role);
    farm.pass(5_000);
    agree(&farm, &[0, 1, 2], 1);
    assert_eq!(farm.refused(1, rotate(&[])).code.as_str(), "member.no-key");
    farm.ok(0, rotate(&[]));
}

#[test]
fn a_long_epoch_ends_by_itself_and_the_disk_has_less_to_keep() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    admin(&mut farm, "c");
    farm.pass(5_000);
    let mut ids: Vec<JobId> = Vec::new();
    for n in 0..6 {
        let name = format!("job {n}");
        ids.push(farm.submit(0, job("farm", &name)));
        farm.pass(60_000);
    }
    let long = entries(&farm, 1);
    for n in [0, 1, 2] {
        let node = farm.hosts[n].node.as_mut().expect("it runs");
        node.end_epochs_after(long - 5);
    }
    ids.push(farm.submit(0, job("farm", "one more")));
    farm.pass(300_000);
    agree(&farm, &[0, 1, 2], 1);
    assert!(
        entries(&farm, 1) < long / 2,
        "{} of {long}",
        entries(&farm, 1)
    );
    for id in &ids {
        assert_eq!(farm.status(1, *id), "done");
    }
    // Its key is the same: a ticket with it is still good.
    let queue = farm.queue(0, "farm");
    assert_eq!(key_ticket(&mut farm, 0).queue, queue.0);
    assert_eq!(farm.starts.len(), 7);
    farm.check();
}

/// Jobs that are made, until the log of a host is so long; from now on an epoch ends after that.
fn long_epoch(farm: &mut Farm, hosts: &[usize]) -> usize {
    for n in 0..4 {
        farm.submit(0, job("farm", &format!("job {n}")));
        farm.pass(60_000);
    }
    let long = entries(farm, 0);
    for n in hosts {
        let node = farm.hosts[*n].node.as_mut().expect("it runs");
        node.end_epochs_after(long);
    }
    long
}

#[test]
fn when_the_first_admin_is_away_the_next_one_ends_the_epoch_a_minute_later() {
    let mut farm = Farm::shared(&[1, 1, 1]);
    admin(&mut farm, "c");
    farm.pass(5_000);
    let long = long_epoch(&mut farm, &[0, 1, 2]);
    let (first, next) = match farm.hosts[0].id < farm.hosts[2].id {
        true => (0, 2),
        false => (2, 0),
    };
    farm.kill(first);
    while entries(&farm, next) <= long {
        farm.submit(next, job("farm", "one more"));
        farm.pass(1_000);
    }
    farm.pass(40_000);
    assert_eq!(
        epoch(&farm, next),
        0,
        "the first one may be back in a moment"
    );
    farm.pass(60_000);
    assert_eq!(epoch(&farm, next), 1);
    farm.boot(first);
    farm.pass(120_000);
    agree(&farm, &[0, 1, 2], 1);
    farm.check();
}

#[test]
fn while_most_hosts_are_away_an_epoch_goes_on_until_it_is_twice_as_long() {
    let mut farm = Farm::shared(&[1, 1, 0, 0, 0]);
    farm.pass(5_000);
    for away in [2, 3, 4] {
        farm.kill(away);
    }
    let long = long_epoch(&mut farm, &[0]);
    let mut goes_on = false;
    while epoch(&farm, 0) == 0 {
        assert!(entries(&farm, 0) < 3 * long, "it never ends");
        goes_on |= entries(&farm, 0) > long + long / 2;
        farm.submit(0, job("farm", "one more"));
        farm.pass(60_000);
    }
    assert!(goes_on, "two of five do not hurry");
    for away in [2, 3, 4] {
        farm.boot(away);
    }
    farm.pass(120_000);
    agree(&farm, &[0, 1, 2, 3, 4], 1);
    farm.check();
}

#[test]
fn a_power_cut_at_any_step_on_the_way_to_another_epoch_loses_nothing() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in 0..3 {
            for at in 1.. {
                let mut farm = Farm::shared(&[0, 1, 0]);
                farm.machines = Machines::Wait;
                let printing = farm.submit(2, job("farm", "printing"));
                farm.pass(5_000);
                farm.cut(1, 2);
                farm.cut(0, 2);
                let late = farm.submit(
                    2,
                    NewJob {
                        copies: 2,
                        ..job("farm", "late")
                    },
                );
                let id = late.to_string();
                farm.ok(2, Command::JobHold { job: id });
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                farm.give(0, rotate(&[]));
                farm.settle();
                farm.heal_all();
                farm.pass(20_000);
                let over = farm.hosts[victim].crash_at.take().is_some();
                for n in 0..3 {
                    if !farm.up(n) {
                        farm.boot(n);
                    }
                }
                farm.heal_all();
                farm.pass(30_000);
                if epoch(&farm, 0) == 0 {
                    // It died before it was told.
                    farm.ok(0, rotate(&[]));
                    farm.pass(30_000);
                }
                agree(&farm, &[0, 1, 2], 1);
                for n in 0..3 {
                    assert!(farm.snapshot(n, "farm").jobs[&late].held, "host {n}");
                    let status = farm.status(n, printing);
                    assert!(["printing", "unknown"].contains(&status), "{status}");
                }
                farm.check();
                if over {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_member_that_leads_others_astray_is_named_and_not_followed() {
    use printmesh_node::Message;
    let mut farm = Farm::shared(&[0, 0, 0]);
    let queue = farm.queue(0, "farm");
    for records in [vec![vec![1; 100]], vec![Vec::new(); 65]] {
        let bytes = Message::Epoch { queue, records }.encode();
        let from = farm.hosts[1].id;
        farm.input(0, printmesh_node::Input::Message { from, bytes });
        farm.settle();
        let refused = farm.hosts[0].events.iter().any(|event| {
            event.kind == "refused" && event.state.as_deref() == Some("epoch-malformed")
        });
        assert!(refused);
    }
    assert_eq!(epoch(&farm, 0), 0);
}
