//! The same request for several things: each is tried, each result is shown, the exit code says how many worked.

use std::{future::Future, io::BufRead};

use printmesh_api::{
    envelope::{envelope, versioned},
    problem::Problem,
    reply::Reply,
    request::Request,
};
use serde_json::{Value, json};

use crate::{
    context::Context,
    error::{exit, foreign, system, usage},
};

/// References as typed; `-` takes them from stdin, one per line or tab-separated row (the first field).
///
/// # Errors
/// When stdin cannot be read or brings nothing.
pub(crate) fn references(typed: &[String]) -> Result<Vec<String>, Problem> {
    if typed != ["-"] {
        return Ok(typed.to_vec());
    }
    let mut found = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| system("read stdin", &error))?;
        let first = line.split('\t').next().unwrap_or_default().trim();
        if !first.is_empty() {
            found.push(first.to_owned());
        }
    }
    match found.is_empty() {
        true => Err(usage("stdin named nothing")),
        false => Ok(found),
    }
}

/// Turns several job references into full ids before anything changes: `farm#2` means another job once `farm#1` is gone.
///
/// # Errors
/// The first reference that fits no job or several; nothing has changed then.
pub(crate) async fn pin(cx: &Context, jobs: Vec<String>) -> Result<Vec<String>, Problem> {
    if jobs.len() < 2 {
        return Ok(jobs);
    }
    let mut ids = Vec::new();
    for job in jobs {
        match cx.call(Request::JobShow { job }).await? {
            Reply::Job(job) => ids.push(job.id),
            _ => return Err(foreign("a job")),
        }
    }
    Ok(ids)
}

/// Asks once per item. One item answers as if it were asked alone.
///
/// # Errors
/// The problem of the only item, or of the first when none worked.
pub(crate) async fn each<F>(
    cx: &Context,
    items: Vec<String>,
    mut ask: impl FnMut(String) -> F,
) -> Result<u8, Problem>
where
    F: Future<Output = Result<Reply, Problem>>,
{
    let mut results = Vec::new();
    for item in items {
        let result = ask(item.clone()).await;
        results.push((item, result));
    }
    finish(cx, results)
}

/// Shows what came of several requests.
///
/// # Errors
/// The problem of the only item, or of the first when none worked.
pub(crate) fn finish(
    cx: &Context,
    mut results: Vec<(String, Result<Reply, Problem>)>,
) -> Result<u8, Problem> {
    if results.len() == 1
        && let Some((_, result)) = results.pop()
    {
        cx.output.reply(&result?)?;
        return Ok(exit::DONE);
    }
    let done = results.iter().filter(|(_, result)| result.is_ok()).count();
    let all = results.len();
    if cx.output.is_json() {
        let items: Vec<_> = results
            .iter()
            .map(|(item, result)| row(item, result))
            .collect();
        let list = || versioned(json!({"kind": "BatchResult", "items": items}));
        cx.output.answer(list, &[], Vec::new)?;
    } else {
        for (_, result) in &results {
            match result {
                Ok(reply) => cx.output.reply(reply)?,
                Err(problem) if done > 0 => cx.output.problem(problem),
                Err(_) => {}
            }
        }
    }
    let first = results.into_iter().find_map(|(_, result)| result.err());
    match first {
        None => Ok(exit::DONE),
        Some(problem) if done == 0 => Err(problem),
        Some(_) => {
            cx.output.note(&format!("{done} of {all} done"));
            Ok(exit::PARTLY)
        }
    }
}

fn row(item: &str, result: &Result<Reply, Problem>) -> Value {
    match result {
        Ok(reply) => json!({"ref": item, "ok": true, "result": envelope(reply), "problem": null}),
        Err(problem) => json!({"ref": item, "ok": false, "result": null, "problem": problem}),
    }
}
