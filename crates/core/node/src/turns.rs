//! What the free printers of this host would take next in a queue: found for all of them at once, and again once something
//! has moved. A host with twenty free printers would else deal the queue's copies twenty times at each word it hears.

use std::collections::BTreeMap;

use printmesh_queue::{PrinterId, QueueId};
use printmesh_schedule::{Planner, Reason, Turn, Without};

use crate::node::Node;

/// A copy for a printer, and whether the voters are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(crate) turn: Turn,
    pub(crate) without: bool,
}

/// What was found since something moved, by queue and printer. Printers that take nothing are not in it.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<QueueId, BTreeMap<String, Given>>);

impl Turns {
    /// What was found holds no longer.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Node {
    /// What a free printer takes next in a queue.
    pub(crate) fn given(&mut self, name: &str, queue: QueueId, turns: &mut Turns) -> Option<Given> {
        let found = turns.0.entry(queue);
        let found = found.or_insert_with(|| self.find_turns(queue));
        found.get(name).copied()
    }

    fn find_turns(&mut self, queue: QueueId) -> BTreeMap<String, Given> {
        let presence = self.presence(queue);
        self.refresh_index(queue);
        let entry = &self.queues[&queue];
        let index = entry.index.as_ref().expect("it was just refreshed");
        let planner = Planner::new(entry.doc.snapshot(), &presence, index);
        let free = self.printers.iter();
        let free = free.filter(|(_, printer)| printer.work.is_none());
        let free: Vec<PrinterId> = free.map(|(name, _)| self.printer_id(name)).collect();
        let turns = planner.turns(&free);
        let given = free.into_iter().zip(turns).filter_map(|(id, turn)| {
            let given = match turn {
                Ok(turn) => Given {
                    turn,
                    without: false,
                },
                Err(Reason::VotersAway {
                    without: Without::Now,
                    ..
                }) => Given {
                    turn: planner.without(&id, None).ok()?,
                    without: true,
                },
                Err(_) => return None,
            };
            Some((id.name, given))
        });
        given.collect()
    }
}
