//! The network: connections that are ordered and reliable until they break, cuts in one direction, and links that mangle.
//!
//! As the real one: a peer that falls silent is noticed after the idle time, by each end for itself; what was under way is lost then.

use std::collections::BTreeMap;

use printmesh_node::{Input, Message};
use printmesh_queue::HostId;

use crate::{
    draw::Draw,
    world::{Event, World},
};

/// Silence after which an end gives a connection up (`io/net`: idle time).
const IDLE_MS: u64 = 10_000;

/// What a bad link does to so many messages out of a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dirt {
    pub(crate) drop: u64,
    pub(crate) duplicate: u64,
    pub(crate) reorder: u64,
    pub(crate) corrupt: u64,
    pub(crate) delay_ms: u64,
    /// What is said of the document comes so much later, and only that.
    pub(crate) stale_ms: u64,
}

#[derive(Debug, Default)]
struct Pair {
    /// The connection that each end believes in, lower host first.
    seen: [Option<u64>; 2],
    dialing: bool,
}

#[derive(Debug)]
pub(crate) struct Wire {
    draw: Draw,
    pairs: BTreeMap<(usize, usize), Pair>,
    cuts: BTreeMap<(usize, usize), u32>,
    dirt: BTreeMap<(usize, usize), Dirt>,
    /// When the last message in a direction arrives: later ones come after it.
    last: BTreeMap<(usize, usize), u64>,
    stalled: BTreeMap<(usize, usize), Vec<(u64, Input)>>,
    connections: u64,
    /// When a connection was made.
    since: BTreeMap<u64, u64>,
    talks: BTreeMap<u64, [usize; 2]>,
    talked: u64,
    /// Delay between hosts, in one direction.
    pub(crate) delay_ms: u64,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Wire {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            draw: Draw::new(seed, "wire"),
            pairs: BTreeMap::new(),
            cuts: BTreeMap::new(),
            dirt: BTreeMap::new(),
            last: BTreeMap::new(),
            stalled: BTreeMap::new(),
            connections: 0,
            since: BTreeMap::new(),
            talks: BTreeMap::new(),
            talked: 0,
            delay_ms: 2,
        }
    }

    fn seen(&self, end: usize, other: usize) -> Option<u64> {
        self.pairs.get(&pair(end, other))?.seen[usize::from(end > other)]
    }

    fn set_seen(&mut self, end: usize, other: usize, link: Option<u64>) {
        self.pairs.entry(pair(end, other)).or_default().seen[usize::from(end > other)] = link;
    }

    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|cuts| *cuts > 0)
    }

    /// Whether both ends are connected, by the same connection.
    pub(crate) fn linked(&self, a: usize, b: usize) -> bool {
        let seen = self.seen(a, b);
        seen.is_some() && seen == self.seen(b, a)
    }

    /// Whether two hosts have heard each other well for so long, as far as their link goes.
    pub(crate) fn hear_well(&self, a: usize, b: usize, since_ms: u64) -> bool {
        let clean = !self.dirt.contains_key(&(a, b)) && !self.dirt.contains_key(&(b, a));
        let old = self.seen(a, b).and_then(|link| self.since.get(&link));
        self.linked(a, b)
            && clean
            && !self.is_cut(a, b)
            && !self.is_cut(b, a)
            && old.is_some_and(|at| *at <= since_ms)
    }

    /// The time that a message takes, with a long tail now and then.
    fn travel_ms(&mut self) -> u64 {
        let tail = match self.draw.below(100) {
            0 => self.draw.below(900),
            1..10 => self.draw.below(100),
            _ => 0,
        };
        self.delay_ms + self.draw.below(self.delay_ms + 1) + tail
    }

    pub(crate) fn set_dirt(&mut self, from: usize, to: usize, dirt: Option<Dirt>) {
        match dirt {
            Some(dirt) => self.dirt.insert((from, to), dirt),
            None => self.dirt.remove(&(from, to)),
        };
    }
}

impl World {
    fn peer_index(&self, id: HostId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == id)
    }

    pub(crate) fn send(&mut self, from: usize, to: HostId, bytes: Vec<u8>) {
        let Some(to) = self.peer_index(to) else {
            return;
        };
        let Some(link) = self.wire.seen(from, to) else {
            return;
        };
        self.overhear(from, &bytes);
        let input = Input::Message {
            from: self.hosts[from].id,
            bytes,
        };
        if self.wire.is_cut(from, to) {
            let stalled = self.wire.stalled.entry((from, to)).or_default();
            stalled.push((link, input));
            return;
        }
        let Some(dirt) = self.wire.dirt.get(&(from, to)).copied() else {
            self.transmit(from, to, link, input);
            return;
        };
        self.mangle(from, to, link, input, dirt);
    }

    fn transmit(&mut self, from: usize, to: usize, link: u64, input: Input) {
        let travel = self.wire.travel_ms();
        let last = self.wire.last.entry((from, to)).or_default();
        *last = (*last).max(self.now + travel);
        let at = *last;
        self.schedule(
            at,
            Event::Frame {
                from,
                to,
                link,
                input,
            },
        );
    }

    /// A link that does to whole messages what a network does to packets. Our transport never lets that through; the
    /// protocol has to bear it all the same.
    fn mangle(&mut self, from: usize, to: usize, link: u64, input: Input, dirt: Dirt) {
        if dirt.stale_ms > 0 {
            let of_document = |bytes: &[u8]| {
                let message = Message::decode(bytes);
                matches!(
                    message,
                    Some(Message::Changes { .. } | Message::Have { .. })
                )
            };
            if matches!(&input, Input::Message { bytes, .. } if of_document(bytes)) {
                self.coverage.hit("fault: message delayed");
                let at = self.now + dirt.stale_ms;
                let frame = Event::Frame {
                    from,
                    to,
                    link,
                    input,
                };
                return self.schedule(at, frame);
            }
        }
        let draw = &mut self.wire.draw;
        if draw.chance(dirt.drop) {
            self.coverage.hit("fault: message dropped");
            return;
        }
        let (again, late, corrupt) = (
            draw.chance(dirt.duplicate),
            draw.chance(dirt.reorder),
            draw.chance(dirt.corrupt),
        );
        let delay = draw.below(dirt.delay_ms + 1);
        let input = match input {
            Input::Message { from: id, bytes } if corrupt => {
                self.coverage.hit("fault: message corrupted");
                match corrupted(&mut self.wire.draw, &bytes) {
                    Some(bytes) => Input::Message { from: id, bytes },
                    None => return,
                }
            }
            other => other,
        };
        if again {
            self.coverage.hit("fault: message duplicated");
            let at = self.now + self.wire.draw.below(60_000);
            let input = input.clone();
            self.schedule(
                at,
                Event::Frame {
                    from,
                    to,
                    link,
                    input,
                },
            );
        }
        if dirt.delay_ms > 0 {
            self.coverage.hit("fault: message delayed");
        }
        if late {
            self.coverage.hit("fault: message reordered");
            let at = self.now + delay + self.wire.draw.below(5_000);
            self.schedule(
                at,
                Event::Frame {
                    from,
                    to,
                    link,
                    input,
                },
            );
        } else {
            let last = self.wire.last.entry((from, to)).or_default();
            *last = (*last).max(self.now + delay);
            self.transmit(from, to, link, input);
        }
    }

    pub(crate) fn frame(&mut self, from: usize, to: usize, link: u64, input: Input) {
        if self.wire.seen(to, from) == Some(link) {
            self.arrive(to, input);
        }
    }

    /// Whether the two want each other and nothing stands between them.
    fn may_connect(&self, a: usize, b: usize) -> bool {
        let (one, other) = (&self.hosts[a], &self.hosts[b]);
        one.runs()
            && other.runs()
            && one.peers.contains(&b)
            && other.peers.contains(&a)
            && !self.wire.is_cut(a, b)
            && !self.wire.is_cut(b, a)
    }

    /// Something changed that may let a host connect.
    pub(crate) fn redial(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            if other == host || self.wire.linked(host, other) || !self.may_connect(host, other) {
                continue;
            }
            let (a, b) = pair(host, other);
            let entry = self.wire.pairs.entry((a, b)).or_default();
            if !std::mem::replace(&mut entry.dialing, true) {
                let at = self.now + self.wire.draw.between(50, 2_000);
                self.schedule(at, Event::Dial { a, b });
            }
        }
    }

    pub(crate) fn dial(&mut self, a: usize, b: usize) {
        self.wire.pairs.entry((a, b)).or_default().dialing = false;
        if self.wire.linked(a, b) || !self.may_connect(a, b) {
            return;
        }
        self.wire.connections += 1;
        let link = self.wire.connections;
        self.wire.since.insert(link, self.now);
        for (end, other) in [(a, b), (b, a)] {
            if self.wire.seen(end, other).is_some() {
                self.parted(end, other, "it connected anew");
            }
            self.wire.set_seen(end, other, Some(link));
            let input = Input::PeerConnected {
                host: self.hosts[other].id,
                software: "sim".to_owned(),
                address: None,
            };
            self.transmit(other, end, link, input);
        }
    }

    /// One end hears that a connection is gone.
    fn parted(&mut self, end: usize, other: usize, reason: &str) {
        self.wire.set_seen(end, other, None);
        self.wire.stalled.remove(&(end, other));
        let input = Input::PeerDisconnected {
            host: self.hosts[other].id,
            reason: reason.to_owned(),
        };
        self.arrive(end, input);
    }

    /// A connection may be dead: each end finds out for itself.
    fn doubt(&mut self, end: usize, other: usize, forced: bool, within_ms: u64) {
        if let Some(link) = self.wire.seen(end, other) {
            let at = self.now + within_ms + self.wire.draw.below(within_ms / 3 + 1);
            self.schedule(
                at,
                Event::Notice {
                    end,
                    other,
                    link,
                    forced,
                },
            );
        }
    }

    pub(crate) fn notice(&mut self, end: usize, other: usize, link: u64, forced: bool) {
        let silent = self.wire.is_cut(end, other)
            || self.wire.is_cut(other, end)
            || self.hosts[other].frozen > 0;
        if self.wire.seen(end, other) != Some(link) || !(forced || silent) {
            return;
        }
        self.parted(end, other, "it fell silent");
        if self.wire.seen(other, end) == Some(link) {
            self.doubt(other, end, true, IDLE_MS / 2);
        }
        self.redial(end);
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        *self.wire.cuts.entry((from, to)).or_default() += 1;
        self.doubt(from, to, false, IDLE_MS);
        self.doubt(to, from, false, IDLE_MS);
    }

    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        if let Some(cuts) = self.wire.cuts.get_mut(&(from, to)) {
            *cuts = cuts.saturating_sub(1);
        }
        if self.wire.is_cut(from, to) {
            return;
        }
        for (link, input) in self.wire.stalled.remove(&(from, to)).unwrap_or_default() {
            self.transmit(from, to, link, input);
        }
        self.redial(from);
    }

    /// Breaks every connection of a host's, as when its network hiccups: what was lost on the way is asked for again.
    pub(crate) fn hiccup(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            if self.wire.seen(host, other).is_some() {
                self.doubt(host, other, true, 100);
                self.doubt(other, host, true, 100);
            }
        }
    }

    /// A process is frozen: the others hear nothing of it.
    pub(crate) fn fell_silent(&mut self, host: usize) {
        for other in 0..self.hosts.len() {
            self.doubt(other, host, false, IDLE_MS);
        }
    }

    /// A process is gone; `farewell` when it could say so.
    pub(crate) fn process_gone(&mut self, host: usize, farewell: bool) {
        for other in 0..self.hosts.len() {
            if other == host {
                continue;
            }
            self.wire.set_seen(host, other, None);
            self.wire.stalled.remove(&(host, other));
            self.doubt(other, host, true, if farewell { 20 } else { IDLE_MS });
        }
        let talks = self.wire.talks.clone();
        for (talk, ends) in talks.into_iter().filter(|(_, ends)| ends.contains(&host)) {
            self.wire.talks.remove(&talk);
            for end in ends.into_iter().filter(|end| *end != host) {
                self.local(end, 50, closed(talk, false));
            }
        }
    }

    pub(crate) fn open_join(&mut self, host: usize, attempt: u64, with: HostId) {
        let other = self.peer_index(with).filter(|other| {
            self.hosts[*other].runs()
                && self.hosts[*other].accepts_joins
                && !self.wire.is_cut(host, *other)
                && !self.wire.is_cut(*other, host)
        });
        let Some(other) = other else {
            self.local(host, 50, closed(attempt, true));
            return;
        };
        self.wire.talked += 1;
        let talk = self.wire.talked;
        self.wire.talks.insert(talk, [host, other]);
        let exporter = *blake3::hash(&talk.to_be_bytes()).as_bytes();
        for (end, peer, attempt) in [(host, other, Some(attempt)), (other, host, None)] {
            let input = Input::JoinOpened {
                conversation: talk,
                peer: self.hosts[peer].id,
                exporter,
                attempt,
            };
            self.local(end, 5, input);
        }
    }

    pub(crate) fn join_send(&mut self, from: usize, talk: u64, bytes: Vec<u8>, last: bool) {
        let Some(ends) = self.wire.talks.get(&talk).copied() else {
            return;
        };
        let to = if ends[0] == from { ends[1] } else { ends[0] };
        let said = Input::JoinMessage {
            conversation: talk,
            bytes,
        };
        self.local(to, 5, said);
        if last {
            self.wire.talks.remove(&talk);
            self.local(to, 5, closed(talk, false));
            self.local(from, 5, closed(talk, false));
        }
    }
}

fn closed(conversation: u64, attempt_failed: bool) -> Input {
    Input::JoinClosed {
        conversation,
        attempt_failed,
        reason: "it ended".to_owned(),
    }
}

/// Bytes that went wrong on the way. A real link proves who sent each byte, so what reads as another message of a voter or a
/// holder is not let through: that would be forgery, against which only the signed changes are proof.
fn corrupted(draw: &mut Draw, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    if bytes.is_empty() {
        return Some(bytes);
    }
    match draw.below(3) {
        0 => bytes.truncate(draw.index(bytes.len())),
        1 => {
            let at = draw.index(bytes.len());
            bytes[at] ^= 1 << draw.below(8);
        }
        _ => {
            let at = draw.index(bytes.len());
            for byte in &mut bytes[at..] {
                *byte = draw.below(256) as u8;
            }
        }
    }
    match Message::decode(&bytes) {
        None | Some(Message::Have { .. } | Message::Changes { .. } | Message::Addresses { .. }) => {
            Some(bytes)
        }
        Some(_) => None,
    }
}
