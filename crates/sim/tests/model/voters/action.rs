//! What may happen next. Some of it changes nothing and is sorted out by `step.rs`.

use super::{
    Bug, Change, Way,
    state::{Config, PRINTERS, State},
};
use crate::set::Set;

/// One step of one host, or one message that arrives. Ballots by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A voter answers a claim.
    Promise {
        voter: usize,
        attempt: usize,
        ballot: usize,
    },
    /// With a majority of promises the start is sent.
    Start {
        attempt: usize,
        ballot: usize,
    },
    /// A voter accepts a start.
    Accept {
        voter: usize,
        attempt: usize,
        ballot: usize,
    },
    /// A printer whose start was decided asks whether the attempt was written off.
    BeginConfirm {
        printer: usize,
        attempt: usize,
        certificate: Config,
        asks: Config,
    },
    Confirm {
        printer: usize,
        voter: usize,
    },
    /// The printer begins.
    Heat {
        printer: usize,
    },
    /// A print comes out well.
    Finish {
        printer: usize,
        attempt: usize,
    },
    /// A print fails, and the document says so.
    Fail {
        printer: usize,
        attempt: usize,
    },
    /// A voter signs an attempt off after a long silence.
    SignLost {
        voter: usize,
        attempt: usize,
        config: Config,
    },
    /// A voter stops answering in the old configuration for ever.
    Seal(usize),
    /// A new voter takes over what these sealed voters know.
    Install {
        voter: usize,
        from: Set,
    },
    /// The hosts of [`Way::Recovery`] are destroyed.
    Strike,
    /// New voters begin. The one who recovers knows so many attempts as closed.
    Recover {
        known_closed: usize,
    },
}

impl Change {
    pub(super) fn possible(&self, state: &State, out: &mut Vec<Action>) {
        for attempt in 0..self.attempts {
            let is_reachable = attempt == 0 || state.is_closed(attempt - 1);
            if is_reachable {
                self.possible_votes(state, attempt, out);
                self.possible_prints(state, attempt, out);
            }
        }
        for (printer, confirm) in state.confirms.iter().enumerate() {
            let Some(confirm) = confirm else { continue };
            let asked = self.voters(confirm.config).iter();
            out.extend(asked.map(|voter| Action::Confirm {
                printer,
                voter: *voter,
            }));
            out.push(Action::Heat { printer });
        }
        match self.way {
            Way::Transfer if self.has(Bug::ListInDocument) => {}
            Way::Transfer => self.possible_transfers(state, out),
            Way::Recovery { .. } => {
                if !state.is_struck {
                    out.push(Action::Strike);
                }
                if !state.is_recovered && (state.is_struck || self.has(Bug::RecoverTooEarly)) {
                    let closed = (0..self.attempts).take_while(|attempt| state.is_closed(*attempt));
                    let known = 0..=closed.count();
                    out.extend(known.map(|known_closed| Action::Recover { known_closed }));
                }
            }
        }
    }

    fn possible_votes(&self, state: &State, attempt: usize, out: &mut Vec<Action>) {
        for (number, ballot) in self.ballots.iter().enumerate() {
            let has_started = state.sent[attempt][number].start;
            // A printer that has begun, or has said how it ended, never claims that attempt again.
            let prints = &state.prints[attempt];
            if !has_started && prints.all_begun().contains(ballot.printer) {
                continue;
            }
            for voter in self.voters(ballot.config) {
                let (voter, ballot) = (*voter, number);
                out.push(if has_started {
                    Action::Accept {
                        voter,
                        attempt,
                        ballot,
                    }
                } else {
                    Action::Promise {
                        voter,
                        attempt,
                        ballot,
                    }
                });
            }
            if !has_started {
                out.push(Action::Start {
                    attempt,
                    ballot: number,
                });
            }
        }
        let was_started = state.sent[attempt]
            .iter()
            .any(|sent| !sent.accepted.is_empty());
        if self.write_offs && was_started {
            for config in Config::BOTH {
                let signers = self.voters(config).iter();
                out.extend(signers.map(|voter| Action::SignLost {
                    voter: *voter,
                    attempt,
                    config,
                }));
            }
        }
    }

    fn possible_prints(&self, state: &State, attempt: usize, out: &mut Vec<Action>) {
        let prints = &state.prints[attempt];
        for printer in 0..PRINTERS {
            if !prints.all_begun().contains(printer) {
                for certificate in Config::BOTH {
                    if self.chosen(state, attempt, certificate).contains(printer) {
                        let begin = |asks| Action::BeginConfirm {
                            printer,
                            attempt,
                            certificate,
                            asks,
                        };
                        out.extend(Config::BOTH.map(begin));
                    }
                }
            } else if !prints.good.union(prints.given_back).contains(printer) {
                out.push(Action::Finish { printer, attempt });
                out.push(Action::Fail { printer, attempt });
            }
        }
    }

    fn possible_transfers(&self, state: &State, out: &mut Vec<Action>) {
        out.extend(self.old.iter().map(|voter| Action::Seal(*voter)));
        let sealed = self
            .old
            .iter()
            .filter(|voter| state.voters[**voter].is_sealed);
        let sealed: Vec<usize> = sealed.copied().collect();
        // Every smallest majority of them: with more of them a new voter would only know more.
        for chosen in 0_u32..1 << sealed.len() {
            if chosen.count_ones() as usize != self.majority(Config::Old) {
                continue;
            }
            let mut from = Set::default();
            let is_in = |place: &usize| chosen & (1 << place) != 0;
            (0..sealed.len())
                .filter(is_in)
                .for_each(|place| from.insert(sealed[place]));
            let idle = self
                .new
                .iter()
                .filter(|voter| !state.voters[**voter].is_active);
            out.extend(idle.map(|voter| Action::Install {
                voter: *voter,
                from,
            }));
        }
    }
}
