//! Whole files through [`inspect`](crate::inspect) and [`unpack`](crate::unpack): real ones, made ones, and bytes that mean harm.

mod binary;
mod bounds;
mod build;
mod guard;
mod hostile;
mod profiles;
mod projects;
mod text;

use std::io::Cursor;

use crate::{Inspected, Metadata, Rejected, Slicer, UnpackError, inspect, unpack};

const CUBE: &[u8] = include_bytes!("../../../../../examples/files/cube.gcode");
const CUBE_STL: &[u8] = include_bytes!("../../../../../examples/files/cube.stl");
const MK3S: &[u8] = include_bytes!("../../fixtures/prusaslicer-2.5.0-mk3s.gcode");
const MMU2S: &[u8] = include_bytes!("../../fixtures/prusaslicer-2.5.0-mmu2s.gcode");
const SLIC3R: &[u8] = include_bytes!("../../fixtures/slic3r-1.3.0.gcode");
const ENDER3: &[u8] = include_bytes!("../../fixtures/cura-4.13.0-ender3.gcode");
const ULTIMAKER3: &[u8] = include_bytes!("../../fixtures/cura-4.13.0-ultimaker3.gcode");
const BAMBU: &[u8] = include_bytes!("../../fixtures/bambustudio.gcode");
const ORCA: &[u8] = include_bytes!("../../fixtures/orcaslicer.gcode");
const SUPER: &[u8] = include_bytes!("../../fixtures/superslicer.gcode");
const KIRI: &[u8] = include_bytes!("../../fixtures/kirimoto.gcode");
const SIMPLIFY: &[u8] = include_bytes!("../../fixtures/simplify3d.gcode");
const ULTIMAKER_S5: &[u8] = include_bytes!("../../fixtures/ultimaker-s5.gcode");
const MADE_BINARY: &[u8] = include_bytes!("../../fixtures/made.bgcode");
const MADE_PROJECT: &[u8] = include_bytes!("../../fixtures/made.gcode.3mf");
const ALL: [&[u8]; 13] = [
    MK3S,
    MMU2S,
    SLIC3R,
    ENDER3,
    ULTIMAKER3,
    BAMBU,
    ORCA,
    SUPER,
    KIRI,
    SIMPLIFY,
    ULTIMAKER_S5,
    MADE_BINARY,
    MADE_PROJECT,
];

fn read(file: &[u8]) -> Result<Inspected, Rejected> {
    inspect(&mut Cursor::new(file))
}

/// What a file says about its only print.
fn whole(file: &[u8]) -> Result<Metadata, Rejected> {
    let mut found = read(file)?;
    assert_eq!(found.plates.len(), 1);
    Ok(found.plates.remove(0).metadata)
}

fn unpacked(file: &[u8], plate: u32) -> Result<Vec<u8>, UnpackError> {
    let mut out = Vec::new();
    let written = unpack(&mut Cursor::new(file), plate, &mut out)?;
    assert_eq!(written, out.len() as u64);
    Ok(out)
}

fn slicer(name: &str, version: &str) -> Option<Slicer> {
    Some(Slicer {
        name: name.to_owned(),
        version: Some(version.to_owned()),
    })
}
