//! Who may do what: the table for people, tried cell by cell; and what becomes of a member that was removed or given
//! another role, on every host alike and in whatever order they hear of it.

use super::*;
use crate::{
    change::{Action, Scalar},
    engine::Map,
    schema::Container,
};

const TABLE: &str = include_str!("../../ROLES.md");

/// What a row of the table names, as the member's own software would write it.
fn act(edit: &mut Edit<'_>, me: HostId, what: &str, own: JobId, other: JobId) {
    let (verb, id) = match (
        what.strip_suffix(" own job"),
        what.strip_suffix(" other job"),
    ) {
        (Some(verb), _) => (verb, own),
        (_, Some(verb)) => (verb, other),
        _ => (what, own),
    };
    let claimed = copy(other, 2);
    match verb {
        "submit a job" => edit.add_job(&job(job_id(77), me)),
        "edit an" => edit.set_job_copies(id, 7),
        "move an" => edit.set_job_rank(id, &Rank::parse("77").unwrap()),
        "hold an" => edit.set_job_held(id, true),
        "cancel an" => {
            let state = JobState::Cancelled {
                by: me,
                at: Timestamp(9),
            };
            edit.set_job_state(id, &state);
        }
        "retry a copy of an" => edit.set_again(copy(id, 0), 0),
        "ask the printing host for something" => {
            let request = Request {
                job: own,
                wanted: Wanted::Stop,
                at: Timestamp(9),
            };
            edit.put_request("x", &request);
        }
        "announce a printer" => edit.put_printer("new", &printer()),
        "claim a copy" => edit.put_claim(claimed, 0, &claim(me, 9, ClaimState::Claimed)),
        "report a print" => edit.put_run(claimed, 0, 0, &run(RunResult::Ok)),
        "give a silent print up as a voter" => {
            let record = LostRecord {
                cfg: 1,
                at: Timestamp(9),
            };
            edit.put_lost(claimed, 0, &record);
        }
        "make a group" => {
            let map = Map::Root(Container::Groups);
            edit.write_anything(map, "drawer", Action::Put(Scalar::text("x")));
        }
        "choose the voters" => edit.set_setting(Setting::Voters, "fixed"),
        "change a setting" => edit.set_setting(Setting::Retries, "3"),
        "rename the queue" => edit.set_queue_name("other"),
        "give out or take back an invite" => edit.put_invite(HostId([5; 32]), &invite()),
        "say its own name, leave" => {
            edit.set_my_name("shed");
            edit.leave();
        }
        row => panic!("nobody tries `{row}`"),
    }
}

fn invite() -> InviteRecord {
    InviteRecord {
        role: Role::Printer,
        uses: 1,
        expires_at_s: None,
        made: Timestamp(1),
        revoked: false,
    }
}

impl Host {
    /// Decides anew about a member.
    fn decide(&mut self, member: HostId, role: Role, removed: bool) -> SignedChange {
        let known = self.snapshot().members[&member].certificate.clone();
        let next = known.replace(&queue_key(), role, removed, Timestamp(self.now));
        self.edit(|edit| edit.put_certificate(&next))
    }

    /// Takes everything that another host has, whatever becomes of it, and says what was there before a decision.
    fn exchange(&mut self, from: &Self) -> Vec<Refusal> {
        let changes = from.document.changes_after(&self.document.vector());
        let admitted = self.admit(changes.iter().map(|change| (**change).clone()).collect());
        for Decision { member, turn, .. } in admitted.decisions.into_iter().filter(|d| d.overlooks)
        {
            if self.document.snapshot().members[&self.id()].may(Role::Observer) {
                self.edit(|edit| edit.keep_what_was(member, turn));
            }
        }
        admitted.refused.iter().map(|refused| refused.why).collect()
    }
}

#[test]
fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let mut rows = TABLE.lines().filter(|line| line.starts_with("| "));
    let head = rows.next().expect("the table has a head");
    let words: Vec<&str> = head.split('|').map(str::trim).skip(2).take(5).collect();
    assert_eq!(words, Role::ALL.map(Role::word));
    let rows: Vec<&str> = rows.take_while(|row| !row.contains("becomes")).collect();
    assert_eq!(rows.len(), 22);
    for role in Role::ALL {
        // It came as a submitter, so that whatever it may do by now, there is a job of its own.
        let mut hosts = farm(&[Role::Submitter]);
        let (admin, me) = (hosts[0].id(), hosts[1].id());
        let (own, other) = (job_id(1), job_id(2));
        hosts[1].edit(|edit| edit.add_job(&job(own, me)));
        let (one, rest) = hosts.split_at_mut(1);
        one[0].pull(&rest[0]);
        one[0].edit(|edit| edit.add_job(&job(other, admin)));
        one[0].decide(me, role, false);
        rest[0].pull(&one[0]);
        assert_eq!(rest[0].snapshot().members[&me].certificate.role, role);
        let log = rest[0].log();
        for row in &rows {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let wanted = match cells[2 + role as usize] {
                "yes" => true,
                "no" => false,
                cell => panic!("{row}: {cell}"),
            };
            let mut member = Host::new(2);
            let author = member.document.author();
            member.document = QueueDocument::load(queue(), author, log.clone()).unwrap();
            let done = member.try_edit(|edit| act(edit, me, cells[1], own, other));
            match done {
                Ok(Some(change)) => {
                    assert!(wanted, "{}: {}", cells[1], role.word());
                    // What one host writes, another one takes.
                    let mut reader = Host::new(9);
                    reader.pull(&member);
                    assert!(
                        reader
                            .document
                            .changes_after(&VersionVector::default())
                            .iter()
                            .any(|c| c.hash() == change.hash())
                    );
                }
                Err(EditError::Refused(Refusal::NotPermitted)) => {
                    assert!(!wanted, "{}: {}", cells[1], role.word());
                }
                other => panic!("{}: {} {other:?}", cells[1], role.word()),
            }
        }
    }
}

#[test]
fn a_removed_member_writes_nothing_more_and_what_it_wrote_stays() {
    let mut hosts = farm(&[Role::Operator, Role::Printer]);
    let member = hosts[1].id();
    let job_of = |n| job(job_id(n), member);
    hosts[1].edit(|edit| edit.add_job(&job_of(1)));
    let (one, rest) = hosts.split_at_mut(1);
    one[0].pull(&rest[0]);
    let removal = one[0].decide(member, Role::Operator, true);
    rest[1].pull(&one[0]);
    // It has not heard of it, or says so: nobody who knows takes what it writes now.
    let hidden = rest[0].edit(|edit| edit.add_job(&job_of(2)));
    let again = rest[0].edit(|edit| edit.set_job_name(job_id(1), "mine"));
    for reader in [&mut one[0], &mut rest[1]] {
        let before = (reader.snapshot().clone(), reader.document.vector());
        let admitted = reader.admit(vec![hidden.clone(), again.clone()]);
        assert_eq!(admitted.applied.len(), 0);
        assert_eq!(
            admitted.refused.iter().map(|r| r.why).collect::<Vec<_>>(),
            [Refusal::Removed]
        );
        assert_eq!(
            (reader.snapshot().clone(), reader.document.vector()),
            before
        );
        assert_eq!(
            reader.snapshot().jobs[&job_id(1)].submitter,
            member,
            "what it wrote stays"
        );
        let shown = &reader.snapshot().members[&member];
        assert!(shown.is_removed() && shown.left && !shown.may(Role::Observer));
    }
    // Once it has heard of it, its own software refuses.
    rest[0].admit(vec![removal]);
    let own = rest[0].try_edit(|edit| edit.add_job(&job_of(3)));
    assert_eq!(own, Err(EditError::Refused(Refusal::Removed)));
    // Nor does an older certificate bring it back.
    let old = certificate(member, Role::Admin);
    assert_eq!(
        rest[0].try_edit(|edit| edit.put_certificate(&old)),
        Ok(None)
    );
}

#[test]
fn what_a_member_wrote_in_a_cut_network_before_its_removal_reached_it_is_the_same_for_all() {
    // b is removed by a while b and c are cut off; c has taken in what b wrote there, and built on it or not.
    for builds in [false, true] {
        let mut hosts = farm(&[Role::Printer, Role::Operator, Role::Observer]);
        let member = hosts[1].id();
        let (one, rest) = hosts.split_at_mut(1);
        for n in 1..=3 {
            rest[0].edit(|edit| edit.add_job(&job(job_id(n), member)));
        }
        rest[1].pull(&rest[0].clone_of());
        if builds {
            rest[1].edit(|edit| edit.set_job_held(job_id(2), true));
        }
        let late = rest[0].edit(|edit| edit.add_job(&job(job_id(4), member)));
        one[0].decide(member, Role::Printer, true);
        rest[2].pull(&one[0]);
        // The cut is over: everybody hears everything, in both directions, some of it more than once.
        for _ in 0..3 {
            for to in 0..4 {
                for from in [0, 2, 3] {
                    if to != from && to != 1 {
                        let source = hosts_at(one, rest, from).clone_of();
                        hosts_at_mut(one, rest, to).exchange(&source);
                    }
                }
            }
        }
        for n in [2, 3] {
            assert_eq!(
                hosts_at(one, rest, n).snapshot(),
                one[0].snapshot(),
                "host {n}"
            );
            assert_eq!(
                hosts_at(one, rest, n).document.vector(),
                one[0].document.vector()
            );
        }
        assert_eq!(one[0].snapshot().jobs.len(), 3, "what c had stays");
        assert_eq!(one[0].snapshot().jobs[&job_id(2)].held, builds);
        let admitted = one[0].admit(vec![late]);
        assert_eq!(
            admitted.refused[0].why,
            Refusal::Removed,
            "what nobody had does not"
        );
    }
}

#[test]
fn a_member_with_a_lower_role_goes_on_by_it() {
    let mut hosts = farm(&[Role::Operator]);
    let (admin, member) = (hosts[0].id(), hosts[1].id());
    let (one, rest) = hosts.split_at_mut(1);
    one[0].edit(|edit| edit.add_job(&job(job_id(1), admin)));
    rest[0].pull(&one[0]);
    let lowered = one[0].decide(member, Role::Submitter, false);
    let bold = rest[0].edit(|edit| edit.set_job_held(job_id(1), true));
    assert_eq!(
        one[0].admit(vec![bold]).refused[0].why,
        Refusal::NotPermitted
    );
    // An honest one says that it had done that before it heard of it; then it is as it was for everybody.
    assert_eq!(rest[0].exchange(&one[0].clone_of()), []);
    assert_eq!(rest[0].log().len(), one[0].log().len() + 2);
    one[0].pull(&rest[0]);
    assert_eq!(one[0].snapshot(), rest[0].snapshot());
    assert!(one[0].snapshot().jobs[&job_id(1)].held);
    let after = rest[0].try_edit(|edit| edit.set_job_held(job_id(1), false));
    assert_eq!(after, Err(EditError::Refused(Refusal::NotPermitted)));
    // And may do again what it could when that is decided.
    let again = one[0].decide(member, Role::Operator, false);
    assert!(again.seq() > lowered.seq());
    rest[0].pull(&one[0]);
    rest[0].edit(|edit| edit.set_job_held(job_id(1), false));
}

#[test]
fn of_two_decisions_at_the_same_time_the_stricter_one_counts_everywhere() {
    for (one_says, two_says) in [
        ((Role::Admin, false), (Role::Operator, true)),
        ((Role::Operator, false), (Role::Observer, false)),
    ] {
        let mut hosts = farm(&[Role::Admin, Role::Printer]);
        let member = hosts[2].id();
        let (one, rest) = hosts.split_at_mut(1);
        one[0].decide(member, one_says.0, one_says.1);
        rest[0].decide(member, two_says.0, two_says.1);
        one[0].exchange(&rest[0].clone_of());
        rest[0].exchange(&one[0].clone_of());
        for host in [&one[0], &rest[0]] {
            let certificate = &host.snapshot().members[&member].certificate;
            assert_eq!((certificate.role, certificate.removed), two_says);
        }
        assert_eq!(one[0].snapshot(), rest[0].snapshot());
    }
}

#[test]
fn two_admins_that_remove_each_other_are_both_out_and_a_holder_of_the_key_repairs_it() {
    let mut hosts = farm(&[Role::Admin, Role::Admin, Role::Admin]);
    let ids: Vec<HostId> = hosts.iter().map(Host::id).collect();
    let (one, rest) = hosts.split_at_mut(1);
    one[0].decide(ids[1], Role::Admin, true);
    rest[0].decide(ids[0], Role::Admin, true);
    // In either order.
    let (a, b) = (one[0].clone_of(), rest[0].clone_of());
    rest[1].exchange(&a);
    rest[1].exchange(&b);
    rest[2].exchange(&b);
    rest[2].exchange(&a);
    let out = |host: &Host| {
        let members = &host.snapshot().members;
        [0, 1].map(|n| members[&ids[n]].is_removed())
    };
    for other in 1..3 {
        let source = rest[3 - other].clone_of();
        rest[other].exchange(&source);
    }
    assert_eq!((out(&rest[1]), out(&rest[2])), ([true, true], [true, true]));
    assert_eq!(rest[1].snapshot(), rest[2].snapshot());
    rest[1].decide(ids[1], Role::Printer, false);
    let source = rest[1].clone_of();
    rest[2].exchange(&source);
    assert_eq!(out(&rest[2]), [true, false]);
}

impl Host {
    /// The same host as it is now, to be read from.
    fn clone_of(&self) -> Self {
        let mut twin = Self::new(250);
        let author = twin.document.author();
        twin.document = QueueDocument::load(queue(), author, self.log()).unwrap();
        twin
    }
}

fn hosts_at<'a>(one: &'a [Host], rest: &'a [Host], n: usize) -> &'a Host {
    if n == 0 { &one[0] } else { &rest[n - 1] }
}

fn hosts_at_mut<'a>(one: &'a mut [Host], rest: &'a mut [Host], n: usize) -> &'a mut Host {
    if n == 0 {
        &mut one[0]
    } else {
        &mut rest[n - 1]
    }
}
