//! What a ticket and a join conversation carry, and what proves possession: plain data, no decision.

use std::net::SocketAddr;

use printmesh_queue::{Anchor, Certificate, HostId, QueueId, Role};
use serde::{Deserialize, Serialize};

use crate::{
    comparison::{Commitment, Nonce},
    message::QueueKey,
};

/// What is said in a join conversation, as postcard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JoinMessage {
    /// The joiner asks.
    Ask { name: String, want: Want },
    /// A person has to approve, and to compare the code (`comparison.rs`): this is what the host adds to it.
    Waiting { nonce: Nonce },
    /// Come in.
    Welcome(Box<Welcome>),
    /// No.
    Refused { code: String, text: String },
    /// What the joiner adds to the code.
    Reveal { nonce: Nonce },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Want {
    /// Holds a ticket; the signature is by its secret over [`proof_bytes`].
    Ticket {
        queue: QueueId,
        invite: Option<Vec<u8>>,
        proof: Vec<u8>,
    },
    /// Asks for the queue that is offered on this LAN.
    Lan {
        /// What the joiner will add to the code.
        commitment: Commitment,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) queue: QueueId,
    pub(crate) name: String,
    /// As JSON: its absent parts are left out, which postcard cannot read back.
    pub(crate) certificate: Vec<u8>,
    /// The queue key, for admins: who holds it may admit others.
    pub(crate) key: Option<QueueKey>,
    pub(crate) lan: bool,
    /// Where other members were last met.
    pub(crate) peers: Vec<(HostId, Vec<SocketAddr>)>,
    /// The present epoch, and the public half of its key.
    pub(crate) epoch: Anchor,
}

/// An invite: whoever holds the secret half may join so many times, with this role, until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invite {
    pub(crate) queue: QueueId,
    pub(crate) public: HostId,
    pub(crate) role: Role,
    pub(crate) expires_at_s: Option<u64>,
    pub(crate) uses: u32,
    /// By the queue key over [`Invite::signed_bytes`].
    pub(crate) signature: Vec<u8>,
}

impl Welcome {
    pub(crate) fn new(
        queue: QueueId,
        name: String,
        certificate: &Certificate,
        key: Option<QueueKey>,
        lan: bool,
        peers: Vec<(HostId, Vec<SocketAddr>)>,
        epoch: Anchor,
    ) -> Self {
        let certificate = serde_json::to_vec(certificate).expect("plain data always encodes");
        Self {
            queue,
            name,
            certificate,
            key,
            lan,
            peers,
            epoch,
        }
    }

    pub(crate) fn certificate(&self) -> Option<Certificate> {
        serde_json::from_slice(&self.certificate).ok()
    }
}

impl Invite {
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"printmesh invite 1".to_vec();
        bytes.extend_from_slice(&self.queue.0);
        bytes.extend_from_slice(&self.public.0);
        bytes.push(self.role as u8);
        bytes.extend_from_slice(&self.expires_at_s.unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(&self.uses.to_be_bytes());
        bytes
    }
}

/// What the joiner signs: it is good on this connection, for this queue, from this joiner to this host only.
pub(crate) fn proof_bytes(
    exporter: &[u8; 32],
    queue: QueueId,
    joiner: HostId,
    host: HostId,
) -> Vec<u8> {
    let parts = [&exporter[..], &queue.0, &joiner.0, &host.0];
    [b"printmesh join 1".as_slice(), &parts.concat()].concat()
}

pub(crate) fn signature(bytes: &[u8]) -> [u8; 64] {
    bytes.try_into().unwrap_or([0; 64])
}
