//! What this host hears of begun claims, and when it gives one up as a voter: durable, and signed in the document.
//!
//! A majority of such words is `lost` (`Snapshot::is_lost`): then another printer may make the copy. Silence is measured by
//! this host's own clock, and only while it was itself awake and in touch with a majority of the voters: what it could
//! not hear is no silence. That it may be wrong costs one surplus print at most (CLAIMS.md, I4).

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    ClaimState, CopyId, CopyState, HostId, JobState, LostRecord, PrinterId, QueueId, Role, Touched,
    UnknownWait,
};

use crate::{
    event::Event,
    limits::WATCH_MS,
    message::Beat,
    node::{Node, Queue},
    records::{self, key},
    register::{Value, Vote},
    times::{abandon_ms, estimated_left_s, healthy_ms},
};

/// What this host hears of the begun claims of a queue.
#[derive(Default)]
pub(crate) struct Watch {
    units: BTreeMap<(CopyId, u32), LastBeat>,
    /// Since when this host reaches a majority of the voters.
    contact_ms: Option<u64>,
    /// When to look next whether something was silent for too long; none = only when something changes.
    look_ms: Option<u64>,
    /// Attempts that were given up, as far as listeners know.
    told: BTreeSet<(CopyId, u32)>,
}

struct LastBeat {
    /// When its holder spoke last, or since when it is watched.
    at_ms: u64,
    /// What was left then.
    left_s: Option<u64>,
    /// Its number: an old beat that comes late is none.
    seq: u64,
}

impl Queue {
    /// Attempts on a copy that may have begun and are not over: by this voter's own memory, or by the document.
    fn begun_attempts(&self, copy: CopyId) -> BTreeSet<u32> {
        let snapshot = self.doc.snapshot();
        let open = snapshot
            .jobs
            .get(&copy.job)
            .is_some_and(|job| job.state == JobState::Open);
        if !open || matches!(snapshot.copy_state(copy), CopyState::Done(_)) {
            return BTreeSet::new();
        }
        let accepted =
            self.votes
                .range((copy, 0)..=(copy, u32::MAX))
                .filter(|(_, vote)| match vote.accepted {
                    Some((_, Value::Print { .. })) => true,
                    Some((_, Value::Withdraw { .. })) => self.was_taken_by_nobody(copy, vote),
                    None => false,
                });
        let mut begun: BTreeSet<u32> = accepted.map(|((_, attempt), _)| *attempt).collect();
        let claims = || snapshot.claims_of(copy);
        for over in claims().filter(|c| c.record.state.is_over() && !c.record.speculative) {
            // A print that counts elsewhere says nothing of the one that the voters let start.
            let elsewhere = matches!(
                over.record.state,
                ClaimState::Credited | ClaimState::Surplus
            );
            if !elsewhere || !self.is_held_by_another((copy, over.attempt), over.host) {
                begun.remove(&over.attempt);
            }
        }
        // Also where the one that the voters chose is over: another one that began without them is waited for as long.
        let claims = claims().filter(|c| c.record.state.is_begun());
        begun.extend(claims.map(|c| c.attempt));
        begun.retain(|attempt| !snapshot.is_lost(copy, *attempt));
        begun
    }

    /// Whether a copy that is still wanted was taken out by a host that has left, or was put out, before it could say what for:
    /// nobody will ever say it.
    fn was_taken_by_nobody(&self, copy: CopyId, vote: &Vote) -> bool {
        let Some((_, Value::Withdraw { by })) = &vote.accepted else {
            return false;
        };
        let snapshot = self.doc.snapshot();
        let wanted = snapshot.jobs.get(&copy.job);
        let wanted = wanted.is_some_and(|job| copy.index < job.units());
        wanted && snapshot.members.get(by).is_none_or(|member| member.left)
    }

    /// Whether another host than this one holds an attempt that may have begun.
    fn is_held_by_another(&self, unit: (CopyId, u32), host: HostId) -> bool {
        let mut members = self.doc.snapshot().members.keys();
        members.any(|other| *other != host && self.is_holder(unit, *other))
    }

    /// Whether a host holds an attempt that may have begun.
    fn is_holder(&self, (copy, attempt): (CopyId, u32), host: HostId) -> bool {
        let vote = self.votes.get(&(copy, attempt));
        let accepted = vote.and_then(|vote| vote.accepted.as_ref());
        let by_vote =
            matches!(accepted, Some((_, Value::Print { host: holder, .. })) if *holder == host);
        let mut claims = self.doc.snapshot().claims_of(copy);
        by_vote
            || claims.any(|c| c.attempt == attempt && c.host == host && c.record.state.is_begun())
    }
}

impl Node {
    /// Notes which attempts on a copy are to be watched from now on.
    pub(crate) fn watch_copy(&mut self, queue: QueueId, copy: CopyId) {
        let at_ms = self.now.mono_ms;
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let begun = entry.begun_attempts(copy);
        entry
            .watch
            .units
            .retain(|(other, attempt), _| *other != copy || begun.contains(attempt));
        for attempt in begun {
            let new = LastBeat {
                at_ms,
                left_s: None,
                seq: 0,
            };
            entry.watch.units.entry((copy, attempt)).or_insert(new);
            entry.watch.look_ms = Some(at_ms);
        }
    }

    /// The same for every copy: after a start of the daemon, or when this host has become a voter.
    pub(crate) fn watch_all(&mut self, queue: QueueId) {
        let Some(entry) = self.queues.get(&queue) else {
            return;
        };
        let snapshot = entry.doc.snapshot();
        let voted = entry.votes.keys().map(|(copy, _)| *copy);
        let copies: BTreeSet<CopyId> = snapshot.claims.keys().copied().chain(voted).collect();
        for copy in copies {
            self.watch_copy(queue, copy);
        }
    }

    /// What was given up before this start of the daemon is no news.
    pub(crate) fn know_lost(&mut self, queue: QueueId) {
        if let Some(entry) = self.queues.get_mut(&queue) {
            let snapshot = entry.doc.snapshot();
            let lost = snapshot.lost.keys().copied();
            let told = lost
                .filter(|(copy, attempt)| snapshot.is_lost(*copy, *attempt))
                .collect();
            entry.watch.told = told;
        }
    }

    /// A sign of life.
    pub(crate) fn watch_beat(&mut self, from: HostId, beat: &Beat) {
        let at_ms = self.now.mono_ms;
        let unit = (beat.copy, beat.attempt);
        let Some(entry) = self.queues.get_mut(&beat.queue) else {
            return;
        };
        if !entry.is_holder(unit, from) {
            return;
        }
        if let Some(heard) = entry.watch.units.get_mut(&unit)
            && heard.seq < beat.seq
        {
            *heard = LastBeat {
                at_ms,
                left_s: beat.left_s,
                seq: beat.seq,
            };
        }
    }

    /// A member is not connected, or no member, any more. That it was, counts for prints of which it does not know how they
    /// ended: it has nothing to say about them as long as a person is to look.
    pub(crate) fn watch_gone(&mut self, host: HostId) {
        let at_ms = self.now.mono_ms;
        for entry in self.queues.values_mut() {
            let snapshot = entry.doc.snapshot();
            let person = snapshot.settings.unknown == UnknownWait::Person;
            for ((copy, attempt), heard) in &mut entry.watch.units {
                let unknown = snapshot
                    .claims
                    .get(copy)
                    .and_then(|c| c.get(&(*attempt, host)));
                if person && unknown.is_some_and(|c| c.record.state == ClaimState::Unknown) {
                    heard.at_ms = at_ms;
                    entry.watch.look_ms = Some(at_ms);
                }
            }
        }
    }

    /// Notes since when this host is in touch with a majority of the voters of each queue.
    pub(crate) fn watch_contact(&mut self) {
        let now_ms = self.now.mono_ms;
        let in_touch: BTreeSet<QueueId> = self
            .queues
            .iter()
            .filter(|(_, entry)| !entry.watch.units.is_empty() && !entry.record.left)
            .filter(|(_, entry)| self.reaches_majority(&entry.doc.snapshot().voters))
            .map(|(id, _)| *id)
            .collect();
        for (id, entry) in &mut self.queues {
            if in_touch.contains(id) && entry.watch.contact_ms.is_none() {
                entry.watch.contact_ms = Some(now_ms);
                entry.watch.look_ms = Some(now_ms);
            } else if !in_touch.contains(id) {
                entry.watch.contact_ms = None;
            }
        }
    }

    fn due_of(&self, entry: &Queue, unit: (CopyId, u32), heard: &LastBeat) -> Option<u64> {
        let snapshot = entry.doc.snapshot();
        let (copy, attempt) = unit;
        let (settings, cfg) = (&snapshot.settings, entry.config_number());
        let member = snapshot
            .members
            .get(&self.me)
            .filter(|member| !member.left)?;
        // Not when it is sealed: what it gives up then would not reach the voters that follow.
        if !entry.serves(self.me, cfg) || !member.may(Role::Printer) {
            return None;
        }
        let signed = snapshot
            .lost
            .get(&unit)
            .and_then(|words| words.get(&self.me));
        if signed.is_some_and(|word| word.cfg == cfg) {
            return None;
        }
        // This host knows what its own printers do.
        let mine = self
            .printers
            .values()
            .filter_map(|printer| printer.work.as_ref());
        if mine
            .into_iter()
            .any(|work| (work.copy, work.attempt) == unit)
        {
            return None;
        }
        let claims = snapshot
            .claims_of(copy)
            .filter(|claim| claim.attempt == attempt);
        let mut unknown = claims.filter(|claim| claim.record.state == ClaimState::Unknown);
        // Who was put out has a link for a while, and nothing to say any more.
        let is_member = |host| {
            snapshot
                .members
                .get(&host)
                .is_some_and(|member| !member.left)
        };
        let waits = unknown.any(|claim| {
            claim.host == self.me || self.is_connected(claim.host) && is_member(claim.host)
        });
        if waits && settings.unknown == UnknownWait::Person {
            return None;
        }
        let awake_ms = self.awake_ms.max(entry.watch.contact_ms?);
        // A person said that the host is gone: there is nothing to wait for.
        let vote = entry.votes.get(&unit);
        if vote.is_some_and(|vote| entry.was_taken_by_nobody(copy, vote)) {
            return Some(heard.at_ms.max(awake_ms));
        }
        let left_s = heard
            .left_s
            .unwrap_or_else(|| estimated_left_s(snapshot, copy, attempt));
        let silent_ms = heard.at_ms.max(awake_ms) + abandon_ms(settings, left_s)?;
        Some(silent_ms.max(awake_ms + healthy_ms(settings)))
    }

    /// When to look again whether something was silent for too long.
    pub(crate) fn watch_wakeup(&self) -> Option<u64> {
        if self.stopping {
            return None;
        }
        let queues = self.queues.values().filter(|entry| !entry.record.left);
        queues.filter_map(|entry| entry.watch.look_ms).min()
    }

    /// Gives up what was silent for too long, when it is time to look.
    pub(crate) fn give_up_silent(&mut self) {
        if self.stopping {
            return;
        }
        let now_ms = self.now.mono_ms;
        let looking = |(_, entry): &(&QueueId, &Queue)| {
            !entry.record.left && entry.watch.look_ms.is_some_and(|at| at <= now_ms)
        };
        let queues: Vec<QueueId> = self
            .queues
            .iter()
            .filter(looking)
            .map(|(id, _)| *id)
            .collect();
        for queue in queues {
            let entry = &self.queues[&queue];
            let units = entry.watch.units.iter();
            let due =
                units.filter_map(|(unit, heard)| Some((*unit, self.due_of(entry, *unit, heard)?)));
            let (over, later): (Vec<_>, Vec<_>) = due.partition(|(_, at)| *at <= now_ms);
            // Now and then also before that, so that this host knows that it was awake all the time.
            let next = later.iter().map(|(_, at)| *at).min();
            let look_ms = next.map(|at| at.min(now_ms + WATCH_MS));
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.watch.look_ms = look_ms;
            }
            for (unit, _) in over {
                self.give_up(queue, unit);
            }
        }
    }

    /// This voter gives an attempt up, for ever: its memory and its word in the document are of one step.
    pub(crate) fn give_up(&mut self, queue: QueueId, (copy, attempt): (CopyId, u32)) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let vote = entry.votes.entry((copy, attempt)).or_default();
        vote.lost = true;
        let write = records::put(key::vote(queue, copy, attempt), vote);
        let cfg = entry.config_number();
        let at = self.now.wall;
        self.write(write);
        tracing::warn!(job = %copy.job, copy = copy.index + 1, attempt = attempt + 1, "gave a silent print up, as a voter");
        self.record(queue, |edit| {
            edit.put_lost(copy, attempt, &LostRecord { cfg, at })
        });
    }

    /// Tells listeners about attempts that a majority gave up, of what was touched. The voters' words may have come before
    /// the job, or before the list by which they are a majority.
    pub(crate) fn tell_lost(&mut self, queue: QueueId, touched: &Touched) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let name = entry.name();
        let snapshot = entry.doc.snapshot();
        let mut events = Vec::new();
        let mut copies = touched.copies.clone();
        if touched.meta || !touched.jobs.is_empty() {
            let of_it = |copy: &CopyId| touched.meta || touched.jobs.contains(&copy.job);
            copies.extend(snapshot.lost.keys().map(|(copy, _)| *copy).filter(of_it));
        }
        for copy in &copies {
            let words = snapshot.lost.range((*copy, 0)..=(*copy, u32::MAX));
            for (unit, _) in words {
                let Some(job) = snapshot.jobs.get(&copy.job) else {
                    continue;
                };
                if !snapshot.is_lost(*copy, unit.1) || !entry.watch.told.insert(*unit) {
                    continue;
                }
                let mut claims = snapshot.claims_of(*copy);
                let holder = claims.find(|c| c.attempt == unit.1 && c.record.state.is_begun());
                let who = holder.map_or_else(
                    || "its printer".to_owned(),
                    |claim| {
                        format!(
                            "{}/{}",
                            snapshot.host_name(claim.host),
                            claim.record.printer
                        )
                    },
                );
                tracing::warn!(job = %copy.job, copy = copy.index + 1, attempt = unit.1 + 1, who, "a print is lost");
                events.push(Event {
                    queue: Some(name.clone()),
                    job: Some((job.id, job.name.clone())),
                    copy: Some(*copy),
                    printer: holder.map(|claim| PrinterId {
                        host: claim.host,
                        name: claim.record.printer.clone(),
                    }),
                    state: Some("lost".to_owned()),
                    text: Some(format!(
                        "{who} was not heard of for too long: another printer may make the copy"
                    )),
                    ..Event::new("copy.lost")
                });
            }
        }
        for event in events {
            self.tell(event);
        }
    }

    fn is_connected(&self, host: HostId) -> bool {
        self.peers.get(&host).is_some_and(|peer| peer.connected)
    }

    fn reaches_majority(&self, voters: &printmesh_queue::Voters) -> bool {
        let near = |host: &&HostId| **host == self.me || self.is_connected(**host);
        !voters.hosts.is_empty() && voters.hosts.iter().filter(near).count() >= voters.majority()
    }
}
