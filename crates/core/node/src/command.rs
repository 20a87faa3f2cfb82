//! What a person or a program on this host may want changed. Reading is not a command: see `view.rs`.

use std::net::SocketAddr;

use printmesh_queue::{ColorRule, FileSpec, HostId, Priority, Role, Slot, Terms, Timestamp};

use crate::cycle::Quiet;

/// A wanted change. References are text as typed; the node resolves them.
#[derive(Clone, Debug)]
pub enum Command {
    /// Makes a shared queue.
    QueueCreate {
        /// Its name.
        name: String,
    },
    /// Makes the default LAN queue, or asks the host that offers one.
    LanQueue,
    /// Makes a ticket.
    QueueShare {
        /// Queue name.
        queue: String,
        /// Role of the joiner.
        role: Role,
        /// Milliseconds until it expires; `None` = never.
        expires_ms: Option<u64>,
        /// How many hosts may use it.
        uses: u32,
        /// Put the queue key itself into it.
        with_key: bool,
    },
    /// Takes a ticket back.
    TicketRevoke {
        /// Queue name.
        queue: String,
        /// The ticket's id, or its beginning.
        ticket: String,
    },
    /// Gives a member another role.
    MemberRole {
        /// Queue name.
        queue: String,
        /// Its name or fingerprint.
        member: String,
        /// Its new role.
        role: Role,
    },
    /// Gives a queue another key, and removes members before.
    QueueRotateKey {
        /// Queue name.
        queue: String,
        /// Members to remove.
        remove: Vec<String>,
    },
    /// Takes the changes of a member again that is in quarantine on this host.
    MemberRelease {
        /// Queue name.
        queue: String,
        /// Its name or fingerprint.
        member: String,
    },
    /// Takes a member out of a queue.
    MemberRemove {
        /// Queue name.
        queue: String,
        /// Its name or fingerprint.
        member: String,
    },
    /// Admits every host of the LAN that asks, for a while.
    QueueOpen {
        /// Queue name.
        queue: String,
        /// Role of the joiners.
        role: Role,
        /// For so many milliseconds.
        for_ms: u64,
    },
    /// Joins by ticket.
    QueueJoin {
        /// What the ticket says.
        ticket: Ticket,
        /// Local name.
        as_name: Option<String>,
        /// A person at this host agrees that the ticket's relays are used for this queue.
        wan: bool,
    },
    /// Asks the host of this LAN that offers a queue.
    QueueAsk {
        /// Local name.
        as_name: Option<String>,
    },
    /// Leaves a queue.
    QueueLeave {
        /// Queue name.
        queue: String,
    },
    /// Renames a queue for everybody.
    QueueRename {
        /// Queue name.
        queue: String,
        /// New name.
        name: String,
    },
    /// Changes settings of a queue, all or none.
    QueueSet {
        /// Queue name.
        queue: String,
        /// Names and values, as typed.
        values: Vec<(String, String)>,
    },
    /// Sets the order in which this host drains its queues.
    QueueOrder {
        /// Names, first is drained first.
        queues: Vec<String>,
    },
    /// A person says that a printer that is away heats no more.
    HeatFree {
        /// Queue name.
        queue: String,
        /// `host/name`.
        printer: String,
    },
    /// Makes hosts the voters of a queue.
    VotersSet {
        /// Queue name.
        queue: String,
        /// Their names or keys: one, three or five.
        hosts: Vec<String>,
    },
    /// Lets the hosts choose the voters.
    VotersAuto {
        /// Queue name.
        queue: String,
    },
    /// Makes this host the only voter of a queue whose voters are gone for good.
    QueueRecover {
        /// Queue name.
        queue: String,
        /// The queue's name once more, typed by a person.
        confirm: String,
    },
    /// Admits a host that asks.
    MemberApprove {
        /// Queue name.
        queue: String,
        /// Its name or fingerprint.
        member: String,
        /// Its role.
        role: Role,
    },
    /// Refuses a host that asks.
    MemberDeny {
        /// Queue name.
        queue: String,
        /// Its name or fingerprint.
        member: String,
    },
    /// Submits a job; its files are in the file store.
    JobSubmit(NewJob),
    /// Changes a job.
    JobEdit {
        /// Job reference.
        job: String,
        /// What changes.
        edit: JobEdit,
    },
    /// Moves a job within its queue or to another.
    JobMove {
        /// Job reference.
        job: String,
        /// Target queue.
        to: Option<String>,
        /// Place there.
        place: Place,
    },
    /// Takes a job out of its queue.
    JobCancel {
        /// Job reference.
        job: String,
    },
    /// Stops the prints of a job on every host, then takes it out of its queue.
    JobStop {
        /// Job reference.
        job: String,
    },
    /// Puts a job first on one printer; its host decides.
    JobStart {
        /// Job reference.
        job: String,
        /// `name` or `host/name`.
        printer: String,
    },
    /// Holds a job.
    JobHold {
        /// Job reference.
        job: String,
    },
    /// Undoes hold and draft.
    JobRelease {
        /// Job reference.
        job: String,
    },
    /// A person says how a print ended of which nobody knows, or wants a copy that rests tried once more.
    JobResolve {
        /// `JOB` or `JOB#COPY`; without a copy the only one that it can mean.
        copy: String,
        /// What the person says.
        resolve: Resolve,
    },
    /// Adds a printer, after trying it.
    PrinterAdd {
        /// Its name.
        name: String,
        /// Its address.
        at: String,
    },
    /// A person says that beds are clear; empty = all of this host that wait for it.
    PrinterReady {
        /// Names.
        printers: Vec<String>,
        /// What a person says of the prints that wait for a verdict: good or bad.
        good: Option<bool>,
    },
    /// Pauses a printer.
    PrinterPause {
        /// Name.
        printer: String,
        /// Why.
        reason: String,
    },
    /// Resumes a printer.
    PrinterResume {
        /// Name.
        printer: String,
    },
    /// Says what a printer is and has.
    PrinterEdit {
        /// Name.
        printer: String,
        /// What is said.
        edit: PrinterEdit,
    },
    /// Forgets a printer.
    PrinterRemove {
        /// Name.
        printer: String,
    },
    /// Printers start prints by themselves, and stop doing so after that many copies.
    AutoprintFor {
        /// Names; empty = all of this host.
        printers: Vec<String>,
        /// Copies, at least 1.
        cycles: u32,
    },
    /// Starts what a plan of `match` says, if it still says so.
    Match {
        /// What it was about.
        ask: crate::MatchAsk,
        /// Its id.
        plan: String,
    },
    /// Whether printers start prints by themselves; empty = all of this host.
    Autoprint {
        /// Names.
        printers: Vec<String>,
        /// On or off.
        on: bool,
    },
}

/// What a ticket says, already taken out of its text form.
#[derive(Clone)]
pub struct Ticket {
    /// The queue.
    pub queue: [u8; 32],
    /// Its name.
    pub name: String,
    /// Secret of the invite, or the queue key.
    pub secret: [u8; 32],
    /// Signed invite record; empty with the queue key.
    pub proof: Vec<u8>,
    /// Seconds since 1970 when it expires.
    pub expires_at_s: Option<u64>,
    /// Host to ask.
    pub host: HostId,
    /// Where it may be.
    pub addresses: Vec<SocketAddr>,
    /// Relays over which it says that it can be met, as URLs. None is used before a person here agrees.
    pub relays: Vec<String>,
}

impl std::fmt::Debug for Ticket {
    /// Never shows the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// One set of a job to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSet {
    /// The file, or several alternatives of it: a printer prints the first one that fits it.
    pub files: Vec<FileSpec>,
    /// Prints per copy.
    pub per_run: u32,
}

impl NewSet {
    /// Returns a set of one file.
    pub fn of(file: FileSpec, per_run: u32) -> Self {
        Self {
            files: vec![file],
            per_run,
        }
    }
}

/// A job to submit.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Queue name.
    pub queue: String,
    /// Job name.
    pub name: String,
    /// Its sets in printing order.
    pub sets: Vec<NewSet>,
    /// Copies.
    pub copies: u32,
    /// All copies on one printer.
    pub together: bool,
    /// Save as draft.
    pub draft: bool,
    /// Only these printers.
    pub printers: Vec<String>,
    /// When and where it may print.
    pub terms: TermsEdit,
}

/// What changes about a job; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JobEdit {
    /// Name.
    pub name: Option<String>,
    /// Copies.
    pub copies: Option<u32>,
    /// All copies on one printer.
    pub together: Option<bool>,
    /// Only these printers.
    pub printers: Option<Vec<String>>,
    /// When and where it may print.
    #[serde(default)]
    pub terms: TermsEdit,
}

/// What is said of when and where a job may print; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TermsEdit {
    /// Name of its group; empty = none.
    pub group: Option<String>,
    /// Parked or not.
    pub backburner: Option<bool>,
    /// Printed although a spool seems to hold too little for it, or not.
    #[serde(default)]
    pub print_anyway: Option<bool>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// When it should be done, in milliseconds since 1970; 0 = no date.
    pub due_ms: Option<u64>,
    /// When it starts at the earliest, in milliseconds since 1970; 0 = at once.
    pub not_before_ms: Option<u64>,
    /// What the colours of its files mean.
    pub color: Option<ColorRule>,
    /// A printer must have all of these.
    pub tags: Option<Vec<String>>,
}

impl TermsEdit {
    /// Returns what a job says after it.
    pub(crate) fn of(&self, before: &Terms) -> Terms {
        let date = |new: Option<u64>, old| match new {
            Some(ms) => Some(Timestamp(ms)).filter(|at| at.0 > 0),
            None => old,
        };
        Terms {
            group: self.group.clone().unwrap_or_else(|| before.group.clone()),
            backburner: self.backburner.unwrap_or(before.backburner),
            print_anyway: self.print_anyway.unwrap_or(before.print_anyway),
            priority: self.priority.unwrap_or(before.priority),
            due: date(self.due_ms, before.due),
            not_before: date(self.not_before_ms, before.not_before),
            color: self.color.unwrap_or(before.color),
            tags: self.tags.clone().unwrap_or_else(|| before.tags.clone()),
            level: before.level,
        }
    }
}

/// What a person says of a printer; `None` stays, an empty text or list takes back what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrinterEdit {
    /// Place in the order of printers, from 1.
    pub position: Option<u32>,
    /// Name of its profile.
    pub profile: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Other models whose files it may print.
    pub compatible: Option<Vec<String>>,
    /// Nozzle diameter in micrometres.
    pub nozzle_um: Option<u32>,
    /// Of this tool only; `None` = of all.
    pub nozzle_tool: Option<u32>,
    /// Whether its nozzle stands abrasive material.
    pub hardened: Option<bool>,
    /// What it can reach along x, y and z, in millimetres.
    pub volume_mm: Option<[u32; 3]>,
    /// Hottest that its nozzle may become, in °C.
    pub nozzle_c_max: Option<u32>,
    /// Hottest that its bed may become, in °C.
    pub bed_c_max: Option<u32>,
    /// Watts that it draws while it heats up.
    pub watts: Option<u32>,
    /// The circuit that it is on.
    pub circuit: Option<String>,
    /// Words for jobs to ask for.
    pub tags: Option<Vec<String>>,
    /// Names or keys of the members whose jobs it takes.
    pub accept_from: Option<Vec<String>>,
    /// A job whose files it may print although the guard refuses them.
    pub allow: Option<String>,
    /// °C that its bed cools down to before it is cleared; 0 = it does not matter.
    pub cool_c: Option<u32>,
    /// Commands that clear its bed.
    pub clear_script: Option<String>,
    /// Whether its bed is clear once that script has come to its end.
    pub clear_trusted: Option<bool>,
    /// Millimetres by which its belt advances after a print; 0 = its bed is no belt.
    pub belt_mm: Option<u32>,
    /// Whether a print counts only once a person has said that it is good.
    pub judged: Option<bool>,
    /// Hours in which it starts nothing.
    pub quiet: Option<Vec<Quiet>>,
    /// Slots that hold something else now; one without material is empty.
    pub slots: Vec<Slot>,
}

/// Where a moved job goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it is, or last in another queue.
    Keep,
    /// First.
    Top,
    /// Last.
    Bottom,
    /// Before that job.
    Before(String),
    /// After that job.
    After(String),
}

/// What a person says about a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// The print is good; what is missing of the copy is still printed.
    Done,
    /// The print is not good; it is tried again as often as the queue allows.
    Failed,
    /// It is not good, or rests, and is tried once more in any case.
    Retry,
}
