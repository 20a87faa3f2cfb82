//! What one member may keep in an epoch: beyond that it is refused by everybody alike, and the others write on.

use super::*;
use crate::limits::{CHANGE_BYTES_MAX, MEMBER_BYTES_MAX, MEMBER_JOBS_MAX};

fn id(n: usize) -> JobId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(n as u64).to_be_bytes());
    JobId(id)
}

fn small(n: usize, submitter: HostId) -> Job {
    let mut job = job(id(n), submitter);
    job.sets.truncate(1);
    job
}

#[test]
fn a_member_makes_so_many_jobs_in_an_epoch_and_no_more() {
    let mut hosts = farm(&[Role::Submitter, Role::Submitter]);
    let [admin, flooding, other] = &mut hosts[..] else {
        panic!("three")
    };
    let me = flooding.id();
    let mut changes = Vec::new();
    for first in (0..MEMBER_JOBS_MAX).step_by(200) {
        changes.push(flooding.edit(|edit| {
            for n in first..first + 200 {
                edit.add_job(&small(n, me));
            }
        }));
    }
    let full = flooding.try_edit(|edit| edit.add_job(&small(MEMBER_JOBS_MAX, me)));
    assert_eq!(full, Err(EditError::Refused(Refusal::Quota)));
    // A restart is no way round it.
    let author = Author { host: me, boot: 2 };
    let again = QueueDocument::load(queue(), author, flooding.log()).unwrap();
    flooding.document = again;
    let full = flooding.try_edit(|edit| edit.add_job(&small(MEMBER_JOBS_MAX, me)));
    assert_eq!(full, Err(EditError::Refused(Refusal::Quota)));
    // What makes no job is free, and so are the others.
    changes.push(flooding.edit(|edit| edit.set_my_name("still here")));
    assert_eq!(admin.document.admit(changes).refused, []);
    let submitter = other.id();
    changes = vec![other.edit(|edit| edit.add_job(&small(MEMBER_JOBS_MAX + 1, submitter)))];
    assert_eq!(admin.document.admit(changes).refused, []);
    assert_eq!(admin.snapshot().jobs.len(), MEMBER_JOBS_MAX + 1);
}

#[test]
fn a_member_writes_so_many_bytes_in_an_epoch_and_no_more() {
    let mut hosts = farm(&[Role::Submitter]);
    let [admin, flooding] = &mut hosts[..] else {
        panic!("two")
    };
    let me = flooding.id();
    let large = |n: usize| {
        let mut job = small(n, me);
        let mut file = job.sets[0].spec.files[0].clone();
        file.name = "n".repeat(190);
        let spec = SetSpec {
            files: (0..45)
                .map(|k| FileSpec {
                    hash: FileHash([k; 32]),
                    ..file.clone()
                })
                .collect(),
        };
        let set = |k: u8| Set {
            id: set_id(k),
            rank: Rank::parse("1").unwrap(),
            per_run: 1,
            spec: spec.clone(),
        };
        job.sets = (0..30).map(set).collect();
        job
    };
    let mut size = 0;
    let mut refused = None;
    for n in 0..2 * MEMBER_BYTES_MAX / (CHANGE_BYTES_MAX / 2) {
        match flooding.try_edit(|edit| edit.add_job(&large(n))) {
            Ok(change) => {
                let change = change.expect("it makes a job");
                size += change.size();
                assert_eq!(admin.document.admit(vec![change]).refused, []);
            }
            Err(why) => {
                refused = Some(why);
                break;
            }
        }
    }
    assert_eq!(refused, Some(EditError::Refused(Refusal::Quota)), "{size}");
    assert!((MEMBER_BYTES_MAX..MEMBER_BYTES_MAX + CHANGE_BYTES_MAX).contains(&size));
    admin.edit(|edit| edit.set_my_name("goes on"));
}

#[test]
fn who_goes_round_its_own_limits_is_refused_by_everybody() {
    let mut hosts = farm(&[Role::Submitter, Role::Printer]);
    let [admin, flooding, other] = &mut hosts[..] else {
        panic!("three")
    };
    let me = flooding.id();
    let mut changes = Vec::new();
    for first in (0..MEMBER_JOBS_MAX).step_by(200) {
        changes.push(flooding.edit(|edit| {
            for n in first..first + 200 {
                edit.add_job(&small(n, me));
            }
        }));
    }
    // One start writes up to the limit, and another one, which has not seen the last of it, goes on.
    let (last, before) = changes.split_last().unwrap();
    let author = Author { host: me, boot: 2 };
    let mut log = admin.log();
    log.extend(before.iter().map(SignedChange::to_bytes));
    let document = QueueDocument::load(queue(), author, log).unwrap();
    let mut twin = Host {
        document,
        device: Device::new(2),
        now: 5_000,
    };
    let beside = twin.edit(|edit| edit.add_job(&small(20_000, me)));
    for host in [&mut *admin, &mut *other] {
        assert_eq!(host.document.admit(changes.clone()).refused, []);
        // It had not seen the last one: everybody takes it, since everybody judges by that.
        assert_eq!(host.document.admit(vec![beside.clone()]).refused, []);
    }
    // Whatever has seen both is over the limit, on every host.
    twin.document.admit(vec![last.clone()]);
    let both = twin.try_edit(|edit| edit.add_job(&small(20_001, me)));
    assert_eq!(both, Err(EditError::Refused(Refusal::Quota)));
}
