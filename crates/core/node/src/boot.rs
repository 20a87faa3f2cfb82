//! How a node is set up, and how it wakes up from what the disk says. Nothing goes on by itself after a crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use printmesh_queue::{
    Author, Bed, CopyId, Equivocation, JobId, QueueDocument, QueueId, SetId, Signer,
};

use crate::{
    config::ConfigRecord,
    effect::{Effect, Step, Write},
    entropy::Entropy,
    input::Now,
    join::JoinState,
    memory::Memory,
    node::{Node, Peer, Printer, Queue},
    quarantine::Quarantine,
    records::{self, HostRecord, PrinterEntry, QueueKind, QueueRecord, Stage, Work, key},
    register::Vote,
};

/// What a node is born with.
pub struct Boot {
    /// Signs with this host's device key.
    pub signer: Box<dyn Signer + Send + Sync>,
    /// 32 fresh random bytes from the machine.
    pub seed: [u8; 32],
    /// Time of the start.
    pub now: Now,
    /// Every key of the store with its value.
    pub state: Vec<(Vec<u8>, Vec<u8>)>,
    /// Every log of the store with its entries in order.
    pub logs: BTreeMap<[u8; 32], Vec<Vec<u8>>>,
}

/// Why a node cannot start from what the disk says.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Never set up.
    #[error("this home has not been set up")]
    NotSetUp,
    /// A stored value cannot be read.
    #[error("the stored value `{0}` cannot be read")]
    Damaged(String),
    /// A queue's log cannot be replayed.
    #[error("the log of queue {queue} cannot be replayed")]
    Log {
        /// The queue.
        queue: QueueId,
        /// Which entry, and why.
        #[source]
        source: printmesh_queue::LoadError,
    },
}

impl Node {
    /// Returns the writes that set up a new host: its name and its `local` queue.
    pub fn set_up(signer: &dyn Signer, seed: [u8; 32], now: Now, name: &str) -> Vec<Write> {
        let host = HostRecord {
            name: name.to_owned(),
            boots: 0,
            clean: true,
            ballot: 0,
            memory: 0,
        };
        let mut entropy = Entropy::new(seed);
        let mut writes = vec![records::put(key::HOST.to_owned(), &host)];
        let (id, record, entry) = crate::queues::found(
            signer,
            &mut entropy,
            now,
            0,
            QueueKind::Local,
            "local",
            name,
        );
        writes.push(records::put(key::queue(id), &record));
        writes.push(Write::Append { log: id.0, entry });
        writes
    }

    /// Wakes a node up from what the disk says. The step's writes come first, as always.
    ///
    /// # Errors
    /// [`BootError`] when the home was never set up or is damaged.
    pub fn boot(boot: Boot) -> Result<(Self, Step), BootError> {
        let me = boot.signer.host();
        let mut host: Option<HostRecord> = None;
        let mut node = Self {
            me,
            signer: boot.signer,
            entropy: Entropy::new(boot.seed),
            now: boot.now,
            host: HostRecord {
                name: String::new(),
                boots: 0,
                clean: false,
                ballot: 0,
                memory: 0,
            },
            queues: BTreeMap::new(),
            printers: BTreeMap::new(),
            peers: BTreeMap::new(),
            discovered: BTreeMap::new(),
            files: BTreeSet::new(),
            fetching: BTreeMap::new(),
            missing: BTreeMap::new(),
            ahead: crate::prefetch::Ahead::default(),
            persons: crate::person::Persons::default(),
            imports: BTreeMap::new(),
            importing: BTreeSet::new(),
            sliced: BTreeMap::new(),
            unsliced: BTreeMap::new(),
            slicers: Vec::new(),
            rounds: BTreeMap::new(),
            aside: BTreeMap::new(),
            unsure: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            heals: BTreeMap::new(),
            requests: BTreeMap::new(),
            matches: BTreeMap::new(),
            moves: Vec::new(),
            joins: JoinState::default(),
            asking: BTreeMap::new(),
            heard: BTreeMap::new(),
            progress: BTreeMap::new(),
            instance: 0,
            memory: Memory::default(),
            awake_ms: boot.now.mono_ms,
            beats: 0,
            epoch_changes: crate::limits::EPOCH_CHANGES,
            stopping: false,
            heat: crate::heat::Heat::default(),
            zone_min: None,
            usages: BTreeMap::new(),
            spool_notes: BTreeMap::new(),
            parking_ms: None,
            inbox: VecDeque::new(),
            out: Step::default(),
            sent_peers: BTreeMap::new(),
            sent_relays: BTreeMap::new(),
            sent_accept_joins: None,
            sent_offer_lan: None,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        };
        let mut queue_records = BTreeMap::new();
        let mut works: BTreeMap<String, Work> = BTreeMap::new();
        let mut votes: Vec<((QueueId, CopyId, u32), Vote)> = Vec::new();
        let mut withdrawals = Vec::new();
        let mut configs: Vec<(QueueId, ConfigRecord)> = Vec::new();
        let mut requests = Vec::new();
        let mut epochs = crate::epochs::Stored::default();
        let mut quarantined = Vec::new();
        let mut proofs = Vec::new();
        // As long as a set was one file, which one was not written.
        let mut nameless: Vec<(String, (JobId, SetId), String)> = Vec::new();
        for (raw, value) in &boot.state {
            let name = String::from_utf8_lossy(raw).into_owned();
            let damaged = || BootError::Damaged(name.clone());
            if name == key::HOST {
                host = Some(records::read(value).ok_or_else(damaged)?);
            } else if let Some(rest) = name.strip_prefix(key::QUEUE) {
                let id: QueueId = rest.parse().map_err(|_| damaged())?;
                let record: QueueRecord = records::read(value).ok_or_else(damaged)?;
                queue_records.insert(id, record);
            } else if let Some(rest) = name.strip_prefix(key::PRINTER) {
                let entry: PrinterEntry = records::read(value).ok_or_else(damaged)?;
                node.printers.insert(rest.to_owned(), Printer::new(entry));
            } else if let Some(rest) = name.strip_prefix(key::WORK) {
                works.insert(rest.to_owned(), records::read(value).ok_or_else(damaged)?);
            } else if let Some(rest) = name.strip_prefix(key::ASIDE) {
                let ballot = rest.parse().map_err(|_| damaged())?;
                let work = records::read(value).ok_or_else(damaged)?;
                node.aside.insert(ballot, work);
            } else if let Some(rest) = name.strip_prefix(key::UNSURE) {
                let ballot = rest.parse().map_err(|_| damaged())?;
                let unsure = records::read(value).ok_or_else(damaged)?;
                node.unsure.insert(ballot, unsure);
            } else if let Some(rest) = name.strip_prefix(key::VOTE) {
                let unit = key::parse_vote(rest).ok_or_else(damaged)?;
                votes.push((unit, records::read(value).ok_or_else(damaged)?));
            } else if let Some(rest) = name.strip_prefix(key::CONFIG) {
                let queue: QueueId = rest.parse().map_err(|_| damaged())?;
                configs.push((queue, records::read(value).ok_or_else(damaged)?));
            } else if let Some(rest) = name.strip_prefix(key::HEAL) {
                let unit = key::parse_vote(rest).ok_or_else(damaged)?;
                let record = records::read(value).ok_or_else(damaged)?;
                node.wake_heal(unit, &record);
            } else if let Some(rest) = name.strip_prefix(key::QUARANTINE) {
                let (queue, member) = key::parse_member(rest).ok_or_else(damaged)?;
                let why: Quarantine = records::read(value).ok_or_else(damaged)?;
                quarantined.push((queue, member, why));
            } else if let Some(rest) = name.strip_prefix(key::PROOF) {
                let (queue, member) = key::parse_member(rest).ok_or_else(damaged)?;
                let proof = Equivocation::read(queue, value).ok_or_else(damaged)?;
                proofs.push((queue, member, proof));
            } else if name.starts_with(key::WITHDRAWAL) {
                withdrawals.push(records::read(value).ok_or_else(damaged)?);
            } else if let Some(rest) = name.strip_prefix(key::REQUEST) {
                let (queue, id) = rest.split_once('/').ok_or_else(damaged)?;
                let queue = queue.parse().map_err(|_| damaged())?;
                let record = records::read(value).ok_or_else(damaged)?;
                requests.push((queue, id.to_owned(), record));
            } else if let Some(rest) = name.strip_prefix(key::PEER) {
                let record = records::read(value).ok_or_else(damaged)?;
                let peer = Peer {
                    record,
                    ..Peer::default()
                };
                node.peers
                    .insert(rest.parse().map_err(|_| damaged())?, peer);
            } else if epochs.take(&name, value).ok_or_else(damaged)? {
                // What is left of earlier epochs.
            } else if let Some(rest) = name.strip_prefix(key::HEAT) {
                let n = rest.parse().map_err(|_| damaged())?;
                let record = records::read(value).ok_or_else(damaged)?;
                node.wake_heat(n, record);
            } else if let Some(rest) = name.strip_prefix(key::USAGE) {
                let id = rest.parse().map_err(|_| damaged())?;
                let usage = records::read(value).ok_or_else(damaged)?;
                node.usages.insert(id, usage);
            } else if let Some(rest) = name.strip_prefix(key::FILE) {
                node.files.insert(rest.parse().map_err(|_| damaged())?);
            } else if let Some(rest) = name.strip_prefix(key::SLICED) {
                let imported = key::parse_import(rest).ok_or_else(damaged)?;
                let sliced = records::read(value).ok_or_else(damaged)?;
                node.sliced.insert(imported, sliced);
            } else if let Some(rest) = name.strip_prefix(key::IMPORT) {
                let path: String = records::read(value).ok_or_else(damaged)?;
                if let Some(imported) = key::parse_import(rest) {
                    node.imports.insert(imported, path);
                } else {
                    let set = key::parse_import_of_set(rest).ok_or_else(damaged)?;
                    nameless.push((name.clone(), set, path));
                }
            }
        }
        node.host = host.ok_or(BootError::NotSetUp)?;
        let clean = node.host.clean;
        node.host.boots += 1;
        node.host.clean = false;
        node.begin_memory();
        let random: [u8; 4] = node.entropy.bytes();
        node.instance = u64::from(node.host.boots) << 32 | u64::from(u32::from_be_bytes(random));
        node.save_host();
        let mut logs = boot.logs;
        for (id, record) in queue_records {
            let author = Author {
                host: me,
                boot: node.instance,
            };
            let log = logs.remove(&id.0).unwrap_or_default();
            let kept = epochs.kept.remove(&id).unwrap_or_default();
            let doc = QueueDocument::load_with(id, author, kept, log)
                .map_err(|source| BootError::Log { queue: id, source })?;
            let mut queue = Queue::new(record, doc);
            queue.epochs = epochs.of(id);
            node.queues.insert(id, queue);
        }
        for ((queue, copy, attempt), vote) in votes {
            if let Some(queue) = node.queues.get_mut(&queue) {
                queue.votes.insert((copy, attempt), vote);
            }
        }
        for (queue, member, why) in quarantined {
            if let Some(queue) = node.queues.get_mut(&queue) {
                if !why.released {
                    queue.doc.quarantine(member);
                }
                queue.quarantined.insert(member, why);
            }
        }
        for (queue, member, proof) in proofs {
            if let Some(queue) = node.queues.get_mut(&queue) {
                queue.proofs.insert(member, proof);
            }
        }
        for (queue, config) in configs {
            if let Some(queue) = node.queues.get_mut(&queue) {
                queue.config = Some(config);
            }
        }
        for queue in node.queues.values_mut() {
            queue.derive_config(me);
        }
        for (old, (job, set), path) in nameless {
            node.name_import(job, set, &path);
            node.write(records::delete(old));
        }
        let unanswered: Vec<Work> = node.aside.values().cloned().collect();
        for work in &unanswered {
            node.ask_about_start(work);
        }
        node.tell_all_unknown();
        node.wake_printers(works, clean);
        node.wake_withdrawals(withdrawals);
        node.wake_requests(requests);
        let queues: Vec<QueueId> = node.queues.keys().copied().collect();
        for queue in queues {
            let snapshot = node.queues[&queue].doc.snapshot();
            let copies: Vec<CopyId> = snapshot.claims.keys().copied().collect();
            node.note_claims(queue, copies.into_iter());
            node.watch_all(queue);
            node.know_lost(queue);
        }
        node.settle();
        let step = std::mem::take(&mut node.out);
        Ok((node, step))
    }

    /// After a start of the daemon: what the journal says, and what nobody can know.
    pub(crate) fn wake_printers(&mut self, works: BTreeMap<String, Work>, clean: bool) {
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in names {
            if let Some(printer) = self.printers.get_mut(&name) {
                // Whatever a real machine did while nobody watched it.
                let unwatched = !clean || !printer.is_simulated();
                if unwatched && printer.entry.bed == Bed::Clear {
                    printer.entry.bed = Bed::Unknown;
                }
                if printer.entry.clearing.take().is_some() {
                    printer.entry.bed = Bed::Unknown;
                }
                let at = printer.entry.at.clone();
                self.effect(Effect::ConnectPrinter {
                    name: name.clone(),
                    at,
                });
            }
            self.save_printer(&name);
        }
        for (name, work) in works {
            if !self.printers.contains_key(&name) || !self.queues.contains_key(&work.queue) {
                self.write(records::delete(key::work(&name)));
                continue;
            }
            let stage = work.stage.clone();
            if let Some(printer) = self.printers.get_mut(&name) {
                printer.work = Some(work.clone());
            }
            match stage {
                Stage::Claiming | Stage::Fetching | Stage::Staged => {
                    self.drop_claim(&name, "its host was restarted");
                }
                // Asked again by `drive`, or set aside until the voters answer.
                Stage::Starting | Stage::Between | Stage::Judging { .. } => {}
                Stage::Running { k, began } => self.lose_sight(&name, &work, k, began),
            }
        }
    }
}
