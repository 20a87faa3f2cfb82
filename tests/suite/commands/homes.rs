//! Homes and their daemons: several on one machine, found by flag or environment, started once.

use serde_json::Value;

use super::FAST;
use crate::suite::environment::{Farm, Host, PRINTMESH};

/// Ends a daemon that `up` has put into the background, however the test ends.
struct Background<'a>(&'a Host);

impl Drop for Background<'_> {
    fn drop(&mut self) {
        self.0.run(&["daemon", "stop", "--end-prints"]);
    }
}

#[test]
fn home_can_be_named_by_flag_or_by_environment() {
    let farm = Farm::new();
    let (mut a, mut b) = (farm.host("a"), farm.host("b"));
    a.start();
    b.start();
    let mut by_environment = std::process::Command::new(PRINTMESH);
    by_environment.args(["status", "--json=host,fingerprint"]);
    let output = by_environment
        .env("PRINTMESH_HOME", &a.home)
        .output()
        .unwrap();
    let by_flag = a.ok(&["status", "--json=host,fingerprint"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), by_flag);
    // The flag wins.
    let mut both = b.command(&["status", "--json=host,fingerprint"]);
    let output = both.env("PRINTMESH_HOME", &a.home).output().unwrap();
    let of_b = b.ok(&["status", "--json=host,fingerprint"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), of_b);
    assert_ne!(by_flag, of_b);
}

#[test]
fn up_starts_a_daemon_once_and_says_when_one_runs_already() {
    let farm = Farm::new();
    let a = farm.host("a");
    let ended = Background(&a);
    let first = a.run(&["up", "--json"]);
    let status: Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!(status["home"], a.home.to_str().unwrap());
    let again = a.run(&["up"]);
    assert_eq!(again.code, 0);
    assert_eq!(again.stderr, "already running\n");
    let after = a.json(&["daemon", "status"]);
    assert_eq!(after["pid"], status["pid"]);
    assert_eq!(after["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        after["addresses"][0]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    // Set up before: nothing is made anew, and the daemon stays.
    let init = a.json(&["init"]);
    assert_eq!(
        (&init["already"], &init["pid"]),
        (&true.into(), &status["pid"])
    );
    assert_eq!(init["name"], "a");
    drop(ended);
    a.problem("daemon.down", &["daemon", "status"]);
}

#[test]
fn two_nodes_on_one_machine_have_nothing_in_common_but_what_they_share() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let [of_a, of_b] = [&a, &b].map(|host| host.json(&["daemon", "status"]));
    for fact in ["pid", "home", "host", "addresses"] {
        assert_ne!(of_a[fact], of_b[fact], "{fact}");
    }
    assert_eq!(of_a["pid"], a.pid());
    let [of_a, of_b] = [&a, &b].map(|host| host.json(&["status"])["queues"].clone());
    assert_ne!(of_a[0]["id"], of_b[0]["id"], "local is each host's own");
    assert_eq!(of_a[1]["id"], of_b[1]["id"]);
}

#[test]
fn a_completion_script_for_bash_is_printed_without_a_daemon() {
    let farm = Farm::new();
    let script = farm.host("a").ok(&["completions", "bash"]);
    assert!(script.contains("complete -F _printmesh"), "{script}");
    for word in ["submit", "autoprint", "--copies"] {
        assert!(script.contains(word), "{word}");
    }
}
