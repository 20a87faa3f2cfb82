//! What this host keeps on disk: the state database, its key, the imported files, and where each of them lies.
//!
//! It knows keys and bytes, folders and names. It does not know queues, jobs or printers: what the bytes mean is the caller's business.
//! Everything here blocks; an async caller moves it to a thread that may block.
//!
//! | module | keeps |
//! |---|---|
//! | [`home`] | the layout of a node's home directory, its lock and its device key |
//! | [`database`] | `state.redb`: values by key and append-only logs, committed together, durably, all or nothing |
//! | [`imports`] | `imports/<job>/<file>`: files for people and printers, under names that are safe |
//! | [`disk`] | durable writes of small files, free space |

pub mod database;
pub mod disk;
#[doc(hidden)]
pub mod fuzzing;
pub mod home;
pub mod imports;
pub mod limits;
pub mod name;

pub use database::{CommitError, Database, KeyValue, OpenError, ReadError, Write};
pub use home::{Home, HomeError, KeyError, Lock, LockError};
pub use imports::{ImportError, Imports, Placement, VerifyError};
