//! AutoPrint with an end: a printer starts so many copies by itself, then a person decides again.

use printmesh_node::{Command, NewJob};

use crate::farm::{Farm, Machines, job};

fn autoprint_for(cycles: u32) -> Command {
    Command::AutoprintFor {
        printers: Vec::new(),
        cycles,
    }
}

fn bracket(copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job("farm", "bracket")
    }
}

#[test]
fn r_a4_a_printer_prints_as_many_copies_by_itself_as_a_person_said_and_then_stops() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.ok(1, autoprint_for(2));
    let id = farm.submit(0, bracket(5));
    for _ in 0..3 {
        farm.finish_all(1);
        farm.pass(60_000);
    }
    assert_eq!(farm.starts.len(), 2);
    assert_eq!(farm.why(0, id), [("b/p0".into(), "autoprint-off")]);
    let told = farm.hosts[1].events.iter();
    assert_eq!(
        told.filter(|event| event.kind == "printer.autoprint")
            .count(),
        1
    );
    // A restart does not make it forget, nor begin again.
    farm.kill(1);
    farm.boot(1);
    farm.ready(1);
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 2);
    // A person decides: one more, over a restart too.
    farm.ok(1, autoprint_for(1));
    farm.pass(60_000);
    farm.finish_all(1);
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 3);
    assert_eq!(
        farm.refused(1, autoprint_for(0)).code.as_str(),
        "number.bad"
    );
    farm.check();
}

#[test]
fn a_copy_that_fails_counts_as_well() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    farm.ok(1, autoprint_for(1));
    farm.submit(0, bracket(3));
    farm.begin(1, "p0");
    farm.fail(1, "p0", "it came off");
    farm.settle();
    farm.ready(1);
    farm.pass(600_000);
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}
