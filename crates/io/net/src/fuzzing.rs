//! What the fuzz targets call. No part of the interface.

use data_encoding::BASE32_NOPAD;

use crate::{
    FRAME_BYTES_MAX, Ticket, decode_hello, encode_hello, peer_key::PeerKey, split_frame, ticket,
};

/// What a peer sends before it is known to be honest: frames, one after the other, each perhaps a greeting.
pub fn frames(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some((frame, after))) = split_frame(rest, FRAME_BYTES_MAX) {
        assert!(after.len() < rest.len(), "each frame takes bytes away");
        greeting(frame);
        rest = after;
    }
}

/// The first words of a connection, and the label under which a host announces itself on the LAN.
pub fn greeting(data: &[u8]) {
    if let Ok(hello) = decode_hello(data) {
        assert!(hello.software.chars().all(|c| c.is_ascii_graphic()));
        assert_eq!(decode_hello(&encode_hello(&hello)), Ok(hello));
    }
    if let Some(peer) = std::str::from_utf8(data).ok().and_then(PeerKey::from_label) {
        assert_eq!(PeerKey::from_label(&peer.label()), Some(peer));
    }
}

/// What a person pastes: as it is, and as the content of a ticket whose checksum is right, which no fuzzer finds.
pub fn ticket(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        read_ticket(text);
    }
    let Ok(length) = u16::try_from(data.len()) else {
        return;
    };
    let parts = [&length.to_be_bytes()[..], data, &ticket::checksum(data)].concat();
    let encoded = BASE32_NOPAD.encode(&parts).to_ascii_lowercase();
    read_ticket(&format!("{}{}{encoded}", ticket::PREFIX, ticket::VERSION));
}

fn read_ticket(text: &str) {
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
}
