//! Everything that a node can want from the world: a closed list.
//!
//! A step's writes are made durable, all or none, before the first of its effects is carried out.

use std::{collections::BTreeMap, net::SocketAddr};

use printmesh_queue::{Equipment, FileHash, HostId, JobId, SetId};

use crate::{event::Event, problem::Problem};

/// What one input led to.
#[derive(Debug, Default)]
#[must_use = "the writes of a step must be durable before its effects are carried out"]
pub struct Step {
    /// To be committed in one transaction, first.
    pub writes: Vec<Write>,
    /// To be carried out in this order, after the commit.
    pub effects: Vec<Effect>,
}

/// One durable write; opaque to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a key.
    Put {
        /// Key.
        key: Vec<u8>,
        /// Value.
        value: Vec<u8>,
    },
    /// Removes a key.
    Delete {
        /// Key.
        key: Vec<u8>,
    },
    /// Adds an entry to a log.
    Append {
        /// Log: the queue's id.
        log: [u8; 32],
        /// Entry: a signed change.
        entry: Vec<u8>,
    },
    /// Removes all entries of a log: what follows in the same step takes their place.
    Clear {
        /// Log: the queue's id.
        log: [u8; 32],
    },
}

/// What a command led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done {
        /// Nothing had to change.
        already: bool,
        /// One line for people.
        text: String,
    },
    /// A job was made or changed.
    Job(JobId),
    /// A queue was made or changed.
    Queue(String),
    /// Material for a ticket.
    Ticket(TicketParts),
    /// A queue was joined.
    Joined {
        /// Its name here.
        queue: String,
        /// It was joined before.
        already: bool,
    },
    /// A host was asked; one of its people has to approve.
    Asked {
        /// Host that was asked.
        host: HostId,
        /// Comparison code.
        code: String,
    },
}

/// What goes into a ticket; its text form is made by the network crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketParts {
    /// The queue.
    pub queue: [u8; 32],
    /// Its name.
    pub name: String,
    /// Secret of the invite, or the queue key.
    pub secret: [u8; 32],
    /// Signed invite record; empty with the queue key.
    pub proof: Vec<u8>,
    /// Public key of the invite: names it ever after; none with the queue key.
    pub invite: Option<HostId>,
    /// Seconds since 1970 when it expires.
    pub expires_at_s: Option<u64>,
}

/// What the node wants from the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Answers a command.
    Reply {
        /// The command's id.
        id: u64,
        /// What came of it.
        result: Result<Answer, Problem>,
    },
    /// Tells whoever listens what happened.
    Tell(Event),
    /// Sends bytes to a member; lost when it is not connected.
    Send {
        /// The member.
        to: HostId,
        /// A message.
        bytes: Vec<u8>,
    },
    /// Whom to keep connected, with last known addresses: all members of all queues. Nobody else gets in.
    SetPeers(BTreeMap<HostId, Vec<SocketAddr>>),
    /// Over which relays which members may be met, and no others: a person at this host agreed to them for their queue.
    SetRelays(BTreeMap<HostId, Vec<String>>),
    /// Opens a join conversation.
    Join {
        /// Number of the attempt.
        attempt: u64,
        /// Whom to ask.
        host: HostId,
        /// Where it may be.
        addresses: Vec<SocketAddr>,
        /// Over which relays it may be asked: a person at this host agreed to them.
        relays: Vec<String>,
    },
    /// Sends bytes in a join conversation.
    JoinSend {
        /// Number of the conversation.
        conversation: u64,
        /// A join message.
        bytes: Vec<u8>,
        /// Ends the conversation.
        last: bool,
    },
    /// Whether strangers may open join conversations.
    AcceptJoins(bool),
    /// Whether the LAN announcement offers a queue.
    OfferLan(bool),
    /// Fetches a file from members.
    Fetch {
        /// The file.
        hash: FileHash,
        /// Its size in bytes; more is never taken.
        size: u64,
        /// Whom to ask, best first.
        from: Vec<HostId>,
        /// Nobody waits for it yet: not when the disk is short.
        ahead: bool,
    },
    /// Nobody will want a file soon that is being fetched ahead: the transfer ends, what came of it stays.
    StopFetch {
        /// The file.
        hash: FileHash,
    },
    /// Puts a file into the imports folder.
    Import {
        /// The job.
        job: JobId,
        /// Its name: names the folder.
        job_name: String,
        /// The set.
        set: SetId,
        /// File name as shown.
        file_name: String,
        /// The file.
        hash: FileHash,
    },
    /// Slices a model, and puts what comes out into the imports folder.
    Slice {
        /// The job.
        job: JobId,
        /// Its name: names the folder.
        job_name: String,
        /// The set.
        set: SetId,
        /// File name as shown.
        file_name: String,
        /// The model.
        hash: FileHash,
        /// Name of the slicer's profile.
        profile: String,
    },
    /// Connects to a printer without adding it.
    TryPrinter {
        /// Command that wants it.
        id: u64,
        /// Its name.
        name: String,
        /// Its address.
        at: String,
    },
    /// Keeps a connection to a printer of this host.
    ConnectPrinter {
        /// Its name.
        name: String,
        /// Its address.
        at: String,
    },
    /// Ends the connection to a printer.
    DisconnectPrinter {
        /// Its name.
        name: String,
    },
    /// Verifies a file from disk and prints it.
    StartPrint {
        /// Printer of this host.
        printer: String,
        /// Names this print in reports.
        print: String,
        /// Rises with every claim of this host: the driver refuses an older one.
        fence: u64,
        /// Where the file lies.
        path: String,
        /// What its bytes must hash to.
        hash: FileHash,
        /// What the printer is and may, to hold the file's commands against; `None` = a person lets it pass.
        guard: Option<Box<Equipment>>,
    },
    /// Runs a script that clears the bed of a printer of this host; what becomes of it is reported like a print.
    ClearBed {
        /// Printer of this host.
        printer: String,
        /// Names this script in reports; no print is named so.
        print: String,
        /// As of a print.
        fence: u64,
        /// Its commands.
        gcode: String,
        /// What the printer is and may, to hold the commands against.
        guard: Box<Equipment>,
    },
    /// Looks at a spool whose stock somebody else keeps.
    LookAtSpool {
        /// Its number.
        spool: u32,
    },
    /// Tells the keeper of the stock, once, what was used of a spool; looks for it come after that in their order.
    UseSpool {
        /// Names this use in the answer.
        id: u64,
        /// Its number.
        spool: u32,
        /// Milligrams.
        mg: u64,
    },
    /// Pauses a print of this host; heaters stay on.
    PausePrint {
        /// Printer of this host.
        printer: String,
        /// The print, as it was named when it was started; no other one is paused.
        print: String,
    },
    /// Goes on with a print of this host that was paused.
    ResumePrint {
        /// Printer of this host.
        printer: String,
        /// The print, as it was named when it was started.
        print: String,
    },
    /// Ends a print of this host as a person would: heaters off, nozzle lifted. One that has not begun never does.
    StopPrint {
        /// Printer of this host.
        printer: String,
        /// The print, as it was named when it was started; no other one is stopped.
        print: String,
    },
}
