//! Reading no more of a file than its start and its end.

use std::io::{Read, Seek, SeekFrom};

use crate::{
    Rejected,
    limits::{HEAD_BYTES, TAIL_BYTES},
};

/// The start of a file, and its end as far as that is not in the start already. Lines that are cut are in neither.
pub(crate) struct Windows {
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    /// Of the whole file, in bytes.
    pub(crate) len: u64,
}

impl Windows {
    pub(crate) fn read(file: &mut (impl Read + Seek)) -> Result<Self, Rejected> {
        let len = file
            .seek(SeekFrom::End(0))
            .map_err(|error| Rejected::Unreadable(error.kind()))?;
        let mut head = part(file, 0, HEAD_BYTES)?;
        if head.len() as u64 >= len {
            let tail = Vec::new();
            return Ok(Self { head, tail, len });
        }
        head.truncate(without_cut_end(&head).len());
        let tail_at = len.saturating_sub(TAIL_BYTES as u64).max(head.len() as u64);
        let mut tail = part(file, tail_at, TAIL_BYTES)?;
        if tail_at > head.len() as u64 {
            let end = tail.iter().position(|&byte| byte == b'\n');
            tail.drain(..end.map_or(tail.len(), |end| end + 1));
        }
        Ok(Self { head, tail, len })
    }
}

/// All but a line that has no end; a line as long as that is kept.
pub(crate) fn without_cut_end(head: &[u8]) -> &[u8] {
    match head.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => &head[..=end],
        None => head,
    }
}

fn part(file: &mut (impl Read + Seek), at: u64, len: usize) -> Result<Vec<u8>, Rejected> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.take(len as u64).read_to_end(&mut bytes))
        .map_err(|error| Rejected::Unreadable(error.kind()))?;
    Ok(bytes)
}
