//! Tickets: what they open, how often, how long, and for whom.

use std::str::FromStr as _;

use printmesh_net::{PeerKey, Ticket};

use super::{impostor::whereabouts, until_jobs};
use crate::suite::environment::{Farm, Host, sliced};

/// Hosts `a`, `b` and `c` that run; `a` has the queue `farm`.
fn hosts(farm: &Farm) -> [Host; 3] {
    let hosts = ["a", "b", "c"].map(|name| {
        let mut host = farm.host(name);
        host.start();
        host
    });
    hosts[0].ok(&["queue", "create", "farm"]);
    hosts
}

fn is_member(host: &Host, name: &str) -> bool {
    let peers = host.json(&["queue", "peers", "farm"]);
    peers["items"]
        .as_array()
        .unwrap()
        .iter()
        .any(|peer| peer["host"] == name)
}

#[test]
fn a_ticket_is_good_once_and_again_only_for_whom_it_let_in() {
    let farm = Farm::new();
    let [a, b, c] = hosts(&farm);
    let ticket = a.ticket("farm");
    b.ok(&["join", &ticket]);
    let problem = c.problem("ticket.used", &["join", &ticket]);
    assert!(
        problem["fixes"]
            .as_array()
            .is_some_and(|fixes| !fixes.is_empty()),
        "{problem:#}"
    );
    assert_eq!(b.json(&["join", &ticket])["state"], "already");
    assert!(!is_member(&a, "c"));
    assert!(
        c.json(&["queue", "list"])["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|queue| queue["name"] == "local")
    );

    // Two uses are two hosts.
    let ticket = a.json(&["queue", "share", "farm", "--uses", "2"])["ticket"]
        .as_str()
        .unwrap()
        .to_owned();
    c.ok(&["join", &ticket]);
    a.until_link("farm", "c", "connected");
}

#[test]
fn a_ticket_that_has_expired_is_refused_at_both_ends() {
    let farm = Farm::new();
    let [a, b, _c] = hosts(&farm);
    let share = a.json(&["queue", "share", "farm", "--expires", "0s"]);
    let text = share["ticket"].as_str().unwrap();
    b.problem("ticket.expired", &["join", text]);
    // Whoever pretends that it goes on for ever still does not get in.
    let endless = Ticket {
        expires_at_s: None,
        ..Ticket::from_str(text).unwrap()
    };
    b.problem("ticket.expired", &["join", &endless.to_string()]);
    a.until_logged(&["refused a host that wants to join", "ticket.expired"]);
    assert!(!is_member(&a, "b"));
}

#[test]
fn a_ticket_for_another_queue_or_with_another_secret_is_refused() {
    let farm = Farm::new();
    let [a, b, c] = hosts(&farm);
    a.ok(&["queue", "create", "other"]);
    c.ok(&["queue", "create", "farm"]);
    let good = Ticket::from_str(&a.ticket("farm")).unwrap();
    let other = Ticket::from_str(&a.ticket("other")).unwrap();
    let foreign = Ticket::from_str(&c.ticket("farm")).unwrap();
    let (key, address) = whereabouts(&a);
    let to_a = |ticket: &Ticket| Ticket {
        host: PeerKey(key.0),
        addresses: vec![address],
        ..ticket.clone()
    };
    let refused = |ticket: Ticket, code: &str| b.problem(code, &["join", &ticket.to_string()]);
    // A queue that this host does not have; an invitation to another queue of the same host.
    refused(to_a(&foreign), "ticket.foreign");
    refused(
        Ticket {
            queue: good.queue,
            ..other.clone()
        },
        "ticket.foreign",
    );
    // The right invitation without its secret, and an invitation that was altered.
    refused(
        Ticket {
            secret: [5; 32],
            ..good.clone()
        },
        "ticket.proof",
    );
    let mut proof = good.proof.clone();
    *proof.last_mut().unwrap() ^= 1;
    refused(
        Ticket {
            proof,
            ..good.clone()
        },
        "ticket.foreign",
    );
    refused(
        Ticket {
            proof: Vec::new(),
            ..good.clone()
        },
        "ticket.proof",
    );
    // Another host's key at this address: nobody with that key answers there.
    refused(
        Ticket {
            host: foreign.host,
            addresses: vec![address],
            ..good.clone()
        },
        "join.unreachable",
    );
    assert!(!is_member(&a, "b"));

    let text = good.to_string();
    b.problem("ticket.bad", &["join", &text[..text.len() / 2]]);
    b.problem("ticket.bad", &["join", &text.replacen("pmq1", "pmq7", 1)]);
    // After all that, the good one is good.
    b.ok(&["join", &text]);
    a.until_link("farm", "b", "connected");
}

#[test]
fn the_queue_key_lets_any_number_in_who_may_admit_others() {
    let farm = Farm::new();
    let [mut a, b, c] = hosts(&farm);
    let share = a.json(&["queue", "share", "farm", "--with-key"]);
    assert_eq!(
        (&share["role"], &share["uses"]),
        (&"admin".into(), &serde_json::Value::Null)
    );
    b.ok(&["join", share["ticket"].as_str().unwrap()]);
    let shown = b.json(&["queue", "show", "farm"]);
    assert_eq!(
        (&shown["role"], &shown["holdsKey"]),
        (&"admin".into(), &true.into())
    );
    // The host that made the queue is gone; who holds the key still admits.
    a.stop();
    b.until_link("farm", "a", "away");
    c.ok(&["join", &b.ticket("farm")]);
    assert_eq!(c.json(&["queue", "show", "farm"])["role"], "operator");
    c.problem("member.no-key", &["queue", "share", "farm"]);
    c.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--draft",
        "--name",
        "from-c",
    ]);
    until_jobs(&b, &["from-c"]);
    a.start();
    until_jobs(&a, &["from-c"]);
    a.until_link("farm", "c", "connected");
}

#[test]
fn tickets_are_listed_taken_back_and_shown_as_a_code_to_photograph() {
    let farm = Farm::new();
    let [a, b, c] = hosts(&farm);
    let share = a.json(&["queue", "share", "farm", "--uses", "2", "--role", "printer"]);
    let (ticket, id) = (
        share["ticket"].as_str().unwrap(),
        share["id"].as_str().unwrap(),
    );
    b.ok(&["join", ticket]);
    let listed = |host: &Host| {
        let list = host.json(&["queue", "share", "farm", "--list"]);
        let rows = list["items"].as_array().unwrap().clone();
        rows.into_iter()
            .find(|row| row["id"] == id)
            .expect("it is listed")
    };
    let row = listed(&a);
    assert_eq!(
        (&row["used"], &row["uses"]),
        (&1.into(), &2.into()),
        "{row:#}"
    );
    assert_eq!(
        (&row["state"], &row["role"], &row["by"]),
        (&"open".into(), &"printer".into(), &"a".into())
    );
    assert!(
        !a.ok(&["queue", "share", "farm", "--list"]).contains("pmq1"),
        "no secret is listed"
    );
    b.problem("member.role", &["queue", "share", "farm", "--revoke", id]);
    a.problem(
        "ticket.unknown",
        &["queue", "share", "farm", "--revoke", "zzzzzzzz"],
    );
    a.ok(&["queue", "share", "farm", "--revoke", id]);
    assert_eq!(listed(&b)["state"], "revoked");
    c.problem("ticket.revoked", &["join", ticket]);
    assert!(!is_member(&a, "c"));
    // The ticket itself stays alone on stdout; the code is for the eyes.
    let ran = a.run(&["queue", "share", "farm", "--qr"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(
        ran.stdout.starts_with("pmq1") && ran.stdout.lines().count() == 1,
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains('\u{2588}'), "{}", ran.stderr);
    // Unless somebody says otherwise it is good for a day, once, and for printing and for seeing to the others' prints.
    let share = a.json(&["queue", "share", "farm"]);
    let usual = (&share["role"], &share["uses"]);
    assert_eq!(usual, (&"operator".into(), &1.into()), "{share:#}");
    let expires: jiff::Timestamp = share["expires"].as_str().unwrap().parse().unwrap();
    let left_s = expires.as_second() - jiff::Timestamp::now().as_second();
    assert!((86_000..=86_400).contains(&left_s), "{left_s}");
}

#[test]
fn a_ticket_is_after_a_restart_of_its_host_what_it_was_before() {
    let farm = Farm::new();
    let [mut a, b, c] = hosts(&farm);
    let share = |host: &Host| {
        let share = host.json(&["queue", "share", "farm"]);
        let text = |key: &str| share[key].as_str().unwrap().to_owned();
        (text("ticket"), text("id"))
    };
    let ((used, _), (revoked, id), (open, _)) = (share(&a), share(&a), share(&a));
    b.ok(&["join", &used]);
    a.ok(&["queue", "share", "farm", "--revoke", &id]);
    // In order, and without a goodbye.
    for is_killed in [false, true] {
        match is_killed {
            true => a.kill(),
            false => a.stop(),
        }
        a.start();
        c.problem("ticket.used", &["join", &used]);
        c.problem("ticket.revoked", &["join", &revoked]);
        assert!(!is_member(&a, "c"));
    }
    assert_eq!(b.json(&["join", &used])["state"], "already");
    c.ok(&["join", &open]);
    a.until_link("farm", "c", "connected");
}

#[test]
fn the_queue_key_is_shown_only_to_who_asks_for_it_in_so_many_words() {
    let farm = Farm::new();
    let [a, b, _c] = hosts(&farm);
    b.ok(&["join", &a.ticket("farm")]);
    let shown = a.ok(&["queue", "key", "show", "farm"]);
    assert!(
        !shown.contains("pmq1") && shown.contains("--reveal"),
        "{shown}"
    );
    let revealed = a.ok(&["queue", "key", "show", "farm", "--reveal"]);
    let key = Ticket::from_str(revealed.trim()).unwrap();
    assert_eq!(key.kind, printmesh_net::TicketKind::QueueKey);
    b.problem(
        "member.no-key",
        &["queue", "key", "show", "farm", "--reveal"],
    );
    assert!(!b.ok(&["queue", "key", "show", "farm"]).contains("pmq1"));
    assert!(!a.log().contains(revealed.trim()), "a key is never logged");
}

#[test]
fn state_that_others_could_have_read_is_refused_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;

    let farm = Farm::new();
    let mut host = farm.host("a");
    host.start();
    host.stop();
    for file in ["device.key", "state.redb"] {
        let path = host.home.join(file);
        let set =
            |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o640);
        let said = host.try_start().unwrap_err();
        assert!(said.contains("chmod 600"), "{file}: {said}");
        set(0o600);
    }
    host.start();
}
