//! Members whose role changes, and members that are taken out: what a person sees of it on every host.

use printmesh_node::{Answer, Command, Effect, Input, PrinterEdit};
use printmesh_queue::Role;

use crate::farm::{Farm, Machines, job};

fn role(member: &str, role: Role) -> Command {
    Command::MemberRole {
        queue: "farm".into(),
        member: member.into(),
        role,
    }
}

fn remove(member: &str) -> Command {
    Command::MemberRemove {
        queue: "farm".into(),
        member: member.into(),
    }
}

fn share(uses: u32) -> Command {
    Command::QueueShare {
        queue: "farm".into(),
        role: Role::Operator,
        expires_ms: Some(3_600_000),
        uses,
        with_key: false,
    }
}

fn code(farm: &mut Farm, n: usize, command: Command) -> &'static str {
    farm.refused(n, command).code.as_str()
}

fn hold(job: printmesh_queue::JobId) -> Command {
    Command::JobHold {
        job: job.to_string(),
    }
}

#[test]
fn another_role_counts_on_every_host_at_once() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    let id = farm.submit(0, job("farm", "bracket"));
    farm.ok(1, hold(id));
    assert_eq!(
        code(&mut farm, 1, role("c", Role::Observer)),
        "member.no-key"
    );
    farm.ok(0, role("b", Role::Submitter));
    let release = Command::JobRelease {
        job: id.to_string(),
    };
    assert_eq!(code(&mut farm, 1, release), "member.role");
    let own = farm.submit(1, job("farm", "own"));
    farm.ok(1, hold(own));
    for n in 0..3 {
        let members = &farm.snapshot(n, "farm").members;
        assert_eq!(members[&farm.hosts[1].id].certificate.role, Role::Submitter);
    }
    assert!(matches!(
        farm.ok(0, role("b", Role::Submitter)),
        Answer::Done { already: true, .. }
    ));
    assert_eq!(code(&mut farm, 0, role("a", Role::Observer)), "member.role");
    assert_eq!(
        code(&mut farm, 0, role("x", Role::Observer)),
        "member.unknown"
    );
    // Nor does a new ticket raise it again.
    farm.ok(
        1,
        Command::QueueLeave {
            queue: "farm".into(),
        },
    );
    farm.pass(10_000);
    farm.join(1, Role::Operator);
    farm.pass(1_000);
    let members = &farm.snapshot(0, "farm").members;
    assert_eq!(members[&farm.hosts[1].id].certificate.role, Role::Submitter);
    farm.check();
}

#[test]
fn who_becomes_an_admin_lets_others_in() {
    let mut farm = Farm::new(&[0, 0, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Operator);
    assert_eq!(code(&mut farm, 1, share(1)), "member.no-key");
    // It was away when that was decided.
    farm.cut(0, 1);
    farm.ok(0, role("b", Role::Admin));
    farm.heal(0, 1);
    farm.kill(0);
    let ticket = farm.ticket(1, "farm", Role::Printer);
    farm.ok(
        2,
        Command::QueueJoin {
            ticket,
            as_name: None,
            wan: false,
        },
    );
    assert_eq!(farm.snapshot(1, "farm").members.len(), 3);
}

#[test]
fn a_removed_member_is_told_cut_off_and_changes_nothing_any_more() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    let before = farm.submit(1, job("farm", "before"));
    farm.ok(1, hold(before));
    let ticket = farm.ok(0, share(5));
    let Answer::Ticket(parts) = ticket else {
        panic!("a ticket")
    };
    let ticket = farm.as_ticket(0, parts);
    farm.ok(0, remove("b"));
    let removed =
        |farm: &Farm, n: usize| farm.snapshot(n, "farm").members[&farm.hosts[1].id].is_removed();
    assert!(removed(&farm, 1), "it is told");
    farm.pass(5_000);
    for n in [0, 2] {
        assert!(removed(&farm, n));
        assert!(
            !farm.hosts[n].peers.contains(&farm.hosts[1].id),
            "its link ends"
        );
        assert_eq!(
            farm.snapshot(n, "farm").jobs.len(),
            1,
            "what it wrote stays"
        );
        assert_eq!(farm.snapshot(n, "farm").present_members().count(), 2);
    }
    // It knows and says so; it prints nothing from there.
    let named = Command::JobSubmit(job("farm", "late"));
    assert_eq!(code(&mut farm, 1, named), "member.removed");
    let id = farm.submit(0, job("farm", "after"));
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "queued");
    // An old ticket that would still let others in does not let it in.
    farm.ok(
        1,
        Command::QueueLeave {
            queue: "farm".into(),
        },
    );
    let again = Command::QueueJoin {
        ticket,
        as_name: None,
        wan: false,
    };
    assert_eq!(code(&mut farm, 1, again), "member.removed");
    assert!(matches!(
        farm.ok(0, remove("b")),
        Answer::Done { already: true, .. }
    ));
    assert_eq!(code(&mut farm, 0, remove("a")), "member.role");
    // Decided otherwise, it comes back.
    farm.ok(0, role("b", Role::Operator));
    farm.join(1, Role::Operator);
    farm.pass(5_000);
    farm.ready(1);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn what_a_member_did_beyond_a_cut_before_it_was_removed_is_the_same_for_all_afterwards() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    farm.cut(0, 1);
    farm.cut(0, 2);
    let id = farm.submit(1, job("farm", "beyond"));
    farm.ok(0, remove("b"));
    // Only c brings the news and what it had of b.
    farm.heal(0, 2);
    farm.pass(10_000);
    for n in [0, 2] {
        assert!(farm.snapshot(n, "farm").jobs.contains_key(&id), "host {n}");
    }
    assert_eq!(farm.snapshot(0, "farm"), farm.snapshot(2, "farm"));
    farm.check();
}

#[test]
fn a_removed_member_that_was_away_gets_nothing_and_a_printing_one_ends_its_print() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, "p0");
    farm.ok(0, remove("b"));
    farm.pass(5_000);
    farm.finish(1, "p0");
    farm.pass(5_000);
    // What became of it nobody but b can say: a person decides, or the voters when it was silent for long.
    assert_eq!(farm.status(0, id), "printing");
    farm.kill(1);
    farm.submit(0, job("farm", "secret"));
    farm.boot(1);
    farm.pass(60_000);
    assert_eq!(farm.snapshot(1, "farm").jobs.len(), 1);
}

#[test]
fn the_only_voter_is_not_removed_before_others_decide() {
    let mut farm = Farm::shared(&[0, 0]);
    farm.set_voters(&[1]);
    assert_eq!(code(&mut farm, 0, remove("b")), "queue.voter");
    farm.set_voters(&[0]);
    farm.ok(0, remove("b"));
}

#[test]
fn tickets_are_listed_and_taken_back_by_every_admin() {
    let mut farm = Farm::new(&[0, 0, 0, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Admin);
    let Answer::Ticket(parts) = farm.ok(0, share(2)) else {
        panic!("a ticket")
    };
    let id = parts.invite.expect("it is an invite");
    let ticket = farm.as_ticket(0, parts);
    let join = |ticket| Command::QueueJoin {
        ticket,
        as_name: None,
        wan: false,
    };
    farm.ok(2, join(ticket.clone()));
    let queue = farm.queue(1, "farm");
    let seen = |farm: &Farm| {
        let invites = farm.node(1).invites(queue, farm.now().wall.0 / 1000);
        let invite = invites
            .into_iter()
            .find(|invite| invite.id == id)
            .expect("it is listed");
        (invite.used, invite.good, invite.record.revoked)
    };
    assert_eq!(seen(&farm), (1, true, false));
    let revoke = |ticket: &str| Command::TicketRevoke {
        queue: "farm".into(),
        ticket: ticket.into(),
    };
    assert_eq!(code(&mut farm, 1, revoke("zzzz")), "ticket.unknown");
    assert_eq!(code(&mut farm, 2, revoke(&id.fingerprint())), "member.role");
    farm.ok(1, revoke(&id.fingerprint()[..6]));
    assert_eq!(seen(&farm), (1, false, true));
    assert_eq!(code(&mut farm, 3, join(ticket.clone())), "ticket.revoked");
    // Nor after a restart of who made it.
    farm.kill(0);
    farm.boot(0);
    farm.settle();
    assert_eq!(code(&mut farm, 3, join(ticket)), "ticket.revoked");
    assert_eq!(
        farm.snapshot(0, "farm").present_members().count(),
        3,
        "who came in with it stays"
    );
    assert!(matches!(
        farm.ok(0, revoke(&id.fingerprint())),
        Answer::Done { already: true, .. }
    ));
}

#[test]
fn of_two_that_used_one_invite_in_a_cut_network_the_first_one_stays_everywhere() {
    let mut farm = Farm::new(&[0, 0, 0, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Admin);
    let Answer::Ticket(parts) = farm.ok(0, share(1)) else {
        panic!("a ticket")
    };
    farm.cut(0, 1);
    let (at_a, at_b) = (farm.as_ticket(0, parts.clone()), farm.as_ticket(1, parts));
    farm.ok(
        2,
        Command::QueueJoin {
            ticket: at_a,
            as_name: None,
            wan: false,
        },
    );
    farm.pass(2_000);
    farm.ok(
        3,
        Command::QueueJoin {
            ticket: at_b,
            as_name: None,
            wan: false,
        },
    );
    farm.heal(0, 1);
    farm.pass(10_000);
    for n in [0, 1] {
        let members = &farm.snapshot(n, "farm").members;
        assert!(!members[&farm.hosts[2].id].is_removed(), "host {n}");
        assert!(members[&farm.hosts[3].id].is_removed(), "host {n}");
    }
    assert_eq!(farm.snapshot(0, "farm"), farm.snapshot(1, "farm"));
    farm.check();
}

#[test]
fn a_proof_that_somebody_overheard_lets_nobody_in_on_another_connection() {
    let mut farm = Farm::new(&[0, 0]);
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    let ticket = farm.ticket(0, "farm", Role::Printer);
    farm.cut(0, 1);
    let (me, peer) = (farm.hosts[0].id, farm.hosts[1].id);
    // b proves what it has on a connection whose other end is not a but somebody in the middle.
    farm.give(
        1,
        Command::QueueJoin {
            ticket,
            as_name: None,
            wan: false,
        },
    );
    farm.input(
        1,
        Input::JoinOpened {
            conversation: 77,
            peer: me,
            exporter: [1; 32],
            attempt: Some(1),
        },
    );
    let said = |farm: &Farm, n: usize| {
        let effects = farm.hosts[n].effects.iter().rev();
        effects
            .filter_map(|effect| match effect {
                Effect::JoinSend {
                    conversation: 77,
                    bytes,
                    ..
                } => Some(bytes.clone()),
                _ => None,
            })
            .next()
            .expect("it says something")
    };
    let bytes = said(&farm, 1);
    let heard = |farm: &mut Farm, exporter| {
        farm.input(
            0,
            Input::JoinOpened {
                conversation: 77,
                peer,
                exporter,
                attempt: None,
            },
        );
        let bytes = bytes.clone();
        farm.input(
            0,
            Input::JoinMessage {
                conversation: 77,
                bytes,
            },
        );
        String::from_utf8_lossy(&said(farm, 0)).into_owned()
    };
    assert!(heard(&mut farm, [2; 32]).contains("ticket.proof"));
    assert_eq!(farm.snapshot(0, "farm").members.len(), 1);
    // On the connection for which it was made it is good.
    assert!(!heard(&mut farm, [1; 32]).contains("ticket.proof"));
    assert_eq!(farm.snapshot(0, "farm").members.len(), 2);
}

#[test]
fn a_printer_may_be_for_the_jobs_of_some_members_only() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    let edit = |accept_from: &[&str]| Command::PrinterEdit {
        printer: "p0".into(),
        edit: PrinterEdit {
            accept_from: Some(accept_from.iter().map(|word| (*word).to_owned()).collect()),
            ..PrinterEdit::default()
        },
    };
    assert_eq!(code(&mut farm, 1, edit(&["nobody"])), "member.unknown");
    farm.ok(1, edit(&["c"]));
    let of_a = farm.submit(0, job("farm", "of-a"));
    farm.pass(60_000);
    assert_eq!(farm.status(0, of_a), "queued");
    let why = farm.why(0, of_a);
    assert!(
        why.iter().any(|(_, code)| *code == "accept-from"),
        "{why:?}"
    );
    let of_c = farm.submit(2, job("farm", "of-c"));
    farm.pass(60_000);
    assert_eq!(farm.status(0, of_c), "done");
    // A name is what a member says of itself; its key is not.
    farm.ok(1, edit(&[]));
    farm.ready(1);
    farm.pass(60_000);
    assert_eq!(farm.status(0, of_a), "done");
    farm.check();
}

#[test]
fn who_is_let_in_again_at_once_hears_what_it_missed_over_the_link_that_was_there() {
    let mut farm = Farm::shared(&[0, 0]);
    // A ticket from before: with a new one a change comes along that tells all the rest.
    let Answer::Ticket(parts) = farm.ok(0, share(5)) else {
        panic!("a ticket")
    };
    let ticket = farm.as_ticket(0, parts);
    farm.ok(0, remove("b"));
    farm.pass(5_000);
    farm.ok(
        1,
        Command::QueueLeave {
            queue: "farm".into(),
        },
    );
    // It has just left, and still keeps its links; the other one takes it in again.
    farm.ok(0, role("b", Role::Operator));
    farm.settle();
    farm.ok(
        1,
        Command::QueueJoin {
            ticket,
            as_name: None,
            wan: false,
        },
    );
    farm.submit(1, job("farm", "again"));
    assert_eq!(farm.snapshot(0, "farm").jobs.len(), 1);
    farm.check();
}
