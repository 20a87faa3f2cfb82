//! What people read: jobs by the references that they type, reasons, what is over, history and events.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;

use super::{BY_HAND, FAST, SLOW, interrupt, items};
use crate::suite::environment::{Farm, PATIENCE, sliced};

// References to jobs

#[test]
fn any_unique_beginning_of_an_id_will_do_and_an_ambiguous_one_names_the_candidates() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    // An id begins with one of 16 letters: of 17 jobs, two share it.
    let mut by_letter: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for n in 0..17 {
        let id = a.submit(&[
            &sliced("clip.gcode"),
            "--draft",
            "--name",
            &format!("Job {n}"),
        ]);
        assert!(
            id.len() == 32 && id.bytes().all(|b| (b'k'..=b'z').contains(&b)),
            "{id}"
        );
        by_letter.entry(id[..1].to_owned()).or_default().push(id);
    }
    let (letter, several) = by_letter.iter().find(|(_, ids)| ids.len() > 1).unwrap();
    for args in [["job", "show", letter], ["job", "cancel", letter]] {
        let problem = a.problem("job.ambiguous", &args);
        assert_eq!(problem["exit"], 3);
        let why = problem["why"].as_str().unwrap();
        for id in &several[..2] {
            assert!(why.contains(&id[..8]), "{id} is not in {why}");
        }
    }
    for job in items(&a.json(&["jobs"])) {
        let id = job["id"].as_str().unwrap();
        let shortest = job["uniquePrefix"].as_u64().unwrap() as usize;
        for length in [shortest, shortest + 1, 32] {
            assert_eq!(a.job(&id[..length])["id"], id);
        }
        if shortest > 1 {
            a.problem("job.ambiguous", &["job", "show", &id[..shortest - 1]]);
        }
    }
    // Place and name are references too; what fits nothing is unknown, and nothing was changed by any of it.
    assert_eq!(a.job("local#3")["name"], "Job 2");
    assert_eq!(a.job("Job 16")["position"], 17);
    a.problem("request.bad", &["job", "show", ""]);
    for unknown in ["local#18", "local#0", "nosuch", &"z".repeat(32)] {
        assert_eq!(
            a.problem("job.unknown", &["job", "show", unknown])["exit"],
            3
        );
    }
    assert_eq!(items(&a.json(&["jobs"])).len(), 17);
}

#[test]
fn a_name_means_the_job_that_is_not_over_and_else_the_only_one_that_had_it() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let submit = |more: &[&str]| {
        let clip = sliced("clip.gcode");
        a.submit(&[&[&*clip, "--name", "Lid"], more].concat())
    };
    let first = submit(&[]);
    a.wait(&["Lid"]);
    assert_eq!(a.job("Lid")["id"], *first);
    let second = submit(&["--draft"]);
    assert_eq!(a.job("Lid")["id"], *second);
    a.problem(
        "job.ambiguous",
        &["job", "show", {
            submit(&["--draft"]);
            "Lid"
        }],
    );
}

// Reasons

#[test]
fn every_waiting_job_and_every_idle_printer_has_a_reason_with_a_code() {
    let farm = Farm::new();
    let a = farm.printing_host("a", SLOW);
    for (name, at) in [("off", FAST), ("paused", FAST), ("full", BY_HAND)] {
        a.ok(&["printer", "add", name, "--at", at]);
    }
    a.ok(&["autoprint", "off", "off"]);
    a.ok(&["printer", "pause", "paused"]);
    let clip = sliced("clip.gcode");
    let submit = |name: &str, more: &[&str]| {
        let words = [&["submit", &clip, "--name", name], more].concat();
        a.ok(&words);
    };
    submit("first", &["--printer", "full"]);
    a.wait(&["first"]);
    submit("busy", &["--printer", "sim"]);
    a.wait_until("printing", "busy");
    submit("draft", &["--draft"]);
    submit("for-off", &["--printer", "off"]);
    submit("for-paused", &["--printer", "paused"]);
    submit("for-full", &["--printer", "full"]);
    submit("for-sim", &["--printer", "sim"]);
    submit("any", &[]);
    a.ok(&["job", "hold", "any"]);
    let wanted = [
        ("draft", "draft", "draft"),
        ("for-off", "queued", "autoprint-off"),
        ("for-paused", "queued", "printer-paused"),
        ("for-full", "queued", "bed-not-clear"),
        ("for-sim", "queued", "printer-busy"),
        ("any", "held", "held"),
    ];
    for (name, state, reason) in wanted {
        let job = a.job(name);
        assert_eq!(
            (&job["state"], &job["reason"]),
            (&state.into(), &reason.into()),
            "{job:#}"
        );
        assert!(job["reasonText"].is_string(), "{job:#}");
        let rows = job["why"].as_array().unwrap();
        assert_eq!(rows.len(), 4, "{job:#}");
        for row in rows {
            assert_ne!(row["code"], "free", "{job:#}");
            assert!(row["text"].as_str().is_some_and(|text| !text.is_empty()));
        }
        // The same for people.
        let shown = a.ok(&["job", "show", name, "--why"]);
        let lines = shown.lines().filter(|line| line.starts_with("why\ta/"));
        assert_eq!(lines.count(), 4, "{shown}");
        assert!(shown.contains(reason), "{shown}");
    }
    let printers = items(&a.json(&["printer", "list"]));
    let reason = |name: &str| {
        let printer = printers.iter().find(|p| p["name"] == name).unwrap();
        printer["reason"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(reason("off"), "autoprint-off");
    assert_eq!(reason("paused"), "printer-paused");
    assert_eq!(reason("full"), "bed-not-clear");
    for printer in &printers {
        let idles = printer["state"] != "printing";
        assert_eq!(printer["reason"].is_string(), idles, "{printer:#}");
    }
    let needs = &a.json(&["status"])["needsYou"];
    assert_eq!(needs[0]["command"], "printmesh printer ready full");
}

#[test]
fn a_printer_with_nothing_to_do_says_that_too() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let reason = || a.json(&["printer", "show", "sim"])["reason"].clone();
    assert_eq!(reason(), "queue-empty");
    let draft = a.submit(&[&sliced("clip.gcode"), "--name", "later", "--draft"]);
    assert_eq!(reason(), "nothing-fits");
    let shown = a.json(&["printer", "show", "sim"]);
    let text = shown["reasonText"].as_str().unwrap();
    assert!(
        text.contains("later comes closest: it is a draft"),
        "{text}"
    );
    a.ok(&["printer", "load", "sim", "0=PLA"]);
    a.ok(&["job", "cancel", &draft]);
    // Another queue that has nothing is no reason while this one has.
    a.ok(&["queue", "create", "farm"]);
    let clip = std::fs::read_to_string(sliced("clip.gcode")).unwrap();
    let petg = farm.path().join("petg.gcode");
    let other = clip.replace("filament_type = PLA", "filament_type = PETG");
    std::fs::write(&petg, other).unwrap();
    a.submit(&[petg.to_str().unwrap(), "-q", "farm"]);
    let shown = a.json(&["printer", "show", "sim"]);
    assert_eq!(shown["reason"], "nothing-fits", "{shown:#}");
    let text = shown["reasonText"].as_str().unwrap();
    assert!(text.contains("PETG"), "{text}");
}

// What is over

#[test]
fn the_archive_lists_what_is_over_and_the_queue_what_is_not() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let clip = sliced("clip.gcode");
    a.ok(&["queue", "create", "farm"]);
    a.submit(&[&clip, "--name", "done"]);
    a.wait(&["done"]);
    a.submit(&[&clip, "--name", "cancelled", "--draft"]);
    a.ok(&["job", "cancel", "cancelled"]);
    a.submit(&[&clip, "--name", "open", "--draft", "-q", "farm"]);
    let listed = |args: &[&str]| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let rows = items(&a.json(args));
        rows.iter()
            .map(|row| (text(&row["name"]), text(&row["state"])))
            .collect()
    };
    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    let over = [pair("cancelled", "cancelled"), pair("done", "done")];
    assert_eq!(listed(&["jobs", "-q", "archive"]), over);
    assert_eq!(listed(&["jobs"]), [pair("open", "draft")]);
    assert_eq!(listed(&["jobs", "-q", "farm"]), [pair("open", "draft")]);
    assert_eq!(listed(&["jobs", "-q", "local", "--all"]), over);
    a.problem("queue.unknown", &["submit", &clip, "-q", "archive"]);
    a.problem("job.over", &["job", "edit", "cancelled", "--copies", "2"]);
}

#[test]
fn history_lists_every_ended_print_newest_first() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["queue", "create", "farm"]);
    let (cube, clip) = (sliced("cube.gcode"), format!("{}:2", sliced("clip.gcode")));
    let kit = a.submit(&[&cube, &clip, "--name", "kit"]);
    a.wait(&[&kit]);
    let lid = a.submit(&[&sliced("clip.gcode"), "--name", "lid", "-q", "farm"]);
    a.wait(&[&lid]);
    let rows = a.history();
    let names: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| {
            (
                row["job"].as_str().unwrap(),
                row["fileName"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("lid", "clip.gcode"),
        ("kit", "clip.gcode"),
        ("kit", "clip.gcode"),
        ("kit", "cube.gcode"),
    ];
    assert_eq!(names, expected);
    for row in &rows {
        assert_eq!(
            (&row["host"], &row["printer"]),
            (&"a".into(), &"sim".into())
        );
        assert_eq!(row["result"], "ok");
        assert!(row["tookS"].is_u64() && row["at"].is_string(), "{row:#}");
    }
    assert_eq!(items(&a.json(&["history", "--limit", "2"])).len(), 2);
    assert_eq!(items(&a.json(&["history", "-q", "farm"])).len(), 1);
    assert_eq!(items(&a.json(&["history", "--printer", "a/sim"])).len(), 4);
    assert_eq!(a.ok(&["history"]).lines().count(), 4);
    a.problem("queue.unknown", &["history", "-q", "nosuch"]);
    a.problem("printer.unknown", &["history", "--printer", "nosuch"]);
}

// Events

#[test]
fn events_are_json_lines_in_the_order_in_which_things_happen_until_ctrl_c() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let mut events = a.command(&["events"]);
    let mut events = events
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(events.stdout.take().unwrap());
    let (line, lines) = mpsc::channel();
    std::thread::spawn(move || {
        stdout
            .lines()
            .map_while(Result::ok)
            .try_for_each(|l| line.send(l))
    });
    // It listens once it shows something; until then something is done that can be heard.
    let mut n = 0;
    let first = loop {
        n += 1;
        a.ok(&["printer", "pause", "sim", "--reason", &format!("{n}")]);
        if let Ok(first) = lines.recv_timeout(Duration::from_millis(100)) {
            break first;
        }
        assert!(n < 600, "nothing was heard");
    };
    let job = a.submit(&[&sliced("clip.gcode")]);
    a.ok(&["job", "edit", &job, "--name", "lid"]);
    a.ok(&["printer", "resume", "sim"]);
    let mut heard = vec![first];
    let event = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    while event(heard.last().unwrap())["state"] != "done" {
        heard.push(lines.recv_timeout(PATIENCE).expect("an event"));
    }
    interrupt(&events);
    assert_eq!(events.wait().unwrap().code(), Some(130));
    let heard: Vec<Value> = heard.iter().map(event).collect();
    let seqs: Vec<u64> = heard.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seqs:?}"
    );
    let times: Vec<&str> = heard.iter().map(|e| e["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of_job = |kind: &str| -> Vec<&str> {
        let of_kind = heard
            .iter()
            .filter(|e| e["kind"] == kind && e["job"] == *job);
        of_kind.map(|e| e["state"].as_str().unwrap()).collect()
    };
    let states = of_job("job.state");
    assert_eq!(
        (states.first(), states.last()),
        (Some(&"queued"), Some(&"done")),
        "{states:?}"
    );
    assert!(states.contains(&"printing"), "{states:?}");
    assert_eq!(
        of_job("job.changed"),
        ["queued"],
        "an edit can be heard of as well"
    );
    assert_eq!(of_job("copy.state").last(), Some(&"finished"));
}
