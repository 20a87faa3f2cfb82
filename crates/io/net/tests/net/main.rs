//! Real endpoints on 127.0.0.1, real files, real multicast on the loopback interface.
#![allow(clippy::unwrap_used, missing_docs)]

mod files;
mod flood;
mod host;
mod joins;
mod lan;
mod links;
mod predecessors;
mod relays;
mod start;
mod strangers;
