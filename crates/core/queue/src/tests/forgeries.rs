//! What a hostile member may try: each forgery is refused with its code, and the document stays as it was.

use super::*;
use crate::{
    change::{Action, Body, OpRef, Scalar, Target, signed_bytes},
    document::Spot,
    schema::{Container, GENESIS_OPS},
};

/// Signs any body with any key, past all limits of our own writer.
pub(super) fn forge(
    body: &Body,
    device: &Device,
    queue: QueueId,
) -> Result<SignedChange, WireError> {
    let mut bytes = postcard::to_stdvec(body).unwrap();
    let hash = engine::hash(body).unwrap_or(ChangeHash([0; 32]));
    bytes.extend_from_slice(&device.sign(&signed_bytes(queue, body.epoch, hash)));
    SignedChange::from_bytes(&bytes)
}

pub(super) const ADMIN: usize = 0;
pub(super) const PRINTER: usize = 1;
pub(super) const SUBMITTER: usize = 2;
pub(super) const OBSERVER: usize = 3;

/// A queue with a member of each kind, a job of the admin and one of the submitter, and a claim of the printer's host.
pub(super) fn scene() -> Vec<Host> {
    let mut hosts = farm(&[Role::Printer, Role::Submitter, Role::Observer]);
    let (admin, submitter, printer_host) = (
        hosts[ADMIN].id(),
        hosts[SUBMITTER].id(),
        hosts[PRINTER].id(),
    );
    hosts[ADMIN].edit(|edit| edit.add_job(&job(job_id(1), admin)));
    hosts[SUBMITTER].edit(|edit| edit.add_job(&job(job_id(2), submitter)));
    hosts[ADMIN].edit(|edit| edit.put_printer("mk4", &printer()));
    hosts[PRINTER].edit(|edit| edit.put_printer("mk4", &printer()));
    hosts[PRINTER].edit(|edit| {
        edit.put_claim(
            copy(job_id(1), 0),
            0,
            &claim(printer_host, 4, ClaimState::Printing),
        );
    });
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
    hosts
}

/// A body as the member's own software would write it, with `ops` of the given targets, keys and actions.
fn body(hosts: &[Host], member: usize, ops: &[(Spot, String, Action)]) -> Body {
    hosts[member]
        .document
        .body_by(author_of(&hosts[member]), ops)
}

pub(super) fn put(value: Scalar) -> Action {
    Action::Put(value)
}

pub(super) fn text(text: &str) -> Action {
    put(Scalar::text(text))
}

pub(super) fn target(container: Container) -> Target {
    Target::Genesis(container.counter())
}

pub(super) fn root(container: Container) -> Spot {
    Spot::Raw(target(container))
}

fn bucket(job: JobId) -> Spot {
    root(Container::of_copies(job))
}

/// Checks that the admin's host refuses what `member` signed, says why, and stays as it was.
pub(super) fn refuses(name: &str, hosts: &mut [Host], forged: SignedChange, wanted: Refusal) {
    let admin = &mut hosts[ADMIN];
    let before = (admin.snapshot().clone(), admin.document.vector());
    let admitted = admin.admit(vec![forged]);
    let found: Vec<_> = admitted
        .refused
        .iter()
        .map(|refused| refused.why.code())
        .collect();
    assert_eq!(found, [wanted.code()], "{name}");
    assert_eq!((admitted.applied.len(), admitted.parked), (0, 0), "{name}");
    assert!(admitted.touched.is_empty(), "{name}");
    assert_eq!(
        (admin.snapshot().clone(), admin.document.vector()),
        before,
        "{name}"
    );
}

#[test]
fn a_member_may_not_write_what_is_not_its_own() {
    let hosts = scene();
    let (admin, printer_host, submitter) = (
        hosts[ADMIN].id(),
        hosts[PRINTER].id(),
        hosts[SUBMITTER].id(),
    );
    let (one, two) = (job_id(1), job_id(2));
    let record = |host, n, state| put(Scalar::json(&claim(host, n, state)));
    let claim_of = |host: HostId, n| format!("{one}/0/{host}/{n}");
    let cert = |certificate: &Certificate| put(Scalar::json(certificate));
    let forged_certificate = |member| {
        let key = SigningKey::from_bytes(&[5; 32]);
        Certificate {
            queue: queue(),
            ..Certificate::issue(&key, member, Role::Admin, Timestamp(0), None)
        }
    };
    let earlier = |role| Certificate::issue(&queue_key(), admin, role, Timestamp(0), None);
    let (meta, members) = (root(Container::Meta), root(Container::Members));
    let state = |state: JobState| put(Scalar::json(&state));
    let moved = JobState::Cancelled {
        by: admin,
        at: Timestamp(1),
    };
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    use Refusal::{MissingObject, NotPermitted, Schema};
    #[rustfmt::skip]
    let table: Vec<(&str, usize, Spot, String, Action, Refusal)> = vec![
        ("queue name", PRINTER, meta, "name".into(), text("mine"), NotPermitted),
        ("voters", SUBMITTER, meta, "voters".into(), put(Scalar::json(&voters(&[submitter]))), NotPermitted),
        ("two voters", ADMIN, meta, "voters".into(), put(Scalar::json(&voters(&[admin, submitter]))), Schema),
        ("another queue id", ADMIN, meta, "queue".into(), put(Scalar::Bytes(vec![0; 32])), Schema),
        ("another format", ADMIN, meta, "format".into(), put(Scalar::Number(2)), Schema),
        ("another epoch", ADMIN, meta, "epoch".into(), put(Scalar::Number(1)), Schema),
        ("a number for a name", ADMIN, meta, "name".into(), put(Scalar::Number(1)), Schema),
        ("a setting", PRINTER, root(Container::Settings), "x".into(), text("1"), NotPermitted),
        ("a group", SUBMITTER, root(Container::Groups), "x/name".into(), text("1"), NotPermitted),
        ("a foreign request", SUBMITTER, root(Container::Requests), format!("{admin}/1"), text("1"), NotPermitted),
        ("a foreign name", PRINTER, members, format!("{admin}/name"), text("evil"), NotPermitted),
        ("a foreign leave", PRINTER, members, format!("{admin}/left"), put(Scalar::Flag(true)), NotPermitted),
        ("a long name", PRINTER, members, format!("{printer_host}/name"), text(&long), Schema),
        ("no member key", PRINTER, members, "name".into(), text("x"), Schema),
        ("a member key in capitals", PRINTER, members, format!("{}/name", printer_host.to_string().to_uppercase()), text("x"), Schema),
        ("an own certificate, not by the queue key", PRINTER, members, format!("{printer_host}/cert"), cert(&forged_certificate(printer_host)), Schema),
        ("a certificate in another's place", PRINTER, members, format!("{printer_host}/cert"), cert(&earlier(Role::Admin)), Schema),
        ("a lower certificate", PRINTER, members, format!("{admin}/cert"), cert(&earlier(Role::Observer)), NotPermitted),
        ("the same certificate again", PRINTER, members, format!("{admin}/cert"), cert(&certificate(admin, Role::Admin)), NotPermitted),
        ("a removed certificate", ADMIN, members, format!("{printer_host}/cert"), Action::Delete, NotPermitted),
        ("a foreign printer", PRINTER, root(Container::Printers), format!("{admin}/mk4"), put(Scalar::json(&printer())), NotPermitted),
        ("a printer of a submitter", SUBMITTER, root(Container::Printers), format!("{submitter}/mk4"), put(Scalar::json(&printer())), NotPermitted),
        ("a printer that is none", PRINTER, root(Container::Printers), format!("{printer_host}/mk4"), text("{}"), Schema),
        ("a job without anything", SUBMITTER, root(Container::of_job(job_id(7))), job_id(7).to_string(), Action::MakeMap, Schema),
        ("a job of an observer", OBSERVER, root(Container::of_job(job_id(7))), job_id(7).to_string(), Action::MakeMap, NotPermitted),
        ("a job over another", SUBMITTER, root(Container::of_job(one)), one.to_string(), Action::MakeMap, Schema),
        ("a value over a job", ADMIN, root(Container::of_job(one)), one.to_string(), text("gone"), Schema),
        ("a removed job", ADMIN, root(Container::of_job(one)), one.to_string(), Action::Delete, NotPermitted),
        ("a job in another bucket", SUBMITTER, root(Container::Jobs(one.0[15] ^ 1)), one.to_string(), Action::MakeMap, Schema),
        ("a map that is no job", ADMIN, meta, "x".into(), Action::MakeMap, Schema),
        ("another's job", SUBMITTER, Spot::Job(one), "name".into(), text("mine"), NotPermitted),
        ("another's job, by a printer", PRINTER, Spot::Job(two), "held".into(), put(Scalar::Flag(true)), NotPermitted),
        ("another's unknown field", PRINTER, Spot::Job(two), "lane".into(), text("x"), NotPermitted),
        ("no copies", SUBMITTER, Spot::Job(two), "copies".into(), put(Scalar::Number(0)), Schema),
        ("a million copies", SUBMITTER, Spot::Job(two), "copies".into(), put(Scalar::Number(1_000_000)), Schema),
        ("a rank that is none", SUBMITTER, Spot::Job(two), "rank".into(), text("A0"), Schema),
        ("a cancel in another's name", SUBMITTER, Spot::Job(two), "state".into(), state(moved), Schema),
        ("a new submitter", SUBMITTER, Spot::Job(two), "submitter".into(), text(&submitter.to_string()), NotPermitted),
        ("other files", SUBMITTER, Spot::Job(two), format!("set/{}/spec", set_id(1)), text("{\"files\":[]}"), NotPermitted),
        ("a set that is not there", SUBMITTER, Spot::Job(two), format!("set/{}/per_run", set_id(9)), put(Scalar::Number(1)), Schema),
        ("no runs of a set", SUBMITTER, Spot::Job(two), format!("set/{}/per_run", set_id(1)), put(Scalar::Number(0)), Schema),
        ("a removed field", SUBMITTER, Spot::Job(two), "held".into(), Action::Delete, NotPermitted),
        ("another's claim", PRINTER, bucket(one), claim_of(admin, 0), record(admin, 9, ClaimState::Finished), NotPermitted),
        ("a claim of a submitter", SUBMITTER, bucket(one), claim_of(submitter, 0), record(submitter, 9, ClaimState::Claimed), NotPermitted),
        ("a claim that goes down", PRINTER, bucket(one), claim_of(printer_host, 0), record(printer_host, 4, ClaimState::Claimed), NotPermitted),
        ("a claim over a begun one", PRINTER, bucket(one), claim_of(printer_host, 0), record(printer_host, 5, ClaimState::Claimed), NotPermitted),
        ("a claim with another's ballot", PRINTER, bucket(one), claim_of(printer_host, 1), record(admin, 9, ClaimState::Claimed), Schema),
        ("a removed claim", PRINTER, bucket(one), claim_of(printer_host, 0), Action::Delete, NotPermitted),
        ("another's run", PRINTER, bucket(one), format!("{}/run/0", claim_of(admin, 0)), put(Scalar::json(&run(RunResult::Ok))), NotPermitted),
        ("a run that is none", PRINTER, bucket(one), format!("{}/run/0", claim_of(printer_host, 0)), text("ok"), Schema),
        ("another voter's word", PRINTER, bucket(one), format!("{one}/0/lost/{admin}/0"), text("x"), NotPermitted),
        ("a copy with a leading zero", PRINTER, bucket(one), format!("{one}/00/{printer_host}/0"), record(printer_host, 9, ClaimState::Claimed), Schema),
        ("a claim in another bucket", PRINTER, root(Container::Copies(one.0[15] ^ 1)), claim_of(printer_host, 1), record(printer_host, 9, ClaimState::Claimed), Schema),
        ("a removed setting that is not there", ADMIN, root(Container::Settings), "x".into(), Action::Delete, NotPermitted),
        ("an empty key", ADMIN, meta, String::new(), text("x"), Schema),
        ("the map of all buckets", ADMIN, Spot::Raw(Target::Genesis(6)), "00".into(), Action::MakeMap, MissingObject),
        ("the root", ADMIN, Spot::Raw(Target::Genesis(0)), "x".into(), text("x"), MissingObject),
        ("beyond the genesis maps", ADMIN, Spot::Raw(Target::Genesis(GENESIS_OPS + 1)), "x".into(), text("x"), MissingObject),
        ("a map nobody made", ADMIN, Spot::Raw(Target::Made(OpRef { counter: 3, author: 0 })), "x".into(), text("x"), MissingObject),
    ];
    let mut hosts = hosts;
    for (name, member, spot, key, action, wanted) in table {
        let forged = body(&hosts, member, &[(spot, key, action)]);
        let forged = forge(&forged, &hosts[member].device, queue())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        refuses(name, &mut hosts, forged, wanted);
    }
}

pub(super) fn author_of(host: &Host) -> Author {
    host.document.author()
}

/// A harmless change of the printer's host, to be spoiled.
pub(super) fn honest(hosts: &[Host]) -> Body {
    let name = format!("{}/name", hosts[PRINTER].id());
    let job = hosts[PRINTER].id();
    let ops = [
        (root(Container::Members), name, text("shed")),
        (
            root(Container::Printers),
            format!("{job}/mk4"),
            put(Scalar::json(&PrinterRecord {
                online: false,
                ..printer()
            })),
        ),
    ];
    body(hosts, PRINTER, &ops)
}

#[test]
fn a_change_that_does_not_fit_is_refused() {
    let mut hosts = scene();
    let stranger = Device::new(99);
    let first = hosts[PRINTER]
        .document
        .changes_after(&VersionVector::default())[0]
        .hash();
    let admin = author_of(&hosts[ADMIN]);
    type Spoil<'a> = Box<dyn Fn(&mut Body) + 'a>;
    #[rustfmt::skip]
    let table: Vec<(&str, Refusal, Spoil<'_>)> = vec![
        ("another epoch", Refusal::Epoch, Box::new(|b| b.epoch = 1)),
        ("a number left out", Refusal::Sequence, Box::new(|b| b.seq += 1)),
        ("a number used before", Refusal::Equivocation, Box::new(|b| b.seq -= 1)),
        ("its own past overlooked", Refusal::Sequence, Box::new(|b| b.deps = vec![first])),
        ("no past", Refusal::Sequence, Box::new(|b| b.deps = Vec::new())),
        ("operations counted too high", Refusal::StartOp, Box::new(|b| b.start_op += 1)),
        ("operations counted too low", Refusal::StartOp, Box::new(|b| b.start_op -= 1)),
        ("operations counted to the end", Refusal::StartOp, Box::new(|b| b.start_op = u64::from(u32::MAX / 2))),
        ("one key twice", Refusal::NotCanonical, Box::new(|b| b.ops.push(b.ops[0].clone()))),
        ("overlooks a value", Refusal::Predecessor, Box::new(|b| { b.ops[1].pred.clear(); b.others.clear(); })),
        ("replaces what was never written", Refusal::Predecessor, Box::new(|b| b.ops[0].pred = vec![OpRef { counter: 2, author: 0 }])),
        ("replaces another's value", Refusal::Predecessor, Box::new(|b| {
            b.others = vec![admin];
            b.ops[0].pred = vec![OpRef { counter: GENESIS_OPS + 1, author: 1 }];
        })),
    ];
    for (name, wanted, spoil) in table {
        let mut forged = honest(&hosts);
        spoil(&mut forged);
        let forged = forge(&forged, &hosts[PRINTER].device, queue())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        refuses(name, &mut hosts, forged, wanted);
    }

    let body = honest(&hosts);
    let unsigned = forge(&body, &stranger, queue()).unwrap();
    refuses(
        "signed by somebody else",
        &mut hosts,
        unsigned,
        Refusal::BadSignature,
    );
    let elsewhere = forge(&body, &hosts[PRINTER].device, QueueId([1; 32])).unwrap();
    refuses(
        "signed for another queue",
        &mut hosts,
        elsewhere,
        Refusal::BadSignature,
    );
    let mut in_anothers_name = body.clone();
    in_anothers_name.author = author_of(&hosts[ADMIN]);
    let forged = forge(&in_anothers_name, &hosts[PRINTER].device, queue()).unwrap();
    refuses(
        "another's actor id",
        &mut hosts,
        forged,
        Refusal::BadSignature,
    );
    let mut unknown = honest(&hosts);
    unknown.author = Author {
        host: stranger.id(),
        boot: 1,
    };
    unknown.seq = 1;
    unknown.ops.truncate(1);
    let forged = forge(&unknown, &stranger, queue()).unwrap();
    refuses("not a member", &mut hosts, forged, Refusal::UnknownAuthor);
    let early = SignedChange::from_bytes(
        &forge(&body, &hosts[PRINTER].device, queue())
            .unwrap()
            .to_bytes(),
    );
    assert_eq!(
        hosts[ADMIN].admit(vec![early.unwrap()]).applied.len(),
        1,
        "unspoiled, it is good"
    );
}

#[test]
fn a_submitter_gives_back_what_it_took_out_and_claims_nothing() {
    let mut hosts = scene();
    let me = hosts[SUBMITTER].id();
    let copy = copy(job_id(2), 0);
    let of_printer = claim(me, 7, ClaimState::Released);
    let claims = hosts[SUBMITTER].try_edit(|edit| edit.put_claim(copy, 0, &of_printer));
    assert_eq!(claims, Err(EditError::Refused(Refusal::NotPermitted)));
    let of_nobody = |state| {
        let mut record = claim(me, 7, state);
        record.printer.clear();
        record.ballot.printer.clear();
        record
    };
    for state in [
        ClaimState::Claimed,
        ClaimState::Printing,
        ClaimState::Finished,
    ] {
        let record = of_nobody(state);
        let claims = hosts[SUBMITTER].try_edit(|edit| edit.put_claim(copy, 0, &record));
        assert_eq!(
            claims,
            Err(EditError::Refused(Refusal::NotPermitted)),
            "{state:?}"
        );
    }
    let given_back = of_nobody(ClaimState::Released);
    assert!(given_back.is_reopening());
    hosts[SUBMITTER].edit(|edit| edit.put_claim(copy, 0, &given_back));
    let state = hosts[SUBMITTER].document.snapshot().copy_state(copy);
    assert_eq!(state, CopyState::Open(1));
}

#[test]
fn a_founder_must_be_an_admin() {
    for role in [
        Role::Observer,
        Role::Submitter,
        Role::Printer,
        Role::Operator,
    ] {
        let mut founder = Host::new(1);
        let (me, certificate) = (founder.id(), certificate(founder.id(), role));
        let found = founder.try_edit(|edit| edit.found("mine", &voters(&[me]), &certificate));
        assert_eq!(found, Err(EditError::Refused(Refusal::NotPermitted)));
    }
}

#[test]
fn two_histories_under_one_number_are_named_and_the_first_one_stays() {
    let mut hosts = scene();
    let mut twin = Host::new(2);
    let (_, rest) = hosts.split_at_mut(PRINTER);
    let log = rest[0].log();
    twin.document = QueueDocument::load(queue(), author_of(&rest[0]), log).unwrap();
    let first = rest[0].edit(|edit| edit.set_my_name("one"));
    let second = twin.edit(|edit| edit.set_my_name("two"));
    let third = twin.edit(|edit| edit.set_my_name("three"));
    let author = rest[0].id();
    let admitted = hosts[ADMIN].admit(vec![first, second.clone(), third]);
    let named: Vec<_> = admitted
        .refused
        .iter()
        .map(|refused| (refused.author, refused.seq, refused.why))
        .collect();
    let seq = second.seq();
    assert_eq!(
        named,
        [
            (Some(author), seq, Refusal::Equivocation),
            (Some(author), seq + 1, Refusal::Follows),
        ]
    );
    assert_eq!(hosts[ADMIN].snapshot().members[&author].name, "one");
    assert_eq!(
        hosts[ADMIN].admit(vec![second]),
        Admitted::default(),
        "named once"
    );
}

#[test]
fn a_spoiled_envelope_does_not_keep_the_good_change_out() {
    let mut hosts = scene();
    let good = hosts[PRINTER].edit(|edit| edit.set_my_name("x"));
    let mut bytes = good.to_bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let spoiled = SignedChange::from_bytes(&bytes).unwrap();
    refuses("spoiled", &mut hosts, spoiled, Refusal::BadSignature);
    assert_eq!(hosts[ADMIN].admit(vec![good]).applied.len(), 1);
}

#[test]
fn a_concurrent_job_of_the_same_id_does_not_hide_the_first() {
    let mut hosts = farm(&[Role::Submitter, Role::Submitter]);
    let (one, two) = (hosts[1].id(), hosts[2].id());
    let first = hosts[1].edit(|edit| edit.add_job(&job(job_id(1), one)));
    hosts[2].edit(|edit| edit.set_my_name("later"));
    hosts[2].edit(|edit| edit.add_job(&job(job_id(1), two)));
    let changes = hosts[2].document.changes_after(&hosts[0].document.vector());
    let mut changes: Vec<_> = changes.iter().map(|change| (**change).clone()).collect();
    changes.push(first);
    assert_eq!(hosts[0].admit(changes).refused, []);
    assert_eq!(hosts[0].snapshot().jobs[&job_id(1)].submitter, one);
}

#[test]
fn a_job_of_too_many_sets_is_refused() {
    let mut hosts = farm(&[]);
    let me = hosts[0].id();
    let mut large = job(job_id(1), me);
    let set = large.sets[0].clone();
    large.sets = (0..=SETS_MAX as u32)
        .map(|n| Set {
            id: SetId(std::array::from_fn(|i| n.to_be_bytes()[i % 4])),
            ..set.clone()
        })
        .collect();
    let refused = hosts[0].try_edit(|edit| edit.add_job(&large));
    assert_eq!(refused, Err(EditError::Refused(Refusal::TooLarge)));
    large.sets.pop();
    hosts[0].edit(|edit| edit.add_job(&large));
    assert_eq!(hosts[0].snapshot().jobs[&job_id(1)].sets.len(), SETS_MAX);
}
