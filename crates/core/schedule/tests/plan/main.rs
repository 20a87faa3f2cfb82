//! The plan as a specification: what starts where, by which rule, and why the rest waits.

mod ahead;
mod any;
mod clicks;
mod eligible;
mod fair;
mod farm;
mod laws;
mod matching;
mod oracle;
mod order;
mod pauses;
mod person;
mod pictures;
mod reasons;
mod seed;
mod silence;
mod sorting;
mod todo;
mod views;
