//! Why a job waits or a printer idles: a closed list, each with a stable code and plain words.

/// Why a job waits or a printer idles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The job is a draft.
    Draft,
    /// A person holds the job.
    Held,
    /// The job is not in the queue any more.
    NotQueued,
    /// No copy is left to claim: all are done or being made.
    NoCopyLeft,
    /// A copy failed and is not printed again by itself.
    CopyFailed,
    /// It is unknown how a copy ended; a person must look.
    CopyUnknown,
    /// The job is for other printers.
    PinnedElsewhere,
    /// Earlier copies come first.
    QueueOrder {
        /// Copies that come before it.
        ahead: usize,
    },
    /// The printer works on something.
    Busy,
    /// A person paused the printer.
    PrinterPaused {
        /// What the person said.
        reason: String,
    },
    /// The printer does not start prints by itself.
    AutoprintOff,
    /// Something lies on the bed.
    BedNotClear,
    /// Nobody knows what lies on the bed.
    BedUnknown,
    /// Its host cannot reach the printer.
    PrinterOffline,
    /// The printer halted; a person must look.
    PrinterFault {
        /// What it said.
        fault: String,
    },
    /// The printer's host cannot be reached.
    HostAway,
    /// The host's role does not let it print from this queue.
    Role,
    /// Too few voters can be reached to decide who prints it.
    VotersAway {
        /// Names of the voters that cannot be reached.
        names: String,
    },
    /// The voters gave the copy to somebody else a moment ago.
    Contended,
    /// No host that can be reached has the file.
    FileMissing {
        /// Name of the file.
        file: String,
    },
    /// There is no printer at all.
    NoPrinter,
    /// The queue has no open job.
    QueueEmpty,
    /// The first changes of the queue have not arrived yet.
    NotSynced,
}

impl Reason {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Held => "held",
            Self::NotQueued => "not-queued",
            Self::NoCopyLeft => "no-copy-left",
            Self::CopyFailed => "copy-failed",
            Self::CopyUnknown => "copy-unknown",
            Self::PinnedElsewhere => "pinned-elsewhere",
            Self::QueueOrder { .. } => "queue-order",
            Self::Busy => "printer-busy",
            Self::PrinterPaused { .. } => "printer-paused",
            Self::AutoprintOff => "autoprint-off",
            Self::BedNotClear => "bed-not-clear",
            Self::BedUnknown => "bed-unknown",
            Self::PrinterOffline => "printer-offline",
            Self::PrinterFault { .. } => "printer-fault",
            Self::HostAway => "host-offline",
            Self::Role => "role",
            Self::VotersAway { .. } => "voters-away",
            Self::Contended => "contended",
            Self::FileMissing { .. } => "file-missing",
            Self::NoPrinter => "no-printer",
            Self::QueueEmpty => "queue-empty",
            Self::NotSynced => "not-synced",
        }
    }

    /// Returns plain words.
    pub fn text(&self) -> String {
        match self {
            Self::Draft => "it is a draft".into(),
            Self::Held => "a person holds it".into(),
            Self::NotQueued => "it is not in the queue any more".into(),
            Self::NoCopyLeft => "all its copies are done or being made".into(),
            Self::CopyFailed => "a copy failed; it is not printed again by itself".into(),
            Self::CopyUnknown => "nobody knows how a copy ended; somebody must look".into(),
            Self::PinnedElsewhere => "it is for other printers".into(),
            Self::QueueOrder { ahead } => format!("{ahead} copies come first"),
            Self::Busy => "the printer is busy".into(),
            Self::PrinterPaused { reason } if reason.is_empty() => "the printer is paused".into(),
            Self::PrinterPaused { reason } => format!("the printer is paused: {reason}"),
            Self::AutoprintOff => "the printer does not start prints by itself".into(),
            Self::BedNotClear => "something lies on the bed".into(),
            Self::BedUnknown => "nobody has said that the bed is clear".into(),
            Self::PrinterOffline => "the printer does not answer".into(),
            Self::PrinterFault { fault } => format!("the printer halted: {fault}"),
            Self::HostAway => "its host cannot be reached".into(),
            Self::Role => "this host's role does not include printing".into(),
            Self::VotersAway { names } => {
                format!("who prints it is decided by {names}, which cannot be reached")
            }
            Self::Contended => "another printer was just given the copy".into(),
            Self::FileMissing { file } => format!("no host that can be reached has {file}"),
            Self::NoPrinter => "there is no printer".into(),
            Self::QueueEmpty => "the queue is empty".into(),
            Self::NotSynced => "the queue has not arrived from its members yet".into(),
        }
    }
}
