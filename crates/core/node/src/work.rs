//! From a claimed copy to its end: fetch, stage, start, each print on a clear bed, outcome.
//!
//! Nothing heats or moves before three things are durable: the voters' decision, the bed marked occupied, and the
//! intent to print this very run. After a crash nothing goes on by itself.

use std::collections::BTreeMap;

use printmesh_queue::{
    Bed, ClaimState, FileSpec, JobState, QueueId, Role, RunRecord, RunResult, Set, SetId,
};
use printmesh_schedule::{is_for, misfit_of};

use crate::{
    confirm::Gate,
    effect::Effect,
    node::Node,
    records::{self, QueueKind, Stage, Work, key},
    sabotage::Sabotage,
    turns::Turns,
};

/// Runs of one claim fit twice below its ballot number (`limits::RUNS_MAX`): a script that clears the bed after a run has
/// the number between that run's and the next one's.
const FENCE_RUN_BITS: u32 = 20;

/// The number of one print: it rises with every print of this host, also within one claim.
pub(crate) fn fence_of(work: &Work, k: u32) -> u64 {
    (work.ballot.n << FENCE_RUN_BITS) + 2 * u64::from(k)
}

/// The token of one print, as the driver echoes it.
pub(crate) fn print_token(work: &Work, k: u32) -> String {
    if let Some(token) = &work.printing_as {
        return token.clone();
    }
    format!(
        "{}/{}/{}/{k}",
        work.copy.job, work.copy.index, work.ballot.n
    )
}

impl Node {
    /// Moves every printer of this host on as far as it can go. Returns whether any moved.
    pub(crate) fn drive_printers(&mut self) -> bool {
        self.note_matches(false);
        let names: Vec<String> = self.printers.keys().cloned().collect();
        let (mut moved, mut turns) = (false, Turns::default());
        for name in names {
            if self.drive(&name, &mut turns) {
                moved = true;
                turns.forget();
            }
        }
        moved
    }

    fn drive(&mut self, name: &str, turns: &mut Turns) -> bool {
        if self.drive_clearing(name) {
            return true;
        }
        let Some(printer) = self.printers.get(name) else {
            return false;
        };
        let Some(work) = printer.work.clone() else {
            return !self.stopping && self.seek_work(name, turns);
        };
        if let Some(moved) = self.drive_without(name, &work) {
            return moved;
        }
        match work.stage {
            Stage::Claiming => {
                let lost = !self.has_quorum(&work);
                if lost {
                    self.drop_claim(name, "the voters cannot be reached");
                }
                lost
            }
            Stage::Running { k, .. } => {
                self.stop_if_asked(name, &work, k);
                false
            }
            Stage::Judging { .. } => self.drive_judging(name, &work),
            Stage::Fetching => self.drive_fetching(name, &work),
            Stage::Staged => self.drive_staged(name, &work),
            Stage::Starting => {
                if !self.has_quorum(&work) {
                    self.set_aside(name);
                    return true;
                }
                if self.rounds.contains_key(&work.ballot.n) || self.stopping {
                    return false;
                }
                self.ask_to_start(name);
                true
            }
            Stage::Between => self.drive_between(name, &work),
        }
    }

    /// Why a copy of which nothing is printed must be given up, if it must.
    fn copy_is_void(&self, name: &str, work: &Work) -> Option<&'static str> {
        let entry = self.queues.get(&work.queue);
        let snapshot = entry
            .filter(|entry| !entry.record.left)
            .map(|e| e.doc.snapshot());
        let Some(job) = snapshot.and_then(|snapshot| snapshot.jobs.get(&work.copy.job)) else {
            return Some("its queue is gone");
        };
        let full = format!("{}/{name}", self.host.name);
        if job.state != JobState::Open {
            Some("the job left the queue")
        } else if let Some(why) = self.wanted_out(work.queue, work.copy.job) {
            Some(why)
        } else if job.held || job.draft {
            Some("the job is held")
        } else if work.copy.index >= job.units() {
            Some("fewer copies are wanted")
        } else if job.spec_hash() != work.spec_hash {
            Some("the job was edited")
        } else if !is_for(snapshot?, job, &self.printer_id(name)) && !job.printers.contains(&full) {
            Some("the job is for other printers")
        } else if !self.machine_may_start(name, work) {
            Some("the printer cannot start now")
        } else if !self.fits_still(name, work) {
            Some("the printer does not fit the job any more")
        } else {
            None
        }
    }

    /// Why a claim that has not started must be given up, if it must.
    fn claim_is_void(&self, name: &str, work: &Work) -> Option<&'static str> {
        if let Some(why) = self.copy_is_void(name, work) {
            return Some(why);
        }
        let snapshot = self.queues[&work.queue].doc.snapshot();
        if snapshot.is_lost(work.copy, work.attempt) {
            return Some("it was given up: this host was not heard of for too long");
        }
        let other = snapshot.claims_of(work.copy).any(|claim| {
            let state = claim.record.state;
            let further =
                claim.host != self.me && (state.is_begun() || state == ClaimState::Finished);
            claim.attempt == work.attempt
                && (claim.record.ballot > work.ballot && !claim.record.speculative || further)
                && state != ClaimState::Dropped
        });
        // Of those who go on without the voters not the ballot decides (`speculate.rs`).
        (other && !work.speculative).then_some("another printer took it over")
    }

    pub(crate) fn has_quorum(&self, work: &Work) -> bool {
        self.queues.get(&work.queue).is_some_and(|entry| {
            self.presence(work.queue)
                .has_quorum(&entry.doc.snapshot().voters)
        })
    }

    fn drive_fetching(&mut self, name: &str, work: &Work) -> bool {
        if let Some(why) = self.claim_is_void(name, work) {
            self.drop_claim(name, why);
            return true;
        }
        let wanted: Vec<FileSpec> = self.files_wanted(work).collect();
        if let Some(file) = wanted
            .iter()
            .find(|file| self.missing.contains_key(&file.hash))
        {
            let note = format!(
                "file-missing: no host that can be reached has {}",
                file.name
            );
            self.drop_claim(name, &note);
            return true;
        }
        if !wanted.is_empty() {
            for file in &wanted {
                self.fetch(work.queue, file);
            }
            return false;
        }
        self.import_sets(work);
        let job = &self.queues[&work.queue].doc.snapshot().jobs[&work.copy.job];
        let is_imported = |set: &Set| {
            let file = self.file_of(work, job, set);
            file.is_some_and(|file| self.is_at_hand(job.id, set.id, file))
        };
        if !job.sets.iter().all(is_imported) {
            return false;
        }
        if self.refuse_sliced(name, work) {
            return true;
        }
        self.set_stage(name, Stage::Staged);
        true
    }

    fn drive_staged(&mut self, name: &str, work: &Work) -> bool {
        if let Some(why) = self.claim_is_void(name, work) {
            self.drop_claim(name, why);
            return true;
        }
        if !self.has_quorum(work) {
            // The printer is free for what can be decided without them.
            self.drop_claim(name, "the voters cannot be reached");
            return true;
        }
        if self.stopping {
            return false;
        }
        if self.sabotaged(Sabotage::LeaseStarts) || self.sabotaged(Sabotage::DocumentDecides) {
            self.start_decided(name);
            return true;
        }
        self.ask_to_start(name);
        true
    }

    /// Whether what the printer is and has is still what the job needs: somebody may have swapped something.
    fn fits_still(&self, name: &str, work: &Work) -> bool {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let job = snapshot.jobs.get(&work.copy.job);
        job.is_some_and(|job| misfit_of(snapshot, job, &self.printer_id(name)).is_none())
    }

    pub(crate) fn machine_may_start(&self, name: &str, work: &Work) -> bool {
        let queue = self.queues.get(&work.queue);
        let by_itself = queue.is_some_and(|queue| queue.doc.snapshot().settings.autoprint);
        self.printers.get(name).is_some_and(|printer| {
            printer.online
                && (printer.entry.autoprint && by_itself || work.asked)
                && printer.entry.fault.is_none()
                && printer.entry.paused.is_none()
                && printer.entry.bed == Bed::Clear
        }) && self.quiet_until(name).is_none()
    }

    /// The voters accepted: the copy is this printer's, whatever happens.
    pub(crate) fn start_decided(&mut self, name: &str) {
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        printer.decision.accepted();
        self.set_stage(name, Stage::Between);
    }

    fn drive_between(&mut self, name: &str, work: &Work) -> bool {
        if !self.writes_in(work.queue) {
            // What it prints from now on nobody would hear of, nor would it know by itself what it has printed.
            tracing::warn!(printer = name, job = %work.copy.job, "prints no more of a queue that it was put out of");
            self.end_work(name);
            return true;
        }
        let done = self.runs_of(work);
        if self.stopping {
            if done.is_empty() {
                self.release(name, work, "its host stopped");
            }
            return done.is_empty();
        }
        if done.is_empty() {
            if let Some(why) = self.copy_is_void(name, work) {
                self.release(name, work, why);
                return true;
            }
        } else if let Some(host) = self.stopped_by(work.queue, work.copy.job) {
            // A hold lets a copy that was begun come to its end: it is whole or nothing. A stop does not.
            self.put_claim(work, ClaimState::Failed, Some(format!("stopped by {host}")));
            self.end_work(name);
            return true;
        }
        let Some((k, set, repetition)) = self.next_run(work, &done) else {
            self.finish(name, work);
            return true;
        };
        let gate = self.gate(name, work);
        if gate == Gate::Lost {
            self.release(
                name,
                work,
                "it was given up: this host was not heard of for too long",
            );
            return true;
        }
        let may_start = self.machine_may_start(name, work) && self.fits_still(name, work);
        if !done.is_empty() && !may_start {
            return false;
        }
        match gate {
            Gate::Open | Gate::Lost => {}
            Gate::Wait => return false,
            Gate::Ask => {
                self.ask_to_confirm(name, work);
                return true;
            }
            Gate::Unanswered if done.is_empty() => {
                self.release(name, work, "the voters cannot be reached");
                return true;
            }
            Gate::Unanswered if self.may_go_on_alone(name, work) => {}
            Gate::Unanswered => return false,
        }
        if !self.may_heat(name) {
            return false;
        }
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let job = snapshot.jobs.get(&work.copy.job);
        let file = job.and_then(|job| self.file_of(work, job, &set));
        let Some(file) = file.map(|file| file.hash) else {
            tracing::error!(printer = name, job = %work.copy.job, "no file of the set fits the printer any more");
            return false;
        };
        let imported = (work.copy.job, set.id, file);
        let sliced = self.sliced_of(imported);
        let sliced = sliced.map(|sliced| (sliced.path.clone(), sliced.hash));
        let known = self
            .imports
            .get(&imported)
            .cloned()
            .map(|path| (path, file));
        let Some((path, hash)) = sliced.or(known) else {
            if done.is_empty() {
                // Another alternative fits since: somebody swapped something. It is claimed anew.
                self.release(name, work, "the printer prints another file of it now");
                return true;
            }
            return self.import_again(work);
        };
        let run = RunRecord {
            set: set.id,
            repetition,
            result: RunResult::Started,
            started: self.now.wall,
            ended: None,
            note: None,
        };
        let bed_stays = self.sabotaged(Sabotage::BedStaysClear);
        if let Some(printer) = self.printers.get_mut(name) {
            printer.entry.bed = if bed_stays { Bed::Clear } else { Bed::Occupied };
            printer.began = false;
            printer.told_to_stop = None;
            printer.bed_c = None;
            printer.entry.good_print = None;
            printer.entry.judged = None;
            printer.decision.used();
        }
        self.save_printer(name);
        self.set_stage(name, Stage::Running { k, began: false });
        let claim = self.claim_record(work, ClaimState::Printing, None);
        let (copy, attempt) = (work.copy, work.attempt);
        self.record(work.queue, |edit| {
            edit.put_run(copy, attempt, k, &run);
            edit.put_claim(copy, attempt, &claim);
        });
        let print = print_token(work, k);
        tracing::info!(printer = name, job = %copy.job, copy = copy.index + 1, attempt = attempt + 1, run = k + 1, print, "starts a print");
        self.effect(Effect::StartPrint {
            printer: name.to_owned(),
            print,
            fence: fence_of(work, k),
            path,
            hash,
            guard: self.guarded_by(name, hash).map(Box::new),
        });
        true
    }

    /// Whether what this host says of its prints is taken in there.
    fn writes_in(&self, queue: QueueId) -> bool {
        self.queues.get(&queue).is_some_and(|entry| {
            let member = entry.doc.snapshot().members.get(&self.me);
            let local = entry.record.kind == QueueKind::Local;
            local || member.is_some_and(|member| !member.left && member.may(Role::Printer))
        })
    }

    pub(crate) fn runs_of(&self, work: &Work) -> BTreeMap<u32, RunRecord> {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        snapshot
            .claims
            .get(&work.copy)
            .and_then(|claims| claims.get(&(work.attempt, self.me)))
            .map(|claim| claim.runs.clone())
            .unwrap_or_default()
    }

    /// The next physical print of a copy: its number (unless the job changed since, its position in `Job::runs`), the
    /// set and its repetition. What is good
    /// already, under this claim or an earlier one that counts, is not printed again.
    pub(crate) fn next_run(
        &self,
        work: &Work,
        done: &BTreeMap<u32, RunRecord>,
    ) -> Option<(u32, Set, u32)> {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let job = snapshot.jobs.get(&work.copy.job)?;
        let before = snapshot.good_before(work.copy, work.attempt, &work.spec_hash);
        let mut good = before;
        good.extend(
            done.iter()
                .filter(|(_, run)| run.result == RunResult::Ok)
                .map(|(k, run)| (*k, run)),
        );
        // By what was printed of each set, never by position alone: a job's counts may change in mid-print.
        let mut made: BTreeMap<SetId, u32> = BTreeMap::new();
        for run in good.values() {
            *made.entry(run.set).or_default() += 1;
        }
        let is_missing =
            |set: &Set, repetition: u32| made.get(&set.id).is_none_or(|made| repetition >= *made);
        let (set, repetition) = job.runs().find(|(set, n)| is_missing(set, *n))?;
        let k = (0..).find(|k| !good.contains_key(k))?;
        Some((k, set.clone(), repetition))
    }

    pub(crate) fn set_stage(&mut self, name: &str, stage: Stage) {
        if let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.as_mut()) {
            if !matches!(stage, Stage::Running { .. }) {
                work.printing_as = None;
            }
            let forgets = matches!(stage, Stage::Running { .. });
            work.stage = stage;
            if forgets && self.sabotaged(Sabotage::ForgottenIntent) {
                return;
            }
            self.save_work(name);
        }
    }

    fn finish(&mut self, name: &str, work: &Work) {
        self.put_claim(work, ClaimState::Finished, None);
        self.end_work(name);
    }

    /// Says how a run ended, and with the last one how the copy did: one change.
    pub(crate) fn put_end(
        &mut self,
        work: &Work,
        k: u32,
        run: &RunRecord,
        claim: Option<ClaimState>,
    ) {
        let claim = claim.map(|state| {
            let note = run.note.clone();
            self.claim_record(work, state, note)
        });
        let (copy, attempt) = (work.copy, work.attempt);
        self.record(work.queue, |edit| {
            edit.put_run(copy, attempt, k, run);
            if let Some(claim) = &claim {
                edit.put_claim(copy, attempt, claim);
            }
        });
    }

    pub(crate) fn end_work(&mut self, name: &str) {
        self.count_cycle(name);
        if let Some(printer) = self.printers.get_mut(name) {
            printer.work = None;
            printer.entry.last_print_ended = Some(self.now.wall);
        }
        self.save_printer(name);
        self.write(records::delete(key::work(name)));
        let id = self.printer_id(name);
        self.progress.remove(&id);
    }

    pub(crate) fn save_printer(&mut self, name: &str) {
        if let Some(printer) = self.printers.get(name) {
            let write = records::put(key::printer(name), &printer.entry);
            self.write(write);
        }
    }
}
