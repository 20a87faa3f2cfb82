//! `printmesh-sim`: runs seeds, replays one, prints the figures.

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use clap::Parser;
use printmesh_sim::{
    Places, Plan, Size, Telling, coverage, herd, laws, persist, print, run, sabotage, seeds, shrink,
};

/// Claims per start with 5 % stale views (notes/claims.md 3.9).
const HERD_ATTEMPTS_MAX: f64 = 1.6;

/// Seeds within which every deliberate bug must be found.
const SABOTAGE_SEEDS: u64 = 2_000;

/// Runs whole farms in virtual time, with everything that can go wrong, and judges them by the laws.
#[derive(Parser)]
struct Arguments {
    /// Runs this one seed, twice, and compares.
    #[arg(long)]
    seed: Option<u64>,
    /// Of the faults of that seed only these, by their places, as `2,6`; or `none`.
    #[arg(long)]
    faults: Option<Places>,
    /// Tells everything that happens with that seed.
    #[arg(long)]
    trace: bool,
    /// Runs so many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Hosts of every farm; drawn by the seed when not given.
    #[arg(long)]
    hosts: Option<usize>,
    /// Printers of every farm; drawn by the seed when not given.
    #[arg(long)]
    printers: Option<usize>,
    /// Of those seeds only the ones in which a member lies or is removed.
    #[arg(long)]
    members: bool,
    /// Threads.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints what was injected and met.
    #[arg(long)]
    figures: bool,
    /// Fails when a nemesis or a branch of the protocol was never met.
    #[arg(long)]
    coverage: bool,
    /// Hunts a deliberate bug by name, or `all` of them; each must be found within 2,000 seeds.
    #[arg(long)]
    sabotage: Option<String>,
    /// Lets 1,000 printers on 50 hosts become free at once, with 5 of 100 hosts half a minute behind.
    #[arg(long)]
    herd: bool,
    /// Crashes at every persist point of the happy path.
    #[arg(long)]
    persist: bool,
    /// Stops after so many seeds that break a law.
    #[arg(long, default_value_t = 3)]
    broken: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let size = Size {
        hosts: arguments.hosts,
        printers: arguments.printers,
        members: arguments.members,
    };
    if arguments.persist {
        let fine = persist_points();
        return if fine {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    if arguments.herd {
        let fine = herds(size, arguments.figures);
        return if fine {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let fine = match (arguments.seed, &arguments.sabotage) {
        (Some(seed), None) => one(seed, size, &arguments),
        (_, Some(name)) => hunt_all(name),
        (None, None) => many(&arguments, size),
    };
    if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn one(seed: u64, size: Size, arguments: &Arguments) -> bool {
    let whole = Plan::new(seed, size);
    let plan = match &arguments.faults {
        Some(kept) => whole.with_faults(kept),
        None => whole,
    };
    let telling = if arguments.trace {
        Telling::All
    } else {
        Telling::Nothing
    };
    let outcome = run(plan.clone(), telling);
    let again = run(plan.clone(), Telling::Nothing);
    print(&format!(
        "seed {seed}: {} events in {:.1} h, {} jobs, trace {}",
        outcome.events,
        outcome.passed_ms as f64 / 3_600_000.0,
        outcome.jobs,
        outcome.hash
    ));
    if again.hash != outcome.hash {
        print(&format!(
            "seed {seed} is not deterministic: {} and {}",
            outcome.hash, again.hash
        ));
        return false;
    }
    match &outcome.violation {
        None => true,
        Some(violation) => {
            if arguments.trace {
                print(&format!("{}: {}", violation.law, violation.what));
            } else {
                explain(&plan, size, violation.law);
            }
            false
        }
    }
}

/// Prints a seed that broke a law, as small as it could be made.
fn explain(plan: &Plan, size: Size, law: &str) {
    let found = shrink(plan, law);
    let what = found
        .outcome
        .violation
        .as_ref()
        .map_or("", |violation| &violation.what);
    let says = laws::LAWS
        .iter()
        .find(|(name, _)| *name == law)
        .map_or("", |(_, says)| says);
    print(&format!("seed {} breaks {law} ({says}): {what}", plan.seed));
    print(&format!(
        "  with the first {} of its {} faults, and of these with {}:",
        found.prefix,
        found.faults,
        found.plan.faults(),
    ));
    found
        .plan
        .fault_lines()
        .iter()
        .for_each(|line| print(&format!("    {line}")));
    print("  the last lines of each host:");
    found
        .outcome
        .lines
        .iter()
        .for_each(|line| print(&format!("    {line}")));
    let given = [("hosts", size.hosts), ("printers", size.printers)];
    let given = given
        .map(|(name, count)| count.map_or(String::new(), |count| format!(" --{name} {count}")));
    print(&format!(
        "  replay: cargo run -p printmesh-sim -- --seed {}{} --faults {} --trace",
        plan.seed,
        given.concat(),
        found.plan.fault_places()
    ));
}

fn persist_points() -> bool {
    let points = persist::points();
    let broken = persist::crash_at(&points, cores());
    print(&format!(
        "a crash at each of {} persist points of the happy path: {} violations",
        points.len(),
        broken.len()
    ));
    for (victim, point, violation) in &broken {
        print(&format!(
            "  h{victim} {point:?}: {} {}",
            violation.law, violation.what
        ));
    }
    broken.is_empty()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn herds(size: Size, with_figures: bool) -> bool {
    let began = Instant::now();
    let (hosts, printers) = (size.hosts.unwrap_or(50), size.printers.unwrap_or(1_000));
    let herd = herd::herd(1, hosts, printers, 5);
    let ratio = herd.attempts as f64 / herd.starts.max(1) as f64;
    print(&format!(
        "{hosts} hosts, {printers} printers: {} of {printers} copies started in {:.0} s, {ratio:.2} claims per start, {:?}; took {:.0} s",
        herd.starts,
        herd.took_ms as f64 / 1_000.0,
        herd.violation,
        began.elapsed().as_secs_f64(),
    ));
    if with_figures {
        for (name, count) in herd.coverage.all() {
            print(&format!("  {count:>9}  {name}"));
        }
    }
    herd.violation.is_none() && herd.starts == printers && ratio <= HERD_ATTEMPTS_MAX
}

/// Hunts deliberate bugs, each on its own.
fn hunt_all(name: &str) -> bool {
    let mut found_all = true;
    let mut hunted = 0;
    for (bug_name, bug) in sabotage::BUGS {
        if name != "all" && name != *bug_name {
            continue;
        }
        hunted += 1;
        match sabotage::hunt(*bug, 0, SABOTAGE_SEEDS) {
            Some((seed, violation)) => print(&format!(
                "{bug_name}: found by seed {seed}, the {}. one, by {}: {}",
                seed + 1,
                violation.law,
                violation.what
            )),
            None => {
                print(&format!("{bug_name}: NOT found by {SABOTAGE_SEEDS} seeds"));
                found_all = false;
            }
        }
    }
    if hunted == 0 {
        print(&format!(
            "there is no bug `{name}`; some need `--features sabotage`"
        ));
    }
    found_all && hunted > 0
}

fn many(arguments: &Arguments, size: Size) -> bool {
    let began = Instant::now();
    let threads = arguments.threads.unwrap_or_else(cores);
    let named = AtomicUsize::new(0);
    let figures = seeds(
        arguments.from,
        arguments.seeds,
        size,
        threads,
        arguments.broken,
        |figures| {
            // Why is said in the end; which seeds, at once: a long run may be looked into before it is over.
            let seen = named.swap(figures.broken.len(), Ordering::Relaxed);
            for outcome in figures.broken.iter().skip(seen) {
                let law = outcome
                    .violation
                    .as_ref()
                    .map_or("no law", |violation| violation.law);
                eprintln!("seed {} breaks {law}", outcome.seed);
            }
            if figures.seeds.is_multiple_of(500) && figures.seeds < arguments.seeds {
                eprintln!(
                    "{} seeds, {} violations, {:.0} s",
                    figures.seeds,
                    figures.broken.len(),
                    began.elapsed().as_secs_f64()
                );
            }
        },
    );
    let took = began.elapsed();
    for outcome in &figures.broken {
        if let Some(violation) = &outcome.violation {
            explain(&Plan::new(outcome.seed, size), size, violation.law);
        }
    }
    let days = figures.passed_ms as f64 / 86_400_000.0;
    print(&format!(
        "{} seeds, {days:.0} simulated days, {} jobs, {} events, {} faults, {} violations, in {:.1} s: {:.0} times real time on {threads} threads",
        figures.seeds,
        figures.jobs,
        figures.events,
        figures.faults(),
        figures.broken.len(),
        took.as_secs_f64(),
        figures.passed_ms as f64 / took.as_millis().max(1) as f64,
    ));
    if arguments.figures {
        for (name, count) in figures.coverage.all() {
            print(&format!("  {count:>9}  {name}"));
        }
    }
    let missing: Vec<&str> = coverage::WANTED
        .iter()
        .copied()
        .filter(|name| figures.coverage.count(name) == 0)
        .collect();
    if arguments.coverage && !missing.is_empty() {
        print(&format!("never met: {}", missing.join(", ")));
    }
    figures.broken.is_empty() && (missing.is_empty() || !arguments.coverage)
}
