//! Many seeds on all cores, what they add up to, and how a seed that fails is made small.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    coverage::Coverage,
    plan::{Plan, Size},
    run::{Outcome, Telling, run},
};

/// What many seeds added up to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Seeds that were run.
    pub seeds: u64,
    /// Virtual time, in milliseconds.
    pub passed_ms: u64,
    /// Events.
    pub events: u64,
    /// Jobs submitted.
    pub jobs: u64,
    /// What was met.
    pub coverage: Coverage,
    /// Outcomes that broke a law, by seed.
    pub broken: Vec<Outcome>,
}

impl Figures {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.passed_ms += outcome.passed_ms;
        self.events += outcome.events;
        self.jobs += outcome.jobs as u64;
        self.coverage.add(&outcome.coverage);
        if outcome.violation.is_some() {
            self.broken.push(outcome);
        }
    }

    /// Faults of all kinds.
    pub fn faults(&self) -> u64 {
        let faults = self
            .coverage
            .all()
            .filter(|(name, _)| name.starts_with("fault: "));
        faults.map(|(_, count)| count).sum()
    }
}

/// Runs so many seeds from a first one, on so many threads; stops early after so many that broke a law. `told` hears of each
/// seed that has ended.
pub fn seeds(
    from: u64,
    count: u64,
    size: Size,
    threads: usize,
    broken_max: usize,
    told: impl Fn(&Figures) + Sync,
) -> Figures {
    let next = AtomicU64::new(from);
    let figures = Mutex::new(Figures::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let plan = Plan::new(seed, size);
                    if size.members && !plan.has_liar() && !plan.has_removal() {
                        continue;
                    }
                    let outcome = run(plan, Telling::Nothing);
                    let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
                    figures.add(outcome);
                    told(&figures);
                    if figures.broken.len() >= broken_max {
                        next.store(from + count, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut figures = figures.into_inner().unwrap_or_else(PoisonError::into_inner);
    figures.broken.sort_by_key(|outcome| outcome.seed);
    figures
}

/// The smallest plan that was found to break the same law.
#[derive(Clone, Debug)]
pub struct Found {
    /// The plan.
    pub plan: Plan,
    /// What came of it, told.
    pub outcome: Outcome,
    /// Faults of the whole plan.
    pub faults: usize,
    /// With so many of its first faults it fails, and with no fewer.
    pub prefix: usize,
}

/// Makes the plan of a seed that fails as small as can be found: the shortest run of first faults, then without each of them.
pub fn shrink(plan: &Plan, law: &str) -> Found {
    let (small, prefix) = smallest(plan, |plan| {
        let outcome = run(plan.clone(), Telling::Nothing);
        let violation = outcome.violation;
        violation.is_some_and(|violation| violation.law == law)
    });
    let outcome = run(small.clone(), Telling::Last);
    Found {
        plan: small,
        outcome,
        faults: plan.faults(),
        prefix,
    }
}

/// One after the other: that a plan fails with fewer faults says nothing of what it does with more.
fn smallest(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> (Plan, usize) {
    let whole = plan.faults();
    let prefix = (0..whole).find(|count| fails(&plan.first_faults(*count)));
    let prefix = prefix.unwrap_or(whole);
    let mut small = plan.first_faults(prefix);
    let mut index = prefix;
    while index > 0 {
        index -= 1;
        let less = small.without_fault(index);
        if fails(&less) {
            small = less;
        }
    }
    (small, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let size = Size {
            hosts: None,
            printers: None,
            members: false,
        };
        let mut plans = (0..).map(|seed| Plan::new(seed, size));
        plans
            .find(|plan| plan.faults() > 9)
            .expect("most have more")
    }

    #[test]
    fn a_seed_that_fails_is_shown_with_the_shortest_run_of_faults_and_without_those_that_do_not_matter()
     {
        let plan = plan();
        let has = |plan: &Plan, place: usize| {
            let places = plan.fault_places();
            places.split(',').any(|other| other == place.to_string())
        };
        let (small, prefix) = smallest(&plan, |plan| has(plan, 2) && has(plan, 6));
        assert_eq!((small.fault_places().as_str(), prefix), ("2,6", 7));
        // With its first four faults it fails, with five no more, with all of them again.
        let (small, prefix) = smallest(&plan, |other| {
            has(other, 3) && (!has(other, 4) || other.faults() == plan.faults())
        });
        assert_eq!((small.fault_places().as_str(), prefix), ("3", 4));
        let (small, prefix) = smallest(&plan, |_| true);
        assert_eq!((small.fault_places().as_str(), prefix), ("none", 0));
        assert_eq!(
            plan.with_faults(&small.fault_places().parse().expect("they are places"))
                .faults(),
            0
        );
        let (small, prefix) = smallest(&plan, |other| other.faults() == plan.faults());
        assert_eq!((small.faults(), prefix), (plan.faults(), plan.faults()));
    }
}
