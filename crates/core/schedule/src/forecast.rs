//! What a host knows about what is to come, what is assumed of it, and what comes out: plain values. How it is worked out is in
//! `simulate.rs`.

use std::collections::BTreeMap;

use printmesh_queue::{CopyId, JobId, PrinterId, Snapshot, Timestamp};

use crate::{Basis, Presence};

/// How long a bed cools down to what its owner wants, where its file heats it above that. Nobody measures it: an aluminium bed of
/// 200 to 300 mm loses half of its heat over the room's in about ten minutes, so that it comes from 60 °C to 30 °C in about twenty.
pub const COOLING_MS: u64 = 20 * 60_000;

/// How long a printer keeps its place to heat. Nobody measures that either: a heated bed and nozzle are at 60 °C and 210 °C after
/// two to five minutes; the longer one, so that nothing is promised too early.
pub const HEATING_MS: u64 = 5 * 60_000;

/// One queue, as one host sees it.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it says.
    pub snapshot: Snapshot,
    /// What the host sees.
    pub presence: Presence,
}

/// Everything that a host knows about what is to come.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Its queues, in its order: printers take from the first one that has something for them.
    pub lines: Vec<Line>,
    /// What is left, in milliseconds, of the very print that a printer is at, as the machine says.
    pub left_ms: BTreeMap<PrinterId, (CopyId, u64)>,
}

/// What is assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assume {
    /// How long it takes until somebody has cleared a bed, in milliseconds; not before it is cool, where its owner wants that.
    /// `None` = as each queue says.
    pub turnaround_ms: Option<u64>,
    /// Nothing is looked at that begins later.
    pub until: Option<Timestamp>,
    /// At most so many prints are looked at.
    pub prints_max: usize,
}

/// One copy on one printer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// Which of the queues, by its place in [`Outlook::lines`].
    pub line: usize,
    /// The copy.
    pub copy: CopyId,
    /// The printer.
    pub printer: PrinterId,
    /// When it begins, or began.
    pub from: Timestamp,
    /// When it ends, and what that rests on; who does not know names the file.
    pub to: Result<(Timestamp, Basis), String>,
    /// It is under way already, or was claimed and begins at once.
    pub begun: bool,
}

/// When a job is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Then.
    At(Timestamp),
    /// Nobody knows how long this file takes.
    NoEstimate(String),
    /// It waits for a printer that prints this file, of which nobody knows how long it takes.
    Behind(String),
    /// As things are, nothing starts the rest of it, or a person must say how a print ended.
    Waits,
    /// Further ahead than was looked.
    Beyond,
}

impl Finish {
    /// Returns by how many milliseconds a job misses its date, as far as anybody can know.
    pub fn late_ms(&self, due: Timestamp, now: Timestamp) -> Option<u64> {
        let at = match self {
            Self::At(at) => *at,
            // It is not done now: that much is known.
            Self::NoEstimate(_) | Self::Behind(_) | Self::Waits | Self::Beyond => now,
        };
        at.0.checked_sub(due.0).filter(|ms| *ms > 0)
    }
}

/// What will have happened when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Every print, in the order in which they begin.
    pub prints: Vec<Print>,
    /// When each open job is done that is not done yet.
    pub jobs: BTreeMap<JobId, Finish>,
    /// There is more to come, further ahead than was looked.
    pub cut: bool,
}
