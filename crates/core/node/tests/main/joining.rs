//! Queues: names, tickets, asking on the LAN, leaving and coming back.

use printmesh_node::{Answer, Command, Effect, Input, Ticket};
use printmesh_queue::{HostId, Role, Timestamp};

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
fn whether_a_ticket_has_expired_is_said_by_the_clock_of_who_admits_and_a_wrong_one_lets_nobody_in_twice()
 {
    const DAY_MS: u64 = 24 * 3_600_000;
    let mut farm = Farm::new(&[0, 0, 0, 0]);
    let farm = &mut farm;
    farm.ok(0, create("farm"));
    let off = |farm: &mut Farm, n: usize, days: i64| {
        let right = farm.now().wall;
        let wrong = right.0.saturating_add_signed(days * DAY_MS as i64);
        farm.hosts[n].wall = (days != 0).then_some(Timestamp(wrong));
    };
    let half_a_day = share(Some(DAY_MS / 2), 1, false);

    // The joiner's clock is a day behind: the host says that it comes too late.
    let late = shared_ticket(farm, share(Some(60_000), 1, false));
    farm.pass(61_000);
    off(farm, 1, -1);
    assert_eq!(code(farm, 1, join(late)), "ticket.expired");
    // A day ahead it takes a good ticket for one that has expired, and asks nobody.
    let good = shared_ticket(farm, half_a_day.clone());
    off(farm, 1, 1);
    assert_eq!(code(farm, 1, join(good.clone())), "ticket.expired");
    // A day behind, nothing is in the way; nor once the clock is right.
    off(farm, 1, -1);
    farm.ok(1, join(good.clone()));
    off(farm, 1, 0);

    // The host's clock is a day ahead: nobody comes in, until it is right again.
    let other = shared_ticket(farm, half_a_day.clone());
    off(farm, 0, 1);
    assert_eq!(code(farm, 2, join(other.clone())), "ticket.expired");
    off(farm, 0, 0);
    farm.ok(2, join(other.clone()));

    // A ticket that it makes with a clock that is a day behind has expired for everybody else.
    off(farm, 0, -1);
    let early = shared_ticket(farm, half_a_day);
    assert_eq!(code(farm, 3, join(early)), "ticket.expired");
    // What is used up stays so whatever the clock says.
    for days in [-1, 1, 0] {
        off(farm, 0, days);
        for used in [&good, &other] {
            let endless = Ticket {
                expires_at_s: None,
                ..used.clone()
            };
            let code = code(farm, 3, join(endless));
            let expected = if days == 1 {
                "ticket.expired"
            } else {
                "ticket.used"
            };
            assert_eq!(code, expected, "{days} days off");
        }
    }
    assert_eq!(farm.snapshot(0, "farm").members.len(), 3);
    // What nobody has used is good for so much longer as the host's clock is behind.
    let unused = shared_ticket(farm, share(Some(60_000), 1, false));
    farm.pass(61_000);
    assert_eq!(code(farm, 3, join(unused.clone())), "ticket.expired");
    off(farm, 0, -1);
    off(farm, 3, -1);
    farm.ok(3, join(unused));
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

/// What host `n` said last in a conversation.
fn said(farm: &Farm, n: usize, number: u64) -> Vec<u8> {
    let effects = farm.hosts[n].effects.iter().rev();
    let mut said = effects.filter_map(|effect| match effect {
        Effect::JoinSend {
            conversation,
            bytes,
            ..
        } if *conversation == number => Some(bytes.clone()),
        _ => None,
    });
    said.next().expect("it says something")
}

/// Carries what b asks to a and back, as somebody between the two would: of each connection the secret is another one.
/// Returns what a said last.
fn carried(farm: &mut Farm, number: u64, peer: HostId, secrets: [[u8; 32]; 2]) -> String {
    let a = farm.hosts[0].id;
    let opened = |peer, exporter, attempt| Input::JoinOpened {
        conversation: number,
        peer,
        exporter,
        attempt,
    };
    farm.input(1, opened(a, secrets[1], Some(1)));
    farm.input(0, opened(peer, secrets[0], None));
    let answer = |farm: &Farm| String::from_utf8_lossy(&said(farm, 0, number)).into_owned();
    for (from, to) in [(1, 0), (0, 1), (1, 0)] {
        let bytes = said(farm, from, number);
        farm.input(
            to,
            Input::JoinMessage {
                conversation: number,
                bytes,
            },
        );
        if answer(farm).contains("too many") {
            break;
        }
    }
    answer(farm)
}

#[test]
fn who_stands_between_two_hosts_gets_no_code_by_passing_on_what_they_say() {
    let (mut farm, _) = asking();
    let (between, before) = (HostId([7; 32]), farm.node(0).asking().count());
    let answer = carried(&mut farm, 77, between, [[1; 32], [2; 32]]);
    assert!(answer.contains("does not show"), "{answer}");
    assert_eq!(farm.node(0).asking().count(), before);
    // On one and the same connection it is what two persons compare.
    carried(&mut farm, 78, between, [[3; 32], [3; 32]]);
    let mut asking = farm.node(0).asking();
    let (_, asking) = asking.find(|(host, _)| *host == between).expect("it asks");
    let shown = farm.hosts[1].events.iter().rev();
    let mut shown = shown.filter(|event| event.kind == "join.asked");
    assert_eq!(
        shown.next().and_then(|event| event.state.clone()),
        Some(asking.code.clone())
    );
}

#[test]
fn who_asks_again_and_again_for_another_code_has_few_chances() {
    let (mut farm, _) = asking();
    let mut taken = 0;
    for number in 100..200 {
        let between = HostId([7; 32]);
        let exporter = [number as u8; 32];
        let answer = carried(&mut farm, number, between, [exporter; 2]);
        taken += usize::from(!answer.contains("too many"));
    }
    // One was b's own.
    assert_eq!(taken, 31);
    farm.pass(60_000);
    assert_eq!(farm.node(0).asking().count(), 2);
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
