//! The few commands of our own: making room on pause, coming back, and stopping safely.
//!
//! Pure: what was seen of the file goes in, commands come out.

use crate::{
    driver::Temperatures,
    gcode::word::{self, Code},
};

/// Modes that the file has set and that a pause must give back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Modes {
    is_relative: bool,
    is_extruder_relative: bool,
    is_inches: bool,
    feedrate: Option<f64>,
}

impl Modes {
    /// Follows a command of the file.
    pub(crate) fn follow(&mut self, command: &str) {
        let Some(code) = Code::of(command) else {
            return;
        };
        match (code.letter, code.number) {
            ('G', 0..=3) => self.feedrate = word::number(command, 'F').or(self.feedrate),
            ('G', 20) => self.is_inches = true,
            ('G', 21) => self.is_inches = false,
            // Marlin's G90 and G91 set the extruder's mode too.
            ('G', 90) => (self.is_relative, self.is_extruder_relative) = (false, false),
            ('G', 91) => (self.is_relative, self.is_extruder_relative) = (true, true),
            ('M', 82) => self.is_extruder_relative = false,
            ('M', 83) => self.is_extruder_relative = true,
            _ => {}
        }
    }
}

/// What a paused print needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parked {
    position: [f64; 4],
    modes: Modes,
    temperatures: Temperatures,
}

const RETRACT: &str = "G1 E-2 F1800";
const UNRETRACT: &str = "G1 E2 F1800";

fn is_hot(temperatures: &Temperatures) -> bool {
    temperatures.tools.iter().any(|tool| tool.target > 0.0)
}

/// Lifts the nozzle off the part. Nothing is moved when the position is not known, or in inches.
pub(crate) fn park(
    modes: Modes,
    position: Option<[f64; 4]>,
    temperatures: &Temperatures,
) -> Option<(Parked, Vec<String>)> {
    let position = position.filter(|_| !modes.is_inches)?;
    let mut commands = Vec::new();
    if is_hot(temperatures) {
        commands.extend(["M83", RETRACT]);
    }
    commands.extend(["G91", "G1 Z5 F600", "G90"]);
    let parked = Parked {
        position,
        modes,
        temperatures: temperatures.clone(),
    };
    Some((parked, commands.into_iter().map(str::to_owned).collect()))
}

/// Brings the nozzle and all modes back to where [`park`] found them.
pub(crate) fn unpark(parked: &Parked, now: &Temperatures) -> Vec<String> {
    let Parked {
        position: [x, y, z, e],
        modes,
        temperatures,
    } = parked;
    let mut commands = Vec::new();
    // A machine that was left paused for long may have cooled down by itself.
    let cooled = |then: f32, now: f32| then > 0.0 && now < then;
    if let (Some(then), Some(now)) = (temperatures.bed, now.bed)
        && cooled(then.target, now.target)
    {
        commands.push(format!("M190 S{}", then.target));
    }
    if let (Some(then), Some(now)) = (temperatures.tools.first(), now.tools.first())
        && cooled(then.target, now.target)
    {
        commands.push(format!("M109 S{}", then.target));
    }
    commands.push("G90".to_owned());
    commands.push(format!("G1 X{x} Y{y} F6000"));
    commands.push(format!("G1 Z{z} F600"));
    if is_hot(temperatures) {
        commands.push("M83".to_owned());
        commands.push(UNRETRACT.to_owned());
    }
    commands.push(format!("G92 E{e}"));
    if modes.is_relative {
        commands.push("G91".to_owned());
    }
    commands.push(
        if modes.is_extruder_relative {
            "M83"
        } else {
            "M82"
        }
        .to_owned(),
    );
    commands.extend(modes.feedrate.map(|feedrate| format!("G1 F{feedrate}")));
    commands
}

/// Switches all heaters and the fan off.
pub(crate) fn heaters_off(tools: u32) -> Vec<String> {
    let mut commands = vec!["M104 S0".to_owned(), "M140 S0".to_owned()];
    commands.extend((1..tools).map(|tool| format!("M104 T{tool} S0")));
    commands.push("M107".to_owned());
    commands
}

/// Ends a print: heaters first, then, if anything may have moved, up and motors off.
pub(crate) fn cancel(tools: u32, may_have_moved: bool) -> Vec<String> {
    let mut commands = heaters_off(tools);
    if may_have_moved {
        commands.extend(["G91", "G1 Z5 F600", "G90", "M400", "M84"].map(str::to_owned));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Heat;

    #[test]
    fn a_pause_gives_back_what_it_found() {
        let mut modes = Modes::default();
        for command in ["G90", "M83", "G1 X5 F1500", "G1 X6", "M117 G91"] {
            modes.follow(command);
        }
        let hot = Temperatures {
            tools: vec![Heat {
                actual: 210.0,
                target: 210.0,
            }],
            ..Temperatures::default()
        };
        let (parked, away) = park(modes, Some([6.0, 2.0, 0.3, 1.5]), &hot).unwrap();
        assert_eq!(away, ["M83", "G1 E-2 F1800", "G91", "G1 Z5 F600", "G90"]);
        let back = [
            "G90",
            "G1 X6 Y2 F6000",
            "G1 Z0.3 F600",
            "M83",
            "G1 E2 F1800",
            "G92 E1.5",
            "M83",
            "G1 F1500",
        ];
        assert_eq!(unpark(&parked, &hot), back);
        let cold = Temperatures {
            tools: vec![Heat::default()],
            ..Temperatures::default()
        };
        assert_eq!(unpark(&parked, &cold)[0], "M109 S210");
        assert_eq!(park(modes, None, &hot), None);
    }

    #[test]
    fn heaters_go_off_first() {
        assert_eq!(
            cancel(2, true)[..4],
            ["M104 S0", "M140 S0", "M104 T1 S0", "M107"]
        );
        assert_eq!(cancel(1, false), ["M104 S0", "M140 S0", "M107"]);
    }
}
