//! `job`: everything that can be done with one or more jobs.

use clap::{ArgGroup, Args, Subcommand};
use printmesh_api::{
    envelope::envelope,
    problem::Problem,
    reply::Reply,
    request::{self, Request},
};

use super::{batch, jobs, move_, submit, terms, wait};
use crate::{context::Context, error::exit, render::job::details};

/// Submit, show, edit, move, cancel, hold and await jobs
///
/// A JOB is the beginning of its id, QUEUE#PLACE, or its name if no other has it; a lone - reads references
/// from stdin.
///
/// Examples:
///   printmesh job show kmz --why
///   printmesh job move kmz --to farm
///   printmesh job cancel farm#3
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Job {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(visible_alias = "add")]
    Submit(submit::Submit),
    #[command(visible_alias = "ls")]
    List(jobs::Jobs),
    /// Show everything about a job
    ///
    /// Examples:
    ///   printmesh job show kmz
    ///   printmesh job show kmz --why    each printer, and why it does or does not take it
    #[command(verbatim_doc_comment)]
    Show {
        /// Jobs
        #[arg(required = true)]
        job: Vec<String>,
        /// Each printer, and why it does or does not take the next copy
        #[arg(long)]
        why: bool,
    },
    Edit(Edit),
    #[command(visible_alias = "mv")]
    Move(move_::Move),
    #[command(visible_alias = "rm")]
    Cancel(Cancel),
    Start(Start),
    /// Start no more copies; a copy under way is printed to its end
    Hold(Jobs),
    /// Undo hold or draft, take back what this host asked about a job
    Release(Jobs),
    Resolve(Resolve),
    Wait(wait::Wait),
}

#[derive(Args, Debug)]
struct Jobs {
    /// Jobs
    #[arg(required = true)]
    job: Vec<String>,
}

/// Remove jobs from their queue; refused while a printer prints them
///
/// Where nobody who decides can be reached, it is asked for: no printer starts the job any more, `job show` says for
/// whom it waits, and `job release` takes it back.
///
/// Examples:
///   printmesh job cancel kmz
///   printmesh job cancel kmz --stop    stop its prints too, on whatever host
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
struct Cancel {
    /// Jobs
    #[arg(required = true)]
    job: Vec<String>,
    /// Stop prints that are under way; asks first
    #[arg(long)]
    stop: bool,
}

/// Put a job first on one printer
///
/// The printer's host decides: bed, faults, pins and autoprint count as ever. Until it starts, `job show` says what it
/// waits for; `job release` takes it back.
///
/// Examples:
///   printmesh job start kmz --printer rack2/mk4
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
struct Start {
    /// Job
    job: String,
    /// This printer (NAME or HOST/NAME)
    #[arg(long, visible_alias = "on", value_name = "PRINTER")]
    printer: String,
}

/// Say how a print ended of which nobody knows, or have a failed copy tried once more
///
/// Only the host whose printer made it can say how a print ended.
///
/// Examples:
///   printmesh job resolve kmz --done
///   printmesh job resolve kmz#2 --failed
///   printmesh job resolve kmz --retry
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = ArgGroup::new("end").required(true))]
struct Resolve {
    /// Job, or JOB#COPY
    #[arg(value_name = "COPY")]
    copy: String,
    /// The print is good; what is missing of the copy is still printed
    #[arg(long, group = "end")]
    done: bool,
    /// The print is not good; it is tried again as often as the queue allows
    #[arg(long, group = "end")]
    failed: bool,
    /// It is not good, or rests, and is tried once more in any case
    #[arg(long, group = "end")]
    retry: bool,
}

/// Change a job
///
/// Examples:
///   printmesh job edit kmz --copies 5
///   printmesh job edit kmz --printer mk4 --printer rack2/mk4
///   printmesh job edit kmz --priority rush --due 17:00
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, group = ArgGroup::new("change").required(true).multiple(true))]
struct Edit {
    /// Jobs
    #[arg(required = true)]
    job: Vec<String>,
    /// New name
    #[arg(long, group = "change")]
    name: Option<String>,
    /// New number of copies
    #[arg(short, long, group = "change", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    copies: Option<u32>,
    /// Only this printer (NAME or HOST/NAME), or those with a tag (tag:NAME); may be repeated
    #[arg(long, group = "change", value_name = "PRINTER")]
    printer: Vec<String>,
    /// Only printers of this model, beside those of --printer; may be repeated
    #[arg(long, group = "change")]
    model: Vec<String>,
    /// Any printer again
    #[arg(long, group = "change", conflicts_with_all = ["printer", "model"])]
    any_printer: bool,
    /// All copies on one printer, or not
    #[arg(long, group = "change", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    together: Option<bool>,
    #[command(flatten)]
    terms: terms::Terms,
    /// Any tags again
    #[arg(long, group = "change", conflicts_with = "tag")]
    no_tags: bool,
}

pub(super) async fn run(cx: &Context, args: Job) -> Result<u8, Problem> {
    match args.action {
        Action::Submit(args) => submit::run(cx, args).await,
        Action::List(args) => jobs::run(cx, args).await,
        Action::Show { job, why } => show(cx, &job, why).await,
        Action::Edit(args) => edit(cx, args).await,
        Action::Move(args) => move_::run(cx, args).await,
        Action::Cancel(args) => {
            let stop = args.stop;
            let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
            let printing = match stop {
                true => prints_of(cx, &jobs).await?,
                false => Vec::new(),
            };
            if let Some(question) = question(jobs.len(), &printing) {
                cx.confirm(&question)?;
            }
            batch::each(cx, jobs, |job| cx.call(Request::JobCancel { job, stop })).await
        }
        Action::Start(Start { job, printer }) => {
            super::show(cx, Request::JobStart { job, printer }).await
        }
        Action::Hold(args) => {
            let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
            batch::each(cx, jobs, |job| cx.call(Request::JobHold { job })).await
        }
        Action::Release(args) => {
            let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
            batch::each(cx, jobs, |job| cx.call(Request::JobRelease { job })).await
        }
        Action::Resolve(args) => {
            let resolve = match (args.done, args.failed) {
                (true, _) => request::Resolve::Done,
                (false, true) => request::Resolve::Failed,
                (false, false) => request::Resolve::Retry,
            };
            let copy = args.copy;
            super::show(cx, Request::JobResolve { copy, resolve }).await
        }
        Action::Wait(args) => wait::run(cx, args).await,
    }
}

/// Printers that print the jobs now, `host/printer`.
async fn prints_of(cx: &Context, jobs: &[String]) -> Result<Vec<String>, Problem> {
    let mut printing = Vec::new();
    for job in jobs {
        if let Reply::Job(job) = cx.call(Request::JobShow { job: job.clone() }).await? {
            let claims = job.claims.into_iter();
            let under_way =
                claims.filter(|claim| matches!(claim.state.as_str(), "started" | "printing"));
            printing.extend(under_way.map(|claim| format!("{}/{}", claim.host, claim.printer)));
        }
    }
    Ok(printing)
}

/// What a person is asked before several jobs go, or a print.
fn question(jobs: usize, printing: &[String]) -> Option<String> {
    let what = match jobs {
        1 => "the job".to_owned(),
        jobs => format!("{jobs} jobs"),
    };
    match printing {
        [] if jobs < 2 => None,
        [] => Some(format!("Cancel {what}?")),
        [printer] => Some(format!("Stop the print on {printer} and cancel {what}?")),
        printers => Some(format!(
            "Stop {} prints ({}) and cancel {what}?",
            printers.len(),
            printers.join(", ")
        )),
    }
}

async fn show(cx: &Context, jobs: &[String], why: bool) -> Result<u8, Problem> {
    let jobs = batch::references(jobs)?;
    if jobs.len() > 1 && cx.output.is_json() {
        return batch::each(cx, jobs, |job| cx.call(Request::JobShow { job })).await;
    }
    for job in jobs {
        let reply = cx.call(Request::JobShow { job }).await?;
        match &reply {
            Reply::Job(job) => cx.output.answer(
                || envelope(&reply),
                std::slice::from_ref(&job.id),
                || details(job, why, &cx.output.clock()),
            )?,
            other => cx.output.reply(other)?,
        }
    }
    Ok(exit::DONE)
}

async fn edit(cx: &Context, args: Edit) -> Result<u8, Problem> {
    let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
    let printers = match args.any_printer {
        true => Some(Vec::new()),
        false => {
            Some(terms::printers(args.printer, &args.model)).filter(|printers| !printers.is_empty())
        }
    };
    let mut terms = args.terms.asked();
    if args.no_tags {
        terms.tags = Some(Vec::new());
    }
    let ask = |job| {
        cx.call(Request::JobEdit {
            job,
            name: args.name.clone(),
            copies: args.copies,
            printers: printers.clone(),
            together: args.together,
            terms: terms.clone(),
        })
    };
    batch::each(cx, jobs, ask).await
}
