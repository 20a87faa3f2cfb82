//! What one state is while the voters change: two configurations, the messages ever sent, the document, the truth.

use std::fmt;

use crate::set::Set;

/// Attempts at the one copy of the model.
pub(crate) const ATTEMPTS: usize = 2;
/// Hosts that vote in the old or the new configuration.
pub(crate) const HOSTS: usize = 5;
/// Printers that want the copy.
pub(crate) const PRINTERS: usize = 2;
/// Ballots of one attempt at most.
pub(crate) const BALLOTS: usize = 4;

/// The configuration that votes first, and the one that replaces it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Config {
    Old,
    New,
}

impl Config {
    pub(super) const BOTH: [Self; 2] = [Self::Old, Self::New];

    pub(super) fn index(self) -> usize {
        match self {
            Self::Old => 0,
            Self::New => 1,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// A claim that is made in one configuration. Its number is its place in the model's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot {
    pub(super) config: Config,
    pub(super) printer: usize,
}

/// What a voter remembers of one attempt's register; durable. Ballots by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Vote {
    pub(super) promised: Option<u8>,
    pub(super) accepted: Option<u8>,
}

/// What a voter keeps for one configuration; durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ledger {
    pub(super) votes: [Vote; ATTEMPTS],
    /// Attempts that it has signed off as lost, or that were signed off before it took over.
    pub(super) lost: Set,
}

/// A host as a voter; durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Voter {
    /// It never answers in the old configuration again; what it has there is final, and was sent.
    pub(super) is_sealed: bool,
    /// It has taken over the state and answers in the new configuration.
    pub(super) is_active: bool,
    /// One for each configuration.
    pub(super) ledgers: [Ledger; 2],
}

/// A voter's answer to the first phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Promise {
    Free,
    /// The ballot whose value was accepted.
    Accepted(u8),
}

/// The messages of one ballot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    pub(super) promises: [Option<Promise>; HOSTS],
    pub(super) start: bool,
    pub(super) accepted: Set,
}

/// A printer with a certificate, asking whether its attempt was written off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Confirm {
    pub(super) attempt: u8,
    /// Whom it asks.
    pub(super) config: Config,
    /// Where its certificate is from.
    pub(super) certificate: Config,
    pub(super) yes: Set,
    /// For the laws only: the attempt was lost when the round began.
    pub(super) is_late: bool,
    /// For the laws only: the certificate is from before a recovery that was over when the round began.
    pub(super) is_void: bool,
}

/// One attempt: what the document says, and what really happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Prints {
    /// Printers that began, by the configuration that allowed it.
    pub(super) begun: [Set; 2],
    /// Printers that finished.
    pub(super) good: Set,
    /// Printers that failed and said so in the document.
    pub(super) given_back: Set,
}

impl Prints {
    pub(super) fn all_begun(&self) -> Set {
        self.begun[0].union(self.begun[1])
    }
}

/// The farm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) voters: [Voter; HOSTS],
    pub(super) sent: [[Sent; BALLOTS]; ATTEMPTS],
    pub(super) confirms: [Option<Confirm>; PRINTERS],
    pub(super) prints: [Prints; ATTEMPTS],
    /// Attempts written off, as the document says.
    pub(super) lost: Set,
    /// The hosts that were destroyed are gone.
    pub(super) is_struck: bool,
    pub(super) is_recovered: bool,
    /// For the laws only.
    pub(super) heated_late: bool,
    /// For the laws only.
    pub(super) heated_void: bool,
}

impl State {
    pub(super) fn first() -> Self {
        Self {
            voters: Default::default(),
            sent: Default::default(),
            confirms: [None; PRINTERS],
            prints: Default::default(),
            lost: Set::default(),
            is_struck: false,
            is_recovered: false,
            heated_late: false,
            heated_void: false,
        }
    }

    /// Whether the next attempt may be claimed.
    pub(super) fn is_closed(&self, attempt: usize) -> bool {
        !self.prints[attempt].given_back.is_empty() || self.lost.contains(attempt)
    }

    pub(super) fn good_prints(&self) -> usize {
        self.prints.iter().map(|prints| prints.good.len()).sum()
    }
}
