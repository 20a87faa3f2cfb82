//! A printer as its host tells the queue: what everybody needs to know to say why a job waits for it.

use serde::{Deserialize, Serialize};

use crate::{Equipment, Timestamp};

/// Whether something lies on the bed. Owned by the host, never inferred from a machine's idle state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bed {
    /// A person, a sensor or a verified script said so, and nothing was printed since.
    Clear,
    /// A print began on it.
    Occupied,
    /// Nobody knows: after a crash, a reset, or when the printer was just added.
    Unknown,
}

/// What a printer waits for between two prints, as its host has set it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Between {
    /// Its bed cools down to so many °C.
    Cooling(u32),
    /// Its bed is to cool down to so many °C, and the machine does not say how warm it is.
    NoBedTemperature(u32),
    /// A script clears its bed.
    Clearing,
    /// A person says whether its last print is good.
    Verdict,
    /// Others on its circuit heat up.
    Heat,
    /// Quiet hours, until this minute of its host's day.
    Quiet(u16),
}

/// What its owner said about the time between two prints, for whoever asks when things will be done. Nothing is decided by it: its
/// host decides, and says what it waits for ([`Between`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Routine {
    /// °C that its bed cools down to before it is cleared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cool_c: Option<u32>,
    /// After a good print its bed is cleared, and counted as clear, without a person.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_itself: bool,
    /// Parts of each day in which nothing starts: the minute at which one begins and the one at which it is over, in UTC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<[u16; 2]>,
    /// So many copies more it prints by itself; `None` = as many as there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycles_left: Option<u32>,
}

impl Routine {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A printer's entry in a queue: one scalar, written only by its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrinterRecord {
    /// Place in the host's list, from 0.
    pub position: u32,
    /// Machine and firmware as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Bed state.
    pub bed: Bed,
    /// Whether it starts prints by itself.
    pub autoprint: bool,
    /// Why a person paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Its host paused it, because whatever it printed failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub set_aside: bool,
    /// Reachable by its host.
    pub online: bool,
    /// Halted until a person has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// When its last print ended, by the host's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_print_ended: Option<Timestamp>,
    /// What it is and has.
    #[serde(default, skip_serializing_if = "Equipment::is_empty")]
    pub equipment: Equipment,
    /// What it waits for between two prints, beside a person's word about its bed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<Between>,
    /// What comes between any two prints of it.
    #[serde(default, skip_serializing_if = "Routine::is_empty")]
    pub routine: Routine,
    /// Removed by its host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}
