//! What a file would do on the simulated machine, as times: read once, before the print begins.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use super::time_model::{Heater, TimeModel};
use crate::{
    gcode::{Commands, effect, word::Code},
    limits::{HEATS_MAX, STOPS_MAX},
};

/// The course of a print, in seconds of the real machine from its beginning.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// Length of the whole print.
    pub(super) total_s: f64,
    /// When the first heat or motion begins.
    pub(super) started_s: f64,
    /// When the machine waits for a person.
    pub(super) stops: Vec<f64>,
    /// When a heater gets a new target.
    pub(super) heats: Vec<(f64, Heater, f64)>,
}

impl Plan {
    /// Reads a file; the error is for people.
    pub(super) fn of_file(path: &Path) -> Result<Self, String> {
        let file = File::open(path)
            .map_err(|error| format!("failed to open {}: {error}", path.display()))?;
        Self::of(path, BufReader::with_capacity(1 << 16, file))
    }

    /// The same of what was opened there.
    pub(super) fn of(path: &Path, source: impl BufRead) -> Result<Self, String> {
        let mut model = TimeModel::new();
        let mut plan = Self {
            total_s: 0.0,
            started_s: f64::INFINITY,
            stops: Vec::new(),
            heats: Vec::new(),
        };
        let mut count = 0u64;
        for command in Commands::new(source) {
            let command = command.map_err(|error| reason(path, &error))?;
            if Code::of(&command.text).is_none() {
                continue;
            }
            count += 1;
            if plan.started_s.is_infinite() && effect::heats_or_moves(&command.text) {
                plan.started_s = plan.total_s;
            }
            let step = model.command(&command.text);
            if let Some((heater, target)) = step.heat.filter(|_| plan.heats.len() < HEATS_MAX) {
                plan.heats.push((plan.total_s, heater, target));
            }
            plan.total_s += step.seconds;
            if step.stops && plan.stops.len() < STOPS_MAX {
                plan.stops.push(plan.total_s);
            }
        }
        if count == 0 {
            return Err(format!("{} contains no G-code commands", path.display()));
        }
        plan.total_s += model.stop();
        plan.started_s = plan.started_s.min(plan.total_s);
        Ok(plan)
    }
}

fn reason(path: &Path, error: &crate::gcode::ReadError) -> String {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    format!("{}: {error}{cause}", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn plan(text: &str) -> Result<Plan, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Plan::of_file(file.path())
    }

    #[test]
    fn a_file_becomes_times() {
        let plan = plan("G90\nG4 S5\nM104 S60\nG4 S5\nM0\nG4 S10\n").unwrap();
        assert_eq!(
            plan,
            Plan {
                total_s: 20.0,
                started_s: 5.0,
                stops: vec![10.0],
                heats: vec![(5.0, Heater::Nozzle, 60.0)]
            }
        );
    }

    #[test]
    fn of_a_file_that_heats_and_stops_all_the_time_so_much_is_shown() {
        let heats = "M104 S60\nM104 S70\n".repeat(HEATS_MAX);
        assert_eq!(plan(&heats).unwrap().heats.len(), HEATS_MAX);
        let stops = "M0\nG4 S1\n".repeat(STOPS_MAX + 1);
        assert_eq!(plan(&stops).unwrap().stops.len(), STOPS_MAX);
    }

    #[test]
    fn what_is_no_gcode_is_refused_with_a_reason() {
        assert!(plan("").unwrap_err().contains("no G-code commands"));
        assert!(
            plan("; only a comment\n")
                .unwrap_err()
                .contains("no G-code commands")
        );
        assert!(
            plan("Dear reader, this is a letter.\n")
                .unwrap_err()
                .contains("no G-code commands")
        );
        assert!(plan("GCDE....").unwrap_err().contains("binary"));
        assert!(
            Plan::of_file(Path::new("/nowhere/x.gcode"))
                .unwrap_err()
                .contains("/nowhere/x.gcode")
        );
        assert!(Plan::of_file(Path::new("/")).unwrap_err().contains("read"));
    }
}
