//! Cura: `;KEY:value` in the head. It states neither material nor weight nor bed, unless a script of the user adds them.
//!
//! What comes first wins: `;TIME:` may be followed by the same key from an appended file.

use crate::{draft::Draft, value};

/// The engine writes one of these times first and replaces it when it is done; run by hand it never does. The second since 5.5 or so.
const PLACEHOLDER_TIMES: [&str; 3] = ["6666", "100000", "100000.00"];

/// A coordinate that the engine writes before anything was placed: the largest number it knows, or its negative.
const PLACEHOLDER_MM: f64 = 100_000.0;

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "TIME" if PLACEHOLDER_TIMES.contains(&value) => {}
        "TIME" => metadata.time_s = metadata.time_s.or(value::duration_s(value)),
        // After each layer; what stands before the end is the time of the last one.
        "TIME_ELAPSED" => draft.elapsed_s = value::duration_s(value),
        // In metres for each tool: `1.23m, 0m`. Volumetric printers get `123mm3`, which is no length.
        "Filament used" if !value.contains("mm3") && draft.used_mm.is_empty() => {
            draft.used_mm = value::list(value)
                .map(|metres| value::positive(metres).map(|m| m * 1000.0))
                .collect();
            metadata.filament_mm = value::sum(value).map(|m| m * 1000.0);
        }
        "Filament weight" if draft.used_g.is_empty() => {
            draft.used_g(value.trim_matches(['[', ']']))
        }
        "Filament type" | "MATERIAL_TYPE" if draft.materials.is_empty() => {
            draft.materials = Draft::names(value::list(value))
        }
        "Filament name" if draft.profiles.is_empty() => {
            draft.profiles = Draft::names(value::names(value))
        }
        "Nozzle diameter" | "NOZZLE_DIAMETER" if draft.nozzles_mm.is_empty() => {
            draft.nozzles_mm = value::list(value).map(value::positive).collect()
        }
        "TARGET_MACHINE.NAME" if value != "Unknown" => {
            metadata.printer_model = metadata.printer_model.take().or(value::text(value))
        }
        "Layer height" => {
            metadata.layer_height_mm = metadata.layer_height_mm.or(value::positive(value))
        }
        "LAYER_COUNT" => metadata.layer_count = metadata.layer_count.or(value::count(value)),
        "MINX" => coordinate(&mut draft.min_mm[0], value),
        "MINY" => coordinate(&mut draft.min_mm[1], value),
        "MINZ" => coordinate(&mut draft.min_mm[2], value),
        "MAXX" => coordinate(&mut draft.max_mm[0], value),
        "MAXY" => coordinate(&mut draft.max_mm[1], value),
        "MAXZ" => coordinate(&mut draft.max_mm[2], value),
        _ => {}
    }
}

pub(super) fn coordinate(known: &mut Option<f64>, value: &str) {
    let stated = value::number(value).filter(|mm| mm.abs() < PLACEHOLDER_MM);
    *known = known.or(stated);
}
