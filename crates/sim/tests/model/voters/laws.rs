//! The laws that a change of the voters must keep, and what must be possible.

use stateright::Property;

use super::{
    Change, Way,
    state::{Config, State},
};

pub(crate) const ONE_VALUE: &str =
    "I1 an attempt is decided for one printer, whichever configuration decides";
pub(crate) const ONE_PRINTER: &str = "I2 at most one printer begins an attempt";
pub(crate) const ONE_RESULT: &str = "I4 good prints <= 1 + write-offs";
pub(crate) const NOT_AFTER_LOST: &str = "I7 no print begins on an attempt written off before";
pub(crate) const CHAIN: &str = "I8 an attempt begins only when the one before is closed";
pub(crate) const NOT_VOID: &str = "R no print begins after a recovery on a start decided before it";

impl Change {
    pub(super) fn laws(&self) -> Vec<Property<Self>> {
        let mut laws: Vec<Property<Self>> = vec![
            Property::always(ONE_VALUE, |change: &Self, state: &State| {
                (0..change.attempts).all(|attempt| change.one_value(state, attempt))
            }),
            Property::always(ONE_PRINTER, |change: &Self, state: &State| {
                state.prints.iter().all(|prints| match change.way {
                    Way::Transfer => prints.all_begun().len() <= 1,
                    // Who recovers may not know how far the old chain got: one for each, and a write-off for it.
                    Way::Recovery { .. } => prints.begun.iter().all(|begun| begun.len() <= 1),
                })
            }),
            Property::always(ONE_RESULT, |_, state: &State| {
                state.good_prints() <= 1 + state.lost.len()
            }),
            Property::always(NOT_AFTER_LOST, |_, state: &State| !state.heated_late),
            Property::always(CHAIN, |change: &Self, state: &State| {
                (1..change.attempts).all(|attempt| {
                    state.prints[attempt].all_begun().is_empty() || state.is_closed(attempt - 1)
                })
            }),
            Property::sometimes("the old voters decide", |change: &Self, state: &State| {
                !change.chosen(state, 0, Config::Old).is_empty()
            }),
            Property::sometimes("the new voters decide", |change: &Self, state: &State| {
                let decided = |attempt| !change.chosen(state, attempt, Config::New).is_empty();
                (0..change.attempts).any(decided)
            }),
            Property::sometimes(
                "a print that the new voters decided finishes",
                |_, state: &State| {
                    let mut prints = state.prints.iter();
                    prints.any(|prints| {
                        prints
                            .good
                            .iter()
                            .any(|printer| prints.begun[1].contains(printer))
                    })
                },
            ),
        ];
        if self.attempts > 1 {
            laws.push(Property::sometimes(
                "the second attempt finishes",
                |_, state: &State| !state.prints[1].good.is_empty(),
            ));
        }
        if matches!(self.way, Way::Recovery { .. }) {
            laws.push(Property::always(NOT_VOID, |_, state: &State| {
                !state.heated_void
            }));
        }
        if self.attempts > 1 && (self.write_offs || matches!(self.way, Way::Recovery { .. })) {
            laws.push(Property::sometimes(
                "a print that was written off and its replacement both come out",
                |_, state: &State| state.good_prints() == 2,
            ));
        }
        laws
    }

    fn one_value(&self, state: &State, attempt: usize) -> bool {
        let [old, new] = Config::BOTH.map(|config| self.chosen(state, attempt, config));
        match self.way {
            Way::Transfer => old.union(new).len() <= 1,
            Way::Recovery { .. } => old.len() <= 1 && new.len() <= 1,
        }
    }
}
