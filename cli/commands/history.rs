//! `history`: ended prints.

use clap::Args;
use printmesh_api::{problem::Problem, request::Request};

use super::show;
use crate::context::Context;

/// List ended prints, newest first
///
/// Examples:
///   printmesh history
///   printmesh history --printer sim-1 --limit 10
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct History {
    /// Only this queue
    #[arg(short, long)]
    queue: Option<String>,
    /// Only this printer
    #[arg(long)]
    printer: Option<String>,
    /// At most so many rows; 0 = all
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(super) async fn run(cx: &Context, args: History) -> Result<u8, Problem> {
    let request = Request::History {
        queue: args.queue,
        printer: args.printer,
        limit: args.limit,
    };
    show(cx, request).await
}
