//! Keeps the voters of each queue in order by itself: chooses them, finishes changes that were left half done, takes in what
//! was held while this host was away, and gives the vote away before a clean shutdown.
//!
//! Every host acts on what it sees, after a time that rises with its place among the voters: mostly one of them acts.

use std::collections::BTreeMap;

use printmesh_queue::{HostId, QueueId, Role, VoterChoice, Voters};

use crate::{
    config_message::ConfigMessage,
    electorate::{AWAY_MS, Candidate, wanted},
    limits::{CHANGE_MS, CHOICE_MS, CHOICE_RANK_MS, PARK_MS, PULL_MS, STUCK_MS},
    node::Node,
    records::QueueKind,
};

/// What waits for its time, in one queue.
#[derive(Default)]
pub(crate) struct Tending {
    /// Other voters are wanted: when this host sees to it.
    choice_ms: Option<u64>,
    /// A change was left half done: when this host goes on with it.
    stuck_ms: Option<u64>,
    /// This host is a voter and does not know what the others hold: when it asks next.
    pull_ms: Option<u64>,
    /// When a voter has been away for long.
    look_ms: Option<u64>,
    /// The voters as this host saw them come.
    terms: BTreeMap<HostId, Term>,
}

/// How one host came to vote, as another one sees it.
#[derive(Default)]
struct Term {
    /// Since when it votes; `None` = it does not.
    since_ms: Option<u64>,
    /// How often it was called anew while it was away from here: somebody else reaches it.
    returns: u32,
}

/// Longest time to wait for a voter that only others reach, as a power of two of [`AWAY_MS`]: 5 hours.
const RETURNS_MAX: u32 = 5;

impl Tending {
    pub(crate) fn wakeups(&self) -> impl Iterator<Item = u64> {
        [self.choice_ms, self.stuck_ms, self.pull_ms, self.look_ms]
            .into_iter()
            .flatten()
    }
}

impl Node {
    /// Looks after the voters of every queue. What it began, the next turn goes on with.
    pub(crate) fn tend_voters(&mut self) {
        for queue in self.queues_in_order() {
            if self.queues[&queue].record.kind == QueueKind::Local {
                continue;
            }
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.derive_config(self.me);
            }
            self.seal_recovered(queue);
            self.drive_change(queue);
            self.follow_config(queue);
            self.unstick(queue);
            self.pull_config(queue);
            self.note_terms(queue);
            self.choose_voters(queue);
            self.park(queue);
            self.drive_leaving(queue);
        }
    }

    /// When there is something to do about the voters.
    pub(crate) fn tending_wakeups(&self) -> impl Iterator<Item = u64> {
        let queues = self.queues.values().filter(|queue| !queue.record.left);
        queues
            .flat_map(|queue| {
                let change = queue.change.as_ref();
                let change = change.into_iter().flat_map(|change| change.wakeups());
                change.chain(queue.tending.wakeups())
            })
            .chain(self.parking_ms.filter(|at| *at > self.now.mono_ms))
    }

    fn tending(&mut self, queue: QueueId) -> &mut Tending {
        &mut self.queues.get_mut(&queue).expect("of this host").tending
    }

    fn is_here(&self, host: HostId) -> bool {
        host == self.me || self.peers.get(&host).is_some_and(|peer| peer.connected)
    }

    /// For how long a host has been here, or away: never longer than this host was there to see it.
    fn since_ms(&self, host: HostId) -> u64 {
        let peer = self.peers.get(&host).and_then(|peer| peer.since_ms);
        peer.unwrap_or(0).max(self.awake_ms)
    }

    /// The place of this host among the voters that are here.
    fn place(&self, hosts: &[HostId]) -> u64 {
        let mut before: Vec<&HostId> = hosts.iter().filter(|host| self.is_here(**host)).collect();
        before.sort();
        before.iter().take_while(|host| ***host != self.me).count() as u64
    }

    pub(crate) fn candidates(&self, queue: QueueId) -> Vec<Candidate> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let members = snapshot.present_members().map(|(host, member)| {
            let here = self.is_here(*host);
            let since_ms = match here {
                true => self.since_ms(*host),
                false => self.missed_until_ms(queue, *host).saturating_sub(AWAY_MS),
            };
            Candidate {
                host: *host,
                may_print: member.may(Role::Printer),
                has_printers: snapshot.present_printers().any(|(id, _)| id.host == *host),
                here,
                for_ms: self.now.mono_ms.saturating_sub(since_ms),
            }
        });
        members.collect()
    }

    /// Notes who votes. Where not everybody reaches everybody, one host may not see whom another one has just called: if each
    /// put its own choice in the other's place, they would take turns for as long as the network is like that.
    fn note_terms(&mut self, queue: QueueId) {
        let now_ms = self.now.mono_ms;
        let voters = self.queues[&queue].doc.snapshot().voters.hosts.clone();
        let known = self.queues[&queue].tending.terms.keys().copied();
        let hosts: Vec<(HostId, bool)> = known
            .chain(voters.iter().copied())
            .map(|host| (host, self.is_here(host)))
            .collect();
        let terms = &mut self.tending(queue).terms;
        for (host, here) in hosts {
            let anew = terms.contains_key(&host);
            let term = terms.entry(host).or_default();
            match term.since_ms {
                _ if !voters.contains(&host) => term.since_ms = None,
                None => {
                    term.since_ms = Some(now_ms);
                    term.returns += u32::from(anew && !here);
                }
                Some(_) => {}
            }
            if here {
                term.returns = 0;
            }
        }
    }

    /// Until when a voter that is away is waited for.
    fn missed_until_ms(&self, queue: QueueId, host: HostId) -> u64 {
        let away_ms = self.since_ms(host);
        let term = self.queues[&queue].tending.terms.get(&host);
        let Some((term, since_ms)) = term.and_then(|term| Some((term, term.since_ms?))) else {
            return away_ms + AWAY_MS;
        };
        away_ms.max(since_ms) + (AWAY_MS << term.returns.min(RETURNS_MAX))
    }

    /// The voters as they are, if this host is one of them and nothing is under way.
    fn chooses(&self, queue: QueueId) -> Option<Voters> {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let serves = entry.serves(self.me, snapshot.voters.cfg);
        let idle = entry.change.is_none();
        (serves && idle).then(|| snapshot.voters.clone())
    }

    pub(crate) fn is_auto(&self, queue: QueueId) -> bool {
        self.queues[&queue].doc.snapshot().settings.voters == VoterChoice::Auto
    }

    fn choose_voters(&mut self, queue: QueueId) {
        let now = self.now.mono_ms;
        let chooses = self.chooses(queue).filter(|_| !self.stopping);
        let Some(voters) = chooses else {
            let tending = self.tending(queue);
            (tending.choice_ms, tending.look_ms) = (None, None);
            return;
        };
        let auto = self.is_auto(queue);
        let candidates = self.candidates(queue);
        let away = voters.hosts.iter().filter(|host| !self.is_here(**host));
        let look = away.map(|host| self.missed_until_ms(queue, *host));
        let look_ms = look.filter(|at| auto && *at > now).min();
        self.tending(queue).look_ms = look_ms;
        let hosts = match auto {
            true => wanted(&voters.hosts, candidates.len(), &candidates),
            false => sorted(&voters.hosts),
        };
        // The same voters anew: each takes in what the others know.
        let forgetful = self.queues[&queue].forgetful(self.me).next().is_some();
        let fine = hosts == sorted(&voters.hosts) && !forgetful;
        if fine || !self.presence(queue).has_quorum(&voters) {
            self.tending(queue).choice_ms = None;
            return;
        }
        match self.tending(queue).choice_ms {
            None => {
                let rank_ms = CHOICE_RANK_MS * self.place(&voters.hosts);
                let at = now + CHOICE_MS + rank_ms + self.entropy.below(CHOICE_MS / 2);
                self.tending(queue).choice_ms = Some(at);
            }
            Some(at) if at <= now => {
                self.tending(queue).choice_ms = None;
                self.begin_change(queue, voters, hosts, None, now + CHANGE_MS);
            }
            Some(_) => {}
        }
    }

    /// A change that nobody goes on with is finished by whoever holds a part of it.
    fn unstick(&mut self, queue: QueueId) {
        let now = self.now.mono_ms;
        let entry = &self.queues[&queue];
        let published = entry.doc.snapshot().voters.cfg;
        let config = entry.config.as_ref().filter(|_| entry.change.is_none());
        let half_done = config.filter(|config| !config.forgot).filter(|config| {
            let known = config.voters.cfg;
            let open = config.accepted.is_some() && known == published;
            known > published || open && !config.voters.hosts.is_empty()
        });
        let Some(config) = half_done.cloned() else {
            self.tending(queue).stuck_ms = None;
            return;
        };
        match self.tending(queue).stuck_ms {
            None => {
                let rank_ms = STUCK_MS * self.place(&config.voters.hosts);
                let at = now + STUCK_MS + rank_ms + self.entropy.below(STUCK_MS / 2);
                self.tending(queue).stuck_ms = Some(at);
            }
            Some(at) if at <= now => {
                self.tending(queue).stuck_ms = None;
                if config.voters.cfg > published {
                    self.finish_installed(queue);
                } else if let Some((_, hosts)) = config.accepted {
                    let deadline_ms = now + CHANGE_MS;
                    self.begin_change(queue, config.voters, hosts, None, deadline_ms);
                }
            }
            Some(_) => {}
        }
    }

    /// The document says that this host votes, and it was away when that came about: asks the others for what they hold.
    fn pull_config(&mut self, queue: QueueId) {
        let now = self.now.mono_ms;
        let entry = &self.queues[&queue];
        let voters = entry.doc.snapshot().voters.clone();
        let missing = voters.hosts.contains(&self.me) && entry.config_number() < voters.cfg;
        let others = voters.hosts.iter().copied();
        let here: Vec<HostId> = others
            .filter(|host| *host != self.me && self.is_here(*host))
            .collect();
        if !missing || here.is_empty() {
            self.tending(queue).pull_ms = None;
            return;
        }
        if self.tending(queue).pull_ms.is_some_and(|at| at > now) {
            return;
        }
        self.tending(queue).pull_ms = Some(now + PULL_MS);
        for host in here {
            let (cfg, after) = (voters.cfg, None);
            self.say_config(host, ConfigMessage::Want { queue, cfg, after });
        }
    }

    /// Begins to give every vote of this host away that can be given, for a short time.
    pub(crate) fn begin_parking(&mut self) {
        self.parking_ms = Some(self.now.mono_ms + PARK_MS);
    }

    fn park(&mut self, queue: QueueId) {
        let Some(until) = self.parking_ms.filter(|at| *at > self.now.mono_ms) else {
            return;
        };
        let Some(voters) = self.chooses(queue).filter(|_| self.is_auto(queue)) else {
            return;
        };
        let mut candidates = self.candidates(queue);
        let members = candidates.len();
        candidates.retain(|one| one.host != self.me);
        let hosts = wanted(&voters.hosts, members, &candidates);
        if !hosts.contains(&self.me) && self.presence(queue).has_quorum(&voters) {
            self.begin_change(queue, voters, hosts, None, until);
        }
    }

    /// Whether a host that is about to stop is still giving its votes away. It may stop once this is false, and will
    /// soon be whoever answers.
    pub fn is_parking(&self) -> bool {
        let time_left = self.parking_ms.is_some_and(|at| at > self.now.mono_ms);
        time_left && self.queues.values().any(|queue| queue.change.is_some())
    }
}

fn sorted(hosts: &[HostId]) -> Vec<HostId> {
    let mut hosts = hosts.to_vec();
    hosts.sort();
    hosts
}
