//! One home on two machines: the key is live twice, and each counts for itself what it has said.

use std::process::Command;

use crate::suite::environment::{Farm, Host, sliced};

fn pause_of(host: &Host) -> Option<String> {
    let printers = host.json(&["printer", "list"]);
    let mut rows = printers["items"].as_array()?.iter();
    let own = rows.find(|row| row["host"] == "b" && row["name"] == "sim")?;
    own["paused"].as_str().map(str::to_owned)
}

#[test]
fn of_a_home_that_was_copied_and_runs_twice_the_one_that_knows_less_says_so_and_stops_its_printers()
{
    let farm = Farm::new();
    let (a, mut b) = farm.two_hosts("sim://?speed=1000");
    // Who is alone in deciding and forgets cannot be told by anybody what it said.
    a.ok(&["queue", "voters", "farm", "--set", "a"]);
    let clip = sliced("clip.gcode");
    b.stop();
    let mut copy = farm.bare_host("copy");
    let mut cp = Command::new("cp");
    let copied = cp.arg("-a").arg(&b.home).arg(&copy.home).status().unwrap();
    assert!(copied.success());
    b.start();
    b.until_link("farm", "a", "connected");
    // Only the first one hears of that: it claims and prints.
    b.ok(&["printer", "ready", "sim"]);
    let job = b.submit(&[&clip, "-q", "farm", "--printer", "b/sim"]);
    b.wait(&[&job]);
    assert_eq!(pause_of(&b), None);

    // Both run now, with one key.
    copy.start();
    let why = copy.until("the copy finds out", pause_of);
    assert!(why.contains("another machine runs with its key"), "{why}");
    // The queue goes on with the others.
    a.ok(&["printer", "ready", "sim"]);
    let job = a.submit(&[&clip, "-q", "farm", "--printer", "a/sim"]);
    a.wait(&[&job]);
}
