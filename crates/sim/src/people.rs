//! The people around the printers: they submit and change their minds, take parts off beds, and look at what nobody can know.

use printmesh_node::{Command, JobEdit, NewJob, NewSet, Place, Resolve};
use printmesh_queue::{ClaimState, CopyId, CopyState, FileHash, FileSpec, JobId, JobState};

use crate::{
    host::Asked,
    machine::Kind,
    world::{Event, World},
};

const MINUTE: u64 = 60_000;

/// From here on a number means the job that was submitted last.
pub(crate) const LATEST: u64 = u64::MAX - 2;

/// A job that somebody submits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) copies: u32,
    pub(crate) sets: u32,
    pub(crate) per_run: u32,
    pub(crate) together: bool,
    pub(crate) minutes: u64,
    /// Its file fails on every printer.
    pub(crate) bad: bool,
}

/// What somebody does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Submit {
        host: usize,
        shape: Shape,
    },
    Cancel {
        host: usize,
        which: u64,
    },
    Hold {
        host: usize,
        which: u64,
        held: bool,
    },
    Move {
        host: usize,
        which: u64,
    },
    Edit {
        host: usize,
        which: u64,
        copies: u32,
    },
    Pause {
        host: usize,
        which: u64,
        paused: bool,
    },
    Stop {
        host: usize,
        which: u64,
    },
    Start {
        host: usize,
        which: u64,
    },
    Resolve {
        host: usize,
        which: u64,
    },
    /// Gives the queue another key.
    Rotate {
        host: usize,
    },
    /// Goes to a machine, takes the part off, and says so.
    Clear {
        machine: usize,
    },
    /// Says so without having looked.
    Lie {
        machine: usize,
    },
    PowerOn {
        host: usize,
    },
    /// Puts a file back that had vanished.
    PutBack {
        host: usize,
        hash: FileHash,
    },
}

pub(crate) fn estimate_of(path: &str) -> u64 {
    let name = path.rsplit('/').next().unwrap_or(path);
    let digits = name
        .rsplit('-')
        .next()
        .and_then(|rest| rest.strip_suffix(".gcode"));
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(1_800)
}

/// A file of so many minutes.
pub(crate) fn file(name: &str, minutes: u64) -> FileSpec {
    FileSpec {
        hash: FileHash(*blake3::hash(name.as_bytes()).as_bytes()),
        size: 1_000_000,
        name: format!("{name}-{}.gcode", minutes * 60),
        estimate_s: Some(minutes * 60),
        material: None,
        slicer: None,
        model: None,
        nozzle_um: None,
        needs: printmesh_queue::Needs::default(),
    }
}

impl World {
    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Submit { host, shape } => self.submit(host, shape),
            Act::Cancel { host, which } => {
                if let Some(job) = self.job(which) {
                    let command = Command::JobCancel {
                        job: job.to_string(),
                    };
                    self.ask(host, "person: cancel", command, Asked::TakeOut { job });
                }
            }
            Act::Hold { host, which, held } => {
                if let Some(job) = self.job(which) {
                    let job = job.to_string();
                    let command = match held {
                        true => Command::JobHold { job },
                        false => Command::JobRelease { job },
                    };
                    self.ask(host, "person: hold", command, Asked::Other);
                }
            }
            Act::Move { host, which } => {
                let Some(job) = self.job(which) else {
                    return;
                };
                let reference = job.to_string();
                let (to, place) = match which % 3 {
                    0 => (None, Place::Top),
                    1 => (Some("local".to_owned()), Place::Keep),
                    _ => (Some("farm".to_owned()), Place::Bottom),
                };
                let command = Command::JobMove {
                    job: reference,
                    to,
                    place,
                };
                self.ask(host, "person: move", command, Asked::TakeOut { job });
            }
            Act::Edit {
                host,
                which,
                copies,
            } => {
                if let Some(job) = self.job(which) {
                    let edit = JobEdit {
                        copies: Some(copies),
                        ..JobEdit::default()
                    };
                    let command = Command::JobEdit {
                        job: job.to_string(),
                        edit,
                    };
                    self.ask(host, "person: edit", command, Asked::Copies { job, copies });
                }
            }
            Act::Pause {
                host,
                which,
                paused,
            } => self.pause(host, which, paused),
            Act::Stop { host, which } => {
                if let Some(job) = self.job(which) {
                    let command = Command::JobStop {
                        job: job.to_string(),
                    };
                    self.ask(host, "person: stop", command, Asked::TakeOut { job });
                }
            }
            Act::Start { host, which } => {
                if let Some(job) = self.job(which)
                    && let Some(machine) = self.machines.first()
                {
                    let printer = format!("{}/{}", self.hosts[machine.host].name, machine.name);
                    let command = Command::JobStart {
                        job: job.to_string(),
                        printer,
                    };
                    self.ask(host, "person: start", command, Asked::Other);
                }
            }
            Act::Resolve { host, which } => self.resolve(host, which),
            Act::Rotate { host } => self.rotate(host),
            Act::Clear { machine } => self.clear(machine),
            Act::Lie { machine } => self.lie(machine),
            Act::PowerOn { host } => self.power_on(host),
            Act::PutBack { host, hash } => {
                self.arrive(host, printmesh_node::Input::FileAdded { hash });
            }
        }
    }

    pub(crate) fn ask(&mut self, host: usize, name: &'static str, command: Command, asked: Asked) {
        if self.command(host, command, asked) {
            self.coverage.hit(name);
        }
    }

    fn job(&self, which: u64) -> Option<JobId> {
        if which >= LATEST {
            return self.jobs.last().copied();
        }
        let count = self.jobs.len();
        (count > 0).then(|| self.jobs[(which / 3) as usize % count])
    }

    pub(crate) fn submit(&mut self, host: usize, shape: Shape) {
        let number = self.mood.next();
        let kind = if shape.bad { "bad" } else { "job" };
        let name = format!("{kind}-{:06x}", number % 0x100_0000);
        let sets = (0..shape.sets)
            .map(|n| NewSet::of(file(&format!("{name}-{n}"), shape.minutes), shape.per_run))
            .collect();
        let new = NewJob {
            queue: "farm".to_owned(),
            name,
            sets,
            copies: shape.copies,
            together: shape.together,
            draft: false,
            printers: Vec::new(),
            terms: printmesh_node::TermsEdit::default(),
        };
        self.submit_job(host, new);
    }

    pub(crate) fn submit_job(&mut self, host: usize, new: NewJob) {
        if !self.hosts[host].runs() {
            return;
        }
        for file in new.sets.iter().flat_map(|set| &set.files) {
            self.hosts[host].files.insert(file.hash);
            self.hosts[host].originals.insert(file.hash);
            self.arrive(host, printmesh_node::Input::FileAdded { hash: file.hash });
        }
        let asked = Asked::Submit(Box::new(new.clone()));
        self.ask(host, "person: submit", Command::JobSubmit(new), asked);
    }

    /// Says how the prints ended of which a host knows nothing, and wants what was given up tried again.
    pub(crate) fn resolve(&mut self, host: usize, which: u64) {
        let Some(node) = self.hosts[host].node() else {
            return;
        };
        let mut found = Vec::new();
        // Also what was moved to the host's own queue.
        for (_, view) in node.queues() {
            let jobs = view.snapshot.jobs.values();
            for job in jobs.filter(|job| job.state == JobState::Open) {
                for (copy, state) in view.snapshot.copies_of(job) {
                    let unknown = matches!(&state, CopyState::Begun(claim) if claim.record.state == ClaimState::Unknown);
                    let failed = matches!(state, CopyState::Failed(_));
                    if unknown || failed && which % 4 == 3 {
                        found.push((copy, unknown));
                    }
                }
            }
        }
        // Who sees it print waits for its end.
        found.retain(|(copy, unknown)| !*unknown || !self.is_at(copy));
        for (copy, unknown) in found {
            let resolve = match (unknown, which % 4) {
                (true, 0 | 1) => Resolve::Done,
                (true, 2) => Resolve::Failed,
                _ => Resolve::Retry,
            };
            let copy = format!("{}#{}", copy.job, copy.index + 1);
            let command = Command::JobResolve { copy, resolve };
            self.ask(host, "person: resolve", command, Asked::Resolve);
        }
    }

    /// Whether some machine is at a copy, as everybody who looks at it sees.
    fn is_at(&self, copy: &CopyId) -> bool {
        let mut prints = self
            .machines
            .iter()
            .filter_map(|entry| entry.print.as_ref());
        prints.any(|print| {
            let unit = &print.attempt.unit;
            unit.job == copy.job.to_string() && unit.copy == copy.index
        })
    }

    fn pause(&mut self, host: usize, which: u64, paused: bool) {
        let own: Vec<usize> = (0..self.machines.len())
            .filter(|machine| self.machines[*machine].host == host)
            .collect();
        if own.is_empty() {
            return;
        }
        let printer = self.machines[own[which as usize % own.len()]].name.clone();
        let command = match paused {
            true => Command::PrinterPause {
                printer,
                reason: "a nozzle change".to_owned(),
            },
            false => Command::PrinterResume { printer },
        };
        self.ask(host, "person: pause", command, Asked::Other);
    }

    /// Somebody will see that a machine has stopped.
    pub(crate) fn person_sees(&mut self, machine: usize) {
        let minutes = match self.mood.below(20) {
            0 if !self.healing => {
                self.coverage.hit("fault: bed not cleared for long");
                self.mood.between(180, 600)
            }
            _ => self.mood.between(2, 25),
        };
        let at = self.now + minutes * MINUTE;
        if !self.healing && self.mood.chance(15) {
            self.schedule(at, Event::Person(Act::Lie { machine }));
        }
        let at = at + self.mood.below(MINUTE);
        self.schedule(at, Event::Person(Act::Clear { machine }));
    }

    /// A host was started: somebody looks at its printers before long.
    pub(crate) fn person_visits(&mut self, host: usize) {
        for machine in 0..self.machines.len() {
            if self.machines[machine].host == host {
                let at = self.now + self.mood.between(1, 40) * MINUTE;
                self.schedule(at, Event::Person(Act::Clear { machine }));
            }
        }
    }

    fn clear(&mut self, machine: usize) {
        let entry = &self.machines[machine];
        let (host, name) = (entry.host, entry.name.clone());
        if entry.print.is_some() {
            // A person who sees it print leaves it alone. A print that no process watches needs somebody later.
            if entry.kind == Kind::Autonomous {
                let at = entry.print.as_ref().map_or(self.now, |print| print.ends) + 10 * MINUTE;
                self.schedule(at, Event::Person(Act::Clear { machine }));
            }
            return;
        }
        self.machines[machine].part = false;
        self.machines[machine].told_clear = false;
        if !self.say_ready(host, name) {
            let at = self.now + 20 * MINUTE;
            self.schedule(at, Event::Person(Act::Clear { machine }));
        }
    }

    fn lie(&mut self, machine: usize) {
        let entry = &mut self.machines[machine];
        entry.told_clear = entry.part;
        let (host, name) = (entry.host, entry.name.clone());
        if self.machines[machine].part && self.say_ready(host, name) {
            self.coverage.hit("fault: bed wrongly called clear");
        }
    }

    fn say_ready(&mut self, host: usize, name: String) -> bool {
        let command = Command::PrinterReady {
            printers: vec![name],
            good: None,
        };
        self.command(host, command, Asked::Other)
    }
}
