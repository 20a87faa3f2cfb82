//! Bytes of another host as a signed change, and as a change that a hostile member signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| printmesh_queue::fuzzing::change(data));
