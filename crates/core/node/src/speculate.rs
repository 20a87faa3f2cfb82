//! Going on without the voters, at level `available`: when, with which copy, and up to the first print.
//!
//! Everything else that holds for a print holds here too: the journal, the bed, the intent. What was started so is marked
//! in the document until the voters have decided about it (`heal.rs`).

use printmesh_queue::{Ballot, Budget, ClaimState, CopyId, Level, PrinterId, QueueId};
use printmesh_schedule::{OpenCopy, Turn, budget, standing};

use crate::{
    event::Event,
    limits::{DUEL_MS, JITTER_MS, STAGGER_MS},
    node::{Node, Queue},
    records::{self, Stage, Work, key},
    turns::{Given, Turns},
};

/// A printer that lets others go first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    unit: (CopyId, u32),
    since_ms: u64,
    jitter_ms: u64,
    /// When it goes, if the copy is still open.
    pub(crate) due_ms: u64,
}

/// What a free printer does next.
pub(crate) enum Next {
    /// Asks the voters.
    Ask(OpenCopy),
    /// Goes on without them.
    Without(OpenCopy),
}

impl Node {
    /// What a free printer of this host does next in a queue.
    pub(crate) fn next_in(
        &mut self,
        name: &str,
        queue: QueueId,
        turns: &mut Turns,
    ) -> Option<Next> {
        let Some(Given { turn, without }) = self.given(name, queue, turns) else {
            self.stop_waiting(name, Some(queue));
            return None;
        };
        if !self.is_its_turn(name, queue, &turn) {
            return None;
        }
        match without {
            true => Some(Next::Without(turn.open)),
            false if self.heard_ms(queue) > self.now.mono_ms => None,
            false => Some(Next::Ask(turn.open)),
        }
    }

    /// When this host has heard what others printed without the voters, if they did: until then it starts nothing. A voter
    /// that has just been started would otherwise decide before it has met anybody.
    fn heard_ms(&self, queue: QueueId) -> u64 {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let alone = snapshot.present_members().count() <= 1;
        if alone || snapshot.settings.claims == Level::Majority {
            return 0;
        }
        entry.here_ms.unwrap_or(0) + snapshot.settings.settle_s * 1000
    }

    /// Whether the printers that come first have let a copy lie for long enough.
    fn is_its_turn(&mut self, name: &str, queue: QueueId, turn: &Turn) -> bool {
        let now_ms = self.now.mono_ms;
        let unit = (turn.open.copy, turn.open.attempt);
        let jitter_ms = self.entropy.below(JITTER_MS);
        let Some(printer) = self.printers.get_mut(name) else {
            return false;
        };
        if turn.rank == 0 {
            printer.waiting.remove(&queue);
            return true;
        }
        let new = Waiting {
            unit,
            since_ms: now_ms,
            jitter_ms,
            due_ms: now_ms,
        };
        let waiting = printer.waiting.entry(queue).or_insert(new);
        if waiting.unit != unit {
            *waiting = new;
        }
        waiting.due_ms = waiting.since_ms + u64::from(turn.rank) * STAGGER_MS + waiting.jitter_ms;
        now_ms >= waiting.due_ms
    }

    /// Printers of this host that let others go first for a copy.
    pub fn printers_that_wait(&self) -> impl Iterator<Item = &str> {
        let waits = self
            .printers
            .iter()
            .filter(|(_, printer)| !printer.waiting.is_empty());
        waits.map(|(name, _)| name.as_str())
    }

    /// A printer has work, or nothing to wait for.
    pub(crate) fn stop_waiting(&mut self, name: &str, queue: Option<QueueId>) {
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        match queue {
            Some(queue) => _ = printer.waiting.remove(&queue),
            None => printer.waiting.clear(),
        }
    }

    /// Makes known that a printer starts a copy without the voters. Nothing is started before others had time to object.
    pub(crate) fn speculate(&mut self, name: &str, queue: QueueId, open: OpenCopy) {
        let snapshot = self.queues[&queue].doc.snapshot();
        let Some(job) = snapshot.jobs.get(&open.copy.job) else {
            return;
        };
        let spec_hash = job.spec_hash();
        let unit = (open.copy, open.attempt);
        // The voters may have heard of an earlier start of this very printer: what they said stays true of this one.
        let asked = self.aside.iter().find(|(_, work)| {
            (work.copy, work.attempt) == unit && work.queue == queue && work.ballot.printer == name
        });
        if let Some(n) = asked.map(|(n, _)| *n) {
            self.aside.remove(&n);
            self.rounds.remove(&n);
            self.write(records::delete(key::aside(n)));
        }
        let ballot = self.new_ballot(name, queue, unit);
        let work = Work {
            speculative: true,
            ..Work::new(queue, unit, ballot, spec_hash, Stage::Fetching)
        };
        let fetching = self.files_wanted(&work).next().is_some();
        let state = if fetching {
            ClaimState::Fetching
        } else {
            ClaimState::Claimed
        };
        let now_ms = self.now.mono_ms;
        if let Some(printer) = self.printers.get_mut(name) {
            printer.work = Some(work.clone());
            printer.told_ms = now_ms;
        }
        self.save_work(name);
        self.put_claim(&work, state, None);
        self.beat_later(name);
        tracing::info!(printer = name, job = %open.copy.job, copy = open.copy.index + 1, attempt = unit.1 + 1, "claims a copy without the voters");
    }

    /// A ballot above every other one that this host knows of for an attempt; durable with this step.
    pub(crate) fn new_ballot(
        &mut self,
        printer: &str,
        queue: QueueId,
        unit: (CopyId, u32),
    ) -> Ballot {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let seen = snapshot
            .claims_of(unit.0)
            .map(|claim| claim.record.ballot.n);
        let promised = entry
            .votes
            .get(&unit)
            .and_then(|vote| vote.promised.as_ref());
        let promised = promised.map(|ballot| ballot.n);
        let above = seen.chain(promised).max().unwrap_or(0);
        Ballot {
            n: self.next_ballot(above),
            host: self.me,
            printer: printer.to_owned(),
        }
    }

    /// Moves a claim that was made without the voters up to its first print. Returns whether it moved; `None` = it goes
    /// on like any other.
    pub(crate) fn drive_without(&mut self, name: &str, work: &Work) -> Option<bool> {
        if !work.speculative {
            return None;
        }
        let begun = !self.runs_of(work).is_empty();
        let here = self.has_quorum(work);
        match work.stage {
            // What is left of a copy waits until the voters have decided about the copy.
            Stage::Between if begun => return here.then_some(false),
            Stage::Claiming | Stage::Starting | Stage::Running { .. } | Stage::Judging { .. } => {
                return None;
            }
            Stage::Fetching | Stage::Staged | Stage::Between => {}
        }
        let why = match here {
            true => Some("the voters can be reached again"),
            false => self.without_is_void(name, work),
        };
        if let Some(why) = why {
            // Whatever speaks against it speaks against it in a moment as well: nobody claims and drops it for ever.
            let until = self.now.mono_ms + DUEL_MS;
            if !here && let Some(entry) = self.queues.get_mut(&work.queue) {
                entry.refused.insert((work.copy, work.attempt), until);
            }
            self.drop_claim(name, why);
            return Some(true);
        }
        match work.stage {
            Stage::Staged if self.stopping || self.now.mono_ms < self.settled_ms(name, work) => {
                Some(false)
            }
            Stage::Staged => {
                self.set_stage(name, Stage::Between);
                Some(true)
            }
            Stage::Claiming
            | Stage::Starting
            | Stage::Running { .. }
            | Stage::Fetching
            | Stage::Judging { .. }
            | Stage::Between => None,
        }
    }

    fn settled_ms(&self, name: &str, work: &Work) -> u64 {
        let settle_s = self.queues[&work.queue].doc.snapshot().settings.settle_s;
        let told_ms = self.printers.get(name).map_or(0, |printer| printer.told_ms);
        told_ms + settle_s * 1000
    }

    /// Why a start without the voters must be given up, if it must: another printer stands higher, or is further.
    fn without_is_void(&self, name: &str, work: &Work) -> Option<&'static str> {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        if snapshot.settings.claims == Level::Majority {
            return Some("the queue starts nothing without its voters any more");
        }
        let own = self.printer_id(name);
        let own = standing(snapshot, work.copy, &own);
        let presence = self.presence(work.queue);
        let by_job = budget(snapshot) == Budget::One;
        let first = CopyId {
            job: work.copy.job,
            index: if by_job { 0 } else { work.copy.index },
        };
        let last = CopyId {
            job: work.copy.job,
            index: if by_job { u32::MAX } else { work.copy.index },
        };
        for (copy, claims) in snapshot.claims.range(first..=last) {
            let same = *copy == work.copy;
            let others = claims
                .values()
                .filter(|claim| (claim.host, claim.attempt) != (self.me, work.attempt) || !same);
            for other in others {
                let state = other.record.state;
                let counts = other.record.speculative && state != ClaimState::Dropped;
                if state.is_pending() {
                    let silent = presence.lapsed.contains(&(*copy, other.attempt));
                    let id = PrinterId {
                        host: other.host,
                        name: other.record.printer.clone(),
                    };
                    let higher = standing(snapshot, *copy, &id) > own;
                    let first = if counts { higher } else { same };
                    // A claim of this host that nobody works on any more is no rival.
                    if first && !silent && other.host != self.me {
                        return Some("another printer goes first");
                    }
                } else if counts || same && state == ClaimState::Finished {
                    return Some("another printer makes it");
                }
            }
        }
        None
    }

    /// Notes since when the voters of each queue cannot be reached, and says when printers go on without them.
    pub(crate) fn note_voters(&mut self) {
        let now_ms = self.now.mono_ms;
        let mut events = Vec::new();
        let me = self.me;
        let peers = &self.peers;
        let near = |host: &&printmesh_queue::HostId| {
            **host == me || peers.get(*host).is_some_and(|peer| peer.connected)
        };
        for entry in self.queues.values_mut().filter(|entry| !entry.record.left) {
            let snapshot = entry.doc.snapshot();
            let voters = &snapshot.voters;
            let here = voters.hosts.iter().filter(near).count() >= voters.majority();
            if here || voters.hosts.is_empty() {
                entry.alone_ms = None;
                entry.here_ms.get_or_insert(now_ms);
                if std::mem::take(&mut entry.goes_on) {
                    let text = "the voters can be reached again: they decide about what was started without them";
                    events.push(Event {
                        queue: Some(entry.name()),
                        state: Some("back".into()),
                        text: Some(text.into()),
                        ..Event::new("queue.voters")
                    });
                }
                continue;
            }
            entry.here_ms = None;
            let since_ms = *entry.alone_ms.get_or_insert(now_ms);
            let settings = &snapshot.settings;
            let available = settings.claims == Level::Available;
            entry.goes_on &= available;
            let patient = now_ms < since_ms + settings.patience_s * 1000;
            if available && !patient && !entry.goes_on {
                let away: Vec<String> = voters
                    .hosts
                    .iter()
                    .filter(|host| !near(host))
                    .map(|host| snapshot.host_name(*host))
                    .collect();
                let away = away.join(", ");
                let text = format!(
                    "{away} cannot be reached: what is started now is marked until they have decided about it"
                );
                events.push(Event {
                    queue: Some(entry.name()),
                    state: Some("away".into()),
                    text: Some(text),
                    ..Event::new("queue.voters")
                });
                entry.goes_on = true;
            }
        }
        for event in events {
            self.tell(event);
        }
    }

    /// When something may begin, or be given up, because of what did not happen meanwhile.
    pub(crate) fn without_wakeup(&self) -> Option<u64> {
        let queues = self.queues.values().filter(|entry| !entry.record.left);
        let patience = queues.flat_map(|entry| self.patience_ends(entry));
        let settling = self.printers.iter().filter_map(|(name, printer)| {
            let work = printer.work.as_ref()?;
            (work.speculative && work.stage == Stage::Staged).then(|| self.settled_ms(name, work))
        });
        let waiting = self
            .printers
            .values()
            .flat_map(|printer| printer.waiting.values().map(|waiting| waiting.due_ms));
        let ids = self.queues_in_order().into_iter();
        let hearing = ids.map(|queue| self.heard_ms(queue));
        patience
            .chain(hearing)
            .chain(settling)
            .chain(waiting)
            .filter(|at| *at > self.now.mono_ms)
            .min()
    }

    /// When this host may go on without the voters, and with copies of printers that are away.
    fn patience_ends(&self, entry: &Queue) -> Vec<u64> {
        let snapshot = entry.doc.snapshot();
        let settings = &snapshot.settings;
        let Some(alone_ms) = entry
            .alone_ms
            .filter(|_| settings.claims == Level::Available)
        else {
            return Vec::new();
        };
        let gone = snapshot.present_members().map(|(host, _)| {
            let peer = self.peers.get(host);
            let gone_ms = peer
                .filter(|peer| !peer.connected)
                .and_then(|peer| peer.since_ms);
            gone_ms.unwrap_or(alone_ms) + settings.foreign_wait_s * 1000
        });
        let mut ends: Vec<u64> = gone.collect();
        ends.push(alone_ms + settings.patience_s * 1000);
        ends
    }

    /// Returns whether a queue goes on without its voters right now.
    pub fn goes_on_without(&self, queue: QueueId) -> bool {
        self.queues.get(&queue).is_some_and(|entry| entry.goes_on)
    }
}
