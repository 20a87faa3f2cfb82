//! Commands about the printers of this host.

use printmesh_queue::{Bed, Between, Equipment, PrinterRecord, QueueId, Routine};

use crate::{
    confirm::Decision,
    cycle::Cycle,
    effect::{Answer, Effect},
    event::Event,
    input::{Machine, TryFailure},
    node::{Node, Printer},
    problem::{Code, Problem},
    queues::check_name,
    records::{self, PrinterEntry, Stage, key},
};

impl Node {
    /// Tries a printer before it is added; answered when the trial has ended.
    pub(crate) fn printer_add(&mut self, id: u64, name: String, at: String) -> Result<(), Problem> {
        check_name("printer", &name)?;
        if self.printers.contains_key(&name) {
            return Err(Problem::new(
                Code::NameTaken,
                format!("this host already has a printer `{name}`"),
            )
            .fix("printmesh printer list", "see the printers of this host"));
        }
        if let Some((other, _)) = self
            .printers
            .iter()
            .find(|(_, printer)| printer.entry.at == at && !at.starts_with("sim:"))
        {
            return Err(Problem::new(
                Code::NameTaken,
                format!("{at} is the address of printer `{other}`"),
            ));
        }
        self.effect(Effect::TryPrinter { id, name, at });
        Ok(())
    }

    pub(crate) fn printer_tried(
        &mut self,
        id: u64,
        name: &str,
        at: &str,
        result: Result<Machine, TryFailure>,
    ) {
        let machine = match result {
            Ok(machine) => machine,
            Err(failure) => {
                let mut problem = Problem::new(Code::PrinterUnreachable, failure.title);
                problem.why = failure.why;
                if let Some(fix) = failure.fix {
                    problem = problem.fix("", fix);
                }
                self.reply(id, Err(problem));
                return;
            }
        };
        if self.printers.contains_key(name) {
            self.reply(
                id,
                Err(Problem::new(
                    Code::NameTaken,
                    format!("this host already has a printer `{name}`"),
                )),
            );
            return;
        }
        let position = self
            .printers
            .values()
            .map(|p| p.entry.position + 1)
            .max()
            .unwrap_or(0);
        // A simulated printer ruins nothing: it prints at once. A real one waits for a person.
        let simulated = at.starts_with("sim:");
        let entry = PrinterEntry {
            at: at.to_owned(),
            position,
            autoprint: simulated,
            paused: None,
            bed: if simulated { Bed::Clear } else { Bed::Unknown },
            fault: None,
            machine: Some(machine.name.clone()),
            last_print_ended: None,
            cycles_left: None,
            cycle: Cycle::default(),
            good_print: None,
            judged: None,
            clearing: None,
            equipment: Equipment::default(),
            set_aside: false,
            failed_in_a_row: Vec::new(),
            allowed: Vec::new(),
            told: None,
        };
        self.printers.insert(name.to_owned(), Printer::new(entry));
        self.save_printer(name);
        self.tell_slicers(name);
        self.effect(Effect::ConnectPrinter {
            name: name.to_owned(),
            at: at.to_owned(),
        });
        let waits = if simulated {
            String::new()
        } else {
            format!(
                "; it prints after `printmesh autoprint on {name}` and, with an empty bed, `printmesh printer ready {name}`"
            )
        };
        let text = format!("{name} is {}{waits}", machine.name);
        self.reply(
            id,
            Ok(Answer::Done {
                already: false,
                text,
            }),
        );
    }

    /// Adds a simulated printer at set-up, before the daemon has ever run.
    pub fn simulated_printer(name: &str, at: &str) -> crate::effect::Write {
        let entry = PrinterEntry {
            at: at.to_owned(),
            position: 0,
            autoprint: true,
            paused: None,
            bed: Bed::Clear,
            fault: None,
            machine: None,
            last_print_ended: None,
            cycles_left: None,
            cycle: Cycle::default(),
            good_print: None,
            judged: None,
            clearing: None,
            equipment: Equipment::default(),
            set_aside: false,
            failed_in_a_row: Vec::new(),
            allowed: Vec::new(),
            told: None,
        };
        records::put(key::printer(name), &entry)
    }

    /// Beds are clear, and what was made on them is good or bad; `None` = nobody says.
    pub(crate) fn printer_ready(
        &mut self,
        names: &[String],
        good: Option<bool>,
    ) -> Result<Answer, Problem> {
        let mut chosen = self.own_printers(names)?;
        if good.is_some() && names.is_empty() {
            chosen.retain(|name| self.between(name) == Some(Between::Verdict));
        }
        for name in &chosen {
            if self.printers[name].entry.clearing.is_some() {
                return Err(Problem::new(
                    Code::PrinterBusy,
                    format!("a script clears the bed of {name}"),
                ));
            }
            let printing = matches!(
                self.printers[name].work.as_ref().map(|work| &work.stage),
                Some(Stage::Running { .. })
            );
            if printing {
                return Err(
                    Problem::new(Code::PrinterBusy, format!("{name} is printing"))
                        .because("the bed of a printer that prints is not clear"),
                );
            }
        }
        if let Some(good) = good {
            // All or nothing.
            for name in &chosen {
                self.may_judge(name, good)?;
            }
            for name in &chosen {
                self.verdict(name, good)?;
            }
        }
        let mut cleared = Vec::new();
        for name in chosen {
            let Some(printer) = self.printers.get_mut(&name) else {
                continue;
            };
            let fault = printer.entry.fault.take().is_some();
            let at = printer.entry.at.clone();
            if fault {
                // A machine that halted is of no more use over its old connection.
                printer.online = false;
                self.effect(Effect::ConnectPrinter {
                    name: name.clone(),
                    at,
                });
            }
            if self.bed_is_clear(&name) || fault || good.is_some() {
                self.save_printer(&name);
                let printer = Some(self.printer_id(&name));
                self.tell(Event {
                    printer,
                    state: Some("clear".into()),
                    ..Event::new("printer.ready")
                });
                cleared.push(name);
            }
        }
        let mut text = if cleared.is_empty() {
            "no bed had to be cleared".to_owned()
        } else {
            format!("ready: {}", cleared.join(", "))
        };
        let waits = |name: &&String| self.between(name) == Some(Between::Verdict);
        let waiting: Vec<&str> = cleared.iter().filter(waits).map(String::as_str).collect();
        if !waiting.is_empty() {
            let names = waiting.join(", ");
            text += &format!("; say of the last print of {names} whether it is --good or --bad");
        }
        Ok(Answer::Done {
            already: cleared.is_empty(),
            text,
        })
    }

    pub(crate) fn printer_pause(
        &mut self,
        name: &str,
        reason: Option<String>,
    ) -> Result<Answer, Problem> {
        let name = self.own_printer(name)?;
        let printer = self.printers.get_mut(&name).expect("just resolved");
        let already = printer.entry.paused == reason;
        let text = match &reason {
            Some(_) => format!("{name} takes no new copies"),
            None => format!("{name} takes copies"),
        };
        printer.entry.paused = reason.clone();
        // Somebody has looked at it.
        printer.entry.set_aside = false;
        printer.entry.failed_in_a_row.clear();
        self.save_printer(&name);
        if reason.is_some() {
            self.give_back(&name, "the printer was paused");
        } else {
            self.resume_surplus(&name);
        }
        Ok(Answer::Done { already, text })
    }

    /// Every printer of this host takes no new copies until a person has looked.
    pub(crate) fn pause_printers(&mut self, reason: &str) {
        let names: Vec<String> = self.printers.keys().cloned().collect();
        for name in names {
            if let Some(printer) = self.printers.get_mut(&name) {
                let paused = &mut printer.entry.paused;
                paused.get_or_insert_with(|| reason.to_owned());
            }
            self.save_printer(&name);
            self.give_back(&name, "the printer was paused");
        }
    }

    pub(crate) fn printer_remove(&mut self, name: &str) -> Result<Answer, Problem> {
        let name = self.own_printer(name)?;
        self.give_back(&name, "the printer was removed");
        let stage = self.printers[&name]
            .work
            .as_ref()
            .map(|work| work.stage.clone());
        if stage.is_some() || self.printers[&name].entry.clearing.is_some() {
            return Err(
                Problem::new(Code::PrinterBusy, format!("{name} is printing"))
                    .because("a printer that prints cannot be removed")
                    .fix(
                        format!("printmesh printer pause {name}"),
                        "take no more, then remove it",
                    ),
            );
        }
        self.printers.remove(&name);
        self.write(records::delete(key::printer(&name)));
        self.effect(Effect::DisconnectPrinter { name: name.clone() });
        Ok(Answer::Done {
            already: false,
            text: format!("{name} is removed"),
        })
    }

    /// Printers of this host by name; all of them when none is named.
    pub(crate) fn own_printers(&self, names: &[String]) -> Result<Vec<String>, Problem> {
        if names.is_empty() {
            return Ok(self.printers.keys().cloned().collect());
        }
        names.iter().map(|name| self.own_printer(name)).collect()
    }

    pub(crate) fn printer_working_on(&self, queue: QueueId) -> Option<String> {
        let working = |printer: &Printer| printer.work.as_ref().is_some_and(|w| w.queue == queue);
        self.printers
            .iter()
            .find(|(_, printer)| working(printer))
            .map(|(name, _)| name.clone())
    }
}

impl Printer {
    /// Whether it exists only in this daemon: nobody else can have printed on it.
    pub(crate) fn is_simulated(&self) -> bool {
        self.entry.at.starts_with("sim:") && !self.entry.at.contains("autonomous=")
    }

    pub(crate) fn new(entry: PrinterEntry) -> Self {
        Self {
            entry,
            online: false,
            offline_note: None,
            work: None,
            decision: Decision::default(),
            began: false,
            bed_c: None,
            heat_known: false,
            told_to_stop: None,
            beat_at_ms: 0,
            untold: None,
            told_ms: 0,
            waiting: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) fn announcement(&self, between: Option<Between>, routine: Routine) -> PrinterRecord {
        PrinterRecord {
            position: self.entry.position,
            machine: self.entry.machine.clone(),
            bed: self.entry.bed,
            autoprint: self.entry.autoprint,
            paused: self.entry.paused.clone(),
            online: self.online,
            fault: self.entry.fault.clone(),
            last_print_ended: self.entry.last_print_ended,
            equipment: Equipment {
                simulated: self.entry.at.starts_with("sim:"),
                ..self.entry.equipment.clone()
            },
            set_aside: self.entry.set_aside,
            between,
            routine,
            removed: false,
        }
    }
}
