//! The first words of a connection, both ends: greetings, and the verdict that a sync link counts.
//! It does not know who is a member; that is settled before.

use std::sync::Arc;

use iroh::endpoint::{Connection, RecvStream, SendStream, Side, VarInt};
use tokio::time::timeout;
use tracing::debug;

use crate::{
    codes::{CloseCode, describe_end},
    event::Event,
    frames::{self, FrameError, Hello, ProtocolRange, ReadFrameError},
    limits,
    peer_key::PeerKey,
    shared::Shared,
};

/// A connection after both greetings were read and fit.
pub(crate) struct Greeted {
    pub(crate) send: SendStream,
    pub(crate) recv: RecvStream,
    pub(crate) theirs: Hello,
}

/// Why a connection did not get past its first words.
#[derive(Debug)]
pub(crate) enum GreetError {
    /// No version in common. The event has been sent.
    Incompatible {
        software: String,
        protocol: ProtocolRange,
    },
    /// The connection was closed, with a code of ours or not.
    Failed(String),
}

/// Exchanges greetings on the one stream of the connection, which the dialer opens. Closes the connection on failure.
pub(crate) async fn greet(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: &Connection,
) -> Result<Greeted, GreetError> {
    let failure = match timeout(limits::GREET_TIME_MAX, exchange(shared, connection)).await {
        Ok(Ok(greeted)) => match shared.protocol.common(greeted.theirs.protocol) {
            Some(version) => {
                debug!(%peer, version, software = greeted.theirs.software, "greeted");
                return Ok(greeted);
            }
            None => return Err(part(shared, peer, connection, greeted).await),
        },
        Ok(Err(ReadFrameError::Frame(FrameError::Hello))) => {
            let unknown = ProtocolRange {
                oldest: 0,
                newest: 0,
            };
            CloseCode::Incompatible.close(connection);
            return Err(incompatible(shared, peer, "unknown".into(), unknown).await);
        }
        Ok(Err(error)) => describe_end(connection, &error.to_string()),
        Err(_elapsed) => "the peer did not greet in time".into(),
    };
    CloseCode::Violation.close(connection);
    Err(GreetError::Failed(failure))
}

async fn exchange(
    shared: &Arc<Shared>,
    connection: &Connection,
) -> Result<Greeted, ReadFrameError> {
    let ours = frames::encode_hello(&shared.hello());
    let lost = |_| ReadFrameError::Ended;
    let (send, recv, theirs) = match connection.side() {
        Side::Client => {
            let (mut send, mut recv) = connection.open_bi().await.map_err(lost)?;
            frames::write_frame(&mut send, &ours, limits::HELLO_BYTES_MAX)
                .await
                .map_err(|_| ReadFrameError::Ended)?;
            let theirs = frames::read_frame(&mut recv, limits::HELLO_BYTES_MAX).await?;
            (send, recv, theirs)
        }
        Side::Server => {
            let (mut send, mut recv) = connection.accept_bi().await.map_err(lost)?;
            let theirs = frames::read_frame(&mut recv, limits::HELLO_BYTES_MAX).await?;
            frames::write_frame(&mut send, &ours, limits::HELLO_BYTES_MAX)
                .await
                .map_err(|_| ReadFrameError::Ended)?;
            (send, recv, theirs)
        }
    };
    // There is one stream per connection; more would only take up memory.
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(0));
    Ok(Greeted {
        send,
        recv,
        theirs: frames::decode_hello(&theirs)?,
    })
}

/// Parts from a peer of another version, so that it can say so too: the one who answered waits until the one who
/// dialed has read the greeting and closes.
async fn part(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: &Connection,
    mut greeted: Greeted,
) -> GreetError {
    if connection.side() == Side::Server {
        // It may be gone already, which is as good.
        let _ = greeted.send.finish();
        let _ = timeout(limits::FAREWELL_TIME_MAX, connection.closed()).await;
    }
    CloseCode::Incompatible.close(connection);
    incompatible(
        shared,
        peer,
        greeted.theirs.software,
        greeted.theirs.protocol,
    )
    .await
}

async fn incompatible(
    shared: &Arc<Shared>,
    peer: PeerKey,
    software: String,
    protocol: ProtocolRange,
) -> GreetError {
    shared
        .emit(Event::Incompatible {
            peer,
            software: software.clone(),
            protocol,
        })
        .await;
    GreetError::Incompatible { software, protocol }
}

/// Whether this host decides which of several connections with `peer` counts. The smaller key does: one side only,
/// so that two hosts that dial each other at the same moment cannot each keep the connection the other drops.
pub(crate) fn is_arbiter(shared: &Shared, peer: PeerKey) -> bool {
    shared.key < peer
}

/// Sent by the arbiter: this connection counts. It is an empty frame; a connection that does not count is closed.
pub(crate) async fn send_verdict(send: &mut SendStream) -> Result<(), String> {
    frames::write_frame(send, &[], 0)
        .await
        .map_err(|error| error.to_string())
}

/// Waits for the arbiter's verdict.
pub(crate) async fn await_verdict(recv: &mut RecvStream) -> Result<(), String> {
    match timeout(limits::GREET_TIME_MAX, frames::read_frame(recv, 0)).await {
        Ok(Ok(_empty)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err("the peer did not decide in time".into()),
    }
}
