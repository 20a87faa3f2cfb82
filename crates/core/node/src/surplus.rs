//! Prints for which no copy is left: finished, paused or stopped as the queue says, and booked as one too many.

use printmesh_queue::{Claim, ClaimState, CopyId, OnSurplus, QueueId};

use crate::{
    effect::Effect,
    event::Event,
    heal::Unit,
    node::Node,
    records::{self, Stage, key},
    work::print_token,
};

impl Node {
    /// No copy is left for a print. Returns whether that changed anything.
    pub(crate) fn one_too_many(&mut self, queue: QueueId, from: Unit, claim: &Claim) -> bool {
        let name = claim.record.printer.clone();
        let work = self
            .printers
            .get(&name)
            .and_then(|printer| printer.work.as_ref());
        let work = work.filter(|work| work.queue == queue && (work.copy, work.attempt) == from);
        let Some(work) = work.cloned() else {
            let note = match claim.record.state {
                ClaimState::Finished => "one too many: a spare part",
                ClaimState::Failed => "it failed, and its copy was made elsewhere",
                ClaimState::Unknown => "nobody knows how it ended, and its copy was made elsewhere",
                _ => return false,
            };
            self.put_surplus(queue, from, claim, note);
            return true;
        };
        match work.stage {
            Stage::Running { k, .. } if !work.surplus => {
                self.is_surplus(&name, &work, k);
                true
            }
            // Between two prints of the copy: the one that was under way is done, another one is not begun.
            Stage::Between => {
                self.put_surplus(
                    queue,
                    from,
                    claim,
                    "one too many: its other prints were not begun",
                );
                self.end_work(&name);
                true
            }
            // The verdict is about nothing any more.
            Stage::Judging { .. } => {
                self.end_judging(&name, &work);
                true
            }
            Stage::Running { .. }
            | Stage::Claiming
            | Stage::Fetching
            | Stage::Staged
            | Stage::Starting => false,
        }
    }

    /// A print under way is one too many: what happens to it the queue's settings say.
    fn is_surplus(&mut self, name: &str, work: &records::Work, k: u32) {
        if let Some(work) = self.printers.get_mut(name).and_then(|p| p.work.as_mut()) {
            work.surplus = true;
        }
        self.save_work(name);
        let print = print_token(work, k);
        let printer = name.to_owned();
        let policy = self.queues[&work.queue].doc.snapshot().settings.on_surplus;
        let text = match policy {
            OnSurplus::Finish => {
                "what is being printed is one too many; it is finished as a spare part"
            }
            OnSurplus::Pause => {
                "what is being printed is one too many: resume to finish it as a spare part, or stop it"
            }
            OnSurplus::Abort => "what is being printed is one too many; it is being stopped",
        };
        match policy {
            OnSurplus::Finish => {}
            OnSurplus::Pause => {
                if let Some(printer) = self.printers.get_mut(name) {
                    printer.entry.paused = Some(text.to_owned());
                }
                self.save_printer(name);
                self.effect(Effect::PausePrint { printer, print });
            }
            OnSurplus::Abort => self.effect(Effect::StopPrint { printer, print }),
        }
        self.tell_surplus(work.queue, work.copy, name, text);
    }

    /// A person lets a print go on that was paused because it is one too many.
    pub(crate) fn resume_surplus(&mut self, name: &str) {
        let work = self
            .printers
            .get(name)
            .and_then(|printer| printer.work.as_ref());
        if let Some(work) = work.filter(|work| work.surplus)
            && let Stage::Running { k, .. } = work.stage
        {
            let print = print_token(work, k);
            let printer = name.to_owned();
            self.effect(Effect::ResumePrint { printer, print });
        }
    }

    /// Books a claim as one too many.
    fn put_surplus(&mut self, queue: QueueId, from: Unit, claim: &Claim, note: &str) {
        let mut record = claim.record.clone();
        record.state = ClaimState::Surplus;
        record.speculative = false;
        record.at = self.now.wall;
        record.note = Some(match &record.note {
            Some(before) => format!("{note} ({before})"),
            None => note.to_owned(),
        });
        self.heals.remove(&(queue, from.0, from.1));
        self.write(records::delete(key::heal(queue, from.0, from.1)));
        let printer = record.printer.clone();
        self.record(queue, |edit| edit.put_claim(from.0, from.1, &record));
        self.tell_surplus(queue, from.0, &printer, note);
    }

    pub(crate) fn tell_surplus(&mut self, queue: QueueId, copy: CopyId, printer: &str, text: &str) {
        let entry = &self.queues[&queue];
        let job = entry.doc.snapshot().jobs.get(&copy.job);
        let event = Event {
            queue: Some(entry.name()),
            job: job.map(|job| (job.id, job.name.clone())),
            copy: Some(copy),
            printer: Some(self.printer_id(printer)),
            state: Some("surplus".to_owned()),
            text: Some(text.to_owned()),
            ..Event::new("copy.surplus")
        };
        self.tell(event);
    }
}
