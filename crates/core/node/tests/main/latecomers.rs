//! What comes too late for the cut of an epoch: a newcomer, a name that nobody has, and founding changes of somebody who was put
//! out meanwhile.

use printmesh_node::{Command, Message};
use printmesh_queue::Role;

use crate::farm::{Act, Farm, job};

fn rotate(remove: &[&str]) -> Command {
    Command::QueueRotateKey {
        queue: "farm".into(),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn admin(farm: &mut Farm, member: &str) {
    let role = Command::MemberRole {
        queue: "farm".into(),
        member: member.into(),
        role: Role::Admin,
    };
    farm.ok(0, role);
    farm.pass(10_000);
}

fn epoch(farm: &Farm, n: usize) -> u64 {
    let queue = farm.queue(n, "farm");
    farm.node(n).queue_view(queue).epoch
}

fn agree(farm: &Farm, hosts: &[usize], number: u64) {
    for n in hosts {
        assert_eq!(epoch(farm, *n), number, "host {n}");
        let queue = farm.queue(*n, "farm");
        assert!(!farm.node(*n).is_carrying(queue), "host {n}");
        let first = farm.node(hosts[0]).shared_view(queue);
        assert_eq!(farm.node(*n).shared_view(queue), first, "host {n}");
    }
}

#[test]
fn a_newcomer_that_was_let_in_beyond_the_cut_stays_a_member() {
    let mut farm = Farm::new(&[0, 0, 0]);
    let name = "farm".to_owned();
    farm.ok(0, Command::QueueCreate { name });
    farm.join(1, Role::Operator);
    admin(&mut farm, "b");
    farm.cut(0, 1);
    farm.cut(0, 2);
    let ticket = farm.ticket(1, "farm", Role::Operator);
    let as_name = None;
    farm.ok(
        2,
        Command::QueueJoin {
            ticket,
            as_name,
            wan: false,
        },
    );
    let made = farm.submit(2, job("farm", "of the newcomer"));
    farm.pass(10_000);
    // Who ends the epoch has not heard of it, and tells it before the one who let it in is back.
    farm.ok(0, rotate(&[]));
    farm.cut(1, 2);
    let me = farm.hosts[2].id;
    assert!(!farm.snapshot(0, "farm").members.contains_key(&me));
    farm.heal(0, 1);
    farm.heal(0, 2);
    farm.pass(30_000);
    farm.heal(1, 2);
    farm.pass(60_000);
    for n in 0..3 {
        let members = &farm.snapshot(n, "farm").members;
        assert!(
            members.get(&me).is_some_and(|member| !member.left),
            "host {n}"
        );
        assert!(
            farm.snapshot(n, "farm").jobs.contains_key(&made),
            "host {n}"
        );
    }
    agree(&farm, &[0, 1, 2], 1);
}

#[test]
fn a_key_is_changed_although_one_of_those_to_be_removed_is_unknown() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    // Nobody is out: nothing happens.
    let problem = farm.refused(0, rotate(&["nobody"]));
    assert_eq!(problem.code.as_str(), "member.unknown");
    farm.pass(10_000);
    agree(&farm, &[0, 1, 2], 0);
    // One is out, and must not keep the key because of the other one.
    let problem = farm.refused(0, rotate(&["c", "nobody"]));
    assert_eq!(problem.code.as_str(), "member.unknown");
    farm.pass(10_000);
    agree(&farm, &[0, 1], 1);
    let gone = farm.hosts[2].id;
    assert!(farm.snapshot(0, "farm").members[&gone].is_removed());
    assert_eq!(epoch(&farm, 2), 0);
}

#[test]
fn founding_changes_of_an_admin_that_was_put_out_meanwhile_come_too_late() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    admin(&mut farm, "b");
    let b = farm.hosts[1].id;
    farm.cut(0, 1);
    farm.cut(1, 2);
    // What the others have not seen, so that they cannot compute what the epoch begins with.
    farm.submit(1, job("farm", "unseen"));
    farm.ok(1, rotate(&[]));
    farm.hosts[2].effects.clear();
    farm.heal_now(1, 2);
    let between = [
        Act::Connect(1, 2),
        Act::Deliver(1, 2),
        Act::Deliver(2, 1),
        Act::Local(2),
    ];
    let founding = |farm: &Farm, n: usize| {
        let sent = farm.hosts[n].effects.iter();
        sent.filter(|effect| {
            let printmesh_node::Effect::Send { bytes, .. } = effect else {
                return false;
            };
            matches!(Message::decode(bytes), Some(Message::Founding { .. }))
        })
        .count()
    };
    farm.hosts[1].effects.clear();
    while founding(&farm, 1) == 0 {
        let act = farm.acts().into_iter().find(|act| between.contains(act));
        farm.act(act.expect("it is asked for"));
    }
    assert_eq!(epoch(&farm, 2), 0, "it is on its way");
    // Before it arrives, the other admin has put that one out.
    let (queue, member) = ("farm".to_owned(), "b".to_owned());
    farm.give(0, Command::MemberRemove { queue, member });
    while !farm.snapshot(2, "farm").members[&b].is_removed() {
        assert!(farm.acts().contains(&Act::Deliver(0, 2)));
        farm.act(Act::Deliver(0, 2));
    }
    while farm.acts().contains(&Act::Deliver(1, 2)) {
        farm.act(Act::Deliver(1, 2));
    }
    assert_eq!(epoch(&farm, 2), 0, "nobody follows who was put out");
    farm.pass(60_000);
    agree(&farm, &[0, 2], 1);
    assert!(farm.snapshot(2, "farm").members[&b].is_removed());
}
