//! A job as it is submitted: a named, ordered list of sets, of which so many copies are wanted.

use serde::{Deserialize, Serialize};

use crate::{FileHash, HostId, JobId, Needs, Rank, SetId, Terms, Timestamp};

/// A named, ordered list of sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id; a job that moves to another queue gets a new one there.
    pub id: JobId,
    /// Display name.
    pub name: String,
    /// Its place in the queue; ties are broken by id.
    pub rank: Rank,
    /// Copies of the whole job, at least 1.
    pub copies: u32,
    /// One claim takes all copies, on one printer.
    pub together: bool,
    /// Not yet released: never scheduled.
    pub draft: bool,
    /// A person holds it: no further copy starts.
    pub held: bool,
    /// Only printers with these names (`name` or `host/name`); empty = any.
    pub printers: Vec<String>,
    /// Whether it is in the queue, or how it left it.
    pub state: JobState,
    /// Host that submitted it.
    pub submitter: HostId,
    /// When, by the submitter's clock.
    pub created: Timestamp,
    /// The job it was moved from, in another queue.
    pub origin: Option<JobId>,
    /// How often a copy of it is tried again after it failed; `None` = as the queue says.
    pub retries: Option<u32>,
    /// Copies that a person wants tried once more, each with the last attempt of which that person knew.
    pub again: std::collections::BTreeMap<u32, u32>,
    /// When and where it may print.
    pub terms: Terms,
    /// Sorted by rank, then id.
    pub sets: Vec<Set>,
}

/// Whether a job is in its queue. Done and failed are derived from its copies, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// In the queue.
    Open,
    /// Cancelled by a person.
    Cancelled {
        /// Host on which it was cancelled.
        by: HostId,
        /// When, by that host's clock.
        at: Timestamp,
    },
    /// Moved to another queue.
    Moved {
        /// Host that moved it.
        by: HostId,
        /// When, by that host's clock.
        at: Timestamp,
        /// Its id in the other queue.
        to: JobId,
    },
}

/// One file (or several alternatives of it), printed `per_run` times in each copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Its id within the job.
    pub id: SetId,
    /// Its place in the job.
    pub rank: Rank,
    /// Prints per copy, at least 1.
    pub per_run: u32,
    /// What never changes.
    pub spec: SetSpec,
}

/// What never changes about a set; stored as one scalar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSpec {
    /// At least one; any one of them satisfies the set.
    pub files: Vec<FileSpec>,
}

/// A file and what its slicer said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// BLAKE3 of its bytes.
    pub hash: FileHash,
    /// Size in bytes.
    pub size: u64,
    /// Name as shown; never used as a path.
    pub name: String,
    /// Print time in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_s: Option<u64>,
    /// Material type, like `PETG`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<String>,
    /// Slicer and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slicer: Option<String>,
    /// Printer model that it was sliced for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Nozzle diameter in micrometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nozzle_um: Option<u32>,
    /// What it needs of a printer: these decide where it may be printed; the fields above are for people.
    #[serde(default, skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
}

impl Job {
    /// Returns how many claims the job needs: one per copy, or one for all when `together`.
    pub fn units(&self) -> u32 {
        if self.together { 1 } else { self.copies }
    }

    /// Returns every physical print of one claim, in order: (set, repetition from 0).
    ///
    /// A copy is done when each of them has a good run, never earlier.
    pub fn runs(&self) -> impl Iterator<Item = (&Set, u32)> {
        let rounds = if self.together { self.copies } else { 1 };
        (0..rounds).flat_map(move |round| {
            self.sets.iter().flat_map(move |set| {
                // Numbers that other hosts chose may be too large for a count, never for this host.
                let first = round.saturating_mul(set.per_run);
                (0..set.per_run).map(move |n| (set, first.saturating_add(n)))
            })
        })
    }

    /// Returns the number of physical prints of one claim.
    pub fn runs_per_unit(&self) -> u32 {
        let rounds = if self.together { self.copies } else { 1 };
        self.sets
            .iter()
            .fold(0u32, |sum, set| sum.saturating_add(set.per_run))
            .saturating_mul(rounds)
    }

    /// Returns a hash over everything that a start binds: sets, counts, files. An edit changes it.
    pub fn spec_hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"printmesh job spec 1");
        hasher.update(&[u8::from(self.together)]);
        if self.together {
            hasher.update(&self.copies.to_be_bytes());
        }
        for set in &self.sets {
            hasher.update(&set.id.0);
            hasher.update(&set.per_run.to_be_bytes());
            for file in &set.spec.files {
                hasher.update(&file.hash.0);
            }
        }
        *hasher.finalize().as_bytes()
    }
}
