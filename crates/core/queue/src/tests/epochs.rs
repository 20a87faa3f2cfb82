//! One epoch after another: everybody begins the next one alike, nothing that lives is lost, and nobody forges one.

use proptest::{prelude::*, sample::Index};

use super::{
    convergence::{edit_something, settle},
    *,
};
use crate::{
    change::{Action, Scalar},
    engine::Map,
    schema::Container,
};

fn next_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

impl Host {
    /// Ends the epoch with everything that it knows.
    fn rotate(&mut self, key: &SigningKey, next: &SigningKey) -> (Way, Vec<Vec<u8>>) {
        self.now += 1;
        let time = Timestamp(self.now);
        let made = self.document.next_epoch(key, next, &self.device, time);
        let (way, founding) = made.expect("it is within the limits");
        self.follow(&way, founding.clone(), Some(next));
        (way, founding)
    }

    /// Gets over, and says again what was missed; returns what has to wait, and what nobody takes.
    fn follow(
        &mut self,
        way: &Way,
        founding: Vec<Vec<u8>>,
        key: Option<&SigningKey>,
    ) -> CarriedOver {
        let before = self.document.snapshot().clone();
        let followed = self.document.follow(way, founding).expect("it is whole");
        let cut = &way.first().cut;
        let own = followed.own.into_iter().filter(|own| own.is_beyond(cut));
        let own = own.collect();
        self.document = followed.document;
        self.document.check();
        self.now += 1;
        let (now, kept) = (Timestamp(self.now), followed.kept);
        let carried = self.document.carry_over(own, now, &self.device, key);
        self.document.check();
        // As it would be found after a restart.
        let changes = carried.changes.iter().map(|change| change.to_bytes());
        let log = followed.log.into_iter().chain(changes);
        let author = self.document.author();
        let again = QueueDocument::load_with(queue(), author, kept, log).expect("its own log");
        assert_eq!(again.snapshot(), self.document.snapshot());
        assert_eq!(again.epoch(), self.document.epoch());
        assert_knows(self.snapshot(), &before);
        carried
    }

    fn judge(&self, records: Vec<EpochRecord>) -> Result<Option<Way>, EpochRefusal> {
        self.document.judge_records(None, records)
    }

    fn records(&self) -> Vec<EpochRecord> {
        self.document.records_after(EpochHash::default()).0
    }
}

/// No fact that was known is forgotten, and no job.
fn assert_knows(after: &Snapshot, before: &Snapshot) {
    for (copy, claims) in &before.claims {
        for (unit, claim) in claims {
            let now = &after.claims[copy][unit];
            let further = now.record == claim.record || claim.record.allows(&now.record);
            assert!(further, "{claim:?} became {now:?}");
            assert!(claim.runs.keys().all(|k| now.runs.contains_key(k)));
        }
    }
    for id in before.jobs.keys() {
        assert!(after.jobs.contains_key(id), "{id} is gone");
    }
}

/// The admin, a printer's host and an operator, with a job that is being printed and one that is done.
fn at_work() -> Vec<Host> {
    let mut hosts = farm(&[Role::Printer, Role::Operator, Role::Admin]);
    let [printing, done] = [job_id(1), job_id(2)];
    let admin = hosts[0].id();
    hosts[0].edit(|edit| {
        edit.add_job(&job(printing, admin));
        let done = job(done, admin);
        edit.add_job(&Job { copies: 1, ..done });
        edit.set_setting(Setting::Retries, "3");
    });
    settle(&mut hosts);
    let me = hosts[1].id();
    hosts[1].edit(|edit| {
        edit.put_printer("mk4", &printer());
        edit.put_claim(copy(printing, 0), 0, &claim(me, 1, ClaimState::Printing));
        edit.put_run(copy(printing, 0), 0, 0, &run(RunResult::Started));
        edit.put_claim(copy(done, 0), 0, &claim(me, 2, ClaimState::Finished));
        edit.put_run(copy(done, 0), 0, 0, &run(RunResult::Ok));
    });
    settle(&mut hosts);
    hosts
}

#[test]
fn the_next_epoch_has_what_lives_and_each_host_keeps_what_is_over() {
    let mut hosts = at_work();
    let mut before = hosts[0].snapshot().clone();
    before.made.insert(job_id(2));
    let (way, founding) = hosts[0].rotate(&queue_key(), &next_key(1));
    for n in 1..hosts.len() {
        let records = hosts[0].records();
        let judged = hosts[n].judge(records).unwrap().expect("it goes on");
        assert_eq!(judged, way);
        let own = hosts[n].document.founding_here(&judged).unwrap();
        assert_eq!(
            own.as_ref(),
            Some(&founding),
            "it comes to the same by itself"
        );
        let carried = hosts[n].follow(&judged, founding.clone(), None);
        assert!(
            carried.changes.is_empty() && carried.left.is_empty() && carried.refused.is_empty()
        );
        // Nobody sees a difference.
        assert_eq!(hosts[n].snapshot(), &before);
    }
    // The document itself has only what lives: whoever comes now gets nothing else.
    let newcomer = Host::new(9);
    let anchor = Anchor {
        id: hosts[0].document.epoch(),
        key: hosts[0].document.epoch_key(),
    };
    let way = newcomer
        .document
        .judge_records(Some(anchor), hosts[0].records());
    let way = way.unwrap().expect("it has the anchor");
    let followed = newcomer.document.follow(&way, founding).unwrap();
    let jobs: Vec<_> = followed.document.snapshot().jobs.keys().copied().collect();
    assert_eq!(jobs, [job_id(1)]);
    assert_eq!(followed.document.snapshot().members, before.members);
    assert_eq!(followed.document.snapshot().settings, before.settings);
    assert_eq!(followed.document.changes_of_epoch(), 0);
    // And everything goes on: the host that prints says how it ended.
    let me = hosts[1].id();
    hosts[1].edit(|edit| {
        let ended = claim(me, 1, ClaimState::Finished);
        edit.put_claim(copy(job_id(1), 0), 0, &ended);
    });
    hosts[2].edit(|edit| edit.set_job_name(job_id(1), "renamed by an operator"));
    settle(&mut hosts);
    for host in &hosts {
        let claims = &host.snapshot().claims[&copy(job_id(1), 0)];
        assert_eq!(claims[&(0, me)].record.state, ClaimState::Finished);
        assert_eq!(
            host.snapshot().jobs[&job_id(1)].name,
            "renamed by an operator"
        );
        assert_eq!(host.snapshot().jobs[&job_id(1)].submitter, hosts[0].id());
    }
}

#[test]
fn what_the_cut_missed_is_written_again_by_who_wrote_it() {
    let mut hosts = at_work();
    let (printer_host, operator) = (hosts[1].id(), hosts[2].id());
    let late = job_id(7);
    // Nobody has heard of these when the epoch ends.
    hosts[1].edit(|edit| {
        let ended = claim(printer_host, 1, ClaimState::Finished);
        edit.put_claim(copy(job_id(1), 0), 0, &ended);
        edit.put_run(copy(job_id(1), 0), 0, 0, &run(RunResult::Ok));
        edit.add_job(&job(late, printer_host));
    });
    let told = hosts[1].document.changes_after(&hosts[2].document.vector());
    hosts[2].admit(told.iter().map(|change| (**change).clone()).collect());
    hosts[2].edit(|edit| {
        edit.set_job_name(late, "in time for lunch");
        edit.set_job_held(job_id(1), true);
        edit.put_request(
            "r1",
            &Request {
                job: job_id(1),
                wanted: Wanted::Stop,
                at: Timestamp(3),
            },
        );
    });
    let (way, founding) = hosts[0].rotate(&queue_key(), &next_key(1));
    // The operator's word about the late job waits for that job.
    let mut operators = hosts[2].follow(&way, founding.clone(), None);
    assert_eq!(operators.left.len(), 1);
    assert!(operators.refused.is_empty());
    hosts[3].follow(&way, founding.clone(), None);
    let printers = hosts[1].follow(&way, founding, None);
    assert!(printers.left.is_empty() && printers.refused.is_empty());
    settle(&mut hosts);
    let (left, device) = (std::mem::take(&mut operators.left), Device::new(3));
    let rest = hosts[2]
        .document
        .carry_over(left, Timestamp(9_000), &device, None);
    assert!(rest.left.is_empty() && rest.refused.is_empty());
    settle(&mut hosts);
    for host in &hosts {
        let snapshot = host.snapshot();
        assert_eq!(snapshot.jobs[&late].name, "in time for lunch");
        assert_eq!(snapshot.jobs[&late].submitter, printer_host);
        assert!(snapshot.jobs[&job_id(1)].held);
        let made = &snapshot.claims[&copy(job_id(1), 0)][&(0, printer_host)];
        assert_eq!(made.record.state, ClaimState::Finished);
        assert_eq!(made.runs[&0].result, RunResult::Ok);
        assert!(snapshot.requests.keys().any(|id| id.host == operator));
    }
}

/// Only one host has heard that it was finished; the others never will.
#[test]
fn what_a_member_said_beyond_the_cut_that_put_it_out_counts_for_nobody() {
    let mut hosts = at_work();
    let (out, unit) = (hosts[1].id(), copy(job_id(1), 0));
    hosts[1].edit(|edit| {
        edit.put_claim(unit, 0, &claim(out, 1, ClaimState::Finished));
        edit.put_run(unit, 0, 0, &run(RunResult::Ok));
    });
    let told = hosts[1].document.changes_after(&hosts[2].document.vector());
    hosts[2].admit(told.iter().map(|change| (**change).clone()).collect());
    let known = hosts[0].snapshot().members[&out].certificate.clone();
    let removal = known.replace(&queue_key(), Role::Printer, true, Timestamp(50));
    hosts[0].edit(|edit| edit.put_certificate(&removal));
    let (way, founding) = hosts[0].rotate(&queue_key(), &next_key(1));
    let followed = hosts[2].document.follow(&way, founding.clone()).unwrap();
    hosts[2].document = followed.document;
    hosts[3].follow(&way, founding, None);
    hosts.remove(1);
    settle(&mut hosts);
    for host in &hosts {
        assert!(matches!(
            host.snapshot().copy_state(unit),
            CopyState::Begun(_)
        ));
    }
    // The voters give it up in time.
    let lost = LostRecord {
        cfg: 1,
        at: Timestamp(60),
    };
    hosts[0].edit(|edit| edit.put_lost(unit, 0, &lost));
    settle(&mut hosts);
    for host in &hosts {
        assert!(matches!(
            host.snapshot().copy_state(unit),
            CopyState::Open(1)
        ));
        host.document.check();
    }
}

/// It had said that the print was good, was restored from a backup of before, and says that it does not know.
#[test]
fn what_a_restored_host_had_said_of_a_print_counts_more_than_that_it_does_not_know() {
    let mut hosts = farm(&[Role::Printer]);
    let admin = hosts[0].id();
    hosts[0].edit(|edit| edit.add_job(&job(job_id(1), admin)));
    settle(&mut hosts);
    let (me, unit) = (hosts[1].id(), copy(job_id(1), 0));
    hosts[1].edit(|edit| {
        edit.put_claim(unit, 0, &claim(me, 1, ClaimState::Printing));
        edit.put_run(unit, 0, 0, &run(RunResult::Started));
    });
    settle(&mut hosts);
    let log = hosts[1].log();
    let said = |host: &mut Host, result| host.edit(|edit| edit.put_run(unit, 0, 0, &run(result)));
    said(&mut hosts[1], RunResult::Ok);
    settle(&mut hosts);
    let author = Author {
        host: me,
        boot: hosts[1].document.author().boot + 1,
    };
    hosts[1].document = QueueDocument::load_with(queue(), author, Vec::new(), log).unwrap();
    for n in 0..3 {
        hosts[1].edit(|edit| edit.set_my_name(&format!("so that it counts as later {n}")));
    }
    said(&mut hosts[1], RunResult::Unknown);
    settle(&mut hosts);
    for host in &hosts {
        let runs = &host.snapshot().claims[&unit][&(0, me)].runs;
        assert_eq!(runs[&0].result, RunResult::Ok);
        host.document.check();
    }
}

#[test]
fn a_print_that_was_unknown_when_the_epoch_ended_is_seen_to_go_on_when_it_does() {
    let mut hosts = at_work();
    let me = hosts[1].id();
    let say = |host: &mut Host, state| {
        host.edit(|edit| edit.put_claim(copy(job_id(1), 0), 0, &claim(me, 1, state)));
    };
    let state = |host: &Host| {
        let claims = &host.snapshot().claims[&copy(job_id(1), 0)];
        claims[&(0, me)].record.state
    };
    // The cut misses it; the printer's host and the operator know it.
    say(&mut hosts[1], ClaimState::Unknown);
    let told = hosts[1].document.changes_after(&hosts[2].document.vector());
    hosts[2].admit(told.iter().map(|change| (**change).clone()).collect());
    let (way, founding) = hosts[0].rotate(&queue_key(), &next_key(1));
    for host in &mut hosts[1..] {
        host.follow(&way, founding.clone(), None);
    }
    assert_eq!(state(&hosts[2]), ClaimState::Unknown, "it is not forgotten");
    // A person has looked: the next part is printed.
    say(&mut hosts[1], ClaimState::Printing);
    assert_eq!(state(&hosts[1]), ClaimState::Printing);
    settle(&mut hosts);
    for host in &hosts {
        assert_eq!(state(host), ClaimState::Printing);
    }
}

#[test]
fn a_removed_admin_begins_no_epoch_and_its_key_is_good_for_nothing() {
    let mut hosts = at_work();
    let out = hosts[3].id();
    let known = hosts[0].snapshot().members[&out].certificate.clone();
    let removal = known.replace(&queue_key(), Role::Admin, true, Timestamp(50));
    hosts[0].edit(|edit| edit.put_certificate(&removal));
    let (way, founding) = hosts[0].rotate(&queue_key(), &next_key(1));
    assert_eq!(way.last().out, [out]);
    hosts[1].follow(&way, founding.clone(), None);
    // It goes its own way, with the key that it knows, however often.
    let (own, its) = hosts[3].rotate(&queue_key(), &next_key(66));
    hosts[3].rotate(&next_key(66), &next_key(67));
    assert_eq!(
        hosts[1].judge(hosts[3].records()),
        Err(EpochRefusal::NotAdmin)
    );
    // Who had heard of its removal only, too; and who had followed it comes back.
    let told = hosts[1].document.epoch();
    assert_eq!(told.number, 1);
    hosts[2].follow(&own, its, None);
    let back = hosts[2]
        .judge(hosts[1].records())
        .unwrap()
        .expect("it was put out");
    assert!(back.is_fork());
    hosts[2].follow(&back, founding, None);
    assert_eq!(hosts[2].document.epoch(), hosts[1].document.epoch());
    assert!(hosts[2].snapshot().members[&out].is_removed());
    // A certificate that the old key signs lets nobody in.
    let stranger = Host::new(20);
    let forged = Certificate::issue(&queue_key(), stranger.id(), Role::Admin, Timestamp(9), None);
    let refused = hosts[1].try_edit(|edit| edit.put_certificate(&forged));
    assert_eq!(refused, Err(EditError::Refused(Refusal::Schema)));
    let good = Certificate::issue_in(
        queue(),
        &next_key(1),
        stranger.id(),
        Role::Printer,
        Timestamp(9),
        None,
    );
    hosts[1].edit(|edit| edit.put_certificate(&good));
    assert!(hosts[1].snapshot().members[&stranger.id()].may(Role::Printer));
}

/// The admins 0 and 3 have put each other out, 1 has followed the one and 2 the other; and what their epochs began with.
fn put_each_other_out(hosts: &mut [Host]) -> [Vec<Vec<u8>>; 2] {
    let both = [hosts[0].id(), hosts[3].id()];
    for (n, other) in [(0, both[1]), (3, both[0])] {
        let known = hosts[n].snapshot().members[&other].certificate.clone();
        let removal = known.replace(&queue_key(), Role::Admin, true, Timestamp(50));
        hosts[n].edit(|edit| edit.put_certificate(&removal));
    }
    let (one, of_one) = hosts[0].rotate(&queue_key(), &next_key(1));
    let (other, of_other) = hosts[3].rotate(&queue_key(), &next_key(2));
    hosts[1].follow(&one, of_one.clone(), None);
    hosts[2].follow(&other, of_other.clone(), None);
    [of_one, of_other]
}

#[test]
fn two_admins_that_put_each_other_out_are_left_to_a_person() {
    let mut hosts = at_work();
    put_each_other_out(&mut hosts);
    for (n, other) in [(0, 3), (3, 0), (1, 2), (2, 1)] {
        let judged = hosts[n].judge(hosts[other].records());
        assert_eq!(judged, Err(EpochRefusal::Split), "{n} of {other}");
    }
}

#[test]
fn a_third_admin_that_puts_both_out_unites_those_that_two_admins_have_parted() {
    // On either side.
    for (third, other) in [(1, 2), (2, 1)] {
        let mut hosts = farm(&[Role::Admin, Role::Admin, Role::Admin]);
        settle(&mut hosts);
        let both = [hosts[0].id(), hosts[3].id()];
        put_each_other_out(&mut hosts);
        let key = next_key(u8::try_from(third).unwrap());
        // That it goes on there says nothing yet: it may not have heard of the other side.
        hosts[third].rotate(&key, &next_key(5));
        for n in [other, if third == 1 { 3 } else { 0 }] {
            let judged = hosts[n].judge(hosts[third].records());
            assert_eq!(judged, Err(EpochRefusal::Split));
        }
        let still_in = if third == 1 { both[0] } else { both[1] };
        let known = hosts[third].snapshot().members[&still_in]
            .certificate
            .clone();
        let removal = known.replace(&next_key(5), Role::Admin, true, Timestamp(60));
        hosts[third].edit(|edit| edit.put_certificate(&removal));
        let (_, founding) = hosts[third].rotate(&next_key(5), &next_key(6));
        let way = hosts[other]
            .judge(hosts[third].records())
            .unwrap()
            .expect("it counts");
        assert!(way.is_fork());
        let back = hosts[third].judge(hosts[other].records());
        assert_eq!(back, Err(EpochRefusal::NotAdmin), "not the other way round");
        hosts[other].follow(&way, founding, None);
        let members = &hosts[other].snapshot().members;
        assert!(both.iter().all(|host| members[host].is_removed()));
        // Neither of the two comes back by going on, whatever hash it finds.
        let epoch = hosts[other].document.epoch();
        for n in [0, 3] {
            let mut key = next_key(if n == 0 { 1 } else { 2 });
            for next in 10..20 {
                hosts[n].rotate(&key, &next_key(next));
                key = next_key(next);
                let judged = hosts[other].judge(hosts[n].records());
                assert!(judged.is_err(), "{judged:?}");
            }
        }
        assert_eq!(hosts[other].document.epoch(), epoch);
    }
}

/// Keys under `members/<host>/` that no version knows, each with as much as one value may hold.
fn keep_unknown(host: &mut Host, count: usize) {
    let id = host.id();
    host.edit(|edit| {
        for n in 0..count {
            let key = format!("{id}/later-{n:02}");
            let value = Scalar::text("x".repeat(16_000));
            edit.write_anything(Map::Root(Container::Members), &key, Action::Put(value));
        }
    });
}

#[test]
fn what_nobody_reads_does_not_pile_up_from_epoch_to_epoch() {
    let mut hosts = farm(&[Role::Observer, Role::Observer]);
    keep_unknown(&mut hosts[1], 20);
    keep_unknown(&mut hosts[2], 20);
    settle(&mut hosts);
    let size = |founding: &[Vec<u8>]| founding.iter().map(Vec::len).sum::<usize>();
    let (_, founding) = hosts[0].rotate(&queue_key(), &next_key(1));
    // Of each as much as a later version could need: four values.
    assert!(
        (120_000..140_000).contains(&size(&founding)),
        "{}",
        size(&founding)
    );
    let out = hosts[1].id();
    let known = hosts[0].snapshot().members[&out].certificate.clone();
    let removal = known.replace(&next_key(1), Role::Observer, true, Timestamp(50));
    hosts[0].edit(|edit| edit.put_certificate(&removal));
    let (_, founding) = hosts[0].rotate(&next_key(1), &next_key(2));
    assert!(
        (60_000..70_000).contains(&size(&founding)),
        "{}",
        size(&founding)
    );
}

#[test]
fn of_two_epochs_made_at_once_the_same_one_counts_everywhere() {
    let mut hosts = at_work();
    hosts[2].edit(|edit| edit.set_job_held(job_id(1), true));
    let (one, of_one) = hosts[0].rotate(&queue_key(), &next_key(1));
    let (two, of_two) = hosts[3].rotate(&queue_key(), &next_key(2));
    hosts[1].follow(&one, of_one.clone(), None);
    hosts[2].follow(&two, of_two.clone(), None);
    let (first, second) = (hosts[1].records(), hosts[2].records());
    let to_second = hosts[1].judge(second.clone()).unwrap();
    let to_first = hosts[2].judge(first.clone()).unwrap();
    assert_ne!(to_second.is_some(), to_first.is_some(), "one of them");
    for host in &mut hosts {
        if let Ok(Some(way)) = host.judge(first.clone()) {
            host.follow(&way, of_one.clone(), None);
        }
        if let Ok(Some(way)) = host.judge(second.clone()) {
            host.follow(&way, of_two.clone(), None);
        }
    }
    let ids: Vec<_> = hosts.iter().map(|host| host.document.epoch()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_job_that_was_over_only_on_the_way_that_lost_is_over_on_the_other_one_too() {
    let late = job_id(7);
    // The hash of a record is as it falls; the way of the host that has not heard of the job is to win.
    let n = (2..64).find(|n| {
        let mut hosts = at_work();
        let submitter = hosts[1].id();
        hosts[1].edit(|edit| edit.add_job(&job(late, submitter)));
        let tell = |hosts: &mut [Host], from: usize, to: usize| {
            let told = hosts[from]
                .document
                .changes_after(&hosts[to].document.vector());
            hosts[to].admit(told.iter().map(|change| (**change).clone()).collect());
        };
        tell(&mut hosts, 1, 2);
        let moved = JobState::Moved {
            by: hosts[2].id(),
            to: job_id(8),
            at: Timestamp(4),
        };
        hosts[2].edit(|edit| edit.set_job_state(late, &moved));
        tell(&mut hosts, 2, 0);
        tell(&mut hosts, 2, 1);
        let (one, of_one) = hosts[0].rotate(&queue_key(), &next_key(1));
        let (two, of_two) = hosts[3].rotate(&queue_key(), &next_key(*n));
        let mut own = Vec::new();
        for host in &mut hosts[1..3] {
            let followed = host.document.follow(&one, of_one.clone()).unwrap();
            let cut = &two.first().cut;
            own.push(
                followed
                    .own
                    .into_iter()
                    .filter(|own| own.is_beyond(cut))
                    .collect(),
            );
            host.follow(&one, of_one.clone(), None);
            assert_eq!(host.snapshot().jobs[&late].state, moved);
        }
        let records = hosts[3].records();
        for host in &mut hosts[..3] {
            let Ok(Some(way)) = host.judge(records.clone()) else {
                return false;
            };
            host.follow(&way, of_two.clone(), None);
        }
        // Who moved it comes first: what it says waits for the job.
        let mut left = own.pop().unwrap();
        let mut submitted = own.pop().unwrap();
        for _ in 0..2 {
            for (host, own) in [(2, &mut left), (1, &mut submitted)] {
                let Host {
                    document, device, ..
                } = &mut hosts[host];
                let carried =
                    document.carry_over(std::mem::take(own), Timestamp(9_000), device, None);
                assert_eq!(carried.refused, Vec::<String>::new());
                *own = carried.left;
            }
            settle(&mut hosts);
        }
        for host in &hosts {
            assert_eq!(host.snapshot().jobs[&late].state, moved);
        }
        true
    });
    assert!(n.is_some(), "one of many records has the lower hash");
}

/// Seed 3426 of the simulator.
#[test]
fn what_is_said_of_a_job_that_is_made_does_not_wait_for_ever_when_the_queue_got_two_keys_at_once() {
    let made = job_id(1);
    let n = (2..64).find(|n| {
        let mut hosts = farm(&[Role::Printer, Role::Operator, Role::Admin]);
        let admin = hosts[0].id();
        hosts[0].edit(|edit| {
            edit.add_job(&Job {
                copies: 1,
                ..job(made, admin)
            })
        });
        settle(&mut hosts);
        let me = hosts[1].id();
        hosts[1].edit(|edit| {
            edit.put_claim(copy(made, 0), 0, &claim(me, 1, ClaimState::Finished));
            edit.put_run(copy(made, 0), 0, 0, &run(RunResult::Ok));
        });
        // One admin has heard that it is made, and begins without it; the other one has not.
        settle(&mut hosts[..2]);
        let (_, of_one) = hosts[0].rotate(&queue_key(), &next_key(*n));
        let (two, of_two) = hosts[3].rotate(&queue_key(), &next_key(1));
        for host in &mut hosts[1..3] {
            host.follow(&two, of_two.clone(), None);
        }
        settle(&mut hosts[1..]);
        hosts[2].edit(|edit| edit.set_job_held(made, true));
        let records = hosts[0].records();
        let host = &mut hosts[2];
        let Ok(Some(way)) = host.judge(records) else {
            return false;
        };
        let carried = host.follow(&way, of_one.clone(), None);
        assert_eq!((carried.left, carried.refused), (Vec::new(), Vec::new()));
        true
    });
    assert!(n.is_some(), "one of many records has the lower hash");
}

/// Seed 8690 of the simulator: who printed the part that counts was never heard of here, and nobody will say it again.
#[test]
fn a_job_that_was_made_stays_so_when_the_part_that_made_it_turns_out_to_be_one_too_many() {
    let mut hosts = farm(&[Role::Printer, Role::Printer, Role::Operator]);
    let (made, admin) = (job_id(1), hosts[0].id());
    hosts[0].edit(|edit| {
        edit.add_job(&Job {
            copies: 1,
            ..job(made, admin)
        });
    });
    settle(&mut hosts);
    let [one, other] = [1, 2].map(|n| hosts[n].id());
    hosts[1].edit(|edit| edit.put_claim(copy(made, 0), 0, &claim(one, 1, ClaimState::Finished)));
    let without = ClaimRecord {
        speculative: true,
        ..claim(other, 2, ClaimState::Finished)
    };
    hosts[2].edit(|edit| edit.put_claim(copy(made, 0), 0, &without));
    settle(&mut hosts[..2]);
    settle(&mut hosts[2..]);
    let mut keys = vec![queue_key()];
    for n in 1..3 {
        let (next, last) = (next_key(n), keys.last().expect("the first one").clone());
        let (_, founding) = hosts[0].rotate(&last, &next);
        keys.push(next);
        let records = hosts[0].records();
        for host in &mut hosts[2..] {
            let way = host.judge(records.clone()).expect("it is genuine");
            host.follow(&way.expect("it goes on"), founding.clone(), None);
        }
        if n == 1 {
            let spare = claim(other, 2, ClaimState::Surplus);
            hosts[2].edit(|edit| edit.put_claim(copy(made, 0), 0, &spare));
            settle(&mut hosts[2..]);
        }
        for host in &hosts[2..] {
            let state = host.snapshot().copy_state(copy(made, 0));
            assert!(matches!(state, CopyState::Done(_)), "epoch {n}: {state:?}");
        }
    }
}

#[test]
fn forged_epochs_are_refused_each_for_its_reason() {
    let mut hosts = at_work();
    let before = hosts[1].document.epoch();
    // A printer's host that got hold of the key.
    let made =
        hosts[2]
            .document
            .next_epoch(&queue_key(), &next_key(5), &Device::new(3), Timestamp(5));
    let (by_operator, _) = made.unwrap();
    let operators = vec![by_operator.last().clone()];
    assert_eq!(hosts[1].judge(operators), Err(EpochRefusal::NotAdmin));
    let made =
        hosts[0]
            .document
            .next_epoch(&next_key(9), &next_key(5), &Device::new(1), Timestamp(5));
    let wrong_key = vec![made.unwrap().0.last().clone()];
    assert_eq!(hosts[1].judge(wrong_key), Err(EpochRefusal::WrongKey));
    let made =
        hosts[0]
            .document
            .next_epoch(&queue_key(), &next_key(5), &Device::new(1), Timestamp(5));
    let (way, founding) = made.unwrap();
    let good = way.last().clone();
    let changed = |change: &dyn Fn(&mut EpochRecord)| {
        let mut record = good.clone();
        change(&mut record);
        hosts[1].judge(vec![record])
    };
    assert_eq!(
        changed(&|r| r.author = hosts[3].id()),
        Err(EpochRefusal::WrongKey)
    );
    assert_eq!(
        changed(&|r| r.by_device = [3; 64]),
        Err(EpochRefusal::BadSignature)
    );
    assert_eq!(changed(&|r| r.number = 2), Err(EpochRefusal::Unconnected));
    assert_eq!(
        changed(&|r| r.queue = QueueId([1; 32])),
        Err(EpochRefusal::Unconnected)
    );
    assert_eq!(
        hosts[1].judge(vec![good.clone(); LINEAGE_MAX + 1]),
        Err(EpochRefusal::Malformed)
    );
    let spoiled = |founding: Vec<Vec<u8>>| hosts[1].document.follow(&way, founding).err();
    let mismatch = Some(EpochRefusal::FoundingMismatch);
    assert_eq!(spoiled(Vec::new()), mismatch);
    assert_eq!(spoiled(founding[1..].to_vec()), mismatch);
    for n in 0..founding.len() {
        for at in (0..founding[n].len()).step_by(7) {
            let mut founding = founding.clone();
            founding[n][at] ^= 1;
            assert_eq!(spoiled(founding), mismatch, "byte {at} of change {n}");
        }
    }
    assert_eq!(hosts[1].document.epoch(), before);
    // A change that says that an epoch began with it is nobody's.
    let bad = SignedChange::from_bytes(&founding[0]).unwrap();
    let admitted = hosts[1].admit(vec![bad]);
    assert!(admitted.applied.is_empty());
}

#[test]
fn an_admin_that_leaves_out_what_others_said_is_found_out_by_who_knows_it() {
    let mut hosts = at_work();
    // It hides what the printer's host said last, and claims to have seen it.
    let me = hosts[1].id();
    let mut blind = Host::new(1);
    blind.pull(&hosts[0]);
    hosts[1].edit(|edit| {
        let ended = claim(me, 1, ClaimState::Finished);
        edit.put_claim(copy(job_id(1), 0), 0, &ended);
    });
    settle(&mut hosts);
    let made = blind
        .document
        .next_epoch(&queue_key(), &next_key(5), &Device::new(1), Timestamp(5));
    let (way, _) = made.unwrap();
    let mut record = way.last().clone();
    record.cut = hosts[0].document.vector();
    let record = record.signed(&queue_key(), &Device::new(1)).unwrap();
    let forged = hosts[2]
        .judge(vec![record])
        .unwrap()
        .expect("its signatures are good");
    let found = hosts[2].document.founding_here(&forged);
    assert_eq!(found, Err(EpochRefusal::Forged));
    assert_eq!(forged.last().author, hosts[0].id(), "and it is named");
}

#[test]
fn who_was_away_for_several_epochs_follows_in_one_step_and_keeps_its_word() {
    let mut hosts = at_work();
    let late = job_id(7);
    let me = hosts[1].id();
    hosts[1].edit(|edit| edit.add_job(&job(late, me)));
    let mut key = queue_key();
    let mut founding = Vec::new();
    for n in 1..=5 {
        let next = next_key(n);
        (_, founding) = hosts[0].rotate(&key, &next);
        key = next;
        let name = format!("name {n}");
        hosts[0].edit(|edit| edit.set_job_name(job_id(1), &name));
    }
    let (records, _) = hosts[0]
        .document
        .records_after(hosts[1].document.epoch().hash);
    let way = hosts[1]
        .judge(records)
        .unwrap()
        .expect("the chain is whole");
    hosts[1].follow(&way, founding, None);
    let (admin, rest) = hosts.split_at_mut(1);
    rest[0].pull(&admin[0]);
    admin[0].pull(&rest[0]);
    assert_eq!(admin[0].snapshot().jobs[&late].submitter, me);
    assert_eq!(rest[0].snapshot().jobs[&job_id(1)].name, "name 5");
    // A chain from which a record is missing leads nowhere.
    let mut gap = hosts[0].records();
    gap.remove(2);
    assert!(hosts[2].judge(gap).is_err());
}

#[test]
fn a_large_queue_begins_with_several_changes_and_a_second_epoch_with_the_same() {
    let mut hosts = farm(&[Role::Printer]);
    let me = hosts[0].id();
    for n in 0..120u8 {
        let id = JobId([n; 16]);
        hosts[0].edit(|edit| {
            edit.add_job(&job(id, me));
        });
    }
    let before = hosts[0].snapshot().clone();
    let (_, first) = hosts[0].rotate(&queue_key(), &queue_key());
    assert!(first.len() > 2, "{}", first.len());
    let (_, second) = hosts[0].rotate(&queue_key(), &queue_key());
    assert_eq!(first.len(), second.len());
    assert_eq!(hosts[0].snapshot(), &before);
    assert_eq!(hosts[0].document.changes_of_epoch(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever was written, wherever it had got to when the epoch ended: all come to the same, and nothing is missing.
    #[test]
    fn nothing_is_lost_to_an_epoch(
        steps in proptest::collection::vec((any::<Index>(), any::<u8>(), 0..4u8, any::<u8>(), any::<bool>()), 1..60),
    ) {
        let mut hosts = farm(&[Role::Printer, Role::Operator, Role::Admin]);
        for (n, what, job, value, tell) in steps {
            let n = n.index(hosts.len());
            edit_something(&mut hosts[n], what, job, value);
            if tell {
                settle(&mut hosts);
            }
        }
        let union: Vec<Snapshot> = hosts.iter().map(|host| host.snapshot().clone()).collect();
        let key = next_key(1);
        let (way, founding) = hosts[0].rotate(&queue_key(), &key);
        let mut left = vec![Vec::new(); hosts.len()];
        for (n, host) in hosts.iter_mut().enumerate().skip(1) {
            if let Some(own) = host.document.founding_here(&way).unwrap() {
                prop_assert_eq!(&own, &founding);
            }
            let carried = host.follow(&way, founding.clone(), Some(&key));
            prop_assert_eq!(&carried.refused, &Vec::<String>::new());
            left[n] = carried.left;
        }
        for _ in 0..3 {
            settle(&mut hosts);
            for (n, host) in hosts.iter_mut().enumerate() {
                let waiting = std::mem::take(&mut left[n]);
                let carried = host.document.carry_over(waiting, Timestamp(9_999), &host.device, Some(&key));
                left[n] = carried.left;
            }
        }
        settle(&mut hosts);
        for (host, before) in hosts.iter().zip(&union) {
            prop_assert!(left.iter().all(Vec::is_empty), "{:?}", left);
            for before in [before, &union[0]] {
                assert_knows(host.snapshot(), before);
            }
            prop_assert_eq!(host.document.vector(), hosts[0].document.vector());
            prop_assert_eq!(&host.snapshot().members, &hosts[0].snapshot().members);
            prop_assert_eq!(&host.snapshot().printers, &hosts[0].snapshot().printers);
        }
    }
}
