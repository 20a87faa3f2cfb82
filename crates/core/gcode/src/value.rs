//! Reads one value: a number, a duration, a list, a bed's outline, a name.
//!
//! Nothing here fails loudly: what cannot be read is `None`, and so is zero where zero can only mean "not stated".

use crate::Bed;

/// Longest name kept, in characters.
const TEXT_CHARS_MAX: usize = 120;

/// Most elements of a list that are looked at: more extruders than any printer has.
const LIST_LEN_MAX: usize = 64;

/// Reads a number above zero, whatever unit stands behind it: `1539.0mm (3.7cm3)` is 1539.0.
pub(crate) fn positive(value: &str) -> Option<f64> {
    let value = value.trim();
    let end = value
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(value.len());
    let number: f64 = value[..end].parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number)
}

/// Reads a count above zero.
pub(crate) fn count(value: &str) -> Option<u32> {
    value.trim().parse().ok().filter(|&number| number > 0)
}

/// Reads `1d 2h 3m 4s`, or plain seconds, to whole seconds.
pub(crate) fn duration_s(value: &str) -> Option<u64> {
    let mut total_s = 0_u64;
    for part in value.split_ascii_whitespace() {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let seconds_each = match &part[digits.len()..] {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" | "" => 1,
            _ => return None,
        };
        let whole = digits.split('.').next()?;
        total_s = total_s.checked_add(whole.parse::<u64>().ok()?.checked_mul(seconds_each)?)?;
    }
    (total_s > 0).then_some(total_s)
}

/// Yields the elements of a list, one for each extruder, without quotes. Slicers use `,` for numbers and `;` for names.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    value
        .split([',', ';'])
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

/// Reads an outline such as `0x0,250x0,250x210,0x210` to the size of the box around it.
pub(crate) fn bed(value: &str) -> Option<Bed> {
    let (mut x, mut y) = (Range::EMPTY, Range::EMPTY);
    // A round bed has about 70 corners: more than any list of extruders, so not `list`.
    for corner in value.split(',').take(1024) {
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

struct Range {
    least: f64,
    most: f64,
}

impl Range {
    const EMPTY: Self = Self {
        least: f64::INFINITY,
        most: f64::NEG_INFINITY,
    };

    fn include(&mut self, number: f64) {
        self.least = self.least.min(number);
        self.most = self.most.max(number);
    }

    fn length(&self) -> Option<f64> {
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
    fn names_are_tame() {
        assert_eq!(text("\"MK4\u{7}\""), Some("MK4".to_owned()));
        assert_eq!(text("  "), None);
        assert_eq!(text(&"x".repeat(500)).map(|name| name.len()), Some(120));
    }
}
