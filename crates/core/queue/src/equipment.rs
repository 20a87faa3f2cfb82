//! What a printer is and has: model, nozzle, volume, what is loaded. Said by a person, or learned by its host.
//!
//! What is not known is `None`, never a guess; what an unknown means for a file is the scheduler's business.

use serde::{Deserialize, Serialize};

use crate::HostId;

/// What a printer is and has.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Equipment {
    /// Name of its printer profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Its model, like `MK4S`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// It exists only in its host: while nobody has said what it is, it stands for any model.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// Other models whose files it may print, because a person said so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compatible: Vec<String>,
    /// Nozzle diameter in micrometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nozzle_um: Option<u32>,
    /// Of the tools that have another one: the tool, and its diameter in micrometres.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nozzles: Vec<(u32, u32)>,
    /// Whether its nozzle stands abrasive material.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardened: Option<bool>,
    /// What it can reach along x, y and z, in millimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mm: Option<[u32; 3]>,
    /// Hottest that its nozzle may become, in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nozzle_c_max: Option<u32>,
    /// Hottest that its bed may become, in °C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bed_c_max: Option<u32>,
    /// What is loaded, by slot; none = nobody has said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
    /// Profiles with which its host slices models for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slicing: Vec<String>,
    /// Watts that it draws while it heats up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts: Option<u32>,
    /// The circuit that it is on, of the queue's printers; none = the one that all are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<String>,
    /// Words for jobs to ask for, like `enclosure`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Members whose jobs it takes; none = everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_from: Vec<HostId>,
    /// Seconds that it has printed in its life, as far as its host knows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub printed_s: u64,
}

/// Where material is loaded: tool n of a file prints from slot n.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// Its number, from 0.
    pub slot: u32,
    /// Material type, like `PETG`; `None` = it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<String>,
    /// Colour: `rrggbb` in hex digits, or a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// Milligrams left; `None` = nobody has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_mg: Option<u64>,
    /// Its number, where somebody else keeps the stock: material, colour and amount are what that says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Equipment {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the diameter of a tool's nozzle in micrometres.
    pub fn nozzle_of(&self, tool: u32) -> Option<u32> {
        let own = self.nozzles.iter().find(|(other, _)| *other == tool);
        own.map(|(_, um)| *um).or(self.nozzle_um)
    }

    /// Says which nozzle one tool has; `None` = all of them.
    pub fn put_nozzle(&mut self, tool: Option<u32>, um: u32) {
        match tool {
            Some(tool) => {
                self.nozzles.retain(|(other, _)| *other != tool);
                self.nozzles.push((tool, um));
                self.nozzles.sort_unstable();
            }
            None => {
                self.nozzle_um = Some(um);
                self.nozzles.clear();
            }
        }
    }

    /// Returns what is in a slot.
    pub fn slot(&self, slot: u32) -> Option<&Slot> {
        self.slots.iter().find(|other| other.slot == slot)
    }
}
