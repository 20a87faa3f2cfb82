//! Forged changes by the thousand: each is an honest member's change with at least one thing wrong about it, in its author,
//! its number, its place, its path, its values, its signature, or in who its author is by now. None is admitted, and nothing
//! of the document changes.
//!
//! A million of them: `PRINTMESH_FORGERIES=1000000 cargo test --release -p printmesh-queue forged_changes`

use std::{collections::BTreeMap, sync::Arc};

use super::{
    forgeries::{ADMIN, OBSERVER, PRINTER, SUBMITTER, author_of, forge, put, root, scene},
    *,
};
use crate::{
    change::{Action, Body, OpRef, Scalar, Target},
    document::Spot,
    schema::{Container, GENESIS_OPS},
};

/// How many are tried when nobody says otherwise.
const FORGERIES: u64 = 4_000;

/// SplitMix64: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("below a usize")
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

type Wish = (Spot, String, Action);

/// The queue of `forgeries`, with a member that was removed and one that never came in.
struct Stage {
    hosts: Vec<Host>,
    removed: Host,
    stranger: Host,
    /// Bodies are written by who knows everything.
    log: Vec<Arc<SignedChange>>,
}

fn stage() -> Stage {
    let mut hosts = scene();
    let removed = Host::new(60);
    hosts[ADMIN].invite(&removed, Role::Operator);
    let known = hosts[ADMIN].snapshot().members[&removed.id()]
        .certificate
        .clone();
    let out = known.replace(&queue_key(), Role::Operator, true, Timestamp(5));
    hosts[ADMIN].edit(|edit| edit.put_certificate(&out));
    let (one, rest) = hosts.split_at_mut(1);
    rest.iter_mut().for_each(|host| host.pull(&one[0]));
    let log = hosts[ADMIN]
        .document
        .changes_after(&VersionVector::default());
    Stage {
        hosts,
        removed,
        stranger: Host::new(99),
        log,
    }
}

/// What a member may write: harmless, and good if nothing else were wrong.
fn honest(stage: &Stage, me: HostId, n: &mut Numbers) -> Wish {
    let word = format!("w{}", n.next());
    match n.below(2) {
        0 => (
            root(Container::Members),
            format!("{me}/name"),
            put(Scalar::text(word)),
        ),
        _ => (
            root(Container::Members),
            format!("{me}/later-{word}"),
            put(Scalar::Number(stage.log.len() as u64)),
        ),
    }
}

/// What `member` may not write, whatever it says: another's, above its role, without sense, or in the wrong place.
fn forbidden(stage: &Stage, member: usize, n: &mut Numbers) -> Wish {
    let me = stage.hosts[member].id();
    let others: Vec<HostId> = stage
        .hosts
        .iter()
        .map(Host::id)
        .filter(|host| *host != me)
        .collect();
    let other = *n.pick(&others);
    let word = format!("w{}", n.next());
    let text = |text: &str| put(Scalar::text(text));
    let (members, meta) = (root(Container::Members), root(Container::Meta));
    let someones = job_id(if n.below(2) == 0 { 1 } else { 2 });
    let foreign = if stage.hosts[ADMIN].snapshot().jobs[&someones].submitter == me {
        job_id(1)
    } else {
        someones
    };
    let claims = root(Container::of_copies(foreign));
    let forged_key = SigningKey::from_bytes(&[u8::try_from(n.below(150)).expect("small"); 32]);
    let forged = Certificate {
        queue: queue(),
        ..Certificate::issue(&forged_key, me, Role::Admin, Timestamp(0), None)
    };
    let raised = Certificate {
        role: Role::Admin,
        turn: u32::try_from(n.below(9)).expect("small") + 1,
        ..stage.hosts[ADMIN].snapshot().members[&me]
            .certificate
            .clone()
    };
    let record = claim(other, n.next() % 99, ClaimState::Claimed);
    let all: Vec<Wish> = vec![
        (members, format!("{other}/name"), text(&word)),
        (members, format!("{other}/left"), put(Scalar::Flag(true))),
        (members, format!("{other}/kept"), text(&word)),
        (members, format!("{other}/{word}"), text(&word)),
        (
            members,
            format!("{other}/invite/{me}"),
            put(Scalar::json(&raised)),
        ),
        (
            members,
            format!("{me}/invite/{other}"),
            text("{\"role\":\"admin\",\"uses\":9,\"made\":1}"),
        ),
        (members, format!("{me}/cert"), put(Scalar::json(&forged))),
        (members, format!("{me}/cert"), put(Scalar::json(&raised))),
        (members, format!("{me}/cert"), Action::Delete),
        (members, word.clone(), text(&word)),
        (members, format!("{me}/name"), put(Scalar::Number(n.next()))),
        (
            members,
            format!("{me}/name"),
            text(&"x".repeat(NAME_BYTES_MAX + 1 + n.below(400))),
        ),
        (meta, "name".into(), text(&word)),
        (meta, word.clone(), text(&word)),
        (meta, "voters".into(), put(Scalar::json(&voters(&[me])))),
        (
            meta,
            format!("voters/{}", 2 + n.below(9)),
            put(Scalar::json(&voters(&[me]))),
        ),
        (
            root(Container::Settings),
            Setting::Retries.key().to_owned(),
            text("9"),
        ),
        (root(Container::Settings), word.clone(), text(&word)),
        (root(Container::Settings), word.clone(), Action::Delete),
        (root(Container::Groups), word.clone(), text(&word)),
        (
            root(Container::Requests),
            format!("{other}/{word}"),
            text("{}"),
        ),
        (
            root(Container::Printers),
            format!("{other}/{word}"),
            put(Scalar::json(&printer())),
        ),
        (
            root(Container::Printers),
            format!("{other}/mk4"),
            Action::Delete,
        ),
        (
            root(Container::of_job(foreign)),
            foreign.to_string(),
            Action::Delete,
        ),
        (
            root(Container::of_job(foreign)),
            foreign.to_string(),
            Action::MakeMap,
        ),
        (
            root(Container::Jobs(foreign.0[15].wrapping_add(1))),
            foreign.to_string(),
            Action::MakeMap,
        ),
        (Spot::Job(foreign), "name".into(), text(&word)),
        (Spot::Job(foreign), "held".into(), put(Scalar::Flag(true))),
        (
            Spot::Job(foreign),
            "copies".into(),
            put(Scalar::Number(n.next())),
        ),
        (
            Spot::Job(foreign),
            "submitter".into(),
            text(&me.to_string()),
        ),
        (
            Spot::Job(foreign),
            format!("set/{}/spec", set_id(1)),
            text("{\"files\":[]}"),
        ),
        (Spot::Job(foreign), word.clone(), text(&word)),
        (
            Spot::Job(foreign),
            "state".into(),
            put(Scalar::json(&JobState::Cancelled {
                by: other,
                at: Timestamp(1),
            })),
        ),
        (
            claims,
            format!("{foreign}/0/{other}/{}", n.below(3)),
            put(Scalar::json(&record)),
        ),
        (
            claims,
            format!("{foreign}/0/{me}/{}", 3 + n.below(3)),
            put(Scalar::json(&record)),
        ),
        (
            claims,
            format!("{foreign}/0/{other}/0/run/{}", n.below(3)),
            put(Scalar::json(&run(RunResult::Ok))),
        ),
        (
            claims,
            format!("{foreign}/0/lost/{other}/0"),
            put(Scalar::json(&LostRecord {
                cfg: 1,
                at: Timestamp(1),
            })),
        ),
        (
            claims,
            format!("{foreign}/00/{me}/0"),
            put(Scalar::json(&record)),
        ),
        (
            root(Container::Copies(foreign.0[15].wrapping_add(1))),
            format!("{foreign}/0/{me}/0"),
            put(Scalar::json(&record)),
        ),
        (
            Spot::Raw(Target::Genesis(u64::MAX >> (33 + n.below(20)))),
            word.clone(),
            text(&word),
        ),
        (Spot::Raw(Target::Genesis(0)), word.clone(), text(&word)),
        (
            // Nobody made a map with a number of the genesis change; a higher one may be a job of its own.
            Spot::Raw(Target::Made(OpRef {
                counter: 1 + n.next() % GENESIS_OPS,
                author: 0,
            })),
            word.clone(),
            text(&word),
        ),
        (meta, String::new(), text(&word)),
    ];
    n.pick(&all).clone()
}

/// Spoils what every host compares with what it knows of the author.
fn misplace(body: &mut Body, stage: &Stage, member: usize, n: &mut Numbers) {
    let by = 1 + n.next() % 5;
    let own = stage
        .log
        .iter()
        .filter(|change| change.chain() == author_of(&stage.hosts[member]));
    let has_past = own.count() > 0;
    match n.below(8) {
        // Replaces what was never there.
        7 => {
            body.ops[0].pred = vec![OpRef {
                counter: 1 + n.next() % 900,
                author: 0,
            }];
        }
        0 => body.seq += by,
        1 => body.start_op += by,
        2 => body.start_op = body.start_op.saturating_sub(by).max(1),
        3 => body.epoch = by,
        4 if has_past => body.seq = body.seq.saturating_sub(by).max(1),
        5 if has_past => {
            let first = &stage.log[n.below(2)];
            body.deps = vec![first.hash()];
        }
        _ => body.deps.clear(),
    }
}

#[test]
fn forged_changes_are_never_admitted_however_they_are_made() {
    // Not a rule of the product that depends on it: only how long this test goes on.
    #[expect(
        clippy::disallowed_methods,
        reason = "how many, by the person who runs the test"
    )]
    let wanted = std::env::var("PRINTMESH_FORGERIES").ok();
    let wanted = wanted.map_or(FORGERIES, |n| n.parse().expect("a number"));
    let mut stage = stage();
    let mut n = Numbers(7);
    let before = (
        stage.hosts[ADMIN].snapshot().clone(),
        stage.hosts[ADMIN].document.vector(),
    );
    let mut refusals: BTreeMap<&str, u64> = BTreeMap::new();
    let mut unreadable = 0u64;
    for made in 0..wanted {
        let member = *n.pick(&[PRINTER, SUBMITTER, OBSERVER]);
        let me = stage.hosts[member].id();
        let mut wishes = vec![honest(&stage, me, &mut n)];
        let wrong = n.below(8);
        if wrong < 4 {
            let at = n.below(2);
            wishes.insert(at, forbidden(&stage, member, &mut n));
        }
        let author = match wrong {
            // In the name of another, with one's own key.
            4 => author_of(&stage.hosts[ADMIN]),
            5 => Author {
                host: stage.removed.id(),
                boot: 1,
            },
            6 => Author {
                host: stage.stranger.id(),
                boot: n.next(),
            },
            _ => author_of(&stage.hosts[member]),
        };
        if wrong == 5 || wrong == 6 {
            wishes[0] = honest(&stage, author.host, &mut n);
        }
        let mut body = stage.hosts[ADMIN].document.body_by(author, &wishes);
        if wrong == 7 {
            misplace(&mut body, &stage, member, &mut n);
        }
        let (device, signed_for) = match (wrong, n.below(3)) {
            (5, _) => (&stage.removed.device, queue()),
            (6, _) => (&stage.stranger.device, queue()),
            (7, 0) => (&stage.hosts[ADMIN].device, queue()),
            (7, 1) => (&stage.hosts[member].device, QueueId([3; 32])),
            _ => (&stage.hosts[member].device, queue()),
        };
        // What is no change at all does not get as far as a document.
        let Ok(forged) = forge(&body, device, signed_for) else {
            unreadable += 1;
            continue;
        };
        let admitted = stage.hosts[ADMIN].document.admit(vec![forged]);
        assert_eq!(
            (admitted.applied.len(), admitted.parked),
            (0, 0),
            "{made}: {body:?}"
        );
        for refused in admitted.refused {
            *refusals.entry(refused.why.code()).or_default() += 1;
        }
    }
    let after = (
        stage.hosts[ADMIN].snapshot().clone(),
        stage.hosts[ADMIN].document.vector(),
    );
    assert_eq!(after, before);
    stage.hosts[ADMIN].document.check();
    assert!(
        unreadable < wanted / 4,
        "{unreadable} of {wanted} were no changes at all"
    );
    for code in [
        "bad-signature",
        "epoch",
        "missing-object",
        "not-permitted",
        "predecessor",
        "removed",
        "schema",
        "sequence",
        "start-op",
        "unknown-author",
    ] {
        assert!(
            refusals.get(code).is_some_and(|seen| *seen > wanted / 1000),
            "{code}: {refusals:?}"
        );
    }
    // The scene is not so broken that nothing at all gets in.
    let good = stage.hosts[PRINTER].edit(|edit| edit.set_my_name("honest"));
    assert_eq!(stage.hosts[ADMIN].admit(vec![good]).applied.len(), 1);
}
