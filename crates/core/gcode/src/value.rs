//! Reads one value: a number, a duration, a list, a bed's outline, a colour, a name.
//!
//! Nothing here fails loudly: what cannot be read is `None`, and so is zero where zero can only mean "not stated".

use crate::{
    Bed,
    limits::{CORNERS_MAX, LIST_LEN_MAX, TEXT_CHARS_MAX},
};

/// Reads a number above zero, whatever unit stands behind it: `1539.0mm (3.7cm3)` is 1539.0.
pub(crate) fn positive(value: &str) -> Option<f64> {
    number(value).filter(|&number| number > 0.0)
}

/// Reads a number of either sign, whatever unit stands behind it.
pub(crate) fn number(value: &str) -> Option<f64> {
    let value = value.trim();
    let digits = value.strip_prefix('-').unwrap_or(value);
    let len = digits
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(digits.len());
    let number: f64 = value[..value.len() - digits.len() + len].parse().ok()?;
    number.is_finite().then_some(number)
}

/// Reads a count above zero.
pub(crate) fn count(value: &str) -> Option<u32> {
    value.trim().parse().ok().filter(|&number| number > 0)
}

/// Reads a temperature, in °C. Zero means that nothing is heated.
pub(crate) fn celsius(value: &str) -> Option<u32> {
    // No printer is hotter; a bound also makes the conversion exact.
    let degrees = positive(value).filter(|&degrees| degrees < 1000.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 1000"
    )]
    Some(degrees.round() as u32)
}

/// Reads `1d 2h 3m 4s`, or plain seconds, to whole seconds.
pub(crate) fn duration_s(value: &str) -> Option<u64> {
    let mut total_s = 0_u64;
    for part in value.split_ascii_whitespace() {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds_each = seconds_each(&part[digits.len()..])?;
        total_s = add_s(total_s, digits, seconds_each)?;
    }
    (total_s > 0).then_some(total_s)
}

/// Reads `1 hours 2 minutes`, or `1 hour 2 min 3 sec`, to whole seconds.
pub(crate) fn spelled_duration_s(value: &str) -> Option<u64> {
    let mut total_s = 0_u64;
    let mut words = value.split_ascii_whitespace();
    while let Some(digits) = words.next() {
        let unit = words.next()?;
        total_s = add_s(total_s, digits, seconds_each(unit.get(..1)?)?)?;
    }
    (total_s > 0).then_some(total_s)
}

fn seconds_each(unit: &str) -> Option<u64> {
    match unit {
        "d" => Some(86_400),
        "h" => Some(3_600),
        "m" => Some(60),
        "s" | "" => Some(1),
        _ => None,
    }
}

fn add_s(total_s: u64, digits: &str, seconds_each: u64) -> Option<u64> {
    let whole: u64 = digits.split('.').next()?.parse().ok()?;
    total_s.checked_add(whole.checked_mul(seconds_each)?)
}

/// Yields the elements of a list, one for each tool, without quotes. Slicers use `,` for numbers and `;` for names.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    split(value, &[',', ';'])
}

/// Yields the elements of a list of names, in which commas are no separators.
pub(crate) fn names(value: &str) -> impl Iterator<Item = &str> {
    split(value, &[';'])
}

/// Splits outside of quotes.
fn split<'a>(value: &'a str, separators: &'static [char]) -> impl Iterator<Item = &'a str> {
    let mut quoted = false;
    value
        .split(move |c: char| {
            quoted ^= c == '"';
            !quoted && separators.contains(&c)
        })
        .map(|element| element.trim().trim_matches('"').trim())
        .take(LIST_LEN_MAX)
}

/// Adds up a list of numbers. `None` when nothing in it is above zero.
pub(crate) fn sum(value: &str) -> Option<f64> {
    let total: f64 = list(value).filter_map(positive).sum();
    (total.is_finite() && total > 0.0).then_some(total)
}

/// Reads a name: without quotes, without control characters, of bounded length.
pub(crate) fn text(value: &str) -> Option<String> {
    let text: String = value
        .trim()
        .trim_matches('"')
        .chars()
        .filter(|c| !c.is_control())
        .take(TEXT_CHARS_MAX)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Reads `#RRGGBB` or `#RRGGBBAA` to `rrggbb`: no printer mixes transparency.
pub(crate) fn colour(value: &str) -> Option<String> {
    let digits = value.trim().strip_prefix('#')?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && matches!(digits.len(), 6 | 8)).then(|| digits[..6].to_ascii_lowercase())
}

/// Reads an outline such as `0x0,250x0,250x210,0x210` to the size of the box around it.
pub(crate) fn bed(value: &str) -> Option<Bed> {
    let (mut x, mut y) = (Range::EMPTY, Range::EMPTY);
    for corner in value.split(',').take(CORNERS_MAX) {
        let (left, right) = corner.trim().split_once('x')?;
        x.include(left.parse().ok()?);
        y.include(right.parse().ok()?);
    }
    Some(Bed {
        width_mm: x.length()?,
        depth_mm: y.length()?,
        height_mm: None,
    })
}

/// From the least to the greatest of some numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Range {
    pub(crate) const EMPTY: Self = Self {
        least: f64::INFINITY,
        most: f64::NEG_INFINITY,
    };

    pub(crate) fn include(&mut self, number: f64) {
        self.least = self.least.min(number);
        self.most = self.most.max(number);
    }

    /// `None` when nothing that has a length was included.
    pub(crate) fn length(&self) -> Option<f64> {
        let length = self.most - self.least;
        (length.is_finite() && length > 0.0).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |value, expected| assert_eq!(duration_s(value), expected, "{value}");
        check("4m 1s", Some(241));
        check("1d 2h 3m 4s", Some(93_784));
        check("825", Some(825));
        check("390.7", Some(390));
        check("", None);
        check("0", None);
        check("soon", None);
        check("-5s", None);
        check("99999999999999999999d", None);
        check("9999999999999999d", None);
    }

    #[test]
    fn numbers() {
        let check = |value, expected| assert_eq!(positive(value), expected, "{value}");
        check("1539.0mm (3.7cm3)", Some(1539.0));
        check(" 0.4", Some(0.4));
        check("0.00", None);
        check("-1", None);
        check("-", None);
        check("nan", None);
        check("", None);
        check(&"9".repeat(400), None);
    }

    #[test]
    fn beds() {
        let size = |value| bed(value).map(|bed| (bed.width_mm, bed.depth_mm));
        assert_eq!(size("0x0,250x0,250x210,0x210"), Some((250.0, 210.0)));
        assert_eq!(size("-90x0, 0x90, 90x0, 0x-90"), Some((180.0, 180.0)));
        assert_eq!(size("0x0"), None);
        assert_eq!(size("NaNx1,2x3"), None);
        assert_eq!(size("round"), None);
    }

    #[test]
    fn spelled_durations() {
        let check = |value, expected| assert_eq!(spelled_duration_s(value), expected, "{value}");
        check("1 hours 2 minutes", Some(3720));
        check("1 hour 2 min 3 sec", Some(3723));
        check("4 minutes", Some(240));
        check("4", None);
        check("4 \u{e9}", None);
        check("", None);
    }

    #[test]
    fn colours() {
        let check = |value, expected: Option<&str>| {
            assert_eq!(colour(value).as_deref(), expected, "{value}")
        };
        check("#FF8000", Some("ff8000"));
        check("#FF8000FF", Some("ff8000"));
        check("FF8000", None);
        check("#FF80", None);
        check("#\u{e9}\u{e9}\u{e9}", None);
        check("", None);
    }

    #[test]
    fn a_separator_in_quotes_separates_nothing() {
        let elements = |value| names(value).collect::<Vec<_>>();
        assert_eq!(
            elements("\"PLA; hot\";\"PETG, dry\";x"),
            ["PLA; hot", "PETG, dry", "x"]
        );
        assert_eq!(elements("\"\""), [""]);
        assert_eq!(list("1,2;\"3,4").collect::<Vec<_>>(), ["1", "2", "3,4"]);
    }

    #[test]
    fn names_are_tame() {
        assert_eq!(text("\"MK4\u{7}\""), Some("MK4".to_owned()));
        assert_eq!(text("  "), None);
        assert_eq!(text(&"x".repeat(500)).map(|name| name.len()), Some(120));
    }
}
