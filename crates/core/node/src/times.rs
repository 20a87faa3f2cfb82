//! The times that a queue's settings name, in milliseconds. None of them is load-bearing for safety (CLAIMS.md 5).

use printmesh_queue::{Abandon, CopyId, Job, RunResult, Set, SetId, Settings, Snapshot};

use crate::limits::{ABANDON_MS, BEATS_PER_LEASE, DECISION_AGE_MS_MAX, HEALTHY_LEASES, LEFT_S_MAX};

/// A claim that has not started lapses when its holder is silent for so long.
pub(crate) fn lease_ms(settings: &Settings) -> u64 {
    settings.lease_s * 1000
}

/// A holder speaks up this often at the latest.
pub(crate) fn beat_ms(settings: &Settings) -> u64 {
    (settings.beat_s * 1000).min(lease_ms(settings) / BEATS_PER_LEASE)
}

/// A voter gives nothing up before it has been awake, and among the voters, for so long.
pub(crate) fn healthy_ms(settings: &Settings) -> u64 {
    lease_ms(settings) * HEALTHY_LEASES
}

/// A begun print is given up after so much silence, `left_s` seconds of it having been left at its last beat;
/// `None` = never.
pub(crate) fn abandon_ms(settings: &Settings, left_s: u64) -> Option<u64> {
    let left_ms = left_s.min(LEFT_S_MAX) * 1000;
    match settings.abandon {
        Abandon::Eta => Some(ABANDON_MS + left_ms + left_ms / 4),
        Abandon::Never => None,
        Abandon::After(seconds) => Some(seconds * 1000),
    }
}

/// A print begins on a decision that is no older than this: far below any time after which it could be given up, so that
/// only a clock that runs at a tenth of its speed (with the defaults, a thirtieth) could deceive the holder.
pub(crate) fn fresh_ms(settings: &Settings) -> u64 {
    let share = abandon_ms(settings, 0).map(|abandon| abandon / 10);
    share.map_or(DECISION_AGE_MS_MAX, |share| share.min(DECISION_AGE_MS_MAX))
}

/// What is left of an attempt by what its files say of themselves, in seconds: without the runs that are good. A file that
/// says nothing counts nothing.
pub(crate) fn estimated_left_s(snapshot: &Snapshot, copy: CopyId, attempt: u32) -> u64 {
    let Some(job) = snapshot.jobs.get(&copy.job) else {
        return 0;
    };
    let rounds = if job.together { job.copies } else { 1 };
    let wanted = |set: &Set| u64::from(rounds).saturating_mul(set.per_run.into());
    let all = job.sets.iter().fold(0_u64, |sum, set| {
        sum.saturating_add(estimate_s(job, set.id).saturating_mul(wanted(set)))
    });
    let claims = snapshot
        .claims_of(copy)
        .filter(|claim| claim.attempt == attempt);
    let runs = claims.flat_map(|claim| claim.runs.values());
    let good = runs.filter(|run| run.result == RunResult::Ok);
    good.fold(all, |left, run| {
        left.saturating_sub(estimate_s(job, run.set))
    })
}

/// What one print of a set takes by its file's own word, the slowest of its alternatives; 0 when none says anything.
pub(crate) fn estimate_s(job: &Job, set: SetId) -> u64 {
    let set = job.sets.iter().find(|other| other.id == set);
    let files = set.into_iter().flat_map(|set| &set.spec.files);
    files.filter_map(|file| file.estimate_s).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_print_is_given_up_a_quarter_and_half_an_hour_after_its_end_was_due() {
        let mut settings = Settings::default();
        assert_eq!(abandon_ms(&settings, 0), Some(1_800_000));
        assert_eq!(
            abandon_ms(&settings, 3_600),
            Some(3_600_000 + 900_000 + 1_800_000)
        );
        let for_ever = abandon_ms(&settings, u64::MAX).expect("at last");
        assert!(for_ever < 40 * 24 * 3_600_000, "whatever its host says");
        settings.abandon = Abandon::After(90);
        assert_eq!(abandon_ms(&settings, 3_600), Some(90_000));
        assert_eq!(
            fresh_ms(&settings),
            9_000,
            "nor does a start rest on what may be taken back"
        );
        settings.abandon = Abandon::Never;
        assert_eq!(abandon_ms(&settings, 0), None);
    }

    #[test]
    fn several_beats_fit_into_a_lease_whatever_is_set() {
        let mut settings = Settings::default();
        assert_eq!((lease_ms(&settings), beat_ms(&settings)), (60_000, 15_000));
        settings.beat_s = 3_600;
        assert_eq!(beat_ms(&settings), 20_000);
    }
}
