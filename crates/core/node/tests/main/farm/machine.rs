//! Printers that print when they are told to, or by themselves; and the laws that every farm obeys.

use std::collections::BTreeMap;

use printmesh_node::{Effect, Input, Machine, PrinterReport, TryFailure, Value, Vote};
use printmesh_queue::{CopyId, CopyState, Job, RunResult, Snapshot};

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

/// A print that a driver was told to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) host: usize,
    pub(crate) printer: String,
    pub(crate) path: String,
    pub(crate) fence: u64,
    /// Job, copy and run.
    pub(crate) run: (String, u32, u32),
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
                self.hosts[n].machines.insert(name.clone(), None);
                self.report(n, &name, report);
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
                let last = self
                    .starts
                    .iter()
                    .rfind(|s| (s.host, &s.printer) == (n, &printer));
                assert!(
                    last.is_none_or(|last| last.fence < fence),
                    "the fence rises"
                );
                self.starts.push(Start {
                    host: n,
                    printer: printer.clone(),
                    path,
                    fence,
                    run,
                });
                let idle = self.hosts[n]
                    .machines
                    .insert(printer.clone(), Some(print))
                    .expect("connected")
                    .is_none();
                assert!(idle, "{printer} prints already");
                if self.machines != Machines::Wait {
                    self.begin(n, &printer);
                    self.finish(n, &printer);
                }
            }
            _ => unreachable!("not for a machine"),
        }
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
        self.report(n, name, PrinterReport::Finished { print });
        if self.machines == Machines::PrintAndClear {
            self.report(n, name, PrinterReport::BedCleared);
        }
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
        // I2, I3: nothing is printed twice.
        let mut printed: BTreeMap<&(String, u32, u32), &Start> = BTreeMap::new();
        for start in &self.starts {
            let twice = printed.insert(&start.run, start);
            assert!(twice.is_none(), "printed twice: {start:?} after {twice:?}");
        }
        // I1, I6: a majority accepted at most one value, and nothing was printed that was withdrawn.
        let mut votes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
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
                    .extend(vote.accepted.map(|(_, value)| value));
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
                let owners = values.iter().map(owner);
                let chosen: std::collections::BTreeSet<_> = owners
                    .clone()
                    .filter(|one| owners.clone().filter(|other| other == one).count() >= majority)
                    .collect();
                assert!(chosen.len() <= 1, "{unit} was given to {chosen:?}");
                let mut parts = unit.split('/').skip(1);
                let (job, copy) = (parts.next().expect("a job"), parts.next().expect("a copy"));
                let withdrawn = chosen.iter().any(|owner| owner.is_empty());
                let began = self
                    .starts
                    .iter()
                    .any(|start| start.run.0 == job && start.run.1.to_string() == copy);
                assert!(!withdrawn || !began, "{unit} was printed and taken out");
            }
        }
        self.check_equal();
    }

    /// C: what two connected hosts at rest read is equal.
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
                    if let Some((_, other)) = other {
                        assert_eq!(
                            view.snapshot, other.snapshot,
                            "{a} and {b} differ about {name}"
                        );
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

/// Who a value is for; empty for a withdrawal.
fn owner(value: &Value) -> String {
    match value {
        Value::Print { host, printer, .. } => format!("{host}/{printer}"),
        Value::Withdraw { .. } => String::new(),
    }
}
