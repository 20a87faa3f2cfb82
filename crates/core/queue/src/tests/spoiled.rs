//! Changes and bytes that were spoiled at random, or beyond every limit.

use proptest::{prelude::*, sample::Index};

use super::{forgeries::*, *};
use crate::{
    change::{Action, Body, Op, OpRef, Target},
    schema::Container,
};

#[test]
fn bytes_over_the_limits_are_no_change() {
    let hosts = scene();
    let device = &hosts[PRINTER].device;
    let honest = honest(&hosts);
    let check = |wanted: WireError, spoil: &dyn Fn(&mut Body)| {
        let mut body = honest.clone();
        spoil(&mut body);
        assert_eq!(forge(&body, device, queue()), Err(wanted));
    };
    let op = |key: String, action| Op {
        target: target(Container::Settings),
        key,
        action,
        pred: Vec::new(),
    };
    check(WireError::Limit("number of operations"), &|b| b.ops.clear());
    check(WireError::Limit("number of operations"), &|b| {
        b.ops = (0..=OPS_MAX)
            .map(|n| op(n.to_string(), Action::Delete))
            .collect();
    });
    check(WireError::Limit("key"), &|b| {
        b.ops[0].key = "x".repeat(KEY_BYTES_MAX + 1)
    });
    check(WireError::Limit("value"), &|b| {
        b.ops[0].action = text(&"x".repeat(SCALAR_BYTES_MAX + 1))
    });
    check(WireError::Limit("number of deps"), &|b| {
        b.deps = (0..=DEPS_MAX as u8).map(|n| ChangeHash([n; 32])).collect()
    });
    check(WireError::Limit("start op"), &|b| {
        b.start_op = u64::from(u32::MAX) - 3
    });
    check(WireError::Limit("start op"), &|b| b.start_op = 0);
    check(WireError::Limit("seq"), &|b| b.seq = 0);
    check(WireError::Limit("seq"), &|b| b.seq = u64::MAX);
    check(WireError::Limit("time"), &|b| b.time = Timestamp(u64::MAX));
    check(WireError::Limit("author number"), &|b| {
        b.ops[0].pred = vec![OpRef {
            counter: 1,
            author: 7,
        }]
    });
    check(WireError::Limit("operation counter"), &|b| {
        b.ops[0].target = Target::Made(OpRef {
            counter: u64::MAX,
            author: 0,
        })
    });
    check(WireError::Format(2), &|b| b.format = 2);
    check(WireError::NotCanonical, &|b| {
        b.others = vec![author_of(&hosts[ADMIN])]
    });
    check(WireError::NotCanonical, &|b| {
        b.deps = vec![ChangeHash([2; 32]), ChangeHash([1; 32])]
    });
    check(WireError::NotCanonical, &|b| {
        b.ops[0].pred = vec![
            OpRef {
                counter: 9,
                author: 0
            };
            2
        ]
    });
    let big = |b: &mut Body| {
        b.ops = (0..40)
            .map(|n| op(n.to_string(), text(&"x".repeat(SCALAR_BYTES_MAX))))
            .collect()
    };
    assert!(matches!(
        {
            let mut b = honest.clone();
            big(&mut b);
            forge(&b, device, queue())
        },
        Err(WireError::TooLong(_))
    ));

    let good = forge(&honest, device, queue()).unwrap().to_bytes();
    for cut in 0..good.len() {
        assert!(SignedChange::from_bytes(&good[..cut]).is_err());
    }
    let mut trailing = good.clone();
    trailing.insert(good.len() - 64, 0);
    assert_eq!(
        SignedChange::from_bytes(&trailing),
        Err(WireError::NotCanonical)
    );
    // Lists that say they have billions of entries.
    let mut empty = honest.clone();
    (empty.deps, empty.others, empty.ops) = (Vec::new(), Vec::new(), Vec::new());
    let empty = postcard::to_stdvec(&empty).unwrap();
    for list in 1..=3 {
        let mut bomb = empty[..empty.len() - list].to_vec();
        bomb.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        bomb.extend([0; 64]);
        assert_eq!(SignedChange::from_bytes(&bomb), Err(WireError::Encoding));
    }
    // The epoch 0 written in two bytes.
    let mut padded = good;
    padded.splice(1..2, [0x80, 0]);
    assert_eq!(
        SignedChange::from_bytes(&padded),
        Err(WireError::NotCanonical)
    );
}

/// What a snapshot says about everybody but one host.
fn of_others(snapshot: &Snapshot, me: HostId) -> Snapshot {
    let mut others = snapshot.clone();
    others.members.remove(&me);
    others.printers.retain(|printer, _| printer.host != me);
    others.jobs.retain(|_, job| job.submitter != me);
    for claims in others.claims.values_mut() {
        claims.retain(|(_, host), _| *host != me);
    }
    others.claims.retain(|_, claims| !claims.is_empty());
    others
}

#[derive(Clone, Debug)]
enum Spoil {
    Byte {
        at: Index,
        xor: u8,
    },
    Key {
        op: Index,
        with: Index,
    },
    Value {
        op: Index,
        with: Index,
    },
    Target {
        op: Index,
        with: Index,
    },
    Pred {
        op: Index,
        counter: u64,
        author: u32,
    },
    Seq(i8),
    StartOp(i8),
    Twice(Index),
    Dep(Index),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), 1..=u8::MAX).prop_map(|(at, xor)| Spoil::Byte { at, xor }),
        2 => (index(), index()).prop_map(|(op, with)| Spoil::Key { op, with }),
        2 => (index(), index()).prop_map(|(op, with)| Spoil::Value { op, with }),
        2 => (index(), index()).prop_map(|(op, with)| Spoil::Target { op, with }),
        1 => (index(), 500..600u64, 0..3u32).prop_map(|(op, counter, author)| Spoil::Pred { op, counter, author }),
        1 => any::<i8>().prop_map(Spoil::Seq),
        1 => any::<i8>().prop_map(Spoil::StartOp),
        1 => index().prop_map(Spoil::Twice),
        1 => index().prop_map(Spoil::Dep),
    ]
}

fn apply_spoil(body: &mut Body, pool: &[Op], deps: &[ChangeHash], spoil: &Spoil) {
    let ops = body.ops.len();
    match spoil {
        Spoil::Byte { at, xor } => {
            let mut bytes = postcard::to_stdvec(body).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= xor;
            if let Ok(spoiled) = postcard::from_bytes(&bytes) {
                *body = spoiled;
            }
        }
        _ if ops == 0 => {}
        Spoil::Key { op, with } => body.ops[op.index(ops)].key.clone_from(&with.get(pool).key),
        Spoil::Value { op, with } => body.ops[op.index(ops)]
            .action
            .clone_from(&with.get(pool).action),
        Spoil::Target { op, with } => body.ops[op.index(ops)].target = with.get(pool).target,
        Spoil::Pred {
            op,
            counter,
            author,
        } => {
            body.ops[op.index(ops)].pred.push(OpRef {
                counter: *counter,
                author: *author,
            });
        }
        Spoil::Seq(by) => body.seq = body.seq.wrapping_add_signed((*by).into()),
        Spoil::StartOp(by) => body.start_op = body.start_op.wrapping_add_signed((*by).into()),
        Spoil::Twice(op) => body.ops.push(op.get(&body.ops).clone()),
        Spoil::Dep(dep) => body.deps = vec![*dep.get(deps)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Each case spoils changes a hundred times, signs them properly, and hands them over.
    #[test]
    fn spoiled_changes_never_touch_what_is_not_their_authors(
        all in proptest::collection::vec((0..3usize, proptest::collection::vec(spoil(), 1..4)), 100),
    ) {
        let mut hosts = scene();
        let log = hosts[ADMIN].document.changes_after(&VersionVector::default());
        let deps: Vec<_> = log.iter().map(|change| change.hash()).collect();
        let pool: Vec<Op> = log.iter().flat_map(|change| change.body().ops).collect();
        let members = [PRINTER, SUBMITTER, OBSERVER];
        let mut admitted = 0;
        for (member, spoils) in all {
            let member = members[member];
            let me = hosts[member].id();
            let before = of_others(hosts[ADMIN].snapshot(), me);
            let name = format!("{me}/name");
            let name = (root(Container::Members), name, text(&format!("name {admitted}")));
            let mut body = hosts[ADMIN].document.body_by(author_of(&hosts[member]), &[name]);
            for spoil in &spoils {
                apply_spoil(&mut body, &pool, &deps, spoil);
            }
            let Ok(forged) = forge(&body, &hosts[member].device, queue()) else { continue };
            admitted += hosts[ADMIN].admit(vec![forged]).applied.len();
            prop_assert_eq!(of_others(hosts[ADMIN].snapshot(), me), before);
        }
        hosts[ADMIN].document.check_file();
    }

    /// Bytes that were changed on the way are no change, or not a signed one.
    #[test]
    fn changed_bytes_are_never_admitted(spoils in proptest::collection::vec((any::<Index>(), any::<Index>(), 1..=u8::MAX), 200)) {
        let mut hosts = scene();
        let log: Vec<Vec<u8>> = hosts[ADMIN].log();
        let before = hosts[ADMIN].snapshot().clone();
        let mut reader = Host::new(50);
        for (entry, at, xor) in spoils {
            let mut bytes = entry.get(&log).clone();
            let at = at.index(bytes.len());
            bytes[at] ^= xor;
            let Ok(change) = SignedChange::from_bytes(&bytes) else { continue };
            for host in [&mut hosts[ADMIN], &mut reader] {
                let admitted = host.admit(vec![change.clone()]);
                prop_assert!(admitted.applied.is_empty() && admitted.parked == 0);
                let refused = admitted.refused.iter().map(|refused| refused.why);
                prop_assert!(refused.clone().count() <= 1);
                prop_assert!(refused.into_iter().all(|why| matches!(why, Refusal::BadSignature | Refusal::Epoch)));
            }
        }
        prop_assert_eq!(hosts[ADMIN].snapshot(), &before);
        prop_assert!(reader.document.vector().0.is_empty());
    }
}
