//! Models: the host whose printer acquired a copy slices them itself, so that only G-code that it made runs on its printers.
//!
//! A model is sliced once for each set. What comes out must fit the printer, like any other file.

use printmesh_queue::{FileHash, FileSpec, JobId, Needs, SetId};
use printmesh_schedule::misfit_of_needs;
use serde::{Deserialize, Serialize};

use crate::{
    limits::MISSING_MS,
    node::Node,
    records::{self, Imported, Stage, Work, key},
};

/// What a slicer made of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sliced {
    /// Where the G-code lies.
    pub path: String,
    /// BLAKE3 of its bytes.
    pub hash: FileHash,
    /// What it needs of a printer.
    pub needs: Needs,
}

impl Node {
    /// What this host slices with: profiles by name, each with the printers that it is for; none = all.
    pub(crate) fn slice_with(&mut self, slicers: Vec<(String, Vec<String>)>) {
        self.slicers = slicers;
        // Somebody may have mended what failed.
        self.unsliced.clear();
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in names {
            self.tell_slicers(&name);
        }
    }

    /// Says of a printer what can be sliced for it.
    pub(crate) fn tell_slicers(&mut self, name: &str) {
        let is_for =
            |printers: &[String]| printers.is_empty() || printers.iter().any(|p| p == name);
        let profiles = self.slicers.iter();
        let profiles: Vec<String> = profiles
            .filter(|(_, printers)| is_for(printers))
            .map(|(profile, _)| profile.clone())
            .collect();
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        if printer.entry.equipment.slicing != profiles {
            printer.entry.equipment.slicing = profiles;
            self.save_printer(name);
        }
    }

    /// A slicer has ended.
    pub(crate) fn sliced(&mut self, imported: Imported, result: Result<Sliced, String>) {
        self.importing.remove(&imported);
        let (job, _, file) = imported;
        match result {
            Ok(sliced) => {
                self.write(records::put(key::sliced(imported), &sliced));
                self.sliced.insert(imported, sliced);
            }
            Err(why) => {
                let waits = |work: &Work| work.copy.job == job && work.stage == Stage::Fetching;
                let printers = self.printers.iter();
                let stuck = printers.filter(|(_, p)| p.work.as_ref().is_some_and(waits));
                for name in stuck.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                    self.cannot_slice(&name, file, &why);
                }
            }
        }
    }

    /// A printer gives up a copy because of what slicing one of its models came to, and does not try again.
    fn cannot_slice(&mut self, name: &str, file: FileHash, why: &str) {
        let Some(work) = self.printers.get(name).and_then(|p| p.work.clone()) else {
            return;
        };
        let printer = self.printer_id(name);
        self.unsliced.insert((file, printer), why.to_owned());
        if let Some(entry) = self.queues.get_mut(&work.queue) {
            let unit = (work.copy, work.attempt);
            entry.refused.insert(unit, self.now.mono_ms + MISSING_MS);
        }
        self.drop_claim(name, &format!("slice-failed: {why}"));
    }

    /// What was made of a file of the job, when that is a model.
    pub(crate) fn sliced_of(&self, imported: Imported) -> Option<&Sliced> {
        self.sliced.get(&imported)
    }

    /// Gives a copy up when what was sliced for it does not fit its printer. Returns whether it did.
    pub(crate) fn refuse_sliced(&mut self, name: &str, work: &Work) -> bool {
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let Some(job) = snapshot.jobs.get(&work.copy.job) else {
            return false;
        };
        let printer = self.printer_id(name);
        let bad = job.sets.iter().find_map(|set| {
            let file = self.file_of(work, job, set)?;
            let sliced = self.sliced_of((job.id, set.id, file.hash))?;
            let misfit = misfit_of_needs(snapshot, job, &sliced.needs, &printer)?;
            Some((file.hash, misfit.text()))
        });
        let Some((file, why)) = bad else {
            return false;
        };
        self.cannot_slice(name, file, &format!("what was sliced does not fit: {why}"));
        true
    }

    /// Whether a file is where its printer prints it from, sliced if it is a model.
    pub(crate) fn is_at_hand(&self, job: JobId, set: SetId, file: &FileSpec) -> bool {
        let imported = (job, set, file.hash);
        match file.needs.slice {
            Some(_) => self.sliced.contains_key(&imported),
            None => self.imports.contains_key(&imported),
        }
    }
}
