//! Whether a printer can print what a job needs: one axis after the other, each with its reason.
//!
//! What a file does not say asks for nothing. What is not known of a printer lets a file pass, with three exceptions that
//! could ruin a print or a printer: the model, several tools without slots, and an amount that is known to be too small.

use printmesh_queue::{
    ColorRule, Equipment, FileSpec, HostId, Job, Needs, PrinterId, Set, Snapshot, ToolNeed,
};

use crate::Reason;

/// Materials that stand for one another, in capital letters.
const EQUIVALENT: [&[&str]; 2] = [&["PA-CF", "PA12-CF", "PAHT-CF"], &["PA", "NYLON"]];
/// Colours are similar when no channel differs by more.
const SIMILAR: u8 = 40;
/// Nozzles are alike when they differ by no more, in micrometres: slicers round.
const NOZZLE_UM: u32 = 1;

/// What a job asks of a printer besides what its files need.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) tags: &'a [String],
    pub(crate) color: ColorRule,
    /// Who submitted it.
    pub(crate) submitter: HostId,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(job: &'a Job) -> Self {
        Self {
            tags: &job.terms.tags,
            color: job.terms.color,
            submitter: job.submitter,
        }
    }
}

/// Returns the file that a printer prints of a set: the first of its alternatives that fits.
///
/// `None` when none fits, or the printer is not known.
pub fn file_for<'a>(
    snapshot: &Snapshot,
    job: &Job,
    set: &'a Set,
    printer: &PrinterId,
) -> Option<&'a FileSpec> {
    let record = snapshot.printers.get(printer)?;
    let asked = Asked::of(job);
    let fits = |file: &&FileSpec| misfit(&file.needs, asked, &record.equipment).is_none();
    set.spec.files.iter().find(fits)
}

/// Returns why a printer cannot print a job, by what it is and what is loaded: asked once more before the first print, since
/// somebody may have changed it meanwhile. How much is left is not asked: the claim itself has reserved it.
pub fn misfit_of(snapshot: &Snapshot, job: &Job, printer: &PrinterId) -> Option<Reason> {
    let record = snapshot.printers.get(printer)?;
    let asked = Asked::of(job);
    let sets = job.sets.iter();
    let sets = sets.map(|set| set.spec.files.iter().map(|file| &file.needs));
    sets_misfit(sets, asked, &record.equipment)
}

/// Returns why a printer cannot print something that needs this, by what it is and what is loaded: asked of what a slicer made.
pub fn misfit_of_needs(
    snapshot: &Snapshot,
    job: &Job,
    needs: &Needs,
    printer: &PrinterId,
) -> Option<Reason> {
    let record = snapshot.printers.get(printer)?;
    let asked = Asked::of(job);
    misfit(needs, asked, &record.equipment)
}

/// Returns why a printer does not print a list of sets. What can never be is said before what somebody could change: nobody
/// swaps a nozzle for a part that is too large, and nothing waits for it.
pub(crate) fn sets_misfit<'a>(
    sets: impl Iterator<Item = impl Iterator<Item = &'a Needs>>,
    asked: Asked<'_>,
    equipment: &Equipment,
) -> Option<Reason> {
    let mut fixable = None;
    for set in sets {
        match set_misfit(set, asked, equipment) {
            None => {}
            Some(reason) if reason.is_fixable() => {
                fixable.get_or_insert(reason);
            }
            Some(never) => return Some(never),
        }
    }
    fixable
}

/// Returns why no alternative of a set fits a printer: what somebody could change, if one of them needs no more than that.
fn set_misfit<'a>(
    alternatives: impl Iterator<Item = &'a Needs>,
    asked: Asked<'_>,
    equipment: &Equipment,
) -> Option<Reason> {
    let mut said: Option<Reason> = None;
    for needs in alternatives {
        let reason = misfit(needs, asked, equipment)?;
        let better = said
            .as_ref()
            .is_none_or(|said| reason.is_fixable() && !said.is_fixable());
        if better {
            said = Some(reason);
        }
    }
    said
}

/// Returns why one file does not fit a printer, what can never be first. Amounts are compared for whole copies only.
fn misfit(needs: &Needs, asked: Asked<'_>, equipment: &Equipment) -> Option<Reason> {
    let foreign = accepts(asked, equipment).or_else(|| slicing(needs, equipment));
    if foreign.is_some() {
        return foreign;
    }
    let model = model(needs, equipment);
    if model.as_ref().is_some_and(|model| !model.is_fixable()) {
        return model;
    }
    volume(needs, equipment)
        .or_else(|| outside(needs, equipment))
        .or_else(|| temperature(needs, equipment))
        .or_else(|| tags(asked, equipment))
        .or(model)
        .or_else(|| nozzle(needs, equipment))
        .or_else(|| {
            let mut tools = needs.tools.iter();
            tools.find_map(|tool| loaded(tool, needs.tools.len(), asked, equipment))
        })
}

pub(crate) fn same(a: &str, b: &str) -> bool {
    a.trim().eq_ignore_ascii_case(b.trim())
}

/// A printer may be for some members only: by their keys, since a name is what a member says of itself.
fn accepts(asked: Asked<'_>, equipment: &Equipment) -> Option<Reason> {
    let from = &equipment.accept_from;
    (!from.is_empty() && !from.contains(&asked.submitter)).then_some(Reason::NotAccepted)
}

/// A file for one model never goes to another one, unless a person said that it may, and not to one of which nobody has said
/// what it is: it might be another. A simulated one ruins nothing.
pub(crate) fn model(needs: &Needs, equipment: &Equipment) -> Option<Reason> {
    let wanted = needs.model.as_ref()?;
    let own = [&equipment.model, &equipment.profile];
    let own = || own.into_iter().flatten();
    let mut names = own().chain(&equipment.compatible);
    if names.any(|name| same(name, wanted)) {
        return None;
    }
    match own().next() {
        Some(has) => Some(Reason::Model {
            needs: wanted.clone(),
            has: has.clone(),
        }),
        None if !equipment.simulated => Some(Reason::ModelUnknown {
            needs: wanted.clone(),
        }),
        None => None,
    }
}

fn slicing(needs: &Needs, equipment: &Equipment) -> Option<Reason> {
    let profile = needs.slice.as_ref()?;
    (!equipment.slicing.contains(profile)).then(|| Reason::NoSlicer {
        profile: profile.clone(),
    })
}

pub(crate) fn nozzle(needs: &Needs, equipment: &Equipment) -> Option<Reason> {
    // Tool by tool where one of them needs, or has, another nozzle than the rest.
    let each = !needs.nozzles.is_empty() || !equipment.nozzles.is_empty();
    let tools = needs.tools.iter().filter(|_| each).map(|tool| {
        let own = needs.nozzles.iter().find(|(of, _)| *of == tool.tool);
        let needs_um = own.map(|(_, um)| *um).or(needs.nozzle_um);
        (Some(tool.tool), needs_um, equipment.nozzle_of(tool.tool))
    });
    let all = !each || needs.tools.is_empty();
    let all = all.then_some((None, needs.nozzle_um, equipment.nozzle_um));
    let wrong = tools.chain(all).find_map(|(tool, needs_um, has_um)| {
        let (needs_um, has_um) = (needs_um?, has_um?);
        (needs_um.abs_diff(has_um) > NOZZLE_UM).then_some(Reason::Nozzle {
            tool,
            needs_um,
            has_um,
        })
    });
    if wrong.is_some() {
        return wrong;
    }
    (needs.hardened && equipment.hardened == Some(false)).then_some(Reason::NozzleSoft)
}

fn volume(needs: &Needs, equipment: &Equipment) -> Option<Reason> {
    let (needs_mm, has_mm) = (needs.volume_mm?, equipment.volume_mm?);
    let too_large = needs_mm.iter().zip(&has_mm).any(|(needs, has)| needs > has);
    too_large.then_some(Reason::Volume { needs_mm, has_mm })
}

/// A part that is small enough may still lie beside the bed. Where 0 is depends on the machine, and nobody says it: at a corner of
/// the bed or in its middle, one of which has to do. A little below the bed is an offset of the nozzle.
fn outside(needs: &Needs, equipment: &Equipment) -> Option<Reason> {
    let (extent_mm, has_mm) = (needs.extent_mm?, equipment.volume_mm?);
    let axes = ['x', 'y', 'z'].into_iter().zip(extent_mm).zip(has_mm);
    let flat = |axis: &char| *axis != 'z';
    let beyond = |middle: bool| {
        let mut axes = axes.clone();
        axes.find(|((axis, [from, to]), has)| {
            let [from, to, has] = [i64::from(*from), i64::from(*to), i64::from(*has)];
            match middle && flat(axis) {
                true => 2 * from < -has || 2 * to > has,
                false => flat(axis) && from < 0 || to > has,
            }
        })
    };
    let ((axis, [from_mm, to_mm]), has_mm) = beyond(false).filter(|_| beyond(true).is_some())?;
    Some(Reason::Outside {
        axis,
        from_mm,
        to_mm,
        has_mm,
    })
}

fn temperature(needs: &Needs, equipment: &Equipment) -> Option<Reason> {
    let axis = |what, needs: Option<u32>, max: Option<u32>| {
        let (needs_c, max_c) = (needs?, max?);
        (needs_c > max_c).then_some(Reason::Temperature {
            what,
            needs_c,
            max_c,
        })
    };
    axis("nozzle", needs.nozzle_c, equipment.nozzle_c_max)
        .or_else(|| axis("bed", needs.bed_c, equipment.bed_c_max))
}

fn tags(asked: Asked<'_>, equipment: &Equipment) -> Option<Reason> {
    let has = |tag: &String| equipment.tags.iter().any(|own| same(own, tag));
    let missing: Vec<&str> = asked
        .tags
        .iter()
        .filter(|tag| !has(tag))
        .map(String::as_str)
        .collect();
    (!missing.is_empty()).then(|| Reason::Tags {
        missing: missing.join(", "),
    })
}

/// What is loaded where a tool prints from.
pub(crate) fn loaded(
    tool: &ToolNeed,
    tools: usize,
    asked: Asked<'_>,
    equipment: &Equipment,
) -> Option<Reason> {
    let slot = tool.tool;
    if equipment.slots.is_empty() {
        // One tool prints with what is there; of several, one could run empty or be none at all. A colour that is required is
        // not guessed either.
        let required = asked.color == ColorRule::Require && tool.color.is_some();
        return (tools > 1 || required).then_some(Reason::SlotUnknown { slot });
    }
    let there = equipment.slot(slot);
    let has = there.and_then(|there| there.material.as_ref());
    if let Some(needs) = &tool.material
        && !has.is_some_and(|has| same_material(needs, has))
    {
        return Some(Reason::Material {
            slot,
            needs: needs.clone(),
            has: has.cloned(),
        });
    }
    let needs = tool.color.as_ref()?;
    if asked.color != ColorRule::Require {
        return None;
    }
    let has = there.and_then(|there| there.color.as_ref());
    let exact =
        has.is_some_and(|has| same(has, needs) || rgb(has).is_some() && rgb(has) == rgb(needs));
    (!exact).then(|| Reason::Color {
        slot,
        needs: needs.clone(),
        has: has.map_or_else(|| "an unknown colour".to_owned(), Clone::clone),
    })
}

fn same_material(a: &str, b: &str) -> bool {
    let within = |group: &&&[&str]| {
        let named = |name: &str| group.iter().any(|other| same(name, other));
        named(a) && named(b)
    };
    same(a, b) || EQUIVALENT.iter().any(|group| within(&group))
}

/// Returns whether what is loaded is similar in colour to what a file says, wherever both are known.
pub(crate) fn is_similar(needs: &Needs, equipment: &Equipment) -> bool {
    needs.tools.iter().all(|tool| {
        let has = equipment
            .slot(tool.tool)
            .and_then(|slot| slot.color.as_ref());
        match (&tool.color, has) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(needs), Some(has)) => match (rgb(needs), rgb(has)) {
                (Some(a), Some(b)) => a.iter().zip(&b).all(|(a, b)| a.abs_diff(*b) <= SIMILAR),
                _ => same(needs, has),
            },
        }
    })
}

/// Reads a colour: hex digits, or a name that everybody knows.
fn rgb(color: &str) -> Option<[u8; 3]> {
    const NAMES: [(&str, [u8; 3]); 14] = [
        ("black", [0, 0, 0]),
        ("white", [255, 255, 255]),
        ("grey", [128, 128, 128]),
        ("gray", [128, 128, 128]),
        ("silver", [192, 192, 192]),
        ("red", [255, 0, 0]),
        ("green", [0, 128, 0]),
        ("blue", [0, 0, 255]),
        ("yellow", [255, 255, 0]),
        ("orange", [255, 165, 0]),
        ("purple", [128, 0, 128]),
        ("pink", [255, 192, 203]),
        ("brown", [165, 42, 42]),
        ("beige", [245, 245, 220]),
    ];
    let color = color.trim();
    let digits = color.strip_prefix('#').unwrap_or(color);
    let named = NAMES.iter().find(|(name, _)| same(name, color));
    named.map(|(_, rgb)| *rgb).or_else(|| {
        // What follows six digits is how transparent it is.
        let digits = digits.get(..6).filter(|_| matches!(digits.len(), 6 | 8))?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, r, g, b] = value.to_be_bytes();
        Some([r, g, b])
    })
}

/// Milligrams that a copy takes out of each slot, with the alternatives that a printer would print.
pub(crate) fn amounts<'a>(
    job: &'a Job,
    mut chosen: impl FnMut(&'a Set) -> Option<&'a FileSpec>,
) -> Vec<(u32, u64)> {
    let rounds = if job.together { job.copies } else { 1 };
    let mut sums = std::collections::BTreeMap::<u32, u64>::new();
    for set in &job.sets {
        let tools = chosen(set).into_iter().flat_map(|file| &file.needs.tools);
        let runs = u64::from(rounds).saturating_mul(set.per_run.into());
        for tool in tools {
            let Some(mg) = tool.mg.filter(|mg| *mg > 0) else {
                continue;
            };
            let sum = sums.entry(tool.tool).or_default();
            *sum = sum.saturating_add(mg.saturating_mul(runs));
        }
    }
    sums.into_iter().collect()
}

/// Milligrams in a slot that no claim has reserved; `None` = nobody has said how much there is.
fn left(slot: u32, known: &[(u32, u64)], reserved: &[(u32, u64)]) -> Option<u64> {
    let (_, left_mg) = known.iter().find(|(other, _)| *other == slot)?;
    let taken = reserved.iter().filter(|(other, _)| *other == slot);
    let taken = taken.fold(0_u64, |sum, (_, mg)| sum.saturating_add(*mg));
    Some(left_mg.saturating_sub(taken))
}

/// Returns the first slot that has too little for a whole copy, `known` being what is left in each slot of which somebody has
/// said it, and so much more having to be left. An unknown amount is no reason.
pub(crate) fn amount_misfit(
    amounts: &[(u32, u64)],
    known: &[(u32, u64)],
    reserved: &[(u32, u64)],
    margin_mg: u64,
) -> Option<Reason> {
    amounts.iter().find_map(|(slot, needs_mg)| {
        let left_mg = left(*slot, known, reserved)?;
        let needs_mg = &needs_mg.saturating_add(margin_mg);
        (left_mg < *needs_mg).then_some(Reason::Amount {
            slot: *slot,
            needs_mg: *needs_mg,
            left_mg,
        })
    })
}

/// What would be left in the slot that is emptied most; `None` when that is not known. A job that does not say what it takes
/// is weighed by the first slot.
pub(crate) fn left_after(
    amounts: &[(u32, u64)],
    known: &[(u32, u64)],
    reserved: &[(u32, u64)],
) -> Option<u64> {
    if amounts.is_empty() {
        return left(0, known, reserved);
    }
    let slots = amounts.iter().map(|(slot, needs)| {
        let left = left(*slot, known, reserved)?;
        Some(left.saturating_sub(*needs))
    });
    slots.min().flatten()
}
