//! Hosts that find each other. Multicast stays on the loopback interface, under a service name of the test's own.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use printmesh_net::{Config, Event, PeerKey};

use crate::host::{Host, config};

async fn on_lan(seed: u8, service: &str) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        discovery: true,
        service: service.into(),
        ..config(seed, dir.path())
    };
    Host::start(config, dir).await
}

/// A service name that no other run of the tests on this machine uses.
fn service() -> String {
    format!("pm{:08x}", std::process::id())
}

#[tokio::test]
async fn hosts_see_each_other_and_what_they_offer() {
    let service = format!("{}a", service());
    let (mut a, mut b) = (on_lan(1, &service).await, on_lan(2, &service).await);
    b.net.offer_lan(true);
    let (a_key, b_key) = (a.key(), b.key());
    let (at_a, at_b) = (a.address(), b.address());
    let offer = |wanted| {
        move |event| match event {
            Event::Discovered {
                peer,
                addresses,
                offers_lan,
            } if peer == wanted => Some((addresses, offers_lan)),
            _ => None,
        }
    };
    assert_eq!(b.wait(offer(a_key)).await, (vec![at_a], false));
    let mut seen = a.wait(offer(b_key)).await;
    while !seen.1 {
        seen = a.wait(offer(b_key)).await;
    }
    assert_eq!(seen, (vec![at_b], true));
    b.net.offer_lan(false);
    assert_eq!(a.wait(offer(b_key)).await, (vec![at_b], false));

    b.net.shutdown().await;
    assert_eq!(
        a.wait(|event| match event {
            Event::Vanished { peer } => Some(peer),
            _ => None,
        })
        .await,
        b_key
    );
}

#[tokio::test]
async fn members_without_a_known_address_connect_by_discovery_alone() {
    let service = format!("{}b", service());
    let (mut a, mut b) = (on_lan(1, &service).await, on_lan(2, &service).await);
    let (a_key, b_key) = (a.key(), b.key());
    a.net.set_peers(BTreeMap::from([(b_key, Vec::new())]));
    b.net.set_peers(BTreeMap::from([(a_key, Vec::new())]));
    tokio::join!(a.connected(b_key), b.connected(a_key));
}

const CHILD: &str = "PRINTMESH_TEST_LAN_CHILD";

/// The test runs itself again, as the other host.
#[tokio::test]
async fn hosts_in_two_processes_see_each_other() {
    if let Ok(service) = std::env::var(CHILD) {
        let child = on_lan(2, &service).await;
        // The end of the input is the end of the test.
        tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()))
            .await
            .unwrap()
            .unwrap();
        child.finish().await;
        return;
    }
    let service = format!("{}c", service());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lan::hosts_in_two_processes_see_each_other"])
        .env(CHILD, &service)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut parent = on_lan(1, &service).await;
    let wanted = PeerKey::of_secret(&[2; 32]);
    let seen = parent.wait(|event| match event {
        Event::Discovered {
            peer, addresses, ..
        } if peer == wanted => Some(addresses),
        _ => None,
    });
    assert!(seen.await[0].ip().is_loopback());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
