//! What was asked of the voters while they changed is asked of the ones that follow: the same ballots, which those
//! before handed over.

use std::collections::BTreeMap;

use printmesh_queue::{HostId, QueueId, Voters};

use crate::{
    limits::ROUND_MS,
    message::Reply,
    node::{Node, Queue},
    register::{Phase, Round},
};

impl Round {
    /// The same question to other voters; what those before answered does not count.
    fn follow(&mut self, voters: &Voters) {
        let (ballot, units, value) = (self.ballot.clone(), self.units.clone(), self.value.clone());
        *self = Self::new(ballot, units, value, voters.clone(), self.phase);
    }
}

impl Queue {
    /// The voters that said that they decide nothing in the present configuration any more. They count again when a later one
    /// is published; mostly it is on its way. When it was decided among hosts that follow another key of the queue, it never
    /// comes, and a person recovers the queue.
    pub(crate) fn passed(&self) -> impl Iterator<Item = HostId> {
        let cfg = self.doc.snapshot().voters.cfg;
        let of_it = (self.passed.0 == cfg).then_some(&self.passed.1);
        of_it.into_iter().flatten().map(|(host, _)| *host)
    }
}

impl Node {
    /// A voter refused what it was asked in configuration `asked`: it serves, or served last, number `cfg`.
    pub(crate) fn heard_passed(&mut self, from: HostId, queue: QueueId, asked: u32, cfg: u32) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let voters = &entry.doc.snapshot().voters;
        // Who is behind takes the present one in yet.
        if asked != voters.cfg || cfg < asked || !voters.hosts.contains(&from) {
            return;
        }
        if entry.passed.0 != asked {
            entry.passed = (asked, BTreeMap::new());
        }
        if entry.passed.1.insert(from, cfg).is_none() {
            tracing::info!(peer = %from, %queue, asked, cfg, "a voter has given way to others");
        }
    }

    /// Whether an answer is to what is being asked right now: an answer from before a change of the voters is not.
    pub(crate) fn is_asked(&self, reply: &Reply) -> bool {
        let n = reply.ballot.n;
        let claim = self.rounds.get(&n).map(|claim| &claim.round);
        let withdrawal = self.withdrawals.get(&n).map(|w| &w.round);
        claim
            .or(withdrawal)
            .is_some_and(|round| round.cfg == reply.cfg && round.ballot == reply.ballot)
    }

    /// Asks the published voters what only those before were asked.
    pub(crate) fn follow_config(&mut self, queue: QueueId) {
        let now = self.now.mono_ms;
        let voters = self.queues[&queue].doc.snapshot().voters.clone();
        let old = |round: &Round| round.cfg < voters.cfg;
        let mut rounds = Vec::new();
        for claim in self.rounds.values_mut() {
            if claim.queue == queue && old(&claim.round) {
                claim.round.follow(&voters);
                // A start stays open until it is answered.
                if claim.round.phase == Phase::Preparing {
                    claim.deadline_ms = now + ROUND_MS;
                }
                rounds.push(claim.round.clone());
            }
        }
        for withdrawal in self.withdrawals.values_mut() {
            if withdrawal.queue == queue && old(&withdrawal.round) {
                withdrawal.round.follow(&voters);
                rounds.push(withdrawal.round.clone());
            }
        }
        for round in rounds {
            self.ask_voters(queue, &round);
        }
    }
}
