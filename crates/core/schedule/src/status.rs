//! The same questions asked for people: how a job stands, what a printer does, and why each of them waits.

use printmesh_queue::{
    Claim, ClaimState, CopyState, Job, JobId, JobState, PrinterId, PrinterRecord, Snapshot, Wanted,
};

use crate::{
    Index, Planner, Presence, Reason, Turn,
    choice::{choose, job_waits, machine_waits, voters_away},
    setbacks::{file_waits, rests},
    wish::{wish_waits, withdrawal_wish},
};

/// How a job stands, derived from its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// Not released.
    Draft,
    /// Held by a person, and nothing of it is being made.
    Held,
    /// Somebody wants it cancelled; it is as soon as the voters or its printer can be asked.
    CancelRequested,
    /// Somebody wants it moved; it is as soon as the voters can be asked.
    MoveRequested,
    /// Waits for a printer.
    Queued,
    /// A copy is claimed.
    Claimed,
    /// A copy's files are being fetched.
    Fetching,
    /// A copy is being printed.
    Printing,
    /// Nobody knows how a copy ended.
    Unknown,
    /// All copies are done.
    Done,
    /// No copy is left to make and at least one failed.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Moved to another queue.
    Moved,
}

impl JobStatus {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Held => "held",
            Self::CancelRequested => "cancel-requested",
            Self::MoveRequested => "move-requested",
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Fetching => "fetching",
            Self::Printing => "printing",
            Self::Unknown => "unknown",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Moved => "moved",
        }
    }

    /// Returns whether nothing more will happen to it.
    pub fn is_over(self) -> bool {
        matches!(
            self,
            Self::Done | Self::Failed | Self::Cancelled | Self::Moved
        )
    }
}

/// Returns how a job stands.
pub fn job_status(snapshot: &Snapshot, job: &Job) -> JobStatus {
    let status = status_of_copies(snapshot, job);
    if status.is_over() {
        return status;
    }
    match withdrawal_wish(snapshot, job.id).map(|wish| &wish.request.wanted) {
        Some(Wanted::Stop | Wanted::Cancel) => JobStatus::CancelRequested,
        Some(Wanted::Move) => JobStatus::MoveRequested,
        Some(Wanted::Start { .. }) | None => status,
    }
}

fn status_of_copies(snapshot: &Snapshot, job: &Job) -> JobStatus {
    match job.state {
        JobState::Cancelled { .. } => return JobStatus::Cancelled,
        JobState::Moved { .. } => return JobStatus::Moved,
        JobState::Open => {}
    }
    let mut best = None;
    let (mut open, mut failed) = (0, 0);
    for (_, state) in snapshot.copies_of(job) {
        let status = match state {
            CopyState::Begun(claim) if claim.record.state == ClaimState::Unknown => {
                Some((1, JobStatus::Unknown))
            }
            CopyState::Begun(_) => Some((4, JobStatus::Printing)),
            CopyState::Claimed(claim) if claim.record.state == ClaimState::Fetching => {
                Some((3, JobStatus::Fetching))
            }
            CopyState::Claimed(_) => Some((2, JobStatus::Claimed)),
            CopyState::Open(_) => {
                open += 1;
                None
            }
            CopyState::Failed(_) => {
                failed += 1;
                None
            }
            CopyState::Done(_) => None,
        };
        if let Some((weight, status)) = status
            && best.is_none_or(|(other, _)| weight > other)
        {
            best = Some((weight, status));
        }
    }
    match best {
        Some((_, status)) => status,
        None if job.draft => JobStatus::Draft,
        None if open > 0 && job.held => JobStatus::Held,
        None if open > 0 => JobStatus::Queued,
        None if failed > 0 => JobStatus::Failed,
        None => JobStatus::Done,
    }
}

/// Returns each printer of the queue and why it does not take the job's next copy now; `None` = it would.
pub fn why(
    snapshot: &Snapshot,
    presence: &Presence,
    job: &Job,
) -> Vec<(PrinterId, Option<Reason>)> {
    let index = Index::new(snapshot);
    let planner = Planner::new(snapshot, presence, &index);
    let whole = planner.job_waits(job);
    let rows = planner.rows();
    let ahead = match whole {
        Some(_) => 0,
        None => planner.ahead(job),
    };
    snapshot
        .present_printers()
        .map(|(id, record)| {
            let row = rows.get(id).cloned();
            let reason = whole
                .clone()
                .or_else(|| planner.why_not(job, id, record, row, ahead));
            (id.clone(), reason)
        })
        .collect()
}

/// Returns each job that waits, in the order of the queue, and why one printer does not take it now; `None` = it would.
///
/// Copies ahead are not counted: [`Reason::QueueOrder`] says that there is one at least.
pub fn why_printer(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
) -> Vec<(JobId, Option<Reason>)> {
    let Some(record) = snapshot.printers.get(printer) else {
        return Vec::new();
    };
    let index = Index::new(snapshot);
    let planner = Planner::new(snapshot, presence, &index);
    let row = planner.rows().remove(printer);
    let jobs = snapshot.jobs_in_order().into_iter().filter(|job| {
        let status = status_of_copies(snapshot, job);
        let left = index.of(job.id).is_some_and(|row| row.first < row.units);
        left && !status.is_over()
    });
    jobs.map(|job| {
        let reason = planner
            .job_waits(job)
            .or_else(|| planner.why_not(job, printer, record, row.clone(), 1));
        (job.id, reason)
    })
    .collect()
}

/// Most copies ahead of a job that are counted.
const AHEAD_MAX: usize = 10_000;

impl Planner<'_> {
    /// Why a job as a whole starts nowhere by itself right now.
    fn job_waits(&self, job: &Job) -> Option<Reason> {
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

    fn why_not(
        &self,
        job: &Job,
        id: &PrinterId,
        record: &PrinterRecord,
        row: Option<Result<Turn, Reason>>,
        ahead: usize,
    ) -> Option<Reason> {
        self.misfit(job, id)
            .or_else(|| self.waits(id, record))
            .or_else(|| {
                (!self.presence.has_quorum(&self.snapshot.voters))
                    .then(|| voters_away(self, id, Some(job.id)))
            })
            .or_else(|| match row {
                Some(Ok(turn)) if turn.open.copy.job == job.id => None,
                Some(Ok(_)) => Some(Reason::QueueOrder { ahead }),
                Some(Err(reason)) => Some(reason),
                None => Some(Reason::NoPrinter),
            })
    }
}

/// Returns why no copy of a job is left to claim.
pub fn no_copy_left(snapshot: &Snapshot, job: &Job) -> Reason {
    let mut reason = Reason::NoCopyLeft;
    for (copy, state) in snapshot.copies_of(job) {
        match state {
            CopyState::Failed(claim) => return rests(snapshot, copy, claim),
            CopyState::Begun(claim) if claim.record.state == ClaimState::Unknown => {
                reason = Reason::CopyUnknown;
            }
            _ => {}
        }
    }
    reason
}

/// What a printer does, as the whole queue can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrinterStatus<'a> {
    /// Its host cannot be reached: what it does is not known.
    HostAway,
    /// Works on a copy.
    Working(printmesh_queue::CopyId, &'a Claim),
    /// A person must look before it does anything.
    NeedsPerson(Reason),
    /// Takes no work, or has none.
    Waiting(Reason),
    /// Free, and about to claim.
    Free,
}

/// Returns what a printer does in one queue.
pub fn printer_status<'a>(
    snapshot: &'a Snapshot,
    presence: &Presence,
    id: &PrinterId,
) -> PrinterStatus<'a> {
    let working = snapshot.claims.iter().find_map(|(copy, claims)| {
        claims
            .values()
            .find(|claim| {
                claim.host == id.host
                    && claim.record.printer == id.name
                    && claim.record.state.is_active()
            })
            .map(|claim| (*copy, claim))
    });
    if !presence.reachable.contains(&id.host) {
        return PrinterStatus::HostAway;
    }
    if let Some((copy, claim)) = working {
        return PrinterStatus::Working(copy, claim);
    }
    let machine = snapshot.printers.get(id).and_then(machine_waits);
    match machine {
        Some(reason @ (Reason::BedNotClear | Reason::BedUnknown | Reason::PrinterFault { .. })) => {
            PrinterStatus::NeedsPerson(reason)
        }
        Some(reason) => PrinterStatus::Waiting(reason),
        None => match choose(snapshot, presence, id) {
            Ok(_) => PrinterStatus::Free,
            Err(reason) => PrinterStatus::Waiting(reason),
        },
    }
}

/// Good runs of one set over all copies of a job; what was printed again counts once.
pub fn good_runs_of_set(snapshot: &Snapshot, job: &Job, set: printmesh_queue::SetId) -> u32 {
    (0..job.units())
        .map(|index| printmesh_queue::CopyId { job: job.id, index })
        .flat_map(|copy| snapshot.good_runs_of(copy).into_values())
        .filter(|run| run.set == set)
        .count() as u32
}
