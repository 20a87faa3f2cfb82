//! Real daemons, each in a network namespace of its own, cut apart, killed and stopped; what they and their printers did is
//! judged by the laws of the simulator.
//!
//! Skipped with a printed reason where namespaces cannot be made. A few rounds by default; the long run is
//! `PRINTMESH_NETNS_ROUNDS=175 cargo test --release --test printmesh netns -- --nocapture`, and `PRINTMESH_TEST_SEED`
//! repeats one. A fault lasts until the others have noticed it, so nothing depends on how fast this machine is.

mod net;
mod quiet;
mod recorded;
mod wan;

use std::{
    collections::BTreeMap,
    fs,
    hash::{BuildHasher as _, RandomState},
    path::Path,
    thread,
};

use printmesh_sim::laws::Judge;
use rustix::process::Signal;
use serde_json::Value;

use self::{net::Net, recorded::Submitted};
use super::environment::{Farm, Host};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// About a second of real time for each print.
const AT: &str = "sim://?speed=1000&journal=";
const PRINT_S: u32 = 700;
/// Rounds of the inner loop; one of each kind at least.
const ROUNDS: usize = 7;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// Says the seed when the test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("-- PRINTMESH_TEST_SEED={}", self.0);
        }
    }
}

/// What goes wrong in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// A host's cable is pulled.
    LinkDown,
    /// What two hosts send each other is dropped, without a word to either.
    Dropped,
    /// Only one direction is.
    DroppedOneWay,
    /// One host is killed, by SIGKILL, in the middle of whatever it does.
    Kill,
    /// Two are.
    KillTwo,
    /// One host stands still for longer than any lease (SIGSTOP), and goes on.
    Stop,
    /// One is killed while another one is cut off.
    KillWhileCut,
}

impl Fault {
    const ALL: [Self; 7] = [
        Self::LinkDown,
        Self::Dropped,
        Self::DroppedOneWay,
        Self::Kill,
        Self::KillTwo,
        Self::Stop,
        Self::KillWhileCut,
    ];

    fn cuts(self) -> usize {
        match self {
            Self::LinkDown | Self::Dropped | Self::DroppedOneWay | Self::KillWhileCut => 1,
            Self::Kill | Self::KillTwo | Self::Stop => 0,
        }
    }

    fn kills(self) -> usize {
        match self {
            Self::Kill | Self::KillWhileCut => 1,
            Self::KillTwo => 2,
            Self::LinkDown | Self::Dropped | Self::DroppedOneWay | Self::Stop => 0,
        }
    }
}

/// Writes a file that prints for so many seconds of the real machine; each name is another file.
fn gcode(folder: &Path, name: &str, seconds: u32) -> String {
    let path = folder.join(format!("{name}.gcode"));
    let text = format!("; {name}\nG1 X10 Y10 F3000\nG4 S{seconds}\nG1 X0 F3000\n");
    fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

struct World {
    farm: Farm,
    net: Net,
    hosts: Vec<Host>,
    submitted: Vec<Submitted>,
    files: usize,
    /// How many rounds each job lived through.
    rounds: BTreeMap<String, usize>,
}

impl World {
    /// Three hosts in namespaces, each with a printer, that share a queue `farm`.
    fn new(level: &str) -> Result<Self, String> {
        let net = Net::new(NAMES.len())?;
        let farm = Farm::new();
        let mut hosts = Vec::new();
        for (n, name) in NAMES.into_iter().enumerate() {
            let mut host = farm.host(name);
            let address = net::address(n);
            host.configure(&format!(
                "[network]\nbind = \"{address}:0\"\ndiscovery = false\n"
            ));
            host.namespace = Some(net.namespace(n));
            // Verbose: it tells when it votes.
            host.start_verbose();
            let at = format!("{AT}{}", recorded::journal(farm.path(), name).display());
            host.ok(&["printer", "add", "sim", "--at", &at]);
            hosts.push(host);
        }
        hosts[0].ok(&["queue", "create", "farm"]);
        let settings = [
            "--claims",
            level,
            "--lease",
            "4",
            "--beat",
            "1",
            "--patience",
            "3",
        ];
        let set = ["queue", "set", "farm"].into_iter().chain(settings);
        hosts[0].ok(&set.collect::<Vec<_>>());
        for host in &hosts[1..] {
            host.ok(&["join", &hosts[0].ticket("farm")]);
        }
        let world = Self {
            farm,
            net,
            hosts,
            submitted: Vec::new(),
            files: 0,
            rounds: BTreeMap::new(),
        };
        world.until_whole();
        world.until_all_vote();
        Ok(world)
    }

    /// Everybody is connected to everybody.
    fn until_whole(&self) {
        for (n, host) in self.hosts.iter().enumerate() {
            for other in NAMES.iter().enumerate().filter(|(other, _)| *other != n) {
                host.until_link("farm", other.1, "connected");
            }
        }
    }

    /// All three are the voters, as each of them knows. From then on nobody else decides.
    fn until_all_vote(&self) {
        for host in &self.hosts {
            host.until("three voters", |host| {
                let shown = host.json(&["queue", "voters", "farm"]);
                (shown["voters"].as_array()?.len() == NAMES.len()).then_some(())
            });
        }
    }

    /// Gives a host a job; it is a host that answers, whoever else is away.
    fn submit(&mut self, n: usize, copies: u32) {
        self.files += 1;
        let name = format!("job{}", self.files);
        let file = gcode(self.farm.path(), &name, PRINT_S);
        let wanted = copies.to_string();
        let id = self.hosts[n].submit(&["-q", "farm", &file, "-c", &wanted, "--name", &name]);
        self.submitted.push(Submitted { id, copies });
    }

    /// The next print begins on a host, or ends there.
    fn until_something_happens(&self, n: usize) {
        let mut events = self.hosts[n].events();
        events.wait_for("a print", |event| event.kind == "copy.state");
    }

    /// Kills a host in the middle of whatever it does, and starts it again; a person looks at its printer.
    fn kill(&mut self, n: usize) {
        self.unplug(n);
        self.hosts[n].start_verbose();
    }

    /// Kills a host; its printer, which it fed, stands still.
    fn unplug(&mut self, n: usize) {
        self.hosts[n].kill();
        recorded::cut_off(&recorded::journal(self.farm.path(), NAMES[n]));
    }

    fn ready(&self) {
        for host in &self.hosts {
            host.run(&["printer", "ready", "sim", "-y"]);
        }
    }

    fn round(&mut self, fault: Fault, dice: &mut Dice) {
        let victim = dice.below(NAMES.len());
        let other = (victim + 1 + dice.below(NAMES.len() - 1)) % NAMES.len();
        let third = 3 - victim - other;
        self.submit(other, 2);
        self.submit(victim, 2);
        self.until_something_happens(other);
        let away = |world: &Self, from: usize, to: usize| {
            world.hosts[from].until_link("farm", NAMES[to], "away");
        };
        match fault {
            Fault::LinkDown => {
                self.net.down(victim).unwrap();
                away(self, other, victim);
                away(self, victim, other);
                self.submit(victim, 1);
                self.net.up(victim).unwrap();
            }
            Fault::Dropped | Fault::DroppedOneWay => {
                self.net.drop_packets(victim, other).unwrap();
                if fault == Fault::Dropped {
                    self.net.drop_packets(other, victim).unwrap();
                }
                away(self, other, victim);
                self.submit(third, 1);
                self.net.pass_packets(victim, other).unwrap();
                if fault == Fault::Dropped {
                    self.net.pass_packets(other, victim).unwrap();
                }
            }
            Fault::Kill => self.kill(victim),
            Fault::KillTwo => {
                self.unplug(other);
                self.kill(victim);
                self.hosts[other].start_verbose();
            }
            Fault::Stop => {
                self.hosts[victim].signal(Signal::STOP);
                // Away is said after ten seconds of silence, and the lease of this queue is four.
                away(self, other, victim);
                self.submit(third, 1);
                self.hosts[victim].signal(Signal::CONT);
            }
            Fault::KillWhileCut => {
                self.net.down(victim).unwrap();
                away(self, other, victim);
                self.kill(third);
                self.net.up(victim).unwrap();
            }
        }
        self.until_whole();
        self.ready();
        let jobs = self.hosts[third].json(&["jobs", "--all", "-q", "farm"]);
        for job in jobs["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|job| !is_over(job))
        {
            let id = job["id"].as_str().unwrap().to_owned();
            *self.rounds.entry(id).or_default() += 1;
        }
    }

    /// Every copy ended, one way or the other, as every host says.
    fn until_over(&self) {
        for host in &self.hosts {
            host.until("every job to end", |host| {
                self.ready();
                let jobs = host.json(&["jobs", "--all", "-q", "farm"]);
                let items = jobs["items"].as_array().unwrap();
                items.iter().all(is_over).then_some(())
            });
        }
    }
}

fn is_over(job: &Value) -> bool {
    let state = job["state"].as_str().unwrap();
    matches!(state, "done" | "failed" | "unknown" | "cancelled")
}

#[expect(
    clippy::print_stdout,
    reason = "the long run tells its figures, and a skipped one its reason"
)]
fn run(level: &str) {
    let chosen = std::env::var("PRINTMESH_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = Seed(chosen.unwrap_or_else(|| RandomState::new().hash_one(())));
    let rounds = std::env::var("PRINTMESH_NETNS_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS);
    let mut dice = Dice(seed.0);
    let mut world = match World::new(level) {
        Ok(world) => world,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    let mut faults: BTreeMap<Fault, usize> = BTreeMap::new();
    for round in 0..rounds {
        let fault = Fault::ALL[round % Fault::ALL.len()];
        *faults.entry(fault).or_default() += 1;
        world.round(fault, &mut dice);
    }
    world.until_over();
    for host in &mut world.hosts {
        host.stop();
    }
    let hosts = world.hosts.iter();
    let mut disks: Vec<_> = hosts.map(|host| recorded::read(host, "farm")).collect();
    for disk in &disks {
        let known = recorded::jobs(disk);
        for job in &world.submitted {
            assert!(known.contains(&job.id), "{} is lost", job.id);
        }
    }
    recorded::converge(&mut disks);
    let told = recorded::recorded(&world.hosts, &disks, &world.submitted, world.farm.path());
    let judge = Judge::history(&told.history);
    let judge = judge.unwrap_or_else(|broken| panic!("{broken:?}"));
    judge
        .at_rest()
        .unwrap_or_else(|broken| panic!("{broken:?}"));
    for ((job, printer), times) in &told.alone {
        // One copy of a job for each side without the voters: a host has one printer, and a round cuts it off at most twice.
        let rounds = 1 + world.rounds.get(job).copied().unwrap_or_default();
        assert!(
            *times <= 2 * rounds,
            "{printer} claimed {times} copies of {job} alone in {rounds} rounds"
        );
    }
    if level == "majority" {
        assert!(told.alone.is_empty(), "{:?}", told.alone);
    }
    for job in &world.submitted {
        let alone = told.alone.iter().filter(|((of, _), _)| *of == job.id);
        let alone: usize = alone.map(|(_, times)| times).sum();
        let more = judge.overshoot(&job.id);
        assert!(
            more <= alone,
            "{} was printed {more} times too often, {alone} times alone",
            job.id
        );
    }
    let count = |what: fn(Fault) -> usize| -> usize {
        faults
            .iter()
            .map(|(fault, times)| what(*fault) * times)
            .sum()
    };
    println!(
        "{level}: {rounds} rounds, {} partitions, {} kills, {} stops, {} prints begun, {} facts judged, 0 laws broken; {faults:?}",
        count(Fault::cuts),
        count(Fault::kills),
        faults.get(&Fault::Stop).copied().unwrap_or_default(),
        told.begun,
        told.history.len(),
    );
}

#[test]
fn hosts_that_are_cut_apart_killed_and_stopped_print_nothing_twice_and_lose_nothing() {
    run("majority");
}

#[test]
fn printers_that_go_on_without_the_others_print_at_most_one_more_a_side_and_say_so() {
    run("available");
}
