//! A printer that exists only as a clock: it reads the real file, takes the time that the file's moves would take, divided
//! by `speed`, and can be told by its address to go wrong.
//!
//! Nothing is drawn and no position is kept: see `time_model` for what is simplified.

mod journal;
mod machine;
mod memory;
mod plan;
mod print;
#[cfg(test)]
mod tests;
mod time_model;

use memory::{Memory, State};
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::{
    address::Simulation,
    board::Board,
    driver::{
        Caps, Doing, Driver, Event, Phase, PrintRequest, PrinterInfo, PrinterStatus, StartError,
    },
    wish::Wish,
};

/// What a fuzz target calls: the course of a print of any bytes.
pub(crate) fn fuzz_plan(data: &[u8]) {
    drop(plan::Plan::of(std::path::Path::new("file"), data));
}

/// The handle on a simulated printer.
pub(crate) struct Simulated {
    board: Board,
    wishes: UnboundedSender<Wish>,
    options: Simulation,
}

/// Starts the machine's task; it ends with the handle.
pub(crate) fn connect(options: Simulation, events: UnboundedSender<Event>) -> Simulated {
    let board = Board::new(events);
    // Unbounded, since each wish is one call of our own daemon and the task takes them at once.
    let (wishes, inbox) = mpsc::unbounded_channel();
    machine::spawn(options.clone(), board.clone(), inbox);
    Simulated {
        board,
        wishes,
        options,
    }
}

impl Simulated {
    fn wish(&self, wish: Wish) {
        // The task has ended: the phase is Offline, and nothing can be wished of it.
        let _ = self.wishes.send(wish);
    }
}

impl Driver for Simulated {
    fn info(&self) -> PrinterInfo {
        PrinterInfo {
            firmware: format!("printmesh simulator {}", env!("CARGO_PKG_VERSION")),
            machine: "simulated printer".to_owned(),
            tools: 1,
            caps: Caps {
                emergency_parser: true,
                reports_temperatures: true,
                thermal_protection: Some(true),
                clears_bed: self.options.clears_bed,
            },
        }
    }

    fn status(&self) -> PrinterStatus {
        self.board.status()
    }

    fn doing(&self) -> Doing {
        let Some(path) = &self.options.autonomous else {
            return Doing::Fed;
        };
        let status = self.board.status();
        if status.attempt.is_some() {
            return Doing::Printing {
                attempt: status.attempt,
            };
        }
        let last = Memory::new(path.clone()).load();
        let last = last.and_then(|last| match last.state {
            State::Ended(outcome) => Some((last.attempt, outcome)),
            State::UnderWay(_) => None,
        });
        Doing::Idle { last }
    }

    fn start(&self, request: PrintRequest) -> Result<(), StartError> {
        if self.options.refuse_start {
            return Err(StartError::Refused(
                "this simulated printer refuses every start (refuse_start=yes)".to_owned(),
            ));
        }
        self.board.admit(&request)?;
        self.wishes
            .send(Wish::Start(request))
            .map_err(|_| StartError::NotIdle(Phase::Offline))
    }

    fn pause(&self) {
        self.wish(Wish::Pause);
    }

    fn resume(&self) {
        self.wish(Wish::Resume);
    }

    fn cancel(&self) {
        self.wish(Wish::Cancel);
    }

    fn heaters_off(&self) {
        self.wish(Wish::HeatersOff);
    }

    fn emergency_stop(&self) {
        self.wish(Wish::EmergencyStop);
    }

    fn close(&self) {
        self.wish(Wish::Close);
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.close();
    }
}
