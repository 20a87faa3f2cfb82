//! What a simulated machine did, for whoever wants to know it from the machine and not from its host: a file to which a line is
//! added when a print begins and when it ends.

use std::{fs::File, io::Write as _, path::PathBuf};

use super::memory::{one_line, wall_ms};
use crate::driver::Event;

/// The file, named by the address.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// A print begins; nothing of it has heated or moved.
    pub(super) fn begins(&self, attempt: &str) {
        self.add("begins", attempt);
    }

    pub(super) fn ended(&self, outcome: &Event) {
        match outcome {
            Event::Finished { attempt } => self.add("finished", attempt),
            Event::Aborted { attempt } => self.add("aborted", attempt),
            Event::Failed { attempt, .. } => self.add("failed", attempt),
            _ => {}
        }
    }

    /// One line by one write, which a killed process has either done or not: wall clock in milliseconds, what, which.
    fn add(&self, what: &str, attempt: &str) {
        let line = format!("{} {what} {}\n", wall_ms(), one_line(attempt));
        let file = File::options().create(true).append(true).open(&self.path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            tracing::warn!(path = %self.path.display(), %error, "the simulated machine cannot write down what it did");
        }
    }
}
