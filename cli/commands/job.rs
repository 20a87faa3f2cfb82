//! `job`: everything that can be done with one or more jobs.

use clap::{ArgGroup, Args, Subcommand};
use printmesh_api::{envelope::envelope, problem::Problem, reply::Reply, request::Request};

use super::{batch, jobs, move_, submit, wait};
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
    /// Remove jobs from their queue; refused while a printer prints them
    #[command(visible_alias = "rm")]
    Cancel(Jobs),
    /// Start no more copies; running prints go on
    Hold(Jobs),
    /// Undo hold or draft
    Release(Jobs),
    Wait(wait::Wait),
}

#[derive(Args, Debug)]
struct Jobs {
    /// Jobs
    #[arg(required = true)]
    job: Vec<String>,
}

/// Change a job
///
/// Examples:
///   printmesh job edit kmz --copies 5
///   printmesh job edit kmz --printer mk4 --printer rack2/mk4
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
    /// Only this printer (NAME or HOST/NAME); may be repeated
    #[arg(long, group = "change", value_name = "PRINTER")]
    printer: Vec<String>,
    /// Any printer again
    #[arg(long, group = "change", conflicts_with = "printer")]
    any_printer: bool,
    /// All copies on one printer, or not
    #[arg(long, group = "change", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    together: Option<bool>,
}

pub(super) async fn run(cx: &Context, args: Job) -> Result<u8, Problem> {
    match args.action {
        Action::Submit(args) => submit::run(cx, args).await,
        Action::List(args) => jobs::run(cx, args).await,
        Action::Show { job, why } => show(cx, &job, why).await,
        Action::Edit(args) => edit(cx, args).await,
        Action::Move(args) => move_::run(cx, args).await,
        Action::Cancel(args) => {
            let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
            if jobs.len() > 1 {
                cx.confirm(&format!("Cancel {} jobs?", jobs.len()))?;
            }
            batch::each(cx, jobs, |job| cx.call(Request::JobCancel { job })).await
        }
        Action::Hold(args) => {
            let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
            batch::each(cx, jobs, |job| cx.call(Request::JobHold { job })).await
        }
        Action::Release(args) => {
            let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
            batch::each(cx, jobs, |job| cx.call(Request::JobRelease { job })).await
        }
        Action::Wait(args) => wait::run(cx, args).await,
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
        false => Some(args.printer).filter(|printers| !printers.is_empty()),
    };
    let ask = |job| {
        cx.call(Request::JobEdit {
            job,
            name: args.name.clone(),
            copies: args.copies,
            printers: printers.clone(),
            together: args.together,
        })
    };
    batch::each(cx, jobs, ask).await
}
