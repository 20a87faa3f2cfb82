//! A queue that gets another key, with real daemons: who follows, who comes back, and whom the old key still lets in (nobody).

use super::until_jobs;
use crate::suite::environment::{Farm, Host, sliced};

fn epoch(host: &Host) -> u64 {
    let shown = host.json(&["queue", "show", "farm"]);
    shown["epoch"].as_u64().unwrap()
}

fn until_epoch(host: &Host, number: u64) {
    host.until(&format!("epoch {number}"), |me| {
        (epoch(me) == number).then_some(())
    });
}

#[test]
fn a_removal_gives_the_queue_another_key_and_a_host_that_was_off_follows_by_itself() {
    let farm = Farm::new();
    let [mut a, b, mut c, d] = ["a", "b", "c", "d"].map(|name| {
        let mut host = farm.host(name);
        host.start();
        host
    });
    a.ok(&["queue", "create", "farm"]);
    let invited = a.ticket("farm");
    for host in [&b, &c] {
        host.ok(&["join", &a.ticket("farm")]);
    }
    let shared = a.json(&["queue", "share", "farm", "--with-key"]);
    let old_key = shared["ticket"].as_str().unwrap().to_owned();
    let clip = sliced("clip.gcode");
    b.submit(&[&clip, "-q", "farm", "--draft", "--name", "of b"]);
    until_jobs(&c, &["of b"]);
    c.stop();
    // b was the last one to write; then it has to go.
    a.ok(&["member", "remove", "farm", "b", "--yes"]);
    assert_eq!(epoch(&a), 1);
    a.submit(&[&clip, "-q", "farm", "--draft", "--name", "of a"]);
    // The key that it may have read lets nobody in, a ticket that somebody still has does.
    d.problem("ticket.old-key", &["join", &old_key]);
    d.ok(&["join", &invited]);
    until_jobs(&d, &["of b", "of a"]);
    // Who was off comes back by itself, once more after a second time.
    a.ok(&["queue", "rotate-key", "farm"]);
    c.start();
    until_epoch(&c, 2);
    until_jobs(&c, &["of b", "of a"]);
    c.submit(&[&clip, "-q", "farm", "--draft", "--name", "of c"]);
    until_jobs(&a, &["of b", "of a", "of c"]);
    until_jobs(&d, &["of b", "of a", "of c"]);
    // The removed one has the queue as it was, and nothing of what came after.
    assert_eq!(epoch(&b), 0);
    until_jobs(&b, &["of b"]);
    // And it is all on disk.
    a.kill();
    a.start();
    assert_eq!(epoch(&a), 2);
    until_jobs(&a, &["of b", "of a", "of c"]);
    a.until_link("farm", "c", "connected");
    b.problem("member.no-key", &["queue", "rotate-key", "farm"]);
}
