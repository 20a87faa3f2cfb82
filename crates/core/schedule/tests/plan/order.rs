//! The rules of order, distribution, groups and the backburner, each under its id: `check(farm, rules, starts)`.

use printmesh_queue::{Bed, ClaimState, Needs, RunResult, Timestamp};
use printmesh_schedule::{choose_of, one_click};

use crate::farm::{Farm, check, job_id, printer, slot, tool};

pub(crate) fn pin(farm: Farm, name: &str) -> Farm {
    farm.with(|job| job.printers = vec![name.into()])
}

const ROUND_ROBIN: (&str, &str) = ("order", "round-robin");
pub(crate) const NEVER_SKIP: (&str, &str) = ("never-skip", "on");

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

/// SimplyPrint warns and starts; here somebody looks first, and says so.
#[test]
fn r_e2_a_printer_that_is_out_of_order_is_started_by_nobody_before_somebody_has_looked() {
    let farm = Farm::new(1).job("A", 1);
    for (farm, code) in [
        (
            farm.clone().record("p1", |p| p.fault = Some("hot".into())),
            "printer-fault",
        ),
        (
            farm.clone().record("p1", |p| p.paused = Some("jam".into())),
            "printer-paused",
        ),
        (
            farm.clone().record("p1", |p| p.bed = Bed::Unknown),
            "bed-unknown",
        ),
    ] {
        let (snapshot, presence) = (&farm.snapshot, &farm.presence);
        let job = &snapshot.jobs[&job_id("A")];
        let started = choose_of(snapshot, presence, &printer("p1"), job);
        assert_eq!(started.expect_err("it is out of order").code(), code);
        assert_eq!(one_click(snapshot, presence, |_| true).starts, []);
    }
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
fn r_d5_the_last_in_the_list_or_the_one_that_has_printed_most() {
    let farm = Farm::new(3)
        .job("A", 2)
        .has("p1", |e| e.printed_s = 3600)
        .has("p2", |e| e.printed_s = 7200);
    check(&farm, &[("distribute", "reverse")], &["p3 A1", "p2 A2"]);
    check(&farm, &[("distribute", "most-hours")], &["p2 A1", "p1 A2"]);
    let alike = Farm::new(2).job("A", 1);
    check(&alike, &[("distribute", "most-hours")], &["p1 A1"]);
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
pub(crate) fn blocked(farm: Farm) -> Farm {
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
