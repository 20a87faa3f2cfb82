//! What members say to one another, as postcard bytes. Everything here is checked again by who receives it.

use std::net::SocketAddr;

use printmesh_queue::{
    Ballot, ChangeHash, CopyId, EpochHash, EpochId, HostId, QueueId, VersionVector,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::{
    config_message::ConfigMessage,
    limits::MESSAGE_BYTES_MAX,
    memory::Told,
    register::{Nack, Value},
};

/// The first bytes of a member's key.
pub type Tag = [u8; 4];

/// A message between two connected members. New kinds are added at the end: old hosts skip what they cannot read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// What the sender has; the receiver answers with what is missing.
    Have {
        /// The queue.
        queue: QueueId,
        /// The sender's epoch.
        epoch: EpochId,
        /// Newest change per author.
        vector: VersionVector,
    },
    /// Signed changes, in causal order.
    Changes {
        /// The queue.
        queue: QueueId,
        /// The epoch of which they are.
        epoch: EpochHash,
        /// Encoded changes.
        #[serde(with = "crate::bytes")]
        changes: Vec<Vec<u8>>,
        /// Members that the sender sees to: they have these changes from it, or from whom it has them.
        also: Vec<Tag>,
    },
    /// A claim, first phase: asks a voter.
    Prepare(Ask),
    /// A claim, second phase: asks a voter to let it start.
    Accept(Ask),
    /// The proposer gave up before the start.
    Abort {
        /// The queue.
        queue: QueueId,
        /// Copies and attempts.
        units: Vec<(CopyId, u32)>,
        /// The ballot.
        ballot: Ballot,
    },
    /// A voter promised.
    Promise(Reply),
    /// A voter accepted.
    Accepted(Reply),
    /// A voter refused.
    Refused {
        /// What was asked.
        reply: Reply,
        /// Whether the second phase was asked.
        starting: bool,
        /// The unit that stood in the way.
        unit: (CopyId, u32),
        /// Why.
        nack: Nack,
    },
    /// A holder is alive, and this is how far it is. Never stored.
    Beat(Beat),
    /// Where the sender met other members: a hint, used only for hosts that are members.
    Addresses {
        /// Hosts and where they were.
        hosts: Vec<(HostId, Vec<SocketAddr>)>,
    },
    /// Before a print heats on a decision that is not fresh: asks a voter whether it gave the attempt up.
    Confirm {
        /// The queue.
        queue: QueueId,
        /// Voter configuration that the holder knows.
        cfg: u32,
        /// The copy.
        copy: CopyId,
        /// The attempt.
        attempt: u32,
        /// Drawn by the holder for this round: an answer to an older one says nothing about now.
        round: u64,
    },
    /// A voter's answer to `Confirm`.
    Confirmed {
        /// The queue.
        queue: QueueId,
        /// The round.
        round: u64,
        /// Why not; none = the voter did not give it up.
        nack: Option<Nack>,
    },
    /// About the voters of a queue.
    Config(ConfigMessage),
    /// On connecting, and when something is wrong: what the sender says of itself, and what the receiver told it.
    Memory {
        /// How much the sender has said.
        mine: Told,
        /// How much the receiver has said, by its own signature.
        yours: Option<Told>,
        /// This is all that the sender remembers of the receiver.
        vouches: bool,
    },
    /// The receiver became an admin: with this it lets others in.
    Key {
        /// The queue.
        queue: QueueId,
        /// Its key.
        key: QueueKey,
    },
    /// How the queue came to the sender's epoch; who has gone less far, or elsewhere, judges it.
    Epoch {
        /// The queue.
        queue: QueueId,
        /// Encoded records, each following the one before.
        #[serde(with = "crate::bytes")]
        records: Vec<Vec<u8>>,
    },
    /// Asks for what an epoch begins with.
    WantFounding {
        /// The queue.
        queue: QueueId,
        /// The epoch.
        epoch: EpochHash,
    },
    /// Some of what an epoch begins with.
    Founding {
        /// The queue.
        queue: QueueId,
        /// The epoch.
        epoch: EpochHash,
        /// Position of the first of these.
        from: u32,
        /// Encoded changes.
        #[serde(with = "crate::bytes")]
        changes: Vec<Vec<u8>>,
    },
    /// A printer is done with its places to heat: tells a voter.
    Free {
        /// The queue.
        queue: QueueId,
        /// The places and turns; none = all that the ballot's printer has, because a person says so.
        units: Vec<(CopyId, u32)>,
        /// With which it asked for them.
        ballot: Ballot,
    },
    /// The voter knows.
    Freed {
        /// The queue.
        queue: QueueId,
        /// The ballot of `Free`.
        ballot: Ballot,
    },
    /// A member signed two histories: a proof that anybody can check.
    Proof {
        /// The queue.
        queue: QueueId,
        /// As [`printmesh_queue::Equivocation::to_bytes`] wrote it.
        #[serde(with = "serde_bytes")]
        proof: Vec<u8>,
    },
    /// Asks for changes by name: numbers do not tell them from others of the same author, if that one signed two histories.
    Want {
        /// The queue.
        queue: QueueId,
        /// The changes.
        changes: Vec<ChangeHash>,
    },
}

/// The secret half of a queue's id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueKey(pub(crate) [u8; 32]);

/// Nothing of it stays in memory.
impl Drop for QueueKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for QueueKey {
    /// Never shows it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueKey")
    }
}

/// What is asked of a voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The queue.
    pub queue: QueueId,
    /// Voter configuration that the proposer knows.
    pub cfg: u32,
    /// Copies and attempts; all or none.
    pub units: Vec<(CopyId, u32)>,
    /// The ballot.
    pub ballot: Ballot,
    /// What is to be decided.
    pub value: Value,
    /// How much the proposer has said, this included.
    pub told: Option<Told>,
}

/// Which question a voter answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The queue.
    pub queue: QueueId,
    /// The ballot that asked.
    pub ballot: Ballot,
    /// The configuration in which it was asked: an answer counts in no other.
    pub cfg: u32,
    /// How much the voter has said, with a yes.
    pub told: Option<Told>,
}

/// A sign of life from the holder of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// The queue.
    pub queue: QueueId,
    /// The copy.
    pub copy: CopyId,
    /// The attempt.
    pub attempt: u32,
    /// The claim's ballot.
    pub ballot: Ballot,
    /// 0 to 1, while fetching or printing.
    pub progress: Option<f32>,
    /// Seconds that are left of everything that is to be printed under the claim.
    pub left_s: Option<u64>,
    /// Rises with every beat of the host, also over its restarts: an old beat that arrives late is no sign of life.
    pub seq: u64,
}

impl Message {
    /// Writes it.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data always encodes")
    }

    /// Reads it; `None` when it is too long, cut, or of a kind that this version does not know.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return None;
        }
        postcard::from_bytes(bytes).ok()
    }
}
