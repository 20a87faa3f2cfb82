//! Liveness with its bounds, judged once everything has healed: not only that all comes to its end, but when (CLAIMS.md, L1 to L4).

use std::collections::BTreeSet;

use printmesh_queue::{Abandon, ClaimState, CopyId, CopyState, Job, JobState, PrinterId, Snapshot};

use crate::world::World;

const MINUTE: u64 = 60_000;

/// L1: a lease, a turn for each printer that comes first, a file that is fetched, a start that was refused and is tried again.
pub(crate) const STARTS_WITHIN_MS: u64 = 3 * MINUTE;

/// After the last fault a person looks in every half hour: then voters that are lost for good are replaced.
const LOOKED_AFTER_MS: u64 = 90 * MINUTE;

/// A copy that a printer could begin now, as its host sees it.
pub(crate) type Ready = (usize, PrinterId, CopyId, u32);

impl World {
    /// What printers could begin at once, with all that it takes at hand.
    pub(crate) fn ready_to_start(&self) -> BTreeSet<Ready> {
        let mut ready = BTreeSet::new();
        for host in self.alive() {
            let (Some(view), Some(node)) = (self.farm_view(host), self.hosts[host].node()) else {
                continue;
            };
            let presence = node.presence_in(view.id);
            for job in view.snapshot.jobs.values() {
                let mut files = job.sets.iter().flat_map(|set| &set.spec.files);
                if !files.all(|file| self.hosts[host].files.contains(&file.hash)) {
                    continue;
                }
                let mut open =
                    view.snapshot
                        .copies_of(job)
                        .filter_map(|(copy, state)| match state {
                            // Who was given the one before is gone, and its last word is known to some: a person decides.
                            CopyState::Open(attempt) => Some((copy, attempt))
                                .filter(|_| (0..attempt).all(|one| !self.given_to_dead(copy, one))),
                            _ => None,
                        });
                let Some((copy, attempt)) = open.next() else {
                    continue;
                };
                let why = printmesh_schedule::why(view.snapshot, &presence, job);
                let own = why
                    .into_iter()
                    .filter(|(id, reason)| id.host == self.hosts[host].id && reason.is_none());
                ready.extend(own.map(|(id, _)| (host, id, copy, attempt)));
            }
        }
        ready
    }

    /// L1: what a printer could begin all the time has begun.
    pub(crate) fn check_starts(&mut self, before: &BTreeSet<Ready>) {
        if before.is_empty() {
            return;
        }
        let now = self.ready_to_start();
        if let Some((host, printer, copy, attempt)) = before.intersection(&now).next() {
            let what = format!(
                "{} of h{host} could begin {}/{}#{attempt} for three minutes and did not",
                printer.name, copy.job, copy.index
            );
            self.broken("L1", what);
        }
    }

    /// L2 and L4: what a host that is lost had claimed is open again in time, and what was started without the voters is decided.
    pub(crate) fn check_bounds(&mut self, healed: u64) {
        let since = self.now - healed.max(self.freed_at);
        let Some(first) = self
            .alive()
            .first()
            .copied()
            .filter(|_| since > LOOKED_AFTER_MS)
        else {
            return;
        };
        let Some(view) = self.farm_view(first) else {
            return;
        };
        if let Some(what) = self.unreconciled() {
            self.broken("L4", what);
            return;
        }
        // Open again, and no printer was free for it so far.
        let lapsed = self.hosts[first]
            .node()
            .map(|node| node.presence_in(view.id).lapsed);
        let lapsed = lapsed.unwrap_or_default();
        let mut late = None;
        // What a host keeps of jobs that are over is its own.
        let open = view.snapshot.jobs.values();
        for job in open.filter(|job| job.state == JobState::Open) {
            // The last word of who is gone is known to some: a person says that it is gone (SAFETY.md, Open).
            let mut alive = self.alive().into_iter();
            if alive.any(|host| self.is_last_word(host, job.id)) {
                continue;
            }
            for (copy, state) in view.snapshot.copies_of(job) {
                let (claim, within) = match state {
                    CopyState::Claimed(claim) if lapsed.contains(&(copy, claim.attempt)) => {
                        continue;
                    }
                    CopyState::Claimed(claim) => (claim, Some(0)),
                    CopyState::Begun(claim) => (claim, given_up_within_ms(view.snapshot, job)),
                    _ => continue,
                };
                let lost = self
                    .hosts
                    .iter()
                    .any(|host| host.destroyed && host.id == claim.host);
                let given = self.given_to_dead(copy, claim.attempt);
                let within = match claim.record.state {
                    // The voters had let it start: silence alone tells.
                    state if state.is_pending() && given => given_up_within_ms(view.snapshot, job),
                    ClaimState::Finished => None,
                    _ => within,
                };
                if lost && within.is_some_and(|within| since > LOOKED_AFTER_MS + within) {
                    late = Some(format!(
                        "{copy:?} is {:?} by a host that was lost {} min ago or more",
                        claim.record.state,
                        since / MINUTE
                    ));
                }
            }
        }
        if let Some(late) = late {
            self.broken("L2", late);
        }
    }
}

/// How long a print of a job may be silent at most before it is given up; `None` = for ever.
fn given_up_within_ms(snapshot: &Snapshot, job: &Job) -> Option<u64> {
    let files = job.sets.iter().map(|set| {
        let estimate = set
            .spec
            .files
            .iter()
            .filter_map(|file| file.estimate_s)
            .max();
        estimate.unwrap_or(0) * u64::from(set.per_run)
    });
    let whole_s = files.sum::<u64>()
        * if job.together {
            u64::from(job.copies)
        } else {
            1
        };
    match snapshot.settings.abandon {
        Abandon::Never => None,
        // What is left, and a quarter more, and half an hour; what a setting says is less than an hour here.
        _ => Some((whole_s * 5 / 4) * 1_000 + 90 * MINUTE),
    }
}
