//! What others are told after each step: listeners about what changed, the network about whom to keep connected.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{JobId, PrinterId, Touched};
use printmesh_schedule::JobStatus;

use crate::{
    effect::Effect,
    event::Event,
    node::{Node, Queue},
    records::QueueKind,
};

/// Jobs that may stand otherwise since requests came or went: a request that went does not say any more of which.
fn about_requests(queue: &Queue, touched: &Touched) -> Vec<JobId> {
    if touched.requests.is_empty() {
        return Vec::new();
    }
    let asked = queue.doc.snapshot().requests.values();
    let asked = asked.map(|request| request.job);
    let wished = queue.told_jobs.iter().filter(|(_, status)| {
        matches!(
            status,
            JobStatus::CancelRequested | JobStatus::MoveRequested
        )
    });
    asked.chain(wished.map(|(job, _)| *job)).collect()
}

impl Node {
    /// Tells listeners about jobs, copies and printers that changed in the documents.
    pub(crate) fn tell_changes(&mut self) {
        let mut events = Vec::new();
        for (id, queue) in &mut self.queues {
            let touched = std::mem::take(&mut queue.touched);
            if touched.is_empty() {
                continue;
            }
            let name = queue.name();
            let snapshot = queue.doc.snapshot();
            let jobs: BTreeSet<JobId> = touched
                .jobs
                .iter()
                .copied()
                .chain(touched.copies.iter().map(|copy| copy.job))
                .chain(about_requests(queue, &touched))
                .collect();
            for copy in &touched.copies {
                let Some(job) = snapshot.jobs.get(&copy.job) else {
                    continue;
                };
                let by_printer = snapshot
                    .claims_of(*copy)
                    .filter(|claim| !claim.record.is_reopening());
                let Some(claim) = by_printer.last() else {
                    continue;
                };
                events.push(Event {
                    queue: Some(name.clone()),
                    job: Some((job.id, job.name.clone())),
                    copy: Some(*copy),
                    printer: Some(PrinterId {
                        host: claim.host,
                        name: claim.record.printer.clone(),
                    }),
                    state: Some(crate::view::claim_word(claim.record.state).to_owned()),
                    text: claim.record.note.clone(),
                    ..Event::new("copy.state")
                });
            }
            for job in jobs {
                let Some(job) = snapshot.jobs.get(&job) else {
                    continue;
                };
                let status = printmesh_schedule::job_status(snapshot, job);
                let kind = if queue.told_jobs.insert(job.id, status) != Some(status) {
                    "job.state"
                } else if touched.jobs.contains(&job.id) || !touched.requests.is_empty() {
                    // Edited or reordered: whoever shows it must look again.
                    "job.changed"
                } else {
                    continue;
                };
                events.push(Event {
                    queue: Some(name.clone()),
                    job: Some((job.id, job.name.clone())),
                    state: Some(status.word().to_owned()),
                    ..Event::new(kind)
                });
            }
            for printer in touched.printers {
                let Some(record) = snapshot.printers.get(&printer) else {
                    continue;
                };
                if queue.told_printers.get(&printer) != Some(record) {
                    queue.told_printers.insert(printer.clone(), record.clone());
                    events.push(Event {
                        queue: Some(name.clone()),
                        printer: Some(printer),
                        state: Some(record.bed.word().to_owned()),
                        ..Event::new("printer.state")
                    });
                }
            }
            if touched.meta || !touched.members.is_empty() {
                events.push(Event {
                    queue: Some(name),
                    text: Some(id.to_string()),
                    ..Event::new("queue.changed")
                });
            }
        }
        for event in events {
            self.tell(event);
        }
    }

    /// Tells the network whom to keep connected and what to offer, when that changed.
    pub(crate) fn tell_network(&mut self) {
        let mut peers = BTreeMap::new();
        let mut relays: BTreeMap<_, Vec<String>> = BTreeMap::new();
        let told = |queue: &&Queue| !queue.record.left || queue.leaving_ms.is_some();
        for queue in self.queues.values().filter(told) {
            let members = queue
                .doc
                .snapshot()
                .present_members()
                .map(|(host, _)| *host)
                .chain(queue.readmitted.iter().copied());
            for host in members
                .chain(queue.parting.keys().copied())
                .chain(queue.introducer())
                .filter(|host| *host != self.me)
            {
                let known = self
                    .peers
                    .get(&host)
                    .map(|peer| peer.record.addresses.clone());
                let seen = self
                    .discovered
                    .get(&host)
                    .map(|found| found.addresses.clone());
                let mut addresses = known.unwrap_or_default();
                for address in seen.unwrap_or_default() {
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
                peers.insert(host, addresses);
                for relay in &queue.record.relays {
                    let agreed = relays.entry(host).or_default();
                    if !agreed.contains(relay) {
                        agreed.push(relay.clone());
                    }
                }
            }
        }
        // First, so that the first call already goes every way.
        if relays != self.sent_relays {
            self.sent_relays.clone_from(&relays);
            self.effect(Effect::SetRelays(relays));
        }
        if peers != self.sent_peers {
            self.sent_peers.clone_from(&peers);
            self.effect(Effect::SetPeers(peers));
        }
        let holds_key = self.queues.values().any(|queue| {
            queue.record.kind == QueueKind::Network
                && !queue.record.left
                && queue.record.key.is_some()
        });
        if self.sent_accept_joins != Some(holds_key) {
            self.sent_accept_joins = Some(holds_key);
            self.effect(Effect::AcceptJoins(holds_key));
        }
        let offers = self.lan_queue().is_some();
        if self.sent_offer_lan != Some(offers) {
            self.sent_offer_lan = Some(offers);
            self.effect(Effect::OfferLan(offers));
        }
    }
}
