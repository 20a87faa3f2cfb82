//! What ten thousand calls of strangers do to a host: `cargo bench -p printmesh-net`.
//!
//! A host in a process of its own has a link with a member, and strangers with twenty keys call it again and again, sixteen at a
//! time. Told are how many were shaken hands with and how many refused before that, what the host's memory peaked at
//! and what its processor time was, and how long a frame to the member and back takes, with and without them.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use iroh::{
    Endpoint, EndpointAddr, EndpointId, RelayMode, SecretKey, TransportAddr, endpoint::presets,
};
use printmesh_net::{Bind, Config, Event, Net, PeerKey};
use tokio::sync::mpsc;

const CALLS: usize = 10_000;
const AT_ONCE: usize = 16;
const KEYS: usize = 20;
const PINGS: usize = 2_000;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

async fn start(seed: u8, folder: &std::path::Path) -> Result<(Net, mpsc::Receiver<Event>)> {
    let (sender, events) = mpsc::channel(1024);
    let config = Config {
        bind: Bind::Address("127.0.0.1:0".parse()?),
        discovery: false,
        software: "bench".into(),
        ..Config::new([seed; 32], folder.join(format!("files-{seed}")))
    };
    Ok((printmesh_net::start(config, sender).await?, events))
}

/// The host: sends back whatever the member sends.
async fn host() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (net, mut events) = start(1, folder.path()).await?;
    net.accept_joins(true);
    net.set_peers(BTreeMap::from([(PeerKey::of_secret(&[2; 32]), Vec::new())]));
    println!("{}", net.addresses()[0]);
    while let Some(event) = events.recv().await {
        if let Event::Frame { peer, bytes } = event {
            net.send(peer, bytes);
        }
    }
    Ok(())
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// KiB, by the name in `/proc/PID/status`.
fn memory(process: &Process, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .and_then(|line| line.split_whitespace().nth(1))
        .ok_or("no such line")?
        .parse()?)
}

/// Seconds of processor time.
fn processor(process: &Process) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0.id()))?;
    let after = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(ticks as f64 / 100.0)
}

async fn ping(
    net: &Net,
    events: &mut mpsc::Receiver<Event>,
    host: PeerKey,
    count: usize,
) -> Result<[Duration; 2]> {
    let mut times = Vec::new();
    for n in 0..count {
        let from = Instant::now();
        net.send(host, n.to_be_bytes().to_vec());
        loop {
            match events.recv().await.ok_or("the network ended")? {
                Event::Frame { .. } => break,
                Event::Disconnected { reason, .. } => return Err(reason.into()),
                _ => {}
            }
        }
        times.push(from.elapsed());
        // Fewer than a member may send.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    times.sort();
    Ok([times[times.len() / 2], times[times.len() * 99 / 100]])
}

async fn stranger(n: usize) -> Result<Endpoint> {
    let mut key = [77; 32];
    key[0] = n as u8;
    Ok(Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&key))
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?
        .bind()
        .await?)
}

async fn flood(host: PeerKey, at: SocketAddr) -> Result<[usize; 2]> {
    let mut endpoints = Vec::new();
    for n in 0..KEYS {
        endpoints.push(stranger(n).await?);
    }
    let id = EndpointId::from_bytes(&host.0)?;
    let target = EndpointAddr::from_parts(id, [TransportAddr::Ip(at)]);
    let (next, shaken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let callers = (0..AT_ONCE).map(|_| {
        let (endpoints, target) = (endpoints.clone(), target.clone());
        let (next, shaken) = (Arc::clone(&next), Arc::clone(&shaken));
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= CALLS {
                    return;
                }
                let alpn: &[u8] = if n % 2 == 0 {
                    b"printmesh/sync"
                } else {
                    b"printmesh/join"
                };
                if let Ok(connection) = endpoints[n % KEYS].connect(target.clone(), alpn).await {
                    shaken.fetch_add(1, Ordering::Relaxed);
                    connection.close(0u32.into(), b"");
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await?;
    }
    let shaken = shaken.load(Ordering::Relaxed);
    Ok([shaken, CALLS - shaken])
}

#[tokio::main]
async fn main() -> Result<()> {
    if env::var_os("PRINTMESH_BENCH_HOST").is_some() {
        return host().await;
    }
    let child = Command::new(env::current_exe()?)
        .env("PRINTMESH_BENCH_HOST", "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let mut process = Process(child);
    let mut line = String::new();
    BufReader::new(process.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let at: SocketAddr = line.trim().parse()?;
    let folder = tempfile::tempdir()?;
    let host = PeerKey::of_secret(&[1; 32]);
    let (member, mut events) = start(2, folder.path()).await?;
    member.set_peers(BTreeMap::from([(host, vec![at])]));
    while !matches!(events.recv().await, Some(Event::Connected { .. })) {}
    let quiet = ping(&member, &mut events, host, PINGS).await?;
    let before = [memory(&process, "VmRSS")?, memory(&process, "VmHWM")?];
    let (used, since) = (processor(&process)?, Instant::now());
    let flood = tokio::spawn(flood(host, at));
    let mut loud = Vec::new();
    while !flood.is_finished() {
        loud.push(ping(&member, &mut events, host, 200).await?);
    }
    let [shaken, refused] = flood.await??;
    let (took, used) = (since.elapsed(), processor(&process)? - used);
    let after = [memory(&process, "VmRSS")?, memory(&process, "VmHWM")?];
    let after_quiet = ping(&member, &mut events, host, PINGS).await?;
    loud.sort();
    let [median, worst] = [
        loud[loud.len() / 2][0],
        loud.iter().map(|part| part[1]).max().unwrap_or_default(),
    ];
    println!(
        "{CALLS} calls of strangers in {took:.1?}: {shaken} shook hands, {refused} were refused before that"
    );
    println!(
        "processor time of the host: {used:.2} s, {:.2} ms a call",
        used * 1e3 / CALLS as f64
    );
    println!(
        "memory of the host, KiB: {} before, {} after, peak {} before, {} after",
        before[0], after[0], before[1], after[1]
    );
    println!(
        "a member's frame and back, median and 99 %: {quiet:.2?} before, {median:.2?} and {worst:.2?} meanwhile, {after_quiet:.2?} after"
    );
    Ok(())
}
