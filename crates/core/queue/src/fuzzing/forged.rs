//! Changes as a hostile member makes them: signed as well as it can, and each with one thing wrong about it that no host may take.
//!
//! One kind at a time; that no mixture of them gets in is `tests/generator.rs`.

use ed25519_dalek::SigningKey;

use crate::{
    Author, Certificate, DEPS_MAX, HostId, QueueDocument, Role, SignedChange, Signer, Timestamp,
    change::{Action, Body, Op, Scalar, Target},
    schema::Container,
};

/// What is wrong about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Nobody's signature.
    Signature,
    /// It says that another host wrote it.
    Author(HostId),
    /// It says what only that other host may say.
    AnothersFact(HostId),
    /// It sets what only an admin may set.
    AboveItsRole,
    /// It brings a certificate as an admin that its author made itself.
    Certificate,
    /// It leaves numbers of its author out.
    Sequence,
    /// Its operations are counted from another number.
    StartOp,
    /// It writes one key twice.
    Twice,
    /// It is made for another epoch.
    Epoch,
}

impl Forgery {
    /// All that name nobody.
    pub const PLAIN: &'static [Self] = &[
        Self::Signature,
        Self::AboveItsRole,
        Self::Certificate,
        Self::Sequence,
        Self::StartOp,
        Self::Twice,
        Self::Epoch,
    ];
}

/// A change by who writes in `document`, signed with its key, wrong in one way; `word` tells it from others. `None` where it would
/// not be wrong: an admin may do what is above all other roles.
pub fn forged(
    document: &QueueDocument,
    signer: &dyn Signer,
    forgery: Forgery,
    word: u64,
) -> Option<SignedChange> {
    let me = signer.host();
    let mine = document.snapshot().members.get(&me);
    let (author, seq, deps, start_op) = document.next_envelope(DEPS_MAX);
    let mut body = Body::new(
        document.epoch().tag(),
        author,
        seq,
        start_op,
        Timestamp(word),
    );
    body.deps = deps;
    let put = |container: Container, key: String, value: Scalar| Op {
        target: Target::Genesis(container.counter()),
        key,
        action: Action::Put(value),
        pred: Vec::new(),
    };
    let text = Scalar::text(format!("w{word}"));
    // Good, if nothing else were wrong: everybody may say so of itself.
    let harmless = put(
        Container::Members,
        format!("{me}/later-{word}"),
        text.clone(),
    );
    body.ops = vec![harmless.clone()];
    match forgery {
        Forgery::Signature => {}
        Forgery::Author(other) => {
            body.author = Author {
                host: other,
                boot: author.boot,
            };
        }
        Forgery::AnothersFact(other) => {
            body.ops = vec![put(
                Container::Members,
                format!("{other}/later-{word}"),
                text,
            )];
        }
        Forgery::AboveItsRole => {
            if mine.is_none_or(|mine| mine.may(Role::Admin)) {
                return None;
            }
            body.ops = vec![put(Container::Settings, format!("later-{word}"), text)];
        }
        Forgery::Certificate => {
            let key = SigningKey::from_bytes(&[7; 32]);
            let made = Certificate {
                queue: document.queue(),
                ..Certificate::issue(&key, me, Role::Admin, Timestamp(word), None)
            };
            // For a host of its own that nobody let in.
            let friend = Certificate {
                member: HostId(*blake3::hash(&word.to_be_bytes()).as_bytes()),
                ..made
            };
            body.ops = vec![put(
                Container::Members,
                format!("{}/cert", friend.member),
                Scalar::json(&friend),
            )];
        }
        Forgery::Sequence => body.seq += 1 + word % 9,
        Forgery::StartOp => body.start_op += 1 + word % 9,
        Forgery::Twice => body.ops.push(harmless),
        Forgery::Epoch => body.epoch = body.epoch.wrapping_add(1 + word % 9),
    }
    let change = SignedChange::sign(&body, document.queue(), signer).ok()?;
    if forgery != Forgery::Signature {
        return Some(change);
    }
    let mut bytes = change.to_bytes();
    let end = bytes.len() - 1 - (word % 32) as usize;
    bytes[end] ^= 1;
    SignedChange::from_bytes(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{SCENE, document};

    #[test]
    fn each_forgery_is_refused_and_would_be_taken_but_for_what_is_wrong_about_it() {
        let other = document(&SCENE.log)
            .snapshot()
            .members
            .keys()
            .copied()
            .find(|host| *host != SCENE.member.host())
            .expect("the founder");
        let all = Forgery::PLAIN.iter().copied();
        for forgery in all.chain([Forgery::Author(other), Forgery::AnothersFact(other)]) {
            let mut document = document(&SCENE.log);
            let before = document.snapshot().clone();
            let change = forged(&document, &SCENE.member, forgery, 5).expect("it can be made");
            let admitted = document.admit(vec![change]);
            assert_eq!(admitted.applied, [], "{forgery:?}");
            assert_eq!(admitted.refused.len(), 1, "{forgery:?}");
            assert_eq!(*document.snapshot(), before, "{forgery:?}");
        }
        for (bug, forgery) in [
            (crate::sabotage::Bug::AnybodyWrites, Forgery::AboveItsRole),
            (
                crate::sabotage::Bug::AnybodyWrites,
                Forgery::AnothersFact(other),
            ),
            (crate::sabotage::Bug::UnsignedCounts, Forgery::Signature),
        ] {
            let mut document = document(&SCENE.log);
            let change = forged(&document, &SCENE.member, forgery, 5).expect("it can be made");
            crate::sabotage::make(Some(bug));
            let admitted = document.admit(vec![change]);
            crate::sabotage::make(None);
            assert_eq!(admitted.applied.len(), 1, "{forgery:?}");
        }
    }
}
