//! The trait that every kind of machine implements, and the words it speaks.
//!
//! Deliberately not here: any policy. A driver does not know whether the bed is clear, whose job it prints or what comes
//! next; it says what the machine does, and it refuses a start that cannot be right.

use std::path::PathBuf;

/// One physical print of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintRequest {
    /// Opaque token of the caller, echoed in every event about this print.
    pub attempt: String,
    /// The claim's fencing number. Each start must bring a higher one than every start before it.
    pub fence: u64,
    /// The G-code file.
    pub path: PathBuf,
}

/// What the machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No connection: the driver is of no more use and is to be replaced by a new [`connect`](crate::connect()).
    Offline,
    /// Connected, and nothing is being printed. Says nothing about the bed.
    Idle,
    /// A print was accepted and is being prepared: no heat and no motion yet.
    Starting,
    /// The file is being printed (heating up included).
    Printing,
    /// Asked to pause; the moves that are already under way are being finished.
    Pausing,
    /// Paused, by us or by the machine itself. Heaters are on.
    Paused,
    /// Asked to cancel; the machine is being brought to a safe stop.
    Cancelling,
    /// The machine stopped itself, or cannot be trusted any more. A person must look at it; then connect anew.
    Fault,
}

/// One heater, in degrees Celsius.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heat {
    /// Measured.
    pub actual: f32,
    /// Wanted; 0 is off.
    pub target: f32,
}

/// All heaters that the machine reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Temperatures {
    /// Hot ends, by tool number.
    pub tools: Vec<Heat>,
    /// The bed.
    pub bed: Option<Heat>,
    /// The chamber.
    pub chamber: Option<Heat>,
}

impl Temperatures {
    /// Returns whether any heater is being driven.
    pub fn any_target(&self) -> bool {
        self.tools
            .iter()
            .chain(&self.bed)
            .chain(&self.chamber)
            .any(|heat| heat.target > 0.0)
    }
}

/// The latest that is known of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct PrinterStatus {
    /// What it is doing.
    pub phase: Phase,
    /// The print that is under way, from the accepted start to its outcome.
    pub attempt: Option<String>,
    /// How much of the file is done, 0 to 1.
    pub progress: f32,
    /// Seconds that are left, when they can be estimated.
    pub left_s: Option<u64>,
    /// The heaters.
    pub temperatures: Temperatures,
    /// Why the phase is [`Phase::Fault`] or [`Phase::Offline`].
    pub fault: Option<String>,
}

/// What a machine is doing when a driver has just connected to it, as far as the machine itself can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing. It prints only what a driver feeds to it: what was under way when its last driver ended is dead.
    Fed,
    /// It prints by itself.
    Printing {
        /// The token of the print, if the machine was given it by [`Driver::start`], of this driver or an earlier one.
        attempt: Option<String>,
    },
    /// It prints by itself, and prints nothing now.
    Idle {
        /// The token of the last print that it remembers, and how that ended.
        last: Option<(String, Outcome)>,
    },
}

/// How a print ended, as the machine remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It made its last move.
    Finished,
    /// It ended without being complete.
    Failed {
        /// For people.
        reason: String,
    },
    /// It was cancelled.
    Aborted,
}

/// What a driver has to say. Of each print exactly one of `Finished`, `Failed` and `Aborted` is told, also when the
/// link is lost or the driver is closed; but of a machine that prints on by itself then nothing is told, and
/// [`Driver::doing`] of the next driver says what became of it. When it arrives, [`Driver::status`] already shows the phase that follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something changed. Progress and temperatures alone are told at most four times a second.
    Status(PrinterStatus),
    /// The first command that heats or moves is being sent: from here on the bed is no longer what it was.
    Started {
        /// The print.
        attempt: String,
    },
    /// The machine has made its last move.
    Finished {
        /// The print.
        attempt: String,
    },
    /// The print ended without being complete. Without a `Started` before it, nothing was heated or moved.
    Failed {
        /// The print.
        attempt: String,
        /// For people.
        reason: String,
    },
    /// The print was cancelled, and heaters are off.
    Aborted {
        /// The print.
        attempt: String,
    },
    /// The machine itself proves that its bed is clear.
    BedCleared,
    /// The connection is gone; the driver is of no more use.
    LinkLost {
        /// For people.
        reason: String,
    },
}

/// Who answered when the driver connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrinterInfo {
    /// Firmware name and version, as the machine words it.
    pub firmware: String,
    /// Machine type, as the machine words it. Clones share it: never an identity.
    pub machine: String,
    /// Number of tools (extruders), at least 1.
    pub tools: u32,
    /// What it can do.
    pub caps: Caps,
}

/// What a machine can do beyond printing a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// Obeys a cancel or an emergency stop also while it waits for a temperature.
    pub emergency_parser: bool,
    /// Reports temperatures by itself.
    pub reports_temperatures: bool,
    /// Watches its heaters for runaway. `None`: it does not say.
    pub thermal_protection: Option<bool>,
    /// Can prove a clear bed by itself ([`Event::BedCleared`]).
    pub clears_bed: bool,
}

/// Why a print was not accepted. Nothing was sent to the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Something else is going on.
    #[error("the printer is not idle: {0:?}")]
    NotIdle(Phase),
    /// A claim with this or a higher fencing number has been seen before.
    #[error("the claim is stale: fence {fence} is not above {seen}")]
    StaleFence {
        /// The fence of this request.
        fence: u64,
        /// The highest fence seen so far.
        seen: u64,
    },
    /// The machine said no.
    #[error("the printer refused to start: {0}")]
    Refused(String),
}

/// One connected printer. All methods return at once; what comes of them is told by [`Event`]s.
///
/// Dropping a driver closes it.
pub trait Driver: Send + Sync {
    /// Returns who answered when the driver connected.
    fn info(&self) -> PrinterInfo;

    /// Returns the latest that is known of the machine.
    fn status(&self) -> PrinterStatus;

    /// Returns what the machine was doing when the driver connected to it, or has done since. To be asked at once, before any
    /// start.
    fn doing(&self) -> Doing;

    /// Starts a print. Fails unless the phase is [`Phase::Idle`] and the fence is higher than every fence that this driver
    /// has seen, accepted or not: an older claim can never start. What is wrong with the file is told later, by
    /// [`Event::Failed`]. The fence is remembered as long as the driver lives, not longer.
    fn start(&self, request: PrintRequest) -> Result<(), StartError>;

    /// Pauses the print after the command that is under way. Heaters stay on. Nothing happens when nothing is printed.
    fn pause(&self);

    /// Goes on with a paused print.
    fn resume(&self);

    /// Ends the print: heaters off, nozzle lifted, then [`Event::Aborted`].
    fn cancel(&self);

    /// Switches all heaters off. A print that is under way fails, since it cannot go on cold.
    fn heaters_off(&self);

    /// Stops everything as fast as the machine can. Not a safety-rated stop. The phase becomes [`Phase::Fault`].
    fn emergency_stop(&self);

    /// Ends the driver: a print that is under way fails, heaters are switched off, the port is released. A machine that
    /// prints by itself goes on.
    fn close(&self);
}
