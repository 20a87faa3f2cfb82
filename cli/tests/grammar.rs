//! The grammar: it holds together, and what its help shows can be typed.

use clap::{Command, CommandFactory, Parser};

use crate::args::Cli;

#[test]
fn the_grammar_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_example_in_the_help_can_be_typed() {
    let mut tried = 0;
    let mut command = Cli::command();
    command.build();
    walk(&command, &mut |command| {
        let long = command
            .get_long_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        for line in long.lines() {
            let Some(example) = line.strip_prefix("  printmesh ") else {
                continue;
            };
            // What follows is an explanation, or the shell's.
            let end = ["   ", " > ", " || "]
                .iter()
                .filter_map(|end| example.find(end))
                .min();
            let words = example[..end.unwrap_or(example.len())].replace('\'', "");
            let words = ["printmesh"].into_iter().chain(words.split_whitespace());
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}\n{error}");
            }
            tried += 1;
        }
    });
    assert!(tried > 30, "only {tried} examples were found");
}

#[test]
fn every_command_says_what_it_does_in_the_imperative_without_a_full_stop() {
    let mut command = Cli::command();
    command.build();
    walk(&command, &mut |command| {
        let name = command.get_name();
        let about = command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(!about.is_empty(), "{name} has no help");
        assert!(!about.ends_with('.'), "{name}: {about}");
        for argument in command.get_arguments() {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let id = argument.get_id();
            assert!(!help.is_empty(), "{name} {id} has no help");
            assert!(!help.ends_with('.'), "{name} {id}: {help}");
        }
    });
}

#[test]
fn shortcuts_take_what_the_long_form_takes() {
    for (short, long) in [
        (vec!["submit"], vec!["job", "submit"]),
        (vec!["jobs"], vec!["job", "list"]),
        (vec!["join"], vec!["queue", "join"]),
    ] {
        let arguments = |path: &[&str]| {
            let mut command = Cli::command();
            command.build();
            let found = path.iter().fold(&command, |command, name| {
                command.find_subcommand(name).unwrap()
            });
            let ids = found
                .get_arguments()
                .map(|argument| argument.get_id().to_string());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(arguments(&short), arguments(&long));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for words in [
        "submit",
        "submit a.gcode -c 0",
        "submit a.gcode --draft --wait",
        "job edit kmz",
        "job edit kmz --printer a --any-printer",
        "job move kmz",
        "job move kmz --top --bottom",
        "job cancel",
        "job start kmz",
        "job resolve kmz",
        "job resolve kmz --done --failed",
        "job wait kmz --for ever",
        "printer add mk4",
        "printer ready",
        "printer ready mk4 --all",
        "autoprint on",
        "queue create",
        "queue share farm --role boss",
        "queue share farm --open 10m --uses 2",
        "queue set farm",
        "queue set --claims majority",
        "queue voters",
        "queue voters farm --auto --set a",
        "queue voters farm --set",
        "queue recover",
        "queue share farm --with-key --role printer",
        "init --lan --no-start",
        "member approve farm",
        "status --timeout -5s",
        "submti a.gcode",
    ] {
        let words = ["printmesh"].into_iter().chain(words.split(' '));
        let words: Vec<_> = words.collect();
        assert_eq!(
            Cli::try_parse_from(&words).err().map(|e| e.exit_code()),
            Some(2),
            "{words:?}"
        );
    }
}

#[test]
fn json_takes_fields_only_after_an_equals_sign() {
    let json = |words: &[&str]| Cli::try_parse_from(words).unwrap().global.json;
    assert_eq!(json(&["printmesh", "jobs"]), None);
    assert_eq!(json(&["printmesh", "jobs", "--json"]).as_deref(), Some("*"));
    let fields = json(&["printmesh", "--json=id,state", "job", "show", "kmz"]);
    assert_eq!(fields.as_deref(), Some("id,state"));
    // A file that follows `--json` is a file.
    assert_eq!(
        json(&["printmesh", "submit", "--json", "a.gcode"]).as_deref(),
        Some("*")
    );
}

fn walk(command: &Command, visit: &mut impl FnMut(&Command)) {
    // clap's own `help` tree is a copy of ours.
    if command.get_name() == "help" {
        return;
    }
    visit(command);
    for sub in command.get_subcommands() {
        walk(sub, visit);
    }
}
