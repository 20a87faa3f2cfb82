//! Files out of the store into the owner's folders: whole or not at all, and checked once more on the way.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use super::{FileError, FileHash, Files, room};
use crate::shared::random_u64;

const WHAT: &str = "export a file";

impl Files {
    /// Copies the file to `target`, making folders as needed, and replacing what is there. When this returns, the copy is
    /// on disk for good and its hash has been checked; before, there is nothing at `target`.
    ///
    /// A crash in between may leave a file beside it whose name begins with a dot and ends in `.part`.
    ///
    /// # Errors
    /// [`FileError::Missing`] when the file is not here; [`FileError::Damaged`] when the disk has changed it;
    /// [`FileError::Io`] when the copy cannot be written.
    pub async fn export(&self, hash: FileHash, target: &Path) -> Result<(), FileError> {
        let size = self.size(hash).await?.ok_or(FileError::Missing { hash })?;
        let target = std::path::absolute(target).map_err(failed)?;
        let part = Part::beside(&target, size)?;
        // Never `ExportMode::TryReference`: that moves the store's own file, and leaves the store to depend on a file that
        // a person may edit.
        let exported = self
            .inner
            .store
            .blobs()
            .export(hash, &part.path)
            .finish()
            .await;
        exported.map_err(|error| FileError::store(WHAT, &error))?;
        let settled = spawn_blocking(move || settle(&part, hash, &target));
        settled
            .await
            .unwrap_or_else(|error| Err(FileError::store(WHAT, &error)))
    }
}

fn settle(part: &Part, hash: FileHash, target: &Path) -> Result<(), FileError> {
    let file = File::open(&part.path).map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&file).map_err(failed)?;
    if hasher.finalize() != hash {
        return Err(FileError::Damaged { hash });
    }
    file.sync_all().map_err(failed)?;
    fs::rename(&part.path, target).map_err(failed)?;
    // The name is safe only when its folder is.
    File::open(folder_of(target))
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

/// A copy that is under way, removed unless it got its final name.
struct Part {
    path: PathBuf,
}

impl Part {
    fn beside(target: &Path, size: u64) -> Result<Self, FileError> {
        let folder = folder_of(target);
        fs::create_dir_all(folder).map_err(failed)?;
        room::ensure(folder, size).map_err(failed)?;
        // Not derived from the target's name, which may be as long as the system allows.
        Ok(Self {
            path: folder.join(format!(".{:016x}.part", random_u64())),
        })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the rename there is nothing left to remove.
        let _ = fs::remove_file(&self.path);
    }
}

fn folder_of(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("/"))
}

fn failed(source: io::Error) -> FileError {
    FileError::Io { what: WHAT, source }
}
