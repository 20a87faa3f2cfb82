//! Finds what a person meant: unique prefixes, names, positions. Never guesses: several matches are an error that
//! names them.

use printmesh_queue::{HostId, Job, JobId, JobState, PrinterId, QueueId};
use printmesh_schedule::job_status;

use crate::{
    node::Node,
    problem::{Code, Problem},
    records::QueueKind,
};

/// A job that moved has its name where it is now.
fn job_moved(job: &Job) -> bool {
    matches!(job.state, JobState::Moved { .. })
}

/// Fewer characters of a fingerprint than its first half say nothing: a host may be named `b`, and many keys begin so.
const FINGERPRINT_PREFIX: usize = 4;

/// As many characters of a job's id as lists show are the id and nothing else, whatever a job is named.
const JOB_ID_SHOWN: usize = 12;

/// The hosts that a person can mean: by the whole fingerprint that one, else by name or the fingerprint's beginning.
pub(crate) fn hosts_named<'a>(
    reference: &str,
    hosts: impl Iterator<Item = (HostId, &'a str)>,
) -> Vec<HostId> {
    let mut found = Vec::new();
    for (host, name) in hosts {
        let fingerprint = host.fingerprint();
        if fingerprint == reference {
            return vec![host];
        }
        let begins = reference.len() >= FINGERPRINT_PREFIX && fingerprint.starts_with(reference);
        if name == reference || begins {
            found.push(host);
        }
    }
    found
}

impl Node {
    /// Finds a queue of this host by name.
    ///
    /// # Errors
    /// `queue.unknown` with the names that exist.
    pub fn queue_named(&self, name: &str) -> Result<QueueId, Problem> {
        let names = self.queue_names();
        if let Some((id, _)) = names.iter().find(|(_, other)| *other == name) {
            return Ok(*id);
        }
        let known: Vec<&str> = names.values().map(String::as_str).collect();
        Err(Problem::new(
            Code::QueueUnknown,
            format!("this host has no queue `{name}`"),
        )
        .because(format!("it has: {}", known.join(", ")))
        .fix("printmesh queue list", "see the queues of this host")
        .fix("printmesh join TICKET", "join a queue of another host"))
    }

    /// Finds a shared queue by name.
    pub(crate) fn network_queue(&self, name: &str) -> Result<QueueId, Problem> {
        let id = self.queue_named(name)?;
        if self.queues[&id].record.kind == QueueKind::Local {
            return Err(
                Problem::new(Code::QueueFixed, "the queue `local` is this host's own")
                    .because("it cannot be shared, renamed or left")
                    .fix("printmesh queue create NAME", "make a queue to share"),
            );
        }
        Ok(id)
    }

    /// Finds a job: unique id prefix, `QUEUE#POSITION`, or a name that only one open job has, or, when none has it, only
    /// one that is over. A job that moved is found where it is now.
    ///
    /// # Errors
    /// `job.unknown`; `job.ambiguous` with the candidates.
    pub fn job_named(&self, reference: &str) -> Result<(QueueId, JobId), Problem> {
        let found = self.job_found(reference)?;
        Ok(self.follow_moves(found))
    }

    fn follow_moves(&self, mut found: (QueueId, JobId)) -> (QueueId, JobId) {
        // A job moves finitely often; the bound only keeps a hostile circle from hanging us.
        for _ in 0..64 {
            let JobState::Moved { to, .. } =
                self.queues[&found.0].doc.snapshot().jobs[&found.1].state
            else {
                break;
            };
            let next = self
                .queues
                .iter()
                .find(|(_, q)| q.doc.snapshot().jobs.contains_key(&to));
            match next {
                Some((queue, _)) => found = (*queue, to),
                None => break,
            }
        }
        found
    }

    fn job_found(&self, reference: &str) -> Result<(QueueId, JobId), Problem> {
        if let Some((queue, position)) = reference.split_once('#')
            && let Ok(position) = position.parse::<usize>()
        {
            let id = self.queue_named(queue)?;
            let jobs = crate::view::listed_jobs(self.queues[&id].doc.snapshot());
            return position
                .checked_sub(1)
                .and_then(|i| jobs.get(i))
                .map(|job| (id, job.id))
                .ok_or_else(|| {
                    Problem::new(
                        Code::JobUnknown,
                        format!("{queue} has no job at position {position}"),
                    )
                    .because(format!("it has {} jobs", jobs.len()))
                });
        }
        let all = || {
            let here = self.queues.iter().filter(|(_, queue)| !queue.record.left);
            here.flat_map(|(id, queue)| {
                queue
                    .doc
                    .snapshot()
                    .jobs
                    .values()
                    .map(move |job| (*id, job))
            })
        };
        let is_prefix =
            !reference.is_empty() && reference.bytes().all(|b| (b'k'..=b'z').contains(&b));
        let mut matches: Vec<_> = if is_prefix {
            all()
                .filter(|(_, job)| job.id.to_string().starts_with(reference))
                .collect()
        } else {
            Vec::new()
        };
        if matches.is_empty() || reference.len() < JOB_ID_SHOWN {
            // What is over gives way to what is not: a name may be used again.
            let (over, open): (Vec<_>, Vec<_>) = all()
                .filter(|(_, job)| job.name == reference && !job_moved(job))
                .partition(|(queue, job)| {
                    job_status(self.queues[queue].doc.snapshot(), job).is_over()
                });
            let named = if open.is_empty() { over } else { open };
            matches.retain(|(_, job)| job.name != reference);
            matches.extend(named);
        }
        match matches.as_slice() {
            [] => Err(
                Problem::new(Code::JobUnknown, format!("no job matches `{reference}`"))
                    .fix("printmesh jobs --all", "see all jobs"),
            ),
            [(queue, job)] => Ok((*queue, job.id)),
            several => {
                let names: Vec<String> = several
                    .iter()
                    .take(8)
                    .map(|(_, job)| format!("{} {}", &job.id.to_string()[..12], job.name))
                    .collect();
                let more = several.len().saturating_sub(8);
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                Err(Problem::new(
                    Code::JobAmbiguous,
                    format!("`{reference}` matches {} jobs", several.len()),
                )
                .because(format!("{}{more}", names.join(", ")))
                .fix("", "type more letters of the id"))
            }
        }
    }

    /// Finds a printer that this host can see: `name` or `host/name`.
    ///
    /// # Errors
    /// `printer.unknown`; `printer.ambiguous` with the candidates.
    pub fn printer_named(&self, reference: &str) -> Result<PrinterId, Problem> {
        let mut found: Vec<(PrinterId, String)> = Vec::new();
        for (id, full) in self.visible_printers() {
            if id.name == reference || full == reference {
                found.push((id, full));
            }
        }
        if let Some((id, _)) = found
            .iter()
            .find(|(id, full)| id.host == self.me && full != reference)
        {
            return Ok(id.clone());
        }
        match found.as_slice() {
            [] => Err(self.no_such_printer(reference)),
            [(id, _)] => Ok(id.clone()),
            several => {
                let names: Vec<&str> = several.iter().map(|(_, full)| full.as_str()).collect();
                Err(Problem::new(
                    Code::PrinterAmbiguous,
                    format!("`{reference}` names several printers"),
                )
                .because(names.join(", ")))
            }
        }
    }

    fn no_such_printer(&self, reference: &str) -> Problem {
        Problem::new(
            Code::PrinterUnknown,
            format!("there is no printer `{reference}`"),
        )
        .fix("printmesh printer list", "see the printers")
    }

    /// Finds a printer of this host.
    pub(crate) fn own_printer(&self, reference: &str) -> Result<String, Problem> {
        let name = reference
            .strip_prefix(&format!("{}/", self.host.name))
            .unwrap_or(reference);
        if self.printers.contains_key(name) {
            return Ok(name.to_owned());
        }
        let Ok(foreign) = self.printer_named(reference) else {
            return Err(self.no_such_printer(reference));
        };
        let host = self.visible_host_name(foreign.host);
        Err(Problem::new(
            Code::PrinterForeign,
            format!("{reference} is driven by {host}"),
        )
        .because("only its own host can change a printer")
        .fix("", format!("type the command on {host}")))
    }
}
