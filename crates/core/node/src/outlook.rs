//! What this host knows about what is to come, taken out of the node: working it out takes long, and the node does not wait.

use printmesh_schedule::{Line, Outlook};

use crate::{input::Now, node::Node};

impl Node {
    /// Returns a copy of everything that says what will be printed when: a line for each of [`Node::queues`], in that order.
    pub fn outlook(&self, now: Now) -> Outlook {
        let lines = self.queues_in_order().into_iter().map(|id| Line {
            snapshot: self.queues[&id].doc.snapshot().clone(),
            presence: self.presence_when(id, now.mono_ms),
        });
        let left = self.progress.iter().filter_map(|(printer, progress)| {
            let said_ms = progress.left_s?.saturating_mul(1000);
            let since_ms = now.mono_ms.saturating_sub(progress.heard_ms);
            let left_ms = said_ms.saturating_sub(since_ms);
            Some((printer.clone(), (progress.copy, left_ms)))
        });
        Outlook {
            lines: lines.collect(),
            left_ms: left.collect(),
        }
    }
}
