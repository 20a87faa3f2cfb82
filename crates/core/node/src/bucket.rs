//! So much of something, and more with time: what every pace is counted in.

/// Counted in thousandths: so many a second are as many thousandths a millisecond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Below zero: owed.
    thousandths: i64,
    at_ms: u64,
}

/// Far more than any pace counts.
fn thousandths(count: u64) -> i64 {
    i64::try_from(count.saturating_mul(1000)).unwrap_or(i64::MAX)
}

impl Bucket {
    pub(crate) fn new(now_ms: u64, content: u64) -> Self {
        Self {
            thousandths: thousandths(content),
            at_ms: now_ms,
        }
    }

    /// Lets time pass. What is there beyond `most` stays.
    pub(crate) fn fill(&mut self, now_ms: u64, per_s: u64, most: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = now_ms;
        let room = thousandths(most).saturating_sub(self.thousandths).max(0);
        let new = i64::try_from(passed.saturating_mul(per_s)).unwrap_or(i64::MAX);
        self.thousandths += new.min(room);
    }

    /// When it was filled last.
    pub(crate) fn at_ms(&self) -> u64 {
        self.at_ms
    }

    pub(crate) fn has(&self, count: u64) -> bool {
        self.thousandths >= thousandths(count)
    }

    /// Whether it owes something.
    pub(crate) fn owes(&self) -> bool {
        self.thousandths < 0
    }

    /// Takes so much, or what there is.
    pub(crate) fn take(&mut self, count: u64) {
        self.owe(count, 0);
    }

    /// Takes so much; what is not there is owed, but never more than `debt`.
    pub(crate) fn owe(&mut self, count: u64, debt: u64) {
        let least = self.thousandths.min(-thousandths(debt));
        let left = self.thousandths.saturating_sub(thousandths(count));
        self.thousandths = left.max(least);
    }

    /// Milliseconds until it has so much.
    pub(crate) fn wait_ms(&self, count: u64, per_s: u64) -> u64 {
        let missing = thousandths(count).saturating_sub(self.thousandths).max(0);
        missing.unsigned_abs().div_ceil(per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_owed_comes_back_before_anything_is_there() {
        let mut bucket = Bucket::new(0, 10);
        bucket.take(50);
        assert!(!bucket.has(1));
        assert_eq!(bucket.wait_ms(1, 5), 200, "nothing is owed");
        assert!(!bucket.owes());
        bucket.owe(50, 20);
        assert!(bucket.owes());
        assert_eq!(bucket.wait_ms(1, 5), 4_200, "twenty are owed, and one more");
        bucket.take(1);
        assert_eq!(bucket.wait_ms(1, 5), 4_200, "taking makes no debt");
        bucket.fill(4_200, 5, 100);
        assert!(bucket.has(1) && !bucket.has(2));
        bucket.fill(1_000_000, 5, 100);
        assert!(bucket.has(100) && !bucket.has(101));
    }
}
