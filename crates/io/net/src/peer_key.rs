//! `PeerKey`: the name of a host on the network. It proves nothing by itself; iroh proves its possession in
//! the TLS handshake.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The ed25519 public key of a host, which is also its iroh endpoint id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeerKey(pub [u8; 32]);

impl PeerKey {
    /// Returns the public half of a device key.
    pub fn of_secret(secret_key: &[u8; 32]) -> Self {
        Self::of_endpoint(iroh::SecretKey::from_bytes(secret_key).public())
    }

    pub(crate) fn of_endpoint(id: iroh::EndpointId) -> Self {
        Self(*id.as_bytes())
    }

    /// `None` when the bytes are not a point of the curve: such a key belongs to nobody.
    pub(crate) fn endpoint_id(self) -> Option<iroh::EndpointId> {
        iroh::EndpointId::from_bytes(&self.0).ok()
    }

    /// The name under which discovery announces a host: a DNS label has 63 characters, hex would need 64.
    pub(crate) fn label(self) -> String {
        data_encoding::BASE32_DNSSEC.encode(&self.0)
    }

    pub(crate) fn from_label(label: &str) -> Option<Self> {
        let bytes = data_encoding::BASE32_DNSSEC
            .decode(label.to_ascii_lowercase().as_bytes())
            .ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl From<[u8; 32]> for PeerKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..5]))
    }
}
