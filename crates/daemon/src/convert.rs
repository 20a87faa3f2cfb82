//! The core's values in the words of the API. No rule lives here.

mod fix;
mod jobs;
mod printers;
mod queues;
mod why;

pub(crate) use jobs::{history, job_by_id, jobs};
pub(crate) use printers::{printer, printers};
use printmesh_api::reply;
use printmesh_node::{Event, Node, QueueView};
use printmesh_queue::{ClaimState, HostId, PrinterId, QueueId, RunResult};
use printmesh_schedule::{Index, Overview};
pub(crate) use queues::{peers, queue_named, queues, voters};
pub(crate) use why::printer_why;

use crate::clock::rfc3339;

pub(crate) fn event(node: &Node, seq: u64, event: Event) -> reply::Event {
    let printer = event.printer.as_ref().map(|id| full_name(node, id));
    reply::Event {
        seq,
        time: rfc3339(crate::clock::now().wall),
        kind: event.kind.to_owned(),
        queue: event.queue,
        job: event.job.as_ref().map(|(id, _)| id.to_string()),
        job_name: event.job.map(|(_, name)| name),
        copy: event.copy.map(|copy| copy.index + 1),
        printer: printer.or_else(|| event.host.map(|host| node.visible_host_name(host))),
        state: event.state,
        progress: event.progress,
        left_s: event.left_s,
        text: event.text,
    }
}

pub(crate) fn full_name(node: &Node, id: &PrinterId) -> String {
    format!("{}/{}", node.visible_host_name(id.host), id.name)
}

/// What this host sees at this moment: some reasons say how long they last.
fn presence(node: &Node, queue: QueueId) -> printmesh_schedule::Presence {
    node.presence_at(queue, crate::clock::now())
}

/// The queues of this host at this moment, each with its plan: what is asked of one queue again and again shares it.
fn with_overviews<T>(node: &Node, ask: impl FnOnce(&[(QueueView<'_>, Overview<'_>)]) -> T) -> T {
    let seen: Vec<_> = node
        .queues()
        .into_iter()
        .map(|(_, view)| (view, presence(node, view.id), Index::new(view.snapshot)))
        .collect();
    let overviews: Vec<_> = seen
        .iter()
        .map(|(view, presence, index)| (*view, Overview::new(view.snapshot, presence, index)))
        .collect();
    ask(&overviews)
}

/// How much of the mesh this host can see right now.
pub(crate) fn sync(node: &Node) -> reply::Sync {
    let mut hosts = std::collections::BTreeSet::new();
    for (_, queue) in node.queues() {
        hosts.extend(queue.snapshot.present_members().map(|(host, _)| *host));
    }
    hosts.remove(&node.me());
    let (here, away): (Vec<HostId>, Vec<HostId>) = hosts
        .into_iter()
        .partition(|host| node.link(*host).connected);
    reply::Sync {
        peers_connected: here.len() as u32,
        peers_known: (here.len() + away.len()) as u32,
        away: away
            .into_iter()
            .map(|host| node.visible_host_name(host))
            .collect(),
    }
}

pub(crate) fn list<T>(node: &Node, items: Vec<T>) -> reply::List<T> {
    reply::List {
        as_of: rfc3339(crate::clock::now().wall),
        sync: sync(node),
        items,
    }
}

pub(crate) fn status(node: &Node) -> reply::Status {
    let printers = printers(node);
    let queues = queues(node);
    let mut needs_you = Vec::new();
    for printer in printers.iter().filter(|printer| printer.mine) {
        let name = &printer.name;
        let need = match printer.reason.as_deref() {
            Some("bed-not-clear") => {
                Some(format!("clear the bed of {name}{}", bad_end(node, name)))
            }
            Some("bed-unknown") => Some(format!(
                "look at {name}: is its bed clear?{}",
                bad_end(node, name)
            )),
            Some("verdict") => Some(format!(
                "say of the last print of {name} whether it is --good or --bad"
            )),
            Some("no-bed-temperature") => Some(format!("clear the bed of {name} once it is cold")),
            Some("printer-fault") => Some(format!(
                "look at {name}: {}",
                printer.reason_text.as_deref().unwrap_or("it halted")
            )),
            _ => None,
        };
        if let Some(text) = need {
            needs_you.push(reply::Need {
                text,
                command: format!("printmesh printer ready {name}"),
            });
        }
    }
    needs_you.extend(unsure(node));
    for queue in &queues {
        for asking in &queue.asking {
            needs_you.push(reply::Need {
                text: format!(
                    "{} asks to join {} (code {})",
                    asking.host, queue.name, asking.code
                ),
                command: format!("printmesh member approve {} {}", queue.name, asking.host),
            });
        }
    }
    reply::Status {
        as_of: rfc3339(crate::clock::now().wall),
        sync: sync(node),
        host: node.name().to_owned(),
        fingerprint: node.me().fingerprint(),
        queues,
        printers,
        needs_you,
    }
}

/// Prints of this host of which nobody knows how they ended, and printers that it set aside.
fn unsure(node: &Node) -> Vec<reply::Need> {
    let mut needs = Vec::new();
    for (_, view) in node.queues() {
        for (copy, claims) in &view.snapshot.claims {
            let Some(job) = view.snapshot.jobs.get(&copy.job) else {
                continue;
            };
            let own = claims.values().filter(|claim| claim.host == node.me());
            let unknown = own.filter(|claim| claim.record.state == ClaimState::Unknown);
            needs.extend(unknown.map(|claim| reply::Need {
                text: format!(
                    "say how copy {} of {} on {} ended",
                    copy.index + 1,
                    job.name,
                    claim.record.printer
                ),
                command: format!(
                    "printmesh job resolve {}#{} --done (or --failed)",
                    &job.id.to_string()[..node.unique_prefix(job.id).max(8)],
                    copy.index + 1
                ),
            }));
        }
    }
    let mut aside = std::collections::BTreeMap::new();
    for (_, view) in node.queues() {
        let own = view.snapshot.present_printers();
        let own = own.filter(|(id, record)| id.host == node.me() && record.set_aside);
        aside.extend(own.map(|(id, record)| (&id.name, record.paused.clone())));
    }
    needs.extend(aside.into_iter().map(|(name, why)| reply::Need {
        text: format!(
            "look at {name}: {}",
            why.unwrap_or_else(|| "it fails at everything".to_owned())
        ),
        command: format!("printmesh printer resume {name}"),
    }));
    needs
}

/// What became of the last print of a printer of this host, when it was not good: whoever clears the bed wants to know.
fn bad_end(node: &Node, printer: &str) -> String {
    let rows = node.history();
    let last = rows
        .iter()
        .find(|row| row.printer.host == node.me() && row.printer.name == printer);
    let Some(row) = last else {
        return String::new();
    };
    let how = match row.result {
        RunResult::Started | RunResult::Ok => return String::new(),
        RunResult::Failed => "failed",
        RunResult::Aborted => "was stopped",
        RunResult::Unknown => "may be incomplete",
    };
    let why = row.note.as_deref().unwrap_or("no reason is known");
    format!(" ({} {how}: {why})", row.job_name)
}
