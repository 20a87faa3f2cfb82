//! What hosts ask of one another about jobs, and who may ask: a request of anybody else counts for nothing.

use std::collections::BTreeSet;

use printmesh_queue::{Job, JobId, JobState, Request, RequestId, Role, Snapshot, Wanted};

use crate::Reason;

/// A request that counts: its asker may do with the job what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// Who asks, under which word.
    pub id: &'a RequestId,
    /// What is asked.
    pub request: &'a Request,
}

/// Returns every request about an open job of the queue whose asker submitted the job or is an operator.
pub fn wishes(snapshot: &Snapshot) -> impl Iterator<Item = Wish<'_>> {
    snapshot.requests.iter().filter_map(|(id, request)| {
        let job = snapshot.jobs.get(&request.job)?;
        let asker = snapshot
            .members
            .get(&id.host)
            .filter(|member| !member.left)?;
        let may =
            asker.may(Role::Operator) || asker.may(Role::Submitter) && job.submitter == id.host;
        (may && job.state == JobState::Open).then_some(Wish { id, request })
    })
}

/// Returns every request that counts about one job.
pub fn wishes_of(snapshot: &Snapshot, job: JobId) -> impl Iterator<Item = Wish<'_>> {
    wishes(snapshot).filter(move |wish| wish.request.job == job)
}

/// Returns whose wish keeps a job from being started: who wants it stopped or cancelled before who wants it moved.
pub fn withdrawal_wish(snapshot: &Snapshot, job: JobId) -> Option<Wish<'_>> {
    wishes_of(snapshot, job)
        .filter(|wish| takes_out(&wish.request.wanted))
        .min_by_key(|wish| matches!(wish.request.wanted, Wanted::Move))
}

/// Returns who wants the prints of a job stopped.
pub fn stop_wish(snapshot: &Snapshot, job: JobId) -> Option<Wish<'_>> {
    wishes_of(snapshot, job).find(|wish| wish.request.wanted == Wanted::Stop)
}

fn takes_out(wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Stop | Wanted::Cancel | Wanted::Move => true,
        Wanted::Start { .. } => false,
    }
}

/// Jobs that nobody starts because somebody wants to take them out.
pub(crate) fn wanted_out(snapshot: &Snapshot) -> BTreeSet<JobId> {
    wishes(snapshot)
        .filter(|wish| takes_out(&wish.request.wanted))
        .map(|wish| wish.request.job)
        .collect()
}

/// Why a wish keeps the job from being offered.
pub(crate) fn wish_waits(snapshot: &Snapshot, job: &Job) -> Option<Reason> {
    let wish = withdrawal_wish(snapshot, job.id)?;
    let by = snapshot.host_name(wish.id.host);
    match wish.request.wanted {
        Wanted::Stop | Wanted::Cancel => Some(Reason::CancelRequested { by }),
        Wanted::Move => Some(Reason::MoveRequested { by }),
        Wanted::Start { .. } => None,
    }
}
