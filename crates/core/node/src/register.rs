//! The register that decides who may start: single-decree, one per (copy, attempt), held by the queue's voters.
//!
//! Claiming is its first phase, starting its second (CLAIMS.md). Both halves here are pure: a voter's memory must
//! be durable before its answer leaves, which `node.rs` sees to by committing a step's writes before its effects.
//! Works for one, three or five voters; no clock decides anything here but politeness.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{Ballot, CopyId, HostId, Voters};
use serde::{Deserialize, Serialize};

/// What a register can hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// This printer makes the copy.
    Print {
        /// Host of the printer.
        host: HostId,
        /// The printer.
        printer: String,
        /// What is bound: `Job::spec_hash`.
        spec_hash: [u8; 32],
    },
    /// The copy is taken out of the queue: cancelled, or moved elsewhere.
    Withdraw {
        /// Host that takes it out.
        by: HostId,
    },
}

/// What a voter remembers of one register; durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Highest ballot promised.
    pub promised: Option<Ballot>,
    /// Value accepted last, with its ballot.
    pub accepted: Option<(Ballot, Value)>,
    /// It gave the attempt up: its holder was silent for too long. Never taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

/// Why a voter refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nack {
    /// Another claim is alive; its lease runs for so many milliseconds more unless its holder speaks.
    Leased {
        /// Milliseconds.
        for_ms: u64,
    },
    /// A higher ballot was promised.
    Promised(Ballot),
    /// Another value was accepted.
    Accepted(Value),
    /// The attempt before this one is not closed, or this one is.
    Closed,
    /// The voter knows another voter configuration.
    StaleConfig {
        /// The one that it knows.
        cfg: u32,
    },
    /// The asking host may not do that.
    NotAllowed,
    /// The voter does not know the job yet.
    Unknown,
    /// The voter gave the attempt up: its holder was silent for too long.
    Lost,
    /// The voter has just started and asks what it had said before.
    Waking,
    /// It is about a place to heat, which is at another turn, or is taken.
    Place {
        /// The turn that may be asked for, or that is taken.
        next: u32,
        /// It is taken.
        held: bool,
    },
    /// The asking host asks about more copies than a member may.
    TooFast,
}

impl Vote {
    /// Answers the first phase. `leased_ms` is what is left of another proposer's politeness lease.
    ///
    /// # Errors
    /// Why the voter refuses; nothing changed then.
    pub fn prepare(&mut self, ballot: &Ballot, value: &Value, leased_ms: u64) -> Result<(), Nack> {
        self.check(ballot, value)?;
        let holder = self
            .promised
            .as_ref()
            .is_none_or(|promised| promised.proposer() == ballot.proposer());
        if !holder && leased_ms > 0 && matches!(value, Value::Print { .. }) {
            return Err(Nack::Leased { for_ms: leased_ms });
        }
        if self
            .promised
            .as_ref()
            .is_some_and(|promised| promised >= ballot)
        {
            return match &self.promised {
                Some(same) if same == ballot => Ok(()),
                Some(higher) => Err(Nack::Promised(higher.clone())),
                None => Ok(()),
            };
        }
        self.promised = Some(ballot.clone());
        Ok(())
    }

    /// Answers the second phase; saying it twice is harmless.
    ///
    /// # Errors
    /// Why the voter refuses; nothing changed then.
    pub fn accept(&mut self, ballot: &Ballot, value: &Value) -> Result<(), Nack> {
        self.check(ballot, value)?;
        if let Some(promised) = self.promised.as_ref().filter(|promised| *promised > ballot) {
            return Err(Nack::Promised(promised.clone()));
        }
        self.promised = Some(ballot.clone());
        self.accepted = Some((ballot.clone(), value.clone()));
        Ok(())
    }

    /// Forgets a promise that its proposer gave back.
    pub fn abort(&mut self, ballot: &Ballot) -> bool {
        let mine = self.accepted.is_none() && self.promised.as_ref() == Some(ballot);
        if mine {
            // The number stays promised, so that the aborted ballot can never be accepted later.
            self.promised = Some(Ballot {
                n: ballot.n + 1,
                host: HostId([0; 32]),
                printer: String::new(),
            });
        }
        mine
    }

    /// A foreign value that was accepted is never overwritten: its proposer is the only one who may go on.
    fn check(&self, ballot: &Ballot, value: &Value) -> Result<(), Nack> {
        if self.lost {
            return Err(Nack::Lost);
        }
        match &self.accepted {
            Some((_, other)) if !same_owner(other, value) => Err(Nack::Accepted(other.clone())),
            Some((by, other)) if by == ballot && other != value => {
                Err(Nack::Accepted(other.clone()))
            }
            _ => Ok(()),
        }
    }
}

fn same_owner(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (
            Value::Print {
                host: a,
                printer: p,
                ..
            },
            Value::Print {
                host: b,
                printer: q,
                ..
            },
        ) => a == b && p == q,
        (Value::Withdraw { by: a }, Value::Withdraw { by: b }) => a == b,
        _ => false,
    }
}

/// Who asks: a host's printer, or the host itself (empty printer).
trait Proposer {
    fn proposer(&self) -> (HostId, &str);
}

impl Proposer for Ballot {
    fn proposer(&self) -> (HostId, &str) {
        (self.host, &self.printer)
    }
}

/// The proposer's half: one ballot, through both phases.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) ballot: Ballot,
    pub(crate) cfg: u32,
    pub(crate) units: Vec<(CopyId, u32)>,
    pub(crate) value: Value,
    pub(crate) voters: Voters,
    pub(crate) phase: Phase,
    /// Voters that said yes in this phase.
    yes: BTreeSet<HostId>,
    /// Voters that said no in this phase, with what stood in the way.
    no: BTreeMap<HostId, (CopyId, u32, Nack)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Preparing,
    Accepting,
}

/// What a voter's answer decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not yet.
    Open,
    /// A majority said yes.
    Yes,
    /// A majority cannot be reached any more; the reason that counts most.
    No(CopyId, u32, Nack),
}

impl Round {
    pub(crate) fn new(
        ballot: Ballot,
        units: Vec<(CopyId, u32)>,
        value: Value,
        voters: Voters,
        phase: Phase,
    ) -> Self {
        Self {
            ballot,
            cfg: voters.cfg,
            units,
            value,
            voters,
            phase,
            yes: BTreeSet::new(),
            no: BTreeMap::new(),
        }
    }

    /// Goes on to the second phase.
    pub(crate) fn accepting(&mut self) {
        self.phase = Phase::Accepting;
        self.yes.clear();
        self.no.clear();
    }

    /// Whether a host is one of those that were asked: nobody else's answer says anything.
    pub(crate) fn asks(&self, host: HostId) -> bool {
        self.voters.hosts.contains(&host)
    }

    /// Counts a yes.
    pub(crate) fn yes(&mut self, voter: HostId, phase: Phase) -> Verdict {
        if phase != self.phase || !self.voters.hosts.contains(&voter) {
            return Verdict::Open;
        }
        let before = self.yes.len();
        self.yes.insert(voter);
        self.no.remove(&voter);
        let decided = self.yes.len() == self.voters.majority() && before < self.yes.len();
        if decided { Verdict::Yes } else { Verdict::Open }
    }

    /// Whether a voter said yes in this phase.
    pub(crate) fn has_promise(&self) -> bool {
        !self.yes.is_empty()
    }

    /// Whether a majority may still say yes when only some voters can be reached.
    pub(crate) fn may_succeed(&self, is_here: impl Fn(&HostId) -> bool) -> bool {
        let may = |host: &&HostId| {
            self.yes.contains(host) || is_here(host) && !self.no.contains_key(host)
        };
        self.voters.hosts.iter().filter(may).count() >= self.voters.majority()
    }

    /// Counts a no.
    pub(crate) fn no(
        &mut self,
        voter: HostId,
        phase: Phase,
        unit: (CopyId, u32),
        nack: Nack,
    ) -> Verdict {
        let counts = phase == self.phase && self.voters.hosts.contains(&voter);
        if !counts || self.yes.contains(&voter) {
            return Verdict::Open;
        }
        self.no.insert(voter, (unit.0, unit.1, nack));
        if self.voters.hosts.len() - self.no.len() >= self.voters.majority() {
            return Verdict::Open;
        }
        // Who does not know the job has not refused for good, and may have said yes when it is asked: that counts most.
        let unknown = self.no.values().find(|(_, _, nack)| *nack == Nack::Unknown);
        let first = unknown.or_else(|| self.no.values().next());
        let (copy, attempt, nack) = first.expect("just inserted").clone();
        Verdict::No(copy, attempt, nack)
    }
}

#[cfg(test)]
mod tests {
    use printmesh_queue::JobId;

    use super::*;

    fn ballot(n: u64, host: u8) -> Ballot {
        Ballot {
            n,
            host: HostId([host; 32]),
            printer: "p".into(),
        }
    }

    fn print(host: u8) -> Value {
        Value::Print {
            host: HostId([host; 32]),
            printer: "p".into(),
            spec_hash: [0; 32],
        }
    }

    fn withdraw(host: u8) -> Value {
        Value::Withdraw {
            by: HostId([host; 32]),
        }
    }

    #[test]
    fn a_copy_that_one_printer_may_start_is_never_given_to_another() {
        let mut vote = Vote::default();
        vote.prepare(&ballot(1, 1), &print(1), 0).unwrap();
        vote.accept(&ballot(1, 1), &print(1)).unwrap();
        assert_eq!(
            vote.prepare(&ballot(9, 2), &print(2), 0),
            Err(Nack::Accepted(print(1)))
        );
        assert_eq!(
            vote.accept(&ballot(9, 2), &print(2)),
            Err(Nack::Accepted(print(1)))
        );
        assert_eq!(
            vote.prepare(&ballot(9, 2), &withdraw(2), 0),
            Err(Nack::Accepted(print(1)))
        );
        // Its own printer may ask again, after a crash, and gets the same answer.
        vote.accept(&ballot(1, 1), &print(1)).unwrap();
        vote.prepare(&ballot(12, 1), &print(1), 0).unwrap();
    }

    #[test]
    fn an_attempt_that_was_given_up_is_given_to_nobody_and_not_taken_out() {
        let mut vote = Vote::default();
        vote.prepare(&ballot(1, 1), &print(1), 0).unwrap();
        vote.lost = true;
        assert_eq!(vote.accept(&ballot(1, 1), &print(1)), Err(Nack::Lost));
        assert_eq!(vote.prepare(&ballot(2, 2), &print(2), 0), Err(Nack::Lost));
        let taken_out = vote.prepare(&ballot(3, 2), &withdraw(2), 0);
        assert_eq!(taken_out, Err(Nack::Lost));
        assert_eq!(vote.accepted, None);
    }

    #[test]
    fn a_running_lease_is_respected_by_printers_and_not_by_a_person_who_cancels() {
        let mut vote = Vote::default();
        vote.prepare(&ballot(1, 1), &print(1), 0).unwrap();
        let asked = vote.prepare(&ballot(2, 2), &print(2), 1000);
        assert_eq!(asked, Err(Nack::Leased { for_ms: 1000 }));
        vote.prepare(&ballot(3, 2), &withdraw(2), 1000).unwrap();
        // The printer that was claiming cannot start any more.
        assert_eq!(
            vote.accept(&ballot(1, 1), &print(1)),
            Err(Nack::Promised(ballot(3, 2)))
        );
    }

    #[test]
    fn a_claim_that_was_given_back_cannot_start_and_the_copy_is_free() {
        let mut vote = Vote::default();
        vote.prepare(&ballot(1, 1), &print(1), 0).unwrap();
        assert!(vote.abort(&ballot(1, 1)));
        assert!(vote.accept(&ballot(1, 1), &print(1)).is_err());
        vote.prepare(&ballot(3, 2), &print(2), 0).unwrap();
    }

    #[test]
    fn of_three_voters_two_decide_and_two_refusals_end_it() {
        let voters = Voters {
            cfg: 1,
            hosts: (1..=3).map(|n| HostId([n; 32])).collect(),
        };
        let unit = (
            CopyId {
                job: JobId([0; 16]),
                index: 0,
            },
            0,
        );
        let round = Round::new(ballot(1, 1), vec![unit], print(1), voters, Phase::Preparing);
        let host = |n| HostId([n; 32]);
        let mut yes = round.clone();
        assert_eq!(yes.yes(host(1), Phase::Preparing), Verdict::Open);
        assert_eq!(
            yes.yes(host(9), Phase::Preparing),
            Verdict::Open,
            "a stranger does not count"
        );
        assert_eq!(
            yes.yes(host(1), Phase::Preparing),
            Verdict::Open,
            "nobody counts twice"
        );
        assert_eq!(
            yes.yes(host(2), Phase::Accepting),
            Verdict::Open,
            "nor an answer to another question"
        );
        assert_eq!(yes.yes(host(2), Phase::Preparing), Verdict::Yes);
        assert_eq!(
            yes.yes(host(3), Phase::Preparing),
            Verdict::Open,
            "decided once"
        );
        let mut no = round;
        let phase = Phase::Preparing;
        assert_eq!(no.no(host(1), phase, unit, Nack::Closed), Verdict::Open);
        assert_eq!(
            no.no(host(3), Phase::Accepting, unit, Nack::Closed),
            Verdict::Open,
            "a refusal of another question"
        );
        assert_eq!(
            no.no(host(3), phase, unit, Nack::Closed),
            Verdict::No(unit.0, 0, Nack::Closed)
        );
    }
}
