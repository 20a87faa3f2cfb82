//! The plain value that everybody reads: what a queue says now, without a trace of Automerge.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Bed, Claim, ClaimState, CopyId, HostId, InviteRecord, Job, JobId, JobState, LostRecord, Member,
    OnPartial, PrinterId, PrinterRecord, QueueId, Request, RequestId, RunRecord, RunResult,
    Settings, Voters,
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
    /// What admins say of the invites that were given out, by the invite's public key.
    pub invites: BTreeMap<HostId, BTreeMap<HostId, InviteRecord>>,
    /// Printers that members announced, removed ones included.
    pub printers: BTreeMap<PrinterId, PrinterRecord>,
    /// All jobs that were ever submitted.
    pub jobs: BTreeMap<JobId, Job>,
    /// Claims per copy, by attempt and host.
    pub claims: BTreeMap<CopyId, BTreeMap<(u32, HostId), Claim>>,
    /// Voters that gave an attempt up.
    pub lost: BTreeMap<(CopyId, u32), BTreeMap<HostId, LostRecord>>,
    /// Every voter configuration so far; the last one is `voters`.
    pub configs: BTreeMap<u32, Vec<HostId>>,
    /// Its settings.
    pub settings: Settings,
    /// What hosts ask of one another.
    pub requests: BTreeMap<RequestId, Request>,
    /// Jobs that this host knew to be made when an epoch began without them. They stay so: also when a part of them turns out to
    /// be one too many, and the one that counts was never heard of here.
    pub made: BTreeSet<JobId>,
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
    /// Its last attempt failed or was stopped, and it is not tried again by itself.
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

    /// Returns whether the voters wrote an attempt off: a majority of one configuration gave it up.
    pub fn is_lost(&self, copy: CopyId, attempt: u32) -> bool {
        let Some(words) = self.lost.get(&(copy, attempt)) else {
            return false;
        };
        self.configs.iter().any(|(cfg, hosts)| {
            let said = hosts
                .iter()
                .filter(|host| words.get(host).is_some_and(|word| word.cfg == *cfg));
            said.count() > hosts.len() / 2
        })
    }

    /// Returns how often a copy of a job is tried again after it failed.
    pub fn retries(&self, job: JobId) -> u32 {
        let own = self.jobs.get(&job).and_then(|job| job.retries);
        own.unwrap_or(self.settings.retries)
    }

    /// Returns whether a person asked for one more try after this attempt, or after a later one.
    pub fn is_asked_again(&self, copy: CopyId, attempt: u32) -> bool {
        let job = self.jobs.get(&copy.job);
        let asked = job.and_then(|job| job.again.get(&copy.index));
        asked.is_some_and(|asked| *asked >= attempt)
    }

    /// Returns the runs that an attempt does not have to print, by position in [`Job::runs`]: they are good already.
    ///
    /// Good runs of earlier attempts count when those were decided, are over or written off, and printed the same
    /// thing. With `on-partial restart` a failed attempt and what came before it count for nothing.
    pub fn good_before(
        &self,
        copy: CopyId,
        attempt: u32,
        spec_hash: &[u8; 32],
    ) -> BTreeMap<u32, &RunRecord> {
        let mut good = BTreeMap::new();
        let earlier = self.claims.get(&copy).into_iter().flat_map(|claims| {
            let until = (attempt, HostId([0; 32]));
            claims.range(..until).map(|(_, claim)| claim).rev()
        });
        for claim in earlier {
            let lost = claim.record.state.is_begun() && self.is_lost(copy, claim.attempt);
            let failed = claim.record.state == ClaimState::Failed;
            let counts = failed || lost || claim.record.state == ClaimState::Released;
            if !counts || claim.record.speculative {
                continue;
            }
            if self.settings.on_partial == OnPartial::Restart && (failed || lost) {
                break;
            }
            if claim.record.spec_hash == *spec_hash {
                good.extend(claim.good_runs());
            }
        }
        good
    }

    /// Returns the good runs that a copy has now, by position in [`Job::runs`].
    pub fn good_runs_of(&self, copy: CopyId) -> BTreeMap<u32, &RunRecord> {
        // What counts elsewhere, or nowhere, is not this copy's.
        let counts = |claim: &&Claim| match claim.record.state {
            ClaimState::Dropped | ClaimState::Credited | ClaimState::Surplus => false,
            state => !state.is_pending(),
        };
        let Some(last) = self.claims_of(copy).filter(counts).last() else {
            return BTreeMap::new();
        };
        let mut good = self.good_before(copy, last.attempt + 1, &last.record.spec_hash);
        if last.record.state != ClaimState::Failed {
            good.extend(last.good_runs());
        }
        good
    }

    /// Returns what a copy is up to: one answer on every host that has read the same changes.
    ///
    /// What the voters have not decided closes nothing: a speculative failure leaves its attempt open.
    pub fn copy_state(&self, copy: CopyId) -> CopyState<'_> {
        self.copy_state_without(copy, None)
    }

    /// The same as if one claim, by attempt and host, had never been: what is left when it counts elsewhere.
    pub fn copy_state_without(
        &self,
        copy: CopyId,
        without: Option<(u32, HostId)>,
    ) -> CopyState<'_> {
        let mut next = 0;
        let mut pending: Option<&Claim> = None;
        let mut begun: Option<&Claim> = None;
        let mut failed: Option<&Claim> = None;
        let mut failures = 0;
        let mut spare: Option<&Claim> = None;
        let counts = |claim: &&Claim| without != Some((claim.attempt, claim.host));
        for claim in self.claims_of(copy).filter(counts) {
            let decided = !claim.record.speculative;
            match claim.record.state {
                ClaimState::Finished => return CopyState::Done(claim),
                ClaimState::Started | ClaimState::Printing | ClaimState::Unknown => {
                    let better = begun.is_none_or(|other| {
                        (!other.record.speculative, other.attempt) < (decided, claim.attempt)
                    });
                    if better && !self.is_lost(copy, claim.attempt) {
                        begun = Some(claim);
                    }
                }
                ClaimState::Failed if decided => {
                    failures += 1;
                    failed = Some(claim);
                    next = next.max(claim.attempt + 1);
                }
                ClaimState::Released if decided => next = next.max(claim.attempt + 1),
                ClaimState::Surplus if self.made.contains(&copy.job) => spare = Some(claim),
                ClaimState::Failed
                | ClaimState::Released
                | ClaimState::Credited
                | ClaimState::Surplus => {}
                ClaimState::Dropped => next = next.max(claim.attempt),
                ClaimState::Claimed | ClaimState::Fetching | ClaimState::Staged => {
                    if pending.is_none_or(|other| {
                        (other.attempt, &other.record.ballot)
                            < (claim.attempt, &claim.record.ballot)
                    }) {
                        pending = Some(claim);
                    }
                }
            }
        }
        if let Some(claim) = begun {
            return CopyState::Begun(claim);
        }
        if let Some(claim) = spare {
            return CopyState::Done(claim);
        }
        let lost = self.lost.range((copy, 0)..=(copy, u32::MAX));
        for ((_, attempt), _) in lost.filter(|((_, attempt), _)| self.is_lost(copy, *attempt)) {
            next = next.max(attempt + 1);
        }
        let given_up = failed.filter(|claim| {
            (claim.was_stopped() || failures > self.retries(copy.job))
                && !self.is_asked_again(copy, claim.attempt)
        });
        match (given_up, pending) {
            (Some(claim), _) if claim.attempt + 1 >= next => CopyState::Failed(claim),
            (_, Some(claim)) if claim.attempt >= next => CopyState::Claimed(claim),
            _ => CopyState::Open(next),
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
            .find(|(copy, claim)| {
                let state = claim.record.state;
                // Whoever was written off is waited for by nobody.
                state.is_active() && state.is_begun() && !self.is_lost(*copy, claim.attempt)
            })
    }

    /// Returns the number of good runs of one claim.
    pub fn good_runs(claim: &Claim) -> u32 {
        claim
            .runs
            .values()
            .filter(|run| run.result == RunResult::Ok)
            .count() as u32
    }

    /// Returns whether an invite was taken back.
    pub fn is_revoked(&self, invite: HostId) -> bool {
        let said = self.invites.get(&invite);
        said.is_some_and(|said| said.values().any(|record| record.revoked))
    }

    /// Returns the members that an invite let in, in the order in which it was used; the first of them are the ones that it
    /// may let in. Of one that was used on two sides of a cut network that tells who was too many.
    pub fn let_in_by(&self, invite: HostId) -> Vec<HostId> {
        let of_invite = |member: &&(&HostId, &Member)| member.1.certificate.invite == Some(invite);
        let mut members: Vec<_> = self.members.iter().collect::<Vec<_>>();
        members.retain(|member| of_invite(&member));
        members.sort_by_key(|(host, member)| (member.certificate.issued, **host));
        members.into_iter().map(|(host, _)| *host).collect()
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
