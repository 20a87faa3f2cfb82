//! How much of what a machine, or a file, says is taken in. None can be configured.

/// Bytes of a line of a file: no machine takes one as long as this, so that a longer one is no G-code.
pub(crate) const LINE_BYTES_MAX: usize = 1024;

/// Bytes of a line that a machine sends: a longer one is noise, and is cut.
pub(crate) const REPLY_BYTES_MAX: usize = 4096;

/// Tools in a report of temperatures: no machine has more, so that a higher number is a garbled line.
pub(crate) const TOOLS_MAX: usize = 16;

/// Heater changes of a file that the simulated machine shows: memory stays bounded whatever the file holds.
pub(crate) const HEATS_MAX: usize = 1000;

/// Waits for a person that the simulated machine makes.
pub(crate) const STOPS_MAX: usize = 1000;
