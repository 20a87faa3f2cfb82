//! Going on without the voters: when, who, and how much.

use printmesh_node::{Command, Effect, Input, Message, NewJob};
use printmesh_queue::{ClaimState, CopyId, JobId};

use crate::{
    farm::{Farm, Machines, file, job},
    reconfig::{give_set, me},
};

const MINUTE: u64 = 60_000;

/// Claims of a job as a host sees them: copy, host, state, and whether the voters have not decided.
pub(crate) fn claims(farm: &Farm, n: usize, id: JobId) -> Vec<(u32, usize, ClaimState, bool)> {
    let (snapshot, job) = farm.job(n, id);
    let place = |host| farm.hosts.iter().position(|other| other.id == host);
    (0..job.units())
        .flat_map(|index| {
            snapshot
                .claims_of(CopyId { job: job.id, index })
                .map(move |c| (index, c))
        })
        .filter(|(_, claim)| claim.record.state != ClaimState::Dropped)
        .map(|(index, claim)| {
            let host = place(claim.host).expect("a host of the farm");
            (index, host, claim.record.state, claim.record.speculative)
        })
        .collect()
}

/// Lets no printer take anything until it is told to.
pub(crate) fn let_print(farm: &mut Farm, on: bool) {
    for n in 0..farm.hosts.len() {
        let names: Vec<String> = match farm.up(n) {
            true => farm
                .node(n)
                .own_printers_view()
                .into_keys()
                .map(str::to_owned)
                .collect(),
            false => Vec::new(),
        };
        for printer in names {
            let reason = String::new();
            let command = match on {
                true => Command::PrinterResume { printer },
                false => Command::PrinterPause { printer, reason },
            };
            farm.ok(n, command);
        }
    }
}

/// Every host has the job's file: nobody can print what it does not have.
pub(crate) fn submit_everywhere(farm: &mut Farm, new: NewJob) -> JobId {
    let hash = file(&new.name).hash;
    for n in 0..farm.hosts.len() {
        farm.hosts[n].files.insert(hash);
        farm.input(n, Input::FileAdded { hash });
    }
    farm.submit(0, new)
}

/// So many ids are drawn before: what is at home where is drawn by them.
pub(crate) fn drawn(farm: &mut Farm, seed: usize) {
    for _ in 0..seed {
        let draft = NewJob {
            draft: true,
            ..job("local", "draft")
        };
        farm.submit(0, draft);
    }
}

/// Cuts hosts of different sides from one another.
pub(crate) fn split(farm: &mut Farm, side: &[usize]) {
    farm.heal_all();
    for a in 0..side.len() {
        for b in a + 1..side.len() {
            if side[a] != side[b] {
                farm.cut_now(a, b);
            }
        }
    }
    farm.settle();
}

pub(crate) fn words(farm: &Farm, n: usize, id: JobId) -> Vec<String> {
    let (snapshot, job) = farm.job(n, id);
    let presence = farm.node(n).presence_at(snapshot.queue, farm.now_of(n));
    printmesh_schedule::why(snapshot, &presence, job)
        .into_iter()
        .filter_map(|(_, why)| Some(why?.text()))
        .collect()
}

fn copies(queue: &str, name: &str, copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job(queue, name)
    }
}

fn heard(farm: &Farm, n: usize, kind: &str, state: &str) -> usize {
    let of_kind = farm.hosts[n]
        .events
        .iter()
        .filter(|event| event.kind == kind);
    of_kind
        .filter(|event| event.state.as_deref() == Some(state))
        .count()
}

#[test]
fn a_printer_goes_on_without_the_voter_after_half_a_minute_and_the_voter_agrees_when_it_is_back() {
    let mut farm = Farm::available(&[0, 1], &[0]);
    farm.machines = Machines::Wait;
    farm.kill(0);
    farm.settle();
    let id = farm.submit(1, job("farm", "bracket"));
    farm.pass(25_000);
    assert!(farm.starts.is_empty());
    let why = words(&farm, 1, id);
    assert!(
        why[0].contains("a, which cannot be reached; it goes on without them in 5 s"),
        "{why:?}"
    );
    assert_eq!(heard(&farm, 1, "queue.voters", "away"), 0);
    farm.pass(10_000);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(heard(&farm, 1, "queue.voters", "away"), 1, "said once");
    assert_eq!(claims(&farm, 1, id), [(0, 1, ClaimState::Printing, true)]);
    farm.finish(1, "p0");
    farm.settle();
    assert_eq!(farm.status(1, id), "done");
    assert_eq!(claims(&farm, 1, id), [(0, 1, ClaimState::Finished, true)]);
    farm.boot(0);
    farm.pass(MINUTE);
    for n in 0..2 {
        assert_eq!(claims(&farm, n, id), [(0, 1, ClaimState::Finished, false)]);
    }
    assert_eq!(heard(&farm, 1, "queue.voters", "back"), 1);
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn a_voter_that_starts_before_its_network_hears_of_a_print_and_does_not_begin_it_once_more() {
    let mut farm = Farm::available(&[1, 1], &[0]);
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    let id = submit_everywhere(&mut farm, job("farm", "bracket"));
    farm.kill(0);
    farm.settle();
    let_print(&mut farm, true);
    farm.pass(MINUTE);
    assert_eq!(claims(&farm, 1, id), [(0, 1, ClaimState::Printing, true)]);
    farm.cut_now(0, 1);
    farm.boot(0);
    farm.ready(0);
    let printer = "p0".into();
    farm.ok(0, Command::PrinterResume { printer });
    farm.pass(1_000);
    assert_eq!(farm.starts.len(), 1, "it has met nobody yet");
    farm.heal(0, 1);
    farm.pass(MINUTE);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(claims(&farm, 0, id), [(0, 1, ClaimState::Printing, false)]);
    farm.check();
}

#[test]
fn where_only_a_majority_counts_nothing_is_started_without_it() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.kill(0);
    farm.settle();
    let id = farm.submit(1, job("farm", "bracket"));
    farm.pass(3 * 3_600_000);
    assert!(farm.starts.is_empty());
    let why = words(&farm, 1, id);
    assert!(
        why[0].contains("this queue starts nothing without them"),
        "{why:?}"
    );
}

#[test]
fn a_short_cut_starts_nothing_twice_and_what_was_only_claimed_is_given_back() {
    let mut farm = Farm::available(&[0, 1], &[0]);
    farm.machines = Machines::Wait;
    farm.kill(0);
    farm.settle();
    let id = farm.submit(1, job("farm", "bracket"));
    // It has made its claim known and lets others object when the voter is back.
    farm.pass(30_500);
    assert!(farm.starts.is_empty());
    assert!(matches!(claims(&farm, 1, id)[..], [(0, 1, _, true)]));
    farm.boot(0);
    farm.pass(5_000);
    assert_eq!(claims(&farm, 1, id), [(0, 1, ClaimState::Printing, false)]);
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn two_printers_that_are_cut_apart_make_different_copies_first() {
    let mut farm = Farm::available(&[1, 1], &[0]);
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    submit_everywhere(&mut farm, copies("farm", "bracket", 40));
    farm.cut(0, 1);
    let_print(&mut farm, true);
    farm.pass(MINUTE);
    for _ in 0..9 {
        for n in 0..2 {
            farm.finish_all(n);
            farm.settle();
            farm.ready(n);
        }
        farm.pass(5_000);
    }
    let made: std::collections::BTreeSet<u32> =
        farm.starts.iter().map(|start| start.run.1).collect();
    assert_eq!(
        (farm.starts.len(), made.len()),
        (20, 20),
        "{:?}",
        farm.starts
    );
}

#[test]
fn a_copy_of_a_printer_that_is_away_is_left_to_it_for_half_an_hour() {
    let (mut at_once, mut later) = (0, 0);
    for seed in 0..12 {
        let mut farm = Farm::available(&[1, 1], &[0]);
        farm.machines = Machines::Wait;
        drawn(&mut farm, seed);
        let_print(&mut farm, false);
        let id = submit_everywhere(&mut farm, copies("farm", "bracket", 1));
        farm.kill(0);
        let_print(&mut farm, true);
        farm.pass(5 * MINUTE);
        if farm.starts.len() == 1 {
            at_once += 1;
            continue;
        }
        let why = words(&farm, 1, id);
        assert!(
            why.iter()
                .any(|why| why.contains("belongs to printers that are away")),
            "{why:?}"
        );
        farm.pass(26 * MINUTE);
        assert_eq!(farm.starts.len(), 1);
        later += 1;
    }
    assert!(at_once > 0 && later > 0, "{at_once} {later}");
}

#[test]
fn among_three_hosts_one_printer_starts_one_copy_of_each_job_and_the_others_say_why_not() {
    let mut farm = Farm::available(&[0, 1, 1], &[0]);
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    let jobs: Vec<JobId> = ["one", "two"]
        .map(|name| submit_everywhere(&mut farm, copies("farm", name, 4)))
        .into();
    farm.kill(0);
    let_print(&mut farm, true);
    farm.pass(10 * MINUTE);
    let first = farm.starts.clone();
    assert!(first.len() <= 2 && !first.is_empty(), "{first:?}");
    // Beds are cleared, again and again: no second copy of either job.
    for _ in 0..4 {
        for n in [1, 2] {
            farm.finish_all(n);
            farm.settle();
            farm.ready(n);
        }
        farm.pass(5 * MINUTE);
    }
    assert_eq!(farm.starts.len(), 2);
    let made: std::collections::BTreeSet<&String> =
        farm.starts.iter().map(|start| &start.run.0).collect();
    assert_eq!(made.len(), 2, "one of each");
    for id in &jobs {
        let why = words(&farm, 1, *id);
        assert!(
            why.iter()
                .any(|why| why.contains("one start that is allowed without them")),
            "{why:?}"
        );
    }
    farm.boot(0);
    farm.pass(MINUTE);
    assert!(
        claims(&farm, 0, jobs[0])
            .iter()
            .all(|(_, _, _, open)| !open)
    );
    farm.check();
}

#[test]
fn with_budget_home_each_printer_makes_its_own_copies_and_no_others() {
    let mut farm = Farm::available(&[0, 1, 1], &[0]);
    farm.set("budget", "home");
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    submit_everywhere(&mut farm, copies("farm", "bracket", 8));
    farm.kill(0);
    farm.cut(1, 2);
    let_print(&mut farm, true);
    farm.pass(2 * MINUTE);
    for _ in 0..10 {
        for n in [1, 2] {
            farm.finish_all(n);
            farm.settle();
            farm.ready(n);
        }
        farm.pass(MINUTE);
    }
    let made: std::collections::BTreeSet<u32> =
        farm.starts.iter().map(|start| start.run.1).collect();
    assert_eq!(
        (made.len(), farm.starts.len()),
        (8, 8),
        "every copy once: {:?}",
        farm.starts
    );
    farm.boot(0);
    farm.heal_all();
    farm.pass(MINUTE);
    farm.check();
}

#[test]
fn a_print_that_failed_without_the_voters_is_not_tried_again_by_the_same_host_until_they_know() {
    let mut farm = Farm::available(&[0, 1], &[0]);
    farm.set("retries", "1");
    farm.machines = Machines::Wait;
    farm.kill(0);
    farm.settle();
    let id = farm.submit(1, job("farm", "bracket"));
    farm.pass(MINUTE);
    farm.fail(1, "p0", "spaghetti");
    farm.ready(1);
    farm.pass(60 * MINUTE);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(claims(&farm, 1, id), [(0, 1, ClaimState::Failed, true)]);
    farm.boot(0);
    farm.pass(MINUTE);
    let first = (0, 1, ClaimState::Failed, false);
    assert_eq!(
        claims(&farm, 0, id)[0],
        first,
        "the voters know that it failed"
    );
    assert_eq!(farm.starts.len(), 2, "and it is tried again");
    farm.check();
}

#[test]
fn a_copy_that_failed_without_the_voters_is_left_to_them_by_the_other_hosts_too() {
    let mut farm = Farm::available(&[0, 1, 1], &[0]);
    farm.set("budget", "all");
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    let id = submit_everywhere(&mut farm, job("farm", "bracket"));
    farm.kill(0);
    let_print(&mut farm, true);
    farm.pass(40 * MINUTE);
    assert_eq!(farm.starts.len(), 1);
    let first = farm.starts[0].host;
    farm.fail(first, "p0", "spaghetti");
    farm.pass(60 * MINUTE);
    assert_eq!(farm.starts.len(), 1, "{:?}", farm.starts);
    let other = 3 - first;
    let why = words(&farm, other, id);
    assert!(
        why.iter()
            .any(|why| why.contains("one start that is allowed without them")),
        "{why:?}"
    );
    farm.boot(0);
    farm.pass(10 * MINUTE);
    assert_eq!(
        farm.starts.len(),
        2,
        "the voters know, and it is tried again"
    );
    farm.check();
}

#[test]
fn a_host_that_restarts_before_the_start_begins_nothing_and_one_that_dies_in_the_print_asks_a_person()
 {
    let mut farm = Farm::available(&[0, 1], &[0]);
    farm.machines = Machines::Wait;
    farm.kill(0);
    farm.settle();
    let id = farm.submit(1, job("farm", "bracket"));
    farm.pass(31_000);
    assert!(farm.starts.is_empty(), "it lets others object");
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    farm.ready(1);
    assert!(farm.starts.is_empty());
    farm.pass(MINUTE);
    assert_eq!(farm.starts.len(), 1, "its patience begins anew");
    farm.begin(1, "p0");
    farm.settle();
    farm.kill(1);
    farm.boot(1);
    farm.pass(10 * MINUTE);
    assert_eq!(farm.starts.len(), 1);
    let ended = claims(&farm, 1, id)[0].2;
    assert!(matches!(ended, ClaimState::Unknown | ClaimState::Failed));
    assert_eq!(claims(&farm, 1, id), [(0, 1, ended, true)]);
    farm.boot(0);
    farm.pass(MINUTE);
    assert_eq!(claims(&farm, 0, id)[0], (0, 1, ended, false));
    farm.check();
}

#[test]
fn settings_are_changed_by_an_admin_with_values_that_mean_something() {
    let mut farm = Farm::shared(&[0, 0]);
    let set = |key: &str, value: &str| Command::QueueSet {
        queue: "farm".into(),
        values: vec![(key.into(), value.into()), ("patience".into(), "20".into())],
    };
    let problem = farm.refused(0, set("budget", "lots"));
    assert_eq!(problem.code.as_str(), "setting.bad");
    assert_eq!(
        problem.why.as_deref(),
        Some("it may be auto, one, home, all")
    );
    let problem = farm.refused(0, set("colour", "red"));
    assert_eq!(problem.code.as_str(), "setting.unknown");
    assert_eq!(
        farm.snapshot(0, "farm").settings.patience_s,
        30,
        "all of it or nothing"
    );
    let problem = farm.refused(1, set("budget", "one"));
    assert_eq!(problem.code.as_str(), "member.role");
    farm.ok(0, set("budget", "one"));
    assert_eq!(farm.snapshot(1, "farm").settings.patience_s, 20);
    assert_eq!(
        farm.snapshot(1, "farm").settings.budget,
        printmesh_queue::Budget::One
    );
}

/// They are asked again when other voters are published: those, or the ones that a person chooses who recovers the queue.
#[test]
fn a_print_without_the_voters_asks_once_who_has_given_way_to_a_host_that_died() {
    let mut farm = Farm::available(&[0, 0, 1], &[0]);
    farm.machines = Machines::Wait;
    let_print(&mut farm, false);
    let id = submit_everywhere(&mut farm, job("farm", "bracket"));
    farm.pass(2_000);
    farm.cut(0, 2);
    farm.cut(1, 2);
    give_set(&mut farm, 0, "b");
    while me(&farm, 0) == "serves" {
        let act = farm.acts()[0];
        farm.act(act);
    }
    farm.kill(1);
    let_print(&mut farm, true);
    farm.pass(2 * MINUTE);
    assert_eq!(claims(&farm, 2, id), [(0, 2, ClaimState::Printing, true)]);
    farm.hosts[2].effects.clear();
    farm.heal(0, 2);
    farm.pass(10 * MINUTE);
    let sent = farm.hosts[2].effects.iter();
    let asked = sent.filter(|effect| match effect {
        Effect::Send { bytes, .. } => {
            matches!(Message::decode(bytes), Some(Message::Prepare(_)))
        }
        _ => false,
    });
    let asked = asked.count();
    assert!(
        (1..=2).contains(&asked),
        "{asked}: others decide, of whom nobody has heard"
    );
}
