//! What one member may still do in one queue, and what of it waits.

use std::collections::{BTreeSet, VecDeque};

use printmesh_queue::{ChangeHash, EpochHash, EpochId, HostId, SignedChange, VersionVector};

use crate::{
    bucket::Bucket,
    limits::{
        ANSWER_BYTES, ANSWER_BYTES_PER_S, BROUGHT_BURST, BROUGHT_PER_S, CHAIN_BURST, CHAIN_COST,
        CHAIN_PER_S, DAY_BYTES, DAY_BYTES_PER_S, PACE_AWAY, PACE_BURST, PACE_BYTES, PACE_MS,
        PACE_PER_S, REGISTERS_BURST, REGISTERS_PER_S, TELL_BURST, TELL_PER_S, UNITS_BURST,
        UNITS_PER_S,
    },
    message::Tag,
};

/// What a member asked for and is told later.
#[derive(Clone, Debug)]
pub(crate) enum Owed {
    /// What it lacks, by what it said that it has.
    Changes(EpochId, VersionVector),
    /// What an epoch begins with.
    Founding(EpochHash),
}

/// How a member keeps to its pace in one queue.
pub(crate) struct Pace {
    /// Changes that it may still write now.
    pub(super) changes: Bucket,
    /// Bytes of changes that it may still write today.
    pub(super) day: Bucket,
    /// What is left for starts of its daemon that nobody has heard of: each is a line in every vector.
    pub(super) chains: Bucket,
    /// Changes of others that it may still bring.
    pub(super) brought: Bucket,
    /// Copies that it may still ask this voter about.
    pub(super) units: Bucket,
    /// Copies of which this voter may still be asked for the first time: what it answers, it keeps.
    pub(super) registers: Bucket,
    /// Bytes of changes that it may still ask for.
    pub(super) answers: Bucket,
    /// Refusals that are still told one by one.
    pub(super) refusals: Bucket,
    pub(super) waiting: VecDeque<SignedChange>,
    pub(super) names: BTreeSet<ChangeHash>,
    pub(super) bytes: usize,
    /// Some found no room.
    pub(super) more: bool,
    /// Whom it said that it sees to, last.
    pub(super) also: Vec<Tag>,
    pub(super) owed: Option<Owed>,
    pub(super) told_ms: Option<u64>,
    /// When what waits was looked at last.
    pub(super) served_ms: u64,
}

impl Pace {
    /// A member that was one when this host started may bring what it wrote meanwhile.
    pub(crate) fn new(now_ms: u64, was_here: bool) -> Self {
        let content = if was_here { PACE_AWAY } else { PACE_BURST };
        Self {
            changes: Bucket::new(now_ms, content),
            day: Bucket::new(now_ms, DAY_BYTES),
            chains: Bucket::new(now_ms, CHAIN_BURST * CHAIN_COST),
            brought: Bucket::new(now_ms, BROUGHT_BURST),
            units: Bucket::new(now_ms, UNITS_BURST),
            registers: Bucket::new(now_ms, REGISTERS_BURST),
            answers: Bucket::new(now_ms, ANSWER_BYTES),
            refusals: Bucket::new(now_ms, TELL_BURST),
            waiting: VecDeque::new(),
            names: BTreeSet::new(),
            bytes: 0,
            more: false,
            also: Vec::new(),
            owed: None,
            told_ms: None,
            served_ms: now_ms,
        }
    }

    pub(super) fn fill(&mut self, now_ms: u64) {
        self.changes.fill(now_ms, PACE_PER_S, PACE_BURST);
        self.day.fill(now_ms, DAY_BYTES_PER_S, DAY_BYTES);
        self.chains
            .fill(now_ms, CHAIN_PER_S, CHAIN_BURST * CHAIN_COST);
        self.brought.fill(now_ms, BROUGHT_PER_S, BROUGHT_BURST);
        self.units.fill(now_ms, UNITS_PER_S, UNITS_BURST);
        self.registers
            .fill(now_ms, REGISTERS_PER_S, REGISTERS_BURST);
        self.answers.fill(now_ms, ANSWER_BYTES_PER_S, ANSWER_BYTES);
        self.refusals.fill(now_ms, TELL_PER_S, TELL_BURST);
    }

    /// A link has opened: while it was down, the pace added up.
    pub(crate) fn link_opened(&mut self, now_ms: u64) {
        self.changes.fill(now_ms, PACE_PER_S, PACE_AWAY);
    }

    /// A link has ended.
    pub(crate) fn link_ended(&mut self, now_ms: u64) {
        self.fill(now_ms);
        self.owed = None;
    }

    /// Forgets what waits: the epoch that it was written for is over.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
        self.names.clear();
        self.bytes = 0;
        self.more = false;
        self.owed = None;
    }

    /// Whether it may bring that change now; then it is paid for.
    pub(super) fn pays(&mut self, member: HostId, change: &SignedChange) -> bool {
        let cost = Cost::of(member, change);
        let pays = self.changes.has(cost.changes.max(1))
            && self.day.has(cost.bytes)
            && self.chains.has(cost.chains)
            && self.brought.has(cost.brought);
        if pays {
            self.changes.take(cost.changes);
            self.day.take(cost.bytes);
            self.chains.take(cost.chains);
            self.brought.take(cost.brought);
        }
        pays
    }

    pub(super) fn keep(&mut self, change: SignedChange) {
        if self.names.insert(change.hash()) {
            self.bytes += change.size();
            self.waiting.push_back(change);
        }
    }

    pub(super) fn pop(&mut self) -> Option<SignedChange> {
        let change = self.waiting.pop_front()?;
        self.names.remove(&change.hash());
        self.bytes -= change.size();
        Some(change)
    }

    /// When the first that waits may be taken in, or what is owed be told.
    pub(super) fn due_ms(&self, member: HostId) -> Option<u64> {
        // Several at once: the document takes them in for little more than one.
        let soon = self.served_ms + PACE_MS;
        let first = self.waiting.front().map(|change| {
            let cost = Cost::of(member, change);
            let waits = [
                self.changes.wait_ms(cost.changes.max(1), PACE_PER_S),
                self.day.wait_ms(cost.bytes, DAY_BYTES_PER_S),
                self.chains.wait_ms(cost.chains, CHAIN_PER_S),
                self.brought.wait_ms(cost.brought, BROUGHT_PER_S),
            ];
            let wait_ms = waits.into_iter().max().unwrap_or(0);
            (self.changes.at_ms() + wait_ms).max(soon)
        });
        let wait_ms = self.answers.wait_ms(1, ANSWER_BYTES_PER_S);
        let owed = self.owed.as_ref();
        let owed = owed.map(|_| (self.answers.at_ms() + wait_ms).max(soon));
        first.into_iter().chain(owed).min()
    }
}

/// What a change costs whoever brings it.
#[derive(Default)]
struct Cost {
    changes: u64,
    bytes: u64,
    chains: u64,
    brought: u64,
}

impl Cost {
    fn of(member: HostId, change: &SignedChange) -> Self {
        if change.author() != member {
            let brought = 1;
            return Self {
                brought,
                ..Self::default()
            };
        }
        let bytes = change.size();
        Self {
            changes: 1 + (bytes / PACE_BYTES) as u64,
            bytes: bytes as u64,
            chains: if change.seq() == 1 { CHAIN_COST } else { 0 },
            brought: 0,
        }
    }
}
