//! This host as a voter, asked about the voters that follow: it promises and accepts a list, seals its configuration, and
//! takes in a new one. What it answers is durable before the answer leaves.
//!
//! Safe at every step, whoever asks and however often: what is decided in a configuration was accepted by a majority of
//! it, a majority of it seals, and every new voter that serves has taken in what some majority of seals held. So
//! a majority of new voters that answers is a majority that has taken it in: nothing else makes it active.

use std::{collections::BTreeSet, ops::Bound};

use printmesh_queue::{
    CopyId, HostId, QueueId, Role, Seal, Voters, is_sealed, next_config, seal_bytes,
};

use crate::{
    config::{ConfigNack, ConfigRecord, is_list},
    config_message::{ConfigAsk, ConfigMessage, Held},
    limits::PAGE_UNITS,
    message::Message,
    node::{Node, Queue},
    records::{self, QueueKind, key},
    sabotage::Sabotage,
};

impl Queue {
    /// Whether this host answers claims of a configuration of the queue: by its own durable record, not by the document.
    pub(crate) fn serves(&self, me: HostId, cfg: u32) -> bool {
        self.config
            .as_ref()
            .is_some_and(|config| config.serves(me, cfg))
    }

    /// The configuration that this host knows as a voter; 0 for none.
    pub(crate) fn config_number(&self) -> u32 {
        self.config.as_ref().map_or(0, |config| config.voters.cfg)
    }

    /// One page of what this voter holds, in order, and whether it is the last.
    fn page(&self, after: Option<(CopyId, u32)>) -> (Vec<Held>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.votes.range((from, Bound::Unbounded));
        let page: Vec<Held> = rest
            .by_ref()
            .take(PAGE_UNITS)
            .map(|(unit, vote)| Held::new(*unit, vote))
            .collect();
        (page, rest.next().is_none())
    }

    /// A founder serves the first configuration; its home may be older than the record of it.
    pub(crate) fn derive_config(&mut self, me: HostId) {
        let voters = &self.doc.snapshot().voters;
        if self.config.is_none() && voters.cfg == 1 && voters.hosts == [me] {
            self.config = Some(ConfigRecord::installed(voters.clone(), Vec::new()));
        }
    }
}

impl Node {
    pub(crate) fn save_config(&mut self, queue: QueueId) {
        if let Some(config) = self.queues.get(&queue).and_then(|q| q.config.as_ref()) {
            let write = records::put(key::config(queue), config);
            self.write(write);
        }
    }

    pub(crate) fn say_config(&mut self, to: HostId, message: ConfigMessage) {
        let rests_on_votes = matches!(
            message,
            ConfigMessage::Promised { .. }
                | ConfigMessage::Accepted(_)
                | ConfigMessage::Sealed { .. }
                | ConfigMessage::Installed { .. }
        );
        if rests_on_votes && to != self.me {
            let mine = self.told();
            let (yours, vouches) = (None, false);
            self.send(
                to,
                Message::Memory {
                    mine,
                    yours,
                    vouches,
                },
            );
        }
        self.send(to, Message::Config(message));
    }

    pub(crate) fn config_message(&mut self, from: HostId, message: ConfigMessage) {
        let queue = message.queue();
        let network = |q: &&Queue| q.record.kind == QueueKind::Network && !q.record.left;
        let known = self.queues.get(&queue).filter(network).is_some();
        if !known || from != self.me && !self.shares(queue, from) {
            tracing::debug!(peer = %from, "ignored a message about voters of a queue that is not shared");
            return;
        }
        match message {
            ConfigMessage::Call { queue, cfg } => self.called(from, queue, cfg),
            ConfigMessage::Ready { queue, cfg } => self.ready_to_vote(from, queue, cfg),
            ConfigMessage::Prepare(ask) => self.config_prepare(from, ask),
            ConfigMessage::Accept { ask, hosts } => self.config_accept(from, ask, &hosts),
            ConfigMessage::Seal { queue, next, after } => self.seal(from, queue, next, after),
            ConfigMessage::Install {
                queue,
                voters,
                seals,
                after: _,
                page,
                last,
            } => self.install(from, queue, voters, seals, page, last),
            ConfigMessage::Want { queue, cfg, after } => self.wanted(from, queue, cfg, after),
            ConfigMessage::Promised { ask, accepted } => {
                self.config_promised(from, &ask, accepted);
            }
            ConfigMessage::Accepted(ask) => self.config_accepted(from, &ask),
            ConfigMessage::Refused { ask, why } => self.config_refused(from, &ask, why),
            ConfigMessage::Sealed {
                queue,
                next,
                seal,
                after: _,
                page,
                last,
            } => self.sealed(from, queue, &next, seal, page, last),
            ConfigMessage::Installed { queue, cfg } => self.installed(from, queue, cfg),
            ConfigMessage::Forgot { queue, cfg } => self.heard_forgot(from, queue, cfg),
        }
    }

    /// Voters change the list by themselves, operators because a person wants it.
    fn may_set_voters(&self, queue: QueueId, from: HostId, voters: &[HostId]) -> bool {
        let members = &self.queues[&queue].doc.snapshot().members;
        let member = members.get(&from);
        let operates = member.is_some_and(|member| member.may(Role::Operator));
        let gone = member.is_some_and(|member| member.is_removed());
        operates || voters.contains(&from) && !gone
    }

    /// Asks this host's record something; what changed of it is durable with this step.
    fn ask_config<T>(
        &mut self,
        from: HostId,
        queue: QueueId,
        question: impl FnOnce(&mut ConfigRecord) -> Result<T, ConfigNack>,
    ) -> Result<T, ConfigNack> {
        let Some(config) = &self.queues[&queue].config else {
            return Err(ConfigNack::Other { cfg: 0 });
        };
        if config.forgot || !self.knows_its_votes(queue) {
            return Err(ConfigNack::Other { cfg: 0 });
        }
        if !self.may_set_voters(queue, from, &config.voters.hosts) {
            return Err(ConfigNack::NotAllowed);
        }
        let mut asked = config.clone();
        let answer = question(&mut asked)?;
        if asked != *config {
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.config = Some(asked);
            }
            self.save_config(queue);
        }
        Ok(answer)
    }

    /// Answers only when it can take the configuration in: nobody seals for a host that is gone or behind.
    fn called(&mut self, from: HostId, queue: QueueId, cfg: u32) {
        let before = cfg.saturating_sub(1);
        let entry = &self.queues[&queue];
        let knows = entry.doc.snapshot().configs.contains_key(&before);
        if knows && entry.config_number() < cfg && !self.stopping {
            self.say_config(from, ConfigMessage::Ready { queue, cfg });
        }
    }

    fn config_prepare(&mut self, from: HostId, ask: ConfigAsk) {
        let answered = self.ask_config(from, ask.queue, |config| {
            config.prepare(ask.cfg, &ask.ballot)
        });
        let answer = match answered {
            Ok(accepted) => ConfigMessage::Promised { ask, accepted },
            Err(why) => ConfigMessage::Refused { ask, why },
        };
        self.say_config(from, answer);
    }

    fn config_accept(&mut self, from: HostId, ask: ConfigAsk, hosts: &[HostId]) {
        let answered = match is_list(hosts) {
            true => self.ask_config(from, ask.queue, |config| {
                config.accept(ask.cfg, &ask.ballot, hosts)
            }),
            false => Err(ConfigNack::NotAllowed),
        };
        let answer = match answered {
            Ok(()) => ConfigMessage::Accepted(ask),
            Err(why) => ConfigMessage::Refused { ask, why },
        };
        self.say_config(from, answer);
    }

    fn seal(&mut self, from: HostId, queue: QueueId, next: Voters, after: Option<(CopyId, u32)>) {
        let before = next.cfg.saturating_sub(1);
        let good = is_list(&next.hosts) && next_config(before) == Some(next.cfg);
        let sealed = match good {
            true => self.ask_config(from, queue, |config| config.seal(before, &next.hosts)),
            false => Err(ConfigNack::NotAllowed),
        };
        if let Err(why) = sealed {
            tracing::debug!(peer = %from, ?why, "did not seal a configuration");
            return;
        }
        let seal = Seal {
            host: self.me,
            signature: self.signer.sign(&seal_bytes(queue, &next)),
        };
        let (page, last) = self.queues[&queue].page(after);
        let answer = ConfigMessage::Sealed {
            queue,
            next,
            seal,
            after,
            page,
            last,
        };
        self.say_config(from, answer);
    }

    /// Whether those before a configuration gave way to it, as far as this host can check.
    fn is_proven(&self, queue: QueueId, voters: &Voters, seals: &[Seal]) -> bool {
        let configs = &self.queues[&queue].doc.snapshot().configs;
        if configs.get(&voters.cfg) == Some(&voters.hosts) {
            return true;
        }
        let before = voters.cfg.checked_sub(1).and_then(|cfg| configs.get(&cfg));
        next_config(voters.cfg.saturating_sub(1)) == Some(voters.cfg)
            && before.is_some_and(|before| is_sealed(queue, voters, seals, before))
    }

    fn install(
        &mut self,
        from: HostId,
        queue: QueueId,
        voters: Voters,
        seals: Vec<Seal>,
        page: Vec<Held>,
        last: bool,
    ) {
        let cfg = voters.cfg;
        let known = self.queues[&queue].config_number();
        if known == cfg {
            self.say_config(from, ConfigMessage::Installed { queue, cfg });
            return;
        }
        let mine = is_list(&voters.hosts) && voters.hosts.contains(&self.me);
        let before = self.queues[&queue]
            .doc
            .snapshot()
            .configs
            .get(&(cfg - 1).min(cfg));
        let before = before.cloned().unwrap_or_default();
        let asker = before.contains(&from) || self.may_set_voters(queue, from, &voters.hosts);
        if known > cfg || !mine || !asker || !self.is_proven(queue, &voters, &seals) {
            tracing::debug!(peer = %from, cfg, known, "did not take in a configuration");
            return;
        }
        let after = page.last().map(|held| held.unit);
        for held in page {
            if self.sabotaged(Sabotage::SealsWithoutTransfer) {
                break;
            }
            let Some(entry) = self.queues.get_mut(&queue) else {
                return;
            };
            let vote = entry.votes.entry(held.unit).or_default();
            let was = vote.clone();
            held.merge_into(vote);
            if was != *vote {
                let write = records::put(key::vote(queue, held.unit.0, held.unit.1), vote);
                self.write(write);
            }
        }
        if !last {
            self.say_config(from, ConfigMessage::Want { queue, cfg, after });
            return;
        }
        tracing::info!(%queue, cfg, "serves as a voter");
        let alone = voters.hosts.len() == 1;
        if let Some(entry) = self.queues.get_mut(&queue) {
            entry.config = Some(ConfigRecord::installed(voters, seals));
        }
        self.save_config(queue);
        self.watch_all(queue);
        self.say_config(from, ConfigMessage::Installed { queue, cfg });
        if alone {
            // It is the majority: nobody else need live for it to be known.
            self.publish_config(queue);
        }
    }

    /// Another voter of this configuration was away when it was made, or takes in what a change of this host gathered.
    fn wanted(&mut self, from: HostId, queue: QueueId, cfg: u32, after: Option<(CopyId, u32)>) {
        let own = self.queues[&queue].config.as_ref();
        let installed = own.is_some_and(|own| own.voters.cfg == cfg && !own.forgot);
        if !self.change_wanted(from, queue, cfg, after) && installed {
            self.offer_installed(from, queue, after);
        }
    }

    /// Offers a page of what this voter holds to another one of its configuration.
    pub(crate) fn offer_installed(
        &mut self,
        to: HostId,
        queue: QueueId,
        after: Option<(CopyId, u32)>,
    ) {
        let entry = &self.queues[&queue];
        let Some(config) = entry
            .config
            .as_ref()
            .filter(|c| c.voters.hosts.contains(&to))
        else {
            return;
        };
        let (voters, seals) = (config.voters.clone(), config.seals.clone());
        let (page, last) = entry.page(after);
        let install = ConfigMessage::Install {
            queue,
            voters,
            seals,
            after,
            page,
            last,
        };
        self.say_config(to, install);
    }

    /// A queue was recovered without this voter: it decides nothing in its configuration any more, for ever. That is the
    /// one from before; or one by which it recovered the queue itself, while another admin did the same out of its sight,
    /// whose recovery counts.
    pub(crate) fn seal_recovered(&mut self, queue: QueueId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let snapshot = entry.doc.snapshot();
        let published = snapshot.voters.clone();
        let Some(config) = &mut entry.config else {
            return;
        };
        let number = config.voters.cfg;
        // The document has each number once: which of the two counts, it says.
        let mine: BTreeSet<&HostId> = config.voters.hosts.iter().collect();
        let said = snapshot.configs.get(&number);
        let other = said.is_some_and(|hosts| hosts.iter().collect::<BTreeSet<_>>() != mine);
        // The one voter of a recovery would have had to give way itself to what follows it.
        let passed_by = config.voters.is_recovered() && published.cfg > number;
        if config.sealed.is_none() && (published.era() > config.voters.era() || other || passed_by)
        {
            tracing::warn!(%queue, cfg = config.voters.cfg, "an admin recovered the queue without this voter");
            config.sealed = Some(Vec::new());
            self.save_config(queue);
        }
    }
}

impl ConfigMessage {
    fn queue(&self) -> QueueId {
        match self {
            Self::Prepare(ask) | Self::Accepted(ask) => ask.queue,
            Self::Promised { ask, .. } | Self::Accept { ask, .. } | Self::Refused { ask, .. } => {
                ask.queue
            }
            Self::Call { queue, .. }
            | Self::Ready { queue, .. }
            | Self::Seal { queue, .. }
            | Self::Sealed { queue, .. }
            | Self::Install { queue, .. }
            | Self::Want { queue, .. }
            | Self::Installed { queue, .. }
            | Self::Forgot { queue, .. } => *queue,
        }
    }
}
