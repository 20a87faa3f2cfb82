//! The next copy for a printer: in order, whole copies, each free printer its own line of the list.

use std::{cmp::Reverse, collections::BinaryHeap};

use printmesh_queue::{
    Bed, CopyId, CopyState, Job, JobId, JobState, PrinterId, PrinterRecord, Rank, Role, Snapshot,
};

use crate::{Presence, Reason, presence::Busy};

/// A copy that may be claimed, with the attempt to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCopy {
    /// The copy.
    pub copy: CopyId,
    /// Attempt to claim.
    pub attempt: u32,
}

/// Returns every copy of the queue that may be claimed now, in the order in which they print.
///
/// Jobs are sorted as far as the caller reads: mostly only the first ones matter.
pub fn open_copies<'a>(
    snapshot: &'a Snapshot,
    presence: &'a Presence,
) -> impl Iterator<Item = (&'a Job, OpenCopy)> + 'a {
    let offered = snapshot
        .jobs
        .values()
        .filter(|job| job_waits(job).is_none());
    let mut jobs: BinaryHeap<Reverse<(&Rank, JobId)>> =
        offered.map(|job| Reverse((&job.rank, job.id))).collect();
    std::iter::from_fn(move || jobs.pop())
        .map(|Reverse((_, id))| &snapshot.jobs[&id])
        .flat_map(move |job| {
            snapshot.copies_of(job).filter_map(move |(copy, state)| {
                let attempt = claimable(copy, state, presence)?;
                Some((job, OpenCopy { copy, attempt }))
            })
        })
}

fn claimable(copy: CopyId, state: CopyState<'_>, presence: &Presence) -> Option<u32> {
    match state {
        CopyState::Open(attempt) => Some(attempt),
        CopyState::Claimed(claim) => presence
            .lapsed
            .contains(&(copy, claim.attempt))
            .then_some(claim.attempt),
        CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => None,
    }
}

/// Returns why a job as a whole is not offered to printers; `None` when it is.
pub(crate) fn job_waits(job: &Job) -> Option<Reason> {
    if job.state != JobState::Open {
        Some(Reason::NotQueued)
    } else if job.draft {
        Some(Reason::Draft)
    } else if job.held {
        Some(Reason::Held)
    } else {
        None
    }
}

/// Returns why a printer takes nothing right now; `None` when it is free.
pub fn printer_waits(
    snapshot: &Snapshot,
    presence: &Presence,
    id: &PrinterId,
    record: &PrinterRecord,
) -> Option<Reason> {
    waits(snapshot, presence, &presence.busy_in(snapshot), id, record)
}

fn waits(
    snapshot: &Snapshot,
    presence: &Presence,
    busy: &Busy<'_>,
    id: &PrinterId,
    record: &PrinterRecord,
) -> Option<Reason> {
    if !presence.reachable.contains(&id.host) {
        return Some(Reason::HostAway);
    }
    if snapshot
        .members
        .get(&id.host)
        .is_none_or(|member| member.certificate.role < Role::Printer)
    {
        return Some(Reason::Role);
    }
    if busy.contains(&(id.host, id.name.as_str())) {
        return Some(Reason::Busy);
    }
    machine_waits(record)
}

/// Returns why the machine itself may not start, whatever the queue says.
pub(crate) fn machine_waits(record: &PrinterRecord) -> Option<Reason> {
    if let Some(fault) = &record.fault {
        return Some(Reason::PrinterFault {
            fault: fault.clone(),
        });
    }
    if !record.online {
        return Some(Reason::PrinterOffline);
    }
    if let Some(reason) = &record.paused {
        return Some(Reason::PrinterPaused {
            reason: reason.clone(),
        });
    }
    if !record.autoprint {
        return Some(Reason::AutoprintOff);
    }
    match record.bed {
        Bed::Clear => None,
        Bed::Occupied => Some(Reason::BedNotClear),
        Bed::Unknown => Some(Reason::BedUnknown),
    }
}

/// Returns why a job may not be printed by a printer at all.
pub(crate) fn fits(
    snapshot: &Snapshot,
    presence: &Presence,
    job: &Job,
    id: &PrinterId,
) -> Option<Reason> {
    let is_named = |pin: &String| {
        let own = |name: &str| name == id.name;
        own(pin)
            || pin
                .rsplit_once('/')
                .is_some_and(|(host, name)| own(name) && snapshot.host_name(id.host) == host)
    };
    if !job.printers.is_empty() && !job.printers.iter().any(is_named) {
        return Some(Reason::PinnedElsewhere);
    }
    // Only this host knows what it could not fetch; for the printers of others it does not guess.
    if id.host != presence.me {
        return None;
    }
    presence.missing_file(job).map(|file| Reason::FileMissing {
        file: file.to_owned(),
    })
}

/// Returns the copy that a printer should claim next, or why it waits.
///
/// Each copy, in order, goes to the first free printer that may print it: printers that see the same snapshot pick
/// different copies, so that claims are seldom contended and nobody has to wait to find out. A printer for which
/// that leaves nothing asks for the first copy that it may print: the one in front of it may be unable to.
pub fn choose(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
) -> Result<OpenCopy, Reason> {
    if snapshot.voters.hosts.is_empty() {
        return Err(Reason::NotSynced);
    }
    let record = snapshot
        .printers
        .get(printer)
        .filter(|record| !record.removed)
        .ok_or(Reason::NoPrinter)?;
    let busy = presence.busy_in(snapshot);
    if let Some(reason) = waits(snapshot, presence, &busy, printer, record) {
        return Err(reason);
    }
    let mut free: Vec<(u32, &PrinterId)> = snapshot
        .present_printers()
        .filter(|(id, record)| waits(snapshot, presence, &busy, id, record).is_none())
        .map(|(id, record)| (record.position, id))
        .collect();
    free.sort();
    let refused = |open: &OpenCopy| presence.refused.contains(&(open.copy, open.attempt));
    let mut fallback: Option<OpenCopy> = None;
    let mut contended = false;
    for (job, open) in open_copies(snapshot, presence) {
        let fitting = fits(snapshot, presence, job, printer).is_none();
        contended |= fitting && refused(&open);
        let mine = fitting && !refused(&open);
        let taker = free.iter().position(|(_, id)| {
            if *id == printer {
                mine
            } else {
                fits(snapshot, presence, job, id).is_none()
            }
        });
        if mine && fallback.is_none() {
            fallback = Some(open);
        }
        if let Some(taker) = taker {
            let (_, id) = free.remove(taker);
            if id == printer {
                fallback = Some(open);
                break;
            }
        }
    }
    if fallback.is_some() || contended {
        if !presence.has_quorum(&snapshot.voters) {
            return Err(voters_away(snapshot, presence));
        }
        return fallback.ok_or(Reason::Contended);
    }
    let mut jobs = snapshot.jobs.values();
    let any_open = jobs.any(|job| job.state == JobState::Open);
    Err(if any_open {
        Reason::NoCopyLeft
    } else {
        Reason::QueueEmpty
    })
}

pub(crate) fn voters_away(snapshot: &Snapshot, presence: &Presence) -> Reason {
    let away = snapshot
        .voters
        .hosts
        .iter()
        .filter(|host| !presence.reachable.contains(host));
    let names: Vec<String> = away.map(|host| snapshot.host_name(*host)).collect();
    Reason::VotersAway {
        names: names.join(", "),
    }
}
