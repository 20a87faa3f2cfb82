//! A bit that flips on a disk: its host finds it when it starts, and starts no more, or it harms nothing.
//!
//! What nobody finds is judged like everything else: a host that read something else than it wrote may break no law.

use crate::{
    draw::Draw,
    nemesis::{Fault, FaultKind},
    world::{Event, World},
};

/// The flip in the farm of a seed, if there is one: at most one host is lost to it.
pub(crate) fn flips(seed: u64, hosts: usize, until: u64) -> Vec<Fault> {
    let mut draw = Draw::new(seed, "flips");
    if hosts < 2 || !draw.chance(60) {
        return Vec::new();
    }
    let fault = Fault {
        index: 0,
        kind: FaultKind::FlippedBit,
        at: draw.below(until),
        for_ms: 0,
        host: draw.index(hosts),
        other: 0,
        number: draw.next(),
    };
    vec![fault]
}

impl World {
    /// Returns whether it did anything.
    pub(crate) fn flips(&mut self, fault: &Fault) -> bool {
        let host = fault.host;
        if !self.hosts[host].runs() {
            return false;
        }
        // It ends cleanly, or as by SIGKILL: what is read after that is looked at more closely.
        self.gone(host, fault.number.is_multiple_of(2));
        let values = &self.hosts[host].memory.values;
        let aimed = (fault.number >> 1).is_multiple_of(2);
        let within = (fault.number >> 2) as usize % values.len().max(1);
        let within = values.values().nth(within).filter(|_| aimed).cloned();
        self.hosts[host]
            .disk
            .flip(fault.number >> 8, within.as_deref());
        self.hosts[host].flipped = true;
        self.schedule(self.now + 5_000, Event::Boot { host });
        true
    }

    /// A host finds that its disk is damaged, and does not start. Its disk is of no use any more.
    pub(crate) fn finds_flip(&mut self, host: usize) {
        self.coverage.hit("machine: flipped bit found");
        self.say(Some(host), || "finds its disk damaged".to_owned());
        self.power_off(host);
        self.hosts[host].destroyed = true;
    }
}
