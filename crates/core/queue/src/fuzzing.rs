//! What the fuzz targets, the benchmark and the simulator call. No part of the interface.

mod forged;

use std::sync::LazyLock;

use ed25519_dalek::{Signer as _, SigningKey};
pub use forged::{Forgery, forged};

use crate::{
    Author, Certificate, DEPS_MAX, EditError, HostId, QueueDocument, QueueId, Role, SignedChange,
    Signer, Timestamp, VersionVector, Voters, change::Body, engine,
};

/// Signs as a host does, with a key in memory.
pub struct Device(pub SigningKey);

impl Signer for Device {
    fn host(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

/// A small queue: its id, a member who may print, and the log.
struct Scene {
    queue: QueueId,
    member: Device,
    log: Vec<Vec<u8>>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let queue_key = SigningKey::from_bytes(&[1; 32]);
    let queue = QueueId(queue_key.verifying_key().to_bytes());
    let [founder, member] = [2, 3].map(|n| Device(SigningKey::from_bytes(&[n; 32])));
    let author = Author {
        host: founder.host(),
        boot: 1,
    };
    let certificate = |host, role| Certificate::issue(&queue_key, host, role, Timestamp(1), None);
    let mut document = QueueDocument::new(queue, author);
    let edited = document.edit(Timestamp(1), &founder, |edit| {
        let voters = Voters {
            cfg: 1,
            hosts: vec![author.host],
        };
        edit.found("fuzz", &voters, &certificate(author.host, Role::Admin));
        edit.put_certificate(&certificate(member.host(), Role::Printer));
        Ok::<(), EditError>(())
    });
    edited.expect("a queue is founded by its admin");
    let all = document.changes_after(&VersionVector::default());
    Scene {
        queue,
        member,
        log: all.iter().map(|change| change.to_bytes()).collect(),
    }
});

fn document(log: &[Vec<u8>]) -> QueueDocument {
    let author = Author {
        host: SCENE.member.host(),
        boot: 1,
    };
    QueueDocument::load(SCENE.queue, author, log.iter().cloned()).expect("its own log is good")
}

fn admit(change: SignedChange) {
    let mut document = document(&SCENE.log);
    document.admit(vec![change]);
    let all = document.changes_after(&VersionVector::default());
    let log: Vec<_> = all.iter().map(|change| change.to_bytes()).collect();
    assert_eq!(self::document(&log).snapshot(), document.snapshot());
}

/// Any bytes: as a change from outside, and as operations that a hostile member signs properly.
pub fn change(data: &[u8]) {
    if let Ok(change) = SignedChange::from_bytes(data) {
        assert_eq!(change.to_bytes(), data);
        admit(change);
    }
    if let Some(record) = crate::EpochRecord::from_bytes(data) {
        assert_eq!(record.to_bytes(), data);
    }
    if let Ok(mut body) = postcard::from_bytes::<Body>(data) {
        let (author, seq, deps, start_op) = document(&SCENE.log).next_envelope(DEPS_MAX);
        body.epoch = 0;
        (body.author, body.seq, body.deps, body.start_op) = (author, seq, deps, start_op);
        if let Ok(change) = SignedChange::sign(&body, SCENE.queue, &SCENE.member) {
            admit(change);
        }
    }
}

/// The same changes in bare Automerge: nobody judges them, and no signature is looked at.
pub struct Bare(Vec<engine::Built>);

impl Bare {
    /// Prepares changes, whose past is among them or was applied before.
    ///
    /// # Panics
    /// When one of them is none.
    pub fn of(changes: &[SignedChange]) -> Self {
        let built = changes.iter().map(|change| engine::build(&change.body()));
        Self(built.map(|built| built.expect("a change")).collect())
    }

    /// Applies them to an empty document, in one go.
    pub fn apply(self) -> bool {
        Self::apply_parts(vec![self])
    }

    /// Applies several lots, one after another.
    pub fn apply_parts(parts: Vec<Self>) -> bool {
        let mut engine = engine::Engine::new();
        parts.into_iter().all(|part| engine.apply(part.0))
    }

    /// Returns the bytes of Automerge's own file of them.
    pub fn saved(self) -> usize {
        let mut engine = engine::Engine::new();
        engine.apply(self.0);
        engine.saved()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_bad_and_spoiled_bytes_do_no_harm() {
        change(&[]);
        change(&[1; 300]);
        for entry in &SCENE.log {
            change(entry);
            change(&entry[..entry.len() - 64]);
            for at in (0..entry.len()).step_by(11) {
                let mut spoiled = entry.clone();
                spoiled[at] ^= 0x21;
                change(&spoiled[..entry.len() - 64]);
            }
        }
    }
}
