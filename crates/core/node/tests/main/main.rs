//! What people see of whole farms: real nodes, documents and keys, in virtual time.

mod crashing;
mod edges;
mod farm;
mod joining;
mod moving;
mod naming;
mod network;
mod printing;
mod voting;
