//! Every bound of the door, each with why this number. None can be configured.

use std::time::Duration;

/// Longest socket path, bytes: `sockaddr_un.sun_path` is 108 with the final zero.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Largest JSON body, bytes; a job of thousands of sets stays below.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest file that is taken in, bytes: far above any G-code, far below what fills a disk by mistake.
pub const UPLOAD_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// How much of a file is read at once, bytes: so much of it is in memory, however large it is.
pub(crate) const CHUNK_BYTES: usize = 256 * 1024;

/// How long running requests may take to end once the daemon stops: a person who waits for the stop has not gone away yet.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);
