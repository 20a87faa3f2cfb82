//! What is shown of the `available` level.

use super::{Available, BOUNDED, HOSTS, Speculation};
use crate::explore::{breaks, full, holds};

const BUDGET_ONE: Available = Available {
    speculation: Speculation::DelegateWithBudgetOne,
    hosts: HOSTS,
    cuts: 0,
};

#[test]
fn one_partition_costs_at_most_one_surplus_copy_per_side() {
    if full() {
        holds("available: budget 1, 4 hosts, every partition", BUDGET_ONE);
    } else {
        let three = Available {
            hosts: 3,
            ..BUDGET_ONE
        };
        holds("available-: budget 1, 3 hosts, every partition", three);
    }
}

#[test]
fn a_partition_that_is_cut_anew_costs_at_most_one_surplus_copy_per_side_and_cut() {
    let recut = Available {
        cuts: 1,
        ..BUDGET_ONE
    };
    if full() {
        holds("available: budget 1, 4 hosts, cut anew", recut);
    } else {
        let three = Available { hosts: 3, ..recut };
        holds("available-: budget 1, 3 hosts, cut anew", three);
    }
}

#[test]
fn a_side_where_every_printer_may_start_makes_more_than_one_too_many() {
    let naive = Available {
        speculation: Speculation::EveryPrinter,
        ..BUDGET_ONE
    };
    breaks("bug naive_available", naive, BOUNDED);
}
