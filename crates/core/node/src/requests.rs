//! What this host asks of others through the document: to stop prints, to leave a job alone that is to be taken out,
//! to start a job on their printer. Only the asker writes and deletes a request; who is asked answers by its own records.
//!
//! Each request of this host has an entry in its journal, so that it is carried through over any restart. What the
//! asked host does about it is in `asked.rs` beside this file.

mod asked;
mod drive;
mod shown;

use printmesh_queue::{
    HostId, JobId, PrinterId, QueueId, Request, RequestId, Role, Timestamp, Wanted,
};
use serde::{Deserialize, Serialize};

use crate::{
    effect::Answer,
    event::Event,
    limits::{MATCH_MS, ROUND_MS},
    node::Node,
    problem::{Code, Problem},
    queues::touches,
    records::{self, Then, key},
};

/// What the journal keeps of a request of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestRecord {
    /// What follows once the job may be taken out; nothing for a start.
    pub(crate) then: Option<Then>,
    /// For a start: claims of that printer up to this ballot were there before.
    pub(crate) above: u64,
}

/// A request of this host.
pub(crate) struct OwnRequest {
    pub(crate) record: RequestRecord,
    /// The command to answer, and until when it waits for more than the promise to go on.
    pub(crate) command: Option<(u64, u64)>,
    /// Not tried again before.
    pub(crate) again_ms: u64,
    /// For a start of one copy: taken back then. Never kept over a restart.
    pub(crate) until_ms: Option<u64>,
}

/// A request about a job, as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// `stop`, `cancel`, `move` or `start`.
    pub kind: &'static str,
    /// Who asks.
    pub by: HostId,
    /// Since when, by the asker's clock.
    pub since: Timestamp,
    /// For a start: the printer.
    pub printer: Option<PrinterId>,
    /// What it waits for, in plain words.
    pub waits_for: String,
}

impl Node {
    /// `job cancel --stop`: asks every host that prints the job to stop, and takes it out after that.
    pub(crate) fn job_stop(&mut self, id: u64, reference: &str) -> Result<(), Problem> {
        let (queue, job) = self.job_named(reference)?;
        let snapshot = self.queues[&queue].doc.snapshot();
        if snapshot.begun_claim_of(job).is_none() {
            return self.job_cancel(id, reference);
        }
        self.may_take_out(queue, job)?;
        if let Some(asked) = self.own_request(queue, job, &Wanted::Stop) {
            return self.asked_before(id, queue, &asked);
        }
        self.ask_for(Some(id), queue, job, Wanted::Stop, Some(Then::Cancel))
    }

    /// `job start`: the printer's host puts the job first there.
    pub(crate) fn job_start(&mut self, reference: &str, printer: &str) -> Result<Answer, Problem> {
        let (queue, job) = self.job_named(reference)?;
        let printer = self.printer_named(printer)?;
        let snapshot = self.queues[&queue].doc.snapshot();
        let entry = &snapshot.jobs[&job];
        let status = printmesh_schedule::job_status(snapshot, entry);
        if status.is_over() {
            let why = format!("{} is not waiting in a queue any more", entry.name);
            return Err(Problem::new(Code::JobOver, why));
        }
        if status == printmesh_schedule::JobStatus::Failed {
            let why = printmesh_schedule::no_copy_left(snapshot, entry).text();
            let problem = Problem::new(
                Code::JobOver,
                format!("no copy of {} is left to make", entry.name),
            );
            let again = format!("printmesh job resolve {} --retry", &job.to_string()[..8]);
            return Err(problem.because(why).fix(again, "have it tried once more"));
        }
        if entry.submitter != self.me {
            self.require(queue, Role::Operator)?;
        }
        let full = format!("{}/{}", snapshot.host_name(printer.host), printer.name);
        if let Some(reason) = self.never_starts(queue, entry, &printer) {
            let title = format!("{full} does not start {}", entry.name);
            let problem = Problem::new(Code::PrinterRefuses, title).because(reason.text());
            return Err(problem.fix(
                format!("printmesh job show {} --why", &job.to_string()[..8]),
                "see what each printer says",
            ));
        }
        let wanted = Wanted::Start {
            host: printer.host,
            printer: printer.name.clone(),
            copy: None,
        };
        let name = entry.name.clone();
        let already = self.own_request(queue, job, &wanted).is_some();
        if !already {
            let claims = snapshot.claims.values().flat_map(|claims| claims.values());
            let of_printer = claims
                .filter(|claim| claim.host == printer.host && claim.record.printer == printer.name);
            let above = of_printer.map(|claim| claim.record.ballot.n).max();
            self.put_request(queue, job, wanted, None, above.unwrap_or(0), None)?;
        }
        let entry = &self.queues[&queue].doc.snapshot().jobs[&job];
        let now = match self.waits_to_start(queue, entry, &printer) {
            None => String::new(),
            Some(reason) => format!("; now {}", reason.text()),
        };
        Ok(Answer::Done {
            already,
            text: format!("{name} is next on {full}{now}"),
        })
    }

    /// Makes a request that takes a job out, and answers a command that need not wait for the end.
    pub(crate) fn ask_for(
        &mut self,
        command: Option<u64>,
        queue: QueueId,
        job: JobId,
        wanted: Wanted,
        then: Option<Then>,
    ) -> Result<(), Problem> {
        // Somebody who can be reached may have done it in a moment.
        let soon = self.away(queue, job, &wanted).is_empty();
        let waiting = command.filter(|_| soon);
        let id = self.put_request(queue, job, wanted, then, 0, waiting)?;
        if let Some(command) = command.filter(|_| !soon) {
            let text = self.asked_text(queue, &id);
            self.reply(command, Ok(asked(false, text)));
        }
        Ok(())
    }

    fn put_request(
        &mut self,
        queue: QueueId,
        job: JobId,
        wanted: Wanted,
        then: Option<Then>,
        above: u64,
        command: Option<u64>,
    ) -> Result<String, Problem> {
        let word = format!("{:016x}", u64::from_be_bytes(self.entropy.bytes()));
        let at = self.now.wall;
        // A job has one request of this host to take it out, and one to start it: the newest.
        let starts = |wanted: &Wanted| matches!(wanted, Wanted::Start { copy: None, .. });
        let is_start = starts(&wanted);
        let replaced: Vec<String> = self
            .own_requests(queue, job)
            .filter(|(_, request)| !matches!(request.wanted, Wanted::Start { copy: Some(_), .. }))
            .filter(|(_, request)| starts(&request.wanted) == is_start)
            .map(|(id, _)| id.id.clone())
            .collect();
        let request = Request { job, wanted, at };
        self.edit(queue, |edit| {
            for old in &replaced {
                edit.drop_request(old);
            }
            edit.put_request(&word, &request);
            Ok(())
        })?;
        for old in replaced {
            self.forget_request(queue, &old);
        }
        let record = RequestRecord { then, above };
        self.write(records::put(key::request(queue, &word), &record));
        let own = OwnRequest {
            record,
            command: command.map(|command| (command, self.now.mono_ms + ROUND_MS)),
            again_ms: 0,
            until_ms: None,
        };
        self.requests.insert((queue, word.clone()), own);
        Ok(word)
    }

    /// Makes the requests of `match` in one queue, all or none. What was asked before is not asked again.
    pub(crate) fn ask_to_match(
        &mut self,
        queue: QueueId,
        wanted: Vec<(JobId, Wanted)>,
    ) -> Result<(), Problem> {
        let mut requests = Vec::new();
        for (job, wanted) in wanted {
            if self.own_request(queue, job, &wanted).is_none() {
                let word = format!("{:016x}", u64::from_be_bytes(self.entropy.bytes()));
                let at = self.now.wall;
                requests.push((word, Request { job, wanted, at }));
            }
        }
        if requests.is_empty() {
            return Ok(());
        }
        self.edit(queue, |edit| {
            for (word, request) in &requests {
                edit.put_request(word, request);
            }
            Ok(())
        })?;
        for (word, _) in requests {
            let record = RequestRecord {
                then: None,
                above: 0,
            };
            self.write(records::put(key::request(queue, &word), &record));
            let own = OwnRequest {
                record,
                command: None,
                again_ms: 0,
                until_ms: Some(self.now.mono_ms + MATCH_MS),
            };
            self.requests.insert((queue, word), own);
        }
        Ok(())
    }

    fn own_requests(
        &self,
        queue: QueueId,
        job: JobId,
    ) -> impl Iterator<Item = (&RequestId, &Request)> {
        let requests = &self.queues[&queue].doc.snapshot().requests;
        requests
            .iter()
            .filter(move |(id, request)| id.host == self.me && request.job == job)
    }

    pub(crate) fn own_request(
        &self,
        queue: QueueId,
        job: JobId,
        wanted: &Wanted,
    ) -> Option<String> {
        self.own_requests(queue, job)
            .find(|(_, request)| request.wanted == *wanted)
            .map(|(id, _)| id.id.clone())
    }

    /// Answers a command that asks again for what was asked before.
    pub(crate) fn asked_before(
        &mut self,
        command: u64,
        queue: QueueId,
        id: &str,
    ) -> Result<(), Problem> {
        let text = self.asked_text(queue, id);
        self.reply(command, Ok(asked(true, text)));
        Ok(())
    }

    /// Takes a request back, tells who asked and whoever listens what came of it.
    pub(crate) fn end_request(
        &mut self,
        queue: QueueId,
        id: &str,
        result: Result<Answer, Problem>,
    ) {
        let request_id = RequestId {
            host: self.me,
            id: id.to_owned(),
        };
        let snapshot = self.queues[&queue].doc.snapshot();
        let job = snapshot
            .requests
            .get(&request_id)
            .map(|request| request.job);
        let job = job.and_then(|job| snapshot.jobs.get(&job));
        let named = job.map(|job| (job.id, job.name.clone()));
        self.record(queue, |edit| edit.drop_request(id));
        let text = match &result {
            Ok(Answer::Done { text, .. }) => Some(text.clone()),
            Ok(_) => None,
            Err(problem) => Some(match &problem.why {
                Some(why) => format!("{}: {why}", problem.title),
                None => problem.title.clone(),
            }),
        };
        self.tell(Event {
            queue: self.queue_names().remove(&queue),
            job: named,
            state: Some(if result.is_ok() { "done" } else { "refused" }.to_owned()),
            text,
            ..Event::new("request.ended")
        });
        if let Some((command, _)) = self
            .requests
            .get(&(queue, id.to_owned()))
            .and_then(|own| own.command)
        {
            self.reply(command, result);
        }
        self.forget_request(queue, id);
    }

    /// Requests of this host that a finished withdrawal has fulfilled; the caller takes them out of the document.
    pub(crate) fn own_request_words(&self, queue: QueueId, job: JobId) -> Vec<String> {
        self.own_requests(queue, job)
            .map(|(id, _)| id.id.clone())
            .collect()
    }

    /// Answers whoever waits for requests that are fulfilled, and forgets them.
    pub(crate) fn fulfilled(&mut self, queue: QueueId, words: &[String], answer: &Answer) {
        for word in words {
            let own = self.requests.get(&(queue, word.clone()));
            if let Some((command, _)) = own.and_then(|own| own.command) {
                self.reply(command, Ok(answer.clone()));
            }
            self.forget_request(queue, word);
        }
    }

    pub(crate) fn forget_request(&mut self, queue: QueueId, id: &str) {
        self.requests.remove(&(queue, id.to_owned()));
        self.write(records::delete(key::request(queue, id)));
    }

    /// Takes back what this host asked about a job; what a voter may have heard is not taken back. Says what it was.
    pub(crate) fn take_back(
        &mut self,
        queue: QueueId,
        job: JobId,
    ) -> Result<Option<String>, Problem> {
        let words = self.own_request_words(queue, job);
        if words.is_empty() {
            return Ok(None);
        }
        self.abandon_withdrawals(|w| w.queue == queue && w.job == job)?;
        self.moves
            .retain(|waiting| waiting.queue != queue || waiting.job != job);
        self.edit(queue, |edit| {
            for word in &words {
                edit.drop_request(word);
            }
            Ok(())
        })?;
        let text = "what was asked is taken back".to_owned();
        self.fulfilled(queue, &words, &asked(false, text.clone()));
        Ok(Some(text))
    }

    /// This host leaves a queue: what it asks there, or about jobs that were to move there, is taken back.
    pub(crate) fn drop_requests(&mut self, id: QueueId) {
        let about = |queue: QueueId, own: &OwnRequest| {
            let then = own.record.then.as_ref();
            queue == id || then.is_some_and(|then| touches(id, queue, then))
        };
        let gone: Vec<(QueueId, String)> = self
            .requests
            .iter()
            .filter(|((queue, _), own)| about(*queue, own))
            .map(|(request, _)| request.clone())
            .collect();
        for (queue, word) in gone {
            let problem = Problem::new(Code::QueueUnknown, "this host has left the queue");
            self.end_request(queue, &word, Err(problem));
        }
    }

    /// After a start: the document and the journal agree about what was asked. Of an older backup only one may know.
    pub(crate) fn wake_requests(&mut self, records: Vec<(QueueId, String, RequestRecord)>) {
        for (queue, id, record) in records {
            let own = OwnRequest {
                record,
                command: None,
                again_ms: 0,
                until_ms: None,
            };
            self.requests.insert((queue, id), own);
        }
        self.note_matches(true);
        for queue in self.queues_in_order() {
            let asked = self.queues[&queue].doc.snapshot().requests.iter();
            let unknown: Vec<(String, bool)> = asked
                .filter(|(id, _)| id.host == self.me)
                .filter(|(id, _)| !self.requests.contains_key(&(queue, id.id.clone())))
                .map(|(id, request)| {
                    let cancels = matches!(request.wanted, Wanted::Stop | Wanted::Cancel);
                    (id.id.clone(), cancels)
                })
                .collect();
            for (id, cancels) in unknown {
                if !cancels {
                    self.record(queue, |edit| edit.drop_request(&id));
                    continue;
                }
                let own = OwnRequest {
                    record: RequestRecord {
                        then: Some(Then::Cancel),
                        above: 0,
                    },
                    command: None,
                    again_ms: 0,
                    until_ms: None,
                };
                self.requests.insert((queue, id), own);
            }
        }
    }
}

fn asked(already: bool, text: String) -> Answer {
    Answer::Done { already, text }
}
