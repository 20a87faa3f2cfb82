//! One seed: the farm is set up in peace, things go wrong for hours, everything heals, and all that was asked for must come to an end.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{self, AssertUnwindSafe},
};

use ed25519_dalek::SigningKey;
use printmesh_node::{Command, Node};
use printmesh_queue::{
    Abandon, ClaimState, CopyId, CopyState, HostId, JobId, JobState, Signer as _,
};
use printmesh_schedule::{JobStatus, Reason};
use printmesh_store::Database;

use crate::{
    bounds::STARTS_WITHIN_MS,
    coverage::Coverage,
    disk::Disk,
    draw::Draw,
    history::{Attempt, History, Unit},
    host::{Asked, Clock, Device, Host, Memory},
    laws::Violation,
    machine::{Kind, machine},
    plan::Plan,
    sabotage::Bug,
    world::{Event, World},
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Longest time that a farm gets to come to rest after the last fault: more than any write-off and a print takes.
const REST_MS: u64 = 20 * 24 * HOUR;

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Hash over all that was written and sent.
    pub hash: String,
    /// The law that was broken.
    pub violation: Option<Violation>,
    /// Virtual time that passed, in milliseconds.
    pub passed_ms: u64,
    /// Events that happened.
    pub events: u64,
    /// Jobs that were submitted.
    pub jobs: usize,
    /// What was met on the way.
    pub coverage: Coverage,
    /// Facts, when the run was told.
    pub history: Option<History>,
    /// The last lines of each host, when the run was told.
    pub lines: Vec<String>,
}

/// How much of a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nothing.
    Nothing,
    /// The last lines of each host, and the facts.
    Last,
    /// Everything, as it happens.
    All,
}

/// Runs a plan.
pub fn run(plan: Plan, telling: Telling) -> Outcome {
    #[cfg(feature = "sabotage")]
    printmesh_queue::sabotage::make(match plan.bug {
        Some(Bug::Queue(bug)) => Some(bug),
        Some(_) | None => None,
    });
    let mut world = World::empty(plan);
    if telling != Telling::Nothing {
        world.tell_lines(telling == Telling::All);
    }
    let lived = panic::catch_unwind(AssertUnwindSafe(|| {
        world.found();
        world.go_wrong();
        world.come_to_rest();
    }));
    if lived.is_err() {
        world.broken("H", "a host panicked");
    }
    world.outcome()
}

impl World {
    pub(crate) fn outcome(mut self) -> Outcome {
        Outcome {
            seed: self.plan.seed,
            hash: self.hash(),
            violation: self.violation.take(),
            passed_ms: self.now,
            events: self.happened,
            jobs: self.jobs.len(),
            lines: self.last_lines(),
            history: self.history.take(),
            coverage: self.coverage,
        }
    }

    /// Sets up a farm: one host founds a queue, the others join it.
    pub(crate) fn found(&mut self) {
        self.wire.delay_ms = self.plan.delay_ms;
        let mut draw = Draw::new(self.plan.seed, "farm");
        for number in 0..self.plan.printers.len() {
            let host = self.new_host(number, &mut draw);
            self.hosts.push(host);
            self.schedule(self.now, Event::Boot { host: number });
        }
        if let Some(liar) = self.plan.lying_printer {
            // One that is fed cannot say much that is not so.
            self.machines[liar].kind = Kind::Autonomous;
        }
        self.pass(5_000);
        let name = "farm".to_owned();
        self.command(0, Command::QueueCreate { name }, Asked::Other);
        self.pass(1_000);
        for host in 1..self.hosts.len() {
            let share = Command::QueueShare {
                queue: "farm".to_owned(),
                role: self.role_of(host),
                expires_ms: None,
                uses: 1,
                with_key: false,
            };
            self.command(0, share, Asked::Share);
            self.pass(500);
            let Some(ticket) = self.ticket.take() else {
                self.broken("L", "the founder gave no ticket");
                return;
            };
            let join = Command::QueueJoin {
                ticket,
                as_name: None,
                wan: false,
            };
            self.command(host, join, Asked::Other);
            self.pass(5_000);
        }
        self.pass(MINUTE);
        let values = self.plan.settings.iter();
        let values = values
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let queue = "farm".to_owned();
        self.command(0, Command::QueueSet { queue, values }, Asked::Settings);
        self.pass(MINUTE);
        self.keep_liar_from_voting();
        for host in 0..self.hosts.len() {
            if self.farm_view(host).is_none() {
                self.broken("L", format!("host {host} did not get into the queue"));
                return;
            }
        }
        {
            for (number, (drift, skew)) in self.plan.clocks.clone().into_iter().enumerate() {
                let now = self.now;
                self.hosts[number].clock.set_drift(now, drift);
                self.hosts[number].clock.skew_ms = skew;
            }
        }
        for machine in 0..self.machines.len() {
            let act = crate::people::Act::Clear { machine };
            self.schedule(self.now + 1_000, Event::Person(act));
        }
    }

    fn new_host(&mut self, number: usize, draw: &mut Draw) -> Host {
        let key = draw.bytes();
        let device = Device(SigningKey::from_bytes(&key));
        let name = format!("h{number}");
        let mut clock = Clock::default();
        clock.restart(self.now);
        let disk = Disk::default();
        let mut writes = Node::set_up(&device, draw.bytes(), clock.now(self.now), &name);
        for n in 0..self.plan.printers[number] {
            let name = format!("p{n}");
            writes.push(Node::simulated_printer(&name, "usb:sim"));
            let machine = machine(draw, number, name);
            self.machines.push(machine);
        }
        let mut memory = Memory::default();
        memory.apply(&writes);
        let handle = disk.handle();
        let database = Database::open_on(move || handle.clone()).expect("an empty disk works");
        let writes: Vec<_> = writes.iter().map(crate::mind::to_store).collect();
        database.commit(&writes).expect("an empty disk works");
        drop(database);
        if self.plan.bug == Some(Bug::NoSync) {
            disk.lie_about_sync();
        }
        Host {
            name,
            id: device.host(),
            key,
            disk,
            clock,
            powered: true,
            frozen: 0,
            missed: Vec::new(),
            suspended_at: None,
            slept_ms: None,
            destroyed: false,
            flipped: false,
            backup: None,
            process: None,
            life: 0,
            crash: None,
            crash_in: None,
            commits: 0,
            trap: None,
            served: BTreeSet::new(),
            files: BTreeSet::new(),
            originals: BTreeSet::new(),
            peers: BTreeSet::new(),
            accepts_joins: false,
            commands: 0,
            asked: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            memory,
        }
    }

    /// The shared queue as a host sees it.
    pub(crate) fn farm_view(&self, host: usize) -> Option<printmesh_node::QueueView<'_>> {
        let node = self.hosts[host].node()?;
        let mut queues = node.queues().into_iter();
        queues.find(|(_, view)| !view.local).map(|(_, view)| view)
    }

    /// The time in which things go wrong.
    pub(crate) fn go_wrong(&mut self) {
        let start = self.now;
        for (at, act) in self.plan.acts.clone() {
            self.schedule(start + at, Event::Person(act));
        }
        for (index, fault) in self
            .plan
            .faults
            .iter()
            .enumerate()
            .map(|(i, f)| (i, f.at))
            .collect::<Vec<_>>()
        {
            self.schedule(start + fault, Event::Strike(index));
        }
        self.pass(self.plan.until);
    }

    /// L: everything heals, people do their part, and then nothing may be left open without a reason.
    pub(crate) fn come_to_rest(&mut self) {
        if self.violation.is_some() {
            return;
        }
        self.heal();
        let healed = self.now;
        let end = self.now + REST_MS;
        self.pass(10 * MINUTE);
        for host in 0..self.hosts.len() {
            // What a link swallowed before it healed is asked for again.
            self.hiccup(host);
        }
        self.look_at_removals();
        self.put_liar_out();
        while self.violation.is_none() && self.now < end {
            self.pass(30 * MINUTE - STARTS_WITHIN_MS);
            let ready = self.ready_to_start();
            self.pass(STARTS_WITHIN_MS);
            self.check_starts(&ready);
            self.check_bounds(healed);
            self.look_at_removals();
            self.remove_lost_takers(healed);
            self.put_liar_out();
            self.people_do_their_part();
            if self.unrest().is_none() {
                // Somebody may be about to do something: put a file back, take a part off.
                self.pass(5 * MINUTE);
                if self.unrest().is_none() {
                    break;
                }
            }
        }
        if let Some(what) = self.unrest() {
            self.broken("L", what);
        }
        for host in 0..self.hosts.len() {
            self.check_acknowledged(host);
        }
        if self.violation.is_none() {
            self.check_at_rest();
        }
    }

    /// People resume what was paused, release what was held, say what they see, and put a queue right whose voters are gone.
    fn people_do_their_part(&mut self) {
        for machine in 0..self.machines.len() {
            let (host, printer) = (
                self.machines[machine].host,
                self.machines[machine].name.clone(),
            );
            self.command(host, Command::PrinterResume { printer }, Asked::Other);
            if self.machines[machine].print.is_none() && !self.hosts[host].destroyed {
                let act = crate::people::Act::Clear { machine };
                self.schedule(self.now, Event::Person(act));
            }
        }
        for (host, job) in self.open_jobs() {
            let held = self.hosts[host].node().is_some_and(|node| {
                let mut views = node.queues().into_iter().map(|(_, view)| view);
                views.any(|view| view.snapshot.jobs.get(&job).is_some_and(|job| job.held))
            });
            if held {
                let job = job.to_string();
                self.command(host, Command::JobRelease { job }, Asked::Other);
            }
        }
        for (host, job) in self.orphaned_wishes() {
            let command = Command::JobCancel {
                job: job.to_string(),
            };
            self.command(host, command, Asked::TakeOut { job });
        }
        let mood = self.mood.below(3);
        for host in 0..self.hosts.len() {
            self.resolve(host, mood);
        }
        let first = self.first_alive();
        let farm = self.farm_view(first).map(|view| view.id);
        let node = self.hosts[first].node();
        let voters = farm.and_then(|farm| node.map(|node| node.deciding_voters(farm)));
        if let Some(voters) = voters.filter(|_| !self.alive().is_empty()) {
            let gone = self
                .hosts
                .iter()
                .filter(|host| self.is_gone(host.id) && voters.hosts.contains(&host.id));
            let lost = voters.hosts.len() - gone.count() < voters.majority();
            // All links are up: who can be reached and still does not decide never will.
            let undecided = node
                .zip(farm)
                .is_some_and(|(node, farm)| !node.presence_in(farm).has_quorum(&voters));
            self.undecided = if undecided { self.undecided + 1 } else { 0 };
            if self.undecided == 2 {
                self.freed_at = self.now;
            }
            if lost || self.undecided >= 2 {
                let (queue, confirm) = ("farm".to_owned(), "farm".to_owned());
                self.command(
                    first,
                    Command::QueueRecover { queue, confirm },
                    Asked::Other,
                );
            }
        }
    }

    /// Jobs that a host wanted out that is gone for good: whoever sees that takes them out instead.
    fn orphaned_wishes(&self) -> Vec<(usize, JobId)> {
        let gone = self.hosts.iter().filter(|host| self.is_gone(host.id));
        let gone: Vec<_> = gone.collect();
        let mut jobs = self.open_jobs();
        jobs.retain(|(host, job)| {
            let views = self.hosts[*host].node().map(|node| node.queues());
            let mut views = views.into_iter().flatten().map(|(_, view)| view);
            views.any(|view| {
                let wish = printmesh_schedule::withdrawal_wish(view.snapshot, *job);
                wish.is_some_and(|wish| gone.iter().any(|host| host.id == wish.id.host))
            })
        });
        jobs
    }

    fn open_jobs(&self) -> Vec<(usize, JobId)> {
        let mut found = Vec::new();
        for (host, entry) in self.hosts.iter().enumerate() {
            let Some(node) = entry.node().filter(|_| !self.is_gone(entry.id)) else {
                continue;
            };
            for (_, view) in node.queues() {
                let open = view.snapshot.jobs.values().filter(|job| {
                    job.state == JobState::Open
                        && !printmesh_schedule::job_status(view.snapshot, job).rests()
                        && (job.submitter == node.me() || !view.local && host == self.first_alive())
                });
                found.extend(open.map(|job| (host, job.id)));
            }
        }
        found
    }

    /// What has not come to its end, and has no reason that a person can see.
    fn unrest(&self) -> Option<String> {
        let mut alive = self.hosts.iter().filter(|host| !host.destroyed);
        if let Some(host) = alive.find(|host| !host.runs()) {
            return Some(format!("{} does not run", host.name));
        }
        let mut theirs = self.machines.iter();
        let prints = |machine: &&crate::machine::Machine| {
            machine.print.is_some() && !self.out.contains(&machine.host)
        };
        if let Some(machine) = theirs.find(prints) {
            return Some(format!("{} prints", machine.name));
        }
        let mut logs = BTreeSet::new();
        for host in self.alive() {
            let Some(view) = self.farm_view(host) else {
                return Some("a host is not in the queue any more".to_owned());
            };
            if self.hosts[host]
                .node()
                .is_some_and(|node| node.is_carrying(view.id))
            {
                return Some("a host has something to write again in a new epoch".to_owned());
            }
            logs.insert(self.hosts[host].memory.logs.get(&view.id.0).copied());
        }
        if logs.len() > 1 {
            return Some("hosts that are connected have different changes".to_owned());
        }
        for (host, job) in self.open_jobs() {
            let Some(node) = self.hosts[host].node() else {
                continue;
            };
            let mut views = node.queues().into_iter().map(|(_, view)| view);
            let Some(view) = views.find(|view| view.snapshot.jobs.contains_key(&job)) else {
                continue;
            };
            let queue = view.id;
            let entry = &view.snapshot.jobs[&job];
            let status = printmesh_schedule::job_status(view.snapshot, entry);
            let near = |machine: &crate::machine::Machine| match view.local {
                true => machine.host == host,
                false => !self.is_gone(self.hosts[machine.host].id),
            };
            if status == JobStatus::Draft || !self.machines.iter().any(near) {
                continue;
            }
            // What nobody can know waits for a person who can only look at a host that is there.
            let held_by_dead = view
                .snapshot
                .copies_of(entry)
                .all(|(copy, state)| match state {
                    CopyState::Begun(claim) => self.is_gone(claim.host),
                    CopyState::Done(_) | CopyState::Failed(_) => true,
                    // It was given to a host that died before it could say so.
                    CopyState::Open(attempt) => self.given_to_dead(copy, attempt),
                    CopyState::Claimed(claim) => self.given_to_dead(copy, claim.attempt),
                });
            let never = view.snapshot.settings.abandon == Abandon::Never;
            // Nor does a wish to stop it come true there.
            let mut begun = view.snapshot.copies_of(entry);
            let wish_of_dead = status.word() == "cancel-requested"
                && begun.any(|(_, state)| match state {
                    CopyState::Begun(claim) => self.is_gone(claim.host),
                    CopyState::Done(_)
                    | CopyState::Failed(_)
                    | CopyState::Open(_)
                    | CopyState::Claimed(_) => false,
                });
            if never && (held_by_dead || wish_of_dead) {
                continue;
            }
            let copies: Vec<String> = view
                .snapshot
                .copies_of(entry)
                .map(|(copy, state)| format!("{}: {state:?}", copy.index))
                .collect();
            let why = printmesh_schedule::why(view.snapshot, &node.presence_in(queue), entry);
            // Its file went down with the only host that had it.
            let kept = |hash| {
                self.alive()
                    .into_iter()
                    .any(|host| self.hosts[host].files.contains(hash))
            };
            let mut files = entry.sets.iter().flat_map(|set| &set.spec.files);
            if files.any(|file| !kept(&file.hash)) {
                continue;
            }
            // A file that fails on every printer is set aside, and says so.
            let fails = why
                .iter()
                .filter(|(id, _)| !self.is_gone(id.host))
                .all(|(_, reason)| {
                    reason
                        .as_ref()
                        .is_some_and(|reason| matches!(reason, Reason::FileFails { .. }))
                });
            if fails && !why.is_empty() {
                continue;
            }
            // What the host of each printer says of it counts more than what others see.
            let own = self.alive().into_iter().filter_map(|host| {
                let node = self.hosts[host].node()?;
                let (_, view) = node.queues().into_iter().find(|(_, v)| v.id == queue)?;
                let presence = node.presence_in(queue);
                let why = printmesh_schedule::why(
                    view.snapshot,
                    &presence,
                    view.snapshot.jobs.get(&job)?,
                );
                let here = why
                    .into_iter()
                    .filter(|(id, _)| id.host == self.hosts[host].id);
                Some((here.collect::<Vec<_>>(), presence.refused))
            });
            let own: Vec<_> = own.collect();
            return Some(format!(
                "{} on h{host} is {}: {copies:?}, {why:?}, {own:?}",
                entry.name,
                status.word()
            ));
        }
        None
    }

    pub(crate) fn alive(&self) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|host| !self.is_gone(self.hosts[*host].id))
            .collect()
    }

    fn first_alive(&self) -> usize {
        self.alive().first().copied().unwrap_or(0)
    }

    pub(crate) fn given_to_dead(&self, copy: CopyId, number: u32) -> bool {
        let unit = Unit {
            job: copy.job.to_string(),
            copy: copy.index,
        };
        let attempt = Attempt { unit, number };
        let mut dead = self.hosts.iter().filter(|host| self.is_gone(host.id));
        dead.any(|dead| self.judge.given_to(&attempt).any(|name| name == dead.name))
    }

    /// Whether a host is gone, as far as the others may wait for it: lost, put out, or a liar.
    pub(crate) fn is_gone(&self, id: HostId) -> bool {
        let mut hosts = self.hosts.iter().enumerate();
        hosts.any(|(n, host)| host.id == id && (host.destroyed || self.out.contains(&n)))
    }

    /// Everybody sees the same jobs in the same states; in peace nothing was started in vain.
    fn check_at_rest(&mut self) {
        let states = |world: &Self, host: usize| -> Vec<(JobId, &'static str)> {
            let Some(view) = world.farm_view(host) else {
                return Vec::new();
            };
            let Some(node) = world.hosts[host].node() else {
                return Vec::new();
            };
            // What was over when an epoch ended is known to whoever was there.
            let shared = node.shared_view(view.id);
            let jobs = view.snapshot.jobs.values().filter_map(|job| {
                let status = printmesh_schedule::job_status(view.snapshot, job);
                let counts = shared.jobs.contains_key(&job.id) || !status.is_over();
                counts.then_some((job.id, status.word()))
            });
            jobs.collect()
        };
        let first = states(self, self.first_alive());
        let different = self.alive().into_iter().find_map(|host| {
            let seen = states(self, host);
            let mine = seen.iter().filter(|job| !first.contains(job));
            let theirs = first.iter().filter(|job| !seen.contains(job));
            let mut jobs = mine.chain(theirs);
            let job = jobs.find(|(job, _)| !self.is_last_word(host, *job))?;
            Some(format!("h{host} does not see what the rest sees: {job:?}"))
        });
        if let Some(different) = different {
            self.broken("C", different);
        }
        if let Some(loose) = self.unreconciled() {
            self.broken("L", loose);
        }
        for (_, status) in first {
            if status == "unknown" {
                self.coverage.hit("protocol: unknown at rest");
            }
        }
        self.check_proofs_at_rest();
        self.count_setbacks();
        if let Err(violation) = self.judge.at_rest() {
            self.violation = Some(violation);
        }
        if self.plan.faults.is_empty() {
            let jobs: Vec<String> = self.judge.jobs().map(str::to_owned).collect();
            for job in jobs {
                let over = self.judge.overshoot(&job);
                if over > 0 {
                    self.broken(
                        "O3",
                        format!("{over} copies of {job} began in vain, in peace"),
                    );
                }
            }
        }
    }

    /// Whether hosts may see a job differently: the queue got two keys at once, a host was lost for good in between, and of that
    /// host's last word on the job they know different parts. Only who followed the key that it knew has all of it.
    pub(crate) fn is_last_word(&self, host: usize, job: JobId) -> bool {
        let forked = self.epochs.values().any(|authors| authors.len() > 1);
        let words = |host: usize| {
            let view = self.farm_view(host);
            let claims = view.into_iter().flat_map(|view| &view.snapshot.claims);
            let claims = claims.filter(|(copy, _)| copy.job == job);
            let claims =
                claims.flat_map(|(copy, claims)| claims.values().map(|claim| (*copy, claim)));
            let claims = claims.filter(|(_, claim)| self.is_gone(claim.host));
            let words =
                claims.map(|(copy, claim)| (copy, claim.host, claim.attempt, claim.record.state));
            words.collect::<Vec<_>>()
        };
        forked && words(host) != words(self.first_alive())
    }

    /// Counts what nobody tries any further.
    fn count_setbacks(&mut self) {
        let (mut failing, mut exhausted) = (0, 0);
        if let Some(view) = self.farm_view(self.first_alive()) {
            failing = printmesh_schedule::failing_files(view.snapshot).len();
            let copies = view.snapshot.jobs.values();
            let copies = copies.flat_map(|job| view.snapshot.copies_of(job));
            let given_up = |state: &CopyState<'_>| matches!(state, CopyState::Failed(claim) if !claim.was_stopped());
            exhausted = copies.filter(|(_, state)| given_up(state)).count();
        }
        self.coverage
            .hit_times("protocol: file fails everywhere", failing as u64);
        self.coverage
            .hit_times("protocol: retries exhausted", exhausted as u64);
    }

    /// What was started without the voters and not reconciled by them.
    pub(crate) fn unreconciled(&self) -> Option<String> {
        let view = self.farm_view(self.first_alive())?;
        for (copy, claims) in &view.snapshot.claims {
            for claim in claims.values() {
                let open = matches!(
                    claim.record.state,
                    ClaimState::Started | ClaimState::Printing | ClaimState::Finished
                );
                // One too many that still goes on, and was said to be that, is decided.
                let spare = claim.record.state != ClaimState::Finished
                    && self.has_told_surplus(claim.host, *copy);
                if claim.record.speculative && open && !spare && !self.is_gone(claim.host) {
                    let job = copy.job;
                    return Some(format!(
                        "{job}/{} was started without the voters and never reconciled",
                        copy.index
                    ));
                }
            }
        }
        None
    }
}
