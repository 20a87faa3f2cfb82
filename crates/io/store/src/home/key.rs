//! The device key's file: made once, durably, readable by its owner only; refused when others could have read it.
//!
//! It does not know what a key is.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::PathBuf,
};

use rustix::fs::OFlags;

use super::{Home, OTHERS};
use crate::{disk, limits::KEY_BYTES_MAX};

/// Why the device key could not be loaded or created.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others can read it: it may be known to them.
    #[error("{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")]
    OpenToOthers {
        /// The key's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is one already: a new one would be another host.
    #[error("{path} exists already")]
    Exists {
        /// The key's file.
        path: PathBuf,
    },
    /// It is no plain file, or far too long.
    #[error("{path} is not a key file")]
    NotAKey {
        /// What is there instead.
        path: PathBuf,
    },
    /// It could not be read or written.
    #[error("failed to read or write {path}")]
    Io {
        /// The key's file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Home {
    /// Returns the device key, or `None` when there is none yet.
    ///
    /// # Errors
    /// Refuses a key that others can read.
    pub fn load_device_key(&self) -> Result<Option<Vec<u8>>, KeyError> {
        let path = self.device_key();
        let failed = |source| KeyError::Io {
            path: path.clone(),
            source,
        };
        // Not blocking: a pipe of that name would wait for a writer for ever.
        let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits();
        let file = match OpenOptions::new()
            .read(true)
            .custom_flags(flags.cast_signed())
            .open(&path)
        {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err(KeyError::NotAKey { path });
            }
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() || metadata.len() > KEY_BYTES_MAX {
            return Err(KeyError::NotAKey { path });
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(KeyError::OpenToOthers { path, mode });
        }
        let mut bytes = Vec::new();
        file.take(KEY_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Stores the device key, durably and for its owner only, before anybody can learn of it.
    ///
    /// # Errors
    /// [`KeyError::Exists`] rather than replace a key.
    pub fn create_device_key(&self, bytes: &[u8]) -> Result<(), KeyError> {
        let path = self.device_key();
        match disk::create_durably(&path, bytes, 0o600) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyError::Exists { path })
            }
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }
}
