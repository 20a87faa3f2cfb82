//! Invites as the queue's document knows them: what was given out, by whom, and what was taken back.
//!
//! The ticket itself, with its secret, is never here; how one proves that he holds it is the node's.

use serde::{Deserialize, Serialize};

use crate::{Role, Timestamp};

/// What a member says of an invite, by the invite's public key: that it was made, or that it is good no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteRecord {
    /// Role of who joins with it.
    pub role: Role,
    /// How many hosts may join with it.
    pub uses: u32,
    /// Seconds since 1970 when it expires; `None` = never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_s: Option<u64>,
    /// When it was made, by its maker's clock; display only.
    pub made: Timestamp,
    /// It is good no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}
