//! What every command needs: which daemon, how long to wait, how to answer, whether a person can be asked.

use std::{
    future::Future,
    io::{BufRead, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use printmesh_api::{
    client::{Client, ClientError, Events},
    problem::{Problem, codes},
    reply::Reply,
    request::Request,
};

use crate::{
    args::Global,
    error::{code, exit, system},
    render::{Output, table::clean},
};

/// How long an answer may take when `--timeout` says nothing. Waiting for a print or for a person has no such end.
const ANSWER: Duration = Duration::from_secs(30);
/// Where the socket lies in a home.
const SOCKET: &str = "run/api.sock";

/// What every command needs.
pub(crate) struct Context {
    /// State directory of the daemon that is meant.
    pub(crate) home: PathBuf,
    /// Whether `home` is not where it is by default, so that commands to type have to name it.
    home_named: bool,
    /// The way to the daemon.
    pub(crate) client: Client,
    /// Where answers go.
    pub(crate) output: Arc<Output>,
    timeout: Option<Duration>,
    yes: bool,
    no_input: bool,
}

impl Context {
    /// Finds the home and the way to its daemon; opens nothing.
    ///
    /// # Errors
    /// When there is no home to be found.
    pub(crate) fn new(global: &Global, output: Arc<Output>) -> Result<Self, Problem> {
        let named = global.home.clone();
        // Who has it in the environment will have it there for the next command too.
        let in_environment = std::env::var_os("PRINTMESH_HOME").map(PathBuf::from);
        let home_named = named.is_some() && named != in_environment;
        let Some(home) = named.or_else(default_home) else {
            let title = "there is no place for this host's state";
            let problem = Problem::new(code::NO_HOME, exit::USAGE, title)
                .because("neither XDG_STATE_HOME nor HOME is set")
                .fix("printmesh --home DIR …", "name a directory");
            return Err(problem);
        };
        let home = match std::path::absolute(&home) {
            Ok(home) => home,
            Err(error) => return Err(system("find the home directory", &error)),
        };
        Ok(Self {
            client: Client::new(home.join(SOCKET)),
            home,
            home_named,
            output,
            timeout: global.timeout,
            yes: global.yes,
            no_input: global.no_input,
        })
    }

    /// The same command for the daemon of another home.
    pub(crate) fn at(&self, home: PathBuf) -> Self {
        Self {
            client: Client::new(home.join(SOCKET)),
            home,
            home_named: true,
            output: Arc::clone(&self.output),
            timeout: self.timeout,
            yes: self.yes,
            no_input: self.no_input,
        }
    }

    /// What `--timeout` says.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// A command line that means the same daemon as this one.
    pub(crate) fn command(&self, words: &str) -> String {
        match self.home_named {
            true => format!("printmesh --home {} {words}", self.home.display()),
            false => format!("printmesh {words}"),
        }
    }

    /// Asks the daemon for one thing.
    ///
    /// # Errors
    /// The daemon's own problem, `daemon.down`, or `timed.out`.
    pub(crate) async fn call(&self, request: Request) -> Result<Reply, Problem> {
        let asked = self.client.call(&request);
        let limit = self.timeout.unwrap_or(ANSWER);
        let answer = within(Some(limit), "the daemon did not answer", asked).await?;
        answer.map_err(|error| self.explain(error))
    }

    /// Subscribes to what happens from now on.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn events(&self) -> Result<Events, Problem> {
        let events = self.client.events();
        let limit = self.timeout.unwrap_or(ANSWER);
        let events = within(Some(limit), "the daemon did not answer", events).await?;
        events.map_err(|error| self.explain(error))
    }

    /// Runs something that has no end of its own, until `--timeout` or else `limit`, if there is one.
    ///
    /// # Errors
    /// `timed.out` with `title`.
    pub(crate) async fn patiently<T>(
        &self,
        title: &str,
        limit: Option<Duration>,
        future: impl Future<Output = T>,
    ) -> Result<T, Problem> {
        within(self.timeout.or(limit), title, future).await
    }

    /// A client error in the words of this command: how to start this very daemon.
    pub(crate) fn explain(&self, error: ClientError) -> Problem {
        let mut problem = Problem::from(error);
        if problem.code == codes::DAEMON_DOWN {
            problem.fixes.clear();
            return match self.home.exists() {
                true => problem.fix(self.command("up"), "start it now"),
                false => problem.fix(self.command("init"), "set this host up and start it"),
            };
        }
        problem
    }

    /// Lets a person type a name to confirm what cannot be taken back; `--yes` is not enough for that.
    ///
    /// # Errors
    /// When nobody can be asked, naming the flag.
    pub(crate) fn type_name(&self, question: &str, flag: &str) -> Result<String, Problem> {
        if self.no_input || !std::io::stdin().is_terminal() {
            let title = "this needs an answer and nobody can be asked";
            return Err(Problem::new(code::NOT_CONFIRMED, exit::USAGE, title)
                .because(question)
                .fix(flag, "confirms it"));
        }
        self.output.tell(&format!("{} ", clean(question)));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.map_err(|error| system("read the answer", &error))?;
        Ok(answer.trim().to_owned())
    }

    /// Asks a person; `--yes` answers. Nothing is done without an answer.
    ///
    /// # Errors
    /// When nobody can be asked, naming the flag, or when the answer is no.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Problem> {
        if self.yes {
            return Ok(());
        }
        let refused = |title: &str| Problem::new(code::NOT_CONFIRMED, exit::USAGE, title);
        if self.no_input || !std::io::stdin().is_terminal() {
            return Err(refused("this needs an answer and nobody can be asked")
                .because(question)
                .fix("--yes", "answers yes"));
        }
        self.output.tell(&format!("{} [y/N] ", clean(question)));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.map_err(|error| system("read the answer", &error))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(refused("nothing was done")),
        }
    }
}

async fn within<T>(
    limit: Option<Duration>,
    title: &str,
    future: impl Future<Output = T>,
) -> Result<T, Problem> {
    let limit = match limit {
        None | Some(Duration::ZERO) => return Ok(future.await),
        Some(limit) => limit,
    };
    tokio::time::timeout(limit, future).await.map_err(|_| {
        Problem::new(code::TIMED_OUT, exit::TIMED_OUT, title)
            .because(format!("{} s are over", limit.as_secs_f32()))
            .fix("--timeout 0", "waits without end")
    })
}

fn default_home() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = set("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&set("HOME")?).join(".local/state")))?;
    Some(state.join("printmesh"))
}
