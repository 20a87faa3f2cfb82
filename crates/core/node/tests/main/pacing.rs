//! Members that write, ask or bring more than a member may: they are named and served later, and nobody else notices.

use std::collections::BTreeSet;

use printmesh_node::{Answer, Ask, Command, Effect, Input, Message, Nack, Value};
use printmesh_queue::{
    Author, Ballot, CopyId, EditError, EpochHash, EpochId, HostId, QueueDocument, SignedChange,
    VersionVector,
};

use crate::farm::{Farm, job};

/// So many changes that host `n` writes in a start of its daemon that nobody has heard of.
fn written(farm: &Farm, n: usize, count: usize) -> Vec<SignedChange> {
    let queue = farm.queue(0, "farm");
    let author = Author {
        host: farm.hosts[n].id,
        boot: 999,
    };
    let log = farm.hosts[0].logs[&queue.0].clone();
    let mut doc = QueueDocument::load(queue, author, log).expect("its own log");
    let device = farm.device(n);
    let write = |count| {
        let edited = doc.edit(farm.now().wall, &device, |edit| {
            edit.set_my_name(&format!("{count:0>190}"));
            Ok::<(), EditError>(())
        });
        let change = edited.expect("it may").1.expect("it changes something");
        SignedChange::clone(&change)
    };
    (0..count).map(write).collect()
}

/// Host `from` sends that to host `to`, in one message and without carrying out what follows.
fn say(farm: &mut Farm, from: usize, to: usize, message: &Message) {
    let from = farm.hosts[from].id;
    let bytes = message.encode();
    farm.input(to, Input::Message { from, bytes });
}

fn bring(farm: &mut Farm, from: usize, to: usize, changes: &[SignedChange]) {
    let message = Message::Changes {
        epoch: EpochHash::default(),
        queue: farm.queue(0, "farm"),
        changes: changes.iter().map(SignedChange::to_bytes).collect(),
        also: Vec::new(),
    };
    say(farm, from, to, &message);
}

/// How many of those changes a host has taken in.
fn of(farm: &Farm, n: usize, changes: &[SignedChange]) -> usize {
    let log = &farm.hosts[n].logs[&farm.queue(n, "farm").0];
    let log: BTreeSet<&Vec<u8>> = log.iter().collect();
    let taken = changes
        .iter()
        .filter(|change| log.contains(&change.to_bytes()));
    taken.count()
}

fn told(farm: &Farm, n: usize, kind: &str) -> usize {
    let events = farm.hosts[n].events.iter();
    events.filter(|event| event.kind == kind).count()
}

/// Two hosts, and one that became a member after they started: none of its past is to be expected.
fn farm() -> (Farm, HostId) {
    let farm = Farm::shared(&[0, 0, 0]);
    let b = farm.hosts[1].id;
    (farm, b)
}

#[test]
fn who_writes_too_fast_is_named_and_all_it_wrote_comes_in_later() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    let changes = written(&farm, 1, 900);
    bring(&mut farm, 1, 0, &changes);
    let at_once = of(&farm, 0, &changes);
    assert!((400..=500).contains(&at_once), "{at_once}");
    assert!(farm.node(0).too_fast(queue, b).is_some());
    assert_eq!(told(&farm, 0, "member.too-fast"), 1);
    // The others are served as ever.
    let made = farm.submit(2, job("farm", "of somebody else"));
    assert!(farm.snapshot(0, "farm").jobs.contains_key(&made));

    farm.pass(2_000);
    let later = of(&farm, 0, &changes);
    assert!((at_once + 50..=at_once + 150).contains(&later), "{later}");
    farm.pass(10_000);
    assert_eq!(of(&farm, 0, &changes), 900, "nothing is lost");
    assert_eq!(farm.node(0).too_fast(queue, b), None);
    assert_eq!(of(&farm, 2, &changes), 900);
}

#[test]
fn who_goes_on_flooding_is_served_at_its_pace_all_the_same() {
    let (mut farm, _) = farm();
    let changes = written(&farm, 1, 900);
    bring(&mut farm, 1, 0, &changes);
    let at_once = of(&farm, 0, &changes);
    for _ in 0..50 {
        bring(&mut farm, 1, 0, &changes[899..]);
        farm.pass(100);
    }
    let later = of(&farm, 0, &changes) - at_once;
    assert!((200..=260).contains(&later), "{later} in five seconds");
}

#[test]
fn what_finds_no_room_to_wait_is_asked_for_again() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    let changes = written(&farm, 1, 3_500);
    for part in changes.chunks(500) {
        bring(&mut farm, 1, 0, part);
    }
    let waiting = farm.node(0).too_fast(queue, b).expect("they wait");
    assert!(waiting < 2_900, "{waiting} of 3500 wait");
    farm.hosts[0].effects.clear();
    let asked = |farm: &Farm| {
        let sent = farm.hosts[0].effects.iter();
        sent.filter(|effect| {
            matches!(effect, Effect::Send { to, bytes } if *to == b
                && matches!(Message::decode(bytes), Some(Message::Have { .. })))
        })
        .count()
    };
    assert_eq!(asked(&farm), 0);
    farm.pass(120_000);
    assert!(asked(&farm) > 0);
    for _ in 0..4 {
        let known = of(&farm, 0, &changes);
        for part in changes[known..].chunks(500) {
            bring(&mut farm, 1, 0, part);
        }
        farm.pass(60_000);
    }
    assert_eq!(of(&farm, 0, &changes), 3_500);
}

#[test]
fn what_others_bring_or_have_built_upon_does_not_wait() {
    let (mut farm, _) = farm();
    let changes = written(&farm, 1, 900);
    // Host 2 took them in, however fast they came: what it brings of them is taken at its word.
    bring(&mut farm, 2, 0, &changes[..600]);
    assert_eq!(of(&farm, 0, &changes), 600);
    bring(&mut farm, 1, 0, &changes[600..]);
    assert_eq!(of(&farm, 0, &changes), 900);

    let (mut farm, _) = self::farm();
    let queue = farm.queue(0, "farm");
    let changes = written(&farm, 1, 900);
    bring(&mut farm, 1, 0, &changes);
    assert!(of(&farm, 0, &changes) <= 500);
    let mut log = farm.hosts[2].logs[&queue.0].clone();
    log.extend(changes[..800].iter().map(SignedChange::to_bytes));
    let c = farm.hosts[2].id;
    let author = Author { host: c, boot: 999 };
    let mut doc = QueueDocument::load(queue, author, log).expect("a good log");
    let edited = doc.edit(farm.now().wall, &farm.device(2), |edit| {
        edit.set_my_name("builds upon it");
        Ok::<(), EditError>(())
    });
    let change = edited.expect("it may").1.expect("it changes something");
    bring(&mut farm, 2, 0, &[SignedChange::clone(&change)]);
    assert_eq!(farm.snapshot(0, "farm").members[&c].name, "builds upon it");
    assert!(
        (800..900).contains(&of(&farm, 0, &changes)),
        "{}",
        of(&farm, 0, &changes)
    );
}

#[test]
fn who_was_away_brings_all_that_it_wrote_meanwhile() {
    let (mut farm, _) = farm();
    let changes = written(&farm, 1, 2_000);
    // After a start, whoever was a member before may have written anything.
    farm.kill(0);
    farm.boot(0);
    farm.settle();
    bring(&mut farm, 1, 0, &changes[..1_000]);
    assert_eq!(of(&farm, 0, &changes), 1_000);

    // And while a link is down, the pace adds up.
    let (mut farm, _) = self::farm();
    let changes = written(&farm, 1, 2_000);
    bring(&mut farm, 1, 0, &changes[..500]);
    farm.cut(0, 1);
    farm.pass(60_000);
    farm.heal(0, 1);
    bring(&mut farm, 1, 0, &changes[500..]);
    assert_eq!(of(&farm, 0, &changes), 2_000);
}

#[test]
fn who_writes_too_much_in_a_day_goes_on_the_next_day() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    let author = Author { host: b, boot: 999 };
    let log = farm.hosts[0].logs[&queue.0].clone();
    let mut doc = QueueDocument::load(queue, author, log).expect("its own log");
    let device = farm.device(1);
    let (mut size, mut changes) = (0, Vec::new());
    while size < 24 * 1024 * 1024 {
        let edited = doc.edit(farm.now().wall, &device, |edit| {
            edit.add_job(&large(changes.len() as u32, b));
            Ok::<(), EditError>(())
        });
        let change = edited.expect("it may").1.expect("it changes something");
        let change = SignedChange::clone(&change);
        size += change.size();
        bring(&mut farm, 1, 0, std::slice::from_ref(&change));
        changes.push(change);
        farm.pass(5_000);
    }
    let before = of(&farm, 0, &changes);
    assert!(before < changes.len());
    assert!(farm.node(0).too_fast(queue, b).is_some());
    farm.pass(24 * 3600 * 1000);
    assert_eq!(farm.node(0).too_fast(queue, b), None);
    for change in &changes[before..] {
        bring(&mut farm, 1, 0, std::slice::from_ref(change));
        farm.pass(5_000);
    }
    assert_eq!(of(&farm, 0, &changes), changes.len());
}

#[test]
fn what_waits_of_all_members_together_has_its_room_too() {
    const FLOODING: usize = 17;
    let mut farm = Farm::shared(&[0; FLOODING + 1]);
    let queue = farm.queue(0, "farm");
    let log = farm.hosts[0].logs[&queue.0].clone();
    let (mut waiting, mut counts) = (0, Vec::new());
    for n in 1..=FLOODING {
        let me = farm.hosts[n].id;
        let author = Author {
            host: me,
            boot: 999,
        };
        let mut doc = QueueDocument::load(queue, author, log.clone()).expect("its own log");
        let device = farm.device(n);
        let mut size = 0;
        for job in 0..9 {
            let edited = doc.edit(farm.now().wall, &device, |edit| {
                edit.add_job(&large((100 * n + job) as u32, me));
                Ok::<(), EditError>(())
            });
            let change = edited.expect("it may").1.expect("it changes something");
            size = change.size();
            bring(&mut farm, n, 0, &[SignedChange::clone(&change)]);
        }
        let count = farm.node(0).too_fast(queue, me).unwrap_or(0);
        waiting += count * size;
        counts.push(count);
    }
    let all = printmesh_node::limits::WAITING_BYTES_ALL;
    assert!(waiting <= all, "{waiting} bytes wait: {counts:?}");
    assert!(waiting > all / 2, "{waiting} bytes wait: {counts:?}");
    assert!(counts[FLOODING - 1] < counts[0], "{counts:?}");
}

/// So many changes that nobody of the queue signed: each of an author of its own, and as good as any otherwise.
fn forged(farm: &Farm, first: u32, count: u32) -> Vec<SignedChange> {
    let queue = farm.queue(0, "farm");
    let log = farm.hosts[0].logs[&queue.0].clone();
    let template = {
        let (host, boot) = (farm.hosts[2].id, 999);
        let mut doc = QueueDocument::load(queue, Author { host, boot }, log).expect("its own log");
        let edited = doc.edit(farm.now().wall, &farm.device(2), |edit| {
            edit.set_my_name("made up");
            Ok::<(), EditError>(())
        });
        let change = edited.expect("it may").1.expect("it changes something");
        change.to_bytes()
    };
    let forge = |n: u32| {
        let mut bytes = template.clone();
        // Another name: another change, and a signature of nobody.
        let at = bytes
            .windows(7)
            .position(|at| at == b"made up")
            .expect("its value");
        bytes[at..at + 7].copy_from_slice(format!("{n:07}").as_bytes());
        SignedChange::from_bytes(&bytes).expect("one valid form")
    };
    (first..first + count).map(forge).collect()
}

#[test]
fn who_brings_forged_changes_is_not_heard_for_a_minute_and_the_others_are() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    // One message blocks nobody: after some hundred refusals the rest waits.
    let junk = forged(&farm, 0, 1_000);
    bring(&mut farm, 1, 0, &junk);
    assert!(farm.node(0).too_fast(queue, b) >= Some(700));
    let good = written(&farm, 1, 1);
    bring(&mut farm, 1, 0, &good);
    farm.pass(20_000);
    assert_eq!(of(&farm, 0, &good), 0, "its own good change waits, too");
    let made = farm.submit(2, job("farm", "of somebody else"));
    assert!(farm.snapshot(0, "farm").jobs.contains_key(&made));
    farm.pass(600_000);
    assert_eq!(of(&farm, 0, &good), 1, "and is not lost");
}

#[test]
fn what_a_member_brings_of_others_has_a_pace_too_and_catching_up_does_not_notice() {
    let (mut farm, _) = farm();
    // Host 2 passes on what host 1 wrote; nobody has heard of the rest of it.
    let changes = written(&farm, 1, 3_000);
    for part in changes.chunks(1_000) {
        bring(&mut farm, 2, 0, part);
    }
    assert_eq!(of(&farm, 0, &changes), 3_000);
    // Known ones are free, however often.
    for _ in 0..70 {
        bring(&mut farm, 2, 0, &changes[..1_000]);
    }
    let (queue, c) = (farm.queue(0, "farm"), farm.hosts[2].id);
    assert_eq!(farm.node(0).too_fast(queue, c), None);
}

#[test]
fn a_member_cannot_fill_every_vector_with_starts_that_never_were() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    let log = farm.hosts[0].logs[&queue.0].clone();
    let device = farm.device(1);
    let start = |boot: u64| {
        let author = Author { host: b, boot };
        let mut doc = QueueDocument::load(queue, author, log.clone()).expect("its own log");
        let edited = doc.edit(farm.now().wall, &device, |edit| {
            edit.set_my_name(&format!("start {boot}"));
            Ok::<(), EditError>(())
        });
        let change = edited.expect("it may").1.expect("it changes something");
        SignedChange::clone(&change)
    };
    let starts: Vec<_> = (1_000..2_200).map(start).collect();
    for part in starts.chunks(100) {
        bring(&mut farm, 1, 0, part);
        farm.pass(5_000);
    }
    let at_first = of(&farm, 0, &starts);
    assert!((512..=520).contains(&at_first), "{at_first}");
    farm.pass(600_000);
    let later = of(&farm, 0, &starts) - at_first;
    assert!((9..=11).contains(&later), "{later} in ten minutes");
    // With a thousand of them the epoch ends, and they with it.
    assert_eq!(farm.node(0).queue_view(queue).epoch, 0);
    farm.pass(9 * 3600 * 1000);
    assert_eq!(farm.node(0).queue_view(queue).epoch, 1);
}

/// Asks host 0, a voter, on behalf of host `from`, and returns its answer.
fn ask(farm: &mut Farm, from: usize, n: u64, units: Vec<(CopyId, u32)>) -> Message {
    let host = farm.hosts[from].id;
    let ballot = Ballot {
        n,
        host,
        printer: String::new(),
    };
    let question = Message::Prepare(Ask {
        queue: farm.queue(0, "farm"),
        cfg: 1,
        units,
        ballot,
        value: Value::Withdraw { by: host },
        told: None,
    });
    farm.hosts[0].effects.clear();
    say(farm, from, 0, &question);
    let mut said = farm.hosts[0]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { to, bytes } if *to == host => Message::decode(bytes),
            _ => None,
        });
    let answer = said.find(|said| matches!(said, Message::Promise(_) | Message::Refused { .. }));
    answer.expect("a voter answers")
}

fn refusal(answer: &Message) -> Option<&Nack> {
    match answer {
        Message::Refused { nack, .. } => Some(nack),
        _ => None,
    }
}

#[test]
fn a_member_cannot_fill_the_voters_with_questions_about_copies_that_never_were() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    let jobs: Vec<_> = (0..4)
        .map(|n| farm.submit(1, job("farm", &format!("job {n}"))))
        .collect();
    let others = farm.submit(2, job("farm", "of somebody else"));
    let units = |job, first: u32, count: u32| -> Vec<(CopyId, u32)> {
        let copies = first..first + count;
        copies.map(|index| (CopyId { job, index }, 0)).collect()
    };
    // No job has more copies than that.
    let beyond = ask(&mut farm, 1, 1, units(jobs[0], 20_000, 1));
    assert_eq!(refusal(&beyond), Some(&Nack::NotAllowed));
    let too_long = ask(&mut farm, 1, 2, vec![units(jobs[0], 0, 1)[0]; 20_001]);
    assert_eq!(refusal(&too_long), Some(&Nack::NotAllowed));
    // Two jobs of most copies may be withdrawn at once, and a third one later.
    for (n, job) in jobs[..2].iter().enumerate() {
        let answer = ask(&mut farm, 1, 3 + n as u64, units(*job, 0, 20_000));
        assert_eq!(refusal(&answer), None);
    }
    let third = ask(&mut farm, 1, 5, units(jobs[2], 0, 20_000));
    assert_eq!(refusal(&third), Some(&Nack::TooFast));
    farm.pass(100_000);
    let usual = ask(&mut farm, 1, 6, units(jobs[3], 0, 90));
    assert_eq!(refusal(&usual), None, "a hundred in a hundred seconds");
    // Asking again about the same ones keeps nothing new, and has a pace all the same.
    let again = (7..20).map(|n| ask(&mut farm, 1, n, units(jobs[0], 0, 20_000)));
    let refused = again.filter(|answer| refusal(answer) == Some(&Nack::TooFast));
    assert_eq!(refused.count(), 9);
    // Nobody else notices.
    let answer = ask(&mut farm, 2, 1, units(others, 0, 20_000));
    assert_eq!(refusal(&answer), None);
}

/// A job with as much text as fits into one change.
fn large(n: u32, submitter: HostId) -> printmesh_queue::Job {
    use printmesh_queue::{FileHash, JobId, JobState, Rank, Set, SetId, SetSpec, Terms, Timestamp};
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    let file = |k: u8| {
        let mut file = crate::farm::file("part.gcode");
        file.hash = FileHash([k; 32]);
        file.name = "n".repeat(180);
        file
    };
    let set = |k: u8| {
        let mut set = id;
        set[15] = k;
        Set {
            id: SetId(set),
            rank: Rank::between(None, None),
            per_run: 1,
            spec: SetSpec {
                files: (0..30).map(file).collect(),
            },
        }
    };
    printmesh_queue::Job {
        id: JobId(id),
        name: "large".to_owned(),
        rank: Rank::between(None, None),
        copies: 1,
        together: false,
        draft: true,
        held: false,
        printers: Vec::new(),
        state: JobState::Open,
        submitter,
        created: Timestamp(0),
        origin: None,
        retries: None,
        again: std::collections::BTreeMap::new(),
        terms: Terms::default(),
        sets: (0..40).map(set).collect(),
    }
}

#[test]
fn junk_costs_who_brings_it_and_is_told_a_hundred_times_at_most() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    let mut changes = written(&farm, 0, 1);
    let mut junk = changes.remove(0).to_bytes();
    let last = junk.last_mut().expect("a signature");
    *last ^= 1;
    let junk: Vec<_> = (0..400).map(|_| junk.clone()).collect();
    for _ in 0..10 {
        let message = Message::Changes {
            epoch: EpochHash::default(),
            queue,
            changes: junk.clone(),
            also: Vec::new(),
        };
        say(&mut farm, 1, 0, &message);
    }
    assert!(farm.node(0).too_fast(queue, b).is_some());
    let refused = told(&farm, 0, "refused");
    assert!((1..=101).contains(&refused), "{refused}");
    // Its good changes are not lost by it, and nobody else pays.
    let good = written(&farm, 1, 1);
    bring(&mut farm, 2, 0, &good);
    assert_eq!(of(&farm, 0, &good), 1);
}

#[test]
fn who_asks_for_everything_again_and_again_is_told_later() {
    let (mut farm, b) = farm();
    let queue = farm.queue(0, "farm");
    // A member since before the start: a host may bring what it wrote.
    farm.kill(0);
    farm.boot(0);
    farm.settle();
    let changes = written(&farm, 1, 3_000);
    bring(&mut farm, 1, 0, &changes);
    let bytes: usize = farm.hosts[0].logs[&queue.0].iter().map(Vec::len).sum();
    farm.hosts[0].effects.clear();
    let sent = |farm: &Farm| -> usize {
        let sent = farm.hosts[0]
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Send { to, bytes } if *to == b => Some(bytes.len()),
                _ => None,
            });
        sent.sum()
    };
    let question = Message::Have {
        queue,
        epoch: EpochId::default(),
        vector: VersionVector::default(),
    };
    let times = 200 * 1024 * 1024 / bytes;
    for _ in 0..times {
        say(&mut farm, 1, 0, &question);
    }
    let before = sent(&farm);
    assert!(before > bytes, "it is answered at first");
    assert!(before < 100 * 1024 * 1024, "{before} bytes were sent");
    farm.hosts[0].effects.clear();
    farm.pass(5_000);
    assert!(
        sent(&farm) >= bytes / 2,
        "what it asked for last is told later"
    );
}

#[test]
fn a_host_has_so_many_open_jobs_in_a_queue_and_no_more() {
    let mut farm = Farm::shared(&[0]);
    let queue = farm.queue(0, "farm");
    let me = farm.hosts[0].id;
    let most = printmesh_queue::limits::MEMBER_JOBS_MAX / 2;
    let author = Author {
        host: me,
        boot: 999,
    };
    let log = farm.hosts[0].logs[&queue.0].clone();
    let mut doc = QueueDocument::load(queue, author, log).expect("its own log");
    let device = farm.device(0);
    let mut logs = Vec::new();
    for n in 0..most / 100 {
        let edited = doc.edit(farm.now().wall, &device, |edit| {
            for k in 0..100 {
                let mut job = large((n * 100 + k) as u32, me);
                job.sets.truncate(1);
                job.sets[0].spec.files.truncate(1);
                edit.add_job(&job);
            }
            Ok::<(), EditError>(())
        });
        logs.push(
            edited
                .expect("it may")
                .1
                .expect("it changes something")
                .to_bytes(),
        );
    }
    farm.kill(0);
    farm.hosts[0].logs.get_mut(&queue.0).unwrap().extend(logs);
    farm.boot(0);
    let new = Command::JobSubmit(job("farm", "one too many"));
    let problem = farm.refused(0, new);
    assert_eq!(problem.code.as_str(), "member.quota");
    // The local queue has room.
    let Answer::Job(_) = farm.ok(0, Command::JobSubmit(job("local", "fits"))) else {
        panic!("a job")
    };
}

#[test]
fn a_queue_takes_so_many_members_and_no_more() {
    const MEMBERS_MAX: u32 = 4096;
    let mut farm = Farm::new(&[0, 0]);
    let name = "farm".to_owned();
    farm.ok(0, Command::QueueCreate { name });
    let share = Command::QueueShare {
        queue: "farm".into(),
        role: printmesh_queue::Role::Admin,
        expires_ms: None,
        uses: 1,
        with_key: true,
    };
    let Answer::Ticket(parts) = farm.ok(0, share) else {
        panic!("a ticket")
    };
    let key = ed25519_dalek::SigningKey::from_bytes(&parts.secret);
    let queue = farm.queue(0, "farm");
    let author = Author {
        host: farm.hosts[0].id,
        boot: 999,
    };
    let log = farm.hosts[0].logs[&queue.0].clone();
    let mut doc = QueueDocument::load(queue, author, log).expect("its own log");
    let mut logs = Vec::new();
    let members: Vec<u32> = (1..MEMBERS_MAX).collect();
    for some in members.chunks(500) {
        let edited = doc.edit(farm.now().wall, &farm.device(0), |edit| {
            for n in some {
                let mut member = [3; 32];
                member[..4].copy_from_slice(&n.to_be_bytes());
                let (role, at) = (printmesh_queue::Role::Observer, farm.now().wall);
                let issue = printmesh_queue::Certificate::issue;
                edit.put_certificate(&issue(&key, HostId(member), role, at, None));
            }
            Ok::<(), EditError>(())
        });
        let change = edited.expect("it may").1.expect("it changes something");
        logs.push(change.to_bytes());
    }
    let ticket = farm.ticket(0, "farm", printmesh_queue::Role::Operator);
    farm.kill(0);
    farm.hosts[0].logs.get_mut(&queue.0).unwrap().extend(logs);
    farm.boot(0);
    farm.settle();
    let as_name = None;
    let problem = farm.refused(
        1,
        Command::QueueJoin {
            ticket,
            as_name,
            wan: false,
        },
    );
    assert_eq!(problem.code.as_str(), "queue.full");
}
