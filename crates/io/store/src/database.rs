//! `state.redb`: values by key and append-only logs of bytes, changed in durable transactions that happen whole or not at all.
//!
//! It does not know what the bytes mean, and it does not batch: a caller with many writes puts them into one commit (a commit costs one
//! sync of the disk, about 4 ms).
//!
//! **After an error.** redb 4.4 refuses everything after its first failed read or write (`PreviousIo`) until the file is opened anew,
//! so we do that here: at once, and again before each later use until it succeeds. Opening rolls a torn transaction back by itself.
//! One case needs more: when only the last sync failed, the transaction may be in the file although its commit reported an error. A
//! counter in each transaction shows that, and then the writes are taken back, so that an error always means "none of it is there".

mod errors;
#[cfg(test)]
mod tests;
mod transaction;

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use redb::{ReadableDatabase as _, TableDefinition};
use transaction::Undo;

pub use self::errors::{CommitError, Fault, OpenError, ReadError};
use crate::limits::CACHE_BYTES;

/// Version of what we write into the database. A newer one is refused: it may mean things that this program would lose.
pub const FORMAT: u64 = 1;

const VALUES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("values");
/// Entries by log and position, from 0 without gaps.
const LOGS: TableDefinition<'_, (&[u8; 32], u64), &[u8]> = TableDefinition::new("logs");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
/// Number of transactions so far: shows whether one that failed is in the file all the same.
const META_COMMITS: &str = "commits";

/// One change to the database; several make a [commit](Database::commit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets the value of a key.
    Put {
        /// Any bytes; [`Database::scan`] finds keys by their beginning.
        key: Vec<u8>,
        /// Any bytes.
        value: Vec<u8>,
    },
    /// Removes a key, if it is there.
    Delete {
        /// The key to remove.
        key: Vec<u8>,
    },
    /// Adds an entry to the end of a log, which need not exist before.
    Append {
        /// Names the log.
        log: [u8; 32],
        /// Any bytes.
        entry: Vec<u8>,
    },
    /// Removes all entries of a log; the next one is its first again.
    Clear {
        /// Names the log.
        log: [u8; 32],
    },
}

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// The open state database. Shared between threads by reference; commits happen one after another.
pub struct Database {
    opener: Opener,
    connection: RwLock<Connection>,
}

type Opener = Box<dyn Fn() -> Result<redb::Database, redb::DatabaseError> + Send + Sync>;

#[derive(Default)]
struct Connection {
    /// `None` after an error from which opening the file anew did not help yet.
    redb: Option<redb::Database>,
    /// Number of the last transaction that is known to be in the file.
    commits: u64,
    /// What to take back if the transaction after `commits` is in the file although it was reported as failed.
    failed: Option<Undo>,
}

impl Database {
    /// Opens the database at `path`, or creates it there, readable by its owner only.
    ///
    /// After a crash this first repairs the file, in a time that grows with its size (about 20 ms for 8 MB); and it always looks at
    /// every checksum, which takes about as long.
    ///
    /// # Errors
    /// [`OpenError`] says what to do about each.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if !path
            .try_exists()
            .map_err(|error| OpenError::from_io(path, error))?
        {
            create(path)?;
        }
        private(path)?;
        Self::open_file(path)
    }

    fn open_file(path: &Path) -> Result<Self, OpenError> {
        let file = path.to_owned();
        Self::open_with(
            path,
            Box::new(move || {
                redb::Database::builder()
                    .set_cache_size(CACHE_BYTES)
                    .open(&file)
            }),
        )
    }

    /// Opens a database on storage that is not a file, or creates it when that is empty. `storage` is called for each opening: after an
    /// error the database is opened anew, by a new handle of the same storage.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_on<S: redb::StorageBackend>(
        storage: impl Fn() -> S + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        Self::open_with(
            Path::new("(not a file)"),
            Box::new(move || {
                redb::Database::builder()
                    .set_cache_size(CACHE_BYTES)
                    .create_with_backend(storage())
            }),
        )
    }

    /// `path` is for messages only.
    fn open_with(path: &Path, opener: Opener) -> Result<Self, OpenError> {
        let failed = |error| OpenError::from_redb(path, error);
        let mut connection = Connection::default();
        let redb = connection
            .redb
            .insert(survive_panic(|| Ok(opener()?)).map_err(failed)?);
        // Pages have checksums, but reading does not look at them: a vote that a disk has changed is worse than none.
        if !survive_panic(|| Ok(redb.check_integrity()?)).map_err(failed)? {
            return Err(OpenError::damaged(path, "a checksum does not match"));
        }
        match survive_panic(|| transaction::meta(redb, META_FORMAT)).map_err(failed)? {
            None => survive_panic(|| transaction::initialise(redb)).map_err(failed)?,
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                return Err(OpenError::NewerFormat {
                    found,
                    known: FORMAT,
                });
            }
            // There is no older format than the first.
            Some(_) => return Err(OpenError::damaged(path, "unknown format version")),
        }
        connection.commits = survive_panic(|| transaction::commits(redb)).map_err(failed)?;
        Ok(Self {
            opener,
            connection: RwLock::new(connection),
        })
    }

    /// Makes all of `writes` happen, in their order, in one transaction. When this returns, they survive power loss.
    ///
    /// # Errors
    /// None of `writes` happened then, and the database goes on to work as soon as the disk does. Only when the process dies before
    /// the database could be opened anew may a transaction that failed in its last step still be found there afterwards.
    pub fn commit(&self, writes: &[Write]) -> Result<(), CommitError> {
        let mut connection = self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let connection = &mut *connection;
        let (redb, number) = connection.open(&self.opener)?;
        let mut undo = Undo::default();
        match survive_panic(|| transaction::write(redb, writes, number, &mut undo)) {
            Ok(()) => {
                connection.commits = number;
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, writes = writes.len(), "failed to commit, opening the state database anew");
                connection.close();
                connection.failed = Some(undo);
                if let Err(error) = connection.open(&self.opener) {
                    tracing::error!(%error, "failed to open the state database anew, trying again at its next use");
                }
                Err(error.into())
            }
        }
    }

    /// Returns the value of a key.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(|redb| {
            let values = redb.begin_read()?.open_table(VALUES)?;
            Ok(values.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    /// Returns all keys that begin with `prefix` and their values, in the order of the keys.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn scan(&self, prefix: &[u8]) -> Result<Vec<KeyValue>, ReadError> {
        self.read(|redb| {
            let values = redb.begin_read()?.open_table(VALUES)?;
            let mut found = Vec::new();
            for entry in values.range(prefix..)? {
                let (key, value) = entry?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                found.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(found)
        })
    }

    /// Returns all entries of a log in the order in which they were appended. A log that was never written is empty.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self, log: [u8; 32]) -> Result<Vec<Vec<u8>>, ReadError> {
        self.log_after(log, 0)
    }

    /// Returns the entries of a log after its first `index` ones.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log_after(&self, log: [u8; 32], index: u64) -> Result<Vec<Vec<u8>>, ReadError> {
        self.read(|redb| {
            let logs = redb.begin_read()?.open_table(LOGS)?;
            logs.range((&log, index)..=(&log, u64::MAX))?
                .map(|entry| Ok(entry?.1.value().to_vec()))
                .collect()
        })
    }

    /// Returns the names of all logs that have entries, in ascending order.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn logs(&self) -> Result<Vec<[u8; 32]>, ReadError> {
        self.read(|redb| {
            let logs = redb.begin_read()?.open_table(LOGS)?;
            let mut found: Vec<[u8; 32]> = Vec::new();
            let mut next = logs.range((&[0; 32], 0)..)?.next().transpose()?;
            while let Some((key, _)) = next {
                let log = *key.value().0;
                found.push(log);
                // Entry u64::MAX is never reached, so this starts at the next log.
                next = logs.range((&log, u64::MAX)..)?.next().transpose()?;
            }
            Ok(found)
        })
    }

    fn read<T>(
        &self,
        read: impl Fn(&redb::Database) -> Result<T, redb::Error>,
    ) -> Result<T, ReadError> {
        {
            let connection = self
                .connection
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(redb) = &connection.redb {
                match survive_panic(|| read(redb)) {
                    Ok(found) => return Ok(found),
                    Err(error) => {
                        tracing::error!(%error, "failed to read, opening the state database anew")
                    }
                }
            }
        }
        let mut connection = self
            .connection
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        connection.close();
        let (redb, _) = connection.open(&self.opener)?;
        Ok(survive_panic(|| read(redb))?)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Connection {
    /// Returns the open file and the number of the next transaction. Opens the file if an error closed it, and takes back what that
    /// error left behind.
    fn open(&mut self, opener: &Opener) -> Result<(&redb::Database, u64), redb::Error> {
        if self.redb.is_none() {
            self.redb = Some(survive_panic(|| Ok(opener()?))?);
            self.take_back().inspect_err(|_| self.close())?;
        }
        Ok((self.redb.as_ref().expect("opened above"), self.commits + 1))
    }

    fn take_back(&mut self) -> Result<(), redb::Error> {
        let redb = self.redb.as_ref().expect("called with an open file");
        let found = survive_panic(|| transaction::commits(redb))?;
        if let Some(failed) = &self.failed
            && found == self.commits + 1
        {
            survive_panic(|| failed.take_back(redb, found + 1))?;
            tracing::warn!("took back a transaction whose commit had failed in its last step");
        }
        self.commits = survive_panic(|| transaction::commits(redb))?;
        self.failed = None;
        Ok(())
    }

    fn close(&mut self) {
        if let Some(redb) = self.redb.take()
            && let Err(error) = survive_panic(|| {
                drop(redb);
                Ok(())
            })
        {
            tracing::error!(%error, "failed to close the state database");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs something of redb's, and takes its panic for what it is: redb 4.4 indexes out of bounds on some damaged files. What it was
/// working on must be dropped then, as after every error here.
fn survive_panic<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(redb::Error::Corrupted(
            "the storage engine panicked".to_owned(),
        ))
    })
}

/// Refuses a file that others can read: queue keys are in it.
fn private(path: &Path) -> Result<(), OpenError> {
    let metadata = fs::metadata(path).map_err(|error| OpenError::from_io(path, error))?;
    let mode = metadata.permissions().mode() & 0o7777;
    // A folder of that name is somebody else's; that it is no database is said when it is opened.
    if mode & 0o077 == 0 || !metadata.is_file() {
        return Ok(());
    }
    Err(OpenError::OpenToOthers {
        path: path.to_owned(),
        mode,
    })
}

/// Creates a complete, empty database and only then gives it its name.
///
/// redb takes a file whose creation was cut short for a file that is not its own, for ever; this way there never is one.
fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let unfinished = PathBuf::from(name);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(failed)?;
    let created = redb::Database::builder()
        .create_file(file)
        .map_err(|error| OpenError::from_redb(path, error.into()));
    drop(created.inspect_err(|_| drop(fs::remove_file(&unfinished)))?);
    drop(Database::open_file(&unfinished)?);
    fs::rename(&unfinished, path)
        .and_then(|()| crate::disk::sync_folder_of(path))
        .map_err(failed)
}
