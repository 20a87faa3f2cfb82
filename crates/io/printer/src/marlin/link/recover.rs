//! The link in trouble: what was lost is found out and sent again, or the link is given up.

use super::{Link, News, ODD_RESEND_MAX, SAME_RESEND_MAX, State};

impl Link {
    /// `counts`: it is a request, not the error before it.
    pub(super) fn on_resend(&mut self, now_ms: u64, number: u64, counts: bool) {
        self.progress_ms = now_ms;
        match self.state {
            State::Closed => return,
            State::Hello | State::Proving => {
                self.state = State::Draining {
                    from: None,
                    since_ms: now_ms,
                    last_ms: now_ms,
                    is_sync: true,
                };
                return;
            }
            State::Draining { is_sync: true, .. } => return self.drain(now_ms, None),
            State::Ready | State::Waiting | State::Draining { .. } => {}
        }
        if number > self.floor && number <= self.cursor {
            return self.drain(now_ms, Some(number));
        }
        if counts {
            self.odd_resends += 1;
            if self.odd_resends >= ODD_RESEND_MAX {
                return self.lose(if number <= self.floor {
                    format!("the printer asks for line {number}, which it had already: it was probably reset")
                } else {
                    format!("the printer asks for line {number}, which does not exist yet")
                });
            }
        }
        self.drain(now_ms, None);
    }

    pub(super) fn drain(&mut self, now_ms: u64, number: Option<u64>) {
        self.state = match self.state {
            State::Closed => State::Closed,
            State::Hello | State::Proving => State::Draining {
                from: None,
                since_ms: now_ms,
                last_ms: now_ms,
                is_sync: true,
            },
            State::Ready | State::Waiting => State::Draining {
                from: number,
                since_ms: now_ms,
                last_ms: now_ms,
                is_sync: false,
            },
            State::Draining {
                from,
                since_ms,
                is_sync,
                ..
            } => State::Draining {
                from: number.or(from),
                since_ms,
                last_ms: now_ms,
                is_sync,
            },
        };
    }

    /// It is quiet again after trouble.
    pub(super) fn go_on(&mut self, now_ms: u64, from: Option<u64>, is_sync: bool) {
        if is_sync {
            return self.hello(now_ms);
        }
        self.checkpoint_due = self.traits.has_checkpoints;
        self.state = State::Waiting;
        match from {
            None => self.probe(now_ms),
            // It seems to have everything that was sent, and what it did not understand was noise: let it prove that.
            Some(number) if number == self.cursor => self.probe(now_ms),
            Some(number) => {
                self.resends += 1;
                let count = if self.same_resend.0 == number {
                    self.same_resend.1 + 1
                } else {
                    1
                };
                self.same_resend = (number, count);
                if count > SAME_RESEND_MAX {
                    return self.lose(format!(
                        "line {number} does not get through: the cable or its plugs are bad"
                    ));
                }
                self.cursor = number;
                self.end_partial_line();
                self.send_at_cursor(now_ms);
            }
        }
    }

    /// Finds out what was lost by sending the line after it.
    pub(super) fn probe(&mut self, now_ms: u64) {
        self.checkpoint_due = self.traits.has_checkpoints;
        self.end_partial_line();
        if self.cursor < self.next {
            self.send_at_cursor(now_ms);
        } else {
            self.checkpoint(now_ms);
        }
    }

    pub(super) fn lose(&mut self, reason: String) {
        self.close();
        self.news = Some(News::Lost(reason));
    }
}
