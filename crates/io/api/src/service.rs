//! What the daemon must be able to do for this door; nothing here knows HTTP.

use std::{future::Future, io, pin::Pin};

pub use axum::body::Bytes;
use futures_util::Stream;
use tokio::sync::broadcast;

use crate::{
    problem::Problem,
    reply::{Event, Reply, Uploaded},
    request::Request,
};

/// A file on its way in, chunk by chunk. An `Err` means that the sender went away or sent more than
/// [`UPLOAD_BYTES_MAX`](crate::limits::UPLOAD_BYTES_MAX): what came before it is not a file and must not be kept.
pub type Upload = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The daemon as the API sees it.
pub trait Service: Send + Sync + 'static {
    /// Carries one request out; an acknowledged change is durable before this returns.
    fn call(&self, request: Request) -> impl Future<Output = Result<Reply, Problem>> + Send;

    /// Takes a file in without ever holding it whole in memory.
    fn upload(
        &self,
        file_name: String,
        body: Upload,
    ) -> impl Future<Output = Result<Uploaded, Problem>> + Send;

    /// Everything that happens from now on.
    fn events(&self) -> broadcast::Receiver<Event>;
}
