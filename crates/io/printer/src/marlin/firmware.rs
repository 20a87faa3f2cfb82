//! What is known of the firmware at the other end.

use super::filter::Machine;
use crate::driver::{Caps, PrinterInfo, Temperatures};

/// Learned while identifying; does not change afterwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Firmware {
    /// Name and version.
    pub(crate) name: String,
    /// Machine type.
    pub(crate) machine: String,
    /// Number of tools, at least 1.
    pub(crate) tools: u32,
    /// `M108` and `M112` are heard at once, also while a command runs.
    pub(crate) has_emergency_parser: bool,
    /// `M155` works.
    pub(crate) has_auto_report: bool,
    /// It says so when it is busy.
    pub(crate) has_busy: bool,
    /// `Cap:THERMAL_PROTECTION`.
    pub(crate) thermal_protection: Option<bool>,
    /// It answers `M105` with `ok T:…` in one line, which no other command does.
    pub(crate) marks_temperature_ok: bool,
    /// The heaters when it was asked.
    pub(crate) temperatures: Temperatures,
}

impl Firmware {
    /// Klipper answers on a port too; it ignores line numbers, says `ok` to empty lines and has commands with names.
    pub(crate) fn is_klipper(&self) -> bool {
        self.name.starts_with("Klipper")
    }

    /// Takes in `FIRMWARE_NAME:Marlin 2.1.2 (Nov 20 2026 10:00:00) SOURCE_CODE_URL:… MACHINE_TYPE:… EXTRUDER_COUNT:1 …`.
    pub(crate) fn read_identity(&mut self, line: &str) {
        for (key, value) in fields(line) {
            match key {
                "FIRMWARE_NAME" | "NAME" => value.clone_into(&mut self.name),
                "FIRMWARE_VERSION" | "VER" => self.name = format!("{} {value}", self.name),
                "MACHINE_TYPE" => value.clone_into(&mut self.machine),
                "EXTRUDER_COUNT" => self.tools = value.parse().unwrap_or(1).clamp(1, 99),
                _ => {}
            }
        }
    }

    /// Takes in a `Cap:…` line.
    pub(crate) fn read_cap(&mut self, name: &str, is_on: bool) {
        match name {
            "EMERGENCY_PARSER" => self.has_emergency_parser = is_on,
            "AUTOREPORT_TEMP" => self.has_auto_report = is_on,
            "THERMAL_PROTECTION" => self.thermal_protection = Some(is_on),
            _ => {}
        }
    }

    pub(crate) fn filter_machine(&self) -> Machine {
        Machine {
            tools: self.tools.max(1),
            is_klipper: self.is_klipper(),
        }
    }

    pub(crate) fn info(&self) -> PrinterInfo {
        PrinterInfo {
            firmware: self.name.clone(),
            machine: self.machine.clone(),
            tools: self.tools.max(1),
            caps: Caps {
                emergency_parser: self.has_emergency_parser,
                reports_temperatures: self.has_auto_report,
                thermal_protection: self.thermal_protection,
                clears_bed: false,
            },
        }
    }
}

/// Splits at ` KEY:` with keys in capitals, since values hold spaces and colons of their own.
fn fields(line: &str) -> Vec<(&str, &str)> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    let mut rest = line.trim();
    while let Some((key, after)) = rest.split_once(':') {
        let next = after.match_indices(' ').find(|(at, _)| {
            let key = after[at + 1..].split(':').next().unwrap_or("");
            key.len() < after[at + 1..].len()
                && key.len() > 1
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        });
        let end = next.map_or(after.len(), |(at, _)| at);
        fields.push((key.trim(), after[..end].trim()));
        rest = after[end..].trim_start();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_read() {
        let mut marlin = Firmware::default();
        marlin.read_identity(
            "FIRMWARE_NAME:Marlin 2.1.2.1 (Nov 20 2026 10:11:12) SOURCE_CODE_URL:https://example.org/x PROTOCOL_VERSION:1.0 \
             MACHINE_TYPE:Ender 3 EXTRUDER_COUNT:2 UUID:cede2a2f-41a2",
        );
        assert_eq!(marlin.name, "Marlin 2.1.2.1 (Nov 20 2026 10:11:12)");
        assert_eq!((marlin.machine.as_str(), marlin.tools), ("Ender 3", 2));
        let mut klipper = Firmware::default();
        klipper.read_identity("FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12.0-1");
        assert_eq!(klipper.name, "Klipper v0.12.0-1");
        assert!(klipper.is_klipper());
        let mut malyan = Firmware::default();
        malyan.read_identity("NAME: Malyan VER: 2.9 MODEL: M200");
        assert_eq!(malyan.name, "Malyan 2.9");
    }
}
