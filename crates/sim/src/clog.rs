//! Links that clog one host after the other, and come free one after the other (FoundationDB's swizzle); and networks in which some
//! hosts hear one another only through others.

use crate::{
    draw::Draw,
    nemesis::Fault,
    world::{Event, World},
};

/// Whether two of so many hosts hear each other over the bridges of a network that falls apart otherwise.
pub(crate) fn bridged(hosts: usize, number: u64, a: usize, b: usize) -> bool {
    // Which host stands where.
    let places = order(number, hosts);
    let (a, b) = (places[a], places[b]);
    match number % 3 {
        // A chain: each hears the one before and the one after it.
        0 => a.abs_diff(b) == 1,
        // A star: all hear the one in the middle, and nobody else.
        1 => a == 0 || b == 0,
        // Two groups, and one host that hears both.
        _ => a == 0 || b == 0 || a % 2 == b % 2,
    }
}

/// The hosts in an order of a number's choice.
fn order(number: u64, hosts: usize) -> Vec<usize> {
    let mut draw = Draw::new(number, "order");
    let mut order: Vec<usize> = (0..hosts).collect();
    for place in (1..hosts).rev() {
        order.swap(place, draw.index(place + 1));
    }
    order
}

impl World {
    /// Clogs the links of one host after the other, most of them, and frees them later in the same or another order.
    pub(crate) fn swizzle(&mut self, fault: &Fault) -> bool {
        let hosts = self.hosts.len();
        let mut draw = Draw::new(fault.number, "swizzle");
        let mut chosen = order(fault.number, hosts);
        chosen.truncate(hosts - draw.index(2));
        let step = fault.for_ms / (2 * chosen.len() as u64 + 1);
        for (place, host) in chosen.iter().enumerate() {
            let at = self.now + place as u64 * step;
            let (host, clog, fault) = (*host, true, fault.index);
            self.schedule(at, Event::Clog { host, clog, fault });
        }
        match draw.below(3) {
            0 => {}
            1 => chosen.reverse(),
            _ => {
                let other = order(draw.next(), chosen.len());
                chosen = other.into_iter().map(|place| chosen[place]).collect();
            }
        }
        let half = self.now + fault.for_ms - chosen.len() as u64 * step;
        for (place, host) in chosen.iter().enumerate() {
            let at = half + place as u64 * step;
            let (host, clog, fault) = (*host, false, fault.index);
            self.schedule(at, Event::Clog { host, clog, fault });
        }
        true
    }

    /// The links of a host clog, or are free again.
    pub(crate) fn clog(&mut self, host: usize, clog: bool, fault: usize) {
        // What healed is not clogged any more.
        let changed = match clog {
            true => self.striking.contains(&fault) && self.clogged.insert((fault, host)),
            false => self.clogged.remove(&(fault, host)),
        };
        if !changed {
            return;
        }
        self.say(Some(host), || match clog {
            true => "its links clog".to_owned(),
            false => "its links are free".to_owned(),
        });
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            for (from, to) in [(host, other), (other, host)] {
                match clog {
                    true => self.cut(from, to),
                    false => self.mend(from, to),
                }
            }
        }
    }

    /// Frees what a fault has clogged and not freed yet.
    pub(crate) fn unclog(&mut self, fault: &Fault) {
        for host in 0..self.hosts.len() {
            self.clog(host, false, fault.index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether everybody hears everybody, if need be through others.
    fn hangs_together(hosts: usize, number: u64) -> bool {
        let mut heard = vec![0];
        let mut next = 0;
        while let Some(a) = heard.get(next).copied() {
            next += 1;
            for b in 0..hosts {
                if !heard.contains(&b) && bridged(hosts, number, a, b) {
                    heard.push(b);
                }
            }
        }
        heard.len() == hosts
    }

    #[test]
    fn a_bridged_network_hangs_together_and_some_hear_each_other_through_others_only() {
        for (hosts, number) in [4, 5, 6]
            .into_iter()
            .flat_map(|n| (0..60).map(move |m| (n, m)))
        {
            assert!(hangs_together(hosts, number), "{hosts} {number}");
            let pairs = (0..hosts).flat_map(|a| (0..a).map(move |b| (a, b)));
            let apart = pairs.filter(|(a, b)| !bridged(hosts, number, *a, *b));
            assert!(apart.count() > 0, "{hosts} {number}");
        }
    }
}
