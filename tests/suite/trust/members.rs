//! Members that get another role, and members that are taken out, with real daemons: what each screen says, and that the
//! removed one gets past no door any more.

use serde_json::Value;

use super::{
    impostor::{Impostor, device_of, whereabouts},
    until_jobs,
};
use crate::suite::environment::{Farm, Host, sliced};

fn member(host: &Host, name: &str) -> Value {
    let list = host.json(&["member", "list", "farm"]);
    let mut rows = list["items"].as_array().unwrap().iter();
    rows.find(|row| row["host"] == name)
        .cloned()
        .unwrap_or_default()
}

fn until_member(host: &Host, name: &str, what: &str, is: &str) {
    host.until(&format!("{name} with {what} {is}"), |me| {
        (member(me, name)[what] == is).then_some(())
    });
}

/// Hosts `a`, `b` and `c` in the queue `farm` of `a`.
fn three(farm: &Farm) -> [Host; 3] {
    let hosts = ["a", "b", "c"].map(|name| {
        let mut host = farm.host(name);
        host.start_verbose();
        host
    });
    hosts[0].ok(&["queue", "create", "farm"]);
    for host in &hosts[1..] {
        host.ok(&["join", &hosts[0].ticket("farm")]);
    }
    hosts[1].until_link("farm", "c", "connected");
    hosts
}

#[test]
fn a_member_with_another_role_may_do_that_and_no_more() {
    let farm = Farm::new();
    let [a, b, c] = three(&farm);
    let clip = sliced("clip.gcode");
    a.submit(&[&clip, "-q", "farm", "--draft", "--name", "first"]);
    until_jobs(&b, &["first"]);
    b.ok(&["job", "edit", "first", "--copies", "2"]);
    a.ok(&["member", "role", "farm", "b", "submitter"]);
    for host in [&b, &c] {
        until_member(host, "b", "role", "submitter");
    }
    b.problem("member.role", &["job", "edit", "first", "--copies", "3"]);
    b.submit(&[&clip, "-q", "farm", "--draft", "--name", "own"]);
    until_jobs(&c, &["first", "own"]);
    b.problem("member.no-key", &["member", "role", "farm", "b", "admin"]);
    // Who becomes an admin lets others in.
    a.ok(&["member", "role", "farm", "b", "admin"]);
    b.until("the key", |me| {
        (me.json(&["queue", "show", "farm"])["holdsKey"] == true).then_some(())
    });
    b.ok(&["member", "role", "farm", "c", "observer"]);
    until_member(&c, "c", "role", "observer");
    c.problem("member.role", &["submit", &clip, "-q", "farm"]);
}

#[test]
fn a_removed_member_is_out_for_everybody_and_what_it_wrote_stays() {
    let farm = Farm::new();
    let [a, mut b, c] = three(&farm);
    let clip = sliced("clip.gcode");
    b.submit(&[&clip, "-q", "farm", "--draft", "--name", "before"]);
    until_jobs(&a, &["before"]);
    until_jobs(&c, &["before"]);
    let spare = a.json(&["queue", "share", "farm", "--uses", "3"]);
    let spare = spare["ticket"].as_str().unwrap().to_owned();
    a.ok(&["member", "remove", "farm", "b", "--yes"]);
    for host in [&a, &b, &c] {
        until_member(host, "b", "state", "removed");
    }
    b.problem("member.removed", &["submit", &clip, "-q", "farm"]);
    until_jobs(&a, &["before"]);
    for host in [&a, &c] {
        let peers = host.json(&["queue", "peers", "farm"]);
        assert!(!peers.to_string().contains("\"b\""), "{peers:#}");
    }
    // Its key opens no connection, whatever its own software would say.
    b.stop();
    let removed = Impostor::new(&farm, device_of(&b), whereabouts(&c));
    removed.call();
    c.until_logged(&["refused a stranger", "printmesh/sync"]);
    removed.leave();
    // Nor does a ticket that lets others in.
    b.start();
    b.ok(&["queue", "leave", "farm"]);
    b.problem("member.removed", &["join", &spare]);
    // An admin that names it lets it in again.
    a.ok(&["member", "role", "farm", "b", "submitter"]);
    b.ok(&["join", &spare]);
    until_member(&c, "b", "state", "member");
    b.submit(&[&clip, "-q", "farm", "--draft", "--name", "after"]);
    until_jobs(&c, &["before", "after"]);
}
