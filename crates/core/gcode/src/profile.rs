//! Printer profiles: what a kind of printer is, and for which kind a file was sliced.
//!
//! A file is for a profile when its slicer says so in exactly the profile's words; nothing is concluded from likeness. Where profiles
//! are kept, and in what form, is the caller's business.

use serde::{Deserialize, Serialize};

use crate::Metadata;

/// The profiles that come with the program, as TOML: a list `profile` of [`Profile`].
pub const BUILT_IN: &str = include_str!("profile/built_in.toml");

/// What a kind of printer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Short name, to be typed: `MK4S`.
    pub name: String,
    /// Name for people, such as `Original Prusa MK4S`.
    #[serde(default)]
    pub title: Option<String>,
    /// How slicers name the model; compared without case.
    #[serde(default)]
    pub models: Vec<String>,
    /// How slicers name their own profile for it, without the nozzle; compared without case.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// What it can reach along x, y and z, in millimetres.
    #[serde(default)]
    pub volume_mm: Option<[u32; 3]>,
    /// Its bed is a disc.
    #[serde(default)]
    pub round: bool,
    /// Diameter of the nozzle with which it is sold, in millimetres.
    #[serde(default)]
    pub nozzle_mm: Option<f64>,
    /// Hottest that its nozzle may become, in °C.
    #[serde(default)]
    pub nozzle_c_max: Option<u32>,
    /// Hottest that its bed may become, in °C.
    #[serde(default)]
    pub bed_c_max: Option<u32>,
    /// It has a closed chamber.
    #[serde(default)]
    pub enclosed: bool,
    /// What runs on it.
    #[serde(default)]
    pub firmware: Option<Firmware>,
}

/// What runs on a printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// Marlin, and what was made from it.
    Marlin,
    /// Prusa's own for 32-bit boards.
    Buddy,
    /// Klipper.
    Klipper,
    /// RepRapFirmware.
    Reprap,
    /// Bambu Lab's own.
    Bambu,
    /// Ultimaker's own.
    Griffin,
}

/// Which profile a print was sliced for.
#[derive(Debug, Clone, PartialEq)]
pub enum Detected<'p> {
    /// This one, because of what the file says.
    Profile {
        /// The profile.
        profile: &'p Profile,
        /// What in the file names it.
        said: Said,
    },
    /// Several have the words of the file; a person decides.
    Several(Vec<&'p Profile>),
    /// The file names a printer that no profile knows.
    Unknown {
        /// As the file names it.
        said: String,
    },
    /// The file names no printer.
    Unnamed,
}

/// What in a file names a printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The model.
    Model,
    /// The slicer's own profile.
    Profile,
}

/// Finds the profile that a print was sliced for. The model is asked first: a person can name a slicer's profile at will.
pub fn detect<'p>(metadata: &Metadata, profiles: &'p [Profile]) -> Detected<'p> {
    let by_model = metadata.printer_model.as_deref().map(|model| {
        let is_it = |profile: &&Profile| {
            // Not the profile's own name: `X1` is Bambu Lab's printer here, and Artillery's in PrusaSlicer.
            profile.models.iter().any(|name| same(name, model))
        };
        profiles.iter().filter(is_it).collect::<Vec<_>>()
    });
    let by_profile = metadata.printer_profile.as_deref().map(|stated| {
        let is_it = |profile: &&Profile| {
            let mut names = profile.profiles.iter();
            names.any(|name| same(name, stated) || same(name, without_nozzle(stated)))
        };
        profiles.iter().filter(is_it).collect::<Vec<_>>()
    });
    for (found, said) in [(&by_model, Said::Model), (&by_profile, Said::Profile)] {
        match found.as_deref().unwrap_or_default() {
            [] => {}
            [profile] => return Detected::Profile { profile, said },
            several => return Detected::Several(several.to_vec()),
        }
        // A model that nobody knows is another printer, whatever a person called the profile.
        if found.is_some() {
            break;
        }
    }
    let named = [&metadata.printer_model, &metadata.printer_profile];
    match named.into_iter().flatten().next() {
        Some(said) => Detected::Unknown { said: said.clone() },
        None => Detected::Unnamed,
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// Takes `0.4 nozzle`, `HF0.4 nozzle`, `HF 0.4 nozzle` or `(0.4 mm nozzle)` off the end of a profile's name.
fn without_nozzle(name: &str) -> &str {
    let cut = |name: &'_ str| -> Option<usize> {
        let (rest, word) = name.rsplit_once(' ')?;
        if !matches!(word, "nozzle" | "nozzle)") {
            return None;
        }
        let rest = rest.strip_suffix(" mm").unwrap_or(rest);
        let (rest, size) = rest.rsplit_once(' ')?;
        let size = size.trim_start_matches('(').trim_start_matches("HF");
        size.parse::<f64>().ok()?;
        Some(rest.strip_suffix(" HF").unwrap_or(rest).len())
    };
    cut(name).map_or(name, |end| &name[..end])
}
