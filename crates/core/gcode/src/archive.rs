//! Members of a zip archive, read within bounds.
//!
//! A project's members are looked up by name. What is unpacked is checked against the archive's own checksums.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{BufReader, ErrorKind, Read, Seek, SeekFrom},
};

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder,
    ZipLocator,
};

use crate::{Rejected, limits::MEMBERS_MAX};

/// With what an archive begins that has a member.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

/// An archive with its directory read.
pub(crate) struct Archive<'f, R> {
    zip: ZipArchive<Positioned<'f, R>>,
    members: BTreeMap<String, Member>,
}

/// A file that is read from wherever is asked.
struct Positioned<'f, R>(RefCell<&'f mut R>);

impl<R: Read + Seek> ReaderAt for Positioned<'_, R> {
    fn read_at(&self, bytes: &mut [u8], at: u64) -> std::io::Result<usize> {
        let mut file = self.0.borrow_mut();
        file.seek(SeekFrom::Start(at))?;
        file.read(bytes)
    }
}

/// Where a member lies.
#[derive(Clone, Copy)]
struct Member {
    method: CompressionMethod,
    place: ZipArchiveEntryWayfinder,
}

impl<'f, R: Read + Seek> Archive<'f, R> {
    /// Reads the directory.
    pub(crate) fn open(file: &'f mut R) -> Result<Self, Rejected> {
        let end = file.seek(SeekFrom::End(0));
        let end = end.map_err(|error| Rejected::Unreadable(error.kind()))?;
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let zip = ZipLocator::new()
            .locate_in_reader(Positioned(RefCell::new(file)), &mut buffer, end)
            .map_err(|(_, error)| damaged(error))?;
        let mut members = BTreeMap::new();
        let mut entries = zip.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(damaged)? {
            if members.len() >= MEMBERS_MAX {
                return Err(Rejected::TooMuch {
                    what: "members of the archive",
                    max: MEMBERS_MAX as u64,
                });
            }
            // Nothing is written under these names; one that is no text is none that we look for.
            let Ok(name) = std::str::from_utf8(entry.file_path().as_bytes()) else {
                continue;
            };
            let member = Member {
                method: entry.compression_method(),
                place: entry.wayfinder(),
            };
            members.insert(name.to_owned(), member);
        }
        Ok(Self { zip, members })
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// How many bytes a member has when unpacked, as the directory says.
    pub(crate) fn size(&self, name: &str) -> Option<u64> {
        Some(self.members.get(name)?.place.uncompressed_size_hint())
    }

    /// Opens a member. At its end it is checked; the caller bounds how much is read.
    pub(crate) fn open_member<'a>(
        &'a self,
        name: &str,
    ) -> Result<Option<impl Read + use<'a, 'f, R>>, Rejected> {
        let Some(member) = self.members.get(name) else {
            return Ok(None);
        };
        let entry = self.zip.get_entry(member.place).map_err(damaged)?;
        let stored = BufReader::new(entry.reader());
        let unpacked: Box<dyn Read + 'a> = match member.method {
            CompressionMethod::STORE => Box::new(stored),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(stored)),
            _ => {
                return Err(Rejected::Foreign {
                    what: "a member that is packed in an unknown way",
                });
            }
        };
        Ok(Some(entry.verifying_reader(unpacked)))
    }

    /// Reads a member of at most `max` bytes; `None` when there is none of this name.
    pub(crate) fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, Rejected> {
        let Some(member) = self.open_member(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        member
            .take(max + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unpacking(&error))?;
        match bytes.len() as u64 <= max {
            true => Ok(Some(bytes)),
            false => Err(Rejected::TooMuch {
                what: "bytes in a member of the archive",
                max,
            }),
        }
    }
}

/// What went wrong while a member was read.
pub(crate) fn unpacking(error: &std::io::Error) -> Rejected {
    match error.kind() {
        ErrorKind::InvalidData
        | ErrorKind::InvalidInput
        | ErrorKind::UnexpectedEof
        | ErrorKind::Other => Rejected::Damaged {
            what: "a member of the archive cannot be unpacked",
        },
        kind => Rejected::Unreadable(kind),
    }
}

fn damaged(error: rawzip::Error) -> Rejected {
    match error.into_kind() {
        rawzip::ErrorKind::IO(error) if error.kind() != ErrorKind::UnexpectedEof => {
            Rejected::Unreadable(error.kind())
        }
        _ => Rejected::Damaged {
            what: "the archive's directory cannot be read",
        },
    }
}
