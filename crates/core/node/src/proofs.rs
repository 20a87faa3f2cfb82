//! Proofs that a member signed two histories: kept, shown, and passed on, so that every host that is told knows of it.
//!
//! A proof changes nothing about what is admitted: of two histories each host keeps the one that it had first. What follows
//! from it is for people to decide.

use printmesh_queue::{Equivocation, HostId, QueueId};

use crate::{
    effect::Write,
    event::Event,
    limits::{MESSAGE_BYTES_MAX, PROOF_BYTES_TOLD, PROOFS_MAX},
    message::Message,
    node::Node,
    records::key,
    sabotage::Sabotage,
};

impl Node {
    /// Returns the proof that a host signed two histories in a queue, if this host has one.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn proof(&self, queue: QueueId, host: HostId) -> Option<&Equivocation> {
        self.queues[&queue].proofs.get(&host)
    }

    /// Another member says that it has a proof. It proves itself, whoever brings it.
    pub(crate) fn heard_proof(&mut self, from: HostId, queue: QueueId, bytes: &[u8]) {
        if !self.shares(queue, from) {
            self.complain(from, "brought a proof of a queue that is not shared");
            return;
        }
        // To read one costs two signatures: not for who brings nothing but junk.
        if !self.is_heard(queue, from) {
            return;
        }
        match Equivocation::read(queue, bytes) {
            Some(proof) => self.keep_proof(queue, proof),
            None => {
                self.pay_for_junk(queue, from);
                self.complain(from, "brought a proof that proves nothing");
            }
        }
    }

    /// Keeps a proof, one for each member, and passes it on.
    pub(crate) fn keep_proof(&mut self, queue: QueueId, proof: Equivocation) {
        let author = proof.author();
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let is_member = entry.doc.snapshot().members.contains_key(&author);
        let is_known = entry.proofs.contains_key(&author);
        if !is_member || is_known || entry.proofs.len() >= PROOFS_MAX {
            return;
        }
        let value = proof.to_bytes();
        entry.proofs.insert(author, proof);
        if !self.sabotaged(Sabotage::VolatileProofs) {
            self.write(Write::Put {
                key: key::proof(queue, author).into_bytes(),
                value,
            });
        }
        tracing::error!(%queue, member = %author, "a member signed two histories");
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            host: Some(author),
            state: Some("equivocation".to_owned()),
            text: Some("this member signed two different changes under one number".to_owned()),
            ..Event::new("member.equivocation")
        });
        for member in self.connected_members(queue) {
            self.tell_proof(member, queue, author);
        }
    }

    /// Tells a member that has just connected what it may not know.
    pub(crate) fn tell_proofs(&mut self, to: HostId, queue: QueueId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        // What was on its way when a link died is lost.
        entry.told_proofs.retain(|(told, _)| *told != to);
        let mut room = PROOF_BYTES_TOLD;
        let sizes = entry
            .proofs
            .iter()
            .map(|(author, proof)| (*author, proof.to_bytes().len()));
        for (author, size) in sizes.collect::<Vec<_>>() {
            if let Some(left) = room.checked_sub(size) {
                room = left;
                self.tell_proof(to, queue, author);
            }
        }
    }

    /// Says it once over each link. One that is too large for a message stays here: whoever
    /// sees both changes has it all the same.
    fn tell_proof(&mut self, to: HostId, queue: QueueId, author: HostId) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let Some(proof) = entry.proofs.get(&author) else {
            return;
        };
        if to == author || !entry.told_proofs.insert((to, author)) {
            return;
        }
        let message = Message::Proof {
            queue,
            proof: proof.to_bytes(),
        };
        if message.encode().len() <= MESSAGE_BYTES_MAX {
            self.send(to, message);
        }
    }

    /// Members of a queue with whom there is a link.
    pub(crate) fn connected_members(&self, queue: QueueId) -> Vec<HostId> {
        self.near(queue).into_iter().collect()
    }
}
