//! What the network tells its owner: a closed list. Nothing here decides anything.

use std::net::SocketAddr;

use thiserror::Error;

use crate::{frames::ProtocolRange, peer_key::PeerKey};

/// Something that happened on the network.
///
/// For one peer the order is `Connected`, then its `Frame`s, then `Disconnected`; a second `Connected` never comes
/// before the `Disconnected` of the link it replaces. The same holds for `JoinOpened`, `JoinFrame`, `JoinClosed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member is connected; frames can be sent to it now.
    Connected {
        /// Whose link it is; TLS has proven the key.
        peer: PeerKey,
        /// 32 bytes that only the two ends of this very connection know, the same at both: sign these to prove a
        /// key without the proof being of use on another connection.
        exporter: [u8; 32],
        /// Whether this host dialed.
        dialed: bool,
        /// From where the peer talks, worth remembering for the next dial.
        address: Option<SocketAddr>,
        /// What the peer runs, as it says.
        software: String,
    },
    /// The link to a member is gone; frames sent until the next `Connected` are dropped.
    Disconnected {
        /// Whose link it was.
        peer: PeerKey,
        /// Why, for people.
        reason: String,
    },
    /// A frame from a connected member.
    Frame {
        /// Who sent it.
        peer: PeerKey,
        /// What was sent, at most [`crate::FRAME_BYTES_MAX`] bytes.
        bytes: Vec<u8>,
    },
    /// A peer speaks no version of the protocol that this build speaks. Reported at each try, about once a minute.
    Incompatible {
        /// Who it is.
        peer: PeerKey,
        /// What it runs, as it says; `unknown` when even its greeting could not be read.
        software: String,
        /// What it speaks; 0-0 when unknown.
        protocol: ProtocolRange,
    },
    /// A join conversation is open in both directions. The peer may be a stranger: only its key is proven.
    JoinOpened {
        /// The name of the conversation in later calls and events.
        conversation: u64,
        /// Who is at the other end.
        peer: PeerKey,
        /// As in `Connected`, for the join protocol.
        exporter: [u8; 32],
        /// The attempt that led to it when this host dialed, `None` when the peer did.
        attempt: Option<u64>,
    },
    /// A frame of a join conversation.
    JoinFrame {
        /// In which conversation.
        conversation: u64,
        /// What was sent, at most [`crate::JOIN_FRAME_BYTES_MAX`] bytes.
        bytes: Vec<u8>,
    },
    /// A join conversation that was open is over.
    JoinClosed {
        /// Which one.
        conversation: u64,
        /// Why, for people.
        reason: String,
    },
    /// A join conversation that this host wanted was never opened.
    JoinFailed {
        /// The attempt given to [`crate::Net::join`].
        attempt: u64,
        /// Why.
        failure: JoinFailure,
    },
    /// A host announces itself on the LAN, or announces something else than before. Anyone can forge this.
    Discovered {
        /// Who it says it is.
        peer: PeerKey,
        /// Where it says it can be reached.
        addresses: Vec<SocketAddr>,
        /// Whether it says that it offers the default LAN queue.
        offers_lan: bool,
    },
    /// A host was not heard on the LAN for a while. A hint only: it may well be connected.
    Vanished {
        /// Who it said it was.
        peer: PeerKey,
    },
}

/// Why a join conversation was never opened.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum JoinFailure {
    /// No address is known, and discovery has not seen the host.
    #[error("no address of that host is known")]
    NoAddress,
    /// Nobody with that key answered at any of the addresses.
    #[error("the host does not answer: {reason}")]
    Unreachable {
        /// What the dial ended with, for people.
        reason: String,
    },
    /// The host answers, but has no open invitation and no open window, or too many guests.
    #[error("the host takes no new members at the moment")]
    NotOpen,
    /// The host speaks another version of the protocol.
    #[error("the host runs {software}, which speaks protocol {protocol}")]
    Incompatible {
        /// What it runs, as it says.
        software: String,
        /// What it speaks.
        protocol: ProtocolRange,
    },
}
