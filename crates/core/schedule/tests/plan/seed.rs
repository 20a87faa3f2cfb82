//! The examples of the text that the rules come from, with its numbers.

use printmesh_queue::Priority;

use crate::farm::{Farm, check};

/// "If queue item 1 has 10 copies, all 10 start (across whatever compatible printers are free) before item 2 gets a
/// look-in."
#[test]
fn all_ten_copies_of_the_first_item_start_before_the_second_gets_a_look_in() {
    let farm = |printers| Farm::new(printers).job("A", 10).job("B", 10);
    assert_eq!(farm(10).jobs(), "A A A A A A A A A A");
    assert_eq!(farm(12).jobs(), "A A A A A A A A A A B B");
    assert_eq!(farm(3).jobs(), "A A A");
}

/// "one copy of item 1, one copy of item 2, one copy of item 3, then back to item 1 for its next copy"
#[test]
fn round_robin_makes_a_first_copy_of_each_part_of_a_kit_and_then_a_second() {
    let kit = |printers| Farm::new(printers).job("A", 2).job("B", 2).job("C", 2);
    let rules = [("order", "round-robin")];
    assert_eq!(kit(3).set(&rules).jobs(), "A B C");
    assert_eq!(kit(6).set(&rules).jobs(), "A B C A B C");
    assert_eq!(kit(4).set(&rules).jobs(), "A B C A");
    assert_eq!(kit(6).jobs(), "A A B B C C", "and sequential does not");
}

/// "for example A1, A2, A3, then B1, B2, then C1"
#[test]
fn a_group_is_processed_before_the_next_one_or_interleaves_with_it() {
    let farm = |printers| {
        Farm::new(printers)
            .job("A1", 1)
            .in_group("A")
            .job("B1", 1)
            .in_group("B")
            .job("A2", 1)
            .in_group("A")
            .job("C1", 1)
            .in_group("C")
            .job("B2", 1)
            .in_group("B")
            .job("A3", 1)
            .in_group("A")
    };
    let on = [("drain-groups", "on"), ("groups", "A,B,C")];
    assert_eq!(farm(6).set(&on).jobs(), "A1 A2 A3 B1 B2 C1");
    assert_eq!(farm(2).set(&on).jobs(), "A1 A2");
    assert_eq!(farm(6).jobs(), "A1 B1 A2 C1 B2 A3", "off: as they stand");
    let other = [("drain-groups", "on"), ("groups", "C,A")];
    assert_eq!(farm(6).set(&other).jobs(), "C1 A1 A2 A3 B1 B2");
}

/// So many jobs `a`, `b`, … of which the last one is urgent, and one printer.
fn urgent_last(jobs: u8) -> Farm {
    let names = (0..jobs).map(|n| char::from(b'0' + n % 10).to_string() + &format!("{n:03}"));
    let farm = names.fold(Farm::new(1), |farm, name| farm.job(&name, 1));
    farm.with(|job| job.terms.priority = Priority::Rush)
}

/// The place of what starts first, from 1.
fn first(farm: &Farm) -> usize {
    let name = farm.jobs();
    let jobs = farm.snapshot.jobs_in_order();
    1 + jobs
        .iter()
        .position(|job| job.name == name)
        .expect("it started")
}

/// "only sort the first 20 items", "only sort the top 25 percent", "the smaller of the two wins", "Leave the field empty for
/// unlimited"
#[test]
fn r_s2_sorting_reaches_twenty_positions_or_a_quarter_or_the_smaller_of_both() {
    for (jobs, limit, reached) in [
        (20, "20", true),
        (21, "20", false),
        (4, "25%", false),
        (1, "25%", true),
        (100, "none", true),
        (100, "20,25%", false),
        (20, "20,100%", true),
        (10, "20,100%", true),
        (10, "20,25%", false),
        (3, "0", false),
    ] {
        let farm = urgent_last(jobs).set(&[("sort-limit", limit)]);
        let expected = if reached { usize::from(jobs) } else { 1 };
        assert_eq!(first(&farm), expected, "{jobs} jobs, limit {limit}");
    }
    // A quarter of a hundred: the 25th may come first, the 26th may not.
    for (place, limit, reached) in [
        (25, "25%", true),
        (26, "25%", false),
        (20, "20,25%", true),
        (21, "20,25%", false),
        (10, "20,10%", true),
        (11, "20,10%", false),
    ] {
        let farm = (0..100).fold(Farm::new(1), |farm, n| {
            let farm = farm.job(&format!("{n:03}"), 1);
            match n + 1 == place {
                true => farm.with(|job| job.terms.priority = Priority::Rush),
                false => farm,
            }
        });
        let farm = farm.set(&[("sort-limit", limit)]);
        let expected = if reached { place } else { 1 };
        assert_eq!(first(&farm), expected, "place {place}, limit {limit}");
    }
}

/// "the matcher always scans the whole list to find something a free printer can run"
#[test]
fn the_limit_of_sorting_is_no_limit_of_the_search() {
    let farm = (0..30).fold(Farm::new(1), |farm, n| {
        let farm = farm.job(&format!("{n:03}"), 1);
        farm.with(|job| job.printers = vec!["elsewhere".into()])
    });
    check(&farm.job("Z", 1), &[("sort-limit", "20")], &["p1 Z1"]);
}

/// "When Never skip queue items is on, the Max-queue-positions inputs are disabled and have no effect"
#[test]
fn r_n6_with_never_skip_nothing_is_sorted_whatever_the_limit() {
    for limit in ["none", "20", "100%", "0"] {
        let farm = urgent_last(10).set(&[("sort-limit", limit), ("never-skip", "on")]);
        assert_eq!(first(&farm), 1, "{limit}");
    }
}
