//! `member`: who may come into a queue.

use clap::{Args, Subcommand};
use printmesh_api::{problem::Problem, reply::Reply, request::Request};

use super::show;
use crate::context::Context;

/// Let hosts that ask into a queue, or refuse them
///
/// Examples:
///   printmesh member approve LAN garage
///   printmesh member deny LAN stranger
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Member {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Let a host in that asked to join, after comparing the code
    Approve {
        /// Queue that it asked for
        queue: String,
        /// Its name, or the beginning of its key
        member: String,
    },
    /// Refuse a host that asked to join
    Deny {
        /// Queue that it asked for
        queue: String,
        /// Its name, or the beginning of its key
        member: String,
    },
}

pub(super) async fn run(cx: &Context, args: Member) -> Result<u8, Problem> {
    match args.action {
        Action::Approve { queue, member } => {
            compare(cx, &queue, &member).await?;
            show(cx, Request::MemberApprove { queue, member }).await
        }
        Action::Deny { queue, member } => show(cx, Request::MemberDeny { queue, member }).await,
    }
}

/// Asks whether both screens show the same code. Whom the daemon does not know, the daemon refuses.
async fn compare(cx: &Context, queue: &str, member: &str) -> Result<(), Problem> {
    let request = Request::QueueShow {
        queue: queue.to_owned(),
    };
    let Reply::Queue(shown) = cx.call(request).await? else {
        return Ok(());
    };
    let asking = shown
        .asking
        .iter()
        .find(|asking| asking.host == member || asking.fingerprint.starts_with(member));
    match asking {
        Some(asking) => cx.confirm(&format!(
            "{} ({}) asks to join {queue}. Does its screen show the code {}?",
            asking.host, asking.fingerprint, asking.code
        )),
        None => Ok(()),
    }
}
