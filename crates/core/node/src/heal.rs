//! After the voters were away: every print that they have not decided about gets its copy, another one of the same job,
//! or is booked as one too many. The same for a print that was given up and whose copy somebody else has made since.
//!
//! The register decides who made a copy, never the document. What a voter may have heard is in the journal first, so that
//! it is carried through over any crash and any further partition.

use std::collections::BTreeSet;

use printmesh_queue::{Claim, ClaimState, CopyId, CopyState, HostId, QueueId, Snapshot};
use serde::{Deserialize, Serialize};

use crate::{
    limits::{BALLOT_MAX, BEHIND_MS, DUEL_MS, REFUSED_MS, ROUND_MS},
    message::{Message, Reply},
    node::Node,
    records::{self, key},
    register::{Nack, Phase, Round, Value, Verdict},
    voter::stands_in_the_way,
};

/// A copy with the number of an attempt.
pub(crate) type Unit = (CopyId, u32);

/// What the journal keeps: the voters may have given this copy to a print that was made under another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HealRecord {
    /// The copy and the attempt that are asked for.
    pub(crate) to: (CopyId, u32),
}

/// A print for which a copy is looked for.
pub(crate) struct Heal {
    to: Unit,
    /// A voter may have heard that it is to have `to`.
    asked: bool,
    round: Option<Round>,
    deadline_ms: u64,
    /// Not tried again before.
    again_ms: u64,
    /// How long voters that decide nothing were waited for last.
    behind_ms: u64,
    /// What the voters gave to others.
    taken: BTreeSet<Unit>,
}

enum Target {
    /// This one may be free.
    Ask(Unit),
    /// One that is claimed may yet become free.
    Wait,
    /// None is left.
    None,
}

/// Returns whether a claim of a host needs the voters' word: they have not decided about it, or its copy was made by
/// somebody else as well.
pub(crate) fn is_loose(snapshot: &Snapshot, copy: CopyId, claim: &Claim) -> bool {
    let state = claim.record.state;
    match state {
        ClaimState::Started | ClaimState::Printing | ClaimState::Finished
            if !claim.record.speculative =>
        {
            // Of several that finished one copy the last attempt that was not given up has it.
            let standing = |claim: &Claim| {
                let given_up = snapshot.is_lost(copy, claim.attempt);
                (!given_up, claim.attempt, claim.host)
            };
            let finished = state == ClaimState::Finished;
            snapshot.claims_of(copy).any(|other| {
                other.record.state == ClaimState::Finished
                    && !other.record.speculative
                    && (other.attempt, other.host) != (claim.attempt, claim.host)
                    && (!finished || standing(other) > standing(claim))
            })
        }
        ClaimState::Started
        | ClaimState::Printing
        | ClaimState::Unknown
        | ClaimState::Finished
        | ClaimState::Failed
        // Until the voters have closed that attempt, its own host may not claim the copy again, and it may be the only one.
        | ClaimState::Released => claim.record.speculative,
        ClaimState::Claimed
        | ClaimState::Fetching
        | ClaimState::Staged
        | ClaimState::Dropped
        | ClaimState::Credited
        | ClaimState::Surplus => false,
    }
}

pub(crate) fn claim_of(snapshot: &Snapshot, (copy, attempt): Unit, host: HostId) -> Option<&Claim> {
    snapshot.claims.get(&copy)?.get(&(attempt, host))
}

impl Node {
    /// Notes which of this host's claims on a copy need the voters' word.
    pub(crate) fn note_loose(&mut self, queue: QueueId, copy: CopyId) {
        let me = self.me;
        let Some(entry) = self.queues.get_mut(&queue) else {
            return;
        };
        entry.loose.retain(|(other, _)| *other != copy);
        let snapshot = entry.doc.snapshot();
        let mine = snapshot.claims_of(copy).filter(|claim| claim.host == me);
        let loose = mine.filter(|claim| is_loose(snapshot, copy, claim));
        let loose: Vec<Unit> = loose.map(|claim| (copy, claim.attempt)).collect();
        entry.loose.extend(loose);
    }

    /// Looks for the copies of all prints that need one. Returns whether anything moved.
    pub(crate) fn drive_heals(&mut self) -> bool {
        let mut due: Vec<(QueueId, Unit)> = Vec::new();
        for (queue, entry) in self.queues.iter().filter(|(_, entry)| !entry.record.left) {
            let voters = &entry.doc.snapshot().voters;
            let any = !entry.loose.is_empty();
            if any && self.presence(*queue).has_quorum(voters) {
                due.extend(entry.loose.iter().map(|unit| (*queue, *unit)));
            }
        }
        let asked = self.heals.iter().filter(|(_, heal)| heal.asked);
        let asked: Vec<_> = asked
            .map(|((queue, copy, n), _)| (*queue, (*copy, *n)))
            .collect();
        for unit in asked {
            let entry = self.queues.get(&unit.0).filter(|entry| !entry.record.left);
            let here = entry.is_some_and(|entry| {
                self.presence(unit.0)
                    .has_quorum(&entry.doc.snapshot().voters)
            });
            if here && !due.contains(&unit) {
                due.push(unit);
            }
        }
        let mut moved = false;
        for (queue, from) in due {
            moved |= self.heal(queue, from);
        }
        moved
    }

    fn heal(&mut self, queue: QueueId, from: Unit) -> bool {
        let now_ms = self.now.mono_ms;
        let key = (queue, from.0, from.1);
        let cfg = self.queues[&queue].doc.snapshot().voters.cfg;
        if let Some(heal) = self.heals.get_mut(&key) {
            if let Some(round) = &heal.round {
                // Its voters may have made way for others.
                if heal.deadline_ms > now_ms && round.cfg == cfg {
                    return false;
                }
                let silent = round.cfg == cfg;
                let round = heal.round.take();
                heal.again_ms = if silent { now_ms + REFUSED_MS } else { now_ms };
                self.make_way(queue, round);
                return true;
            }
            if heal.again_ms > now_ms {
                return false;
            }
        }
        let snapshot = self.queues[&queue].doc.snapshot();
        let Some(claim) = claim_of(snapshot, from, self.me).cloned() else {
            return false;
        };
        match self.target(queue, from, &claim) {
            Target::Ask(to) => {
                self.ask_for_copy(queue, from, to, &claim);
                true
            }
            Target::Wait => false,
            Target::None => self.one_too_many(queue, from, &claim),
        }
    }

    /// The copy that a print may count for.
    fn target(&self, queue: QueueId, from: Unit, claim: &Claim) -> Target {
        let heal = self.heals.get(&(queue, from.0, from.1));
        if let Some(heal) = heal.filter(|heal| heal.asked) {
            return Target::Ask(heal.to);
        }
        let snapshot = self.queues[&queue].doc.snapshot();
        let Some(job) = snapshot.jobs.get(&from.0.job) else {
            return Target::None;
        };
        let value = self.value_of(claim);
        let none = std::collections::BTreeMap::new();
        let free = |unit: Unit| {
            heal.is_none_or(|heal| !heal.taken.contains(&unit))
                && stands_in_the_way(snapshot, &none, self.me, unit, &value).is_none()
        };
        if claim.record.speculative && free(from) {
            return Target::Ask(from);
        }
        // Nobody knows whether there is a part: it is not given out as one.
        if matches!(
            claim.record.state,
            ClaimState::Failed | ClaimState::Unknown | ClaimState::Released
        ) {
            let unsure = self.unsure.values().any(|unsure| {
                unsure.work.queue == queue && (unsure.work.copy, unsure.work.attempt) == from
            });
            return if unsure { Target::Wait } else { Target::None };
        }
        if job.spec_hash() != claim.record.spec_hash {
            return Target::None;
        }
        let presence = self.presence(queue);
        let mut target = Target::None;
        for (copy, state) in snapshot.copies_of(job) {
            let state = match copy == from.0 {
                true => snapshot.copy_state_without(copy, Some((from.1, self.me))),
                false => state,
            };
            let attempt = match state {
                CopyState::Open(attempt) => attempt,
                CopyState::Claimed(other) if presence.lapsed.contains(&(copy, other.attempt)) => {
                    other.attempt
                }
                CopyState::Claimed(_) => {
                    target = Target::Wait;
                    continue;
                }
                CopyState::Begun(_) | CopyState::Done(_) | CopyState::Failed(_) => continue,
            };
            let unit = (copy, attempt);
            let own = claim_of(snapshot, unit, self.me).map(|claim| claim.record.state);
            let used = own.is_some_and(|state| state.is_begun() || state.is_over());
            let wanted = self.heals.iter().any(|((other, ..), heal)| {
                *other == queue && heal.to == unit && (heal.asked || heal.round.is_some())
            });
            if !used && !wanted && free(unit) {
                return Target::Ask(unit);
            }
        }
        target
    }

    fn value_of(&self, claim: &Claim) -> Value {
        Value::Print {
            host: self.me,
            printer: claim.record.printer.clone(),
            spec_hash: claim.record.spec_hash,
        }
    }

    fn ask_for_copy(&mut self, queue: QueueId, from: Unit, to: Unit, claim: &Claim) {
        let ballot = self.new_ballot(&claim.record.printer, queue, to);
        let voters = self.queues[&queue].doc.snapshot().voters.clone();
        let value = self.value_of(claim);
        let round = Round::new(ballot, vec![to], value, voters, Phase::Preparing);
        self.ask_voters(queue, &round);
        let deadline_ms = self.now.mono_ms + ROUND_MS;
        let new = Heal {
            to,
            asked: false,
            round: None,
            deadline_ms,
            again_ms: 0,
            behind_ms: 0,
            taken: BTreeSet::new(),
        };
        let heal = self.heals.entry((queue, from.0, from.1)).or_insert(new);
        heal.to = to;
        heal.round = Some(round);
        heal.deadline_ms = deadline_ms;
    }

    fn heal_of(&self, reply: &Reply) -> Option<(QueueId, CopyId, u32)> {
        let asks = |heal: &Heal| {
            let round = heal.round.as_ref();
            round.is_some_and(|round| round.ballot == reply.ballot && round.cfg == reply.cfg)
        };
        let found = self.heals.iter().find(|(_, heal)| asks(heal));
        found.map(|(key, _)| *key)
    }

    /// A voter promised. Returns whether it was asked for such a print.
    pub(crate) fn heal_promised(&mut self, voter: HostId, reply: &Reply) -> bool {
        let Some(key) = self.heal_of(reply) else {
            return false;
        };
        let Some(heal) = self.heals.get_mut(&key) else {
            return false;
        };
        let Some(round) = &mut heal.round else {
            return false;
        };
        if round.yes(voter, Phase::Preparing) == Verdict::Yes {
            round.accepting();
            let round = round.clone();
            heal.asked = true;
            heal.deadline_ms = u64::MAX;
            // Durable before a voter can hear of it.
            let record = HealRecord { to: heal.to };
            self.write(records::put(key::heal(key.0, key.1, key.2), &record));
            self.ask_voters(key.0, &round);
        }
        true
    }

    /// A voter accepted. Returns whether it was asked for such a print.
    pub(crate) fn heal_accepted(&mut self, voter: HostId, reply: &Reply) -> bool {
        let Some(key) = self.heal_of(reply) else {
            return false;
        };
        let round = self
            .heals
            .get_mut(&key)
            .and_then(|heal| heal.round.as_mut());
        let Some(round) = round else {
            return false;
        };
        if round.yes(voter, Phase::Accepting) == Verdict::Yes
            && let Some(heal) = self.heals.remove(&key)
            && let Some(round) = heal.round
        {
            self.write(records::delete(key::heal(key.0, key.1, key.2)));
            self.healed(key.0, (key.1, key.2), heal.to, round);
        }
        true
    }

    /// A voter refused. Returns whether it was asked for such a print.
    pub(crate) fn heal_refused(
        &mut self,
        voter: HostId,
        reply: &Reply,
        phase: Phase,
        unit: Unit,
        nack: Nack,
    ) -> bool {
        let Some(key) = self.heal_of(reply) else {
            return false;
        };
        let (now_ms, me) = (self.now.mono_ms, self.me);
        let jitter_ms = self.entropy.below(DUEL_MS);
        let closed_here = self.is_closed_here(key);
        let Some(heal) = self.heals.get_mut(&key) else {
            return false;
        };
        let Some(round) = &mut heal.round else {
            return false;
        };
        if !round.asks(voter) {
            return true;
        }
        let mut verdict = round.no(voter, phase, unit, nack.clone());
        if verdict == Verdict::Open && round.phase == Phase::Preparing {
            let peers = &self.peers;
            let here =
                |host: &HostId| *host == me || peers.get(host).is_some_and(|peer| peer.connected);
            if !round.may_succeed(here) {
                verdict = Verdict::No(unit.0, unit.1, nack);
            }
        }
        let Verdict::No(_, _, nack) = verdict else {
            return true;
        };
        let round = heal.round.take();
        let wait_ms = match &nack {
            // Somebody else has it, for good.
            Nack::Accepted(_) | Nack::Lost => {
                heal.taken.insert(heal.to);
                heal.asked = false;
                self.write(records::delete(key::heal(key.0, key.1, key.2)));
                0
            }
            // As this host sees it as well; if not, the documents are not equal yet.
            Nack::Closed | Nack::NotAllowed if closed_here => {
                heal.asked = false;
                self.write(records::delete(key::heal(key.0, key.1, key.2)));
                0
            }
            Nack::Closed | Nack::NotAllowed | Nack::TooFast => REFUSED_MS + jitter_ms,
            Nack::Leased { for_ms } => (*for_ms).min(REFUSED_MS) + jitter_ms,
            Nack::Promised(higher) => {
                if higher.n < BALLOT_MAX {
                    self.host.ballot = self.host.ballot.max(higher.n);
                }
                DUEL_MS + jitter_ms
            }
            // Mostly that passes at once; where two admins have put each other out it lasts until a person decides.
            Nack::StaleConfig { .. } | Nack::Unknown | Nack::Waking | Nack::Place { .. } => {
                heal.behind_ms = (heal.behind_ms * 2).clamp(BEHIND_MS, REFUSED_MS);
                heal.behind_ms + jitter_ms
            }
        };
        if let Some(heal) = self.heals.get_mut(&key) {
            heal.again_ms = now_ms + wait_ms;
        }
        self.make_way(key.0, round);
        true
    }

    /// Gives promises back that led to nothing: several who ask for one copy at once would only block each other.
    fn make_way(&mut self, queue: QueueId, round: Option<Round>) {
        let Some(round) = round.filter(|round| round.phase == Phase::Preparing) else {
            return;
        };
        for voter in round.voters.hosts {
            let units = round.units.clone();
            let ballot = round.ballot.clone();
            self.send(
                voter,
                Message::Abort {
                    queue,
                    units,
                    ballot,
                },
            );
        }
    }

    /// Whether this host itself would refuse what it asks for, by its own document.
    fn is_closed_here(&self, (queue, copy, attempt): (QueueId, CopyId, u32)) -> bool {
        let snapshot = self.queues[&queue].doc.snapshot();
        let (from, none) = ((copy, attempt), std::collections::BTreeMap::new());
        let heal = self.heals.get(&(queue, copy, attempt));
        let claim = claim_of(snapshot, from, self.me);
        heal.zip(claim).is_none_or(|(heal, claim)| {
            let value = self.value_of(claim);
            stands_in_the_way(snapshot, &none, self.me, heal.to, &value).is_some()
        })
    }

    /// Rounds that ask about prints of this host, for a voter that is back.
    pub(crate) fn heal_rounds(&self) -> impl Iterator<Item = (QueueId, Round)> + '_ {
        self.heals
            .iter()
            .filter_map(|((queue, ..), heal)| Some((*queue, heal.round.clone()?)))
    }

    /// When to try again.
    pub(crate) fn heal_wakeup(&self) -> Option<u64> {
        let times = self.heals.values().map(|heal| match heal.round {
            Some(_) => heal.deadline_ms,
            None => heal.again_ms,
        });
        times
            .filter(|at| *at > self.now.mono_ms && *at != u64::MAX)
            .min()
    }

    /// What the journal says after a start of the daemon: it is asked for again.
    pub(crate) fn wake_heal(
        &mut self,
        (queue, copy, attempt): (QueueId, CopyId, u32),
        record: &HealRecord,
    ) {
        let heal = Heal {
            to: record.to,
            asked: true,
            round: None,
            deadline_ms: 0,
            again_ms: 0,
            behind_ms: 0,
            taken: BTreeSet::new(),
        };
        self.heals.insert((queue, copy, attempt), heal);
    }
}
