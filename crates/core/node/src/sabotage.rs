//! Deliberate bugs, one line each where they are made: the simulator (`crates/sim`) must find every one of them, or it proves
//! nothing. Without the feature `sabotage` nothing of this is in the program.

use crate::node::Node;

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    not(feature = "sabotage"),
    expect(unreachable_pub, reason = "public with the feature")
)]
pub enum Sabotage {
    /// A voter keeps what it promised and accepted in memory only.
    VolatileVotes,
    /// The ballot number is kept in memory only.
    VolatileBallot,
    /// A printer heats as soon as the voters have promised: the lease is taken for the permission.
    LeaseStarts,
    /// A printer heats when its own claim is the one that the document shows: nobody asks the voters.
    DocumentDecides,
    /// The journal does not say that a print is about to begin.
    ForgottenIntent,
    /// A voter forgets whom it gave an attempt to when another one asks.
    IgnoresForeign,
    /// A voter gives an attempt out that is over, and a printer asks for it again.
    ReclaimsClosed,
    /// Nobody asks the voters whether an attempt was given up before it heats.
    NoGate,
    /// A job is taken out of the queue in the document only.
    WithdrawsInDocument,
    /// The bed is not marked when a print begins.
    BedStaysClear,
    /// New voters begin with nothing of what the old ones knew.
    SealsWithoutTransfer,
    /// A printer that says that it is idle is believed, also in the middle of a print.
    BelievesIdle,
    /// A proof that a member told two stories is kept in memory only.
    VolatileProofs,
}

impl Node {
    /// Makes a deliberate bug from now on.
    #[cfg(feature = "sabotage")]
    pub fn sabotage(&mut self, bug: Sabotage) {
        self.sabotage = Some(bug);
    }

    #[cfg(feature = "sabotage")]
    pub(crate) fn sabotaged(&self, bug: Sabotage) -> bool {
        self.sabotage == Some(bug)
    }

    #[cfg(not(feature = "sabotage"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) const fn sabotaged(&self, _: Sabotage) -> bool {
        false
    }
}
