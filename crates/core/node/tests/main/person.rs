//! A person is told when a printer comes to wait for one: once.

use printmesh_node::{
    Command,
    limits::{PERSON_LOOK_MS, PERSON_MS},
};

use crate::farm::{Farm, Machines, job};

/// Long enough for anything to be told.
const A_WHILE_MS: u64 = PERSON_MS + 2 * PERSON_LOOK_MS;

fn told(farm: &Farm) -> Vec<String> {
    let events = farm.hosts[0].events.iter();
    let told = events.filter(|event| event.kind == "printer.needs-person");
    told.map(|event| event.state.clone().expect("a code"))
        .collect()
}

fn farm(machines: Machines) -> Farm {
    let mut farm = Farm::new(&[1]);
    farm.machines = machines;
    farm
}

#[test]
fn r_l10_it_is_told_once_and_not_again_after_a_restart_and_again_the_next_time() {
    let mut farm = farm(Machines::Print);
    farm.submit(0, job("local", "cup"));
    farm.submit(0, job("local", "lid"));
    assert!(told(&farm).is_empty(), "it may pass at once");
    farm.pass(A_WHILE_MS);
    assert_eq!(told(&farm), ["bed-not-clear"]);
    farm.pass(100 * A_WHILE_MS);
    farm.kill(0);
    farm.boot(0);
    farm.pass(100 * A_WHILE_MS);
    assert_eq!(told(&farm), ["bed-not-clear"]);
    farm.ready(0);
    farm.pass(A_WHILE_MS);
    assert_eq!(farm.starts.len(), 2);
    assert_eq!(
        told(&farm),
        ["bed-not-clear"],
        "it is the same again too soon"
    );
    farm.ready(0);
    farm.pass(A_WHILE_MS);
    farm.submit(0, job("local", "tray"));
    farm.pass(A_WHILE_MS);
    assert_eq!(told(&farm), ["bed-not-clear", "bed-not-clear"]);
}

#[test]
fn r_l10_nobody_is_told_of_a_printer_that_prints_or_whose_bed_clears_itself() {
    let mut busy = farm(Machines::Wait);
    busy.submit(0, job("local", "cup"));
    busy.begin(0, "p0");
    busy.pass(10 * A_WHILE_MS);
    assert!(told(&busy).is_empty());
    busy.finish(0, "p0");
    busy.settle();
    busy.pass(A_WHILE_MS);
    assert_eq!(told(&busy), ["bed-not-clear"]);
    let mut clears = farm(Machines::PrintAndClear);
    for name in ["cup", "lid", "tray"] {
        clears.submit(0, job("local", name));
        clears.pass(A_WHILE_MS);
    }
    assert_eq!(clears.starts.len(), 3);
    assert!(told(&clears).is_empty());
}

#[test]
fn r_l10_the_bed_between_two_prints_of_one_copy_is_told_of_as_well() {
    let mut farm = farm(Machines::Print);
    let mut kit = job("local", "kit");
    kit.copies = 2;
    kit.together = true;
    farm.submit(0, kit);
    farm.pass(A_WHILE_MS);
    assert_eq!(told(&farm), ["bed-not-clear"]);
    // A printer that a person pauses waits for nobody.
    let pause = Command::PrinterPause {
        printer: "p0".to_owned(),
        reason: "lunch".to_owned(),
    };
    farm.ok(0, pause);
    farm.pass(A_WHILE_MS);
    assert_eq!(told(&farm), ["bed-not-clear"]);
}
