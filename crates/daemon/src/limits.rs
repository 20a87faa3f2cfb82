//! Every bound of the daemon itself, each with why this number. What a member or a stranger may send is bounded where it
//! arrives: in the network, the node and the document. None of these can be configured.

// What waits for the mind.

/// Inputs that wait for the mind: enough for a burst of prints and peers, small enough to feel a jam.
pub(crate) const INPUTS: usize = 4096;

/// Inputs that share one commit: bounds how long the first of them waits.
pub(crate) const BATCH: usize = 256;

/// Network events on their way to the mind: a burst of a busy farm; then the links wait.
pub(crate) const NETWORK_EVENTS: usize = 1024;

/// Events that a slow listener may be behind before it misses some: minutes of a busy farm.
pub(crate) const EVENTS: usize = 1024;

// The disk.

/// Commands are refused below this much free space, in bytes: the last room belongs to the prints that are under way.
pub(crate) const FREE_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// A file that nobody waits for yet is not fetched unless so many bytes are free beyond it: what is printed now, and what people
/// add, has the room.
pub(crate) const AHEAD_FREE_BYTES: u64 = 1024 * 1024 * 1024;

/// Bytes that are read from the store at a time: so much of a file is in memory, however large it is.
pub(crate) const PIECE_BYTES: u64 = 256 * 1024;

/// Largest file of own profiles, in bytes: a thousand of them.
pub(crate) const PROFILES_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of a slicer's last words that are looked at: the line that says why is among them.
pub(crate) const LAST_WORDS: u64 = 4096;

// Telling people.

/// A program that tells people has so long: it may have to ask another machine.
pub(crate) const NOTIFY_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// Notices that wait for it: each printer of a large host, once. More are not told.
pub(crate) const NOTICES: usize = 64;

// Looking ahead.

/// So many prints are looked ahead at most: some seconds of work for ten thousand jobs.
pub(crate) const PRINTS_MAX: usize = 20_000;

/// The same for who only wants to see his jobs, and does not want to wait for that.
pub(crate) const PRINTS_SHOWN_MAX: usize = 1_000;
