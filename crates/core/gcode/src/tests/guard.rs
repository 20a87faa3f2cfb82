//! The guard: what is dangerous is refused however it is spelt, and what slicers write passes.

use proptest::prelude::*;

use super::{
    BAMBU, CUBE, ENDER3, KIRI, MADE_BINARY, MADE_PROJECT, MK3S, MMU2S, ORCA, SIMPLIFY, SLIC3R,
    SUPER, ULTIMAKER_S5, ULTIMAKER3,
};
use crate::{
    guard::{Allowed, GuardError, check},
    profile::Firmware,
};

fn why(text: &str, allowed: &Allowed) -> Option<(u64, String)> {
    match check(text.as_bytes(), allowed) {
        Ok(()) => None,
        Err(GuardError::Refused(refused)) => Some((refused.line, refused.why)),
        Err(GuardError::Read(error)) => panic!("{error}"),
    }
}

fn mk4() -> Allowed {
    Allowed {
        firmware: Some(Firmware::Buddy),
        nozzle_c_max: Some(290),
        bed_c_max: Some(120),
        volume_mm: Some([250, 210, 220]),
    }
}

/// Every way in which a command may be written so that a firmware still takes it.
fn spellings(command: &str) -> Vec<String> {
    let (code, rest) = command.split_once(' ').unwrap_or((command, ""));
    let (letter, number) = code.split_at(1);
    vec![
        command.to_owned(),
        command.to_lowercase(),
        format!("  \t{command}"),
        format!("{code}{}", rest.replace(' ', "")),
        format!("{letter} {number} {rest}"),
        format!("{letter}0{number} {rest}"),
        format!("N12 {command} *55"),
        format!("n7{command}*1"),
        format!("{command} ; harmless"),
        format!("(harmless){command}"),
        format!("{letter}(x){number} {rest}"),
        format!("\u{feff}{command}"),
        format!("{command}\r"),
        format!("{code}.0 {rest}"),
        format!("{command}\0"),
    ]
}

#[test]
fn dangerous_commands_are_refused_in_every_spelling() {
    let dangerous = [
        "M104 S999",
        "M109 R400",
        "M140 S300",
        "M190 S300",
        "M141 S200",
        "M104 S200 S999",
        "M500",
        "M502",
        "M504",
        "M92 E5000",
        "M206 Z-10",
        "M301 P99",
        "M304 P99",
        "M303 E0 S250",
        "M851 Z-9",
        "M997",
        "M28 x.g",
        "M29",
        "M30 x.g",
        "M32 x.g",
        "M42 P4 S255",
        "M81",
        "M80",
        "M112",
        "M302 P1",
        "M302 S0",
        "M211 S0",
        "M149 K",
        "M928 x.g",
        "G1 X900",
        "G0 Y-400",
        "G1 Z400",
        "G1 Z-30",
    ];
    for command in dangerous {
        for spelling in spellings(command) {
            let text = format!("; a print\nG28\nG90\n{spelling}\nG1 X1 Y1\n");
            let found = why(&text, &mk4());
            assert_eq!(found.map(|(line, _)| line), Some(4), "{spelling:?}");
        }
    }
    // And on a machine of which nobody knows anything.
    for command in [
        "M104 S999",
        "M140 S300",
        "M500",
        "M997",
        "M112",
        "M550 Pevil",
    ] {
        assert!(why(command, &Allowed::default()).is_some(), "{command}");
    }
}

#[test]
fn klippers_own_commands_are_refused_and_its_macros_are_not() {
    let klipper = Allowed {
        firmware: Some(Firmware::Klipper),
        nozzle_c_max: Some(280),
        bed_c_max: Some(110),
        volume_mm: Some([300, 300, 300]),
    };
    let dangerous = [
        "SAVE_CONFIG",
        "save_config",
        "RUN_SHELL_COMMAND CMD=rm",
        "FORCE_MOVE STEPPER=stepper_x DISTANCE=500",
        "SET_KINEMATIC_POSITION X=0",
        "FIRMWARE_RESTART",
        "RESTART",
        "SET_TMC_CURRENT STEPPER=x CURRENT=9",
        "SDCARD_PRINT_FILE FILENAME=x",
        "START_PRINT EXTRUDER_TEMP=999",
        "start_print bed=300",
        "SET_HEATER_TEMPERATURE HEATER=extruder TARGET=400",
        "SET_HEATER_TEMPERATURE HEATER=heater_bed TARGET=150",
        "  Force_Move x=1",
        "M500",
        "M112",
    ];
    for command in dangerous {
        assert!(why(command, &klipper).is_some(), "{command}");
    }
    for fine in [
        "START_PRINT BED=60 EXTRUDER=215",
        "PRINT_END",
        "SET_PRESSURE_ADVANCE ADVANCE=0.04",
        "EXCLUDE_OBJECT_START NAME=part_1",
        "SET_VELOCITY_LIMIT ACCEL=3000",
        "RESTART_ANIMATION",
        "BED_MESH_CALIBRATE",
        "SET_HEATER_TEMPERATURE HEATER=heater_bed TARGET=100",
        "SET_GCODE_OFFSET Z=0.05",
    ] {
        assert_eq!(why(fine, &klipper), None, "{fine}");
    }
}

/// Every firmware, and a printer of which nobody knows which it has.
const FIRMWARES: [Option<Firmware>; 7] = [
    Some(Firmware::Marlin),
    Some(Firmware::Buddy),
    Some(Firmware::Klipper),
    Some(Firmware::Reprap),
    Some(Firmware::Bambu),
    Some(Firmware::Griffin),
    None,
];

#[test]
fn each_firmware_has_its_own_list_and_an_unknown_one_has_them_all() {
    use Firmware::{Bambu, Klipper, Reprap};
    // The command, and which firmwares refuse it when it is not all of them.
    let table: [(&str, &[Firmware]); 46] = [
        ("M23 x.g", &[]),
        ("M24", &[]),
        ("M28 x.g", &[]),
        ("M29", &[]),
        ("M30 x.g", &[]),
        ("M32 x.g", &[]),
        ("M928 x.g", &[]),
        ("M42 P4 S255", &[]),
        ("M43", &[]),
        ("M80", &[]),
        ("M81", &[]),
        ("M92 E5000", &[]),
        ("M112", &[]),
        ("M149 F", &[]),
        ("M206 Z-1", &[]),
        ("M428", &[]),
        ("M301 P9", &[]),
        ("M304 P9", &[]),
        ("M306 H0", &[]),
        ("M302 P1", &[]),
        ("M302 S0", &[]),
        ("M303 E0 S200", &[]),
        ("M500", &[]),
        ("M501", &[]),
        ("M502", &[]),
        ("M504", &[]),
        ("M851 Z-9", &[]),
        ("M997", &[]),
        // Bambu's own slicer writes it into each file.
        (
            "M211 X0 Y0 Z0 S0",
            &[
                Firmware::Marlin,
                Firmware::Buddy,
                Klipper,
                Reprap,
                Firmware::Griffin,
            ],
        ),
        ("M540 P1", &[Reprap]),
        ("M550 Pevil", &[Reprap]),
        ("M552 S1", &[Reprap]),
        ("M557 X0:9", &[Reprap]),
        ("M559 Pconfig.g", &[Reprap]),
        ("M560 Pindex.html", &[Reprap]),
        ("M571 P3 S1", &[Reprap]),
        ("M574 X1", &[Reprap]),
        ("M584 X9", &[Reprap]),
        ("M586 P2 S1", &[Reprap]),
        ("M929 P\"x\" S1", &[Reprap]),
        ("M950 H0", &[Reprap]),
        ("M999", &[Reprap]),
        ("SAVE_CONFIG", &[Klipper]),
        ("RUN_SHELL_COMMAND CMD=rm", &[Klipper]),
        ("FORCE_MOVE STEPPER=x", &[Klipper]),
        ("FIRMWARE_RESTART", &[Klipper]),
    ];
    for (command, only) in table {
        for firmware in FIRMWARES {
            let allowed = Allowed {
                firmware,
                ..Allowed::default()
            };
            let all = only.is_empty() || firmware.is_none();
            let wanted = all || firmware.is_some_and(|firmware| only.contains(&firmware));
            let refused = why(command, &allowed).is_some();
            assert_eq!(refused, wanted, "{command} on {firmware:?}");
        }
    }
    let bambu = Allowed {
        firmware: Some(Bambu),
        ..Allowed::default()
    };
    assert_eq!(why("M211 S0", &bambu), None);
}

#[test]
fn a_second_command_on_a_line_is_seen_and_words_for_people_are_not() {
    assert!(why("G1 X1 M104 S999", &mk4()).is_some());
    assert!(why("G4 P1 M997", &mk4()).is_some());
    for fine in [
        "M117 M500 says nothing",
        "M118 G1 X9999",
        "; M500",
        "(M500)",
        "M486 AM81 bracket",
        "M73 P1 R2",
        "T0",
    ] {
        assert_eq!(why(fine, &mk4()), None, "{fine}");
    }
}

#[test]
fn travel_is_followed_through_inches_offsets_and_relative_moves() {
    let inside = [
        "G20\nG1 X5",
        "G1 Y-3 X-20",
        "G1 X100\nG92 X0\nG1 X100",
        "G91\nG1 Z10\nG1 Z-10",
        "G1 Z200\nG91\nG1 Z20",
        "G92 E0\nG1 E5000",
    ];
    for text in inside {
        assert_eq!(why(text, &mk4()), None, "{text}");
    }
    let outside = [
        "G20\nG1 X20",
        "G1 X200\nG92 X0\nG1 X200",
        "G1 Z200\nG91\nG1 Z15\nG1 Z30",
        "G91\nG1 X-900",
        "G2 X999 Y1 I1",
    ];
    for text in outside {
        assert!(why(text, &mk4()).is_some(), "{text}");
    }
    assert_eq!(
        why("G1 X9999", &Allowed::default()),
        None,
        "nobody said how large it is"
    );
}

#[test]
fn what_slicers_write_passes() {
    let texts = [
        ("cube", CUBE),
        ("mk3s", MK3S),
        ("mmu2s", MMU2S),
        ("slic3r", SLIC3R),
        ("ender3", ENDER3),
        ("ultimaker3", ULTIMAKER3),
        ("bambu", BAMBU),
        ("orca", ORCA),
        ("super", SUPER),
        ("kiri", KIRI),
        ("simplify", SIMPLIFY),
        ("s5", ULTIMAKER_S5),
    ];
    for (name, text) in texts {
        let firmware = (name == "bambu").then_some(Firmware::Bambu);
        for volume_mm in [None, Some([256, 256, 256])] {
            let allowed = Allowed {
                firmware,
                nozzle_c_max: Some(300),
                bed_c_max: Some(120),
                volume_mm,
            };
            if let Err(error) = check(text, &allowed) {
                panic!("{name}: {error}");
            }
        }
    }
    // What was packed passes as it is unpacked.
    for packed in [MADE_BINARY, MADE_PROJECT] {
        let text = super::unpacked(packed, 1).unwrap();
        check(text.as_slice(), &Allowed::default()).unwrap();
    }
}

#[test]
fn a_long_line_is_refused_and_a_long_comment_is_not() {
    let comment = format!("G1 X1 ;{}\nM500\n", "a".repeat(1 << 20));
    assert_eq!(why(&comment, &mk4()).map(|(line, _)| line), Some(2));
    assert!(why(&"X1 ".repeat(1000), &mk4()).is_some());
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        _ = check(bytes.as_slice(), &mk4());
    }

    #[test]
    fn a_dangerous_line_is_found_wherever_it_stands(before in "[ -~\n]{0,400}", after in "[ -~\n]{0,200}") {
        let before: String = before.lines().map(|line| format!(";{line}\n")).collect();
        let text = format!("{before}M500\n{after}");
        prop_assert!(why(&text, &mk4()).is_some());
    }
}
