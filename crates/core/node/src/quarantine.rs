//! Hosts on whose changes the document engine broke here. What they write is not taken in any more until a person of this host
//! says otherwise; how that is judged is the document's. It is this host's own knowledge: others may run another version.

use printmesh_queue::{ChangeHash, HostId, QueueId, Refused, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    effect::Answer,
    event::Event,
    limits::QUARANTINE_CHANGES_MAX,
    node::Node,
    problem::Problem,
    records::{self, key},
};

/// Why a host is in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Stable code of what happened: `engine`.
    pub code: String,
    /// Number of the change, in the chain of its author.
    pub seq: u64,
    /// When; this host's wall clock.
    pub since: Timestamp,
    /// The changes on which the engine broke.
    pub(crate) changes: Vec<ChangeHash>,
    /// A person has released it, knowing those. They are tried again at each start, perhaps by another version.
    pub(crate) released: bool,
}

impl Node {
    /// Returns who is in quarantine in a queue on this host, and why.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn quarantined(&self, queue: QueueId, host: HostId) -> Option<&Quarantine> {
        let known = self.queues[&queue].quarantined.get(&host);
        known.filter(|known| !known.released)
    }

    /// A change of a member broke the engine.
    pub(crate) fn quarantine(&mut self, queue: QueueId, host: HostId, refused: &Refused) {
        let (since, seq, code) = (self.now.wall, refused.seq, refused.why.code());
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let known = entry.quarantined.get(&host);
        let mut changes = known.map_or_else(Vec::new, |known| known.changes.clone());
        if host == self.me || changes.contains(&refused.change) {
            return;
        }
        if changes.len() == QUARANTINE_CHANGES_MAX {
            changes.remove(0);
        }
        changes.push(refused.change);
        let quarantine = Quarantine {
            code: code.to_owned(),
            seq,
            since,
            changes,
            released: false,
        };
        entry.doc.quarantine(host);
        entry.quarantined.insert(host, quarantine.clone());
        self.write(records::put(key::quarantine(queue, host), &quarantine));
        tracing::error!(%queue, member = %host, seq, code, "a member's change broke the document, quarantined it");
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            host: Some(host),
            state: Some(code.to_owned()),
            text: Some("a change of this member broke the document here; nothing of it is taken until somebody releases it".to_owned()),
            ..Event::new("member.quarantined")
        });
    }

    /// A person says that a member's changes are to be taken again.
    pub(crate) fn member_release(&mut self, queue: &str, member: &str) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        let host = self.anybody_named(id, member)?;
        let name = self.queues[&id].doc.snapshot().members[&host].name.clone();
        let text = format!("the changes of {name} are taken again in {queue}");
        let entry = self.queues.get_mut(&id).expect("it was found by its name");
        let held = entry.quarantined.get_mut(&host);
        let Some(quarantine) = held.filter(|quarantine| !quarantine.released) else {
            return Ok(Answer::Done {
                already: true,
                text,
            });
        };
        quarantine.released = true;
        let write = records::put(key::quarantine(id, host), &*quarantine);
        let admitted = entry.doc.release(host);
        self.write(write);
        self.took_in(id, host, admitted, &Default::default(), &[]);
        // What did not fit into what is withheld comes again.
        let near: Vec<HostId> = self.connected_members(id);
        for member in near {
            self.say_have(member, id);
        }
        Ok(Answer::Done {
            already: false,
            text,
        })
    }
}
