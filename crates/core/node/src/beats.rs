//! Signs of life of this host's claims: to every member, from the promise to the end, also while a print reports nothing.

use printmesh_queue::{ClaimState, HostId, QueueId};

use crate::{
    message::{Beat, Message},
    node::{Node, Printer},
    records::{QueueKind, Stage, Work},
    times::{beat_ms, estimate_s, estimated_left_s},
};

impl Printer {
    /// Whether it holds a claim of which others must hear.
    fn is_held(&self) -> bool {
        self.work.as_ref().is_some_and(|work| match work.stage {
            Stage::Claiming => false,
            Stage::Fetching
            | Stage::Staged
            | Stage::Starting
            | Stage::Between
            | Stage::Judging { .. }
            | Stage::Running { .. } => true,
        })
    }
}

impl Node {
    /// Whether anybody else is to hear of a queue's claims.
    fn is_shared(&self, queue: QueueId) -> bool {
        self.queues
            .get(&queue)
            .is_some_and(|entry| entry.record.kind == QueueKind::Network)
    }

    /// When the next beat is due.
    pub(crate) fn beat_wakeup(&self) -> Option<u64> {
        let held = self.printers.values().filter(|printer| {
            let shared = |work: &Work| self.is_shared(work.queue);
            printer.is_held() && printer.work.as_ref().is_some_and(shared)
        });
        held.map(|printer| printer.beat_at_ms).min()
    }

    /// The next beat of a printer comes a beat from now at the latest, and not with all the others.
    pub(crate) fn beat_later(&mut self, name: &str) {
        let Some(work) = self.printers.get(name).and_then(|p| p.work.as_ref()) else {
            return;
        };
        let beat = beat_ms(&self.queues[&work.queue].doc.snapshot().settings);
        let at_ms = self.now.mono_ms + beat - self.entropy.below(beat / 4);
        if let Some(printer) = self.printers.get_mut(name) {
            printer.beat_at_ms = at_ms;
        }
    }

    /// Speaks up for every claim that was silent for a beat.
    pub(crate) fn beat(&mut self) {
        let now_ms = self.now.mono_ms;
        let held = self
            .printers
            .iter()
            .filter(|(_, printer)| printer.is_held());
        let due: Vec<(String, Work)> = held
            .filter(|(_, printer)| now_ms >= printer.beat_at_ms)
            .filter_map(|(name, printer)| Some((name.clone(), printer.work.clone()?)))
            .filter(|(_, work)| self.is_shared(work.queue))
            .collect();
        for (name, work) in due {
            self.beat_later(&name);
            self.publish_waiting(&work);
            let beat = self.beat_of(&work);
            self.send_beat(&beat);
        }
    }

    /// A member has just connected: it hears at once what this host holds.
    pub(crate) fn beat_to(&mut self, host: HostId) {
        let held = self.printers.values().filter(|printer| printer.is_held());
        let works: Vec<Work> = held.filter_map(|printer| printer.work.clone()).collect();
        for work in works {
            if self.is_shared(work.queue) && self.shares(work.queue, host) {
                let beat = self.beat_of(&work);
                self.send(host, Message::Beat(beat));
            }
        }
    }

    fn beat_of(&mut self, work: &Work) -> Beat {
        let printer = self.printer_id(&work.ballot.printer);
        let known = self.progress.get(&printer).copied();
        let known = known.filter(|progress| progress.copy == work.copy);
        self.beats += 1;
        Beat {
            queue: work.queue,
            copy: work.copy,
            attempt: work.attempt,
            ballot: work.ballot.clone(),
            progress: known.and_then(|progress| progress.fraction),
            left_s: known
                .and_then(|progress| progress.left_s)
                .or_else(|| self.left_s(work, None, None)),
            seq: (u64::from(self.host.boots) << 32) + u64::from(self.beats),
        }
    }

    /// Speaks up for a printer that has just reported.
    pub(crate) fn beat_now(&mut self, name: &str, work: &Work) {
        self.beat_later(name);
        let beat = self.beat_of(work);
        self.send_beat(&beat);
    }

    fn send_beat(&mut self, beat: &Beat) {
        let members: Vec<HostId> = self.queues[&beat.queue]
            .doc
            .snapshot()
            .present_members()
            .map(|(host, _)| *host)
            .filter(|host| *host != self.me)
            .collect();
        for member in members {
            self.send(member, Message::Beat(beat.clone()));
        }
        self.lease_beat(beat);
    }

    /// What is left of everything that is to be printed under a claim, in seconds; of the run under way as its printer
    /// says, if it does, otherwise by its progress. `None` = neither the printer nor a file says anything.
    pub(crate) fn left_s(
        &self,
        work: &Work,
        run_left_s: Option<u64>,
        fraction: Option<f32>,
    ) -> Option<u64> {
        let snapshot = self.queues.get(&work.queue)?.doc.snapshot();
        let job = snapshot.jobs.get(&work.copy.job)?;
        let all_s = estimated_left_s(snapshot, work.copy, work.attempt);
        let run_s = match work.stage {
            Stage::Running { k, .. } => self
                .runs_of(work)
                .get(&k)
                .map(|run| estimate_s(job, run.set)),
            Stage::Claiming
            | Stage::Fetching
            | Stage::Staged
            | Stage::Starting
            | Stage::Judging { .. }
            | Stage::Between => None,
        };
        let others_s = all_s.saturating_sub(run_s.unwrap_or(0));
        let by_progress = || {
            let share = 1.0 - f64::from(fraction.unwrap_or(0.0).clamp(0.0, 1.0));
            run_s.map(|run| (run as f64 * share) as u64)
        };
        let run_s = run_left_s.or_else(by_progress).unwrap_or(0);
        let left_s = others_s.saturating_add(run_s);
        (left_s > 0 || run_left_s.is_some()).then_some(left_s)
    }

    /// What the voters decided, and does not print within the same step, is said in the document; so is a start that
    /// waits for the voters for longer than a beat. Mostly neither happens: a print costs few changes.
    pub(crate) fn publish_decided(&mut self) {
        let between = |work: &&Work| work.stage == Stage::Between;
        let works = self
            .printers
            .values()
            .filter_map(|printer| printer.work.as_ref());
        let decided: Vec<Work> = works.filter(between).cloned().collect();
        for work in decided {
            self.publish_claim(&work, ClaimState::Started);
        }
    }

    fn publish_waiting(&mut self, work: &Work) {
        if matches!(work.stage, Stage::Staged | Stage::Starting) {
            self.publish_claim(work, ClaimState::Staged);
        }
    }

    /// Says how far a claim is, unless the document says as much.
    fn publish_claim(&mut self, work: &Work, state: ClaimState) {
        let claims = self.queues[&work.queue]
            .doc
            .snapshot()
            .claims
            .get(&work.copy);
        let said = claims.and_then(|claims| claims.get(&(work.attempt, self.me)));
        let said = said.filter(|claim| claim.record.ballot == work.ballot);
        if said.is_none_or(|claim| claim.record.state.is_pending() && claim.record.state < state) {
            self.put_claim(work, state, None);
        }
    }
}
