//! The local socket between the command line and the daemon: requests, replies, client, server door.
//!
//! Plain values go in and out (`request`, `reply`, `problem`); `routes` says which lies where in HTTP; the daemon implements
//! [`service::Service`] and hands it to [`server::serve`]; everybody else talks through [`client::Client`]. No rule of the
//! product lives here.

pub mod client;
pub mod envelope;
pub mod forecast;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
pub mod problem;
pub mod reply;
pub mod request;
pub mod routes;
pub mod server;
pub mod service;
pub mod sliced;
