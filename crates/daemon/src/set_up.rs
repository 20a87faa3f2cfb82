//! `init`: makes a home with its key, its configuration and its `local` queue.

use std::path::PathBuf;

use printmesh_api::problem::Problem;
use printmesh_node::Node;
use printmesh_queue::Signer as _;
use printmesh_store::{Database, Home, disk};

use crate::{
    Config, clock,
    key::{self, DeviceKey},
    problems,
};

/// How to set up a host's home directory.
pub struct InitOptions {
    /// The home directory.
    pub home: PathBuf,
    /// Name of this host; `None` = the machine's host name.
    pub name: Option<String>,
    /// Add a simulated printer.
    pub sim: bool,
    /// `network.bind`: `auto` or `ip:port`; `None` = auto.
    pub bind: Option<String>,
}

/// What `init` found or made.
pub struct Initialised {
    /// Name of this host.
    pub name: String,
    /// Short form of its key.
    pub fingerprint: String,
    /// It was set up before; nothing was changed.
    pub already: bool,
    /// Names of its printers.
    pub printers: Vec<String>,
}

/// Name of the simulated printer that `init --sim` adds.
const SIMULATED: &str = "sim-1";

/// Its address: everything as the driver has it by default.
const SIMULATED_AT: &str = "sim://";

/// Makes the home directory, keys, configuration and state; works without a running daemon.
///
/// # Errors
/// A [`Problem`] with the path that cannot be used and how to mend it.
pub fn init(options: &InitOptions) -> Result<Initialised, Problem> {
    let name = match &options.name {
        Some(name) => {
            Node::check_host_name(name).map_err(problems::from_core)?;
            name.clone()
        }
        None => machine_name(),
    };
    let home = Home::open(&options.home).map_err(|error| problems::home(&error))?;
    // A daemon that runs holds the lock: then this home was set up before.
    let lock = home.lock();
    let device = DeviceKey::load(&home)?;
    if let (Err(error), None) = (&lock, &device) {
        return Err(problems::lock(error, home.root()));
    }
    if let Some(device) = &device
        && (lock.is_err() || is_set_up(&home)?)
    {
        return Ok(Initialised {
            name: set_up_name(&home, lock.is_ok())?.unwrap_or(name),
            fingerprint: device.host().fingerprint(),
            already: true,
            printers: Vec::new(),
        });
    }
    let device = match device {
        Some(device) => device,
        None => DeviceKey::create(&home)?,
    };
    if let Some(bind) = &options.bind {
        let mut config = Config::load(&home.config())?;
        config.network.bind.clone_from(bind);
        config.network.bind()?;
        let text = toml::to_string(&config)
            .map_err(|error| problems::new("config.bad", 1, error.to_string()))?;
        disk::write_durably(&home.config(), text.as_bytes(), 0o600).map_err(|error| {
            problems::new("home.not-writable", 1, "cannot write config.toml")
                .because(error.to_string())
        })?;
    }
    let mut writes = Node::set_up(&device, key::random()?, clock::now(), &name);
    let mut printers = Vec::new();
    if options.sim {
        writes.push(Node::simulated_printer(SIMULATED, SIMULATED_AT));
        printers.push(SIMULATED.to_owned());
    }
    let database = Database::open(&home.state()).map_err(|error| problems::open(&error))?;
    let writes: Vec<_> = writes.into_iter().map(crate::mind::write).collect();
    database
        .commit(&writes)
        .map_err(|error| problems::commit(&error))?;
    let fingerprint = device.host().fingerprint();
    Ok(Initialised {
        name,
        fingerprint,
        already: false,
        printers,
    })
}

fn is_set_up(home: &Home) -> Result<bool, Problem> {
    if !home.state().exists() {
        return Ok(false);
    }
    let database = Database::open(&home.state()).map_err(|error| problems::open(&error))?;
    let host = database.get(b"host").map_err(|error| {
        problems::new("state.unreadable", 1, "the state cannot be read")
            .because(problems::chain(&error))
    })?;
    Ok(host.is_some())
}

fn set_up_name(home: &Home, free: bool) -> Result<Option<String>, Problem> {
    if !free {
        return Ok(None);
    }
    let database = Database::open(&home.state()).map_err(|error| problems::open(&error))?;
    let host = database.get(b"host").map_err(|error| {
        problems::new("state.unreadable", 1, "the state cannot be read")
            .because(problems::chain(&error))
    })?;
    Ok(host.and_then(|bytes| Node::host_name_in(&bytes)))
}

/// The machine's host name, as far as it can be a host's name here.
fn machine_name() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let name = name.split('.').next().unwrap_or_default().to_owned();
    if Node::check_host_name(&name).is_ok() {
        name
    } else {
        "host".to_owned()
    }
}
