//! What no print needs, by firmware: it flashes, reconfigures, rewires, stores, deletes, switches off or runs programs.

use super::command::{Code, Line};
use crate::profile::Firmware;

/// Lowest temperature at which a file may let material be pushed, in °C: slicers set it for soft materials.
const COLD_C_MIN: f64 = 140.0;

/// Klipper's commands with names, and what begins with these.
const NAMED: [(&str, &str); 20] = [
    (
        "SAVE_CONFIG",
        "would change the settings stored in the printer",
    ),
    ("RUN_SHELL_COMMAND", "would run a program"),
    (
        "FORCE_MOVE",
        "would move without knowing where the machine is",
    ),
    (
        "SET_KINEMATIC_POSITION",
        "would tell the machine a wrong position",
    ),
    ("FIRMWARE_RESTART", "would restart the printer"),
    ("RESTART", "would restart the printer"),
    ("SET_TMC", "would change the currents of motors"),
    ("INIT_TMC", "would change the currents of motors"),
    ("SDCARD_", "would use the printer's own card"),
    ("PID_CALIBRATE", "would tune the heaters"),
    ("MPC_CALIBRATE", "would tune the heaters"),
    ("PROBE_CALIBRATE", "would change the settings of the probe"),
    (
        "Z_ENDSTOP_CALIBRATE",
        "would change the settings of the machine",
    ),
    ("MANUAL_STEPPER", "would move a motor by itself"),
    ("STEPPER_BUZZ", "would move a motor by itself"),
    ("SET_STEPPER_ENABLE", "would switch a motor off"),
    ("SET_HEATER_PID", "would change the settings of heaters"),
    ("CALL_REMOTE_METHOD", "would run a program"),
    ("ACTION:", "would command the host"),
    ("POWER_OFF", "would switch the printer's power"),
];

/// Why a command with a name is refused.
pub(crate) fn named(line: &Line, firmware: Option<Firmware>) -> Option<&'static str> {
    let name = line.name()?;
    match firmware {
        Some(Firmware::Klipper) | None => {
            let found = NAMED.iter().find(|(denied, _)| name.starts_with(denied));
            // `RESTART` and what begins with it otherwise is a person's own macro.
            let found = found.filter(|(denied, _)| *denied != "RESTART" || name == "RESTART");
            found.map(|(_, why)| *why)
        }
        Some(
            Firmware::Marlin
            | Firmware::Buddy
            | Firmware::Reprap
            | Firmware::Bambu
            | Firmware::Griffin,
        ) => None,
    }
}

/// Why a code is refused.
pub(crate) fn numbered(code: &Code<'_>, firmware: Option<Firmware>) -> Option<&'static str> {
    if code.letter != 'M' {
        return None;
    }
    let bambu = firmware == Some(Firmware::Bambu);
    Some(match code.number {
        112 => "would kill the printer",
        997 => "would update the firmware",
        500..=502 | 504 => "would change the settings stored in the printer",
        92 => "would change how far motors turn",
        206 | 428 => "would shift the machine's home",
        301 | 304 | 306 => "would change the settings of heaters",
        303 => "would tune the heaters",
        851 => "would change the settings of the probe",
        302 if code.number('P').is_some_and(|p| p > 0.0)
            || code.number('S').is_some_and(|s| s < COLD_C_MIN) =>
        {
            "would switch off the protection against cold extrusion"
        }
        211 if !bambu && code.number('S') == Some(0.0) => {
            "would let the machine move beyond its ends"
        }
        23 | 24 | 28..=30 | 32 | 928 => "would use the printer's own card",
        42 | 43 => "would switch pins of the board",
        80 | 81 => "would switch the printer's power",
        149 if code.has('F') || code.has('K') => "would change the unit of temperatures",
        // RepRapFirmware: network, boards, files, pins, motors.
        505..=507
        | 540
        | 550..=557
        | 559
        | 560
        | 571
        | 574..=576
        | 584
        | 586..=589
        | 929
        | 950
        | 999
            if firmware.is_none_or(|firmware| firmware == Firmware::Reprap) =>
        {
            "would change the settings of the board"
        }
        _ => return None,
    })
}
