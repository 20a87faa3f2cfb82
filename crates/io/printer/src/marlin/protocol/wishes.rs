//! The protocol's orders: what each wish of the driver's user begins.

use super::{Action, CANCEL_WAITS, Milestone, Outcome, Protocol, Step, Work};
use crate::marlin::{
    script::{self, Modes},
    wire,
};

impl Protocol {
    /// Begins a print.
    pub(crate) fn start(&mut self) {
        if self.work != Work::Idle {
            // Let through a moment before the machine stopped.
            let reason = "the printer stopped before the print began".to_owned();
            return self.actions.push(Action::Ended(Outcome::Failed(reason)));
        }
        self.work = Work::Looking;
        // What switched heaters off after the last print must not do so to this one.
        self.cooling = None;
        self.is_started = false;
        self.modes = Modes::default();
        (self.file_bytes, self.progress, self.minutes_left) = (0, 0.0, None);
        (self.pause_wanted, self.resume_wanted, self.waits_for_person) = (false, false, false);
        self.actions.push(Action::ReadFile);
    }

    pub(crate) fn pause(&mut self, now_ms: u64) {
        match self.work {
            Work::Looking | Work::Syncing | Work::Resuming => self.pause_wanted = true,
            Work::Printing => {
                self.work = Work::Pausing;
                (self.position, self.parked, self.resume_wanted) = (None, None, false);
                self.play([
                    Step::Send("M400".into()),
                    Step::Send("M114".into()),
                    Step::Checkpoint,
                ]);
                self.script.push_back(Step::Reached(Milestone::Stopped));
                self.advance(now_ms);
            }
            _ => {}
        }
    }

    pub(crate) fn resume(&mut self, now_ms: u64) {
        self.pause_wanted = false;
        match &self.work {
            Work::Pausing => self.resume_wanted = true,
            Work::Paused(parked) => {
                let commands = parked
                    .as_ref()
                    .map(|parked| script::unpark(parked, &self.temperatures));
                self.work = Work::Resuming;
                self.play(commands.unwrap_or_default().into_iter().map(Step::Send));
                self.script.push_back(Step::Reached(Milestone::Resumed));
                self.advance(now_ms);
            }
            Work::PausedByPrinter => {
                self.actions.push(Action::Write(b"M108\n".to_vec()));
                self.work = Work::Printing;
                self.advance(now_ms);
            }
            Work::Printing if self.waits_for_person => {
                self.waits_for_person = false;
                self.actions.push(Action::Write(b"M108\n".to_vec()));
            }
            _ => {}
        }
    }

    pub(crate) fn cancel(&mut self, now_ms: u64) {
        match self.work {
            Work::Looking => self.end(Outcome::Aborted, Work::Idle),
            Work::Syncing
            | Work::Printing
            | Work::Pausing
            | Work::Paused(_)
            | Work::PausedByPrinter
            | Work::Resuming
            | Work::Finishing => {
                if self.link.is_long() {
                    // Ends a wait for a temperature. Its own `ok` is one too many, which a checkpoint heals.
                    self.actions.push(Action::Write(b"M108\n".to_vec()));
                }
                self.actions.push(Action::StopReading);
                self.work = Work::Cancelling {
                    until_ms: now_ms + CANCEL_WAITS * self.timings.long_ms,
                };
                self.play(
                    script::cancel(self.firmware.tools, self.is_started)
                        .into_iter()
                        .map(Step::Send),
                );
                self.script
                    .extend([Step::Checkpoint, Step::Reached(Milestone::Cancelled)]);
                self.advance(now_ms);
            }
            Work::Idle | Work::Cancelling { .. } | Work::Dying { .. } | Work::Halted(_) => {}
        }
    }

    pub(crate) fn heaters_off(&mut self, now_ms: u64) {
        if self.is_printing() {
            self.fail(now_ms, "heaters were switched off".to_owned(), Work::Idle);
        } else {
            self.switch_heaters_off(now_ms);
        }
    }

    pub(crate) fn emergency_stop(&mut self, now_ms: u64) {
        let reason = "emergency stop".to_owned();
        let mut bytes = b"\nM112\n".to_vec();
        // Numbered too: a printer that writes to its card takes only such lines.
        bytes.extend(wire::encode(self.link.next_number(), "M112").expect("a short line"));
        self.actions.push(Action::WriteFirst(bytes));
        self.fail(now_ms, reason.clone(), Work::Halted(reason));
    }

    /// The driver is being closed.
    pub(crate) fn close(&mut self, now_ms: u64) {
        if self.is_printing() {
            self.fail(now_ms, "the driver was closed".to_owned(), Work::Idle);
        }
    }
}
