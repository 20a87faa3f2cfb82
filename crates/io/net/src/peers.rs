//! Members and the links to them: whom to dial, when, and which connection counts. A link's own life is in
//! `link.rs`; who is a member is decided by the owner of the network.
//!
//! Both ends dial, since either may be the one that can reach the other. Of two connections between the same two
//! hosts, the host with the smaller key keeps one (see `handshake.rs`) and tells the other which.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use iroh::endpoint::Connection;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::{
    codes::{CloseCode, describe_end},
    endpoint::{self, SYNC_ALPN, Ways},
    handshake::{self, GreetError, Greeted},
    limits,
    link::{self, Intake, Link, Outgoing},
    peer_key::PeerKey,
    relay::Agreed,
    shared::{Shared, random_u64},
};

/// The members, the ways to them and their links.
pub(crate) struct Peers {
    table: Mutex<Table>,
    pub(crate) relays: Agreed,
}

#[derive(Default)]
struct Table {
    members: BTreeMap<PeerKey, Member>,
    /// Where discovery saw hosts, members or not.
    seen: BTreeMap<PeerKey, Vec<SocketAddr>>,
    /// The last links of those who left: should they come back, their old link's last event still comes first.
    ending: BTreeMap<PeerKey, CancellationToken>,
}

struct Member {
    /// Addresses that the owner remembers.
    known: Vec<SocketAddr>,
    /// Ends when the peer is no longer a member.
    present: CancellationToken,
    /// Rung when dialing now has better prospects than a moment ago.
    wake: Arc<Notify>,
    linked: watch::Sender<bool>,
    link: Option<Held>,
    /// Its connections whose greetings are under way.
    greetings: Arc<Semaphore>,
    intake: Arc<Intake>,
}

/// The link that counts.
struct Held {
    id: u64,
    instance: u64,
    connection: Connection,
    outgoing: Outgoing,
    ended: CancellationToken,
}

impl Peers {
    pub(crate) fn new(relays: Agreed) -> Self {
        Self {
            table: Mutex::default(),
            relays,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn is_member(&self, peer: PeerKey) -> bool {
        self.table().members.contains_key(&peer)
    }

    /// Returns a token that ends with the membership of `peer`, or `None` if it is no member.
    pub(crate) fn presence(&self, peer: PeerKey) -> Option<CancellationToken> {
        self.table()
            .members
            .get(&peer)
            .map(|member| member.present.clone())
    }

    /// Takes a place for a connection that `peer` has opened, if there is one left.
    fn greeting(&self, peer: PeerKey) -> Option<OwnedSemaphorePermit> {
        let table = self.table();
        let places = Arc::clone(&table.members.get(&peer)?.greetings);
        places.try_acquire_owned().ok()
    }

    /// Returns every way in which `peer` may be reached.
    pub(crate) fn ways(&self, peer: PeerKey) -> Ways {
        Ways {
            addresses: self.addresses(peer),
            relays: self.relays.of(peer),
        }
    }

    /// Returns every address at which `peer` may be, the one in use first.
    pub(crate) fn addresses(&self, peer: PeerKey) -> Vec<SocketAddr> {
        let table = self.table();
        let member = table.members.get(&peer);
        let linked = member
            .and_then(|member| member.link.as_ref())
            .and_then(|held| endpoint::remote_address(&held.connection));
        let known = member.map_or(&[][..], |member| &member.known);
        let seen = table.seen.get(&peer).map_or(&[][..], Vec::as_slice);
        let mut all: Vec<SocketAddr> = Vec::new();
        for address in linked.iter().chain(seen).chain(known) {
            if !all.contains(address) && all.len() < limits::ADDRESSES_MAX {
                all.push(*address);
            }
        }
        all
    }

    /// Discovery saw `peer` at these addresses. The caller bounds how many hosts there are.
    pub(crate) fn saw(&self, peer: PeerKey, addresses: &[SocketAddr]) {
        let mut table = self.table();
        table.seen.insert(peer, addresses.to_vec());
        if let Some(member) = table.members.get(&peer) {
            member.wake.notify_one();
        }
    }

    /// There are other ways to members than before.
    pub(crate) fn wake_all(&self) {
        for member in self.table().members.values() {
            member.wake.notify_one();
        }
    }

    /// Discovery has not heard of `peer` for long. A member may be back at the same address, heard or not.
    pub(crate) fn lost_sight(&self, peer: PeerKey) {
        let mut table = self.table();
        if !table.members.contains_key(&peer) {
            table.seen.remove(&peer);
        }
    }

    pub(crate) fn send(&self, peer: PeerKey, frame: Vec<u8>) {
        let table = self.table();
        match table
            .members
            .get(&peer)
            .and_then(|member| member.link.as_ref())
        {
            Some(held) if frame.len() > limits::FRAME_BYTES_MAX => {
                // Sending on without it would break the order that the peer relies on.
                error!(%peer, bytes = frame.len(), "a frame is over the limit, closing the link");
                CloseCode::Limit.close(&held.connection);
            }
            Some(held) => {
                if !held.outgoing.push(frame) {
                    debug!(%peer, "too many frames wait for the peer, closing the link");
                    CloseCode::TooSlow.close(&held.connection);
                }
            }
            None => {
                debug!(%peer, bytes = frame.len(), "dropped a frame for a peer that is not connected")
            }
        }
    }

    fn unlink(&self, peer: PeerKey, id: u64) {
        let mut table = self.table();
        table.ending.remove(&peer);
        if let Some(member) = table.members.get_mut(&peer)
            && member.link.as_ref().is_some_and(|held| held.id == id)
        {
            member.link = None;
            member.linked.send_replace(false);
        }
    }

    /// Makes this connection the link with `peer`, unless this host is the arbiter and has a good one.
    fn link(
        &self,
        peer: PeerKey,
        connection: &Connection,
        instance: u64,
        is_arbiter: bool,
    ) -> Option<Link> {
        let mut table = self.table();
        let Table {
            members, ending, ..
        } = &mut *table;
        let member = members.get_mut(&peer)?;
        if let Some(held) = &member.link {
            // Another instance means that the peer was restarted, so what is held is dead even if it does not look it.
            let is_good = held.instance == instance && held.connection.close_reason().is_none();
            if is_arbiter && is_good {
                return None;
            }
            CloseCode::Replaced.close(&held.connection);
        }
        let (outgoing, waiting) = link::queue();
        let ended = CancellationToken::new();
        let held = Held {
            id: random_u64(),
            instance,
            connection: connection.clone(),
            outgoing,
            ended: ended.clone(),
        };
        let link = Link {
            id: held.id,
            waiting,
            ended,
            present: member.present.clone(),
            intake: Arc::clone(&member.intake),
            previous: member
                .link
                .as_ref()
                .map(|previous| previous.ended.clone())
                .or_else(|| ending.get(&peer).cloned()),
        };
        member.link = Some(held);
        member.linked.send_replace(true);
        Some(link)
    }
}

/// Makes `wanted` the members: ends the links of those who left, dials those who are new.
pub(crate) fn set(shared: &Arc<Shared>, mut wanted: BTreeMap<PeerKey, Vec<SocketAddr>>) {
    wanted.remove(&shared.key);
    let mut table = shared.peers.table();
    let Table {
        members, ending, ..
    } = &mut *table;
    members.retain(|peer, member| {
        let stays = wanted.contains_key(peer);
        if !stays {
            member.present.cancel();
            if let Some(held) = &member.link {
                ending.insert(*peer, held.ended.clone());
            }
        }
        stays
    });
    for (peer, known) in wanted {
        if let Some(member) = members.get_mut(&peer) {
            if member.known != known {
                member.known = known;
                member.wake.notify_one();
            }
            continue;
        }
        let (linked, is_linked) = watch::channel(false);
        let member = Member {
            known,
            present: shared.stop.child_token(),
            wake: Arc::default(),
            linked,
            link: None,
            greetings: Arc::new(Semaphore::new(limits::GREETINGS_PER_MEMBER_MAX)),
            intake: Arc::default(),
        };
        let caller = Caller {
            peer,
            is_linked,
            wake: Arc::clone(&member.wake),
        };
        let present = member.present.clone();
        members.insert(peer, member);
        let task = Arc::clone(shared);
        shared.spawn(async move {
            // It ends with the membership.
            let _ = present
                .run_until_cancelled(caller.keep_connected(task))
                .await;
        });
    }
}

/// Dials one member whenever there is no link to it.
struct Caller {
    peer: PeerKey,
    is_linked: watch::Receiver<bool>,
    wake: Arc<Notify>,
}

impl Caller {
    async fn keep_connected(mut self, shared: Arc<Shared>) {
        let mut pause = limits::REDIAL_FIRST;
        loop {
            if *self.is_linked.borrow_and_update() {
                let since = Instant::now();
                if self.is_linked.wait_for(|linked| !linked).await.is_err() {
                    return;
                }
                if since.elapsed() >= limits::LINK_PROVEN {
                    pause = limits::REDIAL_FIRST;
                }
                self.rest(&mut pause, true).await;
                continue;
            }
            let ways = shared.peers.ways(self.peer);
            if ways.is_none() {
                tokio::select! {
                    () = self.wake.notified() => continue,
                    changed = self.is_linked.changed() => match changed {
                        Ok(()) => continue,
                        Err(_no_member) => return,
                    }
                }
            }
            let outcome = tokio::select! {
                // The peer came to us first, so there is nothing left to dial for.
                linked = self.is_linked.wait_for(|linked| *linked) => match linked {
                    Ok(_) => continue,
                    Err(_no_member) => return,
                },
                outcome = call(&shared, self.peer, ways) => outcome,
            };
            match outcome {
                Ok(()) => {}
                Err(GreetError::Incompatible { .. }) => {
                    pause = limits::REDIAL_INCOMPATIBLE;
                    self.rest(&mut pause, false).await;
                }
                Err(GreetError::Failed(reason)) => {
                    debug!(peer = %self.peer, reason, "could not connect");
                    self.rest(&mut pause, true).await;
                }
            }
        }
    }

    /// Waits before the next dial, less if something has changed for the better, and makes the next wait longer.
    async fn rest(&mut self, pause: &mut Duration, may_wake: bool) {
        // Between once and twice the pause, so that two hosts do not keep dialing each other in step.
        let jitter = pause.mul_f64((random_u64() >> 11) as f64 / (1u64 << 53) as f64);
        tokio::select! {
            () = sleep(*pause + jitter) => {}
            () = self.wake.notified(), if may_wake => {}
            _ = self.is_linked.wait_for(|linked| *linked) => {}
        }
        *pause = (*pause * 2).min(limits::REDIAL_MAX);
    }
}

async fn call(shared: &Arc<Shared>, peer: PeerKey, ways: Ways) -> Result<(), GreetError> {
    let connection = endpoint::dial(&shared.port, peer, ways, SYNC_ALPN)
        .await
        .map_err(GreetError::Failed)?;
    let greeted = handshake::greet(shared, peer, &connection).await?;
    settle(shared, peer, connection, greeted, true)
        .await
        .map_err(GreetError::Failed)
}

/// Takes up a sync connection that a member dialed.
pub(crate) async fn answer(shared: &Arc<Shared>, peer: PeerKey, connection: Connection) {
    let Some(_place) = shared.peers.greeting(peer) else {
        debug!(%peer, "refused one more connection of a member");
        CloseCode::Limit.close(&connection);
        return;
    };
    match handshake::greet(shared, peer, &connection).await {
        Ok(greeted) => {
            if let Err(reason) = settle(shared, peer, connection, greeted, false).await {
                debug!(%peer, reason, "an incoming connection does not count");
            }
        }
        Err(GreetError::Failed(reason)) => debug!(%peer, reason, "an incoming connection failed"),
        Err(GreetError::Incompatible { .. }) => {}
    }
}

/// Finds out whether this connection counts, and if so runs it as the link.
async fn settle(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: Connection,
    mut greeted: Greeted,
    dialed: bool,
) -> Result<(), String> {
    let is_arbiter = handshake::is_arbiter(shared, peer);
    if !is_arbiter && let Err(reason) = handshake::await_verdict(&mut greeted.recv).await {
        let reason = describe_end(&connection, &reason);
        CloseCode::Violation.close(&connection);
        return Err(reason);
    }
    let Some(link) = shared
        .peers
        .link(peer, &connection, greeted.theirs.instance, is_arbiter)
    else {
        CloseCode::Duplicate.close(&connection);
        return Err("there is a link already".into());
    };
    let task = Arc::clone(shared);
    // Not `shared.spawn`: a link says goodbye to the peer when the network stops.
    shared.tasks.spawn(async move {
        let id = link.id;
        let ended = link.ended.clone();
        link::run(&task, peer, connection, greeted, link, is_arbiter, dialed).await;
        task.peers.unlink(peer, id);
        ended.cancel();
    });
    Ok(())
}
