//! The rules of order and distribution, each under its id: `check(farm, rules, starts)`.

use printmesh_queue::{Bed, ClaimState, JobState, Needs, Priority, RunResult, Timestamp};
use printmesh_schedule::{Reason, choose_of};

use crate::farm::{Farm, ME, check, job_id, printer, slot, tool};

fn pin(farm: Farm, name: &str) -> Farm {
    farm.with(|job| job.printers = vec![name.into()])
}

const ROUND_ROBIN: (&str, &str) = ("order", "round-robin");
const NEVER_SKIP: (&str, &str) = ("never-skip", "on");

#[test]
fn r_e2_a_printer_that_is_out_of_order_is_dealt_nothing() {
    let farm = Farm::new(3).job("A", 3);
    check(
        &farm.clone().record("p1", |p| p.fault = Some("hot".into())),
        &[],
        &["p2 A1", "p3 A2"],
    );
    check(
        &farm.clone().record("p2", |p| p.bed = Bed::Unknown),
        &[],
        &["p1 A1", "p3 A2"],
    );
    check(&farm.busy(&["p1", "p3"]), &[], &["p2 A1"]);
}

#[test]
fn r_i1_sequential_emits_all_copies_of_the_first_item_first() {
    let farm = Farm::new(3).job("A", 3).job("B", 3);
    check(&farm, &[], &["p1 A1", "p2 A2", "p3 A3"]);
}

#[test]
fn r_i2_what_the_first_item_leaves_flows_to_the_second_in_the_same_pass() {
    let farm = Farm::new(4).job("A", 3).job("B", 3);
    check(&farm, &[], &["p1 A1", "p2 A2", "p3 A3", "p4 B1"]);
}

#[test]
fn r_i3_an_item_that_no_free_printer_can_run_is_passed_over() {
    let farm = pin(Farm::new(2).job("A", 2), "p9").job("B", 1);
    check(&farm, &[], &["p1 B1"]);
}

#[test]
fn r_i4_round_robin_drops_items_that_have_none_left_out_of_the_cycle() {
    let farm = Farm::new(6).job("A", 3).job("B", 1).job("C", 2);
    assert_eq!(farm.set(&[ROUND_ROBIN]).jobs(), "A B C A C A");
}

#[test]
fn r_i5_without_a_cursor_the_least_served_item_is_next() {
    let farm = Farm::new(1).job("A", 5).job("B", 5).job("C", 5);
    let farm =
        farm.claim("A", 1, "p8", ClaimState::Printing)
            .claim("B", 1, "p9", ClaimState::Finished);
    check(&farm, &[ROUND_ROBIN], &["p1 C1"]);
    let farm = farm.claim("C", 1, "p7", ClaimState::Claimed);
    check(&farm, &[ROUND_ROBIN], &["p1 A2"]);
}

#[test]
fn r_i6_a_late_item_neither_starves_the_others_nor_comes_last() {
    let mut farm = Farm::new(1).job("A", 9).job("B", 9);
    for copy in 1..=4 {
        farm = farm.claim("A", copy, "p8", ClaimState::Finished);
        farm = farm.claim("B", copy, "p9", ClaimState::Finished);
    }
    let level = printmesh_schedule::Index::new(&farm.snapshot).live_level();
    assert_eq!(level, 4);
    // Counted from nothing, four copies of it would come in a row.
    let late = farm.job("C", 9).with(|job| job.terms.level = level);
    check(&late, &[ROUND_ROBIN], &["p1 A5"]);
    let served = late.claim("A", 5, "p8", ClaimState::Printing);
    let served = served.claim("B", 5, "p9", ClaimState::Printing);
    check(&served, &[ROUND_ROBIN], &["p1 C1"]);
}

#[test]
fn r_i7_a_copy_that_failed_is_left_again_and_lowers_the_level() {
    let farm = Farm::new(1).job("A", 2).job("B", 2);
    let good = farm.clone().printed("A", 1, "p9", 5, RunResult::Ok);
    check(&good, &[ROUND_ROBIN], &["p1 B1"]);
    let bad = farm.printed("A", 1, "p9", 5, RunResult::Failed);
    check(&bad, &[ROUND_ROBIN], &["p1 A1"]);
}

#[test]
fn r_i8_with_one_copy_each_both_modes_plan_alike_and_fewer_copies_never_cancel() {
    let farm = Farm::new(2).job("A", 1).job("B", 1).job("C", 1);
    assert_eq!(farm.starts(), farm.clone().set(&[ROUND_ROBIN]).starts());
    let running = Farm::new(2)
        .job("A", 3)
        .claim("A", 1, "p8", ClaimState::Printing)
        .claim("A", 2, "p9", ClaimState::Printing)
        .edit("A", |job| job.copies = 1)
        .job("B", 1);
    check(&running, &[], &["p1 B1"]);
}

#[test]
fn r_i9_a_job_has_a_thousand_copies_or_a_million() {
    for copies in [225, 1000, 999_999] {
        let farm = Farm::new(2)
            .job("A", copies)
            .claim("A", 1, "p9", ClaimState::Finished);
        check(&farm, &[], &["p1 A2", "p2 A3"]);
        check(&farm, &[ROUND_ROBIN], &["p1 A2", "p2 A3"]);
    }
}

#[test]
fn r_d1_distribution_never_makes_a_printer_eligible() {
    let farm = pin(Farm::new(4).job("A", 4), "p3");
    for how in [
        "position",
        "random",
        "least-recently-used",
        "hours",
        "best-fit",
    ] {
        check(&farm, &[("distribute", how)], &["p3 A1"]);
    }
}

#[test]
fn r_d2_by_position_work_fills_the_list_from_its_top() {
    let farm = Farm::new(3).job("A", 2);
    check(&farm, &[], &["p1 A1", "p2 A2"]);
    let moved = farm.record("p3", |p| p.position = 0);
    check(&moved, &[], &["p3 A1", "p1 A2"]);
}

#[test]
fn r_d3_by_chance_every_printer_is_taken_alike_and_the_same_everywhere() {
    let farm = Farm::new(5).set(&[("distribute", "random")]);
    let mut taken = [0_u32; 5];
    for n in 0..2000 {
        let farm = farm.clone().job(&format!("{n:04}"), 1);
        let start = farm.plan().starts.remove(0);
        assert_eq!(start, farm.plan().starts[0]);
        let place: usize = start.printer.name[1..].parse().expect("p1 to p5");
        taken[place - 1] += 1;
    }
    // χ² with four degrees of freedom: above 18.5 once in a thousand. The hashes never change, so this never does.
    let chi: f64 = taken
        .iter()
        .map(|n| (f64::from(*n) - 400.0).powi(2) / 400.0)
        .sum();
    assert!(chi < 18.5, "{taken:?}");
}

#[test]
fn r_d4_least_recently_used_is_whose_last_print_ended_longest_ago() {
    let farm = Farm::new(4)
        .job("A", 4)
        .record("p1", |p| p.last_print_ended = Some(Timestamp(30)))
        .record("p2", |p| p.last_print_ended = Some(Timestamp(10)))
        .record("p4", |p| p.last_print_ended = Some(Timestamp(10)));
    let rules = [("distribute", "least-recently-used")];
    check(&farm, &rules, &["p3 A1", "p2 A2", "p4 A3", "p1 A4"]);
}

#[test]
fn r_d5_by_hours_the_one_that_has_printed_least_by_best_fit_the_one_with_most_material() {
    let farm = Farm::new(3)
        .job("A", 3)
        .has("p1", |e| e.printed_s = 900)
        .has("p2", |e| e.printed_s = 100);
    check(
        &farm,
        &[("distribute", "hours")],
        &["p3 A1", "p2 A2", "p1 A3"],
    );
    let needs = Needs {
        tools: vec![tool(0, "PLA", 50)],
        ..Needs::default()
    };
    let farm = Farm::new(4)
        .job("A", 4)
        .needs(needs)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 60)])
        .has("p2", |e| e.slots = vec![slot(0, "PLA", 49)])
        .has("p3", |e| e.slots = vec![slot(0, "PLA", 900)]);
    // p2 has too little; of p4 nobody knows.
    check(
        &farm,
        &[("distribute", "best-fit")],
        &["p3 A1", "p1 A2", "p4 A3"],
    );
}

#[test]
fn r_d6_a_colour_that_is_preferred_is_looked_for_at_every_printer_before_one_is_taken() {
    let black = printmesh_queue::ToolNeed {
        color: Some("black".into()),
        ..tool(0, "PLA", 1)
    };
    let needs = Needs {
        tools: vec![black],
        ..Needs::default()
    };
    let loaded = |color: &str| printmesh_queue::Slot {
        color: Some(color.into()),
        ..slot(0, "PLA", 900)
    };
    let farm = Farm::new(3)
        .has("p1", |e| e.slots = vec![loaded("red")])
        .has("p2", |e| e.slots = vec![loaded("white")])
        .has("p3", |e| e.slots = vec![loaded("black")])
        .job("A", 1)
        .needs(needs)
        .with(|job| job.terms.color = printmesh_queue::ColorRule::Prefer);
    for how in [
        "position",
        "least-recently-used",
        "hours",
        "best-fit",
        "random",
    ] {
        check(&farm, &[("distribute", how)], &["p3 A1"]);
    }
    // It is a wish: with that printer at work the first of the others takes it.
    check(&farm.busy(&["p3"]), &[], &["p1 A1"]);
}

#[test]
fn r_g1_a_group_is_drained_but_what_is_blocked_in_it_holds_nobody_unless_nothing_is_skipped() {
    let needs = Needs {
        tools: vec![tool(0, "PETG", 1)],
        ..Needs::default()
    };
    let farm = Farm::new(2)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 100)])
        .has("p2", |e| e.slots = vec![slot(0, "PLA", 100)])
        .job("B1", 1)
        .in_group("B")
        .job("A1", 1)
        .in_group("A")
        .needs(needs)
        .job("A2", 1)
        .in_group("A");
    let drain = [("drain-groups", "on"), ("groups", "A,B")];
    check(&farm, &drain, &["p1 A21", "p2 B11"]);
    check(&farm, &[drain[0], drain[1], NEVER_SKIP], &[]);
}

#[test]
fn r_g1_the_next_group_is_begun_while_the_last_copies_of_the_first_one_print() {
    let farm = Farm::new(1)
        .job("B1", 1)
        .in_group("B")
        .job("A1", 1)
        .in_group("A")
        .claim("A1", 1, "p9", ClaimState::Printing);
    check(
        &farm,
        &[("drain-groups", "on"), ("groups", "A,B")],
        &["p1 B11"],
    );
}

#[test]
fn r_g2_when_groups_are_not_drained_they_interleave_by_position() {
    let farm = Farm::new(3)
        .job("B1", 1)
        .in_group("B")
        .job("A1", 1)
        .in_group("A")
        .job("B2", 1)
        .in_group("B");
    assert_eq!(farm.set(&[("groups", "A,B")]).jobs(), "B1 A1 B2");
}

#[test]
fn r_g3_a_job_is_in_one_group_and_goes_into_another_one_whole() {
    let farm = Farm::new(3)
        .job("B1", 1)
        .in_group("B")
        .job("A1", 2)
        .in_group("A")
        .set(&[("drain-groups", "on"), ("groups", "A,B")]);
    assert_eq!(farm.jobs(), "A1 A1 B1");
    let moved = farm.edit("A1", |job| job.terms.group = "C".into());
    assert_eq!(moved.jobs(), "B1 A1 A1");
}

#[test]
fn r_g4_a_group_that_is_listed_no_more_keeps_its_jobs() {
    let farm = Farm::new(3)
        .job("N1", 1)
        .job("A1", 1)
        .in_group("A")
        .job("B1", 1)
        .in_group("B")
        .set(&[("drain-groups", "on"), ("groups", "A,B")]);
    assert_eq!(farm.jobs(), "A1 B1 N1");
    // After the listed ones, by name, and before what has no group.
    assert_eq!(farm.clone().set(&[("groups", "B")]).jobs(), "B1 A1 N1");
    assert_eq!(farm.set(&[("groups", "none")]).jobs(), "A1 B1 N1");
}

#[test]
fn r_g5_round_robin_cycles_within_the_group() {
    let farm = Farm::new(6)
        .job("B", 2)
        .in_group("B")
        .job("A", 2)
        .in_group("A")
        .job("C", 2)
        .in_group("A");
    let rules = [("drain-groups", "on"), ("groups", "A,B"), ROUND_ROBIN];
    assert_eq!(farm.set(&rules).jobs(), "A C A C B B");
}

#[test]
fn r_b1_the_backburner_comes_after_everything_else_or_never_by_itself() {
    let farm = Farm::new(3)
        .job("P", 1)
        .with(|job| job.terms.backburner = true)
        .job("Q", 1)
        .with(|job| job.terms.backburner = true)
        .job("A", 1);
    assert_eq!(farm.jobs(), "A P Q");
    let parked = farm.set(&[("exclude-backburner", "on")]);
    assert_eq!(parked.jobs(), "A");
    assert_eq!(
        parked.why("P", "p2").expect("it waits").code(),
        "backburner"
    );
}

#[test]
fn r_b2_a_person_starts_what_is_parked() {
    let farm = Farm::new(1)
        .job("P", 1)
        .with(|job| job.terms.backburner = true)
        .set(&[("exclude-backburner", "on"), NEVER_SKIP]);
    let job = &farm.snapshot.jobs[&job_id("P")];
    let chosen = choose_of(&farm.snapshot, &farm.presence, &printer("p1"), job);
    assert_eq!(chosen.map(|open| open.copy.job), Ok(job.id));
}

#[test]
fn r_b3_unless_somebody_says_otherwise_what_is_parked_is_printed_when_nothing_else_can_be() {
    assert!(!printmesh_queue::Settings::default().exclude_backburner);
    let farm = Farm::new(2)
        .job("P", 1)
        .with(|job| job.terms.backburner = true)
        .job("A", 1);
    check(&farm, &[], &["p1 A1", "p2 P1"]);
}

/// A job that p1 could print if somebody loaded something.
fn blocked(farm: Farm) -> Farm {
    let needs = Needs {
        tools: vec![tool(0, "PETG", 1)],
        ..Needs::default()
    };
    let farm = farm.has("p1", |e| e.slots = vec![slot(0, "PLA", 100)]);
    farm.job("X", 1).needs(needs)
}

#[test]
fn r_b4_the_backburner_blocks_nobody() {
    let farm = blocked(Farm::new(1)).with(|job| job.terms.backburner = true);
    let farm = farm.job("Q", 1).with(|job| job.terms.backburner = true);
    check(&farm, &[NEVER_SKIP], &["p1 Q1"]);
}

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
