//! The queue's rules as a host lives by them: what is loaded, swapped and used up, and what starts later.

use printmesh_node::{Code, Command, NewJob, NewSet, PrinterEdit, TermsEdit};
use printmesh_queue::{FileSpec, Needs, Slot, ToolNeed};

use crate::farm::{Farm, Machines, file, job};

fn petg(name: &str, grams: u64) -> FileSpec {
    let tool = ToolNeed {
        tool: 0,
        material: Some("PETG".into()),
        color: None,
        mg: Some(grams * 1000),
    };
    FileSpec {
        needs: Needs {
            tools: vec![tool],
            ..Needs::default()
        },
        ..file(name)
    }
}

fn load(farm: &mut Farm, n: usize, material: &str, grams: u64) {
    let slot = Slot {
        slot: 0,
        material: Some(material.into()),
        color: None,
        left_mg: Some(grams * 1000),
        spool: None,
    };
    let edit = PrinterEdit {
        slots: vec![slot],
        ..PrinterEdit::default()
    };
    let printer = "p0".to_owned();
    farm.ok(n, Command::PrinterEdit { printer, edit });
}

/// Host b has a printer with PLA; host a submits.
fn farm() -> Farm {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Print;
    load(&mut farm, 1, "PLA", 100);
    farm
}

fn left_mg(farm: &Farm) -> Option<u64> {
    let printers = farm.snapshot(0, "farm").printers.values();
    let mut slots = printers.flat_map(|record| &record.equipment.slots);
    slots.next().and_then(|slot| slot.left_mg)
}

#[test]
fn a_job_waits_until_somebody_loads_what_it_needs_and_what_it_took_is_deducted() {
    let mut farm = farm();
    let new = NewJob {
        sets: vec![NewSet::of(petg("cup", 30), 2)],
        ..job("farm", "cup")
    };
    let id = farm.submit(0, new);
    assert_eq!(farm.why(0, id), [("b/p0".to_owned(), "material")]);
    assert!(farm.starts.is_empty());
    load(&mut farm, 1, "PETG", 59);
    assert_eq!(farm.why(0, id), [("b/p0".to_owned(), "amount")]);
    load(&mut farm, 1, "PETG", 800);
    farm.ready(1);
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(left_mg(&farm), Some(740_000), "two prints of 30 g each");
    farm.check();
}

#[test]
fn with_never_skip_the_printer_waits_for_the_first_job_until_it_is_loaded() {
    let mut farm = farm();
    farm.set("never-skip", "on");
    let new = NewJob {
        sets: vec![NewSet::of(petg("cup", 1), 1)],
        ..job("farm", "cup")
    };
    let first = farm.submit(0, new);
    let second = farm.submit(0, job("farm", "lid"));
    assert!(farm.starts.is_empty());
    assert_eq!(farm.why(0, second), [("b/p0".to_owned(), "never-skip")]);
    load(&mut farm, 1, "PETG", 10);
    farm.ready(1);
    let order: Vec<String> = farm
        .starts
        .iter()
        .map(|start| start.run.0.clone())
        .collect();
    assert_eq!(order, [first.to_string(), second.to_string()]);
    farm.check();
}

#[test]
fn a_job_that_starts_later_is_started_then_by_itself() {
    let mut farm = farm();
    let later = farm.now().wall.0 + 90_000;
    let new = NewJob {
        terms: TermsEdit {
            not_before_ms: Some(later),
            ..TermsEdit::default()
        },
        ..job("farm", "cup")
    };
    let id = farm.submit(0, new);
    farm.pass(89_000);
    assert_eq!(farm.why(0, id), [("b/p0".to_owned(), "not-before")]);
    assert!(farm.starts.is_empty());
    farm.pass(2_000);
    assert_eq!(farm.status(0, id), "done");
}

#[test]
fn what_cannot_be_is_refused_as_a_whole() {
    let mut farm = farm();
    let bad = [
        PrinterEdit {
            position: Some(0),
            ..PrinterEdit::default()
        },
        PrinterEdit {
            nozzle_um: Some(6000),
            ..PrinterEdit::default()
        },
        PrinterEdit {
            volume_mm: Some([0, 1, 1]),
            ..PrinterEdit::default()
        },
    ];
    for edit in bad {
        let edit = PrinterEdit {
            model: Some("MK4".into()),
            ..edit
        };
        let printer = "p0".to_owned();
        let problem = farm.refused(1, Command::PrinterEdit { printer, edit });
        assert_eq!(problem.code, Code::BadNumber);
    }
    let edit = PrinterEdit {
        tags: Some(vec!["a,b".into()]),
        ..PrinterEdit::default()
    };
    let printer = "p0".to_owned();
    let problem = farm.refused(1, Command::PrinterEdit { printer, edit });
    assert_eq!(problem.code, Code::BadName);
    let mut printers = farm.snapshot(1, "farm").printers.values();
    assert!(printers.all(|record| record.equipment.model.is_none()));
}
