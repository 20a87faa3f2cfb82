//! A slicer's project with sliced plates (`.gcode.3mf`): each plate is a print of its own.
//!
//! What a plate needs stands in its G-code, in the project's settings, and in `slice_info.config`, which alone says for certain which
//! filaments a plate uses. The three are brought into one form: the slicer's own words, as its G-code would have them.

mod slice_info;

use std::io::{Read, Seek, Write};

use serde::Deserialize;

use crate::{
    Plate, Rejected, Thumbnail, UnpackError,
    archive::{Archive, unpacking},
    dialect::{Seen, Statements},
    kind,
    limits::{HEAD_BYTES, PLATES_MAX, SETTINGS_BYTES_MAX, THUMBNAIL_BYTES_MAX},
    thumbnail,
    unpacked::{Unpacked, fits},
    window::without_cut_end,
};

/// Keys and values in the slicer's own words.
type Pairs = Vec<(String, String)>;

/// Reads what is said about each plate.
pub(crate) fn inspect(file: &mut (impl Read + Seek)) -> Result<Vec<Plate>, Rejected> {
    let archive = Archive::open(file)?;
    let settings = settings(&archive)?;
    let numbers = numbers(&archive)?;
    // Members may share what they are unpacked from: together they could fill any disk.
    let sizes = numbers.iter().map(|&number| size(&archive, number));
    fits(sizes.fold(0, u64::saturating_add))?;
    numbers
        .into_iter()
        .map(|number| plate(&archive, number, &settings))
        .collect()
}

/// Writes a plate's G-code, and what is said elsewhere about it as comments around.
pub(crate) fn unpack(
    file: &mut (impl Read + Seek),
    number: u32,
    out: &mut impl Write,
) -> Result<u64, UnpackError> {
    let archive = Archive::open(file)?;
    let said = said(&archive, number)?;
    let pictures = thumbnail::to_text(&pictures(&archive, number)?);
    let gcode = archive.open_member(&gcode_name(number))?;
    let mut gcode = gcode.ok_or(Rejected::NotSliced)?;

    let mut out = Unpacked::new(out);
    out.put(pictures.as_bytes())?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = gcode.read(&mut buffer).map_err(|error| unpacking(&error))?;
        if count == 0 {
            break;
        }
        out.put(&buffer[..count])?;
    }
    out.put(b"\n")?;
    for (key, value) in said {
        out.pair(&key, &value)?;
    }
    Ok(out.written())
}

fn gcode_name(number: u32) -> String {
    format!("Metadata/plate_{number}.gcode")
}

/// Bytes of a plate's G-code, as the archive says; unpacking stops at more.
fn size<R: Read + Seek>(archive: &Archive<'_, R>, number: u32) -> u64 {
    archive.size(&gcode_name(number)).unwrap_or_default()
}

/// The plates that were sliced, in order.
fn numbers<R: Read + Seek>(archive: &Archive<'_, R>) -> Result<Vec<u32>, Rejected> {
    let number = |name: &str| -> Option<u32> {
        let digits = name
            .strip_prefix("Metadata/plate_")?
            .strip_suffix(".gcode")?;
        // Only the spelling that names a member again.
        digits
            .parse()
            .ok()
            .filter(|number: &u32| number.to_string() == digits)
    };
    let mut numbers: Vec<u32> = archive.names().filter_map(number).collect();
    numbers.sort_unstable();
    if numbers.len() > PLATES_MAX {
        return Err(Rejected::TooMuch {
            what: "plates",
            max: PLATES_MAX as u64,
        });
    }
    if !numbers.is_empty() {
        return Ok(numbers);
    }
    let is_project = archive
        .names()
        .any(|name| name.starts_with("3D/") || name == "[Content_Types].xml");
    Err(match is_project {
        true => Rejected::NotSliced,
        false => Rejected::NotGcode { looks_like: "ZIP" },
    })
}

fn plate<R: Read + Seek>(
    archive: &Archive<'_, R>,
    number: u32,
    settings: &Pairs,
) -> Result<Plate, Rejected> {
    let name = gcode_name(number);
    let gcode_bytes = size(archive, number);
    let mut head = Vec::new();
    let gcode = archive.open_member(&name)?.ok_or(Rejected::NotSliced)?;
    gcode
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|error| unpacking(&error))?;
    kind::check(&head, b"")?;
    let whole = head.len() as u64 == gcode_bytes;
    let head = if whole { &head } else { without_cut_end(&head) };

    let mut statements = Statements::of(head);
    // The settings may have been changed since the plate was sliced: what the G-code says wins.
    for (key, value) in settings {
        statements.pair(key, value);
    }
    statements.head(head);
    for (key, value) in said(archive, number)? {
        statements.pair(&key, &value);
    }
    let mut metadata = statements.finish(if whole { Seen::Whole } else { Seen::Head });
    for picture in pictures(archive, number)? {
        let Thumbnail {
            width,
            height,
            bytes,
            ..
        } = picture;
        thumbnail::keep(&mut metadata.thumbnails, width, height, bytes);
    }
    Ok(Plate {
        number,
        gcode_bytes,
        metadata,
    })
}

/// What is said about a plate outside of its G-code.
fn said<R: Read + Seek>(archive: &Archive<'_, R>, number: u32) -> Result<Pairs, Rejected> {
    let info = archive.read("Metadata/slice_info.config", SETTINGS_BYTES_MAX)?;
    let mut said = info.map_or_else(Vec::new, |info| slice_info::read(&info, number));
    let outline = archive.read(&format!("Metadata/plate_{number}.json"), SETTINGS_BYTES_MAX)?;
    if let Some([left, front, right, back]) = outline.as_deref().and_then(outline_of) {
        let objects =
            format!(r#"{{"objects":[{{"polygon":[[{left},{front}],[{right},{back}]]}}]}}"#);
        said.push(("objects_info".to_owned(), objects));
    }
    Ok(said)
}

/// The box around all objects on a plate.
fn outline_of(json: &[u8]) -> Option<[f64; 4]> {
    #[derive(Deserialize)]
    struct Outline {
        bbox_all: [f64; 4],
    }
    let outline: Outline = serde_json::from_slice(json).ok()?;
    Some(outline.bbox_all)
}

/// The project's settings, in the form in which G-code has them.
fn settings<R: Read + Seek>(archive: &Archive<'_, R>) -> Result<Pairs, Rejected> {
    use serde_json::Value;
    let Some(json) = archive.read("Metadata/project_settings.config", SETTINGS_BYTES_MAX)? else {
        return Ok(Vec::new());
    };
    let settings: serde_json::Map<String, Value> =
        serde_json::from_slice(&json).unwrap_or_default();
    let pair = |(key, value): (String, Value)| {
        // Outlines and numbers are parted by commas, names by semicolons and in quotes.
        let joined = match value {
            Value::String(value) => value,
            Value::Array(values) => {
                let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
                match key.starts_with("filament_") {
                    true => format!("\"{}\"", texts.join("\";\"")),
                    false => texts.join(","),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
        };
        Some((key, joined))
    };
    Ok(settings.into_iter().filter_map(pair).collect())
}

/// The pictures of a plate, small ones first.
fn pictures<R: Read + Seek>(
    archive: &Archive<'_, R>,
    number: u32,
) -> Result<Vec<Thumbnail>, Rejected> {
    let mut pictures = Vec::new();
    for name in [
        format!("Metadata/plate_{number}_small.png"),
        format!("Metadata/plate_{number}.png"),
    ] {
        // One that is too large is not worth the print.
        if archive
            .size(&name)
            .is_none_or(|size| size > THUMBNAIL_BYTES_MAX as u64)
        {
            continue;
        }
        let bytes = archive.read(&name, THUMBNAIL_BYTES_MAX as u64)?;
        let bytes = bytes.unwrap_or_default();
        if let Some((width, height)) = thumbnail::png_size(&bytes) {
            thumbnail::keep(&mut pictures, width, height, bytes);
        }
    }
    Ok(pictures)
}
