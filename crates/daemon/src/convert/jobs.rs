//! Jobs with their sets, copies and claims, and what is over.

use printmesh_api::reply;
use printmesh_node::{LOST, Node, QueueView, claim_word, listed_jobs};
use printmesh_queue::{
    Claim, ClaimState, CopyId, FileSpec, Job, JobId, JobState, PrinterId, QueueId, RunResult,
    Timestamp,
};
use printmesh_schedule::{
    Index, JobStatus, Overview, Reason, first_reason, good_runs_of_set, is_speculative, job_status,
    no_copy_left, tally,
};

use super::{full_name, presence, why::why_row};
use crate::{clock::rfc3339, equip};

/// Jobs as `jobs` lists them: by queue in the host's order, or what is over when the archive is asked for.
pub(crate) fn jobs(
    node: &Node,
    queue: Option<QueueId>,
    archive: bool,
    all: bool,
) -> Vec<reply::Job> {
    let mut rows = Vec::new();
    for (name, view) in node.queues() {
        if queue.is_some_and(|wanted| wanted != view.id) {
            continue;
        }
        let open = listed_jobs(view.snapshot);
        let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
        let overview = Overview::new(view.snapshot, &presence, &index);
        let row = |job: &Job| self::job(node, &name, &view, &overview, job);
        if !archive {
            rows.extend(open.iter().map(|job| row(job)));
        }
        if archive || all {
            let mut over: Vec<&Job> = view
                .snapshot
                .jobs
                .values()
                .filter(|job| job_status(view.snapshot, job).is_over())
                .collect();
            over.sort_by_key(|job| (std::cmp::Reverse(job.created), job.id));
            rows.extend(over.into_iter().map(row));
        }
    }
    rows
}

pub(crate) fn job_by_id(node: &Node, queue: QueueId, job: JobId) -> Option<reply::Job> {
    let (name, view) = node
        .queues()
        .into_iter()
        .find(|(_, view)| view.id == queue)?;
    let found = view.snapshot.jobs.get(&job)?;
    let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
    let overview = Overview::new(view.snapshot, &presence, &index);
    Some(self::job(node, &name, &view, &overview, found))
}

pub(super) fn job(
    node: &Node,
    queue: &str,
    view: &QueueView<'_>,
    overview: &Overview<'_>,
    job: &Job,
) -> reply::Job {
    let snapshot = view.snapshot;
    let status = job_status(snapshot, job);
    let position = listed_jobs(snapshot)
        .iter()
        .position(|other| other.id == job.id);
    let reasons = if status.is_over() {
        Vec::new()
    } else {
        overview.why(job)
    };
    let waits = matches!(
        status,
        JobStatus::Draft
            | JobStatus::Held
            | JobStatus::CancelRequested
            | JobStatus::MoveRequested
            | JobStatus::Queued
            | JobStatus::Unknown
            | JobStatus::Failed
    );
    let first = match status {
        JobStatus::Failed => Some(no_copy_left(snapshot, job)),
        _ => first_reason(status, &reasons).filter(|_| waits),
    };
    let copies_done = snapshot
        .copies_of(job)
        .filter(|(_, state)| matches!(state, printmesh_queue::CopyState::Done(_)))
        .count() as u32;
    let tally = tally(snapshot, job);
    reply::Job {
        id: job.id.to_string(),
        unique_prefix: node.unique_prefix(job.id) as u32,
        queue: queue.to_owned(),
        position: position.map(|at| at as u32 + 1),
        name: job.name.clone(),
        state: status.word().to_owned(),
        reason: first.as_ref().map(|reason| reason.code().to_owned()),
        reason_text: first.as_ref().map(Reason::text),
        copies: job.copies,
        copies_done: if job.together {
            copies_done * job.copies
        } else {
            copies_done
        },
        certified: tally.certified,
        speculative: tally.speculative,
        surplus: tally.surplus,
        together: job.together,
        printers: job.printers.clone(),
        terms: equip::terms_reply(&job.terms),
        submitter: snapshot.host_name(job.submitter),
        created_at: rfc3339(job.created),
        sets: job
            .sets
            .iter()
            .map(|set| self::set(node, view, job, set))
            .collect(),
        claims: claims(node, view, job),
        why: reasons
            .into_iter()
            .map(|(id, reason)| why_row(node, queue, &id, job.id, reason))
            .collect(),
        requests: requests(node, view, job),
        // Worked out off the loop (`forecast.rs`).
        finish: None,
        moved_to: match job.state {
            JobState::Moved { to, .. } => Some(to.to_string()),
            JobState::Open | JobState::Cancelled { .. } => {
                job.origin.map(|origin| origin.to_string())
            }
        },
    }
}

fn requests(node: &Node, view: &QueueView<'_>, job: &Job) -> Vec<reply::JobRequest> {
    let asked = node.requests_about(view.id, job.id).into_iter();
    let rows = asked.map(|request| reply::JobRequest {
        kind: request.kind.to_owned(),
        by: view.snapshot.host_name(request.by),
        since: rfc3339(request.since),
        printer: request.printer.map(|printer| full_name(node, &printer)),
        waits_for: request.waits_for,
    });
    rows.collect()
}

fn set(node: &Node, view: &QueueView<'_>, job: &Job, set: &printmesh_queue::Set) -> reply::Set {
    let file = &set.spec.files[0];
    let path = |file: &FileSpec| {
        let path = node.import_path(job.id, set.id, file.hash);
        path.map(str::to_owned)
    };
    let alternative = |file: &FileSpec| reply::Alternative {
        file_name: file.name.clone(),
        hash: file.hash.to_string(),
        bytes: file.size,
        estimate_s: file.estimate_s,
        material: file.material.clone(),
        slicer: file.slicer.clone(),
        here: node.has_file(file.hash),
        path: path(file),
    };
    let others = set.spec.files.iter().skip(1);
    reply::Set {
        id: set.id.to_string(),
        file_name: file.name.clone(),
        hash: file.hash.to_string(),
        bytes: file.size,
        per_run: set.per_run,
        done: good_runs_of_set(view.snapshot, job, set.id),
        estimate_s: file.estimate_s,
        material: file.material.clone(),
        slicer: file.slicer.clone(),
        here: node.has_file(file.hash),
        path: path(file),
        alternatives: others.map(alternative).collect(),
    }
}

pub(super) fn claims(node: &Node, view: &QueueView<'_>, job: &Job) -> Vec<reply::Claim> {
    let snapshot = view.snapshot;
    let mut rows = Vec::new();
    for index in 0..job.units() {
        let copy = CopyId { job: job.id, index };
        let by_printers = snapshot
            .claims_of(copy)
            .filter(|claim| !claim.record.is_reopening());
        for claim in by_printers {
            let printer = PrinterId {
                host: claim.host,
                name: claim.record.printer.clone(),
            };
            let active = claim.record.state.is_active();
            let progress = node
                .progress_of(&printer)
                .filter(|p| active && p.copy == copy);
            rows.push(reply::Claim {
                copy: index + 1,
                attempt: claim.attempt + 1,
                host: snapshot.host_name(claim.host),
                printer: claim.record.printer.clone(),
                state: claim_word(claim.record.state).to_owned(),
                speculative: is_speculative(claim),
                credited_to: claim.record.credited_to.map(|index| index + 1),
                progress: progress.and_then(|progress| progress.fraction),
                left_s: progress.and_then(|progress| progress.left_s),
                note: note(job, claim, snapshot.is_lost(copy, claim.attempt)),
                at: rfc3339(claim.record.at),
            });
        }
    }
    rows
}

/// That the voters gave it up, what its printer said, or that it was made of the job as it was before somebody edited it.
pub(super) fn note(job: &Job, claim: &Claim, lost: bool) -> Option<String> {
    let state = claim.record.state;
    if lost && !state.is_over() {
        return Some(LOST.to_owned());
    }
    let made = state.is_begun() || state == ClaimState::Finished;
    let older = made && claim.record.spec_hash != job.spec_hash();
    let note = claim.record.note.clone();
    note.or_else(|| older.then(|| "of the job as it was before an edit".to_owned()))
}

pub(crate) fn history(
    node: &Node,
    queue: Option<&str>,
    printer: Option<&str>,
    limit: usize,
) -> Vec<reply::HistoryRow> {
    let rows = node.history().into_iter().filter(|row| {
        let full = format!("{}/{}", row.host_name, row.printer.name);
        queue.is_none_or(|queue| row.queue == queue)
            && printer.is_none_or(|printer| row.printer.name == printer || full == printer)
    });
    let limit = if limit == 0 { usize::MAX } else { limit };
    rows.take(limit)
        .map(|row| reply::HistoryRow {
            at: rfc3339(row.ended.unwrap_or(row.started)),
            queue: row.queue,
            job_id: row.job.to_string(),
            job: row.job_name,
            copy: row.copy + 1,
            file_name: row.file_name,
            host: row.host_name,
            printer: row.printer.name,
            result: match row.result {
                RunResult::Started => "started",
                RunResult::Ok => "ok",
                RunResult::Failed => "failed",
                RunResult::Aborted => "aborted",
                RunResult::Unknown => "unknown",
            }
            .to_owned(),
            note: row.note,
            took_s: row
                .ended
                .map(|ended: Timestamp| ended.seconds_since(row.started)),
        })
        .collect()
}
