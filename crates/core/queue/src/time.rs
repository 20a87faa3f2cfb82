//! Wall-clock times as they are shown. Nothing is decided by comparing two hosts' clocks.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC, by the clock of the host that wrote it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the seconds from `earlier` to `self`, 0 when the clock went backwards.
    pub fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }
}
