//! Taking copies out of their queue: to cancel a job, to move it to another queue, to want fewer copies of it.
//!
//! A copy that somebody may be starting this very moment is decided by its register like any claim: either the
//! printer gets it or the withdrawal does, never both. So a job that moves is never printed twice. A withdrawal that
//! takes only some of its copies gives them back: their next attempts are open. What follows is in `withdrawn.rs`.

mod ended;

use printmesh_queue::{
    Ballot, CopyId, CopyState, HostId, Job, JobId, JobState, QueueId, Role, Wanted,
};
use printmesh_schedule::JobStatus;

use crate::{
    effect::Answer,
    limits::ROUND_MS,
    message::Reply,
    node::Node,
    problem::{Code, Problem},
    records::{self, Stage, Then, WithdrawalRecord, key},
    register::{Phase, Round, Value, Verdict},
    sabotage::Sabotage,
};

/// A copy with the attempt that is decided.
pub(crate) type Unit = (CopyId, u32);

/// A withdrawal under way.
pub(crate) struct Withdrawal {
    /// The command to answer; none after a restart, and for a request.
    pub(crate) command: Option<u64>,
    pub(crate) queue: QueueId,
    pub(crate) job: JobId,
    pub(crate) then: Then,
    pub(crate) round: Round,
    pub(crate) deadline_ms: u64,
    /// What earlier rounds of it took.
    pub(crate) taken: Vec<Unit>,
}

impl Node {
    pub(crate) fn job_cancel(&mut self, id: u64, reference: &str) -> Result<(), Problem> {
        let (queue, job) = self.job_named(reference)?;
        if matches!(
            self.queues[&queue].doc.snapshot().jobs[&job].state,
            JobState::Cancelled { .. }
        ) {
            let text = format!("{job} was cancelled before");
            self.reply(
                id,
                Ok(Answer::Done {
                    already: true,
                    text,
                }),
            );
            return Ok(());
        }
        for wanted in [Wanted::Stop, Wanted::Cancel] {
            if let Some(asked) = self.own_request(queue, job, &wanted) {
                return self.asked_before(id, queue, &asked);
            }
        }
        self.withdraw(Some(id), queue, job, Then::Cancel)
    }

    /// Whether this host may take a job out at all.
    pub(crate) fn may_take_out(&self, queue: QueueId, job: JobId) -> Result<(), Problem> {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let entry_job = &snapshot.jobs[&job];
        if entry_job.state != JobState::Open {
            return Err(Problem::new(
                Code::JobOver,
                format!("{} is not in {} any more", entry_job.name, entry.name()),
            ));
        }
        if printmesh_schedule::job_status(snapshot, entry_job) == JobStatus::Done {
            return Err(Problem::new(
                Code::JobOver,
                format!("{} is done", entry_job.name),
            ));
        }
        if entry_job.submitter != self.me {
            self.require(queue, Role::Operator)?;
        }
        Ok(())
    }

    /// The same, and that no printer prints it.
    pub(crate) fn may_withdraw(
        &self,
        queue: QueueId,
        job: JobId,
        then: &Then,
    ) -> Result<(), Problem> {
        self.may_take_out(queue, job)?;
        let snapshot = self.queues[&queue].doc.snapshot();
        if let Some((_, claim)) = snapshot.begun_claim_of(job) {
            let entry_job = &snapshot.jobs[&job];
            let printer = &claim.record.printer;
            return Err(self.leased(queue, entry_job, claim.host, printer, then));
        }
        Ok(())
    }

    pub(crate) fn leased(
        &self,
        queue: QueueId,
        job: &Job,
        host: HostId,
        printer: &str,
        then: &Then,
    ) -> Problem {
        let host_name = self.queues[&queue].doc.snapshot().host_name(host);
        let id = job.id.to_string();
        let problem = Problem::new(
            Code::JobLeased,
            format!(
                "cannot take {} \"{}\" out: {host_name}/{printer} is printing it",
                &id[..8],
                job.name
            ),
        )
        .because("a printer that prints a job holds its lease; nobody else may remove it");
        let problem = match then {
            Then::Cancel => problem.fix(
                format!("printmesh job cancel {} --stop", &id[..8]),
                "stop the print, then cancel",
            ),
            Then::Move { .. } | Then::Edit(_) | Then::Reopen => problem,
        };
        problem.fix(
            format!("printmesh job hold {}", &id[..8]),
            "let this print finish, start no more",
        )
    }

    /// Whether something decides about the job right now; also files that come for its move.
    pub(crate) fn is_being_taken_out(&self, job: JobId) -> bool {
        self.withdrawals.values().any(|other| other.job == job)
            || self.moves.iter().any(|waiting| waiting.job == job)
    }

    /// Takes the job's open copies out, or those that an edit wants out. The command is answered at the end, or once
    /// it goes on as a request.
    pub(crate) fn withdraw(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        then: Then,
    ) -> Result<(), Problem> {
        match then {
            Then::Cancel | Then::Move { .. } => self.may_withdraw(queue, job, &then)?,
            Then::Edit(_) | Then::Reopen => {}
        }
        if let Some(other) = self.withdrawals.values().find(|other| other.job == job) {
            let passes = matches!(other.then, Then::Edit(_) | Then::Reopen);
            return match (passes, wanted(&then)) {
                (true, Some(wanted)) if command.is_some() => {
                    self.ask_for(command, queue, job, wanted, Some(then))
                }
                _ => Err(Problem::new(
                    Code::JobOver,
                    "this job is being taken out already",
                )),
            };
        }
        let units = self.open_units(queue, job, &then);
        if units.is_empty() || self.sabotaged(Sabotage::WithdrawsInDocument) {
            self.withdrawn(command, queue, job, &then, &[], None);
            return Ok(());
        }
        let voters = &self.queues[&queue].doc.snapshot().voters;
        if !self.presence(queue).has_quorum(voters) {
            return self.without_voters(command, queue, job, then);
        }
        self.give_way(queue, job, &units, &then)?;
        self.ask_to_withdraw(command, queue, job, then, units, Vec::new());
        Ok(())
    }

    /// Nobody can decide: the document says what is wanted, which every printer that has not started it respects.
    fn without_voters(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        then: Then,
    ) -> Result<(), Problem> {
        let may_wait = match &then {
            Then::Cancel | Then::Move { .. } => command.is_some(),
            // The number in the document is the wish: no copy above it is started by who has read it.
            Then::Edit(edit) => {
                let together = self.queues[&queue].doc.snapshot().jobs[&job].together;
                edit.together.is_none() && !together
            }
            Then::Reopen => false,
        };
        match (may_wait, wanted(&then)) {
            (true, Some(wanted)) => self.ask_for(command, queue, job, wanted, Some(then)),
            (true, None) => {
                self.withdrawn(command, queue, job, &then, &[], None);
                Ok(())
            }
            (false, _) => Err(self.no_quorum(queue)),
        }
    }

    /// This host's own claims of these copies give way at once.
    fn give_way(
        &mut self,
        queue: QueueId,
        job: JobId,
        units: &[Unit],
        then: &Then,
    ) -> Result<(), Problem> {
        let of_these = |work: &records::Work| {
            work.queue == queue && units.iter().any(|(copy, _)| *copy == work.copy)
        };
        let mine: Vec<(String, bool)> = self
            .printers
            .iter()
            .filter_map(|(name, printer)| {
                let work = printer.work.as_ref().filter(|work| of_these(work))?;
                let idle = matches!(
                    work.stage,
                    Stage::Claiming | Stage::Fetching | Stage::Staged
                );
                Some((name.clone(), idle))
            })
            .collect();
        if let Some((printer, _)) = mine.iter().find(|(_, idle)| !idle) {
            let job = &self.queues[&queue].doc.snapshot().jobs[&job];
            return Err(self.leased(queue, job, self.me, printer, then));
        }
        for (printer, _) in mine {
            self.drop_claim(&printer, "the copy was taken out of the queue");
        }
        Ok(())
    }

    pub(super) fn ask_to_withdraw(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        then: Then,
        units: Vec<Unit>,
        taken: Vec<Unit>,
    ) {
        let snapshot = self.queues[&queue].doc.snapshot();
        let voters = snapshot.voters.clone();
        let seen = units.iter().flat_map(|(copy, _)| snapshot.claims_of(*copy));
        let above = seen.map(|claim| claim.record.ballot.n).max().unwrap_or(0);
        let n = self.next_ballot(above);
        let ballot = Ballot {
            n,
            host: self.me,
            printer: String::new(),
        };
        let value = Value::Withdraw { by: self.me };
        // What may be half taken is taken at once: no voter ever overwrites another's value.
        let (phase, deadline_ms) = match then {
            Then::Reopen => (Phase::Accepting, u64::MAX),
            Then::Cancel | Then::Move { .. } | Then::Edit(_) => {
                (Phase::Preparing, self.now.mono_ms + ROUND_MS)
            }
        };
        let round = Round::new(ballot, units, value, voters, phase);
        let withdrawal = Withdrawal {
            command,
            queue,
            job,
            then,
            round: round.clone(),
            deadline_ms,
            taken,
        };
        if phase == Phase::Accepting {
            self.write(records::put(key::withdrawal(job), &withdrawal.record()));
        }
        self.withdrawals.insert(n, withdrawal);
        self.ask_voters(queue, &round);
    }

    /// Copies of a job that a printer may yet start and that are to be taken out, each with the attempt.
    pub(crate) fn open_units(&self, queue: QueueId, job: JobId, then: &Then) -> Vec<Unit> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let entry = &snapshot.jobs[&job];
        let first = match then {
            Then::Cancel | Then::Move { .. } => 0,
            Then::Reopen => return Vec::new(),
            // One claim makes all copies, or one each: whoever starts the one must not start the other.
            Then::Edit(edit) if entry.together || edit.together == Some(true) => 0,
            Then::Edit(edit) => edit.copies.unwrap_or(entry.copies),
        };
        let cancels = *then == Then::Cancel;
        let open = snapshot
            .copies_of(entry)
            .filter(|(copy, _)| copy.index >= first)
            .filter_map(|(copy, state)| match state {
                CopyState::Open(attempt) => Some((copy, attempt)),
                CopyState::Claimed(claim) => Some((copy, claim.attempt)),
                // Whoever has not heard that it failed may write it off and make the next one.
                CopyState::Failed(claim) if cancels && !claim.record.speculative => {
                    Some((copy, claim.attempt + 1))
                }
                CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => None,
            });
        open.collect()
    }

    pub(crate) fn no_quorum(&self, queue: QueueId) -> Problem {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let presence = self.presence(queue);
        let away = snapshot
            .voters
            .hosts
            .iter()
            .filter(|host| !presence.votes(**host));
        let names: Vec<String> = away.map(|host| snapshot.host_name(*host)).collect();
        Problem::new(
            Code::NoQuorum,
            format!("cannot take a job out of {} now", entry.name()),
        )
        .because(format!(
            "{} decides who prints it, and cannot be reached: a printer might be starting it",
            names.join(", ")
        ))
        .fix("printmesh job hold JOB", "start no more of it")
        .fix(
            format!("printmesh queue peers {}", entry.name()),
            "see who is away",
        )
    }

    pub(crate) fn withdrawal_promised(&mut self, from: HostId, reply: &Reply) {
        let Some(withdrawal) = self.withdrawals.get_mut(&reply.ballot.n) else {
            return;
        };
        if withdrawal.round.yes(from, Phase::Preparing) != Verdict::Yes {
            return;
        }
        withdrawal.round.accepting();
        let record = withdrawal.record();
        let (queue, round) = (withdrawal.queue, withdrawal.round.clone());
        // Durable before a voter can hear of it: from here on it is carried through, also over a restart.
        self.write(records::put(key::withdrawal(record.job), &record));
        self.ask_voters(queue, &round);
    }

    pub(crate) fn withdrawal_accepted(&mut self, from: HostId, reply: &Reply) {
        let Some(withdrawal) = self.withdrawals.get_mut(&reply.ballot.n) else {
            return;
        };
        if withdrawal.round.yes(from, Phase::Accepting) != Verdict::Yes {
            return;
        }
        let Some(done) = self.withdrawals.remove(&reply.ballot.n) else {
            return;
        };
        let mut taken = done.taken;
        taken.extend(done.round.units);
        // More copies may have been wanted meanwhile: they too must be out of the printers' reach. The journal says
        // until then what was taken.
        let mut more = self.open_units(done.queue, done.job, &done.then);
        more.retain(|unit| !taken.contains(unit));
        if more.is_empty() {
            self.write(records::delete(key::withdrawal(done.job)));
            let ballot = Some(&done.round.ballot);
            self.withdrawn(
                done.command,
                done.queue,
                done.job,
                &done.then,
                &taken,
                ballot,
            );
        } else if let Err(problem) = self.give_way(done.queue, done.job, &more, &done.then) {
            self.fail_withdrawal(
                done.command,
                done.queue,
                done.job,
                done.then,
                taken,
                problem,
            );
        } else {
            self.ask_to_withdraw(done.command, done.queue, done.job, done.then, more, taken);
        }
    }

    pub(crate) fn wake_withdrawals(&mut self, records: Vec<WithdrawalRecord>) {
        for record in records {
            let Some(entry) = self.queues.get(&record.queue) else {
                continue;
            };
            let voters = entry.doc.snapshot().voters.clone();
            let value = Value::Withdraw { by: self.me };
            let n = record.ballot.n;
            let round = Round::new(record.ballot, record.units, value, voters, Phase::Accepting);
            self.ask_voters(record.queue, &round);
            let withdrawal = Withdrawal {
                command: None,
                queue: record.queue,
                job: record.job,
                then: record.then,
                round,
                deadline_ms: u64::MAX,
                taken: record.taken,
            };
            self.withdrawals.insert(n, withdrawal);
        }
    }
}

impl Withdrawal {
    /// Whether a voter may hold it: it is carried through then.
    pub(crate) fn is_heard(&self) -> bool {
        self.round.phase == Phase::Accepting || !self.taken.is_empty()
    }

    fn record(&self) -> WithdrawalRecord {
        WithdrawalRecord {
            queue: self.queue,
            job: self.job,
            units: self.round.units.clone(),
            ballot: self.round.ballot.clone(),
            then: self.then.clone(),
            taken: self.taken.clone(),
        }
    }
}

/// How the document says what is to follow, when it can.
fn wanted(then: &Then) -> Option<Wanted> {
    match then {
        Then::Cancel => Some(Wanted::Cancel),
        Then::Move { .. } => Some(Wanted::Move),
        Then::Edit(_) | Then::Reopen => None,
    }
}
