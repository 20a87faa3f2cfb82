//! What becomes of each command of a file: sent, left out, done by the host, or reason enough not to print the file at all.
//!
//! A file may come from another member of the queue: it must not flash, reconfigure or kill the machine. Limits of temperature and
//! volume are the business of whoever starts the print.

use crate::gcode::word::{self, Code};

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To be sent, in this form.
    Send(String),
    /// Not for the machine: it would disturb the host's own talk.
    Drop,
    /// The host pauses here.
    Pause,
    /// The file must not be printed, because of this.
    Refuse(&'static str),
}

/// What the filter must know of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Number of tools.
    pub(crate) tools: u32,
    /// Whether it knows commands with names (Klipper's macros).
    pub(crate) is_klipper: bool,
}

/// Commands whose arguments are text, not letters with numbers.
const TEXT_M: &[u32] = &[16, 117, 118, 486];

/// Judges one command of a file.
pub(crate) fn judge(command: &str, machine: Machine) -> Verdict {
    if command.starts_with('@') {
        return if command.eq_ignore_ascii_case("@pause") {
            Verdict::Pause
        } else {
            Verdict::Drop
        };
    }
    let Some(code) = Code::of(command) else {
        return if !machine.is_klipper {
            Verdict::Refuse("is not a command that Marlin knows")
        } else if command.is_ascii() {
            Verdict::Send(command.to_owned())
        } else {
            Verdict::Refuse("is not plain text")
        };
    };
    if code.letter == 'M'
        && let Some(verdict) = judge_m(code.number)
    {
        return verdict;
    }
    if code.letter == 'T' && code.number >= machine.tools && code.number < 100 {
        return Verdict::Refuse("asks for a tool that the printer does not have");
    }
    let is_text = code.is('M', TEXT_M);
    let text: String = if is_text {
        let mut chars = command.chars();
        let first = chars.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(chars.map(printable)).collect()
    } else if command
        .bytes()
        .any(|byte| !(b' '..=b'~').contains(&byte) && byte != b'\t')
    {
        return Verdict::Refuse("holds bytes that are no plain text");
    } else {
        command.replace('\t', " ").to_ascii_uppercase()
    };
    // Marlin looks for these two anywhere in a line, and would count or write files from then on.
    if text[1..].contains("M110") || text[1..].contains("M29") {
        return if is_text {
            Verdict::Drop
        } else {
            Verdict::Refuse("holds M110 or M29 in its middle")
        };
    }
    Verdict::Send(text)
}

fn judge_m(number: u32) -> Option<Verdict> {
    Some(match number {
        0 | 1 | 601 => Verdict::Pause,
        105 | 110 | 155 | 154 | 113 | 108 => Verdict::Drop,
        112 => Verdict::Refuse("would kill the printer"),
        997 => Verdict::Refuse("would update the firmware"),
        500..=504 if number != 503 => {
            Verdict::Refuse("would change the settings stored in the printer")
        }
        303 => Verdict::Refuse("would tune the heaters"),
        302 => Verdict::Refuse("would switch off the protection against cold extrusion"),
        21..=30 if number != 27 => Verdict::Refuse("would use the printer's own card"),
        32 | 524 | 928 => Verdict::Refuse("would use the printer's own card"),
        80 | 81 => Verdict::Refuse("would switch the printer's power"),
        _ => return None,
    })
}

fn printable(c: char) -> char {
    if (' '..='~').contains(&c) { c } else { '?' }
}

/// Returns whether a command may take longer than any usual wait for an `ok`.
pub(crate) fn is_long(command: &str) -> bool {
    const LONG_G: &[u32] = &[4, 27, 28, 29, 30, 32, 33, 34, 35, 76, 80];
    const LONG_M: &[u32] = &[
        0, 1, 48, 109, 116, 125, 190, 191, 192, 226, 303, 400, 600, 601, 603, 701, 702, 871, 1000,
    ];
    // A file's own macro, or a tool change: whatever a machine makes of it.
    Code::of(command)
        .is_none_or(|code| code.is('G', LONG_G) || code.is('M', LONG_M) || code.letter == 'T')
}

/// Shortens a command without changing what it means, for a line that is too long: double spaces and zeros at the end of a
/// fraction.
pub(crate) fn shorten(command: &str) -> String {
    if Code::of(command).is_none_or(|code| code.is('M', TEXT_M)) {
        return command.to_owned();
    }
    let words = command.split_whitespace().map(|word| {
        let has_fraction = word
            .split_once('.')
            .is_some_and(|(_, digits)| digits.bytes().all(|b| b.is_ascii_digit()));
        if has_fraction {
            word.trim_end_matches('0').trim_end_matches('.')
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Returns the minutes that a file says are left (`M73 … R12`).
pub(crate) fn minutes_left(command: &str) -> Option<u64> {
    Code::of(command).filter(|code| code.is('M', &[73]))?;
    word::number(command, 'R')
        .filter(|minutes| (0.0..1e6).contains(minutes))
        .map(|minutes| minutes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_TOOL: Machine = Machine {
        tools: 1,
        is_klipper: false,
    };

    fn sent(command: &str) -> Verdict {
        Verdict::Send(command.to_owned())
    }

    #[test]
    fn each_command_gets_its_verdict() {
        let judge = |command| judge(command, ONE_TOOL);
        assert_eq!(judge("G1 X10.5 Y2 E.3"), sent("G1 X10.5 Y2 E.3"));
        assert_eq!(judge("g1 x10"), sent("G1 X10"));
        assert_eq!(judge("m117 Grüße"), sent("M117 Gr??e"));
        for dropped in [
            "M105",
            "M155 S1",
            "M110 N5",
            "@tower",
            "M117 see M110 N500",
            "M118 M29",
        ] {
            assert_eq!(judge(dropped), Verdict::Drop, "{dropped}");
        }
        for pause in ["M0", "M1 click", "@pause", "M601"] {
            assert_eq!(judge(pause), Verdict::Pause, "{pause}");
        }
        let refused = [
            "M112",
            "M997",
            "M500",
            "M502",
            "M303 E0 S200",
            "M28 x.g",
            "M30 x.g",
            "M24",
            "M81",
            "M302 P1",
            "T9",
            "START_PRINT",
            "G1 X1é",
            "G1 X\u{1}",
            "M206 X1 M110",
            "hello",
        ];
        for command in refused {
            assert!(matches!(judge(command), Verdict::Refuse(_)), "{command}");
        }
        assert_eq!(judge("M503"), sent("M503"));
        assert_eq!(judge("T0"), sent("T0"));
        let klipper = Machine {
            is_klipper: true,
            ..ONE_TOOL
        };
        assert_eq!(
            super::judge("START_PRINT BED=60", klipper),
            sent("START_PRINT BED=60")
        );
    }

    #[test]
    fn shortening_keeps_the_meaning() {
        assert_eq!(
            shorten("G1  X10.500 Y-2.0 E.10 F1200 Z100"),
            "G1 X10.5 Y-2 E.1 F1200 Z100"
        );
        assert_eq!(shorten("M117  a  1.0"), "M117  a  1.0");
        assert_eq!(shorten("G29.1 X0.0"), "G29.1 X0");
    }

    #[test]
    fn long_commands_are_known() {
        for long in ["G28", "M109 S200", "G4 S100", "M400", "T1", "PROBE"] {
            assert!(is_long(long), "{long}");
        }
        assert!(!is_long("G1 X1") && !is_long("M104 S200"));
    }
}
