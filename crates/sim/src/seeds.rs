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
}

/// Makes the plan of a seed that fails as small as can be found: the shortest run of first faults, then without each of them.
pub fn shrink(plan: &Plan, law: &str) -> Found {
    let fails = |plan: &Plan| {
        let outcome = run(plan.clone(), Telling::Nothing);
        outcome
            .violation
            .is_some_and(|violation| violation.law == law)
    };
    let whole = plan.faults();
    let mut small = plan.clone();
    let (mut low, mut high) = (0, whole);
    while low < high {
        let middle = (low + high) / 2;
        if fails(&plan.first_faults(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if high < whole && fails(&plan.first_faults(high)) {
        small = plan.first_faults(high);
    }
    let mut index = small.faults();
    while index > 0 {
        index -= 1;
        let less = small.without_fault(index);
        if fails(&less) {
            small = less;
        }
    }
    let outcome = run(small.clone(), Telling::Last);
    Found {
        plan: small,
        outcome,
        faults: whole,
    }
}
