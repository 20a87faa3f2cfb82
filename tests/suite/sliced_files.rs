//! What slicers save beside plain G-code, from the command line to the printer: binary G-code and projects with several plates.
//!
//! How such files are read, and what is refused of them, is tested in `core/gcode`.

use std::{fs, path::Path};

use super::environment::{Farm, sliced};

const FAST: &str = "sim://?speed=2000";

/// A file that `core/gcode` keeps for its tests, under a name of its own.
fn saved(farm: &Farm, fixture: &str, name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/gcode/fixtures");
    let path = farm.path().join(name);
    fs::copy(fixtures.join(fixture), &path).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[test]
fn each_plate_of_a_project_becomes_a_set_and_is_printed() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["printer", "load", "sim", "0=PLA", "1=PLA", "3=PETG"]);
    let project = saved(&farm, "made.gcode.3mf", "kit.gcode.3mf");
    let job = a.submit(&[&format!("{project}:2"), "--draft"]);
    let shown = a.job(&job);
    assert_eq!(shown["name"], "kit");
    let sets = shown["sets"].as_array().unwrap();
    let rows: Vec<_> = sets
        .iter()
        .map(|set| {
            let text = |field: &str| set[field].as_str().unwrap();
            let number = |field: &str| set[field].as_u64().unwrap();
            (
                text("fileName"),
                text("material"),
                number("estimateS"),
                number("perRun"),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("kit_plate_1.gcode", "PLA;PETG", 1719, 2),
            ("kit_plate_2.gcode", "PLA", 60, 2)
        ]
    );
    a.ok(&["job", "release", &job]);
    a.wait(&[&job]);
    assert_eq!(a.history().len(), 4);
}

#[test]
fn binary_gcode_is_unpacked_and_printed() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["printer", "load", "sim", "0=PLA", "1=PETG"]);
    let file = saved(&farm, "made.bgcode", "part.bgcode");
    let job = a.submit(&[&file]);
    a.wait(&[&job]);
    let shown = a.job(&job);
    let set = &shown["sets"][0];
    assert_eq!(set["fileName"], "part.gcode");
    assert_eq!(set["slicer"], "PrusaSlicer 2.8.1");
    let printed = fs::read_to_string(set["path"].as_str().unwrap()).unwrap();
    assert!(printed.contains("\nG1 X20.25 E1.5\n"), "{printed}");
    let left: Vec<_> = fs::read_dir(a.home.join("incoming")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_long_file_says_at_its_end_is_read() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let clip = fs::read_to_string(sliced("clip.gcode")).unwrap();
    let (start, end) = clip.split_at(clip.find(";LAYER_CHANGE").unwrap());
    let long = farm.path().join("long.gcode");
    let filler = ";TYPE:Custom\n".repeat(200_000);
    fs::write(&long, [start, &filler, end].concat()).unwrap();
    let job = a.submit(&[long.to_str().unwrap(), "--draft"]);
    let set = &a.job(&job)["sets"][0];
    assert_eq!(set["estimateS"], 67);
    assert_eq!(set["material"], "PLA");
    assert_eq!(set["slicer"], "PrusaSlicer 2.5.0");
}

#[test]
fn what_is_damaged_or_not_sliced_is_refused_and_leaves_nothing_behind() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let damage = |fixture: &str, name: &str, at: fn(&[u8]) -> usize| {
        let path = saved(&farm, fixture, name);
        let mut bytes = fs::read(&path).unwrap();
        let at = at(&bytes);
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        path
    };
    // In the last block of G-code, which is only read when it is unpacked.
    let binary = damage("made.bgcode", "part.bgcode", |bytes| bytes.len() - 10);
    // In what is packed behind its name.
    let project = damage("made.gcode.3mf", "kit.gcode.3mf", |bytes| {
        let name = b"Metadata/plate_2.gcode";
        let at = bytes.windows(name.len()).position(|it| it == name);
        at.unwrap() + name.len() + 100
    });
    let cut = farm.path().join("cut.bgcode");
    let bytes = fs::read(saved(&farm, "made.bgcode", "whole.bgcode")).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    for path in [&*binary, &project, cut.to_str().unwrap()] {
        let problem = a.problem("file.damaged", &["submit", path]);
        assert_eq!(problem["exit"], 2);
        let title = problem["title"].as_str().unwrap();
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        assert!(title.contains(name), "{problem:#}");
    }
    assert_eq!(a.json(&["jobs"])["items"].as_array().unwrap().len(), 0);
    let left: Vec<_> = fs::read_dir(a.home.join("incoming")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_own_profile_that_cannot_be_understood_stops_a_submit_and_says_where_it_is() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let own = a.home.join("profiles/own.toml");
    fs::create_dir(own.parent().unwrap()).unwrap();
    fs::write(&own, "[[profile]]\nname = 5\n").unwrap();
    let problem = a.problem("profile.bad", &["submit", &sliced("clip.gcode")]);
    assert!(problem["title"].as_str().unwrap().contains("own.toml"));
    assert_eq!(a.json(&["jobs"])["items"].as_array().unwrap().len(), 0);
    // No restart is needed.
    fs::write(&own, "[[profile]]\nname = \"mine\"\n").unwrap();
    a.submit(&[&sliced("clip.gcode")]);
    assert_eq!(a.json(&["profile", "show", "mine"])["name"], "mine");
}
