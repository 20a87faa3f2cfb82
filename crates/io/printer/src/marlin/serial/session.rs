//! A connected printer's thread at work: bytes and wishes into the protocol, its actions into the world.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, TryRecvError},
    },
    time::Duration,
};

use super::{Wishes, lock};
use crate::{
    board::Board,
    driver::{Event, Phase, PrinterStatus},
    marlin::{
        feed::{self, Feed},
        port::Line,
        protocol::{Action, Outcome, Protocol},
    },
    wish::Wish,
};

/// How long a read may wait: while answers are expected, and while idle, when it decides how soon a wish is seen.
pub(super) const BUSY_WAIT: Duration = Duration::from_millis(10);
const IDLE_WAIT: Duration = Duration::from_millis(100);
/// Parts of a file that are taken at once at most, so that the port is looked at in between.
const FEED_MAX: usize = 64;

/// A connected printer's thread at work.
pub(super) struct Session {
    board: Board,
    wishes: Arc<Mutex<Wishes>>,
    line: Line,
    protocol: Protocol,
    attempt: Option<String>,
    path: Option<PathBuf>,
    file: Option<Receiver<Feed>>,
    shown: Phase,
}

impl Session {
    pub(super) fn new(
        board: Board,
        wishes: Arc<Mutex<Wishes>>,
        line: Line,
        protocol: Protocol,
    ) -> Self {
        Self {
            board,
            wishes,
            line,
            protocol,
            attempt: None,
            path: None,
            file: None,
            shown: Phase::Idle,
        }
    }

    /// Runs until the driver is closed (`Ok`) or the port is lost.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut wait = Duration::ZERO;
        self.show();
        loop {
            let wanted = if self.protocol.is_busy() {
                BUSY_WAIT
            } else {
                IDLE_WAIT
            };
            if wait != wanted {
                wait = wanted;
                self.line.port.set_wait(wait)?;
            }
            let bytes = self.line.read()?;
            let now_ms = self.line.now_ms();
            self.protocol.on_bytes(now_ms, &bytes);
            self.protocol.on_tick(now_ms);
            if self.take_wishes(now_ms) {
                self.protocol.close(now_ms);
                self.act()?;
                return self.line.write();
            }
            self.take_feed(now_ms);
            self.act()?;
            self.show();
        }
    }

    /// Returns whether the driver is to be closed.
    fn take_wishes(&mut self, now_ms: u64) -> bool {
        let wishes = std::mem::take(&mut lock(&self.wishes).waiting);
        for wish in wishes {
            match wish {
                Wish::Start(request) => {
                    self.attempt = Some(request.attempt);
                    self.path = Some(request.path);
                    self.protocol.start();
                }
                Wish::Pause => self.protocol.pause(now_ms),
                Wish::Resume => self.protocol.resume(now_ms),
                Wish::Cancel => self.protocol.cancel(now_ms),
                Wish::HeatersOff => self.protocol.heaters_off(now_ms),
                Wish::EmergencyStop => self.protocol.emergency_stop(now_ms),
                Wish::Close => return true,
            }
        }
        false
    }

    fn take_feed(&mut self, now_ms: u64) {
        for _ in 0..FEED_MAX {
            if !self.protocol.wants_feed() {
                return;
            }
            let Some(file) = &self.file else { return };
            match file.try_recv() {
                Ok(feed) => self.protocol.feed(now_ms, feed),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.file = None;
                    self.protocol.feed(
                        now_ms,
                        Feed::Failed("reading the file ended unexpectedly".to_owned()),
                    );
                }
            }
        }
    }

    /// Does what the protocol asks for.
    fn act(&mut self) -> io::Result<()> {
        for action in self.protocol.take_actions() {
            match action {
                Action::Write(bytes) => self.line.out.extend(bytes),
                Action::WriteFirst(bytes) => {
                    self.line.out.clear();
                    self.line.out.extend(bytes);
                }
                Action::ReadFile => {
                    let machine = self.protocol.filter_machine();
                    match feed::read(self.path.take().unwrap_or_default(), machine) {
                        Ok(file) => self.file = Some(file),
                        Err(error) => {
                            let reason = format!("failed to start a thread for the file: {error}");
                            self.protocol.feed(self.line.now_ms(), Feed::Failed(reason));
                        }
                    }
                }
                Action::StopReading => self.file = None,
                Action::Started => {
                    if let Some(attempt) = &self.attempt {
                        self.board.tell(Event::Started {
                            attempt: attempt.clone(),
                        });
                    }
                }
                Action::Ended(outcome) => self.conclude(outcome),
            }
        }
        self.line.write()
    }

    fn conclude(&mut self, outcome: Outcome) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        let event = match outcome {
            Outcome::Finished => Event::Finished { attempt },
            Outcome::Aborted => Event::Aborted { attempt },
            Outcome::Failed(reason) => Event::Failed { attempt, reason },
        };
        let protocol = &self.protocol;
        self.shown = protocol.phase();
        self.board.conclude(event, |status| {
            status.phase = protocol.phase();
            status.fault = protocol.fault().map(str::to_owned);
            status.progress = protocol.progress();
        });
    }

    fn show(&mut self) {
        let now_ms = self.line.now_ms();
        let phase = self.protocol.phase();
        // Only changes of our own: the board may have let a start through that we have not seen yet.
        let change = (phase != self.shown).then_some(phase);
        self.shown = phase;
        let protocol = &self.protocol;
        self.board.update(now_ms, |status| {
            if let Some(phase) = change {
                status.phase = phase;
                status.fault = protocol.fault().map(str::to_owned);
            }
            if protocol.is_printing() {
                status.progress = protocol.progress();
            }
            status.left_s = protocol.left_s(now_ms);
            status.temperatures.clone_from(protocol.temperatures());
        });
    }

    /// The thread ends: whatever was under way has failed.
    pub(super) fn bury(mut self, reason: &str, is_lost: bool) {
        let mut wishes = lock(&self.wishes);
        wishes.has_ended = true;
        let started = wishes.waiting.drain(..).find_map(|wish| match wish {
            Wish::Start(request) => Some(request.attempt),
            _ => None,
        });
        drop(wishes);
        let offline = |status: &mut PrinterStatus| {
            status.phase = Phase::Offline;
            status.fault = Some(reason.to_owned());
        };
        match self.attempt.take().or(started) {
            Some(attempt) => self.board.conclude(
                Event::Failed {
                    attempt,
                    reason: reason.to_owned(),
                },
                offline,
            ),
            None => self.board.update(self.line.now_ms(), offline),
        }
        if is_lost {
            tracing::warn!(reason, "printer lost");
            self.board.tell(Event::LinkLost {
                reason: reason.to_owned(),
            });
        }
    }
}
