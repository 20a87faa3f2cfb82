//! Nothing leaves the local network by default: two hosts with no setting of their own find each other, share a queue and
//! print, and no packet is on its way to anywhere else. Two hosts with a relay call that one, and nobody else.
//!
//! Each host has a network namespace. Both are on one cable, and each has another one without an address, to which its
//! default route leads: what is sent to any other network comes out at its end, in a namespace where everything is read. That
//! it would come out is tried at the end of the same run. IPv6 is off, so that the kernel says nothing by itself. Names
//! that the system would have looked up on its own machine are not seen.
//!
//! One kind of packet is none of ours to stop: the kernel's report that somebody joined the group of mDNS, on its own link,
//! which no router passes on.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::Ipv4Addr,
    os::fd::{AsFd, OwnedFd},
    process::Command,
    sync::atomic::Ordering,
    thread,
    time::Instant,
};

use rustix::{
    net::{AddressFamily, RecvFlags, SocketFlags, SocketType, eth, recv, socket_with},
    process::{geteuid, getpid},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::{
    super::environment::{Farm, Host, PATIENCE, sliced},
    net::MADE,
};

/// Where the kernel keeps named namespaces, for `ip`.
const NAMESPACES: &str = "/run/netns";

/// Namespaces. Removed with everything in them when dropped.
struct Namespaces(Vec<String>);

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&["netns", "del", name]).ok();
        }
    }
}

/// Two hosts' namespaces on one cable, and the world behind their default routes.
struct Lan {
    namespaces: Namespaces,
    /// Reads every packet that comes into the world.
    ear: OwnedFd,
}

/// What is in a packet, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Packet {
    /// Somebody is in a group of this link.
    Group,
    /// Anything else: its first bytes.
    Other(Vec<u8>),
}

impl Packet {
    /// The address of which this asks where it is (RFC 826).
    fn asks_where(&self) -> Option<Ipv4Addr> {
        match self {
            Self::Other(frame) if frame.len() >= 42 && frame[12..14] == [0x08, 0x06] => {
                <[u8; 4]>::try_from(&frame[38..42]).ok().map(Ipv4Addr::from)
            }
            Self::Other(_) | Self::Group => None,
        }
    }

    /// By its Ethernet and IPv4 headers (RFC 894, RFC 791, RFC 3376).
    fn of(frame: &[u8]) -> Self {
        let (kind, ttl, protocol, to) = match frame {
            [_, ..] if frame.len() >= 34 => (&frame[12..14], frame[22], frame[23], &frame[30..34]),
            _ => return Self::Other(frame.to_vec()),
        };
        // To the group itself, or to the routers of the link.
        let in_link = to == [224, 0, 0, 251] || to == [224, 0, 0, 22];
        match kind == [0x08, 0x00] && ttl == 1 && protocol == 2 && in_link {
            true => Self::Group,
            false => Self::Other(frame[..frame.len().min(64)].to_vec()),
        }
    }
}

/// Opens a socket in a namespace that reads everything there.
fn listen(namespace: &str) -> Result<OwnedFd, String> {
    let place = File::open(format!("{NAMESPACES}/{namespace}")).map_err(|e| e.to_string())?;
    // A thread of its own, since the thread stays there.
    let opened = thread::spawn(move || {
        move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network))?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            flags,
            Some(eth::ALL),
        )
    });
    let opened = opened.join().expect("it does not panic");
    opened.map_err(|error| format!("packets cannot be read: {error}"))
}

fn ip(args: &[&str]) -> Result<String, String> {
    let ran = Command::new("ip").args(args).output();
    let ran = ran.map_err(|error| format!("`ip` cannot be run: {error}"))?;
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
        false => Err(format!(
            "`ip {}`: {}",
            args.join(" "),
            String::from_utf8_lossy(&ran.stderr).trim()
        )),
    }
}

impl Lan {
    /// # Errors
    /// Why this machine cannot.
    fn new() -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let name = |n| format!("pm{}q{made}{n}", getpid().as_raw_nonzero());
        let namespaces = Namespaces(["a", "b", "w"].map(name).to_vec());
        let [a, b, world] = &namespaces.0[..] else {
            unreachable!("three were named")
        };
        for name in &namespaces.0 {
            ip(&["netns", "add", name])?;
            let quiet = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";
            ip(&["netns", "exec", name, "sh", "-c", quiet])?;
        }
        let ear = listen(world)?;
        let link = |name: &str, link: &str, other: &str, there: &str| {
            let mut args = vec!["link", "add", link, "netns", name, "type", "veth"];
            args.extend(["peer", "name", other, "netns", there]);
            ip(&args)
        };
        link(a, "e0", "e0", b)?;
        for (name, address, other) in [(a, "10.98.0.1/24", "from-a"), (b, "10.98.0.2/24", "from-b")]
        {
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "addr", "add", address, "dev", "e0"])?;
            ip(&["-n", name, "link", "set", "e0", "up"])?;
            link(name, "away", other, world)?;
            ip(&["-n", world, "link", "set", other, "up"])?;
            ip(&["-n", name, "link", "set", "away", "up"])?;
            ip(&["-n", name, "route", "add", "default", "dev", "away"])?;
        }
        // The kernel says a moment later that a cable is plugged in at both ends, and a host counts only such interfaces.
        let until = Instant::now() + PATIENCE;
        for name in [a, b] {
            while !ip(&["-n", name, "link", "show", "dev", "e0"])?.contains("state UP") {
                if Instant::now() > until {
                    return Err("a cable between two namespaces stays down".into());
                }
            }
        }
        Ok(Self { namespaces, ear })
    }

    /// What has come into the world since this was asked last, but for what a kernel says of groups on its link.
    fn heard(&self) -> Vec<Packet> {
        let mut frame = [0; 2048];
        let mut heard = Vec::new();
        while let Ok((_, length)) = recv(&self.ear, &mut frame[..], RecvFlags::empty()) {
            let packet = Packet::of(&frame[..length.min(frame.len())]);
            heard.extend(Some(packet).filter(|packet| *packet != Packet::Group));
        }
        heard
    }

    fn host(&self, farm: &Farm, n: usize, name: &str, config: &str) -> Host {
        let mut host = farm.host(name);
        host.configure(config);
        host.namespace = Some(self.namespaces.0[n].clone());
        host.start();
        host.ok(&["printer", "add", "sim", "--at", "sim://?speed=2000"]);
        host
    }
}

#[test]
fn two_hosts_find_each_other_share_and_print_and_no_packet_leaves_their_network() {
    let lan = match Lan::new() {
        Ok(lan) => lan,
        Err(why) => {
            eprintln!("skipped: {why}");
            return;
        }
    };
    let farm = Farm::new();
    let (a, b) = (lan.host(&farm, 0, "a", ""), lan.host(&farm, 1, "b", ""));
    share_and_print(&a, &b);
    assert_eq!(lan.heard(), []);

    // It would have been seen: an address from the range that belongs to nobody.
    for namespace in &lan.namespaces.0[..2] {
        let say = "echo hello > /dev/udp/192.0.2.1/9";
        let said = ip(&["netns", "exec", namespace, "bash", "-c", say]);
        said.expect("a datagram is sent, whoever hears it");
        // The question where that address is, at least.
        assert!(!lan.heard().is_empty());
    }
}

fn share_and_print(a: &Host, b: &Host) {
    assert_eq!(a.json(&["init", "--lan"])["lan"]["state"], "created");
    let asked = b.json(&["init", "--lan"]);
    assert_eq!(asked["lan"]["state"], "asked", "b finds a: {asked:#}");
    a.until("b to ask", |me| {
        let shown = me.json(&["queue", "show", "LAN"]);
        (!shown["asking"].as_array()?.is_empty()).then_some(())
    });
    a.ok(&["member", "approve", "LAN", "b", "-y"]);
    b.until_link("LAN", "a", "connected");
    let job = a.submit(&[&sliced("clip.gcode"), "-q", "LAN"]);
    a.wait(&[&job]);
}

/// Name servers of this machine: what has to be asked where a relay is, and nobody else is.
fn name_servers() -> BTreeSet<Ipv4Addr> {
    let config = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let lines = config
        .lines()
        .filter_map(|line| line.strip_prefix("nameserver"));
    lines.filter_map(|line| line.trim().parse().ok()).collect()
}

#[test]
fn two_hosts_with_a_relay_call_that_one_and_nobody_else() {
    let lan = match Lan::new() {
        Ok(lan) => lan,
        Err(why) => {
            eprintln!("skipped: {why}");
            return;
        }
    };
    let farm = Farm::new();
    // Neither answers: an address that belongs to nobody, and a name that there never is (RFC 6761).
    let relay = |url| format!("[network]\nrelay = [\"{url}\"]\n");
    let a = lan.host(&farm, 0, "a", &relay("https://192.0.2.7"));
    let b = lan.host(&farm, 1, "b", &relay("https://relay.invalid"));
    share_and_print(&a, &b);
    let named = Ipv4Addr::new(192, 0, 2, 7);
    let servers = name_servers();
    let mut called = BTreeSet::new();
    let until = Instant::now() + PATIENCE;
    while !called.contains(&named) {
        assert!(
            Instant::now() < until,
            "the relay is not called: {called:?}"
        );
        for packet in lan.heard() {
            // Nobody answers there, so it is never more than the question where an address is.
            let asked = packet.asks_where();
            let asked = asked.unwrap_or_else(|| panic!("nobody was to be told {packet:?}"));
            assert!(
                asked == named || servers.contains(&asked),
                "{asked} is called"
            );
            called.insert(asked);
        }
    }
}
