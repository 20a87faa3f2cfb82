//! Moving a job to another queue: its files come along first, and what is left of it gets a new id there.

use printmesh_queue::{CopyState, Job, JobId, JobState, QueueId, Role, Set, SetId, Terms};

use crate::{
    node::Node,
    problem::{Code, Problem},
    queues::touches,
    records::Then,
};

/// A move to this host's own queue that waits until the files are here (seed 1: they come along).
pub(crate) struct WaitingMove {
    /// The command to answer; none for a request.
    pub(crate) command: Option<u64>,
    pub(crate) queue: QueueId,
    pub(crate) job: JobId,
    pub(crate) then: Then,
}

impl Node {
    pub(crate) fn move_to_queue(
        &mut self,
        command: Option<u64>,
        from: QueueId,
        job: JobId,
        to: QueueId,
        rank_top: bool,
    ) -> Result<(), Problem> {
        self.require(to, Role::Submitter)?;
        let then = Then::Move { to, rank_top };
        self.may_withdraw(from, job, &then)?;
        let entry_job = &self.queues[&from].doc.snapshot().jobs[&job];
        if self.copies_left(from, entry_job) == 0 {
            return Err(Problem::new(
                Code::JobOver,
                format!("nothing of {} is left to print", entry_job.name),
            ));
        }
        // Members of the other queue may ask nobody but this host for the files.
        let files = entry_job.sets.iter();
        let files: Vec<_> = files
            .flat_map(|set| set.spec.files.iter().cloned())
            .collect();
        for file in &files {
            self.missing.remove(&file.hash);
            self.fetch(from, file);
        }
        self.moves.push(WaitingMove {
            command,
            queue: from,
            job,
            then,
        });
        Ok(())
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
                let problem = Problem::new(Code::JobUnknown, "the job is gone");
                self.end_move(&waiting, problem);
                continue;
            };
            let files: Vec<_> = job
                .sets
                .iter()
                .flat_map(|set| set.spec.files.iter().cloned())
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
                    format!("cannot move {}: {} is not here", job.name, file.name),
                )
                .because("no host that can be reached has the file; nothing was changed")
                .fix("printmesh queue peers QUEUE", "see who is away");
                self.end_move(&waiting, problem);
                moved = true;
            } else if wanted.is_empty() {
                let (command, queue, job) = (waiting.command, waiting.queue, waiting.job);
                if let Err(problem) = self.withdraw(command, queue, job, waiting.then.clone()) {
                    self.end_move(&waiting, problem);
                }
                moved = true;
            } else {
                self.moves.push(waiting);
            }
        }
        moved
    }
    /// Moves out of a queue or into it are not waited for any longer.
    pub(crate) fn abandon_moves(&mut self, id: QueueId) {
        let (gone, kept) = std::mem::take(&mut self.moves)
            .into_iter()
            .partition(|waiting| touches(id, waiting.queue, &waiting.then));
        self.moves = kept;
        let gone: Vec<WaitingMove> = gone;
        for command in gone.into_iter().filter_map(|waiting| waiting.command) {
            let problem = Problem::new(Code::QueueUnknown, "this host has left the queue");
            self.reply(command, Err(problem));
        }
    }

    /// A move came to nothing for now: who gave the command hears why, a request is tried again.
    fn end_move(&mut self, waiting: &WaitingMove, problem: Problem) {
        match waiting.command {
            Some(command) => self.reply(command, Err(problem)),
            None => self.try_request_later(waiting.queue, waiting.job),
        }
    }

    /// Claims that a move takes along: what is done stays done, and of what nobody knows the end may be done.
    fn copies_left(&self, queue: QueueId, job: &Job) -> u32 {
        let copies = self.queues[&queue].doc.snapshot().copies_of(job);
        let over =
            |state: &CopyState<'_>| matches!(state, CopyState::Done(_) | CopyState::Begun(_));
        copies.filter(|(_, state)| !over(state)).count() as u32
    }

    /// The job as it arrives in another queue: what is left of it, under a new id.
    pub(crate) fn copy_of_job(&mut self, from: QueueId, job: JobId, to: QueueId, top: bool) -> Job {
        let snapshot = self.queues[&from].doc.snapshot();
        let old = snapshot.jobs[&job].clone();
        let copies = if old.together {
            old.copies
        } else {
            self.copies_left(from, &old).max(1)
        };
        let rank = self.end_rank(to, top);
        let terms = Terms {
            level: self.live_level(to),
            ..old.terms.clone()
        };
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
            terms,
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
