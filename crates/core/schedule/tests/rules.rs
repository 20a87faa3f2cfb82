//! The scheduling rules as sentences: what a printer takes, and why it or a job waits.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    Ballot, Bed, Certificate, Claim, ClaimRecord, ClaimState, CopyId, FileHash, FileSpec, HostId,
    Job, JobId, JobState, Member, PrinterId, PrinterRecord, QueueId, Rank, Request, RequestId,
    Role, RunRecord, RunResult, Set, SetId, SetSpec, Snapshot, Timestamp, Voters, Wanted,
};
use printmesh_schedule::{
    JobStatus, Presence, PrinterStatus, Reason, choose, choose_of, fails_everything,
    good_runs_of_set, job_status, no_copy_left, open_copies, printer_status, stop_wish, why,
};
use proptest::prelude::*;

const ME: HostId = HostId([1; 32]);
const OTHER: HostId = HostId([2; 32]);

fn member(name: &str, host: HostId, role: Role) -> Member {
    let certificate = Certificate {
        queue: QueueId([9; 32]),
        member: host,
        role,
        issued: Timestamp(1),
        invite: None,
        turn: 0,
        removed: false,
        signature: [0; 64],
    };
    Member {
        certificate,
        name: name.into(),
        left: false,
    }
}

fn ready() -> PrinterRecord {
    PrinterRecord {
        position: 0,
        machine: None,
        bed: Bed::Clear,
        autoprint: true,
        paused: None,
        online: true,
        fault: None,
        last_print_ended: None,
        equipment: printmesh_queue::Equipment::default(),
        set_aside: false,
        between: None,
        routine: Default::default(),
        removed: false,
    }
}

fn printer(host: HostId, name: &str) -> PrinterId {
    PrinterId {
        host,
        name: name.into(),
    }
}

fn job_id(n: u8) -> JobId {
    JobId([n; 16])
}

fn copy(job: u8, index: u32) -> CopyId {
    CopyId {
        job: job_id(job),
        index,
    }
}

fn hash(n: u8) -> FileHash {
    FileHash([n; 32])
}

/// Hosts `me` (with the printer `a`) and `other` (with `b`), both free; `me` decides.
#[derive(Clone, Debug)]
struct Farm {
    snapshot: Snapshot,
    presence: Presence,
    last: Option<Rank>,
}

impl Farm {
    fn new() -> Self {
        let mut presence = Presence::alone(ME);
        presence.reachable.insert(OTHER);
        let members = [("me", ME), ("other", OTHER)];
        let snapshot = Snapshot {
            queue: QueueId([9; 32]),
            name: "farm".into(),
            voters: Voters {
                cfg: 1,
                hosts: vec![ME],
            },
            members: members
                .into_iter()
                .map(|(name, host)| (host, member(name, host, Role::Operator)))
                .collect(),
            printers: BTreeMap::from([(printer(ME, "a"), ready()), (printer(OTHER, "b"), ready())]),
            jobs: BTreeMap::new(),
            claims: BTreeMap::new(),
            lost: BTreeMap::new(),
            configs: BTreeMap::new(),
            settings: printmesh_queue::Settings::default(),
            invites: BTreeMap::new(),
            requests: BTreeMap::new(),
            made: BTreeSet::new(),
        };
        Self {
            snapshot,
            presence,
            last: None,
        }
    }

    fn job(mut self, n: u8, copies: u32) -> Self {
        let rank = Rank::between(self.last.as_ref(), None);
        self.last = Some(rank.clone());
        let file = FileSpec {
            hash: hash(n),
            size: 1,
            name: format!("file {n}"),
            estimate_s: None,
            material: None,
            slicer: None,
            model: None,
            nozzle_um: None,
            needs: printmesh_queue::Needs::default(),
        };
        let set = Set {
            id: SetId([n; 16]),
            rank: Rank::between(None, None),
            per_run: 1,
            spec: SetSpec { files: vec![file] },
        };
        let job = Job {
            id: job_id(n),
            name: format!("job {n}"),
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
            terms: printmesh_queue::Terms::default(),
            sets: vec![set],
        };
        self.snapshot.jobs.insert(job.id, job);
        self
    }

    fn edit(mut self, n: u8, f: impl FnOnce(&mut Job)) -> Self {
        f(self
            .snapshot
            .jobs
            .get_mut(&job_id(n))
            .expect("a job of the farm"));
        self
    }

    fn machine(mut self, f: impl FnOnce(&mut PrinterRecord)) -> Self {
        f(self
            .snapshot
            .printers
            .get_mut(&printer(ME, "a"))
            .expect("it is there"));
        self
    }

    fn seen(mut self, f: impl FnOnce(&mut Presence)) -> Self {
        f(&mut self.presence);
        self
    }

    fn with(mut self, f: impl FnOnce(&mut Snapshot)) -> Self {
        f(&mut self.snapshot);
        self
    }

    fn claim(mut self, n: u8, index: u32, attempt: u32, id: &PrinterId, state: ClaimState) -> Self {
        let ballot = Ballot {
            n: 1,
            host: id.host,
            printer: id.name.clone(),
        };
        let record = ClaimRecord {
            printer: id.name.clone(),
            ballot,
            cfg: 1,
            spec_hash: [0; 32],
            state,
            speculative: false,
            credited_to: None,
            note: None,
            at: Timestamp(1),
        };
        let claim = Claim {
            host: id.host,
            attempt,
            record,
            runs: BTreeMap::new(),
        };
        let claims = self.snapshot.claims.entry(copy(n, index)).or_default();
        claims.insert((attempt, id.host), claim);
        self
    }

    /// What the own printer takes, as job and copy, or the code of why not.
    fn takes(&self) -> Result<(u8, u32), &'static str> {
        self.chosen(&printer(ME, "a"))
    }

    fn chosen(&self, id: &PrinterId) -> Result<(u8, u32), &'static str> {
        let chosen = choose(&self.snapshot, &self.presence, id);
        chosen
            .map(|open| (open.copy.job.0[0], open.copy.index))
            .map_err(|reason| reason.code())
    }

    fn status(&self, n: u8) -> JobStatus {
        job_status(&self.snapshot, &self.snapshot.jobs[&job_id(n)])
    }

    /// Codes of why the own printer and the other one do not take the job.
    fn whys(&self, n: u8) -> [&'static str; 2] {
        let rows = why(
            &self.snapshot,
            &self.presence,
            &self.snapshot.jobs[&job_id(n)],
        );
        let code = |row: usize| rows[row].1.as_ref().map_or("takes it", Reason::code);
        [code(0), code(1)]
    }
}

#[track_caller]
fn check(farm: Farm, expected: Result<(u8, u32), &'static str>) {
    assert_eq!(farm.takes(), expected, "{farm:#?}");
}

#[test]
fn a_free_printer_takes_the_first_copy_of_the_first_job() {
    check(Farm::new().job(1, 2).job(2, 1), Ok((1, 0)));
    // Ids say nothing about the order.
    check(Farm::new().job(2, 1).job(1, 1), Ok((2, 0)));
}

#[test]
fn a_printer_says_why_it_takes_nothing() {
    let farm = || Farm::new().job(1, 1);
    let one = || printer(ME, "a");
    check(Farm::new(), Err("queue-empty"));
    check(farm().with(|s| s.voters.hosts.clear()), Err("not-synced"));
    check(farm().with(|s| s.printers.clear()), Err("no-printer"));
    check(farm().machine(|p| p.removed = true), Err("no-printer"));
    check(farm().machine(|p| p.online = false), Err("printer-offline"));
    check(
        farm().machine(|p| p.paused = Some(String::new())),
        Err("printer-paused"),
    );
    check(
        farm().machine(|p| p.fault = Some("hot".into())),
        Err("printer-fault"),
    );
    check(
        farm().machine(|p| p.autoprint = false),
        Err("autoprint-off"),
    );
    check(
        farm().machine(|p| p.bed = Bed::Occupied),
        Err("bed-not-clear"),
    );
    check(farm().machine(|p| p.bed = Bed::Unknown), Err("bed-unknown"));
    check(
        farm().seen(|p| _ = p.busy.insert(printer(ME, "a"))),
        Err("printer-busy"),
    );
    check(
        farm().seen(|p| _ = p.refused.insert((copy(1, 0), 0))),
        Err("contended"),
    );
    check(
        farm().seen(|p| _ = p.missing.insert(hash(1))),
        Err("nothing-fits"),
    );
    check(
        farm().with(|s| s.voters.hosts = vec![HostId([7; 32])]),
        Err("voters-away"),
    );
    check(farm().edit(1, |job| job.held = true), Err("nothing-fits"));
    check(
        farm().claim(1, 0, 0, &one(), ClaimState::Finished),
        Err("no-copy-left"),
    );
    check(
        farm().with(|s| _ = s.members.insert(ME, member("me", ME, Role::Submitter))),
        Err("role"),
    );
    let away = farm().seen(|p| _ = p.reachable.remove(&OTHER));
    assert_eq!(away.chosen(&printer(OTHER, "b")), Err("host-offline"));
}

#[test]
fn a_job_says_why_it_waits_for_each_printer() {
    let farm = || Farm::new().job(1, 1);
    let b = printer(OTHER, "b");
    assert_eq!(farm().whys(1), ["takes it", "takes it"], "either would");
    assert_eq!(
        farm().edit(1, |job| job.draft = true).whys(1),
        ["draft", "draft"]
    );
    assert_eq!(
        farm().edit(1, |job| job.held = true).whys(1),
        ["held", "held"]
    );
    let gone = JobState::Cancelled {
        by: ME,
        at: Timestamp(1),
    };
    assert_eq!(
        farm().edit(1, |job| job.state = gone).whys(1),
        ["not-queued", "not-queued"]
    );
    assert_eq!(
        farm()
            .edit(1, |job| job.printers = vec!["b".into()])
            .whys(1),
        ["pinned-elsewhere", "takes it"]
    );
    assert_eq!(
        farm()
            .edit(1, |job| job.printers = vec!["me/a".into()])
            .whys(1),
        ["takes it", "pinned-elsewhere"]
    );
    assert_eq!(
        farm()
            .edit(1, |job| job.printers = vec!["other/a".into()])
            .whys(1),
        ["pinned-elsewhere"; 2]
    );
    assert_eq!(
        farm().seen(|p| _ = p.missing.insert(hash(1))).whys(1),
        ["file-missing", "takes it"]
    );
    assert_eq!(
        farm()
            .with(|s| s.settings.retries = 0)
            .claim(1, 0, 0, &b, ClaimState::Failed)
            .whys(1),
        ["retries-exhausted"; 2]
    );
    assert_eq!(
        farm().claim(1, 0, 0, &b, ClaimState::Unknown).whys(1),
        ["copy-unknown"; 2]
    );
    assert_eq!(
        farm().claim(1, 0, 0, &b, ClaimState::Printing).whys(1),
        ["no-copy-left"; 2]
    );
    assert_eq!(
        farm()
            .job(2, 1)
            .claim(1, 0, 0, &b, ClaimState::Printing)
            .whys(2),
        ["takes it", "printer-busy"]
    );
    let third = Farm::new().job(1, 2).job(2, 1);
    assert_eq!(third.whys(2), ["queue-order"; 2]);
    let rows = why(
        &third.snapshot,
        &third.presence,
        &third.snapshot.jobs[&job_id(2)],
    );
    assert_eq!(rows[0].1, Some(Reason::QueueOrder { ahead: 2 }));
    assert_eq!(
        farm()
            .with(|s| s.voters.hosts = vec![HostId([7; 32])])
            .whys(1),
        ["voters-away"; 2]
    );
}

#[test]
fn a_claim_is_taken_over_only_when_its_holder_is_silent() {
    let b = printer(OTHER, "b");
    let farm = || {
        Farm::new()
            .job(1, 1)
            .claim(1, 0, 0, &b, ClaimState::Fetching)
    };
    check(farm(), Err("no-copy-left"));
    check(
        farm().seen(|p| _ = p.lapsed.insert((copy(1, 0), 0))),
        Ok((1, 0)),
    );
    // What is begun is never taken over, however silent its host is.
    let begun = Farm::new()
        .job(1, 1)
        .claim(1, 0, 0, &b, ClaimState::Printing);
    check(
        begun.seen(|p| _ = p.lapsed.insert((copy(1, 0), 0))),
        Err("no-copy-left"),
    );
}

#[test]
fn what_was_given_back_is_offered_again() {
    let b = printer(OTHER, "b");
    let dropped = Farm::new()
        .job(1, 1)
        .claim(1, 0, 0, &b, ClaimState::Dropped);
    let open = |farm: &Farm| {
        open_copies(&farm.snapshot, &farm.presence)
            .into_iter()
            .map(|(_, open)| open.attempt)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        open(&dropped),
        [0],
        "the same attempt, with a higher ballot"
    );
    let released = Farm::new()
        .job(1, 1)
        .claim(1, 0, 0, &b, ClaimState::Released);
    assert_eq!(open(&released), [1], "the next attempt");
    let failed = Farm::new().job(1, 1).claim(1, 0, 0, &b, ClaimState::Failed);
    assert_eq!(open(&failed), [1], "the next attempt");
    assert_eq!(open(&failed.edit(1, |job| job.retries = Some(0))), [0; 0]);
}

/// A print of copy 0 of the job that ended so, under a claim of its own.
fn run_of(farm: Farm, job: u8, attempt: u32, by: &PrinterId, result: RunResult) -> Farm {
    let state = match result {
        RunResult::Ok => ClaimState::Finished,
        _ => ClaimState::Failed,
    };
    farm.claim(job, 0, attempt, by, state).with(|snapshot| {
        let claims = snapshot.claims.get_mut(&copy(job, 0)).expect("just made");
        let claim = claims.get_mut(&(attempt, by.host)).expect("just made");
        let run = RunRecord {
            set: SetId([job; 16]),
            repetition: 0,
            result,
            started: Timestamp(1),
            ended: None,
            note: None,
        };
        claim.runs.insert(0, run);
    })
}

#[test]
fn a_copy_that_failed_on_a_printer_goes_to_another_one_that_is_free_first() {
    let (a, b) = (printer(ME, "a"), printer(OTHER, "b"));
    let failed = run_of(Farm::new().job(1, 1), 1, 0, &a, RunResult::Failed);
    assert_eq!(failed.whys(1), ["failed-here", "takes it"]);
    // It takes what comes after it meanwhile.
    assert_eq!(failed.clone().job(2, 1).takes(), Ok((2, 0)));
    let busy = failed
        .clone()
        .job(2, 1)
        .claim(2, 0, 0, &b, ClaimState::Printing);
    assert_eq!(busy.takes(), Ok((1, 0)), "the other one is at work");
    let twice = run_of(busy, 1, 1, &a, RunResult::Failed);
    assert_eq!(twice.takes(), Err("failed-here"), "that is enough");
    let alone = twice.seen(|p| _ = p.reachable.remove(&OTHER));
    assert_eq!(alone.takes(), Ok((1, 0)), "there is no other one");
    let b_away = failed.clone().seen(|p| _ = p.reachable.remove(&OTHER));
    assert_eq!(b_away.takes(), Ok((1, 0)), "no other one is free");
    let b_may_not = failed
        .clone()
        .edit(1, |job| job.printers = vec!["a".into()]);
    assert_eq!(b_may_not.takes(), Ok((1, 0)), "no other one fits");
    let both = run_of(failed, 1, 1, &b, RunResult::Failed).with(|s| {
        // The file came out well elsewhere: it is not to blame.
        s.jobs.get_mut(&job_id(1)).expect("made above").copies = 2;
        let good = s.claims[&copy(1, 0)].clone();
        s.claims.insert(copy(1, 1), good);
        let claims = s.claims.get_mut(&copy(1, 1)).expect("just made");
        for claim in claims.values_mut() {
            claim.record.state = ClaimState::Finished;
            claim
                .runs
                .values_mut()
                .for_each(|run| run.result = RunResult::Ok);
        }
    });
    assert_eq!(both.takes(), Ok((1, 0)), "it failed on both");
}

#[test]
fn a_file_that_failed_on_two_printers_and_never_came_out_well_waits_for_a_person() {
    let (a, b) = (printer(ME, "a"), printer(OTHER, "b"));
    let once = run_of(Farm::new().job(1, 1), 1, 0, &a, RunResult::Failed);
    assert_eq!(once.whys(1)[1], "takes it");
    let twice_on_one = run_of(once.clone(), 1, 1, &a, RunResult::Failed);
    assert_eq!(twice_on_one.whys(1)[1], "takes it");
    let on_both = run_of(once.clone(), 1, 1, &b, RunResult::Failed);
    assert_eq!(on_both.whys(1), ["file-fails"; 2]);
    assert_eq!(on_both.status(1), JobStatus::Queued, "it is not given up");
    // Another job with the same file waits as well, others do not.
    let same = |farm: Farm| {
        farm.job(2, 1)
            .edit(2, |job| job.sets[0].spec.files[0].hash = hash(1))
            .job(3, 1)
    };
    let others = same(on_both.clone());
    assert_eq!(others.whys(2), ["file-fails"; 2]);
    assert_eq!(others.takes(), Ok((3, 0)));
    let stopped = run_of(once.clone(), 1, 1, &b, RunResult::Aborted);
    assert_eq!(stopped.whys(1), ["copy-failed"; 2], "a person did that");
    let nobody_saw = run_of(once, 1, 1, &b, RunResult::Unknown);
    assert_eq!(nobody_saw.whys(1)[1], "takes it", "its host did that");
    // It came out well once, in whatever job.
    let well = run_of(same(on_both.clone()), 2, 0, &b, RunResult::Ok);
    assert_eq!(well.whys(1)[0], "takes it");
    // A printer that fails at everything says nothing about files.
    let aside = on_both.clone().with(|s| {
        let record = s.printers.get_mut(&b).expect("there");
        record.set_aside = true;
        record.paused = Some("3 prints in a row failed on it".into());
    });
    assert_eq!(aside.whys(1), ["takes it", "printer-paused"]);
    // A person wants it tried once more.
    let again = on_both.edit(1, |job| _ = job.again.insert(0, 1));
    assert_eq!(again.whys(1), ["takes it"; 2]);
}

#[test]
fn a_printer_is_to_blame_for_three_failures_in_a_row_of_two_files_that_do_not_fail_everywhere() {
    let none = BTreeSet::new();
    let row = |files: &[u8]| files.iter().map(|n| hash(*n)).collect::<Vec<_>>();
    assert!(!fails_everything(&row(&[1, 2]), &none));
    assert!(!fails_everything(&row(&[1, 1, 1, 1]), &none), "one file");
    assert!(fails_everything(&row(&[1, 1, 2]), &none));
    let failing = BTreeSet::from([hash(1)]);
    assert!(!fails_everything(&row(&[1, 2, 3]), &failing));
    assert!(fails_everything(&row(&[1, 2, 3, 2]), &failing));
}

#[test]
fn a_copy_that_failed_as_often_as_it_may_rests_with_the_last_reason_until_a_person_wants_it() {
    let b = printer(OTHER, "b");
    let mut farm = Farm::new().job(1, 2).with(|s| s.settings.retries = 2);
    for attempt in 0..3 {
        assert_eq!(farm.status(1), JobStatus::Queued);
        farm = farm.claim(1, 0, attempt, &b, ClaimState::Failed);
    }
    assert_eq!(farm.takes(), Ok((1, 1)), "the other copy goes on");
    farm = farm.claim(1, 1, 0, &b, ClaimState::Finished).with(|s| {
        let claims = s.claims.get_mut(&copy(1, 0)).expect("made above");
        let last = claims.values_mut().last().expect("made above");
        last.record.note = Some("the belt slipped".into());
    });
    assert_eq!(farm.status(1), JobStatus::Failed);
    let reason = no_copy_left(&farm.snapshot, &farm.snapshot.jobs[&job_id(1)]);
    assert_eq!(reason.code(), "retries-exhausted");
    assert_eq!(
        reason.text(),
        "a copy failed 3 times and is not tried again by itself: the belt slipped"
    );
    // The job may be tried more often than others; a copy that was given up goes on by that.
    assert_eq!(
        farm.clone().edit(1, |job| job.retries = Some(3)).status(1),
        JobStatus::Queued
    );
    let again = farm.edit(1, |job| _ = job.again.insert(0, 2));
    assert_eq!(again.takes(), Ok((1, 0)));
    let and_again = again.claim(1, 0, 3, &b, ClaimState::Failed);
    assert_eq!(
        and_again.status(1),
        JobStatus::Failed,
        "once more, not for ever"
    );
}

#[test]
fn printers_that_a_job_names_do_not_hold_back_the_others() {
    // `a` comes first and takes job 1; `b` takes the first job that it may, not the second.
    let farm = Farm::new()
        .job(1, 1)
        .edit(1, |job| job.printers = vec!["a".into()])
        .job(2, 1)
        .job(3, 1);
    assert_eq!(farm.takes(), Ok((1, 0)));
    assert_eq!(farm.chosen(&printer(OTHER, "b")), Ok((2, 0)));
}

#[test]
fn a_printer_that_is_left_over_asks_for_the_first_copy_since_the_one_in_front_may_be_unable() {
    let farm = Farm::new().job(1, 1);
    assert_eq!(farm.takes(), Ok((1, 0)));
    assert_eq!(farm.chosen(&printer(OTHER, "b")), Ok((1, 0)));
    // What the voters refused a moment ago is left alone.
    let refused = Farm::new()
        .job(1, 1)
        .job(2, 1)
        .seen(|p| _ = p.refused.insert((copy(1, 0), 0)));
    assert_eq!(refused.takes(), Ok((2, 0)));
}

#[test]
fn a_job_stands_as_its_copies_do() {
    let b = printer(OTHER, "b");
    let farm = |state| {
        Farm::new()
            .job(1, 2)
            .edit(1, |job| job.retries = Some(0))
            .claim(1, 0, 0, &b, state)
    };
    for (state, expected) in [
        (ClaimState::Claimed, JobStatus::Claimed),
        (ClaimState::Fetching, JobStatus::Fetching),
        (ClaimState::Staged, JobStatus::Claimed),
        (ClaimState::Dropped, JobStatus::Queued),
        (ClaimState::Started, JobStatus::Printing),
        (ClaimState::Printing, JobStatus::Printing),
        (ClaimState::Unknown, JobStatus::Unknown),
        (ClaimState::Finished, JobStatus::Queued),
        (ClaimState::Failed, JobStatus::Queued),
        (ClaimState::Released, JobStatus::Queued),
    ] {
        assert_eq!(farm(state).status(1), expected, "{state:?}");
        let done = farm(state).claim(1, 1, 0, &b, ClaimState::Finished);
        let rest = match state {
            ClaimState::Finished => JobStatus::Done,
            ClaimState::Failed => JobStatus::Failed,
            _ => expected,
        };
        assert_eq!(done.status(1), rest, "{state:?} and a done one");
    }
    assert_eq!(
        Farm::new()
            .job(1, 1)
            .edit(1, |job| job.draft = true)
            .status(1),
        JobStatus::Draft
    );
    assert_eq!(
        Farm::new()
            .job(1, 1)
            .edit(1, |job| job.held = true)
            .status(1),
        JobStatus::Held
    );
    let printing = farm(ClaimState::Printing).edit(1, |job| job.held = true);
    assert_eq!(
        printing.status(1),
        JobStatus::Printing,
        "what is being made goes on"
    );
    let moved = JobState::Moved {
        by: ME,
        at: Timestamp(1),
        to: job_id(5),
    };
    assert_eq!(
        farm(ClaimState::Finished)
            .edit(1, |job| job.state = moved)
            .status(1),
        JobStatus::Moved
    );
}

#[test]
fn a_printer_stands_as_its_claim_and_machine_do() {
    let b = printer(OTHER, "b");
    let status = |farm: &Farm, id: &PrinterId| {
        format!("{:?}", printer_status(&farm.snapshot, &farm.presence, id))
            .split('(')
            .next()
            .map(str::to_owned)
    };
    let a = printer(ME, "a");
    assert_eq!(status(&Farm::new().job(1, 1), &a).as_deref(), Some("Free"));
    assert_eq!(status(&Farm::new(), &a).as_deref(), Some("Waiting"));
    let looks = Farm::new().machine(|p| p.bed = Bed::Unknown);
    assert!(matches!(
        printer_status(&looks.snapshot, &looks.presence, &a),
        PrinterStatus::NeedsPerson(Reason::BedUnknown)
    ));
    let works = Farm::new()
        .job(1, 1)
        .claim(1, 0, 0, &b, ClaimState::Printing);
    assert_eq!(status(&works, &b).as_deref(), Some("Working"));
    assert_eq!(
        status(&works.seen(|p| _ = p.reachable.remove(&OTHER)), &b).as_deref(),
        Some("HostAway")
    );
}

#[test]
fn good_prints_of_a_set_are_counted_over_all_copies_and_attempts() {
    let b = printer(OTHER, "b");
    let mut farm = Farm::new()
        .job(1, 2)
        .claim(1, 0, 0, &b, ClaimState::Finished)
        .claim(1, 1, 0, &b, ClaimState::Failed);
    let run = |result| RunRecord {
        set: SetId([1; 16]),
        repetition: 0,
        result,
        started: Timestamp(1),
        ended: None,
        note: None,
    };
    for (index, result) in [(0, RunResult::Ok), (1, RunResult::Failed)] {
        let claims = farm
            .snapshot
            .claims
            .get_mut(&copy(1, index))
            .expect("made above");
        claims
            .values_mut()
            .next()
            .expect("made above")
            .runs
            .insert(0, run(result));
    }
    assert_eq!(
        good_runs_of_set(
            &farm.snapshot,
            &farm.snapshot.jobs[&job_id(1)],
            SetId([1; 16])
        ),
        1
    );
}

fn any_state() -> impl Strategy<Value = ClaimState> {
    use ClaimState::{Claimed, Dropped, Failed, Fetching, Finished, Printing, Released, Unknown};
    prop::sample::select(vec![
        Claimed, Fetching, Dropped, Printing, Unknown, Finished, Failed, Released,
    ])
}

prop_compose! {
    fn any_farm()(
        jobs in prop::collection::vec((1..4u32, any::<[bool; 3]>(), 0..5usize), 0..6),
        machines in prop::collection::vec((any::<bool>(), 0..4u8, 0..3u8), 0..6),
        claims in prop::collection::vec((1..6u8, 0..4u32, 0..2u32, any::<bool>(), any_state()), 0..8),
        lapsed in prop::collection::btree_set((1..6u8, 0..4u32, 0..2u32), 0..4),
        refused in prop::collection::btree_set((1..6u8, 0..4u32, 0..2u32), 0..4),
        missing in prop::collection::btree_set(1..6u8, 0..2),
        other_here in any::<bool>(),
    ) -> Farm {
        let mut farm = Farm::new();
        for (n, (copies, [held, draft, together], pin)) in jobs.into_iter().enumerate() {
            farm = farm.job(n as u8 + 1, copies).edit(n as u8 + 1, |job| {
                (job.held, job.draft, job.together) = (held && draft, draft && together, together);
                job.printers = ["a", "b", "me/p0"].into_iter().skip(pin).take(1).map(str::to_owned).collect();
            });
        }
        for (n, (mine, position, bed)) in machines.into_iter().enumerate() {
            let bed = [Bed::Clear, Bed::Clear, Bed::Unknown][usize::from(bed)];
            let id = printer(if mine { ME } else { OTHER }, &format!("p{n}"));
            farm.snapshot.printers.insert(id, PrinterRecord { position: position.into(), bed, ..ready() });
        }
        for (n, index, attempt, mine, state) in claims {
            let id = if mine { printer(ME, "a") } else { printer(OTHER, "b") };
            farm = farm.claim(n, index, attempt, &id, state);
        }
        let unit = |(n, index, attempt): (u8, u32, u32)| (copy(n, index), attempt);
        farm.presence.lapsed = lapsed.into_iter().map(unit).collect();
        farm.presence.refused = refused.into_iter().map(unit).collect();
        farm.presence.missing = missing.into_iter().map(hash).collect();
        if !other_here {
            farm.presence.reachable.remove(&OTHER);
        }
        farm
    }
}

proptest! {
    #[test]
    fn what_is_chosen_may_be_printed_and_is_the_same_each_time(farm in any_farm()) {
        let open: Vec<_> = open_copies(&farm.snapshot, &farm.presence).into_iter().map(|(_, open)| open).collect();
        for id in farm.snapshot.printers.keys() {
            let chosen = choose(&farm.snapshot, &farm.presence, id);
            prop_assert_eq!(&chosen, &choose(&farm.snapshot, &farm.presence, id));
            let Ok(chosen) = chosen else { continue };
            prop_assert!(open.contains(&chosen));
            let job = &farm.snapshot.jobs[&chosen.copy.job];
            prop_assert!(job.state == JobState::Open && !job.held && !job.draft);
            prop_assert!(chosen.copy.index < job.units());
            let full = format!("{}/{}", farm.snapshot.host_name(id.host), id.name);
            prop_assert!(job.printers.is_empty() || job.printers.iter().any(|pin| *pin == id.name || *pin == full));
            let record = &farm.snapshot.printers[id];
            prop_assert!(record.online && record.autoprint && record.bed == Bed::Clear && record.paused.is_none());
            prop_assert!(farm.presence.reachable.contains(&id.host));
            if id.host == ME {
                prop_assert!(!farm.presence.missing.contains(&hash(job.id.0[0])));
                prop_assert!(!farm.presence.refused.contains(&(chosen.copy, chosen.attempt)));
            }
            let begun = farm.snapshot.claims_of(chosen.copy).any(|claim| claim.record.state.is_begun());
            prop_assert!(!begun, "a begun copy");
        }
    }

    #[test]
    fn free_printers_that_see_the_same_choose_different_copies_while_there_are_enough(
        copies in 1..12u32, printers in 1..8u8,
    ) {
        let mut farm = Farm::new().job(1, copies).job(2, 3);
        for n in 0..printers {
            farm.snapshot.printers.insert(printer(if n % 2 == 0 { ME } else { OTHER }, &format!("p{n}")), ready());
        }
        let chosen: BTreeSet<_> = farm.snapshot.printers.keys().filter_map(|id| farm.chosen(id).ok()).collect();
        prop_assert_eq!(chosen.len(), (copies as usize + 3).min(farm.snapshot.printers.len()));
    }
}

fn asked(farm: Farm, by: HostId, n: u8, wanted: Wanted) -> Farm {
    let id = format!("{n}");
    let request = Request {
        job: job_id(n),
        wanted,
        at: Timestamp(5),
    };
    farm.with(|snapshot| {
        snapshot
            .requests
            .insert(RequestId { host: by, id }, request);
    })
}

#[test]
fn a_job_that_somebody_wants_out_is_offered_to_nobody_and_says_who_asked() {
    for (wanted, status, code) in [
        (Wanted::Stop, JobStatus::CancelRequested, "cancel-requested"),
        (
            Wanted::Cancel,
            JobStatus::CancelRequested,
            "cancel-requested",
        ),
        (Wanted::Move, JobStatus::MoveRequested, "move-requested"),
    ] {
        let farm = asked(Farm::new().job(1, 2).job(2, 1), OTHER, 1, wanted);
        let Farm {
            snapshot, presence, ..
        } = &farm;
        let offered: Vec<CopyId> = open_copies(snapshot, presence)
            .into_iter()
            .map(|(_, open)| open.copy)
            .collect();
        assert_eq!(offered, [copy(2, 0)]);
        let job = &snapshot.jobs[&job_id(1)];
        assert_eq!(job_status(snapshot, job), status);
        for (_, reason) in why(snapshot, presence, job) {
            let reason = reason.expect("it waits");
            assert_eq!(reason.code(), code);
            assert!(
                reason.text().starts_with("other asked"),
                "{}",
                reason.text()
            );
        }
    }
}

#[test]
fn a_wish_of_somebody_who_may_not_change_the_job_counts_for_nothing() {
    for (role, left, counts) in [
        (Role::Operator, false, true),
        (Role::Printer, false, false),
        (Role::Submitter, false, false),
        (Role::Operator, true, false),
    ] {
        let farm = asked(Farm::new().job(1, 1), OTHER, 1, Wanted::Stop).with(|snapshot| {
            let mut asker = member("other", OTHER, role);
            asker.left = left;
            snapshot.members.insert(OTHER, asker);
        });
        let own = farm.clone().edit(1, |job| job.submitter = OTHER);
        assert_eq!(stop_wish(&farm.snapshot, job_id(1)).is_some(), counts);
        assert_eq!(
            stop_wish(&own.snapshot, job_id(1)).is_some(),
            !left,
            "its own job"
        );
        let over = own.edit(1, |job| {
            job.state = JobState::Cancelled {
                by: ME,
                at: Timestamp(2),
            };
        });
        assert!(stop_wish(&over.snapshot, job_id(1)).is_none());
    }
}

#[test]
fn a_job_that_is_asked_for_goes_first_but_what_keeps_the_printer_from_it_still_does() {
    let farm = Farm::new().job(1, 3).job(2, 1);
    let choice = |farm: &Farm| {
        let Farm {
            snapshot, presence, ..
        } = farm;
        choose_of(
            snapshot,
            presence,
            &printer(ME, "a"),
            &snapshot.jobs[&job_id(2)],
        )
    };
    assert_eq!(choice(&farm).map(|open| open.copy), Ok(copy(2, 0)));
    let code = |farm: Farm| choice(&farm).map_err(|reason| reason.code());
    let occupied = farm.clone().machine(|machine| machine.bed = Bed::Occupied);
    assert_eq!(code(occupied), Err("bed-not-clear"));
    let held = farm.clone().edit(2, |job| job.held = true);
    assert_eq!(code(held), Err("held"));
    let pinned = farm.clone().edit(2, |job| job.printers = vec!["b".into()]);
    assert_eq!(code(pinned), Err("pinned-elsewhere"));
    let alone = farm
        .clone()
        .with(|snapshot| snapshot.voters.hosts = vec![HostId([7; 32])]);
    assert_eq!(code(alone), Err("voters-away"));
    assert_eq!(
        code(asked(farm, OTHER, 2, Wanted::Cancel)),
        Err("cancel-requested")
    );
}
