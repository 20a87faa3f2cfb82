//! What all tasks of one network share. It holds no rules; each field's own file does.

use std::{future::Future, sync::Arc};

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    endpoint::Port,
    event::Event,
    files::Provider,
    frames::{Hello, ProtocolRange},
    join::Joins,
    peer_key::PeerKey,
    peers::Peers,
};

pub(crate) struct Shared {
    pub(crate) key: PeerKey,
    /// Different at each start, see [`Hello::instance`].
    pub(crate) instance: u64,
    pub(crate) software: String,
    pub(crate) protocol: ProtocolRange,
    pub(crate) port: Arc<Port>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) joins: Joins,
    pub(crate) provider: Provider,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Shared {
    /// Tells the owner; waits while it is busy, which holds back the peer that caused the event. After the stop,
    /// events are dropped.
    pub(crate) async fn emit(&self, event: Event) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            _ = self.events.send(event) => {}
        }
    }

    /// Runs a task that ends with the network at the latest.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled(task).await;
        });
    }

    pub(crate) fn hello(&self) -> Hello {
        Hello {
            protocol: self.protocol,
            instance: self.instance,
            software: self.software.clone(),
        }
    }
}

/// Returns a number that nobody can guess.
pub(crate) fn random_u64() -> u64 {
    getrandom::u64().expect("the system has a source of randomness")
}
