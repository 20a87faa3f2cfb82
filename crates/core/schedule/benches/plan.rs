//! What planning costs for 10,000 jobs and 1,000 printers: `cargo bench -p printmesh-schedule`.
//!
//! One printer becomes free: its print ends, all others print on; the index takes in what its host wrote about the copy and the
//! printer, its next copy is found. The whole plan with all printers free. 20,000 prints ahead of time. Beside each stands the naive way, every job by every printer with nothing kept,
//! which must give the same; of the prints ahead it does only the first ones, each of which takes it as long as any other.
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
use printmesh_queue::{ClaimState, CopyId, CopyState, JobId, Needs, PrinterId, Priority, Touched};
use printmesh_schedule::{Assume, Index, Line, OpenCopy, Outlook, Planner, misfit_of, simulate};

const JOBS: usize = 10_000;
const PRINTERS: u32 = 1_000;
/// How often each printer becomes free.
const TRIES: u32 = 5;
const NAIVE_ROUNDS: u32 = 5;
/// Prints that are looked ahead, and how many of them the naive way finds: it would take minutes for all.
const PRINTS: usize = 20_000;
const NAIVE_PRINTS: usize = 700;
const TURNAROUND_MS: u64 = 600_000;
const MATERIALS: [&str; 5] = ["PLA", "PETG", "ASA", "TPU", "PA-CF"];

fn large() -> Farm {
    let mut farm = Farm::new(PRINTERS);
    for n in 1..=PRINTERS {
        farm = farm.has(&format!("p{n}"), |e| {
            e.model = Some(format!("model {}", n % 20));
            e.nozzle_um = Some(400 + 200 * (n % 2));
            e.volume_mm = Some([250, 210, 220]);
            e.slots = vec![slot(0, MATERIALS[n as usize % 5], 500 + u64::from(n))];
        });
    }
    for n in 0..JOBS {
        let needs = Needs {
            model: Some(format!("model {}", n % 23)),
            nozzle_um: Some(400),
            volume_mm: Some([(n % 300) as u32, 100, 100]),
            tools: vec![tool(0, MATERIALS[n % 5], (n % 700) as u64)],
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
    for n in 1..=PRINTERS {
        let name = under_way(n);
        farm = farm.job(&name, 1);
        farm = farm.claim(&name, 1, &format!("p{n}"), ClaimState::Printing);
    }
    farm
}

/// The job that a printer is at.
fn under_way(n: u32) -> String {
    format!("at p{n}")
}

/// What the printer's host writes when the print of a job begins or ends.
fn ends(farm: &mut Farm, job: JobId, state: ClaimState) {
    let copy = CopyId { job, index: 0 };
    let claims = farm
        .snapshot
        .claims
        .get_mut(&copy)
        .expect("it is under way");
    let claim = claims.values_mut().next().expect("it is under way");
    claim.record.state = state;
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
                let (left, mg) = (
                    has.slots[0].left_mg,
                    job.sets[0].spec.files[0].needs.tools[0].mg,
                );
                misfit_of(&farm.snapshot, job, id).is_none()
                    && left.is_none_or(|left| mg <= Some(left))
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
    println!("{JOBS} jobs that wait, {PRINTERS} printers, each with another one under way");
    let begin = Instant::now();
    let mut index = Index::new(&farm.snapshot);
    println!(
        "index, made from nothing                {:>12.3?}",
        begin.elapsed()
    );

    let all: BTreeSet<PrinterId> = farm.snapshot.printers.keys().cloned().collect();
    let mut times = Vec::new();
    let mut naive_times = Vec::new();
    farm.presence.busy = all;
    for n in 1..=PRINTERS {
        let id = printer(&format!("p{n}"));
        let job = farm::job_id(&under_way(n));
        let touched = Touched {
            printers: BTreeSet::from([id.clone()]),
            copies: BTreeSet::from([CopyId { job, index: 0 }]),
            ..Touched::default()
        };
        let mut turn = None;
        for _ in 0..TRIES {
            ends(&mut farm, job, ClaimState::Printing);
            farm.presence.busy.insert(id.clone());
            index.update(&farm.snapshot, &touched);
            ends(&mut farm, job, ClaimState::Finished);
            farm.presence.busy.remove(&id);
            let begin = Instant::now();
            index.update(&farm.snapshot, &touched);
            let planner = Planner::new(&farm.snapshot, &farm.presence, &index);
            turn = black_box(planner.turn(&id)).ok();
            times.push(begin.elapsed());
        }
        if n <= NAIVE_ROUNDS {
            let begin = Instant::now();
            let starts = black_box(naive(&farm, &mut vec![id.clone()]));
            naive_times.push(begin.elapsed());
            assert_eq!(
                turn.map(|turn| turn.open),
                starts.first().map(|(_, open)| *open)
            );
        }
        ends(&mut farm, job, ClaimState::Printing);
        farm.presence.busy.insert(id);
        index.update(&farm.snapshot, &touched);
    }
    let (p50, p99) = (at(times.clone(), 0.5), at(times, 0.99));
    let slow = at(naive_times, 0.5);
    println!(
        "a printer becomes free: its next copy   p50 {p50:>8.3?}  p99 {p99:>8.3?}   (at most 1 ms)"
    );
    println!(
        "  the naive way                         p50 {slow:>8.3?}  {:.0} times as long, {:.0} times as long as p99",
        slow.as_secs_f64() / p50.as_secs_f64(),
        slow.as_secs_f64() / p99.as_secs_f64()
    );

    for n in 1..=PRINTERS {
        ends(&mut farm, farm::job_id(&under_way(n)), ClaimState::Finished);
    }
    farm.presence.busy.clear();
    let index = Index::new(&farm.snapshot);
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

/// The first prints that are to come, the naive way: whenever printers are free, every job by every printer. Returns when each
/// begins, and how long it took to find those that begin later than now.
fn naive_ahead(mut farm: Farm, prints: usize) -> (Vec<(u64, PrinterId, CopyId)>, Duration) {
    let begin = farm.presence.now.0;
    let (mut now, mut free) = (begin, in_order(&farm));
    let mut ends: BTreeSet<(u64, PrinterId)> = BTreeSet::new();
    let (mut found, mut took) = (Vec::new(), Duration::ZERO);
    while found.len() < prints {
        let clock = Instant::now();
        let starts = naive(&farm, &mut free);
        if now > begin {
            took += clock.elapsed();
        }
        // Whoever has found nothing finds nothing later: no job comes.
        free.clear();
        for (printer, open) in starts {
            let job = &farm.snapshot.jobs[&open.copy.job];
            let estimate_s = job.sets[0].spec.files[0].estimate_s.unwrap_or(0);
            let name = job.name.clone();
            farm = farm.claim(&name, open.copy.index + 1, "p0", ClaimState::Finished);
            ends.insert((now + 1000 * estimate_s + TURNAROUND_MS, printer.clone()));
            found.push((now, printer, open.copy));
        }
        let Some((next, _)) = ends.first() else {
            break;
        };
        now = *next;
        let later = ends.split_off(&(now + 1, printer("")));
        let places = &farm.snapshot.printers;
        free.extend(ends.into_iter().map(|(_, id)| id));
        free.sort_by_key(|id| (places[id].position, id.clone()));
        ends = later;
    }
    (found, took)
}

/// Everything that is to come, in virtual time.
fn ahead(mut farm: Farm) {
    // Every copy fits some printer: otherwise most of them are never printed.
    for (n, job) in farm.snapshot.jobs.values_mut().enumerate() {
        let model = 2 * (n % 10);
        let file = &mut job.sets[0].spec.files[0];
        file.estimate_s = Some(600 + 60 * (n as u64 % 97));
        file.needs.model = Some(format!("model {model}"));
        file.needs.volume_mm = Some([200, 100, 100]);
        file.needs.tools = vec![tool(0, MATERIALS[model % 5], 100)];
        job.copies = 3;
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
        turnaround_ms: Some(TURNAROUND_MS),
        until: None,
        prints_max: PRINTS,
    };
    let (expected, naive_took) = naive_ahead(farm.clone(), NAIVE_PRINTS);
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
        let took = begin.elapsed();
        println!(
            "{} prints ahead{name:<26} {took:>8.3?}",
            forecast.prints.len()
        );
        if name.is_empty() {
            let prints = forecast.prints.iter().take(expected.len());
            let same: Vec<_> = prints
                .map(|print| (print.from.0, print.printer.clone(), print.copy))
                .collect();
            assert!(
                sorted(same) == sorted(expected.clone()),
                "both say the same"
            );
            let now = expected.first().map(|(from, ..)| *from);
            let later = expected
                .iter()
                .filter(|(from, ..)| Some(*from) > now)
                .count();
            #[expect(clippy::cast_precision_loss, reason = "some thousands")]
            let all = naive_took.as_secs_f64() / later as f64 * forecast.prints.len() as f64;
            println!(
                "  the naive way, by {later:>4} of them            {all:>7.1}s  {:.0} times as long",
                all / took.as_secs_f64()
            );
        }
    }
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all
}
