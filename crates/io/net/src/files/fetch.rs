//! Fetching a file from those who may have it, one after the other, going on from where the last one stopped.
//! Every piece is verified against the hash before it is stored, so a provider can waste time but not lie.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt;
use iroh::endpoint::Connection;
use iroh_blobs::{
    Hash, HashAndFormat,
    api::remote::GetProgressItem,
    get::{GetError, request::get_verified_size},
};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::{Asked, FILES_ALPN, FetchError, FileError, FileHash, Files, error, room};
use crate::{
    codes::{CloseCode, describe},
    endpoint, limits,
    peer_key::PeerKey,
};

const WHAT: &str = "store a fetched file";

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchProgress {
    /// Bytes that are here and verified, those of earlier fetches included.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
}

/// What became of asking one provider.
enum Outcome {
    Complete,
    Refused(String),
    /// It serves this host as much as it serves one at a time: asked again after a pause.
    Busy,
    TooLarge(u64),
    Here(FileError),
}

impl Files {
    /// Fetches the file from the first of `from` that has it, and goes on with the next when one fails. What an earlier
    /// fetch left is used, also after a restart. The file is kept from now on, see [`Files::keep`], whether or not the fetch
    /// succeeds; [`Files::release`] ends that.
    ///
    /// `progress` is called about ten times a second, and once at the end. `size` is the largest length that is accepted,
    /// in bytes. Dropping the future stops the fetch, what came stays.
    ///
    /// # Errors
    /// [`FetchError::NobodyHasIt`] when all were asked in vain, [`FetchError::TooLarge`] when the file is longer than `size`,
    /// [`FetchError::Here`] when this host cannot store it.
    pub async fn fetch(
        &self,
        hash: FileHash,
        size: u64,
        from: Vec<PeerKey>,
        mut progress: impl FnMut(FetchProgress) + Send,
    ) -> Result<(), FetchError> {
        // Before the first byte, so that no collection takes away what has come so far.
        self.keep(hash).await?;
        if let Some(here) = self.size(hash).await? {
            progress(FetchProgress {
                done: here,
                total: here,
            });
            return Ok(());
        }
        let mut asked: Vec<Asked> = Vec::new();
        for peer in from {
            if asked.iter().any(|before| before.peer == peer) {
                continue;
            }
            match self.fetch_in_turn(hash, size, peer, &mut progress).await {
                Outcome::Complete => {
                    self.settle(hash).await?;
                    let total = self.size(hash).await?.ok_or(FileError::Missing { hash })?;
                    progress(FetchProgress { done: total, total });
                    return Ok(());
                }
                Outcome::Refused(answer) => {
                    debug!(%peer, answer, "a provider did not give the file");
                    asked.push(Asked { peer, answer });
                }
                Outcome::Busy => {
                    let answer = "it is busy".to_owned();
                    asked.push(Asked { peer, answer });
                }
                Outcome::TooLarge(actual) => {
                    return Err(FetchError::TooLarge {
                        hash,
                        size: actual,
                        size_max: size,
                    });
                }
                Outcome::Here(error) => return Err(error.into()),
            }
        }
        Err(FetchError::NobodyHasIt { hash, asked })
    }

    async fn fetch_from(
        &self,
        hash: FileHash,
        size_max: u64,
        peer: PeerKey,
        progress: &mut (impl FnMut(FetchProgress) + Send),
    ) -> Outcome {
        let ways = self.ways(peer);
        if ways.is_none() {
            return Outcome::Refused("no address is known".into());
        }
        let connection = match endpoint::dial(&self.inner.port, peer, ways, FILES_ALPN).await {
            Ok(connection) => connection,
            Err(reason) => return Outcome::Refused(reason),
        };
        let outcome = self.transfer(hash, size_max, &connection, progress).await;
        let refused = connection
            .close_reason()
            .and_then(|error| CloseCode::of_peer(&error));
        CloseCode::Done.close(&connection);
        match outcome {
            Outcome::Refused(_) if refused == Some(CloseCode::Limit) => Outcome::Busy,
            outcome => outcome,
        }
    }

    /// Asks one provider, when it is this fetch's turn there: others may be at it.
    async fn fetch_in_turn(
        &self,
        hash: FileHash,
        size_max: u64,
        peer: PeerKey,
        progress: &mut (impl FnMut(FetchProgress) + Send),
    ) -> Outcome {
        let places = self.inner.places(peer);
        let _place = places.acquire().await;
        let mut pauses = limits::BUSY_PAUSES.iter();
        loop {
            // The provider may still hold a place of a fetch that has just ended.
            let outcome = self.fetch_from(hash, size_max, peer, progress).await;
            match (outcome, pauses.next()) {
                (Outcome::Busy, Some(pause)) => tokio::time::sleep(*pause).await,
                (outcome, _) => return outcome,
            }
        }
    }

    async fn transfer(
        &self,
        hash: FileHash,
        size_max: u64,
        connection: &Connection,
        progress: &mut (impl FnMut(FetchProgress) + Send),
    ) -> Outcome {
        // The length is asked for and verified first: the announced one is a claim, and so is what a provider says.
        let total = match timeout(
            limits::FETCH_STALL_MAX,
            get_verified_size(connection, &Hash::from_bytes(hash)),
        )
        .await
        {
            Ok(Ok((total, _))) if total > size_max => return Outcome::TooLarge(total),
            Ok(Ok((total, _))) => total,
            Ok(Err(error)) => return Outcome::Refused(refusal(connection, &error)),
            Err(_elapsed) => return Outcome::Refused("it does not answer".into()),
        };
        let raw = HashAndFormat::raw(Hash::from_bytes(hash));
        let before = match self.inner.store.remote().local(raw).await {
            Ok(local) => local.local_bytes(),
            Err(error) => {
                return Outcome::Here(FileError::Store {
                    what: WHAT,
                    reason: format!("{error:#}"),
                });
            }
        };
        if let Err(source) = room::ensure(&self.inner.paths.data_path, total.saturating_sub(before))
        {
            return Outcome::Here(FileError::Io { what: WHAT, source });
        }
        let mut items = pin!(
            self.inner
                .store
                .remote()
                .fetch(connection.clone(), raw)
                .stream()
        );
        let mut throttle = Throttle::new(limits::PROGRESS_PAUSE);
        loop {
            match timeout(limits::FETCH_STALL_MAX, items.next()).await {
                Ok(Some(GetProgressItem::Progress(bytes))) => {
                    if throttle.is_due() {
                        // Until the store's database says that a part is here, a crash would lose all of it.
                        if let Err(error) = self.inner.store.sync_db().await {
                            return Outcome::Here(FileError::store(WHAT, &error));
                        }
                        progress(FetchProgress {
                            done: (before + bytes).min(total),
                            total,
                        });
                    }
                }
                Ok(Some(GetProgressItem::Done(_))) => return self.check_complete(hash).await,
                Ok(Some(GetProgressItem::Error(error))) => return failure(connection, &error),
                Ok(None) => return Outcome::Refused("the transfer ended early".into()),
                Err(_elapsed) => return Outcome::Refused("it stopped sending".into()),
            }
        }
    }

    async fn check_complete(&self, hash: FileHash) -> Outcome {
        match self.has(hash).await {
            Ok(true) => Outcome::Complete,
            Ok(false) => Outcome::Refused("it has only a part of the file".into()),
            Err(error) => Outcome::Here(error),
        }
    }
}

/// Tells a failure of this host, which ends the fetch, from one of the provider, which is a reason to ask the next.
fn failure(connection: &Connection, error: &GetError) -> Outcome {
    match error {
        // The store also calls it a local failure when the connection is lost before the request is sent.
        GetError::LocalFailure { .. } | GetError::IrpcSend { .. }
            if connection.close_reason().is_none() =>
        {
            Outcome::Here(FileError::store(WHAT, error))
        }
        _ => Outcome::Refused(refusal(connection, error)),
    }
}

fn refusal(connection: &Connection, error: &GetError) -> String {
    if let Some(reason) = connection.close_reason() {
        return describe(&reason);
    }
    match error {
        GetError::AtBlobHeaderNext { .. } => "it does not have the file".into(),
        GetError::Decode { .. } => "what it sent is damaged or cut off".into(),
        other => error::chain(other),
    }
}

/// Lets through one call per pause, the first at once.
struct Throttle {
    pause: Duration,
    next: Instant,
}

impl Throttle {
    fn new(pause: Duration) -> Self {
        Self {
            pause,
            next: Instant::now(),
        }
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = now >= self.next;
        if is_due {
            self.next = now + self.pause;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_is_let_through_ten_times_a_second() {
        let mut throttle = Throttle::new(Duration::from_millis(100));
        let mut reports = 0;
        for _ in 0..10_000 {
            reports += usize::from(throttle.is_due());
            tokio::time::advance(Duration::from_micros(100)).await;
        }
        assert_eq!(reports, 10);
    }
}
