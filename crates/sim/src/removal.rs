//! Members that are removed while the network is cut: one that works on behind the cut, and two admins that remove each other.
//!
//! Who was put out, and who is on a side on which nobody decides any more, is judged on: nothing it prints may break a law. But
//! nobody waits for it to come to rest.

use std::collections::BTreeSet;

use printmesh_node::Command;
use printmesh_queue::{CopyState, HostId, Job, JobState};

use crate::{
    draw::Draw,
    history::{Attempt, Unit},
    host::Asked,
    nemesis::{Fault, FaultKind},
    people::Shape,
    world::World,
};

/// What an admin decides in a cut network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// A member that nobody reaches is put out, and goes on working.
    BehindACut,
    /// Two admins, each with some of the others, put each other out.
    OneAnother,
}

impl Removal {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BehindACut => "fault: member removed behind a cut",
            Self::OneAnother => "fault: two admins remove each other",
        }
    }
}

/// Removals in the farm of a seed, if there are any.
pub(crate) fn removals(seed: u64, hosts: usize, until: u64) -> Vec<Fault> {
    let mut draw = Draw::new(seed, "removals");
    if hosts < 3 {
        return Vec::new();
    }
    let removal = match draw.below(100) {
        0..10 => Removal::BehindACut,
        10..18 => Removal::OneAnother,
        _ => return Vec::new(),
    };
    let host = draw.index(hosts);
    let other = (host + 1 + draw.index(hosts - 1)) % hosts;
    vec![Fault {
        index: 0,
        kind: FaultKind::Removal(removal),
        at: draw.below(until),
        for_ms: draw.between(60_000, 3 * 3_600_000),
        host,
        other,
        number: draw.next(),
    }]
}

impl World {
    /// Returns whether it did anything.
    pub(crate) fn removes(&mut self, removal: Removal, fault: &Fault) -> bool {
        let (host, other) = (fault.host, fault.other);
        let liar = self.liar();
        let able = |n: usize| self.hosts[n].runs() && Some(n) != liar;
        if !able(host) || !able(other) || self.farm_view(host).is_none() {
            return false;
        }
        for (from, to) in self.removal_cuts(removal, fault) {
            self.cut(from, to);
        }
        self.removed = true;
        self.remove(host, other);
        match removal {
            Removal::BehindACut => {
                let shape = Shape {
                    copies: 1,
                    sets: 1,
                    per_run: 1,
                    together: false,
                    minutes: 20,
                    bad: false,
                };
                self.submit(other, shape);
            }
            Removal::OneAnother => self.remove(other, host),
        }
        true
    }

    fn remove(&mut self, by: usize, member: usize) {
        let command = Command::MemberRemove {
            queue: "farm".to_owned(),
            member: self.hosts[member].id.fingerprint(),
        };
        self.ask(by, "person: remove a member", command, Asked::Other);
    }

    /// A host that is lost for good had taken copies out, and said nothing of it; or what it said last is known to some, and a copy
    /// waits for hours: a person says that it is gone.
    pub(crate) fn remove_lost_takers(&mut self, healed: u64) {
        let by = self.alive().first().copied();
        let long = self.now - healed > 3 * 3_600_000;
        if let Some((by, taker)) = by.and_then(|by| Some((by, self.lost_taker(by, long)?))) {
            self.coverage.hit("protocol: taken out by who is lost");
            self.freed_at = self.now;
            self.remove(by, taker);
        }
    }

    fn lost_taker(&self, by: usize, long: bool) -> Option<usize> {
        let snapshot = self.farm_view(by)?.snapshot;
        let is_lost = |host: &usize| {
            let member = snapshot.members.get(&self.hosts[*host].id);
            self.hosts[*host].destroyed && member.is_some_and(|member| !member.left)
        };
        let lost: Vec<usize> = (0..self.hosts.len()).filter(is_lost).collect();
        let parted = |job: &&Job| {
            let mut alive = self.alive().into_iter();
            job.state == JobState::Open && alive.any(|host| self.is_last_word(host, job.id))
        };
        let jobs = snapshot.jobs.values().filter(|_| long).filter(parted);
        let mut claims = jobs
            .flat_map(|job| snapshot.copies_of(job))
            .flat_map(|(copy, _)| snapshot.claims_of(copy));
        let silent = claims.find_map(|claim| {
            let mut lost = lost.iter().copied();
            lost.find(|host| self.hosts[*host].id == claim.host)
        });
        if silent.is_some() {
            return silent;
        }
        let copies = snapshot
            .jobs
            .values()
            .flat_map(|job| snapshot.copies_of(job));
        let next = copies.filter_map(|(copy, state)| match state {
            CopyState::Open(number) => Some((copy, number)),
            // Stopped so that it could be taken out.
            CopyState::Failed(claim) => Some((copy, claim.attempt + 1)),
            _ => None,
        });
        let mut open = next.map(|(copy, number)| Attempt {
            unit: Unit {
                job: copy.job.to_string(),
                copy: copy.index,
            },
            number,
        });
        open.find_map(|attempt| {
            let had = |host: &usize| {
                let name = &self.hosts[*host].name;
                let before = (0..attempt.number).map(|number| Attempt {
                    number,
                    ..attempt.clone()
                });
                let mut before = before.filter(|_| long);
                self.judge.is_taken_out_by(&attempt, name)
                    || before.any(|one| self.judge.given_to(&one).any(|to| to == name))
            };
            lost.iter().copied().find(had)
        })
    }

    /// The directions that are cut meanwhile.
    pub(crate) fn removal_cuts(&self, removal: Removal, fault: &Fault) -> Vec<(usize, usize)> {
        let (count, first, second) = (self.hosts.len(), fault.host, fault.other);
        let side = |host: usize| match removal {
            Removal::BehindACut => u64::from(host == second),
            Removal::OneAnother if host == first => 0,
            Removal::OneAnother if host == second => 1,
            // 2 is on nobody's side.
            Removal::OneAnother => fault.number >> (2 * host) & 3,
        };
        let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
        pairs
            .filter(|(a, b)| a != b && side(*a) != side(*b))
            .collect()
    }

    /// Whom a host knows to be put out.
    fn put_out_by(&self, host: usize) -> BTreeSet<usize> {
        let Some(view) = self.farm_view(host) else {
            return BTreeSet::new();
        };
        let is_out = |n: &usize| {
            let member = view.snapshot.members.get(&self.hosts[*n].id);
            member.is_some_and(|member| member.is_removed())
        };
        (0..self.hosts.len()).filter(is_out).collect()
    }

    /// Whether anybody has put a host out.
    pub(crate) fn is_put_out(&self, host: usize) -> bool {
        (0..self.hosts.len()).any(|other| self.put_out_by(other).contains(&host))
    }

    /// Hosts that are there and that nobody has put out.
    fn unquestioned(&self) -> Vec<usize> {
        let liar = self.liar();
        let there: Vec<usize> = (0..self.hosts.len())
            .filter(|host| !self.hosts[*host].destroyed && Some(*host) != liar)
            .collect();
        let out: BTreeSet<usize> = there
            .iter()
            .flat_map(|host| self.put_out_by(*host))
            .collect();
        there
            .into_iter()
            .filter(|host| !out.contains(host))
            .collect()
    }

    /// Looks at who takes part no more, and lets a person put right what two removals have parted.
    pub(crate) fn look_at_removals(&mut self) {
        self.out = self.liar().into_iter().collect();
        if !self.removed {
            return;
        }
        let rest = self.unquestioned();
        let Some(first) = rest.first().copied() else {
            // Two that put each other out, and nobody else: no rule says who is right, and nobody is left to say so.
            self.coverage.hit("protocol: nobody left to decide");
            self.out = (0..self.hosts.len()).collect();
            return;
        };
        let views: Vec<BTreeSet<usize>> = rest.iter().map(|host| self.put_out_by(*host)).collect();
        self.out.extend(views.iter().flatten());
        let epochs: BTreeSet<_> = rest
            .iter()
            .map(|host| {
                let view = self.farm_view(*host);
                view.map(|view| (view.epoch, self.hosts[*host].memory.logs.get(&view.id.0)))
            })
            .collect();
        let parted = views.iter().any(|view| *view != views[0]) || epochs.len() > 1;
        let all: BTreeSet<usize> = views.into_iter().flatten().collect();
        if parted && all.len() > 1 {
            // A third admin, whom nobody has put out, puts both out.
            self.coverage.hit("protocol: third admin decides");
            let voters = self
                .farm_view(first)
                .map(|view| &view.snapshot.voters.hosts);
            let is_out = |id: &HostId| all.iter().any(|host| self.hosts[*host].id == *id);
            if voters.is_some_and(|voters| voters.iter().all(is_out)) {
                // Who alone decides cannot be put out: others are chosen first, as the refusal says.
                let command = Command::VotersSet {
                    queue: "farm".to_owned(),
                    hosts: vec![self.hosts[first].id.fingerprint()],
                };
                self.ask(first, "person: other voters", command, Asked::Other);
            }
            let out = all.iter().map(|host| self.hosts[*host].id.fingerprint());
            let command = Command::QueueRotateKey {
                queue: "farm".to_owned(),
                remove: out.collect(),
            };
            self.ask(first, "person: another key", command, Asked::Other);
        }
    }
}
