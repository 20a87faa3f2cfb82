//! The network between the nodes, and time: links, conversations, discovery, and what happens next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use printmesh_node::Input;
use printmesh_queue::HostId;

use super::{Farm, Host};

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A host takes the next input from its own machine.
    Local(usize),
    /// A message arrives.
    Deliver(usize, usize),
    /// Two hosts connect.
    Connect(usize, usize),
    /// They part.
    Part(usize, usize),
}

#[derive(Default)]
pub(crate) struct Wire {
    links: BTreeSet<(usize, usize)>,
    pub(crate) cuts: BTreeSet<(usize, usize)>,
    /// What a host hears of another one, in order: that it is there, what it says, that it is gone.
    flying: BTreeMap<(usize, usize), VecDeque<Input>>,
    talks: BTreeMap<u64, [usize; 2]>,
    talked: u64,
    /// A link that died took a message with it.
    pub(crate) lost: bool,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Wire {
    pub(crate) fn linked(&self, a: usize, b: usize) -> bool {
        self.links.contains(&pair(a, b))
    }

    pub(crate) fn send(&mut self, hosts: &[Host], from: usize, to: HostId, bytes: Vec<u8>) {
        let to = hosts
            .iter()
            .position(|host| host.id == to)
            .expect("a host of the farm");
        if self.linked(from, to) {
            let from_id = hosts[from].id;
            self.flying
                .entry((from, to))
                .or_default()
                .push_back(Input::Message {
                    from: from_id,
                    bytes,
                });
        }
    }

    fn part(&mut self, hosts: &[Host], a: usize, b: usize) {
        self.links.remove(&pair(a, b));
        for (from, to) in [(a, b), (b, a)] {
            let heard = self.flying.entry((from, to)).or_default();
            self.lost |= heard.iter().any(is_message);
            heard.retain(|input| !matches!(input, Input::Message { .. }));
            heard.push_back(Input::PeerDisconnected {
                host: hosts[from].id,
                reason: "it went away".into(),
            });
        }
    }

    pub(crate) fn drop_host(&mut self, n: usize, hosts: &mut [Host]) {
        for other in 0..hosts.len() {
            if self.linked(n, other) {
                self.part(hosts, n, other);
            }
            let unheard = self.flying.remove(&(other, n)).unwrap_or_default();
            self.lost |= unheard.iter().any(is_message);
        }
        let ended: Vec<u64> = self
            .talks
            .iter()
            .filter(|(_, ends)| ends.contains(&n))
            .map(|(talk, _)| *talk)
            .collect();
        for talk in ended {
            let ends = self.talks.remove(&talk).expect("just seen");
            for end in ends.into_iter().filter(|end| *end != n) {
                hosts[end].local.push_back(closed(talk, false));
            }
        }
    }

    pub(crate) fn join_send(
        &mut self,
        hosts: &mut [Host],
        from: usize,
        talk: u64,
        bytes: Vec<u8>,
        last: bool,
    ) {
        let Some(ends) = self.talks.get(&talk).copied() else {
            return;
        };
        let to = if ends[0] == from { ends[1] } else { ends[0] };
        hosts[to].local.push_back(Input::JoinMessage {
            conversation: talk,
            bytes,
        });
        if last {
            self.talks.remove(&talk);
            hosts[to].local.push_back(closed(talk, false));
            hosts[from].local.push_back(closed(talk, false));
        }
    }
}

fn is_message(input: &Input) -> bool {
    matches!(input, Input::Message { .. })
}

fn closed(conversation: u64, attempt_failed: bool) -> Input {
    Input::JoinClosed {
        conversation,
        attempt_failed,
        reason: "it ended".into(),
    }
}

impl Farm {
    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        self.wire.cuts.insert(pair(a, b));
        self.settle();
    }

    pub(crate) fn heal(&mut self, a: usize, b: usize) {
        self.wire.cuts.remove(&pair(a, b));
        self.settle();
    }

    pub(crate) fn cut_now(&mut self, a: usize, b: usize) {
        self.wire.cuts.insert(pair(a, b));
    }

    pub(crate) fn heal_now(&mut self, a: usize, b: usize) {
        self.wire.cuts.remove(&pair(a, b));
    }

    pub(crate) fn heal_all(&mut self) {
        self.wire.cuts.clear();
    }

    /// Ends every join conversation, as when the network hiccups.
    pub(crate) fn hang_up(&mut self) {
        for (talk, ends) in std::mem::take(&mut self.wire.talks) {
            for end in ends {
                self.hosts[end].local.push_back(closed(talk, false));
            }
        }
    }

    pub(super) fn open_join(&mut self, n: usize, attempt: u64, host: HostId) {
        let other = self
            .hosts
            .iter()
            .position(|other| other.id == host)
            .expect("a host of the farm");
        let reachable = self.up(other) && !self.wire.cuts.contains(&pair(n, other));
        if !reachable || !self.hosts[other].accepts_joins {
            self.hosts[n].local.push_back(closed(attempt, true));
            return;
        }
        self.wire.talked += 1;
        let talk = self.wire.talked;
        self.wire.talks.insert(talk, [n, other]);
        let exporter = *blake3::hash(&talk.to_be_bytes()).as_bytes();
        let opened = |peer, attempt| Input::JoinOpened {
            conversation: talk,
            peer,
            exporter,
            attempt,
        };
        let (me, them) = (self.hosts[n].id, self.hosts[other].id);
        self.hosts[n].local.push_back(opened(them, Some(attempt)));
        self.hosts[other].local.push_back(opened(me, None));
    }

    fn found(&self, n: usize) -> Input {
        let host = &self.hosts[n];
        Input::Discovered {
            host: host.id,
            addresses: Vec::new(),
            offers_lan: host.offers_lan,
        }
    }

    pub(super) fn announce(&mut self, n: usize) {
        let found = self.found(n);
        for other in (0..self.hosts.len()).filter(|other| *other != n && self.lan) {
            self.hosts[other].local.push_back(found.clone());
        }
    }

    pub(super) fn announce_all(&mut self, n: usize) {
        let others: Vec<Input> = (0..self.hosts.len())
            .filter(|other| *other != n && self.lan && self.up(*other))
            .map(|other| self.found(other))
            .collect();
        self.hosts[n].local.extend(others);
    }

    fn awake(&self, n: usize) -> bool {
        self.up(n) && !self.hosts[n].frozen
    }

    /// When a host wants to be woken, by the farm's clock.
    fn wakeup(&self, n: usize) -> Option<u64> {
        let host = &self.hosts[n];
        let node = host.node.as_ref().filter(|_| !host.frozen)?;
        Some(node.next_wakeup()? + host.behind_ms)
    }

    /// Everything that can happen next, in a fixed order.
    pub(crate) fn acts(&self) -> Vec<Act> {
        let count = self.hosts.len();
        let mut acts = Vec::new();
        for a in 0..count {
            for b in a + 1..count {
                let wanted = self.up(a)
                    && self.up(b)
                    && !self.wire.cuts.contains(&(a, b))
                    && self.hosts[a].peers.contains(&self.hosts[b].id)
                    && self.hosts[b].peers.contains(&self.hosts[a].id);
                match (wanted, self.wire.linked(a, b)) {
                    (true, false) => acts.push(Act::Connect(a, b)),
                    (false, true) => acts.push(Act::Part(a, b)),
                    _ => {}
                }
            }
        }
        acts.extend(
            (0..count)
                .filter(|n| self.awake(*n) && !self.hosts[*n].local.is_empty())
                .map(Act::Local),
        );
        let flying = self
            .wire
            .flying
            .iter()
            .filter(|((_, to), queue)| !queue.is_empty() && !self.hosts[*to].frozen);
        acts.extend(flying.map(|((from, to), _)| Act::Deliver(*from, *to)));
        acts
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Local(n) => {
                if let Some(input) = self.hosts[n].local.pop_front() {
                    self.input(n, input);
                }
            }
            Act::Deliver(from, to) => {
                let input = self
                    .wire
                    .flying
                    .get_mut(&(from, to))
                    .and_then(VecDeque::pop_front);
                if let Some(input) = input {
                    self.input(to, input);
                }
            }
            Act::Connect(a, b) => {
                self.wire.links.insert(pair(a, b));
                for (n, other) in [(a, b), (b, a)] {
                    let host = self.hosts[other].id;
                    let connected = Input::PeerConnected {
                        host,
                        software: "test".into(),
                        address: None,
                    };
                    self.wire
                        .flying
                        .entry((other, n))
                        .or_default()
                        .push_back(connected);
                }
            }
            Act::Part(a, b) => self.wire.part(&self.hosts, a, b),
        }
    }

    /// A message arrives twice.
    pub(crate) fn duplicate(&mut self, from: usize, to: usize) {
        let copy = self
            .wire
            .flying
            .get(&(from, to))
            .and_then(|queue| queue.front().cloned());
        if let Some(message @ Input::Message { .. }) = copy {
            self.input(to, message);
        }
    }

    /// Lets everything happen that needs no time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200_000 {
            let Some(act) = self.acts().first().copied() else {
                return;
            };
            self.act(act);
        }
        panic!("the farm never comes to rest");
    }

    /// Lets so many things happen, each drawn from what could happen next.
    pub(crate) fn settle_by(&mut self, seed: u64, steps: usize) {
        let mut draw = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for _ in 0..steps {
            let acts = self.acts();
            if acts.is_empty() {
                return;
            }
            draw = draw
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.act(acts[(draw >> 33) as usize % acts.len()]);
        }
    }

    /// Lets time pass; wakes each node when it asked for it.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.mono_ms + ms;
        self.settle();
        loop {
            let next = (0..self.hosts.len()).filter_map(|n| self.wakeup(n)).min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.mono_ms = self.mono_ms.max(at);
            for n in 0..self.hosts.len() {
                if self.wakeup(n).is_some_and(|at| at <= self.mono_ms) {
                    self.wakes += 1;
                    assert!(self.wakes < 200_000, "the farm never sleeps");
                    self.input(n, Input::Wake);
                }
            }
            self.settle();
        }
        self.mono_ms = end;
    }
}
