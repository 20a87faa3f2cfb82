//! A change of the voters while the attempts of a copy run, and recovery when a majority is gone for good.
//!
//! Seal, transfer, activate: a sealed voter never answers in the old configuration again, a new voter takes over what a
//! majority of sealed ones knows, then answers. That the next list of voters is itself decided once is taken for
//! granted here: it is one more register of `majority.rs`. So are crashes, withdrawals and ballots that repeat.

mod action;
mod laws;
mod state;
mod step;
mod tests;

use action::Action;
use state::{Ballot, Config, State};
use stateright::{Model, Property};

use crate::set::Set;

/// What is explored, and with what bug.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    /// Voters before and after.
    old: &'static [usize],
    new: &'static [usize],
    /// The claims of every attempt, later ones higher.
    ballots: &'static [Ballot],
    /// Attempts that are modelled, at most [`state::ATTEMPTS`].
    attempts: usize,
    /// Whether voters may write an attempt off as lost.
    write_offs: bool,
    /// How the new voters come to be.
    way: Way,
    bug: Option<Bug>,
}

/// How the new configuration replaces the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The old voters are sealed, and their state is carried over: parking, and every ordinary change.
    Transfer,
    /// These old voters are destroyed; a person recovers with what one host's document says.
    Recovery { destroyed: &'static [usize] },
}

/// A protocol that is wrong in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// The list of voters is a field of the document: both lists are served, each by who has read it.
    ListInDocument,
    /// The old voters are sealed, but the new ones begin with nothing.
    SealWithoutTransfer,
    /// Only attempts that are not closed yet are carried over.
    TransferOpenOnly,
    /// Votes are carried over, signatures of write-offs are not.
    TransferWithoutLost,
    /// A sealed voter goes on answering whether an attempt is lost.
    SealedConfirm,
    /// A sealed voter goes on signing write-offs in the old configuration.
    SealedSign,
    /// A person recovers although the old voters live.
    RecoverTooEarly,
    /// After a recovery only the write-offs are looked at, not how old a certificate is.
    TrustOldCertificate,
    /// The new voters are told nothing of write-offs.
    RecoverWithoutLost,
}

impl Change {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn voters(&self, config: Config) -> &'static [usize] {
        match config {
            Config::Old => self.old,
            Config::New => self.new,
        }
    }

    fn majority(&self, config: Config) -> usize {
        self.voters(config).len() / 2 + 1
    }

    /// Whether a voter answers claims in a configuration.
    fn serves(&self, state: &State, voter: usize, config: Config) -> bool {
        if !self.voters(config).contains(&voter) || self.is_destroyed(state, voter) {
            return false;
        }
        match config {
            _ if self.has(Bug::ListInDocument) => true,
            Config::Old => !state.voters[voter].is_sealed,
            Config::New => state.voters[voter].is_active,
        }
    }

    fn is_destroyed(&self, state: &State, voter: usize) -> bool {
        match self.way {
            Way::Transfer => false,
            Way::Recovery { destroyed } => state.is_struck && destroyed.contains(&voter),
        }
    }

    /// Whether the attempt's start was decided by this ballot.
    fn is_chosen(&self, state: &State, attempt: usize, number: usize) -> bool {
        let config = self.ballots[number].config;
        state.sent[attempt][number].accepted.len() >= self.majority(config)
    }

    /// Printers that a configuration's register has decided for.
    fn chosen(&self, state: &State, attempt: usize, config: Config) -> Set {
        let mut printers = Set::default();
        for (number, ballot) in self.ballots.iter().enumerate() {
            if ballot.config == config && self.is_chosen(state, attempt, number) {
                printers.insert(ballot.printer);
            }
        }
        printers
    }
}

impl Model for Change {
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
