//! The default LAN queue (item 3 of issue 2): hosts that see each other on the network, and the person in between.
//!
//! Every test has a network of its own: multicast on loopback, under a service name that nobody else has. Where the
//! system does not carry that, the tests say so and prove nothing.

use std::{fs, net::UdpSocket, time::Duration};

use serde_json::Value;

use super::environment::{Farm, Host, Ran, sliced};

/// Whether multicast on loopback arrives here: what discovery needs, and nothing of ours.
fn network_carries_multicast() -> bool {
    let heard = || -> std::io::Result<bool> {
        let (group, any) = ("224.0.0.251".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let ear = UdpSocket::bind("0.0.0.0:0")?;
        ear.join_multicast_v4(&group, &any)?;
        ear.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mouth = UdpSocket::bind("127.0.0.1:0")?;
        mouth.send_to(b"hello", (group, ear.local_addr()?.port()))?;
        Ok(ear.recv(&mut [0; 8])? == 5)
    };
    match heard() {
        Ok(true) => true,
        other => {
            eprintln!("skipped: no multicast on loopback here ({other:?})");
            false
        }
    }
}

/// A network of its own.
struct Lan {
    farm: Farm,
    service: String,
}

impl Lan {
    fn new(name: &str) -> Option<Self> {
        let service = format!("pm{:x}{name}", std::process::id() & 0xff_ffff);
        assert!(service.len() <= 15, "{service}");
        let farm = Farm::new();
        network_carries_multicast().then_some(Self { farm, service })
    }

    /// A host that runs and looks for others.
    fn host(&self, name: &str) -> Host {
        let mut host = self.farm.host(name);
        host.configure(&format!(
            "[network]\nbind = \"127.0.0.1:0\"\ndiscovery = true\nservice = \"{}\"\n",
            self.service
        ));
        host.start();
        host
    }

    /// A host that has made the queue LAN.
    fn first(&self, name: &str) -> Host {
        let host = self.host(name);
        let made = host.json(&["init", "--lan"]);
        assert_eq!(
            (&made["lan"]["state"], &made["lan"]["queue"]),
            (&"created".into(), &"LAN".into())
        );
        host
    }
}

fn members(host: &Host) -> Vec<String> {
    let peers = host.json(&["queue", "peers", "LAN"]);
    let peers = peers["items"].as_array().unwrap().iter();
    let mut names: Vec<_> = peers
        .map(|peer| peer["host"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn has_lan(host: &Host) -> bool {
    let queues = host.json(&["queue", "list"]);
    queues["items"]
        .as_array()
        .unwrap()
        .iter()
        .any(|queue| queue["name"] == "LAN")
}

fn until_in(host: &Host) {
    host.until("the queue LAN", |me| has_lan(me).then_some(()));
}

/// Waits until a host asks to come into LAN; the row that its members see.
fn asking(member: &Host, name: &str) -> Value {
    member.until(&format!("{name} to ask"), |me| {
        let shown = me.json(&["queue", "show", "LAN"]);
        shown["asking"]
            .as_array()?
            .iter()
            .find(|asking| asking["host"] == name)
            .cloned()
    })
}

/// What is printed while a command runs on: it ends by itself when `meanwhile` has done its part.
fn during(host: &Host, args: &[&str], meanwhile: impl FnOnce()) -> Ran {
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| host.run(args));
        meanwhile();
        ran.join().unwrap()
    })
}

#[test]
fn the_second_host_is_let_in_by_a_person_who_sees_the_same_code() {
    let Some(lan) = Lan::new("let") else { return };
    let a = lan.first("a");
    let b = lan.host("b");
    let asked = b.json(&["init", "--lan"]);
    assert_eq!(asked["lan"]["state"], "asked", "{asked:#}");
    let code = asked["lan"]["code"].as_str().unwrap();

    let row = asking(&a, "b");
    assert_eq!(row["code"], code);
    let fingerprint = b.json(&["status"])["fingerprint"].clone();
    assert_eq!(row["fingerprint"], fingerprint);
    let shown = a.ok(&["queue", "show", "LAN"]);
    assert!(shown.contains(code), "{shown}");
    let status = a.ok(&["status"]);
    assert!(
        status.contains(code) && status.contains("printmesh member approve LAN b"),
        "{status}"
    );
    // Until then it is a stranger: it has nothing of the queue, and does not print.
    assert_eq!(members(&a), ["a"]);
    assert!(!has_lan(&b));
    // Nobody is let in by a command that could not ask.
    a.problem("not.confirmed", &["member", "approve", "LAN", "b"]);
    assert_eq!(members(&a), ["a"]);

    a.ok(&["member", "approve", "LAN", "b", "-y"]);
    until_in(&b);
    b.until_link("LAN", "a", "connected");
    assert_eq!(
        (members(&a), members(&b)),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()])
    );
    assert_eq!(
        a.json(&["queue", "show", "LAN"])["asking"],
        Value::Array(Vec::new())
    );
    b.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "LAN",
        "--name",
        "hello",
        "--draft",
    ]);
    a.until("the job of b", |me| {
        me.json(&["jobs", "-q", "LAN"])["items"]
            .as_array()?
            .iter()
            .any(|job| job["name"] == "hello")
            .then_some(())
    });
    // Asking again changes nothing.
    assert_eq!(b.json(&["init", "--lan"])["lan"]["state"], "already");
}

#[test]
fn join_waits_on_the_screen_until_a_person_decides() {
    let Some(lan) = Lan::new("wait") else { return };
    let a = lan.first("a");
    let b = lan.host("b");
    let refused = during(&b, &["join"], || {
        asking(&a, "b");
        a.ok(&["member", "deny", "LAN", "b"]);
    });
    assert_eq!(refused.code, 4, "{refused:#?}");
    assert!(refused.stderr.contains("a member refused"), "{refused:#?}");
    assert!(!has_lan(&b));
    assert_eq!(members(&a), ["a"]);

    let row = std::cell::RefCell::new(Value::Null);
    let joined = during(&b, &["join"], || {
        row.replace(asking(&a, "b"));
        a.ok(&["member", "approve", "LAN", "b", "--yes"]);
    });
    assert_eq!(joined.code, 0, "{joined:#?}");
    assert!(joined.stdout.starts_with("joined\tLAN\t"), "{joined:#?}");
    let code = row.borrow()["code"].as_str().unwrap().to_owned();
    assert!(joined.stderr.contains(&code), "{code} {joined:#?}");
    assert!(
        joined.stderr.contains("member approve LAN b"),
        "{joined:#?}"
    );
    assert!(has_lan(&b));
}

#[test]
fn an_open_window_lets_in_without_a_person() {
    let Some(lan) = Lan::new("open") else { return };
    let a = lan.first("a");
    // One asked before the window was opened.
    let b = lan.host("b");
    assert_eq!(b.json(&["join", "--no-wait"])["state"], "asked");
    asking(&a, "b");
    let shared = a.json(&["queue", "share", "LAN", "--open", "10m"]);
    assert!(
        shared["ticket"].is_null() && shared["expires"].is_string(),
        "{shared:#}"
    );
    until_in(&b);
    let c = lan.host("c");
    let joined = c.json(&["join"]);
    assert_eq!(
        (&joined["state"], &joined["queue"]),
        (&"joined".into(), &"LAN".into())
    );
    a.until_link("LAN", "b", "connected");
    a.until_link("LAN", "c", "connected");
    c.until_link("LAN", "b", "connected");
}

#[test]
fn where_nothing_is_offered_joining_says_so() {
    let Some(lan) = Lan::new("none") else { return };
    let b = lan.host("b");
    // A host with a queue of its own that is not for this network offers nothing either.
    let c = lan.host("c");
    c.ok(&["queue", "create", "farm"]);
    let problem = b.problem("lan.nothing-found", &["join"]);
    assert!(
        !problem["fixes"].as_array().unwrap().is_empty(),
        "{problem:#}"
    );
    assert!(!has_lan(&b) && !has_lan(&c));
}

#[test]
fn who_only_happens_to_be_on_the_network_is_linked_to_nobody() {
    let Some(lan) = Lan::new("shy") else { return };
    let shy = lan.host("shy");
    let a = lan.first("a");
    let b = lan.host("b");
    b.ok(&["join", "--no-wait"]);
    asking(&a, "b");
    a.ok(&["member", "approve", "LAN", "b", "-y"]);
    until_in(&b);
    a.until_link("LAN", "b", "connected");
    // All the while the other one was there too, and it does see the offer: it finds it as soon as it wants it.
    for (me, known) in [(&a, 1), (&b, 1), (&shy, 0)] {
        let status = me.json(&["status"]);
        assert_eq!(status["sync"]["peersKnown"], known, "{status:#}");
        assert_eq!(status["needsYou"], Value::Array(Vec::new()), "{status:#}");
    }
    assert!(!has_lan(&shy));
    assert_eq!(shy.json(&["join", "--no-wait"])["state"], "asked");
    assert_eq!(asking(&a, "shy")["host"], "shy");
    assert_eq!(members(&a), ["a", "b"]);
}

#[test]
fn members_on_new_ports_find_each_other_by_discovery() {
    let Some(lan) = Lan::new("port") else { return };
    let mut a = lan.first("a");
    a.ok(&["queue", "share", "LAN", "--open", "10m"]);
    let mut b = lan.host("b");
    b.ok(&["join"]);
    a.until_link("LAN", "b", "connected");
    let ports = |a: &Host, b: &Host| {
        [a, b].map(|host| host.json(&["daemon", "status"])["addresses"].clone())
    };
    let before = ports(&a, &b);
    a.stop();
    b.stop();
    for host in [&a, &b] {
        fs::remove_file(host.home.join("port")).unwrap();
    }
    a.start();
    b.start();
    let now = ports(&a, &b);
    assert!(
        before[0] != now[0] && before[1] != now[1],
        "{before:?} {now:?}"
    );
    a.until_link("LAN", "b", "connected");
    b.until_link("LAN", "a", "connected");
}
