//! Joins the core to the world: carries effects out and brings inputs in.
//!
//! One task owns the node (`mind`); everything else is a door to it: the network (`inputs`), printers
//! (`printers`), the local API (`serve`). What the node wants done, `effects` does. No rule of printmesh lives here.

mod clock;
mod config;
mod convert;
mod effects;
mod equip;
mod forecast;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod inputs;
mod intake;
mod key;
mod limits;
pub mod look;
mod match_;
mod mind;
mod model;
mod notify;
mod people;
mod printers;
mod problems;
mod profiles;
mod relays;
mod serve;
mod set_up;
mod sliced;
mod slicer;
mod spools;
mod stored;
mod todo;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

pub use config::{Config, Network};
pub use notify::Notify;
use printmesh_api::problem::Problem;
use printmesh_net::{Bind, Net, StartError};
use printmesh_node::{Boot, BootError, Node, Step};
use printmesh_store::{Database, Home, Imports, disk};
pub use profiles::Profiles;
pub use relays::RelaySetting;
pub use set_up::{InitOptions, Initialised, init};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{
    effects::Effects,
    key::DeviceKey,
    limits::{EVENTS, NETWORK_EVENTS},
    mind::{Loop, Mind},
    printers::Printers,
    serve::Door,
};

/// How to run the daemon.
pub struct RunOptions {
    /// The home directory.
    pub home: PathBuf,
    /// 0 = info, 1 = debug, 2 = trace.
    pub verbose: u8,
    /// Told once the daemon answers on its socket.
    pub ready: Option<tokio::sync::oneshot::Sender<()>>,
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// A [`Problem`] that says why it cannot start.
pub async fn run(options: RunOptions) -> Result<(), Problem> {
    log_to_stderr(options.verbose);
    let started = Instant::now();
    let home = Home::at(&options.home);
    let not_set_up = || {
        problems::new(
            "home.not-set-up",
            1,
            format!("{} has not been set up", options.home.display()),
        )
        .fix(
            format!("printmesh init --home {}", options.home.display()),
            "set this host up",
        )
    };
    let Some(device) = DeviceKey::load(&home)? else {
        return Err(not_set_up());
    };
    let home = Home::open(&options.home).map_err(|error| problems::home(&error))?;
    let _lock = home
        .lock()
        .map_err(|error| problems::lock(&error, home.root()))?;
    let config = Config::load(&home.config())?;
    let database = Database::open(&home.state()).map_err(|error| problems::open(&error))?;
    let database = Arc::new(database);
    let seed = device.seed();
    let (node, first) = aside(|| wake(&database, device))?.ok_or_else(not_set_up)?;

    let (network_events, told) = mpsc::channel(NETWORK_EVENTS);
    let net = start_network(&home, &config, *seed, network_events).await?;
    let imports = Imports::open(&home.imports()).map_err(|error| {
        problems::new("home.not-writable", 1, "the imports folder cannot be used")
            .because(problems::chain(&error))
    })?;
    let incoming = home.root().join("incoming");
    empty_folder(&incoming).map_err(|error| {
        problems::new(
            "home.not-writable",
            1,
            format!("cannot use {}", incoming.display()),
        )
        .because(error.to_string())
    })?;

    let slicing = home.root().join("slicing");
    empty_folder(&slicing).map_err(|error| {
        problems::new(
            "home.not-writable",
            1,
            format!("cannot use {}", slicing.display()),
        )
        .because(error.to_string())
    })?;

    let (mind, inputs) = Mind::channel();
    let events = broadcast::Sender::new(EVENTS);
    let spoolman = config.spoolman.as_ref();
    let spoolman_client = spoolman.map(spools::Spoolman::client).transpose()?;
    let poll_s = spoolman.map_or(0, |spoolman| spoolman.poll_s);
    let effects = Effects {
        spools: spools::start(mind.clone(), spoolman_client.clone(), poll_s),
        mind: mind.clone(),
        net: net.clone(),
        imports: Arc::new(imports),
        printers: Printers::new(mind.clone(), home.root().to_owned()),
        slicers: Arc::new(slicer::Slicers::new(
            config.slicers.clone(),
            slicing,
            home.root().to_owned(),
        )),
        events: events.clone(),
        notices: notify::start(config.notify.clone()),
        home: home.root().to_owned(),
        ahead: BTreeMap::new(),
        told: 0,
    };
    let thinking = Loop {
        node,
        database: Arc::clone(&database),
        effects,
        home: home.root().to_owned(),
    };
    let mut thinking = tokio::spawn(thinking.run(first, inputs));
    let slicers = config.slicers.iter();
    let slicers = slicers.map(|slicer| (slicer.profile.clone(), slicer.printers.clone()));
    mind.tell(printmesh_node::Input::Slicers(slicers.collect()))
        .await;
    let zone = tokio::spawn(clock::tell_zone(mind.clone()));
    let passing = tokio::spawn(inputs::pass_on(mind.clone(), told));

    let stop = CancellationToken::new();
    let closed = CancellationToken::new();
    let door = Arc::new(Door {
        spoolman: spoolman_client,
        mind: mind.clone(),
        net: net.clone(),
        events,
        home: home.root().to_owned(),
        relay: config.network.relay.clone(),
        incoming,
        started,
        stop: stop.clone(),
        finishes: forecast::Finishes::default(),
    });
    let bound = printmesh_api::server::bind(&home.socket())
        .await
        .map_err(|error| unserved(&error))?;
    let serving = tokio::spawn(bound.serve(door, closed.clone()));
    tracing::info!(home = %home.root().display(), addresses = ?net.addresses(), "ready");
    if let Some(ready) = options.ready {
        // Who started it may not care any more.
        ready.send(()).ok();
    }

    let result = tokio::select! {
        result = until_stopped(&stop, serving, &closed) => result,
        // A daemon that cannot think must not look alive: what it had promised is on disk for the next start.
        broken = &mut thinking => Err(problems::new("daemon.broken", 1, "the daemon's mind ended; this is a bug of printmesh")
            .because(broken.err().map_or_else(|| "it stopped by itself".to_owned(), |error| error.to_string()))
            .fix("printmesh up", "start it again; nothing that was acknowledged is lost")),
    };
    tracing::info!("stopping");
    closed.cancel();
    if !thinking.is_finished() {
        mind.stop().await;
        thinking.await.ok();
    }
    net.shutdown().await;
    passing.abort();
    zone.abort();
    result
}

/// Waits for a signal, a request to stop, or the failure of the API; then closes the API.
async fn until_stopped(
    stop: &CancellationToken,
    mut serving: tokio::task::JoinHandle<Result<(), printmesh_api::server::ServeError>>,
    closed: &CancellationToken,
) -> Result<(), Problem> {
    use tokio::signal::unix::{SignalKind, signal};
    let broken = |error: std::io::Error| {
        problems::new("daemon.signals", 1, "cannot listen for signals").because(error.to_string())
    };
    let mut term = signal(SignalKind::terminate()).map_err(broken)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
        () = stop.cancelled() => {}
        ended = &mut serving => {
            return match ended {
                Ok(Err(error)) => Err(unserved(&error)),
                Ok(Ok(())) | Err(_) => Err(problems::new("api.socket", 1, "the local API ended")),
            };
        }
    }
    closed.cancel();
    serving.await.ok();
    Ok(())
}

fn unserved(error: &printmesh_api::server::ServeError) -> Problem {
    problems::new("api.socket", 1, "the local API cannot be served").because(problems::chain(error))
}

/// Runs something on a stack that goes with it: this thread's own would keep, for as long as the daemon runs, the keys that
/// were moved over it.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let done = std::thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Wakes the node up from the disk; `None` when the home was never set up.
fn wake(database: &Database, device: DeviceKey) -> Result<Option<(Node, Step)>, Problem> {
    let unreadable = |error: printmesh_store::ReadError| {
        problems::new("state.unreadable", 1, "the state cannot be read")
            .because(problems::chain(&error))
    };
    let state = database.scan(b"").map_err(unreadable)?;
    let mut logs = BTreeMap::new();
    for log in database.logs().map_err(unreadable)? {
        logs.insert(log, database.log(log).map_err(unreadable)?);
    }
    let boot = Boot {
        signer: Box::new(device),
        seed: key::random()?,
        now: clock::now(),
        state,
        logs,
    };
    match Node::boot(boot) {
        Ok(woken) => Ok(Some(woken)),
        Err(BootError::NotSetUp) => Ok(None),
        Err(error @ (BootError::Damaged(_) | BootError::Log { .. })) => {
            Err(
                problems::new("state.damaged", 1, "the state of this home is damaged")
                    .because(problems::chain(&error))
                    .fix(
                        "",
                        "keep a copy of it; the jobs of shared queues are on the other members too",
                    ),
            )
        }
    }
}

async fn start_network(
    home: &Home,
    config: &Config,
    seed: [u8; 32],
    events: mpsc::Sender<printmesh_net::Event>,
) -> Result<Net, Problem> {
    let wanted = config.network.bind()?;
    let config = |bind| printmesh_net::Config {
        secret_key: seed,
        bind,
        files_dir: home.files(),
        discovery: config.network.discovery,
        relays: config.network.relay.relays(),
        service: config.network.service.clone(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: printmesh_net::ProtocolRange::THIS_BUILD,
    };
    let remembered = home.root().join("port");
    let any_port = wanted.is_none_or(|address| address.port() == 0);
    let ip = wanted.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.ip());
    // The same port as last time, when any will do: members find this host again without discovery.
    let last = std::fs::read_to_string(&remembered)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let started = match last.filter(|_| any_port) {
        Some(port) => {
            let again = SocketAddr::new(ip, port);
            match printmesh_net::start(config(Bind::Address(again)), events.clone()).await {
                Err(StartError::PortTaken { .. }) => None,
                other => Some(other),
            }
        }
        None => None,
    };
    let started = match (started, wanted) {
        (Some(started), _) => started,
        (None, None) => printmesh_net::start(config(Bind::Auto), events).await,
        (None, Some(address)) => printmesh_net::start(config(Bind::Address(address)), events).await,
    };
    let net = started.map_err(|error| problems::network(&error))?;
    if let Some(address) = net.addresses().first().filter(|_| any_port) {
        let text = format!("{}\n", address.port());
        if let Err(error) = disk::write_durably(&remembered, text.as_bytes(), 0o600) {
            tracing::warn!(%error, "could not remember the port");
        }
    }
    Ok(net)
}

/// What a crash left of uploads is nobody's.
fn empty_folder(folder: &std::path::Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    std::fs::create_dir(folder)
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "info",
        1 => "debug",
        _ => "trace",
    };
    let quiet = format!("warn,printmesh={level}");
    let crates = ["daemon", "node", "net", "store", "printer", "api", "queue"];
    let filter = crates.iter().fold(quiet, |text, name| {
        format!("{text},printmesh_{name}={level}")
    });
    let filter = std::env::var("PRINTMESH_LOG").unwrap_or(filter);
    // Fails only when a log was set up before, which is as good.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init()
        .ok();
}
