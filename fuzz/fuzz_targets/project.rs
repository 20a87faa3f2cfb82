//! Projects: an archive that holds together, with any bytes for the members that are read.
#![no_main]

use std::io::{Cursor, Write as _, sink};

const NAMES: [&str; 4] = [
    "Metadata/plate_1.gcode",
    "Metadata/slice_info.config",
    "Metadata/project_settings.config",
    "Metadata/plate_1.json",
];

fn archive(contents: &[&[u8]]) -> Result<Vec<u8>, rawzip::Error> {
    let mut bytes = Vec::new();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in NAMES.into_iter().zip(contents) {
        let (mut entry, config) = archive.new_file(name).start()?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content)?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
    }
    archive.finish()?;
    Ok(bytes)
}

libfuzzer_sys::fuzz_target!(|contents: Vec<Vec<u8>>| {
    let gcode = b"; BambuStudio 2.0\nG28\nG1 X1\n";
    let mut members: Vec<&[u8]> = vec![gcode];
    members.extend(contents.iter().map(Vec::as_slice));
    let mut file = Cursor::new(archive(&members).expect("a Vec takes every write"));
    drop(printmesh_gcode::inspect(&mut file));
    drop(printmesh_gcode::unpack(&mut file, 1, &mut sink()));
});
