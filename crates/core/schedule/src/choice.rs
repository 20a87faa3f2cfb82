//! The next copy for a printer: in order, whole copies, each free printer its own line of the list.

use printmesh_queue::{
    Bed, CopyId, CopyState, Job, JobState, PrinterId, PrinterRecord, Role, Snapshot,
};

use crate::{Presence, Reason};

/// A copy that may be claimed, with the attempt to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCopy {
    /// The copy.
    pub copy: CopyId,
    /// Attempt to claim.
    pub attempt: u32,
}

/// Returns every copy of the queue that may be claimed now, in the order in which they print.
pub fn open_copies<'a>(
    snapshot: &'a Snapshot,
    presence: &'a Presence,
) -> impl Iterator<Item = (&'a Job, OpenCopy)> + 'a {
    snapshot
        .jobs_in_order()
        .into_iter()
        .filter(|job| job_waits(job).is_none())
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
    if presence.is_busy(snapshot, id) {
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

/// Returns whether a job may be printed by a printer at all.
pub(crate) fn fits(
    snapshot: &Snapshot,
    presence: &Presence,
    job: &Job,
    id: &PrinterId,
) -> Option<Reason> {
    let full = format!("{}/{}", snapshot.host_name(id.host), id.name);
    let named = job.printers.is_empty()
        || job
            .printers
            .iter()
            .any(|pin| *pin == id.name || *pin == full);
    if !named {
        return Some(Reason::PinnedElsewhere);
    }
    // Only this host knows what it could not fetch; for the printers of others it does not guess.
    let missing = presence
        .missing_file(job)
        .filter(|_| id.host == presence.me);
    missing.map(|file| Reason::FileMissing {
        file: file.to_owned(),
    })
}

/// Returns the copy that a printer should claim next, or why it waits.
///
/// Free printers that see the same snapshot pick different copies: each takes the copy at its own place in the
/// list of free printers, so that claims are seldom contended and nobody has to wait to find out.
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
    if let Some(reason) = printer_waits(snapshot, presence, printer, record) {
        return Err(reason);
    }
    let fitting: Vec<OpenCopy> = open_copies(snapshot, presence)
        .filter(|(job, _)| fits(snapshot, presence, job, printer).is_none())
        .map(|(_, open)| open)
        .collect();
    if fitting.is_empty() {
        let any_open = snapshot
            .jobs
            .values()
            .any(|job| job.state == JobState::Open);
        return Err(if any_open {
            Reason::NoCopyLeft
        } else {
            Reason::QueueEmpty
        });
    }
    if !presence.has_quorum(&snapshot.voters) {
        return Err(voters_away(snapshot, presence));
    }
    let mut free: Vec<(u32, &PrinterId)> = snapshot
        .present_printers()
        .filter(|(id, record)| printer_waits(snapshot, presence, id, record).is_none())
        .map(|(id, record)| (record.position, id))
        .collect();
    free.sort();
    let place = free.iter().position(|(_, id)| *id == printer).unwrap_or(0);
    let allowed = |open: &&OpenCopy| !presence.refused.contains(&(open.copy, open.attempt));
    let start = place.min(fitting.len() - 1);
    fitting[start..]
        .iter()
        .find(allowed)
        .or_else(|| fitting[..start].iter().find(allowed))
        .copied()
        .ok_or(Reason::Contended)
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
