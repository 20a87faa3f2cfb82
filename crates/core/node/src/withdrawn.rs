//! What follows once copies are out of every printer's reach: the documents say so, in one durable step.

use printmesh_queue::{
    Ballot, ClaimRecord, ClaimState, CopyState, Edit, FileHash, Job, JobId, JobState, QueueId,
};

use crate::{
    command::JobEdit,
    effect::Answer,
    node::Node,
    problem::Problem,
    records::{self, Imported, QueueKind, Then, key},
    withdraw::Unit,
};

impl Node {
    /// Every copy that was to be taken out is out of the printers' reach: now the documents say so.
    pub(crate) fn withdrawn(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        then: &Then,
        taken: &[Unit],
        ballot: Option<&Ballot>,
    ) {
        let given_back = ballot.map(|ballot| self.reopenings(queue, taken, ballot));
        let result = match then {
            Then::Cancel => self.cancelled(queue, job),
            Then::Move { to, rank_top } => self.moved(queue, job, *to, *rank_top),
            Then::Edit(edit) => self.edited(queue, job, edit, &given_back.unwrap_or_default()),
            Then::Reopen => self.reopened(queue, &given_back.unwrap_or_default()),
        };
        if let Some(command) = command {
            self.reply(command, result);
        }
    }

    fn cancelled(&mut self, queue: QueueId, job: JobId) -> Result<Answer, Problem> {
        let (by, at) = (self.me, self.now.wall);
        let snapshot = self.queues[&queue].doc.snapshot();
        let entry = &snapshot.jobs[&job];
        let printed = snapshot
            .copies_of(entry)
            .filter(|(_, state)| matches!(state, CopyState::Done(_)))
            .count();
        let text = match printed {
            0 => format!("{} is cancelled", entry.name),
            1 => format!("{} is cancelled; a copy was printed before", entry.name),
            n => format!(
                "{} is cancelled; {n} copies were printed before",
                entry.name
            ),
        };
        let answer = Answer::Done {
            already: false,
            text,
        };
        let words = self.own_request_words(queue, job);
        self.edit(queue, |edit| {
            edit.set_job_state(job, &JobState::Cancelled { by, at });
            for word in &words {
                edit.drop_request(word);
            }
            Ok(())
        })?;
        self.fulfilled(queue, &words, &answer);
        Ok(answer)
    }

    fn moved(
        &mut self,
        queue: QueueId,
        job: JobId,
        to: QueueId,
        rank_top: bool,
    ) -> Result<Answer, Problem> {
        let (by, at) = (self.me, self.now.wall);
        let moved = self.copy_of_job(queue, job, to, rank_top);
        let new = moved.id;
        for (old, set) in self.set_pairs(queue, job, &moved) {
            // The same folder serves the job under its new id.
            let of_set = |imported: &Imported| (imported.0, imported.1) == (job, old);
            let known = self.imports.iter();
            let known: Vec<(FileHash, String)> = known
                .filter(|(imported, _)| of_set(imported))
                .map(|((.., file), path)| (*file, path.clone()))
                .collect();
            for (file, path) in known {
                let imported = (new, set, file);
                self.write(records::put(key::import(imported), &path));
                self.imports.insert(imported, path);
            }
        }
        self.edit(to, |edit| {
            edit.add_job(&moved);
            Ok(())
        })?;
        let words = self.own_request_words(queue, job);
        self.edit(queue, |edit| {
            edit.set_job_state(job, &JobState::Moved { by, at, to: new });
            for word in &words {
                edit.drop_request(word);
            }
            Ok(())
        })?;
        if self.queues[&to].record.kind == QueueKind::Local {
            for set in &moved.sets {
                for file in &set.spec.files {
                    // A model is sliced when a printer has acquired it.
                    if file.needs.slice.is_none()
                        && !self.imports.contains_key(&(new, set.id, file.hash))
                    {
                        self.import(new, &moved.name, set.id, file);
                    }
                }
            }
        }
        let answer = Answer::Job(new);
        self.fulfilled(queue, &words, &answer);
        Ok(answer)
    }

    /// The edit and the next attempts of what it took are one change: who reads the one reads the other. So a copy that
    /// is wanted again later can be claimed, and one that is not cannot.
    fn edited(
        &mut self,
        queue: QueueId,
        job: JobId,
        edit: &JobEdit,
        given_back: &[(Unit, ClaimRecord)],
    ) -> Result<Answer, Problem> {
        let before = self.queues[&queue].doc.snapshot().jobs[&job].clone();
        self.edit(queue, |document| {
            apply(document, &before, edit);
            for ((copy, attempt), record) in given_back {
                document.put_claim(*copy, *attempt, record);
            }
            Ok(())
        })?;
        Ok(Answer::Job(job))
    }

    fn reopened(
        &mut self,
        queue: QueueId,
        given_back: &[(Unit, ClaimRecord)],
    ) -> Result<Answer, Problem> {
        self.edit(queue, |document| {
            for ((copy, attempt), record) in given_back {
                document.put_claim(*copy, *attempt, record);
            }
            Ok(())
        })?;
        Ok(Answer::Done {
            already: false,
            text: "the copies are back in the queue".to_owned(),
        })
    }

    fn reopenings(
        &self,
        queue: QueueId,
        taken: &[Unit],
        ballot: &Ballot,
    ) -> Vec<(Unit, ClaimRecord)> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let record = |spec_hash| ClaimRecord {
            printer: String::new(),
            ballot: ballot.clone(),
            cfg: snapshot.voters.cfg,
            spec_hash,
            state: ClaimState::Released,
            speculative: false,
            credited_to: None,
            note: Some("taken out, and given back".to_owned()),
            at: self.now.wall,
        };
        let jobs = &snapshot.jobs;
        taken
            .iter()
            .filter_map(|unit| Some((*unit, record(jobs.get(&unit.0.job)?.spec_hash()))))
            .collect()
    }
}

/// Writes what an edit changes about a job.
fn apply(document: &mut Edit<'_>, before: &Job, edit: &JobEdit) {
    let id = before.id;
    if let Some(name) = edit.name.as_ref().filter(|name| **name != before.name) {
        document.set_job_name(id, name);
    }
    if let Some(copies) = edit.copies.filter(|copies| *copies != before.copies) {
        document.set_job_copies(id, copies);
    }
    if let Some(together) = edit
        .together
        .filter(|together| *together != before.together)
    {
        document.set_job_together(id, together);
    }
    if let Some(printers) = edit.printers.as_ref().filter(|p| **p != before.printers) {
        document.set_job_printers(id, printers);
    }
    document.set_job_terms(id, &edit.terms.of(&before.terms));
}
