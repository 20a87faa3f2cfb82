//! The iroh endpoint: one UDP socket, no lookup service, no relay but those that a person named, and the door through
//! which connections come in. It decides only who may pass; what is said behind the door is in `peers.rs`, `join.rs` and `files/serve.rs`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use iroh::{
    Endpoint, EndpointAddr, NetReportConfig, RelayMode, SecretKey, TransportAddr,
    dns::DnsResolver,
    endpoint::{
        BindError, Connection, Incoming, IncomingAddr, PortmapperConfig, QuicTransportConfig,
        VarInt, presets,
    },
};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::{
    codes::CloseCode,
    config::{Bind, StartError},
    door::{Door, Origin, Verdict},
    files::FILES_ALPN,
    join, limits,
    peer_key::PeerKey,
    peers,
    relay::{Relay, Relays},
    shared::Shared,
};

/// The protocol of members: frames, for as long as both run.
pub(crate) const SYNC_ALPN: &[u8] = b"printmesh/sync";
/// The protocol of those who want to become members: a short conversation.
pub(crate) const JOIN_ALPN: &[u8] = b"printmesh/join";

const EXPORTER_LABEL: &[u8] = b"EXPORTER-printmesh-v1";

/// The endpoint for as long as the network runs. The system has the port back only when the last handle is dropped, so
/// whoever needs it for longer than a call asks here.
pub(crate) struct Port(Mutex<Option<Endpoint>>);

impl Port {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self(Mutex::new(Some(endpoint)))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Endpoint>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Returns the endpoint, for the length of a call; `None` once the network is stopped.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.lock().clone()
    }

    /// Says goodbye to all peers and gives the port back: when this returns, it can be bound again.
    pub(crate) async fn close(&self) {
        let endpoint = self.lock().take();
        let Some(endpoint) = endpoint else { return };
        let bound = endpoint.bound_sockets();
        if timeout(limits::SHUTDOWN_TIME_MAX, endpoint.close())
            .await
            .is_err()
        {
            warn!("some peers did not confirm the end of their connections");
        }
        drop(endpoint);
        // The socket lives until the last of iroh's own tasks has ended, and nothing tells when that is.
        let freed = timeout(limits::SHUTDOWN_TIME_MAX, async {
            while bound.iter().any(|address| is_taken(*address)) {
                sleep(limits::PORT_FREE_PAUSE).await;
            }
        });
        if freed.await.is_err() {
            warn!(?bound, "the port is still taken");
        }
    }
}

fn is_taken(address: SocketAddr) -> bool {
    UdpSocket::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Opens the endpoint. A port that cannot be had is an error, never another port.
pub(crate) async fn bind(
    secret_key: &[u8; 32],
    bind: Bind,
    relays: &Relays,
) -> Result<Endpoint, StartError> {
    let address = match bind {
        Bind::Auto => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        Bind::Address(address) => address,
    };
    let builder = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(secret_key))
        .relay_mode(relays.map().map_or(RelayMode::Disabled, RelayMode::Custom))
        .net_report_config(questions())
        .dns_resolver(names())
        .portmapper_config(PortmapperConfig::Disabled)
        .transport_config(transport())
        .alpns(
            [SYNC_ALPN, JOIN_ALPN, FILES_ALPN]
                .map(<[u8]>::to_vec)
                .to_vec(),
        )
        // Without this, iroh would listen on [::] at some other port as well.
        .clear_ip_transports()
        .bind_addr(address)
        .map_err(|error| StartError::Endpoint {
            reason: error.to_string(),
        })?;
    builder.bind().await.map_err(|error| match error {
        BindError::Sockets { source, .. } | BindError::CreateQuicEndpoint { source, .. } => {
            listen_error(address, source)
        }
        other => StartError::Endpoint {
            reason: format!("{other:#}"),
        },
    })
}

fn listen_error(address: SocketAddr, source: io::Error) -> StartError {
    match source.kind() {
        io::ErrorKind::AddrInUse => StartError::PortTaken { address },
        io::ErrorKind::PermissionDenied => StartError::PortPrivileged { address },
        io::ErrorKind::AddrNotAvailable => StartError::AddressNotHere { address },
        _ => StartError::Listen { address, source },
    }
}

/// What a relay is asked: how far it is. Not whether somebody in between answers for it, which takes more calls.
fn questions() -> NetReportConfig {
    let mut questions = NetReportConfig::default();
    questions.captive_portal_check = false;
    questions
}

/// Only the system's name servers are asked where a relay is; by itself iroh would ask public ones when these do not answer.
fn names() -> DnsResolver {
    DnsResolver::builder()
        .with_system_defaults()
        .disable_fallback()
        .build()
}

fn transport() -> QuicTransportConfig {
    QuicTransportConfig::builder()
        .max_idle_timeout(Some(
            limits::IDLE_TIME_MAX.try_into().expect("ten seconds fit"),
        ))
        .keep_alive_interval(limits::KEEP_ALIVE)
        .default_path_max_idle_timeout(limits::IDLE_TIME_MAX)
        .default_path_keep_alive_interval(limits::KEEP_ALIVE)
        .max_concurrent_bidi_streams(VarInt::from_u32(limits::STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(limits::CONNECTION_WINDOW))
        .build()
}

/// The ways to a peer. A relay that stands here is called, whether it was named before or not: only those that a person
/// agreed to may.
pub(crate) struct Ways {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) relays: Vec<Relay>,
}

impl Ways {
    pub(crate) fn is_none(&self) -> bool {
        self.addresses.is_empty() && self.relays.is_empty()
    }
}

/// Dials a peer in all these ways at once.
pub(crate) async fn dial(
    port: &Port,
    peer: PeerKey,
    ways: Ways,
    alpn: &[u8],
) -> Result<Connection, String> {
    let id = peer.endpoint_id().ok_or("the key is not valid")?;
    let endpoint = port.endpoint().ok_or("the network is stopped")?;
    let direct = ways.addresses.into_iter().map(TransportAddr::Ip);
    let relayed = ways
        .relays
        .iter()
        .map(|relay| TransportAddr::Relay(relay.url()));
    let target = EndpointAddr::from_parts(id, direct.chain(relayed));
    match timeout(limits::DIAL_TIME_MAX, endpoint.connect(target, alpn)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err("nobody answers".into()),
    }
}

/// Returns 32 bytes that only the two ends of this connection know.
pub(crate) fn exporter(connection: &Connection) -> [u8; 32] {
    let mut bytes = [0; 32];
    connection
        .export_keying_material(&mut bytes, EXPORTER_LABEL, connection.alpn())
        .expect("32 bytes are within the limit of the exporter");
    bytes
}

/// Returns where the peer is, as far as the connection knows; `None` when it comes over a relay.
pub(crate) fn remote_address(connection: &Connection) -> Option<SocketAddr> {
    let paths = connection.paths();
    let path = paths
        .iter()
        .find(|path| path.is_selected())
        .or_else(|| paths.iter().next())?;
    match path.remote_addr() {
        TransportAddr::Ip(address) => Some(*address),
        _ => None,
    }
}

/// Accepts connections until the endpoint is closed.
pub(crate) async fn accept(shared: Arc<Shared>, endpoint: Endpoint) {
    let door = Door::new();
    while let Some(incoming) = endpoint.accept().await {
        let origin = match incoming.remote_addr() {
            IncomingAddr::Ip(address) if incoming.remote_addr_validated() => {
                Origin::of_address(address.ip())
            }
            IncomingAddr::Relay { endpoint_id, .. } => {
                let peer = PeerKey::of_endpoint(endpoint_id);
                match shared.peers.is_member(peer) {
                    true => Origin::Member(peer),
                    false => Origin::Relayed,
                }
            }
            _ => Origin::Unproven,
        };
        let place = match door.knock(origin, Instant::now()) {
            Verdict::Enter(place) => place,
            Verdict::Refuse => {
                incoming.refuse();
                continue;
            }
            Verdict::Prove => {
                if let Err(error) = incoming.retry() {
                    debug!(%error, "could not ask for a proof of address");
                }
                continue;
            }
        };
        let task = Arc::clone(&shared);
        shared.spawn(async move {
            let connection = handshake(incoming).await;
            drop(place);
            if let Some(connection) = connection {
                dispatch(task, connection).await;
            }
        });
    }
}

async fn handshake(incoming: Incoming) -> Option<Connection> {
    match timeout(limits::GREET_TIME_MAX, incoming).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(error)) => {
            debug!(%error, "an incoming handshake failed");
            None
        }
        Err(_elapsed) => None,
    }
}

/// Nothing that a stranger sends is read before this has let it pass.
async fn dispatch(shared: Arc<Shared>, connection: Connection) {
    let peer = PeerKey::of_endpoint(connection.remote_id());
    match connection.alpn() {
        JOIN_ALPN => join::answer(shared, peer, connection).await,
        SYNC_ALPN if shared.peers.is_member(peer) => peers::answer(&shared, peer, connection).await,
        FILES_ALPN if shared.peers.is_member(peer) => {
            shared.provider.serve(&shared, peer, connection).await
        }
        _ => {
            debug!(%peer, protocol = %String::from_utf8_lossy(connection.alpn()), "refused a stranger");
            CloseCode::NotMember.close(&connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_not_to_listen_has_its_own_error() {
        let address = "127.0.0.1:80".parse().unwrap();
        let error = |kind| listen_error(address, io::Error::from(kind));
        assert!(
            matches!(error(io::ErrorKind::AddrInUse), StartError::PortTaken { address: a } if a == address)
        );
        assert!(
            matches!(error(io::ErrorKind::PermissionDenied), StartError::PortPrivileged { address: a } if a == address)
        );
        assert!(
            matches!(error(io::ErrorKind::AddrNotAvailable), StartError::AddressNotHere { address: a } if a == address)
        );
        assert!(matches!(
            error(io::ErrorKind::OutOfMemory),
            StartError::Listen { .. }
        ));
    }
}
