//! Three and five voters: a majority decides, and one that is away stops nothing.

use printmesh_node::{Ask, Command, Effect, Input, Message, Nack, NewJob, Place, Value};
use printmesh_queue::{Ballot, ClaimRecord, ClaimState, CopyId, JobId, Timestamp};

use crate::farm::{Farm, Machines, job};

#[test]
fn of_three_voters_one_may_be_away_and_with_two_away_copies_wait() {
    let mut farm = Farm::shared(&[0, 1, 1, 0]);
    farm.set_voters(&[0, 1, 3]);
    let first = farm.submit(
        0,
        NewJob {
            copies: 2,
            ..job("farm", "first")
        },
    );
    assert_eq!(farm.status(2, first), "done");
    farm.kill(3);
    farm.settle();
    let second = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "second")
        },
    );
    farm.pass(1_000);
    assert_eq!(farm.status(2, second), "done");
    farm.kill(0);
    farm.settle();
    let third = farm.submit(2, job("farm", "third"));
    farm.pass(600_000);
    assert_eq!(farm.status(2, third), "queued");
    assert_eq!(
        farm.why(2, third)
            .iter()
            .map(|(_, why)| *why)
            .collect::<Vec<_>>(),
        ["voters-away", "voters-away"]
    );
    farm.boot(3);
    farm.pass(2_000);
    assert_eq!(farm.status(2, third), "done", "{}", farm.dump(third));
    farm.boot(0);
    farm.pass(1_000);
    assert_eq!(farm.starts.len(), 6);
    farm.check();
}

#[test]
fn any_two_of_three_voters_decide_about_a_copy_that_was_given_back() {
    // The start is accepted by a and b; the next attempt by b and c, of which c knows nothing of the first.
    let mut farm = Farm::shared(&[0, 1, 0, 1]);
    farm.set_voters(&[0, 1, 2]);
    farm.cut(1, 2);
    farm.machines = Machines::Wait;
    farm.ok(
        3,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    farm.cut(2, 3);
    farm.cut(0, 2);
    let id = farm.give_job(0, job("farm", "bracket"));
    // Up to where the start is decided and the print is not begun.
    for _ in 0..10_000 {
        let starting = farm.hosts[1].keys.iter().any(|(key, value)| {
            key.starts_with(b"work/") && String::from_utf8_lossy(value).contains("Starting")
        });
        if starting || farm.acts().is_empty() {
            break;
        }
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.give(
        1,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: String::new(),
        },
    );
    farm.settle();
    assert!(farm.hosts[0].replies[&id].is_ok());
    assert!(farm.starts.is_empty(), "decided, paused, given back");
    farm.kill(0);
    farm.heal_all();
    farm.settle();
    farm.ok(
        3,
        Command::Autoprint {
            printers: Vec::new(),
            on: true,
        },
    );
    farm.pass(120_000);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(farm.starts[0].host, 3);
    farm.check();
}

#[test]
fn with_five_voters_a_job_is_printed_or_cancelled_never_both() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let mut farm = Farm::shared(&[0, 1, 1, 0, 0]);
        farm.set_voters(&[0, 1, 2, 3, 4]);
        farm.machines = Machines::Wait;
        let id = farm.submit(
            4,
            NewJob {
                draft: true,
                copies: 2,
                ..job("farm", "bracket")
            },
        );
        if seed % 3 == 0 {
            farm.kill(0);
        }
        farm.give(
            4,
            Command::JobRelease {
                job: id.to_string(),
            },
        );
        farm.settle_by(seed, 5 + seed as usize % 30);
        let asked = farm.give(
            4,
            Command::JobCancel {
                job: id.to_string(),
            },
        );
        farm.settle_by(seed, 20_000);
        farm.pass(200_000);
        let answer = farm.hosts[4].replies.remove(&asked).expect("answered");
        let printed = farm.starts.len();
        assert!(
            answer.is_err() && printed == 2 || answer.is_ok() && printed == 0,
            "seed {seed}: {answer:?} {printed}"
        );
        seen.insert(printed);
        farm.check();
    }
    assert_eq!(seen.len(), 2, "both happen");
}

#[test]
fn a_withdrawal_is_carried_through_when_the_voters_answer_late() {
    let mut farm = Farm::shared(&[0, 0, 0]);
    farm.set_voters(&[0, 1, 2]);
    let id = farm.submit(1, job("farm", "bracket"));
    let asked = farm.give(
        1,
        Command::JobMove {
            job: id.to_string(),
            to: Some("local".into()),
            place: Place::Keep,
        },
    );
    // As soon as the second phase is on disk, both other voters are gone.
    for _ in 0..10_000 {
        if farm.hosts[1]
            .keys
            .keys()
            .any(|key| key.starts_with(b"withdrawal/"))
        {
            break;
        }
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.kill(0);
    farm.kill(2);
    farm.settle();
    farm.pass(60_000);
    let answer = farm.hosts[1].replies.remove(&asked).expect("answered");
    assert!(
        matches!(&answer, Ok(printmesh_node::Answer::Done { text, .. }) if text.starts_with("asked to move")),
        "not yet: {answer:?}"
    );
    assert_eq!(farm.status(1, id), "move-requested");
    farm.kill(1);
    farm.boot(1);
    farm.boot(2);
    farm.pass(1_000);
    assert_eq!(farm.snapshot(1, "local").jobs_in_order().len(), 1);
    assert!(farm.snapshot(2, "farm").jobs_in_order().is_empty());
    farm.check();
}

/// What voter `a` answers when `b` asks for attempt `attempt` of the job's only copy.
fn asked(farm: &mut Farm, job: JobId, attempt: u32, starting: bool, n: u64) -> Result<(), Nack> {
    let (from, queue) = (farm.hosts[1].id, farm.queue(0, "farm"));
    let ask = Ask {
        queue,
        cfg: 1,
        units: vec![(CopyId { job, index: 0 }, attempt)],
        ballot: Ballot {
            n,
            host: from,
            printer: "p0".into(),
        },
        value: Value::Print {
            host: from,
            printer: "p0".into(),
            spec_hash: [0; 32],
        },
        told: None,
    };
    let message = if starting {
        Message::Accept(ask)
    } else {
        Message::Prepare(ask)
    };
    farm.hosts[0].effects.clear();
    farm.input(
        0,
        Input::Message {
            from,
            bytes: message.encode(),
        },
    );
    let answers = farm.hosts[0]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { bytes, .. } => Message::decode(bytes),
            _ => None,
        });
    let answer = answers.into_iter().find_map(|message| match message {
        Message::Promise(_) | Message::Accepted(_) => Some(Ok(())),
        Message::Refused { nack, .. } => Some(Err(nack)),
        _ => None,
    });
    answer.expect("a voter answers")
}

#[test]
fn a_voter_refuses_what_is_over_whoever_asks() {
    let mut farm = Farm::shared(&[0, 1]);
    let id = farm.submit(0, job("farm", "bracket"));
    assert_eq!(farm.status(0, id), "done");
    // Its own printer, with a fresh ballot: a second print of one copy.
    assert_eq!(asked(&mut farm, id, 0, false, 100), Err(Nack::Closed));
    assert_eq!(asked(&mut farm, id, 0, true, 101), Err(Nack::Closed));
    // And the attempt after it, which nobody opened.
    assert_eq!(asked(&mut farm, id, 1, false, 102), Err(Nack::Closed));
}

/// What `a` wrote about an attempt at the job's only copy.
fn says(farm: &mut Farm, job: JobId, attempt: u32, state: ClaimState) {
    let a = farm.hosts[0].id;
    farm.edit_farm(|edit| {
        let record = ClaimRecord {
            printer: "x".into(),
            ballot: Ballot {
                n: 1,
                host: a,
                printer: "x".into(),
            },
            cfg: 1,
            spec_hash: [0; 32],
            state,
            speculative: false,
            credited_to: None,
            note: None,
            at: Timestamp(1),
        };
        edit.put_claim(CopyId { job, index: 0 }, attempt, &record);
    });
}

/// Two hosts and a job that nobody prints.
fn untouched() -> (Farm, JobId) {
    let mut farm = Farm::shared(&[0, 1]);
    let printers = Vec::new();
    farm.ok(
        1,
        Command::Autoprint {
            printers,
            on: false,
        },
    );
    let id = farm.submit(0, job("farm", "bracket"));
    (farm, id)
}

#[test]
fn a_print_that_counts_elsewhere_leaves_its_copy_to_the_other_printers() {
    for elsewhere in [ClaimState::Credited, ClaimState::Surplus] {
        let (mut farm, id) = untouched();
        says(&mut farm, id, 0, elsewhere);
        assert_eq!(asked(&mut farm, id, 0, false, 10), Ok(()), "{elsewhere:?}");
        assert_eq!(asked(&mut farm, id, 0, true, 10), Ok(()), "{elsewhere:?}");
    }
}

#[test]
fn of_a_copy_that_is_made_no_other_attempt_is_given_away() {
    let (mut farm, id) = untouched();
    says(&mut farm, id, 0, ClaimState::Finished);
    // An attempt beside it that was given back: the one after that would be open.
    says(&mut farm, id, 1, ClaimState::Released);
    assert_eq!(asked(&mut farm, id, 2, false, 10), Err(Nack::Closed));
}

#[test]
fn a_voter_opens_the_next_attempt_only_after_the_one_before_and_closes_that_for_good() {
    let (mut farm, id) = untouched();
    assert_eq!(
        asked(&mut farm, id, 1, false, 10),
        Err(Nack::Closed),
        "nobody gave the first one back"
    );
    // Somebody who was never allowed to start it says that it is given back: a start of it is refused from then on.
    says(&mut farm, id, 0, ClaimState::Released);
    assert_eq!(asked(&mut farm, id, 1, false, 11), Ok(()));
    assert_eq!(asked(&mut farm, id, 0, true, 12), Err(Nack::Closed));
    assert_eq!(asked(&mut farm, id, 1, true, 11), Ok(()));
}

#[test]
fn a_voter_does_not_take_the_word_of_who_did_not_start_it() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(0, job("farm", "bracket"));
    assert_eq!(farm.status(0, id), "printing");
    says(&mut farm, id, 0, ClaimState::Released);
    assert_eq!(
        asked(&mut farm, id, 1, false, 100),
        Err(Nack::Closed),
        "b prints it"
    );
}
