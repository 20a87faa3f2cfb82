//! What the printers of this host are and have: said by a person, and used up by prints.

use printmesh_queue::{Equipment, RunRecord, RunResult, Slot};
use printmesh_schedule::file_for;

use crate::{
    command::PrinterEdit,
    effect::Answer,
    jobs::check_words,
    limits::SLOTS_MAX,
    node::Node,
    problem::{Code, Problem},
    records::Work,
};

impl Node {
    /// `printer edit`, `printer load` and `printer nozzle`: all of it or nothing.
    ///
    /// # Errors
    /// `printer.unknown`; `name.bad` and `number.bad` when it cannot be so.
    pub(crate) fn printer_edit(
        &mut self,
        name: &str,
        edit: PrinterEdit,
    ) -> Result<Answer, Problem> {
        let name = self.own_printer(name)?;
        check(&edit)?;
        let printer = self.printers.get_mut(&name).expect("just resolved");
        let before = (printer.entry.position, printer.entry.equipment.clone());
        if let Some(position) = edit.position {
            printer.entry.position = position - 1;
        }
        change(&mut printer.entry.equipment, edit);
        if printer.entry.equipment.slots.len() > SLOTS_MAX {
            printer.entry.equipment = before.1;
            return Err(Problem::new(
                Code::BadNumber,
                format!("a printer has at most {SLOTS_MAX} slots"),
            ));
        }
        let already = before == (printer.entry.position, printer.entry.equipment.clone());
        self.save_printer(&name);
        Ok(Answer::Done {
            already,
            text: format!("{name} is as you say"),
        })
    }

    /// A print has ended: hours are counted whatever came of it, material only when it is whole. What a print that failed
    /// used up nobody knows.
    pub(crate) fn use_up(&mut self, name: &str, work: &Work, run: &RunRecord) {
        let id = self.printer_id(name);
        let snapshot = self.queues[&work.queue].doc.snapshot();
        let set = snapshot.jobs.get(&work.copy.job).and_then(|job| {
            let set = job.sets.iter().find(|set| set.id == run.set)?;
            file_for(snapshot, job, set, &id).or(set.spec.files.first())
        });
        let sliced = set.and_then(|file| self.sliced_of((work.copy.job, run.set, file.hash)));
        let needs = sliced.map(|sliced| &sliced.needs);
        let needs = needs.or(set.map(|file| &file.needs));
        let tools = needs.map_or_else(Vec::new, |needs| needs.tools.clone());
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        let equipment = &mut printer.entry.equipment;
        let ended = run.ended.unwrap_or(run.started);
        equipment.printed_s = equipment
            .printed_s
            .saturating_add(ended.seconds_since(run.started));
        if run.result == RunResult::Ok {
            for tool in tools {
                let slot = equipment
                    .slots
                    .iter_mut()
                    .find(|slot| slot.slot == tool.tool);
                if let Some(left_mg) = slot.and_then(|slot| slot.left_mg.as_mut()) {
                    *left_mg = left_mg.saturating_sub(tool.mg.unwrap_or(0));
                }
            }
        }
        self.save_printer(name);
    }
}

fn check(edit: &PrinterEdit) -> Result<(), Problem> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    check_words("a profile", given(&edit.profile).as_slice())?;
    check_words("a model", given(&edit.model).as_slice())?;
    check_words("a model", edit.compatible.as_deref().unwrap_or_default())?;
    check_words("a tag", edit.tags.as_deref().unwrap_or_default())?;
    for slot in &edit.slots {
        check_words("a material", slot.material.as_slice())?;
        check_words("a colour", slot.color.as_slice())?;
    }
    let bad = |text: &str| Err(Problem::new(Code::BadNumber, text));
    if edit.position == Some(0) {
        return bad("positions are counted from 1");
    }
    if edit.nozzle_um.is_some_and(|um| !(100..=5000).contains(&um)) {
        return bad("a nozzle has from 0.1 to 5 mm");
    }
    let side = |mm: &u32| (1..=100_000).contains(mm);
    if !edit.volume_mm.iter().flatten().all(side) {
        return bad("each side of a volume has from 1 to 100000 mm");
    }
    Ok(())
}

/// Sets what is given; an empty text or list takes back what was said.
fn change(equipment: &mut Equipment, edit: PrinterEdit) {
    let text = |old: &mut Option<String>, new: Option<String>| {
        if let Some(new) = new {
            *old = Some(new).filter(|new| !new.is_empty());
        }
    };
    text(&mut equipment.profile, edit.profile);
    text(&mut equipment.model, edit.model);
    let list = |old: &mut Vec<String>, new: Option<Vec<String>>| {
        if let Some(new) = new {
            *old = new;
        }
    };
    list(&mut equipment.compatible, edit.compatible);
    list(&mut equipment.tags, edit.tags);
    equipment.nozzle_um = edit.nozzle_um.or(equipment.nozzle_um);
    equipment.hardened = edit.hardened.or(equipment.hardened);
    equipment.volume_mm = edit.volume_mm.or(equipment.volume_mm);
    equipment.nozzle_c_max = edit.nozzle_c_max.or(equipment.nozzle_c_max);
    equipment.bed_c_max = edit.bed_c_max.or(equipment.bed_c_max);
    for slot in edit.slots {
        put(&mut equipment.slots, slot);
    }
}

fn put(slots: &mut Vec<Slot>, new: Slot) {
    slots.retain(|slot| slot.slot != new.slot);
    slots.push(new);
    slots.sort_by_key(|slot| slot.slot);
}
