//! What becomes of a print about which the voters have decided: it is its copy's, or counts for another copy of the job.

use printmesh_queue::{ClaimState, QueueId};

use crate::{
    heal::{Unit, claim_of},
    node::Node,
    records::{self, Stage, key},
    register::Round,
};

impl Node {
    /// The voters gave a print its copy: the documents say so in one change.
    pub(crate) fn healed(&mut self, queue: QueueId, from: Unit, to: Unit, round: Round) {
        let snapshot = self.queues[&queue].doc.snapshot();
        let cfg = snapshot.voters.cfg;
        let Some(claim) = claim_of(snapshot, from, self.me).cloned() else {
            tracing::error!(job = %from.0.job, copy = from.0.index + 1, "a print lost its claim");
            return;
        };
        let at = self.now.wall;
        let mut record = claim.record.clone();
        record.ballot = round.ballot.clone();
        record.cfg = cfg;
        record.speculative = false;
        record.at = at;
        tracing::info!(
            job = %from.0.job, copy = from.0.index + 1, counts_for = to.0.index + 1,
            "the voters decided about a print that was started without them"
        );
        if from == to {
            self.record(queue, |edit| edit.put_claim(to.0, to.1, &record));
        } else {
            let mut old = claim.record.clone();
            old.state = ClaimState::Credited;
            old.speculative = false;
            old.credited_to = Some(to.0.index);
            old.at = at;
            self.record(queue, |edit| {
                edit.put_claim(from.0, from.1, &old);
                edit.put_claim(to.0, to.1, &record);
                for (k, run) in &claim.runs {
                    edit.put_run(to.0, to.1, *k, run);
                }
            });
        }
        self.moves_on_as(queue, from, to, &round);
    }

    /// What this host is doing under one claim it does under another one from now on.
    fn moves_on_as(&mut self, queue: QueueId, from: Unit, to: Unit, round: &Round) {
        let is_it = |work: &records::Work| work.queue == queue && (work.copy, work.attempt) == from;
        let working = self
            .printers
            .iter()
            .find(|(_, printer)| printer.work.as_ref().is_some_and(is_it))
            .map(|(name, _)| name.clone());
        if let Some(name) = working {
            if let Some(work) = self.printers.get_mut(&name).and_then(|p| p.work.as_mut()) {
                work.becomes(to, &round.ballot);
            }
            self.save_work(&name);
            let id = self.printer_id(&name);
            if let Some(progress) = self.progress.get_mut(&id) {
                progress.copy = to.0;
            }
        }
        let unsure = self.unsure.iter().find(|(_, unsure)| is_it(&unsure.work));
        if let Some(n) = unsure.map(|(n, _)| *n)
            && let Some(mut unsure) = self.unsure.remove(&n)
        {
            self.write(records::delete(key::unsure(n)));
            let k = unsure.k;
            unsure.work.stage = Stage::Running {
                k,
                began: unsure.began,
            };
            unsure.work.becomes(to, &round.ballot);
            let n = unsure.work.ballot.n;
            self.write(records::put(key::unsure(n), &unsure));
            self.unsure.insert(n, unsure);
        }
    }
}
