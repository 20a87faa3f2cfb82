//! AutoPrint's cycle between two prints: finished, cooled down, cleared, next; and the hours in which nothing starts.
//!
//! What a printer's owner has set up is kept here, on the printer's own host. Which copy comes next is not decided here, nor
//! whether a print is good (`verdict.rs`).
//!
//! A script makes a bed clear only when its owner said that this very script may, and when this host saw it from its first
//! command to its last. While it runs, and after a crash in it, the bed is unknown.

use std::borrow::Cow;

use printmesh_queue::{Bed, Between, Routine};
use serde::{Deserialize, Serialize};

use crate::{
    command::PrinterEdit,
    effect::Effect,
    event::Event,
    limits::{
        BELT_MM_MAX, BELT_MM_PER_MIN, BELT_PIECE_MM, CLEAR_BYTES_MAX, EARLY_MS_MAX, QUIET_MAX,
    },
    node::{Node, Printer},
    problem::{Code, Problem},
    records::Stage,
};

const DAY_MIN: u64 = 24 * 60;
const MINUTE_MS: u64 = 60_000;

/// How a printer's script is named in reports, before its number. A job's id is never one of these.
const CLEARS: &str = "clear/";

/// What happens between two prints of a printer, as its owner said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cycle {
    /// °C that the bed cools down to before it is cleared.
    pub cool_c: Option<u32>,
    /// Commands that clear the bed after a print that came out well.
    pub script: Option<String>,
    /// The owner says that the bed is clear once this very script has come to its end.
    pub trusted: bool,
    /// Its bed is a belt, which carries the print off it when it advances by so many millimetres.
    pub belt_mm: Option<u32>,
    /// A print counts only once a person has said that it is good.
    pub judged: bool,
    /// Hours in which nothing starts.
    pub quiet: Vec<Quiet>,
}

/// A part of each day, by the clock on the wall of the printer's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Minute of the day at which it begins.
    pub from: u16,
    /// Minute of the day at which it is over; not the same.
    pub to: u16,
}

impl Quiet {
    fn has(self, minute: u64) -> bool {
        let (from, to) = (u64::from(self.from), u64::from(self.to));
        match from < to {
            true => (from..to).contains(&minute),
            false => minute >= from || minute < to,
        }
    }
}

impl Cycle {
    /// Returns the commands that clear the bed; of a belt that it advances, unless its owner said others.
    pub fn clearing(&self) -> Option<Cow<'_, str>> {
        match (&self.script, self.belt_mm) {
            (Some(script), _) => Some(Cow::Borrowed(script)),
            (None, Some(mm)) => Some(Cow::Owned(advance(mm))),
            (None, None) => None,
        }
    }

    /// Returns whether the bed is clear once they have come to their end: a belt's is.
    pub fn clears(&self) -> bool {
        match self.script {
            Some(_) => self.trusted,
            None => self.belt_mm.is_some(),
        }
    }

    /// Takes what is said of it; an empty text or list takes back what was said.
    ///
    /// # Errors
    /// `number.bad` when it cannot be so.
    pub(crate) fn edit(&mut self, edit: &PrinterEdit) -> Result<(), Problem> {
        let bad = |title: String| Err(Problem::new(Code::BadNumber, title));
        if let Some(cool_c) = edit.cool_c {
            if !matches!(cool_c, 0 | 20..=150) {
                return bad("a bed cools down to 20 to 150 °C; 0 = it is not waited for".into());
            }
            self.cool_c = Some(cool_c).filter(|c| *c > 0);
        }
        if let Some(script) = &edit.clear_script {
            if script.len() > CLEAR_BYTES_MAX {
                return bad(format!("a script has at most {CLEAR_BYTES_MAX} bytes"));
            }
            let script = Some(script.clone()).filter(|script| !script.trim().is_empty());
            // The word was about another one.
            self.trusted &= script == self.script;
            self.script = script;
        }
        if let Some(trusted) = edit.clear_trusted {
            if trusted && self.script.is_none() {
                return bad("there is no script to trust: --clear-gcode FILE".into());
            }
            self.trusted = trusted;
        }
        if let Some(belt_mm) = edit.belt_mm {
            if belt_mm > BELT_MM_MAX {
                return bad(format!(
                    "a belt advances by at most {BELT_MM_MAX} mm; 0 = its bed is no belt"
                ));
            }
            self.belt_mm = Some(belt_mm).filter(|mm| *mm > 0);
        }
        self.judged = edit.judged.unwrap_or(self.judged);
        if let Some(quiet) = &edit.quiet {
            let day = |minute: u16| u64::from(minute) < DAY_MIN;
            if quiet.len() > QUIET_MAX
                || quiet
                    .iter()
                    .any(|q| !day(q.from) || !day(q.to) || q.from == q.to)
            {
                return bad(format!(
                    "at most {QUIET_MAX} parts of a day, like 22:00-07:00"
                ));
            }
            self.quiet.clone_from(quiet);
        }
        Ok(())
    }
}

/// A belt advances: it is the Z axis, and nothing else moves or heats.
fn advance(mm: u32) -> String {
    let whole = (0..mm / BELT_PIECE_MM).map(|_| BELT_PIECE_MM);
    let pieces = whole.chain(Some(mm % BELT_PIECE_MM).filter(|rest| *rest > 0));
    let moves: String = pieces
        .map(|piece| format!("G1 Z{piece} F{BELT_MM_PER_MIN}\n"))
        .collect();
    // It has come to its end when the belt stands still.
    format!("G91\n{moves}M400\nG90\n")
}

impl Printer {
    /// Whether the bed is as cold as its owner wants it before it is cleared; `None` = the machine does not say.
    fn is_cool(&self) -> Option<bool> {
        match self.entry.cycle.cool_c {
            None => Some(true),
            Some(to_c) => self.bed_c.map(|c| c <= i64::from(to_c)),
        }
    }
}

impl Node {
    /// This host's clock on the wall is so many minutes ahead of UTC.
    pub(crate) fn set_zone(&mut self, minutes: i32) {
        self.zone_min = Some(minutes);
    }

    /// Minute of the day by this host's clock on the wall; `None` = nobody has said yet where it hangs.
    fn minute(&self) -> Option<u64> {
        let zone = i64::from(self.zone_min?);
        let minutes = i64::try_from(self.now.wall.0 / MINUTE_MS).unwrap_or(0);
        Some((minutes + zone).rem_euclid(DAY_MIN as i64).unsigned_abs())
    }

    /// Minute of the day until which nothing starts on a printer; `None` = it may start.
    pub(crate) fn quiet_until(&self, name: &str) -> Option<u16> {
        let quiet = &self.printers.get(name)?.entry.cycle.quiet;
        let minute = self.minute();
        // Of hours that follow one another the last one counts, so that nobody is told to come too early.
        let at = |minute: u64| quiet.iter().find(|quiet| quiet.has(minute)).map(|q| q.to);
        let mut until = match minute {
            Some(minute) => at(minute)?,
            None => quiet.first()?.to,
        };
        for _ in 0..quiet.len() {
            until = at(u64::from(until)).unwrap_or(until);
        }
        Some(until)
    }

    /// When quiet hours of a printer of this host begin or end next.
    pub(crate) fn quiet_wakeup(&self) -> Option<u64> {
        let minute = self.minute()?;
        let quiet = self.printers.values().flat_map(|p| &p.entry.cycle.quiet);
        let ends = quiet.flat_map(|quiet| [quiet.from, quiet.to]);
        let away = |end: u16| match (u64::from(end) + DAY_MIN - minute) % DAY_MIN {
            0 => DAY_MIN,
            minutes => minutes,
        };
        let minutes = ends.map(away).min()?;
        let into_ms = self.now.wall.0 % MINUTE_MS;
        let wait_ms = minutes * MINUTE_MS - into_ms;
        Some(self.now.mono_ms.saturating_add(wait_ms.min(EARLY_MS_MAX)))
    }

    /// What a printer waits for between two prints, to tell everybody.
    pub(crate) fn between(&self, name: &str) -> Option<Between> {
        let printer = self.printers.get(name)?;
        let stage = printer.work.as_ref().map(|work| &work.stage);
        if let Some(Stage::Judging { .. }) = stage {
            return Some(Between::Verdict);
        }
        if printer.entry.clearing.is_some() {
            return Some(Between::Clearing);
        }
        let prints = matches!(stage, Some(Stage::Running { .. }));
        if printer.entry.bed == Bed::Occupied
            && !prints
            && let Some(to_c) = printer.entry.cycle.cool_c
        {
            match printer.is_cool() {
                Some(true) => {}
                Some(false) => return Some(Between::Cooling(to_c)),
                None => return Some(Between::NoBedTemperature(to_c)),
            }
        }
        if self.waits_to_heat(name) {
            return Some(Between::Heat);
        }
        self.quiet_until(name).map(Between::Quiet)
    }

    /// What comes between any two prints of a printer, to tell everybody who asks when things will be done.
    pub(crate) fn routine(&self, name: &str) -> Routine {
        let Some(printer) = self.printers.get(name) else {
            return Routine::default();
        };
        let cycle = &printer.entry.cycle;
        let zone = self.zone_min.map(i64::from);
        let utc =
            |minute: u16, zone: i64| (i64::from(minute) - zone).rem_euclid(DAY_MIN as i64) as u16;
        let part = |quiet: &Quiet, zone| [utc(quiet.from, zone), utc(quiet.to, zone)];
        let quiet = cycle.quiet.iter();
        let quiet = quiet.filter_map(|quiet| zone.map(|zone| part(quiet, zone)));
        Routine {
            cool_c: cycle.cool_c,
            by_itself: cycle.clears() && !cycle.judged,
            quiet: quiet.collect(),
            cycles_left: printer.entry.cycles_left,
        }
    }

    /// Lets the script clear the bed of a printer, once it may. Returns whether it began.
    pub(crate) fn drive_clearing(&mut self, name: &str) -> bool {
        let Some(printer) = self.printers.get(name) else {
            return false;
        };
        let entry = &printer.entry;
        let (Some(script), Some(fence)) = (entry.cycle.clearing(), entry.good_print) else {
            return false;
        };
        let may_move = printer.online
            && entry.autoprint
            && entry.fault.is_none()
            && entry.paused.is_none()
            && entry.bed == Bed::Occupied
            && entry.clearing.is_none();
        let prints = matches!(
            printer.work.as_ref().map(|work| &work.stage),
            Some(Stage::Running { .. })
        );
        if !may_move
            || prints
            || self.stopping
            || printer.is_cool() != Some(true)
            || self.quiet_until(name).is_some()
        {
            return false;
        }
        let print = format!("{CLEARS}{fence}");
        let effect = Effect::ClearBed {
            printer: name.to_owned(),
            print: print.clone(),
            // Above the print that it follows, below the next one.
            fence,
            gcode: script.into_owned(),
            guard: Box::new(entry.equipment.clone()),
        };
        let printer = self.printers.get_mut(name).expect("looked at just now");
        printer.entry.clearing = Some(print);
        printer.entry.good_print = None;
        printer.entry.bed = Bed::Unknown;
        printer.bed_c = None;
        self.save_printer(name);
        tracing::info!(printer = name, "a script clears the bed");
        self.effect(effect);
        true
    }

    /// Whether a report speaks of a script that clears a bed, and not of a print.
    pub(crate) fn is_clearing(print: &str) -> bool {
        print.starts_with(CLEARS)
    }

    /// A script that clears a bed has ended; `Err` says what went wrong.
    pub(crate) fn clearing_ended(&mut self, name: &str, print: &str, result: Result<(), String>) {
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        if printer.entry.clearing.as_deref() != Some(print) {
            return;
        }
        printer.entry.clearing = None;
        let trusted = printer.entry.cycle.clears();
        printer.entry.bed = match result {
            Ok(()) if trusted => Bed::Clear,
            Ok(()) | Err(_) => Bed::Unknown,
        };
        self.save_printer(name);
        let (state, text) = match result {
            Ok(()) if trusted => ("clear", None),
            Ok(()) => (
                "unknown",
                Some("the script has ended; look at the bed".into()),
            ),
            Err(why) => (
                "unknown",
                Some(format!("the script did not come to its end: {why}")),
            ),
        };
        if let Some(text) = &text {
            tracing::warn!(printer = name, text, "a bed was not cleared");
        }
        let printer = Some(self.printer_id(name));
        self.tell(Event {
            printer,
            state: Some(state.into()),
            text,
            ..Event::new("printer.ready")
        });
    }

    /// Nobody saw a script to its end.
    pub(crate) fn lose_clearing(&mut self, name: &str) {
        let clearing = self
            .printers
            .get(name)
            .and_then(|p| p.entry.clearing.clone());
        if let Some(print) = clearing {
            let why = "nobody saw it to its end".to_owned();
            self.clearing_ended(name, &print, Err(why));
        }
    }

    /// The machine says how warm its bed is while it rests; `None` = it does not know.
    pub(crate) fn bed_temperature(&mut self, name: &str, bed_c: Option<i64>) {
        if let Some(printer) = self.printers.get_mut(name)
            && printer.entry.clearing.is_none()
            && !matches!(
                printer.work.as_ref().map(|work| &work.stage),
                Some(Stage::Running { .. })
            )
        {
            printer.bed_c = bed_c;
        }
    }
}
