//! Why a job waits and a printer does nothing, with the command that helps.

use printmesh_api::reply;
use printmesh_node::Node;
use printmesh_queue::{JobId, PrinterId};
use printmesh_schedule::{Index, JobStatus, Overview, Reason};

use super::{full_name, presence, printers::printer};
use crate::todo::quoted;

pub(super) fn first_reason(
    status: JobStatus,
    reasons: &[(PrinterId, Option<Reason>)],
) -> Option<Reason> {
    match status {
        JobStatus::Draft => Some(Reason::Draft),
        JobStatus::Held => Some(Reason::Held),
        JobStatus::Unknown => Some(Reason::CopyUnknown),
        _ if reasons.is_empty() => Some(Reason::NoPrinter),
        // A printer that is free claims at once; until then the most hopeful printer says why it waits.
        _ => {
            let mut waiting: Vec<&Reason> = reasons
                .iter()
                .filter_map(|(_, reason)| reason.as_ref())
                .collect();
            waiting.sort_by_key(|reason| hope(reason));
            waiting.first().map(|reason| (*reason).clone())
        }
    }
}

/// Orders reasons by how soon they pass: the least is shown for the job as a whole.
fn hope(reason: &Reason) -> u8 {
    match reason {
        Reason::VotersAway { .. } | Reason::NotSynced => 0,
        Reason::FileMissing { .. } | Reason::SliceFailed { .. } => 1,
        Reason::NotBefore { .. } | Reason::Backburner => 1,
        Reason::FailedHere | Reason::Busy | Reason::QueueOrder { .. } | Reason::Contended => 2,
        Reason::NeverSkip { .. } | Reason::NothingFits { .. } => 3,
        Reason::Cooling { .. } | Reason::Clearing | Reason::HeatSlot => 2,
        Reason::BedNotClear
        | Reason::BedUnknown
        | Reason::NoBedTemperature { .. }
        | Reason::VerdictAwaited
        | Reason::QuietHours { .. } => 3,
        Reason::Material { .. }
        | Reason::Color { .. }
        | Reason::Amount { .. }
        | Reason::SlotUnknown { .. }
        | Reason::Nozzle { .. }
        | Reason::NozzleSoft
        | Reason::ModelUnknown { .. } => 4,
        Reason::AutoprintOff | Reason::PrinterPaused { .. } => 4,
        Reason::PrinterFault { .. } | Reason::PrinterOffline => 5,
        Reason::HostAway => 6,
        Reason::PinnedElsewhere
        | Reason::Role
        | Reason::NoSlicer { .. }
        | Reason::Model { .. }
        | Reason::Volume { .. }
        | Reason::Temperature { .. }
        | Reason::NotAccepted
        | Reason::Tags { .. } => 7,
        Reason::Draft
        | Reason::Held
        | Reason::CancelRequested { .. }
        | Reason::MoveRequested { .. }
        | Reason::NotQueued
        | Reason::NoCopyLeft
        | Reason::CopyFailed
        | Reason::RetriesExhausted { .. }
        | Reason::FileFails { .. }
        | Reason::CopyUnknown
        | Reason::NoPrinter
        | Reason::QueueEmpty => 8,
    }
}

pub(super) fn why_row(
    node: &Node,
    id: &PrinterId,
    job: JobId,
    reason: Option<Reason>,
) -> reply::Why {
    let fix = reason.as_ref().and_then(|reason| {
        let of_job = of_job(job, reason);
        of_job.or_else(|| Some(typed_there(node, id, of_printer(&id.name, reason)?)))
    });
    reply::Why {
        printer: full_name(node, id),
        code: reason.as_ref().map_or("free", Reason::code).to_owned(),
        text: reason.map_or_else(|| "free".to_owned(), |reason| reason.text()),
        fix,
    }
}

/// A printer is told things on its own host.
fn typed_there(node: &Node, id: &PrinterId, command: String) -> String {
    if id.host == node.me() {
        command
    } else {
        format!("on {}: {command}", node.visible_host_name(id.host))
    }
}

/// The command that changes what a job waits for, on any host.
fn of_job(job: JobId, reason: &Reason) -> Option<String> {
    let job = job.to_string();
    let job = job.get(..12).unwrap_or(&job);
    if matches!(reason, Reason::Held | Reason::Draft) {
        Some(format!("printmesh job release {job}"))
    } else if matches!(reason, Reason::CopyFailed | Reason::RetriesExhausted { .. }) {
        Some(format!("printmesh job resolve {job} --retry"))
    } else {
        None
    }
}

/// The command that changes what a printer waits for.
fn of_printer(name: &str, reason: &Reason) -> Option<String> {
    Some(match reason {
        Reason::BedNotClear
        | Reason::BedUnknown
        | Reason::NoBedTemperature { .. }
        | Reason::PrinterFault { .. } => format!("printmesh printer ready {name}"),
        Reason::VerdictAwaited => format!("printmesh printer ready {name} --good"),
        Reason::AutoprintOff => format!("printmesh autoprint on {name}"),
        Reason::PrinterPaused { .. } => format!("printmesh printer resume {name}"),
        Reason::Material { slot, needs, .. } => {
            let said = quoted(&format!("{slot}={needs}"));
            format!("printmesh printer load {name} {said}")
        }
        Reason::SlotUnknown { slot } => {
            format!("printmesh printer load {name} {slot}=MATERIAL")
        }
        Reason::Color { slot, needs, .. } => {
            let said = quoted(&format!("{slot}=MATERIAL/{needs}"));
            format!("printmesh printer load {name} {said}")
        }
        Reason::Amount { slot, needs_mg, .. } => format!(
            "printmesh printer load {name} {slot}=MATERIAL:GRAMSg (at least {} g)",
            needs_mg.div_ceil(1000)
        ),
        Reason::Nozzle { needs_um, .. } => format!(
            "printmesh printer nozzle {name} {}",
            f64::from(*needs_um) / 1000.0
        ),
        Reason::NozzleSoft => format!("printmesh printer nozzle {name} --hardened"),
        // Which model it is nobody knows but who stands before it.
        Reason::ModelUnknown { .. } => format!("printmesh printer edit {name} --model MODEL"),
        Reason::Tags { missing } => {
            let tags = missing.split(", ");
            let tags = tags.map(|tag| format!(" --tag {}", quoted(tag)));
            format!("printmesh printer edit {name}{}", tags.collect::<String>())
        }
        Reason::NeverSkip { because, .. } | Reason::NothingFits { because, .. } => {
            return of_printer(name, because);
        }
        Reason::Cooling { .. }
        | Reason::Clearing
        | Reason::HeatSlot
        | Reason::QuietHours { .. }
        | Reason::Draft
        | Reason::Held
        | Reason::CancelRequested { .. }
        | Reason::MoveRequested { .. }
        | Reason::NotQueued
        | Reason::NoCopyLeft
        | Reason::CopyFailed
        | Reason::RetriesExhausted { .. }
        | Reason::FileFails { .. }
        | Reason::FailedHere
        | Reason::CopyUnknown
        | Reason::PinnedElsewhere
        | Reason::QueueOrder { .. }
        | Reason::Busy
        | Reason::PrinterOffline
        | Reason::HostAway
        | Reason::Role
        | Reason::VotersAway { .. }
        | Reason::Contended
        | Reason::FileMissing { .. }
        | Reason::NoSlicer { .. }
        | Reason::SliceFailed { .. }
        | Reason::NotBefore { .. }
        | Reason::Backburner
        | Reason::Model { .. }
        | Reason::Volume { .. }
        | Reason::Temperature { .. }
        | Reason::NotAccepted
        | Reason::NoPrinter
        | Reason::QueueEmpty
        | Reason::NotSynced => return None,
    })
}

/// Each job that waits, of every queue that has the printer, and why it does or does not take it.
pub(crate) fn printer_why(node: &Node, id: &PrinterId) -> reply::PrinterWhy {
    let mut jobs = Vec::new();
    for (queue, view) in node.queues() {
        let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
        let overview = Overview::new(view.snapshot, &presence, &index);
        for (job, reason) in overview.why_printer(id) {
            let row = why_row(node, id, job, reason);
            jobs.push(reply::JobWhy {
                job_id: job.to_string(),
                job: view.snapshot.jobs[&job].name.clone(),
                queue: queue.clone(),
                code: row.code,
                text: row.text,
                fix: row.fix,
            });
        }
    }
    reply::PrinterWhy {
        printer: printer(node, id),
        jobs,
    }
}
