//! Changing the voters of a queue: decide the list, seal, take over what was held, install, publish (notes/claims.md §3.7).
//!
//! A change lives in memory only. Whatever it got done is durable at the voters, each step may be said twice, and any of them
//! finishes what its initiator left half done (`tending.rs`).

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    Ballot, Configuration, HostId, QueueId, Seal, Voters, next_config, seal_bytes, verify,
};

use crate::{
    change::{Change, Phase, Unit, page},
    config::ConfigNack,
    config_message::{ConfigAsk, ConfigMessage, Held},
    limits::{BALLOT_MAX, CHANGE_AGAIN_MS, CHANGE_AGAIN_MS_MAX, DUEL_MS},
    node::Node,
};

impl Node {
    /// Begins to change the voters after `before` to `hosts`, once all that are new among them have answered. What the
    /// voters decided already goes first.
    pub(crate) fn begin_change(
        &mut self,
        queue: QueueId,
        before: Voters,
        hosts: Vec<HostId>,
        command: Option<u64>,
        deadline_ms: u64,
    ) {
        if next_config(before.cfg).is_none() {
            return;
        }
        tracing::info!(%queue, cfg = before.cfg, voters = hosts.len(), "changes the voters");
        let ballot = self.change_ballot(0);
        let config = self
            .queues
            .get(&queue)
            .and_then(|entry| entry.config.as_ref());
        let half_done = config
            .is_some_and(|config| config.voters.cfg == before.cfg && config.accepted.is_some());
        let change = Change {
            command,
            before,
            wanted: hosts.clone(),
            hosts,
            ballot,
            phase: Phase::Duel,
            deadline_ms: Some(deadline_ms),
            again_ms: self.now.mono_ms,
            pause_ms: CHANGE_AGAIN_MS,
        };
        let calls = !change.newcomers().is_empty() && !half_done;
        self.put_change(queue, change);
        if calls {
            let ready = BTreeSet::new();
            self.change_goes_on(queue, Phase::Calling { ready });
        } else {
            self.prepare_change(queue);
        }
    }

    pub(crate) fn ready_to_vote(&mut self, from: HostId, queue: QueueId, cfg: u32) {
        let Some(change) = self.change_of(queue).filter(|c| c.before.cfg + 1 == cfg) else {
            return;
        };
        let newcomers = change.newcomers();
        if let Phase::Calling { ready } = &mut change.phase {
            ready.insert(from);
            if newcomers.iter().all(|host| ready.contains(host)) {
                self.prepare_change(queue);
            }
        }
    }

    /// Goes on with a configuration that this host has taken in and that nobody has published.
    pub(crate) fn finish_installed(&mut self, queue: QueueId) {
        let Some(config) = self
            .queues
            .get(&queue)
            .and_then(|entry| entry.config.clone())
        else {
            return;
        };
        let Some(cfg) = config.voters.cfg.checked_sub(1) else {
            return;
        };
        let ballot = self.change_ballot(0);
        let change = Change {
            command: None,
            before: Voters {
                cfg,
                hosts: Vec::new(),
            },
            wanted: config.voters.hosts.clone(),
            hosts: config.voters.hosts,
            ballot,
            phase: Phase::Installing {
                seals: config.seals,
                held: None,
                done: BTreeSet::from([self.me]),
            },
            deadline_ms: None,
            again_ms: self.now.mono_ms + CHANGE_AGAIN_MS,
            pause_ms: CHANGE_AGAIN_MS,
        };
        self.put_change(queue, change);
        self.ask_change(queue);
        self.publish_when_installed(queue);
    }

    fn put_change(&mut self, queue: QueueId, change: Change) {
        if let Some(entry) = self.queues.get_mut(&queue) {
            entry.change = Some(change);
        }
    }

    fn change_ballot(&mut self, above: u64) -> Ballot {
        Ballot {
            n: self.next_ballot(above),
            host: self.me,
            printer: String::new(),
        }
    }

    pub(crate) fn change_of(&mut self, queue: QueueId) -> Option<&mut Change> {
        self.queues.get_mut(&queue)?.change.as_mut()
    }

    fn prepare_change(&mut self, queue: QueueId) {
        let ballot = self.change_ballot(0);
        if let Some(change) = self.change_of(queue) {
            change.ballot = ballot;
        }
        let phase = Phase::Preparing {
            promised: BTreeSet::new(),
            accepted: None,
        };
        self.change_goes_on(queue, phase);
    }

    fn change_goes_on(&mut self, queue: QueueId, phase: Phase) {
        let now = self.now.mono_ms;
        if let Some(change) = self.change_of(queue) {
            change.phase = phase;
            change.pause_ms = CHANGE_AGAIN_MS;
            change.again_ms = now + CHANGE_AGAIN_MS;
        }
        self.ask_change(queue);
    }

    /// Asks everybody who has not answered yet.
    fn ask_change(&mut self, queue: QueueId) {
        let Some(change) = self
            .queues
            .get(&queue)
            .and_then(|entry| entry.change.as_ref())
        else {
            return;
        };
        if let Phase::Installing {
            held: None, done, ..
        } = &change.phase
        {
            let hosts = change.hosts.iter().copied();
            let rest: Vec<HostId> = hosts.filter(|host| !done.contains(host)).collect();
            for host in rest {
                self.offer_installed(host, queue, None);
            }
            return;
        }
        for (to, question) in change.questions(queue) {
            self.say_config(to, question);
        }
    }

    /// A host is connected: what it was asked while it was away is asked again.
    pub(crate) fn resend_changes(&mut self) {
        let queues: Vec<QueueId> = self.queues.keys().copied().collect();
        for queue in queues {
            self.ask_change(queue);
        }
    }

    pub(crate) fn config_promised(
        &mut self,
        from: HostId,
        ask: &ConfigAsk,
        told: Option<(Ballot, Vec<HostId>)>,
    ) {
        let Some(change) = self.change_of(ask.queue).filter(|c| c.is_about(ask)) else {
            return;
        };
        let Phase::Preparing { promised, accepted } = &mut change.phase else {
            return;
        };
        if !change.before.hosts.contains(&from) {
            return;
        }
        let ballot = |told: &Option<(Ballot, Vec<HostId>)>| told.as_ref().map(|(b, _)| b.clone());
        if ballot(&told) > ballot(accepted) {
            *accepted = told;
        }
        promised.insert(from);
        if promised.len() >= change.before.majority() {
            // Somebody's list may have been decided already: that one it is.
            if let Some((_, hosts)) = accepted.take() {
                change.hosts = hosts;
            }
            let yes = BTreeSet::new();
            self.change_goes_on(ask.queue, Phase::Accepting { yes });
        }
    }

    pub(crate) fn config_accepted(&mut self, from: HostId, ask: &ConfigAsk) {
        let Some(change) = self.change_of(ask.queue).filter(|c| c.is_about(ask)) else {
            return;
        };
        let Phase::Accepting { yes } = &mut change.phase else {
            return;
        };
        if !change.before.hosts.contains(&from) {
            return;
        }
        yes.insert(from);
        if yes.len() >= change.before.majority() {
            let phase = Phase::Sealing {
                pages: BTreeMap::new(),
                seals: Vec::new(),
                held: BTreeMap::new(),
            };
            self.change_goes_on(ask.queue, phase);
        }
    }

    pub(crate) fn config_refused(&mut self, from: HostId, ask: &ConfigAsk, why: ConfigNack) {
        let change = self.change_of(ask.queue).filter(|c| c.is_about(ask));
        if change.is_none_or(|change| !change.before.hosts.contains(&from)) {
            return;
        }
        tracing::debug!(
            cfg = ask.cfg,
            ?why,
            "a voter refused a change of the voters"
        );
        if let ConfigNack::Other { cfg } = why {
            self.heard_passed(from, ask.queue, ask.cfg, cfg);
        }
        let ConfigNack::Promised(higher) = why else {
            // It is behind, or ahead and the document is on its way: asked again.
            return;
        };
        let again_ms = self.now.mono_ms + DUEL_MS + self.entropy.below(2 * DUEL_MS);
        if higher.n < BALLOT_MAX {
            self.host.ballot = self.host.ballot.max(higher.n);
        }
        let Some(change) = self.change_of(ask.queue).filter(|c| c.is_about(ask)) else {
            return;
        };
        if let Phase::Preparing { .. } | Phase::Accepting { .. } = change.phase {
            change.phase = Phase::Duel;
            change.again_ms = again_ms;
        }
    }

    pub(crate) fn sealed(
        &mut self,
        from: HostId,
        queue: QueueId,
        next: &Voters,
        seal: Seal,
        page: Vec<Held>,
        last: bool,
    ) {
        let genuine =
            seal.host == from && verify(&from.0, &seal_bytes(queue, next), &seal.signature);
        let Some(change) = self.change_of(queue).filter(|c| c.next() == *next) else {
            return;
        };
        let majority = change.before.majority();
        let voter = change.before.hosts.contains(&from);
        let Phase::Sealing { pages, seals, held } = &mut change.phase else {
            return;
        };
        if !genuine || !voter || seals.iter().any(|seal| seal.host == from) {
            return;
        }
        if let Some(end) = page.last() {
            let known = pages.entry(from).or_insert(end.unit);
            *known = (*known).max(end.unit);
        }
        for one in &page {
            one.merge_into(held.entry(one.unit).or_default());
        }
        if !last {
            let after = pages.get(&from).copied();
            let next = next.clone();
            self.say_config(from, ConfigMessage::Seal { queue, next, after });
            return;
        }
        seals.push(seal);
        if seals.len() >= majority {
            let phase = Phase::Installing {
                seals: std::mem::take(seals),
                held: Some(std::mem::take(held)),
                done: BTreeSet::new(),
            };
            self.change_goes_on(queue, phase);
        }
    }

    /// A new voter asks for a page of what this change gathered. Returns whether it is this change's to answer.
    pub(crate) fn change_wanted(
        &mut self,
        from: HostId,
        queue: QueueId,
        cfg: u32,
        after: Option<Unit>,
    ) -> bool {
        let change = self
            .change_of(queue)
            .filter(|change| change.before.cfg + 1 == cfg && change.hosts.contains(&from));
        let Some(change) = change else {
            return false;
        };
        let Phase::Installing {
            seals,
            held: Some(held),
            ..
        } = &change.phase
        else {
            return false;
        };
        let install = page(queue, change.next(), seals, held, after);
        self.say_config(from, install);
        true
    }

    pub(crate) fn installed(&mut self, from: HostId, queue: QueueId, cfg: u32) {
        let Some(change) = self.change_of(queue).filter(|c| c.before.cfg + 1 == cfg) else {
            return;
        };
        if let Phase::Installing { done, .. } = &mut change.phase
            && change.hosts.contains(&from)
        {
            done.insert(from);
            self.publish_when_installed(queue);
        }
    }

    fn publish_when_installed(&mut self, queue: QueueId) {
        let Some(change) = self.change_of(queue) else {
            return;
        };
        let voters = change.next();
        if let Phase::Installing { done, seals, .. } = &mut change.phase
            && done.len() >= voters.majority()
        {
            let seals = seals.clone();
            self.publish_voters(queue, Configuration { voters, seals });
            self.end_change(queue);
        }
    }

    /// Ends a change whose outcome the document has, answers its command, and asks on what was not answered.
    pub(crate) fn drive_change(&mut self, queue: QueueId) {
        let now = self.now.mono_ms;
        let published = self.queues[&queue].doc.snapshot().voters.cfg;
        let Some(change) = self.change_of(queue) else {
            return;
        };
        if published > change.before.cfg {
            self.end_change(queue);
            return;
        }
        let late = change.deadline_ms.is_some_and(|at| at <= now);
        let begun = !matches!(
            change.phase,
            Phase::Calling { .. } | Phase::Duel | Phase::Preparing { .. }
        );
        if late {
            change.deadline_ms = None;
            let command = change.command.take();
            if !begun && let Some(entry) = self.queues.get_mut(&queue) {
                entry.change = None;
            }
            if let Some(command) = command {
                let problem = self.voters_silent(queue, begun);
                self.reply(command, Err(problem));
            }
        }
        let Some(change) = self.change_of(queue) else {
            return;
        };
        if change.again_ms > now {
            return;
        }
        if matches!(change.phase, Phase::Duel) {
            self.prepare_change(queue);
            return;
        }
        change.pause_ms = (change.pause_ms * 2).min(CHANGE_AGAIN_MS_MAX);
        change.again_ms = now + change.pause_ms;
        self.ask_change(queue);
    }
}
