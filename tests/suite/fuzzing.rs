//! The committed corpora of the fuzz targets, replayed: no panic, and no more memory than the targets allow (`fuzz/README.md`).
//! How long an execution takes is asked by the targets themselves, not here.

use std::{fs, path::Path};

/// Every target of `fuzz/`.
/// A target's name, and what it does with bytes.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 16] = [
    ("binary_gcode", printmesh_gcode::fuzzing::binary_gcode),
    ("change", printmesh_queue::fuzzing::change),
    ("config", printmesh_daemon::fuzzing::config),
    ("file_name", printmesh_store::fuzzing::file_name),
    ("frames", printmesh_net::fuzzing::frames),
    ("greeting", printmesh_net::fuzzing::greeting),
    ("guard", printmesh_gcode::fuzzing::guard),
    ("join", printmesh_node::fuzzing::join),
    ("marlin_reply", printmesh_printer::fuzzing::marlin_reply),
    ("message", printmesh_node::fuzzing::message),
    ("printed_file", printmesh_printer::fuzzing::printed_file),
    ("project", printmesh_gcode::fuzzing::project),
    ("request", printmesh_api::fuzzing::request),
    ("sliced_file", printmesh_gcode::fuzzing::sliced_file),
    ("spool_answer", printmesh_spoolman::fuzz_answer),
    ("ticket", printmesh_net::fuzzing::ticket),
];

/// As `fuzz/src/lib.rs` has it.
fn allowed(input: usize) -> u64 {
    1024 * 1024 + 8 * input as u64
}

#[test]
fn what_fuzzing_found_interesting_does_no_harm_and_takes_little_memory() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut known: Vec<String> = fs::read_dir(fuzz.join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    known.sort_unstable();
    let here = TARGETS.map(|(name, _)| format!("{name}.rs"));
    assert_eq!(known, here, "every target is replayed here");
    for (name, target) in TARGETS {
        // What it makes once and for all is not counted.
        target(&[]);
        let corpus = fs::read_dir(fuzz.join("corpus").join(name)).unwrap();
        let mut replayed = 0;
        for entry in corpus {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            let memory = allocation_counter::measure(|| target(&input)).bytes_max;
            assert!(
                memory <= allowed(input.len()),
                "{}: {memory} bytes of memory for {} of input",
                path.display(),
                input.len()
            );
            replayed += 1;
        }
        assert!(replayed > 0, "{name} has a corpus");
    }
}
