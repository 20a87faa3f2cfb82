//! Any bytes that a person, or a stranger with a ticket, could submit as a file.
#![no_main]

use std::io::{Cursor, sink};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let mut file = Cursor::new(file);
    let Ok(found) = printmesh_gcode::inspect(&mut file) else {
        return;
    };
    for plate in found.plates {
        drop(printmesh_gcode::unpack(&mut file, plate.number, &mut sink()));
    }
});
