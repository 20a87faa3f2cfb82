//! A crash at every persist point of the happy path, exhaustively: at each operation of the disk, and before and after each commit.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    host::CrashPoint, laws::Violation, people::Shape, plan::Plan, run::Outcome, world::World,
};

/// What a host does wrong, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The power goes with this operation of its disk.
    Operation(u64),
    /// The process or the power goes before this commit.
    BeforeCommit(u64),
    /// The same after it, before its effects.
    AfterCommit(u64),
    /// Among its effects.
    AmongEffects(u64),
}

/// How many persist points the happy path has at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// Operations of its disk.
    pub operations: u64,
    /// Commits.
    pub commits: u64,
}

const MINUTE: u64 = 60_000;

/// Two hosts with a printer each, a job of two copies with two sets; nothing goes wrong but what `point` says at `victim`.
pub fn happy_path(victim: usize, point: Option<Point>) -> (Outcome, Points) {
    let mut world = World::empty(Plan::quiet(7, vec![1, 1]));
    world.found();
    world.pass(MINUTE);
    for machine in &mut world.machines {
        machine.fails = 0;
        machine.clears_itself = true;
    }
    let host = &mut world.hosts[victim];
    let (operations, commits) = (host.disk.operations(), host.commits);
    match point {
        None => {}
        Some(Point::Operation(number)) => host.disk.cut_after(number),
        Some(Point::BeforeCommit(number)) => {
            host.crash_in = Some((number, CrashPoint::BeforeCommit));
        }
        Some(Point::AfterCommit(number)) => host.crash_in = Some((number, CrashPoint::AfterCommit)),
        Some(Point::AmongEffects(number)) => {
            host.crash_in = Some((number, CrashPoint::MidEffects(1)));
        }
    }
    let shape = Shape {
        copies: 2,
        sets: 2,
        per_run: 1,
        together: false,
        minutes: 6,
        bad: false,
    };
    world.submit(0, shape);
    world.pass(40 * MINUTE);
    let host = &world.hosts[victim];
    let points = Points {
        operations: host.disk.operations() - operations,
        commits: host.commits - commits,
    };
    world.come_to_rest();
    (world.outcome(), points)
}

/// Every persist point of the happy path, with the host at which it is.
pub fn points() -> Vec<(usize, Point)> {
    let mut points = Vec::new();
    for victim in [0, 1] {
        let (_, found) = happy_path(victim, None);
        points.extend((0..found.operations).map(|n| (victim, Point::Operation(n))));
        for n in 0..found.commits {
            let all = [
                Point::BeforeCommit(n),
                Point::AfterCommit(n),
                Point::AmongEffects(n),
            ];
            points.extend(all.map(|point| (victim, point)));
        }
    }
    points
}

/// Crashes at each of these points, on so many threads. Returns what broke a law.
pub fn crash_at(points: &[(usize, Point)], threads: usize) -> Vec<(usize, Point, Violation)> {
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((victim, point)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(violation) = happy_path(*victim, Some(*point)).0.violation {
                        let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        broken.push((*victim, *point, violation));
                    }
                }
            });
        }
    });
    broken.into_inner().unwrap_or_else(PoisonError::into_inner)
}
