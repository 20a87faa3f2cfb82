//! Meeting over a relay: a real one, on 127.0.0.1, that says who has called it. That two hosts with nothing but a relay
//! between them meet there is tried with network namespaces, in the suite of the whole product.

use std::{collections::BTreeMap, time::Duration};

use iroh::{RelayMode, TransportAddr};
use iroh_relay::server::{Access, AccessControl, ClientRequest, RelayConfig, Server, ServerConfig};
use printmesh_net::{Config, Event, JoinFailure, PeerKey, Relay, Relays};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    files::{add, bytes, exported},
    host::{
        Host, JOIN_ALPN, SYNC_ALPN, close_code, config, host, member, raw_connect_at, raw_with,
    },
    strangers::provoke,
};

const HANG: Duration = Duration::from_secs(60);

/// Lets everybody in, and says who came.
#[derive(Debug)]
struct Book(mpsc::UnboundedSender<PeerKey>);

impl AccessControl for Book {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        self.0.send(PeerKey(*request.endpoint_id().as_bytes())).ok();
        Access::Allow
    }
}

struct Running {
    relay: Relay,
    callers: mpsc::UnboundedReceiver<PeerKey>,
    _server: Server,
}

async fn relay() -> Running {
    let (book, callers) = mpsc::unbounded_channel();
    let mut config = RelayConfig::new(([127, 0, 0, 1], 0));
    config.access = std::sync::Arc::new(Book(book));
    let mut server = ServerConfig::default();
    server.relay = Some(config);
    let server = Server::spawn(server).await.unwrap();
    let relay = format!("http://{}", server.http_addr().unwrap());
    Running {
        relay: relay.parse().unwrap(),
        callers,
        _server: server,
    }
}

impl Running {
    /// Waits until a host has called.
    async fn called_by(&mut self, wanted: PeerKey) {
        let found = timeout(HANG, async {
            while self.callers.recv().await.expect("the relay runs") != wanted {}
        });
        found.await.expect("it calls");
    }

    fn is_called(&mut self) -> bool {
        self.callers.try_recv().is_ok()
    }
}

/// A host that waits at these relays.
async fn host_at(seed: u8, relays: Relays) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        relays,
        ..config(seed, dir.path())
    };
    Host::start(config, dir).await
}

fn at(relay: &Running) -> Relays {
    Relays::Named(vec![relay.relay.clone()])
}

#[tokio::test]
async fn two_hosts_that_know_no_address_meet_over_their_relay_talk_and_fetch() {
    let relay = relay().await;
    let (mut a, mut b) = (host_at(1, at(&relay)).await, host_at(2, at(&relay)).await);
    let (a_key, b_key) = (a.key(), b.key());
    a.net.set_peers(member(b_key));
    b.net.set_peers(member(a_key));
    let (at_a, at_b) = tokio::join!(a.connected(b_key), b.connected(a_key));
    assert_eq!(at_a, at_b, "it is one connection from end to end");
    a.net.send(b_key, b"hello".to_vec());
    assert_eq!(b.frame(a_key).await, b"hello");

    let contents = bytes(1, 300_000);
    let file = add(&a, &contents).await;
    let fetched = b
        .net
        .files()
        .fetch(file.hash, file.size, vec![a_key], |_| {});
    fetched.await.unwrap();
    assert_eq!(exported(&b, file.hash).await, contents);
    let used = a.net.relays();
    assert_eq!(used.len(), 1);
    assert_eq!((used[0].relay.clone(), used[0].wanted), (relay.relay, true));
}

#[tokio::test]
async fn a_relay_that_a_person_agrees_to_is_used_at_once_and_for_those_members_only() {
    let mut relay = relay().await;
    let mut a = host_at(1, at(&relay)).await;
    let mut b = host_at(2, Relays::Named(Vec::new())).await;
    let (a_key, b_key) = (a.key(), b.key());
    relay.called_by(a_key).await;
    a.net.set_peers(member(b_key));
    // B knows somebody else too, and no address of either.
    let mut members = member(a_key);
    members.extend(member(PeerKey::of_secret(&[3; 32])));
    b.net.set_peers(members);
    assert_eq!(b.net.relays(), []);
    let agreed = BTreeMap::from([(a_key, vec![relay.relay.clone()])]);
    b.net.set_relays(agreed);
    tokio::join!(a.connected(b_key), b.connected(a_key));
    assert!(b.net.relays()[0].wanted);

    b.net.set_relays(BTreeMap::new());
    assert!(b.net.relays().iter().all(|used| !used.wanted));
}

#[tokio::test]
async fn a_stranger_is_let_in_over_the_relay_of_its_ticket_and_no_other_way() {
    let mut relay = relay().await;
    let mut door = host_at(1, at(&relay)).await;
    relay.called_by(door.key()).await;
    door.net.accept_joins(true);
    let mut guest = host(2).await;
    guest.net.join(1, door.key(), Vec::new(), Vec::new());
    let failure = |event| match event {
        Event::JoinFailed { failure, .. } => Some(failure),
        _ => None,
    };
    assert_eq!(guest.wait(failure).await, JoinFailure::NoAddress);
    assert!(!relay.is_called(), "nobody said that it may be");

    let wanted = vec![relay.relay.clone()];
    guest.net.join(2, door.key(), Vec::new(), wanted.clone());
    let opened = |event| match event {
        Event::JoinOpened { exporter, .. } => Some(exporter),
        _ => None,
    };
    let (here, there) = tokio::join!(guest.wait(opened), door.wait(opened));
    assert_eq!(here, there);
    relay.called_by(guest.key()).await;

    // Where relays are off, nobody can turn one on.
    let mut off = host_at(3, Relays::Never).await;
    off.net
        .set_relays(BTreeMap::from([(door.key(), wanted.clone())]));
    off.net.join(3, door.key(), Vec::new(), wanted);
    assert_eq!(off.wait(failure).await, JoinFailure::NoAddress);
    assert_eq!(off.net.relays(), []);
    assert!(!relay.is_called());
}

#[tokio::test]
async fn a_stranger_on_the_relay_is_refused_everywhere_and_learns_nothing() {
    let mut relay = relay().await;
    let a = host_at(1, at(&relay)).await;
    relay.called_by(a.key()).await;
    a.net.set_peers(member(PeerKey::of_secret(&[2; 32])));
    let url: iroh::RelayUrl = relay.relay.to_string().parse().unwrap();
    let stranger = raw_with(9, RelayMode::custom([url.clone()])).await;
    for (alpn, code) in [(SYNC_ALPN, 403), (iroh_blobs::ALPN, 403), (JOIN_ALPN, 423)] {
        let over = TransportAddr::Relay(url.clone());
        let connection = raw_connect_at(&stranger, &a, over, alpn).await;
        assert_eq!(provoke(&connection).await, b"", "{alpn:?}");
        assert_eq!(close_code(&connection).await, code, "{alpn:?}");
    }
    relay.called_by(PeerKey::of_secret(&[9; 32])).await;
    assert_eq!(a.finish().await, []);
}
