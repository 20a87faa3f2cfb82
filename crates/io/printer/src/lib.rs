//! One trait, and a driver for each kind of machine.
//!
//! A [`Driver`] stands for one connected printer: [`connect()`] opens it by its [`Address`], and from then on everything
//! it has to say arrives as [`Event`]s on the channel that was handed in. The crate knows nothing of queues, claims or
//! peers: whoever calls [`Driver::start`] has already decided that this print may begin.
//!
//! - [`address`]: where a printer is;
//! - [`driver`]: the trait and its words;
//! - `board`, `wish`: the status that a driver shows and how often it is told, and what is asked of it;
//! - `gcode`: reading commands out of a file, for every driver;
//! - `simulated`: a printer that exists only as a clock;
//! - [`marlin`]: a Marlin over a serial port, a protocol without IO beside a thin thread;
//! - [`fake_marlin`]: the other end of that wire, for tests and demos.

pub mod address;
mod board;
pub mod connect;
pub mod driver;
pub mod fake_marlin;
#[doc(hidden)]
pub mod fuzzing;
mod gcode;
mod limits;
pub mod marlin;
mod simulated;
mod wish;

pub use address::{Address, AddressError};
pub use connect::{ConnectError, connect};
pub use driver::{
    Caps, Doing, Driver, Event, Heat, Outcome, Phase, PrintRequest, PrinterInfo, PrinterStatus,
    StartError, Temperatures,
};
pub use marlin::reply::{Reply, parse_reply};
