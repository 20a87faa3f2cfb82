//! `up`: the daemon in the background, found running or started.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    process::Stdio,
    time::Duration,
};

use clap::Args;
use printmesh_api::{
    client::ClientError,
    problem::Problem,
    reply::{Daemon, Reply},
    request::Request,
};
use tokio::process::{Child, Command};

use crate::{
    context::Context,
    error::{code, exit, foreign, system},
};

/// How long the daemon may take until it answers.
const START: Duration = Duration::from_secs(30);
/// How often the socket is tried meanwhile: a socket that is not there yet cannot be waited on.
const KNOCK: Duration = Duration::from_millis(20);
/// Lines of the log that are shown when the daemon did not come up.
const LOG_LINES: usize = 12;
/// Bytes of the log that are read for them.
const LOG_BYTES_MAX: u64 = 64 * 1024;

/// Start the daemon in the background, if it does not run
///
/// Examples:
///   printmesh up
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Up {}

pub(super) async fn run(cx: &Context, Up {}: Up) -> Result<u8, Problem> {
    let (daemon, already) = ensure(cx).await?;
    if already {
        cx.output.note("already running");
    }
    cx.output.reply(&Reply::Daemon(daemon))?;
    Ok(exit::DONE)
}

/// Finds the daemon, or starts it; says whether it ran before.
///
/// # Errors
/// With the last lines of its log, when it does not come up.
pub(super) async fn ensure(cx: &Context) -> Result<(Daemon, bool), Problem> {
    match cx.client.call(&Request::DaemonStatus).await {
        Ok(Reply::Daemon(daemon)) => return Ok((daemon, true)),
        Ok(_) => return Err(foreign("the daemon's facts")),
        Err(ClientError::DaemonDown { .. }) => {}
        Err(error) => return Err(cx.explain(error)),
    }
    if !cx.home.exists() {
        let title = "this host is not set up";
        return Err(Problem::new(code::NOT_SET_UP, exit::FAILED, title)
            .because(format!("there is no {}", cx.home.display()))
            .fix(cx.command("init"), "set it up and start it"));
    }
    let path = cx.home.join("daemon.log");
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| system(&format!("open {}", path.display()), &error))?;
    let begin = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let mut child = spawn(cx, &log).map_err(|error| system("start the daemon", &error))?;
    match answer(cx, &mut child).await {
        Ok(daemon) => Ok((daemon, false)),
        Err(failed) => {
            let problem = failed.explain("the daemon", &tail(&mut log, begin));
            Err(problem.fix("", format!("its log is {}", path.display())))
        }
    }
}

/// Starts our own executable as the daemon, with its own session: it outlives this terminal. `--json` is for its problem, if it
/// has one: [`Failed::explain`] reads it.
fn spawn(cx: &Context, log: &File) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("--home")
        .arg(&cx.home)
        .args(["--json", "daemon", "run", "--detached"])
        .current_dir(&cx.home)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .kill_on_drop(false)
        .spawn()
}

/// Why no daemon answers.
pub(super) enum Failed {
    /// It ended, with this exit code.
    Ended(u8),
    /// It neither ended nor answered in time.
    Silent,
}

impl Failed {
    /// Says why, from the log of this start: the daemon's own problem where it named one, else its last lines.
    pub(super) fn explain(self, who: &str, log: &str) -> Problem {
        let lines: Vec<_> = log.lines().collect();
        let own = lines
            .iter()
            .rev()
            .find_map(|line| serde_json::from_str(line).ok());
        let (exit, title) = match self {
            Self::Ended(exit) => (exit, format!("{who} did not start")),
            Self::Silent => {
                let seconds = START.as_secs();
                (
                    exit::TIMED_OUT,
                    format!("{who} does not answer after {seconds} s"),
                )
            }
        };
        own.unwrap_or_else(|| {
            let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            let why = if end.is_empty() {
                "it said nothing"
            } else {
                &end
            };
            Problem::new(code::DAEMON_START, exit, title).because(why)
        })
    }
}

/// Waits until the child answers on its socket.
pub(super) async fn answer(cx: &Context, child: &mut Child) -> Result<Daemon, Failed> {
    let deadline = tokio::time::sleep(START);
    tokio::pin!(deadline);
    let mut knock = tokio::time::interval(KNOCK);
    loop {
        tokio::select! {
            ended = child.wait() => {
                // It may have found another one that was just started: then all is well.
                if let Ok(Reply::Daemon(daemon)) = cx.client.call(&Request::DaemonStatus).await {
                    return Ok(daemon);
                }
                let code = ended.ok().and_then(|status| u8::try_from(status.code()?).ok());
                return Err(Failed::Ended(code.filter(|&code| code != 0).unwrap_or(exit::FAILED)));
            }
            _ = knock.tick() => {
                if let Ok(Reply::Daemon(daemon)) = cx.client.call(&Request::DaemonStatus).await {
                    return Ok(daemon);
                }
            }
            () = &mut deadline => return Err(Failed::Silent),
        }
    }
}

/// What was written to a log since `begin`, or the end of it.
fn tail(log: &mut File, begin: u64) -> String {
    let end = log.seek(SeekFrom::End(0)).unwrap_or(begin);
    let from = begin.max(end.saturating_sub(LOG_BYTES_MAX));
    let mut bytes = Vec::new();
    // A log that cannot be read says nothing; its path is shown in any case.
    drop(log.seek(SeekFrom::Start(from)));
    drop(log.take(LOG_BYTES_MAX).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::error::to_json;

    #[test]
    fn only_what_this_start_wrote_counts_and_only_its_end_is_shown() {
        let mut log = tempfile::tempfile().unwrap();
        writeln!(log, "of yesterday").unwrap();
        let begin = log.stream_position().unwrap();
        assert_eq!(tail(&mut log, begin), "");
        for n in 0..30 {
            writeln!(log, "line {n}").unwrap();
        }
        let problem = Failed::Ended(9).explain("the daemon", &tail(&mut log, begin));
        assert_eq!((problem.code.as_str(), problem.exit), ("daemon.start", 9));
        let why = problem.why.unwrap();
        assert!(
            why.starts_with("line 18\n") && why.ends_with("\nline 29"),
            "{why}"
        );
    }

    #[test]
    fn the_daemons_own_problem_is_the_answer() {
        let own = Problem::new("network.bind-taken", 5, "cannot listen").because("taken");
        let log = format!("INFO starts\n{}INFO ended\n", to_json(&own));
        assert_eq!(Failed::Ended(5).explain("the daemon", &log), own);
        assert_eq!(Failed::Silent.explain("the daemon", "").exit, 7);
    }
}
