//! The G-code guard with real daemons: a file that would harm a machine is not started, everybody reads why, and only a
//! person at the printer's own host lets it pass.

use std::fs;

use crate::suite::environment::{Farm, sliced};

#[test]
fn a_file_that_would_harm_the_printer_is_not_started_until_its_own_host_allows_it() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts("sim://?speed=2000");
    a.ok(&["autoprint", "off", "sim"]);
    a.ok(&["queue", "set", "farm", "--retries", "0"]);
    let mut text = fs::read_to_string(sliced("clip.gcode")).unwrap();
    text.push_str("\n m0502 ; as good as new\n");
    let evil = farm.path().join("evil.gcode");
    fs::write(&evil, text).unwrap();
    let job = a.submit(&[evil.to_str().unwrap(), "-q", "farm", "--name", "evil"]);
    a.until("the guard's word", |me| {
        let shown = me.job(&job).to_string();
        (shown.contains("gcode-guard") && shown.contains("M0502")).then_some(())
    });
    assert_ne!(a.job(&job)["state"], "done");
    // Nothing began: the bed is as clear as before, and other files print.
    let good = a.submit(&[&sliced("clip.gcode"), "-q", "farm", "--name", "good"]);
    b.wait(&[&good]);
    a.problem(
        "printer.foreign",
        &["printer", "edit", "b/sim", "--allow", "evil"],
    );
    b.ok(&["printer", "edit", "sim", "--allow", "evil"]);
    a.ok(&["job", "resolve", "evil", "--retry"]);
    b.wait(&[&job]);
}

#[test]
fn what_a_printer_may_is_what_its_own_host_says() {
    let farm = Farm::new();
    let a = farm.printing_host("a", "sim://?speed=2000");
    a.ok(&["queue", "create", "farm"]);
    a.ok(&["queue", "set", "farm", "--retries", "0"]);
    a.ok(&["printer", "edit", "sim", "--volume", "30x30x30"]);
    // It says nothing of its size, so that nobody knew before it was read.
    let moves: String = (0..40)
        .map(|n| format!("G1 X{} Y10 E{n}\n", n * 5))
        .collect();
    let large = farm.path().join("large.gcode");
    fs::write(&large, format!("G28\nG90\n{moves}")).unwrap();
    let job = a.submit(&[large.to_str().unwrap(), "-q", "farm"]);
    a.until("the guard's word", |me| {
        me.job(&job)
            .to_string()
            .contains("would leave the printer")
            .then_some(())
    });
    a.ok(&["printer", "edit", "sim", "--volume", "250x250x250"]);
    a.ok(&["job", "resolve", "large", "--retry"]);
    a.wait(&[&job]);
}
