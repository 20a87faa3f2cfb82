//! Where a printer is, as people write it: `sim://?speed=600` or `serial:/dev/ttyUSB0?baud=250000`.
//!
//! Only words and numbers: whether something answers there is [`connect`](crate::connect())'s business.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where a printer is. What [`Display`](fmt::Display) writes, [`FromStr`] reads back to an equal value.
#[derive(Clone, Debug, PartialEq)]
pub enum Address {
    /// `sim://[?option=value[&…]]`: a printer that exists only in this process.
    Simulated(Simulation),
    /// `serial:/dev/…[?baud=115200]`: a Marlin at a serial port.
    Serial {
        /// The device. A path under `/dev/serial/by-id` or `by-path` survives replugging.
        path: PathBuf,
        /// Bits per second.
        baud: u32,
    },
}

/// The options of a simulated printer. Fractions are of the print's time, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// `speed`: how many times faster than the real machine it prints.
    pub speed: f64,
    /// `clear`: whether it clears its own bed after each print (`auto`, the default) or never (`manual`).
    pub clears_bed: bool,
    /// `fail_after`: the print fails at this fraction.
    pub fail_after: Option<f64>,
    /// `hang_after`: at this fraction it stops answering anything but an emergency stop.
    pub hang_after: Option<f64>,
    /// `disconnect_after`: the link is lost at this fraction.
    pub disconnect_after: Option<f64>,
    /// `refuse_start`: every start is refused (`yes` or `no`).
    pub refuse_start: bool,
    /// `autonomous`: prints on while nobody is connected, and keeps what it does in this file, which stands for the
    /// memory of a real machine. The path is absolute and has none of `?`, `&`, `=`.
    pub autonomous: Option<PathBuf>,
    /// `journal`: adds a line to this file when a print begins, before anything heats, and when it ends: what the machine did,
    /// whatever its host makes of it. The path is as that of `autonomous`, with which it cannot be combined.
    pub journal: Option<PathBuf>,
    /// `slow_start`: seconds (not divided by `speed`) between the accepted start and the first heat or motion.
    pub slow_start: f64,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            speed: 60.0,
            clears_bed: true,
            fail_after: None,
            hang_after: None,
            disconnect_after: None,
            refuse_start: false,
            autonomous: None,
            journal: None,
            slow_start: 0.0,
        }
    }
}

/// The rate of a serial port when the address does not say.
pub const DEFAULT_BAUD: u32 = 115_200;

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `sim:` nor `serial:`.
    #[error("unknown kind of printer address {0:?}: use sim:// or serial:/dev/…")]
    UnknownKind(String),
    /// `serial:` with nothing behind it, or with a path that cannot be one.
    #[error("no usable port in {0:?}: use serial:/dev/… with the whole path")]
    NoPort(String),
    /// `sim://` followed by something that is not an option.
    #[error(
        "{0:?} after sim:// is not understood: options begin with a question mark, as in sim://?speed=60"
    )]
    NotAnOption(String),
    /// An option that this kind of address does not have.
    #[error("unknown option {option:?}: possible here are {possible}")]
    UnknownOption {
        /// As written.
        option: String,
        /// What could have been written.
        possible: &'static str,
    },
    /// An option that stands there twice.
    #[error("option {0:?} stands there twice")]
    Twice(String),
    /// A value that the option does not take.
    #[error("{option}={value} is not possible: {wanted}")]
    BadValue {
        /// The option.
        option: &'static str,
        /// As written.
        value: String,
        /// What the option takes.
        wanted: &'static str,
    },
}

const SIM_OPTIONS: &str = "speed, clear, fail_after, hang_after, disconnect_after, refuse_start, slow_start, autonomous, \
     journal";

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(rest) = text.strip_prefix("sim:") {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            parse_simulation(rest).map(Address::Simulated)
        } else if let Some(rest) = text.strip_prefix("serial:") {
            parse_serial(text, rest)
        } else {
            Err(AddressError::UnknownKind(text.to_owned()))
        }
    }
}

/// Splits `a=1&b=2` and refuses repetitions.
fn options(query: &str) -> Result<Vec<(&str, &str)>, AddressError> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if found.iter().any(|(known, _)| *known == name) {
            return Err(AddressError::Twice(name.to_owned()));
        }
        found.push((name, value));
    }
    Ok(found)
}

fn whole_path(
    option: &'static str,
    value: &str,
    wanted: &'static str,
) -> Result<PathBuf, AddressError> {
    let usable = value.starts_with('/')
        && value.len() > 1
        && value.trim() == value
        && !value.contains(|c: char| c.is_control() || "?&=".contains(c));
    usable
        .then(|| PathBuf::from(value))
        .ok_or_else(|| AddressError::BadValue {
            option,
            value: value.to_owned(),
            wanted,
        })
}

fn parse_simulation(rest: &str) -> Result<Simulation, AddressError> {
    let mut simulation = Simulation::default();
    if rest.is_empty() {
        return Ok(simulation);
    }
    let query = rest
        .strip_prefix('?')
        .ok_or_else(|| AddressError::NotAnOption(rest.to_owned()))?;
    for (name, value) in options(query)? {
        match name {
            "speed" => {
                simulation.speed = number(
                    "speed",
                    value,
                    0.001..=1e6,
                    "a number from 0.001 to 1000000",
                )?;
            }
            "clear" => {
                simulation.clears_bed = choice("clear", value, "auto", "manual", "auto or manual")?
            }
            "fail_after" => simulation.fail_after = Some(fraction("fail_after", value)?),
            "hang_after" => simulation.hang_after = Some(fraction("hang_after", value)?),
            "disconnect_after" => {
                simulation.disconnect_after = Some(fraction("disconnect_after", value)?)
            }
            "refuse_start" => {
                simulation.refuse_start = choice("refuse_start", value, "yes", "no", "yes or no")?
            }
            "autonomous" => {
                let wanted = "the whole path of a file in which it keeps what it does";
                simulation.autonomous = Some(whole_path("autonomous", value, wanted)?);
            }
            "journal" => {
                let wanted = "the whole path of a file to which it adds what it did";
                simulation.journal = Some(whole_path("journal", value, wanted)?);
            }
            "slow_start" => {
                simulation.slow_start = number(
                    "slow_start",
                    value,
                    0.0..=86_400.0,
                    "seconds, from 0 to 86400",
                )?;
            }
            _ => {
                return Err(AddressError::UnknownOption {
                    option: name.to_owned(),
                    possible: SIM_OPTIONS,
                });
            }
        }
    }
    if let (Some(_), Some(journal)) = (&simulation.autonomous, &simulation.journal) {
        return Err(AddressError::BadValue {
            option: "journal",
            value: journal.display().to_string(),
            wanted: "either a journal or autonomous: what a machine did while nobody saw it is not written down",
        });
    }
    Ok(simulation)
}

fn parse_serial(text: &str, rest: &str) -> Result<Address, AddressError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.trim() != path
        || path.len() < 2
        || !path.starts_with('/')
        || path.chars().any(char::is_control)
    {
        return Err(AddressError::NoPort(text.to_owned()));
    }
    let mut baud = DEFAULT_BAUD;
    for (name, value) in options(query)? {
        if name != "baud" {
            return Err(AddressError::UnknownOption {
                option: name.to_owned(),
                possible: "baud",
            });
        }
        baud = value
            .parse()
            .ok()
            .filter(|baud| (1_200..=4_000_000).contains(baud))
            .ok_or_else(|| AddressError::BadValue {
                option: "baud",
                value: value.to_owned(),
                wanted: "bits per second, as in 115200 or 250000",
            })?;
    }
    Ok(Address::Serial {
        path: PathBuf::from(path),
        baud,
    })
}

fn number(
    option: &'static str,
    value: &str,
    range: std::ops::RangeInclusive<f64>,
    wanted: &'static str,
) -> Result<f64, AddressError> {
    value
        .parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| AddressError::BadValue {
            option,
            value: value.to_owned(),
            wanted,
        })
}

fn fraction(option: &'static str, value: &str) -> Result<f64, AddressError> {
    number(option, value, 0.0..=1.0, "a fraction from 0 to 1")
}

fn choice(
    option: &'static str,
    value: &str,
    yes: &str,
    no: &str,
    wanted: &'static str,
) -> Result<bool, AddressError> {
    if value == yes {
        Ok(true)
    } else if value == no {
        Ok(false)
    } else {
        Err(AddressError::BadValue {
            option,
            value: value.to_owned(),
            wanted,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simulated(simulation) => simulation.fmt(f),
            Self::Serial { path, baud } => {
                write!(f, "serial:{}", path.display())?;
                if *baud == DEFAULT_BAUD {
                    Ok(())
                } else {
                    write!(f, "?baud={baud}")
                }
            }
        }
    }
}

impl fmt::Display for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Self::default();
        let mut options = Vec::new();
        if self.speed != usual.speed {
            options.push(format!("speed={}", self.speed));
        }
        if !self.clears_bed {
            options.push("clear=manual".to_owned());
        }
        let fractions = [
            ("fail_after", self.fail_after),
            ("hang_after", self.hang_after),
            ("disconnect_after", self.disconnect_after),
        ];
        for (name, value) in fractions {
            options.extend(value.map(|value| format!("{name}={value}")));
        }
        if self.refuse_start {
            options.push("refuse_start=yes".to_owned());
        }
        if self.slow_start != usual.slow_start {
            options.push(format!("slow_start={}", self.slow_start));
        }
        let files = [("autonomous", &self.autonomous), ("journal", &self.journal)];
        for (name, path) in files {
            options.extend(path.iter().map(|path| format!("{name}={}", path.display())));
        }
        write!(f, "sim://")?;
        if options.is_empty() {
            Ok(())
        } else {
            write!(f, "?{}", options.join("&"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_addresses_are_read() {
        assert_eq!(
            "sim://".parse(),
            Ok(Address::Simulated(Simulation::default()))
        );
        assert_eq!(
            "sim:".parse(),
            Ok(Address::Simulated(Simulation::default()))
        );
        assert_eq!(
            "serial:/dev/ttyUSB0?baud=250000".parse(),
            Ok(Address::Serial {
                path: "/dev/ttyUSB0".into(),
                baud: 250_000
            })
        );
        assert_eq!(
            "serial:/dev/ttyUSB0".parse(),
            Ok(Address::Serial {
                path: "/dev/ttyUSB0".into(),
                baud: 115_200
            })
        );
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| text.parse::<Address>().unwrap_err().to_string();
        assert!(error("usb:/dev/ttyUSB0").contains("sim:// or serial:"));
        assert!(error("serial:").contains("whole path"));
        assert!(error("serial:ttyUSB0").contains("whole path"));
        assert!(error("serial:/dev/ttyUSB0?baud=fast").contains("115200"));
        assert!(error("serial:/dev/ttyUSB0?speed=3").contains("baud"));
        assert!(error("sim://?speed=0").contains("speed=0"));
        assert!(error("sim://?speed=NaN").contains("speed=NaN"));
        assert!(error("sim://?fail_after=2").contains("0 to 1"));
        assert!(error("sim://?colour=red").contains("fail_after"));
        assert!(error("sim://?autonomous=memory").contains("whole path"));
        assert!(error("sim://?journal=memory").contains("whole path"));
        assert!(error("sim://?journal=/a&autonomous=/b").contains("either"));
        assert!(error("sim://?speed=1&speed=2").contains("twice"));
        assert!(error("sim://speed=1").contains("question mark"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            speed in 0.001f64..1e6, clears_bed: bool, refuse_start: bool, slow_start in 0.0f64..100.0,
            fail_after in proptest::option::of(0.0f64..=1.0),
            hang_after in proptest::option::of(0.0f64..=1.0),
            disconnect_after in proptest::option::of(0.0f64..=1.0),
            autonomous in proptest::option::of("/[a-zA-Z0-9/_. :-]{0,30}[a-z]"),
            journal in proptest::option::of("/[a-zA-Z0-9/_. :-]{0,30}[a-z]"),
            path in "/dev/[a-zA-Z0-9/_. :-]{1,30}[a-z]", baud in 1200u32..4_000_000,
        ) {
            let simulated = Address::Simulated(Simulation {
                speed, clears_bed, fail_after, hang_after, disconnect_after, refuse_start, slow_start,
                journal: journal.filter(|_| autonomous.is_none()).map(PathBuf::from),
                autonomous: autonomous.map(PathBuf::from),
            });
            for address in [simulated, Address::Serial { path: path.into(), baud }] {
                prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
            }
        }

        #[test]
        fn no_text_panics(text in "(sim:|serial:)?.{0,40}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
            }
        }
    }
}
