//! What the tests look at, and what they have a document write that no edit would.

use super::*;
use crate::{
    JobId,
    change::{Action, Target},
    engine::Map,
    schema::Container,
};

/// A map to write into.
#[derive(Clone, Copy)]
pub(crate) enum Spot {
    /// As it is written, whether there is such a map or not.
    Raw(Target),
    Job(JobId),
}

impl QueueDocument {
    pub(crate) fn parked(&self) -> usize {
        self.parked.len()
    }

    pub(crate) fn withheld(&self) -> usize {
        self.withheld.len()
    }

    /// Asserts that what is kept up to date step by step is what a fresh reading says.
    pub(crate) fn check(&self) {
        let fresh = read::all(&self.engine, &self.base);
        assert_eq!(self.snapshot, fresh, "snapshot is stale");
        assert_eq!(
            self.engine.heads(),
            self.past.heads(),
            "engine and index disagree"
        );
        self.past.check(&self.engine);
    }

    /// Asserts that Automerge can save and load the document, and finds the hashes that were signed.
    pub(crate) fn check_file(&self) {
        let signed = self.past.log().map(|change| change.hash());
        let mut signed: Vec<_> = signed.chain([engine::genesis_hash()]).collect();
        let mut found = self.engine.reloaded_hashes();
        signed.sort_unstable();
        found.sort_unstable();
        assert_eq!(signed, found);
    }

    /// A body as `author`'s own software would write it if it knew what is known here, whatever it says.
    pub(crate) fn body_by(&self, author: Author, ops: &[(Spot, String, Action)]) -> Body {
        let mut edit = Edit::new(&self.base, author, &self.snapshot, &self.engine);
        for (spot, key, action) in ops {
            let map = match spot {
                Spot::Raw(Target::Genesis(counter)) => {
                    Container::from_counter(*counter).map(Map::Root)
                }
                Spot::Raw(Target::Made(_)) => None,
                Spot::Job(job) => read::job_map(&self.engine, *job).map(Map::Job),
            };
            edit.write_anything(
                map.unwrap_or(Map::Root(Container::Meta)),
                key,
                action.clone(),
            );
        }
        let body = edit
            .finish(&self.past, Timestamp(77))
            .expect("it has no problem");
        let mut body = body.expect("it writes something");
        for (op, (spot, _, _)) in body.ops.iter_mut().zip(ops) {
            if let Spot::Raw(target) = spot {
                op.target = *target;
            }
        }
        body
    }
}
