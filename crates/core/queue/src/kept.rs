//! What a host knows of a queue beyond the document of its present epoch: jobs that were over when an epoch ended, and what
//! others had written that the cut missed and that they will write again.
//!
//! It is this host's own, durable beside the document, and read together with it. It only ever adds: what the document says of
//! a job counts before this, and so does a claim that its holder has written again; else of two records of one claim the further one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Claim, CopyId, CopyState, HostId, Job, JobId, JobState, LostRecord, RunRecord, RunResult,
    Snapshot, epoch::Authority, rules::strongest,
};

/// One job of an earlier epoch, as this host knew it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptJob {
    /// Its id.
    pub id: JobId,
    /// Number of the epoch that began without it because it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_since: Option<u64>,
    /// Nothing of it was left to be made when an epoch began without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
    /// What was to be made; absent when the document has the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// Claims, each with the position of its copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<(u32, Claim)>,
    /// What voters gave up: copy, attempt, voter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<(u32, u32, HostId, LostRecord)>,
}

impl KeptJob {
    /// Everything that a snapshot says of a job; `None` when it says nothing.
    pub(crate) fn of(snapshot: &Snapshot, id: JobId) -> Option<Self> {
        let first = CopyId { job: id, index: 0 };
        let last = CopyId {
            job: id,
            index: u32::MAX,
        };
        let claims = snapshot.claims.range(first..=last);
        let claims = claims.flat_map(|(copy, claims)| {
            claims
                .values()
                .map(move |claim| (copy.index, claim.clone()))
        });
        let lost = snapshot.lost.range((first, 0)..=(last, u32::MAX));
        let lost = lost.flat_map(|((copy, attempt), words)| {
            let said = move |(host, word): (&HostId, &LostRecord)| {
                (copy.index, *attempt, *host, word.clone())
            };
            words.iter().map(said)
        });
        let kept = Self {
            id,
            over_since: None,
            made: snapshot.made.contains(&id),
            job: snapshot.jobs.get(&id).cloned(),
            claims: claims.collect(),
            lost: lost.collect(),
        };
        (kept.job.is_some() || !kept.claims.is_empty() || !kept.lost.is_empty()).then_some(kept)
    }
}

/// What a host keeps of one queue.
pub(crate) type Kept = BTreeMap<JobId, KeptJob>;

/// What a document is read by.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) authority: Authority,
    pub(crate) kept: Kept,
}

impl Base {
    /// A queue of which nothing is known but its id, and what this host keeps of it.
    pub(crate) fn lay_under(&self, snapshot: &mut Snapshot) {
        for (id, kept) in &self.kept {
            if let Some(job) = &kept.job {
                snapshot.jobs.insert(*id, job.clone());
            }
            for (index, claim) in &kept.claims {
                let copy = CopyId {
                    job: *id,
                    index: *index,
                };
                let claims = snapshot.claims.entry(copy).or_default();
                claims.insert((claim.attempt, claim.host), claim.clone());
            }
            for (index, attempt, host, word) in &kept.lost {
                let copy = CopyId {
                    job: *id,
                    index: *index,
                };
                let words = snapshot.lost.entry((copy, *attempt)).or_default();
                words.insert(*host, word.clone());
            }
            let is_made = |job| kept.made || is_over(snapshot, job);
            if kept.job.as_ref().is_some_and(is_made) {
                snapshot.made.insert(*id);
            }
        }
    }

    pub(crate) fn claim(&self, copy: CopyId, attempt: u32, host: HostId) -> Option<&Claim> {
        let kept = self.kept.get(&copy.job)?;
        let is_it = |(index, claim): &&(u32, Claim)| {
            (*index, claim.attempt, claim.host) == (copy.index, attempt, host)
        };
        kept.claims.iter().find(is_it).map(|(_, claim)| claim)
    }

    /// The epoch that began without a job because it was over.
    pub(crate) fn over_since(&self, id: JobId) -> Option<u64> {
        self.kept.get(&id)?.over_since
    }

    /// Whether a job was over when an earlier epoch ended.
    pub(crate) fn is_over(&self, id: JobId) -> bool {
        self.over_since(id).is_some()
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&Job> {
        self.kept.get(&id)?.job.as_ref()
    }
}

/// Whether a run as the document has it says less than what this host knew.
pub(crate) fn is_older(run: &RunRecord, known: &RunRecord) -> bool {
    run.result == RunResult::Started && known.result != RunResult::Started
}

/// A claim as the document has it and as this host knew it: the further record, and the runs of both.
///
/// Once the holder has written it `again` in this epoch, the document has all that it said before, and what it says now may be
/// less: a print that was `unknown` goes on.
pub(crate) fn further(document: Claim, again: bool, known: Option<&Claim>) -> Claim {
    let Some(known) = known else {
        return document;
    };
    let known_record = Some(&known.record).filter(|_| !again);
    let record = strongest(known_record.into_iter().chain([&document.record]));
    let record = record.expect("one of two").clone();
    let mut runs = known.runs.clone();
    for (k, run) in document.runs {
        if !runs.get(&k).is_some_and(|known| is_older(&run, known)) {
            runs.insert(k, run);
        }
    }
    Claim {
        record,
        runs,
        ..document
    }
}

/// Whether nothing of a job is left to be made.
pub(crate) fn is_over(snapshot: &Snapshot, job: &Job) -> bool {
    let done = |(_, state)| matches!(state, CopyState::Done(_));
    job.state != JobState::Open || snapshot.copies_of(job).all(done)
}
