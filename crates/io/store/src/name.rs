//! Names for files and folders, made from names that people and other hosts gave.
//!
//! A name from outside is display data: it may be empty, a path, a device of Windows, or a page of text. What comes out is one harmless
//! name that still reads like the one that went in. Two names may become the same one: telling them apart is the caller's part
//! ([`with_suffix`]).

use crate::limits::{ENDING_BYTES_MAX, NAME_BYTES_MAX};

/// Returns a safe name that resembles `name`, or `fallback` when nothing of it is left.
///
/// Letters and digits of all scripts stay, and ` ` `.` `_` `-` `+` `(` `)`; everything else becomes `_`. The result does not begin with
/// a dot, dash or space, does not end with a dot or space, is no device name of Windows, and has 1 to [`NAME_BYTES_MAX`] bytes.
/// A safe name is returned as it is.
#[must_use]
pub fn safe(name: &str, fallback: &str) -> String {
    let replaced: String = name
        .chars()
        .map(|c| if is_kept(c) { c } else { '_' })
        .collect();
    // A combining mark belongs to the letter before it; at the start it would join whatever is printed before the name.
    let begun = replaced.trim_start_matches(|c| matches!(c, '.' | '-' | ' ') || is_combining(c));
    let mut safe = cut(begun, NAME_BYTES_MAX);
    if safe.is_empty() {
        fallback.clone_into(&mut safe);
    }
    if is_device(&safe) {
        safe = format!("_{}", cut(&safe, NAME_BYTES_MAX - 1));
    }
    safe
}

/// Returns `name` with `suffix` before its ending: `a.gcode` and `-1f` give `a-1f.gcode`. Cuts the name where it would get too long.
#[must_use]
pub fn with_suffix(name: &str, suffix: &str) -> String {
    let (stem, ending) = split_ending(name);
    let room = NAME_BYTES_MAX.saturating_sub(suffix.len() + ending.len());
    format!("{}{suffix}{ending}", cut_stem(stem, room))
}

fn is_kept(c: char) -> bool {
    c.is_alphanumeric() || is_combining(c) || matches!(c, ' ' | '.' | '_' | '-' | '+' | '(' | ')')
}

/// Accents as characters of their own, as macOS writes them.
fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}')
}

/// Shortens a name to `bytes`, at its stem, and takes dots and spaces from its end.
fn cut(name: &str, bytes: usize) -> String {
    let name = name.trim_end_matches(['.', ' ']);
    if name.len() <= bytes {
        return name.to_owned();
    }
    let (stem, ending) = split_ending(name);
    format!("{}{ending}", cut_stem(stem, bytes - ending.len()))
}

fn cut_stem(stem: &str, bytes: usize) -> &str {
    stem[..stem.floor_char_boundary(bytes)].trim_end_matches(['.', ' '])
}

/// Splits `part.gcode` into `part` and `.gcode`. A long ending is none.
fn split_ending(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= ENDING_BYTES_MAX => name.split_at(dot),
        Some(_) | None => (name, ""),
    }
}

/// True for names that Windows takes for a device, with any ending. A share that people print from may live there.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let numbered = ["COM", "LPT"]
        .iter()
        .find_map(|port| stem.strip_prefix(port));
    let is_port = numbered.is_some_and(|number| {
        let mut chars = number.chars();
        matches!(
            (chars.next(), chars.next()),
            (Some('0'..='9' | '¹' | '²' | '³'), None)
        )
    });
    is_port
        || matches!(
            stem.as_str(),
            "CON" | "PRN" | "AUX" | "NUL" | "CLOCK$" | "CONIN$" | "CONOUT$"
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_safe_name_stays_as_it_is_however_long_it_is() {
        for name in [
            format!("COM1 .{}", "x".repeat(200)),
            "x".repeat(120),
            "x".repeat(119),
        ] {
            let made = safe(&name, "job");
            assert_eq!(safe(&made, "job"), made);
        }
        assert_eq!(safe(&"x".repeat(120), "job"), "x".repeat(120));
    }

    #[test]
    fn names_stay_readable() {
        let check =
            |name: &str, expected: &str| assert_eq!(safe(name, "job"), expected, "{name:?}");
        check("benchy.gcode", "benchy.gcode");
        check("Größe 2 (links)+.gcode", "Größe 2 (links)+.gcode");
        check("プリント", "プリント");
        check("cafe\u{301}", "cafe\u{301}");
        check("\u{301}cafe", "cafe");
        check("a/b\\c:d", "a_b_c_d");
        check("../../etc/passwd", "_.._etc_passwd");
        check("/etc/passwd", "_etc_passwd");
        check("..", "job");
        check("", "job");
        check(" . . ", "job");
        check(".hidden", "hidden");
        check("-rf", "rf");
        check("end. . ", "end");
        check("a\0b\nc\u{202E}d", "a_b_c_d");
        check("CON", "_CON");
        check("con.gcode", "_con.gcode");
        check("aux .txt", "_aux .txt");
        check("LPT9.gcode", "_LPT9.gcode");
        check("com\u{b9}", "_com\u{b9}");
        check("COM10", "COM10");
        check("console", "console");
    }

    #[test]
    fn long_names_keep_their_ending() {
        let long = format!("{}.gcode", "ä".repeat(200));
        let name = safe(&long, "file");
        assert!(
            name.len() <= NAME_BYTES_MAX && name.ends_with("ä.gcode"),
            "{name}"
        );
        let suffixed = with_suffix(&name, "-0123456789ab");
        assert!(
            suffixed.len() <= NAME_BYTES_MAX && suffixed.ends_with("ä-0123456789ab.gcode"),
            "{suffixed}"
        );
        assert_eq!(with_suffix("a.gcode", "-1f"), "a-1f.gcode");
        assert_eq!(with_suffix("a", "-1f"), "a-1f");
    }

    proptest! {
        #[test]
        fn a_safe_name_is_safe(name in "\\PC*|[./\\\\ ]*|.*|(con|NUL|com1)[. ].*", suffix in "-[0-9a-f]{6,64}") {
            let name = safe(&name, "job");
            is_safe(&name)?;
            prop_assert_eq!(safe(&name, "job"), name.clone(), "safe names stay");
            let suffixed = with_suffix(&name, &suffix);
            is_safe(&suffixed)?;
            prop_assert!(suffixed.contains(&suffix));
        }
    }

    fn is_safe(name: &str) -> Result<(), TestCaseError> {
        prop_assert!(
            (1..=NAME_BYTES_MAX).contains(&name.len()),
            "{} bytes",
            name.len()
        );
        prop_assert!(!name.contains(['/', '\\', '\0', ':']) && !name.contains(char::is_control));
        prop_assert!(!name.starts_with(['.', '-', ' ']) && !name.ends_with(['.', ' ']));
        prop_assert!(!is_device(name));
        Ok(())
    }
}
