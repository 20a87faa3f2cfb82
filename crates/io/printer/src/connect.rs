//! From an address to a running driver.
//!
//! Connecting identifies a machine and neither moves nor heats it.

use std::path::PathBuf;

use tokio::sync::mpsc::UnboundedSender;

use crate::{
    address::Address,
    driver::{Driver, Event},
    marlin::{self, serial},
    simulated,
};

/// Why no driver came of an address.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The device is not there.
    #[error("there is no port {port}: is the printer plugged in and switched on?")]
    NoSuchPort {
        /// The device.
        port: PathBuf,
    },
    /// The device is there, but not for this user.
    #[error(
        "no permission to open {port}: add the user to the group dialout (sudo usermod -aG dialout $USER) and log in anew"
    )]
    PermissionDenied {
        /// The device.
        port: PathBuf,
    },
    /// Somebody else has the device open.
    #[error("{port} is in use by another program (another host software, ModemManager or brltty?)")]
    PortInUse {
        /// The device.
        port: PathBuf,
    },
    /// The path is something else than a serial port, or does not take the baud rate.
    #[error("failed to open {port} as a serial port with {baud} baud")]
    NotAPort {
        /// The device.
        port: PathBuf,
        /// Bits per second.
        baud: u32,
        /// What the system said.
        #[source]
        source: serialport::Error,
    },
    /// Nothing came back.
    #[error(
        "no answer from {port} at {baud} baud: is the printer on, and is this its port and its rate?"
    )]
    NoAnswer {
        /// The device.
        port: PathBuf,
        /// Bits per second.
        baud: u32,
    },
    /// Bytes came back that are no text.
    #[error(
        "{port} sends unreadable bytes at {baud} baud: its rate is another one (115200 and 250000 are usual)"
    )]
    WrongBaud {
        /// The device.
        port: PathBuf,
        /// Bits per second.
        baud: u32,
    },
    /// Text came back, but not what a printer says.
    #[error("{port} answers, but not like a printer: it said {said:?}")]
    NotAPrinter {
        /// The device.
        port: PathBuf,
        /// The last that it said.
        said: String,
    },
    /// The machine prints from its own card, or waits for somebody.
    #[error("the printer at {port} is busy with something of its own: {what}")]
    Busy {
        /// The device.
        port: PathBuf,
        /// What it does.
        what: String,
    },
    /// The port closed during the first talk.
    #[error("{port} was lost while connecting")]
    Lost {
        /// The device.
        port: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The thread for the port could not be made.
    #[error("failed to start a thread for {port}")]
    Thread {
        /// The device.
        port: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Connects and identifies (no motion, no heat), then returns the running driver. Events go to `events`.
///
/// Takes up to about twenty seconds at a serial port, where most boards restart when the port is opened. Must be called
/// within a tokio runtime.
pub async fn connect(
    address: &Address,
    events: UnboundedSender<Event>,
) -> Result<Box<dyn Driver>, ConnectError> {
    match address {
        Address::Simulated(simulation) => {
            Ok(Box::new(simulated::connect(simulation.clone(), events)))
        }
        Address::Serial { path, baud } => {
            let driver = serial::connect(path, *baud, marlin::Timings::default(), events).await?;
            Ok(Box::new(driver))
        }
    }
}
