//! What the command line (and later the dashboard and slicers) may ask of the daemon.
//!
//! Plain values only. References to jobs, queues, printers and members are strings as a person typed them
//! (a unique prefix, `QUEUE#3`, a name); the core resolves them, so that no front end can guess.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One request. The HTTP route of each is in `routes.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Request {
    /// One screen: this host, its queues, all printers, what needs a person.
    Status,
    /// Every queue of this host, in the host's order.
    QueueList,
    /// Makes a shared queue on this host.
    QueueCreate {
        /// Its name, unique on this host; `local` and `archive` are refused.
        name: String,
    },
    /// Makes the default LAN queue `LAN`, or asks the host on this network that offers one for admission.
    LanQueue,
    /// Settings and members of one queue.
    QueueShow {
        /// Queue name.
        queue: String,
    },
    /// Makes a ticket that lets others join, or opens a window for hosts on this LAN.
    QueueShare {
        /// Queue name.
        queue: String,
        /// Role that the joiner gets: observer, submitter, printer, operator, admin.
        role: String,
        /// Seconds until the ticket expires; `None` = never (queue-key tickets only).
        expires_s: Option<u64>,
        /// How many hosts may join with it.
        uses: u32,
        /// Put the queue key itself into the ticket (scripted fleets): no expiry, any number of uses, role admin.
        #[serde(default)]
        with_key: bool,
        /// Instead of a ticket: admit every host of this LAN that asks during so many seconds.
        open_s: Option<u64>,
        /// Name the relays of this host in the ticket, so that hosts elsewhere can join.
        #[serde(default)]
        wan: bool,
    },
    /// Tickets of a queue that were given out.
    TicketList {
        /// Queue name.
        queue: String,
    },
    /// Takes a ticket back.
    TicketRevoke {
        /// Queue name.
        queue: String,
        /// The ticket's id, or its beginning.
        ticket: String,
    },
    /// Joins a queue by ticket; without one, asks the LAN host that offers its queue.
    QueueJoin {
        /// Ticket text (`pmq1…`).
        ticket: Option<String>,
        /// Local name if the shared one is taken here.
        as_name: Option<String>,
        /// Use the relays that the ticket names, for the members of this queue: the person at this host agrees to them.
        #[serde(default)]
        wan: bool,
    },
    /// Leaves a queue; its jobs stay with the other members.
    QueueLeave {
        /// Queue name.
        queue: String,
    },
    /// Renames a queue for everybody; jobs are kept.
    QueueRename {
        /// Queue name.
        queue: String,
        /// New name.
        name: String,
    },
    /// Members of a queue with version, link and printers.
    QueuePeers {
        /// Queue name.
        queue: String,
    },
    /// Who decides claims in a queue, and who of them can be reached.
    QueueVoters {
        /// Queue name.
        queue: String,
    },
    /// Sets who decides claims in a queue.
    QueueVotersSet {
        /// Queue name.
        queue: String,
        /// Names or key prefixes of one, three or five members; empty = the hosts choose.
        #[serde(default)]
        hosts: Vec<String>,
    },
    /// Makes this host the only voter of a queue whose voters are gone for good.
    QueueRecover {
        /// Queue name.
        queue: String,
        /// The queue's name once more, typed by a person.
        confirm: String,
    },
    /// A person says that a printer that is away heats no more: its place is free.
    QueueFreeHeat {
        /// Queue name.
        queue: String,
        /// `host/name`.
        printer: String,
    },
    /// Changes settings of a queue, all or none of them.
    QueueSet {
        /// Queue name.
        queue: String,
        /// Values by name, as a person types them.
        settings: BTreeMap<String, String>,
        /// Change nothing; say which starts would be others now.
        #[serde(default)]
        dry_run: bool,
    },
    /// The order in which this host drains its queues; queues not named follow in their old order.
    QueueOrder {
        /// Queue names, first is drained first.
        queues: Vec<String>,
    },
    /// Admits a host that asked to join.
    MemberApprove {
        /// Queue name.
        queue: String,
        /// Name or key prefix of the host that asks.
        member: String,
    },
    /// Refuses a host that asked to join.
    MemberDeny {
        /// Queue name.
        queue: String,
        /// Name or key prefix of the host that asks.
        member: String,
    },
    /// Everybody who is or was in a queue.
    MemberList {
        /// Queue name.
        queue: String,
    },
    /// One who is or was in a queue, with what speaks against it, checked anew.
    MemberShow {
        /// Queue name.
        queue: String,
        /// Name or key prefix of the member.
        member: String,
    },
    /// Gives a member another role.
    MemberRole {
        /// Queue name.
        queue: String,
        /// Name or key prefix of the member.
        member: String,
        /// observer, submitter, printer, operator or admin.
        role: String,
    },
    /// Gives a queue another key, and takes members out before.
    QueueRotateKey {
        /// Queue name.
        queue: String,
        /// Names or key prefixes of members to take out.
        #[serde(default)]
        remove: Vec<String>,
    },
    /// Takes the changes of a member again that is in quarantine on this host.
    MemberRelease {
        /// Queue name.
        queue: String,
        /// Name or key prefix of the member.
        member: String,
    },
    /// Takes a member out of a queue.
    MemberRemove {
        /// Queue name.
        queue: String,
        /// Name or key prefix of the member.
        member: String,
    },
    /// Puts uploaded files in a queue as one job.
    JobSubmit(NewJob),
    /// Jobs in the order in which they print.
    JobList {
        /// Only this queue (`archive` = finished and cancelled of all queues); empty = all.
        queue: Option<String>,
        /// Also finished and cancelled jobs.
        #[serde(default)]
        all: bool,
    },
    /// Everything about a job, with the reason per printer why it waits.
    JobShow {
        /// Job reference.
        job: String,
    },
    /// Changes fields of a job; `None` leaves a field as it is.
    JobEdit {
        /// Job reference.
        job: String,
        /// New name.
        name: Option<String>,
        /// New number of copies.
        copies: Option<u32>,
        /// Only these printers; an empty list = any printer.
        printers: Option<Vec<String>>,
        /// All copies on one printer.
        together: Option<bool>,
        /// When and where it may print.
        #[serde(default)]
        terms: Terms,
    },
    /// Reorders a job, or moves it to another queue (to `local` = take it back).
    JobMove {
        /// Job reference.
        job: String,
        /// Target queue; `None` = stay.
        to: Option<String>,
        /// Where in the target queue.
        place: Place,
    },
    /// Removes a job from its queue; refused while a printer prints it, unless its prints are to be stopped.
    JobCancel {
        /// Job reference.
        job: String,
        /// Stop the prints of the job on whatever host, then cancel it.
        #[serde(default)]
        stop: bool,
    },
    /// Puts a job first on one printer; the printer's host decides.
    JobStart {
        /// Job reference.
        job: String,
        /// `name` or `host/name`.
        printer: String,
    },
    /// Starts no more copies of it.
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
        /// Job reference, or `JOB#COPY` with the copy counted from 1.
        copy: String,
        /// What the person says.
        resolve: Resolve,
    },
    /// Adds a printer of this host; the connection is tested first.
    PrinterAdd {
        /// Its name, unique on this host.
        name: String,
        /// Address: `sim://…`, `serial:/dev/…?baud=115200`.
        at: String,
        /// Name of the profile that says what it is.
        #[serde(default)]
        profile: Option<String>,
    },
    /// Printers of this host and of the members of its queues.
    PrinterList,
    /// One printer, with the reason why it idles.
    PrinterShow {
        /// `name` or `host/name`.
        printer: String,
    },
    /// The bed is empty: ready for the next print.
    PrinterReady {
        /// Printers of this host; empty = all that wait for it.
        #[serde(default)]
        printers: Vec<String>,
        /// Whether the prints that wait for a verdict are good; absent = nobody says.
        #[serde(default)]
        good: Option<bool>,
    },
    /// Takes no new copies; the running print goes on.
    PrinterPause {
        /// Printer of this host.
        printer: String,
        /// Why, shown to everybody.
        reason: Option<String>,
    },
    /// Takes copies again.
    PrinterResume {
        /// Printer of this host.
        printer: String,
    },
    /// Says what a printer of this host is and has.
    PrinterEdit {
        /// Printer of this host.
        printer: String,
        /// What is said.
        change: PrinterChange,
    },
    /// Each waiting job, and why a printer does or does not take it.
    PrinterWhy {
        /// `name` or `host/name`.
        printer: String,
    },
    /// Forgets a printer of this host; refused while it prints.
    PrinterRemove {
        /// Printer of this host.
        printer: String,
    },
    /// 1-Click: shows what would start now, or starts what was shown.
    Match {
        /// What it is about.
        #[serde(default)]
        ask: MatchAsk,
        /// The plan to start if it is still the same; absent = show it.
        #[serde(default)]
        plan: Option<String>,
    },
    /// What a person could do now, the best first.
    Todo {
        /// Only this queue.
        queue: Option<String>,
        /// At most so many rows; 0 = all.
        #[serde(default)]
        limit: u32,
    },
    /// Whether printers of this host start prints by themselves.
    Autoprint {
        /// Printers of this host; empty = all.
        #[serde(default)]
        printers: Vec<String>,
        /// On or off.
        on: bool,
        /// Switched off again after that many copies; absent = never.
        #[serde(default)]
        cycles: Option<u32>,
    },
    /// Ended prints, newest first.
    History {
        /// Only this queue.
        queue: Option<String>,
        /// Only this printer.
        printer: Option<String>,
        /// At most so many rows; 0 = all.
        #[serde(default)]
        limit: u32,
    },
    /// What will be printed when, if prints succeed and beds are cleared.
    Simulate {
        /// Only this queue's prints; empty = all.
        queue: Option<String>,
        /// Seconds until somebody has cleared a bed; empty = as each queue says.
        turnaround_s: Option<u64>,
        /// Nothing that begins later, in milliseconds since 1970; empty = until everything is done.
        until_ms: Option<u64>,
    },
    /// Facts about the daemon process.
    DaemonStatus,
    /// Ends the daemon; refused while a printer of this host prints, unless the prints may end with it.
    DaemonStop {
        /// End prints that are under way.
        #[serde(default)]
        end_prints: bool,
    },
}

/// What 1-Click is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatchAsk {
    /// Only this queue.
    pub queue: Option<String>,
    /// Only these printers, `name` or `host/name`; empty = all.
    pub printers: Vec<String>,
    /// At most so many prints.
    pub limit: Option<u32>,
}

/// A job to be submitted; its files were uploaded before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewJob {
    /// Queue name; `None` = `local`.
    pub queue: Option<String>,
    /// Job name; `None` = name of the first file without its ending.
    pub name: Option<String>,
    /// The sets in printing order.
    pub sets: Vec<NewSet>,
    /// Copies of the whole job.
    pub copies: u32,
    /// All copies on one printer, claimed at once.
    #[serde(default)]
    pub together: bool,
    /// Save as draft: nothing prints until released.
    #[serde(default)]
    pub draft: bool,
    /// Only these printers (`name` or `host/name`); empty = any.
    #[serde(default)]
    pub printers: Vec<String>,
    /// When and where it may print.
    #[serde(default)]
    pub terms: Terms,
    /// Profile with which the host of the printer slices models.
    #[serde(default)]
    pub slice: Option<String>,
}

/// What is said of when and where a job may print; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// Name of its group; empty = none.
    pub group: Option<String>,
    /// Parked or not.
    pub backburner: Option<bool>,
    /// Printed although a spool seems to hold too little for it, or not.
    pub print_anyway: Option<bool>,
    /// `low`, `normal`, `high` or `rush`.
    pub priority: Option<String>,
    /// When it should be done, in milliseconds since 1970; 0 = no date.
    pub due_ms: Option<u64>,
    /// When it starts at the earliest, in milliseconds since 1970; 0 = at once.
    pub not_before_ms: Option<u64>,
    /// What the colours of its files mean: `any`, `prefer` or `require`.
    pub color: Option<String>,
    /// A printer must have all of these.
    pub tags: Option<Vec<String>>,
}

/// What is said of a printer; what is absent stays, an empty text or list takes back what was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrinterChange {
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
    /// Of this tool only, from 0; absent = of all.
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
    /// Names or keys of the members whose jobs it takes; an empty list = everybody's.
    #[serde(default)]
    pub accept_from: Option<Vec<String>>,
    /// A job whose files it may print although the guard refuses them.
    #[serde(default)]
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
    /// Parts of the day in which it starts nothing, as minutes of the day: from, to.
    pub quiet: Option<Vec<[u16; 2]>>,
    /// Slots that hold something else now.
    pub slots: Vec<SlotChange>,
}

/// What is loaded in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotChange {
    /// Its number, from 0.
    pub slot: u32,
    /// Material type; absent = it is empty.
    #[serde(default)]
    pub material: Option<String>,
    /// Colour.
    #[serde(default)]
    pub color: Option<String>,
    /// Milligrams that are left; absent = nobody says.
    #[serde(default)]
    pub left_mg: Option<u64>,
    /// Number of the spool in the Spoolman of this host: what is loaded is what that says.
    #[serde(default)]
    pub spool: Option<u32>,
}

/// One file of a new job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSet {
    /// BLAKE3 of the uploaded file, 64 hex digits.
    pub hash: String,
    /// File name as shown.
    pub file_name: String,
    /// Prints per copy.
    pub per_run: u32,
    /// Other files that will do as well: a printer prints the first one that fits it.
    #[serde(default)]
    pub alternatives: Vec<NewFile>,
}

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFile {
    /// BLAKE3 of the uploaded file, 64 hex digits.
    pub hash: String,
    /// File name as shown.
    pub file_name: String,
}

/// What a person says about a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolve {
    /// The print is good.
    Done,
    /// The print is not good.
    Failed,
    /// It is not good, or rests, and is tried once more in any case.
    Retry,
}

/// Where a moved job goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Keep its place (same queue) or go last (other queue).
    Keep,
    /// First.
    Top,
    /// Last.
    Bottom,
    /// Just before that job.
    Before(String),
    /// Just after that job.
    After(String),
}
