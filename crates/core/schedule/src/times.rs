//! How long a print takes: what its slicer says, corrected by what prints really took. Nothing is guessed: what nobody has
//! estimated and no printer has printed has no time.

use std::collections::{BTreeMap, VecDeque};

use printmesh_queue::{
    FileHash, FileSpec, Job, PrinterId, RunRecord, RunResult, Set, SetId, Snapshot,
};

use crate::file_of;

/// What a time rests on; the later one is the weaker one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Good prints of this very file on this very printer.
    Measured,
    /// The slicer's estimate, corrected by how long other files took on this printer.
    Printer,
    /// The slicer's estimate as it is.
    Slicer,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// Milliseconds.
    pub ms: u64,
    /// What that rests on.
    pub basis: Basis,
}

/// Prints of one file that a claim has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) each: Took,
    pub(crate) prints: u64,
}

/// Times of good prints, summed up.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    actual_ms: u64,
    estimated_ms: u64,
    prints: u64,
}

impl Sum {
    fn add(&mut self, actual_ms: u64, estimated_ms: u64) {
        self.actual_ms = self.actual_ms.saturating_add(actual_ms);
        self.estimated_ms = self.estimated_ms.saturating_add(estimated_ms);
        self.prints += 1;
    }
}

/// What prints really took, learned from what the hosts of queues have on record.
#[derive(Clone, Debug, Default)]
pub struct Times {
    files: BTreeMap<FileHash, BTreeMap<PrinterId, Sum>>,
    printers: BTreeMap<PrinterId, Sum>,
}

impl Times {
    /// Learns from every good print of a queue.
    pub fn learn(&mut self, snapshot: &Snapshot) {
        for (copy, claims) in &snapshot.claims {
            let Some(job) = snapshot.jobs.get(&copy.job) else {
                continue;
            };
            for claim in claims.values() {
                let printer = PrinterId {
                    host: claim.host,
                    name: claim.record.printer.clone(),
                };
                for run in claim.runs.values() {
                    self.learn_one(snapshot, job, &printer, run);
                }
            }
        }
    }

    fn learn_one(&mut self, snapshot: &Snapshot, job: &Job, printer: &PrinterId, run: &RunRecord) {
        let (RunResult::Ok, Some(ended)) = (run.result, run.ended) else {
            return;
        };
        // A clock that was set back in the middle says nothing.
        let Some(actual_ms) = ended.0.checked_sub(run.started.0) else {
            return;
        };
        let Some(file) = file_of(snapshot, job.id, run.set, printer) else {
            return;
        };
        let estimated_ms = file.estimate_s.map_or(0, |s| s.saturating_mul(1000));
        let of_file = self.files.entry(file.hash).or_default();
        of_file
            .entry(printer.clone())
            .or_default()
            .add(actual_ms, estimated_ms);
        if estimated_ms > 0 {
            let of_printer = self.printers.entry(printer.clone()).or_default();
            of_printer.add(actual_ms, estimated_ms);
        }
    }

    /// Returns what one print of a file takes on a printer; `None` when nobody can know.
    pub fn of(&self, file: &FileSpec, printer: &PrinterId) -> Option<Took> {
        let measured = self.files.get(&file.hash).and_then(|by| by.get(printer));
        if let Some(sum) = measured {
            return Some(Took {
                ms: sum.actual_ms / sum.prints.max(1),
                basis: Basis::Measured,
            });
        }
        let estimated_ms = file.estimate_s?.saturating_mul(1000);
        let Some(sum) = self.printers.get(printer) else {
            return Some(Took {
                ms: estimated_ms,
                basis: Basis::Slicer,
            });
        };
        let scaled = u128::from(estimated_ms) * u128::from(sum.actual_ms);
        Some(Took {
            ms: u64::try_from(scaled / u128::from(sum.estimated_ms.max(1))).unwrap_or(u64::MAX),
            basis: Basis::Printer,
        })
    }

    /// Returns how long a print of a file really takes on a printer for each second of its estimate, in thousandths; `None`
    /// when it was never printed there, or has no estimate.
    pub fn ratio(&self, file: FileHash, printer: &PrinterId) -> Option<u64> {
        let sum = self.files.get(&file)?.get(printer)?;
        let actual = sum.actual_ms.saturating_mul(1000);
        actual.checked_div(sum.estimated_ms)
    }

    /// The prints that are left of one claim of a job on a printer, those of `done` sets being done; who has no time is named.
    pub(crate) fn of_claim<'a>(
        &self,
        job: &'a Job,
        printer: &PrinterId,
        done: &[SetId],
        chosen: impl Fn(&'a Set) -> Option<&'a FileSpec>,
    ) -> Result<VecDeque<Left>, String> {
        let rounds = u64::from(if job.together { job.copies } else { 1 });
        let mut all = VecDeque::new();
        for set in &job.sets {
            let wanted = rounds.saturating_mul(set.per_run.into());
            let done = done.iter().filter(|id| **id == set.id).count() as u64;
            let prints = wanted.saturating_sub(done);
            if prints == 0 {
                continue;
            }
            let file = chosen(set).ok_or_else(|| job.name.clone())?;
            let each = self.of(file, printer).ok_or_else(|| file.name.clone())?;
            all.push_back(Left { each, prints });
        }
        Ok(all)
    }
}
