//! Who looks, and in which order things happen to be kept, changes nothing: two hosts with one snapshot plan alike, and so does one
//! host under other ids.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_queue::{
    Claim, CopyId, FileHash, HostId, Job, JobId, PrinterId, RequestId, SetId, Snapshot,
};
use printmesh_schedule::{Presence, Reason, Start, Turn, plan, why};

use crate::{
    any::{HOSTS, any, any_shared},
    farm::{Farm, ME, job_id, printer},
    oracle::Dice,
};

/// The same farm as another host sees it that can reach the same hosts: of its own printers it knows what its records say.
fn seen_by(farm: &Farm, host: HostId) -> Farm {
    let mut farm = farm.clone();
    let claims = farm.snapshot.claims.values().flat_map(BTreeMap::values);
    let own = claims.filter(|claim| claim.host == host && claim.record.state.is_active());
    let busy = own.map(|claim| PrinterId {
        host,
        name: claim.record.printer.clone(),
    });
    farm.presence.busy = busy.collect();
    farm.presence.me = host;
    farm
}

/// The whole plan, not only the starts: also who comes after whom, and why the others wait.
#[test]
fn r_e3_hosts_that_have_one_snapshot_and_reach_one_another_make_one_plan() {
    let (mut shared, mut starts) = (0, 0);
    for seed in 0..6000 {
        let farm = any_shared(&mut Dice::new(40_000_000 + seed));
        let own = farm.plan();
        let others = farm.presence.reachable.iter().filter(|host| **host != ME);
        for host in others {
            let theirs = seen_by(&farm, *host).plan();
            assert_eq!(theirs, own, "farm {seed}, as {host:?}: {farm:#?}");
            shared += 1;
            starts += own.starts.len();
        }
    }
    assert!(shared > 5000 && starts > 3000, "{shared} {starts}");
}

/// Two hosts with a printer each, and the jobs A and B.
fn two_hosts() -> Farm {
    let mut farm = Farm::new(1).job("A", 1).job("B", 1);
    let mut member = farm.snapshot.members[&ME].clone();
    member.name = "two".into();
    member.certificate.member = HOSTS[1];
    farm.snapshot.members.insert(HOSTS[1], member);
    let record = farm.snapshot.printers[&printer("p1")].clone();
    farm.snapshot.printers.insert(other(), record);
    farm.presence.reachable.insert(HOSTS[1]);
    farm
}

fn other() -> PrinterId {
    PrinterId {
        host: HOSTS[1],
        name: "p2".into(),
    }
}

/// What each host starts: the plan is for all, and each carries out its own rows.
fn both(own: &Farm, theirs: &Farm) -> [Vec<String>; 2] {
    [own, theirs].map(|farm| {
        let starts = farm.plan().starts.into_iter();
        let mine = starts.filter(|start| start.printer.host == farm.presence.me);
        let words = mine.map(|start| {
            let job = &farm.snapshot.jobs[&start.open.copy.job].name;
            format!("{} {job}", start.printer.name)
        });
        words.collect()
    })
}

/// What may differ is what a host alone knows: files that it misses, models that it could not slice, what its printers do this
/// moment, what the voters told it. Then two hosts may want one copy, of which the voters give it to one; once that is in the
/// snapshot, the other one takes the next.
#[test]
fn what_one_host_alone_knows_makes_two_want_one_copy_until_the_claim_is_seen() {
    let farm = two_hosts();
    let [own, theirs] = both(&farm, &seen_by(&farm, HOSTS[1]));
    assert_eq!((own, theirs), (vec!["p1 A".into()], vec!["p2 B".into()]));

    let mut alone = farm.clone();
    alone
        .presence
        .missing
        .insert(FileHash([job_id("A").0[0]; 32]));
    let [own, theirs] = both(&alone, &seen_by(&farm, HOSTS[1]));
    assert_eq!((own, theirs), (vec!["p1 B".into()], vec!["p2 B".into()]));
    let claimed = farm.claim("B", 1, "p1", printmesh_queue::ClaimState::Claimed);
    let [_, theirs] = both(&claimed, &seen_by(&claimed, HOSTS[1]));
    assert_eq!(theirs, ["p2 A"]);
}

#[test]
fn hosts_that_are_cut_apart_each_plan_for_their_own_printers_and_the_voters_decide() {
    let mut farm = two_hosts();
    farm.presence.reachable = [ME].into();
    let mut theirs = seen_by(&farm, HOSTS[1]);
    theirs.presence.reachable = [HOSTS[1]].into();
    // The voter is on the own side.
    let [own, others] = both(&farm, &theirs);
    assert_eq!((own, others.len()), (vec!["p1 A".to_owned()], 0));
    let row = theirs.plan().printers.remove(&other()).expect("its row");
    assert_eq!(row.map_err(|reason| reason.code()), Err("voters-away"));
}

/// Other ids for everything that has one, in another order; ranks, positions and the names of hosts and files stay.
struct Names {
    hosts: BTreeMap<HostId, HostId>,
    printers: BTreeMap<String, String>,
}

impl Names {
    fn any(dice: &mut Dice) -> Self {
        let mut other = [7, 5, 3];
        other.rotate_left(dice.below(3) as usize);
        let hosts = HOSTS.into_iter().zip(other.map(|n| HostId([n; 32])));
        let printers = (1..=6).map(|n| (format!("p{n}"), format!("x{}", 9 - n)));
        Self {
            hosts: hosts.collect(),
            printers: printers.collect(),
        }
    }

    fn host(&self, host: HostId) -> HostId {
        self.hosts[&host]
    }

    fn name(&self, name: &str) -> String {
        self.printers
            .get(name)
            .map_or_else(|| name.to_owned(), Clone::clone)
    }

    fn printer(&self, id: &PrinterId) -> PrinterId {
        PrinterId {
            host: self.host(id.host),
            name: self.name(&id.name),
        }
    }

    fn pin(&self, pin: &str) -> String {
        match pin.split_once('/') {
            Some((host, name)) => format!("{host}/{}", self.name(name)),
            None => self.name(pin),
        }
    }

    fn job(id: JobId) -> JobId {
        JobId(id.0.map(|byte| !byte))
    }

    fn copy(copy: CopyId) -> CopyId {
        CopyId {
            job: Self::job(copy.job),
            ..copy
        }
    }

    fn set(id: SetId) -> SetId {
        SetId(id.0.map(|byte| !byte))
    }

    fn file(hash: FileHash) -> FileHash {
        FileHash(hash.0.map(|byte| !byte))
    }

    fn of_job(&self, job: &Job) -> Job {
        let mut job = job.clone();
        job.id = Self::job(job.id);
        job.submitter = self.host(job.submitter);
        job.printers = job.printers.iter().map(|pin| self.pin(pin)).collect();
        for set in &mut job.sets {
            set.id = Self::set(set.id);
            for file in &mut set.spec.files {
                file.hash = Self::file(file.hash);
            }
        }
        job
    }

    fn of_claim(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        claim.host = self.host(claim.host);
        claim.record.printer = self.name(&claim.record.printer);
        claim.record.ballot.host = claim.host;
        claim
            .record
            .ballot
            .printer
            .clone_from(&claim.record.printer);
        for run in claim.runs.values_mut() {
            run.set = Self::set(run.set);
        }
        claim
    }

    fn of_snapshot(&self, old: &Snapshot) -> Snapshot {
        let mut new = old.clone();
        let hosts = |hosts: &Vec<HostId>| hosts.iter().rev().map(|host| self.host(*host)).collect();
        new.voters.hosts = hosts(&old.voters.hosts);
        new.configs = old
            .configs
            .iter()
            .map(|(cfg, of)| (*cfg, hosts(of)))
            .collect();
        let members = old.members.iter().map(|(host, member)| {
            let mut member = member.clone();
            member.certificate.member = self.host(*host);
            (self.host(*host), member)
        });
        new.members = members.collect();
        let printers = old.printers.iter().map(|(id, record)| {
            let mut record = record.clone();
            record.equipment.slots.reverse();
            record.equipment.tags.reverse();
            let from = &mut record.equipment.accept_from;
            *from = hosts(from);
            (self.printer(id), record)
        });
        new.printers = printers.collect();
        new.jobs = old
            .jobs
            .values()
            .map(|job| (Self::job(job.id), self.of_job(job)))
            .collect();
        let claims = old.claims.iter().map(|(copy, claims)| {
            let claims = claims.iter().map(|((attempt, host), claim)| {
                ((*attempt, self.host(*host)), self.of_claim(claim))
            });
            (Self::copy(*copy), claims.collect())
        });
        new.claims = claims.collect();
        let lost = old.lost.iter().map(|((copy, attempt), words)| {
            let words = words
                .iter()
                .map(|(host, word)| (self.host(*host), word.clone()));
            ((Self::copy(*copy), *attempt), words.collect())
        });
        new.lost = lost.collect();
        let requests = old.requests.iter().map(|(id, request)| {
            let mut request = request.clone();
            request.job = Self::job(request.job);
            let id = RequestId {
                host: self.host(id.host),
                id: id
                    .id
                    .bytes()
                    .map(|byte| char::from(b'z' - byte % 10))
                    .collect(),
            };
            (id, request)
        });
        new.requests = requests.collect();
        new
    }

    fn of_presence(&self, old: &Presence) -> Presence {
        let units = |of: &BTreeSet<(CopyId, u32)>| {
            of.iter()
                .map(|(copy, attempt)| (Self::copy(*copy), *attempt))
                .collect()
        };
        let hosts = |of: &BTreeSet<HostId>| of.iter().map(|host| self.host(*host)).collect();
        let unsliced = old
            .unsliced
            .iter()
            .map(|((hash, id), why)| ((Self::file(*hash), self.printer(id)), why.clone()));
        let set_aside = old
            .set_aside
            .iter()
            .map(|((copy, attempt), name)| ((Self::copy(*copy), *attempt), self.name(name)));
        Presence {
            me: self.host(old.me),
            reachable: hosts(&old.reachable),
            lapsed: units(&old.lapsed),
            refused: units(&old.refused),
            busy: old.busy.iter().map(|id| self.printer(id)).collect(),
            claiming: units(&old.claiming),
            missing: old.missing.iter().map(|hash| Self::file(*hash)).collect(),
            unsliced: unsliced.collect(),
            voters_away_ms: old.voters_away_ms,
            gone_ms: old
                .gone_ms
                .iter()
                .map(|(host, ms)| (self.host(*host), *ms))
                .collect(),
            mute: hosts(&old.mute),
            set_aside: set_aside.collect(),
            now: old.now,
        }
    }
}

/// What a row says, without the names in its words.
fn row(
    names: Option<&Names>,
    row: &Result<Turn, Reason>,
) -> Result<(CopyId, u32, u32), &'static str> {
    match row {
        Ok(turn) => {
            let copy = turn.open.copy;
            let copy = names.map_or(copy, |_| Names::copy(copy));
            Ok((copy, turn.open.attempt, turn.rank))
        }
        Err(reason) => Err(reason.code()),
    }
}

/// Ids decide nothing: whatever order they put jobs, printers, hosts, files and claims into, the rules' own order stands. Excepted is
/// what is a matter of ids by its rule: `distribute random`, printers in one position, and copies that are at home at a printer
/// that is away.
#[test]
fn in_whatever_order_ids_put_things_the_plan_is_the_same() {
    let mut starts = 0;
    for seed in 0..6000 {
        let dice = &mut Dice::new(50_000_000 + seed);
        let mut farm = any(dice);
        if farm.snapshot.settings.distribute == printmesh_queue::Distribute::Random {
            farm = farm.set(&[("distribute", "position")]);
        }
        for (n, record) in (1..).zip(farm.snapshot.printers.values_mut()) {
            record.position = n;
        }
        if farm.presence.reachable.len() < HOSTS.len() {
            farm = farm.set(&[("claims", "majority")]);
        }
        let names = Names::any(dice);
        let snapshot = names.of_snapshot(&farm.snapshot);
        let presence = names.of_presence(&farm.presence);
        let (old, new) = (farm.plan(), plan(&snapshot, &presence));
        let say = || format!("farm {seed}: {farm:#?}");
        let expected: Vec<Start> = old
            .starts
            .iter()
            .map(|start| {
                let mut start = start.clone();
                start.printer = names.printer(&start.printer);
                start.open.copy = Names::copy(start.open.copy);
                start
            })
            .collect();
        assert_eq!(new.starts, expected, "{}", say());
        starts += expected.len();
        for (id, said) in &old.printers {
            let then = row(None, &new.printers[&names.printer(id)]);
            assert_eq!(then, row(Some(&names), said), "{id:?} {}", say());
        }
        for job in farm.snapshot.jobs.values() {
            let codes = |rows: Vec<(PrinterId, Option<Reason>)>| -> BTreeMap<PrinterId, _> {
                let rows = rows.into_iter();
                rows.map(|(id, reason)| (id, reason.map(|reason| reason.code())))
                    .collect()
            };
            let said = codes(why(&farm.snapshot, &farm.presence, job));
            let said: BTreeMap<_, _> = said
                .into_iter()
                .map(|(id, code)| (names.printer(&id), code))
                .collect();
            let renamed = &snapshot.jobs[&Names::job(job.id)];
            assert_eq!(
                codes(why(&snapshot, &presence, renamed)),
                said,
                "{} {}",
                job.name,
                say()
            );
        }
    }
    assert!(starts > 2000, "{starts}");
}
