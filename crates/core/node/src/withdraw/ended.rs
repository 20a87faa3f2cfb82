//! How a withdrawal ends that does not take everything: refused, silent, or not wanted any more. What a voter may hold
//! of it is given back, so that no copy is stuck.

use printmesh_queue::{HostId, JobId, QueueId};

use super::{Unit, Withdrawal, wanted};
use crate::{
    limits::{BALLOT_MAX, DUEL_MS},
    message::{Message, Reply},
    node::Node,
    problem::{Code, Problem},
    records::{self, Then, key},
    register::{Nack, Phase, Value, Verdict},
};

impl Node {
    pub(crate) fn withdrawal_refused(
        &mut self,
        from: HostId,
        reply: &Reply,
        phase: Phase,
        unit: Unit,
        nack: Nack,
    ) {
        let Some(withdrawal) = self.withdrawals.get_mut(&reply.ballot.n) else {
            return;
        };
        let Verdict::No(copy, attempt, nack) = withdrawal.round.no(from, phase, unit, nack) else {
            return;
        };
        let Some(ended) = self.withdrawals.remove(&reply.ballot.n) else {
            return;
        };
        if let Nack::Promised(higher) = &nack
            && higher.n < BALLOT_MAX
        {
            self.host.ballot = self.host.ballot.max(higher.n);
        }
        let passes = match &nack {
            Nack::Promised(_) | Nack::Leased { .. } => ended.then == Then::Reopen,
            Nack::StaleConfig { .. } | Nack::Unknown | Nack::Waking | Nack::TooFast => true,
            Nack::Accepted(_)
            | Nack::Closed
            | Nack::NotAllowed
            | Nack::Lost
            | Nack::Place { .. } => false,
        };
        // What a voter may have taken for it is taken for good, and then given back: nobody else could claim it.
        let mut taken = ended.taken;
        if phase == Phase::Accepting {
            taken.extend(ended.round.units);
        }
        // Who promised it to another one may be the only voter that has not taken it.
        if !passes && !matches!(nack, Nack::Promised(_) | Nack::Leased { .. }) {
            taken.retain(|taken| *taken != (copy, attempt));
        }
        if ended.then == Then::Reopen {
            self.reopen(ended.queue, ended.job, taken, passes);
            return;
        }
        let job = &self.queues[&ended.queue].doc.snapshot().jobs[&ended.job];
        let problem = match &nack {
            Nack::Accepted(Value::Print { host, printer, .. }) => {
                self.leased(ended.queue, job, *host, printer, &ended.then)
            }
            other => Problem::new(
                if passes {
                    Code::NoQuorum
                } else {
                    Code::JobLeased
                },
                format!("{} was not taken out", job.name),
            )
            .because(format!(
                "the voters refused: {}",
                crate::claim::words(other)
            ))
            .fix(
                format!("printmesh job show {}", ended.job),
                "see what it is doing, then try again",
            ),
        };
        self.fail_withdrawal(
            ended.command,
            ended.queue,
            ended.job,
            ended.then,
            taken,
            problem,
        );
    }

    /// A withdrawal came to nothing: what it took is given back, and what was asked goes on as a request when time
    /// alone stood in the way.
    pub(super) fn fail_withdrawal(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        then: Then,
        taken: Vec<Unit>,
        problem: Problem,
    ) {
        self.reopen(queue, job, taken, false);
        let asked = match (command, wanted(&then)) {
            (Some(_), Some(wanted)) if problem.code == Code::NoQuorum => self
                .ask_for(command, queue, job, wanted, Some(then))
                .map(|()| true),
            (Some(_), _) => Ok(false),
            (None, _) => Ok(true),
        };
        match (asked, command) {
            (Ok(true), _) => self.try_request_later(queue, job),
            (Ok(false), Some(command)) => self.reply(command, Err(problem)),
            (Err(other), Some(command)) => self.reply(command, Err(other)),
            (Ok(false) | Err(_), None) => {}
        }
    }

    /// Gives copies back of which a voter may hold this host's withdrawal: at once, or after a while.
    pub(super) fn reopen(&mut self, queue: QueueId, job: JobId, units: Vec<Unit>, later: bool) {
        if units.is_empty() {
            self.write(records::delete(key::withdrawal(job)));
            return;
        }
        let n = self.host.ballot + 1;
        self.ask_to_withdraw(None, queue, job, Then::Reopen, units, Vec::new());
        if later {
            let again_ms = self.now.mono_ms + DUEL_MS + self.entropy.below(DUEL_MS);
            if let Some(withdrawal) = self.withdrawals.get_mut(&n) {
                withdrawal.deadline_ms = again_ms;
            }
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
            if withdrawal.round.phase == Phase::Accepting {
                withdrawal.deadline_ms = u64::MAX;
                let (queue, job) = (withdrawal.queue, withdrawal.job);
                let then = withdrawal.then.clone();
                if let Some(command) = withdrawal.command.take() {
                    self.goes_on(command, queue, job, then);
                }
                continue;
            }
            if let Some(ended) = self.withdrawals.remove(&n) {
                self.abort_withdrawal(&ended);
                let problem = self.no_quorum(ended.queue);
                self.fail_withdrawal(
                    ended.command,
                    ended.queue,
                    ended.job,
                    ended.then,
                    ended.taken,
                    problem,
                );
            }
        }
    }

    /// The voters fell silent in the middle: it is finished when they answer, and shown until then.
    pub(super) fn goes_on(&mut self, command: u64, queue: QueueId, job: JobId, then: Then) {
        let mut problem = self.no_quorum(queue);
        problem.why = Some(
            "the voters stopped answering in the middle; it is finished as soon as they answer"
                .into(),
        );
        let asked = match wanted(&then) {
            Some(wanted) => self.ask_for(Some(command), queue, job, wanted, Some(then)),
            None => Err(problem),
        };
        if let Err(problem) = asked {
            self.reply(command, Err(problem));
        }
    }

    pub(super) fn abort_withdrawal(&mut self, ended: &Withdrawal) {
        for voter in ended.round.voters.hosts.clone() {
            let abort = Message::Abort {
                queue: ended.queue,
                units: ended.round.units.clone(),
                ballot: ended.round.ballot.clone(),
            };
            self.send(voter, abort);
        }
    }

    /// Ends what no voter has heard to its end. What one may have heard goes on, and the problem says so.
    pub(crate) fn abandon_withdrawals(
        &mut self,
        of: impl Fn(&Withdrawal) -> bool,
    ) -> Result<(), Problem> {
        let heard = |w: &&Withdrawal| of(w) && w.then != Then::Reopen && w.is_heard();
        if let Some(going) = self.withdrawals.values().find(heard) {
            let job = &self.queues[&going.queue].doc.snapshot().jobs[&going.job];
            return Err(Problem::new(
                Code::JobLeased,
                format!("{} is being taken out right now", job.name),
            )
            .because("a voter may have heard it already; it is finished when the voters answer"));
        }
        let open: Vec<u64> = self
            .withdrawals
            .iter()
            .filter(|(_, w)| of(w) && w.round.phase == Phase::Preparing)
            .map(|(n, _)| *n)
            .collect();
        for n in open {
            let Some(ended) = self.withdrawals.remove(&n) else {
                continue;
            };
            self.abort_withdrawal(&ended);
            if let Some(command) = ended.command {
                let problem = Problem::new(Code::JobOver, "it was taken back");
                self.reply(command, Err(problem));
            }
        }
        Ok(())
    }
}
