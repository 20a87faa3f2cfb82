//! A copy that a printer has: one print after the other.

use std::collections::VecDeque;

use printmesh_queue::{CopyId, PrinterId, Timestamp};

use crate::{Basis, Took, times::Left};

/// A copy that a printer has, and has not begun or not finished.
pub(super) struct Held {
    pub(super) line: usize,
    pub(super) copy: CopyId,
    pub(super) printer: PrinterId,
    /// What is left of it; who has no time is named.
    pub(super) left: Result<Prints, String>,
    /// So many milliseconds after each of its prints the bed is clear.
    pub(super) clear_ms: u64,
    /// It was claimed before anything was looked at.
    pub(super) claimed: bool,
    /// It is not looked at again before.
    pub(super) quiet: Option<Timestamp>,
    /// Its place in the forecast, once it has begun.
    pub(super) shown: Option<usize>,
}

/// The prints that are left of a copy, in their order.
pub(super) struct Prints {
    left: VecDeque<Left>,
    /// What the times of all of them rest on.
    pub(super) basis: Basis,
}

impl Prints {
    /// The one under way, if any, and what comes after it.
    pub(super) fn new(current: Option<Took>, mut left: VecDeque<Left>) -> Self {
        if let Some(each) = current {
            left.push_front(Left { each, prints: 1 });
        }
        let bases = left.iter().map(|left| left.each.basis);
        Self {
            basis: bases.max().unwrap_or(Basis::Measured),
            left,
        }
    }

    /// Takes the next one out: how many milliseconds it takes.
    pub(super) fn next(&mut self) -> Option<u64> {
        let first = self.left.front_mut()?;
        let ms = first.each.ms;
        first.prints -= 1;
        if first.prints == 0 {
            self.left.pop_front();
        }
        Some(ms)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// How many milliseconds they take, where each waits so long until the bed is clear of the one before.
    pub(super) fn ms(&self, clear_ms: u64) -> u64 {
        let all = self.left.iter().map(|left| {
            let one = left.each.ms.saturating_add(clear_ms);
            one.saturating_mul(left.prints)
        });
        all.fold(0, u64::saturating_add)
    }
}
