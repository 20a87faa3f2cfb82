//! Which changes are worth trying: what each idle printer lacks for what waits. Whether one unlocks anything is found by
//! planning with it, not here.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{Bed, Between, ColorRule, Equipment, Needs, PrinterId, Slot};

use super::{Act, Bench, Change};
use crate::{
    Reason,
    index::{Class, Fit, Seat},
    matching::{self, Asked, sets_misfit},
};

/// Something to try.
pub(super) struct Candidate {
    pub(super) changes: Vec<Change>,
    /// Printers that could print something because of it.
    pub(super) printers: BTreeSet<PrinterId>,
}

/// Returns single changes, and pairs of them where one is not enough.
pub(super) fn candidates(bench: &Bench) -> (Vec<Candidate>, Vec<Candidate>) {
    let (snapshot, presence, index) = (&bench.snapshot, &bench.presence, &bench.index);
    let at_work: BTreeSet<&PrinterId> = bench.starts.iter().map(|start| &start.printer).collect();
    let mut by_kind: BTreeMap<usize, Vec<Vec<Act>>> = BTreeMap::new();
    let mut single = Vec::new();
    let mut pairs = Vec::new();
    for seat in &index.seats {
        // A print that waits for a verdict is over; it is given at the printer's own host.
        let judged = seat.id.host == presence.me
            && snapshot.printers[&seat.id].between == Some(Between::Verdict);
        let working =
            seat.claims && seat.id.host != presence.me || presence.busy.contains(&seat.id);
        let busy = working && !judged;
        if busy || !seat.may_print || at_work.contains(&seat.id) {
            continue;
        }
        let Some(needed) = states(bench, seat) else {
            continue;
        };
        let of = |changes: Vec<Change>| Candidate {
            changes,
            printers: BTreeSet::from([seat.id.clone()]),
        };
        let mut lacks = || acts_of(bench, seat, &mut by_kind);
        let equip = |acts: &[Act]| -> Vec<Change> {
            let acts = acts.iter().cloned();
            acts.map(|act| Change::Equip(seat.id.clone(), act))
                .collect()
        };
        match needed.as_slice() {
            [] => {
                for acts in lacks() {
                    let candidate = of(equip(&acts));
                    match candidate.changes.len() {
                        1 => single.push(candidate),
                        _ => pairs.push(candidate),
                    }
                }
            }
            [one] => {
                // A host that comes back brings all its printers.
                if !matches!(one, Change::Reach(_)) {
                    single.push(of(vec![one.clone()]));
                }
                let lacks = lacks();
                let lacks = lacks.iter().filter(|acts| acts.len() == 1);
                pairs.extend(lacks.map(|acts| {
                    let both = [one.clone()].into_iter().chain(equip(acts));
                    of(both.collect())
                }));
            }
            [_, _] => pairs.push(of(needed)),
            _ => {}
        }
    }
    single.extend(absent(bench));
    let own = index.seats.iter().map(|seat| &seat.id);
    let own: BTreeSet<PrinterId> = own.filter(|id| id.host == presence.me).cloned().collect();
    let wanted = |hash: &&printmesh_queue::FileHash| {
        let jobs = snapshot.jobs.values();
        let mut files = jobs
            .flat_map(|job| &job.sets)
            .flat_map(|set| &set.spec.files);
        files.any(|file| file.hash == **hash)
    };
    single.extend(
        presence
            .missing
            .iter()
            .filter(wanted)
            .map(|hash| Candidate {
                changes: vec![Change::Find(*hash)],
                printers: own.clone(),
            }),
    );
    (single, pairs)
}

/// Hosts that cannot be reached: a printer host brings its printers, a voter brings the decision.
fn absent(bench: &Bench) -> Vec<Candidate> {
    let (snapshot, presence) = (&bench.snapshot, &bench.presence);
    let undecided = !presence.has_quorum(&snapshot.voters);
    let away = snapshot.present_members().filter(|(host, _)| {
        let drives = || bench.index.seats.iter().any(|seat| seat.id.host == **host);
        let votes = undecided && snapshot.voters.hosts.contains(host);
        !presence.reachable.contains(host) && (votes || drives())
    });
    away.map(|(host, _)| {
        let seats = bench.index.seats.iter().map(|seat| &seat.id);
        let brought = seats.filter(|id| undecided || id.host == *host);
        Candidate {
            changes: vec![Change::Reach(*host)],
            printers: brought.cloned().collect(),
        }
    })
    .collect()
}

/// What has to be done before a printer is free; `None` = it waits for what passes by itself.
fn states(bench: &Bench, seat: &Seat) -> Option<Vec<Change>> {
    let record = &bench.snapshot.printers[&seat.id];
    let id = || seat.id.clone();
    let halted = record.fault.is_some();
    let mut needed = Vec::new();
    if !bench.presence.reachable.contains(&seat.id.host) {
        needed.push(Change::Reach(seat.id.host));
    }
    match record.between {
        _ if halted => needed.push(Change::Ready(id())),
        // These pass by themselves.
        Some(Between::Cooling(_) | Between::Clearing | Between::Heat | Between::Quiet(_)) => {
            return None;
        }
        Some(Between::Verdict) => needed.push(Change::Judge(id())),
        Some(Between::NoBedTemperature(_)) => needed.push(Change::Ready(id())),
        None if record.bed != Bed::Clear => needed.push(Change::Ready(id())),
        None => {}
    }
    if !record.online && !halted {
        needed.push(Change::Connect(id()));
    }
    if record.paused.is_some() {
        needed.push(Change::Resume(id()));
    }
    Some(needed)
}

/// What could be changed at a printer so that something that waits fits it: one act, or two together.
fn acts_of(
    bench: &Bench,
    seat: &Seat,
    by_kind: &mut BTreeMap<usize, Vec<Vec<Act>>>,
) -> Vec<Vec<Act>> {
    let index = &bench.index;
    let alike = by_kind.entry(seat.kind).or_insert_with(|| {
        let has = &index.kinds[seat.kind];
        let mut offered = vec![false; index.classes.len()];
        for row in &index.arranged.order {
            offered[index.rows[*row].class] = true;
        }
        let classes = index.classes.iter().enumerate();
        let fixable = classes
            .filter(|(at, _)| offered[*at] && index.fit(*at, seat.kind) == Fit::Fixable)
            .flat_map(|(_, class)| missing_acts(class, has));
        let acts: BTreeSet<Vec<Act>> = fixable.filter(|acts| acts.len() <= 2).collect();
        acts.into_iter().collect()
    });
    let mut acts = alike.clone();
    let planner = bench.planner();
    let mut refills = BTreeSet::new();
    if !seat.left.is_empty() {
        for row in index.arranged.order.iter().map(|row| &index.rows[*row]) {
            if index.fit(row.class, seat.kind) == Fit::Fits
                && let Some(Reason::Amount { slot, .. }) = planner.amount_misfit(row, seat)
            {
                refills.insert(slot);
            }
        }
    }
    let has = &index.kinds[seat.kind];
    acts.extend(refills.into_iter().map(|slot| {
        // What a kind of printer has is no single spool.
        let there = has.slot(slot).cloned();
        vec![Act::Load(there.unwrap_or(Slot {
            slot,
            ..Slot::default()
        }))]
    }));
    acts
}

/// What has to be changed so that a printer that has this prints jobs of a class: one list for each of its alternatives.
fn missing_acts(class: &Class, has: &Equipment) -> BTreeSet<Vec<Act>> {
    let asked = Asked {
        tags: &class.tags,
        color: class.color,
        submitter: class.submitter,
    };
    let most = class.sets.iter().map(Vec::len).max().unwrap_or(0);
    let mut found = BTreeSet::new();
    for alternative in 0..most {
        let chosen = class
            .sets
            .iter()
            .filter_map(|set| set.get(alternative).or(set.first()));
        let mut acts: Vec<Act> = Vec::new();
        let mut then = has.clone();
        for needs in chosen {
            for act in lacking(needs, asked, &then) {
                act.apply(&mut then);
                acts.push(act);
            }
        }
        // Two files that need different things in one place are no matter of one act more.
        let sets = class.sets.iter().map(|set| set.iter());
        let fits = sets_misfit(sets, asked, &then).is_none();
        if fits && !acts.is_empty() {
            found.insert(acts);
        }
    }
    found
}

fn lacking(needs: &Needs, asked: Asked<'_>, has: &Equipment) -> Vec<Act> {
    let mut acts = Vec::new();
    if let Some(model) = &needs.model
        && has.model.is_none()
        && has.profile.is_none()
        && matching::model(needs, has).is_some()
    {
        acts.push(Act::Model(model.clone()));
    }
    if let Some(reason) = matching::nozzle(needs, has) {
        let (tool, um) = match reason {
            Reason::Nozzle { tool, needs_um, .. } => (tool, Some(needs_um)),
            _ => (None, needs.nozzle_um.filter(|_| has.nozzles.is_empty())),
        };
        acts.push(Act::Nozzle {
            tool,
            um,
            hardened: needs.hardened.then_some(true),
        });
    }
    for tool in &needs.tools {
        if matching::loaded(tool, needs.tools.len(), asked, has).is_none() {
            continue;
        }
        let there = has.slot(tool.tool);
        let material = tool.material.clone();
        let color = match asked.color {
            ColorRule::Any => None,
            ColorRule::Prefer | ColorRule::Require => tool.color.clone(),
        };
        acts.push(Act::Load(Slot {
            slot: tool.tool,
            material: material.or_else(|| there?.material.clone()),
            color,
            left_mg: None,
            spool: None,
        }));
    }
    acts
}
