//! `queue`: what is shared, with whom, in which order this host drains it.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use printmesh_api::{
    problem::Problem,
    reply::{Done, Reply, Share},
    request::Request,
};

use super::{join, settings, show, voters};
use crate::{
    context::Context,
    error::{exit, foreign},
    render::{qr, time::parse_duration},
};

/// Create, share, join, rename and order queues
///
/// Examples:
///   printmesh queue create farm
///   printmesh queue share farm
///   printmesh queue peers farm
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Queue {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a queue that can be shared
    Create {
        /// Its name, unique on this host; `local` and `archive` are taken
        name: String,
    },
    /// List queues in the order in which this host drains them
    #[command(visible_alias = "ls")]
    List,
    /// Show one queue, its members and who asks to join
    Show {
        /// Queue
        queue: String,
    },
    Share(ShareArgs),
    /// Show the queue key, which is shared among trusted hosts only
    #[command(subcommand)]
    Key(KeyAction),
    Join(join::Join),
    /// Leave a queue; its jobs stay with the other members
    Leave {
        /// Queue
        queue: String,
    },
    /// Rename a queue for everybody; jobs are kept
    Rename {
        /// Queue
        queue: String,
        /// New name
        name: String,
    },
    /// Show the members of a queue with version, link and printers
    #[command(visible_alias = "members")]
    Peers {
        /// Queue
        queue: String,
    },
    /// Give a queue another key: everybody but who is removed follows by itself
    ///
    /// Examples:
    ///   printmesh queue rotate-key farm
    ///   printmesh queue rotate-key farm --remove old-pi
    ///
    /// Its admins get the new key. Tickets with the old key itself are good no more; other tickets stay good.
    #[command(verbatim_doc_comment)]
    RotateKey {
        /// Queue
        queue: String,
        /// Members to take out as well
        #[arg(long, value_name = "MEMBER")]
        remove: Vec<String>,
    },
    Voters(voters::Voters),
    Recover(voters::Recover),
    /// Say that a printer that is away heats no more, so that another one of its circuit may
    ///
    /// Look at it first: what it draws nobody counts any more.
    #[command(verbatim_doc_comment)]
    FreeHeat {
        /// Queue
        queue: String,
        /// HOST/NAME
        printer: String,
    },
    Set(Box<settings::Set>),
    /// Set the order in which this host drains its queues
    ///
    /// Examples:
    ///   printmesh queue order farm local
    ///
    /// Queues that are not named follow in their old order.
    #[command(verbatim_doc_comment)]
    Order {
        /// Queues, first is drained first
        #[arg(required = true)]
        queue: Vec<String>,
    },
}

/// Make a ticket that lets others join, or let hosts of this network in for a while
///
/// Examples:
///   printmesh queue share farm                            for one host, until tomorrow
///   printmesh queue share farm --role submitter --uses 5 --expires 7d
///   printmesh queue share LAN --open 10m                  let hosts of this network in that ask
///   printmesh queue share farm --wan                      for a host elsewhere: the ticket names the relay of this host
///   printmesh queue share farm --qr                       the ticket as a QR code too
///   printmesh queue share farm --list                     tickets that were given out
///   printmesh queue share farm --revoke 9f2c41aa          take one back
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
struct ShareArgs {
    /// Queue
    queue: String,
    /// What the joiner may do
    #[arg(long, value_enum, default_value_t = Role::Operator)]
    role: Role,
    /// How long the ticket is good
    #[arg(long, default_value = "24h", value_name = "DURATION", value_parser = parse_duration)]
    expires: Duration,
    /// How many hosts may join with it
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    uses: u32,
    /// Put the queue key itself into the ticket: any number of hosts, no end, role admin
    #[arg(long, conflicts_with_all = ["role", "expires", "uses"])]
    with_key: bool,
    /// No ticket: for so long, let every host of this network in that asks
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with_all = ["with_key", "expires", "uses"])]
    open: Option<Duration>,
    /// Name the relays of this host in the ticket, so that hosts outside this network can join
    ///
    /// A relay is a server on which hosts meet that cannot reach each other. It learns which hosts talk over it, from where,
    /// when and how much, and not what. None is built in: name yours in config.toml, as `network.relay`.
    #[arg(long, conflicts_with = "open")]
    wan: bool,
    /// Show the ticket as a QR code too
    #[arg(long, conflicts_with = "open")]
    qr: bool,
    /// No ticket: list those that were given out
    #[arg(long, conflicts_with_all = ["role", "expires", "uses", "with_key", "open", "wan", "qr", "revoke"])]
    list: bool,
    /// No ticket: take one back, by its id
    #[arg(long, value_name = "ID", conflicts_with_all = ["role", "expires", "uses", "with_key", "open", "wan", "qr"])]
    revoke: Option<String>,
}

/// What is done with the queue key.
#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Say whether this host holds the key; with --reveal show it
    Show {
        /// Queue
        queue: String,
        /// Show the key, as a ticket for any number of hosts: whoever has it is an admin, for ever
        #[arg(long)]
        reveal: bool,
    },
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Look
    Observer,
    /// Submit jobs too
    Submitter,
    /// Print too
    Printer,
    /// Change and cancel the jobs of others too
    Operator,
    /// Everything, members too
    Admin,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Submitter => "submitter",
            Self::Printer => "printer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

pub(super) async fn run(cx: &Context, args: Queue) -> Result<u8, Problem> {
    match args.action {
        Action::Create { name } => {
            let code = show(cx, Request::QueueCreate { name: name.clone() }).await?;
            let command = cx.command(&format!("queue share {name}"));
            cx.output
                .note(&format!("Next: {command}    a ticket for another host"));
            Ok(code)
        }
        Action::List => show(cx, Request::QueueList).await,
        Action::Show { queue } => show(cx, Request::QueueShow { queue }).await,
        Action::Share(args) => share(cx, args).await,
        Action::Key(KeyAction::Show { queue, reveal }) => key(cx, queue, reveal).await,
        Action::Join(args) => join::run(cx, args).await,
        Action::Leave { queue } => show(cx, Request::QueueLeave { queue }).await,
        Action::Rename { queue, name } => show(cx, Request::QueueRename { queue, name }).await,
        Action::Peers { queue } => show(cx, Request::QueuePeers { queue }).await,
        Action::RotateKey { queue, remove } => {
            if !remove.is_empty() {
                let names = remove.join(", ");
                cx.confirm(&format!(
                    "Take {names} out of {queue}? What is written from now on, they do not see"
                ))?;
            }
            show(cx, Request::QueueRotateKey { queue, remove }).await
        }
        Action::Voters(args) => voters::run(cx, args).await,
        Action::Recover(args) => voters::recover(cx, args).await,
        Action::FreeHeat { queue, printer } => {
            show(cx, Request::QueueFreeHeat { queue, printer }).await
        }
        Action::Set(args) => settings::run(cx, *args).await,
        Action::Order { queue } => show(cx, Request::QueueOrder { queues: queue }).await,
    }
}

async fn share(cx: &Context, args: ShareArgs) -> Result<u8, Problem> {
    if args.list {
        return show(cx, Request::TicketList { queue: args.queue }).await;
    }
    if let Some(ticket) = args.revoke {
        let queue = args.queue;
        return show(cx, Request::TicketRevoke { queue, ticket }).await;
    }
    let role = match args.with_key {
        true => Role::Admin,
        false => args.role,
    };
    let request = Request::QueueShare {
        queue: args.queue,
        role: role.word().to_owned(),
        expires_s: (!args.with_key && args.open.is_none()).then_some(args.expires.as_secs()),
        uses: args.uses,
        with_key: args.with_key,
        open_s: args.open.map(|open| open.as_secs()),
        wan: args.wan,
    };
    let reply = cx.call(request).await?;
    cx.output.reply(&reply)?;
    if let Reply::Share(share) = &reply {
        if let Some(ticket) = share.ticket.as_deref().filter(|_| args.qr) {
            cx.output.note(&qr::code(ticket)?);
        }
        cx.output.note(&remark(cx, share));
    }
    Ok(exit::DONE)
}

async fn key(cx: &Context, queue: String, reveal: bool) -> Result<u8, Problem> {
    if reveal {
        let request = Request::QueueShare {
            queue,
            role: Role::Admin.word().to_owned(),
            expires_s: None,
            uses: 1,
            with_key: true,
            open_s: None,
            wan: false,
        };
        let reply = cx.call(request).await?;
        cx.output.reply(&reply)?;
        if let Reply::Share(share) = &reply {
            cx.output.note(&remark(cx, share));
        }
        return Ok(exit::DONE);
    }
    let request = Request::QueueShow {
        queue: queue.clone(),
    };
    let Reply::Queue(shown) = cx.call(request).await? else {
        return Err(foreign("the queue"));
    };
    let text = match shown.holds_key {
        true => "this host holds the key; --reveal shows it".to_owned(),
        false => format!("this host does not hold the key of {queue}; its admins do"),
    };
    cx.output.reply(&Reply::Done(Done {
        already: false,
        text,
    }))?;
    Ok(exit::DONE)
}

fn remark(cx: &Context, share: &Share) -> String {
    let until = match &share.expires {
        Some(expires) => format!("until {}", cx.output.clock().short(expires)),
        None => "without end".to_owned(),
    };
    let Some(_) = &share.ticket else {
        return format!("Open {until}. On the other host: printmesh join");
    };
    let hosts = match share.uses {
        Some(1) => "one host".to_owned(),
        Some(uses) => format!("{uses} hosts"),
        None => "any number of hosts".to_owned(),
    };
    let revoke = match &share.id {
        Some(id) => format!(
            " To take it back: {}",
            cx.command(&format!("queue share {} --revoke {id}", share.queue))
        ),
        None => String::new(),
    };
    let wan = match share.relays.is_empty() {
        true => String::new(),
        false => format!(
            "\nThe ticket names {}. With --wan the other host meets this one there, where it cannot be reached directly. {}",
            share.relays.join(" and "),
            join::LEARNS
        ),
    };
    let how = match share.relays.is_empty() {
        true => "printmesh join TICKET",
        false => "printmesh join TICKET --wan",
    };
    format!(
        "For {hosts}, role {}, {until}. On the other host: {how}. \
         Whoever has it can join: send it over a private channel.{revoke}{wan}",
        share.role
    )
}
