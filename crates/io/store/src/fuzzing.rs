//! What the fuzz targets call. No part of the interface.

use crate::{
    limits::NAME_BYTES_MAX,
    name::{safe, with_suffix},
};

/// A name from outside, made into one that is harmless wherever it ends up.
pub fn file_name(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let made = safe(&name, "job");
    assert!((1..=NAME_BYTES_MAX).contains(&made.len()), "{made:?}");
    assert!(!made.contains(['/', '\\', '\0', ':']), "{made:?}");
    assert!(!made.starts_with(['.', '-', ' ']), "{made:?}");
    assert!(!made.ends_with(['.', ' ']), "{made:?}");
    assert_eq!(safe(&made, "job"), made);
    let other = with_suffix(&made, "-1f");
    assert!(other.len() <= NAME_BYTES_MAX && !other.contains('/'));
}
