//! The words for what [`inspect`](crate::inspect) finds.
//!
//! Plain values without behaviour: what a scheduler makes of them is not decided here.

use crate::weight;

/// What a sliced file says about one print. `None` means that the file does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The program that made the file.
    pub slicer: Option<Slicer>,
    /// The slicer's estimate of the print time, in seconds. Where it states several, the one for normal mode with heating included.
    pub time_s: Option<u64>,
    /// Filament used by all tools together, in millimetres.
    pub filament_mm: Option<f64>,
    /// Filament used by all tools together, in grams; with the wipe tower where the slicer counts it.
    pub filament_g: Option<f64>,
    /// What each tool that the print uses prints with, by number. When the file does not say which ones it uses, all that it names.
    pub tools: Vec<Tool>,
    /// Printer model in the slicer's spelling, such as `MK4S`.
    pub printer_model: Option<String>,
    /// Name of the printer profile in the slicer, such as `Original Prusa MK4S HF0.4 nozzle`.
    pub printer_profile: Option<String>,
    /// Layer height in millimetres (of the layers above the first).
    pub layer_height_mm: Option<f64>,
    /// Number of layers.
    pub layer_count: Option<u32>,
    /// Size of the bed that the file was sliced for.
    pub bed: Option<Bed>,
    /// The box around what is printed, without what a start script draws.
    pub extent: Option<Extent>,
    /// Height of the last layer, in millimetres.
    pub max_z_mm: Option<f64>,
    /// Bed temperature of the first layer, in °C: the highest that any tool in use asks for.
    pub bed_first_c: Option<u32>,
    /// Bed temperature of the layers above, in °C: the highest that any tool in use asks for.
    pub bed_c: Option<u32>,
    /// Pictures, in the order of the file.
    pub thumbnails: Vec<Thumbnail>,
}

/// What one tool prints with. `None` means that the file does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tool {
    /// Number in the file, from 0 (`T0`).
    pub number: u32,
    /// Material type in the slicer's spelling, such as `PLA`.
    pub material: Option<String>,
    /// Colour as `rrggbb` in lower-case hex digits.
    pub colour: Option<String>,
    /// Name of the filament profile in the slicer.
    pub profile: Option<String>,
    /// Filament used, in millimetres.
    pub used_mm: Option<f64>,
    /// Filament used, in grams.
    pub used_g: Option<f64>,
    /// Nozzle diameter in millimetres.
    pub nozzle_mm: Option<f64>,
    /// Nozzle temperature of the first layer, in °C.
    pub nozzle_first_c: Option<u32>,
    /// Nozzle temperature of the layers above, in °C.
    pub nozzle_c: Option<u32>,
    /// The material wears brass nozzles out.
    pub abrasive: bool,
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

/// A box, in millimetres: x, y, z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Its least corner.
    pub min_mm: [f64; 3],
    /// Its greatest corner.
    pub max_mm: [f64; 3],
}

/// A picture of the print, made by the slicer.
#[derive(Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// What the bytes are, told by the bytes.
    pub format: ThumbnailFormat,
    /// In pixels, as the slicer says.
    pub width: u32,
    /// In pixels, as the slicer says.
    pub height: u32,
    /// The picture file. Only its first bytes were looked at.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            format,
            width,
            height,
            bytes,
        } = self;
        write!(f, "{format:?} {width}x{height}, {} bytes", bytes.len())
    }
}

/// The kinds of pictures that slicers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThumbnailFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpg,
    /// Quite OK Image.
    Qoi,
}

/// What [`inspect`](crate::inspect) found: in what the G-code is wrapped, and each print in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// In what the G-code is wrapped.
    pub container: Container,
    /// At least one; only an archive can have several.
    pub plates: Vec<Plate>,
}

/// In what the G-code of a file is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// In nothing: text.
    Text,
    /// Binary G-code (`.bgcode`).
    Binary,
    /// A slicer's project with sliced plates (`.gcode.3mf`).
    Archive,
}

/// One print of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Plate {
    /// Its number in the slicer, from 1.
    pub number: u32,
    /// Bytes of G-code, unpacked; as the container says.
    pub gcode_bytes: u64,
    /// What is said about it.
    pub metadata: Metadata,
}

/// Why a file cannot be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A project of a slicer in which nothing is sliced.
    #[error("the project holds no sliced plate")]
    NotSliced,
    /// It begins as it should, and then it does not hold together.
    #[error("the file is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: &'static str,
    },
    /// Sound, perhaps, but written in a way that this version does not read.
    #[error("the file has {what}, which this version does not read")]
    Foreign {
        /// What is not known.
        what: &'static str,
    },
    /// More than any slicer writes.
    #[error("the file has too much of something: {what}, at most {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much would be read.
        max: u64,
    },
    /// The bytes could not be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

impl Metadata {
    /// The materials of all tools in the order of the tools, each once, with `;` between: `PLA;PETG`.
    pub fn materials(&self) -> Option<String> {
        let mut found: Vec<&str> = Vec::new();
        for material in self
            .tools
            .iter()
            .filter_map(|tool| tool.material.as_deref())
        {
            if !found.contains(&material) {
                found.push(material);
            }
        }
        (!found.is_empty()).then(|| found.join(";"))
    }

    /// Nozzle diameter of the first tool that says one, in millimetres.
    pub fn nozzle_mm(&self) -> Option<f64> {
        self.tools.iter().find_map(|tool| tool.nozzle_mm)
    }

    /// What a tool uses up, in grams: as the file says, or else weighed from the length of its filament. That is taken to be 1.75 mm
    /// thick, or 2.85 mm for machines by Ultimaker, and as dense as its material usually is, or as PLA.
    pub fn grams(&self, tool: &Tool) -> Option<f64> {
        let (material, model) = (tool.material.as_deref(), self.printer_model.as_deref());
        let weighed = || Some(weight::grams(tool.used_mm?, material, model));
        tool.used_g.or_else(weighed)
    }

    /// The highest nozzle temperature that any tool asks for in any layer, in °C.
    pub fn hottest_nozzle_c(&self) -> Option<u32> {
        let each = self.tools.iter();
        each.flat_map(|tool| [tool.nozzle_first_c, tool.nozzle_c])
            .flatten()
            .max()
    }
}
