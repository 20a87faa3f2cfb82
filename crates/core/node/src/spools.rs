//! Spools whose stock somebody else keeps (a Spoolman): what is loaded is what it says, and what prints use up it is told.
//!
//! Telling it is not idempotent, and it may go down at any moment. So each use is on disk before it is told, with what
//! was on record before; when no answer came, the next look at the spool shows whether it was booked. Where that cannot be
//! told, because somebody else changed it meanwhile, it is not told again, and a person hears of it: rather once too
//! few than twice.
//!
//! When it is down, printers go on with what was known last. Nothing here keeps one from printing.

use serde::{Deserialize, Serialize};

use crate::{
    effect::Effect,
    event::Event,
    node::Node,
    records::{self, key},
};

/// Rounding on the way, in milligrams.
const ROUNDING_MG: u64 = 2;

/// What the keeper of the stock says of a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolReading {
    /// Material type.
    pub material: Option<String>,
    /// Colour.
    pub color: Option<String>,
    /// Milligrams that are left; `None` = it does not know.
    pub left_mg: Option<u64>,
    /// Milligrams used since the spool was new, as far as it was told.
    pub used_mg: u64,
}

/// Why the keeper of the stock gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpoolFault {
    /// It was told nothing.
    Down(String),
    /// It may have booked what it was told.
    Unsure(String),
    /// It has no such spool, or does not take what it was told: asking again is of no use.
    Refused(String),
}

impl SpoolFault {
    fn text(&self) -> &str {
        let (Self::Down(text) | Self::Unsure(text) | Self::Refused(text)) = self;
        text
    }
}

/// What a print used up and the keeper of the stock has not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) spool: u32,
    pub(crate) mg: u64,
    /// It was told, or was about to be: what it had on record before, in milligrams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before_mg: Option<u64>,
    /// The answer is on its way.
    #[serde(skip)]
    pub(crate) asked: bool,
}

impl Node {
    /// Spools that are loaded, or of which something is to be told: to be looked at now and then.
    pub fn spools(&self) -> std::collections::BTreeSet<u32> {
        let printers = self.printers.values();
        let slots = printers.flat_map(|printer| &printer.entry.equipment.slots);
        let owed = self.usages.values().map(|usage| usage.spool);
        slots.filter_map(|slot| slot.spool).chain(owed).collect()
    }

    /// Why what is known of a spool may be old.
    pub(crate) fn spool_note(&self, spool: u32) -> Option<&str> {
        self.spool_notes.get(&spool).map(String::as_str)
    }

    /// A print used up so much of a spool.
    pub(crate) fn owe(&mut self, spool: u32, mg: u64) {
        if mg == 0 {
            return;
        }
        self.effect(Effect::LookAtSpool { spool });
        // What nobody was told yet is told as one.
        let mut of_it = self.usages.iter();
        let untold = of_it.find(|(_, usage)| usage.spool == spool && usage.before_mg.is_none());
        if let Some((id, usage)) = untold {
            let (id, mut usage) = (*id, usage.clone());
            usage.mg = usage.mg.saturating_add(mg);
            self.save_usage(id, usage);
            return;
        }
        let id = self.usages.last_key_value().map_or(0, |(id, _)| id + 1);
        let usage = Usage {
            spool,
            mg,
            before_mg: None,
            asked: false,
        };
        self.save_usage(id, usage);
    }

    fn save_usage(&mut self, id: u64, usage: Usage) {
        self.write(records::put(key::usage(id), &usage));
        self.usages.insert(id, usage);
    }

    fn forget_usage(&mut self, id: u64) -> Option<Usage> {
        self.write(records::delete(key::usage(id)));
        self.usages.remove(&id)
    }

    /// The keeper of the stock has it.
    fn end_usage(&mut self, id: u64) {
        if let Some(Usage { spool, mg, .. }) = self.forget_usage(id) {
            let grams = mg as f64 / 1000.0;
            self.tell(Event {
                state: Some("booked".into()),
                text: Some(format!("{grams} g of spool {spool} are booked")),
                ..Event::new("spool.used")
            });
        }
    }

    /// Somebody looked at a spool.
    pub(crate) fn spool_seen(&mut self, spool: u32, result: Result<SpoolReading, SpoolFault>) {
        match result {
            Ok(reading) => {
                self.settle_usages(spool, &reading);
                self.take_reading(spool, &reading);
                self.tell_next(spool, &reading);
            }
            Err(fault) => {
                if let SpoolFault::Refused(why) = &fault {
                    let gone = self.usages.iter().filter(|(_, usage)| usage.spool == spool);
                    for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
                        self.give_usage_up(id, why);
                    }
                }
                self.note_spool(spool, Some(fault.text().to_owned()));
            }
        }
    }

    /// What became of a use that was told.
    pub(crate) fn spool_used(&mut self, id: u64, result: Result<SpoolReading, SpoolFault>) {
        let Some(mut usage) = self.usages.get(&id).cloned() else {
            return;
        };
        usage.asked = false;
        let spool = usage.spool;
        match result {
            Ok(reading) => {
                self.end_usage(id);
                self.take_reading(spool, &reading);
                self.tell_next(spool, &reading);
            }
            Err(SpoolFault::Down(why)) => {
                usage.before_mg = None;
                self.save_usage(id, usage);
                self.note_spool(spool, Some(why));
            }
            // The next look tells.
            Err(SpoolFault::Unsure(why)) => {
                self.usages.insert(id, usage);
                self.note_spool(spool, Some(why));
            }
            Err(SpoolFault::Refused(why)) => self.give_usage_up(id, &why),
        }
    }

    /// Finds out whether what was told without an answer is booked.
    fn settle_usages(&mut self, spool: u32, reading: &SpoolReading) {
        let told = self.usages.iter().find_map(|(id, usage)| {
            let before = usage.before_mg.filter(|_| !usage.asked)?;
            (usage.spool == spool).then(|| (*id, usage.clone(), before))
        });
        let Some((id, mut usage, before)) = told else {
            return;
        };
        match reading.used_mg.checked_sub(before) {
            Some(more) if more + ROUNDING_MG >= usage.mg => self.end_usage(id),
            Some(more) if more <= ROUNDING_MG => {
                usage.before_mg = None;
                self.save_usage(id, usage);
            }
            Some(_) | None => self.give_usage_up(id, "somebody else changed it meanwhile"),
        }
    }

    /// What is loaded is what the keeper of the stock says, less what it was not told yet.
    fn take_reading(&mut self, spool: u32, reading: &SpoolReading) {
        self.note_spool(spool, None);
        let owed = self.usages.values().filter(|usage| usage.spool == spool);
        let owed_mg = owed.fold(0_u64, |sum, usage| sum.saturating_add(usage.mg));
        let left_mg = reading.left_mg.map(|mg| mg.saturating_sub(owed_mg));
        let mut changed = Vec::new();
        for (name, printer) in &mut self.printers {
            for slot in &mut printer.entry.equipment.slots {
                if slot.spool != Some(spool) {
                    continue;
                }
                let before = slot.clone();
                // What it does not say, a person may have said.
                slot.material = reading.material.clone().or(slot.material.take());
                slot.color = reading.color.clone().or(slot.color.take());
                slot.left_mg = left_mg;
                if *slot != before {
                    changed.push(name.clone());
                }
            }
        }
        for name in changed {
            self.save_printer(&name);
        }
    }

    /// Tells the oldest use of a spool, one at a time, and says on disk first what was on record before.
    fn tell_next(&mut self, spool: u32, reading: &SpoolReading) {
        let mut of_it = self.usages.iter().filter(|(_, usage)| usage.spool == spool);
        let Some((id, usage)) = of_it.next() else {
            return;
        };
        if usage.before_mg.is_some() {
            return;
        }
        let (id, mut usage) = (*id, usage.clone());
        usage.before_mg = Some(reading.used_mg);
        usage.asked = true;
        let mg = usage.mg;
        self.save_usage(id, usage);
        self.effect(Effect::UseSpool { id, spool, mg });
    }

    fn give_usage_up(&mut self, id: u64, why: &str) {
        let Some(Usage { spool, mg, .. }) = self.forget_usage(id) else {
            return;
        };
        let grams = mg.div_ceil(1000);
        let text = format!("look at spool {spool}: {grams} g may not be booked, {why}");
        tracing::warn!(spool, grams, why, "a use of a spool may not be booked");
        self.tell(Event {
            state: Some("unsure".into()),
            text: Some(text),
            ..Event::new("spool.used")
        });
    }

    fn note_spool(&mut self, spool: u32, note: Option<String>) {
        let before = match &note {
            Some(note) => self.spool_notes.insert(spool, note.clone()),
            None => self.spool_notes.remove(&spool),
        };
        // Once each way, not at every look.
        if before.is_some() == note.is_some() {
            return;
        }
        let text = match &note {
            Some(why) => format!("what is known of spool {spool} is what was known last: {why}"),
            None => format!("what is known of spool {spool} is up to date again"),
        };
        tracing::warn!(spool, text, "the keeper of the spools came or went");
        self.tell(Event {
            state: Some(if note.is_some() { "old" } else { "known" }.into()),
            text: Some(text),
            ..Event::new("spool.state")
        });
    }
}
