//! Prints that go well, and each way in which one can end otherwise, under a clock of our own.

use std::time::Duration;

use super::{
    expected,
    model::{Bench, check, feeds, identify, print},
    sliced,
};
use crate::{
    driver::Phase,
    fake_marlin::{Faults, firmware::Firmware as Fake},
    marlin::{
        Timings,
        identify::Refusal,
        protocol::{Outcome, Protocol},
    },
};

#[test]
fn a_good_cable_prints_the_file() {
    let text = sliced(3, 40);
    let (bench, outcome) = print(&text, Faults::default());
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(bench.printed(), expected(&text));
    assert_eq!(bench.starts, 1);
    assert_eq!(bench.protocol.phase(), Phase::Idle);
    assert!(!bench.fake.is_hot());
}

#[test]
fn all_kinds_of_firmware_print_the_file() {
    let text = sliced(2, 60);
    let slow = vec![
        ("G28".to_owned(), Duration::from_secs(20)),
        ("M400".to_owned(), Duration::from_secs(90)),
    ];
    let kinds = [
        Faults {
            busy_every: None,
            ..Faults::default()
        },
        Faults {
            has_auto_report: false,
            ..Faults::default()
        },
        Faults {
            has_advanced_ok: true,
            ..Faults::default()
        },
        Faults {
            resend_has_ok: false,
            corrupt_to_printer: 0.05,
            ..Faults::default()
        },
        Faults {
            says_start: false,
            ..Faults::default()
        },
        Faults {
            slow: slow.clone(),
            ..Faults::default()
        },
        Faults {
            slow,
            busy_every: None,
            heat_up: Duration::from_secs(600),
            ..Faults::default()
        },
    ];
    for faults in kinds {
        let (bench, outcome) = print(&text, faults.clone());
        assert_eq!(outcome, Outcome::Finished, "{faults:?}");
        assert_eq!(bench.printed(), expected(&text), "{faults:?}");
    }
}

#[test]
fn a_print_is_not_finished_before_its_last_move() {
    let slow = vec![("M400".to_owned(), Duration::from_secs(90))];
    let faults = Faults {
        double_ok: 1.0,
        slow,
        ..Faults::default()
    };
    let mut bench = Bench::new(faults).unwrap();
    bench.start(feeds(&sliced(1, 30)));
    bench.until(|bench| {
        bench
            .printed()
            .last()
            .is_some_and(|command| command == "M400")
    });
    let begin_ms = bench.now_ms;
    bench.until(|bench| !bench.outcomes.is_empty());
    assert_eq!(bench.outcomes, [Outcome::Finished]);
    assert!(bench.now_ms - begin_ms >= 89_000);
}

#[test]
fn a_second_print_counts_from_the_beginning() {
    let text = sliced(1, 30);
    let (mut bench, outcome) = print(
        &text,
        Faults {
            corrupt_to_printer: 0.02,
            ..Faults::default()
        },
    );
    assert_eq!(outcome, Outcome::Finished);
    bench.outcomes.clear();
    bench.start(feeds(&text));
    assert_eq!(bench.run(), Outcome::Finished);
    assert_eq!(bench.printed(), expected(&text));
}

#[test]
fn heaters_that_a_file_leaves_on_are_switched_off() {
    let (bench, outcome) = print("M104 S200\nG28\n", Faults::default());
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(bench.printed()[..3], ["M104 S200", "G28", "M400"]);
    assert!(!bench.fake.is_hot());
}

#[test]
fn failures_say_why_and_leave_nothing_hot() {
    let text = sliced(3, 40);
    let at = Some(60);
    let reset = Faults {
        reset_after: at,
        ..Faults::default()
    };
    let table = [
        (
            reset.clone(),
            "reset during the print (PowerUp)",
            Phase::Idle,
        ),
        (
            Faults {
                is_reset_silent: true,
                ..reset
            },
            "probably reset",
            Phase::Fault,
        ),
        (
            Faults {
                thermal_error_after: at,
                ..Faults::default()
            },
            "Thermal Runaway",
            Phase::Fault,
        ),
        (
            Faults {
                say_after: Some((60, "echo: cold extrusion prevented".into())),
                ..Faults::default()
            },
            "too cold",
            Phase::Idle,
        ),
        (
            Faults {
                say_after: Some((60, "Error:Printer halted. kill() called!".into())),
                ..Faults::default()
            },
            "kill()",
            Phase::Fault,
        ),
    ];
    for (faults, part, phase) in table {
        let (bench, outcome) = print(&text, faults);
        assert!(
            matches!(&outcome, Outcome::Failed(reason) if reason.contains(part)),
            "{outcome:?}"
        );
        assert_eq!(bench.protocol.phase(), phase, "{part}");
        assert!(!bench.fake.is_hot(), "{part}");
        check(&bench, &outcome, &expected(&text)).unwrap();
    }
    let (bench, outcome) = print(
        &text,
        Faults {
            silent_after: at,
            ..Faults::default()
        },
    );
    assert!(
        matches!(&outcome, Outcome::Failed(reason) if reason.contains("does not answer")),
        "{outcome:?}"
    );
    let written = String::from_utf8_lossy(&bench.written).into_owned();
    assert!(
        written.contains("\nM104 S0\nM140 S0\nM107\n"),
        "heaters off is tried even so"
    );
}

#[test]
fn a_machine_that_dies_in_a_long_command_is_noticed() {
    let (_, outcome) = print(
        "M140 S60\nM190 S60\nG28\n",
        Faults {
            silent_after: Some(8),
            ..Faults::default()
        },
    );
    assert!(
        matches!(&outcome, Outcome::Failed(reason) if reason.contains("silent") || reason.contains("answer")),
        "{outcome:?}"
    );
}

#[test]
fn heaters_off_is_the_first_thing_after_a_failure() {
    let text = sliced(3, 40);
    let mut bench = Bench::new(Faults::default()).unwrap();
    bench.start(feeds(&text));
    bench.until(|bench| bench.printed().len() > 50);
    let before = bench.printed().len();
    bench.protocol.heaters_off(bench.now_ms);
    assert!(matches!(bench.run(), Outcome::Failed(reason) if reason.contains("heaters")));
    assert_eq!(
        bench.printed()[before..][..3],
        ["M104 S0", "M140 S0", "M107"]
    );
    assert!(!bench.fake.is_hot());
}

#[test]
fn cancel_switches_off_lifts_and_tells() {
    let text = sliced(3, 40);
    let mut bench = Bench::new(Faults::default()).unwrap();
    bench.start(feeds(&text));
    bench.until(|bench| bench.printed().len() > 50);
    bench.protocol.cancel(bench.now_ms);
    assert_eq!(bench.run(), Outcome::Aborted);
    let printed = bench.printed();
    assert!(
        printed.ends_with(
            &[
                "M104 S0",
                "M140 S0",
                "M107",
                "G91",
                "G1 Z5 F600",
                "G90",
                "M400",
                "M84"
            ]
            .map(str::to_owned)
        )
    );
    assert!(printed.len() < expected(&text).len() && !bench.fake.is_hot());
    assert_eq!(bench.protocol.phase(), Phase::Idle);
}

#[test]
fn cancel_breaks_a_wait_for_a_temperature() {
    let mut bench = Bench::new(Faults {
        heat_up: Duration::from_secs(3600),
        ..Faults::default()
    })
    .unwrap();
    bench.start(feeds("M109 S210\nG28\n"));
    bench.until(|bench| bench.printed() == ["M109 S210"]);
    let before_ms = bench.now_ms;
    bench.protocol.cancel(bench.now_ms);
    bench.until(|bench| !bench.outcomes.is_empty());
    assert_eq!(bench.outcomes, [Outcome::Aborted]);
    assert!(bench.now_ms - before_ms < 10_000 && !bench.fake.is_hot());
}

#[test]
fn a_pause_parks_and_comes_back() {
    let text = sliced(3, 40);
    let mut bench = Bench::new(Faults::default()).unwrap();
    bench.start(feeds(&text));
    bench.until(|bench| bench.printed().len() > 50);
    bench.protocol.pause(bench.now_ms);
    assert_eq!(bench.protocol.phase(), Phase::Pausing);
    bench.until(|bench| bench.protocol.phase() == Phase::Paused);
    for _ in 0..1000 {
        bench.step();
    }
    assert_eq!(bench.protocol.phase(), Phase::Paused);
    bench.protocol.resume(bench.now_ms);
    assert_eq!(bench.run(), Outcome::Finished);
    let away = [
        "M400",
        "M114",
        "M83",
        "G1 E-2 F1800",
        "G91",
        "G1 Z5 F600",
        "G90",
    ];
    let back = [
        "G90",
        "G1 X10 Y20 F6000",
        "G1 Z0.3 F600",
        "M83",
        "G1 E2 F1800",
        "G92 E1.5",
        "M83",
        "G1 F600",
    ];
    let whole: Vec<&str> = away.into_iter().chain(back).collect();
    let printed = bench.printed();
    let at = printed
        .iter()
        .position(|command| command == "M114")
        .unwrap()
        - 1;
    assert_eq!(printed[at..at + whole.len()], whole);
    let without: Vec<String> = [&printed[..at], &printed[at + whole.len()..]].concat();
    assert_eq!(without, expected(&text));
}

#[test]
fn pauses_of_the_printer_and_the_file_are_pauses() {
    let text = sliced(3, 40);
    for (line, phase) in [
        ("//action:pause", Phase::Paused),
        ("//action:paused filament_runout 0", Phase::Paused),
    ] {
        let mut bench = Bench::new(Faults {
            say_after: Some((60, line.to_owned())),
            ..Faults::default()
        })
        .unwrap();
        bench.start(feeds(&text));
        bench.until(|bench| bench.protocol.phase() == phase);
        for _ in 0..1000 {
            bench.step();
        }
        let before = bench.printed().len();
        assert!(before < 80, "{line}: it went on");
        bench.fake.say("//action:resumed");
        assert_eq!(bench.run(), Outcome::Finished, "{line}");
    }
    // Within a command of its own, where `busy: paused for user` is all that is said.
    let mut bench = Bench::new(Faults {
        waits_for_person: vec!["M600".into()],
        ..Faults::default()
    })
    .unwrap();
    bench.start(feeds("G28\nM600\nG1 X1\n"));
    bench.until(|bench| bench.protocol.phase() == Phase::Paused);
    bench.now_ms += 3_600_000; // as long as a person takes
    for _ in 0..1000 {
        bench.step();
    }
    assert_eq!(bench.protocol.phase(), Phase::Paused);
    bench.protocol.resume(bench.now_ms);
    assert_eq!(bench.run(), Outcome::Finished);
    assert_eq!(bench.printed().last().unwrap(), "M400");
    // A stop in the file is made by the host.
    let mut bench = Bench::new(Faults::default()).unwrap();
    bench.start(feeds("G28\nM0 look\nG1 X1\n"));
    bench.until(|bench| bench.protocol.phase() == Phase::Paused);
    bench.protocol.resume(bench.now_ms);
    assert_eq!(bench.run(), Outcome::Finished);
}

#[test]
fn an_emergency_stop_goes_first() {
    let text = sliced(3, 40);
    let mut bench = Bench::new(Faults::default()).unwrap();
    bench.start(feeds(&text));
    bench.until(|bench| bench.printed().len() > 50);
    bench.protocol.emergency_stop(bench.now_ms);
    assert!(matches!(bench.run(), Outcome::Failed(reason) if reason.contains("emergency")));
    assert!(bench.fake.is_halted());
    assert_eq!(bench.protocol.phase(), Phase::Fault);
}

#[test]
fn those_who_are_no_free_printer_are_refused() {
    let refusal = |faults| Bench::new(faults).err();
    let parrot = |answer: &[u8]| Faults {
        parrot: Some(answer.to_vec()),
        ..Faults::default()
    };
    assert_eq!(refusal(parrot(b"")), Some(Refusal::Silent));
    assert_eq!(
        refusal(parrot(b"\xf8\x80\xfe\x00\x1f\n")),
        Some(Refusal::Garbage)
    );
    assert_eq!(
        refusal(parrot(b"ERROR\r\n")),
        Some(Refusal::NotAPrinter("ERROR".into()))
    );
    assert_eq!(
        refusal(parrot(b"ok\n")),
        Some(Refusal::NotAPrinter(String::new()))
    );
    let prints = refusal(Faults {
        card_print: Some((10, 100)),
        ..Faults::default()
    });
    assert!(matches!(prints, Some(Refusal::Busy(what)) if what.contains("card")));
}

#[test]
fn heaters_left_on_by_a_dead_host_are_switched_off_on_connect() {
    let mut fake = Fake::new(Faults::default());
    fake.receive(0, b"M104 S200\n");
    let mut now_ms = 0;
    let firmware = identify(&mut fake, &mut now_ms).unwrap();
    assert!(fake.is_hot());
    let protocol = Protocol::new(firmware, Timings::default(), now_ms);
    let mut bench = Bench {
        fake,
        protocol,
        now_ms,
        file: Vec::new().into_iter(),
        outcomes: Vec::new(),
        starts: 0,
        written: Vec::new(),
        on_the_way: Vec::new(),
        before: 0,
    };
    bench.until(|bench| !bench.fake.is_hot());
}
