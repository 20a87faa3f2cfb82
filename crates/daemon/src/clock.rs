//! The clocks of this host, read in one place, and what they say together: whether it was asleep.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use printmesh_node::{Input, Now};
use printmesh_queue::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::mind::Mind;

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

/// A jump of the clock that runs in sleep against the one that does not: smaller ones are how often it is looked at.
const SLEEP: Duration = Duration::from_secs(5);

/// Notices that the machine was asleep.
///
/// A process that was only stopped (SIGSTOP, a paused container) sees no jump here: the node itself notices that it was
/// woken up late.
pub(crate) struct SleepWatch {
    /// How far the clock that runs in sleep was ahead of the other one.
    ahead: Duration,
}

impl SleepWatch {
    pub(crate) fn new() -> Self {
        Self { ahead: ahead() }
    }

    /// Returns whether the machine was asleep since [`SleepWatch::slept`] was asked last.
    pub(crate) fn is_due(&self) -> bool {
        self.jump(ahead()).is_some()
    }

    /// Returns how long it was asleep since it was asked last, if it was.
    pub(crate) fn slept(&mut self) -> Option<Duration> {
        self.note(ahead())
    }

    fn jump(&self, ahead: Duration) -> Option<Duration> {
        let jump = ahead.saturating_sub(self.ahead);
        (jump > SLEEP).then_some(jump)
    }

    fn note(&mut self, ahead: Duration) -> Option<Duration> {
        let jump = self.jump(ahead);
        if jump.is_some() {
            self.ahead = ahead;
        }
        jump
    }
}

fn ahead() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(time.tv_sec.unsigned_abs(), nanos)
    };
    // In this order the difference is never too large.
    let boot = read(ClockId::Boottime);
    boot.saturating_sub(read(ClockId::Monotonic))
}

/// So often it is looked at where this host's clock on the wall hangs: summer comes, and hosts travel.
const ZONE: Duration = Duration::from_secs(60);

/// Tells the mind how far the clock on this host's wall is ahead of UTC, at once and whenever that changes.
pub(crate) async fn tell_zone(mind: Mind) {
    let mut told = None;
    loop {
        let zone = jiff::tz::TimeZone::system();
        let seconds = zone.to_offset(jiff::Timestamp::now()).seconds();
        let minutes = seconds.div_euclid(60);
        if told.replace(minutes) != Some(minutes) {
            mind.tell(Input::Zone { minutes }).await;
        }
        tokio::time::sleep(ZONE).await;
    }
}

/// Returns a time as RFC 3339 UTC with milliseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "?".to_owned(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    #[test]
    fn a_sleep_is_noticed_once_and_naps_add_up_to_one() {
        let mut watch = SleepWatch {
            ahead: seconds(100.0),
        };
        assert_eq!(watch.note(seconds(104.0)), None);
        assert_eq!(watch.note(seconds(106.0)), Some(seconds(6.0)));
        assert_eq!(watch.note(seconds(106.0)), None);
        assert!(
            watch.jump(seconds(3_706.0)).is_some(),
            "asked before it is noted"
        );
        assert_eq!(watch.note(seconds(3_706.0)), Some(seconds(3_600.0)));
        assert_eq!(watch.jump(seconds(3_706.0)), None);
    }

    #[test]
    fn the_clock_of_leases_is_the_one_that_runs_in_sleep() {
        let boot = clock_gettime(ClockId::Boottime);
        let read = now().mono_ms;
        let later = clock_gettime(ClockId::Boottime);
        let (from, to) = (boot.tv_sec.unsigned_abs(), later.tv_sec.unsigned_abs());
        assert!((from..=to).contains(&(read / 1000)));
        assert!(!SleepWatch::new().is_due());
    }
}
