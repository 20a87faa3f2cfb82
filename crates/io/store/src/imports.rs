//! The imports folder: `imports/<job name>/<file name>`, where a person finds what was fetched for a job and a printer reads it.
//!
//! Names come from other hosts, so they are display data: see [`crate::name`]. What is promised here:
//! - no name leads out of the folder, and no symbolic link in it is followed;
//! - two jobs never share a folder, and two files never share a path, whatever they are called;
//! - the same file of the same job always has the same path, also after a restart: each folder holds a marker with the job it belongs to
//!   and the hash that each name stands for;
//! - a file has its final name only when it is complete, verified and synced.
//!
//! It does not fetch anything: the caller writes the file to [`Placement::partial_path`], then calls [`Placement::commit`].

mod beneath;
mod marker;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::fs::OFlags;

use self::{beneath::Folder, marker::Marker};
use crate::{
    disk,
    limits::{COUNTED, JOB_ID_BYTES_MAX},
    name,
};

/// How many letters of a job's id or a file's hash go into a name that is taken; the next length is tried when that one is taken too.
const SUFFIX_LENGTHS: [usize; 4] = [6, 12, 32, 64];

/// The imports folder of a home. Clones share it; placing is one at a time.
#[derive(Debug, Clone)]
pub struct Imports {
    root: Folder,
    placing: Arc<Mutex<()>>,
}

/// A path that is reserved for one file of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Where the file belongs.
    pub path: PathBuf,
    /// True when the file is there and its content was just compared with its hash: nothing needs to be fetched.
    pub already_there_and_verified: bool,
    hash: blake3::Hash,
    folder: Folder,
    name: String,
}

/// Why a file could not be placed in the imports folder.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no room.
    #[error("no space left on the disk of {path}")]
    DiskFull {
        /// What could not be written.
        path: PathBuf,
    },
    /// Something that is no plain file or folder has the name: a symbolic link would lead out of the imports folder.
    #[error("{path} is in the way")]
    InTheWay {
        /// What is in the way.
        path: PathBuf,
    },
    /// What was written is not the file that the hash names.
    #[error("{path} is not the file that was expected")]
    WrongContent {
        /// The partial file; it was removed.
        path: PathBuf,
    },
    /// The job's id is not one: empty, too long, or with other characters than ASCII letters, digits, `-` and `_`.
    #[error("not a job id: {0:?}")]
    BadJobId(String),
    /// The hash is not 64 hexadecimal digits.
    #[error("not a BLAKE3 hash: {0:?}")]
    BadHash(String),
    /// A step failed.
    #[error("failed to read or write {path}")]
    Io {
        /// What could not be read or written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no file.
    #[error("{path} is missing")]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It has other content: cut, changed or replaced.
    #[error("{path} has been changed: its hash is {found}, not {expected}")]
    WrongContent {
        /// The file.
        path: PathBuf,
        /// The hash of what is there.
        found: blake3::Hash,
        /// The hash that it should have.
        expected: blake3::Hash,
    },
    /// It is a folder, a symbolic link or a device.
    #[error("{path} is not a plain file")]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// It could not be read.
    #[error("failed to read {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Imports {
    /// Uses `root`, which must exist, as the imports folder. It may be a symbolic link itself: a person may keep imports on another disk.
    ///
    /// # Errors
    /// When the folder cannot be found.
    pub fn open(root: &Path) -> Result<Self, ImportError> {
        let opened = root.canonicalize().and_then(|root| Folder::root(&root));
        Ok(Self {
            root: opened.map_err(|error| ImportError::from_io(root, error))?,
            placing: Arc::default(),
        })
    }

    /// Reserves the path of one file of a job, and says whether it is there already. Reads the file for that when it is: about 1 GB/s.
    ///
    /// The same arguments always give the same path. A job that is renamed gets a second folder.
    ///
    /// # Errors
    /// [`ImportError`]; nothing but an empty folder is left behind.
    pub fn place(
        &self,
        job_id: &str,
        job_name: &str,
        file_name: &str,
        hash_hex: &str,
    ) -> Result<Placement, ImportError> {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if job_id.is_empty() || job_id.len() > JOB_ID_BYTES_MAX || !job_id.bytes().all(is_id) {
            return Err(ImportError::BadJobId(job_id.to_owned()));
        }
        let hash = blake3::Hash::from_hex(hash_hex)
            .map_err(|_| ImportError::BadHash(hash_hex.to_owned()))?;

        let (folder, name) = {
            let _placing = self.placing.lock().unwrap_or_else(PoisonError::into_inner);
            let (folder, mut marker) = self.folder(job_id, job_name)?;
            let name = reserve(&folder, &mut marker, &name::safe(file_name, "file"), hash)?;
            (folder, name)
        };
        let path = folder.join(&name);
        let already_there_and_verified = match verify_opened(folder.file(&name), &path, &hash) {
            Ok(()) => true,
            Err(VerifyError::Missing { .. } | VerifyError::WrongContent { .. }) => false,
            Err(VerifyError::NotAFile { path }) => return Err(ImportError::InTheWay { path }),
            Err(VerifyError::Io { path, source }) => {
                return Err(ImportError::from_io(&path, source));
            }
        };
        Ok(Placement {
            path,
            already_there_and_verified,
            hash,
            folder,
            name,
        })
    }

    /// Returns the job's folder, made if it is not there yet, and its marker.
    fn folder(&self, job_id: &str, job_name: &str) -> Result<(Folder, Marker), ImportError> {
        for folder_name in candidates(&name::safe(job_name, "job"), job_id) {
            match self.root.folder(&folder_name) {
                Ok(folder) => match Marker::read(&folder)? {
                    Some(marker) if marker.job_id == job_id => return Ok((folder, marker)),
                    Some(_) => continue,
                    None => {}
                },
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A file or a link, which nobody made for that.
                Err(error) if is_no_folder(&error) => continue,
                Err(error) => {
                    return Err(ImportError::from_io(&self.root.join(&folder_name), error));
                }
            }
            if let Some(made) = self.create_folder(&folder_name, job_id)? {
                return Ok(made);
            }
        }
        Err(ImportError::InTheWay {
            path: self.root.join(&name::safe(job_name, "job")),
        })
    }

    /// Makes a folder with its marker in it, at once: a folder without one is somebody else's. `None` when the name is taken.
    fn create_folder(
        &self,
        name: &str,
        job_id: &str,
    ) -> Result<Option<(Folder, Marker)>, ImportError> {
        let unfinished = format!(".{job_id}.new");
        let path = self.root.join(&unfinished);
        let failed = |error| ImportError::from_io(&path, error);
        // It follows no link, and removes one as what it is.
        match fs::remove_dir_all(self.root.way_to(&unfinished)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let folder = self.root.create_folder(&unfinished).map_err(failed)?;
        let marker = Marker::new(job_id);
        let renamed = marker.write(&folder).and_then(|()| {
            // Takes the place of an empty folder, and fails on one with files in it and on everything else.
            match self.root.rename(&unfinished, name) {
                Ok(()) => self.root.sync().map(|()| true).map_err(failed),
                Err(error)
                    if is_no_folder(&error)
                        || matches!(
                            error.kind(),
                            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                        ) =>
                {
                    Ok(false)
                }
                Err(error) => Err(ImportError::from_io(&self.root.join(name), error)),
            }
        });
        if !matches!(renamed, Ok(true)) {
            let _ = fs::remove_dir_all(self.root.way_to(&unfinished));
        }
        // What is open is the folder that was renamed.
        Ok(renamed?.then(|| (folder.called(&self.root, name), marker)))
    }
}

impl Placement {
    /// Where the caller writes the file before it is committed: in the same folder, hidden. The path leads into that folder as
    /// long as this placement lives, whatever has its name by then.
    #[must_use]
    pub fn partial_path(&self) -> PathBuf {
        self.folder.way_to(&self.partial())
    }

    fn partial(&self) -> String {
        format!(".{}.part", self.name)
    }

    /// Verifies what was written to the partial path, makes it durable, and gives it its name. Replaces a damaged file of that name.
    ///
    /// # Errors
    /// [`ImportError::WrongContent`] removes the partial file, so that it is fetched anew; all others leave it.
    pub fn commit(&self) -> Result<(), ImportError> {
        let partial = self.partial();
        let path = self.folder.join(&partial);
        let failed = |error| ImportError::from_io(&path, error);
        match verify_opened(self.folder.file(&partial), &path, &self.hash) {
            Ok(()) => {}
            Err(VerifyError::WrongContent { path, .. }) => {
                let _ = self.folder.remove_file(&partial);
                return Err(ImportError::WrongContent { path });
            }
            Err(VerifyError::Missing { path }) => {
                return Err(ImportError::from_io(&path, io::ErrorKind::NotFound.into()));
            }
            Err(VerifyError::NotAFile { path }) => return Err(ImportError::InTheWay { path }),
            Err(VerifyError::Io { path, source }) => {
                return Err(ImportError::from_io(&path, source));
            }
        }
        self.folder
            .file(&partial)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        self.folder
            .rename(&partial, &self.name)
            .map_err(|error| ImportError::from_io(&self.path, error))?;
        self.folder.sync().map_err(failed)
    }
}

/// Compares a file's content with its hash, reading it as a stream.
///
/// # Errors
/// [`VerifyError`] says what is there instead. A symbolic link is never followed.
pub fn verify(path: &Path, hash: &blake3::Hash) -> Result<(), VerifyError> {
    verify_opened(open_plain(path), path, hash)
}

fn verify_opened(
    opened: io::Result<File>,
    path: &Path,
    hash: &blake3::Hash,
) -> Result<(), VerifyError> {
    let path_owned = || path.to_owned();
    let failed = |source| VerifyError::Io {
        path: path_owned(),
        source,
    };
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VerifyError::Missing { path: path_owned() });
        }
        Err(error) if is_link_error(&error) => {
            return Err(VerifyError::NotAFile { path: path_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(VerifyError::NotAFile { path: path_owned() });
    }
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
    }
    let found = hasher.finalize();
    if found == *hash {
        Ok(())
    } else {
        Err(VerifyError::WrongContent {
            path: path_owned(),
            found,
            expected: *hash,
        })
    }
}

/// Finds the name that stands for `hash` in the folder, or notes a new one. Never one that anything else has.
fn reserve(
    folder: &Folder,
    marker: &mut Marker,
    wanted: &str,
    hash: blake3::Hash,
) -> Result<String, ImportError> {
    for candidate in candidates(wanted, hash.to_hex().as_str()) {
        match marker.hash_of(&candidate) {
            Some(known) if known == hash => return Ok(candidate),
            Some(_) => {}
            // A file that is not in the marker is somebody else's.
            None if folder.has(&candidate) => {}
            None => {
                marker.add(&candidate, hash);
                marker.write(folder)?;
                return Ok(candidate);
            }
        }
    }
    Err(ImportError::InTheWay {
        path: folder.join(wanted),
    })
}

/// The names to try, in order: the wanted one, then with more and more of what tells it apart, then numbers.
fn candidates(wanted: &str, distinct: &str) -> impl Iterator<Item = String> {
    let suffixed = SUFFIX_LENGTHS.into_iter().map(move |length| {
        let distinct = &distinct[..distinct.len().min(length)];
        name::with_suffix(wanted, &format!("-{distinct}"))
    });
    let counted = (2..COUNTED).map(move |n| name::with_suffix(wanted, &format!("-{distinct}-{n}")));
    std::iter::once(wanted.to_owned())
        .chain(suffixed)
        .chain(counted)
}

/// Opens what should be a plain file: no link is followed, and no pipe waits for a writer.
fn open_plain(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits();
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)
}

fn is_link_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// What a folder was asked for is a file or a link.
fn is_no_folder(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory || is_link_error(error)
}

impl ImportError {
    fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if disk::is_disk_full(&source) {
            Self::DiskFull { path }
        } else {
            Self::Io { path, source }
        }
    }
}
