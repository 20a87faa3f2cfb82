//! Claiming a copy for a printer: asks the voters, and goes on only with what they said.

use printmesh_queue::{Ballot, ClaimRecord, ClaimState, CopyId, HostId, QueueId};
use printmesh_schedule::{OpenCopy, choose};

use crate::{
    limits::{DUEL_MS, REFUSED_MS, ROUND_MS},
    message::{Ask, Message, Reply},
    node::{ClaimRound, Node},
    records::{self, Stage, Work, key},
    register::{Nack, Phase, Round, Value, Verdict},
};

impl Node {
    /// Claims the next copy for a free printer. Returns whether it asked for one.
    pub(crate) fn seek_work(&mut self, name: &str) -> bool {
        let id = self.printer_id(name);
        for queue in self.queues_in_order() {
            let presence = self.presence(queue);
            if let Ok(open) = choose(self.queues[&queue].doc.snapshot(), &presence, &id) {
                self.claim(name, queue, open);
                return true;
            }
        }
        false
    }

    fn claim(&mut self, printer: &str, queue: QueueId, open: OpenCopy) {
        let snapshot = self.queues[&queue].doc.snapshot();
        let Some(job) = snapshot.jobs.get(&open.copy.job) else {
            return;
        };
        let (voters, spec_hash) = (snapshot.voters.clone(), job.spec_hash());
        let seen = snapshot
            .claims_of(open.copy)
            .map(|claim| claim.record.ballot.n)
            .max();
        let promised = self.queues[&queue]
            .votes
            .get(&(open.copy, open.attempt))
            .and_then(|v| v.promised.as_ref());
        let above = seen.unwrap_or(0).max(promised.map_or(0, |ballot| ballot.n));
        let n = self.next_ballot(above);
        let ballot = Ballot {
            n,
            host: self.me,
            printer: printer.to_owned(),
        };
        let value = Value::Print {
            host: self.me,
            printer: printer.to_owned(),
            spec_hash,
        };
        let unit = (open.copy, open.attempt);
        let round = Round::new(ballot.clone(), vec![unit], value, voters, Phase::Preparing);
        self.ask_voters(queue, &round);
        let deadline_ms = self.now.mono_ms + ROUND_MS;
        self.rounds.insert(
            n,
            ClaimRound {
                printer: printer.to_owned(),
                queue,
                round,
                deadline_ms,
            },
        );
        if let Some(entry) = self.printers.get_mut(printer) {
            let (copy, attempt) = unit;
            entry.work = Some(Work {
                queue,
                copy,
                attempt,
                ballot,
                spec_hash,
                stage: Stage::Claiming,
            });
        }
    }

    pub(crate) fn ask_voters(&mut self, queue: QueueId, round: &Round) {
        let ask = Ask {
            queue,
            cfg: round.cfg,
            units: round.units.clone(),
            ballot: round.ballot.clone(),
            value: round.value.clone(),
        };
        for voter in &round.voters.hosts {
            let message = match round.phase {
                Phase::Preparing => Message::Prepare(ask.clone()),
                Phase::Accepting => Message::Accept(ask.clone()),
            };
            self.send(*voter, message);
        }
    }

    /// A voter is back: what it was asked while it was away is asked again; saying it twice is harmless.
    pub(crate) fn resend_asks(&mut self, voter: HostId) {
        let claims = self
            .rounds
            .values()
            .map(|claim| (claim.queue, claim.round.clone()));
        let withdrawals = self
            .withdrawals
            .values()
            .map(|w| (w.queue, w.round.clone()));
        let open: Vec<_> = claims
            .chain(withdrawals)
            .filter(|(_, round)| round.voters.hosts.contains(&voter))
            .collect();
        for (queue, round) in open {
            self.ask_voters(queue, &round);
        }
    }

    /// Asks the voters to accept the start. The journal says so before they hear of it.
    pub(crate) fn ask_to_start(&mut self, name: &str) {
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        let Some(work) = &mut printer.work else {
            return;
        };
        work.stage = Stage::Starting;
        printer.decided_ms = None;
        let work = work.clone();
        self.save_work(name);
        let voters = self.queues[&work.queue].doc.snapshot().voters.clone();
        let value = Value::Print {
            host: self.me,
            printer: name.to_owned(),
            spec_hash: work.spec_hash,
        };
        let units = vec![(work.copy, work.attempt)];
        let round = Round::new(work.ballot.clone(), units, value, voters, Phase::Accepting);
        self.ask_voters(work.queue, &round);
        // No deadline: a voter may have heard it, so the question stays open until it is answered.
        let claim = ClaimRound {
            printer: name.to_owned(),
            queue: work.queue,
            round,
            deadline_ms: u64::MAX,
        };
        self.rounds.insert(work.ballot.n, claim);
    }

    pub(crate) fn promised(&mut self, from: HostId, reply: &Reply) {
        let n = reply.ballot.n;
        if let Some(claim) = self
            .rounds
            .get_mut(&n)
            .filter(|c| c.round.ballot == reply.ballot)
        {
            if claim.round.yes(from, Phase::Preparing) == Verdict::Yes {
                let printer = claim.printer.clone();
                self.rounds.remove(&n);
                self.claimed(&printer);
            }
        } else {
            self.withdrawal_promised(from, reply);
        }
    }

    pub(crate) fn accepted(&mut self, from: HostId, reply: &Reply) {
        let n = reply.ballot.n;
        if let Some(claim) = self
            .rounds
            .get_mut(&n)
            .filter(|c| c.round.ballot == reply.ballot)
        {
            if claim.round.yes(from, Phase::Accepting) == Verdict::Yes {
                let printer = claim.printer.clone();
                self.rounds.remove(&n);
                self.start_decided(&printer);
            }
        } else {
            self.withdrawal_accepted(from, reply);
        }
    }

    pub(crate) fn refused(&mut self, from: HostId, reply: &Reply, unit: (CopyId, u32), nack: Nack) {
        let n = reply.ballot.n;
        let Some(claim) = self
            .rounds
            .get_mut(&n)
            .filter(|c| c.round.ballot == reply.ballot)
        else {
            self.withdrawal_refused(from, reply, unit, nack);
            return;
        };
        if let Verdict::No(copy, attempt, nack) = claim.round.no(from, unit, nack) {
            let (printer, queue) = (claim.printer.clone(), claim.queue);
            self.rounds.remove(&n);
            let jitter = self.entropy.below(DUEL_MS);
            let wait_ms = match &nack {
                Nack::Leased { for_ms } => (*for_ms).min(REFUSED_MS),
                Nack::Promised(higher) => {
                    self.host.ballot = self.host.ballot.max(higher.n);
                    DUEL_MS
                }
                Nack::Accepted(_) | Nack::Closed | Nack::NotAllowed => REFUSED_MS,
                Nack::StaleConfig { .. } | Nack::Unknown => DUEL_MS,
            };
            let until = self.now.mono_ms + wait_ms + jitter;
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.refused.insert((copy, attempt), until);
            }
            self.drop_claim(&printer, &format!("the voters refused: {}", words(&nack)));
        }
    }

    /// The voters promised: the lease record becomes visible.
    fn claimed(&mut self, name: &str) {
        let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.as_mut()) else {
            return;
        };
        work.stage = Stage::Fetching;
        let work = work.clone();
        self.save_work(name);
        let fetching = self.files_wanted(&work).next().is_some();
        let state = if fetching {
            ClaimState::Fetching
        } else {
            ClaimState::Claimed
        };
        self.put_claim(&work, state, None);
        if let Some(printer) = self.printers.get_mut(name) {
            printer.beat_ms = self.now.mono_ms;
        }
    }

    pub(crate) fn put_claim(&mut self, work: &Work, state: ClaimState, note: Option<String>) {
        let Some(entry) = self.queues.get(&work.queue) else {
            return;
        };
        let record = ClaimRecord {
            printer: work.ballot.printer.clone(),
            ballot: work.ballot.clone(),
            cfg: entry.doc.snapshot().voters.cfg,
            spec_hash: work.spec_hash,
            state,
            note,
            at: self.now.wall,
        };
        let (copy, attempt) = (work.copy, work.attempt);
        self.record(work.queue, |edit| edit.put_claim(copy, attempt, &record));
    }

    /// Gives a claim up before its start: the copy is free for others at once.
    pub(crate) fn drop_claim(&mut self, name: &str, why: &str) {
        let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.take()) else {
            return;
        };
        tracing::info!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, why, "gave a claim back");
        self.rounds.remove(&work.ballot.n);
        if work.stage != Stage::Claiming {
            self.write(records::delete(key::work(name)));
            self.put_claim(&work, ClaimState::Dropped, Some(why.to_owned()));
        }
        let id = self.printer_id(name);
        self.progress.remove(&id);
        let voters = self.queues[&work.queue].doc.snapshot().voters.hosts.clone();
        for voter in voters {
            let units = vec![(work.copy, work.attempt)];
            let abort = Message::Abort {
                queue: work.queue,
                units,
                ballot: work.ballot.clone(),
            };
            self.send(voter, abort);
        }
    }

    /// Claims whose voters said nothing for too long are given up; the printer looks for something else.
    pub(crate) fn expire_rounds(&mut self) {
        let now = self.now.mono_ms;
        let silent: Vec<u64> = self
            .rounds
            .iter()
            .filter(|(_, c)| c.deadline_ms <= now)
            .map(|(n, _)| *n)
            .collect();
        for n in silent {
            let Some(claim) = self.rounds.remove(&n) else {
                continue;
            };
            if let Some(entry) = self.queues.get_mut(&claim.queue) {
                let until = now + REFUSED_MS;
                entry
                    .refused
                    .extend(claim.round.units.iter().map(|unit| (*unit, until)));
            }
            self.drop_claim(&claim.printer, "the voters did not answer");
        }
    }

    pub(crate) fn save_work(&mut self, name: &str) {
        if let Some(work) = self
            .printers
            .get(name)
            .and_then(|printer| printer.work.as_ref())
        {
            let write = records::put(key::work(name), work);
            self.write(write);
        }
    }

    /// On the way out: claims that have not started are free for others at once.
    pub(crate) fn give_back_claims(&mut self) {
        let pending: Vec<String> = self
            .printers
            .iter()
            .filter(|(_, p)| {
                p.work.as_ref().is_some_and(|work| {
                    matches!(
                        work.stage,
                        Stage::Claiming | Stage::Fetching | Stage::Staged
                    )
                })
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in pending {
            self.drop_claim(&name, "its host stopped");
        }
    }
}

pub(crate) fn words(nack: &Nack) -> &'static str {
    match nack {
        Nack::Leased { .. } | Nack::Promised(_) => "another printer is claiming it",
        Nack::Accepted(Value::Print { .. }) => "another printer has it",
        Nack::Accepted(Value::Withdraw { .. }) => "it was taken out of the queue",
        Nack::Closed => "it is not open",
        Nack::StaleConfig { .. } => "the voters have changed",
        Nack::NotAllowed => "this host's role does not allow it",
        Nack::Unknown => "the job has not arrived there yet",
    }
}
