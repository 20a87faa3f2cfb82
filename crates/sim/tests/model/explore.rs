//! Runs the search over a model and says what it found: complete or not, which law broke, what was never reached.

use std::{
    collections::BTreeMap,
    env, fmt,
    fmt::Write as _,
    hash::Hash,
    sync::{Mutex, Once, PoisonError},
    time::Instant,
};

use stateright::{Checker, HasDiscoveries, Model};

/// One search at a time when bounds are full, so that the memory of two does not add up.
static ALONE: Mutex<()> = Mutex::new(());
static HEADER: Once = Once::new();

/// Whether the full bounds were asked for.
pub(crate) fn full() -> bool {
    env::var("PRINTMESH_MODEL").is_ok_and(|bounds| bounds == "full")
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    name: String,
    unique: usize,
    generated: usize,
    depth: usize,
    seconds: f32,
    /// Whether every reachable state was seen.
    complete: bool,
    /// Laws that broke, each with its counter-example.
    broken: BTreeMap<&'static str, Vec<String>>,
    /// What must be possible and was not seen.
    unreached: Vec<&'static str>,
}

/// Explores every state of a right protocol: no law breaks, and nothing that must be possible is missing.
///
/// # Panics
/// When a law breaks (with the steps that break it), when something was not reached, or when the search did not end.
pub(crate) fn holds<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + fmt::Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + fmt::Debug + PartialEq,
{
    let found = search(name, model, None, Order::Deep);
    found.assert_holds();
    assert!(found.complete, "{name}: the search did not end");
}

/// Like [`holds`], for a space too large to be seen whole: stops after so many generated states.
///
/// # Panics
/// When a law breaks or something was not reached until then.
pub(crate) fn holds_up_to<M>(name: &str, model: M, generated: usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + fmt::Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + fmt::Debug + PartialEq,
{
    search(name, model, Some(generated), Order::Deep).assert_holds();
}

/// Searches a wrong protocol, nearest states first, until the law breaks that it must break.
///
/// # Panics
/// When it does not, whatever other laws do: then this law cannot see the bug.
pub(crate) fn breaks<M>(name: &str, model: M, law: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + fmt::Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + fmt::Debug + PartialEq,
{
    let found = search(name, model, None, Order::NearestFailure(law));
    assert!(
        found.broken.contains_key(law),
        "{name}: expected {law} to break, but: {found:?}"
    );
}

enum Order {
    /// Everything, with little memory.
    Deep,
    /// The shortest way to this broken law, and no further.
    NearestFailure(&'static str),
}

fn search<M>(name: &str, model: M, cap: Option<usize>, order: Order) -> Found
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + fmt::Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + fmt::Debug + PartialEq,
{
    let _alone = full().then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let begun = Instant::now();
    let checker = model.checker();
    let checker = match cap {
        Some(cap) => checker.target_state_count(cap),
        None => checker,
    };
    let found = match order {
        Order::Deep => {
            let threads = if full() { 2 } else { 1 };
            let checker = checker.threads(threads).spawn_dfs().join();
            Found::new(name, &checker, cap, begun)
        }
        Order::NearestFailure(law) => {
            let failure = HasDiscoveries::AllOf([law].into());
            let checker = checker.finish_when(failure).spawn_bfs().join();
            Found::new(name, &checker, cap, begun)
        }
    };
    found.print();
    found
}

impl Found {
    fn new<M>(name: &str, checker: &impl Checker<M>, cap: Option<usize>, begun: Instant) -> Self
    where
        M: Model,
        M::State: Clone + fmt::Debug + Hash + PartialEq,
        M::Action: Clone + fmt::Debug + PartialEq,
    {
        let seconds = begun.elapsed().as_secs_f32();
        let mut discoveries = checker.discoveries();
        let mut broken = BTreeMap::new();
        let mut unreached = Vec::new();
        for property in checker.model().properties() {
            let path = discoveries.remove(property.name);
            match (property.expectation.discovery_is_failure(), path) {
                (true, Some(path)) => {
                    let steps = path.into_actions();
                    let steps = steps.iter().map(|step| format!("{step:?}")).collect();
                    broken.insert(property.name, steps);
                }
                (false, None) => unreached.push(property.name),
                (true, None) | (false, Some(_)) => {}
            }
        }
        let generated = checker.state_count();
        Self {
            name: name.to_owned(),
            unique: checker.unique_state_count(),
            generated,
            depth: checker.max_depth(),
            seconds,
            complete: checker.is_done()
                && cap.is_none_or(|cap| generated < cap)
                && broken.is_empty(),
            broken,
            unreached,
        }
    }

    fn assert_holds(&self) {
        let mut story = String::new();
        for (law, steps) in &self.broken {
            write!(story, "\n{law} breaks:\n  {}", steps.join("\n  ")).expect("a string takes it");
        }
        assert!(self.broken.is_empty(), "{}:{story}", self.name);
        assert!(
            self.unreached.is_empty(),
            "{}: never reached: {:?}",
            self.name,
            self.unreached
        );
    }

    /// One row of the table in `SAFETY.md`; shown with `--nocapture`.
    #[expect(
        clippy::print_stdout,
        reason = "the table is what the full bounds are run for"
    )]
    fn print(&self) {
        HEADER.call_once(|| {
            println!(
                "\n| configuration | unique states | generated | depth | s | explored | result |"
            );
            println!("|---|---|---|---|---|---|---|");
        });
        let explored = if self.complete {
            "complete"
        } else if self.broken.is_empty() {
            "stopped at its cap"
        } else {
            "to the first violation"
        };
        let mut result = String::new();
        for (law, steps) in &self.broken {
            write!(result, "{law}: broken in {} steps; ", steps.len()).expect("a string takes it");
        }
        if self.broken.is_empty() {
            result.push_str("0 violations");
        }
        if !self.unreached.is_empty() && self.broken.is_empty() {
            write!(result, ", never reached: {:?}", self.unreached).expect("a string takes it");
        }
        println!(
            "| {} | {} | {} | {} | {:.1} | {explored} | {} |",
            self.name,
            self.unique,
            self.generated,
            self.depth,
            self.seconds,
            result.trim_end_matches("; "),
        );
    }
}
