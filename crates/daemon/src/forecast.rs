//! Answers when things will be done. What the node knows is copied out of the loop, and worked out beside it: that takes
//! longer than the node may stand still.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use printmesh_api::{
    problem::Problem,
    reply::{self, Forecast, ForecastJob, ForecastPrint, Learned, Reply},
};
use printmesh_queue::{JobId, PrinterId, Snapshot, Timestamp};
use printmesh_schedule::{Assume, Basis, Finish, Outlook, Times, file_for, simulate};
use tokio::sync::Mutex;

use crate::{
    clock::{self, rfc3339},
    convert,
    limits::{PRINTS_MAX, PRINTS_SHOWN_MAX},
    problems,
    serve::Door,
};

/// Finding out again each time is cheap below this.
const CHEAP: Duration = Duration::from_millis(100);

/// What took longer is true for so many times as long: who asks again and again does not wait each time.
const KEPT: u32 = 20;

/// When jobs are done as it was found last: when, and how long that took.
type Found = (Instant, Duration, Arc<BTreeMap<String, reply::Finish>>);

/// See [`Found`].
#[derive(Default)]
pub(crate) struct Finishes(Mutex<Option<Found>>);

/// What is known, with the names of its lines.
struct Known {
    outlook: Outlook,
    queues: Vec<String>,
    sync: reply::Sync,
}

impl Door {
    async fn known(&self) -> Result<Known, Problem> {
        self.mind
            .read(|node| Known {
                outlook: node.outlook(clock::now()),
                queues: node.queues().into_iter().map(|(name, _)| name).collect(),
                sync: convert::sync(node),
            })
            .await
    }

    /// Says of jobs that are not done when they will be.
    pub(crate) async fn with_finish(&self, mut reply: Reply) -> Result<Reply, Problem> {
        let mut jobs: Vec<&mut reply::Job> = if let Reply::Job(job) = &mut reply {
            vec![job]
        } else if let Reply::JobList(list) = &mut reply {
            list.items.iter_mut().collect()
        } else {
            return Ok(reply);
        };
        jobs.retain(|job| !is_over(&job.state));
        if jobs.is_empty() {
            return Ok(reply);
        }
        let finishes = self.finishes().await?;
        for job in jobs {
            job.finish = finishes.get(&job.id).cloned();
        }
        Ok(reply)
    }

    /// When each job is done that is not; one at a time, and from memory while finding out takes long.
    async fn finishes(&self) -> Result<Arc<BTreeMap<String, reply::Finish>>, Problem> {
        let mut last = self.finishes.0.lock().await;
        if let Some((at, took, found)) = &*last
            && *took > CHEAP
            && at.elapsed() < *took * KEPT
        {
            return Ok(Arc::clone(found));
        }
        let begin = Instant::now();
        let known = self.known().await?;
        let assume = Assume {
            prints_max: PRINTS_SHOWN_MAX,
            ..assume(None, None)
        };
        let found = off_the_loop(move || {
            let forecast = simulate(&known.outlook, &assume);
            let finishes = forecast.jobs.iter().filter_map(|(id, finish)| {
                let line = line_of(&known.outlook, *id)?;
                Some((id.to_string(), said(line, &line.snapshot, *id, finish)))
            });
            Arc::new(finishes.collect::<BTreeMap<_, _>>())
        })
        .await?;
        let now = Instant::now();
        *last = Some((now, now - begin, Arc::clone(&found)));
        Ok(found)
    }

    /// What will be printed when.
    pub(crate) async fn simulate(
        &self,
        queue: Option<String>,
        turnaround_s: Option<u64>,
        until_ms: Option<u64>,
    ) -> Result<Reply, Problem> {
        let only = match queue {
            None => None,
            Some(name) => {
                let found = self
                    .mind
                    .read(move |node| node.queue_named(&name).map(|_| name));
                Some(found.await?.map_err(problems::from_core)?)
            }
        };
        let known = self.known().await?;
        let assume = assume(turnaround_s, until_ms);
        let forecast = off_the_loop(move || {
            let found = simulate(&known.outlook, &assume);
            told(&known, &found, turnaround_s, only.as_deref())
        });
        forecast.await.map(Reply::Forecast)
    }
}

fn assume(turnaround_s: Option<u64>, until_ms: Option<u64>) -> Assume {
    Assume {
        turnaround_ms: turnaround_s.map(|s| s.saturating_mul(1000)),
        until: until_ms.map(Timestamp),
        prints_max: PRINTS_MAX,
    }
}

async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        problems::new("daemon.failed", 1, "the forecast could not be made")
            .because(error.to_string())
    })
}

fn is_over(state: &str) -> bool {
    matches!(state, "done" | "failed" | "cancelled" | "moved")
}

fn line_of(outlook: &Outlook, job: JobId) -> Option<&printmesh_schedule::Line> {
    let mut lines = outlook.lines.iter();
    lines.find(|line| line.snapshot.jobs.contains_key(&job))
}

fn said(
    line: &printmesh_schedule::Line,
    snapshot: &Snapshot,
    job: JobId,
    finish: &Finish,
) -> reply::Finish {
    let due = snapshot.jobs.get(&job).and_then(|job| job.terms.due);
    let unknown = match finish {
        Finish::At(_) => None,
        Finish::NoEstimate(file) => Some(no_estimate(file)),
        Finish::Behind(file) => Some(format!(
            "waits behind a print of {file}: {}",
            no_estimate(file)
        )),
        Finish::Waits => Some("as things are, nothing starts all of it".to_owned()),
        Finish::Beyond => Some("further ahead than was looked".to_owned()),
    };
    reply::Finish {
        at: match finish {
            Finish::At(at) => Some(rfc3339(*at)),
            Finish::NoEstimate(_) | Finish::Behind(_) | Finish::Waits | Finish::Beyond => None,
        },
        unknown,
        late_s: due
            .and_then(|due| finish.late_ms(due, line.presence.now))
            .map(|ms| ms.div_ceil(1000)),
    }
}

fn no_estimate(file: &str) -> String {
    format!("nobody knows how long {file} takes")
}

fn told(
    known: &Known,
    found: &printmesh_schedule::Forecast,
    turnaround_s: Option<u64>,
    only: Option<&str>,
) -> Forecast {
    let lines = &known.outlook.lines;
    let wanted = |queue: &str| only.is_none_or(|only| only == queue);
    let name = |snapshot: &Snapshot, id: &PrinterId| {
        format!("{}/{}", snapshot.host_name(id.host), id.name)
    };
    let mut times = Times::default();
    for line in lines {
        times.learn(&line.snapshot);
    }
    let mut learned = BTreeSet::new();
    let mut prints = Vec::new();
    for print in &found.prints {
        let (snapshot, queue) = (&lines[print.line].snapshot, &known.queues[print.line]);
        let Some(job) = snapshot.jobs.get(&print.copy.job).filter(|_| wanted(queue)) else {
            continue;
        };
        let printer = name(snapshot, &print.printer);
        for set in &job.sets {
            let file = file_for(snapshot, job, set, &print.printer);
            if let Some(file) = file
                && let Some(ratio) = times.ratio(file.hash, &print.printer)
            {
                learned.insert((file.name.clone(), printer.clone(), ratio));
            }
        }
        prints.push(ForecastPrint {
            printer,
            job_id: job.id.to_string(),
            job: job.name.clone(),
            queue: queue.clone(),
            copy: print.copy.index + 1,
            begun: print.begun,
            from: rfc3339(print.from),
            to: print.to.as_ref().ok().map(|(to, _)| rfc3339(*to)),
            basis: match &print.to {
                Ok((_, Basis::Measured)) => "measured",
                Ok((_, Basis::Printer)) => "printer",
                Ok((_, Basis::Slicer)) => "slicer",
                Err(_) => "none",
            }
            .to_owned(),
            unknown: print.to.as_ref().err().map(|file| no_estimate(file)),
        });
    }
    let mut jobs = Vec::new();
    for (line, queue) in lines.iter().zip(&known.queues) {
        for job in line.snapshot.jobs_in_order() {
            let Some(finish) = found.jobs.get(&job.id).filter(|_| wanted(queue)) else {
                continue;
            };
            jobs.push(ForecastJob {
                id: job.id.to_string(),
                job: job.name.clone(),
                queue: queue.clone(),
                due: job.terms.due.map(rfc3339),
                finish: said(line, &line.snapshot, job.id, finish),
            });
        }
    }
    let all_known = jobs.iter().all(|job| job.finish.at.is_some());
    let last = jobs.iter().filter_map(|job| job.finish.at.clone()).max();
    let learned = learned.into_iter();
    Forecast {
        as_of: rfc3339(clock::now().wall),
        sync: known.sync.clone(),
        turnaround_s,
        done_at: last.filter(|_| all_known),
        cut: found.cut,
        prints,
        jobs,
        learned: learned
            .map(|(file_name, printer, per_mille)| Learned {
                file_name,
                printer,
                per_mille,
            })
            .collect(),
    }
}
