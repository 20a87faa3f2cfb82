//! What the demo brought about: who printed what, and where the files lie.

use std::{collections::BTreeMap, path::Path};

use printmesh_api::{
    envelope::versioned,
    problem::Problem,
    reply::{HistoryRow, Job, Reply},
    request::Request,
};
use serde_json::json;

use super::{host::Host, prints_expected};
use crate::{
    context::Context,
    error::{code, exit, foreign},
    render::{
        job::state,
        table::{Block, Cell, Table},
        time::duration,
    },
};

/// A file in a host's `imports/`.
struct Imported {
    host: &'static str,
    job: String,
    file: String,
    path: String,
}

/// Shows both tables.
///
/// # Errors
/// When not every print is there and good, or a file is not where its host says.
pub(super) async fn show(
    cx: &Context,
    stage: &Path,
    hosts: &[&Host],
    jobs: &[Job],
) -> Result<(), Problem> {
    let prints = prints(hosts).await?;
    let files = imported(hosts, jobs).await?;
    let json = || {
        let files = files.iter().map(|file| {
            json!({"host": file.host, "job": file.job, "fileName": file.file, "path": file.path})
        });
        versioned(json!({"kind": "Demo", "prints": prints, "files": files.collect::<Vec<_>>()}))
    };
    let ids: Vec<_> = jobs.iter().map(|job| job.id.clone()).collect();
    cx.output.answer(json, &ids, || {
        vec![
            Block::Note(String::new()),
            Block::Table(prints_table(&prints)),
            Block::Note(String::new()),
            Block::Table(files_table(stage, &files)),
            Block::Note(String::new()),
        ]
    })?;
    judge(&prints, &files)
}

fn judge(prints: &[HistoryRow], files: &[Imported]) -> Result<(), Problem> {
    let failed = |title: String| Err(Problem::new(code::DEMO, exit::FAILED, title));
    if let Some(bad) = prints.iter().find(|print| print.result != "ok") {
        return failed(format!(
            "{} on {}: {}",
            bad.file_name, bad.printer, bad.result
        ));
    }
    if prints.len() != prints_expected() {
        return failed(format!(
            "{} prints, not {}",
            prints.len(),
            prints_expected()
        ));
    }
    match files.iter().find(|file| !Path::new(&file.path).is_file()) {
        Some(gone) => failed(format!("{} is not at {}", gone.file, gone.path)),
        None if files.is_empty() => failed("no host says where its files lie".to_owned()),
        None => Ok(()),
    }
}

/// The prints of both hosts in the order of their end; one that both know of counts once.
async fn prints(hosts: &[&Host]) -> Result<Vec<HistoryRow>, Problem> {
    let mut rows = BTreeMap::new();
    for host in hosts {
        let request = Request::History {
            queue: None,
            printer: None,
            limit: 0,
        };
        let Reply::History(list) = host.call(request).await? else {
            return Err(foreign("the history"));
        };
        for row in list.items {
            let key = (
                row.at.clone(),
                row.host.clone(),
                row.printer.clone(),
                row.job_id.clone(),
            );
            rows.insert((key, row.copy, row.file_name.clone()), row);
        }
    }
    Ok(rows.into_values().collect())
}

async fn imported(hosts: &[&Host], jobs: &[Job]) -> Result<Vec<Imported>, Problem> {
    let mut found = Vec::new();
    for host in hosts {
        for job in jobs {
            let job = job.id.clone();
            let Reply::Job(job) = host.call(Request::JobShow { job }).await? else {
                return Err(foreign("a job"));
            };
            let files = job.sets.into_iter().filter_map(|set| {
                Some(Imported {
                    host: host.name,
                    job: job.name.clone(),
                    file: set.file_name,
                    path: set.path?,
                })
            });
            found.extend(files);
        }
    }
    Ok(found)
}

fn prints_table(prints: &[HistoryRow]) -> Table {
    let rows = prints.iter().map(|print| {
        vec![
            Cell::new(&print.job),
            print.copy.to_string().into(),
            Cell::new(&print.file_name),
            Cell::new(&print.host),
            Cell::new(&print.printer),
            state(&print.result),
            Cell::both(
                print.took_s.map_or_else(|| "-".to_owned(), duration),
                print
                    .took_s
                    .map(|seconds| seconds.to_string())
                    .unwrap_or_default(),
            ),
        ]
    });
    Table {
        label: Some("print"),
        head: vec!["JOB", "COPY", "FILE", "HOST", "PRINTER", "RESULT", "TIME"],
        rows: rows.collect(),
    }
}

fn files_table(stage: &Path, files: &[Imported]) -> Table {
    let rows = files.iter().map(|file| {
        vec![
            file.host.into(),
            Cell::new(&file.job),
            Cell::new(&file.file),
            Cell::both(below(stage, &file.path), &file.path),
        ]
    });
    Table {
        label: Some("file"),
        head: vec!["HOST", "JOB", "FILE", "LIES AT"],
        rows: rows.collect(),
    }
}

/// The path as seen from the demo's directory, which has a random name and is gone afterwards.
fn below(stage: &Path, path: &str) -> String {
    let below = Path::new(path).strip_prefix(stage);
    below.map_or_else(|_| path.to_owned(), |below| below.display().to_string())
}
