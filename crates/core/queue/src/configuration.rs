//! A voter configuration as the document publishes it: numbered, and proven by the voters of the one before.
//!
//! How a configuration comes about is the node's (`core/node/src/reconfig.rs`); here is what of it can be checked by
//! anybody who has read the document.

use serde::{Deserialize, Serialize};

use crate::{HostId, QueueId, Voters, member, verify};

/// Configurations between two recoveries. The first number of each era was made by an admin when a majority of the
/// voters was gone for good, all others by the voters before them: so a recovery outranks whatever the old voters may
/// still have decided among themselves.
pub const ERA: u32 = 1 << 20;

impl Voters {
    /// Returns whether an admin made this configuration without the voters before it.
    pub fn is_recovered(&self) -> bool {
        self.cfg > 0 && self.cfg.is_multiple_of(ERA)
    }

    /// Returns how often the queue had been recovered when this configuration was made.
    pub fn era(&self) -> u32 {
        self.cfg / ERA
    }

    /// Returns its number within its era, for people: from 1, and 0 for a recovery.
    pub fn number(&self) -> u32 {
        self.cfg % ERA
    }
}

/// Returns the number of the first configuration of the era after the one of `cfg`; `None` after the last.
pub fn next_era(cfg: u32) -> Option<u32> {
    (cfg / ERA + 1).checked_mul(ERA)
}

/// Returns the number of the configuration after `cfg` that its voters may decide; `None` at the end of an era.
pub fn next_config(cfg: u32) -> Option<u32> {
    cfg.checked_add(1).filter(|next| next / ERA == cfg / ERA)
}

/// A voter's word that it has sealed its configuration: it decides nothing in it any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The voter.
    pub host: HostId,
    /// By its device key, over [`seal_bytes`].
    #[serde(with = "member::signature")]
    pub signature: [u8; 64],
}

/// Returns the exact bytes that a voter signs when it seals the configuration before `next`.
pub fn seal_bytes(queue: QueueId, next: &Voters) -> Vec<u8> {
    let mut bytes = b"printmesh seal 1".to_vec();
    bytes.extend_from_slice(&queue.0);
    bytes.extend_from_slice(&next.cfg.to_be_bytes());
    for host in &next.hosts {
        bytes.extend_from_slice(&host.0);
    }
    bytes
}

/// Returns whether the seals prove that the voters before `next` gave way to it: a majority of them signed.
pub fn is_sealed(queue: QueueId, next: &Voters, seals: &[Seal], before: &[HostId]) -> bool {
    let bytes = seal_bytes(queue, next);
    let signed = before.iter().filter(|host| {
        seals
            .iter()
            .any(|seal| seal.host == **host && verify(&host.0, &bytes, &seal.signature))
    });
    !before.is_empty() && signed.count() > before.len() / 2
}

/// What `meta/voters/<cfg>` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Number and hosts.
    #[serde(flatten)]
    pub voters: Voters,
    /// The word of the voters before it; empty when an admin made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seals: Vec<Seal>,
}
