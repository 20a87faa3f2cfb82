//! `demo`: two hosts on this machine, one queue, two jobs, everything printed, nothing left behind.
//!
//! It does what two people would type, through the same API, and says each line of it. Daemons and homes are real; only the
//! printers are simulated.

mod follow;
mod host;
mod outcome;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use printmesh_api::{
    limits::SOCKET_PATH_BYTES_MAX,
    problem::Problem,
    reply::{Job, Reply},
    request::{NewJob, NewSet, Request},
};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use self::host::Host;
use crate::{
    context::Context,
    error::{exit, foreign, system},
};

/// Longest path below a host's home that must fit into a socket address, bytes: `/workshop/run/api.sock`.
const SOCKET_BELOW: usize = 24;
/// How long printing may take; far more than it does.
const LIMIT: Duration = Duration::from_secs(180);
/// The queue that both share.
const QUEUE: &str = "farm";
/// Parts of our own, sliced by a real slicer.
const FILES: [(&str, &[u8]); 2] = [
    (
        "cube.gcode",
        include_bytes!("../../examples/files/cube.gcode"),
    ),
    (
        "clip.gcode",
        include_bytes!("../../examples/files/clip.gcode"),
    ),
];
/// What is submitted.
const JOBS: [Order; 2] = [
    Order {
        name: "cube",
        parts: &[("cube.gcode", 1)],
        copies: 3,
    },
    Order {
        name: "kit",
        parts: &[("cube.gcode", 1), ("clip.gcode", 2)],
        copies: 1,
    },
];

/// One job of the demo.
struct Order {
    name: &'static str,
    /// Files, each with how often it is printed per copy.
    parts: &'static [(&'static str, u32)],
    copies: u32,
}

/// Show it all in a minute: two hosts on this machine share a queue and print; nothing is left behind
///
/// Examples:
///   printmesh demo
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Demo {}

pub(super) async fn run(cx: &Context, Demo {}: Demo) -> Result<u8, Problem> {
    let stage = stage()?;
    let mut hosts = Vec::new();
    let mut terminated =
        signal(SignalKind::terminate()).map_err(|error| system("listen for signals", &error))?;
    let played = tokio::select! {
        played = play(cx, stage.path(), &mut hosts) => played.map(|()| exit::DONE),
        _ = tokio::signal::ctrl_c() => Ok(exit::INTERRUPTED),
        _ = terminated.recv() => Ok(exit::INTERRUPTED),
    };
    if let Err(problem) = &played {
        for host in &hosts {
            cx.output
                .note(&format!("-- end of {}'s log: {problem}", host.name));
            cx.output.tell(&host.log());
        }
    }
    for host in hosts {
        host.stop().await;
    }
    let removed = stage.close();
    let code = played?;
    removed.map_err(|error| system("remove the demo's files", &error))?;
    match code {
        exit::INTERRUPTED => cx
            .output
            .tell("interrupted; both hosts are stopped, nothing is left\n"),
        _ => cx
            .output
            .note("Both hosts are stopped and their files removed. Next: printmesh init --sim"),
    }
    Ok(code)
}

/// A directory whose name is short enough for sockets in it.
fn stage() -> Result<TempDir, Problem> {
    let make = |parent: &Path| {
        let stage = tempfile::Builder::new()
            .prefix("printmesh-")
            .tempdir_in(parent);
        stage.map_err(|error| system("make a temporary directory", &error))
    };
    let stage = make(&std::env::temp_dir())?;
    match stage.path().as_os_str().len() + SOCKET_BELOW > SOCKET_PATH_BYTES_MAX {
        true => make(Path::new("/tmp")),
        false => Ok(stage),
    }
}

/// The whole play; `hosts` has what must be stopped, however it ends.
async fn play(cx: &Context, stage: &Path, hosts: &mut Vec<Host>) -> Result<(), Problem> {
    cx.output
        .note("Two hosts on this machine, each with a simulated printer:");
    for name in ["workshop", "garage"] {
        hosts.push(Host::start(cx, stage, name).await?);
    }
    let [workshop, garage] = hosts.as_slice() else {
        unreachable!("two were pushed")
    };
    cx.output.note("One makes a queue, the other joins it:");
    let name = QUEUE.to_owned();
    workshop.say(&format!("queue create {QUEUE}"));
    workshop.call(Request::QueueCreate { name }).await?;
    let ticket = ticket(workshop).await?;
    let shown: String = ticket.chars().take(16).collect();
    garage.say(&format!("join {shown}…"));
    join(garage, ticket).await?;

    cx.output.note("One submits, both print:");
    let files = unpack(stage)?;
    // Subscribed before the first job is there: what happens to it is not missed.
    let watch = follow::Watch::open(workshop, garage).await?;
    let mut jobs = Vec::new();
    for order in JOBS {
        jobs.push(submit(workshop, &files, &order).await?.id);
    }
    let title = "the demo has not printed everything yet";
    let printed = watch.until_done(cx, &jobs);
    let jobs = cx.patiently(title, Some(LIMIT), printed).await??;
    outcome::show(cx, stage, &[workshop, garage], &jobs).await
}

async fn ticket(host: &Host) -> Result<String, Problem> {
    host.say(&format!("queue share {QUEUE}"));
    let request = Request::QueueShare {
        queue: QUEUE.to_owned(),
        role: "printer".to_owned(),
        expires_s: Some(3600),
        uses: 1,
        with_key: false,
        open_s: None,
        wan: false,
    };
    match host.call(request).await? {
        Reply::Share(share) => share.ticket.ok_or_else(|| foreign("a ticket")),
        _ => Err(foreign("a ticket")),
    }
}

async fn join(host: &Host, ticket: String) -> Result<(), Problem> {
    let request = Request::QueueJoin {
        ticket: Some(ticket),
        as_name: None,
        wan: false,
    };
    match host.call(request).await? {
        Reply::Join(join) if join.state == "joined" => Ok(()),
        _ => Err(foreign("that it has joined")),
    }
}

/// Writes the bundled files where they can be submitted from.
fn unpack(stage: &Path) -> Result<PathBuf, Problem> {
    let files = stage.join("files");
    let written = std::fs::create_dir(&files).and_then(|()| {
        FILES
            .iter()
            .try_for_each(|(name, content)| std::fs::write(files.join(name), content))
    });
    written.map_err(|error| system("write the demo's files", &error))?;
    Ok(files)
}

async fn submit(host: &Host, files: &Path, order: &Order) -> Result<Job, Problem> {
    let Order {
        name: job_name,
        parts,
        copies,
    } = order;
    let spelled = parts.iter().map(|(name, per_run)| match per_run {
        1 => (*name).to_owned(),
        per_run => format!("{name}:{per_run}"),
    });
    let spelled = spelled.collect::<Vec<_>>().join(" ");
    host.say(&format!(
        "submit -q {QUEUE} --name {job_name} --copies {copies} {spelled}"
    ));
    let mut sets = Vec::new();
    for (name, per_run) in *parts {
        let sent = host.cx.client.upload(&files.join(name), name, |_| ()).await;
        sets.push(NewSet {
            hash: sent.map_err(|error| host.cx.explain(error))?.hash,
            file_name: (*name).to_owned(),
            per_run: *per_run,
            alternatives: Vec::new(),
        });
    }
    let job = NewJob {
        queue: Some(QUEUE.to_owned()),
        name: Some((*job_name).to_owned()),
        sets,
        copies: *copies,
        together: false,
        draft: false,
        printers: Vec::new(),
        terms: printmesh_api::request::Terms::default(),
        slice: None,
    };
    match host.call(Request::JobSubmit(job)).await? {
        Reply::Job(job) => Ok(job),
        _ => Err(foreign("a job")),
    }
}

/// How many prints all jobs together are.
fn prints_expected() -> usize {
    let prints =
        |order: &Order| order.copies * order.parts.iter().map(|(_, per_run)| per_run).sum::<u32>();
    JOBS.iter().map(prints).sum::<u32>() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_job_is_bundled_and_the_prints_add_up() {
        for order in JOBS {
            for (name, _) in order.parts {
                assert!(FILES.iter().any(|(bundled, _)| bundled == name), "{name}");
            }
        }
        assert_eq!(prints_expected(), 6);
    }

    #[test]
    fn sockets_fit_below_the_stage() {
        let stage = stage().unwrap();
        let socket = stage.path().join("workshop/run/api.sock");
        assert!(socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
    }
}
