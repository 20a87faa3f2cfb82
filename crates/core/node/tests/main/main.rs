//! What people see of whole farms: real nodes, documents and keys, in virtual time.

mod farm;
mod printing;
