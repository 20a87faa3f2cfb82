//! What a host wrote in an epoch, so that it can write again what the next one began without.
//!
//! Values and where they stand, never operations: the same thing is said anew, under the rules and roles of the new epoch.

use serde::{Deserialize, Serialize};

use crate::{
    Author, HostId, JobId, JobState, VersionVector,
    change::{Action, OpId, Scalar, Target},
    engine::Map,
    epoch::is_founding,
    past::Past,
    schema::{Container, Entry, JobField, Meta, Place},
};

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Spot {
    /// In a map of the genesis change, by its counter.
    Root(u64),
    /// In the map of a job.
    Job(JobId),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    Put(Spot, String, Scalar),
    Delete(Spot, String),
    /// A new job; what is in its map follows.
    Make(JobId),
}

/// What one change of this host said, as far as nothing that it knows of has replaced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnWrite {
    pub(crate) author: Author,
    pub(crate) seq: u64,
    pub(crate) said: Vec<Said>,
}

impl OwnWrite {
    /// Returns whether what an epoch was made of lacks it.
    pub fn is_beyond(&self, cut: &VersionVector) -> bool {
        self.seq > cut.of(self.author)
    }
}

/// What became of own writes in a new epoch.
#[derive(Debug, Default)]
pub struct CarriedOver {
    /// New changes, to be kept and sent like any other.
    pub changes: Vec<std::sync::Arc<crate::SignedChange>>,
    /// What has to wait: for its job, for the queue key, or for this host's own certificate.
    pub left: Vec<OwnWrite>,
    /// Keys of what the new epoch does not take: a job that was over before, or a role that this host does not have any more.
    pub refused: Vec<String>,
}

/// The jobs that others wrote and cannot write again: they were put out. Whoever has them brings them, under its own name.
pub(crate) fn inherited(
    past: &Past,
    from: HostId,
    me: HostId,
    cut: &VersionVector,
) -> Vec<OwnWrite> {
    let mut writes = own_writes(past, from);
    writes.retain(|write| write.is_beyond(cut));
    for write in &mut writes {
        write.said.retain_mut(|said| match said {
            Said::Make(_) => true,
            Said::Put(Spot::Job(job), name, value) => {
                match Entry::parse(Place::Job(*job), name) {
                    Some(Entry::JobField(_, JobField::Submitter)) => *value = Scalar::text(me),
                    Some(Entry::JobField(_, JobField::State)) => match value.as_json() {
                        Some(JobState::Cancelled { at, .. }) => {
                            *value = Scalar::json(&JobState::Cancelled { by: me, at });
                        }
                        Some(JobState::Moved { at, to, .. }) => {
                            *value = Scalar::json(&JobState::Moved { by: me, at, to });
                        }
                        Some(JobState::Open) | None => {}
                    },
                    Some(_) | None => {}
                }
                true
            }
            Said::Put(Spot::Root(_), ..) | Said::Delete(..) => false,
        });
    }
    writes.retain(|write| !write.said.is_empty());
    writes
}

/// Everything that a host wrote since its document began.
pub(crate) fn own_writes(past: &Past, me: HostId) -> Vec<OwnWrite> {
    let Some(now) = past.deps(&past.heads()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for change in past.log() {
        let author = change.chain();
        if author.host != me || is_founding(author) {
            continue;
        }
        let body = change.body();
        let mut made: Vec<(u64, JobId)> = Vec::new();
        let mut said = Vec::new();
        for (counter, op) in (body.start_op..).zip(&body.ops) {
            let (map, spot, place, is_new) = match op.target {
                Target::Genesis(at) => {
                    let Some(container) = Container::from_counter(at) else {
                        continue;
                    };
                    let place = Place::Genesis(container);
                    (Map::Root(container), Spot::Root(at), place, false)
                }
                Target::Made(id) => {
                    let Some(id) = body.resolve(id) else {
                        continue;
                    };
                    let own = made.iter().find(|(counter, _)| *counter == id.counter);
                    let own = own.filter(|_| id.author == author).map(|(_, job)| *job);
                    let Some(job) = own.or_else(|| past.job(id, &now.clock)) else {
                        continue;
                    };
                    (Map::Job(id), Spot::Job(job), Place::Job(job), own.is_some())
                }
            };
            let entry = Entry::parse(place, &op.key);
            let fixed = matches!(
                entry,
                Some(
                    Entry::MemberKept(_)
                        | Entry::Meta(
                            Meta::Format | Meta::MinWriter | Meta::Queue | Meta::Epoch | Meta::Key
                        )
                )
            );
            let id = OpId { counter, author };
            let visible = past.visible(map, &op.key, &now.clock);
            let stands = visible.iter().any(|(other, _)| *other == id);
            match &op.action {
                _ if fixed => {}
                Action::MakeMap => {
                    if let Some(Entry::Job(job)) = entry {
                        made.push((counter, job));
                        said.push(Said::Make(job));
                    }
                }
                Action::Put(value) if stands || is_new => {
                    said.push(Said::Put(spot, op.key.clone(), value.clone()));
                }
                Action::Delete if visible.is_empty() => {
                    said.push(Said::Delete(spot, op.key.clone()));
                }
                Action::Put(_) | Action::Delete => {}
            }
        }
        if !said.is_empty() {
            let seq = change.seq();
            found.push(OwnWrite { author, seq, said });
        }
    }
    found
}
