//! Going on while the voter is away, with real daemons: what was started then is marked until the voter has decided.
//!
//! Who may go on, how much, and every partition are tested in the node, with virtual time.

use std::{fs, path::Path};

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";

/// Prints for so many milliseconds at the speed above.
fn short(folder: &Path, ms: u32) -> String {
    let path = folder.join(format!("{ms}ms.gcode"));
    fs::write(&path, format!("G1 X1 F3000\nG4 S{}\n", 2 * ms)).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// The job as a host sees it, once it does.
fn until_job(host: &Host, job: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    host.until(what, |host| {
        let ran = host.run(&["job", "show", job, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        fits(&shown).then_some(shown)
    })
}

/// `a` decides alone, and the others do not wait for it for long.
fn impatient(a: &Host) {
    a.ok(&["queue", "voters", "farm", "--set", "a"]);
    a.ok(&[
        "queue",
        "set",
        "farm",
        "--patience",
        "1",
        "--settle",
        "1",
        "--budget",
        "one",
    ]);
}

fn setting(host: &Host, name: &str) -> Option<(String, bool)> {
    let shown = host.json(&["queue", "show", "farm"]);
    let rows = shown["settings"].as_array()?.clone();
    let row = rows.into_iter().find(|row| row["name"] == name)?;
    Some((row["value"].as_str()?.to_owned(), row["default"].as_bool()?))
}

#[test]
fn the_voter_dies_the_other_printer_goes_on_and_the_voter_agrees_when_it_is_back() {
    let farm = Farm::new();
    let (mut a, b) = farm.two_hosts(FAST);
    impatient(&a);
    b.until("the settings", |b| {
        (setting(b, "patience")?.0 == "1").then_some(())
    });
    a.kill();
    b.until_link("farm", "a", "away");
    let job = b.submit(&["-q", "farm", &short(farm.path(), 3000)]);
    let shown = until_job(&b, &job, "the print", |job| job["state"] == "printing");
    assert_eq!(shown["speculative"], 1, "{shown:#}");
    assert_eq!(shown["claims"][0]["speculative"], true, "{shown:#}");
    assert!(b.ok(&["job", "show", &job]).contains("speculative"));
    assert_eq!(b.json(&["queue", "show", "farm"])["withoutVoters"], true);
    a.start();
    for host in [&a, &b] {
        let shown = until_job(host, &job, "the voter's word", |job| {
            job["state"] == "done" && job["speculative"] == 0
        });
        assert_eq!(shown["certified"], 1, "{shown:#}");
        assert_eq!(shown["surplus"], 0, "{shown:#}");
        assert!(host.ok(&["job", "show", &job]).contains("certified"));
    }
    b.until("the voter", |b| {
        let queue = b.json(&["queue", "show", "farm"]);
        (queue["withoutVoters"] == false).then_some(())
    });
}

#[test]
fn a_copy_that_both_sides_made_is_shown_as_one_too_many() {
    let farm = Farm::new();
    let (mut a, mut b) = farm.two_hosts(FAST);
    impatient(&a);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    let file = sliced("clip.gcode");
    let job = b.submit(&["-q", "farm", &file]);
    // Both have the file: nobody prints what it does not have.
    a.submit(&["--draft", &file]);
    until_job(&a, &job, "the job", |job| job["state"] == "queued");
    a.kill();
    b.until_link("farm", "a", "away");
    b.ok(&["printer", "resume", "sim"]);
    let made = until_job(&b, &job, "the print", |job| job["state"] == "done");
    assert_eq!(made["speculative"], 1, "{made:#}");
    b.kill();
    // The voter knows nothing of that.
    a.start();
    a.until_link("farm", "b", "away");
    a.ok(&["printer", "ready", "--all"]);
    a.ok(&["printer", "resume", "sim"]);
    let made = until_job(&a, &job, "the other print", |job| job["state"] == "done");
    assert_eq!(
        (&made["certified"], &made["surplus"]),
        (&1.into(), &0.into()),
        "{made:#}"
    );
    b.start();
    for host in [&a, &b] {
        let shown = until_job(host, &job, "the surplus", |job| {
            job["surplus"] == 1 && job["speculative"] == 0
        });
        assert_eq!(shown["certified"], 1, "{shown:#}");
        assert!(host.ok(&["job", "show", &job]).contains("surplus"));
    }
}

#[test]
fn settings_are_listed_with_what_they_may_be_and_changed_by_admins_only() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    assert_eq!(setting(&a, "claims"), Some(("available".to_owned(), true)));
    let bad = a.problem(
        "setting.bad",
        &["queue", "set", "farm", "--claims", "sometimes"],
    );
    assert!(
        bad["why"].as_str().unwrap().contains("available, majority"),
        "{bad:#}"
    );
    assert_eq!(bad["exit"], 2);
    let refused = b.problem(
        "member.role",
        &["queue", "set", "farm", "--claims", "majority"],
    );
    assert_eq!(refused["exit"], 4);
    a.ok(&[
        "queue",
        "set",
        "farm",
        "--claims",
        "majority",
        "--retries",
        "0",
    ]);
    b.until("the setting", |b| {
        (setting(b, "claims")? == ("majority".to_owned(), false)).then_some(())
    });
    let text = b.ok(&["queue", "show", "farm"]);
    assert!(text.contains("setting\tclaims\tmajority\tset\t"), "{text}");
}
