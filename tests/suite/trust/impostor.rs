//! A peer that a test speaks through: a stranger, or a member whose key and state were taken from the home of a host
//! that is stopped. It uses our crates as a library and keeps to no rule of theirs.

use std::{collections::BTreeMap, net::SocketAddr};

use ed25519_dalek::{Signer as _, SigningKey};
use printmesh_net::{Bind, Config, Event, Net, PeerKey, ProtocolRange};
use printmesh_node::Message;
use printmesh_queue::{
    Author, Edit, EditError, EpochHash, HostId, QueueDocument, QueueId, SignedChange, Signer,
    Timestamp,
};
use printmesh_store::{Database, Home};
use tokio::{runtime::Runtime, sync::mpsc, time::timeout};

use crate::suite::environment::{Farm, Host, PATIENCE};

/// A device key that signs whatever it is given.
pub(super) struct Device(pub(super) SigningKey);

impl Signer for Device {
    fn host(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

/// Where a running daemon is, and who it is.
pub(super) fn whereabouts(host: &Host) -> (HostId, SocketAddr) {
    let daemon = host.json(&["daemon", "status"]);
    (
        key_of(host),
        daemon["addresses"][0].as_str().unwrap().parse().unwrap(),
    )
}

/// Who a host is.
pub(super) fn key_of(host: &Host) -> HostId {
    device_of(host).host()
}

pub(super) fn device_of(host: &Host) -> Device {
    let bytes = Home::at(&host.home).load_device_key().unwrap().unwrap();
    Device(SigningKey::from_bytes(bytes.as_slice().try_into().unwrap()))
}

/// The id of a queue as a running daemon shows it.
pub(super) fn queue_id(host: &Host, queue: &str) -> QueueId {
    host.json(&["queue", "show", queue])["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// What a host that is stopped has kept of a queue.
pub(super) fn log_of(host: &Host, queue: QueueId) -> Vec<Vec<u8>> {
    let database = Database::open(&Home::at(&host.home).state()).unwrap();
    database.log(queue.0).unwrap()
}

pub(super) struct Impostor {
    runtime: Runtime,
    net: Net,
    events: mpsc::Receiver<Event>,
    pub(super) device: Device,
    to: HostId,
    at: SocketAddr,
}

impl Impostor {
    /// Appears on the network with this key, and has not called anybody yet.
    pub(super) fn new(farm: &Farm, device: Device, to: (HostId, SocketAddr)) -> Self {
        Self::speaking(farm, device, to, ProtocolRange::THIS_BUILD, "0.1.0")
    }

    /// The same, with another version of the program.
    pub(super) fn speaking(
        farm: &Farm,
        device: Device,
        (to, at): (HostId, SocketAddr),
        protocol: ProtocolRange,
        software: &str,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let files = farm.path().join(format!("impostor-{}", device.host()));
        let config = Config {
            bind: Bind::Address("127.0.0.1:0".parse().unwrap()),
            discovery: false,
            software: software.to_owned(),
            protocol,
            ..Config::new(device.0.to_bytes(), files)
        };
        let (sender, events) = mpsc::channel(1024);
        let net = runtime
            .block_on(printmesh_net::start(config, sender))
            .unwrap();
        Self {
            runtime,
            net,
            events,
            device,
            to,
            at,
        }
    }

    fn peer(&self) -> PeerKey {
        PeerKey(self.to.0)
    }

    /// Calls the host as a member would, again and again.
    pub(super) fn call(&self) {
        let peers = BTreeMap::from([(self.peer(), vec![self.at])]);
        let _inside = self.runtime.enter();
        self.net.set_peers(peers);
    }

    /// Calls, and is let in.
    pub(super) fn connect(&mut self) {
        self.call();
        self.wait(|event| matches!(event, Event::Connected { .. }));
    }

    /// The next event that fits; gives back the ones before it too, it last.
    pub(super) fn wait(&mut self, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut heard = Vec::new();
        loop {
            let next = self
                .runtime
                .block_on(async { timeout(PATIENCE, self.events.recv()).await });
            let Ok(next) = next else {
                panic!("waited in vain; heard {heard:#?}")
            };
            heard.push(next.expect("the network runs"));
            if heard.last().is_some_and(&fits) {
                return heard;
            }
        }
    }

    pub(super) fn say(&self, bytes: Vec<u8>) {
        self.net.send(self.peer(), bytes);
    }

    pub(super) fn send_changes(&self, queue: QueueId, changes: Vec<Vec<u8>>) {
        let also = Vec::new();
        self.say(
            Message::Changes {
                queue,
                epoch: EpochHash::default(),
                changes,
                also,
            }
            .encode(),
        );
    }

    /// Asks for a file by its hash; what the host answers.
    pub(super) fn fetch(&self, hash: [u8; 32]) -> Result<(), printmesh_net::FetchError> {
        let fetch = self
            .net
            .files()
            .fetch(hash, 1 << 30, vec![self.peer()], |_| {});
        self.runtime.block_on(fetch)
    }

    /// Opens a join conversation.
    pub(super) fn ask_to_join(&mut self) -> u64 {
        {
            let _inside = self.runtime.enter();
            self.net.join(1, self.peer(), vec![self.at], Vec::new());
        }
        let heard =
            self.wait(|event| matches!(event, Event::JoinOpened { .. } | Event::JoinFailed { .. }));
        match heard.last() {
            Some(Event::JoinOpened { conversation, .. }) => *conversation,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn say_in(&self, conversation: u64, bytes: Vec<u8>, last: bool) {
        self.net.join_send(conversation, bytes, last);
    }

    /// Leaves the network: another program may have the key again.
    pub(super) fn leave(self) {
        self.runtime.block_on(self.net.shutdown());
    }

    /// One honest change to a queue, as this key would write it in its boot `boot` after everything in `log`.
    pub(super) fn change(
        &self,
        queue: QueueId,
        log: &[Vec<u8>],
        boot: u64,
        edit: impl FnOnce(&mut Edit<'_>),
    ) -> Vec<u8> {
        let author = Author {
            host: self.device.host(),
            boot,
        };
        let mut document = QueueDocument::load(queue, author, log.to_vec()).unwrap();
        let edit = |open: &mut Edit<'_>| {
            edit(open);
            Ok::<(), EditError>(())
        };
        let (_, change) = document
            .edit(Timestamp(1_700_000_000_000), &self.device, edit)
            .unwrap();
        change.expect("it changes something").to_bytes()
    }
}

/// Replaces bytes in a signed change and signs the result anew with `key`.
///
/// What is signed is in the queue's FORMAT.md: anybody can write that, and so can this.
pub(super) fn forge(
    change: &[u8],
    queue: QueueId,
    key: &Device,
    swaps: &[(&[u8], &[u8])],
) -> Vec<u8> {
    let mut body = change[..change.len() - 64].to_vec();
    for (old, new) in swaps {
        assert_eq!(
            old.len(),
            new.len(),
            "lengths are written before what they measure"
        );
        let places: Vec<usize> = (0..=body.len() - old.len())
            .filter(|at| body[*at..].starts_with(old))
            .collect();
        assert!(!places.is_empty(), "there is something to replace");
        for at in places {
            body[at..at + old.len()].copy_from_slice(new);
        }
    }
    let hash = SignedChange::from_bytes(&[&body[..], &[0; 64]].concat())
        .unwrap()
        .hash();
    let signed = [
        b"printmesh change 1".as_slice(),
        &queue.0,
        &0u64.to_be_bytes(),
        &hash.0,
    ]
    .concat();
    [&body[..], &key.sign(&signed)].concat()
}
