//! When the network is whole again: every print counts for a copy or is shown as one too many, and nothing is printed
//! again. All partitions of four hosts, re-splits, and power cuts in the middle of it.

use std::collections::BTreeSet;

use printmesh_node::{Command, NewJob, PrinterEdit, PrinterReport};
use printmesh_queue::{ClaimState, CopyState, JobId};

use crate::{
    between::waits_for_a_verdict,
    farm::{Crash, Farm, Machines, job},
    speculation::{claims, drawn, let_print, split, submit_everywhere},
};

const MINUTE: u64 = 60_000;

/// Every way to put four hosts on sides.
fn partitions() -> Vec<Vec<usize>> {
    let mut all = vec![vec![0]];
    for _ in 1..4 {
        let next = all.iter().flat_map(|side: &Vec<usize>| {
            let new = side.iter().max().map_or(0, |max| max + 1);
            (0..=new).map(move |n| [side.clone(), vec![n]].concat())
        });
        all = next.collect();
    }
    all
}

/// Sides on which no majority of the voters is.
fn without_quorum(side: &[usize], voters: &[usize]) -> usize {
    let sides: BTreeSet<usize> = side.iter().copied().collect();
    let quorum = |s: &&usize| voters.iter().filter(|v| side[**v] == **s).count() > voters.len() / 2;
    sides.iter().filter(|s| !quorum(s)).count()
}

/// The network is whole, prints go on to their end, and there is time.
fn heal(farm: &mut Farm) {
    farm.heal_all();
    farm.pass(MINUTE);
    for _ in 0..3 {
        for n in 0..farm.hosts.len() {
            if farm.up(n) {
                farm.finish_all(n);
            }
        }
        farm.pass(MINUTE);
    }
}

/// O2 and L4: what was started is a copy's or one too many, on every host alike.
fn all_is_accounted_for(farm: &Farm, id: JobId, shown: &str) {
    for n in 0..farm.hosts.len() {
        let claims = claims(farm, n, id);
        assert!(claims.iter().all(|(.., open)| !open), "{shown}: {claims:?}");
        let surplus = claims
            .iter()
            .filter(|(_, _, state, _)| *state == ClaimState::Surplus)
            .count();
        let (snapshot, whole) = farm.job(n, id);
        let made = snapshot
            .copies_of(whole)
            .filter(|(_, state)| matches!(state, CopyState::Done(_)))
            .count();
        assert_eq!(
            farm.starts.len(),
            made + surplus,
            "{shown}: {claims:?}\n{:?}",
            farm.starts
        );
    }
}

fn copies(name: &str, copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job("farm", name)
    }
}

#[test]
fn however_four_hosts_are_cut_apart_and_again_few_parts_are_too_many_and_all_are_accounted_for() {
    let voters = [0, 1, 2];
    let (mut surplus, mut credited, mut farms) = (0, 0, 0);
    for first in partitions() {
        for second in [None].into_iter().chain(partitions().into_iter().map(Some)) {
            // Every re-split of some, one of each: the farms are many.
            if second.is_some() && (farms + first.iter().sum::<usize>()) % 4 != 0 {
                farms += 1;
                continue;
            }
            farms += 1;
            let mut farm = Farm::available(&[1, 1, 1, 1], &voters);
            farm.machines = Machines::Wait;
            let_print(&mut farm, false);
            let id = submit_everywhere(&mut farm, copies("bracket", 2));
            split(&mut farm, &first);
            let_print(&mut farm, true);
            farm.pass(2 * MINUTE);
            let mut allowed = without_quorum(&first, &voters);
            if let Some(second) = &second {
                split(&mut farm, second);
                farm.pass(2 * MINUTE);
                allowed += without_quorum(second, &voters);
            }
            let shown = format!("{first:?} {second:?}");
            assert!(
                farm.starts.len() <= 2 + allowed,
                "{shown}: {:?}",
                farm.starts
            );
            heal(&mut farm);
            assert!(
                farm.starts.len() <= 2 + allowed,
                "{shown}: {:?}",
                farm.starts
            );
            assert_eq!(farm.status(3, id), "done", "{shown}: {}", farm.dump(id));
            all_is_accounted_for(&farm, id, &shown);
            farm.check();
            let claims = claims(&farm, 0, id);
            let count = |wanted| {
                claims
                    .iter()
                    .filter(|(_, _, state, _)| *state == wanted)
                    .count()
            };
            surplus += count(ClaimState::Surplus);
            credited += count(ClaimState::Credited);
        }
    }
    assert!(
        surplus > 0 && credited > 0,
        "both happen: {surplus} {credited}"
    );
}

/// Two hosts with a printer each, of which `a` decides, cut apart, with a job of so many copies that both begin on.
fn both_print(wanted: u32, seed: usize, settings: &[(&str, &str)]) -> (Farm, JobId) {
    let mut farm = Farm::available(&[1, 1], &[0]);
    drawn(&mut farm, seed);
    for (key, value) in settings {
        farm.set(key, value);
    }
    farm.set("foreign-wait", "0");
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    let id = submit_everywhere(&mut farm, copies("bracket", wanted));
    farm.cut(0, 1);
    let_print(&mut farm, true);
    farm.pass(2 * MINUTE);
    assert_eq!(farm.starts.len(), 2);
    (farm, id)
}

#[test]
fn of_two_prints_of_one_copy_one_counts_and_the_other_is_a_spare_part() {
    let (mut farm, id) = both_print(1, 0, &[]);
    farm.heal(0, 1);
    farm.pass(MINUTE);
    assert!(
        farm.prints(0, "p0") && farm.prints(1, "p0"),
        "a begun print is never stopped"
    );
    farm.finish_all(1);
    farm.settle();
    let now = claims(&farm, 0, id);
    assert_eq!(now.len(), 2);
    assert!(
        now.contains(&(0, 0, ClaimState::Printing, false)),
        "{now:?}"
    );
    assert!(now.contains(&(0, 1, ClaimState::Surplus, false)), "{now:?}");
    farm.finish_all(0);
    farm.pass(MINUTE);
    all_is_accounted_for(&farm, id, "surplus");
    assert_eq!(farm.status(1, id), "done");
    let told = farm.hosts[1]
        .events
        .iter()
        .filter(|event| event.kind == "copy.surplus")
        .count();
    assert_eq!(told, 2, "when it turns out, and when it is booked");
    farm.check();
}

#[test]
fn a_print_that_is_one_too_many_is_paused_or_stopped_when_the_queue_says_so() {
    let (mut farm, id) = both_print(1, 0, &[("on-surplus", "abort")]);
    farm.heal(0, 1);
    farm.pass(MINUTE);
    assert_eq!(farm.stops, [(1, "p0".to_owned())]);
    assert!(claims(&farm, 0, id).contains(&(0, 1, ClaimState::Surplus, false)));
    farm.finish_all(0);
    farm.pass(MINUTE);
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 2);

    let (mut farm, id) = both_print(1, 0, &[("on-surplus", "pause")]);
    farm.heal(0, 1);
    farm.pass(MINUTE);
    assert_eq!(farm.paused, [(1, "p0".to_owned(), true)]);
    let resume = Command::PrinterResume {
        printer: "p0".into(),
    };
    farm.ok(1, resume);
    assert_eq!(farm.paused.last(), Some(&(1, "p0".to_owned(), false)));
    farm.finish_all(1);
    farm.finish_all(0);
    farm.pass(MINUTE);
    all_is_accounted_for(&farm, id, "paused");
}

fn judged_by_a_person(farm: &mut Farm, n: usize) {
    let printer = "p0".into();
    let edit = PrinterEdit {
        judged: Some(true),
        ..PrinterEdit::default()
    };
    farm.ok(n, Command::PrinterEdit { printer, edit });
}

fn says(good: bool) -> Command {
    Command::PrinterReady {
        printers: vec!["p0".into()],
        good: Some(good),
    }
}

#[test]
fn a_print_that_turns_out_to_be_one_too_many_waits_for_no_verdict_any_more() {
    let (mut farm, id) = both_print(1, 0, &[]);
    judged_by_a_person(&mut farm, 1);
    farm.finish(1, "p0");
    farm.settle();
    assert!(waits_for_a_verdict(&farm));
    farm.heal(0, 1);
    farm.pass(MINUTE);
    farm.finish_all(0);
    farm.pass(MINUTE);
    all_is_accounted_for(&farm, id, "surplus");
    assert!(claims(&farm, 0, id).contains(&(0, 1, ClaimState::Surplus, false)));
    assert_eq!(farm.refused(1, says(false)).code.as_str(), "copy.certain");
    farm.check();
}

#[test]
fn a_print_that_counts_for_another_copy_is_judged_there() {
    for good in [true, false] {
        let (mut farm, id) = both_print(2, same_copy(), &[]);
        judged_by_a_person(&mut farm, 1);
        farm.finish(1, "p0");
        farm.settle();
        farm.heal(0, 1);
        farm.pass(MINUTE);
        let credited = claims(&farm, 0, id);
        let states = |wanted| credited.iter().filter(|c| c.2 == wanted).count();
        assert_eq!(states(ClaimState::Credited), 1, "{credited:?}");
        farm.finish_all(0);
        farm.ok(1, says(good));
        farm.pass(MINUTE);
        if !good {
            assert_eq!(farm.starts.len(), 3, "tried again: {}", farm.dump(id));
            farm.ready(0);
            for n in 0..2 {
                farm.finish_all(n);
            }
            farm.settle();
            if waits_for_a_verdict(&farm) {
                farm.ok(1, says(true));
            }
        }
        farm.pass(MINUTE);
        assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
        assert_eq!(farm.starts.len(), if good { 2 } else { 3 });
        farm.check();
    }
}

/// Two copies, of which both sides begin the same one; found by trying: where a copy is at home is drawn.
fn same_copy() -> usize {
    let same = |seed: &usize| {
        let (farm, _) = both_print(2, *seed, &[]);
        farm.starts[0].run.1 == farm.starts[1].run.1
    };
    (0..40)
        .find(same)
        .expect("sometimes both begin the same copy")
}

#[test]
fn a_print_whose_copy_is_taken_counts_for_another_one_while_it_goes_on() {
    let (mut farm, id) = both_print(2, same_copy(), &[]);
    farm.heal(0, 1);
    farm.pass(MINUTE);
    let now = claims(&farm, 0, id);
    let states: BTreeSet<(usize, ClaimState)> = now
        .iter()
        .map(|(_, host, state, _)| (*host, *state))
        .collect();
    assert_eq!(states.len(), 3, "{now:?}");
    assert!(
        states.contains(&(1, ClaimState::Credited)) && states.contains(&(1, ClaimState::Printing))
    );
    // The printer still knows its print by the name under which it began.
    farm.finish_all(1);
    farm.finish_all(0);
    farm.pass(MINUTE);
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 2);
    assert_eq!(farm.node(0).history().len(), 2, "each part is listed once");
    all_is_accounted_for(&farm, id, "credited");
    farm.check();
}

#[test]
fn a_power_cut_at_any_step_of_a_heal_neither_loses_a_part_nor_prints_one_again() {
    let seed = same_copy();
    let mut crashes = 0;
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in [0, 1] {
            for at in 1.. {
                let (mut farm, id) = both_print(2, seed, &[]);
                farm.finish_all(0);
                farm.finish_all(1);
                farm.pass(MINUTE);
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                farm.heal_now(0, 1);
                farm.settle();
                farm.pass(20_000);
                let over = farm.hosts[victim].crash_at.take().is_some();
                if !over {
                    crashes += 1;
                    // Cut off once more while it is down.
                    farm.cut_now(0, 1);
                    farm.boot(victim);
                    farm.pass(10_000);
                }
                heal(&mut farm);
                let shown = format!("{crash:?} of {victim} at {at}");
                assert_eq!(farm.starts.len(), 2, "{shown}: {}", farm.dump(id));
                assert_eq!(farm.status(1, id), "done", "{shown}: {}", farm.dump(id));
                all_is_accounted_for(&farm, id, &shown);
                farm.check();
                if over {
                    break;
                }
            }
        }
    }
    assert!(crashes > 20, "{crashes}");
}

#[test]
fn a_print_without_the_voters_that_fails_is_noted_when_its_copy_was_made_elsewhere() {
    let (mut farm, id) = both_print(1, 0, &[]);
    farm.finish_all(0);
    farm.fail(1, "p0", "spaghetti");
    farm.printer_says(1, "p0", PrinterReport::BedCleared);
    farm.heal(0, 1);
    farm.pass(MINUTE);
    let now = claims(&farm, 1, id);
    assert!(
        now.contains(&(0, 0, ClaimState::Finished, false)),
        "{now:?}"
    );
    assert!(now.contains(&(0, 1, ClaimState::Surplus, false)), "{now:?}");
    assert_eq!(farm.status(1, id), "done");
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_print_that_was_given_up_and_whose_copy_another_printer_made_counts_for_the_next_copy() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    let id = submit_everywhere(&mut farm, copies("bracket", 1));
    farm.ok(
        1,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    farm.pass(MINUTE);
    farm.begin(1, "p0");
    farm.cut_now(0, 1);
    farm.cut_now(1, 2);
    farm.settle();
    farm.pass(60 * MINUTE);
    farm.ok(
        2,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    farm.pass(MINUTE);
    farm.finish_all(2);
    farm.pass(MINUTE);
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 2);
    // Meanwhile somebody wants one more; the other printer's bed is not clear.
    let edit = printmesh_node::JobEdit {
        copies: Some(2),
        ..printmesh_node::JobEdit::default()
    };
    let printer = "p0".to_owned();
    let reason = String::new();
    farm.ok(2, Command::PrinterPause { printer, reason });
    let job = id.to_string();
    farm.ok(0, Command::JobEdit { job, edit });
    farm.heal_all();
    farm.pass(MINUTE);
    farm.finish_all(1);
    farm.pass(MINUTE);
    let now = claims(&farm, 0, id);
    assert!(
        now.contains(&(0, 1, ClaimState::Credited, false)),
        "{now:?}"
    );
    assert!(
        now.contains(&(1, 1, ClaimState::Finished, false)),
        "{now:?}"
    );
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn without_a_budget_a_side_starts_every_copy_once_more_and_with_one_a_single_copy() {
    for (budget, starts) in [("all", 4), ("one", 3)] {
        let mut farm = Farm::available(&[1, 1, 1, 1], &[0, 1, 2]);
        farm.set("budget", budget);
        farm.set("foreign-wait", "0");
        farm.machines = Machines::Wait;
        let_print(&mut farm, false);
        let id = submit_everywhere(&mut farm, copies("bracket", 2));
        // Two voters and their printers here; one voter there, with two printers.
        split(&mut farm, &[0, 0, 1, 1]);
        let_print(&mut farm, true);
        farm.pass(3 * MINUTE);
        assert_eq!(farm.starts.len(), starts, "{budget}");
        heal(&mut farm);
        all_is_accounted_for(&farm, id, budget);
        farm.check();
    }
}
