//! What the printers of this host are and have: said by a person, and used up by prints.

use std::collections::BTreeMap;

use printmesh_queue::{Equipment, FileHash, HostId, RunRecord, Slot};
use printmesh_schedule::file_for;

use crate::{
    command::PrinterEdit,
    effect::Answer,
    jobs::check_words,
    limits::{ALLOWED_MAX, SLOTS_MAX},
    names::hosts_named,
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
        let allowed = match &edit.allow {
            Some(job) => self.files_of(job)?,
            None => Vec::new(),
        };
        let accepted = match &edit.accept_from {
            Some(words) => Some(self.members_named(words)?),
            None => None,
        };
        let printer = self.printers.get_mut(&name).expect("just resolved");
        let before = (
            printer.entry.position,
            printer.entry.equipment.clone(),
            printer.entry.allowed.clone(),
            printer.entry.cycle.clone(),
        );
        printer.entry.cycle.edit(&edit).inspect_err(|_| {
            printer.entry.cycle.clone_from(&before.3);
        })?;
        for hash in allowed {
            printer.entry.allowed.retain(|known| *known != hash);
            printer.entry.allowed.push(hash);
        }
        let over = printer.entry.allowed.len().saturating_sub(ALLOWED_MAX);
        printer.entry.allowed.drain(..over);
        if let Some(position) = edit.position {
            printer.entry.position = position - 1;
        }
        let taken: Vec<u32> = edit.slots.iter().filter_map(|slot| slot.spool).collect();
        change(&mut printer.entry.equipment, edit);
        if let Some(accepted) = accepted {
            printer.entry.equipment.accept_from = accepted;
        }
        if printer.entry.equipment.slots.len() > SLOTS_MAX {
            printer.entry.equipment = before.1;
            return Err(Problem::new(
                Code::BadNumber,
                format!("a printer has at most {SLOTS_MAX} slots"),
            ));
        }
        let entry = &printer.entry;
        let already = (before.0, &before.1, &before.2, &before.3)
            == (
                entry.position,
                &entry.equipment,
                &entry.allowed,
                &entry.cycle,
            );
        self.save_printer(&name);
        self.take_from_others(&name, &taken);
        Ok(Answer::Done {
            already,
            text: format!("{name} is as you say"),
        })
    }

    /// A spool is in one place: whatever else it was said to be in is empty.
    fn take_from_others(&mut self, name: &str, spools: &[u32]) {
        let mut others = Vec::new();
        for (other, printer) in self.printers.iter_mut().filter(|(other, _)| *other != name) {
            for slot in &mut printer.entry.equipment.slots {
                if slot.spool.is_some_and(|spool| spools.contains(&spool)) {
                    *slot = Slot {
                        slot: slot.slot,
                        ..Slot::default()
                    };
                    others.push(other.clone());
                }
            }
        }
        for other in others {
            self.save_printer(&other);
        }
    }

    /// The members of this host's queues that a person means, each by its key.
    fn members_named(&self, words: &[String]) -> Result<Vec<HostId>, Problem> {
        let mut members: BTreeMap<HostId, &str> = BTreeMap::new();
        for entry in self.queues.values() {
            let known = entry.doc.snapshot().members.iter();
            members.extend(known.map(|(host, member)| (*host, member.name.as_str())));
        }
        let mut found = Vec::new();
        for word in words {
            let all = members.iter().map(|(host, name)| (*host, *name));
            let [host] = hosts_named(word, all)[..] else {
                let title = format!("`{word}` names no member, or several");
                return Err(Problem::new(Code::MemberUnknown, title)
                    .fix("printmesh member list QUEUE", "see their names and keys"));
            };
            if !found.contains(&host) {
                found.push(host);
            }
        }
        Ok(found)
    }

    /// Every file of a job, its alternatives too.
    fn files_of(&self, job: &str) -> Result<Vec<FileHash>, Problem> {
        let (queue, id) = self.job_named(job)?;
        let job = &self.queues[&queue].doc.snapshot().jobs[&id];
        let files = job.sets.iter().flat_map(|set| &set.spec.files);
        Ok(files.map(|file| file.hash).collect())
    }

    /// What the guard holds a file against on a printer; `None` when a person at this host lets it pass.
    pub(crate) fn guarded_by(&self, name: &str, hash: FileHash) -> Option<Equipment> {
        let entry = &self.printers.get(name)?.entry;
        (!entry.allowed.contains(&hash)).then(|| entry.equipment.clone())
    }

    /// A print has ended: hours are counted whatever came of it, material only when it is whole. What a print that failed
    /// used up nobody knows.
    pub(crate) fn use_up(&mut self, name: &str, work: &Work, run: &RunRecord, whole: bool) {
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
        let mut owed = Vec::new();
        if whole {
            for tool in tools {
                let slot = equipment
                    .slots
                    .iter_mut()
                    .find(|slot| slot.slot == tool.tool);
                let Some(slot) = slot else { continue };
                let mg = tool.mg.unwrap_or(0);
                slot.left_mg = slot.left_mg.map(|left_mg| left_mg.saturating_sub(mg));
                owed.extend(slot.spool.map(|spool| (spool, mg)));
            }
        }
        self.save_printer(name);
        for (spool, mg) in owed {
            self.owe(spool, mg);
        }
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
    check_words("a circuit", given(&edit.circuit).as_slice())?;
    if edit
        .watts
        .is_some_and(|watts| !(1..=20_000).contains(&watts))
    {
        return bad("a printer draws from 1 to 20000 W");
    }
    if edit.position == Some(0) {
        return bad("positions are counted from 1");
    }
    if edit.nozzle_um.is_some_and(|um| !(100..=5000).contains(&um)) {
        return bad("a nozzle has from 0.1 to 5 mm");
    }
    if edit
        .nozzle_tool
        .is_some_and(|tool| tool as usize >= SLOTS_MAX)
    {
        return bad("a printer has no such tool: they are counted from 0");
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
    text(&mut equipment.circuit, edit.circuit);
    equipment.watts = edit.watts.or(equipment.watts);
    let list = |old: &mut Vec<String>, new: Option<Vec<String>>| {
        if let Some(new) = new {
            *old = new;
        }
    };
    list(&mut equipment.compatible, edit.compatible);
    list(&mut equipment.tags, edit.tags);
    if let Some(um) = edit.nozzle_um {
        equipment.put_nozzle(edit.nozzle_tool, um);
    }
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
