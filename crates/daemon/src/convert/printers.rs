//! Printers: what they are, do and hold.

use printmesh_api::reply;
use printmesh_node::{Node, QueueView};
use printmesh_queue::{Bed, ClaimState, Job, PrinterId};
use printmesh_schedule::{Overview, PrinterStatus, Reason};

use super::with_overviews;
use crate::equip;

pub(crate) fn printers(node: &Node) -> Vec<reply::Printer> {
    let ids = node.visible_printers();
    with_overviews(node, |seen| {
        ids.keys().map(|id| printer_in(node, seen, id)).collect()
    })
}

/// A printer may be in several queues: it is shown by the one in which it works, else by the first that has it.
pub(crate) fn printer(node: &Node, id: &PrinterId) -> reply::Printer {
    with_overviews(node, |seen| printer_in(node, seen, id))
}

pub(super) fn printer_in(
    node: &Node,
    seen: &[(QueueView<'_>, Overview<'_>)],
    id: &PrinterId,
) -> reply::Printer {
    type Shown<'a> = (
        u8,
        QueueView<'a>,
        &'a printmesh_queue::PrinterRecord,
        PrinterStatus<'a>,
    );
    let mut shown: Option<Shown<'_>> = None;
    for (view, overview) in seen {
        let Some(record) = view
            .snapshot
            .printers
            .get(id)
            .filter(|record| !record.removed)
        else {
            continue;
        };
        let status = overview.printer_status(id);
        let weight = match status {
            PrinterStatus::Working(..) => 6,
            PrinterStatus::NeedsPerson(_) => 5,
            PrinterStatus::Free => 4,
            // What keeps it from a job says more than that a queue has none.
            PrinterStatus::Waiting(Reason::QueueEmpty) => 1,
            PrinterStatus::Waiting(Reason::NoCopyLeft) => 2,
            PrinterStatus::Waiting(_) => 3,
            PrinterStatus::HostAway => 0,
        };
        if shown.as_ref().is_none_or(|(other, ..)| weight > *other) {
            shown = Some((weight, *view, record, status));
        }
    }
    let own = node
        .own_printers_view()
        .remove(id.name.as_str())
        .filter(|_| id.host == node.me());
    let Some((_, view, record, status)) = shown else {
        return bare_printer(node, id, own.as_ref());
    };
    let progress = node.progress_of(id);
    let (state, job, reason): (&str, Option<&Job>, Option<Reason>) = match status {
        PrinterStatus::HostAway => ("host-away", None, Some(Reason::HostAway)),
        PrinterStatus::Working(copy, claim) => {
            let word = match claim.record.state {
                ClaimState::Fetching => "fetching",
                ClaimState::Claimed | ClaimState::Staged => "claimed",
                _ if record.bed == Bed::Clear => "claimed",
                _ if own
                    .as_ref()
                    .is_some_and(|own| own.work.as_ref().is_some_and(|w| w.3 == "between")) =>
                {
                    "clear-bed"
                }
                _ => "printing",
            };
            let reason = (word == "clear-bed").then_some(Reason::BedNotClear);
            (word, view.snapshot.jobs.get(&copy.job), reason)
        }
        PrinterStatus::NeedsPerson(reason) => {
            let word = match reason {
                Reason::BedNotClear | Reason::NoBedTemperature { .. } => "clear-bed",
                Reason::VerdictAwaited => "verdict",
                Reason::BedUnknown => "unknown",
                _ => "fault",
            };
            (word, None, Some(reason))
        }
        PrinterStatus::Waiting(reason) => {
            let word = match reason {
                Reason::PrinterOffline => "offline",
                Reason::PrinterPaused { .. } => "paused",
                Reason::Cooling { .. } => "cooling",
                Reason::Clearing => "clearing",
                Reason::HeatSlot => "waits-to-heat",
                _ => "idle",
            };
            (word, None, Some(reason))
        }
        PrinterStatus::Free => ("idle", None, None),
    };
    let offline = own.as_ref().and_then(|own| own.offline_note.clone());
    reply::Printer {
        name: id.name.clone(),
        host: node.visible_host_name(id.host),
        mine: id.host == node.me(),
        cycle: own.as_ref().and_then(|own| equip::cycle(&own.cycle)),
        spool_note: own.as_ref().and_then(|own| own.spool_note.clone()),
        at: own.map(|own| own.at),
        state: state.to_owned(),
        bed: record.bed.word().to_owned(),
        autoprint: record.autoprint,
        paused: record.paused.clone(),
        job: job.map(|job| job.name.clone()),
        job_id: job.map(|job| job.id.to_string()),
        progress: progress
            .filter(|_| job.is_some())
            .and_then(|progress| progress.fraction),
        left_s: progress
            .filter(|_| job.is_some())
            .and_then(|progress| progress.left_s),
        reason_text: match (&reason, offline) {
            (Some(Reason::PrinterOffline), Some(note)) => Some(note),
            (Some(reason), _) => Some(reason.text()),
            (None, _) => None,
        },
        reason: reason.map(|reason| reason.code().to_owned()),
        firmware: record.machine.clone(),
        position: record.position + 1,
        equipment: equip::equipment(&record.equipment),
    }
}

/// A printer that no queue has announced yet.
fn bare_printer(
    node: &Node,
    id: &PrinterId,
    own: Option<&printmesh_node::OwnPrinter>,
) -> reply::Printer {
    reply::Printer {
        name: id.name.clone(),
        host: node.visible_host_name(id.host),
        mine: id.host == node.me(),
        cycle: own.and_then(|own| equip::cycle(&own.cycle)),
        spool_note: own.and_then(|own| own.spool_note.clone()),
        at: own.map(|own| own.at.clone()),
        state: if own.is_some_and(|own| own.online) {
            "idle"
        } else {
            "offline"
        }
        .to_owned(),
        bed: own.map_or(Bed::Unknown, |own| own.bed).word().to_owned(),
        autoprint: false,
        paused: None,
        job: None,
        job_id: None,
        progress: None,
        left_s: None,
        reason: None,
        reason_text: None,
        firmware: None,
        position: 0,
        equipment: reply::Equipment::default(),
    }
}
