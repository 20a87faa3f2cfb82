//! What is shown of changing voters, and the bugs that must be seen.

use super::{
    Bug, Change, Way, laws,
    state::{ATTEMPTS, Ballot, Config},
};
use crate::explore::{breaks, full, holds};

const fn ballot(config: Config, printer: usize) -> Ballot {
    Ballot { config, printer }
}

const TWO: &[Ballot] = &[ballot(Config::Old, 0), ballot(Config::New, 1)];
const THREE: &[Ballot] = &[
    ballot(Config::Old, 0),
    ballot(Config::Old, 1),
    ballot(Config::New, 1),
];
const FOUR: &[Ballot] = &[
    ballot(Config::Old, 0),
    ballot(Config::Old, 1),
    ballot(Config::New, 1),
    ballot(Config::New, 0),
];

/// Three voters become three others, one of them the same.
const CHANGE: Change = Change {
    old: &[0, 1, 2],
    new: &[2, 3, 4],
    ballots: FOUR,
    attempts: 1,
    write_offs: false,
    way: Way::Transfer,
    bug: None,
};

/// Host 0 parks its vote, and host 3 takes it.
const PARK: Change = Change {
    new: &[1, 2, 3],
    attempts: ATTEMPTS,
    ballots: THREE,
    ..CHANGE
};

/// Two of three are destroyed; the third and two others go on.
const RECOVERY: Change = Change {
    attempts: ATTEMPTS,
    ballots: THREE,
    way: Way::Recovery { destroyed: &[0, 1] },
    ..CHANGE
};

const WRITTEN_OFF: Change = Change {
    ballots: TWO,
    write_offs: true,
    ..CHANGE
};
const SMALL_RECOVERY: Change = Change {
    ballots: TWO,
    ..RECOVERY
};

const fn with(bug: Bug, change: Change) -> Change {
    Change {
        bug: Some(bug),
        ..change
    }
}

#[test]
fn two_printers_are_never_allowed_the_same_attempt_while_the_voters_change() {
    if full() {
        holds("voters: seal and transfer, 4 ballots", CHANGE);
    } else {
        holds(
            "voters-: seal and transfer, 3 ballots",
            Change {
                ballots: THREE,
                ..CHANGE
            },
        );
    }
}

#[test]
fn a_write_off_is_known_to_the_voters_that_come_after() {
    let write_offs = Change {
        write_offs: true,
        ballots: THREE,
        ..CHANGE
    };
    if full() {
        holds(
            "voters: seal and transfer, 3 ballots, write-offs",
            write_offs,
        );
    } else {
        let two = Change {
            ballots: TWO,
            ..write_offs
        };
        holds("voters-: seal and transfer, 2 ballots, write-offs", two);
    }
}

#[test]
fn a_voter_that_parks_between_two_attempts_keeps_every_law() {
    if full() {
        holds(
            "voters: park, 2 attempts, 2 ballots",
            Change {
                ballots: TWO,
                ..PARK
            },
        );
    } else {
        let pair = Change {
            old: &[0],
            ballots: THREE,
            ..PARK
        };
        holds("voters-: 1 voter becomes 3, 2 attempts, 3 ballots", pair);
    }
}

#[test]
fn the_only_voter_hands_over_between_two_attempts_and_write_offs() {
    let single = Change {
        old: &[0],
        new: &[1],
        attempts: ATTEMPTS,
        write_offs: true,
        ..CHANGE
    };
    holds(
        "voters: 1 voter becomes another, 2 attempts, 4 ballots, write-offs",
        single,
    );
}

#[test]
fn a_recovery_costs_at_most_the_surplus_of_what_it_writes_off() {
    if full() {
        holds("voters: recovery, 2 attempts, 3 ballots", RECOVERY);
    } else {
        holds("voters-: recovery, 2 attempts, 2 ballots", SMALL_RECOVERY);
    }
}

#[test]
fn a_voter_list_in_the_document_lets_two_printers_start() {
    breaks(
        "bug reconfig_lww",
        with(Bug::ListInDocument, CHANGE),
        laws::ONE_VALUE,
    );
}

#[test]
fn new_voters_that_begin_with_nothing_let_two_printers_start() {
    breaks(
        "bug seal_no_transfer",
        with(Bug::SealWithoutTransfer, CHANGE),
        laws::ONE_VALUE,
    );
}

#[test]
fn new_voters_that_are_not_told_of_closed_attempts_allow_them_again() {
    let park = Change {
        ballots: TWO,
        ..PARK
    };
    breaks(
        "bug transfer_open_only",
        with(Bug::TransferOpenOnly, park),
        laws::ONE_VALUE,
    );
}

#[test]
fn new_voters_that_are_not_told_of_write_offs_let_a_lost_print_begin() {
    let bug = with(Bug::TransferWithoutLost, WRITTEN_OFF);
    breaks("bug transfer_without_lost", bug, laws::NOT_AFTER_LOST);
}

#[test]
fn a_sealed_voter_that_still_confirms_lets_a_lost_print_begin() {
    breaks(
        "bug sealed_confirm",
        with(Bug::SealedConfirm, WRITTEN_OFF),
        laws::NOT_AFTER_LOST,
    );
}

#[test]
fn a_sealed_voter_that_still_writes_off_lets_a_lost_print_begin() {
    breaks(
        "bug sealed_sign",
        with(Bug::SealedSign, WRITTEN_OFF),
        laws::NOT_AFTER_LOST,
    );
}

#[test]
fn a_recovery_while_the_old_voters_live_lets_a_lost_print_begin() {
    let bug = with(Bug::RecoverTooEarly, SMALL_RECOVERY);
    breaks("bug recover_too_early", bug, laws::NOT_AFTER_LOST);
}

#[test]
fn a_start_decided_before_a_recovery_that_is_trusted_after_it_begins_too_late() {
    let bug = with(Bug::TrustOldCertificate, SMALL_RECOVERY);
    breaks("bug trust_old_certificate", bug, laws::NOT_VOID);
}

#[test]
fn recovered_voters_that_are_not_told_of_write_offs_let_a_lost_print_begin() {
    let bug = with(Bug::RecoverWithoutLost, SMALL_RECOVERY);
    breaks("bug recover_without_lost", bug, laws::NOT_AFTER_LOST);
}
