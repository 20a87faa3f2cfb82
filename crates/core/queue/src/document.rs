//! A queue's document: what this host has admitted, and the snapshot read from it.
//!
//! Everything goes through one door, this host's own edits too: judged first, then applied, then read. The Automerge
//! engine behind it can panic on what nobody foresaw; then the document is rebuilt from the admitted changes without
//! the one that broke it. Nothing here touches a disk: the caller keeps the changes that it is given.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    Author, ChangeHash, Edit, EditError, Equivocation, HostId, QueueId, Refusal, SignedChange,
    Signer, Snapshot, Timestamp, Touched, VersionVector, WireError,
    admit::{Good, Trust, judge},
    change::Body,
    engine::{self, Built, Engine},
    epoch::{Authority, LINEAGE_ENTRY, Lineage, is_founding},
    kept::{Base, Kept, KeptJob},
    limits::REFUSED_MAX,
    parked::Parked,
    past::Past,
    read,
    schema::Entry,
    withheld::Withheld,
};

mod epochs;
#[cfg(test)]
mod inspect;
mod quarantine;
mod rebuild;

pub use epochs::{Followed, Way};
#[cfg(test)]
pub(crate) use inspect::Spot;

/// Why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// An entry is no change.
    #[error("failed to read entry {index} of the log")]
    Damaged {
        /// Its place, from 0.
        index: usize,
        /// Why not.
        #[source]
        source: WireError,
    },
    /// An entry does not fit the ones before it.
    #[error("failed to apply entry {index} of the log")]
    Unfit {
        /// Its place, from 0.
        index: usize,
        /// Why not.
        #[source]
        source: Refusal,
    },
    /// What its epoch begins with is not whole.
    #[error("failed to read how the epoch of the log begins")]
    Epoch,
}

/// A change that was not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its author; `None` when the signature does not prove one.
    pub author: Option<HostId>,
    /// Its number in the chain of its author, as it says.
    pub seq: u64,
    /// Its name.
    pub change: ChangeHash,
    /// Why.
    pub why: Refusal,
}

/// Another role for a member, or its removal; decided by somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The member.
    pub member: HostId,
    /// How often something was decided anew about it.
    pub turn: u32,
    /// The change that says so.
    pub change: Arc<SignedChange>,
    /// Who decided had not seen all that this host has of the member: that stays in the queue only if this host says so
    /// ([`Edit::keep_what_was`]).
    pub overlooks: bool,
}

/// What became of changes from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Applied now, in a causal order, the ones that had waited among them: to be kept and sent on in this order.
    pub applied: Vec<Arc<SignedChange>>,
    /// Refused for ever; or withheld, because of what was decided about their authors meanwhile.
    pub refused: Vec<Refused>,
    /// What was decided anew about members.
    pub decisions: Vec<Decision>,
    /// Histories of which one host signed two.
    pub proofs: Vec<Equivocation>,
    /// How many wait for their past, earlier ones included.
    pub parked: usize,
    /// What the applied ones changed.
    pub touched: Touched,
}

/// What a queue's hosts agree on, as this host knows it.
pub struct QueueDocument {
    base: Base,
    lineage: Lineage,
    author: Author,
    engine: Engine,
    past: Past,
    snapshot: Snapshot,
    parked: Parked,
    withheld: Withheld,
    /// Hosts whose changes are taken in only when another member has built on them.
    quarantined: BTreeSet<HostId>,
    refused: BTreeSet<ChangeHash>,
    refused_order: VecDeque<ChangeHash>,
    touched: Touched,
}

/// A judged change on its way into the engine.
struct Fresh {
    change: Arc<SignedChange>,
    built: Built,
    entries: Vec<Entry>,
}

impl QueueDocument {
    /// Makes the document of a queue of which nothing is known yet: to be founded, or to be synced.
    pub fn new(queue: QueueId, author: Author) -> Self {
        let authority = Authority::first(queue);
        Self::on(authority, Lineage::default(), Kept::new(), author)
    }

    fn on(authority: Authority, lineage: Lineage, kept: Kept, author: Author) -> Self {
        let base = Base { authority, kept };
        let snapshot = empty(&base);
        Self {
            base,
            lineage,
            author,
            engine: Engine::new(),
            past: Past::default(),
            snapshot,
            parked: Parked::default(),
            withheld: Withheld::default(),
            quarantined: BTreeSet::new(),
            refused: BTreeSet::new(),
            refused_order: VecDeque::new(),
            touched: Touched::default(),
        }
    }

    /// Rebuilds a document from this host's own log: entries as [`SignedChange::to_bytes`] gave them, in the order in
    /// which they were made or admitted.
    ///
    /// Signatures and the structure are checked again, so that a damaged entry is found; who may write what is not,
    /// since that was judged when the entry came, perhaps by an earlier version.
    ///
    /// # Errors
    /// The first entry that is damaged or out of order. Never panics.
    pub fn load(
        queue: QueueId,
        author: Author,
        log: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, LoadError> {
        Self::load_with(queue, author, Vec::new(), log)
    }

    /// The same with what this host keeps of earlier epochs.
    ///
    /// # Errors
    /// As [`QueueDocument::load`].
    pub fn load_with(
        queue: QueueId,
        author: Author,
        kept: Vec<KeptJob>,
        log: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, LoadError> {
        let kept: Kept = kept.into_iter().map(|kept| (kept.id, kept)).collect();
        let mut log = log.into_iter().enumerate().peekable();
        let begins = |(_, entry): &(usize, Vec<u8>)| entry.first() == Some(&LINEAGE_ENTRY);
        let mut document = match log.next_if(begins) {
            Some((_, entry)) => {
                let lineage = Lineage::from_entry(&entry).ok_or(LoadError::Epoch)?;
                let count = lineage.0.last().map_or(0, |record| record.count);
                let founding = log.by_ref().take(count as usize).map(|(_, entry)| entry);
                Self::begin(queue, author, lineage, kept, founding).map_err(|_| LoadError::Epoch)?
            }
            None => Self::on(Authority::first(queue), Lineage::default(), kept, author),
        };
        let mut fresh = Vec::new();
        for (index, bytes) in log {
            let change = SignedChange::from_bytes(&bytes)
                .map_err(|source| LoadError::Damaged { index, source })?;
            let unfit = |source| LoadError::Unfit { index, source };
            document.check_envelope(&change).map_err(unfit)?;
            let body = change.body();
            fresh.push(
                document
                    .take(Arc::new(change), &body, Trust::OwnLog)
                    .map_err(unfit)?,
            );
        }
        if !document.apply_all(fresh, rebuild::read_all) {
            let log: Vec<_> = document.past.log().cloned().collect();
            if let Some((broken, source)) = document.replay(&[], &log).into_iter().next() {
                let is_it = |change: &Arc<SignedChange>| change.hash() == broken.hash();
                let index = log.iter().position(is_it).unwrap_or(0);
                return Err(LoadError::Unfit { index, source });
            }
        }
        Ok(document)
    }

    /// Returns the queue.
    pub fn queue(&self) -> QueueId {
        self.base.authority.queue
    }

    /// Returns who writes here.
    pub fn author(&self) -> Author {
        self.author
    }

    /// Returns what the queue says now.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns what edits and admitted changes changed since the last call.
    pub fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Returns how many changes of each author are known.
    pub fn vector(&self) -> VersionVector {
        self.past.vector()
    }

    /// Returns what somebody with that vector lacks, in a causal order.
    pub fn changes_after(&self, theirs: &VersionVector) -> Vec<Arc<SignedChange>> {
        self.past.after(theirs)
    }

    /// Returns the change of that name, if it was admitted.
    pub fn change(&self, hash: ChangeHash) -> Option<Arc<SignedChange>> {
        self.past.change(hash).cloned()
    }

    /// Returns what the changes that wait here wait for.
    pub fn missing(&self) -> Vec<ChangeHash> {
        self.parked.missing()
    }

    /// Makes one edit: one signed change, one entry of the log, or none when nothing would change.
    ///
    /// The change must be kept durably before it is sent.
    ///
    /// # Errors
    /// What `f` returns, or [`EditError`] when the edit breaks a rule; the document is as it was.
    pub fn edit<T, E: From<EditError>>(
        &mut self,
        now: Timestamp,
        signer: &dyn Signer,
        f: impl FnOnce(&mut Edit<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<Arc<SignedChange>>), E> {
        let mut edit = Edit::new(&self.base, self.author, &self.snapshot, &self.engine);
        let value = f(&mut edit)?;
        let change = match edit.finish(&self.past, now)? {
            Some(body) => Some(self.write(&body, signer)?),
            None => None,
        };
        Ok((value, change))
    }

    /// What the next change of this author says about its place: author, seq, deps, first operation.
    pub(crate) fn next_envelope(&self, deps_max: usize) -> (Author, u64, Vec<ChangeHash>, u64) {
        let hashes = self.past.deps_for(self.author, deps_max);
        let deps = self.past.deps(&hashes).expect("its own heads are known");
        (
            self.author,
            self.past.seq_of(self.author) + 1,
            hashes,
            deps.max_op + 1,
        )
    }

    fn write(&mut self, body: &Body, signer: &dyn Signer) -> Result<Arc<SignedChange>, EditError> {
        if signer.host() != self.author.host {
            return Err(EditError::Signer);
        }
        let change = SignedChange::sign(body, self.queue(), signer).map_err(EditError::Write)?;
        if !change.is_signed_for(self.queue()) {
            return Err(EditError::Signer);
        }
        let change = Arc::new(change);
        let fresh = self
            .take(Arc::clone(&change), body, Trust::Nobody)
            .map_err(EditError::Refused)?;
        let touched = Touched::of(&fresh.entries);
        if !self.apply(vec![fresh]).is_empty() {
            return Err(EditError::Refused(Refusal::Engine));
        }
        self.touched.extend(touched);
        Ok(change)
    }

    /// Admits changes of others: verifies them, applies the good ones in a causal order, keeps those whose past is
    /// missing for later, and names the refused ones. Never panics.
    pub fn admit(&mut self, changes: Vec<SignedChange>) -> Admitted {
        self.admit_also(changes, false)
    }

    /// Admits changes, and looks once more at those that are withheld where that is asked for or one of the changes decides
    /// about members.
    fn admit_also(&mut self, changes: Vec<SignedChange>, look_again: bool) -> Admitted {
        let mut admitted = Admitted::default();
        let mut fresh = Vec::new();
        for change in changes {
            let hash = change.hash();
            if self.past.contains(hash)
                || self.parked.contains(hash)
                || self.withheld.contains(hash)
                || self.refused.contains(&hash)
            {
                continue;
            }
            match self.check_envelope(&change) {
                Ok(()) => {
                    let body = change.body();
                    self.admit_one(change, body, &mut fresh, &mut admitted);
                }
                // Not remembered: the hash says nothing about the envelope, and a good one may come.
                Err(why) => admitted.refused.push(Refused {
                    author: None,
                    seq: change.seq(),
                    change: change.hash(),
                    why,
                }),
            }
        }
        let decides = |entry: &Entry| matches!(entry, Entry::Certificate(_));
        if look_again || fresh.iter().any(|fresh| fresh.entries.iter().any(decides)) {
            for (change, body) in self.withheld.take_all() {
                self.admit_one(change, body, &mut fresh, &mut admitted);
            }
        }
        self.parked.trim();
        let entries: Vec<_> = fresh
            .iter()
            .map(|fresh| (fresh.change.hash(), fresh.entries.clone()))
            .collect();
        admitted.applied = fresh
            .iter()
            .map(|fresh| Arc::clone(&fresh.change))
            .collect();
        for (change, why) in self.apply(fresh) {
            admitted
                .applied
                .retain(|applied| applied.hash() != change.hash());
            self.refuse(&change, why, &mut admitted.refused);
        }
        let applied = entries.iter().filter(|(hash, _)| self.past.contains(*hash));
        admitted.touched = Touched::of(applied.flat_map(|(_, entries)| entries));
        self.touched.extend(admitted.touched.clone());
        admitted.decisions = self.decided(&entries);
        admitted.parked = self.parked.len();
        admitted
    }

    /// Admits a change whose signature is good, and then everything that waited for it.
    fn admit_one(
        &mut self,
        change: SignedChange,
        body: Body,
        fresh: &mut Vec<Fresh>,
        admitted: &mut Admitted,
    ) {
        // The third says that a member has built on it, whatever was decided about its author.
        let mut open = VecDeque::from([(change, body, false)]);
        while let Some((change, body, is_kept)) = open.pop_front() {
            let hash = change.hash();
            let follows_withheld = body.deps.iter().any(|dep| self.withheld.contains(*dep));
            let missing =
                |dep: &&ChangeHash| !self.past.contains(**dep) && !self.withheld.contains(**dep);
            let verdict = if let Some(other) = self.past.at(change.chain(), change.seq()) {
                let proof = Equivocation::of(self.queue(), other, &change);
                admitted.proofs.extend(proof);
                Err(Refusal::Equivocation)
            } else if body.deps.iter().any(|dep| self.refused.contains(dep)) {
                Err(Refusal::Follows)
            } else if let Some(missing) = body.deps.iter().find(missing) {
                let missing = *missing;
                let of_member = self.past.certificate_now(change.author()).is_some();
                self.parked.park(change, body, missing, of_member);
                continue;
            } else if follows_withheld && self.takes_part(change.author()) {
                let before = self.withheld.take_past_of(&body);
                open.push_front((change, body, is_kept));
                for (change, body) in before.into_iter().rev() {
                    open.push_front((change, body, true));
                }
                continue;
            } else if follows_withheld {
                Ok(None)
            } else if let Some(why) = self.withholds(&body).filter(|_| !is_kept) {
                admitted.refused.push(Refused {
                    author: Some(change.author()),
                    seq: change.seq(),
                    change: change.hash(),
                    why,
                });
                Ok(None)
            } else {
                self.take(Arc::new(change.clone()), &body, Trust::Nobody)
                    .map(Some)
            };
            match verdict {
                Ok(Some(good)) => fresh.push(good),
                Ok(None) => self.withheld.put(change, body),
                Err(why) => self.refuse(&change, why, &mut admitted.refused),
            }
            let woken = self.parked.wake(hash);
            open.extend(
                woken
                    .into_iter()
                    .map(|waiting| (waiting.change, waiting.body, false)),
            );
        }
    }

    /// Whether a host is a member by all that is known here, and nothing speaks against it.
    fn takes_part(&self, host: HostId) -> bool {
        if self.quarantined.contains(&host) {
            return false;
        }
        let certificate = self.past.certificate_now(host);
        certificate.is_some_and(|certificate| !certificate.removed)
    }

    /// Why a change is withheld that is good by what its author had seen: something else was decided about it since.
    fn withholds(&self, body: &Body) -> Option<Refusal> {
        if self.quarantined.contains(&body.author.host) {
            return Some(Refusal::Quarantined);
        }
        let certificate = self.past.certificate_now(body.author.host)?;
        if certificate.turn == 0 {
            return None;
        }
        let judge = |trust| judge(&self.past, &self.base.authority, body, trust);
        let why = judge(Trust::Today).err()?;
        judge(Trust::Nobody).is_ok().then_some(why)
    }

    /// What these changes decide anew about members.
    fn decided(&self, changes: &[(ChangeHash, Vec<Entry>)]) -> Vec<Decision> {
        let mut found = Vec::new();
        for (hash, entries) in changes {
            for entry in entries {
                if let Entry::Certificate(member) = entry
                    && let Some(change) = self.past.change(*hash)
                    && let Some(certificate) = self.past.certificate_now(*member)
                    && certificate.turn > 0
                {
                    found.push(Decision {
                        member: *member,
                        turn: certificate.turn,
                        change: Arc::clone(change),
                        overlooks: self.past.overlooks(*hash, *member),
                    });
                }
            }
        }
        found
    }

    fn refuse(&mut self, change: &SignedChange, why: Refusal, refused: &mut Vec<Refused>) {
        refused.push(Refused {
            author: Some(change.author()),
            seq: change.seq(),
            change: change.hash(),
            why,
        });
        if self.refused.insert(change.hash()) {
            self.refused_order.push_back(change.hash());
        }
        if self.refused_order.len() > REFUSED_MAX
            && let Some(oldest) = self.refused_order.pop_front()
        {
            self.refused.remove(&oldest);
        }
    }

    fn check_envelope(&self, change: &SignedChange) -> Result<(), Refusal> {
        #[cfg(any(test, feature = "sabotage"))]
        if crate::sabotage::has(crate::sabotage::Bug::UnsignedCounts) {
            return Ok(());
        }
        if change.epoch() != self.base.authority.epoch.tag() {
            Err(Refusal::Epoch)
        } else if !is_founding(change.chain()) && change.is_signed_for(self.queue()) {
            Ok(())
        } else {
            Err(Refusal::BadSignature)
        }
    }

    /// Judges a change and takes it into the past; it is then to be applied.
    fn take(
        &mut self,
        change: Arc<SignedChange>,
        body: &Body,
        trust: Trust,
    ) -> Result<Fresh, Refusal> {
        let Good {
            deps,
            effects,
            entries,
        } = judge(&self.past, &self.base.authority, body, trust)?;
        let built = engine::build(body).ok_or(Refusal::NotCanonical)?;
        self.past.push(Arc::clone(&change), deps, effects);
        Ok(Fresh {
            change,
            built,
            entries,
        })
    }
}

/// What a document says that has no change yet.
fn empty(base: &Base) -> Snapshot {
    let mut snapshot = read::empty(base.authority.queue);
    base.lay_under(&mut snapshot);
    snapshot
}

impl std::fmt::Debug for QueueDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueDocument")
            .field("queue", &self.base.authority.queue)
            .field("author", &self.author)
            .field("parked", &self.parked.len())
            .finish_non_exhaustive()
    }
}
