//! How long a command would take on a slow Marlin.
//!
//! Moves are trapezoids: they speed up with the machine's acceleration, cruise at the feedrate and slow down again. What is
//! simplified: the planner looks one move ahead instead of sixteen, the speed at a corner is the feedrate times the cosine of the
//! turn (never less than the jerk), all axes share one acceleration, homing takes a fixed time, and heaters move at a
//! fixed rate. Good for progress bars and tests, not for estimates of a real machine.

use crate::gcode::word::{self, Code};

/// mm/s²: Marlin's usual default; `M204` changes it.
const ACCELERATION: f64 = 1000.0;
/// mm/s: the speed at which any corner can be taken.
const JERK: f64 = 8.0;
/// mm/s: no machine of this kind is faster.
const FEEDRATE_MAX: f64 = 500.0;
/// Seconds for `G28`.
const HOMING_S: f64 = 15.0;
/// Seconds for `G29`.
const PROBING_S: f64 = 45.0;
/// Seconds for a tool change.
const TOOL_CHANGE_S: f64 = 2.0;
/// °C: a cold heater.
pub(super) const ROOM: f64 = 22.0;
/// °C/s: how fast a nozzle heats up.
pub(super) const NOZZLE_RATE: f64 = 3.0;
/// °C/s: how fast a bed (or a chamber) heats up.
pub(super) const BED_RATE: f64 = 0.8;

/// A heater of the simulated machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heater {
    Nozzle,
    Bed,
}

/// What one command does to the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Seconds that pass. Those of a move are told with the next one, when its end is known.
    pub(super) seconds: f64,
    /// A heater that gets a new target before those seconds pass.
    pub(super) heat: Option<(Heater, f64)>,
    /// Whether the machine then waits for a person.
    pub(super) stops: bool,
}

/// The machine's state as far as time depends on it.
#[derive(Debug)]
pub(super) struct TimeModel {
    position: [f64; 4],
    is_relative: bool,
    is_extruder_relative: bool,
    unit: f64,
    feedrate: f64,
    feed_factor: f64,
    acceleration: f64,
    entry_speed: f64,
    pending: Option<Move>,
    targets: [f64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Move {
    direction: [f64; 4],
    length: f64,
    speed: f64,
}

impl TimeModel {
    pub(super) fn new() -> Self {
        Self {
            position: [0.0; 4],
            is_relative: false,
            is_extruder_relative: false,
            unit: 1.0,
            feedrate: 25.0,
            feed_factor: 1.0,
            acceleration: ACCELERATION,
            entry_speed: 0.0,
            pending: None,
            targets: [ROOM; 2],
        }
    }

    /// Carries out one command.
    pub(super) fn command(&mut self, text: &str) -> Step {
        let mut step = Step {
            seconds: 0.0,
            heat: None,
            stops: false,
        };
        let Some(code) = Code::of(text) else {
            return step;
        };
        match (code.letter, code.number) {
            ('G', 0..=3) => step.seconds = self.travel(text, code.number),
            ('G', 4) => {
                let dwell = word::number(text, 'S')
                    .or_else(|| word::number(text, 'P').map(|ms| ms / 1000.0));
                step.seconds = self.stop() + dwell.unwrap_or(0.0).max(0.0);
            }
            ('G', 20) => self.unit = 25.4,
            ('G', 21) => self.unit = 1.0,
            ('G', 28) => {
                step.seconds = self.stop() + HOMING_S;
                self.position = [0.0, 0.0, 0.0, self.position[3]];
            }
            ('G', 29) => step.seconds = self.stop() + PROBING_S,
            ('G', 90) => (self.is_relative, self.is_extruder_relative) = (false, false),
            ('G', 91) => (self.is_relative, self.is_extruder_relative) = (true, true),
            ('G', 92) => {
                for (axis, letter) in AXES.into_iter().enumerate() {
                    if let Some(at) = word::number(text, letter) {
                        self.position[axis] = at * self.unit;
                    }
                }
            }
            ('M', 82) => self.is_extruder_relative = false,
            ('M', 83) => self.is_extruder_relative = true,
            ('M', 104) => step.heat = self.set_target(Heater::Nozzle, text).map(|(heat, _)| heat),
            ('M', 140) => step.heat = self.set_target(Heater::Bed, text).map(|(heat, _)| heat),
            ('M', 109 | 190) => {
                let heater = if code.number == 109 {
                    Heater::Nozzle
                } else {
                    Heater::Bed
                };
                step.seconds = self.stop();
                if let Some((heat, wait)) = self.set_target(heater, text) {
                    step.heat = Some(heat);
                    step.seconds += wait;
                }
            }
            ('M', 204) => {
                let wanted = word::number(text, 'P').or_else(|| word::number(text, 'S'));
                self.acceleration = wanted.unwrap_or(self.acceleration).clamp(50.0, 20_000.0);
            }
            ('M', 220) => {
                self.feed_factor =
                    word::number(text, 'S').unwrap_or(100.0).clamp(10.0, 500.0) / 100.0
            }
            ('M', 400) => step.seconds = self.stop(),
            ('M', 0 | 1 | 600 | 601) => {
                step.seconds = self.stop();
                step.stops = true;
            }
            ('T', _) => step.seconds = self.stop() + TOOL_CHANGE_S,
            _ => {}
        }
        step
    }

    /// Ends the pending move at rest and returns its seconds.
    pub(super) fn stop(&mut self) -> f64 {
        let seconds = self.finish_pending(0.0);
        self.entry_speed = 0.0;
        seconds
    }

    fn set_target(&mut self, heater: Heater, text: &str) -> Option<((Heater, f64), f64)> {
        let target = word::number(text, 'S')
            .or_else(|| word::number(text, 'R'))?
            .clamp(0.0, 500.0);
        let (known, rate) = match heater {
            Heater::Nozzle => (&mut self.targets[0], NOZZLE_RATE),
            Heater::Bed => (&mut self.targets[1], BED_RATE),
        };
        // The way from the last target, which an earlier M104 may already have begun: the slow case is assumed.
        let wait = ((target - known.max(ROOM)) / rate).max(0.0);
        *known = target;
        Some(((heater, target), wait))
    }

    /// Takes the move up and returns the seconds of the one before it, whose end is now known.
    fn travel(&mut self, text: &str, kind: u32) -> f64 {
        if let Some(feedrate) = word::number(text, 'F').filter(|feedrate| *feedrate > 0.0) {
            self.feedrate = feedrate * self.unit / 60.0;
        }
        let mut direction = [0.0; 4];
        for (axis, letter) in AXES.into_iter().enumerate() {
            let Some(given) = word::number(text, letter) else {
                continue;
            };
            let relative = if axis == 3 {
                self.is_extruder_relative
            } else {
                self.is_relative
            };
            let to = given * self.unit + if relative { self.position[axis] } else { 0.0 };
            direction[axis] = to - self.position[axis];
            self.position[axis] = to;
        }
        let straight = (direction[..3].iter().map(|d| d * d).sum::<f64>()).sqrt();
        let mut length = if straight > 0.0 {
            straight
        } else {
            direction[3].abs()
        };
        if kind >= 2 {
            length = arc_length(text, self.unit, direction, kind == 2)
                .unwrap_or(length)
                .hypot(direction[2]);
        }
        if length < 1e-6 || !length.is_finite() {
            return 0.0;
        }
        if straight > 0.0 {
            direction[3] = 0.0;
        }
        let speed = (self.feedrate * self.feed_factor).clamp(0.1, FEEDRATE_MAX);
        let next = Move {
            direction,
            length,
            speed,
        };
        let corner = self
            .pending
            .map_or(0.0, |before| corner_speed(&before, &next));
        let seconds = self.finish_pending(corner);
        self.pending = Some(next);
        seconds
    }

    fn finish_pending(&mut self, exit_speed: f64) -> f64 {
        let Some(last) = self.pending.take() else {
            return 0.0;
        };
        let reachable = (self.entry_speed.powi(2) + 2.0 * self.acceleration * last.length).sqrt();
        let exit_speed = exit_speed.min(reachable).min(last.speed);
        let seconds = trapezoid(
            last.length,
            self.entry_speed.min(last.speed),
            exit_speed,
            last.speed,
            self.acceleration,
        );
        self.entry_speed = exit_speed;
        seconds
    }
}

const AXES: [char; 4] = ['X', 'Y', 'Z', 'E'];

/// Seconds for `length` mm from speed `entry` to speed `exit`, at most `cruise`.
fn trapezoid(length: f64, entry: f64, exit: f64, cruise: f64, acceleration: f64) -> f64 {
    let ramps = (2.0 * cruise.powi(2) - entry.powi(2) - exit.powi(2)) / (2.0 * acceleration);
    if ramps <= length {
        return (2.0 * cruise - entry - exit) / acceleration + (length - ramps) / cruise;
    }
    let peak = (acceleration * length + (entry.powi(2) + exit.powi(2)) / 2.0).sqrt();
    if peak >= entry.max(exit) {
        (2.0 * peak - entry - exit) / acceleration
    } else {
        2.0 * length / (entry + exit) // too short to brake: the planner would have begun earlier
    }
}

fn corner_speed(before: &Move, after: &Move) -> f64 {
    let size = |way: &Move| way.direction.iter().map(|d| d * d).sum::<f64>().sqrt();
    let dot: f64 = before
        .direction
        .iter()
        .zip(after.direction)
        .map(|(a, b)| a * b)
        .sum();
    let sizes = size(before) * size(after);
    let cosine = if sizes > 0.0 {
        (dot / sizes).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (before.speed.min(after.speed) * cosine)
        .max(JERK)
        .min(before.speed)
        .min(after.speed)
}

/// Length in the plane of a G2 (clockwise) or G3 with a centre (`I`, `J`) or a radius (`R`).
fn arc_length(text: &str, unit: f64, direction: [f64; 4], is_clockwise: bool) -> Option<f64> {
    let (dx, dy) = (direction[0], direction[1]);
    if let Some(radius) = word::number(text, 'R')
        .map(|radius| (radius * unit).abs())
        .filter(|radius| *radius > 0.0)
    {
        let half_angle = (dx.hypot(dy) / (2.0 * radius)).min(1.0).asin();
        return Some(2.0 * half_angle * radius);
    }
    let (i, j) = (
        word::number(text, 'I').unwrap_or(0.0) * unit,
        word::number(text, 'J').unwrap_or(0.0) * unit,
    );
    let radius = i.hypot(j);
    if radius <= 0.0 {
        return None;
    }
    let (from, to) = ((-j).atan2(-i), (dy - j).atan2(dx - i));
    let turn = if is_clockwise { from - to } else { to - from }.rem_euclid(std::f64::consts::TAU);
    Some(
        radius
            * if turn < 1e-9 {
                std::f64::consts::TAU
            } else {
                turn
            },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(commands: &[&str]) -> f64 {
        let mut model = TimeModel::new();
        commands
            .iter()
            .map(|command| model.command(command).seconds)
            .sum::<f64>()
            + model.stop()
    }

    #[track_caller]
    fn check(commands: &[&str], expected: f64) {
        let found = seconds(commands);
        assert!(
            (found - expected).abs() < 0.01,
            "{commands:?}: {found} s, expected {expected} s"
        );
    }

    #[test]
    fn moves_are_trapezoids() {
        // 100 mm at 50 mm/s, 1000 mm/s²: 0.05 s up, 0.05 s down over 2.5 mm, 97.5 mm at 50 mm/s.
        check(&["G1 X100 F3000"], 0.05 + 0.05 + 97.5 / 50.0);
        // Too short to reach the speed: a triangle of 2 * sqrt(length / a).
        check(&["G1 X1 F30000"], 2.0 * (1.0f64 / 1000.0).sqrt());
        // A straight line in two parts takes as long as in one.
        let whole = seconds(&["G1 X100 F3000"]);
        check(&["G1 X50 F3000", "G1 X100"], whole);
        // A sharp corner costs time, less than two full stops.
        let corner = seconds(&["G1 X50 F3000", "G1 X50 Y50"]);
        assert!(
            corner > whole && corner < 2.0 * seconds(&["G1 X50 F3000"]),
            "{corner}"
        );
    }

    #[test]
    fn the_rest_takes_its_time() {
        check(&["G4 S2", "G4 P500"], 2.5);
        check(&["G28"], HOMING_S);
        check(&["M109 S202"], 60.0);
        check(&["M109 S202", "M109 S202"], 60.0);
        check(&["M190 S62"], 50.0);
        check(
            &["M104 S200", "M117 G1 X100", "M106 S255", ";", "hello"],
            0.0,
        );
        check(
            &["G91", "G1 X10 F600", "G1 X10", "G1 X-20"],
            seconds(&["G1 X20 F600", "G1 X0"]),
        );
        check(&["G20", "G1 X1 F60"], seconds(&["G1 X25.4 F1524"]));
        check(&["M83", "G1 E10 F300"], seconds(&["G1 E10 F300"]));
        // Half a circle of radius 10, by centre and by radius.
        check(&["G2 X20 I10 F600"], seconds(&["G1 X31.4159 F600"]));
        check(&["G3 X20 R10 F600"], seconds(&["G1 X31.4159 F600"]));
        check(&["G2 I10 F600"], seconds(&["G1 X62.8319 F600"]));
    }

    #[test]
    fn odd_numbers_do_no_harm() {
        for command in [
            "G1 X1e400 F0",
            "G1 XNaN",
            "G4 S-5",
            "G1 F-1 X5",
            "G2 X1 I0 J0",
            "M204 S0",
            "M220 S0",
            "T9999999999",
            "G1 X99999999999999999999",
        ] {
            let found = seconds(&[command]);
            assert!(found >= 0.0 && found.is_finite(), "{command}: {found}");
        }
    }
}
