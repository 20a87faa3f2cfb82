//! What the fuzz targets call. No part of the interface.

use std::io::{Cursor, Write as _, sink};

use crate::{
    guard::{Allowed, check},
    inspect,
    profile::Firmware,
    unpack,
};

/// Any bytes that a person, or a stranger with a ticket, could submit as a file.
pub fn sliced_file(data: &[u8]) {
    let mut file = Cursor::new(data);
    let Ok(found) = inspect(&mut file) else {
        return;
    };
    for plate in found.plates {
        drop(unpack(&mut file, plate.number, &mut sink()));
    }
}

/// Blocks of binary G-code behind a header that is right, without checksums: no fuzzer finds those.
pub fn binary_gcode(data: &[u8]) {
    let file = [b"GCDE\x01\0\0\0\0\0", data].concat();
    sliced_file(&file);
    drop(unpack(&mut Cursor::new(file), 1, &mut sink()));
}

/// A sliced project: an archive that holds together, with any bytes for the members that are read. The first byte says how
/// many of them there are, and each but the last one is as long as the two bytes before it say.
pub fn project(data: &[u8]) {
    const NAMES: [&str; 4] = [
        "Metadata/plate_1.gcode",
        "Metadata/slice_info.config",
        "Metadata/project_settings.config",
        "Metadata/plate_1.json",
    ];
    let mut contents: Vec<&[u8]> = vec![b"; BambuStudio 2.0\nG28\nG1 X1\n"];
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (content, after) = after.split_at(length);
        contents.push(content);
        rest = after;
    }
    let archive = || -> Result<Vec<u8>, rawzip::Error> {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (name, content) in NAMES.into_iter().zip(&contents) {
            let (mut entry, config) = archive.new_file(name).start()?;
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content)?;
            let (_, descriptor) = writer.finish()?;
            entry.finish(descriptor)?;
        }
        archive.finish()?;
        Ok(bytes)
    };
    let file = archive().expect("a Vec takes every write");
    sliced_file(&file);
    drop(unpack(&mut Cursor::new(file), 1, &mut sink()));
}

/// Commands on their way to a printer, held against what it may.
pub fn guard(data: &[u8]) {
    let firmwares = [None, Some(Firmware::Marlin), Some(Firmware::Klipper)];
    for firmware in firmwares {
        let allowed = Allowed {
            firmware,
            nozzle_c_max: Some(285),
            bed_c_max: Some(110),
            volume_mm: Some([250, 210, 220]),
        };
        // A refusal is as good an answer as a pass.
        drop(check(data, &allowed));
    }
}
