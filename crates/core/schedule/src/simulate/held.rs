//! A copy that a printer has and that is not printing.

use printmesh_queue::{CopyId, PrinterId, Timestamp};

use crate::under_way::Prints;

/// A copy that a printer has, and has not begun or not finished.
pub(super) struct Held {
    pub(super) line: usize,
    pub(super) copy: CopyId,
    pub(super) printer: PrinterId,
    /// What is left of it; who has no time is named.
    pub(super) left: Result<Prints, String>,
    /// So many milliseconds after each of its prints the bed is clear.
    pub(super) clear_ms: u64,
    /// It was claimed before anything was looked at.
    pub(super) claimed: bool,
    /// It is not looked at again before.
    pub(super) quiet: Option<Timestamp>,
    /// Its place in the forecast, once it has begun.
    pub(super) shown: Option<usize>,
}
