//! What a free printer says that is dealt nothing: which open job comes closest, and what keeps it from the printer.

use printmesh_queue::{JobState, PrinterId};

use crate::{
    Planner, Reason,
    index::{Cursor, Row, Seat},
};

impl Planner<'_> {
    /// Why no open job starts on a free printer.
    pub(crate) fn idles(&self, printer: &PrinterId) -> Reason {
        let closest = self
            .index
            .seat(printer)
            .and_then(|seat| self.closest(seat, |_| true));
        if let Some((row, because)) = closest {
            return Reason::NothingFits {
                job: self.job(row).name.clone(),
                because: Box::new(because),
            };
        }
        let mut jobs = self.snapshot.jobs.values();
        match jobs.any(|job| job.state == JobState::Open) {
            true => Reason::NoCopyLeft,
            false => Reason::QueueEmpty,
        }
    }

    /// The job that comes closest, of these that have a copy left.
    pub(crate) fn closest(&self, seat: &Seat, of: impl Fn(&Row) -> bool) -> Option<(&Row, Reason)> {
        let rows = self.index.arranged.order.iter();
        let offered = rows.map(|at| &self.index.rows[*at]);
        let misfits = offered
            .filter(|row| !self.is_early(row) && !self.fits(row, seat) && self.has_open_copy(row))
            .filter(|row| of(row));
        let mut never = None;
        for row in misfits {
            if !self.is_never(row, seat) {
                return Some((row, self.misfit(self.job(row), &seat.id)?));
            }
            never.get_or_insert(row);
        }
        if let Some(row) = self.held_back(seat) {
            return Some((row, self.job_waits(self.job(row))?));
        }
        never.and_then(|row| Some((row, self.misfit(self.job(row), &seat.id)?)))
    }

    /// The first job that is not offered to printers now; one that fits this printer before one that does not.
    fn held_back(&self, seat: &Seat) -> Option<&Row> {
        let excluded = self.snapshot.settings.exclude_backburner;
        let is_held_back = |row: &&Row| {
            let parked = excluded && self.job(row).terms.backburner;
            (!row.offered || parked || self.is_early(row)) && self.has_open_copy(row)
        };
        let rows = self.index.rows.iter().filter(is_held_back);
        rows.min_by_key(|row| (!self.fits(row, seat), &self.job(row).rank, row.id))
    }

    pub(crate) fn has_open_copy(&self, row: &Row) -> bool {
        let mut cursor = Cursor::new(row);
        let copies = std::iter::from_fn(|| cursor.next(row));
        let copy = |index| printmesh_queue::CopyId { job: row.id, index };
        let mut attempts = copies.map(|(index, mark)| self.claimable(copy(index), mark));
        attempts.any(|attempt| attempt.is_some())
    }
}
