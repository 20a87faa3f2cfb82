//! What others remember of this host's word. A host whose disk knows less than it has told others was restored from a
//! backup, or another machine runs with its key: it decides nothing and prints nothing until a person has looked.
//!
//! Each host counts the steps in which it votes or claims, and signs the count with its answers. Members keep the highest one and show
//! it to the host when they meet; a signature of its own it must believe, and nobody else can make one.

use std::collections::BTreeSet;

use printmesh_queue::{Bed, HostId, QueueId, Seal, verify};
use serde::{Deserialize, Serialize};

use crate::{
    config_message::ConfigMessage,
    event::Event,
    limits::{BALLOT_MAX, FORGOTTEN_BALLOTS, FORGOTTEN_COUNT},
    message::{Ask, Message, Reply},
    node::{Node, Queue},
    records::{self, QueueKind, key},
};

/// A host's word on how much it has said, by its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The start of its daemon in which it said so.
    pub instance: u64,
    /// Steps in which it has voted, over all starts.
    pub count: u64,
    /// The host and its signature over the two numbers.
    pub word: Seal,
}

impl Told {
    fn bytes(instance: u64, count: u64) -> Vec<u8> {
        let mut bytes = b"printmesh memory 1".to_vec();
        bytes.extend_from_slice(&instance.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes
    }

    fn is_from(&self, host: HostId) -> bool {
        let bytes = Self::bytes(self.instance, self.count);
        self.word.host == host && verify(&host.0, &bytes, &self.word.signature)
    }
}

/// What this start of the daemon knows of its own word.
#[derive(Default)]
pub(crate) struct Memory {
    /// The count on the disk when it started.
    at_boot: u64,
    /// It voted in this step.
    moved: bool,
    /// Queues in which it voted for itself in this step, as the only voter: nobody has heard that yet.
    untold: BTreeSet<QueueId>,
    /// Its word on the present count.
    told: Option<Told>,
    /// Members whose word was heard and is not on the disk yet.
    unsaved: Vec<HostId>,
}

impl Memory {
    pub(crate) fn begin_step(&mut self) {
        self.moved = false;
    }
}

impl Queue {
    /// The voters that have forgotten what they decided in the present configuration.
    pub(crate) fn forgetful(&self, me: HostId) -> impl Iterator<Item = HostId> {
        let cfg = self.doc.snapshot().voters.cfg;
        let own = self.config.as_ref();
        let own = own.filter(|config| config.forgot && config.voters.cfg == cfg);
        let others = (self.forgetful.0 == cfg).then_some(&self.forgetful.1);
        let others = others.into_iter().flatten().copied();
        own.map(|_| me).into_iter().chain(others)
    }
}

impl Node {
    /// A new start of the daemon: what it says is told apart from what earlier ones said.
    pub(crate) fn begin_memory(&mut self) {
        self.memory.at_boot = self.host.memory;
        self.host.memory += 1;
    }

    /// This host votes in this step: once per step the count goes up, and is durable with the vote.
    pub(crate) fn remember(&mut self) {
        if std::mem::replace(&mut self.memory.moved, true) {
            return;
        }
        self.host.memory += 1;
        self.memory.told = None;
        self.save_host();
    }

    /// This host's word on how much it has said, for an answer of this step.
    pub(crate) fn told(&mut self) -> Told {
        let (instance, count) = (self.instance, self.host.memory);
        let (me, signer) = (self.me, &self.signer);
        let sign = || Told {
            instance,
            count,
            word: Seal {
                host: me,
                signature: signer.sign(&Told::bytes(instance, count)),
            },
        };
        self.memory.told.get_or_insert_with(sign).clone()
    }

    /// A member has just connected: shows it what it said, as far as this host knows, and says what it must know itself.
    pub(crate) fn say_memory(&mut self, to: HostId) {
        let mine = self.told();
        let yours = self
            .peers
            .get(&to)
            .and_then(|peer| peer.record.told.clone());
        let vouches = true;
        self.send(
            to,
            Message::Memory {
                mine,
                yours,
                vouches,
            },
        );
        let forgotten = self.queues.iter().filter_map(|(queue, entry)| {
            let config = entry.config.as_ref()?;
            config.forgot.then_some((*queue, config.voters.cfg))
        });
        let forgotten: Vec<(QueueId, u32)> = forgotten.collect();
        for (queue, cfg) in forgotten {
            if self.shares(queue, to) {
                self.say_config(to, ConfigMessage::Forgot { queue, cfg });
            }
        }
    }

    /// A member said what it must know itself, and showed what this host has told it.
    pub(crate) fn heard_memory(
        &mut self,
        from: HostId,
        mine: Told,
        yours: Option<Told>,
        vouches: bool,
    ) {
        if let Some(yours) = yours
            && yours.instance != self.instance
            && yours.count > self.memory.at_boot
            && yours.is_from(self.me)
        {
            self.forget(from, yours.count);
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if !vouches {
            self.heard_told(from, mine);
            return;
        }
        let vouched_before = std::mem::replace(&mut peer.vouched, true);
        self.heard_told(from, mine);
        // Whoever was told to wait may ask again, once: those that this word was still wanted for.
        let woke = !vouched_before && self.was_waiting_for(from);
        if woke {
            let peers: Vec<HostId> = self.peers.keys().copied().collect();
            peers.into_iter().for_each(|peer| self.say_memory(peer));
            self.resend_asks(self.me);
        }
        self.resend_asks(from);
        self.resend_confirmations(from);
    }

    /// A member's word on how much it has said came with an answer. Durable with whatever is done on the strength of it.
    pub(crate) fn heard_told(&mut self, from: HostId, told: Told) {
        if from == self.me || !told.is_from(from) {
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        let known = peer.record.told.as_ref();
        let behind = known.filter(|known| known.count >= told.count);
        match behind {
            None => {
                peer.record.told = Some(told);
                if !self.memory.unsaved.contains(&from) {
                    self.memory.unsaved.push(from);
                }
            }
            Some(known) if known.instance == told.instance => {}
            Some(known) => {
                // An older state of it is alive: it was restored, or there are two of it.
                let yours = Some(known.clone());
                let (mine, vouches) = (self.told(), false);
                self.send(
                    from,
                    Message::Memory {
                        mine,
                        yours,
                        vouches,
                    },
                );
                self.tell(Event {
                    host: Some(from),
                    state: Some("forgetful".to_owned()),
                    text: Some(
                        "this host knows less than it has told: it was restored from a backup, or another machine runs with its key"
                            .to_owned(),
                    ),
                    ..Event::new("peer.state")
                });
            }
        }
    }

    /// A proposer asked.
    pub(crate) fn heard_ask(&mut self, from: HostId, ask: &mut Ask) {
        if let Some(told) = ask.told.take() {
            self.heard_told(from, told);
        }
    }

    /// A voter said yes.
    pub(crate) fn heard_yes(&mut self, from: HostId, reply: &mut Reply) {
        if let Some(told) = reply.told.take() {
            self.heard_told(from, told);
        }
    }

    /// It voted for itself.
    pub(crate) fn voted_for_itself(&mut self, queue: QueueId) {
        let alone = self.queues[&queue].doc.snapshot().voters.hosts == [self.me];
        if alone {
            self.memory.untold.insert(queue);
        }
    }

    /// Ends a step: the members hear that a lone voter voted; where there are others, its question has told them.
    pub(crate) fn tell_memories(&mut self) {
        for queue in std::mem::take(&mut self.memory.untold) {
            let snapshot = self.queues[&queue].doc.snapshot();
            let hosts: Vec<HostId> = snapshot.present_members().map(|(host, _)| *host).collect();
            let me = self.me;
            for host in hosts.into_iter().filter(|host| *host != me) {
                let mine = self.told();
                let (yours, vouches) = (None, false);
                self.send(
                    host,
                    Message::Memory {
                        mine,
                        yours,
                        vouches,
                    },
                );
            }
        }
    }

    /// What was heard of members goes to the disk with the next step that writes anyway: nothing was done on it before.
    pub(crate) fn save_memories(&mut self) {
        if self.out.writes.is_empty() {
            return;
        }
        for host in std::mem::take(&mut self.memory.unsaved) {
            if let Some(peer) = self.peers.get(&host) {
                let write = records::put(key::peer(host), &peer.record);
                self.write(write);
            }
        }
    }

    /// This host has said more than its disk knows of.
    fn forget(&mut self, told_by: HostId, count: u64) {
        tracing::error!(peer = %told_by, count, "this host has told others more than its disk knows of");
        // Far above all that it can have counted: nothing that it says from now on is taken for what it said before.
        self.host.memory = count + FORGOTTEN_COUNT;
        self.memory.at_boot = self.host.memory;
        self.memory.told = None;
        if self.host.ballot < BALLOT_MAX - FORGOTTEN_BALLOTS {
            self.host.ballot += FORGOTTEN_BALLOTS;
        }
        self.save_host();
        for queue in self.queues_in_order() {
            let Some(entry) = self.queues.get_mut(&queue) else {
                continue;
            };
            let Some(config) = &mut entry.config else {
                continue;
            };
            if entry.record.kind == QueueKind::Local || config.forgot {
                continue;
            }
            config.forgot = true;
            let cfg = config.voters.cfg;
            self.save_config(queue);
            let members: Vec<HostId> = self.peers.keys().copied().collect();
            for host in members {
                if self.shares(queue, host) {
                    self.say_config(host, ConfigMessage::Forgot { queue, cfg });
                }
            }
        }
        for printer in self.printers.values_mut() {
            printer.entry.bed = Bed::Unknown;
        }
        self.pause_printers(
            "this host was restored from a backup, or another machine runs with its key",
        );
        self.tell(Event {
            host: Some(self.me),
            state: Some("host.restored".to_owned()),
            text: Some(
                "this host has told others more than it knows: it was restored from a backup, or another machine runs with its key; its printers are paused and it votes no more until the other voters have told it what it knew"
                    .to_owned(),
            ),
            ..Event::new("host.problem")
        });
    }

    /// Whether this host may decide for a queue: most of the voters have said since it started what they remember of it,
    /// itself included. Where it needs others to decide at all, it costs nothing.
    pub(crate) fn knows_its_votes(&self, queue: QueueId) -> bool {
        let config = self
            .queues
            .get(&queue)
            .and_then(|entry| entry.config.as_ref());
        config.is_none_or(|config| {
            let voters = &config.voters;
            voters.hosts.is_empty() || self.vouched(&voters.hosts) >= voters.majority()
        })
    }

    /// Whether this voter's word was the one that some queue of this host was waiting for.
    fn was_waiting_for(&self, voter: HostId) -> bool {
        self.queues.values().any(|entry| {
            entry.config.as_ref().is_some_and(|config| {
                let hosts = &config.voters.hosts;
                let (known, majority) = (self.vouched(hosts), config.voters.majority());
                let of_it = hosts.contains(&voter) && hosts.contains(&self.me);
                of_it && known == majority
            })
        })
    }

    /// How many of these hosts have said since this host started what they remember of it, itself included.
    fn vouched(&self, hosts: &[HostId]) -> usize {
        let vouched = |host: &&HostId| {
            **host == self.me || self.peers.get(*host).is_some_and(|peer| peer.vouched)
        };
        hosts.iter().filter(vouched).count()
    }

    /// A voter of a configuration has forgotten what it decided in it: it does not count there.
    pub(crate) fn heard_forgot(&mut self, from: HostId, queue: QueueId, cfg: u32) {
        if let Some(entry) = self.queues.get_mut(&queue)
            && entry.doc.snapshot().voters.cfg == cfg
        {
            if entry.forgetful.0 != cfg {
                entry.forgetful = (cfg, Default::default());
            }
            if entry.forgetful.1.insert(from) {
                tracing::warn!(peer = %from, %queue, cfg, "a voter has forgotten what it decided");
            }
        }
    }
}
