//! Every bound of the document and its changes, each with why this number. What decides whether a change is admitted is
//! the same on every host, so none of these can be configured.

// One change.

/// Most bytes of one change: two of them, which prove two histories, fit into one frame of the wire.
pub const CHANGE_BYTES_MAX: usize = 512 * 1024;

/// Most operations of one change: a job with all the sets that it may have takes less than half.
pub const OPS_MAX: usize = 4096;

/// Most bytes of a key: the longest name twice would not fit, and no key holds two.
pub const KEY_BYTES_MAX: usize = 256;

/// Most bytes of one value: the largest is a set of 64 alternatives with what each needs.
pub const SCALAR_BYTES_MAX: usize = 16 * 1024;

/// Most changes that one change may name as its direct past: as many hosts may write at once before one names only some.
pub const DEPS_MAX: usize = 64;

/// Automerge counts operations in 32 bits and panics beyond them; half leaves room for what follows.
pub(crate) const COUNTER_MAX: u64 = (u32::MAX / 2) as u64;

/// Most authors that a vector from another host may name: a farm of a hundred hosts that start twice a day, for a year
/// without an epoch.
pub const VECTOR_AUTHORS_MAX: usize = 65_536;

// What a member may keep in the document of one epoch. A change beyond is refused by every host alike, since it is counted
// in what its author had seen; the next epoch counts anew.

/// Jobs that one member makes in an epoch: `node` refuses at half of it with a word to the person.
pub const MEMBER_JOBS_MAX: usize = 10_000;

/// Changes of one member in an epoch: an admin's host ends an epoch after a fifth of it, all members together, so that only
/// one that floods comes near, or a farm of which no admin has been there for thousands of prints.
pub const MEMBER_CHANGES_MAX: usize = 50_000;

/// Bytes of the changes of one member in an epoch: a quarter of what an epoch may begin with, and a hundred times what a
/// busy member writes until one ends.
pub const MEMBER_BYTES_MAX: usize = 32 * 1024 * 1024;

// What waits, or is remembered, in memory.

/// Most changes that wait for their past: a few messages full, since a whole one is asked for anyway.
pub(crate) const PARKED_CHANGES_MAX: usize = 1024;

/// Most bytes that wait for their past: ten of the largest messages.
pub(crate) const PARKED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most changes of one host that wait: nobody fills the room of all.
pub(crate) const PARKED_OF_HOST_MAX: usize = 256;

/// Most changes that wait whose authors are no members as far as is known here: all of them together have the room of one.
pub(crate) const PARKED_OF_STRANGERS_MAX: usize = PARKED_OF_HOST_MAX;

/// Most changes that are withheld: a removed member has no link, so that only what others had of it comes at all.
pub(crate) const WITHHELD_CHANGES_MAX: usize = 1024;

/// Most bytes that are withheld, as of what waits.
pub(crate) const WITHHELD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Refused changes that are remembered, so that they are named once and not judged again with each exchange: 128 KiB.
pub(crate) const REFUSED_MAX: usize = 4096;

/// How long the walk to a change's past may be before its clock is kept: between memory (a number per author each) and
/// time. A walk is never longer than this for each direct predecessor.
pub(crate) const WALK_MAX: usize = 24;

/// Most bytes of a proof of two histories: two of the largest changes, and their lengths.
pub(crate) const PROOF_BYTES_MAX: usize = 2 * CHANGE_BYTES_MAX + 16;

// Epochs.

/// Most bytes of one record: a vector of fifty thousand boots, and it still fits into a frame.
pub const RECORD_BYTES_MAX: usize = 512 * 1024;

/// Most records that a host keeps and takes: whoever was away for longer joins anew.
pub const LINEAGE_MAX: usize = 64;

/// Most founding changes of an epoch: four million operations, far more than a queue has that is alive.
pub const FOUNDING_MAX: u32 = 2048;

/// Most bytes of the founding changes of an epoch: the memory of a small host holds it several times.
pub const FOUNDING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most jobs of earlier epochs that a host keeps for each queue; the oldest are forgotten: years of a small farm.
pub const KEPT_MAX: usize = 20_000;

/// Most bytes that stay of what a member keeps under keys that this version does not know: some values of the largest kind.
pub(crate) const FOUNDING_OTHER_BYTES: usize = 64 * 1024;

/// Most operations of one founding change: half of what a change may have.
pub(crate) const FOUNDING_OPS: usize = 2000;

/// Most bytes of the values of one founding change: half of what a change may have, its keys beside them.
pub(crate) const FOUNDING_VALUE_BYTES: usize = 200 * 1024;

/// Configurations of voters that stay over an epoch, the last ones: the next one follows from them.
pub(crate) const FOUNDING_CONFIGS: usize = 2;

// Values.

/// Longest rank that is accepted from others; about 400 moves into one gap make 80 letters.
pub const RANK_BYTES_MAX: usize = 256;

/// Most bytes of one file: a print of some days has a tenth of it, and a small host's disk has room for it.
pub const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Most copies of a job, and most prints of a set per copy (Continuous Print's `MAX_COUNT`).
pub const COPIES_MAX: u32 = 999_999;

/// Most bytes of the name of a queue, a job, a member or a printer: a file's name is at most so long.
pub const NAME_BYTES_MAX: usize = 200;

/// Most sets of a job: one change holds them all.
pub const SETS_MAX: usize = 256;

/// Most printers that a job names: all of the largest farms that are known.
pub(crate) const JOB_PRINTERS_MAX: usize = 256;

/// Most tags that a job asks for: what a person can still tell apart.
pub(crate) const TAGS_MAX: usize = 32;

/// Most bytes of a printer that a job names: `host/name`.
pub(crate) const JOB_PRINTER_BYTES_MAX: usize = 2 * NAME_BYTES_MAX + 1;

/// Most alternatives of a set: one for each kind of printer of a farm, and they fit into one value.
pub const ALTERNATIVES_MAX: usize = 64;

/// Most grams that a setting keeps on a spool: as much as a spool of the usual size holds.
pub(crate) const AMOUNT_MARGIN_MAX: u32 = 1_000;

/// Most printers that a setting lets heat at once: as many as a farm has.
pub(crate) const HEAT_SLOTS_MAX: u32 = 256;

/// Most watts of one circuit in a setting: a hundred for each of those places.
pub(crate) const HEAT_WATTS_MAX: u32 = 25_600;

/// Longest time that a setting may name, in seconds: a month.
pub(crate) const SECONDS_MAX: u64 = 31 * 24 * 3600;

/// Most retries: more is a loop.
pub(crate) const RETRIES_MAX: u32 = 100;
