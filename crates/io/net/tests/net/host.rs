//! A host to test with, and a raw peer that says what no honest host would.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use iroh::{
    Endpoint, EndpointAddr, RelayMode, SecretKey, TransportAddr,
    endpoint::{Connection, RecvStream, SendStream, presets},
};
use printmesh_net::{
    Bind, Config, Event, Hello, Net, PeerKey, ProtocolRange, decode_hello, encode_frame_header,
    encode_hello,
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};

pub(crate) const SYNC_ALPN: &[u8] = b"printmesh/sync";
pub(crate) const JOIN_ALPN: &[u8] = b"printmesh/join";

/// Far longer than anything takes; it only turns a hang into a failure.
const HANG: Duration = Duration::from_secs(60);

pub(crate) struct Host {
    pub(crate) net: Net,
    pub(crate) events: mpsc::Receiver<Event>,
    dir: TempDir,
}

pub(crate) fn config(seed: u8, dir: &Path) -> Config {
    Config {
        bind: Bind::Address("127.0.0.1:0".parse().unwrap()),
        discovery: false,
        software: format!("test-{seed}"),
        ..Config::new([seed; 32], dir.join("files"))
    }
}

/// Seeds of hosts, sorted by their public keys: the smaller key arbitrates between two connections.
pub(crate) fn seeds_by_key(count: u8) -> Vec<u8> {
    let mut seeds: Vec<u8> = (1..=count).collect();
    seeds.sort_by_key(|seed| PeerKey::of_secret(&[*seed; 32]));
    seeds
}

pub(crate) async fn host(seed: u8) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let config = config(seed, dir.path());
    Host::start(config, dir).await
}

impl Host {
    pub(crate) async fn start(config: Config, dir: TempDir) -> Self {
        let (sender, events) = mpsc::channel(1024);
        let net = printmesh_net::start(config, sender).await.unwrap();
        Self { net, events, dir }
    }

    /// Shuts down and starts again with the same files, on the same port.
    pub(crate) async fn restart(self, seed: u8) -> Self {
        let address = self.address();
        self.net.shutdown().await;
        let config = Config {
            bind: Bind::Address(address),
            ..config(seed, self.dir.path())
        };
        Self::start(config, self.dir).await
    }

    pub(crate) fn key(&self) -> PeerKey {
        self.net.key()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.net.addresses()[0]
    }

    /// Waits for the first event that `pick` wants; others are dropped.
    pub(crate) async fn wait<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let picked = timeout(HANG, async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        });
        picked.await.expect("the event comes")
    }

    /// Waits for the next event, whatever it is.
    pub(crate) async fn next(&mut self) -> Event {
        self.wait(Some).await
    }

    pub(crate) async fn connected(&mut self, wanted: PeerKey) -> [u8; 32] {
        self.wait(|event| match event {
            Event::Connected { peer, exporter, .. } if peer == wanted => Some(exporter),
            _ => None,
        })
        .await
    }

    pub(crate) async fn disconnected(&mut self, wanted: PeerKey) -> String {
        self.wait(|event| match event {
            Event::Disconnected { peer, reason } if peer == wanted => Some(reason),
            _ => None,
        })
        .await
    }

    pub(crate) async fn frame(&mut self, wanted: PeerKey) -> Vec<u8> {
        self.wait(|event| match event {
            Event::Frame { peer, bytes } if peer == wanted => Some(bytes),
            _ => None,
        })
        .await
    }

    /// Shuts down and returns the events that nobody has looked at yet.
    pub(crate) async fn finish(mut self) -> Vec<Event> {
        self.net.shutdown().await;
        let mut rest = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            rest.push(event);
        }
        rest
    }
}

/// Makes each of the hosts know the others.
pub(crate) fn introduce(hosts: &[&Host]) {
    for host in hosts {
        let others = hosts.iter().filter(|other| other.key() != host.key());
        host.net.set_peers(
            others
                .map(|other| (other.key(), vec![other.address()]))
                .collect(),
        );
    }
}

/// Waits until each of two hosts has the link.
pub(crate) async fn connect(a: &mut Host, b: &mut Host) {
    introduce(&[a, b]);
    let (a_key, b_key) = (a.key(), b.key());
    tokio::join!(a.connected(b_key), b.connected(a_key));
}

pub(crate) fn member(key: PeerKey) -> BTreeMap<PeerKey, Vec<SocketAddr>> {
    BTreeMap::from([(key, Vec::new())])
}

/// An endpoint without any manners of this product.
pub(crate) async fn raw(seed: u8) -> Endpoint {
    raw_with(seed, RelayMode::Disabled).await
}

pub(crate) async fn raw_with(seed: u8, relays: RelayMode) -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&[seed; 32]))
        .relay_mode(relays)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")
        .unwrap()
        .bind()
        .await
        .unwrap()
}

pub(crate) async fn raw_connect(raw: &Endpoint, host: &Host, alpn: &[u8]) -> Connection {
    raw_connect_at(raw, host, TransportAddr::Ip(host.address()), alpn).await
}

pub(crate) async fn raw_connect_at(
    raw: &Endpoint,
    host: &Host,
    at: TransportAddr,
    alpn: &[u8],
) -> Connection {
    let id = iroh::EndpointId::from_bytes(&host.key().0).unwrap();
    let target = EndpointAddr::from_parts(id, [at]);
    timeout(HANG, raw.connect(target, alpn))
        .await
        .unwrap()
        .unwrap()
}

/// Opens a link as far as a member can: greets, and leaves the verdict to the host, whose key must be the smaller.
pub(crate) async fn raw_link(
    raw: &Endpoint,
    host: &Host,
    instance: u64,
) -> (Connection, SendStream, RecvStream) {
    let (connection, send, mut recv) = raw_hello(raw, host, instance).await;
    decode_hello(&read_raw_frame(&mut recv).await).unwrap();
    (connection, send, recv)
}

/// Greets, and does not wait for an answer.
pub(crate) async fn raw_hello(
    raw: &Endpoint,
    host: &Host,
    instance: u64,
) -> (Connection, SendStream, RecvStream) {
    let connection = raw_connect(raw, host, SYNC_ALPN).await;
    let (mut send, recv) = connection.open_bi().await.unwrap();
    let hello = Hello {
        protocol: ProtocolRange::THIS_BUILD,
        instance,
        software: "raw".into(),
    };
    write_raw_frame(&mut send, &encode_hello(&hello)).await;
    (connection, send, recv)
}

pub(crate) async fn write_raw_frame(send: &mut SendStream, frame: &[u8]) {
    send.write_all(&encode_frame_header(frame.len(), usize::MAX).unwrap())
        .await
        .unwrap();
    send.write_all(frame).await.unwrap();
}

pub(crate) async fn read_raw_frame(recv: &mut RecvStream) -> Vec<u8> {
    let mut header = [0; 4];
    recv.read_exact(&mut header).await.unwrap();
    let mut frame = vec![0; u32::from_be_bytes(header) as usize];
    recv.read_exact(&mut frame).await.unwrap();
    frame
}

/// Returns the code with which the host closes the connection.
pub(crate) async fn close_code(connection: &Connection) -> u64 {
    match timeout(HANG, connection.closed())
        .await
        .expect("the host closes")
    {
        iroh::endpoint::ConnectionError::ApplicationClosed(close) => {
            assert!(close.reason.is_empty(), "a refusal says nothing");
            close.error_code.into_inner()
        }
        other => panic!("not closed by the host: {other}"),
    }
}
