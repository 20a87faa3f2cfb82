//! The next copy for a printer: in order, whole copies, each free printer its own line of the list.

use std::{cmp::Reverse, collections::BinaryHeap, rc::Rc};

use printmesh_queue::{
    Bed, CopyId, CopyState, HostId, Job, JobId, JobState, Level, PrinterId, PrinterRecord, Rank,
    Role, Snapshot,
};

use crate::{
    Presence, Reason, Without,
    delegate::{Homes, choose_without},
    presence::Busy,
    setbacks::{failing_files, failures_on, file_waits},
    wish::{wanted_out, wish_waits},
};

/// A copy that may be claimed, with the attempt to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCopy {
    /// The copy.
    pub copy: CopyId,
    /// Attempt to claim.
    pub attempt: u32,
}

/// A copy that a printer may claim, and how long it lets others go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The copy.
    pub open: OpenCopy,
    /// Free printers that come before it for this copy; 0 = it is this printer's own line of the list.
    pub rank: u32,
}

/// Returns every copy of the queue that may be claimed now, in the order in which they print.
///
/// Jobs are sorted as far as the caller reads: mostly only the first ones matter. Copies of one job are alike: those that
/// are at home at a printer that is away come last, since it may be making them without the voters.
pub fn open_copies<'a>(
    snapshot: &'a Snapshot,
    presence: &'a Presence,
) -> impl Iterator<Item = (&'a Job, OpenCopy)> + 'a {
    let wanted_out = wanted_out(snapshot);
    let failing = failing_files(snapshot);
    let offered = snapshot
        .jobs
        .values()
        .filter(|job| job_waits(job).is_none() && !wanted_out.contains(&job.id))
        .filter(move |job| file_waits(job, &failing).is_none());
    let mut jobs: BinaryHeap<Reverse<(&Rank, JobId)>> =
        offered.map(|job| Reverse((&job.rank, job.id))).collect();
    let is_away = |host: HostId| !presence.reachable.contains(&host);
    let homes = Some(Homes::new(snapshot))
        .filter(|_| snapshot.settings.claims == Level::Available)
        .filter(|homes| homes.any_at(is_away))
        .map(Rc::new);
    std::iter::from_fn(move || jobs.pop())
        .map(|Reverse((_, id))| &snapshot.jobs[&id])
        .flat_map(move |job| {
            let homes = homes.clone().filter(|_| job.units() > 1);
            let others = homes.clone();
            let at_home_away = move |homes: &Homes<'_>, copy| {
                let home = homes.of(job, copy);
                home.is_some_and(|home| is_away(home.host))
            };
            let open = move |(copy, state)| {
                let attempt = claimable(copy, state, presence)?;
                Some((job, OpenCopy { copy, attempt }))
            };
            let first = snapshot
                .copies_of(job)
                .filter_map(open)
                .filter(move |(_, open)| {
                    let homes = homes.as_ref();
                    homes.is_none_or(|homes| !at_home_away(homes, open.copy))
                });
            let rest = others.into_iter().flat_map(move |homes| {
                snapshot
                    .copies_of(job)
                    .filter_map(open)
                    .filter(move |(_, open)| at_home_away(&homes, open.copy))
            });
            first.chain(rest)
        })
}

/// Returns whether this host has an outcome of the attempt already, or is in the middle of it: it never claims it again.
pub(crate) fn had_its_turn(snapshot: &Snapshot, open: &OpenCopy, host: HostId) -> bool {
    let claims = snapshot.claims.get(&open.copy);
    let own = claims.and_then(|claims| claims.get(&(open.attempt, host)));
    own.is_some_and(|claim| claim.record.state.is_begun() || claim.record.state.is_over())
}

fn claimable(copy: CopyId, state: CopyState<'_>, presence: &Presence) -> Option<u32> {
    match state {
        CopyState::Open(attempt) => {
            (!presence.claiming.contains(&(copy, attempt))).then_some(attempt)
        }
        CopyState::Claimed(claim) => {
            let unit = (copy, claim.attempt);
            let lapsed = presence.lapsed.contains(&unit);
            // Its own printer waits for voters that are away, and may go on without them.
            let waits = claim.host == presence.me
                && presence.set_aside.contains_key(&unit)
                && presence.voters_away_ms.is_some();
            (lapsed || waits).then_some(claim.attempt)
        }
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

/// Returns whether a job may be printed by a printer, as far as the job says.
pub(crate) fn is_for(snapshot: &Snapshot, job: &Job, id: &PrinterId) -> bool {
    let is_named = |pin: &String| {
        let own = |name: &str| name == id.name;
        own(pin)
            || pin
                .rsplit_once('/')
                .is_some_and(|(host, name)| own(name) && snapshot.host_name(id.host) == host)
    };
    job.printers.is_empty() || job.printers.iter().any(is_named)
}

/// Returns why a job may not be printed by a printer at all.
pub(crate) fn fits(
    snapshot: &Snapshot,
    presence: &Presence,
    job: &Job,
    id: &PrinterId,
) -> Option<Reason> {
    if !is_for(snapshot, job, id) {
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

/// Returns the copy that a printer should claim next, or why it waits. It may be for others to go first: see [`turn`].
///
/// # Errors
/// Why it waits.
pub fn choose(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
) -> Result<OpenCopy, Reason> {
    turn(snapshot, presence, printer).map(|turn| turn.open)
}

/// Returns the copy that a printer should claim next and how many others come first, or why it waits.
///
/// Each copy, in order, goes to the first free printer that may print it: printers that see the same snapshot pick
/// different copies, so that claims are seldom contended and nobody has to wait to find out. A printer for which
/// that leaves nothing comes after those for the first copy that it may print: the one in front of it may be unable to.
///
/// A copy that failed on a printer goes to any other free one first; one that failed there twice waits for another one
/// that could make it, so that one bad printer does not use up all its tries.
///
/// # Errors
/// Why it waits.
pub fn turn(snapshot: &Snapshot, presence: &Presence, printer: &PrinterId) -> Result<Turn, Reason> {
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
    let dealt = deal(snapshot, presence, printer, |_, _| true);
    if dealt.turn.is_some() || dealt.contended {
        if !presence.has_quorum(&snapshot.voters) {
            return Err(voters_away(snapshot, presence, printer, None));
        }
        return dealt.turn.ok_or(Reason::Contended);
    }
    if dealt.failed_here {
        return Err(Reason::FailedHere);
    }
    let mut jobs = snapshot.jobs.values();
    let any_open = jobs.any(|job| job.state == JobState::Open);
    Err(if any_open {
        Reason::NoCopyLeft
    } else {
        Reason::QueueEmpty
    })
}

/// Every free printer in the order in which they are dealt copies.
pub(crate) fn free_printers<'a>(
    snapshot: &'a Snapshot,
    presence: &Presence,
) -> Vec<(u32, &'a PrinterId)> {
    let busy = presence.busy_in(snapshot);
    let mut free: Vec<(u32, &PrinterId)> = snapshot
        .present_printers()
        .filter(|(id, record)| waits(snapshot, presence, &busy, id, record).is_none())
        .map(|(id, record)| (record.position, id))
        .collect();
    free.sort();
    free
}

/// What dealing the open copies to the free printers leaves one of them.
pub(crate) struct Dealt {
    pub(crate) turn: Option<Turn>,
    /// The voters gave something that it could print to somebody else a moment ago.
    pub(crate) contended: bool,
    /// What it could print failed on it, and another one is free.
    pub(crate) failed_here: bool,
}

/// Whether a copy that failed twice on a printer waits for another one, on which it failed less often: that is at work, or
/// needs no more than a clear bed.
fn another_could(
    snapshot: &Snapshot,
    presence: &Presence,
    job: &Job,
    open: &OpenCopy,
    printer: &PrinterId,
) -> bool {
    let failures = failures_on(snapshot, open.copy, printer);
    if failures < 2 {
        return false;
    }
    let busy = presence.busy_in(snapshot);
    snapshot.present_printers().any(|(id, record)| {
        let soon = match waits(snapshot, presence, &busy, id, record) {
            None | Some(Reason::Busy | Reason::BedNotClear | Reason::BedUnknown) => true,
            Some(_) => false,
        };
        soon && id != printer
            && fits(snapshot, presence, job, id).is_none()
            && !had_its_turn(snapshot, open, id.host)
            && failures_on(snapshot, open.copy, id) < failures
    })
}

/// Deals the copies that are offered to the free printers, as seen by one of them.
pub(crate) fn deal(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
    mut offered: impl FnMut(&Job, &OpenCopy) -> bool,
) -> Dealt {
    let mut free = free_printers(snapshot, presence);
    let mut dealt = Dealt {
        turn: None,
        contended: false,
        failed_here: false,
    };
    // The first copy that another one was dealt and that this one could print as well.
    let mut after: Option<(&Job, OpenCopy)> = None;
    let mut had_line = false;
    for (job, open) in open_copies(snapshot, presence) {
        if !offered(job, &open) {
            continue;
        }
        let can = |id: &PrinterId| {
            fits(snapshot, presence, job, id).is_none() && !had_its_turn(snapshot, &open, id.host)
        };
        let fitting = can(printer);
        let refused = presence.refused.contains(&(open.copy, open.attempt));
        dealt.contended |= fitting && refused;
        let mine = fitting && !refused;
        let failed = |id: &PrinterId| failures_on(snapshot, open.copy, id) > 0;
        // A copy that was refused stays this printer's line: whoever has it, the others keep theirs.
        let unburnt = free.iter().position(|(_, id)| can(id) && !failed(id));
        let gives_up = |id: &PrinterId| another_could(snapshot, presence, job, &open, id);
        let again = |id: &PrinterId| can(id) && !gives_up(id);
        let taker = unburnt.or_else(|| free.iter().position(|(_, id)| again(id)));
        let leaves_it = mine && failed(printer) && (unburnt.is_some() || gives_up(printer));
        dealt.failed_here |= leaves_it;
        match taker.map(|taker| free.remove(taker)) {
            Some((_, id)) if id == printer => {
                had_line = true;
                if mine {
                    dealt.turn = Some(Turn { open, rank: 0 });
                    return dealt;
                }
            }
            None if mine && had_line => {
                dealt.turn = Some(Turn { open, rank: 0 });
                return dealt;
            }
            Some(_) | None => {
                if mine && !leaves_it && after.is_none() {
                    after = Some((job, open));
                }
            }
        }
    }
    dealt.turn = after.map(|(job, open)| {
        let left = free
            .iter()
            .take_while(|(_, id)| *id != printer)
            .filter(|(_, id)| fits(snapshot, presence, job, id).is_none());
        Turn {
            open,
            rank: 1 + left.count() as u32,
        }
    });
    dealt
}

/// Returns the copy of one job that a printer should claim because somebody asked for it, or why it does not.
///
/// The job goes before all others on this printer; everything else that keeps a printer from a job still does.
pub fn choose_of(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
    job: &Job,
) -> Result<OpenCopy, Reason> {
    if let Some(reason) = job_waits(job)
        .or_else(|| wish_waits(snapshot, job))
        .or_else(|| file_waits(job, &failing_files(snapshot)))
    {
        return Err(reason);
    }
    let record = snapshot
        .printers
        .get(printer)
        .filter(|record| !record.removed)
        .ok_or(Reason::NoPrinter)?;
    if let Some(reason) = fits(snapshot, presence, job, printer)
        .or_else(|| printer_waits(snapshot, presence, printer, record))
    {
        return Err(reason);
    }
    let mut contended = false;
    let open = snapshot.copies_of(job).find_map(|(copy, state)| {
        let attempt = claimable(copy, state, presence)?;
        let open = OpenCopy { copy, attempt };
        let refused = presence.refused.contains(&(copy, attempt));
        contended |= refused;
        (!refused && !had_its_turn(snapshot, &open, printer.host)).then_some(open)
    });
    match open {
        None if contended => Err(Reason::Contended),
        None => Err(Reason::NoCopyLeft),
        Some(_) if !presence.has_quorum(&snapshot.voters) => {
            Err(voters_away(snapshot, presence, printer, Some(job.id)))
        }
        Some(open) => Ok(open),
    }
}

/// Who is missing, and when the printer goes on without them; about one job when asked so.
pub(crate) fn voters_away(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
    only: Option<JobId>,
) -> Reason {
    let away = snapshot
        .voters
        .hosts
        .iter()
        .filter(|host| !presence.votes(**host));
    let names: Vec<String> = away.map(|host| snapshot.host_name(*host)).collect();
    let without = choose_without(snapshot, presence, printer, only);
    Reason::VotersAway {
        names: names.join(", "),
        without: without.err().unwrap_or(Without::Now),
    }
}
