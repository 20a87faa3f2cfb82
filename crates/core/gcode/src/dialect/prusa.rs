//! PrusaSlicer, SuperSlicer, Slic3r: totals and all settings as `key = value` in the tail.
//!
//! What comes later wins: the tail is written by the slicer, while the head may hold a person's own comments.

use crate::{draft::Draft, value};

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "estimated printing time (normal mode)" | "estimated printing time" => {
            metadata.time_s = value::duration_s(value)
        }
        // Slic3r 1.3 says `filament used = 76.7mm (0.2cm3)`, once for each extruder.
        "filament used [mm]" => draft.used_mm(value),
        "filament used" => metadata.filament_mm = value::positive(value),
        "filament used [g]" => metadata.filament_g = metadata.filament_g.or(value::sum(value)),
        // Includes the wipe tower, which the list above does not.
        "total filament used [g]" => {
            metadata.filament_g = value::positive(value).or(metadata.filament_g)
        }
        "filament_type" => draft.materials(value),
        "nozzle_diameter" => draft.nozzles_mm(value),
        "printer_model" => metadata.printer_model = value::text(value),
        "layer_height" => metadata.layer_height_mm = value::positive(value),
        "total layers count" => metadata.layer_count = value::count(value),
        "bed_shape" => metadata.bed = value::bed(value),
        "max_print_height" => draft.height_mm = value::positive(value),
        _ => {}
    }
}
