//! What a printer says, one line at a time.
//!
//! Only recognising: what follows from a reply is decided in `link` and `protocol`. Never fails: a line that means nothing is
//! [`Reply::Other`], since on a bad cable any bytes can come.

use super::temperature;
use crate::driver::Temperatures;

/// One line from a printer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A command was taken. Which one is only known from `line` (`ADVANCED_OK`) or, for `M105`, from the temperatures.
    Ok {
        /// `ok N12 …`
        line: Option<u64>,
        /// `ok T:…`
        temperatures: Option<Temperatures>,
        /// What follows `ok`.
        rest: String,
    },
    /// Send again from this line on.
    Resend(u64),
    /// Still at it.
    Busy(Busy),
    /// A report that nobody asked for just now. `waiting`: part of a wait for a temperature.
    Temperatures {
        /// The heaters.
        temperatures: Temperatures,
        /// `W:` is there: the printer waits until it is warm.
        waiting: bool,
    },
    /// Where the nozzle is (`M114`), in mm.
    Position {
        /// X, Y, Z, E.
        at: [f64; 4],
    },
    /// The first word after a reset.
    Start,
    /// Why it was reset, or another line that is only said then.
    Boot(String),
    /// Nothing to do for a while.
    Wait,
    /// Something went wrong.
    Error(ErrorClass, String),
    /// `//action:…`: the printer asks the host for something.
    Action(String),
    /// `FIRMWARE_NAME:…` and the rest of that line.
    Firmware(String),
    /// `Cap:…`
    Cap {
        /// In capitals.
        name: String,
        /// 1 or 0.
        is_on: bool,
    },
    /// It prints from its own card: bytes done, bytes in all.
    CardPrinting(u64, u64),
    /// How often it will say that it is busy, in seconds (`M113`).
    BusyEvery(u32),
    /// It does not know a command.
    UnknownCommand(String),
    /// It did not extrude, because the nozzle is too cold.
    ColdExtrusion,
    /// Anything else.
    Other(String),
}

/// Why a printer keeps us waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It works.
    Processing,
    /// It waits for a person.
    ForPerson,
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// A line was garbled or is missing; a resend will be asked for. The last good line, when it says so.
    Line(Option<u64>),
    /// The machine stopped itself: a person must look.
    Fatal,
    /// For the log.
    Harmless,
}

/// Recognises one line, without its line end.
pub fn parse_reply(line: &[u8]) -> Reply {
    let text = decode(line);
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("ok") {
        return parse_ok(rest);
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("resend") || lower.starts_with("rs ") {
        return first_number(text).map_or_else(|| Reply::Other(text.to_owned()), Reply::Resend);
    }
    if lower.starts_with("error:") || text.starts_with("!!") || lower.starts_with("fatal:") {
        return Reply::Error(classify(&lower), text.to_owned());
    }
    if let Some(action) = text
        .strip_prefix("//action:")
        .or_else(|| text.strip_prefix("// action:"))
    {
        return Reply::Action(action.trim().to_owned());
    }
    if let Some(busy) = lower
        .strip_prefix("echo:busy:")
        .or_else(|| lower.strip_prefix("busy:"))
    {
        return Reply::Busy(if busy.contains("paused") {
            Busy::ForPerson
        } else {
            Busy::Processing
        });
    }
    if lower.contains("cold extrusion prevented") {
        return Reply::ColdExtrusion;
    }
    if lower.contains("unknown command") {
        return Reply::UnknownCommand(text.to_owned());
    }
    if let Some(rest) = lower.strip_prefix("sd printing byte ")
        && let Some((done, all)) = rest.split_once('/')
        && let (Ok(done), Ok(all)) = (done.trim().parse(), all.trim().parse())
    {
        return Reply::CardPrinting(done, all);
    }
    parse_plain(text)
}

fn parse_plain(text: &str) -> Reply {
    match text {
        "start" => return Reply::Start,
        "wait" => return Reply::Wait,
        "PowerUp" | "External Reset" | "Brown out Reset" | "Watchdog Reset" | "Software Reset" => {
            return Reply::Boot(text.to_owned());
        }
        _ => {}
    }
    if text.starts_with("Marlin ")
        || text.starts_with("echo: Last Updated")
        || text.starts_with("echo: Compiled")
    {
        return Reply::Boot(text.to_owned());
    }
    if text.starts_with("FIRMWARE_NAME:") || text.starts_with("NAME: Malyan") {
        return Reply::Firmware(text.to_owned());
    }
    if let Some((name, value)) = text
        .strip_prefix("Cap:")
        .and_then(|cap| cap.split_once(':'))
    {
        return Reply::Cap {
            name: name.to_owned(),
            is_on: value.trim() == "1",
        };
    }
    if let Some(seconds) = text
        .trim_start_matches("echo:")
        .trim_start()
        .strip_prefix("M113 S")
    {
        return Reply::BusyEvery(seconds.trim().parse().unwrap_or(0));
    }
    if let Some(at) = parse_position(text) {
        return Reply::Position { at };
    }
    if text.starts_with(['T', 'B', 'C'])
        && let Some(temperatures) = temperature::parse(text)
    {
        return Reply::Temperatures {
            temperatures,
            waiting: text.contains("W:"),
        };
    }
    Reply::Other(text.to_owned())
}

/// Some bytes of an `ok` get lost or doubled on real cables (`okok`): all that begins with one counts.
fn parse_ok(rest: &str) -> Reply {
    let mut rest = rest;
    while let Some(again) = rest.strip_prefix("ok") {
        rest = again;
    }
    let rest = rest.trim();
    let line = rest
        .strip_prefix('N')
        .map(|number| number.split(' ').next().unwrap_or(""))
        .and_then(|n| n.parse().ok());
    let temperatures = if rest.starts_with(['T', 'B', 'C']) {
        temperature::parse(rest)
    } else {
        None
    };
    Reply::Ok {
        line,
        temperatures,
        rest: rest.to_owned(),
    }
}

fn parse_position(text: &str) -> Option<[f64; 4]> {
    let mut at = [0.0; 4];
    let mut words = text.split_whitespace();
    for (value, key) in at.iter_mut().zip(["X:", "Y:", "Z:", "E:"]) {
        *value = words
            .next()?
            .strip_prefix(key)?
            .parse()
            .ok()
            .filter(|at: &f64| at.is_finite())?;
    }
    Some(at)
}

fn classify(lower: &str) -> ErrorClass {
    const FATAL: &[&str] = &[
        "heating failed",
        "thermal runaway",
        "maxtemp",
        "mintemp",
        "thermal malfunction",
        "heater_id",
        "kill() called",
        "printer halted",
        "homing failed",
        "probing failed",
        "stop called",
        "kill caused by",
        "system stopped",
    ];
    const LINE: &[&str] = &[
        "checksum",
        "line number",
        "linenumber",
        "expected line",
        "format error",
        "missing line",
    ];
    const HARMLESS_AFTER_BANGS: &[&str] = &["unknown command"];
    let has = |patterns: &[&str]| patterns.iter().any(|pattern| lower.contains(pattern));
    if has(FATAL) {
        ErrorClass::Fatal
    } else if has(LINE) {
        ErrorClass::Line(
            lower
                .split_once("last line:")
                .and_then(|(_, rest)| first_number(rest)),
        )
    } else if (lower.starts_with("!!") || lower.starts_with("fatal:")) && !has(HARMLESS_AFTER_BANGS)
    {
        ErrorClass::Fatal // Klipper and RepRapFirmware: `!!` means that they have stopped
    } else {
        ErrorClass::Harmless
    }
}

fn first_number(text: &str) -> Option<u64> {
    let digits = &text[text.find(|c: char| c.is_ascii_digit())?..];
    digits[..digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len())]
        .parse()
        .ok()
}

/// UTF-8, or else Latin-1: no byte may end the talk.
fn decode(line: &[u8]) -> String {
    let text = std::str::from_utf8(line).map_or_else(
        |_| line.iter().map(|byte| char::from(*byte)).collect(),
        str::to_owned,
    );
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ok(line: Option<u64>, rest: &str) -> Reply {
        Reply::Ok {
            line,
            temperatures: temperature::parse(rest),
            rest: rest.to_owned(),
        }
    }

    #[test]
    fn lines_of_real_firmwares_are_recognised() {
        let line = |last: u64| ErrorClass::Line(Some(last));
        let table: Vec<(&str, Reply)> = vec![
            ("ok", ok(None, "")),
            ("okok T:20.0 /0.0", ok(None, "T:20.0 /0.0")),
            ("ok N12 P15 B3", ok(Some(12), "N12 P15 B3")),
            (
                "ok T:20.0 /0.0 B:20.0 /0.0 @:0 B@:0",
                ok(None, "T:20.0 /0.0 B:20.0 /0.0 @:0 B@:0"),
            ),
            ("Resend: 7", Reply::Resend(7)),
            ("resend:7", Reply::Resend(7)),
            ("rs N2 Expected checksum 67", Reply::Resend(2)),
            ("rs 3", Reply::Resend(3)),
            ("echo:busy: processing", Reply::Busy(Busy::Processing)),
            ("echo:busy: paused for user", Reply::Busy(Busy::ForPerson)),
            ("start", Reply::Start),
            (" External Reset", Reply::Boot("External Reset".into())),
            ("Marlin 2.1.2.1", Reply::Boot("Marlin 2.1.2.1".into())),
            ("wait", Reply::Wait),
            (
                "X:1.00 Y:-2.00 Z:0.30 E:12.50 Count X:80 Y:160 Z:120",
                Reply::Position {
                    at: [1.0, -2.0, 0.3, 12.5],
                },
            ),
            (
                "Cap:EMERGENCY_PARSER:1",
                Reply::Cap {
                    name: "EMERGENCY_PARSER".into(),
                    is_on: true,
                },
            ),
            (
                "//action:paused filament_runout 0",
                Reply::Action("paused filament_runout 0".into()),
            ),
            ("SD printing byte 12/345", Reply::CardPrinting(12, 345)),
            ("echo:M113 S2", Reply::BusyEvery(2)),
            ("echo: cold extrusion prevented", Reply::ColdExtrusion),
            ("Not SD printing", Reply::Other("Not SD printing".into())),
            (
                "Error:checksum mismatch, Last Line: 4",
                Reply::Error(line(4), "Error:checksum mismatch, Last Line: 4".into()),
            ),
        ];
        for (text, reply) in table {
            assert_eq!(parse_reply(text.as_bytes()), reply, "{text}");
        }
        for text in [
            "Error:Heating failed, system stopped! Heater_ID: 0",
            "Error:Printer halted. kill() called!",
            "Error:!! KILL caused by too much inactive time",
            "!! MCU shutdown",
            "Error:MINTEMP triggered",
        ] {
            assert!(
                matches!(
                    parse_reply(text.as_bytes()),
                    Reply::Error(ErrorClass::Fatal, _)
                ),
                "{text}"
            );
        }
        assert!(matches!(
            parse_reply(b"Error:volume.init failed"),
            Reply::Error(ErrorClass::Harmless, _)
        ));
        assert!(matches!(
            parse_reply(b" T:20.0 /0.0 B:1 /2 W:?"),
            Reply::Temperatures { waiting: true, .. }
        ));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse_reply(&line);
        }

        #[test]
        fn no_garbled_line_panics(text in "(ok|Resend:|rs |T:|X:|Error:|Cap:|//action:|SD printing byte |echo:M113 S)[ -~é\u{0}]{0,30}") {
            parse_reply(text.as_bytes());
        }
    }
}
