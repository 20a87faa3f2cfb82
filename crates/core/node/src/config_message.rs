//! What hosts say to one another to change the voters of a queue. Everything here is checked again by who receives it.

use printmesh_queue::{Ballot, CopyId, HostId, QueueId, Seal, Voters};
use serde::{Deserialize, Serialize};

use crate::{
    config::ConfigNack,
    register::{Value, Vote},
};

/// Names a question about the voters that follow a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigAsk {
    /// The queue.
    pub queue: QueueId,
    /// The configuration whose voters are asked.
    pub cfg: u32,
    /// The ballot.
    pub ballot: Ballot,
}

/// What a voter holds of a copy's register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Copy and attempt.
    pub unit: (CopyId, u32),
    /// Highest ballot promised.
    pub promised: Option<Ballot>,
    /// Value accepted last, with its ballot.
    pub accepted: Option<(Ballot, Value)>,
    /// It gave the attempt up.
    pub lost: bool,
}

impl Held {
    pub(crate) fn new(unit: (CopyId, u32), vote: &Vote) -> Self {
        Self {
            unit,
            promised: vote.promised.clone(),
            accepted: vote.accepted.clone(),
            lost: vote.lost,
        }
    }

    /// Adds what another voter held: the higher ballots, and a write-off is never taken back.
    ///
    /// An accepted value is only ever followed by the same proposer's, unless that proposer had no majority: so the
    /// value with the highest ballot is the one that may have been decided.
    pub(crate) fn merge_into(&self, vote: &mut Vote) {
        vote.promised = vote.promised.take().max(self.promised.clone());
        let ballot = |accepted: &Option<(Ballot, Value)>| accepted.as_ref().map(|(b, _)| b.clone());
        if ballot(&self.accepted) > ballot(&vote.accepted) {
            vote.accepted.clone_from(&self.accepted);
        }
        vote.lost |= self.lost;
    }
}

/// A message about the voters of a queue. New kinds are added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigMessage {
    /// You are to be a voter: are you there, and do you know the voters before?
    Call {
        /// The queue.
        queue: QueueId,
        /// The configuration to come.
        cfg: u32,
    },
    /// It is.
    Ready {
        /// The queue.
        queue: QueueId,
        /// The configuration to come.
        cfg: u32,
    },
    /// Who follows, first phase: asks a voter.
    Prepare(ConfigAsk),
    /// It promised.
    Promised {
        /// What was asked.
        ask: ConfigAsk,
        /// The list that it accepted last.
        accepted: Option<(Ballot, Vec<HostId>)>,
    },
    /// Second phase.
    Accept {
        /// What is asked.
        ask: ConfigAsk,
        /// The voters that follow.
        hosts: Vec<HostId>,
    },
    /// It accepted.
    Accepted(ConfigAsk),
    /// It did not.
    Refused {
        /// What was asked.
        ask: ConfigAsk,
        /// Why.
        why: ConfigNack,
    },
    /// These follow: seal your configuration for ever, and say what you hold after this unit.
    Seal {
        /// The queue.
        queue: QueueId,
        /// The voters that follow.
        next: Voters,
        /// Where the last page ended.
        after: Option<(CopyId, u32)>,
    },
    /// Sealed; one page of what it holds.
    Sealed {
        /// The queue.
        queue: QueueId,
        /// The voters that follow.
        next: Voters,
        /// Its word, for everybody to check.
        seal: Seal,
        /// Which page was asked for.
        after: Option<(CopyId, u32)>,
        /// One page, in order.
        page: Vec<Held>,
        /// Nothing follows.
        last: bool,
    },
    /// You are a voter: take in what those before you held.
    Install {
        /// The queue.
        queue: QueueId,
        /// The new voters.
        voters: Voters,
        /// The word of those before.
        seals: Vec<Seal>,
        /// Where the page before this one ended.
        after: Option<(CopyId, u32)>,
        /// One page, in order.
        page: Vec<Held>,
        /// Nothing follows.
        last: bool,
    },
    /// The page is durable: the next one, please. Also asked of any other voter by one that was away.
    Want {
        /// The queue.
        queue: QueueId,
        /// The configuration to be installed.
        cfg: u32,
        /// Where the last page ended.
        after: Option<(CopyId, u32)>,
    },
    /// All of it is durable: it serves this configuration from now on.
    Installed {
        /// The queue.
        queue: QueueId,
        /// The configuration.
        cfg: u32,
    },
    /// This voter knows less of the configuration than it told: it does not count in it any more.
    Forgot {
        /// The queue.
        queue: QueueId,
        /// The configuration.
        cfg: u32,
    },
}
