//! What the planner asks of a snapshot again and again, found once and kept: jobs in their order with their open copies,
//! printers in theirs, and which of them are alike.
//!
//! Derived from the snapshot alone, never from what one host sees. A host keeps it and says what has changed
//! ([`Index::update`]); an index that is made anew says the same.

mod ahead;
mod printers;

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    ClaimState, ColorRule, CopyId, CopyState, Distribute, Equipment, FileHash, HostId, Job, JobId,
    JobState, Needs, PrinterId, PrinterRecord, Role, RunRecord, RunResult, Snapshot, Timestamp,
    Touched,
};

use crate::{
    arrange::{Arranged, arrange},
    choice::job_waits,
    matching::amounts,
    setbacks::{failing_files, file_waits},
    wish::wanted_out,
};

/// What a copy is up to that is not simply open for its first attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Open for this attempt.
    Open(u32),
    /// Claimed by a host, and not begun.
    Claimed(u32, HostId),
    /// Begun, done or given up.
    Closed,
}

/// One open job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: JobId,
    /// Whether its copies are offered to printers; the date before which it does not start is not asked here.
    pub(crate) offered: bool,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) units: u32,
    /// Copies that are not simply open, ascending.
    pub(crate) marks: Vec<(u32, Mark)>,
    /// No copy below this one is open.
    pub(crate) first: u32,
    /// Copies that are assigned or done, counted from where the job began to count.
    pub(crate) level: u64,
    /// When a print of it last began.
    pub(crate) began: Option<Timestamp>,
    /// When one first did.
    pub(crate) first_began: Option<Timestamp>,
    /// What it needs of a printer, by number: jobs that need the same share it.
    pub(crate) class: usize,
    /// It names printers.
    pub(crate) pinned: bool,
    /// It is printed although a spool seems to hold too little for it.
    pub(crate) print_anyway: bool,
    /// Some set has alternatives: what a copy takes depends on the printer.
    pub(crate) has_alternatives: bool,
    /// Milligrams that a copy takes out of each slot, without alternatives.
    pub(crate) amounts: Vec<(u32, u64)>,
}

impl Row {
    /// Whether both stand alike in the order, as far as their copies decide it; what the job itself says is another matter.
    fn is_arranged_like(&self, other: &Self) -> bool {
        let of = |row: &Self| (row.offered, row.began, row.first_began);
        of(self) == of(other)
    }

    /// What is known of one copy; `None` when the job has no such copy.
    pub(crate) fn mark_of(&self, index: u32) -> Option<Option<Mark>> {
        let at = self
            .marks
            .binary_search_by_key(&index, |(marked, _)| *marked);
        (index < self.units).then(|| at.ok().map(|at| self.marks[at].1))
    }
}

/// What jobs need of a printer, apart from names and amounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    /// The alternatives of each set.
    pub(crate) sets: Vec<Vec<Needs>>,
    pub(crate) tags: Vec<String>,
    pub(crate) color: ColorRule,
    pub(crate) submitter: HostId,
}

/// One printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) id: PrinterId,
    /// Its place in the order.
    key: (u64, u32),
    /// What it is and has, apart from amounts, by number.
    pub(crate) kind: usize,
    pub(crate) seed: u64,
    pub(crate) may_print: bool,
    /// Nothing about the machine keeps it from starting.
    pub(crate) is_ready: bool,
    pub(crate) autoprint: bool,
    /// Its host's claims say that it works on something.
    pub(crate) claims: bool,
    /// Milligrams left in each slot of which somebody has said it.
    pub(crate) left: Vec<(u32, u64)>,
}

/// Most fits that are kept; where there would be more, each is found when it is asked.
const FITS_MAX: usize = 1_000_000;

/// Whether a kind of printer prints a class of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Fits,
    /// Once somebody has changed something at the printer.
    Fixable,
    Never,
}

/// What the planner asks of a snapshot again and again.
#[derive(Clone, Debug)]
pub struct Index {
    pub(crate) rows: Vec<Row>,
    by_job: BTreeMap<JobId, usize>,
    pub(crate) arranged: Arranged,
    pub(crate) classes: Vec<Class>,
    by_class: BTreeMap<Class, usize>,
    /// In the order in which they are dealt copies.
    pub(crate) seats: Vec<Seat>,
    pub(crate) kinds: Vec<Equipment>,
    by_kind: BTreeMap<Equipment, usize>,
    /// By class, then kind.
    fits: Vec<Vec<Fit>>,
    by_printer: BTreeMap<PrinterId, usize>,
    /// Printers with claims under way, by job.
    active: BTreeMap<JobId, BTreeSet<PrinterId>>,
    /// The same by printer.
    working: BTreeMap<PrinterId, BTreeSet<JobId>>,
    pub(crate) failing: BTreeSet<FileHash>,
    wanted_out: BTreeSet<JobId>,
    /// Printers that are set aside: what failed there says nothing about files.
    aside: BTreeSet<PrinterId>,
}

impl Index {
    /// Reads a whole snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut index = Self {
            rows: Vec::new(),
            by_job: BTreeMap::new(),
            arranged: Arranged::default(),
            classes: Vec::new(),
            by_class: BTreeMap::new(),
            seats: Vec::new(),
            kinds: Vec::new(),
            by_kind: BTreeMap::new(),
            fits: Vec::new(),
            by_printer: BTreeMap::new(),
            active: BTreeMap::new(),
            working: BTreeMap::new(),
            failing: failing_files(snapshot),
            wanted_out: wanted_out(snapshot),
            aside: set_aside(snapshot),
        };
        let mut job = None;
        for copy in snapshot.claims.keys() {
            if job.replace(copy.job) != Some(copy.job) {
                index.read_active(snapshot, copy.job);
            }
        }
        let open = |job: &&Job| job.state == JobState::Open;
        for job in snapshot.jobs.values().filter(open) {
            index.add(snapshot, job);
        }
        index.arranged = arrange(snapshot, &index.rows);
        index.read_printers(snapshot);
        index.find_fits();
        index
    }

    /// Takes in what has changed since. It says the same as an index of the whole snapshot.
    pub fn update(&mut self, snapshot: &Snapshot, touched: &Touched) {
        let members = !touched.members.is_empty() || !touched.requests.is_empty();
        if touched.meta || members || self.blames(snapshot, touched) {
            *self = Self::new(snapshot);
            return;
        }
        let mut jobs = touched.jobs.clone();
        jobs.extend(touched.copies.iter().map(|copy| copy.job));
        // A print that ends changes nothing about the order: the next one is found at once.
        let mut moved = !touched.jobs.is_empty();
        for id in &jobs {
            self.read_active(snapshot, *id);
            let job = snapshot.jobs.get(id);
            match (self.by_job.get(id).copied(), job) {
                (Some(at), Some(job)) => {
                    let row = self.row(snapshot, job);
                    moved |= !row.is_arranged_like(&self.rows[at]);
                    self.rows[at] = row;
                }
                (None, Some(job)) if job.state == JobState::Open => {
                    self.add(snapshot, job);
                    moved = true;
                }
                // A job never leaves the document.
                (Some(_) | None, _) => {}
            }
        }
        if moved {
            self.arranged = arrange(snapshot, &self.rows);
        }
        let mut printers = touched.printers.iter();
        if !printers.all(|id| self.reread_printer(snapshot, id)) {
            self.read_printers(snapshot);
        }
        self.find_fits();
    }

    /// Whether other files or jobs are to blame than before: rarely.
    fn blames(&self, snapshot: &Snapshot, touched: &Touched) -> bool {
        let failed = |copy: &CopyId| {
            let mut claims = snapshot.claims_of(*copy);
            let failed = |run: &RunRecord| run.result == RunResult::Failed;
            claims.any(|claim| claim.runs.values().any(failed))
        };
        let copies = &touched.copies;
        let jobs = !touched.jobs.is_empty();
        let blames = jobs
            || !copies.is_empty() && !self.failing.is_empty()
            || copies.iter().any(failed)
            || !touched.printers.is_empty() && self.aside != set_aside(snapshot);
        blames && self.failing != failing_files(snapshot)
            || jobs && self.wanted_out != wanted_out(snapshot)
            || !touched.printers.is_empty() && self.aside != set_aside(snapshot)
    }

    fn add(&mut self, snapshot: &Snapshot, job: &Job) {
        let row = self.row(snapshot, job);
        self.by_job.insert(job.id, self.rows.len());
        self.rows.push(row);
    }

    /// Returns where round-robin begins to count a job that comes now: where the least served one is that still waits, so
    /// that a late job neither starves the others nor comes last.
    pub fn live_level(&self) -> u32 {
        let rows = self.arranged.order[..self.arranged.parked].iter();
        let least = rows.map(|row| self.rows[*row].level).min();
        u32::try_from(least.unwrap_or(0)).unwrap_or(u32::MAX)
    }

    /// Changes what a printer works on.
    fn work(&mut self, id: &PrinterId, change: impl FnOnce(&mut BTreeSet<JobId>)) {
        let jobs = self.working.entry(id.clone()).or_default();
        change(jobs);
        let works = !jobs.is_empty();
        if !works {
            self.working.remove(id);
        }
        if let Some(at) = self.seat_at(id) {
            self.seats[at].claims = works;
        }
    }

    /// The row of an open job.
    pub(crate) fn of(&self, job: JobId) -> Option<&Row> {
        self.by_job.get(&job).map(|at| &self.rows[*at])
    }

    pub(crate) fn row_of(&self, job: JobId) -> Option<usize> {
        self.by_job.get(&job).copied()
    }

    pub(crate) fn seat(&self, id: &PrinterId) -> Option<&Seat> {
        self.by_printer.get(id).map(|at| &self.seats[*at])
    }

    pub(crate) fn seat_at(&self, id: &PrinterId) -> Option<usize> {
        self.by_printer.get(id).copied()
    }

    /// Jobs of which a printer has a claim under way.
    pub(crate) fn jobs_of(&self, id: &PrinterId) -> impl Iterator<Item = JobId> {
        self.working.get(id).into_iter().flatten().copied()
    }

    fn read_active(&mut self, snapshot: &Snapshot, job: JobId) {
        let claims = snapshot.claims.range(all_copies(job));
        let active = claims
            .flat_map(|(_, claims)| claims.values())
            .filter(|claim| claim.record.state.is_active())
            .map(|claim| PrinterId {
                host: claim.host,
                name: claim.record.printer.clone(),
            });
        let active: BTreeSet<PrinterId> = active.collect();
        let before = self.active.remove(&job).unwrap_or_default();
        for id in before.difference(&active) {
            self.work(id, |jobs| _ = jobs.remove(&job));
        }
        for id in active.difference(&before) {
            self.work(id, |jobs| _ = jobs.insert(job));
        }
        if !active.is_empty() {
            self.active.insert(job, active);
        }
    }

    fn row(&mut self, snapshot: &Snapshot, job: &Job) -> Row {
        let claims = snapshot.claims.range(all_copies(job.id));
        let mut copies: BTreeSet<u32> = claims.clone().map(|(copy, _)| copy.index).collect();
        let (first, last) = (*all_copies(job.id).start(), *all_copies(job.id).end());
        let lost = snapshot.lost.range((first, 0)..=(last, u32::MAX));
        copies.extend(lost.map(|((copy, _), _)| copy.index));
        let units = job.units();
        let mut level = u64::from(job.terms.level);
        let mut marks = Vec::with_capacity(copies.len());
        for index in copies.range(..units).copied() {
            let copy = CopyId { job: job.id, index };
            let mark = match snapshot.copy_state(copy) {
                CopyState::Open(attempt) => Mark::Open(attempt),
                CopyState::Claimed(claim) => Mark::Claimed(claim.attempt, claim.host),
                CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => Mark::Closed,
            };
            let assigned = !matches!(
                snapshot.copy_state(copy),
                CopyState::Open(_) | CopyState::Failed(_)
            );
            level += u64::from(assigned);
            marks.push((index, mark));
        }
        let closed = |(at, (index, mark)): &(usize, &(u32, Mark))| {
            *mark == Mark::Closed && *index as usize == *at
        };
        let first = marks.iter().enumerate().take_while(closed).count() as u32;
        let began = claims
            .flat_map(|(_, claims)| claims.values())
            .filter(|claim| claim.record.state != ClaimState::Credited)
            .flat_map(|claim| claim.runs.values().map(|run| run.started))
            // One that left the queue overtakes nobody any more.
            .filter(|_| job.state == JobState::Open);
        let has_alternatives = job.sets.iter().any(|set| set.spec.files.len() > 1);
        Row {
            id: job.id,
            offered: first < units
                && job_waits(job).is_none()
                && !self.wanted_out.contains(&job.id)
                && file_waits(job, &self.failing).is_none(),
            not_before: job.terms.not_before,
            units,
            marks,
            first,
            level,
            began: began.clone().max(),
            first_began: began.min(),
            class: self.class(job),
            pinned: !job.printers.is_empty(),
            print_anyway: job.terms.print_anyway,
            has_alternatives,
            amounts: match has_alternatives {
                true => Vec::new(),
                false => amounts(job, |set| set.spec.files.first()),
            },
        }
    }

    fn class(&mut self, job: &Job) -> usize {
        let needs = |needs: &Needs| {
            let mut needs = needs.clone();
            needs.tools.iter_mut().for_each(|tool| tool.mg = None);
            needs
        };
        let sets = job.sets.iter();
        let class = Class {
            sets: sets
                .map(|set| {
                    set.spec
                        .files
                        .iter()
                        .map(|file| needs(&file.needs))
                        .collect()
                })
                .collect(),
            tags: job.terms.tags.clone(),
            color: job.terms.color,
            submitter: job.submitter,
        };
        if let Some(known) = self.by_class.get(&class) {
            return *known;
        }
        let number = self.classes.len();
        self.classes.push(class.clone());
        self.by_class.insert(class, number);
        number
    }
}

fn set_aside(snapshot: &Snapshot) -> BTreeSet<PrinterId> {
    let aside = snapshot
        .printers
        .iter()
        .filter(|(_, record)| record.set_aside);
    aside.map(|(id, _)| id.clone()).collect()
}

/// Every copy of a job.
pub(crate) fn all_copies(job: JobId) -> std::ops::RangeInclusive<CopyId> {
    let index = u32::MAX;
    CopyId { job, index: 0 }..=CopyId { job, index }
}

/// Walks the copies of one job that may be claimed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    next: u32,
    mark: usize,
}

impl Cursor {
    pub(crate) fn new(row: &Row) -> Self {
        // What lies below is closed, one mark for each.
        Self {
            next: row.first,
            mark: row.first as usize,
        }
    }

    /// The next copy that is not closed: its index, and what is known of it.
    pub(crate) fn next(&mut self, row: &Row) -> Option<(u32, Option<Mark>)> {
        while self.next < row.units {
            let index = self.next;
            self.next += 1;
            match row.marks.get(self.mark) {
                Some((marked, mark)) if *marked == index => {
                    self.mark += 1;
                    if *mark != Mark::Closed {
                        return Some((index, Some(*mark)));
                    }
                }
                Some(_) | None => return Some((index, None)),
            }
        }
        None
    }
}
