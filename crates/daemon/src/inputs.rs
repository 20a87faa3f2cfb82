//! What the network says, in the words of the core.

use printmesh_net::{Event, PeerKey};
use printmesh_node::Input;
use printmesh_queue::HostId;
use tokio::sync::mpsc;

use crate::mind::Mind;

/// Passes on until the network has ended.
pub(crate) async fn pass_on(mind: Mind, mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        mind.tell(input(event)).await;
    }
}

fn host(peer: PeerKey) -> HostId {
    HostId(peer.0)
}

fn input(event: Event) -> Input {
    match event {
        Event::Connected {
            peer,
            address,
            software,
            ..
        } => Input::PeerConnected {
            host: host(peer),
            software,
            address,
        },
        Event::Disconnected { peer, reason } => Input::PeerDisconnected {
            host: host(peer),
            reason,
        },
        Event::Frame { peer, bytes } => Input::Message {
            from: host(peer),
            bytes,
        },
        Event::Incompatible {
            peer,
            software,
            protocol,
        } => Input::PeerIncompatible {
            host: host(peer),
            note: format!("it runs printmesh {software}, which speaks protocol {protocol}"),
            software,
        },
        Event::JoinOpened {
            conversation,
            peer,
            exporter,
            attempt,
        } => Input::JoinOpened {
            conversation,
            peer: host(peer),
            exporter,
            attempt,
        },
        Event::JoinFrame {
            conversation,
            bytes,
        } => Input::JoinMessage {
            conversation,
            bytes,
        },
        Event::JoinClosed {
            conversation,
            reason,
        } => Input::JoinClosed {
            conversation,
            attempt_failed: false,
            reason,
        },
        Event::JoinFailed { attempt, failure } => Input::JoinClosed {
            conversation: attempt,
            attempt_failed: true,
            reason: failure.to_string(),
        },
        Event::Discovered {
            peer,
            addresses,
            offers_lan,
        } => Input::Discovered {
            host: host(peer),
            addresses,
            offers_lan,
        },
        Event::Vanished { peer } => Input::Vanished { host: host(peer) },
    }
}
