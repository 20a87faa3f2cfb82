//! Deliberate bugs, and an engine that breaks on a change of a test's choice, since nobody knows one on which it breaks by itself.
//! Never part of a build that anybody uses.

use std::{
    cell::Cell,
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crate::ChangeHash;

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Nobody asks whether the author's role lets it write that.
    AnybodyWrites,
    /// Nobody looks at the signature of a change.
    UnsignedCounts,
}

static BROKEN: Mutex<BTreeSet<ChangeHash>> = Mutex::new(BTreeSet::new());

thread_local! {
    static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Every document of this process panics on this change from now on.
pub fn break_on(change: ChangeHash) {
    let mut broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    broken.insert(change);
}

pub(crate) fn breaks_on(change: ChangeHash) -> bool {
    let broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    broken.contains(&change)
}

/// Every document of this thread has that bug from now on, and no other.
pub fn make(bug: Option<Bug>) {
    BUG.set(bug);
}

pub(crate) fn has(bug: Bug) -> bool {
    BUG.get() == Some(bug)
}
