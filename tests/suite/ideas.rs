//! Ideas of how to share out copies that do not hold, each with the tests that would see it come back. The ideas, and what breaks each of
//! them: the claim protocol's table of scenarios (`CLAIMS.md` 9). Here: that none of these tests can vanish.

use std::collections::BTreeSet;

use super::named::tests_named;

const IDEAS: [(&str, &[&str]); 20] = [
    (
        "the last writer of a lease in the document wins",
        &[
            "of_two_prints_of_one_copy_one_counts_and_the_other_is_a_spare_part",
            "a_voter_list_in_the_document_lets_two_printers_start",
        ],
    ),
    (
        "settle for two seconds, then the smallest id wins",
        &["a_short_cut_starts_nothing_twice_and_what_was_only_claimed_is_given_back"],
    ),
    (
        "a lease that a majority acknowledged, and heat later",
        &[
            "a_lease_as_permission_to_heat_lets_two_printers_start",
            "r_l3_a_host_that_was_frozen_for_longer_than_its_lease_gives_its_claim_up",
        ],
    ),
    (
        "a fencing token at the printer",
        &[
            "a_decision_that_the_voters_took_back_meanwhile_never_heats",
            "closing_switches_off_and_frees_the_port",
        ],
    ),
    (
        "a print is aborted when its lease is lost",
        &["a_print_that_comes_back_after_it_was_given_up_goes_on_to_its_end_and_counts"],
    ),
    (
        "a start never expires",
        &[
            "a_print_whose_host_dies_is_made_by_another_printer_when_its_time_is_over_and_a_half_hour",
        ],
    ),
    (
        "one host may write a print off",
        &[
            "one_voter_that_hears_nothing_gives_nothing_away_and_stands_by_its_word",
            "a_voter_that_was_alone_does_not_take_its_own_silence_for_that_of_others",
        ],
    ),
    (
        "a print is written off, and nothing is asked before heat",
        &["without_the_gate_a_print_begins_after_it_was_written_off"],
    ),
    (
        "a holder claims again what is its own",
        &[
            "a_holder_that_claims_again_what_it_closed_prints_it_twice",
            "a_voter_refuses_what_is_over_whoever_asks",
        ],
    ),
    (
        "whoever tried may give a copy back",
        &[
            "an_attempt_closed_by_one_who_only_tried_lets_two_printers_work",
            "a_voter_does_not_take_the_word_of_who_did_not_start_it",
        ],
    ),
    (
        "votes and ballots in memory only",
        &[
            "voters_that_forget_let_two_printers_start",
            "a_claimant_that_forgets_its_ballots_decides_twice",
        ],
    ),
    (
        "what others accepted is passed over",
        &["a_claimant_that_ignores_what_was_accepted_lets_two_printers_start"],
    ),
    (
        "heat without an intent on disk",
        &[
            "a_start_without_an_intent_on_disk_is_repeated_after_a_crash",
            "up_to_the_intent_a_crash_gives_the_copy_back_and_it_is_printed_once",
        ],
    ),
    (
        "a job is deleted in the document only",
        &[
            "a_copy_withdrawn_in_the_document_only_is_printed_all_the_same",
            "r_l1_of_a_printer_two_pullers_and_a_canceller_exactly_one_wins",
        ],
    ),
    (
        "a majority of all members decides",
        &[
            "of_two_hosts_the_one_that_is_stopped_gives_its_vote_away_and_the_other_prints_on",
            "a_printer_goes_on_without_the_voter_after_half_a_minute_and_the_voter_agrees_when_it_is_back",
        ],
    ),
    ("two voters", &["the_voters_follow_from_who_is_there"]),
    (
        "a side starts one copy too many for each printer",
        &[
            "a_side_where_every_printer_may_start_makes_more_than_one_too_many",
            "among_three_hosts_one_printer_starts_one_copy_of_each_job_and_the_others_say_why_not",
        ],
    ),
    (
        "the preferred printer is the only one that may",
        &["one_copy_is_asked_for_by_one_printer_and_by_the_next_in_line_when_that_one_cannot"],
    ),
    (
        "a clock says when a copy may be taken over",
        &[
            "a_wall_clock_that_is_a_minute_ahead_or_jumps_takes_nothing_from_anybody",
            "a_voter_that_slept_does_not_take_its_sleep_for_the_silence_of_a_print",
        ],
    ),
    (
        "a voter answers although its disk took nothing",
        &[
            "on_a_full_disk_nothing_is_acknowledged_nothing_is_lost_and_work_goes_on_when_there_is_room",
            "a_disk_that_lies_and_starts_that_come_too_late_are_found",
        ],
    ),
];

#[test]
fn every_idea_that_does_not_hold_has_tests_that_would_see_it_come_back() {
    let wanted: BTreeSet<&str> = IDEAS
        .iter()
        .flat_map(|(_, tests)| tests.iter().copied())
        .collect();
    let found = tests_named(|name| wanted.get(name).copied());
    for (idea, tests) in IDEAS {
        let missing: Vec<_> = tests
            .iter()
            .filter(|name| !found.contains_key(*name))
            .collect();
        assert!(missing.is_empty(), "{idea}: no test {missing:?}");
    }
}
