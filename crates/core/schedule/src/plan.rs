//! The plan: which free printer starts which copy, and why every other one starts nothing. The same on every host that sees
//! the same.
//!
//! Each copy, in order, goes to one free printer that may print it: printers that see the same snapshot pick different copies, so
//! that claims are seldom contended and nobody has to wait to find out. A printer for which that leaves nothing comes after
//! the others for the first copy that it may print: the one in front of it may be unable to.
//!
//! A copy that failed on a printer goes to any other free one first; one that failed there twice waits for another one that
//! could make it, so that one bad printer does not use up all its tries.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use printmesh_queue::{ColorRule, CopyId, Distribute, Job, NeverSkip, PrinterId};

use crate::{
    OpenCopy, Planner, Presence, Reason, Turn,
    backfill::Reserved,
    choice::{had_its_turn, voters_away},
    delegate::mix_of_copy,
    index::{Index, Row, Seat},
    setbacks::failures_on,
};

/// A copy that a printer starts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The printer.
    pub printer: PrinterId,
    /// The copy, with the attempt to claim.
    pub open: OpenCopy,
}

/// What would start where, and why nothing else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What starts now, in the order in which the copies are dealt.
    pub starts: Vec<Start>,
    /// Of each printer of the queue the copy that it asks for, or why it waits.
    pub printers: BTreeMap<PrinterId, Result<Turn, Reason>>,
}

/// Returns what would start where, as one host sees it at [`Presence::now`].
///
/// Jobs are asked by [`crate::why`]: ten thousand of them by a thousand printers are reasons that nobody reads.
pub fn plan(snapshot: &printmesh_queue::Snapshot, presence: &Presence) -> Plan {
    let index = Index::new(snapshot);
    Planner::new(snapshot, presence, &index).plan()
}

/// What dealing the open copies leaves one free printer.
#[derive(Clone, Debug)]
pub(crate) struct Dealt {
    /// Its place among the seats.
    pub(crate) seat: usize,
    pub(crate) turn: Option<Turn>,
    /// The voters gave something that it could print to somebody else a moment ago.
    pub(crate) contended: bool,
    /// What it could print failed on it, and another one is free.
    pub(crate) failed_here: bool,
    /// It waits for this job, by its row, because nothing is skipped.
    pub(crate) blocked: Option<usize>,
    /// It waits for a job, but lets through what is done before that one can start elsewhere.
    pub(crate) reserved: Option<Reserved>,
    /// It was dealt a copy that the voters refused, and takes one that nobody else does.
    has_line: bool,
    /// The first copy that another one was dealt and that this one could print as well.
    after: Option<(usize, OpenCopy)>,
    /// When its copy was dealt.
    pub(crate) place: usize,
}

/// With so few free printers, jobs that fit none of them are not even put into their turns.
const FEW: usize = 4;

impl Dealt {
    fn is_settled(&self) -> bool {
        self.turn.is_some() || self.blocked.is_some()
    }
}

impl Planner<'_> {
    /// Returns what would start where.
    pub fn plan(&self) -> Plan {
        let dealt = self.deal(&[], |_, _| true);
        let quorum = self.presence.has_quorum(&self.snapshot.voters);
        let synced = !self.snapshot.voters.hosts.is_empty();
        let mut starts: Vec<(usize, Start)> = dealt
            .iter()
            .filter(|_| quorum && synced)
            .filter_map(|one| {
                let turn = one.turn.as_ref().filter(|turn| turn.rank == 0)?;
                let start = Start {
                    printer: self.index.seats[one.seat].id.clone(),
                    open: turn.open,
                };
                Some((one.place, start))
            })
            .collect();
        starts.sort_by_key(|(place, _)| *place);
        Plan {
            starts: starts.into_iter().map(|(_, start)| start).collect(),
            printers: self.rows_of(dealt),
        }
    }

    /// Of each printer what the plan says of it.
    pub(crate) fn rows(&self) -> BTreeMap<PrinterId, Result<Turn, Reason>> {
        self.rows_of(self.deal(&[], |_, _| true))
    }

    fn rows_of(&self, dealt: Vec<Dealt>) -> BTreeMap<PrinterId, Result<Turn, Reason>> {
        let mut by_seat: BTreeMap<usize, Dealt> =
            dealt.into_iter().map(|one| (one.seat, one)).collect();
        let rows = self.index.seats.iter().enumerate();
        let rows = rows.map(|(at, seat)| {
            let row = self
                .before_dealing(&seat.id)
                .and_then(|()| match by_seat.remove(&at) {
                    Some(one) => self.turn_of(&seat.id, &one),
                    None => Err(Reason::NoPrinter),
                });
            (seat.id.clone(), row)
        });
        rows.collect()
    }

    /// Returns the row of one printer in the plan.
    ///
    /// # Errors
    /// Why it waits.
    pub fn turn(&self, printer: &PrinterId) -> Result<Turn, Reason> {
        let mut turns = self.turns(std::slice::from_ref(printer)).into_iter();
        turns.next().unwrap_or(Err(Reason::NoPrinter))
    }

    /// Returns the rows of these printers in the plan, in their order.
    pub fn turns(&self, printers: &[PrinterId]) -> Vec<Result<Turn, Reason>> {
        let before: Vec<_> = printers.iter().map(|id| self.before_dealing(id)).collect();
        let dealt = printers.iter().zip(&before).filter(|(_, row)| row.is_ok());
        let wanted: Vec<PrinterId> = dealt.map(|(id, _)| id.clone()).collect();
        let dealt = match wanted.is_empty() {
            true => Vec::new(),
            false => self.deal(&wanted, |_, _| true),
        };
        let rows = printers.iter().zip(before).map(|(id, before)| {
            before?;
            let own = dealt
                .iter()
                .find(|one| self.index.seats[one.seat].id == *id);
            self.turn_of(id, own.ok_or(Reason::NoPrinter)?)
        });
        rows.collect()
    }

    /// Why a printer is dealt nothing at all.
    fn before_dealing(&self, printer: &PrinterId) -> Result<(), Reason> {
        if self.snapshot.voters.hosts.is_empty() {
            return Err(Reason::NotSynced);
        }
        let record = self
            .snapshot
            .printers
            .get(printer)
            .filter(|record| !record.removed)
            .ok_or(Reason::NoPrinter)?;
        self.waits(printer, record).map_or(Ok(()), Err)
    }

    fn turn_of(&self, printer: &PrinterId, dealt: &Dealt) -> Result<Turn, Reason> {
        if let Some(row) = dealt.blocked {
            let job = self.job(&self.index.rows[row]);
            let because = self.misfit(job, printer).unwrap_or(Reason::NoCopyLeft);
            return Err(Reason::NeverSkip {
                job: job.name.clone(),
                because: Box::new(because),
            });
        }
        if dealt.turn.is_some() || dealt.contended {
            if !self.presence.has_quorum(&self.snapshot.voters) {
                return Err(voters_away(self, printer, None));
            }
            return dealt.turn.ok_or(Reason::Contended);
        }
        if dealt.failed_here {
            return Err(Reason::FailedHere);
        }
        Err(self.idles(printer))
    }

    /// Deals the copies that are offered to the free printers, until it is known what `only` those get, or all of them when
    /// none is named.
    pub(crate) fn deal(
        &self,
        only: &[PrinterId],
        offered: impl FnMut(&Job, &OpenCopy) -> bool,
    ) -> Vec<Dealt> {
        self.deal_among(self.free().collect(), only, offered)
    }

    /// The same for these printers, by their places among the seats, in the order in which they are dealt copies.
    pub(crate) fn deal_among(
        &self,
        among: Vec<usize>,
        only: &[PrinterId],
        mut offered: impl FnMut(&Job, &OpenCopy) -> bool,
    ) -> Vec<Dealt> {
        let mut dealt: Vec<Dealt> = among.into_iter().map(Dealt::new).collect();
        // Free printers that nothing is settled for, by their place above.
        let mut unsettled: Vec<usize> = (0..dealt.len()).collect();
        // Those of them that are asked about.
        let mut asked = match only.is_empty() {
            true => unsettled.clone(),
            false => {
                let seats: BTreeSet<usize> = only
                    .iter()
                    .filter_map(|id| self.index.seat_at(id))
                    .collect();
                let is_asked = |one: &usize| seats.contains(&dealt[*one].seat);
                unsettled.iter().copied().filter(is_asked).collect()
            }
        };
        let skips = self.snapshot.settings.never_skip == NeverSkip::Off;
        let seats = &self.index.seats;
        let first: Vec<usize> = dealt.iter().map(|one| one.seat).collect();
        let any_fits = |row: &Row| !skips || first.iter().any(|at| self.fits(row, &seats[*at]));
        let mut walk = self.walk(|row| first.len() > FEW || any_fits(row));
        let mut place = 0;
        // The unsettled printers that fit the job under way.
        let (mut under_way, mut fitting) = (None, Vec::new());
        while !asked.is_empty()
            && let Some((at, open)) = walk.next()
        {
            let row = &self.index.rows[at];
            let job = self.job(row);
            if !offered(job, &open) {
                continue;
            }
            if under_way.replace(at) == Some(at) {
                fitting.retain(|one: &usize| !dealt[*one].is_settled());
            } else {
                unsettled.retain(|one| !dealt[*one].is_settled());
                let fits = |one: &usize| {
                    let seat = &seats[dealt[*one].seat];
                    let reserved = dealt[*one].reserved.as_ref();
                    self.fits(row, seat)
                        && reserved.is_none_or(|it| self.lets_through(it, row, walk.last, seat))
                };
                fitting = unsettled.iter().copied().filter(fits).collect();
            }
            let taken = self.deal_one(&mut dealt, &fitting, row, at, open);
            if let Some(taker) = taken {
                dealt[taker].place = place;
                place += 1;
            } else {
                if !skips && !job.terms.backburner {
                    for one in &unsettled {
                        let one_waits = !dealt[*one].is_settled()
                            && !fitting.contains(one)
                            && self.blocks(row, &seats[dealt[*one].seat]);
                        if one_waits {
                            self.reserve(&mut dealt[*one], at, walk.last);
                        }
                    }
                }
                if fitting.is_empty() {
                    walk.leave_job();
                }
            }
            asked.retain(|one| !dealt[*one].is_settled());
        }
        for one in dealt.iter_mut().filter(|one| !one.is_settled()) {
            one.blocked = one.reserved.as_ref().map(|it| it.row);
        }
        self.come_after(&mut dealt);
        dealt
    }

    /// Deals one copy. Returns who took it, or has it although the voters refused it.
    pub(crate) fn deal_one(
        &self,
        dealt: &mut [Dealt],
        fitting: &[usize],
        row: &Row,
        at: usize,
        open: OpenCopy,
    ) -> Option<usize> {
        let seats = &self.index.seats;
        let refused = !self.presence.refused.is_empty()
            && self.presence.refused.contains(&(open.copy, open.attempt));
        let marked = Self::is_marked(row, open.copy.index);
        if !marked && !refused {
            return self.deal_new(dealt, fitting, row, at, open);
        }
        let can = |one: &usize| {
            !marked || !had_its_turn(self.snapshot, &open, seats[dealt[*one].seat].id.host)
        };
        let able: Vec<usize> = fitting.iter().copied().filter(|one| can(one)).collect();
        let failed: Vec<bool> = able
            .iter()
            .map(|one| {
                marked && failures_on(self.snapshot, open.copy, &seats[dealt[*one].seat].id) > 0
            })
            .collect();
        let gives_up =
            |one: usize| marked && self.another_could(row, &open, &seats[dealt[one].seat]);
        let free = || {
            able.iter()
                .copied()
                .zip(&failed)
                .filter(|(one, _)| !dealt[*one].has_line)
        };
        let best = |of: &mut dyn Iterator<Item = usize>| self.best(dealt, row, open.copy, of);
        let unburnt = best(&mut free().filter(|(_, failed)| !**failed).map(|(one, _)| one));
        let taker =
            unburnt.or_else(|| best(&mut free().map(|(one, _)| one).filter(|one| !gives_up(*one))));
        let leaves: Vec<bool> = able
            .iter()
            .zip(&failed)
            .map(|(one, failed)| !refused && *failed && (unburnt.is_some() || gives_up(*one)))
            .collect();
        for (one, leaves) in able.iter().zip(&leaves) {
            dealt[*one].contended |= refused;
            dealt[*one].failed_here |= leaves;
        }
        let turn = Some(Turn { open, rank: 0 });
        let taken = match taker {
            // A copy that was refused stays this printer's line: whoever has it, the others keep theirs.
            Some(taker) if refused => {
                dealt[taker].has_line = true;
                Some(taker)
            }
            Some(taker) => {
                dealt[taker].turn = turn;
                Some(taker)
            }
            None if refused => None,
            None => {
                let next = able.iter().copied().find(|one| dealt[*one].has_line);
                if let Some(next) = next {
                    dealt[next].turn = turn;
                }
                next
            }
        };
        for (one, leaves) in able.iter().zip(leaves) {
            let one = &mut dealt[*one];
            if !refused && !leaves && one.turn.is_none() && one.after.is_none() {
                one.after = Some((at, open));
            }
        }
        taken
    }

    /// The same for a copy that nobody has asked for yet: most are.
    fn deal_new(
        &self,
        dealt: &mut [Dealt],
        fitting: &[usize],
        row: &Row,
        at: usize,
        open: OpenCopy,
    ) -> Option<usize> {
        let mut free = fitting.iter().copied().filter(|one| !dealt[*one].has_line);
        let taker = self
            .best(dealt, row, open.copy, &mut free)
            .or_else(|| fitting.first().copied())?;
        dealt[taker].turn = Some(Turn { open, rank: 0 });
        for one in fitting {
            let one = &mut dealt[*one];
            if one.turn.is_none() {
                one.after.get_or_insert((at, open));
            }
        }
        Some(taker)
    }

    /// The one of several printers that a copy goes to: they are in their order, so that the first of the best wins.
    fn best(
        &self,
        dealt: &[Dealt],
        row: &Row,
        copy: CopyId,
        of: &mut dyn Iterator<Item = usize>,
    ) -> Option<usize> {
        let prefers = self.index.classes[row.class].color == ColorRule::Prefer;
        let distribute = self.snapshot.settings.distribute;
        let weighs = match distribute {
            Distribute::Random | Distribute::BestFit => true,
            Distribute::Position
            | Distribute::Reverse
            | Distribute::LeastRecentlyUsed
            | Distribute::Hours
            | Distribute::MostHours => false,
        };
        if !prefers && !weighs {
            return of.next();
        }
        let weight = |seat: &Seat| match distribute {
            Distribute::Random => Reverse(mix_of_copy(self.snapshot.queue, copy, seat.seed)),
            Distribute::BestFit => Reverse(self.left_after(row, seat).map_or(0, |mg| mg + 1)),
            Distribute::Position
            | Distribute::Reverse
            | Distribute::LeastRecentlyUsed
            | Distribute::Hours
            | Distribute::MostHours => Reverse(0),
        };
        of.min_by_key(|one| {
            let seat = &self.index.seats[dealt[*one].seat];
            let other_color = prefers && !self.is_similar(row, seat);
            (other_color, weight(seat))
        })
    }

    /// Whether a copy that failed twice on a printer waits for another one, on which it failed less often: that is at work,
    /// or needs no more than a clear bed.
    fn another_could(&self, row: &Row, open: &OpenCopy, own: &Seat) -> bool {
        let failures = failures_on(self.snapshot, open.copy, &own.id);
        if failures < 2 {
            return false;
        }
        self.index.seats.iter().any(|seat| {
            let record = &self.snapshot.printers[&seat.id];
            let soon = match self.waits(&seat.id, record) {
                None
                | Some(
                    Reason::Busy
                    | Reason::BedNotClear
                    | Reason::BedUnknown
                    | Reason::Cooling { .. }
                    | Reason::Clearing
                    | Reason::HeatSlot
                    | Reason::VerdictAwaited,
                ) => true,
                Some(_) => false,
            };
            soon && seat.id != own.id
                && self.fits(row, seat)
                && !had_its_turn(self.snapshot, open, seat.id.host)
                && failures_on(self.snapshot, open.copy, &seat.id) < failures
        })
    }

    /// Printers that were left without a copy come after those that were dealt one they could print as well.
    fn come_after(&self, dealt: &mut [Dealt]) {
        let is_left = |one: &usize| !dealt[*one].is_settled() && !dealt[*one].has_line;
        let left: Vec<usize> = (0..dealt.len()).filter(is_left).collect();
        for one in 0..dealt.len() {
            let Some((at, open)) = dealt[one].after.filter(|_| !dealt[one].is_settled()) else {
                continue;
            };
            // Who was dealt a copy that was refused comes after all that were dealt nothing.
            let row = &self.index.rows[at];
            let before = left
                .iter()
                .take_while(|other| dealt[one].has_line || **other != one)
                .filter(|other| self.fits(row, &self.index.seats[dealt[**other].seat]));
            let rank = 1 + before.count() as u32;
            dealt[one].turn = Some(Turn { open, rank });
        }
    }
}

impl Dealt {
    pub(crate) fn new(seat: usize) -> Self {
        Self {
            seat,
            turn: None,
            contended: false,
            failed_here: false,
            blocked: None,
            reserved: None,
            has_line: false,
            after: None,
            place: usize::MAX,
        }
    }
}
