//! The protocol's ears: what follows from each thing that the printer says.

use super::{Protocol, RESET_CAUSE_MS, Work};
use crate::{
    driver::Temperatures,
    marlin::{
        reply::{Busy, ErrorClass, Reply, parse_reply},
        wire,
    },
};

impl Protocol {
    /// Takes in bytes from the printer.
    pub(crate) fn on_bytes(&mut self, now_ms: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.last_byte_ms = now_ms;
        }
        for line in self.splitter.push(bytes) {
            let reply = parse_reply(&line);
            tracing::trace!(line = %String::from_utf8_lossy(&line), "the printer says");
            self.on_reply(now_ms, &reply);
            self.link.on_reply(now_ms, &reply);
            self.advance(now_ms);
        }
    }

    fn on_reply(&mut self, now_ms: u64, reply: &Reply) {
        match reply {
            Reply::Ok { temperatures, .. } => {
                (self.waits_for_person, self.is_polled) = (false, false);
                if let Some(temperatures) = temperatures {
                    self.see_temperatures(temperatures);
                }
            }
            Reply::Temperatures { temperatures, .. } => {
                self.saw_report = true;
                self.see_temperatures(temperatures);
            }
            Reply::Busy(Busy::ForPerson) => self.waits_for_person = true,
            Reply::Position { at } => self.position = Some(*at),
            Reply::Start => self.on_reset(now_ms, "the printer was reset during the print"),
            Reply::Boot(line) => match &self.work {
                Work::Dying { reason, .. }
                    if !line.starts_with("echo:") && !line.starts_with("Marlin ") =>
                {
                    let reason = format!("{reason} ({line})");
                    self.end(super::Outcome::Failed(reason), Work::Idle);
                }
                _ => self.on_reset(now_ms, "the printer was reset during the print"),
            },
            Reply::Error(ErrorClass::Fatal, text) => {
                tracing::error!(%text, "the printer stopped itself");
                self.fail(
                    now_ms,
                    format!("the printer stopped: {text}"),
                    Work::Halted(text.clone()),
                );
            }
            Reply::Error(ErrorClass::Harmless, text) | Reply::UnknownCommand(text) => {
                tracing::info!(%text, "the printer complains");
            }
            Reply::ColdExtrusion => {
                if matches!(self.work, Work::Printing | Work::Finishing) {
                    self.fail(
                        now_ms,
                        "the nozzle was too cold to extrude".to_owned(),
                        Work::Idle,
                    );
                }
            }
            Reply::Action(action) => self.on_action(now_ms, action),
            Reply::Resend(_)
            | Reply::Busy(Busy::Processing)
            | Reply::Wait
            | Reply::Error(ErrorClass::Line(_), _)
            | Reply::Firmware(_)
            | Reply::Cap { .. }
            | Reply::CardPrinting(..)
            | Reply::BusyEvery(_)
            | Reply::Other(_) => {}
        }
    }

    fn see_temperatures(&mut self, temperatures: &Temperatures) {
        self.temperatures = temperatures.clone();
        // The report may be older than the command: one repetition is awaited before it is believed.
        if self
            .cooling
            .as_ref()
            .is_some_and(|cooling| cooling.tries > 1)
            && !temperatures.any_target()
        {
            self.cooling = None;
        }
    }

    fn on_reset(&mut self, now_ms: u64, reason: &str) {
        match self.work {
            Work::Dying { .. } | Work::Halted(_) => {}
            Work::Idle => {
                if self.firmware.has_auto_report {
                    // A reset forgets it.
                    self.actions
                        .push(super::Action::Write(wire::question("M155 S2")));
                }
            }
            _ => {
                self.switch_heaters_off(now_ms);
                self.link.close();
                self.script.clear();
                self.actions.push(super::Action::StopReading);
                self.work = Work::Dying {
                    reason: reason.to_owned(),
                    until_ms: now_ms + RESET_CAUSE_MS,
                };
            }
        }
    }

    fn on_action(&mut self, now_ms: u64, action: &str) {
        match action.split_whitespace().next().unwrap_or("") {
            "pause" => self.pause(now_ms),
            // It has paused already: only stop feeding it.
            "paused" => {
                if matches!(self.work, Work::Printing) {
                    tracing::info!(action, "the printer paused the print");
                    self.work = Work::PausedByPrinter;
                }
            }
            "resume" | "resumed" => match self.work {
                Work::PausedByPrinter => self.work = Work::Printing,
                Work::Paused(_) if action.starts_with("resume") => self.resume(now_ms),
                _ => {}
            },
            "cancel" => self.cancel(now_ms),
            // Never obeyed: `poweroff` and `shutdown` ask the host to switch itself or its relays. The rest is for screens.
            _ => tracing::debug!(action, "the printer asks for something that is not done"),
        }
    }
}
