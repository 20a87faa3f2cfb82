//! What a member answers to a host that wants to join, as the joiner takes it: wait, come in, or no.

use ed25519_dalek::SigningKey;
use printmesh_queue::{Author, HostId, QueueDocument};

use crate::{
    comparison::{Nonce, comparison_code},
    effect::Answer,
    event::Event,
    join::Syncing,
    limits::{JOIN_MS, NAME_BYTES_MAX},
    message::QueueKey,
    node::{Node, Queue},
    problem::{Code, Problem},
    records::{QueueKind, QueueRecord},
    ticket::{JoinMessage, Welcome},
};

impl Node {
    /// A person there has to approve: this host shows what it adds to the code.
    pub(crate) fn told_to_wait(&mut self, number: u64, attempt: u64, theirs: Nonce) {
        let conversation = self.joins.conversations.get_mut(&number);
        let own =
            conversation.and_then(|found| Some((found.peer, found.exporter, found.nonce.take()?)));
        // Once in a conversation: what was shown is no secret any more.
        let Some((peer, exporter, nonce)) = own else {
            return;
        };
        self.say(number, &JoinMessage::Reveal { nonce }, false);
        let Some(outgoing) = self.joins.outgoing.get_mut(&attempt) else {
            return;
        };
        outgoing.asked = true;
        outgoing.deadline_ms = None;
        // Computed here, never taken from the other end: that is what makes comparing worth something.
        let code = comparison_code(&exporter, nonce, theirs);
        if let Some(command) = outgoing.command.take() {
            self.reply(
                command,
                Ok(Answer::Asked {
                    host: peer,
                    code: code.clone(),
                }),
            );
        }
        self.tell(Event {
            host: Some(peer),
            state: Some(code),
            text: Some("waits for a member's approval".into()),
            ..Event::new("join.asked")
        });
    }

    pub(crate) fn turned_away(&mut self, attempt: u64, code: &str, text: String) {
        let Some(outgoing) = self.joins.outgoing.remove(&attempt) else {
            return;
        };
        let known = [
            Code::TicketBad,
            Code::TicketProof,
            Code::TicketExpired,
            Code::TicketUsed,
            Code::TicketRevoked,
            Code::TicketOldKey,
            Code::TicketForeign,
            Code::MemberRemoved,
            Code::QueueFull,
            Code::LanNothing,
        ];
        let code = known
            .into_iter()
            .find(|known| known.as_str() == code)
            .unwrap_or(Code::JoinRefused);
        // The words come from a host that may be a stranger: short, and without anything that moves a cursor.
        let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        let mut problem = Problem::new(
            code,
            format!(
                "host {} did not let this host in",
                outgoing.host.fingerprint()
            ),
        )
        .because(text.clone());
        if outgoing.ticket.is_some() {
            problem = problem.fix(
                "printmesh queue share QUEUE",
                "make a new ticket, on a host that is in the queue",
            );
        }
        if let Some(command) = outgoing.command {
            self.reply(command, Err(problem));
        }
        self.tell(Event {
            host: Some(outgoing.host),
            state: Some(code.as_str().to_owned()),
            text: Some(text),
            ..Event::new("join.refused")
        });
    }

    pub(crate) fn welcomed(&mut self, number: u64, attempt: u64, welcome: Welcome) {
        let Some(outgoing) = self.joins.outgoing.remove(&attempt) else {
            return;
        };
        self.joins.conversations.remove(&number);
        let wanted = outgoing
            .ticket
            .as_ref()
            .is_none_or(|ticket| ticket.queue == welcome.queue.0);
        let certificate = welcome.certificate().filter(|certificate| {
            certificate.member == self.me
                && certificate.is_signed_by(welcome.queue, &welcome.epoch.key)
        });
        let key = welcome.key.filter(|key| {
            SigningKey::from_bytes(&key.0).verifying_key().to_bytes() == welcome.epoch.key
        });
        let Some(certificate) = certificate.filter(|_| wanted) else {
            let problem = Problem::new(Code::JoinRefused, "the answer of that host is not genuine")
                .because("its certificate is not for this host, this queue, or not signed by the queue key");
            if let Some(command) = outgoing.command {
                self.reply(command, Err(problem));
            }
            return;
        };
        let id = welcome.queue;
        let known = self.queues.get(&id).map(|queue| &queue.record);
        let known = known.filter(|record| !record.left);
        let position = known.map_or_else(|| self.next_position(), |record| record.position);
        let joined_as: String = welcome
            .name
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_BYTES_MAX)
            .collect();
        let record = QueueRecord {
            kind: QueueKind::Network,
            alias: outgoing.as_name,
            joined_as,
            key: key.or_else(|| {
                let ticket = outgoing
                    .ticket
                    .as_ref()
                    .filter(|ticket| ticket.proof.is_empty());
                ticket.map(|ticket| QueueKey(ticket.secret))
            }),
            position,
            left: false,
            lan: welcome.lan,
            certificate: Some(certificate),
            introduced_by: Some(outgoing.host),
            anchor: (welcome.epoch.id.number > 0).then_some(welcome.epoch),
            removals: Vec::new(),
            relays: match outgoing.relays.is_empty() {
                // Joined again without a word about relays: what was agreed to stays.
                true => known.map_or_else(Vec::new, |record| record.relays.clone()),
                false => outgoing.relays,
            },
        };
        match self.queues.get_mut(&id) {
            Some(known) => known.record = record,
            None => {
                let author = Author {
                    host: self.me,
                    boot: self.instance,
                };
                self.queues
                    .insert(id, Queue::new(record, QueueDocument::new(id, author)));
            }
        }
        self.save_queue(id);
        for (host, addresses) in welcome
            .peers
            .into_iter()
            .chain([(outgoing.host, outgoing.addresses)])
        {
            self.learn_addresses(host, addresses);
        }
        // Whose link was up before has asked in vain: until now this host said nothing of this queue.
        let linked = self.peers.iter().filter(|(_, peer)| peer.connected);
        let linked: Vec<HostId> = linked.map(|(host, _)| *host).collect();
        for host in linked {
            if self.shares(id, host) {
                self.open_with(host, id);
            }
        }
        if let Some(command) = outgoing.command {
            let deadline_ms = self.now.mono_ms + JOIN_MS;
            self.joins.syncing.push(Syncing {
                command,
                queue: id,
                deadline_ms,
            });
        }
        let queue = self.queue_names().remove(&id);
        self.tell(Event {
            queue,
            host: Some(outgoing.host),
            ..Event::new("queue.joined")
        });
    }
}
