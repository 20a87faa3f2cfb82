//! Turns what an edit collected into the body of one change.

use super::*;
use crate::{
    DEPS_MAX, Timestamp,
    change::{Body, Op, OpId, OpRef, Target},
    past::Past,
    schema::WRITER,
};

impl Edit<'_> {
    /// Makes the change; `None` when nothing would change.
    pub(crate) fn finish(mut self, past: &Past, now: Timestamp) -> Result<Option<Body>, EditError> {
        let min_writer = self
            .read(|engine| engine.value(Map::Root(Container::Meta), &meta_key(Meta::MinWriter)))
            .and_then(|value| value.as_number());
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if self.pending.is_empty() {
            return Ok(None);
        }
        if let Some(layout) = min_writer.filter(|layout| *layout > WRITER) {
            return Err(EditError::OldWriter(layout));
        }
        let hashes = past.deps_for(self.author, DEPS_MAX);
        let deps = past.deps(&hashes).expect("its own heads are known");
        let start_op = deps.max_op + 1;
        let seq = past.seq_of(self.author) + 1;
        let mut made = Vec::new();
        let mut found = Vec::with_capacity(self.pending.len());
        for (counter, pending) in (start_op..).zip(&self.pending) {
            let id = OpId {
                counter,
                author: self.author,
            };
            if pending.action == Action::MakeMap {
                made.push(id);
            }
            let (map, replaced) = match pending.slot {
                Slot::Known(map) => {
                    let visible = past.visible(map, &pending.key, &deps.clock);
                    (map, visible.into_iter().map(|(id, _)| id).collect())
                }
                Slot::New(place) => (Map::Job(made[place]), Vec::new()),
            };
            found.push((map, replaced));
        }
        let mut body = Body::new(
            self.base.authority.epoch.tag(),
            self.author,
            seq,
            start_op,
            now,
        );
        body.deps = hashes;
        body.others = others(self.author, &found);
        let reference = |id: &OpId| OpRef {
            counter: id.counter,
            author: body
                .others
                .binary_search(&id.author)
                .map_or(0, |place| place as u32 + 1),
        };
        let ops = self
            .pending
            .into_iter()
            .zip(&found)
            .map(|(pending, (map, replaced))| Op {
                target: match map {
                    Map::Root(container) => Target::Genesis(container.counter()),
                    Map::Job(id) => Target::Made(reference(id)),
                },
                key: pending.key,
                action: pending.action,
                pred: replaced.iter().map(reference).collect(),
            });
        body.ops = ops.collect();
        Ok(Some(body))
    }
}

/// Every author but `own` that the operations name, ascending.
fn others(own: Author, found: &[(Map, Vec<OpId>)]) -> Vec<Author> {
    let made = found.iter().filter_map(|(map, _)| match map {
        Map::Root(_) => None,
        Map::Job(id) => Some(id.author),
    });
    let replaced = found
        .iter()
        .flat_map(|(_, replaced)| replaced.iter().map(|id| id.author));
    let mut others: Vec<Author> = made
        .chain(replaced)
        .filter(|author| *author != own)
        .collect();
    others.sort_unstable();
    others.dedup();
    others
}
