//! Giving files to others: whatever is in the store, to members only. The stock provider gives any file to anyone, so
//! each connection passes two gates: the door (`endpoint.rs`), and this one, which asks again at each request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use iroh::{endpoint::Connection, protocol::ProtocolHandler};
use iroh_blobs::{
    BlobsProtocol,
    api::Store,
    provider::events::{
        AbortReason, ConnectMode, EventMask, EventSender, ObserveMode, ProviderMessage, RequestMode,
    },
};
use tokio::sync::mpsc;
use tracing::debug;

use crate::{codes::CloseCode, limits, peer_key::PeerKey, peers::Peers, shared::Shared};

/// The protocol of files.
pub(crate) const FILES_ALPN: &[u8] = iroh_blobs::ALPN;

/// Serves the store.
pub(crate) struct Provider {
    protocol: BlobsProtocol,
    /// How many connections each member has open.
    open: Mutex<HashMap<PeerKey, usize>>,
}

impl Provider {
    /// Returns the provider, and the gate that must run for as long as it serves.
    pub(crate) fn new(
        store: &Store,
        peers: Arc<Peers>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let mask = EventMask {
            connected: ConnectMode::Intercept,
            get: RequestMode::Intercept,
            get_many: RequestMode::Disabled,
            push: RequestMode::Disabled,
            observe: ObserveMode::Intercept,
            ..EventMask::DEFAULT
        };
        let (events, requests) = EventSender::channel(limits::HANDSHAKES_MAX, mask);
        let provider = Self {
            protocol: BlobsProtocol::new(store, Some(events)),
            open: Mutex::default(),
        };
        (provider, gate(requests, peers))
    }

    /// Serves one connection of a member, until either end closes it or the membership ends.
    pub(crate) async fn serve(&self, shared: &Shared, peer: PeerKey, connection: Connection) {
        let (Some(present), Some(_place)) =
            (shared.peers.presence(peer), Place::take(&self.open, peer))
        else {
            debug!(%peer, "refused a file connection");
            CloseCode::Limit.close(&connection);
            return;
        };
        tokio::select! {
            () = present.cancelled() => CloseCode::NotMember.close(&connection),
            served = self.protocol.accept(connection.clone()) => {
                if let Err(error) = served {
                    debug!(%peer, %error, "a file connection ended");
                }
            }
        }
    }
}

/// One of the connections that a member may have.
struct Place<'a> {
    open: &'a Mutex<HashMap<PeerKey, usize>>,
    peer: PeerKey,
}

fn counts(open: &Mutex<HashMap<PeerKey, usize>>) -> MutexGuard<'_, HashMap<PeerKey, usize>> {
    open.lock().expect("no holder of this lock panics")
}

impl<'a> Place<'a> {
    fn take(open: &'a Mutex<HashMap<PeerKey, usize>>, peer: PeerKey) -> Option<Self> {
        let mut counts = counts(open);
        let count = counts.entry(peer).or_default();
        if *count >= limits::FILE_CONNECTIONS_MAX {
            return None;
        }
        *count += 1;
        Some(Self { open, peer })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = counts(self.open);
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

/// Answers the provider's questions: may this connection be served, and this request on it?
async fn gate(mut requests: mpsc::Receiver<ProviderMessage>, peers: Arc<Peers>) {
    let mut connected: HashMap<u64, PeerKey> = HashMap::new();
    let verdict = |is_allowed: bool| {
        if is_allowed {
            Ok(())
        } else {
            Err(AbortReason::Permission)
        }
    };
    // An answer that cannot be delivered is for a connection that is gone.
    while let Some(message) = requests.recv().await {
        match message {
            ProviderMessage::ClientConnected(message) => {
                let peer = message
                    .endpoint_id
                    .map(PeerKey::of_endpoint)
                    .filter(|peer| peers.is_member(*peer));
                if let Some(peer) = peer {
                    connected.insert(message.connection_id, peer);
                }
                let _ = message.tx.send(verdict(peer.is_some())).await;
            }
            ProviderMessage::ConnectionClosed(message) => {
                connected.remove(&message.connection_id);
            }
            ProviderMessage::GetRequestReceived(message) => {
                let is_allowed = connected
                    .get(&message.connection_id)
                    .is_some_and(|peer| peers.is_member(*peer));
                let _ = message.tx.send(verdict(is_allowed)).await;
            }
            ProviderMessage::GetManyRequestReceived(message) => {
                let _ = message.tx.send(verdict(false)).await;
            }
            ProviderMessage::PushRequestReceived(message) => {
                let _ = message.tx.send(verdict(false)).await;
            }
            ProviderMessage::ObserveRequestReceived(message) => {
                let _ = message.tx.send(verdict(false)).await;
            }
            ProviderMessage::Throttle(message) => {
                let _ = message.tx.send(verdict(true)).await;
            }
            ProviderMessage::ClientConnectedNotify(_)
            | ProviderMessage::GetRequestReceivedNotify(_)
            | ProviderMessage::GetManyRequestReceivedNotify(_)
            | ProviderMessage::PushRequestReceivedNotify(_)
            | ProviderMessage::ObserveRequestReceivedNotify(_) => {}
        }
    }
}
