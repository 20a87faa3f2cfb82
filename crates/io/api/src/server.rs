//! The door: HTTP on a unix socket, only for this user, never for a web page.
//!
//! It checks who knocks, finds the request and hands it to the [`Service`]; it decides nothing about printing.

use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use axum::{
    Json, Router,
    body::{Body, BodyDataStream},
    extract::{DefaultBodyLimit, FromRequestParts, Query, RawPathParams, State},
    http::{HeaderMap, StatusCode, Uri, header, uri::Authority},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, get, on, put},
};
use futures_util::{Stream, StreamExt, stream};
use rustix::process::geteuid;
use serde::Deserialize;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::broadcast::{Receiver, error::RecvError},
};
pub use tokio_util::sync::CancellationToken;

use crate::{
    envelope::envelope,
    limits::{BODY_BYTES_MAX, FAREWELL, SOCKET_PATH_BYTES_MAX, UPLOAD_BYTES_MAX},
    problem::{Problem, codes},
    reply::Event,
    routes::{BLOBS, EVENTS, ROOT, ROUTES, Route, request_of},
    service::{Bytes, Service},
};

/// Why the door did not open.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The kernel cannot take so long a path.
    #[error(
        "the socket path has {} bytes, the system allows {SOCKET_PATH_BYTES_MAX}: {}",
        .0.as_os_str().len(), .0.display()
    )]
    PathTooLong(PathBuf),
    /// Another process listens there.
    #[error("another process listens on {}", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket lies at the path.
    #[error("{} is not a socket; it is left alone", .0.display())]
    NotASocket(PathBuf),
    /// The directory or the socket could not be made.
    #[error("failed to make the socket {}", path.display())]
    Make {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The listener broke.
    #[error("failed to serve on {}", path.display())]
    Serve {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Serves the API on `socket` until `shutdown`, then ends event streams, lets running requests finish and removes the socket.
///
/// The caller holds a lock of its own that makes it the only daemon of this home: a socket that nobody answers on is a dead
/// daemon's and is replaced.
///
/// # Errors
/// [`ServeError`] when the socket cannot be made or breaks.
pub async fn serve(
    socket: &Path,
    service: Arc<impl Service>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    bind(socket).await?.serve(service, shutdown).await
}

/// A socket that callers can connect to already; they are answered once it is served.
pub struct Bound {
    listener: UnixListener,
    path: PathBuf,
}

impl Bound {
    /// Serves the API, as [`serve`] does.
    ///
    /// # Errors
    /// [`ServeError::Serve`] when the socket breaks.
    pub async fn serve(
        self,
        service: Arc<impl Service>,
        shutdown: CancellationToken,
    ) -> Result<(), ServeError> {
        let Self { listener, path } = self;
        serve_on(listener, &path, service, shutdown).await
    }
}

async fn serve_on(
    listener: UnixListener,
    socket: &Path,
    service: Arc<impl Service>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let router = router(service, shutdown.clone());
    let served = axum::serve(SameUser { listener }, router)
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let farewell = async {
        shutdown.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    let result = tokio::select! {
        result = served => result,
        () = farewell => Ok(()),
    };
    // A file that is gone already was somebody else's wish.
    drop(fs::remove_file(socket));
    result.map_err(|source| ServeError::Serve {
        path: socket.to_owned(),
        source,
    })
}

/// Makes the socket, so that its caller knows that it is there before serving it.
///
/// # Errors
/// [`ServeError`] when the socket cannot be made.
pub async fn bind(socket: &Path) -> Result<Bound, ServeError> {
    if socket.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(ServeError::PathTooLong(socket.to_owned()));
    }
    let failed = |source| ServeError::Make {
        path: socket.to_owned(),
        source,
    };
    if let Some(directory) = socket.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        // It may have been there before, with other permissions.
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    if let Ok(metadata) = fs::symlink_metadata(socket) {
        if !metadata.file_type().is_socket() {
            return Err(ServeError::NotASocket(socket.to_owned()));
        }
        if UnixStream::connect(socket).await.is_ok() {
            return Err(ServeError::InUse(socket.to_owned()));
        }
        fs::remove_file(socket).map_err(failed)?;
    }
    let listener = UnixListener::bind(socket).map_err(failed)?;
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(Bound {
        listener,
        path: socket.to_owned(),
    })
}

/// Accepts connections of our own user and of root; hangs up on everybody else before reading a byte.
struct SameUser {
    listener: UnixListener,
}

impl axum::serve::Listener for SameUser {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            let (stream, _) = axum::serve::Listener::accept(&mut self.listener).await;
            match stream.peer_cred() {
                Ok(peer) if may_enter(peer.uid(), geteuid().as_raw()) => return (stream, ()),
                Ok(peer) => tracing::warn!(uid = peer.uid(), "connection of another user refused"),
                Err(error) => tracing::warn!(%error, "connection without credentials refused"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

fn may_enter(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

struct Door<S> {
    service: Arc<S>,
    shutdown: CancellationToken,
}

impl<S> Clone for Door<S> {
    fn clone(&self) -> Self {
        Self {
            service: Arc::clone(&self.service),
            shutdown: self.shutdown.clone(),
        }
    }
}

fn router<S: Service>(service: Arc<S>, shutdown: CancellationToken) -> Router {
    let mut routes = Router::new()
        .route(BLOBS, put(upload::<S>))
        .route(EVENTS, get(events::<S>));
    for route in ROUTES {
        let method = MethodFilter::try_from(route.method.clone())
            .expect("the table has only methods that axum can filter");
        routes = routes.route(
            route.path,
            on(method, move |State(door): State<Door<S>>, request| {
                answer(door, route, request)
            }),
        );
    }
    Router::new()
        .nest(ROOT, routes)
        .fallback(async |uri: Uri| {
            let title = format!("there is no {}", uri.path());
            refuse(
                StatusCode::NOT_FOUND,
                Problem::new(codes::REQUEST_ROUTE, 3, title),
            )
        })
        .layer(middleware::from_fn(no_browser))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Door { service, shutdown })
}

/// A page in a browser cannot open a unix socket, but a forwarded port can lead here: what comes from a page is refused.
async fn no_browser(headers: HeaderMap, request: axum::extract::Request, next: Next) -> Response {
    let of_browser = headers.keys().find(|name| {
        [header::ORIGIN, header::REFERER].contains(name) || name.as_str().starts_with("sec-fetch-")
    });
    let why = match of_browser {
        Some(name) => format!("the request carries {name}"),
        None if headers.get_all(header::HOST).iter().all(is_local) => {
            return next.run(request).await;
        }
        None => "the request is for another host".to_owned(),
    };
    let title = "requests of web pages are refused";
    let problem = Problem::new(codes::REQUEST_BROWSER, 4, title)
        .because(format!("{why}; this socket is for local programs only"));
    refuse(StatusCode::FORBIDDEN, problem)
}

/// Whether a request is for this machine: a name without a dot, or an address of its own. A page whose name was made to lead
/// here asks under that name.
fn is_local(host: &header::HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(host.as_bytes()) else {
        return host.is_empty();
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => !name.contains('.'),
    }
}

async fn answer<S: Service>(
    door: Door<S>,
    route: &'static Route,
    request: axum::extract::Request,
) -> Response {
    let answered = async {
        let (mut parts, body) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, &()).await;
        let path = path.map_err(|error| {
            Problem::new(codes::REQUEST_BAD, 2, "the path is not readable")
                .because(error.to_string())
        })?;
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|error| {
            Problem::new(codes::REQUEST_BAD, 2, "the query is not readable")
                .because(error.to_string())
        })?;
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX)
            .await
            .map_err(|error| {
                Problem::new(codes::REQUEST_BAD, 2, "the body is not readable")
                    .because(error.to_string())
            })?;
        let query = query
            .0
            .iter()
            .map(|(name, value)| (&**name, value.as_str()));
        let request = request_of(route, path.iter(), query, &body)?;
        door.service.call(request).await
    };
    match answered.await {
        Ok(reply) => Json(envelope(&reply)).into_response(),
        Err(problem) => refuse(status_of(&problem), problem),
    }
}

#[derive(Deserialize)]
struct UploadName {
    name: String,
}

async fn upload<S: Service>(
    State(door): State<Door<S>>,
    Query(UploadName { name }): Query<UploadName>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > UPLOAD_BYTES_MAX) {
        let problem = Problem::new(
            codes::FILE_TOO_BIG,
            2,
            format!("{name} is larger than 2 GiB"),
        );
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, problem);
    }
    let body = Shared::new(body);
    let result = door.service.upload(name, Box::pin(body.clone())).await;
    // A sender whose bytes nobody takes sees a broken pipe instead of the answer.
    body.drain().await;
    match result {
        Ok(uploaded) => Json(uploaded).into_response(),
        Err(problem) => refuse(status_of(&problem), problem),
    }
}

/// A body that fails once more came than is allowed, and of which the rest can be read off when the service wants no more.
#[derive(Clone)]
struct Shared(Arc<Mutex<(BodyDataStream, u64)>>);

impl Shared {
    fn new(body: Body) -> Self {
        let stream = body.into_data_stream();
        Self(Arc::new(Mutex::new((stream, UPLOAD_BYTES_MAX))))
    }

    async fn drain(mut self) {
        while let Some(Ok(_)) = self.next().await {}
    }
}

impl Stream for Shared {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut shared = self.0.lock().expect("reading a body does not panic");
        let (stream, left) = &mut *shared;
        let chunk = ready!(stream.poll_next_unpin(cx));
        Poll::Ready(chunk.map(|chunk| {
            let chunk = chunk.map_err(io::Error::other)?;
            *left = left
                .checked_sub(chunk.len() as u64)
                .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "more than 2 GiB"))?;
            Ok(chunk)
        }))
    }
}

async fn events<S: Service>(State(door): State<Door<S>>) -> Response {
    // Subscribed before the response head goes out: who has the head misses nothing that happens from then on.
    let receiver = door.service.events();
    let lines = stream::unfold((receiver, door.shutdown), async |(mut receiver, stop)| {
        let event = tokio::select! {
            event = next_event(&mut receiver) => event?,
            () = stop.cancelled() => return None,
        };
        let mut line = serde_json::to_vec(&event).expect("an event is a plain value");
        line.push(b'\n');
        Some((Ok::<_, io::Error>(Bytes::from(line)), (receiver, stop)))
    });
    let kind = [(header::CONTENT_TYPE, "application/jsonl")];
    (kind, Body::from_stream(lines)).into_response()
}

/// The next event; `reset` when the reader was too slow and some are lost, `None` when there will be no more.
async fn next_event(receiver: &mut Receiver<Event>) -> Option<Event> {
    match receiver.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(lost)) => Some(Event::reset(lost)),
        Err(RecvError::Closed) => None,
    }
}

fn refuse(status: StatusCode, problem: Problem) -> Response {
    (status, Json(problem)).into_response()
}

/// The HTTP status that fits the exit code: programs that know only HTTP learn the same.
fn status_of(problem: &Problem) -> StatusCode {
    match problem.exit {
        2 => StatusCode::BAD_REQUEST,
        3 => StatusCode::NOT_FOUND,
        4 => StatusCode::FORBIDDEN,
        5 | 8 | 10 => StatusCode::CONFLICT,
        6 => StatusCode::SERVICE_UNAVAILABLE,
        7 => StatusCode::GATEWAY_TIMEOUT,
        9 => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_user_and_root_may_enter() {
        assert!(may_enter(1000, 1000));
        assert!(may_enter(0, 1000));
        assert!(!may_enter(1001, 1000));
        assert!(!may_enter(1000, 0));
    }
}
