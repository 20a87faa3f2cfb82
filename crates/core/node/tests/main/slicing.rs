//! Models: the host whose printer acquires a copy slices them, checks what came out, and prints that.

use printmesh_node::{Command, Input, NewJob, NewSet, PrinterEdit};
use printmesh_queue::{FileHash, FileSpec, JobId, Needs};

use crate::farm::{Farm, Machines, file, job};

/// Hosts a, which cannot slice, and b, which can; both have a printer.
fn farm() -> Farm {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Print;
    slice_with(&mut farm, &["draft"]);
    farm
}

fn slice_with(farm: &mut Farm, profiles: &[&str]) {
    let profiles = profiles.iter().map(|name| ((*name).to_owned(), Vec::new()));
    farm.input(1, Input::Slicers(profiles.collect()));
    farm.settle();
}

fn submit(farm: &mut Farm, copies: u32) -> JobId {
    let needs = Needs {
        slice: Some("draft".into()),
        ..Needs::default()
    };
    let model = FileSpec {
        name: "cube.stl".into(),
        needs,
        ..file("cube")
    };
    let new = NewJob {
        sets: vec![NewSet::of(model, 1)],
        copies,
        ..job("farm", "cube")
    };
    farm.submit(0, new)
}

fn why(farm: &Farm, n: usize, job: JobId, printer: &str) -> &'static str {
    let rows = farm.why(n, job).into_iter();
    let mut rows = rows.filter(|(name, _)| name == printer);
    rows.next().expect("a printer of the farm").1
}

#[test]
fn a_model_is_sliced_once_by_the_host_that_prints_it_and_what_came_out_is_printed() {
    let mut farm = farm();
    let id = submit(&mut farm, 2);
    assert_eq!(why(&farm, 0, id, "a/p0"), "slicer-missing");
    farm.ready(1);
    assert_eq!(farm.status(0, id), "done");
    let paths: Vec<_> = farm
        .starts
        .iter()
        .map(|start| (start.host, start.path.as_str()))
        .collect();
    assert_eq!(paths, [(1, "imports/cube/cube.stl.gcode"); 2]);
    assert_eq!(
        farm.hosts[1].slicings,
        ["cube.stl with draft"],
        "once for both copies"
    );
    assert!(farm.hosts[0].slicings.is_empty());
    // The other host has the model alone: what b made of it stays on b.
    let set = farm.job(1, id).1.sets[0].clone();
    let (model, sliced) = (
        set.spec.files[0].hash,
        blake3::hash(&set.spec.files[0].hash.0),
    );
    assert!(farm.hosts[0].files.contains(&model));
    assert!(!farm.hosts[0].files.contains(&FileHash(*sliced.as_bytes())));
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    let path = farm.node(1).import_path(id, set.id, model);
    assert_eq!(
        path,
        Some("imports/cube/cube.stl.gcode"),
        "known after a restart too"
    );
}

#[test]
fn what_cannot_be_sliced_says_so_and_is_not_tried_again_until_its_host_says_what_it_slices_with() {
    let mut farm = farm();
    farm.hosts[1].slices = Err("the object is too large".into());
    let id = submit(&mut farm, 1);
    assert_eq!(why(&farm, 1, id, "b/p0"), "slice-failed");
    let (snapshot, _) = farm.job(0, id);
    let claims = snapshot.claims.values().flat_map(|claims| claims.values());
    let notes: Vec<_> = claims
        .filter_map(|claim| claim.record.note.clone())
        .collect();
    assert_eq!(notes, ["slice-failed: the object is too large"]);
    farm.pass(3_600_000);
    assert_eq!(
        farm.hosts[1].slicings.len(),
        1,
        "no try after the other fills the queue"
    );
    assert!(farm.starts.is_empty());
    // Somebody mended the profile, and started the daemon again.
    farm.hosts[1].slices = Ok(Needs::default());
    slice_with(&mut farm, &["draft"]);
    farm.ready(1);
    assert_eq!(farm.status(0, id), "done");
}

#[test]
fn what_was_sliced_for_another_printer_is_not_printed() {
    let mut farm = farm();
    let edit = PrinterEdit {
        model: Some("MINI".into()),
        ..PrinterEdit::default()
    };
    let printer = "p0".to_owned();
    farm.ok(1, Command::PrinterEdit { printer, edit });
    farm.hosts[1].slices = Ok(Needs {
        model: Some("MK4S".into()),
        ..Needs::default()
    });
    let id = submit(&mut farm, 1);
    assert_eq!(why(&farm, 1, id, "b/p0"), "slice-failed");
    assert!(farm.starts.is_empty());
    assert_eq!(farm.hosts[1].slicings.len(), 1);
}
