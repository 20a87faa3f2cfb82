//! `job wait`: follows jobs by the daemon's events, never by asking again and again.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use printmesh_api::{
    client::Events,
    problem::Problem,
    reply::{Event, Job, Reply},
    request::Request,
};
use tokio::signal::unix::{SignalKind, signal};

use super::{batch, events::stopped};
use crate::{
    context::Context,
    error::{exit, foreign, system},
    render::{
        job::{is_active, short_id, where_or_why},
        progress::Prints,
    },
};

/// Wait until jobs are printed
///
/// Examples:
///   printmesh job wait kmz
///   printmesh job wait kmz lqw --for printing --timeout 10m
///
/// Exits 0 when all are, 10 when one failed or was cancelled, 7 after --timeout. Ctrl-C only stops waiting.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Wait {
    /// Jobs
    #[arg(required = true)]
    job: Vec<String>,
    /// Until when
    #[arg(long = "for", value_enum, default_value_t = Until::Done)]
    until: Until,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Every copy is printed
    Done,
    /// A copy is being printed
    Printing,
    /// A printer has taken a copy
    Claimed,
}

/// Where a job stands with regard to what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Waiting,
    Reached,
    Failed,
}

impl Until {
    fn standing(self, job: &Job) -> Standing {
        let claims = || job.claims.iter().map(|claim| claim.state.as_str());
        let printed = || claims().any(|state| matches!(state, "started" | "printing" | "finished"));
        match (job.state.as_str(), self) {
            ("done", _) => Standing::Reached,
            ("failed" | "cancelled", _) => Standing::Failed,
            // Nothing of it is made any more before somebody has looked.
            ("queued", _) if job.reason.as_deref() == Some("file-fails") => Standing::Failed,
            ("printing" | "needs-clear", Self::Printing | Self::Claimed) => Standing::Reached,
            ("claimed" | "fetching", Self::Claimed) => Standing::Reached,
            (_, Self::Printing) if printed() => Standing::Reached,
            (_, Self::Claimed) if job.claims.iter().any(is_active) || printed() => {
                Standing::Reached
            }
            (_, Self::Done | Self::Printing | Self::Claimed) => Standing::Waiting,
        }
    }
}

pub(super) async fn run(cx: &Context, args: Wait) -> Result<u8, Problem> {
    let jobs = batch::references(&args.job)?;
    wait(cx, jobs, args.until).await
}

/// Waits for one job that was just submitted.
pub(super) async fn until_done(cx: &Context, job: String) -> Result<u8, Problem> {
    wait(cx, vec![job], Until::Done).await
}

async fn wait(cx: &Context, jobs: Vec<String>, until: Until) -> Result<u8, Problem> {
    // Heard from the first word on: Ctrl-C must never look like a death.
    let mut interrupted =
        signal(SignalKind::interrupt()).map_err(|error| system("listen for signals", &error))?;
    // Subscribed before the first question: nothing can happen unseen between the two.
    let events = cx.events().await?;
    let mut followed = Followed::ask(cx, jobs, until).await?;
    let waited = tokio::select! {
        waited = cx.patiently("the jobs are not done yet", None, followed.follow(cx, events)) => waited,
        _ = interrupted.recv() => {
            followed.prints.clear();
            cx.output.tell("detached: the jobs go on\n");
            return Ok(exit::INTERRUPTED);
        }
    };
    followed.prints.clear();
    waited??;
    let failed = followed.any(Standing::Failed);
    let results = followed.jobs.into_iter();
    let results = results.map(|(reference, job)| (reference, Ok(Reply::Job(job))));
    batch::finish(cx, results.collect())?;
    Ok(match failed {
        true => exit::JOB_FAILED,
        false => exit::DONE,
    })
}

/// The jobs that are waited for, each with the reference that was typed.
struct Followed {
    jobs: Vec<(String, Job)>,
    until: Until,
    prints: Prints,
    /// What was last said of each job, so that nothing is said twice.
    said: BTreeMap<String, String>,
}

impl Followed {
    async fn ask(cx: &Context, references: Vec<String>, until: Until) -> Result<Self, Problem> {
        let mut jobs = Vec::new();
        for reference in references {
            let job = job(cx, reference.clone()).await?;
            jobs.push((reference, job));
        }
        let mut followed = Self {
            jobs,
            until,
            prints: Prints::new(&cx.output),
            said: BTreeMap::new(),
        };
        followed.show_all(cx);
        Ok(followed)
    }

    async fn follow(&mut self, cx: &Context, mut events: Events) -> Result<(), Problem> {
        while self.any(Standing::Waiting) {
            let event = events.next().await.map_err(|error| cx.explain(error))?;
            let event = event.ok_or_else(stopped)?;
            if event.kind == "print.progress" || event.kind == "fetch.progress" {
                self.progress(&event);
                continue;
            }
            // What an event does not name may concern every job: queues change, peers come, events get lost.
            let (named, until) = (event.job.as_deref(), self.until);
            let mut changed = false;
            for (_, known) in &mut self.jobs {
                let concerned = named.is_none_or(|id| known.id == id);
                if concerned && until.standing(known) == Standing::Waiting {
                    *known = job(cx, known.id.clone()).await?;
                    changed = true;
                }
            }
            if changed {
                self.show_all(cx);
            }
        }
        Ok(())
    }

    fn any(&self, standing: Standing) -> bool {
        self.jobs
            .iter()
            .any(|(_, job)| self.until.standing(job) == standing)
    }

    fn progress(&mut self, event: &Event) {
        let known = self
            .jobs
            .iter()
            .find(|(_, job)| event.job.as_deref() == Some(&job.id));
        let (Some((_, job)), Some(copy)) = (known, event.copy) else {
            return;
        };
        let printer = event.printer.as_deref().unwrap_or_default();
        let doing = event.state.as_deref().unwrap_or(match event.kind.as_str() {
            "fetch.progress" => "fetching",
            _ => "printing",
        });
        let at = format!("{doing} on {printer}");
        let label = label(job, copy);
        self.prints
            .set(&job.id, copy, &label, &at, event.progress, event.left_s);
    }

    fn show_all(&mut self, cx: &Context) {
        for (_, job) in &self.jobs {
            for claim in &job.claims {
                let label = label(job, claim.copy);
                let at = format!("{} on {}/{}", claim.state, claim.host, claim.printer);
                if is_active(claim) {
                    self.prints.set(
                        &job.id,
                        claim.copy,
                        &label,
                        &at,
                        claim.progress,
                        claim.left_s,
                    );
                } else if claim.state == "finished" {
                    self.prints.finish(&job.id, claim.copy, &label, &at);
                }
            }
            let why = where_or_why(job);
            let line = match job.claims.iter().any(is_active) || why.is_empty() {
                // How far each copy is belongs to the bars.
                true => format!("{} {}: {}", short(job), job.name, job.state),
                false => format!("{} {}: {} ({why})", short(job), job.name, job.state),
            };
            if self.said.get(&job.id) != Some(&line) {
                match self.prints.is_hidden() {
                    true => cx.output.note(&line),
                    false => self.prints.line(&line),
                }
                self.said.insert(job.id.clone(), line);
            }
        }
    }
}

/// Asks for a job; one that was moved to another queue is followed there.
async fn job(cx: &Context, reference: String) -> Result<Job, Problem> {
    let ask = async |job| match cx.call(Request::JobShow { job }).await? {
        Reply::Job(job) => Ok(job),
        _ => Err(foreign("a job")),
    };
    let found: Job = ask(reference).await?;
    match (found.state.as_str(), &found.moved_to) {
        ("moved", Some(there)) => ask(there.clone()).await,
        _ => Ok(found),
    }
}

fn short(job: &Job) -> String {
    short_id(&job.id, job.unique_prefix as usize)
}

fn label(job: &Job, copy: u32) -> String {
    match job.copies {
        1 => job.name.clone(),
        copies => format!("{} {copy}/{copies}", job.name),
    }
}
