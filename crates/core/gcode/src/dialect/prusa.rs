//! PrusaSlicer, SuperSlicer, Slic3r: totals and all settings as `key = value` in the tail.
//!
//! What comes later wins: the tail is written by the slicer, while the head may hold a person's own comments.

use crate::{
    draft::{Draft, Order},
    limits::LIST_LEN_MAX,
    value,
    value::Range,
};

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "estimated printing time (normal mode)" | "estimated printing time" => {
            metadata.time_s = value::duration_s(value)
        }
        // Zeros stand for tools that are not in use, but behind the last one in use there are none.
        "filament used [mm]" => {
            draft.used_mm(value);
            draft.leading();
        }
        "filament used [g]" => {
            draft.used_g(value);
            draft.leading();
        }
        // Slic3r 1.3 says `filament used = 76.7mm (0.2cm3)` and `filament used = 0.2g`, once for each tool in use.
        "filament used" => slic3r_used(value, draft),
        // Includes the wipe tower, which the list above does not.
        "total filament used [g]" => {
            metadata.filament_g = value::positive(value).or(metadata.filament_g)
        }
        "filament_type" => draft.materials = Draft::names(value::list(value)),
        "filament_settings_id" => draft.profiles = Draft::names(value::names(value)),
        "filament_colour" => draft.colours = value::names(value).map(value::colour).collect(),
        "extruder_colour" => {
            draft.colours_chosen = value::names(value).map(value::colour).collect()
        }
        "filament_abrasive" => {
            draft.abrasive = value::list(value).map(|flag| flag == "1").collect()
        }
        "nozzle_diameter" => draft.nozzles_mm = value::list(value).map(value::positive).collect(),
        "temperature" => draft.nozzle_c = value::list(value).map(value::celsius).collect(),
        "first_layer_temperature" => {
            draft.nozzle_first_c = value::list(value).map(value::celsius).collect()
        }
        "bed_temperature" => draft.bed_c = value::list(value).map(value::celsius).collect(),
        "first_layer_bed_temperature" => {
            draft.bed_first_c = value::list(value).map(value::celsius).collect()
        }
        "printer_model" => metadata.printer_model = value::text(value),
        "printer_settings_id" => metadata.printer_profile = value::text(value),
        "layer_height" => metadata.layer_height_mm = value::positive(value),
        "total layers count" => metadata.layer_count = value::count(value),
        "bed_shape" => metadata.bed = value::bed(value),
        "max_print_height" => draft.height_mm = value::positive(value),
        "max_layer_z" => metadata.max_z_mm = value::positive(value),
        // Before each layer; a sequential print begins anew at the bed for each object.
        "Z" => {
            let layer_z_mm = value::positive(value);
            draft.layer_z_mm = match (draft.layer_z_mm, layer_z_mm) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (known, layer_z_mm) => known.or(layer_z_mm),
            };
        }
        "objects_info" => draft.objects = objects(value).or(draft.objects),
        _ => {}
    }
}

impl Draft {
    fn leading(&mut self) {
        if self.order == Order::Unknown {
            self.order = Order::Leading;
        }
    }
}

fn slic3r_used(value: &str, draft: &mut Draft) {
    let Some(number) = value::positive(value) else {
        return;
    };
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let (list, total) = match unit.split('(').next().unwrap_or_default().trim() {
        "mm" => (&mut draft.used_mm, &mut draft.metadata.filament_mm),
        "g" => (&mut draft.used_g, &mut draft.metadata.filament_g),
        _ => return,
    };
    if list.len() < LIST_LEN_MAX {
        list.push(Some(number));
        *total = Some(total.unwrap_or_default() + number);
    }
}

/// The box around the outlines of all objects: `{"objects":[{"name":…,"polygon":[[131.2,111.2],…]},…]}`.
fn objects(value: &str) -> Option<[Range; 2]> {
    #[derive(serde::Deserialize)]
    struct Info {
        objects: Vec<Object>,
    }
    #[derive(serde::Deserialize)]
    struct Object {
        polygon: Vec<(f64, f64)>,
    }
    let info: Info = serde_json::from_str(value).ok()?;
    let [mut x, mut y] = [Range::EMPTY; 2];
    for (left, right) in info.objects.into_iter().flat_map(|object| object.polygon) {
        x.include(left);
        y.include(right);
    }
    x.length()?;
    y.length()?;
    Some([x, y])
}
