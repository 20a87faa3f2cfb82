//! What the daemon answers. Times are RFC 3339 UTC strings, durations seconds, sizes bytes; ids are always full.

use serde::{Deserialize, Serialize};

pub use crate::forecast::{Finish, Forecast, ForecastJob, ForecastPrint, Learned};

/// An answer; `kind` in the JSON envelope names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Reply {
    /// One screen.
    Status(Status),
    /// Queues in the host's order.
    QueueList(List<Queue>),
    /// One queue.
    Queue(Queue),
    /// Members of a queue.
    PeerList(List<Peer>),
    /// Who decides claims in a queue.
    Voters(Voters),
    /// A ticket, or an opened window.
    Share(Share),
    /// Tickets that were given out.
    TicketList(List<Invite>),
    /// Everybody who is or was in a queue.
    MemberList(List<Member>),
    /// One of them.
    Member(MemberDetails),
    /// Result of joining or asking to join.
    Join(Join),
    /// Jobs.
    JobList(List<Job>),
    /// One job.
    Job(Job),
    /// Printers.
    PrinterList(List<Printer>),
    /// One printer.
    Printer(Printer),
    /// Each waiting job, and why one printer does or does not take it.
    PrinterWhy(PrinterWhy),
    /// What a change of settings would start now.
    Preview(Preview),
    /// What a person could do, the best first.
    TodoList(List<Todo>),
    /// What 1-Click would start.
    MatchPlan(MatchPlan),
    /// Ended prints.
    History(List<HistoryRow>),
    /// What will be printed when.
    Forecast(Forecast),
    /// Facts about the daemon.
    Daemon(Daemon),
    /// Done; `already` when nothing had to change.
    Done(Done),
}

/// A list with how fresh it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// When the daemon answered.
    pub as_of: String,
    /// How much of the mesh the answer could see.
    pub sync: Sync,
    /// The rows.
    pub items: Vec<T>,
}

/// How much of the mesh an answer could see: a serverless view may be stale and says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    /// Other members connected now.
    pub peers_connected: u32,
    /// Other members known.
    pub peers_known: u32,
    /// Names of members that are not connected.
    pub away: Vec<String>,
}

/// One screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// When the daemon answered.
    pub as_of: String,
    /// How much of the mesh the answer could see.
    pub sync: Sync,
    /// This host's name.
    pub host: String,
    /// This host's key, short form.
    pub fingerprint: String,
    /// Queues in the host's order.
    pub queues: Vec<Queue>,
    /// All printers that this host can see.
    pub printers: Vec<Printer>,
    /// What a person should do, in plain words, with the command that does it.
    pub needs_you: Vec<Need>,
}

/// One thing that only a person can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Plain words.
    pub text: String,
    /// Command to type.
    pub command: String,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Name on this host.
    pub name: String,
    /// Full id, hex.
    pub id: String,
    /// `local` or `network`.
    pub sort: String,
    /// Strategy; `in-order`.
    pub strategy: String,
    /// Place in the host's order, from 1.
    pub position: u32,
    /// This host's role.
    pub role: String,
    /// Whether this host holds the queue key (may share and admit).
    pub holds_key: bool,
    /// How often the queue began anew: with another key, or because its document had grown long.
    #[serde(default)]
    pub epoch: u64,
    /// Changes in its document since then.
    #[serde(default)]
    pub changes: u64,
    /// Jobs that are not finished or cancelled.
    pub jobs_open: u32,
    /// Copies that are not done.
    pub copies_open: u32,
    /// Names of the voters that decide claims.
    pub voters: Vec<String>,
    /// Whether enough voters are reachable to start copies.
    pub voters_reachable: bool,
    /// Whether printers go on although too few voters are reachable; what they start is marked.
    #[serde(default)]
    pub without_voters: bool,
    /// Every setting.
    #[serde(default)]
    pub settings: Vec<Setting>,
    /// Members, this host included.
    pub members: Vec<Peer>,
    /// Hosts that ask to join.
    pub asking: Vec<Asking>,
}

/// One setting of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value, as a person types it.
    pub value: String,
    /// Whether that is what it is when nobody says anything.
    pub default: bool,
    /// What it may be.
    pub allowed: String,
}

/// Who decides claims in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voters {
    /// Queue name.
    pub queue: String,
    /// Number of the configuration: rises with each change.
    pub config: u32,
    /// How often the queue was recovered after its voters were gone for good.
    pub recoveries: u32,
    /// `auto` (the hosts choose) or `fixed` (a person did).
    pub choice: String,
    /// Whether enough of them can be reached to decide.
    pub reachable: bool,
    /// Whether a change is under way, as far as this host knows.
    pub changing: bool,
    /// What this host is: `serves`, `sealed`, `waits`, `parked` or `none`.
    pub me: String,
    /// Each voter.
    pub voters: Vec<Voter>,
}

/// One voter of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Voter {
    /// Host name.
    pub host: String,
    /// Short form of its key.
    pub fingerprint: String,
    /// Whether it can be reached.
    pub reachable: bool,
    /// Whether its word counts: a voter that has forgotten what it decided, or has given way to others, can be reached and
    /// decides nothing.
    pub decides: bool,
    /// It is this host.
    pub me: bool,
}

/// One member of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// Host name.
    pub host: String,
    /// Short form of its key.
    pub fingerprint: String,
    /// Full key, hex.
    pub key: String,
    /// Role in the queue.
    pub role: String,
    /// Whether it is this host.
    pub me: bool,
    /// `connected`, `away`, `incompatible`.
    pub link: String,
    /// Address of the live connection; absent when it began over a relay.
    pub address: Option<String>,
    /// Software version, when it ever said one.
    pub version: Option<String>,
    /// Why the link is as it is, when it is not connected.
    pub note: Option<String>,
    /// When it was last connected.
    pub last_seen: Option<String>,
    /// Its printers.
    pub printers: Vec<Printer>,
    /// What speaks against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// What speaks against a member, as far as this host knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// `quarantined`: a change of it broke the document here, and its changes are not taken. `equivocation`: it signed two
    /// different changes under one number. `too-fast`: it writes faster than a member may, and its changes wait.
    pub code: String,
    /// In plain words.
    pub text: String,
    /// What a person can do about it.
    pub fix: Option<String>,
    /// For `equivocation`: both signed changes, which anybody can check who knows the queue's id, in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<String>,
}

/// A host that asks to join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Name that it gives itself.
    pub host: String,
    /// Short form of its key.
    pub fingerprint: String,
    /// Comparison code: the same on both screens.
    pub code: String,
}

/// A ticket or an opened window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Queue name.
    pub queue: String,
    /// The ticket; absent when a LAN window was opened.
    pub ticket: Option<String>,
    /// Role that the joiner gets.
    pub role: String,
    /// When ticket or window end; absent = never.
    pub expires: Option<String>,
    /// How many hosts may join with it; absent = any number.
    pub uses: Option<u32>,
    /// Names the ticket ever after; absent for a window and for the queue key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Relays that the ticket names, as URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<String>,
}

/// A ticket that was given out; its secret is known to its holder only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// Its name.
    pub id: String,
    /// Host that made it.
    pub by: String,
    /// Role of who joins with it.
    pub role: String,
    /// When it was made.
    pub made: String,
    /// When it ends; absent = never.
    pub expires: Option<String>,
    /// How many hosts may join with it.
    pub uses: u32,
    /// How many did.
    pub used: u32,
    /// `open`, `used`, `expired` or `revoked`.
    pub state: String,
}

/// One who is or was in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Host name.
    pub host: String,
    /// Short form of its key.
    pub fingerprint: String,
    /// Full key, hex.
    pub key: String,
    /// Its role; what it had when it is not in the queue any more.
    pub role: String,
    /// `member`, `left` or `removed`.
    pub state: String,
    /// When that was decided, by the decider's clock.
    pub since: String,
    /// Whether it is this host.
    pub me: bool,
    /// What speaks against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

/// One who is or was in a queue, with all that this host knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberDetails {
    /// Queue.
    pub queue: String,
    /// What the list says of it. Proofs are in `proof`.
    #[serde(flatten)]
    pub member: Member,
    /// Whether there is a link to it now; this host has none to itself.
    pub connected: bool,
    /// When it was seen last, by this host.
    pub last_seen: Option<String>,
    /// The ticket that let it in; absent when the queue key or a person did.
    pub ticket: Option<String>,
    /// Who gave that ticket out.
    pub invited_by: Option<String>,
    /// Changes of it that wait, because it writes faster than a member may.
    pub waiting: Option<u64>,
    /// The proof that it signed two histories.
    pub proof: Option<Proof>,
}

/// Two changes that one member signed under one number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether it was found good just now: both signed by this member, for this queue, under one number, and different.
    pub verified: bool,
    /// The number.
    pub number: u64,
    /// Names of the two changes, hex.
    pub changes: Vec<String>,
    /// Both signed changes, hex: with the queue's id anybody can check them.
    pub signed: Vec<String>,
}

/// Result of joining.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// `joined`, `already`, `asked` (a member has to approve; repeat or wait), `created` (no LAN queue was there, one was made).
    pub state: String,
    /// Local name of the queue; absent while asked.
    pub queue: Option<String>,
    /// Who was asked or who admitted.
    pub host: Option<String>,
    /// Comparison code to read out, while asked.
    pub code: Option<String>,
    /// Relays over which the members of the queue are met from now on, as URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<String>,
    /// Relays that the ticket names and that nobody agreed to: they are not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unused_relays: Vec<String>,
}

/// One job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Full id, 32 letters.
    pub id: String,
    /// Length of its shortest unique prefix on this host.
    pub unique_prefix: u32,
    /// Queue name.
    pub queue: String,
    /// Place in the queue from 1; absent once it is finished, cancelled or moved.
    pub position: Option<u32>,
    /// Name.
    pub name: String,
    /// draft, held, cancel-requested, move-requested, queued, claimed, fetching, printing, needs-clear, unknown, done, failed, cancelled, moved.
    pub state: String,
    /// Stable code of the first reason why it waits.
    pub reason: Option<String>,
    /// The same in plain words.
    pub reason_text: Option<String>,
    /// Copies wanted.
    pub copies: u32,
    /// Copies done.
    pub copies_done: u32,
    /// Copies that are done or being made, by decision of the voters.
    #[serde(default)]
    pub certified: u32,
    /// Prints, under way or good, about which the voters have not decided.
    #[serde(default)]
    pub speculative: u32,
    /// Spare parts: whole copies too many.
    #[serde(default)]
    pub surplus: u32,
    /// All copies on one printer.
    pub together: bool,
    /// Only these printers; empty = any.
    pub printers: Vec<String>,
    /// When and where it may print.
    #[serde(default)]
    pub terms: Terms,
    /// Host that submitted it.
    pub submitter: String,
    /// When it was submitted.
    pub created_at: String,
    /// Its sets in printing order.
    pub sets: Vec<Set>,
    /// Its copies that were ever claimed.
    pub claims: Vec<Claim>,
    /// Each printer and why it does or does not take the next copy.
    pub why: Vec<Why>,
    /// What hosts ask about it and what has not happened yet, oldest first.
    #[serde(default)]
    pub requests: Vec<JobRequest>,
    /// The job it was moved to or from.
    pub moved_to: Option<String>,
    /// When it will be done; absent when it is.
    #[serde(default)]
    pub finish: Option<Finish>,
}

/// One set of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Set {
    /// Full id, 32 letters.
    pub id: String,
    /// File name as shown.
    pub file_name: String,
    /// BLAKE3, hex.
    pub hash: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Prints per copy.
    pub per_run: u32,
    /// Good prints so far, over all copies.
    pub done: u32,
    /// Estimated print time in seconds, as the slicer said.
    pub estimate_s: Option<u64>,
    /// Material type that the slicer named.
    pub material: Option<String>,
    /// Slicer that made it.
    pub slicer: Option<String>,
    /// Whether this host has the file.
    pub here: bool,
    /// Where it lies in this host's imports folder.
    pub path: Option<String>,
    /// Other files that will do as well: a printer prints the first one that fits it, the one above before these.
    #[serde(default)]
    pub alternatives: Vec<Alternative>,
}

/// Another file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alternative {
    /// File name as shown.
    pub file_name: String,
    /// BLAKE3, hex.
    pub hash: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Estimated print time in seconds, as the slicer said.
    pub estimate_s: Option<u64>,
    /// Material type that the slicer named.
    pub material: Option<String>,
    /// Slicer that made it.
    pub slicer: Option<String>,
    /// Whether this host has the file.
    pub here: bool,
    /// Where it lies in this host's imports folder.
    pub path: Option<String>,
}

/// One claimed copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Copy number from 1.
    pub copy: u32,
    /// Attempt from 1.
    pub attempt: u32,
    /// Host that claimed it.
    pub host: String,
    /// Printer that claimed it.
    pub printer: String,
    /// claimed, fetching, staged, started, printing, finished, failed, released, unknown, credited, surplus.
    pub state: String,
    /// The voters have not decided about it.
    #[serde(default)]
    pub speculative: bool,
    /// Copy number from 1 for which it counts, when that is another one.
    #[serde(default)]
    pub credited_to: Option<u32>,
    /// 0 to 1.
    pub progress: Option<f32>,
    /// Seconds left, when known.
    pub left_s: Option<u64>,
    /// What went wrong.
    pub note: Option<String>,
    /// Last change of state.
    pub at: String,
}

/// What a host asks about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRequest {
    /// `stop` (stop its prints, then cancel it), `cancel`, `move` or `start`.
    pub kind: String,
    /// Host that asks.
    pub by: String,
    /// Since when.
    pub since: String,
    /// For `start`: `host/printer`.
    pub printer: Option<String>,
    /// Whom or what it waits for, in plain words.
    pub waits_for: String,
}

/// Why one printer does or does not take a job's next copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// `host/printer`.
    pub printer: String,
    /// Stable code; `free` when it would take it.
    pub code: String,
    /// Plain words.
    pub text: String,
    /// Command that would free it, when there is one.
    pub fix: Option<String>,
}

/// One printer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Printer {
    /// Name on its host.
    pub name: String,
    /// Host that drives it.
    pub host: String,
    /// Whether this host drives it.
    pub mine: bool,
    /// Address; only for this host's own.
    pub at: Option<String>,
    /// offline, idle, claimed, fetching, printing, paused, clear-bed, cooling, clearing, verdict, unknown, fault, host-away.
    pub state: String,
    /// clear, occupied, unknown.
    pub bed: String,
    /// Whether it starts prints by itself.
    pub autoprint: bool,
    /// Why a person paused it.
    pub paused: Option<String>,
    /// Name of the job it works on.
    pub job: Option<String>,
    /// Full id of that job.
    pub job_id: Option<String>,
    /// 0 to 1.
    pub progress: Option<f32>,
    /// Seconds left.
    pub left_s: Option<u64>,
    /// Stable code of why it idles.
    pub reason: Option<String>,
    /// The same in plain words.
    pub reason_text: Option<String>,
    /// Firmware as the machine names it.
    pub firmware: Option<String>,
    /// Place in the order of printers, from 1.
    #[serde(default)]
    pub position: u32,
    /// What it is and has.
    #[serde(default)]
    pub equipment: Equipment,
    /// What it does between two prints; only of this host's own, and when somebody has set it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Cycle>,
    /// Why what is loaded may be old news; only of this host's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool_note: Option<String>,
}

/// What a printer does between two prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cycle {
    /// °C that its bed cools down to before it is cleared.
    pub cool_c: Option<u32>,
    /// A script clears its bed.
    pub clears: bool,
    /// Its owner says that the bed is clear once the script has come to its end.
    pub trusted: bool,
    /// Its bed is a belt, which advances by so many millimetres.
    pub belt_mm: Option<u32>,
    /// A print counts only once a person has said that it is good.
    pub judged: bool,
    /// Parts of the day in which it starts nothing, as minutes of the day: from, to.
    pub quiet: Vec<[u16; 2]>,
}

/// What a printer is and has, as far as anybody has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Equipment {
    /// Name of its profile.
    pub profile: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Other models whose files it may print.
    pub compatible: Vec<String>,
    /// Nozzle diameter in micrometres.
    pub nozzle_um: Option<u32>,
    /// Of the tools that have another one: the tool, and its diameter in micrometres.
    pub nozzles: Vec<(u32, u32)>,
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
    /// The circuit that it is on, where not all printers of a queue are on one.
    pub circuit: Option<String>,
    /// Profiles with which its host slices models for it.
    pub slicing: Vec<String>,
    /// What is loaded, by slot.
    pub slots: Vec<Slot>,
    /// Words for jobs to ask for.
    pub tags: Vec<String>,
    /// Short keys of the members whose jobs it takes; empty = everybody's.
    pub accept_from: Vec<String>,
    /// Seconds that it has printed.
    pub printed_s: u64,
}

/// What is loaded in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Slot {
    /// Its number, from 0.
    pub slot: u32,
    /// Material type; absent = it is empty.
    pub material: Option<String>,
    /// Colour.
    pub color: Option<String>,
    /// Milligrams left, when anybody has said how much there was.
    pub left_mg: Option<u64>,
    /// Number of the spool in its host's Spoolman.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<u32>,
}

/// When and where a job may print.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terms {
    /// Name of its group; absent = none.
    pub group: Option<String>,
    /// Parked.
    pub backburner: bool,
    /// Printed although a spool seems to hold too little for it.
    pub print_anyway: bool,
    /// `low`, `normal`, `high` or `rush`; empty = normal.
    pub priority: String,
    /// When it should be done.
    pub due: Option<String>,
    /// When it starts at the earliest.
    pub not_before: Option<String>,
    /// What the colours of its files mean: `any`, `prefer` or `require`; empty = any.
    pub color: String,
    /// A printer must have all of these.
    pub tags: Vec<String>,
}

/// Each waiting job, and why one printer does or does not take it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrinterWhy {
    /// The printer.
    pub printer: Printer,
    /// The jobs in the order of their queues.
    pub jobs: Vec<JobWhy>,
}

/// Why one printer does or does not take a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobWhy {
    /// Full job id.
    pub job_id: String,
    /// Name.
    pub job: String,
    /// Queue name.
    pub queue: String,
    /// Stable code; `free` when it takes it next.
    pub code: String,
    /// Plain words.
    pub text: String,
    /// Command that would free it, when there is one.
    pub fix: Option<String>,
}

/// What a change of settings would start now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// Queue name.
    pub queue: String,
    /// Printers that would start something else; none = the same starts.
    pub printers: Vec<StartChange>,
}

/// What one printer starts now, and what it would start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartChange {
    /// `host/printer`.
    pub printer: String,
    /// Name of the job and number of the copy from 1, and whether it waits for a place to heat; absent = nothing.
    pub now: Option<String>,
    /// The same after the change.
    pub then: Option<String>,
}

/// Something that a person could do, and what it unlocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Todo {
    /// What to do, in plain words: one step, or two when no single one starts anything.
    pub steps: Vec<Step>,
    /// Names of the queues in which it unlocks something.
    pub queues: Vec<String>,
    /// Prints that start at once because of it.
    pub starts: u64,
    /// Waiting prints that become possible, those included.
    pub prints: u64,
    /// There are more of them than were counted.
    pub more: bool,
    /// Seconds that those prints take, as far as their files say.
    pub duration_s: u64,
    /// Name of the first job that it unlocks.
    pub job: String,
    /// Its id.
    pub job_id: String,
    /// Prints that start now and would not start then: name of the job and number of the copy from 1.
    pub instead_of: Vec<String>,
}

/// What 1-Click would start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchPlan {
    /// Changes with what would start.
    pub id: String,
    /// What would start.
    pub starts: Vec<MatchStart>,
    /// Printers that start nothing.
    pub waits: Vec<MatchWait>,
    /// The command that starts it.
    pub command: String,
}

/// One print that would start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchStart {
    /// `host/printer`.
    pub printer: String,
    /// Queue name.
    pub queue: String,
    /// Name of the job.
    pub job: String,
    /// Its id.
    pub job_id: String,
    /// Number of the copy from 1.
    pub copy: u32,
    /// Copies of the job.
    pub copies: u32,
    /// Seconds that it takes, as far as its files say; 0 = they do not.
    pub duration_s: u64,
    /// The printer would start it by itself.
    pub autoprint: bool,
    /// Jobs before it that the printer cannot print now.
    #[serde(default)]
    pub passed_over: u32,
}

/// A printer that starts nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchWait {
    /// `host/printer`.
    pub printer: String,
    /// Queue name.
    pub queue: String,
    /// Stable code of the reason.
    pub code: String,
    /// Plain words.
    pub text: String,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Plain words.
    pub text: String,
    /// The command that says that it is done, or that tells more.
    pub command: String,
    /// Host on which the command is typed; absent = this one.
    pub on: Option<String>,
}

/// One ended print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRow {
    /// When it ended.
    pub at: String,
    /// Queue name.
    pub queue: String,
    /// Full job id.
    pub job_id: String,
    /// Job name.
    pub job: String,
    /// Copy number from 1.
    pub copy: u32,
    /// File name of the set that was printed.
    pub file_name: String,
    /// Host.
    pub host: String,
    /// Printer.
    pub printer: String,
    /// ok, failed, aborted, unknown.
    pub result: String,
    /// Why not ok.
    pub note: Option<String>,
    /// Seconds from start to end.
    pub took_s: Option<u64>,
}

/// Facts about the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Daemon {
    /// Process id.
    pub pid: u32,
    /// Software version.
    pub version: String,
    /// Home directory.
    pub home: String,
    /// Seconds since start.
    pub uptime_s: u64,
    /// Host name.
    pub host: String,
    /// Addresses on which other hosts reach it.
    pub addresses: Vec<String>,
    /// Relays that it uses; without any, nothing leaves the local network.
    #[serde(default)]
    pub relays: Vec<RelayUse>,
}

/// A relay that a host uses: it learns which hosts talk over it, from where, when and how much, and not what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayUse {
    /// Its URL.
    pub url: String,
    /// `connected`; `waiting` (it does not answer, or another one is nearer); `ending` (nobody wants it any more, and it is
    /// connected until the daemon is started again).
    pub state: String,
    /// Whether the way to it is encrypted; otherwise whoever is on it sees as much as the relay.
    pub encrypted: bool,
    /// Why it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Nothing had to change.
    pub already: bool,
    /// One line for people.
    pub text: String,
}

/// A file that the daemon took in. What was packed was unpacked: these are the prints that were in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Uploaded {
    /// BLAKE3 of the first print's G-code, hex.
    pub hash: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its estimated print time in seconds.
    pub estimate_s: Option<u64>,
    /// Slicer that made it.
    pub slicer: Option<String>,
    /// Each print in the file; a sliced project has one for each plate. Each becomes a set.
    #[serde(default)]
    pub plates: Vec<UploadedPlate>,
}

/// One print of a file that the daemon took in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadedPlate {
    /// BLAKE3 of its G-code, hex.
    pub hash: String,
    /// Name to show it under: the file's own, or made from that.
    pub file_name: String,
    /// Size of its G-code in bytes.
    pub bytes: u64,
    /// Estimated print time in seconds.
    pub estimate_s: Option<u64>,
}

/// Something that happened; the `events` stream is one of these per line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Rises by one with each event of this daemon run.
    pub seq: u64,
    /// When.
    pub time: String,
    /// job.state, job.changed (edited or reordered), request.ended (what came of what this host asked), copy.state,
    /// copy.lost (the voters gave a silent print up), host.slept (this host was asleep or frozen), print.progress, fetch.progress,
    /// printer.state, peer.state,
    /// queue.changed, queue.voters (away: printers go on without them; back), copy.surplus, member.asks, refused, join.asked, join.refused (a member refused this host), reset (events were lost:
    /// ask again for what you show).
    pub kind: String,
    /// Queue name.
    pub queue: Option<String>,
    /// Full job id.
    pub job: Option<String>,
    /// Job name.
    pub job_name: Option<String>,
    /// Copy number from 1.
    pub copy: Option<u32>,
    /// `host/printer`.
    pub printer: Option<String>,
    /// New state, or the stable code of the event.
    pub state: Option<String>,
    /// 0 to 1.
    pub progress: Option<f32>,
    /// Seconds left.
    pub left_s: Option<u64>,
    /// Plain words.
    pub text: Option<String>,
}

impl Event {
    /// Tells a reader who was too slow that `lost` events are missing.
    pub(crate) fn reset(lost: u64) -> Self {
        Self {
            kind: "reset".to_owned(),
            text: Some(format!("{lost} events lost: the reader was too slow")),
            ..Self::default()
        }
    }
}
