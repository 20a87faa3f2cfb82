//! Whether a command is irreversible: from the first one that heats or moves, the bed is no longer what it was.

use super::word::{self, Code};

/// Commands that only set, ask or say something. Whatever is not named here counts as heat or motion: firmwares have more
/// commands than anyone has listed, and a wrong "harmless" is the dangerous mistake.
const HARMLESS_G: &[u32] = &[
    4, 17, 18, 19, 20, 21, 53, 54, 55, 56, 57, 58, 59, 90, 91, 92, 93, 94,
];
const HARMLESS_M: &[u32] = &[
    18, 20, 27, 31, 36, 73, 75, 76, 77, 78, 82, 83, 84, 85, 86, 92, 105, 106, 107, 108, 110, 111,
    113, 114, 115, 117, 118, 119, 149, 150, 154, 155, 200, 201, 202, 203, 204, 205, 206, 207, 208,
    209, 211, 214, 217, 218, 220, 221, 250, 256, 260, 261, 300, 301, 304, 400, 404, 405, 406, 407,
    412, 413, 420, 486, 503, 505, 556, 569, 575, 572, 593, 851, 862, 900, 907, 914,
];
const HEATERS_M: &[u32] = &[104, 109, 140, 141, 190, 191];

/// Returns whether `command` heats or moves something, or may do so.
pub(crate) fn heats_or_moves(command: &str) -> bool {
    match Code::of(command) {
        None => true,
        Some(code) if code.is('M', HEATERS_M) => {
            let target = word::number(command, 'S').or_else(|| word::number(command, 'R'));
            target.is_none_or(|target| target > 0.0)
        }
        Some(code) => !(code.is('G', HARMLESS_G) || code.is('M', HARMLESS_M)),
    }
}

#[cfg(test)]
mod tests {
    use super::heats_or_moves;

    #[test]
    fn heat_and_motion_are_told_from_the_rest() {
        for command in [
            "G1 X1",
            "G0 Z5",
            "G28",
            "M104 S200",
            "M109 R180",
            "M190 S60",
            "T1",
            "M600",
            "START_PRINT",
            "M104 T0",
        ] {
            assert!(heats_or_moves(command), "{command}");
        }
        for command in [
            "M104 S0",
            "M140 S0",
            "G90",
            "G92 E0",
            "M107",
            "M117 G1 X1",
            "M201 X500",
            "M73 P0 R12",
        ] {
            assert!(!heats_or_moves(command), "{command}");
        }
    }
}
