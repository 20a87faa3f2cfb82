//! Getting from one epoch of a queue to the next: who is behind is told, what arrives is judged, and following is one durable
//! step. What the cut missed of this host's own is written again in that step.
//!
//! When an epoch ends is `rotate`'s.

use std::collections::{BTreeMap, BTreeSet};

use ed25519_dalek::SigningKey;
use printmesh_queue::{
    EpochHash, EpochId, EpochRecord, EpochRefusal, FOUNDING_BYTES_MAX, HostId, KeptJob,
    LINEAGE_MAX, OwnWrite, QueueId, Role, SignedChange, Snapshot, Touched, Way,
};

use crate::{
    effect::Write,
    event::Event,
    limits::{CHANGES_BYTES, EARLY_BYTES_MAX, FOUNDING_MS, NEXT_KEYS_MAX},
    message::{Message, QueueKey},
    node::Node,
    pace::{Owed, Pace},
    records::{self, key},
};

/// What a host wrote in an epoch that it left.
type Level = (EpochId, Vec<OwnWrite>);

/// Where a queue stands between its epochs, on this host.
#[derive(Default)]
pub(crate) struct Epochs {
    /// What an epoch begins with, as far as it has arrived.
    incoming: Option<Incoming>,
    /// Keys of epochs that have not arrived.
    pub(crate) next_keys: Vec<QueueKey>,
    /// To whom the key of which epoch was given over the link that is up.
    gave: BTreeMap<HostId, EpochHash>,
    /// How far members were seen to have come on this way.
    seen: BTreeMap<HostId, u64>,
    /// What this host wrote in the last epochs, as long as somebody may come with another way from there.
    levels: Vec<Level>,
    /// What has to be written again, and has to wait.
    carry: Vec<OwnWrite>,
    /// Since when the epoch is long enough, and when this host ends it.
    pub(crate) due_ms: Option<u64>,
}

struct Incoming {
    way: Way,
    from: HostId,
    changes: Vec<Vec<u8>>,
    bytes: usize,
    /// What was written in it so far, as far as it has arrived.
    early: Vec<SignedChange>,
    early_bytes: usize,
    until_ms: u64,
}

impl Epochs {
    /// Keeps the key of an epoch that may be on its way.
    pub(crate) fn note_key(&mut self, key: QueueKey) {
        if !self.next_keys.contains(&key) {
            self.next_keys.push(key);
        }
        let too_many = self.next_keys.len().saturating_sub(NEXT_KEYS_MAX);
        self.next_keys.drain(..too_many);
    }
}

/// What the disk says about epochs, by queue.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) kept: BTreeMap<QueueId, Vec<KeptJob>>,
    levels: BTreeMap<QueueId, Vec<Level>>,
    carry: BTreeMap<QueueId, Vec<OwnWrite>>,
}

impl Stored {
    /// Takes a value, if it is one of these; `None` when it cannot be read.
    pub(crate) fn take(&mut self, name: &str, value: &[u8]) -> Option<bool> {
        if let Some(rest) = name.strip_prefix(key::KEPT) {
            let (queue, _) = rest.split_once('/')?;
            let kept = self.kept.entry(queue.parse().ok()?).or_default();
            kept.push(records::read(value)?);
        } else if let Some(queue) = name.strip_prefix(key::OWN) {
            let levels = records::read(value)?;
            self.levels.insert(queue.parse().ok()?, levels);
        } else if let Some(queue) = name.strip_prefix(key::CARRY) {
            let carry = records::read(value)?;
            self.carry.insert(queue.parse().ok()?, carry);
        } else {
            return Some(false);
        }
        Some(true)
    }

    pub(crate) fn of(&mut self, queue: QueueId) -> Epochs {
        Epochs {
            levels: self.levels.remove(&queue).unwrap_or_default(),
            carry: self.carry.remove(&queue).unwrap_or_default(),
            ..Epochs::default()
        }
    }
}

pub(crate) fn public(key: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(key).verifying_key().to_bytes()
}

/// What two snapshots say differently.
fn differences(before: &Snapshot, after: &Snapshot) -> Touched {
    fn differ<'a, K: Ord, V: PartialEq>(
        before: &'a BTreeMap<K, V>,
        after: &'a BTreeMap<K, V>,
    ) -> impl Iterator<Item = &'a K> {
        let there = before
            .iter()
            .filter(|(key, value)| after.get(key) != Some(value));
        let new = after.iter().filter(|(key, _)| !before.contains_key(key));
        there.chain(new).map(|(key, _)| key)
    }
    let mut touched = Touched {
        meta: true,
        ..Touched::default()
    };
    touched
        .members
        .extend(differ(&before.members, &after.members));
    let printers = differ(&before.printers, &after.printers);
    touched.printers.extend(printers.cloned());
    touched.jobs.extend(differ(&before.jobs, &after.jobs));
    touched.copies.extend(differ(&before.claims, &after.claims));
    let lost = differ(&before.lost, &after.lost);
    touched.copies.extend(lost.map(|(copy, _)| *copy));
    let requests = differ(&before.requests, &after.requests);
    touched.requests.extend(requests.cloned());
    touched
}

impl Node {
    /// A member is in another epoch: whoever is behind is told how to get on.
    pub(crate) fn other_epoch(&mut self, from: HostId, queue: QueueId, theirs: EpochId) {
        self.note_seen(from, queue, theirs);
        let doc = &self.queues[&queue].doc;
        let (records, known) = doc.records_after(theirs.hash);
        if !known && theirs.number > doc.epoch().number {
            // It answers with what this host lacks.
            self.say_have(from, queue);
        } else {
            self.send_epoch(from, queue, &records);
        }
    }

    /// Notes how far a member has come on the way of this host.
    pub(crate) fn note_seen(&mut self, host: HostId, queue: QueueId, theirs: EpochId) {
        if let Some(entry) = self.queues.get_mut(&queue) {
            match entry.doc.comes_of(theirs.hash) {
                true => entry.epochs.seen.insert(host, theirs.number),
                false => entry.epochs.seen.remove(&host),
            };
        }
    }

    pub(crate) fn send_epoch(&mut self, to: HostId, queue: QueueId, records: &[EpochRecord]) {
        if records.is_empty() {
            return;
        }
        // The last ones say most, should they not fit into one message; who needs the others joins anew.
        let mut size = 0;
        let encoded = records.iter().rev().map(EpochRecord::to_bytes);
        let mut encoded: Vec<Vec<u8>> = encoded
            .take_while(|record| {
                size += record.len();
                size <= 2 * CHANGES_BYTES
            })
            .collect();
        encoded.reverse();
        let records = encoded;
        self.send(to, Message::Epoch { queue, records });
    }

    /// A member says how the queue came to its epoch.
    pub(crate) fn epoch_records(&mut self, from: HostId, queue: QueueId, encoded: &[Vec<u8>]) {
        // A member that was removed and let in again hears of it like this.
        if !self.shares(queue, from) {
            return;
        }
        let records: Option<Vec<EpochRecord>> = match encoded.len() {
            0..=LINEAGE_MAX => encoded.iter().map(|b| EpochRecord::from_bytes(b)).collect(),
            _ => None,
        };
        let Some(records) = records else {
            self.refuse_epoch(queue, from, None, EpochRefusal::Malformed);
            return;
        };
        let author = records.last().map(|record| record.author);
        let last = records.last().map(EpochRecord::hash);
        let entry = &self.queues[&queue];
        let judged = entry.doc.judge_records(entry.record.anchor, records);
        let way = match judged {
            Ok(Some(way)) => way,
            Ok(None) => {
                // It has gone another way, and this one counts: it is to judge that itself.
                let (mine, known) = entry.doc.records_after(last.unwrap_or_default());
                if !known {
                    self.send_epoch(from, queue, &mine);
                }
                return;
            }
            Err(why) => {
                self.refuse_epoch(queue, from, author, why);
                return;
            }
        };
        match entry.doc.founding_here(&way) {
            Ok(Some(founding)) => {
                if !self.follow_epoch(queue, &way, founding, Vec::new()) {
                    self.ask_founding(from, queue, way);
                }
            }
            Ok(None) => self.ask_founding(from, queue, way),
            // Its author may have heard the other one of two stories: that is no forgery.
            Err(EpochRefusal::Forged) if self.is_in_doubt(queue, &way) => {
                self.ask_founding(from, queue, way);
            }
            Err(why) => self.refuse_epoch(queue, from, Some(way.first().author), why),
        }
    }

    /// Whether somebody is proven to have told two stories in what an epoch was made of.
    fn is_in_doubt(&self, queue: QueueId, way: &Way) -> bool {
        let entry = &self.queues[&queue];
        let mut proofs = entry.proofs.values();
        proofs.any(|proof| proof.is_within(&entry.doc, &way.first().cut))
    }

    fn refuse_epoch(
        &mut self,
        queue: QueueId,
        from: HostId,
        author: Option<HostId>,
        why: EpochRefusal,
    ) {
        self.tell_refused(queue, from, author, why.code());
    }

    fn ask_founding(&mut self, from: HostId, queue: QueueId, way: Way) {
        let until_ms = self.now.mono_ms + FOUNDING_MS;
        let epoch = way.last().hash();
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let under_way = entry.epochs.incoming.as_ref();
        if under_way.is_some_and(|one| one.way == way && one.from != from) {
            return;
        }
        entry.epochs.incoming = Some(Incoming {
            way,
            from,
            changes: Vec::new(),
            bytes: 0,
            early: Vec::new(),
            early_bytes: 0,
            until_ms,
        });
        self.send(from, Message::WantFounding { queue, epoch });
    }

    pub(crate) fn give_founding(&mut self, to: HostId, queue: QueueId, epoch: EpochHash) {
        if !self.shares(queue, to) || self.queues[&queue].doc.epoch().hash != epoch {
            return;
        }
        // The changes since go first, so that they are there when it is complete: among them may be what makes the receiver a member.
        if !self.may_ask(queue, to, || Owed::Founding(epoch)) {
            return;
        }
        let since = self.queues[&queue].doc.changes_after(&Default::default());
        self.send_changes(to, queue, &since, &[]);
        let founding = self.queues[&queue].doc.founding();
        let (mut batch, mut size, mut first) = (Vec::new(), 0, 0);
        let message = |from: u32, changes| Message::Founding {
            queue,
            epoch,
            from,
            changes,
        };
        let bytes = founding.iter().map(Vec::len).sum();
        self.answered(queue, to, bytes);
        for change in founding {
            if size + change.len() > CHANGES_BYTES && !batch.is_empty() {
                let count = batch.len() as u32;
                self.send(to, message(first, std::mem::take(&mut batch)));
                first += count;
                size = 0;
            }
            size += change.len();
            batch.push(change);
        }
        self.send(to, message(first, batch));
    }

    pub(crate) fn take_founding(
        &mut self,
        from: HostId,
        queue: QueueId,
        epoch: EpochHash,
        first: u32,
        changes: Vec<Vec<u8>>,
    ) {
        let until_ms = self.now.mono_ms + FOUNDING_MS;
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let Some(incoming) = &mut entry.epochs.incoming else {
            return;
        };
        let record = incoming.way.last();
        let next = incoming.changes.len() == first as usize;
        if incoming.from != from || record.hash() != epoch || !next || changes.is_empty() {
            return;
        }
        incoming.until_ms = until_ms;
        incoming.bytes += changes.iter().map(Vec::len).sum::<usize>();
        incoming.changes.extend(changes);
        let (count, most) = (incoming.changes.len(), record.count as usize);
        if count > most || incoming.bytes > FOUNDING_BYTES_MAX {
            entry.epochs.incoming = None;
            self.refuse_epoch(queue, from, None, EpochRefusal::FoundingMismatch);
        } else if count == most
            && let Some(incoming) = entry.epochs.incoming.take()
        {
            let Incoming {
                way,
                changes,
                early,
                ..
            } = incoming;
            // Meanwhile this host may have heard more.
            let records = way.records().to_vec();
            let again = entry.doc.judge_records(entry.record.anchor, records);
            if again == Ok(Some(way.clone())) {
                self.follow_epoch(queue, &way, changes, early);
            }
        }
    }

    /// Changes of the epoch that is arriving: they are taken in with it.
    pub(crate) fn note_early(
        &mut self,
        from: HostId,
        queue: QueueId,
        epoch: EpochHash,
        encoded: &[Vec<u8>],
    ) -> bool {
        let entry = self.queues.get_mut(&queue);
        let incoming = entry.and_then(|entry| entry.epochs.incoming.as_mut());
        let Some(incoming) = incoming else {
            return false;
        };
        if incoming.from != from || incoming.way.last().hash() != epoch {
            return false;
        }
        for bytes in encoded {
            incoming.early_bytes += bytes.len();
            if incoming.early_bytes > EARLY_BYTES_MAX {
                break;
            }
            incoming.early.extend(SignedChange::from_bytes(bytes));
        }
        true
    }

    /// Gets over to another epoch: one step, whole or not at all. `false` when this host is no member of it yet: who let it in
    /// has not said so there.
    pub(crate) fn follow_epoch(
        &mut self,
        queue: QueueId,
        way: &Way,
        founding: Vec<Vec<u8>>,
        early: Vec<SignedChange>,
    ) -> bool {
        let me = self.me;
        let Some(entry) = self.queues.get_mut(&queue) else {
            return true;
        };
        let before = entry.doc.epoch();
        let mut followed = match entry.doc.follow(way, founding) {
            Ok(followed) => followed,
            Err(why) => {
                self.refuse_epoch(queue, way.last().author, Some(way.last().author), why);
                return true;
            }
        };
        let admitted = followed.document.admit(early);
        let was = entry.doc.snapshot().members.contains_key(&me);
        if was && !followed.document.snapshot().members.contains_key(&me) {
            return false;
        }
        let touched = differences(entry.doc.snapshot(), followed.document.snapshot());
        let mut writes = vec![Write::Clear { log: queue.0 }];
        writes.extend(followed.log.into_iter().map(|entry| Write::Append {
            log: queue.0,
            entry,
        }));
        writes.extend(admitted.applied.iter().map(|change| Write::Append {
            log: queue.0,
            entry: change.to_bytes(),
        }));
        let known: BTreeMap<_, _> = entry.doc.kept().map(|kept| (kept.id, kept)).collect();
        for kept in &followed.kept {
            if known.get(&kept.id) != Some(&kept) {
                writes.push(records::put(key::kept(queue, kept.id), kept));
            }
        }
        let stays: BTreeSet<_> = followed.kept.iter().map(|kept| kept.id).collect();
        let gone = known.keys().filter(|id| !stays.contains(id));
        writes.extend(gone.map(|id| records::delete(key::kept(queue, *id))));
        let epochs = &mut entry.epochs;
        epochs.incoming = None;
        epochs.due_ms = None;
        epochs.levels.push((before, followed.own));
        let from = epochs
            .levels
            .iter()
            .position(|(at, _)| at.hash == way.from());
        let cut = &way.first().cut;
        for (n, (_, own)) in epochs
            .levels
            .iter()
            .enumerate()
            .skip(from.unwrap_or(usize::MAX))
        {
            let beyond = own
                .iter()
                .filter(|own| Some(n) != from || own.is_beyond(cut));
            epochs.carry.extend(beyond.cloned());
        }
        epochs.carry.extend(followed.inherited);
        if let Some(from) = from.filter(|_| way.is_fork()) {
            // What was written there is written again here, under this epoch.
            epochs.levels.truncate(from + 1);
        }
        let too_many = epochs.levels.len().saturating_sub(LINEAGE_MAX);
        epochs.levels.drain(..too_many);
        let members = followed.document.snapshot().present_members();
        let others = members.filter(|(host, _)| **host != me);
        let last = others.map(|(host, _)| epochs.seen.get(host).copied().unwrap_or(0));
        let all_passed = last.min().unwrap_or(u64::MAX);
        epochs.levels.retain(|(at, _)| at.number >= all_passed);
        writes.push(records::put(key::own(queue), &epochs.levels));
        writes.push(records::put(key::carry(queue), &epochs.carry));
        let right = |key: &QueueKey| public(&key.0) == followed.document.epoch_key();
        let present = entry.record.key.take().into_iter();
        entry.record.key = present.chain(epochs.next_keys.iter().cloned()).find(right);
        entry.record.anchor = None;
        for host in followed.removed {
            if !entry.record.removals.contains(&host) {
                entry.record.removals.push(host);
            }
        }
        entry.doc = followed.document;
        entry.doc.take_touched();
        entry.asked.clear();
        entry.paces.values_mut().for_each(Pace::forget);
        entry.index = None;
        entry.refused.clear();
        entry.unheard.clear();
        let number = entry.doc.epoch().number;
        for write in writes {
            self.write(write);
        }
        self.save_queue(queue);
        tracing::info!(%queue, epoch = number, author = %way.last().author, "followed into another epoch");
        self.note_touched(queue, touched);
        self.carry(queue);
        self.unite_removals(queue);
        self.compare_soon(queue);
        // Who made it has what was written since, and admins have the key.
        let entry = &self.queues[&queue];
        let members = &entry.doc.snapshot().members;
        let is_admin = |host: &HostId| members.get(host).is_some_and(|m| m.may(Role::Admin));
        let wants_key = entry.record.key.is_none() && is_admin(&me);
        let author = way.last().author;
        let near = self.near(queue).into_iter();
        let near = near.filter(|host| *host == author || wants_key && is_admin(host));
        for member in near.collect::<Vec<_>>() {
            self.say_have(member, queue);
        }
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            host: Some(author),
            state: Some(number.to_string()),
            ..Event::new("queue.epoch")
        });
        true
    }

    /// Writes again what the present epoch began without, as far as it can be.
    pub(crate) fn carry(&mut self, queue: QueueId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        if entry.epochs.carry.is_empty() || entry.doc.is_blank() {
            return;
        }
        let me = entry.doc.snapshot().members.get(&self.me);
        let admin = me.is_some_and(|me| me.may(Role::Admin));
        let key = entry.record.key.as_ref().filter(|_| admin);
        let key = key.map(|key| SigningKey::from_bytes(&key.0));
        let waiting = std::mem::take(&mut entry.epochs.carry);
        let count = waiting.len();
        let done = entry
            .doc
            .carry_over(waiting, self.now.wall, &*self.signer, key.as_ref());
        let changed = !done.changes.is_empty() || done.left.len() != count;
        entry.epochs.carry = done.left;
        let touched = entry.doc.take_touched();
        for change in &done.changes {
            let (log, entry) = (queue.0, change.to_bytes());
            self.write(Write::Append { log, entry });
        }
        if changed {
            let left = &self.queues[&queue].epochs.carry;
            let write = records::put(key::carry(queue), left);
            self.write(write);
            self.note_touched(queue, touched);
            self.spread(queue, &done.changes, &Default::default());
        }
        for key in done.refused {
            tracing::warn!(%queue, key, "something that this host wrote has no place in the new epoch");
            self.tell(Event {
                queue: self.queue_names().remove(&queue),
                host: Some(self.me),
                state: Some("epoch-late".to_owned()),
                text: Some(format!("came too late for the queue's new epoch: {key}")),
                ..Event::new("refused")
            });
        }
    }

    /// Gives an admin that is in the same epoch the key, once over each link.
    pub(crate) fn offer_key(&mut self, queue: QueueId, host: HostId) {
        let entry = &self.queues[&queue];
        let epoch = entry.doc.epoch().hash;
        let given = entry.epochs.gave.get(&host) == Some(&epoch);
        if given || entry.doc.epoch().number == 0 || entry.record.key.is_none() {
            return;
        }
        self.give_key(queue, host);
        if let Some(entry) = self.queues.get_mut(&queue) {
            entry.epochs.gave.insert(host, epoch);
        }
    }

    /// A link has ended: what was on its way over it is lost.
    pub(crate) fn epochs_gone(&mut self, host: HostId) {
        for entry in self.queues.values_mut() {
            entry.epochs.gave.remove(&host);
            let from = |incoming: &mut Incoming| incoming.from == host;
            entry.epochs.incoming.take_if(from);
        }
    }

    /// Asks again for what does not come.
    pub(crate) fn expire_founding(&mut self) {
        let now = self.now.mono_ms;
        let late = self.queues.iter_mut().filter_map(|(queue, entry)| {
            let is_late = |incoming: &mut Incoming| incoming.until_ms <= now;
            let incoming = entry.epochs.incoming.take_if(is_late)?;
            Some((*queue, incoming.from))
        });
        for (queue, from) in late.collect::<Vec<_>>() {
            self.say_have(from, queue);
        }
    }

    pub(crate) fn epoch_wakeups(&self) -> impl Iterator<Item = u64> {
        self.queues.values().flat_map(|entry| {
            let incoming = entry.epochs.incoming.as_ref();
            let until = incoming.map(|incoming| incoming.until_ms);
            let due = entry.epochs.due_ms.filter(|at| *at > self.now.mono_ms);
            until.into_iter().chain(due)
        })
    }

    pub(crate) fn send_key(&mut self, queue: QueueId, to: HostId, key: [u8; 32]) {
        let key = QueueKey(key);
        self.send(to, Message::Key { queue, key });
    }

    /// Whether this host has things of an earlier epoch that it could not write again yet.
    pub fn is_carrying(&self, queue: QueueId) -> bool {
        let entry = self.queues.get(&queue);
        entry.is_some_and(|entry| !entry.epochs.carry.is_empty())
    }
}
