//! Follows the demo's jobs by the events of both hosts, with a bar per copy.

use std::collections::BTreeSet;

use printmesh_api::{
    client::Events,
    problem::Problem,
    reply::{Event, Job, Reply},
    request::Request,
};

use super::host::Host;
use crate::{
    commands::events::stopped,
    context::Context,
    error::{code, exit, foreign},
    render::{
        job::{is_active, where_or_why},
        progress::Prints,
    },
};

/// Both hosts and what happens on them.
pub(super) struct Watch<'a> {
    submitter: &'a Host,
    other: &'a Host,
    submitter_events: Events,
    other_events: Events,
}

impl<'a> Watch<'a> {
    /// Subscribes to both.
    pub(super) async fn open(submitter: &'a Host, other: &'a Host) -> Result<Self, Problem> {
        Ok(Self {
            submitter_events: submitter.cx.events().await?,
            other_events: other.cx.events().await?,
            submitter,
            other,
        })
    }

    /// Waits until the submitter's host sees all jobs done; gives them as they are then.
    pub(super) async fn until_done(
        mut self,
        cx: &Context,
        ids: &[String],
    ) -> Result<Vec<Job>, Problem> {
        let mut prints = Prints::new(&cx.output);
        let mut said = BTreeSet::new();
        loop {
            let jobs = jobs(self.submitter, ids).await?;
            jobs.iter().for_each(|job| show(&mut prints, job));
            if prints.is_hidden() {
                tell(cx, &jobs, &mut said);
            }
            if let Some(job) = jobs
                .iter()
                .find(|job| matches!(&*job.state, "failed" | "cancelled"))
            {
                prints.clear();
                let title = format!("{} {}", job.name, job.state);
                return Err(
                    Problem::new(code::DEMO, exit::JOB_FAILED, title).because(where_or_why(job))
                );
            }
            if jobs.iter().all(|job| job.state == "done") {
                return Ok(jobs);
            }
            self.until_news(&mut prints, &jobs).await?;
        }
    }

    /// Reads events until one may have changed a job.
    async fn until_news(&mut self, prints: &mut Prints, jobs: &[Job]) -> Result<(), Problem> {
        loop {
            let (host, event, is_submitter) = tokio::select! {
                event = self.submitter_events.next() => (self.submitter, event, true),
                event = self.other_events.next() => (self.other, event, false),
            };
            let event = event
                .map_err(|error| host.cx.explain(error))?
                .ok_or_else(stopped)?;
            match event.kind.as_str() {
                "print.progress" | "fetch.progress" => progress(prints, jobs, &event),
                "printer.state" => clear_bed(host, &event).await?,
                // Only the submitter's host is asked about jobs: it must come to know all of it.
                _ if is_submitter => return Ok(()),
                _ => {}
            }
        }
    }
}

async fn jobs(host: &Host, ids: &[String]) -> Result<Vec<Job>, Problem> {
    let mut jobs = Vec::new();
    for job in ids.iter().cloned() {
        match host.call(Request::JobShow { job }).await? {
            Reply::Job(job) => jobs.push(job),
            _ => return Err(foreign("a job")),
        }
    }
    Ok(jobs)
}

/// Takes the part off, as somebody must, when a printer of this host asks for it.
async fn clear_bed(host: &Host, event: &Event) -> Result<(), Problem> {
    let printer = event
        .printer
        .as_deref()
        .and_then(|printer| printer.split_once('/'));
    match (printer, event.state.as_deref()) {
        (Some((on, name)), Some("clear-bed" | "unknown")) if on == host.name => {
            host.clear_bed(name).await
        }
        _ => Ok(()),
    }
}

fn progress(prints: &mut Prints, jobs: &[Job], event: &Event) {
    let job = jobs
        .iter()
        .find(|job| event.job.as_deref() == Some(&job.id));
    if let (Some(job), Some(copy)) = (job, event.copy) {
        let doing = match event.kind.as_str() {
            "fetch.progress" => "fetching",
            _ => "printing",
        };
        let at = format!(
            "{doing} on {}",
            event.printer.as_deref().unwrap_or_default()
        );
        prints.set(
            &job.id,
            copy,
            &label(job, copy),
            &at,
            event.progress,
            event.left_s,
        );
    }
}

fn show(prints: &mut Prints, job: &Job) {
    for claim in &job.claims {
        let label = label(job, claim.copy);
        let at = format!("{} on {}/{}", claim.state, claim.host, claim.printer);
        if is_active(claim) {
            prints.set(
                &job.id,
                claim.copy,
                &label,
                &at,
                claim.progress,
                claim.left_s,
            );
        } else if claim.state == "finished" {
            prints.finish(&job.id, claim.copy, &label, &at);
        }
    }
}

/// The same as lines, each once, for who sees no bars.
fn tell(cx: &Context, jobs: &[Job], said: &mut BTreeSet<String>) {
    for job in jobs {
        for claim in &job.claims {
            let (label, state) = (label(job, claim.copy), &claim.state);
            let line = format!("  {label}: {state} on {}/{}", claim.host, claim.printer);
            if said.insert(line.clone()) {
                cx.output.note(&line);
            }
        }
    }
}

fn label(job: &Job, copy: u32) -> String {
    let sets = match job.sets.len() {
        1 => String::new(),
        sets => format!(" ({sets} sets)"),
    };
    format!("{}{sets} {copy}/{}", job.name, job.copies)
}
