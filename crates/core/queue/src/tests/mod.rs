//! Tests of the whole document, on several hosts at once. Nothing here sends anything: changes are handed over.

mod bounds;
mod configurations;
mod convergence;
mod edits;
mod engine_traps;
mod epochs;
mod forgeries;
mod generator;
mod predecessors;
mod quarantine;
mod quotas;
mod roles;
mod spoiled;

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};

use crate::*;

/// A device key that signs.
pub(crate) struct Device(pub(crate) SigningKey);

impl Device {
    fn new(n: u8) -> Self {
        Self(SigningKey::from_bytes(&[n; 32]))
    }

    fn id(&self) -> HostId {
        HostId(self.0.verifying_key().to_bytes())
    }
}

impl Signer for Device {
    fn host(&self) -> HostId {
        self.id()
    }

    fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

fn queue_key() -> SigningKey {
    SigningKey::from_bytes(&[200; 32])
}

fn queue() -> QueueId {
    QueueId(queue_key().verifying_key().to_bytes())
}

fn certificate(member: HostId, role: Role) -> Certificate {
    Certificate::issue(&queue_key(), member, role, Timestamp(1), None)
}

/// A host with its document.
struct Host {
    device: Device,
    document: QueueDocument,
    now: u64,
}

impl Host {
    /// A host that knows nothing yet.
    fn new(n: u8) -> Self {
        Self::boot(n, 1)
    }

    fn boot(n: u8, boot: u64) -> Self {
        let device = Device::new(n);
        let author = Author {
            host: device.id(),
            boot,
        };
        Self {
            document: QueueDocument::new(queue(), author),
            device,
            now: 1_000,
        }
    }

    fn id(&self) -> HostId {
        self.device.id()
    }

    fn try_edit(
        &mut self,
        f: impl FnOnce(&mut Edit<'_>),
    ) -> Result<Option<SignedChange>, EditError> {
        self.now += 1;
        let edit = |edit: &mut Edit<'_>| {
            f(edit);
            Ok::<(), EditError>(())
        };
        let (_, change) = self
            .document
            .edit(Timestamp(self.now), &self.device, edit)?;
        Ok(change.map(|change| (*change).clone()))
    }

    fn edit(&mut self, f: impl FnOnce(&mut Edit<'_>)) -> SignedChange {
        self.try_edit(f).unwrap().expect("it changes something")
    }

    fn found(&mut self) -> SignedChange {
        let (id, certificate) = (self.id(), certificate(self.id(), Role::Admin));
        self.edit(|edit| edit.found("farm", &voters(&[id]), &certificate))
    }

    fn invite(&mut self, member: &Self, role: Role) {
        let certificate = certificate(member.id(), role);
        self.edit(|edit| edit.put_certificate(&certificate));
    }

    /// Takes everything that another host has and this one has not; all of it must be good.
    fn pull(&mut self, from: &Self) {
        let changes = from.document.changes_after(&self.document.vector());
        let count = changes.len();
        let admitted = self.admit(changes.iter().map(|change| (**change).clone()).collect());
        assert_eq!(admitted.refused, []);
        assert_eq!((admitted.applied.len(), admitted.parked), (count, 0));
    }

    fn admit(&mut self, changes: Vec<SignedChange>) -> Admitted {
        let admitted = self.document.admit(changes);
        self.document.check();
        admitted
    }

    fn snapshot(&self) -> &Snapshot {
        self.document.snapshot()
    }

    fn log(&self) -> Vec<Vec<u8>> {
        let all = self.document.changes_after(&VersionVector::default());
        all.iter().map(|change| change.to_bytes()).collect()
    }
}

fn voters(hosts: &[HostId]) -> Voters {
    Voters {
        cfg: 1,
        hosts: hosts.to_vec(),
    }
}

/// An admin who founded the queue, and members with the given roles, all in sync.
fn farm(roles: &[Role]) -> Vec<Host> {
    let mut hosts = vec![Host::new(1)];
    hosts[0].found();
    for (n, role) in (2..).zip(roles) {
        let member = Host::new(n);
        hosts[0].invite(&member, *role);
        hosts.push(member);
    }
    for n in 1..hosts.len() {
        let (admin, members) = hosts.split_at_mut(1);
        members[n - 1].pull(&admin[0]);
    }
    hosts
}

fn job_id(n: u8) -> JobId {
    JobId(std::array::from_fn(|i| {
        n.wrapping_mul(31).wrapping_add(i as u8)
    }))
}

fn set_id(n: u8) -> SetId {
    SetId([n; 16])
}

fn job(id: JobId, submitter: HostId) -> Job {
    let file = FileSpec {
        hash: FileHash([7; 32]),
        size: 1234,
        name: "part.gcode".to_owned(),
        estimate_s: Some(60),
        material: None,
        slicer: None,
        model: None,
        nozzle_um: None,
        needs: Needs::default(),
    };
    let set = |n, rank: &str| Set {
        id: set_id(n),
        rank: Rank::parse(rank).unwrap(),
        per_run: u32::from(n),
        spec: SetSpec {
            files: vec![file.clone()],
        },
    };
    Job {
        id,
        name: format!("job {}", id.0[0]),
        rank: Rank::between(None, None),
        copies: 3,
        together: false,
        draft: false,
        held: false,
        printers: vec!["mk4".to_owned()],
        state: JobState::Open,
        submitter,
        created: Timestamp(5),
        origin: None,
        retries: None,
        again: BTreeMap::new(),
        terms: Terms::default(),
        sets: vec![set(1, "1"), set(2, "2")],
    }
}

fn printer() -> PrinterRecord {
    PrinterRecord {
        position: 0,
        machine: None,
        bed: Bed::Unknown,
        autoprint: true,
        paused: None,
        online: true,
        fault: None,
        last_print_ended: None,
        equipment: Equipment {
            model: Some("MK4S".into()),
            nozzle_um: Some(400),
            volume_mm: Some([250, 210, 220]),
            slots: vec![Slot {
                slot: 0,
                material: Some("PETG".into()),
                color: Some("black".into()),
                left_mg: Some(800_000),
                spool: Some(12),
            }],
            printed_s: 7200,
            ..Equipment::default()
        },
        set_aside: false,
        between: None,
        routine: Routine::default(),
        removed: false,
    }
}

fn claim(host: HostId, n: u64, state: ClaimState) -> ClaimRecord {
    ClaimRecord {
        printer: "mk4".to_owned(),
        ballot: Ballot {
            n,
            host,
            printer: "mk4".to_owned(),
        },
        cfg: 1,
        spec_hash: [3; 32],
        state,
        speculative: false,
        credited_to: None,
        note: None,
        at: Timestamp(9),
    }
}

fn run(result: RunResult) -> RunRecord {
    RunRecord {
        set: set_id(1),
        repetition: 0,
        result,
        started: Timestamp(10),
        ended: None,
        note: None,
    }
}

fn copy(job: JobId, index: u32) -> CopyId {
    CopyId { job, index }
}
