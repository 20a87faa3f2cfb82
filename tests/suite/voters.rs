//! Who decides, with real daemons: the voter stopped cleanly, one of three killed, set by hand, and gone for good.
//!
//! The protocol itself is tested in the node, in virtual time and with a power cut at every step.

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";

/// Waits until a host knows these voters, and a majority of them can be reached.
fn until_voters(host: &Host, wanted: &str) -> Value {
    host.until(&format!("the voters {wanted}"), |host| {
        let shown = host.json(&["queue", "voters", "farm"]);
        let names = shown["voters"].as_array()?.iter();
        let mut names: Vec<&str> = names.filter_map(|voter| voter["host"].as_str()).collect();
        names.sort_unstable();
        let here = shown["reachable"] == true && shown["changing"] == false;
        (names.concat() == wanted && here).then_some(shown)
    })
}

/// Every claim on the job was decided by the voters.
fn certified(host: &Host, job: &str, copies: usize) {
    let shown = host.job(job);
    let claims = shown["claims"].as_array().unwrap();
    assert_eq!(claims.len(), copies, "{shown:#}");
    for claim in claims {
        assert_eq!(claim["state"], "finished", "{shown:#}");
        assert_ne!(claim["speculative"], true, "{shown:#}");
    }
}

#[test]
fn of_two_hosts_the_voter_is_stopped_and_the_other_prints_on_certified() {
    let farm = Farm::new();
    let (mut a, b) = farm.two_hosts(FAST);
    b.ok(&["autoprint", "on", "sim"]);
    until_voters(&b, "a");
    a.stop();
    let shown = until_voters(&b, "b");
    assert_eq!(
        (&shown["me"], &shown["choice"]),
        (&"serves".into(), &"auto".into())
    );
    let job = b.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "2"]);
    b.wait(&[&job]);
    certified(&b, &job, 2);
    a.start();
    a.until_link("farm", "b", "connected");
    let shown = until_voters(&a, "b");
    assert_eq!(shown["me"], "parked");
    a.wait(&[&job]);
    // A killed voter gives nothing away; a host that has parked is no voter, so that its end changes nothing.
    a.kill();
    b.until_link("farm", "a", "away");
    let job = b.submit(&["-q", "farm", &sliced("clip.gcode")]);
    b.wait(&[&job]);
    certified(&b, &job, 1);
}

#[test]
fn of_three_hosts_all_vote_and_one_is_killed_without_anybody_noticing() {
    let farm = Farm::new();
    let (mut a, b) = farm.two_hosts(FAST);
    let c = farm.printing_host("c", FAST);
    c.ok(&["join", &a.ticket("farm")]);
    for host in [&a, &b, &c] {
        until_voters(host, "abc");
    }
    a.kill();
    let job = b.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "4"]);
    b.wait(&[&job]);
    certified(&c, &job, 4);
    a.start();
    let shown = until_voters(&a, "abc");
    assert_eq!(shown["me"], "serves");
    a.wait(&[&job]);
}

#[test]
fn a_person_sets_the_voters_and_lets_the_hosts_choose_again() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let shown = b.json(&["queue", "voters", "farm", "--set", "b"]);
    assert_eq!(
        (&shown["choice"], &shown["me"]),
        (&"fixed".into(), &"serves".into())
    );
    let shown = until_voters(&a, "b");
    assert_eq!(shown["me"], "parked");
    let text = a.ok(&["queue", "voters", "farm"]);
    assert!(text.contains('b'), "{text}");
    a.problem("voters.bad", &["queue", "voters", "farm", "--set", "a,b"]);
    a.problem("member.unknown", &["queue", "voters", "farm", "--set", "x"]);
    a.problem("queue.fixed", &["queue", "voters", "local", "--set", "a"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    a.wait(&[&job]);
    certified(&a, &job, 1);
    let shown = a.json(&["queue", "voters", "farm", "--auto"]);
    assert_eq!(shown["choice"], "auto");
}

#[test]
fn a_queue_whose_voter_is_gone_for_good_is_recovered_by_an_admin() {
    let farm = Farm::new();
    let mut a = farm.printing_host("a", FAST);
    a.ok(&["queue", "create", "farm"]);
    let share = a.json(&["queue", "share", "farm", "--role", "admin"]);
    let b = farm.printing_host("b", FAST);
    b.ok(&["join", share["ticket"].as_str().unwrap()]);
    b.until_link("farm", "a", "connected");
    b.problem(
        "voters.answer",
        &["queue", "recover", "farm", "--confirm", "farm"],
    );
    a.kill();
    b.until_link("farm", "a", "away");
    b.problem(
        "confirm.other-name",
        &["queue", "recover", "farm", "--confirm", "frm"],
    );
    assert_eq!(b.run(&["queue", "recover", "farm", "-y"]).code, 2);
    b.problem(
        "claims.no-quorum",
        &["queue", "voters", "farm", "--set", "b"],
    );
    let said = b.ok(&["queue", "recover", "farm", "--confirm", "farm"]);
    assert!(said.contains("decided by this host alone"), "{said}");
    let shown = until_voters(&b, "b");
    assert_eq!(
        (&shown["me"], &shown["recoveries"]),
        (&"serves".into(), &1.into())
    );
    let job = b.submit(&["-q", "farm", &sliced("clip.gcode")]);
    b.wait(&[&job]);
    certified(&b, &job, 1);
    // It was not gone after all: it has no say any more, and prints on what the new voter decides.
    a.start();
    let shown = until_voters(&a, "b");
    assert_eq!(shown["me"], "parked");
    b.ok(&["printer", "pause", "sim"]);
    a.ok(&["printer", "ready", "--all"]);
    let job = b.submit(&["-q", "farm", &sliced("clip.gcode")]);
    a.wait(&[&job]);
    certified(&a, &job, 1);
}
