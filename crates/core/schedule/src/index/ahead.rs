//! An index that runs ahead of its snapshot: what it would say once a copy has begun, or a printer has become free. Only a copy
//! of the index that nobody else reads is changed so.

use printmesh_queue::{NeverSkip, Priority};

use super::*;

impl Index {
    /// A copy begins: nobody else is offered it. Returns whether the job has no copy left to offer.
    pub(crate) fn begin(&mut self, at: usize, copy: u32, now: Timestamp) -> bool {
        let row = &mut self.rows[at];
        match row.marks.binary_search_by_key(&copy, |(index, _)| *index) {
            Ok(found) => row.marks[found].1 = Mark::Closed,
            Err(place) => row.marks.insert(place, (copy, Mark::Closed)),
        }
        let closed = |at: u32| matches!(row.marks.get(at as usize), Some((index, Mark::Closed)) if *index == at);
        while closed(row.first) {
            row.first += 1;
        }
        row.level += 1;
        row.began = row.began.max(Some(now));
        row.first_began.get_or_insert(now);
        if row.first >= row.units {
            row.offered = false;
        }
        !row.offered
    }

    /// Whether urgent jobs come before others, so that what begins may change the order.
    pub(crate) fn sorts(&self, snapshot: &Snapshot) -> bool {
        let urgent = |row: &Row| {
            let terms = &snapshot.jobs[&row.id].terms;
            row.offered && (terms.due.is_some() || terms.priority != Priority::Normal)
        };
        snapshot.settings.never_skip == NeverSkip::Off && self.rows.iter().any(urgent)
    }

    /// What sorting and used up jobs make of the order.
    pub(crate) fn arrange_again(&mut self, snapshot: &Snapshot) {
        self.arranged = arrange(snapshot, &self.rows);
    }

    /// Whether a printer is offered copies.
    pub(crate) fn set_ready(&mut self, id: &PrinterId, ready: bool) {
        if let Some(at) = self.seat_at(id) {
            self.seats[at].is_ready = ready;
        }
    }

    /// A printer takes what its copy needs out of its slots.
    pub(crate) fn deduct(&mut self, id: &PrinterId, amounts: &[(u32, u64)]) {
        let Some(at) = self.seat_at(id) else {
            return;
        };
        for (slot, left) in &mut self.seats[at].left {
            let taken = amounts.iter().filter(|(other, _)| other == slot);
            *left = taken.fold(*left, |left, (_, mg)| left.saturating_sub(*mg));
        }
    }

    /// A printer works on nothing that its host has on record.
    pub(crate) fn forget_work(&mut self, id: &PrinterId) {
        self.working.remove(id);
        if let Some(at) = self.seat_at(id) {
            self.seats[at].claims = false;
        }
    }

    /// A print ended: that decides who comes first where printers take turns.
    pub(crate) fn printed(&mut self, rule: Distribute, id: &PrinterId, at: Timestamp, ms: u64) {
        let Some(seat) = self.seat_at(id) else {
            return;
        };
        let (used, _) = &mut self.seats[seat].key;
        match rule {
            Distribute::LeastRecentlyUsed => *used = at.0 + 1,
            Distribute::Hours => *used = used.saturating_add(ms / 1000),
            Distribute::MostHours => *used = used.saturating_sub(ms / 1000),
            Distribute::Position
            | Distribute::Reverse
            | Distribute::Random
            | Distribute::BestFit => return,
        }
        self.order_seats();
    }
}
