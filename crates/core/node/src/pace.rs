//! How fast a member may fill a queue: what it writes itself is taken in at a pace, and what is over it waits here in its
//! order until time has passed. Nothing good is lost: what finds no room here is asked for again.
//!
//! What others bring of a member was taken in by them at this same pace, and so was what they have built upon: that comes in
//! at once, so that catching up with a long log from somebody else takes no longer, and nobody waits for a flood to end whose
//! own changes follow it. What a member may write at all in an epoch is the document's.

use std::collections::{BTreeSet, VecDeque};

use printmesh_queue::{
    ChangeHash, EpochHash, EpochId, HostId, QueueId, Refusal, SignedChange, VersionVector,
};

use crate::{
    event::Event,
    limits::{
        ANSWER_BYTES, ANSWER_BYTES_PER_S, DAY_BYTES, DAY_BYTES_PER_S, PACE_AWAY, PACE_BURST,
        PACE_BYTES, PACE_MS, PACE_PER_S, PACE_TOLD_MS, REFUSED_COST, TELL_BURST, TELL_PER_S,
        WAITING_BYTES_ALL, WAITING_BYTES_MAX,
    },
    message::Tag,
    node::Node,
};

/// So much of something, and more with time. Counted in thousandths: so many a second are as many thousandths a millisecond.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    thousandths: u64,
    at_ms: u64,
}

impl Bucket {
    fn new(now_ms: u64, content: u64) -> Self {
        Self {
            thousandths: content * 1000,
            at_ms: now_ms,
        }
    }

    /// Lets time pass. What is there beyond `most` stays.
    fn fill(&mut self, now_ms: u64, per_s: u64, most: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = now_ms;
        let room = (most * 1000).saturating_sub(self.thousandths);
        self.thousandths += passed.saturating_mul(per_s).min(room);
    }

    fn has(&self, count: u64) -> bool {
        self.thousandths >= count * 1000
    }

    fn take(&mut self, count: u64) {
        self.thousandths = self.thousandths.saturating_sub(count * 1000);
    }

    /// Milliseconds until it has so much.
    fn wait_ms(&self, count: u64, per_s: u64) -> u64 {
        (count * 1000)
            .saturating_sub(self.thousandths)
            .div_ceil(per_s)
    }
}

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
    changes: Bucket,
    /// Bytes of changes that it may still write today.
    day: Bucket,
    /// Bytes of changes that it may still ask for.
    answers: Bucket,
    /// Refusals that are still told one by one.
    refusals: Bucket,
    waiting: VecDeque<SignedChange>,
    names: BTreeSet<ChangeHash>,
    bytes: usize,
    /// Some found no room.
    more: bool,
    /// Whom it said that it sees to, last.
    also: Vec<Tag>,
    owed: Option<Owed>,
    told_ms: Option<u64>,
    /// When what waits was looked at last.
    served_ms: u64,
}

impl Pace {
    /// A member that was one when this host started may bring what it wrote meanwhile.
    pub(crate) fn new(now_ms: u64, was_here: bool) -> Self {
        let content = if was_here { PACE_AWAY } else { PACE_BURST };
        Self {
            changes: Bucket::new(now_ms, content),
            day: Bucket::new(now_ms, DAY_BYTES),
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

    fn fill(&mut self, now_ms: u64) {
        self.changes.fill(now_ms, PACE_PER_S, PACE_BURST);
        self.day.fill(now_ms, DAY_BYTES_PER_S, DAY_BYTES);
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

    /// What a change costs of the pace and of the day.
    fn cost(member: HostId, change: &SignedChange) -> (u64, u64) {
        if change.author() != member {
            return (0, 0);
        }
        let bytes = change.size();
        (1 + (bytes / PACE_BYTES) as u64, bytes as u64)
    }

    /// Whether it may bring that change now; then it is paid for.
    fn pays(&mut self, member: HostId, change: &SignedChange) -> bool {
        let (count, bytes) = Self::cost(member, change);
        let pays = self.changes.has(count.max(1)) && self.day.has(bytes);
        if pays {
            self.changes.take(count);
            self.day.take(bytes);
        }
        pays
    }

    fn keep(&mut self, change: SignedChange) {
        if self.names.insert(change.hash()) {
            self.bytes += change.size();
            self.waiting.push_back(change);
        }
    }

    fn pop(&mut self) -> Option<SignedChange> {
        let change = self.waiting.pop_front()?;
        self.names.remove(&change.hash());
        self.bytes -= change.size();
        Some(change)
    }

    /// When the first that waits may be taken in, or what is owed be told.
    fn due_ms(&self, member: HostId) -> Option<u64> {
        // Several at once: the document takes them in for little more than one.
        let soon = self.served_ms + PACE_MS;
        let first = self.waiting.front().map(|change| {
            let (count, bytes) = Self::cost(member, change);
            let pace = self.changes.wait_ms(count.max(1), PACE_PER_S);
            let day = self.day.wait_ms(bytes, DAY_BYTES_PER_S);
            (self.changes.at_ms + pace.max(day)).max(soon)
        });
        let wait_ms = self.answers.wait_ms(1, ANSWER_BYTES_PER_S);
        let owed = self.owed.as_ref();
        let owed = owed.map(|_| (self.answers.at_ms + wait_ms).max(soon));
        first.into_iter().chain(owed).min()
    }
}

impl Node {
    fn pace(&mut self, queue: QueueId, member: HostId) -> Option<&mut Pace> {
        let now_ms = self.now.mono_ms;
        let entry = self.queues.get_mut(&queue)?;
        let was_here = entry.was_here.contains(&member);
        let pace = entry.paces.entry(member);
        let pace = pace.or_insert_with(|| Pace::new(now_ms, was_here));
        pace.fill(now_ms);
        Some(pace)
    }

    /// Returns how many changes of a member wait because it writes faster than a member may.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn too_fast(&self, queue: QueueId, member: HostId) -> Option<usize> {
        let pace = self.queues[&queue].paces.get(&member)?;
        (!pace.waiting.is_empty()).then_some(pace.waiting.len())
    }

    /// Reads changes that a member sent, and returns those that may be taken in now; the others wait.
    pub(crate) fn keep_pace(
        &mut self,
        queue: QueueId,
        from: HostId,
        encoded: &[Vec<u8>],
        also: &[Tag],
    ) -> Vec<SignedChange> {
        let entry = &self.queues[&queue];
        let waiting: usize = entry.paces.values().map(|pace| pace.bytes).sum();
        let mut left = WAITING_BYTES_ALL.saturating_sub(waiting);
        let (mut now, mut unreadable) = (Vec::new(), Vec::new());
        let was_waiting = entry
            .paces
            .get(&from)
            .is_some_and(|pace| !pace.waiting.is_empty());
        for bytes in encoded {
            let Some(pace) = self.pace(queue, from) else {
                break;
            };
            if !pace.waiting.is_empty() && (pace.bytes > WAITING_BYTES_MAX || left < bytes.len()) {
                pace.more = true;
                break;
            }
            match SignedChange::from_bytes(bytes) {
                Ok(change) if pace.waiting.is_empty() && pace.pays(from, &change) => {
                    now.push(change)
                }
                Ok(change) => {
                    left = left.saturating_sub(change.size());
                    pace.keep(change);
                }
                Err(error) => {
                    pace.changes.take(REFUSED_COST);
                    if pace.refusals.has(1) {
                        pace.refusals.take(1);
                        unreadable.push(error.to_string());
                    }
                }
            }
        }
        for why in unreadable {
            self.tell_refused(queue, from, None, &why);
        }
        let Some(pace) = self
            .pace(queue, from)
            .filter(|pace| !pace.waiting.is_empty())
        else {
            return now;
        };
        pace.also = also.to_vec();
        if !was_waiting {
            self.tell_too_fast(queue, from);
        }
        now
    }

    fn tell_too_fast(&mut self, queue: QueueId, member: HostId) {
        let now_ms = self.now.mono_ms;
        let Some(pace) = self.pace(queue, member) else {
            return;
        };
        if pace.told_ms.is_some_and(|at| now_ms < at + PACE_TOLD_MS) {
            return;
        }
        pace.told_ms = Some(now_ms);
        tracing::warn!(%queue, %member, code = "too-fast", "a member writes faster than a member may, its changes wait");
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            host: Some(member),
            state: Some("too-fast".to_owned()),
            text: Some("this member writes faster than a member may; its changes wait".to_owned()),
            ..Event::new("member.too-fast")
        });
    }

    /// Takes in what has waited long enough, and tells what is owed.
    pub(crate) fn take_waiting(&mut self) {
        let now_ms = self.now.mono_ms;
        let due = self.queues.iter().flat_map(|(queue, entry)| {
            let due = entry
                .paces
                .iter()
                .filter(move |(member, pace)| pace.due_ms(**member).is_some_and(|at| at <= now_ms));
            due.map(|(member, _)| (*queue, *member))
        });
        for (queue, member) in due.collect::<Vec<_>>() {
            self.take_waiting_of(queue, member);
            let shares = self.shares(queue, member);
            let Some(pace) = self.pace(queue, member).filter(|pace| pace.answers.has(1)) else {
                continue;
            };
            match pace.owed.take().filter(|_| shares) {
                Some(Owed::Changes(epoch, vector)) => self.have(member, queue, epoch, vector),
                Some(Owed::Founding(epoch)) => self.give_founding(member, queue, epoch),
                None => {}
            }
        }
    }

    fn take_waiting_of(&mut self, queue: QueueId, member: HostId) {
        let now_ms = self.now.mono_ms;
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let Some(pace) = entry.paces.get_mut(&member) else {
            return;
        };
        pace.fill(now_ms);
        pace.served_ms = now_ms;
        let mut now = Vec::new();
        while let Some(change) = pace.pop() {
            // Others may have brought it meanwhile.
            if entry.doc.change(change.hash()).is_some() {
                continue;
            }
            if pace.pays(member, &change) {
                now.push(change);
                continue;
            }
            pace.names.insert(change.hash());
            pace.bytes += change.size();
            pace.waiting.push_front(change);
            break;
        }
        let ask = pace.waiting.is_empty() && std::mem::take(&mut pace.more);
        let also = pace.also.clone();
        if !now.is_empty() {
            let sent = now.iter().map(SignedChange::hash).collect();
            let entry = self.queues.get_mut(&queue).expect("its pace is kept in it");
            let admitted = entry.doc.admit(now);
            self.took_in(queue, member, admitted, &sent, &also);
        }
        if ask {
            self.say_have(member, queue);
        }
    }

    /// Takes out of what waits all that other members have built upon.
    pub(crate) fn built_upon(&mut self, queue: QueueId) -> Vec<SignedChange> {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return Vec::new();
        };
        if entry.paces.values().all(|pace| pace.waiting.is_empty()) {
            return Vec::new();
        }
        let missing = entry.doc.missing();
        let mut found = Vec::new();
        for pace in entry.paces.values_mut() {
            while missing.iter().any(|hash| pace.names.contains(hash)) {
                found.extend(pace.pop());
            }
        }
        found
    }

    /// A change that a member brought was refused: that costs it more than a good one, whoever is said to have written it.
    /// Returns whether it is to be told.
    pub(crate) fn pay_for_refusal(&mut self, queue: QueueId, from: HostId, why: Refusal) -> bool {
        let Some(pace) = self.pace(queue, from) else {
            return true;
        };
        // These depend on what each host knows, or has met: an honest one may bring them.
        let is_honest = matches!(
            why,
            Refusal::Removed
                | Refusal::Quarantined
                | Refusal::Equivocation
                | Refusal::Follows
                | Refusal::Engine
        );
        if !is_honest {
            pace.changes.take(REFUSED_COST);
        }
        let tell = pace.refusals.has(1);
        pace.refusals.take(1);
        tell
    }

    /// Whether a member may be sent more of what it asks for. If not, it is told later.
    pub(crate) fn may_ask(
        &mut self,
        queue: QueueId,
        member: HostId,
        owed: impl FnOnce() -> Owed,
    ) -> bool {
        let Some(pace) = self.pace(queue, member) else {
            return false;
        };
        let may = pace.answers.has(1);
        if !may {
            pace.owed = Some(owed());
        }
        may
    }

    /// A member was sent so much of what it asked for.
    pub(crate) fn answered(&mut self, queue: QueueId, member: HostId, bytes: usize) {
        if let Some(pace) = self.pace(queue, member) {
            pace.answers.take(bytes as u64);
        }
    }

    pub(crate) fn pace_wakeups(&self) -> impl Iterator<Item = u64> {
        self.queues.values().flat_map(|entry| {
            let paces = entry.paces.iter();
            paces.filter_map(|(member, pace)| pace.due_ms(*member))
        })
    }

    /// A link with a member has opened, or has ended.
    pub(crate) fn pace_link(&mut self, member: HostId, opened: bool) {
        let now_ms = self.now.mono_ms;
        let paces = self
            .queues
            .values_mut()
            .filter_map(|entry| entry.paces.get_mut(&member));
        for pace in paces {
            match opened {
                true => pace.link_opened(now_ms),
                false => pace.link_ended(now_ms),
            }
        }
    }
}
