//! Hosts that are off, boot apart, or have wrong clocks, and printers that want one copy.

use printmesh_node::{Command, Input, NewJob, Place};
use printmesh_queue::{ClaimState, JobState, RunResult, Timestamp};

use super::{autoprint, copies, order, to_place};
use crate::farm::{Act, Farm, Machines, job};

/// With one of two hosts off, every write failed after five seconds, also after a minute and after removing the peer.
#[test]
fn d01_with_one_of_two_hosts_off_jobs_are_taken_and_changed_at_once_and_own_ones_printed() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.ok(1, autoprint(false));
    farm.kill(0);
    farm.settle();
    let off_at_ms = farm.mono_ms;
    let first = farm.submit(1, job("farm", "first"));
    let second = farm.submit(1, job("farm", "second"));
    farm.ok(1, copies(first, 7));
    farm.ok(1, to_place(second, Place::Top));
    farm.ok(
        1,
        Command::JobHold {
            job: first.to_string(),
        },
    );
    farm.ok(1, autoprint(true));
    let own = farm.submit(1, job("local", "own"));
    assert_eq!(farm.status(1, own), "done");
    assert_eq!(farm.mono_ms, off_at_ms, "nobody waited for anybody");
    assert_eq!(order(&farm, 1), [second, first]);
    farm.boot(0);
    farm.settle();
    assert_eq!(order(&farm, 0), [second, first]);
    let (_, job) = farm.job(0, first);
    assert_eq!((job.copies, job.held), (7, true));
    farm.check();
}

/// The same: nothing could be claimed any more, so the printer that was on stood still.
#[test]
fn d01_with_one_of_two_printers_off_the_other_goes_on_printing() {
    for in_order in [true, false] {
        let mut farm;
        if in_order {
            // The other one votes from then on, so that this holds where only a majority counts as well.
            farm = Farm::choosing(&[1, 1]);
            farm.stop(0);
        } else {
            farm = Farm::available(&[1, 1], &[0]);
            farm.kill(0);
        }
        farm.settle();
        let id = farm.submit(
            1,
            NewJob {
                copies: 3,
                ..job("farm", "bracket")
            },
        );
        // Longer than copies wait that are the other printer's by right.
        farm.pass(2 * 3_600_000);
        assert_eq!(
            farm.status(1, id),
            "done",
            "in order: {in_order}, {:?}",
            farm.why(1, id)
        );
        assert_eq!(farm.starts.len(), 3);
        farm.boot(0);
        farm.pass(60_000);
        assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 3));
        farm.check();
    }
}

/// After a restart of all hosts at once the queue was empty: it had lived in memory only.
#[test]
fn d02_all_hosts_lose_power_at_once_and_the_queue_is_as_it_was() {
    let mut farm = Farm::shared(&[1, 1]);
    let done = farm.submit(
        1,
        NewJob {
            copies: 2,
            ..job("farm", "done")
        },
    );
    for n in [0, 1] {
        farm.ok(n, autoprint(false));
    }
    let waiting = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "waiting")
        },
    );
    let draft = farm.submit(
        1,
        NewJob {
            draft: true,
            ..job("farm", "draft")
        },
    );
    farm.ok(1, to_place(draft, Place::Top));
    let before = farm.snapshot(0, "farm").clone();
    farm.kill(0);
    farm.kill(1);
    farm.settle();
    // Whichever is on first knows it all, alone.
    for n in [1, 0] {
        farm.boot(n);
        farm.settle();
        let after = farm.snapshot(n, "farm");
        assert_eq!((&after.jobs, &after.claims), (&before.jobs, &before.claims));
        assert_eq!(after.voters, before.voters);
        assert_eq!(order(&farm, n), [draft, done, waiting]);
    }
    for n in [0, 1] {
        farm.ready(n);
        farm.ok(n, autoprint(true));
    }
    assert_eq!(farm.status(1, waiting), "done");
    assert_eq!(farm.starts.len(), 5);
    farm.check();
}

/// Hosts that did not hear each other at boot each became the leader of their own half, and stayed so.
#[test]
fn d03_hosts_that_boot_apart_have_one_queue_as_soon_as_they_meet() {
    let mut farm = Farm::shared(&[1, 1]);
    for n in [0, 1] {
        farm.ok(n, autoprint(false));
        farm.kill(n);
    }
    farm.settle();
    farm.cut(0, 1);
    for n in [0, 1] {
        farm.boot(n);
    }
    farm.pass(10_000);
    let by_a = farm.submit(0, job("farm", "by a"));
    let by_b = farm.submit(1, job("farm", "by b"));
    let queue = farm.queue(0, "farm");
    assert_eq!(farm.queue(1, "farm"), queue);
    assert_eq!(
        (farm.try_status(0, by_b), farm.try_status(1, by_a)),
        ("?", "?")
    );
    farm.heal(0, 1);
    let mut both = [by_a, by_b];
    both.sort_unstable();
    assert_eq!(order(&farm, 0), both);
    assert_eq!(order(&farm, 1), both);
    for n in [0, 1] {
        farm.ready(n);
        farm.ok(n, autoprint(true));
    }
    farm.pass(60_000);
    for id in both {
        assert_eq!((farm.status(0, id), farm.status(1, id)), ("done", "done"));
    }
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

/// And where two hosts each made a default queue in good faith, these are two queues with their own jobs, not one that
/// silently takes the other's place.
#[test]
fn d03_two_default_queues_that_were_made_apart_stay_two_and_lose_nothing() {
    let mut farm = Farm::new(&[0, 0]);
    farm.lan = false;
    let mut jobs = Vec::new();
    for n in [0, 1] {
        farm.give(n, Command::LanQueue);
        farm.pass(10_000);
        jobs.push(farm.submit(n, job("LAN", "bracket")));
    }
    farm.lan = true;
    for n in [0, 1] {
        farm.kill(n);
        farm.boot(n);
    }
    farm.pass(60_000);
    assert_ne!(farm.queue(0, "LAN"), farm.queue(1, "LAN"));
    for n in [0, 1] {
        let found = farm.snapshot(n, "LAN").jobs_in_order();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, jobs[n]);
    }
}

/// Lets everything happen that needs no time, but nothing that a host hears from its own disk, drivers and file store.
fn settle_between_hosts(farm: &mut Farm) {
    while let Some(act) = farm
        .acts()
        .into_iter()
        .find(|act| !matches!(act, Act::Local(_)))
    {
        farm.act(act);
    }
}

/// Puts a host's calendar clock so far ahead of the others'.
fn set_clock(farm: &mut Farm, n: usize, ahead_ms: i64) {
    let right = farm.now().wall.0;
    farm.hosts[n].wall = Some(Timestamp(right.saturating_add_signed(ahead_ms)));
}

/// A claim ended by the clock of whoever asked: with a clock 61 seconds ahead one took what had just been granted.
#[test]
fn d04_a_clock_61_seconds_ahead_takes_no_claim() {
    for wrong in 0..3 {
        for ahead_ms in [61_000, -61_000, 86_400_000, -86_400_000_i64] {
            let mut farm = Farm::shared(&[0, 1, 1]);
            farm.machines = Machines::Wait;
            set_clock(&mut farm, wrong, ahead_ms);
            // A claim whose files do not come, held for two minutes.
            farm.give_job(0, job("farm", "bracket"));
            settle_between_hosts(&mut farm);
            let claims = |farm: &Farm| -> Vec<_> {
                let claims = &farm.snapshot(0, "farm").claims;
                let claims = claims.values().flat_map(|claims| claims.values());
                claims
                    .map(|claim| (claim.host, claim.attempt, claim.record.state))
                    .collect()
            };
            let held = claims(&farm);
            assert_eq!(held.len(), 1);
            assert_eq!(held[0].2, ClaimState::Fetching);
            for _ in 0..120 {
                farm.mono_ms += 1_000;
                set_clock(&mut farm, wrong, ahead_ms);
                for n in 0..3 {
                    farm.input(n, Input::Wake);
                }
                settle_between_hosts(&mut farm);
                assert_eq!(claims(&farm), held, "{wrong} is {ahead_ms} ms ahead");
            }
            // And once it prints.
            farm.settle();
            farm.pass(3_600_000);
            let started: Vec<_> = farm
                .starts
                .iter()
                .map(|start| farm.hosts[start.host].id)
                .collect();
            assert_eq!(started, [held[0].0], "{wrong} is {ahead_ms} ms ahead");
            farm.check();
        }
    }
}

/// Two idle printers both took the same job, and two printers of one host did not even see each other's claim.
#[test]
fn d07_of_idle_printers_on_one_host_or_on_several_one_takes_the_copy() {
    for printers in [[0, 2, 0], [2, 0, 0], [1, 1, 1], [0, 2, 2]] {
        for seed in 0..12 {
            let mut farm = Farm::shared(&printers);
            for n in 0..3 {
                farm.ok(n, autoprint(false));
            }
            let id = farm.submit(0, job("farm", "bracket"));
            for n in 0..3 {
                farm.give(n, autoprint(true));
            }
            farm.settle_by(seed, 10_000);
            farm.pass(120_000);
            assert_eq!(farm.starts.len(), 1, "{printers:?}, seed {seed}");
            assert_eq!(farm.status(2, id), "done");
            farm.check();
        }
    }
}

/// Deleting a job that was printed broke its printer's driver for good, and the page of everybody.
#[test]
fn d08_a_job_that_is_taken_away_under_a_printing_printer_breaks_nothing() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let gone = farm.submit(0, job("farm", "gone"));
    let next = farm.submit(0, job("farm", "next"));
    farm.begin(1, "p0");
    farm.settle();
    let cancel = Command::JobCancel {
        job: gone.to_string(),
    };
    assert_eq!(farm.refused(0, cancel).code.as_str(), "job.leased");
    // What no command does, but an admin's other software may: the document says that it is cancelled.
    let (by, at) = (farm.hosts[0].id, farm.now().wall);
    farm.edit_farm(|edit| edit.set_job_state(gone, &JobState::Cancelled { by, at }));
    for n in [0, 1] {
        assert_eq!(farm.status(n, gone), "cancelled");
        farm.why(n, gone);
        farm.why(n, next);
    }
    assert!(farm.prints(1, "p0"), "a begun print goes on");
    farm.finish(1, "p0");
    farm.settle();
    assert_eq!(farm.node(0).history()[0].result, RunResult::Ok);
    farm.ready(1);
    farm.finish_all(1);
    farm.settle();
    assert_eq!((farm.status(0, next), farm.starts.len()), ("done", 2));
    farm.check();
}

/// Three failed attempts counted as one finished print, and the job said that it was done.
#[test]
fn d09_a_print_that_fails_however_often_is_never_counted_as_made() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    let mut failed = 0;
    for _ in 0..20 {
        for n in [0, 1] {
            if farm.prints(n, "p0") {
                farm.begin(n, "p0");
                farm.settle();
                farm.fail(n, "p0", "it came off the bed");
                failed += 1;
            }
            farm.ready(n);
        }
        farm.pass(10 * 60_000);
        let (snapshot, job) = farm.job(0, id);
        assert_eq!(Farm::done_copies(snapshot, job), 0);
        assert_eq!(Farm::good_runs(snapshot, job), 0);
        assert_ne!(farm.status(0, id), "done");
    }
    assert!((1..=20).contains(&failed) && farm.starts.len() == failed);
    assert!(!farm.prints(0, "p0") && !farm.prints(1, "p0"), "it ends");
    let said = farm.hosts[0].events.iter();
    let ends = said.filter(|event| event.state.as_deref() == Some("finished"));
    assert_eq!(ends.count(), 0);
    let history = farm.node(1).history();
    assert_eq!(history.len(), failed);
    assert!(
        history
            .iter()
            .all(|print| print.result == RunResult::Failed)
    );
}

/// What came in on the port was unpickled, and a pickle runs what it says.
#[test]
fn d13_what_is_no_message_is_skipped_even_from_a_member() {
    let mut farm = Farm::shared(&[0, 1]);
    let from = farm.hosts[1].id;
    let before = (farm.hosts[0].keys.clone(), farm.hosts[0].logs.clone());
    farm.hosts[0].effects.clear();
    let pickle = b"cos\nsystem\n(S'touch /nowhere/pickled'\ntR.";
    for bytes in [pickle.to_vec(), Vec::new(), vec![0xff; 1 << 16]] {
        farm.input(0, Input::Message { from, bytes });
    }
    assert_eq!(farm.hosts[0].effects, []);
    assert_eq!(
        (farm.hosts[0].keys.clone(), farm.hosts[0].logs.clone()),
        before
    );
    let id = farm.submit(1, job("farm", "bracket"));
    assert_eq!(farm.status(0, id), "done");
}
