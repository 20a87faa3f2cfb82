//! What can be read from a node, for whoever renders it. Reading changes nothing and asks nobody.

use std::{collections::BTreeMap, net::SocketAddr, ops::Bound};

use printmesh_queue::{
    Bed, ClaimState, Equipment, FileHash, HostId, Job, JobId, JobState, PrinterId, QueueId,
    RunResult, SetId, Snapshot, Timestamp,
};
use printmesh_schedule::{Presence, file_of};

use crate::{
    cycle::Cycle,
    input::Now,
    join::Asking,
    node::{Node, Progress},
    problem::Problem,
    records::{QueueKind, Stage},
};

/// A queue of this host, as it may be read.
#[derive(Clone, Copy)]
pub struct QueueView<'a> {
    /// Its id.
    pub id: QueueId,
    /// What it says.
    pub snapshot: &'a Snapshot,
    /// Whether it is this host's own.
    pub local: bool,
    /// Whether this host holds its key.
    pub holds_key: bool,
    /// Place in the host's order, from 0.
    pub position: u32,
    /// Number of its epoch, from 0.
    pub epoch: u64,
    /// Changes since the epoch began.
    pub changes: usize,
}

/// A member as this host met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Connected right now.
    pub connected: bool,
    /// Speaks a version that this host does not.
    pub incompatible: bool,
    /// Address of the connection, or the last one; none of a connection over a relay.
    pub address: Option<SocketAddr>,
    /// Software version.
    pub software: Option<String>,
    /// When it was last met.
    pub last_seen: Option<Timestamp>,
    /// Why it is not connected.
    pub note: Option<String>,
}

/// A printer of this host, as only this host can see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPrinter {
    /// Address.
    pub at: String,
    /// Whether it answers.
    pub online: bool,
    /// Why not.
    pub offline_note: Option<String>,
    /// Bed.
    pub bed: Bed,
    /// What it is and has.
    pub equipment: Equipment,
    /// What happens between two prints.
    pub cycle: Cycle,
    /// Why what is loaded may be old news.
    pub spool_note: Option<String>,
    /// Copy that it works on, with a word for how far it is.
    pub work: Option<(QueueId, JobId, u32, &'static str)>,
}

/// One ended print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The queue's name on this host.
    pub queue: String,
    /// The job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// The copy, from 0.
    pub copy: u32,
    /// File that was printed.
    pub file_name: String,
    /// The printer.
    pub printer: PrinterId,
    /// Name of its host.
    pub host_name: String,
    /// How it ended.
    pub result: RunResult,
    /// Why not good.
    pub note: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// What is said of an attempt that the voters gave up.
pub const LOST: &str = "given up: its host was not heard of for too long";

/// Returns the word for a claim's state.
pub fn claim_word(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Claimed => "claimed",
        ClaimState::Fetching => "fetching",
        ClaimState::Staged => "staged",
        ClaimState::Dropped => "given-back",
        ClaimState::Started => "started",
        ClaimState::Printing => "printing",
        ClaimState::Unknown => "unknown",
        ClaimState::Finished => "finished",
        ClaimState::Failed => "failed",
        ClaimState::Released => "released",
        ClaimState::Credited => "credited",
        ClaimState::Surplus => "surplus",
    }
}

/// Returns the jobs that `jobs` lists without `--all`, in the queue's order: not done, not cancelled, not moved.
pub fn listed_jobs(snapshot: &Snapshot) -> Vec<&Job> {
    let mut jobs = snapshot.jobs_in_order();
    jobs.retain(|job| !printmesh_schedule::job_status(snapshot, job).is_over());
    jobs
}

impl Node {
    /// Returns this host's key.
    pub fn me(&self) -> HostId {
        self.me
    }

    /// Returns this host's name.
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// Returns the queues that this host has not left, in its order, with their names here.
    pub fn queues(&self) -> Vec<(String, QueueView<'_>)> {
        let mut names = self.queue_names();
        self.queues_in_order()
            .into_iter()
            .map(|id| (names.remove(&id).unwrap_or_default(), self.queue_view(id)))
            .collect()
    }

    /// Returns one queue.
    ///
    /// # Panics
    /// When the id is not one of this node's: ids come from this node's own answers.
    pub fn queue_view(&self, id: QueueId) -> QueueView<'_> {
        let queue = &self.queues[&id];
        QueueView {
            id,
            snapshot: queue.doc.snapshot(),
            local: queue.record.kind == QueueKind::Local,
            holds_key: queue.record.key.is_some(),
            position: queue.record.position,
            epoch: queue.doc.epoch().number,
            changes: queue.doc.changes_of_epoch(),
        }
    }

    /// Returns what a queue's document says, without what only this host knows of earlier epochs.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn shared_view(&self, id: QueueId) -> std::borrow::Cow<'_, Snapshot> {
        self.queues[&id].doc.shared()
    }

    /// Returns what this host sees of a queue's members at a time at which nothing happened yet.
    pub fn presence_at(&self, queue: QueueId, now: Now) -> Presence {
        self.presence_when(queue, now.mono_ms)
    }

    /// Returns what this host sees of a queue's members right now.
    pub fn presence_in(&self, queue: QueueId) -> Presence {
        self.presence(queue)
    }

    /// Returns the relays over which a person at this host agreed to meet the members of a queue, as URLs.
    ///
    /// # Errors
    /// `queue.unknown`.
    pub fn relays_of(&self, queue: &str) -> Result<&[String], Problem> {
        let id = self.queue_named(queue)?;
        Ok(&self.queues[&id].record.relays)
    }

    /// Returns how this host last met another.
    pub fn link(&self, host: HostId) -> Link {
        let peer = self.peers.get(&host);
        Link {
            connected: host == self.me || peer.is_some_and(|peer| peer.connected),
            incompatible: peer.is_some_and(|peer| peer.incompatible),
            address: peer.and_then(|peer| match peer.connected {
                true => peer.came_from,
                false => peer.record.addresses.first().copied(),
            }),
            software: peer.and_then(|peer| peer.record.software.clone()),
            last_seen: peer.and_then(|peer| peer.record.last_seen),
            note: peer.and_then(|peer| peer.note.clone()),
        }
    }

    /// Returns the hosts that ask to join, each with its comparison code.
    pub fn asking(&self) -> impl Iterator<Item = (HostId, &Asking)> {
        self.asking.iter().map(|(host, asking)| (*host, asking))
    }

    /// Returns what only this host knows of its printers.
    pub fn own_printers_view(&self) -> BTreeMap<&str, OwnPrinter> {
        let view = self.printers.iter().map(|(name, printer)| {
            let own = OwnPrinter {
                at: printer.entry.at.clone(),
                online: printer.online,
                offline_note: printer.offline_note.clone(),
                bed: printer.entry.bed,
                equipment: printer.entry.equipment.clone(),
                cycle: printer.entry.cycle.clone(),
                spool_note: printer.entry.equipment.slots.iter().find_map(|slot| {
                    let spool = slot.spool?;
                    let note = self.spool_note(spool)?;
                    Some(format!("spool {spool} as it was known last: {note}"))
                }),
                work: printer.work.as_ref().map(|work| {
                    let word = match work.stage {
                        Stage::Claiming | Stage::Staged | Stage::Starting => "claimed",
                        Stage::Fetching => "fetching",
                        Stage::Between => "between",
                        Stage::Running { .. } => "printing",
                        Stage::Judging { .. } => "judging",
                    };
                    (work.queue, work.copy.job, work.copy.index, word)
                }),
            };
            (name.as_str(), own)
        });
        view.collect()
    }

    /// Returns how far a printer is, as last heard.
    pub fn progress_of(&self, printer: &PrinterId) -> Option<Progress> {
        self.progress.get(printer).copied()
    }

    /// Returns whether this host has a file.
    pub fn has_file(&self, hash: FileHash) -> bool {
        self.files.contains(&hash)
    }

    /// Returns where one of a set's files lies in the imports folder, or what was sliced of it.
    pub fn import_path(&self, job: JobId, set: SetId, file: FileHash) -> Option<&str> {
        let imported = (job, set, file);
        let sliced = self.sliced_of(imported).map(|sliced| &sliced.path);
        sliced.or(self.imports.get(&imported)).map(String::as_str)
    }

    /// Returns every printer that this host can see, with its full name `host/name`.
    pub fn visible_printers(&self) -> BTreeMap<PrinterId, String> {
        let mut found = BTreeMap::new();
        for id in self.queues_in_order() {
            let snapshot = self.queues[&id].doc.snapshot();
            for (printer, _) in snapshot.present_printers() {
                let full = format!("{}/{}", snapshot.host_name(printer.host), printer.name);
                found.insert(printer.clone(), full);
            }
        }
        found
    }

    /// Returns a host's name as its queues have it.
    pub fn visible_host_name(&self, host: HostId) -> String {
        if host == self.me {
            return self.host.name.clone();
        }
        let snapshots = self.queues.values().map(|queue| queue.doc.snapshot());
        let mut members = snapshots.filter_map(|snapshot| snapshot.members.get(&host));
        members
            .next()
            .map_or_else(|| host.fingerprint(), |member| member.name.clone())
    }

    /// Returns the length of the shortest prefix that names a job on this host.
    pub fn unique_prefix(&self, job: JobId) -> usize {
        let text = job.to_string();
        let common = |other: &JobId| {
            let other = other.to_string();
            let both = text.bytes().zip(other.bytes());
            both.take_while(|(a, b)| a == b).count() + 1
        };
        // Ids are written digit by digit, so the neighbours in their order are the ones with the longest common start.
        let neighbours = self.queues.values().flat_map(|queue| {
            let jobs = &queue.doc.snapshot().jobs;
            let before = jobs.range(..job).next_back();
            let after = jobs.range((Bound::Excluded(job), Bound::Unbounded)).next();
            before.into_iter().chain(after).map(|(id, _)| id)
        });
        neighbours.map(common).max().unwrap_or(1)
    }

    /// Returns every print that has ended, of all queues that this host ever had, newest first.
    pub fn history(&self) -> Vec<HistoryEntry> {
        let names = self.queue_names();
        let mut rows = Vec::new();
        for (id, queue) in &self.queues {
            let snapshot = queue.doc.snapshot();
            let queue_name = names.get(id).cloned().unwrap_or_else(|| queue.name());
            for (copy, claims) in &snapshot.claims {
                let Some(job) = snapshot.jobs.get(&copy.job) else {
                    continue;
                };
                // What counts for another copy is listed there.
                let here =
                    |claim: &&printmesh_queue::Claim| claim.record.state != ClaimState::Credited;
                for claim in claims.values().filter(here) {
                    // Of a print that was given up nobody knows how it ended, unless its printer says so in the end.
                    let lost = snapshot.is_lost(*copy, claim.attempt);
                    let ended = claim
                        .runs
                        .values()
                        .filter(|run| lost || run.result != RunResult::Started);
                    let printer = PrinterId {
                        host: claim.host,
                        name: claim.record.printer.clone(),
                    };
                    rows.extend(ended.map(|run| {
                        let silent = run.result == RunResult::Started;
                        HistoryEntry {
                            queue: queue_name.clone(),
                            job: job.id,
                            job_name: job.name.clone(),
                            copy: copy.index,
                            file_name: file_of(snapshot, job.id, run.set, &printer)
                                .map_or_else(String::new, |file| file.name.clone()),
                            printer: printer.clone(),
                            host_name: snapshot.host_name(claim.host),
                            result: if silent {
                                RunResult::Unknown
                            } else {
                                run.result
                            },
                            note: if silent {
                                Some(LOST.to_owned())
                            } else {
                                run.note.clone()
                            },
                            started: run.started,
                            ended: run.ended,
                        }
                    }));
                }
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse((row.ended, row.started)));
        rows
    }

    /// Returns the job that a job was moved to, when this host can see it.
    pub fn moved_to(&self, job: &Job) -> Option<JobId> {
        match job.state {
            JobState::Moved { to, .. } => Some(to),
            JobState::Open | JobState::Cancelled { .. } => None,
        }
    }
}
