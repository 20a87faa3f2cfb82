//! The one file that knows Automerge: it builds changes, applies them, and reads values back as plain types. What Automerge
//! breaks on is in `tests/engine_traps.rs`.
//!
//! Nothing here judges a change, and nothing here catches a panic of the library; the document does both.

use std::{
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
};

use automerge::{
    ActorId, Automerge, Change, ExpandedChange, ObjId, ObjType, ReadDoc, ScalarValue, Value,
    ValueRef,
    legacy::{Key, ObjectId, Op as PlainOp, OpId as PlainId, OpType, SortedVec},
};

use crate::{
    Author, ChangeHash, HostId,
    change::{Action, Body, OpId, OpRef, Scalar, Target},
    epoch::FOUNDING_BOOT,
    schema::{Container, GENESIS_KEYS},
};

const GENESIS_ACTOR: [u8; 1] = [0];

static GENESIS: LazyLock<Change> = LazyLock::new(|| {
    let actor = ActorId::from(GENESIS_ACTOR);
    let operations = GENESIS_KEYS.iter().map(|(parent, key)| PlainOp {
        action: OpType::Make(ObjType::Map),
        obj: match parent {
            None => ObjectId::Root,
            Some(counter) => ObjectId::Id(PlainId::new(*counter, &actor)),
        },
        key: Key::Map(key.as_str().into()),
        pred: SortedVec::new(),
        insert: false,
    });
    Change::from(ExpandedChange {
        operations: operations.collect(),
        actor_id: actor.clone(),
        hash: None,
        seq: 1,
        start_op: NonZeroU64::MIN,
        time: 0,
        message: None,
        deps: Vec::new(),
        extra_bytes: Vec::new(),
        author: None,
    })
});

static EMPTY: LazyLock<Engine> = LazyLock::new(|| {
    // The document never writes by itself: changes are built outside and applied, so this actor is never used.
    let mut doc = Automerge::new().with_actor(ActorId::from(GENESIS_ACTOR));
    doc.apply_changes([GENESIS.clone()])
        .expect("the genesis change is fixed and applies to an empty document");
    Engine { doc }
});

/// The hash of the change that every document begins with.
pub(crate) fn genesis_hash() -> ChangeHash {
    ChangeHash(GENESIS.hash().0)
}

/// A map of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Map {
    Root(Container),
    /// A job, named by the operation that made it.
    Job(OpId),
}

/// A value as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Scalar(Scalar),
    Map(OpId),
    /// Nothing that this version writes.
    Foreign,
}

fn actor_id(author: Author) -> ActorId {
    let mut bytes = author.host.0.to_vec();
    // The first boot numbers were short ones; their changes keep their hashes.
    match u32::try_from(author.boot) {
        Ok(short) => bytes.extend(short.to_be_bytes()),
        Err(_) => bytes.extend(author.boot.to_be_bytes()),
    }
    ActorId::from(bytes)
}

fn author_of(actor: &ActorId) -> Option<Author> {
    let (host, boot) = actor.to_bytes().split_first_chunk::<32>()?;
    let boot = match boot.len() {
        4 => u32::from_be_bytes(boot.try_into().ok()?).into(),
        _ => u64::from_be_bytes(boot.try_into().ok()?),
    };
    Some(Author {
        host: HostId(*host),
        boot,
    })
}

/// Rebuilds the Automerge change; `None` when the body cannot be one.
pub(crate) fn build(body: &Body) -> Option<Built> {
    catch_unwind(AssertUnwindSafe(|| {
        let author = actor_id(body.author);
        let others: Vec<ActorId> = body.others.iter().copied().map(actor_id).collect();
        let genesis = ActorId::from(GENESIS_ACTOR);
        let plain = |id: OpRef| {
            let actor = match id.author.checked_sub(1) {
                None => &author,
                Some(place) => others.get(place as usize)?,
            };
            Some(PlainId::new(id.counter, actor))
        };
        let mut operations = Vec::with_capacity(body.ops.len());
        for op in &body.ops {
            operations.push(PlainOp {
                action: match &op.action {
                    Action::MakeMap => OpType::Make(ObjType::Map),
                    Action::Put(value) => OpType::Put(scalar_value(value)),
                    Action::Delete => OpType::Delete,
                },
                obj: ObjectId::Id(match op.target {
                    Target::Genesis(counter) => PlainId::new(counter, &genesis),
                    Target::Made(id) => plain(id)?,
                }),
                key: Key::Map(op.key.as_str().into()),
                pred: op.pred.iter().map(|id| plain(*id)).collect::<Option<_>>()?,
                insert: false,
            });
        }
        Some(Built(Change::from(ExpandedChange {
            operations,
            actor_id: author.clone(),
            hash: None,
            seq: body.seq,
            start_op: NonZeroU64::new(body.start_op)?,
            time: i64::try_from(body.time.0).ok()?,
            message: None,
            deps: body
                .deps
                .iter()
                .map(|hash| automerge::ChangeHash(hash.0))
                .collect(),
            extra_bytes: Vec::new(),
            author: None,
        })))
    }))
    .ok()
    .flatten()
}

/// The hash of the change that `body` makes.
pub(crate) fn hash(body: &Body) -> Option<ChangeHash> {
    build(body).map(|built| ChangeHash(built.0.hash().0))
}

fn scalar_value(value: &Scalar) -> ScalarValue {
    match value {
        Scalar::Text(text) => ScalarValue::Str(text.as_str().into()),
        Scalar::Number(number) => ScalarValue::Uint(*number),
        Scalar::Flag(flag) => ScalarValue::Boolean(*flag),
        Scalar::Bytes(bytes) => ScalarValue::Bytes(bytes.clone()),
    }
}

/// A rebuilt change, ready to be applied.
#[derive(Clone)]
pub(crate) struct Built(Change);

/// The Automerge document.
#[derive(Clone)]
pub(crate) struct Engine {
    doc: Automerge,
}

impl Engine {
    /// The genesis change and nothing else.
    pub(crate) fn new() -> Self {
        EMPTY.clone()
    }

    /// Applies changes whose past is here or among them. May panic on a change that was not judged well.
    pub(crate) fn apply(&mut self, changes: Vec<Built>) -> bool {
        self.doc
            .apply_changes(changes.into_iter().map(|built| built.0).collect::<Vec<_>>())
            .is_ok()
    }

    /// How many bytes Automerge's own file of it takes.
    pub(crate) fn saved(&self) -> usize {
        self.doc.save().len()
    }

    /// The changes that no other change follows, ascending.
    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        self.doc
            .get_heads()
            .into_iter()
            .map(|hash| ChangeHash(hash.0))
            .collect()
    }

    fn object(map: Map) -> ObjId {
        match map {
            Map::Root(container) => ObjId::Id(container.counter(), ActorId::from(GENESIS_ACTOR), 0),
            Map::Job(id) => ObjId::Id(id.counter, actor_id(id.author), usize::MAX),
        }
    }

    /// All concurrent values of a key; the last one wins.
    pub(crate) fn values(&self, map: Map, key: &str) -> Vec<Found> {
        let values = self.doc.get_all(Self::object(map), key).unwrap_or_default();
        values
            .into_iter()
            .map(|(value, id)| match value {
                Value::Object(ObjType::Map) => object_id(&id).map_or(Found::Foreign, Found::Map),
                Value::Object(_) => Found::Foreign,
                Value::Scalar(value) => scalar(&value).map_or(Found::Foreign, Found::Scalar),
            })
            .collect()
    }

    /// Whether a value of a key was written since the epoch began, and not by the changes that it began with.
    pub(crate) fn is_new(&self, map: Map, key: &str) -> bool {
        let values = self.doc.get_all(Self::object(map), key).unwrap_or_default();
        let mut ids = values.iter().filter_map(|(_, id)| object_id(id));
        ids.any(|id| id.author.boot != FOUNDING_BOOT)
    }

    /// The winning value of a key, when it is a plain one.
    pub(crate) fn value(&self, map: Map, key: &str) -> Option<Scalar> {
        match self.doc.get(Self::object(map), key).ok()?? {
            (Value::Scalar(value), _) => scalar(&value),
            (Value::Object(_), _) => None,
        }
    }

    /// The keys of a map, ascending.
    pub(crate) fn keys(&self, map: Map) -> Vec<String> {
        self.doc.keys(Self::object(map)).collect()
    }

    /// Keys with their winning plain values, from `from` up to but without `to`.
    pub(crate) fn range(&self, map: Map, from: &str, to: &str) -> Vec<(String, Scalar)> {
        self.doc
            .map_range(Self::object(map), from.to_owned()..to.to_owned())
            .filter_map(|item| Some((item.key.to_string(), plain(&item.value)?)))
            .collect()
    }

    /// Every key of a map with its winning plain value.
    pub(crate) fn entries(&self, map: Map) -> Vec<(String, Scalar)> {
        self.doc
            .map_range(Self::object(map), ..)
            .filter_map(|item| Some((item.key.to_string(), plain(&item.value)?)))
            .collect()
    }
}

fn object_id(id: &ObjId) -> Option<OpId> {
    match id {
        ObjId::Root => None,
        ObjId::Id(counter, actor, _) => Some(OpId {
            counter: *counter,
            author: author_of(actor)?,
        }),
    }
}

fn scalar(value: &ScalarValue) -> Option<Scalar> {
    match value {
        ScalarValue::Str(text) => Some(Scalar::Text(text.to_string())),
        ScalarValue::Uint(number) => Some(Scalar::Number(*number)),
        ScalarValue::Boolean(flag) => Some(Scalar::Flag(*flag)),
        ScalarValue::Bytes(bytes) => Some(Scalar::Bytes(bytes.clone())),
        _ => None,
    }
}

fn plain(value: &ValueRef<'_>) -> Option<Scalar> {
    match value {
        ValueRef::Object(_) => None,
        ValueRef::Scalar(value) => scalar(&value.clone().into()),
    }
}

#[cfg(test)]
impl Engine {
    /// The operations whose values of a key are visible, ascending.
    pub(crate) fn value_ids(&self, map: Map, key: &str) -> Vec<OpId> {
        let values = self
            .doc
            .get_all(Self::object(map), key)
            .expect("the map exists");
        values.iter().filter_map(|(_, id)| object_id(id)).collect()
    }

    /// What Automerge's own file format makes of the document: saved, loaded, and its changes hashed again.
    #[expect(
        clippy::disallowed_methods,
        reason = "what it reads it has written itself, in a test"
    )]
    pub(crate) fn reloaded_hashes(&self) -> Vec<ChangeHash> {
        let again = Automerge::load(&self.doc.save()).expect("a sound document loads");
        again
            .get_changes(&[])
            .iter()
            .map(|change| ChangeHash(change.hash().0))
            .collect()
    }
}
