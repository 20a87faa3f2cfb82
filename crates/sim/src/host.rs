//! One host: a machine with a disk, clocks and power, and the process on it, which may be running, stopped or gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ed25519_dalek::{Signer as _, SigningKey};
use printmesh_node::{Effect, Input, NewJob, Node, Now, Write};
use printmesh_queue::{FileHash, HostId, JobId, QueueId, Signer, Timestamp, Voters};
use printmesh_store::Database;

use crate::{
    disk::Disk,
    history::{Config, Outcome},
    told::Word,
    world::Event,
};

/// 2026-01-01, where the world begins.
const BEGINNING_MS: u64 = 1_767_225_600_000;

/// The rate of a clock that stands still.
pub(crate) const STANDS_PPM: i64 = -1_000_000;

/// A device key that signs.
pub(crate) struct Device(pub(crate) SigningKey);

impl Signer for Device {
    fn host(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

/// The clocks of a machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    /// World time and monotonic time at which the rate was last set.
    anchor: (u64, u64),
    /// Parts per million by which it runs fast.
    pub(crate) drift_ppm: i64,
    /// Milliseconds by which the wall clock is wrong.
    pub(crate) skew_ms: i64,
    /// World time since which the wall clock stands still.
    pub(crate) wall_stands: Option<u64>,
}

impl Clock {
    /// The machine starts: the monotonic clock counts from there.
    pub(crate) fn restart(&mut self, at: u64) {
        self.anchor = (at, 1_000);
    }

    pub(crate) fn set_drift(&mut self, at: u64, ppm: i64) {
        self.anchor = (at, self.mono(at));
        self.drift_ppm = ppm;
    }

    fn mono(&self, at: u64) -> u64 {
        let passed = at.saturating_sub(self.anchor.0);
        let gained = passed as i64 * self.drift_ppm / 1_000_000;
        self.anchor.1 + passed.saturating_add_signed(gained)
    }

    pub(crate) fn now(&self, at: u64) -> Now {
        let wall = BEGINNING_MS + self.wall_stands.unwrap_or(at);
        Now {
            mono_ms: self.mono(at),
            wall: Timestamp(wall.saturating_add_signed(self.skew_ms)),
        }
    }

    /// The wall clock goes on from where it stood: it is late by as long as it stood.
    pub(crate) fn wall_goes_on(&mut self, at: u64) {
        if let Some(since) = self.wall_stands.take() {
            self.skew_ms -= (at - since) as i64;
        }
    }

    /// World time at which the monotonic clock shows `mono`.
    pub(crate) fn when(&self, mono: u64) -> u64 {
        let ahead = mono.saturating_sub(self.anchor.1);
        let rate = (1_000_000 + self.drift_ppm).max(1) as u64;
        self.anchor
            .0
            .saturating_add((u128::from(ahead) * 1_000_000).div_ceil(u128::from(rate)) as u64)
    }
}

/// Where a crash is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    BeforeCommit,
    AfterCommit,
    MidEffects(usize),
}

/// What happens to a host in the very moment of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    Freeze { for_ms: u64 },
    PowerOff { for_ms: u64 },
    Unplug { for_ms: u64 },
}

/// What somebody asked this host for and waits to hear of.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Submit(Box<NewJob>),
    Share,
    TakeOut { job: JobId },
    Copies { job: JobId, copies: u32 },
    Resolve,
    Settings,
    Other,
}

/// How many entries a log has, and their sum.
pub(crate) type LogSum = (u64, [u64; 4]);

/// The daemon.
pub(crate) struct Process {
    pub(crate) node: Node,
    pub(crate) database: Database,
    pub(crate) inbox: VecDeque<Input>,
    /// Writes that are not committed yet.
    pub(crate) writes: Vec<Write>,
    /// When they and the effects were decided, by the monotonic clock.
    pub(crate) decided_ms: u64,
    /// Effects that wait for the commit.
    pub(crate) effects: Vec<Effect>,
    /// A step is being committed or carried out.
    pub(crate) busy: bool,
    /// The disk took the last step's writes not, so far.
    pub(crate) held: bool,
    pub(crate) stopping: bool,
    /// It was a voter when it was told to stop.
    pub(crate) voted: bool,
    /// Printers that were letting others go first when the last step began.
    pub(crate) waited: BTreeSet<String>,
    pub(crate) wake_at: Option<u64>,
    /// World time of the last turn, and how many it has had then.
    pub(crate) turns: (u64, u32),
    /// Printers that its drivers talk to.
    pub(crate) drives: BTreeSet<String>,
    /// Highest fence that each driver has seen.
    pub(crate) fences: BTreeMap<String, u64>,
    /// The changes of each queue at which its reading was held against another host's.
    pub(crate) compared: BTreeMap<[u8; 32], LogSum>,
}

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) id: HostId,
    pub(crate) key: [u8; 32],
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    pub(crate) powered: bool,
    /// SIGSTOP or suspended, by so many nemeses.
    pub(crate) frozen: u32,
    pub(crate) missed: Vec<Event>,
    /// Since when it is suspended; how long it was, until the process has noticed.
    pub(crate) suspended_at: Option<u64>,
    pub(crate) slept_ms: Option<u64>,
    /// Its disk and its key are lost for good.
    pub(crate) destroyed: bool,
    pub(crate) process: Option<Process>,
    /// Number of the process.
    pub(crate) life: u32,
    pub(crate) crash: Option<CrashPoint>,
    /// A crash is due at the n-th commit from now.
    pub(crate) crash_in: Option<(u64, CrashPoint)>,
    /// Commits that it has asked for.
    pub(crate) commits: u64,
    /// What happens when it has asked the voters to let it start.
    pub(crate) trap: Option<Trap>,
    /// Configurations that it has voted in.
    pub(crate) served: BTreeSet<Config>,
    pub(crate) files: BTreeSet<FileHash>,
    /// Files that were submitted here.
    pub(crate) originals: BTreeSet<FileHash>,
    pub(crate) peers: BTreeSet<usize>,
    pub(crate) accepts_joins: bool,
    pub(crate) commands: u64,
    pub(crate) asked: BTreeMap<u64, Asked>,
    /// Every job that somebody at this host was answered with, and how many commits there were by then.
    pub(crate) acknowledged: BTreeMap<JobId, u64>,
    pub(crate) memory: Memory,
    /// A bit of its disk has flipped, and nobody has noticed so far.
    pub(crate) flipped: bool,
    /// What somebody keeps of its disk.
    pub(crate) backup: Option<Backup>,
}

/// A copy of a host's disk, with what the world knew of it then.
pub(crate) struct Backup {
    pub(crate) bytes: Vec<u8>,
    pub(crate) memory: Memory,
    pub(crate) acknowledged: BTreeMap<JobId, u64>,
}

/// What the world remembers of a host's disk: to find what is new on it, and what is missing.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) values: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) commits: u64,
    /// Entries of each log, and a sum over them that does not depend on their order.
    pub(crate) logs: BTreeMap<[u8; 32], LogSum>,
    /// Writes of a commit that did not say that it happened.
    pub(crate) in_flight: Option<Vec<Write>>,
    pub(crate) voters: BTreeMap<QueueId, Voters>,
    pub(crate) outcomes: BTreeMap<(JobId, u32, u32), Outcome>,
    /// Attempts that this host gave up as a voter, with the configuration.
    pub(crate) lost: BTreeSet<(JobId, u32, u32, u32)>,
    /// Attempts that a printer of this host started without the voters, and those that they decided about afterwards.
    pub(crate) without: BTreeSet<((JobId, u32, u32), String)>,
    pub(crate) decided: BTreeSet<(JobId, u32, u32)>,
    /// What somebody has to know, by attempt, and what of it was said.
    pub(crate) known: BTreeSet<(Word, u32)>,
    pub(crate) told: BTreeSet<Word>,
}

impl Memory {
    pub(crate) fn apply(&mut self, writes: &[Write]) {
        self.commits += 1;
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    self.values.insert(key.clone(), value.clone());
                }
                Write::Delete { key } => {
                    self.values.remove(key);
                }
                Write::Append { log, entry } => {
                    let (count, sum) = self.logs.entry(*log).or_default();
                    *count += 1;
                    add(sum, entry);
                }
                Write::Clear { log } => {
                    self.logs.remove(log);
                }
            }
        }
    }
}

pub(crate) fn add(sum: &mut [u64; 4], entry: &[u8]) {
    let hash = blake3::hash(entry);
    for (part, bytes) in sum.iter_mut().zip(hash.as_bytes().chunks_exact(8)) {
        let bytes: [u8; 8] = bytes.try_into().expect("chunks of 8");
        *part = part.wrapping_add(u64::from_be_bytes(bytes));
    }
}

impl Host {
    pub(crate) fn runs(&self) -> bool {
        self.process.is_some() && self.frozen == 0
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.process.as_ref().map(|process| &process.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_still_shows_the_same_and_goes_on_from_there() {
        let mut clock = Clock::default();
        clock.restart(5_000);
        let stood = clock.now(70_000);
        clock.set_drift(70_000, STANDS_PPM);
        clock.wall_stands = Some(70_000);
        assert_eq!(clock.now(400_000), stood);
        clock.set_drift(400_000, 0);
        clock.wall_goes_on(400_000);
        assert_eq!(clock.now(400_000), stood);
        let later = clock.now(401_000);
        assert_eq!(later.mono_ms, stood.mono_ms + 1_000);
        assert_eq!(later.wall.0, stood.wall.0 + 1_000);
    }

    #[test]
    fn a_clock_that_drifts_wakes_when_it_shows_the_time() {
        let mut clock = Clock::default();
        clock.restart(5_000);
        for ppm in [0, 10_000, -300_000, 200] {
            clock.set_drift(70_000, ppm);
            let wanted = clock.now(70_000).mono_ms + 60_000;
            let at = clock.when(wanted);
            assert!(clock.now(at).mono_ms >= wanted, "{ppm}");
            assert!(clock.now(at - 5).mono_ms < wanted, "{ppm}");
        }
    }
}
