//! Backfill: a printer that waits for a job lets prints through that are done before that job can start elsewhere.
//!
//! Nobody knows when a person comes and makes the printer fit, so that says nothing. What is known is when a printer that prints
//! now, and that will fit, is done: no sooner does the job start without anybody. Until then the printer that waits for it would
//! stand still for nothing. Where no such printer is at work it waits, as with `on`.

use std::collections::BTreeMap;

use printmesh_queue::{NeverSkip, PrinterId, RunResult, Timestamp};

use crate::{
    Planner, Times,
    index::{Row, Seat},
    plan::Dealt,
    under_way::{self, Prints, chosen, is_able},
};

/// So many places of the list behind the job that a printer waits for are looked at for something that fits in before it: what SLURM
/// looks at in a queue unless told otherwise. What stands further behind came long after it, and would pass a hundred jobs at once.
const DEPTH: usize = 100;

/// What a printer waits for, and until when it may do something else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    /// The job, by its row.
    pub(crate) row: usize,
    /// Its place in the order.
    place: usize,
    /// Nothing that is done later is let through.
    until: Timestamp,
}

/// What is known of what is to come.
#[derive(Debug, Default)]
pub(crate) struct Foresight {
    /// How long prints take.
    pub(crate) times: Times,
    /// When printers that are at work now are done and their beds are clear, where they go on by themselves then.
    pub(crate) free: BTreeMap<PrinterId, Timestamp>,
}

impl Planner<'_> {
    /// The printer waits for a job. Unless it is known when that can start elsewhere, it takes nothing else.
    pub(crate) fn reserve(&self, one: &mut Dealt, at: usize, place: usize) {
        let until = match self.snapshot.settings.never_skip {
            NeverSkip::Backfill => self.can_start(&self.index.rows[at]),
            NeverSkip::Off | NeverSkip::On | NeverSkip::Strict => None,
        };
        match (&mut one.reserved, until) {
            (reserved, None) => one.blocked = Some(reserved.map_or(at, |known| known.row)),
            (Some(known), Some(until)) => known.until = known.until.min(until),
            (reserved, Some(until)) => {
                *reserved = Some(Reserved {
                    row: at,
                    place,
                    until,
                });
            }
        }
    }

    /// Whether a job of that place is done on a printer before the one can start that the printer waits for.
    pub(crate) fn lets_through(
        &self,
        reserved: &Reserved,
        row: &Row,
        place: usize,
        seat: &Seat,
    ) -> bool {
        let job = self.job(row);
        let times = &self.foresight().times;
        let prints = times.of_claim(job, &seat.id, &[], |set| {
            chosen(self.snapshot, job, set, &seat.id)
        });
        let clear_ms = under_way::clear_ms(self.snapshot, job, &seat.id, None);
        let done = prints.ok().map(|prints| {
            let ms = Prints::new(None, prints).ms(clear_ms);
            Timestamp(self.presence.now.0.saturating_add(ms))
        });
        place <= reserved.place.saturating_add(DEPTH) && done.is_some_and(|at| at <= reserved.until)
    }

    /// The earliest time at which a job can start on a printer that is at work now; `None` when nobody knows one.
    fn can_start(&self, row: &Row) -> Option<Timestamp> {
        let free = self.foresight().free.iter();
        let fits = free.filter(|(id, _)| {
            let seat = self.index.seat(id);
            seat.is_some_and(|seat| {
                seat.may_print && self.presence.reachable.contains(&id.host) && self.fits(row, seat)
            })
        });
        let at = fits.map(|(_, at)| *at).min()?;
        (at > self.presence.now).then_some(at)
    }

    /// Whether a printer takes something by itself once it is done.
    pub(crate) fn goes_on(&self, id: &PrinterId) -> bool {
        let record = self.snapshot.printers.get(id);
        record.is_some_and(|it| {
            is_able(it, self.snapshot.settings.autoprint) && it.routine.cycles_left != Some(0)
        })
    }

    /// When a printer that is at work is done and its bed is clear; `None` when nobody knows.
    pub(crate) fn done_at(&self, id: &PrinterId) -> Option<Timestamp> {
        self.foresight().free.get(id).copied()
    }

    fn foresight(&self) -> &Foresight {
        self.given
            .unwrap_or_else(|| self.found.get_or_init(|| self.foresee()))
    }

    fn foresee(&self) -> Foresight {
        let snapshot = self.snapshot;
        let mut times = Times::default();
        times.learn(snapshot);
        let mut free = BTreeMap::new();
        for (copy, claims) in &snapshot.claims {
            for claim in claims.values() {
                let is_printing = claim.record.state.is_active()
                    && !snapshot.is_lost(*copy, claim.attempt)
                    && claim
                        .runs
                        .values()
                        .any(|run| run.result == RunResult::Started);
                let printer = PrinterId {
                    host: claim.host,
                    name: claim.record.printer.clone(),
                };
                let Some(job) = snapshot.jobs.get(&copy.job) else {
                    continue;
                };
                if !is_printing || !self.goes_on(&printer) {
                    continue;
                }
                let now = self.presence.now;
                let left = under_way::left(snapshot, &times, *copy, claim, now, None);
                let clear_ms = under_way::clear_ms(snapshot, job, &printer, None);
                // Nobody knows when a print ends that should have ended.
                let ms = left.ok().filter(|left| !left.is_overdue());
                if let Some(ms) = ms.map(|left| left.ms(clear_ms)) {
                    free.insert(printer, Timestamp(now.0.saturating_add(ms)));
                }
            }
        }
        Foresight { times, free }
    }
}
