//! One signed change as it travels and as it lies in the log: an explicit list of operations, its author's signature,
//! and hard limits on everything.
//!
//! Another host's bytes never reach Automerge's own parsers, which can be crashed and bloated; the change is rebuilt
//! here from plain operations and its hash is what the signature covers. Whether it may be applied is not decided here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Author, HostId, QueueId, Timestamp, engine,
    limits::{CHANGE_BYTES_MAX, COUNTER_MAX, DEPS_MAX, KEY_BYTES_MAX, OPS_MAX, SCALAR_BYTES_MAX},
    verify,
};

const FORMAT: u8 = 1;
const DOMAIN: &[u8] = b"printmesh change 1";
const SIGNATURE_BYTES: usize = 64;

/// The hash of a change, which names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChangeHash(pub [u8; 32]);

impl fmt::Display for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeHash({})", &self.to_string()[..8])
    }
}

/// Signs with this host's device key; the daemon hands it in.
pub trait Signer {
    /// Returns the host whose key it is.
    fn host(&self) -> HostId;
    /// Returns the ed25519 signature over `bytes`.
    fn sign(&self, bytes: &[u8]) -> [u8; 64];
}

/// Why bytes are not a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Larger than [`CHANGE_BYTES_MAX`].
    #[error("failed to read a change: {0} bytes are too many")]
    TooLong(usize),
    /// Cut off, or not our encoding.
    #[error("failed to read a change: not the encoding of one")]
    Encoding,
    /// Another format number.
    #[error("failed to read a change: unknown format {0}")]
    Format(u8),
    /// More operations, deps, or a longer key or value than allowed.
    #[error("failed to read a change: {0} over the limit")]
    Limit(&'static str),
    /// The same content can be written in another way.
    #[error("failed to read a change: not in its one valid form")]
    NotCanonical,
}

impl WireError {
    /// Returns the code for logs and tools; it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too-long",
            Self::Encoding => "encoding",
            Self::Format(_) => "format",
            Self::Limit(_) => "limit",
            Self::NotCanonical => "not-canonical",
        }
    }
}

/// Names an operation: its counter and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpId {
    pub(crate) counter: u64,
    pub(crate) author: Author,
}

/// An [`OpId`] as it is written: 0 = the change's author, `n` = `others[n - 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpRef {
    pub(crate) counter: u64,
    pub(crate) author: u32,
}

/// The map that an operation writes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Target {
    /// Made by the genesis change with this counter.
    Genesis(u64),
    /// Made by a change.
    Made(OpRef),
}

/// A plain value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Scalar {
    Text(String),
    Number(u64),
    Flag(bool),
    Bytes(Vec<u8>),
}

/// What an operation does to its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    MakeMap,
    Put(Scalar),
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) target: Target,
    pub(crate) key: String,
    pub(crate) action: Action,
    /// The values that it replaces, ascending.
    pub(crate) pred: Vec<OpRef>,
}

/// A change without its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) format: u8,
    pub(crate) epoch: u64,
    pub(crate) author: Author,
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    pub(crate) time: Timestamp,
    /// Ascending.
    pub(crate) deps: Vec<ChangeHash>,
    /// Other authors that the operations name, ascending.
    pub(crate) others: Vec<Author>,
    pub(crate) ops: Vec<Op>,
}

impl Body {
    /// A body of the current format.
    pub(crate) fn new(
        epoch: u64,
        author: Author,
        seq: u64,
        start_op: u64,
        time: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT,
            epoch,
            author,
            seq,
            start_op,
            time,
            deps: Vec::new(),
            others: Vec::new(),
            ops: Vec::new(),
        }
    }

    /// Who wrote the operation that `op` names; `None` when `others` has no such place.
    pub(crate) fn resolve(&self, op: OpRef) -> Option<OpId> {
        let author = match op.author.checked_sub(1) {
            None => self.author,
            Some(place) => *self.others.get(usize::try_from(place).ok()?)?,
        };
        Some(OpId {
            counter: op.counter,
            author,
        })
    }

    fn check_limits(&self) -> Result<(), WireError> {
        let limit = |good: bool, what| {
            if good {
                Ok(())
            } else {
                Err(WireError::Limit(what))
            }
        };
        limit(
            (1..=OPS_MAX).contains(&self.ops.len()),
            "number of operations",
        )?;
        limit(self.deps.len() <= DEPS_MAX, "number of deps")?;
        limit((1..=COUNTER_MAX).contains(&self.seq), "seq")?;
        limit((1..=COUNTER_MAX).contains(&self.start_op), "start op")?;
        limit(i64::try_from(self.time.0).is_ok(), "time")?;
        for op in &self.ops {
            limit(op.key.len() <= KEY_BYTES_MAX, "key")?;
            let value = match &op.action {
                Action::Put(Scalar::Text(text)) => text.len(),
                Action::Put(Scalar::Bytes(bytes)) => bytes.len(),
                Action::Put(Scalar::Number(_) | Scalar::Flag(_))
                | Action::MakeMap
                | Action::Delete => 0,
            };
            limit(value <= SCALAR_BYTES_MAX, "value")?;
            let made = match op.target {
                Target::Genesis(_) => None,
                Target::Made(id) => Some(id),
            };
            for id in op.pred.iter().copied().chain(made) {
                limit((1..=COUNTER_MAX).contains(&id.counter), "operation counter")?;
                limit(self.resolve(id).is_some(), "author number")?;
            }
        }
        Ok(())
    }

    /// Lists are ascending, no author is named in vain.
    fn is_ordered(&self) -> bool {
        let mut used = vec![false; self.others.len()];
        for op in &self.ops {
            let made = match op.target {
                Target::Genesis(_) => None,
                Target::Made(id) => Some(id),
            };
            for id in op.pred.iter().copied().chain(made) {
                if let Some(place) = id.author.checked_sub(1) {
                    used[place as usize] = true;
                }
            }
            let pred: Vec<_> = op.pred.iter().filter_map(|id| self.resolve(*id)).collect();
            if !pred.is_sorted_by(|a, b| a < b) {
                return false;
            }
        }
        self.deps.is_sorted_by(|a, b| a < b)
            && self.others.is_sorted_by(|a, b| a < b)
            && !self.others.contains(&self.author)
            && used.into_iter().all(|used| used)
    }
}

/// A change with its author's signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedChange {
    /// The encoded body, then the signature.
    bytes: Box<[u8]>,
    author: Author,
    epoch: u64,
    seq: u64,
    hash: ChangeHash,
}

impl SignedChange {
    /// Returns the bytes to keep and to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// Reads a change that somebody else wrote. Never panics, and allocates at most linearly in `bytes`.
    ///
    /// # Errors
    /// [`WireError`]; a good signature is not looked for here, because only the document knows the queue.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > CHANGE_BYTES_MAX {
            return Err(WireError::TooLong(bytes.len()));
        }
        let (encoded, _) = bytes
            .split_last_chunk::<SIGNATURE_BYTES>()
            .ok_or(WireError::Encoding)?;
        match encoded.first() {
            Some(&FORMAT) => {}
            Some(other) => return Err(WireError::Format(*other)),
            None => return Err(WireError::Encoding),
        }
        let (body, rest) =
            postcard::take_from_bytes::<Body>(encoded).map_err(|_| WireError::Encoding)?;
        body.check_limits()?;
        let again = postcard::to_stdvec(&body).map_err(|_| WireError::Encoding)?;
        if !rest.is_empty() || again != encoded || !body.is_ordered() {
            return Err(WireError::NotCanonical);
        }
        let hash = engine::hash(&body).ok_or(WireError::Encoding)?;
        Ok(Self {
            bytes: bytes.into(),
            author: body.author,
            epoch: body.epoch,
            seq: body.seq,
            hash,
        })
    }

    /// Signs a body; `None` when it is over a limit.
    pub(crate) fn sign(
        body: &Body,
        queue: QueueId,
        signer: &dyn Signer,
    ) -> Result<Self, WireError> {
        body.check_limits()?;
        if !body.is_ordered() {
            return Err(WireError::NotCanonical);
        }
        let hash = engine::hash(body).ok_or(WireError::Encoding)?;
        let signature = signer.sign(&signed_bytes(queue, body.epoch, hash));
        let mut bytes = postcard::to_stdvec(body).map_err(|_| WireError::Encoding)?;
        bytes.extend_from_slice(&signature);
        if bytes.len() > CHANGE_BYTES_MAX {
            return Err(WireError::TooLong(bytes.len()));
        }
        Ok(Self {
            bytes: bytes.into(),
            author: body.author,
            epoch: body.epoch,
            seq: body.seq,
            hash,
        })
    }

    /// A change with which an epoch begins: its record vouches for it, nobody signs it.
    pub(crate) fn founding(body: &Body) -> Option<Self> {
        body.check_limits().ok()?;
        let hash = engine::hash(body).filter(|_| body.is_ordered())?;
        let mut bytes = postcard::to_stdvec(body).ok()?;
        bytes.extend_from_slice(&[0; SIGNATURE_BYTES]);
        (bytes.len() <= CHANGE_BYTES_MAX).then_some(Self {
            bytes: bytes.into(),
            author: body.author,
            epoch: body.epoch,
            seq: body.seq,
            hash,
        })
    }

    /// Whether nobody signed it.
    pub(crate) fn is_unsigned(&self) -> bool {
        self.bytes.ends_with(&[0; SIGNATURE_BYTES])
    }

    /// Returns the host that says that it wrote the change.
    pub fn author(&self) -> HostId {
        self.author.host
    }

    /// Returns the host and its boot.
    pub fn chain(&self) -> Author {
        self.author
    }

    /// Returns its number in the chain of its author, from 1.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns its name.
    pub fn hash(&self) -> ChangeHash {
        self.hash
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns how many bytes it takes up.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the author's device key signed it for this queue.
    pub(crate) fn is_signed_for(&self, queue: QueueId) -> bool {
        self.bytes
            .split_last_chunk::<SIGNATURE_BYTES>()
            .is_some_and(|(_, signature)| {
                let bytes = signed_bytes(queue, self.epoch, self.hash);
                verify(&self.author.host.0, &bytes, signature)
            })
    }

    pub(crate) fn body(&self) -> Body {
        let encoded = &self.bytes[..self.bytes.len() - SIGNATURE_BYTES];
        postcard::from_bytes(encoded).expect("it was decoded when it was made")
    }
}

impl fmt::Debug for SignedChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedChange")
            .field("author", &self.author)
            .field("seq", &self.seq)
            .field("hash", &self.hash)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

pub(crate) fn signed_bytes(queue: QueueId, epoch: u64, hash: ChangeHash) -> Vec<u8> {
    [DOMAIN, &queue.0, &epoch.to_be_bytes(), &hash.0].concat()
}
