//! What is not in the document but decides too: who can be reached, and which claims have lapsed.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{CopyId, FileHash, HostId, Job, PrinterId, Snapshot, Timestamp, Voters};

/// What one host sees of a queue's members right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The own host.
    pub me: HostId,
    /// Hosts that can be reached, the own one included.
    pub reachable: BTreeSet<HostId>,
    /// Claims, by copy and attempt, whose holder has been silent for longer than the lease: they may be taken over.
    pub lapsed: BTreeSet<(CopyId, u32)>,
    /// Copies, by attempt, that the voters refused a moment ago: not asked for again just now.
    pub refused: BTreeSet<(CopyId, u32)>,
    /// Printers of the own host that work on something, in whatever queue.
    pub busy: BTreeSet<PrinterId>,
    /// Copies, by attempt, that own printers ask the voters for right now: no other printer of this host does.
    pub claiming: BTreeSet<(CopyId, u32)>,
    /// Files that this host wants and that no reachable host has.
    pub missing: BTreeSet<FileHash>,
    /// Models that could not be sliced for own printers, and why not.
    pub unsliced: BTreeMap<(FileHash, PrinterId), String>,
    /// For how many milliseconds too few voters could be reached to decide anything; `None` = enough can be.
    pub voters_away_ms: Option<u64>,
    /// For how many milliseconds each host that cannot be reached has been away.
    pub gone_ms: BTreeMap<HostId, u64>,
    /// Voters that can be reached and decide nothing: they forgot what they decided, have not said yet what they remember, or
    /// have given way to voters of whom this host has not heard.
    pub mute: BTreeSet<HostId>,
    /// Starts of own printers that the voters may have heard of and have not answered, with the printer's name.
    pub set_aside: BTreeMap<(CopyId, u32), String>,
    /// What time it is, by this host's clock: some jobs start later.
    pub now: Timestamp,
}

impl Presence {
    /// Returns what a host sees that is alone.
    pub fn alone(me: HostId) -> Self {
        Self {
            me,
            reachable: BTreeSet::from([me]),
            lapsed: BTreeSet::new(),
            refused: BTreeSet::new(),
            busy: BTreeSet::new(),
            claiming: BTreeSet::new(),
            missing: BTreeSet::new(),
            unsliced: BTreeMap::new(),
            voters_away_ms: None,
            gone_ms: BTreeMap::new(),
            mute: BTreeSet::new(),
            set_aside: BTreeMap::new(),
            now: Timestamp(0),
        }
    }

    /// Returns for how many milliseconds a host has been away; `None` when it is here. A host that was never met has
    /// been away as long as the voters.
    pub fn gone_ms(&self, host: HostId) -> Option<u64> {
        if self.reachable.contains(&host) {
            return None;
        }
        let known = self.gone_ms.get(&host).copied();
        Some(known.or(self.voters_away_ms).unwrap_or(0))
    }

    /// Returns the name of a file that keeps this host's printers from the job.
    pub fn missing_file<'a>(&self, job: &'a Job) -> Option<&'a str> {
        let mut files = job.sets.iter().filter_map(|set| set.spec.files.first());
        files
            .find(|file| self.missing.contains(&file.hash))
            .map(|file| file.name.as_str())
    }

    /// Returns whether a voter can be reached and knows what it decided.
    pub fn votes(&self, host: HostId) -> bool {
        self.reachable.contains(&host) && !self.mute.contains(&host)
    }

    /// Returns whether enough voters can be reached to decide a claim.
    pub fn has_quorum(&self, voters: &Voters) -> bool {
        let here = voters.hosts.iter().filter(|host| self.votes(**host));
        !voters.hosts.is_empty() && here.count() >= voters.majority()
    }

    /// Returns whether a printer works on something, as far as this host can see.
    ///
    /// A copy whose end is unknown does not keep its printer busy: the bed, unknown as well, does.
    pub fn is_busy(&self, snapshot: &Snapshot, printer: &PrinterId) -> bool {
        self.busy_in(snapshot)
            .contains(&(printer.host, printer.name.as_str()))
    }

    /// Every printer that works on something, found in one pass over the claims.
    pub(crate) fn busy_in<'a>(&'a self, snapshot: &'a Snapshot) -> Busy<'a> {
        let own = self.busy.iter().map(|id| (id.host, id.name.as_str()));
        let claims = snapshot.claims.values().flat_map(|claims| claims.values());
        // Of its own printers a host knows better than its records: a start may wait for voters that are away.
        let others = claims.filter(|claim| claim.host != self.me);
        let active = others.filter(|claim| claim.record.state.is_active());
        own.chain(active.map(|claim| (claim.host, claim.record.printer.as_str())))
            .collect()
    }
}

/// Printers that work on something.
pub(crate) type Busy<'a> = BTreeSet<(HostId, &'a str)>;
