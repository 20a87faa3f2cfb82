//! All hosts come to the same: whatever they write at the same time, and however the changes arrive.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A host writes something about a job.
    Edit {
        host: Index,
        what: u8,
        job: u8,
        value: u8,
    },
    /// Some changes of one host reach another: any, in any order, some twice.
    Deliver {
        from: Index,
        to: Index,
        picks: Vec<Index>,
    },
    /// A host starts again from its log: as the next boot, or as a backup that forgot what was not sent.
    Restart { host: Index, keep: Index },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let edit = (index(), any::<u8>(), 0..4u8, any::<u8>());
    let deliver = (index(), index(), proptest::collection::vec(index(), 0..40));
    prop_oneof![
        6 => edit.prop_map(|(host, what, job, value)| Step::Edit { host, what, job, value }),
        4 => deliver.prop_map(|(from, to, picks)| Step::Deliver { from, to, picks }),
        1 => (index(), index()).prop_map(|(host, keep)| Step::Restart { host, keep }),
    ]
}

const STATES: [ClaimState; 10] = [
    ClaimState::Claimed,
    ClaimState::Fetching,
    ClaimState::Staged,
    ClaimState::Dropped,
    ClaimState::Started,
    ClaimState::Printing,
    ClaimState::Unknown,
    ClaimState::Finished,
    ClaimState::Failed,
    ClaimState::Released,
];

/// Any edit; one that the rules refuse changes nothing, which is checked elsewhere.
pub(super) fn edit_something(host: &mut Host, what: u8, n: u8, value: u8) {
    let (me, job_of) = (host.id(), job_id(n));
    let own = JobId(std::array::from_fn(|i| job_of.0[i] ^ me.0[i % 4]));
    let mut jobs: Vec<JobId> = host.snapshot().jobs.keys().copied().collect();
    jobs.push(own);
    let id = jobs[usize::from(value) % jobs.len()];
    let low = Rank::parse("5").unwrap();
    let edited = host.try_edit(|edit| match what % 12 {
        0 | 1 => edit.add_job(&job(own, me)),
        2 => edit.set_job_name(id, &format!("name {value}")),
        3 => edit.set_job_rank(id, &Rank::between(Some(&low), None)),
        4 => edit.set_job_copies(id, u32::from(value) + 1),
        5 => {
            edit.set_job_held(id, value.is_multiple_of(2));
            edit.set_per_run(id, set_id(1), u32::from(value) + 1);
        }
        6 | 7 => {
            let state = STATES[usize::from(value) % STATES.len()];
            edit.put_claim(copy(id, 0), 0, &claim(me, u64::from(value % 3), state));
        }
        8 => edit.put_run(copy(id, 0), 0, u32::from(value % 3), &run(RunResult::Ok)),
        9 => edit.put_printer(
            "mk4",
            &PrinterRecord {
                position: value.into(),
                ..printer()
            },
        ),
        10 => edit.set_my_name(&format!("host {value}")),
        _ => {
            let role = Role::ALL[usize::from(value) % Role::ALL.len()];
            let member = Device::new(2 + n).id();
            let issued = Timestamp(u64::from(value % 2));
            edit.put_certificate(&Certificate::issue(
                &queue_key(),
                member,
                role,
                issued,
                None,
            ));
        }
    });
    match edited {
        Ok(_) | Err(EditError::UnknownJob(_) | EditError::JobExists(_)) => {}
        // A claim or a run that may not go that way; or a restart forgot its own certificate.
        Err(EditError::Refused(Refusal::NotPermitted | Refusal::UnknownAuthor)) => {}
        Err(other) => panic!("{other}"),
    }
    host.document.check();
}

/// Delivers until nobody lacks anything.
pub(super) fn settle(hosts: &mut [Host]) {
    for _ in 0..2 {
        for to in 0..hosts.len() {
            for from in 0..hosts.len() {
                let changes = hosts[from]
                    .document
                    .changes_after(&hosts[to].document.vector());
                let changes = changes.iter().map(|change| (**change).clone()).collect();
                assert_eq!(hosts[to].admit(changes).refused, []);
            }
        }
    }
}

fn play(steps: Vec<Step>) {
    let mut hosts = farm(&[Role::Printer, Role::Operator, Role::Admin]);
    let mut boots = vec![1; hosts.len()];
    // What was ever said for a vector: nobody may ever say something else for it.
    let mut said: BTreeMap<Vec<(Author, u64)>, Snapshot> = BTreeMap::new();
    let mut forgot = false;
    for step in steps {
        match step {
            Step::Edit {
                host,
                what,
                job,
                value,
            } => {
                edit_something(&mut hosts[host.index(4)], what, job, value);
            }
            Step::Deliver { from, to, picks } => {
                let log = hosts[from.index(4)].log();
                let picked = picks
                    .iter()
                    .map(|pick| SignedChange::from_bytes(&log[pick.index(log.len())]).unwrap());
                let picked = picked.collect();
                let admitted = hosts[to.index(4)].admit(picked);
                assert_eq!(admitted.refused, []);
            }
            Step::Restart { host, keep } => {
                let n = host.index(4);
                let mut log = hosts[n].log();
                // Its own unsent work may be lost with the disk; the next boot is another author, so that it never
                // signs one number twice.
                let cut = keep.index(3).min(log.len() - 1);
                log.truncate(log.len() - cut);
                forgot |= cut > 0;
                boots[n] += 1;
                let author = Author {
                    host: hosts[n].id(),
                    boot: boots[n],
                };
                hosts[n].document = QueueDocument::load(queue(), author, log).unwrap();
                hosts[n].document.check();
            }
        }
        for host in &hosts {
            let vector: Vec<_> = host.document.vector().0.into_iter().collect();
            let before = said
                .entry(vector)
                .or_insert_with(|| host.snapshot().clone());
            assert_eq!(before, host.snapshot());
        }
    }
    let jobs: BTreeSet<JobId> = hosts
        .iter()
        .flat_map(|host| host.snapshot().jobs.keys().copied())
        .collect();
    settle(&mut hosts);
    let first = hosts[0].snapshot().clone();
    for host in &hosts {
        assert_eq!(host.document.vector(), hosts[0].document.vector());
        assert_eq!(host.snapshot(), &first);
        // What followed something that its author forgot before anybody else had it waits for ever.
        assert!(host.document.parked() == 0 || forgot);
    }
    // Nothing that anybody still had is lost, nothing is there twice.
    assert!(jobs.iter().all(|job| first.jobs.contains_key(job)));
    let order: Vec<JobId> = first.jobs_in_order().iter().map(|job| job.id).collect();
    assert_eq!(order.len(), first.jobs.len());
    hosts[0].document.check_file();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn equal_vectors_mean_equal_snapshots(steps in proptest::collection::vec(step(), 1..60)) {
        play(steps);
    }
}

#[test]
fn a_log_that_arrives_backwards_is_applied_in_one_go() {
    let mut host = farm(&[]).pop().unwrap();
    let me = host.id();
    for n in 0..50 {
        host.edit(|edit| edit.add_job(&job(job_id(n), me)));
    }
    let mut reader = Host::new(9);
    let mut backwards: Vec<_> = host
        .log()
        .iter()
        .map(|bytes| SignedChange::from_bytes(bytes).unwrap())
        .collect();
    backwards.reverse();
    let last = backwards.pop().unwrap();
    let waiting = reader.admit(backwards);
    assert_eq!((waiting.applied.len(), waiting.parked), (0, 50));
    let admitted = reader.admit(vec![last]);
    assert_eq!((admitted.applied.len(), admitted.parked), (51, 0));
    assert!(
        admitted
            .applied
            .iter()
            .map(|change| change.seq())
            .eq(1..=51)
    );
    assert_eq!(admitted.touched.jobs.len(), 50);
    assert_eq!(reader.snapshot(), host.snapshot());
}

#[test]
fn what_waits_is_bounded_and_comes_again() {
    let mut host = farm(&[]).pop().unwrap();
    for n in 0..400 {
        host.edit(|edit| edit.set_my_name(&format!("name {n}")));
    }
    let mut reader = Host::new(9);
    let all: Vec<_> = host
        .log()
        .iter()
        .map(|bytes| SignedChange::from_bytes(bytes).unwrap())
        .collect();
    let waiting = reader.admit(all[1..].to_vec());
    assert_eq!((waiting.applied.len(), waiting.parked), (0, 256));
    reader.admit(all);
    assert_eq!(reader.document.parked(), 0);
    assert_eq!(reader.snapshot(), host.snapshot());
}

#[test]
fn two_hosts_that_move_and_rename_at_once_lose_nothing() {
    let mut hosts = farm(&[Role::Operator]);
    let me = hosts[0].id();
    for n in 0..3 {
        hosts[0].edit(|edit| edit.add_job(&job(job_id(n), me)));
    }
    settle(&mut hosts);
    let top = Rank::parse("1").unwrap();
    hosts[0].edit(|edit| edit.set_job_rank(job_id(0), &top));
    hosts[1].edit(|edit| edit.set_job_rank(job_id(1), &top));
    hosts[0].edit(|edit| edit.set_job_name(job_id(2), "lid"));
    hosts[1].edit(|edit| edit.set_job_copies(job_id(2), 9));
    settle(&mut hosts);
    let jobs = hosts[1].snapshot().jobs_in_order();
    let mut moved = [job_id(0), job_id(1)];
    moved.sort_unstable();
    assert_eq!(
        [jobs[0].id, jobs[1].id, jobs[2].id],
        [moved[0], moved[1], job_id(2)]
    );
    assert_eq!((jobs[2].name.as_str(), jobs[2].copies), ("lid", 9));
    assert_eq!(hosts[0].snapshot(), hosts[1].snapshot());
}

#[test]
fn a_change_that_breaks_the_engine_is_left_out_with_what_follows_it() {
    let mut hosts = farm(&[Role::Printer, Role::Printer]);
    let (one, two) = (hosts[1].id(), hosts[2].id());
    let bad = hosts[1].edit(|edit| edit.put_printer("bad", &printer()));
    let after = hosts[1].edit(|edit| edit.put_printer("after", &printer()));
    let good = hosts[2].edit(|edit| edit.put_printer("good", &printer()));
    let admin = &mut hosts[0];
    sabotage::break_on(bad.hash());
    let admitted = admin.admit(vec![bad.clone(), good.clone(), after]);
    let names: Vec<_> = admitted
        .refused
        .iter()
        .map(|refused| (refused.author, refused.why))
        .collect();
    assert_eq!(
        names,
        [(Some(one), Refusal::Engine), (Some(one), Refusal::Follows)]
    );
    assert_eq!(
        admitted
            .applied
            .iter()
            .map(|change| change.hash())
            .collect::<Vec<_>>(),
        [good.hash()]
    );
    assert_eq!(
        admitted
            .touched
            .printers
            .iter()
            .map(|id| id.host)
            .collect::<Vec<_>>(),
        [two]
    );
    assert_eq!(admin.snapshot().printers.len(), 1);
    assert_eq!(admin.admit(vec![bad]), Admitted::default());
    admin.edit(|edit| edit.set_my_name("goes on"));
    admin.document.check();
}
