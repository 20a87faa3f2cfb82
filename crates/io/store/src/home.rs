//! A node's home directory: what lies where, who may read it, and which process owns it now.
//!
//! It knows names, permissions and the lock. It does not know what the files contain: the device key is bytes that the caller made.

mod key;
mod lock;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::Access;

pub use self::{
    key::KeyError,
    lock::{Lock, LockError},
};
use crate::disk;

/// Group and all others.
const OTHERS: u32 = 0o077;

/// Their permission to write.
const OTHERS_WRITE: u32 = 0o022;

/// A home directory that exists and can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// Why a home directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// It, or something in it, cannot be created or written.
    #[error("failed to write to {path}")]
    NotWritable {
        /// What could not be written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no room to create it.
    #[error("no space left on the disk of {path}")]
    DiskFull {
        /// What could not be created.
        path: PathBuf,
    },
    /// Others could put their own files in the place of the secrets in it.
    #[error("{path} can be written by others (mode {mode:04o}): run `chmod go-w {path}`")]
    OpenToOthers {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Something else has its name.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// What is in the way.
        path: PathBuf,
    },
}

impl Home {
    /// Opens a home directory, and creates what is missing of it, accessible to its owner only.
    ///
    /// A folder that exists and holds files keeps its permissions, because it may be more than a home; what is made in it is private,
    /// and it is refused when others can write in it.
    ///
    /// # Errors
    /// [`HomeError`] names the path that is in the way.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, HomeError> {
        let home = Self { root: root.into() };
        create_private(&home.root, true)?;
        rustix::fs::access(&home.root, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| HomeError::from_io(&home.root, error.into()))?;
        for folder in [home.run(), home.files(), home.imports()] {
            create_private(&folder, false)?;
        }
        Ok(home)
    }

    /// Names a home directory without touching it: for commands that only want to find the socket.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The home directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The state database.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state.redb")
    }

    /// The secret key that makes this host itself.
    #[must_use]
    pub fn device_key(&self) -> PathBuf {
        self.root.join("device.key")
    }

    /// What exists only while the daemon runs.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// The socket of the local API.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run().join("api.sock")
    }

    /// The file that a running daemon holds locked.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    /// The daemon's log.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.root.join("daemon.log")
    }

    /// Files by hash, in a form that only the transfer knows.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// Files by job and name, for people and printers.
    #[must_use]
    pub fn imports(&self) -> PathBuf {
        self.root.join("imports")
    }

    /// What a person configured.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }
}

impl HomeError {
    fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if disk::is_disk_full(&source) {
            Self::DiskFull { path }
        } else {
            Self::NotWritable { path, source }
        }
    }
}

/// Returns what makes it impossible that `folder` is one: the nearest thing above it that exists and is no folder.
fn in_the_way(folder: &Path) -> Option<PathBuf> {
    let nearest = folder.ancestors().find(|path| path.exists())?;
    (!nearest.is_dir()).then(|| nearest.to_owned())
}

/// Creates a folder for its owner only. With `parents`, also the folders above it, in the usual way.
fn create_private(folder: &Path, parents: bool) -> Result<(), HomeError> {
    let failed = |error| HomeError::from_io(folder, error);
    if let (true, Some(above)) = (parents, folder.parent()) {
        fs::create_dir_all(above).map_err(|error| match in_the_way(above) {
            Some(path) => HomeError::NotAFolder { path },
            None => failed(error),
        })?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        // Before anything is called done in it, the folder itself must survive power loss.
        Ok(()) => return disk::sync_folder_of(folder).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let metadata = fs::metadata(folder).map_err(failed)?;
    if !metadata.is_dir() {
        return Err(HomeError::NotAFolder {
            path: folder.to_owned(),
        });
    }
    let is_empty = || Ok::<_, io::Error>(fs::read_dir(folder)?.next().is_none());
    if metadata.permissions().mode() & OTHERS != 0 && (!parents || is_empty().map_err(failed)?) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    } else if metadata.permissions().mode() & OTHERS_WRITE != 0 {
        return Err(HomeError::OpenToOthers {
            path: folder.to_owned(),
            mode: metadata.permissions().mode() & 0o7777,
        });
    }
    Ok(())
}
