//! Tickets that let nobody in.

use printmesh_net::Ticket;
use serde_json::Value;

use super::{host_with_a_job, jobs, why};
use crate::suite::environment::{Farm, Host};

#[test]
fn a_ticket_that_is_cut_damaged_or_none_at_all_is_told_from_a_good_one() {
    let farm = Farm::new();
    let (a, before) = host_with_a_job(&farm);
    a.ok(&["queue", "create", "farm"]);
    let mut b = farm.host("b");
    b.start();
    let ticket = a.ticket("farm");
    let cut = &ticket[..ticket.len() - 9];
    let middle = ticket.len() / 2;
    let other = if ticket[middle..].starts_with('a') {
        "b"
    } else {
        "a"
    };
    let damaged = format!("{}{other}{}", &ticket[..middle], &ticket[middle + 1..]);
    for (text, said) in [
        (cut, "cut off"),
        (&damaged, "damaged"),
        ("pmq1", "cut off"),
        ("pmqueue", "not a ticket"),
    ] {
        let problem = b.problem("ticket.bad", &["join", text]);
        assert_eq!(problem["exit"], 2);
        assert!(why(&problem).contains(said), "{problem:#}");
        assert!(!problem["fixes"].as_array().unwrap().is_empty());
    }
    assert_eq!(b.problem("usage", &["join", "farm"])["exit"], 2);
    assert_eq!(b.run_with("", &["join", "-"]).code, 2);
    assert_eq!(
        b.json(&["queue", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // The real one still works, also from stdin with blanks around it.
    let ran = b.run_with(&format!("  {ticket}\n"), &["join", "-"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert_eq!(jobs(&a), before);
}

#[test]
fn a_ticket_that_is_expired_used_up_or_for_another_queue_lets_nobody_in() {
    let farm = Farm::new();
    let (mut a, mut b, mut c) = (farm.host("a"), farm.host("b"), farm.host("c"));
    for host in [&mut a, &mut b, &mut c] {
        host.start();
    }
    a.ok(&["queue", "create", "farm"]);
    a.ok(&["queue", "create", "other"]);
    let share = |host: &Host, more: &[&str]| -> Ticket {
        let args = [&["queue", "share", "farm"], more].concat();
        host.json(&args)["ticket"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    let refused = |host: &Host, code: &str, ticket: &Ticket| {
        let problem = host.problem(code, &["join", &ticket.to_string()]);
        assert_eq!(problem["exit"], 4, "{problem:#}");
    };
    // Expired: the joiner sees it, and the host that shares does not believe a joiner who does not.
    let expired = share(&a, &["--expires", "0s"]);
    refused(&b, "ticket.expired", &expired);
    let pretends = Ticket {
        expires_at_s: None,
        ..expired
    };
    refused(&b, "ticket.expired", &pretends);
    // Used up.
    let once = share(&a, &["--uses", "1"]);
    b.ok(&["join", &once.to_string()]);
    refused(&c, "ticket.used", &once);
    // Bent to another queue of the same host, or to one that nobody has.
    let good = share(&a, &[]);
    let other = a.json(&["queue", "show", "other"])["id"].clone();
    let other: printmesh_queue::QueueId = other.as_str().unwrap().parse().unwrap();
    for queue in [other.0, [7; 32]] {
        let bent = Ticket {
            queue,
            ..good.clone()
        };
        let ran = c.run(&["join", &bent.to_string(), "--json"]);
        assert_eq!(ran.code, 4, "{ran:#?}");
    }
    assert_eq!(
        c.json(&["queue", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for queue in ["farm", "other"] {
        let members = &a.json(&["queue", "peers", queue])["items"];
        let members: Vec<&Value> = members.as_array().unwrap().iter().collect();
        assert!(
            members.iter().all(|member| member["host"] != "c"),
            "{members:#?}"
        );
    }
    // What was not used up by all this is still good.
    c.ok(&["join", &good.to_string()]);
}

#[test]
fn a_ticket_for_a_queue_that_its_host_has_left_lets_nobody_in() {
    let farm = Farm::new();
    let (mut a, mut b, mut c) = (farm.host("a"), farm.host("b"), farm.host("c"));
    for host in [&mut a, &mut b, &mut c] {
        host.start();
    }
    a.ok(&["queue", "create", "farm"]);
    let admin = a.json(&["queue", "share", "farm", "--with-key"])["ticket"].clone();
    b.ok(&["join", admin.as_str().unwrap()]);
    let ticket = b.ticket("farm");
    b.ok(&["queue", "leave", "farm"]);
    // A host that shares nothing does not even talk to strangers.
    let problem = c.problem("join.unreachable", &["join", &ticket]);
    assert!(
        why(&problem).contains("takes no new members"),
        "{problem:#}"
    );
    b.ok(&["queue", "create", "another"]);
    let problem = c.problem("ticket.foreign", &["join", &ticket]);
    assert_eq!(problem["exit"], 4);
    assert_eq!(
        c.json(&["queue", "list"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    b.problem("queue.unknown", &["queue", "share", "farm"]);
}
