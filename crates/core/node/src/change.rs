//! A change of the voters as its initiator sees it: how far it is, and what is still to be asked, of whom.
//!
//! It lives in memory only; `reconfig.rs` moves it on.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use printmesh_queue::{Ballot, CopyId, HostId, QueueId, Seal, Voters};

use crate::{
    config_message::{ConfigAsk, ConfigMessage, Held},
    limits::PAGE_UNITS,
    register::Vote,
};

pub(crate) type Unit = (CopyId, u32);

/// A change under way, as its initiator sees it.
pub(crate) struct Change {
    /// The command to answer.
    pub(crate) command: Option<u64>,
    /// The voters that are asked.
    pub(crate) before: Voters,
    /// Who is to follow: what is wanted until the voters decided, then what they decided.
    pub(crate) hosts: Vec<HostId>,
    /// Who is to follow as far as the command goes.
    pub(crate) wanted: Vec<HostId>,
    pub(crate) ballot: Ballot,
    pub(crate) phase: Phase,
    /// When it is given up, or its command answered.
    pub(crate) deadline_ms: Option<u64>,
    /// When everybody who did not answer is asked again.
    pub(crate) again_ms: u64,
    pub(crate) pause_ms: u64,
}

/// How far it is.
pub(crate) enum Phase {
    /// The hosts that are to be voters are called, before anybody makes way for them.
    Calling {
        ready: BTreeSet<HostId>,
    },
    /// Another change was asked for at the same time: waits until `again_ms`.
    Duel,
    Preparing {
        promised: BTreeSet<HostId>,
        accepted: Option<(Ballot, Vec<HostId>)>,
    },
    Accepting {
        yes: BTreeSet<HostId>,
    },
    Sealing {
        /// Where the last page of each voter ended.
        pages: BTreeMap<HostId, Unit>,
        seals: Vec<Seal>,
        held: BTreeMap<Unit, Vote>,
    },
    Installing {
        seals: Vec<Seal>,
        /// What the voters before held; none when this host is a new voter and has taken it in itself.
        held: Option<BTreeMap<Unit, Vote>>,
        done: BTreeSet<HostId>,
    },
}

impl Change {
    pub(crate) fn next(&self) -> Voters {
        Voters {
            cfg: self.before.cfg + 1,
            hosts: self.hosts.clone(),
        }
    }

    pub(crate) fn newcomers(&self) -> Vec<HostId> {
        let new = |host: &&HostId| !self.before.hosts.contains(host);
        self.hosts.iter().filter(new).copied().collect()
    }

    pub(crate) fn ask(&self, queue: QueueId) -> ConfigAsk {
        ConfigAsk {
            queue,
            cfg: self.before.cfg,
            ballot: self.ballot.clone(),
        }
    }

    pub(crate) fn is_about(&self, ask: &ConfigAsk) -> bool {
        self.before.cfg == ask.cfg && self.ballot == ask.ballot
    }

    /// When there is something to do about it.
    pub(crate) fn wakeups(&self) -> impl Iterator<Item = u64> {
        self.deadline_ms.into_iter().chain([self.again_ms])
    }

    /// What is still to be asked, of whom.
    pub(crate) fn questions(&self, queue: QueueId) -> Vec<(HostId, ConfigMessage)> {
        let silent = |heard: &BTreeSet<HostId>, of: &[HostId]| -> Vec<HostId> {
            of.iter()
                .copied()
                .filter(|host| !heard.contains(host))
                .collect()
        };
        match &self.phase {
            Phase::Duel => Vec::new(),
            Phase::Calling { ready } => silent(ready, &self.newcomers())
                .into_iter()
                .map(|host| {
                    let cfg = self.before.cfg + 1;
                    (host, ConfigMessage::Call { queue, cfg })
                })
                .collect(),
            Phase::Preparing { promised, .. } => silent(promised, &self.before.hosts)
                .into_iter()
                .map(|voter| (voter, ConfigMessage::Prepare(self.ask(queue))))
                .collect(),
            Phase::Accepting { yes } => silent(yes, &self.before.hosts)
                .into_iter()
                .map(|voter| {
                    let (ask, hosts) = (self.ask(queue), self.hosts.clone());
                    (voter, ConfigMessage::Accept { ask, hosts })
                })
                .collect(),
            Phase::Sealing { pages, seals, .. } => {
                let sealed = seals.iter().map(|seal| seal.host).collect();
                silent(&sealed, &self.before.hosts)
                    .into_iter()
                    .map(|voter| {
                        let seal = ConfigMessage::Seal {
                            queue,
                            next: self.next(),
                            after: pages.get(&voter).copied(),
                        };
                        (voter, seal)
                    })
                    .collect()
            }
            Phase::Installing { seals, held, done } => {
                let held = held.as_ref();
                silent(done, &self.hosts)
                    .into_iter()
                    .filter_map(|host| {
                        let install = page(queue, self.next(), seals, held?, None);
                        Some((host, install))
                    })
                    .collect()
            }
        }
    }
}

/// One page of what the voters before held.
pub(crate) fn page(
    queue: QueueId,
    voters: Voters,
    seals: &[Seal],
    held: &BTreeMap<Unit, Vote>,
    after: Option<Unit>,
) -> ConfigMessage {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = held.range((from, Bound::Unbounded));
    let units = rest.by_ref().take(PAGE_UNITS);
    let page = units.map(|(unit, vote)| Held::new(*unit, vote)).collect();
    ConfigMessage::Install {
        queue,
        voters,
        seals: seals.to_vec(),
        after,
        page,
        last: rest.next().is_none(),
    }
}
