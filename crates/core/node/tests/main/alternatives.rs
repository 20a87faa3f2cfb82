//! A set may be several files, one for each kind of printer: each prints the first one that fits it.

use printmesh_node::{Code, Command, NewJob, NewSet, PrinterEdit};
use printmesh_queue::{FileSpec, Needs, RunResult};

use crate::farm::{Farm, Machines, file, job};

fn sliced_for(model: &str) -> FileSpec {
    FileSpec {
        needs: Needs {
            model: Some(model.into()),
            ..Needs::default()
        },
        ..file(&format!("box-{model}"))
    }
}

fn is_a(farm: &mut Farm, n: usize, model: &str) {
    let edit = PrinterEdit {
        model: Some(model.into()),
        ..PrinterEdit::default()
    };
    let printer = "p0".to_owned();
    farm.ok(n, Command::PrinterEdit { printer, edit });
}

fn boxes(copies: u32) -> NewJob {
    let files = vec![sliced_for("MK4"), sliced_for("MINI")];
    NewJob {
        sets: vec![NewSet { files, per_run: 1 }],
        copies,
        ..job("farm", "box")
    }
}

/// Where printer drivers were told to start, with the file: `b imports/box/box-MINI.gcode`.
fn started(farm: &Farm) -> Vec<String> {
    let starts = farm.starts.iter().map(|start| {
        let host = ["a", "b"][start.host];
        format!("{host} {}", start.path)
    });
    let mut starts: Vec<String> = starts.collect();
    starts.sort();
    starts
}

#[test]
fn each_printer_prints_the_file_that_was_sliced_for_it_and_only_that_one_is_put_into_imports() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Print;
    is_a(&mut farm, 0, "MK4");
    is_a(&mut farm, 1, "MINI");
    let id = farm.submit(0, boxes(2));
    let expected = [
        "a imports/box/box-MK4.gcode",
        "b imports/box/box-MINI.gcode",
    ];
    assert_eq!(started(&farm), expected);
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.hosts[0].imports, ["imports/box/box-MK4.gcode"]);
    assert_eq!(farm.hosts[1].imports, ["imports/box/box-MINI.gcode"]);
    for n in 0..2 {
        let history = farm.node(n).history();
        let mut names: Vec<_> = history
            .iter()
            .map(|row| (row.host_name.as_str(), row.file_name.as_str(), row.result))
            .collect();
        names.sort_unstable_by_key(|row| row.0);
        let expected = [
            ("a", "box-MK4.gcode", RunResult::Ok),
            ("b", "box-MINI.gcode", RunResult::Ok),
        ];
        assert_eq!(names, expected, "host {n}");
    }
    farm.check();
}

#[test]
fn a_printer_that_is_another_one_since_prints_the_other_file_of_the_same_set() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Print;
    is_a(&mut farm, 1, "MK4");
    let id = farm.submit(0, boxes(2));
    assert_eq!(started(&farm), ["b imports/box/box-MK4.gcode"]);
    is_a(&mut farm, 1, "MINI");
    farm.ready(1);
    // Not what was put into imports for the first copy.
    let expected = [
        "b imports/box/box-MINI.gcode",
        "b imports/box/box-MK4.gcode",
    ];
    assert_eq!(started(&farm), expected);
    assert_eq!(farm.status(0, id), "done");
    // What is on disk is known after a restart too.
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    let set = farm.job(1, id).1.sets[0].clone();
    for file in &set.spec.files {
        let path = farm.node(1).import_path(id, set.id, file.hash);
        assert_eq!(path, Some(format!("imports/box/{}", file.name).as_str()));
    }
    farm.check();
}

#[test]
fn a_printer_that_is_another_one_in_the_middle_of_a_copy_prints_the_rest_from_the_other_file() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Print;
    is_a(&mut farm, 1, "MK4");
    let mut twice = boxes(1);
    twice.sets[0].per_run = 2;
    let id = farm.submit(0, twice);
    assert_eq!(started(&farm), ["b imports/box/box-MK4.gcode"]);
    is_a(&mut farm, 1, "MINI");
    farm.ready(1);
    let expected = [
        "b imports/box/box-MINI.gcode",
        "b imports/box/box-MK4.gcode",
    ];
    assert_eq!(started(&farm), expected, "{}", farm.dump(id));
    // One copy, one attempt, two prints of it.
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(
        farm.snapshot(0, "farm").claims.values().flatten().count(),
        1
    );
    farm.check();
}

#[test]
fn a_job_that_comes_back_brings_every_alternative_with_it() {
    let mut farm = Farm::shared(&[0, 0]);
    let id = farm.submit(0, boxes(1));
    let place = printmesh_node::Place::Keep;
    let to = Some("local".to_owned());
    let job = id.to_string();
    farm.ok(1, Command::JobMove { job, to, place });
    let mut imports = farm.hosts[1].imports.clone();
    imports.sort();
    let expected = ["imports/box/box-MINI.gcode", "imports/box/box-MK4.gcode"];
    assert_eq!(imports, expected);
}

#[test]
fn a_file_that_is_twice_among_its_alternatives_is_refused() {
    let mut farm = Farm::shared(&[0]);
    let mut new = boxes(1);
    new.sets[0].files[1] = new.sets[0].files[0].clone();
    let problem = farm.refused(0, Command::JobSubmit(new.clone()));
    assert_eq!(problem.code, Code::JobSets);
    new.sets[0].files.clear();
    let problem = farm.refused(0, Command::JobSubmit(new));
    assert_eq!(problem.code, Code::JobSets);
}
