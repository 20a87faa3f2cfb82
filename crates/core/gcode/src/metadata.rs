//! The words for what [`inspect`](crate::inspect) finds.
//!
//! Plain values without behaviour: what a scheduler makes of them is not decided here.

/// What a sliced file says about itself. `None` means that the file does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The program that made the file.
    pub slicer: Option<Slicer>,
    /// The slicer's estimate of the print time, in seconds. Where it states several, the one for normal mode with heating included.
    pub time_s: Option<u64>,
    /// Filament used by all extruders together, in millimetres.
    pub filament_mm: Option<f64>,
    /// Filament used by all extruders together, in grams.
    pub filament_g: Option<f64>,
    /// Material type in the slicer's spelling, such as `PLA`. A print that uses several has them in the order of the extruders with
    /// `;` between: `PLA;PETG`.
    pub material: Option<String>,
    /// Nozzle diameter in millimetres, of the first extruder that the print uses.
    pub nozzle_mm: Option<f64>,
    /// Printer model in the slicer's spelling, such as `MK4`.
    pub printer_model: Option<String>,
    /// Layer height in millimetres (of the layers above the first).
    pub layer_height_mm: Option<f64>,
    /// Number of layers.
    pub layer_count: Option<u32>,
    /// Size of the bed that the file was sliced for.
    pub bed: Option<Bed>,
}

/// The program that made a file, as it names itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slicer {
    /// Such as `PrusaSlicer`.
    pub name: String,
    /// Such as `2.5.0`, when stated.
    pub version: Option<String>,
}

/// The size of a printer's bed, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bed {
    /// Along X. For a round bed the diameter.
    pub width_mm: f64,
    /// Along Y.
    pub depth_mm: f64,
    /// The greatest height of a print, when stated.
    pub height_mm: Option<f64>,
}

/// Why a file cannot be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file holds no G-code commands.
    #[error("the file is not G-code, it looks like {looks_like}")]
    NotGcode {
        /// What it is instead, for the person who submitted it.
        looks_like: &'static str,
    },
}
