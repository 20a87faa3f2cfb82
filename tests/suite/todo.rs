//! The to-do list end to end: whoever does what it says, row by row, where it says, gets everything printed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

/// Nobody clears these beds but a person.
const BY_HAND: &str = "sim://?speed=20000&clear=manual";

/// Types what a step says on the host that it names; returns the words.
fn type_in(hosts: [&Host; 2], step: &Value) -> String {
    let on = step["on"].as_str().unwrap_or(&hosts[0].name);
    let host = hosts.iter().find(|host| host.name == on).unwrap();
    let command = step["command"].as_str().unwrap();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    host.ok(&words);
    format!("{on}: {command}")
}

#[test]
fn doing_what_the_list_says_prints_everything_and_leaves_the_list_empty() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(BY_HAND);
    a.ok(&["printer", "pause", "sim"]);
    b.ok(&["printer", "load", "sim", "0=PETG"]);
    assert_eq!(a.run(&["todo", "--check"]).code, 0, "nothing waits");
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "4"]);

    let rows = a.until("both printers", |a| {
        let rows = a.json(&["todo"])["items"].clone();
        (rows.as_array().unwrap().len() == 2).then_some(rows)
    });
    let first = |n: usize| &rows[n]["steps"][0];
    assert_eq!(first(0)["command"], "printmesh printer resume sim");
    assert_eq!(first(0)["on"], Value::Null);
    assert_eq!(first(1)["command"], "printmesh printer load sim 0=PLA");
    assert_eq!(first(1)["on"], "b");
    for row in rows.as_array().unwrap() {
        assert_eq!((&row["prints"], &row["starts"]), (&4.into(), &1.into()));
        assert!(row["durationS"].as_u64().unwrap() > 0, "{row:#}");
        assert_eq!(
            (&row["jobId"], &row["queues"][0]),
            (&Value::from(&*job), &"farm".into())
        );
    }
    assert_eq!(a.run(&["todo", "--check"]).code, 1);
    assert_eq!(
        a.json(&["todo", "--limit", "1"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        a.json(&["todo", "-q", "local"])["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    a.problem("queue.unknown", &["todo", "-q", "nowhere"]);

    // The load first: whichever printer comes later finds less left to do.
    let mut typed = BTreeSet::from([type_in([&a, &b], first(1))]);
    while let Some(step) = a.until("a thing to do, or the end", |a| {
        let row = a.json(&["todo"])["items"][0].clone();
        match a.job(&job)["state"] == "done" {
            true => Some(None),
            false => row.is_object().then(|| Some(row["steps"][0].clone())),
        }
    }) {
        typed.insert(type_in([&a, &b], &step));
    }
    let was_typed = |command: &str| typed.iter().any(|typed| typed.ends_with(command));
    assert!(was_typed("a: printmesh printer resume sim"), "{typed:?}");
    assert!(
        was_typed("b: printmesh printer load sim 0=PLA"),
        "{typed:?}"
    );
    assert!(was_typed(": printmesh printer ready sim"), "{typed:?}");
    assert_eq!(a.history().len(), 4);
    assert_eq!(
        a.run(&["todo", "--check"]).code,
        0,
        "nothing waits any more"
    );
}

#[test]
fn what_a_job_says_is_one_word_of_the_command_that_is_proposed() {
    let farm = Farm::new();
    let host = farm.printing_host("a", BY_HAND);
    let job = host.submit(&[&sliced("clip.gcode"), "--tag", "big; rm -rf ~"]);
    let fix = host.until("the printer", |host| {
        let shown = host.json(&["job", "show", &job, "--why"]);
        shown["why"][0]["fix"].as_str().map(str::to_owned)
    });
    assert_eq!(fix, "printmesh printer edit sim --tag 'big; rm -rf ~'");
}
