//! A fake daemon with prepared answers on a real socket, and a command line that talks to it.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use clap::Parser;
use jiff::tz::TimeZone;
use printmesh_api::{
    client::Client,
    problem::Problem,
    reply::{Done, Event, Reply, Uploaded},
    request::Request,
    server::{CancellationToken, serve},
    service::{Service, Upload},
};
use tempfile::TempDir;
use tokio::{sync::broadcast, task::JoinHandle};

use crate::{
    args::Cli,
    commands,
    context::Context,
    render::{Output, Style, json::Fields, table::Medium, time::Clock},
};

/// The fake daemon and the home that it serves.
pub(super) struct Stage {
    pub(super) home: TempDir,
    pub(super) fake: Arc<Fake>,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

/// What a command left behind.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) exit: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl Stage {
    pub(super) async fn open() -> Self {
        let home = tempfile::tempdir().unwrap();
        let fake = Arc::new(Fake::default());
        let shutdown = CancellationToken::new();
        let socket = home.path().join("run/api.sock");
        let served = tokio::spawn({
            let (fake, shutdown, socket) = (Arc::clone(&fake), shutdown.clone(), socket.clone());
            async move { serve(&socket, fake, shutdown).await.unwrap() }
        });
        while Client::new(&socket).call(&Request::Status).await.is_err() {
            assert!(!served.is_finished(), "the door did not open");
            tokio::task::yield_now().await;
        }
        fake.calls.lock().unwrap().clear();
        Self {
            home,
            fake,
            shutdown,
            served,
        }
    }

    /// Runs a command whose output goes into a pipe.
    pub(super) async fn run(&self, words: &[&str]) -> Ran {
        run_in(self.home.path().to_owned(), words, None).await
    }

    /// Runs a command on a terminal of 100 columns without colour.
    pub(super) async fn on_terminal(&self, words: &[&str]) -> Ran {
        run_in(self.home.path().to_owned(), words, Some(100)).await
    }

    /// Stops the fake daemon: event streams end.
    pub(super) fn stop(&self) {
        self.shutdown.cancel();
    }

    pub(super) async fn close(self) {
        self.stop();
        self.served.await.unwrap();
    }
}

/// Runs a command for a home, as `main` does.
pub(super) async fn run_in(home: PathBuf, words: &[&str], width: Option<usize>) -> Ran {
    let home = home.to_str().unwrap().to_owned();
    let words = ["printmesh", "--home", &home]
        .into_iter()
        .chain(words.iter().copied());
    let cli = Cli::try_parse_from(words).unwrap();
    let medium = Medium {
        width,
        colour: false,
    };
    let style = Style {
        json: cli.global.json.as_deref().map(Fields::parse),
        quiet: cli.global.quiet,
        out: medium,
        // Bars would draw on the terminal that the tests run in.
        err: Medium {
            width: None,
            ..medium
        },
        clock: Some(Clock {
            now: "2026-11-20T12:30:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
        }),
    };
    let (out, err) = (Buffer::default(), Buffer::default());
    let output = Output::new(style, Box::new(out.clone()), Box::new(err.clone()));
    let cx = Context::new(&cli.global, Arc::new(output)).unwrap();
    let result = commands::run(&cx, cli.command).await;
    let exit = result.unwrap_or_else(|problem| {
        cx.output.problem(&problem);
        problem.exit
    });
    Ran {
        exit,
        out: out.text(),
        err: err.text(),
    }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

type Answer = Result<Reply, Problem>;

/// Answers what it was told to, in order; the last answer to a kind of request stays.
pub(super) struct Fake {
    pub(super) calls: Mutex<Vec<Request>>,
    pub(super) uploads: Mutex<Vec<String>>,
    pub(super) events: broadcast::Sender<Event>,
    answers: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    /// Events that are sent right after the n-th answer to a kind of request.
    after: Mutex<BTreeMap<String, VecDeque<Vec<Event>>>>,
    /// Whether somebody listened to events whenever a request of this kind came.
    listened: Mutex<BTreeMap<String, bool>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            uploads: Mutex::default(),
            events: broadcast::channel(64).0,
            answers: Mutex::default(),
            after: Mutex::default(),
            listened: Mutex::default(),
        }
    }
}

impl Fake {
    /// The next request of this kind gets this.
    pub(super) fn on(&self, op: &str, answer: Answer) {
        let mut answers = self.answers.lock().unwrap();
        answers.entry(op.to_owned()).or_default().push_back(answer);
    }

    /// After the next answer to this kind of request, these events happen.
    pub(super) fn then(&self, op: &str, events: Vec<Event>) {
        let mut after = self.after.lock().unwrap();
        after.entry(op.to_owned()).or_default().push_back(events);
    }

    /// The kinds of requests that came, in order.
    pub(super) fn ops(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(op).collect()
    }

    /// Whether events were subscribed to before the first request of this kind.
    pub(super) fn was_listening_at(&self, op: &str) -> bool {
        self.listened.lock().unwrap()[op]
    }
}

fn op(request: &Request) -> String {
    let value = serde_json::to_value(request).unwrap();
    value["op"].as_str().unwrap().to_owned()
}

impl Service for Fake {
    async fn call(&self, request: Request) -> Answer {
        let op = op(&request);
        self.calls.lock().unwrap().push(request);
        let listening = self.events.receiver_count() > 0;
        self.listened
            .lock()
            .unwrap()
            .entry(op.clone())
            .or_insert(listening);
        let answer = match self.answers.lock().unwrap().get_mut(&op) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None => None,
        };
        let events = self
            .after
            .lock()
            .unwrap()
            .get_mut(&op)
            .and_then(VecDeque::pop_front);
        for event in events.into_iter().flatten() {
            // Nobody has to listen.
            self.events.send(event).ok();
        }
        answer.unwrap_or_else(|| {
            Ok(Reply::Done(Done {
                already: false,
                text: format!("{op} done"),
            }))
        })
    }

    async fn upload(&self, file_name: String, _body: Upload) -> Result<Uploaded, Problem> {
        let mut uploads = self.uploads.lock().unwrap();
        uploads.push(file_name);
        Ok(Uploaded {
            hash: format!("{:064x}", uploads.len()),
            bytes: 4,
            estimate_s: None,
            slicer: None,
            plates: Vec::new(),
        })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
