//! What will have happened when: the simulation as a specification, and against the plan applied literally, print by print.

use std::collections::BTreeMap;

use printmesh_queue::{Bed, ClaimState, Distribute, Needs, PrinterId, RunResult, Timestamp};
use printmesh_schedule::{Assume, Basis, Finish, Forecast, Line, Outlook, Times, plan, simulate};

use crate::{
    farm::{Farm, ME, job_id, printer, tool},
    oracle::{Dice, any_farm},
};

/// The farm's now, on a whole minute.
pub(crate) const NOW: u64 = 100_020_000;
pub(crate) const MINUTE: u64 = 60_000;

pub(crate) const ASSUME: Assume = Assume {
    turnaround_ms: None,
    until: None,
    prints_max: 10_000,
};

/// So many free printers, long after 1970.
pub(crate) fn free(printers: u32) -> Farm {
    let mut farm = Farm::new(printers);
    farm.presence.now = Timestamp(NOW);
    farm
}

/// Says how many minutes each print of a job takes, by its slicer.
fn minutes(farm: Farm, job: &str, minutes: u64) -> Farm {
    farm.edit(job, |job| {
        job.sets[0].spec.files[0].estimate_s = Some(60 * minutes);
    })
}

pub(crate) fn job(farm: Farm, name: &str, copies: u32, takes: u64) -> Farm {
    minutes(farm.job(name, copies), name, takes)
}

pub(crate) fn outlook(farms: &[&Farm]) -> Outlook {
    let lines = farms.iter().map(|farm| Line {
        snapshot: farm.snapshot.clone(),
        presence: farm.presence.clone(),
    });
    Outlook {
        lines: lines.collect(),
        left_ms: BTreeMap::new(),
    }
}

pub(crate) fn ahead(farm: &Farm) -> Forecast {
    simulate(&outlook(&[farm]), &ASSUME)
}

/// `p1 A1 0-60`: copy 1 of A on p1, from now for an hour; `?` for an end that nobody knows.
pub(crate) fn timeline(farms: &[&Farm], forecast: &Forecast) -> Vec<String> {
    let minute = |at: Timestamp| at.0.saturating_sub(NOW) / MINUTE;
    let prints = forecast.prints.iter().map(|print| {
        let name = &farms[print.line].snapshot.jobs[&print.copy.job].name;
        let to = match &print.to {
            Ok((to, _)) => minute(*to).to_string(),
            Err(_) => "?".to_owned(),
        };
        let from = minute(print.from);
        let copy = print.copy.index + 1;
        format!("{} {name}{copy} {from}-{to}", print.printer.name)
    });
    prints.collect()
}

#[track_caller]
fn check(farm: &Farm, rules: &[(&str, &str)], expected: &[&str]) {
    let farm = farm.clone().set(rules);
    assert_eq!(
        timeline(&[&farm], &ahead(&farm)),
        expected,
        "under {rules:?}"
    );
}

#[track_caller]
pub(crate) fn done(forecast: &Forecast, job: &str, minutes: u64) {
    let at = Timestamp(NOW + minutes * MINUTE);
    assert_eq!(forecast.jobs[&job_id(job)], Finish::At(at), "{job}");
}

#[test]
fn copies_follow_one_another_by_the_rules_of_the_queue_until_everything_is_done() {
    let farm = job(job(free(2), "A", 3, 60), "B", 2, 30);
    check(
        &farm,
        &[],
        &[
            "p1 A1 0-60",
            "p2 A2 0-60",
            "p1 A3 60-120",
            "p2 B1 60-90",
            "p2 B2 90-120",
        ],
    );
    check(
        &farm,
        &[("order", "round-robin")],
        &[
            "p1 A1 0-60",
            "p2 B1 0-30",
            "p2 A2 30-90",
            "p1 B2 60-90",
            "p1 A3 90-150",
        ],
    );
    let forecast = ahead(&farm);
    done(&forecast, "A", 120);
    done(&forecast, "B", 120);
    assert!(!forecast.cut);
}

#[test]
fn a_date_that_will_be_missed_is_known_beforehand() {
    let farm = job(job(free(1), "A", 2, 60), "B", 1, 60);
    let finish = &ahead(&farm).jobs[&job_id("B")];
    let due = |minutes: u64| finish.late_ms(Timestamp(NOW + minutes * MINUTE), Timestamp(NOW));
    assert_eq!(
        (due(180), due(181), due(150)),
        (None, None, Some(30 * MINUTE))
    );
    // Nobody knows when it is done, but it is not done yet.
    let over = Finish::Waits.late_ms(Timestamp(NOW - MINUTE), Timestamp(NOW));
    assert_eq!(over, Some(MINUTE));
    assert_eq!(
        Finish::Waits.late_ms(Timestamp(NOW + 1), Timestamp(NOW)),
        None
    );
}

#[test]
fn a_print_that_is_under_way_ends_when_its_machine_says_or_else_when_its_file_does() {
    let began = NOW - 20 * MINUTE;
    let farm = job(free(1), "A", 2, 60).printed("A", 1, "p1", began, RunResult::Started);
    let farm = farm.record("p1", |p| p.bed = Bed::Occupied).busy(&["p1"]);
    check(&farm, &[], &["p1 A1 0-40", "p1 A2 40-100"]);
    let mut told = outlook(&[&farm]);
    let copy = printmesh_queue::CopyId {
        job: job_id("A"),
        index: 0,
    };
    told.left_ms.insert(printer("p1"), (copy, 5 * MINUTE));
    let forecast = simulate(&told, &ASSUME);
    assert_eq!(timeline(&[&farm], &forecast), ["p1 A1 0-5", "p1 A2 5-65"]);
    assert_eq!(forecast.prints[0].from, Timestamp(began));
    assert!(forecast.prints[0].begun && !forecast.prints[1].begun);
}

#[test]
fn r_a5_somebody_has_to_clear_the_bed_between_two_prints() {
    let farm = job(free(1), "A", 2, 60);
    let assume = Assume {
        turnaround_ms: Some(10 * MINUTE),
        ..ASSUME
    };
    let forecast = simulate(&outlook(&[&farm]), &assume);
    assert_eq!(
        timeline(&[&farm], &forecast),
        ["p1 A1 0-60", "p1 A2 70-130"]
    );
    let occupied = farm.record("p1", |p| p.bed = Bed::Occupied);
    let forecast = simulate(&outlook(&[&occupied]), &assume);
    assert_eq!(
        timeline(&[&occupied], &forecast),
        ["p1 A1 10-70", "p1 A2 80-140"]
    );
    done(&forecast, "A", 140);
}

#[test]
fn a_printer_that_waits_for_more_than_a_clear_bed_is_not_counted_on() {
    let farm = job(free(3), "A", 2, 60)
        .record("p1", |p| p.bed = Bed::Unknown)
        .record("p2", |p| p.paused = Some("nozzle".into()));
    check(&farm, &[], &["p3 A1 0-60", "p3 A2 60-120"]);
    let nobody = farm.record("p3", |p| p.autoprint = false);
    let forecast = ahead(&nobody);
    assert_eq!(forecast.prints, []);
    assert_eq!(forecast.jobs[&job_id("A")], Finish::Waits);
}

#[test]
fn where_no_estimate_is_known_it_is_said_and_no_time_is_made_up() {
    // C fits another printer as well, B only the one that nobody knows the end of.
    let farm = free(2)
        .job("A", 1)
        .with(|job| job.printers = vec!["p1".into()]);
    let farm = job(farm, "B", 1, 60).with(|job| job.printers = vec!["p1".into()]);
    let farm = job(farm, "C", 1, 60);
    check(&farm, &[], &["p1 A1 0-?", "p2 C1 0-60"]);
    let forecast = ahead(&farm);
    let file = farm.snapshot.jobs[&job_id("A")].sets[0].spec.files[0]
        .name
        .clone();
    assert_eq!(
        forecast.jobs[&job_id("A")],
        Finish::NoEstimate(file.clone())
    );
    assert_eq!(forecast.jobs[&job_id("B")], Finish::Behind(file));
    done(&forecast, "C", 60);
}

#[test]
fn what_a_file_took_on_a_printer_counts_more_than_what_its_slicer_said() {
    let farm = job(job(free(2), "A", 3, 60), "B", 2, 10);
    let mut farm = farm.printed("A", 1, "p1", NOW - 200 * MINUTE, RunResult::Ok);
    for claims in farm.snapshot.claims.values_mut() {
        for run in claims
            .values_mut()
            .flat_map(|claim| claim.runs.values_mut())
        {
            run.ended = Some(Timestamp(run.started.0 + 90 * MINUTE));
        }
    }
    let mut times = Times::default();
    times.learn(&farm.snapshot);
    let file = |name: &str| &farm.snapshot.jobs[&job_id(name)].sets[0].spec.files[0];
    let of = |name: &str, on: &str| {
        let took = times.of(file(name), &printer(on)).expect("a time");
        (took.ms / MINUTE, took.basis)
    };
    assert_eq!(of("A", "p1"), (90, Basis::Measured));
    assert_eq!(of("B", "p1"), (15, Basis::Printer), "slower by half");
    assert_eq!(of("A", "p2"), (60, Basis::Slicer));
    assert_eq!(times.ratio(file("A").hash, &printer("p1")), Some(1500));
    assert_eq!(times.ratio(file("B").hash, &printer("p1")), None);
    check(
        &farm,
        &[],
        &["p1 A2 0-90", "p2 A3 0-60", "p2 B1 60-70", "p2 B2 70-80"],
    );
    // A file without an estimate has a time once it was printed there.
    let unsaid = farm.edit("A", |job| job.sets[0].spec.files[0].estimate_s = None);
    check(
        &unsaid,
        &[],
        &["p1 A2 0-90", "p2 A3 0-?", "p1 B1 90-100", "p1 B2 100-110"],
    );
}

#[test]
fn a_job_that_starts_later_wakes_a_printer_that_has_run_out_of_work() {
    let farm = job(job(free(2), "A", 1, 10), "B", 1, 60)
        .with(|job| job.terms.not_before = Some(Timestamp(NOW + 30 * MINUTE)));
    check(&farm, &[], &["p1 A1 0-10", "p1 B1 30-90"]);
}

#[test]
fn a_printer_takes_from_the_first_queue_that_has_something_for_it() {
    let local = job(free(1), "L", 2, 10);
    let shared = job(free(2), "S", 3, 60);
    let forecast = simulate(&outlook(&[&local, &shared]), &ASSUME);
    assert_eq!(
        timeline(&[&local, &shared], &forecast),
        [
            "p1 L1 0-10",
            "p2 S1 0-60",
            "p1 L2 10-20",
            "p1 S2 20-80",
            "p2 S3 60-120"
        ]
    );
}

#[test]
fn material_runs_out_in_virtual_time_too() {
    let needs = Needs {
        tools: vec![tool(0, "PLA", 40)],
        ..Needs::default()
    };
    let farm = free(1).job("A", 3).needs(needs);
    let farm =
        minutes(farm, "A", 10).has("p1", |e| e.slots = vec![crate::farm::slot(0, "PLA", 100)]);
    check(&farm, &[], &["p1 A1 0-10", "p1 A2 10-20"]);
    assert_eq!(ahead(&farm).jobs[&job_id("A")], Finish::Waits);
}

#[test]
fn what_lies_further_ahead_than_was_looked_is_said_to() {
    let farm = job(job(free(1), "A", 2, 60), "B", 1, 60);
    let until = Assume {
        until: Some(Timestamp(NOW + 90 * MINUTE)),
        ..ASSUME
    };
    let few = Assume {
        prints_max: 2,
        ..ASSUME
    };
    for assume in [until, few] {
        let forecast = simulate(&outlook(&[&farm]), &assume);
        assert_eq!(
            timeline(&[&farm], &forecast),
            ["p1 A1 0-60", "p1 A2 60-120"]
        );
        assert!(forecast.cut);
        done(&forecast, "A", 120);
        assert_eq!(forecast.jobs[&job_id("B")], Finish::Beyond);
    }
}

/// The plan applied literally: each start becomes a claim, each end an outcome, and the plan is asked again.
fn literally(mut farm: Farm) -> Vec<(u64, u64, PrinterId, printmesh_queue::CopyId)> {
    farm.presence.busy.clear();
    let mut running: Vec<(u64, PrinterId, printmesh_queue::CopyId, u32)> = Vec::new();
    let mut prints = Vec::new();
    loop {
        loop {
            let starts = plan(&farm.snapshot, &farm.presence).starts;
            if starts.is_empty() {
                break;
            }
            for start in starts {
                let now = farm.presence.now;
                let copy = start.open.copy;
                let job = farm.snapshot.jobs[&copy.job].clone();
                let estimate = job.sets[0].spec.files[0]
                    .estimate_s
                    .expect("every file has one");
                let end = now.0 + estimate * 1000;
                farm = farm.printed(
                    &job.name,
                    copy.index + 1,
                    &start.printer.name,
                    now.0,
                    RunResult::Started,
                );
                let claims = farm.snapshot.claims.get_mut(&copy).expect("just made");
                let (_, mut claim) = claims.pop_last().expect("just made");
                claim.attempt = start.open.attempt;
                claims.insert((claim.attempt, ME), claim);
                farm.presence.busy.insert(start.printer.clone());
                running.push((end, start.printer.clone(), copy, start.open.attempt));
                prints.push((now.0, end, start.printer, copy));
            }
        }
        let early = farm
            .snapshot
            .jobs
            .values()
            .filter_map(|job| job.terms.not_before);
        let early = early.map(|at| at.0).filter(|at| *at > farm.presence.now.0);
        let Some(next) = running.iter().map(|one| one.0).chain(early).min() else {
            return prints;
        };
        farm.presence.now = Timestamp(next);
        let (ended, rest) = running.into_iter().partition(|one| one.0 <= next);
        running = rest;
        for (end, id, copy, attempt) in ended {
            let claims = farm.snapshot.claims.get_mut(&copy).expect("it began");
            let claim = claims.get_mut(&(attempt, ME)).expect("it began");
            claim.record.state = ClaimState::Finished;
            let run = claim.runs.get_mut(&0).expect("it began");
            run.result = RunResult::Ok;
            let took_s = (end - run.started.0) / 1000;
            farm.presence.busy.remove(&id);
            let needs = &farm.snapshot.jobs[&copy.job].sets[0].spec.files[0].needs;
            let record = farm.snapshot.printers.get_mut(&id).expect("it printed");
            record.last_print_ended = Some(Timestamp(end));
            record.equipment.printed_s += took_s;
            for tool in &needs.tools {
                let slots = record.equipment.slots.iter_mut();
                for slot in slots.filter(|slot| slot.slot == tool.tool) {
                    let left = slot
                        .left_mg
                        .map(|left| left.saturating_sub(tool.mg.unwrap_or(0)));
                    slot.left_mg = left;
                }
            }
        }
    }
}

#[test]
fn the_simulation_says_what_the_plan_does_when_it_is_applied_print_by_print() {
    let mut prints = 0;
    for seed in 0..1_800 {
        let dice = &mut Dice::new(7_000_000 + seed);
        let mut farm = any_farm(dice);
        let settings = &farm.snapshot.settings;
        assert_ne!(settings.distribute, Distribute::Random);
        for job in farm.snapshot.jobs.values_mut() {
            job.sets[0].spec.files[0].estimate_s = Some(60 * (1 + dice.below(90)));
        }
        let forecast = ahead(&farm);
        let new = forecast.prints.iter().filter(|print| !print.begun);
        let mut simulated: Vec<_> = new
            .map(|print| {
                let (to, _) = print.to.clone().expect("every file has an estimate");
                (print.from.0, to.0, print.printer.clone(), print.copy)
            })
            .collect();
        let mut applied = literally(farm.clone());
        simulated.sort();
        applied.sort();
        assert_eq!(simulated, applied, "farm {seed}: {farm:#?}");
        prints += applied.len();
    }
    assert!(prints > 3_000, "{prints} prints were compared");
}
