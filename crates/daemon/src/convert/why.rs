//! Why a job waits and a printer does nothing, with the command that helps.

use printmesh_api::reply;
use printmesh_node::Node;
use printmesh_queue::{JobId, PrinterId};
use printmesh_schedule::{Index, Overview, Reason};

use super::{
    fix::{command, fix_of},
    full_name, presence,
    printers::printer,
};

pub(super) fn why_row(
    node: &Node,
    queue: &str,
    id: &PrinterId,
    job: JobId,
    reason: Option<Reason>,
) -> reply::Why {
    let fix = reason.as_ref().and_then(|reason| {
        let fix = fix_of(reason);
        let command = command(node, queue, id, &short(job), &fix)?;
        Some(match fix.is_typed_there() {
            true => typed_there(node, id, command),
            false => command,
        })
    });
    reply::Why {
        printer: full_name(node, id),
        code: reason.as_ref().map_or("free", Reason::code).to_owned(),
        text: reason.map_or_else(|| "free".to_owned(), |reason| reason.text()),
        fix,
    }
}

/// A printer is told things on its own host.
fn typed_there(node: &Node, id: &PrinterId, command: String) -> String {
    if id.host == node.me() {
        command
    } else {
        format!("on {}: {command}", node.visible_host_name(id.host))
    }
}

/// So much of an id as people type.
fn short(job: JobId) -> String {
    let job = job.to_string();
    job.get(..12).unwrap_or(&job).to_owned()
}

/// Each job that waits, of every queue that has the printer, and why it does or does not take it.
pub(crate) fn printer_why(node: &Node, id: &PrinterId) -> reply::PrinterWhy {
    let mut jobs = Vec::new();
    for (queue, view) in node.queues() {
        let (presence, index) = (presence(node, view.id), Index::new(view.snapshot));
        let overview = Overview::new(view.snapshot, &presence, &index);
        for (job, reason) in overview.why_printer(id) {
            let row = why_row(node, &queue, id, job, reason);
            jobs.push(reply::JobWhy {
                job_id: job.to_string(),
                job: view.snapshot.jobs[&job].name.clone(),
                queue: queue.clone(),
                code: row.code,
                text: row.text,
                fix: row.fix,
            });
        }
    }
    reply::PrinterWhy {
        printer: printer(node, id),
        jobs,
    }
}
