//! A disk in memory under the real store: it forgets what was never synced, tears what it was writing, fails and fills up.
//!
//! Between two syncs the disk may have any part of any write that it was given, as a real one may.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::StorageBackend;

use crate::draw::Draw;

/// The disk. Clones are the same disk, as two handles of one file are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    /// The process that holds this handle.
    holder: u64,
}

#[derive(Debug, Default)]
struct State {
    /// The process that may use the disk: handles of dead ones do nothing.
    holder: u64,
    bytes: Vec<u8>,
    /// What each change since the last sync has overwritten, in order.
    unsynced: Vec<Change>,
    /// Operations that change something, ever.
    operations: u64,
    /// The power goes at this operation.
    cut_at: Option<u64>,
    cut: bool,
    /// This operation fails, once.
    fail_at: Option<u64>,
    failed: u64,
    full: bool,
    /// Sabotage: a sync that does nothing, and says that it did.
    lies_about_sync: bool,
}

/// A change that is not synced: enough to take it back and to do it again.
#[derive(Clone, Debug)]
struct Change {
    offset: usize,
    before: Vec<u8>,
    after: Vec<u8>,
    /// Lengths before and after, when the change is one of length.
    length: Option<(usize, usize)>,
}

/// What a power cut left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    /// Writes of which nothing is left.
    pub(crate) lost: usize,
    /// Writes of which a part is left.
    pub(crate) torn: usize,
}

impl Disk {
    /// A handle for a new process. All handles given out before are dead from now on.
    pub(crate) fn handle(&self) -> Self {
        let mut state = self.lock();
        state.holder += 1;
        Self {
            state: Arc::clone(&self.state),
            holder: state.holder,
        }
    }

    /// The power goes with the n-th operation from now.
    pub(crate) fn cut_after(&self, operations: u64) {
        let mut state = self.lock();
        state.cut_at = Some(state.operations + operations);
    }

    /// The n-th operation from now fails, and that one only.
    pub(crate) fn fail_after(&self, operations: u64) {
        let mut state = self.lock();
        state.fail_at = Some(state.operations + operations);
    }

    /// What was to go wrong does not.
    pub(crate) fn disarm(&self) {
        let mut state = self.lock();
        state.cut_at = None;
        state.fail_at = None;
    }

    /// Whether there is no room.
    pub(crate) fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        self.lock().full
    }

    /// From now on a sync does nothing.
    pub(crate) fn lie_about_sync(&self) {
        self.lock().lies_about_sync = true;
    }

    /// Whether the power went in the middle of an operation.
    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    /// Operations so far that change something.
    pub(crate) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Operations that failed so far, a full disk's included.
    pub(crate) fn failures(&self) -> u64 {
        self.lock().failed
    }

    /// All bytes, as somebody copies them for a backup.
    pub(crate) fn backup(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Somebody puts a backup back, while no process runs.
    pub(crate) fn restore(&self, bytes: Vec<u8>) {
        let mut state = self.lock();
        state.unsynced.clear();
        state.bytes = bytes;
    }

    /// A bit flips: anywhere, or in the first of these bytes that the disk holds.
    pub(crate) fn flip(&self, number: u64, within: Option<&[u8]>) {
        let mut state = self.lock();
        let length = state.bytes.len();
        let (from, length) = match within {
            Some(wanted) if !wanted.is_empty() => {
                let mut windows = state.bytes.windows(wanted.len());
                let Some(at) = windows.position(|bytes| bytes == wanted) else {
                    return;
                };
                (at, wanted.len())
            }
            _ => (0, length),
        };
        let at = from + (number >> 3) as usize % length.max(1);
        if let Some(byte) = state.bytes.get_mut(at) {
            *byte ^= 1 << (number % 8);
        }
    }

    /// The power goes: of what was not synced, chance decides what is left, down to the byte.
    pub(crate) fn lose_power(&self, draw: &mut Draw) -> Remains {
        let mut state = self.lock();
        let unsynced = std::mem::take(&mut state.unsynced);
        for change in unsynced.iter().rev() {
            change.take_back(&mut state.bytes);
        }
        let mut remains = Remains::default();
        // Now and then all or nothing of it, which is what a test of single cases would try.
        let mode = draw.below(4);
        for change in &unsynced {
            let whole = change.after.len();
            let kept = match (mode, draw.below(3)) {
                (0, _) | (2.., 0) => 0,
                (1, _) | (2.., 1) => whole,
                _ => draw.index(whole + 1),
            };
            if kept < whole || (whole == 0 && mode == 0) {
                remains.lost += usize::from(kept == 0);
                remains.torn += usize::from(kept > 0);
            }
            change.redo(&mut state.bytes, kept, mode != 0);
        }
        state.cut = false;
        state.cut_at = None;
        state.fail_at = None;
        remains
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.holder != self.holder {
            return Err(io::Error::other("its process is dead"));
        }
        Ok(state)
    }
}

impl State {
    fn operation(&mut self) -> io::Result<()> {
        if self.cut {
            return Err(io::Error::other("the power is off"));
        }
        let number = self.operations;
        self.operations += 1;
        if self.cut_at.is_some_and(|at| number >= at) {
            self.cut = true;
            return Err(io::Error::other("the power went"));
        }
        if self.fail_at.is_some_and(|at| number >= at) {
            self.fail_at = None;
            self.failed += 1;
            return Err(io::Error::other("the disk failed"));
        }
        if self.full {
            self.failed += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.bytes.len() < end {
            self.resize(end);
        }
        self.unsynced.push(Change {
            offset,
            before: self.bytes[offset..end].to_vec(),
            after: data.to_vec(),
            length: None,
        });
        self.bytes[offset..end].copy_from_slice(data);
    }

    fn resize(&mut self, length: usize) {
        let from = self.bytes.len();
        self.unsynced.push(Change {
            offset: length.min(from),
            before: self.bytes.get(length..).unwrap_or_default().to_vec(),
            after: Vec::new(),
            length: Some((from, length)),
        });
        self.bytes.resize(length, 0);
    }
}

impl Change {
    fn take_back(&self, bytes: &mut Vec<u8>) {
        if let Some((before, _)) = self.length {
            bytes.resize(before, 0);
        }
        bytes[self.offset..self.offset + self.before.len()].copy_from_slice(&self.before);
    }

    fn redo(&self, bytes: &mut Vec<u8>, kept: usize, resized: bool) {
        if let Some((_, after)) = self.length {
            if resized {
                bytes.resize(after, 0);
            }
            return;
        }
        // A part of a write beyond the end makes the file longer.
        let end = self.offset + kept;
        if kept > 0 && bytes.len() < end {
            bytes.resize(end, 0);
        }
        if kept > 0 {
            bytes[self.offset..end].copy_from_slice(&self.after[..kept]);
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.held()?.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.held()?;
        if state.cut {
            return Err(io::Error::other("the power is off"));
        }
        // Reads are not counted: how many there are depends on redb's cache alone. One that is due fails, though.
        if state.fail_at.is_some_and(|at| state.operations >= at) {
            state.fail_at = None;
            state.failed += 1;
            return Err(io::Error::other("the disk failed"));
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = state
            .bytes
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.held()?;
        state.operation()?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        state.resize(length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.held()?;
        state.operation()?;
        if !state.lies_about_sync {
            state.unsynced.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.held()?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        if let Err(error) = state.operation() {
            // A write that fails may have got half way.
            if !state.full {
                state.write(offset, &data[..data.len() / 2]);
            }
            return Err(error);
        }
        state.write(offset, data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_every_power_cut_and_what_was_not_may_be_torn() {
        let (mut kept, mut torn) = (0, 0);
        for seed in 0..200 {
            let disk = Disk::default().handle();
            disk.write(0, &[1; 64]).unwrap();
            disk.sync_data().unwrap();
            disk.write(16, &[2; 32]).unwrap();
            disk.write(64, &[3; 8]).unwrap();
            disk.lose_power(&mut Draw::new(seed, "power"));
            let mut bytes = vec![0; disk.len().unwrap() as usize];
            disk.read(0, &mut bytes).unwrap();
            assert_eq!(bytes[..16], [1; 16]);
            assert_eq!(bytes[48..64], [1; 16]);
            let two = bytes[16..48].iter().filter(|byte| **byte == 2).count();
            kept += usize::from(two == 32);
            torn += usize::from(two > 0 && two < 32);
        }
        assert!(kept > 20 && torn > 20, "{kept} {torn}");
    }
}
