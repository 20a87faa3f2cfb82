//! How changes reach every member: the author tells all that it is connected to, and each message says whom else its
//! sender sees to, so that nobody tells what the others have been told. In a mesh of fifty hosts a change is fifty messages
//! and not fifty times fifty.
//!
//! A link that dies takes with it what was on its way, and whoever believed that it was told keeps silent. So each host compares
//! what it has with the others, a few at a time: when a link opens or dies at once, and a while after something changed.

use std::collections::BTreeSet;

use printmesh_queue::{ChangeHash, EpochId, HostId, QueueId, VersionVector};

use crate::{
    limits::{CHANGES_BYTES, COMPARE_MS, COMPARE_WITH, WANTED_MAX},
    message::{Message, Tag},
    node::{Changes, Node},
    pace::Owed,
};

/// The beginning of a host's key: enough to tell members apart, and when it is not, they compare later.
fn tag(host: &HostId) -> Tag {
    [host.0[0], host.0[1], host.0[2], host.0[3]]
}

/// What a member was last told that this host has.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    mine: VersionVector,
    /// What it said that it has, when this host last lacked some of it.
    theirs: Option<VersionVector>,
    /// It was told when the link opened, and has not said what it has since.
    opening: bool,
    /// What it was asked for by name last.
    wanted: BTreeSet<ChangeHash>,
}

/// A comparison under way: with a few members at a time, until it was everyone.
#[derive(Debug)]
pub(crate) struct Compare {
    due_ms: u64,
    /// Those that are left.
    left: BTreeSet<HostId>,
}

impl Node {
    /// Connected members of a queue.
    pub(crate) fn near(&self, queue: QueueId) -> BTreeSet<HostId> {
        let connected = self.peers.iter().filter(|(_, peer)| peer.connected);
        let near = connected.map(|(host, _)| *host);
        near.filter(|host| self.shares(queue, *host)).collect()
    }

    /// Sends new changes to every connected member that nobody else sees to.
    pub(crate) fn spread(&mut self, queue: QueueId, changes: &Changes, seen_to: &BTreeSet<HostId>) {
        if changes.is_empty() {
            return;
        }
        let near = self.near(queue);
        let also: Vec<Tag> = near.union(seen_to).map(tag).collect();
        for member in near.difference(seen_to) {
            let unseen: Vec<_> = changes
                .iter()
                .filter(|change| change.author() != *member)
                .cloned()
                .collect();
            self.send_changes(*member, queue, &unseen, &also);
        }
        self.compare_soon(queue);
    }

    /// The members that a sender sees to, as far as this host knows them; the sender itself is one.
    pub(crate) fn seen_to(&self, queue: QueueId, from: HostId, also: &[Tag]) -> BTreeSet<HostId> {
        let also: BTreeSet<&Tag> = also.iter().collect();
        let members = self.queues[&queue].doc.snapshot().present_members();
        let members = members.map(|(host, _)| *host);
        let mut seen_to: BTreeSet<HostId> =
            members.filter(|host| also.contains(&tag(host))).collect();
        seen_to.insert(from);
        seen_to
    }

    /// A member says what it has: it is sent what it lacks, and asked for what it has more, once for each thing that the two
    /// of them have. A host whose history was forked by a restored backup would otherwise be asked for ever.
    pub(crate) fn have(
        &mut self,
        from: HostId,
        queue: QueueId,
        epoch: EpochId,
        theirs: VersionVector,
    ) {
        if !self.shares(queue, from) {
            tracing::debug!(peer = %from, "ignored a vector of a queue that is not shared");
            return;
        }
        if self.queues[&queue].doc.epoch() != epoch {
            self.other_epoch(from, queue, epoch);
            return;
        }
        self.note_seen(from, queue, epoch);
        self.offer_key(queue, from);
        let doc = &self.queues[&queue].doc;
        let owes = !theirs.covers(&doc.vector());
        if owes && !self.may_ask(queue, from, || Owed::Changes(epoch, theirs.clone())) {
            return;
        }
        let doc = &self.queues[&queue].doc;
        let missing = doc.changes_after(&theirs);
        let behind = !doc.vector().covers(&theirs);
        if !missing.is_empty() {
            // Whoever this host is connected to has them from it.
            let also: Vec<Tag> = self.near(queue).iter().map(tag).collect();
            self.answer_with(from, queue, &missing, &also);
        }
        if !behind {
            return;
        }
        let entry = self.queues.get_mut(&queue).expect("shared queues exist");
        let mine = entry.doc.vector();
        let asked = entry.asked.entry(from).or_default();
        let again = asked.mine == mine;
        // The word with which the link opened is on its way to it.
        let answered = again && (asked.opening || asked.theirs.as_ref() == Some(&theirs));
        asked.opening &= !again;
        asked.theirs = Some(theirs);
        if !answered {
            self.say_have(from, queue);
        }
    }

    /// Asks a member for what comes before its changes, once for each thing that this host has. When that did not bring it,
    /// the numbers say that this host has it: then it is asked for by name.
    pub(crate) fn ask_for_past(&mut self, from: HostId, queue: QueueId) {
        let entry = self.queues.get_mut(&queue).expect("shared queues exist");
        let mine = entry.doc.vector();
        let asked = entry.asked.entry(from).or_default();
        if asked.mine != mine {
            self.say_have(from, queue);
            return;
        }
        let mut changes = entry.doc.missing();
        changes.retain(|change| !asked.wanted.contains(change));
        changes.truncate(WANTED_MAX);
        if !changes.is_empty() {
            asked.wanted = changes.iter().copied().collect();
            self.send(from, Message::Want { queue, changes });
        }
    }

    /// A member asks for changes by name.
    pub(crate) fn asked_for_changes(
        &mut self,
        from: HostId,
        queue: QueueId,
        changes: &[ChangeHash],
    ) {
        if !self.shares(queue, from) {
            tracing::debug!(peer = %from, "ignored a question about a queue that is not shared");
            return;
        }
        // Nothing is owed: who still lacks them then says what it has.
        let theirs = VersionVector::default;
        let epoch = self.queues[&queue].doc.epoch();
        if !self.may_ask(queue, from, || Owed::Changes(epoch, theirs())) {
            return;
        }
        let doc = &self.queues[&queue].doc;
        let wanted = changes.iter().take(WANTED_MAX);
        let found: Vec<_> = wanted.filter_map(|hash| doc.change(*hash)).collect();
        self.answer_with(from, queue, &found, &[]);
    }

    /// Sends what was asked for.
    fn answer_with(&mut self, to: HostId, queue: QueueId, changes: &Changes, also: &[Tag]) {
        let bytes = changes.iter().map(|change| change.size()).sum();
        self.answered(queue, to, bytes);
        self.send_changes(to, queue, changes, also);
    }

    /// A link has opened: each tells the other what it has.
    pub(crate) fn open_with(&mut self, host: HostId, queue: QueueId) {
        self.say_have(host, queue);
        let entry = self.queues.get_mut(&queue);
        if let Some(asked) = entry.and_then(|entry| entry.asked.get_mut(&host)) {
            asked.opening = true;
        }
    }

    /// Tells a member what this host has: it answers with what is missing.
    pub(crate) fn say_have(&mut self, to: HostId, queue: QueueId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let vector = entry.doc.vector();
        let asked = entry.asked.entry(to).or_default();
        asked.mine = vector.clone();
        asked.opening = false;
        let epoch = entry.doc.epoch();
        let have = Message::Have {
            queue,
            epoch,
            vector,
        };
        self.send(to, have);
    }

    pub(crate) fn send_changes(
        &mut self,
        to: HostId,
        queue: QueueId,
        changes: &Changes,
        also: &[Tag],
    ) {
        let (mut batch, mut size) = (Vec::new(), 0);
        let epoch = self.queues[&queue].doc.epoch().hash;
        let message = |batch| Message::Changes {
            queue,
            epoch,
            changes: batch,
            also: also.to_vec(),
        };
        for change in changes {
            let bytes = change.to_bytes();
            if size + bytes.len() > CHANGES_BYTES && !batch.is_empty() {
                self.send(to, message(std::mem::take(&mut batch)));
                size = 0;
            }
            size += bytes.len();
            batch.push(bytes);
        }
        if !batch.is_empty() {
            self.send(to, message(batch));
        }
    }

    /// Something is new here: soon it is to be seen whether everybody has it.
    pub(crate) fn compare_soon(&mut self, queue: QueueId) {
        let due_ms = self.now.mono_ms + COMPARE_MS;
        self.compare_from(queue, due_ms);
    }

    /// What was on its way to or from a member is lost: whoever stayed may know it.
    pub(crate) fn compare_now(&mut self, gone: HostId) {
        for queue in self.queues_shared_with(gone) {
            self.compare_from(queue, self.now.mono_ms);
        }
    }

    fn compare_from(&mut self, queue: QueueId, due_ms: u64) {
        let left = self.near(queue);
        if let Some(entry) = self.queues.get_mut(&queue) {
            let due_ms = entry
                .compare
                .as_ref()
                .map_or(due_ms, |compare| compare.due_ms.min(due_ms));
            entry.compare = (!left.is_empty()).then_some(Compare { due_ms, left });
        }
    }

    /// Compares with a few members what they have, where it is time.
    pub(crate) fn compare(&mut self) {
        let now_ms = self.now.mono_ms;
        let is_due = |compare: &mut Compare| compare.due_ms <= now_ms;
        let due = self.queues.iter_mut().filter_map(|(queue, entry)| {
            let compare = entry.compare.take_if(is_due)?;
            Some((*queue, compare))
        });
        for (queue, compare) in due.collect::<Vec<_>>() {
            let near = self.near(queue);
            let mut left: Vec<HostId> = compare.left.intersection(&near).copied().collect();
            for _ in 0..COMPARE_WITH.min(left.len()) {
                let at = self.entropy.below(left.len() as u64) as usize;
                self.say_have(left.swap_remove(at), queue);
            }
            if let Some(entry) = self.queues.get_mut(&queue)
                && !left.is_empty()
            {
                entry.compare = Some(Compare {
                    due_ms: now_ms + COMPARE_MS,
                    left: left.into_iter().collect(),
                });
            }
        }
    }

    /// Whether something is new in a queue of which this host has not seen yet that all near members have it.
    pub fn is_comparing(&self, queue: QueueId) -> bool {
        let entry = self.queues.get(&queue);
        entry.is_some_and(|entry| entry.compare.is_some())
    }

    /// When something is to be compared.
    pub(crate) fn compare_wakeup(&self) -> impl Iterator<Item = u64> {
        let queues = self.queues.values();
        queues.filter_map(|entry| entry.compare.as_ref().map(|compare| compare.due_ms))
    }
}
