//! Lines, comments, and the `key = value` or `KEY:value` in a comment.
//!
//! Bytes need not be UTF-8: what is not is replaced. It does not know which keys mean anything.

use std::borrow::Cow;

use crate::limits::COMMENT_BYTES_MAX;

/// Yields lines without their end (`\n` or `\r\n`), and without a byte order mark before the first.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Yields the text of lines that are nothing but a comment, without `;` and the space around.
pub(crate) fn comments(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    lines(bytes).filter_map(|line| {
        let text = line.trim_ascii_start().strip_prefix(b";")?.trim_ascii();
        Some(String::from_utf8_lossy(
            &text[..text.len().min(COMMENT_BYTES_MAX)],
        ))
    })
}

/// Splits `key = value` and `KEY:value` at the first sign of either kind.
pub(crate) fn key_value(comment: &str) -> Option<(&str, &str)> {
    let (key, value) = comment.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_found_in_any_line_ending_and_encoding() {
        let found: Vec<_> =
            comments(b"\xEF\xBB\xBF; a = 1\r\nG1 X1 ; not this\r\n;TIME:5\n  ; caf\xE9\n;")
                .collect();
        assert_eq!(found, ["a = 1", "TIME:5", "caf\u{FFFD}", ""]);
    }

    #[test]
    fn a_value_may_hold_further_signs() {
        assert_eq!(
            key_value("total filament length [mm] : 1.5"),
            Some(("total filament length [mm]", "1.5"))
        );
        assert_eq!(
            key_value("start_gcode = M104 S=1:2"),
            Some(("start_gcode", "M104 S=1:2"))
        );
        assert_eq!(key_value("LAYER_CHANGE"), None);
    }
}
