//! Hosts and links that come and go: voters, leases, files, crashes.

use printmesh_node::{Command, Input, NewJob};
use printmesh_queue::{Ballot, Bed, ClaimRecord, ClaimState, CopyId, RunResult, Timestamp};

use crate::farm::{Farm, Machines, file, job};

#[test]
fn without_the_voter_copies_wait_and_say_so_and_local_printing_goes_on() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.kill(0);
    farm.settle();
    let shared = farm.submit(1, job("farm", "shared"));
    assert_eq!(farm.why(1, shared), [("b/p0".into(), "voters-away")]);
    let own = farm.submit(1, job("local", "own"));
    assert_eq!(farm.status(1, own), "done");
    farm.pass(3_600_000);
    assert_eq!((farm.status(1, shared), farm.starts.len()), ("queued", 1));
    farm.boot(0);
    farm.pass(200);
    assert_eq!(farm.status(1, shared), "done");
    farm.check();
}

#[test]
fn a_printer_that_loses_the_voter_between_claim_and_start_prints_local_jobs_meanwhile() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.hosts[1].import_fails = false;
    let shared = farm.give_job(0, job("farm", "shared"));
    while farm.snapshot(1, "farm").claims.is_empty() {
        let act = farm.acts().first().copied().expect("it goes on");
        farm.act(act);
    }
    farm.cut(0, 1);
    let own = farm.submit(1, job("local", "own"));
    assert_eq!(farm.status(1, own), "done");
    assert!(farm.hosts[0].replies[&shared].is_ok());
    farm.heal(0, 1);
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn a_holder_that_dies_before_the_start_is_replaced_after_its_lease() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Print;
    let submit = farm.give_job(0, job("farm", "bracket"));
    let holder = loop {
        if let Some(claims) = farm.snapshot(0, "farm").claims.values().next() {
            let host = claims.values().next().expect("a claim").host;
            break (0..3)
                .find(|n| farm.hosts[*n].id == host)
                .expect("of the farm");
        }
        let act = farm.acts().first().copied().expect("it goes on");
        farm.act(act);
    };
    assert!(farm.starts.is_empty());
    farm.kill(holder);
    farm.settle();
    farm.pass(50_000);
    assert!(farm.starts.is_empty(), "its lease still runs");
    farm.pass(30_000);
    assert_eq!(
        farm.starts
            .iter()
            .map(|start| start.host)
            .collect::<Vec<_>>(),
        [3 - holder]
    );
    assert!(farm.hosts[0].replies[&submit].is_ok());
    farm.boot(holder);
    farm.settle();
    farm.ready(holder);
    farm.pass(600_000);
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn a_print_whose_host_died_has_failed_and_is_made_again_once_a_person_has_looked_at_the_bed() {
    let mut farm = Farm::shared(&[0, 1, 1]);
    farm.machines = Machines::Wait;
    let id = farm.submit(
        0,
        NewJob {
            copies: 3,
            ..job("farm", "bracket")
        },
    );
    farm.begin(1, "p0");
    farm.settle();
    farm.kill(1);
    farm.settle();
    farm.boot(1);
    farm.settle();
    assert_eq!(farm.node(1).own_printers_view()["p0"].bed, Bed::Unknown);
    let (snapshot, whole) = farm.job(0, id);
    let claims = snapshot
        .copies_of(whole)
        .flat_map(|(copy, _)| snapshot.claims_of(copy));
    let failed = claims.filter(|claim| claim.record.state == ClaimState::Failed);
    assert_eq!(failed.count(), 1);
    assert_eq!(farm.node(0).history()[0].result, RunResult::Unknown);
    farm.pass(600_000);
    assert_eq!(farm.starts.len(), 2, "its bed is unknown");
    farm.machines = Machines::PrintAndClear;
    farm.ready(1);
    farm.begin(2, "p0");
    farm.finish(2, "p0");
    farm.settle();
    farm.pass(600_000);
    assert_eq!((farm.starts.len(), farm.status(0, id)), (4, "done"));
    farm.check();
}

#[test]
fn a_file_that_vanished_from_the_store_is_fetched_again_and_printed() {
    let mut farm = Farm::shared(&[0, 1]);
    let first = farm.submit(0, job("farm", "bracket"));
    assert_eq!(farm.status(1, first), "done");
    farm.hosts[1].files.clear();
    let second = farm.submit(0, job("farm", "lid"));
    farm.pass(120_000);
    assert_eq!(farm.status(1, second), "done");
    assert!(!farm.hosts[1].files.is_empty());
    farm.check();
}

#[test]
fn a_job_whose_file_nobody_has_waits_with_that_reason_and_prints_when_the_host_with_it_is_back() {
    let mut farm = Farm::shared(&[0, 1, 0]);
    farm.cut(1, 2);
    let id = farm.submit(2, job("farm", "bracket"));
    let lines = |farm: &Farm| farm.hosts[1].logs.values().map(Vec::len).sum::<usize>();
    assert_eq!(farm.why(1, id), [("b/p0".into(), "file-missing")]);
    let before = lines(&farm);
    farm.pass(24 * 3_600_000);
    assert_eq!(farm.status(1, id), "queued");
    assert_eq!(lines(&farm), before, "waiting writes nothing");
    farm.heal(1, 2);
    assert_eq!(farm.status(1, id), "done");
    farm.check();
}

#[test]
fn a_missing_file_does_not_stop_the_jobs_behind_it() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.hosts[0].files.clear();
    let lost = farm.give(0, Command::JobSubmit(job("farm", "lost")));
    let id = farm.submit(0, job("farm", "found"));
    assert!(farm.hosts[0].replies[&lost].is_ok());
    assert_eq!(farm.status(1, id), "done");
    // It turns up on the host that is asked.
    farm.hosts[0].files.insert(file("lost").hash);
    farm.pass(3_600_000);
    assert_eq!(farm.starts.len(), 2);
    farm.check();
}

#[test]
fn the_submitter_may_be_switched_off_once_another_host_has_the_file() {
    let mut farm = Farm::shared(&[1, 0, 1]);
    farm.cut(0, 1);
    farm.ok(
        0,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: String::new(),
        },
    );
    farm.ok(
        2,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: String::new(),
        },
    );
    let id = farm.submit(1, job("farm", "bracket"));
    farm.heal(0, 1);
    farm.hosts[2].files.insert(file("bracket").hash);
    farm.kill(1);
    farm.settle();
    farm.ok(
        0,
        Command::PrinterResume {
            printer: "p0".into(),
        },
    );
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}

#[test]
fn an_incompatible_member_is_shown_as_such() {
    let mut farm = Farm::shared(&[0, 0]);
    let b = farm.hosts[1].id;
    farm.cut(0, 1);
    farm.input(
        0,
        Input::PeerIncompatible {
            host: b,
            software: "9.0".into(),
            note: "speaks protocol 9".into(),
        },
    );
    let link = farm.node(0).link(b);
    assert!(link.incompatible && !link.connected);
    assert_eq!(
        (link.software.as_deref(), link.note.as_deref()),
        (Some("9.0"), Some("speaks protocol 9"))
    );
    assert!(
        farm.snapshot(0, "farm").members.contains_key(&b),
        "never invisible"
    );
    farm.heal(0, 1);
    assert!(farm.node(0).link(b).connected && !farm.node(0).link(b).incompatible);
}

#[test]
fn an_idle_farm_sleeps() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.submit(0, job("farm", "bracket"));
    farm.pass(120_000);
    for n in [0, 1] {
        farm.hosts[n].effects.clear();
        let wake = farm.node(n).next_wakeup();
        assert!(
            wake.is_none_or(|at| at > farm.mono_ms + 3_600_000),
            "host {n} wants to wake at {wake:?}"
        );
    }
    let wakes = farm.wakes;
    for _ in 0..60 {
        farm.mono_ms += 60_000;
        for n in [0, 1] {
            farm.input(n, Input::Wake);
        }
    }
    assert_eq!(farm.wakes, wakes);
    for n in [0, 1] {
        assert_eq!(farm.hosts[n].effects, [], "host {n}");
    }
    farm.check();
}

#[test]
fn a_farm_that_waits_for_a_person_sleeps_too() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Print;
    farm.submit(
        0,
        NewJob {
            copies: 9,
            ..job("farm", "bracket")
        },
    );
    farm.pass(120_000);
    let (wakes, lines) = (
        farm.wakes,
        farm.hosts[0].logs.values().map(Vec::len).sum::<usize>(),
    );
    farm.pass(24 * 3_600_000);
    assert_eq!(farm.wakes, wakes);
    assert_eq!(
        farm.hosts[0].logs.values().map(Vec::len).sum::<usize>(),
        lines
    );
    farm.check();
}

#[test]
fn a_member_that_counts_absurdly_high_stops_nobody() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.ok(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: false,
        },
    );
    let id = farm.submit(0, job("farm", "bracket"));
    let ballot = Ballot {
        n: u64::MAX,
        host: farm.hosts[0].id,
        printer: "x".into(),
    };
    farm.edit_farm(|edit| {
        let record = ClaimRecord {
            printer: "x".into(),
            ballot,
            cfg: 1,
            spec_hash: [0; 32],
            state: ClaimState::Dropped,
            speculative: false,
            credited_to: None,
            note: None,
            at: Timestamp(1),
        };
        edit.put_claim(CopyId { job: id, index: 0 }, 0, &record);
    });
    farm.ok(
        1,
        Command::Autoprint {
            printers: Vec::new(),
            on: true,
        },
    );
    assert_eq!(farm.status(0, id), "done");
    farm.check();
}
