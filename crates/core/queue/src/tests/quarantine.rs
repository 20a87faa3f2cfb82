//! A host whose change broke the engine, and a host that signed two histories.

use super::*;

/// An admin, a printer whose change `word` broke the engine of the admin, and another one. The word is the test's own: what
/// breaks one document of this process breaks all.
fn broken(word: &str) -> (Vec<Host>, HostId) {
    let mut hosts = farm(&[Role::Printer, Role::Printer]);
    let bad = hosts[1].edit(|edit| edit.set_my_name(word));
    sabotage::break_on(bad.hash());
    let author = hosts[1].id();
    let admitted = hosts[0].admit(vec![bad]);
    assert_eq!(admitted.refused[0].why, Refusal::Engine);
    assert_eq!(admitted.refused[0].author, Some(author));
    hosts[0].document.quarantine(author);
    (hosts, author)
}

/// Another start of the daemon of `host`, which knows what `other` knows.
fn started_anew(host: &Host, other: &Host, boot: u64) -> Host {
    let mut anew = Host::new(2);
    assert_eq!(anew.id(), host.id());
    let author = Author {
        host: host.id(),
        boot,
    };
    anew.document = QueueDocument::load(queue(), author, other.log()).unwrap();
    anew
}

#[test]
fn whose_change_broke_the_engine_writes_nothing_until_a_person_says_otherwise() {
    let (mut hosts, author) = broken("breaks, and is let in again");
    let mut anew = started_anew(&hosts[1], &hosts[0], 77);
    let next = anew.edit(|edit| edit.put_printer("next", &printer()));
    let others = hosts[2].edit(|edit| edit.put_printer("others", &printer()));

    let admitted = hosts[0].admit(vec![next.clone(), others.clone()]);
    let named: Vec<_> = admitted
        .refused
        .iter()
        .map(|refused| (refused.author, refused.why))
        .collect();
    assert_eq!(named, [(Some(author), Refusal::Quarantined)]);
    let applied: Vec<_> = admitted.applied.iter().map(|one| one.hash()).collect();
    assert_eq!(
        applied,
        [others.hash()],
        "the good ones of others are taken"
    );

    let released = hosts[0].document.release(author);
    let applied: Vec<_> = released.applied.iter().map(|one| one.hash()).collect();
    assert_eq!(applied, [next.hash()]);
    assert_eq!(hosts[0].snapshot().printers.len(), 2);
    assert_eq!(hosts[0].document.release(author), Admitted::default());
    hosts[0].document.check();
}

#[test]
fn what_another_member_built_on_comes_in_with_it() {
    let (mut hosts, _) = broken("breaks, and others build on it");
    let mut anew = started_anew(&hosts[1], &hosts[0], 78);
    let next = anew.edit(|edit| edit.put_printer("next", &printer()));
    hosts[2].admit(vec![next.clone()]);
    let on_it = hosts[2].edit(|edit| edit.set_my_name("built on it"));
    hosts[0].admit(vec![next.clone()]);
    let admitted = hosts[0].admit(vec![on_it.clone()]);
    let applied: Vec<_> = admitted.applied.iter().map(|one| one.hash()).collect();
    assert_eq!(applied, [next.hash(), on_it.hash()]);
    hosts[0].document.check();
}

/// Two changes of a printer under one number, and an admin that has seen them.
fn forked() -> (Vec<Host>, [SignedChange; 2], Admitted) {
    let mut hosts = farm(&[Role::Printer]);
    let mut twin = Host::new(2);
    let author = hosts[1].document.author();
    twin.document = QueueDocument::load(queue(), author, hosts[1].log()).unwrap();
    let one = hosts[1].edit(|edit| edit.set_my_name("one"));
    let two = twin.edit(|edit| edit.set_my_name("two"));
    let admitted = hosts[0].admit(vec![one.clone(), two.clone()]);
    (hosts, [one, two], admitted)
}

#[test]
fn two_histories_under_one_number_are_kept_as_a_proof_that_anybody_can_check() {
    let (hosts, changes, admitted) = forked();
    let [proof] = admitted.proofs.as_slice() else {
        panic!("one proof: {:?}", admitted.proofs)
    };
    assert_eq!(proof.author(), hosts[1].id());
    assert_eq!(proof.seq(), changes[0].seq());
    assert!(
        changes
            .iter()
            .all(|change| proof.changes().contains(&change))
    );

    // A third party has the queue's id and these bytes, and nothing else.
    let bytes = proof.to_bytes();
    assert_eq!(Equivocation::read(queue(), &bytes).as_ref(), Some(proof));
    assert_eq!(Equivocation::read(QueueId([1; 32]), &bytes), None);
    for at in 0..bytes.len() {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 1;
        if let Some(read) = Equivocation::read(queue(), &spoiled) {
            panic!("byte {at} of a proof may be changed: {read:?}");
        }
    }
    // The same from either side.
    let [one, two] = &changes;
    assert_eq!(
        Equivocation::of(queue(), two, one),
        Equivocation::of(queue(), one, two)
    );
}

#[test]
fn nobody_is_accused_by_what_proves_nothing() {
    let mut hosts = farm(&[Role::Printer, Role::Printer]);
    let first = hosts[1].edit(|edit| edit.set_my_name("first"));
    let second = hosts[1].edit(|edit| edit.set_my_name("second"));
    let others = hosts[2].edit(|edit| edit.set_my_name("others"));
    for (one, other) in [(&first, &first), (&first, &second), (&first, &others)] {
        assert_eq!(Equivocation::of(queue(), one, other), None);
    }
    // Somebody else's signature under the same place.
    let (_, changes, _) = forked();
    let mut bytes = changes[1].to_bytes();
    let end = bytes.len();
    bytes[end - 1] ^= 1;
    let unsigned = SignedChange::from_bytes(&bytes).unwrap();
    assert_eq!(Equivocation::of(queue(), &changes[0], &unsigned), None);
}
