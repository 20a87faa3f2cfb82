//! Keeping documents equal: version vectors on connect, new changes pushed at once, everything checked on arrival.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use printmesh_queue::{
    Admitted, Ballot, ChangeHash, CopyId, EpochHash, HostId, PrinterId, QueueId, Refusal,
    SignedChange, Touched,
};

use crate::{
    event::Event,
    limits::{ADDRESSES_MAX, AT_ONCE},
    message::{Beat, Message, Tag},
    node::{Heard, Node, Progress},
    records::{self, key},
    register::Phase,
};

impl Node {
    pub(crate) fn peer_connected(
        &mut self,
        host: HostId,
        software: String,
        address: Option<SocketAddr>,
    ) {
        let peer = self.peers.entry(host).or_default();
        if !std::mem::replace(&mut peer.connected, true) {
            peer.since_ms = Some(self.now.mono_ms);
        }
        peer.incompatible = false;
        peer.note = None;
        peer.came_from = address;
        peer.record.software = Some(software);
        peer.record.last_seen = Some(self.now.wall);
        if let Some(address) = address {
            peer.record.addresses.retain(|known| *known != address);
            peer.record.addresses.insert(0, address);
            peer.record.addresses.truncate(ADDRESSES_MAX);
        }
        self.save_peer(host);
        self.pace_link(host, true);
        // First, so that nobody decides before it knows what it had decided.
        self.say_memory(host);
        self.ask_again_for_missing();
        self.ahead.met();
        for id in self.queues_shared_with(host) {
            self.give_key(id, host);
            self.open_with(host, id);
            self.tell_proofs(host, id);
        }
        let met = self.queues_shared_with(host).into_iter().flat_map(|id| {
            let members = self.queues[&id].doc.snapshot().present_members();
            members.map(|(member, _)| *member).collect::<Vec<_>>()
        });
        let hosts = met
            .filter(|member| *member != host)
            .filter_map(|member| Some((member, self.peers.get(&member)?.record.addresses.clone())))
            .filter(|(_, addresses)| !addresses.is_empty())
            .collect::<BTreeMap<_, _>>();
        if !hosts.is_empty() {
            self.send(
                host,
                Message::Addresses {
                    hosts: hosts.into_iter().collect(),
                },
            );
        }
        for queue in self.queues.values_mut() {
            // A voter says something new, whoever else comes does not.
            if queue.doc.snapshot().voters.hosts.contains(&host) {
                queue.refused.clear();
            }
        }
        self.resend_asks(host);
        self.resend_changes();
        self.resend_confirmations(host);
        self.beat_to(host);
        self.tell_peer(host, "connected", None);
    }

    pub(crate) fn peer_disconnected(&mut self, host: HostId, reason: String) {
        let Some(peer) = self.peers.get_mut(&host) else {
            return;
        };
        if !std::mem::replace(&mut peer.connected, false) {
            return;
        }
        peer.note = Some(reason.clone());
        peer.since_ms = Some(self.now.mono_ms);
        peer.record.last_seen = Some(self.now.wall);
        self.heat_gone(host);
        self.pace_link(host, false);
        self.save_peer(host);
        self.progress.retain(|printer, _| printer.host != host);
        self.watch_gone(host);
        self.epochs_gone(host);
        self.compare_now(host);
        self.tell_peer(host, "away", Some(reason));
    }

    pub(crate) fn peer_incompatible(&mut self, host: HostId, software: String, note: String) {
        let peer = self.peers.entry(host).or_default();
        peer.connected = false;
        peer.incompatible = true;
        peer.record.software = Some(software);
        peer.record.last_seen = Some(self.now.wall);
        peer.note = Some(note.clone());
        self.save_peer(host);
        self.tell_peer(host, "incompatible", Some(note));
    }

    /// Takes note of where a host may be; what this host met itself stays first.
    pub(crate) fn learn_addresses(&mut self, host: HostId, addresses: Vec<SocketAddr>) {
        if host == self.me {
            return;
        }
        let known = &mut self.peers.entry(host).or_default().record.addresses;
        let before = known.len();
        for address in addresses {
            if known.len() < ADDRESSES_MAX && !known.contains(&address) {
                known.push(address);
            }
        }
        if known.len() != before {
            self.save_peer(host);
        }
    }

    fn save_peer(&mut self, host: HostId) {
        let write = records::put(key::peer(host), &self.peers[&host].record);
        self.write(write);
    }

    fn tell_peer(&mut self, host: HostId, state: &str, text: Option<String>) {
        self.tell(Event {
            host: Some(host),
            state: Some(state.to_owned()),
            text,
            ..Event::new("peer.state")
        });
    }

    /// Queues of which a host is a member, as far as this host knows: it is told of no other.
    pub(crate) fn queues_shared_with(&self, host: HostId) -> Vec<QueueId> {
        let mut ids = self.queues_in_order();
        ids.retain(|id| self.shares(*id, host));
        ids
    }

    pub(crate) fn shares(&self, queue: QueueId, host: HostId) -> bool {
        self.queues.get(&queue).is_some_and(|entry| {
            let member = entry
                .doc
                .snapshot()
                .members
                .get(&host)
                .is_some_and(|m| !m.left);
            // Before the first sync only the host that admitted us is known.
            let known = member || entry.readmitted.contains(&host);
            let here = !entry.record.left || entry.leaving_ms.is_some();
            here && (known || entry.introducer() == Some(host))
        })
    }

    pub(crate) fn message(&mut self, from: HostId, message: Message) {
        match message {
            Message::Have {
                queue,
                epoch,
                vector,
            } => self.have(from, queue, epoch, vector),
            Message::Changes {
                queue,
                epoch,
                changes,
                also,
            } => self.changes(from, queue, epoch, &changes, &also),
            Message::Epoch { queue, records } => self.epoch_records(from, queue, &records),
            Message::WantFounding { queue, epoch } => self.give_founding(from, queue, epoch),
            Message::Founding {
                queue,
                epoch,
                from: first,
                changes,
            } => self.take_founding(from, queue, epoch, first, changes),
            Message::Prepare(mut ask) => {
                self.heard_ask(from, &mut ask);
                self.asked_to_prepare(from, ask);
            }
            Message::Accept(mut ask) => {
                self.heard_ask(from, &mut ask);
                self.asked_to_accept(from, ask);
            }
            Message::Abort {
                queue,
                units,
                ballot,
            } => self.asked_to_abort(from, queue, &units, &ballot),
            Message::Promise(mut reply) => {
                self.heard_yes(from, &mut reply);
                self.promised(from, &reply);
            }
            Message::Accepted(mut reply) => {
                self.heard_yes(from, &mut reply);
                self.accepted(from, &reply);
            }
            Message::Refused {
                reply,
                starting,
                unit,
                nack,
            } => {
                let phase = if starting {
                    Phase::Accepting
                } else {
                    Phase::Preparing
                };
                self.refused(from, &reply, phase, unit, nack);
            }
            Message::Key { queue, key } => self.take_key(from, queue, key),
            Message::Config(message) => self.config_message(from, message),
            Message::Memory {
                mine,
                yours,
                vouches,
            } => self.heard_memory(from, mine, yours, vouches),
            Message::Beat(beat) => self.heard_beat(from, beat),
            Message::Confirm {
                queue,
                cfg,
                copy,
                attempt,
                round,
            } => self.asked_to_confirm(from, queue, cfg, (copy, attempt), round),
            Message::Confirmed { queue, round, nack } => self.confirmed(from, queue, round, nack),
            Message::Free {
                queue,
                units,
                ballot,
            } => self.asked_to_free(from, queue, &units, &ballot),
            Message::Freed { queue: _, ballot } => self.freed(from, &ballot),
            Message::Proof { queue, proof } => self.heard_proof(from, queue, &proof),
            Message::Want { queue, changes } => self.asked_for_changes(from, queue, &changes),
            Message::Addresses { hosts } => {
                for (host, addresses) in hosts {
                    let member = self.queues.keys().any(|queue| self.shares(*queue, host));
                    if member && self.peers.get(&host).is_none_or(|peer| !peer.connected) {
                        self.learn_addresses(host, addresses);
                    }
                }
            }
        }
    }

    fn changes(
        &mut self,
        from: HostId,
        queue: QueueId,
        epoch: EpochHash,
        encoded: &[Vec<u8>],
        also: &[Tag],
    ) {
        if !self.shares(queue, from) {
            self.complain(from, "brought changes of a queue that is not shared");
            return;
        }
        if self.queues[&queue].doc.epoch().hash != epoch {
            // Who wrote them writes them again when it gets here.
            if !self.note_early(from, queue, epoch, encoded) {
                self.ask_for_past(from, queue);
            }
            return;
        }
        let mut changes = self.keep_pace(queue, from, encoded, also);
        let sent: BTreeSet<_> = changes.iter().map(SignedChange::hash).collect();
        loop {
            let rest = changes.split_off(changes.len().min(AT_ONCE));
            let entry = self.queues.get_mut(&queue).expect("shared queues exist");
            let admitted = entry.doc.admit(changes);
            self.took_in(queue, from, admitted, &sent, also);
            // What was taken in may have begun another epoch, for which the rest was not written.
            let entry = self.queues.get(&queue);
            if rest.is_empty() || entry.is_none_or(|entry| entry.doc.epoch().hash != epoch) {
                return;
            }
            if !self.is_heard(queue, from) {
                self.put_off(queue, from, rest);
                return;
            }
            changes = rest;
        }
    }

    /// Follows up on what became of changes, and on what waited for them.
    pub(crate) fn took_in(
        &mut self,
        queue: QueueId,
        from: HostId,
        admitted: Admitted,
        sent: &BTreeSet<ChangeHash>,
        also: &[Tag],
    ) {
        let mut parked = admitted.parked;
        self.follow_up(queue, from, admitted, sent, also);
        while parked > 0 {
            // Something came before it.
            let found = self.built_upon(queue);
            if found.is_empty() {
                self.ask_for_past(from, queue);
                return;
            }
            let entry = self.queues.get_mut(&queue).expect("shared queues exist");
            let admitted = entry.doc.admit(found);
            parked = admitted.parked;
            self.follow_up(queue, from, admitted, &BTreeSet::new(), &[]);
        }
    }

    /// Follows up on what became of changes that came from somebody else, or that were withheld until now.
    fn follow_up(
        &mut self,
        queue: QueueId,
        from: HostId,
        mut admitted: Admitted,
        sent: &BTreeSet<ChangeHash>,
        also: &[Tag],
    ) {
        let entry = self.queues.get_mut(&queue).expect("shared queues exist");
        // Told below; the next edit of this host must not tell it once more.
        entry.doc.take_touched();
        for change in &admitted.applied {
            let write = crate::effect::Write::Append {
                log: queue.0,
                entry: change.to_bytes(),
            };
            self.write(write);
        }
        for refused in &admitted.refused {
            let author = refused.author.unwrap_or(from);
            if self.pay_for_refusal(queue, from, refused.why) {
                self.tell_refused(queue, from, Some(author), refused.why.code());
            }
            if let (Some(author), Refusal::Engine) = (refused.author, refused.why) {
                self.quarantine(queue, author, refused);
            }
        }
        for proof in std::mem::take(&mut admitted.proofs) {
            self.keep_proof(queue, proof);
        }
        if !admitted.applied.is_empty() {
            let members = admitted.touched.members.clone();
            let (jobs, copies) = (&admitted.touched.jobs, &admitted.touched.copies);
            if let Some(entry) = self.queues.get_mut(&queue) {
                // Only what somebody said something about is worth another question: else all ask at once, again and again.
                let same = |copy: &CopyId| !copies.contains(copy) && !jobs.contains(&copy.job);
                entry.refused.retain(|(copy, _), _| same(copy));
                entry.unheard.retain(|(copy, _), _| same(copy));
            }
            let copies = copies.clone();
            self.note_touched(queue, admitted.touched);
            self.carry(queue);
            self.decided(queue, std::mem::take(&mut admitted.decisions));
            if admitted
                .applied
                .iter()
                .any(|change| change.author() == self.me)
            {
                self.own_words(queue, &copies);
            }
            self.adopt_claims(queue, &copies);
            let seen_to = self.seen_to(queue, from, also);
            let (sent, waited): (Vec<_>, Vec<_>) = admitted
                .applied
                .into_iter()
                .partition(|change| sent.contains(&change.hash()));
            self.spread(queue, &sent, &seen_to);
            // Those came before what they build on, from somebody else: whom that one saw to is not known any more.
            self.spread(queue, &waited, &BTreeSet::new());
            // Who just became a member may be connected since before, and has been told nothing so far.
            for member in members.into_iter().filter(|member| *member != from) {
                if self.shares(queue, member) {
                    self.say_have(member, queue);
                }
            }
        }
    }

    pub(crate) fn tell_refused(
        &mut self,
        queue: QueueId,
        from: HostId,
        author: Option<HostId>,
        why: &str,
    ) {
        tracing::warn!(%queue, peer = %from, author = ?author, why, "refused a change");
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            host: author.or(Some(from)),
            state: Some(why.to_owned()),
            text: Some(format!("a change was refused: {why}")),
            ..Event::new("refused")
        });
    }

    /// Follows up on what changed in a document, whoever wrote it.
    pub(crate) fn note_touched(&mut self, queue: QueueId, touched: Touched) {
        self.note_claims(queue, touched.copies.iter().copied());
        if touched.meta {
            self.watch_all(queue);
        }
        self.tell_lost(queue, &touched);
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        entry.count_invites |= !touched.members.is_empty();
        if !touched.members.is_empty() {
            // What a role did not allow it may allow now.
            entry.refused.clear();
        }
        let mut gone = Vec::new();
        for host in &touched.members {
            let member = entry.doc.snapshot().members.get(host);
            if member.is_some_and(|member| !member.left) {
                entry.readmitted.remove(host);
            } else {
                gone.push(*host);
            }
        }
        self.ahead.look = true;
        entry.stale.extend(touched.clone());
        entry.touched.extend(touched);
        for host in gone {
            self.watch_gone(host);
        }
    }

    /// Notes when each pending claim was first seen, so that a silent holder's lease can lapse, and forgets the
    /// progress of prints that have ended.
    pub(crate) fn note_claims(&mut self, queue: QueueId, copies: impl Iterator<Item = CopyId>) {
        let Some(entry) = self.queues.get(&queue) else {
            return;
        };
        let at_ms = self.now.mono_ms;
        let mut watched = Vec::new();
        for copy in copies {
            let mut pending: BTreeMap<u32, &Ballot> = BTreeMap::new();
            for claim in entry.doc.snapshot().claims_of(copy) {
                let record = &claim.record;
                if record.state.is_pending() {
                    let known = pending.entry(claim.attempt).or_insert(&record.ballot);
                    *known = (*known).max(&record.ballot);
                } else if !record.state.is_active() {
                    let ended = |id: &PrinterId, progress: &Progress| {
                        id.host == claim.host
                            && id.name == record.printer
                            && progress.queue == queue
                            && progress.copy == copy
                    };
                    self.progress.retain(|id, progress| !ended(id, progress));
                }
            }
            let units = (queue, copy, 0)..=(queue, copy, u32::MAX);
            watched.push(copy);
            let gone: Vec<_> = self
                .heard
                .range(units)
                .map(|(unit, _)| *unit)
                .filter(|unit| !pending.contains_key(&unit.2))
                .collect();
            for unit in gone {
                self.heard.remove(&unit);
            }
            for (attempt, ballot) in pending {
                let heard = self.heard.entry((queue, copy, attempt));
                let heard = heard.or_insert_with(|| Heard {
                    ballot: ballot.clone(),
                    at_ms,
                });
                if heard.ballot < *ballot {
                    *heard = Heard {
                        ballot: ballot.clone(),
                        at_ms,
                    };
                }
            }
        }
        for copy in watched {
            self.note_loose(queue, copy);
            self.watch_copy(queue, copy);
        }
    }

    /// A beat of another member.
    fn heard_beat(&mut self, from: HostId, beat: Beat) {
        if !self.shares(beat.queue, from) || beat.ballot.host != from {
            return;
        }
        let at_ms = self.now.mono_ms;
        if let Some(heard) = self.heard.get_mut(&(beat.queue, beat.copy, beat.attempt))
            && heard.ballot == beat.ballot
        {
            heard.at_ms = at_ms;
        }
        self.lease_beat(&beat);
        self.watch_beat(from, &beat);
        let printer = PrinterId {
            host: from,
            name: beat.ballot.printer.clone(),
        };
        let known = self.queues[&beat.queue]
            .doc
            .snapshot()
            .printers
            .contains_key(&printer);
        if !known {
            return;
        }
        let progress = Progress {
            queue: beat.queue,
            copy: beat.copy,
            fraction: beat.progress.filter(|p| (0.0..=1.0).contains(p)),
            left_s: beat.left_s,
            heard_ms: self.now.mono_ms,
            told_ms: None,
        };
        self.progress.insert(printer.clone(), progress);
        if progress.fraction.is_some() {
            self.tell_progress(&printer, progress);
        }
    }

    pub(crate) fn tell_progress(&mut self, printer: &PrinterId, progress: Progress) {
        let job = self.queues.get(&progress.queue).and_then(|queue| {
            let job = queue.doc.snapshot().jobs.get(&progress.copy.job)?;
            Some((job.id, job.name.clone()))
        });
        self.tell(Event {
            queue: self.queue_names().remove(&progress.queue),
            job,
            copy: Some(progress.copy),
            printer: Some(printer.clone()),
            progress: progress.fraction,
            left_s: progress.left_s,
            ..Event::new("print.progress")
        });
    }
}
