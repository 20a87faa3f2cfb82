//! The visible lease record of a copy, and the runs made under it. Written only by its holder; states only go up, but for a print
//! that was lost sight of and found again.
//!
//! Who may start is not decided here but by the voters' register (see `core/node`): this record tells everybody
//! what the holder is doing.

use serde::{Deserialize, Serialize};

use crate::{HostId, SetId, Timestamp};

/// Orders claims on one attempt of a copy: higher wins. Counted durably by its host before first use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Round number.
    pub n: u64,
    /// Host of the printer; breaks ties.
    pub host: HostId,
    /// Printer; breaks ties.
    pub printer: String,
}

/// How far the holder is with its copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimState {
    /// The voters promised; nothing has begun.
    Claimed,
    /// Its files are being fetched.
    Fetching,
    /// All files are here and verified; waiting to start.
    Staged,
    /// Given up before the start; the same attempt may be claimed again with a higher ballot.
    Dropped,
    /// A majority of voters accepted the start.
    Started,
    /// The first command that heats or moves may have been sent.
    Printing,
    /// The holder cannot tell how a run ended (it crashed); a person must look.
    Unknown,
    /// Every run of the copy is good.
    Finished,
    /// A run failed; no further run of this attempt begins.
    Failed,
    /// Started but given back before anything was printed.
    Released,
    /// A print that the voters had not decided; it counts for another copy of the job.
    Credited,
    /// A print that the voters had not decided, and that is one too many: a spare part.
    Surplus,
}

impl ClaimState {
    /// Returns whether the attempt is over.
    pub fn is_over(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Failed | Self::Released | Self::Credited | Self::Surplus
        )
    }

    /// Returns whether a printer may be printing, or may have printed, under it and has not said how it ended.
    pub fn is_begun(self) -> bool {
        matches!(self, Self::Started | Self::Printing | Self::Unknown)
    }

    /// Returns whether its printer is at work on it right now, as far as its host knows.
    pub fn is_active(self) -> bool {
        self.is_pending() || matches!(self, Self::Started | Self::Printing)
    }

    /// Returns whether it is claimed and not yet started.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::Claimed | Self::Fetching | Self::Staged)
    }
}

/// The lease record: one scalar, one writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// Printer of the writing host; empty when the host gives back what it took out of the queue itself.
    pub printer: String,
    /// Ballot of the claim; a record with a higher one replaces this.
    pub ballot: Ballot,
    /// Number of the voter configuration that decided it.
    pub cfg: u32,
    /// What the start binds: [`crate::Job::spec_hash`].
    #[serde(with = "hex32")]
    pub spec_hash: [u8; 32],
    /// How far it is.
    pub state: ClaimState,
    /// Started without the voters; they have not decided about it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub speculative: bool,
    /// For `Credited`: the copy of the same job that it counts for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credited_to: Option<u32>,
    /// What went wrong, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Last change, by the holder's clock; display only.
    pub at: Timestamp,
}

impl ClaimRecord {
    /// Returns whether it opens a copy again that its host took out of the queue: the next attempt may be claimed.
    pub fn is_reopening(&self) -> bool {
        self.printer.is_empty() && self.state == ClaimState::Released && !self.speculative
    }

    /// Returns whether `next` may replace `self`: a higher ballot, or the same with a state that goes up. A begun one
    /// takes a higher ballot only when the voters decide about it afterwards. What was unknown is being printed again
    /// once the printer itself says so.
    pub fn allows(&self, next: &Self) -> bool {
        let found = self.state == ClaimState::Unknown && next.state == ClaimState::Printing;
        let goes_up = next.state >= self.state || found;
        let idle = !self.state.is_begun() && !self.state.is_over();
        next.ballot > self.ballot && (idle || self.speculative && goes_up)
            || next.ballot == self.ballot && goes_up && (self.speculative || !next.speculative)
    }
}

/// A voter's word that it gives up an attempt of which it heard nothing for long. A majority of them is a write-off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRecord {
    /// The voter configuration in which it votes.
    pub cfg: u32,
    /// When, by the voter's clock; display only.
    pub at: Timestamp,
}

/// How one physical print ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// It began and has not ended.
    Started,
    /// Good.
    Ok,
    /// Bad.
    Failed,
    /// Stopped by a person.
    Aborted,
    /// Its host died in the middle.
    Unknown,
}

/// One physical print: append-only history under a claim, one scalar, one writer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The set that was printed.
    pub set: SetId,
    /// Repetition of that set within the claim, from 0.
    pub repetition: u32,
    /// How it ended.
    pub result: RunResult,
    /// First command that heats or moves, by the holder's clock.
    pub started: Timestamp,
    /// End, by the holder's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why not good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One host's try to make one copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The writer.
    pub host: HostId,
    /// Number of the attempt, from 0.
    pub attempt: u32,
    /// The lease record.
    pub record: ClaimRecord,
    /// Its physical prints, by position in [`crate::Job::runs`].
    pub runs: std::collections::BTreeMap<u32, RunRecord>,
}

impl Claim {
    /// Returns whether a person stopped it: it is not tried again by itself.
    pub fn was_stopped(&self) -> bool {
        let stopped = |run: &RunRecord| run.result == RunResult::Aborted;
        self.runs.values().any(stopped)
    }

    /// Returns its good runs, by position in [`crate::Job::runs`].
    pub fn good_runs(&self) -> impl Iterator<Item = (u32, &RunRecord)> {
        let good = |(_, run): &(&u32, &RunRecord)| run.result == RunResult::Ok;
        self.runs.iter().filter(good).map(|(k, run)| (*k, run))
    }
}

pub(crate) mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
        } else {
            s.serialize_bytes(bytes)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<[u8; 32], D::Error> {
        if d.is_human_readable() {
            data_encoding::HEXLOWER
                .decode(String::deserialize(d)?.as_bytes())
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| D::Error::custom("not 32 bytes of hex"))
        } else {
            <[u8; 32]>::deserialize(d)
        }
    }
}
