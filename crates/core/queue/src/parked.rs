//! Changes that wait for their past to arrive. Bounded: what does not fit is forgotten, and the next exchange of version
//! vectors brings it again.

use std::collections::BTreeMap;

use crate::{
    ChangeHash, HostId, SignedChange,
    change::Body,
    limits::{PARKED_BYTES_MAX, PARKED_CHANGES_MAX, PARKED_OF_HOST_MAX},
};

pub(crate) struct Waiting {
    pub(crate) change: SignedChange,
    pub(crate) body: Body,
    missing: ChangeHash,
    ticket: u64,
}

#[derive(Default)]
pub(crate) struct Parked {
    changes: BTreeMap<ChangeHash, Waiting>,
    /// By age.
    order: BTreeMap<u64, ChangeHash>,
    next_ticket: u64,
    waiting_for: BTreeMap<ChangeHash, Vec<ChangeHash>>,
    per_host: BTreeMap<HostId, usize>,
    bytes: usize,
}

impl Parked {
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn contains(&self, hash: ChangeHash) -> bool {
        self.changes.contains_key(&hash)
    }

    /// What is waited for.
    pub(crate) fn missing(&self) -> Vec<ChangeHash> {
        let waited_for = self.waiting_for.keys().copied();
        waited_for.filter(|hash| !self.contains(*hash)).collect()
    }

    /// Keeps a change until `missing` is known.
    pub(crate) fn park(&mut self, change: SignedChange, body: Body, missing: ChangeHash) {
        let hash = change.hash();
        if self.changes.contains_key(&hash) {
            return;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.order.insert(ticket, hash);
        *self.per_host.entry(change.author()).or_default() += 1;
        self.bytes += change.size();
        self.waiting_for.entry(missing).or_default().push(hash);
        let waiting = Waiting {
            change,
            body,
            missing,
            ticket,
        };
        self.changes.insert(hash, waiting);
    }

    /// Forgets what is over the limits, the oldest first.
    pub(crate) fn trim(&mut self) {
        let of_host = |parked: &Self, hash| {
            let host = parked
                .changes
                .get(&hash)
                .map(|waiting| waiting.change.author());
            host.and_then(|host| parked.per_host.get(&host))
                .copied()
                .unwrap_or(0)
        };
        for hash in self.order.values().copied().collect::<Vec<_>>() {
            let is_full = self.changes.len() > PARKED_CHANGES_MAX || self.bytes > PARKED_BYTES_MAX;
            if is_full || of_host(self, hash) > PARKED_OF_HOST_MAX {
                self.take(hash);
            }
        }
    }

    /// Takes out everything that waits for `hash`.
    pub(crate) fn wake(&mut self, hash: ChangeHash) -> Vec<Waiting> {
        let woken = self.waiting_for.get(&hash).cloned().unwrap_or_default();
        woken
            .into_iter()
            .filter_map(|hash| self.take(hash))
            .collect()
    }

    fn take(&mut self, hash: ChangeHash) -> Option<Waiting> {
        let waiting = self.changes.remove(&hash)?;
        self.order.remove(&waiting.ticket);
        self.bytes -= waiting.change.size();
        if let Some(of_host) = self.per_host.get_mut(&waiting.change.author()) {
            *of_host -= 1;
            if *of_host == 0 {
                self.per_host.remove(&waiting.change.author());
            }
        }
        if let Some(list) = self.waiting_for.get_mut(&waiting.missing) {
            list.retain(|other| *other != hash);
            if list.is_empty() {
                self.waiting_for.remove(&waiting.missing);
            }
        }
        Some(waiting)
    }
}
