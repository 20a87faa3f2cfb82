//! A set of several files, one for each kind of printer, from the command line to two printers.

use std::fs;

use serde_json::Value;

use super::environment::{Farm, sliced};

/// As slow as a real one: neither printer is done before the other one has begun.
const SLOW: &str = "sim://?speed=1";

#[test]
fn two_printers_of_different_models_and_nozzles_print_one_job_each_from_its_own_file() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(SLOW);
    let clip = fs::read_to_string(sliced("clip.gcode")).unwrap();
    let set_up = [(&a, "MK4S", "0.4"), (&b, "MINI", "0.6")];
    let files = set_up.map(|(host, model, nozzle)| {
        host.ok(&["printer", "edit", "sim", "--model", model]);
        host.ok(&["printer", "nozzle", "sim", nozzle]);
        // What PrusaSlicer writes of the printer, as if it had been sliced for this one.
        let said = format!("; printer_model = {model}\n; nozzle_diameter = {nozzle}\n");
        let lines = clip.lines().filter(|line| {
            !line.starts_with("; printer_model =") && !line.starts_with("; nozzle_diameter =")
        });
        let text: Vec<&str> = lines.collect();
        let config = "; prusaslicer_config = begin\n";
        let text = format!("{}\n", text.join("\n")).replace(config, &format!("{config}{said}"));
        let path = farm.path().join(format!("clip-{model}.gcode"));
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    });
    a.until("what b's printer is", |a| {
        let shown = a.json(&["printer", "show", "b/sim"]);
        (shown["equipment"]["nozzleUm"] == 600).then_some(())
    });

    // Neither file alone fits both printers.
    let alone = a.submit(&["-q", "farm", &files[0], "--printer", "b/sim"]);
    a.until("the reason", |a| {
        let shown = a.job(&alone);
        let mut rows = shown["why"].as_array()?.iter();
        rows.find(|row| row["printer"] == "b/sim" && row["code"] == "model")
            .map(|_| ())
    });
    a.ok(&["job", "cancel", &alone]);

    let job = a.submit(&["-q", "farm", &files.join(","), "-c", "2", "--name", "clips"]);
    let shown = a.job(&job);
    let set = &shown["sets"][0];
    assert_eq!(shown["sets"].as_array().unwrap().len(), 1);
    assert_eq!(set["fileName"], "clip-MK4S.gcode");
    assert_eq!(set["alternatives"][0]["fileName"], "clip-MINI.gcode");
    let text = a.ok(&["job", "show", &job]);
    assert!(
        text.contains("clip-MK4S.gcode or clip-MINI.gcode"),
        "{text}"
    );
    // Each has begun its own, and has nothing else in its imports.
    for (host, own) in [(&a, 0), (&b, 1)] {
        let set = host.until("its print", |host| {
            let shown = host.job(&job);
            let mut claims = shown["claims"].as_array()?.iter();
            let printing =
                |claim: &Value| claim["host"] == host.name.as_str() && claim["state"] == "printing";
            claims.any(printing).then(|| shown["sets"][0].clone())
        });
        let paths = [&set["path"], &set["alternatives"][0]["path"]];
        let printed = fs::read_to_string(paths[own].as_str().unwrap()).unwrap();
        assert_eq!(printed, fs::read_to_string(&files[own]).unwrap());
        assert!(paths[1 - own].is_null(), "{set:#}");
    }
}
