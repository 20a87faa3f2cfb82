//! What a length of filament weighs, for slicers that say only how long it is.

/// Diameter of filament where nobody says it, in millimetres: what nearly all machines take.
const DIAMETER_MM: f64 = 1.75;
/// Diameter of filament of machines by Ultimaker, in millimetres.
pub(crate) const DIAMETER_ULTIMAKER_MM: f64 = 2.85;

/// Grams per cubic centimetre: from the generic materials of Cura (`Ultimaker/fdm_materials`, 2026-04-14).
const DENSITIES: [(&str, f64); 13] = [
    ("ABS", 1.10),
    ("ASA", 1.06),
    ("BAM", 1.22),
    ("CPE", 1.27),
    ("CPE+", 1.18),
    ("NYLON", 1.14),
    ("PA", 1.14),
    ("PC", 1.19),
    ("PETG", 1.27),
    ("PLA", DENSITY_PLA),
    ("PP", 0.89),
    ("PVA", 1.23),
    ("TPU", 1.22),
];
/// What is not said, or not in the list, is weighed as PLA.
const DENSITY_PLA: f64 = 1.24;

/// Returns how many millimetres of filament so many cubic millimetres are.
pub(crate) fn length_mm(volume_mm3: f64, diameter_mm: f64) -> f64 {
    volume_mm3 / area_mm2(diameter_mm)
}

/// Returns what so many millimetres of a material weigh, in grams, printed by that model.
pub(crate) fn grams(length_mm: f64, material: Option<&str>, model: Option<&str>) -> f64 {
    let named = |name: &str| material.is_some_and(|said| said.trim().eq_ignore_ascii_case(name));
    let known = DENSITIES.iter().find(|(name, _)| named(name));
    let density = known.map_or(DENSITY_PLA, |(_, density)| *density);
    let ultimaker = model.is_some_and(|model| model.trim().to_lowercase().starts_with("ultimaker"));
    let diameter_mm = match ultimaker {
        true => DIAMETER_ULTIMAKER_MM,
        false => DIAMETER_MM,
    };
    length_mm * area_mm2(diameter_mm) / 1000.0 * density
}

fn area_mm2(diameter_mm: f64) -> f64 {
    std::f64::consts::PI * diameter_mm * diameter_mm / 4.0
}
