//! `init`: a home with keys, a queue `local`, perhaps a printer, and the daemon started.

use clap::Args;
use printmesh_api::{
    envelope::versioned,
    problem::Problem,
    reply::{Join, Reply},
    request::Request,
};
use printmesh_daemon::{InitOptions, Initialised};
use serde_json::json;

use super::{join, up};
use crate::{
    context::Context,
    error::{code, exit, foreign},
    render::{
        queue,
        table::{Block, Cell},
    },
};

/// Set this host up and start its daemon
///
/// Examples:
///   printmesh init --sim               with a simulated printer, to try things
///   printmesh init --name workshop --lan
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Init {
    /// Name of this host [default: the machine's]
    #[arg(long)]
    name: Option<String>,
    /// Add a simulated printer
    #[arg(long)]
    sim: bool,
    /// Make the queue LAN, or ask the host of this network that has one to let this host in
    #[arg(long, conflicts_with = "no_start")]
    lan: bool,
    /// Where other hosts reach this one: auto or IP:PORT [default: auto]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Do not start the daemon
    #[arg(long)]
    no_start: bool,
}

pub(super) async fn run(cx: &Context, args: Init) -> Result<u8, Problem> {
    let options = InitOptions {
        home: cx.home.clone(),
        name: args.name,
        sim: args.sim,
        bind: args.bind,
    };
    let made = tokio::task::spawn_blocking(move || printmesh_daemon::init(&options)).await;
    let mut made = made.map_err(|error| {
        Problem::new(code::SYSTEM, exit::FAILED, "the set-up broke off").because(error.to_string())
    })??;
    let daemon = match args.no_start {
        true => None,
        false => Some(up::ensure(cx).await?.0.pid),
    };
    if made.already
        && let Ok(Reply::Daemon(running)) = cx.client.call(&Request::DaemonStatus).await
    {
        // A daemon that runs keeps its state to itself, its name too: it is asked.
        made.name = running.host;
    }
    let lan = match args.lan {
        true => Some(lan_queue(cx).await?),
        false => None,
    };
    show(cx, &made, daemon, lan.as_ref())?;
    if let Some(asked) = lan.filter(|lan| lan.state == "asked") {
        join::tell_how_to_approve(cx, &asked).await?;
    }
    let next = match daemon {
        Some(_) => cx.command("submit FILE"),
        None => cx.command("up"),
    };
    cx.output.note(&format!("Next: {next}"));
    Ok(exit::DONE)
}

async fn lan_queue(cx: &Context) -> Result<Join, Problem> {
    match cx.call(Request::LanQueue).await? {
        Reply::Join(join) => Ok(join),
        _ => Err(foreign("what came of the LAN queue")),
    }
}

fn show(
    cx: &Context,
    made: &Initialised,
    daemon: Option<u32>,
    lan: Option<&Join>,
) -> Result<(), Problem> {
    let json = || {
        versioned(json!({
            "kind": "Init",
            "name": made.name,
            "fingerprint": made.fingerprint,
            "already": made.already,
            "printers": made.printers,
            "home": cx.home,
            "pid": daemon,
            "lan": lan,
        }))
    };
    let blocks = || {
        let mut facts = vec![
            ("name", Cell::new(&made.name)),
            ("identity", Cell::new(&made.fingerprint)),
            ("home", Cell::new(cx.home.display().to_string())),
            ("queue", Cell::both("local, only on this host", "local")),
            (
                "printers",
                match (made.already, made.printers.is_empty()) {
                    (true, _) => Cell::both(cx.command("printer list"), ""),
                    (false, true) => Cell::both(
                        format!("none; {}", cx.command("printer add NAME --at ADDRESS")),
                        "",
                    ),
                    (false, false) => made.printers.join(", ").into(),
                },
            ),
            (
                "daemon",
                match daemon {
                    Some(pid) => Cell::both(format!("running, pid {pid}"), pid.to_string()),
                    None => Cell::both("not started", ""),
                },
            ),
        ];
        if made.already {
            facts.push(("already", Cell::both("this host was set up before", "yes")));
        }
        let mut blocks = vec![Block::Facts(facts)];
        blocks.extend(lan.map(queue::join).unwrap_or_default());
        blocks
    };
    cx.output
        .answer(json, std::slice::from_ref(&made.name), blocks)
}
