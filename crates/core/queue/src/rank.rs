//! Fractional ranks: a place in an order that never needs its neighbours rewritten.
//!
//! A rank is a string over `0`-`9a`-`z` compared bytewise; between any two there is another. Two hosts that move
//! at once may make the same rank: ties are broken by id, nothing is lost.

use serde::{Deserialize, Serialize};

use crate::limits::RANK_BYTES_MAX;

/// A place in an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rank(String);

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Digits that are counted at the ends: room for 10^12 appends.
const WHOLE_DIGITS: usize = 8;
const WHOLE_MAX: u64 = 36u64.pow(WHOLE_DIGITS as u32);

fn value(digit: u8) -> u32 {
    match digit {
        b'0'..=b'9' => u32::from(digit - b'0'),
        _ => u32::from(digit - b'a') + 10,
    }
}

impl Rank {
    /// Reads a rank that somebody else made; `None` when it is not one (empty, foreign letters, trailing zero, too long).
    pub fn parse(text: &str) -> Option<Self> {
        let good = !text.is_empty()
            && text.len() <= RANK_BYTES_MAX
            && !text.ends_with('0')
            && text.bytes().all(|b| DIGITS.contains(&b));
        good.then(|| Self(text.to_owned()))
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a rank between two others; `None` stands for the ends of the order.
    ///
    /// When `low` is not below `high` (two items share a rank), the result is just above `low`.
    pub fn between(low: Option<&Self>, high: Option<&Self>) -> Self {
        let high = high.filter(|high| low.is_none_or(|low| *high > low));
        let stepped = match (low, high) {
            (Some(low), None) => low.whole().checked_add(1).filter(|n| *n < WHOLE_MAX),
            (None, Some(high)) => high.whole().checked_sub(1).filter(|n| *n > 0),
            (None, None) | (Some(_), Some(_)) => None,
        };
        stepped.map_or_else(|| Self::middle(low, high), Self::from_whole)
    }

    /// The first digits as a number: queues mostly grow at their ends, where counting keeps ranks short.
    fn whole(&self) -> u64 {
        let digits = self.0.bytes().chain(std::iter::repeat(b'0'));
        digits
            .take(WHOLE_DIGITS)
            .fold(0, |n, digit| n * 36 + u64::from(value(digit)))
    }

    fn from_whole(mut n: u64) -> Self {
        let mut digits = [b'0'; WHOLE_DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(n % 36) as usize];
            n /= 36;
        }
        let text = std::str::from_utf8(&digits).expect("digits are ASCII");
        Self(text.trim_end_matches('0').to_owned())
    }

    fn middle(low: Option<&Self>, high: Option<&Self>) -> Self {
        let low = low.map_or("", Self::as_str).as_bytes();
        let mut high = high.map(|rank| rank.as_str().as_bytes());
        let mut out = String::new();
        for i in 0.. {
            let a = low.get(i).copied().map_or(0, value);
            let b = high.map_or(36, |high| high.get(i).copied().map_or(0, value));
            let digit = (a + b) / 2;
            if a == b || digit == a {
                out.push(char::from(DIGITS[a as usize]));
                if a != b {
                    high = None;
                }
            } else {
                out.push(char::from(DIGITS[digit as usize]));
                break;
            }
        }
        Self(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_thousand_jobs_at_the_end_keep_ranks_short() {
        let mut last = Rank::between(None, None);
        for _ in 0..10_000 {
            let next = Rank::between(Some(&last), None);
            assert!(next > last);
            last = next;
        }
        assert!(last.as_str().len() <= 8, "{last:?}");
    }

    proptest! {
        #[test]
        fn any_number_of_moves_finds_a_place_between_two_neighbours(moves in proptest::collection::vec(any::<prop::sample::Index>(), 1..300)) {
            let mut ranks = vec![Rank::between(None, None)];
            for at in moves {
                let at = at.index(ranks.len() + 1);
                let low = at.checked_sub(1).map(|i| ranks[i].clone());
                let rank = Rank::between(low.as_ref(), ranks.get(at));
                prop_assert!(Rank::parse(rank.as_str()).is_some(), "{:?}", rank);
                ranks.insert(at, rank);
            }
            prop_assert!(ranks.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
