//! The member's side of joining: tickets, windows, and hosts that ask and are let in or refused by a person.

use ed25519_dalek::{Signer as _, SigningKey};
use printmesh_queue::{Anchor, HostId, QueueId, Role, verify};

use crate::{
    bucket::Bucket,
    comparison::{Commitment, Nonce, comparison_code},
    effect::{Answer, TicketParts},
    event::Event,
    join::{Asking, LanAsk, Window},
    limits::{ASKING_MAX, LAN_ASK_COST, LAN_ASKS, MEMBERS_MAX, NAME_BYTES_MAX},
    message::QueueKey,
    names::hosts_named,
    node::{Node, Queue},
    problem::{Code, Problem},
    queues::check_name,
    records::QueueKind,
    ticket::{Invite, JoinMessage, Want, Welcome, proof_bytes, signature},
};

/// Whether the queue's document says that this invite was given out.
fn is_noted(entry: &Queue, invite: &Invite) -> bool {
    let said = entry.doc.snapshot().invites.get(&invite.public);
    said.is_some_and(|said| {
        said.values().any(|record| {
            (record.role, record.uses, record.expires_at_s)
                == (invite.role, invite.uses, invite.expires_at_s)
        })
    })
}

impl Node {
    /// The queue that this host offers on the LAN, and whether it lets everybody in right now.
    pub(crate) fn lan_queue(&self) -> Option<(QueueId, Option<Role>)> {
        if let Some(window) = &self.joins.window {
            return Some((window.queue, Some(window.role)));
        }
        self.queues
            .iter()
            .find(|(_, queue)| queue.record.lan && !queue.record.left && queue.record.key.is_some())
            .map(|(id, _)| (*id, None))
    }

    pub(crate) fn queue_key(&self, queue: QueueId) -> Result<SigningKey, Problem> {
        let entry = &self.queues[&queue];
        entry
            .record
            .key
            .as_ref()
            .map(|key| SigningKey::from_bytes(&key.0))
            .ok_or_else(|| {
                Problem::new(
                    Code::NoQueueKey,
                    format!("this host cannot admit anybody to {}", entry.name()),
                )
                .because("it does not hold the queue key; hosts that were admitted as admin do")
                .fix(
                    format!("printmesh queue peers {}", entry.name()),
                    "see who is admin",
                )
            })
    }

    pub(crate) fn queue_share(
        &mut self,
        queue: &str,
        role: Role,
        expires_ms: Option<u64>,
        uses: u32,
        with_key: bool,
    ) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        let key = self.queue_key(id)?;
        if uses == 0 {
            return Err(Problem::new(
                Code::BadNumber,
                "a ticket needs at least one use",
            ));
        }
        self.require(id, Role::Admin)?;
        let name = self.queues[&id].doc.snapshot().name.clone();
        if with_key {
            return Ok(Answer::Ticket(TicketParts {
                queue: id.0,
                name,
                secret: key.to_bytes(),
                proof: Vec::new(),
                invite: None,
                expires_at_s: None,
            }));
        }
        let expires_at_s = expires_ms.map(|ms| self.now.wall.0.saturating_add(ms) / 1000);
        let secret: [u8; 32] = self.entropy.bytes();
        let public = HostId(SigningKey::from_bytes(&secret).verifying_key().to_bytes());
        let mut invite = Invite {
            queue: id,
            public,
            role,
            expires_at_s,
            uses,
            signature: Vec::new(),
        };
        invite.signature = key.sign(&invite.signed_bytes()).to_bytes().to_vec();
        self.note_invite(id, &invite)?;
        let proof = postcard::to_stdvec(&invite).expect("plain data always encodes");
        Ok(Answer::Ticket(TicketParts {
            queue: id.0,
            name,
            secret,
            proof,
            invite: Some(public),
            expires_at_s,
        }))
    }

    pub(crate) fn queue_open(
        &mut self,
        queue: &str,
        role: Role,
        for_ms: u64,
    ) -> Result<Answer, Problem> {
        let id = self.network_queue(queue)?;
        self.queue_key(id)?;
        let until_ms = self.now.mono_ms.saturating_add(for_ms);
        self.joins.window = Some(Window {
            queue: id,
            role,
            until_ms,
        });
        let waiting: Vec<HostId> = self
            .asking
            .iter()
            .filter(|(_, a)| a.queue == id)
            .map(|(host, _)| *host)
            .collect();
        for host in waiting {
            if self.is_out(id, host) {
                continue;
            }
            self.let_in(host, role)?;
        }
        let text = format!(
            "hosts of this LAN that ask are admitted to {queue} as {}",
            role.word()
        );
        Ok(Answer::Done {
            already: false,
            text,
        })
    }
    pub(crate) fn asked_to_join(
        &mut self,
        conversation: u64,
        peer: HostId,
        exporter: &[u8; 32],
        name: String,
        want: Want,
    ) -> Result<(), Problem> {
        if check_name("host", &name).is_err() || name.len() > NAME_BYTES_MAX {
            return Err(Problem::new(
                Code::BadName,
                "that host's name cannot be used",
            ));
        }
        match want {
            Want::Ticket {
                queue,
                invite,
                proof,
            } => {
                let entry = self
                    .queues
                    .get(&queue)
                    .filter(|entry| entry.record.kind == QueueKind::Network && !entry.record.left);
                let foreign = || {
                    Problem::new(
                        Code::TicketForeign,
                        "this ticket is not for a queue of that host",
                    )
                };
                let entry = entry.ok_or_else(foreign)?;
                let (signer, role, used_invite) = match invite {
                    None => (entry.doc.epoch_key(), Role::Admin, None),
                    Some(bytes) => {
                        let invite: Invite = postcard::from_bytes(&bytes).map_err(|_| {
                            Problem::new(Code::TicketBad, "the invite in this ticket is damaged")
                        })?;
                        let signed = |key: &[u8; 32]| {
                            let (bytes, by) = (invite.signed_bytes(), signature(&invite.signature));
                            verify(key, &bytes, &by)
                        };
                        let earlier = entry.doc.earlier_keys().iter().any(signed);
                        if invite.queue != queue || !signed(&entry.doc.epoch_key()) && !earlier {
                            return Err(foreign());
                        }
                        // The key of an earlier epoch proves nothing any more; what the queue says of a ticket does.
                        if !signed(&entry.doc.epoch_key()) && !is_noted(entry, &invite) {
                            return Err(Problem::new(
                                Code::TicketOldKey,
                                "this ticket is of a key that the queue does not have any more",
                            ));
                        }
                        if invite
                            .expires_at_s
                            .is_some_and(|end| end <= self.now.wall.0 / 1000)
                        {
                            return Err(Problem::new(
                                Code::TicketExpired,
                                "this ticket has expired",
                            ));
                        }
                        if entry.doc.snapshot().is_revoked(invite.public) {
                            return Err(Problem::new(
                                Code::TicketRevoked,
                                "this ticket was taken back",
                            ));
                        }
                        let members = entry.doc.snapshot().members.iter();
                        let used = members.filter(|(host, member)| {
                            **host != peer && member.certificate.invite == Some(invite.public)
                        });
                        if used.count() >= invite.uses as usize {
                            return Err(Problem::new(
                                Code::TicketUsed,
                                "this ticket has been used up",
                            ));
                        }
                        (invite.public.0, invite.role, Some(invite.public))
                    }
                };
                let bytes = proof_bytes(exporter, queue, peer, self.me);
                let proves = |key: &[u8; 32]| verify(key, &bytes, &signature(&proof));
                if used_invite.is_none() && entry.doc.earlier_keys().iter().any(proves) {
                    return Err(Problem::new(
                        Code::TicketOldKey,
                        "the queue has another key since that was given out",
                    ));
                }
                if !proves(&signer) {
                    return Err(Problem::new(
                        Code::TicketProof,
                        "that host does not prove on this connection that it holds the ticket's key",
                    ));
                }
                self.admit(conversation, queue, peer, &name, role, used_invite)
            }
            Want::Lan { commitment } => {
                let Some((queue, open)) = self.lan_queue() else {
                    return Err(Problem::new(
                        Code::LanNothing,
                        "that host offers no queue on this network",
                    ));
                };
                if let Some(role) = open {
                    return self.admit(conversation, queue, peer, &name, role, None);
                }
                let snapshot = self.queues[&queue].doc.snapshot();
                if let Some(member) = snapshot.members.get(&peer).filter(|member| !member.left) {
                    let role = member.certificate.role;
                    return self.admit(conversation, queue, peer, &name, role, None);
                }
                if self.asking.len() >= ASKING_MAX && !self.asking.contains_key(&peer) {
                    return Err(Problem::new(
                        Code::JoinRefused,
                        "too many hosts ask at once",
                    ));
                }
                self.take_lan_ask()?;
                let nonce = Nonce(self.entropy.bytes());
                if let Some(conversation) = self.joins.conversations.get_mut(&conversation) {
                    conversation.lan = Some(LanAsk {
                        queue,
                        name,
                        commitment,
                        nonce,
                    });
                }
                self.say(conversation, &JoinMessage::Waiting { nonce }, false);
                Ok(())
            }
        }
    }

    /// Each question is a chance for somebody in between that the codes are the same: they have a pace.
    fn take_lan_ask(&mut self) -> Result<(), Problem> {
        let now_ms = self.now.mono_ms;
        let most = LAN_ASKS * LAN_ASK_COST;
        let asks = &mut self.joins.lan_asks;
        let asks = asks.get_or_insert_with(|| Bucket::new(now_ms, most));
        asks.fill(now_ms, 1, most);
        if !asks.has(LAN_ASK_COST) {
            return Err(Problem::new(
                Code::JoinRefused,
                "too many hosts ask at once",
            ));
        }
        asks.take(LAN_ASK_COST);
        Ok(())
    }

    /// A host that asked shows what it adds to the code: now a person here may compare it.
    ///
    /// # Errors
    /// It had not asked, or had said something else.
    pub(crate) fn revealed(&mut self, number: u64, nonce: Nonce) -> Result<(), Problem> {
        let conversation = self.joins.conversations.get_mut(&number);
        let asked =
            conversation.and_then(|found| Some((found.peer, found.exporter, found.lan.take()?)));
        let Some((peer, exporter, ask)) =
            asked.filter(|(_, exporter, ask)| Commitment::to(nonce, exporter) == ask.commitment)
        else {
            return Err(Problem::new(
                Code::JoinRefused,
                "that host does not show what it said that it would add to the code",
            ));
        };
        let LanAsk { queue, name, .. } = ask;
        let code = comparison_code(&exporter, nonce, ask.nonce);
        let asking = Asking {
            queue,
            name: name.clone(),
            code: code.clone(),
            conversation: number,
        };
        self.asking.insert(peer, asking);
        let queue = self.queue_names().remove(&queue);
        self.tell(Event {
            queue,
            host: Some(peer),
            state: Some(code),
            text: Some(format!("{name} asks to join")),
            ..Event::new("member.asks")
        });
        Ok(())
    }

    /// Makes a host a member and says so to it.
    fn admit(
        &mut self,
        conversation: u64,
        queue: QueueId,
        peer: HostId,
        name: &str,
        role: Role,
        invite: Option<HostId>,
    ) -> Result<(), Problem> {
        let key = self.queue_key(queue)?;
        let members = &self.queues[&queue].doc.snapshot().members;
        if members.len() >= MEMBERS_MAX && !members.contains_key(&peer) {
            return Err(
                Problem::new(Code::QueueFull, "the queue has as many members as it may")
                    .because(format!("{MEMBERS_MAX} are or were in it")),
            );
        }
        let certificate = self.certificate_for(queue, &key, peer, role, invite)?;
        let role = certificate.role;
        self.edit(queue, |edit| {
            edit.put_certificate(&certificate);
            Ok(())
        })?;
        self.asking.remove(&peer);
        let snapshot = self.queues[&queue].doc.snapshot();
        if snapshot
            .members
            .get(&peer)
            .is_some_and(|member| member.left && !member.is_removed())
            && let Some(entry) = self.queues.get_mut(&queue)
        {
            entry.readmitted.insert(peer);
        }
        let snapshot = self.queues[&queue].doc.snapshot();
        let peers = snapshot
            .present_members()
            .map(|(host, _)| *host)
            .filter(|host| *host != peer && *host != self.me)
            .filter_map(|host| Some((host, self.peers.get(&host)?.record.addresses.clone())))
            .collect();
        let key = (role == Role::Admin).then(|| QueueKey(key.to_bytes()));
        let lan = self.queues[&queue].record.lan;
        let name_of_queue = snapshot.name.clone();
        let doc = &self.queues[&queue].doc;
        let epoch = Anchor {
            id: doc.epoch(),
            key: doc.epoch_key(),
        };
        let welcome = Welcome::new(queue, name_of_queue, &certificate, key, lan, peers, epoch);
        self.say(conversation, &JoinMessage::Welcome(Box::new(welcome)), true);
        self.joins.conversations.remove(&conversation);
        let queue = self.queue_names().remove(&queue);
        self.tell(Event {
            queue,
            host: Some(peer),
            text: Some(format!("{name} joined as {}", role.word())),
            ..Event::new("member.joined")
        });
        Ok(())
    }

    fn let_in(&mut self, host: HostId, role: Role) -> Result<(), Problem> {
        let Some(asking) = self.asking.get(&host).cloned() else {
            return Ok(());
        };
        // A person says so: that outweighs what was decided before.
        self.let_back_in(asking.queue, host, role)?;
        self.admit(
            asking.conversation,
            asking.queue,
            host,
            &asking.name,
            role,
            None,
        )
    }

    fn asking_named(&self, queue: &str, member: &str) -> Result<HostId, Problem> {
        let id = self.network_queue(queue)?;
        let asking = self.asking.iter().filter(|(_, asking)| asking.queue == id);
        let asking = asking.map(|(host, asking)| (*host, asking.name.as_str()));
        match hosts_named(member, asking).as_slice() {
            [host] => Ok(*host),
            [] => Err(Problem::new(
                Code::MemberUnknown,
                format!("no host `{member}` asks to join {queue}"),
            )
            .fix(format!("printmesh queue show {queue}"), "see who asks")),
            _ => Err(Problem::new(
                Code::MemberUnknown,
                format!("several hosts named `{member}` ask to join {queue}"),
            )
            .fix(
                format!("printmesh queue show {queue}"),
                "name it by its key",
            )),
        }
    }

    pub(crate) fn member_approve(
        &mut self,
        queue: &str,
        member: &str,
        role: Role,
    ) -> Result<Answer, Problem> {
        let host = self.asking_named(queue, member)?;
        self.let_in(host, role)?;
        Ok(Answer::Done {
            already: false,
            text: format!("{member} joined {queue} as {}", role.word()),
        })
    }

    pub(crate) fn member_deny(&mut self, queue: &str, member: &str) -> Result<Answer, Problem> {
        let host = self.asking_named(queue, member)?;
        if let Some(asking) = self.asking.remove(&host) {
            let code = Code::JoinRefused.as_str().to_owned();
            let text = "a member refused".to_owned();
            self.say(
                asking.conversation,
                &JoinMessage::Refused { code, text },
                true,
            );
            self.joins.conversations.remove(&asking.conversation);
        }
        Ok(Answer::Done {
            already: false,
            text: format!("{member} was refused"),
        })
    }
}
