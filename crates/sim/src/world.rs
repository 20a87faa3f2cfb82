//! The world: hosts, network, printers and people in one virtual time, and the one list of what happens next.
//!
//! Everything that chance decides comes from the seed, so a seed is one history, bit for bit.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use printmesh_node::Input;
use printmesh_queue::{HostId, JobId};

use crate::{
    coverage::Coverage,
    draw::Draw,
    history::{Fact, History},
    host::Host,
    laws::{Judge, Violation},
    machine::{Machine, Physics},
    malice::Malice,
    people::Act,
    plan::Plan,
    wire::Wire,
};

/// Lines of each host that a failing seed shows.
const LAST_LINES: usize = 30;

/// Events after which a farm is said to work for ever: some thirty times what most need.
const EVENTS_MAX: u64 = 1_000_000;

/// And more in a large farm: what each host says, all others hear.
const EVENTS_PER_HOST: u64 = 100_000;

/// And more with many printers: what becomes of each, every host hears.
const EVENTS_PER_PRINTER_AND_HOST: u64 = 400;

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Event {
    /// A result of a host's own machine reaches the process that waits for it.
    Local {
        host: usize,
        life: u32,
        input: Input,
    },
    Frame {
        from: usize,
        to: usize,
        link: u64,
        input: Input,
    },
    /// The mind takes what waits.
    Turn {
        host: usize,
        life: u32,
    },
    /// The commit is done: effects leave.
    Carry {
        host: usize,
        life: u32,
    },
    /// The commit failed: it is tried again.
    Again {
        host: usize,
        life: u32,
    },
    Wake {
        host: usize,
        life: u32,
        at: u64,
    },
    Boot {
        host: usize,
    },
    Dial {
        a: usize,
        b: usize,
    },
    Notice {
        end: usize,
        other: usize,
        link: u64,
        forced: bool,
    },
    Machine {
        machine: usize,
        epoch: u32,
        what: Physics,
    },
    Person(Act),
    Strike(usize),
    Relent(usize),
    Flap {
        a: usize,
        b: usize,
        left: u32,
        cut: bool,
    },
    Clog {
        host: usize,
        clog: bool,
        fault: usize,
    },
    Thaw {
        host: usize,
    },
    PlugIn {
        machine: usize,
    },
    Fetched {
        host: usize,
        life: u32,
        from: usize,
        hash: printmesh_queue::FileHash,
    },
}

struct Entry {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A whole farm.
pub(crate) struct World {
    /// Milliseconds since the world began.
    pub(crate) now: u64,
    next: BinaryHeap<Reverse<Entry>>,
    scheduled: u64,
    pub(crate) happened: u64,
    pub(crate) plan: Plan,
    pub(crate) hosts: Vec<Host>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) wire: Wire,
    /// Chance in machines, disks and hosts.
    pub(crate) draw: Draw,
    /// Chance in what people do.
    pub(crate) mood: Draw,
    pub(crate) judge: Judge,
    pub(crate) coverage: Coverage,
    pub(crate) violation: Option<Violation>,
    /// Jobs in the order in which they were answered, with the queue that they are in.
    pub(crate) jobs: Vec<JobId>,
    /// Jobs whose file fails on every printer.
    pub(crate) bad_jobs: BTreeSet<String>,
    /// Ticket and other answers that somebody waits for.
    pub(crate) ticket: Option<printmesh_node::Ticket>,
    pub(crate) striking: BTreeSet<usize>,
    /// Hosts whose links are clogged, by fault.
    pub(crate) clogged: BTreeSet<(usize, usize)>,
    /// After the last fault: everything heals, people do their part.
    pub(crate) healing: bool,
    /// A host that lies, and what it has done.
    pub(crate) malice: Option<Malice>,
    /// Who began each epoch: more than one, when the queue got two keys at once.
    pub(crate) epochs: BTreeMap<String, BTreeSet<HostId>>,
    /// Somebody was to be removed.
    pub(crate) removed: bool,
    /// When a person said of a host that it is lost: from then on its prints are given up.
    pub(crate) freed_at: u64,
    /// How often in a row a person who looks in saw that nobody decides.
    pub(crate) undecided: u32,
    /// Hosts for which nobody waits in the end: the liar, those that were put out.
    pub(crate) out: BTreeSet<usize>,
    trace: blake3::Hasher,
    pub(crate) history: Option<History>,
    lines: Option<BTreeMap<usize, VecDeque<String>>>,
    pub(crate) print_lines: bool,
}

impl World {
    /// A world in which nothing has happened yet.
    pub(crate) fn empty(plan: Plan) -> Self {
        let seed = plan.seed;
        let malice = plan.liar.map(|liar| Malice::new(seed, liar));
        Self {
            now: 0,
            next: BinaryHeap::new(),
            scheduled: 0,
            happened: 0,
            wire: Wire::new(seed),
            draw: Draw::new(seed, "world"),
            mood: Draw::new(seed, "people"),
            plan,
            hosts: Vec::new(),
            machines: Vec::new(),
            judge: Judge::default(),
            coverage: Coverage::default(),
            violation: None,
            jobs: Vec::new(),
            bad_jobs: BTreeSet::new(),
            ticket: None,
            striking: BTreeSet::new(),
            clogged: BTreeSet::new(),
            healing: false,
            malice,
            epochs: BTreeMap::new(),
            removed: false,
            freed_at: 0,
            undecided: 0,
            out: BTreeSet::new(),
            trace: blake3::Hasher::new(),
            history: None,
            lines: None,
            print_lines: false,
        }
    }

    pub(crate) fn schedule(&mut self, at: u64, event: Event) {
        self.scheduled += 1;
        self.next.push(Reverse(Entry {
            at: at.max(self.now),
            number: self.scheduled,
            event,
        }));
    }

    /// Something of a host's own reaches its process, unless that is another one by then.
    pub(crate) fn local(&mut self, host: usize, delay_ms: u64, input: Input) {
        let life = self.hosts[host].life;
        self.schedule(self.now + delay_ms, Event::Local { host, life, input });
    }

    /// Lets the next thing happen, if it happens before `end`. Returns whether it did.
    pub(crate) fn happen(&mut self, end: u64) -> bool {
        if self.violation.is_some() || self.next.peek().is_none_or(|Reverse(entry)| entry.at > end)
        {
            return false;
        }
        let Some(Reverse(entry)) = self.next.pop() else {
            return false;
        };
        self.now = entry.at;
        self.happened += 1;
        let (hosts, printers) = (self.hosts.len() as u64, self.machines.len() as u64);
        let most = EVENTS_MAX
            .max(EVENTS_PER_HOST * hosts)
            .max(EVENTS_PER_PRINTER_AND_HOST * hosts * printers);
        if self.happened > most {
            self.broken("Q", "the farm never comes to rest");
        }
        self.dispatch(entry.event);
        true
    }

    /// Lets everything happen until a time.
    pub(crate) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.happen(end) {}
        if self.violation.is_none() {
            self.now = end;
        }
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Local { host, life, input } => {
                if self.hosts[host].life == life {
                    self.arrive(host, input);
                }
            }
            Event::Frame {
                from,
                to,
                link,
                input,
            } => self.frame(from, to, link, input),
            Event::Turn { host, life }
            | Event::Carry { host, life }
            | Event::Again { host, life }
            | Event::Wake { host, life, .. }
                if self.hosts[host].life != life || self.hosts[host].process.is_none() => {}
            Event::Turn { host, .. }
            | Event::Carry { host, .. }
            | Event::Again { host, .. }
            | Event::Wake { host, .. }
                if self.hosts[host].frozen > 0 =>
            {
                self.hosts[host].missed.push(event);
            }
            Event::Turn { host, .. } => self.turn(host),
            Event::Carry { host, .. } => self.carry(host),
            Event::Again { host, .. } => self.commit(host),
            Event::Wake { host, at, .. } => self.wake(host, at),
            Event::Boot { host } => self.boot(host),
            Event::Dial { a, b } => self.dial(a, b),
            Event::Notice {
                end,
                other,
                link,
                forced,
            } => self.notice(end, other, link, forced),
            // The driver of a frozen process starts nothing before it thaws.
            Event::Machine {
                machine,
                what: Physics::Start(_),
                ..
            } if self.hosts[self.machines[machine].host].frozen > 0 => {
                let host = self.machines[machine].host;
                self.hosts[host].missed.push(event);
            }
            Event::Machine {
                machine,
                epoch,
                what,
            } => self.at_machine(machine, epoch, what),
            Event::Person(act) => self.act(act),
            Event::Strike(fault) => self.strike(fault),
            Event::Relent(fault) => self.relent(fault),
            Event::Flap { a, b, left, cut } => self.flap(a, b, left, cut),
            Event::Clog { host, clog, fault } => self.clog(host, clog, fault),
            Event::Thaw { host } => self.thaw(host),
            Event::PlugIn { machine } => self.plug_in(machine),
            Event::Fetched {
                host,
                life,
                from,
                hash,
            } => self.fetched(host, life, from, hash),
        }
    }

    pub(crate) fn broken(&mut self, law: &'static str, what: impl Into<String>) {
        if self.violation.is_none() {
            self.violation = Some(Violation {
                law,
                what: what.into(),
            });
        }
    }

    pub(crate) fn fact(&mut self, fact: Fact) {
        self.say(None, || format!("fact: {fact:?}"));
        if let Err(violation) = self.judge.see(self.now, &fact)
            && self.violation.is_none()
        {
            self.violation = Some(violation);
        }
        if let Some(history) = &mut self.history {
            history.push((self.now, fact));
        }
    }

    /// Takes bytes into the trace.
    pub(crate) fn note(&mut self, host: usize, kind: u8, bytes: &[u8]) {
        self.trace.update(&self.now.to_be_bytes());
        self.trace.update(&[host as u8, kind]);
        self.trace.update(bytes);
    }

    /// One hash over everything that was written and sent so far.
    pub(crate) fn hash(&self) -> String {
        self.trace.finalize().to_hex()[..32].to_owned()
    }

    pub(crate) fn tell_lines(&mut self, print: bool) {
        self.lines = Some(BTreeMap::new());
        self.print_lines = print;
        self.history = Some(History::new());
    }

    pub(crate) fn is_told(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn say(&mut self, host: Option<usize>, line: impl FnOnce() -> String) {
        let Some(lines) = &mut self.lines else {
            return;
        };
        let at = self.now;
        let who = host.map_or("-", |host| self.hosts[host].name.as_str());
        let line = format!(
            "{:02}:{:02}:{:02}.{:03} {who} {}",
            at / 3_600_000,
            at / 60_000 % 60,
            at / 1_000 % 60,
            at % 1_000,
            line()
        );
        if self.print_lines {
            crate::print(&line);
        }
        let last = lines.entry(host.unwrap_or(usize::MAX)).or_default();
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }

    /// The last lines of each host.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let lines = self.lines.iter().flat_map(BTreeMap::values);
        lines.flatten().cloned().collect()
    }
}
