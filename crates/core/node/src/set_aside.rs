//! A printer of this host that fails at everything is set aside: paused with the reason, until a person takes it back.
//!
//! What counts as everything is the scheduler's rule; here is only the row of failures, kept on this host's disk.

use printmesh_queue::RunResult;
use printmesh_schedule::{failing_files, fails_everything, file_of};

use crate::{event::Event, limits::ROW_MAX, node::Node, records::Work};

/// How the reason begins of a print that the guard did not let start.
pub const GUARDED: &str = "gcode-guard: ";

impl Node {
    /// Counts how a print ended against its printer, and sets the printer aside when it fails at everything. Comes
    /// after the end is in the document: what fails everywhere is the file's fault.
    pub(crate) fn judge_printer(
        &mut self,
        name: &str,
        work: &Work,
        k: u32,
        result: RunResult,
        why: &str,
    ) {
        // The printer was never asked: nobody sets one aside by handing in bad files.
        if why.starts_with(GUARDED) {
            return;
        }
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let id = self.printer_id(name);
        let run = self.runs_of(work).remove(&k);
        let file = run
            .and_then(|run| file_of(snapshot, work.copy.job, run.set, &id).map(|file| file.hash));
        let failing = failing_files(snapshot);
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        let row = &mut printer.entry.failed_in_a_row;
        match (result, file) {
            (RunResult::Ok, _) => row.clear(),
            (RunResult::Failed, Some(file)) => {
                row.push(file);
                row.drain(..row.len().saturating_sub(ROW_MAX));
            }
            // Neither what a person stopped nor what nobody saw says anything about the printer.
            (RunResult::Failed, None)
            | (RunResult::Started | RunResult::Aborted | RunResult::Unknown, _) => return,
        }
        let blamed = result == RunResult::Failed && fails_everything(row, &failing);
        let set_aside = blamed && printer.entry.paused.is_none();
        if set_aside {
            let failures = row.len();
            printer.entry.set_aside = true;
            printer.entry.paused = Some(format!(
                "{failures} prints in a row failed on it, the last one: {why}"
            ));
        }
        self.save_printer(name);
        if set_aside {
            tracing::warn!(printer = name, why, "set a printer aside");
            let text = self.printers[name].entry.paused.clone();
            let printer = Some(self.printer_id(name));
            self.tell(Event {
                printer,
                state: Some("paused".into()),
                text,
                ..Event::new("printer.set-aside")
            });
        }
    }
}
