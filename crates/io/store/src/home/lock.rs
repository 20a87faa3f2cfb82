//! One daemon for one home: a lock that the operating system takes back when its process ends, however it ends.
//!
//! The number in the file is for people; it decides nothing.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

use rustix::fs::FlockOperation;

use super::Home;

/// Why the home could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon runs on this home.
    #[error("another daemon runs on this home{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held {
        /// Its process id, unless it was about to write it down.
        pid: Option<u32>,
    },
    /// The lock file could not be opened or written.
    #[error("failed to lock {path}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Shows that this process owns the home, until it is dropped or the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    /// The lock of the operating system belongs to this open file.
    file: File,
}

impl Home {
    /// Makes this process the owner of the home.
    ///
    /// # Errors
    /// [`LockError::Held`] while another daemon runs on it.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let path = self.lock_file();
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .to_owned();
        let mut file = options.open(&path).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // The holder is known by its lock; its number is only a help.
                let _ = file.take(32).read_to_string(&mut holder);
                return Err(LockError::Held {
                    pid: holder.trim().parse().ok(),
                });
            }
            Err(error) => return Err(failed(error.into())),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(failed)?;
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The number of a process that is gone would only confuse. The lock itself goes with the file.
        let _ = self.file.set_len(0);
    }
}
