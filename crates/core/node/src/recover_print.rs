//! Prints of which this host lost sight: when it went down in the middle, or the printer forgot. What the printer says
//! when it answers again settles them; where it cannot, they stay unknown, and a person does (`resolve.rs`).
//!
//! Nothing is started here, and nothing is guessed: what neither the printer nor a person knows stays unknown.

use std::collections::BTreeSet;

use printmesh_queue::{
    Bed, ClaimState, CopyId, CopyState, JobState, QueueId, RunRecord, RunResult,
};

use crate::{
    confirm::Decision,
    event::Event,
    input::{Doing, Ended},
    node::Node,
    records::{self, Stage, Unsure, Work, key},
    sabotage::Sabotage,
    work::print_token,
};

impl Node {
    /// Nobody here saw how a print ended: it is unknown until the printer or a person says so.
    pub(crate) fn lose_sight(&mut self, name: &str, work: &Work, k: u32, began: bool) {
        let note = match began {
            true => "its host lost sight of it in the middle of the print",
            false => "its host lost sight of it as the print was to begin",
        };
        let mut run = self
            .runs_of(work)
            .remove(&k)
            .expect("the intent was written with the stage");
        run.result = RunResult::Unknown;
        run.ended = Some(self.now.wall);
        run.note = Some(note.to_owned());
        self.put_end(work, k, &run, Some(ClaimState::Unknown));
        if let Some(printer) = self.printers.get_mut(name) {
            printer.entry.bed = Bed::Unknown;
        }
        self.end_work(name);
        let unsure = Unsure {
            work: work.clone(),
            k,
            began,
        };
        self.write(records::put(key::unsure(work.ballot.n), &unsure));
        self.unsure.insert(work.ballot.n, unsure);
        self.tell_unknown(name, work, note);
    }

    /// A person has to look: never without a word to whoever listens.
    fn tell_unknown(&mut self, name: &str, work: &Work, note: &str) {
        tracing::warn!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, note, "nobody knows how a print ended");
        let event = self.unknown_event(work.queue, work.copy, name, note);
        self.tell(event);
    }

    /// After a start: what a person has to look at is said once more. The crash may have come before anybody heard of it.
    pub(crate) fn tell_all_unknown(&mut self) {
        let mut events = Vec::new();
        for (queue, entry) in &self.queues {
            let claims = entry.doc.snapshot().claims.iter();
            let own = claims.flat_map(|(copy, claims)| claims.values().map(|claim| (*copy, claim)));
            let unknown = own.filter(|(_, claim)| {
                claim.host == self.me && claim.record.state == ClaimState::Unknown
            });
            events.extend(unknown.map(|(copy, claim)| {
                let note = claim.record.note.as_deref();
                let note = note.unwrap_or("nobody has said yet how it ended");
                self.unknown_event(*queue, copy, &claim.record.printer, note)
            }));
        }
        for event in events {
            self.tell(event);
        }
    }

    fn unknown_event(&self, queue: QueueId, copy: CopyId, name: &str, note: &str) -> Event {
        let entry = &self.queues[&queue];
        let job = entry.doc.snapshot().jobs.get(&copy.job);
        Event {
            queue: Some(entry.name()),
            job: job.map(|job| (job.id, job.name.clone())),
            copy: Some(copy),
            printer: Some(self.printer_id(name)),
            state: Some("unknown".into()),
            text: Some(note.to_owned()),
            ..Event::new("copy.unknown")
        }
    }

    /// The printer answers again and says what it is doing.
    pub(crate) fn printer_doing(&mut self, name: &str, doing: Doing) {
        if self.is_watched(name, &doing) || self.is_forgotten(name, &doing) {
            return;
        }
        let here = |unsure: &&Unsure| unsure.work.ballot.printer == name;
        let unsure: Vec<Unsure> = self.unsure.values().filter(here).cloned().collect();
        let mut ours = false;
        for Unsure { work, k, began } in unsure {
            if !self.is_unknown(&work) {
                self.forget_unsure(&work);
                continue;
            }
            let token = print_token(&work, k);
            match &doing {
                Doing::Fed if began => self.found_dead(&work, k),
                Doing::Printing { print: Some(print) } if *print == token => {
                    ours |= self.found_printing(name, &work, k);
                }
                Doing::Idle {
                    last: Some((print, ended)),
                } if *print == token => self.found_ended(name, &work, k, ended),
                Doing::Fed | Doing::Printing { .. } | Doing::Idle { .. } => {}
            }
        }
        if matches!(doing, Doing::Printing { .. })
            && !ours
            && let Some(printer) = self.printers.get_mut(name)
            && printer.entry.bed == Bed::Clear
        {
            // It prints what this host did not start, from its own screen say.
            printer.entry.bed = Bed::Unknown;
            self.save_printer(name);
        }
    }

    /// The print that this host follows, if any, after the connection was gone for a while. Returns whether there is one.
    fn is_watched(&mut self, name: &str, doing: &Doing) -> bool {
        let Some(work) = self.printers.get(name).and_then(|p| p.work.clone()) else {
            return false;
        };
        let Stage::Running { k, began } = work.stage else {
            return false;
        };
        let token = print_token(&work, k);
        match doing {
            // Its driver said, or will say, how it ended.
            Doing::Fed => {}
            Doing::Printing { print } if print.as_ref() == Some(&token) => {}
            Doing::Idle {
                last: Some((print, ended)),
            } if *print == token => {
                let (result, note) = words(ended);
                self.run_ended(name, &token, result, note);
            }
            Doing::Idle { .. } if began && self.sabotaged(Sabotage::BelievesIdle) => {
                let note = Some("it does nothing".to_owned());
                self.run_ended(name, &token, RunResult::Failed, note);
            }
            // The order to begin is still on its way, and whether it was taken is said by whoever carries it.
            Doing::Printing { .. } | Doing::Idle { .. } if !began => {}
            Doing::Printing { .. } | Doing::Idle { .. } => self.lose_sight(name, &work, k, began),
        }
        true
    }

    /// The printer is at, or was at, the very print that this host would begin next: its disk is older than that print, and
    /// it begins no second time.
    fn is_forgotten(&mut self, name: &str, doing: &Doing) -> bool {
        let (Doing::Printing { print: Some(print) }
        | Doing::Idle {
            last: Some((print, _)),
        }) = doing
        else {
            return false;
        };
        let Some(work) = self.printers.get(name).and_then(|p| p.work.clone()) else {
            return false;
        };
        let mut done = self.runs_of(&work);
        let Some((k, set, repetition)) = self.next_run(&work, &done) else {
            return false;
        };
        if print_token(&work, k) != *print {
            return false;
        }
        let run = done.remove(&k).unwrap_or(RunRecord {
            set: set.id,
            repetition,
            result: RunResult::Started,
            started: self.now.wall,
            ended: None,
            note: None,
        });
        if let Some(printer) = self.printers.get_mut(name) {
            printer.entry.bed = Bed::Occupied;
            printer.began = true;
        }
        self.save_printer(name);
        self.set_stage(name, Stage::Running { k, began: true });
        self.put_end(&work, k, &run, Some(ClaimState::Printing));
        tracing::warn!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, "follows a print that this host does not know to have begun: its disk is older");
        if let Doing::Idle {
            last: Some((_, ended)),
        } = doing
        {
            let (result, note) = words(ended);
            self.run_ended(name, print, result, note);
        }
        true
    }

    /// This very host's own words came back from another one: its disk is older than they are. What it is about to print may
    /// have begun, or be over.
    pub(crate) fn own_words(&mut self, queue: QueueId, copies: &BTreeSet<CopyId>) {
        let works = self.printers.iter().filter_map(|(name, printer)| {
            let work = printer.work.as_ref()?;
            let of_it = work.queue == queue && copies.contains(&work.copy);
            of_it.then(|| (name.clone(), work.clone()))
        });
        for (name, work) in works.collect::<Vec<_>>() {
            let claims = self.queues[&queue].doc.snapshot().claims.get(&work.copy);
            let claim = claims.and_then(|claims| claims.get(&(work.attempt, self.me)));
            let Some(claim) = claim.filter(|claim| claim.record.ballot == work.ballot) else {
                continue;
            };
            let known = |k: u32| matches!(work.stage, Stage::Running { k: now, .. } if now == k);
            let begun = claim.runs.iter().find(|(k, run)| {
                matches!(run.result, RunResult::Started | RunResult::Unknown) && !known(**k)
            });
            let begun = begun.map(|(k, _)| *k);
            let state = claim.record.state;
            match begun {
                Some(k) => self.lose_sight(&name, &work, k, true),
                None if !state.is_active() => {
                    if let Some(printer) = self.printers.get_mut(&name) {
                        printer.entry.bed = Bed::Unknown;
                    }
                    self.end_work(&name);
                }
                None => {}
            }
        }
    }

    /// Claims of this very host came back from another one: its disk is older than they are, and knows nothing of them.
    pub(crate) fn adopt_claims(&mut self, queue: QueueId, copies: &BTreeSet<CopyId>) {
        let printers = self.printers.values().filter_map(|p| p.work.as_ref());
        let unsure = self.unsure.values().map(|unsure| &unsure.work);
        let works = printers.chain(self.aside.values()).chain(unsure);
        let known: BTreeSet<u64> = works.map(|work| work.ballot.n).collect();
        let snapshot = self.queues[&queue].doc.snapshot();
        let orphans = copies.iter().flat_map(|copy| {
            let own = snapshot.claims_of(*copy).filter(|claim| {
                let record = &claim.record;
                claim.host == self.me
                    && record.state.is_active()
                    && !known.contains(&record.ballot.n)
            });
            own.map(|claim| {
                let unit = (*copy, claim.attempt);
                let (ballot, spec) = (claim.record.ballot.clone(), claim.record.spec_hash);
                let mut work = Work::new(queue, unit, ballot, spec, Stage::Between);
                work.speculative = claim.record.speculative;
                let last = claim.runs.iter().next_back();
                let last = last.map(|(k, run)| (*k, run.clone()));
                (work, claim.record.state.is_pending(), last)
            })
        });
        let orphans: Vec<_> = orphans.collect();
        for (work, pending, last) in orphans {
            let note = "its host was restored from a backup".to_owned();
            match last {
                Some((k, mut run)) if !pending && run.result == RunResult::Started => {
                    run.result = RunResult::Unknown;
                    run.ended = Some(self.now.wall);
                    run.note = Some(note.clone());
                    self.put_end(&work, k, &run, Some(ClaimState::Unknown));
                    let name = work.ballot.printer.clone();
                    self.tell_unknown(&name, &work, &note);
                }
                // Nothing is under way: whoever is free may make it, or what is left of it.
                Some(_) | None if pending => self.put_claim(&work, ClaimState::Dropped, Some(note)),
                Some(_) | None => self.put_claim(&work, ClaimState::Released, Some(note)),
            }
        }
    }

    fn is_unknown(&self, work: &Work) -> bool {
        self.queues.get(&work.queue).is_some_and(|entry| {
            let claims = entry.doc.snapshot().claims.get(&work.copy);
            let claim = claims.and_then(|claims| claims.get(&(work.attempt, self.me)));
            claim.is_some_and(|claim| claim.record.state == ClaimState::Unknown)
        })
    }

    /// The printer has been at it all the time: this host follows it again.
    fn found_printing(&mut self, name: &str, work: &Work, k: u32) -> bool {
        self.give_back(name, "the printer is still at another copy");
        let Some(printer) = self.printers.get_mut(name).filter(|p| p.work.is_none()) else {
            return false;
        };
        printer.entry.bed = Bed::Occupied;
        printer.began = true;
        printer.work = Some(Work {
            stage: Stage::Running { k, began: true },
            ..work.clone()
        });
        self.save_printer(name);
        self.save_work(name);
        let mut run = self
            .runs_of(work)
            .remove(&k)
            .expect("written when sight was lost");
        run.result = RunResult::Started;
        run.ended = None;
        run.note = None;
        self.put_end(work, k, &run, Some(ClaimState::Printing));
        self.forget_unsure(work);
        tracing::info!(printer = name, job = %work.copy.job, copy = work.copy.index + 1, "follows a print again");
        true
    }

    /// It was fed by this host, and died with it: it cannot have been finished. Neither the file nor the printer is
    /// to blame, so the print itself stays one of which nobody saw the end.
    fn found_dead(&mut self, work: &Work, k: u32) {
        let note = "its host went down in the middle of the print, which ended with it";
        self.settle_bad(work, k, RunResult::Unknown, note.to_owned());
    }

    /// The printer remembers how it ended.
    fn found_ended(&mut self, name: &str, work: &Work, k: u32, ended: &Ended) {
        if let Some(printer) = self.printers.get_mut(name)
            && printer.entry.bed == Bed::Unknown
        {
            printer.entry.bed = Bed::Occupied;
            self.save_printer(name);
        }
        match words(ended) {
            (RunResult::Ok, _) => self.settle_good(work, k, None),
            (result, note) => {
                let note = note.unwrap_or_default();
                self.judge_printer(name, work, k, result, &note);
                self.settle_bad(work, k, result, note);
            }
        }
    }

    /// A print of which nobody knew turns out to be good. What is still missing of its copy is printed on the same printer
    /// when that is free, and by the next attempt when it is not.
    pub(crate) fn settle_good(&mut self, work: &Work, k: u32, note: Option<String>) {
        self.forget_unsure(work);
        let mut done = self.runs_of(work);
        let mut run = done.remove(&k).expect("written when sight was lost");
        run.result = RunResult::Ok;
        run.note = note;
        done.insert(k, run.clone());
        let next = self.next_run(work, &done).map(|(next, _, _)| next);
        if next.is_none() {
            self.put_end(work, k, &run, Some(ClaimState::Finished));
        } else if next.is_some_and(|next| done.contains_key(&next)) {
            // It was begun under this claim as well, and nobody knows how that ended: never begun again before somebody says.
            self.put_end(work, k, &run, Some(ClaimState::Unknown));
            let name = work.ballot.printer.clone();
            self.tell_unknown(
                &name,
                work,
                "nobody has said yet how another print of it ended",
            );
        } else if self.may_go_on(work) {
            self.put_end(work, k, &run, Some(ClaimState::Printing));
            let name = work.ballot.printer.clone();
            if let Some(printer) = self.printers.get_mut(&name) {
                printer.decision = Decision::default();
                printer.work = Some(Work {
                    stage: Stage::Between,
                    // The print that had that name is over; the next one has its own.
                    printing_as: None,
                    ..work.clone()
                });
            }
            self.save_work(&name);
        } else {
            self.put_end(work, k, &run, Some(ClaimState::Released));
        }
    }

    /// A print of which nobody knew turns out to be none: its attempt is closed, and the next one may be made.
    pub(crate) fn settle_bad(&mut self, work: &Work, k: u32, result: RunResult, note: String) {
        self.forget_unsure(work);
        let run = self.runs_of(work).remove(&k);
        let mut run = run.expect("written when sight was lost");
        run.result = result;
        run.note = Some(note);
        self.put_end(work, k, &run, Some(ClaimState::Failed));
    }

    fn may_go_on(&self, work: &Work) -> bool {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let current = matches!(
            snapshot.copy_state(work.copy),
            CopyState::Begun(claim) if claim.host == self.me && claim.attempt == work.attempt
        );
        // It may have been taken out while nobody knew how this print ends.
        let job = snapshot.jobs.get(&work.copy.job);
        let wanted = job.is_some_and(|job| job.state == JobState::Open)
            && self.stopped_by(work.queue, work.copy.job).is_none();
        let printer = self.printers.get(&work.ballot.printer);
        current && wanted && printer.is_some_and(|printer| printer.work.is_none())
    }

    fn forget_unsure(&mut self, work: &Work) {
        if self.unsure.remove(&work.ballot.n).is_some() {
            self.write(records::delete(key::unsure(work.ballot.n)));
        }
    }

    /// The unknown prints of a copy under claims of this host, each with the work that it belongs to.
    pub(crate) fn unknown_prints(&self, queue: QueueId, copy: CopyId) -> Vec<(Work, Option<u32>)> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let own = snapshot
            .claims_of(copy)
            .filter(|claim| claim.host == self.me && claim.record.state == ClaimState::Unknown);
        let prints = own.map(|claim| {
            // One that has only begun, by the words of before a backup, is nobody's: this host follows none of them.
            let open =
                |run: &RunRecord| matches!(run.result, RunResult::Unknown | RunResult::Started);
            let unknown = claim.runs.iter().rfind(|(_, run)| open(run));
            let kept = self.unsure.get(&claim.record.ballot.n);
            // Without the note on this host's disk the document still says enough.
            let work = kept.map_or_else(
                || Work {
                    speculative: claim.record.speculative,
                    ..Work::new(
                        queue,
                        (copy, claim.attempt),
                        claim.record.ballot.clone(),
                        claim.record.spec_hash,
                        Stage::Between,
                    )
                },
                |unsure| unsure.work.clone(),
            );
            (work, unknown.map(|(k, _)| *k))
        });
        prints.collect()
    }

    /// Every print of a claim is known after all: it is whole, or somebody makes the rest.
    pub(crate) fn settle_known(&mut self, work: &Work, good: bool) {
        self.forget_unsure(work);
        let whole = self.next_run(work, &self.runs_of(work)).is_none();
        let state = match (good, whole) {
            (true, true) => ClaimState::Finished,
            (true, false) => ClaimState::Released,
            (false, _) => ClaimState::Failed,
        };
        self.put_claim(work, state, None);
    }
}

fn words(ended: &Ended) -> (RunResult, Option<String>) {
    match ended {
        Ended::Finished => (RunResult::Ok, None),
        Ended::Failed(reason) => (RunResult::Failed, Some(reason.clone())),
        Ended::Aborted => {
            let note = "stopped by a person".to_owned();
            (RunResult::Aborted, Some(note))
        }
    }
}
