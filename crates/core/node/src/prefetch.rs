//! The files of the copy that a printer takes next are fetched while it prints. Nothing is claimed by that: who takes the
//! copy is decided when the printer is free, and what came in vain is a file that is here.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{FileHash, FileSpec, PrinterId, QueueId};
use printmesh_schedule::{OpenCopy, Planner, file_for};

use crate::{
    effect::Effect,
    limits::{AHEAD_BYTES_MAX, AHEAD_MS, MISSING_MS_MAX, TRANSFERS_MAX},
    node::Node,
    records::Stage,
};

/// What is fetched before it is claimed.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Something has changed since it was looked at what comes next.
    pub(crate) look: bool,
    /// When it may be looked at again.
    not_before_ms: u64,
    /// Files that could not be had, and when to ask for them again.
    failed: BTreeMap<FileHash, u64>,
}

impl Ahead {
    /// A member has connected: it may have what nobody had.
    pub(crate) fn met(&mut self) {
        self.failed.clear();
        self.look = true;
    }
}

impl Node {
    /// When to look at what comes next.
    pub(crate) fn prefetch_wakeup(&self) -> Option<u64> {
        let looks = self.ahead.look && !self.stopping && self.may_prefetch();
        looks.then_some(self.ahead.not_before_ms)
    }

    /// Whether anything could be fetched, or stopped.
    fn may_prefetch(&self) -> bool {
        let fetches = self.fetching.values().any(|fetching| fetching.ahead);
        fetches || !self.prints_now().is_empty()
    }

    /// Printers of this host that print, or wait for a clear bed.
    fn prints_now(&self) -> Vec<PrinterId> {
        let works = self.printers.iter().filter(|(_, printer)| {
            let stage = printer.work.as_ref().map(|work| &work.stage);
            stage.is_some_and(|stage| match stage {
                Stage::Claiming | Stage::Fetching | Stage::Staged | Stage::Starting => false,
                Stage::Between | Stage::Running { .. } | Stage::Judging { .. } => true,
            })
        });
        works.map(|(name, _)| self.printer_id(name)).collect()
    }

    /// Fetches what printers take next that are at work, and stops what none takes any more.
    pub(crate) fn prefetch(&mut self) {
        let now_ms = self.now.mono_ms;
        if !self.ahead.look || now_ms < self.ahead.not_before_ms || self.stopping {
            return;
        }
        if !self.may_prefetch() {
            return;
        }
        self.ahead.look = false;
        self.ahead.not_before_ms = now_ms + AHEAD_MS;
        self.ahead.failed.retain(|_, again_ms| *again_ms > now_ms);
        let wanted = self.wanted_next();
        let hashes: BTreeSet<FileHash> = wanted.iter().map(|(_, file)| file.hash).collect();
        let stops = self.fetching.iter();
        let stops = stops.filter(|(hash, fetching)| fetching.ahead && !hashes.contains(hash));
        let stops: Vec<FileHash> = stops.map(|(hash, _)| *hash).collect();
        for hash in stops {
            self.fetching.remove(&hash);
            self.effect(Effect::StopFetch { hash });
        }
        for (queue, file) in wanted {
            if self.fetching.len() >= TRANSFERS_MAX {
                break;
            }
            let known = self.fetching.contains_key(&file.hash)
                || self.missing.contains_key(&file.hash)
                || self.ahead.failed.contains_key(&file.hash);
            if !known {
                tracing::debug!(hash = %file.hash, name = file.name, "fetches a file of the next copy");
                self.begin_fetch(queue, &file, true);
            }
        }
    }

    /// Files that are not here of the copies that printers at work take next.
    fn wanted_next(&mut self) -> Vec<(QueueId, FileSpec)> {
        let mut printers = self.prints_now();
        let mut wanted = Vec::new();
        for queue in self.queues_in_order() {
            if printers.is_empty() || self.queues[&queue].record.left {
                continue;
            }
            let presence = self.presence(queue);
            self.refresh_index(queue);
            let entry = &self.queues[&queue];
            let index = entry.index.as_ref().expect("it was just refreshed");
            let next = Planner::new(entry.doc.snapshot(), &presence, index).upcoming(&printers);
            // A printer takes from the first queue that has something for it.
            printers.retain(|id| !next.contains_key(id));
            for (printer, open) in &next {
                wanted.extend(self.files_of_next(queue, printer, open));
            }
        }
        wanted
    }

    fn files_of_next(
        &self,
        queue: QueueId,
        printer: &PrinterId,
        open: &OpenCopy,
    ) -> Vec<(QueueId, FileSpec)> {
        let snapshot = self.queues[&queue].doc.snapshot();
        let Some(job) = snapshot.jobs.get(&open.copy.job) else {
            return Vec::new();
        };
        let files = job
            .sets
            .iter()
            .filter_map(|set| match set.spec.files.len() {
                0 | 1 => set.spec.files.first(),
                _ => file_for(snapshot, job, set, printer),
            });
        let files = files.filter(|file| !self.files.contains(&file.hash));
        let files: Vec<(QueueId, FileSpec)> = files.map(|file| (queue, file.clone())).collect();
        let sizes = files.iter().map(|(_, file)| file.size);
        match sizes.fold(0, u64::saturating_add) <= AHEAD_BYTES_MAX {
            true => files,
            false => Vec::new(),
        }
    }

    /// A file of the next copy did not come: whoever claims the copy says so if it still does not.
    pub(crate) fn not_fetched_ahead(&mut self, hash: FileHash) {
        let again_ms = self.now.mono_ms + MISSING_MS_MAX;
        self.ahead.failed.insert(hash, again_ms);
    }
}
