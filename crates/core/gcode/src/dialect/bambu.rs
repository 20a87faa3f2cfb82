//! BambuStudio and OrcaSlicer: a header block with totals, settings in a block after it or at the end.
//!
//! OrcaSlicer writes either its own or PrusaSlicer's totals, depending on the printer, so both are read.

use super::prusa;
use crate::{draft::Draft, value};

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        // `model printing time: 20m 1s; total estimated time: 27m 14s`: the total includes heating and levelling.
        "model printing time" => {
            let total = value
                .split_once("total estimated time:")
                .map_or(value, |(_, total)| total);
            let model = value.split(';').next().unwrap_or_default();
            metadata.time_s = value::duration_s(total).or_else(|| value::duration_s(model));
        }
        "total estimated time" => metadata.time_s = value::duration_s(value),
        "total filament length [mm]" => draft.used_mm(value),
        "total filament weight [g]" => metadata.filament_g = value::sum(value),
        "total layer number" => metadata.layer_count = value::count(value),
        "printable_area" => metadata.bed = value::bed(value),
        "printable_height" => draft.height_mm = value::positive(value),
        _ => prusa::read(key, value, draft),
    }
}
