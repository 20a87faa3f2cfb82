//! Commands about jobs: submit, edit, reorder, hold, release.

use printmesh_queue::{
    ALTERNATIVES_MAX, CopyState, FileSpec, Job, JobId, JobState, QueueId, Rank, Role, Set, SetId,
    Terms, ranks_to_move,
};
use printmesh_schedule::{Index, is_meant};

use crate::{
    command::{JobEdit, NewJob, NewSet, Place, TermsEdit},
    effect::Answer,
    limits::{
        COPIES_MAX, COUNT_MAX, JOB_NAME_BYTES_MAX, OPEN_JOBS_MAX, RUNS_MAX, SETS_MAX,
        WORD_BYTES_MAX, WORDS_MAX,
    },
    node::Node,
    problem::{Code, Problem},
    records::{QueueKind, Then},
};

fn check_count(what: &str, n: u32, max: u32) -> Result<(), Problem> {
    if (1..=max).contains(&n) {
        return Ok(());
    }
    Err(Problem::new(
        Code::BadNumber,
        format!("{what} must be from 1 to {max}, not {n}"),
    ))
}

fn check_job_name(name: &str) -> Result<(), Problem> {
    if name.trim().is_empty()
        || name.len() > JOB_NAME_BYTES_MAX
        || name.chars().any(char::is_control)
    {
        return Err(
            Problem::new(Code::BadName, "this cannot be the name of a job").because(format!(
                "a job's name has 1 to {JOB_NAME_BYTES_MAX} bytes and no control characters"
            )),
        );
    }
    Ok(())
}

/// Names that people give to groups and tags.
pub(crate) fn check_words(what: &str, words: &[String]) -> Result<(), Problem> {
    let good = |word: &String| {
        !word.trim().is_empty()
            && word.len() <= WORD_BYTES_MAX
            && !word
                .chars()
                .any(|letter| letter.is_control() || letter == ',')
    };
    if words.len() <= WORDS_MAX && words.iter().all(good) {
        return Ok(());
    }
    Err(Problem::new(
        Code::BadName,
        format!("this cannot be {what}"),
    )
    .because(format!(
        "a name has 1 to {WORD_BYTES_MAX} bytes, no comma and no control characters, and there are at most {WORDS_MAX}"
    )))
}

fn check_terms(terms: &TermsEdit) -> Result<(), Problem> {
    let group = terms.group.clone().filter(|group| !group.is_empty());
    check_words("a group", group.as_slice())?;
    check_words("a tag", terms.tags.as_deref().unwrap_or_default())
}

fn check_alternatives(files: &[FileSpec]) -> Result<(), Problem> {
    if files.is_empty() || files.len() > ALTERNATIVES_MAX {
        return Err(Problem::new(
            Code::JobSets,
            format!(
                "a set has 1 to {ALTERNATIVES_MAX} files, not {}",
                files.len()
            ),
        ));
    }
    let mut known = std::collections::BTreeSet::new();
    match files.iter().find(|file| !known.insert(file.hash)) {
        None => Ok(()),
        Some(twice) => Err(Problem::new(
            Code::JobSets,
            format!("{} is twice among the alternatives of a set", twice.name),
        )),
    }
}

fn check_runs(sets: impl Iterator<Item = u32>, rounds: u32) -> Result<(), Problem> {
    let runs = sets.map(u64::from).sum::<u64>() * u64::from(rounds);
    if runs <= RUNS_MAX {
        return Ok(());
    }
    Err(Problem::new(
        Code::BadNumber,
        format!("one claim would be {runs} prints on one printer"),
    )
    .because(format!(
        "at most {RUNS_MAX}; copies that are not `together` are spread over printers"
    )))
}

impl Node {
    pub(crate) fn job_submit(&mut self, new: NewJob) -> Result<Answer, Problem> {
        let queue = self.queue_named(&new.queue)?;
        self.require(queue, Role::Submitter)?;
        check_job_name(&new.name)?;
        check_count("copies", new.copies, COPIES_MAX)?;
        if new.sets.is_empty() || new.sets.len() > SETS_MAX {
            return Err(Problem::new(
                Code::JobSets,
                format!("a job has 1 to {SETS_MAX} files, not {}", new.sets.len()),
            ));
        }
        for set in &new.sets {
            check_count("prints per copy", set.per_run, COUNT_MAX)?;
            check_alternatives(&set.files)?;
        }
        self.check_open_jobs(queue)?;
        let rounds = if new.together { new.copies } else { 1 };
        check_runs(new.sets.iter().map(|set| set.per_run), rounds)?;
        self.check_printers(queue, &new.printers)?;
        check_terms(&new.terms)?;
        let terms = Terms {
            level: self.live_level(queue),
            ..new.terms.of(&Terms::default())
        };
        let id = self.job_id();
        let mut rank: Option<Rank> = None;
        let mut sets = Vec::new();
        for NewSet { files, per_run } in new.sets {
            let next = Rank::between(rank.as_ref(), None);
            let id = SetId(self.entropy.bytes());
            let spec = printmesh_queue::SetSpec { files };
            sets.push(Set {
                id,
                rank: next.clone(),
                per_run,
                spec,
            });
            rank = Some(next);
        }
        let job = Job {
            id,
            name: new.name,
            rank: self.end_rank(queue, false),
            copies: new.copies,
            together: new.together,
            draft: new.draft,
            held: false,
            printers: new.printers,
            state: JobState::Open,
            submitter: self.me,
            created: self.now.wall,
            origin: None,
            retries: None,
            again: std::collections::BTreeMap::new(),
            terms,
            sets,
        };
        self.edit(queue, |edit| {
            edit.add_job(&job);
            Ok(())
        })?;
        Ok(Answer::Job(id))
    }

    /// A member has so many open jobs in a queue at most.
    fn check_open_jobs(&self, queue: QueueId) -> Result<(), Problem> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let own = snapshot.jobs.values();
        let own = own.filter(|job| job.submitter == self.me && job.state == JobState::Open);
        if own.count() < OPEN_JOBS_MAX {
            return Ok(());
        }
        let why = format!("{OPEN_JOBS_MAX} are open; one job can have many copies");
        Err(Problem::new(Code::Quota, "this host has too many jobs in the queue").because(why))
    }

    /// Where round-robin begins to count a job that comes now.
    pub(crate) fn live_level(&mut self, queue: QueueId) -> u32 {
        self.refresh_index(queue);
        let index = self
            .queues
            .get(&queue)
            .and_then(|entry| entry.index.as_ref());
        index.map_or(0, Index::live_level)
    }

    /// A job that is for a printer which does not exist would wait for ever.
    fn check_printers(&self, queue: QueueId, wanted: &[String]) -> Result<(), Problem> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let mut known: Vec<(&str, String)> = snapshot
            .present_printers()
            .map(|(id, _)| {
                let full = format!("{}/{}", snapshot.host_name(id.host), id.name);
                (id.name.as_str(), full)
            })
            .collect();
        let is_known = |pin: &String| {
            let mut printers = snapshot.present_printers();
            printers.any(|(id, _)| is_meant(snapshot, pin, id))
        };
        let Some(unknown) = wanted.iter().find(|pin| !is_known(pin)) else {
            return Ok(());
        };
        known.sort_by(|a, b| a.1.cmp(&b.1));
        let names: Vec<&str> = known
            .iter()
            .map(|(_, full)| full.as_str())
            .take(8)
            .collect();
        let why = match known.len() {
            0 => "it has none yet".to_owned(),
            n if n > names.len() => {
                format!("it has {} and {} more", names.join(", "), n - names.len())
            }
            _ => format!("it has {}", names.join(", ")),
        };
        let queue = self.queues[&queue].name();
        Err(Problem::new(
            Code::PrinterUnknown,
            format!("no printer `{unknown}` prints from {queue}"),
        )
        .because(why)
        .fix("printmesh printer list", "see the printers"))
    }

    /// The rank at an end of a queue.
    pub(crate) fn end_rank(&self, queue: QueueId, top: bool) -> Rank {
        let jobs = self.queues[&queue].doc.snapshot().jobs.values();
        let ranks = jobs
            .filter(|job| job.state == JobState::Open)
            .map(|job| &job.rank);
        if top {
            Rank::between(None, ranks.min())
        } else {
            Rank::between(ranks.max(), None)
        }
    }

    /// An open job that this host may change.
    fn changeable(&self, reference: &str) -> Result<(QueueId, Job), Problem> {
        let (queue, id) = self.job_named(reference)?;
        let job = self.queues[&queue].doc.snapshot().jobs[&id].clone();
        if job.state != JobState::Open {
            return Err(Problem::new(
                Code::JobOver,
                format!(
                    "{} is not in {} any more",
                    job.name,
                    self.queues[&queue].name()
                ),
            ));
        }
        if job.submitter != self.me {
            self.require(queue, Role::Operator)?;
        }
        Ok((queue, job))
    }

    pub(crate) fn job_edit(
        &mut self,
        command: u64,
        reference: &str,
        edit: JobEdit,
    ) -> Result<(), Problem> {
        let (queue, job) = self.changeable(reference)?;
        if let Some(name) = &edit.name {
            check_job_name(name)?;
        }
        let together = edit.together.unwrap_or(job.together);
        let copies = edit.copies.unwrap_or(job.copies);
        check_count("copies", copies, COPIES_MAX)?;
        check_terms(&edit.terms)?;
        let snapshot = self.queues[&queue].doc.snapshot();
        let taken = snapshot.copies_of(&job).filter(|(_, state)| {
            matches!(
                state,
                CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_)
            )
        });
        let taken = taken.map(|(copy, _)| copy.index + 1).max().unwrap_or(0);
        if taken > 0 && (together != job.together || together && copies != job.copies) {
            return Err(Problem::new(Code::JobLeased, format!("{} has been started", job.name))
                .because("a printer holds all its copies in one claim; their number cannot change any more"));
        }
        if !together && copies < taken {
            return Err(Problem::new(
                Code::JobLeased,
                format!(
                    "{} cannot have fewer than {taken} copies any more",
                    job.name
                ),
            )
            .because(format!("copy {taken} has been started")));
        }
        let rounds = if together { copies } else { 1 };
        check_runs(job.sets.iter().map(|set| set.per_run), rounds)?;
        self.check_printers(queue, edit.printers.as_deref().unwrap_or_default())?;
        // What a printer may be starting right now is taken out of its reach before the document wants it no more.
        let edit = JobEdit {
            together: edit.together.filter(|wanted| *wanted != job.together),
            copies: edit.copies.filter(|wanted| *wanted != job.copies),
            ..edit
        };
        let takes_out = edit.together.is_some() || together && edit.copies.is_some();
        if takes_out || copies < job.copies {
            return self.withdraw(Some(command), queue, job.id, Then::Edit(edit));
        }
        self.withdrawn(Some(command), queue, job.id, &Then::Edit(edit), &[], None);
        Ok(())
    }

    pub(crate) fn job_hold(&mut self, reference: &str, held: bool) -> Result<Answer, Problem> {
        let (queue, job) = self.changeable(reference)?;
        let already = if held {
            job.held
        } else {
            !job.held && !job.draft
        };
        self.edit(queue, |edit| {
            if held != job.held {
                edit.set_job_held(job.id, held);
            }
            if !held && job.draft {
                edit.set_job_draft(job.id, false);
            }
            Ok(())
        })?;
        if !held && let Some(text) = self.take_back(queue, job.id)? {
            return Ok(Answer::Done {
                already: false,
                text: format!("{}: {text}", job.name),
            });
        }
        let text = if held {
            "is held: no further copy starts"
        } else {
            "is released"
        };
        Ok(Answer::Done {
            already,
            text: format!("{} {text}", job.name),
        })
    }

    pub(crate) fn job_move(
        &mut self,
        id: u64,
        reference: &str,
        to: Option<&str>,
        place: &Place,
    ) -> Result<(), Problem> {
        let (queue, job) = self.changeable(reference)?;
        let target = to.map(|name| self.queue_named(name)).transpose()?;
        if let Some(target) = target.filter(|target| *target != queue) {
            if matches!(place, Place::Before(_) | Place::After(_)) {
                return Err(Problem::new(
                    Code::BadName,
                    "a job that moves to another queue goes first or last there",
                )
                .fix(
                    format!("printmesh job move {} --before JOB", job.id),
                    "then move it within that queue",
                ));
            }
            let top = *place == Place::Top;
            return self.move_to_queue(Some(id), queue, job.id, target, top);
        }
        let ranks = self.ranks_at(queue, job.id, place)?;
        self.edit(queue, |edit| {
            for (job, rank) in &ranks {
                edit.set_job_rank(*job, rank);
            }
            Ok(())
        })?;
        self.reply(id, Ok(Answer::Job(job.id)));
        Ok(())
    }

    /// The ranks to write so that the job comes to its place.
    fn ranks_at(
        &self,
        queue: QueueId,
        job: JobId,
        place: &Place,
    ) -> Result<Vec<(JobId, Rank)>, Problem> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let others: Vec<&Job> = snapshot
            .jobs_in_order()
            .into_iter()
            .filter(|other| other.id != job)
            .collect();
        let at = match place {
            Place::Keep => return Ok(Vec::new()),
            Place::Top => 0,
            Place::Bottom => others.len(),
            Place::Before(other) | Place::After(other) => {
                let (_, id) = self.job_named(other)?;
                let at = others.iter().position(|job| job.id == id).ok_or_else(|| {
                    Problem::new(
                        Code::JobUnknown,
                        format!("{other} is not another job of this queue"),
                    )
                })?;
                if matches!(place, Place::Before(_)) {
                    at
                } else {
                    at + 1
                }
            }
        };
        let may_all = self.require(queue, Role::Operator).is_ok();
        Ok(ranks_to_move(&others, job, at, |other| {
            may_all || other.submitter == self.me
        }))
    }

    /// A file of a job that came back to this host could not be put into imports: said, and asked for again at the
    /// next start of its print.
    pub(crate) fn import_failed(&mut self, job: JobId, why: &str) {
        let in_local = self.queues.values().any(|queue| {
            queue.record.kind == QueueKind::Local && queue.doc.snapshot().jobs.contains_key(&job)
        });
        tracing::warn!(%job, why, in_local, "a file could not be put into imports");
    }
}
