//! What the network is started with, and why it did not start.

use std::{io, net::SocketAddr, path::PathBuf};

use thiserror::Error;

use crate::{files::FileError, frames::ProtocolRange, relay::Relays};

/// Where to listen. There is one UDP socket for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// Any free port on all IPv4 interfaces.
    Auto,
    /// Exactly this address. If it cannot be had, the start fails: another port is never taken instead. Port 0
    /// means any free port on that address.
    Address(SocketAddr),
}

/// How to start the network. It holds the device key, so it has no `Debug`.
pub struct Config {
    /// The device key, an ed25519 seed. One endpoint per key: two at once confuse every peer.
    pub secret_key: [u8; 32],
    /// Where to listen.
    pub bind: Bind,
    /// Where files are kept; created if missing, and locked while the network runs.
    pub files_dir: PathBuf,
    /// Whether to announce this host on the LAN and to look for others.
    pub discovery: bool,
    /// Over which relays members may be met. Without any, this host talks to nobody but the peers that it is told of and
    /// the LAN.
    pub relays: Relays,
    /// The name of the LAN service, `printmesh` unless tests want to be among themselves. At most 15 characters of
    /// `a-z0-9-`.
    pub service: String,
    /// What this host runs, for the people at the other end, such as `0.1.0`.
    pub software: String,
    /// The versions of the protocol to speak.
    pub protocol: ProtocolRange,
}

impl Config {
    /// Returns a configuration with everything else as a host on a LAN wants it.
    pub fn new(secret_key: [u8; 32], files_dir: PathBuf) -> Self {
        Self {
            secret_key,
            bind: Bind::Auto,
            files_dir,
            discovery: true,
            relays: Relays::Named(Vec::new()),
            service: "printmesh".into(),
            software: env!("CARGO_PKG_VERSION").into(),
            protocol: ProtocolRange::THIS_BUILD,
        }
    }
}

/// Why the network did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another program has the port.
    #[error("failed to listen on {address}: the port is taken")]
    PortTaken {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The port is below 1024 and this user may not have it.
    #[error("failed to listen on {address}: the port is privileged")]
    PortPrivileged {
        /// What was asked for.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error("failed to listen on {address}: this machine has no such address")]
    AddressNotHere {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Listening failed for another reason.
    #[error("failed to listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The endpoint could not be set up at all.
    #[error("failed to set up the network endpoint: {reason}")]
    Endpoint {
        /// What iroh said.
        reason: String,
    },
    /// Another process uses the same folder of files.
    #[error("failed to open the files in {}: another process uses them", dir.display())]
    FilesLocked {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder of files cannot be opened.
    #[error("failed to open the files in {}", dir.display())]
    Files {
        /// The folder.
        dir: PathBuf,
        /// What went wrong.
        #[source]
        source: FileError,
    },
}
