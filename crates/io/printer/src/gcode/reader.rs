//! A stream of commands from a file of any size, in bounded memory.
//!
//! Comments, blank lines, line numbers and checksums of the file's own are taken off here. What a command means is not
//! looked at.

use std::io::{self, BufRead};

use super::word::Code;
use crate::limits::LINE_BYTES_MAX;

/// One command of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Without comment, line number, checksum and outer spaces; never empty.
    pub(crate) text: String,
    /// The line in the file, from 1.
    pub(crate) line: u64,
    /// How many bytes of the file are used up with this command.
    pub(crate) end: u64,
}

/// Why a file cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("failed to read the file")]
    Io(#[from] io::Error),
    #[error("line {line} is longer than {LINE_BYTES_MAX} characters: this is no G-code")]
    LineTooLong { line: u64 },
    #[error("the file is binary G-code, which this printer does not take: export it as plain text")]
    Binary,
}

/// The commands of a file, in order.
pub(crate) struct Commands<R> {
    source: R,
    line: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Commands<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            line: 0,
            end: 0,
            buffer: Vec::new(),
        }
    }

    /// Reads one line into the buffer, without its end and without what a comment has beyond the limit.
    /// Returns whether there was one.
    fn read_line(&mut self) -> Result<bool, ReadError> {
        self.buffer.clear();
        let before = self.end;
        loop {
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if available.is_empty() {
                break;
            }
            if self.end == 0 && available.starts_with(b"GCDE") {
                return Err(ReadError::Binary);
            }
            // Files of old Macs end lines with \r alone; an \r\n then only yields one more empty line.
            let line_end = available
                .iter()
                .position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &available[..line_end.unwrap_or(available.len())];
            let room = LINE_BYTES_MAX.saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&part[..part.len().min(room)]);
            if part.len() > room && !self.buffer.contains(&b';') {
                return Err(ReadError::LineTooLong {
                    line: self.line + 1,
                });
            }
            let used = line_end.map_or(available.len(), |at| at + 1);
            let is_line_feed = line_end.is_some_and(|at| available[at] == b'\n');
            self.source.consume(used);
            self.end += used as u64;
            if line_end.is_some() {
                self.line += u64::from(is_line_feed);
                break;
            }
        }
        Ok(self.end > before)
    }
}

impl<R: BufRead> Iterator for Commands<R> {
    type Item = Result<Command, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line_before = self.line;
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            let text = command_of(&String::from_utf8_lossy(&self.buffer));
            if !text.is_empty() {
                return Some(Ok(Command {
                    text,
                    line: line_before + 1,
                    end: self.end,
                }));
            }
        }
    }
}

/// Takes everything off a line that is not the command.
fn command_of(line: &str) -> String {
    let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
    let line = without_number(line);
    let carries_text = Code::of(line).is_some_and(|code| code.is('M', &[117, 118]));
    let mut text = String::with_capacity(line.len());
    let mut depth = 0u32;
    let mut escaped = false;
    for c in line.chars() {
        if carries_text && escaped {
            escaped = false;
            text.push(c);
        } else if carries_text && c == '\\' {
            escaped = true;
        } else if c == ';' {
            break;
        } else if c == '(' && !carries_text {
            depth += 1;
        } else if c == ')' && !carries_text {
            depth = depth.saturating_sub(1);
        } else if depth == 0 {
            text.push(c);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// Takes off `N12 ` and `*71`, if the file has numbers of its own.
fn without_number(line: &str) -> &str {
    let Some(rest) = line
        .strip_prefix(['N', 'n'])
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return line;
    };
    let rest = rest
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim_start();
    match rest.rsplit_once('*') {
        Some((command, sum))
            if !sum.is_empty() && sum.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            command
        }
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<(String, u64)> {
        Commands::new(text)
            .map(|command| command.unwrap())
            .map(|command| (command.text, command.line))
            .collect()
    }

    fn texts(text: &str) -> Vec<String> {
        read(text.as_bytes())
            .into_iter()
            .map(|(text, _)| text)
            .collect()
    }

    #[test]
    fn only_commands_are_left() {
        let file =
            "; head\n\nG28 ; home\r\n  G1 X1 (fast) Y2\nN7 M105*36\nM117 a\\;b (c); d\n   \nG1 X3";
        assert_eq!(
            texts(file),
            ["G28", "G1 X1  Y2", "M105", "M117 a;b (c)", "G1 X3"]
        );
        assert_eq!(
            read(file.as_bytes())
                .iter()
                .map(|(_, line)| *line)
                .collect::<Vec<_>>(),
            [3, 4, 5, 6, 8]
        );
    }

    #[test]
    fn a_long_comment_is_no_long_line() {
        let comment = format!("G1 X1 ;{}\nG1 X2\n", "a".repeat(1 << 20));
        assert_eq!(texts(&comment), ["G1 X1", "G1 X2"]);
        let long = format!("G28\nG1 {}", "X1 ".repeat(1000));
        let error = Commands::new(long.as_bytes())
            .find_map(Result::err)
            .unwrap();
        assert!(matches!(error, ReadError::LineTooLong { line: 2 }));
    }

    #[test]
    fn binary_gcode_is_recognised() {
        assert!(matches!(
            Commands::new(&b"GCDE\x01\x00"[..]).next(),
            Some(Err(ReadError::Binary))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
            let mut end = 0;
            for command in Commands::new(bytes.as_slice()) {
                let Ok(command) = command else { return Ok(()) };
                prop_assert!(!command.text.is_empty());
                prop_assert!(command.end > end && command.end <= bytes.len() as u64);
                end = command.end;
            }
        }
    }
}
