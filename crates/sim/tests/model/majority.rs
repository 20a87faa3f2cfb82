//! The `majority` level: one copy, a chain of two attempts, each one a single-decree register held by three voters.
//!
//! There is no clock: a lease may run out at any moment, so what holds here holds for every skew and every sleep.
//! A message that was sent may arrive at any time, many times, or never: loss, repetition, reordering and every
//! partition. A crash keeps what is durable. Not here: changes of the voters (`voters.rs`), starts without a
//! quorum (`available.rs`), liars, several copies at one printer, progress (the simulator's part).

mod action;
mod laws;
mod state;
mod step;
mod tests;

use action::Action;
use state::State;
use stateright::{Model, Property};

/// What is explored, and with what bug.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Majority {
    /// Hosts that claim; the others only vote.
    claimants: usize,
    /// Ballots of each, at most [`state::ROUNDS`].
    ballots: u8,
    /// Attempts that are modelled, at most [`state::ATTEMPTS`].
    attempts: usize,
    /// Crashes of any hosts, together.
    crashes: u8,
    /// Whether hosts may withdraw the copy.
    withdrawals: bool,
    /// Whether voters may write an attempt off as lost.
    write_offs: bool,
    /// Whether a confirm round stands between the decision and the heat. Without write-offs it has no effect, so
    /// those configurations leave it out.
    gate: bool,
    bug: Option<Bug>,
}

/// A protocol that is wrong in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// A voter's promises and accepts do not survive a crash.
    VolatileVoters,
    /// A claimant forgets which ballots it has used.
    VolatileBallot,
    /// A majority of promises is enough to print; there is no second phase.
    LeaseIsStart,
    /// The intent to print is not made durable before the machine is told.
    NoIntent,
    /// Who only tried to start may publish "given back" and so open the next attempt.
    CloseUnproven,
    /// A claimant goes on although a voter has accepted another's value.
    IgnoreForeign,
    /// A withdrawal is a change of the document, not a value of the register.
    WithdrawInDocument,
    /// The protocol's first version: a holder may claim again the attempt that it closed itself.
    ReclaimClosed,
    /// A voter that signed an attempt off goes on accepting in it. Harmless as long as there is the gate.
    LostWithoutSeal,
}

impl Majority {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

impl Model for Majority {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first()]
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        self.possible(state, out);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.apply(&mut state, action)?;
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.laws()
    }
}
