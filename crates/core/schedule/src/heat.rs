//! How many printers of a circuit may heat up at once, as a queue's settings say. Who does is decided by the voters.

use printmesh_queue::Settings;

/// Watts of one place to heat.
const PLACE_W: u32 = 100;

/// Most places to heat on one circuit.
pub const HEAT_PLACES_MAX: u32 = 256;

/// Returns how many places to heat each circuit has, and how many of them a printer that draws so many watts takes; `None`
/// for the latter when nobody has said how many it draws. Without a limit there is nothing to take.
pub fn heat_places(settings: &Settings, watts: Option<u32>) -> Option<(u32, Option<u32>)> {
    let (slots, budget_w) = (settings.heat_slots, settings.heat_watts);
    if budget_w > 0 {
        let places = (budget_w / PLACE_W).min(HEAT_PLACES_MAX);
        let wants = watts.map(|watts| watts.div_ceil(PLACE_W).max(1));
        Some((places, wants))
    } else if slots > 0 {
        Some((slots.min(HEAT_PLACES_MAX), Some(1)))
    } else {
        None
    }
}
