//! Strangers learn nothing, whatever they try.

use iroh::endpoint::Connection;
use printmesh_net::PeerKey;

use crate::host::{JOIN_ALPN, SYNC_ALPN, close_code, host, member, raw, raw_connect};

/// Tries everything that could make a host say something, and returns what it said.
pub(crate) async fn provoke(connection: &Connection) -> Vec<u8> {
    let mut heard = Vec::new();
    if let Ok((mut send, mut recv)) = connection.open_bi().await {
        let _ = send.write_all(&[0, 0, 0, 1, 0]).await;
        let _ = send.finish();
        heard.extend(recv.read_to_end(1 << 20).await.unwrap_or_default());
    }
    if let Ok((_send, mut recv)) = connection.accept_bi().await {
        heard.extend(recv.read_to_end(1 << 20).await.unwrap_or_default());
    }
    heard
}

#[tokio::test]
async fn a_stranger_is_refused_everywhere() {
    let a = host(1).await;
    a.net.set_peers(member(PeerKey::of_secret(&[2; 32])));
    let stranger = raw(9).await;
    for (alpn, code) in [(SYNC_ALPN, 403), (iroh_blobs::ALPN, 403), (JOIN_ALPN, 423)] {
        let connection = raw_connect(&stranger, &a, alpn).await;
        assert_eq!(provoke(&connection).await, b"", "{alpn:?}");
        assert_eq!(close_code(&connection).await, code, "{alpn:?}");
    }
    assert_eq!(
        a.finish().await,
        [],
        "the owner is not bothered with strangers"
    );
}

#[tokio::test]
async fn a_stranger_gets_no_file_and_a_former_member_neither() {
    let a = host(1).await;
    let path = a.dir().join("part.gcode");
    std::fs::write(&path, "G28\n".repeat(10_000)).unwrap();
    let file = a.net.files().add(path).await.unwrap();
    let peer = raw(9).await;
    let key = PeerKey::of_secret(&[9; 32]);
    let hash = iroh_blobs::Hash::from_bytes(file.hash);
    let size = |connection: Connection| async move {
        iroh_blobs::get::request::get_verified_size(&connection, &hash).await
    };

    let connection = raw_connect(&peer, &a, iroh_blobs::ALPN).await;
    assert!(size(connection).await.is_err());

    a.net.set_peers(member(key));
    let connection = raw_connect(&peer, &a, iroh_blobs::ALPN).await;
    assert_eq!(
        size(connection.clone()).await.unwrap().0,
        40_000,
        "a member gets it"
    );

    a.net.set_peers([].into());
    assert_eq!(
        close_code(&connection).await,
        403,
        "open connections of former members are closed"
    );
    let connection = raw_connect(&peer, &a, iroh_blobs::ALPN).await;
    assert!(size(connection).await.is_err());
}
