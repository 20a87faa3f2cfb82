//! A connected Marlin from the host's side: what it does, what is sent next, and how a print ends.
//!
//! No IO and no clock: bytes, file commands, wishes and milliseconds go in, [`Action`]s come out. Numbers and resends are in
//! `link`; here is what a print is made of.

mod end;
mod talk;
mod wishes;

use std::collections::VecDeque;

use super::{
    Timings,
    feed::Feed,
    filter,
    firmware::Firmware,
    link::{Link, News, Traits},
    script::{self, Modes, Parked},
    wire::{self, Splitter},
};
use crate::{
    driver::{Phase, Temperatures},
    gcode::effect,
};

/// What the driver has to do for the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send these bytes.
    Write(Vec<u8>),
    /// Send these bytes now, and forget what was not sent yet.
    WriteFirst(Vec<u8>),
    /// Begin to read the file of the print that was started.
    ReadFile,
    /// Nothing more of the file is wanted.
    StopReading,
    /// The first heat or motion of the print is being sent.
    Started,
    /// The print is over.
    Ended(Outcome),
}

/// How a print ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Finished,
    Aborted,
    Failed(String),
}

/// How often, at most, heaters that should be off are switched off again.
const COOLING_TRIES: u32 = 10;
/// How often a firmware that does not report by itself is asked for temperatures while idle.
const POLL_MS: u64 = 5_000;
/// A cancel that the printer has not carried out after so many waits for a long command has failed.
const CANCEL_WAITS: u64 = 10;
/// How long a board may take to say why it was reset.
const RESET_CAUSE_MS: u64 = 300;

#[derive(Clone, Debug, PartialEq)]
enum Work {
    Idle,
    /// The file is being looked through.
    Looking,
    /// Numbers are being agreed on.
    Syncing,
    Printing,
    /// Letting the moves end that are under way.
    Pausing,
    Paused(Option<Parked>),
    /// Paused by the machine itself.
    PausedByPrinter,
    Resuming,
    Cancelling {
        until_ms: u64,
    },
    /// The last command was taken; its moves are being made.
    Finishing,
    /// It was reset; it may still say why.
    Dying {
        reason: String,
        until_ms: u64,
    },
    /// It stopped, and a person must look.
    Halted(String),
}

/// A part of a script.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Send(String),
    Checkpoint,
    Reached(Milestone),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Milestone {
    Stopped,
    Parked,
    Resumed,
    Cancelled,
    Finished,
}

#[derive(Debug)]
struct Cooling {
    next_ms: u64,
    tries: u32,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Protocol {
    timings: Timings,
    firmware: Firmware,
    link: Link,
    splitter: Splitter,
    work: Work,
    script: VecDeque<Step>,
    actions: Vec<Action>,
    /// Of the running print.
    is_started: bool,
    modes: Modes,
    file_bytes: u64,
    progress: f32,
    minutes_left: Option<u64>,
    printing_since_ms: u64,
    pause_wanted: bool,
    resume_wanted: bool,
    /// The machine waits for a person within a command.
    waits_for_person: bool,
    position: Option<[f64; 4]>,
    parked: Option<Parked>,
    /// Of the machine.
    temperatures: Temperatures,
    cooling: Option<Cooling>,
    last_byte_ms: u64,
    last_poll_ms: u64,
    is_polled: bool,
    saw_report: bool,
}

impl Protocol {
    pub(crate) fn new(firmware: Firmware, timings: Timings, now_ms: u64) -> Self {
        let traits = Traits {
            has_checkpoints: firmware.marks_temperature_ok,
            has_busy: firmware.has_busy,
            can_send_empty: !firmware.is_klipper(),
        };
        let temperatures = firmware.temperatures.clone();
        let mut protocol = Self {
            timings,
            link: Link::new(traits, timings),
            firmware,
            splitter: Splitter::default(),
            work: Work::Idle,
            script: VecDeque::new(),
            actions: Vec::new(),
            is_started: false,
            modes: Modes::default(),
            file_bytes: 0,
            progress: 0.0,
            minutes_left: None,
            printing_since_ms: 0,
            pause_wanted: false,
            resume_wanted: false,
            waits_for_person: false,
            position: None,
            parked: None,
            temperatures,
            cooling: None,
            last_byte_ms: now_ms,
            last_poll_ms: now_ms,
            is_polled: false,
            saw_report: false,
        };
        if protocol.temperatures.any_target() {
            // Nobody prints, as far as we know, and something is hot: left behind by a host that died.
            tracing::warn!("heaters were on when the printer connected, switching them off");
            protocol.switch_heaters_off(now_ms);
        }
        protocol
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        let bytes = self.link.take_output();
        if !bytes.is_empty() {
            self.actions.push(Action::Write(bytes));
        }
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn phase(&self) -> Phase {
        match &self.work {
            Work::Idle => Phase::Idle,
            Work::Looking | Work::Syncing => Phase::Starting,
            Work::Printing if self.waits_for_person => Phase::Paused,
            Work::Printing | Work::Resuming | Work::Finishing => Phase::Printing,
            Work::Pausing => Phase::Pausing,
            Work::Paused(_) | Work::PausedByPrinter => Phase::Paused,
            Work::Cancelling { .. } | Work::Dying { .. } => Phase::Cancelling,
            Work::Halted(_) => Phase::Fault,
        }
    }

    pub(crate) fn fault(&self) -> Option<&str> {
        match &self.work {
            Work::Halted(reason) => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn filter_machine(&self) -> filter::Machine {
        self.firmware.filter_machine()
    }

    pub(crate) fn temperatures(&self) -> &Temperatures {
        &self.temperatures
    }

    pub(crate) fn progress(&self) -> f32 {
        self.progress
    }

    pub(crate) fn left_s(&self, now_ms: u64) -> Option<u64> {
        if !self.is_printing() || self.progress < 0.01 {
            return self
                .minutes_left
                .filter(|_| self.is_printing())
                .map(|minutes| minutes * 60);
        }
        let elapsed_s = now_ms.saturating_sub(self.printing_since_ms) as f32 / 1000.0;
        let by_progress = (elapsed_s * (1.0 - self.progress) / self.progress) as u64;
        Some(
            self.minutes_left
                .map_or(by_progress, |minutes| minutes * 60),
        )
    }

    /// Returns whether a print is under way, from its start to its outcome.
    pub(crate) fn is_printing(&self) -> bool {
        !matches!(self.work, Work::Idle | Work::Halted(_))
    }

    /// Returns whether answers are expected soon, so that the port should be read with short waits.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_printing() || self.cooling.is_some()
    }

    /// Returns whether the next part of the file is wanted.
    pub(crate) fn wants_feed(&self) -> bool {
        match self.work {
            Work::Looking => true,
            Work::Printing => self.script.is_empty() && self.link.is_ready(),
            _ => false,
        }
    }

    /// Takes in the next part of the file, when wanted.
    pub(crate) fn feed(&mut self, now_ms: u64, feed: Feed) {
        match feed {
            Feed::Looking => {}
            Feed::Ready { bytes } => {
                self.file_bytes = bytes;
                self.work = Work::Syncing;
                self.link.open(now_ms);
            }
            Feed::Command { text, end } => {
                self.modes.follow(&text);
                self.minutes_left = filter::minutes_left(&text).or(self.minutes_left);
                if effect::heats_or_moves(&text) {
                    self.start_once();
                }
                self.waits_for_person = false;
                if !self.link.send(now_ms, &text, filter::is_long(&text)) {
                    return self.fail(
                        now_ms,
                        format!("a command is too long for the printer: {text}"),
                        Work::Idle,
                    );
                }
                self.progress = (end as f64 / self.file_bytes.max(1) as f64).min(1.0) as f32;
            }
            Feed::Pause => self.pause(now_ms),
            Feed::End => {
                self.work = Work::Finishing;
                self.play([Step::Send("M400".into()), Step::Checkpoint]);
                self.script.push_back(Step::Reached(Milestone::Finished));
                self.advance(now_ms);
            }
            // Nothing was sent while the file was looked through, so nothing is to be undone.
            Feed::Failed(reason) if self.work == Work::Looking => {
                self.end(Outcome::Failed(reason), Work::Idle);
                self.switch_off_what_is_on(now_ms);
            }
            Feed::Failed(reason) => self.fail(now_ms, reason, Work::Idle),
        }
    }

    pub(crate) fn on_tick(&mut self, now_ms: u64) {
        self.link.on_tick(now_ms);
        if let Work::Dying { reason, until_ms } = &self.work
            && now_ms >= *until_ms
        {
            let reason = reason.clone();
            self.end(Outcome::Failed(reason), Work::Idle);
        }
        if matches!(self.work, Work::Cancelling { until_ms } if now_ms >= until_ms) {
            let reason = "the printer did not answer to the cancel".to_owned();
            self.fail(now_ms, reason.clone(), Work::Halted(reason));
        }
        let is_silent = now_ms >= self.last_byte_ms.saturating_add(self.timings.silence_ms);
        if is_silent && self.saw_report && self.is_printing() {
            self.fail(
                now_ms,
                "the printer has fallen silent".to_owned(),
                Work::Halted("it fell silent".to_owned()),
            );
        }
        self.advance(now_ms);
        self.cool(now_ms);
        // An unanswered question is not repeated for long: answers must not pile up, since a print takes them for its own.
        let pause_ms = if self.is_polled {
            12 * POLL_MS
        } else {
            POLL_MS
        };
        if self.work == Work::Idle
            && !self.firmware.has_auto_report
            && now_ms >= self.last_poll_ms + pause_ms
        {
            self.last_poll_ms = now_ms;
            self.is_polled = true;
            self.actions.push(Action::Write(wire::question("M105")));
        }
    }

    /// Does what can be done now that the link may be ready.
    fn advance(&mut self, now_ms: u64) {
        match self.link.take_news() {
            Some(News::Synced) if self.work == Work::Syncing => {
                self.work = Work::Printing;
                self.printing_since_ms = now_ms;
                self.pause_if_wanted(now_ms);
            }
            Some(News::Synced) | None => {}
            Some(News::Lost(reason)) => self.fail(now_ms, reason.clone(), Work::Halted(reason)),
        }
        while self.link.is_ready() {
            match self.script.pop_front() {
                None => break,
                Some(Step::Send(command)) => {
                    let fits = self.link.send(now_ms, &command, filter::is_long(&command));
                    debug_assert!(fits, "our own commands are short");
                }
                Some(Step::Checkpoint) => self.link.prove(now_ms),
                Some(Step::Reached(milestone)) => self.reached(now_ms, milestone),
            }
        }
    }

    fn reached(&mut self, now_ms: u64, milestone: Milestone) {
        match milestone {
            Milestone::Stopped => match script::park(self.modes, self.position, &self.temperatures)
            {
                Some((parked, commands)) => {
                    self.play(commands.into_iter().map(Step::Send));
                    self.script
                        .extend([Step::Checkpoint, Step::Reached(Milestone::Parked)]);
                    self.parked = Some(parked);
                }
                None => self.paused(now_ms),
            },
            Milestone::Parked => self.paused(now_ms),
            Milestone::Resumed => {
                self.work = Work::Printing;
                self.pause_if_wanted(now_ms);
            }
            Milestone::Cancelled => {
                self.end(Outcome::Aborted, Work::Idle);
                self.switch_off_what_is_on(now_ms);
            }
            Milestone::Finished => {
                self.start_once();
                self.progress = 1.0;
                self.end(Outcome::Finished, Work::Idle);
                self.switch_off_what_is_on(now_ms);
            }
        }
    }

    fn paused(&mut self, now_ms: u64) {
        self.work = Work::Paused(self.parked.take());
        if std::mem::take(&mut self.resume_wanted) {
            self.resume(now_ms);
        }
    }

    fn pause_if_wanted(&mut self, now_ms: u64) {
        if std::mem::take(&mut self.pause_wanted) {
            self.pause(now_ms);
        }
    }

    /// Replaces what was to be said.
    fn play(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.script = steps.into_iter().collect();
    }

    fn start_once(&mut self) {
        if !std::mem::replace(&mut self.is_started, true) {
            self.actions.push(Action::Started);
        }
    }
}
