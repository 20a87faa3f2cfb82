//! Looking into one command: its code (`G1`, `M104`) and its numbers (`X10.5`).

/// The code of a command: a letter and a number, as in `G1`, `M104`, `T0`. Sub-codes (`G29.1`) belong to their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// Upper case.
    pub(crate) letter: char,
    pub(crate) number: u32,
}

impl Code {
    /// Reads the code off the front of a command; `None` when it begins otherwise.
    pub(crate) fn of(command: &str) -> Option<Self> {
        let mut chars = command.chars();
        let letter = chars
            .next()
            .filter(char::is_ascii_alphabetic)?
            .to_ascii_uppercase();
        let digits = chars.as_str();
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        Some(Self {
            letter,
            number: digits[..end].parse().ok()?,
        })
    }

    pub(crate) fn is(self, letter: char, numbers: &[u32]) -> bool {
        self.letter == letter && numbers.contains(&self.number)
    }
}

/// Returns the number behind `letter`, as in `X` of `G1 X10.5 Y2`. Not for commands that carry text.
pub(crate) fn number(command: &str, letter: char) -> Option<f64> {
    let arguments = arguments(command);
    let at = arguments.find(|c: char| c.eq_ignore_ascii_case(&letter))?;
    let rest = &arguments[at + 1..];
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)))
        .unwrap_or(rest.len());
    rest[..end]
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// What follows the code.
fn arguments(command: &str) -> &str {
    let rest = command.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_numbers_are_found() {
        assert_eq!(
            Code::of("G1 X10"),
            Some(Code {
                letter: 'G',
                number: 1
            })
        );
        assert_eq!(
            Code::of("m104S200"),
            Some(Code {
                letter: 'M',
                number: 104
            })
        );
        assert_eq!(
            Code::of("T1"),
            Some(Code {
                letter: 'T',
                number: 1
            })
        );
        assert_eq!(Code::of("START_PRINT"), None);
        assert_eq!(Code::of(""), None);
        assert_eq!(Code::of("é1"), None);
        assert_eq!(number("G1 X10.5 Y-.5", 'X'), Some(10.5));
        assert_eq!(number("G1 X10.5 Y-.5", 'Y'), Some(-0.5));
        assert_eq!(number("G1X1Y2", 'Y'), Some(2.0));
        assert_eq!(number("G1 X", 'X'), None);
        assert_eq!(number("G28 X", 'G'), None);
    }
}
