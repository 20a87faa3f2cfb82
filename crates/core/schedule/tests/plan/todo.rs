//! The to-do list: each entry is applied to a copy of the farm, and the plan then starts exactly what the entry says.

use std::collections::BTreeSet;

use printmesh_queue::{
    Bed, Between, ClaimState, ColorRule, CopyId, FileHash, HostId, Needs, PrinterId, RunResult,
    Slot, Timestamp, ToolNeed,
};
use printmesh_schedule::{Act, Change, Start, Todo, opened, plan, todo};

use crate::{
    farm::{Farm, job_id, printer, slot, tool},
    oracle::{Dice, any_farm},
};

const ALL: usize = usize::MAX;

impl Farm {
    fn todo(&self) -> Vec<Todo> {
        todo(&self.snapshot, &self.presence, ALL)
    }

    /// The list as `what: starts, prints`.
    pub(crate) fn list(&self) -> Vec<String> {
        let rows = self.todo();
        let rows = rows.iter().map(|row| {
            let changes: Vec<String> = row.changes.iter().map(words).collect();
            format!("{}: {}, {}", changes.join(" + "), row.starts, row.prints)
        });
        rows.collect()
    }

    /// As somebody sees it who starts prints by hand.
    fn opened(&self) -> Self {
        let mut farm = self.clone();
        farm.snapshot = opened(&farm.snapshot);
        farm
    }

    fn after(&self, changes: &[Change]) -> Self {
        let mut farm = self.clone();
        for change in changes {
            change.apply(&mut farm.snapshot, &mut farm.presence);
        }
        farm
    }
}

fn words(change: &Change) -> String {
    match change {
        Change::Start => "start".into(),
        Change::Resume(id) => format!("resume {}", id.name),
        Change::Ready(id) => format!("clear {}", id.name),
        Change::Judge(id) => format!("judge {}", id.name),
        Change::Connect(id) => format!("connect {}", id.name),
        Change::Find(file) => format!("find {}", file.0[0]),
        Change::Reach(host) => format!("reach {}", host.0[0]),
        Change::Equip(id, Act::Load(slot)) => {
            let material = slot.material.as_deref().unwrap_or("?");
            let color = slot.color.as_ref().map(|color| format!("/{color}"));
            let color = color.unwrap_or_default();
            format!("load {} {}={material}{color}", id.name, slot.slot)
        }
        Change::Equip(id, Act::Nozzle { um, hardened, .. }) => {
            let um = um.map(|um| format!(" {um}")).unwrap_or_default();
            let hard = hardened.map(|_| " hardened").unwrap_or_default();
            format!("nozzle {}{um}{hard}", id.name)
        }
        Change::Equip(id, Act::Model(model)) => format!("model {} {model}", id.name),
    }
}

fn material(name: &str) -> Needs {
    Needs {
        tools: vec![ToolNeed {
            mg: None,
            ..tool(0, name, 0)
        }],
        ..Needs::default()
    }
}

fn nozzle(um: u32) -> Needs {
    Needs {
        nozzle_um: Some(um),
        ..Needs::default()
    }
}

fn copies(starts: &[Start]) -> BTreeSet<CopyId> {
    starts.iter().map(|start| start.open.copy).collect()
}

/// Lets the printers that a change is about print one copy after the other, and counts what that is more than before.
fn drained(before: &Farm, entry: &Todo, printers: &BTreeSet<PrinterId>) -> usize {
    let mut farm = before.after(&entry.changes);
    let mut prints = 0;
    // What starts at once does so at once: with others first, turns could be others.
    for start in farm.plan().starts {
        prints += 1;
        let state = match printers.contains(&start.printer) {
            true => ClaimState::Finished,
            false => ClaimState::Printing,
        };
        farm = done(farm, &start, state);
    }
    let all: Vec<PrinterId> = farm.snapshot.printers.keys().cloned().collect();
    let others = all.into_iter().filter(|id| !printers.contains(id));
    farm.presence.busy.extend(others);
    while let Some(start) = farm.plan().starts.into_iter().next() {
        farm = done(farm, &start, ClaimState::Finished);
        prints += 1;
    }
    prints - before.plan().starts.len()
}

fn done(farm: Farm, start: &Start, state: ClaimState) -> Farm {
    let copy = start.open.copy;
    let name = farm.snapshot.jobs[&copy.job].name.clone();
    let attempts = farm.snapshot.claims_of(copy).count() as u32;
    assert!(start.open.attempt <= attempts);
    farm.claim(&name, copy.index + 1, "elsewhere", state)
}

/// Whatever can keep a printer from work: beds, faults, cables, verdicts, hosts that are away, and with them the voters, and files that
/// nobody has.
fn troubled(dice: &mut Dice) -> Farm {
    let mut farm = any_farm(dice);
    for (n, job) in (1..).zip(farm.snapshot.jobs.values_mut()) {
        job.sets[0].spec.files[0].hash = FileHash([n; 32]);
    }
    let mut files = farm
        .snapshot
        .jobs
        .values()
        .map(|job| job.sets[0].spec.files[0].hash);
    farm.presence.missing = files.by_ref().filter(|_| dice.one_in(6)).collect();
    let me = farm.snapshot.members[&crate::farm::ME].clone();
    for host in &crate::any::HOSTS[1..] {
        let mut member = me.clone();
        member.certificate.member = *host;
        member.name = host.fingerprint();
        farm.snapshot.members.insert(*host, member);
        if dice.one_in(2) {
            farm.presence.reachable.insert(*host);
        }
    }
    let own: Vec<_> = farm.snapshot.printers.values().cloned().collect();
    for record in own {
        if !dice.one_in(3) {
            continue;
        }
        let id = PrinterId {
            host: dice.of(&crate::any::HOSTS[1..]),
            name: format!("q{}", record.position),
        };
        farm.snapshot.printers.insert(id, record);
    }
    if dice.one_in(5) {
        farm.snapshot.voters.hosts = crate::any::HOSTS.to_vec();
    }
    if !farm.presence.has_quorum(&farm.snapshot.voters) {
        farm.presence.voters_away_ms = Some(1_000);
    }
    for (id, record) in &mut farm.snapshot.printers {
        record.autoprint = !dice.one_in(4);
        record.bed = dice.of(&[Bed::Clear, Bed::Clear, Bed::Occupied, Bed::Unknown]);
        record.online = !dice.one_in(8);
        record.fault = dice.one_in(10).then(|| "halted".into());
        if dice.one_in(10) {
            (record.between, record.bed) = (Some(Between::Verdict), Bed::Occupied);
            // Its host knows that its print is not settled yet.
            if id.host == crate::farm::ME {
                farm.presence.busy.insert(id.clone());
            }
        }
    }
    farm
}

/// Printers that can print something because of a change.
fn about(farm: &Farm, changes: &[Change]) -> BTreeSet<PrinterId> {
    let decided = farm.presence.has_quorum(&farm.snapshot.voters);
    let is_meant = |id: &PrinterId| match changes {
        [Change::Start] => !farm.snapshot.printers[id].autoprint,
        [Change::Find(_)] => id.host == crate::farm::ME,
        // Who brings the voters back brings everybody's start.
        [Change::Reach(host)] => !decided || id.host == *host,
        changes => changes
            .iter()
            .filter_map(Change::printer)
            .any(|other| other == id),
    };
    farm.snapshot
        .printers
        .keys()
        .filter(|id| is_meant(id))
        .cloned()
        .collect()
}

/// R-T2, R-T6: of each entry its changes are made on a copy of the farm; the plan starts exactly so many copies more, and the
/// printer it is about prints exactly so many one after the other.
#[test]
fn r_t6_whoever_does_what_the_list_says_sees_exactly_so_many_new_starts() {
    let (mut entries, mut pairs, mut kinds) = (0, 0, BTreeSet::new());
    for seed in 0..4000 {
        let dice = &mut Dice::new(7_000_000 + seed);
        let farm = troubled(dice);
        for entry in farm.todo() {
            let before = match entry.changes.as_slice() {
                [Change::Start] => farm.clone(),
                _ => farm.opened(),
            };
            let then = before.after(&entry.changes);
            let (now, later) = (before.plan().starts, then.plan().starts);
            let say = || format!("farm {seed}: {entry:?} {farm:#?}");
            assert_eq!(later.len() - now.len(), entry.starts, "{}", say());
            assert!(entry.starts > 0 && entry.prints > 0, "{}", say());
            let (now, later) = (copies(&now), copies(&later));
            let displaced: Vec<CopyId> = now.difference(&later).copied().collect();
            assert_eq!(displaced, entry.displaced, "{}", say());
            let about = about(&farm, &entry.changes);
            assert_eq!(drained(&before, &entry, &about), entry.prints, "{}", say());
            entries += 1;
            pairs += usize::from(entry.changes.len() == 2);
            kinds.extend(entry.changes.iter().map(|change| {
                let text = words(change);
                text.split(' ').next().unwrap_or_default().to_owned()
            }));
        }
    }
    // The farms are no toys.
    assert!(entries > 1000 && pairs > 50, "{entries} {pairs}");
    let seen: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let wanted = [
        "clear", "connect", "find", "judge", "load", "model", "nozzle", "reach", "resume", "start",
    ];
    assert_eq!(seen, wanted);
}

/// An empty list means that no single change at any printer starts anything, whatever it is.
#[test]
fn r_t5_an_empty_list_means_that_no_single_change_starts_anything() {
    let mut empty = 0;
    for seed in 0..3000 {
        let dice = &mut Dice::new(8_000_000 + seed);
        let mut farm = troubled(dice);
        for record in farm.snapshot.printers.values_mut() {
            record.autoprint = true;
        }
        let rows = farm.todo();
        if rows.iter().any(|row| row.changes.len() == 1) {
            continue;
        }
        empty += 1;
        let before = farm.plan().starts.len();
        let started: BTreeSet<PrinterId> = farm
            .plan()
            .starts
            .into_iter()
            .map(|start| start.printer)
            .collect();
        for id in farm
            .snapshot
            .printers
            .keys()
            .filter(|id| !started.contains(id))
        {
            let record = &farm.snapshot.printers[id];
            let mut tries = vec![
                Change::Ready(id.clone()),
                Change::Resume(id.clone()),
                Change::Connect(id.clone()),
                Change::Reach(id.host),
            ];
            // A verdict is given on the printer's own host.
            if id.host == crate::farm::ME && record.between == Some(Between::Verdict) {
                tries.push(Change::Judge(id.clone()));
            }
            tries.extend(farm.presence.missing.iter().copied().map(Change::Find));
            for material in ["PLA", "PETG"] {
                let full = Slot {
                    left_mg: None,
                    spool: None,
                    ..slot(0, material, 0)
                };
                tries.push(Change::Equip(id.clone(), Act::Load(full)));
            }
            let um = Some(400);
            let hardened = None;
            tries.push(Change::Equip(
                id.clone(),
                Act::Nozzle {
                    tool: None,
                    um,
                    hardened,
                },
            ));
            if farm.snapshot.printers[id].equipment.model.is_none() {
                tries.push(Change::Equip(id.clone(), Act::Model("M".into())));
            }
            for change in tries {
                let then = farm
                    .after(std::slice::from_ref(&change))
                    .plan()
                    .starts
                    .len();
                assert!(then <= before, "farm {seed}: {change:?} {farm:#?}");
            }
        }
    }
    assert!(empty > 300, "{empty}");
}

#[test]
fn r_t1_each_single_act_at_a_printer_is_found_with_what_it_unlocks() {
    let waits = |f: fn(&mut printmesh_queue::PrinterRecord)| {
        Farm::new(1).record("p1", f).job("A", 3).list()
    };
    assert_eq!(waits(|p| p.bed = Bed::Occupied), ["clear p1: 1, 3"]);
    assert_eq!(waits(|p| p.bed = Bed::Unknown), ["clear p1: 1, 3"]);
    assert_eq!(waits(|p| p.fault = Some("hot".into())), ["clear p1: 1, 3"]);
    assert_eq!(waits(|p| p.paused = Some("x".into())), ["resume p1: 1, 3"]);
    assert_eq!(waits(|p| p.online = false), ["connect p1: 1, 3"]);
    assert_eq!(waits(|p| p.autoprint = false), ["start: 1, 3"]);
    assert_eq!(waits(|_| {}), [""; 0], "it prints by itself");
    assert_eq!(
        waits(|p| (p.bed, p.between) = (Bed::Occupied, Some(Between::NoBedTemperature(30)))),
        ["clear p1: 1, 3"]
    );
    assert_eq!(
        waits(|p| p.between = Some(Between::Verdict)),
        ["judge p1: 1, 3"]
    );
    for passes in [Between::Cooling(30), Between::Clearing, Between::Quiet(420)] {
        let mut farm = Farm::new(1).job("A", 3);
        let record = farm.snapshot.printers.values_mut().next().unwrap();
        (record.bed, record.between) = (Bed::Occupied, Some(passes));
        assert_eq!(farm.list(), [""; 0], "{passes:?} passes by itself");
    }

    let lacks = |needs: Needs| {
        let farm = Farm::new(1).has("p1", |e| {
            e.nozzle_um = Some(600);
            e.hardened = Some(false);
            e.slots = vec![slot(0, "PLA", 20)];
        });
        farm.job("A", 2).needs(needs).list()
    };
    assert_eq!(lacks(material("PETG")), ["load p1 0=PETG: 1, 2"]);
    assert_eq!(lacks(nozzle(400)), ["nozzle p1 400: 1, 2"]);
    let much = Needs {
        tools: vec![tool(0, "PLA", 50)],
        ..Needs::default()
    };
    assert_eq!(lacks(much), ["load p1 0=PLA: 1, 2"], "another spool");
    let hard = Needs {
        hardened: true,
        ..nozzle(400)
    };
    assert_eq!(lacks(hard), ["nozzle p1 400 hardened: 1, 2"], "one nozzle");
    let hot = Needs {
        nozzle_c: Some(300),
        ..Needs::default()
    };
    let cold = Farm::new(1).has("p1", |e| e.nozzle_c_max = Some(200));
    assert_eq!(cold.job("A", 1).needs(hot).list(), [""; 0], "no act helps");
}

#[test]
fn r_t1_a_colour_that_is_required_is_named_and_a_model_is_never_guessed_for_another() {
    let black = || Needs {
        tools: vec![ToolNeed {
            color: Some("black".into()),
            ..material("PLA").tools.remove(0)
        }],
        ..Needs::default()
    };
    let farm = Farm::new(1).has("p1", |e| e.slots = vec![slot(0, "PETG", 9)]);
    let farm = farm.job("A", 1).needs(black());
    assert_eq!(farm.list(), ["load p1 0=PLA: 1, 1"]);
    let farm = farm.with(|job| job.terms.color = ColorRule::Require);
    assert_eq!(farm.list(), ["load p1 0=PLA/black: 1, 1"]);

    let mk4 = || Needs {
        model: Some("MK4".into()),
        ..Needs::default()
    };
    let farm = Farm::new(2).has("p1", |e| e.model = Some("MINI".into()));
    let farm = farm.job("A", 1).needs(mk4());
    assert_eq!(farm.list(), ["model p2 MK4: 1, 1"], "p1 is another one");
}

#[test]
fn r_t1_a_host_that_comes_back_brings_its_printers_and_a_file_that_is_found_the_jobs_that_need_it()
{
    let away = HostId([2; 32]);
    let mut farm = Farm::new(1).busy(&["p1"]).job("A", 5);
    let mut member = farm.snapshot.members[&crate::farm::ME].clone();
    member.certificate.member = away;
    farm.snapshot.members.insert(away, member);
    let record = farm.snapshot.printers[&printer("p1")].clone();
    for name in ["q1", "q2"] {
        let id = PrinterId {
            host: away,
            name: name.into(),
        };
        farm.snapshot.printers.insert(id, record.clone());
    }
    assert_eq!(farm.list(), ["reach 2: 2, 5"]);
    farm.presence.reachable.insert(away);
    assert_eq!(farm.list(), [""; 0]);

    // Two of three voters are away: nothing is decided, whatever is cleared.
    let mut farm = Farm::new(2)
        .record("p1", |p| p.bed = Bed::Occupied)
        .job("A", 5);
    farm.snapshot.voters.hosts = vec![crate::farm::ME, away, HostId([3; 32])];
    let mut member = farm.snapshot.members[&crate::farm::ME].clone();
    member.certificate.member = away;
    farm.snapshot.members.insert(away, member);
    assert_eq!(farm.list(), ["reach 2: 1, 5"]);

    let mut farm = Farm::new(1).job("A", 2);
    let file = FileHash([job_id("A").0[0]; 32]);
    farm.presence.missing.insert(file);
    assert_eq!(farm.list(), [format!("find {}: 1, 2", file.0[0])]);
}

#[test]
fn r_t2_with_never_skip_a_change_behind_the_job_that_blocks_unlocks_nothing() {
    let farm = Farm::new(2)
        .has("p1", |e| {
            e.nozzle_um = Some(600);
            e.slots = vec![slot(0, "PLA", 900)];
        })
        .busy(&["p2"])
        .job("A", 1)
        .needs(material("PETG"))
        .job("B", 7)
        .needs(nozzle(400));
    let both = ["nozzle p1 400: 1, 7", "load p1 0=PETG: 1, 1"];
    assert_eq!(farm.list(), both);
    let farm = farm.set(&[("never-skip", "on")]);
    assert_eq!(farm.list(), ["load p1 0=PETG: 1, 1"]);
    // What the blocker held up flows again: everything that starts because of it is counted.
    let farm = Farm::new(3)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
        .has("p2", |e| e.slots = vec![slot(0, "PLA", 900)])
        .has("p3", |e| e.slots = vec![slot(0, "PLA", 900)])
        .job("A", 1)
        .needs(material("PETG"))
        .job("B", 9)
        .needs(material("PLA"))
        .set(&[("never-skip", "on")]);
    assert_eq!(farm.starts(), [""; 0]);
    assert_eq!(farm.list()[0], "load p1 0=PETG: 3, 3");
}

#[test]
fn r_t3_the_list_is_ranked_by_prints_then_effort_then_queue_then_printer_and_is_stable() {
    let farm = Farm::new(4)
        .record("p1", |p| p.bed = Bed::Occupied)
        .record("p2", |p| p.bed = Bed::Occupied)
        .has("p3", |e| e.slots = vec![slot(0, "PLA", 900)])
        .has("p4", |e| e.nozzle_um = Some(600))
        .job("A", 4)
        .needs(material("PETG"))
        .with(|job| job.printers = vec!["p3".into()])
        .job("B", 4)
        .needs(nozzle(400))
        .with(|job| job.printers = vec!["p4".into()])
        .job("C", 4)
        .with(|job| job.printers = vec!["p1".into(), "p2".into()])
        .job("D", 6)
        .needs(nozzle(250))
        .with(|job| job.printers = vec!["p4".into()]);
    let list = [
        "nozzle p4 250: 1, 6",
        "clear p1: 1, 4",
        "clear p2: 1, 4",
        "load p3 0=PETG: 1, 4",
        "nozzle p4 400: 1, 4",
    ];
    assert_eq!(farm.list(), list);
    assert_eq!(farm.list(), list);
    let shorter = todo(&farm.snapshot, &farm.presence, 2);
    assert_eq!(shorter, farm.todo()[..2]);
}

/// p1 prints B; once the file of A is here, A comes before it on both printers.
#[test]
fn r_t4_a_change_that_puts_off_what_would_start_now_says_so() {
    let mut farm = Farm::new(2)
        .job("A", 2)
        .job("B", 1)
        .with(|job| job.printers = vec!["p1".into()]);
    let file = FileHash([job_id("A").0[0]; 32]);
    farm.presence.missing.insert(file);
    assert_eq!(farm.starts(), ["p1 B1"]);
    let found = farm.todo().remove(0);
    assert_eq!((found.changes, found.starts), (vec![Change::Find(file)], 1));
    let job = job_id("B");
    assert_eq!(found.displaced, [CopyId { job, index: 0 }]);
}

#[test]
fn r_t5_when_no_single_change_helps_the_best_pair_is_shown() {
    let farm = Farm::new(2)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
        .record("p1", |p| p.bed = Bed::Occupied)
        .record("p2", |p| p.paused = Some("x".into()))
        .record("p2", |p| p.online = false)
        .record("p2", |p| p.bed = Bed::Unknown)
        .job("A", 3)
        .needs(material("PETG"));
    assert_eq!(farm.list(), ["clear p1 + load p1 0=PETG: 1, 3"]);
    let farm = farm.record("p1", |p| p.bed = Bed::Clear);
    assert_eq!(farm.list(), ["load p1 0=PETG: 1, 3"]);
}

#[test]
fn minutes_are_those_of_all_runs_of_the_prints_that_a_change_unlocks() {
    let farm = Farm::new(1)
        .record("p1", |p| p.bed = Bed::Occupied)
        .job("A", 3)
        .with(|job| {
            job.sets[0].per_run = 2;
            job.sets[0].spec.files[0].estimate_s = Some(600);
        });
    let row = farm.todo().remove(0);
    assert_eq!((row.prints, row.seconds), (3, 3600));
    assert_eq!(row.first, job_id("A"));
    // What is printed elsewhere, or comes later, is not unlocked by it.
    let farm = farm.printed("A", 1, "q", 5, RunResult::Ok);
    assert_eq!(farm.list(), ["clear p1: 1, 2"]);
    let farm = farm.with(|job| job.terms.not_before = Some(Timestamp(2_000_000)));
    assert_eq!(farm.list(), [""; 0]);
}

#[test]
fn what_starts_anyway_is_nobodys_merit() {
    let farm = Farm::new(2)
        .record("p2", |p| p.bed = Bed::Occupied)
        .job("A", 10);
    assert_eq!(farm.list(), ["clear p2: 1, 9"]);
    let farm = farm.edit("A", |job| job.copies = 1);
    assert_eq!(farm.list(), [""; 0]);
    assert_eq!(plan(&farm.snapshot, &farm.presence).starts.len(), 1);
}

#[test]
fn where_there_is_more_than_anybody_counts_the_list_says_so() {
    let farm = Farm::new(1)
        .record("p1", |p| p.bed = Bed::Occupied)
        .job("A", 50_000);
    let row = farm.todo().remove(0);
    assert_eq!((row.prints, row.more), (10_000, true));
    let row = farm.edit("A", |job| job.copies = 10).todo().remove(0);
    assert_eq!((row.prints, row.more), (10, false));
}
