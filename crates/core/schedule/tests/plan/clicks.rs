//! 1-Click and the automatic loop are one engine: R-E1, and the rules of the click.

use printmesh_queue::Bed;
use printmesh_schedule::{CODES, Plan, Reason, one_click, passed_over};

use crate::{
    any::any,
    farm::{Farm, check, printer, slot, tool},
    oracle::Dice,
};

fn click(farm: &Farm) -> Plan {
    one_click(&farm.snapshot, &farm.presence, |_| true)
}

/// What a click would start is what the printers start by themselves, were autoprint on.
#[test]
fn r_e1_a_click_starts_what_the_printers_would_start_by_themselves() {
    let (mut starts, mut off) = (0, 0);
    for seed in 0..3000 {
        let farm = any(&mut Dice::new(70_000_000 + seed));
        let mut by_itself = farm.clone();
        for record in by_itself.snapshot.printers.values_mut() {
            off += usize::from(!record.autoprint);
            record.autoprint = true;
        }
        by_itself.snapshot.settings.autoprint = true;
        assert_eq!(click(&farm), by_itself.plan(), "farm {seed}: {farm:#?}");
        starts += click(&farm).starts.len();
        // Of one printer: its row of that plan, and nobody else's start.
        for id in farm.snapshot.printers.keys() {
            let own = one_click(&farm.snapshot, &farm.presence, |other| other == id).starts;
            assert!(own.iter().all(|start| start.printer == *id), "farm {seed}");
        }
    }
    assert!(starts > 1000 && off > 500, "{starts} {off}");
}

#[test]
fn r_c1_where_nothing_matches_a_click_starts_nothing_and_each_printer_says_why() {
    let farm = Farm::new(2)
        .record("p1", |p| p.paused = Some("x".into()))
        .job("A", 1)
        .with(|job| job.printers = vec!["p9".into()]);
    let plan = click(&farm);
    assert_eq!(plan.starts, []);
    let codes = plan
        .printers
        .values()
        .map(|row| row.as_ref().map_err(Reason::code));
    let codes: Vec<_> = codes.map(|row| row.expect_err("it waits")).collect();
    assert_eq!(codes, ["printer-paused", "nothing-fits"]);
    assert!(codes.iter().all(|code| CODES.contains(code)));
}

#[test]
fn r_a1_a_queue_whose_printers_start_nothing_by_themselves_is_started_by_a_click_and_a_printers_own_off_wins()
 {
    let off = [("autoprint", "off")];
    let farm = Farm::new(2)
        .job("A", 3)
        .record("p2", |p| p.autoprint = false);
    check(&farm, &[], &["p1 A1"]);
    check(&farm, &off, &[]);
    let farm = farm.set(&off);
    assert_eq!(farm.idles("p1").code(), "queue-autoprint-off");
    assert_eq!(farm.idles("p2").code(), "autoprint-off");
    let click = |meant: &[&str]| {
        let plan = one_click(&farm.snapshot, &farm.presence, |id| {
            meant.contains(&id.name.as_str())
        });
        let starts = plan.starts.iter();
        let starts =
            starts.map(|start| format!("{} {}", start.printer.name, start.open.copy.index + 1));
        starts.collect::<Vec<_>>()
    };
    assert_eq!(click(&["p1", "p2"]), ["p1 1", "p2 2"]);
    // Nobody meant p1, and it starts nothing by itself: p2 has the first copy.
    assert_eq!(click(&["p2"]), ["p2 1"]);
}

#[test]
fn r_c4_it_is_said_how_many_jobs_a_printer_passes_over() {
    let needs = |material| printmesh_queue::Needs {
        tools: vec![tool(0, material, 1)],
        ..printmesh_queue::Needs::default()
    };
    let farm = Farm::new(2)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
        .has("p2", |e| e.slots = vec![slot(0, "PETG", 900)])
        .job("X", 3)
        .needs(needs("ASA"))
        .job("H", 1)
        .with(|job| job.held = true)
        .job("Y", 2)
        .needs(needs("PETG"))
        .job("A", 1)
        .needs(needs("PLA"));
    let passed: Vec<(String, usize)> = click(&farm)
        .starts
        .iter()
        .map(|start| {
            let job = start.open.copy.job;
            let count = passed_over(&farm.snapshot, &farm.presence, &start.printer, job);
            (start.printer.name.clone(), count)
        })
        .collect();
    assert_eq!(passed, [("p2".to_owned(), 1), ("p1".to_owned(), 2)]);
}

#[test]
fn r_c3_a_printer_whose_print_lies_on_the_bed_is_not_clicked_awake() {
    let farm = Farm::new(2)
        .record("p1", |p| (p.bed, p.autoprint) = (Bed::Occupied, false))
        .record("p2", |p| p.autoprint = false)
        .job("A", 2);
    let plan = click(&farm);
    let started: Vec<&str> = plan
        .starts
        .iter()
        .map(|start| start.printer.name.as_str())
        .collect();
    assert_eq!(started, ["p2"]);
    let row = plan.printers[&printer("p1")].as_ref();
    assert_eq!(row.map_err(Reason::code), Err("bed-not-clear"));
}
