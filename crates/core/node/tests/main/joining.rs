//! Queues: names, tickets, asking on the LAN, leaving and coming back.

use printmesh_node::{Answer, Command, Ticket};
use printmesh_queue::Role;

use crate::farm::{Farm, file, job};

fn create(name: &str) -> Command {
    Command::QueueCreate { name: name.into() }
}

fn queue_names(farm: &Farm, n: usize) -> Vec<String> {
    farm.node(n)
        .queues()
        .into_iter()
        .map(|(name, _)| name)
        .collect()
}

fn join(ticket: Ticket) -> Command {
    Command::QueueJoin {
        ticket,
        as_name: None,
        wan: false,
    }
}

fn share(expires_ms: Option<u64>, uses: u32, with_key: bool) -> Command {
    Command::QueueShare {
        queue: "farm".into(),
        role: Role::Operator,
        expires_ms,
        uses,
        with_key,
    }
}

fn shared_ticket(farm: &mut Farm, command: Command) -> Ticket {
    let Answer::Ticket(parts) = farm.ok(0, command) else {
        panic!("a ticket")
    };
    farm.as_ticket(0, parts)
}

fn code(farm: &mut Farm, n: usize, command: Command) -> &'static str {
    farm.refused(n, command).code.as_str()
}

#[test]
fn reserved_and_taken_names_are_refused() {
    let mut farm = Farm::new(&[0]);
    for name in ["local", "archive", "Local", "ARCHIVE"] {
        assert_eq!(code(&mut farm, 0, create(name)), "name.reserved");
    }
    farm.ok(0, create("farm"));
    assert_eq!(code(&mut farm, 0, create("farm")), "name.taken");
    for name in ["", " farm", "fa/rm", "fa\nrm"] {
        assert_eq!(code(&mut farm, 0, create(name)), "name.bad");
    }
    assert_eq!(
        code(
            &mut farm,
            0,
            Command::QueueRename {
                queue: "local".into(),
                name: "x".into()
            }
        ),
        "queue.fixed"
    );
    assert_eq!(
        code(
            &mut farm,
            0,
            Command::QueueRename {
                queue: "farm".into(),
                name: "archive".into()
            }
        ),
        "name.reserved"
    );
    assert_eq!(
        code(
            &mut farm,
            0,
            Command::QueueLeave {
                queue: "local".into()
            }
        ),
        "queue.fixed"
    );
}

#[test]
fn renaming_a_queue_keeps_its_jobs_on_every_host() {
    let mut farm = Farm::shared(&[0, 0]);
    farm.submit(1, job("farm", "bracket"));
    farm.ok(
        0,
        Command::QueueRename {
            queue: "farm".into(),
            name: "barn".into(),
        },
    );
    for n in [0, 1] {
        assert_eq!(queue_names(&farm, n), ["local", "barn"]);
        assert_eq!(farm.snapshot(n, "barn").jobs.len(), 1);
    }
    assert_eq!(
        code(
            &mut farm,
            1,
            Command::QueueRename {
                queue: "barn".into(),
                name: "mine".into()
            }
        ),
        "member.role"
    );
}

#[test]
fn two_queues_of_one_name_stay_apart_on_a_host_that_is_in_both() {
    let mut farm = Farm::new(&[0, 0, 0]);
    farm.ok(0, create("farm"));
    farm.ok(1, create("farm"));
    for n in [0, 1] {
        let ticket = farm.ticket(n, "farm", Role::Operator);
        farm.ok(2, join(ticket));
    }
    assert_eq!(queue_names(&farm, 2), ["local", "farm", "farm-2"]);
    farm.submit(2, job("farm-2", "bracket"));
    assert_eq!(farm.snapshot(1, "farm").jobs.len(), 1);
}

#[test]
fn a_shared_queue_cannot_take_the_name_of_the_own_one() {
    // A faulty host names its queue `local`; here it would hide the real one once it is first in the order.
    let mut farm = Farm::shared(&[0, 0]);
    let queue = farm.queue(0, "farm");
    farm.edit_farm(|edit| edit.set_queue_name("local"));
    assert_eq!(queue_names(&farm, 1), ["local", "local-2"]);
    farm.ok(
        1,
        Command::QueueOrder {
            queues: vec!["local-2".into()],
        },
    );
    assert_eq!(queue_names(&farm, 1), ["local-2", "local"]);
    assert_eq!(farm.queue(1, "local-2"), queue);
}

#[test]
fn tickets_that_are_expired_used_up_foreign_or_tampered_with_let_nobody_in() {
    let mut farm = Farm::new(&[0, 0, 0, 0]);
    farm.ok(0, create("farm"));
    let farm = &mut farm;
    let expired = shared_ticket(farm, share(Some(60_000), 1, false));
    farm.pass(61_000);
    assert_eq!(code(farm, 1, join(expired.clone())), "ticket.expired");
    // The joiner's clock or good will does not decide.
    assert_eq!(
        code(
            farm,
            1,
            join(Ticket {
                expires_at_s: None,
                ..expired
            })
        ),
        "ticket.expired"
    );
    let once = shared_ticket(farm, share(None, 1, false));
    farm.ok(1, join(once.clone()));
    assert_eq!(code(farm, 2, join(once.clone())), "ticket.used");
    assert!(matches!(
        farm.ok(1, join(once.clone())),
        Answer::Joined { already: true, .. }
    ));
    let mut proof = once.proof.clone();
    let last = proof.len() - 1;
    proof[last] ^= 1;
    assert_eq!(
        code(
            farm,
            2,
            join(Ticket {
                proof,
                ..once.clone()
            })
        ),
        "ticket.foreign"
    );
    let nobody = farm.hosts[3].id;
    let two = shared_ticket(farm, share(None, 2, false));
    assert_eq!(
        code(
            farm,
            2,
            join(Ticket {
                secret: [9; 32],
                ..two.clone()
            })
        ),
        "ticket.proof"
    );
    assert_eq!(
        code(
            farm,
            2,
            join(Ticket {
                queue: [9; 32],
                ..two.clone()
            })
        ),
        "ticket.foreign"
    );
    assert_eq!(
        code(
            farm,
            2,
            join(Ticket {
                host: nobody,
                ..two.clone()
            })
        ),
        "join.unreachable"
    );
    assert_eq!(farm.snapshot(0, "farm").members.len(), 2);
    farm.ok(2, join(two.clone()));
    farm.ok(3, join(two));
    assert_eq!(code(farm, 0, share(None, 0, false)), "number.bad");
    assert_eq!(code(farm, 2, share(None, 1, false)), "member.no-key");
}

#[test]
fn who_holds_the_queue_key_admits_others() {
    let mut farm = Farm::new(&[0, 0, 1]);
    farm.ok(0, create("farm"));
    let ticket = shared_ticket(&mut farm, share(None, 1, true));
    farm.ok(1, join(ticket));
    let ticket = farm.ticket(1, "farm", Role::Operator);
    farm.kill(0);
    farm.settle();
    farm.ok(2, join(ticket));
    farm.boot(0);
    farm.settle();
    let id = farm.submit(0, job("farm", "bracket"));
    farm.pass(3_000);
    assert_eq!(
        farm.status(1, id),
        "done",
        "c prints what a submits, though a never admitted it"
    );
    farm.check();
}

#[test]
fn hosts_that_became_members_elsewhere_get_everything() {
    // b and c are each told of by a only; what a cannot deliver any more they deliver to one another.
    let mut farm = Farm::new(&[0, 0, 0]);
    farm.ok(0, create("farm"));
    farm.join(1, Role::Operator);
    farm.cut(0, 1);
    farm.join(2, Role::Operator);
    farm.cut(0, 2);
    farm.submit(2, job("farm", "bracket"));
    farm.heal(0, 1);
    assert_eq!(
        farm.snapshot(1, "farm").jobs.len(),
        1,
        "c has it, and b knows c now"
    );
    farm.check();
}

#[test]
fn init_lan_makes_a_queue_when_nobody_offers_one() {
    let mut farm = Farm::new(&[0, 0]);
    let id = farm.give(0, Command::LanQueue);
    farm.pass(10_000);
    assert_eq!(
        farm.hosts[0].replies.remove(&id),
        Some(Ok(Answer::Queue("LAN".into())))
    );
    assert_eq!(queue_names(&farm, 0), ["local", "LAN"]);
    assert!(matches!(
        farm.ok(0, Command::LanQueue),
        Answer::Joined { already: true, .. }
    ));
    assert_eq!(
        queue_names(&farm, 1),
        ["local"],
        "strangers are never linked in silence"
    );
}

/// a has the LAN queue and b asks for it. Returns the code that b shows.
fn asking() -> (Farm, String) {
    let mut farm = Farm::new(&[0, 1]);
    farm.give(0, Command::LanQueue);
    farm.pass(10_000);
    let Answer::Asked { code, host } = farm.ok(1, Command::LanQueue) else {
        panic!("it asks")
    };
    assert_eq!(host, farm.hosts[0].id);
    (farm, code)
}

fn approve(member: &str) -> Command {
    Command::MemberApprove {
        queue: "LAN".into(),
        member: member.into(),
        role: Role::Operator,
    }
}

#[test]
fn a_member_compares_the_code_and_approves() {
    let (mut farm, shown) = asking();
    let seen: Vec<_> = farm
        .node(0)
        .asking()
        .map(|(_, asking)| (asking.name.clone(), asking.code.clone()))
        .collect();
    assert_eq!(seen, [("b".to_owned(), shown)]);
    assert_eq!(code(&mut farm, 0, approve("c")), "member.unknown");
    farm.ok(0, approve("b"));
    assert_eq!(queue_names(&farm, 1), ["local", "LAN"]);
    assert_eq!(farm.node(0).asking().count(), 0);
    // Who has just come hears first what the others are printing.
    farm.pass(2_000);
    let id = farm.submit(0, job("LAN", "bracket"));
    assert_eq!(farm.status(1, id), "done");
    farm.check();
}

#[test]
fn a_host_that_asks_keeps_asking_when_the_line_breaks() {
    let (mut farm, _) = asking();
    farm.hang_up();
    farm.settle();
    assert_eq!(farm.node(0).asking().count(), 0);
    farm.pass(5_000);
    assert_eq!(farm.node(0).asking().count(), 1);
    farm.ok(0, approve("b"));
    assert_eq!(queue_names(&farm, 1), ["local", "LAN"]);
}

#[test]
fn a_member_refuses_and_the_host_stops_asking() {
    let (mut farm, _) = asking();
    farm.ok(
        0,
        Command::MemberDeny {
            queue: "LAN".into(),
            member: "b".into(),
        },
    );
    assert_eq!(queue_names(&farm, 1), ["local"]);
    assert!(
        farm.hosts[1]
            .events
            .iter()
            .any(|event| event.kind == "join.refused")
    );
    farm.pass(60_000);
    assert_eq!(farm.node(0).asking().count(), 0);
    assert!(farm.node(1).next_wakeup().is_none());
}

#[test]
fn an_open_window_lets_in_who_asks_until_it_closes() {
    let mut farm = Farm::new(&[0, 0, 0, 0]);
    farm.give(0, Command::LanQueue);
    farm.pass(10_000);
    let Answer::Asked { .. } = farm.ok(1, Command::LanQueue) else {
        panic!("it asks")
    };
    farm.ok(
        0,
        Command::QueueOpen {
            queue: "LAN".into(),
            role: Role::Submitter,
            for_ms: 600_000,
        },
    );
    assert_eq!(
        queue_names(&farm, 1),
        ["local", "LAN"],
        "who asked before is let in"
    );
    assert!(matches!(
        farm.ok(2, Command::LanQueue),
        Answer::Joined { already: false, .. }
    ));
    farm.pass(601_000);
    assert!(matches!(
        farm.ok(3, Command::LanQueue),
        Answer::Asked { .. }
    ));
    assert_eq!(farm.snapshot(0, "LAN").members.len(), 3);
}

#[test]
fn asking_without_an_offer_is_a_clear_error() {
    let mut farm = Farm::new(&[0]);
    let id = farm.give(0, Command::QueueAsk { as_name: None });
    farm.pass(10_000);
    let problem = farm.hosts[0]
        .replies
        .remove(&id)
        .expect("answered")
        .expect_err("nobody");
    assert_eq!(problem.code.as_str(), "lan.nothing-found");
}

#[test]
fn a_member_leaves_and_comes_back() {
    let mut farm = Farm::shared(&[0, 1]);
    assert_eq!(
        code(
            &mut farm,
            0,
            Command::QueueLeave {
                queue: "farm".into()
            }
        ),
        "queue.voter"
    );
    let old = farm.submit(0, job("farm", "first"));
    farm.ok(
        1,
        Command::QueueLeave {
            queue: "farm".into(),
        },
    );
    farm.pass(60_000);
    assert_eq!(queue_names(&farm, 1), ["local"]);
    assert_eq!(farm.snapshot(0, "farm").present_members().count(), 1);
    assert_eq!(farm.status(0, old), "done");
    assert_eq!(farm.node(1).history().len(), 1, "history stays");
    assert_eq!(
        code(
            &mut farm,
            1,
            Command::JobCancel {
                job: old.to_string()
            }
        ),
        "job.unknown"
    );
    let waiting = farm.submit(0, job("farm", "second"));
    farm.pass(60_000);
    assert_eq!(farm.status(0, waiting), "queued");
    farm.join(1, Role::Operator);
    farm.pass(1_000);
    assert_eq!(farm.snapshot(0, "farm").present_members().count(), 2);
    assert_eq!(farm.status(0, waiting), "done");
    assert!(farm.hosts[1].files.contains(&file("second").hash));
    farm.check();
}

#[test]
fn a_host_alone_may_leave_the_queue_that_it_made() {
    let mut farm = Farm::new(&[0]);
    farm.ok(0, create("farm"));
    farm.ok(
        0,
        Command::QueueLeave {
            queue: "farm".into(),
        },
    );
    assert_eq!(queue_names(&farm, 0), ["local"]);
    farm.ok(0, create("farm"));
    assert_eq!(queue_names(&farm, 0), ["local", "farm"]);
}
