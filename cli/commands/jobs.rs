//! `jobs` = `job list`.

use clap::Args;
use printmesh_api::{problem::Problem, request::Request};

use super::show;
use crate::context::Context;

/// List jobs in the order in which they print
///
/// Examples:
///   printmesh jobs
///   printmesh jobs -q farm --all
///   printmesh jobs -q archive --json=id,name,state
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Jobs {
    /// Only this queue; `archive` has what is finished or cancelled
    #[arg(short, long, env = "PRINTMESH_QUEUE", hide_env = true)]
    queue: Option<String>,
    /// Finished and cancelled ones too
    #[arg(short, long)]
    all: bool,
}

pub(super) async fn run(cx: &Context, args: Jobs) -> Result<u8, Problem> {
    let request = Request::JobList {
        queue: args.queue,
        all: args.all,
    };
    show(cx, request).await
}
