//! Network namespaces with a router between them: one for each host, so that a cut is a real cut.
//!
//! A host's link goes down as when its cable is pulled, or the router drops what one host sends to another without a
//! word to anybody, in one direction. Needs root and iproute2; says so when it cannot.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{geteuid, getpid};

pub(super) static MADE: AtomicU32 = AtomicU32::new(0);

/// Removed with everything in it when dropped.
pub(super) struct Net {
    prefix: String,
    hosts: usize,
}

impl Net {
    /// Makes a namespace per host, all linked over a router.
    ///
    /// # Errors
    /// Why this machine cannot.
    pub(super) fn new(hosts: usize) -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("pm{}x{made}", getpid().as_raw_nonzero());
        let net = Self { prefix, hosts };
        let router = net.router();
        net.ip(&["netns", "add", &router])?;
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        net.ip(&["netns", "exec", &router, "sh", "-c", forward])?;
        for n in 0..hosts {
            let (host, port) = (net.namespace(n), format!("v{n}"));
            net.ip(&["netns", "add", &host])?;
            let pair = ["type", "veth", "peer", "name", &port, "netns", &router];
            let mut link = vec!["link", "add", "e0", "netns", &host];
            link.extend(pair);
            net.ip(&link)?;
            let (mine, gate) = (format!("{}/24", address(n)), format!("10.99.{n}.1/24"));
            net.ip(&["-n", &host, "link", "set", "lo", "up"])?;
            net.ip(&["-n", &host, "addr", "add", &mine, "dev", "e0"])?;
            net.ip(&["-n", &router, "addr", "add", &gate, "dev", &port])?;
            net.ip(&["-n", &router, "link", "set", &port, "up"])?;
            net.up(n)?;
        }
        Ok(net)
    }

    fn router(&self) -> String {
        format!("{}r", self.prefix)
    }

    /// Name of a host's namespace.
    pub(super) fn namespace(&self, n: usize) -> String {
        format!("{}h{n}", self.prefix)
    }

    /// Plugs a host's cable in.
    pub(super) fn up(&self, n: usize) -> Result<(), String> {
        let (host, gate) = (self.namespace(n), format!("10.99.{n}.1"));
        self.ip(&["-n", &host, "link", "set", "e0", "up"])?;
        self.ip(&["-n", &host, "route", "replace", "default", "via", &gate])
    }

    /// Pulls it.
    pub(super) fn down(&self, n: usize) -> Result<(), String> {
        self.ip(&["-n", &self.namespace(n), "link", "set", "e0", "down"])
    }

    /// From now on nothing that `from` sends reaches `to`; nobody is told.
    pub(super) fn drop_packets(&self, from: usize, to: usize) -> Result<(), String> {
        self.rule("add", from, to)
    }

    /// Lets it through again.
    pub(super) fn pass_packets(&self, from: usize, to: usize) -> Result<(), String> {
        self.rule("del", from, to)
    }

    fn rule(&self, verb: &str, from: usize, to: usize) -> Result<(), String> {
        let (router, from, to) = (self.router(), address(from), address(to));
        let rule = ["rule", verb, "from", &from, "to", &to, "blackhole"];
        let mut args = vec!["-n", &router];
        args.extend(rule);
        self.ip(&args)
    }

    fn ip(&self, args: &[&str]) -> Result<(), String> {
        let ran = Command::new("ip").args(args).output();
        let ran = ran.map_err(|error| format!("`ip` cannot be run: {error}"))?;
        match ran.status.success() {
            true => Ok(()),
            false => Err(format!(
                "`ip {}`: {}",
                args.join(" "),
                String::from_utf8_lossy(&ran.stderr).trim()
            )),
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for n in 0..self.hosts {
            self.ip(&["netns", "del", &self.namespace(n)]).ok();
        }
        self.ip(&["netns", "del", &self.router()]).ok();
    }
}

/// Address of a host.
pub(super) fn address(n: usize) -> String {
    format!("10.99.{n}.2")
}
