//! Files of the next copy come while a printer prints; nothing is claimed by that.

use printmesh_node::{
    Command, Effect, NewJob, NewSet,
    limits::{AHEAD_BYTES_MAX, AHEAD_MS},
};
use printmesh_queue::FileHash;

use crate::farm::{Farm, Machines, file, job};

/// Host b prints `cup`, which host a submitted.
fn printing() -> Farm {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    farm.submit(0, job("farm", "cup"));
    farm.begin(1, "p0");
    farm.settle();
    farm
}

fn hash(name: &str) -> FileHash {
    file(name).hash
}

fn has(farm: &Farm, name: &str) -> bool {
    farm.hosts[1].files.contains(&hash(name))
}

/// How often host b asked for a file.
fn asked(farm: &Farm, name: &str) -> usize {
    let effects = farm.hosts[1].effects.iter();
    let asked = effects
        .filter(|effect| matches!(effect, Effect::Fetch { hash: of, .. } if *of == hash(name)));
    asked.count()
}

#[test]
fn r_l8_the_next_copys_file_is_here_before_the_print_ends_and_nothing_is_claimed() {
    let mut farm = printing();
    let next = farm.submit(0, job("farm", "lid"));
    let after = farm.submit(0, job("farm", "tray"));
    farm.pass(AHEAD_MS);
    assert!(has(&farm, "lid"));
    assert!(!has(&farm, "tray"), "one copy ahead");
    let claimed = |farm: &Farm, id| {
        let snapshot = farm.snapshot(1, "farm");
        snapshot.claims.keys().any(|copy| copy.job == id)
    };
    assert!(!claimed(&farm, next) && !claimed(&farm, after));
    assert_eq!(farm.hosts[1].imports, ["imports/cup/cup.gcode"]);
    farm.finish(1, "p0");
    farm.settle();
    // While the bed waits for a person as well.
    assert!(!has(&farm, "tray"));
    farm.ready(1);
    assert_eq!(farm.starts.len(), 2);
    assert_eq!(asked(&farm, "lid"), 1);
    farm.pass(AHEAD_MS);
    assert!(has(&farm, "tray"));
    farm.check();
}

#[test]
fn r_l8_each_of_two_printers_has_its_own_next_copy_fetched() {
    let mut farm = Farm::shared(&[0, 2]);
    farm.machines = Machines::Wait;
    for name in ["cup", "lid", "tray", "hook", "knob"] {
        farm.submit(0, job("farm", name));
    }
    farm.pass(2 * AHEAD_MS);
    assert_eq!(farm.starts.len(), 2);
    let here: Vec<bool> = ["tray", "hook", "knob"].map(|name| has(&farm, name)).into();
    assert_eq!(here, [true, true, false]);
}

#[test]
fn r_l8_a_transfer_ends_when_the_printer_will_take_something_else() {
    let mut farm = printing();
    farm.hosts[1].fetches_hang = true;
    let lid = farm.submit(0, job("farm", "lid"));
    farm.pass(AHEAD_MS);
    assert_eq!((asked(&farm, "lid"), farm.hosts[1].stopped.len()), (1, 0));
    farm.ok(
        0,
        Command::JobHold {
            job: lid.to_string(),
        },
    );
    farm.pass(AHEAD_MS);
    assert_eq!(farm.hosts[1].stopped, [hash("lid")]);
    // It is asked for anew once it is next again.
    farm.ok(
        0,
        Command::JobRelease {
            job: lid.to_string(),
        },
    );
    farm.pass(AHEAD_MS);
    assert_eq!(asked(&farm, "lid"), 2);
    // Whoever claims the copy waits for the very same transfer.
    farm.finish(1, "p0");
    farm.settle();
    farm.ready(1);
    farm.pass(2 * AHEAD_MS);
    assert_eq!(farm.status(1, lid), "fetching");
    assert_eq!((asked(&farm, "lid"), farm.hosts[1].stopped.len()), (2, 1));
}

#[test]
fn r_l8_what_is_too_large_waits_for_its_claim() {
    let mut farm = printing();
    let mut large = file("lid");
    large.size = AHEAD_BYTES_MAX + 1;
    let lid = NewJob {
        sets: vec![NewSet::of(large, 1)],
        ..job("farm", "lid")
    };
    farm.submit(0, lid);
    farm.pass(2 * AHEAD_MS);
    assert_eq!(asked(&farm, "lid"), 0);
    farm.finish(1, "p0");
    farm.settle();
    farm.ready(1);
    assert_eq!(farm.starts.len(), 2);
}

/// That it is not here is said once a printer wants it, and no earlier.
#[test]
fn r_l8_a_file_that_nobody_has_yet_is_no_reason_to_wait() {
    let mut farm = printing();
    let lid = farm.submit(0, job("farm", "lid"));
    farm.pass(AHEAD_MS);
    let other = farm.submit(0, job("farm", "tray"));
    farm.hosts[0].files.remove(&hash("tray"));
    farm.ok(
        0,
        Command::JobHold {
            job: lid.to_string(),
        },
    );
    farm.pass(3 * AHEAD_MS);
    assert_eq!(asked(&farm, "tray"), 1, "and not again and again");
    assert_eq!(farm.why(1, other), [("b/p0".to_owned(), "printer-busy")]);
}
