//! A file of the store as something to read and seek in, for code that knows no async.
//!
//! Read piece by piece: a sliced file can be larger than memory. Only for threads that may block.

use std::io::{Error, Read, Result, Seek, SeekFrom};

use printmesh_net::Files;
use tokio::runtime::Handle;

use crate::limits::PIECE_BYTES;

/// A file that this host has.
pub(crate) struct Stored {
    files: Files,
    hash: [u8; 32],
    runtime: Handle,
    len: u64,
    at: u64,
    piece: Vec<u8>,
    /// Where the piece begins.
    piece_at: u64,
}

impl Stored {
    /// Opens a file of `len` bytes. Must be called, and read from, where blocking is allowed.
    pub(crate) fn new(files: Files, hash: [u8; 32], len: u64, runtime: Handle) -> Self {
        Self {
            files,
            hash,
            runtime,
            len,
            at: 0,
            piece: Vec::new(),
            piece_at: 0,
        }
    }

    /// What of the piece lies from here on.
    fn rest(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.piece_at);
        let skip = skip.and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.piece.get(skip..))
            .unwrap_or_default()
    }
}

impl Read for Stored {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize> {
        if self.rest().is_empty() && self.at < self.len {
            let reading = self.files.read_range(self.hash, self.at, PIECE_BYTES);
            self.piece = self.runtime.block_on(reading).map_err(Error::other)?;
            self.piece_at = self.at;
        }
        let rest = self.rest();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Stored {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
