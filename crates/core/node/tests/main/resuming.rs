//! After a crash in the middle of a print: what the journal says, what the printer says, and what only a person can say. Each row
//! of the table of `notes/claims.md` §3.5, cut before and after its commit.

use printmesh_node::{Command, Doing, Effect, Ended, NewJob, NewSet, PrinterReport, Resolve};
use printmesh_queue::{Bed, ClaimState, CopyId, JobId, RunResult};

use crate::farm::{Alone, Crash, Farm, Machines, file, job};

const P0: &str = "p0";

pub(crate) fn resolve(copy: &str, resolve: Resolve) -> Command {
    Command::JobResolve {
        copy: copy.to_owned(),
        resolve,
    }
}

/// The last claim on the copy, as this host knows it.
fn claim(farm: &Farm, n: usize, id: JobId) -> (ClaimState, Option<RunResult>) {
    let (snapshot, _) = farm.job(n, id);
    let claim = snapshot.claims_of(CopyId { job: id, index: 0 }).last();
    let claim = claim.expect("it was claimed");
    let run = claim.runs.values().last().map(|run| run.result);
    (claim.record.state, run)
}

fn bed(farm: &Farm, n: usize) -> Bed {
    farm.node(n).own_printers_view()[P0].bed
}

fn told_unknown(farm: &Farm, n: usize) -> usize {
    let events = farm.hosts[n].events.iter();
    events.filter(|event| event.kind == "copy.unknown").count()
}

/// A host alone with a printer that prints by itself.
fn autonomous() -> Farm {
    let mut farm = Farm::new(&[1]);
    farm.kill(0);
    farm.alone.insert((0, P0.to_owned()), Alone::Rests(None));
    farm.boot(0);
    farm.settle();
    farm.ready(0);
    farm.machines = Machines::Wait;
    farm
}

fn crash_and_boot(farm: &mut Farm) {
    farm.kill(0);
    farm.boot(0);
    farm.settle();
}

/// The steps of the way up to the print, each with the power cut there: the host wakes up with what that step's row
/// allows, and the copy is printed once.
#[test]
fn up_to_the_intent_a_crash_gives_the_copy_back_and_it_is_printed_once() {
    let mut rows = 0;
    for crash in [Crash::BeforeWrites, Crash::AfterWrites] {
        for at in 1.. {
            let mut farm = Farm::shared(&[0, 1]);
            farm.machines = Machines::Wait;
            farm.hosts[1].crash_at = Some((farm.hosts[1].handled + at, crash));
            let id = farm.submit(0, job("farm", "bracket"));
            let intends = |effect: &Effect| matches!(effect, Effect::StartPrint { .. });
            if farm.up(1) {
                assert!(farm.hosts[1].effects.iter().any(intends));
                break;
            }
            rows += 1;
            let meant =
                String::from_utf8_lossy(farm.hosts[1].keys.get(&b"work/p0"[..]).map_or(&[], |v| v))
                    .contains("Running");
            farm.boot(1);
            farm.settle();
            farm.pass(120_000);
            farm.ready(1);
            farm.pass(120_000);
            if meant {
                // Intent without a word of the printer: unknown, whatever the bed looks like.
                assert_eq!(farm.status(0, id), "unknown");
                assert!(farm.starts.is_empty(), "the order never left");
                assert_eq!(told_unknown(&farm, 1), 1);
                continue;
            }
            assert_eq!(farm.status(0, id), "printing", "{crash:?} at {at}");
            assert_eq!(farm.starts.len(), 1);
            farm.check();
        }
    }
    assert!(rows > 10, "{rows}");
}

/// The machine takes its time: the order has left, and it has not said yet that it prints.
#[test]
fn r_l4_a_start_is_waited_for_and_the_printer_is_sent_nothing_else_meanwhile() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let first = farm.submit(0, job("local", "bracket"));
    let second = farm.submit(0, job("local", "lid"));
    farm.pass(10 * 60_000);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(farm.status(0, second), "queued");
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    assert_eq!(farm.status(0, first), "done");
    assert_eq!(farm.starts.len(), 1, "the bed is not clear yet");
    farm.ready(0);
    farm.pass(10 * 60_000);
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn r_l5_a_printer_that_never_said_that_it_began_has_not_started_and_the_end_stays_unknown_until_a_person_looks()
 {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("local", "bracket"));
    crash_and_boot(&mut farm);
    assert_eq!(
        claim(&farm, 0, id),
        (ClaimState::Unknown, Some(RunResult::Unknown))
    );
    assert_eq!(bed(&farm, 0), Bed::Unknown);
    farm.ready(0);
    farm.pass(3_600_000);
    assert_eq!(farm.starts.len(), 1, "never printed again by itself");
    // Once more down and up: still unknown, and still to be resolved.
    crash_and_boot(&mut farm);
    assert_eq!(farm.status(0, id), "unknown");
    farm.ready(0);
    farm.ok(0, resolve(&id.to_string(), Resolve::Failed));
    assert_eq!((farm.starts.len(), farm.status(0, id)), (2, "printing"));
    farm.check();
}

#[test]
fn a_print_that_was_fed_by_a_host_that_died_has_failed_and_is_tried_again_once_a_person_has_looked()
{
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("local", "bracket"));
    farm.begin(0, P0);
    farm.settle();
    crash_and_boot(&mut farm);
    assert_eq!(
        claim(&farm, 0, id),
        (ClaimState::Failed, Some(RunResult::Unknown))
    );
    assert_eq!(bed(&farm, 0), Bed::Unknown);
    farm.pass(3_600_000);
    assert_eq!(farm.starts.len(), 1, "nobody has looked at the bed");
    farm.ready(0);
    assert_eq!(farm.starts.len(), 2);
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn what_was_good_before_the_host_died_is_not_printed_again() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 1)];
    let id = farm.submit(
        0,
        NewJob {
            sets,
            ..job("local", "kit")
        },
    );
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    farm.ready(0);
    farm.begin(0, P0);
    farm.settle();
    crash_and_boot(&mut farm);
    farm.ready(0);
    let runs: Vec<u32> = farm.starts.iter().map(|start| start.run.2).collect();
    assert_eq!(runs, [0, 1, 1]);
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn a_printer_that_does_not_answer_leaves_the_end_unknown_until_it_does() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("local", "bracket"));
    farm.begin(0, P0);
    farm.settle();
    farm.kill(0);
    farm.broken.insert((0, P0.to_owned()));
    farm.boot(0);
    farm.settle();
    assert_eq!(farm.status(0, id), "unknown");
    assert_eq!(told_unknown(&farm, 0), 1);
    farm.broken.clear();
    crash_and_boot(&mut farm);
    assert_eq!(claim(&farm, 0, id).0, ClaimState::Failed);
    farm.check();
}

#[test]
fn a_print_that_its_printer_is_still_at_is_followed_again_and_finished_once() {
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for at in 0..6 {
            let mut farm = autonomous();
            let id = farm.submit(0, job("local", "bracket"));
            farm.begin(0, P0);
            farm.settle();
            farm.kill(0);
            farm.boot(0);
            // And once more, at each step of finding it again.
            farm.hosts[0].crash_at = Some((farm.hosts[0].handled + at, crash));
            farm.settle();
            farm.hosts[0].crash_at = None;
            if !farm.up(0) {
                farm.boot(0);
                farm.settle();
            }
            assert_eq!(
                claim(&farm, 0, id),
                (ClaimState::Printing, Some(RunResult::Started))
            );
            assert_eq!(
                (farm.status(0, id), bed(&farm, 0)),
                ("printing", Bed::Occupied)
            );
            farm.begin(0, P0);
            farm.finish(0, P0);
            farm.settle();
            assert_eq!(farm.status(0, id), "done");
            assert_eq!(farm.starts.len(), 1);
            farm.check();
        }
    }
}

#[test]
fn an_intent_that_its_printer_did_take_is_followed_as_well() {
    let mut farm = autonomous();
    let id = farm.submit(0, job("local", "bracket"));
    crash_and_boot(&mut farm);
    assert_eq!(farm.status(0, id), "printing");
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 1));
    farm.check();
}

#[test]
fn a_print_that_ended_while_its_host_was_down_has_the_end_that_its_printer_remembers() {
    let ends = [
        (Ended::Finished, "done", ClaimState::Finished),
        (
            Ended::Failed("it jammed".into()),
            "queued",
            ClaimState::Failed,
        ),
        (Ended::Aborted, "failed", ClaimState::Failed),
    ];
    for (ended, status, state) in ends {
        let mut farm = autonomous();
        let id = farm.submit(0, job("local", "bracket"));
        farm.begin(0, P0);
        farm.settle();
        farm.kill(0);
        farm.ends_alone(0, P0, ended.clone());
        farm.boot(0);
        farm.settle();
        assert_eq!(farm.status(0, id), status, "{ended:?}");
        assert_eq!(claim(&farm, 0, id).0, state, "{ended:?}");
        assert_eq!(bed(&farm, 0), Bed::Occupied, "something lies on it");
        assert_eq!(farm.starts.len(), 1);
        farm.check();
    }
}

#[test]
fn r_l11_a_printer_that_forgot_or_prints_something_else_leaves_the_end_unknown() {
    for alone in [Alone::Rests(None), Alone::Prints("from its screen".into())] {
        let mut farm = autonomous();
        let id = farm.submit(0, job("local", "bracket"));
        farm.begin(0, P0);
        farm.settle();
        farm.kill(0);
        farm.alone.insert((0, P0.to_owned()), alone);
        farm.boot(0);
        farm.settle();
        assert_eq!(
            (farm.status(0, id), bed(&farm, 0)),
            ("unknown", Bed::Unknown)
        );
        assert_eq!(told_unknown(&farm, 0), 1);
        farm.ok(0, resolve(&id.to_string(), Resolve::Done));
        assert_eq!(farm.status(0, id), "done");
        farm.check();
    }
}

#[test]
fn an_outcome_that_was_committed_is_told_after_the_crash_and_nothing_is_printed_again() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    farm.begin(1, P0);
    farm.settle();
    // Its outcome is on disk, and nobody has heard of it.
    farm.hosts[1].crash_at = Some((farm.hosts[1].handled + 1, Crash::AfterWrites));
    farm.finish(1, P0);
    farm.settle();
    assert!(!farm.up(1));
    assert_ne!(farm.status(0, id), "done");
    farm.boot(1);
    farm.settle();
    assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 1));
    farm.check();
}

#[test]
fn a_person_says_how_it_ended_on_the_host_of_the_printer_and_nowhere_else() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    let before = farm.refused(1, resolve(&id.to_string(), Resolve::Done));
    assert_eq!(before.code.as_str(), "copy.certain", "it is being printed");
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    assert_eq!(farm.status(0, id), "unknown");
    let foreign = farm.refused(0, resolve(&id.to_string(), Resolve::Done));
    assert_eq!(foreign.code.as_str(), "claim.foreign");
    assert!(
        foreign.title.contains("only b can say"),
        "{}",
        foreign.title
    );
    let no_copy = farm.refused(1, resolve(&format!("{id}#2"), Resolve::Done));
    assert_eq!(no_copy.code.as_str(), "number.bad");
    farm.ok(1, resolve(&format!("{id}#1"), Resolve::Done));
    for n in [0, 1] {
        assert_eq!(farm.status(n, id), "done");
    }
    let after = farm.refused(1, resolve(&id.to_string(), Resolve::Failed));
    assert_eq!(after.code.as_str(), "copy.certain");
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn a_good_end_goes_on_with_what_is_missing_of_the_copy() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 1)];
    let id = farm.submit(
        0,
        NewJob {
            sets,
            ..job("local", "kit")
        },
    );
    crash_and_boot(&mut farm);
    farm.ok(0, resolve(&id.to_string(), Resolve::Done));
    assert_eq!(farm.starts.len(), 1, "nobody has cleared the bed");
    assert_eq!(farm.status(0, id), "printing");
    farm.ready(0);
    let runs: Vec<u32> = farm.starts.iter().map(|start| start.run.2).collect();
    assert_eq!(runs, [0, 1]);
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn a_good_end_on_a_printer_that_is_at_something_else_leaves_the_rest_to_the_next_try() {
    let mut farm = Farm::new(&[1]);
    farm.machines = Machines::Wait;
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 1)];
    let id = farm.submit(
        0,
        NewJob {
            sets,
            ..job("local", "kit")
        },
    );
    crash_and_boot(&mut farm);
    farm.ready(0);
    let other = farm.submit(0, job("local", "other"));
    assert_eq!(farm.status(0, other), "printing");
    farm.ok(0, resolve(&id.to_string(), Resolve::Done));
    assert_eq!(claim(&farm, 0, id).0, ClaimState::Released);
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    farm.ready(0);
    let last = farm.starts.last().expect("it goes on");
    assert_eq!(
        (last.run.0.as_str(), last.run.2),
        (id.to_string().as_str(), 1)
    );
    farm.begin(0, P0);
    farm.finish(0, P0);
    farm.settle();
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 3);
    farm.check();
}

#[test]
fn the_rest_of_a_copy_is_not_printed_when_its_job_was_cancelled_before_its_printer_said_how_the_first_print_ended()
 {
    let mut farm = autonomous();
    let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 1)];
    let kit = NewJob {
        sets,
        copies: 2,
        ..job("local", "kit")
    };
    let id = farm.submit(0, kit);
    farm.begin(0, P0);
    farm.settle();
    // Connected anew, the printer knows no name of what it prints.
    farm.printer_says(0, P0, PrinterReport::Doing(Doing::Printing { print: None }));
    assert_eq!(farm.status(0, id), "unknown");
    let job = id.to_string();
    farm.ok(0, Command::JobStop { job });
    assert_eq!(farm.status(0, id), "cancelled");
    farm.kill(0);
    let start = &farm.starts[0];
    let (job, copy, run) = &start.run;
    let print = format!("{job}/{copy}/{}/{run}", start.ballot);
    farm.alone.insert(
        (0, P0.to_owned()),
        Alone::Rests(Some((print, Ended::Finished))),
    );
    farm.boot(0);
    farm.settle();
    farm.ready(0);
    farm.pass(3_600_000);
    assert_eq!(farm.starts.len(), 1, "it was cancelled");
    assert_eq!(farm.status(0, id), "cancelled");
}

/// It says that it could not begin, and a minute later that it is at it.
#[test]
fn a_printer_that_goes_on_with_a_print_that_it_had_refused_is_not_taken_for_clear() {
    let mut farm = autonomous();
    let id = farm.submit(0, job("local", "bracket"));
    let start = &farm.starts[0];
    let (name, copy, run) = &start.run;
    let print = format!("{name}/{copy}/{}/{run}", start.ballot);
    let reason = "it does not answer".to_owned();
    let failed = PrinterReport::Failed {
        print: print.clone(),
        reason,
    };
    farm.printer_says(0, P0, failed);
    assert_eq!(bed(&farm, 0), Bed::Clear, "nothing was begun, it said");
    let progress = PrinterReport::Progress {
        print: print.clone(),
        fraction: 0.1,
        left_s: Some(600),
        paused: false,
    };
    farm.printer_says(0, P0, progress);
    assert_eq!(bed(&farm, 0), Bed::Unknown);
    farm.pass(3_600_000);
    assert_eq!(
        farm.starts.len(),
        1,
        "nothing begins before somebody has looked"
    );
    assert_eq!(farm.status(0, id), "queued");
}

/// Its queue takes no word of it any more, also none of the print that begins.
#[test]
fn a_host_that_was_put_out_between_two_prints_of_a_copy_does_not_fall_over_when_the_second_one_ends()
 {
    for cut in [false, true] {
        let mut farm = Farm::available(&[0, 1], &[0]);
        farm.machines = Machines::Wait;
        let sets = vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 1)];
        let kit = NewJob {
            sets,
            ..job("farm", "kit")
        };
        farm.submit(0, kit);
        farm.pass(2_000);
        farm.begin(1, P0);
        let (queue, member) = ("farm".to_owned(), farm.hosts[1].id.fingerprint());
        if cut {
            farm.cut(0, 1);
            farm.pass(30_000);
        }
        farm.ok(0, Command::MemberRemove { queue, member });
        farm.settle();
        farm.finish(1, P0);
        farm.settle();
        farm.ready(1);
        farm.pass(3_600_000);
        if cut {
            farm.heal(0, 1);
            farm.settle();
        }
        if farm.prints(1, P0) {
            farm.begin(1, P0);
            farm.finish(1, P0);
        }
        farm.pass(3_600_000);
        assert!(farm.up(1), "{cut}");
        assert!(farm.starts.len() <= 2, "{cut}");
    }
}

#[test]
fn one_more_try_is_made_of_an_unknown_end_even_when_none_is_left() {
    let mut farm = Farm::shared(&[1]);
    farm.machines = Machines::Wait;
    farm.edit_farm(|edit| edit.set_setting(printmesh_queue::Setting::Retries, "0"));
    farm.ready(0);
    let first = farm.submit(0, job("farm", "first"));
    crash_and_boot(&mut farm);
    farm.ready(0);
    farm.ok(0, resolve(&first.to_string(), Resolve::Failed));
    assert_eq!((farm.status(0, first), farm.starts.len()), ("failed", 1));
    let second = farm.submit(0, job("farm", "second"));
    crash_and_boot(&mut farm);
    farm.ready(0);
    farm.ok(0, resolve(&second.to_string(), Resolve::Retry));
    assert_eq!((farm.status(0, second), farm.starts.len()), ("printing", 3));
    farm.check();
}

#[test]
fn of_several_unknown_copies_a_person_names_the_one_that_was_looked_at() {
    let mut farm = Farm::new(&[2]);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        NewJob {
            copies: 2,
            ..job("local", "bracket")
        },
    );
    assert_eq!(farm.starts.len(), 2);
    crash_and_boot(&mut farm);
    let which = farm.refused(0, resolve(&id.to_string(), Resolve::Done));
    assert_eq!(which.code.as_str(), "job.ambiguous");
    farm.ok(0, resolve(&format!("{id}#2"), Resolve::Done));
    farm.ok(0, resolve("bracket#1", Resolve::Done));
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_copy_that_the_voters_gave_away_in_mid_print_goes_on_after_a_crash_with_its_next_part() {
    let mut farm = Farm::available(&[0, 1], &[0]);
    farm.kill(1);
    farm.alone.insert((1, P0.to_owned()), Alone::Rests(None));
    farm.boot(1);
    farm.settle();
    farm.ready(1);
    farm.machines = Machines::Wait;
    farm.kill(0);
    farm.settle();
    let mut bracket = job("farm", "bracket");
    bracket.sets[0].per_run = 2;
    farm.submit(1, bracket);
    farm.pass(60_000);
    farm.begin(1, P0);
    farm.settle();
    // The voter is back and decides about the print under way: it has another ballot from here on.
    farm.boot(0);
    farm.pass(60_000);
    farm.kill(1);
    farm.ends_alone(1, P0, Ended::Finished);
    farm.boot(1);
    farm.settle();
    farm.ready(1);
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 2, "the second part");
    assert_eq!((farm.starts[0].run.2, farm.starts[1].run.2), (0, 1));
}

/// Its first part is good, as a person says, and the rest of the copy was given back: nobody else has a printer.
#[test]
fn the_rest_of_a_copy_that_was_begun_without_the_voters_is_made_by_the_only_printer_once_they_are_back()
 {
    let mut farm = Farm::available(&[0, 1], &[0]);
    farm.machines = Machines::Wait;
    farm.kill(0);
    farm.settle();
    let mut bracket = job("farm", "bracket");
    bracket.sets[0].per_run = 2;
    let id = farm.submit(1, bracket);
    farm.pass(120_000);
    assert_eq!(farm.starts.len(), 1);
    farm.begin(1, P0);
    farm.kill(1);
    farm.boot(1);
    farm.pass(600_000);
    // It prints something else meanwhile.
    farm.ready(1);
    farm.submit(1, job("local", "other"));
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 2, "{}", farm.dump(id));
    farm.begin(1, P0);
    farm.ok(1, resolve(&format!("{id}#1"), Resolve::Done));
    farm.settle();
    assert_eq!(claim(&farm, 1, id).0, ClaimState::Released);
    farm.finish(1, P0);
    farm.pass(60_000);
    farm.ready(1);
    farm.boot(0);
    farm.pass(600_000);
    assert_eq!(farm.starts.len(), 3, "{}", farm.dump(id));
    farm.finish(1, P0);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
    farm.check();
}
