//! Each law has a history that breaks it, and one beside it that does not: a checker that cannot fail proves nothing.

use super::*;

fn attempt(copy: u32, number: u32) -> Attempt {
    let unit = Unit {
        job: "job".to_owned(),
        copy,
    };
    Attempt { unit, number }
}

fn printer(host: &str) -> Printer {
    Printer {
        host: host.to_owned(),
        name: "p".to_owned(),
    }
}

fn cfg(number: u32) -> Config {
    Config {
        queue: "farm".to_owned(),
        number,
    }
}

fn voters(number: u32, hosts: &[&str]) -> Fact {
    Fact::Voters {
        cfg: cfg(number),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
    }
}

fn accepted(voter: &str, n: u64, attempt: Attempt, owner: Owner) -> Fact {
    Fact::Accepted {
        voter: voter.to_owned(),
        cfg: cfg(1),
        attempt,
        ballot: (n, "b".to_owned(), "p".to_owned()),
        owner,
    }
}

fn given(attempt: &Attempt, host: &str) -> Vec<Fact> {
    ["a", "b"]
        .map(|voter| accepted(voter, 1, attempt.clone(), Owner::Print(printer(host))))
        .into()
}

fn began(attempt: &Attempt, host: &str, run: u32) -> Fact {
    Fact::Began {
        attempt: attempt.clone(),
        printer: printer(host),
        run,
    }
}

fn recorded(attempt: &Attempt, host: &str, outcome: Outcome) -> Fact {
    Fact::Recorded {
        attempt: attempt.clone(),
        printer: printer(host),
        outcome,
    }
}

fn lost(attempt: &Attempt) -> Vec<Fact> {
    let lost = |voter: &str| Fact::Lost {
        voter: voter.to_owned(),
        cfg: cfg(1),
        attempt: attempt.clone(),
    };
    vec![lost("a"), lost("c")]
}

/// Judges facts that are an hour apart, in a queue with three voters and a job of two copies.
fn judge(facts: impl IntoIterator<Item = Fact>) -> Option<&'static str> {
    let job = Fact::Submitted {
        job: "job".to_owned(),
        copies: 2,
        runs: 2,
    };
    let start = [voters(1, &["a", "b", "c"]), job];
    let facts = start.into_iter().chain(facts);
    let history: History = (0..).map(|hour| hour * 3_600_000).zip(facts).collect();
    Judge::history(&history)
        .err()
        .map(|violation| violation.law)
}

#[test]
fn two_printers_are_never_given_one_attempt() {
    let one = attempt(0, 0);
    let mut facts = given(&one, "a");
    assert_eq!(judge(facts.clone()), None);
    facts.push(accepted("c", 2, one.clone(), Owner::Print(printer("b"))));
    assert_eq!(judge(facts.clone()), None, "one voter decides nothing");
    facts.push(accepted("b", 2, one, Owner::Print(printer("b"))));
    assert_eq!(judge(facts), Some("I1"));
    assert_eq!(
        judge([voters(1, &["a"])]),
        Some("I1"),
        "two lists of one number"
    );
}

#[test]
fn nothing_begins_that_the_voters_have_not_given_away() {
    let one = attempt(0, 0);
    assert_eq!(judge([began(&one, "a", 0)]), Some("I2"));
    let mut facts = given(&one, "a");
    facts.push(began(&one, "b", 0));
    assert_eq!(judge(facts), Some("I2"));
    let alone = Fact::Speculated {
        attempt: one.clone(),
        printer: printer("a"),
    };
    assert_eq!(judge([alone, began(&one, "a", 0)]), None);
}

#[test]
fn no_print_begins_twice() {
    let one = attempt(0, 0);
    let mut facts = given(&one, "a");
    facts.extend([began(&one, "a", 0), began(&one, "a", 1)]);
    assert_eq!(judge(facts.clone()), None);
    facts.push(began(&one, "a", 1));
    assert_eq!(judge(facts), Some("I3"));
}

#[test]
fn a_copy_is_finished_once_unless_it_was_written_off() {
    let (one, two) = (attempt(0, 0), attempt(0, 1));
    let mut facts = given(&one, "a");
    facts.push(recorded(&one, "a", Outcome::Finished));
    let mut again = facts.clone();
    again.push(recorded(&two, "b", Outcome::Finished));
    assert_eq!(judge(again), Some("I4"));
    facts.extend(lost(&one));
    facts.push(recorded(&two, "b", Outcome::Finished));
    assert_eq!(judge(facts), None);
}

#[test]
fn two_printers_never_make_one_copy_at_once_unless_one_was_written_off() {
    let (one, two) = (attempt(0, 0), attempt(0, 1));
    let mut facts = given(&one, "a");
    facts.push(began(&one, "a", 0));
    facts.push(recorded(&one, "a", Outcome::Failed));
    facts.extend(given(&two, "b"));
    facts.push(began(&two, "b", 0));
    assert_eq!(judge(facts), Some("I5"));
    let mut facts = given(&one, "a");
    facts.push(began(&one, "a", 0));
    facts.extend(lost(&one));
    facts.extend(given(&two, "b"));
    facts.push(began(&two, "b", 0));
    assert_eq!(judge(facts), None);
}

#[test]
fn a_printer_that_says_falsely_that_it_has_ended_is_taken_at_its_word() {
    let (one, two) = (attempt(0, 0), attempt(0, 1));
    let mut facts = given(&one, "a");
    facts.push(began(&one, "a", 0));
    facts.push(Fact::SaidEnded {
        attempt: one.clone(),
        printer: printer("a"),
    });
    facts.push(recorded(&one, "a", Outcome::Failed));
    facts.extend(given(&two, "b"));
    facts.push(began(&two, "b", 0));
    assert_eq!(judge(facts.clone()), None);
    // It allows no second print of an attempt.
    facts.push(began(&two, "b", 0));
    assert_eq!(judge(facts), Some("I3"));
}

#[test]
fn what_began_without_the_voters_lets_no_job_be_finished_more_often_than_wanted() {
    let copies = [attempt(0, 0), attempt(1, 0), attempt(2, 0)];
    let mut facts = vec![Fact::Speculated {
        attempt: copies[2].clone(),
        printer: printer("c"),
    }];
    for copy in &copies[..2] {
        facts.extend(given(copy, "a"));
        facts.push(recorded(copy, "a", Outcome::Finished));
    }
    assert_eq!(judge(facts.clone()), None);
    facts.push(recorded(&copies[2], "c", Outcome::Finished));
    assert_eq!(judge(facts), Some("O2"));
}

#[test]
fn at_rest_every_start_in_vain_has_a_reason() {
    let start = |alone: bool| {
        let mut judge = Judge::default();
        let mut facts = vec![
            voters(1, &["a", "b", "c"]),
            Fact::Submitted {
                job: "job".to_owned(),
                copies: 1,
                runs: 1,
            },
        ];
        facts.extend(given(&attempt(0, 0), "a"));
        facts.push(began(&attempt(0, 0), "a", 0));
        match alone {
            true => facts.push(Fact::Speculated {
                attempt: attempt(1, 0),
                printer: printer("c"),
            }),
            false => facts.extend(given(&attempt(1, 0), "c")),
        }
        facts.push(began(&attempt(1, 0), "c", 0));
        facts.iter().for_each(|fact| judge.see(0, fact).unwrap());
        judge.at_rest().err().map(|violation| violation.law)
    };
    assert_eq!(start(true), None);
    assert_eq!(start(false), Some("O3"));
}

#[test]
fn what_was_taken_out_never_begins() {
    let one = attempt(0, 0);
    let out = |voter| accepted(voter, 3, one.clone(), Owner::Withdraw("c".to_owned()));
    let mut facts = given(&attempt(0, 1), "a");
    facts.extend([out("b"), out("c"), recorded(&one, "a", Outcome::Failed)]);
    facts.push(began(&attempt(0, 1), "a", 0));
    assert_eq!(judge(facts), Some("I6"));
    let mut facts = given(&one, "a");
    let job = "job".to_owned();
    facts.extend([Fact::TakenOut { job }, began(&one, "a", 0)]);
    assert_eq!(judge(facts), Some("I6"));
}

#[test]
fn what_was_written_off_before_it_began_never_begins() {
    let one = attempt(0, 0);
    let mut facts = given(&one, "a");
    facts.extend(lost(&one));
    facts.push(began(&one, "a", 0));
    assert_eq!(judge(facts), Some("I7"));
}

#[test]
fn the_next_attempt_waits_until_the_one_before_is_closed_by_its_owner() {
    let (one, two) = (attempt(0, 0), attempt(0, 1));
    let mut facts = given(&one, "a");
    facts.extend(given(&two, "b"));
    facts.push(recorded(&one, "c", Outcome::Released));
    facts.push(began(&two, "b", 0));
    assert_eq!(judge(facts.clone()), Some("I8"), "another one gave it back");
    let last = facts.len() - 1;
    facts[last - 1] = recorded(&one, "a", Outcome::Released);
    assert_eq!(judge(facts), None);
}

#[test]
fn a_ballot_is_for_one_question() {
    let ask = |copy| Fact::Asked {
        ballot: (1, "a".to_owned(), "p".to_owned()),
        attempts: vec![attempt(copy, 0)],
    };
    assert_eq!(judge([ask(0), ask(0)]), None);
    assert_eq!(judge([ask(0), ask(1)]), Some("N"));
}

#[test]
fn no_print_begins_on_a_part_unless_somebody_said_that_the_bed_is_clear() {
    let onto = |told_clear| Fact::OntoPart {
        printer: printer("a"),
        told_clear,
    };
    assert_eq!(judge([onto(true)]), None);
    assert_eq!(judge([onto(false)]), Some("B"));
}

#[test]
fn starts_in_vain_are_counted() {
    let mut judge = Judge::default();
    let mut facts = vec![
        voters(1, &["a", "b", "c"]),
        Fact::Submitted {
            job: "job".to_owned(),
            copies: 1,
            runs: 1,
        },
    ];
    facts.extend(given(&attempt(0, 0), "a"));
    facts.push(began(&attempt(0, 0), "a", 0));
    facts.iter().for_each(|fact| judge.see(0, fact).unwrap());
    assert_eq!(judge.overshoot("job"), 0);
    let alone = Fact::Speculated {
        attempt: attempt(0, 0),
        printer: printer("c"),
    };
    judge.see(0, &alone).unwrap();
    judge.see(0, &began(&attempt(0, 0), "c", 0)).unwrap();
    assert_eq!(judge.overshoot("job"), 1);
}

#[test]
fn a_copy_that_was_begun_may_come_to_its_end_only_where_nobody_can_say_that_it_is_out() {
    let one = attempt(0, 0);
    let job = one.unit.job.clone();
    let mut facts = given(&one, "a");
    facts.extend([began(&one, "a", 0), Fact::TakenOut { job }]);
    let mut heard = facts.clone();
    heard.push(began(&one, "a", 1));
    assert_eq!(judge(heard), Some("I6"), "the voters can be reached");
    let went_on = Fact::WentOn {
        attempt: one.clone(),
        printer: printer("a"),
    };
    facts.extend([went_on.clone(), began(&one, "a", 1)]);
    assert_eq!(judge(facts), None);
    let mut late = given(&one, "a");
    let job = one.unit.job.clone();
    late.extend([Fact::TakenOut { job }, went_on, began(&one, "a", 0)]);
    assert_eq!(
        judge(late),
        Some("I6"),
        "the first print is a start like any other"
    );
}

#[test]
fn a_recovery_cannot_know_what_only_the_lost_voters_had_taken_out() {
    let one = attempt(0, 0);
    let job = one.unit.job.clone();
    let mut facts = vec![Fact::TakenOut { job }, voters(1 << 20, &["b"])];
    facts.push(Fact::Accepted {
        voter: "b".into(),
        cfg: cfg(1 << 20),
        attempt: one.clone(),
        ballot: (9, "b".into(), "p".into()),
        owner: Owner::Print(printer("b")),
    });
    let mut heard = facts.clone();
    facts.push(began(&one, "b", 0));
    assert_eq!(judge(facts), None);
    // Unless the one that recovers knows it.
    heard.push(Fact::TakenOut {
        job: one.unit.job.clone(),
    });
    heard.push(began(&one, "b", 0));
    assert_eq!(judge(heard), Some("I6"));
}

/// Seed 6481.
#[test]
fn a_recovery_cannot_know_what_only_the_lost_voters_had_given_away() {
    let (one, two) = (attempt(0, 0), attempt(1, 0));
    let mut facts = given(&one, "a");
    facts.extend([began(&one, "a", 0), voters(1 << 20, &["b"])]);
    let says = |attempt: &Attempt, owner: Owner| Fact::Accepted {
        voter: "b".into(),
        cfg: cfg(1 << 20),
        attempt: attempt.clone(),
        ballot: (9, "b".into(), "p".into()),
        owner,
    };
    let out = Owner::Withdraw("b".into());
    let mut unheard = facts.clone();
    unheard.push(says(&one, out.clone()));
    assert_eq!(judge(unheard), None);
    // What was given away since, or what it knows, is not taken out any more.
    facts.extend([says(&two, Owner::Print(printer("b"))), began(&two, "b", 0)]);
    let next = attempt(1, 1);
    facts.push(says(&next, out));
    assert_eq!(judge(facts.clone()), None);
    let last = facts.len() - 1;
    facts[last] = says(&attempt(1, 0), Owner::Withdraw("b".into()));
    assert_eq!(judge(facts), Some("I1"));
}
