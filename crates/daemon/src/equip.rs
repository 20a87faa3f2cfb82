//! What a person says of jobs and printers, between the words of the API and the core's. No rule lives here.

use printmesh_api::{problem::Problem, reply, request};
use printmesh_gcode::profile::Profile;
use printmesh_node::{Cycle, Node, PrinterEdit, Quiet, TermsEdit};
use printmesh_queue::{ColorRule, Equipment, PrinterId, Priority, Slot, Terms};
use printmesh_schedule::Start;

use crate::{clock::rfc3339, convert::full_name, problems};

/// Reads when and where a job may print.
///
/// # Errors
/// `setting.bad` for a word that is none.
pub(crate) fn terms(terms: request::Terms) -> Result<TermsEdit, Problem> {
    fn of<T>(
        word: Option<String>,
        read: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Result<Option<T>, Problem> {
        let bad = |word: &str| {
            let title = format!("`{word}` is none of {allowed}");
            problems::new("setting.bad", 2, &title)
        };
        word.map(|word| read(&word).ok_or_else(|| bad(&word)))
            .transpose()
    }
    Ok(TermsEdit {
        group: terms.group,
        backburner: terms.backburner,
        print_anyway: terms.print_anyway,
        priority: of(
            terms.priority,
            Priority::from_word,
            "low, normal, high, rush",
        )?,
        due_ms: terms.due_ms,
        not_before_ms: terms.not_before_ms,
        color: of(terms.color, ColorRule::from_word, "any, prefer, require")?,
        tags: terms.tags,
    })
}

/// Says when and where a job may print.
pub(crate) fn terms_reply(terms: &Terms) -> reply::Terms {
    reply::Terms {
        group: Some(terms.group.clone()).filter(|group| !group.is_empty()),
        backburner: terms.backburner,
        print_anyway: terms.print_anyway,
        priority: terms.priority.word().to_owned(),
        due: terms.due.map(rfc3339),
        not_before: terms.not_before.map(rfc3339),
        color: terms.color.word().to_owned(),
        tags: terms.tags.clone(),
    }
}

/// Reads what is said of a printer.
pub(crate) fn printer_edit(change: request::PrinterChange) -> PrinterEdit {
    let slots = change.slots.into_iter().map(|slot| Slot {
        slot: slot.slot,
        material: slot.material,
        color: slot.color,
        left_mg: slot.left_mg,
        spool: slot.spool,
    });
    PrinterEdit {
        position: change.position,
        profile: change.profile,
        model: change.model,
        compatible: change.compatible,
        nozzle_um: change.nozzle_um,
        nozzle_tool: change.nozzle_tool,
        hardened: change.hardened,
        volume_mm: change.volume_mm,
        nozzle_c_max: change.nozzle_c_max,
        bed_c_max: change.bed_c_max,
        watts: change.watts,
        circuit: change.circuit,
        tags: change.tags,
        allow: change.allow,
        accept_from: change.accept_from,
        cool_c: change.cool_c,
        clear_script: change.clear_script,
        clear_trusted: change.clear_trusted,
        belt_mm: change.belt_mm,
        judged: change.judged,
        quiet: change.quiet.map(|quiet| {
            let part = |[from, to]: [u16; 2]| Quiet { from, to };
            quiet.into_iter().map(part).collect()
        }),
        slots: slots.collect(),
    }
}

/// Fills in what a profile says of a printer and nobody has said of this very one.
pub(crate) fn fill(edit: &mut PrinterEdit, has: &Equipment, profile: &Profile) {
    edit.profile = Some(profile.name.clone());
    let mut models = profile.models.iter().cloned();
    if has.model.is_none() && edit.model.is_none() {
        edit.model = models.next();
    }
    // Other names that slicers have for the same kind.
    if has.compatible.is_empty() && edit.compatible.is_none() {
        let own = edit.model.as_ref().or(has.model.as_ref());
        let others = models.filter(|model| Some(model) != own);
        edit.compatible = Some(others.collect());
    }
    let micrometres = |mm: f64| (mm * 1000.0).round() as u32;
    let nozzle = profile.nozzle_mm.map(micrometres);
    // What somebody said stays, and with it what he said of single tools.
    edit.nozzle_um = edit
        .nozzle_um
        .or(nozzle.filter(|_| has.nozzle_um.is_none()));
    edit.volume_mm = edit.volume_mm.or(has.volume_mm).or(profile.volume_mm);
    edit.nozzle_c_max = edit
        .nozzle_c_max
        .or(has.nozzle_c_max)
        .or(profile.nozzle_c_max);
    edit.bed_c_max = edit.bed_c_max.or(has.bed_c_max).or(profile.bed_c_max);
}

/// Says what a printer of this host does between two prints; `None` = nothing that anybody has set up.
pub(crate) fn cycle(cycle: &Cycle) -> Option<reply::Cycle> {
    let of = reply::Cycle {
        cool_c: cycle.cool_c,
        clears: cycle.script.is_some(),
        trusted: cycle.trusted,
        belt_mm: cycle.belt_mm,
        judged: cycle.judged,
        quiet: cycle
            .quiet
            .iter()
            .map(|quiet| [quiet.from, quiet.to])
            .collect(),
    };
    (of != reply::Cycle::default()).then_some(of)
}

/// Says what a printer is and has.
pub(crate) fn equipment(equipment: &Equipment) -> reply::Equipment {
    let slots = equipment.slots.iter().map(|slot| reply::Slot {
        slot: slot.slot,
        material: slot.material.clone(),
        color: slot.color.clone(),
        left_mg: slot.left_mg,
        spool: slot.spool,
    });
    reply::Equipment {
        profile: equipment.profile.clone(),
        model: equipment.model.clone(),
        compatible: equipment.compatible.clone(),
        nozzle_um: equipment.nozzle_um,
        nozzles: equipment.nozzles.clone(),
        hardened: equipment.hardened,
        volume_mm: equipment.volume_mm,
        nozzle_c_max: equipment.nozzle_c_max,
        bed_c_max: equipment.bed_c_max,
        slots: slots.collect(),
        watts: equipment.watts,
        circuit: equipment.circuit.clone(),
        slicing: equipment.slicing.clone(),
        tags: equipment.tags.clone(),
        accept_from: equipment
            .accept_from
            .iter()
            .map(|host| host.fingerprint())
            .collect(),
        printed_s: equipment.printed_s,
    }
}

/// Starts, each with whether it may heat at once.
type Starts = Vec<(Start, bool)>;

/// Says which printers would start something else, or at another time.
pub(crate) fn preview(node: &Node, queue: String, (now, then): (Starts, Starts)) -> reply::Preview {
    let id = node.queue_named(&queue).ok();
    let jobs = id.map(|id| &node.queue_view(id).snapshot.jobs);
    let name = |(start, heats): &(Start, bool)| {
        let copy = start.open.copy;
        let job = jobs.and_then(|jobs| jobs.get(&copy.job));
        let name = job.map_or_else(|| copy.job.to_string(), |job| job.name.clone());
        let late = if *heats { "" } else { ", once it may heat" };
        format!("{name}, copy {}{late}", copy.index + 1)
    };
    let of = |starts: &Starts, id: &PrinterId| {
        let start = starts.iter().find(|(start, _)| start.printer == *id);
        start.map(name)
    };
    let mut ids: Vec<&PrinterId> = now
        .iter()
        .chain(&then)
        .map(|(start, _)| &start.printer)
        .collect();
    ids.sort();
    ids.dedup();
    let changes = ids.into_iter().map(|id| reply::StartChange {
        printer: full_name(node, id),
        now: of(&now, id),
        then: of(&then, id),
    });
    reply::Preview {
        printers: changes.filter(|change| change.now != change.then).collect(),
        queue,
    }
}
