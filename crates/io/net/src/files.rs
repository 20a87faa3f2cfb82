//! Files named by their BLAKE3 hash, on disk, served to members and fetched from them. It knows no names, jobs or
//! folders: the owner says which files to keep and where to export them.
//!
//! Every file that is added or fetched is kept until it is released, also over restarts; what is not kept is removed
//! once in a while. Only whole, verified files are exported.

mod add;
mod error;
mod export;
mod fetch;
mod room;
mod serve;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use iroh_blobs::{
    Hash, HashAndFormat,
    api::{Store, TempTag, blobs::BlobStatus},
    store::{
        GcConfig,
        fs::{
            FsStore,
            options::{Options, PathOptions},
        },
    },
};
use tokio::sync::{RwLock, Semaphore};
use tracing::debug;

pub(crate) use self::serve::{FILES_ALPN, Provider};
pub use self::{
    error::{Asked, FetchError, FileError},
    fetch::FetchProgress,
};
use crate::{
    config::StartError,
    endpoint::{Port, Ways},
    limits,
    peer_key::PeerKey,
    peers::Peers,
};

/// The BLAKE3 hash of a whole file: its name on the network.
pub type FileHash = [u8; 32];

/// A file in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name.
    pub hash: FileHash,
    /// Its length in bytes.
    pub size: u64,
}

/// The files of this host. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    inner: Arc<Inner>,
}

struct Inner {
    store: FsStore,
    paths: PathOptions,
    port: Arc<Port>,
    peers: Arc<Peers>,
    /// Tags on disk survive a restart, but setting one races with a collection that is under way; a tag in memory does
    /// not. So both are held for each file that is kept.
    held: Mutex<HashMap<FileHash, TempTag>>,
    /// Turns of the fetches from each provider.
    turns: Mutex<HashMap<PeerKey, Arc<Semaphore>>>,
    /// Held for reading by each import. Whoever gets it for writing may clear away what failed imports have left.
    importing: RwLock<()>,
    /// Released at shutdown, when clones of this may still be about.
    lock: Mutex<Option<File>>,
}

/// A store that is open and locked, before there is a network to serve it.
pub(crate) struct OpenStore {
    store: FsStore,
    paths: PathOptions,
    lock: File,
}

/// Opens the store in `dir`, which no other process may use meanwhile.
pub(crate) async fn open(dir: &Path) -> Result<OpenStore, StartError> {
    open_with(dir, limits::GC_PAUSE).await
}

async fn open_with(dir: &Path, gc_pause: Duration) -> Result<OpenStore, StartError> {
    let failed = |source| StartError::Files {
        dir: dir.to_owned(),
        source,
    };
    let io_failed = |source| {
        failed(FileError::Io {
            what: "open the store",
            source,
        })
    };
    std::fs::create_dir_all(dir).map_err(io_failed)?;
    // The store needs absolute paths.
    let dir_absolute = std::path::absolute(dir).map_err(io_failed)?;
    let lock = File::create(dir_absolute.join("lock")).map_err(io_failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StartError::FilesLocked {
                dir: dir.to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(io_failed(source)),
    }
    let mut options = Options::new(&dir_absolute);
    // What was being imported when the last process died; the store itself never looks at it again.
    add::clear(&options.path.temp_path).map_err(io_failed)?;
    options.gc = Some(GcConfig {
        interval: gc_pause,
        add_protected: None,
    });
    let paths = options.path.clone();
    let store = FsStore::load_with_opts(dir_absolute.join("blobs.db"), options)
        .await
        .map_err(|error| {
            failed(FileError::Store {
                what: "open the store",
                reason: format!("{error:#}"),
            })
        })?;
    Ok(OpenStore { store, paths, lock })
}

impl OpenStore {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Closes the store again when there will be no network.
    pub(crate) async fn close(self) {
        if let Err(error) = self.store.shutdown().await {
            debug!(%error, "the file store was closed already");
        }
    }

    pub(crate) fn with_network(self, port: Arc<Port>, peers: Arc<Peers>) -> Files {
        let Self { store, paths, lock } = self;
        Files {
            inner: Arc::new(Inner {
                store,
                paths,
                port,
                peers,
                held: Mutex::default(),
                turns: Mutex::default(),
                importing: RwLock::default(),
                lock: Mutex::new(Some(lock)),
            }),
        }
    }
}

impl Inner {
    /// The places that a provider has for this host.
    fn places(&self, provider: PeerKey) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().expect("no holder of this lock panics");
        let places = || Arc::new(Semaphore::new(limits::FILE_CONNECTIONS_MAX));
        Arc::clone(turns.entry(provider).or_insert_with(places))
    }
}

impl Files {
    /// Whether the whole file is here.
    ///
    /// # Errors
    /// [`FileError::Store`] when the store does not answer.
    pub async fn has(&self, hash: FileHash) -> Result<bool, FileError> {
        Ok(self.size(hash).await?.is_some())
    }

    /// Returns the length of the file in bytes if the whole file is here.
    ///
    /// # Errors
    /// [`FileError::Store`] when the store does not answer.
    pub async fn size(&self, hash: FileHash) -> Result<Option<u64>, FileError> {
        match self.inner.store.blobs().status(hash).await {
            Ok(BlobStatus::Complete { size }) => Ok(Some(size)),
            Ok(BlobStatus::Partial { .. } | BlobStatus::NotFound) => Ok(None),
            Err(error) => Err(FileError::store("look for a file", &error)),
        }
    }

    /// Keeps the file, or what there is and will be of it, until it is released.
    ///
    /// # Errors
    /// [`FileError::Store`] when the store cannot write that down.
    pub async fn keep(&self, hash: FileHash) -> Result<(), FileError> {
        let raw = HashAndFormat::raw(Hash::from_bytes(hash));
        let tag = self
            .inner
            .store
            .tags()
            .temp_tag(raw)
            .await
            .map_err(|error| FileError::store("keep a file", &error))?;
        self.hold(hash, tag).await
    }

    /// Lets the file go: its space is free again within about an hour, and at once it may be gone for fetches by others.
    ///
    /// # Errors
    /// [`FileError::Store`] when the store cannot write that down.
    pub async fn release(&self, hash: FileHash) -> Result<(), FileError> {
        let deleted = self.inner.store.tags().delete(tag_name(hash)).await;
        deleted.map_err(|error| FileError::store("release a file", &error))?;
        self.held().remove(&hash);
        Ok(())
    }

    /// Returns up to `length` bytes from `offset` on of a file that is here; fewer at its end.
    ///
    /// # Errors
    /// [`FileError::Missing`] when the file is not here, [`FileError::TooLarge`] beyond 64 MiB.
    pub async fn read_range(
        &self,
        hash: FileHash,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>, FileError> {
        if length > limits::READ_BYTES_MAX {
            return Err(FileError::TooLarge {
                size_max: limits::READ_BYTES_MAX,
            });
        }
        let size = self.size(hash).await?.ok_or(FileError::Missing { hash })?;
        let (start, end) = (offset.min(size), offset.saturating_add(length).min(size));
        if start == end {
            return Ok(Vec::new());
        }
        let range = self.inner.store.blobs().export_ranges(hash, start..end);
        range
            .concatenate()
            .await
            .map_err(|error| FileError::store("read a file", &error))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<FileHash, TempTag>> {
        self.inner
            .held
            .lock()
            .expect("no holder of this lock panics")
    }

    async fn hold(&self, hash: FileHash, tag: TempTag) -> Result<(), FileError> {
        self.held().insert(hash, tag);
        let raw = HashAndFormat::raw(Hash::from_bytes(hash));
        self.inner
            .store
            .tags()
            .set(tag_name(hash), raw)
            .await
            .map_err(|error| FileError::store("keep a file", &error))
    }

    /// Closes the store. Whatever is called later fails.
    pub(crate) async fn shutdown(&self) {
        if let Err(error) = self.inner.store.shutdown().await {
            debug!(%error, "the file store was closed already");
        }
        self.held().clear();
        *self
            .inner
            .lock
            .lock()
            .expect("no holder of this lock panics") = None;
    }

    /// How to dial a peer, for fetches.
    fn ways(&self, peer: PeerKey) -> Ways {
        self.inner.peers.ways(peer)
    }
}

fn tag_name(hash: FileHash) -> String {
    format!("keep/{}", Hash::from_bytes(hash))
}
