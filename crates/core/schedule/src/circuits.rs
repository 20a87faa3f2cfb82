//! Places to heat: which printers share them, and which are taken.

use std::collections::BTreeMap;

use printmesh_queue::{PrinterId, Snapshot};

use crate::heat_places;

/// Which printers share places to heat, and how many of them are taken.
#[derive(Default)]
pub(crate) struct Circuits {
    /// Of each circuit of each queue with a limit: places, and how many are taken.
    places: Vec<(u32, u32)>,
    /// What a printer takes: so many places of these circuits.
    wants: BTreeMap<PrinterId, Vec<(usize, u32)>>,
}

impl Circuits {
    pub(crate) fn new<'s>(snapshots: impl Iterator<Item = &'s Snapshot>) -> Self {
        let mut circuits = Self::default();
        for snapshot in snapshots {
            let mut known = BTreeMap::new();
            for (id, record) in snapshot.present_printers() {
                let equipment = &record.equipment;
                let limit = heat_places(&snapshot.settings, equipment.watts);
                let Some((places, wants)) = limit else {
                    continue;
                };
                let circuit = equipment.circuit.as_deref().unwrap_or_default();
                let at = *known.entry(circuit).or_insert_with(|| {
                    circuits.places.push((places, 0));
                    circuits.places.len() - 1
                });
                // More than there are: who does not say what it draws never heats.
                let wants = wants.unwrap_or(u32::MAX);
                circuits
                    .wants
                    .entry(id.clone())
                    .or_default()
                    .push((at, wants));
            }
        }
        circuits
    }

    /// Whether a printer needs places to heat at all.
    pub(crate) fn limits(&self, printer: &PrinterId) -> bool {
        self.wants.contains_key(printer)
    }

    /// Whether a printer could have its places now.
    pub(crate) fn are_free(&self, printer: &PrinterId) -> bool {
        self.of(printer).all(|(at, wants)| {
            let (places, taken) = self.places[at];
            taken.saturating_add(wants) <= places
        })
    }

    /// A printer has its places.
    pub(crate) fn take(&mut self, printer: &PrinterId) {
        for (at, wants) in self.of(printer).collect::<Vec<_>>() {
            let (places, taken) = &mut self.places[at];
            *taken += wants.min(*places);
        }
    }

    /// A printer is hot.
    pub(crate) fn give_back(&mut self, printer: &PrinterId) {
        for (at, wants) in self.of(printer).collect::<Vec<_>>() {
            let (places, taken) = &mut self.places[at];
            *taken -= wants.min(*places);
        }
    }

    fn of(&self, printer: &PrinterId) -> impl Iterator<Item = (usize, u32)> {
        self.wants.get(printer).into_iter().flatten().copied()
    }
}
