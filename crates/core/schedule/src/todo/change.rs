//! One change that a person can make to the farm, and what the farm is after it.

use printmesh_queue::{Bed, Between, FileHash, HostId, PrinterId, Slot, Snapshot};

use crate::Presence;

/// One change that a person can make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Starts what waits for printers that do not start prints by themselves: `match`.
    Start,
    /// A printer that was paused takes copies again.
    Resume(PrinterId),
    /// Its bed is empty, and somebody has looked at what halted it.
    Ready(PrinterId),
    /// Somebody says whether its last print is good, and clears its bed.
    Judge(PrinterId),
    /// Something about the printer itself.
    Equip(PrinterId, Act),
    /// It answers its host again: power, cable.
    Connect(PrinterId),
    /// A file that no host that can be reached has is here.
    Find(FileHash),
    /// A host can be reached again.
    Reach(HostId),
}

/// A change at a printer that is free otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// This is loaded, how much of it nobody says. Without a material: whatever there is of that colour.
    Load(Slot),
    /// This nozzle is in; `None` stays.
    Nozzle {
        /// In which tool, where they differ.
        tool: Option<u32>,
        /// Micrometres.
        um: Option<u32>,
        /// It stands abrasive material.
        hardened: Option<bool>,
    },
    /// Somebody says that it is of this model, if it is.
    Model(String),
}

impl Change {
    /// Makes the change.
    pub fn apply(&self, snapshot: &mut Snapshot, presence: &mut Presence) {
        match self {
            Self::Start => {
                let records = snapshot.printers.values_mut();
                records.for_each(|record| record.autoprint = true);
                snapshot.settings.autoprint = true;
            }
            Self::Find(file) => _ = presence.missing.remove(file),
            Self::Reach(host) => {
                presence.reachable.insert(*host);
                presence.gone_ms.remove(host);
                if presence.has_quorum(&snapshot.voters) {
                    presence.voters_away_ms = None;
                }
            }
            Self::Resume(id)
            | Self::Ready(id)
            | Self::Judge(id)
            | Self::Connect(id)
            | Self::Equip(id, _) => {
                let Some(record) = snapshot.printers.get_mut(id) else {
                    return;
                };
                match self {
                    Self::Resume(_) => {
                        record.paused = None;
                        record.set_aside = false;
                    }
                    Self::Ready(_) => {
                        record.bed = Bed::Clear;
                        if matches!(
                            record.between,
                            Some(Between::Cooling(_) | Between::NoBedTemperature(_))
                        ) {
                            record.between = None;
                        }
                        // Who looks at a machine that halted connects to it anew.
                        record.online |= record.fault.take().is_some();
                    }
                    // What the print was of is as good as made: it is no other one's any more.
                    Self::Judge(_) => {
                        record.bed = Bed::Clear;
                        record.between = None;
                        presence.busy.remove(id);
                    }
                    Self::Connect(_) => record.online = true,
                    Self::Equip(_, act) => act.apply(&mut record.equipment),
                    Self::Start | Self::Find(_) | Self::Reach(_) => {}
                }
            }
        }
    }

    /// Printers whose records it changes.
    pub(super) fn printers(&self, snapshot: &Snapshot) -> Vec<PrinterId> {
        match self {
            Self::Resume(id)
            | Self::Ready(id)
            | Self::Judge(id)
            | Self::Connect(id)
            | Self::Equip(id, _) => {
                vec![id.clone()]
            }
            Self::Start => snapshot.printers.keys().cloned().collect(),
            Self::Find(_) | Self::Reach(_) => Vec::new(),
        }
    }

    /// The printer that it is made at.
    pub fn printer(&self) -> Option<&PrinterId> {
        match self {
            Self::Resume(id)
            | Self::Ready(id)
            | Self::Judge(id)
            | Self::Connect(id)
            | Self::Equip(id, _) => Some(id),
            Self::Start | Self::Find(_) | Self::Reach(_) => None,
        }
    }

    /// How much work it is, compared with the others.
    pub(super) fn effort(&self) -> u32 {
        match self {
            Self::Start => 0,
            Self::Resume(_) => 1,
            Self::Ready(_) => 2,
            Self::Judge(_) => 2,
            Self::Equip(_, Act::Model(_)) => 3,
            Self::Equip(_, Act::Load(_)) => 4,
            Self::Equip(_, Act::Nozzle { .. }) => 5,
            Self::Connect(_) => 6,
            Self::Find(_) => 7,
            Self::Reach(_) => 8,
        }
    }
}

impl Act {
    pub(super) fn apply(&self, equipment: &mut printmesh_queue::Equipment) {
        match self {
            Self::Load(slot) => {
                equipment.slots.retain(|other| other.slot != slot.slot);
                equipment.slots.push(slot.clone());
                equipment.slots.sort_by_key(|slot| slot.slot);
            }
            Self::Nozzle { tool, um, hardened } => {
                if let Some(um) = um {
                    equipment.put_nozzle(*tool, *um);
                }
                equipment.hardened = hardened.or(equipment.hardened);
            }
            Self::Model(model) => equipment.model = Some(model.clone()),
        }
    }
}
