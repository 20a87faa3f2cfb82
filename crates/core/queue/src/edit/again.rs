//! Saying again, in a new epoch, what this host had said in the one before.

use ed25519_dalek::SigningKey;

use super::*;
use crate::{
    CopyState, JobState,
    carry::{Said, Spot},
};

/// What can be done with something that was said before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is written, or there already.
    Done,
    /// It waits: for its job, or for the queue key.
    Waits,
    /// This epoch has no room for it.
    Gone,
}

impl Edit<'_> {
    /// Says one thing again.
    pub(crate) fn say_again(&mut self, said: &Said, key: Option<&SigningKey>) -> Fate {
        match said {
            Said::Make(job) => {
                if self.job_slot(*job).is_none() {
                    self.new_jobs.push(*job);
                    self.pending.push(Pending {
                        slot: Slot::Known(Map::Root(Container::of_job(*job))),
                        key: job.to_string(),
                        action: Action::MakeMap,
                    });
                }
                Fate::Done
            }
            Said::Put(Spot::Job(job), name, value) => match self.job_slot(*job) {
                Some(slot @ Slot::New(_)) => {
                    self.put(slot, name.clone(), value.clone());
                    Fate::Done
                }
                Some(slot) => {
                    let place = crate::schema::Place::Job(*job);
                    if !is_fixed(place, name) {
                        self.put(slot, name.clone(), value.clone());
                    }
                    Fate::Done
                }
                None if self.base.is_over(*job) => Fate::Gone,
                // Whatever else is said of it: nothing of it is to be made any more.
                None if self.is_made(*job) => Fate::Done,
                None => Fate::Waits,
            },
            // No part of a job is ever deleted.
            Said::Delete(Spot::Job(_), _) => Fate::Done,
            Said::Delete(Spot::Root(counter), name) => {
                let Some(container) = Container::from_counter(*counter) else {
                    return Fate::Gone;
                };
                let map = Map::Root(container);
                if !self.read(|engine| engine.values(map, name)).is_empty() {
                    self.pending.push(Pending {
                        slot: Slot::Known(map),
                        key: name.clone(),
                        action: Action::Delete,
                    });
                }
                Fate::Done
            }
            Said::Put(Spot::Root(counter), name, value) => {
                let Some(container) = Container::from_counter(*counter) else {
                    return Fate::Gone;
                };
                self.say_in_root(container, name, value, key)
            }
        }
    }

    /// Whether every copy of a job that this epoch does not have is made, by all that this host knows.
    fn is_made(&self, job: JobId) -> bool {
        let known = self.snapshot.jobs.get(&job);
        known.is_some_and(|job| {
            let mut copies = self.snapshot.copies_of(job);
            job.state == JobState::Open
                && copies.all(|(_, state)| matches!(state, CopyState::Done(_)))
        })
    }

    fn say_in_root(
        &mut self,
        container: Container,
        name: &str,
        value: &Scalar,
        key: Option<&SigningKey>,
    ) -> Fate {
        use crate::schema::{Entry, Place};
        let map = Map::Root(container);
        let entry = Entry::parse(Place::Genesis(container), name);
        match entry {
            Some(Entry::Certificate(member)) => {
                let Some(certificate) = value.as_json::<Certificate>() else {
                    return Fate::Gone;
                };
                if certificate.member != member {
                    return Fate::Gone;
                }
                let authority = &self.base.authority;
                let known = self.read(|engine| read::certificate(engine, authority, member));
                if known.is_some_and(|known| !read::says_more(&certificate, &known)) {
                    return Fate::Done;
                }
                let written = value.as_text().unwrap_or_default();
                if authority.vouches_for(&certificate, written) {
                    self.put_certificate(&certificate);
                    return Fate::Done;
                }
                match key {
                    Some(key) => {
                        self.put_certificate(&certificate.signed_anew(key));
                        Fate::Done
                    }
                    None => Fate::Waits,
                }
            }
            // Written once, by whoever comes first.
            Some(Entry::Meta(Meta::Voters | Meta::Config(_)))
                if !self.read(|engine| engine.values(map, name)).is_empty() =>
            {
                Fate::Done
            }
            Some(Entry::Claim(_)) => {
                let engine_has = self.read(|engine| engine.values(map, name));
                let record = value.as_json::<ClaimRecord>();
                // What the document has may be further already.
                let further = engine_has.iter().filter_map(|found| match found {
                    Found::Scalar(value) => value.as_json::<ClaimRecord>(),
                    Found::Map(_) | Found::Foreign => None,
                });
                let allowed = record
                    .is_some_and(|record| further.into_iter().all(|there| there.allows(&record)));
                if allowed {
                    self.put_root(container, name.to_owned(), value.clone());
                }
                Fate::Done
            }
            Some(_) => {
                self.put_root(container, name.to_owned(), value.clone());
                Fate::Done
            }
            None => Fate::Gone,
        }
    }
}

/// What is said with a job and never again.
fn is_fixed(place: crate::schema::Place, name: &str) -> bool {
    use crate::schema::Entry;
    match Entry::parse(place, name) {
        Some(Entry::JobField(_, field)) => matches!(
            field,
            JobField::Submitter | JobField::Created | JobField::Origin | JobField::Level
        ),
        Some(Entry::JobSet(_, _, SetField::Spec)) => true,
        Some(_) | None => false,
    }
}
