//! The one screen of `status`, the history and the daemon as text.

use printmesh_api::reply::{Daemon, HistoryRow, List, Queue, RelayUse, Status};

use super::{
    freshness,
    job::{short_id, state},
    printer,
    queue::work,
    table::{Block, Cell, Table, Tone},
    time::{Clock, duration},
};

/// One screen: queues, printers, what needs a person.
pub(crate) fn screen(status: &Status, clock: &Clock) -> Vec<Block> {
    let mut blocks = vec![Block::Facts(vec![
        ("host", Cell::new(&status.host)),
        ("identity", Cell::new(&status.fingerprint)),
        (
            "as of",
            Cell::both(clock.short(&status.as_of), &status.as_of),
        ),
    ])];
    blocks.push(Block::Note(String::new()));
    blocks.push(Block::Table(Table {
        label: Some("queue"),
        head: vec!["QUEUE", "OPEN", "HOSTS"],
        rows: status.queues.iter().map(queue_row).collect(),
    }));
    blocks.push(Block::Note(String::new()));
    if status.printers.is_empty() {
        blocks.push(Block::Note("no printers".to_owned()));
    } else {
        let mut table = printer::table(&status.printers);
        table.label = Some("printer");
        blocks.push(Block::Table(table));
    }
    if !status.needs_you.is_empty() {
        blocks.push(Block::Note(String::new()));
        let rows = status.needs_you.iter().map(|need| {
            vec![
                Cell::new(&need.text).tone(Tone::Warn),
                Cell::new(&need.command),
            ]
        });
        blocks.push(Block::Table(Table {
            label: Some("needs-you"),
            head: vec!["NEEDS YOU", "COMMAND"],
            rows: rows.collect(),
        }));
    }
    blocks.extend(freshness(&status.sync));
    blocks
}

fn queue_row(queue: &Queue) -> Vec<Cell> {
    let open = match (queue.jobs_open, queue.copies_open) {
        (0, _) => "empty".to_owned(),
        (jobs, copies) => work(jobs, copies),
    };
    let hosts = match queue.sort.as_str() {
        "local" => "only this one".to_owned(),
        _ => queue
            .members
            .iter()
            .map(|peer| match peer.marks.first() {
                Some(mark) => format!("{} ({})", peer.host, mark.code),
                None => peer.host.clone(),
            })
            .collect::<Vec<_>>()
            .join(", "),
    };
    vec![Cell::new(&queue.name), open.into(), hosts.into()]
}

/// Ended prints.
pub(crate) fn history(list: &List<HistoryRow>, clock: &Clock) -> Vec<Block> {
    if list.items.is_empty() {
        return vec![Block::Note("nothing was printed yet".to_owned())];
    }
    let rows = list.items.iter().map(|row| {
        vec![
            Cell::both(clock.short(&row.at), &row.at),
            Cell::both(short_id(&row.job_id, 0), &row.job_id),
            Cell::new(&row.job),
            row.copy.to_string().into(),
            Cell::new(&row.file_name),
            Cell::new(&row.queue),
            format!("{}/{}", row.host, row.printer).into(),
            state(&row.result),
            Cell::both(
                row.took_s.map_or_else(|| "-".to_owned(), duration),
                row.took_s
                    .map(|seconds| seconds.to_string())
                    .unwrap_or_default(),
            ),
            Cell::maybe(row.note.as_ref()),
        ]
    });
    let mut blocks = vec![Block::Table(Table {
        label: None,
        head: vec![
            "WHEN", "JOB", "NAME", "COPY", "FILE", "QUEUE", "PRINTER", "RESULT", "TOOK", "NOTE",
        ],
        rows: rows.collect(),
    })];
    blocks.extend(freshness(&list.sync));
    blocks
}

/// Facts about the daemon.
pub(crate) fn daemon(daemon: &Daemon) -> Vec<Block> {
    vec![Block::Facts(vec![
        (
            "daemon",
            Cell::both(
                format!("running, pid {}", daemon.pid),
                daemon.pid.to_string(),
            ),
        ),
        ("version", Cell::new(&daemon.version)),
        ("host", Cell::new(&daemon.host)),
        ("home", Cell::new(&daemon.home)),
        (
            "up for",
            Cell::both(duration(daemon.uptime_s), daemon.uptime_s.to_string()),
        ),
        ("addresses", daemon.addresses.join(", ").into()),
        ("relays", relays(&daemon.relays)),
    ])]
}

/// Who outside the local network this host talks to, and what that one learns.
fn relays(relays: &[RelayUse]) -> Cell {
    if relays.is_empty() {
        return Cell::both("none: nothing leaves the local network", "");
    }
    let human = relays.iter().map(|relay| {
        let state = match relay.state.as_str() {
            "ending" => "wanted no more; connected until the daemon is started again",
            other => other,
        };
        let on_the_way = match relay.encrypted {
            true => "",
            false => "; not encrypted, whoever is on the way learns as much",
        };
        let note = relay
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!(": {note}"));
        format!("{} ({state}{note}{on_the_way})", relay.url)
    });
    let human = human.collect::<Vec<_>>().join(", ");
    let plain = relays
        .iter()
        .map(|relay| format!("{} {}", relay.url, relay.state));
    Cell::both(
        format!(
            "{human}: learns which hosts talk over it, from where, when and how much, and not what"
        ),
        plain.collect::<Vec<_>>().join(","),
    )
}
