//! BambuStudio and OrcaSlicer: a header block with totals, settings in a block after it or at the end.
//!
//! OrcaSlicer writes either its own or PrusaSlicer's totals, depending on the printer, so both are read.

use super::prusa;
use crate::{
    draft::{Draft, Order},
    limits::LIST_LEN_MAX,
    value,
};

/// A required hardness above this, in HRC, is more than stainless steel has.
const STAINLESS_HRC: f64 = 20.0;

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
        // The tools in use, from 1: the two lists below are about these.
        "filament" => {
            let numbers = value::list(value).map(|number| number.parse::<usize>().ok());
            let tools =
                numbers.map(|number| number?.checked_sub(1).filter(|&it| it < LIST_LEN_MAX));
            if let Some(tools) = tools.collect() {
                draft.order = Order::Tools(tools);
            }
        }
        "total filament length [mm]" => draft.used_mm(value),
        "total filament weight [g]" => draft.used_g(value),
        "total layer number" => metadata.layer_count = value::count(value),
        "max_z_height" => metadata.max_z_mm = value::positive(value),
        "printable_area" => metadata.bed = value::bed(value),
        "printable_height" => draft.height_mm = value::positive(value),
        // Only in archives, where the settings may name no model.
        "printer_model_id" => {
            metadata.printer_model = metadata.printer_model.take().or(value::text(value))
        }
        "nozzle_temperature" => draft.nozzle_c = temperatures(value),
        "nozzle_temperature_initial_layer" => draft.nozzle_first_c = temperatures(value),
        // Of the nozzle, not of what comes out of it.
        "extruder_colour" => {}
        "curr_bed_type" => draft.plate = value::text(value),
        "required_nozzle_HRC" => {
            let hardness = value::list(value).map(value::positive);
            draft.abrasive = hardness
                .map(|hrc| hrc.is_some_and(|hrc| hrc > STAINLESS_HRC))
                .collect();
        }
        _ => match bed(key) {
            Some((plate, true)) => {
                draft.plate_first_c.insert(plate, temperatures(value));
            }
            Some((plate, false)) => {
                draft.plate_c.insert(plate, temperatures(value));
            }
            None => prusa::read(key, value, draft),
        },
    }
}

/// Which plate a bed's temperature is for, and whether it is for the first layer.
fn bed(key: &str) -> Option<(&'static str, bool)> {
    const PLATES: [(&str, &str); 6] = [
        ("cool_plate_temp", "Cool Plate"),
        ("textured_cool_plate_temp", "Textured Cool Plate"),
        ("supertack_plate_temp", "Supertack Plate"),
        ("eng_plate_temp", "Engineering Plate"),
        ("hot_plate_temp", "High Temp Plate"),
        ("textured_plate_temp", "Textured PEI Plate"),
    ];
    let (key, first) = match key.strip_suffix("_initial_layer") {
        Some(key) => (key, true),
        None => (key, false),
    };
    let (_, plate) = PLATES.into_iter().find(|(known, _)| *known == key)?;
    Some((plate, first))
}

fn temperatures(value: &str) -> Vec<Option<u32>> {
    value::list(value).map(value::celsius).collect()
}
