//! L3: what somebody has to know is said aloud: a print of which nobody knows how it ended, one that was given up, one too many.

use std::collections::BTreeSet;

use printmesh_node::{Effect, Event};
use printmesh_queue::{ClaimState, CopyId, HostId};

use crate::{sabotage::Bug, world::World};

/// What is said of a copy.
pub(crate) type Word = (&'static str, CopyId);

fn word(event: &Event) -> Option<Word> {
    let kinds = ["copy.unknown", "copy.lost", "copy.surplus"];
    let kind = kinds.into_iter().find(|kind| *kind == event.kind)?;
    Some((kind, event.copy?))
}

impl World {
    /// Whoever listens at that host has heard it.
    pub(crate) fn note_told(&mut self, host: usize, event: &Event) {
        self.hosts[host].memory.told.extend(word(event));
    }

    /// Whether a host has said that its print of a copy is one too many.
    pub(crate) fn has_told_surplus(&self, host: HostId, copy: CopyId) -> bool {
        let mut hosts = self.hosts.iter().filter(|entry| entry.id == host);
        hosts.any(|entry| entry.memory.told.contains(&("copy.surplus", copy)))
    }

    /// What a host knows since this step it says in this step; what is one too many it may have said already. After a start it
    /// says of every print that nobody knows how it ended; of the rest a crash may have taken its word, and it is over anyway.
    pub(crate) fn check_told(&mut self, host: usize, at_start: bool) {
        let entry = &self.hosts[host];
        let Some(process) = &entry.process else {
            return;
        };
        let mut known: BTreeSet<(Word, u32)> = BTreeSet::new();
        for (_, view) in process.node.queues() {
            for (copy, claims) in &view.snapshot.claims {
                let own = claims.values().filter(|claim| claim.host == entry.id);
                known.extend(own.filter_map(|claim| match claim.record.state {
                    ClaimState::Unknown => Some((("copy.unknown", *copy), claim.attempt)),
                    ClaimState::Surplus => Some((("copy.surplus", *copy), claim.attempt)),
                    _ => None,
                }));
            }
            let given_up = view.snapshot.lost.keys().filter(|(copy, attempt)| {
                view.snapshot.jobs.contains_key(&copy.job) && view.snapshot.is_lost(*copy, *attempt)
            });
            known.extend(given_up.map(|(copy, attempt)| (("copy.lost", *copy), *attempt)));
        }
        let now: BTreeSet<Word> = process
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Tell(event) => word(event),
                _ => None,
            })
            .collect();
        let before =
            |kind: &str, word: &Word| kind == "copy.surplus" && entry.memory.told.contains(word);
        let silent = known.iter().find(|what| {
            let (word, _) = what;
            let new = !entry.memory.known.contains(*what);
            let has_to = match at_start {
                true => word.0 == "copy.unknown",
                false => new,
            };
            has_to && !now.contains(word) && !before(word.0, word)
        });
        let silent = silent.map(|((kind, copy), attempt)| {
            let (name, job) = (&entry.name, copy.job);
            format!("{name} says no {kind} of {job}/{}#{attempt}", copy.index)
        });
        // What is lost or one too many stays so, also where a new epoch, or a way to it that lost, hides it for a while.
        let before = std::mem::take(&mut self.hosts[host].memory.known);
        let stays = before
            .into_iter()
            .filter(|((kind, _), _)| *kind != "copy.unknown");
        known.extend(stays);
        self.hosts[host].memory.known = known;
        if let Some(silent) = silent.filter(|_| self.plan.bug != Some(Bug::EffectsFirst)) {
            self.broken("L3", silent);
        }
    }
}
