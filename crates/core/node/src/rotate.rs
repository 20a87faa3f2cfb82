//! When an epoch ends: a member was put out, a person wants another key, or the document has grown long.

use ed25519_dalek::SigningKey;
use printmesh_queue::{HostId, QueueId, Role};

use crate::{
    effect::Answer,
    limits::{EPOCH_CHANGES_FACTOR, EPOCH_RANK_MS, EPOCH_STARTS},
    message::QueueKey,
    node::Node,
    problem::{Code, Problem},
};

/// Which key the next epoch has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextKey {
    /// The present one: nobody was put out.
    Same,
    Another,
}

impl Node {
    /// Ends the epoch: members follow by themselves, admins are given the key.
    fn rotate(&mut self, queue: QueueId, next: NextKey) -> Result<(), Problem> {
        let key = self.queue_key(queue)?;
        self.require(queue, Role::Admin)?;
        let next = match next {
            NextKey::Same => key.clone(),
            NextKey::Another => SigningKey::from_bytes(&self.entropy.bytes()),
        };
        let Some(entry) = self.queues.get_mut(&queue) else {
            return Err(Problem::new(Code::QueueUnknown, "this queue is gone"));
        };
        let now = self.now.wall;
        let made = entry.doc.next_epoch(&key, &next, &*self.signer, now);
        let (way, founding) = made?;
        entry.record.key = Some(QueueKey(next.to_bytes()));
        self.follow_epoch(queue, &way, founding, Vec::new());
        let doc = &self.queues[&queue].doc;
        if doc.epoch().hash != way.last().hash() {
            // Its own founding changes were not good: nothing has happened.
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.record.key = Some(QueueKey(key.to_bytes()));
            }
            return Err(Problem::new(
                Code::Document,
                "the next epoch of this queue cannot be begun",
            ));
        }
        let members = doc.snapshot().members.iter();
        let admins = members.filter(|(_, member)| member.may(Role::Admin));
        let admins: Vec<HostId> = admins.map(|(host, _)| *host).collect();
        for host in self.near(queue) {
            self.send_epoch(host, queue, &[way.last().clone()]);
            if admins.contains(&host) {
                self.send_key(queue, host, next.to_bytes());
            }
        }
        Ok(())
    }

    /// Somebody was put out: the queue gets a key that it does not know. Returns what is said about it.
    pub(crate) fn with_another_key(&mut self, queue: QueueId, text: String) -> String {
        match self.rotate(queue, NextKey::Another) {
            Ok(()) => format!("{text}. The queue has another key from now on"),
            Err(problem) => {
                tracing::error!(%queue, %problem, "could not give the queue another key");
                format!("{text}. The queue keeps its key: {problem}")
            }
        }
    }

    /// Gives a queue another key because a person wants it, and removes members before.
    pub(crate) fn queue_rotate(
        &mut self,
        queue: &str,
        remove: &[String],
    ) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        self.queue_key(id)?;
        self.require(id, Role::Admin)?;
        let mut any = false;
        let mut failed = None;
        for member in remove {
            match self.put_out(queue, member) {
                Ok(_) => any = true,
                Err(problem) => {
                    failed = Some(problem);
                    break;
                }
            }
        }
        // Who is out already must not keep the key because of another one that cannot be removed.
        if failed.is_none() || any {
            self.rotate(id, NextKey::Another)?;
        }
        if let Some(problem) = failed {
            return Err(problem);
        }
        let entry = &self.queues[&id];
        let number = entry.doc.epoch().number;
        let snapshot = entry.doc.snapshot();
        let holders = snapshot
            .present_members()
            .filter(|(_, member)| member.may(Role::Admin));
        let holders: Vec<&str> = holders.map(|(_, member)| member.name.as_str()).collect();
        Ok(Answer::Done {
            already: false,
            text: format!(
                "{queue} has another key (epoch {number}); its admins get it: {}. Tickets with the old key itself are good no more",
                holders.join(", ")
            ),
        })
    }

    /// Removals that were decided on a way that did not count are decided here again.
    pub(crate) fn unite_removals(&mut self, queue: QueueId) {
        let entry = &self.queues[&queue];
        if entry.record.removals.is_empty() {
            return;
        }
        let Ok(key) = self.queue_key(queue) else {
            return;
        };
        if self.require(queue, Role::Admin).is_err() {
            return;
        }
        let removals = match self.queues.get_mut(&queue) {
            Some(entry) => std::mem::take(&mut entry.record.removals),
            None => return,
        };
        self.save_queue(queue);
        let mut any = false;
        for host in removals {
            let members = &self.queues[&queue].doc.snapshot().members;
            let known = members.get(&host).map(|member| member.certificate.clone());
            let Some(known) = known.filter(|known| !known.removed && host != self.me) else {
                continue;
            };
            match self.decide(queue, &key, &known, known.role, true) {
                Ok(()) => any = true,
                Err(problem) => {
                    tracing::error!(%queue, %problem, "could not remove again who was removed");
                }
            }
        }
        if any && let Err(problem) = self.rotate(queue, NextKey::Another) {
            tracing::error!(%queue, %problem, "could not give the queue another key");
        }
    }

    /// Ends epochs that have grown long: the first admin at once, the others only if it does not.
    pub(crate) fn tend_epochs(&mut self) {
        self.expire_founding();
        let now = self.now.mono_ms;
        for queue in self.queues_in_order() {
            let entry = &self.queues[&queue];
            let changes = entry.doc.changes_of_epoch();
            let starts = entry.doc.starts_of_epoch();
            let short = changes < self.epoch_changes && starts < EPOCH_STARTS;
            if short || entry.record.key.is_none() {
                continue;
            }
            let snapshot = entry.doc.snapshot();
            let present: Vec<_> = snapshot.present_members().collect();
            let mut admins = present
                .iter()
                .filter(|(_, member)| member.may(Role::Admin))
                .map(|(host, _)| **host);
            let Some(rank) = admins.position(|host| host == self.me) else {
                continue;
            };
            let here = present.iter().filter(|(host, _)| {
                **host == self.me || self.peers.get(host).is_some_and(|peer| peer.connected)
            });
            let most = here.count() * 2 > present.len();
            let due_ms = *self
                .queues
                .get_mut(&queue)
                .expect("it is in the order")
                .epochs
                .due_ms
                .get_or_insert(now + rank as u64 * EPOCH_RANK_MS);
            let long = changes >= self.epoch_changes.saturating_mul(EPOCH_CHANGES_FACTOR)
                || starts >= EPOCH_STARTS * EPOCH_CHANGES_FACTOR;
            if due_ms > now || !most && !long {
                continue;
            }
            if let Err(problem) = self.rotate(queue, NextKey::Same) {
                tracing::error!(%queue, %problem, "could not begin the next epoch");
                // Not with every step.
                if let Some(entry) = self.queues.get_mut(&queue) {
                    entry.epochs.due_ms = Some(now + EPOCH_RANK_MS);
                }
            }
        }
    }

    /// Sets after how many changes an epoch ends.
    pub fn end_epochs_after(&mut self, changes: usize) {
        self.epoch_changes = changes.max(1);
    }
}
