//! What one host asks of another, with real daemons: a print stopped from afar, also over the death of its host; a
//! start; and what is wanted while nobody who decides can be reached.
//!
//! Every step of the protocol has its crash in the node's own tests, in virtual time.

use std::{fs, path::Path};

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";

/// Prints for so many milliseconds at the speed above.
fn lasting(folder: &Path, ms: u32) -> String {
    let path = folder.join(format!("{ms}ms.gcode"));
    fs::write(&path, format!("G1 X1 F3000\nG4 S{}\n", 2 * ms)).unwrap();
    path.into_os_string().into_string().unwrap()
}

fn until_job(host: &Host, job: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    host.until(what, |host| {
        let ran = host.run(&["job", "show", job, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        fits(&shown).then_some(shown)
    })
}

fn until_state(host: &Host, job: &str, state: &str) -> Value {
    until_job(host, job, state, |job| job["state"] == state)
}

/// Rows of the history about a job, as `(printer, result, note)`.
fn prints(host: &Host, job: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = host.history().into_iter().filter(|row| row["jobId"] == job);
    rows.map(|row| {
        let printer = format!("{}/{}", text(&row["host"]), text(&row["printer"]));
        (printer, text(&row["result"]), text(&row["note"]))
    })
    .collect()
}

#[test]
fn a_print_on_another_host_is_stopped_after_a_yes_and_its_job_cancelled() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    let job = a.submit(&["-q", "farm", &lasting(farm.path(), 600_000), "-c", "2"]);
    until_state(&a, &job, "printing");
    let leased = a.problem("job.leased", &["job", "cancel", &job]);
    assert!(
        leased["fixes"][0].to_string().contains("--stop"),
        "{leased:#}"
    );
    let unsure = a.run(&["job", "cancel", &job, "--stop", "--no-input"]);
    assert_eq!(unsure.code, 2);
    assert!(
        unsure.stderr.contains("Stop the print on b/sim"),
        "{unsure:?}"
    );
    assert_eq!(a.job(&job)["state"], "printing");
    a.ok(&["job", "cancel", &job, "--stop", "-y"]);
    for host in [&a, &b] {
        let shown = until_state(host, &job, "cancelled");
        assert_eq!(shown["requests"], Value::Array(Vec::new()), "{shown:#}");
        assert_eq!(shown["claims"][0]["state"], "failed", "{shown:#}");
        assert_eq!(shown["claims"][0]["note"], "stopped by a", "{shown:#}");
        let stopped = ("b/sim".into(), "aborted".into(), "stopped by a".into());
        assert_eq!(prints(host, &job), [stopped]);
    }
    // The printer is no worse for it.
    let next = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    b.ok(&["printer", "ready", "sim"]);
    a.wait(&[&next]);
}

#[test]
fn a_stop_of_a_host_that_died_is_shown_as_waiting_for_it_and_ends_when_it_is_back() {
    let farm = Farm::new();
    let (mut a, mut b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    let job = a.submit(&["-q", "farm", &lasting(farm.path(), 600_000)]);
    until_state(&a, &job, "printing");
    b.kill();
    a.until_link("farm", "b", "away");
    let said = a.ok(&["job", "cancel", &job, "--stop", "-y"]);
    assert!(said.contains("waits for b"), "{said}");
    let again = a.json(&["job", "cancel", &job, "--stop", "-y"]);
    assert_eq!(again["already"], true, "{again:#}");
    let shown = a.job(&job);
    assert_eq!(shown["state"], "cancel-requested", "{shown:#}");
    let request = &shown["requests"][0];
    assert_eq!(
        (&request["kind"], &request["by"], &request["waitsFor"]),
        (&"stop".into(), &"a".into(), &"b".into()),
        "{shown:#}"
    );
    let table = a.ok(&["job", "show", &job]);
    assert!(table.contains("asked") && table.contains("stop"), "{table}");
    let listed = a.json(&["jobs", "-q", "farm"]);
    assert_eq!(
        listed["items"][0]["state"], "cancel-requested",
        "{listed:#}"
    );
    // Who asked restarts as well.
    a.kill();
    a.start();
    b.start();
    for host in [&a, &b] {
        until_state(host, &job, "cancelled");
        assert!(prints(host, &job).iter().all(|print| print.1 != "ok"));
    }
}

#[test]
fn a_job_that_a_host_asks_for_goes_first_on_the_printer_of_another() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts("sim://?speed=2000&clear=manual");
    a.ok(&["printer", "pause", "sim"]);
    let file = lasting(farm.path(), 5);
    let first = a.submit(&["-q", "farm", &file, "-c", "3", "--name", "first"]);
    until_job(&b, &first, "the first copy", |job| job["copiesDone"] == 1);
    let asked = a.submit(&["-q", "farm", &file, "--name", "asked"]);
    let said = a.ok(&["job", "start", &asked, "--printer", "b/sim"]);
    assert!(said.contains("asked is next on b/sim"), "{said}");
    let shown = a.job(&asked);
    let request = &shown["requests"][0];
    assert_eq!(request["printer"], "b/sim", "{shown:#}");
    assert_eq!(
        request["waitsFor"], "something lies on the bed",
        "{shown:#}"
    );
    b.until("the request", |b| {
        let shown = b.job(&asked);
        (shown["requests"].as_array()?.len() == 1).then_some(())
    });
    b.ok(&["printer", "ready", "sim"]);
    for host in [&a, &b] {
        until_state(host, &asked, "done");
        until_job(host, &asked, "no request", |job| {
            job["requests"].as_array().is_some_and(Vec::is_empty)
        });
    }
    assert_eq!(b.job(&first)["copiesDone"], 1);
    let refused = a.problem("job.over", &["job", "start", &asked, "--printer", "b/sim"]);
    assert_eq!(refused["exit"], 5);
}

#[test]
fn what_is_wanted_while_the_voter_is_away_is_shown_and_carried_out_when_it_returns() {
    let farm = Farm::new();
    let (mut a, b) = farm.two_hosts(FAST);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    let file = sliced("clip.gcode");
    let [gone, moved, kept] =
        ["gone", "moved", "kept"].map(|name| b.submit(&["-q", "farm", &file, "--name", name]));
    until_state(&a, &kept, "queued");
    a.kill();
    b.until_link("farm", "a", "away");
    for words in [
        &["job", "cancel", &gone][..],
        &["job", "move", &moved, "--to", "local"],
        &["job", "cancel", &kept],
    ] {
        let said = b.ok(words);
        assert!(said.contains("as soon as a answers"), "{said}");
    }
    assert_eq!(b.job(&gone)["state"], "cancel-requested");
    assert_eq!(b.job(&moved)["state"], "move-requested");
    let rows = b.job(&gone)["why"].as_array().unwrap().clone();
    assert!(
        rows.iter().all(|row| row["code"] == "cancel-requested"),
        "{rows:#?}"
    );
    b.ok(&["job", "release", &kept]);
    assert_eq!(b.job(&kept)["state"], "queued");
    b.ok(&["printer", "resume", "sim"]);
    a.start();
    for host in [&a, &b] {
        until_state(host, &gone, "cancelled");
        until_state(host, &kept, "done");
        assert!(prints(host, &gone).is_empty());
    }
    let back = b.until("the move", |b| {
        let local = b.json(&["jobs", "-q", "local", "--all"]);
        local["items"][0]["id"].as_str().map(str::to_owned)
    });
    b.wait(&[&back]);
    assert_eq!(prints(&b, &back).len(), 1);
}
