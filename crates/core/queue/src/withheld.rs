//! Changes that were good by what their authors had seen, and are not by what this host knows: their authors were removed,
//! or have a lower role by now.
//!
//! They are not refused for ever: a member that took one in before it heard of that decision may have built on it, and
//! brings it in with the change that follows it. Bounded: what does not fit is forgotten, and the next exchange of version
//! vectors brings it again.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    ChangeHash, SignedChange,
    change::Body,
    limits::{WITHHELD_BYTES_MAX, WITHHELD_CHANGES_MAX},
};

#[derive(Default)]
pub(crate) struct Withheld {
    changes: BTreeMap<ChangeHash, (SignedChange, Body)>,
    order: VecDeque<ChangeHash>,
    bytes: usize,
}

impl Withheld {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn contains(&self, hash: ChangeHash) -> bool {
        self.changes.contains_key(&hash)
    }

    pub(crate) fn put(&mut self, change: SignedChange, body: Body) {
        let hash = change.hash();
        self.bytes += change.size();
        self.order.push_back(hash);
        self.changes.insert(hash, (change, body));
        while self.changes.len() > WITHHELD_CHANGES_MAX || self.bytes > WITHHELD_BYTES_MAX {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.take(oldest);
        }
    }

    pub(crate) fn take(&mut self, hash: ChangeHash) -> Option<(SignedChange, Body)> {
        let taken = self.changes.remove(&hash)?;
        self.bytes -= taken.0.size();
        self.order.retain(|other| *other != hash);
        Some(taken)
    }

    /// Takes out what a change follows, directly and further back, in a causal order.
    pub(crate) fn take_past_of(&mut self, body: &Body) -> Vec<(SignedChange, Body)> {
        let mut found = Vec::new();
        let mut open = body.deps.clone();
        while let Some(hash) = open.pop() {
            if let Some((change, body)) = self.take(hash) {
                open.extend_from_slice(&body.deps);
                found.push((change, body));
            }
        }
        in_order(found)
    }

    /// Takes everything out, in a causal order.
    pub(crate) fn take_all(&mut self) -> Vec<(SignedChange, Body)> {
        self.bytes = 0;
        self.order.clear();
        in_order(std::mem::take(&mut self.changes).into_values().collect())
    }
}

/// What follows a change counts its operations from a higher number.
fn in_order(mut changes: Vec<(SignedChange, Body)>) -> Vec<(SignedChange, Body)> {
    changes.sort_by_key(|(_, body)| body.start_op);
    changes
}
