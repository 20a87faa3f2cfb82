//! How much of a job the voters have decided about, and what was printed too much.

use printmesh_queue::{Claim, ClaimState, CopyId, CopyState, Job, Snapshot};

/// Prints of a job by what the voters said about them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Copies that are made, or being made, by the printer to which the voters gave them.
    pub certified: u32,
    /// Made, or being made, without the voters: they have not decided yet.
    pub speculative: u32,
    /// Whole copies that are spare parts.
    pub surplus: u32,
}

/// Returns what the voters said about the prints of a job.
pub fn tally(snapshot: &Snapshot, job: &Job) -> Tally {
    let mut tally = Tally::default();
    for (_, state) in snapshot.copies_of(job) {
        match state {
            CopyState::Begun(claim) | CopyState::Done(claim) if !claim.record.speculative => {
                tally.certified += 1;
            }
            CopyState::Begun(_)
            | CopyState::Done(_)
            | CopyState::Open(_)
            | CopyState::Claimed(_)
            | CopyState::Failed(_) => {}
        }
    }
    let first = CopyId {
        job: job.id,
        index: 0,
    };
    let last = CopyId {
        index: u32::MAX,
        ..first
    };
    let claims = snapshot.claims.range(first..=last);
    for claim in claims.flat_map(|(_, claims)| claims.values()) {
        tally.speculative += u32::from(is_speculative(claim));
        let whole = Snapshot::good_runs(claim) >= job.runs_per_unit();
        tally.surplus += u32::from(claim.record.state == ClaimState::Surplus && whole);
    }
    tally
}

/// Returns whether a claim is a print, under way or good, about which the voters have not decided.
pub fn is_speculative(claim: &Claim) -> bool {
    let state = claim.record.state;
    claim.record.speculative && (state.is_begun() || state == ClaimState::Finished)
}
