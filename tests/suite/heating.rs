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
    // What another budget would change is shown before anybody sets it.
    let rows = a.until("the preview", |a| {
        let shown = a.json(&["queue", "set", "farm", "--heat-watts", "900", "-n"]);
        let rows = shown["printers"].as_array()?.clone();
        (rows.len() == 1).then_some(rows)
    });
    assert_eq!(
        (&rows[0]["now"], &rows[0]["then"]),
        (
            &"clip, copy 1, once it may heat".into(),
            &"clip, copy 1".into()
        )
    );
    a.ok(&["queue", "set", "farm", "--heat-watts", "900"]);
    a.wait(&[&job]);
}

/// A host that is away keeps its place: nobody else on its circuit heats, and on another one somebody does at once.
#[test]
fn printers_of_two_circuits_do_not_wait_for_one_another() {
    let farm = Farm::new();
    let (a, mut b) = farm.two_hosts("sim://?speed=1");
    a.ok(&["printer", "pause", "sim"]);
    a.ok(&["queue", "set", "farm", "--heat-slots", "1"]);
    for host in [&a, &b] {
        host.ok(&["printer", "edit", "sim", "--circuit", "left"]);
    }
    let clip = sliced("clip.gcode");
    let first = a.submit(&["-q", "farm", &clip]);
    a.wait_until("printing", &first);
    b.kill();
    let second = a.submit(&["-q", "farm", &clip]);
    a.ok(&["printer", "resume", "sim"]);
    a.until("the place", |a| {
        (a.json(&["printer", "show", "sim"])["reason"] == "heat-slot").then_some(())
    });
    a.ok(&["printer", "edit", "sim", "--circuit", "right"]);
    a.wait_until("printing", &second);
}
