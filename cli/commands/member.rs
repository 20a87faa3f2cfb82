//! `member`: who may come into a queue, what they may do there, and who has to go.

use clap::{Args, Subcommand};
use printmesh_api::{problem::Problem, reply::Reply, request::Request};

use super::{queue::Role, show};
use crate::context::Context;

/// See who is in a queue, let hosts in, change their roles, take them out
///
/// Examples:
///   printmesh member list farm
///   printmesh member show farm garage
///   printmesh member role farm garage operator
///   printmesh member remove farm garage
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
    /// List everybody who is or was in a queue
    #[command(visible_alias = "ls")]
    List {
        /// Queue
        queue: String,
    },
    /// Show one of them: its key, who invited it, and what speaks against it, checked anew
    Show {
        /// Queue
        queue: String,
        /// Its name, or the beginning of its key
        member: String,
    },
    /// Give a member another role; every host goes by it at once
    Role {
        /// Queue
        queue: String,
        /// Its name, or the beginning of its key
        member: String,
        /// What it may do from now on
        #[arg(value_enum)]
        role: Role,
    },
    /// Take the changes of a member again that is in quarantine on this host
    Release {
        /// Queue
        queue: String,
        /// Its name, or the beginning of its key
        member: String,
    },
    /// Take a member out and give the queue another key; what it wrote stays
    #[command(visible_alias = "rm")]
    Remove {
        /// Queue
        queue: String,
        /// Its name, or the beginning of its key
        member: String,
    },
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
        Action::List { queue } => show(cx, Request::MemberList { queue }).await,
        Action::Show { queue, member } => show(cx, Request::MemberShow { queue, member }).await,
        Action::Role {
            queue,
            member,
            role,
        } => {
            let role = role.word().to_owned();
            show(
                cx,
                Request::MemberRole {
                    queue,
                    member,
                    role,
                },
            )
            .await
        }
        Action::Remove { queue, member } => {
            cx.confirm(&format!(
                "Take {member} out of {queue}? It keeps what it has read, and writes nothing more"
            ))?;
            show(cx, Request::MemberRemove { queue, member }).await
        }
        Action::Release { queue, member } => {
            cx.confirm(&format!(
                "Take what {member} writes in {queue} again? A change of it broke the document here"
            ))?;
            show(cx, Request::MemberRelease { queue, member }).await
        }
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
