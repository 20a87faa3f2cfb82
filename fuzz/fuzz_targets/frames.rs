#![no_main]
//! What a peer sends before it is known to be honest: frame headers and greetings.

use printmesh_net::{FRAME_BYTES_MAX, decode_hello, encode_hello, split_frame};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut rest = data;
    while let Ok(Some((frame, after))) = split_frame(rest, FRAME_BYTES_MAX) {
        assert!(after.len() < rest.len(), "each frame takes bytes away");
        if let Ok(hello) = decode_hello(frame) {
            assert!(hello.software.chars().all(|c| c.is_ascii_graphic()));
            assert_eq!(decode_hello(&encode_hello(&hello)), Ok(hello));
        }
        rest = after;
    }
});
