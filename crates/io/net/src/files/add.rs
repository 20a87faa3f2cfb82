//! Files into the store: copied, hashed, and on disk for good before anyone is told so.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use futures_util::stream;
use iroh_blobs::{
    Hash,
    api::{TempTag, blobs::AddProgress},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::spawn_blocking,
};
use tracing::warn;

use super::{FileError, FileHash, FileInfo, Files, room};

const WHAT: &str = "add a file";

/// Bytes that are read from a stream at a time.
const PIECE_BYTES: usize = 64 * 1024;

impl Files {
    /// Copies a file into the store and keeps it. It is on disk for good when this returns.
    ///
    /// # Errors
    /// [`FileError::Io`] when the file cannot be read; [`FileError::Store`] when the store cannot take it.
    pub async fn add(&self, path: PathBuf) -> Result<FileInfo, FileError> {
        let path = std::path::absolute(path).map_err(failed)?;
        // The store reports a missing file in its own words; this gives the error its kind.
        let metadata = tokio::fs::metadata(&path).await.map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        room::ensure(&self.inner.paths.temp_path, metadata.len()).map_err(failed)?;
        let tag = self.import(self.inner.store.blobs().add_path(path)).await?;
        self.take_in(tag).await
    }

    /// Adds what `reader` gives, at most `size_max` bytes, like [`Files::add`].
    ///
    /// # Errors
    /// As for [`Files::add`], and [`FileError::TooLarge`] as soon as there is more. What came until then takes up space for
    /// about an hour more.
    pub async fn add_stream(
        &self,
        reader: impl AsyncRead + Send + Sync + Unpin + 'static,
        size_max: u64,
    ) -> Result<FileInfo, FileError> {
        let stopped = Arc::new(Mutex::new(None));
        let stop = Arc::clone(&stopped);
        let folder = self.inner.paths.temp_path.clone();
        // An error in the stream would make the store panic if it came while the store reports progress (iroh-blobs 0.104).
        // So the stream just ends early, and what the store made of it is let go of.
        let pieces = stream::unfold((reader, 0u64), move |(mut reader, size)| {
            let (stop, folder) = (Arc::clone(&stop), folder.clone());
            async move {
                match next_piece(&mut reader, &folder, size_max - size).await {
                    Ok(Some(piece)) => {
                        let size = size + piece.len() as u64;
                        Some((Ok(piece.into()), (reader, size)))
                    }
                    Ok(None) => None,
                    Err(error) => {
                        *stop.lock().expect("no holder of this lock panics") = Some(error);
                        None
                    }
                }
            }
        });
        let adding = self.inner.store.blobs().add_stream(pieces).await;
        let tag = self.import(adding).await?;
        let error = stopped
            .lock()
            .expect("no holder of this lock panics")
            .take();
        match error {
            Some(FileError::TooLarge { .. }) => Err(FileError::TooLarge { size_max }),
            Some(error) => Err(error),
            None => self.take_in(tag).await,
        }
    }

    async fn import(&self, adding: AddProgress<'_>) -> Result<TempTag, FileError> {
        let importing = self.inner.importing.read().await;
        let tag = adding.temp_tag().await;
        drop(importing);
        tag.map_err(|error| {
            self.clear_failed();
            FileError::store(WHAT, &error)
        })
    }

    async fn take_in(&self, tag: TempTag) -> Result<FileInfo, FileError> {
        let hash = *tag.hash().as_bytes();
        self.hold(hash, tag).await?;
        self.settle(hash).await?;
        let size = self.size(hash).await?.ok_or(FileError::Missing { hash })?;
        Ok(FileInfo { hash, size })
    }

    /// Removes what failed imports have left, unless another import is under way; the next failure or start does it then.
    fn clear_failed(&self) {
        if let Ok(_nobody_imports) = self.inner.importing.try_write()
            && let Err(error) = clear(&self.inner.paths.temp_path)
        {
            warn!(%error, "could not remove what a failed import has left");
        }
    }

    /// Makes a whole file safe from a power cut: the store alone syncs its database, but not the data beside it.
    pub(super) async fn settle(&self, hash: FileHash) -> Result<(), FileError> {
        let what = "write a file to disk";
        let data = self.inner.paths.data_path(&Hash::from_bytes(hash));
        let outboard = self.inner.paths.outboard_path(&Hash::from_bytes(hash));
        let folder = self.inner.paths.data_path.clone();
        let synced = spawn_blocking(move || {
            for path in [data, outboard, folder] {
                match File::open(path) {
                    Ok(file) => file.sync_all()?,
                    // A small file is inside the database.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        match synced.await {
            Ok(result) => result.map_err(|source| FileError::Io { what, source })?,
            Err(error) => return Err(FileError::store(what, &error)),
        }
        self.inner
            .store
            .sync_db()
            .await
            .map_err(|error| FileError::store(what, &error))
    }
}

/// Reads the next piece, of at most `size_max` bytes, or `None` at the end.
async fn next_piece(
    reader: &mut (impl AsyncRead + Unpin),
    folder: &Path,
    size_max: u64,
) -> Result<Option<Vec<u8>>, FileError> {
    room::ensure(folder, PIECE_BYTES as u64).map_err(failed)?;
    let mut piece = vec![0; PIECE_BYTES];
    let read = reader.read(&mut piece).await.map_err(failed)?;
    if read as u64 > size_max {
        return Err(FileError::TooLarge { size_max });
    }
    piece.truncate(read);
    Ok((read > 0).then_some(piece))
}

/// Removes all files in a folder that the store uses for imports.
pub(super) fn clear(folder: &Path) -> io::Result<()> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .into_iter()
            .try_for_each(|entry| fs::remove_file(entry?.path())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn failed(source: io::Error) -> FileError {
    FileError::Io { what: WHAT, source }
}
