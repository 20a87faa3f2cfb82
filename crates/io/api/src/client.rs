//! The other end of the socket: one connection per request, nothing cached, nothing retried.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

use axum::http::Method;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request as HttpRequest, Response,
    body::{Bytes, Frame, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{fs::File, io::AsyncReadExt, net::UnixStream};

use crate::{
    limits::CHUNK_BYTES,
    problem::{Problem, codes},
    reply::{Event, Reply, Uploaded},
    request::Request,
    routes::{BLOBS, EVENTS, ROOT, call_of, encode},
};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("no printmesh daemon answers on {}", socket.display())]
    DaemonDown {
        /// Where it was sought.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to the daemon broke")]
    Broken(#[source] hyper::Error),
    /// The daemon said something that this version does not know.
    #[error("the daemon gave an answer that this version does not know (HTTP {status})")]
    Foreign {
        /// HTTP status of the answer.
        status: u16,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
    /// The file to upload could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The daemon refused.
    #[error(transparent)]
    Refused(#[from] Problem),
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let title = error.to_string();
        match error {
            ClientError::DaemonDown { socket, source } => {
                Self::new(codes::DAEMON_DOWN, 6, "no printmesh daemon runs here")
                    .because(format!("{}: {source}", socket.display()))
                    .fix("printmesh up", "start it now")
            }
            ClientError::Broken(source) => Self::new(codes::DAEMON_BROKEN, 6, title)
                .because(source.to_string())
                .fix("printmesh daemon status", "see whether it still runs"),
            ClientError::Foreign { source, .. } => Self::new(codes::DAEMON_FOREIGN, 1, title)
                .because(source.to_string())
                .fix(
                    "printmesh daemon stop",
                    "stop it, then `printmesh up` starts this version",
                ),
            ClientError::Read { source, .. } => {
                Self::new(codes::FILE_UNREADABLE, 1, title).because(source.to_string())
            }
            ClientError::Refused(problem) => problem,
        }
    }
}

/// Talks to the daemon behind one socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// Makes a client; nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// The socket that it talks to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for one thing.
    ///
    /// # Errors
    /// [`ClientError`]; `Refused` carries the daemon's own words.
    pub async fn call(&self, request: &Request) -> Result<Reply, ClientError> {
        let call = call_of(request)?;
        let mut builder = HttpRequest::builder()
            .method(call.method)
            .uri(call.target)
            .header(header::HOST, "printmesh");
        if call.body.is_some() {
            builder = builder.header(header::CONTENT_TYPE, "application/json");
        }
        let body = whole(call.body.unwrap_or_default());
        let request = builder
            .body(body)
            .expect("the routes make valid paths: held by a test");
        read(self.send(request).await?).await
    }

    /// Uploads a file under `file_name` without holding it in memory; `progress` hears how many bytes are out.
    ///
    /// # Errors
    /// [`ClientError`]; nothing is kept by the daemon then.
    pub async fn upload(
        &self,
        path: &Path,
        file_name: &str,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Uploaded, ClientError> {
        let unreadable = |source| ClientError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).await.map_err(unreadable)?;
        let bytes = file.metadata().await.map_err(unreadable)?.len();
        let request = HttpRequest::builder()
            .method(Method::PUT)
            .uri(format!("{ROOT}{BLOBS}?name={}", encode(file_name)))
            .header(header::HOST, "printmesh")
            // Announced, so that a file that shrinks meanwhile breaks the upload instead of becoming another file.
            .header(header::CONTENT_LENGTH, bytes)
            .body(chunks(file, bytes, progress))
            .expect("the encoded name is a valid query");
        read(self.send(request).await?).await
    }

    /// Subscribes to what happens from now on.
    ///
    /// # Errors
    /// [`ClientError`] when the daemon cannot be reached.
    pub async fn events(&self) -> Result<Events, ClientError> {
        let request = HttpRequest::builder()
            .uri(format!("{ROOT}{EVENTS}"))
            .header(header::HOST, "printmesh")
            .body(whole(Vec::new()))
            .expect("the path is a constant");
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(Events {
            body: response.into_body(),
            lines: Lines::default(),
        })
    }

    async fn send(&self, request: HttpRequest<Body>) -> Result<Response<Incoming>, ClientError> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|source| ClientError::DaemonDown {
                    socket: self.socket.clone(),
                    source,
                })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Broken)?;
        // The connection is driven beside us and ends with the answer; its error reaches us through the answer's body.
        tokio::spawn(async move { drop(connection.await) });
        sender
            .send_request(request)
            .await
            .map_err(ClientError::Broken)
    }
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn chunks(file: File, bytes: u64, progress: impl FnMut(u64) + Send + 'static) -> Body {
    let start = (file.take(bytes), 0, progress);
    let frames = stream::try_unfold(start, async |(mut file, mut sent, mut progress)| {
        let mut chunk = vec![0; CHUNK_BYTES];
        let got = file.read(&mut chunk).await?;
        if got == 0 {
            return Ok(None);
        }
        chunk.truncate(got);
        sent += got as u64;
        progress(sent);
        Ok(Some((
            Frame::data(Bytes::from(chunk)),
            (file, sent, progress),
        )))
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    let status = response.status().as_u16();
    let body = response.into_body().collect().await;
    let body = body.map_err(ClientError::Broken)?.to_bytes();
    serde_json::from_slice(&body).map_err(|source| ClientError::Foreign { status, source })
}

async fn refusal(response: Response<Incoming>) -> ClientError {
    let status = response.status().as_u16();
    match response.into_body().collect().await {
        Err(error) => ClientError::Broken(error),
        Ok(body) => match serde_json::from_slice::<Problem>(&body.to_bytes()) {
            Ok(problem) => ClientError::Refused(problem),
            Err(source) => ClientError::Foreign { status, source },
        },
    }
}

/// A subscription.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    lines: Lines,
}

impl Events {
    /// Waits for the next event; `None` when the daemon ended the stream because it stops. May be cancelled between events.
    ///
    /// # Errors
    /// [`ClientError`] when the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(line) = self.lines.pop() {
                let event = serde_json::from_slice(&line).map_err(|source| {
                    let status = 200;
                    ClientError::Foreign { status, source }
                })?;
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(ClientError::Broken(error)),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.lines.push(&bytes);
                    }
                }
            }
        }
    }
}

/// Cuts bytes into lines, however they were chunked.
#[derive(Debug, Default)]
struct Lines {
    complete: VecDeque<Vec<u8>>,
    begun: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.complete.push_back(std::mem::take(&mut self.begun));
            } else {
                self.begun.push(byte);
            }
        }
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        self.complete.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_any_chunking() {
        let text = b"one\ntwo\n\nthree\nrest";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            text.chunks(size).for_each(|chunk| lines.push(chunk));
            let found: Vec<_> = std::iter::from_fn(|| lines.pop()).collect();
            assert_eq!(
                found,
                [&b"one"[..], b"two", b"", b"three"],
                "chunks of {size}"
            );
        }
    }
}
