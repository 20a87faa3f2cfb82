//! Marlin (and what talks like it) over a serial port.
//!
//! The protocol has no IO and no clock: bytes and milliseconds go in, bytes and outcomes come out, so that tests can run years of
//! bad cables in a second. What makes it safe on a line that loses and garbles things:
//!
//! - every command of a print is numbered and carries a checksum, and the printer takes only the next number. Whatever is
//!   lost, doubled or garbled on the way, no command is left out, repeated or put out of order;
//! - one command is under way at a time, so that the printer's receive buffer never overflows;
//! - an `ok` does not say which line it is for, so it is never believed for good: every few dozen lines comes a *checkpoint*, a numbered
//!   `M105`, whose answer (`ok T:…`) cannot be mistaken for another. A print is finished only after the checkpoint
//!   behind its last `M400`;
//! - after silence the *next* line is sent, never the same one again: a printer swallows a repeated line without a word, but a
//!   gap in the numbers makes it say what it misses.
//!
//! `wire`: lines; [`reply`]: what the printer says; `firmware`, `identify`: who it is; `link`: numbered lines; `filter`, `feed`: the
//! file; `script`: pause and cancel; `protocol`: the whole; [`port`], `serial`: the port and its thread.

mod feed;
mod filter;
mod firmware;
mod identify;
mod link;
pub mod port;
mod protocol;
pub mod reply;
mod script;
pub(crate) mod serial;
mod temperature;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

/// How long to wait for what, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timings {
    /// Nothing is said to a port that was just opened for so long, unless the board says `start` first.
    pub(crate) boot_ms: u64,
    /// How long one question may take while identifying.
    pub(crate) ask_ms: u64,
    /// All of identifying.
    pub(crate) identify_ms: u64,
    /// Without an `ok`, from a firmware that says when it is busy.
    pub(crate) ok_ms: u64,
    /// Without an `ok`, from a firmware that does not.
    pub(crate) ok_without_busy_ms: u64,
    /// Between two questions whether a long command is over.
    pub(crate) long_ms: u64,
    /// Without any byte, from a firmware that reports temperatures by itself: it is dead.
    pub(crate) silence_ms: u64,
    /// How long nothing may come before a resend begins, so that a flood of requests cannot feed itself.
    pub(crate) quiet_ms: u64,
    /// So many waits for an `ok` in a row, and the print fails.
    pub(crate) waits_max: u32,
    /// Between two attempts to see the heaters off.
    pub(crate) cooling_ms: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            boot_ms: 2_000,
            ask_ms: 3_000,
            identify_ms: 25_000,
            ok_ms: 5_000,
            ok_without_busy_ms: 30_000,
            long_ms: 60_000,
            silence_ms: 15 * 60_000,
            quiet_ms: 120,
            waits_max: 5,
            cooling_ms: 1_000,
        }
    }
}
