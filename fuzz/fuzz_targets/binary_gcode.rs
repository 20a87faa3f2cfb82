//! Binary G-code whose header is right, so that the fuzzer need not find it.
#![no_main]

use std::io::{Cursor, sink};

libfuzzer_sys::fuzz_target!(|blocks: &[u8]| {
    // Without checksums: no fuzzer finds those either.
    let mut file = Cursor::new([b"GCDE\x01\0\0\0\0\0", blocks].concat());
    drop(printmesh_gcode::inspect(&mut file));
    drop(printmesh_gcode::unpack(&mut file, 1, &mut sink()));
});
