//! Staggered start end to end: two daemons whose printers share a circuit on which one may heat.

use super::environment::{Farm, sliced};

/// Slow enough to be seen heating.
const SLOW: &str = "sim://?speed=20&clear=manual";

#[test]
fn of_two_printers_on_one_circuit_the_second_one_heats_when_the_first_one_is_hot() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(SLOW);
    a.ok(&["queue", "set", "farm", "--heat-slots", "1"]);
    let shown = a.ok(&["queue", "show", "farm"]);
    assert!(shown.contains("heat-slots"), "{shown}");
    for host in [&a, &b] {
        host.ok(&[
            "printer",
            "edit",
            "sim",
            "--circuit",
            "shed",
            "--watts",
            "900",
        ]);
    }
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "2"]);
    let states = || {
        let of = |name: &str| a.json(&["printer", "show", name])["reason"].clone();
        [of("a/sim"), of("b/sim")]
    };
    a.until("one of them waits", |_| {
        let states = states();
        let waits = states.iter().filter(|code| *code == "heat-slot");
        (waits.count() == 1).then_some(())
    });
    // It begins while the first one still prints, or has ended: in any case by itself.
    a.wait(&[&job]);
    assert_eq!(a.history().len(), 2);
    // A budget that no printer fits into: none begins.
    a.ok(&[
        "queue",
        "set",
        "farm",
        "--heat-slots",
        "none",
        "--heat-watts",
        "800",
    ]);
    for host in [&a, &b] {
        host.ok(&["printer", "ready", "sim"]);
    }
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    a.until("nobody may", |_| {
        states()
            .iter()
            .any(|code| code == "heat-slot")
            .then_some(())
    });
    a.ok(&["queue", "set", "farm", "--heat-watts", "900"]);
    a.wait(&[&job]);
}
