//! `todo`: what a person could do now.

use clap::Args;
use printmesh_api::{problem::Problem, reply::Reply, request::Request};

use crate::{context::Context, error::exit};

/// List what you could do now, what unlocks the most prints first
///
/// Each row is one thing: clear a bed, load a material, swap a nozzle, bring a printer back. With it is the command that
/// says that it is done. Two steps are shown when no single one would start a print.
///
/// Examples:
///   printmesh todo
///   printmesh todo -q farm --limit 3
///   printmesh todo --check || notify-me
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Todo {
    /// Only this queue
    #[arg(short, long)]
    queue: Option<String>,
    /// At most so many rows; 0 = all
    #[arg(long, default_value_t = 10)]
    limit: u32,
    /// Exit 1 if there is anything to do
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(cx: &Context, args: Todo) -> Result<u8, Problem> {
    let request = Request::Todo {
        queue: args.queue,
        limit: args.limit,
    };
    let reply = cx.call(request).await?;
    cx.output.reply(&reply)?;
    let any = matches!(&reply, Reply::TodoList(list) if !list.items.is_empty());
    Ok(match args.check && any {
        true => exit::FAILED,
        false => exit::DONE,
    })
}
