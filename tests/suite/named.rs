//! Tests of the whole workspace by their names: one that bears the number of a defect, or the id of a rule, cannot vanish, be ignored or
//! lie in a file that nothing compiles.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Whether a file is part of a crate: the root of one, or named by a file beside or above it that is.
fn is_compiled(path: &Path) -> bool {
    let (folder, stem) = (path.parent().unwrap(), path.file_stem().unwrap());
    let is_test_crate = folder.ends_with("tests") && folder.with_file_name("Cargo.toml").exists();
    if is_test_crate || stem == "lib" || stem == "main" {
        return true;
    }
    let above = folder.parent().unwrap();
    let (name, places) = match stem == "mod" {
        true => (folder.file_name().unwrap(), vec![above]),
        false => (stem, vec![folder, above]),
    };
    let line = format!("mod {};", name.to_str().unwrap());
    let mut near = places
        .into_iter()
        .flat_map(|place| fs::read_dir(place).unwrap().flatten())
        .map(|entry| entry.path())
        .filter(|near| near != path && near.extension().is_some_and(|end| end == "rs"));
    near.any(|near| {
        let text = fs::read_to_string(&near).unwrap();
        let names_it = text.lines().any(|found| {
            let found = found
                .trim()
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ");
            found == line
        });
        names_it && is_compiled(&near)
    })
}

/// Tests by what their names begin with: `number` reads it, and takes what it cannot read for no such name.
pub(super) fn tests_named<K: Ord>(number: impl Fn(&str) -> Option<K>) -> BTreeMap<K, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["crates", "tests", "cli"] {
        sources(&root.join(folder), &mut files);
    }
    let mut tests: BTreeMap<K, Vec<String>> = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (n, line) in lines.iter().enumerate() {
            let line = line.strip_prefix("async ").unwrap_or(line);
            let name = line.strip_prefix("fn ").unwrap_or_default();
            let name = name.split('(').next().unwrap_or_default();
            let Some(number) = number(name) else {
                continue;
            };
            let at = format!("{}: {name}", path.display());
            let attributes: Vec<_> = lines[..n]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("#["))
                .collect();
            let is_test = |line: &&&str| **line == "#[test]" || **line == "#[tokio::test]";
            assert!(attributes.iter().any(is_test), "{at}");
            assert!(
                !attributes.iter().any(|line| line.contains("ignore")),
                "{at}"
            );
            assert!(name.len() > 24, "{at} says what a person sees");
            assert!(is_compiled(&path), "{at}");
            tests.entry(number).or_default().push(at);
        }
    }
    tests
}
