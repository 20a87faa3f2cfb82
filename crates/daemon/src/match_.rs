//! 1-Click in the words of the API.

use printmesh_api::{reply, request};
use printmesh_node::{MatchAsk, MatchPlan, Node};

use crate::{convert::full_name, todo::quoted};

pub(crate) fn ask(ask: request::MatchAsk) -> MatchAsk {
    MatchAsk {
        queue: ask.queue,
        printers: ask.printers,
        limit: ask.limit,
    }
}

/// Says what would start, and how it is started.
pub(crate) fn plan(node: &Node, ask: &MatchAsk, plan: MatchPlan) -> reply::MatchPlan {
    let names: Vec<_> = node.queues();
    let name = |id| {
        let mut all = names.iter();
        let found = all.find(|(_, view)| view.id == id);
        found.map_or_else(String::new, |(name, _)| name.clone())
    };
    let starts = plan.starts.iter().map(|(queue, start)| {
        let snapshot = node.queue_view(*queue).snapshot;
        let job = &snapshot.jobs[&start.open.copy.job];
        let record = snapshot.printers.get(&start.printer);
        reply::MatchStart {
            printer: full_name(node, &start.printer),
            queue: name(*queue),
            job: job.name.clone(),
            job_id: job.id.to_string(),
            copy: start.open.copy.index + 1,
            copies: job.copies,
            passed_over: plan.passed.get(&start.printer).copied().unwrap_or(0) as u32,
            duration_s: printmesh_schedule::copy_seconds(snapshot, job, &start.printer),
            autoprint: record.is_some_and(|record| record.autoprint) && snapshot.settings.autoprint,
        }
    });
    let waits = plan
        .waits
        .iter()
        .map(|(id, (queue, reason))| reply::MatchWait {
            printer: full_name(node, id),
            queue: name(*queue),
            code: reason.code().to_owned(),
            text: reason.text(),
        });
    let mut command = "printmesh match".to_owned();
    if let Some(queue) = &ask.queue {
        command += &format!(" -q {}", quoted(queue));
    }
    for printer in &ask.printers {
        command += &format!(" --printer {}", quoted(printer));
    }
    if let Some(limit) = ask.limit {
        command += &format!(" --limit {limit}");
    }
    reply::MatchPlan {
        starts: starts.collect(),
        waits: waits.collect(),
        command: format!("{command} --plan {}", plan.id),
        id: plan.id,
    }
}
