//! Getting judged changes into the engine, and back on its feet when it breaks on one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

impl QueueDocument {
    /// Applies judged changes and reads what they touched. Returns the ones that the engine broke on; the document is
    /// then without them and what follows them.
    pub(super) fn apply(&mut self, fresh: Vec<Fresh>) -> Vec<(Arc<SignedChange>, Refusal)> {
        if fresh.is_empty() {
            return Vec::new();
        }
        let count = fresh.len();
        if self.apply_all(fresh, read::refresh) {
            return Vec::new();
        }
        let log: Vec<_> = self.past.log().cloned().collect();
        let (firm, suspects) = log.split_at(log.len() - count);
        self.replay(firm, suspects)
    }

    /// Applies in one go; `false` when it did not work, and then the document is to be rebuilt.
    pub(super) fn apply_all(
        &mut self,
        fresh: Vec<Fresh>,
        read: fn(&mut Snapshot, &Engine, &Base, &BTreeSet<Entry>),
    ) -> bool {
        #[cfg(any(test, feature = "sabotage"))]
        let breaks = fresh
            .iter()
            .any(|fresh| crate::sabotage::breaks_on(fresh.change.hash()));
        let entries: BTreeSet<Entry> = fresh
            .iter()
            .flat_map(|fresh| fresh.entries.iter().cloned())
            .collect();
        let changes = fresh.into_iter().map(|fresh| fresh.built).collect();
        let Self {
            engine,
            past,
            snapshot,
            base,
            ..
        } = self;
        let applied = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(any(test, feature = "sabotage"))]
            assert!(!breaks, "made to break");
            // A change that the engine silently put aside would show in the heads.
            let applied = engine.apply(changes) && engine.heads() == past.heads();
            if applied {
                read(snapshot, engine, base, &entries);
            }
            applied
        }));
        applied.unwrap_or(false)
    }

    /// Starts again from `firm`, then takes `suspects` one at a time. Returns the ones left out.
    pub(super) fn replay(
        &mut self,
        firm: &[Arc<SignedChange>],
        suspects: &[Arc<SignedChange>],
    ) -> Vec<(Arc<SignedChange>, Refusal)> {
        let mut good = firm.to_vec();
        let mut suspects: VecDeque<_> = suspects.iter().cloned().collect();
        if !self.restore(&good) {
            for change in good.drain(..).rev() {
                suspects.push_front(change);
            }
            self.restore(&good);
        }
        let mut left_out = Vec::new();
        for change in suspects {
            // What follows a change that was left out has unknown deps.
            let Ok(fresh) = self.take(Arc::clone(&change), &change.body(), Trust::OwnLog) else {
                left_out.push((change, Refusal::Follows));
                continue;
            };
            if self.apply_all(vec![fresh], read::refresh) {
                good.push(change);
            } else {
                left_out.push((change, Refusal::Engine));
                self.restore(&good);
            }
        }
        left_out
    }

    fn restore(&mut self, log: &[Arc<SignedChange>]) -> bool {
        self.engine = Engine::new();
        self.past = Past::default();
        self.snapshot = empty(&self.base);
        let fresh: Result<Vec<_>, _> = log
            .iter()
            .map(|change| self.take(Arc::clone(change), &change.body(), Trust::OwnLog))
            .collect();
        fresh.is_ok_and(|fresh| fresh.is_empty() || self.apply_all(fresh, read_all))
    }
}

pub(super) fn read_all(snapshot: &mut Snapshot, engine: &Engine, base: &Base, _: &BTreeSet<Entry>) {
    *snapshot = read::all(engine, base);
}
