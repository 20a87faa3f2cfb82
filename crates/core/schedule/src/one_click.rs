//! What 1-Click starts: the plan as it is for every printer that is meant, those included that do not start by themselves.

use printmesh_queue::{CopyId, Job, JobId, PrinterId, Snapshot};

use crate::{
    Index, OpenCopy, Plan, Planner, Presence, Reason,
    choice::{had_its_turn, job_waits},
    plan,
    setbacks::file_waits,
    wish::wish_waits,
};

/// Returns the plan in which printers that are meant take part although they do not start prints by themselves. Other printers
/// go on as they do; what they start is not in it.
pub fn one_click(
    snapshot: &Snapshot,
    presence: &Presence,
    meant: impl Fn(&PrinterId) -> bool,
) -> Plan {
    let mut opened = snapshot.clone();
    for (id, record) in &mut opened.printers {
        record.autoprint &= snapshot.settings.autoprint;
        record.autoprint |= meant(id);
    }
    opened.settings.autoprint = true;
    let mut plan = plan(&opened, presence);
    plan.starts.retain(|start| meant(&start.printer));
    plan
}

/// Returns how many jobs a printer passes over that come before this one: jobs with a copy left that it cannot print now.
pub fn passed_over(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
    job: JobId,
) -> usize {
    let index = Index::new(snapshot);
    let planner = Planner::new(snapshot, presence, &index);
    let Some(seat) = index.seat(printer) else {
        return 0;
    };
    let rows = index.arranged.order.iter().map(|at| &index.rows[*at]);
    let before = rows.take_while(|row| row.id != job);
    let passed = before.filter(|row| {
        !planner.is_early(row) && !planner.fits(row, seat) && planner.has_open_copy(row)
    });
    passed.count()
}

impl Planner<'_> {
    /// Returns a copy under one attempt that somebody wants on a printer now, or why it does not take it. That it does not
    /// start prints by itself is no reason: it does not.
    ///
    /// # Errors
    /// Why it does not.
    pub fn choose_this(
        &self,
        printer: &PrinterId,
        job: &Job,
        (index, attempt): (u32, u32),
    ) -> Result<OpenCopy, Reason> {
        let snapshot = self.snapshot;
        let record = snapshot
            .printers
            .get(printer)
            .filter(|record| !record.removed)
            .ok_or(Reason::NoPrinter)?;
        let waits = job_waits(job)
            .or_else(|| wish_waits(snapshot, job))
            .or_else(|| file_waits(job, &self.index.failing))
            .or_else(|| self.misfit(job, printer))
            .or_else(|| self.waits_when_asked(printer, record));
        if let Some(reason) = waits {
            return Err(reason);
        }
        let row = self.index.of(job.id).ok_or(Reason::NotQueued)?;
        let copy = CopyId { job: job.id, index };
        let open = OpenCopy { copy, attempt };
        let mark = row.mark_of(index).ok_or(Reason::NoCopyLeft)?;
        let is_open = self.claimable(copy, mark) == Some(attempt);
        let refused = self.presence.refused.contains(&(copy, attempt));
        if !is_open || refused || had_its_turn(snapshot, &open, printer.host) {
            return Err(Reason::Contended);
        }
        match self.presence.has_quorum(&snapshot.voters) {
            true => Ok(open),
            false => Err(crate::choice::voters_away(self, printer, Some(job.id))),
        }
    }
}
