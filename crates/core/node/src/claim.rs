//! Claiming a copy for a printer: asks the voters, and goes on only with what they said.

use printmesh_queue::{ClaimRecord, ClaimState, CopyId, HostId, QueueId};
use printmesh_schedule::OpenCopy;

use crate::{
    confirm::Decision,
    limits::{BALLOT_MAX, BEHIND_MS, DUEL_MS, GIVEN_LEASES, NOT_ALLOWED_MS, REFUSED_MS, ROUND_MS},
    message::{Ask, Message, Reply},
    node::{ClaimRound, Node},
    records::{self, Stage, Work, key},
    register::{Nack, Phase, Round, Value, Verdict},
    sabotage::Sabotage,
    speculate::Next,
    turns::Turns,
};

impl Node {
    /// Claims the next copy for a free printer. Returns whether it asked for one.
    pub(crate) fn seek_work(&mut self, name: &str, turns: &mut Turns) -> bool {
        let id = self.printer_id(name);
        if let Some((queue, open, asked)) = self.asked_to_start(&id) {
            self.claim(name, queue, open);
            if let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.as_mut()) {
                work.asked = asked;
            }
            return true;
        }
        for queue in self.queues_in_order() {
            match self.next_in(name, queue, turns) {
                Some(Next::Ask(open)) => self.claim(name, queue, open),
                Some(Next::Without(open)) => self.speculate(name, queue, open),
                None => continue,
            }
            self.stop_waiting(name, None);
            return true;
        }
        false
    }

    fn claim(&mut self, printer: &str, queue: QueueId, open: OpenCopy) {
        let snapshot = self.queues[&queue].doc.snapshot();
        let Some(job) = snapshot.jobs.get(&open.copy.job) else {
            return;
        };
        let (voters, spec_hash) = (snapshot.voters.clone(), job.spec_hash());
        let mut unit = (open.copy, open.attempt);
        if self.sabotaged(Sabotage::ReclaimsClosed) {
            unit.1 = open.attempt.saturating_sub(1);
        }
        let ballot = self.new_ballot(printer, queue, unit);
        let n = ballot.n;
        let value = Value::Print {
            host: self.me,
            printer: printer.to_owned(),
            spec_hash,
        };
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
            entry.work = Some(Work::new(queue, unit, ballot, spec_hash, Stage::Claiming));
        }
        if self.sabotaged(Sabotage::DocumentDecides) {
            self.rounds.remove(&n);
            self.claimed(printer);
        }
    }

    pub(crate) fn ask_voters(&mut self, queue: QueueId, round: &Round) {
        // The ballot, and this host's own vote in this round, count as said to whoever is asked.
        self.remember();
        let alone = round.voters.hosts == [self.me];
        let told = (!alone).then(|| self.told());
        let ask = Ask {
            queue,
            cfg: round.cfg,
            units: round.units.clone(),
            ballot: round.ballot.clone(),
            value: round.value.clone(),
            told,
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
            .chain(self.heal_rounds())
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
        // Asked once more, after a restart say, the decision is no younger for that.
        printer.decision = match work.stage {
            Stage::Staged => Decision::asked(self.now.mono_ms),
            Stage::Claiming
            | Stage::Fetching
            | Stage::Starting
            | Stage::Between
            | Stage::Judging { .. }
            | Stage::Running { .. } => Decision::default(),
        };
        work.stage = Stage::Starting;
        let work = work.clone();
        self.save_work(name);
        self.ask_about_start(&work);
    }

    pub(crate) fn ask_about_start(&mut self, work: &Work) {
        let printer = work.ballot.printer.clone();
        let voters = self.queues[&work.queue].doc.snapshot().voters.clone();
        let value = Value::Print {
            host: self.me,
            printer: printer.clone(),
            spec_hash: work.spec_hash,
        };
        let units = vec![(work.copy, work.attempt)];
        let round = Round::new(work.ballot.clone(), units, value, voters, Phase::Accepting);
        self.ask_voters(work.queue, &round);
        // No deadline: a voter may have heard it, so the question stays open until it is answered.
        let claim = ClaimRound {
            printer,
            queue: work.queue,
            round,
            deadline_ms: u64::MAX,
        };
        self.rounds.insert(work.ballot.n, claim);
    }

    /// Frees a printer from a start that the voters have not answered. Once they answer, the copy is given back.
    pub(crate) fn set_aside(&mut self, name: &str) {
        let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.take()) else {
            return;
        };
        self.write(records::delete(key::work(name)));
        self.write(records::put(key::aside(work.ballot.n), &work));
        if !self.rounds.contains_key(&work.ballot.n) {
            self.ask_about_start(&work);
        }
        self.aside.insert(work.ballot.n, work);
    }

    /// The voters answered about a start that was set aside. Returns whether it was one.
    fn answered_aside(&mut self, ballot: u64, state: ClaimState) -> bool {
        let Some(work) = self.aside.remove(&ballot) else {
            return false;
        };
        self.write(records::delete(key::aside(ballot)));
        let note = "the voters answered too late".to_owned();
        self.put_claim(&work, state, Some(note));
        true
    }

    pub(crate) fn promised(&mut self, from: HostId, reply: &Reply) {
        if self.heal_promised(from, reply) || self.heat_promised(from, reply) {
            return;
        }
        if !self.is_asked(reply) {
            return;
        }
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
        if self.heal_accepted(from, reply) || self.heat_accepted(from, reply) {
            return;
        }
        if !self.is_asked(reply) {
            return;
        }
        let n = reply.ballot.n;
        if let Some(claim) = self
            .rounds
            .get_mut(&n)
            .filter(|c| c.round.ballot == reply.ballot)
        {
            if claim.round.yes(from, Phase::Accepting) == Verdict::Yes {
                let printer = claim.printer.clone();
                self.rounds.remove(&n);
                if !self.answered_aside(n, ClaimState::Released) {
                    self.start_decided(&printer);
                }
            }
        } else {
            self.withdrawal_accepted(from, reply);
        }
    }

    pub(crate) fn refused(
        &mut self,
        from: HostId,
        reply: &Reply,
        phase: Phase,
        unit: (CopyId, u32),
        nack: Nack,
    ) {
        if let Nack::StaleConfig { cfg } = &nack {
            self.heard_passed(from, reply.queue, reply.cfg, *cfg);
        }
        if self.heal_refused(from, reply, phase, unit, nack.clone())
            || self.heat_refused(from, reply, phase, unit, &nack)
        {
            return;
        }
        // A voter that has sealed, or is behind, decides nothing: the voters that follow are asked (`follow.rs`).
        // One that has just started says when it may be asked again (`memory.rs`).
        let undecided = matches!(nack, Nack::StaleConfig { .. } | Nack::Waking);
        if !self.is_asked(reply) || undecided {
            return;
        }
        let (now, me) = (self.now.mono_ms, self.me);
        let n = reply.ballot.n;
        let Some(claim) = self
            .rounds
            .get_mut(&n)
            .filter(|c| c.round.ballot == reply.ballot)
        else {
            self.withdrawal_refused(from, reply, phase, unit, nack);
            return;
        };
        if !claim.round.asks(from) {
            return;
        }
        let mut verdict = claim.round.no(from, phase, unit, nack.clone());
        if verdict == Verdict::Open {
            match claim.round.phase {
                // Another voter is silent, and this one may yet change its mind.
                Phase::Accepting => claim.deadline_ms = now + ROUND_MS,
                // Who is away says nothing either: better to make way at once than to block each other.
                Phase::Preparing => {
                    let peers = &self.peers;
                    let here = |host: &HostId| {
                        *host == me || peers.get(host).is_some_and(|peer| peer.connected)
                    };
                    if !claim.round.may_succeed(here) {
                        verdict = Verdict::No(unit.0, unit.1, nack);
                    }
                }
            }
        }
        let duel = claim.round.has_promise();
        if let Verdict::No(copy, attempt, nack) = verdict {
            let (printer, queue) = (claim.printer.clone(), claim.queue);
            self.rounds.remove(&n);
            // Who does not know the job refuses nobody for good; others may have accepted this start, and would give the
            // attempt to nobody else: who asked for it closes it.
            let state = match nack {
                Nack::Unknown => ClaimState::Released,
                _ => ClaimState::Dropped,
            };
            if self.answered_aside(n, state) {
                return;
            }
            let wait_ms = match &nack {
                Nack::Leased { .. } if duel => DUEL_MS,
                Nack::Leased { for_ms } => (*for_ms).min(REFUSED_MS),
                Nack::Promised(higher) => {
                    if higher.n < BALLOT_MAX {
                        self.host.ballot = self.host.ballot.max(higher.n);
                    }
                    DUEL_MS
                }
                // It stays that printer's until the document says otherwise, and then it is another attempt.
                Nack::Accepted(_) => self.lease_ms(queue) * GIVEN_LEASES,
                Nack::NotAllowed => NOT_ALLOWED_MS,
                Nack::Closed | Nack::Lost | Nack::Place { .. } | Nack::TooFast => REFUSED_MS,
                Nack::Unknown => self.unheard_ms(queue, (copy, attempt)),
                Nack::StaleConfig { .. } | Nack::Waking => BEHIND_MS,
            };
            let until = now + wait_ms + self.entropy.below(wait_ms.min(DUEL_MS));
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.refused.insert((copy, attempt), until);
            }
            let why = format!("the voters refused: {}", words(&nack));
            let work = self.printers.get(&printer).and_then(|p| p.work.clone());
            match (&nack, work) {
                (Nack::Unknown, Some(work)) if work.stage == Stage::Starting => {
                    self.release(&printer, &work, &why);
                }
                _ => self.drop_claim(&printer, &why),
            }
        }
    }

    /// How long to wait for voters that have not heard of a copy. Mostly it is on its way to them; but who was told another
    /// story by somebody hears of it in the next epoch only, and is not asked ten times a second until then.
    fn unheard_ms(&mut self, queue: QueueId, unit: (CopyId, u32)) -> u64 {
        let now = self.now.mono_ms;
        let Some(entry) = self.queues.get_mut(&queue) else {
            return REFUSED_MS;
        };
        let last = entry.unheard.get(&unit).map(|(wait_ms, _)| *wait_ms);
        let wait_ms = last.map_or(BEHIND_MS, |last| (last * 2).min(REFUSED_MS));
        entry.unheard.insert(unit, (wait_ms, now + 2 * REFUSED_MS));
        wait_ms
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
        self.beat_later(name);
    }

    pub(crate) fn claim_record(
        &self,
        work: &Work,
        state: ClaimState,
        note: Option<String>,
    ) -> ClaimRecord {
        ClaimRecord {
            printer: work.ballot.printer.clone(),
            ballot: work.ballot.clone(),
            cfg: self.queues[&work.queue].doc.snapshot().voters.cfg,
            spec_hash: work.spec_hash,
            state,
            speculative: work.speculative && state != ClaimState::Surplus,
            credited_to: None,
            note,
            at: self.now.wall,
        }
    }

    pub(crate) fn put_claim(&mut self, work: &Work, state: ClaimState, note: Option<String>) {
        let record = self.claim_record(work, state, note);
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
            if let Some(claim) = self.rounds.get_mut(&n)
                && claim.round.phase == Phase::Accepting
            {
                claim.deadline_ms = u64::MAX;
                let (queue, round) = (claim.queue, claim.round.clone());
                self.ask_voters(queue, &round);
                continue;
            }
            let Some(claim) = self.rounds.remove(&n) else {
                continue;
            };
            let until = now + REFUSED_MS + self.entropy.below(DUEL_MS);
            if let Some(entry) = self.queues.get_mut(&claim.queue) {
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

    /// On the way out: copies of which nothing was printed are free for others at once.
    pub(crate) fn give_back_claims(&mut self) {
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in names {
            self.give_back(&name, "its host stopped");
        }
    }

    /// Gives back what a printer has not begun to print.
    pub(crate) fn give_back(&mut self, name: &str, why: &str) {
        let Some(work) = self.printers.get(name).and_then(|p| p.work.clone()) else {
            return;
        };
        match work.stage {
            Stage::Claiming | Stage::Fetching | Stage::Staged => self.drop_claim(name, why),
            Stage::Between if self.runs_of(&work).is_empty() => self.release(name, &work, why),
            Stage::Starting => self.set_aside(name),
            Stage::Between | Stage::Running { .. } | Stage::Judging { .. } => {}
        }
    }

    /// Gives back what is left of a copy that was decided for this printer: others may make the next attempt.
    pub(crate) fn release(&mut self, name: &str, work: &Work, why: &str) {
        tracing::info!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, why, "gave a copy back");
        // What the voters have not decided cannot be given back, only left.
        let state = match work.speculative {
            true => ClaimState::Dropped,
            false => ClaimState::Released,
        };
        self.put_claim(work, state, Some(why.to_owned()));
        if let Some(printer) = self.printers.get_mut(name) {
            printer.work = None;
        }
        let id = self.printer_id(name);
        self.progress.remove(&id);
        self.write(records::delete(key::work(name)));
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
        Nack::Waking => "a voter has just started and asks what it had said before",
        Nack::Place { .. } => "others heat up",
        Nack::TooFast => "this host asks about more copies than a member may",
        Nack::Lost => "it was given up: its printer was not heard of for too long",
    }
}
