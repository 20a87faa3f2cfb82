//! Three hosts: how they find one another, and how what they did apart comes together. No server, no discovery.

use std::{collections::BTreeSet, fs, net::IpAddr, path::Path};

use super::{job_names, until_jobs};
use crate::suite::environment::{Farm, Host, sliced};

/// Three hosts that share `farm`, made by `a`; `b` and `c` both joined through `a`. Nobody looks for others on the network.
fn three(farm: &Farm) -> [Host; 3] {
    let [a, b, c] = ["a", "b", "c"].map(|name| {
        let mut host = farm.host(name);
        host.start();
        host
    });
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    c.ok(&["join", &a.ticket("farm")]);
    [a, b, c]
}

fn meshed(hosts: &[&Host]) {
    for me in hosts {
        for other in hosts.iter().filter(|other| other.name != me.name) {
            me.until_link("farm", &other.name, "connected");
        }
    }
}

#[test]
fn who_joined_through_a_talks_to_b_directly_also_without_a() {
    let farm = Farm::new();
    let [mut a, b, c] = three(&farm);
    meshed(&[&a, &b, &c]);
    a.stop();
    b.until_link("farm", "a", "away");
    c.until_link("farm", "a", "away");
    let job = c.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--name",
        "first",
        "--draft",
    ]);
    until_jobs(&b, &["first"]);
    b.ok(&["job", "edit", &job, "--name", "second"]);
    until_jobs(&c, &["second"]);
    a.start();
    until_jobs(&a, &["second"]);
}

#[test]
fn changes_made_apart_merge_when_hosts_meet() {
    let farm = Farm::new();
    let [mut a, mut b, mut c] = three(&farm);
    let shared = a.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--name",
        "shared",
        "--draft",
    ]);
    until_jobs(&b, &["shared"]);
    until_jobs(&c, &["shared"]);
    // Each is alone while it works.
    b.stop();
    c.stop();
    a.ok(&["job", "edit", &shared, "--copies", "7"]);
    a.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--name",
        "by-a",
        "--draft",
    ]);
    a.stop();
    b.start();
    b.ok(&["job", "edit", &shared, "--name", "renamed"]);
    b.submit(&[
        &sliced("cube.gcode"),
        "-q",
        "farm",
        "--name",
        "by-b",
        "--draft",
    ]);
    b.stop();
    c.start();
    c.submit(&[
        &sliced("cube.gcode"),
        "-q",
        "farm",
        "--name",
        "by-c",
        "--draft",
    ]);
    c.ok(&["job", "move", &shared, "--bottom"]);
    a.start();
    b.start();
    let all = ["renamed", "by-a", "by-b", "by-c"];
    for host in [&a, &b, &c] {
        until_jobs(host, &all);
        host.until("seven copies", |me| {
            (me.job(&shared)["copies"] == 7).then_some(())
        });
    }
    let order = |host: &Host| -> Vec<String> {
        let jobs = host.json(&["jobs", "-q", "farm"]);
        jobs["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].to_string())
            .collect()
    };
    assert_eq!((order(&a), order(&a)), (order(&b), order(&c)));
    assert_eq!(job_names(&a).len(), 4);
}

#[test]
fn all_hosts_restarted_at_once_find_one_another_where_they_were() {
    let farm = Farm::new();
    let [mut a, mut b, mut c] = three(&farm);
    meshed(&[&a, &b, &c]);
    let ports =
        |hosts: [&Host; 3]| hosts.map(|host| host.json(&["daemon", "status"])["addresses"].clone());
    let before = ports([&a, &b, &c]);
    for host in [&mut a, &mut b, &mut c] {
        host.kill();
    }
    for host in [&mut a, &mut b, &mut c] {
        host.start();
    }
    assert_eq!(ports([&a, &b, &c]), before);
    meshed(&[&a, &b, &c]);
    // One that could not have its port again is found too: it calls the others, and they tell where it is now.
    c.stop();
    fs::remove_file(c.home.join("port")).unwrap();
    c.start();
    meshed(&[&a, &b, &c]);
    b.submit(&[
        &sliced("clip.gcode"),
        "-q",
        "farm",
        "--name",
        "after",
        "--draft",
    ]);
    until_jobs(&c, &["after"]);
}

/// Local and remote addresses of all internet sockets that a process has open, by protocol.
pub(in crate::suite) fn sockets(pid: u32) -> Vec<(String, IpAddr, IpAddr)> {
    let process = Path::new("/proc").join(pid.to_string());
    let links = fs::read_dir(process.join("fd")).unwrap().flatten();
    let inodes: BTreeSet<String> = links
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let inode = target
                .to_str()?
                .strip_prefix("socket:[")?
                .strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let mut found = Vec::new();
    for table in [
        "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6",
    ] {
        let Ok(text) = fs::read_to_string(process.join("net").join(table)) else {
            continue;
        };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if inodes.contains(fields[9]) {
                found.push((table.to_owned(), address(fields[1]), address(fields[2])));
            }
        }
    }
    found
}

/// `0100007F:1234`: words of four bytes, in the byte order of this machine.
fn address(text: &str) -> IpAddr {
    let hex = text.split(':').next().unwrap();
    let words = hex.as_bytes().chunks(8).map(|word| {
        u32::from_str_radix(std::str::from_utf8(word).unwrap(), 16)
            .unwrap()
            .to_ne_bytes()
    });
    let bytes: Vec<u8> = words.flatten().collect();
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => v4.into(),
        Err(_) => <[u8; 16]>::try_from(bytes.as_slice()).unwrap().into(),
    }
}

#[test]
fn a_daemon_bound_to_loopback_has_no_socket_anywhere_else() {
    let farm = Farm::new();
    let [a, b, c] = three(&farm);
    meshed(&[&a, &b, &c]);
    for host in [&a, &b, &c] {
        let open = sockets(host.pid());
        assert!(open.iter().any(|(table, ..)| table == "udp"), "{open:?}");
        let elsewhere: Vec<_> = open
            .iter()
            .filter(|(_, local, remote)| {
                !(local.is_loopback() && (remote.is_loopback() || remote.is_unspecified()))
            })
            .collect();
        assert!(elsewhere.is_empty(), "{elsewhere:?}");
    }
}
