//! The loop of the daemon (`daemon/src/mind.rs`), step by step: inputs that wait together share a commit, effects leave after it,
//! and while the disk takes nothing the node is held still. A crash may come before, in and after each of these.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ed25519_dalek::SigningKey;
use printmesh_node::{Boot, Command, Effect, FetchFailure, Input, Message, Node, Write};
use printmesh_queue::{FileHash, HostId};
use printmesh_store::{Database, OpenError};

use crate::{
    history::Fact,
    host::{Asked, CrashPoint, Device, Process, Trap},
    sabotage::Bug,
    world::{Event, World},
};

/// Inputs that share a commit.
const BATCH: usize = 256;

/// A commit that failed is tried again after so long.
const RETRY_MS: u64 = 1_000;

/// Turns in one millisecond after which a host is said to work for ever.
const TURNS_MAX: u32 = 3_000;

pub(crate) fn to_store(write: &Write) -> printmesh_store::Write {
    match write.clone() {
        Write::Put { key, value } => printmesh_store::Write::Put { key, value },
        Write::Delete { key } => printmesh_store::Write::Delete { key },
        Write::Append { log, entry } => printmesh_store::Write::Append { log, entry },
        Write::Clear { log } => printmesh_store::Write::Clear { log },
    }
}

/// Whether a host is a voter of the shared queue, as it sees it.
fn votes(node: &Node, me: HostId) -> bool {
    let mut shared = node.queues().into_iter().filter(|(_, view)| !view.local);
    shared.any(|(_, view)| view.snapshot.voters.hosts.contains(&me))
}

impl World {
    /// An input reaches a process.
    pub(crate) fn arrive(&mut self, host: usize, input: Input) {
        let frozen = self.hosts[host].frozen > 0;
        let life = self.hosts[host].life;
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        process.inbox.push_back(input);
        if !process.busy && !frozen && process.inbox.len() == 1 {
            let at = self.now + self.draw.below(2);
            self.schedule(at, Event::Turn { host, life });
        }
    }

    /// Somebody at a host wants something. Refused at once while its disk takes nothing.
    pub(crate) fn command(&mut self, host: usize, command: Command, asked: Asked) -> bool {
        let entry = &mut self.hosts[host];
        let full = entry.disk.is_full();
        let Some(process) = entry.process.as_ref().filter(|_| entry.frozen == 0) else {
            return false;
        };
        if process.held || full || process.stopping {
            return false;
        }
        entry.commands += 1;
        let id = entry.commands;
        entry.asked.insert(id, asked);
        self.arrive(host, Input::Command { id, command });
        true
    }

    pub(crate) fn turn(&mut self, host: usize) {
        let now = self.hosts[host].clock.now(self.now);
        let at = self.now;
        let told = self.is_told();
        let mut lines = Vec::new();
        let me = self.hosts[host].id;
        let ready = self.hosts[host]
            .process
            .as_ref()
            .is_some_and(|process| !process.busy && !process.inbox.is_empty());
        if !ready {
            return;
        }
        // The clocks are looked at before anything is done with what came in.
        let slept = self.hosts[host].slept_ms.take();
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        process.busy = true;
        process.waited = process
            .node
            .printers_that_wait()
            .map(str::to_owned)
            .collect();
        process.decided_ms = now.mono_ms;
        if process.turns.0 == at {
            process.turns.1 += 1;
        } else {
            process.turns = (at, 1);
        }
        let spins = process.turns.1 > TURNS_MAX;
        if let Some(ms) = slept {
            let step = process.node.handle(now, Input::Slept { ms });
            process.writes.extend(step.writes);
            process.effects.extend(step.effects);
        }
        for _ in 0..BATCH {
            let Some(input) = process.inbox.pop_front() else {
                break;
            };
            if told {
                lines.push(crate::watch::input_line(&input));
            }
            if matches!(input, Input::ShuttingDown) {
                process.stopping = true;
                process.voted = votes(&process.node, me);
            }
            let step = process.node.handle(now, input);
            process.writes.extend(step.writes);
            process.effects.extend(step.effects);
        }
        for line in lines {
            self.say(Some(host), || line);
        }
        if spins {
            self.broken(
                "Q",
                format!("{} never comes to rest", self.hosts[host].name),
            );
            return;
        }
        self.commit(host);
    }

    /// Makes the step's writes durable, or dies trying.
    pub(crate) fn commit(&mut self, host: usize) {
        let early = self.plan.bug == Some(Bug::EffectsFirst);
        if let Some(process) = &mut self.hosts[host].process
            && early
        {
            for effect in std::mem::take(&mut process.effects) {
                self.effect(host, effect);
            }
        }
        let entry = &mut self.hosts[host];
        if let Some(process) = &entry.process
            && !process.writes.is_empty()
        {
            entry.commits += 1;
            match &mut entry.crash_in {
                Some((0, point)) => {
                    entry.crash = Some(*point);
                    entry.crash_in = None;
                    self.coverage.hit("fault: crash in recovery");
                }
                Some((left, _)) => *left -= 1,
                None => {}
            }
        }
        let point = self.hosts[host].crash;
        let life = self.hosts[host].life;
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        if process.writes.is_empty() {
            self.carry(host);
            return;
        }
        if point == Some(CrashPoint::BeforeCommit) {
            self.coverage.hit("fault: crash before a commit");
            self.crash(host);
            return;
        }
        let writes = std::mem::take(&mut process.writes);
        let batch: Vec<printmesh_store::Write> = writes.iter().map(to_store).collect();
        let done = process.database.commit(&batch);
        if self.hosts[host].disk.is_cut() {
            self.hosts[host].memory.in_flight = Some(writes);
            self.coverage.hit("fault: power cut in a commit");
            self.power_cut(host);
            return;
        }
        let ignores = self.plan.bug == Some(Bug::IgnoresDiskErrors);
        if done.is_err() && !ignores {
            self.say(Some(host), || "its commit failed".to_owned());
            self.coverage
                .hit("protocol: commit failed and was tried again");
            let process = self.hosts[host].process.as_mut().expect("just seen");
            if process.stopping {
                // The disk never took the last step, so nothing of it was done.
                self.gone(host, true);
                return;
            }
            process.writes = writes.clone();
            process.held = true;
            self.hosts[host].memory.in_flight = Some(writes);
            self.schedule(self.now + RETRY_MS, Event::Again { host, life });
            return;
        }
        self.hosts[host].process.as_mut().expect("just seen").held = false;
        self.committed(host, &writes);
        if point == Some(CrashPoint::AfterCommit) {
            self.coverage.hit("fault: crash after a commit");
            self.crash(host);
            return;
        }
        let latency = self.draw.between(1, 8);
        self.schedule(self.now + latency, Event::Carry { host, life });
    }

    /// Lets the effects of a step out.
    pub(crate) fn carry(&mut self, host: usize) {
        let life = self.hosts[host].life;
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        let effects = std::mem::take(&mut process.effects);
        let mut starts = false;
        let point = self.hosts[host].crash;
        for (number, effect) in effects.into_iter().enumerate() {
            if let Some(CrashPoint::MidEffects(at)) = point
                && number == at
            {
                self.coverage.hit("fault: crash among the effects");
                self.crash(host);
                return;
            }
            starts |= self.hosts[host].trap.is_some() && self.asks_to_start(&effect);
            self.effect(host, effect);
        }
        if starts && let Some(trap) = self.hosts[host].trap.take() {
            self.spring(host, trap);
        }
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        process.busy = false;
        // A voter that stops gives its vote away first.
        if process.stopping && !process.node.is_parking() {
            self.gone(host, true);
            return;
        }
        if !process.inbox.is_empty() {
            self.schedule(self.now, Event::Turn { host, life });
        }
        self.set_alarm(host);
    }

    /// Whether an effect asks a voter to accept a start, or is the start itself.
    fn asks_to_start(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Send { bytes, .. } => {
                matches!(Message::decode(bytes), Some(Message::Accept(_)))
            }
            Effect::StartPrint { .. } => true,
            _ => false,
        }
    }

    fn spring(&mut self, host: usize, trap: Trap) {
        match trap {
            Trap::Freeze { for_ms } => {
                self.coverage.hit("fault: frozen at a start");
                self.freeze(host);
                self.schedule(self.now + for_ms, Event::Thaw { host });
            }
            Trap::Unplug { for_ms } => {
                let own = |machine: &usize| {
                    let entry = &self.machines[*machine];
                    entry.host == host && entry.plugged
                };
                let own: Vec<usize> = (0..self.machines.len()).filter(own).collect();
                for machine in own {
                    self.coverage.hit("fault: unplugged at a start");
                    self.unplug(machine);
                    self.schedule(self.now + for_ms, Event::PlugIn { machine });
                }
            }
            Trap::PowerOff { for_ms } => {
                self.coverage.hit("fault: power cut at a start");
                self.power_off(host);
                let on = Event::Person(crate::people::Act::PowerOn { host });
                self.schedule(self.now + for_ms, on);
            }
        }
    }

    fn set_alarm(&mut self, host: usize) {
        let entry = &mut self.hosts[host];
        let Some(process) = &mut entry.process else {
            return;
        };
        let at = process
            .node
            .next_wakeup()
            .map(|mono| entry.clock.when(mono).max(self.now));
        if process.wake_at == at {
            return;
        }
        process.wake_at = at;
        let life = entry.life;
        if let Some(at) = at {
            self.schedule(at, Event::Wake { host, life, at });
        }
    }

    pub(crate) fn wake(&mut self, host: usize, at: u64) {
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        if process.wake_at != Some(at) {
            return;
        }
        process.wake_at = None;
        // Whoever is busy looks at the time when it is done.
        if !process.busy {
            process.inbox.push_back(Input::Wake);
            self.turn(host);
        }
    }

    fn effect(&mut self, host: usize, effect: Effect) {
        self.watch_effect(host, &effect);
        match effect {
            Effect::Reply { id, result } => self.answered(host, id, result),
            Effect::Tell(_) => {}
            Effect::Send { to, bytes } => self.send(host, to, bytes),
            Effect::SetPeers(peers) => {
                let wanted =
                    (0..self.hosts.len()).filter(|n| peers.contains_key(&self.hosts[*n].id));
                self.hosts[host].peers = wanted.collect();
                self.redial(host);
            }
            Effect::AcceptJoins(accepts) => self.hosts[host].accepts_joins = accepts,
            Effect::OfferLan(_) | Effect::SetRelays(_) => {}
            Effect::Join {
                attempt,
                host: with,
                ..
            } => self.open_join(host, attempt, with),
            Effect::JoinSend {
                conversation,
                bytes,
                last,
            } => self.join_send(host, conversation, bytes, last),
            Effect::Fetch {
                hash, from, size, ..
            } => self.fetch(host, hash, size, &from),
            // It comes all the same: nothing is stopped in time.
            Effect::StopFetch { .. } => {}
            Effect::Import {
                job,
                job_name,
                set,
                file_name,
                hash,
            } => {
                let here = self.hosts[host].files.contains(&hash);
                if !here {
                    self.local(host, 20, Input::FileLost { hash });
                }
                let full = self.hosts[host].disk.is_full();
                let result = match (here, full) {
                    (true, false) => Ok(format!("imports/{job_name}/{file_name}")),
                    (false, _) => Err("it is not here".to_owned()),
                    (_, true) => Err("no space left".to_owned()),
                };
                let delay = self.draw.between(20, 400);
                self.local(
                    host,
                    delay,
                    Input::Imported {
                        job,
                        set,
                        hash,
                        result,
                    },
                );
            }
            other => self.drive(host, other),
        }
    }

    fn fetch(&mut self, host: usize, hash: FileHash, size: u64, from: &[HostId]) {
        if self.hosts[host].files.contains(&hash) {
            // The real one looks at home first: a restored host may not know what it has.
            self.local(
                host,
                20,
                Input::Fetched {
                    hash,
                    result: Ok(()),
                },
            );
            return;
        }
        let holder = (0..self.hosts.len()).find(|other| {
            let holder = &self.hosts[*other];
            from.contains(&holder.id)
                && holder.runs()
                && holder.files.contains(&hash)
                && self.wire.linked(host, *other)
        });
        match holder {
            Some(from) => {
                let life = self.hosts[host].life;
                let at = self.now + 200 + size / 1_000 + self.draw.below(2_000);
                self.schedule(
                    at,
                    Event::Fetched {
                        host,
                        life,
                        from,
                        hash,
                    },
                );
            }
            None => {
                self.coverage.hit("protocol: file away");
                let result = Err(FetchFailure::NobodyHasIt);
                self.local(host, 1_000, Input::Fetched { hash, result });
            }
        }
    }

    pub(crate) fn fetched(&mut self, host: usize, life: u32, from: usize, hash: FileHash) {
        if self.hosts[host].life != life || self.hosts[host].process.is_none() {
            return;
        }
        let result = if self.hosts[host].disk.is_full() {
            Err(FetchFailure::Local("no space left".to_owned()))
        } else if self.wire.linked(host, from) && self.hosts[from].runs() {
            self.hosts[host].files.insert(hash);
            Ok(())
        } else {
            Err(FetchFailure::NobodyHasIt)
        };
        self.arrive(host, Input::Fetched { hash, result });
    }

    /// The power is back, or the process is started again.
    pub(crate) fn boot(&mut self, host: usize) {
        let now = self.now;
        let entry = &mut self.hosts[host];
        if !entry.powered || entry.process.is_some() || entry.frozen > 0 {
            return;
        }
        entry.life += 1;
        let life = entry.life;
        let disk = entry.disk.handle();
        let opened = Database::open_on(move || disk.clone());
        let read = opened.map_err(Err).and_then(|database| {
            let state = database.scan(b"").map_err(|_| Ok(()))?;
            let mut logs = BTreeMap::new();
            for log in database.logs().map_err(|_| Ok(()))? {
                logs.insert(log, database.log(log).map_err(|_| Ok(()))?);
            }
            Ok((database, state, logs))
        });
        if self.hosts[host].disk.is_cut() {
            self.coverage.hit("fault: power cut in a start");
            self.power_cut(host);
            return;
        }
        let flipped = self.hosts[host].flipped;
        let (database, state, logs) = match read {
            Ok(read) => read,
            Err(_) if flipped => {
                self.finds_flip(host);
                return;
            }
            Err(Err(error @ (OpenError::Damaged { .. } | OpenError::NewerFormat { .. }))) => {
                let failed = self.hosts[host].disk.failures();
                self.broken("D", format!("{error:?} after {failed} failed operations"));
                return;
            }
            Err(_) => {
                self.coverage.hit("protocol: start put off by the disk");
                self.schedule(now + 5_000, Event::Boot { host });
                return;
            }
        };
        if flipped {
            self.reads_flipped(host, &state, &logs);
        } else {
            self.check_disk(host, &state, &logs);
        }
        let entry = &mut self.hosts[host];
        let boot = Boot {
            signer: Box::new(Device(SigningKey::from_bytes(&entry.key))),
            seed: self.draw.bytes(),
            now: entry.clock.now(now),
            state,
            logs,
        };
        let (mut node, step) = match Node::boot(boot) {
            Ok(booted) => booted,
            Err(_) if flipped => {
                self.finds_flip(host);
                return;
            }
            Err(error) => {
                let name = self.hosts[host].name.clone();
                self.broken("D", format!("{name} cannot start: {error:?}"));
                return;
            }
        };
        #[cfg(feature = "sabotage")]
        if let Some(Bug::Node(bug)) = self.plan.bug {
            node.sabotage(bug);
        }
        node.end_epochs_after(self.plan.epoch_changes);
        entry.process = Some(Process {
            node,
            database,
            inbox: VecDeque::new(),
            writes: step.writes,
            effects: step.effects,
            decided_ms: entry.clock.now(now).mono_ms,
            busy: true,
            held: false,
            stopping: false,
            voted: false,
            waited: BTreeSet::new(),
            wake_at: None,
            turns: (now, 1),
            drives: BTreeSet::new(),
            fences: BTreeMap::new(),
            compared: BTreeMap::new(),
        });
        entry.missed.clear();
        entry.slept_ms = None;
        entry.asked.clear();
        self.say(Some(host), || format!("starts, life {life}"));
        self.check_acknowledged(host);
        self.check_proof(host);
        self.scan_voters(host);
        self.scan_records(host);
        self.check_told(host, true);
        self.person_visits(host);
        self.commit(host);
    }

    /// A crash that was due: of the process or of the machine.
    fn crash(&mut self, host: usize) {
        self.hosts[host].crash = None;
        if self.draw.chance(500) {
            self.power_cut(host);
        } else {
            self.kill(host);
        }
    }

    /// The process dies; what it wrote is with the operating system. It is started again soon.
    pub(crate) fn kill(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            self.say(Some(host), || "killed".to_owned());
            self.gone(host, false);
            let at = self.now + self.draw.between(500, 20_000);
            self.schedule(at, Event::Boot { host });
        }
    }

    /// The machine loses its power for a while.
    pub(crate) fn power_cut(&mut self, host: usize) {
        self.power_off(host);
        let at = self.now + self.draw.between(15_000, 600_000);
        self.schedule(at, Event::Person(crate::people::Act::PowerOn { host }));
    }

    pub(crate) fn power_off(&mut self, host: usize) {
        if !self.hosts[host].powered {
            return;
        }
        self.say(Some(host), || "loses its power".to_owned());
        self.hosts[host].powered = false;
        self.gone(host, false);
        let remains = self.hosts[host].disk.lose_power(&mut self.draw);
        self.coverage
            .hit_times("fault: write lost", remains.lost as u64);
        self.coverage
            .hit_times("fault: write torn", remains.torn as u64);
    }

    pub(crate) fn power_on(&mut self, host: usize) {
        let now = self.now;
        let entry = &mut self.hosts[host];
        if entry.powered || entry.destroyed {
            return;
        }
        entry.powered = true;
        entry.frozen = 0;
        entry.suspended_at = None;
        entry.clock.restart(now);
        self.schedule(now + 1_000, Event::Boot { host });
    }

    /// The process is gone, with or without a word.
    pub(crate) fn gone(&mut self, host: usize, farewell: bool) {
        let entry = &mut self.hosts[host];
        let me = entry.id;
        // Dropping the database closes it, as far as its disk still works.
        let Some(process) = entry.process.take() else {
            return;
        };
        if farewell && process.voted && !votes(&process.node, me) {
            self.coverage.hit("protocol: vote parked");
        }
        if !farewell {
            // As by SIGKILL: nothing is written on the way out.
            drop(entry.disk.handle());
        }
        drop(process);
        entry.life += 1;
        entry.crash = None;
        entry.missed.clear();
        entry.peers.clear();
        entry.accepts_joins = false;
        let unanswered = std::mem::take(&mut entry.asked);
        for asked in unanswered.into_values() {
            // Nobody was told that it is not so: it may be in the queue.
            if let Asked::Copies { job, copies } = asked {
                let job = job.to_string();
                self.fact(Fact::Copies { job, copies });
            }
        }
        self.process_gone(host, farewell);
        self.drivers_gone(host);
    }

    pub(crate) fn freeze(&mut self, host: usize) {
        self.hosts[host].frozen += 1;
        self.fell_silent(host);
    }

    pub(crate) fn thaw(&mut self, host: usize) {
        let entry = &mut self.hosts[host];
        entry.frozen = entry.frozen.saturating_sub(1);
        if entry.frozen > 0 {
            return;
        }
        let life = entry.life;
        if let Some(since) = entry.suspended_at.take()
            && let Some(process) = &mut entry.process
        {
            // The daemon's watch of the clocks wakes the mind.
            entry.slept_ms = Some(self.now - since);
            process.inbox.push_back(Input::Wake);
        }
        for event in std::mem::take(&mut entry.missed) {
            self.schedule(self.now, event);
        }
        match &self.hosts[host].process {
            Some(process) if !process.busy && !process.inbox.is_empty() => {
                self.schedule(self.now, Event::Turn { host, life });
            }
            Some(_) => {}
            None => self.schedule(self.now, Event::Boot { host }),
        }
        self.redial(host);
    }
}
