//! So much at once, and more with time: for handshakes and for frames.

use std::time::{Duration, Instant};

/// A rate and what may be used at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: f64,
    pub(crate) per_s: f64,
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let (left, at) = (rate.burst, now);
        Self { rate, left, at }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * self.rate.per_s).min(self.rate.burst);
    }

    /// Whether nobody has used it lately.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= self.rate.burst
    }

    /// Uses one, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }

    /// Uses so much, and returns how long to wait until that much was left.
    pub(crate) fn owe(&mut self, count: usize, now: Instant) -> Duration {
        self.fill(now);
        self.left -= count as f64;
        Duration::from_secs_f64((-self.left / self.rate.per_s).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_comes_back_with_time_and_no_more() {
        let rate = Rate {
            burst: 3.0,
            per_s: 2.0,
        };
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::new(rate, start);
        assert!(bucket.is_full(start));
        assert_eq!(
            [(); 5].map(|()| bucket.take(start)),
            [true, true, true, false, false]
        );
        assert_eq!([(); 2].map(|()| bucket.take(at(500))), [true, false]);
        assert!(bucket.is_full(at(3_600_000)));
        assert_eq!(bucket.owe(3, at(3_600_000)), Duration::ZERO);
        assert_eq!(bucket.owe(4, at(3_600_000)), Duration::from_secs(2));
    }
}
