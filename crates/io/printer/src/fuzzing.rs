//! What the fuzz targets call. No part of the interface.

use crate::marlin::{reply::parse_reply, wire::Splitter};

/// Any bytes that a printer, or a bad cable, could say.
pub fn marlin_reply(data: &[u8]) {
    drop(parse_reply(data));
    for line in Splitter::default().push(data) {
        drop(parse_reply(&line));
    }
}
