//! Goes on with this host's own requests: whatever was asked is carried through once those who decide can be asked, and
//! ends with a word about what came of it.

use printmesh_queue::{
    ClaimState, CopyId, CopyState, JobId, JobState, PrinterId, QueueId, Request, RequestId, Wanted,
};
use printmesh_schedule::Reason;

use super::asked;
use crate::{
    limits::REFUSED_MS,
    node::Node,
    problem::{Code, Problem},
    records::Then,
};

impl Node {
    /// Goes on with the requests of this host as far as it can. Returns whether anything moved.
    pub(crate) fn drive_requests(&mut self) -> bool {
        let mut moved = false;
        let open: Vec<(QueueId, String)> = self.requests.keys().cloned().collect();
        for (queue, id) in open {
            moved |= self.drive_request(queue, &id);
        }
        moved
    }

    pub(super) fn drive_request(&mut self, queue: QueueId, id: &str) -> bool {
        let request_id = RequestId {
            host: self.me,
            id: id.to_owned(),
        };
        let entry = self.queues.get(&queue).filter(|entry| !entry.record.left);
        let snapshot = entry.map(|entry| entry.doc.snapshot());
        let request = snapshot.and_then(|snapshot| snapshot.requests.get(&request_id));
        let (Some(snapshot), Some(request)) = (snapshot, request.cloned()) else {
            self.forget_request(queue, id);
            return true;
        };
        let Some(job) = snapshot.jobs.get(&request.job) else {
            let problem = Problem::new(Code::JobUnknown, "the job is gone");
            self.end_request(queue, id, Err(problem));
            return true;
        };
        if job.state != JobState::Open {
            let text = format!("{} is not in the queue any more", job.name);
            self.end_request(queue, id, Ok(asked(true, text)));
            return true;
        }
        match &request.wanted {
            Wanted::Stop | Wanted::Cancel | Wanted::Move => {
                self.drive_withdrawal_request(queue, id, &request)
            }
            Wanted::Start {
                host,
                printer,
                copy,
            } => {
                let printer = PrinterId {
                    host: *host,
                    name: printer.clone(),
                };
                match copy {
                    None => self.drive_start_request(queue, id, &request, &printer),
                    Some(copy) => self.drive_match(queue, id, &request, &printer, *copy),
                }
            }
        }
    }

    pub(super) fn drive_withdrawal_request(
        &mut self,
        queue: QueueId,
        id: &str,
        request: &Request,
    ) -> bool {
        let job = request.job;
        let own = &self.requests[&(queue, id.to_owned())];
        let snapshot = self.queues[&queue].doc.snapshot();
        // A print that is under way is waited for: to its stop when that was asked, else to its end. It counts.
        if own.again_ms > self.now.mono_ms
            || self.is_being_taken_out(job)
            || snapshot.begun_claim_of(job).is_some()
        {
            return false;
        }
        let then = own.record.then.clone().unwrap_or(Then::Cancel);
        if let Err(problem) = self.may_take_out(queue, job) {
            self.end_request(queue, id, Err(problem));
            return true;
        }
        let decided = self.open_units(queue, job, &then).is_empty();
        let snapshot = self.queues[&queue].doc.snapshot();
        if !decided && !self.presence(queue).has_quorum(&snapshot.voters) {
            return false;
        }
        let started = match then {
            Then::Move { to, rank_top } => self.move_to_queue(None, queue, job, to, rank_top),
            then @ (Then::Cancel | Then::Edit(_) | Then::Reopen) => {
                self.withdraw(None, queue, job, then)
            }
        };
        match started {
            Ok(()) => true,
            Err(problem) if problem.code == Code::JobLeased => {
                self.try_request_later(queue, job);
                false
            }
            Err(problem) => {
                self.end_request(queue, id, Err(problem));
                true
            }
        }
    }

    pub(super) fn drive_start_request(
        &mut self,
        queue: QueueId,
        id: &str,
        request: &Request,
        printer: &PrinterId,
    ) -> bool {
        let above = self.requests[&(queue, id.to_owned())].record.above;
        let snapshot = self.queues[&queue].doc.snapshot();
        let job = &snapshot.jobs[&request.job];
        let started = snapshot
            .copies_of(job)
            .flat_map(|(copy, _)| snapshot.claims_of(copy))
            .any(|claim| {
                let state = claim.record.state;
                claim.host == printer.host
                    && claim.record.printer == printer.name
                    && claim.record.ballot.n > above
                    && (state.is_begun() || state.is_over() && state != ClaimState::Released)
            });
        let full = format!("{}/{}", snapshot.host_name(printer.host), printer.name);
        if started {
            let text = format!("{full} started {}", job.name);
            self.end_request(queue, id, Ok(asked(false, text)));
            return true;
        }
        // A hold, a wish and autoprint pass again; what can never be is not asked for any longer.
        let hopeless = self.never_starts(queue, job, printer).filter(|reason| {
            matches!(
                reason,
                Reason::NoCopyLeft
                    | Reason::NoPrinter
                    | Reason::NotQueued
                    | Reason::PinnedElsewhere
                    | Reason::Role
            )
        });
        if let Some(reason) = hopeless {
            let title = format!("{full} did not start {}", job.name);
            let problem = Problem::new(Code::PrinterRefuses, title).because(reason.text());
            self.end_request(queue, id, Err(problem));
            return true;
        }
        false
    }

    /// A request for one copy ends when its printer has claimed it, when somebody else has it, or when nothing came of it soon.
    fn drive_match(
        &mut self,
        queue: QueueId,
        id: &str,
        request: &Request,
        printer: &PrinterId,
        (index, attempt): (u32, u32),
    ) -> bool {
        let snapshot = self.queues[&queue].doc.snapshot();
        let job = &snapshot.jobs[&request.job];
        let full = format!("{}/{}", snapshot.host_name(printer.host), printer.name);
        let copy = CopyId { job: job.id, index };
        let name = job.name.clone();
        let claimed = snapshot.claims_of(copy).any(|claim| {
            claim.attempt == attempt
                && claim.host == printer.host
                && claim.record.printer == printer.name
                && claim.record.state != ClaimState::Dropped
        });
        let gone = match snapshot.copy_state(copy) {
            CopyState::Open(open) => open != attempt,
            CopyState::Claimed(claim) => claim.host != printer.host,
            CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => true,
        };
        if claimed {
            let text = format!("{full} has taken {name}");
            self.end_request(queue, id, Ok(asked(false, text)));
            return true;
        }
        let until_ms = self.requests[&(queue, id.to_owned())].until_ms;
        if !gone && until_ms.is_some_and(|until| until > self.now.mono_ms) {
            return false;
        }
        let title = format!("{full} did not start {name}");
        let why = match gone {
            true => "another printer has the copy".to_owned(),
            false => "it did not take the copy in time".to_owned(),
        };
        let problem = Problem::new(Code::PrinterRefuses, title).because(why);
        self.end_request(queue, id, Err(problem));
        true
    }

    /// A withdrawal for a request came to nothing: again, not at once.
    pub(crate) fn try_request_later(&mut self, queue: QueueId, job: JobId) {
        let again_ms = self.now.mono_ms + REFUSED_MS / 5 + self.entropy.below(REFUSED_MS / 5);
        let of_job: Vec<String> = self
            .own_requests(queue, job)
            .map(|(id, _)| id.id.clone())
            .collect();
        for id in of_job {
            if let Some(own) = self.requests.get_mut(&(queue, id)) {
                own.again_ms = again_ms;
            }
        }
    }

    /// Commands that have waited long enough are told that it goes on without them.
    pub(crate) fn expire_requests(&mut self) {
        let now = self.now.mono_ms;
        let mut late = Vec::new();
        for ((queue, id), own) in &mut self.requests {
            if let Some((command, _)) = own.command.take_if(|(_, until)| *until <= now) {
                late.push((command, *queue, id.clone()));
            }
        }
        for (command, queue, id) in late {
            let text = self.asked_text(queue, &id);
            self.reply(command, Ok(asked(false, text)));
        }
    }

    /// When a request wants to be looked at again.
    pub(crate) fn requests_wakeup(&self) -> Option<u64> {
        let commands = self.requests.values().filter_map(|own| own.command);
        let again = self.requests.values().map(|own| own.again_ms);
        let matches = self.requests.values().filter_map(|own| own.until_ms);
        commands
            .map(|(_, until)| until)
            .chain(matches)
            .chain(again.filter(|at| *at > self.now.mono_ms))
            .min()
    }
}
