//! What can go wrong with files.

use std::{fmt, io};

use thiserror::Error;

use super::FileHash;
use crate::peer_key::PeerKey;

/// Why something could not be done with a file here.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file is not in the store, or not whole.
    #[error("file {} is not here", Short(hash))]
    Missing {
        /// Which one.
        hash: FileHash,
    },
    /// The stored bytes are no longer those that were stored.
    #[error("file {} is damaged on disk", Short(hash))]
    Damaged {
        /// Which one.
        hash: FileHash,
    },
    /// More bytes than allowed.
    #[error("there are more than {size_max} bytes")]
    TooLarge {
        /// What is allowed, in bytes.
        size_max: u64,
    },
    /// The system refused. A full disk comes as [`io::ErrorKind::StorageFull`].
    #[error("failed to {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The store refused.
    #[error("failed to {what}: {reason}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// What the store said.
        reason: String,
    },
}

impl FileError {
    /// Keeps the system's error where the store passes one on, so that a full disk can be told from the rest.
    pub(super) fn store(what: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        match io_kind(error) {
            Some(kind) => Self::Io {
                what,
                source: io::Error::new(kind, chain(error)),
            },
            None => Self::Store {
                what,
                reason: chain(error),
            },
        }
    }
}

/// Returns the kind of the first telling system error in the chain of causes.
pub(super) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && io.kind() != io::ErrorKind::Other
        {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// Returns the error and its causes in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// Why a file did not come.
#[derive(Debug, Error)]
pub enum FetchError {
    /// None of the hosts that were asked gave the whole file. What came is kept, and the next fetch goes on from there.
    #[error("nobody has file {}: {}", Short(hash), Answers(asked))]
    NobodyHasIt {
        /// Which file.
        hash: FileHash,
        /// Who was asked, and what became of it; empty when there was nobody to ask.
        asked: Vec<Asked>,
    },
    /// The file is larger than it was said to be. Nothing more was fetched.
    #[error(
        "file {} has {size} bytes, more than the {size_max} that were announced",
        Short(hash)
    )]
    TooLarge {
        /// Which file.
        hash: FileHash,
        /// Its real, verified length in bytes.
        size: u64,
        /// What was announced, in bytes.
        size_max: u64,
    },
    /// This host could not store it.
    #[error(transparent)]
    Here(#[from] FileError),
}

/// A host that was asked for a file in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub peer: PeerKey,
    /// What came of it, for people.
    pub answer: String,
}

struct Short<'a>(&'a FileHash);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..5]))
    }
}

struct Answers<'a>(&'a [Asked]);

impl fmt::Display for Answers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("there was nobody to ask");
        }
        for (index, Asked { peer, answer }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{peer:?}: {answer}")?;
        }
        Ok(())
    }
}
