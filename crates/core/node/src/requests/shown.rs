//! What requests wait for, in words: for who asked, and for whoever looks at the job.

use printmesh_queue::{
    CopyState, HostId, Job, JobId, PrinterId, QueueId, Request, RequestId, Wanted,
};
use printmesh_schedule::{Reason, choose_of, wishes_of};

use super::JobRequest;
use crate::node::Node;

impl Node {
    pub(super) fn asked_text(&self, queue: QueueId, id: &str) -> String {
        let snapshot = self.queues[&queue].doc.snapshot();
        let id = RequestId {
            host: self.me,
            id: id.to_owned(),
        };
        let Some(request) = snapshot.requests.get(&id) else {
            return "asked".to_owned();
        };
        let name = snapshot
            .jobs
            .get(&request.job)
            .map_or("the job", |job| job.name.as_str());
        let waits = self.waits_for(queue, request);
        match &request.wanted {
            Wanted::Stop => format!("asked to stop and cancel {name}; it waits for {waits}"),
            Wanted::Cancel => format!(
                "asked to cancel {name}; nobody starts it any more, and it takes effect as soon as {waits} answers"
            ),
            Wanted::Move => format!(
                "asked to move {name}; nobody starts it any more, and it takes effect as soon as {waits} answers"
            ),
            Wanted::Start { .. } => format!("{name} is next there; now {waits}"),
        }
    }

    /// Hosts that cannot be reached and that a request waits for.
    pub(super) fn away(&self, queue: QueueId, job: JobId, wanted: &Wanted) -> Vec<HostId> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let presence = self.presence(queue);
        let wanted_hosts: Vec<HostId> = match wanted {
            Wanted::Stop if snapshot.begun_claim_of(job).is_some() => self.holders(queue, job),
            Wanted::Stop | Wanted::Cancel | Wanted::Move => {
                if presence.has_quorum(&snapshot.voters) {
                    return Vec::new();
                }
                snapshot.voters.hosts.clone()
            }
            Wanted::Start { host, .. } => vec![*host],
        };
        let mut away = wanted_hosts;
        away.retain(|host| !presence.votes(*host));
        away
    }

    /// Hosts whose printers are printing a job, as far as the document says.
    pub(super) fn holders(&self, queue: QueueId, job: JobId) -> Vec<HostId> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let claims = snapshot.jobs.get(&job).map(|job| snapshot.copies_of(job));
        let mut hosts: Vec<HostId> = claims
            .into_iter()
            .flatten()
            .flat_map(|(copy, _)| snapshot.claims_of(copy))
            .filter(|claim| claim.record.state.is_begun() && claim.record.state.is_active())
            .map(|claim| claim.host)
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// What a request waits for, in plain words.
    pub(super) fn waits_for(&self, queue: QueueId, request: &Request) -> String {
        let snapshot = self.queues[&queue].doc.snapshot();
        let names = |hosts: &[HostId]| {
            let names: Vec<String> = hosts.iter().map(|host| snapshot.host_name(*host)).collect();
            names.join(", ")
        };
        if let Wanted::Start { copy: Some(_), .. } = &request.wanted {
            return "the printer takes it now, or nothing comes of it".to_owned();
        }
        if let Wanted::Start { host, printer, .. } = &request.wanted {
            let id = PrinterId {
                host: *host,
                name: printer.clone(),
            };
            let job = snapshot.jobs.get(&request.job);
            let reason = job.and_then(|job| self.waits_to_start(queue, job, &id));
            return reason.map_or_else(|| "it is about to start".to_owned(), |r| r.text());
        }
        let away = self.away(queue, request.job, &request.wanted);
        if !away.is_empty() {
            return names(&away);
        }
        let holders = self.holders(queue, request.job);
        match holders.is_empty() {
            true => names(&snapshot.voters.hosts),
            false => names(&holders),
        }
    }

    /// Why a printer does not start a job now, as far as this host can see.
    pub(super) fn waits_to_start(
        &self,
        queue: QueueId,
        job: &Job,
        printer: &PrinterId,
    ) -> Option<Reason> {
        let snapshot = self.queues[&queue].doc.snapshot();
        choose_of(snapshot, &self.presence(queue), printer, job).err()
    }

    /// Why a printer will not start a job either when it is free and everybody can be reached.
    pub(super) fn never_starts(
        &self,
        queue: QueueId,
        job: &Job,
        printer: &PrinterId,
    ) -> Option<Reason> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let left = snapshot
            .copies_of(job)
            .any(|(_, state)| matches!(state, CopyState::Open(_) | CopyState::Claimed(_)));
        if !left {
            return Some(Reason::NoCopyLeft);
        }
        let present = snapshot
            .present_printers()
            .any(|(present, _)| present == printer);
        if !present {
            return Some(Reason::NoPrinter);
        }
        // What passes by itself or with a hand at the printer is waited for.
        self.waits_to_start(queue, job, printer).filter(|reason| {
            matches!(
                reason,
                Reason::Draft
                    | Reason::Held
                    | Reason::CancelRequested { .. }
                    | Reason::MoveRequested { .. }
                    | Reason::NotQueued
                    | Reason::PinnedElsewhere
                    | Reason::AutoprintOff
                    | Reason::QueueAutoprintOff
                    | Reason::NoPrinter
                    | Reason::Role
            )
        })
    }

    /// Returns what hosts ask about a job, oldest first.
    pub fn requests_about(&self, queue: QueueId, job: JobId) -> Vec<JobRequest> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let mut rows: Vec<JobRequest> = wishes_of(snapshot, job)
            .map(|wish| {
                let (kind, printer) = match &wish.request.wanted {
                    Wanted::Stop => ("stop", None),
                    Wanted::Cancel => ("cancel", None),
                    Wanted::Move => ("move", None),
                    Wanted::Start { host, printer, .. } => {
                        let id = PrinterId {
                            host: *host,
                            name: printer.clone(),
                        };
                        ("start", Some(id))
                    }
                };
                JobRequest {
                    kind,
                    by: wish.id.host,
                    since: wish.request.at,
                    printer,
                    waits_for: self.waits_for(queue, wish.request),
                }
            })
            .collect();
        rows.sort_by_key(|row| (row.since, row.by, row.kind));
        rows
    }
}
