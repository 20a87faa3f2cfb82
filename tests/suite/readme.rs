//! The README's examples are tests: each line of its `console` blocks is typed, on real daemons.

use std::path::Path;

use super::environment::{Farm, Host};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// What stands in the blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let opening = format!("```{language}\n");
    let fences = text.split(&opening).skip(1);
    fences
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn five_minutes_with_two_hosts_work_as_the_readme_types_them() {
    let farm = Farm::new();
    // `init` itself is typed too; these homes only fix loopback, so that nothing leaves this machine.
    let mut hosts = Started(Vec::new());
    for letter in ['A', 'B'] {
        let host = farm.bare_host(&letter.to_string());
        std::fs::create_dir(&host.home).unwrap();
        host.configure("[network]\nbind = \"127.0.0.1:0\"\ndiscovery = false\n");
        hosts.0.push((letter, host));
    }
    let mut ticket = String::new();
    let mut typed = 0;
    for line in blocks("console").iter().flat_map(|block| block.lines()) {
        let (prompt, command) = line.split_once("$ printmesh ").unwrap();
        let letter = prompt.chars().next().unwrap();
        let (_, host) = hosts.0.iter().find(|(known, _)| *known == letter).unwrap();
        let command = command.replace("TICKET", &ticket);
        let args: Vec<&str> = command.split_whitespace().collect();
        let printed = host.ok(&args);
        if args.starts_with(&["queue", "share"]) {
            printed.trim().clone_into(&mut ticket);
        }
        typed += 1;
    }
    assert!(typed >= 12, "the README lost its examples");
    for (_, host) in &hosts.0 {
        assert_eq!(host.job("bracket")["state"], "done");
    }
}

/// Hosts whose daemons `init` started on its own: they end with the test, also when it fails.
struct Started(Vec<(char, Host)>);

impl Drop for Started {
    fn drop(&mut self) {
        for (_, host) in &self.0 {
            host.run(&["daemon", "stop"]);
        }
    }
}

#[test]
fn the_table_of_exit_codes_is_the_one_in_the_help() {
    let help = farm_help();
    for row in readme().lines().filter(|line| line.starts_with("| ")) {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let (Some(code), Some(_)) = (cells.next(), cells.next()) else {
            continue;
        };
        if code.parse::<u8>().is_ok() {
            assert!(
                help.contains(&format!("{code} ")),
                "exit code {code} is not in the help"
            );
        }
    }
}

fn farm_help() -> String {
    let farm = Farm::new();
    farm.bare_host("help").ok(&["--help"])
}

#[test]
fn the_configuration_in_the_readme_is_what_a_host_has_without_one() {
    let text = blocks("toml").concat();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let read = printmesh_daemon::Config::load(&path).unwrap();
    assert_eq!(read, printmesh_daemon::Config::default());
}

#[test]
fn the_slicer_and_the_program_that_tells_people_in_the_readme_are_such_that_a_host_takes_them() {
    let text = readme();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for heading in ["[[slicer]]", "[notify]"] {
        let (_, block) = text
            .split_once(&format!("```\n{heading}"))
            .expect("an example");
        let (block, _) = block.split_once("```").expect("its end");
        std::fs::write(&path, format!("{heading}{block}")).unwrap();
        let read = printmesh_daemon::Config::load(&path).unwrap();
        assert_ne!(read, printmesh_daemon::Config::default());
    }
}

#[test]
fn both_first_commands_are_in_the_readme() {
    let text = readme();
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(text.contains(command), "{command}");
    }
}
