//! How often each nemesis struck and each branch of the protocol was taken: a run that never went there proves nothing about it.

use std::collections::BTreeMap;

/// Counters by name: `fault: …`, `protocol: …`, `machine: …`, `person: …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    pub(crate) fn hit(&mut self, name: &'static str) {
        *self.0.entry(name).or_default() += 1;
    }

    pub(crate) fn hit_times(&mut self, name: &'static str, times: u64) {
        if times > 0 {
            *self.0.entry(name).or_default() += times;
        }
    }

    /// Adds another run's counters.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// Returns how often something happened.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Returns all counters by name.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}

/// What a long enough run must have met at least once.
pub const WANTED: &[&str] = &[
    "fault: power cut",
    "fault: power cut of all",
    "fault: process killed",
    "fault: crash before a commit",
    "fault: crash after a commit",
    "fault: crash among the effects",
    "fault: crash in recovery",
    "fault: power cut in a commit",
    "fault: write lost",
    "fault: write torn",
    "fault: disk error",
    "fault: disk full",
    "fault: stopped process",
    "fault: suspended machine",
    "fault: wall clock jump",
    "fault: clock drift",
    "fault: one-way cut",
    "fault: partition",
    "fault: overlapping partitions",
    "fault: flapping link",
    "fault: message dropped",
    "fault: message duplicated",
    "fault: message reordered",
    "fault: message delayed",
    "fault: message corrupted",
    "fault: printer unplugged",
    "fault: printer reset",
    "fault: print failed",
    "fault: bed not cleared for long",
    "fault: bed wrongly called clear",
    "fault: file vanished",
    "fault: clean stop",
    "machine: start refused",
    "machine: found at work by its host",
    "person: cancel",
    "person: hold",
    "person: move",
    "person: edit",
    "protocol: claim refused",
    "protocol: duel",
    "protocol: claim dropped",
    "protocol: start given back",
    "protocol: next attempt",
    "protocol: unknown after a crash",
    "protocol: copy failed",
    "protocol: copy finished",
    "protocol: job taken out",
    "protocol: withdrawal lost the race",
    "protocol: commit failed and was tried again",
    "fault: frozen at a start",
    "fault: power cut at a start",
    "fault: unplugged at a start",
    "fault: host lost for good",
    "fault: old backup restored",
    "machine: start refused because late",
    "person: stop",
    "person: start",
    "person: resolve",
    "protocol: started without the voters",
    "protocol: decided afterwards",
    "protocol: counted for another copy",
    "protocol: surplus",
    "protocol: voter gave an attempt up",
    "protocol: gate asked",
    "protocol: gate closed",
    "protocol: voters changed",
    "protocol: voters recovered",
    "protocol: older voters asked",
    "protocol: print stopped on request",
    "protocol: resolved by a person",
    "protocol: sleep noticed",
    "protocol: restored host noticed it",
    "protocol: refused because given away",
    "person: another key",
    "protocol: epoch followed",
    "protocol: written again later",
    "fault: member forges changes",
    "fault: member sends garbage",
    "fault: member repeats what others said",
    "fault: member answers as a voter",
    "fault: member tells two stories",
    "fault: member floods",
    "fault: member removed behind a cut",
    "fault: two admins remove each other",
    "person: remove the liar",
    "person: remove a member",
    "protocol: forgery refused",
    "protocol: two stories proven",
    "protocol: member removed",
    "protocol: third admin decides",
    "protocol: two ways that put each other out",
    "fault: printer says done, and stopped early",
    "fault: printer says ended, and goes on",
    "fault: printer says the bed is clear, and it is not",
    "fault: printer says idle, and prints",
    "fault: printer forgets the name of its print",
    "fault: printer gives its print another name",
    "fault: printer reports a job it never got",
    "fault: printer says refused, and begins",
    "fault: printer says begun, and does nothing",
    "machine: takes back that it has ended",
    "fault: wall clock stands still",
    "fault: monotonic clock stands still",
    "fault: links clogged one after the other",
    "fault: bridge between more than three hosts",
    "fault: printer that fails everything",
    "fault: file that fails everywhere",
    "protocol: printer set aside",
    "protocol: file fails everywhere",
    "protocol: retries exhausted",
    "protocol: ranked fallback",
    "protocol: vote parked",
    "protocol: surplus paused",
    "protocol: surplus stopped",
    "fault: bit flipped on a disk",
    "machine: flipped bit found",
];
