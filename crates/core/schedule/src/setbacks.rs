//! What keeps failing: a file on every printer, or a copy on one of them. Derived from the runs, so that all hosts
//! that read the same agree; nothing is paused, held or tried again here.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    Claim, CopyId, FileHash, FileSpec, HostId, Job, JobId, PrinterId, RunRecord, RunResult, SetId,
    Snapshot,
};

use crate::{Reason, file_for};

/// A file that failed on so many different printers, and never came out well, is not tried any further.
const PRINTERS_TO_BLAME_A_FILE: usize = 2;
/// So many failures in a row, of at least [`FILES_TO_BLAME_A_PRINTER`] different files, are the printer's fault.
const FAILURES_TO_BLAME_A_PRINTER: usize = 3;
/// See [`FAILURES_TO_BLAME_A_PRINTER`].
const FILES_TO_BLAME_A_PRINTER: usize = 2;

/// Returns the file that a printer has printed of a set, as far as can be told from what the printer is now.
pub fn file_of<'a>(
    snapshot: &'a Snapshot,
    job: JobId,
    set: SetId,
    printer: &PrinterId,
) -> Option<&'a FileSpec> {
    let job = snapshot.jobs.get(&job)?;
    let set = job.sets.iter().find(|other| other.id == set)?;
    match set.spec.files.as_slice() {
        [only] => Some(only),
        several => file_for(snapshot, job, set, printer).or(several.first()),
    }
}

/// Returns the files that failed on at least two different printers and never came out well.
///
/// Not counted is what failed on a printer that is set aside, and what a person asked to be tried again.
pub fn failing_files(snapshot: &Snapshot) -> BTreeSet<FileHash> {
    let mut failed: BTreeMap<FileHash, BTreeSet<(HostId, &str)>> = BTreeMap::new();
    for (copy, claim, run) in runs(snapshot) {
        if run.result != RunResult::Failed
            || snapshot.is_asked_again(copy, claim.attempt)
            || is_set_aside(snapshot, claim)
        {
            continue;
        }
        if let Some(file) = file_of(snapshot, copy.job, run.set, &printer_of(claim)) {
            let printers = failed.entry(file.hash).or_default();
            printers.insert((claim.host, &claim.record.printer));
        }
    }
    failed.retain(|_, printers| printers.len() >= PRINTERS_TO_BLAME_A_FILE);
    if failed.is_empty() {
        return BTreeSet::new();
    }
    for (copy, claim, run) in runs(snapshot) {
        if run.result == RunResult::Ok
            && let Some(file) = file_of(snapshot, copy.job, run.set, &printer_of(claim))
        {
            failed.remove(&file.hash);
        }
    }
    failed.into_keys().collect()
}

/// Returns whether these files, of prints that failed one after the other on one printer, show that it fails at
/// everything. Files that are known to fail everywhere say nothing about it.
pub fn fails_everything(row: &[FileHash], failing: &BTreeSet<FileHash>) -> bool {
    let own = || row.iter().filter(|file| !failing.contains(file));
    let different: BTreeSet<&FileHash> = own().collect();
    own().count() >= FAILURES_TO_BLAME_A_PRINTER && different.len() >= FILES_TO_BLAME_A_PRINTER
}

/// Returns how often this copy failed on this printer.
pub(crate) fn failures_on(snapshot: &Snapshot, copy: CopyId, printer: &PrinterId) -> usize {
    let failed = |claim: &&Claim| {
        let failed = |run: &RunRecord| run.result == RunResult::Failed;
        claim.host == printer.host
            && claim.record.printer == printer.name
            && claim.runs.values().any(failed)
    };
    snapshot.claims_of(copy).filter(failed).count()
}

/// Returns why a job waits for a person because of one of its files.
pub fn file_waits(job: &Job, failing: &BTreeSet<FileHash>) -> Option<Reason> {
    let mut files = job.sets.iter().flat_map(|set| &set.spec.files);
    let file = files.find(|file| failing.contains(&file.hash))?;
    Some(Reason::FileFails {
        file: file.name.clone(),
    })
}

/// Returns why a copy that failed is not tried again.
pub(crate) fn rests(snapshot: &Snapshot, copy: CopyId, last: &Claim) -> Reason {
    if last.was_stopped() {
        return Reason::CopyFailed;
    }
    let failed = |claim: &&Claim| {
        claim.record.state == printmesh_queue::ClaimState::Failed && !claim.record.speculative
    };
    Reason::RetriesExhausted {
        tries: snapshot.claims_of(copy).filter(failed).count(),
        why: last.record.note.clone().unwrap_or_default(),
    }
}

fn printer_of(claim: &Claim) -> PrinterId {
    PrinterId {
        host: claim.host,
        name: claim.record.printer.clone(),
    }
}

fn is_set_aside(snapshot: &Snapshot, claim: &Claim) -> bool {
    let record = snapshot.printers.get(&printer_of(claim));
    record.is_some_and(|record| record.set_aside)
}

fn runs(snapshot: &Snapshot) -> impl Iterator<Item = (CopyId, &Claim, &RunRecord)> {
    snapshot.claims.iter().flat_map(|(copy, claims)| {
        claims
            .values()
            .flat_map(move |claim| claim.runs.values().map(move |run| (*copy, claim, run)))
    })
}
