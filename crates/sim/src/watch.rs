//! What the world sees of a host from outside: its disk, what it sends, what it answers. From that come the facts for the laws and
//! the counters of what was covered; no hook in the core is needed.

use std::collections::BTreeMap;

use printmesh_node::{
    Answer, ConfigMessage, Effect, Input, Message, Nack, Node, Problem, QueueView, Ticket, Value,
    Vote, Write,
};
use printmesh_queue::{ClaimState, CopyId, JobId, JobState, Voters};

use crate::{
    history::{Attempt, Config, Fact, Outcome, Owner, Printer, Unit},
    host::{Asked, add},
    world::World,
};

/// Kinds of what goes into the trace.
const WRITE: u8 = 1;
const SEND: u8 = 2;
const OTHER: u8 = 3;

pub(crate) fn input_line(input: &Input) -> String {
    match input {
        Input::Message { bytes, .. } => match Message::decode(bytes) {
            Some(Message::Changes { changes, .. }) => format!("<- {} changes", changes.len()),
            Some(message) => format!("<- {message:?}"),
            None => "<- unreadable".to_owned(),
        },
        other => format!("<- {other:?}"),
    }
}

fn effect_line(effect: &Effect) -> String {
    match effect {
        Effect::Send { bytes, .. } => match Message::decode(bytes) {
            Some(Message::Changes { changes, .. }) => format!("-> {} changes", changes.len()),
            message => format!("-> {message:?}"),
        },
        other => format!("-> {other:?}"),
    }
}

fn hosts_of(hosts: &[String], name: &str) -> bool {
    hosts.iter().any(|host| host == name)
}

fn attempt(copy: CopyId, number: u32) -> Attempt {
    let unit = Unit {
        job: copy.job.to_string(),
        copy: copy.index,
    };
    Attempt { unit, number }
}

/// What is read of a voter's own record of its configuration.
#[derive(serde::Deserialize)]
struct Served {
    voters: Voters,
}

impl World {
    fn host_name(&self, id: printmesh_queue::HostId) -> String {
        let host = self.hosts.iter().find(|host| host.id == id);
        host.map_or_else(|| id.fingerprint(), |host| host.name.clone())
    }

    /// Writes are on the disk for good.
    pub(crate) fn committed(&mut self, host: usize, writes: &[Write]) {
        let mut appended = false;
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    self.note(host, WRITE, key);
                    self.note(host, WRITE, value);
                }
                Write::Delete { key } => self.note(host, WRITE, key),
                Write::Append { entry, .. } => {
                    appended = true;
                    self.note(host, WRITE, entry);
                }
                Write::Clear { log } => self.note(host, WRITE, log),
            }
        }
        self.hosts[host].memory.in_flight = None;
        self.hosts[host].memory.apply(writes);
        self.note_epochs(writes);
        self.check_forged(host, writes);
        let configured = writes.iter().any(|write| match write {
            Write::Put { key, .. } => key.starts_with(b"config/"),
            Write::Delete { .. } | Write::Append { .. } | Write::Clear { .. } => false,
        });
        if configured {
            self.scan_served(host);
        }
        if appended {
            self.scan_voters(host);
        }
        for write in writes {
            if let Write::Put { key, value } = write
                && key.starts_with(b"vote/")
            {
                self.voted(host, key, value);
            }
        }
        if appended {
            self.scan_records(host);
            self.check_told(host, false);
            self.check_equal(host);
        }
    }

    fn voted(&mut self, host: usize, key: &[u8], value: &[u8]) {
        let Some((queue, unit, number)) = std::str::from_utf8(key).ok().and_then(|key| {
            let mut parts = key.split('/').skip(1);
            let queue = parts.next()?.to_owned();
            let unit = Unit {
                job: parts.next()?.to_owned(),
                copy: parts.next()?.parse().ok()?,
            };
            Some((queue, unit, parts.next()?.parse().ok()?))
        }) else {
            return;
        };
        let Ok(vote) = serde_json::from_slice::<Vote>(value) else {
            self.broken("D", "a vote on disk cannot be read");
            return;
        };
        let Some((ballot, value)) = vote.accepted else {
            return;
        };
        let attempt = Attempt { unit, number };
        let owner = match value {
            Value::Print { host, printer, .. } => Owner::Print(Printer {
                host: self.host_name(host),
                name: printer,
            }),
            Value::Withdraw { by } => Owner::Withdraw(self.host_name(by)),
        };
        let cfg = self.cfg_of(host, queue);
        let voter = self.hosts[host].name.clone();
        let ballot = (ballot.n, self.host_name(ballot.host), ballot.printer);
        self.fact(Fact::Accepted {
            voter,
            cfg,
            attempt,
            ballot,
            owner,
        });
    }

    /// The configuration by which a host votes.
    fn cfg_of(&self, host: usize, queue: String) -> Config {
        // What it serves is in its own record; before it has one, in the document.
        let record = self.hosts[host]
            .memory
            .values
            .get(format!("config/{queue}").as_bytes());
        let served = record
            .and_then(|record| serde_json::from_slice::<serde_json::Value>(record).ok())
            .and_then(|record| record["voters"]["cfg"].as_u64());
        let queues = self.hosts[host]
            .node()
            .into_iter()
            .flat_map(|node| node.queues());
        let view = queues
            .map(|(_, view)| view)
            .find(|view| view.id.to_string() == queue);
        let published = view.map_or(0, |view| view.snapshot.voters.cfg);
        Config {
            queue,
            number: served.map_or(published, |served| served as u32),
        }
    }

    /// The configurations that a host serves, by its own disk.
    fn scan_served(&mut self, host: usize) {
        let (mut found, mut new) = (Vec::new(), Vec::new());
        let values: Vec<(Vec<u8>, Vec<u8>)> = self.hosts[host]
            .memory
            .values
            .iter()
            .filter(|(key, _)| key.starts_with(b"config/"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in &values {
            let Some(queue) = key.strip_prefix(b"config/") else {
                continue;
            };
            let Ok(record) = serde_json::from_slice::<Served>(value) else {
                continue;
            };
            let hosts: Vec<String> = record
                .voters
                .hosts
                .iter()
                .map(|id| self.host_name(*id))
                .collect();
            let cfg = Config {
                queue: String::from_utf8_lossy(queue).into_owned(),
                number: record.voters.cfg,
            };
            let era = record.voters.is_recovered();
            let serves = hosts_of(&hosts, &self.hosts[host].name);
            if serves && !era && self.hosts[host].served.insert(cfg.clone()) {
                new.push(cfg.clone());
            }
            found.push(Fact::Voters { cfg, hosts });
        }
        for fact in found {
            self.fact(fact);
        }
        for cfg in new {
            self.check_handed_over(host, &cfg);
        }
    }

    /// T: who votes from now on has on its disk what the voters before it gave away.
    fn check_handed_over(&mut self, host: usize, cfg: &Config) {
        let values = &self.hosts[host].memory.values;
        let unknown = self.judge.given_before(cfg).find(|attempt| {
            let (unit, number) = (&attempt.unit, attempt.number);
            let key = format!("vote/{}/{}/{}/{number}", cfg.queue, unit.job, unit.copy);
            let vote = values.get(key.as_bytes());
            let vote = vote.and_then(|vote| serde_json::from_slice::<Vote>(vote).ok());
            vote.is_none_or(|vote| vote.accepted.is_none())
        });
        if let Some(attempt) = unknown {
            let name = &self.hosts[host].name;
            let what = format!(
                "{name} votes in {} and does not know who has {attempt}",
                cfg.number
            );
            self.broken("T", what);
        }
    }

    pub(crate) fn scan_voters(&mut self, host: usize) {
        let Some(node) = self.hosts[host].node() else {
            return;
        };
        let known = &self.hosts[host].memory.voters;
        let changed: Vec<_> = node
            .queues()
            .into_iter()
            .filter(|(_, view)| known.get(&view.id) != Some(&view.snapshot.voters))
            .map(|(_, view)| {
                (
                    view.id,
                    view.snapshot.voters.clone(),
                    view.snapshot.configs.clone(),
                    view.local,
                )
            })
            .collect();
        for (queue, voters, configs, local) in changed {
            let before = self.hosts[host].memory.voters.insert(queue, voters.clone());
            if !local && before.is_some_and(|before| before.cfg < voters.cfg) {
                self.coverage.hit(match voters.is_recovered() {
                    true => "protocol: voters recovered",
                    false => "protocol: voters changed",
                });
            }
            for (number, hosts) in configs {
                let hosts = hosts.iter().map(|id| self.host_name(*id)).collect();
                let cfg = Config {
                    queue: queue.to_string(),
                    number,
                };
                self.fact(Fact::Voters { cfg, hosts });
            }
        }
    }

    /// What a host's own records say, as far as it is new.
    pub(crate) fn scan_records(&mut self, host: usize) {
        let Some(node) = self.hosts[host].node() else {
            return;
        };
        let me = node.me();
        let (mut found, mut alone, mut lost, mut decided) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let mut memory = crate::host::Memory {
            decided: self.hosts[host].memory.decided.clone(),
            without: self.hosts[host].memory.without.clone(),
            outcomes: self.hosts[host].memory.outcomes.clone(),
            lost: self.hosts[host].memory.lost.clone(),
            ..crate::host::Memory::default()
        };
        for (_, view) in node.queues() {
            for (copy, claims) in &view.snapshot.claims {
                for claim in claims.values().filter(|claim| claim.host == me) {
                    let key = (copy.job, copy.index, claim.attempt);
                    let printer = claim.record.printer.clone();
                    let without = claim.record.speculative;
                    let begun = !claim.record.state.is_pending();
                    let of_printer = (key, printer.clone());
                    if without && begun && !memory.without.contains(&of_printer) {
                        alone.push((key, *copy, printer.clone()));
                    }
                    let was_without = memory.without.contains(&of_printer);
                    if !without && was_without && memory.decided.insert(key) {
                        decided += 1;
                    }
                    let Some(outcome) = outcome(claim.record.state) else {
                        continue;
                    };
                    // What the voters have not decided about is no outcome yet.
                    if !without && memory.outcomes.get(&key) != Some(&outcome) {
                        found.push((key, *copy, printer, outcome));
                    }
                }
            }
            for ((copy, number), words) in &view.snapshot.lost {
                if let Some(word) = words.get(&me)
                    && memory
                        .lost
                        .insert((copy.job, copy.index, *number, word.cfg))
                {
                    lost.push((view.id, word.cfg, *copy, *number));
                }
            }
        }
        self.hosts[host].memory.decided = memory.decided;
        self.hosts[host].memory.without = memory.without;
        self.hosts[host].memory.outcomes = memory.outcomes;
        self.hosts[host].memory.lost = memory.lost;
        self.coverage
            .hit_times("protocol: decided afterwards", decided);
        let name = self.hosts[host].name.clone();
        for (queue, number, copy, tried) in lost {
            self.coverage.hit("protocol: voter gave an attempt up");
            let cfg = Config {
                queue: queue.to_string(),
                number,
            };
            let (voter, attempt) = (name.clone(), attempt(copy, tried));
            let fact = Fact::Lost {
                voter,
                cfg,
                attempt,
            };
            self.fact(fact);
        }
        for (key, copy, printer) in alone {
            self.hosts[host]
                .memory
                .without
                .insert((key, printer.clone()));
            self.coverage.hit("protocol: started without the voters");
            let printer = Printer {
                host: name.clone(),
                name: printer,
            };
            if self.plan.is_majority() {
                self.broken(
                    "I2",
                    format!("{name} starts without the voters where that is forbidden"),
                );
            }
            self.fact(Fact::Speculated {
                attempt: attempt(copy, key.2),
                printer,
            });
        }
        for (key, copy, printer, outcome) in found {
            self.hosts[host].memory.outcomes.insert(key, outcome);
            self.coverage.hit(match outcome {
                Outcome::Dropped => "protocol: claim dropped",
                Outcome::Released => "protocol: start given back",
                Outcome::Failed => "protocol: copy failed",
                Outcome::Finished => "protocol: copy finished",
                Outcome::Credited => "protocol: counted for another copy",
                Outcome::Surplus => "protocol: surplus",
                Outcome::Unknown => "protocol: unknown after a crash",
            });
            if key.2 > 0 {
                self.coverage.hit("protocol: next attempt");
            }
            let printer = Printer {
                host: self.hosts[host].name.clone(),
                name: printer,
            };
            self.fact(Fact::Recorded {
                attempt: attempt(copy, key.2),
                printer,
                outcome,
            });
        }
    }

    /// C: who has the same changes reads the same. Asked once for each state of a log, and one other is enough: it was
    /// held against the next one before.
    fn check_equal(&mut self, host: usize) {
        let mine = &self.hosts[host];
        let Some(process) = &mine.process else {
            return;
        };
        let mut differs = None;
        let mut compared = BTreeMap::new();
        for (name, view) in process.node.queues() {
            let Some(sum) = mine.memory.logs.get(&view.id.0).filter(|_| !view.local) else {
                continue;
            };
            if process.compared.get(&view.id.0) == Some(sum) {
                continue;
            }
            compared.insert(view.id.0, *sum);
            let theirs = self.hosts.iter().find_map(|other| {
                let apart = other.id != mine.id && other.memory.logs.get(&view.id.0) == Some(sum);
                let theirs = other.process.as_ref().filter(|its| apart && !its.held)?;
                let mut reads = theirs.node.queues().into_iter();
                let (_, reads) = reads.find(|(_, its)| its.id == view.id)?;
                Some((&other.name, &theirs.node, reads))
            });
            // What a host keeps of earlier epochs is its own.
            let same = |other: &Node, reads: &QueueView<'_>| {
                reads.snapshot == view.snapshot
                    || other.shared_view(view.id) == process.node.shared_view(view.id)
            };
            if let Some((other, _, _)) = theirs.filter(|(_, node, reads)| !same(node, reads)) {
                differs = Some(format!("{} and {other} read {name} differently", mine.name));
            }
        }
        if let Some(process) = &mut self.hosts[host].process {
            process.compared.extend(compared);
        }
        if let Some(differs) = differs {
            self.broken("C", differs);
        }
    }

    /// D: what was committed is there, and nothing else, but for a commit that never said how it ended.
    pub(crate) fn check_disk(
        &mut self,
        host: usize,
        state: &[(Vec<u8>, Vec<u8>)],
        logs: &BTreeMap<[u8; 32], Vec<Vec<u8>>>,
    ) {
        let sums: BTreeMap<_, _> = logs
            .iter()
            .map(|(log, entries)| {
                let mut sum = [0; 4];
                entries.iter().for_each(|entry| add(&mut sum, entry));
                (*log, (entries.len() as u64, sum))
            })
            .collect();
        let memory = &mut self.hosts[host].memory;
        let same = |memory: &crate::host::Memory| {
            memory.values.len() == state.len()
                && memory
                    .values
                    .iter()
                    .zip(state)
                    .all(|(a, b)| (a.0, a.1) == (&b.0, &b.1))
                && memory.logs == sums
        };
        let mut right = same(memory);
        if let Some(writes) = memory.in_flight.take()
            && !right
        {
            memory.apply(&writes);
            right = same(memory);
            if right {
                self.coverage
                    .hit("protocol: a commit in flight had happened");
                for write in &writes {
                    if let Write::Put { key, value } = write
                        && key.starts_with(b"vote/")
                    {
                        self.voted(host, key, value);
                    }
                }
            }
        }
        if !right {
            let name = self.hosts[host].name.clone();
            self.broken(
                "D",
                format!("{name} finds another state on its disk than it committed"),
            );
        }
    }

    /// A host starts from a disk on which a bit flipped: whatever it read is what it goes by from now on.
    pub(crate) fn reads_flipped(
        &mut self,
        host: usize,
        state: &[(Vec<u8>, Vec<u8>)],
        logs: &BTreeMap<[u8; 32], Vec<Vec<u8>>>,
    ) {
        let memory = &mut self.hosts[host].memory;
        let before = memory.values.clone();
        memory.in_flight = None;
        memory.values = state.iter().cloned().collect();
        let logs_before = std::mem::take(&mut memory.logs);
        for (log, entries) in logs {
            for entry in entries {
                let (count, sum) = memory.logs.entry(*log).or_default();
                *count += 1;
                add(sum, entry);
            }
        }
        let other = before != memory.values || logs_before != memory.logs;
        if other {
            // The store took the flip for a write that was torn, and went back by one commit (SAFETY.md, Open).
            let last = memory.commits;
            self.hosts[host].acknowledged.retain(|_, at| *at < last);
        }
        self.coverage.hit(match other {
            true => "machine: flipped bit read as something else",
            false => "machine: flipped bit where nothing was",
        });
        if other {
            let mut now = state
                .iter()
                .filter(|(key, value)| before.get(key) != Some(value));
            let changed = now.next().map(|(key, value)| {
                let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
                format!("reads {key} as {value}")
            });
            self.say(Some(host), || changed.unwrap_or_default());
        }
    }

    fn acknowledge(&mut self, host: usize, job: JobId) {
        let entry = &mut self.hosts[host];
        entry.acknowledged.insert(job, entry.memory.commits);
    }

    /// A: what somebody was answered with is there.
    pub(crate) fn check_acknowledged(&mut self, host: usize) {
        let Some(node) = self.hosts[host].node() else {
            return;
        };
        let queues = node.queues();
        let gone = self.hosts[host].acknowledged.keys().find(|job| {
            !queues
                .iter()
                .any(|(_, view)| view.snapshot.jobs.contains_key(job))
        });
        if let Some(job) = gone {
            let what = format!("{} lost {job}", self.hosts[host].name);
            self.broken("A", what);
        }
    }

    pub(crate) fn watch_effect(&mut self, host: usize, effect: &Effect) {
        self.say(Some(host), || effect_line(effect));
        self.note_mischief(host, effect);
        match effect {
            Effect::Send { bytes, .. } => {
                self.note(host, SEND, bytes);
                self.watch_message(host, bytes);
            }
            Effect::Tell(event) => {
                self.note(host, OTHER, event.kind.as_bytes());
                self.note_told(host, event);
                match event.kind {
                    "host.slept" => self.coverage.hit("protocol: sleep noticed"),
                    "refused" if event.state.as_deref() == Some("epoch-split") => {
                        self.coverage
                            .hit("protocol: two ways that put each other out");
                    }
                    "queue.epoch" => {
                        let number = event.state.clone().unwrap_or_default();
                        let authors = self.epochs.entry(number).or_default();
                        authors.extend(event.host);
                    }
                    "printer.set-aside" => self.coverage.hit("protocol: printer set aside"),
                    "copy.surplus" => {
                        let text = event.text.as_deref().unwrap_or_default();
                        if text.contains("it is being stopped") {
                            self.coverage.hit("protocol: surplus stopped");
                        }
                    }
                    "member.removed" => self.coverage.hit("protocol: member removed"),
                    "host.problem" => self.coverage.hit("protocol: restored host noticed it"),
                    _ => {}
                }
            }
            Effect::StopPrint { .. } => self.coverage.hit("protocol: print stopped on request"),
            Effect::PausePrint { .. } => self.coverage.hit("protocol: surplus paused"),
            Effect::StartPrint { print, .. } => self.note(host, OTHER, print.as_bytes()),
            _ => {}
        }
    }

    fn watch_message(&mut self, host: usize, bytes: &[u8]) {
        // The kinds below are beyond the first two, which are most of the bytes.
        if bytes.first().is_none_or(|kind| *kind < 2) {
            return;
        }
        match Message::decode(bytes) {
            Some(Message::Prepare(ask)) => {
                self.coverage.hit("protocol: claim asked");
                let process = self.hosts[host].process.as_mut();
                if process.is_some_and(|process| process.waited.remove(&ask.ballot.printer)) {
                    self.coverage.hit("protocol: ranked fallback");
                }
                let ballot = (
                    ask.ballot.n,
                    self.host_name(ask.ballot.host),
                    ask.ballot.printer,
                );
                let attempts = ask
                    .units
                    .iter()
                    .map(|(copy, number)| attempt(*copy, *number));
                let attempts = attempts.collect();
                self.fact(Fact::Asked { ballot, attempts });
            }
            Some(Message::Refused { nack, .. }) => {
                self.coverage.hit("protocol: claim refused");
                match nack {
                    Nack::Promised(_) => self.coverage.hit("protocol: duel"),
                    Nack::StaleConfig { .. } => self.coverage.hit("protocol: older voters asked"),
                    Nack::Lost => self.coverage.hit("protocol: refused because given up"),
                    Nack::Accepted(_) => self.coverage.hit("protocol: refused because given away"),
                    Nack::Waking => self.coverage.hit("protocol: voter still asks what it said"),
                    Nack::Leased { .. } => self.coverage.hit("protocol: refused because claimed"),
                    Nack::Place { .. } => {}
                    Nack::Closed => self.coverage.hit("protocol: refused because closed"),
                    Nack::Unknown => self
                        .coverage
                        .hit("protocol: refused because not heard of yet"),
                    Nack::NotAllowed | Nack::TooFast => {}
                }
            }
            Some(Message::Confirm { .. }) => self.coverage.hit("protocol: gate asked"),
            Some(Message::Confirmed { nack: Some(_), .. }) => {
                self.coverage.hit("protocol: gate closed");
            }
            Some(Message::Config(message)) => match message {
                ConfigMessage::Seal { .. } => self.coverage.hit("protocol: voter asked to seal"),
                ConfigMessage::Install { .. } => self.coverage.hit("protocol: voter installed"),
                _ => {}
            },
            _ => {}
        }
    }

    /// A job goes on in another queue, under another id.
    fn moved(&mut self, host: usize, id: JobId) {
        let node = self.hosts[host].node();
        let views = node.into_iter().flat_map(|node| node.queues());
        let mut jobs = views.filter_map(|(_, view)| view.snapshot.jobs.get(&id));
        let wanted = jobs
            .next()
            .map(|job| (job.units(), job.runs().count() as u32));
        if let Some((copies, runs)) = wanted {
            let job = id.to_string();
            self.fact(Fact::Submitted { job, copies, runs });
        }
    }

    /// Somebody is answered.
    pub(crate) fn answered(&mut self, host: usize, id: u64, result: Result<Answer, Problem>) {
        let Some(asked) = self.hosts[host].asked.remove(&id) else {
            return;
        };
        match (asked, result) {
            (Asked::Submit(new), Ok(Answer::Job(job))) => {
                self.acknowledge(host, job);
                self.jobs.push(job);
                if new.name.starts_with("bad") {
                    self.bad_jobs.insert(job.to_string());
                }
                let runs: u32 = new.sets.iter().map(|set| set.per_run).sum();
                let (copies, runs) = match new.together {
                    true => (1, runs * new.copies),
                    false => (new.copies, runs),
                };
                let job = job.to_string();
                self.fact(Fact::Submitted { job, copies, runs });
            }
            (Asked::Share, Ok(Answer::Ticket(parts))) => {
                self.ticket = Some(Ticket {
                    queue: parts.queue,
                    name: parts.name,
                    secret: parts.secret,
                    proof: parts.proof,
                    expires_at_s: parts.expires_at_s,
                    host: self.hosts[host].id,
                    addresses: Vec::new(),
                    relays: Vec::new(),
                });
            }
            (Asked::TakeOut { job }, Ok(answer)) => {
                let left = self.hosts[host].node().is_some_and(|node| {
                    node.queues().into_iter().any(|(_, view)| {
                        let job = view.snapshot.jobs.get(&job);
                        job.is_some_and(|job| job.state != JobState::Open)
                    })
                });
                // Who was put out, and does not know it, answers for its own copy of the queue.
                if left && !self.is_put_out(host) {
                    self.coverage.hit("protocol: job taken out");
                    self.fact(Fact::TakenOut {
                        job: job.to_string(),
                    });
                }
                if let Answer::Job(new) = answer
                    && new != job
                {
                    self.acknowledge(host, new);
                    self.jobs.push(new);
                    self.moved(host, new);
                }
            }
            (Asked::TakeOut { .. }, Err(problem))
                if format!("{:?}", problem.code).contains("Leased") =>
            {
                self.coverage.hit("protocol: withdrawal lost the race");
            }
            (Asked::TakeOut { .. }, Err(_)) => {}
            (Asked::Settings, Err(problem)) => {
                self.broken("L", format!("the settings were refused: {problem:?}"));
            }
            (Asked::Resolve, Ok(_)) => self.coverage.hit("protocol: resolved by a person"),
            (Asked::Copies { job, copies }, Ok(answer)) => {
                // A job that has moved meanwhile is still known by its former id.
                let job = match answer {
                    Answer::Job(now) => now.to_string(),
                    _ => job.to_string(),
                };
                self.fact(Fact::Copies { job, copies });
            }
            _ => {}
        }
    }
}

fn outcome(state: ClaimState) -> Option<Outcome> {
    match state {
        ClaimState::Dropped => Some(Outcome::Dropped),
        ClaimState::Released => Some(Outcome::Released),
        ClaimState::Failed => Some(Outcome::Failed),
        ClaimState::Finished => Some(Outcome::Finished),
        ClaimState::Unknown => Some(Outcome::Unknown),
        ClaimState::Credited => Some(Outcome::Credited),
        ClaimState::Surplus => Some(Outcome::Surplus),
        ClaimState::Claimed
        | ClaimState::Fetching
        | ClaimState::Staged
        | ClaimState::Started
        | ClaimState::Printing => None,
    }
}
