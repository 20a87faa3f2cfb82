//! A handful of whole farms for every test run; the long runs are `printmesh-sim`'s.

use printmesh_sim::{
    Plan, Size, Telling,
    persist::{Point, crash_at, points},
    run,
    sabotage::{Bug, hunt},
    seeds,
};

#[test]
fn farms_in_which_everything_goes_wrong_break_no_law() {
    let figures = seeds(0, 6, Size::default(), 2, 1, |_| {});
    let broken: Vec<String> = figures
        .broken
        .iter()
        .map(|outcome| format!("seed {}: {:?}", outcome.seed, outcome.violation))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
    assert!(figures.faults() > 10, "{}", figures.faults());
}

fn broken(plans: impl Iterator<Item = Plan>) -> Vec<String> {
    let outcomes = plans.map(|plan| run(plan, Telling::Nothing));
    let broken = outcomes.filter(|outcome| outcome.violation.is_some());
    broken
        .map(|outcome| format!("seed {}: {:?}", outcome.seed, outcome.violation))
        .collect()
}

#[test]
fn a_member_that_lies_breaks_no_law_among_the_others_and_they_come_to_one_view() {
    let plans = (0..).map(|seed| Plan::new(seed, Size::default()));
    assert_eq!(
        broken(plans.filter(Plan::has_liar).take(4)),
        Vec::<String>::new()
    );
}

#[test]
fn members_that_are_removed_while_the_network_is_cut_break_no_law_whoever_removes_whom() {
    let plans = (0..).map(|seed| Plan::new(seed, Size::default()));
    assert_eq!(
        broken(plans.filter(Plan::has_removal).take(4)),
        Vec::<String>::new()
    );
}

#[test]
fn a_seed_is_one_history() {
    let [one, same, other] =
        [3, 3, 4].map(|seed| run(Plan::new(seed, Size::default()), Telling::Nothing));
    assert_eq!((&one.hash, one.events), (&same.hash, same.events));
    assert_ne!(one.hash, other.hash);
}

/// Every commit, and every seventh operation of the disk: `printmesh-sim --persist` crashes at each of them.
#[test]
fn a_power_cut_within_and_a_crash_around_every_commit_lose_and_repeat_nothing() {
    let mut points = points();
    assert!(points.len() > 200, "{}", points.len());
    points.retain(|(_, point)| match point {
        Point::Operation(n) => n % 7 == 0,
        Point::BeforeCommit(_) | Point::AfterCommit(_) | Point::AmongEffects(_) => true,
    });
    assert_eq!(crash_at(&points, 2), Vec::new());
}

#[test]
fn a_disk_that_lies_and_starts_that_come_too_late_are_found() {
    for bug in [Bug::NoSync, Bug::IgnoresDiskErrors, Bug::StartsLate] {
        assert!(hunt(bug, 0, 100).is_some(), "{bug:?} was not found");
    }
}
