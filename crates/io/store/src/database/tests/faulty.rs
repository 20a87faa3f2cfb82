//! A disk in memory that fails on demand, and that forgets on demand what was never synced.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::StorageBackend;

/// The disk. Clones are the same disk, as two handles of one file are.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    /// Changes since the last sync, in order.
    unsynced: Vec<Change>,
    current: Vec<u8>,
    /// Changes and syncs seen since the fault was armed.
    operations: u64,
    fault: Fault,
}

#[derive(Debug, Clone)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// Only the n-th change or sync from now fails.
    Once(u64),
    /// That one and all later ones fail, and so do reads.
    From(u64),
}

impl Disk {
    pub(super) fn arm(&self, fault: Fault) {
        let mut state = self.lock();
        state.operations = 0;
        state.fault = fault;
    }

    /// True when the armed fault has struck.
    pub(super) fn has_struck(&self) -> bool {
        let state = self.lock();
        match state.fault {
            Fault::None => false,
            Fault::Once(n) | Fault::From(n) => state.operations > n,
        }
    }

    /// Cuts the power: of the changes that were not synced, only those survive that `survives` names by their position.
    pub(super) fn lose_power(&self, survives: impl Fn(usize) -> bool) {
        let mut state = self.lock();
        let mut bytes = std::mem::take(&mut state.synced);
        for (_, change) in std::mem::take(&mut state.unsynced)
            .into_iter()
            .enumerate()
            .filter(|(index, _)| survives(*index))
        {
            change.apply(&mut bytes);
        }
        state.synced.clone_from(&bytes);
        state.current = bytes;
        state.fault = Fault::None;
    }

    /// A disk of its own with the same content.
    pub(super) fn deep_copy(&self) -> Self {
        let current = self.lock().current.clone();
        Self(Arc::new(Mutex::new(State {
            synced: current.clone(),
            current,
            ..State::default()
        })))
    }

    pub(super) fn length(&self) -> usize {
        self.lock().current.len()
    }

    pub(super) fn flip(&self, place: usize) {
        self.lock().current[place] ^= 0x41;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.lock();
        if let Err(error) = state.operation() {
            // A write that fails may have got half way.
            if let Change::Bytes(offset, bytes) = change {
                let half = Change::Bytes(offset, bytes[..bytes.len() / 2].to_vec());
                half.apply(&mut state.current);
                state.unsynced.push(half);
            }
            return Err(error);
        }
        change.apply(&mut state.current);
        state.unsynced.push(change);
        Ok(())
    }
}

impl State {
    fn operation(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        let fails = match self.fault {
            Fault::None => false,
            Fault::Once(n) => number == n,
            Fault::From(n) => number >= n,
        };
        if fails {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }
}

impl Change {
    fn apply(&self, target: &mut Vec<u8>) {
        match self {
            Self::Length(length) => target.resize(*length, 0),
            Self::Bytes(offset, bytes) => {
                let end = offset + bytes.len();
                if target.len() < end {
                    target.resize(end, 0);
                }
                target[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        if let Fault::From(n) = state.fault
            && state.operations > n
        {
            return Err(io::Error::other("the disk is gone"));
        }
        let offset = usize::try_from(offset).unwrap();
        let bytes = state
            .current
            .get(offset..offset + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(length).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.operation()?;
        state.unsynced.clear();
        state.synced = state.current.clone();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Bytes(
            usize::try_from(offset).unwrap(),
            data.to_vec(),
        ))
    }
}
