//! What people see of whole farms: real nodes, documents and keys, in virtual time.

mod backups;
mod crashing;
mod cycles;
mod edges;
mod farm;
mod healing;
mod herd;
mod joining;
mod lost;
mod matching;
mod moving;
mod naming;
mod network;
mod ordering;
mod predecessors;
mod printing;
mod reconfig;
mod requests;
mod resuming;
mod retrying;
mod sleeping;
mod speculation;
mod voting;
mod wishes;
