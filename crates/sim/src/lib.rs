//! A whole farm in one process and in virtual time, with everything that can go wrong; for tests.
//!
//! Real are the core, Automerge in it, and the store under it; made up are time, network, disks, printers and people. A seed is one
//! history, bit for bit. What is judged is what happened physically, what voters' disks say and what people were answered ([`laws`]),
//! never what a node believes.

mod bounds;
mod clog;
pub mod coverage;
mod disk;
mod draw;
mod epochs;
mod flip;
mod halves;
pub mod herd;
pub mod history;
mod host;
pub mod laws;
mod lying;
mod machine;
mod malice;
mod mind;
mod nemesis;
mod people;
pub mod persist;
mod plan;
mod removal;
mod run;
pub mod sabotage;
mod seeds;
mod told;
mod watch;
mod wire;
mod world;

pub use plan::{Places, Plan, Size};
pub use run::{Outcome, Telling, run};
pub use seeds::{Figures, Found, seeds, shrink};

/// The one place that prints: for whoever replays a seed.
#[expect(clippy::print_stdout, reason = "a command's output")]
pub fn print(line: &str) {
    println!("{line}");
}
