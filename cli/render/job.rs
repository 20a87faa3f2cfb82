//! Jobs as text.

use printmesh_api::reply::{Claim, Job, List, Set};

use super::{
    forecast, freshness,
    table::{Block, Cell, Table, Tone},
    time::{Clock, bytes, duration},
};

/// How many letters of an id people see; ids that need more to be unique show more.
const ID_LETTERS: usize = 8;

/// An id: short with its unique prefix marked, or whole for programs.
pub(crate) fn id(job: &Job) -> Cell {
    let prefix = job.unique_prefix as usize;
    Cell::both(short_id(&job.id, prefix), &job.id).tone(Tone::Prefix(prefix))
}

/// The letters of an id that people see.
pub(crate) fn short_id(id: &str, prefix: usize) -> String {
    id.chars().take(prefix.max(ID_LETTERS)).collect()
}

/// The table of jobs.
pub(crate) fn list(list: &List<Job>, clock: &Clock) -> Vec<Block> {
    if list.items.is_empty() {
        let mut blocks = vec![Block::Note("no jobs".to_owned())];
        blocks.extend(freshness(&list.sync));
        return blocks;
    }
    let rows = list.items.iter().map(|job| {
        let place = match job.position {
            Some(position) => format!("{}#{position}", job.queue),
            None => job.queue.clone(),
        };
        vec![
            id(job),
            place.into(),
            Cell::new(&job.name),
            Cell::both(copies(job), format!("{}/{}", job.copies_done, job.copies)),
            state(&job.state),
            Cell::both(where_or_why(job), job.reason.clone().unwrap_or_default()),
            Cell::new(&job.submitter),
            Cell::new(&job.created_at),
            forecast::finish(job.finish.as_ref(), clock),
        ]
    });
    let mut blocks = vec![Block::Table(Table {
        label: None,
        head: vec![
            "JOB",
            "PLACE",
            "NAME",
            "COPIES",
            "STATE",
            "WHERE / WHY",
            "BY",
            "",
            "DONE AT",
        ],
        rows: rows.collect(),
    })];
    blocks.extend(freshness(&list.sync));
    blocks
}

/// `2/3 ✓2 ~1 +1`: done of wanted; decided by the voters, not decided yet, and spare parts.
fn copies(job: &Job) -> String {
    let mut text = format!("{}/{}", job.copies_done, job.copies);
    let marks = [
        ("\u{2713}", job.certified),
        ("~", job.speculative),
        ("+", job.surplus),
    ];
    for (mark, count) in marks.into_iter().filter(|(_, count)| *count > 0) {
        text += &format!(" {mark}{count}");
    }
    text
}

/// A job in one line, for the answer to what changed it.
pub(crate) fn line(job: &Job) -> Block {
    let prefix = job.unique_prefix as usize;
    let copies = match job.copies {
        1 => "1 copy".to_owned(),
        copies => format!("{copies} copies"),
    };
    let why = where_or_why(job);
    let why = if why.is_empty() {
        why
    } else {
        format!(" ({why})")
    };
    Block::Record {
        human: format!(
            "{} {} in {}: {copies}, {}{why}",
            short_id(&job.id, prefix),
            job.name,
            job.queue,
            job.state
        ),
        plain: vec![
            job.id.clone(),
            job.queue.clone(),
            job.name.clone(),
            format!("{}/{}", job.copies_done, job.copies),
            job.state.clone(),
        ],
    }
}

/// Everything about a job; the reason per printer when asked for.
pub(crate) fn details(job: &Job, why: bool, clock: &Clock) -> Vec<Block> {
    let mut facts = vec![
        ("job", id(job)),
        ("name", Cell::new(&job.name)),
        (
            "queue",
            match job.position {
                Some(position) => format!("{}#{position}", job.queue).into(),
                None => Cell::new(&job.queue),
            },
        ),
        ("state", state(&job.state)),
        (
            "why",
            Cell::both(
                job.reason_text.clone().unwrap_or_else(|| "-".to_owned()),
                job.reason.clone().unwrap_or_default(),
            ),
        ),
        (
            "copies",
            match (job.certified, job.speculative, job.surplus) {
                (_, 0, 0) => format!("{}/{} done", job.copies_done, job.copies).into(),
                (certified, speculative, surplus) => format!(
                    "{}/{} done: {certified} certified, {speculative} speculative, {surplus} surplus",
                    job.copies_done, job.copies
                )
                .into(),
            },
        ),
        ("together", if job.together { "yes" } else { "no" }.into()),
        (
            "printers",
            match job.printers.is_empty() {
                true => Cell::both("any", ""),
                false => job.printers.join(", ").into(),
            },
        ),
        ("by", Cell::new(&job.submitter)),
        (
            "since",
            Cell::both(clock.short(&job.created_at), &job.created_at),
        ),
    ];
    if let Some(finish) = &job.finish {
        facts.push(("done at", forecast::finish_or_why(finish, clock)));
    }
    facts.extend(terms(job, clock));
    if let Some(other) = &job.moved_to {
        facts.push(("moved", Cell::new(other)));
    }
    let mut blocks = vec![Block::Facts(facts), Block::Note(String::new()), sets(job)];
    if !job.requests.is_empty() {
        blocks.extend([Block::Note(String::new()), requests(job, clock)]);
    }
    if !job.claims.is_empty() {
        blocks.extend([Block::Note(String::new()), claims(job, clock)]);
    }
    if why {
        blocks.extend([Block::Note(String::new()), reasons(job)]);
    }
    blocks
}

/// When and where it may print, as far as anybody has said.
fn terms(job: &Job, clock: &Clock) -> Vec<(&'static str, Cell)> {
    let terms = &job.terms;
    let date = |at: &String| Cell::both(clock.short(at), at);
    let word = |word: &str, usual: &str| {
        Some(Cell::new(word)).filter(|_| !word.is_empty() && word != usual)
    };
    let rows = [
        ("group", terms.group.as_ref().map(Cell::new)),
        ("backburner", terms.backburner.then(|| "yes".into())),
        (
            "anyway",
            terms
                .print_anyway
                .then(|| "though a spool seems to hold too little".into()),
        ),
        ("priority", word(&terms.priority, "normal")),
        ("due", terms.due.as_ref().map(date)),
        ("not before", terms.not_before.as_ref().map(date)),
        ("colour", word(&terms.color, "any")),
        ("tags", word(&terms.tags.join(", "), "")),
    ];
    let said = rows.into_iter();
    said.filter_map(|(name, cell)| Some((name, cell?)))
        .collect()
}

/// Where what was printed of a set lies.
fn path_of(set: &Set) -> Option<&String> {
    let others = set.alternatives.iter();
    set.path
        .as_ref()
        .or_else(|| others.filter_map(|other| other.path.as_ref()).next())
}

/// The file of a set, with the others that will do as well.
fn names_of(set: &Set) -> String {
    let others = set.alternatives.iter().map(|other| &other.file_name);
    let all: Vec<&str> = std::iter::once(&set.file_name)
        .chain(others)
        .map(String::as_str)
        .collect();
    all.join(" or ")
}

fn sets(job: &Job) -> Block {
    let rows = job.sets.iter().map(|set| {
        vec![
            Cell::new(names_of(set)),
            format!("×{}", set.per_run).into(),
            set.done.to_string().into(),
            Cell::both(
                set.estimate_s.map_or_else(|| "-".to_owned(), duration),
                set.estimate_s
                    .map(|seconds| seconds.to_string())
                    .unwrap_or_default(),
            ),
            Cell::maybe(set.material.as_ref()),
            Cell::both(bytes(set.bytes), set.bytes.to_string()),
            match (path_of(set), set.here) {
                (Some(path), _) => path.into(),
                (None, true) => "here".into(),
                (None, false) => Cell::both("not here yet", ""),
            },
            Cell::new(&set.hash),
        ]
    });
    Block::Table(Table {
        label: Some("set"),
        head: vec![
            "FILE",
            "PER COPY",
            "DONE",
            "TIME",
            "MATERIAL",
            "SIZE",
            "WHERE IT LIES",
            "",
        ],
        rows: rows.collect(),
    })
}

fn claims(job: &Job, clock: &Clock) -> Block {
    let rows = job.claims.iter().map(|claim| {
        vec![
            claim.copy.to_string().into(),
            claim.attempt.to_string().into(),
            format!("{}/{}", claim.host, claim.printer).into(),
            state(&claim.state),
            Cell::maybe(claim.progress.map(percent)),
            Cell::both(
                claim.left_s.map_or_else(|| "-".to_owned(), duration),
                claim
                    .left_s
                    .map(|seconds| seconds.to_string())
                    .unwrap_or_default(),
            ),
            Cell::both(clock.short(&claim.at), &claim.at),
            Cell::maybe(claim.note.as_ref()),
            mark(claim),
        ]
    });
    Block::Table(Table {
        label: Some("copy"),
        head: vec![
            "COPY", "TRY", "PRINTER", "STATE", "DONE", "LEFT", "SINCE", "NOTE", "VOTERS",
        ],
        rows: rows.collect(),
    })
}

fn requests(job: &Job, clock: &Clock) -> Block {
    let rows = job.requests.iter().map(|request| {
        vec![
            Cell::new(&request.kind),
            Cell::new(&request.by),
            Cell::both(clock.short(&request.since), &request.since),
            Cell::maybe(request.printer.as_ref()),
            Cell::new(&request.waits_for),
        ]
    });
    Block::Table(Table {
        label: Some("asked"),
        head: vec!["ASKED", "BY", "SINCE", "PRINTER", "WAITS FOR"],
        rows: rows.collect(),
    })
}

/// What the voters said about a print.
fn mark(claim: &Claim) -> Cell {
    match (claim.state.as_str(), claim.speculative, claim.credited_to) {
        ("credited", _, Some(copy)) => format!("counts as copy {copy}").into(),
        ("surplus", ..) => Cell::both("+1 surplus", "surplus").tone(Tone::Warn),
        (_, true, _) => Cell::both("~ speculative", "speculative").tone(Tone::Warn),
        ("started" | "printing" | "unknown" | "finished" | "failed", false, _) => {
            Cell::both("\u{2713} certified", "certified")
        }
        _ => "-".into(),
    }
}

fn reasons(job: &Job) -> Block {
    let rows = job.why.iter().map(|why| {
        vec![
            Cell::new(&why.printer),
            Cell::new(&why.code).tone(if why.code == "free" {
                Tone::Good
            } else {
                Tone::Plain
            }),
            Cell::new(&why.text),
            Cell::maybe(why.fix.as_ref()),
        ]
    });
    Block::Table(Table {
        label: Some("why"),
        head: vec!["PRINTER", "REASON", "", "FIX"],
        rows: rows.collect(),
    })
}

/// Where a job's copies are at work; when nowhere, why it waits.
pub(crate) fn where_or_why(job: &Job) -> String {
    let active: Vec<_> = job.claims.iter().filter(|claim| is_active(claim)).collect();
    if active.is_empty() {
        return job.reason_text.clone().unwrap_or_default();
    }
    let shown = active.iter().take(2).map(|claim| match claim.progress {
        Some(progress) => format!("{} {}", claim.printer, percent(progress)),
        None => format!("{} {}", claim.printer, claim.state),
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if active.len() > 2 {
        text += &format!(" and {} more", active.len() - 2);
    }
    let begun = u32::try_from(active.len()).unwrap_or(u32::MAX);
    let waiting = job
        .copies
        .saturating_sub(job.copies_done)
        .saturating_sub(begun);
    if waiting > 0 && !job.together {
        text += &format!(", then {waiting} more");
    }
    text
}

/// Whether a printer works on this copy now.
pub(crate) fn is_active(claim: &Claim) -> bool {
    matches!(
        claim.state.as_str(),
        "claimed" | "fetching" | "staged" | "started" | "printing"
    )
}

/// `42 %`.
pub(crate) fn percent(fraction: f32) -> String {
    format!("{:.0} %", fraction.clamp(0.0, 1.0) * 100.0)
}

/// A state with its tone; the word stays.
pub(crate) fn state(state: &str) -> Cell {
    let tone = match state {
        "claimed" | "fetching" | "staged" | "started" | "printing" | "done" | "finished" | "ok" => {
            Tone::Good
        }
        "needs-clear" | "clear-bed" | "unknown" | "paused" | "held" | "host-away"
        | "cancel-requested" | "move-requested" => Tone::Warn,
        "failed" | "fault" | "aborted" | "incompatible" => Tone::Bad,
        "draft" | "cancelled" | "moved" | "released" | "offline" | "away" => Tone::Dim,
        // Words of a newer daemon are shown as they are.
        _ => Tone::Plain,
    };
    Cell::new(state).tone(tone)
}
