//! A service that records what reaches it, behind a real socket; and one sample of every request.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::StreamExt;
use printmesh_api::{
    client::Client,
    problem::Problem,
    reply::{Done, Event, Reply, Uploaded},
    request::{
        MatchAsk, NewJob, NewSet, Place, PrinterChange, Request, Resolve, SlotChange, Terms,
    },
    server::serve,
    service::{Service, Upload},
};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// A served fake.
pub(crate) struct Door {
    pub(crate) client: Client,
    pub(crate) service: Arc<Fake>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) directory: TempDir,
    served: JoinHandle<()>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap()).await
    }

    pub(crate) async fn open_in(directory: TempDir) -> Self {
        let socket: PathBuf = directory.path().join("run/api.sock");
        let service = Arc::new(Fake::default());
        let shutdown = CancellationToken::new();
        let served = tokio::spawn({
            let (socket, service, shutdown) =
                (socket.clone(), Arc::clone(&service), shutdown.clone());
            async move { serve(&socket, service, shutdown).await.unwrap() }
        });
        let client = Client::new(socket);
        while client.call(&Request::Status).await.is_err() {
            assert!(!served.is_finished(), "the door did not open");
            tokio::task::yield_now().await;
        }
        service.calls.lock().unwrap().clear();
        // The knock above left its permit behind.
        service.called.notified().await;
        Self {
            client,
            service,
            shutdown,
            directory,
            served,
        }
    }

    pub(crate) async fn close(self) {
        self.shutdown.cancel();
        self.served.await.unwrap();
    }
}

/// Records what reaches it.
pub(crate) struct Fake {
    pub(crate) calls: Mutex<Vec<Request>>,
    pub(crate) uploads: Mutex<Vec<Received>>,
    pub(crate) events: broadcast::Sender<Event>,
    /// An upload has ended.
    pub(crate) uploaded: Notify,
    /// A request has come in.
    pub(crate) called: Notify,
    /// Whether requests wait for `go`.
    pub(crate) hold: AtomicBool,
    pub(crate) go: Notify,
    answer: Mutex<Option<Result<Reply, Problem>>>,
}

/// An upload as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) chunks: usize,
    pub(crate) content: Result<Vec<u8>, String>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            calls: Mutex::default(),
            uploads: Mutex::default(),
            events: broadcast::channel(16).0,
            uploaded: Notify::new(),
            called: Notify::new(),
            hold: AtomicBool::new(false),
            go: Notify::new(),
            answer: Mutex::default(),
        }
    }
}

impl Fake {
    /// The next request or upload gets this.
    pub(crate) fn answer(&self, answer: Result<Reply, Problem>) {
        *self.answer.lock().unwrap() = Some(answer);
    }
}

impl Service for Fake {
    async fn call(&self, request: Request) -> Result<Reply, Problem> {
        self.calls.lock().unwrap().push(request);
        self.called.notify_one();
        if self.hold.load(Ordering::SeqCst) {
            self.go.notified().await;
        }
        self.answer.lock().unwrap().take().unwrap_or_else(|| {
            Ok(Reply::Done(Done {
                already: false,
                text: "ok".to_owned(),
            }))
        })
    }

    async fn upload(&self, name: String, mut body: Upload) -> Result<Uploaded, Problem> {
        if let Some(Err(problem)) = self.answer.lock().unwrap().take() {
            return Err(problem);
        }
        let mut chunks = 0;
        let mut content = Ok(Vec::new());
        while let Some(chunk) = body.next().await {
            chunks += 1;
            match (chunk, &mut content) {
                (Ok(bytes), Ok(so_far)) => so_far.extend_from_slice(&bytes),
                (Err(error), _) => {
                    content = Err(error.to_string());
                    break;
                }
                (Ok(_), Err(_)) => unreachable!("left at the first error"),
            }
        }
        let bytes = content.as_ref().map_or(0, Vec::len) as u64;
        self.uploads.lock().unwrap().push(Received {
            name,
            chunks,
            content,
        });
        self.uploaded.notify_one();
        Ok(Uploaded {
            hash: "ab".repeat(32),
            bytes,
            estimate_s: None,
            slicer: None,
            plates: Vec::new(),
        })
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

pub(crate) fn event(seq: u64) -> Event {
    Event {
        seq,
        time: "2026-11-20T12:00:01Z".to_owned(),
        kind: "job.state".to_owned(),
        text: Some("a line\nof two".to_owned()),
        ..Event::default()
    }
}

/// One sample of every request, with names that HTTP could trip over.
pub(crate) fn requests() -> Vec<Request> {
    let queue = || "farm / 2 + ä".to_owned();
    let job = || "farm#3".to_owned();
    let printer = || "rack2/mk4-1".to_owned();
    let member = || "garage?".to_owned();
    let samples = vec![
        Request::Status,
        Request::QueueList,
        Request::QueueCreate { name: queue() },
        Request::LanQueue,
        Request::QueueShow { queue: queue() },
        Request::QueueShare {
            queue: queue(),
            role: "printer".to_owned(),
            expires_s: Some(86_400),
            uses: 1,
            with_key: false,
            open_s: None,
            wan: false,
        },
        Request::QueueJoin {
            ticket: Some("pmq1abc".to_owned()),
            as_name: None,
            wan: false,
        },
        Request::QueueJoin {
            ticket: None,
            as_name: Some("farm-2".to_owned()),
            wan: false,
        },
        Request::QueueLeave { queue: queue() },
        Request::QueueRename {
            queue: queue(),
            name: "rack1".to_owned(),
        },
        Request::QueuePeers { queue: queue() },
        Request::QueueVoters { queue: queue() },
        Request::QueueVotersSet {
            queue: queue(),
            hosts: vec![member()],
        },
        Request::QueueRecover {
            queue: queue(),
            confirm: queue(),
        },
        Request::QueueFreeHeat {
            queue: queue(),
            printer: printer(),
        },
        Request::QueueSet {
            queue: queue(),
            settings: [("claims".to_owned(), "majority".to_owned())].into(),
            dry_run: true,
        },
        Request::QueueOrder {
            queues: vec!["local".to_owned(), queue()],
        },
        Request::MemberApprove {
            queue: queue(),
            member: member(),
        },
        Request::MemberDeny {
            queue: queue(),
            member: member(),
        },
        Request::JobSubmit(NewJob {
            queue: None,
            name: Some("two parts".to_owned()),
            sets: vec![NewSet {
                hash: "ab".repeat(32),
                file_name: "a.gcode".to_owned(),
                per_run: 2,
                alternatives: Vec::new(),
            }],
            copies: 3,
            together: true,
            draft: false,
            printers: vec![printer()],
            terms: Terms {
                group: Some("stock".to_owned()),
                due_ms: Some(5),
                ..Terms::default()
            },
            slice: Some("draft".to_owned()),
        }),
        Request::Simulate {
            queue: Some(queue()),
            turnaround_s: Some(600),
            until_ms: Some(5),
        },
        Request::JobList {
            queue: None,
            all: true,
        },
        Request::JobList {
            queue: Some(queue()),
            all: false,
        },
        Request::JobShow {
            job: "@".to_owned(),
        },
        Request::JobEdit {
            job: job(),
            name: None,
            copies: Some(5),
            printers: Some(Vec::new()),
            together: Some(false),
            terms: Terms::default(),
        },
        Request::JobMove {
            job: job(),
            to: None,
            place: Place::Top,
        },
        Request::JobMove {
            job: job(),
            to: Some("local".to_owned()),
            place: Place::After("kmz".to_owned()),
        },
        Request::JobCancel {
            job: job(),
            stop: true,
        },
        Request::JobStart {
            job: job(),
            printer: "b/mk4".into(),
        },
        Request::JobHold { job: job() },
        Request::JobRelease { job: job() },
        Request::JobResolve {
            copy: "kmz#2".to_owned(),
            resolve: Resolve::Failed,
        },
        Request::PrinterAdd {
            name: "mk4".to_owned(),
            at: "serial:/dev/ttyACM0?baud=115200".to_owned(),
            profile: Some("MK4S".to_owned()),
        },
        Request::PrinterList,
        Request::PrinterShow { printer: printer() },
        Request::PrinterReady {
            printers: Vec::new(),
            good: Some(false),
        },
        Request::PrinterPause {
            printer: printer(),
            reason: Some("nozzle worn".to_owned()),
        },
        Request::PrinterResume { printer: printer() },
        Request::PrinterEdit {
            printer: printer(),
            change: PrinterChange {
                position: Some(2),
                slots: vec![SlotChange {
                    slot: 1,
                    material: Some("PETG".to_owned()),
                    ..SlotChange::default()
                }],
                ..PrinterChange::default()
            },
        },
        Request::TicketList { queue: queue() },
        Request::TicketRevoke {
            queue: queue(),
            ticket: "9f2c41aa".to_owned(),
        },
        Request::MemberList { queue: queue() },
        Request::MemberShow {
            queue: queue(),
            member: "garage".to_owned(),
        },
        Request::MemberRole {
            queue: queue(),
            member: "garage".to_owned(),
            role: "operator".to_owned(),
        },
        Request::MemberRelease {
            queue: queue(),
            member: "garage".to_owned(),
        },
        Request::MemberRemove {
            queue: queue(),
            member: "garage".to_owned(),
        },
        Request::QueueRotateKey {
            queue: queue(),
            remove: vec!["old-pi".to_owned()],
        },
        Request::PrinterWhy { printer: printer() },
        Request::PrinterRemove { printer: printer() },
        Request::Match {
            ask: MatchAsk {
                printers: vec![printer()],
                ..MatchAsk::default()
            },
            plan: Some("3fa90c1e".to_owned()),
        },
        Request::Todo {
            queue: Some(queue()),
            limit: 10,
        },
        Request::Autoprint {
            printers: vec!["mk4".to_owned()],
            on: true,
            cycles: Some(3),
        },
        Request::History {
            queue: Some(queue()),
            printer: None,
            limit: 50,
        },
        Request::DaemonStatus,
        Request::DaemonStop { end_prints: true },
    ];
    let error = serde_json::from_str::<Request>(r#"{"op":"?"}"#).unwrap_err();
    let error = error.to_string();
    for variant in error.split('`').skip(3).step_by(2) {
        let sampled = |sample| serde_json::to_value(sample).unwrap()["op"] == variant;
        assert!(samples.iter().any(sampled), "no sample of {variant}");
    }
    samples
}
