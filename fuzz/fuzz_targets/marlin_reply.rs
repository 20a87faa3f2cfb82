//! Any bytes that a printer, or a bad cable, could say.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    let _ = printmesh_printer::parse_reply(line);
});
