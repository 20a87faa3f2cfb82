//! The plan as a specification: what starts where, by which rule, and why the rest waits.

mod ahead;
mod farm;
mod laws;
mod matching;
mod oracle;
mod order;
mod pauses;
mod seed;
mod todo;
