//! What is shown of the `majority` level, and the bugs that must be seen.

use super::{
    Bug, Majority, laws,
    state::{ATTEMPTS, ROUNDS},
};
use crate::explore::{breaks, full, holds, holds_up_to};

/// Two hosts that claim, two ballots each, one crash.
const BASE: Majority = Majority {
    claimants: 2,
    ballots: 2,
    attempts: ATTEMPTS,
    crashes: 1,
    withdrawals: false,
    write_offs: false,
    gate: false,
    bug: None,
};

/// Voters may write off, and the gate stands.
const WRITE_OFFS: Majority = Majority {
    ballots: 1,
    write_offs: true,
    gate: true,
    ..BASE
};

const fn with(bug: Bug) -> Majority {
    Majority {
        bug: Some(bug),
        ..BASE
    }
}

#[test]
fn two_hosts_that_try_again_after_a_crash_never_print_a_copy_twice() {
    assert!(usize::from(BASE.ballots) <= ROUNDS);
    if full() {
        holds("P1: 2 claimants, 2 ballots, 1 crash", BASE);
    } else {
        let one = Majority {
            attempts: 1,
            ..BASE
        };
        holds("P1-: 2 claimants, 2 ballots, 1 crash, 1 attempt", one);
    }
}

#[test]
fn three_hosts_and_two_crashes_never_print_a_copy_twice() {
    let three = Majority {
        claimants: 3,
        ballots: 1,
        crashes: 2,
        ..BASE
    };
    if full() {
        holds("P2: 3 claimants, 1 ballot, 2 crashes", three);
    } else {
        holds(
            "P2-: 3 claimants, 1 ballot, 1 crash",
            Majority {
                crashes: 1,
                ..three
            },
        );
    }
}

#[test]
fn a_copy_that_somebody_withdraws_is_not_printed_by_anybody() {
    let withdrawals = Majority {
        withdrawals: true,
        ..BASE
    };
    if full() {
        holds(
            "P3: 2 claimants, 2 ballots, withdrawals, 1 crash",
            withdrawals,
        );
    } else {
        let small = Majority {
            ballots: 1,
            ..withdrawals
        };
        holds("P3-: 2 claimants, 1 ballot, withdrawals, 1 crash", small);
    }
}

#[test]
fn a_print_that_was_written_off_costs_at_most_one_surplus_copy() {
    if full() {
        let two = Majority {
            crashes: 2,
            ..WRITE_OFFS
        };
        holds("P4: 2 claimants, 1 ballot, write-offs, 2 crashes", two);
    } else {
        let none = Majority {
            crashes: 0,
            ..WRITE_OFFS
        };
        holds("P4-: 2 claimants, 1 ballot, write-offs", none);
    }
}

#[test]
fn write_offs_and_withdrawals_together_keep_every_law() {
    let both = Majority {
        withdrawals: true,
        ..WRITE_OFFS
    };
    if full() {
        holds(
            "P5: 2 claimants, 1 ballot, write-offs, withdrawals, 1 crash",
            both,
        );
    } else {
        let one = Majority {
            attempts: 1,
            ..both
        };
        holds(
            "P5-: 2 claimants, 1 ballot, write-offs, withdrawals, 1 crash, 1 attempt",
            one,
        );
    }
}

#[test]
fn three_hosts_and_write_offs_keep_every_law() {
    let three = Majority {
        claimants: 3,
        crashes: 0,
        ..WRITE_OFFS
    };
    if full() {
        holds("P6: 3 claimants, 1 ballot, write-offs", three);
    } else {
        let one = Majority {
            attempts: 1,
            ..three
        };
        holds("P6-: 3 claimants, 1 ballot, write-offs, 1 attempt", one);
    }
}

#[test]
fn two_hosts_that_try_again_and_write_offs_keep_every_law() {
    let two = Majority {
        ballots: 2,
        crashes: 0,
        ..WRITE_OFFS
    };
    if full() {
        holds_up_to("P7: 2 claimants, 2 ballots, write-offs", two, 200_000_000);
    } else {
        let one = Majority { attempts: 1, ..two };
        holds("P7-: 2 claimants, 2 ballots, write-offs, 1 attempt", one);
    }
}

#[test]
fn voters_that_forget_let_two_printers_start() {
    breaks(
        "bug volatile_voters",
        with(Bug::VolatileVoters),
        laws::ONE_VALUE,
    );
}

#[test]
fn a_claimant_that_forgets_its_ballots_decides_twice() {
    let bug = Majority {
        claimants: 1,
        attempts: 1,
        withdrawals: true,
        ..with(Bug::VolatileBallot)
    };
    breaks("bug volatile_ballot", bug, laws::ONE_VALUE);
}

#[test]
fn a_lease_as_permission_to_heat_lets_two_printers_start() {
    breaks(
        "bug lease_is_start",
        with(Bug::LeaseIsStart),
        laws::ONE_PRINTER,
    );
    breaks("bug lease_is_start", with(Bug::LeaseIsStart), laws::DECIDED);
}

#[test]
fn a_start_without_an_intent_on_disk_is_repeated_after_a_crash() {
    breaks("bug no_intent", with(Bug::NoIntent), laws::NO_REPRINT);
}

#[test]
fn an_attempt_closed_by_one_who_only_tried_lets_two_printers_work() {
    let bug = Majority {
        claimants: 3,
        ballots: 1,
        crashes: 0,
        ..with(Bug::CloseUnproven)
    };
    breaks("bug close_wo_cert", bug, laws::ONE_AT_A_TIME);
}

#[test]
fn a_claimant_that_ignores_what_was_accepted_lets_two_printers_start() {
    breaks(
        "bug ignore_foreign",
        with(Bug::IgnoreForeign),
        laws::ONE_VALUE,
    );
}

#[test]
fn a_copy_withdrawn_in_the_document_only_is_printed_all_the_same() {
    let bug = Majority {
        withdrawals: true,
        ..with(Bug::WithdrawInDocument)
    };
    breaks("bug withdraw_in_doc", bug, laws::WITHDRAWN);
}

#[test]
fn a_holder_that_claims_again_what_it_closed_prints_it_twice() {
    let bug = Majority {
        crashes: 0,
        ..with(Bug::ReclaimClosed)
    };
    breaks("bug reclaim_closed", bug, laws::NO_REPRINT);
}

#[test]
fn without_the_gate_a_print_begins_after_it_was_written_off() {
    let bug = Majority {
        gate: false,
        crashes: 0,
        ..WRITE_OFFS
    };
    breaks("bug no_confirm", bug, laws::NOT_AFTER_LOST);
}

#[test]
fn accepting_in_an_attempt_already_signed_off_is_harmless_behind_the_gate() {
    let redundant = Majority {
        bug: Some(Bug::LostWithoutSeal),
        ..WRITE_OFFS
    };
    if full() {
        holds("lost_no_seal: harmless with the gate, 1 crash", redundant);
    } else {
        let one = Majority {
            attempts: 1,
            ..redundant
        };
        holds(
            "lost_no_seal-: harmless with the gate, 1 crash, 1 attempt",
            one,
        );
    }
}
