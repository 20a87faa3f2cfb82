//! `SECURITY.md` names tests: they are there.

use std::{fs, path::Path};

/// The folders that the page shortens.
const FOLDERS: [(&str, &str); 4] = [
    ("queue/", "crates/core/queue/src/tests/"),
    ("node/", "crates/core/node/tests/main/"),
    ("net/", "crates/io/net/tests/net/"),
    ("suite/", "tests/suite/"),
];

#[test]
fn every_threat_names_tests_that_exist_or_says_what_is_missing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| T"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    let all: Vec<String> = (1..=18).map(|n| format!("T{n}")).collect();
    assert_eq!(numbers, all);
    for row in rows {
        let (shown, missing) = (row[5], row[6]);
        assert!(!shown.is_empty() || !missing.is_empty(), "{}", row[1]);
        for test in shown.split(", ").filter(|test| !test.is_empty()) {
            let (file, name) = test
                .split_once(" `")
                .unwrap_or_else(|| panic!("{}: {test}", row[1]));
            let name = name.trim_end_matches('`');
            let folder = FOLDERS.iter().find(|(short, _)| file.starts_with(short));
            let path = folder.map_or_else(
                || file.to_owned(),
                |(short, long)| file.replacen(short, long, 1),
            );
            let text = fs::read_to_string(root.join(&path))
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(
                text.contains(&format!("fn {name}(")),
                "{}: {path} has no test {name}",
                row[1]
            );
        }
    }
}
