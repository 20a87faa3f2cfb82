//! A person's word about a copy: how a print of which nobody knows ended, and whether a copy that rests is tried once
//! more.
//!
//! How a print ended is written by the host that holds the claim, and by no other. One more try may be asked for on any
//! host.

use std::collections::BTreeSet;

use printmesh_queue::{
    ClaimState, CopyId, CopyState, Job, JobId, JobState, QueueId, Role, RunResult,
};
use printmesh_schedule::{failing_files, file_waits};

use crate::{
    command::Resolve,
    effect::Answer,
    node::Node,
    problem::{Code, Problem},
};

impl Node {
    pub(crate) fn job_resolve(
        &mut self,
        reference: &str,
        resolve: Resolve,
    ) -> Result<Answer, Problem> {
        let (queue, id, only) = self.copy_named(reference)?;
        let snapshot = self.queues[&queue].doc.snapshot();
        let job = snapshot.jobs[&id].clone();
        let asked = |copy: &CopyId| only.is_none_or(|index| copy.index == index);
        let unknown = snapshot
            .claims
            .range(copies_of(id))
            .filter(|(copy, _)| asked(copy))
            .flat_map(|(copy, claims)| claims.values().map(move |claim| (*copy, claim.host, claim)))
            .filter(|(_, _, claim)| claim.record.state == ClaimState::Unknown);
        let unknown: Vec<(CopyId, _)> = unknown.map(|(copy, host, _)| (copy, host)).collect();
        let own: BTreeSet<CopyId> = unknown
            .iter()
            .filter(|(_, host)| *host == self.me)
            .map(|(copy, _)| *copy)
            .collect();
        if resolve == Resolve::Retry {
            self.may_speak_for(queue, &job)?;
            if job.state != JobState::Open {
                return Err(Problem::new(
                    Code::JobOver,
                    format!("{} is not in its queue any more", job.name),
                ));
            }
        }
        match (own.len(), unknown.first()) {
            (1, _) => {
                let copy = *own.first().expect("there is one");
                self.settle_copy(queue, copy, resolve);
                Ok(done(&job, copy, resolve))
            }
            (0, Some((copy, host))) => {
                let host = self.queues[&queue].doc.snapshot().host_name(*host);
                Err(Problem::new(
                    Code::ClaimForeign,
                    format!(
                        "only {host} can say how copy {} of {} ended",
                        copy.index + 1,
                        job.name
                    ),
                )
                .because(
                    "it is that host's printer, and one host writes what becomes of its prints",
                )
                .fix(
                    "",
                    format!("look at the printer, then type the command on {host}"),
                ))
            }
            (0, None) => match resolve {
                Resolve::Retry => self.try_again(queue, &job, only),
                Resolve::Done | Resolve::Failed => Err(certain(&job, only)),
            },
            (_, _) => {
                let names = own
                    .iter()
                    .map(|copy| format!("{}#{}", job.id, copy.index + 1));
                Err(Problem::new(
                    Code::JobAmbiguous,
                    format!(
                        "of {} copies of {} nobody knows how they ended",
                        own.len(),
                        job.name
                    ),
                )
                .because("each of them is looked at and answered for alone")
                .fix(
                    format!(
                        "printmesh job resolve {}",
                        names.collect::<Vec<_>>().join(" | ")
                    ),
                    "name the copy",
                ))
            }
        }
    }

    /// A job, or one copy of it: `JOB#COPY`, counted from 1. `QUEUE#PLACE` still names a job.
    fn copy_named(&self, reference: &str) -> Result<(QueueId, JobId, Option<u32>), Problem> {
        let whole = self.job_named(reference);
        let Some((head, copy)) = reference.rsplit_once('#') else {
            return whole.map(|(queue, job)| (queue, job, None));
        };
        let one = self.job_named(head);
        let index = copy.parse::<u32>().ok().and_then(|n| n.checked_sub(1));
        match (whole, one, index) {
            (Ok(_), Ok(_), Some(_)) => Err(Problem::new(
                Code::JobAmbiguous,
                format!("`{reference}` is a place in a queue and a copy of a job"),
            )
            .fix("", "type the job's id instead of its name")),
            (Ok((queue, job)), _, _) => Ok((queue, job, None)),
            (Err(_), Ok((queue, job)), Some(index)) => {
                let found = &self.queues[&queue].doc.snapshot().jobs[&job];
                if index < found.units() {
                    return Ok((queue, job, Some(index)));
                }
                let many = if found.together {
                    "it is printed in one piece".to_owned()
                } else {
                    format!("it has {}", found.copies)
                };
                Err(Problem::new(
                    Code::BadNumber,
                    format!("{} has no copy {copy}", found.name),
                )
                .because(many))
            }
            (Err(_), Ok(_), None) => Err(Problem::new(
                Code::BadNumber,
                format!("`{copy}` is not the number of a copy"),
            )
            .because("copies are counted from 1")),
            (Err(_), Err(problem), Some(_)) if head.contains('#') => Err(problem),
            (Err(problem), Err(_), _) => Err(problem),
        }
    }

    /// Whether this host may change somebody's job.
    fn may_speak_for(&self, queue: QueueId, job: &Job) -> Result<(), Problem> {
        if job.submitter == self.me {
            return Ok(());
        }
        self.require(queue, Role::Operator)
    }

    fn settle_copy(&mut self, queue: QueueId, copy: CopyId, resolve: Resolve) {
        for (work, k) in self.unknown_prints(queue, copy) {
            match (resolve, k) {
                (Resolve::Done, None) => self.settle_known(&work, true),
                (Resolve::Failed | Resolve::Retry, None) => self.settle_known(&work, false),
                (Resolve::Done, Some(k)) => {
                    let note = "a person looked: it is good".to_owned();
                    self.settle_good(&work, k, Some(note));
                }
                (Resolve::Failed | Resolve::Retry, Some(k)) => {
                    let note = "a person looked: it is not good".to_owned();
                    self.settle_bad(&work, k, RunResult::Failed, note);
                }
            }
            if resolve == Resolve::Retry {
                self.record(queue, |edit| edit.set_again(copy, work.attempt));
            }
        }
    }

    /// Copies that rest are tried once more.
    fn try_again(
        &mut self,
        queue: QueueId,
        job: &Job,
        only: Option<u32>,
    ) -> Result<Answer, Problem> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let file_fails = file_waits(job, &failing_files(snapshot)).is_some();
        let resting = snapshot.copies_of(job).filter_map(|(copy, state)| {
            let failed = snapshot
                .claims_of(copy)
                .filter(|claim| claim.record.state == ClaimState::Failed)
                .map(|claim| claim.attempt)
                .max();
            let rests = match state {
                CopyState::Failed(_) => true,
                CopyState::Open(_) => file_fails,
                CopyState::Claimed(_) | CopyState::Begun(_) | CopyState::Done(_) => false,
            };
            failed
                .filter(|_| rests && only.is_none_or(|index| copy.index == index))
                .map(|attempt| (copy, attempt))
        });
        let resting: Vec<(CopyId, u32)> = resting.collect();
        if resting.is_empty() {
            return Err(certain(job, only));
        }
        self.edit(queue, |edit| {
            for (copy, attempt) in &resting {
                edit.set_again(*copy, *attempt);
            }
            Ok(())
        })?;
        let copies = match resting.as_slice() {
            [(copy, _)] => format!("copy {}", copy.index + 1),
            several => format!("{} copies", several.len()),
        };
        Ok(Answer::Done {
            already: false,
            text: format!("{copies} of {} will be tried once more", job.name),
        })
    }
}

fn copies_of(job: JobId) -> std::ops::RangeInclusive<CopyId> {
    let index = u32::MAX;
    CopyId { job, index: 0 }..=CopyId { job, index }
}

fn done(job: &Job, copy: CopyId, resolve: Resolve) -> Answer {
    let what = match resolve {
        Resolve::Done => "is good",
        Resolve::Failed => "failed",
        Resolve::Retry => "failed, and will be tried once more",
    };
    Answer::Done {
        already: false,
        text: format!("copy {} of {} {what}", copy.index + 1, job.name),
    }
}

fn certain(job: &Job, only: Option<u32>) -> Problem {
    let which = match only {
        Some(index) => format!("copy {} of {}", index + 1, job.name),
        None => format!("no copy of {}", job.name),
    };
    let what = match only {
        Some(_) => "does not wait for a person's word",
        None => "waits for a person's word",
    };
    Problem::new(Code::CopyCertain, format!("{which} {what}"))
        .because("only a print of which nobody knows how it ended, or a copy that rests, can be resolved")
        .fix(
            format!("printmesh job show {}", job.id),
            "see how its copies stand",
        )
}
