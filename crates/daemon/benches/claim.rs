//! What a start costs with one, three and five voters, on loopback and this machine's disk: `cargo bench -p printmesh-daemon`.
//!
//! Five real hosts in one process share a queue; jobs of one small file are given, one after another, to a host that prints
//! and votes. Measured is the time to the print's begin: from the answer to `submit`, with which the claim goes out (the voters'
//! promise, the files put in place, the voters' acceptance, the intent), and from before the submission. Beside it stand the two things that it is made of: a bare `fsync` of
//! 4 KiB and a bare round trip over loopback. Figures are for comparing with each other, in one run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    error::Error,
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use printmesh_api::{
    client::Client,
    reply::Reply,
    request::{NewJob, NewSet, Request},
};
use printmesh_daemon::{InitOptions, RunOptions};

const JOBS: usize = 40;
const ROUNDS: usize = 200;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn fsync(folder: &Path) -> Result<Duration, Box<dyn Error>> {
    let mut file = fs::File::create(folder.join("fsync"))?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let from = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(from.elapsed());
    }
    Ok(median(times))
}

fn round_trip() -> Result<Duration, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        while far.read_exact(&mut byte).is_ok() && far.write_all(&byte).is_ok() {}
    });
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let from = Instant::now();
        near.write_all(&[1])?;
        near.read_exact(&mut [0])?;
        times.push(from.elapsed());
    }
    drop(near);
    echo.join().map_err(|_| "the echo ended")?;
    Ok(median(times))
}

async fn host(home: &Path, name: &str, printers: bool) -> Result<Client, Box<dyn Error>> {
    let options = InitOptions {
        home: home.to_owned(),
        name: Some(name.to_owned()),
        sim: false,
        bind: Some("127.0.0.1:0".to_owned()),
    };
    tokio::task::spawn_blocking(move || printmesh_daemon::init(&options)).await??;
    let (ready, answers) = tokio::sync::oneshot::channel();
    let options = RunOptions {
        home: home.to_owned(),
        verbose: 0,
        ready: Some(ready),
    };
    let daemon = tokio::spawn(printmesh_daemon::run(options));
    if answers.await.is_err() {
        daemon.await??;
        return Err(format!("the daemon of {name} ended").into());
    }
    let client = Client::new(home.join("run/api.sock"));
    if printers {
        let add = Request::PrinterAdd {
            name: "sim".to_owned(),
            at: "sim://?speed=100000".to_owned(),
            profile: None,
        };
        client.call(&add).await?;
    }
    Ok(client)
}

async fn join(founder: &Client, joiner: &Client) -> Result<(), Box<dyn Error>> {
    let share = Request::QueueShare {
        queue: "farm".to_owned(),
        role: "operator".to_owned(),
        expires_s: Some(600),
        uses: 1,
        with_key: false,
        open_s: None,
        wan: false,
    };
    let Reply::Share(share) = founder.call(&share).await? else {
        return Err("no ticket".into());
    };
    let ticket = share.ticket;
    let as_name = None;
    joiner
        .call(&Request::QueueJoin {
            ticket,
            as_name,
            wan: false,
        })
        .await?;
    Ok(())
}

/// To the begin of the print, one job after another: from when it is submitted, and from the answer, with which its claim begins.
async fn starts(
    printing: &Client,
    file: &Path,
    round: &str,
) -> Result<(Duration, Duration), Box<dyn Error>> {
    let uploaded = printing.upload(file, "clip.gcode", |_| {}).await?;
    let mut events = printing.events().await?;
    let (mut times, mut claims) = (Vec::new(), Vec::new());
    for n in 0..JOBS {
        let new = NewJob {
            queue: Some("farm".to_owned()),
            name: Some(format!("{round}-{n}")),
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
        let Reply::Job(job) = printing.call(&Request::JobSubmit(new)).await? else {
            return Err("no job".into());
        };
        let answered = Instant::now();
        let mut began = None;
        loop {
            let event = events.next().await?.ok_or("the daemon stopped")?;
            if event.job.as_deref() != Some(&*job.id) || event.kind != "copy.state" {
                continue;
            }
            match event.state.as_deref() {
                Some("printing") => began = Some((from.elapsed(), answered.elapsed())),
                Some("finished") => break,
                Some(_) | None => {}
            }
        }
        if let Some((whole, claim)) = began {
            times.push(whole);
            claims.push(claim);
        }
    }
    Ok((median(times), median(claims)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A short path: the socket's must fit into 107 bytes.
    let folder = tempfile::Builder::new().prefix("pm").tempdir()?;
    let file = folder.path().join("clip.gcode");
    fs::write(&file, "G1 X10 Y10 F3000\nG4 S1\nG1 X0 F3000\n")?;
    let mut hosts = Vec::new();
    for n in 0..5 {
        let name = format!("h{n}");
        hosts.push(host(&folder.path().join(&name), &name, n == 0).await?);
    }
    let create = Request::QueueCreate {
        name: "farm".to_owned(),
    };
    hosts[0].call(&create).await?;
    for joiner in &hosts[1..] {
        join(&hosts[0], joiner).await?;
    }
    let (fsync, round_trip) = (fsync(folder.path())?, round_trip()?);
    println!("bare fsync of 4 KiB        {fsync:>10.2?}");
    println!("bare loopback round trip   {round_trip:>10.2?}");
    for voters in [1, 3, 5] {
        let set = Request::QueueVotersSet {
            queue: "farm".to_owned(),
            hosts: (0..voters).map(|n| format!("h{n}")).collect(),
        };
        hosts[0].call(&set).await?;
        let (whole, claim) = starts(&hosts[0], &file, &voters.to_string()).await?;
        let s = if voters == 1 { " " } else { "s" };
        for (what, time) in [("claim", claim), ("submit", whole)] {
            let ratio = time.as_secs_f64() / fsync.as_secs_f64();
            let trips = time.as_secs_f64() / round_trip.as_secs_f64();
            println!(
                "{what:>6} to start, {voters} voter{s} {time:>10.2?}   {ratio:.1} fsyncs, {trips:.0} round trips",
            );
        }
    }
    for client in hosts {
        client
            .call(&Request::DaemonStop { end_prints: true })
            .await?;
    }
    Ok(())
}
