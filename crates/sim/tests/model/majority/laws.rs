//! The laws of a decided start, and what must be possible so that the laws are not kept by doing nothing.

use stateright::Property;

use super::{
    Majority,
    state::{ATTEMPTS, Purpose, State},
};

pub(crate) const ONE_VALUE: &str = "I1 an attempt's register decides one value";
pub(crate) const ONE_PRINTER: &str = "I2 at most one printer begins an attempt";
pub(crate) const DECIDED: &str = "I2 what a printer begins was decided for it before";
pub(crate) const NO_REPRINT: &str = "I3 a machine begins an attempt at most once";
pub(crate) const ONE_RESULT: &str = "I4 good prints <= 1 + write-offs";
pub(crate) const ONE_AT_A_TIME: &str = "I5 machines printing now <= 1 + write-offs";
pub(crate) const WITHDRAWN: &str = "I6 a withdrawn copy is not printed, and one host withdraws it";
pub(crate) const NOT_AFTER_LOST: &str = "I7 no print begins on an attempt written off before";
pub(crate) const CHAIN: &str = "I8 an attempt begins only when the one before is closed";

impl Majority {
    pub(super) fn laws(&self) -> Vec<Property<Self>> {
        let mut laws: Vec<Property<Self>> = vec![
            Property::always(ONE_VALUE, |_, state: &State| {
                (0..ATTEMPTS).all(|attempt| one_value(state, attempt))
            }),
            Property::always(ONE_PRINTER, |_, state: &State| {
                let machines = |begun: &[u8]| begun.iter().filter(|times| **times > 0).count();
                state.truth.begun.iter().all(|begun| machines(begun) <= 1)
            }),
            Property::always(DECIDED, |_, state: &State| {
                (0..ATTEMPTS).all(|attempt| begun_was_decided(state, attempt))
            }),
            Property::always(NO_REPRINT, |_, state: &State| {
                state.truth.begun.iter().flatten().all(|times| *times <= 1)
            }),
            Property::always(ONE_RESULT, |_, state: &State| {
                state.good_prints() <= 1 + state.lost.len()
            }),
            Property::always(ONE_AT_A_TIME, |_, state: &State| {
                let printing = state.claimants.iter().filter(|host| host.machine.is_some());
                printing.count() <= 1 + state.lost.len()
            }),
            Property::always(WITHDRAWN, |_, state: &State| {
                (0..ATTEMPTS).all(|attempt| withdrawal_holds(state, attempt))
            }),
            Property::always(NOT_AFTER_LOST, |_, state: &State| !state.truth.heated_late),
            Property::always(CHAIN, |_, state: &State| {
                (1..ATTEMPTS)
                    .all(|attempt| !state.has_begun(attempt) || state.is_closed(attempt - 1))
            }),
            Property::sometimes("a print finishes", |_, state: &State| {
                state
                    .outcomes
                    .iter()
                    .any(|outcome| !outcome.finished.is_empty())
            }),
        ];
        if self.attempts > 1 {
            laws.push(Property::sometimes(
                "the second attempt finishes",
                |_, state: &State| !state.outcomes[1].finished.is_empty(),
            ));
        }
        if self.write_offs {
            laws.push(Property::sometimes(
                "an attempt is written off",
                |_, state: &State| !state.lost.is_empty(),
            ));
        }
        if self.write_offs && self.attempts > 1 {
            laws.push(Property::sometimes(
                "a print that was written off and its replacement both come out",
                |_, state: &State| state.good_prints() == 2,
            ));
        }
        if self.withdrawals {
            laws.push(Property::sometimes(
                "a copy is withdrawn",
                |_, state: &State| state.truth.withdrawn.iter().any(|hosts| !hosts.is_empty()),
            ));
        }
        laws
    }
}

fn one_value(state: &State, attempt: usize) -> bool {
    let mut values = state
        .chosen(attempt)
        .map(|ballot| state.value(attempt, ballot));
    values
        .next()
        .is_none_or(|first| values.all(|value| value == first))
}

/// Votes are never taken back: what is decided in the state in which a printer has begun was decided when it began, since to begin
/// decides nothing.
fn begun_was_decided(state: &State, attempt: usize) -> bool {
    let begun = state.truth.begun[attempt].iter().enumerate();
    let mut begun = begun.filter(|(_, times)| **times > 0);
    begun.all(|(host, _)| {
        let mut chosen = state.chosen(attempt);
        chosen.any(|ballot| state.value(attempt, ballot) == (host, Some(Purpose::Print)))
    })
}

fn withdrawal_holds(state: &State, attempt: usize) -> bool {
    let hosts = state.truth.withdrawn[attempt];
    let next_begun = attempt + 1 < ATTEMPTS && state.has_begun(attempt + 1);
    hosts.is_empty()
        || hosts.len() == 1
            && !state.has_begun(attempt)
            && (!next_begun || state.lost.contains(attempt))
}
