//! Cura: `;KEY:value` in the head. It states neither material nor weight nor bed, unless a script of the user adds them.
//!
//! What comes first wins: `;TIME:` may be followed by the same key from an appended file.

use crate::{draft::Draft, value};

/// The engine writes this time first and replaces it when it is done; run by hand it never does.
const PLACEHOLDER_TIME: &str = "6666";

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "TIME" if value == PLACEHOLDER_TIME => {}
        "TIME" | "PRINT.TIME" => metadata.time_s = metadata.time_s.or(value::duration_s(value)),
        // In metres for each extruder: `1.23m, 0m`. Volumetric printers get `123mm3`, which is no length.
        "Filament used" if !value.contains("mm3") && draft.used_mm.is_empty() => {
            draft.used_mm = value::list(value)
                .map(|metres| value::positive(metres).map(|m| m * 1000.0))
                .collect();
            metadata.filament_mm = value::sum(value).map(|m| m * 1000.0);
        }
        "Filament weight" => {
            metadata.filament_g = metadata
                .filament_g
                .or(value::sum(value.trim_matches(['[', ']'])))
        }
        "Filament type" if draft.materials.is_empty() => draft.materials(value),
        "Nozzle diameter" | "EXTRUDER_TRAIN.0.NOZZLE.DIAMETER" => {
            metadata.nozzle_mm = metadata.nozzle_mm.or(value::positive(value))
        }
        "TARGET_MACHINE.NAME" if value != "Unknown" => {
            metadata.printer_model = metadata.printer_model.take().or(value::text(value))
        }
        "Layer height" => {
            metadata.layer_height_mm = metadata.layer_height_mm.or(value::positive(value))
        }
        "LAYER_COUNT" => metadata.layer_count = metadata.layer_count.or(value::count(value)),
        _ => {}
    }
}
