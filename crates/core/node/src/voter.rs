//! This host as a voter: what it promises and accepts is durable before its answer leaves.

use std::collections::BTreeMap;

use printmesh_queue::{Ballot, ClaimState, CopyId, HostId, JobState, QueueId, Role, Snapshot};

use crate::{
    heat::{is_place, place_is_taken},
    limits::{BALLOT_MAX, COPIES_MAX},
    message::{Ask, Beat, Message, Reply},
    node::Node,
    records::{self, key},
    register::{Nack, Value, Vote},
    sabotage::Sabotage,
};

/// An attempt at a copy.
type Unit = (CopyId, u32);

/// Units with their new votes, or the one that stood in the way.
type Judged = Result<Vec<(Unit, Vote)>, Box<(Unit, Nack)>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Prepare,
    Accept,
}

impl Node {
    pub(crate) fn asked_to_prepare(&mut self, from: HostId, ask: Ask) {
        self.vote(from, ask, Question::Prepare);
    }

    pub(crate) fn asked_to_accept(&mut self, from: HostId, ask: Ask) {
        self.vote(from, ask, Question::Accept);
    }

    fn vote(&mut self, from: HostId, ask: Ask, question: Question) {
        let reply = Reply {
            queue: ask.queue,
            ballot: ask.ballot.clone(),
            cfg: ask.cfg,
            told: None,
        };
        match self
            .consider(from, &ask, question)
            .and_then(|votes| self.paced(from, ask.queue, votes))
        {
            Ok(votes) => {
                let copies: Vec<CopyId> = votes.iter().map(|((copy, _), _)| *copy).collect();
                let places = votes.iter().filter(|((copy, _), _)| is_place(*copy));
                let places: Vec<(CopyId, u32)> = places.map(|(unit, _)| *unit).collect();
                for ((copy, attempt), vote) in votes {
                    if question == Question::Accept {
                        let (by, printer) = (ask.ballot.host, &ask.ballot.printer);
                        tracing::debug!(job = %copy.job, copy = copy.index + 1, attempt = attempt + 1, %by, printer, "votes for a claim");
                    }
                    if !self.sabotaged(Sabotage::VolatileVotes) {
                        let write = records::put(key::vote(ask.queue, copy, attempt), &vote);
                        self.write(write);
                    }
                    let until = self.now.mono_ms + self.lease_ms(ask.queue);
                    let entry = self.queues.get_mut(&ask.queue).expect("considered");
                    entry.votes.insert((copy, attempt), vote);
                    entry
                        .leases
                        .insert((copy, attempt), (ask.ballot.clone(), until));
                }
                for unit in places {
                    self.forget_turns(ask.queue, unit);
                }
                for copy in copies {
                    self.watch_copy(ask.queue, copy);
                }
                if from == self.me {
                    self.voted_for_itself(ask.queue);
                }
                let told = (from != self.me).then(|| self.told());
                let reply = Reply { told, ..reply };
                let yes = match question {
                    Question::Prepare => Message::Promise(reply),
                    Question::Accept => Message::Accepted(reply),
                };
                self.send(from, yes);
            }
            Err(refusal) => {
                let (unit, nack) = *refusal;
                tracing::debug!(peer = %from, ?nack, "refused a claim");
                let starting = question == Question::Accept;
                self.send(
                    from,
                    Message::Refused {
                        reply,
                        starting,
                        unit,
                        nack,
                    },
                );
            }
        }
    }

    /// Every answer is kept for good: a member that asks about more than a member may has to wait.
    fn paced(&mut self, from: HostId, queue: QueueId, votes: Vec<(Unit, Vote)>) -> Judged {
        let kept = &self.queues[&queue].votes;
        let new = votes.iter().filter(|(unit, _)| !kept.contains_key(unit));
        let new = new.count();
        match votes.first() {
            Some((unit, _)) if !self.may_ask_about(queue, from, votes.len(), new) => {
                Err(Box::new((*unit, Nack::TooFast)))
            }
            _ => Ok(votes),
        }
    }

    /// Decides about all units or none, without changing anything.
    fn consider(&self, from: HostId, ask: &Ask, question: Question) -> Judged {
        let first = ask.units.first().copied().unwrap_or((
            CopyId {
                job: printmesh_queue::JobId([0; 16]),
                index: 0,
            },
            0,
        ));
        let no = |unit, nack| Err(Box::new((unit, nack)));
        let proposer = match &ask.value {
            Value::Print { host, printer, .. } => *host == from && *printer == ask.ballot.printer,
            Value::Withdraw { by } => *by == from && ask.ballot.printer.is_empty(),
        };
        let Some(entry) = self
            .queues
            .get(&ask.queue)
            .filter(|entry| !entry.record.left)
        else {
            return no(first, Nack::Unknown);
        };
        let snapshot = entry.doc.snapshot();
        let bounded = ask.units.len() <= COPIES_MAX as usize && ask.ballot.n <= BALLOT_MAX;
        if !proposer || ask.ballot.host != from || !bounded {
            return no(first, Nack::NotAllowed);
        }
        if !entry.serves(self.me, ask.cfg) {
            let cfg = entry.config_number();
            return no(first, Nack::StaleConfig { cfg });
        }
        if !self.knows_its_votes(ask.queue) {
            return no(first, Nack::Waking);
        }
        let mut votes = Vec::with_capacity(ask.units.len());
        for unit in &ask.units {
            let nack = match is_place(unit.0) {
                true => place_is_taken(entry, from, *unit, &ask.value),
                false => stands_in_the_way(snapshot, &entry.votes, from, *unit, &ask.value),
            };
            if let Some(nack) = nack
                && !(self.sabotaged(Sabotage::ReclaimsClosed) && nack == Nack::Closed)
            {
                return no(*unit, nack);
            }
            let mut vote = entry.votes.get(unit).cloned().unwrap_or_default();
            if self.sabotaged(Sabotage::IgnoresForeign) {
                vote.accepted = None;
            }
            let lease = entry.leases.get(unit).filter(|(held, until)| {
                (held.host, &held.printer) != (ask.ballot.host, &ask.ballot.printer)
                    && *until > self.now.mono_ms
            });
            let leased_ms = lease.map_or(0, |(_, until)| until - self.now.mono_ms);
            let answer = match question {
                Question::Prepare => vote.prepare(&ask.ballot, &ask.value, leased_ms),
                Question::Accept => vote.accept(&ask.ballot, &ask.value),
            };
            if let Err(nack) = answer {
                return no(*unit, nack);
            }
            votes.push((*unit, vote));
        }
        Ok(votes)
    }

    pub(crate) fn asked_to_abort(
        &mut self,
        from: HostId,
        queue: QueueId,
        units: &[(CopyId, u32)],
        ballot: &Ballot,
    ) {
        if ballot.host != from {
            return;
        }
        for unit in units {
            let Some(entry) = self.queues.get_mut(&queue) else {
                return;
            };
            let Some(vote) = entry.votes.get_mut(unit) else {
                continue;
            };
            if vote.abort(ballot) {
                let vote = vote.clone();
                entry.leases.remove(unit);
                let write = records::put(key::vote(queue, unit.0, unit.1), &vote);
                self.write(write);
            }
        }
    }

    /// A holder that speaks keeps its lease.
    pub(crate) fn lease_beat(&mut self, beat: &Beat) {
        let until = self.now.mono_ms + self.lease_ms(beat.queue);
        if let Some(entry) = self.queues.get_mut(&beat.queue)
            && let Some((held, end)) = entry.leases.get_mut(&(beat.copy, beat.attempt))
            && *held == beat.ballot
        {
            *end = until;
        }
    }
}

/// Returns why a unit cannot be given to the asking host, whatever the ballots say.
pub(crate) fn stands_in_the_way(
    snapshot: &Snapshot,
    votes: &BTreeMap<(CopyId, u32), Vote>,
    from: HostId,
    (copy, attempt): (CopyId, u32),
    value: &Value,
) -> Option<Nack> {
    let Some(job) = snapshot.jobs.get(&copy.job) else {
        return Some(Nack::Unknown);
    };
    let Some(member) = snapshot.members.get(&from).filter(|member| !member.left) else {
        return Some(Nack::NotAllowed);
    };
    let allowed = match value {
        Value::Print { .. } => member.may(Role::Printer),
        Value::Withdraw { .. } => {
            member.may(Role::Operator) || member.may(Role::Submitter) && job.submitter == from
        }
    };
    if !allowed {
        return Some(Nack::NotAllowed);
    }
    let printing = matches!(value, Value::Print { .. });
    // Of a job whose copies have become fewer the others are taken out; no job has more than that.
    if copy.index >= COPIES_MAX {
        return Some(Nack::NotAllowed);
    }
    if printing && (job.state != JobState::Open || job.draft || copy.index >= job.units()) {
        return Some(Nack::Closed);
    }
    if vote_is_lost(votes, (copy, attempt)) || snapshot.is_lost(copy, attempt) {
        return Some(Nack::Lost);
    }
    // What the voters have not decided ends nothing; nor does a print that counts elsewhere, but for its own host.
    let mut ended = snapshot.claims_of(copy).filter(|claim| {
        let elsewhere = matches!(
            claim.record.state,
            ClaimState::Credited | ClaimState::Surplus
        );
        let counts = !elsewhere || claim.host == from;
        !claim.record.speculative && claim.record.state.is_over() && counts
    });
    // An attempt that ended is never started again, not even by its own printer (notes: fix 1), and of a copy that is
    // made no other attempt.
    if ended.any(|claim| claim.attempt == attempt || claim.record.state == ClaimState::Finished) {
        return Some(Nack::Closed);
    }
    let previous = attempt.checked_sub(1);
    let open = previous.is_some_and(|previous| !closed(snapshot, votes, (copy, previous)));
    open.then_some(Nack::Closed)
}

fn vote_is_lost(votes: &BTreeMap<(CopyId, u32), Vote>, unit: (CopyId, u32)) -> bool {
    votes.get(&unit).is_some_and(|vote| vote.lost)
}

/// Whether an attempt is over for good, so that the next one may be claimed: its voters gave it up, or the very host
/// that was allowed to start it says that it failed or gives it back.
///
/// A voter that was away at that start may say yes as well: a majority was not, and this one refuses that start from now on.
fn closed(
    snapshot: &Snapshot,
    votes: &BTreeMap<(CopyId, u32), Vote>,
    (copy, attempt): (CopyId, u32),
) -> bool {
    let vote = votes.get(&(copy, attempt));
    let started_by = vote.and_then(|vote| vote.accepted.as_ref());
    let by_holder = snapshot.claims_of(copy).any(|claim| {
        let allowed = match started_by {
            None => true,
            Some((_, Value::Print { host, .. })) => *host == claim.host,
            // Given back by the host that took it out: only it may. Of several that tried, the voters let one; it alone says so,
            // and what this voter accepted was decided by nobody.
            Some((_, Value::Withdraw { by })) => *by == claim.host || claim.record.is_reopening(),
        };
        let state = claim.record.state;
        let ended = matches!(state, ClaimState::Failed | ClaimState::Released);
        allowed && claim.attempt == attempt && ended && !claim.record.speculative
    });
    by_holder || snapshot.is_lost(copy, attempt)
}
