//! Links between members.

use printmesh_net::{Config, Event, FRAME_BYTES_MAX, PeerKey, ProtocolRange};

use crate::host::{
    Host, close_code, config, connect, host, introduce, member, raw, raw_hello, raw_link,
    read_raw_frame, seeds_by_key, write_raw_frame,
};

#[tokio::test]
async fn frames_go_both_ways_in_order() {
    let (mut a, mut b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let (a_key, b_key) = (a.key(), b.key());
    let (at_a, at_b) = tokio::join!(a.connected(b_key), b.connected(a_key));
    assert_eq!(at_a, at_b, "both ends derive the same secret");
    for number in 0..2000u32 {
        a.net.send(b_key, number.to_be_bytes().to_vec());
        b.net.send(a_key, (!number).to_be_bytes().to_vec());
    }
    for number in 0..2000u32 {
        assert_eq!(b.frame(a_key).await, number.to_be_bytes());
        assert_eq!(a.frame(b_key).await, (!number).to_be_bytes());
    }
    let largest = vec![7; FRAME_BYTES_MAX];
    a.net.send(b_key, Vec::new());
    a.net.send(b_key, largest.clone());
    assert_eq!(b.frame(a_key).await, b"");
    assert!(b.frame(a_key).await == largest);
}

#[tokio::test]
async fn a_peer_says_who_it_is_and_from_where() {
    let (mut a, b) = (host(1).await, host(2).await);
    introduce(&[&a, &b]);
    let expected = b.address();
    let Event::Connected {
        peer,
        address,
        software,
        ..
    } = a.next().await
    else {
        panic!("not connected first")
    };
    assert_eq!(
        (peer, address, software.as_str()),
        (b.key(), Some(expected), "test-2")
    );
}

#[tokio::test]
async fn two_hosts_that_dial_each_other_keep_one_connection() {
    for round in 0..10u8 {
        let (mut a, mut b) = (host(2 * round + 1).await, host(2 * round + 2).await);
        let (a_key, b_key) = (a.key(), b.key());
        connect(&mut a, &mut b).await;
        for turn in 0..20u8 {
            a.net.send(b_key, vec![turn]);
            assert_eq!(
                b.next().await,
                Event::Frame {
                    peer: a_key,
                    bytes: vec![turn]
                },
                "nothing but frames comes"
            );
            b.net.send(a_key, vec![turn]);
            assert_eq!(
                a.next().await,
                Event::Frame {
                    peer: b_key,
                    bytes: vec![turn]
                },
                "nothing but frames comes"
            );
        }
        assert_eq!(a.finish().await, []);
        let rest = b.finish().await;
        assert!(
            rest.iter()
                .all(|event| matches!(event, Event::Disconnected { .. })),
            "{rest:?}"
        );
    }
}

#[tokio::test]
async fn five_hosts_make_a_full_mesh_of_one_link_each() {
    let mut hosts = Vec::new();
    for seed in 1..=5 {
        hosts.push(host(seed).await);
    }
    introduce(&hosts.iter().collect::<Vec<_>>());
    for host in &mut hosts {
        let mut links: Vec<PeerKey> = Vec::new();
        while links.len() < 4 {
            match host.next().await {
                Event::Connected { peer, .. } => links.push(peer),
                other => panic!("a link was not kept: {other:?}"),
            }
        }
        links.sort();
        links.dedup();
        assert_eq!(links.len(), 4);
    }
}

#[tokio::test]
async fn a_version_without_overlap_is_reported_on_both_sides() {
    let (a_dir, b_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = ProtocolRange {
        oldest: 1,
        newest: 1,
    };
    let new = ProtocolRange {
        oldest: 2,
        newest: 3,
    };
    let mut a = Host::start(
        Config {
            protocol: old,
            ..config(1, a_dir.path())
        },
        a_dir,
    )
    .await;
    let mut b = Host::start(
        Config {
            protocol: new,
            ..config(2, b_dir.path())
        },
        b_dir,
    )
    .await;
    introduce(&[&a, &b]);
    let (a_key, b_key) = (a.key(), b.key());
    assert_eq!(
        a.next().await,
        Event::Incompatible {
            peer: b_key,
            software: "test-2".into(),
            protocol: new
        }
    );
    assert_eq!(
        b.next().await,
        Event::Incompatible {
            peer: a_key,
            software: "test-1".into(),
            protocol: old
        }
    );
}

#[tokio::test]
async fn a_peer_that_was_restarted_is_connected_again() {
    let (mut a, mut b) = (host(1).await, host(2).await);
    let (a_key, b_key) = (a.key(), b.key());
    connect(&mut a, &mut b).await;
    let mut b = b.restart(2).await;
    assert_eq!(a.disconnected(b_key).await, "the peer is shutting down");
    b.net.set_peers(member(a_key));
    tokio::join!(a.connected(b_key), b.connected(a_key));
    a.net.send(b_key, b"again".to_vec());
    assert_eq!(b.frame(a_key).await, b"again");
}

/// After a crash, the old connection looks alive for ten seconds more.
#[tokio::test]
async fn a_peer_that_crashed_and_came_back_replaces_its_old_link_at_once() {
    let seeds = seeds_by_key(2);
    let mut a = host(seeds[0]).await;
    let peer = raw(seeds[1]).await;
    let key = PeerKey::of_secret(&[seeds[1]; 32]);
    a.net.set_peers(member(key));

    let (first, _send, mut recv) = raw_link(&peer, &a, 1).await;
    assert_eq!(read_raw_frame(&mut recv).await, b"", "the verdict");
    a.connected(key).await;

    let (same, _send2, _recv2) = raw_hello(&peer, &a, 1).await;
    assert_eq!(close_code(&same).await, 409, "one instance has one link");
    assert!(first.close_reason().is_none());

    let (_second, mut send, _recv3) = raw_link(&peer, &a, 2).await;
    assert_eq!(close_code(&first).await, 410, "the new instance takes over");
    assert!(matches!(a.next().await, Event::Disconnected { peer, .. } if peer == key));
    assert!(matches!(a.next().await, Event::Connected { peer, dialed: false, .. } if peer == key));
    write_raw_frame(&mut send, b"back").await;
    assert_eq!(a.frame(key).await, b"back");
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_that_link_only() {
    let seeds = seeds_by_key(3);
    let (mut a, mut b) = (host(seeds[0]).await, host(seeds[1]).await);
    let peer = raw(seeds[2]).await;
    let key = PeerKey::of_secret(&[seeds[2]; 32]);
    let (a_key, b_key) = (a.key(), b.key());
    a.net
        .set_peers([(b_key, vec![b.address()]), (key, Vec::new())].into());
    b.net.set_peers(member(a_key));
    tokio::join!(a.connected(b_key), b.connected(a_key));

    let (connection, mut send, _recv) = raw_link(&peer, &a, 1).await;
    a.connected(key).await;
    send.write_all(&u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes())
        .await
        .unwrap();
    assert_eq!(close_code(&connection).await, 422);
    assert_eq!(
        a.disconnected(key).await,
        "a frame of 1048577 bytes is over the limit of 1048576"
    );
    b.net.send(a_key, b"unharmed".to_vec());
    assert_eq!(
        a.next().await,
        Event::Frame {
            peer: b_key,
            bytes: b"unharmed".to_vec()
        }
    );
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected() {
    let seeds = seeds_by_key(2);
    let mut a = host(seeds[0]).await;
    let peer = raw(seeds[1]).await;
    let key = PeerKey::of_secret(&[seeds[1]; 32]);
    a.net.set_peers(member(key));
    let (connection, _send, _recv) = raw_link(&peer, &a, 1).await;
    a.connected(key).await;
    // More than may wait, and than the connection takes in unread.
    for _ in 0..80 {
        a.net.send(key, vec![0; FRAME_BYTES_MAX]);
    }
    assert_eq!(close_code(&connection).await, 408);
    a.disconnected(key).await;
}

#[tokio::test]
async fn who_is_no_longer_a_member_is_disconnected_and_may_come_back() {
    let (mut a, mut b) = (host(1).await, host(2).await);
    let (a_key, b_key) = (a.key(), b.key());
    connect(&mut a, &mut b).await;
    a.net.set_peers([].into());
    assert_eq!(
        a.next().await,
        Event::Disconnected {
            peer: b_key,
            reason: "no longer a member".into()
        }
    );
    assert_eq!(
        b.disconnected(a_key).await,
        "the peer does not know this host as a member"
    );
    a.net.send(b_key, b"into the void".to_vec());
    a.net.set_peers([(b_key, vec![b.address()])].into());
    tokio::join!(a.connected(b_key), b.connected(a_key));
}
