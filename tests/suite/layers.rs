//! The layers of `crates/README.md`, held by a test: what each crate may use, and who alone may use what is heavy.

use std::path::{Path, PathBuf};

/// Each crate and the crates of this workspace that it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("queue", &[]),
    ("gcode", &[]),
    ("schedule", &["queue"]),
    ("node", &["queue", "schedule"]),
    ("store", &[]),
    ("net", &[]),
    ("printer", &[]),
    ("api", &[]),
    ("spoolman", &[]),
    (
        "daemon",
        &[
            "api", "gcode", "net", "node", "printer", "queue", "schedule", "spoolman", "store",
        ],
    ),
    // For tests only: no part of the program.
    ("sim", &["node", "queue", "schedule", "store"]),
];

/// Each heavy dependency and the crates that own it.
const OWNERS: &[(&str, &[&str])] = &[
    ("automerge", &["queue"]),
    ("redb", &["store", "sim"]),
    ("iroh", &["net"]),
    ("iroh-blobs", &["net"]),
    ("swarm-discovery", &["net"]),
    ("serialport", &["printer"]),
    ("axum", &["api"]),
    ("hyper", &["api", "spoolman"]),
    ("toml", &["daemon"]),
    ("rawzip", &["gcode"]),
    ("roxmltree", &["gcode"]),
    ("tracing-subscriber", &["daemon"]),
    ("clap", &["printmesh", "sim"]),
    ("indicatif", &["printmesh"]),
];

/// The core decides and does nothing: no runtime, no socket, no file, no clock, no random source.
const CORE: &[&str] = &["queue", "gcode", "schedule", "node"];
const NEVER_IN_CORE: &[&str] = &[
    "tokio",
    "tokio-util",
    "iroh",
    "redb",
    "serialport",
    "axum",
    "rand",
    "getrandom",
    "rustix",
    "jiff",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifests() -> Vec<(String, PathBuf)> {
    let mut found = vec![("printmesh".to_owned(), root().join("Cargo.toml"))];
    for layer in ["crates/core", "crates/io", "crates"] {
        for entry in std::fs::read_dir(root().join(layer)).unwrap() {
            let path = entry.unwrap().path();
            let manifest = path.join("Cargo.toml");
            if manifest.exists() {
                found.push((
                    path.file_name().unwrap().to_str().unwrap().to_owned(),
                    manifest,
                ));
            }
        }
    }
    found
}

/// What a manifest lists under `[dependencies]`: what ends up in the program.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let section = text.split("\n[dependencies]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let lines = section
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split([' ', '.', '=']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn crates_depend_only_downwards() {
    for (name, manifest) in manifests() {
        if name == "printmesh" {
            continue;
        }
        let (_, allowed) = LAYERS
            .iter()
            .find(|(layer, _)| *layer == name)
            .unwrap_or_else(|| panic!("{name} has no place in the layers"));
        for dependency in dependencies(&manifest) {
            if let Some(ours) = dependency.strip_prefix("printmesh-") {
                assert!(allowed.contains(&ours), "{name} must not use {ours}");
            }
        }
    }
}

#[test]
fn each_heavy_dependency_has_one_owner() {
    for (name, manifest) in manifests() {
        for dependency in dependencies(&manifest) {
            if let Some((_, owners)) = OWNERS.iter().find(|(heavy, _)| *heavy == dependency) {
                assert!(
                    owners.contains(&name.as_str()),
                    "{dependency} is not for {name}"
                );
            }
        }
    }
}

#[test]
fn the_core_has_no_clock_no_io_and_no_randomness() {
    for (name, manifest) in manifests() {
        if !CORE.contains(&name.as_str()) {
            continue;
        }
        for dependency in dependencies(&manifest) {
            assert!(
                !NEVER_IN_CORE.contains(&dependency.as_str()),
                "{name} must not use {dependency}"
            );
        }
    }
    // What clippy holds within the code: the bans and their reasons.
    let bans = std::fs::read_to_string(root().join("crates/core/clippy.toml")).unwrap();
    for banned in [
        "SystemTime::now",
        "Instant::now",
        "HashMap",
        "std::fs::read",
    ] {
        assert!(
            bans.contains(banned),
            "crates/core/clippy.toml lost its ban of {banned}"
        );
    }
}

#[test]
fn the_top_level_stays_as_it_is() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "crates",
        "cli",
        "examples",
        "fuzz",
        "tests",
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "target",
    ];
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name.starts_with('.') || known.contains(&name.as_str()),
            "{name} is new at the top level"
        );
    }
}
