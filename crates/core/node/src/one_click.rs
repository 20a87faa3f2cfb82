//! 1-Click: what `match` would start now, on which printers, and starting exactly that. The plan is the one that printers follow
//! by themselves; only printers that do not start by themselves take part as well.
//!
//! A plan has an id made of what it would start. Starting one asks each printer's host for one copy under one attempt, now or
//! not at all: two presses, or two people on two hosts, start nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{JobId, PrinterId, QueueId, Role, Wanted};
use printmesh_schedule::{Reason, Start, one_click, passed_over};

use crate::{
    effect::Answer,
    input::Now,
    limits::MATCH_MS,
    node::Node,
    problem::{Code, Problem},
};

/// What `match` is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchAsk {
    /// Only this queue; `None` = all, in the host's order.
    pub queue: Option<String>,
    /// Only these printers, `name` or `host/name`; empty = all.
    pub printers: Vec<String>,
    /// At most so many starts.
    pub limit: Option<u32>,
}

/// What `match` would start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchPlan {
    /// Changes with what would start.
    pub id: String,
    /// What starts, in the order in which it is dealt.
    pub starts: Vec<(QueueId, Start)>,
    /// Printers that were meant and start nothing, each with its queue and why.
    pub waits: BTreeMap<PrinterId, (QueueId, Reason)>,
    /// How many jobs each printer that starts something passes over for it, where that is any.
    pub passed: BTreeMap<PrinterId, usize>,
}

impl Node {
    /// Returns what `match` would start now.
    ///
    /// # Errors
    /// `queue.unknown`, `printer.unknown`.
    pub fn match_plan(&self, ask: &MatchAsk, now: Now) -> Result<MatchPlan, Problem> {
        let queues = match &ask.queue {
            Some(name) => vec![self.queue_named(name)?],
            None => self.queues_in_order(),
        };
        let named = ask.printers.iter().map(|name| self.printer_named(name));
        let named: BTreeSet<PrinterId> = named.collect::<Result<_, _>>()?;
        let limit = ask.limit.map_or(usize::MAX, |limit| limit as usize);
        let mut at_work = self.at_work();
        let mut starts: Vec<(QueueId, Start)> = Vec::new();
        let (mut waits, mut passed) = (BTreeMap::new(), BTreeMap::new());
        for queue in queues {
            let snapshot = self.queues[&queue].doc.snapshot();
            let mut presence = self.presence_at(queue, now);
            presence.busy.extend(at_work.iter().cloned());
            let meant = |id: &PrinterId| named.is_empty() || named.contains(id);
            let plan = one_click(snapshot, &presence, meant);
            for start in plan.starts {
                if starts.len() < limit {
                    at_work.insert(start.printer.clone());
                    waits.remove(&start.printer);
                    let job = start.open.copy.job;
                    let count = passed_over(snapshot, &presence, &start.printer, job);
                    passed.extend((count > 0).then(|| (start.printer.clone(), count)));
                    starts.push((queue, start));
                }
            }
            for (id, row) in plan.printers {
                if let Err(reason) = row
                    && meant(&id)
                    && !starts.iter().any(|(_, start)| start.printer == id)
                {
                    waits.entry(id).or_insert((queue, reason));
                }
            }
        }
        let id = self.plan_id(&starts);
        Ok(MatchPlan {
            id,
            starts,
            waits,
            passed,
        })
    }

    /// Printers that work on something in any queue, as far as this host sees.
    fn at_work(&self) -> BTreeSet<PrinterId> {
        let claims = self.queues.values().filter(|queue| !queue.record.left);
        let claims = claims
            .flat_map(|queue| queue.doc.snapshot().claims.values())
            .flat_map(BTreeMap::values);
        let active = claims.filter(|claim| claim.host != self.me && claim.record.state.is_active());
        active
            .map(|claim| PrinterId {
                host: claim.host,
                name: claim.record.printer.clone(),
            })
            .collect()
    }

    fn plan_id(&self, starts: &[(QueueId, Start)]) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"printmesh match plan 1");
        for (queue, start) in starts {
            let copy = start.open.copy;
            let job = &self.queues[queue].doc.snapshot().jobs[&copy.job];
            hasher.update(&queue.0);
            hasher.update(&copy.job.0);
            hasher.update(&copy.index.to_be_bytes());
            hasher.update(&start.open.attempt.to_be_bytes());
            hasher.update(&job.spec_hash());
            hasher.update(&start.printer.host.0);
            hasher.update(&(start.printer.name.len() as u64).to_be_bytes());
            hasher.update(start.printer.name.as_bytes());
        }
        data_encoding::HEXLOWER.encode(&hasher.finalize().as_bytes()[..4])
    }

    /// `match --plan`: starts what a plan says, if it still says so.
    ///
    /// # Errors
    /// `plan.changed`; `member.role` when a job or a printer is another host's and this host is no operator.
    pub(crate) fn match_start(&mut self, ask: &MatchAsk, id: &str) -> Result<Answer, Problem> {
        let plan = self.match_plan(ask, self.now)?;
        if plan.id != id {
            let title = "nothing was started: the plan has changed";
            let why = format!("now it is {}, with {}", plan.id, prints(plan.starts.len()));
            return Err(Problem::new(Code::PlanChanged, title)
                .because(why)
                .fix("printmesh match", "see what would start now"));
        }
        for (queue, start) in &plan.starts {
            let job = &self.queues[queue].doc.snapshot().jobs[&start.open.copy.job];
            // As strict as the printer's host is (`requests/asked.rs`), so that nobody is asked in vain.
            if job.submitter != self.me || start.printer.host != self.me {
                self.require(*queue, Role::Operator)?;
            }
        }
        let mut wanted: BTreeMap<QueueId, Vec<(JobId, Wanted)>> = BTreeMap::new();
        for (queue, start) in &plan.starts {
            let open = start.open;
            let start = Wanted::Start {
                host: start.printer.host,
                printer: start.printer.name.clone(),
                copy: Some((open.copy.index, open.attempt)),
            };
            wanted
                .entry(*queue)
                .or_default()
                .push((open.copy.job, start));
        }
        for (queue, wanted) in wanted {
            self.ask_to_match(queue, wanted)?;
        }
        let text = match plan.starts.len() {
            0 => "there is nothing to start".to_owned(),
            n => format!("asked for {}", prints(n)),
        };
        Ok(Answer::Done {
            already: plan.starts.is_empty(),
            text,
        })
    }

    /// Notes when requests for one copy were first seen: they are for now or for nothing. What was there before this
    /// host looked is nobody's wish any more.
    pub(crate) fn note_matches(&mut self, stale: bool) {
        let now_ms = self.now.mono_ms;
        let mut there = BTreeSet::new();
        for (queue, entry) in &self.queues {
            for (id, request) in &entry.doc.snapshot().requests {
                if let Wanted::Start {
                    host,
                    copy: Some(_),
                    ..
                } = &request.wanted
                    && *host == self.me
                {
                    there.insert((*queue, id.clone()));
                }
            }
        }
        if there.is_empty() && self.matches.is_empty() {
            return;
        }
        self.matches.retain(|request, _| there.contains(request));
        for request in there {
            let seen = self.matches.entry(request).or_insert(Some(now_ms));
            if stale {
                *seen = None;
            }
        }
    }

    /// Whether a request for one copy was seen so lately that whoever asked is still standing there. Clocks that are far apart
    /// make it old: nothing starts then.
    pub(crate) fn is_fresh(&self, queue: QueueId, wish: &printmesh_schedule::Wish<'_>) -> bool {
        let seen = self.matches.get(&(queue, wish.id.clone())).copied();
        let seen = seen.flatten();
        let lately = seen.is_some_and(|at| at + MATCH_MS > self.now.mono_ms);
        lately && wish.request.at.0.abs_diff(self.now.wall.0) < CLOCKS_MS
    }
}

/// Clocks of two hosts, or of one host then and now, are not further apart.
const CLOCKS_MS: u64 = 10 * 60 * 1000;

fn prints(n: usize) -> String {
    match n {
        1 => "1 print".to_owned(),
        n => format!("{n} prints"),
    }
}
