//! A folder that is held open: what is named in it is found in this very folder, whatever becomes of the names that led to it.
//!
//! Between two steps somebody may put a link where a folder was. So no step but the first one walks along a path: each names one
//! entry of a folder that is open, and the kernel is told to follow no link and to leave the folder by no way.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{
        AtFlags, CWD, Mode, OFlags, ResolveFlags, fsync, mkdirat, openat, openat2, renameat,
        statat, unlinkat,
    },
    io::Errno,
};

/// A folder that is open. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    open: Arc<OwnedFd>,
    /// Where it was when it was opened: for people.
    path: PathBuf,
}

/// Two are the same when they were found under the same path.
impl PartialEq for Folder {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for Folder {}

impl Folder {
    /// Opens the folder that a person named; links on the way to it are the person's.
    pub(super) fn root(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            open: Arc::new(openat(CWD, path, flags, Mode::empty())?),
            path: path.to_owned(),
        })
    }

    /// The same folder, after it was renamed in `parent`.
    pub(super) fn called(&self, parent: &Self, name: &str) -> Self {
        Self {
            open: Arc::clone(&self.open),
            path: parent.path.join(name),
        }
    }

    /// Where it lies, for people.
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where an entry of it lies, for people.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A path to an entry for code that wants one: it leads into this folder even when another one has its name by now.
    pub(super) fn way_to(&self, name: &str) -> PathBuf {
        Path::new("/proc/self/fd")
            .join(self.open.as_raw_fd().to_string())
            .join(name)
    }

    fn at(&self, name: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let stay = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.open, name, flags, mode, stay) {
            // An old kernel, or a sandbox that does not know the call. A name is one component, so this says the same.
            Err(Errno::NOSYS | Errno::PERM) => {
                if name.contains('/') || matches!(name, "." | "..") {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                Ok(openat(&self.open, name, flags, mode)?)
            }
            other => Ok(other?),
        }
    }

    /// Opens a folder in it; an error when anything else has the name.
    pub(super) fn folder(&self, name: &str) -> io::Result<Self> {
        let open = self.at(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self {
            open: Arc::new(open),
            path: self.path.join(name),
        })
    }

    /// Makes a folder in it and opens it.
    pub(super) fn create_folder(&self, name: &str) -> io::Result<Self> {
        mkdirat(&self.open, name, Mode::RWXU)?;
        self.folder(name)
    }

    /// Opens what should be a plain file: no pipe waits for a writer.
    pub(super) fn file(&self, name: &str) -> io::Result<File> {
        let open = self.at(name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?;
        Ok(open.into())
    }

    /// Whether anything has the name.
    pub(super) fn has(&self, name: &str) -> bool {
        statat(&self.open, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Removes a file; one that is not there is fine.
    pub(super) fn remove_file(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.open, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives an entry another name in the same folder, in the place of what has it; durable when [`sync`](Self::sync) was called.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.open, from, &self.open, to)?)
    }

    /// Makes its entries survive power loss.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fsync(self.open.as_fd())?)
    }

    /// Writes a small file so that after a crash at any moment either the old or the new content is there, complete.
    pub(super) fn write_durably(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = format!(
            ".{}.{}.new",
            name.trim_start_matches('.'),
            std::process::id()
        );
        self.remove_file(&temporary)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = File::from(self.at(&temporary, flags, Mode::RUSR | Mode::WUSR)?);
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written
            .and_then(|()| self.rename(&temporary, name))
            .inspect_err(|_| drop(self.remove_file(&temporary)))?;
        self.sync()
    }
}
