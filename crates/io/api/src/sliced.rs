//! What a sliced file says about itself, and what kinds of printers there are, as front ends see it.
//!
//! No requests have these as their answers yet: the command line reads files where they lie.

use serde::{Deserialize, Serialize};

/// What a sliced file says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its name.
    pub name: String,
    /// `gcode`, `bgcode` or `3mf`.
    pub format: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Each print in it; each becomes a set.
    pub plates: Vec<Plate>,
}

/// What a sliced file says about one print.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plate {
    /// Its number in the slicer, from 1.
    pub number: u32,
    /// Size of its G-code in bytes.
    pub bytes: u64,
    /// Slicer that made it.
    pub slicer: Option<String>,
    /// Estimated print time in seconds.
    pub estimate_s: Option<u64>,
    /// Printer model, as the slicer names it.
    pub model: Option<String>,
    /// Printer profile, as the slicer names it.
    pub slicer_profile: Option<String>,
    /// Name of our profile for that printer, when there is exactly one.
    pub profile: Option<String>,
    /// How the profile was found, or why none was, in plain words.
    pub profile_why: String,
    /// Nozzle diameter in millimetres.
    pub nozzle_mm: Option<f64>,
    /// Layer height in millimetres.
    pub layer_height_mm: Option<f64>,
    /// Number of layers.
    pub layers: Option<u32>,
    /// Extents of what is printed along x, y and z, in millimetres.
    pub size_mm: Option<[f64; 3]>,
    /// Height of the last layer in millimetres.
    pub height_mm: Option<f64>,
    /// Width and depth of the bed that it was sliced for, in millimetres.
    pub bed_mm: Option<[f64; 2]>,
    /// Hottest bed temperature, in °C.
    pub bed_c: Option<u32>,
    /// Filament used in all, in grams.
    pub filament_g: Option<f64>,
    /// Filament used in all, in millimetres.
    pub filament_mm: Option<f64>,
    /// What each tool that it uses prints with.
    pub tools: Vec<PlateTool>,
    /// Pictures in it.
    pub thumbnails: Vec<Thumbnail>,
}

/// What one tool of a print prints with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlateTool {
    /// Its number in the file, from 0.
    pub tool: u32,
    /// Material type.
    pub material: Option<String>,
    /// Colour, `rrggbb`.
    pub color: Option<String>,
    /// Filament used, in grams.
    pub used_g: Option<f64>,
    /// Filament used, in millimetres.
    pub used_mm: Option<f64>,
    /// Nozzle diameter in millimetres.
    pub nozzle_mm: Option<f64>,
    /// Hottest nozzle temperature, in °C.
    pub nozzle_c: Option<u32>,
    /// Whether it wears a brass nozzle out.
    pub abrasive: bool,
    /// Filament profile, as the slicer names it.
    pub slicer_profile: Option<String>,
}

/// A picture in a sliced file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thumbnail {
    /// `png`, `jpg` or `qoi`.
    pub format: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// In bytes.
    pub bytes: u64,
}

/// A kind of printer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Short name, to be typed.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// `built-in`, or the file that it stands in.
    pub origin: String,
    /// How slicers name the model.
    pub models: Vec<String>,
    /// How slicers name their own profile for it.
    pub slicer_profiles: Vec<String>,
    /// What it can reach along x, y and z, in millimetres.
    pub volume_mm: Option<[u32; 3]>,
    /// Whether its bed is a disc.
    pub round: bool,
    /// Nozzle diameter with which it is sold, in millimetres.
    pub nozzle_mm: Option<f64>,
    /// Hottest that its nozzle may become, in °C.
    pub nozzle_c_max: Option<u32>,
    /// Hottest that its bed may become, in °C.
    pub bed_c_max: Option<u32>,
    /// Whether it has a closed chamber.
    pub enclosed: bool,
    /// What runs on it.
    pub firmware: Option<String>,
}
