//! Lines on the wire: numbers and checksums on the way out, cutting bytes into lines on the way in.

use crate::limits::REPLY_BYTES_MAX;

/// The longest line that a stock Marlin takes, from the `N` to the last digit of the checksum. A longer one is cut, fails
/// its checksum, and is asked for again for ever.
pub(crate) const LINE_MAX: usize = 95;

/// Marlin's checksum: all bytes before the `*`, xor.
pub(crate) fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Returns `N<number> <command>*<checksum>` and a line end, or nothing when that would be too long.
pub(crate) fn encode(number: u64, command: &str) -> Option<Vec<u8>> {
    let mut line = format!("N{number} {command}");
    let sum = checksum(line.as_bytes());
    line.push_str(&format!("*{sum}"));
    (line.len() <= LINE_MAX).then(|| {
        line.push('\n');
        line.into_bytes()
    })
}

/// Returns a question that stands for itself, outside of a print: the count begins anew, so that it can have a checksum.
///
/// Without one, a single flipped bit makes `M112` of `M113`, and `M125` of `M105`.
pub(crate) fn question(command: &str) -> Vec<u8> {
    let lines = [encode(0, "M110 N0"), encode(1, command)];
    lines
        .into_iter()
        .flat_map(|line| line.expect("our own questions are short"))
        .collect()
}

/// Cuts what arrives into lines.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// Takes bytes and returns the lines that they complete, without line ends and empty ones.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if matches!(byte, b'\n' | b'\r') || self.partial.len() >= REPLY_BYTES_MAX {
                if !self.partial.is_empty() {
                    lines.push(std::mem::take(&mut self.partial));
                }
            } else {
                self.partial.push(byte);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_encoded_as_marlin_wants_them() {
        assert_eq!(encode(0, "M110 N0").unwrap(), b"N0 M110 N0*125\n");
        let room = LINE_MAX - "N1 *99".len();
        let fits = (room - 2..=room + 2)
            .filter(|length| encode(1, &"X".repeat(*length)).is_some())
            .max()
            .unwrap();
        assert!(encode(1, &"X".repeat(fits)).unwrap().len() <= LINE_MAX + 1);
        assert_eq!(encode(1_000_000, &"X".repeat(fits)), None);
    }

    #[test]
    fn bytes_become_lines_however_they_are_cut() {
        let text = b"ok\r\n\r\nT:20\nok";
        for cut in 0..text.len() {
            let mut splitter = Splitter::default();
            let mut lines = splitter.push(&text[..cut]);
            lines.extend(splitter.push(&text[cut..]));
            assert_eq!(lines, [b"ok".to_vec(), b"T:20".to_vec()]);
        }
        assert!(
            Splitter::default()
                .push(&[b'x'; 10_000])
                .iter()
                .all(|line| line.len() <= REPLY_BYTES_MAX)
        );
    }
}
