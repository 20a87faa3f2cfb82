//! Where a file moves a machine, as far as its commands say it: end points against the volume, with room for purging and
//! parking beside the bed.

use super::command::Code;

/// Machines purge, wipe and park beside their beds; the widest known goes 50 mm.
const MARGIN_MM: f64 = 60.0;
/// Above the volume, and below the bed by an offset of the nozzle.
const MARGIN_Z_MM: f64 = 10.0;
const INCH_MM: f64 = 25.4;
const AXES: [char; 3] = ['X', 'Y', 'Z'];

pub(crate) struct Travel {
    volume_mm: Option<[u32; 3]>,
    /// Where the machine is, once the file has said it.
    at: [Option<f64>; 3],
    /// What `G92` shifted.
    shift: [f64; 3],
    relative: bool,
    unit_mm: f64,
}

impl Travel {
    pub(crate) fn new(volume_mm: Option<[u32; 3]>) -> Self {
        Self {
            volume_mm,
            at: [None; 3],
            shift: [0.0; 3],
            relative: false,
            unit_mm: 1.0,
        }
    }

    /// Follows one command; says why it must not be.
    pub(crate) fn follow(&mut self, code: &Code<'_>) -> Option<String> {
        if code.letter != 'G' {
            return None;
        }
        match code.number {
            0..=3 => return self.travel(code),
            20 => self.unit_mm = INCH_MM,
            21 => self.unit_mm = 1.0,
            // Where home is differs from machine to machine.
            28 => {
                let all = !AXES.iter().any(|axis| code.has(*axis));
                for (n, axis) in AXES.into_iter().enumerate() {
                    if all || code.has(axis) {
                        self.at[n] = None;
                        self.shift[n] = 0.0;
                    }
                }
            }
            90 => self.relative = false,
            91 => self.relative = true,
            92 => {
                for (n, axis) in AXES.into_iter().enumerate() {
                    if let (Some(said), Some(at)) = (code.number(axis), self.at[n]) {
                        self.shift[n] = at - said * self.unit_mm;
                    } else if code.has(axis) {
                        self.at[n] = None;
                    }
                }
            }
            _ => {}
        }
        None
    }

    fn travel(&mut self, code: &Code<'_>) -> Option<String> {
        let volume = self.volume_mm?;
        for (n, axis) in AXES.into_iter().enumerate() {
            let Some(said) = code.number(axis).map(|said| said * self.unit_mm) else {
                continue;
            };
            let side = f64::from(volume[n]);
            let to = match (self.relative, self.at[n]) {
                (false, _) => Some(said + self.shift[n]),
                (true, Some(at)) => Some(at + said),
                (true, None) => None,
            };
            let margin = if axis == 'Z' { MARGIN_Z_MM } else { MARGIN_MM };
            // The middle of some beds is 0; which ones nobody says here.
            let least = if axis == 'Z' {
                -margin
            } else {
                -side / 2.0 - margin
            };
            let inside = match to {
                Some(to) => (least..=side + margin).contains(&to),
                None => said.abs() <= side + margin,
            };
            if !inside {
                return Some(format!(
                    "would leave the printer's volume: {axis} has {side:.0} mm"
                ));
            }
            self.at[n] = to;
        }
        None
    }
}
