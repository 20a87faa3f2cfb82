//! `status`: one screen.

use clap::Args;
use printmesh_api::{problem::Problem, reply::Reply, request::Request};

use crate::{context::Context, error::exit};

/// Show printers, queues and what needs you on one screen
///
/// Examples:
///   printmesh status
///   printmesh status --check || notify-me
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Status {
    /// Exit 1 if something needs you
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(cx: &Context, args: Status) -> Result<u8, Problem> {
    let reply = cx.call(Request::Status).await?;
    cx.output.reply(&reply)?;
    let needed = matches!(&reply, Reply::Status(status) if !status.needs_you.is_empty());
    Ok(match args.check && needed {
        true => exit::FAILED,
        false => exit::DONE,
    })
}
