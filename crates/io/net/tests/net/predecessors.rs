//! Defects that were proven in earlier shared print queues, each as the smallest case that would show it on a real endpoint.
//! The number is the defect's; `tests/suite/predecessors.rs` in the workspace sees to it that none is missing.

use std::{io, net::UdpSocket};

use printmesh_net::{Event, FetchError, PeerKey};

use crate::{
    files::{add, bytes, exported, flip, stored},
    host::{
        JOIN_ALPN, SYNC_ALPN, close_code, connect, host, introduce, member, raw, raw_connect,
        seeds_by_key,
    },
};

/// What was fetched was not compared with its hash: who altered it decided what was printed.
#[tokio::test]
async fn d11_altered_bytes_are_not_taken_from_a_member_and_the_good_ones_are() {
    let (evil, good, reader) = (host(1).await, host(2).await, host(3).await);
    introduce(&[&evil, &good, &reader]);
    let contents = bytes(1, 200_000);
    let file = add(&evil, &contents).await;
    add(&good, &contents).await;
    flip(stored(&evil, file.hash), 100_000);
    let files = reader.net.files();
    let from_evil = files.fetch(file.hash, file.size, vec![evil.key()], |_| {});
    let error = from_evil.await.unwrap_err();
    assert!(matches!(error, FetchError::NobodyHasIt { .. }), "{error}");
    // Nor is the part that came taken for the file.
    assert!(!files.has(file.hash).await.unwrap());
    let from_both = files.fetch(file.hash, file.size, vec![evil.key(), good.key()], |_| {});
    from_both.await.unwrap();
    assert!(exported(&reader, file.hash).await == contents);
}

/// Whoever was on the network could list and read every file.
#[tokio::test]
async fn d12_who_is_no_member_gets_neither_a_list_nor_a_file_nor_a_word() {
    let a = host(1).await;
    let file = add(&a, &bytes(1, 50_000)).await;
    a.net.set_peers(member(PeerKey::of_secret(&[2; 32])));
    let stranger = raw(9).await;
    let connection = raw_connect(&stranger, &a, iroh_blobs::ALPN).await;
    let hash = iroh_blobs::Hash::from_bytes(file.hash);
    let size = iroh_blobs::get::request::get_verified_size(&connection, &hash).await;
    assert!(size.is_err());
    for alpn in [SYNC_ALPN, JOIN_ALPN, iroh_blobs::ALPN] {
        let connection = raw_connect(&stranger, &a, alpn).await;
        let mut heard = Vec::new();
        if let Ok((mut send, mut recv)) = connection.open_bi().await {
            let _ = send.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            let _ = send.finish();
            heard = recv.read_to_end(1 << 20).await.unwrap_or_default();
        }
        assert_eq!(heard, b"", "{alpn:?}");
        close_code(&connection).await;
    }
    assert_eq!(a.finish().await, [], "its owner hears nothing of it");
}

/// A pickle of Python: whoever loads it runs a command.
const PICKLE: &[u8] = b"cos\nsystem\n(S'touch /nowhere/pickled'\ntR.";

/// A port took objects from anybody and ran what was in them.
#[tokio::test]
async fn d13_bytes_from_anybody_are_no_message_and_the_endpoint_goes_on() {
    let seeds = seeds_by_key(2);
    let (mut a, mut b) = (host(seeds[0]).await, host(seeds[1]).await);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let long = [PICKLE, &[0; 1200]].concat();
    let packets = [
        PICKLE,
        &long,
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
        &[0xff; 1400],
        &[0x80; 1400],
    ];
    for packet in packets {
        socket.send_to(packet, a.address()).unwrap();
    }
    // What comes after it on the same socket is answered, so it has been read.
    connect(&mut a, &mut b).await;
    // At most the transport says that it knows no such connection: nothing of what it was sent, nothing of ours.
    socket.set_nonblocking(true).unwrap();
    let mut answer = [0; 2000];
    let ours = a.key().0;
    loop {
        match socket.recv(&mut answer) {
            Ok(size) => {
                let has = |part: &[u8]| answer[..size].windows(part.len()).any(|w| w == part);
                assert!(!has(&ours) && !has(b"printmesh") && !has(b"HTTP"));
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                break;
            }
        }
    }
    // Even a member's bytes are only bytes.
    b.net.send(a.key(), PICKLE.to_vec());
    let event = a.next().await;
    let (peer, bytes) = (b.key(), PICKLE.to_vec());
    assert_eq!(event, Event::Frame { peer, bytes });
}

/// What was published while five messages waited was dropped without a word.
#[tokio::test]
async fn d16_a_thousand_messages_at_once_all_arrive_in_order() {
    let (mut a, mut b) = (host(1).await, host(2).await);
    connect(&mut a, &mut b).await;
    for number in 0..1_000_u32 {
        a.net.send(b.key(), number.to_be_bytes().to_vec());
    }
    let a_key = a.key();
    for number in 0..1_000_u32 {
        assert_eq!(b.frame(a_key).await, number.to_be_bytes());
    }
}

/// The certificate of the other end was not checked: whoever had the address was taken for the host.
#[tokio::test]
async fn d16_another_host_at_the_address_of_a_member_is_not_taken_for_it() {
    let (a, thief) = (host(1).await, host(3).await);
    let file = add(&thief, &bytes(1, 10_000)).await;
    let proof = add(&thief, b"it can be reached").await;
    // The thief takes calls from `a`, and delivers under its own name.
    thief.net.set_peers(member(a.key()));
    a.net
        .set_peers([(thief.key(), vec![thief.address()])].into());
    let files = a.net.files();
    let own = files.fetch(proof.hash, proof.size, vec![thief.key()], |_| {});
    own.await.unwrap();
    // And not under that of a member whose address it has now.
    let gone = PeerKey::of_secret(&[2; 32]);
    a.net.set_peers([(gone, vec![thief.address()])].into());
    let taken = files.fetch(file.hash, file.size, vec![gone], |_| {});
    let error = taken.await.unwrap_err();
    assert!(matches!(error, FetchError::NobodyHasIt { .. }), "{error}");
    assert!(!files.has(file.hash).await.unwrap());
}
