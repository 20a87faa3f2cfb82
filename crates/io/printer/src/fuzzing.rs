//! What the fuzz targets call. No part of the interface.

use crate::{
    marlin::{reply::parse_reply, wire::Splitter},
    simulated,
};

/// Any bytes that a printer, or a bad cable, could say.
pub fn marlin_reply(data: &[u8]) {
    drop(parse_reply(data));
    for line in Splitter::default().push(data) {
        drop(parse_reply(&line));
    }
}

/// Any file on its way to a printer, command by command, and what the simulated machine makes of it.
pub fn printed_file(data: &[u8]) {
    simulated::fuzz_plan(data);
}
