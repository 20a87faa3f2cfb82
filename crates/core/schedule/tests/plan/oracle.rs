//! The plan against a naive one: every job by every printer, nothing kept, nothing shared with the planner but the words. Equal
//! over thousands of random farms, or as many as `PRINTMESH_ORACLE_FARMS` says.

use std::collections::BTreeMap;

use printmesh_queue::{
    ClaimState, CopyId, CopyState, Distribute, Equipment, Job, JobState, Needs, NeverSkip, Order,
    PrinterId, Priority, RunResult, Timestamp,
};
use printmesh_schedule::{OpenCopy, Turn};

use crate::farm::{Farm, job_id, printer, slot, tool};

/// A small generator: the same farms everywhere, from one number each.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Any farm: settings, printers, jobs, and what of them is claimed, printed or printing.
pub(crate) fn any_farm(dice: &mut Dice) -> Farm {
    let printers = dice.below(6) as u32;
    let mut farm = Farm::new(printers);
    let onoff = ["on", "off"];
    farm = farm.set(&[
        ("order", dice.of(&["sequential", "round-robin"])),
        (
            "distribute",
            dice.of(&[
                "position",
                "least-recently-used",
                "hours",
                "best-fit",
                "reverse",
                "most-hours",
            ]),
        ),
        ("drain-groups", dice.of(&onoff)),
        ("groups", dice.of(&["none", "A,B", "B"])),
        ("exclude-backburner", dice.of(&onoff)),
        (
            "never-skip",
            dice.of(&["on", "off", "off", "backfill", "backfill", "strict"]),
        ),
        ("sort-limit", dice.of(&["none", "2", "50%", "3,40%", "0"])),
    ]);
    for n in 1..=printers {
        let name = format!("p{n}");
        farm = farm.record(&name, |p| {
            p.position = dice.below(4) as u32;
            p.last_print_ended = dice.one_in(2).then(|| Timestamp(dice.below(5)));
            p.equipment.printed_s = dice.below(3);
            p.equipment.model = Some(dice.of(&["M", "N"]).to_owned()).filter(|_| dice.one_in(2));
            p.equipment.simulated = dice.one_in(3);
            p.equipment.nozzle_um = Some(dice.of(&[400, 600])).filter(|_| dice.one_in(2));
            p.equipment.volume_mm = dice.one_in(3).then_some([100, 100, 100]);
            p.paused = dice.one_in(9).then(String::new);
            if dice.one_in(2) {
                p.equipment.slots = vec![slot(0, dice.of(&["PLA", "PETG"]), dice.below(4))];
            }
        });
        if dice.one_in(5) {
            farm = farm.busy(&[&name]);
        }
    }
    let mut names: Vec<String> = (0..dice.below(7)).map(|n| format!("j{n}")).collect();
    // Ids say nothing about the order.
    if dice.one_in(2) {
        names.reverse();
    }
    for name in &names {
        let needs = Needs {
            model: Some("M".to_owned()).filter(|_| dice.one_in(3)),
            nozzle_um: dice.one_in(3).then_some(400),
            volume_mm: dice.one_in(4).then_some([150, 1, 1]),
            tools: match dice.one_in(2) {
                true => vec![tool(0, dice.of(&["PLA", "PETG"]), dice.below(3))],
                false => Vec::new(),
            },
            ..Needs::default()
        };
        let copies = 1 + dice.below(4) as u32;
        farm = farm.job(name, copies).needs(needs).with(|job| {
            job.held = dice.one_in(9);
            job.created = Timestamp(dice.below(6));
            job.terms.group = dice.of(&["", "A", "B", "C"]).to_owned();
            job.terms.backburner = dice.one_in(6);
            job.terms.priority = dice.of(&[
                Priority::Normal,
                Priority::Normal,
                Priority::High,
                Priority::Low,
            ]);
            job.terms.due = dice.one_in(4).then(|| Timestamp(dice.below(3) + 1));
            job.terms.not_before = dice.one_in(6).then(|| Timestamp(dice.of(&[1, 2_000_000])));
            job.terms.level = dice.below(2) as u32;
            if dice.one_in(6) {
                job.printers = vec![dice.of(&["p1", "p2", "me/p1"]).to_owned()];
            }
        });
        for copy in 1..=copies {
            let at = dice.below(9);
            match dice.below(8) {
                0 => farm = farm.printed(name, copy, "q", at, RunResult::Ok),
                1 => farm = farm.printed(name, copy, "q", at, RunResult::Started),
                2 => farm = farm.claim(name, copy, "q", ClaimState::Released),
                3 => farm = farm.claim(name, copy, "q", ClaimState::Claimed),
                _ => {}
            }
        }
    }
    farm
}

/// How long each file takes, where that is known; and what busy printers are at, where anybody has it on record.
fn at_work(mut farm: Farm, dice: &mut Dice) -> Farm {
    for job in farm.snapshot.jobs.values_mut() {
        job.sets[0].spec.files[0].estimate_s = dice.of(&[None, Some(300), Some(1500), Some(2500)]);
    }
    for id in farm.presence.busy.clone() {
        let mut copies = farm.snapshot.jobs.values();
        let untouched = copies.find_map(|job| {
            let mut copies = farm.snapshot.copies_of(job);
            let (copy, _) = copies.find(|(copy, _)| !farm.snapshot.claims.contains_key(copy))?;
            Some((job.name.clone(), copy.index + 1))
        });
        if let Some((name, copy)) = untouched.filter(|_| dice.one_in(2)) {
            let at = dice.below(600_000);
            farm = farm.printed(&name, copy, &id.name, at, RunResult::Started);
        }
    }
    farm
}

/// When a printer that prints is done: its file says how long it takes, and it has not taken longer yet.
fn done_at(farm: &Farm, id: &PrinterId) -> Option<u64> {
    let claims = farm.snapshot.claims.iter();
    let mut claims = claims.flat_map(|(copy, all)| all.values().map(move |claim| (copy, claim)));
    let (copy, claim) = claims.find(|(_, claim)| {
        claim.record.printer == id.name && claim.record.state == ClaimState::Printing
    })?;
    let run = claim.runs.values().next()?;
    let file = &farm.snapshot.jobs[&copy.job].sets[0].spec.files[0];
    let at = run.started.0 + file.estimate_s? * 1000;
    (at > farm.presence.now.0).then_some(at)
}

/// The earliest time at which a printer that is at work and prints the job can begin with it. What it prints now takes its material.
fn can_start(farm: &Farm, job: &Job) -> Option<u64> {
    let printers = farm.snapshot.printers.keys();
    let ends = printers.filter_map(|id| {
        let done = done_at(farm, id)?;
        let mut after = farm.clone();
        let claims = farm.snapshot.claims.iter();
        let mut own = claims.filter(|(_, all)| {
            let mut all = all.values();
            all.any(|claim| claim.record.printer == id.name && claim.record.state.is_active())
        });
        let (copy, _) = own.next()?;
        let takes = &farm.snapshot.jobs[&copy.job].sets[0].spec.files[0].needs;
        let record = after.snapshot.printers.get_mut(id)?;
        for (slot, tool) in record.equipment.slots.iter_mut().zip(&takes.tools) {
            let left = slot.left_mg?;
            slot.left_mg = Some(left.saturating_sub(tool.mg.unwrap_or(0)));
        }
        (record.paused.is_none() && misfit(&after, job, id).is_none()).then_some(done)
    });
    ends.min()
}

/// Why a printer cannot print a job: for ever, or until somebody has changed something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Misfit {
    Never,
    Fixable,
}

fn misfit(farm: &Farm, job: &Job, id: &PrinterId) -> Option<Misfit> {
    let has: &Equipment = &farm.snapshot.printers[id].equipment;
    let pins = &job.printers;
    if !pins.is_empty()
        && !pins
            .iter()
            .any(|pin| *pin == id.name || *pin == format!("me/{}", id.name))
    {
        return Some(Misfit::Never);
    }
    let needs = &job.sets[0].spec.files[0].needs;
    if let Some(model) = &needs.model {
        match &has.model {
            Some(has) if has != model => return Some(Misfit::Never),
            _ => {}
        }
    }
    // What can never be is no matter of a nozzle or a name.
    if needs.volume_mm.is_some() && has.volume_mm.is_some() {
        return Some(Misfit::Never);
    }
    let mut fixable = needs.model.is_some() && has.model.is_none() && !has.simulated;
    if let (Some(needs), Some(has)) = (needs.nozzle_um, has.nozzle_um) {
        fixable |= needs != has;
    }
    if let (Some(tool), Some(slot)) = (needs.tools.first(), has.slots.first()) {
        fixable |= tool.material != slot.material || tool.mg > slot.left_mg;
    }
    fixable.then_some(Misfit::Fixable)
}

struct Naive {
    starts: Vec<(PrinterId, OpenCopy)>,
    after: Vec<(PrinterId, Turn)>,
    blocked: Vec<PrinterId>,
}

fn urgency(job: &Job) -> (u64, std::cmp::Reverse<Priority>) {
    let due = job.terms.due.map_or(u64::MAX, |at| at.0);
    (due, std::cmp::Reverse(job.terms.priority))
}

/// When prints of a job began.
fn began<'f>(farm: &'f Farm, job: &Job) -> impl Iterator<Item = Timestamp> + use<'f> {
    let id = job.id;
    let claims = farm
        .snapshot
        .claims
        .iter()
        .filter(move |(copy, _)| copy.job == id);
    let claims = claims.flat_map(|(_, claims)| claims.values());
    claims.flat_map(|claim| claim.runs.values().map(|run| run.started))
}

fn is_offered(farm: &Farm, job: &Job) -> bool {
    let left = farm
        .snapshot
        .copies_of(job)
        .any(|(_, state)| matches!(state, CopyState::Open(_) | CopyState::Claimed(_)));
    job.state == JobState::Open && !job.held && !job.draft && left
}

/// The jobs in their groups, sorted as far as the limit says.
fn arranged(farm: &Farm) -> Vec<Vec<&Job>> {
    let settings = &farm.snapshot.settings;
    let group = |job: &Job| {
        let name = &job.terms.group;
        let place = settings.groups.iter().position(|other| other == name);
        let unlisted = if name.is_empty() { 1 } else { 0 };
        match (settings.drain_groups, place) {
            (false, _) => (job.terms.backburner, 0, 0, String::new()),
            (true, Some(place)) => (job.terms.backburner, 0, place, String::new()),
            (true, None) => (job.terms.backburner, 1 + unlisted, 0, name.clone()),
        }
    };
    let mut all: Vec<&Job> = farm.snapshot.jobs.values().collect();
    all.sort_by_key(|job| (group(job), job.rank.clone(), job.id));
    let pending = |job: &&Job| is_offered(farm, job) && !job.terms.backburner;
    let scope = settings
        .sort_limit
        .of(all.iter().filter(|job| pending(job)).count());
    let scoped: Vec<&Job> = all.iter().copied().filter(pending).take(scope).collect();
    let overtaken = |at: usize| {
        let job = all[at];
        let urgent = all[at + 1..]
            .iter()
            .filter(|other| urgency(other) < urgency(job));
        let began: Vec<Timestamp> = urgent.flat_map(|other| began(farm, other)).collect();
        let was = began.iter().max() > Some(&job.created);
        let first = began.into_iter().min().filter(|_| was)?;
        Some(first.max(job.created))
    };
    let mut order: Vec<&Job> = Vec::new();
    let mut rest: Vec<usize> = (0..all.len()).collect();
    while !rest.is_empty() {
        let may = |at: usize| {
            let earlier = || rest.iter().copied().filter(|other| *other < at);
            let sortable = |at: usize| {
                settings.never_skip == NeverSkip::Off
                    && scoped.iter().any(|job| job.id == all[at].id)
            };
            let is_free = sortable(at)
                && earlier().all(|other| {
                    // Held, parked and finished ones are no part of the list.
                    let listed = sortable(other) || pending(&all[other]);
                    let same = group(all[other]) == group(all[at]);
                    !listed
                        || same
                            && sortable(other)
                            && overtaken(other).is_none_or(|first| {
                                let begun = began(farm, all[at]).next().is_some();
                                (begun || overtaken(at).is_some()) && all[at].created <= first
                            })
                });
            is_free || earlier().all(|other| !is_offered(farm, all[other]))
        };
        let next = rest.iter().copied().filter(|at| is_offered(farm, all[*at]));
        let next = next.filter(|at| may(*at)).min_by_key(|at| {
            // What may come next only because everything before it is gone is first in the list anyway.
            (urgency(all[*at]), *at)
        });
        let Some(next) = next else { break };
        rest.retain(|at| *at != next);
        order.push(all[next]);
    }
    let mut parts: Vec<Vec<&Job>> = Vec::new();
    for job in order {
        if settings.exclude_backburner && job.terms.backburner {
            continue;
        }
        match parts.last_mut().filter(|part| group(part[0]) == group(job)) {
            Some(part) => part.push(job),
            None => parts.push(vec![job]),
        }
    }
    parts
}

fn open_copies(farm: &Farm, job: &Job) -> Vec<OpenCopy> {
    let copies = farm.snapshot.copies_of(job);
    let open = copies.filter_map(|(copy, state)| match state {
        CopyState::Open(attempt) => Some(OpenCopy { copy, attempt }),
        _ => None,
    });
    open.collect()
}

fn naive(farm: &Farm) -> Naive {
    let settings = &farm.snapshot.settings;
    let used = |id: &PrinterId| {
        let record = &farm.snapshot.printers[id];
        let used = match settings.distribute {
            Distribute::LeastRecentlyUsed => record.last_print_ended.map_or(0, |at| at.0 + 1),
            Distribute::Hours => record.equipment.printed_s,
            _ => 0,
        };
        let most = match settings.distribute {
            Distribute::MostHours => record.equipment.printed_s,
            Distribute::Reverse => u64::from(record.position),
            _ => 0,
        };
        (used, std::cmp::Reverse(most), record.position, id.clone())
    };
    let mut free: Vec<PrinterId> = farm.snapshot.printers.keys().cloned().collect();
    free.retain(|id| {
        !farm.presence.busy.contains(id) && farm.snapshot.printers[id].paused.is_none()
    });
    free.sort_by_key(used);
    let mut result = Naive {
        starts: Vec::new(),
        after: Vec::new(),
        blocked: Vec::new(),
    };
    let mut firsts: Vec<(PrinterId, OpenCopy)> = Vec::new();
    // Who waits lets through what is done by then.
    let mut until: BTreeMap<PrinterId, u64> = BTreeMap::new();
    for part in arranged(farm) {
        let mut turns: Vec<(u64, usize, &Job, Vec<OpenCopy>)> = Vec::new();
        for (place, job) in part.into_iter().enumerate() {
            if job
                .terms
                .not_before
                .is_some_and(|at| at > farm.presence.now)
            {
                continue;
            }
            let states = farm.snapshot.copies_of(job).map(|(_, state)| state);
            let assigned =
                states.filter(|state| !matches!(state, CopyState::Open(_) | CopyState::Failed(_)));
            let level = u64::from(job.terms.level) + assigned.count() as u64;
            let level = if settings.order == Order::RoundRobin {
                level
            } else {
                0
            };
            turns.push((level, place, job, open_copies(farm, job)));
        }
        while let Some(next) = (0..turns.len()).min_by_key(|at| (turns[*at].0, turns[*at].1)) {
            let (level, _, job, copies) = &mut turns[next];
            if copies.is_empty() {
                turns.remove(next);
                continue;
            }
            let open = copies.remove(0);
            if settings.order == Order::RoundRobin {
                *level += 1;
            }
            let job = *job;
            let done = job.sets[0].spec.files[0].estimate_s;
            let done = done.map(|s| farm.presence.now.0 + s * 1000);
            let fits = |id: &&PrinterId| {
                let in_time = |until: &u64| done.is_some_and(|at| at <= *until);
                misfit(farm, job, id).is_none() && until.get(*id).is_none_or(in_time)
            };
            let left = |id: &PrinterId| {
                let slots = &farm.snapshot.printers[id].equipment.slots;
                let left = slots.first().and_then(|slot| slot.left_mg)?;
                Some(
                    left - job.sets[0].spec.files[0]
                        .needs
                        .tools
                        .first()
                        .and_then(|tool| tool.mg)
                        .unwrap_or(0),
                )
            };
            let fitting: Vec<PrinterId> = free.iter().filter(fits).cloned().collect();
            let taker = match settings.distribute {
                Distribute::BestFit => fitting
                    .iter()
                    .min_by_key(|id| std::cmp::Reverse(left(id).map_or(0, |mg| mg + 1))),
                _ => fitting.first(),
            };
            match taker.cloned() {
                Some(id) => {
                    for other in fitting.iter().filter(|other| **other != id) {
                        if !firsts.iter().any(|(known, _)| known == other) {
                            firsts.push((other.clone(), open));
                        }
                    }
                    free.retain(|other| *other != id);
                    result.starts.push((id, open));
                }
                None => {
                    if settings.never_skip != NeverSkip::Off && !job.terms.backburner {
                        let mut waits = |id: &PrinterId| {
                            let waits = match settings.never_skip {
                                NeverSkip::Strict => misfit(farm, job, id).is_some(),
                                _ => misfit(farm, job, id) == Some(Misfit::Fixable),
                            };
                            let backfills = settings.never_skip == NeverSkip::Backfill;
                            let at = can_start(farm, job).filter(|_| backfills);
                            if let Some(at) = at.filter(|_| waits) {
                                let known = until.entry(id.clone()).or_insert(at);
                                *known = at.min(*known);
                            }
                            waits && at.is_none()
                        };
                        result
                            .blocked
                            .extend(free.iter().filter(|id| waits(id)).cloned());
                        free.retain(|id| !waits(id));
                    }
                    turns.remove(next);
                }
            }
        }
    }
    let waits = free.iter().filter(|id| until.contains_key(id));
    result.blocked.extend(waits.cloned());
    free.retain(|id| !until.contains_key(id));
    for (at, id) in free.iter().enumerate() {
        let Some((_, open)) = firsts.iter().find(|(other, _)| other == id) else {
            continue;
        };
        let job = &farm.snapshot.jobs[&open.copy.job];
        let before = free[..at]
            .iter()
            .filter(|id| misfit(farm, job, id).is_none());
        let rank = 1 + before.count() as u32;
        result.after.push((id.clone(), Turn { open: *open, rank }));
    }
    result
}

fn farm_of(seed: u64) -> Farm {
    let dice = &mut Dice::new(seed);
    let farm = any_farm(dice);
    at_work(farm, dice)
}

/// A farm in which printers wait for jobs that fit busy ones.
fn waiting_farm(seed: u64) -> Farm {
    let dice = &mut Dice::new(80_000_000 + seed);
    let mut farm = any_farm(dice).set(&[("never-skip", "backfill")]);
    farm.presence.busy.clear();
    for name in ["k1", "k2", "k3", "k4"] {
        farm = farm.job(name, 2);
    }
    for (id, record) in &mut farm.snapshot.printers {
        record.equipment = Equipment {
            slots: vec![slot(0, dice.of(&["PLA", "PETG"]), 3 + dice.below(5))],
            ..Equipment::default()
        };
        if dice.one_in(2) {
            farm.presence.busy.insert(id.clone());
        }
    }
    for job in farm.snapshot.jobs.values_mut() {
        job.sets[0].spec.files[0].needs = Needs {
            tools: vec![tool(0, dice.of(&["PLA", "PETG"]), 1 + dice.below(3))],
            ..Needs::default()
        };
    }
    at_work(farm, dice)
}

fn compare(seed: u64) {
    same(seed, &farm_of(seed));
}

fn same(seed: u64, farm: &Farm) {
    let plan = farm.plan();
    let naive = naive(farm);
    let starts: Vec<(PrinterId, OpenCopy)> = plan
        .starts
        .iter()
        .map(|start| (start.printer.clone(), start.open))
        .collect();
    assert_eq!(starts, naive.starts, "farm {seed}: {farm:#?}");
    for (id, row) in &plan.printers {
        match row {
            Ok(turn) if turn.rank == 0 => {
                assert!(
                    naive.starts.contains(&(id.clone(), turn.open)),
                    "farm {seed}: {id:?}"
                );
            }
            Ok(turn) => assert!(
                naive.after.contains(&(id.clone(), *turn)),
                "farm {seed}: {id:?} {turn:?}, {:?}",
                naive.after
            ),
            Err(reason) => {
                let blocked = reason.code() == "never-skip";
                assert_eq!(
                    blocked,
                    naive.blocked.contains(id),
                    "farm {seed}: {id:?} {reason:?}"
                );
                assert!(
                    naive.after.iter().all(|(other, _)| other != id),
                    "farm {seed}: {id:?}"
                );
            }
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test, not the core: how many farms is up to who runs it"
)]
fn the_plan_is_the_one_that_asks_every_job_of_every_printer() {
    let farms = std::env::var("PRINTMESH_ORACLE_FARMS");
    let farms: u64 = farms.ok().and_then(|n| n.parse().ok()).unwrap_or(5000);
    (0..farms).for_each(compare);
    // The farms are no toys: they start things, leave printers over and let some of them wait.
    let mut seen = [0, 0, 0];
    for seed in 0..500 {
        let farm = farm_of(seed);
        let naive = naive(&farm);
        seen[0] += naive.starts.len();
        seen[1] += naive.after.len();
        seen[2] += naive.blocked.len();
    }
    assert!(seen.iter().all(|n| *n > 50), "{seen:?}");
}

#[test]
fn r_s7_backfill_lets_through_what_the_naive_way_does() {
    let mut let_through = 0;
    for seed in 0..4000 {
        let farm = waiting_farm(seed);
        same(seed, &farm);
        let waits = naive(&farm).blocked;
        let on = naive(&farm.set(&[("never-skip", "on")])).blocked;
        let_through += on.iter().filter(|id| !waits.contains(id)).count();
    }
    assert!(let_through > 50, "{let_through}");
}

#[test]
fn a_copy_is_named_by_its_job_and_its_number() {
    let id = CopyId {
        job: job_id("A"),
        index: 0,
    };
    let farm = Farm::new(1).job("A", 1);
    assert_eq!(farm.plan().starts[0].open.copy, id);
    assert_eq!(farm.plan().starts[0].printer, printer("p1"));
}
