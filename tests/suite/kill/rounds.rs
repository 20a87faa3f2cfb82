//! Fifty rounds of pulling the plug on two hosts at random moments while both take jobs in and print.
//!
//! A moment is the n-th event of some kind, so nothing depends on how fast this machine is. The seed decides the
//! moments; it is printed when the test fails, and `PRINTMESH_TEST_SEED` sets it.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
    path::Path,
    thread,
};

use printmesh_api::reply::Event;
use rustix::process::Signal;
use serde_json::Value;

use super::{FAST, gcode};
use crate::suite::environment::{Farm, Host};

const ROUNDS: u32 = 50;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Says the seed when the test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("-- PRINTMESH_TEST_SEED={}", self.0);
        }
    }
}

/// What a host is doing when the plug is pulled.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Submit,
    Claim,
    Fetch,
    PrintBegins,
    Print,
    PrintEnds,
    Anything,
}

impl Moment {
    const ALL: [Self; 7] = [
        Self::Submit,
        Self::Claim,
        Self::Fetch,
        Self::PrintBegins,
        Self::Print,
        Self::PrintEnds,
        Self::Anything,
    ];

    fn is(self, event: &Event, host: &str) -> bool {
        let own = event.printer.as_deref() == Some(&*format!("{host}/sim"));
        let copy = |states: &[&str]| {
            let state = event.state.as_deref().unwrap_or_default();
            own && event.kind == "copy.state" && states.contains(&state)
        };
        match self {
            Self::Submit => event.kind == "job.state" && event.state.as_deref() == Some("queued"),
            Self::Claim => copy(&["claimed", "fetching"]),
            Self::Fetch => event.kind == "fetch.progress",
            Self::PrintBegins => copy(&["printing"]),
            Self::Print => own && event.kind == "print.progress",
            Self::PrintEnds => copy(&["finished"]),
            Self::Anything => true,
        }
    }
}

/// A job that was submitted, as far as the one who did it knows.
struct Submitted {
    name: String,
    /// When it was acknowledged.
    id: Option<String>,
}

/// Kills the daemon in any case: whoever talks to it is done then.
struct Doomed<'a>(&'a Host);

impl Drop for Doomed<'_> {
    fn drop(&mut self) {
        self.0.signal(Signal::KILL);
    }
}

/// Submits jobs until the daemon is gone, at most this many at once: a long queue at the end shows nothing more.
const AT_ONCE: usize = 2;

fn submit_until_killed(host: &Host, round: u32, mut dice: Dice, folder: &Path) -> Vec<Submitted> {
    let mut submitted: Vec<Submitted> = Vec::new();
    for n in 0.. {
        let before = submitted.iter().rev().nth(AT_ONCE - 1);
        let before = before.and_then(|job| job.id.as_deref());
        if before.is_some_and(|job| host.run(&["job", "wait", job]).code != 0) {
            break;
        }
        let name = format!("r{round}-{}-{n}", host.name);
        let job = submit(host, name, &mut dice, folder);
        let acknowledged = job.id.is_some();
        submitted.push(job);
        if !acknowledged {
            break;
        }
    }
    submitted
}

fn submit(host: &Host, name: String, dice: &mut Dice, folder: &Path) -> Submitted {
    let seconds = dice.below(150) as u32;
    let file = gcode(folder, &format!("{name}-x.gcode"), seconds, &name);
    let second = gcode(
        folder,
        &format!("{name}-y.gcode"),
        10,
        &format!("{name} too"),
    );
    let second = format!("{second}:2");
    let mut args = vec!["submit", "-q", "farm", "--json", "--name", &name, &file];
    match dice.below(4) {
        0 => args.push(&second),
        1 => args.extend(["-c", "2"]),
        _ => {}
    }
    let ran = host.run(&args);
    let answer: Option<Value> = serde_json::from_str(&ran.stdout).ok();
    let id = answer.and_then(|job| Some(job["id"].as_str()?.to_owned()));
    assert_eq!(ran.code == 0, id.is_some(), "{ran:#?}");
    // Only the death of the daemon stands in the way of a job.
    assert!(ran.code == 0 || ran.code == 6, "{ran:#?}");
    Submitted { name, id }
}

/// One ended print, without the times.
type Row = (String, u64, String, String, String);

fn rows(host: &Host) -> Vec<Row> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut rows: Vec<Row> = host
        .history()
        .iter()
        .map(|row| {
            let copy = row["copy"].as_u64().unwrap();
            let (job, file) = (text(&row["job"]), text(&row["fileName"]));
            (job, copy, file, text(&row["host"]), text(&row["result"]))
        })
        .collect();
    rows.sort();
    rows
}

fn count(rows: &[Row]) -> BTreeMap<&Row, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row).or_default() += 1;
    }
    counts
}

/// Checks that everything that was in the history is there still, as it was.
fn assert_kept(before: &[Row], after: &[Row]) {
    let after = count(after);
    for (row, times) in count(before) {
        let now = after.get(row).copied().unwrap_or_default();
        assert!(
            now >= times,
            "{row:?} was in the history {times} times, now {now}"
        );
    }
}

/// Copies, as (job, number): how often each began, and which were finished.
type Logged = (BTreeMap<(String, u64), u64>, BTreeSet<(String, u64)>);

/// What a host's own log says of the copies that its printer made: how often one began, and which were finished.
/// A line is written after what it says is durable.
fn logged(host: &Host) -> Logged {
    let own = format!("printer=\"{}/sim\"", host.name);
    let field = |line: &str, name: &str| {
        let rest = line.split_once(&format!(" {name}="))?.1;
        Some(rest.split(' ').next()?.trim_matches('"').to_owned())
    };
    let (mut began, mut finished) = (BTreeMap::new(), BTreeSet::new());
    let log = host.log();
    for line in log
        .lines()
        .filter(|line| line.contains("kind=\"copy.state\"") && line.contains(&own))
    {
        // The last line before a kill may be cut.
        let (Some(job), Some(copy)) = (field(line, "job"), field(line, "copy")) else {
            continue;
        };
        let Ok(copy) = copy.parse() else { continue };
        match field(line, "state").as_deref() {
            Some("printing") => *began.entry((job, copy)).or_default() += 1,
            Some("finished") => {
                finished.insert((job, copy));
            }
            _ => {}
        }
    }
    (began, finished)
}

/// Starts a host again and checks what must be so before a person has looked at it.
fn start_again(host: &mut Host, known: &mut Vec<Row>) {
    host.start();
    let printer = host.json(&["printer", "show", "sim"]);
    assert_ne!(printer["bed"], "clear", "{printer:#}");
    assert_ne!(printer["state"], "printing", "{printer:#}");
    let after = rows(host);
    assert_kept(known, &after);
    *known = after;
    host.ok(&["printer", "ready", "sim"]);
}

#[test]
fn fifty_times_the_plug_is_pulled_and_no_job_is_lost_or_doubled_and_nothing_is_printed_twice() {
    let chosen = std::env::var("PRINTMESH_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = Seed(chosen.unwrap_or_else(|| RandomState::new().hash_one(())));
    let mut dice = Dice(seed.0);
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let mut hosts = [a, b];
    let mut known = [Vec::new(), Vec::new()];
    let mut submitted = Vec::new();
    for round in 0..ROUNDS {
        let moment = Moment::ALL[dice.below(Moment::ALL.len() as u64) as usize];
        let (nth, first) = (1 + dice.below(3), dice.below(2) as usize);
        // The other one dies in the same instant, or takes some jobs in alone before.
        let alone = dice.below(2) * dice.below(4);
        let thrown: Vec<Dice> = hosts.iter().map(|_| Dice(dice.below(u64::MAX))).collect();
        thread::scope(|scope| {
            let folder = farm.path();
            let (one, other) = (Doomed(&hosts[first]), Doomed(&hosts[1 - first]));
            let mut events = one.0.events();
            let jobs: Vec<_> = hosts
                .iter()
                .zip(thrown)
                .map(|(host, dice)| {
                    scope.spawn(move || submit_until_killed(host, round, dice, folder))
                })
                .collect();
            let what = format!("{moment:?} on {} (round {round})", one.0.name);
            for _ in 0..nth {
                events.wait_for(&what, |event| moment.is(event, &one.0.name));
            }
            drop(one);
            for n in 0..alone {
                let name = format!("r{round}-{}-alone-{n}", other.0.name);
                submitted.push(submit(other.0, name, &mut dice, folder));
            }
            drop(other);
            submitted.extend(jobs.into_iter().flat_map(|job| job.join().unwrap()));
        });
        thread::scope(|scope| {
            for (host, known) in hosts.iter_mut().zip(&mut known) {
                host.kill();
                scope.spawn(|| start_again(host, known));
            }
        });
    }
    for host in &hosts {
        host.until("all prints to end", |host| {
            let printer = host.json(&["printer", "show", "sim"]);
            let done = printer["reason"] == "queue-empty" || printer["reason"] == "no-copy-left";
            done.then_some(())
        });
    }
    check(&hosts, &submitted);
}

/// Compares what both hosts show in the end with what was submitted and with what the printers did.
fn check(hosts: &[Host; 2], submitted: &[Submitted]) {
    let [a, b] = hosts;
    let history = rows(a);
    a.until("both hosts to have the same history", |_| {
        (rows(a) == rows(b)).then_some(())
    });
    let mut shown = Vec::new();
    for host in hosts {
        let mut jobs = host.json(&["jobs", "--all", "-q", "farm"])["items"]
            .as_array()
            .unwrap()
            .clone();
        jobs.sort_by_key(|job| job["id"].as_str().unwrap().to_owned());
        let ids: Vec<&str> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
        let names: BTreeSet<&str> = jobs
            .iter()
            .map(|job| job["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), jobs.len(), "a job is there twice");
        for job in submitted {
            let acknowledged = job.id.as_deref();
            assert!(
                acknowledged.is_none_or(|id| ids.contains(&id)),
                "{} is lost",
                job.name
            );
        }
        let tried: BTreeSet<&str> = submitted.iter().map(|job| &*job.name).collect();
        assert!(names.is_subset(&tried));
        shown.push(jobs);
    }
    let states = |jobs: &[Value]| -> Vec<(Value, Value, Value)> {
        let claim = |claim: &Value| (claim["copy"].clone(), claim["state"].clone());
        let claims = |job: &Value| {
            job["claims"]
                .as_array()
                .unwrap()
                .iter()
                .map(claim)
                .collect::<Vec<_>>()
        };
        jobs.iter()
            .map(|job| {
                (
                    job["id"].clone(),
                    job["state"].clone(),
                    serde_json::json!(claims(job)),
                )
            })
            .collect()
    };
    assert_eq!(states(&shown[0]), states(&shown[1]));
    let logs = hosts.each_ref().map(logged);
    for (began, finished) in &logs {
        assert!(
            !began.is_empty() && !finished.is_empty(),
            "the logs tell of prints"
        );
    }
    let cut_off = history.iter().filter(|row| row.4 == "unknown").count();
    assert!(cut_off > 0, "no print was ever cut off");
    for job in &shown[0] {
        let copies = job["copies"].as_u64().unwrap();
        let states: Vec<&str> = (1..=copies)
            .map(|copy| check_copy(job, copy, &history, &logs))
            .collect();
        let wanted = if states.contains(&"unknown") {
            "unknown"
        } else if states.contains(&"failed") {
            "failed"
        } else {
            "done"
        };
        assert_eq!(job["state"], wanted, "{job:#}");
    }
}

/// More tries than these are not made of a copy.
const TRIES: usize = 4;

/// Checks one copy, and returns how it ended: `finished`, `unknown` or `failed`. Each try but the last died with its host.
fn check_copy<'a>(job: &'a Value, copy: u64, history: &[Row], logs: &[Logged; 2]) -> &'a str {
    let claims = job["claims"].as_array().unwrap().iter();
    let states = claims
        .filter(|claim| claim["copy"] == copy)
        .map(|claim| claim["state"].as_str().unwrap());
    let (died, begun): (Vec<&str>, Vec<&str>) = states
        .filter(|state| !matches!(*state, "given-back" | "released"))
        .partition(|state| *state == "failed");
    let state = match begun[..] {
        [state] => state,
        [] if died.len() == TRIES => "failed",
        _ => panic!("copy {copy} was begun {} times: {job:#}", begun.len()),
    };
    let name = job["name"].as_str().unwrap();
    let key = (name.to_owned(), copy);
    let of_copy: Vec<&Row> = history
        .iter()
        .filter(|row| row.0 == name && row.1 == copy)
        .collect();
    let mut wanted = 0;
    for set in job["sets"].as_array().unwrap() {
        let per_run = set["perRun"].as_u64().unwrap();
        wanted += per_run;
        let printed = of_copy
            .iter()
            .filter(|row| set["fileName"] == *row.2 && row.4 == "ok")
            .count() as u64;
        assert!(
            printed <= per_run,
            "{name} copy {copy} was printed too often: {of_copy:#?}"
        );
    }
    let unknown = of_copy.iter().filter(|row| row.4 == "unknown").count();
    let ok = of_copy.iter().filter(|row| row.4 == "ok").count() as u64;
    match state {
        "finished" => assert_eq!((ok, unknown), (wanted, died.len()), "{of_copy:#?}"),
        "unknown" => assert_eq!(unknown, 1 + died.len(), "{of_copy:#?}"),
        "failed" => assert_eq!(unknown, died.len(), "{of_copy:#?}"),
        other => panic!("copy {copy} ended {other}: {job:#}"),
    }
    assert_eq!(of_copy.len() as u64, ok + unknown as u64, "{of_copy:#?}");
    // What the printers did, by the logs of their own hosts, is no more than what the history says.
    // Of several runs each one but the last is told twice: when it begins and when it ends.
    let began: u64 = logs.iter().filter_map(|(began, _)| began.get(&key)).sum();
    assert!(
        began < 2 * of_copy.len() as u64,
        "{name} copy {copy} began {began} times: {of_copy:#?}"
    );
    let finished = logs.iter().any(|(_, finished)| finished.contains(&key));
    assert!(
        !finished || state == "finished",
        "{name} copy {copy} was finished, and is {state}"
    );
    state
}
