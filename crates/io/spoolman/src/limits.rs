//! How much of what a Spoolman says is taken in. None can be configured.

/// Bytes of an answer: one spool with all its extra fields is a few kilobytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Milligrams beyond which nobody weighs: a tonne.
pub(crate) const MG_MAX: f64 = 1e9;
