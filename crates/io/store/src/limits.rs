//! Every bound of what is read from the disk or made on it, each with why this number. None can be configured.

// Names of files and folders.

/// Longest name that is made, in bytes. File systems allow 255; the rest is for suffixes of other programs.
pub const NAME_BYTES_MAX: usize = 120;

/// Longest ending (as in `part.gcode`) that is kept when a name must be cut: no ending that slicers write is longer.
pub(crate) const ENDING_BYTES_MAX: usize = 16;

/// Longest job id, in bytes. Ids are 128 bit, so 32 letters in hex.
pub(crate) const JOB_ID_BYTES_MAX: usize = 64;

/// Names tried beyond the suffixes: somebody may have called other jobs or files what these would be called. A thousand
/// looks at a folder take some milliseconds.
pub(crate) const COUNTED: u32 = 1000;

// Files that are read whole.

/// Largest list of a job's files, in bytes. A job has at most some hundred files; ten thousand lines fit in.
pub(crate) const MARKER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Largest key file, in bytes. No key is longer; more is not a key.
pub(crate) const KEY_BYTES_MAX: u64 = 4096;

// Memory.

/// What the database keeps in memory, in bytes. redb's own default of 1 GiB is more than the memory of a small host.
pub(crate) const CACHE_BYTES: usize = 16 * 1024 * 1024;
