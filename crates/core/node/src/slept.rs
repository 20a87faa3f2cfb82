//! What follows when this host was asleep or frozen: its claims have lapsed, its decisions are stale, and what it did
//! not hear is no silence of others.

use crate::{event::Event, limits::FROZEN_MS, node::Node, records::Stage, times::lease_ms};

impl Node {
    /// How late this host wakes up, in milliseconds, when that is more than any load explains.
    pub(crate) fn overslept(&self, mono_ms: u64) -> Option<u64> {
        // Asked for each input: mostly the last one was just now.
        if mono_ms <= self.now.mono_ms + FROZEN_MS {
            return None;
        }
        let late_ms = mono_ms.checked_sub(self.next_wakeup()?)?;
        (late_ms > FROZEN_MS).then_some(late_ms)
    }

    /// This host was asleep or frozen for so long: what it believed before must be asked again before it acts on it.
    pub(crate) fn slept(&mut self, ms: u64) {
        let now_ms = self.now.mono_ms;
        let slept_s = ms / 1000;
        tracing::warn!(slept_s, "this host was asleep or frozen");
        self.awake_ms = now_ms;
        self.note_matches(true);
        for queue in self.queues.values_mut() {
            // Who could not be reached before may be there again.
            queue.alone_ms = queue.alone_ms.map(|_| now_ms);
            queue.goes_on = false;
            let until = now_ms + lease_ms(&queue.doc.snapshot().settings);
            for (_, end) in queue.leases.values_mut() {
                *end = until;
            }
        }
        for heard in self.heard.values_mut() {
            heard.at_ms = now_ms;
        }
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in names {
            let stage = self.printers.get_mut(&name).and_then(|printer| {
                printer.decision.goes_stale();
                Some(printer.work.as_ref()?.stage.clone())
            });
            match stage {
                Some(Stage::Claiming | Stage::Fetching | Stage::Staged) => {
                    self.drop_claim(&name, "its host was asleep");
                }
                // Asked on; what was decided is confirmed before anything heats. A print that has begun goes on.
                Some(
                    Stage::Starting
                    | Stage::Between
                    | Stage::Running { .. }
                    | Stage::Judging { .. },
                )
                | None => {}
            }
        }
        self.tell(Event {
            text: Some(format!("this host was asleep or frozen for {slept_s} s")),
            ..Event::new("host.slept")
        });
    }

    /// Whether a printer of this host has or wants a copy: sleep must be noticed soon then, not with the next input.
    pub fn has_work(&self) -> bool {
        self.printers.values().any(|printer| printer.work.is_some())
    }
}
