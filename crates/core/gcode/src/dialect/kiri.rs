//! Kiri:Moto: `; Target:` and `; Bed` in a preamble, its process as `; key = value`, totals between dashes at the end.
//!
//! It states neither material nor nozzle nor weight. The preamble may stand at the start or at the end.

use crate::{Bed, draft::Draft, value};

pub(super) fn read(key: &str, value: &str, draft: &mut Draft) {
    let metadata = &mut draft.metadata;
    match key {
        "Target" => metadata.printer_model = value::text(value),
        "sliceHeight" => metadata.layer_height_mm = value::positive(value),
        "outputTemp" => draft.nozzle_c = vec![value::celsius(value)],
        "outputBedTemp" => draft.bed_c = vec![value::celsius(value)],
        "firstLayerNozzleTemp" => draft.nozzle_first_c = vec![value::celsius(value)],
        "firstLayerBedTemp" => draft.bed_first_c = vec![value::celsius(value)],
        _ => {}
    }
}

/// `Bed left:0 right:220 top:220 bottom:0`, `--- filament used: 1234.5 mm ---`, `--- print time: 5400s ---`.
pub(super) fn comment(comment: &str, draft: &mut Draft) {
    let comment = comment.trim_start_matches(';').trim();
    if let Some(stated) = comment.strip_prefix("Bed left:") {
        draft.metadata.bed = bed(stated);
        return;
    }
    let stated = comment
        .strip_prefix("--- ")
        .and_then(|rest| rest.strip_suffix(" ---"));
    let Some((key, value)) = stated.and_then(|stated| stated.split_once(':')) else {
        return;
    };
    match key {
        "filament used" => draft.metadata.filament_mm = value::positive(value),
        "print time" => draft.metadata.time_s = value::duration_s(value),
        _ => {}
    }
}

fn bed(stated: &str) -> Option<Bed> {
    let mut sides = stated.split_ascii_whitespace().map(|word| {
        let number = word.split(':').next_back()?;
        value::number(number)
    });
    let mut next = || sides.next().flatten();
    let (left, right, top, bottom) = (next()?, next()?, next()?, next()?);
    let (width_mm, depth_mm) = ((right - left).abs(), (top - bottom).abs());
    (width_mm > 0.0 && depth_mm > 0.0).then_some(Bed {
        width_mm,
        depth_mm,
        height_mm: None,
    })
}
