//! Models, from the command line to a printer: the host whose printer acquires a job slices it.
//!
//! With the real PrusaSlicer where it is installed (`apt-get install prusa-slicer`), with a script in its place for the rest.

mod vendors;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=20000";

/// Host b slices with this program and this layer height; host a cannot slice. They share a queue.
fn farm_that_slices(farm: &Farm, command: &str, layer_mm: &str) -> (Host, Host) {
    let config = farm.path().join("draft.ini");
    let settings = "printer_model = MK4S\nnozzle_diameter = 0.4\nfilament_type = PLA\n\
        bed_shape = 0x0,250x0,250x210,0x210\nstart_gcode = G28\nend_gcode = M104 S0\ngcode_flavor = marlin\n";
    fs::write(&config, format!("{settings}layer_height = {layer_mm}\n")).unwrap();
    let a = farm.printing_host("a", FAST);
    let mut b = farm.host("b");
    b.configure(&format!(
        "[network]\nbind = \"127.0.0.1:0\"\ndiscovery = false\n\
         [[slicer]]\nprofile = \"draft\"\ncommand = \"{command}\"\nconfig = \"{}\"\n",
        config.display()
    ));
    b.start();
    b.ok(&["printer", "add", "sim", "--at", FAST]);
    b.ok(&["printer", "edit", "sim", "--model", "MK4S"]);
    a.ok(&["printer", "edit", "sim", "--model", "MK4S"]);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    (a, b)
}

/// A program that does this instead of slicing; `$7` is where the G-code goes.
fn script(farm: &Farm, script: &str) -> String {
    let path = farm.path().join("slicer");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Waits until a host says this of one printer and the job.
fn reason(host: &Host, job: &str, printer: &str, code: &str) -> String {
    host.until(code, |host| {
        let shown = host.job(job);
        let mut rows = shown["why"].as_array()?.iter();
        let row = rows.find(|row| row["printer"] == printer && row["code"] == code)?;
        row["text"].as_str().map(str::to_owned)
    })
}

fn note(host: &Host, job: &str) -> String {
    host.until("what b says", |host| {
        let shown = host.job(job);
        let mut claims = shown["claims"].as_array()?.iter();
        let note = claims.find_map(|claim| claim["note"].as_str());
        note.map(str::to_owned)
    })
}

#[test]
fn a_model_is_sliced_by_the_host_that_acquires_it_with_the_real_prusaslicer() {
    if Command::new("prusa-slicer").arg("--help").output().is_err() {
        eprintln!("skipped: prusa-slicer is not installed (apt-get install prusa-slicer)");
        return;
    }
    let farm = Farm::new();
    let (a, b) = farm_that_slices(&farm, "prusa-slicer", "0.3");
    let job = a.submit(&[
        "-q",
        "farm",
        &sliced("cube.stl"),
        "--slice",
        "draft",
        "-c",
        "2",
    ]);
    a.wait(&[&job]);
    let shown = b.job(&job);
    for claim in shown["claims"].as_array().unwrap() {
        assert_eq!(
            (&claim["host"], &claim["state"]),
            (&Value::from("b"), &Value::from("finished"))
        );
    }
    let path = shown["sets"][0]["path"].as_str().unwrap();
    assert!(path.ends_with("imports/cube/cube.gcode"), "{path}");
    let gcode = fs::read_to_string(path).unwrap();
    assert!(
        gcode.contains("; printer_model = MK4S"),
        "the profile was used"
    );
    let left: Vec<_> = fs::read_dir(b.home.join("slicing")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    let other = Farm::new();
    let (a, b) = farm_that_slices(&other, "prusa-slicer", "3");
    let job = a.submit(&["-q", "farm", &sliced("cube.stl"), "--slice", "draft"]);
    let why = reason(&b, &job, "b/sim", "slice-failed");
    assert!(
        why.contains("Layer height can't be greater than nozzle diameter"),
        "{why}"
    );
}

#[test]
fn a_printer_whose_host_cannot_slice_leaves_models_to_others() {
    let farm = Farm::new();
    let model = "-e '/^; printer_model =/d' -e 's/^; prusaslicer_config = begin/&\\n; printer_model = MK4S/'";
    let made = script(
        &farm,
        &format!("sed {model} '{}' > \"$7\"", sliced("clip.gcode")),
    );
    let (a, b) = farm_that_slices(&farm, &made, "0.3");
    // What comes out is for another model than any of these printers; that is asked before anything starts.
    b.ok(&["printer", "edit", "sim", "--model", "MINI"]);
    let cube = sliced("cube.stl");
    let job = a.submit(&["-q", "farm", &cube, "--slice", "draft"]);
    assert_eq!(
        reason(&a, &job, "a/sim", "slicer-missing"),
        "its host has no slicer profile draft"
    );
    let why = reason(&b, &job, "b/sim", "slice-failed");
    assert!(why.contains("what was sliced does not fit"), "{why}");
    let unknown = a.submit(&["-q", "farm", &cube, "--slice", "fine"]);
    reason(&a, &unknown, "b/sim", "slicer-missing");
    assert!(b.history().is_empty(), "nothing was printed");
}

#[test]
fn what_a_slicer_says_when_it_fails_is_the_reason_on_every_host() {
    let farm = Farm::new();
    let fails = script(&farm, "echo 'The object is too large' >&2; exit 1");
    let (a, b) = farm_that_slices(&farm, &fails, "0.3");
    let cube = sliced("cube.stl");
    let job = a.submit(&["-q", "farm", &cube, "--slice", "draft"]);
    let why = reason(&b, &job, "b/sim", "slice-failed");
    assert!(
        why.contains("cube.stl could not be sliced") && why.contains("The object is too large")
    );
    assert!(note(&a, &job).contains("The object is too large"));

    assert_eq!(a.problem("file.not-gcode", &["submit", &cube])["exit"], 2);
    let broken = farm.path().join("broken.stl");
    fs::write(&broken, "G28\n").unwrap();
    a.problem(
        "file.damaged",
        &["submit", broken.to_str().unwrap(), "--slice", "draft"],
    );
}
