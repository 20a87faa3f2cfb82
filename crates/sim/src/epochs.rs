//! Epochs in a farm: people that give the queue another key, and documents that grow long early.

use printmesh_node::{Command, Write};

use crate::{draw::Draw, host::Asked, people::Act, world::World};

/// Changes after which an epoch ends, as drawn: what ten thousand are to a real farm, a hundred are to a simulated day.
pub(crate) fn epoch_changes(seed: u64) -> usize {
    let mut draw = Draw::new(seed, "epochs");
    draw.pick(&[60, 120, 300, 10_000, 10_000])
}

/// When somebody gives the queue another key, and on which host.
pub(crate) fn rotations(seed: u64, hosts: usize, until: u64) -> Vec<(u64, Act)> {
    let mut draw = Draw::new(seed, "rotations");
    let mut acts = Vec::new();
    for _ in 0..draw.pick(&[0, 0, 1, 1, 2, 4]) {
        let (at, host) = (draw.below(until), draw.index(hosts));
        acts.push((at, Act::Rotate { host }));
        // Two at once, now and then.
        if draw.chance(250) {
            let (host, after) = (draw.index(hosts), draw.below(200));
            acts.push((at + after, Act::Rotate { host }));
        }
    }
    acts
}

impl World {
    pub(crate) fn rotate(&mut self, host: usize) {
        let command = Command::QueueRotateKey {
            queue: "farm".to_owned(),
            remove: Vec::new(),
        };
        self.ask(host, "person: another key", command, Asked::Other);
    }

    /// Counts what a commit says about epochs.
    pub(crate) fn note_epochs(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Clear { .. } => self.coverage.hit("protocol: epoch followed"),
                Write::Put { key, value } if key.starts_with(b"carry/") && value != b"[]" => {
                    self.coverage.hit("protocol: written again later");
                }
                Write::Put { .. } | Write::Delete { .. } | Write::Append { .. } => {}
            }
        }
    }
}
