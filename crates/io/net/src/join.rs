//! Join conversations: frames between this host and one that may be a stranger, for as long as a person needs to
//! decide. What is said in them, and whether anyone is admitted, is not known here.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use iroh::endpoint::{Connection, RecvStream, SendStream};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::debug;

use crate::{
    codes::{CloseCode, describe_end},
    door::share,
    endpoint::{self, JOIN_ALPN, Ways},
    event::{Event, JoinFailure},
    frames::{self, ReadFrameError},
    handshake::{self, GreetError, Greeted},
    limits,
    peer_key::PeerKey,
    relay::Relay,
    shared::{Shared, random_u64},
};

/// The open conversations.
#[derive(Default)]
pub(crate) struct Joins {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    accepts: bool,
    conversations: BTreeMap<u64, Conversation>,
}

struct Conversation {
    peer: PeerKey,
    is_incoming: bool,
    /// `None` once the last word was said.
    outgoing: Option<mpsc::Sender<Vec<u8>>>,
    connection: Connection,
}

impl Joins {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("no holder of this lock panics")
    }

    pub(crate) fn set_accepts(&self, accepts: bool) {
        self.table().accepts = accepts;
    }

    pub(crate) fn say(&self, id: u64, bytes: Vec<u8>, last: bool) {
        let mut table = self.table();
        let Some(conversation) = table.conversations.get_mut(&id) else {
            debug!(
                conversation = id,
                "dropped a frame for a conversation that is over"
            );
            return;
        };
        if let Some(outgoing) = &conversation.outgoing {
            let is_said = bytes.len() <= limits::JOIN_FRAME_BYTES_MAX
                && (last && bytes.is_empty() || outgoing.try_send(bytes).is_ok());
            if !is_said {
                debug!(
                    conversation = id,
                    "a frame is over the limit or too many wait, closing the conversation"
                );
                CloseCode::Limit.close(&conversation.connection);
            }
        }
        if last {
            conversation.outgoing = None;
        }
    }

    /// Takes a place for an incoming conversation, if joining is open and there is room.
    fn may_enter(&self, peer: PeerKey, connection: &Connection) -> bool {
        let address = |connection| endpoint::remote_address(connection).map(|at| share(at.ip()));
        let from = address(connection);
        let table = self.table();
        let mut guests = table
            .conversations
            .values()
            .filter(|conversation| conversation.is_incoming);
        table.accepts
            && guests.clone().count() < limits::JOINS_MAX
            && guests
                .clone()
                .filter(|guest| address(&guest.connection) == from)
                .count()
                < limits::JOINS_PER_ADDRESS_MAX
            && guests.all(|guest| guest.peer != peer)
    }

    /// Enters the conversation, again only if there is room: others may have come while this one greeted.
    fn enter(
        &self,
        peer: PeerKey,
        connection: &Connection,
        is_incoming: bool,
    ) -> Option<(u64, mpsc::Receiver<Vec<u8>>)> {
        if is_incoming && !self.may_enter(peer, connection) {
            return None;
        }
        let (outgoing, waiting) = mpsc::channel(limits::JOIN_QUEUE_MAX);
        let id = random_u64();
        let conversation = Conversation {
            peer,
            is_incoming,
            outgoing: Some(outgoing),
            connection: connection.clone(),
        };
        self.table().conversations.insert(id, conversation);
        Some((id, waiting))
    }

    fn leave(&self, id: u64) {
        self.table().conversations.remove(&id);
    }
}

/// Opens a conversation with a host and keeps it going.
pub(crate) async fn ask(
    shared: Arc<Shared>,
    attempt: u64,
    host: PeerKey,
    addresses: Vec<SocketAddr>,
    relays: Vec<Relay>,
) {
    let mut all = addresses;
    for address in shared.peers.addresses(host) {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all.truncate(limits::ADDRESSES_MAX);
    let ways = Ways {
        addresses: all,
        relays: shared.peers.relays.with(&relays),
    };
    match open(&shared, host, ways).await {
        Ok((connection, greeted)) => {
            converse(&shared, host, connection, greeted, Some(attempt)).await
        }
        Err(failure) => shared.emit(Event::JoinFailed { attempt, failure }).await,
    }
}

async fn open(
    shared: &Arc<Shared>,
    host: PeerKey,
    ways: Ways,
) -> Result<(Connection, Greeted), JoinFailure> {
    if ways.is_none() {
        return Err(JoinFailure::NoAddress);
    }
    let connection = endpoint::dial(&shared.port, host, ways, JOIN_ALPN)
        .await
        .map_err(|reason| JoinFailure::Unreachable { reason })?;
    match handshake::greet(shared, host, &connection).await {
        Ok(greeted) => Ok((connection, greeted)),
        Err(GreetError::Incompatible { software, protocol }) => {
            Err(JoinFailure::Incompatible { software, protocol })
        }
        Err(GreetError::Failed(reason)) => {
            // The host's close tells more than what the failed read saw.
            match connection
                .close_reason()
                .as_ref()
                .and_then(CloseCode::of_peer)
            {
                Some(CloseCode::NotOpen) => Err(JoinFailure::NotOpen),
                Some(_) | None => Err(JoinFailure::Unreachable { reason }),
            }
        }
    }
}

/// Takes up a conversation that someone else opened.
pub(crate) async fn answer(shared: Arc<Shared>, peer: PeerKey, connection: Connection) {
    if !shared.joins.may_enter(peer, &connection) {
        debug!(%peer, "refused a join conversation");
        CloseCode::NotOpen.close(&connection);
        return;
    }
    match handshake::greet(&shared, peer, &connection).await {
        Ok(greeted) => converse(&shared, peer, connection, greeted, None).await,
        Err(GreetError::Failed(reason)) => debug!(%peer, reason, "a join conversation failed"),
        Err(GreetError::Incompatible { .. }) => {}
    }
}

async fn converse(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: Connection,
    greeted: Greeted,
    attempt: Option<u64>,
) {
    let Some((conversation, mut waiting)) =
        shared.joins.enter(peer, &connection, attempt.is_none())
    else {
        CloseCode::NotOpen.close(&connection);
        return;
    };
    let Greeted {
        mut send,
        mut recv,
        theirs: _,
    } = greeted;
    let exporter = endpoint::exporter(&connection);
    shared
        .emit(Event::JoinOpened {
            conversation,
            peer,
            exporter,
            attempt,
        })
        .await;
    let reason = tokio::select! {
        biased;
        reason = listen(shared, conversation, &connection, &mut recv) => reason,
        reason = speak(&connection, &mut send, &mut waiting) => reason,
        () = sleep(limits::JOIN_TIME_MAX) => {
            CloseCode::Limit.close(&connection);
            "it took too long".to_owned()
        }
    };
    shared.joins.leave(conversation);
    shared
        .emit(Event::JoinClosed {
            conversation,
            reason,
        })
        .await;
}

/// Ends with the last word of the peer, which then waits for our close.
async fn listen(
    shared: &Arc<Shared>,
    conversation: u64,
    connection: &Connection,
    recv: &mut RecvStream,
) -> String {
    for said in 0.. {
        match frames::read_frame(recv, limits::JOIN_FRAME_BYTES_MAX).await {
            Ok(_) if said >= limits::JOIN_FRAMES_MAX => break,
            Ok(bytes) => {
                shared
                    .emit(Event::JoinFrame {
                        conversation,
                        bytes,
                    })
                    .await
            }
            Err(ReadFrameError::Ended) => {
                CloseCode::Done.close(connection);
                return "the peer finished".into();
            }
            Err(error) => {
                let reason = describe_end(connection, &error.to_string());
                CloseCode::Violation.close(connection);
                return reason;
            }
        }
    }
    CloseCode::Limit.close(connection);
    "it said too much".into()
}

async fn speak(
    connection: &Connection,
    send: &mut SendStream,
    waiting: &mut mpsc::Receiver<Vec<u8>>,
) -> String {
    while let Some(frame) = waiting.recv().await {
        let written = timeout(
            limits::WRITE_TIME_MAX,
            frames::write_frame(send, &frame, limits::JOIN_FRAME_BYTES_MAX),
        )
        .await;
        if !matches!(written, Ok(Ok(()))) {
            let reason = describe_end(connection, "the peer does not read what it is sent");
            CloseCode::TooSlow.close(connection);
            return reason;
        }
    }
    // The last word was said. The peer closes when it has read it; closing here could lose it.
    let _ = send.finish();
    let _ = timeout(limits::WRITE_TIME_MAX, connection.closed()).await;
    CloseCode::Done.close(connection);
    "finished".into()
}
