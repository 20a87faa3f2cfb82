//! The rules of never-skip and of automatic sorting, each under its id: `check(farm, rules, starts)`.

use printmesh_queue::{ClaimState, JobState, Needs, Priority, RunResult, Timestamp};
use printmesh_schedule::Reason;

use crate::{
    farm::{Farm, ME, check, slot, tool},
    order::{NEVER_SKIP, blocked, pin},
};

#[test]
fn r_n1_by_default_a_printer_moves_past_what_it_cannot_print() {
    check(&blocked(Farm::new(1)).job("B", 1), &[], &["p1 B1"]);
}

#[test]
fn r_n2_with_never_skip_it_waits_even_if_a_busy_printer_could_take_the_item() {
    let farm = blocked(Farm::new(2)).job("B", 1).busy(&["p2"]);
    check(&farm, &[NEVER_SKIP], &[]);
    let free = blocked(Farm::new(2)).job("B", 1);
    check(&free, &[NEVER_SKIP], &["p2 X1", "p1 B1"]);
}

#[test]
fn r_n3_an_item_of_which_no_copy_is_left_blocks_nobody() {
    let farm = blocked(Farm::new(1)).claim("X", 1, "p9", ClaimState::Printing);
    check(&farm.job("B", 1), &[NEVER_SKIP], &["p1 B1"]);
}

#[test]
fn r_n4_what_a_printer_can_never_print_does_not_block_it() {
    let too_large = Needs {
        volume_mm: Some([300, 1, 1]),
        ..Needs::default()
    };
    let farm = Farm::new(1).has("p1", |e| e.volume_mm = Some([250, 210, 220]));
    let farm = farm.job("X", 1).needs(too_large).job("B", 1);
    check(&farm, &[NEVER_SKIP], &["p1 B1"]);
    let pinned = pin(Farm::new(1).job("X", 1), "p9").job("B", 1);
    check(&pinned, &[NEVER_SKIP], &["p1 B1"]);
}

#[test]
fn r_n5_what_is_held_a_draft_or_early_blocks_nobody() {
    let farm = |f: fn(&mut printmesh_queue::Job)| blocked(Farm::new(1)).with(f).job("B", 1);
    for farm in [
        farm(|job| job.held = true),
        farm(|job| job.draft = true),
        farm(|job| job.terms.not_before = Some(Timestamp(u64::MAX))),
        farm(|job| {
            job.state = JobState::Cancelled {
                by: ME,
                at: Timestamp(1),
            }
        }),
    ] {
        check(&farm, &[NEVER_SKIP], &["p1 B1"]);
    }
}

#[test]
fn r_n4_strict_waits_also_for_what_it_can_never_print() {
    let pinned = pin(Farm::new(1).job("X", 1), "p9").job("B", 1);
    check(&pinned, &[("never-skip", "strict")], &[]);
    let Reason::NeverSkip { job, because } = pinned.set(&[("never-skip", "strict")]).idles("p1")
    else {
        panic!("it waits for X");
    };
    assert_eq!((job.as_str(), because.code()), ("X", "pinned-elsewhere"));
    let held = pin(Farm::new(1).job("X", 1).with(|job| job.held = true), "p9");
    check(&held.job("B", 1), &[("never-skip", "strict")], &["p1 B1"]);
}

/// Found by the to-do list's own law: such a printer waited for a nozzle that nobody would ever swap for that job.
#[test]
fn r_n4_a_job_that_can_never_be_printed_here_holds_nobody_up_although_its_nozzle_could_be_swapped()
{
    let needs = Needs {
        nozzle_um: Some(400),
        volume_mm: Some([300, 1, 1]),
        ..Needs::default()
    };
    let farm = Farm::new(1)
        .has("p1", |e| {
            e.nozzle_um = Some(600);
            e.volume_mm = Some([200, 200, 200]);
        })
        .job("X", 1)
        .needs(needs)
        .job("B", 1);
    assert_eq!(farm.why("X", "p1").expect("it waits").code(), "volume");
    check(&farm, &[NEVER_SKIP], &["p1 B1"]);
}

#[test]
fn r_n7_a_printer_that_waits_says_for_what_and_which_change_frees_it() {
    let farm = blocked(Farm::new(1)).job("B", 1).set(&[NEVER_SKIP]);
    let Reason::NeverSkip { job, because } = farm.idles("p1") else {
        panic!("{:?}", farm.idles("p1"));
    };
    assert_eq!((job.as_str(), because.code()), ("X", "material"));
    let freed = farm
        .clone()
        .has("p1", |e| e.slots = vec![slot(0, "PETG", 100)]);
    assert_eq!(freed.starts(), ["p1 X1"]);
    assert_eq!(farm.why("B", "p1").expect("it waits").code(), "never-skip");
}

#[test]
fn r_s1_what_lies_beyond_the_limit_keeps_its_order_and_stays_behind() {
    let rush = |farm: Farm| farm.with(|job| job.terms.priority = Priority::Rush);
    let farm = rush(
        rush(Farm::new(4).job("A", 1).job("B", 1))
            .job("C", 1)
            .job("D", 1),
    );
    assert_eq!(farm.jobs(), "B D A C");
    assert_eq!(farm.set(&[("sort-limit", "2")]).jobs(), "B A C D");
}

#[test]
fn r_s3_held_parked_and_finished_items_are_no_part_of_the_list() {
    let farm = Farm::new(1)
        .job("H", 1)
        .with(|job| job.held = true)
        .job("P", 1)
        .with(|job| job.terms.backburner = true)
        .job("F", 1)
        .claim("F", 1, "p9", ClaimState::Finished)
        .job("A", 1)
        .job("B", 1)
        .with(|job| job.terms.priority = Priority::High);
    check(&farm, &[("sort-limit", "2")], &["p1 B1"]);
    check(&farm, &[("sort-limit", "1")], &["p1 A1"]);
}

#[test]
fn r_s4_sorting_writes_nothing() {
    let farm = Farm::new(1)
        .job("A", 1)
        .job("B", 1)
        .with(|job| job.terms.priority = Priority::High);
    let before = farm.snapshot.clone();
    farm.plan();
    assert_eq!(farm.snapshot, before);
}

#[test]
fn r_s5_the_earlier_date_comes_first_then_the_higher_priority_then_the_list() {
    let at = |ms| move |job: &mut printmesh_queue::Job| job.terms.due = Some(Timestamp(ms));
    let farm = Farm::new(6)
        .job("A", 1)
        .job("B", 1)
        .with(|job| job.terms.priority = Priority::Rush)
        .job("C", 1)
        .with(at(20))
        .job("D", 1)
        .with(at(10))
        .job("E", 1)
        .with(|job| job.terms.priority = Priority::Low)
        .job("F", 1);
    assert_eq!(farm.jobs(), "D C B A F E");
}

#[test]
fn r_s5_what_can_run_now_comes_before_what_is_blocked() {
    let farm = blocked(Farm::new(1)).with(|job| job.terms.priority = Priority::Rush);
    check(&farm.job("B", 1), &[], &["p1 B1"]);
}

#[test]
fn r_s6_an_item_that_was_overtaken_once_is_not_overtaken_again() {
    let rush = |farm: Farm| farm.with(|job| job.terms.priority = Priority::Rush);
    let farm = rush(Farm::new(1).job("A", 1).job("R", 3));
    check(&farm, &[], &["p1 R1"]);
    // R has begun: it goes on, and A has been overtaken. What comes now does not come before A.
    let begun = farm.printed("R", 1, "p9", 100, RunResult::Ok);
    check(&begun, &[], &["p1 R2"]);
    let next = rush(begun.job("S", 1));
    check(&next, &[], &["p1 R2"]);
    let over =
        next.printed("R", 2, "p9", 110, RunResult::Ok)
            .printed("R", 3, "p9", 120, RunResult::Ok);
    check(&over, &[], &["p1 A1"]);
    // Who comes later than all that has not been overtaken yet.
    let late = over.edit("A", |job| job.created = Timestamp(500));
    check(&late, &[], &["p1 S1"]);
}

/// Found by the law of [`crate::fair`]: what came later was let past as soon as it had begun on a printer that cannot print A, or
/// as something still more urgent had overtaken it there; for ever, where such jobs keep coming.
#[test]
fn r_s6_what_came_later_is_not_let_past_for_what_happens_on_other_printers() {
    let came = |farm: Farm, name: &str, priority: Priority, at: u64| {
        let farm = farm.job(name, 2);
        farm.with(|job| (job.terms.priority, job.created) = (priority, Timestamp(at)))
    };
    let farm = pin(Farm::new(1).job("A", 1), "p1");
    let overtaken = came(farm, "R", Priority::Rush, 5)
        .printed("R", 1, "p2", 10, RunResult::Ok)
        .printed("R", 2, "p2", 12, RunResult::Ok);
    let later = came(overtaken, "X", Priority::High, 20);
    check(&later, &[], &["p1 A1"]);
    let begun = later.clone().printed("X", 1, "p2", 30, RunResult::Started);
    check(&begun, &[], &["p1 A1"]);
    let again = came(later.clone(), "Y", Priority::Rush, 25);
    let again = again.printed("Y", 1, "p2", 30, RunResult::Started);
    check(&again, &[], &["p1 A1"]);
    // What was there already when R overtook A keeps its place before it, and so do the two among themselves.
    let there = later.edit("X", |job| job.created = Timestamp(6));
    let begun = there.printed("X", 1, "p2", 30, RunResult::Started);
    check(&begun, &[], &["p1 X2"]);
}

const BACKFILL: (&str, &str) = ("never-skip", "backfill");

/// The farm's clock in seconds.
const NOW_S: u64 = 1_000;

/// p1 waits for X, which fits p2; that prints A, of which so many seconds are left, if anybody knows.
fn backfilled(left_s: Option<u64>) -> Farm {
    let farm = Farm::new(2).has("p1", |e| e.slots = vec![slot(0, "PLA", 900)]);
    let farm = farm.has("p2", |e| e.slots = vec![slot(0, "PETG", 900)]);
    let takes =
        |farm: Farm, s: Option<u64>| farm.with(|job| job.sets[0].spec.files[0].estimate_s = s);
    let farm = takes(farm.job("A", 1), left_s.map(|left| NOW_S + left))
        .printed("A", 1, "p2", 0, RunResult::Started)
        .busy(&["p2"]);
    let needs = Needs {
        tools: vec![tool(0, "PETG", 1)],
        ..Needs::default()
    };
    takes(farm.job("X", 1).needs(needs), Some(600))
}

/// A job that fits p1 and takes so many seconds.
fn short(farm: Farm, name: &str, takes_s: Option<u64>) -> Farm {
    let farm = farm.job(name, 1);
    farm.with(|job| {
        job.sets[0].spec.files[0].estimate_s = takes_s;
        job.sets[0].spec.files[0].needs.tools = vec![tool(0, "PLA", 1)];
    })
}

#[test]
fn r_s7_what_is_done_before_the_blocked_item_can_start_is_let_through() {
    for (left_s, takes_s, starts) in [
        (Some(1800), Some(1800), &["p1 B1"][..]),
        (Some(1800), Some(1801), &[]),
        // Nobody knows how long it takes, or when X could start.
        (Some(1800), None, &[]),
        (None, Some(1), &[]),
        // A print that should have ended says nothing.
        (Some(0), Some(1), &[]),
    ] {
        let farm = short(backfilled(left_s), "B", takes_s);
        check(&farm, &[BACKFILL], starts);
        check(&farm, &[NEVER_SKIP], &[]);
        check(&farm, &[], &["p1 B1"]);
    }
}

#[test]
fn r_s7_the_first_that_is_short_enough_is_taken_and_the_bed_is_clear_again_by_then() {
    let farm = short(
        short(backfilled(Some(1800)), "B", Some(3600)),
        "C",
        Some(1500),
    );
    check(&farm, &[BACKFILL], &["p1 C1"]);
    let why = farm.clone().set(&[BACKFILL]).why("B", "p1");
    assert_eq!(why.expect("it is passed by").code(), "queue-order");
    // Both beds wait for a person: p2 is free later, and so is p1.
    check(&farm, &[BACKFILL, ("turnaround", "600")], &["p1 C1"]);
    let own = farm.record("p2", |p| p.routine.by_itself = true);
    check(&own, &[BACKFILL, ("turnaround", "600")], &[]);
}

#[test]
fn r_s7_a_printer_that_will_not_take_the_blocked_item_says_nothing_of_when_it_starts() {
    let farm = short(backfilled(Some(1800)), "B", Some(60));
    check(&farm, &[BACKFILL], &["p1 B1"]);
    for farm in [
        farm.clone().record("p2", |p| p.autoprint = false),
        farm.clone()
            .record("p2", |p| p.paused = Some(String::new())),
        farm.clone()
            .record("p2", |p| p.routine.cycles_left = Some(0)),
        farm.clone()
            .has("p2", |e| e.slots = vec![slot(0, "PETG", 0)]),
    ] {
        check(&farm, &[BACKFILL], &[]);
        assert_eq!(farm.set(&[BACKFILL]).idles("p1").code(), "never-skip");
    }
}

#[test]
fn r_s7_only_a_hundred_places_behind_the_blocked_item_are_looked_at() {
    let behind = |others: u32| {
        let farm = (0..others).fold(backfilled(Some(1800)), |farm, n| {
            short(farm, &format!("L{n:02}"), Some(3600))
        });
        short(farm, "B", Some(60))
    };
    check(&behind(99), &[BACKFILL], &["p1 B1"]);
    check(&behind(100), &[BACKFILL], &[]);
}

#[test]
fn a_job_with_a_date_to_start_waits_for_it_and_no_longer() {
    let farm = Farm::new(1)
        .job("A", 1)
        .with(|job| job.terms.not_before = Some(Timestamp(1_060_000)));
    check(&farm.clone().job("B", 1), &[], &["p1 B1"]);
    assert_eq!(farm.why("A", "p1"), Some(Reason::NotBefore { seconds: 60 }));
    let mut then = farm;
    then.presence.now = Timestamp(1_060_000);
    check(&then, &[], &["p1 A1"]);
}
