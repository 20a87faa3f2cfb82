//! What is one above a bound of `limits.rs` is refused, and what waits or is remembered stays within its room.

use super::{forgeries::*, *};
use crate::{
    change::Scalar,
    engine::Map,
    limits::{
        AMOUNT_MARGIN_MAX, FILE_BYTES_MAX, FOUNDING_MAX, HEAT_SLOTS_MAX, HEAT_WATTS_MAX,
        JOB_PRINTER_BYTES_MAX, JOB_PRINTERS_MAX, PARKED_BYTES_MAX, PARKED_CHANGES_MAX,
        PARKED_OF_HOST_MAX, REFUSED_MAX, RETRIES_MAX, SECONDS_MAX, TAGS_MAX, WITHHELD_BYTES_MAX,
        WITHHELD_CHANGES_MAX,
    },
    schema::Container,
};

#[test]
fn a_job_with_more_of_something_than_there_may_be_is_refused() {
    type Make = fn(&mut Job, usize);
    let table: [(&str, usize, Make); 7] = [
        ("rank", RANK_BYTES_MAX, |job, n| {
            // Past the reader that our own software would use.
            job.rank = serde_json::from_value("1".repeat(n).into()).unwrap();
        }),
        ("printers", JOB_PRINTERS_MAX, |job, n| {
            job.printers = (0..n).map(|n| n.to_string()).collect();
        }),
        ("a printer's name", JOB_PRINTER_BYTES_MAX, |job, n| {
            job.printers = vec!["x".repeat(n)];
        }),
        ("tags", TAGS_MAX, |job, n| {
            job.terms.tags = (0..n).map(|n| n.to_string()).collect();
        }),
        ("a tag", NAME_BYTES_MAX, |job, n| {
            job.terms.tags = ["x".repeat(n)].into_iter().collect();
        }),
        ("alternatives", ALTERNATIVES_MAX, |job, n| {
            let files = &mut job.sets[0].spec.files;
            *files = vec![files[0].clone(); n];
        }),
        ("bytes of a file", FILE_BYTES_MAX as usize, |job, n| {
            job.sets[0].spec.files[0].size = n as u64;
        }),
    ];
    let mut hosts = farm(&[]);
    let me = hosts[0].id();
    let mut taken = Vec::new();
    for (n, (name, most, make)) in (1..).zip(table) {
        let mut large = job(job_id(n), me);
        make(&mut large, most + 1);
        match hosts[0].try_edit(|edit| edit.add_job(&large)) {
            Err(EditError::Refused(Refusal::Schema)) => {}
            other => taken.push((name, other)),
        }
        large.id = job_id(n + 100);
        make(&mut large, most);
        let made = hosts[0].try_edit(|edit| edit.add_job(&large));
        assert!(made.is_ok(), "{name}: {made:?}");
    }
    assert_eq!(taken, []);
}

#[test]
fn a_setting_above_what_it_may_be_changes_nothing() {
    let seconds = [
        Setting::Lease,
        Setting::Beat,
        Setting::Abandon,
        Setting::Settle,
        Setting::Patience,
        Setting::ForeignWait,
        Setting::Turnaround,
    ];
    let numbers = [
        (Setting::Retries, RETRIES_MAX),
        (Setting::AmountMargin, AMOUNT_MARGIN_MAX),
        (Setting::HeatSlots, HEAT_SLOTS_MAX),
        (Setting::HeatWatts, HEAT_WATTS_MAX),
    ];
    let seconds = seconds.map(|setting| (setting, SECONDS_MAX));
    let numbers = numbers.map(|(setting, most)| (setting, u64::from(most)));
    let mut taken = Vec::new();
    for (setting, most) in seconds.into_iter().chain(numbers) {
        let mut settings = Settings::default();
        if settings.set(setting, &(most + 1).to_string()) || settings != Settings::default() {
            taken.push(setting.key());
        }
        assert!(
            settings.set(setting, &most.to_string()),
            "{}",
            setting.key()
        );
    }
    assert_eq!(taken, [""; 0]);
}

/// Changes of a host that may write settings, each almost as large as a change may be.
fn large(host: &mut Host, count: usize) -> Vec<SignedChange> {
    let value = "x".repeat(SCALAR_BYTES_MAX);
    let write = |n| {
        host.edit(|edit| {
            for key in 0..30 {
                let (map, key) = (Map::Root(Container::Settings), format!("{n}/{key}"));
                edit.write_anything(map, &key, put(Scalar::text(&value)));
            }
        })
    };
    (0..count).map(write).collect()
}

fn of(host: &Host, from: usize) -> Vec<SignedChange> {
    let all = host.document.changes_after(&VersionVector::default());
    let own = all.iter().filter(|change| change.author() == host.id());
    own.skip(from).map(|change| (**change).clone()).collect()
}

#[test]
fn what_waits_for_its_past_takes_so_much_room_of_all_members_together() {
    let mut hosts = farm(&[Role::Submitter; 6]);
    for host in &mut hosts[1..] {
        for n in 0..=PARKED_OF_HOST_MAX {
            host.edit(|edit| edit.set_my_name(&format!("name {n}")));
        }
    }
    let (admin, members) = hosts.split_at_mut(1);
    for member in members {
        // All but the first: the rest waits for it.
        let waiting = admin[0].admit(of(member, 1));
        assert!(waiting.applied.is_empty());
    }
    assert_eq!(admin[0].document.parked(), PARKED_CHANGES_MAX);
}

#[test]
fn large_changes_that_wait_for_their_past_take_so_many_bytes() {
    let mut hosts = farm(&[Role::Admin]);
    let changes = large(&mut hosts[1], 12);
    let size = changes[1].size();
    hosts[0].admit(changes[1..].to_vec());
    assert_eq!(hosts[0].document.parked(), PARKED_BYTES_MAX / size);
}

#[test]
fn what_is_withheld_of_a_removed_member_takes_so_much_room() {
    let mut hosts = farm(&[Role::Admin, Role::Submitter]);
    let large = large(&mut hosts[1], 12);
    for n in 0..WITHHELD_CHANGES_MAX + 50 {
        hosts[2].edit(|edit| edit.set_my_name(&format!("name {n}")));
    }
    let small = of(&hosts[2], 0);
    for n in [1, 2] {
        let known = &hosts[0].snapshot().members[&hosts[n].id()].certificate;
        let removed = known.replace(&queue_key(), Role::Observer, true, Timestamp(9));
        hosts[0].edit(|edit| edit.put_certificate(&removed));
    }
    let most = WITHHELD_BYTES_MAX / large[1].size();
    assert!(hosts[0].admit(large).applied.is_empty());
    assert_eq!(hosts[0].document.withheld(), most);
    assert!(hosts[0].admit(small).applied.is_empty());
    assert!(hosts[0].document.withheld() <= WITHHELD_CHANGES_MAX);
}

#[test]
fn of_what_was_refused_so_much_is_remembered() {
    let mut hosts = scene();
    let mut forged = |n: usize| {
        let mut body = honest(&hosts);
        body.ops.truncate(1);
        body.ops[0].key = format!("no key {n}");
        forge(&body, &hosts[PRINTER].device, queue()).unwrap()
    };
    let first = forged(0);
    let others: Vec<_> = (1..=REFUSED_MAX).map(&mut forged).collect();
    let admin = &mut hosts[ADMIN];
    let refused = |admin: &mut Host, change: &SignedChange| {
        admin.document.admit(vec![change.clone()]).refused.len()
    };
    assert_eq!((refused(admin, &first), refused(admin, &first)), (1, 0));
    admin.document.admit(others);
    assert_eq!(refused(admin, &first), 1, "it is forgotten by now");
}

#[test]
fn an_epoch_that_begins_with_more_changes_than_it_may_is_none() {
    let mut hosts = farm(&[]);
    let next = SigningKey::from_bytes(&[201; 32]);
    let admin = &mut hosts[0];
    let (way, _) = admin
        .document
        .next_epoch(&queue_key(), &next, &admin.device, Timestamp(9))
        .unwrap();
    let mut record = way.last().clone();
    for (count, is_one) in [(FOUNDING_MAX, true), (FOUNDING_MAX + 1, false), (0, false)] {
        record.count = count;
        let read = EpochRecord::from_bytes(&record.to_bytes());
        assert_eq!(read.is_some(), is_one, "{count}");
    }
}
