//! The claim protocol as a model that is searched exhaustively, and broken versions of it that must fail.
//!
//! Three models, each with its laws (CLAIMS.md names them I1 to I8 and O1 to O3): `majority` decides who starts,
//! `voters` changes and recovers those who decide, `available` starts where nobody decides. A test either explores
//! every reachable state of a right protocol, or must find the law that a wrong one breaks. What must be possible
//! (a print finishes, a copy is surplus) is asserted as well, so that no law is kept by doing nothing.
//!
//! By default the bounds are small, still complete. The full ones, one row of a table for each search:
//!
//! ```text
//! PRINTMESH_MODEL=full cargo test --release -p printmesh-sim --test model -- --nocapture
//! ```
//!
//! **How to read a counter-example.** A test that fails prints the law, then one step per line, from an empty farm
//! on: who did what. Ballots of `majority` are `round.host`, the ones of `voters` are places in the test's list.
//! Steps of one host are in its own order; a message may be answered long after it was sent. Nothing a step does is
//! hidden: go through them with `step.rs` beside you, and ask at each voter's answer what it remembered. The steps
//! of a wrong protocol are the fewest that break it; a right one is searched depth first, so that the steps of its
//! violation may be more than needed: pass the configuration to `breaks` to get the fewest.
//!
//! A search knows states by a hash of 64 bits: that two of a hundred million states share one has a chance of one
//! in four thousand. Not here: progress, real stores and documents, lies (the simulator's part).

mod available;
mod explore;
mod majority;
mod set;
mod voters;
