//! One host of the demo: its home and its daemon, a process of its own.

use std::{fs::OpenOptions, path::Path, process::Stdio, time::Duration};

use printmesh_api::{
    problem::Problem,
    reply::{Printer, Reply},
    request::Request,
};
use printmesh_daemon::InitOptions;
use tokio::{
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use crate::{
    commands::up::answer,
    context::Context,
    error::{code, exit, foreign, system},
};

/// How long a daemon may take to end before it is killed.
const STOP: Duration = Duration::from_secs(10);
/// Only this machine, any free port.
const BIND: &str = "127.0.0.1:0";
/// How much of a log is shown when the demo fails, lines.
const LOG_LINES: usize = 15;

/// One host: its daemon ends with it, in good order through [`Self::stop`], at once when dropped.
pub(super) struct Host {
    pub(super) name: &'static str,
    pub(super) cx: Context,
    child: Child,
    /// Tied to us: the daemon ends when this does. Kept apart from `child`, which closes its own when it is waited for.
    stdin: Option<ChildStdin>,
}

impl Host {
    /// Sets a home up and starts its daemon, with a printer that is ready.
    pub(super) async fn start(
        cx: &Context,
        stage: &Path,
        name: &'static str,
    ) -> Result<Self, Problem> {
        let cx = cx.at(stage.join(name));
        say(&cx, name, "init --sim");
        let options = InitOptions {
            home: cx.home.clone(),
            name: Some(name.to_owned()),
            sim: true,
            bind: Some(BIND.to_owned()),
        };
        let made = tokio::task::spawn_blocking(move || printmesh_daemon::init(&options)).await;
        made.map_err(|error| {
            Problem::new(code::SYSTEM, exit::FAILED, "the set-up broke off")
                .because(error.to_string())
        })??;
        let mut child = spawn(&cx).map_err(|error| system("start a daemon", &error))?;
        let stdin = child.stdin.take();
        let mut host = Self {
            name,
            cx,
            child,
            stdin,
        };
        if let Err(failed) = answer(&host.cx, &mut host.child).await {
            return Err(failed.explain(&format!("{name}'s daemon"), &host.log()));
        }
        host.ready_printers().await?;
        Ok(host)
    }

    /// Does what a person would have to do before a printer prints.
    async fn ready_printers(&self) -> Result<(), Problem> {
        let Reply::PrinterList(list) = self.call(Request::PrinterList).await? else {
            return Err(foreign("the printers"));
        };
        for Printer {
            name,
            bed,
            autoprint,
            ..
        } in list.items
        {
            if bed != "clear" {
                self.clear_bed(&name).await?;
            }
            if !autoprint {
                self.say(&format!("autoprint on {name}"));
                let request = Request::Autoprint {
                    printers: vec![name],
                    on: true,
                    cycles: None,
                };
                self.call(request).await?;
            }
        }
        Ok(())
    }

    /// Says that a bed is empty.
    pub(super) async fn clear_bed(&self, printer: &str) -> Result<(), Problem> {
        self.say(&format!("printer ready {printer}"));
        let printers = vec![printer.to_owned()];
        self.call(Request::PrinterReady {
            printers,
            good: None,
        })
        .await?;
        Ok(())
    }

    /// Asks this host's daemon.
    pub(super) async fn call(&self, request: Request) -> Result<Reply, Problem> {
        self.cx.call(request).await
    }

    /// Shows what a person would type on this host.
    pub(super) fn say(&self, words: &str) {
        say(&self.cx, self.name, words);
    }

    /// The end of its log.
    pub(super) fn log(&self) -> String {
        let log = std::fs::read(self.cx.home.join("daemon.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let mut end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        end.push('\n');
        end
    }

    /// Stops the daemon; kills it when it does not end by itself.
    pub(super) async fn stop(mut self) {
        let asked = self
            .cx
            .client
            .call(&Request::DaemonStop { end_prints: true });
        let stopped = async {
            // A daemon that does not hear ends when its stdin does.
            drop(asked.await);
            drop(self.stdin.take());
            drop(self.child.wait().await);
        };
        if timeout(STOP, stopped).await.is_err() {
            drop(self.child.kill().await);
        }
    }
}

fn spawn(cx: &Context) -> std::io::Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(cx.home.join("daemon.log"))?;
    Command::new(std::env::current_exe()?)
        .arg("--home")
        .arg(&cx.home)
        .args(["--json", "daemon", "run", "--tied"])
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C is for the demo, which stops its daemons in good order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

fn say(cx: &Context, host: &str, words: &str) {
    cx.output.note(&format!("  {host:<9}$ printmesh {words}"));
}
