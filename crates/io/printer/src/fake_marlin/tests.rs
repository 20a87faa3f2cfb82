//! The fake answers as a real Marlin was seen to answer.

use super::{faults::Faults, firmware::Firmware};

/// Says each line to a fresh fake and returns all that it says.
fn talk(lines: &[&str]) -> Vec<String> {
    let mut firmware = Firmware::new(Faults {
        says_start: false,
        ..Faults::default()
    });
    for line in lines {
        firmware.receive(0, format!("{line}\n").as_bytes());
    }
    String::from_utf8(firmware.take_output())
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn numbered(number: u64, command: &str) -> String {
    let line = format!("N{number} {command}");
    let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("{line}*{sum}")
}

#[test]
fn good_lines_get_one_ok_each() {
    assert_eq!(
        talk(&["G21", &numbered(1, "G28"), &numbered(2, "G90")]),
        ["ok", "ok", "ok"]
    );
    assert!(talk(&["M105"])[0].starts_with("ok T:20.00 /0.00"));
    assert_eq!(talk(&["", "; comment"]), Vec::<String>::new());
    assert_eq!(talk(&["FOO"]), ["echo:Unknown command: \"FOO\"", "ok"]);
}

#[test]
fn wrong_lines_are_asked_for_again() {
    assert_eq!(
        talk(&["N1 G28*1"]),
        ["Error:checksum mismatch, Last Line: 0", "Resend: 1", "ok"]
    );
    assert_eq!(
        talk(&["N1 G28"]),
        [
            "Error:No Checksum with line number, Last Line: 0",
            "Resend: 1",
            "ok"
        ]
    );
    assert_eq!(
        talk(&[&numbered(5, "G28")]),
        [
            "Error:Line Number is not Last Line Number+1, Last Line: 0",
            "Resend: 1",
            "ok"
        ]
    );
    let long = numbered(1, &format!("M117 {}", "x".repeat(90)));
    assert_eq!(talk(&[&long]).len(), 3);
}

#[test]
fn duplicates_are_swallowed_without_a_word() {
    let (one, two) = (numbered(1, "G28"), numbered(2, "G90"));
    assert_eq!(talk(&[&one, &two, &two, &one]), ["ok", "ok"]);
}

#[test]
fn m110_sets_the_counter_wherever_it_stands() {
    assert_eq!(
        talk(&[&numbered(7, "M110 N7"), &numbered(8, "G28")]),
        ["ok", "ok"]
    );
    let text = numbered(1, "M117 see M110 N500");
    assert_eq!(talk(&[&text, &numbered(2, "G28")])[2], "Resend: 501");
}

#[test]
fn an_error_throws_away_what_else_was_received() {
    let mut firmware = Firmware::new(Faults {
        says_start: false,
        slow: vec![("G4".into(), std::time::Duration::from_secs(1))],
        ..Faults::default()
    });
    firmware.receive(0, b"G4\nG4\nG4\nG4\nG4\nN1 G28*1\nG21\n");
    firmware.advance(1000);
    firmware.advance(10_000);
    assert!(!firmware.executed().contains(&"G21".to_owned()));
}

#[test]
fn a_stop_is_for_good_until_the_reset() {
    let mut firmware = Firmware::new(Faults {
        says_start: false,
        ..Faults::default()
    });
    firmware.receive(0, b"M104 S200\nM112\nM105\nM999\n");
    let said = String::from_utf8(firmware.take_output()).unwrap();
    assert!(
        said.ends_with("Error:Printer halted. kill() called!\n//action:poweroff\n"),
        "{said}"
    );
    assert!(!firmware.is_hot());
    firmware.reset();
    assert!(firmware.take_output().starts_with(b"start\n"));
}
