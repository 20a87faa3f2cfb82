//! A member that lies: one host with a good certificate that, beside the honest software that runs on it, sends what no honest
//! software sends. What it forges must never be taken in, and the others must come to one view.
//!
//! It is never a voter, and none of those who choose the voters lies about what they held: that is trusted (`core/node/SAFETY.md`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use printmesh_node::{Command, Effect, Value, Vote, Write};
use printmesh_queue::Role;

use crate::{
    draw::Draw,
    host::Asked,
    nemesis::{Fault, FaultKind},
    world::World,
};

mod lies;

/// Messages of others that it has overheard and still knows.
const OVERHEARD_MAX: usize = 40;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mischief {
    /// Sends changes with something wrong about each.
    Forges,
    /// Sends bytes that are no message, or a spoiled one of somebody else.
    Garbage,
    /// Sends what others said, as its own.
    Replays,
    /// Answers as if it were a voter, yes and no at once, and asks for what it may not have.
    Contradicts,
    /// Tells two hosts different things under one number.
    Equivocates,
    /// Sends more than a member may.
    Floods,
}

impl Mischief {
    const ALL: &'static [Self] = &[
        Self::Forges,
        Self::Forges,
        Self::Garbage,
        Self::Replays,
        Self::Contradicts,
        Self::Contradicts,
        Self::Equivocates,
        Self::Equivocates,
        Self::Floods,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Forges => "fault: member forges changes",
            Self::Garbage => "fault: member sends garbage",
            Self::Replays => "fault: member repeats what others said",
            Self::Contradicts => "fault: member answers as a voter",
            Self::Equivocates => "fault: member tells two stories",
            Self::Floods => "fault: member floods",
        }
    }
}

/// Who lies in a farm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Liar {
    pub(crate) host: usize,
    pub(crate) role: Role,
}

/// What the liar of a farm knows, and what the world knows of it.
pub(crate) struct Malice {
    pub(crate) liar: Liar,
    draw: Draw,
    overheard: VecDeque<Vec<u8>>,
    /// Hashes of the changes that nobody may take in.
    forged: BTreeSet<[u8; 32]>,
    /// How often its hostile software was started: each start writes a chain of its own.
    starts: u64,
    /// Until when it answers as if it were a voter.
    answers_until: u64,
    /// Hosts that have said that they have a proof against it.
    proven: BTreeSet<usize>,
}

/// Who lies in the farm of a seed, if anybody does, and when it does what.
pub(crate) fn liar_of(seed: u64, hosts: usize, until: u64) -> Option<(Liar, Vec<Fault>)> {
    let mut draw = Draw::new(seed, "malice");
    if hosts < 3 || !draw.chance(200) {
        return None;
    }
    let liar = Liar {
        host: 1 + draw.index(hosts - 1),
        role: draw.pick(&Role::ALL),
    };
    let count = draw.between(2, 5);
    let faults = (0..count).map(|_| {
        let mischief = match draw.pick(Mischief::ALL) {
            // What it printed is known to some when it is put out, and to others never (`core/node/SAFETY.md`, Open).
            Mischief::Equivocates if liar.role >= Role::Printer => Mischief::Forges,
            other => other,
        };
        Fault {
            index: 0,
            kind: FaultKind::Mischief(mischief),
            at: draw.below(until),
            for_ms: draw.between(60_000, 3_600_000),
            host: liar.host,
            other: 0,
            number: draw.next(),
        }
    });
    Some((liar, faults.collect()))
}

impl Malice {
    pub(crate) fn new(seed: u64, liar: Liar) -> Self {
        Self {
            liar,
            draw: Draw::new(seed, "lies"),
            overheard: VecDeque::new(),
            forged: BTreeSet::new(),
            starts: 0,
            answers_until: 0,
            proven: BTreeSet::new(),
        }
    }
}

impl World {
    /// The host that lies.
    pub(crate) fn liar(&self) -> Option<usize> {
        self.malice.as_ref().map(|malice| malice.liar.host)
    }

    /// The role with which a host comes in.
    pub(crate) fn role_of(&self, host: usize) -> Role {
        let liar = self.malice.as_ref().map(|malice| malice.liar);
        let liar = liar.filter(|liar| liar.host == host);
        liar.map_or(Role::Admin, |liar| liar.role)
    }

    /// Keeps the liar from being a voter: a person chooses others.
    pub(crate) fn keep_liar_from_voting(&mut self) {
        let Some(liar) = self.malice.as_ref().map(|malice| malice.liar) else {
            return;
        };
        if liar.role < Role::Printer {
            return;
        }
        let mut names: Vec<String> = self.honest().map(|n| self.hosts[n].name.clone()).collect();
        names.truncate(if names.len() < 3 { 1 } else { 3 });
        let command = Command::VotersSet {
            queue: "farm".to_owned(),
            hosts: names,
        };
        self.command(0, command, Asked::Settings);
        self.pass(60_000);
    }

    /// Somebody puts the liar out, once everything else is well again.
    pub(crate) fn put_liar_out(&mut self) {
        let Some(liar) = self.liar() else {
            return;
        };
        let host = self.hosts[liar].id;
        let still_in = |n: &usize| {
            self.farm_view(*n).is_some_and(|view| {
                let member = view.snapshot.members.get(&host);
                member.is_some_and(|member| !member.is_removed()) && view.holds_key
            })
        };
        let Some(by) = self.alive().into_iter().find(still_in) else {
            return;
        };
        let command = Command::MemberRemove {
            queue: "farm".to_owned(),
            member: host.fingerprint(),
        };
        self.ask(by, "person: remove the liar", command, Asked::Other);
    }

    fn honest(&self) -> impl Iterator<Item = usize> + use<> {
        let liar = self.liar();
        (0..self.hosts.len()).filter(move |host| Some(*host) != liar)
    }

    /// Returns whether it did anything.
    pub(crate) fn does_mischief(&mut self, mischief: Mischief, fault: &Fault) -> bool {
        let liar = fault.host;
        if !self.hosts[liar].runs() {
            return false;
        }
        match mischief {
            Mischief::Forges => self.forges(liar),
            Mischief::Garbage => self.sends_garbage(liar),
            Mischief::Replays => self.replays(liar),
            Mischief::Contradicts => {
                let until = self.now + fault.for_ms;
                if let Some(malice) = &mut self.malice {
                    malice.answers_until = until;
                }
                true
            }
            Mischief::Equivocates => self.equivocates(liar),
            Mischief::Floods => self.floods(liar),
        }
    }

    /// The liar hears what honest hosts say to one another, though none may believe it on the strength of that.
    pub(crate) fn overhear(&mut self, from: usize, bytes: &[u8]) {
        let at = self.now;
        let Some(malice) = &mut self.malice else {
            return;
        };
        let liar = malice.liar;
        if from == liar.host {
            return;
        }
        // Changes are most of what is said; a few of them are enough.
        let plain = bytes.first().is_some_and(|kind| *kind < 2);
        if !plain || malice.draw.chance(100) {
            malice.overheard.push_back(bytes.to_vec());
            if malice.overheard.len() > OVERHEARD_MAX {
                malice.overheard.pop_front();
            }
        }
        if at < malice.answers_until && !plain && malice.draw.chance(500) {
            let number = malice.draw.next();
            let (liar_id, to) = (self.hosts[liar.host].id, self.hosts[from].id);
            for answer in lies::answers(bytes, liar, liar_id, number) {
                self.send(liar.host, to, answer.encode());
            }
            for question in lies::questions(bytes, liar, liar_id) {
                for voter in self.honest() {
                    let voter = self.hosts[voter].id;
                    self.send(liar.host, voter, question.encode());
                }
            }
        }
    }

    /// F: what a member forged is on nobody's disk but its own, where it also votes about its own queue.
    pub(crate) fn check_forged(&mut self, host: usize, writes: &[Write]) {
        let Some(malice) = self.malice.as_ref().filter(|it| it.liar.host != host) else {
            return;
        };
        let is_forged = |write: &Write| match write {
            Write::Append { entry, .. } => malice.forged.contains(blake3::hash(entry).as_bytes()),
            Write::Put { .. } | Write::Delete { .. } | Write::Clear { .. } => false,
        };
        let (liar, role) = (self.hosts[malice.liar.host].id, malice.liar.role);
        let gives = |write: &Write| {
            let Write::Put { key, value } = write else {
                return false;
            };
            let vote = serde_json::from_slice::<Vote>(value).ok();
            let vote = vote.filter(|_| key.starts_with(b"vote/"));
            match vote.and_then(|vote| vote.accepted) {
                Some((_, Value::Print { host, .. })) => host == liar && role < Role::Printer,
                Some((_, Value::Withdraw { by })) => by == liar && role < Role::Submitter,
                None => false,
            }
        };
        let name = self.hosts[host].name.clone();
        if writes.iter().any(is_forged) {
            self.broken("F", format!("{name} took in a change that a member forged"));
        } else if writes.iter().any(gives) {
            self.broken(
                "F",
                format!("{name} gave a copy to a member that may not have it"),
            );
        }
    }

    /// Counts what a host says of the liar.
    pub(crate) fn note_mischief(&mut self, host: usize, effect: &Effect) {
        let (Effect::Tell(event), Some(malice)) = (effect, &mut self.malice) else {
            return;
        };
        let liar = self.hosts[malice.liar.host].id;
        match event.kind {
            "member.equivocation" if event.host == Some(liar) => {
                malice.proven.insert(host);
                self.coverage.hit("protocol: two stories proven");
            }
            "member.too-fast" => self.coverage.hit("protocol: member held to its pace"),
            "refused" => self.coverage.hit("protocol: forgery refused"),
            _ => {}
        }
    }

    /// P: who has said that it has the proof has it, whatever crashed meanwhile.
    pub(crate) fn check_proof(&mut self, host: usize) {
        let Some(malice) = &self.malice else {
            return;
        };
        let forgot = malice.proven.contains(&host) && !self.has_proof(host);
        if forgot {
            let name = &self.hosts[host].name;
            self.broken("P", format!("{name} forgot the proof against a member"));
        }
    }

    fn has_proof(&self, host: usize) -> bool {
        let liar = self.liar().map(|liar| self.hosts[liar].id);
        let view = self.farm_view(host).map(|view| view.id);
        let node = self.hosts[host].node();
        match (liar, view, node) {
            (Some(liar), Some(queue), Some(node)) => node.proof(queue, liar).is_some(),
            _ => false,
        }
    }

    /// P: at rest a proof is known to all or to nobody.
    pub(crate) fn check_proofs_at_rest(&mut self) {
        let members = self.alive();
        let known: BTreeMap<usize, bool> = members
            .into_iter()
            .map(|host| (host, self.has_proof(host)))
            .collect();
        let some = known.values().any(|has| *has);
        if let Some((host, _)) = known.iter().find(|(_, has)| some && !**has) {
            self.broken(
                "P",
                format!("h{host} never heard of the proof against a member"),
            );
        }
    }
}
