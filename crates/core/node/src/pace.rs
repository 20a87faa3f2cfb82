//! How fast a member may fill a queue: what it writes itself is taken in at a pace, and what is over it waits here in its
//! order until time has passed. Nothing good is lost: what finds no room here is asked for again.
//!
//! What others bring of a member was taken in by them at this same pace, and so was what they have built upon: that comes in
//! at a pace that nobody notices who catches up with a long log, so that nobody waits for a flood to end whose own changes
//! follow it. What a member may write at all in an epoch is the document's.

mod member;

use printmesh_queue::{HostId, QueueId, Refusal, SignedChange};

pub(crate) use self::member::{Owed, Pace};
use crate::{
    event::Event,
    limits::{
        AT_ONCE, PACE_TOLD_MS, REFUSED_COST, REFUSED_DEBT, WAITING_BYTES_ALL, WAITING_BYTES_MAX,
    },
    message::Tag,
    node::Node,
};

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
            let change = SignedChange::from_bytes(bytes);
            let doc = &self.queues[&queue].doc;
            let is_known = |change: &SignedChange| doc.change(change.hash()).is_some();
            if change.as_ref().is_ok_and(is_known) {
                continue;
            }
            let Some(pace) = self.pace(queue, from) else {
                break;
            };
            if !pace.waiting.is_empty() && (pace.bytes > WAITING_BYTES_MAX || left < bytes.len()) {
                pace.more = true;
                break;
            }
            match change {
                Ok(change) if pace.waiting.is_empty() && pace.pays(from, &change) => {
                    now.push(change)
                }
                Ok(change) => {
                    left = left.saturating_sub(change.size());
                    pace.keep(change);
                }
                Err(error) => {
                    pace.changes.owe(REFUSED_COST, REFUSED_DEBT);
                    if pace.refusals.has(1) {
                        pace.refusals.take(1);
                        unreadable.push(error);
                    }
                }
            }
        }
        for why in unreadable {
            self.tell_refused(queue, from, None, why.code());
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
        while now.len() < AT_ONCE
            && let Some(change) = pace.pop()
        {
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
            pace.changes.owe(REFUSED_COST, REFUSED_DEBT);
        }
        let tell = pace.refusals.has(1);
        pace.refusals.take(1);
        tell
    }

    /// A member brought what no honest host brings, and it took this host time to see that.
    pub(crate) fn pay_for_junk(&mut self, queue: QueueId, from: HostId) {
        if let Some(pace) = self.pace(queue, from) {
            pace.changes.owe(REFUSED_COST, REFUSED_DEBT);
        }
    }

    /// What a member brought is not looked at now: too much before it in the same message was refused.
    pub(crate) fn put_off(&mut self, queue: QueueId, from: HostId, rest: Vec<SignedChange>) {
        let Some(pace) = self.pace(queue, from) else {
            return;
        };
        for change in rest {
            if pace.bytes > WAITING_BYTES_MAX {
                pace.more = true;
                break;
            }
            pace.keep(change);
        }
    }

    /// Whether what a member brings is looked at now.
    pub(crate) fn is_heard(&mut self, queue: QueueId, from: HostId) -> bool {
        self.pace(queue, from)
            .is_none_or(|pace| !pace.changes.owes())
    }

    /// Whether a member may ask this voter about so many copies now, for so many of them as the first; then it is paid for.
    pub(crate) fn may_ask_about(
        &mut self,
        queue: QueueId,
        member: HostId,
        units: usize,
        new: usize,
    ) -> bool {
        let (units, new) = (units as u64, new as u64);
        if member == self.me {
            return true;
        }
        let Some(pace) = self.pace(queue, member) else {
            return true;
        };
        let may = pace.units.has(units) && pace.registers.has(new);
        if may {
            pace.units.take(units);
            pace.registers.take(new);
        }
        may
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
