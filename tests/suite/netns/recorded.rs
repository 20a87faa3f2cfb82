//! What real hosts left behind, as the plain facts that the laws of the simulator judge.
//!
//! The hosts are stopped: votes and documents are read from their disks, what the printers did from their drivers' log
//! lines. All run on one machine, so their clocks are one clock.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_node::{Value, Vote};
use printmesh_queue::{Author, ClaimState, CopyId, HostId, QueueDocument, QueueId, Snapshot};
use printmesh_sim::history::{Attempt, Config, Fact, History, Outcome, Owner, Printer, Unit};
use printmesh_store::{Database, Home};

use crate::suite::environment::Host;

/// A job that was answered with an id.
pub(super) struct Submitted {
    pub(super) id: String,
    pub(super) copies: u32,
}

/// What one host's disk says about a queue.
pub(super) struct Disk {
    /// The host itself.
    pub(super) me: HostId,
    pub(super) snapshot: Snapshot,
    votes: Vec<(CopyId, u32, Value)>,
}

/// Reads the disk of a host that does not run.
pub(super) fn read(host: &Host, queue: &str) -> Disk {
    let home = Home::at(&host.home);
    let database = Database::open(&home.state()).unwrap();
    // Nothing is written: nobody's name will do.
    let author = Author {
        host: HostId([0; 32]),
        boot: 0,
    };
    let documents = database.logs().unwrap().into_iter().map(|log| {
        let entries = database.log(log).unwrap();
        QueueDocument::load(QueueId(log), author, entries).unwrap()
    });
    let snapshot = documents
        .map(|document| document.snapshot().clone())
        .find(|snapshot| snapshot.name == queue)
        .unwrap();
    let prefix = format!("vote/{}/", snapshot.queue);
    let votes = database.scan(prefix.as_bytes()).unwrap();
    let votes = votes.into_iter().filter_map(|(key, value)| {
        let key = String::from_utf8(key).unwrap();
        let mut unit = key.strip_prefix(&prefix).unwrap().split('/');
        let vote: Vote = serde_json::from_slice(&value).unwrap();
        let (job, index) = (unit.next()?.parse().ok()?, unit.next()?.parse().ok()?);
        let attempt = unit.next()?.parse().ok()?;
        Some((CopyId { job, index }, attempt, vote.accepted?.1))
    });
    let votes = votes.collect();
    let me = snapshot
        .members
        .iter()
        .find(|(_, member)| member.name == host.name);
    Disk {
        me: *me.unwrap().0,
        snapshot,
        votes,
    }
}

/// Puts together what happened, in the order in which it did.
pub(super) fn history(
    hosts: &[Disk],
    submitted: &[Submitted],
    began: &[(CopyId, Printer)],
    kills: &BTreeMap<String, usize>,
) -> History {
    let mut history = History::new();
    let snapshot = &hosts[0].snapshot;
    let numbered = |number| Config {
        queue: snapshot.queue.to_string(),
        number,
    };
    for (cfg, voters) in &snapshot.configs {
        history.push((
            0,
            Fact::Voters {
                cfg: numbered(*cfg),
                hosts: voters.iter().map(ToString::to_string).collect(),
            },
        ));
    }
    for job in submitted {
        history.push((
            0,
            Fact::Submitted {
                job: job.id.clone(),
                copies: job.copies,
                runs: 1,
            },
        ));
    }
    // A voter's word is final, so it may stand before what follows from it. Of several ballots of one owner the last is
    // kept, so all of them count as one here. Jobs were submitted once all hosts voted: a word counts in each configuration
    // since then, and in none before: one that the others overruled would count as that of the founder, who was alone.
    let first = snapshot
        .configs
        .iter()
        .find(|(_, voters)| voters.len() == hosts.len())
        .map_or(0, |(cfg, _)| *cfg);
    for disk in hosts {
        let voter = &disk.me;
        for (copy, attempt, value) in &disk.votes {
            for (cfg, _) in snapshot
                .configs
                .iter()
                .filter(|(cfg, hosts)| **cfg >= first && hosts.contains(voter))
            {
                history.push((
                    0,
                    Fact::Accepted {
                        voter: voter.to_string(),
                        cfg: numbered(*cfg),
                        attempt: named(*copy, *attempt),
                        ballot: (0, String::new(), String::new()),
                        owner: owner(value),
                    },
                ));
            }
        }
    }
    let mut timed: Vec<(u64, Fact)> = Vec::new();
    for (copy, claims) in &snapshot.claims {
        for claim in claims.values() {
            let attempt = named(*copy, claim.attempt);
            let printer = Printer {
                host: claim.host.to_string(),
                name: claim.record.printer.clone(),
            };
            let alone = claim.record.speculative
                || matches!(
                    claim.record.state,
                    ClaimState::Credited | ClaimState::Surplus
                );
            if alone {
                history.push((
                    0,
                    Fact::Speculated {
                        attempt: attempt.clone(),
                        printer: printer.clone(),
                    },
                ));
            }
            // A credited print is told under the copy that it counts for as well.
            if claim.record.state != ClaimState::Credited {
                for (run, record) in &claim.runs {
                    let (attempt, printer, run) = (attempt.clone(), printer.clone(), *run);
                    let began = Fact::Began {
                        attempt: attempt.clone(),
                        printer: printer.clone(),
                        run,
                    };
                    timed.push((record.started.0, began));
                    if let Some(ended) = record.ended {
                        let good = record.result == printmesh_queue::RunResult::Ok;
                        let ended_fact = Fact::Ended {
                            attempt,
                            printer,
                            run,
                            good,
                        };
                        timed.push((ended.0, ended_fact));
                    }
                }
            }
            if let Some(outcome) = outcome(claim.record.state) {
                let recorded = Fact::Recorded {
                    attempt,
                    printer,
                    outcome,
                };
                timed.push((claim.record.at.0, recorded));
            }
        }
    }
    for ((copy, attempt), words) in &snapshot.lost {
        for (voter, word) in words {
            let lost = Fact::Lost {
                voter: voter.to_string(),
                cfg: numbered(word.cfg),
                attempt: named(*copy, *attempt),
            };
            timed.push((word.at.0, lost));
        }
    }
    timed.sort_by_key(|(at, _)| *at);
    history.extend(timed);
    told_of_each_start(snapshot, began, kills);
    history
}

/// Each print that a host logged is in the document: the intent was there before the heat. The line is written before the
/// step is on disk, so each kill of a host may have left one line of which nothing came.
fn told_of_each_start(
    snapshot: &Snapshot,
    began: &[(CopyId, Printer)],
    kills: &BTreeMap<String, usize>,
) {
    let mut counted: BTreeMap<&(CopyId, Printer), usize> = BTreeMap::new();
    for start in began {
        *counted.entry(start).or_default() += 1;
    }
    for ((copy, printer), times) in counted {
        let claims = snapshot.claims_of(*copy);
        let told: usize = claims
            .filter(|claim| claim.host.to_string() == printer.host)
            .filter(|claim| claim.record.state != ClaimState::Credited)
            .map(|claim| claim.runs.len())
            .sum();
        // A print that was credited is told under another copy of the job.
        let credited: usize = snapshot
            .claims
            .iter()
            .filter(|(other, _)| other.job == copy.job && *other != copy)
            .flat_map(|(_, claims)| claims.values())
            .filter(|claim| claim.host.to_string() == printer.host)
            .map(|claim| claim.runs.len())
            .sum();
        assert!(
            times <= told + credited + kills.get(&printer.host).copied().unwrap_or_default(),
            "{printer} began copy {} of {} {times} times, and {told} are told",
            copy.index,
            copy.job
        );
    }
}

/// Copies whose driver said on this host that a print began, by its log.
pub(super) fn began(host: &Host, id: HostId) -> Vec<(CopyId, Printer)> {
    let field = |line: &str, name: &str| {
        let rest = line.split_once(&format!(" {name}="))?.1;
        Some(rest.split(' ').next()?.trim_matches('"').to_owned())
    };
    let log = host.log();
    let starts = log.lines().filter(|line| line.contains("starts a print"));
    let parsed = starts.filter_map(|line| {
        let index: u32 = field(line, "copy")?.parse().ok()?;
        let copy = CopyId {
            job: field(line, "job")?.parse().ok()?,
            index: index - 1,
        };
        let printer = Printer {
            host: id.to_string(),
            name: field(line, "printer")?,
        };
        Some((copy, printer))
    });
    parsed.collect()
}

/// Ids of jobs that are in the document.
pub(super) fn jobs(disk: &Disk) -> BTreeSet<String> {
    disk.snapshot.jobs.keys().map(ToString::to_string).collect()
}

fn named(copy: CopyId, number: u32) -> Attempt {
    Attempt {
        unit: Unit {
            job: copy.job.to_string(),
            copy: copy.index,
        },
        number,
    }
}

fn owner(value: &Value) -> Owner {
    match value {
        Value::Print { host, printer, .. } => Owner::Print(Printer {
            host: host.to_string(),
            name: printer.clone(),
        }),
        Value::Withdraw { by } => Owner::Withdraw(by.to_string()),
    }
}

fn outcome(state: ClaimState) -> Option<Outcome> {
    match state {
        ClaimState::Dropped => Some(Outcome::Dropped),
        ClaimState::Released => Some(Outcome::Released),
        ClaimState::Failed => Some(Outcome::Failed),
        ClaimState::Finished => Some(Outcome::Finished),
        ClaimState::Surplus => Some(Outcome::Surplus),
        ClaimState::Unknown => Some(Outcome::Unknown),
        ClaimState::Claimed
        | ClaimState::Fetching
        | ClaimState::Staged
        | ClaimState::Started
        | ClaimState::Printing
        | ClaimState::Credited => None,
    }
}
