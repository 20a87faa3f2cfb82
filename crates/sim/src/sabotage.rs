//! Deliberate bugs: in the node behind its feature `sabotage`, and in what carries its steps out. Each must be found.

#[cfg(feature = "sabotage")]
use printmesh_node::Sabotage;

use crate::{
    laws::Violation,
    plan::{Plan, Size},
    run::{Telling, run},
};

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The disk says that it has synced, and has not.
    NoSync,
    /// The effects of a step leave before its writes are durable.
    EffectsFirst,
    /// A full disk or an error is taken for a success.
    IgnoresDiskErrors,
    /// The driver starts a print however long ago it was decided.
    StartsLate,
    /// One in the node.
    #[cfg(feature = "sabotage")]
    Node(Sabotage),
    /// One in the document.
    #[cfg(feature = "sabotage")]
    Queue(printmesh_queue::sabotage::Bug),
}

/// Every deliberate bug, by name.
pub const BUGS: &[(&str, Bug)] = &[
    ("no-sync", Bug::NoSync),
    ("effects-before-commit", Bug::EffectsFirst),
    ("ignores-disk-errors", Bug::IgnoresDiskErrors),
    ("starts-late", Bug::StartsLate),
    #[cfg(feature = "sabotage")]
    ("volatile-votes", Bug::Node(Sabotage::VolatileVotes)),
    #[cfg(feature = "sabotage")]
    ("volatile-ballot", Bug::Node(Sabotage::VolatileBallot)),
    #[cfg(feature = "sabotage")]
    ("lease-starts", Bug::Node(Sabotage::LeaseStarts)),
    #[cfg(feature = "sabotage")]
    ("document-decides", Bug::Node(Sabotage::DocumentDecides)),
    #[cfg(feature = "sabotage")]
    ("forgotten-intent", Bug::Node(Sabotage::ForgottenIntent)),
    #[cfg(feature = "sabotage")]
    ("ignores-foreign", Bug::Node(Sabotage::IgnoresForeign)),
    #[cfg(feature = "sabotage")]
    ("reclaims-closed", Bug::Node(Sabotage::ReclaimsClosed)),
    #[cfg(feature = "sabotage")]
    ("no-gate", Bug::Node(Sabotage::NoGate)),
    #[cfg(feature = "sabotage")]
    (
        "withdraws-in-document",
        Bug::Node(Sabotage::WithdrawsInDocument),
    ),
    #[cfg(feature = "sabotage")]
    ("bed-stays-clear", Bug::Node(Sabotage::BedStaysClear)),
    #[cfg(feature = "sabotage")]
    (
        "seals-without-transfer",
        Bug::Node(Sabotage::SealsWithoutTransfer),
    ),
    #[cfg(feature = "sabotage")]
    ("believes-idle", Bug::Node(Sabotage::BelievesIdle)),
    #[cfg(feature = "sabotage")]
    ("volatile-proofs", Bug::Node(Sabotage::VolatileProofs)),
    #[cfg(feature = "sabotage")]
    (
        "anybody-writes",
        Bug::Queue(printmesh_queue::sabotage::Bug::AnybodyWrites),
    ),
    #[cfg(feature = "sabotage")]
    (
        "unsigned-counts",
        Bug::Queue(printmesh_queue::sabotage::Bug::UnsignedCounts),
    ),
];

/// Returns the first seed that finds a bug, and by which law; `None` when none of so many does.
pub fn hunt(bug: Bug, from: u64, seeds: u64) -> Option<(u64, Violation)> {
    (from..from + seeds).find_map(|seed| {
        let plan = Plan::new(seed, Size::default());
        let violation = run(plan.clone().with_bug(bug), Telling::Nothing).violation?;
        // What breaks a law without it finds nothing.
        let fine = run(plan, Telling::Nothing).violation.is_none();
        fine.then_some((seed, violation))
    })
}
