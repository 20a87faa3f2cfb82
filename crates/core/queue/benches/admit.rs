//! What it costs that changes are signed and judged: `cargo bench -p printmesh-queue`.
//!
//! Four hosts write 10,000 changes: jobs, claims, runs, printers. A fifth admits them all, beside bare Automerge that applies the
//! same changes in one batch, and beside its parts. Figures are for comparing with each other, in one run.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock; the core does not"
)]

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use ed25519_dalek::SigningKey;
use printmesh_queue::{
    fuzzing::{Bare, Device},
    *,
};

const CHANGES: usize = 10_000;
const ROUNDS: usize = 5;

struct Host {
    device: Device,
    document: QueueDocument,
}

fn queue_key() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

fn queue() -> QueueId {
    QueueId(queue_key().verifying_key().to_bytes())
}

impl Host {
    fn new(n: u8) -> Self {
        let device = Device(SigningKey::from_bytes(&[n; 32]));
        let (host, boot) = (device.host(), 1);
        let document = QueueDocument::new(queue(), Author { host, boot });
        Self { device, document }
    }

    fn edit(&mut self, now: usize, f: impl FnOnce(&mut Edit<'_>)) {
        let edited = self
            .document
            .edit(Timestamp(now as u64), &self.device, |edit| {
                f(edit);
                Ok::<(), EditError>(())
            });
        edited.expect("it may");
    }

    fn pull(&mut self, from: &Self) {
        let changes = from.document.changes_after(&self.document.vector());
        let changes = changes.iter().map(|change| SignedChange::clone(change));
        let admitted = self.document.admit(changes.collect());
        assert_eq!(admitted.refused, []);
    }
}

fn job(n: usize, submitter: HostId) -> Job {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&(n as u64).to_be_bytes());
    let file = FileSpec {
        hash: FileHash(*blake3(n)),
        size: 1_234_567,
        name: format!("bracket-{n}.gcode"),
        estimate_s: Some(3600),
        material: Some("PETG".to_owned()),
        slicer: Some("PrusaSlicer 2.9".to_owned()),
        model: Some("MK4S".to_owned()),
        nozzle_um: Some(400),
        needs: Needs::default(),
    };
    Job {
        id: JobId(id),
        name: format!("bracket {n}"),
        rank: Rank::between(None, None),
        copies: 1,
        together: false,
        draft: false,
        held: false,
        printers: Vec::new(),
        state: JobState::Open,
        submitter,
        created: Timestamp(n as u64),
        origin: None,
        retries: None,
        again: BTreeMap::new(),
        terms: Terms::default(),
        sets: vec![Set {
            id: SetId(id),
            rank: Rank::between(None, None),
            per_run: 1,
            spec: SetSpec { files: vec![file] },
        }],
    }
}

/// Bytes that do not compress, as a hash's.
fn blake3(n: usize) -> Box<[u8; 32]> {
    let key = SigningKey::from_bytes(&[(n % 251) as u8; 32]);
    Box::new(key.verifying_key().to_bytes())
}

fn claim(host: HostId, n: usize, state: ClaimState) -> ClaimRecord {
    ClaimRecord {
        printer: "mk4".to_owned(),
        ballot: Ballot {
            n: n as u64,
            host,
            printer: "mk4".to_owned(),
        },
        cfg: 1,
        spec_hash: [3; 32],
        state,
        speculative: false,
        credited_to: None,
        note: None,
        at: Timestamp(n as u64),
    }
}

/// What four hosts write: a job, and for each its claim, its begin, its run and its end.
fn write() -> Vec<Vec<u8>> {
    let mut hosts: Vec<Host> = (1..=4).map(Host::new).collect();
    let founder = hosts[0].device.host();
    let certificate =
        |host| Certificate::issue(&queue_key(), host, Role::Operator, Timestamp(1), None);
    let admin = Certificate::issue(&queue_key(), founder, Role::Admin, Timestamp(1), None);
    let voters = Voters {
        cfg: 1,
        hosts: vec![founder],
    };
    let others: Vec<HostId> = hosts[1..].iter().map(|host| host.device.host()).collect();
    hosts[0].edit(1, |edit| {
        edit.found("farm", &voters, &admin);
        for host in &others {
            edit.put_certificate(&certificate(*host));
        }
    });
    for n in 0..CHANGES / 5 {
        let at = n % hosts.len();
        if at == 0 {
            // They meet every so often: in between, their changes are beside one another.
            for a in 0..hosts.len() {
                for b in 0..hosts.len() {
                    if a != b {
                        let [one, two] = hosts.get_disjoint_mut([a, b]).expect("two hosts");
                        one.pull(two);
                    }
                }
            }
        }
        let host = &mut hosts[at];
        let me = host.device.host();
        let job = job(n, me);
        let copy = CopyId {
            job: job.id,
            index: 0,
        };
        host.edit(n, |edit| edit.add_job(&job));
        let states = [ClaimState::Claimed, ClaimState::Printing];
        for state in states {
            host.edit(n, |edit| edit.put_claim(copy, 0, &claim(me, n, state)));
        }
        let run = RunRecord {
            set: job.sets[0].id,
            repetition: 0,
            result: RunResult::Ok,
            started: Timestamp(n as u64),
            ended: Some(Timestamp(n as u64 + 1)),
            note: None,
        };
        host.edit(n, |edit| edit.put_run(copy, 0, 0, &run));
        host.edit(n, |edit| {
            edit.put_claim(copy, 0, &claim(me, n, ClaimState::Finished))
        });
    }
    let mut all = hosts.remove(0);
    for host in &hosts {
        all.pull(host);
    }
    let log = all.document.changes_after(&VersionVector::default());
    log.iter().map(|change| change.to_bytes()).collect()
}

/// The shortest of some rounds: what else the machine does only adds.
fn shortest<T>(mut prepare: impl FnMut() -> T, mut run: impl FnMut(T)) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let prepared = prepare();
        let from = Instant::now();
        run(prepared);
        from.elapsed()
    });
    rounds.min().expect("some rounds")
}

fn main() {
    let log = write();
    let count = log.len();
    let bytes: usize = log.iter().map(Vec::len).sum();
    let read = || -> Vec<SignedChange> {
        let changes = log.iter().map(|bytes| SignedChange::from_bytes(bytes));
        changes.collect::<Result<_, _>>().expect("good changes")
    };
    let changes = read();
    let decode = shortest(
        || (),
        |()| {
            black_box(read());
        },
    );
    let bare = shortest(
        || Bare::of(&changes),
        |bare| assert!(black_box(bare.apply())),
    );
    let empty = || Host::new(9).document;
    let admit = shortest(
        || (changes.clone(), empty()),
        |(changes, mut document)| {
            let admitted = document.admit(changes);
            assert_eq!((admitted.applied.len(), admitted.refused.len()), (count, 0));
            black_box(document);
        },
    );
    let each_of = |size: usize| {
        shortest(
            || (changes.clone(), empty()),
            |(changes, mut document)| {
                for part in changes.chunks(size) {
                    assert_eq!(document.admit(part.to_vec()).refused, []);
                }
                black_box(document);
            },
        )
    };
    let bare_of = |size: usize| {
        shortest(
            || changes.chunks(size).map(Bare::of).collect::<Vec<_>>(),
            |parts| assert!(black_box(Bare::apply_parts(parts))),
        )
    };
    let (admit_200, bare_200) = (each_of(200), bare_of(200));
    let good = {
        let device = Device(SigningKey::from_bytes(&[1; 32]));
        let message = [5; 32];
        (device.host(), message, device.sign(&message))
    };
    let signatures = shortest(
        || (),
        |()| {
            for _ in 0..count {
                assert!(black_box(verify(&good.0.0, &good.1, &good.2)));
            }
        },
    );
    let own = shortest(
        || log.clone(),
        |log| {
            let (host, boot) = (HostId([9; 32]), 1);
            black_box(QueueDocument::load(queue(), Author { host, boot }, log))
                .expect("a good log");
        },
    );
    let per = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    let line = |what: &str, time: Duration, beside: Duration| {
        println!(
            "{what:<44} {:>8.1} µs each   {:.2} ×",
            per(time),
            time.as_secs_f64() / beside.as_secs_f64()
        );
    };
    println!(
        "{count} changes of 4 hosts, {:.0} bytes each with signature",
        bytes as f64 / count as f64
    );
    println!(
        "bare Automerge keeps {:.0} bytes of each when it saves them all",
        Bare::of(&changes).saved() as f64 / count as f64
    );
    line("bare Automerge, one batch", bare, bare);
    line("admitted, one batch", admit, bare);
    line("read from bytes before that", decode, bare);
    line("read and admitted", decode + admit, bare);
    line("the signatures alone", signatures, bare);
    line("bare Automerge, batches of 200", bare_200, bare_200);
    line("admitted, batches of 200", admit_200, bare_200);
    line(
        "read and admitted, batches of 200",
        decode + admit_200,
        bare_200,
    );
    line("a start: read from the log", own, bare);
}
