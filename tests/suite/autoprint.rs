//! AutoPrint end to end: another host's job on a printer that prints so many copies by itself, and then asks a person.

use super::environment::{Farm, Host, sliced};

/// It clears its own bed: nothing but the count stops it.
const FAST: &str = "sim://?speed=20000";

#[test]
fn a_printer_stops_printing_by_itself_after_as_many_copies_as_a_person_allowed() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    b.ok(&["autoprint", "on", "sim", "--cycles", "2"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "4"]);
    let stopped = |n: usize| {
        a.until("the end of its turns", |a| {
            let why = a.json(&["job", "show", &job, "--why"])["why"].clone();
            let rows = why.as_array().unwrap();
            let off = |row: &&serde_json::Value| {
                row["printer"] == "b/sim" && row["code"] == "autoprint-off"
            };
            (a.history().len() == n && rows.iter().any(|row| off(&row))).then_some(())
        });
    };
    stopped(2);
    // What is left is for a person: one press, or another allowance.
    assert_eq!(a.json(&["todo"])["items"][0]["prints"], 2);
    b.ok(&["autoprint", "on", "sim", "--cycles", "1"]);
    stopped(3);
    assert_eq!(b.run(&["autoprint", "on", "sim", "--cycles", "0"]).code, 2);
    b.ok(&["autoprint", "on", "sim"]);
    a.wait(&[&job]);
}

/// Nobody clears its bed unless somebody or a script does.
const BY_HAND: &str = "sim://?speed=20000&clear=manual";

/// Waits until `a` is told why printer `b/sim` does not take the job.
fn until_why(a: &Host, job: &str, code: &str) {
    a.until(code, |a| {
        let why = a.json(&["job", "show", job, "--why"])["why"].clone();
        let rows = why.as_array()?;
        let row = rows.iter().find(|row| row["printer"] == "b/sim")?;
        (row["code"] == code).then_some(())
    });
}

#[test]
fn r_a2_a_printer_cools_down_runs_its_owners_script_and_prints_the_next_copy_while_nobody_is_there()
{
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(BY_HAND);
    a.ok(&["printer", "pause", "sim"]);
    let eject = farm.path().join("eject.gcode");
    std::fs::write(&eject, "G28\nG1 Y100 F3000\nM84\n").unwrap();
    let eject = eject.to_str().unwrap();
    let edit = |args: &[&str]| b.ok(&[&["printer", "edit", "sim"], args].concat());
    // Colder than the room: it never gets there.
    edit(&["--cool-to", "20", "--clear-gcode", eject]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "4"]);
    until_why(&a, &job, "cooling");
    edit(&["--cool-to", "25"]);
    // Nobody has vouched for the script: somebody looks.
    until_why(&a, &job, "bed-unknown");
    assert_eq!(a.history().len(), 1);
    edit(&["--clear-trusted"]);
    b.ok(&["printer", "ready", "sim"]);
    a.wait(&[&job]);
    let shown = b.ok(&["printer", "show", "sim"]);
    assert!(shown.contains("25 °C"), "{shown}");
    // A script that this printer may not run moves nothing.
    let bad = farm.path().join("bad.gcode");
    std::fs::write(&bad, "M502\nM500\n").unwrap();
    edit(&["--clear-gcode", bad.to_str().unwrap(), "--clear-trusted"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "2"]);
    b.ok(&["printer", "ready", "sim"]);
    until_why(&a, &job, "bed-unknown");
}

#[test]
fn a_copy_that_a_person_calls_bad_is_printed_again() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(BY_HAND);
    a.ok(&["printer", "pause", "sim"]);
    b.ok(&["printer", "edit", "sim", "--verdict", "ask"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "2"]);
    until_why(&a, &job, "verdict");
    assert_eq!(b.json(&["printer", "show", "sim"])["state"], "verdict");
    let todo = b.json(&["todo"])["items"].clone();
    let mut rows = todo.as_array().unwrap().iter();
    let verdict = "printmesh printer ready sim --good";
    assert!(
        rows.any(|row| row["steps"][0]["command"] == verdict),
        "{todo}"
    );
    b.ok(&["printer", "ready", "sim", "--bad"]);
    let ended = |n: usize| a.until("the end", |a| (a.history().len() == n).then_some(()));
    ended(1);
    for _ in 0..2 {
        // Of the last copy the job itself waits for nothing.
        b.until("the verdict", |b| {
            let shown = b.json(&["printer", "show", "sim"]);
            (shown["state"] == "verdict").then_some(())
        });
        b.ok(&["printer", "ready", "--all", "--good"]);
    }
    a.wait(&[&job]);
    ended(3);
    b.problem("copy.certain", &["printer", "ready", "sim", "--good"]);
    // On a second look the last one is not good: its copy is printed once more.
    b.ok(&["printer", "pause", "sim"]);
    b.ok(&["printer", "ready", "sim", "--bad"]);
    assert_ne!(b.job(&job)["state"], "done");
    b.problem("verdict.booked", &["printer", "ready", "sim", "--good"]);
    b.ok(&["printer", "resume", "sim"]);
    b.until("the verdict", |b| {
        let shown = b.json(&["printer", "show", "sim"]);
        (shown["state"] == "verdict").then_some(())
    });
    b.ok(&["printer", "ready", "sim", "--good"]);
    a.wait(&[&job]);
    ended(4);
}

#[test]
fn a_printer_starts_nothing_in_its_quiet_hours() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    let quiet = |args: &[&str]| b.ok(&[&["printer", "edit", "sim"], args].concat());
    // Two halves of a day, whatever the time is.
    quiet(&[
        "--quiet-hours",
        "00:00-12:00",
        "--quiet-hours",
        "12:00-00:00",
    ]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    until_why(&a, &job, "quiet-hours");
    let refused = b.run(&["printer", "edit", "sim", "--quiet-hours", "25:00-07:00"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    quiet(&["--quiet-hours", ""]);
    a.wait(&[&job]);
}

#[test]
fn r_a7_a_printer_with_a_belt_prints_all_copies_although_nobody_clears_it() {
    let farm = Farm::new();
    let host = farm.printing_host("shop", "sim://?speed=20000&clear=manual");
    host.ok(&["printer", "edit", "sim", "--belt", "200"]);
    let shown = host.ok(&["printer", "show", "sim"]);
    assert!(
        shown.contains("by its belt, which advances by 200 mm"),
        "{shown}"
    );
    let job = host.submit(&[&sliced("clip.gcode"), "-c", "3"]);
    host.wait(&[&job]);
    assert_eq!(host.history().len(), 3);
    host.ok(&["printer", "edit", "sim", "--belt", "0"]);
    assert!(!host.ok(&["printer", "show", "sim"]).contains("belt"));
}

#[test]
fn r_l10_a_program_is_told_once_that_somebody_has_to_clear_the_bed() {
    use std::os::unix::fs::PermissionsExt as _;
    let farm = Farm::new();
    let mut host = farm.host("shop");
    let (program, told) = (farm.path().join("tell"), farm.path().join("told"));
    let made = std::process::Command::new("mkfifo").arg(&told).status();
    assert!(made.unwrap().success());
    let script = format!("#!/bin/sh\necho \"$1 $2: $3\" >> {}\n", told.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    host.configure(&format!("[notify]\ncommand = \"{}\"\n", program.display()));
    host.start();
    host.ok(&[
        "printer",
        "add",
        "sim",
        "--at",
        "sim://?speed=20000&clear=manual",
    ]);
    let mut events = host.events();
    let job = host.submit(&[&sliced("clip.gcode")]);
    host.wait(&[&job]);
    let event = events.wait_for("the word", |event| event.kind == "printer.needs-person");
    assert_eq!(event.printer.as_deref(), Some("shop/sim"));
    assert_eq!(event.state.as_deref(), Some("bed-not-clear"));
    // It waits until the program has ended.
    let line = std::fs::read_to_string(&told).unwrap();
    assert_eq!(
        line,
        format!("shop/sim bed-not-clear: {}\n", event.text.unwrap())
    );
}
