//! What a voter remembers of its configuration, durably: which one it serves, whether it has sealed it, and the register
//! that decides which voters follow.
//!
//! Unlike the register of a copy this one is plain Paxos: a proposer that finds an accepted list goes on with that
//! list, so any host can finish what another one began. Nothing here sends or writes.

use printmesh_queue::{Ballot, HostId, Seal, Voters};
use serde::{Deserialize, Serialize};

/// What a voter remembers of its configuration. The document's list is a publication; this is what counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConfigRecord {
    /// The configuration that this host serves, or served last.
    pub(crate) voters: Voters,
    /// The word of the voters before it, until the document has it; none for the first and for a recovered one.
    pub(crate) seals: Vec<Seal>,
    /// Sealed: it promises and accepts nothing in this configuration for ever. These follow; none after a recovery.
    pub(crate) sealed: Option<Vec<HostId>>,
    /// The disk knows less of it than this host told others: it decides nothing in this configuration, and hands nothing on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) forgot: bool,
    /// Highest ballot promised about the voters that follow.
    pub(crate) promised: Option<Ballot>,
    /// The list accepted last, with its ballot.
    pub(crate) accepted: Option<(Ballot, Vec<HostId>)>,
}

/// Why a voter does not answer about the voters that follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigNack {
    /// A higher ballot was promised.
    Promised(Ballot),
    /// It serves, or served last, another configuration.
    Other {
        /// That one; 0 for none.
        cfg: u32,
    },
    /// The asking host may not do that, or the list is none.
    NotAllowed,
}

impl ConfigRecord {
    /// A configuration that this host serves from now on.
    pub(crate) fn installed(voters: Voters, seals: Vec<Seal>) -> Self {
        Self {
            voters,
            seals,
            sealed: None,
            forgot: false,
            promised: None,
            accepted: None,
        }
    }

    /// Whether this host answers claims of a configuration.
    pub(crate) fn serves(&self, me: HostId, cfg: u32) -> bool {
        let whole = self.sealed.is_none() && !self.forgot;
        self.voters.cfg == cfg && whole && self.voters.hosts.contains(&me)
    }

    fn about(&self, cfg: u32) -> Result<(), ConfigNack> {
        if self.voters.cfg == cfg {
            Ok(())
        } else {
            Err(ConfigNack::Other {
                cfg: self.voters.cfg,
            })
        }
    }

    fn not_below(&self, ballot: &Ballot) -> Result<(), ConfigNack> {
        match &self.promised {
            Some(promised) if promised > ballot => Err(ConfigNack::Promised(promised.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// First phase: what was accepted so far. A sealed voter answers too, so that the change can be finished.
    pub(crate) fn prepare(
        &mut self,
        cfg: u32,
        ballot: &Ballot,
    ) -> Result<Option<(Ballot, Vec<HostId>)>, ConfigNack> {
        self.about(cfg)?;
        self.not_below(ballot)?;
        self.promised = Some(ballot.clone());
        Ok(self.accepted.clone())
    }

    /// Second phase.
    pub(crate) fn accept(
        &mut self,
        cfg: u32,
        ballot: &Ballot,
        hosts: &[HostId],
    ) -> Result<(), ConfigNack> {
        self.about(cfg)?;
        self.not_below(ballot)?;
        if self.sealed.as_deref().is_some_and(|next| next != hosts) {
            return Err(ConfigNack::NotAllowed);
        }
        self.promised = Some(ballot.clone());
        self.accepted = Some((ballot.clone(), hosts.to_vec()));
        Ok(())
    }

    /// Seals the configuration for the list that its voters decided; saying it twice is harmless.
    pub(crate) fn seal(&mut self, cfg: u32, next: &[HostId]) -> Result<(), ConfigNack> {
        self.about(cfg)?;
        if self.sealed.as_deref().is_some_and(|sealed| sealed != next) {
            return Err(ConfigNack::NotAllowed);
        }
        self.sealed = Some(next.to_vec());
        Ok(())
    }
}

/// Whether a list can be one of voters: one, three or five different hosts.
pub(crate) fn is_list(hosts: &[HostId]) -> bool {
    let mut sorted = hosts.to_vec();
    sorted.sort();
    sorted.dedup();
    matches!(hosts.len(), 1 | 3 | 5) && sorted.len() == hosts.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u8) -> HostId {
        HostId([n; 32])
    }

    fn ballot(n: u64) -> Ballot {
        Ballot {
            n,
            host: host(1),
            printer: String::new(),
        }
    }

    fn record() -> ConfigRecord {
        let voters = Voters {
            cfg: 4,
            hosts: vec![host(1), host(2), host(3)],
        };
        ConfigRecord::installed(voters, Vec::new())
    }

    #[test]
    fn who_asks_later_is_told_what_was_accepted_and_cannot_be_overtaken_by_who_asked_before() {
        let mut record = record();
        assert_eq!(record.prepare(4, &ballot(1)), Ok(None));
        record.accept(4, &ballot(1), &[host(1)]).unwrap();
        let accepted = Some((ballot(1), vec![host(1)]));
        assert_eq!(record.prepare(4, &ballot(3)), Ok(accepted));
        let late = record.accept(4, &ballot(1), &[host(2)]);
        assert_eq!(late, Err(ConfigNack::Promised(ballot(3))));
        assert_eq!(
            record.prepare(5, &ballot(9)),
            Err(ConfigNack::Other { cfg: 4 })
        );
    }

    #[test]
    fn a_sealed_voter_serves_nobody_and_still_says_who_follows() {
        let mut record = record();
        assert!(record.serves(host(1), 4) && !record.serves(host(9), 4));
        record.accept(4, &ballot(1), &[host(2)]).unwrap();
        record.seal(4, &[host(2)]).unwrap();
        record.seal(4, &[host(2)]).unwrap();
        assert!(!record.serves(host(1), 4));
        assert_eq!(
            record.prepare(4, &ballot(2)),
            Ok(Some((ballot(1), vec![host(2)])))
        );
        assert_eq!(record.seal(4, &[host(3)]), Err(ConfigNack::NotAllowed));
        assert_eq!(
            record.accept(4, &ballot(2), &[host(3)]),
            Err(ConfigNack::NotAllowed)
        );
    }

    #[test]
    fn voters_are_one_three_or_five_different_hosts() {
        let hosts: Vec<HostId> = (1..=6).map(host).collect();
        let good: Vec<usize> = (0..=6).filter(|n| is_list(&hosts[..*n])).collect();
        assert_eq!(good, [1, 3, 5]);
        assert!(!is_list(&[host(1), host(2), host(1)]));
    }
}
