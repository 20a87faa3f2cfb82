//! Whether a printer may be given a file: every command of it, against what could harm a machine or a room.
//!
//! A file comes from another member of a queue, perhaps from a stranger's website. It may print; it may not flash, reconfigure
//! or rewire the machine, use its card or its power switch, run programs, heat above the printer's limits or leave its
//! volume. Pure and bounded: one pass over the text, one line in memory. What a firmware makes of a line in spite of its case,
//! spaces, numbers and comments, the guard makes of it too. It proves no print good: it only knows what no print needs.

mod command;
mod deny;
mod travel;

use std::io::BufRead;

use command::{Line, Lines};
use travel::Travel;

use crate::profile::Firmware;

/// What a printer may take. What is not known is judged by what any printer could stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// What runs on it; unknown = the deny lists of all firmwares count.
    pub firmware: Option<Firmware>,
    /// Hottest that its nozzle may become, in °C.
    pub nozzle_c_max: Option<u32>,
    /// Hottest that its bed may become, in °C.
    pub bed_c_max: Option<u32>,
    /// What it can reach along x, y and z, in millimetres.
    pub volume_mm: Option<[u32; 3]>,
}

/// Hottest nozzle of any printer that prints by itself, in °C.
const NOZZLE_C_MAX: u32 = 500;
/// Hottest bed, in °C.
const BED_C_MAX: u32 = 200;
/// Hottest chamber, in °C; no profile says one.
const CHAMBER_C_MAX: u32 = 100;

/// The first command that a printer must not be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The command as it stands there, shortened, printable.
    pub command: String,
    /// What it would do.
    pub why: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.command, self.why)
    }
}

/// Why a file was not found good.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The guard refuses it.
    #[error("{0}")]
    Refused(Refused),
    /// It could not be read.
    #[error("cannot read the file")]
    Read(#[from] std::io::Error),
}

/// Reads a file of G-code as text to its end and judges every command of it.
///
/// # Errors
/// [`GuardError::Refused`] with the first command that the printer must not be given; [`GuardError::Read`].
pub fn check(source: impl BufRead, allowed: &Allowed) -> Result<(), GuardError> {
    let mut lines = Lines::new(source);
    let mut travel = Travel::new(allowed.volume_mm);
    while let Some(line) = lines.next_line()? {
        let refused = |why: String| {
            GuardError::Refused(Refused {
                line: line.number,
                command: line.shown(),
                why,
            })
        };
        if line.is_too_long {
            return Err(refused("no machine takes so long a line".to_owned()));
        }
        if let Some(why) = deny::named(&line, allowed.firmware) {
            return Err(refused(why.to_owned()));
        }
        for code in line.codes() {
            let why = deny::numbered(&code, allowed.firmware)
                .map(str::to_owned)
                .or_else(|| heat(&code, allowed))
                .or_else(|| travel.follow(&code));
            if let Some(why) = why {
                return Err(refused(why));
            }
        }
        if let Some(why) = named_heat(&line, allowed) {
            return Err(refused(why));
        }
    }
    Ok(())
}

fn above(what: &str, wanted: f64, said: Option<u32>, most: u32) -> Option<String> {
    let max = said.unwrap_or(most).min(most);
    (wanted > f64::from(max))
        .then(|| format!("would heat the {what} to {wanted:.0} °C, at most {max} °C is allowed"))
}

fn heat(code: &command::Code<'_>, allowed: &Allowed) -> Option<String> {
    let hottest = || {
        let values = code.numbers(&['S', 'R', 'B', 'H', 'F']);
        values.into_iter().fold(f64::NEG_INFINITY, f64::max)
    };
    match (code.letter, code.number) {
        // G10 sets a tool's temperatures in RepRapFirmware, and says nothing of the kind elsewhere.
        ('M', 104 | 109 | 568) | ('G', 10) => {
            let values = code.numbers(&['S', 'R']);
            let wanted = values.into_iter().fold(f64::NEG_INFINITY, f64::max);
            above("nozzle", wanted, allowed.nozzle_c_max, NOZZLE_C_MAX)
        }
        ('M', 140 | 190) => above("bed", hottest(), allowed.bed_c_max, BED_C_MAX),
        ('M', 141 | 191) => above("chamber", hottest(), None, CHAMBER_C_MAX),
        _ => None,
    }
}

/// Temperatures in named commands, such as `START_PRINT EXTRUDER_TEMP=250` and `SET_HEATER_TEMPERATURE HEATER=x TARGET=250`.
fn named_heat(line: &Line, allowed: &Allowed) -> Option<String> {
    let words = line.parameters()?;
    let is_bed = |key: &str, value: &str| key.contains("BED") || value.contains("BED");
    let of_bed = words
        .iter()
        .any(|(key, value)| *key == "HEATER" && is_bed("", value));
    words.iter().find_map(|(key, value)| {
        let hot = ["TEMP", "TARGET", "BED", "EXTRUDER", "HOTEND", "NOZZLE"];
        let wanted: f64 = value.parse().ok()?;
        if !hot.iter().any(|word| key.contains(word)) {
            None
        } else if of_bed || is_bed(key, "") {
            above("bed", wanted, allowed.bed_c_max, BED_C_MAX)
        } else {
            above("nozzle", wanted, allowed.nozzle_c_max, NOZZLE_C_MAX)
        }
    })
}
