//! Queues, members and tickets as text.

use printmesh_api::reply::{Join, List, Peer, Preview, Queue, Setting, Share, Voters};

use super::{
    freshness,
    job::state,
    table::{Block, Cell, Table, Tone},
    time::Clock,
};

/// The table of queues, in the order in which this host drains them.
pub(crate) fn list(list: &List<Queue>) -> Vec<Block> {
    let rows = list.items.iter().map(|queue| {
        vec![
            queue.position.to_string().into(),
            Cell::new(&queue.name),
            Cell::new(&queue.sort),
            queue.jobs_open.to_string().into(),
            queue.copies_open.to_string().into(),
            connected(queue).into(),
            Cell::new(&queue.role),
            Cell::both(note(queue), ""),
            Cell::new(&queue.id),
        ]
    });
    let mut blocks = vec![Block::Table(Table {
        label: None,
        head: vec![
            "#", "QUEUE", "KIND", "JOBS", "COPIES", "HOSTS", "ROLE", "NOTE", "",
        ],
        rows: rows.collect(),
    })];
    blocks.extend(freshness(&list.sync));
    blocks
}

/// `2/3`: members that are here now, of all; this host counts.
fn connected(queue: &Queue) -> String {
    let here = queue
        .members
        .iter()
        .filter(|peer| peer.me || peer.link == "connected");
    format!("{}/{}", here.count(), queue.members.len())
}

fn note(queue: &Queue) -> String {
    let mut notes = Vec::new();
    if !queue.voters_reachable {
        let voters = queue.voters.join(", ");
        notes.push(match queue.without_voters {
            true => format!("goes on without its voters: {voters} not reachable"),
            false => format!("no copy can start: {voters} not reachable"),
        });
    }
    if !queue.asking.is_empty() {
        let hosts: Vec<_> = queue
            .asking
            .iter()
            .map(|asking| asking.host.as_str())
            .collect();
        notes.push(format!("asks to join: {}", hosts.join(", ")));
    }
    notes.join("; ")
}

/// `1 job, 2 copies`.
pub(super) fn work(jobs: u32, copies: u32) -> String {
    let job = if jobs == 1 { "job" } else { "jobs" };
    let copy = if copies == 1 { "copy" } else { "copies" };
    format!("{jobs} {job}, {copies} {copy}")
}

/// One queue with its members and who asks to join.
pub(crate) fn one(queue: &Queue, clock: &Clock) -> Vec<Block> {
    let mut blocks = vec![Block::Facts(vec![
        ("queue", Cell::new(&queue.name)),
        ("id", Cell::new(&queue.id)),
        ("kind", Cell::new(&queue.sort)),
        ("strategy", Cell::new(&queue.strategy)),
        ("position", queue.position.to_string().into()),
        ("role", Cell::new(&queue.role)),
        (
            "holds key",
            if queue.holds_key { "yes" } else { "no" }.into(),
        ),
        (
            "epoch",
            Cell::both(
                format!("{}, {} changes since", queue.epoch, queue.changes),
                queue.epoch.to_string(),
            ),
        ),
        ("open", work(queue.jobs_open, queue.copies_open).into()),
        ("voters", queue.voters.join(", ").into()),
        (
            "voters here",
            match (queue.voters_reachable, queue.without_voters) {
                (true, _) => "yes".into(),
                (false, true) => Cell::both("no; printers go on without them", "no"),
                (false, false) => "no".into(),
            },
        ),
    ])];
    if !queue.settings.is_empty() {
        blocks.extend([Block::Note(String::new()), settings(&queue.settings)]);
    }
    if !queue.members.is_empty() {
        blocks.extend([
            Block::Note(String::new()),
            members(&queue.members, Some("member"), clock),
        ]);
    }
    if !queue.asking.is_empty() {
        let rows = queue.asking.iter().map(|asking| {
            vec![
                Cell::new(&asking.host).tone(Tone::Warn),
                Cell::new(&asking.fingerprint),
                Cell::new(&asking.code),
                Cell::both(
                    format!("printmesh member approve {} {}", queue.name, asking.host),
                    "",
                ),
            ]
        });
        blocks.extend([
            Block::Note(String::new()),
            Block::Table(Table {
                label: Some("asking"),
                head: vec!["ASKS TO JOIN", "KEY", "CODE", "LET IT IN"],
                rows: rows.collect(),
            }),
        ]);
    }
    blocks
}

/// What a change of settings would start now.
pub(crate) fn preview(preview: &Preview) -> Vec<Block> {
    if preview.printers.is_empty() {
        return vec![Block::Note(format!(
            "nothing would start otherwise in {} now",
            preview.queue
        ))];
    }
    let rows = preview.printers.iter().map(|change| {
        vec![
            Cell::new(&change.printer),
            Cell::maybe(change.now.as_ref()),
            Cell::maybe(change.then.as_ref()),
        ]
    });
    vec![Block::Table(Table {
        label: None,
        head: vec!["PRINTER", "STARTS NOW", "WOULD START"],
        rows: rows.collect(),
    })]
}

/// Who decides claims in a queue.
pub(crate) fn voters(voters: &Voters) -> Vec<Block> {
    let config = match voters.recoveries {
        0 => voters.config.to_string(),
        n => format!("{}, after {n} recovered", voters.config),
    };
    let choice = match voters.choice.as_str() {
        "fixed" => "set by a person",
        _ => "chosen by the hosts",
    };
    let me = match voters.me.as_str() {
        "serves" => "votes",
        "sealed" => "has sealed this configuration; others follow",
        "waits" => "takes in what the others hold",
        "parked" => "gave its vote away",
        _ => "does not vote",
    };
    let rows = voters.voters.iter().map(|voter| {
        let here = match (voter.me, voter.reachable, voter.decides) {
            (true, ..) => Cell::both("this host", "me"),
            (false, true, true) => Cell::both("answers", "connected").tone(Tone::Good),
            (false, true, false) => {
                Cell::both("answers, and decides nothing now", "mute").tone(Tone::Warn)
            }
            (false, false, _) => Cell::both("away", "away").tone(Tone::Warn),
        };
        vec![Cell::new(&voter.host), Cell::new(&voter.fingerprint), here]
    });
    let decides = match voters.reachable {
        true => Cell::new("yes"),
        false => Cell::new("no: too few of them answer").tone(Tone::Warn),
    };
    let mut facts = vec![
        ("queue", Cell::new(&voters.queue)),
        ("voters", choice.into()),
        ("change", config.into()),
        ("can decide", decides),
        ("this host", me.into()),
    ];
    if voters.changing {
        facts.push(("under way", "a change of the voters".into()));
    }
    vec![
        Block::Facts(facts),
        Block::Note(String::new()),
        Block::Table(Table {
            label: Some("voter"),
            head: vec!["VOTER", "KEY", "LINK"],
            rows: rows.collect(),
        }),
    ]
}

/// The settings of a queue; what nobody has changed says so.
fn settings(settings: &[Setting]) -> Block {
    let rows = settings.iter().map(|setting| {
        let source = if setting.default { "default" } else { "set" };
        vec![
            Cell::new(&setting.name),
            Cell::new(&setting.value),
            Cell::new(source).tone(if setting.default {
                Tone::Dim
            } else {
                Tone::Plain
            }),
            Cell::new(&setting.allowed),
        ]
    });
    Block::Table(Table {
        label: Some("setting"),
        head: vec!["SETTING", "VALUE", "", "MAY BE"],
        rows: rows.collect(),
    })
}

/// Members of a queue.
pub(crate) fn peers(list: &List<Peer>, clock: &Clock) -> Vec<Block> {
    let mut blocks = vec![members(&list.items, None, clock)];
    blocks.extend(freshness(&list.sync));
    blocks
}

fn members(peers: &[Peer], label: Option<&'static str>, clock: &Clock) -> Block {
    let rows = peers.iter().map(|peer| {
        let printers: Vec<_> = peer
            .printers
            .iter()
            .map(|printer| format!("{} {}", printer.name, printer.state))
            .collect();
        let link = match (peer.me, &peer.address) {
            (true, _) => Cell::both("this host", "me"),
            (false, Some(address)) => {
                Cell::both(format!("{} {address}", peer.link), &peer.link).tone(Tone::Good)
            }
            (false, None) if peer.link == "connected" => {
                Cell::both("connected over a relay", &peer.link).tone(Tone::Good)
            }
            (false, None) => state(&peer.link),
        };
        vec![
            Cell::new(&peer.host),
            Cell::new(&peer.fingerprint),
            Cell::new(&peer.role),
            link,
            Cell::maybe(peer.version.as_ref()),
            match (&peer.last_seen, peer.me || peer.link == "connected") {
                (_, true) => Cell::both("now", ""),
                (Some(seen), false) => Cell::both(
                    clock
                        .since(seen)
                        .map_or_else(|| seen.clone(), |ago| format!("{ago} ago")),
                    seen,
                ),
                (None, false) => Cell::both("never", ""),
            },
            printers.join(", ").into(),
            remark(peer),
            Cell::new(&peer.key),
        ]
    });
    Block::Table(Table {
        label,
        head: vec![
            "HOST", "KEY", "ROLE", "LINK", "VERSION", "SEEN", "PRINTERS", "NOTE", "",
        ],
        rows: rows.collect(),
    })
}

/// What speaks against a member comes first.
fn remark(peer: &Peer) -> Cell {
    let marks: Vec<&str> = peer.marks.iter().map(|mark| mark.text.as_str()).collect();
    let codes: Vec<&str> = peer.marks.iter().map(|mark| mark.code.as_str()).collect();
    match marks.is_empty() {
        true => Cell::maybe(peer.note.as_ref()),
        false => Cell::both(marks.join("; "), codes.join(",")).tone(Tone::Warn),
    }
}

/// A ticket: alone on its line, to be copied or piped.
pub(crate) fn share(share: &Share) -> Vec<Block> {
    match &share.ticket {
        Some(ticket) => vec![Block::Line(Cell::new(ticket))],
        None => {
            let until = share.expires.clone().unwrap_or_default();
            vec![Block::Line(Cell::both(
                format!(
                    "{} is open: hosts of this network that ask are let in as {}",
                    share.queue, share.role
                ),
                until,
            ))]
        }
    }
}

/// What came of joining.
pub(crate) fn join(join: &Join) -> Vec<Block> {
    let queue = join.queue.as_deref().unwrap_or("the queue");
    let host = join.host.as_deref().unwrap_or("a member");
    let human = match join.state.as_str() {
        "joined" => format!("joined {queue} ({host} let this host in)"),
        "already" => format!("already a member of {queue}"),
        "created" => format!("created {queue}: no host of this network offers one"),
        "asked" => match &join.code {
            Some(code) => format!("asked {host}; compare this code there: {code}"),
            None => format!("asked {host}"),
        },
        other => format!("{other}: {queue}"),
    };
    let plain = [
        Some(join.state.clone()),
        join.queue.clone(),
        join.host.clone(),
        join.code.clone(),
    ];
    vec![Block::Record {
        human,
        plain: plain.map(Option::unwrap_or_default).into(),
    }]
}
