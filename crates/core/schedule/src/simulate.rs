//! What will have happened when: the plan applied again and again to a copy, in virtual time, until everything is done.
//!
//! It assumes no more than it must: that prints succeed and take as long as [`Times`] says, that nobody changes anything, and
//! that somebody clears each bed after a print. A printer that waits for anything else stays out of it, and so does one that
//! prints a file of which nobody knows how long it takes: whatever would come after that has no time either.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use printmesh_queue::{
    Bed, Claim, CopyId, CopyState, FileSpec, JobId, JobState, PrinterId, PrinterRecord, RunResult,
    Set, SetId, Snapshot, Timestamp,
};

use crate::{
    Basis, Index, OpenCopy, Planner, Presence, Times, Took, choice::machine_waits, file_for,
};

/// One queue, as one host sees it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it says.
    pub snapshot: Snapshot,
    /// What the host sees.
    pub presence: Presence,
}

/// Everything that a host knows about what is to come.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Its queues, in its order: printers take from the first one that has something for them.
    pub lines: Vec<Line>,
    /// What is left, in milliseconds, of the very print that a printer is at, as the machine says.
    pub left_ms: BTreeMap<PrinterId, (CopyId, u64)>,
}

/// What is assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assume {
    /// How long it takes until somebody has cleared a bed, in milliseconds.
    pub turnaround_ms: u64,
    /// Nothing is looked at that begins later.
    pub until: Option<Timestamp>,
    /// At most so many prints are looked at.
    pub prints_max: usize,
}

/// One copy on one printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// Which of the queues, by its place in [`Outlook::lines`].
    pub line: usize,
    /// The copy.
    pub copy: CopyId,
    /// The printer.
    pub printer: PrinterId,
    /// When it begins, or began.
    pub from: Timestamp,
    /// When it ends, and what that rests on; who does not know names the file.
    pub to: Result<(Timestamp, Basis), String>,
    /// It is under way already.
    pub begun: bool,
}

/// When a job is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Then.
    At(Timestamp),
    /// Nobody knows how long this file takes.
    NoEstimate(String),
    /// It waits for a printer that prints this file, of which nobody knows how long it takes.
    Behind(String),
    /// As things are, nothing starts the rest of it, or a person must say how a print ended.
    Waits,
    /// Further ahead than was looked.
    Beyond,
}

impl Finish {
    /// Returns by how many milliseconds a job misses its date, as far as anybody can know.
    pub fn late_ms(&self, due: Timestamp, now: Timestamp) -> Option<u64> {
        let at = match self {
            Self::At(at) => *at,
            // It is not done now: that much is known.
            Self::NoEstimate(_) | Self::Behind(_) | Self::Waits | Self::Beyond => now,
        };
        at.0.checked_sub(due.0).filter(|ms| *ms > 0)
    }
}

/// What will have happened when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Every print, in the order in which they begin.
    pub prints: Vec<Print>,
    /// When each open job is done that is not done yet.
    pub jobs: BTreeMap<JobId, Finish>,
    /// There is more to come, further ahead than was looked.
    pub cut: bool,
}

/// Returns what will have happened when.
pub fn simulate(outlook: &Outlook, assume: &Assume) -> Forecast {
    let mut farm = Farm::new(outlook, *assume);
    while farm.step() {}
    farm.forecast()
}

/// With sorting, each job that begins may change the order: beyond so many it is found again only now and then.
const ARRANGED_MAX: usize = 1_000;

/// A queue whose index runs ahead.
struct Ahead<'a> {
    snapshot: &'a Snapshot,
    presence: Presence,
    index: Index,
    /// Its voters can decide.
    decides: bool,
    /// Printers that take something by themselves once their bed is clear and they are done.
    able: BTreeSet<PrinterId>,
    /// Rows that begin to be offered later.
    early: BTreeMap<Timestamp, Vec<usize>>,
    /// Jobs that were used up, or begun, since their order was found.
    stale: usize,
    /// That order depends on what has begun.
    sorts: bool,
}

struct Farm<'a> {
    outlook: &'a Outlook,
    assume: Assume,
    times: Times,
    lines: Vec<Ahead<'a>>,
    since: Timestamp,
    now: Timestamp,
    /// What happens to printers, and when.
    ends: BinaryHeap<Reverse<(Timestamp, PrinterId, End)>>,
    forecast: Forecast,
}

/// What happens to a printer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Its copy is done, which took so many milliseconds.
    Printed(u64),
    /// Somebody has cleared its bed.
    Cleared,
}

/// One start that was found.
struct Found {
    row: usize,
    open: OpenCopy,
    printer: PrinterId,
    place: usize,
}

impl<'a> Ahead<'a> {
    fn new(line: &'a Line) -> Self {
        let snapshot = &line.snapshot;
        let mut presence = line.presence.clone();
        // What was so a moment ago, or is so until the next one, says nothing about what is to come.
        presence.busy.clear();
        presence.claiming.clear();
        presence.refused.clear();
        let index = Index::new(snapshot);
        let able = |record: &PrinterRecord| {
            // An unknown bed is not cleared but looked at.
            let bed = match record.bed {
                Bed::Occupied => Bed::Clear,
                other => other,
            };
            let record = PrinterRecord {
                bed,
                ..record.clone()
            };
            machine_waits(&record).is_none()
        };
        let printers = snapshot.present_printers();
        let able = printers.filter(|(_, record)| able(record));
        let mut early = BTreeMap::<Timestamp, Vec<usize>>::new();
        for (at, row) in index.rows.iter().enumerate() {
            if let Some(time) = row.not_before.filter(|time| *time > presence.now) {
                early.entry(time).or_default().push(at);
            }
        }
        Self {
            snapshot,
            decides: presence.has_quorum(&snapshot.voters),
            able: able.map(|(id, _)| id.clone()).collect(),
            presence,
            sorts: index.sorts(snapshot),
            index,
            early,
            stale: 0,
        }
    }

    /// The file that a printer prints of a set.
    fn file(&self, copy: CopyId, set: &'a Set, printer: &PrinterId) -> Option<&'a FileSpec> {
        match set.spec.files.as_slice() {
            [only] => Some(only),
            _ => file_for(self.snapshot, &self.snapshot.jobs[&copy.job], set, printer),
        }
    }

    /// What starts now. Printers that nothing is left for are not asked again before there is something new.
    fn deal(&mut self) -> Vec<Found> {
        if !self.decides {
            return Vec::new();
        }
        let planner = Planner::new(self.snapshot, &self.presence, &self.index);
        let mut found = Vec::new();
        let mut idle = Vec::new();
        for one in planner.deal(None, |_, _| true) {
            let printer = &self.index.seats[one.seat].id;
            match one.turn {
                Some(turn) if turn.rank == 0 => {
                    found.extend(self.index.row_of(turn.open.copy.job).map(|row| Found {
                        row,
                        open: turn.open,
                        printer: printer.clone(),
                        place: one.place,
                    }))
                }
                None if one.blocked.is_none() && !one.failed_here => idle.push(printer.clone()),
                Some(_) | None => {}
            }
        }
        for printer in idle {
            self.index.set_ready(&printer, false);
        }
        found.sort_by_key(|found| found.place);
        found
    }

    /// Jobs whose time has come: who could print one of them is asked again.
    fn wake(&mut self, now: Timestamp, working: &BTreeSet<PrinterId>) {
        self.presence.now = now;
        let later = self.early.split_off(&Timestamp(now.0 + 1));
        let due = std::mem::replace(&mut self.early, later);
        for row in due.into_values().flatten() {
            let planner = Planner::new(self.snapshot, &self.presence, &self.index);
            let row = &self.index.rows[row];
            let could = self.index.seats.iter().filter(|seat| {
                let idle = !seat.is_ready && !working.contains(&seat.id);
                idle && self.able.contains(&seat.id) && planner.fits(row, seat)
            });
            let could: Vec<PrinterId> = could.map(|seat| seat.id.clone()).collect();
            for printer in could {
                self.index.set_ready(&printer, true);
            }
        }
    }
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
            forecast: Forecast::default(),
        };
        let mut working = BTreeSet::new();
        for line in 0..farm.lines.len() {
            farm.take_over(line, &mut working);
        }
        let occupied: Vec<PrinterId> = farm
            .lines
            .iter()
            .flat_map(|line| {
                let occupied = |id: &&PrinterId| line.snapshot.printers[*id].bed == Bed::Occupied;
                line.able.iter().filter(occupied).cloned()
            })
            .filter(|id| !working.contains(id))
            .collect();
        let cleared = Timestamp(farm.now.0.saturating_add(assume.turnaround_ms));
        for printer in occupied.into_iter().collect::<BTreeSet<_>>() {
            farm.ends.push(Reverse((cleared, printer, End::Cleared)));
        }
        farm.free_printers();
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
                let took = self.left(at, *copy, claim, &printer);
                let began = claim.runs.values().map(|run| run.started).min();
                for line in &mut self.lines {
                    line.index.forget_work(&printer);
                    line.index.set_ready(&printer, false);
                    line.index.deduct(&printer, &taken);
                }
                let from = began.unwrap_or(self.now).min(self.now);
                self.add(at, *copy, printer, from, took, true);
            }
        }
    }

    /// What is left of a claim that is under way.
    fn left(
        &self,
        at: usize,
        copy: CopyId,
        claim: &Claim,
        printer: &PrinterId,
    ) -> Result<Took, String> {
        let line = &self.lines[at];
        let Some(job) = line.snapshot.jobs.get(&copy.job) else {
            return Err(String::new());
        };
        let good = line
            .snapshot
            .good_before(copy, claim.attempt, &claim.record.spec_hash);
        let mut done: Vec<SetId> = good.values().map(|run| run.set).collect();
        done.extend(claim.good_runs().map(|(_, run)| run.set));
        let mut running = claim.runs.values();
        let running = running.find(|run| run.result == RunResult::Started);
        let mut current = None;
        if let Some(run) = running {
            done.push(run.set);
            let set = job.sets.iter().find(|set| set.id == run.set);
            let file = set.and_then(|set| line.file(copy, set, printer));
            let told = self.outlook.left_ms.get(printer);
            let told = told.filter(|(of, _)| *of == copy).map(|(_, ms)| Took {
                ms: *ms,
                basis: Basis::Measured,
            });
            let elapsed = self.now.0.saturating_sub(run.started.0);
            let known = file.and_then(|file| self.times.of(file, printer));
            let known = known.map(|took| Took {
                ms: took.ms.saturating_sub(elapsed),
                ..took
            });
            let name = || file.map_or_else(|| job.name.clone(), |file| file.name.clone());
            current = Some(told.or(known).ok_or_else(name)?);
        }
        let chosen = |set: &'a Set| line.file(copy, set, printer);
        let mut rest = self.times.of_claim(job, printer, &done, chosen)?;
        if let Some(current) = current {
            rest.ms = rest.ms.saturating_add(current.ms);
            rest.basis = rest.basis.max(current.basis);
        }
        Ok(rest)
    }

    /// Milligrams that a copy takes out of each slot of a printer.
    fn taken(&self, at: usize, copy: CopyId, printer: &PrinterId) -> Vec<(u32, u64)> {
        let line = &self.lines[at];
        let job = line.snapshot.jobs.get(&copy.job);
        job.map_or_else(Vec::new, |job| {
            crate::matching::amounts(job, |set| line.file(copy, set, printer))
        })
    }

    fn add(
        &mut self,
        line: usize,
        copy: CopyId,
        printer: PrinterId,
        from: Timestamp,
        took: Result<Took, String>,
        begun: bool,
    ) {
        let to = took.map(|took| {
            let to = Timestamp(self.now.0.saturating_add(took.ms));
            let end = End::Printed(took.ms);
            self.ends.push(Reverse((to, printer.clone(), end)));
            (to, took.basis)
        });
        self.forecast.prints.push(Print {
            line,
            copy,
            printer,
            from,
            to,
            begun,
        });
    }

    /// Starts what starts now, then goes on to when something changes. Returns whether anything does.
    fn step(&mut self) -> bool {
        for line in 0..self.lines.len() {
            loop {
                let found = self.lines[line].deal();
                if found.is_empty() {
                    break;
                }
                for start in found {
                    if self.forecast.prints.len() >= self.assume.prints_max {
                        self.forecast.cut = true;
                        return false;
                    }
                    self.begin(line, start);
                }
                self.arrange(line);
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
        self.free_printers();
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

    /// Printers that are not free, or never will be.
    fn working(&self) -> BTreeSet<PrinterId> {
        let ends = self.ends.iter().map(|Reverse((_, id, _))| id.clone());
        let for_ever = self
            .forecast
            .prints
            .iter()
            .filter(|print| print.to.is_err());
        ends.chain(for_ever.map(|print| print.printer.clone()))
            .collect()
    }

    fn begin(&mut self, at: usize, start: Found) {
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
        let took = self.times.of_claim(job, &printer, &done, chosen);
        let line = &mut self.lines[at];
        let is_new = line.index.rows[row].began.is_none_or(|at| at < self.since);
        let used_up = line.index.begin(row, open.copy.index, self.now);
        line.stale += usize::from(is_new) + usize::from(used_up);
        for line in &mut self.lines {
            line.index.set_ready(&printer, false);
            line.index.deduct(&printer, &taken);
        }
        self.add(at, open.copy, printer, self.now, took, false);
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

    /// Whoever is done by now is free once the bed is clear.
    fn free_printers(&mut self) {
        while let Some(Reverse((at, ..))) = self.ends.peek()
            && *at <= self.now
            && let Some(Reverse((at, printer, end))) = self.ends.pop()
        {
            match end {
                End::Printed(ms) => {
                    for line in &mut self.lines {
                        let rule = line.snapshot.settings.distribute;
                        line.index.printed(rule, &printer, at, ms);
                    }
                    let clear = Timestamp(at.0.saturating_add(self.assume.turnaround_ms));
                    self.ends.push(Reverse((clear, printer, End::Cleared)));
                }
                End::Cleared => {
                    for line in &mut self.lines {
                        let able = line.able.contains(&printer);
                        line.index.set_ready(&printer, able);
                    }
                }
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
