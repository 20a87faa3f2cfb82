//! One queue in virtual time: an index that runs ahead of its snapshot, and which printers take part.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{CopyId, FileSpec, NeverSkip, PrinterId, Set, Snapshot, Timestamp};

use crate::{
    Index, Line, OpenCopy, Planner, Presence,
    backfill::Foresight,
    under_way::{chosen, is_able},
};

/// A queue whose index runs ahead.
pub(super) struct Ahead<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) presence: Presence,
    pub(super) index: Index,
    /// Its voters can decide.
    pub(super) decides: bool,
    /// Printers that take something by themselves once their bed is clear and they are done.
    pub(super) able: BTreeSet<PrinterId>,
    /// Rows that begin to be offered later.
    pub(super) early: BTreeMap<Timestamp, Vec<usize>>,
    /// Jobs that were used up, or begun, since their order was found.
    pub(super) stale: usize,
    /// What a printer knows that waits, and lets others through.
    pub(super) foresight: Foresight,
    /// That order depends on what has begun.
    pub(super) sorts: bool,
}

/// One start that was found.
pub(super) struct Found {
    pub(super) row: usize,
    pub(super) open: OpenCopy,
    pub(super) printer: PrinterId,
    pub(super) place: usize,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(line: &'a Line) -> Self {
        let snapshot = &line.snapshot;
        let mut presence = line.presence.clone();
        // What was so a moment ago, or is so until the next one, says nothing about what is to come.
        presence.busy.clear();
        presence.claiming.clear();
        presence.refused.clear();
        let index = Index::new(snapshot);
        let printers = snapshot.present_printers();
        let able = printers.filter(|(_, record)| is_able(record, snapshot.settings.autoprint));
        let mut early = BTreeMap::<Timestamp, Vec<usize>>::new();
        for (at, row) in index.rows.iter().enumerate() {
            if let Some(time) = row.not_before.filter(|time| *time > presence.now) {
                early.entry(time).or_default().push(at);
            }
        }
        let mut foresight = Foresight::default();
        if snapshot.settings.never_skip == NeverSkip::Backfill {
            foresight.times.learn(snapshot);
        }
        Self {
            snapshot,
            foresight,
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
    pub(super) fn file(
        &self,
        copy: CopyId,
        set: &'a Set,
        printer: &PrinterId,
    ) -> Option<&'a FileSpec> {
        chosen(self.snapshot, &self.snapshot.jobs[&copy.job], set, printer)
    }

    /// What starts now. Printers that nothing is left for are not asked again before there is something new.
    pub(super) fn deal(&mut self) -> Vec<Found> {
        if !self.decides {
            return Vec::new();
        }
        let mut planner = Planner::new(self.snapshot, &self.presence, &self.index);
        planner.given = Some(&self.foresight);
        let mut found = Vec::new();
        let mut idle = Vec::new();
        for one in planner.deal(&[], |_, _| true) {
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

    /// Whether a printer that waits lets others through.
    pub(super) fn backfills(&self) -> bool {
        self.snapshot.settings.never_skip == NeverSkip::Backfill
    }

    /// Jobs whose time has come: who could print one of them is asked again.
    pub(super) fn wake(&mut self, now: Timestamp, working: &BTreeSet<PrinterId>) {
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
