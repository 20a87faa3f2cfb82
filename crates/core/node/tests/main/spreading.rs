//! How a change gets to every member, and that it does when links take it with them.

use printmesh_node::{Effect, Input, Message, Tag};
use printmesh_queue::JobId;

use crate::farm::{Act, Farm, job};

/// Messages with changes that all hosts have sent, and changes that the queue got, since then.
fn said(farm: &Farm) -> usize {
    let effects = farm.hosts.iter().flat_map(|host| &host.effects);
    let changes = effects.filter(|effect| {
        let Effect::Send { bytes, .. } = effect else {
            return false;
        };
        matches!(Message::decode(bytes), Some(Message::Changes { .. }))
    });
    changes.count()
}

fn knows(farm: &Farm, n: usize, job: JobId) -> bool {
    farm.snapshot(n, "farm").jobs.contains_key(&job)
}

/// A job that host 0 has just added; nobody else has heard of it.
fn added(farm: &mut Farm) -> JobId {
    let known: Vec<JobId> = farm.snapshot(0, "farm").jobs.keys().copied().collect();
    farm.give_job(0, job("farm", "Lid"));
    loop {
        let mut jobs = farm.snapshot(0, "farm").jobs.keys();
        if let Some(job) = jobs.find(|job| !known.contains(job)) {
            return *job;
        }
        farm.act(Act::Local(0));
    }
}

fn log_length(farm: &Farm, n: usize) -> usize {
    farm.hosts[n].logs[&farm.queue(n, "farm").0].len()
}

#[test]
fn in_a_mesh_of_twelve_hosts_each_change_is_said_eleven_times_and_not_eleven_times_eleven() {
    const HOSTS: usize = 12;
    let mut farm = Farm::shared(&[0; HOSTS]);
    farm.pass(60_000);
    let before = log_length(&farm, 5);
    farm.hosts.iter_mut().for_each(|host| host.effects.clear());
    farm.submit(5, job("farm", "Lid"));
    farm.pass(60_000);
    let changes = log_length(&farm, 5) - before;
    assert!(changes > 0);
    assert_eq!(said(&farm), changes * (HOSTS - 1));
    farm.check();
}

#[test]
fn hosts_that_cannot_reach_one_another_hear_of_each_change_through_a_third_at_once() {
    let mut farm = Farm::shared(&[0, 0, 0, 0]);
    farm.pass(60_000);
    farm.cut(0, 2);
    farm.cut(0, 3);
    farm.hosts.iter_mut().for_each(|host| host.effects.clear());
    let job = added(&mut farm);
    farm.settle();
    assert!((0..4).all(|n| knows(&farm, n, job)));
    // What the one in the middle told the first of them, it said that it tells the other, too.
    let third = farm.hosts[3].id;
    let relayed = farm.hosts[2].effects.iter().filter(|effect| {
        matches!(effect, Effect::Send { to, bytes } if *to == third
            && matches!(Message::decode(bytes), Some(Message::Changes { .. })))
    });
    assert_eq!(relayed.count(), 0);
    farm.check();
}

#[test]
fn a_change_that_a_dying_link_took_with_it_is_asked_for_where_it_arrived() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    farm.pass(60_000);
    let job = added(&mut farm);
    while !knows(&farm, 1, job) {
        farm.act(Act::Deliver(0, 1));
    }
    assert!(!knows(&farm, 2, job));
    farm.kill(0);
    farm.settle();
    assert!(knows(&farm, 2, job), "no time has passed");
    farm.check();
}

#[test]
fn a_change_that_everybody_believes_to_be_told_is_found_by_comparing() {
    let mut farm = Farm::shared(&[0, 0, 0, 0, 0, 0, 0, 0]);
    farm.pass(60_000);
    let job = added(&mut farm);
    let change = {
        let queue = farm.queue(0, "farm");
        farm.hosts[0].logs[&queue.0].last().expect("it").clone()
    };
    farm.kill(0);
    farm.settle();
    farm.pass(120_000);
    assert!((1..8).all(|n| !knows(&farm, n, job)));
    // It got to one of them, with the word that all others have it.
    let queue = farm.queue(1, "farm");
    let hosts = farm.hosts.iter();
    let also: Vec<Tag> = hosts
        .map(|host| host.id.0[..4].try_into().expect("four bytes"))
        .collect();
    let (from, changes) = (farm.hosts[2].id, vec![change]);
    let message = Message::Changes {
        epoch: printmesh_queue::EpochHash::default(),
        queue,
        changes,
        also,
    };
    let bytes = message.encode();
    farm.input(1, Input::Message { from, bytes });
    farm.settle();
    assert!((2..8).all(|n| !knows(&farm, n, job)));
    assert!(knows(&farm, 1, job));
    farm.pass(4 * 5_000);
    assert!((1..8).all(|n| knows(&farm, n, job)));
    farm.check();
}
