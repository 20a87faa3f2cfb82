//! Nobody starves: a job that some printer can print is printed in the end, whatever comes in meanwhile. The three settings under which
//! a person has asked for something else are here too, with what they do.

use printmesh_queue::{ClaimState, PrinterId, Priority, RunResult, Timestamp};
use printmesh_schedule::Index;

use crate::{
    farm::{Farm, check, job_id, printer, slot, tool},
    oracle::Dice,
};

const OLD: &str = "old";

/// A farm in which time passes: jobs come in, prints begin and end.
struct Stream<'d> {
    dice: &'d mut Dice,
    farm: Farm,
    now: u64,
    /// The job, the copy, the printer and when it ends.
    printing: Vec<(String, u32, PrinterId, u64)>,
    /// How many jobs have come in.
    came: u32,
}

impl Stream<'_> {
    fn comes(&mut self, name: &str, copies: u32) {
        let level = Index::new(&self.farm.snapshot).live_level();
        let now = Timestamp(self.now);
        let farm = self.farm.clone().job(name, copies);
        self.farm = farm.with(|job| (job.created, job.terms.level) = (now, level));
    }

    /// Something new, urgent or not, for any printer or for one.
    fn anything_comes(&mut self) {
        let (name, copies) = (format!("n{:04}", self.came), 1 + self.dice.below(3) as u32);
        self.came += 1;
        self.comes(&name, copies);
        let dice = &mut *self.dice;
        let now = self.now;
        self.farm = self.farm.clone().with(|job| {
            let all = [
                Priority::Low,
                Priority::Normal,
                Priority::High,
                Priority::Rush,
            ];
            job.terms.priority = dice.of(&all);
            // Earlier and earlier: each would come before all others.
            job.terms.due = dice.one_in(3).then(|| Timestamp(1_000_000 - now));
            job.terms.group = dice.of(&["", "A", "B"]).to_owned();
            if dice.one_in(4) {
                job.printers = vec![dice.of(&["p1", "p2"]).to_owned()];
            }
        });
    }

    /// Ends what is over, and begins what the plan says. Returns the jobs that began, with their printers.
    fn passes(&mut self) -> Vec<(String, PrinterId)> {
        let over = self.printing.extract_if(.., |(.., ends)| *ends <= self.now);
        for (name, copy, id, _) in over.collect::<Vec<_>>() {
            let fails = name != OLD && self.dice.one_in(9);
            let copy = printmesh_queue::CopyId {
                job: job_id(&name),
                index: copy,
            };
            let claims = self
                .farm
                .snapshot
                .claims
                .get_mut(&copy)
                .expect("it was begun");
            let claim = claims.values_mut().last().expect("it was begun");
            let run = claim.runs.values_mut().next().expect("it was begun");
            (claim.record.state, run.result) = match fails {
                true => (ClaimState::Failed, RunResult::Failed),
                false => (ClaimState::Finished, RunResult::Ok),
            };
            let now = Timestamp(self.now);
            self.farm = self.farm.clone().record(&id.name, |p| {
                p.last_print_ended = Some(now);
                p.equipment.printed_s += 1;
            });
            self.farm.presence.busy.remove(&id);
        }
        let mut began = Vec::new();
        for start in self.farm.plan().starts {
            let copy = start.open.copy;
            let name = self.farm.snapshot.jobs[&copy.job].name.clone();
            let (by, at) = (&start.printer.name, self.now + 1);
            let farm = self.farm.clone();
            self.farm = farm
                .printed(&name, copy.index + 1, by, at, RunResult::Started)
                .busy(&[by]);
            let ends = self.now + 10 * (1 + self.dice.below(4));
            self.printing
                .push((name.clone(), copy.index, start.printer.clone(), ends));
            began.push((name, start.printer));
        }
        self.now += 10;
        began
    }
}

/// A job that was overtaken once is not overtaken by anything that comes later, on no printer that can print it; so its turn comes.
/// Held for both orders, each distribution, each reach of sorting, several printers, and prints that fail.
#[test]
fn r_s6_no_job_starves_whatever_comes_in() {
    let mut overtaken_once = 0;
    for seed in 0..1500 {
        let dice = &mut Dice::new(60_000_000 + seed);
        let distribute = [
            "position",
            "random",
            "least-recently-used",
            "hours",
            "best-fit",
        ];
        let rules = [
            ("order", dice.of(&["sequential", "round-robin"])),
            ("distribute", dice.of(&distribute)),
            ("sort-limit", dice.of(&["none", "none", "3", "50%", "0"])),
            ("never-skip", dice.of(&["on", "off", "off", "backfill"])),
            ("retries", dice.of(&["0", "2"])),
        ];
        let farm = Farm::new(2 + dice.below(3) as u32).set(&rules);
        let mut stream = Stream {
            dice,
            farm,
            now: 100,
            printing: Vec::new(),
            came: 0,
        };
        for _ in 0..stream.dice.below(8) {
            stream.anything_comes();
            stream.passes();
        }
        stream.comes(OLD, 1);
        let own = stream.dice.of(&["", "p1"]);
        let urgency = stream.dice.of(&[Priority::Low, Priority::Normal]);
        stream.farm = stream.farm.with(|job| {
            job.terms.priority = urgency;
            job.printers = [own]
                .into_iter()
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
        });
        // How many jobs there were when it was overtaken.
        let mut overtaken: Option<u32> = None;
        let mut rounds = 0;
        'until: loop {
            for _ in 0..stream.dice.below(3) {
                stream.anything_comes();
            }
            let there = stream.came;
            for (name, id) in stream.passes() {
                if name == OLD {
                    break 'until;
                }
                let number: u32 = name[1..].parse().expect("n and a number");
                let fits = own.is_empty() || id == printer(own);
                let known = overtaken.is_none_or(|there| number < there);
                assert!(
                    known || !fits,
                    "farm {seed}, {rules:?}: {name} began before {OLD}"
                );
                let job = &stream.farm.snapshot.jobs[&job_id(&name)];
                let old = &stream.farm.snapshot.jobs[&job_id(OLD)];
                let urgency = |job: &printmesh_queue::Job| {
                    let due = job.terms.due.map_or(u64::MAX, |at| at.0);
                    (due, std::cmp::Reverse(job.terms.priority))
                };
                if job.rank > old.rank && urgency(job) < urgency(old) {
                    overtaken.get_or_insert(there);
                }
            }
            rounds += 1;
            assert!(rounds < 500, "farm {seed}, {rules:?}: it never began");
        }
        overtaken_once += u32::from(overtaken.is_some());
    }
    assert!(overtaken_once > 400, "{overtaken_once}");
}

/// Whether a job begins within a hundred rounds in which something else comes in each time.
fn begins(farm: Farm, comes: impl Fn(Farm) -> Farm) -> bool {
    let dice = &mut Dice::new(1);
    let mut stream = Stream {
        dice,
        farm,
        now: 100,
        printing: Vec::new(),
        came: 0,
    };
    (0..100).any(|_| {
        let name = format!("n{:04}", stream.came);
        stream.came += 1;
        stream.comes(&name, 3);
        stream.farm = comes(stream.farm.clone());
        stream.passes().iter().any(|(name, _)| name == OLD)
    })
}

/// What a person asks for with `drain-groups`: the groups before are worked off first, also what joins them later.
#[test]
fn in_a_later_group_a_job_waits_as_long_as_an_earlier_one_is_fed() {
    let old = || Farm::new(2).job(OLD, 1).in_group("B");
    let comes = |farm: Farm| farm.in_group("A");
    let drain = [("drain-groups", "on"), ("groups", "A,B")];
    assert!(!begins(old().set(&drain), comes));
    assert!(begins(old(), comes));
    assert!(
        begins(old().set(&drain), |farm| farm.in_group("B")),
        "its own group"
    );
}

/// What the backburner is for: it is worked off when nothing else can be.
#[test]
fn in_the_backburner_a_job_waits_as_long_as_anything_else_comes_in() {
    let old = || {
        Farm::new(2)
            .job(OLD, 1)
            .with(|job| job.terms.backburner = true)
    };
    assert!(!begins(old(), |farm| farm));
    assert!(begins(old(), |farm| farm.with(|job| job.terms.backburner = true)));
}

/// What a person asks for with `never-skip`: the list waits for somebody at the printer.
#[test]
fn with_never_skip_a_job_waits_until_somebody_has_done_what_the_one_before_it_needs() {
    let needs = printmesh_queue::Needs {
        tools: vec![tool(0, "PETG", 1)],
        ..printmesh_queue::Needs::default()
    };
    let farm = Farm::new(1)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 9)])
        .job("X", 1)
        .needs(needs)
        .job(OLD, 1)
        .set(&[("never-skip", "on")]);
    assert!(!begins(farm.clone(), |farm| farm));
    let loaded = farm
        .clone()
        .has("p1", |e| e.slots = vec![slot(0, "PETG", 9)]);
    check(&loaded, &[], &["p1 X1"]);
    assert!(begins(loaded, |farm| farm));
    assert!(begins(farm.set(&[("never-skip", "off")]), |farm| farm));
}
