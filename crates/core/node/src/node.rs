//! The node as a value: takes inputs one at a time, routes them, and gives out what is to be written and done.
//!
//! Only routes and shared steps live here; each protocol has its own file.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use printmesh_queue::{
    Ballot, CopyId, Edit, Equivocation, FileHash, HostId, JobId, JobState, PrinterId,
    PrinterRecord, QueueDocument, QueueId, SignedChange, Signer, Timestamp, Touched,
};
use printmesh_schedule::{Index, JobStatus, Presence};

use crate::{
    change::Change,
    config::ConfigRecord,
    confirm::Decision,
    effect::{Answer, Effect, Step, Write},
    entropy::Entropy,
    event::Event,
    files::{Fetching, Missing},
    heal::Heal,
    input::{Input, Now},
    join::{Asking, JoinState},
    limits::{BALLOT_MAX, EARLY_MS_MAX},
    memory::Memory,
    message::Message,
    problem::{Code, Problem},
    quarantine::Quarantine,
    records::{
        self, HostRecord, Imported, PeerRecord, PrinterEntry, QueueKind, QueueRecord, Stage, Work,
        key,
    },
    register::{Round, Vote},
    requests::OwnRequest,
    sabotage::Sabotage,
    slice::Sliced,
    speculate::Waiting,
    spools::Usage,
    spread::{Asked, Compare},
    tending::Tending,
    times::lease_ms,
    watch::Watch,
    withdraw::Withdrawal,
};

/// One host's mind.
pub struct Node {
    pub(crate) me: HostId,
    pub(crate) signer: Box<dyn Signer + Send + Sync>,
    pub(crate) entropy: Entropy,
    pub(crate) now: Now,
    pub(crate) host: HostRecord,
    pub(crate) queues: BTreeMap<QueueId, Queue>,
    pub(crate) printers: BTreeMap<String, Printer>,
    pub(crate) peers: BTreeMap<HostId, Peer>,
    pub(crate) discovered: BTreeMap<HostId, Discovered>,
    /// Files in this host's file store.
    pub(crate) files: BTreeSet<FileHash>,
    pub(crate) fetching: BTreeMap<FileHash, Fetching>,
    /// Files that nobody had, and when to ask again.
    pub(crate) missing: BTreeMap<FileHash, Missing>,
    /// What is fetched before it is claimed.
    pub(crate) ahead: crate::prefetch::Ahead,
    /// When it was last looked for whom printers wait.
    pub(crate) persons: crate::person::Persons,
    pub(crate) imports: BTreeMap<Imported, String>,
    pub(crate) importing: BTreeSet<Imported>,
    /// What was made of models.
    pub(crate) sliced: BTreeMap<Imported, Sliced>,
    /// Models that could not be sliced for own printers, and why, since the daemon started.
    pub(crate) unsliced: BTreeMap<(FileHash, PrinterId), String>,
    /// Profiles with which this host slices, each with the printers that it is for.
    pub(crate) slicers: Vec<(String, Vec<String>)>,
    /// Claims in flight, by ballot number; each belongs to a printer of this host.
    pub(crate) rounds: BTreeMap<u64, ClaimRound>,
    /// Starts that the voters have not answered and whose printers do something else meanwhile, by ballot number.
    pub(crate) aside: BTreeMap<u64, Work>,
    /// Prints of which this host lost sight, by ballot number.
    pub(crate) unsure: BTreeMap<u64, records::Unsure>,
    pub(crate) withdrawals: BTreeMap<u64, Withdrawal>,
    /// Prints for which a copy is looked for, by queue, copy and attempt under which they were made.
    pub(crate) heals: BTreeMap<(QueueId, CopyId, u32), Heal>,
    /// What this host asks of others, by queue and its own word.
    pub(crate) requests: BTreeMap<(QueueId, String), OwnRequest>,
    /// When requests for one copy of a printer of this host were first seen; `None` = too long ago.
    pub(crate) matches: BTreeMap<(QueueId, printmesh_queue::RequestId), Option<u64>>,
    /// Moves to this host's local queue that wait for files.
    pub(crate) moves: Vec<crate::relocate::WaitingMove>,
    pub(crate) joins: JoinState,
    pub(crate) asking: BTreeMap<HostId, Asking>,
    /// When the holder of a pending claim was last heard, by queue, copy, attempt.
    pub(crate) heard: BTreeMap<(QueueId, CopyId, u32), Heard>,
    /// Last progress of every printer that this host can see.
    pub(crate) progress: BTreeMap<PrinterId, Progress>,
    /// This start of the daemon, told apart from every other one: no two write under one name.
    pub(crate) instance: u64,
    /// What it said before it can be held against it.
    pub(crate) memory: Memory,
    /// Since when this host has been awake: its start, or its last sleep.
    pub(crate) awake_ms: u64,
    /// Beats since the start.
    pub(crate) beats: u32,
    /// Changes of an epoch after which an admin's host begins the next one.
    pub(crate) epoch_changes: usize,
    pub(crate) stopping: bool,
    /// What prints used up of spools whose stock somebody else keeps, and that has not confirmed it.
    pub(crate) usages: BTreeMap<u64, Usage>,
    /// Spools of which what is known may be old, and why.
    pub(crate) spool_notes: BTreeMap<u32, String>,
    /// Places to heat.
    pub(crate) heat: crate::heat::Heat,
    /// Minutes that the clock on the wall is ahead of UTC, once somebody has said.
    pub(crate) zone_min: Option<i32>,
    /// About to stop: until when it gives its votes away.
    pub(crate) parking_ms: Option<u64>,
    /// Messages to ourselves: this host may be a voter of its own claims.
    pub(crate) inbox: VecDeque<Message>,
    pub(crate) out: Step,
    pub(crate) sent_peers: BTreeMap<HostId, Vec<std::net::SocketAddr>>,
    pub(crate) sent_relays: BTreeMap<HostId, Vec<String>>,
    pub(crate) sent_accept_joins: Option<bool>,
    pub(crate) sent_offer_lan: Option<bool>,
    #[cfg(feature = "sabotage")]
    pub(crate) sabotage: Option<Sabotage>,
}

/// A queue of this host.
pub(crate) struct Queue {
    pub(crate) record: QueueRecord,
    pub(crate) doc: QueueDocument,
    /// Politeness leases of this voter: who beats for a unit, until when.
    pub(crate) leases: BTreeMap<(CopyId, u32), (Ballot, u64)>,
    /// Copies that the voters refused, until when.
    pub(crate) refused: BTreeMap<(CopyId, u32), u64>,
    /// Copies of which voters had not heard: how long this host waited last, and until when that is remembered.
    pub(crate) unheard: BTreeMap<(CopyId, u32), (u64, u64)>,
    pub(crate) votes: BTreeMap<(CopyId, u32), Vote>,
    /// The configuration that this host serves as a voter, or served last.
    pub(crate) config: Option<ConfigRecord>,
    /// A change of the voters that this host sees to.
    pub(crate) change: Option<Change>,
    pub(crate) tending: Tending,
    pub(crate) watch: Watch,
    /// Somebody came in: was an invite used more often than it may be?
    pub(crate) count_invites: bool,
    /// What members were last told that this host has.
    pub(crate) asked: BTreeMap<HostId, Asked>,
    /// How members keep to their pace, since this host started.
    pub(crate) paces: BTreeMap<HostId, crate::pace::Pace>,
    /// Who was a member when this host started, or let it in.
    pub(crate) was_here: BTreeSet<HostId>,
    /// With whom this host compares next what they have.
    pub(crate) compare: Option<Compare>,
    /// What changed since listeners were told last.
    pub(crate) touched: Touched,
    /// What the scheduler asks of the document again and again, as it was before `stale` changed.
    pub(crate) index: Option<Index>,
    pub(crate) stale: Touched,
    /// Members that left and were admitted again; they count until their own change says so.
    pub(crate) readmitted: BTreeSet<HostId>,
    /// Members that were removed just now: until when they are told so.
    pub(crate) parting: BTreeMap<HostId, u64>,
    /// Left just now: until when its members are told so.
    pub(crate) leaving_ms: Option<u64>,
    /// The command to leave that waits until the others have this host's vote.
    pub(crate) handing_over: Option<u64>,
    /// Job states as last told to listeners.
    pub(crate) told_jobs: BTreeMap<JobId, JobStatus>,
    pub(crate) told_printers: BTreeMap<PrinterId, PrinterRecord>,
    /// Since when too few voters can be reached to decide anything.
    pub(crate) alone_ms: Option<u64>,
    /// Since when enough of them can be.
    pub(crate) here_ms: Option<u64>,
    /// Listeners were told that printers go on without the voters.
    pub(crate) goes_on: bool,
    /// Voters of the configuration with this number that have forgotten what they decided.
    pub(crate) forgetful: (u32, BTreeSet<HostId>),
    /// Voters of the configuration with this number that said that another one came after it, and the number that they serve
    /// or served last.
    pub(crate) passed: (u32, BTreeMap<HostId, u32>),
    /// Hosts of which nothing is taken until a person says otherwise.
    pub(crate) quarantined: BTreeMap<HostId, Quarantine>,
    /// Members that signed two histories.
    pub(crate) proofs: BTreeMap<HostId, Equivocation>,
    /// Who was told of whose proof since the daemon started.
    pub(crate) told_proofs: BTreeSet<(HostId, HostId)>,
    /// Claims of this host that need the voters' word.
    pub(crate) loose: BTreeSet<(CopyId, u32)>,
    /// On the way to another epoch, and what is left of the ones before.
    pub(crate) epochs: crate::epochs::Epochs,
}

/// A printer of this host.
pub(crate) struct Printer {
    pub(crate) entry: PrinterEntry,
    pub(crate) online: bool,
    pub(crate) offline_note: Option<String>,
    pub(crate) work: Option<Work>,
    /// What its claim rests on.
    pub(crate) decision: Decision,
    pub(crate) began: bool,
    /// °C of its bed, as the machine said last while it rested.
    pub(crate) bed_c: Option<i64>,
    /// It was asked, since this host started, what it does: what it heated before is known.
    pub(crate) heat_known: bool,
    /// The run that its driver was told to stop.
    pub(crate) told_to_stop: Option<u32>,
    /// For whom it waits now, where that is not what people were told, and since when.
    pub(crate) untold: Option<(Option<String>, u64)>,
    /// When its claim is to be heard of next.
    pub(crate) beat_at_ms: u64,
    /// When a claim without the voters was made known.
    pub(crate) told_ms: u64,
    /// For whom it makes way, by queue.
    pub(crate) waiting: BTreeMap<QueueId, Waiting>,
}

pub(crate) struct ClaimRound {
    pub(crate) printer: String,
    pub(crate) queue: QueueId,
    pub(crate) round: Round,
    pub(crate) deadline_ms: u64,
}

#[derive(Default)]
pub(crate) struct Peer {
    /// It has said, since this host started, what it remembers of it.
    pub(crate) vouched: bool,
    pub(crate) record: PeerRecord,
    pub(crate) connected: bool,
    /// From where it came; not known over a relay.
    pub(crate) came_from: Option<std::net::SocketAddr>,
    pub(crate) note: Option<String>,
    /// What it sent that none of ours sends.
    pub(crate) complaints: u64,
    pub(crate) incompatible: bool,
    /// Since when it is connected, or is not.
    pub(crate) since_ms: Option<u64>,
}

pub(crate) struct Discovered {
    pub(crate) addresses: Vec<std::net::SocketAddr>,
    pub(crate) offers_lan: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) ballot: Ballot,
    pub(crate) at_ms: u64,
}

/// How far a printer is, as last heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The queue.
    pub queue: QueueId,
    /// The copy.
    pub copy: CopyId,
    /// 0 to 1.
    pub fraction: Option<f32>,
    /// Seconds left.
    pub left_s: Option<u64>,
    /// When that was heard.
    pub(crate) heard_ms: u64,
    /// When the members were told last.
    pub(crate) told_ms: Option<u64>,
}

impl Node {
    /// Takes one input; everything that follows from it is in the step.
    pub fn handle(&mut self, now: Now, input: Input) -> Step {
        let overslept = self.overslept(now.mono_ms);
        self.now = now;
        self.memory.begin_step();
        self.persons.heard(&input, now.mono_ms);
        if let Some(ms) = overslept {
            self.slept(ms);
        }
        match input {
            Input::Command { id, command } => self.command(id, command),
            Input::PeerConnected {
                host,
                software,
                address,
            } => {
                self.peer_connected(host, software, address);
            }
            Input::PeerIncompatible {
                host,
                software,
                note,
            } => {
                self.peer_incompatible(host, software, note);
            }
            Input::PeerDisconnected { host, reason } => self.peer_disconnected(host, reason),
            Input::Message { from, bytes } => match Message::decode(&bytes) {
                Some(message) => self.message(from, message),
                None => self.complain(from, "sent a message that cannot be read"),
            },
            Input::JoinOpened {
                conversation,
                peer,
                exporter,
                attempt,
            } => {
                self.join_opened(conversation, peer, exporter, attempt);
            }
            Input::JoinMessage {
                conversation,
                bytes,
            } => self.join_message(conversation, &bytes),
            Input::JoinClosed {
                conversation,
                attempt_failed,
                reason,
            } => {
                self.join_closed(conversation, attempt_failed, &reason);
            }
            Input::Discovered {
                host,
                addresses,
                offers_lan,
            } => {
                self.discovered(host, addresses, offers_lan);
            }
            Input::Vanished { host } => {
                self.discovered.remove(&host);
            }
            Input::FileAdded { hash } => self.file_is_here(hash),
            Input::FileLost { hash } => self.file_is_lost(hash),
            Input::FetchProgress { hash, done, total } => self.fetch_progress(hash, done, total),
            Input::Fetched { hash, result } => self.fetched(hash, result),
            Input::Imported {
                job,
                set,
                hash,
                result,
            } => self.imported((job, set, hash), result),
            Input::Sliced {
                job,
                set,
                hash,
                result,
            } => self.sliced((job, set, hash), result),
            Input::Slicers(slicers) => self.slice_with(slicers),
            Input::PrinterTried {
                id,
                name,
                at,
                result,
            } => {
                self.printer_tried(id, &name, &at, result);
            }
            Input::Spool { spool, result } => self.spool_seen(spool, result),
            Input::SpoolUsed { id, result } => self.spool_used(id, result),
            Input::Zone { minutes } => self.set_zone(minutes),
            Input::Printer { name, report } => self.printer_report(&name, report),
            Input::Slept { ms } if overslept.is_none() => self.slept(ms),
            Input::Slept { .. } | Input::Wake => {}
            Input::ShuttingDown => self.shut_down(),
        }
        self.settle();
        std::mem::take(&mut self.out)
    }

    /// Names a peer that does what none of ours does, less and less often: nobody fills the log.
    pub(crate) fn complain(&mut self, from: HostId, what: &'static str) {
        let peer = self.peers.entry(from).or_default();
        peer.complaints += 1;
        let count = peer.complaints;
        if count.is_power_of_two() {
            tracing::warn!(peer = %from, count, what, "skipped what a peer sent");
        }
    }

    /// Lets everything follow until nothing changes any more.
    pub(crate) fn settle(&mut self) {
        #[cfg(feature = "sabotage")]
        let mut said = 0;
        // Each turn either empties the inbox or moves a printer or a round one stage on; stages are finite.
        loop {
            while let Some(message) = self.inbox.pop_front() {
                // A deliberate bug can make a host talk to itself for ever: found, not waited for.
                #[cfg(feature = "sabotage")]
                {
                    said += 1;
                    assert!(said < 100_000, "it does not come to rest");
                }
                self.message(self.me, message);
            }
            self.expire();
            self.count_invites();
            // First, so that a printer is chosen for by what it is now.
            self.publish();
            self.tend_voters();
            self.tend_epochs();
            let moved = self.drive_joins()
                | self.drive_moves()
                | self.drive_printers()
                | self.drive_heat()
                | self.drive_heals()
                | self.drive_requests();
            if !moved && self.inbox.is_empty() {
                break;
            }
        }
        self.publish_decided();
        self.prefetch();
        self.beat();
        self.tell_persons();
        self.tell_changes();
        self.tell_network();
        self.tell_memories();
        self.save_memories();
    }

    /// Returns when `Input::Wake` is wanted at the latest, by the monotonic clock.
    pub fn next_wakeup(&self) -> Option<u64> {
        let rounds = self.rounds.values().map(|round| round.deadline_ms);
        let withdrawals = self
            .withdrawals
            .values()
            .map(|withdrawal| withdrawal.deadline_ms);
        let queues = self.queues.values().filter(|queue| !queue.record.left);
        let refused = queues.flat_map(|queue| queue.refused.values().copied());
        let missing = self.missing.values().map(|missing| missing.again_ms);
        let leases = self
            .heard
            .iter()
            .filter(|(_, heard)| heard.ballot.host != self.me)
            .map(|((queue, _, _), heard)| heard.at_ms + self.lease_ms(*queue));
        let confirmations = self.printers.values().flat_map(|p| p.decision.wakeups());
        rounds
            .chain(withdrawals)
            .chain(self.requests_wakeup())
            .chain(refused)
            .chain(missing)
            .chain(self.beat_wakeup())
            .chain(self.watch_wakeup())
            .chain(leases.filter(|at| *at > self.now.mono_ms))
            .chain(confirmations.filter(|at| *at > self.now.mono_ms))
            .chain(self.joins.next_wakeup())
            .chain(self.without_wakeup())
            .chain(self.heal_wakeup())
            .chain(self.tending_wakeups())
            .chain(self.queues.values().filter_map(|queue| queue.leaving_ms))
            .chain(self.parting_wakeups())
            .chain(self.early_wakeup())
            .chain(self.quiet_wakeup())
            .chain(self.heat_wakeup())
            .chain(self.compare_wakeup())
            .chain(self.epoch_wakeups())
            .chain(self.pace_wakeups())
            .chain(self.prefetch_wakeup())
            .chain(self.persons_wakeup())
            .filter(|at| *at != u64::MAX)
            .min()
    }

    /// When the first job may start that a person wants to start later. The wall clock may be set meanwhile: then this is
    /// asked again.
    fn early_wakeup(&self) -> Option<u64> {
        let wall = self.now.wall;
        let queues = self.queues.values().filter(|queue| !queue.record.left);
        let jobs = queues.flat_map(|queue| queue.doc.snapshot().jobs.values());
        let early = jobs
            .filter(|job| job.state == JobState::Open)
            .filter_map(|job| job.terms.not_before.filter(|at| *at > wall));
        let wait_ms = early.min()?.0 - wall.0;
        Some(self.now.mono_ms.saturating_add(wait_ms.min(EARLY_MS_MAX)))
    }

    /// What the scheduler asks of a queue's document, up to date.
    pub(crate) fn refresh_index(&mut self, queue: QueueId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let stale = std::mem::take(&mut entry.stale);
        let snapshot = entry.doc.snapshot();
        match &mut entry.index {
            Some(index) if stale.is_empty() => _ = index,
            Some(index) => index.update(snapshot, &stale),
            None => entry.index = Some(Index::new(snapshot)),
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.out.effects.push(effect);
    }

    pub(crate) fn write(&mut self, write: Write) {
        let votes = matches!(&write, Write::Put { key, .. } if key::is_vote(key));
        self.out.writes.push(write);
        if votes {
            self.remember();
        }
    }

    pub(crate) fn reply(&mut self, id: u64, result: Result<Answer, Problem>) {
        self.effect(Effect::Reply { id, result });
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.effect(Effect::Tell(event));
    }

    pub(crate) fn save_host(&mut self) {
        let mut record = self.host.clone();
        if self.sabotaged(Sabotage::VolatileBallot) {
            record.ballot = 0;
        }
        let write = records::put(key::HOST.to_owned(), &record);
        self.write(write);
    }

    /// Draws a ballot number; durable with the step that uses it, so before anybody hears of it.
    pub(crate) fn next_ballot(&mut self, above: u64) -> u64 {
        let above = if above < BALLOT_MAX { above } else { 0 };
        self.host.ballot = self.host.ballot.max(above) + 1;
        self.save_host();
        self.host.ballot
    }

    pub(crate) fn job_id(&mut self) -> JobId {
        JobId(self.entropy.bytes())
    }

    /// Sends a message to a member, or to ourselves.
    pub(crate) fn send(&mut self, to: HostId, message: Message) {
        if to == self.me {
            self.inbox.push_back(message);
        } else if self.peers.get(&to).is_some_and(|peer| peer.connected) {
            self.effect(Effect::Send {
                to,
                bytes: message.encode(),
            });
        }
    }

    /// Edits a queue's document: one signed change, durable with this step, pushed to the members after it.
    pub(crate) fn edit<T>(
        &mut self,
        queue: QueueId,
        f: impl FnOnce(&mut Edit<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return Err(Problem::new(Code::QueueUnknown, "this queue is gone"));
        };
        let (value, change) = entry.doc.edit(self.now.wall, &*self.signer, f)?;
        if let Some(change) = change {
            self.out.writes.push(Write::Append {
                log: queue.0,
                entry: change.to_bytes(),
            });
            let touched = entry.doc.take_touched();
            self.note_touched(queue, touched);
            self.spread(queue, &[change], &BTreeSet::new());
        }
        Ok(value)
    }

    /// Like [`Node::edit`] for edits of our own facts, which the document never refuses.
    pub(crate) fn record(&mut self, queue: QueueId, f: impl FnOnce(&mut Edit<'_>)) {
        let done = self.edit(queue, |edit| {
            f(edit);
            Ok(())
        });
        if let Err(problem) = done
            && !self.is_removed(queue)
        {
            tracing::error!(%queue, %problem, "a fact of this host did not get into the document");
        }
    }

    /// What this host sees of a queue's members right now.
    pub(crate) fn presence(&self, queue: QueueId) -> Presence {
        self.presence_when(queue, self.now.mono_ms)
    }

    /// The same for a time at which nothing happened yet.
    pub(crate) fn presence_when(&self, queue: QueueId, now_ms: u64) -> Presence {
        let mut presence = Presence::alone(self.me);
        let passed_ms = now_ms.saturating_sub(self.now.mono_ms);
        presence.now = Timestamp(self.now.wall.0.saturating_add(passed_ms));
        presence.reachable.extend(
            self.peers
                .iter()
                .filter(|(_, p)| p.connected)
                .map(|(h, _)| *h),
        );
        presence.missing.extend(self.missing.keys());
        presence.unsliced.clone_from(&self.unsliced);
        let working = self
            .printers
            .iter()
            .filter(|(_, printer)| printer.work.is_some());
        presence
            .busy
            .extend(working.map(|(name, _)| self.printer_id(name)));
        // Their records are not visible before the voters have promised.
        let works = self.printers.values().filter_map(|p| p.work.as_ref());
        let here = works.filter(|work| work.queue == queue && work.stage == Stage::Claiming);
        presence
            .claiming
            .extend(here.map(|work| (work.copy, work.attempt)));
        if let Some(entry) = self.queues.get(&queue) {
            presence.refused.extend(entry.refused.keys());
            presence.mute.extend(entry.forgetful(self.me));
            presence.mute.extend(entry.passed());
            // Nobody claims before the voters had their say about what this host has claimed before.
            let silent = self.peers.iter().filter(|(_, peer)| !peer.vouched);
            presence.mute.extend(silent.map(|(host, _)| *host));
            let alone_ms = entry.alone_ms;
            presence.voters_away_ms = alone_ms.map(|at| now_ms.saturating_sub(at));
        }
        let gone = self.peers.iter().filter(|(_, peer)| !peer.connected);
        presence.gone_ms.extend(
            gone.filter_map(|(host, peer)| Some((*host, now_ms.saturating_sub(peer.since_ms?)))),
        );
        let aside = self.aside.values().filter(|work| work.queue == queue);
        presence
            .set_aside
            .extend(aside.map(|work| ((work.copy, work.attempt), work.ballot.printer.clone())));
        let silent = self.heard.iter().filter(|((q, _, _), heard)| {
            *q == queue
                && heard.ballot.host != self.me
                && self.now.mono_ms >= heard.at_ms + self.lease_ms(queue)
        });
        presence
            .lapsed
            .extend(silent.map(|((_, copy, attempt), _)| (*copy, *attempt)));
        presence
    }

    /// How long a silent claim of a queue is respected.
    pub(crate) fn lease_ms(&self, queue: QueueId) -> u64 {
        let entry = self.queues.get(&queue);
        entry.map_or(0, |entry| lease_ms(&entry.doc.snapshot().settings))
    }

    pub(crate) fn printer_id(&self, name: &str) -> PrinterId {
        PrinterId {
            host: self.me,
            name: name.to_owned(),
        }
    }

    /// Queues of this host that it has not left, in its order.
    pub(crate) fn queues_in_order(&self) -> Vec<QueueId> {
        let mut ids: Vec<(u32, QueueId)> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.record.left)
            .map(|(id, queue)| (queue.record.position, *id))
            .collect();
        ids.sort();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    /// Drops what has run out of time.
    fn expire(&mut self) {
        let now = self.now.mono_ms;
        for queue in self.queues.values_mut() {
            queue.refused.retain(|_, until| *until > now);
            queue.unheard.retain(|_, (_, until)| *until > now);
            queue.parting.retain(|_, until| *until > now);
            queue.leaving_ms = queue.leaving_ms.filter(|until| *until > now);
        }
        self.note_voters();
        self.ask_for_missing();
        self.expire_rounds();
        self.expire_withdrawals();
        self.expire_requests();
        self.expire_joins();
        self.watch_contact();
        self.give_up_silent();
        self.take_waiting();
        self.compare();
    }

    fn shut_down(&mut self) {
        self.stopping = true;
        self.begin_parking();
        self.give_back_claims();
        self.host.clean = true;
        self.save_host();
    }
}

impl Queue {
    pub(crate) fn new(record: QueueRecord, doc: QueueDocument) -> Self {
        let members = doc.snapshot().members.keys();
        let was_here = members.chain(&record.introduced_by).copied().collect();
        Self {
            record,
            doc,
            paces: BTreeMap::new(),
            was_here,
            leases: BTreeMap::new(),
            refused: BTreeMap::new(),
            unheard: BTreeMap::new(),
            votes: BTreeMap::new(),
            config: None,
            change: None,
            tending: Tending::default(),
            watch: Watch::default(),
            count_invites: false,
            asked: BTreeMap::new(),
            touched: Touched::default(),
            index: None,
            stale: Touched::default(),
            readmitted: BTreeSet::new(),
            parting: BTreeMap::new(),
            leaving_ms: None,
            compare: None,
            handing_over: None,
            told_jobs: BTreeMap::new(),
            told_printers: BTreeMap::new(),
            alone_ms: None,
            here_ms: None,
            goes_on: false,
            forgetful: Default::default(),
            passed: Default::default(),
            quarantined: BTreeMap::new(),
            proofs: BTreeMap::new(),
            told_proofs: BTreeSet::new(),
            loose: BTreeSet::new(),
            epochs: crate::epochs::Epochs::default(),
        }
    }

    /// The host that admitted us: known before the document is.
    pub(crate) fn introducer(&self) -> Option<HostId> {
        let members = &self.doc.snapshot().members;
        let removed = |host: &HostId| members.get(host).is_some_and(|member| member.is_removed());
        self.record.introduced_by.filter(|host| !removed(host))
    }

    /// Its name on this host.
    pub(crate) fn name(&self) -> String {
        let shared = &self.doc.snapshot().name;
        match (&self.record.alias, self.record.kind) {
            (_, QueueKind::Local) => "local".to_owned(),
            (Some(alias), QueueKind::Network) => alias.clone(),
            (None, QueueKind::Network) if shared.is_empty() => self.record.joined_as.clone(),
            (None, QueueKind::Network) => shared.clone(),
        }
    }
}

pub(crate) type Changes = [Arc<SignedChange>];
