//! Who belongs to a queue, with which role, proven by a certificate that the queue key signed; who was taken out of it.

use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{HostId, QueueId, Timestamp};

/// What a member may do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Sees the queue.
    Observer,
    /// Adds jobs, and changes its own.
    Submitter,
    /// Claims copies for its printers.
    Printer,
    /// Changes, moves and cancels anybody's jobs.
    Operator,
    /// Changes the queue itself, and admits members when it holds the queue key.
    Admin,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 5] = [
        Self::Observer,
        Self::Submitter,
        Self::Printer,
        Self::Operator,
        Self::Admin,
    ];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Submitter => "submitter",
            Self::Printer => "printer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Returns the role with that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Proof that a host is a member; signed by the queue key, so that anybody may carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The queue.
    pub queue: QueueId,
    /// The member.
    pub member: HostId,
    /// Its role.
    pub role: Role,
    /// When it was issued, by the issuer's clock; display only.
    pub issued: Timestamp,
    /// Public half of the invite that was used up, if it came by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<HostId>,
    /// How often somebody decided anew about this member; the highest counts, whatever it says.
    #[serde(default, skip_serializing_if = "is_first")]
    pub turn: u32,
    /// It takes the member out; `role` is what it had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// ed25519 over [`Certificate::signed_bytes`] by the queue key of the epoch in which it was issued.
    #[serde(with = "signature")]
    pub signature: [u8; 64],
}

impl Certificate {
    /// Issues a certificate with the key of a queue's first epoch.
    pub fn issue(
        key: &ed25519_dalek::SigningKey,
        member: HostId,
        role: Role,
        issued: Timestamp,
        invite: Option<HostId>,
    ) -> Self {
        let queue = QueueId(key.verifying_key().to_bytes());
        Self::issue_in(queue, key, member, role, issued, invite)
    }

    /// Issues a certificate with the present key of a queue.
    pub fn issue_in(
        queue: QueueId,
        key: &ed25519_dalek::SigningKey,
        member: HostId,
        role: Role,
        issued: Timestamp,
        invite: Option<HostId>,
    ) -> Self {
        Self {
            queue,
            member,
            role,
            issued,
            invite,
            turn: 0,
            removed: false,
            signature: [0; 64],
        }
        .signed(key)
    }

    /// Signs the same with another key: that of the present epoch.
    pub fn signed_anew(&self, key: &ed25519_dalek::SigningKey) -> Self {
        self.clone().signed(key)
    }

    /// Issues what takes the place of this certificate: another role, or the member's removal.
    pub fn replace(
        &self,
        key: &ed25519_dalek::SigningKey,
        role: Role,
        removed: bool,
        issued: Timestamp,
    ) -> Self {
        Self {
            role,
            issued,
            removed,
            turn: self.turn.saturating_add(1),
            ..self.clone()
        }
        .signed(key)
    }

    fn signed(mut self, key: &ed25519_dalek::SigningKey) -> Self {
        use ed25519_dalek::Signer as _;
        self.signature = key.sign(&self.signed_bytes()).to_bytes();
        self
    }

    /// Returns the exact bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let decided = self.turn > 0 || self.removed;
        let version: &[u8] = match decided {
            false => b"printmesh certificate 1",
            true => b"printmesh certificate 2",
        };
        let mut bytes = version.to_vec();
        bytes.extend_from_slice(&self.queue.0);
        bytes.extend_from_slice(&self.member.0);
        bytes.push(self.role as u8);
        bytes.extend_from_slice(&self.issued.0.to_be_bytes());
        bytes.push(u8::from(self.invite.is_some()));
        bytes.extend_from_slice(&self.invite.map_or([0; 32], |invite| invite.0));
        if decided {
            bytes.extend_from_slice(&self.turn.to_be_bytes());
            bytes.push(u8::from(self.removed));
        }
        bytes
    }

    /// Returns whether it was signed by the first key of `queue`.
    pub fn is_valid_for(&self, queue: QueueId) -> bool {
        self.is_signed_by(queue, &queue.0)
    }

    /// Returns whether it was signed by a key of `queue`: that of its present epoch, say.
    pub fn is_signed_by(&self, queue: QueueId, key: &[u8; 32]) -> bool {
        self.queue == queue && verify(key, &self.signed_bytes(), &self.signature)
    }
}

fn is_first(turn: &u32) -> bool {
    *turn == 0
}

/// Returns whether `key` signed `bytes` (strict: no small-order keys, one valid form).
pub fn verify(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(bytes, &Signature::from_bytes(signature))
            .is_ok()
    })
}

/// A member as the snapshot shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its certificate; of several valid ones the last decision counts, then the highest role, then the earliest.
    pub certificate: Certificate,
    /// Its name as it gives it; the fingerprint when it gave none.
    pub name: String,
    /// It left by itself, or was removed: it takes part in nothing.
    pub left: bool,
}

impl Member {
    /// Returns whether it takes part, with this role or a higher one.
    pub fn may(&self, role: Role) -> bool {
        !self.left && self.certificate.role >= role
    }

    /// Returns whether somebody took it out.
    pub fn is_removed(&self) -> bool {
        self.certificate.removed
    }
}

/// Who decides claims in a queue: one, three or five voters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voters {
    /// Rises by one with each change of the list.
    pub cfg: u32,
    /// The voting hosts.
    pub hosts: Vec<HostId>,
}

impl Voters {
    /// Returns how many answers decide.
    pub fn majority(&self) -> usize {
        self.hosts.len() / 2 + 1
    }
}

pub(crate) mod signature {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 64], s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&data_encoding::BASE64_NOPAD.encode(bytes))
        } else {
            s.serialize_bytes(bytes)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 64], D::Error> {
        let bytes = if d.is_human_readable() {
            data_encoding::BASE64_NOPAD
                .decode(String::deserialize(d)?.as_bytes())
                .map_err(D::Error::custom)?
        } else {
            Vec::<u8>::deserialize(d)?
        };
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("not 64 bytes"))
    }
}
