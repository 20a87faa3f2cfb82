//! What can go wrong with the state database, in the words of somebody who has to do something about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::disk::is_disk_full;

/// What the storage engine said; for the log, not for decisions.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Fault(redb::Error);

/// Why the state database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open: another daemon on this home.
    #[error("the state database is in use by another process")]
    InUse,
    /// Others can read it: the keys in it may be known to them.
    #[error("{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")]
    OpenToOthers {
        /// The database's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The place where it belongs cannot be written.
    #[error("failed to open {path} for writing")]
    NotWritable {
        /// The database's file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A newer version of this program has written it.
    #[error("the state database has format {found}, this version knows {known}: upgrade printmesh")]
    NewerFormat {
        /// The format of the file.
        found: u64,
        /// The newest format that this version reads.
        known: u64,
    },
    /// The file is not what we wrote: cut, overwritten, or another program's.
    #[error("the state database {path} is damaged")]
    Damaged {
        /// The database's file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Fault,
    },
    /// There is no room to create or repair it.
    #[error("no space left on the disk of {path}")]
    DiskFull {
        /// The database's file.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("failed to read or write {path}")]
    Io {
        /// The database's file.
        path: PathBuf,
        /// What the storage engine said.
        #[source]
        source: Fault,
    },
}

impl OpenError {
    pub(super) fn from_redb(path: &Path, error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Io(error) => Self::from_io(path, error),
            redb::Error::PreviousIo
            | redb::Error::DatabaseClosed
            | redb::Error::LockPoisoned(_) => Self::Io {
                path: path.to_owned(),
                source: Fault(error),
            },
            // What remains says that the content is wrong: corrupt pages, tables of another type, an unknown file format.
            error => Self::Damaged {
                path: path.to_owned(),
                source: Fault(error),
            },
        }
    }

    pub(super) fn from_io(path: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;

        let path = path.to_owned();
        match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => Self::DiskFull { path },
            Kind::InvalidData | Kind::UnexpectedEof => Self::Damaged {
                path,
                source: Fault(error.into()),
            },
            Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::NotFound
            | Kind::NotADirectory
            | Kind::IsADirectory => Self::NotWritable {
                path,
                source: error,
            },
            _ => Self::Io {
                path,
                source: Fault(error.into()),
            },
        }
    }

    pub(super) fn damaged(path: &Path, what: &str) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            source: Fault(redb::Error::Corrupted(what.to_owned())),
        }
    }
}

/// Why a commit did not happen. Nothing of it is in the database then.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// There is no room. The database works again as soon as there is some.
    #[error("no space left on the disk of the state database")]
    DiskFull,
    /// The disk failed.
    #[error("failed to write to the state database")]
    Io(#[source] Fault),
}

impl From<redb::Error> for CommitError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if is_disk_full(&error) => Self::DiskFull,
            error => Self::Io(Fault(error)),
        }
    }
}

/// The state database could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the state database")]
pub struct ReadError(#[source] Fault);

impl From<redb::Error> for ReadError {
    fn from(error: redb::Error) -> Self {
        Self(Fault(error))
    }
}
