//! Which of many reasons is said of a job as a whole.

use printmesh_queue::PrinterId;

use crate::{JobStatus, Reason};

/// Returns why a job as a whole waits, of what each printer says of it ([`Overview::why`](crate::Overview::why)): the reason that passes
/// soonest. `None` = every printer would take it.
pub fn first_reason(status: JobStatus, reasons: &[(PrinterId, Option<Reason>)]) -> Option<Reason> {
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
            waiting.sort_by_key(|reason| patience(reason));
            waiting.first().map(|reason| (*reason).clone())
        }
    }
}

/// Orders reasons by how soon they pass: the least is shown for the job as a whole.
fn patience(reason: &Reason) -> u8 {
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
        Reason::AutoprintOff | Reason::QueueAutoprintOff | Reason::PrinterPaused { .. } => 4,
        Reason::PrinterFault { .. } | Reason::PrinterOffline => 5,
        Reason::HostAway => 6,
        Reason::PinnedElsewhere
        | Reason::Role
        | Reason::NoSlicer { .. }
        | Reason::Model { .. }
        | Reason::Volume { .. }
        | Reason::Outside { .. }
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
