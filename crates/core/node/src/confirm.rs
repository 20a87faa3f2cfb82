//! The gate before heat: a print begins only on a decision that is fresh, or that a majority of the voters confirms.
//!
//! Without it a holder could heat with accepts that are older than its own write-off: those who gave the attempt up and
//! those who accepted its start overlap in no single answer, but they do in a round that begins after the write-off.

use std::collections::BTreeSet;

use printmesh_queue::{Confirm, CopyId, HostId, Level, QueueId, Voters};

use crate::{
    limits::{REFUSED_MS, ROUND_MS},
    message::Message,
    node::Node,
    records::Work,
    register::Nack,
    sabotage::Sabotage,
    times::{abandon_ms, fresh_ms},
};

/// What a printer's claim rests on. Never kept over a restart: then it is stale.
#[derive(Default)]
pub(crate) struct Decision {
    /// When the voters were asked to accept the start, for the first time.
    asked_ms: Option<u64>,
    /// When the round began in which a majority said yes last, unless that is stale.
    since_ms: Option<u64>,
    /// That round was a confirmation, and no print has begun on it.
    confirmed: bool,
    /// When the round began in which a majority answered last.
    contact_ms: Option<u64>,
    asking: Option<Confirming>,
}

/// A confirmation under way.
struct Confirming {
    round: u64,
    began_ms: u64,
    deadline_ms: u64,
    voters: Voters,
    yes: BTreeSet<HostId>,
    lost: BTreeSet<HostId>,
}

impl Decision {
    /// The voters are asked to accept a start for the first time.
    pub(crate) fn asked(now_ms: u64) -> Self {
        Self {
            asked_ms: Some(now_ms),
            ..Self::default()
        }
    }

    /// A majority accepted. The decision is as old as the first question.
    pub(crate) fn accepted(&mut self) {
        self.since_ms = self.asked_ms;
        self.contact_ms = self.asked_ms;
    }

    /// Nothing begins any more on the strength of what was heard so far.
    pub(crate) fn goes_stale(&mut self) {
        self.asked_ms = None;
        self.since_ms = None;
        self.asking = None;
    }

    /// A print begins on it.
    pub(crate) fn used(&mut self) {
        self.confirmed = false;
        self.asking = None;
    }

    /// Times at which there is something to do about it.
    pub(crate) fn wakeups(&self) -> impl Iterator<Item = u64> {
        let asking = self.asking.as_ref();
        asking
            .into_iter()
            .flat_map(|asking| [asking.deadline_ms, asking.deadline_ms + REFUSED_MS])
    }
}

impl Confirming {
    fn is_lost(&self) -> bool {
        self.voters.hosts.len() - self.lost.len() < self.voters.majority()
    }
}

/// Whether a print may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Yes.
    Open,
    /// The voters are being asked.
    Wait,
    /// They must be asked.
    Ask,
    /// They cannot be reached, or did not answer.
    Unanswered,
    /// They gave the attempt up.
    Lost,
}

impl Node {
    /// Whether a printer's next print may begin, as far as the voters are concerned.
    pub(crate) fn gate(&self, name: &str, work: &Work) -> Gate {
        let now_ms = self.now.mono_ms;
        let snapshot = self.queues[&work.queue].doc.snapshot();
        if self.sabotaged(Sabotage::NoGate)
            || self.sabotaged(Sabotage::LeaseStarts)
            || self.sabotaged(Sabotage::DocumentDecides)
        {
            return Gate::Open;
        }
        if work.speculative {
            // Decided without the voters, in this very step (`speculate.rs`).
            return Gate::Open;
        }
        if snapshot.is_lost(work.copy, work.attempt) {
            return Gate::Lost;
        }
        let Some(decision) = self.printers.get(name).map(|printer| &printer.decision) else {
            return Gate::Wait;
        };
        let fresh = |at: u64| now_ms.saturating_sub(at) <= fresh_ms(&snapshot.settings);
        let enough = decision.confirmed || snapshot.settings.confirm == Confirm::Auto;
        if enough && decision.since_ms.is_some_and(fresh) {
            return Gate::Open;
        }
        match &decision.asking {
            Some(asking) if asking.is_lost() => Gate::Lost,
            _ if !self.has_quorum(work) => Gate::Unanswered,
            Some(asking) if now_ms < asking.deadline_ms => Gate::Wait,
            Some(asking) if now_ms < asking.deadline_ms + REFUSED_MS => Gate::Unanswered,
            Some(_) | None => Gate::Ask,
        }
    }

    /// Whether the next run of a claim that has begun may start although the voters do not answer.
    pub(crate) fn may_go_on_alone(&self, name: &str, work: &Work) -> bool {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        if snapshot.settings.claims == Level::Available {
            // As long as for a first start: who has just woken up, or lost the others, hears first what they did.
            let alone_ms = self.queues[&work.queue].alone_ms.unwrap_or(0);
            let since_ms = alone_ms.max(self.awake_ms);
            return self.now.mono_ms >= since_ms + snapshot.settings.patience_s * 1000;
        }
        let contact = self.printers.get(name).and_then(|p| p.decision.contact_ms);
        // By what is left now: less than at any beat before, so that the voters wait for longer than this.
        let left_s = self.left_s(work, None, None).unwrap_or(0);
        match (contact, abandon_ms(&snapshot.settings, left_s)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(at), Some(abandon)) => self.now.mono_ms.saturating_sub(at) <= abandon / 2,
        }
    }

    /// Asks every voter whether it gave the attempt up.
    pub(crate) fn ask_to_confirm(&mut self, name: &str, work: &Work) {
        let now_ms = self.now.mono_ms;
        let voters = self.queues[&work.queue].doc.snapshot().voters.clone();
        let round = u64::from_be_bytes(self.entropy.bytes());
        let asking = Confirming {
            round,
            began_ms: now_ms,
            deadline_ms: now_ms + ROUND_MS,
            voters: voters.clone(),
            yes: BTreeSet::new(),
            lost: BTreeSet::new(),
        };
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        printer.decision.asking = Some(asking);
        for voter in voters.hosts {
            self.send(voter, question(work, voters.cfg, round));
        }
    }

    /// A voter is back: it is asked again what it may not have heard.
    pub(crate) fn resend_confirmations(&mut self, voter: HostId) {
        let mut questions = Vec::new();
        for printer in self.printers.values() {
            if let (Some(work), Some(asking)) = (&printer.work, &printer.decision.asking)
                && asking.voters.hosts.contains(&voter)
            {
                questions.push(question(work, asking.voters.cfg, asking.round));
            }
        }
        for question in questions {
            self.send(voter, question);
        }
    }

    /// As a voter: whether it stands behind an attempt.
    pub(crate) fn asked_to_confirm(
        &mut self,
        from: HostId,
        queue: QueueId,
        cfg: u32,
        unit: (CopyId, u32),
        round: u64,
    ) {
        let nack = self.stands_behind(from, queue, cfg, unit).err();
        if let Some(nack) = &nack {
            tracing::debug!(peer = %from, ?nack, "did not confirm a claim");
        }
        self.send(from, Message::Confirmed { queue, round, nack });
    }

    fn stands_behind(
        &self,
        from: HostId,
        queue: QueueId,
        cfg: u32,
        (copy, attempt): (CopyId, u32),
    ) -> Result<(), Nack> {
        if from != self.me && !self.shares(queue, from) {
            return Err(Nack::Unknown);
        }
        let entry = self.queues.get(&queue).filter(|entry| !entry.record.left);
        let entry = entry.ok_or(Nack::Unknown)?;
        let snapshot = entry.doc.snapshot();
        if !entry.serves(self.me, cfg) {
            let cfg = entry.config_number();
            return Err(Nack::StaleConfig { cfg });
        }
        if !self.knows_its_votes(queue) {
            return Err(Nack::Waking);
        }
        let vote = entry.votes.get(&(copy, attempt));
        if vote.is_some_and(|vote| vote.lost) || snapshot.is_lost(copy, attempt) {
            return Err(Nack::Lost);
        }
        Ok(())
    }

    /// A voter answered.
    pub(crate) fn confirmed(
        &mut self,
        from: HostId,
        queue: QueueId,
        round: u64,
        nack: Option<Nack>,
    ) {
        let of_round = |printer: &&mut crate::node::Printer| {
            let asking = printer.decision.asking.as_ref();
            printer
                .work
                .as_ref()
                .is_some_and(|work| work.queue == queue)
                && asking.is_some_and(|asking| asking.round == round)
        };
        let Some(printer) = self.printers.values_mut().find(of_round) else {
            return;
        };
        let decision = &mut printer.decision;
        let Some(asking) = &mut decision.asking else {
            return;
        };
        if !asking.voters.hosts.contains(&from) {
            return;
        }
        match nack {
            None => {
                asking.yes.insert(from);
            }
            Some(Nack::Lost) => {
                // Said once, never taken back: a yes from before that does not count any more.
                asking.yes.remove(&from);
                asking.lost.insert(from);
            }
            // Its documents are on the way, or ours: asked again if no majority answers.
            Some(_) => {}
        }
        if asking.yes.len() >= asking.voters.majority() {
            decision.since_ms = Some(asking.began_ms);
            decision.contact_ms = Some(asking.began_ms);
            decision.confirmed = true;
            decision.asking = None;
        }
    }
}

fn question(work: &Work, cfg: u32, round: u64) -> Message {
    Message::Confirm {
        queue: work.queue,
        cfg,
        copy: work.copy,
        attempt: work.attempt,
        round,
    }
}
