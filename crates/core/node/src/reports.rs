//! What printers report: how a print goes and ends, and what is known of their beds.

use printmesh_queue::{Bed, ClaimState, RunRecord, RunResult};

use crate::{
    input::{Machine, PrinterReport},
    limits::{FAILED_START_MS, PROGRESS_MS},
    node::{Node, Progress},
    records::{Stage, Work},
    sabotage::Sabotage,
    work::{fence_of, print_token},
};

impl Node {
    /// The run under way, when a report speaks of it and not of an older one.
    fn running(&self, name: &str, print: &str) -> Option<(Work, u32)> {
        let work = self.printers.get(name)?.work.clone()?;
        match work.stage {
            Stage::Running { k, .. } if print_token(&work, k) == print => Some((work, k)),
            _ => None,
        }
    }

    pub(crate) fn printer_report(&mut self, name: &str, report: PrinterReport) {
        if !self.printers.contains_key(name) {
            return;
        }
        if let PrinterReport::Began { print }
        | PrinterReport::Progress { print, .. }
        | PrinterReport::Finished { print }
        | PrinterReport::Failed { print, .. }
        | PrinterReport::Aborted { print } = &report
            && Self::is_clearing(print)
        {
            let result = match &report {
                PrinterReport::Finished { .. } => Ok(()),
                PrinterReport::Failed { reason, .. } => Err(reason.clone()),
                PrinterReport::Aborted { .. } => Err("it was stopped".to_owned()),
                _ => return,
            };
            self.clearing_ended(name, print, result);
            return;
        }
        if let PrinterReport::Began { print }
        | PrinterReport::Progress { print, .. }
        | PrinterReport::Finished { print } = &report
        {
            self.hears_of_other(name, print);
        }
        match report {
            PrinterReport::Online(machine) => {
                self.lose_clearing(name);
                self.printer_online(name, machine);
            }
            PrinterReport::Doing(doing) => {
                self.printer_doing(name, doing);
                if let Some(printer) = self.printers.get_mut(name) {
                    printer.heat_known = true;
                }
            }
            PrinterReport::Hot { print, nozzle, bed } => {
                if let Some((work, _)) = self.running(name, &print)
                    && self.is_heated(&work, nozzle, bed)
                {
                    self.heated(name);
                }
            }
            PrinterReport::Offline(reason) => {
                if let Some(printer) = self.printers.get_mut(name) {
                    let was_online = std::mem::replace(&mut printer.online, false);
                    printer.offline_note = Some(reason);
                    printer.bed_c = None;
                    // Out of our sight somebody may have printed on it, from its card say. Whoever says `ready` while it
                    // is away has looked at it.
                    if was_online && !printer.is_simulated() && printer.entry.bed == Bed::Clear {
                        printer.entry.bed = Bed::Unknown;
                        self.save_printer(name);
                    }
                }
            }
            PrinterReport::Began { print } => {
                let bed_stays = self.sabotaged(Sabotage::BedStaysClear);
                if let Some((_, k)) = self.running(name, &print)
                    && let Some(printer) = self.printers.get_mut(name)
                {
                    printer.began = true;
                    // Whatever a sensor said in between.
                    if !bed_stays {
                        printer.entry.bed = Bed::Occupied;
                    }
                    // After a crash this tells a print that was under way from one that was only meant to be.
                    self.set_stage(name, Stage::Running { k, began: true });
                }
            }
            PrinterReport::Progress {
                print,
                fraction,
                left_s,
                paused: _,
            } => {
                if let Some((work, _)) = self.running(name, &print) {
                    self.print_progress(name, &work, fraction, left_s);
                }
            }
            PrinterReport::Finished { print } => self.run_ended(name, &print, RunResult::Ok, None),
            PrinterReport::Failed { print, reason } => {
                self.run_ended(name, &print, RunResult::Failed, Some(reason));
            }
            PrinterReport::Aborted { print } => {
                let work = self.running(name, &print);
                let by = work.and_then(|(work, _)| self.stopped_by(work.queue, work.copy.job));
                let by = by.unwrap_or_else(|| "a person".to_owned());
                let note = Some(format!("stopped by {by}"));
                self.run_ended(name, &print, RunResult::Aborted, note);
            }
            PrinterReport::BedCleared => {
                let clearing = self.printers.get(name).map(|p| p.entry.clearing.is_some());
                if clearing == Some(false) {
                    self.bed_is_clear(name);
                }
            }
            PrinterReport::BedTemperature(bed_c) => self.bed_temperature(name, bed_c),
            PrinterReport::Fault(fault) => {
                if let Some(printer) = self.printers.get_mut(name) {
                    printer.entry.fault = Some(fault);
                }
                self.save_printer(name);
            }
        }
    }

    /// It reports a print that is not under way: one that it had said to be over or refused, or one that nobody here ordered. What
    /// is on its bed nobody knows then.
    fn hears_of_other(&mut self, name: &str, print: &str) {
        if self.running(name, print).is_some() || self.sabotaged(Sabotage::BedStaysClear) {
            return;
        }
        if let Some(printer) = self.printers.get_mut(name)
            && printer.entry.bed == Bed::Clear
        {
            tracing::warn!(
                printer = name,
                print,
                "it reports a print that is not under way"
            );
            printer.entry.bed = Bed::Unknown;
            self.save_printer(name);
        }
    }

    fn printer_online(&mut self, name: &str, machine: Machine) {
        if let Some(printer) = self.printers.get_mut(name) {
            printer.online = true;
            printer.offline_note = None;
            if printer.entry.machine.as_ref() != Some(&machine.name) {
                printer.entry.machine = Some(machine.name);
                self.save_printer(name);
            }
        }
    }

    pub(crate) fn run_ended(
        &mut self,
        name: &str,
        print: &str,
        result: RunResult,
        note: Option<String>,
    ) {
        let Some((work, k)) = self.running(name, print) else {
            tracing::warn!(
                printer = name,
                print,
                "ignored the end of a print that is not under way"
            );
            return;
        };
        self.heated(name);
        let Some(mut run) = self.runs_of(&work).remove(&k) else {
            // Whoever was put out of a queue writes nothing there any more: its journal said that this print begins, the document
            // does not, and nobody waits to hear how it ended.
            tracing::warn!(
                printer = name,
                print,
                "a print ended of which its queue takes no word"
            );
            self.end_work(name);
            return;
        };
        if let Some(printer) = self.printers.get_mut(name) {
            // What was said of it before is of another print.
            printer.bed_c = None;
            printer.entry.good_print = (result == RunResult::Ok).then(|| fence_of(&work, k) + 1);
        }
        if result == RunResult::Ok && self.awaits_verdict(name, &work) {
            self.save_printer(name);
            self.await_verdict(name, &work, k, self.now.wall);
            return;
        }
        run.result = result;
        run.ended = Some(self.now.wall);
        run.note = note;
        self.book_run(name, &work, k, &run, result == RunResult::Ok);
    }

    /// Books how a run ended; `whole` = it took all the material that its file says.
    pub(crate) fn book_run(
        &mut self,
        name: &str,
        work: &Work,
        k: u32,
        run: &RunRecord,
        whole: bool,
    ) {
        let result = run.result;
        let mut done = self.runs_of(work);
        done.insert(k, run.clone());
        let over = match result {
            RunResult::Ok if self.next_run(work, &done).is_some() => None,
            RunResult::Ok => Some(ClaimState::Finished),
            // No copy was left for it: nobody has to try again because it is not good.
            _ if work.surplus => Some(ClaimState::Surplus),
            _ => Some(ClaimState::Failed),
        };
        self.put_end(work, k, run, over);
        self.use_up(name, work, run, whole);
        self.judge_printer(
            name,
            work,
            k,
            result,
            run.note.as_deref().unwrap_or_default(),
        );
        if let Some(printer) = self.printers.get_mut(name)
            && result != RunResult::Ok
            && !printer.began
            && !whole
        {
            // Refused before the first command that heats or moves: nothing lies on the bed.
            printer.entry.bed = Bed::Clear;
            let until = self.now.mono_ms + FAILED_START_MS;
            if let Some(entry) = self.queues.get_mut(&work.queue) {
                entry.refused.insert((work.copy, work.attempt + 1), until);
            }
        }
        if over == Some(ClaimState::Surplus) {
            let text = "what was one too many did not come out well: nobody has to make it again";
            self.tell_surplus(work.queue, work.copy, name, text);
        }
        match over {
            Some(_) => self.end_work(name),
            None => self.set_stage(name, Stage::Between),
        }
    }

    /// Somebody or something proved that the bed is clear. Never believed of a printer that prints.
    pub(crate) fn bed_is_clear(&mut self, name: &str) -> bool {
        let Some(printer) = self.printers.get_mut(name) else {
            return false;
        };
        let running = matches!(
            printer.work.as_ref().map(|work| &work.stage),
            Some(Stage::Running { .. })
        );
        if running || printer.entry.bed == Bed::Clear {
            return false;
        }
        printer.entry.bed = Bed::Clear;
        self.save_printer(name);
        true
    }

    fn print_progress(&mut self, name: &str, work: &Work, fraction: f32, left_s: Option<u64>) {
        let printer = self.printer_id(name);
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let job = snapshot.jobs.get(&work.copy.job);
        let runs = job.map_or(1, |job| job.runs_per_unit().max(1));
        let before = snapshot.good_before(work.copy, work.attempt, &work.spec_hash);
        let own = self
            .runs_of(work)
            .values()
            .filter(|run| run.result == RunResult::Ok)
            .count();
        let done = own + before.len();
        let left_s = self.left_s(work, left_s, Some(fraction));
        let fraction = Some((done as f32 + fraction.clamp(0.0, 1.0)) / runs as f32);
        let told_ms = self
            .progress
            .get(&printer)
            .and_then(|progress| progress.told_ms);
        let due = told_ms.is_none_or(|at| self.now.mono_ms >= at + PROGRESS_MS);
        let told_ms = if due { Some(self.now.mono_ms) } else { told_ms };
        let progress = Progress {
            queue: work.queue,
            copy: work.copy,
            fraction,
            left_s,
            heard_ms: self.now.mono_ms,
            told_ms,
        };
        self.progress.insert(printer.clone(), progress);
        self.tell_progress(&printer, progress);
        if due {
            self.beat_now(name, work);
        }
    }
}
