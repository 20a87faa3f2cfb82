//! The two clocks of this host, read in one place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use printmesh_node::Now;
use printmesh_queue::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Returns now: milliseconds since boot that also run while the machine sleeps, and the wall clock.
///
/// `CLOCK_BOOTTIME` and not `Instant`: after a night's sleep a lease has lapsed (notes: tokio's clock stops in
/// suspend).
pub(crate) fn now() -> Now {
    let boot = clock_gettime(ClockId::Boottime);
    let mono_ms = boot.tv_sec.unsigned_abs() * 1000 + boot.tv_nsec.unsigned_abs() / 1_000_000;
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Now {
        mono_ms,
        wall: Timestamp(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Returns a time as RFC 3339 UTC with milliseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "?".to_owned(), |time| format!("{time:.3}"))
}
