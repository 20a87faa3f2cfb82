//! Defects that were proven in earlier shared print queues, each as the smallest case that would show it in this document.
//! The number is the defect's; `tests/suite/predecessors.rs` sees to it that none is missing.

use super::{
    forgeries::{ADMIN, PRINTER, SUBMITTER, author_of, forge, scene},
    *,
};
use crate::{
    change::{Action, Scalar},
    document::Spot,
    engine::Map,
    schema::{Container, WRITER},
};

/// Jobs 0, 1, 2 … with the ranks that submitting them in this order gives.
fn submitted(count: u8, submitter: HostId) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for n in 0..count {
        let rank = Rank::between(jobs.last().map(|job| &job.rank), None);
        jobs.push(Job {
            rank,
            ..job(job_id(n), submitter)
        });
    }
    jobs
}

fn order(host: &Host) -> Vec<JobId> {
    let jobs = host.snapshot().jobs_in_order();
    jobs.into_iter().map(|job| job.id).collect()
}

/// The ranks to write so that a job comes to this place among the others.
fn to_place(snapshot: &Snapshot, moved: JobId, at: usize) -> Vec<(JobId, Rank)> {
    let mut others = snapshot.jobs_in_order();
    others.retain(|job| job.id != moved);
    ranks_to_move(&others, moved, at, |_| true)
}

fn put_at(host: &mut Host, moved: JobId, at: usize) {
    let ranks = to_place(host.snapshot(), moved, at);
    let moving = host.try_edit(|edit| {
        for (job, rank) in &ranks {
            edit.set_job_rank(*job, rank);
        }
    });
    moving.unwrap();
}

/// The order was a linked list that forgot a neighbour: a job that was moved to the front was gone after the next move.
#[test]
fn d05_jobs_that_change_places_or_leave_are_never_lost_on_the_way() {
    let mut hosts = farm(&[Role::Operator]);
    let me = hosts[0].id();
    for job in submitted(4, me) {
        hosts[0].edit(|edit| edit.add_job(&job));
    }
    let mut wanted: Vec<JobId> = (0..4).map(job_id).collect();
    let moves: Vec<(JobId, usize)> = (0..4)
        .flat_map(|n| (0..4).map(move |at| (job_id(n), at)))
        .collect();
    // Each move, and after it each other one.
    for first in &moves {
        for (moved, at) in [first, &moves[(first.1 * 5 + 3) % 16]]
            .into_iter()
            .chain(&moves)
        {
            put_at(&mut hosts[0], *moved, *at);
            wanted.retain(|job| job != moved);
            wanted.insert(*at, *moved);
            assert_eq!(order(&hosts[0]), wanted, "{moved} to {at}");
        }
    }
    // To the front, and then the one leaves that was there before.
    put_at(&mut hosts[0], wanted[2], 0);
    let state = JobState::Cancelled {
        by: me,
        at: Timestamp(1),
    };
    hosts[0].edit(|edit| edit.set_job_state(wanted[0], &state));
    let left = [wanted[2], wanted[1], wanted[3]];
    assert_eq!(order(&hosts[0]), left);
    let (sender, reader) = hosts.split_at_mut(1);
    reader[0].pull(&sender[0]);
    assert_eq!(order(&reader[0]), left);
}

/// A claim on a job that its holder had not signed itself was swept away as dangling, and the job looked free.
#[test]
fn d06_a_claim_on_somebody_elses_job_stays_on_every_host_however_it_arrives() {
    let mut hosts = farm(&[Role::Printer, Role::Printer]);
    let (submitter, holder) = (hosts[0].id(), hosts[1].id());
    let (id, unit) = (job_id(1), copy(job_id(1), 0));
    hosts[0].edit(|edit| edit.add_job(&job(id, submitter)));
    let (first, rest) = hosts.split_at_mut(1);
    rest[0].pull(&first[0]);
    rest[0].edit(|edit| edit.put_claim(unit, 0, &claim(holder, 7, ClaimState::Printing)));
    let is_held = |host: &Host| matches!(host.snapshot().copy_state(unit), CopyState::Begun(claim) if claim.host == holder);
    // The claim before the job that it is on; a start from disk; exchanges in which nothing is new.
    let mut changes = rest[0].document.changes_after(&rest[1].document.vector());
    changes.reverse();
    rest[1].admit(changes.iter().map(|change| (**change).clone()).collect());
    assert!(is_held(&rest[1]));
    let log = rest[1].log();
    let author = Author {
        host: rest[1].id(),
        boot: 2,
    };
    rest[1].document = QueueDocument::load(queue(), author, log).unwrap();
    assert!(is_held(&rest[1]));
    for _ in 0..5 {
        first[0].pull(&rest[1]);
        rest[1].edit(|edit| edit.put_printer("mk4", &printer()));
        rest[1].edit(|edit| {
            let record = PrinterRecord {
                online: false,
                ..printer()
            };
            edit.put_printer("mk4", &record);
        });
        assert!(is_held(&first[0]) && is_held(&rest[1]));
    }
}

/// An order of fractions ended at rank 1000: moves to the end failed after that many, moves to the front soon after.
#[test]
fn d14_thousands_of_moves_to_the_end_the_front_and_into_one_gap_all_arrive() {
    let me = Device::new(1).id();
    let mut jobs = submitted(8, me);
    let mut changed = 0;
    for round in 0..6_000 {
        // From the front to the end, from the end to the front, from the end into the gap behind the third.
        let (from, at) = [(0, 7), (7, 0), (7, 3)][round / 2_000];
        let moved = jobs.remove(from);
        let ranks = ranks_to_move(&jobs.iter().collect::<Vec<_>>(), moved.id, at, |_| true);
        let wanted: Vec<JobId> = jobs[..at]
            .iter()
            .chain([&moved])
            .chain(&jobs[at..])
            .map(|job| job.id)
            .collect();
        jobs.push(moved);
        changed += ranks.len();
        for (id, rank) in ranks {
            assert!(
                Rank::parse(rank.as_str()).is_some(),
                "others refuse {rank:?}"
            );
            jobs.iter_mut().find(|job| job.id == id).unwrap().rank = rank;
        }
        jobs.sort_by(|a, b| a.rank.cmp(&b.rank).then(a.id.cmp(&b.id)));
        let found: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        assert_eq!(found, wanted, "move {round}");
    }
    assert!(changed < 6_200, "mostly one rank is written: {changed}");
}

/// Two jobs that were put into one gap at once had one rank, and nothing could be put between them any more.
#[test]
fn d14_two_hosts_use_one_gap_at_once_and_a_third_job_still_goes_between() {
    let mut hosts = farm(&[Role::Operator]);
    let me = hosts[0].id();
    for job in submitted(5, me) {
        hosts[0].edit(|edit| edit.add_job(&job));
    }
    let (a, b) = hosts.split_at_mut(1);
    let (a, b) = (&mut a[0], &mut b[0]);
    b.pull(a);
    put_at(a, job_id(3), 1);
    put_at(b, job_id(4), 1);
    a.pull(b);
    b.pull(a);
    let jobs = &a.snapshot().jobs;
    assert_eq!(jobs[&job_id(3)].rank, jobs[&job_id(4)].rank, "the case");
    let mut pair = [job_id(3), job_id(4)];
    pair.sort_unstable();
    let before = [job_id(0), pair[0], pair[1], job_id(1), job_id(2)];
    assert_eq!((order(a), order(b)), (before.to_vec(), before.to_vec()));
    put_at(b, job_id(2), 2);
    a.pull(b);
    let between = [job_id(0), pair[0], job_id(2), pair[1], job_id(1)];
    assert_eq!((order(a), order(b)), (between.to_vec(), between.to_vec()));
    // Who may not touch the others' ranks comes after both, and before what follows them.
    let jobs = submitted(4, me);
    let tied = Job {
        rank: jobs[1].rank.clone(),
        ..jobs[2].clone()
    };
    let others = [&jobs[0], &jobs[1], &tied, &jobs[3]];
    let ranks = ranks_to_move(&others, job_id(9), 2, |_| false);
    assert_eq!(ranks.len(), 1);
    assert!(
        tied.rank < ranks[0].1 && ranks[0].1 < jobs[3].rank,
        "{ranks:?}"
    );
}

/// Who handed a change on had to be who signed it, so nothing went further than one hop; elsewhere a forged signer was
/// only warned about.
#[test]
fn d15_a_change_comes_through_others_unharmed_and_from_nobody_but_its_author() {
    let mut hosts = scene();
    let victim = author_of(&hosts[PRINTER]);
    let name = format!("printers by {victim:?}");
    // Three hops, of which the second is by a host that may not write such a thing itself.
    let signed = hosts[PRINTER].edit(|edit| edit.put_printer("attic", &printer()));
    for (from, to) in [(PRINTER, SUBMITTER), (SUBMITTER, 3), (3, ADMIN)] {
        let changes = hosts[from]
            .document
            .changes_after(&hosts[to].document.vector());
        let changes: Vec<_> = changes.iter().map(|change| (**change).clone()).collect();
        assert!(changes.contains(&signed), "{name}");
        let admitted = hosts[to].admit(changes);
        assert_eq!((admitted.refused, admitted.parked), (vec![], 0), "{name}");
    }
    let attic = PrinterId {
        host: victim.host,
        name: "attic".to_owned(),
    };
    assert_eq!(hosts[ADMIN].snapshot().printers[&attic], printer());
    // The same member signs in the other's name, and takes over what the other signed.
    let before = hosts[ADMIN].snapshot().clone();
    let spot = Spot::Job(job_id(1));
    let cancelled = JobState::Cancelled {
        by: victim.host,
        at: Timestamp(1),
    };
    let in_its_name = hosts[PRINTER].document.body_by(
        victim,
        &[(
            spot,
            "state".to_owned(),
            Action::Put(Scalar::json(&cancelled)),
        )],
    );
    let forged = forge(&in_its_name, &hosts[SUBMITTER].device, queue()).unwrap();
    let refused = hosts[ADMIN].admit(vec![forged]).refused;
    assert_eq!(refused[0].why, Refusal::BadSignature);
    // Signed by itself, it is still no job of its own.
    let own = JobState::Cancelled {
        by: hosts[SUBMITTER].id(),
        at: Timestamp(1),
    };
    let body = hosts[SUBMITTER].document.body_by(
        author_of(&hosts[SUBMITTER]),
        &[(spot, "state".to_owned(), Action::Put(Scalar::json(&own)))],
    );
    let forged = forge(&body, &hosts[SUBMITTER].device, queue()).unwrap();
    let refused = hosts[ADMIN].admit(vec![forged]).refused;
    assert_eq!(refused[0].why, Refusal::NotPermitted);
    assert_eq!(*hosts[ADMIN].snapshot(), before);
}

/// What a version could not read of a newer one it reported as broken, and went on with.
#[test]
fn d18_a_queue_of_a_later_version_is_read_and_written_by_nobody_who_does_not_know_it() {
    let mut hosts = farm(&[Role::Operator]);
    let me = hosts[0].id();
    hosts[0].edit(|edit| edit.add_job(&job(job_id(1), me)));
    let later = Action::Put(Scalar::Number(WRITER + 1));
    let meta = Map::Root(Container::Meta);
    hosts[0].edit(|edit| edit.write_anything(meta, "min_writer", later.clone()));
    let (admin, other) = hosts.split_at_mut(1);
    other[0].pull(&admin[0]);
    for host in [&mut admin[0], &mut other[0]] {
        assert_eq!(order(host), [job_id(1)]);
        let before = (host.snapshot().clone(), host.document.vector());
        let error = host.try_edit(|edit| edit.set_job_name(job_id(1), "lid"));
        assert_eq!(error.unwrap_err(), EditError::OldWriter(WRITER + 1));
        assert_eq!((host.snapshot().clone(), host.document.vector()), before);
    }
    // What the later version writes is still taken in.
    let log = other[0].log();
    let again = QueueDocument::load(queue(), other[0].document.author(), log).unwrap();
    assert_eq!(again.snapshot(), other[0].snapshot());
}
