//! What was asked of the voters while they changed is asked of the ones that follow: the same ballots, which those
//! before handed over.

use printmesh_queue::{QueueId, Voters};

use crate::{
    limits::ROUND_MS,
    message::Reply,
    node::Node,
    register::{Phase, Round},
};

impl Round {
    /// The same question to other voters; what those before answered does not count.
    fn follow(&mut self, voters: &Voters) {
        let (ballot, units, value) = (self.ballot.clone(), self.units.clone(), self.value.clone());
        *self = Self::new(ballot, units, value, voters.clone(), self.phase);
    }
}

impl Node {
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
