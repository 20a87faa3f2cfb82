//! Cura for Ultimaker's own flavours (Griffin, Cheetah): a header block of `;KEY.PATH:value`.
//!
//! It states the volume of each material and its GUID, neither length nor type: a GUID is no type, and a volume is no length
//! without the filament's diameter, so both are left out.

use super::cura::{self, coordinate};
use crate::{
    draft::Draft,
    limits::LIST_LEN_MAX,
    value,
    weight::{DIAMETER_ULTIMAKER_MM, length_mm},
};

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "GENERATOR.VERSION" => {
            if let Some(slicer) = &mut metadata.slicer {
                slicer.version = slicer.version.take().or(value::text(value));
            }
        }
        "PRINT.TIME" => metadata.time_s = metadata.time_s.or(value::duration_s(value)),
        "BUILD_PLATE.INITIAL_TEMPERATURE" => draft.bed_first_c = vec![value::celsius(value)],
        "PRINT.SIZE.MIN.X" => coordinate(&mut draft.min_mm[0], value),
        "PRINT.SIZE.MIN.Y" => coordinate(&mut draft.min_mm[1], value),
        "PRINT.SIZE.MIN.Z" => coordinate(&mut draft.min_mm[2], value),
        "PRINT.SIZE.MAX.X" => coordinate(&mut draft.max_mm[0], value),
        "PRINT.SIZE.MAX.Y" => coordinate(&mut draft.max_mm[1], value),
        "PRINT.SIZE.MAX.Z" => coordinate(&mut draft.max_mm[2], value),
        _ => match train(key) {
            Some((tool, "NOZZLE.DIAMETER")) => {
                *place(&mut draft.nozzles_mm, tool) = value::positive(value)
            }
            // In cubic millimetres; that is what the machine measures.
            Some((tool, "MATERIAL.VOLUME_USED")) => {
                let volume_mm3 = value::positive(value);
                let mm = volume_mm3.map(|mm3| length_mm(mm3, DIAMETER_ULTIMAKER_MM));
                *place(&mut draft.used_mm, tool) = mm;
            }
            Some((tool, "INITIAL_TEMPERATURE")) => {
                *place(&mut draft.nozzle_first_c, tool) = value::celsius(value)
            }
            Some(_) => {}
            None => cura::read(key, value, draft),
        },
    }
}

/// Splits `EXTRUDER_TRAIN.0.NOZZLE.DIAMETER`.
fn train(key: &str) -> Option<(usize, &str)> {
    let (number, rest) = key.strip_prefix("EXTRUDER_TRAIN.")?.split_once('.')?;
    let number = number
        .parse()
        .ok()
        .filter(|&number| number < LIST_LEN_MAX)?;
    Some((number, rest))
}

fn place<T: Clone>(list: &mut Vec<Option<T>>, tool: usize) -> &mut Option<T> {
    if list.len() <= tool {
        list.resize(tool + 1, None);
    }
    &mut list[tool]
}
