//! `daemon`: the process behind the socket.

use std::{io, os::fd::OwnedFd, time::Duration};

use clap::{Args, Subcommand};
use printmesh_api::{
    client::ClientError,
    problem::Problem,
    reply::{Done, Reply},
    request::Request,
};
use printmesh_daemon::RunOptions;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, setsid},
};
use tokio::io::AsyncReadExt;

use super::show;
use crate::{
    context::Context,
    error::{code, exit, foreign, system},
};

/// How long the daemon may take to end when `--timeout` says nothing.
const STOP: Duration = Duration::from_secs(30);

/// Run, stop and look at the daemon
///
/// Examples:
///   printmesh daemon run       in the foreground, until Ctrl-C
///   printmesh daemon status
///   printmesh daemon stop
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Daemon {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run in the foreground until Ctrl-C, SIGTERM or `daemon stop`; logs go to stderr
    Run {
        /// More in the log (-v, -vv)
        #[arg(short, long, action = clap::ArgAction::Count)]
        verbose: u8,
        /// Leave the terminal that started it
        #[arg(long, hide = true)]
        detached: bool,
        /// End when stdin ends: never outlive who started it
        #[arg(long, hide = true, conflicts_with = "detached")]
        tied: bool,
    },
    /// Stop the daemon and wait until it has ended; refused while a printer prints
    Stop {
        /// End the prints that are under way: heaters off, the print is lost
        #[arg(long)]
        end_prints: bool,
    },
    /// Show whether the daemon runs, since when and where it is reached
    Status,
}

pub(super) async fn run(cx: &Context, args: Daemon) -> Result<u8, Problem> {
    match args.action {
        Action::Run {
            verbose,
            detached,
            tied,
        } => {
            if detached {
                // Fails only for a process that leads a group already, and that one has left.
                setsid().ok();
            }
            if tied {
                tokio::spawn(end_with_stdin());
            }
            let home = cx.home.clone();
            printmesh_daemon::run(RunOptions {
                home,
                verbose,
                ready: None,
            })
            .await?;
            Ok(exit::DONE)
        }
        Action::Stop { end_prints } => stop(cx, end_prints).await,
        Action::Status => show(cx, Request::DaemonStatus).await,
    }
}

/// Asks this process to end as a person would, once nobody holds the other end of stdin any more.
async fn end_with_stdin() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 64];
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
    kill_process(getpid(), Signal::TERM).expect("a process may signal itself");
}

async fn stop(cx: &Context, end_prints: bool) -> Result<u8, Problem> {
    let pid = match cx.client.call(&Request::DaemonStatus).await {
        Ok(Reply::Daemon(daemon)) => daemon.pid,
        Ok(_) => return Err(foreign("the daemon's facts")),
        Err(ClientError::DaemonDown { .. }) => {
            let text = "no daemon runs".to_owned();
            cx.output.reply(&Reply::Done(Done {
                already: true,
                text,
            }))?;
            return Ok(exit::DONE);
        }
        Err(error) => return Err(cx.explain(error)),
    };
    let process = watch(pid).map_err(|error| system("watch the daemon", &error))?;
    let reply = cx.call(Request::DaemonStop { end_prints }).await?;
    let limit = cx.timeout().unwrap_or(STOP);
    let waited = tokio::task::spawn_blocking(move || has_ended(process, limit)).await;
    let waited = waited.unwrap_or_else(|error| Err(io::Error::other(error)));
    if !waited.map_err(|error| system("wait for the daemon's end", &error))? {
        return Err(Problem::new(
            code::TIMED_OUT,
            exit::TIMED_OUT,
            format!("the daemon has not ended yet, pid {pid}"),
        )
        .because(format!("{} s are over", limit.as_secs_f32()))
        .fix(cx.command("daemon status"), "see whether it still runs"));
    }
    cx.output.reply(&reply)?;
    Ok(exit::DONE)
}

/// A handle on a process, whoever started it; `None` when it has ended already. A pid alone may soon be another process's.
fn watch(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the process has ended; `false` when it has not within `limit` (zero = no limit).
fn has_ended(process: Option<OwnedFd>, limit: Duration) -> io::Result<bool> {
    let Some(process) = process else {
        return Ok(true);
    };
    let limit = match limit {
        Duration::ZERO => None,
        limit => Timespec::try_from(limit).ok(),
    };
    loop {
        let mut polled = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut polled, limit.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen_even_while_it_is_a_zombie() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let process = || watch(child.id()).unwrap();
        assert!(!has_ended(process(), Duration::from_millis(1)).unwrap());
        let running = process();
        drop(child.stdin.take());
        assert!(has_ended(running, Duration::from_secs(60)).unwrap());
        let pid = child.id();
        child.wait().unwrap();
        assert!(watch(pid).unwrap().is_none());
    }
}
