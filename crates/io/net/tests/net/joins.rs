//! Join conversations.

use std::net::SocketAddr;

use printmesh_net::{Config, Event, JOIN_FRAME_BYTES_MAX, JoinFailure, ProtocolRange};

use crate::host::{Host, config, host};

async fn opened(host: &mut Host) -> (u64, [u8; 32], Option<u64>) {
    match host.next().await {
        Event::JoinOpened {
            conversation,
            exporter,
            attempt,
            ..
        } => (conversation, exporter, attempt),
        other => panic!("not opened: {other:?}"),
    }
}

async fn failure(host: &mut Host, wanted: u64) -> JoinFailure {
    match host.next().await {
        Event::JoinFailed { attempt, failure } if attempt == wanted => failure,
        other => panic!("not failed: {other:?}"),
    }
}

#[tokio::test]
async fn a_stranger_and_a_host_talk_until_one_says_the_last_word() {
    let (mut guest, mut door) = (host(1).await, host(2).await);
    door.net.accept_joins(true);
    guest
        .net
        .join(77, door.key(), vec![door.address()], Vec::new());
    let (at_guest, guest_secret, attempt) = opened(&mut guest).await;
    let (at_door, door_secret, none) = opened(&mut door).await;
    assert_eq!((attempt, none), (Some(77), None));
    assert_eq!(
        guest_secret, door_secret,
        "both ends derive the same secret"
    );

    guest.net.join_send(at_guest, b"may I?".to_vec(), false);
    assert_eq!(
        door.next().await,
        Event::JoinFrame {
            conversation: at_door,
            bytes: b"may I?".to_vec()
        }
    );
    door.net.join_send(at_door, b"wait".to_vec(), false);
    let largest = vec![5; JOIN_FRAME_BYTES_MAX];
    door.net.join_send(at_door, largest.clone(), true);
    assert_eq!(
        guest.next().await,
        Event::JoinFrame {
            conversation: at_guest,
            bytes: b"wait".to_vec()
        }
    );
    assert_eq!(
        guest.next().await,
        Event::JoinFrame {
            conversation: at_guest,
            bytes: largest
        }
    );
    assert_eq!(
        guest.next().await,
        Event::JoinClosed {
            conversation: at_guest,
            reason: "the peer finished".into()
        }
    );
    assert!(
        matches!(door.next().await, Event::JoinClosed { conversation, .. } if conversation == at_door)
    );
}

#[tokio::test]
async fn a_host_that_takes_no_members_says_only_that() {
    let (mut guest, door) = (host(1).await, host(2).await);
    guest
        .net
        .join(1, door.key(), vec![door.address()], Vec::new());
    assert_eq!(failure(&mut guest, 1).await, JoinFailure::NotOpen);
    door.net.accept_joins(true);
    guest
        .net
        .join(2, door.key(), vec![door.address()], Vec::new());
    opened(&mut guest).await;
    assert_eq!(door.finish().await.len(), 1);
}

#[tokio::test]
async fn one_key_has_one_conversation_at_a_time() {
    let (mut guest, mut door) = (host(1).await, host(2).await);
    door.net.accept_joins(true);
    guest
        .net
        .join(1, door.key(), vec![door.address()], Vec::new());
    let (first, ..) = opened(&mut guest).await;
    let (at_door, ..) = opened(&mut door).await;
    guest
        .net
        .join(2, door.key(), vec![door.address()], Vec::new());
    assert_eq!(failure(&mut guest, 2).await, JoinFailure::NotOpen);
    guest.net.join_send(first, Vec::new(), true);
    assert_eq!(
        door.next().await,
        Event::JoinClosed {
            conversation: at_door,
            reason: "the peer finished".into()
        }
    );
    guest
        .net
        .join(3, door.key(), vec![door.address()], Vec::new());
    opened(&mut door).await;
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unreachable() {
    let mut guest = host(1).await;
    let (mut lost, address) = {
        let gone = host(2).await;
        let at: SocketAddr = gone.address();
        let key = gone.key();
        gone.finish().await;
        (key, at)
    };
    guest.net.join(1, lost, vec![address], Vec::new());
    assert!(matches!(
        failure(&mut guest, 1).await,
        JoinFailure::Unreachable { .. }
    ));
    guest.net.join(2, lost, Vec::new(), Vec::new());
    assert_eq!(failure(&mut guest, 2).await, JoinFailure::NoAddress);
    // Someone else is at the address: TLS tells.
    let other = host(3).await;
    lost.0[0] ^= 1;
    guest.net.join(3, lost, vec![other.address()], Vec::new());
    assert!(matches!(
        failure(&mut guest, 3).await,
        JoinFailure::Unreachable { .. }
    ));
}

#[tokio::test]
async fn a_host_of_another_version_is_named() {
    let mut guest = host(1).await;
    let dir = tempfile::tempdir().unwrap();
    let newer = ProtocolRange {
        oldest: 8,
        newest: 9,
    };
    let mut door = Host::start(
        Config {
            protocol: newer,
            ..config(2, dir.path())
        },
        dir,
    )
    .await;
    door.net.accept_joins(true);
    guest
        .net
        .join(1, door.key(), vec![door.address()], Vec::new());
    assert!(
        matches!(guest.next().await, Event::Incompatible { protocol, .. } if protocol == newer)
    );
    assert_eq!(
        failure(&mut guest, 1).await,
        JoinFailure::Incompatible {
            software: "test-2".into(),
            protocol: newer
        }
    );
    assert!(
        matches!(door.next().await, Event::Incompatible { protocol, .. } if protocol == ProtocolRange::THIS_BUILD)
    );
}

#[tokio::test]
async fn what_was_signed_for_one_conversation_is_good_for_no_other() {
    let (mut guest, mut door) = (host(1).await, host(2).await);
    door.net.accept_joins(true);
    let mut secrets = Vec::new();
    for attempt in 0..2 {
        let addresses = vec![door.address()];
        guest.net.join(attempt, door.key(), addresses, Vec::new());
        let (at_guest, secret, _) = opened(&mut guest).await;
        let (_, at_door, _) = opened(&mut door).await;
        assert_eq!(secret, at_door);
        secrets.push(secret);
        guest.net.join_send(at_guest, Vec::new(), true);
        for host in [&mut guest, &mut door] {
            assert!(matches!(host.next().await, Event::JoinClosed { .. }));
        }
    }
    assert_ne!(
        secrets[0], secrets[1],
        "the same two hosts, another connection"
    );
}

#[tokio::test]
async fn a_stranger_that_does_not_stop_talking_is_shown_out() {
    let (mut guest, mut door) = (host(1).await, host(2).await);
    door.net.accept_joins(true);
    guest
        .net
        .join(1, door.key(), vec![door.address()], Vec::new());
    let (at_guest, ..) = opened(&mut guest).await;
    opened(&mut door).await;
    for _ in 0..40 {
        guest.net.join_send(at_guest, b"may I?".to_vec(), false);
    }
    let mut heard = 0;
    let reason = loop {
        match door.next().await {
            Event::JoinFrame { .. } => heard += 1,
            Event::JoinClosed { reason, .. } => break reason,
            other => panic!("not a conversation: {other:?}"),
        }
    };
    assert_eq!((heard, reason.as_str()), (32, "it said too much"));
}
