//! `queue voters` and `queue recover`: who decides which printer gets a copy.

use clap::Args;
use printmesh_api::{problem::Problem, request::Request};

use super::show;
use crate::context::Context;

/// Show or set who decides which printer gets a copy
///
/// Examples:
///   printmesh queue voters farm
///   printmesh queue voters farm --set workshop,garage,rack2
///   printmesh queue voters farm --auto
///
/// One host decides in a queue of two, three in one of up to six, five beyond; a majority of them must answer. By default
/// the hosts choose them and give a vote away before a clean stop.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Voters {
    /// Queue
    queue: String,
    /// Make these hosts the voters: one, three or five, and no others until `--auto`
    #[arg(
        long,
        value_name = "HOST,HOST,HOST",
        value_delimiter = ',',
        conflicts_with = "auto"
    )]
    set: Vec<String>,
    /// Let the hosts choose the voters
    #[arg(long)]
    auto: bool,
}

/// Go on without voters that are gone for good
///
/// Examples:
///   printmesh queue recover farm
///   printmesh queue recover farm --confirm farm
///
/// Refused while a majority of the voters answers. This host decides alone afterwards, and others are called as usual. What
/// the printers of hosts that are away had begun is made again: each such print may turn out to be one too many. So may a
/// start that the lost voters decided and that this host has not heard of.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Recover {
    /// Queue
    queue: String,
    /// The queue's name once more, instead of being asked for it
    #[arg(long, value_name = "QUEUE")]
    confirm: Option<String>,
}

pub(super) async fn run(cx: &Context, args: Voters) -> Result<u8, Problem> {
    let Voters { queue, set, auto } = args;
    let request = match auto || !set.is_empty() {
        true => Request::QueueVotersSet { queue, hosts: set },
        false => Request::QueueVoters { queue },
    };
    show(cx, request).await
}

pub(super) async fn recover(cx: &Context, args: Recover) -> Result<u8, Problem> {
    let Recover { queue, confirm } = args;
    let confirm = match confirm {
        Some(confirm) => confirm,
        None => {
            let question = format!(
                "The voters of {queue} will decide nothing any more. If they are gone for good, type {queue} to go on:"
            );
            cx.type_name(&question, &format!("--confirm {queue}"))?
        }
    };
    show(cx, Request::QueueRecover { queue, confirm }).await
}
