//! One connected member: frames out of a queue onto the stream, frames off the stream into events.
//! Which connection is the link is decided in `peers.rs`.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use iroh::endpoint::{Connection, RecvStream, SendStream};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    codes::{CloseCode, describe_end},
    endpoint,
    event::Event,
    frames::{self, ReadFrameError},
    handshake::{self, Greeted},
    limits,
    pace::Bucket,
    peer_key::PeerKey,
    shared::Shared,
};

/// The end of a link's queue that takes frames.
pub(crate) struct Outgoing {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// The end of a link's queue that gives them to the stream.
pub(crate) struct Waiting {
    frames: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Returns an empty queue, bounded in bytes.
pub(crate) fn queue() -> (Outgoing, Waiting) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    (
        Outgoing {
            frames: sender,
            waiting_bytes: Arc::clone(&waiting_bytes),
        },
        Waiting {
            frames: receiver,
            waiting_bytes,
        },
    )
}

/// What an empty frame takes up in the queue, so that a flood of them is bounded too.
const FRAME_COST: usize = 64;

impl Outgoing {
    /// Returns false if the queue is full. The frame is lost then, and so must be the link.
    pub(crate) fn push(&self, frame: Vec<u8>) -> bool {
        let cost = frame.len() + FRAME_COST;
        if self.waiting_bytes.fetch_add(cost, Ordering::Relaxed) + cost > limits::QUEUE_BYTES_MAX {
            return false;
        }
        // A link that is ending takes no more frames; its owner hears so by the event.
        let _ = self.frames.send(frame);
        true
    }
}

impl Waiting {
    async fn next(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.recv().await?;
        self.waiting_bytes
            .fetch_sub(frame.len() + FRAME_COST, Ordering::Relaxed);
        Some(frame)
    }
}

/// How much one member may send.
pub(crate) struct Intake(Mutex<(Bucket, Bucket)>);

impl Default for Intake {
    fn default() -> Self {
        let bucket = |rate| Bucket::new(rate, Instant::now());
        Self(Mutex::new((
            bucket(limits::FRAMES),
            bucket(limits::FRAME_BYTES),
        )))
    }
}

impl Intake {
    /// A frame was read; returns how long to wait before the next one.
    fn owe(&self, bytes: usize, now: Instant) -> Duration {
        let mut left = self.0.lock().expect("no holder of this lock panics");
        left.0.owe(1, now).max(left.1.owe(bytes, now))
    }
}

/// What a link needs besides its connection.
pub(crate) struct Link {
    pub(crate) id: u64,
    pub(crate) waiting: Waiting,
    /// Ends after the link has reported its end.
    pub(crate) ended: CancellationToken,
    /// Ends with the membership of the peer.
    pub(crate) present: CancellationToken,
    /// How much the peer may send: the same for all its links, so that a new one is no fresh start.
    pub(crate) intake: Arc<Intake>,
    /// The end of the link that this one replaces: its last event comes before our first.
    pub(crate) previous: Option<CancellationToken>,
}

/// Runs the link until it ends, for whatever reason.
pub(crate) async fn run(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: Connection,
    greeted: Greeted,
    link: Link,
    is_arbiter: bool,
    dialed: bool,
) {
    let Greeted {
        mut send,
        mut recv,
        theirs,
    } = greeted;
    let verdict = if is_arbiter {
        handshake::send_verdict(&mut send).await
    } else {
        Ok(())
    };
    if let Some(previous) = link.previous {
        previous.cancelled().await;
    }
    if verdict.is_err() {
        CloseCode::Violation.close(&connection);
        return;
    }
    let exporter = endpoint::exporter(&connection);
    let address = endpoint::remote_address(&connection);
    shared
        .emit(Event::Connected {
            peer,
            exporter,
            dialed,
            address,
            software: theirs.software,
        })
        .await;
    let mut waiting = link.waiting;
    let reason = tokio::select! {
        biased;
        () = shared.stop.cancelled() => {
            CloseCode::Shutdown.close(&connection);
            return;
        }
        () = link.present.cancelled() => {
            CloseCode::NotMember.close(&connection);
            "no longer a member".to_owned()
        }
        reason = read(shared, peer, &connection, &mut recv, &link.intake) => reason,
        reason = write(&connection, &mut send, &mut waiting) => reason,
    };
    shared.emit(Event::Disconnected { peer, reason }).await;
}

async fn read(
    shared: &Arc<Shared>,
    peer: PeerKey,
    connection: &Connection,
    recv: &mut RecvStream,
    intake: &Intake,
) -> String {
    let mut named: Option<Instant> = None;
    loop {
        match frames::read_frame(recv, limits::FRAME_BYTES_MAX).await {
            Ok(bytes) => {
                let now = Instant::now();
                let wait = intake.owe(bytes.len(), now);
                shared.emit(Event::Frame { peer, bytes }).await;
                if wait.is_zero() {
                    continue;
                }
                if named.is_none_or(|at| at.elapsed() >= limits::TOO_FAST_PAUSE) {
                    named = Some(Instant::now());
                    warn!(%peer, code = "too-fast", "a member sends faster than a member may, reading it more slowly");
                }
                // What it sends meanwhile waits at its end.
                sleep(wait).await;
            }
            Err(error) => {
                let reason = describe_end(connection, &error.to_string());
                match error {
                    ReadFrameError::Frame(_) => CloseCode::Violation.close(connection),
                    ReadFrameError::Ended | ReadFrameError::Connection(_) => {
                        CloseCode::Done.close(connection)
                    }
                }
                return reason;
            }
        }
    }
}

async fn write(connection: &Connection, send: &mut SendStream, waiting: &mut Waiting) -> String {
    while let Some(frame) = waiting.next().await {
        match timeout(
            limits::WRITE_TIME_MAX,
            frames::write_frame(send, &frame, limits::FRAME_BYTES_MAX),
        )
        .await
        {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return describe_end(connection, &error.to_string()),
            Err(_elapsed) => {
                CloseCode::TooSlow.close(connection);
                return "the peer does not read what it is sent".into();
            }
        }
    }
    // The queue's other end was dropped: a newer link took over, or the membership ended.
    describe_end(connection, "a newer connection took over")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_sends_large_frames_is_read_as_slowly_as_one_that_sends_many() {
        let (now, frame) = (Instant::now(), limits::FRAME_BYTES_MAX);
        let large = Intake::default();
        let at_once = limits::FRAME_BYTES.burst as usize / frame;
        for _ in 0..at_once {
            assert_eq!(large.owe(frame, now), Duration::ZERO);
        }
        let pause = large.owe(frame, now);
        assert!(pause > Duration::from_millis(200), "{pause:?}");
        let many = Intake::default();
        for _ in 0..limits::FRAMES.burst as usize {
            assert_eq!(many.owe(1, now), Duration::ZERO);
        }
        assert!(many.owe(1, now) > Duration::ZERO);
    }
}
