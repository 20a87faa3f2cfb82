//! How far automatic sorting reaches: a number of jobs, a share of them, or the smaller of both.

/// How many of the first jobs automatic sorting may reorder; the smaller one wins, neither = all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortLimit {
    /// So many.
    pub positions: Option<u32>,
    /// So much of the list, in percent, rounded up.
    pub percent: Option<u32>,
}

impl SortLimit {
    /// Returns how many of so many jobs may be reordered.
    pub fn of(self, jobs: usize) -> usize {
        let positions = self.positions.map_or(jobs, |n| n as usize);
        let share = self.percent.map_or(jobs, |percent| {
            (jobs * percent.min(100) as usize).div_ceil(100)
        });
        positions.min(share).min(jobs)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut limit = Self::default();
        if text == "none" {
            return Some(limit);
        }
        for part in text.split(',') {
            let (number, place) = match part.strip_suffix('%') {
                Some(number) => (number, &mut limit.percent),
                None => (part, &mut limit.positions),
            };
            let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let number = number.parse::<u32>().ok().filter(|_| is_number)?;
            let fits = number <= 100 || !part.ends_with('%');
            if !fits || place.replace(number).is_some() {
                return None;
            }
        }
        Some(limit)
    }

    pub(crate) fn text(self) -> String {
        let positions = self.positions.map(|n| n.to_string());
        let percent = self.percent.map(|n| format!("{n}%"));
        let parts: Vec<String> = positions.into_iter().chain(percent).collect();
        match parts.is_empty() {
            true => "none".to_owned(),
            false => parts.join(","),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_limit_is_a_number_a_share_or_the_smaller_of_both() {
        let of = |text: &str, jobs| SortLimit::parse(text).map(|limit| limit.of(jobs));
        for (text, jobs, expected) in [
            ("none", 100, 100),
            ("20", 100, 20),
            ("20", 8, 8),
            ("25%", 100, 25),
            ("25%", 10, 3),
            ("25%", 1, 1),
            ("20,25%", 100, 20),
            ("20,25%", 40, 10),
            ("25%,20", 40, 10),
            ("0", 9, 0),
            ("0%", 9, 0),
        ] {
            assert_eq!(of(text, jobs), Some(expected), "{text} of {jobs}");
        }
        for bad in ["101%", "5,6", "5%,6%", "5,", "%", "+5", " 5", "5 %", "all"] {
            assert_eq!(SortLimit::parse(bad), None, "{bad}");
        }
        assert_eq!(SortLimit::parse("25%,20").unwrap().text(), "20,25%");
    }
}
