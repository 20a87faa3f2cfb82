//! Defects that were proven in earlier shared print queues, each as the smallest farm in which it would show.
//! The number is the defect's; `tests/suite/predecessors.rs` sees to it that none is missing.

mod hosts;
mod jobs;

use printmesh_node::{Command, JobEdit, Place};
use printmesh_queue::JobId;

use crate::farm::Farm;

pub(super) fn autoprint(on: bool) -> Command {
    Command::Autoprint {
        printers: Vec::new(),
        on,
    }
}

pub(super) fn copies(job: JobId, copies: u32) -> Command {
    Command::JobEdit {
        job: job.to_string(),
        edit: JobEdit {
            copies: Some(copies),
            ..JobEdit::default()
        },
    }
}

pub(super) fn to_place(job: JobId, place: Place) -> Command {
    Command::JobMove {
        job: job.to_string(),
        to: None,
        place,
    }
}

pub(super) fn order(farm: &Farm, n: usize) -> Vec<JobId> {
    let jobs = farm.snapshot(n, "farm").jobs_in_order();
    jobs.into_iter().map(|job| job.id).collect()
}
