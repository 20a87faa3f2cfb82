//! How many printers of a circuit may heat up at once, as a queue's settings say. Who does is decided by the voters.

use printmesh_queue::{Between, PrinterId, RunResult, Settings, Snapshot, Timestamp};

use crate::{HEATING_MS, OpenCopy, Start, circuits::Circuits};

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

/// Returns which of these starts could heat at once, and which wait for a place: before them those that wait for one already.
///
/// A print that began a moment ago is taken to heat for [`HEATING_MS`]: who really has a place is known to the voters alone.
pub fn which_heat(snapshot: &Snapshot, now: Timestamp, starts: Vec<Start>) -> Vec<(Start, bool)> {
    let mut circuits = Circuits::new(std::iter::once(snapshot));
    let mut waiting = Vec::new();
    for (copy, claims) in &snapshot.claims {
        for claim in claims
            .values()
            .filter(|claim| claim.record.state.is_active())
        {
            let printer = PrinterId {
                host: claim.host,
                name: claim.record.printer.clone(),
            };
            let mut runs = claim.runs.values();
            let run = runs.find(|run| run.result == RunResult::Started);
            if run.is_some_and(|run| now.0 < run.started.0.saturating_add(HEATING_MS)) {
                circuits.take(&printer);
            }
            let record = snapshot.printers.get(&printer);
            if record.is_some_and(|record| record.between == Some(Between::Heat)) {
                let (copy, attempt) = (*copy, claim.attempt);
                let open = OpenCopy { copy, attempt };
                waiting.push(Start { printer, open });
            }
        }
    }
    let all = waiting.into_iter().chain(starts);
    all.map(|start| {
        let heats = circuits.are_free(&start.printer);
        if heats {
            circuits.take(&start.printer);
        }
        (start, heats)
    })
    .collect()
}
