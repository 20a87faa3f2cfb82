//! Lines of a file as a firmware takes them: without comments, numbers and checksums, in capitals, code by code.

use std::io::{BufRead, Result};

use crate::limits::LINE_BYTES_MAX;

/// Most characters of a command that are shown.
const SHOWN_CHARS: usize = 48;
/// Commands whose rest is text for people, or a file's name.
const TEXT_M: [u32; 5] = [16, 23, 117, 118, 486];

/// The lines of a file, in bounded memory.
pub(crate) struct Lines<R> {
    source: R,
    line_feeds: u64,
}

/// One line.
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) is_too_long: bool,
    /// Capitals, no comments, no number, no checksum.
    text: String,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            line_feeds: 0,
        }
    }

    /// Gives the next line that is not empty.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>> {
        loop {
            let number = self.line_feeds + 1;
            let mut bytes = Vec::new();
            let mut is_too_long = false;
            let mut is_at_end = true;
            loop {
                let available = self.source.fill_buf()?;
                if available.is_empty() {
                    break;
                }
                is_at_end = false;
                // Files of old Macs end lines with \r alone; an \r\n only yields one more empty line.
                let end = available
                    .iter()
                    .position(|byte| matches!(byte, b'\n' | b'\r'));
                let part = &available[..end.unwrap_or(available.len())];
                let room = LINE_BYTES_MAX.saturating_sub(bytes.len());
                bytes.extend_from_slice(&part[..part.len().min(room)]);
                // What lies beyond is a comment, or no machine takes the line.
                is_too_long |= part.len() > room && !bytes.contains(&b';');
                self.line_feeds += u64::from(end.is_some_and(|at| available[at] == b'\n'));
                let used = end.map_or(available.len(), |at| at + 1);
                self.source.consume(used);
                if end.is_some() {
                    break;
                }
            }
            if is_at_end {
                return Ok(None);
            }
            let text = plain(&String::from_utf8_lossy(&bytes));
            if !text.is_empty() || is_too_long {
                return Ok(Some(Line {
                    number,
                    is_too_long,
                    text,
                }));
            }
        }
    }
}

/// Takes off what no firmware looks at.
fn plain(line: &str) -> String {
    let ignored = |c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}';
    let mut text = String::with_capacity(line.len());
    let mut depth = 0u32;
    for c in line.chars() {
        match c {
            ';' => break,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth > 0 => _ = c,
            c if ignored(c) => text.push(' '),
            c => text.extend(c.to_uppercase()),
        }
    }
    let text = text.trim();
    let text = match text.strip_prefix('N').map(str::trim_start) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        _ => text,
    };
    let text = match text.rsplit_once('*') {
        Some((command, sum)) if sum.trim().bytes().all(|byte| byte.is_ascii_digit()) => command,
        _ => text,
    };
    text.trim().to_owned()
}

/// One code of a line with what follows it.
pub(crate) struct Code<'a> {
    pub(crate) letter: char,
    pub(crate) number: u32,
    rest: &'a str,
}

impl Line {
    /// What is shown of it.
    pub(crate) fn shown(&self) -> String {
        let shown = self.text.chars().filter(|c| !c.is_control());
        shown.take(SHOWN_CHARS).collect()
    }

    /// The name of a command that has one, such as Klipper's.
    pub(crate) fn name(&self) -> Option<&str> {
        let end = self
            .text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &self.text[..end.unwrap_or(self.text.len())];
        let mut chars = name.chars();
        let first = chars.next()?;
        let second = chars.next()?;
        let named = (first.is_ascii_alphabetic() || first == '_') && !second.is_ascii_digit();
        named.then_some(name)
    }

    /// `KEY=VALUE` of a command that has a name.
    pub(crate) fn parameters(&self) -> Option<Vec<(&str, &str)>> {
        self.name()?;
        let words = self.text.split_whitespace();
        let pairs = words.filter_map(|word| word.split_once('='));
        Some(
            pairs
                .map(|(key, value)| (key, value.trim_matches(['"', '\''])))
                .collect(),
        )
    }

    /// Every `G`, `M` and `T` of the line with its arguments: some firmwares take several commands on one line.
    pub(crate) fn codes(&self) -> Vec<Code<'_>> {
        if self.name().is_some() {
            return Vec::new();
        }
        let text = self.text.as_str();
        let mut starts = Vec::new();
        let mut quoted = false;
        for (at, c) in text.char_indices() {
            quoted ^= c == '"';
            if quoted || !matches!(c, 'G' | 'M' | 'T') {
                continue;
            }
            let rest = text[at + 1..].trim_start_matches(' ');
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            // More digits than any code has are no code; T is an argument as often as a command.
            let is_first =
                starts.is_empty() && text[..at].chars().all(|c| !c.is_ascii_alphanumeric());
            if digits == 0 || c == 'T' && !is_first {
                continue;
            }
            let number = rest[..digits].trim_start_matches('0');
            let number = if number.is_empty() {
                Ok(0)
            } else {
                number.parse()
            };
            let number = number.unwrap_or(u32::MAX);
            starts.push((at, c, number, &rest[digits..]));
            if c == 'M' && TEXT_M.contains(&number) {
                break;
            }
        }
        let mut codes: Vec<Code<'_>> = Vec::with_capacity(starts.len());
        for (i, (_, letter, number, rest)) in starts.iter().enumerate() {
            let end = starts.get(i + 1).map_or(text.len(), |next| next.0);
            let from = text.len() - rest.len();
            codes.push(Code {
                letter: *letter,
                number: *number,
                rest: text.get(from..end).unwrap_or_default(),
            });
        }
        codes
    }
}

impl Code<'_> {
    /// Every number behind one of these letters: which of several a firmware takes is its own business.
    pub(crate) fn numbers(&self, letters: &[char]) -> Vec<f64> {
        let mut found = Vec::new();
        for (at, c) in self.rest.char_indices() {
            if letters.contains(&c) {
                let rest = self.rest[at + c.len_utf8()..].trim_start();
                let end = rest.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)));
                let number = rest[..end.unwrap_or(rest.len())].parse();
                found.extend(number.ok().filter(|number: &f64| number.is_finite()));
            }
        }
        found
    }

    pub(crate) fn number(&self, letter: char) -> Option<f64> {
        self.numbers(&[letter]).last().copied()
    }

    pub(crate) fn has(&self, letter: char) -> bool {
        self.rest.contains(letter)
    }
}
