//! What an admin decides about members: another role, removal. How the others take it is the document's; here it is asked
//! whether the command makes sense, and the links and keys follow.

use ed25519_dalek::SigningKey;
use printmesh_queue::{Certificate, Decision, HostId, QueueId, Role, SignedChange};

use crate::{
    effect::Answer,
    event::Event,
    limits::PARTING_MS,
    message::{Message, QueueKey},
    names::hosts_named,
    node::Node,
    problem::{Code, Problem},
    records::QueueKind,
};

impl Node {
    /// Finds a member by name or fingerprint, one that was removed too.
    ///
    /// # Errors
    /// When there is none, or several.
    ///
    /// # Panics
    /// When the id is not one of this node's.
    pub fn anybody_named(&self, queue: QueueId, reference: &str) -> Result<HostId, Problem> {
        let entry = &self.queues[&queue];
        let members = entry.doc.snapshot().members.iter();
        let members = members.map(|(host, member)| (*host, member.name.as_str()));
        let shown = entry.name();
        let unknown = |title: String, fix: &str| {
            Problem::new(Code::MemberUnknown, title)
                .fix(format!("printmesh member list {shown}"), fix)
        };
        match hosts_named(reference, members).as_slice() {
            [host] => Ok(*host),
            [] => Err(unknown(
                format!("{shown} has no member `{reference}`"),
                "see who is in it",
            )),
            _ => Err(unknown(
                format!("several members of {shown} are named `{reference}`"),
                "name it by its key",
            )),
        }
    }

    /// The queue, the key to decide with, and the member.
    fn decides(&self, queue: &str, member: &str) -> Result<(QueueId, SigningKey, HostId), Problem> {
        let id = self.network_queue(queue)?;
        let key = self.queue_key(id)?;
        self.require(id, Role::Admin)?;
        let host = self.anybody_named(id, member)?;
        if host == self.me {
            return Err(
                Problem::new(Code::NotAllowed, "a host decides nothing about itself")
                    .fix(format!("printmesh queue leave {queue}"), "leave the queue")
                    .fix("", "or let another admin decide"),
            );
        }
        Ok((id, key, host))
    }

    pub(crate) fn member_role(
        &mut self,
        queue: &str,
        member: &str,
        role: Role,
    ) -> Result<Answer, Problem> {
        let (id, key, host) = self.decides(queue, member)?;
        let known = self.queues[&id].doc.snapshot().members[&host].clone();
        let text = format!("{} is {} in {queue}", known.name, role.word());
        if known.certificate.role == role && !known.is_removed() {
            return Ok(Answer::Done {
                already: true,
                text,
            });
        }
        self.decide(id, &key, &known.certificate, role, false)?;
        self.give_key(id, host);
        let text = match known.certificate.role {
            // It knows the key, and could make itself an admin again.
            Role::Admin => self.with_another_key(id, text),
            Role::Observer | Role::Submitter | Role::Printer | Role::Operator => text,
        };
        Ok(Answer::Done {
            already: false,
            text,
        })
    }

    pub(crate) fn member_remove(&mut self, queue: &str, member: &str) -> Result<Answer, Problem> {
        let (id, name) = match self.put_out(queue, member)? {
            (id, name, true) => (id, name),
            (_, name, false) => {
                return Ok(Answer::Done {
                    already: true,
                    text: format!("{name} was removed from {queue}"),
                });
            }
        };
        let text = format!("removed {name} from {queue}; what it wrote stays");
        let text = self.with_another_key(id, text);
        Ok(Answer::Done {
            already: false,
            text,
        })
    }

    /// Takes a member out, as far as the document goes. Returns its name, and whether it was in.
    pub(crate) fn put_out(
        &mut self,
        queue: &str,
        member: &str,
    ) -> Result<(QueueId, String, bool), Problem> {
        let (id, key, host) = self.decides(queue, member)?;
        let snapshot = self.queues[&id].doc.snapshot();
        let known = snapshot.members[&host].clone();
        if known.is_removed() {
            return Ok((id, known.name, false));
        }
        let voters = &snapshot.voters;
        let votes = voters.hosts.contains(&host);
        if votes && voters.hosts.len() - 1 < voters.majority() {
            return Err(Problem::new(
                Code::QueueVoter,
                format!("{} cannot be removed from {queue} now", known.name),
            )
            .because("it alone decides which printer gets a copy: without it nothing would start")
            .fix(
                format!("printmesh queue voters {queue} --set HOST"),
                "choose others first",
            )
            .fix(
                format!("printmesh queue recover {queue}"),
                "or, when it is gone for good, decide here from now on",
            ));
        }
        let role = known.certificate.role;
        self.decide(id, &key, &known.certificate, role, true)?;
        Ok((id, known.name, true))
    }

    pub(crate) fn decide(
        &mut self,
        queue: QueueId,
        key: &SigningKey,
        known: &Certificate,
        role: Role,
        removed: bool,
    ) -> Result<(), Problem> {
        let next = known.replace(key, role, removed, self.now.wall);
        let before = self.queues[&queue].doc.vector();
        self.edit(queue, |edit| {
            edit.put_certificate(&next);
            Ok(())
        })?;
        for change in self.queues[&queue].doc.changes_after(&before) {
            self.part_with(queue, next.member, &change);
        }
        self.tell_decision(queue, next.member);
        Ok(())
    }

    /// Others decided something about members.
    pub(crate) fn decided(&mut self, queue: QueueId, decisions: Vec<Decision>) {
        for decision in decisions {
            let member = decision.member;
            if decision.overlooks && !self.is_removed(queue) {
                self.record(queue, |edit| edit.keep_what_was(member, decision.turn));
            }
            self.part_with(queue, member, &decision.change);
            self.tell_decision(queue, member);
        }
    }

    fn tell_decision(&mut self, queue: QueueId, host: HostId) {
        let Some(member) = self.queues[&queue].doc.snapshot().members.get(&host) else {
            return;
        };
        let (kind, state) = match member.is_removed() {
            true => ("member.removed", None),
            false => (
                "member.role",
                Some(member.certificate.role.word().to_owned()),
            ),
        };
        tracing::info!(%queue, member = %host, removed = member.is_removed(), "a member was decided about anew");
        let queue = self.queue_names().remove(&queue);
        self.tell(Event {
            queue,
            host: Some(host),
            state,
            ..Event::new(kind)
        });
    }

    /// A member that was removed hears of it, and then its link ends.
    fn part_with(&mut self, queue: QueueId, host: HostId, change: &SignedChange) {
        if !self.is_out(queue, host) || host == self.me {
            return;
        }
        let until = self.now.mono_ms + PARTING_MS;
        if let Some(entry) = self.queues.get_mut(&queue) {
            entry.readmitted.remove(&host);
            entry.parting.insert(host, until);
        }
        let changes = vec![change.to_bytes()];
        let also = Vec::new();
        let epoch = self.queues[&queue].doc.epoch().hash;
        self.send(
            host,
            Message::Changes {
                queue,
                epoch,
                changes,
                also,
            },
        );
    }

    pub(crate) fn parting_wakeups(&self) -> impl Iterator<Item = u64> {
        let queues = self.queues.values();
        queues.flat_map(|queue| queue.parting.values().copied())
    }

    /// Whether a host was removed from a queue.
    pub(crate) fn is_out(&self, queue: QueueId, host: HostId) -> bool {
        let members = self
            .queues
            .get(&queue)
            .map(|entry| &entry.doc.snapshot().members);
        members.is_some_and(|members| members.get(&host).is_some_and(|member| member.is_removed()))
    }

    /// Whether this host was removed from a queue.
    pub(crate) fn is_removed(&self, queue: QueueId) -> bool {
        self.is_out(queue, self.me)
    }

    pub(crate) fn was_removed(&self, queue: QueueId) -> Problem {
        let name = self.queues[&queue].name();
        Problem::new(
            Code::MemberRemoved,
            format!("this host was removed from {name}"),
        )
        .because("an admin of it decided so; nothing that this host writes there counts any more")
        .fix(
            format!("printmesh queue leave {name}"),
            "forget the queue here",
        )
    }

    /// The certificate with which a host comes in: a new one, or the one that says what was decided about it.
    pub(crate) fn certificate_for(
        &self,
        queue: QueueId,
        key: &SigningKey,
        peer: HostId,
        role: Role,
        invite: Option<HostId>,
    ) -> Result<Certificate, Problem> {
        let members = &self.queues[&queue].doc.snapshot().members;
        match members.get(&peer).map(|member| &member.certificate) {
            Some(known) if known.removed => Err(Problem::new(
                Code::MemberRemoved,
                "this host was removed from the queue",
            )),
            Some(known) if known.turn > 0 => Ok(known.clone()),
            Some(_) | None => {
                let issued = self.now.wall;
                Ok(Certificate::issue_in(
                    queue, key, peer, role, issued, invite,
                ))
            }
        }
    }

    /// A person lets a host in that was removed, or with another role than was decided.
    pub(crate) fn let_back_in(
        &mut self,
        queue: QueueId,
        host: HostId,
        role: Role,
    ) -> Result<(), Problem> {
        let members = &self.queues[&queue].doc.snapshot().members;
        let known = members.get(&host).map(|member| member.certificate.clone());
        match known {
            Some(known) if known.turn > 0 && (known.removed || known.role != role) => {
                let key = self.queue_key(queue)?;
                self.decide(queue, &key, &known, role, false)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A member that became an admin by a decision gets what it needs to let others in.
    pub(crate) fn give_key(&mut self, queue: QueueId, host: HostId) {
        let entry = &self.queues[&queue];
        let members = &entry.doc.snapshot().members;
        let due = |host| {
            let member = members.get(&host);
            let later = entry.doc.epoch().number > 0;
            member.is_some_and(|member| {
                member.may(Role::Admin) && (later || member.certificate.turn > 0)
            })
        };
        let network = entry.record.kind == QueueKind::Network;
        let key = entry.record.key.as_ref();
        if let Some(key) = key.filter(|_| network && due(host)).cloned() {
            self.send(host, Message::Key { queue, key });
        }
    }

    /// An admin gives this host the queue key.
    pub(crate) fn take_key(&mut self, from: HostId, queue: QueueId, key: QueueKey) {
        let public = SigningKey::from_bytes(&key.0).verifying_key().to_bytes();
        if !self.shares(queue, from) {
            self.complain(from, "gave a key of a queue that is not shared");
            return;
        }
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        if public != entry.doc.epoch_key() {
            // Of an epoch that has not arrived, or of one that is over.
            let members = &entry.doc.snapshot().members;
            if members
                .get(&from)
                .is_some_and(|member| member.may(Role::Admin))
            {
                entry.epochs.note_key(key);
            }
        } else if entry.record.key.is_none() {
            entry.record.key = Some(key);
            self.save_queue(queue);
            self.carry(queue);
            self.unite_removals(queue);
        }
    }
}
