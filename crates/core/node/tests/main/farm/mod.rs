//! A farm of real nodes with real documents and keys, in memory and in virtual time: stores, links, printers and file
//! stores that a test can cut, kill and finish at will. It decides nothing; it carries out what the nodes want.

mod machine;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ed25519_dalek::{Signer as _, SigningKey};
pub(crate) use machine::{Alone, Machines, Start};
use printmesh_node::{
    Answer, Boot, Command, Effect, Event, Input, NewJob, NewSet, Node, Now, Problem, Sliced, Step,
    Ticket, TicketParts, Write,
};
use printmesh_queue::{
    Author, Edit, FileHash, FileSpec, HostId, Job, JobId, QueueDocument, QueueId, Role, Signer,
    Snapshot, Timestamp,
};
pub(crate) use wire::Act;

/// A device key that signs.
pub(crate) struct Device(SigningKey);

impl Signer for Device {
    fn host(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

/// What a crash at a step leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The step's writes were not committed.
    BeforeWrites,
    /// They were, and none of its effects was carried out.
    AfterWrites,
    /// The step was carried out as a whole.
    AfterEffects,
}

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) id: HostId,
    pub(crate) node: Option<Node>,
    pub(crate) keys: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) logs: BTreeMap<[u8; 32], Vec<Vec<u8>>>,
    pub(crate) files: BTreeSet<FileHash>,
    pub(crate) imports: Vec<String>,
    /// Transfers that were ended before their time.
    pub(crate) stopped: Vec<FileHash>,
    /// What it fetches comes never.
    pub(crate) fetches_hang: bool,
    pub(crate) import_fails: bool,
    /// Models that it was told to slice.
    pub(crate) slicings: Vec<String>,
    /// What comes out of that.
    pub(crate) slices: Result<printmesh_queue::Needs, String>,
    pub(crate) replies: BTreeMap<u64, Result<Answer, Problem>>,
    pub(crate) events: Vec<Event>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) handled: usize,
    pub(crate) crash_at: Option<(usize, Crash)>,
    /// Its process is stopped, or the machine is: it does nothing, and what it is sent waits.
    pub(crate) frozen: bool,
    /// Its clock that only goes up against that of the farm: a machine that was paused is behind.
    pub(crate) behind_ms: u64,
    /// Its wall clock, when it is not the farm's.
    pub(crate) wall: Option<Timestamp>,
    key: [u8; 32],
    boots: u8,
    local: VecDeque<Input>,
    pub(crate) peers: BTreeSet<HostId>,
    accepts_joins: bool,
    offers_lan: bool,
    machines: BTreeMap<String, Option<String>>,
}

pub(crate) struct Farm {
    pub(crate) hosts: Vec<Host>,
    pub(crate) mono_ms: u64,
    pub(crate) machines: Machines,
    /// Printers that do not answer.
    pub(crate) broken: BTreeSet<(usize, String)>,
    /// Printers that print by themselves, and what they do; all others are fed by their host.
    pub(crate) alone: BTreeMap<(usize, String), Alone>,
    /// Hosts of one network hear one another.
    pub(crate) lan: bool,
    pub(crate) starts: Vec<Start>,
    /// Scripts that cleared a bed, or were to.
    pub(crate) clearings: Vec<(usize, String, String)>,
    /// What each driver was started with last.
    fences: BTreeMap<(usize, String), u64>,
    /// Prints that a driver was told to stop, and whether it does so at once.
    pub(crate) stops: Vec<(usize, String)>,
    pub(crate) stops_at_once: bool,
    /// Copies may be printed more often than they were asked for; what that means is checked by the test.
    pub(crate) level_available: bool,
    /// Prints that a driver was told to pause, or to go on with.
    pub(crate) paused: Vec<(usize, String, bool)>,
    pub(crate) wakes: usize,
    wire: wire::Wire,
    commands: u64,
}

pub(crate) fn file(name: &str) -> FileSpec {
    FileSpec {
        hash: FileHash(*blake3::hash(name.as_bytes()).as_bytes()),
        size: 100,
        name: format!("{name}.gcode"),
        estimate_s: None,
        material: None,
        slicer: None,
        model: None,
        nozzle_um: None,
        needs: printmesh_queue::Needs::default(),
    }
}

pub(crate) fn job(queue: &str, name: &str) -> NewJob {
    NewJob {
        queue: queue.into(),
        name: name.into(),
        sets: vec![NewSet::of(file(name), 1)],
        copies: 1,
        together: false,
        draft: false,
        printers: Vec::new(),
        terms: printmesh_node::TermsEdit::default(),
    }
}

impl Farm {
    /// Hosts `a`, `b`, … with so many simulated printers each, named `p0`, `p1`, …
    pub(crate) fn new(printers: &[usize]) -> Self {
        let mut farm = Self {
            hosts: Vec::new(),
            mono_ms: 1_000_000,
            machines: Machines::PrintAndClear,
            broken: BTreeSet::new(),
            alone: BTreeMap::new(),
            lan: true,
            starts: Vec::new(),
            clearings: Vec::new(),
            fences: BTreeMap::new(),
            stops: Vec::new(),
            stops_at_once: true,
            level_available: false,
            paused: Vec::new(),
            wakes: 0,
            wire: wire::Wire::default(),
            commands: 0,
        };
        for (n, printers) in printers.iter().enumerate() {
            let key = [n as u8 + 1; 32];
            let device = Device(SigningKey::from_bytes(&key));
            let name = char::from(b'a' + n as u8).to_string();
            let mut writes = Node::set_up(&device, [100 + n as u8; 32], farm.now(), &name);
            writes
                .extend((0..*printers).map(|p| Node::simulated_printer(&format!("p{p}"), "sim:")));
            let mut host = Host {
                name,
                id: device.host(),
                node: None,
                keys: BTreeMap::new(),
                logs: BTreeMap::new(),
                files: BTreeSet::new(),
                imports: Vec::new(),
                stopped: Vec::new(),
                fetches_hang: false,
                import_fails: false,
                slicings: Vec::new(),
                slices: Ok(printmesh_queue::Needs::default()),
                replies: BTreeMap::new(),
                events: Vec::new(),
                effects: Vec::new(),
                handled: 0,
                crash_at: None,
                frozen: false,
                behind_ms: 0,
                wall: None,
                key,
                boots: 0,
                local: VecDeque::new(),
                peers: BTreeSet::new(),
                accepts_joins: false,
                offers_lan: false,
                machines: BTreeMap::new(),
            };
            host.commit(writes);
            farm.hosts.push(host);
            farm.boot(n);
        }
        farm.settle();
        farm
    }

    /// As `new`, with all hosts in a queue `farm` that `a` founded, joined by ticket.
    pub(crate) fn shared(printers: &[usize]) -> Self {
        let mut farm = Self::new(printers);
        farm.ok(
            0,
            Command::QueueCreate {
                name: "farm".into(),
            },
        );
        for host in 1..printers.len() {
            farm.join(host, Role::Operator);
        }
        // Whoever joins and leaves, `a` decides, until the test says otherwise.
        farm.set_voters(&[0]);
        farm.set("claims", "majority");
        farm
    }

    /// As `shared`, and hosts go on when they cannot reach the voters.
    pub(crate) fn available(printers: &[usize], voters: &[usize]) -> Self {
        let mut farm = Self::shared(printers);
        if voters != [0] {
            farm.set_voters(voters);
            for n in 0..printers.len() {
                farm.ready(n);
            }
        }
        farm.set("claims", "available");
        farm.level_available = true;
        farm
    }

    /// Changes one setting of `farm`.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let values = vec![(key.to_owned(), value.to_owned())];
        let queue = "farm".into();
        self.ok(0, Command::QueueSet { queue, values });
    }

    /// As `shared`, and the hosts choose their voters.
    pub(crate) fn choosing(printers: &[usize]) -> Self {
        let mut farm = Self::shared(printers);
        let queue = "farm".into();
        farm.ok(0, Command::VotersAuto { queue });
        farm
    }

    pub(crate) fn join(&mut self, host: usize, role: Role) {
        let ticket = self.ticket(0, "farm", role);
        self.ok(
            host,
            Command::QueueJoin {
                ticket,
                as_name: None,
                wan: false,
            },
        );
    }

    pub(crate) fn ticket(&mut self, host: usize, queue: &str, role: Role) -> Ticket {
        let command = Command::QueueShare {
            queue: queue.into(),
            role,
            expires_ms: None,
            uses: 1,
            with_key: false,
        };
        let Answer::Ticket(parts) = self.ok(host, command) else {
            panic!("a ticket")
        };
        self.as_ticket(host, parts)
    }

    pub(crate) fn as_ticket(&self, host: usize, parts: TicketParts) -> Ticket {
        Ticket {
            queue: parts.queue,
            name: parts.name,
            secret: parts.secret,
            proof: parts.proof,
            expires_at_s: parts.expires_at_s,
            host: self.hosts[host].id,
            addresses: Vec::new(),
            relays: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            mono_ms: self.mono_ms,
            wall: Timestamp(1_700_000_000_000 + self.mono_ms),
        }
    }

    /// The clocks of a host.
    pub(crate) fn now_of(&self, n: usize) -> Now {
        let host = &self.hosts[n];
        Now {
            mono_ms: self.mono_ms - host.behind_ms,
            wall: host.wall.unwrap_or(self.now().wall),
        }
    }

    pub(crate) fn boot(&mut self, n: usize) {
        let now = self.now_of(n);
        let host = &mut self.hosts[n];
        assert!(host.node.is_none(), "host {n} runs");
        host.boots += 1;
        let mut seed = [n as u8; 32];
        seed[1] = host.boots;
        let boot = Boot {
            signer: Box::new(Device(SigningKey::from_bytes(&host.key))),
            seed,
            now,
            state: host.keys.clone().into_iter().collect(),
            logs: host.logs.clone(),
        };
        let (node, step) = Node::boot(boot).expect("the store is whole");
        host.node = Some(node);
        self.carry_out(n, step, None);
        self.announce_all(n);
    }

    /// As by a power cut: nothing but the store is left.
    pub(crate) fn kill(&mut self, n: usize) {
        let host = &mut self.hosts[n];
        host.node = None;
        host.local.clear();
        host.peers.clear();
        host.machines.clear();
        host.offers_lan = false;
        self.wire.drop_host(n, &mut self.hosts);
    }

    pub(crate) fn stop(&mut self, n: usize) {
        self.input(n, Input::ShuttingDown);
        self.settle();
        while self.hosts[n].node.as_ref().is_some_and(Node::is_parking) {
            self.pass(500);
        }
        self.kill(n);
    }

    pub(crate) fn up(&self, n: usize) -> bool {
        self.hosts[n].node.is_some()
    }

    pub(crate) fn node(&self, n: usize) -> &Node {
        self.hosts[n].node.as_ref().expect("the host runs")
    }

    /// Hands an input to a node at once.
    pub(crate) fn input(&mut self, n: usize, input: Input) {
        let now = self.now_of(n);
        let host = &mut self.hosts[n];
        let Some(node) = &mut host.node else { return };
        let step = node.handle(now, input);
        host.handled += 1;
        let crash = host
            .crash_at
            .filter(|(at, _)| *at == host.handled)
            .map(|(_, crash)| crash);
        self.carry_out(n, step, crash);
        if crash.is_some() {
            self.hosts[n].crash_at = None;
            self.kill(n);
        }
    }

    fn carry_out(&mut self, n: usize, step: Step, crash: Option<Crash>) {
        if crash == Some(Crash::BeforeWrites) {
            return;
        }
        self.hosts[n].commit(step.writes);
        if crash == Some(Crash::AfterWrites) {
            return;
        }
        for effect in step.effects {
            self.hosts[n].effects.push(effect.clone());
            self.effect(n, effect);
        }
    }

    fn effect(&mut self, n: usize, effect: Effect) {
        let host = &mut self.hosts[n];
        match effect {
            Effect::Reply { id, result } => {
                assert!(host.replies.insert(id, result).is_none(), "answered twice");
            }
            Effect::Tell(event) => host.events.push(event),
            // Wires here go everywhere.
            Effect::SetRelays(_) => {}
            Effect::SetPeers(peers) => host.peers = peers.into_keys().collect(),
            Effect::AcceptJoins(accepts) => host.accepts_joins = accepts,
            Effect::Send { to, bytes } => self.wire.send(&self.hosts, n, to, bytes),
            Effect::OfferLan(offers) => {
                host.offers_lan = offers;
                self.announce(n);
            }
            Effect::Join { attempt, host, .. } => self.open_join(n, attempt, host),
            Effect::JoinSend {
                conversation,
                bytes,
                last,
            } => {
                self.wire
                    .join_send(&mut self.hosts, n, conversation, bytes, last);
            }
            Effect::Fetch { .. } if host.fetches_hang => {}
            Effect::Fetch { hash, from, .. } => self.fetch(n, hash, &from),
            Effect::StopFetch { hash } => host.stopped.push(hash),
            Effect::Import {
                job,
                set,
                job_name,
                file_name,
                hash,
            } => {
                let path = format!("imports/{job_name}/{file_name}");
                let here = host.files.contains(&hash);
                if !here {
                    host.local.push_back(Input::FileLost { hash });
                }
                let result = if host.import_fails || !here {
                    Err("disk full".into())
                } else {
                    Ok(path.clone())
                };
                host.imports.push(path);
                host.local.push_back(Input::Imported {
                    job,
                    set,
                    hash,
                    result,
                });
            }
            Effect::Slice {
                job,
                set,
                job_name,
                file_name,
                hash,
                profile,
            } => {
                host.slicings.push(format!("{file_name} with {profile}"));
                let result = host.slices.clone().map(|needs| Sliced {
                    path: format!("imports/{job_name}/{file_name}.gcode"),
                    hash: FileHash(*blake3::hash(&hash.0).as_bytes()),
                    needs,
                });
                host.local.push_back(Input::Sliced {
                    job,
                    set,
                    hash,
                    result,
                });
            }
            Effect::TryPrinter { .. }
            | Effect::ConnectPrinter { .. }
            | Effect::DisconnectPrinter { .. }
            | Effect::StartPrint { .. }
            | Effect::ClearBed { .. }
            | Effect::StopPrint { .. } => self.machine(n, effect),
            Effect::LookAtSpool { .. } | Effect::UseSpool { .. } => {}
            Effect::PausePrint { printer, .. } => self.paused.push((n, printer, true)),
            Effect::ResumePrint { printer, .. } => self.paused.push((n, printer, false)),
        }
    }

    fn fetch(&mut self, n: usize, hash: FileHash, from: &[HostId]) {
        let has = |other: &usize| {
            let host = &self.hosts[*other];
            host.node.is_some()
                && from.contains(&host.id)
                && host.files.contains(&hash)
                && self.wire.linked(n, *other)
        };
        let found = (0..self.hosts.len()).any(|other| has(&other));
        let host = &mut self.hosts[n];
        let result = if found {
            Ok(())
        } else {
            Err(printmesh_node::FetchFailure::NobodyHasIt)
        };
        if found {
            host.files.insert(hash);
            host.local.push_back(Input::FetchProgress {
                hash,
                done: 50,
                total: 100,
            });
        }
        host.local.push_back(Input::Fetched { hash, result });
    }

    // --- what a person does -------------------------------------------------------------------------------------

    /// Gives a command and lets everything follow.
    pub(crate) fn command(&mut self, n: usize, command: Command) -> Result<Answer, Problem> {
        let id = self.give(n, command);
        self.settle();
        self.hosts[n].replies.remove(&id).expect("an answer")
    }

    /// Gives a command and waits for nothing.
    pub(crate) fn give(&mut self, n: usize, command: Command) -> u64 {
        self.commands += 1;
        let id = self.commands;
        self.input(n, Input::Command { id, command });
        id
    }

    pub(crate) fn ok(&mut self, n: usize, command: Command) -> Answer {
        let shown = format!("{command:?}");
        self.command(n, command)
            .unwrap_or_else(|problem| panic!("{shown}: {problem:?}"))
    }

    pub(crate) fn refused(&mut self, n: usize, command: Command) -> Problem {
        let shown = format!("{command:?}");
        self.command(n, command).expect_err(&shown)
    }

    /// Puts the job's files into the host's file store and submits it.
    pub(crate) fn submit(&mut self, n: usize, job: NewJob) -> JobId {
        let id = self.give_job(n, job);
        self.settle();
        match self.hosts[n].replies.remove(&id) {
            Some(Ok(Answer::Job(job))) => job,
            other => panic!("not submitted: {other:?}"),
        }
    }

    pub(crate) fn give_job(&mut self, n: usize, job: NewJob) -> u64 {
        for file in job.sets.iter().flat_map(|set| &set.files) {
            self.hosts[n].files.insert(file.hash);
            self.input(n, Input::FileAdded { hash: file.hash });
        }
        self.give(n, Command::JobSubmit(job))
    }

    pub(crate) fn ready(&mut self, n: usize) {
        if self.up(n) {
            self.give(
                n,
                Command::PrinterReady {
                    printers: Vec::new(),
                    good: None,
                },
            );
            self.settle();
        }
    }

    // --- what is seen -------------------------------------------------------------------------------------------

    pub(crate) fn queue(&self, n: usize, name: &str) -> QueueId {
        self.node(n).queue_named(name).expect("the queue is there")
    }

    pub(crate) fn snapshot(&self, n: usize, queue: &str) -> &Snapshot {
        self.node(n).queue_view(self.queue(n, queue)).snapshot
    }

    /// The job and its queue, wherever it is now.
    pub(crate) fn job(&self, n: usize, job: JobId) -> (&Snapshot, &Job) {
        let (queue, job) = self
            .node(n)
            .job_named(&job.to_string())
            .expect("the job is there");
        let snapshot = self.node(n).queue_view(queue).snapshot;
        (snapshot, &snapshot.jobs[&job])
    }

    pub(crate) fn status(&self, n: usize, job: JobId) -> &'static str {
        let (snapshot, job) = self.job(n, job);
        printmesh_schedule::job_status(snapshot, job).word()
    }

    /// As `status`; `?` on a host that does not know the job.
    pub(crate) fn try_status(&self, n: usize, job: JobId) -> &'static str {
        match self.node(n).job_named(&job.to_string()) {
            Ok(_) => self.status(n, job),
            Err(_) => "?",
        }
    }

    /// All that is known of a job, for a test that failed.
    pub(crate) fn dump(&self, id: JobId) -> String {
        let mut text = String::new();
        for (n, host) in self.hosts.iter().enumerate().filter(|(n, _)| self.up(*n)) {
            let Ok((queue, job)) = self.node(n).job_named(&id.to_string()) else {
                continue;
            };
            let snapshot = self.node(n).queue_view(queue).snapshot;
            let claims = snapshot.claims.iter().filter(|(copy, _)| copy.job == job);
            text += &format!(
                "\n{}: {:?} {:?}",
                host.name,
                self.why(n, id),
                claims.collect::<Vec<_>>()
            );
            let kept = host
                .keys
                .iter()
                .map(|(key, value)| (String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
            for (key, value) in kept.filter(|(key, _)| {
                key.starts_with("work/")
                    || key.starts_with("vote/") && key.contains(&job.to_string())
            }) {
                text += &format!("\n   {key} = {value}");
            }
        }
        text
    }

    /// Codes of the reasons why each printer does not take the job.
    pub(crate) fn why(&self, n: usize, job: JobId) -> Vec<(String, &'static str)> {
        let (snapshot, job) = self.job(n, job);
        let presence = self.node(n).presence_in(snapshot.queue);
        printmesh_schedule::why(snapshot, &presence, job)
            .into_iter()
            .map(|(id, why)| {
                let name = format!("{}/{}", snapshot.host_name(id.host), id.name);
                (name, why.map_or("would", |why| why.code()))
            })
            .collect()
    }

    /// The key of a host.
    pub(crate) fn device(&self, n: usize) -> Device {
        Device(SigningKey::from_bytes(&self.hosts[n].key))
    }

    /// Makes hosts the voters of `farm`, for good.
    pub(crate) fn set_voters(&mut self, voters: &[usize]) {
        let hosts = voters.iter().map(|n| self.hosts[*n].name.clone());
        let set = Command::VotersSet {
            queue: "farm".into(),
            hosts: hosts.collect(),
        };
        self.ok(0, set);
    }

    /// Edits `farm` in the founder's store, as no command can.
    pub(crate) fn edit_farm(&mut self, f: impl FnOnce(&mut Edit<'_>)) {
        self.edit_farm_as(0, f);
    }

    /// The same in the store of another host, in its name.
    pub(crate) fn edit_farm_as(&mut self, n: usize, f: impl FnOnce(&mut Edit<'_>)) {
        let queue = self.queue(n, "farm");
        self.stop(n);
        let now = self.now().wall;
        let host = &mut self.hosts[n];
        let author = Author {
            host: host.id,
            boot: 1_000_000,
        };
        let log = host.logs[&queue.0].clone();
        let mut doc = QueueDocument::load(queue, author, log).expect("the log is whole");
        let device = Device(SigningKey::from_bytes(&host.key));
        let edited = doc.edit(now, &device, |edit| {
            f(edit);
            Ok::<(), printmesh_queue::EditError>(())
        });
        let change = edited.expect("the founder may").1.expect("it changes");
        host.logs
            .entry(queue.0)
            .or_default()
            .push(change.to_bytes());
        self.boot(n);
        self.settle();
    }
}

impl Host {
    fn commit(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    self.keys.insert(key, value);
                }
                Write::Delete { key } => {
                    self.keys.remove(&key);
                }
                Write::Append { log, entry } => self.logs.entry(log).or_default().push(entry),
                Write::Clear { log } => {
                    self.logs.remove(&log);
                }
            }
        }
    }
}
