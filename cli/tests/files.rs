//! What is said about files and profiles where no daemon runs.

use std::{fs, path::Path};

use serde_json::Value;

use super::stage::{Ran, run_in};

fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/gcode/fixtures");
    fixtures.join(name).into_os_string().into_string().unwrap()
}

async fn on_terminal(words: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    run_in(home.path().to_owned(), words, Some(100)).await
}

#[tokio::test]
async fn a_file_shows_what_it_needs() {
    let ran = on_terminal(&["file", "inspect", &fixture("prusaslicer-2.5.0-mmu2s.gcode")]).await;
    assert_eq!(ran.exit, 0, "{}", ran.err);
    for line in [
        "  file      prusaslicer-2.5.0-mmu2s.gcode\n",
        "  slicer    PrusaSlicer 2.5.0\n",
        "  printer   MK3S-MMU2S (the slicer names the model)\n",
        "  time      58m 41s\n",
        "  filament  7.72 g\n",
        "  1     PLA       #ffffff  4.14 g  0.4 mm  215 °C  Generic PLA @MMU2\n",
        "  3     PETG      #0000ff  3.58 g  0.4 mm  215 °C  Generic PLA @MMU2\n",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
}

#[tokio::test]
async fn each_plate_of_a_project_is_shown() {
    let ran = on_terminal(&["file", "inspect", &fixture("made.gcode.3mf")]).await;
    for line in [
        "  file      made.gcode.3mf plate 1\n",
        "  size      99.75 x 70 x 18 mm\n",
        "  pictures  128x128 png, 512x512 png\n",
        "  file      made.gcode.3mf plate 2\n",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    let ran = on_terminal(&["file", "show", &fixture("made.gcode.3mf"), "--json"]).await;
    let shown: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&shown["apiVersion"], &shown["kind"]),
        (&"printmesh/v1".into(), &"Files".into())
    );
    let file = &shown["items"][0];
    assert_eq!(file["format"], "3mf");
    assert_eq!(file["plates"][0]["tools"][1]["color"], "101010");
    assert_eq!(file["plates"][1]["estimateS"], 60);
}

#[tokio::test]
async fn metres_stand_where_a_file_knows_no_grams() {
    let ran = on_terminal(&["file", "inspect", &fixture("kirimoto.gcode")]).await;
    assert!(ran.out.contains("  filament  1.23 m\n"), "{}", ran.out);
    assert!(ran.out.contains("  printer   Ender-3 ("), "{}", ran.out);
}

#[tokio::test]
async fn a_file_that_cannot_be_printed_is_a_problem() {
    for (path, code, exit) in [
        ("examples/files/cube.stl", "file.not-gcode", 2),
        ("examples/files", "file.not-a-file", 2),
        ("nothing.gcode", "file.missing", 3),
        ("/dev/zero", "file.not-a-file", 2),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        for command in [["file", "inspect"], ["profile", "detect"]] {
            let words = [command[0], command[1], path.to_str().unwrap(), "--json"];
            let ran = on_terminal(&words).await;
            let problem: Value = serde_json::from_str(&ran.err).unwrap();
            assert_eq!((&problem["code"], ran.exit), (&code.into(), exit));
        }
    }
}

#[tokio::test]
async fn each_print_of_each_file_is_told_its_profile() {
    let (project, own) = (fixture("made.gcode.3mf"), fixture("superslicer.gcode"));
    let ran = on_terminal(&["profile", "detect", &project, &own]).await;
    let expected = [
        "  FILE               PLATE  PROFILE  THE FILE SAYS  WHY",
        "  made.gcode.3mf     1      P1S      Bambu Lab P1S  the slicer names the model",
        "  made.gcode.3mf     2      P1S      Bambu Lab P1S  the slicer names the model",
        "  superslicer.gcode  1      unknown  My Delta       no profile knows My Delta\n",
    ];
    assert_eq!((ran.exit, ran.out), (0, expected.join("\n")));
    let ran = on_terminal(&["profile", "detect", &project, &own, "--quiet"]).await;
    assert_eq!(ran.out, "P1S\nP1S\n");
    let ran = on_terminal(&["profile", "detect", &own, "--json"]).await;
    let shown: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(shown["items"][0]["profile"], Value::Null);
}

#[tokio::test]
async fn profiles_are_listed_and_shown_and_own_ones_win() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("profiles")).unwrap();
    let own = "[[profile]]\nname = \"delta\"\nprofiles = [\"My Delta\"]\nvolume_mm = [180, 180, 300]\nround = true\n";
    fs::write(home.path().join("profiles/own.toml"), own).unwrap();
    let run = |words: Vec<String>| {
        let home = home.path().to_owned();
        async move {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            run_in(home, &words, Some(100)).await
        }
    };
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let ran = run(words("profile list --quiet")).await;
    assert!(
        ran.out.starts_with("delta\n") && ran.out.contains("\nMK4S\n"),
        "{}",
        ran.out
    );
    let ran = run(words("profile list mk4s")).await;
    assert!(
        ran.out
            .contains("  MK4S       Original Prusa MK4S            250 x 210 x 220 mm"),
        "{}",
        ran.out
    );
    let ran = run(words("profile show Delta")).await;
    assert!(
        ran.out.contains("  volume       ø 180 x 300 mm\n"),
        "{}",
        ran.out
    );
    let detect = [
        "profile".to_owned(),
        "detect".to_owned(),
        fixture("superslicer.gcode"),
    ];
    let ran = run(detect.to_vec()).await;
    assert!(
        ran.out
            .contains("  delta    My Delta       the slicer names its profile"),
        "{}",
        ran.out
    );
    let ran = run(words("profile show MK99 --json")).await;
    let problem: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((&problem["code"], ran.exit), (&"profile.unknown".into(), 3));
}
