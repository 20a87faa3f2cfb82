//! What a person is told before and after a relay is turned on. Printing over one is `netns/wan.rs`, and that nobody else is
//! called `netns/quiet.rs`.

use printmesh_net::Ticket;
use serde_json::Value;

use crate::suite::environment::{Farm, Host};

/// Nobody is there.
const RELAY: &str = "http://127.0.0.1:9";
const LEARNS: &str = "learns which hosts talk over it, from where, when and how much, and not what";

fn configured(host: &Host, relay: &str) {
    host.configure(&format!(
        "[network]\nbind = \"127.0.0.1:0\"\ndiscovery = false\nrelay = {relay}\n"
    ));
}

fn relays(host: &Host) -> Value {
    let status = host.json(&["daemon", "status"]);
    let all = status["relays"].as_array().unwrap().iter();
    all.map(|relay| relay["url"].clone()).collect()
}

#[test]
fn sharing_beyond_the_network_without_a_relay_is_refused_with_what_to_do() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    for setting in ["[]", "\"none\""] {
        configured(&a, setting);
        a.start();
        if setting == "[]" {
            a.ok(&["queue", "create", "farm"]);
        }
        let problem = a.problem("network.no-relay", &["queue", "share", "farm", "--wan"]);
        let fix = problem["fixes"][0]["text"].as_str().unwrap();
        let config = a.home.join("config.toml");
        assert!(
            fix.contains("relay = [") && fix.contains(config.to_str().unwrap()),
            "{problem:#}"
        );
        let given_out = a.json(&["queue", "share", "farm", "--list"]);
        assert_eq!(given_out["items"].as_array().unwrap().len(), 0);
        assert_eq!(relays(&a), Value::Array(Vec::new()));
        assert!(a.ok(&["daemon", "status"]).contains("relays"));
        a.stop();
    }
    assert!(!a.log().contains("a relay is on"));
}

#[test]
fn whoever_turns_a_relay_on_is_told_what_it_learns_and_can_take_it_back() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    configured(&a, &format!("[\"{RELAY}\"]"));
    a.start();
    a.until_logged(&["a relay is on", RELAY, "from where, when and how much"]);
    assert_eq!(relays(&a), Value::from(vec![RELAY]));
    a.ok(&["queue", "create", "farm"]);

    let ran = a.run(&["queue", "share", "farm", "--wan"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(
        ran.stderr.contains(RELAY) && ran.stderr.contains(LEARNS) && ran.stderr.contains("--wan"),
        "{ran:#?}"
    );
    let ticket: Ticket = ran.stdout.parse().unwrap();
    assert_eq!(ticket.relays, [RELAY.parse().unwrap()]);
    // Whoever does not ask for it gets a ticket without.
    let narrow: Ticket = a.ticket("farm").parse().unwrap();
    assert_eq!(narrow.relays, []);

    let mut b = farm.host("b");
    b.start();
    b.problem("ticket.no-relay", &["join", &narrow.to_string(), "--wan"]);
    let ran = b.run(&["join", &ticket.to_string()]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(
        ran.stderr.contains(&format!("{RELAY}, which is not used")) && ran.stderr.contains(LEARNS),
        "{ran:#?}"
    );
    assert_eq!(relays(&b), Value::Array(Vec::new()));
    assert!(!b.log().contains("a relay is on"));

    let ran = b.run(&["join", &ticket.to_string(), "--wan"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(
        ran.stderr.contains(RELAY) && ran.stderr.contains(LEARNS),
        "{ran:#?}"
    );
    b.until_logged(&["a relay is on", RELAY]);
    assert_eq!(relays(&b), Value::from(vec![RELAY]));
    b.stop();
    b.start();
    assert_eq!(relays(&b), Value::from(vec![RELAY]));
    // Where the config says that there is to be none, there is none.
    b.stop();
    configured(&b, "\"none\"");
    b.start();
    assert_eq!(relays(&b), Value::Array(Vec::new()));
    b.problem("network.relay-off", &["join", &ticket.to_string(), "--wan"]);
    b.stop();
    configured(&b, "[]");
    b.start();
    assert_eq!(relays(&b), Value::from(vec![RELAY]));
    b.until_link("farm", "a", "connected");
    b.ok(&["queue", "leave", "farm", "-y"]);
    b.until_logged(&["a relay is wanted no more", RELAY]);
    b.stop();
    b.start();
    assert_eq!(relays(&b), Value::Array(Vec::new()));
}
