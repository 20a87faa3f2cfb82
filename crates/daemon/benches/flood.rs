//! What a member that floods does to the others: `cargo bench -p printmesh-daemon --bench flood`.
//!
//! Three real hosts, each in a process of its own, share a queue and print; a fourth member sends each of them for a minute
//! a hundred times what a member may: changes of its own, frames that are none, and questions for everything. Measured are the
//! time from the answer to `submit` to the print's begin before, meanwhile and after, and the memory of the three.
//! Figures are for comparing with each other, in one run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use printmesh_api::{
    client::Client,
    reply::Reply,
    request::{NewJob, NewSet, Request},
};
use printmesh_daemon::{InitOptions, RunOptions};
use printmesh_net::{Bind, Config, Event, PeerKey};
use printmesh_node::Message;
use printmesh_queue::{
    Author, EditError, EpochHash, EpochId, QueueDocument, QueueId, Signer, Timestamp,
    VersionVector, fuzzing::Device,
};
use printmesh_store::{Database, Home};
use tokio::time::{interval, sleep};

const HOSTS: usize = 3;
const JOBS: usize = 60;
const FLOOD: Duration = Duration::from_secs(60);
/// A tick is 10 ms: a hundred times 50 changes, 1,000 frames and a thousand questions a second.
const TICK: Duration = Duration::from_millis(10);
const CHANGES: usize = 50;
const FRAMES: usize = 1_000;
const QUESTIONS: usize = 10;
/// Changes that it has written beforehand: more than are taken in meanwhile.
const WRITTEN: usize = 6_000;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A running daemon, in a process of its own.
struct Host {
    name: String,
    home: PathBuf,
    process: Child,
    client: Client,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Host {
    async fn start(folder: &Path, name: &str) -> Result<Self> {
        let home = folder.join(name);
        let options = InitOptions {
            home: home.clone(),
            name: Some(name.to_owned()),
            sim: false,
            bind: Some("127.0.0.1:0".to_owned()),
        };
        tokio::task::spawn_blocking(move || printmesh_daemon::init(&options)).await??;
        let process = Command::new(env::current_exe()?)
            .env("PRINTMESH_BENCH_HOME", &home)
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join(format!("{name}.log")))?)
            .spawn()?;
        let client = Client::new(home.join("run/api.sock"));
        while client.call(&Request::DaemonStatus).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
        let name = name.to_owned();
        Ok(Self {
            name,
            home,
            process,
            client,
        })
    }

    /// KiB, by the name in `/proc/PID/status`.
    fn memory(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.ok_or("no such line")?.parse()?)
    }

    async fn whereabouts(&self) -> Result<(PeerKey, Vec<SocketAddr>)> {
        let Reply::Daemon(status) = self.client.call(&Request::DaemonStatus).await? else {
            return Err("no status".into());
        };
        let key = Home::at(&self.home).load_device_key()?.ok_or("no key")?;
        let key: [u8; 32] = key.as_slice().try_into()?;
        let addresses = status.addresses.iter().map(|address| address.parse());
        Ok((
            PeerKey::of_secret(&key),
            addresses.collect::<std::result::Result<_, _>>()?,
        ))
    }
}

async fn join(founder: &Host, joiner: &Host) -> Result<()> {
    let share = Request::QueueShare {
        queue: "farm".to_owned(),
        role: "operator".to_owned(),
        expires_s: Some(600),
        uses: 1,
        with_key: false,
        open_s: None,
        wan: false,
    };
    let Reply::Share(share) = founder.client.call(&share).await? else {
        return Err("no ticket".into());
    };
    let (ticket, as_name) = (share.ticket, None);
    joiner
        .client
        .call(&Request::QueueJoin {
            ticket,
            as_name,
            wan: false,
        })
        .await?;
    Ok(())
}

/// When a job was submitted, and how long it took until its print began.
#[derive(Clone, Copy)]
struct Start {
    at: Duration,
    took: Duration,
}

/// From the answer to `submit` to the begin of the print, one job after another, until it is told to end.
async fn starts(
    host: &Host,
    file: &Path,
    round: &str,
    more: impl Fn(usize) -> bool,
) -> Result<Vec<Start>> {
    let began = Instant::now();
    let client = &host.client;
    let uploaded = client.upload(file, "clip.gcode", |_| {}).await?;
    let mut events = client.events().await?;
    let mut times = Vec::new();
    while more(times.len()) {
        let new = NewJob {
            queue: Some("farm".to_owned()),
            name: Some(format!("{round}-{}", times.len())),
            sets: vec![NewSet {
                hash: uploaded.hash.clone(),
                file_name: "clip.gcode".to_owned(),
                per_run: 1,
                alternatives: Vec::new(),
            }],
            copies: 1,
            together: false,
            draft: false,
            printers: Vec::new(),
            terms: printmesh_api::request::Terms::default(),
            slice: None,
        };
        let from = Instant::now();
        let Reply::Job(job) = client.call(&Request::JobSubmit(new)).await? else {
            return Err("no job".into());
        };
        loop {
            let event = events.next().await?.ok_or("the daemon stopped")?;
            if event.job.as_deref() != Some(&*job.id) || event.kind != "copy.state" {
                continue;
            }
            match event.state.as_deref() {
                Some("printing") => times.push(Start {
                    at: from - began,
                    took: from.elapsed(),
                }),
                Some("finished") => break,
                Some(_) | None => {}
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(times)
}

/// The member that floods: with the key and the state of a host that was stopped.
struct Flood {
    device: Device,
    queue: QueueId,
    changes: Vec<Vec<u8>>,
}

impl Flood {
    fn of(home: &Path, queue: QueueId) -> Result<Self> {
        let home = Home::at(home);
        let key = home.load_device_key()?.ok_or("no key")?;
        let device = Device(SigningKey::from_bytes(key.as_slice().try_into()?));
        let log = Database::open(&home.state())?.log(queue.0)?;
        let author = Author {
            host: device.host(),
            boot: 1 << 40,
        };
        let mut document = QueueDocument::load(queue, author, log)?;
        let write = |n| {
            let (_, change) = document.edit(Timestamp(n), &device, |edit| {
                edit.set_my_name(&format!("flood {n}"));
                Ok::<(), EditError>(())
            })?;
            Ok(change.ok_or("nothing changed")?.to_bytes())
        };
        let changes: Result<Vec<_>> = (0..WRITTEN as u64).map(write).collect();
        let changes = changes?;
        Ok(Self {
            device,
            queue,
            changes,
        })
    }

    /// Returns how many links it has had.
    async fn run(
        self,
        folder: PathBuf,
        hosts: BTreeMap<PeerKey, Vec<SocketAddr>>,
        ends: Arc<AtomicBool>,
    ) -> Result<usize> {
        let (sender, mut events) = tokio::sync::mpsc::channel(1024);
        let config = Config {
            bind: Bind::Address("127.0.0.1:0".parse()?),
            discovery: false,
            software: "flood".to_owned(),
            ..Config::new(self.device.0.to_bytes(), folder.join("flood"))
        };
        let net = printmesh_net::start(config, sender).await?;
        let links = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&links);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if matches!(event, Event::Connected { .. }) {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        net.set_peers(hosts.clone());
        let question = Message::Have {
            queue: self.queue,
            epoch: EpochId::default(),
            vector: VersionVector::default(),
        };
        let question = question.encode();
        let mut ticks = interval(TICK);
        let mut lots = self.changes.chunks(CHANGES).cycle();
        let until = Instant::now() + FLOOD;
        while Instant::now() < until {
            ticks.tick().await;
            let changes = lots.next().ok_or("no changes")?.to_vec();
            let message = Message::Changes {
                queue: self.queue,
                epoch: EpochHash::default(),
                changes,
                also: Vec::new(),
            };
            let message = message.encode();
            for host in hosts.keys() {
                net.send(*host, message.clone());
                for _ in 0..QUESTIONS {
                    net.send(*host, question.clone());
                }
                for _ in 0..FRAMES {
                    net.send(*host, vec![0xff; 16]);
                }
            }
        }
        ends.store(true, Ordering::Relaxed);
        net.shutdown().await;
        Ok(links.load(Ordering::Relaxed))
    }
}

fn at(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}

#[tokio::main]
async fn main() -> Result<()> {
    if let Some(home) = env::var_os("PRINTMESH_BENCH_HOME") {
        let options = RunOptions {
            home: home.into(),
            verbose: 0,
            ready: None,
        };
        return Ok(printmesh_daemon::run(options).await?);
    }
    // A short path: the socket's must fit into 107 bytes.
    let folder = tempfile::Builder::new().prefix("pm").tempdir()?;
    let file = folder.path().join("clip.gcode");
    fs::write(&file, "G1 X10 Y10 F3000\nG4 S1\nG1 X0 F3000\n")?;
    let mut hosts = Vec::new();
    for n in 0..=HOSTS {
        hosts.push(Host::start(folder.path(), &format!("h{n}")).await?);
    }
    let first = &hosts[0].client;
    let add = Request::PrinterAdd {
        name: "sim".to_owned(),
        at: "sim://?speed=100000".to_owned(),
        profile: None,
    };
    first.call(&add).await?;
    let name = "farm".to_owned();
    first.call(&Request::QueueCreate { name }).await?;
    for joiner in &hosts[1..] {
        join(&hosts[0], joiner).await?;
    }
    let voters = hosts[..HOSTS]
        .iter()
        .map(|host| host.name.clone())
        .collect();
    let (queue, hosts_named) = ("farm".to_owned(), voters);
    let set = Request::QueueVotersSet {
        queue,
        hosts: hosts_named,
    };
    first.call(&set).await?;
    let show = Request::QueueShow {
        queue: "farm".to_owned(),
    };
    let Reply::Queue(shown) = first.call(&show).await? else {
        return Err("no queue".into());
    };
    let queue: QueueId = shown.id.parse().map_err(|_| "no id")?;
    let hostile = hosts.pop().ok_or("no member")?;
    hostile
        .client
        .call(&Request::DaemonStop { end_prints: true })
        .await?;
    let home = hostile.home.clone();
    // It gives back its files as it ends.
    while Database::open(&Home::at(&home).state()).is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    let flood = tokio::task::spawn_blocking(move || Flood::of(&home, queue)).await??;
    let mut targets = BTreeMap::new();
    for host in &hosts {
        let (key, addresses) = host.whereabouts().await?;
        targets.insert(key, addresses);
    }
    let before = starts(&hosts[0], &file, "before", |n| n < JOBS).await?;
    let memory = |name: &str| {
        hosts
            .iter()
            .map(|host| host.memory(name))
            .collect::<Result<Vec<_>>>()
    };
    let (rss_before, peak_before) = (memory("VmRSS:")?, memory("VmHWM:")?);
    let ends = Arc::new(AtomicBool::new(false));
    let flooding = tokio::spawn(flood.run(folder.path().to_owned(), targets, Arc::clone(&ends)));
    let meanwhile = starts(&hosts[0], &file, "meanwhile", |_| {
        !ends.load(Ordering::Relaxed)
    })
    .await?;
    let links = flooding.await??;
    let (rss, peak) = (memory("VmRSS:")?, memory("VmHWM:")?);
    let after = starts(&hosts[0], &file, "after", |n| n < JOBS).await?;
    let mut slowest = meanwhile.clone();
    slowest.sort_by_key(|start| std::cmp::Reverse(start.took));
    let sorted = |starts: &[Start]| {
        let mut times: Vec<Duration> = starts.iter().map(|start| start.took).collect();
        times.sort();
        times
    };
    let (before, meanwhile, after) = (sorted(&before), sorted(&meanwhile), sorted(&after));
    for (what, times) in [
        ("before", &before),
        ("meanwhile", &meanwhile),
        ("after", &after),
    ] {
        let ratio = |percent| at(times, percent).as_secs_f64() / at(&before, percent).as_secs_f64();
        println!(
            "submit to start, {what:<10} {:>4} jobs   median {:>8.2?} ({:.2} ×)   90 % {:>8.2?} ({:.2} ×)   99 % {:>8.2?} ({:.2} ×)",
            times.len(),
            at(times, 50),
            ratio(50),
            at(times, 90),
            ratio(90),
            at(times, 99),
            ratio(99),
        );
    }
    let slowest = slowest.iter().take(12).map(|start| {
        let (at, took) = (start.at.as_secs_f64(), start.took.as_millis());
        format!("{took} ms after {at:.1} s")
    });
    println!(
        "the slowest meanwhile: {}",
        slowest.collect::<Vec<_>>().join(", ")
    );
    println!(
        "memory of the hosts, KiB: {rss_before:?} before, {rss:?} after; peak {peak_before:?} before, {peak:?} after"
    );
    println!("the flooding member had {links} links in {FLOOD:?}");
    let logged = hosts.iter().map(|host| {
        let log = fs::read_to_string(folder.path().join(format!("{}.log", host.name)))?;
        let named = log.lines().filter(|line| line.contains("too-fast")).count();
        Ok((log.len(), named))
    });
    println!(
        "bytes of their logs, and how often it is named: {:?}",
        logged.collect::<Result<Vec<_>>>()?
    );
    for host in &hosts {
        host.client
            .call(&Request::DaemonStop { end_prints: true })
            .await?;
    }
    Ok(())
}
