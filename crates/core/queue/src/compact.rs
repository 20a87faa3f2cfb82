//! What a new epoch begins with: the live state of the one before, as changes that every host computes alike.
//!
//! A pure function of the document at the cut and of what the record says. Each host's own facts stand under that host's name, so
//! that a path keeps its writer; what belongs to nobody stands under the queue's. Nothing is signed: the record names the last
//! change, each change names the one before, and so the record's signatures are good for all of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Author, CopyId, CopyState, HostId, JobId, JobState, Snapshot, Timestamp,
    change::{Action, Body, Op, OpRef, Scalar, Target},
    engine::{self, Engine, Found, Map},
    epoch::{Authority, FOUNDING_BOOT},
    limits::{
        FOUNDING_CONFIGS, FOUNDING_OPS, FOUNDING_OTHER_BYTES, FOUNDING_VALUE_BYTES,
        SCALAR_BYTES_MAX,
    },
    read,
    rules::strongest,
    schema::{ClaimId, Container, Entry, GENESIS_OPS, Meta, Place, certificate_key, meta_key},
};

/// What the new epoch is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    pub(crate) number: u64,
    pub(crate) key: [u8; 32],
    pub(crate) time: Timestamp,
}

/// One value to write.
enum Item {
    Put(Container, String, Scalar),
    Job(JobId, Vec<(String, Scalar)>),
}

/// Returns the founding changes, each with only the one before as its past.
pub(crate) fn compact(engine: &Engine, authority: &Authority, to: Beginning) -> Vec<Body> {
    let base = crate::kept::Base {
        authority: authority.clone(),
        kept: BTreeMap::new(),
    };
    let snapshot = read::all(engine, &base);
    let live = Live::of(&snapshot, to.time);
    let mut items: BTreeMap<HostId, Vec<Item>> = BTreeMap::new();
    let shared = HostId(authority.queue.0);
    let mut put = |writer: HostId, container: Container, key: String, value: Scalar| {
        let items = items.entry(writer).or_default();
        items.push(Item::Put(container, key, value));
    };
    for (key, value) in engine.entries(Map::Root(Container::Meta)) {
        let Some(Entry::Meta(meta)) = Entry::parse(Place::Genesis(Container::Meta), &key) else {
            continue;
        };
        if live.has_meta(meta) {
            put(shared, Container::Meta, key, value);
        }
    }
    let number = Scalar::Number(to.number);
    put(shared, Container::Meta, meta_key(Meta::Epoch), number);
    let key = Scalar::Bytes(to.key.to_vec());
    put(shared, Container::Meta, meta_key(Meta::Key), key);
    for container in [Container::Settings, Container::Groups] {
        for (key, value) in engine.entries(Map::Root(container)) {
            put(shared, container, key, value);
        }
    }
    for (host, member) in &snapshot.members {
        let written = Scalar::json(&member.certificate);
        put(shared, Container::Members, certificate_key(*host), written);
    }
    let mut others: BTreeMap<HostId, usize> = BTreeMap::new();
    for container in [Container::Members, Container::Printers, Container::Requests] {
        for (key, value) in engine.entries(Map::Root(container)) {
            let entry = Entry::parse(Place::Genesis(container), &key);
            let Some(writer) = entry.as_ref().and_then(|entry| live.writer(entry)) else {
                continue;
            };
            if matches!(entry, Some(Entry::MemberOther(_))) {
                let bytes = others.entry(writer).or_default();
                *bytes += key.len() + size(&value);
                if *bytes > FOUNDING_OTHER_BYTES {
                    continue;
                }
            }
            put(writer, container, key, value);
        }
    }
    for bucket in 0..=u8::MAX {
        let container = Container::Copies(bucket);
        for key in engine.keys(Map::Root(container)) {
            let entry = Entry::parse(Place::Genesis(container), &key);
            let Some(writer) = entry.as_ref().and_then(|entry| live.writer(entry)) else {
                continue;
            };
            let is_claim = matches!(entry, Some(Entry::Claim(_)));
            if let Some(value) = fact(engine, container, &key, is_claim) {
                put(writer, container, key, value);
            }
        }
    }
    for id in &live.jobs {
        let Some(map) = read::job_map(engine, *id) else {
            continue;
        };
        let job = Item::Job(*id, engine.entries(Map::Job(map)));
        items.entry(map.author.host).or_default().push(job);
    }
    write(items, to)
}

/// The value of a fact; of several that two boots of one host wrote, the one that counts.
fn fact(engine: &Engine, container: Container, key: &str, is_claim: bool) -> Option<Scalar> {
    let map = Map::Root(container);
    if !is_claim {
        return engine.value(map, key);
    }
    let values = engine.values(map, key).into_iter();
    let scalars = values.filter_map(|found| match found {
        Found::Scalar(value) => Some(value),
        Found::Map(_) | Found::Foreign => None,
    });
    let records: Vec<_> = scalars.filter_map(|value| value.as_json()).collect();
    strongest(records.iter()).map(Scalar::json)
}

/// What of a queue is not over.
struct Live<'a> {
    snapshot: &'a Snapshot,
    jobs: BTreeSet<JobId>,
    /// Attempts of jobs that are not there, whose hosts still have something to say.
    open: BTreeSet<CopyId>,
    configs: BTreeSet<u32>,
    time: Timestamp,
}

impl<'a> Live<'a> {
    fn of(snapshot: &'a Snapshot, time: Timestamp) -> Self {
        let mut held: BTreeSet<CopyId> = BTreeSet::new();
        held.extend(
            snapshot
                .claims
                .keys()
                .filter(|copy| is_held(snapshot, **copy)),
        );
        held.extend(snapshot.lost.keys().filter_map(|(copy, attempt)| {
            let known = snapshot.claims_of(*copy);
            let heard = known.into_iter().any(|claim| claim.attempt == *attempt);
            (!heard).then_some(*copy)
        }));
        let over = |job: &crate::Job| {
            let first = CopyId {
                job: job.id,
                index: 0,
            };
            let last = CopyId {
                job: job.id,
                index: u32::MAX,
            };
            held.range(first..=last).next().is_none()
                && (job.state != JobState::Open
                    || snapshot
                        .copies_of(job)
                        .all(|(_, state)| matches!(state, CopyState::Done(_))))
        };
        let jobs = snapshot.jobs.values().filter(|job| !over(job));
        let jobs: BTreeSet<JobId> = jobs.map(|job| job.id).collect();
        let named = snapshot
            .lost
            .iter()
            .filter(|((copy, _), _)| jobs.contains(&copy.job) || held.contains(copy));
        let named = named.flat_map(|(_, words)| words.values().map(|word| word.cfg));
        let last = snapshot
            .configs
            .keys()
            .rev()
            .take(FOUNDING_CONFIGS)
            .copied();
        let configs = last.chain(named).collect();
        Self {
            snapshot,
            jobs,
            open: held,
            configs,
            time,
        }
    }

    fn has_meta(&self, meta: Meta) -> bool {
        match meta {
            Meta::Format | Meta::MinWriter | Meta::Queue | Meta::Name | Meta::Voters => true,
            Meta::Config(cfg) => self.configs.contains(&cfg),
            Meta::Epoch | Meta::Key => false,
            Meta::Other => true,
        }
    }

    fn is_out(&self, host: HostId) -> bool {
        let member = self.snapshot.members.get(&host);
        member.is_none_or(crate::Member::is_removed)
    }

    fn has_copy(&self, copy: CopyId) -> bool {
        self.jobs.contains(&copy.job) || self.open.contains(&copy)
    }

    /// Whose entry it is, if it goes on.
    fn writer(&self, entry: &Entry) -> Option<HostId> {
        let of = |id: &ClaimId| self.has_copy(id.copy).then_some(id.host);
        match entry {
            Entry::MemberName(host) | Entry::MemberLeft(host) => Some(*host),
            // A later version of a member's program reads it; of who is out nobody does.
            Entry::MemberOther(host) => (!self.is_out(*host)).then_some(*host),
            // What it kept is in here.
            Entry::MemberKept(_) => None,
            Entry::Invite(host, public) => {
                let said = self.snapshot.invites.get(public)?.get(host)?;
                let over = said
                    .expires_at_s
                    .is_some_and(|end| end <= self.time.0 / 1000);
                (!over && !self.is_out(*host)).then_some(*host)
            }
            Entry::Printer(printer) => {
                let record = self.snapshot.printers.get(printer);
                let gone = record.is_some_and(|record| record.removed);
                (!gone && !self.is_out(printer.host)).then_some(printer.host)
            }
            Entry::Request(id) => (!self.is_out(id.host)).then_some(id.host),
            Entry::Claim(id) | Entry::Run(id, _) | Entry::Lost(id) => of(id),
            Entry::ClaimOther(id) => of(id).filter(|host| !self.is_out(*host)),
            Entry::Meta(_)
            | Entry::Setting(_)
            | Entry::SettingOther
            | Entry::Certificate(_)
            | Entry::Group
            | Entry::Job(_)
            | Entry::JobField(..)
            | Entry::JobSet(..)
            | Entry::JobAgain(..)
            | Entry::JobOther(_) => None,
        }
    }
}

/// Whether a member still has something to say about a copy: it claims or prints it, or the voters have not decided about what
/// it made, or two made it and one of them has not said that its part is one too many.
fn is_held(snapshot: &Snapshot, copy: CopyId) -> bool {
    let mut finished = 0;
    let here = |host: HostId| {
        let member = snapshot.members.get(&host);
        member.is_some_and(|member| !member.left)
    };
    let claims = snapshot.claims_of(copy).filter(|claim| here(claim.host));
    let mut held = false;
    for claim in claims {
        let record = &claim.record;
        let undecided = record.speculative && (record.state.is_over());
        let counted = matches!(
            record.state,
            crate::ClaimState::Credited | crate::ClaimState::Surplus
        );
        held |= record.state.is_pending() || record.state.is_begun() || undecided && !counted;
        finished += u32::from(record.state == crate::ClaimState::Finished);
    }
    held || finished > 1
}

/// Turns the items into changes, each following the one before.
fn write(items: BTreeMap<HostId, Vec<Item>>, to: Beginning) -> Vec<Body> {
    let mut chain = Chain {
        to,
        bodies: Vec::new(),
        last: engine::genesis_hash(),
        next_op: GENESIS_OPS + 1,
    };
    for (host, items) in items {
        let mut open = chain.begin(host, 1);
        let mut bytes = 0;
        for item in items {
            let (container, job, puts) = match item {
                Item::Put(container, key, value) => (container, None, vec![(key, value)]),
                Item::Job(id, fields) => (Container::of_job(id), Some(id), fields),
            };
            let mut target = Target::Genesis(container.counter());
            if let Some(id) = job {
                chain.make_room(&mut open, &mut bytes);
                let counter = open.start_op + open.ops.len() as u64;
                open.ops.push(op(target, id.to_string(), Action::MakeMap));
                target = Target::Made(OpRef { counter, author: 0 });
            }
            for (key, value) in puts {
                chain.make_room(&mut open, &mut bytes);
                bytes += key.len() + SCALAR_BYTES_MAX.min(size(&value));
                open.ops.push(op(target, key, Action::Put(value)));
            }
        }
        chain.end(open);
    }
    chain.bodies
}

fn size(value: &Scalar) -> usize {
    match value {
        Scalar::Text(text) => text.len(),
        Scalar::Bytes(bytes) => bytes.len(),
        Scalar::Number(_) | Scalar::Flag(_) => 8,
    }
}

fn op(target: Target, key: String, action: Action) -> Op {
    Op {
        target,
        key,
        action,
        pred: Vec::new(),
    }
}

struct Chain {
    to: Beginning,
    bodies: Vec<Body>,
    last: crate::ChangeHash,
    next_op: u64,
}

impl Chain {
    fn begin(&self, host: HostId, seq: u64) -> Body {
        let author = Author {
            host,
            boot: FOUNDING_BOOT,
        };
        let mut body = Body::new(self.to.number, author, seq, self.next_op, self.to.time);
        body.deps = vec![self.last];
        body
    }

    fn make_room(&mut self, open: &mut Body, bytes: &mut usize) {
        if open.ops.len() >= FOUNDING_OPS || *bytes >= FOUNDING_VALUE_BYTES {
            let next = Body::new(0, open.author, 0, 0, self.to.time);
            let full = std::mem::replace(open, next);
            let (host, seq) = (full.author.host, full.seq);
            self.end(full);
            *open = self.begin(host, seq + 1);
            *bytes = 0;
        }
    }

    fn end(&mut self, body: Body) {
        if let Some(hash) = engine::hash(&body).filter(|_| !body.ops.is_empty()) {
            self.next_op += body.ops.len() as u64;
            self.last = hash;
            self.bodies.push(body);
        }
    }
}
