//! A snapshot and what one host sees, with what follows from both at once: which printers are free, what fits where, which
//! copies are open in which order.

use std::{
    borrow::Cow,
    cell::OnceCell,
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, binary_heap::PeekMut},
    ops::Range,
};

use printmesh_queue::{
    Between, CopyId, Job, Level, NeverSkip, Order, PrinterId, PrinterRecord, Role, Snapshot,
};

use crate::{
    Index, OpenCopy, Presence, Reason,
    backfill::Foresight,
    choice::{is_for, machine_waits},
    delegate::home_of,
    index::{Cursor, Fit, Mark, Row, Seat},
    matching::{Asked, amount_misfit, amounts, file_for, is_similar, left_after, sets_misfit},
};

/// A snapshot with its index, as one host sees it.
pub struct Planner<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) presence: &'a Presence,
    pub(crate) index: &'a Index,
    /// Copies may be at home at printers that are away.
    homes_away: bool,
    /// When printers that are at work are done, where it is looked ahead.
    pub(crate) given: Option<&'a Foresight>,
    /// The same, as the snapshot says it.
    pub(crate) found: OnceCell<Foresight>,
}

impl<'a> Planner<'a> {
    /// Joins a snapshot, its index and what a host sees.
    pub fn new(snapshot: &'a Snapshot, presence: &'a Presence, index: &'a Index) -> Self {
        let away = |seat: &Seat| {
            seat.autoprint && seat.may_print && !presence.reachable.contains(&seat.id.host)
        };
        Self {
            snapshot,
            presence,
            index,
            homes_away: snapshot.settings.claims == Level::Available
                && index.seats.iter().any(away),
            given: None,
            found: OnceCell::new(),
        }
    }

    pub(crate) fn job(&self, row: &Row) -> &'a Job {
        &self.snapshot.jobs[&row.id]
    }

    /// Whether a printer could start something right now, as far as this host sees.
    pub(crate) fn is_free(&self, seat: &Seat) -> bool {
        let presence = self.presence;
        // Of its own printers a host knows better than its records: a start may wait for voters that are away.
        seat.is_ready
            && seat.may_print
            && presence.reachable.contains(&seat.id.host)
            && (!seat.claims || seat.id.host == presence.me)
            && !presence.busy.contains(&seat.id)
    }

    /// Why a printer takes nothing right now; `None` when it is free.
    pub(crate) fn waits(&self, id: &PrinterId, record: &PrinterRecord) -> Option<Reason> {
        self.host_waits(id)
            .or_else(|| machine_waits(record, self.snapshot.settings.autoprint))
    }

    /// Why a printer takes nothing although somebody asked it to: that it does not start prints by itself is no reason.
    pub(crate) fn waits_when_asked(
        &self,
        id: &PrinterId,
        record: &PrinterRecord,
    ) -> Option<Reason> {
        let mut asked = record.clone();
        asked.autoprint = true;
        self.host_waits(id).or_else(|| machine_waits(&asked, true))
    }

    fn host_waits(&self, id: &PrinterId) -> Option<Reason> {
        if !self.presence.reachable.contains(&id.host) {
            return Some(Reason::HostAway);
        }
        let member = self.snapshot.members.get(&id.host);
        if member.is_none_or(|member| !member.may(Role::Printer)) {
            return Some(Reason::Role);
        }
        let record = self.snapshot.printers.get(id);
        match record.and_then(|record| record.between) {
            Some(Between::Verdict) => return Some(Reason::VerdictAwaited),
            Some(Between::Heat) => return Some(Reason::HeatSlot),
            Some(
                Between::Cooling(_)
                | Between::NoBedTemperature(_)
                | Between::Clearing
                | Between::Quiet(_),
            )
            | None => {}
        }
        let own = self.presence.busy.contains(id);
        let claims = id.host != self.presence.me && self.index.jobs_of(id).next().is_some();
        (own || claims).then_some(Reason::Busy)
    }

    /// Every free printer in the order in which they are dealt copies, by its place among the seats.
    pub(crate) fn free(&self) -> impl Iterator<Item = usize> {
        let seats = self.index.seats.iter().enumerate();
        seats
            .filter(|(_, seat)| self.is_free(seat))
            .map(|(at, _)| at)
    }

    /// Whether a printer may print a job: the same as `misfit`, without the words.
    pub(crate) fn fits(&self, row: &Row, seat: &Seat) -> bool {
        if self.index.fit(row.class, seat.kind) != Fit::Fits
            || row.pinned && !is_for(self.snapshot, self.job(row), &seat.id)
        {
            return false;
        }
        let missing = seat.id.host == self.presence.me && !self.presence.missing.is_empty();
        if missing && self.missing(self.job(row), &seat.id).is_some() {
            return false;
        }
        if !self.presence.unsliced.is_empty() && self.unsliced(self.job(row), &seat.id).is_some() {
            return false;
        }
        let weighed = row.has_alternatives || !row.amounts.is_empty();
        !weighed || self.amount_misfit(row, seat).is_none()
    }

    /// Whether the job fits once somebody has changed something at the printer; what can never be is no such thing.
    pub(crate) fn is_fixable(&self, row: &Row, seat: &Seat) -> bool {
        let never = self.index.fit(row.class, seat.kind) == Fit::Never
            || row.pinned && !is_for(self.snapshot, self.job(row), &seat.id);
        !never && !self.fits(row, seat)
    }

    /// Whether a printer that cannot print the job now waits for it all the same.
    pub(crate) fn blocks(&self, row: &Row, seat: &Seat) -> bool {
        match self.snapshot.settings.never_skip {
            NeverSkip::Off => false,
            NeverSkip::On | NeverSkip::Backfill => self.is_fixable(row, seat),
            NeverSkip::Strict => !self.fits(row, seat),
        }
    }

    /// Whether the printer could ever print the job, by what does not change by the minute.
    pub(crate) fn is_never(&self, row: &Row, seat: &Seat) -> bool {
        self.index.fit(row.class, seat.kind) == Fit::Never
            || row.pinned && !is_for(self.snapshot, self.job(row), &seat.id)
    }

    /// Why a job may not be printed by a printer.
    pub(crate) fn misfit(&self, job: &Job, id: &PrinterId) -> Option<Reason> {
        if !is_for(self.snapshot, job, id) {
            return Some(Reason::PinnedElsewhere);
        }
        let record = self.snapshot.printers.get(id)?;
        let asked = Asked::of(job);
        let sets = job.sets.iter();
        let sets = sets.map(|set| set.spec.files.iter().map(|file| &file.needs));
        let axis = sets_misfit(sets, asked, &record.equipment);
        // Only this host knows what it could not fetch; for the printers of others it does not guess.
        let file = || {
            let own = id.host == self.presence.me && !self.presence.missing.is_empty();
            let file = self.missing(job, id).filter(|_| own)?;
            Some(Reason::FileMissing { file })
        };
        let amount = || {
            let row = self.index.of(job.id)?;
            self.amount_misfit(row, self.index.seat(id)?)
        };
        axis.or_else(file)
            .or_else(|| self.unsliced(job, id))
            .or_else(amount)
    }

    /// The name of a file that this host wants for one of its printers and that nobody has.
    fn missing(&self, job: &Job, id: &PrinterId) -> Option<String> {
        let chosen = job
            .sets
            .iter()
            .filter_map(|set| match set.spec.files.len() {
                0 | 1 => set.spec.files.first(),
                _ => file_for(self.snapshot, job, set, id),
            });
        let mut missing = chosen.filter(|file| self.presence.missing.contains(&file.hash));
        missing.next().map(|file| file.name.clone())
    }

    /// Why a model of the job cannot be sliced for a printer of this host.
    fn unsliced(&self, job: &Job, id: &PrinterId) -> Option<Reason> {
        let mut failed = self.presence.unsliced.iter();
        failed.find_map(|((hash, printer), why)| {
            let mut files = job.sets.iter().flat_map(|set| &set.spec.files);
            let file = files.find(|file| file.hash == *hash && printer == id)?;
            Some(Reason::SliceFailed {
                file: file.name.clone(),
                why: why.clone(),
            })
        })
    }

    /// Milligrams that a copy takes out of each slot of a printer.
    fn amounts<'r>(&self, row: &'r Row, id: &PrinterId) -> Cow<'r, [(u32, u64)]> {
        if !row.has_alternatives {
            return Cow::Borrowed(&row.amounts);
        }
        let job = self.job(row);
        Cow::Owned(amounts(job, |set| file_for(self.snapshot, job, set, id)))
    }

    /// What copies take that a printer has begun or claimed and whose material it has not deducted yet.
    fn reserved(&self, seat: &Seat) -> Vec<(u32, u64)> {
        if !seat.claims {
            return Vec::new();
        }
        let jobs = self.index.jobs_of(&seat.id);
        let rows = jobs.filter_map(|job| self.index.of(job));
        let taken = rows.flat_map(|row| self.amounts(row, &seat.id).into_owned());
        taken.collect()
    }

    pub(crate) fn amount_misfit(&self, row: &Row, seat: &Seat) -> Option<Reason> {
        if seat.left.is_empty() || row.print_anyway {
            return None;
        }
        amount_misfit(
            &self.amounts(row, &seat.id),
            &seat.left,
            &self.reserved(seat),
            u64::from(self.snapshot.settings.amount_margin_g) * 1000,
        )
    }

    /// Milligrams that would be left in the slot that a copy empties most; `None` when nobody knows.
    pub(crate) fn left_after(&self, row: &Row, seat: &Seat) -> Option<u64> {
        left_after(
            &self.amounts(row, &seat.id),
            &seat.left,
            &self.reserved(seat),
        )
    }

    /// Whether what is loaded is similar in colour to what the job's files say.
    pub(crate) fn is_similar(&self, row: &Row, seat: &Seat) -> bool {
        let class = &self.index.classes[row.class];
        let equipment = &self.index.kinds[seat.kind];
        let mut sets = class.sets.iter();
        sets.all(|set| set.iter().any(|needs| is_similar(needs, equipment)))
    }

    /// Whether a job starts only later.
    pub(crate) fn is_early(&self, row: &Row) -> bool {
        row.not_before.is_some_and(|at| at > self.presence.now)
    }

    /// The attempt under which a copy may be claimed, if it may.
    pub(crate) fn claimable(&self, copy: CopyId, mark: Option<Mark>) -> Option<u32> {
        match mark {
            None => self.unless_claiming(copy, 0),
            Some(Mark::Open(attempt)) => self.unless_claiming(copy, attempt),
            Some(Mark::Claimed(attempt, host)) => {
                let unit = (copy, attempt);
                let lapsed = self.presence.lapsed.contains(&unit);
                // Its own printer waits for voters that are away, and may go on without them.
                let waits = host == self.presence.me
                    && self.presence.set_aside.contains_key(&unit)
                    && self.presence.voters_away_ms.is_some();
                (lapsed || waits).then_some(attempt)
            }
            Some(Mark::Closed) => None,
        }
    }

    /// What another printer of this host asks the voters for right now is not open to this one.
    fn unless_claiming(&self, copy: CopyId, attempt: u32) -> Option<u32> {
        (!self.presence.claiming.contains(&(copy, attempt))).then_some(attempt)
    }

    /// Whether the printer at which a copy is at home is away: it may be making it without the voters.
    fn is_home_away(&self, row: &Row, copy: CopyId) -> bool {
        let home = home_of(self, row, copy);
        home.is_some_and(|home| !self.presence.reachable.contains(&home.id.host))
    }

    /// Whether somebody has the attempt's number on record: most copies are open for the first time.
    pub(crate) fn is_marked(row: &Row, index: u32) -> bool {
        row.marks
            .binary_search_by_key(&index, |(marked, _)| *marked)
            .is_ok()
    }

    /// Walks the copies that may be claimed in the order in which they print. Jobs that `wanted` excludes may be left out.
    pub(crate) fn walk<'p, F: Fn(&Row) -> bool>(&'p self, wanted: F) -> Walk<'p, 'a, F> {
        Walk {
            planner: self,
            wanted,
            stretches: self.index.arranged.stretches.iter(),
            now: Stretch::Sequential(0..0, None),
            last: 0,
        }
    }

    fn copies(&self, row: usize) -> Copies {
        Copies {
            row,
            cursor: Cursor::new(&self.index.rows[row]),
            late: false,
            over: false,
        }
    }

    fn next_copy(&self, copies: &mut Copies) -> Option<OpenCopy> {
        let row = &self.index.rows[copies.row];
        let homes = self.homes_away && row.units > 1;
        if copies.over || self.is_early(row) {
            return None;
        }
        loop {
            let Some((index, mark)) = copies.cursor.next(row) else {
                if !homes || copies.late {
                    return None;
                }
                copies.late = true;
                copies.cursor = Cursor::new(row);
                continue;
            };
            let copy = CopyId { job: row.id, index };
            let Some(attempt) = self.claimable(copy, mark) else {
                continue;
            };
            if !homes || self.is_home_away(row, copy) == copies.late {
                return Some(OpenCopy { copy, attempt });
            }
        }
    }
}

/// How the copies of one job are walked: those that are at home at printers that are away come last, since those may be
/// making them without the voters.
struct Copies {
    row: usize,
    cursor: Cursor,
    late: bool,
    /// Nobody wants any more of them.
    over: bool,
}

enum Stretch {
    /// Places in the order that are left, and the job under way.
    Sequential(Range<usize>, Option<Copies>),
    /// The least served job first; its place in the order breaks ties.
    RoundRobin(BinaryHeap<Reverse<(u64, usize)>>, BTreeMap<usize, Copies>),
}

/// Walks the copies that may be claimed in the order in which they print.
pub(crate) struct Walk<'p, 'a, F> {
    planner: &'p Planner<'a>,
    wanted: F,
    stretches: std::slice::Iter<'p, Range<usize>>,
    now: Stretch,
    /// The place in the order of the job of the copy that came last.
    pub(crate) last: usize,
}

impl<F: Fn(&Row) -> bool> Walk<'_, '_, F> {
    /// Looks at no further copy of the job of the copy that came last.
    pub(crate) fn leave_job(&mut self) {
        match &mut self.now {
            Stretch::Sequential(_, copies) => *copies = None,
            Stretch::RoundRobin(_, copies) => {
                if let Some(copies) = copies.get_mut(&self.last) {
                    copies.over = true;
                }
            }
        }
    }

    fn begin(&mut self) -> bool {
        let Some(stretch) = self.stretches.next() else {
            return false;
        };
        let index = self.planner.index;
        let row = |place: &usize| &index.rows[index.arranged.order[*place]];
        self.now = match self.planner.snapshot.settings.order {
            Order::Sequential => Stretch::Sequential(stretch.clone(), None),
            Order::RoundRobin => {
                let places = stretch.clone().filter(|place| (self.wanted)(row(place)));
                let heap = places.map(|place| Reverse((row(&place).level, place)));
                Stretch::RoundRobin(heap.collect(), BTreeMap::new())
            }
        };
        true
    }
}

impl<F: Fn(&Row) -> bool> Iterator for Walk<'_, '_, F> {
    /// The job's row, and the copy.
    type Item = (usize, OpenCopy);

    fn next(&mut self) -> Option<Self::Item> {
        let planner = self.planner;
        let order = &planner.index.arranged.order;
        loop {
            match &mut self.now {
                Stretch::Sequential(places, copies) => {
                    if let Some(of) = copies {
                        match planner.next_copy(of) {
                            Some(open) => return Some((of.row, open)),
                            None => *copies = None,
                        }
                    } else if let Some(place) = places.next() {
                        let row = order[place];
                        self.last = place;
                        if (self.wanted)(&planner.index.rows[row]) {
                            *copies = Some(planner.copies(row));
                        }
                    } else if !self.begin() {
                        return None;
                    }
                }
                Stretch::RoundRobin(heap, copies) => {
                    let Some(mut first) = heap.peek_mut() else {
                        if !self.begin() {
                            return None;
                        }
                        continue;
                    };
                    let place = first.0.1;
                    let of = copies
                        .entry(place)
                        .or_insert_with(|| planner.copies(order[place]));
                    match planner.next_copy(of) {
                        Some(open) => {
                            // It is served now: the others come first.
                            first.0.0 += 1;
                            self.last = place;
                            return Some((order[place], open));
                        }
                        None => _ = PeekMut::pop(first),
                    }
                }
            }
        }
    }
}
