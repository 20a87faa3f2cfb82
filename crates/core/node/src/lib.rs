//! One host's mind: inputs and time in, effects out.
//!
//! [`Node`] decides everything that printmesh decides on one host: what to claim, when a print may start, whom to
//! trust, what to tell whom. It has no clock, no randomness, no socket and no file: the daemon (or a simulator)
//! feeds it [`Input`]s, makes the [`Step::writes`] durable and then carries out the [`Step::effects`]. A seed and
//! a list of inputs replay a node bit by bit.
//!
//! ```text
//! loop { let step = node.handle(now, input); store.commit(step.writes); for e in step.effects { do(e) } }
//! ```
//!
//! The one rule for whoever drives it: **commit first, then act**. A voter's promise, a claim's journal and the
//! intent to print are writes of the same step as the effect that depends on them.

mod admit;
mod autoprint;
mod beats;
mod boot;
mod bucket;
mod bytes;
mod change;
mod claim;
mod command;
mod commands;
mod comparison;
mod config;
mod config_message;
mod confirm;
mod credit;
mod cycle;
mod effect;
mod electorate;
mod entropy;
mod epochs;
mod equip;
mod event;
mod files;
mod follow;
#[doc(hidden)]
pub mod fuzzing;
mod heal;
mod heat;
mod input;
mod invites;
mod jobs;
mod join;
mod joined;
/// Every bound of the node.
mod leave;
pub mod limits;
mod members;
mod memory;
mod message;
mod names;
mod node;
mod one_click;
mod outlook;
mod pace;
mod person;
mod prefetch;
mod printers;
mod problem;
mod proofs;
mod publish;
mod quarantine;
mod queues;
mod reconfig;
mod records;
mod recover_print;
mod register;
mod relocate;
mod reports;
mod requests;
mod resolve;
mod rotate;
mod sabotage;
mod serving;
mod set_aside;
mod settings;
mod slept;
mod slice;
mod speculate;
mod spools;
mod spread;
mod surplus;
mod sync;
mod tell;
mod tending;
mod ticket;
mod times;
mod turns;
mod verdict;
mod view;
mod voter;
mod voters;
mod watch;
mod withdraw;
mod withdrawn;
mod work;

pub use boot::{Boot, BootError};
pub use command::{
    Command, JobEdit, NewJob, NewSet, Place, PrinterEdit, Resolve, TermsEdit, Ticket,
};
pub use commands::DEFAULT_ROLE;
pub use config::ConfigNack;
pub use config_message::{ConfigAsk, ConfigMessage, Held};
pub use cycle::{Cycle, Quiet};
pub use effect::{Answer, Effect, Step, TicketParts, Write};
pub use event::Event;
pub use input::{Doing, Ended, FetchFailure, Input, Machine, Now, PrinterReport, TryFailure};
pub use invites::InviteView;
pub use join::{Asking, LAN_QUEUE};
pub use message::{Ask, Beat, Message, QueueKey, Reply, Tag};
pub use node::{Node, Progress};
pub use one_click::{MatchAsk, MatchPlan};
pub use problem::{Code, Problem};
pub use quarantine::Quarantine;
pub use queues::RESERVED_NAMES;
pub use register::{Nack, Value, Vote};
pub use requests::JobRequest;
#[cfg(feature = "sabotage")]
pub use sabotage::Sabotage;
pub use set_aside::GUARDED;
pub use slice::Sliced;
pub use spools::{SpoolFault, SpoolReading};
pub use view::{HistoryEntry, LOST, Link, OwnPrinter, QueueView, claim_word, listed_jobs};
pub use voters::{VoterView, VotersView};
