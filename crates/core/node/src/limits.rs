//! Every bound of the node, each with why this number. Times are milliseconds.

/// A claim that has not started lapses when its holder is silent for so long (CLAIMS.md: politeness, not safety).
pub const LEASE_MS: u64 = 60_000;

/// A holder speaks up this often; four beats fit into a lease, so that one lost beat is nothing.
pub const BEAT_MS: u64 = 15_000;

/// A start must follow the voters' decision within this time, or the decision is asked for again (CLAIMS.md 7).
pub const DECISION_AGE_MS_MAX: u64 = 60_000;

/// Voters answer on a LAN within milliseconds; after this long they count as silent.
pub const ROUND_MS: u64 = 5_000;

/// After a lost duel the copy is asked for again, not at once and not by all at the same time.
pub const DUEL_MS: u64 = 300;

/// A voter that has just connected may not have the job yet: it is on its way.
pub const BEHIND_MS: u64 = 100;

/// A copy that somebody else was given is not asked for again until its record can have arrived.
pub const REFUSED_MS: u64 = 5_000;

/// A file that nobody had is asked for again after this long, or at once when a member connects.
pub const MISSING_MS: u64 = 30_000;

/// Then the time doubles up to this.
pub const MISSING_MS_MAX: u64 = 3_600_000;

/// No honest host ever counts so far; one that says so cannot run the others out of numbers.
pub const BALLOT_MAX: u64 = 1 << 40;

/// Progress goes to the other members at most this often per printer.
pub const PROGRESS_MS: u64 = 1_000;

/// `init --lan` waits this long for a host that offers a LAN queue: discovery needs about 0.8 s on a LAN.
pub const LAN_SEARCH_MS: u64 = 4_000;

/// Who leaves a queue stays connected so long, so that the others hear of it.
pub const LEAVING_MS: u64 = 10_000;

/// A join conversation that nobody answers is given up after this long.
pub const JOIN_MS: u64 = 20_000;

/// A message between members; fits into one frame of the wire.
pub const MESSAGE_BYTES_MAX: usize = 1_000_000;

/// Changes are packed into messages of about this size, so that none comes near the frame's limit.
pub const CHANGES_BYTES: usize = 400_000;

/// Hosts that may wait for admission at once; one more is refused.
pub const ASKING_MAX: usize = 32;

/// Sets of a job (as the document allows).
pub const SETS_MAX: usize = 256;

/// Prints per copy (Continuous Print's MAX_COUNT).
pub const COUNT_MAX: u32 = 999_999;

/// Copies of a job: all of them are withdrawn in one question to the voters, which must fit into one message.
pub const COPIES_MAX: u32 = 20_000;

/// Physical prints of one claim: a `together` job holds one printer for all of them.
pub const RUNS_MAX: u64 = 100_000;

/// Length of a job's name in bytes.
pub const JOB_NAME_BYTES_MAX: usize = 200;

/// Length of a queue's, host's or printer's name in bytes.
pub const NAME_BYTES_MAX: usize = 40;

/// Addresses kept per host: the interfaces of a machine and one or two from before a move.
pub const ADDRESSES_MAX: usize = 6;
