//! What the node keeps on disk beside the documents: small values under stable keys, as JSON.
//!
//! JSON so that a later version may add fields and a person may read a dump.

use std::net::SocketAddr;

use printmesh_queue::{
    Ballot, Bed, CopyId, Equipment, FileHash, HostId, JobId, QueueId, SetId, Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{command::JobEdit, cycle::Cycle, effect::Write, message::QueueKey};

/// A file in the imports folder: of this job and set, which may have several.
pub(crate) type Imported = (JobId, SetId, FileHash);

/// Identity of this host as it survives restarts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HostRecord {
    pub(crate) name: String,
    /// Starts of the daemon so far: each one signs with a fresh actor id.
    pub(crate) boots: u32,
    /// The last run ended in order.
    pub(crate) clean: bool,
    /// Highest ballot number ever used.
    pub(crate) ballot: u64,
    /// Counts the steps in which this host voted: what it tells others never rests on less than it told before.
    #[serde(default)]
    pub(crate) memory: u64,
}

/// A queue of this host.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct QueueRecord {
    pub(crate) kind: QueueKind,
    /// Name on this host when it differs from the shared one.
    pub(crate) alias: Option<String>,
    /// Name by which it was joined, until its document says one.
    pub(crate) joined_as: String,
    /// Queue key, when this host was given it.
    pub(crate) key: Option<QueueKey>,
    /// Place in the host's order.
    pub(crate) position: u32,
    pub(crate) left: bool,
    /// The default LAN queue of this network.
    pub(crate) lan: bool,
    /// Proof of our own membership, until it is in the document.
    pub(crate) certificate: Option<printmesh_queue::Certificate>,
    /// Host that admitted us: whom to ask before the document says who the members are.
    pub(crate) introduced_by: Option<HostId>,
    /// The epoch in which this host was let in, as long as nothing of the queue has arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchor: Option<printmesh_queue::Anchor>,
    /// Members that were removed where this host came from, and are to be removed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) removals: Vec<HostId>,
    /// Relays over which a person at this host agreed to meet the other members. Never taken from what another host says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) relays: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum QueueKind {
    Local,
    Network,
}

/// A printer of this host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PrinterEntry {
    pub(crate) at: String,
    pub(crate) position: u32,
    pub(crate) autoprint: bool,
    pub(crate) paused: Option<String>,
    pub(crate) bed: Bed,
    pub(crate) fault: Option<String>,
    pub(crate) machine: Option<String>,
    pub(crate) last_print_ended: Option<Timestamp>,
    /// Copies that it still prints by itself before it stops doing so; `None` = without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cycles_left: Option<u32>,
    /// What happens between two prints.
    #[serde(default)]
    pub(crate) cycle: Cycle,
    /// A print that came out well lies on the bed: the number above which a script that clears it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) good_print: Option<u64>,
    /// What a person said of its last print, while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) judged: Option<Judged>,
    /// The script that clears the bed, written before its first command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clearing: Option<String>,
    /// What it is and has.
    #[serde(default, skip_serializing_if = "Equipment::is_empty")]
    pub(crate) equipment: Equipment,
    /// Paused by this host, because whatever it printed failed.
    #[serde(default)]
    pub(crate) set_aside: bool,
    /// Files of the prints that failed on it one after the other, oldest first, since one came out well or a person
    /// took it back.
    #[serde(default)]
    pub(crate) failed_in_a_row: Vec<FileHash>,
    /// For what a person was last told that it waits; `None` = it waits for nobody, as far as was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<String>,
    /// Files that a person at this host lets it print although the guard refuses them. Never told to anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed: Vec<FileHash>,
}

/// What a person said of a print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Judged {
    /// What it was a print of.
    pub(crate) work: Work,
    /// Number of the run.
    pub(crate) k: u32,
    /// It is good.
    pub(crate) good: bool,
}

/// What a printer works on: the journal, written before each physical step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) queue: QueueId,
    pub(crate) copy: CopyId,
    pub(crate) attempt: u32,
    pub(crate) ballot: Ballot,
    pub(crate) spec_hash: [u8; 32],
    pub(crate) stage: Stage,
    /// Made without the voters; they have not decided about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) speculative: bool,
    /// A person asked for this very copy: it is printed although the printer starts nothing by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) asked: bool,
    /// What is being printed is one too many, and what the queue says about that was done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) surplus: bool,
    /// How the printer knows the print under way, when that began under another copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) printing_as: Option<String>,
}

impl Work {
    pub(crate) fn new(
        queue: QueueId,
        (copy, attempt): (CopyId, u32),
        ballot: Ballot,
        spec_hash: [u8; 32],
        stage: Stage,
    ) -> Self {
        Self {
            queue,
            copy,
            attempt,
            ballot,
            spec_hash,
            stage,
            speculative: false,
            asked: false,
            surplus: false,
            printing_as: None,
        }
    }

    /// Goes on as the work on a copy that the voters gave to it. The print under way keeps its name.
    pub(crate) fn becomes(&mut self, (copy, attempt): (CopyId, u32), ballot: &Ballot) {
        if let Stage::Running { k, .. } = self.stage {
            self.printing_as = Some(crate::work::print_token(self, k));
        }
        (self.copy, self.attempt) = (copy, attempt);
        self.ballot = ballot.clone();
        self.speculative = false;
        self.surplus = false;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// Asked the voters to promise. Never journaled.
    Claiming,
    /// Promised; files are being fetched and put into imports.
    Fetching,
    /// Everything is here; waits until the machine may start.
    Staged,
    /// Asked the voters to accept the start; asks again until they answer.
    Starting,
    /// Accepted; between two prints, waits for a clear bed.
    Between,
    /// The intent to print run `k` is durable: from here on it may have begun.
    Running {
        k: u32,
        /// The printer said that it began.
        #[serde(default)]
        began: bool,
    },
    /// Run `k` came to its end; a person says whether it is good.
    Judging {
        k: u32,
        /// When it ended.
        ended: Timestamp,
    },
}

/// A print of which this host lost sight: whoever tells how it ended, the printer or a person, settles it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Unsure {
    pub(crate) work: Work,
    pub(crate) k: u32,
    /// The printer had said that it began.
    pub(crate) began: bool,
}

/// A withdrawal whose second phase may have been heard by a voter: it is finished whatever happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WithdrawalRecord {
    pub(crate) queue: QueueId,
    pub(crate) job: JobId,
    pub(crate) units: Vec<(CopyId, u32)>,
    pub(crate) ballot: Ballot,
    pub(crate) then: Then,
    /// What earlier rounds of it took.
    #[serde(default)]
    pub(crate) taken: Vec<(CopyId, u32)>,
}

/// What follows a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Then {
    Cancel,
    Move {
        to: QueueId,
        rank_top: bool,
    },
    /// The copies that this edit does not want are open for their next attempt, should they be wanted again.
    Edit(JobEdit),
    /// It came to nothing: what a voter may hold of it is open for its next attempt.
    Reopen,
}

/// A member as last met.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PeerRecord {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) software: Option<String>,
    pub(crate) last_seen: Option<Timestamp>,
    /// How much it has said, as far as it told this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<crate::memory::Told>,
}

/// Keys; each starts with a word and `/`, which is what the boot reads them back by.
pub(crate) mod key {
    use super::*;

    pub(crate) const HOST: &str = "host";
    pub(crate) const QUEUE: &str = "queue/";
    pub(crate) const PRINTER: &str = "printer/";
    pub(crate) const WORK: &str = "work/";
    pub(crate) const ASIDE: &str = "aside/";
    pub(crate) const UNSURE: &str = "unsure/";
    pub(crate) const VOTE: &str = "vote/";
    pub(crate) const HEAL: &str = "heal/";
    pub(crate) const CONFIG: &str = "config/";
    pub(crate) const WITHDRAWAL: &str = "withdrawal/";
    pub(crate) const REQUEST: &str = "request/";
    pub(crate) const PEER: &str = "peer/";
    pub(crate) const KEPT: &str = "kept/";
    pub(crate) const OWN: &str = "own/";
    pub(crate) const CARRY: &str = "carry/";
    pub(crate) const FILE: &str = "file/";
    pub(crate) const IMPORT: &str = "import/";
    pub(crate) const SLICED: &str = "sliced/";
    pub(crate) const USAGE: &str = "usage/";
    pub(crate) const HEAT: &str = "heat/";
    pub(crate) const QUARANTINE: &str = "quarantine/";
    pub(crate) const PROOF: &str = "proof/";

    /// Whether a value is part of what this host decides by as a voter.
    pub(crate) fn is_vote(key: &[u8]) -> bool {
        key.starts_with(VOTE.as_bytes()) || key.starts_with(CONFIG.as_bytes())
    }

    pub(crate) fn queue(id: QueueId) -> String {
        format!("{QUEUE}{id}")
    }
    pub(crate) fn printer(name: &str) -> String {
        format!("{PRINTER}{name}")
    }
    pub(crate) fn work(name: &str) -> String {
        format!("{WORK}{name}")
    }
    pub(crate) fn aside(ballot: u64) -> String {
        format!("{ASIDE}{ballot}")
    }
    pub(crate) fn unsure(ballot: u64) -> String {
        format!("{UNSURE}{ballot}")
    }
    pub(crate) fn vote(queue: QueueId, copy: CopyId, attempt: u32) -> String {
        format!("{VOTE}{queue}/{}/{}/{attempt}", copy.job, copy.index)
    }
    pub(crate) fn config(queue: QueueId) -> String {
        format!("{CONFIG}{queue}")
    }
    /// Read back by [`parse_vote`].
    pub(crate) fn heal(queue: QueueId, copy: CopyId, attempt: u32) -> String {
        format!("{HEAL}{queue}/{}/{}/{attempt}", copy.job, copy.index)
    }
    pub(crate) fn withdrawal(job: JobId) -> String {
        format!("{WITHDRAWAL}{job}")
    }
    pub(crate) fn request(queue: QueueId, id: &str) -> String {
        format!("{REQUEST}{queue}/{id}")
    }
    pub(crate) fn peer(host: HostId) -> String {
        format!("{PEER}{host}")
    }
    pub(crate) fn kept(queue: QueueId, job: JobId) -> String {
        format!("{KEPT}{queue}/{job}")
    }
    pub(crate) fn own(queue: QueueId) -> String {
        format!("{OWN}{queue}")
    }
    pub(crate) fn carry(queue: QueueId) -> String {
        format!("{CARRY}{queue}")
    }
    pub(crate) fn heat(ballot: u64) -> String {
        format!("{HEAT}{ballot}")
    }
    pub(crate) fn usage(id: u64) -> String {
        format!("{USAGE}{id}")
    }
    pub(crate) fn file(hash: FileHash) -> String {
        format!("{FILE}{hash}")
    }
    pub(crate) fn import((job, set, file): Imported) -> String {
        format!("{IMPORT}{job}/{set}/{file}")
    }

    pub(crate) fn sliced((job, set, file): Imported) -> String {
        format!("{SLICED}{job}/{set}/{file}")
    }

    pub(crate) fn quarantine(queue: QueueId, host: HostId) -> String {
        format!("{QUARANTINE}{queue}/{host}")
    }

    pub(crate) fn proof(queue: QueueId, host: HostId) -> String {
        format!("{PROOF}{queue}/{host}")
    }

    /// Reads back what [`quarantine`] and [`proof`] wrote.
    pub(crate) fn parse_member(rest: &str) -> Option<(QueueId, HostId)> {
        let (queue, host) = rest.split_once('/')?;
        Some((queue.parse().ok()?, host.parse().ok()?))
    }

    /// Reads back what [`vote`] wrote.
    pub(crate) fn parse_vote(rest: &str) -> Option<(QueueId, CopyId, u32)> {
        let mut parts = rest.split('/');
        let queue = parts.next()?.parse().ok()?;
        let job = parts.next()?.parse().ok()?;
        let index = parts.next()?.parse().ok()?;
        Some((queue, CopyId { job, index }, parts.next()?.parse().ok()?))
    }

    /// Reads what was written while a set was one file.
    pub(crate) fn parse_import_of_set(rest: &str) -> Option<(JobId, SetId)> {
        let (job, set) = rest.split_once('/')?;
        Some((job.parse().ok()?, set.parse().ok()?))
    }

    /// Reads back what [`import`] and [`sliced`] wrote.
    pub(crate) fn parse_import(rest: &str) -> Option<Imported> {
        let mut parts = rest.split('/');
        let (job, set, file) = (parts.next()?, parts.next()?, parts.next()?);
        Some((job.parse().ok()?, set.parse().ok()?, file.parse().ok()?))
    }
}

pub(crate) fn put<T: Serialize>(key: String, value: &T) -> Write {
    Write::Put {
        key: key.into_bytes(),
        value: serde_json::to_vec(value).expect("plain data always encodes"),
    }
}

pub(crate) fn delete(key: String) -> Write {
    Write::Delete {
        key: key.into_bytes(),
    }
}

pub(crate) fn read<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_is_found_again_after_a_restart() {
        let (queue, copy) = (
            QueueId([7; 32]),
            CopyId {
                job: JobId([9; 16]),
                index: 3,
            },
        );
        let key = key::vote(queue, copy, 2);
        assert_eq!(
            key::parse_vote(key.strip_prefix(key::VOTE).unwrap()),
            Some((queue, copy, 2))
        );
    }
}
