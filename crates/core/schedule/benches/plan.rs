//! What planning costs for 10,000 jobs and 1,000 printers: `cargo bench -p printmesh-schedule`.
//!
//! One printer becomes free: its record changes, the index takes that in, its next copy is found. The whole plan with all
//! printers free. Beside both stands the naive way, every job by every printer with nothing kept, which must give the same.
//! Figures are for comparing with each other, in one run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock; the core does not"
)]

#[path = "../tests/plan/farm.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod farm;

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::{Duration, Instant},
};

use farm::{Farm, printer, slot, tool};
use printmesh_queue::{ClaimState, CopyState, Needs, PrinterId, Priority, Touched};
use printmesh_schedule::{Assume, Index, Line, OpenCopy, Outlook, Planner, misfit_of, simulate};

const JOBS: usize = 10_000;
const PRINTERS: u32 = 1_000;
const ROUNDS: u32 = 1_000;
const TRIES: u32 = 5;
const NAIVE_ROUNDS: u32 = 5;

fn large() -> Farm {
    let mut farm = Farm::new(PRINTERS);
    let materials = ["PLA", "PETG", "ASA", "TPU", "PA-CF"];
    for n in 1..=PRINTERS {
        farm = farm.has(&format!("p{n}"), |e| {
            e.model = Some(format!("model {}", n % 20));
            e.nozzle_um = Some(400 + 200 * (n % 2));
            e.volume_mm = Some([250, 210, 220]);
            e.slots = vec![slot(0, materials[n as usize % 5], 500 + u64::from(n))];
        });
    }
    for n in 0..JOBS {
        let needs = Needs {
            model: Some(format!("model {}", n % 23)),
            nozzle_um: Some(400),
            volume_mm: Some([(n % 300) as u32, 100, 100]),
            tools: vec![tool(0, materials[n % 5], (n % 700) as u64)],
            ..Needs::default()
        };
        let copies = 1 + (n % 3) as u32;
        farm = farm.job(&format!("{n:05}"), copies);
        let id = farm::job_id(&format!("{n:05}"));
        let job = farm.snapshot.jobs.get_mut(&id).expect("just added");
        job.sets[0].spec.files[0].needs = needs;
        if n % 4 == 0 {
            farm = farm.claim(&format!("{n:05}"), 1, "p0", ClaimState::Finished);
        }
    }
    farm
}

/// Every job by every printer, nothing kept.
fn naive(farm: &Farm, free: &mut Vec<PrinterId>) -> Vec<(PrinterId, OpenCopy)> {
    let mut starts = Vec::new();
    for job in farm.snapshot.jobs_in_order() {
        for (copy, state) in farm.snapshot.copies_of(job) {
            let CopyState::Open(attempt) = state else {
                continue;
            };
            let open = OpenCopy { copy, attempt };
            let fits = |id: &PrinterId| {
                let has = &farm.snapshot.printers[id].equipment;
                let left = has.slots[0].left_mg;
                misfit_of(&farm.snapshot, job, id).is_none()
                    && job.sets[0].spec.files[0].needs.tools[0].mg <= left
            };
            if let Some(at) = free.iter().position(fits) {
                starts.push((free.remove(at), open));
            }
            if free.is_empty() {
                return starts;
            }
        }
    }
    starts
}

fn at(mut times: Vec<Duration>, share: f64) -> Duration {
    times.sort();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list of some thousands"
    )]
    let place = ((times.len() - 1) as f64 * share) as usize;
    times[place]
}

fn in_order(farm: &Farm) -> Vec<PrinterId> {
    let mut ids: Vec<_> = farm.snapshot.printers.iter().collect();
    ids.sort_by_key(|(id, record)| (record.position, (*id).clone()));
    ids.into_iter().map(|(id, _)| id.clone()).collect()
}

fn main() {
    let mut farm = large();
    println!("{JOBS} jobs, {PRINTERS} printers");
    let begin = Instant::now();
    let mut index = Index::new(&farm.snapshot);
    println!(
        "index, made from nothing                {:>12.3?}",
        begin.elapsed()
    );

    let all: BTreeSet<PrinterId> = farm.snapshot.printers.keys().cloned().collect();
    let mut times = Vec::new();
    let mut naive_times = Vec::new();
    for round in 0..ROUNDS {
        let id = printer(&format!("p{}", 1 + round % PRINTERS));
        farm.presence.busy = all.clone();
        farm.presence.busy.remove(&id);
        let touched = Touched {
            printers: BTreeSet::from([id.clone()]),
            ..Touched::default()
        };
        // The best of several: what other programs take of the machine is not what planning costs.
        let mut best = Duration::MAX;
        let mut turn = None;
        for _ in 0..TRIES {
            let begin = Instant::now();
            index.update(&farm.snapshot, &touched);
            let planner = Planner::new(&farm.snapshot, &farm.presence, &index);
            turn = black_box(planner.turn(&id)).ok();
            best = best.min(begin.elapsed());
        }
        times.push(best);
        if round < NAIVE_ROUNDS {
            let begin = Instant::now();
            let starts = black_box(naive(&farm, &mut vec![id]));
            naive_times.push(begin.elapsed());
            assert_eq!(
                turn.map(|turn| turn.open),
                starts.first().map(|(_, open)| *open)
            );
        }
    }
    let (p50, p99) = (at(times.clone(), 0.5), at(times, 0.99));
    let slow = at(naive_times, 0.5);
    println!(
        "a printer becomes free: its next copy   p50 {p50:>8.3?}  p99 {p99:>8.3?}   (at most 1 ms)"
    );
    println!(
        "  the naive way                         p50 {slow:>8.3?}  {:.0} times as long",
        slow.as_secs_f64() / p50.as_secs_f64()
    );

    farm.presence.busy.clear();
    let mut times = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..20 {
        let begin = Instant::now();
        let plan = black_box(Planner::new(&farm.snapshot, &farm.presence, &index).plan());
        times.push(begin.elapsed());
        starts = plan.starts;
    }
    let full = at(times, 0.5);
    let begin = Instant::now();
    let expected = naive(&farm, &mut in_order(&farm));
    let slow = begin.elapsed();
    let starts: Vec<_> = starts
        .into_iter()
        .map(|start| (start.printer, start.open))
        .collect();
    assert_eq!(starts, expected);
    println!(
        "the whole plan, {:>4} starts             p50 {full:>8.3?}                 (at most 200 ms)",
        starts.len()
    );
    println!(
        "  the naive way                             {slow:>8.3?}  {:.0} times as long",
        slow.as_secs_f64() / full.as_secs_f64()
    );
    ahead(farm);
}

/// Everything that is to come, in virtual time.
fn ahead(mut farm: Farm) {
    for (n, job) in farm.snapshot.jobs.values_mut().enumerate() {
        job.sets[0].spec.files[0].estimate_s = Some(600 + 60 * (n as u64 % 97));
    }
    // Enough of everything: otherwise most of it is never printed.
    for record in farm.snapshot.printers.values_mut() {
        record
            .equipment
            .slots
            .iter_mut()
            .for_each(|slot| slot.left_mg = None);
    }
    let assume = Assume {
        turnaround_ms: 600_000,
        until: None,
        prints_max: 20_000,
    };
    let mut urgent = farm.clone().set(&[("sort-limit", "none")]);
    for (n, job) in urgent.snapshot.jobs.values_mut().enumerate() {
        if n % 7 == 0 {
            job.terms.priority = Priority::High;
        }
    }
    let in_turns = farm
        .clone()
        .set(&[("order", "round-robin"), ("distribute", "hours")]);
    for (name, farm) in [
        ("", farm),
        (", urgent jobs first", urgent),
        (", in turns", in_turns),
    ] {
        let outlook = Outlook {
            lines: vec![Line {
                snapshot: farm.snapshot,
                presence: farm.presence,
            }],
            left_ms: BTreeMap::new(),
        };
        let begin = Instant::now();
        let forecast = black_box(simulate(&outlook, &assume));
        println!(
            "simulated until done{name}: {} prints   {:>8.3?}",
            forecast.prints.len(),
            begin.elapsed()
        );
    }
}
