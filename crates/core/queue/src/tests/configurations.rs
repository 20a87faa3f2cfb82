//! Who may publish which voters: those before must have given way, and every host can check that they did.

use super::*;
use crate::tests::forgeries::{ADMIN, PRINTER, SUBMITTER, scene};

fn signed(host: &Host, next: &Voters) -> Seal {
    Seal {
        host: host.id(),
        signature: host.device.sign(&seal_bytes(queue(), next)),
    }
}

fn next(cfg: u32, hosts: &[HostId]) -> Voters {
    Voters {
        cfg,
        hosts: hosts.to_vec(),
    }
}

fn publish(host: &mut Host, voters: &Voters, seals: &[Seal]) -> Result<(), EditError> {
    let configuration = Configuration {
        voters: voters.clone(),
        seals: seals.to_vec(),
    };
    let done = host.try_edit(|edit| edit.publish_voters(&configuration));
    done.map(|_| ())
}

#[test]
fn the_next_voters_are_published_by_any_member_with_the_word_of_a_majority_of_those_before() {
    let mut hosts = scene();
    let ids: Vec<HostId> = hosts.iter().map(Host::id).collect();
    let refused = Err(EditError::Refused(Refusal::NotPermitted));
    let second = next(2, &[ids[ADMIN], ids[PRINTER], ids[SUBMITTER]]);
    let seal = signed(&hosts[ADMIN], &second);
    // Without a word, with a stranger's, with the word of who is not a voter, or with a word about others.
    let other = next(2, &[ids[PRINTER]]);
    let about_others = signed(&hosts[ADMIN], &other);
    let later = signed(&hosts[ADMIN], &next(3, &second.hosts));
    let own = signed(&hosts[PRINTER], &second);
    let in_its_name = Seal {
        host: ids[ADMIN],
        ..own.clone()
    };
    for seals in [
        vec![],
        vec![about_others],
        vec![later],
        vec![own],
        vec![in_its_name],
    ] {
        assert_eq!(
            publish(&mut hosts[PRINTER], &second, &seals),
            refused,
            "{seals:?}"
        );
    }
    publish(&mut hosts[PRINTER], &second, std::slice::from_ref(&seal)).unwrap();
    assert_eq!(hosts[PRINTER].snapshot().voters, second);
    // Written once.
    let word = signed(&hosts[ADMIN], &other);
    assert_eq!(publish(&mut hosts[PRINTER], &other, &[word]), refused);
    // The next one needs two of these three: one is not enough, nor is one twice, nor are those before them.
    let third = next(3, &[ids[SUBMITTER]]);
    let words = [ADMIN, PRINTER, SUBMITTER].map(|n| signed(&hosts[n], &third));
    let (admin, printer) = (&words[0], &words[1]);
    for seals in [vec![admin.clone()], vec![printer.clone(), printer.clone()]] {
        assert_eq!(publish(&mut hosts[PRINTER], &third, &seals), refused);
    }
    let fifth = next(5, &[ids[PRINTER]]);
    let word = signed(&hosts[PRINTER], &fifth);
    assert_eq!(
        publish(&mut hosts[PRINTER], &fifth, &[word]),
        refused,
        "none before it is known"
    );
    publish(&mut hosts[PRINTER], &third, &words[..2]).unwrap();
    let (first, rest) = hosts.split_at_mut(1);
    first[0].pull(&rest[0]);
    assert_eq!(first[0].snapshot().voters, third);
}

#[test]
fn only_an_admin_recovers_a_queue_and_that_outranks_whatever_the_old_voters_decide() {
    let mut hosts = scene();
    let ids: Vec<HostId> = hosts.iter().map(Host::id).collect();
    let recovered = next(next_era(1).unwrap(), &[ids[PRINTER]]);
    assert!(recovered.is_recovered() && !next(1, &[]).is_recovered());
    let words = [ADMIN, PRINTER].map(|n| signed(&hosts[n], &recovered));
    assert_eq!(
        publish(&mut hosts[PRINTER], &recovered, &words),
        Err(EditError::Refused(Refusal::NotPermitted))
    );
    publish(&mut hosts[ADMIN], &recovered, &[]).unwrap();
    let second = next(2, &[ids[SUBMITTER]]);
    let word = signed(&hosts[ADMIN], &second);
    publish(&mut hosts[PRINTER], &second, &[word]).unwrap();
    let (first, rest) = hosts.split_at_mut(1);
    first[0].pull(&rest[0]);
    rest[0].pull(&first[0]);
    for host in [&first[0], &rest[0]] {
        assert_eq!(host.snapshot().voters, recovered);
        assert_eq!(host.snapshot().configs.len(), 3);
    }
    assert_eq!(next_config(recovered.cfg), Some(recovered.cfg + 1));
    assert_eq!(
        next_config(recovered.cfg - 1),
        None,
        "voters never decide an era"
    );
}

#[test]
fn two_lists_under_one_number_are_read_alike_by_everybody() {
    let mut hosts = scene();
    let ids: Vec<HostId> = hosts.iter().map(Host::id).collect();
    let one = next(2, &[ids[PRINTER]]);
    let other = next(2, &[ids[SUBMITTER]]);
    // The voter signed both: it is broken, or its disk went back in time.
    let words = [&one, &other].map(|list| signed(&hosts[ADMIN], list));
    publish(&mut hosts[PRINTER], &one, &words[..1]).unwrap();
    publish(&mut hosts[SUBMITTER], &other, &words[1..]).unwrap();
    let (first, rest) = hosts.split_at_mut(2);
    first[1].pull(&rest[0]);
    rest[0].pull(&first[1]);
    assert_eq!(first[1].snapshot().voters, rest[0].snapshot().voters);
}

#[test]
fn an_operator_says_whether_the_hosts_choose_the_voters_and_no_other_setting() {
    let mut hosts = farm(&[Role::Operator, Role::Printer]);
    hosts[1].edit(|edit| edit.set_setting(Setting::Voters, "fixed"));
    assert_eq!(hosts[1].snapshot().settings.voters, VoterChoice::Fixed);
    let refused = Err(EditError::Refused(Refusal::NotPermitted));
    let lease = hosts[1].try_edit(|edit| edit.set_setting(Setting::Lease, "90"));
    assert_eq!(lease, refused);
    let choice = hosts[2].try_edit(|edit| edit.set_setting(Setting::Voters, "auto"));
    assert_eq!(choice, refused);
}
