//! The printers of an index: in the order in which they are dealt copies, and which jobs each kind of them prints.

use super::*;
use crate::{
    choice::machine_waits,
    delegate::seed_of_printer,
    matching::{Asked, sets_misfit},
};

impl Index {
    pub(super) fn read_printers(&mut self, snapshot: &Snapshot) {
        let mut seats: Vec<Seat> = Vec::new();
        for (id, record) in snapshot.present_printers() {
            seats.push(self.seat_of(snapshot, id, record));
        }
        self.seats = seats;
        self.order_seats();
    }

    pub(super) fn order_seats(&mut self) {
        self.seats
            .sort_by(|a, b| a.key.cmp(&b.key).then_with(|| a.id.cmp(&b.id)));
        let seats = self.seats.iter().enumerate();
        self.by_printer = seats.map(|(at, seat)| (seat.id.clone(), at)).collect();
    }

    /// Reads one printer again. Returns whether it was and is one.
    pub(super) fn reread_printer(&mut self, snapshot: &Snapshot, id: &PrinterId) -> bool {
        let at = self.by_printer.get(id).copied();
        let record = snapshot.printers.get(id).filter(|record| !record.removed);
        let (Some(at), Some(record)) = (at, record) else {
            return false;
        };
        let seat = self.seat_of(snapshot, id, record);
        let moved = self.seats[at].key != seat.key;
        self.seats[at] = seat;
        if moved {
            self.order_seats();
        }
        true
    }

    fn seat_of(&mut self, snapshot: &Snapshot, id: &PrinterId, record: &PrinterRecord) -> Seat {
        let mut kind = record.equipment.clone();
        for slot in &mut kind.slots {
            (slot.left_mg, slot.spool) = (None, None);
        }
        kind.printed_s = 0;
        let member = snapshot.members.get(&id.host);
        let used = match snapshot.settings.distribute {
            Distribute::LeastRecentlyUsed => record.last_print_ended.map_or(0, |at| at.0 + 1),
            Distribute::Hours => record.equipment.printed_s,
            Distribute::MostHours => u64::MAX - record.equipment.printed_s,
            Distribute::Reverse => u64::MAX - u64::from(record.position),
            Distribute::Position | Distribute::Random | Distribute::BestFit => 0,
        };
        let slots = record.equipment.slots.iter();
        Seat {
            id: id.clone(),
            key: (used, record.position),
            kind: self.kind(kind),
            seed: seed_of_printer(snapshot.queue, id),
            may_print: member.is_some_and(|m| m.may(Role::Printer)),
            is_ready: machine_waits(record, snapshot.settings.autoprint).is_none(),
            autoprint: record.autoprint && snapshot.settings.autoprint,
            claims: self.working.contains_key(id),
            left: slots
                .filter_map(|slot| Some((slot.slot, slot.left_mg?)))
                .collect(),
        }
    }

    /// Whether a kind of printer prints a class of jobs.
    pub(crate) fn fit(&self, class: usize, kind: usize) -> Fit {
        let known = self.fits.get(class).and_then(|kinds| kinds.get(kind));
        known.copied().unwrap_or_else(|| self.find_fit(class, kind))
    }

    fn find_fit(&self, class: usize, kind: usize) -> Fit {
        let needed = &self.classes[class];
        let asked = Asked {
            tags: &needed.tags,
            color: needed.color,
            submitter: needed.submitter,
        };
        let sets = needed.sets.iter().map(|set| set.iter());
        let reason = sets_misfit(sets, asked, &self.kinds[kind]);
        match reason {
            None => Fit::Fits,
            Some(reason) if reason.is_fixable() => Fit::Fixable,
            Some(_) => Fit::Never,
        }
    }

    /// Finds beforehand what would be asked when a printer becomes free, unless that is very much.
    pub(super) fn find_fits(&mut self) {
        if self.classes.len() * self.kinds.len() > FITS_MAX {
            self.fits.clear();
            return;
        }
        let mut fits = std::mem::take(&mut self.fits);
        fits.resize_with(self.classes.len(), Vec::new);
        for (class, kinds) in fits.iter_mut().enumerate() {
            let new = kinds.len()..self.kinds.len();
            kinds.extend(new.map(|kind| self.find_fit(class, kind)));
        }
        self.fits = fits;
    }

    fn kind(&mut self, kind: Equipment) -> usize {
        if let Some(known) = self.by_kind.get(&kind) {
            return *known;
        }
        let number = self.kinds.len();
        self.kinds.push(kind.clone());
        self.by_kind.insert(kind, number);
        number
    }
}
