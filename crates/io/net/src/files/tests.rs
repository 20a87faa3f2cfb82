//! What needs a collection that runs far more often than in the product.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::open_with;
use crate::{
    Bind,
    endpoint::{self, Port},
    peers::Peers,
    relay::{Agreed, Relays},
};

#[tokio::test]
async fn what_is_kept_stays_and_what_is_released_goes() {
    let dir = tempfile::tempdir().unwrap();
    let bind = Bind::Address("127.0.0.1:0".parse().unwrap());
    let endpoint = endpoint::bind(&[1; 32], bind, &Relays::Never)
        .await
        .unwrap();
    let store = open_with(&dir.path().join("files"), Duration::from_millis(20))
        .await
        .unwrap();
    let files = store.with_network(
        Arc::new(Port::new(endpoint)),
        Arc::new(Peers::new(Agreed::new(Relays::Never))),
    );
    let add = async |contents: &[u8]| {
        files
            .add_stream(std::io::Cursor::new(contents.to_vec()), u64::MAX)
            .await
            .unwrap()
            .hash
    };
    let kept = add(&[1; 50_000]).await;
    let released = add(&[2; 50_000]).await;
    let kept_again = add(&[3; 50_000]).await;
    files.release(kept_again).await.unwrap();
    files.keep(kept_again).await.unwrap();
    files.release(released).await.unwrap();
    let gone = timeout(Duration::from_secs(60), async {
        while files.has(released).await.unwrap() {
            tokio::task::yield_now().await;
        }
    });
    gone.await.expect("what is released is collected");
    assert!(files.has(kept).await.unwrap());
    assert!(files.has(kept_again).await.unwrap());
    files.shutdown().await;
}
