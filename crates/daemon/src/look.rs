//! What can be said about a file without a daemon: it is read where it lies, and nothing is kept.

use std::{fs::File, io, path::Path};

use printmesh_api::{
    problem::{Problem, codes},
    sliced::{self, File as Shown},
};
use printmesh_gcode::{Container, Metadata, ThumbnailFormat};

use crate::{
    problems,
    profiles::Profiles,
    sliced::{rejection, slicer},
};

/// A picture of what a file prints, as its slicer put it there. Its bytes are the file's: nothing has decoded them.
pub struct Picture {
    /// `png`, `jpg` or `qoi`.
    pub format: &'static str,
    /// As they are in the file.
    pub bytes: Vec<u8>,
}

/// Returns the largest picture in a sliced file; of its first plate, unless one is named.
///
/// # Errors
/// When it cannot be read, or has no such plate or no picture of it.
pub fn picture(path: &Path, plate: Option<u32>) -> Result<Picture, Problem> {
    let (_, _, found) = open(path)?;
    let mut plates = found.plates.into_iter();
    let chosen = match plate {
        None => plates.next(),
        Some(number) => plates.find(|plate| plate.number == number),
    };
    let pictures = chosen
        .into_iter()
        .flat_map(|plate| plate.metadata.thumbnails);
    let largest = pictures.max_by_key(|it| u64::from(it.width) * u64::from(it.height));
    let largest = largest.ok_or_else(|| {
        let title = format!("there is no picture in {}", path.display());
        problems::new("file.no-picture", 3, title)
            .fix("", "let your slicer put thumbnails into its files")
    })?;
    Ok(Picture {
        format: word(largest.format),
        bytes: largest.bytes,
    })
}

fn word(format: ThumbnailFormat) -> &'static str {
    match format {
        ThumbnailFormat::Png => "png",
        ThumbnailFormat::Jpg => "jpg",
        ThumbnailFormat::Qoi => "qoi",
    }
}

/// Reads what a sliced file says about itself.
///
/// # Errors
/// When it cannot be read, or nothing in it can be printed.
pub fn file(path: &Path, profiles: &Profiles) -> Result<Shown, Problem> {
    let (name, bytes, found) = open(path)?;
    let plates = found.plates.into_iter();
    Ok(Shown {
        name,
        format: match found.container {
            Container::Text => "gcode",
            Container::Binary => "bgcode",
            Container::Archive => "3mf",
        }
        .to_owned(),
        bytes,
        plates: plates
            .map(|plate| {
                let (number, bytes) = (plate.number, plate.gcode_bytes);
                self::plate(number, bytes, plate.metadata, profiles)
            })
            .collect(),
    })
}

/// The file's name, its size in bytes, and what is in it.
fn open(path: &Path) -> Result<(String, u64, printmesh_gcode::Inspected), Problem> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy().into_owned();
    let unreadable = |error: io::Error| {
        let (code, exit) = match error.kind() {
            io::ErrorKind::NotFound => ("file.missing", 3),
            _ => (codes::FILE_UNREADABLE, 1),
        };
        problems::new(code, exit, format!("cannot read {}", path.display()))
            .because(error.to_string())
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    // A pipe or a device would be read for ever.
    if !metadata.is_file() {
        let title = format!("{} is no ordinary file", path.display());
        return Err(problems::new("file.not-a-file", 2, title));
    }
    let found =
        printmesh_gcode::inspect(&mut file).map_err(|rejected| rejection(&name, &rejected))?;
    Ok((name, metadata.len(), found))
}

fn plate(number: u32, bytes: u64, said: Metadata, profiles: &Profiles) -> sliced::Plate {
    let (profile, profile_why) = profiles.detect(&said);
    let size = |extent: printmesh_gcode::Extent| {
        // Binary fractions: 12.3 - 2.1 is a little more than 10.2.
        [0, 1, 2].map(|axis| ((extent.max_mm[axis] - extent.min_mm[axis]) * 1e3).round() / 1e3)
    };
    let tools = said.tools.iter().map(|tool| sliced::PlateTool {
        tool: tool.number,
        material: tool.material.clone(),
        color: tool.colour.clone(),
        used_g: tool.used_g,
        used_mm: tool.used_mm,
        nozzle_mm: tool.nozzle_mm,
        nozzle_c: tool.nozzle_first_c.max(tool.nozzle_c),
        abrasive: tool.abrasive,
        slicer_profile: tool.profile.clone(),
    });
    let thumbnails = said.thumbnails.iter().map(|picture| sliced::Thumbnail {
        format: word(picture.format).to_owned(),
        width: picture.width,
        height: picture.height,
        bytes: picture.bytes.len() as u64,
    });
    sliced::Plate {
        number,
        bytes,
        slicer: said.slicer.as_ref().map(slicer),
        estimate_s: said.time_s,
        nozzle_mm: said.nozzle_mm(),
        layer_height_mm: said.layer_height_mm,
        layers: said.layer_count,
        size_mm: said.extent.map(size),
        height_mm: said.max_z_mm,
        bed_mm: said.bed.map(|bed| [bed.width_mm, bed.depth_mm]),
        bed_c: said.bed_first_c.max(said.bed_c),
        filament_g: said.filament_g,
        filament_mm: said.filament_mm,
        tools: tools.collect(),
        thumbnails: thumbnails.collect(),
        profile,
        profile_why,
        model: said.printer_model,
        slicer_profile: said.printer_profile,
    }
}
