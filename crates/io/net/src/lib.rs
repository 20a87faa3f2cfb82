//! Bytes and files between hosts known by key.
//!
//! A network has members, which its owner names: 32-byte keys, with addresses where they were last. It keeps one link to
//! each member that can be reached, over which both ends send frames; a frame is opaque here. It gives files to members and
//! fetches files from them, by hash. It holds join conversations with strangers while the owner allows it, and it sees
//! other hosts on the LAN. What all that is for (queues, jobs, claims) is not known in this crate.
//!
//! Everything is told through one channel of [`Event`]s; every call but those on [`Files`] returns at once.
//!
//! | file | what it is about |
//! |---|---|
//! | `net.rs` | the handle that the owner holds |
//! | `endpoint.rs` | the socket, and who may come in |
//! | `handshake.rs`, `frames.rs` | the first words, and all words, as bytes |
//! | `peers.rs`, `link.rs` | whom to dial, which connection counts, and its life |
//! | `join.rs`, `ticket.rs` | strangers who want in, and what they are given to find it |
//! | `relay.rs` | servers elsewhere over which hosts meet, if a person says so |
//! | `files.rs` | the store: adding, fetching, serving, exporting |
//! | `discovery.rs`, `interfaces.rs` | the LAN |
//! | `limits.rs` | every bound, with why |

mod codes;
mod config;
mod discovery;
mod door;
mod endpoint;
mod event;
mod files;
mod frames;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod interfaces;
mod join;
mod limits;
mod link;
mod net;
mod pace;
mod peer_key;
mod peers;
mod relay;
mod shared;
mod ticket;

pub use crate::{
    config::{Bind, Config, StartError},
    event::{Event, JoinFailure},
    files::{Asked, FetchError, FetchProgress, FileError, FileHash, FileInfo, Files},
    frames::{
        FRAME_HEADER_BYTES, FrameError, Hello, ProtocolRange, SplitFrame, decode_frame_header,
        decode_hello, encode_frame_header, encode_hello, split_frame,
    },
    limits::{
        FRAME_BYTES_MAX, JOIN_FRAME_BYTES_MAX, RELAYS_MAX, TICKET_ADDRESSES_MAX, TICKET_RELAYS_MAX,
    },
    net::{Net, start},
    peer_key::PeerKey,
    relay::{Relay, RelayError, RelayUse, Relays},
    ticket::{Ticket, TicketError, TicketKind},
};
