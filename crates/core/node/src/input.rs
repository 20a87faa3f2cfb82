//! Everything that can happen to a node: a closed list, so that it is easy to see what makes it act.

use std::net::SocketAddr;

use printmesh_queue::{FileHash, HostId, JobId, SetId, Timestamp};

use crate::{
    command::Command,
    slice::Sliced,
    spools::{SpoolFault, SpoolReading},
};

/// The time of an input, by the two clocks of this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds that only go up, also while the machine sleeps; every wait is measured by it.
    pub mono_ms: u64,
    /// Wall clock; display only.
    pub wall: Timestamp,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A person or a program on this host wants something; answered by `Effect::Reply` with the same id.
    Command {
        /// Chosen by the caller.
        id: u64,
        /// What is wanted.
        command: Command,
    },
    /// A member is connected.
    PeerConnected {
        /// The member, proven by the connection.
        host: HostId,
        /// Its software version.
        software: String,
        /// Its address.
        address: Option<SocketAddr>,
    },
    /// A member speaks a version that this one does not.
    PeerIncompatible {
        /// The member.
        host: HostId,
        /// Its software version.
        software: String,
        /// What does not fit.
        note: String,
    },
    /// A member is not connected any more.
    PeerDisconnected {
        /// The member.
        host: HostId,
        /// Why.
        reason: String,
    },
    /// A member sent bytes.
    Message {
        /// The member, proven by the connection.
        from: HostId,
        /// A `Message` of this crate, if it is well-behaved.
        bytes: Vec<u8>,
    },
    /// A join conversation is open.
    JoinOpened {
        /// Number of the conversation.
        conversation: u64,
        /// The other host, proven by the connection.
        peer: HostId,
        /// Secret of this connection that both ends derive and nobody else knows.
        exporter: [u8; 32],
        /// The attempt of `Effect::Join` when this host opened it.
        attempt: Option<u64>,
    },
    /// Bytes in a join conversation.
    JoinMessage {
        /// Number of the conversation.
        conversation: u64,
        /// A `JoinMessage` of this crate, if it is well-behaved.
        bytes: Vec<u8>,
    },
    /// A join conversation ended.
    JoinClosed {
        /// Number of the conversation; for a failed attempt, the attempt.
        conversation: u64,
        /// Whether it never opened: then `conversation` is the attempt.
        attempt_failed: bool,
        /// Why.
        reason: String,
    },
    /// A host of this network announced itself.
    Discovered {
        /// The host.
        host: HostId,
        /// Where it is.
        addresses: Vec<SocketAddr>,
        /// Whether it offers a LAN queue.
        offers_lan: bool,
    },
    /// A host of this network is not heard any more; a hint only.
    Vanished {
        /// The host.
        host: HostId,
    },
    /// A file of this host was taken into the file store.
    FileAdded {
        /// Its hash.
        hash: FileHash,
    },
    /// A file that was here is not, or is damaged: it has to be fetched again.
    FileLost {
        /// Its hash.
        hash: FileHash,
    },
    /// A fetch goes on.
    FetchProgress {
        /// The file.
        hash: FileHash,
        /// Bytes here.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A fetch ended.
    Fetched {
        /// The file.
        hash: FileHash,
        /// Whether it is here now.
        result: Result<(), FetchFailure>,
    },
    /// A file was put into the imports folder, or could not be.
    Imported {
        /// The job.
        job: JobId,
        /// The set.
        set: SetId,
        /// The file, which may be one of several alternatives.
        hash: FileHash,
        /// Where it lies, or what went wrong.
        result: Result<String, String>,
    },
    /// A slicer has ended.
    Sliced {
        /// The job.
        job: JobId,
        /// The set.
        set: SetId,
        /// The model.
        hash: FileHash,
        /// What came out, or what went wrong.
        result: Result<Sliced, String>,
    },
    /// What this host slices with: profiles by name, each with the printers that it is for; none = all.
    Slicers(Vec<(String, Vec<String>)>),
    /// A printer that is to be added was tried.
    PrinterTried {
        /// Command that wants it.
        id: u64,
        /// Its name.
        name: String,
        /// Its address.
        at: String,
        /// What machine answered, or what went wrong.
        result: Result<Machine, TryFailure>,
    },
    /// Somebody looked at a spool whose stock somebody else keeps.
    Spool {
        /// Its number.
        spool: u32,
        /// What is known of it.
        result: Result<SpoolReading, SpoolFault>,
    },
    /// The keeper of the stock was told of a use, or could not be.
    SpoolUsed {
        /// As in `Effect::UseSpool`.
        id: u64,
        /// What is known of the spool then.
        result: Result<SpoolReading, SpoolFault>,
    },
    /// The clock on this host's wall is so far ahead of UTC.
    Zone {
        /// Minutes; less than 0 west of Greenwich.
        minutes: i32,
    },
    /// A printer of this host reports.
    Printer {
        /// Its name.
        name: String,
        /// What it reports.
        report: PrinterReport,
    },
    /// The time of `Node::next_wakeup` has come.
    Wake,
    /// This host was asleep: by the clock that goes on meanwhile against the one that does not.
    Slept {
        /// For so many milliseconds.
        ms: u64,
    },
    /// The daemon is about to end; nothing new begins.
    ShuttingDown,
}

/// Why a file could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchFailure {
    /// No host that could be asked has it.
    NobodyHasIt,
    /// It could not be stored.
    Local(String),
}

/// What machine answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Machine and firmware as it names itself.
    pub name: String,
}

/// Why a printer could not be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TryFailure {
    /// What failed.
    pub title: String,
    /// Why.
    pub why: Option<String>,
    /// How to mend it.
    pub fix: Option<String>,
}

/// What a printer of this host reports.
#[derive(Clone, Debug, PartialEq)]
pub enum PrinterReport {
    /// It answers.
    Online(Machine),
    /// What it is doing, right after `Online`: settles the prints of which this host lost sight.
    Doing(Doing),
    /// It does not answer.
    Offline(String),
    /// The first command that heats or moves was sent.
    Began {
        /// The print, as given in `Effect::StartPrint`.
        print: String,
    },
    /// The print goes on.
    Progress {
        /// The print.
        print: String,
        /// 0 to 1.
        fraction: f32,
        /// Seconds left, when known.
        left_s: Option<u64>,
        /// Waits for a person or was paused.
        paused: bool,
    },
    /// The print ended well.
    Finished {
        /// The print.
        print: String,
    },
    /// The print ended badly, or could not begin.
    Failed {
        /// The print.
        print: String,
        /// Why.
        reason: String,
    },
    /// The print was stopped on request.
    Aborted {
        /// The print.
        print: String,
    },
    /// The machine itself proves that its bed is clear.
    BedCleared,
    /// What of it is as hot as the print wants it.
    Hot {
        /// The print.
        print: String,
        /// Every nozzle that is heated, and there is one.
        nozzle: bool,
        /// The bed, and it is heated.
        bed: bool,
    },
    /// How warm its bed is while nothing is printed, in °C; `None` = it does not say.
    BedTemperature(Option<i64>),
    /// It halted until a person has looked.
    Fault(String),
}

/// What a printer is doing when this host connects to it, as far as the printer itself can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Nothing, and it prints only what it is fed line by line: what was under way when its feeder died is dead.
    Fed,
    /// It prints by itself.
    Printing {
        /// The print, as given in `Effect::StartPrint`; `None` = not one of this host.
        print: Option<String>,
    },
    /// It prints by itself, and prints nothing now.
    Idle {
        /// The last print of this host that it remembers, and how that ended.
        last: Option<(String, Ended)>,
    },
}

/// How a print ended, as the printer itself remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Finished,
    /// Badly.
    Failed(String),
    /// It was stopped on request.
    Aborted,
}
