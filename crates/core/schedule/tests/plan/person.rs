//! What a person is told of: that a printer waits for somebody, and nothing that passes by itself or that somebody wanted so.

use printmesh_queue::{Bed, Between, Needs, RunResult};
use printmesh_schedule::{Index, Planner};

use crate::farm::{Farm, printer, slot, tool};

/// For what a printer waits for a person, if it does.
fn told(farm: &Farm, name: &str) -> Option<String> {
    let index = Index::new(&farm.snapshot);
    let planner = Planner::new(&farm.snapshot, &farm.presence, &index);
    let id = printer(name);
    let reason = planner.waits_for_person(&id, &planner.turn(&id));
    reason.map(|reason| reason.kind())
}

fn petg(farm: Farm) -> Farm {
    farm.needs(Needs {
        tools: vec![tool(0, "PETG", 1)],
        ..Needs::default()
    })
}

#[test]
fn r_l10_a_person_is_told_of_what_only_a_person_changes() {
    let farm = || Farm::new(2).job("A", 1);
    let with = |f: fn(&mut printmesh_queue::PrinterRecord)| farm().record("p1", f);
    for (farm, expected) in [
        (farm(), None),
        (with(|p| p.bed = Bed::Occupied), Some("bed-not-clear")),
        (with(|p| p.bed = Bed::Unknown), Some("bed-unknown")),
        (
            with(|p| p.fault = Some("halted".into())),
            Some("printer-fault"),
        ),
        (with(|p| p.online = false), Some("printer-offline")),
        (
            with(|p| p.between = Some(Between::Verdict)),
            Some("verdict"),
        ),
        (
            with(|p| p.between = Some(Between::NoBedTemperature(30))),
            Some("no-bed-temperature"),
        ),
        (
            with(|p| {
                p.paused = Some("whatever it printed failed".into());
                p.set_aside = true;
            }),
            Some("printer-paused"),
        ),
        // A person wanted it so.
        (with(|p| p.paused = Some("lunch".into())), None),
        (with(|p| p.autoprint = false), None),
        // It passes by itself.
        (with(|p| p.between = Some(Between::Cooling(30))), None),
        (with(|p| p.between = Some(Between::Clearing)), None),
        (with(|p| p.between = Some(Between::Heat)), None),
        (with(|p| p.between = Some(Between::Quiet(60))), None),
        (farm().busy(&["p1"]), None),
        (
            farm().busy(&["p1"]).record("p1", |p| p.bed = Bed::Occupied),
            None,
        ),
        // There is nothing to print.
        (Farm::new(1), None),
        (
            Farm::new(1)
                .job("A", 1)
                .printed("A", 1, "p9", 0, RunResult::Ok),
            None,
        ),
    ] {
        assert_eq!(told(&farm, "p1").as_deref(), expected, "{farm:#?}");
    }
}

#[test]
fn r_l10_a_person_is_told_what_to_load_only_where_no_other_printer_prints_the_job() {
    let farm = Farm::new(2)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
        .has("p2", |e| e.slots = vec![slot(0, "PLA", 900)]);
    let alone = petg(farm.clone().job("X", 1));
    assert_eq!(
        told(&alone, "p1").as_deref(),
        Some("nothing-fits/material/X")
    );
    let other = petg(farm.job("X", 2)).has("p2", |e| e.slots = vec![slot(0, "PETG", 900)]);
    assert_eq!(told(&other, "p1"), None);
    assert_eq!(told(&other.clone().busy(&["p2"]), "p1"), None);
    let paused = other.clone().record("p2", |p| p.paused = Some("".into()));
    assert_eq!(
        told(&paused, "p1").as_deref(),
        Some("nothing-fits/material/X")
    );
    // Where nothing is skipped the printer waits for it all the same.
    let waits = other.busy(&["p2"]).set(&[("never-skip", "on")]);
    assert_eq!(told(&waits, "p1").as_deref(), Some("never-skip/material/X"));
    // What a person holds, and what it can never print, is for nobody to load.
    let held = alone.clone().edit("X", |job| job.held = true);
    assert_eq!(told(&held, "p1"), None);
    let elsewhere = alone.edit("X", |job| job.printers = vec!["p9".into()]);
    assert_eq!(told(&elsewhere, "p1"), None);
}
