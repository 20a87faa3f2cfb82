//! From a claimed copy to its end: fetch, stage, start, each print on a clear bed, outcome.
//!
//! Nothing heats or moves before three things are durable: the voters' decision, the bed marked occupied, and the
//! intent to print this very run. After a crash nothing goes on by itself.

use std::collections::BTreeMap;

use printmesh_queue::{Bed, ClaimState, FileSpec, JobState, RunRecord, RunResult, Set};

use crate::{
    effect::Effect,
    limits::DECISION_AGE_MS_MAX,
    node::Node,
    records::{self, Stage, Work, key},
};

/// Runs of one claim fit below its ballot number (`limits::RUNS_MAX`).
const FENCE_RUN_BITS: u32 = 20;

/// The token of one print, as the driver echoes it.
pub(crate) fn print_token(work: &Work, k: u32) -> String {
    format!(
        "{}/{}/{}/{k}",
        work.copy.job, work.copy.index, work.ballot.n
    )
}

impl Node {
    /// Moves every printer of this host on as far as it can go. Returns whether any moved.
    pub(crate) fn drive_printers(&mut self) -> bool {
        let names: Vec<String> = self.printers.keys().cloned().collect();
        let mut moved = false;
        for name in names {
            moved |= self.drive(&name);
        }
        moved
    }

    fn drive(&mut self, name: &str) -> bool {
        let Some(printer) = self.printers.get(name) else {
            return false;
        };
        let Some(work) = printer.work.clone() else {
            return !self.stopping && self.seek_work(name);
        };
        match work.stage {
            Stage::Claiming => {
                let lost = !self.has_quorum(&work);
                if lost {
                    self.drop_claim(name, "the voters cannot be reached");
                }
                lost
            }
            Stage::Running { .. } => false,
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
        let pins = &job.printers;
        if job.state != JobState::Open {
            Some("the job left the queue")
        } else if job.held || job.draft {
            Some("the job is held")
        } else if work.copy.index >= job.units() {
            Some("fewer copies are wanted")
        } else if job.spec_hash() != work.spec_hash {
            Some("the job was edited")
        } else if !pins.is_empty() && !pins.iter().any(|pin| pin == name || *pin == full) {
            Some("the job is for other printers")
        } else if !self.machine_may_start(name) {
            Some("the printer cannot start now")
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
        let other = snapshot.claims_of(work.copy).any(|claim| {
            claim.attempt == work.attempt
                && claim.record.ballot > work.ballot
                && claim.record.state != ClaimState::Dropped
        });
        other.then_some("another printer took it over")
    }

    fn has_quorum(&self, work: &Work) -> bool {
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
        if !job
            .sets
            .iter()
            .all(|set| self.imports.contains_key(&(job.id, set.id)))
        {
            return false;
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
        self.ask_to_start(name);
        true
    }

    fn machine_may_start(&self, name: &str) -> bool {
        self.printers.get(name).is_some_and(|printer| {
            printer.online
                && printer.entry.autoprint
                && printer.entry.fault.is_none()
                && printer.entry.paused.is_none()
                && printer.entry.bed == Bed::Clear
        })
    }

    /// The voters accepted: the copy is this printer's, whatever happens.
    pub(crate) fn start_decided(&mut self, name: &str) {
        let mono_ms = self.now.mono_ms;
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        printer.decided_ms = Some(mono_ms);
        self.set_stage(name, Stage::Between);
    }

    fn drive_between(&mut self, name: &str, work: &Work) -> bool {
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
            let decided = self.printers.get(name).and_then(|p| p.decided_ms);
            let age_ms = decided.map(|at| self.now.mono_ms.saturating_sub(at));
            if age_ms.is_none_or(|age| age > DECISION_AGE_MS_MAX) {
                // Older than a minute: ask again, the answer is the same unless somebody took the copy out.
                self.ask_to_start(name);
                return true;
            }
        } else if !self.machine_may_start(name) {
            return false;
        }
        let Some((k, set)) = self.next_run(work, &done) else {
            self.finish(name, work);
            return true;
        };
        let Some(path) = self.imports.get(&(work.copy.job, set.id)).cloned() else {
            tracing::error!(printer = name, job = %work.copy.job, "a staged file has no path");
            return false;
        };
        let hash = set.spec.files[0].hash;
        let run = RunRecord {
            set: set.id,
            repetition: done.values().filter(|run| run.set == set.id).count() as u32,
            result: RunResult::Started,
            started: self.now.wall,
            ended: None,
            note: None,
        };
        if let Some(printer) = self.printers.get_mut(name) {
            printer.entry.bed = Bed::Occupied;
            printer.began = false;
        }
        self.save_printer(name);
        self.set_stage(name, Stage::Running { k });
        let claim = self.claim_record(work, ClaimState::Printing, None);
        let (copy, attempt) = (work.copy, work.attempt);
        self.record(work.queue, |edit| {
            edit.put_run(copy, attempt, k, &run);
            edit.put_claim(copy, attempt, &claim);
        });
        tracing::info!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, run = k, "starts a print");
        self.effect(Effect::StartPrint {
            printer: name.to_owned(),
            print: print_token(work, k),
            // Rises with every print of this host, also within one claim.
            fence: (work.ballot.n << FENCE_RUN_BITS) + u64::from(k),
            path,
            hash,
        });
        true
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

    pub(crate) fn next_run(
        &self,
        work: &Work,
        done: &BTreeMap<u32, RunRecord>,
    ) -> Option<(u32, Set)> {
        let job = self.queues[&work.queue]
            .doc
            .snapshot()
            .jobs
            .get(&work.copy.job)?;
        let mut runs = job.runs().enumerate();
        runs.find(|(k, _)| {
            done.get(&(*k as u32))
                .is_none_or(|run| run.result != RunResult::Ok)
        })
        .map(|(k, (set, _))| (k as u32, set.clone()))
    }

    pub(crate) fn set_stage(&mut self, name: &str, stage: Stage) {
        if let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.as_mut()) {
            work.stage = stage;
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
