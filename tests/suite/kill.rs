//! The plug is pulled (SIGKILL) at every stage of a job's way, on real daemons: what was acknowledged is there
//! afterwards, nothing is printed twice, and nothing that moves goes on by itself.
//!
//! A fetch that is cut off is in `files`; what a full disk does, in the tests of the store.

mod rounds;

use std::{
    fs,
    io::Write as _,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use printmesh_api::reply::Event;
use rustix::process::Signal;
use serde_json::Value;

use super::environment::{Farm, Host, sliced};

/// A thousand times as fast as the real machine.
const FAST: &str = "sim://?speed=1000";
/// The same, and waits after each print until a person says that the bed is clear.
const BY_HAND: &str = "sim://?speed=1000&clear=manual";

/// Longer than any test, at the speed above.
const FOREVER_S: u32 = 10_000_000;

/// Writes a file that prints for so many seconds of the real machine; each text is another file.
fn gcode(folder: &Path, name: &str, seconds: u32, text: &str) -> String {
    let path = folder.join(name);
    fs::write(
        &path,
        format!("; {text}\nG1 X10 Y10 F3000\nG4 S{seconds}\nG1 X0 F3000\n"),
    )
    .unwrap();
    path.into_os_string().into_string().unwrap()
}

fn is_copy(event: &Event, job: &str, state: &str) -> bool {
    event.kind == "copy.state"
        && event.job.as_deref() == Some(job)
        && event.state.as_deref() == Some(state)
}

/// States of the claims of a job's copies, oldest attempt first.
fn claims(host: &Host, job: &str) -> Vec<String> {
    let shown = host.job(job);
    let claims = shown["claims"].as_array().unwrap().iter();
    claims
        .map(|claim| claim["state"].as_str().unwrap().to_owned())
        .collect()
}

fn results(host: &Host) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = host.history();
    rows.iter()
        .rev()
        .map(|row| (text(&row["fileName"]), text(&row["result"])))
        .collect()
}

fn until_state(host: &Host, job: &str, state: &str) {
    host.until(&format!("{job} to be {state}"), |host| {
        (host.job(job)["state"] == state).then_some(())
    });
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.collect()
}

#[test]
fn a_host_that_dies_during_an_upload_has_no_half_file_afterwards_and_takes_the_whole_one() {
    let farm = Farm::new();
    let mut a = farm.printing_host("a", FAST);
    let body = "G1 X10 Y10 F3000\n".repeat(200_000);
    let mut socket = UnixStream::connect(a.home.join("run/api.sock")).unwrap();
    let head = format!(
        "PUT /api/v1/blobs?name=big.gcode HTTP/1.1\r\nhost: printmesh\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    // More than a socket holds: when this is through, the daemon has taken bytes in.
    socket
        .write_all(&body.as_bytes()[..body.len() / 2])
        .unwrap();
    a.kill();
    a.start();
    assert_eq!(files_below(&a.home.join("incoming")), Vec::<PathBuf>::new());
    assert_eq!(
        a.json(&["jobs", "--all"])["items"],
        Value::Array(Vec::new())
    );
    a.ok(&["printer", "ready", "sim"]);
    let job = a.submit(&[&gcode(farm.path(), "big.gcode", 1, "whole")]);
    a.wait(&[&job]);
    assert_eq!(results(&a), [("big.gcode".to_owned(), "ok".to_owned())]);
}

#[test]
fn a_host_that_dies_between_claim_and_fetch_gives_the_copy_back_and_it_is_printed_once() {
    let farm = Farm::new();
    let (mut a, mut c) = (farm.host("a"), farm.host("c"));
    a.start();
    c.start();
    let mut b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    for host in [&b, &c] {
        host.ok(&["join", &a.ticket("farm")]);
    }
    let job = c.submit(&["-q", "farm", "--draft", &sliced("clip.gcode")]);
    for host in [&a, &b] {
        host.until("the draft", |host| {
            (host.run(&["job", "show", &job]).code == 0).then_some(())
        });
    }
    // Only c has the file, and c does not answer: b claims the copy and gets no byte.
    c.signal(Signal::STOP);
    let mut events = b.events();
    a.ok(&["job", "release", &job]);
    events.wait_for("the claim", |event| is_copy(event, &job, "fetching"));
    drop(events);
    b.kill();
    b.start();
    assert_eq!(claims(&b, &job), ["given-back"]);
    assert_eq!(b.job(&job)["sets"][0]["here"], false);
    // Its bed is unknown now, so it does not try again before a person has looked.
    c.signal(Signal::CONT);
    b.until_link("farm", "c", "connected");
    b.ok(&["printer", "ready", "sim"]);
    a.wait(&[&job]);
    b.wait(&[&job]);
    for host in [&a, &b] {
        assert_eq!(results(host), [("clip.gcode".to_owned(), "ok".to_owned())]);
    }
}

#[test]
fn a_copy_whose_host_died_while_printing_has_failed_everywhere_and_its_printer_waits_for_a_person()
{
    let farm = Farm::new();
    let (a, mut b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    let endless = gcode(farm.path(), "endless.gcode", FOREVER_S, "endless");
    let mut events = b.events();
    let job = a.submit(&["-q", "farm", &endless]);
    events.wait_for("the print", |event| {
        event.kind == "print.progress" && event.progress > Some(0.0)
    });
    drop(events);
    until_state(&a, &job, "printing");
    b.kill();
    // It would be tried again on the other printer, once it is known to have failed.
    a.ok(&["job", "hold", &job]);
    // The other printer is free, and leaves it alone: it takes what comes after.
    a.ok(&["printer", "resume", "sim"]);
    let after = gcode(farm.path(), "after.gcode", 1, "after");
    let after = a.submit(&["-q", "farm", &after]);
    a.wait(&[&after]);
    a.ok(&["printer", "pause", "sim"]);
    b.start();
    b.until_link("farm", "a", "connected");
    for host in [&a, &b] {
        until_state(host, &job, "held");
        let shown = host.job(&job);
        assert_eq!(claims(host, &job), ["failed"]);
        let note = shown["claims"][0]["note"].as_str().unwrap();
        assert!(note.contains("in the middle of the print"), "{note}");
        let printer = host.until("the bed to be unknown", |host| {
            let printer = host.json(&["printer", "show", "b/sim"]);
            (printer["bed"] == "unknown").then_some(printer)
        });
        assert_eq!(printer["state"], "unknown");
        assert_eq!(printer["reason"], "bed-unknown");
    }
    let needs = b.json(&["status"])["needsYou"].clone();
    assert_eq!(needs[0]["command"], "printmesh printer ready sim");
    // Another job waits as well, until a person has looked.
    let next = gcode(farm.path(), "next.gcode", 1, "next");
    let next = a.submit(&["-q", "farm", &next]);
    b.until("the job", |b| {
        let ran = b.run(&["job", "show", &next, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        let rows = shown["why"].as_array()?.clone();
        rows.iter()
            .any(|row| row["printer"] == "b/sim" && row["code"] == "bed-unknown")
            .then_some(())
    });
    b.ok(&["printer", "ready", "sim"]);
    b.wait(&[&next]);
    a.wait(&[&next]);
    for host in [&a, &b] {
        assert_eq!(claims(host, &job), ["failed"]);
        let mut results = results(host);
        results.sort();
        let wanted = [
            ("after.gcode", "ok"),
            ("endless.gcode", "unknown"),
            ("next.gcode", "ok"),
        ];
        assert_eq!(
            results,
            wanted.map(|(file, result)| (file.to_owned(), result.to_owned()))
        );
    }
}

#[test]
fn a_host_that_dies_between_two_sets_goes_on_with_the_second_once_a_person_has_cleared_the_bed() {
    let farm = Farm::new();
    let (a, mut b) = farm.two_hosts(BY_HAND);
    a.ok(&["printer", "pause", "sim"]);
    let first = gcode(farm.path(), "first.gcode", 1, "first");
    let second = gcode(farm.path(), "second.gcode", 1, "second");
    let job = a.submit(&["-q", "farm", &first, &second]);
    b.until("the first set to be printed", |b| {
        (!b.history().is_empty()).then_some(())
    });
    b.kill();
    b.start();
    b.until_link("farm", "a", "connected");
    let printer = b.json(&["printer", "show", "sim"]);
    assert_ne!(printer["bed"], "clear", "{printer:#}");
    assert_eq!(claims(&b, &job), ["printing"]);
    a.problem("job.leased", &["job", "cancel", &job]);
    b.ok(&["printer", "ready", "sim"]);
    b.wait(&[&job]);
    a.wait(&[&job]);
    for host in [&a, &b] {
        let wanted = [("first.gcode", "ok"), ("second.gcode", "ok")];
        assert_eq!(
            results(host),
            wanted.map(|(file, ok)| (file.to_owned(), ok.to_owned()))
        );
    }
}
