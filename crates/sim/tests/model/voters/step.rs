//! What a step does. The answer `None` means: it changes nothing, so there is no such step.

use super::{
    Bug, Change,
    action::Action,
    state::{Config, Confirm, HOSTS, Ledger, Promise, State, Vote},
};
use crate::set::Set;

impl Change {
    pub(super) fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Promise {
                voter,
                attempt,
                ballot,
            } => self.promise(state, voter, attempt, ballot),
            Action::Start { attempt, ballot } => self.start(state, attempt, ballot),
            Action::Accept {
                voter,
                attempt,
                ballot,
            } => self.accept(state, voter, attempt, ballot),
            Action::BeginConfirm {
                printer,
                attempt,
                certificate,
                asks,
            } => {
                let running = state.confirms[printer].as_ref();
                // The same question again, or one to voters that are gone, would add nothing.
                let is_known = |confirm: &Confirm| {
                    usize::from(confirm.attempt) == attempt && confirm.config >= asks
                };
                if running.is_some_and(is_known) {
                    return None;
                }
                state.confirms[printer] = Some(Confirm {
                    attempt: u8::try_from(attempt).expect("attempts are few"),
                    config: asks,
                    certificate,
                    yes: Set::default(),
                    is_late: state.lost.contains(attempt),
                    is_void: state.is_recovered && certificate == Config::Old,
                });
                Some(())
            }
            Action::Confirm { printer, voter } => self.confirm(state, printer, voter),
            Action::Heat { printer } => self.heat(state, printer),
            Action::Finish { printer, attempt } => {
                state.prints[attempt].good.insert(printer);
                Some(())
            }
            Action::Fail { printer, attempt } => {
                state.prints[attempt].given_back.insert(printer);
                Some(())
            }
            Action::SignLost {
                voter,
                attempt,
                config,
            } => {
                let is_member = self.voters(config).contains(&voter);
                let signs_on = self.has(Bug::SealedSign) && config == Config::Old && is_member;
                if !signs_on && !self.serves(state, voter, config) {
                    return None;
                }
                state.voters[voter].ledgers[config.index()]
                    .lost
                    .insert(attempt);
                let has_signed = |voter: &&usize| {
                    state.voters[**voter].ledgers[config.index()]
                        .lost
                        .contains(attempt)
                };
                if self.voters(config).iter().filter(has_signed).count() >= self.majority(config) {
                    state.lost.insert(attempt);
                }
                Some(())
            }
            Action::Seal(voter) => {
                state.voters[voter].is_sealed = true;
                Some(())
            }
            Action::Install { voter, from } => {
                self.install(state, voter, from);
                Some(())
            }
            Action::Strike => {
                state.is_struck = true;
                Some(())
            }
            Action::Recover { known_closed } => {
                self.recover(state, known_closed);
                Some(())
            }
        }
    }

    fn promise(
        &self,
        state: &mut State,
        voter: usize,
        attempt: usize,
        ballot: usize,
    ) -> Option<()> {
        let config = self.ballots[ballot].config;
        let number = u8::try_from(ballot).expect("ballots are few");
        let serves = self.serves(state, voter, config);
        let ledger = &mut state.voters[voter].ledgers[config.index()];
        let vote = &mut ledger.votes[attempt];
        if !serves || ledger.lost.contains(attempt) || vote.promised >= Some(number) {
            return None;
        }
        vote.promised = Some(number);
        let answer = vote.accepted.map_or(Promise::Free, Promise::Accepted);
        state.sent[attempt][ballot].promises[voter] = Some(answer);
        Some(())
    }

    fn start(&self, state: &mut State, attempt: usize, ballot: usize) -> Option<()> {
        let mine = self.ballots[ballot];
        let counts = |promise: &&Promise| match promise {
            Promise::Free => true,
            Promise::Accepted(other) => self.ballots[usize::from(*other)].printer == mine.printer,
        };
        let sent = &mut state.sent[attempt][ballot];
        if sent.promises.iter().flatten().filter(counts).count() < self.majority(mine.config) {
            return None;
        }
        sent.start = true;
        sent.promises = [None; HOSTS];
        Some(())
    }

    fn accept(&self, state: &mut State, voter: usize, attempt: usize, ballot: usize) -> Option<()> {
        let config = self.ballots[ballot].config;
        let number = u8::try_from(ballot).expect("ballots are few");
        let serves = self.serves(state, voter, config);
        let ledger = &mut state.voters[voter].ledgers[config.index()];
        let vote = &mut ledger.votes[attempt];
        let sent = &mut state.sent[attempt][ballot];
        let refuses = !serves || ledger.lost.contains(attempt) || vote.promised > Some(number);
        if refuses || sent.accepted.contains(voter) {
            return None;
        }
        *vote = Vote {
            promised: Some(number),
            accepted: Some(number),
        };
        sent.accepted.insert(voter);
        Some(())
    }

    fn confirm(&self, state: &mut State, printer: usize, voter: usize) -> Option<()> {
        let confirm = state.confirms[printer]?;
        let is_stale = confirm.certificate == Config::Old && state.is_recovered;
        let is_void =
            is_stale && confirm.config == Config::New && !self.has(Bug::TrustOldCertificate);
        let answers = self.serves(state, voter, confirm.config)
            || self.has(Bug::SealedConfirm) && confirm.config == Config::Old;
        let ledger = &state.voters[voter].ledgers[confirm.config.index()];
        let is_lost = ledger.lost.contains(confirm.attempt.into());
        if is_void || !answers || is_lost || confirm.yes.contains(voter) {
            return None;
        }
        state.confirms[printer].as_mut()?.yes.insert(voter);
        Some(())
    }

    fn heat(&self, state: &mut State, printer: usize) -> Option<()> {
        let confirm = state.confirms[printer]?;
        if confirm.yes.len() < self.majority(confirm.config) {
            return None;
        }
        state.confirms[printer] = None;
        let prints = &mut state.prints[usize::from(confirm.attempt)];
        prints.begun[confirm.certificate.index()].insert(printer);
        state.heated_late |= confirm.is_late;
        state.heated_void |= confirm.is_void;
        Some(())
    }

    fn install(&self, state: &mut State, voter: usize, from: Set) {
        let old = |voter: usize| &state.voters[voter].ledgers[Config::Old.index()];
        let mut ledger = Ledger::default();
        if !self.has(Bug::SealWithoutTransfer) {
            for attempt in 0..self.attempts {
                if self.has(Bug::TransferOpenOnly) && state.is_closed(attempt) {
                    continue;
                }
                let votes = || from.iter().map(|sealed| old(sealed).votes[attempt]);
                ledger.votes[attempt] = Vote {
                    promised: votes().filter_map(|vote| vote.promised).max(),
                    accepted: votes().filter_map(|vote| vote.accepted).max(),
                };
            }
            if !self.has(Bug::TransferWithoutLost) {
                let lost = from.iter().map(|sealed| old(sealed).lost);
                ledger.lost = lost.fold(Set::default(), Set::union);
            }
        }
        state.voters[voter].ledgers[Config::New.index()] = ledger;
        state.voters[voter].is_active = true;
    }

    /// Every attempt that may still be running is opened as lost: what is known as closed, and the one after.
    fn recover(&self, state: &mut State, known_closed: usize) {
        let mut lost = Set::default();
        (0..self.attempts)
            .filter(|attempt| *attempt <= known_closed)
            .for_each(|attempt| lost.insert(attempt));
        state.is_recovered = true;
        for voter in self.new {
            let voter = &mut state.voters[*voter];
            voter.is_active = true;
            // Whoever lives and knows of it answers in the old configuration no more.
            voter.is_sealed = true;
            if !self.has(Bug::RecoverWithoutLost) {
                voter.ledgers[Config::New.index()].lost = lost;
            }
        }
        if known_closed < self.attempts {
            state.lost.insert(known_closed);
        }
    }
}
