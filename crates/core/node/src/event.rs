//! What happened, for people and programs that listen. Nothing is decided by events.

use printmesh_queue::{CopyId, HostId, JobId, PrinterId};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Kind of event: a stable word.
    pub kind: &'static str,
    /// Queue name on this host.
    pub queue: Option<String>,
    /// The job and its name.
    pub job: Option<(JobId, String)>,
    /// The copy.
    pub copy: Option<CopyId>,
    /// The printer.
    pub printer: Option<PrinterId>,
    /// Another host.
    pub host: Option<HostId>,
    /// New state or stable code.
    pub state: Option<String>,
    /// 0 to 1.
    pub progress: Option<f32>,
    /// Seconds left.
    pub left_s: Option<u64>,
    /// Plain words.
    pub text: Option<String>,
}

impl Event {
    /// Makes an event of a kind, with nothing else said yet.
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            queue: None,
            job: None,
            copy: None,
            printer: None,
            host: None,
            state: None,
            progress: None,
            left_s: None,
            text: None,
        }
    }
}
