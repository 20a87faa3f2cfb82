//! What Automerge 0.12.0 breaks on, each as a trap: bare Automerge walks into it, our wire cannot carry it, or our door refuses
//! it. A test that says that bare Automerge walks no more is good news of a new version: read `FORMAT.md` again then.
//!
//! Traps that never end, or end the process, are not tried here: a bundle that is never read to its end, and bytes over which a
//! destructor panics while another panic unwinds.

use std::{
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
};

use automerge::{
    ActorId, Automerge, Change, ExpandedChange, ROOT, ReadDoc, ScalarValue,
    legacy::{Key, ObjectId, Op as PlainOp, OpId as PlainId, OpType, SortedVec},
    sync::{Message, State, SyncDoc as _},
    transaction::Transactable as _,
};

use super::{forgeries::*, *};
use crate::{
    change::{Action, Body, Op, OpRef, Scalar, Target},
    schema::Container,
};

const ACTOR: [u8; 1] = [7];

fn put(obj: ObjectId, key: &str, value: ScalarValue) -> PlainOp {
    PlainOp {
        action: OpType::Put(value),
        obj,
        key: Key::Map(key.into()),
        pred: SortedVec::new(),
        insert: false,
    }
}

/// A change of bare Automerge without a past.
fn bare(start_op: u64, operations: Vec<PlainOp>) -> Change {
    Change::from(ExpandedChange {
        operations,
        actor_id: ActorId::from(ACTOR),
        hash: None,
        seq: 1,
        start_op: NonZeroU64::new(start_op).unwrap(),
        time: 0,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "it shows why it is banned: bytes made here, in a test"
)]
fn parsed(bytes: &[u8]) -> Result<Change, automerge::LoadChangeError> {
    Change::from_bytes(bytes.to_vec())
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Our door refuses bytes of Automerge's own by the first of them, and also when something of ours is put around them.
fn is_no_change_of_ours(bytes: &[u8]) {
    let code = |parts: &[&[u8]]| SignedChange::from_bytes(&parts.concat()).map_err(|e| e.code());
    let signature = [0; 64];
    assert!(code(&[bytes]).is_err());
    assert_eq!(code(&[bytes, &signature]), Err("format"));
    let behind_our_format = code(&[&[1], bytes, &signature]).unwrap_err();
    assert!(["encoding", "limit", "not-canonical"].contains(&behind_our_format));
}

/// F1: a file of 158 bytes, one of them changed and the checksum made anew.
#[test]
fn a_file_with_one_changed_byte_crashes_the_engine_and_is_no_change_to_us() {
    let spoiled = data_encoding::HEXLOWER
        .decode(
            b"856f4a832dac458000930101040707070701bd79a3b39d50cf853dfd1ac9e9ff58496f7f3e3a0693bdcdfbb8d0ccbb\
              1b07070701020302130323024003430256020c01040204150821022305340142055605570380010681010283010302\
              0002017e030202007e00017f01020700037f0000037f020201617e016d016b04007c01037e010402017e000102137e\
              00160102767f0102007f0102007e040101",
        )
        .unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "it shows why it is banned: bytes made here, in a test"
    )]
    let load = || Automerge::load(&spoiled).is_ok();
    assert!(panics(load), "bare Automerge reads it by now");
    is_no_change_of_ours(&spoiled);
}

/// F1: a filter that says that it has an entry of no bits.
#[test]
fn ten_bytes_of_the_engines_own_protocol_crash_it_and_are_no_change_to_us() {
    let message = [0x42, 0, 0, 1, 0, 3, 1, 0, 1, 0];
    #[expect(
        clippy::disallowed_methods,
        reason = "it shows why it is banned: bytes made here, in a test"
    )]
    let exchange = || {
        let (mut doc, mut state) = (Automerge::new(), State::new());
        let mut write = doc.transaction();
        write.put(ROOT, "key", 1u64).unwrap();
        write.commit();
        let received = doc.receive_sync_message(&mut state, Message::decode(&message).unwrap());
        received.is_ok() && doc.generate_sync_message(&mut state).is_some()
    };
    assert!(panics(exchange), "bare Automerge takes it by now");
    is_no_change_of_ours(&message);
}

/// F1: well-formed bytes, and still a crash.
#[test]
fn a_value_in_a_map_that_nobody_made_crashes_the_engine_and_is_refused_by_us() {
    let nowhere = ObjectId::Id(PlainId::new(3, &ActorId::from(ACTOR)));
    let change = bare(1, vec![put(nowhere, "key", ScalarValue::Null)]);
    let apply = || Automerge::new().apply_changes([change]).is_ok();
    assert!(panics(apply), "bare Automerge takes it by now");

    let mut hosts = scene();
    let mut body = honest(&hosts);
    body.ops[0].target = Target::Made(OpRef {
        counter: 3,
        author: 0,
    });
    let forged = forge(&body, &hosts[PRINTER].device, queue()).unwrap();
    refuses("no map", &mut hosts, forged, Refusal::MissingObject);
}

/// F2.
#[test]
fn operations_counted_to_the_end_leave_the_engine_without_a_number_and_are_refused_by_us() {
    let last = u64::from(u32::MAX) - 2;
    let mut doc = Automerge::new();
    let change = bare(last, vec![put(ObjectId::Root, "key", ScalarValue::Uint(1))]);
    doc.apply_changes([change])
        .expect("bare Automerge refuses it by now");
    let honest_write = || {
        let mut write = doc.transaction();
        for n in 0..4u64 {
            write.put(ROOT, "key", n).unwrap();
        }
        write.commit();
    };
    assert!(panics(honest_write), "bare Automerge counts on by now");

    let mut hosts = scene();
    let count_to = |start_op, hosts: &[Host]| {
        let mut body = honest(hosts);
        body.start_op = start_op;
        forge(&body, &hosts[PRINTER].device, queue())
    };
    assert_eq!(
        count_to(last, &hosts),
        Err(WireError::Limit("start op")),
        "not on the wire"
    );
    // What the wire takes leaves room, and the door asks for the very next number.
    for start_op in [u64::from(u32::MAX / 2), 1_000_000] {
        let forged = count_to(start_op, &hosts).unwrap();
        refuses("counted ahead", &mut hosts, forged, Refusal::StartOp);
    }
}

/// A change chunk of Automerge whose columns say of each column that its only entry is repeated.
fn repeated(operations: u64) -> Vec<u8> {
    let mut times = Vec::new();
    let mut rest = operations;
    while rest >= 0x40 {
        times.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    times.push(rest as u8);
    let column = |entry: &[u8]| [&times, entry].concat();
    let columns = [
        (0x15, column(&[1, b'a'])), // the key "a"
        (0x34, column(&[])),        // no insertion
        (0x42, column(&[1])),       // a put
        (0x56, column(&[0])),       // of null
        (0x70, column(&[0])),       // that replaces nothing
    ];
    // No deps, the actor, seq 1, the first operation 1, time 0, no message, no other actors.
    let mut data = vec![0, 1, ACTOR[0], 1, 1, 0, 0, 0, columns.len() as u8];
    data.extend(
        columns
            .iter()
            .flat_map(|(spec, bytes)| [*spec, bytes.len() as u8]),
    );
    data.extend(columns.iter().flat_map(|(_, bytes)| bytes));
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, data.len() as u8];
    chunk.extend(data);
    chunk
}

/// F3.
#[test]
fn fifty_bytes_become_a_hundred_thousand_operations_in_the_engine_and_each_takes_its_bytes_with_us()
{
    let chunk = repeated(100_000);
    assert!(chunk.len() < 50, "{}", chunk.len());
    let change = parsed(&chunk).expect("bare Automerge refuses it by now");
    assert_eq!(change.len(), 100_000);
    is_no_change_of_ours(&chunk);

    let hosts = scene();
    let smallest = Op {
        target: target(Container::Meta),
        key: String::new(),
        action: Action::Delete,
        pred: Vec::new(),
    };
    let of = |operations: usize| {
        let mut body: Body = honest(&hosts);
        body.others.clear();
        body.ops = vec![smallest.clone(); operations];
        forge(&body, &hosts[PRINTER].device, queue())
    };
    let size = |operations| of(operations).unwrap().size();
    for operations in [2, 100, OPS_MAX] {
        assert!(size(operations) - size(1) >= 4 * (operations - 1));
    }
    assert_eq!(
        of(OPS_MAX + 1),
        Err(WireError::Limit("number of operations"))
    );
}

/// F4.
#[test]
fn a_few_thousand_bytes_unpack_to_four_million_in_the_engine_and_nothing_is_unpacked_by_us() {
    let large = 4 * 1024 * 1024;
    let value = ScalarValue::Bytes(vec![0; large]);
    let mut change = bare(1, vec![put(ObjectId::Root, "key", value)]);
    let packed = change.bytes().into_owned();
    assert!(packed.len() < 8 * 1024, "{}", packed.len());
    let unpacked = parsed(&packed).expect("bare Automerge refuses it by now");
    assert!(unpacked.raw_bytes().len() > large);
    is_no_change_of_ours(&packed);

    let hosts = scene();
    let mut body = honest(&hosts);
    body.ops[0].action = Action::Put(Scalar::Bytes(vec![0; large]));
    let forged = forge(&body, &hosts[PRINTER].device, queue());
    assert_eq!(forged, Err(WireError::TooLong(forged_size(&body))));
    body.ops[0].action = Action::Put(Scalar::Bytes(vec![0; SCALAR_BYTES_MAX + 1]));
    let forged = forge(&body, &hosts[PRINTER].device, queue());
    assert_eq!(forged, Err(WireError::Limit("value")));
}

fn forged_size(body: &Body) -> usize {
    postcard::to_stdvec(body).unwrap().len() + 64
}

/// F5: nobody signs a change of Automerge, and its checksum is not looked at.
#[test]
fn what_somebody_wrote_in_anothers_name_counts_in_the_engine_and_is_refused_by_us() {
    let value = ScalarValue::Uint(1);
    let mut chunk = bare(1, vec![put(ObjectId::Root, "key", value)])
        .raw_bytes()
        .to_vec();
    // The checksum, and the actor that says that it wrote it.
    chunk[4..8].copy_from_slice(&[0; 4]);
    let actor = chunk.iter().rposition(|byte| *byte == ACTOR[0]).unwrap();
    chunk[actor] = 9;
    let change = parsed(&chunk).expect("bare Automerge refuses it by now");
    assert_eq!(change.actor_id(), &ActorId::from([9]));
    let mut doc = Automerge::new();
    doc.apply_changes([change])
        .expect("bare Automerge refuses it by now");
    assert!(doc.get(ROOT, "key").unwrap().is_some());

    let mut hosts = scene();
    let mut body = honest(&hosts);
    body.author = author_of(&hosts[ADMIN]);
    let forged = forge(&body, &hosts[PRINTER].device, queue()).unwrap();
    refuses("another's name", &mut hosts, forged, Refusal::BadSignature);
    // A byte of an honest change that somebody changed on the way.
    let mut bytes = forge(&honest(&hosts), &hosts[PRINTER].device, queue())
        .unwrap()
        .to_bytes();
    let name = bytes.windows(4).position(|word| word == b"shed").unwrap();
    bytes[name] = b'S';
    let changed = SignedChange::from_bytes(&bytes).unwrap();
    refuses("a changed byte", &mut hosts, changed, Refusal::BadSignature);
}
