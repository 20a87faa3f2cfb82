//! Makes the engine break on a change of a test's choice, since nobody knows one on which it breaks by itself. Never part of a
//! build that anybody uses.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use crate::ChangeHash;

static BROKEN: Mutex<BTreeSet<ChangeHash>> = Mutex::new(BTreeSet::new());

/// Every document of this process panics on this change from now on.
pub fn break_on(change: ChangeHash) {
    let mut broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    broken.insert(change);
}

pub(crate) fn breaks_on(change: ChangeHash) -> bool {
    let broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    broken.contains(&change)
}
