//! Who may start what, written a second time from the words of SETTINGS.md and with nothing of the planner: no start of any plan breaks
//! it. Which of several that may is the business of [`crate::oracle`]; a file that fails everywhere, of `tests/rules.rs`.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    Bed, ClaimState, ColorRule, CopyState, Equipment, FileSpec, Job, JobState, Needs, PrinterId,
    Role, ToolNeed, Wanted,
};
use printmesh_schedule::OpenCopy;

use crate::{any::any, farm::Farm, oracle::Dice};

/// Everything that keeps a printer from starting a copy, by the word for it.
fn obstacles(farm: &Farm, id: &PrinterId, open: OpenCopy) -> BTreeSet<&'static str> {
    let job = &farm.snapshot.jobs[&open.copy.job];
    let mut found = BTreeSet::new();
    let mut unless = |fine: bool, word: &'static str| {
        if !fine {
            found.insert(word);
        }
    };
    host_and_machine(farm, id, &mut unless);
    job_itself(farm, job, id, &mut unless);
    copy_itself(farm, id, open, &mut unless);
    files(farm, job, id, &mut unless);
    found
}

fn host_and_machine(farm: &Farm, id: &PrinterId, unless: &mut impl FnMut(bool, &'static str)) {
    let (snapshot, presence) = (&farm.snapshot, &farm.presence);
    let voters = &snapshot.voters.hosts;
    let there = |host| presence.reachable.contains(host) && !presence.mute.contains(host);
    unless(
        2 * voters.iter().filter(|host| there(host)).count() > voters.len(),
        "voters",
    );
    unless(presence.reachable.contains(&id.host), "host");
    let member = &snapshot.members[&id.host];
    unless(
        !member.left && member.certificate.role >= Role::Printer,
        "role",
    );
    let record = &snapshot.printers[id];
    unless(!record.removed, "removed");
    unless(record.online, "offline");
    unless(record.fault.is_none(), "fault");
    unless(record.paused.is_none(), "paused");
    unless(record.autoprint, "autoprint");
    unless(snapshot.settings.autoprint, "queue autoprint");
    unless(record.bed == Bed::Clear, "bed");
    unless(record.between.is_none(), "between");
    unless(!presence.busy.contains(id), "busy");
    let mut claims = snapshot.claims.values().flat_map(BTreeMap::values);
    let other = id.host != presence.me;
    unless(
        !other
            || !claims.any(|claim| {
                claim.host == id.host
                    && claim.record.printer == id.name
                    && is_at_work(claim.record.state)
            }),
        "busy",
    );
}

fn is_at_work(state: ClaimState) -> bool {
    matches!(
        state,
        ClaimState::Claimed
            | ClaimState::Fetching
            | ClaimState::Staged
            | ClaimState::Started
            | ClaimState::Printing
    )
}

fn job_itself(farm: &Farm, job: &Job, id: &PrinterId, unless: &mut impl FnMut(bool, &'static str)) {
    let (snapshot, presence) = (&farm.snapshot, &farm.presence);
    unless(job.state == JobState::Open, "not queued");
    unless(!job.draft, "draft");
    unless(!job.held, "held");
    let early = job.terms.not_before.is_some_and(|at| at > presence.now);
    unless(!early, "early");
    unless(
        !(snapshot.settings.exclude_backburner && job.terms.backburner),
        "parked",
    );
    let wanted_out = snapshot.requests.iter().any(|(asker, request)| {
        let member = &snapshot.members[&asker.host];
        let may = member.certificate.role >= Role::Operator
            || member.certificate.role >= Role::Submitter && job.submitter == asker.host;
        request.job == job.id
            && !matches!(request.wanted, Wanted::Start { .. })
            && !member.left
            && may
    });
    unless(!wanted_out, "wanted out");
    let host = &snapshot.members[&id.host].name;
    let names = [id.name.clone(), format!("{host}/{}", id.name)];
    let meant = job.printers.is_empty() || job.printers.iter().any(|pin| names.contains(pin));
    unless(meant, "pinned");
    let from = &snapshot.printers[id].equipment.accept_from;
    unless(
        from.is_empty() || from.contains(&job.submitter),
        "not accepted",
    );
}

fn copy_itself(
    farm: &Farm,
    id: &PrinterId,
    open: OpenCopy,
    unless: &mut impl FnMut(bool, &'static str),
) {
    let presence = &farm.presence;
    let unit = (open.copy, open.attempt);
    let free = match farm.snapshot.copy_state(open.copy) {
        CopyState::Open(attempt) => attempt == open.attempt && !presence.claiming.contains(&unit),
        CopyState::Claimed(claim) => {
            let own = claim.host == presence.me && presence.set_aside.contains_key(&unit);
            claim.attempt == open.attempt && (presence.lapsed.contains(&unit) || own)
        }
        CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => false,
    };
    unless(free, "taken");
    unless(!presence.refused.contains(&unit), "refused");
    let claims = farm.snapshot.claims.get(&open.copy);
    let own = claims.and_then(|claims| claims.get(&(open.attempt, id.host)));
    unless(
        own.is_none_or(|own| own.record.state <= ClaimState::Dropped),
        "had its turn",
    );
}

fn files(farm: &Farm, job: &Job, id: &PrinterId, unless: &mut impl FnMut(bool, &'static str)) {
    let has = &farm.snapshot.printers[id].equipment;
    let own = id.host == farm.presence.me;
    for set in &job.sets {
        let wrong = set
            .spec
            .files
            .iter()
            .map(|file| misfits(job, &file.needs, has));
        let wrong: Vec<BTreeSet<&'static str>> = wrong.collect();
        if !wrong.iter().any(BTreeSet::is_empty) {
            wrong
                .into_iter()
                .flatten()
                .for_each(|word| unless(false, word));
            continue;
        }
        let file = chosen(job, &set.spec.files, has).expect("one fits");
        unless(
            !own || !farm.presence.missing.contains(&file.hash),
            "file missing",
        );
        let printer = (file.hash, id.clone());
        unless(!farm.presence.unsliced.contains_key(&printer), "not sliced");
    }
    for slot in &has.slots {
        let Some(left) = slot.left_mg else { continue };
        let takes = takes(job, has, slot.slot);
        let reserved = reserved(farm, id, slot.slot);
        unless(takes == 0 || takes + reserved <= left, "amount");
    }
}

/// The first of several alternatives that fits.
fn chosen<'f>(job: &Job, files: &'f [FileSpec], has: &Equipment) -> Option<&'f FileSpec> {
    files
        .iter()
        .find(|file| misfits(job, &file.needs, has).is_empty())
}

/// Milligrams that a copy takes out of a slot.
fn takes(job: &Job, has: &Equipment, slot: u32) -> u64 {
    let rounds = u64::from(if job.together { job.copies } else { 1 });
    let sets = job.sets.iter().map(|set| {
        let file = chosen(job, &set.spec.files, has);
        let tools = file.map_or(&[][..], |file| &file.needs.tools);
        let tools = tools.iter().filter(|tool| tool.tool == slot);
        tools.filter_map(|tool| tool.mg).sum::<u64>() * u64::from(set.per_run)
    });
    sets.sum::<u64>() * rounds
}

/// What copies take that the printer works on.
fn reserved(farm: &Farm, id: &PrinterId, slot: u32) -> u64 {
    let has = &farm.snapshot.printers[id].equipment;
    let claims = farm.snapshot.claims.iter().filter(|(_, claims)| {
        claims.values().any(|claim| {
            claim.host == id.host
                && claim.record.printer == id.name
                && is_at_work(claim.record.state)
        })
    });
    // A printer works on one copy; of a job that has left the queue none is under way.
    let jobs: BTreeSet<_> = claims.map(|(copy, _)| copy.job).collect();
    let jobs = jobs.iter().map(|job| &farm.snapshot.jobs[job]);
    let jobs = jobs.filter(|job| job.state == JobState::Open);
    jobs.map(|job| takes(job, has, slot)).sum()
}

fn misfits(job: &Job, needs: &Needs, has: &Equipment) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    let mut unless = |fine: bool, word: &'static str| {
        if !fine {
            found.insert(word);
        }
    };
    if let Some(model) = &needs.model {
        let own = [&has.model, &has.profile].into_iter().flatten();
        let mut names = own.clone().chain(&has.compatible);
        let named = names.any(|name| name.to_lowercase() == model.to_lowercase());
        unless(named || own.count() == 0 && has.simulated, "model");
    }
    let alike = |needs: Option<u32>, has: Option<u32>| match (needs, has) {
        (Some(needs), Some(has)) => needs.abs_diff(has) <= 1,
        _ => true,
    };
    let own = |of: &[(u32, u32)], tool: u32| {
        let mut of = of.iter().filter(|(other, _)| *other == tool);
        of.next().map(|(_, um)| *um)
    };
    let tools = || needs.tools.iter().map(|tool| tool.tool);
    let each = tools().all(|tool| {
        alike(
            own(&needs.nozzles, tool).or(needs.nozzle_um),
            own(&has.nozzles, tool).or(has.nozzle_um),
        )
    });
    let none = tools().next().is_none();
    unless(
        each && (!none || alike(needs.nozzle_um, has.nozzle_um)),
        "nozzle",
    );
    unless(
        !needs.hardened || has.hardened != Some(false),
        "soft nozzle",
    );
    if let (Some(needs), Some(has)) = (needs.volume_mm, has.volume_mm) {
        unless((0..3).all(|side| needs[side] <= has[side]), "volume");
    }
    if let (Some(at), Some(has)) = (needs.extent_mm, has.volume_mm) {
        let has = has.map(|side| side as i32);
        let corner = (0..2).all(|axis| at[axis][0] >= 0 && at[axis][1] <= has[axis]);
        let middle = (0..2).all(|axis| at[axis].iter().all(|end| 2 * end.abs() <= has[axis]));
        unless((corner || middle) && at[2][1] <= has[2], "outside");
    }
    let cool =
        |needs: Option<u32>, max: Option<u32>| needs.zip(max).is_none_or(|(n, max)| n <= max);
    unless(cool(needs.nozzle_c, has.nozzle_c_max), "nozzle temperature");
    unless(cool(needs.bed_c, has.bed_c_max), "bed temperature");
    let own_tags: Vec<String> = has.tags.iter().map(|tag| tag.to_lowercase()).collect();
    unless(
        job.terms
            .tags
            .iter()
            .all(|tag| own_tags.contains(&tag.to_lowercase())),
        "tags",
    );
    if let Some(profile) = &needs.slice {
        unless(has.slicing.contains(profile), "no slicer");
    }
    unless(
        needs.tools.len() < 2 || !has.slots.is_empty(),
        "slots unknown",
    );
    for tool in &needs.tools {
        loaded(tool, job, has, &mut unless);
    }
    found
}

/// A word by which materials, and colours, that are one and the same have one name.
fn canonical(word: &str) -> String {
    let word = word.to_lowercase();
    let name = match word.as_str() {
        "paht-cf" | "pa12-cf" => "pa-cf",
        "nylon" => "pa",
        "000000" => "black",
        other => other,
    };
    name.to_owned()
}

fn loaded(
    tool: &ToolNeed,
    job: &Job,
    has: &Equipment,
    unless: &mut impl FnMut(bool, &'static str),
) {
    let required = job.terms.color == ColorRule::Require;
    let there = has.slots.iter().find(|slot| slot.slot == tool.tool);
    if let Some(material) = &tool.material
        && !has.slots.is_empty()
    {
        let same = |other: &String| canonical(other) == canonical(material);
        let other = there.and_then(|there| there.material.as_ref());
        unless(other.is_some_and(same), "material");
    }
    if let Some(color) = &tool.color
        && required
    {
        let same = |other: &String| canonical(other) == canonical(color);
        let other = there.and_then(|there| there.color.as_ref());
        unless(other.is_some_and(same), "color");
    }
}

/// Amounts, beds, faults, offline, held, paused, colours, temperature, tags, nozzle, model, volume, and all the rest.
#[test]
fn nothing_ever_starts_where_it_may_not() {
    let mut alone: BTreeMap<&str, usize> = BTreeMap::new();
    let mut starts = 0;
    for seed in 0..10_000 {
        let farm = any(&mut Dice::new(30_000_000 + seed));
        let mut wanted: BTreeMap<_, u32> = BTreeMap::new();
        let (mut printers, mut copies) = (BTreeSet::new(), BTreeSet::new());
        for start in farm.plan().starts {
            let found = obstacles(&farm, &start.printer, start.open);
            assert!(
                found.is_empty(),
                "farm {seed}: {start:?} {found:?} {farm:#?}"
            );
            *wanted.entry(start.open.copy.job).or_default() += 1;
            assert!(copies.insert(start.open.copy), "one printer per copy");
            assert!(printers.insert(start.printer), "one start per printer");
            starts += 1;
        }
        for (job, starts) in wanted {
            let job = &farm.snapshot.jobs[&job];
            let states = farm.snapshot.copies_of(job).map(|(_, state)| state);
            let open =
                states.filter(|state| matches!(state, CopyState::Open(_) | CopyState::Claimed(_)));
            assert!(
                starts as usize <= open.count(),
                "farm {seed}: more of {} than wanted",
                job.name
            );
        }
        // What one obstacle alone keeps apart would start if the planner did not know of that one.
        for id in farm.snapshot.printers.keys() {
            for job in farm.snapshot.jobs.values() {
                let copies = farm
                    .snapshot
                    .copies_of(job)
                    .filter_map(|(copy, state)| match state {
                        CopyState::Open(attempt) => Some(OpenCopy { copy, attempt }),
                        CopyState::Claimed(claim) => Some(OpenCopy {
                            copy,
                            attempt: claim.attempt,
                        }),
                        CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => None,
                    });
                for open in copies {
                    let found = obstacles(&farm, id, open);
                    if found.len() == 1 {
                        *alone
                            .entry(found.first().copied().unwrap_or_default())
                            .or_default() += 1;
                    }
                }
            }
        }
    }
    assert!(starts > 3000, "{starts}");
    let seen: Vec<&str> = alone.keys().copied().collect();
    let all = [
        "amount",
        "autoprint",
        "bed",
        "bed temperature",
        "between",
        "busy",
        "color",
        "draft",
        "early",
        "fault",
        "file missing",
        "had its turn",
        "held",
        "host",
        "material",
        "model",
        "no slicer",
        "not accepted",
        "not queued",
        "not sliced",
        "nozzle",
        "nozzle temperature",
        "offline",
        "outside",
        "parked",
        "paused",
        "pinned",
        "queue autoprint",
        "refused",
        "removed",
        "role",
        "slots unknown",
        "soft nozzle",
        "tags",
        "taken",
        "volume",
        "voters",
        "wanted out",
    ];
    assert_eq!(seen, all, "{alone:?}");
    assert!(alone.values().all(|n| *n >= 5), "{alone:?}");
}
