//! An error as a person needs it: what, why, how to mend it, and a stable code.

use serde::{Deserialize, Serialize};

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{title}")]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Stable code, `area.what`.
    pub code: String,
    /// What failed, in one line.
    pub title: String,
    /// Why, in one line.
    pub why: Option<String>,
    /// What to type next.
    pub fixes: Vec<Fix>,
    /// Exit code of the command line (see the table in the README).
    pub exit: u8,
}

/// One way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// Command to type; empty when it is not a command.
    pub command: String,
    /// What that does.
    pub text: String,
}

/// The codes that this crate itself gives out.
pub mod codes {
    /// The request does not have the shape of one.
    pub const REQUEST_BAD: &str = "request.bad";
    /// The request came from a web page.
    pub const REQUEST_BROWSER: &str = "request.browser";
    /// There is no such route.
    pub const REQUEST_ROUTE: &str = "request.route";
    /// The uploaded file is over the limit.
    pub const FILE_TOO_BIG: &str = "file.too-big";
    /// No daemon answers on the socket.
    pub const DAEMON_DOWN: &str = "daemon.down";
    /// The connection to the daemon broke.
    pub const DAEMON_BROKEN: &str = "daemon.broken";
    /// The daemon answered with something that this version does not know.
    pub const DAEMON_FOREIGN: &str = "daemon.foreign";
    /// A file cannot be read.
    pub const FILE_UNREADABLE: &str = "file.unreadable";
}

impl Problem {
    /// Makes a problem without cause and way out.
    pub fn new(code: &str, exit: u8, title: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            title: title.into(),
            why: None,
            fixes: Vec::new(),
            exit,
        }
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Adds a way out; `command` is empty when there is nothing to type.
    #[must_use]
    pub fn fix(mut self, command: impl Into<String>, text: impl Into<String>) -> Self {
        self.fixes.push(Fix {
            command: command.into(),
            text: text.into(),
        });
        self
    }
}
