//! The plain value that everybody reads: what a queue says now, without a trace of Automerge.

use std::collections::BTreeMap;

use crate::{
    Bed, Claim, ClaimState, CopyId, HostId, Job, JobId, JobState, Member, PrinterId, PrinterRecord,
    QueueId, RunResult, Voters,
};

/// What a queue says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The queue.
    pub queue: QueueId,
    /// Its shared name.
    pub name: String,
    /// Who decides claims.
    pub voters: Voters,
    /// Its members, the ones that left included.
    pub members: BTreeMap<HostId, Member>,
    /// Printers that members announced, removed ones included.
    pub printers: BTreeMap<PrinterId, PrinterRecord>,
    /// All jobs that were ever submitted.
    pub jobs: BTreeMap<JobId, Job>,
    /// Claims per copy, by attempt and host.
    pub claims: BTreeMap<CopyId, BTreeMap<(u32, HostId), Claim>>,
}

/// What a copy is up to; derived from its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyState<'a> {
    /// Nobody works on it; the number of the attempt to claim.
    Open(u32),
    /// Somebody claimed it and has not started.
    Claimed(&'a Claim),
    /// It was started and has not ended.
    Begun(&'a Claim),
    /// Done.
    Done(&'a Claim),
    /// Its last attempt failed; it is not printed again by itself.
    Failed(&'a Claim),
}

impl Snapshot {
    /// Returns the jobs that are in the queue, in its order.
    pub fn jobs_in_order(&self) -> Vec<&Job> {
        let mut jobs: Vec<&Job> = self
            .jobs
            .values()
            .filter(|job| job.state == JobState::Open)
            .collect();
        jobs.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.id.cmp(&b.id)));
        jobs
    }

    /// Returns all claims of a copy in the order of their attempts.
    pub fn claims_of(&self, copy: CopyId) -> impl Iterator<Item = &Claim> {
        self.claims
            .get(&copy)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// Returns what a copy is up to: one answer on every host that has read the same changes.
    pub fn copy_state(&self, copy: CopyId) -> CopyState<'_> {
        let mut next = 0;
        let mut pending: Option<&Claim> = None;
        let mut failed: Option<&Claim> = None;
        for claim in self.claims_of(copy) {
            match claim.record.state {
                ClaimState::Finished => return CopyState::Done(claim),
                state if state.is_begun() => return CopyState::Begun(claim),
                ClaimState::Failed => failed = Some(claim),
                ClaimState::Released => next = next.max(claim.attempt + 1),
                ClaimState::Dropped => next = next.max(claim.attempt),
                _ => {
                    if pending.is_none_or(|other| {
                        (other.attempt, &other.record.ballot)
                            < (claim.attempt, &claim.record.ballot)
                    }) {
                        pending = Some(claim);
                    }
                }
            }
        }
        match (failed, pending) {
            (Some(claim), _) => CopyState::Failed(claim),
            (None, Some(claim)) if claim.attempt >= next => CopyState::Claimed(claim),
            (None, _) => CopyState::Open(next),
        }
    }

    /// Returns every copy of a job with what it is up to.
    pub fn copies_of<'a>(
        &'a self,
        job: &'a Job,
    ) -> impl Iterator<Item = (CopyId, CopyState<'a>)> + 'a {
        (0..job.units()).map(move |index| {
            let copy = CopyId { job: job.id, index };
            (copy, self.copy_state(copy))
        })
    }

    /// Returns the claim under which a printer may be printing a copy of this job right now.
    pub fn begun_claim_of(&self, job: JobId) -> Option<(CopyId, &Claim)> {
        self.claims
            .range(
                CopyId { job, index: 0 }..=CopyId {
                    job,
                    index: u32::MAX,
                },
            )
            .flat_map(|(copy, claims)| claims.values().map(move |claim| (*copy, claim)))
            .find(|(_, claim)| claim.record.state.is_active() && claim.record.state.is_begun())
    }

    /// Returns the number of good runs of one claim.
    pub fn good_runs(claim: &Claim) -> u32 {
        claim
            .runs
            .values()
            .filter(|run| run.result == RunResult::Ok)
            .count() as u32
    }

    /// Returns members that have not left.
    pub fn present_members(&self) -> impl Iterator<Item = (&HostId, &Member)> {
        self.members.iter().filter(|(_, member)| !member.left)
    }

    /// Returns printers that have not been removed, of members that have not left.
    pub fn present_printers(&self) -> impl Iterator<Item = (&PrinterId, &PrinterRecord)> {
        self.printers.iter().filter(|(id, record)| {
            !record.removed
                && self
                    .members
                    .get(&id.host)
                    .is_some_and(|member| !member.left)
        })
    }

    /// Returns a host's name for people.
    pub fn host_name(&self, host: HostId) -> String {
        self.members
            .get(&host)
            .map_or_else(|| host.fingerprint(), |member| member.name.clone())
    }
}

impl Bed {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Occupied => "occupied",
            Self::Unknown => "unknown",
        }
    }
}
