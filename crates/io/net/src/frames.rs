//! Frames and greetings as bytes: a 4-byte big-endian length, then that many bytes. It knows no
//! connection state; `handshake.rs`, `link.rs` and `join.rs` decide what a frame means.
//!
//! The greeting (`Hello`) is what every version, old or new, must be able to read. So it is never
//! changed except by appending fields, and a reader ignores what follows the fields it knows.

use std::fmt;

use iroh::endpoint::{ReadExactError, RecvStream, SendStream, WriteError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits::{HELLO_BYTES_MAX, SOFTWARE_CHARS_MAX};

/// Bytes before each frame.
pub const FRAME_HEADER_BYTES: usize = 4;

/// The versions of the wire protocol that a build speaks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolRange {
    /// The oldest version that is still spoken.
    pub oldest: u16,
    /// The newest version that is spoken.
    pub newest: u16,
}

impl ProtocolRange {
    /// What this build speaks.
    pub const THIS_BUILD: Self = Self {
        oldest: 1,
        newest: 1,
    };

    /// Returns the newest version that both speak.
    pub fn common(self, other: Self) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

impl fmt::Display for ProtocolRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.oldest, self.newest)
    }
}

/// The first frame in each direction of the sync and of the join protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The versions that the sender speaks.
    pub protocol: ProtocolRange,
    /// Drawn at each start of the sender, so that a restarted peer is told from one that calls twice.
    pub instance: u64,
    /// What the sender runs, for people. Shortened to 32 printable ASCII characters when read.
    pub software: String,
}

/// Why bytes are not a frame or not a greeting.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// The sender announced more than the limit.
    #[error("a frame of {announced} bytes is over the limit of {limit}")]
    TooLarge {
        /// What the header says, bytes.
        announced: usize,
        /// What is allowed here, bytes.
        limit: usize,
    },
    /// The greeting cannot be read.
    #[error("the greeting cannot be read")]
    Hello,
}

/// Returns the length of the frame that this header announces, in bytes.
///
/// # Errors
/// [`FrameError::TooLarge`] when that is over `limit`; the caller reads nothing more then.
pub fn decode_frame_header(
    header: [u8; FRAME_HEADER_BYTES],
    limit: usize,
) -> Result<usize, FrameError> {
    let announced = u32::from_be_bytes(header) as usize;
    if announced > limit {
        return Err(FrameError::TooLarge { announced, limit });
    }
    Ok(announced)
}

/// Returns the header of a frame of `length` bytes.
///
/// # Errors
/// [`FrameError::TooLarge`] when `length` is over `limit`: no peer would take it.
pub fn encode_frame_header(
    length: usize,
    limit: usize,
) -> Result<[u8; FRAME_HEADER_BYTES], FrameError> {
    match u32::try_from(length) {
        Ok(announced) if length <= limit => Ok(announced.to_be_bytes()),
        Ok(_) | Err(_) => Err(FrameError::TooLarge {
            announced: length,
            limit,
        }),
    }
}

/// A frame, and the bytes after it.
pub type SplitFrame<'a> = (&'a [u8], &'a [u8]);

/// Returns the first frame of `bytes` and what follows it, or `None` while bytes are missing.
///
/// # Errors
/// [`FrameError::TooLarge`] when the frame is over `limit`.
pub fn split_frame(bytes: &[u8], limit: usize) -> Result<Option<SplitFrame<'_>>, FrameError> {
    let Some((header, rest)) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = decode_frame_header(*header, limit)?;
    Ok(rest.split_at_checked(length))
}

/// Reads a greeting; bytes after the known fields are from a newer version and ignored.
///
/// # Errors
/// [`FrameError::Hello`] when the known fields cannot be read, or the range is upside down.
pub fn decode_hello(bytes: &[u8]) -> Result<Hello, FrameError> {
    if bytes.len() > HELLO_BYTES_MAX {
        return Err(FrameError::TooLarge {
            announced: bytes.len(),
            limit: HELLO_BYTES_MAX,
        });
    }
    let (mut hello, _newer) =
        postcard::take_from_bytes::<Hello>(bytes).map_err(|_| FrameError::Hello)?;
    if hello.protocol.oldest > hello.protocol.newest {
        return Err(FrameError::Hello);
    }
    // It ends up in terminals and logs of other people.
    hello.software = hello
        .software
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(SOFTWARE_CHARS_MAX)
        .collect();
    Ok(hello)
}

/// Writes a greeting.
pub fn encode_hello(hello: &Hello) -> Vec<u8> {
    postcard::to_allocvec(hello).expect("a greeting is plain data")
}

/// Why a frame did not arrive.
#[derive(Debug, Error)]
pub(crate) enum ReadFrameError {
    #[error("the stream ended")]
    Ended,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the connection failed")]
    Connection(#[source] ReadExactError),
}

/// Why a frame was not sent.
#[derive(Debug, Error)]
pub(crate) enum WriteFrameError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the connection failed")]
    Connection(#[from] WriteError),
}

/// Reads one frame. Not cancel-safe: a dropped read loses the place in the stream.
pub(crate) async fn read_frame(
    stream: &mut RecvStream,
    limit: usize,
) -> Result<Vec<u8>, ReadFrameError> {
    let mut header = [0; FRAME_HEADER_BYTES];
    stream
        .read_exact(&mut header)
        .await
        .map_err(|error| match error {
            ReadExactError::FinishedEarly(0) => ReadFrameError::Ended,
            error @ (ReadExactError::FinishedEarly(_) | ReadExactError::ReadError(_)) => {
                ReadFrameError::Connection(error)
            }
        })?;
    let length = decode_frame_header(header, limit)?;
    let mut frame = vec![0; length];
    stream
        .read_exact(&mut frame)
        .await
        .map_err(ReadFrameError::Connection)?;
    Ok(frame)
}

/// Writes one frame. Not cancel-safe, like `read_frame`.
pub(crate) async fn write_frame(
    stream: &mut SendStream,
    frame: &[u8],
    limit: usize,
) -> Result<(), WriteFrameError> {
    let header = encode_frame_header(frame.len(), limit)?;
    stream.write_all(&header).await?;
    stream.write_all(frame).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(software: &str) -> Hello {
        Hello {
            protocol: ProtocolRange {
                oldest: 1,
                newest: 3,
            },
            instance: 7,
            software: software.into(),
        }
    }

    #[test]
    fn ranges_meet_at_the_newest_version_of_both() {
        let range = |oldest, newest| ProtocolRange { oldest, newest };
        assert_eq!(range(1, 3).common(range(2, 5)), Some(3));
        assert_eq!(range(2, 5).common(range(1, 3)), Some(3));
        assert_eq!(range(1, 1).common(range(1, 1)), Some(1));
        assert_eq!(range(1, 2).common(range(3, 4)), None);
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_by_its_header() {
        assert_eq!(
            decode_frame_header(17u32.to_be_bytes(), 16),
            Err(FrameError::TooLarge {
                announced: 17,
                limit: 16
            })
        );
        assert_eq!(decode_frame_header(16u32.to_be_bytes(), 16), Ok(16));
        assert_eq!(
            encode_frame_header(17, 16),
            Err(FrameError::TooLarge {
                announced: 17,
                limit: 16
            })
        );
        assert!(decode_frame_header([0xff; 4], FRAME_HEADER_BYTES).is_err());
    }

    #[test]
    fn a_newer_greeting_is_read_as_far_as_it_is_known() {
        let mut bytes = encode_hello(&hello("0.1.0"));
        bytes.extend_from_slice(b"a field of the year 2030");
        assert_eq!(decode_hello(&bytes), Ok(hello("0.1.0")));
    }

    #[test]
    fn a_greeting_cannot_write_into_a_terminal() {
        let bytes = encode_hello(&hello(
            "\u{1b}[2J0.1\n.0 \u{202e}abcdefghijklmnopqrstuvwxyzabcdefghijklm",
        ));
        assert_eq!(
            decode_hello(&bytes).unwrap().software,
            "[2J0.1.0abcdefghijklmnopqrstuvwx"
        );
    }

    #[test]
    fn a_range_upside_down_is_no_greeting() {
        let upside_down = Hello {
            protocol: ProtocolRange {
                oldest: 2,
                newest: 1,
            },
            ..hello("x")
        };
        assert_eq!(
            decode_hello(&encode_hello(&upside_down)),
            Err(FrameError::Hello)
        );
    }

    proptest! {
        #[test]
        fn frames_come_back_as_they_were_sent(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..8)) {
            let mut wire = Vec::new();
            for frame in &frames {
                wire.extend_from_slice(&encode_frame_header(frame.len(), 64).unwrap());
                wire.extend_from_slice(frame);
            }
            let (mut rest, mut read) = (wire.as_slice(), Vec::new());
            while let Some((frame, after)) = split_frame(rest, 64).unwrap() {
                read.push(frame.to_vec());
                rest = after;
            }
            prop_assert_eq!(read, frames);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_bytes_crash_the_greeting(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_hello(&bytes);
        }
    }
}
