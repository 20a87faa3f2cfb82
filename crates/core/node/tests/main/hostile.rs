//! Members that break the document of others, or tell different hosts different things: what a person sees of it.

use printmesh_node::{
    Answer, Command, ConfigAsk, ConfigMessage, ConfigNack, Effect, Input, Message, NewJob,
};
use printmesh_queue::{
    Author, Ballot, Equivocation, HostId, QueueDocument, QueueId, SignedChange, sabotage,
};

use crate::farm::{Device, Farm, job};

fn release(member: &str) -> Command {
    Command::MemberRelease {
        queue: "farm".into(),
        member: member.into(),
    }
}

/// A change that host `n` signs, in a start of its daemon that nobody has heard of, knowing what `knows` knows.
fn written(farm: &Farm, n: usize, knows: usize, name: &str) -> SignedChange {
    let queue = farm.queue(0, "farm");
    let author = Author {
        host: farm.hosts[n].id,
        boot: 999,
    };
    let log = farm.hosts[knows].logs[&queue.0].clone();
    let mut doc = QueueDocument::load(queue, author, log).expect("its own log");
    let device: Device = farm.device(n);
    let edited = doc.edit(farm.now().wall, &device, |edit| {
        edit.set_my_name(name);
        Ok::<(), printmesh_queue::EditError>(())
    });
    let change = edited.expect("it may").1.expect("it changes something");
    SignedChange::clone(&change)
}

/// Host `from` sends that to host `to`, whatever it believes itself.
fn say(farm: &mut Farm, from: usize, to: usize, change: &SignedChange) {
    let message = Message::Changes {
        epoch: printmesh_queue::EpochHash::default(),
        queue: farm.queue(0, "farm"),
        changes: vec![change.to_bytes()],
        also: Vec::new(),
    };
    let from = farm.hosts[from].id;
    let bytes = message.encode();
    farm.input(to, Input::Message { from, bytes });
    farm.settle();
}

fn told(farm: &Farm, n: usize, kind: &str, host: HostId) -> usize {
    let events = farm.hosts[n].events.iter();
    let about = events.filter(|event| event.kind == kind && event.host == Some(host));
    about.count()
}

fn name_of(farm: &Farm, n: usize, member: HostId) -> String {
    farm.snapshot(n, "farm").members[&member].name.clone()
}

#[test]
fn whose_change_breaks_the_document_is_named_and_kept_out_until_a_person_releases_it() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    let (queue, b) = (farm.queue(0, "farm"), farm.hosts[1].id);
    farm.cut(0, 1);
    farm.cut(1, 2);
    farm.submit(1, job("farm", "it breaks the engine of others"));
    let last = farm.hosts[1].logs[&queue.0].last().unwrap();
    sabotage::break_on(SignedChange::from_bytes(last).unwrap().hash());
    farm.heal(0, 1);
    farm.heal(1, 2);
    for n in [0, 2] {
        let why = farm.node(n).quarantined(queue, b).expect("it is named");
        assert_eq!(why.code, "engine");
        assert_eq!(told(&farm, n, "member.quarantined", b), 1);
    }
    // The others go on.
    farm.submit(2, job("farm", "good"));
    assert_eq!(farm.snapshot(0, "farm").jobs.len(), 1);

    // It is remembered over a restart, and holds for every start of that host.
    farm.kill(0);
    farm.boot(0);
    farm.settle();
    let next = written(&farm, 1, 0, "let in again");
    say(&mut farm, 1, 0, &next);
    assert_ne!(name_of(&farm, 0, b), "let in again");
    let refused = farm.hosts[0].events.iter().rev();
    let refused = refused.filter_map(|event| event.state.clone());
    assert!(refused.take(3).any(|code| code == "quarantined"));

    let Answer::Done { already, .. } = farm.ok(0, release("b")) else {
        panic!("done")
    };
    assert!(!already);
    farm.settle();
    assert_eq!(farm.node(0).quarantined(queue, b), None);
    assert_eq!(name_of(&farm, 0, b), "let in again");
    // What one host decides about its own document is its own.
    assert!(farm.node(2).quarantined(queue, b).is_some());
    assert!(matches!(
        farm.ok(0, release("let in again")),
        Answer::Done { already: true, .. }
    ));
    // The change that broke it comes again, is left out again, and is no news.
    farm.kill(0);
    farm.boot(0);
    farm.settle();
    assert_eq!(farm.node(0).quarantined(queue, b), None);
    assert_eq!(farm.snapshot(0, "farm").jobs.len(), 1);
}

/// Host `b` of four tells `a` one thing and `c` another under one number, while these cannot compare.
fn forked() -> (Farm, QueueId, HostId) {
    forked_with(&[0, 0, 0, 0])
}

fn forked_with(printers: &[usize; 4]) -> (Farm, QueueId, HostId) {
    let mut farm = Farm::shared(printers);
    let (queue, b) = (farm.queue(0, "farm"), farm.hosts[1].id);
    for (one, other) in [(0, 2), (0, 1), (1, 2), (1, 3), (2, 3)] {
        farm.cut(one, other);
    }
    let (to_a, to_c) = (
        written(&farm, 1, 0, "said to a"),
        written(&farm, 1, 0, "said to c"),
    );
    say(&mut farm, 1, 0, &to_a);
    say(&mut farm, 1, 2, &to_c);
    assert_eq!(name_of(&farm, 0, b), "said to a");
    assert_eq!(name_of(&farm, 2, b), "said to c");
    (farm, queue, b)
}

#[test]
fn who_tells_different_hosts_different_things_is_found_out_when_they_meet() {
    let (mut farm, queue, b) = forked();
    farm.heal(0, 2);
    farm.submit(2, job("farm", "built on what c was told"));
    let proof = farm.node(0).proof(queue, b).expect("a has the proof");
    assert_eq!((proof.author(), proof.seq()), (b, 1));
    assert_eq!(told(&farm, 0, "member.equivocation", b), 1);
    // It is passed on, to those who were told of neither, and to those who come later.
    let bytes = proof.to_bytes();
    assert_eq!(farm.node(3).proof(queue, b), Some(proof), "d was told by a");
    assert_eq!(farm.node(2).proof(queue, b), Some(proof), "so was c");
    farm.heal(2, 3);
    assert_eq!(told(&farm, 3, "member.equivocation", b), 1, "once");
    // It is there after a restart, and anybody can check it.
    farm.kill(0);
    farm.boot(0);
    let kept = farm.node(0).proof(queue, b).map(Equivocation::to_bytes);
    assert_eq!(kept.as_ref(), Some(&bytes));
    assert!(Equivocation::read(queue, &bytes).is_some());
}

#[test]
fn who_was_told_the_other_story_follows_into_the_next_epoch_and_accuses_nobody_of_forging_it() {
    let (mut farm, queue, b) = forked();
    farm.heal(0, 2);
    // The others cannot help: only a and c meet.
    let on_c = farm.submit(2, job("farm", "built on what c was told"));
    assert!(farm.node(2).proof(queue, b).is_some());
    assert!(!farm.snapshot(0, "farm").jobs.contains_key(&on_c));
    let rotate = Command::QueueRotateKey {
        queue: "farm".into(),
        remove: Vec::new(),
    };
    farm.ok(0, rotate);
    farm.pass(30_000);
    assert_eq!(farm.node(2).queue_view(queue).epoch, 1);
    assert_eq!(
        farm.node(0).shared_view(queue),
        farm.node(2).shared_view(queue)
    );
    assert!(
        farm.snapshot(0, "farm").jobs.contains_key(&on_c),
        "brought again"
    );
    let a = farm.hosts[0].id;
    let forged = farm.hosts[2]
        .events
        .iter()
        .filter(|event| event.host == Some(a) && event.state.as_deref() == Some("epoch-forged"));
    assert_eq!(forged.count(), 0);
}

#[test]
fn a_printer_whose_job_the_voters_may_not_hear_of_does_not_ask_them_ten_times_a_second() {
    let (mut farm, _, _) = forked_with(&[0, 0, 1, 0]);
    farm.heal(0, 2);
    // The one voter was told another story, and takes in nothing that follows this one.
    let on_c = farm.submit(2, job("farm", "built on what c was told"));
    assert!(!farm.snapshot(0, "farm").jobs.contains_key(&on_c));
    farm.pass(600_000);
    let asked = farm.hosts[2].effects.iter().filter(|effect| {
        matches!(effect, Effect::Send { bytes, .. }
            if matches!(Message::decode(bytes), Some(Message::Prepare(_))))
    });
    let asked = asked.count();
    assert!(
        (10..200).contains(&asked),
        "{asked} questions in ten minutes"
    );
    // In the next epoch they hear of it.
    let rotate = Command::QueueRotateKey {
        queue: "farm".into(),
        remove: Vec::new(),
    };
    farm.ok(0, rotate);
    farm.pass(30_000);
    assert_eq!(farm.status(0, on_c), "done");
}

#[test]
fn a_proof_that_proves_nothing_accuses_nobody() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    let (queue, b, c) = (farm.queue(0, "farm"), farm.hosts[1].id, farm.hosts[2].id);
    let (one, _) = (written(&farm, 2, 0, "one"), ());
    let (mut other, _) = (written(&farm, 2, 0, "two").to_bytes(), ());
    // Not signed by it.
    let end = other.len() - 1;
    other[end] ^= 1;
    for second in [one.to_bytes(), other] {
        let mut proof = Vec::new();
        for change in [&one.to_bytes(), &second] {
            proof.extend(varint(change.len()));
            proof.extend_from_slice(change);
        }
        let bytes = Message::Proof { queue, proof }.encode();
        farm.input(0, Input::Message { from: b, bytes });
        farm.settle();
    }
    assert_eq!(farm.node(0).proof(queue, c), None);
    assert_eq!(told(&farm, 0, "member.equivocation", c), 0);
}

/// The highest number that a host may ever ask voters with, less one.
const LAST_BALLOT: u64 = (1 << 40) - 1;

fn ballot_of(host: HostId, n: u64) -> Ballot {
    Ballot {
        n,
        host,
        printer: String::new(),
    }
}

fn three_copies(farm: &mut Farm) {
    let id = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    farm.pass(120_000);
    assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
}

#[test]
fn who_is_no_voter_cannot_use_up_the_numbers_of_a_printer_with_a_word_about_voters() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    let (queue, b, c) = (farm.queue(0, "farm"), farm.hosts[1].id, farm.hosts[2].id);
    let why = ConfigNack::Promised(ballot_of(c, LAST_BALLOT));
    let ballot = ballot_of(b, 1);
    let ask = ConfigAsk {
        queue,
        cfg: 1,
        ballot,
    };
    let bytes = Message::Config(ConfigMessage::Refused { ask, why }).encode();
    farm.input(1, Input::Message { from: c, bytes });
    farm.settle();
    three_copies(&mut farm);
    farm.check();
}

/// A number as postcard writes it.
fn varint(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}
