//! Simplify3D: its process as `;   key,value` in the head, a summary as `;   Words: value unit` at the end.
//!
//! It states no material type that could be relied on; the name of the process is no printer model.

use crate::{draft::Draft, limits::LIST_LEN_MAX, value};

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "Build time" | "Build Time" => metadata.time_s = value::spelled_duration_s(value),
        "Filament length" | "Material Length" => metadata.filament_mm = value::positive(value),
        "Plastic weight" | "Material Weight" => metadata.filament_g = value::positive(value),
        _ => {}
    }
}

pub(super) fn comment(comment: &str, draft: &mut Draft) {
    let Some((key, value)) = comment.split_once(',') else {
        return;
    };
    match key {
        "profileName" => draft.metadata.printer_profile = value::text(value),
        "printMaterial" => draft.profiles = vec![value::text(value)],
        "layerHeight" => draft.metadata.layer_height_mm = value::positive(value),
        // Version 4: what is heated, then how hot it is in the first layer.
        "temperatureName" => {
            draft.heaters = value
                .split(',')
                .take(LIST_LEN_MAX)
                .map(str::to_owned)
                .collect()
        }
        "temperatureSetpointTemperatures" => {
            let temperatures = value.split(',').map(value::celsius);
            for (heater, celsius) in draft.heaters.iter().zip(temperatures) {
                match heater.as_str() {
                    "Heated Bed" => draft.bed_first_c = vec![celsius],
                    "Extruder 1" | "Primary Extruder" => draft.nozzle_first_c = vec![celsius],
                    _ => {}
                }
            }
        }
        // Version 4 lists them with commas, version 5 with `|`.
        "extruderDiameter" | "nozzleDiameter" => {
            draft.nozzles_mm = value
                .split([',', '|'])
                .take(LIST_LEN_MAX)
                .map(value::positive)
                .collect()
        }
        _ => {}
    }
}
