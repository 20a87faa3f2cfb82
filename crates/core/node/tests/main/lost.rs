//! Holders that fall silent: leases, beats, and what the voters give up; what comes back finds out before it heats.

use printmesh_node::{Ask, Command, Effect, Input, Message, Nack, NewJob, NewSet, Value};
use printmesh_queue::{Ballot, ClaimState, CopyId, JobId, RunResult};

use crate::farm::{Crash, Farm, Machines, file, job};

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const HOUR: u64 = 60 * MINUTE;

/// A print that begins with a minute left is given up after this much silence.
pub(crate) const ABANDON: u64 = 30 * MINUTE + 75_000;

/// The host that was told to start a print last.
fn last_start(farm: &Farm) -> usize {
    farm.starts.last().expect("a start").host
}

/// How many voters gave an attempt on the first copy up, as host `n` knows.
pub(crate) fn words(farm: &Farm, n: usize, job: JobId, attempt: u32) -> usize {
    let snapshot = farm.snapshot(n, "farm");
    let words = snapshot.lost.get(&(CopyId { job, index: 0 }, attempt));
    words.map_or(0, std::collections::BTreeMap::len)
}

/// Texts of the events about lost prints that host `n` told.
fn told(farm: &Farm, n: usize) -> Vec<String> {
    let events = farm.hosts[n].events.iter();
    let lost = events.filter(|event| event.kind == "copy.lost");
    lost.filter_map(|event| event.text.clone()).collect()
}

/// Beats that a host sent.
fn beats(farm: &Farm, n: usize) -> usize {
    let sent = farm.hosts[n]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Message::decode(bytes),
            _ => None,
        });
    sent.filter(|message| matches!(message, Message::Beat(_)))
        .count()
}

/// Whether the voter has accepted a start.
pub(crate) fn accepted(farm: &Farm) -> bool {
    let keys = farm.hosts[0].keys.iter();
    let mut votes = keys.filter(|(key, _)| key.starts_with(b"vote/"));
    votes.any(|(_, vote)| String::from_utf8_lossy(vote).contains("\"accepted\":["))
}

/// A print under way on one of two hosts, `a` being the only voter: the job and the host that prints.
pub(crate) fn printing(farm: &mut Farm) -> (JobId, usize) {
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    let holder = last_start(farm);
    farm.begin(holder, "p0");
    farm.settle();
    (id, holder)
}

#[test]
fn a_print_whose_host_dies_is_made_by_another_printer_when_its_time_is_over_and_a_half_hour() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.pass(ABANDON - 1_000);
    assert_eq!((farm.starts.len(), words(&farm, 0, id, 0)), (1, 0));
    farm.pass(2_000);
    assert_eq!(words(&farm, 0, id, 0), 1);
    assert_eq!((farm.starts.len(), last_start(&farm)), (2, 3 - holder));
    let holder_name = farm.hosts[holder].name.clone();
    assert_eq!(
        told(&farm, 0),
        [format!(
            "{holder_name}/p0 was not heard of for too long: another printer may make the copy"
        )]
    );
    assert_eq!(farm.status(0, id), "printing");
    let rows = farm.node(0).history();
    assert_eq!(rows.len(), 1, "the history keeps it");
    assert_eq!(rows[0].result, RunResult::Unknown);
    assert!(
        rows[0]
            .note
            .as_deref()
            .is_some_and(|note| note.contains("given up"))
    );
    farm.finish(3 - holder, "p0");
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    farm.boot(holder);
    farm.settle();
    farm.ready(holder);
    farm.pass(HOUR);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (2, "done"));
    assert_eq!(told(&farm, 0).len(), 1, "told once");
    farm.check();
}

#[test]
fn what_is_given_up_never_is_left_to_a_person() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set("abandon", "never");
    let (id, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.pass(30 * 24 * HOUR);
    assert_eq!((farm.starts.len(), words(&farm, 0, id, 0)), (1, 0));
    assert_eq!(
        farm.node(0).next_wakeup(),
        None,
        "nor is anybody woken up for it"
    );
    farm.check();
}

#[test]
fn the_queue_says_how_long_a_silent_print_is_waited_for() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set("abandon", "300");
    let (_, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.pass(299_000);
    assert_eq!(farm.starts.len(), 1);
    farm.pass(2_000);
    assert_eq!((farm.starts.len(), last_start(&farm)), (2, 3 - holder));
    farm.check();
}

#[test]
fn a_print_that_reports_nothing_is_heard_of_all_the_time_and_not_more_often_than_a_beat() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = printing(&mut farm);
    farm.hosts[holder].effects.clear();
    farm.pass(24 * HOUR);
    assert_eq!((farm.starts.len(), words(&farm, 0, id, 0)), (1, 0));
    let per_member = beats(&farm, holder) / 2;
    assert!((24 * 250..24 * 330).contains(&per_member), "{per_member}");
    let printer = farm
        .node(0)
        .printer_named(&format!("{}/p0", farm.hosts[holder].name));
    let progress = farm
        .node(0)
        .progress_of(&printer.expect("seen"))
        .expect("told");
    assert_eq!((progress.fraction, progress.left_s), (Some(0.5), Some(60)));
    farm.finish(holder, "p0");
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn the_file_says_how_long_a_print_takes_when_the_printer_does_not() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let mut long = file("long");
    long.estimate_s = Some(7_200);
    let new = NewJob {
        sets: vec![NewSet::of(long, 2)],
        ..job("farm", "long")
    };
    let id = farm.submit(0, new);
    let holder = last_start(&farm);
    farm.kill(holder);
    farm.settle();
    // Two prints of two hours, a quarter of that, and half an hour.
    farm.pass(4 * HOUR + HOUR + 29 * MINUTE);
    assert_eq!((farm.starts.len(), words(&farm, 0, id, 0)), (1, 0));
    farm.pass(2 * MINUTE);
    assert_eq!((farm.starts.len(), words(&farm, 0, id, 0)), (2, 1));
    farm.check();
}

#[test]
fn a_claim_whose_holder_dies_is_open_again_after_the_lease_that_the_queue_sets() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.set("lease", "20");
    farm.machines = Machines::Print;
    let asked = farm.give_job(0, job("farm", "bracket"));
    let claimed = |farm: &Farm| farm.snapshot(0, "farm").claims.values().next().cloned();
    let holder = loop {
        if let Some(claims) = claimed(&farm) {
            let host = claims.values().next().expect("a claim").host;
            break (1..3)
                .find(|n| farm.hosts[*n].id == host)
                .expect("of the farm");
        }
        let act = farm.acts()[0];
        farm.act(act);
    };
    farm.kill(holder);
    farm.settle();
    farm.pass(19_000);
    assert!(farm.starts.is_empty(), "its lease still runs");
    // The lease, and two rounds: here they take no time, but the one that was refused asks again within a moment.
    farm.pass(1_500);
    assert_eq!((farm.starts.len(), last_start(&farm)), (1, 3 - holder));
    assert!(farm.hosts[0].replies[&asked].is_ok());
    farm.check();
}

/// What voter `voter` answers when `from` asks for an attempt on the job's first copy.
fn asked(
    farm: &mut Farm,
    voter: usize,
    from: usize,
    unit: (JobId, u32),
    n: u64,
) -> Result<(), Nack> {
    let queue = farm.queue(voter, "farm");
    let cfg = farm.snapshot(voter, "farm").voters.cfg;
    let host = farm.hosts[from].id;
    let ask = Ask {
        queue,
        cfg,
        units: vec![(
            CopyId {
                job: unit.0,
                index: 0,
            },
            unit.1,
        )],
        ballot: Ballot {
            n,
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
    let sent = farm.hosts[voter]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Message::decode(bytes),
            _ => None,
        });
    let mut answers = sent.filter_map(|message| match message {
        Message::Promise(_) => Some(Ok(())),
        Message::Refused { nack, .. } => Some(Err(nack)),
        _ => None,
    });
    answers.next().expect("a voter answers")
}

#[test]
fn one_voter_that_hears_nothing_gives_nothing_away_and_stands_by_its_word() {
    let mut farm = Farm::shared(&[0, 0, 0, 1]);
    farm.set_voters(&[0, 1, 2]);
    let (id, holder) = printing(&mut farm);
    assert_eq!(holder, 3);
    farm.cut(0, 3);
    farm.pass(ABANDON + MINUTE);
    assert_eq!(words(&farm, 1, id, 0), 1, "a gives it up");
    let copy = CopyId { job: id, index: 0 };
    assert!(
        !farm.snapshot(1, "farm").is_lost(copy, 0),
        "b and c hear of it"
    );
    assert_eq!((told(&farm, 1).len(), farm.status(1, id)), (0, "printing"));
    farm.kill(0);
    farm.boot(0);
    farm.heal(0, 3);
    assert_eq!(
        asked(&mut farm, 0, 3, (id, 0), 900),
        Err(Nack::Lost),
        "for ever"
    );
    assert_eq!(asked(&mut farm, 0, 3, (id, 1), 901), Err(Nack::Closed));
    farm.finish(3, "p0");
    farm.settle();
    assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 1));
    farm.check();
}

#[test]
fn a_voter_that_was_alone_does_not_take_its_own_silence_for_that_of_others() {
    let mut farm = Farm::shared(&[0, 0, 0, 1]);
    farm.set_voters(&[0, 1, 2]);
    let (id, _) = printing(&mut farm);
    for other in 1..4 {
        farm.cut_now(0, other);
    }
    farm.settle();
    farm.pass(5 * HOUR);
    for voter in [1, 2] {
        farm.heal(0, voter);
    }
    farm.pass(10 * MINUTE);
    assert_eq!(
        words(&farm, 0, id, 0),
        0,
        "its holder may be on its way back, too"
    );
    farm.heal(0, 3);
    farm.pass(5 * HOUR);
    assert_eq!(words(&farm, 0, id, 0), 0);
    farm.check();
}

#[test]
fn a_voter_that_has_just_been_started_waits_as_if_it_had_just_heard_of_the_print() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.pass(20 * MINUTE);
    farm.kill(0);
    farm.boot(0);
    farm.settle();
    farm.pass(29 * MINUTE);
    assert_eq!(words(&farm, 0, id, 0), 0);
    farm.pass(2 * MINUTE);
    assert_eq!(words(&farm, 0, id, 0), 1);
    farm.check();
}

#[test]
fn a_voter_that_gave_a_print_up_does_not_stand_behind_it_and_others_do() {
    let mut farm = Farm::shared(&[0, 0, 0, 1]);
    farm.set_voters(&[0, 1, 2]);
    let (id, _) = printing(&mut farm);
    farm.cut(0, 3);
    farm.pass(ABANDON + MINUTE);
    farm.heal(0, 3);
    assert_eq!(words(&farm, 1, id, 0), 1);
    for (voter, expected) in [(0, Some(Nack::Lost)), (1, None)] {
        let question = Message::Confirm {
            queue: farm.queue(voter, "farm"),
            cfg: farm.snapshot(voter, "farm").voters.cfg,
            copy: CopyId { job: id, index: 0 },
            attempt: 0,
            round: 7,
        };
        farm.hosts[voter].effects.clear();
        let from = farm.hosts[3].id;
        let bytes = question.encode();
        farm.input(voter, Input::Message { from, bytes });
        let sent = farm.hosts[voter]
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Send { bytes, .. } => Message::decode(bytes),
                _ => None,
            });
        let answers: Vec<_> = sent
            .filter_map(|message| match message {
                Message::Confirmed { round: 7, nack, .. } => Some(nack),
                _ => None,
            })
            .collect();
        assert_eq!(answers, [expected], "{voter}");
    }
}

#[test]
fn a_holder_whose_voters_do_not_stand_behind_it_gives_its_copy_back_and_old_answers_do_not_count() {
    for answer in [Some(Nack::Lost), None] {
        let mut farm = Farm::shared(&[0, 1]);
        farm.set("confirm", "always");
        farm.machines = Machines::Wait;
        farm.hosts[1].effects.clear();
        farm.give_job(0, job("farm", "bracket"));
        let asked = |farm: &Farm| {
            let mut sent = farm.hosts[1]
                .effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Send { bytes, .. } => Message::decode(bytes),
                    _ => None,
                });
            sent.find_map(|message| match message {
                Message::Confirm { round, queue, .. } => Some((round, queue)),
                _ => None,
            })
        };
        let (round, queue) = loop {
            if let Some(asked) = asked(&farm) {
                break asked;
            }
            let act = farm.acts()[0];
            farm.act(act);
        };
        let from = farm.hosts[0].id;
        let mut answers = |round, nack| {
            let bytes = Message::Confirmed { queue, round, nack }.encode();
            farm.input(1, Input::Message { from, bytes });
            farm.starts.len()
        };
        assert_eq!(answers(round.wrapping_add(1), None), 0, "of another round");
        assert_eq!(
            answers(round, answer.clone()),
            usize::from(answer.is_none())
        );
        let claims = farm
            .snapshot(1, "farm")
            .claims
            .values()
            .next()
            .expect("claimed");
        let state = claims.values().next().expect("by b").record.state;
        let expected = match answer {
            Some(_) => ClaimState::Released,
            None => ClaimState::Printing,
        };
        assert_eq!(state, expected);
    }
}

#[test]
fn an_old_sign_of_life_that_comes_late_is_none() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = printing(&mut farm);
    farm.hosts[holder].effects.clear();
    farm.pass(MINUTE);
    let mut sent = farm.hosts[holder]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Some(bytes.clone()),
            _ => None,
        });
    let beat = sent.find(|bytes| matches!(Message::decode(bytes), Some(Message::Beat(_))));
    let bytes = beat.expect("it spoke up");
    farm.kill(holder);
    farm.settle();
    for _ in 0..4 {
        farm.pass(10 * MINUTE);
        let from = farm.hosts[holder].id;
        let bytes = bytes.clone();
        farm.input(0, Input::Message { from, bytes });
        farm.settle();
    }
    assert_eq!((farm.starts.len(), words(&farm, 0, id, 0)), (2, 1));
    farm.check();
}

#[test]
fn a_voter_that_dies_as_it_gives_a_print_up_has_said_so_everywhere_or_nowhere() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites] {
        let mut farm = Farm::shared(&[0, 0, 0, 1]);
        farm.set_voters(&[0, 1, 2]);
        let (id, _) = printing(&mut farm);
        farm.cut(0, 3);
        farm.pass(ABANDON - 1_000);
        assert_eq!(words(&farm, 0, id, 0), 0);
        // Its next step is the one in which it does.
        let host = &mut farm.hosts[0];
        host.crash_at = Some((host.handled + 1, crash));
        farm.pass(2_000);
        assert!(!farm.up(0), "{crash:?}");
        farm.boot(0);
        farm.settle();
        let said = usize::from(crash == Crash::AfterWrites);
        assert_eq!(words(&farm, 0, id, 0), said, "{crash:?}");
        assert_eq!(words(&farm, 1, id, 0), said, "{crash:?}");
        farm.heal(0, 3);
        let answer = asked(&mut farm, 0, 3, (id, 0), 900);
        assert_eq!(answer == Err(Nack::Lost), said == 1, "{crash:?}");
        farm.check();
    }
}

#[test]
fn a_print_that_comes_back_after_it_was_given_up_goes_on_to_its_end_and_counts() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = printing(&mut farm);
    let other = 3 - holder;
    farm.cut_now(0, holder);
    farm.cut_now(other, holder);
    farm.settle();
    farm.pass(ABANDON + MINUTE);
    assert_eq!((farm.starts.len(), last_start(&farm)), (2, other));
    farm.heal_all();
    farm.settle();
    assert_eq!(farm.status(0, id), "printing");
    farm.pass(MINUTE);
    assert!(farm.prints(holder, "p0"), "a begun print is never stopped");
    farm.finish(holder, "p0");
    farm.settle();
    assert_eq!(farm.status(0, id), "done", "its result counts");
    farm.finish(other, "p0");
    farm.settle();
    let states: Vec<ClaimState> = farm.snapshot(0, "farm").claims[&CopyId { job: id, index: 0 }]
        .values()
        .map(|claim| claim.record.state)
        .collect();
    assert_eq!(
        states,
        [ClaimState::Surplus, ClaimState::Finished],
        "one part too many, and both are shown"
    );
    farm.check();
}

/// A copy of two prints, the first under way at one of two hosts that do not hear one another any more; the other one
/// took it over.
fn taken_over(farm: &mut Farm) -> (JobId, usize) {
    farm.machines = Machines::Wait;
    let new = NewJob {
        sets: vec![NewSet::of(file("bracket"), 2)],
        ..job("farm", "pair")
    };
    let id = farm.submit(0, new);
    let holder = last_start(farm);
    farm.begin(holder, "p0");
    farm.settle();
    farm.cut_now(0, holder);
    farm.cut_now(3 - holder, holder);
    farm.settle();
    farm.pass(ABANDON + MINUTE);
    assert_eq!((farm.starts.len(), last_start(farm)), (2, 3 - holder));
    (id, holder)
}

#[test]
fn of_a_copy_that_was_taken_over_the_print_under_way_is_finished_and_the_rest_given_back() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    let (id, holder) = taken_over(&mut farm);
    farm.heal_all();
    farm.settle();
    farm.finish(holder, "p0");
    farm.settle();
    farm.ready(holder);
    farm.pass(MINUTE);
    assert_eq!(
        farm.starts
            .iter()
            .filter(|start| start.host == holder)
            .count(),
        1
    );
    let claims = &farm.snapshot(0, "farm").claims[&CopyId { job: id, index: 0 }];
    let first = &claims[&(0, farm.hosts[holder].id)];
    assert_eq!(first.record.state, ClaimState::Released);
    assert_eq!(
        first.runs[&0].result,
        RunResult::Ok,
        "what it made is not forgotten"
    );
    assert!(
        first
            .record
            .note
            .as_deref()
            .is_some_and(|note| note.contains("given up"))
    );
    farm.check();
}

#[test]
fn where_only_a_majority_counts_a_copy_pauses_between_two_prints_when_the_voters_are_long_out_of_reach()
 {
    for (level, pauses) in [("majority", true), ("available", false)] {
        let mut farm = Farm::shared(&[0, 1, 0]);
        farm.set("claims", level);
        farm.machines = Machines::Wait;
        let new = NewJob {
            sets: vec![NewSet::of(file("bracket"), 4)],
            ..job("farm", "four")
        };
        let id = farm.submit(0, new);
        farm.pass(5_000);
        assert!(farm.prints(1, "p0"), "{level}: {}", farm.dump(id));
        farm.begin(1, "p0");
        farm.settle();
        farm.cut(0, 1);
        farm.pass(MINUTE);
        farm.finish(1, "p0");
        farm.settle();
        farm.ready(1);
        assert_eq!(farm.starts.len(), 2, "{level}: a short cut stops nothing");
        // Half the time after which the voters may give it up.
        farm.pass(20 * MINUTE);
        farm.finish(1, "p0");
        farm.settle();
        farm.ready(1);
        farm.pass(MINUTE);
        assert_eq!(farm.starts.len() == 2, pauses, "{level}");
        farm.heal(0, 1);
        assert_eq!(farm.starts.len(), 3, "{level}: confirmed, it goes on");
        farm.check();
    }
}

#[test]
fn an_unknown_end_waits_for_a_person_unless_the_queue_says_otherwise_or_its_host_is_gone() {
    for (setting, gone, given_up) in [
        ("person", false, false),
        ("eta", false, true),
        ("person", true, true),
    ] {
        let mut farm = Farm::shared(&[0, 1, 1]);
        farm.set("unknown", setting);
        farm.machines = Machines::Wait;
        // It may have begun or not when its host goes down: that nobody can say.
        let id = farm.submit(0, job("farm", "bracket"));
        let holder = last_start(&farm);
        farm.kill(holder);
        farm.settle();
        farm.boot(holder);
        farm.settle();
        assert_eq!(farm.status(0, id), "unknown");
        if gone {
            farm.pass(10 * HOUR);
            farm.kill(holder);
            farm.settle();
        }
        farm.pass(29 * MINUTE);
        assert_eq!(words(&farm, 0, id, 0), 0, "{setting} {gone}");
        farm.pass(10 * HOUR);
        assert_eq!(words(&farm, 0, id, 0) == 1, given_up, "{setting} {gone}");
        assert_eq!(farm.starts.len() == 2, given_up, "{setting} {gone}");
        farm.check();
    }
}

/// Seed 148 of the simulator: nobody else may say how it ended, and its host was not asked any more.
#[test]
fn an_unknown_end_of_a_member_that_was_put_out_is_given_up_although_its_host_still_runs() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    let holder = last_start(&farm);
    farm.kill(holder);
    farm.settle();
    farm.boot(holder);
    farm.settle();
    assert_eq!(farm.status(0, id), "unknown");
    farm.pass(10 * HOUR);
    assert_eq!(words(&farm, 0, id, 0), 0);
    // They share another queue: the link stays.
    let name = "other".to_owned();
    farm.ok(0, Command::QueueCreate { name });
    let ticket = farm.ticket(0, "other", printmesh_queue::Role::Operator);
    let (as_name, wan) = (None, false);
    farm.ok(
        holder,
        Command::QueueJoin {
            ticket,
            as_name,
            wan,
        },
    );
    let (queue, member) = ("farm".to_owned(), farm.hosts[holder].id.fingerprint());
    farm.ok(0, Command::MemberRemove { queue, member });
    farm.settle();
    farm.pass(29 * MINUTE);
    assert_eq!(words(&farm, 0, id, 0), 0, "it may still be at work");
    farm.pass(10 * HOUR);
    assert_eq!(words(&farm, 0, id, 0), 1);
    assert_eq!(farm.starts.len(), 2, "the other printer makes it");
}

/// It still gives its vote away, and has nothing else to do meanwhile.
#[test]
fn a_voter_that_stops_while_it_waits_for_a_silent_print_does_not_work_without_a_pause() {
    let mut farm = Farm::shared(&[0, 1]);
    let (_, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.pass(10 * MINUTE);
    farm.input(0, Input::ShuttingDown);
    for _ in 0..5 {
        let now = farm.now_of(0).mono_ms;
        let next = farm.node(0).next_wakeup();
        assert!(next.is_none_or(|next| next > now), "{next:?} at {now}");
        farm.pass(30_000);
        farm.input(0, Input::Wake);
    }
}

#[test]
fn a_majority_of_three_voters_gives_a_print_up_each_by_its_own_clock() {
    let mut farm = Farm::shared(&[0, 0, 0, 1, 1]);
    farm.set_voters(&[0, 1, 2]);
    let (id, holder) = printing(&mut farm);
    farm.kill(holder);
    farm.settle();
    farm.pass(10 * MINUTE);
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    farm.pass(ABANDON - 10 * MINUTE + 1_000);
    assert_eq!(words(&farm, 0, id, 0), 2, "b has not waited long enough");
    assert_eq!((farm.starts.len(), last_start(&farm)), (2, 7 - holder));
    farm.pass(20 * MINUTE);
    assert_eq!(
        words(&farm, 0, id, 0),
        2,
        "what is lost needs no further word"
    );
    farm.check();
}

#[test]
fn a_decision_that_the_voters_took_back_meanwhile_never_heats() {
    for confirm in ["auto", "always"] {
        let mut farm = Farm::shared(&[0, 1, 1]);
        farm.set("confirm", confirm);
        farm.machines = Machines::Wait;
        farm.ok(
            2,
            Command::Autoprint {
                printers: Vec::new(),
                on: false,
            },
        );
        let id = farm.give_job(0, job("farm", "bracket"));
        // Until the voter has accepted the start, and its word is on the way.
        while !accepted(&farm) {
            let act = farm.acts()[0];
            farm.act(act);
        }
        farm.hosts[1].frozen = true;
        farm.settle();
        farm.ok(
            2,
            Command::Autoprint {
                printers: Vec::new(),
                on: true,
            },
        );
        farm.pass(31 * MINUTE);
        assert_eq!(
            farm.starts
                .iter()
                .map(|start| start.host)
                .collect::<Vec<_>>(),
            [2],
            "{confirm}"
        );
        farm.hosts[1].frozen = false;
        farm.settle();
        farm.pass(HOUR);
        assert_eq!(
            farm.starts.len(),
            1,
            "{confirm}: b finds out before it heats"
        );
        assert!(farm.hosts[0].replies[&id].is_ok());
        farm.check();
    }
}

/// Questions of a host whether its claim still stands.
fn confirms(farm: &Farm, n: usize) -> usize {
    let sent = farm.hosts[n]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Message::decode(bytes),
            _ => None,
        });
    sent.filter(|message| matches!(message, Message::Confirm { .. }))
        .count()
}

#[test]
fn a_start_asks_twice_only_where_the_queue_wants_it_or_the_first_answer_took_longer_than_a_minute()
{
    for (confirm, late_ms, asked_again) in [
        ("auto", 0, 0),
        ("auto", 50_000, 0),
        ("auto", 70_000, 1),
        ("always", 0, 1),
    ] {
        let mut farm = Farm::shared(&[0, 1]);
        if confirm == "always" {
            farm.set("confirm", confirm);
        }
        farm.machines = Machines::Print;
        farm.hosts[1].effects.clear();
        farm.give_job(0, job("farm", "bracket"));
        let starting = |farm: &Farm| {
            let mut kept = farm.hosts[1].keys.iter();
            kept.any(|(key, work)| {
                key.starts_with(b"work/") && String::from_utf8_lossy(work).contains("Starting")
            })
        };
        while !starting(&farm) {
            let act = farm.acts()[0];
            farm.act(act);
        }
        farm.hosts[0].frozen = true;
        farm.pass(late_ms);
        assert!(farm.starts.is_empty());
        let waits = farm.snapshot(1, "farm").claims.values().any(|claims| {
            claims
                .values()
                .any(|claim| claim.record.state == ClaimState::Staged)
        });
        assert_eq!(
            waits,
            late_ms > 0,
            "{confirm} {late_ms}: a start that waits is said to be staged"
        );
        farm.hosts[0].frozen = false;
        farm.settle();
        assert_eq!(
            (farm.starts.len(), confirms(&farm, 1)),
            (1, asked_again),
            "{confirm} {late_ms}"
        );
        farm.check();
    }
}

#[test]
fn what_was_decided_and_does_not_print_at_once_is_said_in_the_document() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.set("confirm", "always");
    farm.machines = Machines::Wait;
    farm.give_job(0, job("farm", "bracket"));
    while confirms(&farm, 1) == 0 {
        let act = farm.acts()[0];
        farm.act(act);
    }
    let state = |farm: &Farm| {
        let claims = farm
            .snapshot(1, "farm")
            .claims
            .values()
            .next()
            .expect("claimed");
        claims.values().next().expect("by b").record.state
    };
    assert_eq!((state(&farm), farm.starts.len()), (ClaimState::Started, 0));
    farm.settle();
    assert_eq!((state(&farm), farm.starts.len()), (ClaimState::Printing, 1));
    farm.check();
}

/// Whoever has not heard that its print was stopped may write it off and make the next one.
#[test]
fn a_job_that_was_stopped_away_from_the_voters_is_not_called_cancelled_before_they_know() {
    let mut farm = Farm::shared(&[1, 0, 0]);
    farm.set_voters(&[0, 1, 2]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.pass(2_000);
    assert_eq!(farm.starts.len(), 1);
    farm.cut(0, 1);
    farm.cut(0, 2);
    farm.pass(1_000);
    farm.give(
        0,
        Command::JobStop {
            job: id.to_string(),
        },
    );
    farm.pass(60_000);
    assert_ne!(farm.status(0, id), "cancelled", "{}", farm.dump(id));
    farm.heal(0, 1);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "cancelled", "{}", farm.dump(id));
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}
