//! Which copy a printer prints next, and if none, why: pure functions of a snapshot.
//!
//! The same snapshot and presence give the same answer on every host. Nothing here claims or starts anything.

mod arrange;
mod backfill;
mod choice;
mod circuits;
mod delegate;
mod first;
mod forecast;
mod heat;
mod idle;
mod index;
mod matching;
mod one_click;
mod overview;
mod person;
mod plan;
mod planner;
mod presence;
mod reason;
mod setbacks;
mod simulate;
mod status;
mod tally;
mod times;
mod todo;
mod under_way;
mod upcoming;
mod wish;

pub use choice::{
    OpenCopy, Turn, choose, choose_of, is_for, is_meant, open_copies, printer_waits, turn,
};
pub use delegate::{budget, choose_without, is_unreconciled, standing};
pub use first::first_reason;
pub use forecast::{Assume, COOLING_MS, Finish, Forecast, HEATING_MS, Line, Outlook, Print};
pub use heat::{HEAT_PLACES_MAX, heat_places, which_heat};
pub use index::Index;
pub use matching::{file_for, misfit_of, misfit_of_needs};
pub use one_click::{one_click, passed_over};
pub use overview::{Overview, printer_status, why, why_printer};
pub use plan::{Plan, Start, plan};
pub use planner::Planner;
pub use presence::Presence;
pub use reason::{CODES, Reason, Without};
pub use setbacks::{failing_files, fails_everything, file_of, file_waits};
pub use simulate::simulate;
pub use status::{JobStatus, PrinterStatus, good_runs_of_set, job_status, no_copy_left};
pub use tally::{Tally, is_speculative, tally};
pub use times::{Basis, Times, Took};
pub use todo::{Act, Change, Todo, copy_seconds, opened, todo};
pub use wish::{Wish, stop_wish, wishes, wishes_of, withdrawal_wish};
