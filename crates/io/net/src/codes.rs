//! Why connections are closed, as QUIC application codes, and what they mean to people. The reason text of a close is
//! left empty: what is not sent cannot tell a stranger anything, nor write into a terminal.

use iroh::endpoint::{Connection, ConnectionError, VarInt};

/// The application codes of this product. They are part of the protocol: numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseCode {
    /// The conversation was finished.
    Done,
    /// The host is shutting down.
    Shutdown,
    /// The key is not a member here.
    NotMember,
    /// A link with this peer exists already.
    Duplicate,
    /// A newer link with this peer took over.
    Replaced,
    /// No version of the protocol in common.
    Incompatible,
    /// The peer broke the protocol: a frame over the limit, or a greeting that cannot be read.
    Violation,
    /// The peer does not read what it is sent.
    TooSlow,
    /// No join conversation is wanted now.
    NotOpen,
    /// More than is allowed of something.
    Limit,
}

impl CloseCode {
    const ALL: [Self; 10] = [
        Self::Done,
        Self::Shutdown,
        Self::NotMember,
        Self::Duplicate,
        Self::Replaced,
        Self::Incompatible,
        Self::Violation,
        Self::TooSlow,
        Self::NotOpen,
        Self::Limit,
    ];

    const fn number(self) -> u32 {
        match self {
            Self::Done => 0,
            Self::Shutdown => 1,
            Self::NotMember => 403,
            Self::Duplicate => 409,
            Self::Replaced => 410,
            Self::Violation => 422,
            Self::Incompatible => 426,
            Self::TooSlow => 408,
            Self::NotOpen => 423,
            Self::Limit => 429,
        }
    }

    /// Closes the connection with this code, unless it is closed: the first reason is the telling one.
    pub(crate) fn close(self, connection: &Connection) {
        if connection.close_reason().is_none() {
            connection.close(VarInt::from_u32(self.number()), b"");
        }
    }

    /// Returns the code with which the peer closed the connection, if it did and the code is known.
    pub(crate) fn of_peer(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::ApplicationClosed(close) => Self::ALL
                .into_iter()
                .find(|code| close.error_code == VarInt::from_u32(code.number())),
            _ => None,
        }
    }

    const fn said_by_peer(self) -> &'static str {
        match self {
            Self::Done => "the peer finished",
            Self::Shutdown => "the peer is shutting down",
            Self::NotMember => "the peer does not know this host as a member",
            Self::Duplicate => "the peer is connected already",
            Self::Replaced => "a newer connection took over",
            Self::Violation => "the peer refused what this host sent",
            Self::Incompatible => "the peer speaks another version",
            Self::TooSlow => "this host did not read for too long",
            Self::NotOpen => "the peer takes no new members now",
            Self::Limit => "the peer has too many connections",
        }
    }
}

/// Returns why the connection ended, for people.
pub(crate) fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TimedOut => "the peer no longer answers".into(),
        ConnectionError::LocallyClosed => "closed by this host".into(),
        ConnectionError::Reset => "the peer was restarted".into(),
        ConnectionError::ApplicationClosed(_) => CloseCode::of_peer(error)
            .map_or("the peer closed the connection", CloseCode::said_by_peer)
            .into(),
        other => other.to_string(),
    }
}

/// Returns why this connection ended, if it has, or else what the caller saw.
pub(crate) fn describe_end(connection: &Connection, otherwise: &str) -> String {
    connection
        .close_reason()
        .map_or_else(|| otherwise.to_owned(), |error| describe(&error))
}
