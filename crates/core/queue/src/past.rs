//! Which changes are known, what each of them had seen, and which values were visible to it.
//!
//! Automerge can tell that only of changes already applied, one at a time and at a cost that grows with the document.
//! This index answers for a change that is about to be applied, so that a thousand of them are judged one by one and
//! applied in one go. It judges nothing itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    Author, Certificate, ChangeHash, HostId, JobId, SignedChange, VersionVector,
    change::OpId,
    engine::{Map, genesis_hash},
    epoch::is_founding,
    limits::{MEMBER_BYTES_MAX, MEMBER_CHANGES_MAX, MEMBER_JOBS_MAX, WALK_MAX},
    rules::{Fact, standing},
    schema::GENESIS_OPS,
};

/// A change by its place: number of its author here, and its seq.
#[derive(Clone, Copy, Debug)]
struct Position {
    author: u32,
    seq: u32,
}

/// The causal past of a change: how much of each author's chain is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Vec<u32>);

impl Clock {
    fn covers(&self, position: Position) -> bool {
        self.0
            .get(position.author as usize)
            .is_some_and(|seq| *seq >= position.seq)
    }
}

struct Known {
    change: Arc<SignedChange>,
    position: Position,
    max_op: u64,
    deps: Vec<u32>,
    /// Everything up to and with this change, kept when finding it was a long walk.
    clock: Option<Clock>,
}

/// A value that was written, and what replaced it.
struct Value {
    id: OpId,
    at: Position,
    replaced: Vec<Position>,
    fact: Fact,
}

/// A job's map.
pub(crate) struct MadeJob {
    pub(crate) job: JobId,
    at: Position,
}

/// The direct past of a change, found.
pub(crate) struct Deps {
    places: Vec<u32>,
    pub(crate) clock: Clock,
    /// Changes that were met on the way to the clock.
    walk: usize,
    /// Highest operation counter in it.
    pub(crate) max_op: u64,
}

/// One operation that was judged good.
pub(crate) struct Effect {
    pub(crate) map: Map,
    pub(crate) key: String,
    pub(crate) id: OpId,
    pub(crate) pred: Vec<OpId>,
    /// `None` for a delete.
    pub(crate) fact: Option<Fact>,
    /// The job whose map it makes.
    pub(crate) makes: Option<JobId>,
}

/// What a host has written in the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    changes: usize,
    bytes: usize,
    jobs: usize,
}

impl Written {
    /// Whether a change that makes so many jobs is more than one member may write.
    pub(crate) fn is_full(self, new_jobs: usize) -> bool {
        self.changes >= MEMBER_CHANGES_MAX
            || self.bytes >= MEMBER_BYTES_MAX
            || new_jobs > 0 && self.jobs + new_jobs > MEMBER_JOBS_MAX
    }
}

#[derive(Default)]
pub(crate) struct Past {
    authors: Vec<Author>,
    numbers: BTreeMap<Author, u32>,
    /// In the order in which they were admitted, which is a causal one.
    known: Vec<Known>,
    by_hash: BTreeMap<ChangeHash, u32>,
    chains: Vec<Vec<u32>>,
    /// The chains of each host, and what was written up to each change of a chain.
    of_host: BTreeMap<HostId, Vec<u32>>,
    written: Vec<Vec<Written>>,
    heads: BTreeSet<u32>,
    values: BTreeMap<Map, BTreeMap<String, Vec<Value>>>,
    jobs: BTreeMap<OpId, MadeJob>,
    certificates: BTreeMap<HostId, Vec<(Box<Certificate>, Position)>>,
}

impl Past {
    pub(crate) fn contains(&self, hash: ChangeHash) -> bool {
        hash == genesis_hash() || self.by_hash.contains_key(&hash)
    }

    pub(crate) fn change(&self, hash: ChangeHash) -> Option<&Arc<SignedChange>> {
        let place = self.by_hash.get(&hash)?;
        Some(&self.known[*place as usize].change)
    }

    /// The change with this place in its author's chain.
    pub(crate) fn at(&self, author: Author, seq: u64) -> Option<&Arc<SignedChange>> {
        let chain = &self.chains[*self.numbers.get(&author)? as usize];
        let place = chain.get(usize::try_from(seq.checked_sub(1)?).ok()?)?;
        Some(&self.known[*place as usize].change)
    }

    pub(crate) fn seq_of(&self, author: Author) -> u64 {
        self.numbers
            .get(&author)
            .map_or(0, |number| self.chains[*number as usize].len() as u64)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many chains there are beside those that the epoch began with.
    pub(crate) fn starts(&self) -> usize {
        let authors = self.authors.iter();
        authors.filter(|author| !is_founding(**author)).count()
    }

    /// Everything known, in a causal order.
    pub(crate) fn log(&self) -> impl Iterator<Item = &Arc<SignedChange>> {
        self.known.iter().map(|known| &known.change)
    }

    pub(crate) fn vector(&self) -> VersionVector {
        let chains = self.authors.iter().zip(&self.chains);
        VersionVector(
            chains
                .filter(|(author, _)| !is_founding(**author))
                .map(|(author, chain)| (*author, chain.len() as u64))
                .collect(),
        )
    }

    /// What somebody with that vector lacks, in a causal order.
    pub(crate) fn after(&self, theirs: &VersionVector) -> Vec<Arc<SignedChange>> {
        let mut places = Vec::new();
        for (author, chain) in self.authors.iter().zip(&self.chains) {
            let known = usize::try_from(theirs.of(*author)).unwrap_or(usize::MAX);
            // What an epoch began with comes with its record only.
            if !is_founding(*author) {
                places.extend_from_slice(chain.get(known..).unwrap_or_default());
            }
        }
        places.sort_unstable();
        let change = |place| Arc::clone(&self.known[place as usize].change);
        places.into_iter().map(change).collect()
    }

    /// The changes that nothing follows, ascending; the genesis change when there is nothing else.
    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        let heads = self
            .heads
            .iter()
            .map(|place| self.known[*place as usize].change.hash());
        let mut heads: Vec<_> = heads.collect();
        if heads.is_empty() {
            heads.push(genesis_hash());
        }
        heads.sort_unstable();
        heads
    }

    /// What a new change of `author` should name as its direct past: the heads, but never more than `most`, and
    /// then its own last change among them.
    pub(crate) fn deps_for(&self, author: Author, most: usize) -> Vec<ChangeHash> {
        let mut deps = self.heads();
        if deps.len() > most {
            deps.truncate(most - 1);
            let last = self
                .at(author, self.seq_of(author))
                .map(|change| change.hash());
            deps.extend(last.filter(|last| !deps.contains(last)));
            deps.sort_unstable();
        }
        deps
    }

    /// Finds the direct past of a change; `None` when some of it is unknown.
    pub(crate) fn deps(&self, hashes: &[ChangeHash]) -> Option<Deps> {
        let mut places = Vec::with_capacity(hashes.len());
        for hash in hashes {
            if *hash != genesis_hash() {
                places.push(*self.by_hash.get(hash)?);
            }
        }
        let max_op = places
            .iter()
            .map(|place| self.known[*place as usize].max_op);
        let max_op = max_op.fold(GENESIS_OPS, u64::max);
        let (clock, walk) = self.clock(&places);
        Some(Deps {
            places,
            clock,
            walk,
            max_op,
        })
    }

    /// Walks back to kept clocks: what they cover needs no walk, everything else is met once.
    fn clock(&self, places: &[u32]) -> (Clock, usize) {
        let mut clock = Clock(vec![0; self.authors.len()]);
        let mut met = BTreeSet::new();
        let mut open = places.to_vec();
        while let Some(place) = open.pop() {
            let known = &self.known[place as usize];
            if clock.covers(known.position) || !met.insert(place) {
                continue;
            }
            match &known.clock {
                Some(kept) => {
                    for (seq, kept) in clock.0.iter_mut().zip(&kept.0) {
                        *seq = (*seq).max(*kept);
                    }
                }
                None => open.extend_from_slice(&known.deps),
            }
        }
        for place in &met {
            let Position { author, seq } = self.known[*place as usize].position;
            let known = &mut clock.0[author as usize];
            *known = (*known).max(seq);
        }
        (clock, met.len())
    }

    /// How much of an author's own chain a change had seen.
    pub(crate) fn seen_of(&self, author: Author, clock: &Clock) -> u64 {
        let number = self.numbers.get(&author).copied();
        number
            .and_then(|number| clock.0.get(number as usize).copied())
            .unwrap_or(0)
            .into()
    }

    /// What a host had written in this epoch, as far as that had been seen.
    pub(crate) fn written(&self, host: HostId, clock: &Clock) -> Written {
        let mut all = Written::default();
        for number in self.of_host.get(&host).into_iter().flatten() {
            let seen = clock.0.get(*number as usize).copied().unwrap_or(0);
            let chain = &self.written[*number as usize];
            let upto = (seen as usize).checked_sub(1).and_then(|at| chain.get(at));
            let upto = upto.copied().unwrap_or_default();
            all.changes += upto.changes;
            all.bytes += upto.bytes;
            all.jobs += upto.jobs;
        }
        all
    }

    /// The values of a key that were visible, ascending.
    pub(crate) fn visible<'a>(
        &'a self,
        map: Map,
        key: &str,
        clock: &Clock,
    ) -> Vec<(OpId, &'a Fact)> {
        let written = self.values.get(&map).and_then(|keys| keys.get(key));
        let visible = written.into_iter().flatten().filter(|value| {
            clock.covers(value.at) && !value.replaced.iter().any(|at| clock.covers(*at))
        });
        let mut visible: Vec<_> = visible.map(|value| (value.id, &value.fact)).collect();
        visible.sort_unstable_by_key(|(id, _)| *id);
        visible
    }

    /// The job whose map an operation made, if that had been seen.
    pub(crate) fn job(&self, id: OpId, clock: &Clock) -> Option<JobId> {
        self.jobs
            .get(&id)
            .filter(|made| clock.covers(made.at))
            .map(|made| made.job)
    }

    /// The place in its author's chain of the change that made a job's map.
    pub(crate) fn seq_of_op(&self, id: OpId) -> Option<u64> {
        self.jobs.get(&id).map(|made| made.at.seq.into())
    }

    /// The certificate of a host that counts among those that had been seen.
    pub(crate) fn certificate(&self, host: HostId, clock: &Clock) -> Option<&Certificate> {
        let certificates = self.certificates.get(&host).into_iter().flatten();
        let seen = certificates.filter(|(_, at)| clock.covers(*at));
        best(seen.map(|(certificate, _)| certificate.as_ref()))
    }

    /// The certificate of a host that counts among all that are known here.
    pub(crate) fn certificate_now(&self, host: HostId) -> Option<&Certificate> {
        let certificates = self.certificates.get(&host).into_iter().flatten();
        best(certificates.map(|(certificate, _)| certificate.as_ref()))
    }

    /// Whether there are changes of `host` that a known change had not seen.
    pub(crate) fn overlooks(&self, hash: ChangeHash, host: HostId) -> bool {
        let Some(deps) = self.deps(&[hash]) else {
            return false;
        };
        let chains = self.authors.iter().zip(&self.chains);
        let mut own = chains.filter(|(author, _)| author.host == host);
        own.any(|(author, chain)| self.seen_of(*author, &deps.clock) < chain.len() as u64)
    }

    /// Takes in a change that was judged good.
    pub(crate) fn push(&mut self, change: Arc<SignedChange>, deps: Deps, effects: Vec<Effect>) {
        let author = change.chain();
        let number = *self.numbers.entry(author).or_insert_with(|| {
            self.authors.push(author);
            self.chains.push(Vec::new());
            self.written.push(Vec::new());
            let number = (self.authors.len() - 1) as u32;
            self.of_host.entry(author.host).or_default().push(number);
            number
        });
        let written = &mut self.written[number as usize];
        let before = written.last().copied().unwrap_or_default();
        written.push(Written {
            changes: before.changes + 1,
            bytes: before.bytes + change.size(),
            jobs: before.jobs
                + effects
                    .iter()
                    .filter(|effect| effect.makes.is_some())
                    .count(),
        });
        let at = Position {
            author: number,
            // The chain is as long as that, and its places are 32 bits wide.
            seq: self.chains[number as usize].len() as u32 + 1,
        };
        let place = self.known.len() as u32;
        let max_op = deps.max_op + effects.len() as u64;
        for effect in effects {
            self.take(effect, at);
        }
        for dep in &deps.places {
            self.heads.remove(dep);
        }
        self.heads.insert(place);
        self.chains[number as usize].push(place);
        self.by_hash.insert(change.hash(), place);
        let clock = (deps.walk > WALK_MAX).then(|| {
            let mut clock = deps.clock;
            clock.0.resize(self.authors.len(), 0);
            clock.0[number as usize] = at.seq;
            clock
        });
        self.known.push(Known {
            change,
            position: at,
            max_op,
            deps: deps.places,
            clock,
        });
    }

    fn take(&mut self, effect: Effect, at: Position) {
        let written = self
            .values
            .entry(effect.map)
            .or_default()
            .entry(effect.key)
            .or_default();
        for value in written
            .iter_mut()
            .filter(|value| effect.pred.contains(&value.id))
        {
            value.replaced.push(at);
        }
        if let Some(Fact::Certificate(certificate)) = &effect.fact {
            let of_member = self.certificates.entry(certificate.member).or_default();
            of_member.push((certificate.clone(), at));
        }
        if let Some(job) = effect.makes {
            self.jobs.insert(effect.id, MadeJob { job, at });
        }
        if let Some(fact) = effect.fact {
            written.push(Value {
                id: effect.id,
                at,
                replaced: Vec::new(),
                fact,
            });
        }
    }
}

/// The certificate that counts, of several valid ones of one member.
pub(crate) fn best<'a>(
    certificates: impl Iterator<Item = &'a Certificate>,
) -> Option<&'a Certificate> {
    certificates.max_by(|a, b| standing(a).cmp(&standing(b)))
}

#[cfg(test)]
impl Past {
    /// Asserts that the index sees the values that Automerge sees.
    pub(crate) fn check(&self, engine: &crate::engine::Engine) {
        let deps = self.deps(&self.heads()).expect("own heads are known");
        for (map, keys) in &self.values {
            assert!(engine.keys(*map).iter().all(|key| keys.contains_key(key)));
            for key in keys.keys() {
                let ids: Vec<_> = self
                    .visible(*map, key, &deps.clock)
                    .iter()
                    .map(|(id, _)| *id)
                    .collect();
                assert_eq!(ids, engine.value_ids(*map, key), "{map:?} {key}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_writes_so_many_changes_in_an_epoch_and_no_more() {
        let almost = Written {
            changes: MEMBER_CHANGES_MAX - 1,
            bytes: MEMBER_BYTES_MAX - 1,
            jobs: MEMBER_JOBS_MAX - 1,
        };
        assert!(!almost.is_full(0));
        assert!(!almost.is_full(1));
        assert!(almost.is_full(2));
        let changes = MEMBER_CHANGES_MAX;
        assert!(Written { changes, ..almost }.is_full(0));
        let bytes = MEMBER_BYTES_MAX;
        assert!(Written { bytes, ..almost }.is_full(0));
        // Who may make no more jobs may go on with those that it has.
        let jobs = MEMBER_JOBS_MAX;
        let full = Written { jobs, ..almost };
        assert_eq!((full.is_full(0), full.is_full(1)), (false, true));
    }
}
