//! The small file in each job's folder that says whose folder it is and which hash each name stands for.
//!
//! Plain lines, so that a person can read them:
//! ```text
//! job 6f1c…
//! file <hash> cube.gcode
//! ```

use std::io::{self, Read as _};

use super::{ImportError, beneath::Folder, is_link_error};
use crate::limits::MARKER_BYTES_MAX;

/// Names that we give never begin with a dot, so no file of a job can have this one.
pub(super) const MARKER: &str = ".printmesh-job";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) job_id: String,
    files: Vec<(blake3::Hash, String)>,
}

impl Marker {
    pub(super) fn new(job_id: &str) -> Self {
        Self {
            job_id: job_id.to_owned(),
            files: Vec::new(),
        }
    }

    /// Reads a folder's marker. `None` when there is none in it, or it is not ours.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, ImportError> {
        let mut text = String::new();
        match folder
            .file(MARKER)
            .and_then(|file| file.take(MARKER_BYTES_MAX).read_to_string(&mut text))
        {
            Ok(_) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_link_error(&error) => {
                Ok(None)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(ImportError::from_io(&folder.join(MARKER), error)),
        }
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), ImportError> {
        folder
            .write_durably(MARKER, self.to_text().as_bytes())
            .map_err(|error| ImportError::from_io(&folder.join(MARKER), error))
    }

    /// Returns the hash that a name stands for. Some file systems do not tell `A` from `a`, so neither do we.
    pub(super) fn hash_of(&self, name: &str) -> Option<blake3::Hash> {
        let name = name.to_lowercase();
        self.files
            .iter()
            .find(|(_, known)| known.to_lowercase() == name)
            .map(|(hash, _)| *hash)
    }

    pub(super) fn add(&mut self, name: &str, hash: blake3::Hash) {
        self.files.push((hash, name.to_owned()));
    }

    fn to_text(&self) -> String {
        let mut text = format!("job {}\n", self.job_id);
        for (hash, name) in &self.files {
            text.push_str(&format!("file {hash} {name}\n"));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut marker = Self::new(lines.next()?.strip_prefix("job ")?);
        for line in lines {
            let (hash, name) = line.strip_prefix("file ")?.split_once(' ')?;
            marker.add(name, blake3::Hash::from_hex(hash).ok()?);
        }
        Some(marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_as_it_was_written() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::root(temporary.path()).unwrap();
        assert_eq!(Marker::read(&folder).unwrap(), None);
        let mut marker = Marker::new("6f1c");
        marker.add("two words.gcode", blake3::hash(b"a"));
        marker.add("größe.gcode", blake3::hash(b"b"));
        marker.write(&folder).unwrap();
        assert_eq!(Marker::read(&folder).unwrap(), Some(marker));
    }

    #[test]
    fn what_is_no_marker_of_ours_is_none() {
        let check = |text: &str| assert_eq!(Marker::parse(text), None, "{text:?}");
        check("");
        check("jobs");
        check("job 1\nnonsense\n");
        check("job 1\nfile abc name\n");
    }
}
