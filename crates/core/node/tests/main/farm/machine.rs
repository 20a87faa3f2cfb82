//! Printers that print when they are told to, or by themselves; and the laws that every farm obeys.

use std::collections::{BTreeMap, BTreeSet};

use printmesh_node::{
    Doing, Effect, Ended, Input, Machine, Node, PrinterReport, TryFailure, Value, Vote,
};
use printmesh_queue::{
    Claim, ClaimState, CopyId, CopyState, HostId, Job, OnPartial, RunResult, Snapshot,
};

use super::Farm;

/// How the printers behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machines {
    /// The test says when a print goes on.
    Wait,
    /// A print is done at once; the part stays on the bed.
    Print,
    /// The same, and the bed clears itself.
    PrintAndClear,
}

/// What a machine that prints by itself does, whether its host is up or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    Prints(String),
    Rests(Option<(String, Ended)>),
}

/// A print that a driver was told to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) host: usize,
    pub(crate) printer: String,
    pub(crate) path: String,
    pub(crate) fence: u64,
    /// Job, copy and run.
    pub(crate) run: (String, u32, u32),
    /// Number of the ballot with which it was claimed.
    pub(crate) ballot: u64,
}

impl Farm {
    pub(super) fn machine(&mut self, n: usize, effect: Effect) {
        match effect {
            Effect::TryPrinter { id, name, at } => {
                let broken = self.broken.contains(&(n, name.clone()));
                let failure = TryFailure {
                    title: format!("{at} does not answer"),
                    why: None,
                    fix: None,
                };
                let result = if broken {
                    Err(failure)
                } else {
                    Ok(Machine { name: "sim".into() })
                };
                self.hosts[n].local.push_back(Input::PrinterTried {
                    id,
                    name,
                    at,
                    result,
                });
            }
            Effect::ConnectPrinter { name, .. } => {
                let broken = self.broken.contains(&(n, name.clone()));
                let report = match broken {
                    true => PrinterReport::Offline("it does not answer".into()),
                    false => PrinterReport::Online(Machine { name: "sim".into() }),
                };
                let unit = (n, name.clone());
                let doing = match self.alone.get(&unit) {
                    None => Doing::Fed,
                    Some(Alone::Prints(print)) => Doing::Printing {
                        print: Some(print.clone()),
                    },
                    Some(Alone::Rests(last)) => Doing::Idle { last: last.clone() },
                };
                let under_way = match self.alone.get(&unit) {
                    Some(Alone::Prints(print)) => Some(print.clone()),
                    Some(Alone::Rests(_)) | None => None,
                };
                self.hosts[n].machines.insert(name.clone(), under_way);
                self.report(n, &name, report);
                if !broken {
                    self.report(n, &name, PrinterReport::Doing(doing));
                }
            }
            Effect::DisconnectPrinter { name } => {
                self.hosts[n].machines.remove(&name);
            }
            Effect::StartPrint {
                printer,
                print,
                fence,
                path,
                ..
            } => {
                let parts: Vec<&str> = print.split('/').collect();
                let run = (
                    parts[0].to_owned(),
                    parts[1].parse().expect("a copy"),
                    parts[3].parse().expect("a run"),
                );
                let last = self.fences.insert((n, printer.clone()), fence);
                assert!(last.is_none_or(|last| last < fence), "the fence rises");
                self.starts.push(Start {
                    host: n,
                    printer: printer.clone(),
                    path,
                    fence,
                    run,
                    ballot: parts[2].parse().expect("a ballot"),
                });
                let idle = self.hosts[n]
                    .machines
                    .insert(printer.clone(), Some(print.clone()))
                    .expect("connected")
                    .is_none();
                assert!(idle, "{printer} prints already");
                self.remember(n, &printer, Alone::Prints(print));
                if self.machines != Machines::Wait {
                    self.begin(n, &printer);
                    self.finish(n, &printer);
                }
            }
            Effect::ClearBed {
                printer,
                print,
                fence,
                gcode,
                ..
            } => {
                let last = self.fences.insert((n, printer.clone()), fence);
                assert!(last.is_none_or(|last| last < fence), "the fence rises");
                let machines = &mut self.hosts[n].machines;
                let idle = machines.insert(printer.clone(), Some(print));
                assert_eq!(idle, Some(None), "{printer} is connected and idle");
                self.clearings.push((n, printer, gcode));
            }
            Effect::StopPrint { printer, print } => {
                self.stops.push((n, printer.clone()));
                let prints = self.hosts[n].machines.get(&printer);
                if prints.is_some_and(|now| now.as_ref() == Some(&print)) && self.stops_at_once {
                    self.abort(n, &printer);
                }
            }
            _ => unreachable!("not for a machine"),
        }
    }

    /// What an autonomous machine keeps while its host is down.
    fn remember(&mut self, n: usize, name: &str, what: Alone) {
        if let Some(alone) = self.alone.get_mut(&(n, name.to_owned())) {
            *alone = what;
        }
    }

    /// A print ends on an autonomous machine while its host is down.
    pub(crate) fn ends_alone(&mut self, n: usize, name: &str, ended: Ended) {
        let alone = self
            .alone
            .get_mut(&(n, name.to_owned()))
            .expect("it prints alone");
        let Alone::Prints(print) = alone else {
            panic!("{name} prints nothing")
        };
        *alone = Alone::Rests(Some((print.clone(), ended)));
    }

    fn report(&mut self, n: usize, name: &str, report: PrinterReport) {
        self.hosts[n].local.push_back(Input::Printer {
            name: name.to_owned(),
            report,
        });
    }

    fn print_of(&self, n: usize, name: &str) -> String {
        self.hosts[n].machines[name].clone().expect("it prints")
    }

    /// What the printer is printing.
    pub(crate) fn prints(&self, n: usize, name: &str) -> bool {
        self.hosts[n]
            .machines
            .get(name)
            .is_some_and(Option::is_some)
    }

    pub(crate) fn begin(&mut self, n: usize, name: &str) {
        let print = self.print_of(n, name);
        self.report(
            n,
            name,
            PrinterReport::Began {
                print: print.clone(),
            },
        );
        self.report(
            n,
            name,
            PrinterReport::Progress {
                print,
                fraction: 0.5,
                left_s: Some(60),
                paused: false,
            },
        );
    }

    pub(crate) fn finish(&mut self, n: usize, name: &str) {
        let print = self.print_of(n, name);
        self.hosts[n].machines.insert(name.to_owned(), None);
        self.remember(
            n,
            name,
            Alone::Rests(Some((print.clone(), Ended::Finished))),
        );
        self.report(n, name, PrinterReport::Finished { print });
        if self.machines == Machines::PrintAndClear {
            self.report(n, name, PrinterReport::BedCleared);
        }
    }

    /// The print ends as it was told to.
    pub(crate) fn abort(&mut self, n: usize, name: &str) {
        let print = self.print_of(n, name);
        self.hosts[n].machines.insert(name.to_owned(), None);
        self.report(n, name, PrinterReport::Aborted { print });
    }

    /// Every print of the host goes on to its end.
    pub(crate) fn finish_all(&mut self, n: usize) {
        let printing = self.hosts[n]
            .machines
            .iter()
            .filter(|(_, print)| print.is_some());
        for name in printing.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.begin(n, &name);
            self.finish(n, &name);
        }
    }

    pub(crate) fn fail(&mut self, n: usize, name: &str, reason: &str) {
        let print = self.print_of(n, name);
        self.hosts[n].machines.insert(name.to_owned(), None);
        let ended = Ended::Failed(reason.to_owned());
        self.remember(n, name, Alone::Rests(Some((print.clone(), ended))));
        self.report(
            n,
            name,
            PrinterReport::Failed {
                print,
                reason: reason.into(),
            },
        );
        self.settle();
    }

    pub(crate) fn printer_says(&mut self, n: usize, name: &str, report: PrinterReport) {
        self.report(n, name, report);
        self.settle();
    }

    /// The laws of `CLAIMS.md`, over every host that runs and every store.
    pub(crate) fn check(&self) {
        // I2, I3, I5: nothing is printed twice, but for what a majority of the voters gave up and what failed.
        let mut fences = BTreeSet::new();
        for start in &self.starts {
            assert!(
                fences.insert((start.host, start.fence)),
                "one claim printed twice: {start:?}"
            );
        }
        for (_, view) in self
            .hosts
            .iter()
            .filter_map(|host| host.node.as_ref())
            .flat_map(Node::queues)
        {
            check_copies(view.snapshot);
        }
        let mut printed: BTreeMap<&(String, u32, u32), Vec<&Start>> = BTreeMap::new();
        for start in &self.starts {
            let prints = printed.entry(&start.run).or_default();
            prints.push(start);
            let again = self.written_off(&start.run.0, start.run.1)
                + self.failed(&start.run.0, start.run.1);
            let few = prints.len() <= 1 + again || self.level_available;
            assert!(few, "printed twice: {prints:?}");
        }
        // I1, I6: a majority accepted at most one value, and nothing was printed that was withdrawn.
        let mut votes: BTreeMap<String, Vec<(HostId, Value)>> = BTreeMap::new();
        for host in &self.hosts {
            for (key, value) in &host.keys {
                let Some(unit) = std::str::from_utf8(key)
                    .expect("keys are text")
                    .strip_prefix("vote/")
                else {
                    continue;
                };
                let vote: Vote = serde_json::from_slice(value).expect("a vote");
                votes
                    .entry(unit.to_owned())
                    .or_default()
                    .extend(vote.accepted.map(|(_, value)| (host.id, value)));
            }
        }
        let Some(node) = self.hosts.iter().find_map(|host| host.node.as_ref()) else {
            return;
        };
        for (_, view) in node.queues() {
            let majority = view.snapshot.voters.majority();
            for (unit, values) in votes
                .iter()
                .filter(|(unit, _)| unit.starts_with(&view.id.to_string()))
            {
                // Who voted before them handed over what was decided.
                let counts =
                    |(host, _): &&(HostId, Value)| view.snapshot.voters.hosts.contains(host);
                let owners = values.iter().filter(counts).map(|(_, value)| owner(value));
                let chosen: BTreeSet<_> = owners
                    .clone()
                    .filter(|one| owners.clone().filter(|other| other == one).count() >= majority)
                    .collect();
                assert!(chosen.len() <= 1, "{unit} was given to {chosen:?}");
                let mut parts = unit.split('/').skip(1);
                let (job, copy) = (parts.next().expect("a job"), parts.next().expect("a copy"));
                let attempt = parts.next().and_then(|n| n.parse().ok());
                let attempt: u32 = attempt.expect("an attempt");
                let Some(by) = chosen
                    .iter()
                    .find_map(|owner| owner.strip_prefix(WITHDRAWN))
                else {
                    continue;
                };
                let copy = CopyId {
                    job: job.parse().expect("a job"),
                    index: copy.parse().expect("a copy"),
                };
                // Only who took it out may give it back, for later attempts; or the voters, when nobody will ever say why.
                let lost = view.snapshot.is_lost(copy, attempt);
                let given_back = lost
                    || view.snapshot.claims_of(copy).any(|claim| {
                        claim.attempt == attempt
                            && claim.host.to_string() == by
                            && claim.record.is_reopening()
                    });
                let began = self.starts.iter().find(|start| {
                    let of_copy = start.run.0 == job && start.run.1 == copy.index;
                    let began = view.snapshot.claims_of(copy).find(|claim| {
                        claim.host == self.hosts[start.host].id
                            && claim.record.ballot.n == start.ballot
                    });
                    let earlier = began.is_some_and(|claim| claim.attempt < attempt);
                    let later = began.is_some_and(|claim| claim.attempt > attempt);
                    of_copy && !earlier && !(later && given_back)
                });
                assert!(began.is_none(), "{unit} was taken out, and {began:?}");
            }
        }
        self.check_equal();
    }

    /// How many attempts on a copy were given up, as the host knows that knows most.
    fn written_off(&self, job: &str, index: u32) -> usize {
        let nodes = self.hosts.iter().filter_map(|host| host.node.as_ref());
        let snapshots =
            nodes.flat_map(|node| node.queues().into_iter().map(|(_, view)| view.snapshot));
        let lost = snapshots.map(|snapshot| {
            let units = snapshot.lost.keys();
            let of_copy = units.filter(|(copy, attempt)| {
                (copy.job.to_string().as_str(), copy.index) == (job, index)
                    && snapshot.is_lost(*copy, *attempt)
            });
            of_copy.count()
        });
        lost.max().unwrap_or(0)
    }

    /// Attempts on a copy that failed or were given back, as the hosts that run know them.
    fn failed(&self, job: &str, index: u32) -> usize {
        let nodes = self.hosts.iter().filter_map(|host| host.node.as_ref());
        let counts = nodes.flat_map(Node::queues).map(|(_, view)| {
            let copies = view.snapshot.claims.iter();
            let same =
                copies.filter(|(copy, _)| copy.index == index && copy.job.to_string() == job);
            let claims = same.flat_map(|(_, claims)| claims.values());
            let closed = |claim: &&Claim| {
                matches!(
                    claim.record.state,
                    ClaimState::Failed | ClaimState::Released
                )
            };
            claims.filter(closed).count()
        });
        counts.max().unwrap_or(0)
    }

    /// C: what two connected hosts at rest read is equal. They are at rest when nothing is on its way; and, when a link took
    /// something with it, when they have compared what they have.
    fn check_equal(&self) {
        if !self.acts().is_empty() {
            return;
        }
        for a in 0..self.hosts.len() {
            for b in a + 1..self.hosts.len() {
                if !self.wire.linked(a, b) {
                    continue;
                }
                for (name, view) in self.node(a).queues().iter().filter(|(_, view)| !view.local) {
                    let other = self
                        .node(b)
                        .queues()
                        .into_iter()
                        .find(|(_, other)| other.id == view.id);
                    let nodes = self.hosts.iter().filter_map(|host| host.node.as_ref());
                    let rests =
                        !self.wire.lost || !nodes.clone().any(|node| node.is_comparing(view.id));
                    if let Some((_, other)) = other
                        && rests
                    {
                        // What each of them keeps of earlier epochs is its own.
                        let shared = |n: usize| self.node(n).shared_view(other.id);
                        assert_eq!(shared(a), shared(b), "{a} and {b} differ about {name}");
                    }
                }
            }
        }
    }

    /// Good runs of a job, over all its copies.
    pub(crate) fn good_runs(snapshot: &Snapshot, job: &Job) -> usize {
        let copies = (0..job.units()).map(|index| CopyId { job: job.id, index });
        copies
            .flat_map(|copy| snapshot.claims_of(copy))
            .flat_map(|claim| claim.runs.values())
            .filter(|run| run.result == RunResult::Ok)
            .count()
    }

    pub(crate) fn done_copies(snapshot: &Snapshot, job: &Job) -> usize {
        snapshot
            .copies_of(job)
            .filter(|(_, state)| matches!(state, CopyState::Done(_)))
            .count()
    }
}

/// Who a value is for: a printer, or a host that takes the copy out.
fn owner(value: &Value) -> String {
    match value {
        Value::Print { host, printer, .. } => format!("{host}/{printer}"),
        Value::Withdraw { by } => format!("{WITHDRAWN}{by}"),
    }
}

const WITHDRAWN: &str = "taken out by ";

/// Of a copy one attempt is good or under way, but for what was written off; and what came out well is not printed again.
fn check_copies(snapshot: &Snapshot) {
    for (copy, claims) in &snapshot.claims {
        let decided = || claims.values().filter(|claim| !claim.record.speculative);
        let lost = snapshot.lost.range((*copy, 0)..=(*copy, u32::MAX)).count();
        let whole: Vec<&Claim> = decided()
            .filter(|claim| {
                let state = claim.record.state;
                state == ClaimState::Finished || state.is_begun()
            })
            .collect();
        assert!(whole.len() <= 1 + lost, "made twice: {copy:?} {whole:?}");
        if snapshot.settings.on_partial == OnPartial::Restart || lost > 0 {
            continue;
        }
        let counts = decided().filter(|claim| {
            let elsewhere = [ClaimState::Credited, ClaimState::Surplus];
            !elsewhere.contains(&claim.record.state)
        });
        let mut good = BTreeSet::new();
        for (k, _) in counts.flat_map(Claim::good_runs) {
            assert!(
                good.insert(k),
                "run {k} of {copy:?} is good twice: {claims:?}"
            );
        }
    }
}
