//! The door: judges one change of anybody against what it had seen, and says why not.
//!
//! It changes nothing. It only ever looks at the change and its causal past, so that every host comes to the same
//! verdict, in whatever order the changes arrive.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Certificate, Role, Voters,
    change::{Action, Body, Op, OpId, Target},
    engine::Map,
    epoch::Authority,
    past::{Deps, Effect, Past, best},
    rules::{Fact, JobPart, NewJob, Write, certificate},
    schema::{Container, Entry, Meta, Place, meta_key},
};

/// Why a change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// No certificate of its author is in its past, or in itself.
    #[error("its author is not a member")]
    UnknownAuthor,
    /// Its author was removed from the queue.
    #[error("its author was removed from the queue")]
    Removed,
    /// Not signed by its author for this queue.
    #[error("the signature is not its author's")]
    BadSignature,
    /// Made for another epoch.
    #[error("it belongs to another epoch")]
    Epoch,
    /// Its number is not the next one of its author's chain, or it had not seen the one before.
    #[error("it is not the next change of its author")]
    Sequence,
    /// Another change of the same author has the same number: the author signed two histories.
    #[error("its author signed another change with the same number")]
    Equivocation,
    /// Its first operation has not the next counter.
    #[error("its operations are counted wrongly")]
    StartOp,
    /// It writes one key twice.
    #[error("it is not in its one valid form")]
    NotCanonical,
    /// It writes into a map that does not exist, or that it had not seen.
    #[error("it writes into something that does not exist")]
    MissingObject,
    /// The values that it says it replaces are not the ones it had seen.
    #[error("it replaces values that it had not seen, or overlooks some")]
    Predecessor,
    /// Its author's role does not allow that, or what was there must not be replaced by that.
    #[error("its author may not write that")]
    NotPermitted,
    /// A key or a value that means nothing.
    #[error("it has a key or a value that means nothing")]
    Schema,
    /// Over a limit.
    #[error("it is over a limit")]
    TooLarge,
    /// It follows a change that was refused.
    #[error("it follows a refused change")]
    Follows,
    /// The document engine broke on it; the document was rebuilt without it.
    #[error("the document cannot take it")]
    Engine,
    /// Its author has written as much in this epoch as one member may.
    #[error("its author has written as much as a member may in one epoch")]
    Quota,
    /// Withheld: its author is in quarantine on this host.
    #[error("its author is in quarantine here")]
    Quarantined,
}

impl Refusal {
    /// Returns the code for logs and tools; it never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownAuthor => "unknown-author",
            Self::Removed => "removed",
            Self::BadSignature => "bad-signature",
            Self::Epoch => "epoch",
            Self::Sequence => "sequence",
            Self::Equivocation => "equivocation",
            Self::StartOp => "start-op",
            Self::NotCanonical => "not-canonical",
            Self::MissingObject => "missing-object",
            Self::Predecessor => "predecessor",
            Self::NotPermitted => "not-permitted",
            Self::Schema => "schema",
            Self::TooLarge => "too-large",
            Self::Follows => "follows",
            Self::Engine => "engine",
            Self::Quota => "quota",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Whether the rules of who may write what are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A change from anywhere: by what its author had seen.
    Nobody,
    /// A change from anywhere, by what is known here of its author by now.
    Today,
    /// From this host's own log: it was judged when it came, perhaps by an earlier version's rules.
    OwnLog,
}

/// A change that may be applied.
pub(crate) struct Good {
    pub(crate) deps: Deps,
    pub(crate) effects: Vec<Effect>,
    /// What it writes.
    pub(crate) entries: Vec<Entry>,
}

/// Judges a change whose direct past is known; its signature was checked before.
pub(crate) fn judge(
    past: &Past,
    authority: &Authority,
    body: &Body,
    trust: Trust,
) -> Result<Good, Refusal> {
    // Everything follows the genesis change.
    if body.deps.is_empty() {
        return Err(Refusal::Sequence);
    }
    let deps = past.deps(&body.deps).ok_or(Refusal::Sequence)?;
    let last = past.seq_of(body.author);
    if body.seq != last + 1 || past.seen_of(body.author, &deps.clock) != last {
        return Err(Refusal::Sequence);
    }
    if body.start_op != deps.max_op + 1 {
        return Err(Refusal::StartOp);
    }
    if trust != Trust::OwnLog {
        let new_jobs = body.ops.iter().filter(|op| op.action == Action::MakeMap);
        let written = past.written(body.author.host, &deps.clock);
        if written.is_full(new_jobs.count()) {
            return Err(Refusal::Quota);
        }
    }
    let mut judge = Judge {
        past,
        authority,
        body,
        deps: &deps,
        trust,
        role: None,
        made: BTreeMap::new(),
        new_jobs: BTreeMap::new(),
        keys: BTreeSet::new(),
        entries: Vec::with_capacity(body.ops.len()),
        effects: Vec::with_capacity(body.ops.len()),
    };
    let certificate = judge.certificate_of_author();
    let removed = certificate.as_ref().is_some_and(|found| found.removed);
    // A decision proves itself, whoever brings it: two admins that remove one another are both out, on every host.
    let proves_itself = trust == Trust::Today && judge.only_certificates();
    if removed && trust != Trust::OwnLog && !proves_itself {
        return Err(Refusal::Removed);
    }
    judge.role = certificate.map(|found| found.role);
    for (counter, op) in (body.start_op..).zip(&body.ops) {
        judge.op(counter, op)?;
    }
    if trust != Trust::OwnLog {
        judge.new_jobs.values().try_for_each(NewJob::judge)?;
    }
    let (effects, entries) = (judge.effects, judge.entries);
    Ok(Good {
        deps,
        effects,
        entries,
    })
}

struct Judge<'a> {
    past: &'a Past,
    authority: &'a Authority,
    body: &'a Body,
    deps: &'a Deps,
    trust: Trust,
    role: Option<Role>,
    /// Maps that this change makes, by counter.
    made: BTreeMap<u64, Entry>,
    new_jobs: BTreeMap<u64, NewJob>,
    keys: BTreeSet<(Map, &'a str)>,
    entries: Vec<Entry>,
    effects: Vec<Effect>,
}

impl<'a> Judge<'a> {
    /// The author's certificate that counts: one that it had seen (or that is known here by now), or one that it brings.
    fn certificate_of_author(&self) -> Option<Certificate> {
        let host = self.body.author.host;
        let brought = self.body.ops.iter().filter_map(|op| {
            let place = Place::Genesis(Container::Members);
            let Action::Put(value) = &op.action else {
                return None;
            };
            let own = op.target == Target::Genesis(Container::Members.counter())
                && Entry::parse(place, &op.key) == Some(Entry::Certificate(host));
            own.then(|| certificate(value, host, self.authority))?
        });
        let brought: Vec<Certificate> = brought.collect();
        let seen = match self.trust {
            Trust::Today => self.past.certificate_now(host),
            Trust::Nobody | Trust::OwnLog => self.past.certificate(host, &self.deps.clock),
        };
        best(brought.iter().chain(seen)).cloned()
    }

    fn only_certificates(&self) -> bool {
        self.body.ops.iter().all(|op| {
            let place = Place::Genesis(Container::Members);
            op.target == Target::Genesis(Container::Members.counter())
                && matches!(Entry::parse(place, &op.key), Some(Entry::Certificate(_)))
        })
    }

    fn op(&mut self, counter: u64, op: &'a Op) -> Result<(), Refusal> {
        let (map, place, job) = self.place(op.target)?;
        if !self.keys.insert((map, &op.key)) {
            return Err(Refusal::NotCanonical);
        }
        let before = self.past.visible(map, &op.key, &self.deps.clock);
        let replaces: Option<Vec<OpId>> = op.pred.iter().map(|id| self.body.resolve(*id)).collect();
        let replaces = replaces.ok_or(Refusal::Predecessor)?;
        if !before.iter().map(|(id, _)| id).eq(&replaces) {
            return Err(Refusal::Predecessor);
        }
        let entry = Entry::parse(place, &op.key).ok_or(Refusal::Schema)?;
        if self.trust != Trust::OwnLog {
            let before: Vec<&Fact> = before.iter().map(|(_, fact)| *fact).collect();
            let voters_before = self.voters_before(&entry);
            let write = Write {
                authority: self.authority,
                host: self.body.author.host,
                role: self.role,
                entry: &entry,
                action: &op.action,
                before: &before,
                job,
                voters_before: &voters_before,
            };
            write.judge()?;
        }
        let id = OpId {
            counter,
            author: self.body.author,
        };
        let makes = match (&op.action, &entry) {
            (Action::MakeMap, Entry::Job(job)) => Some(*job),
            // Only a log could hold that: `judge` refuses it.
            (Action::MakeMap, _) => return Err(Refusal::Schema),
            (Action::Put(_) | Action::Delete, _) => None,
        };
        if makes.is_some() {
            self.made.insert(counter, entry.clone());
            self.new_jobs.insert(counter, NewJob::default());
        }
        if let Target::Made(target) = op.target
            && target.author == 0
            && let Some(new) = self.new_jobs.get_mut(&target.counter)
        {
            new.put(&entry);
        }
        self.effects.push(Effect {
            map,
            key: op.key.clone(),
            id,
            pred: replaces,
            fact: self.fact(&entry, &op.action),
            makes,
        });
        self.entries.push(entry);
        Ok(())
    }

    /// The voters that a configuration follows, as far as its author had seen them.
    fn voters_before(&self, entry: &Entry) -> Vec<&'a Fact> {
        let before = match entry {
            Entry::Meta(Meta::Config(0 | 1)) => return Vec::new(),
            Entry::Meta(Meta::Config(2)) => Meta::Voters,
            Entry::Meta(Meta::Config(cfg)) => Meta::Config(cfg - 1),
            _ => return Vec::new(),
        };
        let map = Map::Root(Container::Meta);
        let visible = self.past.visible(map, &meta_key(before), &self.deps.clock);
        visible.into_iter().map(|(_, fact)| fact).collect()
    }

    /// The map that an operation writes into, and what it stands for.
    fn place(&self, target: Target) -> Result<(Map, Place, Option<JobPart>), Refusal> {
        match target {
            Target::Genesis(counter) => {
                let container = Container::from_counter(counter).ok_or(Refusal::MissingObject)?;
                Ok((Map::Root(container), Place::Genesis(container), None))
            }
            Target::Made(id) => {
                let id = self.body.resolve(id).ok_or(Refusal::MissingObject)?;
                let own = (id.author == self.body.author)
                    .then(|| self.made.get(&id.counter))
                    .flatten();
                let (job, is_new) = match own {
                    Some(Entry::Job(job)) => (*job, true),
                    _ => {
                        let seen = self.past.job(id, &self.deps.clock);
                        (seen.ok_or(Refusal::MissingObject)?, false)
                    }
                };
                let part = JobPart {
                    submitter: id.author.host,
                    is_new,
                };
                Ok((Map::Job(id), Place::Job(job), Some(part)))
            }
        }
    }

    fn fact(&self, entry: &Entry, action: &Action) -> Option<Fact> {
        let value = match action {
            Action::MakeMap => return Some(Fact::Plain),
            Action::Put(value) => value,
            Action::Delete => return None,
        };
        let fact = match entry {
            Entry::Certificate(member) => certificate(value, *member, self.authority)
                .map(|found| Fact::Certificate(Box::new(found))),
            Entry::Claim(_) => value.as_json().map(|record| Fact::Claim(Box::new(record))),
            Entry::Meta(Meta::Voters | Meta::Config(_)) => value
                .as_json()
                .map(|voters: Voters| Fact::Voters(voters.hosts)),
            _ => None,
        };
        Some(fact.unwrap_or(Fact::Plain))
    }
}
