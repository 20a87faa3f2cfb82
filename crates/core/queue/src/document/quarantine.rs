//! Hosts whose changes broke the engine: nothing of them is taken in on their own word until a person says otherwise.
//!
//! Their changes are withheld like those of a member that was removed, and for the same reason not refused for ever: who was
//! not told of it may have built on them, and brings them in with the change that follows them. A panic on such a one is
//! caught like any other. Where it is kept that a host is in quarantine is the caller's.

use super::*;

impl QueueDocument {
    /// Withholds what `host` writes from now on, in all its starts.
    pub fn quarantine(&mut self, host: HostId) {
        self.quarantined.insert(host);
    }

    /// Ends that, and admits what of it is still at hand.
    pub fn release(&mut self, host: HostId) -> Admitted {
        if !self.quarantined.remove(&host) {
            return Admitted::default();
        }
        self.admit_also(Vec::new(), true)
    }
}
