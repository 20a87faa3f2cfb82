//! A Spoolman: what it says of a spool, and telling it what was used of one. Its API is version 1, `/api/v1`.
//!
//! Deliberately not here: when to ask, what to do with the answer, and whether to tell it again: `use` is not idempotent, so
//! each [`Fault`] says whether something may have been booked. No TLS: a Spoolman stands in the workshop.
//!
//! - `address`: where it is;
//! - `client`: asking it;
//! - [`fake`]: the other end of that wire, for tests.

mod address;
mod client;
pub mod fake;
mod limits;

pub use address::{Address, AddressError};
#[doc(hidden)]
pub use client::fuzz_answer;
pub use client::{Client, Fault, Spool};
