//! Who sends or calls faster than it may: it waits, and the others do not.

use std::time::{Duration, Instant};

use iroh::{EndpointAddr, TransportAddr};
use printmesh_net::{Event, PeerKey};

use crate::host::{
    JOIN_ALPN, SYNC_ALPN, close_code, connect, host, introduce, member, raw, raw_connect, raw_link,
    read_raw_frame, seeds_by_key, write_raw_frame,
};

#[tokio::test]
async fn a_member_that_floods_is_read_more_slowly_and_the_others_at_once() {
    let seeds = seeds_by_key(3);
    let (mut a, mut good) = (host(seeds[0]).await, host(seeds[1]).await);
    connect(&mut a, &mut good).await;
    let flooding = raw(seeds[2]).await;
    let key = PeerKey::of_secret(&[seeds[2]; 32]);
    introduce(&[&a, &good]);
    let mut members = member(key);
    members.insert(good.key(), vec![good.address()]);
    a.net.set_peers(members);
    let since = Instant::now();
    let (connection, mut send, mut recv) = raw_link(&flooding, &a, 1).await;
    read_raw_frame(&mut recv).await;
    a.connected(key).await;
    let flood = tokio::spawn(async move {
        let mut frames = Vec::new();
        for _ in 0..1_000 {
            frames.extend([0, 0, 0, 1, 9]);
        }
        while send.write_all(&frames).await.is_ok() {}
    });
    // What it may send at once, and then so much a second since its link began: a slow machine only makes it later.
    for _ in 0..21_500 {
        a.frame(key).await;
    }
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(1_400), "{took:?}");
    // Another member is heard in between.
    for n in 0..100u8 {
        good.net.send(a.key(), vec![n]);
        assert_eq!(a.frame(good.key()).await, [n]);
    }
    assert!(
        connection.close_reason().is_none(),
        "it waits, and keeps its link"
    );
    flood.abort();
}

#[tokio::test]
async fn one_member_greets_on_so_many_connections_at_a_time() {
    let seeds = seeds_by_key(2);
    let a = host(seeds[0]).await;
    a.net.set_peers(member(PeerKey::of_secret(&[seeds[1]; 32])));
    let peer = raw(seeds[1]).await;
    // They never say who they are, so that their greetings last.
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(raw_connect(&peer, &a, SYNC_ALPN).await);
    }
    // The host may see the last of them after the next one.
    let mut refused = 0;
    for _ in 0..8 {
        let more = raw_connect(&peer, &a, SYNC_ALPN).await;
        open.push(more);
    }
    for connection in &open {
        if close_code(connection).await == 429 {
            refused += 1;
        }
    }
    assert_eq!(refused, 8);
}

#[tokio::test]
async fn a_member_opens_so_many_streams_on_a_connection_and_no_more() {
    let seeds = seeds_by_key(2);
    let a = host(seeds[0]).await;
    a.net.set_peers(member(PeerKey::of_secret(&[seeds[1]; 32])));
    let peer = raw(seeds[1]).await;
    let (connection, _send, _recv) = raw_link(&peer, &a, 7).await;
    // What is allowed is allowed at once; what is not waits until a stream has ended.
    let at_once = Duration::ZERO;
    let mut open = Vec::new();
    while let Ok(stream) = tokio::time::timeout(at_once, connection.open_bi()).await {
        open.push(stream.unwrap());
        assert!(open.len() < 64, "it may open any number");
    }
    assert_eq!(open.len(), 31, "and the one of the link");
    assert!(
        tokio::time::timeout(at_once, connection.open_uni())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn one_address_has_so_many_conversations_at_a_time() {
    let mut door = host(1).await;
    door.net.accept_joins(true);
    let mut guests = Vec::new();
    for seed in 10..18 {
        let guest = raw(seed).await;
        let talk = talk(&guest, &door).await;
        door.wait(|event| matches!(event, Event::JoinOpened { .. }).then_some(()))
            .await;
        guests.push((guest, talk));
    }
    let late = raw(30).await;
    let connection = raw_connect(&late, &door, JOIN_ALPN).await;
    assert_eq!(close_code(&connection).await, 423);
    // A place that is given back is taken by the next one.
    let (_, (connection, ..)) = guests.pop().unwrap();
    connection.close(0u32.into(), b"");
    door.wait(|event| matches!(event, Event::JoinClosed { .. }).then_some(()))
        .await;
    let again = raw(31).await;
    let _talk = talk(&again, &door).await;
    door.wait(|event| matches!(event, Event::JoinOpened { .. }).then_some(()))
        .await;
}

async fn talk(
    guest: &iroh::Endpoint,
    door: &crate::host::Host,
) -> (
    iroh::endpoint::Connection,
    iroh::endpoint::SendStream,
    iroh::endpoint::RecvStream,
) {
    let connection = raw_connect(guest, door, JOIN_ALPN).await;
    let (mut send, recv) = connection.open_bi().await.unwrap();
    let hello = printmesh_net::Hello {
        protocol: printmesh_net::ProtocolRange::THIS_BUILD,
        instance: 1,
        software: "raw".into(),
    };
    write_raw_frame(&mut send, &printmesh_net::encode_hello(&hello)).await;
    (connection, send, recv)
}

/// How many may call, and what ten thousand cost, is shown by the door's own tests and by the benchmark.
#[tokio::test]
async fn strangers_that_call_again_and_again_learn_nothing_and_a_member_gets_in() {
    let a = host(1).await;
    let stranger = raw(9).await;
    let id = iroh::EndpointId::from_bytes(&a.key().0).unwrap();
    let target = EndpointAddr::from_parts(id, [TransportAddr::Ip(a.address())]);
    for _ in 0..100 {
        // Whoever comes too often is not even shaken hands with.
        if let Ok(connection) = stranger.connect(target.clone(), SYNC_ALPN).await {
            assert_eq!(close_code(&connection).await, 403);
        }
    }
    let mut b = host(2).await;
    introduce(&[&a, &b]);
    b.connected(a.key()).await;
    let is_of_member = |event: &Event| match event {
        Event::Connected { peer, .. } | Event::Disconnected { peer, .. } => *peer == b.key(),
        _ => false,
    };
    assert!(a.finish().await.iter().all(is_of_member));
}
