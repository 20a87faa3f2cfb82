//! Holds a file against the printer that is to print it, right before the start: what the printer's host knows of the machine
//! counts, whatever anybody else says of the file.

use std::{fs::File, io::BufReader, path::Path};

use printmesh_gcode::guard::{Allowed, GuardError};
use printmesh_node::GUARDED;
use printmesh_queue::Equipment;

use crate::{problems, profiles::Profiles};

/// Checks every command of a file.
///
/// # Errors
/// In plain words, with the line: for the record of the attempt, which everybody sees.
pub(crate) fn check(home: &Path, file: &Path, equipment: &Equipment) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("cannot read the file: {error}");
    let profiles = Profiles::load(home).map_err(|problem| problem.title)?;
    let named = [&equipment.profile, &equipment.model];
    let profile = named
        .into_iter()
        .flatten()
        .find_map(|name| profiles.get(name));
    // What a person said of this very printer counts over what its profile says.
    let allowed = Allowed {
        firmware: profile.and_then(|profile| profile.firmware),
        nozzle_c_max: equipment
            .nozzle_c_max
            .or(profile.and_then(|profile| profile.nozzle_c_max)),
        bed_c_max: equipment
            .bed_c_max
            .or(profile.and_then(|profile| profile.bed_c_max)),
        volume_mm: equipment
            .volume_mm
            .or(profile.and_then(|profile| profile.volume_mm)),
    };
    let source = BufReader::with_capacity(1 << 16, File::open(file).map_err(unreadable)?);
    match printmesh_gcode::guard::check(source, &allowed) {
        Ok(()) => Ok(()),
        Err(GuardError::Refused(refused)) => Err(format!("{GUARDED}{refused}")),
        Err(GuardError::Read(error)) => Err(problems::chain(&error)),
    }
}
