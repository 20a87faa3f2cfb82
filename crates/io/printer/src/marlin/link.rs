//! Numbered lines: one under way at a time, each taken by the printer once and in order, or the link is given up.
//!
//! No IO, no clock, no idea of prints. See the [module above](super) for why it does what it does.

mod recover;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{
    Timings,
    reply::{ErrorClass, Reply},
    wire,
};

/// So many commands may be believed taken before a checkpoint proves it: 3 % more lines.
const CHECKPOINT_EVERY: u32 = 32;
/// The same from a printer that says more `ok`s than it gets lines: each puts us one line ahead of it, and its receive buffer
/// must not overflow.
const CHECKPOINT_SOON: u32 = 4;
/// Lines that can be sent again from a printer without checkpoints.
const HISTORY: usize = 256;
/// The printer asks for the same line so often, and the print fails: what it wants cannot be had over this cable.
const SAME_RESEND_MAX: u32 = 10;
/// It asks for a line that cannot be missing so often: it has lost count.
const ODD_RESEND_MAX: u32 = 3;
const SYNC_TRIES_MAX: u32 = 8;
/// Before the numbers get a digit more, they begin anew.
const RENUMBER_AT: u64 = 9_000_000;
/// Probes of a printer that is busy with a long command wait in its receive buffer, so each comes after twice the time of the one
/// before, up to so many doublings.
const LONG_DOUBLINGS_MAX: u32 = 6;

const CHECKPOINT: &str = "M105";

/// What the link is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// The answer to `M105` can be told from other answers.
    pub(crate) has_checkpoints: bool,
    /// The printer says when it is busy.
    pub(crate) has_busy: bool,
    /// An empty line ends a line that lost its own end, and is not answered.
    pub(crate) can_send_empty: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Link {
    traits: Traits,
    timings: Timings,
    state: State,
    /// Sent lines that may be asked for again; their numbers have no gaps, the last one is `next - 1`.
    history: VecDeque<Line>,
    /// The number of the next new line.
    next: u64,
    /// The next line to send; lower than `next` while lines are repeated.
    cursor: u64,
    /// All up to here have been taken for certain.
    floor: u64,
    since_checkpoint: u32,
    checkpoint_every: u32,
    /// An `ok` too many came since the last checkpoint.
    saw_surplus: bool,
    checkpoint_due: bool,
    waits: u32,
    progress_ms: u64,
    same_resend: (u64, u32),
    odd_resends: u32,
    sync_tries: u32,
    resends: u64,
    out: Vec<u8>,
    news: Option<News>,
}

#[derive(Debug)]
struct Line {
    number: u64,
    bytes: Vec<u8>,
    is_checkpoint: bool,
    is_long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not in use.
    Closed,
    /// `M110` is under way.
    Hello,
    /// The first checkpoint is under way, to prove that `M110` arrived.
    Proving,
    /// The next line may come.
    Ready,
    /// Line `cursor - 1` is under way.
    Waiting,
    /// Something went wrong: wait until nothing comes any more, then go on from there.
    Draining {
        from: Option<u64>,
        since_ms: u64,
        last_ms: u64,
        is_sync: bool,
    },
}

/// What the link has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The numbers agree; lines may come.
    Synced,
    /// It cannot go on.
    Lost(String),
}

impl Link {
    pub(crate) fn new(traits: Traits, timings: Timings) -> Self {
        Self {
            traits,
            timings,
            state: State::Closed,
            history: VecDeque::new(),
            next: 1,
            cursor: 1,
            floor: 0,
            since_checkpoint: 0,
            checkpoint_every: CHECKPOINT_EVERY,
            saw_surplus: false,
            checkpoint_due: false,
            waits: 0,
            progress_ms: 0,
            same_resend: (0, 0),
            odd_resends: 0,
            sync_tries: 0,
            resends: 0,
            out: Vec::new(),
            news: None,
        }
    }

    /// Begins with agreeing on numbers; [`News::Synced`] follows.
    pub(crate) fn open(&mut self, now_ms: u64) {
        self.sync_tries = 0;
        self.hello(now_ms);
    }

    /// Forgets everything that is under way.
    pub(crate) fn close(&mut self) {
        self.state = State::Closed;
        self.history.clear();
        self.out.clear();
    }

    /// Returns whether a line may be sent now.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Returns whether a long command may be under way.
    pub(crate) fn is_long(&self) -> bool {
        self.history.iter().any(|line| line.is_long)
    }

    /// How many times a line was asked for again.
    pub(crate) fn resends(&self) -> u64 {
        self.resends
    }

    /// The number that the next line will get.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// Sends a command. Only when ready. Returns whether it fits into a line.
    #[must_use]
    pub(crate) fn send(&mut self, now_ms: u64, command: &str, is_long: bool) -> bool {
        debug_assert!(self.is_ready(), "one line at a time");
        let Some(bytes) = wire::encode(self.next, command) else {
            return false;
        };
        self.since_checkpoint += 1;
        self.push(now_ms, bytes, false, is_long);
        true
    }

    /// Makes sure that everything sent was taken. Only when ready; ready again when it is proven.
    pub(crate) fn prove(&mut self, now_ms: u64) {
        // Never two checkpoints in a row: the first one's answer, doubled, would pass for the second one's.
        if !self.history.is_empty() {
            self.checkpoint(now_ms);
        }
    }

    /// Sends a line whose answer proves that everything before it was taken.
    fn checkpoint(&mut self, now_ms: u64) {
        let bytes = wire::encode(self.next, CHECKPOINT).expect("a short line");
        self.push(now_ms, bytes, true, false);
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// Takes in what the printer said.
    pub(crate) fn on_reply(&mut self, now_ms: u64, reply: &Reply) {
        match reply {
            Reply::Ok {
                line, temperatures, ..
            } => self.on_ok(now_ms, *line, temperatures.is_some()),
            Reply::Resend(number) => self.on_resend(now_ms, *number, true),
            Reply::Error(ErrorClass::Line(last_good), _) => match last_good {
                Some(last_good) => self.on_resend(now_ms, last_good.saturating_add(1), false),
                None => self.drain(now_ms, None),
            },
            Reply::Busy(_) | Reply::Temperatures { waiting: true, .. } => self.progress_ms = now_ms,
            // Its queue is empty while we wait for an answer: one of the two got lost.
            Reply::Wait => {
                if self.state == State::Waiting && now_ms >= self.progress_ms + 1_000 {
                    self.probe(now_ms);
                }
            }
            Reply::Temperatures { waiting: false, .. }
            | Reply::Error(ErrorClass::Fatal | ErrorClass::Harmless, _)
            | Reply::Position { .. }
            | Reply::Start
            | Reply::Boot(_)
            | Reply::Action(_)
            | Reply::Firmware(_)
            | Reply::Cap { .. }
            | Reply::CardPrinting(..)
            | Reply::BusyEvery(_)
            | Reply::UnknownCommand(_)
            | Reply::ColdExtrusion
            | Reply::Other(_) => {}
        }
    }

    /// Lets time pass.
    pub(crate) fn on_tick(&mut self, now_ms: u64) {
        let waited = now_ms.saturating_sub(self.progress_ms);
        match self.state {
            State::Closed | State::Ready => {}
            State::Hello | State::Proving => {
                if waited >= self.ok_ms().min(2 * self.timings.ok_ms) {
                    self.hello(now_ms);
                }
            }
            State::Waiting => {
                if self.is_long() {
                    if waited >= self.timings.long_ms << self.waits.min(LONG_DOUBLINGS_MAX) {
                        self.waits += 1;
                        self.probe(now_ms);
                    }
                } else if waited >= self.ok_ms() {
                    self.waits += 1;
                    if self.waits > self.timings.waits_max {
                        self.lose("the printer does not answer any more".to_owned());
                    } else {
                        self.probe(now_ms);
                    }
                }
            }
            State::Draining {
                from,
                since_ms,
                last_ms,
                is_sync,
            } => {
                let is_quiet = now_ms >= last_ms + self.timings.quiet_ms;
                if is_quiet || now_ms >= since_ms + 10 * self.timings.quiet_ms {
                    self.go_on(now_ms, from, is_sync);
                }
            }
        }
    }

    fn ok_ms(&self) -> u64 {
        if self.traits.has_busy {
            self.timings.ok_ms
        } else {
            self.timings.ok_without_busy_ms
        }
    }

    fn hello(&mut self, now_ms: u64) {
        self.sync_tries += 1;
        if self.sync_tries > SYNC_TRIES_MAX {
            return self.lose("the printer does not take line numbers".to_owned());
        }
        self.history.clear();
        (self.next, self.cursor, self.floor) = (1, 1, 0);
        (
            self.since_checkpoint,
            self.checkpoint_due,
            self.waits,
            self.odd_resends,
        ) = (0, false, 0, 0);
        self.end_partial_line();
        self.out
            .extend(wire::encode(0, "M110 N0").expect("a short line"));
        self.state = State::Hello;
        self.progress_ms = now_ms;
    }

    /// A line whose end was garbled waits in the printer for more: end it, so that it is not glued to the next one.
    fn end_partial_line(&mut self) {
        if self.traits.can_send_empty {
            self.out.push(b'\n');
        }
    }

    fn push(&mut self, now_ms: u64, bytes: Vec<u8>, is_checkpoint: bool, is_long: bool) {
        self.history.push_back(Line {
            number: self.next,
            bytes,
            is_checkpoint,
            is_long,
        });
        self.next += 1;
        if self.history.len() > HISTORY
            && let Some(oldest) = self.history.pop_front()
        {
            self.floor = self.floor.max(oldest.number);
        }
        self.send_at_cursor(now_ms);
    }

    fn line(&self, number: u64) -> Option<&Line> {
        self.history.iter().find(|line| line.number == number)
    }

    fn send_at_cursor(&mut self, now_ms: u64) {
        let Some(line) = self.line(self.cursor) else {
            return self.lose(format!("line {} is not kept any more", self.cursor));
        };
        let bytes = line.bytes.clone();
        self.out.extend(bytes);
        self.cursor += 1;
        self.progress_ms = now_ms;
        self.state = State::Waiting;
    }

    fn on_ok(&mut self, now_ms: u64, line: Option<u64>, has_temperatures: bool) {
        match self.state {
            State::Closed | State::Ready => {}
            State::Hello => {
                self.state = State::Proving;
                self.checkpoint(now_ms);
                self.state = State::Proving;
            }
            State::Proving => {
                if has_temperatures || !self.traits.has_checkpoints {
                    self.floor = 1;
                    self.history.clear();
                    self.sync_tries = 0;
                    self.state = State::Ready;
                    self.news = Some(News::Synced);
                }
            }
            State::Waiting => {
                let is_checkpoint = self
                    .line(self.cursor - 1)
                    .is_some_and(|line| line.is_checkpoint);
                // A number in an `ok` only counts: one flipped bit makes it that of another line.
                let proves = is_checkpoint && has_temperatures;
                let counts = match line {
                    Some(line) => line == self.cursor - 1,
                    None if self.traits.has_checkpoints => is_checkpoint == has_temperatures,
                    None => true,
                };
                self.progress_ms = now_ms;
                if counts {
                    self.taken(now_ms, proves);
                } else if is_checkpoint {
                    self.saw_surplus = true;
                }
            }
            // Each of them belongs to a line that was refused, or to nothing.
            State::Draining {
                from,
                since_ms,
                is_sync,
                ..
            } => {
                self.state = State::Draining {
                    from,
                    since_ms,
                    last_ms: now_ms,
                    is_sync,
                };
            }
        }
    }

    /// Line `cursor - 1` was taken, `for certain` or as it seems.
    fn taken(&mut self, now_ms: u64, for_certain: bool) {
        let is_checkpoint = self
            .line(self.cursor - 1)
            .is_some_and(|line| line.is_checkpoint);
        let is_long = self.line(self.cursor - 1).is_some_and(|line| line.is_long);
        self.waits = 0;
        if for_certain {
            self.floor = self.cursor - 1;
            while self
                .history
                .front()
                .is_some_and(|line| line.number <= self.floor)
            {
                self.history.pop_front();
            }
            self.odd_resends = 0;
        } else if !self.traits.has_checkpoints {
            // The best there is: what was answered is not long any more.
            for line in &mut self.history {
                line.is_long = false;
            }
        }
        if is_checkpoint {
            self.since_checkpoint = 0;
            self.checkpoint_due = false;
            let surplus = std::mem::take(&mut self.saw_surplus);
            self.checkpoint_every = if surplus {
                CHECKPOINT_SOON
            } else {
                (self.checkpoint_every * 2).min(CHECKPOINT_EVERY)
            };
        }
        if self.cursor < self.next {
            return self.send_at_cursor(now_ms);
        }
        if self.next > RENUMBER_AT {
            return self.hello(now_ms);
        }
        // After a long command at once, so that a lost answer to what follows is not taken for a long wait.
        let is_due =
            self.checkpoint_due || is_long || self.since_checkpoint >= self.checkpoint_every;
        if is_due && !is_checkpoint && self.traits.has_checkpoints {
            self.checkpoint(now_ms);
        } else {
            self.state = State::Ready;
        }
    }
}
