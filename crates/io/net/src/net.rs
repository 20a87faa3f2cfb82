//! The handle that the owner of a network holds: start, tell, shut down. It only passes on; the rules are elsewhere.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    config::{Config, StartError},
    discovery,
    endpoint::{self, Port},
    event::Event,
    files::{self, Files, Provider},
    interfaces, join, limits,
    peer_key::PeerKey,
    peers::{self, Peers},
    relay::{self, Agreed, Relay, RelayUse, Relays},
    shared::{Shared, random_u64},
};

/// A running network. Cheap to clone; it stops when it is shut down, or when the last clone is dropped.
#[derive(Clone)]
pub struct Net {
    owned: Arc<Owned>,
}

struct Owned {
    shared: Arc<Shared>,
    files: Files,
    bound: SocketAddr,
    offers_lan: watch::Sender<bool>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

/// Opens the files and the port, and begins to listen. Nobody is dialed before [`Net::set_peers`].
///
/// # Errors
/// [`StartError`]; nothing is left running then.
pub async fn start(config: Config, events: mpsc::Sender<Event>) -> Result<Net, StartError> {
    let store = files::open(&config.files_dir).await?;
    let endpoint = match endpoint::bind(&config.secret_key, config.bind, &config.relays).await {
        Ok(endpoint) => endpoint,
        Err(error) => {
            store.close().await;
            return Err(error);
        }
    };
    let bound = endpoint
        .bound_sockets()
        .first()
        .copied()
        .expect("an endpoint that is bound has a socket");
    let peers = Arc::new(Peers::new(Agreed::new(config.relays.clone())));
    let (provider, gate) = Provider::new(store.store(), Arc::clone(&peers));
    let port = Arc::new(Port::new(endpoint.clone()));
    let files = store.with_network(Arc::clone(&port), Arc::clone(&peers));
    let shared = Arc::new(Shared {
        key: PeerKey::of_secret(&config.secret_key),
        instance: random_u64(),
        software: config.software,
        protocol: config.protocol,
        port,
        peers,
        joins: join::Joins::default(),
        provider,
        events,
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let offers_lan = watch::Sender::new(false);
    shared.spawn(gate);
    shared.spawn(endpoint::accept(Arc::clone(&shared), endpoint.clone()));
    if config.relays != Relays::Never {
        shared.spawn(relay::keep(Arc::clone(&shared), endpoint));
    }
    if config.discovery {
        shared.spawn(discovery::run(
            Arc::clone(&shared),
            config.service,
            bound,
            offers_lan.subscribe(),
        ));
    }
    info!(key = %shared.key, address = %bound, "listening");
    Ok(Net {
        owned: Arc::new(Owned {
            shared,
            files,
            bound,
            offers_lan,
        }),
    })
}

impl Net {
    /// Returns the key of this host.
    pub fn key(&self) -> PeerKey {
        self.owned.shared.key
    }

    /// Returns where this host can be reached, the likeliest first, as of now. Loopback is in it only when the network is
    /// bound to it, or when this machine has no other interface.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.owned.bound;
        if bound.is_ipv6() {
            return if bound.ip().is_unspecified() {
                Vec::new()
            } else {
                vec![bound]
            };
        }
        match interfaces::addresses(bound.ip()) {
            Ok(found) => found
                .into_iter()
                .map(|address| SocketAddr::new(IpAddr::V4(address), bound.port()))
                .collect(),
            Err(error) => {
                warn!(%error, "could not list the network interfaces");
                Vec::new()
            }
        }
    }

    /// Names the members, with the addresses where they were last; this host itself is ignored. They are dialed and kept
    /// connected, and only they get past the handshake of the sync and file protocols. Those who are no longer named are
    /// disconnected at once.
    pub fn set_peers(&self, peers: BTreeMap<PeerKey, Vec<SocketAddr>>) {
        peers::set(&self.owned.shared, peers);
    }

    /// Names the relays over which members may be met, beside those of the config, which are for all members. Each of them
    /// was agreed to by a person at this host: naming one here is what makes this host call it. No effect when the config
    /// says [`Relays::Never`].
    pub fn set_relays(&self, members: BTreeMap<PeerKey, Vec<Relay>>) {
        let shared = &self.owned.shared;
        shared.peers.relays.set(members);
        shared.peers.wake_all();
    }

    /// Returns the relays that this host uses, as of now.
    pub fn relays(&self) -> Vec<RelayUse> {
        let shared = &self.owned.shared;
        match shared.port.endpoint() {
            Some(endpoint) => shared.peers.relays.in_use(&endpoint),
            None => Vec::new(),
        }
    }

    /// Sends a frame of at most [`crate::FRAME_BYTES_MAX`] bytes to a member, after those sent before. It is dropped if the
    /// member is not connected. If it is over the limit, or if more than 64 MiB wait for the member, the link is closed:
    /// within one link, either all frames arrive in order or it ends.
    pub fn send(&self, peer: PeerKey, frame: Vec<u8>) {
        self.owned.shared.peers.send(peer, frame);
    }

    /// Opens a join conversation with a host at these addresses, where discovery sees it, and over these relays and those of
    /// the config. The answer is [`Event::JoinOpened`] or [`Event::JoinFailed`] with this attempt.
    pub fn join(
        &self,
        attempt: u64,
        host: PeerKey,
        addresses: Vec<SocketAddr>,
        relays: Vec<Relay>,
    ) {
        let shared = &self.owned.shared;
        let task = join::ask(Arc::clone(shared), attempt, host, addresses, relays);
        shared.spawn(task);
    }

    /// Says something in a conversation, at most [`crate::JOIN_FRAME_BYTES_MAX`] bytes. The `last` word ends it: the peer
    /// gets it, then both ends get [`Event::JoinClosed`], and what the peer says meanwhile may be lost. An empty last word
    /// is not delivered.
    pub fn join_send(&self, conversation: u64, bytes: Vec<u8>, last: bool) {
        self.owned.shared.joins.say(conversation, bytes, last);
    }

    /// Whether others may open join conversations; at first they may not. Those that are open stay open.
    pub fn accept_joins(&self, accepts: bool) {
        self.owned.shared.joins.set_accepts(accepts);
    }

    /// Whether the announcement on the LAN says that this host offers the default LAN queue; at first it does not.
    pub fn offer_lan(&self, offers: bool) {
        self.owned
            .offers_lan
            .send_if_modified(|before| std::mem::replace(before, offers) != offers);
    }

    /// Returns the files of this host.
    pub fn files(&self) -> &Files {
        &self.owned.files
    }

    /// Says goodbye to all peers, ends all tasks, closes the port and the files. No event comes after it.
    pub async fn shutdown(&self) {
        let shared = &self.owned.shared;
        shared.stop.cancel();
        shared.tasks.close();
        if timeout(limits::SHUTDOWN_TIME_MAX, shared.tasks.wait())
            .await
            .is_err()
        {
            warn!("some network tasks did not end in time");
        }
        shared.port.close().await;
        self.owned.files.shutdown().await;
    }
}
