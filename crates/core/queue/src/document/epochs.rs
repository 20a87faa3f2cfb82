//! From one epoch to the next: making the next one, judging those of others, getting over, and saying again what was missed.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;

use super::*;
use crate::{
    EpochHash, EpochId, EpochRecord, EpochRefusal, JobId, JobState, KEPT_MAX, Role,
    carry::{CarriedOver, OwnWrite, inherited, own_writes},
    change::{Action, Target},
    compact::{Beginning, compact},
    edit::Fate,
    epoch::{Anchor, theirs_count},
    kept::is_over,
    schema::{Container, Place},
};

/// Where verified records lead from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The epoch of this host from which it goes on.
    from: EpochHash,
    /// At least one.
    records: Vec<EpochRecord>,
    /// This host has gone another way from there, and leaves it.
    fork: bool,
}

impl Way {
    /// Returns the record of the epoch to which it leads.
    pub fn last(&self) -> &EpochRecord {
        self.records.last().expect("a way has a record")
    }

    /// Returns the record that ends the epoch from which it goes on.
    pub fn first(&self) -> &EpochRecord {
        self.records.first().expect("a way has a record")
    }

    /// Returns its records, in their order.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// Returns the epoch from which it goes on.
    pub fn from(&self) -> EpochHash {
        self.from
    }

    /// Returns whether this host leaves another way for it.
    pub fn is_fork(&self) -> bool {
        self.fork
    }
}

/// A document of another epoch, and what follows for this host.
pub struct Followed {
    /// The document.
    pub document: QueueDocument,
    /// Entries of the log that takes the place of the old one.
    pub log: Vec<Vec<u8>>,
    /// What this host keeps from before, all of it.
    pub kept: Vec<KeptJob>,
    /// What this host wrote in the epoch that it leaves.
    pub own: Vec<OwnWrite>,
    /// Jobs of members that were put out, which the cut missed: this host brings them.
    pub inherited: Vec<OwnWrite>,
    /// Members that were removed in the epoch that it leaves, and are not in the new one.
    pub removed: Vec<HostId>,
}

impl QueueDocument {
    /// Returns the epoch.
    pub fn epoch(&self) -> EpochId {
        self.base.authority.epoch
    }

    /// Returns the public queue key of the epoch.
    pub fn epoch_key(&self) -> [u8; 32] {
        self.base.authority.key
    }

    /// Returns how many changes it has beyond what its epoch began with.
    pub fn changes_of_epoch(&self) -> usize {
        let founding = self.lineage.0.last().map_or(0, |record| record.count);
        self.past.len().saturating_sub(founding as usize)
    }

    /// Returns in how many starts of hosts' daemons they were written: each is in every vector and in the next record.
    pub fn starts_of_epoch(&self) -> usize {
        self.past.starts()
    }

    /// Returns the records after an epoch, in their order; all that are known when it is not one of them. The flag says which.
    pub fn records_after(&self, theirs: EpochHash) -> (Vec<EpochRecord>, bool) {
        let all = &self.lineage.0;
        let at = all.iter().position(|record| record.parent == theirs);
        let known = at.is_some() || theirs == self.epoch().hash;
        let from = if theirs == self.epoch().hash {
            all.len()
        } else {
            at.unwrap_or(0)
        };
        (all[from..].to_vec(), known)
    }

    /// Returns whether the present epoch is that one, or came of it.
    pub fn comes_of(&self, epoch: EpochHash) -> bool {
        epoch == self.epoch().hash || self.lineage.0.iter().any(|record| record.parent == epoch)
    }

    /// Returns the changes with which the epoch begins, encoded, in their order.
    pub fn founding(&self) -> Vec<Vec<u8>> {
        let founding = self.past.log().filter(|change| is_founding(change.chain()));
        founding.map(|change| change.to_bytes()).collect()
    }

    /// Makes the next epoch out of everything that is known here.
    ///
    /// # Errors
    /// [`EditError::TooLarge`] when it does not fit into the limits of an epoch.
    pub fn next_epoch(
        &self,
        key: &SigningKey,
        next_key: &SigningKey,
        signer: &dyn Signer,
        now: Timestamp,
    ) -> Result<(Way, Vec<Vec<u8>>), EditError> {
        let to = Beginning {
            number: self.epoch().number + 1,
            key: next_key.verifying_key().to_bytes(),
            time: now,
        };
        let founding = founding_of(&self.engine, &self.base.authority, to);
        let founding = founding.ok_or(EditError::TooLarge)?;
        let bytes: Vec<Vec<u8>> = founding.iter().map(SignedChange::to_bytes).collect();
        let size: usize = bytes.iter().map(Vec::len).sum();
        let count = u32::try_from(founding.len()).unwrap_or(u32::MAX);
        let last = founding.last().ok_or(EditError::TooLarge)?;
        if count > crate::FOUNDING_MAX || size > crate::FOUNDING_BYTES_MAX {
            return Err(EditError::TooLarge);
        }
        let record = EpochRecord {
            queue: self.queue(),
            number: to.number,
            parent: self.epoch().hash,
            key: to.key,
            cut: self.vector(),
            founded: last.hash(),
            count,
            time: now,
            out: self.put_out(),
            author: signer.host(),
            by_key: [0; 64],
            by_device: [0; 64],
        };
        let record = record.signed(key, signer).ok_or(EditError::TooLarge)?;
        let way = Way {
            from: self.epoch().hash,
            records: vec![record],
            fork: false,
        };
        Ok((way, bytes))
    }

    /// Members that were removed or took a lower role than admin since the epoch began.
    fn put_out(&self) -> Vec<HostId> {
        let new = self.snapshot.members.iter().filter(|(_, member)| {
            let certificate = &member.certificate;
            let lower = certificate.turn > 0 && certificate.role < Role::Admin;
            let written = crate::change::Scalar::json(certificate);
            let before = written
                .as_text()
                .is_some_and(|text| self.base.authority.founding.contains(text));
            (certificate.removed || lower) && !before
        });
        new.map(|(host, _)| *host).collect()
    }

    /// Asks where records of others lead: `None` when this host stays where it is.
    ///
    /// `anchor` is what a host that has nothing of the queue yet knows of it.
    ///
    /// # Errors
    /// Why they lead nowhere.
    pub fn judge_records(
        &self,
        anchor: Option<Anchor>,
        records: Vec<EpochRecord>,
    ) -> Result<Option<Way>, EpochRefusal> {
        let queue = self.queue();
        let Some(last) = records.last().map(EpochRecord::hash) else {
            return Ok(None);
        };
        let mine = &self.lineage.0;
        if mine.iter().any(|record| record.hash() == last) {
            return Ok(None);
        }
        if let Some(anchor) = anchor.filter(|anchor| self.is_blank() && anchor.id.number > 0) {
            let at = records.iter().position(|record| record.id() == anchor.id);
            let at = at.ok_or(EpochRefusal::Unconnected)?;
            // All of it, when it begins with the key that is the queue's name: then it is what everybody has.
            let whole = Lineage::verified(queue, Anchor::first(queue), records.clone());
            let way = match whole {
                Ok(whole) if whole.iter().any(|record| record.id() == anchor.id) => whole,
                Ok(_) | Err(_) => {
                    let mut way = vec![records[at].clone()];
                    if at + 1 < records.len() {
                        way.extend(Lineage::verified(queue, anchor, records)?);
                    }
                    way
                }
            };
            let from = way[0].parent;
            let fork = false;
            return Ok(Some(Way {
                from,
                records: way,
                fork,
            }));
        }
        for anchor in self.lineage.anchors(queue).into_iter().rev() {
            let theirs = match Lineage::verified(queue, anchor, records.clone()) {
                Ok(theirs) => theirs,
                Err(EpochRefusal::Unconnected) => continue,
                Err(other) => return Err(other),
            };
            let at = mine
                .iter()
                .position(|record| record.parent == anchor.id.hash);
            let fork = at.is_some();
            if let Some(at) = at {
                let out = self.snapshot.members.iter().filter(|(_, member)| {
                    let certificate = &member.certificate;
                    certificate.removed || certificate.turn > 0 && certificate.role < Role::Admin
                });
                let out: BTreeSet<HostId> = out.map(|(host, _)| *host).collect();
                if !theirs_count(&mine[at..], &theirs, &out)? {
                    return Ok(None);
                }
            } else {
                let first = theirs.first();
                let known = first.and_then(|record| self.snapshot.members.get(&record.author));
                // It may have become an admin while this host was away, unless it was put out.
                let whole = first.is_some_and(|record| self.vector().covers(&record.cut));
                let decided = known.is_some_and(|member| member.certificate.turn > 0);
                if (whole || decided) && known.is_some_and(|member| !member.may(Role::Admin)) {
                    return Err(EpochRefusal::NotAdmin);
                }
            }
            return Ok(Some(Way {
                from: anchor.id.hash,
                records: theirs,
                fork,
            }));
        }
        Err(EpochRefusal::Unconnected)
    }

    /// Returns what this host keeps of earlier epochs.
    pub fn kept(&self) -> impl Iterator<Item = &KeptJob> {
        self.base.kept.values()
    }

    /// Returns the public keys that the queue had before this epoch.
    pub fn earlier_keys(&self) -> Vec<[u8; 32]> {
        let anchors = self.lineage.anchors(self.queue()).into_iter();
        let keys = anchors.map(|anchor| anchor.key);
        keys.filter(|key| *key != self.epoch_key()).collect()
    }

    /// Returns what the document itself says, without what this host keeps beside it: the same for all that have the same
    /// changes.
    pub fn shared(&self) -> std::borrow::Cow<'_, Snapshot> {
        if self.base.kept.is_empty() {
            return std::borrow::Cow::Borrowed(&self.snapshot);
        }
        let base = Base {
            authority: self.base.authority.clone(),
            kept: Kept::new(),
        };
        std::borrow::Cow::Owned(read::all(&self.engine, &base))
    }

    /// Whether nothing of the queue has arrived yet.
    pub fn is_blank(&self) -> bool {
        self.lineage.0.is_empty() && self.past.len() == 0
    }

    /// Computes what the next epoch begins with, when this host has all that it was made of.
    ///
    /// # Errors
    /// [`EpochRefusal::Forged`] when its record says something else.
    pub fn founding_here(&self, way: &Way) -> Result<Option<Vec<Vec<u8>>>, EpochRefusal> {
        let record = way.first();
        let direct = record.parent == self.epoch().hash && way.records.len() == 1;
        if !direct || !self.vector().covers(&record.cut) || self.is_blank() {
            return Ok(None);
        }
        let to = Beginning {
            number: record.number,
            key: record.key,
            time: record.time,
        };
        let authority = &self.base.authority;
        let founding = if self.vector() == record.cut {
            founding_of(&self.engine, authority, to)
        } else {
            let before = self.as_of(&record.cut).ok_or(EpochRefusal::Forged)?;
            founding_of(&before.engine, authority, to)
        };
        let founding = founding.ok_or(EpochRefusal::Forged)?;
        if founding.last().map(SignedChange::hash) != Some(record.founded) {
            return Err(EpochRefusal::Forged);
        }
        Ok(Some(founding.iter().map(SignedChange::to_bytes).collect()))
    }

    /// The document as it was when only this much was known.
    fn as_of(&self, cut: &VersionVector) -> Option<Self> {
        let authority = self.base.authority.clone();
        let lineage = self.lineage.clone();
        let mut before = Self::on(authority, lineage, Kept::new(), self.author);
        let log = self
            .past
            .log()
            .filter(|change| is_founding(change.chain()) || change.seq() <= cut.of(change.chain()));
        let mut fresh = Vec::new();
        for change in log {
            let taken = before.take(Arc::clone(change), &change.body(), Trust::OwnLog);
            fresh.push(taken.ok()?);
        }
        let skip = |_: &mut Snapshot, _: &Engine, _: &Base, _: &BTreeSet<Entry>| {};
        before.apply_all(fresh, skip).then_some(before)
    }

    /// Begins a document with the founding changes of the last record.
    pub(super) fn begin(
        queue: QueueId,
        author: Author,
        lineage: Lineage,
        kept: Kept,
        founding: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, EpochRefusal> {
        let record = lineage.0.last().ok_or(EpochRefusal::Malformed)?.clone();
        let mut changes = Vec::new();
        let mut bytes = 0;
        for encoded in founding {
            bytes += encoded.len();
            let change =
                SignedChange::from_bytes(&encoded).map_err(|_| EpochRefusal::FoundingMismatch)?;
            let right = is_founding(change.chain())
                && change.is_unsigned()
                && change.epoch() == record.number;
            if !right || bytes > crate::FOUNDING_BYTES_MAX {
                return Err(EpochRefusal::FoundingMismatch);
            }
            changes.push(Arc::new(change));
        }
        let last = changes.last().map(|change| change.hash());
        if last != Some(record.founded) || changes.len() != record.count as usize {
            return Err(EpochRefusal::FoundingMismatch);
        }
        let mut authority = Authority {
            queue,
            epoch: record.id(),
            key: record.key,
            founding: BTreeSet::new(),
        };
        let members = Target::Genesis(Container::Members.counter());
        for change in &changes {
            let place = Place::Genesis(Container::Members);
            for op in change.body().ops {
                let is_certificate =
                    matches!(Entry::parse(place, &op.key), Some(Entry::Certificate(_)));
                if let Action::Put(value) = &op.action
                    && op.target == members
                    && is_certificate
                {
                    authority
                        .founding
                        .extend(value.as_text().map(str::to_owned));
                }
            }
        }
        let mut document = Self::on(authority, lineage, kept, author);
        let mut fresh = Vec::new();
        for change in changes {
            let body = change.body();
            let taken = document.take(change, &body, Trust::OwnLog);
            fresh.push(taken.map_err(|_| EpochRefusal::FoundingMismatch)?);
        }
        if !document.apply_all(fresh, rebuild::read_all) {
            return Err(EpochRefusal::FoundingMismatch);
        }
        Ok(document)
    }

    /// Returns the document at the end of a way, with what this host takes along.
    ///
    /// # Errors
    /// [`EpochRefusal::FoundingMismatch`]; this document is as it was.
    pub fn follow(&self, way: &Way, founding: Vec<Vec<u8>>) -> Result<Followed, EpochRefusal> {
        let lineage = self.lineage.and(way.from, way.records.clone());
        let mut log = vec![lineage.to_entry()];
        log.extend(founding.iter().cloned());
        let begun = Self::begin(self.queue(), self.author, lineage, Kept::new(), founding);
        let mut document = begun?;
        let kept = self.kept_in(&document, way);
        document.base.kept = kept.iter().map(|job| (job.id, job.clone())).collect();
        document.snapshot = read::all(&document.engine, &document.base);
        let now = &document.snapshot.members;
        let stands = |host: &HostId, turn: u32| {
            let there = now.get(host).map(|member| &member.certificate);
            there.is_some_and(|there| !there.removed && there.turn <= turn)
        };
        let removed =
            self.snapshot.members.iter().filter(|(host, member)| {
                member.is_removed() && stands(host, member.certificate.turn)
            });
        let me = self.author.host;
        let cut = &way.first().cut;
        let put_out = now.iter().filter(|(host, member)| {
            let here = self.snapshot.members.get(host);
            member.is_removed() && **host != me && here.is_some() && !way.fork
        });
        let inherited = put_out.flat_map(|(host, _)| inherited(&self.past, *host, me, cut));
        Ok(Followed {
            inherited: inherited.collect(),
            removed: removed.map(|(host, _)| *host).collect(),
            own: own_writes(&self.past, self.author.host),
            log,
            kept,
            document,
        })
    }

    /// What this host goes on knowing beside a document of another epoch.
    fn kept_in(&self, next: &Self, way: &Way) -> Vec<KeptJob> {
        let before = &self.snapshot;
        let ids: BTreeSet<JobId> = before
            .jobs
            .keys()
            .copied()
            .chain(before.claims.keys().map(|copy| copy.job))
            .chain(before.lost.keys().map(|(copy, _)| copy.job))
            .collect();
        let cut = &way.first().cut;
        let mut kept = Vec::new();
        for id in ids {
            let Some(mut job) = KeptJob::of(before, id) else {
                continue;
            };
            let there = next.snapshot.jobs.contains_key(&id);
            // What was over only on a way that is left is not: its word is still to come.
            let over_since = match self.base.over_since(id) {
                Some(since) if !way.fork || since < way.first().number => Some(since),
                _ if !way.fork && self.has_in(id, cut) => Some(way.last().number),
                _ => None,
            };
            job.over_since = over_since.filter(|_| !there);
            if there {
                job.job = None;
                job.claims.retain(|(index, claim)| {
                    let copy = crate::CopyId {
                        job: id,
                        index: *index,
                    };
                    let now = next.snapshot.claims.get(&copy);
                    now.and_then(|claims| claims.get(&(claim.attempt, claim.host))) != Some(claim)
                });
                job.lost.retain(|(index, attempt, host, word)| {
                    let copy = crate::CopyId {
                        job: id,
                        index: *index,
                    };
                    let now = next.snapshot.lost.get(&(copy, *attempt));
                    now.and_then(|words| words.get(host)) != Some(word)
                });
            } else if let Some(known) = &mut job.job
                && (job.over_since.is_some() || way.fork)
                && !is_over(before, known)
            {
                // It ended in a way of which this host has not heard: nothing of it starts here any more.
                known.state = JobState::Cancelled {
                    by: known.submitter,
                    at: way.last().time,
                };
            }
            if job.job.is_some() || !job.claims.is_empty() || !job.lost.is_empty() {
                kept.push(job);
            }
        }
        if kept.len() > KEPT_MAX {
            let age = |job: &KeptJob| {
                (
                    job.over_since.is_none(),
                    job.job.as_ref().map(|job| job.created),
                )
            };
            kept.sort_by_key(age);
            let too_many = kept.len() - KEPT_MAX;
            // Only what is over may be forgotten.
            let over = kept
                .iter()
                .take_while(|job| job.over_since.is_some())
                .count();
            kept.drain(..too_many.min(over));
        }
        kept
    }

    /// Whether a job was made within a cut.
    fn has_in(&self, id: JobId, cut: &VersionVector) -> bool {
        let Some(map) = read::job_map(&self.engine, id) else {
            return false;
        };
        is_founding(map.author) || {
            let made = self.past.seq_of_op(map);
            made.is_some_and(|seq| seq <= cut.of(map.author))
        }
    }

    /// Says again what this host had written and what this epoch began without. What has to wait is given back.
    pub fn carry_over(
        &mut self,
        own: Vec<OwnWrite>,
        now: Timestamp,
        signer: &dyn Signer,
        key: Option<&SigningKey>,
    ) -> CarriedOver {
        let mut done = CarriedOver::default();
        for write in own {
            let me = self.snapshot.members.get(&self.author.host);
            let brings = write.said.iter().any(|said| {
                matches!(said, crate::carry::Said::Put(_, name, _) if *name == crate::schema::certificate_key(self.author.host))
            });
            if me.is_none() && !brings {
                done.left.push(write);
                continue;
            }
            let mut left = Vec::new();
            let whole = self.edit(now, signer, |edit| {
                left.clear();
                for said in &write.said {
                    match edit.say_again(said, key) {
                        Fate::Done => {}
                        Fate::Waits => left.push(said.clone()),
                        Fate::Gone => return Err(EditError::Refused(Refusal::MissingObject)),
                    }
                }
                Ok::<(), EditError>(())
            });
            match whole {
                Ok(((), change)) => done.changes.extend(change),
                Err(_) => {
                    left.clear();
                    self.carry_singly(&write, (now, signer, key), &mut left, &mut done);
                }
            }
            if !left.is_empty() {
                done.left.push(OwnWrite {
                    said: left,
                    ..write
                });
            }
        }
        done
    }

    /// One thing at a time, when the whole cannot be said: a job that is new stays whole.
    fn carry_singly(
        &mut self,
        write: &OwnWrite,
        (now, signer, key): (Timestamp, &dyn Signer, Option<&SigningKey>),
        left: &mut Vec<crate::carry::Said>,
        done: &mut CarriedOver,
    ) {
        use crate::carry::{Said, Spot};
        let mut parts: Vec<Vec<&Said>> = Vec::new();
        for said in &write.said {
            let of_new = |parts: &Vec<&Said>, job: &JobId| matches!(parts.first(), Some(Said::Make(made)) if made == job);
            let place = match said {
                Said::Put(Spot::Job(job), ..) => parts.iter().position(|part| of_new(part, job)),
                Said::Put(Spot::Root(_), ..) | Said::Delete(..) | Said::Make(_) => None,
            };
            match place.and_then(|place| parts.get_mut(place)) {
                Some(part) => part.push(said),
                None => parts.push(vec![said]),
            }
        }
        for part in parts {
            let mut waits = false;
            let edited = self.edit(now, signer, |edit| {
                waits = false;
                for said in &part {
                    match edit.say_again(said, key) {
                        Fate::Done => {}
                        Fate::Waits => waits = true,
                        Fate::Gone => return Err(EditError::Refused(Refusal::MissingObject)),
                    }
                }
                Ok::<(), EditError>(())
            });
            match edited {
                Ok(((), change)) => {
                    done.changes.extend(change);
                    if waits {
                        left.extend(part.into_iter().cloned());
                    }
                }
                Err(_) => done.refused.extend(part.iter().map(|said| match said {
                    Said::Put(_, name, _) | Said::Delete(_, name) => name.clone(),
                    Said::Make(job) => job.to_string(),
                })),
            }
        }
    }
}

fn founding_of(engine: &Engine, authority: &Authority, to: Beginning) -> Option<Vec<SignedChange>> {
    let work = std::panic::AssertUnwindSafe(|| {
        let bodies = compact(engine, authority, to);
        bodies.iter().map(SignedChange::founding).collect()
    });
    std::panic::catch_unwind(work).unwrap_or_default()
}
