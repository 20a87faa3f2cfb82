//! When things will be done, end to end: two daemons share a queue, and each of them says what will be printed when.
//!
//! What the simulation does in every case is the scheduler's own test (`crates/core/schedule/tests/plan/ahead.rs`).

use std::fs;

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

/// As slow as a real one: a print of `clip.gcode` takes longer than any test.
const SLOW: &str = "sim://?speed=1";
const FAST: &str = "sim://?speed=20000";

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field}: {value:#}"))
}

/// Milliseconds since 1970.
fn millis(time: &str) -> i64 {
    let time: jiff::Timestamp = time.parse().expect("a time");
    time.as_millisecond()
}

/// Waits until this host sees two prints under way, and returns what it says of the rest.
fn simulated(host: &Host, more: &[&str]) -> Value {
    host.until("two prints", |host| {
        let told = host.json(&[&["simulate"], more].concat());
        let begun = told["prints"].as_array()?.iter();
        (begun.filter(|print| print["begun"] == true).count() == 2).then_some(told)
    })
}

#[test]
fn every_host_says_when_a_job_will_be_done_and_that_its_date_will_be_missed() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(SLOW);
    let job = a.submit(&[
        "-q",
        "farm",
        &sliced("clip.gcode"),
        "-c",
        "3",
        "--due",
        "+30s",
    ]);
    for host in [&a, &b] {
        let told = simulated(host, &[]);
        let prints = told["prints"].as_array().unwrap();
        assert_eq!(prints.len(), 3, "{told:#}");
        // The third copy follows the first one that is done.
        let mut ends: Vec<&str> = prints[..2].iter().map(|print| text(print, "to")).collect();
        ends.sort_unstable();
        assert_eq!(text(&prints[2], "from"), ends[0]);
        assert_eq!(told["doneAt"], prints[2]["to"]);
        assert_eq!(told["jobs"][0]["finish"]["at"], told["doneAt"]);
        let late = told["jobs"][0]["finish"]["lateS"].as_u64().unwrap();
        assert!(
            (30..200).contains(&late),
            "two prints of 67 s, due in 30 s: {told:#}"
        );

        let shown = host.job(&job);
        assert!(shown["finish"]["at"].is_string(), "{shown:#}");
        assert!(shown["finish"]["lateS"].is_u64());
        let listed = host.json(&["jobs"]);
        assert!(listed["items"][0]["finish"]["lateS"].is_u64());
        assert!(
            host.ok(&["simulate", "--until", "done"])
                .contains("clip #3")
        );

        let slow = simulated(host, &["--turnaround", "1h"]);
        assert!(slow["prints"][2]["from"].as_str() > told["prints"][2]["to"].as_str());
        let near = simulated(host, &["--until", "+1s"]);
        assert_eq!(
            (near["cut"].as_bool(), near["doneAt"].as_str()),
            (Some(true), None)
        );
        assert_eq!(near["prints"].as_array().unwrap().len(), 2);
    }
    a.problem("queue.unknown", &["simulate", "-q", "nowhere"]);
}

#[test]
fn a_file_without_an_estimate_has_no_time_until_it_was_printed_once() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let plain = farm.path().join("plain.gcode");
    fs::write(&plain, "G28\nG1 X1\nM104 S0\n").unwrap();
    let plain = plain.to_str().unwrap();
    a.ok(&["printer", "pause", "sim"]);
    let clip = a.submit(&[&sliced("clip.gcode")]);
    let first = a.submit(&[plain]);
    let waits = a.job(&first);
    assert_eq!(waits["finish"]["at"], Value::Null, "the printer is paused");
    a.ok(&["printer", "resume", "sim"]);
    a.wait(&[&clip, &first]);
    assert_eq!(a.job(&first)["finish"], Value::Null, "it is done");

    // Off by hand, so that nothing of what comes now is printed before it was looked at.
    let other = farm.path().join("other.gcode");
    fs::write(&other, "G28\nG1 X2\nM104 S0\n").unwrap();
    let drafts = [plain, other.to_str().unwrap(), &sliced("clip.gcode")]
        .map(|file| a.submit(&[file, "--not-before", "+1h"]));
    let told = a.json(&["simulate"]);
    let prints = told["prints"].as_array().unwrap();
    // The second one has no time, so that nothing comes after it on the only printer.
    let rows: Vec<(&str, &str)> = prints
        .iter()
        .map(|print| (text(print, "job"), text(print, "basis")))
        .collect();
    assert_eq!(rows, [("plain", "measured"), ("other", "none")]);
    assert_eq!(told["doneAt"], Value::Null);
    let unknown = drafts.map(|job| a.job(&job)["finish"]["unknown"].clone());
    assert_eq!(unknown[0], Value::Null);
    assert_eq!(unknown[1], "nobody knows how long other.gcode takes");
    assert_eq!(
        unknown[2],
        "waits behind a print of other.gcode: nobody knows how long other.gcode takes"
    );
    let second = a.json(&["jobs"])["items"][1]["id"].clone();
    a.ok(&["job", "cancel", second.as_str().unwrap()]);
    let told = a.json(&["simulate"]);
    let learned = &told["learned"][0];
    assert_eq!(
        (text(learned, "fileName"), text(learned, "printer")),
        ("clip.gcode", "a/sim")
    );
    assert!(learned["perMille"].as_u64().unwrap() < 1000, "{told:#}");
    assert!(told["doneAt"].is_string());
}

#[test]
fn every_host_foresees_places_to_heat_cooling_beds_and_quiet_hours() {
    const MINUTES_MS: i64 = 60_000;
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(SLOW);
    a.ok(&["queue", "set", "farm", "--heat-slots", "1"]);
    a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "3"]);
    let from = |told: &Value, n: usize| millis(text(&told["prints"][n], "from"));
    // One heats, and at this speed it goes on to; the other one has its copy and waits for the place.
    for host in [&a, &b] {
        let told = host.until("one of two", |host| {
            let told = host.json(&["simulate"]);
            let prints = told["prints"].as_array()?.iter();
            let begun: Vec<bool> = prints.map(|print| print["begun"] == true).collect();
            (begun == [true, false, false]).then_some(told)
        });
        let second = from(&told, 1) - from(&told, 0);
        assert_eq!(second, 5 * MINUTES_MS, "{told:#}");
    }
    a.ok(&["queue", "set", "farm", "--heat-slots", "none"]);
    for host in [&a, &b] {
        host.ok(&["printer", "edit", "sim", "--cool-to", "30"]);
    }
    let mut cooled = Value::Null;
    for host in [&a, &b] {
        cooled = host.until("two prints, and a bed that cools", |host| {
            let told = host.json(&["simulate"]);
            let prints = told["prints"].as_array()?;
            let begun = prints.iter().filter(|print| print["begun"] == true);
            if begun.count() != 2 {
                return None;
            }
            let first = prints[..2]
                .iter()
                .map(|print| millis(text(print, "to")))
                .min();
            let wait = from(&told, 2) - first?;
            (wait == 20 * MINUTES_MS).then_some(told)
        });
    }
    // A day that is quiet from end to end: what runs goes on, the third copy waits for somebody to change that.
    for host in [&a, &b] {
        let day = [
            "--quiet-hours",
            "00:00-12:00",
            "--quiet-hours",
            "12:00-00:00",
        ];
        host.ok(&[&["printer", "edit", "sim"][..], &day].concat());
    }
    for host in [&a, &b] {
        let told = host.until("no third print", |host| {
            let told = host.json(&["simulate"]);
            (told["prints"].as_array()?.len() == 2).then_some(told)
        });
        assert_eq!(told["prints"].as_array().unwrap().len(), 2);
        assert_eq!(told["doneAt"], Value::Null);
        let finish = &told["jobs"][0]["finish"];
        assert_eq!(finish["unknown"], "as things are, nothing starts all of it");
    }
    assert!(cooled["doneAt"].is_string());
}
