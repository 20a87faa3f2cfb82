//! Real daemons as separate processes, each with its own home, driven through the command line as a person would.
//!
//! Nothing here sleeps: a start waits for the daemon's own `ready`, everything else for events.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, mpsc},
    time::{Duration, Instant},
};

use printmesh_api::{client::Client, reply::Event};
use rustix::process::{Pid, Signal};
use serde_json::Value;

/// Fails a test that hangs; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) const PRINTMESH: &str = env!("CARGO_BIN_EXE_printmesh");

/// Returns a bundled file that a real slicer made.
pub(crate) fn sliced(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/files")
        .join(name);
    path.to_str().unwrap().to_owned()
}

/// A folder for the hosts of one test; removed when it ends.
pub(crate) struct Farm {
    folder: tempfile::TempDir,
}

impl Farm {
    pub(crate) fn new() -> Self {
        // A short path: the socket's must fit into 107 bytes.
        Self {
            folder: tempfile::Builder::new().prefix("pm").tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A host that has not been set up.
    pub(crate) fn bare_host(&self, name: &str) -> Host {
        let home = self.path().join(name);
        Host {
            name: name.to_owned(),
            home,
            namespace: None,
            daemon: None,
            logged: Arc::default(),
        }
    }

    /// Sets a host up without printers; it listens on loopback only and does not look for others.
    pub(crate) fn host(&self, name: &str) -> Host {
        let home = self.path().join(name);
        let host = Host {
            name: name.to_owned(),
            home,
            namespace: None,
            daemon: None,
            logged: Arc::default(),
        };
        host.ok(&["init", "--name", name, "--no-start"]);
        host.configure("[network]\nbind = \"127.0.0.1:0\"\ndiscovery = false\n");
        host
    }

    /// Sets a host up with a simulated printer `sim` of this address, and starts it.
    pub(crate) fn printing_host(&self, name: &str, at: &str) -> Host {
        let mut host = self.host(name);
        host.start();
        host.ok(&["printer", "add", "sim", "--at", at]);
        host
    }

    /// Two hosts `a` and `b`, each with a simulated printer, that share a queue `farm` made by `a`.
    pub(crate) fn two_hosts(&self, at: &str) -> (Host, Host) {
        let a = self.printing_host("a", at);
        let b = self.printing_host("b", at);
        a.ok(&["queue", "create", "farm"]);
        b.ok(&["join", &a.ticket("farm")]);
        (a, b)
    }
}

/// One host: its home and, while it runs, its daemon.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) home: PathBuf,
    /// Network namespace in which its daemon runs, when not that of the tests.
    pub(crate) namespace: Option<String>,
    daemon: Option<Child>,
    logged: Arc<Logged>,
}

/// Rung for each line that the daemon logs.
#[derive(Default)]
struct Logged {
    file: Mutex<()>,
    line: Condvar,
}

/// What a command printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Host {
    /// Replaces `config.toml`.
    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.home.join("config.toml"), text).unwrap();
    }

    /// A command of this host, not yet run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.prepare(Command::new(PRINTMESH), args)
    }

    /// The daemon's command, in the host's own network.
    fn daemon_command(&self, args: &[&str]) -> Command {
        match &self.namespace {
            None => self.command(args),
            Some(namespace) => {
                // It becomes the daemon: the process id stays.
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, PRINTMESH]);
                self.prepare(command, args)
            }
        }
    }

    fn prepare(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(args).arg("--home").arg(&self.home);
        // Nothing of the person who runs the tests may leak in.
        for name in [
            "PRINTMESH_HOME",
            "PRINTMESH_QUEUE",
            "PRINTMESH_LOG",
            "XDG_STATE_HOME",
        ] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1");
        command
    }

    /// Starts the daemon and waits until it says that it is ready.
    pub(crate) fn start(&mut self) {
        if let Err(log) = self.try_start() {
            panic!("{} did not start:\n{log}", self.name);
        }
    }

    /// Starts the daemon; when it ends instead of getting ready, returns what it said.
    pub(crate) fn try_start(&mut self) -> Result<(), String> {
        self.try_start_with(&[])
    }

    /// Starts the daemon with `-v`: its log tells whom it turned away.
    pub(crate) fn start_verbose(&mut self) {
        if let Err(log) = self.try_start_with(&["-v"]) {
            panic!("{} did not start:\n{log}", self.name);
        }
    }

    fn try_start_with(&mut self, more: &[&str]) -> Result<(), String> {
        assert!(self.daemon.is_none(), "{} runs", self.name);
        let mut child = self
            .daemon_command(&["daemon", "run", "--tied"])
            .args(more)
            // Tied: should the test process die, its daemons end with it.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let (ready, said) = mpsc::channel();
        let logged = Arc::clone(&self.logged);
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let Ok(line) = line else { break };
                {
                    let _file = logged.file.lock().unwrap();
                    writeln!(log, "{line}").unwrap();
                }
                logged.line.notify_all();
                if line.contains("printmesh_daemon: ready") {
                    ready.send(()).ok();
                }
            }
        });
        match said.recv_timeout(PATIENCE) {
            Ok(()) => {
                self.daemon = Some(child);
                Ok(())
            }
            Err(_) => {
                child.kill().ok();
                child.wait().ok();
                Err(self.log())
            }
        }
    }

    /// Beside the home, not in it: a test may fill the home's disk, or leave it no home at all.
    fn log_path(&self) -> PathBuf {
        self.home.with_extension("log")
    }

    /// Everything that this host's daemons have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Waits until this host's daemon has logged a line with all these words.
    pub(crate) fn until_logged(&self, words: &[&str]) {
        let until = Instant::now() + PATIENCE;
        let mut file = self.logged.file.lock().unwrap();
        let has_all = |line: &str| words.iter().all(|word| line.contains(word));
        while !self.log().lines().any(has_all) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{} did not log {words:?}:\n{}",
                self.name,
                self.log()
            );
            file = self.logged.line.wait_timeout(file, left).unwrap().0;
        }
    }

    /// Ends the daemon in order.
    pub(crate) fn stop(&mut self) {
        let mut child = self.daemon.take().expect("it runs");
        self.ok(&["daemon", "stop", "--end-prints"]);
        child.wait().unwrap();
    }

    /// Pulls the plug: SIGKILL, no goodbye.
    pub(crate) fn kill(&mut self) {
        let mut child = self.daemon.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends the daemon a signal; the host itself does not notice.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.daemon.as_ref().expect("it runs"));
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Process id of the running daemon.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("it runs").id()
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command to its end that reads this from stdin.
    pub(crate) fn run_with(&self, stdin: &str, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(stdin.as_bytes()).unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(
            ran.code,
            0,
            "{} {args:?}: {ran:#?}\n{}",
            self.name,
            self.log()
        );
        ran.stdout
    }

    /// Runs a command that must succeed, with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&args)).unwrap()
    }

    /// Runs a command that must fail with this code; returns the problem object.
    pub(crate) fn problem(&self, code: &str, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        let ran = self.run(&args);
        let problem: Value = serde_json::from_str(ran.stderr.trim())
            .unwrap_or_else(|_| panic!("{} {args:?}: {ran:#?}", self.name));
        assert_eq!(problem["code"], code, "{problem:#}");
        assert_eq!(problem["exit"], ran.code, "{problem:#}");
        problem
    }

    /// A ticket for a queue of this host.
    pub(crate) fn ticket(&self, queue: &str) -> String {
        self.json(&["queue", "share", queue])["ticket"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Submits files; returns the job's full id.
    pub(crate) fn submit(&self, args: &[&str]) -> String {
        let args: Vec<&str> = ["submit"].into_iter().chain(args.iter().copied()).collect();
        self.json(&args)["id"].as_str().unwrap().to_owned()
    }

    /// Waits until jobs are done.
    pub(crate) fn wait(&self, jobs: &[&str]) {
        let patience = format!("{}s", PATIENCE.as_secs());
        let args = ["job", "wait"].into_iter().chain(jobs.iter().copied());
        let args: Vec<&str> = args.chain(["--timeout", &patience]).collect();
        self.ok(&args);
    }

    /// Waits until a job is `claimed` or `printing`.
    pub(crate) fn wait_until(&self, state: &str, job: &str) {
        let patience = format!("{}s", PATIENCE.as_secs());
        self.ok(&["job", "wait", job, "--for", state, "--timeout", &patience]);
    }

    /// One job as this host sees it.
    pub(crate) fn job(&self, job: &str) -> Value {
        self.json(&["job", "show", job])
    }

    /// Ended prints as this host sees them, newest first.
    pub(crate) fn history(&self) -> Vec<Value> {
        self.json(&["history", "--limit", "0"])["items"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Listens from now on.
    pub(crate) fn events(&self) -> Events {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = Client::new(self.home.join("run/api.sock"));
        let stream = runtime.block_on(client.events()).unwrap();
        Events {
            runtime,
            stream,
            heard: Vec::new(),
        }
    }

    /// Waits until something that can be read is so: looks now, and again after each event.
    pub(crate) fn until<T>(&self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let mut events = self.events();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            events.next(what);
        }
    }

    /// Waits until a member of a queue is connected, or has another link.
    pub(crate) fn until_link(&self, queue: &str, host: &str, link: &str) {
        self.until(&format!("{host} to be {link}"), |me| {
            let peers = me.json(&["queue", "peers", queue]);
            let found = peers["items"]
                .as_array()?
                .iter()
                .any(|p| p["host"] == host && p["link"] == link);
            found.then_some(())
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            child.kill().ok();
            child.wait().ok();
            if std::thread::panicking() {
                eprintln!("-- log of {}:\n{}", self.name, self.log());
            }
        }
    }
}

/// What happens on a host, from the moment that this was made.
pub(crate) struct Events {
    runtime: tokio::runtime::Runtime,
    stream: printmesh_api::client::Events,
    heard: Vec<Event>,
}

impl Events {
    /// The next event.
    pub(crate) fn next(&mut self, waiting_for: &str) -> Event {
        let next = async { tokio::time::timeout(PATIENCE, self.stream.next()).await };
        match self.runtime.block_on(next) {
            Ok(Ok(Some(event))) => {
                self.heard.push(event.clone());
                event
            }
            Ok(ended) => panic!("the stream ended while waiting for {waiting_for}: {ended:?}"),
            Err(_) => panic!("waited in vain for {waiting_for}; heard {:#?}", self.heard),
        }
    }

    /// The next event that fits.
    pub(crate) fn wait_for(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next(what);
            if fits(&event) {
                return event;
            }
        }
    }
}
