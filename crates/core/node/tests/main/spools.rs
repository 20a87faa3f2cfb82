//! Spools whose stock somebody else keeps: each print is booked there once, whatever goes wrong on the way.

use printmesh_node::{
    Command, Effect, Input, NewJob, NewSet, PrinterEdit, SpoolFault, SpoolReading,
};
use printmesh_queue::{FileSpec, Needs, Slot, ToolNeed};

use crate::farm::{Farm, file, job};

const MG: u64 = 20_000;

fn farm() -> Farm {
    let mut farm = Farm::new(&[1]);
    let slot = Slot {
        slot: 0,
        material: Some("PLA".into()),
        spool: Some(7),
        left_mg: Some(500_000),
        ..Slot::default()
    };
    let edit = PrinterEdit {
        slots: vec![slot],
        ..PrinterEdit::default()
    };
    let printer = "p0".into();
    farm.ok(0, Command::PrinterEdit { printer, edit });
    farm
}

fn print(farm: &mut Farm) {
    let needs = Needs {
        tools: vec![ToolNeed {
            tool: 0,
            material: Some("PLA".into()),
            color: None,
            mg: Some(MG),
        }],
        ..Needs::default()
    };
    let part = FileSpec {
        needs,
        ..file("part")
    };
    let part = NewJob {
        sets: vec![NewSet::of(part, 1)],
        ..job("local", "part")
    };
    let id = farm.submit(0, part);
    assert_eq!(farm.status(0, id), "done", "{}", farm.dump(id));
}

fn reading(used_mg: u64) -> SpoolReading {
    SpoolReading {
        material: Some("PLA".into()),
        color: None,
        left_mg: Some(500_000 - used_mg),
        used_mg,
    }
}

fn seen(farm: &mut Farm, result: Result<SpoolReading, SpoolFault>) {
    farm.input(0, Input::Spool { spool: 7, result });
    farm.settle();
}

fn answer(farm: &mut Farm, result: Result<SpoolReading, SpoolFault>) {
    let id = told(farm).last().expect("it was told").0;
    farm.input(0, Input::SpoolUsed { id, result });
    farm.settle();
}

/// Each use that the keeper of the stock was told: its number, and milligrams.
fn told(farm: &Farm) -> Vec<(u64, u64)> {
    let effects = farm.hosts[0].effects.iter();
    let uses = effects.filter_map(|effect| match effect {
        Effect::UseSpool { id, spool: 7, mg } => Some((*id, *mg)),
        _ => None,
    });
    uses.collect()
}

fn amounts(farm: &Farm) -> Vec<u64> {
    told(farm).into_iter().map(|(_, mg)| mg).collect()
}

fn left(farm: &Farm) -> Option<u64> {
    farm.node(0).own_printers_view()["p0"].equipment.slots[0].left_mg
}

fn said(farm: &Farm, state: &str) -> usize {
    let events = farm.hosts[0].events.iter();
    let said = events.filter(|e| e.kind.starts_with("spool.") && e.state.as_deref() == Some(state));
    said.count()
}

#[test]
fn a_print_is_booked_once_and_what_is_left_is_what_the_keeper_says() {
    let mut farm = farm();
    print(&mut farm);
    assert_eq!(left(&farm), Some(500_000 - MG));
    assert_eq!(
        amounts(&farm),
        [0; 0],
        "what was there before is looked at first"
    );
    // Somebody weighed it meanwhile: what it was not told yet is taken off.
    seen(&mut farm, Ok(reading(100_000)));
    assert_eq!(
        (amounts(&farm), left(&farm)),
        (vec![MG], Some(400_000 - MG))
    );
    // A look that was under way says nothing about it.
    seen(&mut farm, Ok(reading(100_000)));
    answer(&mut farm, Ok(reading(100_000 + MG)));
    assert_eq!(left(&farm), Some(400_000 - MG));
    seen(&mut farm, Ok(reading(100_000 + MG)));
    farm.kill(0);
    farm.boot(0);
    seen(&mut farm, Ok(reading(100_000 + MG)));
    assert_eq!(amounts(&farm), [MG]);
    assert_eq!(said(&farm, "booked"), 1);
}

#[test]
fn while_the_keeper_is_down_printers_go_on_and_it_is_told_all_of_it_when_it_is_back() {
    let mut farm = farm();
    for _ in 0..3 {
        print(&mut farm);
        seen(&mut farm, Err(SpoolFault::Down("no route".into())));
    }
    assert_eq!(left(&farm), Some(500_000 - 3 * MG));
    let note = farm.node(0).own_printers_view()["p0"].spool_note.clone();
    assert!(note.is_some_and(|note| note.contains("no route")));
    assert_eq!(said(&farm, "old"), 1, "said once");
    farm.kill(0);
    farm.boot(0);
    seen(&mut farm, Ok(reading(0)));
    answer(&mut farm, Err(SpoolFault::Down("no route".into())));
    assert_eq!(amounts(&farm), [3 * MG]);
    seen(&mut farm, Ok(reading(0)));
    answer(&mut farm, Ok(reading(3 * MG)));
    assert_eq!(
        amounts(&farm),
        [3 * MG, 3 * MG],
        "nothing was told the first time"
    );
    seen(&mut farm, Ok(reading(3 * MG)));
    assert_eq!(
        (amounts(&farm).len(), left(&farm)),
        (2, Some(500_000 - 3 * MG))
    );
    assert_eq!(farm.node(0).own_printers_view()["p0"].spool_note, None);
}

#[test]
fn no_answer_is_told_by_the_next_look_and_never_booked_twice() {
    // What the keeper has on record afterwards, how often it is told, and whether a person hears of it.
    for (used_mg, times, unsure) in [
        (50_000 + MG, 1, 0),
        (50_000 + 3 * MG, 1, 0),
        (50_000, 2, 0),
        (50_000 + MG / 2, 1, 1),
        (40_000, 1, 1),
    ] {
        for crashes in [false, true] {
            let mut farm = farm();
            print(&mut farm);
            seen(&mut farm, Ok(reading(50_000)));
            if crashes {
                farm.kill(0);
                farm.boot(0);
            } else {
                answer(&mut farm, Err(SpoolFault::Unsure("it hung up".into())));
            }
            assert_eq!(amounts(&farm), [MG]);
            seen(&mut farm, Ok(reading(used_mg)));
            assert_eq!(amounts(&farm).len(), times, "{used_mg} {crashes}");
            assert_eq!(said(&farm, "unsure"), unsure, "{used_mg} {crashes}");
        }
    }
}

#[test]
fn a_spool_that_the_keeper_threw_away_stays_what_it_was_and_prints_go_on() {
    let mut farm = farm();
    print(&mut farm);
    seen(
        &mut farm,
        Err(SpoolFault::Refused("it has no spool 7".into())),
    );
    assert_eq!(
        (left(&farm), said(&farm, "unsure")),
        (Some(500_000 - MG), 1)
    );
    print(&mut farm);
    assert_eq!(left(&farm), Some(500_000 - 2 * MG));
}

#[test]
fn a_spool_is_in_one_place() {
    let mut farm = Farm::new(&[2]);
    let load = |slot| PrinterEdit {
        slots: vec![Slot {
            slot,
            material: Some("PLA".into()),
            spool: Some(7),
            ..Slot::default()
        }],
        ..PrinterEdit::default()
    };
    for (printer, slot) in [("p0", 0), ("p1", 0)] {
        let edit = load(slot);
        let printer = printer.into();
        farm.ok(0, Command::PrinterEdit { printer, edit });
    }
    let view = farm.node(0).own_printers_view();
    assert_eq!(view["p0"].equipment.slots[0].material, None);
    assert_eq!(view["p1"].equipment.slots[0].spool, Some(7));
}
