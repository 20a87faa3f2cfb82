//! What may happen next. Some of it changes nothing and is sorted out by `step.rs`.

use super::{
    Bug, Majority,
    state::{Attempt, Ballot, Ended, HOSTS, Host, Phase, Purpose, State},
};

/// One step of one host, or one message that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A claim is sent to the voters.
    Claim(Host, u8, Purpose),
    /// A voter answers a claim.
    Promise {
        voter: Host,
        attempt: u8,
        ballot: Ballot,
    },
    /// With a majority of promises the start is sent.
    Start(Host),
    /// A voter accepts a start.
    Accept {
        voter: Host,
        attempt: u8,
        ballot: Ballot,
    },
    /// A host sees that a majority has accepted.
    Decided(Host),
    /// A host abandons its ballot.
    GiveUp(Host),
    BeginConfirm(Host),
    /// A voter says that it has not signed the attempt off.
    Confirm {
        host: Host,
        voter: Host,
    },
    /// The intent to print is made durable.
    Intend(Host),
    /// The machine is told to print.
    Heat(Host),
    /// The machine ends.
    End(Host, Ended),
    /// The outcome is published.
    Publish(Host),
    /// A start that was decided is given back unused.
    GiveBack(Host),
    /// `Bug::CloseUnproven`: a start that was not decided is published as given back.
    GiveBackUnproven(Host),
    /// `Bug::WithdrawInDocument`: the copy is withdrawn by a change of the document.
    WithdrawInDocument(Host, u8),
    /// A voter signs an attempt off after a long silence.
    SignLost(Host, u8),
    /// A host loses what is not on its disk, and comes back.
    Crash(Host),
}

impl Majority {
    fn every_attempt(&self) -> impl Iterator<Item = u8> + use<> {
        0..u8::try_from(self.attempts).expect("attempts are few")
    }

    pub(super) fn possible(&self, state: &State, out: &mut Vec<Action>) {
        for host in 0..HOSTS {
            self.possible_as_claimant(state, host, out);
            if state.claimants[host].machine.is_some() {
                out.push(Action::End(host, Ended::Good));
                out.push(Action::End(host, Ended::Bad));
            }
            if state.crashes < self.crashes {
                out.push(Action::Crash(host));
            }
            self.possible_as_voter(state, host, out);
        }
    }

    fn possible_as_claimant(&self, state: &State, host: Host, out: &mut Vec<Action>) {
        let claimant = &state.claimants[host];
        // Leaving the last ballot gains nothing, so it is not explored.
        let has_ballots = claimant.round < self.ballots;
        match claimant.phase {
            Phase::Idle => {
                for attempt in self.every_attempt() {
                    self.possible_claims(state, host, attempt, out);
                }
            }
            Phase::Claiming(..) => {
                out.push(Action::Start(host));
                if has_ballots {
                    out.push(Action::GiveUp(host));
                }
            }
            Phase::Starting(attempt, ballot) => {
                out.push(Action::Decided(host));
                if has_ballots {
                    out.push(Action::GiveUp(host));
                }
                let print = state.sent(attempt.into(), ballot).purpose == Some(Purpose::Print);
                if self.has(Bug::CloseUnproven) && print {
                    out.push(Action::GiveBackUnproven(host));
                }
            }
            Phase::Started(_) => {
                let next = if self.gate {
                    Action::BeginConfirm
                } else {
                    Action::Intend
                };
                out.push(next(host));
                out.push(Action::GiveBack(host));
            }
            Phase::Confirming(_) => {
                out.extend((0..HOSTS).map(|voter| Action::Confirm { host, voter }));
                out.push(Action::Intend(host));
                if !state.lost.is_empty() {
                    out.push(Action::GiveBack(host));
                }
            }
            Phase::Intent(_) => out.push(Action::Heat(host)),
            Phase::Printing(_) | Phase::Unknown(_) => out.push(Action::Publish(host)),
            Phase::Withdrawn => {}
        }
    }

    fn possible_claims(&self, state: &State, host: Host, attempt: u8, out: &mut Vec<Action>) {
        let number = Attempt::from(attempt);
        let reachable = number
            .checked_sub(1)
            .is_none_or(|before| state.is_closed(before));
        // A host that published an outcome never proposes for that attempt again, although the first phase would
        // show "its own" accepted value and let it through. Found by this model.
        let outcome = &state.outcomes[number];
        let is_own = outcome.given_back.union(outcome.finished).contains(host);
        if !reachable || host >= self.claimants || is_own && !self.has(Bug::ReclaimClosed) {
            return;
        }
        let in_document = self.has(Bug::WithdrawInDocument);
        let withdrawn = in_document && !state.doc_withdrawn.is_empty();
        let claimant = &state.claimants[host];
        if claimant.round < self.ballots {
            if claimant.machine.is_none() && !withdrawn {
                out.push(Action::Claim(host, attempt, Purpose::Print));
            }
            if self.withdrawals && !in_document {
                out.push(Action::Claim(host, attempt, Purpose::Withdraw));
            }
        }
        // Decided by what this host's document says: nobody has visibly started.
        if self.withdrawals && in_document && !withdrawn {
            out.push(Action::WithdrawInDocument(host, attempt));
        }
    }

    fn possible_as_voter(&self, state: &State, voter: Host, out: &mut Vec<Action>) {
        for attempt in self.every_attempt() {
            let number = Attempt::from(attempt);
            let mut votes = state.voters.iter().map(|voter| voter.votes[number]);
            let has_signed = state.voters[voter].lost.contains(number);
            if self.write_offs && !has_signed && votes.any(|vote| vote.accepted.is_some()) {
                out.push(Action::SignLost(voter, attempt));
            }
            for ballot in Ballot::all() {
                // A promise to a proposer that left its ballot only ever refuses others, so it is not explored.
                if state.claimants[ballot.host()].phase == Phase::Claiming(attempt, ballot) {
                    out.push(Action::Promise {
                        voter,
                        attempt,
                        ballot,
                    });
                }
                if state.sent(number, ballot).start {
                    out.push(Action::Accept {
                        voter,
                        attempt,
                        ballot,
                    });
                }
            }
        }
    }
}
