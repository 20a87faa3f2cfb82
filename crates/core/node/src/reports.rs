//! What printers report: how a print goes and ends, and what is known of their beds.

use printmesh_queue::{Bed, ClaimState, RunResult};

use crate::{
    input::{Machine, PrinterReport},
    limits::{BEAT_MS, PROGRESS_MS},
    message::{Beat, Message},
    node::{Node, Progress},
    records::{Stage, Work},
    work::print_token,
};

impl Node {
    /// The run under way, when a report speaks of it and not of an older one.
    fn running(&self, name: &str, print: &str) -> Option<(Work, u32)> {
        let work = self.printers.get(name)?.work.clone()?;
        match work.stage {
            Stage::Running { k } if print_token(&work, k) == print => Some((work, k)),
            _ => None,
        }
    }

    pub(crate) fn printer_report(&mut self, name: &str, report: PrinterReport) {
        if !self.printers.contains_key(name) {
            return;
        }
        match report {
            PrinterReport::Online(machine) => self.printer_online(name, machine),
            PrinterReport::Offline(reason) => {
                if let Some(printer) = self.printers.get_mut(name) {
                    let was_online = std::mem::replace(&mut printer.online, false);
                    printer.offline_note = Some(reason);
                    // Out of our sight somebody may have printed on it, from its card say. Whoever says `ready` while it
                    // is away has looked at it.
                    if was_online && !printer.is_simulated() && printer.entry.bed == Bed::Clear {
                        printer.entry.bed = Bed::Unknown;
                        self.save_printer(name);
                    }
                }
            }
            PrinterReport::Began { print } => {
                if self.running(name, &print).is_some()
                    && let Some(printer) = self.printers.get_mut(name)
                {
                    printer.began = true;
                    // Whatever a sensor said in between.
                    printer.entry.bed = Bed::Occupied;
                }
            }
            PrinterReport::Progress {
                print,
                fraction,
                left_s,
                paused,
            } => {
                if let Some((work, _)) = self.running(name, &print) {
                    self.print_progress(name, &work, fraction, left_s, paused);
                }
            }
            PrinterReport::Finished { print } => self.run_ended(name, &print, RunResult::Ok, None),
            PrinterReport::Failed { print, reason } => {
                self.run_ended(name, &print, RunResult::Failed, Some(reason));
            }
            PrinterReport::Aborted { print } => {
                let note = Some("stopped by a person".to_owned());
                self.run_ended(name, &print, RunResult::Aborted, note);
            }
            PrinterReport::BedCleared => {
                self.bed_is_clear(name);
            }
            PrinterReport::Fault(fault) => {
                if let Some(printer) = self.printers.get_mut(name) {
                    printer.entry.fault = Some(fault);
                }
                self.save_printer(name);
            }
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

    fn run_ended(&mut self, name: &str, print: &str, result: RunResult, note: Option<String>) {
        let Some((work, k)) = self.running(name, print) else {
            tracing::warn!(
                printer = name,
                print,
                "ignored the end of a print that is not under way"
            );
            return;
        };
        let mut run = self
            .runs_of(&work)
            .remove(&k)
            .expect("the intent was written before the print");
        run.result = result;
        run.ended = Some(self.now.wall);
        run.note = note;
        let mut done = self.runs_of(&work);
        done.insert(k, run.clone());
        let over = match result {
            RunResult::Ok if self.next_run(&work, &done).is_some() => None,
            RunResult::Ok => Some(ClaimState::Finished),
            _ => Some(ClaimState::Failed),
        };
        self.put_end(&work, k, &run, over);
        if let Some(printer) = self.printers.get_mut(name)
            && result != RunResult::Ok
            && !printer.began
        {
            // Refused before the first command that heats or moves: nothing lies on the bed.
            printer.entry.bed = Bed::Clear;
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

    fn print_progress(
        &mut self,
        name: &str,
        work: &Work,
        fraction: f32,
        left_s: Option<u64>,
        paused: bool,
    ) {
        let printer = self.printer_id(name);
        let job = self.queues[&work.queue]
            .doc
            .snapshot()
            .jobs
            .get(&work.copy.job);
        let runs = job.map_or(1, |job| job.runs_per_unit().max(1));
        let done = self
            .runs_of(work)
            .values()
            .filter(|run| run.result == RunResult::Ok)
            .count();
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
            told_ms,
        };
        self.progress.insert(printer.clone(), progress);
        self.tell_progress(&printer, progress);
        if due || paused {
            self.send_beat(work, fraction, left_s);
        }
    }

    fn send_beat(&mut self, work: &Work, progress: Option<f32>, left_s: Option<u64>) {
        let beat = Beat {
            queue: work.queue,
            copy: work.copy,
            attempt: work.attempt,
            ballot: work.ballot.clone(),
            progress,
            left_s,
        };
        let members: Vec<_> = self.queues[&work.queue]
            .doc
            .snapshot()
            .present_members()
            .map(|(host, _)| *host)
            .filter(|host| *host != self.me)
            .collect();
        for member in members {
            self.send(member, Message::Beat(beat.clone()));
        }
        self.lease_beat(&beat);
    }

    /// Claims that have not started are kept alive by a beat now and then.
    pub(crate) fn beat(&mut self) {
        let now = self.now.mono_ms;
        let due: Vec<Work> = self
            .printers
            .values_mut()
            .filter(|printer| printer.is_pending() && now >= printer.beat_ms + BEAT_MS)
            .filter_map(|printer| {
                printer.beat_ms = now;
                printer.work.clone()
            })
            .collect();
        for work in due {
            self.send_beat(&work, None, None);
        }
    }
}
