//! Problems of the daemon itself, and the core's problems in the words of the API.

use printmesh_api::problem::{Fix, Problem};
use printmesh_net::StartError;
use printmesh_store::{CommitError, HomeError, LockError, OpenError};

pub(crate) fn new(code: &str, exit: u8, title: impl Into<String>) -> Problem {
    Problem::new(code, exit, title)
}

pub(crate) fn from_core(problem: printmesh_node::Problem) -> Problem {
    Problem {
        code: problem.code.as_str().to_owned(),
        title: problem.title,
        why: problem.why,
        fixes: problem
            .fixes
            .into_iter()
            .map(|(command, text)| Fix { command, text })
            .collect(),
        exit: problem.code.exit(),
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

pub(crate) fn home(error: &HomeError) -> Problem {
    match error {
        HomeError::NotWritable { path, source } => new(
            "home.not-writable",
            1,
            format!("cannot write to {}", path.display()),
        )
        .because(source.to_string())
        .fix("", "choose another folder with --home, or change its owner"),
        HomeError::DiskFull { .. } => disk_full(),
        HomeError::OpenToOthers { path, .. } => new(
            "home.open-to-others",
            1,
            format!("others can write in {}", path.display()),
        )
        .because("they could put keys of theirs in the place of this host's")
        .fix(
            format!("chmod go-w {}", path.display()),
            "take their permission away",
        ),
        HomeError::NotAFolder { path } => new(
            "home.not-a-folder",
            1,
            format!("{} is not a folder", path.display()),
        )
        .fix("", "choose another folder with --home"),
    }
}

pub(crate) fn disk_full() -> Problem {
    new("disk.full", 1, "there is no room left on the disk")
        .because("nothing was changed; what was acknowledged before is safe")
        .fix("", "free some space, then do it again")
}

pub(crate) fn lock(error: &LockError, home: &std::path::Path) -> Problem {
    let home = home.display();
    match error {
        LockError::Held { pid } => {
            let who = pid.map_or_else(
                || "another process".to_owned(),
                |pid| format!("process {pid}"),
            );
            new(
                "daemon.running",
                5,
                format!("a daemon runs on {home} already"),
            )
            .because(format!(
                "{who} holds its lock; two daemons on one home would print everything twice"
            ))
            .fix(
                format!("printmesh daemon status --home {home}"),
                "see what it does",
            )
        }
        LockError::Io { .. } => {
            new("home.not-writable", 1, format!("cannot lock {home}")).because(chain(error))
        }
    }
}

pub(crate) fn open(error: &OpenError) -> Problem {
    match error {
        OpenError::InUse => new(
            "daemon.running",
            5,
            "another process uses this home's state",
        ),
        OpenError::OpenToOthers { path, .. } => new(
            "key.unusable",
            1,
            "others can read the state of this host, and the queue keys in it",
        )
        .because(error.to_string())
        .fix(
            format!("chmod 600 {}", path.display()),
            "take their permission away; if somebody may have read it, make a new queue",
        ),
        OpenError::DiskFull { .. } => disk_full(),
        OpenError::NewerFormat { found, known } => new(
            "state.newer",
            1,
            "this home was written by a newer printmesh",
        )
        .because(format!("its format is {found}, this program knows {known}"))
        .fix("", "update printmesh on this host"),
        OpenError::NotWritable { path, .. } => new(
            "home.not-writable",
            1,
            format!("cannot write to {}", path.display()),
        )
        .because(chain(error)),
        OpenError::Damaged { path, .. } => {
            new("state.damaged", 1, format!("{} is damaged", path.display()))
                .because(chain(error))
                .fix(
                    "",
                    "keep a copy of it; the jobs of shared queues are on the other members too",
                )
        }
        OpenError::Io { path, .. } => new(
            "state.unreadable",
            1,
            format!("cannot read {}", path.display()),
        )
        .because(chain(error)),
    }
}

pub(crate) fn commit(error: &CommitError) -> Problem {
    match error {
        CommitError::DiskFull => disk_full(),
        CommitError::Io(_) => {
            new("disk.error", 1, "the state could not be written to disk").because(chain(error))
        }
    }
}

pub(crate) fn network(error: &StartError) -> Problem {
    let config = "network.bind in config.toml";
    match error {
        StartError::PortTaken { address } => new(
            "network.port-taken",
            1,
            format!("cannot listen on {address}: the port is taken"),
        )
        .because("another program, or another daemon of printmesh, has it")
        .fix("", format!("set {config} to another port, or to `auto`")),
        StartError::PortPrivileged { address } => new(
            "network.port-privileged",
            1,
            format!("cannot listen on {address}: ports below 1024 are for root"),
        )
        .fix(
            "",
            format!("set {config} to a port from 1024 on, or to `auto`"),
        ),
        StartError::AddressNotHere { address } => new(
            "network.no-such-address",
            1,
            format!("cannot listen on {address}"),
        )
        .because("no interface of this machine has that address")
        .fix(
            "",
            format!("set {config} to an address of this machine, or to `auto`"),
        ),
        StartError::FilesLocked { dir } => new(
            "daemon.running",
            5,
            format!("another process uses {}", dir.display()),
        ),
        StartError::Listen { .. } | StartError::Endpoint { .. } | StartError::Files { .. } => {
            new("network.start", 1, "the network could not be started").because(chain(error))
        }
    }
}
