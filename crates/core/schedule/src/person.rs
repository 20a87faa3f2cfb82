//! Which reasons a person must act on: whatever passes by itself is none, nor what a person wanted so.

use printmesh_queue::PrinterId;

use crate::{
    Planner, Reason, Turn,
    choice::machine_waits,
    index::{Row, Seat},
};

impl Reason {
    /// Returns whether somebody must do something at the printer, or to what it is given, before it goes on.
    pub fn needs_person(&self) -> bool {
        match self {
            Self::BedNotClear
            | Self::BedUnknown
            | Self::NoBedTemperature { .. }
            | Self::VerdictAwaited
            | Self::PrinterFault { .. }
            | Self::PrinterOffline
            | Self::SliceFailed { .. }
            | Self::FileFails { .. }
            | Self::CopyUnknown => true,
            Self::NeverSkip { because, .. } | Self::NothingFits { because, .. } => {
                because.is_fixable() || because.needs_person()
            }
            Self::ModelUnknown { .. }
            | Self::Nozzle { .. }
            | Self::NozzleSoft
            | Self::Material { .. }
            | Self::SlotUnknown { .. }
            | Self::Color { .. }
            | Self::Amount { .. }
            | Self::FileMissing { .. }
            | Self::NoSlicer { .. }
            | Self::Model { .. }
            | Self::Volume { .. }
            | Self::Outside { .. }
            | Self::Temperature { .. }
            | Self::Tags { .. }
            | Self::NotAccepted
            | Self::PinnedElsewhere
            | Self::NotBefore { .. }
            | Self::Backburner
            | Self::Draft
            | Self::Held
            | Self::CancelRequested { .. }
            | Self::MoveRequested { .. }
            | Self::NotQueued
            | Self::NoCopyLeft
            | Self::CopyFailed
            | Self::RetriesExhausted { .. }
            | Self::FailedHere
            | Self::QueueOrder { .. }
            | Self::Busy
            | Self::PrinterPaused { .. }
            | Self::AutoprintOff
            | Self::QueueAutoprintOff
            | Self::Cooling { .. }
            | Self::Clearing
            | Self::HeatSlot
            | Self::QuietHours { .. }
            | Self::HostAway
            | Self::Role
            | Self::VotersAway { .. }
            | Self::Contended
            | Self::NoPrinter
            | Self::QueueEmpty
            | Self::NotSynced => false,
        }
    }

    /// Returns what tells it from another one that a person would have to do something else about: numbers may change meanwhile.
    pub fn kind(&self) -> String {
        match self {
            Self::NeverSkip { job, because } | Self::NothingFits { job, because } => {
                format!("{}/{}/{job}", self.code(), because.code())
            }
            other => other.code().to_owned(),
        }
    }
}

impl Planner<'_> {
    /// Returns why a printer waits for a person, where its row in the plan says so. A job that fits another printer, busy as that may
    /// be, waits for nobody; what this host could do for a printer that was set aside, a person must find out.
    pub fn waits_for_person(
        &self,
        printer: &PrinterId,
        row: &Result<Turn, Reason>,
    ) -> Option<Reason> {
        let reason = row.as_ref().err()?;
        let seat = self.index.seat(printer)?;
        let aside = || self.snapshot.printers[printer].set_aside;
        match reason {
            Reason::PrinterPaused { .. } if aside() => Some(reason.clone()),
            Reason::NothingFits { .. } => {
                let lacks = self.closest_alone(seat)?;
                lacks.needs_person().then_some(lacks)
            }
            other => other.needs_person().then(|| other.clone()),
        }
    }

    /// Returns why a printer waits for a person that has a copy and does not print.
    pub fn waits_midway(&self, printer: &PrinterId) -> Option<Reason> {
        let record = self.snapshot.printers.get(printer)?;
        machine_waits(record, true).filter(Reason::needs_person)
    }

    /// The job that comes closest to what a printer could print, of those that nobody else prints.
    fn closest_alone(&self, seat: &Seat) -> Option<Reason> {
        let elsewhere = |row: &Row| {
            let mut others = self.index.seats.iter().filter(|other| other.id != seat.id);
            others.any(|other| {
                other.may_print
                    && self.presence.reachable.contains(&other.id.host)
                    && self.goes_on(&other.id)
                    && self.fits(row, other)
            })
        };
        let (row, because) = self.closest(seat, |row| !elsewhere(row))?;
        Some(Reason::NothingFits {
            job: self.job(row).name.clone(),
            because: Box::new(because),
        })
    }
}
