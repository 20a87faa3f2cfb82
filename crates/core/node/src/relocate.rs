//! Moving a job to another queue: its files come along first, and what is left of it gets a new id there.

use printmesh_queue::{CopyState, Job, JobId, JobState, QueueId, Role, Set, SetId};

use crate::{
    node::Node,
    problem::{Code, Problem},
    records::{QueueKind, Then},
};

/// A move to this host's own queue that waits until the files are here (seed 1: they come along).
pub(crate) struct WaitingMove {
    pub(crate) command: u64,
    pub(crate) queue: QueueId,
    pub(crate) job: JobId,
    pub(crate) then: Then,
}

impl Node {
    pub(crate) fn move_to_queue(
        &mut self,
        id: u64,
        from: QueueId,
        job: JobId,
        to: QueueId,
        rank_top: bool,
    ) -> Result<(), Problem> {
        self.require(to, Role::Submitter)?;
        self.may_withdraw(from, job)?;
        let then = Then::Move { to, rank_top };
        let files = self.queues[&from].doc.snapshot().jobs[&job]
            .sets
            .iter()
            .filter_map(|set| set.spec.files.first().cloned());
        let wanted: Vec<_> = files
            .filter(|file| !self.files.contains(&file.hash))
            .collect();
        if self.queues[&to].record.kind == QueueKind::Local {
            for file in &wanted {
                self.missing.remove(&file.hash);
                self.fetch(from, file);
            }
            self.moves.push(WaitingMove {
                command: id,
                queue: from,
                job,
                then,
            });
            return Ok(());
        }
        if let Some(file) = wanted.first()
            && self.queues[&from].record.kind == QueueKind::Local
        {
            return Err(Problem::new(
                Code::FileMissing,
                format!("{} is not on this host any more", file.name),
            )
            .because("a job of the local queue needs its files here before it can be shared"));
        }
        self.withdraw(Some(id), from, job, then)
    }

    /// Goes on with moves whose files have arrived, or cannot.
    pub(crate) fn drive_moves(&mut self) -> bool {
        let mut moved = false;
        for waiting in std::mem::take(&mut self.moves) {
            let Some(job) = self
                .queues
                .get(&waiting.queue)
                .and_then(|queue| queue.doc.snapshot().jobs.get(&waiting.job))
            else {
                continue;
            };
            let files: Vec<_> = job
                .sets
                .iter()
                .filter_map(|set| set.spec.files.first().cloned())
                .collect();
            let wanted: Vec<_> = files
                .iter()
                .filter(|f| !self.files.contains(&f.hash))
                .collect();
            if let Some(file) = wanted
                .iter()
                .find(|file| self.missing.contains_key(&file.hash))
            {
                let problem = Problem::new(
                    Code::FileMissing,
                    format!("cannot take {} back: {} is not here", job.name, file.name),
                )
                .because("no host that can be reached has the file; nothing was changed")
                .fix("printmesh queue peers QUEUE", "see who is away");
                self.reply(waiting.command, Err(problem));
                moved = true;
            } else if wanted.is_empty() {
                let (command, queue, job, then) =
                    (waiting.command, waiting.queue, waiting.job, waiting.then);
                if let Err(problem) = self.withdraw(Some(command), queue, job, then) {
                    self.reply(command, Err(problem));
                }
                moved = true;
            } else {
                self.moves.push(waiting);
            }
        }
        moved
    }
    /// The job as it arrives in another queue: what is left of it, under a new id.
    pub(crate) fn copy_of_job(&mut self, from: QueueId, job: JobId, to: QueueId, top: bool) -> Job {
        let snapshot = self.queues[&from].doc.snapshot();
        let old = snapshot.jobs[&job].clone();
        let done = snapshot
            .copies_of(&old)
            .filter(|(_, state)| matches!(state, CopyState::Done(_)))
            .count() as u32;
        let copies = if old.together {
            old.copies
        } else {
            (old.copies - done).max(1)
        };
        let rank = self.end_rank(to, top);
        let sets = old
            .sets
            .iter()
            .map(|set| Set {
                id: SetId(self.entropy.bytes()),
                ..set.clone()
            })
            .collect();
        Job {
            id: self.job_id(),
            rank,
            copies,
            state: JobState::Open,
            submitter: self.me,
            created: self.now.wall,
            origin: Some(job),
            sets,
            ..old
        }
    }

    pub(crate) fn set_pairs(&self, queue: QueueId, job: JobId, moved: &Job) -> Vec<(SetId, SetId)> {
        let old = &self.queues[&queue].doc.snapshot().jobs[&job];
        old.sets
            .iter()
            .zip(&moved.sets)
            .map(|(old, new)| (old.id, new.id))
            .collect()
    }
}
