//! What the hosts of a queue agree on: the document, its signed changes, and the plain snapshot read from it.
//!
//! Pure: no clock, no file, no socket, no random source. Times, ids and signatures come in as arguments.

mod admit;
mod carry;
mod change;
mod claim;
mod compact;
mod configuration;
mod document;
mod edit;
mod engine;
mod epoch;
mod equipment;
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod invite;
mod job;
mod kept;
pub mod limits;
mod member;
mod needs;
mod order;
mod parked;
mod past;
mod printer;
mod proof;
mod rank;
mod read;
mod request;
mod rules;
#[cfg(any(test, feature = "sabotage"))]
pub mod sabotage;
mod schema;
mod settings;
mod snapshot;
mod sort_limit;
mod terms;
#[cfg(test)]
mod tests;
mod time;
mod vector;
mod withheld;

pub use admit::Refusal;
pub use carry::{CarriedOver, OwnWrite};
pub use change::{ChangeHash, SignedChange, Signer, WireError};
pub use claim::{Ballot, Claim, ClaimRecord, ClaimState, LostRecord, RunRecord, RunResult};
pub use configuration::{Configuration, ERA, Seal, is_sealed, next_config, next_era, seal_bytes};
pub use document::{Admitted, Decision, Followed, LoadError, QueueDocument, Refused, Way};
pub use edit::{Edit, EditError};
pub use epoch::{Anchor, EpochHash, EpochId, EpochRecord, EpochRefusal};
pub use equipment::{Equipment, Slot};
pub use id::{CopyId, FileHash, HostId, JobId, ParseIdError, PrinterId, QueueId, SetId};
pub use invite::InviteRecord;
pub use job::{FileSpec, Job, JobState, Set, SetSpec};
pub use kept::KeptJob;
pub use limits::{
    ALTERNATIVES_MAX, CHANGE_BYTES_MAX, COPIES_MAX, DEPS_MAX, FOUNDING_BYTES_MAX, FOUNDING_MAX,
    KEPT_MAX, KEY_BYTES_MAX, LINEAGE_MAX, NAME_BYTES_MAX, OPS_MAX, RANK_BYTES_MAX,
    RECORD_BYTES_MAX, SCALAR_BYTES_MAX, SETS_MAX, VECTOR_AUTHORS_MAX,
};
pub use member::{Certificate, Member, Role, Voters, verify};
pub use needs::{Needs, ToolNeed};
pub use order::ranks_to_move;
pub use printer::{Bed, Between, PrinterRecord, Routine};
pub use proof::Equivocation;
pub use rank::Rank;
pub use read::Touched;
pub use request::{Request, RequestId, Wanted};
pub use settings::{
    Abandon, Budget, Confirm, Distribute, Level, NeverSkip, OnPartial, OnSurplus, Order, Setting,
    Settings, UnknownWait, VoterChoice,
};
pub use snapshot::{CopyState, Snapshot};
pub use sort_limit::SortLimit;
pub use terms::{ColorRule, Priority, Terms};
pub use time::Timestamp;
pub use vector::{Author, VersionVector};
