//! The plan asked for people: why each job and each printer waits. Everything that is asked of one queue at one moment shares one plan.

use std::{cell::OnceCell, collections::BTreeMap};

use printmesh_queue::{Between, CopyState, Job, JobId, PrinterId, PrinterRecord, Snapshot};

use crate::{
    Index, Planner, Presence, PrinterStatus, Reason, Turn,
    choice::{job_waits, machine_waits, voters_away},
    setbacks::file_waits,
    status::{no_copy_left, status_of_copies},
    wish::wish_waits,
};

/// Returns each printer of the queue and why it does not take the job's next copy now; `None` = it would.
pub fn why(
    snapshot: &Snapshot,
    presence: &Presence,
    job: &Job,
) -> Vec<(PrinterId, Option<Reason>)> {
    Overview::new(snapshot, presence, &Index::new(snapshot)).why(job)
}

/// Returns each job that waits, in the order of the queue, and why one printer does not take it now; `None` = it would.
pub fn why_printer(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
) -> Vec<(JobId, Option<Reason>)> {
    Overview::new(snapshot, presence, &Index::new(snapshot)).why_printer(printer)
}

/// Returns what a printer does in one queue.
pub fn printer_status<'a>(
    snapshot: &'a Snapshot,
    presence: &Presence,
    id: &PrinterId,
) -> PrinterStatus<'a> {
    let index = Index::new(snapshot);
    let overview = Overview::new(snapshot, presence, &index);
    status_in(snapshot, &overview, id)
}

/// One queue at one moment: its plan is made once, when it is first asked for.
pub struct Overview<'a> {
    planner: Planner<'a>,
    rows: OnceCell<BTreeMap<PrinterId, Result<Turn, Reason>>>,
}

impl<'a> Overview<'a> {
    /// Joins a snapshot, its index and what a host sees.
    pub fn new(snapshot: &'a Snapshot, presence: &'a Presence, index: &'a Index) -> Self {
        Self {
            planner: Planner::new(snapshot, presence, index),
            rows: OnceCell::new(),
        }
    }

    fn row(&self, printer: &PrinterId) -> Option<&Result<Turn, Reason>> {
        self.rows.get_or_init(|| self.planner.rows()).get(printer)
    }

    /// Returns each printer of the queue and why it does not take the job's next copy now; `None` = it would.
    pub fn why(&self, job: &Job) -> Vec<(PrinterId, Option<Reason>)> {
        let whole = self.planner.job_waits(job);
        let ahead = OnceCell::new();
        let ahead = || *ahead.get_or_init(|| self.planner.ahead(job));
        let printers = self.planner.snapshot.present_printers();
        printers
            .map(|(id, record)| {
                let reason = whole
                    .clone()
                    .or_else(|| self.why_not(job, id, record, &ahead));
                (id.clone(), reason)
            })
            .collect()
    }

    /// Returns each job that waits, in the order of the queue, and why one printer does not take it now; `None` = it would.
    ///
    /// Copies ahead are not counted: [`Reason::QueueOrder`] says that there is one at least.
    pub fn why_printer(&self, printer: &PrinterId) -> Vec<(JobId, Option<Reason>)> {
        let snapshot = self.planner.snapshot;
        let Some(record) = snapshot.printers.get(printer) else {
            return Vec::new();
        };
        let jobs = snapshot.jobs_in_order().into_iter().filter(|job| {
            let row = self.planner.index.of(job.id);
            let left = row.is_some_and(|row| row.first < row.units);
            left && !status_of_copies(snapshot, job).rests()
        });
        jobs.map(|job| {
            let whole = self.planner.job_waits(job);
            let reason = whole.or_else(|| self.why_not(job, printer, record, &|| 1));
            (job.id, reason)
        })
        .collect()
    }

    /// Returns what a printer does in the queue.
    pub fn printer_status(&self, id: &PrinterId) -> PrinterStatus<'a> {
        status_in(self.planner.snapshot, self, id)
    }

    fn why_not(
        &self,
        job: &Job,
        id: &PrinterId,
        record: &PrinterRecord,
        ahead: &dyn Fn() -> usize,
    ) -> Option<Reason> {
        let planner = &self.planner;
        planner
            .misfit(job, id)
            .or_else(|| planner.waits(id, record))
            .or_else(|| {
                (!planner.presence.has_quorum(&planner.snapshot.voters))
                    .then(|| voters_away(planner, id, Some(job.id)))
            })
            .or_else(|| match self.row(id) {
                Some(Ok(turn)) if turn.open.copy.job == job.id => None,
                Some(Ok(_)) => Some(Reason::QueueOrder { ahead: ahead() }),
                // This one does fit: others have all that is left of it.
                Some(Err(Reason::NothingFits { .. })) => Some(Reason::NoCopyLeft),
                Some(Err(reason)) => Some(reason.clone()),
                None => Some(Reason::NoPrinter),
            })
    }
}

fn status_in<'a>(
    snapshot: &'a Snapshot,
    overview: &Overview<'_>,
    id: &PrinterId,
) -> PrinterStatus<'a> {
    if !overview.planner.presence.reachable.contains(&id.host) {
        return PrinterStatus::HostAway;
    }
    let record = snapshot.printers.get(id);
    if record.is_some_and(|record| record.between == Some(Between::Verdict)) {
        return PrinterStatus::NeedsPerson(Reason::VerdictAwaited);
    }
    if record.is_some_and(|record| record.between == Some(Between::Heat)) {
        return PrinterStatus::Waiting(Reason::HeatSlot);
    }
    let working = snapshot.claims.iter().find_map(|(copy, claims)| {
        let mut claims = claims.values();
        let claim = claims.find(|claim| {
            claim.host == id.host
                && claim.record.printer == id.name
                && claim.record.state.is_active()
        });
        claim.map(|claim| (*copy, claim))
    });
    if let Some((copy, claim)) = working {
        return PrinterStatus::Working(copy, claim);
    }
    let autoprint = snapshot.settings.autoprint;
    let machine = record.and_then(|record| machine_waits(record, autoprint));
    match machine {
        Some(
            reason @ (Reason::BedNotClear
            | Reason::BedUnknown
            | Reason::NoBedTemperature { .. }
            | Reason::VerdictAwaited
            | Reason::PrinterFault { .. }),
        ) => PrinterStatus::NeedsPerson(reason),
        Some(reason) => PrinterStatus::Waiting(reason),
        None => match overview.row(id) {
            Some(Ok(_)) => PrinterStatus::Free,
            Some(Err(reason)) => PrinterStatus::Waiting(reason.clone()),
            None => PrinterStatus::Waiting(Reason::NoPrinter),
        },
    }
}

/// Most copies ahead of a job that are counted.
const AHEAD_MAX: usize = 10_000;

impl Planner<'_> {
    /// Why a job as a whole starts nowhere by itself right now.
    pub(crate) fn job_waits(&self, job: &Job) -> Option<Reason> {
        let snapshot = self.snapshot;
        let whole = job_waits(job).or_else(|| wish_waits(snapshot, job));
        let early = || {
            let at = job.terms.not_before?;
            let left_ms = at.0.checked_sub(self.presence.now.0).filter(|ms| *ms > 0)?;
            Some(Reason::NotBefore {
                seconds: left_ms.div_ceil(1000),
            })
        };
        let parked = snapshot.settings.exclude_backburner && job.terms.backburner;
        whole.or_else(|| {
            let open = snapshot
                .copies_of(job)
                .any(|(_, state)| matches!(state, CopyState::Open(_) | CopyState::Claimed(_)));
            match open {
                true => file_waits(job, &self.index.failing)
                    .or_else(early)
                    .or_else(|| parked.then_some(Reason::Backburner)),
                false => Some(no_copy_left(snapshot, job)),
            }
        })
    }

    fn ahead(&self, job: &Job) -> usize {
        let walk = self.walk(|_| true);
        let before = walk.take_while(|(_, open)| open.copy.job != job.id);
        before.take(AHEAD_MAX).count().max(1)
    }
}
