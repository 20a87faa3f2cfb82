//! What the fuzz targets call. No part of the interface.

use crate::Config;

/// The text of `config.toml`.
pub fn config(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        drop(Config::parse(text));
    }
}
