//! `job move`: another place, or another queue.

use clap::{ArgGroup, Args};
use printmesh_api::{
    problem::Problem,
    reply::Reply,
    request::{Place, Request},
};

use super::batch;
use crate::context::Context;

/// Reorder jobs, or move them to another queue; to `local` takes them back
///
/// Examples:
///   printmesh job move kmz --to farm
///   printmesh job move kmz --to local
///   printmesh job move kmz lqw --top
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    group = ArgGroup::new("target").required(true).multiple(true),
    group = ArgGroup::new("place")
)]
pub(crate) struct Move {
    /// Jobs; several keep the order in which they are named
    #[arg(required = true)]
    job: Vec<String>,
    /// To this queue
    #[arg(long, value_name = "QUEUE", group = "target")]
    to: Option<String>,
    /// First
    #[arg(long, groups = ["target", "place"])]
    top: bool,
    /// Last
    #[arg(long, groups = ["target", "place"])]
    bottom: bool,
    /// Just before that job
    #[arg(long, value_name = "JOB", groups = ["target", "place"])]
    before: Option<String>,
    /// Just after that job
    #[arg(long, value_name = "JOB", groups = ["target", "place"])]
    after: Option<String>,
}

impl Move {
    fn place(&self) -> Place {
        match (self.top, self.bottom, &self.before, &self.after) {
            (true, ..) => Place::Top,
            (_, true, ..) => Place::Bottom,
            (_, _, Some(job), _) => Place::Before(job.clone()),
            (_, _, _, Some(job)) => Place::After(job.clone()),
            (false, false, None, None) => Place::Keep,
        }
    }
}

pub(super) async fn run(cx: &Context, args: Move) -> Result<u8, Problem> {
    let jobs = batch::pin(cx, batch::references(&args.job)?).await?;
    let mut place = args.place();
    let mut results = Vec::new();
    for job in jobs {
        let request = Request::JobMove {
            job: job.clone(),
            to: args.to.clone(),
            place: place.clone(),
        };
        let result = cx.call(request).await;
        if let (Ok(Reply::Job(moved)), Place::Top | Place::After(_)) = (&result, &place) {
            place = Place::After(moved.id.clone());
        }
        results.push((job, result));
    }
    batch::finish(cx, results)
}
