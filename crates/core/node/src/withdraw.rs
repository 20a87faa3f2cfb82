//! Taking a job out of its queue: cancel, or move to another one.
//!
//! A copy that somebody may be starting this very moment is decided by its register like any claim: either the
//! printer gets it or the withdrawal does, never both. So a job that moves is never printed twice.

use printmesh_queue::{Ballot, CopyId, CopyState, HostId, Job, JobId, JobState, QueueId, Role};
use printmesh_schedule::JobStatus;

use crate::{
    effect::Answer,
    limits::ROUND_MS,
    message::{Message, Reply},
    node::Node,
    problem::{Code, Problem},
    records::{self, QueueKind, Stage, Then, WithdrawalRecord, key},
    register::{Nack, Phase, Round, Value, Verdict},
};

/// A withdrawal under way.
pub(crate) struct Withdrawal {
    /// The command to answer; none after a restart.
    pub(crate) command: Option<u64>,
    pub(crate) queue: QueueId,
    pub(crate) job: JobId,
    pub(crate) then: Then,
    pub(crate) round: Round,
    pub(crate) deadline_ms: u64,
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
        self.withdraw(Some(id), queue, job, Then::Cancel)
    }
    pub(crate) fn may_withdraw(&self, queue: QueueId, job: JobId) -> Result<(), Problem> {
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
        if let Some((_, claim)) = snapshot.begun_claim_of(job) {
            return Err(self.leased(queue, entry_job, claim.host, &claim.record.printer));
        }
        Ok(())
    }

    fn leased(&self, queue: QueueId, job: &Job, host: HostId, printer: &str) -> Problem {
        let host_name = self.queues[&queue].doc.snapshot().host_name(host);
        let id = job.id.to_string();
        Problem::new(
            Code::JobLeased,
            format!(
                "cannot take {} \"{}\" out: {host_name}/{printer} is printing it",
                &id[..8],
                job.name
            ),
        )
        .because("a printer that prints a job holds its lease; nobody else may remove it")
        .fix(
            format!("printmesh job hold {}", &id[..8]),
            "let this print finish, start no more",
        )
    }

    pub(crate) fn withdraw(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        then: Then,
    ) -> Result<(), Problem> {
        self.may_withdraw(queue, job)?;
        if self.withdrawals.values().any(|other| other.job == job) {
            return Err(Problem::new(
                Code::JobOver,
                "this job is being taken out already",
            ));
        }
        let units = self.open_units(queue, job);
        let snapshot = self.queues[&queue].doc.snapshot();
        let voters = snapshot.voters.clone();
        let seen = units.iter().flat_map(|(copy, _)| snapshot.claims_of(*copy));
        let above = seen.map(|claim| claim.record.ballot.n).max().unwrap_or(0);
        if units.is_empty() {
            self.withdrawn(command, queue, job, &then);
            return Ok(());
        }
        if !self.presence(queue).has_quorum(&voters) {
            return Err(self.no_quorum(queue));
        }
        // This host's own claims give way at once.
        let mine: Vec<String> = self
            .printers
            .iter()
            .filter(|(_, p)| {
                p.work
                    .as_ref()
                    .is_some_and(|work| work.queue == queue && work.copy.job == job)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for printer in mine {
            if self.printers[&printer].work.as_ref().is_some_and(|w| {
                !matches!(w.stage, Stage::Claiming | Stage::Fetching | Stage::Staged)
            }) {
                let host = self.me;
                let job = &self.queues[&queue].doc.snapshot().jobs[&job];
                return Err(self.leased(queue, job, host, &printer));
            }
            self.drop_claim(&printer, "the job was taken out of the queue");
        }
        let n = self.next_ballot(above);
        let ballot = Ballot {
            n,
            host: self.me,
            printer: String::new(),
        };
        let value = Value::Withdraw { by: self.me };
        let round = Round::new(ballot, units, value, voters, Phase::Preparing);
        self.ask_voters(queue, &round);
        let deadline_ms = self.now.mono_ms + ROUND_MS;
        self.withdrawals.insert(
            n,
            Withdrawal {
                command,
                queue,
                job,
                then,
                round,
                deadline_ms,
            },
        );
        Ok(())
    }

    /// Copies of a job that a printer may yet start, each with the attempt that it would start.
    fn open_units(&self, queue: QueueId, job: JobId) -> Vec<(CopyId, u32)> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let copies = snapshot.copies_of(&snapshot.jobs[&job]);
        let open = copies.filter_map(|(copy, state)| match state {
            CopyState::Open(attempt) => Some((copy, attempt)),
            CopyState::Claimed(claim) => Some((copy, claim.attempt)),
            CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => None,
        });
        open.collect()
    }

    fn no_quorum(&self, queue: QueueId) -> Problem {
        let entry = &self.queues[&queue];
        let snapshot = entry.doc.snapshot();
        let presence = self.presence(queue);
        let away = snapshot
            .voters
            .hosts
            .iter()
            .filter(|host| !presence.reachable.contains(host));
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
        let record = WithdrawalRecord {
            queue: withdrawal.queue,
            job: withdrawal.job,
            units: withdrawal.round.units.clone(),
            ballot: withdrawal.round.ballot.clone(),
            then: withdrawal.then.clone(),
        };
        let (queue, round) = (withdrawal.queue, withdrawal.round.clone());
        // Durable before a voter can hear of it: from here on it is carried through, also over a restart.
        self.write(records::put(key::withdrawal(record.job), &record));
        self.ask_voters(queue, &round);
    }

    pub(crate) fn withdrawal_accepted(&mut self, from: HostId, reply: &Reply) {
        let Some(withdrawal) = self.withdrawals.get_mut(&reply.ballot.n) else {
            return;
        };
        if withdrawal.round.yes(from, Phase::Accepting) == Verdict::Yes
            && let Some(done) = self.withdrawals.remove(&reply.ballot.n)
        {
            self.write(records::delete(key::withdrawal(done.job)));
            // More copies may have been wanted meanwhile: they too must be out of the printers' reach.
            let taken = &done.round.units;
            let more = self.open_units(done.queue, done.job);
            if more.iter().all(|unit| taken.contains(unit)) {
                self.withdrawn(done.command, done.queue, done.job, &done.then);
            } else if let Err(problem) =
                self.withdraw(done.command, done.queue, done.job, done.then)
                && let Some(command) = done.command
            {
                self.reply(command, Err(problem));
            }
        }
    }

    pub(crate) fn withdrawal_refused(
        &mut self,
        from: HostId,
        reply: &Reply,
        phase: Phase,
        unit: (CopyId, u32),
        nack: Nack,
    ) {
        let Some(withdrawal) = self.withdrawals.get_mut(&reply.ballot.n) else {
            return;
        };
        let Verdict::No(_, _, nack) = withdrawal.round.no(from, phase, unit, nack) else {
            return;
        };
        let Some(ended) = self.withdrawals.remove(&reply.ballot.n) else {
            return;
        };
        self.write(records::delete(key::withdrawal(ended.job)));
        let job = &self.queues[&ended.queue].doc.snapshot().jobs[&ended.job];
        let problem = match &nack {
            Nack::Accepted(Value::Print { host, printer, .. }) => {
                self.leased(ended.queue, job, *host, printer)
            }
            other => Problem::new(Code::JobLeased, format!("{} was not taken out", job.name))
                .because(format!(
                    "the voters refused: {}",
                    crate::claim::words(other)
                ))
                .fix(
                    format!("printmesh job show {}", ended.job),
                    "see what it is doing, then try again",
                ),
        };
        if let Some(command) = ended.command {
            self.reply(command, Err(problem));
        }
    }

    /// Withdrawals whose voters are silent: before the second phase nothing happened; in it, it is carried through
    /// when a voter answers.
    pub(crate) fn expire_withdrawals(&mut self) {
        let now = self.now.mono_ms;
        let silent: Vec<u64> = self
            .withdrawals
            .iter()
            .filter(|(_, w)| w.deadline_ms <= now)
            .map(|(n, _)| *n)
            .collect();
        for n in silent {
            let Some(withdrawal) = self.withdrawals.get_mut(&n) else {
                continue;
            };
            let command = withdrawal.command.take();
            let queue = withdrawal.queue;
            let accepting = withdrawal.round.phase == Phase::Accepting;
            let mut problem = self.no_quorum(queue);
            if accepting {
                problem.why = Some(
                    "the voters stopped answering in the middle; it is finished as soon as they answer".into(),
                );
            }
            if let Some(command) = command {
                self.reply(command, Err(problem));
            }
            if accepting {
                if let Some(withdrawal) = self.withdrawals.get_mut(&n) {
                    withdrawal.deadline_ms = u64::MAX;
                }
                continue;
            }
            if let Some(ended) = self.withdrawals.remove(&n) {
                for voter in ended.round.voters.hosts.clone() {
                    let abort = Message::Abort {
                        queue,
                        units: ended.round.units.clone(),
                        ballot: ended.round.ballot.clone(),
                    };
                    self.send(voter, abort);
                }
            }
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
            };
            self.withdrawals.insert(n, withdrawal);
        }
    }

    /// Every open copy is out of the printers' reach: now the documents say so, in one durable step.
    fn withdrawn(&mut self, command: Option<u64>, queue: QueueId, job: JobId, then: &Then) {
        let result = self.finish_withdrawal(queue, job, then);
        if let Some(command) = command {
            self.reply(command, result);
        }
    }

    fn finish_withdrawal(
        &mut self,
        queue: QueueId,
        job: JobId,
        then: &Then,
    ) -> Result<Answer, Problem> {
        let (by, at) = (self.me, self.now.wall);
        let name = self.queues[&queue].doc.snapshot().jobs[&job].name.clone();
        match then {
            Then::Cancel => {
                self.edit(queue, |edit| {
                    edit.set_job_state(job, &JobState::Cancelled { by, at });
                    Ok(())
                })?;
                Ok(Answer::Done {
                    already: false,
                    text: format!("{name} is cancelled"),
                })
            }
            Then::Move { to, rank_top } => {
                let moved = self.copy_of_job(queue, job, *to, *rank_top);
                let new = moved.id;
                for (old, set) in self.set_pairs(queue, job, &moved) {
                    // The same folder serves the job under its new id.
                    if let Some(path) = self.imports.get(&(job, old)).cloned() {
                        self.write(records::put(key::import(new, set), &path));
                        self.imports.insert((new, set), path);
                    }
                }
                self.edit(*to, |edit| {
                    edit.add_job(&moved);
                    Ok(())
                })?;
                self.edit(queue, |edit| {
                    edit.set_job_state(job, &JobState::Moved { by, at, to: new });
                    Ok(())
                })?;
                if self.queues[to].record.kind == QueueKind::Local {
                    for set in &moved.sets {
                        if !self.imports.contains_key(&(new, set.id)) {
                            self.import(new, &moved.name, set.id, &set.spec.files[0].clone());
                        }
                    }
                }
                Ok(Answer::Job(new))
            }
        }
    }
}
