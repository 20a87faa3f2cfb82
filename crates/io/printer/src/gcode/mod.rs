//! Commands out of a G-code file, for every driver.
//!
//! `reader` takes them out of the bytes, `word` looks into one, `effect` knows which ones heat or move. What a driver then does with a command is its own business:
//! see `marlin::filter` for what is never sent to a machine.

pub(crate) mod effect;
pub(crate) mod reader;
pub(crate) mod word;

pub(crate) use reader::{Command, Commands, ReadError};
