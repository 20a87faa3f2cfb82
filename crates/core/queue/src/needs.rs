//! What one file needs of the printer that prints it, as far as the file, or the person who submitted it, said.
//!
//! Read by the intake, compared by the scheduler. Nothing is guessed: what is `None` was not said and asks for nothing.

use serde::{Deserialize, Serialize};

/// What a file needs of a printer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Needs {
    /// Model or profile of the printer for which it was sliced, like `MK4S`; compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Nozzle diameter in micrometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nozzle_um: Option<u32>,
    /// Of the tools that need another one: the tool, and its diameter in micrometres.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nozzles: Vec<(u32, u32)>,
    /// The material wears a brass nozzle out: it needs a hardened one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hardened: bool,
    /// Extents of what is printed along x, y and z, in millimetres, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mm: Option<[u32; 3]>,
    /// Where what is printed lies along x, y and z: from and to, in millimetres from the origin for which it was sliced, rounded
    /// outwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent_mm: Option<[[i32; 2]; 3]>,
    /// Hottest nozzle temperature that it asks for, in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nozzle_c: Option<u32>,
    /// Hottest bed temperature that it asks for, in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bed_c: Option<u32>,
    /// It is a model: the printer's host slices it first, with its own profile of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// What each tool that it uses prints with, by the tool's number in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolNeed>,
}

/// What one tool of a file prints with.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ToolNeed {
    /// Number of the tool in the file, from 0 (`T0`).
    pub tool: u32,
    /// Material type, like `PETG`; compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<String>,
    /// Colour: `rrggbb` in hex digits, or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Material that one print uses up, in milligrams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mg: Option<u64>,
}

impl Needs {
    /// Returns whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
