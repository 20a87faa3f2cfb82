//! Changes that wait for their past to arrive. Bounded: what does not fit is forgotten, and the next exchange of version
//! vectors brings it again.

use std::collections::BTreeMap;

use crate::{
    ChangeHash, HostId, SignedChange,
    change::Body,
    limits::{PARKED_BYTES_MAX, PARKED_CHANGES_MAX, PARKED_OF_HOST_MAX, PARKED_OF_STRANGERS_MAX},
};

pub(crate) struct Waiting {
    pub(crate) change: SignedChange,
    pub(crate) body: Body,
    missing: ChangeHash,
    ticket: u64,
    /// Whose room it takes up: its author's, or that of all who are no members.
    room: Option<HostId>,
}

#[derive(Default)]
pub(crate) struct Parked {
    changes: BTreeMap<ChangeHash, Waiting>,
    /// By age.
    order: BTreeMap<u64, ChangeHash>,
    next_ticket: u64,
    waiting_for: BTreeMap<ChangeHash, Vec<ChangeHash>>,
    per_room: BTreeMap<Option<HostId>, usize>,
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
    pub(crate) fn park(
        &mut self,
        change: SignedChange,
        body: Body,
        missing: ChangeHash,
        of_member: bool,
    ) {
        let hash = change.hash();
        if self.changes.contains_key(&hash) {
            return;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.order.insert(ticket, hash);
        let room = of_member.then_some(change.author());
        *self.per_room.entry(room).or_default() += 1;
        self.bytes += change.size();
        self.waiting_for.entry(missing).or_default().push(hash);
        let waiting = Waiting {
            change,
            body,
            missing,
            ticket,
            room,
        };
        self.changes.insert(hash, waiting);
    }

    /// Forgets what is over the limits, the oldest first.
    pub(crate) fn trim(&mut self) {
        let is_crowded = |parked: &Self, hash| {
            let room = parked.changes.get(&hash).map(|waiting| waiting.room);
            let count = room.and_then(|room| parked.per_room.get(&room)).copied();
            let most = match room {
                Some(Some(_)) => PARKED_OF_HOST_MAX,
                _ => PARKED_OF_STRANGERS_MAX,
            };
            count.unwrap_or(0) > most
        };
        for hash in self.order.values().copied().collect::<Vec<_>>() {
            let is_full = self.changes.len() > PARKED_CHANGES_MAX || self.bytes > PARKED_BYTES_MAX;
            if is_full || is_crowded(self, hash) {
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
        if let Some(count) = self.per_room.get_mut(&waiting.room) {
            *count -= 1;
            if *count == 0 {
                self.per_room.remove(&waiting.room);
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
