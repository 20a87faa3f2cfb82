//! What will be printed when, as text.

use printmesh_api::reply::{Finish, Forecast};

use super::{
    freshness,
    table::{Block, Cell, Table, Tone},
    time::{Clock, duration},
};

/// When a job is done, in one cell.
pub(crate) fn finish(finish: Option<&Finish>, clock: &Clock) -> Cell {
    let Some(finish) = finish else {
        return Cell::both("-", "");
    };
    let plain = finish.at.clone().unwrap_or_default();
    let at = match &finish.at {
        Some(at) => clock.short(at),
        None => "?".to_owned(),
    };
    match finish.late_s {
        Some(late) => Cell::both(format!("{at}, {} late", duration(late)), plain).tone(Tone::Bad),
        None => Cell::both(at, plain),
    }
}

/// The same with the reason why nobody can know.
pub(crate) fn finish_or_why(told: &Finish, clock: &Clock) -> Cell {
    match &told.unknown {
        Some(why) => Cell::both(format!("? {why}"), ""),
        None => finish(Some(told), clock),
    }
}

/// The timeline, then when each job is done.
pub(crate) fn timeline(forecast: &Forecast, clock: &Clock) -> Vec<Block> {
    if forecast.jobs.is_empty() {
        let mut blocks = vec![Block::Note("nothing is left to print".to_owned())];
        blocks.extend(freshness(&forecast.sync));
        return blocks;
    }
    let time = |at: &String| Cell::both(clock.short(at), at);
    let prints = forecast.prints.iter().map(|print| {
        vec![
            time(&print.from),
            match &print.to {
                Some(to) => time(to),
                None => Cell::both("?", ""),
            },
            Cell::new(&print.printer),
            format!("{} #{}", print.job, print.copy).into(),
            Cell::new(&print.queue),
            Cell::new(match (&print.unknown, print.basis.as_str()) {
                (Some(why), _) => why.as_str(),
                (None, "measured") => "as it took there before",
                (None, "printer") => "estimate, corrected for this printer",
                (None, _) => "estimate",
            }),
            Cell::new(&print.job_id),
        ]
    });
    let jobs = forecast.jobs.iter().map(|job| {
        vec![
            Cell::new(&job.job),
            Cell::new(&job.queue),
            match (&job.finish.unknown, &job.finish.at) {
                (None, Some(at)) => time(at),
                _ => finish_or_why(&job.finish, clock),
            },
            match &job.due {
                Some(due) => time(due),
                None => Cell::both("-", ""),
            },
            match job.finish.late_s {
                Some(late) => Cell::both(duration(late), late.to_string()).tone(Tone::Bad),
                None => Cell::both("-", ""),
            },
            Cell::new(&job.id),
        ]
    });
    let mut blocks = vec![
        Block::Table(Table {
            label: Some("print"),
            head: vec![
                "FROM",
                "TO",
                "PRINTER",
                "COPY",
                "QUEUE",
                "TIME RESTS ON",
                "",
            ],
            rows: prints.collect(),
        }),
        Block::Note(String::new()),
        Block::Table(Table {
            label: Some("job"),
            head: vec!["JOB", "QUEUE", "DONE", "DUE", "LATE", ""],
            rows: jobs.collect(),
        }),
    ];
    blocks.push(Block::Note(match (&forecast.done_at, forecast.cut) {
        (_, true) => "there is more to come, further ahead than was looked".to_owned(),
        (Some(at), false) => format!("everything is done at {}", clock.short(at)),
        (None, false) => "when everything is done is not known".to_owned(),
    }));
    blocks.extend(freshness(&forecast.sync));
    blocks
}
