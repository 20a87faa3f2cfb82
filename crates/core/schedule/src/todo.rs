//! The to-do list: which single thing a person could do now, and how many prints each would unlock. Ranked, the best first.
//!
//! Every entry is a change that is really applied, to a copy, and planned with: what it says is what the plan then starts. The
//! list looks at the farm as `match` does: a printer that does not start prints by itself could be told to.

mod candidates;
mod change;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use printmesh_queue::{CopyId, JobId, PrinterId, PrinterRecord, Snapshot, Touched};

use self::candidates::{Candidate, candidates};
pub use self::change::{Act, Change};
use crate::{Index, Planner, Presence, Start, file_for, plan::Dealt};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Todo {
    /// What to do. One change, or two when no single one would start anything.
    pub changes: Vec<Change>,
    /// Prints that the plan starts at once because of it, beyond those that it starts anyway.
    pub starts: usize,
    /// Copies that could be printed once it is done, one after the other, beyond those that start anyway: they wait for this,
    /// or for another change.
    pub prints: usize,
    /// There are more of them than were counted.
    pub more: bool,
    /// Seconds that those prints take, as far as their files say.
    pub seconds: u64,
    /// The first job that it unlocks, in the order of the queue.
    pub first: JobId,
    /// Copies that start now and would not start then.
    pub displaced: Vec<CopyId>,
}

/// Copies that are looked at for the whole list; what is beyond is [`Todo::more`].
const STEPS_MAX: usize = 500_000;
/// Copies that are looked at for each change at least, and at most.
const STEPS: (usize, usize) = (100, 10_000);
/// So many changes more than are shown are planned with: not each that reaches something starts something.
const SPARE: usize = 8;

/// Returns what the farm looks like to somebody who starts prints by hand: no printer waits because it does not start by itself.
pub fn opened(snapshot: &Snapshot) -> Snapshot {
    let mut opened = snapshot.clone();
    opened
        .printers
        .values_mut()
        .for_each(|record| record.autoprint = true);
    opened.settings.autoprint = true;
    opened
}

/// Returns what a person could do now, the best first, at most `limit` entries.
pub fn todo(snapshot: &Snapshot, presence: &Presence, limit: usize) -> Vec<Todo> {
    let by_itself = Bench::new(snapshot.clone(), presence.clone());
    let mut bench = Bench::new(opened(snapshot), presence.clone());
    let mut found = Vec::new();
    let (single, pairs) = candidates(&bench);
    let off = snapshot.printers.iter();
    let off = off.filter(|(_, record)| !(record.autoprint && snapshot.settings.autoprint));
    let start = Candidate {
        changes: vec![Change::Start],
        printers: off.map(|(id, _)| id.clone()).collect(),
    };
    let mut by_hand = by_itself;
    found.extend(by_hand.ranked(vec![start], 1));
    found.extend(bench.ranked(single, limit));
    if found.is_empty() {
        found = bench.ranked(pairs, 1);
    }
    found.sort_by_key(Todo::rank);
    found.truncate(limit);
    found
}

impl Todo {
    /// Returns what lists are sorted by: the lowest comes first. What is equal stays as it is.
    pub fn rank(&self) -> (Reverse<(usize, usize)>, u32) {
        let effort: u32 = self.changes.iter().map(Change::effort).sum();
        (Reverse((self.prints, self.starts)), effort)
    }
}

/// What some printers could take one after the other.
struct Reached {
    prints: usize,
    more: bool,
    seconds: u64,
    /// The first one that does not start anyway: its place in the order, and its job.
    first: Option<(usize, JobId)>,
}

/// A copy of the farm on which changes are tried and taken back.
struct Bench {
    snapshot: Snapshot,
    presence: Presence,
    index: Index,
    /// What starts anyway.
    starts: Vec<Start>,
}

impl Bench {
    fn new(snapshot: Snapshot, presence: Presence) -> Self {
        let index = Index::new(&snapshot);
        let starts = Planner::new(&snapshot, &presence, &index).plan().starts;
        Self {
            snapshot,
            presence,
            index,
            starts,
        }
    }

    fn planner(&self) -> Planner<'_> {
        Planner::new(&self.snapshot, &self.presence, &self.index)
    }

    /// The best of some changes, at most `limit`; those that start nothing are left out.
    fn ranked(&mut self, candidates: Vec<Candidate>, limit: usize) -> Vec<Todo> {
        let steps = (STEPS_MAX / candidates.len().max(1)).clamp(STEPS.0, STEPS.1);
        // Many candidates reach something, and few are shown: only of those is a whole plan made.
        let mut reaching: Vec<(Reverse<usize>, usize, Candidate)> = Vec::new();
        for (at, candidate) in candidates.into_iter().enumerate() {
            let reached = self.with(&candidate.changes, |then| {
                then.reached(&candidate.printers, None, steps)
            });
            if reached.prints > 0 {
                reaching.push((Reverse(reached.prints), at, candidate));
            }
        }
        reaching.sort_by_key(|(prints, at, _)| (*prints, *at));
        reaching.truncate(limit.saturating_add(SPARE));
        let measured = reaching.into_iter();
        let mut found: Vec<_> = measured
            .filter_map(|(_, _, candidate)| self.measured(candidate, steps))
            .collect();
        found.sort_by_cached_key(|(place, todo)| {
            let seats = todo.changes.iter().filter_map(Change::printer);
            let seat = seats.filter_map(|id| self.index.seat_at(id)).min();
            (todo.rank(), *place, seat, todo.changes.clone())
        });
        found
            .into_iter()
            .map(|(_, todo)| todo)
            .take(limit)
            .collect()
    }

    /// What comes of a change, with the place in the order of the first job that it unlocks; `None` when nothing starts.
    fn measured(&mut self, candidate: Candidate, steps: usize) -> Option<(usize, Todo)> {
        let before = copies(&self.starts);
        let seconds = |farm: &Self, starts: &[Start]| -> u64 {
            let each = starts.iter().map(|start| {
                let job = &farm.snapshot.jobs[&start.open.copy.job];
                copy_seconds(&farm.snapshot, job, &start.printer)
            });
            each.fold(0, u64::saturating_add)
        };
        let before_s = seconds(self, &self.starts);
        self.with(&candidate.changes, |then| {
            let starts = then.planner().plan().starts;
            let after = copies(&starts);
            let gained = after.len().checked_sub(before.len()).filter(|n| *n > 0)?;
            let others = starts.into_iter();
            let others = others.filter(|start| !candidate.printers.contains(&start.printer));
            let others: Vec<Start> = others.collect();
            let reached = then.reached(&candidate.printers, Some(&copies(&others)), steps);
            let new = || {
                let order = then.index.arranged.order.iter();
                let jobs = order.map(|row| then.index.rows[*row].id).enumerate();
                let fresh = |job: &JobId| after.difference(&before).any(|copy| copy.job == *job);
                jobs.into_iter().find(|(_, job)| fresh(job))
            };
            let (place, first) = [reached.first, new()].into_iter().flatten().min()?;
            let total_s = reached.seconds.saturating_add(seconds(then, &others));
            let todo = Todo {
                changes: candidate.changes.clone(),
                starts: gained,
                prints: (reached.prints + others.len()).saturating_sub(before.len()),
                more: reached.more,
                seconds: total_s.saturating_sub(before_s),
                first,
                displaced: before.difference(&after).copied().collect(),
            };
            Some((place, todo))
        })
    }

    /// Looks at the farm as it would be after some changes.
    fn with<T>(&mut self, changes: &[Change], look: impl FnOnce(&Self) -> T) -> T {
        let presence = self.presence.clone();
        let mut touched = Touched::default();
        let mut records: BTreeMap<PrinterId, PrinterRecord> = BTreeMap::new();
        for id in changes
            .iter()
            .flat_map(|change| change.printers(&self.snapshot))
        {
            if let Some(record) = self.snapshot.printers.get(&id) {
                records.entry(id.clone()).or_insert_with(|| record.clone());
            }
            touched.printers.insert(id);
        }
        let autoprint = self.snapshot.settings.autoprint;
        for change in changes {
            change.apply(&mut self.snapshot, &mut self.presence);
        }
        self.index.update(&self.snapshot, &touched);
        let seen = look(self);
        self.presence = presence;
        self.snapshot.settings.autoprint = autoprint;
        self.snapshot.printers.extend(records);
        self.index.update(&self.snapshot, &touched);
        seen
    }

    /// Waiting copies that these printers could take one after the other, those left out that others start; at most that
    /// many when it is not known which those are.
    fn reached(
        &self,
        printers: &BTreeSet<PrinterId>,
        others: Option<&BTreeSet<CopyId>>,
        steps: usize,
    ) -> Reached {
        let planner = self.planner();
        let (snapshot, index) = (&self.snapshot, &self.index);
        let mut reached = Reached {
            prints: 0,
            more: false,
            seconds: 0,
            first: None,
        };
        if !self.presence.has_quorum(&snapshot.voters) {
            return reached;
        }
        let started = copies(&self.starts);
        let seats = printers.iter().filter_map(|id| index.seat_at(id));
        let free = |at: &usize| planner.is_free(&index.seats[*at]);
        let mut seats: Vec<usize> = seats.filter(free).collect();
        let mut walk = planner.walk(|_| true);
        for _ in 0..steps {
            if seats.is_empty() {
                return reached;
            }
            let Some((at, open)) = walk.next() else {
                return reached;
            };
            if others.is_some_and(|others| others.contains(&open.copy)) {
                continue;
            }
            let row = &index.rows[at];
            let (fitting, other): (Vec<usize>, Vec<usize>) = seats
                .iter()
                .partition(|seat| planner.fits(row, &index.seats[**seat]));
            // Each printer as if it had been dealt nothing yet: it comes back for more.
            let mut dealt: Vec<Dealt> = fitting.iter().copied().map(Dealt::new).collect();
            let places: Vec<usize> = (0..dealt.len()).collect();
            let taken = planner.deal_one(&mut dealt, &places, row, at, open);
            let job = planner.job(row);
            if let Some(taker) = dealt.iter().find(|one| one.turn.is_some()) {
                reached.prints += 1;
                let seconds = copy_seconds(snapshot, job, &index.seats[taker.seat].id);
                reached.seconds = reached.seconds.saturating_add(seconds);
                if reached.first.is_none() && !started.contains(&open.copy) {
                    let place = index.arranged.order.iter().position(|row| *row == at);
                    reached.first = place.map(|place| (place, job.id));
                }
            } else if taken.is_none()
                && (others.is_some() || !started.contains(&open.copy))
                && !job.terms.backburner
            {
                let waits =
                    |seat: &usize| other.contains(seat) && planner.blocks(row, &index.seats[*seat]);
                seats.retain(|seat| !waits(seat));
            }
            if fitting.is_empty() {
                walk.leave_job();
            }
        }
        reached.more = walk.next().is_some();
        reached
    }
}

fn copies(starts: &[Start]) -> BTreeSet<CopyId> {
    starts.iter().map(|start| start.open.copy).collect()
}

/// Returns how many seconds a printer takes for one copy of a job, as far as its files say.
pub fn copy_seconds(snapshot: &Snapshot, job: &printmesh_queue::Job, printer: &PrinterId) -> u64 {
    let rounds = if job.together { job.copies } else { 1 };
    let sets = job.sets.iter().map(|set| {
        let file = match set.spec.files.as_slice() {
            [only] => Some(only),
            files => file_for(snapshot, job, set, printer).or(files.first()),
        };
        let once = file.and_then(|file| file.estimate_s).unwrap_or(0);
        once.saturating_mul(set.per_run.into())
    });
    let one = sets.fold(0_u64, u64::saturating_add);
    one.saturating_mul(rounds.into())
}
