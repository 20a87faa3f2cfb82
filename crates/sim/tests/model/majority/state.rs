//! What one state of the farm is: what voters and printers keep, the messages ever sent, the document, and the truth.

use std::fmt;

use crate::set::Set;

/// Hosts of the farm. Each is a voter and has one printer.
pub(crate) const HOSTS: usize = 3;
/// Voters that decide.
pub(crate) const MAJORITY: usize = 2;
/// Ballots that a host may use at most.
pub(crate) const ROUNDS: usize = 2;
/// Attempts at the one copy of the model.
pub(crate) const ATTEMPTS: usize = 2;
const BALLOTS: usize = ROUNDS * HOSTS;

pub(crate) type Host = usize;
pub(crate) type Attempt = usize;

/// A proposer's number, unique by its host. The round counts first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ballot {
    round: u8,
    host: u8,
}

impl Ballot {
    pub(super) fn new(round: u8, host: Host) -> Self {
        let host = u8::try_from(host).expect("hosts are few");
        Self { round, host }
    }

    pub(super) fn host(self) -> Host {
        usize::from(self.host)
    }

    fn index(self) -> usize {
        usize::from(self.round) * HOSTS + self.host()
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        let rounds = 0..u8::try_from(ROUNDS).expect("rounds are few");
        rounds.flat_map(|round| (0..HOSTS).map(move |host| Self::new(round, host)))
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.round, self.host)
    }
}

/// What a host asks the register to hold. Its owner is the ballot's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Its printer makes the copy.
    Print,
    /// The host takes the copy out of the queue.
    Withdraw,
}

/// What a voter remembers of one attempt's register; durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Vote {
    pub(super) promised: Option<Ballot>,
    pub(super) accepted: Option<Ballot>,
}

/// A host as a voter; durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Voter {
    pub(super) votes: [Vote; ATTEMPTS],
    /// Attempts that it has signed off as lost.
    pub(super) lost: Set,
}

/// What a host is doing; gone after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Idle,
    /// First phase: a claim.
    Claiming(u8, Ballot),
    /// Second phase: the start.
    Starting(u8, Ballot),
    /// A majority has accepted the start.
    Started(u8),
    /// It asks the voters whether the attempt was written off meanwhile.
    Confirming(u8),
    /// The intent to print is on disk, the printer not yet told.
    Intent(u8),
    Printing(u8),
    /// After a crash with an intent: nobody knows before the printer is asked.
    Unknown(u8),
    /// It has withdrawn the copy.
    Withdrawn,
}

/// What a host finds on its disk after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Journal {
    Empty,
    Starting(u8, Ballot),
    Started(u8),
    Intent(u8),
    Closed,
}

/// A host as a claimant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claimant {
    /// The next round; durable.
    pub(super) round: u8,
    pub(super) phase: Phase,
    /// Durable.
    pub(super) journal: Journal,
    /// Voters that said "not lost" in this confirm round.
    pub(super) confirmed: Set,
    /// The attempt that its machine physically prints. A crash of the host does not stop it.
    pub(super) machine: Option<u8>,
}

/// A voter's answer to the first phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Promise {
    /// Nothing was accepted yet.
    Free,
    /// This ballot's value was accepted.
    Accepted(Ballot),
}

/// The messages of one ballot. What was sent once may arrive at any time, many times, or never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    /// Set once the claim was sent.
    pub(super) purpose: Option<Purpose>,
    pub(super) promises: [Option<Promise>; HOSTS],
    /// Whether the start was sent.
    pub(super) start: bool,
    /// Voters that have accepted the start.
    pub(super) accepted: Set,
}

/// What the document says of one attempt; it only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outcome {
    /// Hosts that signed `failed` or `released`: the next attempt may be claimed.
    pub(super) given_back: Set,
    /// Hosts that signed `finished`.
    pub(super) finished: Set,
}

/// How a print really ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    Good,
    Bad,
}

/// What really happened, which no host can see; only the laws read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Truth {
    /// How often each machine began to print.
    pub(super) begun: [[u8; HOSTS]; ATTEMPTS],
    pub(super) ended: [[Option<Ended>; HOSTS]; ATTEMPTS],
    /// Hosts that withdrew the copy.
    pub(super) withdrawn: [Set; ATTEMPTS],
    /// Hosts whose attempt was already lost when they began to confirm it.
    pub(super) late: Set,
    /// One of those went on to print.
    pub(super) heated_late: bool,
}

/// The farm: one copy, and an attempt chain for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(super) voters: [Voter; HOSTS],
    pub(super) claimants: [Claimant; HOSTS],
    sent: [[Sent; BALLOTS]; ATTEMPTS],
    pub(super) outcomes: [Outcome; ATTEMPTS],
    /// Attempts that a majority of the voters has signed off as lost.
    pub(super) lost: Set,
    /// Hosts that withdrew in the document only (`Bug::WithdrawInDocument`).
    pub(super) doc_withdrawn: Set,
    pub(super) truth: Truth,
    pub(super) crashes: u8,
}

impl State {
    pub(super) fn first() -> Self {
        let claimant = Claimant {
            round: 0,
            phase: Phase::Idle,
            journal: Journal::Empty,
            confirmed: Set::default(),
            machine: None,
        };
        Self {
            voters: Default::default(),
            claimants: [claimant; HOSTS],
            sent: Default::default(),
            outcomes: Default::default(),
            lost: Set::default(),
            doc_withdrawn: Set::default(),
            truth: Truth::default(),
            crashes: 0,
        }
    }

    pub(super) fn sent(&self, attempt: Attempt, ballot: Ballot) -> &Sent {
        &self.sent[attempt][ballot.index()]
    }

    pub(super) fn sent_mut(&mut self, attempt: Attempt, ballot: Ballot) -> &mut Sent {
        &mut self.sent[attempt][ballot.index()]
    }

    /// Whose value a ballot carries, and for what.
    pub(super) fn value(&self, attempt: Attempt, ballot: Ballot) -> (Host, Option<Purpose>) {
        (ballot.host(), self.sent(attempt, ballot).purpose)
    }

    /// Whether the next attempt may be claimed.
    pub(super) fn is_closed(&self, attempt: Attempt) -> bool {
        !self.outcomes[attempt].given_back.is_empty() || self.lost.contains(attempt)
    }

    /// Ballots that a majority has accepted.
    pub(super) fn chosen(&self, attempt: Attempt) -> impl Iterator<Item = Ballot> {
        Ballot::all().filter(move |ballot| self.sent(attempt, *ballot).accepted.len() >= MAJORITY)
    }

    pub(super) fn has_begun(&self, attempt: Attempt) -> bool {
        self.truth.begun[attempt].iter().any(|times| *times > 0)
    }

    /// Prints that came out good, of all attempts together.
    pub(super) fn good_prints(&self) -> usize {
        let ended = self.truth.ended.iter().flatten();
        ended.filter(|end| **end == Some(Ended::Good)).count()
    }
}
