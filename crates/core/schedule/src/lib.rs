//! Which copy a printer prints next, and if none, why: pure functions of a snapshot.
//!
//! The same snapshot and presence give the same answer on every host. Nothing here claims or starts anything.

mod choice;
mod presence;
mod reason;
mod status;

pub use choice::{OpenCopy, choose, open_copies, printer_waits};
pub use presence::Presence;
pub use reason::Reason;
pub use status::{JobStatus, PrinterStatus, good_runs_of_set, job_status, printer_status, why};
