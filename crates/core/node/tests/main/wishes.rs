//! Taking copies out of their queue: without the voters, against printers and other hosts, and only some of them.

use std::collections::BTreeSet;

use printmesh_node::{Answer, Command, Input, JobEdit, NewJob, Place};
use printmesh_queue::JobId;
use proptest::prelude::*;

use crate::farm::{Act, Crash, Farm, Machines, file, job};

fn cancel(job: JobId) -> Command {
    Command::JobCancel {
        job: job.to_string(),
    }
}

fn release(job: JobId) -> Command {
    Command::JobRelease {
        job: job.to_string(),
    }
}

fn to_local(job: JobId) -> Command {
    Command::JobMove {
        job: job.to_string(),
        to: Some("local".into()),
        place: Place::Keep,
    }
}

fn copies(job: JobId, copies: u32) -> Command {
    edit(
        job,
        JobEdit {
            copies: Some(copies),
            ..JobEdit::default()
        },
    )
}

fn edit(job: JobId, edit: JobEdit) -> Command {
    Command::JobEdit {
        job: job.to_string(),
        edit,
    }
}

fn autoprint(farm: &mut Farm, on: bool) {
    for n in 0..farm.hosts.len() {
        if farm.up(n) {
            let printers = Vec::new();
            farm.give(n, Command::Autoprint { printers, on });
        }
    }
    farm.settle();
}

fn text(answer: &Answer) -> (bool, &str) {
    match answer {
        Answer::Done { already, text } => (*already, text),
        other => panic!("{other:?}"),
    }
}

fn requests(farm: &Farm, n: usize, job: JobId) -> Vec<(&'static str, String)> {
    let (queue, id) = farm
        .node(n)
        .job_named(&job.to_string())
        .expect("it is there");
    let about = farm.node(n).requests_about(queue, id);
    about
        .into_iter()
        .map(|request| (request.kind, request.waits_for))
        .collect()
}

fn nothing_is_open(farm: &Farm) {
    for n in (0..farm.hosts.len()).filter(|n| farm.up(*n)) {
        let left = &farm.snapshot(n, "farm").requests;
        assert!(left.is_empty(), "{left:?}");
        for key in farm.hosts[n].keys.keys() {
            let open = key.starts_with(b"request/") || key.starts_with(b"withdrawal/");
            assert!(!open, "{n}: {}", String::from_utf8_lossy(key));
        }
    }
}

fn ended(farm: &Farm, n: usize) -> Vec<String> {
    let events = farm.hosts[n].events.iter();
    events
        .filter(|event| event.kind == "request.ended")
        .filter_map(|event| event.text.clone())
        .collect()
}

/// Prints and clears beds until nothing happens any more.
fn print_all(farm: &mut Farm) {
    farm.machines = Machines::PrintAndClear;
    autoprint(farm, true);
    for _ in 0..4 {
        for n in 0..farm.hosts.len() {
            if farm.up(n) {
                farm.finish_all(n);
            }
            farm.ready(n);
        }
        farm.pass(100_000);
    }
}

#[test]
fn a_cancel_without_the_voter_is_shown_respected_and_carried_out_when_it_returns() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    autoprint(&mut farm, false);
    let id = farm.submit(
        1,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    farm.kill(0);
    farm.settle();
    let answer = farm.ok(1, cancel(id));
    assert_eq!(
        text(&answer),
        (
            false,
            "asked to cancel bracket; nobody starts it any more, and it takes effect as soon as a answers"
        )
    );
    assert!(text(&farm.ok(1, cancel(id))).0, "asked before");
    for n in [1, 2] {
        assert_eq!(farm.status(n, id), "cancel-requested");
        assert_eq!(requests(&farm, n, id), [("cancel", "a".to_owned())]);
        for (printer, why) in farm.why(n, id) {
            assert_eq!(why, "cancel-requested", "{printer}");
        }
    }
    // Neither without the voter nor in the moment in which it returns, nor over a restart of who asked.
    autoprint(&mut farm, true);
    farm.pass(3_600_000);
    farm.kill(1);
    farm.settle();
    farm.boot(1);
    farm.pass(1_000);
    farm.boot(0);
    farm.pass(10_000);
    for n in 0..3 {
        assert_eq!(farm.status(n, id), "cancelled");
    }
    assert!(farm.starts.is_empty());
    nothing_is_open(&farm);
    farm.check();
}

#[test]
fn a_move_without_the_voter_is_carried_out_when_it_returns_with_its_files() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    autoprint(&mut farm, false);
    let id = farm.submit(
        2,
        NewJob {
            copies: 2,
            ..job("farm", "bracket")
        },
    );
    farm.kill(0);
    farm.settle();
    let answer = farm.ok(1, to_local(id));
    assert!(
        text(&answer).1.starts_with("asked to move bracket"),
        "{answer:?}"
    );
    assert_eq!(farm.status(2, id), "move-requested");
    farm.kill(1);
    farm.settle();
    farm.boot(1);
    farm.boot(0);
    farm.pass(20_000);
    let (_, moved) = farm.job(1, id);
    assert_eq!((moved.origin, moved.copies), (Some(id), 2));
    assert!(farm.hosts[1].files.contains(&file("bracket").hash));
    assert_eq!(farm.status(2, id), "moved");
    nothing_is_open(&farm);
    print_all(&mut farm);
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_wish_is_taken_back_by_release_and_the_job_is_printed() {
    let mut farm = Farm::shared(&[0, 1]);
    autoprint(&mut farm, false);
    let id = farm.submit(1, job("farm", "bracket"));
    farm.kill(0);
    farm.settle();
    farm.ok(1, cancel(id));
    assert_eq!(
        text(&farm.ok(1, release(id))).1,
        "bracket: what was asked is taken back"
    );
    assert_eq!(farm.status(1, id), "queued");
    farm.boot(0);
    farm.pass(10_000);
    print_all(&mut farm);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (1, "done"));
    nothing_is_open(&farm);
    farm.check();
}

#[test]
fn a_late_start_on_the_other_side_counts_and_then_the_cancel_says_so() {
    let mut farm = Farm::shared(&[0, 0, 1]);
    farm.machines = Machines::Wait;
    for other in [0, 2] {
        farm.cut(1, other);
    }
    // The host that is cut off has the job before the printer of the other side starts it.
    farm.heal(1, 0);
    autoprint(&mut farm, false);
    let id = farm.submit(0, job("farm", "bracket"));
    farm.cut(1, 0);
    let answer = farm.ok(1, cancel(id));
    assert!(!text(&answer).0);
    autoprint(&mut farm, true);
    assert!(farm.prints(2, "p0"), "the other side knows nothing of it");
    farm.heal(1, 0);
    farm.heal(1, 2);
    farm.pass(10_000);
    assert_eq!(farm.status(2, id), "cancel-requested");
    assert_eq!(requests(&farm, 0, id), [("cancel", "c".to_owned())]);
    assert!(farm.prints(2, "p0"), "nobody asked to stop it");
    farm.begin(2, "p0");
    farm.finish(2, "p0");
    farm.pass(10_000);
    assert_eq!(farm.status(1, id), "done");
    assert_eq!(ended(&farm, 1), ["bracket is done"]);
    nothing_is_open(&farm);
    farm.check();
}

#[test]
fn of_a_job_of_which_one_copy_was_started_late_the_others_are_cancelled() {
    let mut farm = Farm::shared(&[0, 0, 1]);
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    let id = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    farm.cut(1, 0);
    farm.cut(1, 2);
    farm.ok(1, cancel(id));
    autoprint(&mut farm, true);
    farm.heal(1, 0);
    farm.heal(1, 2);
    farm.begin(2, "p0");
    farm.finish(2, "p0");
    farm.pass(10_000);
    farm.ready(2);
    farm.pass(100_000);
    assert_eq!((farm.starts.len(), farm.status(1, id)), (1, "cancelled"));
    nothing_is_open(&farm);
    farm.check();
}

#[test]
fn a_wish_is_carried_through_whatever_crashes_at_whatever_step() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in [0, 1] {
            for at in 1..40 {
                let what = format!("{crash:?} of {victim} at {at}");
                let mut farm = Farm::shared(&[1, 1]);
                autoprint(&mut farm, false);
                let id = farm.submit(
                    1,
                    NewJob {
                        copies: 2,
                        ..job("farm", "bracket")
                    },
                );
                farm.cut(0, 1);
                farm.ok(1, cancel(id));
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                farm.heal(0, 1);
                farm.pass(20_000);
                if farm.up(victim) {
                    farm.check();
                    break;
                }
                farm.boot(victim);
                farm.pass(20_000);
                for n in [0, 1] {
                    assert_eq!(farm.status(n, id), "cancelled", "{what}");
                }
                print_all(&mut farm);
                assert!(farm.starts.is_empty(), "{what}");
                nothing_is_open(&farm);
                farm.check();
            }
        }
    }
}

#[test]
fn copies_that_are_wanted_no_more_are_not_started_and_can_be_wanted_again() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    autoprint(&mut farm, false);
    let id = farm.submit(
        0,
        NewJob {
            copies: 5,
            ..job("farm", "bracket")
        },
    );
    // By one host, again by another, and back, more than once.
    for (n, wanted) in [(0, 2), (2, 4), (1, 1), (0, 3), (2, 2), (1, 6)] {
        farm.ok(n, copies(id, wanted));
        assert_eq!(farm.job(2, id).1.copies, wanted);
    }
    print_all(&mut farm);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (6, "done"));
    nothing_is_open(&farm);
    farm.check();
}

#[test]
fn lowering_and_raising_survive_a_crash_at_every_step_and_print_exactly_what_is_wanted() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in [0, 1] {
            for at in 1..40 {
                let what = format!("{crash:?} of {victim} at {at}");
                let mut farm = Farm::shared(&[1, 1]);
                autoprint(&mut farm, false);
                let id = farm.submit(
                    0,
                    NewJob {
                        copies: 4,
                        ..job("farm", "bracket")
                    },
                );
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                farm.give(1, copies(id, 2));
                farm.pass(20_000);
                farm.give(1, copies(id, 3));
                farm.pass(20_000);
                let crashed = !farm.up(victim);
                farm.hosts[victim].crash_at = None;
                if crashed {
                    farm.boot(victim);
                    farm.pass(20_000);
                }
                let wanted = farm.job(0, id).1.copies;
                print_all(&mut farm);
                let starts = farm.starts.len() as u32;
                assert_eq!(starts, wanted, "{what}{}", farm.dump(id));
                assert_eq!(farm.status(0, id), "done", "{what}");
                farm.ok(0, copies(id, 5));
                print_all(&mut farm);
                assert_eq!(farm.starts.len(), 5, "{what}");
                nothing_is_open(&farm);
                farm.check();
                if !crashed {
                    break;
                }
            }
        }
    }
}

#[test]
fn when_a_printer_starts_a_copy_while_fewer_are_wanted_the_number_stays_and_nothing_is_stuck() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let mut farm = Farm::shared(&[0, 2, 2]);
        farm.machines = Machines::Wait;
        farm.set_voters(&[0, 1, 2]);
        let draft = NewJob {
            draft: true,
            copies: 4,
            ..job("farm", "bracket")
        };
        let id = farm.submit(0, draft);
        farm.give(0, release(id));
        farm.settle_by(seed, seed as usize % 40);
        let asked = farm.give(0, copies(id, 2));
        farm.settle_by(seed, 10_000);
        farm.pass(100_000);
        let answer = farm.hosts[0].replies.remove(&asked).expect("answered");
        let wanted = farm.job(1, id).1.copies;
        assert_eq!(answer.is_ok(), wanted == 2, "seed {seed}: {answer:?}");
        outcomes.insert(wanted);
        print_all(&mut farm);
        assert_eq!(
            farm.starts.len() as u32,
            wanted,
            "seed {seed}{}",
            farm.dump(id)
        );
        assert_eq!(farm.status(0, id), "done", "seed {seed}");
        nothing_is_open(&farm);
        farm.check();
    }
    assert_eq!(outcomes.len(), 2, "both happen");
}

#[test]
fn copies_that_a_refused_cancel_had_taken_already_are_printed() {
    // More copies are wanted while the cancel is decided, and a printer starts one of the new ones first.
    let mut refused = 0;
    for seed in 0..120 {
        let mut farm = Farm::shared(&[0, 1, 0]);
        farm.machines = Machines::Wait;
        autoprint(&mut farm, false);
        let id = farm.submit(0, job("farm", "bracket"));
        let asked = farm.give(2, cancel(id));
        farm.settle_by(seed, 1 + seed as usize % 3);
        farm.give(0, copies(id, 3));
        farm.give(
            1,
            Command::Autoprint {
                printers: Vec::new(),
                on: true,
            },
        );
        farm.settle_by(seed, 10_000);
        farm.pass(100_000);
        let answer = farm.hosts[2].replies.remove(&asked).expect("answered");
        if answer.is_err() {
            refused += usize::from(farm.starts.len() == 1);
            print_all(&mut farm);
            assert_eq!(
                farm.starts.len(),
                3,
                "seed {seed}: {answer:?}{}",
                farm.dump(id)
            );
        } else {
            // The canceller may not have heard of the new copies; what it took is never printed.
            assert_eq!(farm.status(2, id), "cancelled", "seed {seed}");
            let taken = farm.starts.iter().filter(|start| start.run.1 == 0);
            assert_eq!(taken.count(), 0, "seed {seed}");
        }
        nothing_is_open(&farm);
        farm.check();
    }
    assert!(refused > 0, "it happens");
}

#[test]
fn copies_that_a_cancel_had_taken_before_its_host_died_are_cancelled_or_printed() {
    let mut ends = std::collections::BTreeMap::new();
    for seed in 0..150 {
        let mut farm = Farm::shared(&[1, 1, 1]);
        farm.set_voters(&[0, 1, 2]);
        (0..3).for_each(|n| farm.ready(n));
        farm.machines = Machines::Wait;
        autoprint(&mut farm, false);
        let two = NewJob {
            copies: 2,
            ..job("farm", "bracket")
        };
        let id = farm.submit(0, two);
        farm.give(2, cancel(id));
        farm.settle_by(seed, 2 + seed as usize % 12);
        farm.kill(2);
        for n in 0..2 {
            let printers = Vec::new();
            farm.give(n, Command::Autoprint { printers, on: true });
        }
        farm.settle_by(seed, 4 + seed as usize % 9);
        farm.boot(2);
        farm.settle_by(seed, 10_000);
        farm.ready(2);
        farm.pass(600_000);
        print_all(&mut farm);
        farm.pass(600_000);
        print_all(&mut farm);
        let end = farm.status(0, id);
        assert!(
            ["done", "cancelled"].contains(&end),
            "seed {seed}: {end}{}",
            farm.dump(id)
        );
        *ends.entry(end).or_insert(0) += 1;
        nothing_is_open(&farm);
    }
    assert_eq!(ends.len(), 2, "both happen: {ends:?}");
}

/// The voters know that it took the copies out, and nobody knows what for.
#[test]
fn copies_that_a_host_took_out_as_it_died_for_good_are_printed_once_a_person_removes_it() {
    let mut seen = 0;
    for at in 1..12 {
        let mut farm = Farm::shared(&[1, 1, 1]);
        farm.machines = Machines::Wait;
        autoprint(&mut farm, false);
        let id = farm.submit(0, job("farm", "bracket"));
        farm.hosts[2].crash_at = Some((farm.hosts[2].handled + at, Crash::AfterEffects));
        farm.give(2, cancel(id));
        farm.settle();
        if farm.up(2) {
            break;
        }
        autoprint(&mut farm, true);
        farm.pass(3 * 3_600_000);
        if !farm.starts.is_empty() || farm.status(0, id) == "cancelled" {
            continue;
        }
        seen += 1;
        let queue = "farm".to_owned();
        let member = "c".to_owned();
        farm.ok(0, Command::MemberRemove { queue, member });
        farm.pass(3 * 3_600_000);
        assert_eq!(farm.starts.len(), 1, "{at}: {}", farm.dump(id));
        farm.check();
    }
    assert!(seen > 0, "it never died in between");
}

#[test]
fn a_copy_that_one_voter_took_out_for_a_cancel_that_the_others_refused_can_be_printed() {
    let mut farm = Farm::shared(&[1, 1, 1]);
    farm.set_voters(&[0, 1, 2]);
    farm.set("lease", "20");
    (0..3).for_each(|n| farm.ready(n));
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    let id = farm.submit(1, job("farm", "bracket"));
    let promised = |farm: &Farm, n: usize, by: usize| {
        let by = farm.hosts[by].id.to_string();
        let mut votes = farm.hosts[n].keys.iter();
        votes.any(|(key, vote)| {
            let (key, vote) = (String::from_utf8_lossy(key), String::from_utf8_lossy(vote));
            key.starts_with("vote/") && key.contains(&id.to_string()) && vote.contains(&by)
        })
    };
    let go_on = |farm: &mut Farm, held: &[Act]| {
        let next = farm.acts().into_iter().find(|act| !held.contains(act));
        next.inspect(|act| farm.act(*act)).is_some()
    };
    // The others promise the cancel; the canceller stands still before it hears of it.
    let asked = farm.give(2, cancel(id));
    let held = [Act::Deliver(0, 2), Act::Deliver(1, 2), Act::Deliver(1, 0)];
    while go_on(&mut farm, &held[..2]) {}
    assert!(promised(&farm, 0, 2) && promised(&farm, 1, 2));
    // Its lease runs out, and the first host asks for the copy with a higher ballot. Itself and the second promise it.
    let printers = Vec::new();
    farm.give(0, Command::Autoprint { printers, on: true });
    while !promised(&farm, 0, 0) || !promised(&farm, 1, 0) {
        if !go_on(&mut farm, &held[..2]) {
            farm.mono_ms += 1_000;
            farm.hosts[2].behind_ms += 1_000;
            (0..2).for_each(|n| farm.input(n, Input::Wake));
        }
    }
    // So they refuse the cancel, and the first host dies.
    while !farm.hosts[2].replies.contains_key(&asked) {
        assert!(go_on(&mut farm, &held[2..]));
    }
    assert!(farm.hosts[2].replies[&asked].is_err());
    farm.kill(0);
    farm.settle();
    let printers = Vec::new();
    farm.give(1, Command::Autoprint { printers, on: true });
    farm.pass(600_000);
    let hosts: Vec<usize> = farm.starts.iter().map(|start| start.host).collect();
    assert_eq!(hosts, [1], "{}", farm.dump(id));
    farm.finish(1, "p0");
    farm.settle();
    assert_eq!(farm.status(2, id), "done");
    farm.check();
}

#[test]
fn all_copies_on_one_printer_or_one_each_is_decided_by_the_voters_too() {
    for seed in 0..40 {
        let mut farm = Farm::shared(&[0, 1, 1]);
        farm.machines = Machines::Wait;
        let draft = NewJob {
            draft: true,
            copies: 3,
            ..job("farm", "bracket")
        };
        let id = farm.submit(0, draft);
        farm.give(0, release(id));
        farm.settle_by(seed, seed as usize % 20);
        let wanted = JobEdit {
            together: Some(true),
            ..JobEdit::default()
        };
        let asked = farm.give(0, edit(id, wanted));
        farm.settle_by(seed, 10_000);
        farm.pass(100_000);
        assert!(farm.hosts[0].replies.contains_key(&asked));
        print_all(&mut farm);
        assert_eq!(farm.starts.len(), 3, "seed {seed}{}", farm.dump(id));
        assert_eq!(farm.status(0, id), "done", "seed {seed}");
        nothing_is_open(&farm);
        farm.check();
    }
}

#[test]
fn fewer_copies_without_the_voter_are_wanted_at_once_and_nobody_starts_the_others() {
    let mut farm = Farm::shared(&[0, 1]);
    autoprint(&mut farm, false);
    let id = farm.submit(
        1,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    farm.kill(0);
    farm.settle();
    farm.ok(1, copies(id, 1));
    let together = JobEdit {
        together: Some(true),
        ..JobEdit::default()
    };
    assert_eq!(
        farm.refused(1, edit(id, together)).code.as_str(),
        "claims.no-quorum"
    );
    farm.boot(0);
    print_all(&mut farm);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (1, "done"));
    farm.check();
}

#[test]
fn a_host_leaves_a_queue_with_its_wishes_and_without_a_wish_of_it_left_behind() {
    let mut farm = Farm::shared(&[0, 1]);
    autoprint(&mut farm, false);
    let id = farm.submit(1, job("farm", "bracket"));
    farm.cut(0, 1);
    farm.ok(1, to_local(id));
    assert_eq!(farm.status(1, id), "move-requested");
    farm.ok(
        1,
        Command::QueueLeave {
            queue: "farm".into(),
        },
    );
    farm.heal(0, 1);
    farm.pass(5_000);
    assert_eq!(farm.status(0, id), "queued");
    assert!(farm.snapshot(0, "farm").requests.is_empty());
    farm.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// I6 and I1: of a printer, two hosts that pull the job back and one that cancels it exactly one wins, in
    /// whatever order messages arrive.
    #[test]
    fn r_l1_of_a_printer_two_pullers_and_a_canceller_exactly_one_wins(
        seed in any::<u64>(),
        before in 0usize..25,
        between in 0usize..12,
        three in any::<bool>(),
    ) {
        let mut farm = Farm::shared(&[0, 1, 0, 0]);
        farm.machines = Machines::Wait;
        if three {
            farm.set_voters(&[0, 1, 2]);
        }
        let id = farm.submit(0, NewJob { draft: true, ..job("farm", "bracket") });
        farm.give(0, release(id));
        farm.settle_by(seed, before);
        let asked = [(2, farm.give(2, to_local(id))), (3, farm.give(3, to_local(id)))];
        farm.settle_by(seed ^ 1, between);
        let trash = farm.give(0, cancel(id));
        farm.settle_by(seed ^ 2, 10_000);
        farm.pass(100_000);
        let pulled: Vec<usize> = [2, 3]
            .into_iter()
            .filter(|n| !farm.snapshot(*n, "local").jobs.is_empty())
            .collect();
        let started = farm.starts.len();
        let trashed = matches!(
            farm.snapshot(0, "farm").jobs[&id].state,
            printmesh_queue::JobState::Cancelled { .. }
        );
        prop_assert!(pulled.len() + started + usize::from(trashed) <= 1, "{pulled:?} {started} {trashed}");
        for (n, asked) in asked {
            let answer = farm.hosts[n].replies.remove(&asked).expect("answered");
            prop_assert!(answer.is_ok() == pulled.contains(&n) || answer.is_ok(), "{answer:?}");
        }
        prop_assert!(farm.hosts[0].replies.contains_key(&trash));
        farm.check();
        // And none of them is stuck: somebody gets it in the end.
        print_all(&mut farm);
        let local = [2, 3].into_iter().filter(|n| !farm.snapshot(*n, "local").jobs.is_empty());
        let trashed = matches!(
            farm.snapshot(0, "farm").jobs[&id].state,
            printmesh_queue::JobState::Cancelled { .. }
        );
        prop_assert_eq!(local.count() + farm.starts.len() + usize::from(trashed), 1);
        nothing_is_open(&farm);
        farm.check();
    }
}
