//! What a step does. The answer `None` means: it changes nothing, so there is no such step.

use super::{
    Bug, Majority,
    action::Action,
    state::{
        Attempt, Ballot, Ended, HOSTS, Host, Journal, MAJORITY, Phase, Promise, Purpose, State,
        Vote,
    },
};
use crate::set::Set;

impl Majority {
    pub(super) fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Claim(host, attempt, purpose) => {
                let ballot = Ballot::new(state.claimants[host].round, host);
                state.claimants[host].round += 1;
                state.sent_mut(attempt.into(), ballot).purpose = Some(purpose);
                state.claimants[host].phase = Phase::Claiming(attempt, ballot);
            }
            Action::GiveUp(host) => {
                forget_promises(state, host);
                // The journal may keep a start: it is never heated by it.
                state.claimants[host].phase = Phase::Idle;
            }
            Action::Promise {
                voter,
                attempt,
                ballot,
            } => {
                self.promise(state, voter, attempt.into(), ballot)?;
            }
            Action::Start(host) => self.start(state, host)?,
            Action::Accept {
                voter,
                attempt,
                ballot,
            } => {
                self.accept(state, voter, attempt.into(), ballot)?;
            }
            Action::Decided(host) => self.decided(state, host)?,
            Action::WithdrawInDocument(host, attempt) => {
                state.doc_withdrawn.insert(host);
                state.truth.withdrawn[usize::from(attempt)].insert(host);
                state.claimants[host].phase = Phase::Withdrawn;
            }
            Action::BeginConfirm(host) => {
                let Phase::Started(attempt) = state.claimants[host].phase else {
                    return None;
                };
                state.claimants[host].phase = Phase::Confirming(attempt);
                state.claimants[host].confirmed = Set::default();
                note_whether_late(state, host, attempt.into());
            }
            Action::Confirm { host, voter } => {
                let Phase::Confirming(attempt) = state.claimants[host].phase else {
                    return None;
                };
                let confirmed = &mut state.claimants[host].confirmed;
                if state.voters[voter].lost.contains(attempt.into()) || confirmed.contains(voter) {
                    return None;
                }
                confirmed.insert(voter);
            }
            Action::Intend(host) => self.intend(state, host)?,
            Action::Heat(host) => heat(state, host)?,
            Action::End(host, end) => {
                let attempt = state.claimants[host].machine.take()?;
                state.truth.ended[usize::from(attempt)][host] = Some(end);
            }
            Action::Publish(host) => publish(state, host)?,
            Action::GiveBack(host) => {
                let phase = state.claimants[host].phase;
                let (Phase::Started(attempt) | Phase::Confirming(attempt)) = phase else {
                    return None;
                };
                give_back(state, host, attempt);
            }
            Action::GiveBackUnproven(host) => {
                let Phase::Starting(attempt, _) = state.claimants[host].phase else {
                    return None;
                };
                give_back(state, host, attempt);
            }
            Action::SignLost(voter, attempt) => {
                let attempt = Attempt::from(attempt);
                state.voters[voter].lost.insert(attempt);
                let signed = state
                    .voters
                    .iter()
                    .filter(|voter| voter.lost.contains(attempt));
                if signed.count() >= MAJORITY {
                    state.lost.insert(attempt);
                }
            }
            Action::Crash(host) => self.crash(state, host),
        }
        Some(())
    }

    /// A voter's politeness lease, which refuses others for a while, only removes behaviour: it is not modelled.
    fn promise(
        &self,
        state: &mut State,
        voter: Host,
        attempt: Attempt,
        ballot: Ballot,
    ) -> Option<()> {
        let seals = !self.has(Bug::LostWithoutSeal);
        let remembered = &mut state.voters[voter];
        let is_sealed = seals && remembered.lost.contains(attempt);
        let vote = &mut remembered.votes[attempt];
        if is_sealed || vote.promised >= Some(ballot) {
            return None;
        }
        vote.promised = Some(ballot);
        let answer = vote.accepted.map_or(Promise::Free, Promise::Accepted);
        state.sent_mut(attempt, ballot).promises[voter] = Some(answer);
        Some(())
    }

    fn start(&self, state: &mut State, host: Host) -> Option<()> {
        let Phase::Claiming(attempt, ballot) = state.claimants[host].phase else {
            return None;
        };
        let number = Attempt::from(attempt);
        let mine = state.value(number, ballot);
        // A foreign value that was accepted is not adopted, as Paxos would: the claimant does not go on.
        let counts = |promise: &&Promise| match promise {
            Promise::Free => true,
            Promise::Accepted(other) => {
                self.has(Bug::IgnoreForeign) || state.value(number, *other) == mine
            }
        };
        let promises = state.sent(number, ballot).promises.iter().flatten();
        if promises.filter(counts).count() < MAJORITY {
            return None;
        }
        forget_promises(state, host);
        let claimant = &mut state.claimants[host];
        if self.has(Bug::LeaseIsStart) && mine.1 == Some(Purpose::Print) {
            claimant.phase = Phase::Started(attempt);
            claimant.journal = Journal::Started(attempt);
        } else {
            claimant.phase = Phase::Starting(attempt, ballot);
            claimant.journal = Journal::Starting(attempt, ballot);
            state.sent_mut(number, ballot).start = true;
        }
        Some(())
    }

    fn accept(
        &self,
        state: &mut State,
        voter: Host,
        attempt: Attempt,
        ballot: Ballot,
    ) -> Option<()> {
        let seals = !self.has(Bug::LostWithoutSeal);
        let remembered = &state.voters[voter];
        let is_sealed = seals && remembered.lost.contains(attempt);
        let is_late = remembered.votes[attempt].promised > Some(ballot);
        if is_sealed || is_late || state.sent(attempt, ballot).accepted.contains(voter) {
            return None;
        }
        state.voters[voter].votes[attempt] = Vote {
            promised: Some(ballot),
            accepted: Some(ballot),
        };
        state.sent_mut(attempt, ballot).accepted.insert(voter);
        Some(())
    }

    fn decided(&self, state: &mut State, host: Host) -> Option<()> {
        let Phase::Starting(attempt, ballot) = state.claimants[host].phase else {
            return None;
        };
        let number = Attempt::from(attempt);
        let sent = *state.sent(number, ballot);
        if sent.accepted.len() < MAJORITY {
            return None;
        }
        let claimant = &mut state.claimants[host];
        if sent.purpose == Some(Purpose::Withdraw) {
            claimant.phase = Phase::Withdrawn;
            claimant.journal = Journal::Closed;
            state.truth.withdrawn[number].insert(host);
        } else {
            claimant.phase = Phase::Started(attempt);
            claimant.journal = Journal::Started(attempt);
            if !self.gate {
                note_whether_late(state, host, number);
            }
        }
        Some(())
    }

    fn intend(&self, state: &mut State, host: Host) -> Option<()> {
        let claimant = &mut state.claimants[host];
        let (Phase::Started(attempt) | Phase::Confirming(attempt)) = claimant.phase else {
            return None;
        };
        if self.gate {
            if claimant.confirmed.len() < MAJORITY {
                return None;
            }
            claimant.confirmed = Set::default();
        }
        claimant.phase = Phase::Intent(attempt);
        if !self.has(Bug::NoIntent) {
            claimant.journal = Journal::Intent(attempt);
        }
        if state.truth.late.contains(host) {
            state.truth.heated_late = true;
        }
        Some(())
    }

    fn crash(&self, state: &mut State, host: Host) {
        state.crashes += 1;
        forget_promises(state, host);
        let claimant = &mut state.claimants[host];
        claimant.confirmed = Set::default();
        if self.has(Bug::VolatileVoters) {
            state.voters[host].votes = Default::default();
        }
        if self.has(Bug::VolatileBallot) {
            claimant.round = 0;
        }
        claimant.phase = match claimant.journal {
            Journal::Empty | Journal::Closed => match claimant.phase {
                Phase::Withdrawn => Phase::Withdrawn,
                Phase::Idle
                | Phase::Claiming(..)
                | Phase::Starting(..)
                | Phase::Started(_)
                | Phase::Confirming(_)
                | Phase::Intent(_)
                | Phase::Printing(_)
                | Phase::Unknown(_) => Phase::Idle,
            },
            Journal::Starting(attempt, ballot) => Phase::Starting(attempt, ballot),
            Journal::Started(attempt) => Phase::Started(attempt),
            Journal::Intent(attempt) => Phase::Unknown(attempt),
        };
    }
}

/// Answers that were counted, or that nobody waits for any more, are dropped: fewer states, no other behaviour.
fn forget_promises(state: &mut State, host: Host) {
    if let Phase::Claiming(attempt, ballot) = state.claimants[host].phase {
        state.sent_mut(attempt.into(), ballot).promises = [None; HOSTS];
    }
}

fn note_whether_late(state: &mut State, host: Host, attempt: Attempt) {
    let is_late = state.lost.contains(attempt);
    state.truth.late.set(host, is_late);
}

fn heat(state: &mut State, host: Host) -> Option<()> {
    let claimant = &mut state.claimants[host];
    let Phase::Intent(attempt) = claimant.phase else {
        return None;
    };
    if claimant.machine.is_some() {
        return None;
    }
    claimant.machine = Some(attempt);
    claimant.phase = Phase::Printing(attempt);
    state.truth.begun[usize::from(attempt)][host] += 1;
    state.truth.ended[usize::from(attempt)][host] = None;
    Some(())
}

fn publish(state: &mut State, host: Host) -> Option<()> {
    let claimant = &mut state.claimants[host];
    let (Phase::Printing(attempt) | Phase::Unknown(attempt)) = claimant.phase else {
        return None;
    };
    // Asked, the machine says that it still prints.
    if claimant.machine.is_some() {
        return None;
    }
    claimant.journal = Journal::Closed;
    claimant.phase = Phase::Idle;
    let attempt = Attempt::from(attempt);
    let outcome = &mut state.outcomes[attempt];
    match state.truth.ended[attempt][host] {
        Some(Ended::Good) => outcome.finished.insert(host),
        // It never began, or it went wrong.
        Some(Ended::Bad) | None => outcome.given_back.insert(host),
    }
    Some(())
}

fn give_back(state: &mut State, host: Host, attempt: u8) {
    let claimant = &mut state.claimants[host];
    claimant.confirmed = Set::default();
    claimant.journal = Journal::Closed;
    claimant.phase = Phase::Idle;
    state.outcomes[usize::from(attempt)].given_back.insert(host);
}
