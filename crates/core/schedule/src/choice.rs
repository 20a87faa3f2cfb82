//! What one printer takes: its row in the plan, or a copy of the one job that somebody asked for.

use printmesh_queue::{
    Bed, Between, CopyId, HostId, Job, JobId, JobState, PrinterId, PrinterRecord, Snapshot,
};

use crate::{
    Index, Planner, Presence, Reason, Without, index::Cursor, matching::same, setbacks::file_waits,
    wish::wish_waits,
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
/// Copies of one job are alike: those that are at home at a printer that is away come last, since it may be making them
/// without the voters.
pub fn open_copies<'a>(snapshot: &'a Snapshot, presence: &'a Presence) -> Vec<(&'a Job, OpenCopy)> {
    let index = Index::new(snapshot);
    let planner = Planner::new(snapshot, presence, &index);
    let walk = planner.walk(|_| true);
    walk.map(|(row, open)| (&snapshot.jobs[&index.rows[row].id], open))
        .collect()
}

/// Returns whether this host has an outcome of the attempt already, or is in the middle of it: it never claims it again.
pub(crate) fn had_its_turn(snapshot: &Snapshot, open: &OpenCopy, host: HostId) -> bool {
    let claims = snapshot.claims.get(&open.copy);
    let own = claims.and_then(|claims| claims.get(&(open.attempt, host)));
    own.is_some_and(|claim| claim.record.state.is_begun() || claim.record.state.is_over())
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
    let index = Index::new(snapshot);
    Planner::new(snapshot, presence, &index).waits(id, record)
}

/// Returns why the machine itself may not start, whatever job it is, where the queue has its printers start by themselves or not.
pub(crate) fn machine_waits(record: &PrinterRecord, autoprint: bool) -> Option<Reason> {
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
    if !autoprint {
        return Some(Reason::QueueAutoprintOff);
    }
    match (record.between, record.bed) {
        (Some(Between::Verdict), _) => Some(Reason::VerdictAwaited),
        (Some(Between::Heat), _) => Some(Reason::HeatSlot),
        (Some(Between::Clearing), _) => Some(Reason::Clearing),
        (Some(Between::Cooling(to_c)), _) => Some(Reason::Cooling { to_c }),
        (Some(Between::NoBedTemperature(to_c)), _) => Some(Reason::NoBedTemperature { to_c }),
        (Some(Between::Quiet(_)) | None, Bed::Occupied) => Some(Reason::BedNotClear),
        (Some(Between::Quiet(_)) | None, Bed::Unknown) => Some(Reason::BedUnknown),
        (Some(Between::Quiet(until)), Bed::Clear) => Some(Reason::QuietHours { until }),
        (None, Bed::Clear) => None,
    }
}

/// Returns whether a job may be printed by a printer, as far as the job says.
pub fn is_for(snapshot: &Snapshot, job: &Job, id: &PrinterId) -> bool {
    let mut pins = job.printers.iter();
    job.printers.is_empty() || pins.any(|pin| is_meant(snapshot, pin, id))
}

/// Returns whether a printer is one of those that a word names: `mk4`, `rack/mk4`, all of one `model:MK4S`, all with one
/// `tag:enclosure`. No printer's own name has a colon.
pub fn is_meant(snapshot: &Snapshot, pin: &str, id: &PrinterId) -> bool {
    let equipment = || snapshot.printers.get(id).map(|record| &record.equipment);
    if let Some(model) = pin.strip_prefix("model:") {
        let mut names = equipment()
            .into_iter()
            .flat_map(|has| [&has.model, &has.profile]);
        return names.any(|name| name.as_ref().is_some_and(|name| same(name, model)));
    }
    if let Some(tag) = pin.strip_prefix("tag:") {
        return equipment().is_some_and(|has| has.tags.iter().any(|own| same(own, tag)));
    }
    let own = |name: &str| name == id.name;
    let full = |(host, name)| own(name) && snapshot.host_name(id.host) == host;
    own(pin) || pin.rsplit_once('/').is_some_and(full)
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

/// Returns the copy that a printer should claim next and how many others come first, or why it waits: its row in the
/// [`plan`](crate::plan()).
///
/// # Errors
/// Why it waits.
pub fn turn(snapshot: &Snapshot, presence: &Presence, printer: &PrinterId) -> Result<Turn, Reason> {
    let index = Index::new(snapshot);
    Planner::new(snapshot, presence, &index).turn(printer)
}

/// Returns the copy of one job that a printer should claim because somebody asked for it, or why it does not.
///
/// The job goes before all others on this printer, parked or early as it may be; everything else that keeps a printer from
/// a job still does.
///
/// # Errors
/// Why it does not.
pub fn choose_of(
    snapshot: &Snapshot,
    presence: &Presence,
    printer: &PrinterId,
    job: &Job,
) -> Result<OpenCopy, Reason> {
    let index = Index::new(snapshot);
    Planner::new(snapshot, presence, &index).choose_of(printer, job)
}

impl Planner<'_> {
    /// The same as [`choose_of`], with an index that is there already.
    ///
    /// # Errors
    /// Why it does not.
    pub fn choose_of(&self, printer: &PrinterId, job: &Job) -> Result<OpenCopy, Reason> {
        let Self {
            snapshot,
            presence,
            index,
            ..
        } = self;
        if let Some(reason) = job_waits(job)
            .or_else(|| wish_waits(snapshot, job))
            .or_else(|| file_waits(job, &index.failing))
        {
            return Err(reason);
        }
        let record = snapshot
            .printers
            .get(printer)
            .filter(|record| !record.removed)
            .ok_or(Reason::NoPrinter)?;
        if let Some(reason) = self
            .misfit(job, printer)
            .or_else(|| self.waits(printer, record))
        {
            return Err(reason);
        }
        let mut contended = false;
        let row = index.of(job.id).ok_or(Reason::NotQueued)?;
        let mut cursor = Cursor::new(row);
        let open = std::iter::from_fn(|| cursor.next(row)).find_map(|(at, mark)| {
            let copy = CopyId {
                job: job.id,
                index: at,
            };
            let attempt = self.claimable(copy, mark)?;
            let open = OpenCopy { copy, attempt };
            let refused = presence.refused.contains(&(copy, attempt));
            contended |= refused;
            (!refused && !had_its_turn(snapshot, &open, printer.host)).then_some(open)
        });
        match open {
            None if contended => Err(Reason::Contended),
            None => Err(Reason::NoCopyLeft),
            Some(_) if !presence.has_quorum(&snapshot.voters) => {
                Err(voters_away(self, printer, Some(job.id)))
            }
            Some(open) => Ok(open),
        }
    }
}

/// Who is missing, and when the printer goes on without them; about one job when asked so.
pub(crate) fn voters_away(
    planner: &Planner<'_>,
    printer: &PrinterId,
    only: Option<JobId>,
) -> Reason {
    let snapshot = planner.snapshot;
    let presence = planner.presence;
    let voters = snapshot.voters.hosts.iter();
    let missing = voters.filter(|host| !presence.votes(**host));
    let (mute, away): (Vec<HostId>, Vec<HostId>) =
        missing.partition(|host| presence.reachable.contains(host));
    let names = |hosts: Vec<HostId>| {
        let names: Vec<String> = hosts.iter().map(|host| snapshot.host_name(*host)).collect();
        names.join(", ")
    };
    let without = planner.without(printer, only);
    Reason::VotersAway {
        names: names(away),
        mute: names(mute),
        without: without.err().unwrap_or(Without::Now),
    }
}
