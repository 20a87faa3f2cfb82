//! The first talk with a port that was just opened: is there a printer, which one, and is it free?
//!
//! No IO and no clock, no motion and no heat. Questions are numbered and have checksums, since a single flipped bit makes
//! `M112`, which kills a printer, of `M113`; what the printer did not get is asked again with the next number it wants.

use super::{
    Timings,
    firmware::Firmware,
    reply::{Busy, Reply, parse_reply},
    wire::{self, Splitter},
};

/// Why nobody was identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing came back.
    Silent,
    /// Something came back that is no text.
    Garbage,
    /// Text came back that no printer says; the last of it.
    NotAPrinter(String),
    /// It is at work already.
    Busy(String),
}

/// So many hellos, and so many times each question.
const HELLOS_MAX: u32 = 5;
const ASKS_MAX: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Identity,
    Temperature,
    BusyInterval,
    CardPrint,
    AutoReport,
}

const QUESTIONS: [Question; 4] = [
    Question::Identity,
    Question::Temperature,
    Question::BusyInterval,
    Question::CardPrint,
];

impl Question {
    fn command(self) -> &'static str {
        match self {
            Self::Identity => "M115",
            Self::Temperature => "M105",
            Self::BusyInterval => "M113",
            Self::CardPrint => "M27",
            Self::AutoReport => "M155 S2",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Most boards restart when their port is opened: let them.
    Booting {
        until_ms: u64,
    },
    /// Said hello, waiting for an `ok`.
    Hello {
        until_ms: u64,
    },
    /// Asked, waiting for the answer.
    Asking {
        question: Question,
        until_ms: u64,
    },
    /// Got an `ok`; let the rest of the answer arrive.
    Settling {
        question: Option<Question>,
        until_ms: u64,
    },
    Done,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Identify {
    timings: Timings,
    state: State,
    deadline_ms: u64,
    hellos: u32,
    asks: u32,
    /// The number of the last question.
    number: u64,
    /// The last question did not get through.
    is_refused: bool,
    splitter: Splitter,
    firmware: Firmware,
    saw_identity: bool,
    saw_temperature: bool,
    saw_busy: bool,
    bytes: u64,
    odd_bytes: u64,
    said: String,
    out: Vec<u8>,
    result: Option<Result<Firmware, Refusal>>,
}

impl Identify {
    pub(crate) fn new(timings: Timings, now_ms: u64) -> Self {
        Self {
            timings,
            state: State::Booting {
                until_ms: now_ms + timings.boot_ms,
            },
            deadline_ms: now_ms + timings.identify_ms,
            hellos: 0,
            asks: 0,
            number: 0,
            is_refused: false,
            splitter: Splitter::default(),
            firmware: Firmware {
                tools: 1,
                ..Firmware::default()
            },
            saw_identity: false,
            saw_temperature: false,
            saw_busy: false,
            bytes: 0,
            odd_bytes: 0,
            said: String::new(),
            out: Vec::new(),
            result: None,
        }
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Returns the outcome, once.
    pub(crate) fn take_result(&mut self) -> Option<Result<Firmware, Refusal>> {
        self.result.take()
    }

    pub(crate) fn on_bytes(&mut self, now_ms: u64, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.odd_bytes += bytes
            .iter()
            .filter(|byte| !matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'))
            .count() as u64;
        for line in self.splitter.push(bytes) {
            self.on_line(now_ms, &line);
        }
    }

    fn on_line(&mut self, now_ms: u64, line: &[u8]) {
        let reply = parse_reply(line);
        match &reply {
            Reply::Start | Reply::Boot(_) if self.state != State::Done => {
                // It restarts just now, perhaps because we opened its port: begin anew when it is quiet.
                self.state = State::Booting {
                    until_ms: now_ms + self.quiet_ms(),
                };
            }
            Reply::Ok {
                temperatures, rest, ..
            } => {
                if let Some(temperatures) = temperatures {
                    self.firmware.marks_temperature_ok = true;
                    self.see_temperatures(temperatures);
                }
                if rest.starts_with("FIRMWARE_NAME") {
                    self.saw_identity = true;
                    self.firmware.read_identity(rest);
                }
                let question = match self.state {
                    State::Hello { .. } => None,
                    State::Asking { question, .. } => Some(question),
                    State::Booting { .. } | State::Settling { .. } | State::Done => return,
                };
                self.state = State::Settling {
                    question,
                    until_ms: now_ms + self.quiet_ms() / 2,
                };
            }
            Reply::Temperatures { temperatures, .. } => self.see_temperatures(temperatures),
            Reply::Firmware(line) => {
                self.saw_identity = true;
                self.firmware.read_identity(line);
            }
            Reply::Cap { name, is_on } => self.firmware.read_cap(name, *is_on),
            Reply::BusyEvery(seconds) => self.firmware.has_busy = *seconds > 0,
            Reply::Busy(busy) => {
                self.saw_busy = true;
                if *busy == Busy::ForPerson {
                    self.refuse(Refusal::Busy("it waits for a person".to_owned()));
                }
            }
            Reply::CardPrinting(done, all) if *all > 0 && done < all => {
                self.refuse(Refusal::Busy(format!(
                    "it prints from its own card ({done} of {all} bytes)"
                )));
            }
            Reply::Resend(number) => {
                if let State::Asking { question, .. }
                | State::Settling {
                    question: Some(question),
                    ..
                } = self.state
                {
                    self.number = number.saturating_sub(1);
                    self.is_refused = true;
                    self.state = State::Settling {
                        question: Some(question),
                        until_ms: now_ms + self.quiet_ms() / 2,
                    };
                }
            }
            Reply::Other(text) => self.said.clone_from(text),
            Reply::Start
            | Reply::Boot(_)
            | Reply::Position { .. }
            | Reply::Wait
            | Reply::Error(..)
            | Reply::Action(_)
            | Reply::CardPrinting(..)
            | Reply::UnknownCommand(_)
            | Reply::ColdExtrusion => {}
        }
        // While a board boots it has more to say; each line puts the hello off a little.
        if let State::Booting { until_ms } = &mut self.state {
            *until_ms = (*until_ms).max(now_ms + self.timings.quiet_ms * 2);
        }
    }

    fn quiet_ms(&self) -> u64 {
        self.timings.quiet_ms * 3
    }

    fn see_temperatures(&mut self, temperatures: &crate::driver::Temperatures) {
        self.saw_temperature = true;
        self.firmware.temperatures = temperatures.clone();
    }

    pub(crate) fn on_tick(&mut self, now_ms: u64) {
        if self.state != State::Done && now_ms >= self.deadline_ms {
            return self.give_up();
        }
        match self.state {
            State::Booting { until_ms } | State::Hello { until_ms } if now_ms >= until_ms => {
                self.hello(now_ms)
            }
            State::Asking { question, until_ms } if now_ms >= until_ms => {
                self.again_or_next(now_ms, question)
            }
            State::Settling { question, until_ms } if now_ms >= until_ms => match question {
                None => self.ask(now_ms, QUESTIONS[0]),
                Some(question) if self.is_refused => self.again_or_next(now_ms, question),
                Some(Question::Identity) if !self.saw_identity => {
                    self.again_or_next(now_ms, Question::Identity)
                }
                Some(Question::Temperature) if !self.saw_temperature => {
                    self.again_or_next(now_ms, Question::Temperature);
                }
                Some(question) => self.next(now_ms, question),
            },
            State::Booting { .. }
            | State::Hello { .. }
            | State::Asking { .. }
            | State::Settling { .. }
            | State::Done => {}
        }
    }

    fn hello(&mut self, now_ms: u64) {
        self.hellos += 1;
        if self.hellos > HELLOS_MAX {
            return self.give_up();
        }
        (self.number, self.is_refused) = (0, false);
        // The first byte ends whatever an earlier host left unfinished.
        self.out.push(b'\n');
        self.out
            .extend(wire::encode(0, "M110 N0").expect("a short line"));
        self.state = State::Hello {
            until_ms: now_ms + self.timings.ask_ms,
        };
    }

    fn ask(&mut self, now_ms: u64, question: Question) {
        self.asks += 1;
        self.number += 1;
        self.is_refused = false;
        self.out
            .extend(wire::encode(self.number, question.command()).unwrap_or_default());
        self.state = State::Asking {
            question,
            until_ms: now_ms + self.timings.ask_ms,
        };
    }

    fn again_or_next(&mut self, now_ms: u64, question: Question) {
        if self.asks < ASKS_MAX {
            self.ask(now_ms, question)
        } else {
            self.next(now_ms, question)
        }
    }

    fn next(&mut self, now_ms: u64, question: Question) {
        self.asks = 0;
        let at = QUESTIONS.iter().position(|known| *known == question);
        match at.and_then(|at| QUESTIONS.get(at + 1)) {
            Some(next) => self.ask(now_ms, *next),
            None if question != Question::AutoReport && self.firmware.has_auto_report => {
                self.ask(now_ms, Question::AutoReport);
            }
            None if self.saw_identity || self.saw_temperature => {
                if self.firmware.name.is_empty() {
                    "unknown firmware".clone_into(&mut self.firmware.name);
                }
                self.state = State::Done;
                self.result = Some(Ok(self.firmware.clone()));
            }
            None => self.refuse(Refusal::NotAPrinter(self.said.clone())),
        }
    }

    fn give_up(&mut self) {
        let refusal = if self.saw_busy {
            Refusal::Busy("it is at work".to_owned())
        } else if self.bytes == 0 {
            Refusal::Silent
        } else if self.odd_bytes * 4 >= self.bytes {
            Refusal::Garbage
        } else {
            Refusal::NotAPrinter(self.said.clone())
        };
        self.refuse(refusal);
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.state = State::Done;
        self.result = Some(Err(refusal));
    }
}
