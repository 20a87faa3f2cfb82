//! What the fuzz targets call. No part of the interface.
//!
//! A host is woken up from the same disk again as soon as a run made it write or do something: a finding hardly depends on the
//! runs before it, and few runs pay for a start.

use std::{cell::RefCell, collections::BTreeMap, sync::LazyLock};

use ed25519_dalek::{Signer as _, SigningKey};
use printmesh_queue::{FileHash, FileSpec, HostId, Needs, QueueId, Signer, Timestamp};

use crate::{
    Answer, Boot, Command, Effect, Input, Message, NewJob, NewSet, Node, Now, Step, TermsEdit,
    Ticket, Write,
    comparison::{Commitment, Nonce},
    ticket::{JoinMessage, Want, proof_bytes},
};

struct Device(SigningKey);

impl Signer for Device {
    fn host(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

fn device(n: u8) -> Device {
    Device(SigningKey::from_bytes(&[n; 32]))
}

const EXPORTER: [u8; 32] = [9; 32];

/// What lies on the disk of a host.
#[derive(Clone, Default)]
struct Disk {
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    logs: BTreeMap<[u8; 32], Vec<Vec<u8>>>,
}

impl Disk {
    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::Put { key, value } => drop(self.state.insert(key, value)),
                Write::Delete { key } => drop(self.state.remove(&key)),
                Write::Clear { log } => drop(self.logs.remove(&log)),
                Write::Append { log, entry } => self.logs.entry(log).or_default().push(entry),
            }
        }
    }

    fn boot(&self) -> (Node, Step) {
        let boot = Boot {
            signer: Box::new(device(1)),
            seed: [4; 32],
            now: now(0),
            state: self.state.clone().into_iter().collect(),
            logs: self.logs.clone(),
        };
        Node::boot(boot).expect("the disk is whole")
    }
}

fn now(ms: u64) -> Now {
    Now {
        mono_ms: 1_000 + ms,
        wall: Timestamp(1_700_000_000_000 + ms),
    }
}

/// A host with a printer, a queue, a job in it, and a second member.
struct Scene {
    disk: Disk,
    queue: QueueId,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let mut disk = Disk::default();
    disk.write(Node::set_up(&device(1), [3; 32], now(0), "fuzz"));
    disk.write(vec![Node::simulated_printer("p0", "sim:")]);
    let (mut node, step) = disk.boot();
    disk.write(step.writes);
    let mut answer = |node: &mut Node, input: Input| {
        let step = node.handle(now(1), input);
        disk.write(step.writes);
        step.effects.into_iter().find_map(|effect| match effect {
            Effect::Reply { result, .. } => Some(result.expect("the scene is a good one")),
            _ => None,
        })
    };
    let command = |command| Input::Command { id: 1, command };
    let name = || "farm".to_owned();
    answer(&mut node, command(Command::QueueCreate { name: name() }));
    let share = Command::QueueShare {
        queue: name(),
        role: crate::DEFAULT_ROLE,
        expires_ms: None,
        uses: 1,
        with_key: true,
    };
    let Some(Answer::Ticket(ticket)) = answer(&mut node, command(share)) else {
        unreachable!("a shared queue gives a ticket")
    };
    let queue = QueueId(ticket.queue);
    let file = FileSpec {
        hash: FileHash([7; 32]),
        size: 100,
        name: "part.gcode".to_owned(),
        estimate_s: None,
        material: None,
        slicer: None,
        model: None,
        nozzle_um: None,
        needs: Needs::default(),
    };
    let job = NewJob {
        queue: name(),
        name: "part".to_owned(),
        sets: vec![NewSet::of(file, 1)],
        copies: 2,
        together: false,
        draft: false,
        printers: Vec::new(),
        terms: TermsEdit::default(),
    };
    answer(&mut node, command(Command::JobSubmit(job)));
    let (member, key) = (device(2).host(), SigningKey::from_bytes(&ticket.secret));
    let opened = Input::JoinOpened {
        conversation: 1,
        peer: member,
        exporter: EXPORTER,
        attempt: None,
    };
    answer(&mut node, opened);
    let proof = key.sign(&proof_bytes(&EXPORTER, queue, member, device(1).host()));
    let ask = JoinMessage::Ask {
        name: "second".to_owned(),
        want: Want::Ticket {
            queue,
            invite: None,
            proof: proof.to_bytes().to_vec(),
        },
    };
    let bytes = postcard::to_stdvec(&ask).expect("plain data always encodes");
    let said = Input::JoinMessage {
        conversation: 1,
        bytes,
    };
    answer(&mut node, said);
    assert!(node.shares(queue, member), "the scene has two members");
    Scene { disk, queue }
});

/// Cuts bytes into pieces, each as long as the two bytes before it say.
fn pieces(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (piece, after) = after.split_at(length);
        rest = after;
        Some(piece)
    })
}

/// A host that runs, and for how long.
struct Running {
    node: Node,
    ms: u64,
    /// It has written or done something since it was woken up.
    acted: bool,
}

thread_local! {
    static MESSAGES: RefCell<Option<Running>> = const { RefCell::new(None) };
    static JOINS: RefCell<Option<Running>> = const { RefCell::new(None) };
}

impl Running {
    fn new() -> Self {
        let (node, step) = SCENE.disk.boot();
        drop(step);
        Self {
            node,
            ms: 1,
            acted: false,
        }
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        self.ms += 1;
        let step = self.node.handle(now(self.ms), input);
        self.acted |= !step.writes.is_empty() || !step.effects.is_empty();
        step.effects
    }
}

/// Runs with a host that nothing has happened to since `begin`.
fn with(kept: &RefCell<Option<Running>>, begin: fn(&mut Running), run: impl FnOnce(&mut Running)) {
    let mut running = kept.borrow_mut().take().unwrap_or_else(|| {
        let mut fresh = Running::new();
        begin(&mut fresh);
        fresh.acted = false;
        fresh
    });
    run(&mut running);
    if !running.acted {
        *kept.borrow_mut() = Some(running);
    }
}

/// A member's messages, one after the other: what is said about changes, claims, voters, progress and addresses. The queue's
/// own id stands where a message begins with 32 bytes of zeros.
pub fn message(data: &[u8]) {
    let begin = |running: &mut Running| {
        running.give(Input::PeerConnected {
            host: device(2).host(),
            software: "fuzz".to_owned(),
            address: None,
        });
    };
    MESSAGES.with(|kept| {
        with(kept, begin, |running| {
            for piece in pieces(data) {
                let mut bytes = piece.to_vec();
                if let Some(id) = bytes.get_mut(1..33)
                    && *id == [0; 32]
                {
                    id.copy_from_slice(&SCENE.queue.0);
                }
                if let Some(message) = Message::decode(&bytes) {
                    assert!(Message::decode(&message.encode()).is_some());
                }
                let from = device(2).host();
                running.give(Input::Message { from, bytes });
            }
            if running.acted {
                running.ms += 60_000;
                running.give(Input::Wake);
            }
        });
    });
}

/// What a stranger says that wants in, and what a host says that this one asked to let it in.
pub fn join(data: &[u8]) {
    JOINS.with(|kept| with(kept, open_joins, |running| converse(running, data)));
}

/// One conversation that a stranger opened, and one that this host opened with it.
fn open_joins(running: &mut Running) {
    let stranger = device(3).host();
    let ticket = Ticket {
        queue: device(4).host().0,
        name: "other".to_owned(),
        secret: [4; 32],
        proof: Vec::new(),
        expires_at_s: None,
        host: stranger,
        addresses: Vec::new(),
        relays: Vec::new(),
    };
    let command = Command::QueueJoin {
        ticket,
        as_name: None,
        wan: false,
    };
    let effects = running.give(Input::Command { id: 1, command });
    let attempt = effects.iter().find_map(|effect| match effect {
        Effect::Join { attempt, .. } => Some(*attempt),
        _ => None,
    });
    for (conversation, attempt) in [(1, attempt), (2, None)] {
        running.give(Input::JoinOpened {
            conversation,
            peer: stranger,
            exporter: EXPORTER,
            attempt,
        });
    }
}

fn converse(running: &mut Running, data: &[u8]) {
    let queue = SCENE.queue;
    for piece in pieces(data) {
        let (lead, rest) = piece.split_at(piece.len().min(1));
        let message = match lead.first().map(|lead| lead % 3) {
            // As they are, or with what no fuzzer finds.
            Some(0) => JoinMessage::Ask {
                name: "stranger".to_owned(),
                want: Want::Ticket {
                    queue,
                    invite: Some(rest.to_vec()),
                    proof: rest.to_vec(),
                },
            },
            Some(1) => JoinMessage::Ask {
                name: String::from_utf8_lossy(rest).into_owned(),
                want: Want::Lan {
                    commitment: Commitment::to(Nonce([7; 32]), &EXPORTER),
                },
            },
            Some(_) | None => {
                for conversation in [1, 2] {
                    let bytes = rest.to_vec();
                    running.give(Input::JoinMessage {
                        conversation,
                        bytes,
                    });
                }
                continue;
            }
        };
        let bytes = postcard::to_stdvec(&message).expect("plain data always encodes");
        running.give(Input::JoinMessage {
            conversation: 2,
            bytes,
        });
    }
    assert!(
        !running.node.shares(queue, device(3).host()),
        "nobody let it in"
    );
}
