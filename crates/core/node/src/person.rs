//! A person is told when a printer of this host comes to wait for one: once, when it does, and not again while that stays so, also not
//! after a restart. What passes by itself is told to nobody.

use std::collections::BTreeMap;

use printmesh_queue::PrinterId;
use printmesh_schedule::{Planner, Reason};

use crate::{
    event::Event,
    input::Input,
    limits::{PERSON_LOOK_MS, PERSON_LOOK_MS_MAX, PERSON_MS},
    node::Node,
    records::Stage,
};

/// When it was last looked for whom printers wait.
#[derive(Debug, Default)]
pub(crate) struct Persons {
    /// Something has happened since.
    look: bool,
    looked_ms: u64,
}

impl Persons {
    /// Whatever happens may change it, but for time alone.
    pub(crate) fn heard(&mut self, input: &Input, now_ms: u64) {
        let only_time = matches!(input, Input::Wake | Input::FetchProgress { .. });
        self.look |= !only_time || now_ms >= self.looked_ms.saturating_add(PERSON_LOOK_MS_MAX);
    }
}

impl Node {
    /// When to look again for whom printers wait.
    pub(crate) fn persons_wakeup(&self) -> Option<u64> {
        if self.stopping || self.printers.is_empty() {
            return None;
        }
        let persons = &self.persons;
        let look = persons.look.then(|| persons.looked_ms + PERSON_LOOK_MS);
        let untold = self.printers.values().filter_map(|p| p.untold.as_ref());
        let due = untold.map(|(_, since_ms)| since_ms + PERSON_MS);
        look.into_iter().chain(due).min()
    }

    /// Tells a person of each printer that has come to wait for one.
    pub(crate) fn tell_persons(&mut self) {
        let now_ms = self.now.mono_ms;
        if self.persons_wakeup().is_none_or(|at| at > now_ms) {
            return;
        }
        self.persons.look = false;
        self.persons.looked_ms = now_ms;
        let mut waits = self.who_waits();
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in names {
            let found = waits.remove(&name);
            let kind = found.as_ref().map(|(_, reason)| reason.kind());
            let Some(printer) = self.printers.get_mut(&name) else {
                continue;
            };
            if printer.entry.told == kind {
                printer.untold = None;
                continue;
            }
            match &printer.untold {
                Some((since, at_ms)) if *since == kind => {
                    if now_ms < at_ms + PERSON_MS {
                        continue;
                    }
                }
                Some(_) | None => {
                    printer.untold = Some((kind, now_ms));
                    continue;
                }
            }
            printer.untold = None;
            printer.entry.told = kind;
            // Before anybody is told: after a crash it may be told to nobody, and never twice.
            self.save_printer(&name);
            if let Some((queue, reason)) = found {
                self.tell(Event {
                    queue,
                    printer: Some(self.printer_id(&name)),
                    state: Some(reason.code().to_owned()),
                    text: Some(reason.text()),
                    ..Event::new("printer.needs-person")
                });
            }
        }
    }

    /// Printers of this host that wait for a person, with the queue for which they do and why.
    fn who_waits(&mut self) -> BTreeMap<String, (Option<String>, Reason)> {
        let (mut idle, mut midway) = (Vec::new(), Vec::new());
        for (name, printer) in &self.printers {
            match printer.work.as_ref().map(|work| &work.stage) {
                None => idle.push(self.printer_id(name)),
                Some(Stage::Between | Stage::Judging { .. }) => midway.push(self.printer_id(name)),
                Some(
                    Stage::Claiming
                    | Stage::Fetching
                    | Stage::Staged
                    | Stage::Starting
                    | Stage::Running { .. },
                ) => {}
            }
        }
        let mut waits = BTreeMap::new();
        let mut goes_on: Vec<PrinterId> = Vec::new();
        for queue in self.queues_in_order() {
            if self.queues[&queue].record.left {
                continue;
            }
            let presence = self.presence(queue);
            self.refresh_index(queue);
            let entry = &self.queues[&queue];
            let index = entry.index.as_ref().expect("it was just refreshed");
            let planner = Planner::new(entry.doc.snapshot(), &presence, index);
            let rows = planner.turns(&idle);
            let idle = idle.iter().zip(&rows);
            goes_on.extend(
                idle.clone()
                    .filter(|(_, row)| row.is_ok())
                    .map(|(id, _)| id.clone()),
            );
            let idle = idle.map(|(id, row)| (id, planner.waits_for_person(id, row)));
            let midway = midway.iter().map(|id| (id, planner.waits_midway(id)));
            for (id, reason) in idle.chain(midway) {
                if let Some(reason) = reason {
                    let of = matches!(
                        reason,
                        Reason::NeverSkip { .. } | Reason::NothingFits { .. }
                    );
                    let queue = of.then(|| entry.name());
                    waits.entry(id.name.clone()).or_insert((queue, reason));
                }
            }
        }
        // Another queue has something for it.
        waits.retain(|name, _| !goes_on.iter().any(|id| id.name == *name));
        waits
    }
}
