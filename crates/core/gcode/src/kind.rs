//! Is this G-code, and if not, what is it?
//!
//! Decides by the bytes alone: a file's name is not asked. It does not check that commands are known to any firmware.

use crate::{Rejected, comment::lines};

/// Accepts bytes with G-code commands in them; says what the file looks like otherwise.
pub(crate) fn check(head: &[u8], tail: &[u8]) -> Result<(), Rejected> {
    let not = |looks_like| Err(Rejected::NotGcode { looks_like });
    if let Some(looks_like) = by_magic(head) {
        return not(looks_like);
    }
    // Firmwares take bytes, not text, but no slicer writes a NUL: one of them means a file that was torn or never was text.
    if head.contains(&0) {
        return not(if is_binary_stl(head) {
            "STL"
        } else {
            "binary data"
        });
    }
    let mut commands = 0_usize;
    let mut others = 0_usize;
    for line in lines(head).chain(lines(tail)) {
        match line_kind(line) {
            LineKind::Command => commands += 1,
            LineKind::Other => others += 1,
            LineKind::Neutral => {}
        }
    }
    // A letter may quote a command or two; a program consists of them.
    if commands > others {
        Ok(())
    } else {
        not(text_kind(head))
    }
}

enum LineKind {
    Command,
    Other,
    /// Blank, a comment, or a macro of the printer's own such as Klipper's `START_PRINT BED=60`.
    Neutral,
}

fn line_kind(line: &[u8]) -> LineKind {
    let code = line
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let mut words = code
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let Some(mut word) = words.next() else {
        return LineKind::Neutral;
    };
    if is_word(word, b'N') {
        let Some(numbered) = words.next() else {
            return LineKind::Neutral;
        };
        word = numbered;
    }
    let is_command = [b'G', b'M', b'T']
        .into_iter()
        .any(|letter| is_word(word, letter));
    let is_macro = word
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    if is_command {
        LineKind::Command
    } else if is_macro || code.starts_with(b"(") || code == b"%" {
        LineKind::Neutral
    } else {
        LineKind::Other
    }
}

/// True for `G1`, `G92.1`, and for `G1X10`, which some generators write without spaces.
fn is_word(word: &[u8], letter: u8) -> bool {
    let Some((first, rest)) = word.split_first() else {
        return false;
    };
    first.to_ascii_uppercase() == letter
        && rest.first().is_some_and(u8::is_ascii_digit)
        && rest
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'*'))
}

fn by_magic(head: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 14] = [
        (b"\x89PNG", "PNG"),
        (b"\xFF\xD8\xFF", "JPEG"),
        (b"GIF8", "GIF"),
        (b"%PDF", "PDF"),
        (b"\x1F\x8B", "gzip"),
        (b"7z\xBC\xAF\x27\x1C", "7-Zip"),
        (b"Rar!", "RAR"),
        (b"\x7FELF", "a program"),
        (b"MZ", "a program"),
        (b"ISO-10303-21", "STEP"),
        (b"ply\n", "PLY"),
        (b"ply\r\n", "PLY"),
        (b"BM6", "BMP"),
        (b"\xFE\xED\xFA", "a program"),
    ];
    MAGIC
        .into_iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, name)| name)
}

/// Binary STL has no magic: 80 free bytes, a count, and triangles whose last two bytes are zero in practice.
fn is_binary_stl(head: &[u8]) -> bool {
    let count = head
        .get(80..84)
        .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let first = head.get(84..134);
    match (count, first) {
        (Some(count), Some(triangle)) => {
            let finite = triangle.chunks_exact(4).take(12).all(|bytes| {
                let number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                number == 0.0 || (number.is_finite() && (1e-12..1e7).contains(&number.abs()))
            });
            count > 0 && finite && triangle[48..] == [0, 0]
        }
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

fn text_kind(head: &[u8]) -> &'static str {
    let start = head
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(head)
        .trim_ascii_start();
    let second = lines(start).nth(1).unwrap_or_default().trim_ascii_start();
    let first_words = |prefix: &[u8]| lines(start).take(50).any(|line| line.starts_with(prefix));
    if start.starts_with(b"solid")
        && (second.starts_with(b"facet") || second.starts_with(b"endsolid"))
    {
        "STL"
    } else if start.starts_with(b"<?xml") || start.starts_with(b"<svg") {
        "XML"
    } else if start
        .get(..5)
        .is_some_and(|tag| tag.eq_ignore_ascii_case(b"<html") || tag.eq_ignore_ascii_case(b"<!doc"))
    {
        "HTML"
    } else if start.starts_with(b"{") {
        "JSON"
    } else if first_words(b"v ")
        && (first_words(b"vn ") || first_words(b"f ") || first_words(b"o "))
    {
        "OBJ"
    } else if is_text(head) {
        "text"
    } else {
        "binary data"
    }
}

fn is_text(head: &[u8]) -> bool {
    // A torn last character is no reason to call a text binary.
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}
