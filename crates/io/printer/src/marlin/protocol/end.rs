//! How prints end: heaters first, whatever went wrong.

use super::{Action, COOLING_TRIES, Cooling, Outcome, Protocol, Work};
use crate::marlin::{script, wire};

impl Protocol {
    /// Ends a print that went wrong, heaters first; without a print, only takes up `then`.
    pub(super) fn fail(&mut self, now_ms: u64, reason: String, then: Work) {
        self.switch_heaters_off(now_ms);
        if self.is_printing() {
            self.end(Outcome::Failed(reason), then);
        } else if !matches!(self.work, Work::Halted(_)) {
            self.work = then;
        }
    }

    pub(super) fn end(&mut self, outcome: Outcome, then: Work) {
        if self.link.resends() > 0 {
            tracing::debug!(
                resends = self.link.resends(),
                "lines were sent again during the print"
            );
        }
        self.link.close();
        self.script.clear();
        self.waits_for_person = false;
        self.work = then;
        self.actions
            .extend([Action::StopReading, Action::Ended(outcome)]);
    }

    /// Not numbered, since numbers may be what went wrong; repeated until the printer reports that they are off.
    pub(super) fn switch_heaters_off(&mut self, now_ms: u64) {
        let mut bytes = vec![b'\n'];
        if self.link.is_long() {
            bytes.extend(b"M108\n"); // ends a wait for a temperature, behind which all else would wait
        }
        for command in script::heaters_off(self.firmware.tools) {
            bytes.extend(command.as_bytes());
            bytes.push(b'\n');
        }
        // What the link wanted to say comes no more, and nothing may come before this.
        drop(self.link.take_output());
        self.actions.push(Action::Write(bytes));
        let tries = self.cooling.as_ref().map_or(0, |cooling| cooling.tries);
        self.cooling = Some(Cooling {
            next_ms: now_ms + self.timings.cooling_ms,
            tries: tries + 1,
        });
    }

    pub(super) fn switch_off_what_is_on(&mut self, now_ms: u64) {
        if self.temperatures.any_target() {
            self.switch_heaters_off(now_ms);
        }
    }

    pub(super) fn cool(&mut self, now_ms: u64) {
        let Some(cooling) = &self.cooling else { return };
        if now_ms < cooling.next_ms {
            return;
        }
        if cooling.tries >= COOLING_TRIES {
            if self.temperatures.any_target() {
                tracing::error!("the printer does not confirm that its heaters are off");
            }
            self.cooling = None;
        } else {
            self.switch_heaters_off(now_ms);
            self.actions.push(Action::Write(wire::question("M105")));
        }
    }
}
