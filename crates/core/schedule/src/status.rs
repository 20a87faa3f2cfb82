//! How a job stands and what a printer does, in words for people.

use printmesh_queue::{Claim, ClaimState, CopyState, Job, JobState, Snapshot, Wanted};

use crate::{Reason, setbacks::rests, wish::withdrawal_wish};

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
    /// No copy is left to make and at least one failed: held, with the reason, until a person has it tried again or cancels it.
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
        matches!(self, Self::Done | Self::Cancelled | Self::Moved)
    }

    /// Returns whether nothing more will happen to it by itself: what failed too often is held until a person decides.
    pub fn rests(self) -> bool {
        self.is_over() || self == Self::Failed
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

pub(crate) fn status_of_copies(snapshot: &Snapshot, job: &Job) -> JobStatus {
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

/// Good runs of one set over all copies of a job; what was printed again counts once.
pub fn good_runs_of_set(snapshot: &Snapshot, job: &Job, set: printmesh_queue::SetId) -> u32 {
    (0..job.units())
        .map(|index| printmesh_queue::CopyId { job: job.id, index })
        .flat_map(|copy| snapshot.good_runs_of(copy).into_values())
        .filter(|run| run.set == set)
        .count() as u32
}
