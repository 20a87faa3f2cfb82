//! A farm to plan for, as a test says it: one host, its printers, its jobs, what has been printed.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    Ballot, Bed, Certificate, Claim, ClaimRecord, ClaimState, CopyId, Equipment, FileHash,
    FileSpec, HostId, Job, JobId, JobState, Member, Needs, PrinterId, PrinterRecord, QueueId, Rank,
    Role, Routine, RunRecord, RunResult, Set, SetId, SetSpec, Setting, Settings, Slot, Snapshot,
    Terms, Timestamp, ToolNeed, Voters,
};
use printmesh_schedule::{Plan, Presence, Reason, plan, why};

pub(crate) const ME: HostId = HostId([1; 32]);

/// One host that decides by itself, with its printers and jobs.
#[derive(Clone, Debug)]
pub(crate) struct Farm {
    pub(crate) snapshot: Snapshot,
    pub(crate) presence: Presence,
    last: Option<Rank>,
}

/// Printer `p3` is called so, and third in the list.
pub(crate) fn printer(name: &str) -> PrinterId {
    PrinterId {
        host: ME,
        name: name.into(),
    }
}

pub(crate) fn job_id(name: &str) -> JobId {
    let mut id = [0; 16];
    for (byte, letter) in id.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    JobId(id)
}

/// A tool that prints with so much of something.
pub(crate) fn tool(tool: u32, material: &str, grams: u64) -> ToolNeed {
    ToolNeed {
        tool,
        material: Some(material.into()),
        color: None,
        mg: Some(grams * 1000),
    }
}

/// A slot that holds so much of something.
pub(crate) fn slot(slot: u32, material: &str, grams: u64) -> Slot {
    Slot {
        slot,
        material: Some(material.into()),
        color: None,
        left_mg: Some(grams * 1000),
        spool: None,
    }
}

pub(crate) fn file(n: u8, needs: Needs) -> FileSpec {
    FileSpec {
        hash: FileHash([n; 32]),
        size: 1,
        name: format!("{n}.gcode"),
        estimate_s: None,
        material: None,
        slicer: None,
        model: None,
        nozzle_um: None,
        needs,
    }
}

impl Farm {
    /// So many free printers `p1`, `p2`, …
    pub(crate) fn new(printers: u32) -> Self {
        let certificate = Certificate {
            queue: QueueId([9; 32]),
            member: ME,
            role: Role::Admin,
            issued: Timestamp(1),
            invite: None,
            turn: 0,
            removed: false,
            signature: [0; 64],
        };
        let member = Member {
            certificate,
            name: "me".into(),
            left: false,
        };
        let printers = (1..=printers).map(|n| {
            let record = PrinterRecord {
                position: n,
                machine: None,
                bed: Bed::Clear,
                autoprint: true,
                paused: None,
                set_aside: false,
                online: true,
                fault: None,
                last_print_ended: None,
                equipment: Equipment::default(),
                between: None,
                routine: Routine::default(),
                removed: false,
            };
            (printer(&format!("p{n}")), record)
        });
        let snapshot = Snapshot {
            queue: QueueId([9; 32]),
            name: "farm".into(),
            voters: Voters {
                cfg: 1,
                hosts: vec![ME],
            },
            members: BTreeMap::from([(ME, member)]),
            printers: printers.collect(),
            jobs: BTreeMap::new(),
            claims: BTreeMap::new(),
            lost: BTreeMap::new(),
            configs: BTreeMap::new(),
            settings: Settings::default(),
            invites: BTreeMap::new(),
            requests: BTreeMap::new(),
            made: BTreeSet::new(),
        };
        let mut presence = Presence::alone(ME);
        presence.now = Timestamp(1_000_000);
        Self {
            snapshot,
            presence,
            last: None,
        }
    }

    /// Adds a job at the end.
    pub(crate) fn job(mut self, name: &str, copies: u32) -> Self {
        let rank = Rank::between(self.last.as_ref(), None);
        self.last = Some(rank.clone());
        let id = job_id(name);
        let set = Set {
            id: SetId(id.0),
            rank: Rank::between(None, None),
            per_run: 1,
            spec: SetSpec {
                files: vec![file(id.0[0], Needs::default())],
            },
        };
        let job = Job {
            id,
            name: name.into(),
            rank,
            copies,
            together: false,
            draft: false,
            held: false,
            printers: Vec::new(),
            state: JobState::Open,
            submitter: ME,
            created: Timestamp(1),
            origin: None,
            retries: None,
            again: BTreeMap::new(),
            terms: Terms::default(),
            sets: vec![set],
        };
        self.snapshot.jobs.insert(id, job);
        self
    }

    /// Changes the job that was added last.
    pub(crate) fn with(self, f: impl FnOnce(&mut Job)) -> Self {
        let last = self.last.clone();
        let mut jobs = self.snapshot.jobs.values();
        let newest = jobs.find(|job| Some(&job.rank) == last.as_ref());
        let id = newest.expect("a job was added").id;
        self.edit_id(id, f)
    }

    pub(crate) fn edit(self, name: &str, f: impl FnOnce(&mut Job)) -> Self {
        self.edit_id(job_id(name), f)
    }

    fn edit_id(mut self, id: JobId, f: impl FnOnce(&mut Job)) -> Self {
        f(self.snapshot.jobs.get_mut(&id).expect("a job of the farm"));
        self
    }

    /// What the file of the job that was added last needs.
    pub(crate) fn needs(self, needs: Needs) -> Self {
        self.with(|job| job.sets[0].spec.files[0].needs = needs)
    }

    /// The group of the job that was added last.
    pub(crate) fn in_group(self, group: &str) -> Self {
        self.with(|job| job.terms.group = group.into())
    }

    pub(crate) fn record(mut self, name: &str, f: impl FnOnce(&mut PrinterRecord)) -> Self {
        f(self
            .snapshot
            .printers
            .get_mut(&printer(name))
            .expect("a printer of the farm"));
        self
    }

    pub(crate) fn has(self, name: &str, f: impl FnOnce(&mut Equipment)) -> Self {
        self.record(name, |record| f(&mut record.equipment))
    }

    /// `queue set`, as typed.
    pub(crate) fn set(mut self, rules: &[(&str, &str)]) -> Self {
        for (key, value) in rules {
            let setting = Setting::from_key(key).expect("a setting");
            assert!(self.snapshot.settings.set(setting, value), "{key} {value}");
        }
        self
    }

    /// A claim of a copy, from 1, by a printer.
    pub(crate) fn claim(mut self, name: &str, copy: u32, by: &str, state: ClaimState) -> Self {
        let ballot = Ballot {
            n: 1,
            host: ME,
            printer: by.into(),
        };
        let record = ClaimRecord {
            printer: by.into(),
            ballot,
            cfg: 1,
            spec_hash: [0; 32],
            state,
            speculative: false,
            credited_to: None,
            note: None,
            at: Timestamp(1),
        };
        let copy = CopyId {
            job: job_id(name),
            index: copy - 1,
        };
        let claims = self.snapshot.claims.entry(copy).or_default();
        let attempt = claims.len() as u32;
        claims.insert(
            (attempt, ME),
            Claim {
                host: ME,
                attempt,
                record,
                runs: BTreeMap::new(),
            },
        );
        self
    }

    /// A print that began then and ended so.
    pub(crate) fn printed(
        self,
        name: &str,
        copy: u32,
        by: &str,
        at: u64,
        result: RunResult,
    ) -> Self {
        let state = match result {
            RunResult::Ok => ClaimState::Finished,
            RunResult::Started => ClaimState::Printing,
            RunResult::Failed | RunResult::Aborted | RunResult::Unknown => ClaimState::Failed,
        };
        let mut farm = self.claim(name, copy, by, state);
        let id = CopyId {
            job: job_id(name),
            index: copy - 1,
        };
        let claims = farm.snapshot.claims.get_mut(&id).expect("just made");
        let claim = claims.values_mut().last().expect("just made");
        let run = RunRecord {
            set: SetId(id.job.0),
            repetition: 0,
            result,
            started: Timestamp(at),
            ended: None,
            note: None,
        };
        claim.runs.insert(0, run);
        farm
    }

    /// Printers that print something else.
    pub(crate) fn busy(mut self, names: &[&str]) -> Self {
        self.presence
            .busy
            .extend(names.iter().map(|name| printer(name)));
        self
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.snapshot, &self.presence)
    }

    /// What starts, in the order in which it is dealt: `p1 A1` is copy 1 of A on p1.
    pub(crate) fn starts(&self) -> Vec<String> {
        let starts = self.plan().starts;
        let starts = starts.iter().map(|start| {
            let copy = start.open.copy;
            let name = &self.snapshot.jobs[&copy.job].name;
            format!("{} {name}{}", start.printer.name, copy.index + 1)
        });
        starts.collect()
    }

    /// The jobs of what starts, in that order: `A A B`.
    pub(crate) fn jobs(&self) -> String {
        let starts = self.plan().starts;
        let names = starts
            .iter()
            .map(|start| self.snapshot.jobs[&start.open.copy.job].name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    /// Why one printer takes nothing.
    pub(crate) fn idles(&self, name: &str) -> Reason {
        let row = self.plan().printers.remove(&printer(name));
        row.expect("a printer of the farm").expect_err("it idles")
    }

    /// Why one printer does not take a job.
    pub(crate) fn why(&self, job: &str, name: &str) -> Option<Reason> {
        let job = &self.snapshot.jobs[&job_id(job)];
        let mut rows = why(&self.snapshot, &self.presence, job).into_iter();
        let row = rows.find(|(id, _)| *id == printer(name));
        row.expect("a printer of the farm").1
    }
}

/// What starts under these rules is this, in this order.
#[track_caller]
pub(crate) fn check(farm: &Farm, rules: &[(&str, &str)], starts: &[&str]) {
    assert_eq!(farm.clone().set(rules).starts(), starts, "under {rules:?}");
}
