//! AutoPrint end to end: another host's job on a printer that prints so many copies by itself, and then asks a person.

use super::environment::{Farm, sliced};

/// It clears its own bed: nothing but the count stops it.
const FAST: &str = "sim://?speed=20000";

#[test]
fn a_printer_stops_printing_by_itself_after_as_many_copies_as_a_person_allowed() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    b.ok(&["autoprint", "on", "sim", "--cycles", "2"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "4"]);
    let stopped = |n: usize| {
        a.until("the end of its turns", |a| {
            let why = a.json(&["job", "show", &job, "--why"])["why"].clone();
            let rows = why.as_array().unwrap();
            let off = |row: &&serde_json::Value| {
                row["printer"] == "b/sim" && row["code"] == "autoprint-off"
            };
            (a.history().len() == n && rows.iter().any(|row| off(&row))).then_some(())
        });
    };
    stopped(2);
    // What is left is for a person: one press, or another allowance.
    assert_eq!(a.json(&["todo"])["items"][0]["prints"], 2);
    b.ok(&["autoprint", "on", "sim", "--cycles", "1"]);
    stopped(3);
    assert_eq!(b.run(&["autoprint", "on", "sim", "--cycles", "0"]).code, 2);
    b.ok(&["autoprint", "on", "sim"]);
    a.wait(&[&job]);
}
