//! Staggered start: of the printers on one circuit only so many heat up at once, over independent hosts.
//!
//! Each place to heat is a register of the queue's voters, one per place and turn (`register.rs`), claimed by the very messages that
//! claim copies: a majority gives a turn to one printer, and the next turn begins only when that printer has said to the
//! voters that it is done, or a person has said so. So two printers never have one place, also in a partition, where whoever
//! cannot reach a majority heats only with what it has: fewer heat, never more. No clock decides anything. A place
//! whose holder is away stays taken.
//!
//! With a budget in watts a place is 100 W, and a printer takes as many as it needs, all or none.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{Ballot, CopyId, HostId, JobId, PrinterId, QueueId, Role};
use printmesh_schedule::heat_places;
use serde::{Deserialize, Serialize};

use crate::{
    effect::Answer,
    event::Event,
    limits::{
        BALLOT_MAX, DUEL_MS, HEAT_AGAIN_MS, HEAT_DOUBLINGS, HEAT_FRESH_MS, HEAT_PLACES_MAX,
        HEAT_TAKEN_MS, ROUND_MS,
    },
    message::{Message, Reply},
    node::{Node, Queue},
    problem::{Code, Problem},
    records::{self, Stage, Work, key},
    register::{Nack, Phase, Round, Value, Verdict},
};

/// Where the ids of places begin: a job's id is drawn, and is never one of these.
const PLACES: &[u8; 8] = b"heatheat";

/// A place to heat, or several, and how far a printer is with them. Durable before a voter may give them to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeatRecord {
    queue: QueueId,
    units: Vec<(CopyId, u32)>,
    ballot: Ballot,
    state: HeatState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum HeatState {
    /// The voters are being asked.
    Asking,
    /// They are this printer's.
    Held,
    /// It is done with them; voters are being told.
    Done,
}

/// What is not kept over a restart.
#[derive(Default)]
pub(crate) struct Heat {
    records: BTreeMap<u64, HeatRecord>,
    rounds: BTreeMap<u64, (Round, u64)>,
    /// Voters that were told that a printer is done, and that have said that they know.
    told: BTreeMap<u64, (BTreeSet<HostId>, BTreeSet<HostId>)>,
    /// The next turn of each place, as far as voters said, and when it was found taken.
    turns: BTreeMap<(QueueId, CopyId), (u32, Option<u64>)>,
    /// When what is held was given.
    since: BTreeMap<u64, u64>,
    /// When a printer asks again.
    again_ms: BTreeMap<String, u64>,
    /// How often it asked in vain, one time after the other.
    in_vain: BTreeMap<String, u32>,
}

/// The place with this number on a circuit.
fn place(circuit: &str, index: u32) -> CopyId {
    let hash = blake3::hash(circuit.as_bytes());
    let mut id = [0; 16];
    id[..8].copy_from_slice(PLACES);
    id[8..].copy_from_slice(&hash.as_bytes()[..8]);
    CopyId {
        job: JobId(id),
        index,
    }
}

/// Whether a unit is a place to heat and no copy of a job.
pub(crate) fn is_place(copy: CopyId) -> bool {
    copy.job.0.starts_with(PLACES)
}

/// Why a place cannot be given to the asking host, whatever the ballots say.
pub(crate) fn place_is_taken(
    entry: &Queue,
    from: HostId,
    (copy, turn): (CopyId, u32),
    value: &Value,
) -> Option<Nack> {
    let member = entry.doc.snapshot().members.get(&from);
    let may = member.is_some_and(|member| !member.left && member.may(Role::Printer));
    if !may || !matches!(value, Value::Print { .. }) || copy.index >= HEAT_PLACES_MAX {
        return Some(Nack::NotAllowed);
    }
    let mut turns = entry.votes.range((copy, 0)..=(copy, u32::MAX));
    let ((_, last), newest) = turns.clone().next_back()?;
    // Voters that followed others may know of several turns at once.
    let held =
        turns.any(|((_, other), vote)| *other != turn && vote.accepted.is_some() && !vote.lost);
    // Of a turn that is over, and of one before that, nothing is given any more.
    let is_over = turn < *last || turn == *last && newest.lost;
    let next = last.saturating_add(u32::from(newest.lost || newest.accepted.is_some()));
    (is_over || held).then_some(Nack::Place { next, held })
}

impl Node {
    /// The queues of this host that let only so many printers heat at once, each with how many places there are and how
    /// many of them a printer takes; `None` = nobody has said how many watts it draws.
    fn heat_queues(&self, name: &str) -> Vec<(QueueId, u32, Option<u32>)> {
        let Some(printer) = self.printers.get(name) else {
            return Vec::new();
        };
        let watts = printer.entry.equipment.watts;
        let mut found = Vec::new();
        for queue in self.queues_in_order() {
            let settings = &self.queues[&queue].doc.snapshot().settings;
            if let Some((places, wants)) = heat_places(settings, watts) {
                found.push((queue, places, wants));
            }
        }
        found
    }

    fn record_of(&self, name: &str, queue: QueueId) -> Option<(u64, &HeatRecord)> {
        let mut records = self.heat.records.iter();
        let of_it = records.find(|(_, record)| {
            record.queue == queue
                && record.ballot.printer == name
                && record.state != HeatState::Done
        });
        of_it.map(|(n, record)| (*n, record))
    }

    /// Whether a printer has a place to heat wherever it needs one.
    pub(crate) fn may_heat(&self, name: &str) -> bool {
        let held = |queue: &(QueueId, u32, Option<u32>)| {
            let record = self.record_of(name, queue.0);
            record
                .is_some_and(|(n, record)| record.state == HeatState::Held && self.is_fresh_heat(n))
        };
        self.heat_queues(name).iter().all(held)
    }

    fn is_fresh_heat(&self, n: u64) -> bool {
        let since = self.heat.since.get(&n);
        since.is_some_and(|at| self.now.mono_ms < at + HEAT_FRESH_MS)
    }

    /// Whether a printer could begin its next print, but for a place to heat.
    pub(crate) fn waits_to_heat(&self, name: &str) -> bool {
        let work = self.printers.get(name).and_then(|p| p.work.as_ref());
        let ready = work
            .is_some_and(|work| work.stage == Stage::Between && self.machine_may_start(name, work));
        ready && !self.may_heat(name)
    }

    /// Asks for what a printer needs to begin, and lets go of what it needs no more. Returns whether something came of it
    /// at once.
    pub(crate) fn drive_heat(&mut self) -> bool {
        let before = self.heat.records.len();
        self.expire_heat();
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in &names {
            if self.waits_to_heat(name) && !self.stopping {
                self.ask_to_heat(name);
            }
        }
        // What is held for nothing: a copy that was given back, a printer that was removed.
        let idle = self.heat.records.iter().filter(|(n, record)| {
            let printer = self.printers.get(&record.ballot.printer);
            let works = printer.is_some_and(|printer| {
                match printer.work.as_ref().map(|work| &work.stage) {
                    Some(Stage::Running { .. }) => true,
                    Some(Stage::Between) if printer.heat_known => self.is_fresh_heat(**n),
                    // After a crash the machine may be hot; it is asked first.
                    Some(_) | None => !printer.heat_known,
                }
            });
            record.state == HeatState::Held && !works
        });
        for n in idle.map(|(n, _)| *n).collect::<Vec<_>>() {
            self.done_heating(n);
        }
        self.tell_done();
        self.heat.records.len() != before
    }

    fn ask_to_heat(&mut self, name: &str) {
        let now = self.now.mono_ms;
        if self.heat.again_ms.get(name).is_some_and(|at| *at > now) {
            return;
        }
        let circuit = self.printers[name].entry.equipment.circuit.clone();
        let circuit = circuit.unwrap_or_default();
        for (queue, places, wants) in self.heat_queues(name) {
            if self.record_of(name, queue).is_some() {
                continue;
            }
            let voters = &self.queues[&queue].doc.snapshot().voters;
            if !self.presence(queue).has_quorum(voters) {
                self.heat_again(name);
                continue;
            }
            let all = (0..places).map(|index| place(&circuit, index));
            let free = all.filter(|copy| {
                let turn = self.heat.turns.get(&(queue, *copy));
                let taken = turn.and_then(|(_, taken)| *taken);
                taken.is_none_or(|at| now >= at + HEAT_TAKEN_MS)
            });
            let free: Vec<CopyId> = free.collect();
            let wants = wants.map_or(usize::MAX, |wants| wants as usize);
            if free.len() < wants || wants > places as usize {
                self.heat_again(name);
                continue;
            }
            // Who asks first for different places is less in the way of others.
            let from = self.entropy.below(free.len() as u64) as usize;
            let chosen = free.iter().cycle().skip(from).take(wants);
            let turn = |copy: &CopyId| {
                let known = self.heat.turns.get(&(queue, *copy));
                (*copy, known.map_or(0, |(turn, _)| *turn))
            };
            let units: Vec<(CopyId, u32)> = chosen.map(turn).collect();
            self.begin_to_ask(name, queue, units);
        }
    }

    fn begin_to_ask(&mut self, name: &str, queue: QueueId, units: Vec<(CopyId, u32)>) {
        let voters = self.queues[&queue].doc.snapshot().voters.clone();
        let ballot = Ballot {
            n: self.next_ballot(0),
            host: self.me,
            printer: name.to_owned(),
        };
        let value = Value::Print {
            host: self.me,
            printer: name.to_owned(),
            spec_hash: [0; 32],
        };
        let n = ballot.n;
        let record = HeatRecord {
            queue,
            units: units.clone(),
            ballot: ballot.clone(),
            state: HeatState::Asking,
        };
        self.save_heat(n, record);
        let round = Round::new(ballot, units, value, voters, Phase::Preparing);
        let deadline_ms = self.now.mono_ms + ROUND_MS;
        self.heat.rounds.insert(n, (round.clone(), deadline_ms));
        self.ask_voters(queue, &round);
    }

    fn save_heat(&mut self, n: u64, record: HeatRecord) {
        self.write(records::put(key::heat(n), &record));
        self.heat.records.insert(n, record);
    }

    /// After a start of the daemon: what was asked for is given back, what was held is held until the printer was asked.
    pub(crate) fn wake_heat(&mut self, n: u64, mut record: HeatRecord) {
        if record.state == HeatState::Asking {
            record.state = HeatState::Done;
        }
        self.heat.records.insert(n, record);
    }

    fn heat_again(&mut self, name: &str) {
        let in_vain = self.heat.in_vain.entry(name.to_owned()).or_default();
        let wait_ms = HEAT_AGAIN_MS << *in_vain;
        *in_vain = (*in_vain + 1).min(HEAT_DOUBLINGS);
        let wait_ms = wait_ms + self.entropy.below(HEAT_AGAIN_MS);
        let at = self.now.mono_ms + wait_ms;
        self.heat.again_ms.insert(name.to_owned(), at);
    }

    fn expire_heat(&mut self) {
        let now = self.now.mono_ms;
        let late = self.heat.rounds.iter().filter(|(_, (_, at))| *at <= now);
        for n in late.map(|(n, _)| *n).collect::<Vec<_>>() {
            self.stop_asking(n);
        }
    }

    /// The voters did not give it: whatever one of them may have given is given back.
    fn stop_asking(&mut self, n: u64) {
        self.heat.rounds.remove(&n);
        let Some(record) = self.heat.records.get(&n) else {
            return;
        };
        let name = record.ballot.printer.clone();
        self.heat_again(&name);
        self.done_heating(n);
    }

    fn done_heating(&mut self, n: u64) {
        if let Some(mut record) = self.heat.records.get(&n).cloned() {
            record.state = HeatState::Done;
            self.save_heat(n, record);
        }
    }

    /// A printer is as hot as it wants to be, or has ended, or does not begin.
    pub(crate) fn heated(&mut self, name: &str) {
        let held =
            self.heat.records.iter().filter(|(_, record)| {
                record.ballot.printer == name && record.state == HeatState::Held
            });
        for n in held.map(|(n, _)| *n).collect::<Vec<_>>() {
            self.done_heating(n);
        }
    }

    /// Tells voters that a printer is done, each once as long as its link lasts, until all of them have said that they know.
    fn tell_done(&mut self) {
        let done = self.heat.records.iter();
        let done = done.filter(|(_, record)| record.state == HeatState::Done);
        let done: Vec<(u64, HeatRecord)> = done.map(|(n, r)| (*n, r.clone())).collect();
        for (n, record) in done {
            let entry = self.queues.get(&record.queue).filter(|e| !e.record.left);
            let Some(entry) = entry else {
                self.forget_heat(n);
                continue;
            };
            let voters = entry.doc.snapshot().voters.hosts.clone();
            let (asked, know) = self.heat.told.entry(n).or_default();
            if voters.iter().all(|voter| know.contains(voter)) {
                self.forget_heat(n);
                continue;
            }
            let peers = &self.peers;
            let here = |voter: &&HostId| {
                **voter == self.me || peers.get(*voter).is_some_and(|peer| peer.connected)
            };
            let new: Vec<HostId> = voters
                .iter()
                .filter(here)
                .filter(|voter| asked.insert(**voter))
                .copied()
                .collect();
            for voter in new {
                let free = Message::Free {
                    queue: record.queue,
                    units: record.units.clone(),
                    ballot: record.ballot.clone(),
                };
                self.send(voter, free);
            }
        }
    }

    fn forget_heat(&mut self, n: u64) {
        self.heat.records.remove(&n);
        self.heat.told.remove(&n);
        self.heat.since.remove(&n);
        self.write(records::delete(key::heat(n)));
    }

    /// What a voter was told over a link that is gone it may not have heard.
    pub(crate) fn heat_gone(&mut self, host: HostId) {
        for (asked, _) in self.heat.told.values_mut() {
            asked.remove(&host);
        }
    }

    /// As a voter: a printer is done with its places. Only its host says so, or an operator.
    pub(crate) fn asked_to_free(
        &mut self,
        from: HostId,
        queue: QueueId,
        units: &[(CopyId, u32)],
        ballot: &Ballot,
    ) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let member = entry.doc.snapshot().members.get(&from);
        let operates = member.is_some_and(|member| !member.left && member.may(Role::Operator));
        if from != ballot.host && !operates {
            return;
        }
        let by_hand = units.is_empty();
        let owns = |value: &Value| {
            matches!(value, Value::Print { host, printer, .. }
                if *host == ballot.host && *printer == ballot.printer)
        };
        let mut freed = Vec::new();
        for (unit, vote) in &mut entry.votes {
            let mine = match &vote.accepted {
                Some((by, value)) => owns(value) && (by_hand || by == ballot),
                None => !by_hand && vote.promised.as_ref() == Some(ballot),
            };
            if is_place(unit.0) && (by_hand || units.contains(unit)) && mine && !vote.lost {
                vote.lost = true;
                freed.push((*unit, vote.clone()));
            }
        }
        for (unit, vote) in freed {
            entry.leases.remove(&unit);
            let write = records::put(key::vote(queue, unit.0, unit.1), &vote);
            self.out.writes.push(write);
        }
        self.remember();
        let ballot = ballot.clone();
        self.send(from, Message::Freed { queue, ballot });
    }

    /// A voter knows that a printer is done.
    pub(crate) fn freed(&mut self, from: HostId, ballot: &Ballot) {
        if let Some((_, know)) = self.heat.told.get_mut(&ballot.n) {
            know.insert(from);
        }
    }

    /// As a voter: what was before the newest turn of a place says nothing any more.
    pub(crate) fn forget_turns(&mut self, queue: QueueId, (copy, turn): (CopyId, u32)) {
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        let old = entry.votes.range((copy, 0)..(copy, turn));
        let old: Vec<(CopyId, u32)> = old.map(|(unit, _)| *unit).collect();
        for unit in old {
            entry.votes.remove(&unit);
            entry.leases.remove(&unit);
            self.out
                .writes
                .push(records::delete(key::vote(queue, unit.0, unit.1)));
        }
    }

    fn heat_round(&mut self, reply: &Reply) -> Option<&mut (Round, u64)> {
        let round = self.heat.rounds.get_mut(&reply.ballot.n)?;
        (round.0.ballot == reply.ballot && round.0.cfg == reply.cfg).then_some(round)
    }

    /// A voter promised. Returns whether it was asked for a place to heat.
    pub(crate) fn heat_promised(&mut self, from: HostId, reply: &Reply) -> bool {
        let now = self.now.mono_ms;
        let Some((round, deadline_ms)) = self.heat_round(reply) else {
            return false;
        };
        if round.phase == Phase::Preparing && round.yes(from, Phase::Preparing) == Verdict::Yes {
            round.accepting();
            *deadline_ms = now + ROUND_MS;
            let round = round.clone();
            self.ask_voters(reply.queue, &round);
        }
        true
    }

    /// A voter accepted. Returns whether it was asked for a place to heat.
    pub(crate) fn heat_accepted(&mut self, from: HostId, reply: &Reply) -> bool {
        let Some((round, _)) = self.heat_round(reply) else {
            return false;
        };
        if round.yes(from, Phase::Accepting) == Verdict::Yes {
            let n = reply.ballot.n;
            self.heat.rounds.remove(&n);
            if let Some(mut record) = self.heat.records.get(&n).cloned() {
                record.state = HeatState::Held;
                for (copy, turn) in &record.units {
                    let known = (turn + 1, None);
                    self.heat.turns.insert((record.queue, *copy), known);
                }
                let name = record.ballot.printer.clone();
                self.heat.again_ms.remove(&name);
                self.heat.in_vain.remove(&name);
                self.save_heat(n, record);
                self.heat.since.insert(n, self.now.mono_ms);
                if let Some(printer) = self.printers.get_mut(&name) {
                    printer.heat_known = true;
                }
                self.tell_heat(&name);
            }
        }
        true
    }

    /// A voter refused. Returns whether it was asked for a place to heat.
    pub(crate) fn heat_refused(
        &mut self,
        from: HostId,
        reply: &Reply,
        phase: Phase,
        unit: (CopyId, u32),
        nack: &Nack,
    ) -> bool {
        let now = self.now.mono_ms;
        let Some((round, _)) = self.heat_round(reply) else {
            return false;
        };
        if !round.asks(from) {
            return true;
        }
        let verdict = round.no(from, phase, unit, nack.clone());
        let known = match nack {
            Nack::Place { next, held } => (*next, held.then_some(now)),
            Nack::Promised(higher) => {
                if higher.n < BALLOT_MAX {
                    self.host.ballot = self.host.ballot.max(higher.n);
                }
                (unit.1, Some(now))
            }
            Nack::Accepted(_) => (unit.1.saturating_add(1), Some(now)),
            Nack::Leased { .. }
            | Nack::Closed
            | Nack::StaleConfig { .. }
            | Nack::NotAllowed
            | Nack::Unknown
            | Nack::Lost
            | Nack::TooFast
            | Nack::Waking => (unit.1, Some(now)),
        };
        let turn = self.heat.turns.entry((reply.queue, unit.0));
        let turn = turn.or_insert((0, None));
        *turn = (turn.0.max(known.0), known.1);
        if matches!(verdict, Verdict::No(..)) {
            let name = reply.ballot.printer.clone();
            let in_vain = self.heat.in_vain.get(&name).copied();
            self.stop_asking(reply.ballot.n);
            // One place is known better now: it tries others, or its next turn, at once.
            if matches!(nack, Nack::Place { .. }) {
                self.heat.again_ms.insert(name.clone(), now + DUEL_MS);
                self.heat.in_vain.insert(name, in_vain.unwrap_or(0));
            }
        }
        true
    }

    fn tell_heat(&mut self, name: &str) {
        let printer = Some(self.printer_id(name));
        self.tell(Event {
            printer,
            state: Some("may-heat".into()),
            ..Event::new("printer.heat")
        });
    }

    /// When a printer asks again for a place to heat, or gives a question up.
    pub(crate) fn heat_wakeup(&self) -> Option<u64> {
        let rounds = self.heat.rounds.values().map(|(_, at)| *at);
        let again = self.heat.again_ms.iter();
        let again = again.filter(|(name, _)| self.waits_to_heat(name));
        let again = again.map(|(_, at)| *at);
        let stale = self.heat.since.values().map(|at| at + HEAT_FRESH_MS);
        rounds
            .chain(again)
            .chain(stale)
            .filter(|at| *at > self.now.mono_ms)
            .min()
    }

    /// Whether what heats for this run is as hot as it will be.
    pub(crate) fn is_heated(&self, work: &Work, nozzle: bool, bed: bool) -> bool {
        let Stage::Running { k, .. } = work.stage else {
            return false;
        };
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let run = self.runs_of(work).remove(&k);
        let job = snapshot.jobs.get(&work.copy.job);
        let set = job.zip(run).and_then(|(job, run)| {
            let set = job.sets.iter().find(|set| set.id == run.set)?;
            self.file_of(work, job, set)
        });
        // A file that does not say so may heat the bed later.
        let bed_stays_cold = set.is_some_and(|file| file.needs.bed_c == Some(0));
        nozzle && (bed || bed_stays_cold)
    }

    /// A person says that a printer that is away heats no more.
    ///
    /// # Errors
    /// `queue.unknown`, `printer.unknown`, `member.role`.
    pub(crate) fn free_heat(&mut self, queue: &str, printer: &str) -> Result<Answer, Problem> {
        let id = self.queue_named(queue)?;
        self.require(id, Role::Operator)?;
        let PrinterId { host, name } = self.printer_named(printer)?;
        if host == self.me {
            return Err(Problem::new(
                Code::PrinterBusy,
                format!("{name} is this host's: it gives its place back by itself"),
            ));
        }
        let ballot = Ballot {
            n: 0,
            host,
            printer: name,
        };
        let voters = self.queues[&id].doc.snapshot().voters.hosts.clone();
        for voter in voters {
            let (queue, ballot) = (id, ballot.clone());
            let units = Vec::new();
            self.send(
                voter,
                Message::Free {
                    queue,
                    units,
                    ballot,
                },
            );
        }
        Ok(Answer::Done {
            already: false,
            text: format!("the voters that can be reached take the place of {printer} to be free"),
        })
    }
}
