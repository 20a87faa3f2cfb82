//! What has happened on any farm: attempts at copies, wishes, and what the own host alone has heard.

use printmesh_queue::{
    Ballot, Claim, ClaimRecord, ClaimState, CopyId, CopyState, FileHash, HostId, Job, JobId,
    LostRecord, PrinterId, Request, RequestId, RunRecord, RunResult, Timestamp, Wanted,
};

use super::{HOSTS, Odds};
use crate::farm::{Farm, ME};

/// What has been tried of a job: one attempt after the other, each by some printer.
pub(super) fn attempts(farm: &mut Farm, id: JobId, odds: &mut Odds<'_>) {
    let job = farm.snapshot.jobs[&id].clone();
    for index in 0..job.units() {
        let copy = CopyId { job: id, index };
        while odds.dice.one_in(3) {
            let CopyState::Open(attempt) = farm.snapshot.copy_state(copy) else {
                break;
            };
            let host = odds.dice.of(&HOSTS);
            if farm
                .snapshot
                .claims
                .get(&copy)
                .is_some_and(|all| all.contains_key(&(attempt, host)))
            {
                break;
            }
            let own = farm.snapshot.printers.keys().filter(|id| id.host == host);
            let own: Vec<&str> = own.map(|id| id.name.as_str()).collect();
            let name = if own.is_empty() {
                "gone"
            } else {
                odds.dice.of(&own)
            };
            let claim = claim(&job, host, name, attempt, odds);
            let claims = farm.snapshot.claims.entry(copy).or_default();
            claims.insert((attempt, host), claim);
            if odds.rarely() {
                let word = LostRecord {
                    cfg: 1,
                    at: Timestamp(9),
                };
                let words = farm.snapshot.lost.entry((copy, attempt)).or_default();
                words.extend(HOSTS.map(|host| (host, word.clone())));
            }
        }
        if odds.rarely() {
            let job = farm.snapshot.jobs.get_mut(&id).expect("just added");
            job.again.insert(index, odds.dice.below(2) as u32);
        }
    }
}

fn claim(job: &Job, host: HostId, name: &str, attempt: u32, odds: &mut Odds<'_>) -> Claim {
    use ClaimState as C;
    let (state, result) = odds.dice.of(&[
        (C::Claimed, None),
        (C::Fetching, None),
        (C::Staged, None),
        (C::Dropped, None),
        (C::Released, None),
        (C::Started, None),
        (C::Printing, Some(RunResult::Started)),
        (C::Unknown, Some(RunResult::Unknown)),
        (C::Finished, Some(RunResult::Ok)),
        (C::Finished, Some(RunResult::Ok)),
        (C::Failed, Some(RunResult::Failed)),
        (C::Failed, Some(RunResult::Failed)),
        (C::Failed, Some(RunResult::Failed)),
        (C::Failed, Some(RunResult::Aborted)),
        (C::Surplus, Some(RunResult::Ok)),
    ]);
    let run = result.map(|result| RunRecord {
        set: job.sets[0].id,
        repetition: 0,
        result,
        started: Timestamp(odds.dice.below(9)),
        ended: None,
        note: None,
    });
    let ballot = Ballot {
        n: 1,
        host,
        printer: name.into(),
    };
    let record = ClaimRecord {
        printer: name.into(),
        ballot,
        cfg: 1,
        spec_hash: [0; 32],
        state,
        speculative: state.is_begun() && odds.rarely(),
        credited_to: None,
        note: Some("it came loose".into()),
        at: Timestamp(1),
    };
    let runs = run.into_iter().map(|run| (0, run)).collect();
    Claim {
        host,
        attempt,
        record,
        runs,
    }
}

pub(super) fn wishes(farm: &mut Farm, odds: &mut Odds<'_>) {
    let jobs: Vec<JobId> = farm.snapshot.jobs.keys().copied().collect();
    for (n, job) in jobs.into_iter().enumerate() {
        if !odds.rarely() {
            continue;
        }
        let id = RequestId {
            host: odds.dice.of(&HOSTS),
            id: n.to_string(),
        };
        let (host, printer, copy) = (ME, "p1".to_owned(), None);
        let wanted = match odds.dice.below(4) {
            0 => Wanted::Stop,
            1 => Wanted::Cancel,
            2 => Wanted::Move,
            _ => Wanted::Start {
                host,
                printer,
                copy,
            },
        };
        let at = Timestamp(1);
        farm.snapshot
            .requests
            .insert(id, Request { job, wanted, at });
    }
}

/// What only this host knows.
pub(super) fn own_knowledge(farm: &mut Farm, odds: &mut Odds<'_>) {
    let own: Vec<PrinterId> = farm
        .snapshot
        .printers
        .keys()
        .filter(|id| id.host == ME)
        .cloned()
        .collect();
    for id in &own {
        if odds.rarely() {
            farm.presence.busy.insert(id.clone());
        } else if odds.dice.one_in(4) {
            // It goes on although its start waits for voters that are away.
            farm.presence.busy.remove(id);
        }
    }
    let jobs = farm.snapshot.jobs.values();
    let files = jobs
        .flat_map(|job| &job.sets)
        .flat_map(|set| &set.spec.files);
    let files: Vec<(FileHash, bool)> = files
        .map(|file| (file.hash, file.needs.slice.is_some()))
        .collect();
    for (hash, is_model) in files {
        if odds.rarely() {
            farm.presence.missing.insert(hash);
        }
        if is_model && odds.dice.one_in(3) && !own.is_empty() {
            let id = own[odds.dice.below(own.len() as u64) as usize].clone();
            farm.presence
                .unsliced
                .insert((hash, id), "no such part".into());
        }
    }
    let jobs: Vec<Job> = farm.snapshot.jobs.values().cloned().collect();
    for job in &jobs {
        for index in 0..job.units() {
            let copy = CopyId { job: job.id, index };
            match farm.snapshot.copy_state(copy) {
                CopyState::Open(attempt) => {
                    let unit = (copy, attempt);
                    if odds.rarely() {
                        farm.presence.refused.insert(unit);
                    } else if odds.rarely() {
                        farm.presence.claiming.insert(unit);
                    } else if odds.rarely() && !own.is_empty() {
                        let name = own[odds.dice.below(own.len() as u64) as usize].name.clone();
                        farm.presence.set_aside.insert(unit, name);
                    }
                }
                CopyState::Claimed(claim) if odds.dice.one_in(3) => {
                    farm.presence.lapsed.insert((copy, claim.attempt));
                }
                CopyState::Claimed(_)
                | CopyState::Begun(_)
                | CopyState::Done(_)
                | CopyState::Failed(_) => {}
            }
        }
    }
}
