//! Epochs of a queue: the signed record that ends one and begins the next, and the chain of them that proves to a member
//! which was away that the present one is the right one.
//!
//! What the new document begins with is `compact`'s; how a host gets over is the node's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Author, Certificate, ChangeHash, HostId, QueueId, Signer, Timestamp, VersionVector,
    limits::{FOUNDING_MAX, LINEAGE_MAX, RECORD_BYTES_MAX},
    member::signature,
    verify,
};

/// The boot under which founding changes stand: no start of a daemon ever has it.
pub(crate) const FOUNDING_BOOT: u64 = u64::MAX;
/// First byte of the log entry that holds the lineage; a change begins with its format, 1.
pub(crate) const LINEAGE_ENTRY: u8 = 2;
const DOMAIN: &[u8] = b"printmesh epoch 1";

/// Names an epoch: the hash of its record, zeros for the first one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EpochHash(pub [u8; 32]);

impl std::fmt::Debug for EpochHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = data_encoding::HEXLOWER.encode(&self.0[..4]);
        write!(f, "EpochHash({text})")
    }
}

/// An epoch as hosts name it to one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochId {
    /// Counted from 0.
    pub number: u64,
    /// Its record.
    pub hash: EpochHash,
}

impl EpochId {
    /// Returns what a change is signed for: two epochs of one number, begun on two sides of a cut network, are two things, and
    /// who writes in one and then in the other tells nobody two stories.
    pub(crate) fn tag(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.hash.0[..8]);
        match self.number {
            0 => 0,
            _ => u64::from_be_bytes(first),
        }
    }
}

/// What begins an epoch, and ends the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The queue, by the key of its first epoch.
    pub queue: QueueId,
    /// Counted from 0; this one is at least 1.
    pub number: u64,
    /// The record of the epoch before.
    pub parent: EpochHash,
    /// Public half of the queue key from now on.
    pub key: [u8; 32],
    /// What of the epoch before is in this one: everything else is carried over by its authors.
    pub cut: VersionVector,
    /// The last of the founding changes, which each follow the one before.
    pub founded: ChangeHash,
    /// How many founding changes there are.
    pub count: u32,
    /// By the clock of its author.
    pub time: Timestamp,
    /// Members that were removed, or took a lower role, in the epoch before: they begin no epoch in its place. Ascending.
    pub out: Vec<HostId>,
    /// Whose record it is.
    pub author: HostId,
    /// By the queue key of the epoch before.
    #[serde(with = "signature")]
    pub by_key: [u8; 64],
    /// By the device key of its author.
    #[serde(with = "signature")]
    pub by_device: [u8; 64],
}

/// Why an epoch is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EpochRefusal {
    /// Not a record, out of order, or over a limit.
    #[error("its record is not one, or over a limit")]
    Malformed,
    /// For another queue, or it begins after what is known here.
    #[error("its records do not begin where this host stands")]
    Unconnected,
    /// The queue key of the epoch before did not sign it.
    #[error("the queue key did not sign it")]
    WrongKey,
    /// The device of its author did not sign it.
    #[error("its author did not sign it")]
    BadSignature,
    /// Its author is no admin, or was put out.
    #[error("its author is not an admin")]
    NotAdmin,
    /// The founding changes are not the ones that its record names.
    #[error("what it begins with is not what its record says")]
    FoundingMismatch,
    /// This host has everything that it was made of, and comes to something else.
    #[error("what it begins with is not what the epoch before ended with")]
    Forged,
    /// Each of two admins put the other one out: no rule says who is right.
    #[error("its author was put out here, and this queue's author there")]
    Split,
}

impl EpochRefusal {
    /// Returns the code for logs and tools; it never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "epoch-malformed",
            Self::Unconnected => "epoch-unconnected",
            Self::WrongKey => "epoch-key",
            Self::BadSignature => "epoch-signature",
            Self::NotAdmin => "epoch-author",
            Self::FoundingMismatch => "epoch-founding",
            Self::Forged => "epoch-forged",
            Self::Split => "epoch-split",
        }
    }
}

impl EpochRecord {
    /// Signs a record with the key of the epoch before and with the author's device.
    pub(crate) fn signed(
        mut self,
        key: &ed25519_dalek::SigningKey,
        signer: &dyn Signer,
    ) -> Option<Self> {
        use ed25519_dalek::Signer as _;
        let bytes = self.signed_bytes();
        self.by_key = key.sign(&bytes).to_bytes();
        self.by_device = signer.sign(&bytes);
        (self.to_bytes().len() <= RECORD_BYTES_MAX).then_some(self)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let parts = (
            (self.queue, self.number, self.parent, self.key, &self.cut),
            (self.founded, self.count, self.time, &self.out, self.author),
        );
        let plain = postcard::to_stdvec(&parts).expect("plain data always encodes");
        [DOMAIN, &plain].concat()
    }

    /// Returns its name.
    pub fn hash(&self) -> EpochHash {
        EpochHash(*blake3::hash(&self.signed_bytes()).as_bytes())
    }

    /// Returns the epoch that it begins.
    pub fn id(&self) -> EpochId {
        EpochId {
            number: self.number,
            hash: self.hash(),
        }
    }

    /// Returns the bytes to keep and to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data always encodes")
    }

    /// Reads a record; nothing is verified. `None` when it is none, or too long.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > RECORD_BYTES_MAX {
            return None;
        }
        let record: Self = postcard::from_bytes(bytes).ok()?;
        let fine = (1..=FOUNDING_MAX).contains(&record.count)
            && record.number > 0
            && record.out.is_sorted_by(|a, b| a < b);
        (fine && record.to_bytes() == bytes).then_some(record)
    }

    /// Asks whether it follows an epoch with that key.
    fn follows(&self, queue: QueueId, before: EpochId, key: &[u8; 32]) -> Result<(), EpochRefusal> {
        let next = before.number.checked_add(1) == Some(self.number);
        if self.queue != queue || self.parent != before.hash || !next {
            return Err(EpochRefusal::Unconnected);
        }
        let bytes = self.signed_bytes();
        if !verify(key, &bytes, &self.by_key) {
            return Err(EpochRefusal::WrongKey);
        }
        if !verify(&self.author.0, &bytes, &self.by_device) {
            return Err(EpochRefusal::BadSignature);
        }
        Ok(())
    }
}

/// Where trust in a chain of records begins: an epoch whose key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The epoch.
    pub id: EpochId,
    /// Public half of its queue key.
    pub key: [u8; 32],
}

impl Anchor {
    /// The first epoch of a queue, whose key is its name.
    pub fn first(queue: QueueId) -> Self {
        Self {
            id: EpochId::default(),
            key: queue.0,
        }
    }

    fn of(record: &EpochRecord) -> Self {
        Self {
            id: record.id(),
            key: record.key,
        }
    }
}

/// Records in their order, each following the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lineage(pub(crate) Vec<EpochRecord>);

impl Lineage {
    /// Verifies the records that follow the anchor, if it is among what they follow; the ones before it prove nothing
    /// and are dropped.
    pub(crate) fn verified(
        queue: QueueId,
        anchor: Anchor,
        records: Vec<EpochRecord>,
    ) -> Result<Vec<EpochRecord>, EpochRefusal> {
        if records.is_empty() || records.len() > LINEAGE_MAX {
            return Err(EpochRefusal::Malformed);
        }
        let from = records
            .iter()
            .position(|record| record.parent == anchor.id.hash)
            .ok_or(EpochRefusal::Unconnected)?;
        let records: Vec<_> = records.into_iter().skip(from).collect();
        let mut before = anchor;
        for record in &records {
            record.follows(queue, before.id, &before.key)?;
            before = Anchor::of(record);
        }
        Ok(records)
    }

    /// Goes on with what was verified, and forgets what is too long ago.
    pub(crate) fn and(&self, from: EpochHash, records: Vec<EpochRecord>) -> Self {
        let mut all: Vec<EpochRecord> = match self.0.iter().position(|r| r.parent == from) {
            Some(at) => self.0[..at].to_vec(),
            None => self.0.clone(),
        };
        all.extend(records);
        let too_many = all.len().saturating_sub(LINEAGE_MAX);
        all.drain(..too_many);
        Self(all)
    }

    /// The epochs that it knows: the one that its first record follows, and its own.
    pub(crate) fn anchors(&self, queue: QueueId) -> Vec<Anchor> {
        let first = Anchor::first(queue);
        let begins = self.0.first().is_none_or(|record| record.number == 1);
        let first = begins.then_some(first).into_iter();
        first.chain(self.0.iter().map(Anchor::of)).collect()
    }

    /// The log entry that holds it.
    pub(crate) fn to_entry(&self) -> Vec<u8> {
        let mut entry = vec![LINEAGE_ENTRY];
        entry.extend(postcard::to_stdvec(&self.0).expect("plain data always encodes"));
        entry
    }

    pub(crate) fn from_entry(entry: &[u8]) -> Option<Self> {
        let (first, rest) = entry.split_first()?;
        (*first == LINEAGE_ENTRY).then_some(())?;
        let records: Vec<EpochRecord> = postcard::from_bytes(rest).ok()?;
        (!records.is_empty()).then_some(Self(records))
    }
}

/// Which of two ways a queue went from one epoch counts: `theirs` or the one that this host is on.
///
/// Whoever was put out on one way and not on the other one has lost. Of two ways that put each other's authors out the one counts on
/// which a third admin has put its own author out as well: neither of the two wins by it. If both have, and otherwise, the lower
/// hash of the first record counts, on every host alike. If neither has, it is not judged.
pub(crate) fn theirs_count(
    mine: &[EpochRecord],
    theirs: &[EpochRecord],
    out_here: &BTreeSet<HostId>,
) -> Result<bool, EpochRefusal> {
    let out = |way: &[EpochRecord]| -> BTreeSet<HostId> {
        let out = way.iter().flat_map(|record| &record.out);
        out.copied().collect()
    };
    let (out_mine, out_theirs) = (out(mine), out(theirs));
    let known = out_mine.union(out_here).copied().collect();
    // Its authors that the other way puts out, and whether it has put them all out itself.
    let lost = |way: &[EpochRecord], by: &BTreeSet<HostId>| {
        way.iter().any(|record| by.contains(&record.author))
    };
    let unrepaired = |way: &[EpochRecord], by: &BTreeSet<HostId>, own: &BTreeSet<HostId>| {
        way.iter()
            .any(|record| by.contains(&record.author) && !own.contains(&record.author))
    };
    let verdict = match (lost(theirs, &known), lost(mine, &out_theirs)) {
        (true, true) => (
            unrepaired(theirs, &known, &out_theirs),
            unrepaired(mine, &out_theirs, &out_mine),
        ),
        one => one,
    };
    match verdict {
        (true, true) => Err(EpochRefusal::Split),
        (true, false) => Err(EpochRefusal::NotAdmin),
        (false, true) => Ok(true),
        (false, false) => {
            let first = |way: &[EpochRecord]| way.first().map(EpochRecord::hash);
            Ok(match (first(mine), first(theirs)) {
                (None, Some(_)) => true,
                (Some(mine), Some(theirs)) => theirs < mine,
                (Some(_) | None, None) => false,
            })
        }
    }
}

/// What certificates are held against: the queue, the key of the present epoch, and what the epoch began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) queue: QueueId,
    pub(crate) epoch: EpochId,
    pub(crate) key: [u8; 32],
    /// Certificates of earlier epochs that are good in this one, as they are written.
    pub(crate) founding: BTreeSet<String>,
}

impl Authority {
    /// That of a queue's first epoch.
    pub(crate) fn first(queue: QueueId) -> Self {
        Self {
            queue,
            epoch: EpochId::default(),
            key: queue.0,
            founding: BTreeSet::new(),
        }
    }

    /// Whether a certificate is good in this epoch, as it is written.
    pub(crate) fn vouches_for(&self, certificate: &Certificate, written: &str) -> bool {
        certificate.queue == self.queue
            && (self.founding.contains(written) || certificate.is_signed_by(self.queue, &self.key))
    }
}

/// Whether an author wrote founding changes.
pub(crate) fn is_founding(author: Author) -> bool {
    author.boot == FOUNDING_BOOT
}
