//! What people see of whole farms: real nodes, documents and keys, in virtual time.

mod alternatives;
mod backups;
mod crashing;
mod edges;
mod farm;
mod healing;
mod herd;
mod joining;
mod lost;
mod moving;
mod naming;
mod network;
mod ordering;
mod outlook;
mod predecessors;
mod printing;
mod reconfig;
mod requests;
mod resuming;
mod retrying;
mod sleeping;
mod slicing;
mod speculation;
mod voting;
mod wishes;
