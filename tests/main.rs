//! One test binary for what only whole programs can show.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod suite;
