//! What will have happened when: the plan applied again and again to a copy, in virtual time, until everything is done.
//!
//! It assumes no more than it must: that prints succeed and take as long as [`Times`] says, that nobody changes anything, and
//! that somebody clears each bed after a print. What a printer's owner has set up for the time between two prints holds here
//! as well: quiet hours, cooling ([`COOLING_MS`](crate::COOLING_MS)), the number of copies that it prints by itself; and so
//! do places to heat ([`HEATING_MS`]): before each print, also within a copy of several. A printer that waits for anything else stays out of
//! it, and so does one that prints a file of which nobody knows how long it takes: whatever would come after that has no time either.

mod ahead;
mod between;
mod held;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use printmesh_queue::{
    CopyId, CopyState, JobId, JobState, PrinterId, PrinterRecord, Routine, RunResult, Set, SetId,
    Timestamp,
};

pub(crate) use self::between::{clear_after_ms, is_clearing};
use self::{
    ahead::{Ahead, Found},
    between::{clear_at, quiet_until},
    held::Held,
};
use crate::{
    Assume, Basis, Finish, Forecast, HEATING_MS, Outlook, Planner, Print, Times, Took,
    circuits::Circuits,
    under_way::{Prints, clear_ms, left},
};

/// Returns what will have happened when.
pub fn simulate(outlook: &Outlook, assume: &Assume) -> Forecast {
    let mut farm = Farm::new(outlook, *assume);
    while farm.step() {}
    farm.forecast()
}

/// With sorting, each job that begins may change the order: beyond so many it is found again only now and then.
const ARRANGED_MAX: usize = 1_000;

struct Farm<'a> {
    outlook: &'a Outlook,
    assume: Assume,
    times: Times,
    lines: Vec<Ahead<'a>>,
    since: Timestamp,
    now: Timestamp,
    /// What happens to printers, and when.
    ends: BinaryHeap<Reverse<(Timestamp, PrinterId, End)>>,
    /// What its owner said of a printer, where that is anything.
    routines: BTreeMap<PrinterId, &'a Routine>,
    /// So many copies more a printer prints by itself, where its owner said so.
    cycles: BTreeMap<PrinterId, u32>,
    circuits: Circuits,
    /// Copies that printers have and may not begin, or go on with, yet, in the order in which they came to wait.
    held: Vec<Held>,
    /// Copies of which a print is under way and others are left.
    going_on: BTreeMap<PrinterId, Held>,
    /// Prints that have begun, those within copies counted.
    begun: usize,
    forecast: Forecast,
}

/// What happens to a printer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// A print of its copy is done.
    Printed {
        /// It took so many milliseconds.
        ms: u64,
        /// So many milliseconds later its bed is clear.
        clear_ms: u64,
    },
    /// Its bed is clear, or its quiet hours are over.
    Cleared,
    /// It is hot, and gives its places to heat back.
    Heated,
    /// It may begin with the copy that it has.
    Tries,
}

impl<'a> Farm<'a> {
    fn new(outlook: &'a Outlook, assume: Assume) -> Self {
        let mut times = Times::default();
        for line in &outlook.lines {
            times.learn(&line.snapshot);
        }
        let now = outlook.lines.iter().map(|line| line.presence.now).max();
        let mut farm = Self {
            outlook,
            assume,
            times,
            lines: outlook.lines.iter().map(Ahead::new).collect(),
            since: now.unwrap_or_default(),
            now: now.unwrap_or_default(),
            ends: BinaryHeap::new(),
            routines: BTreeMap::new(),
            cycles: BTreeMap::new(),
            circuits: Circuits::new(outlook.lines.iter().map(|line| &line.snapshot)),
            held: Vec::new(),
            going_on: BTreeMap::new(),
            begun: 0,
            forecast: Forecast::default(),
        };
        for line in &outlook.lines {
            for (id, record) in line.snapshot.present_printers() {
                farm.routines.insert(id.clone(), &record.routine);
                let left = record.routine.cycles_left;
                farm.cycles.extend(left.map(|left| (id.clone(), left)));
            }
        }
        farm.routines
            .retain(|_, routine| **routine != Routine::default());
        let mut working = BTreeSet::new();
        for line in 0..farm.lines.len() {
            farm.take_over(line, &mut working);
        }
        let now = farm.now;
        let clear = |record: &PrinterRecord, turnaround_ms| {
            let clear = clear_at(record, turnaround_ms, now);
            // Whatever else it waits for passes by itself.
            clear.or(record.between.map(|_| now))
        };
        let mut waiting = BTreeMap::<PrinterId, Timestamp>::new();
        for (line, at) in farm.lines.iter().zip(0..) {
            let turnaround_ms = farm.turnaround_ms(at);
            let able = line.able.iter().filter(|id| !working.contains(*id));
            for id in able {
                if let Some(at) = clear(&line.snapshot.printers[id], turnaround_ms) {
                    let known = waiting.entry(id.clone()).or_default();
                    *known = at.max(*known);
                }
            }
        }
        for (printer, at) in waiting {
            farm.ends.push(Reverse((at, printer, End::Cleared)));
        }
        farm.pass();
        farm
    }

    /// What is under way already.
    fn take_over(&mut self, at: usize, working: &mut BTreeSet<PrinterId>) {
        let snapshot = self.lines[at].snapshot;
        for (copy, claims) in &snapshot.claims {
            for claim in claims.values() {
                let unit = (*copy, claim.attempt);
                let gone = self.lines[at].presence.lapsed.contains(&unit)
                    && claim.record.state.is_pending()
                    || snapshot.is_lost(*copy, claim.attempt);
                if !claim.record.state.is_active() || gone {
                    continue;
                }
                let printer = PrinterId {
                    host: claim.host,
                    name: claim.record.printer.clone(),
                };
                if !working.insert(printer.clone()) {
                    continue;
                }
                let taken = self.taken(at, *copy, &printer);
                let told = self.outlook.left_ms.get(&printer);
                let told = told.filter(|(of, _)| of == copy).map(|(_, ms)| Took {
                    ms: *ms,
                    basis: Basis::Measured,
                });
                let left = left(snapshot, &self.times, *copy, claim, self.now, told);
                let began = claim.runs.values().map(|run| run.started).min();
                for line in &mut self.lines {
                    line.index.forget_work(&printer);
                    line.index.set_ready(&printer, false);
                    line.index.deduct(&printer, &taken);
                }
                self.count(&printer);
                let running = claim
                    .runs
                    .values()
                    .rfind(|run| run.result == RunResult::Started);
                let mut held = Held {
                    clear_ms: self.clear_ms(at, *copy, &printer),
                    line: at,
                    copy: *copy,
                    printer,
                    left,
                    claimed: true,
                    quiet: None,
                    shown: None,
                };
                match (began, running) {
                    (None, _) => self.held.push(held),
                    (Some(began), Some(run)) => {
                        self.heat(&held.printer, run.started);
                        self.begin(held, began.min(self.now));
                    }
                    // Between two prints of it.
                    (Some(began), None) => {
                        let record = snapshot.printers.get(&held.printer);
                        let clear =
                            record.and_then(|p| clear_at(p, self.turnaround_ms(at), self.now));
                        let clear = clear.unwrap_or(self.now);
                        self.show(&mut held, began.min(self.now), 0);
                        self.waits_until(held, clear);
                    }
                }
            }
        }
    }

    /// Milligrams that a copy takes out of each slot of a printer.
    fn taken(&self, at: usize, copy: CopyId, printer: &PrinterId) -> Vec<(u32, u64)> {
        let line = &self.lines[at];
        let job = line.snapshot.jobs.get(&copy.job);
        job.map_or_else(Vec::new, |job| {
            crate::matching::amounts(job, |set| line.file(copy, set, printer))
        })
    }

    /// How long it takes until somebody has cleared a bed after a print of one of the queues.
    fn turnaround_ms(&self, at: usize) -> u64 {
        let said = self.lines[at].snapshot.settings.turnaround_s;
        let assumed = self.assume.turnaround_ms;
        assumed.unwrap_or(said.saturating_mul(1000))
    }

    /// How long after a good print of a copy the bed of a printer is clear.
    fn clear_ms(&self, at: usize, copy: CopyId, printer: &PrinterId) -> u64 {
        let snapshot = self.lines[at].snapshot;
        let turnaround_ms = self.turnaround_ms(at);
        let job = snapshot.jobs.get(&copy.job);
        job.map_or(turnaround_ms, |job| {
            clear_ms(snapshot, job, printer, Some(turnaround_ms))
        })
    }

    /// A printer that began to heat then has its places until it is hot.
    fn heat(&mut self, printer: &PrinterId, since: Timestamp) {
        let hot = Timestamp(since.0.saturating_add(HEATING_MS));
        if self.circuits.limits(printer) && hot > self.now {
            self.circuits.take(printer);
            self.ends.push(Reverse((hot, printer.clone(), End::Heated)));
        }
    }

    /// One copy more that a printer prints by itself.
    fn count(&mut self, printer: &PrinterId) {
        if let Some(left) = self.cycles.get_mut(printer) {
            *left = left.saturating_sub(1);
        }
    }

    /// Until when a printer starts nothing.
    fn quiet_until(&self, printer: &PrinterId) -> Option<Timestamp> {
        quiet_until(self.routines.get(printer)?, self.now)
    }

    /// A printer begins with the next print of its copy, which began then.
    fn begin(&mut self, mut held: Held, from: Timestamp) {
        self.begun += 1;
        let next = held.left.as_mut().ok().and_then(Prints::next);
        let ms = next.unwrap_or(0);
        self.show(&mut held, from, ms);
        let Ok(left) = &held.left else {
            return;
        };
        let to = Timestamp(self.now.0.saturating_add(ms));
        let clear_ms = held.clear_ms;
        self.foresee(
            &held,
            ms.saturating_add(clear_ms)
                .saturating_add(left.ms(clear_ms)),
        );
        let end = End::Printed { ms, clear_ms };
        self.ends.push(Reverse((to, held.printer.clone(), end)));
        if !left.is_empty() {
            self.going_on.insert(held.printer.clone(), held);
        }
    }

    /// A printer is at a print, and its bed is clear again so many milliseconds later, after the last print of its copy.
    fn foresee(&mut self, held: &Held, ms: u64) {
        let printer = &held.printer;
        let goes_on = self.cycles.get(printer).is_none_or(|left| *left > 0);
        let line = &mut self.lines[held.line];
        if goes_on && line.able.contains(printer) {
            let free = Timestamp(self.now.0.saturating_add(ms));
            line.foresight.free.insert(printer.clone(), free);
        }
    }

    /// What is known now of when a copy ends, its print under way taking so long.
    fn show(&mut self, held: &mut Held, from: Timestamp, ms: u64) {
        let to = held.left.as_ref().map_err(Clone::clone).map(|left| {
            let rest = ms.saturating_add(left.ms(held.clear_ms));
            (Timestamp(self.now.0.saturating_add(rest)), left.basis)
        });
        let shown = *held.shown.get_or_insert_with(|| {
            self.forecast.prints.push(Print {
                line: held.line,
                copy: held.copy,
                printer: held.printer.clone(),
                from,
                to: Err(String::new()),
                begun: held.claimed && from <= self.since,
            });
            self.forecast.prints.len() - 1
        });
        self.forecast.prints[shown].to = to;
    }

    /// A copy goes on with its next print no earlier than that.
    fn waits_until(&mut self, mut held: Held, at: Timestamp) {
        held.quiet = Some(at);
        self.later(at, &held.printer, End::Tries);
        self.held.push(held);
    }

    /// Whoever has a copy begins with it, where it may.
    fn begin_held(&mut self) {
        for mut held in std::mem::take(&mut self.held) {
            if held.quiet.is_none_or(|until| until <= self.now) {
                held.quiet = self.quiet_until(&held.printer);
                if let Some(until) = held.quiet {
                    self.later(until, &held.printer, End::Tries);
                } else if self.circuits.are_free(&held.printer) {
                    self.heat(&held.printer, self.now);
                    self.begin(held, self.now);
                    continue;
                }
            }
            self.held.push(held);
        }
    }

    /// Something happens to a printer, if ever.
    fn later(&mut self, at: Timestamp, printer: &PrinterId, end: End) {
        if at.0 < u64::MAX {
            self.ends.push(Reverse((at, printer.clone(), end)));
        }
    }

    /// Takes printers out of which nothing starts now, as they begin. Returns whether there were any.
    fn leave_out(&mut self, found: &[Found]) -> bool {
        if self.routines.is_empty() {
            return false;
        }
        let quiet = found.iter().filter_map(|found| {
            let until = self.quiet_until(&found.printer)?;
            Some((found.printer.clone(), until))
        });
        let quiet: Vec<_> = quiet.collect();
        for (printer, until) in &quiet {
            for line in &mut self.lines {
                line.index.set_ready(printer, false);
            }
            self.later(*until, printer, End::Cleared);
        }
        !quiet.is_empty()
    }

    /// Starts what starts now, then goes on to when something changes. Returns whether anything does.
    fn step(&mut self) -> bool {
        if self.begun > self.assume.prints_max {
            self.forecast.cut = true;
            return false;
        }
        loop {
            let Some(gave) = self.deal() else {
                self.begin_held();
                self.forecast.cut = true;
                return false;
            };
            self.begin_held();
            // What has begun may let something else through.
            if !(gave && self.lines.iter().any(Ahead::backfills)) {
                break;
            }
        }
        let free = self.ends.peek().map(|Reverse((at, ..))| *at);
        let early = self
            .lines
            .iter()
            .filter_map(|line| line.early.keys().next());
        let Some(next) = early.copied().chain(free).min() else {
            return false;
        };
        if self.assume.until.is_some_and(|until| next > until) {
            self.forecast.cut = true;
            return false;
        }
        self.now = self.now.max(next);
        self.pass();
        let working: BTreeSet<PrinterId> = match self.lines.iter().any(|line| {
            let mut early = line.early.keys();
            early.next().is_some_and(|at| *at <= self.now)
        }) {
            true => self.working(),
            false => BTreeSet::new(),
        };
        for line in &mut self.lines {
            line.wake(self.now, &working);
        }
        true
    }

    /// Who may start something now has its copy. Returns whether anybody got one; `None` when no more prints are looked at.
    fn deal(&mut self) -> Option<bool> {
        let mut gave = false;
        for line in 0..self.lines.len() {
            loop {
                let found = self.lines[line].deal();
                if found.is_empty() {
                    break;
                }
                if self.leave_out(&found) {
                    continue;
                }
                for start in found {
                    let waiting = self.held.iter().filter(|held| held.shown.is_none());
                    let known = self.forecast.prints.len() + waiting.count();
                    if known >= self.assume.prints_max {
                        return None;
                    }
                    self.give(line, start);
                    gave = true;
                }
                self.arrange(line);
            }
        }
        Some(gave)
    }

    /// Printers that are not free, or never will be.
    fn working(&self) -> BTreeSet<PrinterId> {
        let ends = self.ends.iter().map(|Reverse((_, id, _))| id.clone());
        let for_ever = self
            .forecast
            .prints
            .iter()
            .filter(|print| print.to.is_err());
        let held = self.held.iter().map(|held| held.printer.clone());
        ends.chain(for_ever.map(|print| print.printer.clone()))
            .chain(held)
            .collect()
    }

    /// A printer has its next copy.
    fn give(&mut self, at: usize, start: Found) {
        let Found {
            row, open, printer, ..
        } = start;
        let taken = self.taken(at, open.copy, &printer);
        let line = &self.lines[at];
        let job = &line.snapshot.jobs[&open.copy.job];
        let done: Vec<SetId> = match open.attempt {
            0 => Vec::new(),
            attempt => {
                let good = line
                    .snapshot
                    .good_before(open.copy, attempt, &job.spec_hash());
                good.values().map(|run| run.set).collect()
            }
        };
        let chosen = |set: &'a Set| line.file(open.copy, set, &printer);
        let left = self.times.of_claim(job, &printer, &done, chosen);
        let left = left.map(|left| Prints::new(None, left));
        let line = &mut self.lines[at];
        let is_new = line.index.rows[row].began.is_none_or(|at| at < self.since);
        let used_up = line.index.begin(row, open.copy.index, self.now);
        line.stale += usize::from(is_new) + usize::from(used_up);
        for line in &mut self.lines {
            line.index.set_ready(&printer, false);
            line.index.deduct(&printer, &taken);
        }
        self.count(&printer);
        self.held.push(Held {
            line: at,
            copy: open.copy,
            clear_ms: self.clear_ms(at, open.copy, &printer),
            printer,
            left,
            claimed: false,
            quiet: None,
            shown: None,
        });
    }

    /// The order of the jobs that are left.
    fn arrange(&mut self, at: usize) {
        let line = &mut self.lines[at];
        let jobs = line.index.rows.len();
        let wait = match line.sorts {
            true => jobs / ARRANGED_MAX,
            // What is used up is passed by: that only costs time.
            false => jobs / 8,
        };
        if line.stale > wait {
            line.stale = 0;
            line.index.arrange_again(line.snapshot);
        }
    }

    /// What has happened by now. Whoever is done is free once the bed is clear.
    fn pass(&mut self) {
        while let Some(Reverse((at, ..))) = self.ends.peek()
            && *at <= self.now
            && let Some(Reverse((at, printer, end))) = self.ends.pop()
        {
            match end {
                End::Printed { ms, clear_ms } => {
                    for line in &mut self.lines {
                        line.foresight.free.remove(&printer);
                        let rule = line.snapshot.settings.distribute;
                        line.index.printed(rule, &printer, at, ms);
                    }
                    let clear = Timestamp(at.0.saturating_add(clear_ms));
                    if let Some(held) = self.going_on.remove(&printer) {
                        self.waits_until(held, clear);
                        continue;
                    }
                    self.ends.push(Reverse((clear, printer, End::Cleared)));
                }
                End::Cleared => {
                    let goes_on = self.cycles.get(&printer).is_none_or(|left| *left > 0);
                    for line in &mut self.lines {
                        if !goes_on {
                            line.able.remove(&printer);
                        }
                        let able = line.able.contains(&printer);
                        line.index.set_ready(&printer, able);
                    }
                }
                End::Heated => self.circuits.give_back(&printer),
                End::Tries => {}
            }
        }
    }

    fn forecast(mut self) -> Forecast {
        let mut last = BTreeMap::<JobId, (u32, Timestamp)>::new();
        let mut unknown = BTreeMap::<JobId, String>::new();
        let mut for_ever = Vec::new();
        for print in &self.forecast.prints {
            match &print.to {
                Ok((to, _)) => {
                    let (count, at) = last.entry(print.copy.job).or_default();
                    *count += 1;
                    *at = (*at).max(*to);
                }
                Err(file) => {
                    unknown.insert(print.copy.job, file.clone());
                    for_ever.push((print.printer.clone(), file.clone()));
                }
            }
        }
        for line in &self.lines {
            let planner = Planner::new(line.snapshot, &line.presence, &line.index);
            for job in line.snapshot.jobs.values() {
                let open = || line.snapshot.copies_of(job);
                let done =
                    |(_, state): &(CopyId, CopyState<'_>)| matches!(state, CopyState::Done(_));
                let left = match job.state {
                    JobState::Open => open().filter(|copy| !done(copy)).count() as u32,
                    JobState::Cancelled { .. } | JobState::Moved { .. } => 0,
                };
                if left == 0 {
                    continue;
                }
                let behind = || {
                    let row = planner.index.of(job.id).filter(|row| row.offered)?;
                    let mut waited = for_ever.iter().filter(|(printer, _)| {
                        let seat = planner.index.seat(printer);
                        line.able.contains(printer)
                            && seat.is_some_and(|seat| planner.fits(row, seat))
                    });
                    waited.next().map(|(_, file)| file.clone())
                };
                let finish = match (last.get(&job.id), unknown.get(&job.id)) {
                    (_, Some(file)) => Finish::NoEstimate(file.clone()),
                    (Some((count, at)), None) if *count >= left => Finish::At(*at),
                    _ if self.forecast.cut => Finish::Beyond,
                    _ => behind().map_or(Finish::Waits, Finish::Behind),
                };
                self.forecast.jobs.insert(job.id, finish);
            }
        }
        self.forecast
    }
}
