//! Two hosts in one process, by the crates alone: set up, share a queue, print a file on the other host.
//!
//! `cargo run --example two_hosts` ends by itself within seconds and leaves nothing behind.

#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::{error::Error, path::Path};

use printmesh_api::{
    client::{Client, Events},
    problem::Problem,
    reply::{Job, Reply},
    request::{NewJob, NewSet, Request},
};
use printmesh_daemon::{InitOptions, RunOptions};
use tokio::task::JoinHandle;

type Daemon = JoinHandle<Result<(), Problem>>;

/// Sets a host up and runs its daemon in a task; returns when it answers.
async fn host(home: &Path, name: &str, sim: bool) -> Result<(Client, Daemon), Box<dyn Error>> {
    let options = InitOptions {
        home: home.to_owned(),
        name: Some(name.to_owned()),
        sim,
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
    Ok((client, daemon))
}

async fn job(client: &Client, id: &str) -> Result<Job, Box<dyn Error>> {
    match client
        .call(&Request::JobShow { job: id.to_owned() })
        .await?
    {
        Reply::Job(job) => Ok(job),
        other => Err(format!("unexpected answer {other:?}").into()),
    }
}

/// Listens until the job is over.
async fn finished(client: &Client, events: &mut Events, id: &str) -> Result<Job, Box<dyn Error>> {
    loop {
        let job = job(client, id).await?;
        if matches!(job.state.as_str(), "done" | "failed" | "cancelled") {
            return Ok(job);
        }
        events.next().await?.ok_or("the daemon stopped")?;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A short path: the socket's must fit into 107 bytes.
    let folder = tempfile::Builder::new().prefix("pm").tempdir()?;
    let (office, office_daemon) = host(&folder.path().join("a"), "office", false).await?;
    let (garage, garage_daemon) = host(&folder.path().join("b"), "garage", true).await?;

    office
        .call(&Request::QueueCreate {
            name: "farm".to_owned(),
        })
        .await?;
    let share = Request::QueueShare {
        queue: "farm".to_owned(),
        role: "operator".to_owned(),
        expires_s: Some(600),
        uses: 1,
        with_key: false,
        open_s: None,
        wan: false,
    };
    let Reply::Share(share) = office.call(&share).await? else {
        return Err("no ticket".into());
    };
    garage
        .call(&Request::QueueJoin {
            ticket: share.ticket,
            as_name: None,
            wan: false,
        })
        .await?;

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/files/clip.gcode");
    let uploaded = office.upload(&file, "clip.gcode", |_| {}).await?;
    let mut events = office.events().await?;
    let new = NewJob {
        queue: Some("farm".to_owned()),
        name: Some("clip".to_owned()),
        sets: vec![NewSet {
            hash: uploaded.hash,
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
    let Reply::Job(submitted) = office.call(&Request::JobSubmit(new)).await? else {
        return Err("no job".into());
    };
    let done = finished(&office, &mut events, &submitted.id).await?;
    let claim = done.claims.last().ok_or("nobody claimed it")?;
    println!(
        "{} is {}: printed by {}/{}",
        done.name, done.state, claim.host, claim.printer
    );
    if done.state != "done" {
        return Err(format!("{} is {}", done.name, done.state).into());
    }

    for (client, daemon) in [(office, office_daemon), (garage, garage_daemon)] {
        client
            .call(&Request::DaemonStop { end_prints: false })
            .await?;
        daemon.await??;
    }
    Ok(())
}
