//! What one host asks of the host that holds a claim. The holder decides; only the asker writes and deletes a request.

use serde::{Deserialize, Serialize};

use crate::{HostId, JobId, Timestamp};

/// Names a request: who asks, and a word that this host has not used yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Who asks.
    pub host: HostId,
    /// Its own name for it.
    pub id: String,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The job.
    pub job: JobId,
    /// What is to happen.
    pub wanted: Wanted,
    /// When, by the asker's clock; display only.
    pub at: Timestamp,
}

/// What is to happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// Stop the prints of the job that are under way, so that it can be cancelled.
    Stop,
    /// Do not start the job: it is to be cancelled as soon as the voters can be asked.
    Cancel,
    /// Do not start the job: it is to be moved as soon as the voters can be asked.
    Move,
    /// Start the job next, on this printer.
    Start {
        /// Host of the printer.
        host: HostId,
        /// The printer.
        printer: String,
        /// This very copy, from 0, under this attempt, now or not at all, also where nothing starts by itself; `None` = the
        /// next one, as soon as the printer is free.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copy: Option<(u32, u32)>,
    },
}
