//! Two changes that one host signed under one number: whoever has both can show to anybody that it tells different hosts
//! different things. Who is to believe what of them is decided elsewhere.

use serde::{Deserialize, Serialize};

use crate::{
    Author, HostId, QueueDocument, QueueId, SignedChange, VersionVector, limits::PROOF_BYTES_MAX,
};

/// Proof that a host signed two histories. It holds for everybody, whatever else they know of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The one with the lower hash comes first: of two hosts that saw the same, both have the same proof.
    first: SignedChange,
    second: SignedChange,
}

#[derive(Serialize, Deserialize)]
struct Written {
    first: Vec<u8>,
    second: Vec<u8>,
}

impl Equivocation {
    /// Takes two changes of a queue; `None` when they prove nothing.
    pub fn of(queue: QueueId, one: &SignedChange, other: &SignedChange) -> Option<Self> {
        let place = |change: &SignedChange| (change.chain(), change.seq(), change.epoch());
        let proves = place(one) == place(other)
            && one.hash() != other.hash()
            && one.is_signed_for(queue)
            && other.is_signed_for(queue);
        let (first, second) = if one.hash() < other.hash() {
            (one, other)
        } else {
            (other, one)
        };
        proves.then(|| Self {
            first: first.clone(),
            second: second.clone(),
        })
    }

    /// Reads a proof and checks it, as anybody may who knows the queue's id; `None` when it proves nothing.
    pub fn read(queue: QueueId, bytes: &[u8]) -> Option<Self> {
        if bytes.len() > PROOF_BYTES_MAX {
            return None;
        }
        let written: Written = postcard::from_bytes(bytes).ok()?;
        let first = SignedChange::from_bytes(&written.first).ok()?;
        let second = SignedChange::from_bytes(&written.second).ok()?;
        Self::of(queue, &first, &second)
    }

    /// Writes it for [`read`](Self::read).
    pub fn to_bytes(&self) -> Vec<u8> {
        let [first, second] = self.changes().map(SignedChange::to_bytes);
        postcard::to_stdvec(&Written { first, second }).expect("plain data always encodes")
    }

    /// Returns who signed both.
    pub fn author(&self) -> HostId {
        self.first.author()
    }

    /// Returns the start of its daemon in which it did.
    pub fn chain(&self) -> Author {
        self.first.chain()
    }

    /// Returns the number that both have.
    pub fn seq(&self) -> u64 {
        self.first.seq()
    }

    /// Whether one of the two is in what an epoch of a document was made of: then nobody knows which, and two hosts that have
    /// as much of everybody need not have the same.
    pub fn is_within(&self, document: &QueueDocument, cut: &VersionVector) -> bool {
        self.first.epoch() == document.epoch().tag() && cut.of(self.chain()) >= self.seq()
    }

    /// Returns the two.
    pub fn changes(&self) -> [&SignedChange; 2] {
        [&self.first, &self.second]
    }
}
