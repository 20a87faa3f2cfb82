//! `match`: starts prints on free printers by one command, after a look at what that would start.

use clap::Args;
use printmesh_api::{
    problem::Problem,
    request::{MatchAsk, Request},
};

use super::show;
use crate::context::Context;

/// Show which prints could start now, and start them
///
/// The plan is the one that printers follow by themselves; printers that do not start by themselves take part as well. It is
/// shown with an id; with that id, and the same words, it is started if it is still the same.
///
/// Examples:
///   printmesh match
///   printmesh match -q farm --printer mk4 --printer rack2/mk4
///   printmesh match -q farm --plan 3fa90c1e
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Match {
    /// Only this queue
    #[arg(short, long)]
    queue: Option<String>,
    /// Only this printer, NAME or HOST/NAME; may be repeated
    #[arg(long)]
    printer: Vec<String>,
    /// At most so many prints
    #[arg(long)]
    limit: Option<u32>,
    /// Only show it, as without --plan
    #[arg(short = 'n', long, conflicts_with = "plan")]
    dry_run: bool,
    /// Start what this plan shows
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
}

pub(super) async fn run(cx: &Context, args: Match) -> Result<u8, Problem> {
    let ask = MatchAsk {
        queue: args.queue,
        printers: args.printer,
        limit: args.limit,
    };
    let plan = args.plan;
    show(cx, Request::Match { ask, plan }).await
}
