//! The printers: what is physically true of them, whatever any node believes.

use printmesh_node::{
    Doing, Effect, Ended, Input, Machine as Answering, PrinterReport, TryFailure,
};
use printmesh_queue::{ClaimState, CopyId, JobId};

use crate::{
    draw::Draw,
    history::{Attempt, Fact, Printer, Unit},
    lying::Lie,
    sabotage::Bug,
    world::{Event, World},
};

/// Nothing starts on a decision that is older (`daemon/src/printers.rs`).
const START_AGE_MS_MAX: u64 = 60_000;

/// How a machine is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The host feeds it line by line: a print dies with its host's process.
    Streamed,
    /// It has the file: it prints on whatever becomes of the host, and can tell what it does.
    Autonomous,
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) host: usize,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) clears_itself: bool,
    /// Prints that fail out of a thousand.
    pub(crate) fails: u64,
    pub(crate) plugged: bool,
    pub(crate) print: Option<Print>,
    pub(crate) part: bool,
    /// Somebody said that the bed is clear, and it is not.
    pub(crate) told_clear: bool,
    /// Number of its present state: events of an older one are void.
    pub(crate) epoch: u32,
    /// How its last print ended, for whoever asks.
    pub(crate) ended: Option<(String, bool)>,
    /// The process that the connection belongs to.
    pub(crate) attached: Option<u32>,
    /// The print that it was last told to stop.
    pub(crate) unwanted: Option<String>,
    /// What it is about to say that is not so, and a number for whatever that needs.
    pub(crate) lie: Option<(Lie, u64)>,
    /// It has said that its print is over, and goes on with it.
    pub(crate) said_ended: bool,
    /// A print that it says to be at, and is not.
    pub(crate) pretends: Option<String>,
    /// The name of a print before the last one.
    pub(crate) earlier: Option<String>,
}

/// A print that is under way: the heaters are on.
#[derive(Clone, Debug)]
pub(crate) struct Print {
    pub(crate) token: String,
    pub(crate) attempt: Attempt,
    pub(crate) run: u32,
    pub(crate) began: u64,
    pub(crate) ends: u64,
}

/// A start that the daemon was told to carry out.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    life: u32,
    token: String,
    fence: u64,
    estimate_s: u64,
    /// When the node decided it, by its host's monotonic clock.
    decided_ms: u64,
    /// The host cannot reach the voters of a queue that goes on without them.
    alone: bool,
}

/// What happens at a machine.
#[derive(Clone, Debug)]
pub(crate) enum Physics {
    Attach {
        life: u32,
    },
    Start(Box<Start>),
    Stop {
        life: u32,
        token: String,
    },
    Progress,
    End,
    /// A print is said to end that never was.
    EndsPretence {
        good: bool,
    },
    ClearsItself,
}

impl World {
    pub(crate) fn printer(&self, machine: usize) -> Printer {
        let machine = &self.machines[machine];
        Printer {
            host: self.hosts[machine.host].name.clone(),
            name: machine.name.clone(),
        }
    }

    pub(crate) fn machine_named(&self, host: usize, name: &str) -> Option<usize> {
        self.machines
            .iter()
            .position(|machine| machine.host == host && machine.name == name)
    }

    pub(crate) fn drive(&mut self, host: usize, effect: Effect) {
        let life = self.hosts[host].life;
        match effect {
            Effect::TryPrinter { id, name, at } => {
                let found = self.machine_named(host, &name);
                let result = match found.filter(|found| self.machines[*found].plugged) {
                    Some(_) => Ok(answering()),
                    None => Err(TryFailure {
                        title: format!("{at} does not answer"),
                        why: None,
                        fix: None,
                    }),
                };
                self.local(
                    host,
                    500,
                    Input::PrinterTried {
                        id,
                        name,
                        at,
                        result,
                    },
                );
            }
            Effect::ConnectPrinter { name, .. } => {
                let Some(machine) = self.machine_named(host, &name) else {
                    return;
                };
                if let Some(process) = &mut self.hosts[host].process {
                    process.drives.insert(name);
                }
                self.physics(machine, 300, Physics::Attach { life });
            }
            Effect::DisconnectPrinter { name } => {
                if let Some(machine) = self.machine_named(host, &name) {
                    self.machines[machine].attached = None;
                }
                if let Some(process) = &mut self.hosts[host].process {
                    process.drives.remove(&name);
                }
            }
            Effect::StartPrint {
                printer,
                print,
                fence,
                path,
                ..
            } => {
                let Some(machine) = self.machine_named(host, &printer) else {
                    return;
                };
                let estimate_s = crate::people::estimate_of(&path);
                let delay = self.draw.between(100, 3_000);
                let process = self.hosts[host].process.as_ref();
                let alone = self.hosts[host].node().is_some_and(|node| {
                    let mut views = node.queues().into_iter();
                    views.any(|(_, view)| node.goes_on_without(view.id))
                });
                let start = Physics::Start(Box::new(Start {
                    life,
                    token: print,
                    fence,
                    estimate_s,
                    decided_ms: process.map_or(0, |process| process.decided_ms),
                    alone,
                }));
                // A machine's start is void only when the process that asked is gone, not when the machine changed.
                let epoch = u32::MAX;
                let at = self.now + delay;
                self.schedule(
                    at,
                    Event::Machine {
                        machine,
                        epoch,
                        what: start,
                    },
                );
            }
            Effect::StopPrint { printer, print } => {
                if let Some(machine) = self.machine_named(host, &printer) {
                    self.machines[machine].unwanted = Some(print.clone());
                    let at = self.now + 2_000;
                    let what = Physics::Stop { life, token: print };
                    let epoch = u32::MAX;
                    self.schedule(
                        at,
                        Event::Machine {
                            machine,
                            epoch,
                            what,
                        },
                    );
                }
            }
            // A person goes and presses the button before long.
            Effect::PausePrint { printer, print } => {
                if let Some(machine) = self.machine_named(host, &printer) {
                    self.pause_print(machine, &print);
                }
            }
            Effect::ResumePrint { .. } => {}
            // Nobody here has set up a script.
            Effect::ClearBed { .. } => {}
            // Nor a keeper of spools.
            Effect::LookAtSpool { .. } | Effect::UseSpool { .. } => {}
            // Carried out by the mind.
            Effect::Reply { .. }
            | Effect::Tell(_)
            | Effect::Send { .. }
            | Effect::SetPeers(_)
            | Effect::SetRelays(_)
            | Effect::Join { .. }
            | Effect::JoinSend { .. }
            | Effect::AcceptJoins(_)
            | Effect::OfferLan(_)
            | Effect::Fetch { .. }
            | Effect::StopFetch { .. }
            | Effect::Import { .. }
            | Effect::Slice { .. } => {}
        }
    }

    fn pause_print(&mut self, machine: usize, token: &str) {
        let entry = &mut self.machines[machine];
        let Some(print) = entry.print.as_mut().filter(|print| print.token == token) else {
            return;
        };
        print.ends += 1_800_000;
        entry.epoch += 1;
        let left = print.ends - self.now;
        self.physics(machine, left.min(60_000), Physics::Progress);
        self.physics(machine, left, Physics::End);
    }

    pub(crate) fn physics(&mut self, machine: usize, delay_ms: u64, what: Physics) {
        let epoch = match what {
            Physics::Attach { .. } => u32::MAX,
            _ => self.machines[machine].epoch,
        };
        let at = self.now + delay_ms;
        self.schedule(
            at,
            Event::Machine {
                machine,
                epoch,
                what,
            },
        );
    }

    pub(crate) fn at_machine(&mut self, machine: usize, epoch: u32, what: Physics) {
        if epoch != u32::MAX && epoch != self.machines[machine].epoch {
            return;
        }
        match what {
            Physics::Attach { life } => self.attach(machine, life),
            Physics::Start(start) => self.start(machine, *start),
            Physics::Stop { life, token } => {
                let entry = &self.machines[machine];
                let heard = entry.attached == Some(life);
                if heard
                    && entry
                        .print
                        .as_ref()
                        .is_some_and(|print| print.token == token)
                {
                    self.abort(machine);
                } else if heard && entry.pretends.as_ref() == Some(&token) {
                    self.ends_pretence(machine, |print| PrinterReport::Aborted { print });
                }
            }
            Physics::EndsPretence { good } => {
                self.ends_pretence(machine, |token| {
                    ending(token, good, "it says that it failed")
                });
            }
            Physics::Progress => self.progress(machine),
            Physics::End => {
                let fails = self.machines[machine].fails;
                let bad_file = self.machines[machine]
                    .print
                    .as_ref()
                    .is_some_and(|print| self.bad_jobs.contains(&print.attempt.unit.job));
                let good = !(self.draw.chance(fails) || bad_file);
                if !good {
                    self.coverage.hit("fault: print failed");
                }
                if bad_file {
                    self.coverage.hit("fault: file that fails everywhere");
                } else if fails >= 1_000 {
                    self.coverage.hit("fault: printer that fails everything");
                }
                self.end(machine, good, "the part came off");
            }
            Physics::ClearsItself => {
                if self.machines[machine].part {
                    self.machines[machine].part = false;
                    self.report(machine, PrinterReport::BedCleared);
                }
            }
        }
    }

    /// The driver of a process connects.
    fn attach(&mut self, machine: usize, life: u32) {
        let entry = &mut self.machines[machine];
        let host = entry.host;
        if self.hosts[host].life != life || self.hosts[host].process.is_none() {
            return;
        }
        if !entry.plugged {
            entry.attached = None;
            self.hosts_report(
                machine,
                PrinterReport::Offline("it does not answer".to_owned()),
            );
            return;
        }
        entry.attached = Some(life);
        self.report(machine, PrinterReport::Online(answering()));
        if let Some(doing) = self.false_doing(machine) {
            self.report(machine, PrinterReport::Doing(doing));
            return;
        }
        self.owns_up(machine);
        let entry = &self.machines[machine];
        let doing = match (entry.kind, &entry.print) {
            (Kind::Streamed, _) => Doing::Fed,
            (Kind::Autonomous, None) if entry.pretends.is_some() => Doing::Printing {
                print: entry.pretends.clone(),
            },
            (Kind::Autonomous, Some(print)) => {
                self.coverage.hit("machine: found at work by its host");
                Doing::Printing {
                    print: Some(print.token.clone()),
                }
            }
            (Kind::Autonomous, None) => Doing::Idle {
                last: entry.ended.clone().map(|(token, good)| match good {
                    true => (token, Ended::Finished),
                    false => (token, Ended::Failed("it had failed".to_owned())),
                }),
            },
        };
        self.report(machine, PrinterReport::Doing(doing));
    }

    fn start(&mut self, machine: usize, start: Start) {
        let Start {
            life,
            token,
            fence,
            estimate_s,
            decided_ms,
            alone,
        } = start;
        let host = self.machines[machine].host;
        if self.hosts[host].life != life || self.hosts[host].process.is_none() {
            return;
        }
        let age_ms = self.hosts[host]
            .clock
            .now(self.now)
            .mono_ms
            .saturating_sub(decided_ms);
        let careless = self.plan.bug == Some(Bug::StartsLate);
        if age_ms > START_AGE_MS_MAX && !careless {
            self.coverage.hit("machine: start refused because late");
        }
        let refused = {
            let entry = &self.machines[machine];
            let process = self.hosts[host].process.as_mut().expect("just seen");
            let last = process.fences.entry(entry.name.clone()).or_default();
            if entry.attached != Some(life) || !entry.plugged {
                Some("the printer is not connected")
            } else if age_ms > START_AGE_MS_MAX && !careless {
                Some("this host was held up for more than a minute")
            } else if entry.print.is_some() {
                Some("the printer is printing")
            } else if *last >= fence {
                Some("an older start")
            } else {
                *last = fence;
                None
            }
        };
        if let Some(reason) = refused {
            self.coverage.hit("machine: start refused");
            let report = PrinterReport::Failed {
                print: token,
                reason: reason.to_owned(),
            };
            self.hosts_report(machine, report);
            return;
        }
        if self.machines[machine].unwanted.as_ref() == Some(&token) {
            self.hosts_report(machine, PrinterReport::Aborted { print: token });
            return;
        }
        let Some((attempt, run)) = self.meaning(host, &token) else {
            self.broken(
                "I2",
                format!("{token} begins, and nothing says of which attempt it is"),
            );
            return;
        };
        let printer = self.printer(machine);
        if age_ms > START_AGE_MS_MAX {
            self.broken(
                "S",
                format!(
                    "{printer} begins {attempt} {} s after it was decided",
                    age_ms / 1_000
                ),
            );
        }
        let length = estimate_s * 1_000 * self.draw.between(80, 130) / 100;
        let lie = self.lies_of_start(machine);
        if lie == Some(Lie::NeverBegan) {
            self.never_begins(machine, token, length);
            return;
        }
        let entry = &mut self.machines[machine];
        entry.pretends = None;
        entry.said_ended = false;
        entry.print = Some(Print {
            token: token.clone(),
            attempt: attempt.clone(),
            run,
            began: self.now,
            ends: self.now + length,
        });
        entry.epoch += 1;
        entry.ended = None;
        let (part, told_clear) = (entry.part, entry.told_clear);
        entry.part = true;
        entry.told_clear = false;
        if part {
            let printer = printer.clone();
            self.fact(Fact::OntoPart {
                printer,
                told_clear,
            });
        }
        self.check_budget(host, &attempt, &printer);
        if alone && run > 0 {
            let (attempt, printer) = (attempt.clone(), printer.clone());
            self.fact(Fact::WentOn { attempt, printer });
        }
        self.fact(Fact::Began {
            attempt,
            printer,
            run,
        });
        if lie.is_some() {
            self.refused_and_began(machine);
        } else {
            self.report(machine, PrinterReport::Began { print: token });
        }
        self.physics(machine, length.min(60_000), Physics::Progress);
        self.physics(machine, length, Physics::End);
    }

    /// O1: of hosts that hear one another, no two start unreconciled copies of one job without the voters. Only within a
    /// group whose links are good and older than a minute is that promised.
    fn check_budget(&mut self, host: usize, attempt: &Attempt, printer: &Printer) {
        let one = match self
            .plan
            .settings
            .iter()
            .find(|(name, _)| *name == "budget")
        {
            Some((_, budget)) => *budget == "one",
            // As the queue has it when nobody says: by who is still a member.
            None => self
                .farm_view(host)
                .is_some_and(|view| view.snapshot.present_members().count() > 2),
        };
        if !one || !self.judge.is_without(attempt, printer) {
            return;
        }
        let since = self.now.saturating_sub(60_000);
        for other in 0..self.hosts.len() {
            // Its own other printers it hears best.
            let heard = other == host || self.wire.hear_well(host, other, since);
            if !heard || self.hosts[other].frozen > 0 {
                continue;
            }
            let Some(view) = self.farm_view(other) else {
                continue;
            };
            let theirs = view.snapshot.claims.iter().find(|(copy, claims)| {
                copy.job.to_string() == attempt.unit.job
                    && claims.values().any(|claim| {
                        let begun = matches!(
                            claim.record.state,
                            ClaimState::Started | ClaimState::Printing | ClaimState::Finished
                        );
                        let same = other == host
                            && claim.attempt == attempt.number
                            && copy.index == attempt.unit.copy;
                        claim.host == self.hosts[other].id
                            && claim.record.speculative
                            && begun
                            && !same
                    })
            });
            if let Some((copy, _)) = theirs {
                let what = format!(
                    "{printer} began {attempt} without the voters, and {} copy {} of the same job",
                    self.hosts[other].name, copy.index
                );
                self.broken("O1", what);
                return;
            }
        }
    }

    /// What a token names: the attempt is in the record of the host that starts it.
    fn meaning(&self, host: usize, token: &str) -> Option<(Attempt, u32)> {
        let mut parts = token.split('/');
        let job: JobId = parts.next()?.parse().ok()?;
        let index: u32 = parts.next()?.parse().ok()?;
        let ballot: u64 = parts.next()?.parse().ok()?;
        let run: u32 = parts.next()?.parse().ok()?;
        // Its journal says so before the start; the record in the document may refuse to.
        let journal = self.hosts[host].memory.values.iter();
        let journal = journal.filter(|(key, _)| key.starts_with(b"work/"));
        let journaled = journal.into_iter().find_map(|(_, value)| {
            let work: serde_json::Value = serde_json::from_slice(value).ok()?;
            // What the voters gave to a print under way later has another ballot; the print keeps its name.
            let same = work["ballot"]["n"].as_u64() == Some(ballot)
                && work["copy"]["index"].as_u64() == Some(u64::from(index))
                || work["printing_as"].as_str() == Some(token);
            same.then(|| work["attempt"].as_u64())?
        });
        let node = self.hosts[host].node()?;
        let copy = CopyId { job, index };
        let recorded = node.queues().into_iter().find_map(|(_, view)| {
            view.snapshot
                .claims_of(copy)
                .find(|claim| claim.host == node.me() && claim.record.ballot.n == ballot)
                .map(|claim| claim.attempt)
        });
        let number = recorded.or(journaled.map(|attempt| attempt as u32))?;
        let unit = Unit {
            job: job.to_string(),
            copy: index,
        };
        Some((Attempt { unit, number }, run))
    }

    fn progress(&mut self, machine: usize) {
        let Some(print) = &self.machines[machine].print else {
            return;
        };
        // Sparse: hours pass in few events. Beats are the node's own business.
        let again = ((print.ends - print.began) / 6).max(60_000);
        self.tell_lie(machine);
        self.progress_report(machine);
        self.physics(machine, again, Physics::Progress);
    }

    fn progress_report(&mut self, machine: usize) {
        if self.machines[machine].said_ended {
            // Some never say that they go on with it.
            let print = self.machines[machine].print.as_ref();
            if print.is_none_or(|print| print.began.is_multiple_of(2)) {
                return;
            }
        }
        self.owns_up(machine);
        let Some(print) = &self.machines[machine].print else {
            return;
        };
        let whole = (print.ends - print.began).max(1);
        let report = PrinterReport::Progress {
            print: print.token.clone(),
            fraction: (self.now - print.began) as f32 / whole as f32,
            left_s: Some(print.ends.saturating_sub(self.now) / 1_000),
            paused: false,
        };
        self.report(machine, report);
    }

    /// A print ends: the heaters go off.
    pub(crate) fn end(&mut self, machine: usize, good: bool, why: &str) {
        let silent = self.machines[machine].said_ended;
        let report = |token| (!silent).then(|| ending(token, good, why));
        self.end_saying(machine, good, report);
    }

    /// A print ends, and the machine says of it whatever it says.
    pub(crate) fn end_saying(
        &mut self,
        machine: usize,
        good: bool,
        report: impl FnOnce(String) -> Option<PrinterReport>,
    ) {
        let printer = self.printer(machine);
        let entry = &mut self.machines[machine];
        let Some(print) = entry.print.take() else {
            return;
        };
        entry.epoch += 1;
        entry.said_ended = false;
        let report = report(print.token.clone());
        let says_good = match &report {
            Some(report) => matches!(report, PrinterReport::Finished { .. }),
            None => good,
        };
        let before = entry.ended.replace((print.token, says_good));
        entry.earlier = before.map(|(token, _)| token).or(entry.earlier.take());
        let clears = entry.clears_itself;
        self.fact(Fact::Ended {
            attempt: print.attempt,
            printer,
            run: print.run,
            good,
        });
        if let Some(report) = report {
            self.report(machine, report);
        }
        if clears {
            self.physics(machine, 30_000, Physics::ClearsItself);
        } else {
            self.person_sees(machine);
        }
    }

    /// A print was stopped because its host asked for it.
    pub(crate) fn abort(&mut self, machine: usize) {
        let Some(token) = self.machines[machine]
            .print
            .as_ref()
            .map(|print| print.token.clone())
        else {
            return;
        };
        let attached = self.machines[machine].attached.take();
        self.end(machine, false, "stopped");
        self.machines[machine].attached = attached;
        self.report(machine, PrinterReport::Aborted { print: token });
    }

    /// Tells the host, if its driver is connected.
    pub(crate) fn report(&mut self, machine: usize, report: PrinterReport) {
        let entry = &self.machines[machine];
        if entry.attached == Some(self.hosts[entry.host].life) {
            self.hosts_report(machine, report);
        }
    }

    fn hosts_report(&mut self, machine: usize, report: PrinterReport) {
        let (host, name) = (
            self.machines[machine].host,
            self.machines[machine].name.clone(),
        );
        self.local(host, 1, Input::Printer { name, report });
    }

    /// The process of a host is gone: what it streamed stops.
    pub(crate) fn drivers_gone(&mut self, host: usize) {
        for machine in 0..self.machines.len() {
            if self.machines[machine].host != host {
                continue;
            }
            self.machines[machine].attached = None;
            if self.machines[machine].kind == Kind::Streamed {
                self.end(machine, false, "its host went away");
            }
        }
    }

    pub(crate) fn unplug(&mut self, machine: usize) {
        self.machines[machine].plugged = false;
        if self.machines[machine].kind == Kind::Streamed {
            self.end(machine, false, "the connection was lost");
        }
        self.report(
            machine,
            PrinterReport::Offline("the connection was lost".to_owned()),
        );
        self.machines[machine].attached = None;
    }

    pub(crate) fn plug_in(&mut self, machine: usize) {
        self.machines[machine].plugged = true;
        let entry = &self.machines[machine];
        let host = &self.hosts[entry.host];
        let wanted = host
            .process
            .as_ref()
            .is_some_and(|process| process.drives.contains(&entry.name));
        if wanted {
            let life = host.life;
            self.physics(machine, 5_000, Physics::Attach { life });
        }
    }
}

pub(crate) fn answering() -> Answering {
    Answering {
        name: "sim".to_owned(),
    }
}

fn ending(print: String, good: bool, why: &str) -> PrinterReport {
    match good {
        true => PrinterReport::Finished { print },
        false => PrinterReport::Failed {
            print,
            reason: why.to_owned(),
        },
    }
}

/// Draws a machine.
pub(crate) fn machine(draw: &mut Draw, host: usize, name: String) -> Machine {
    Machine {
        host,
        name,
        kind: draw.pick(&[Kind::Streamed, Kind::Streamed, Kind::Autonomous]),
        clears_itself: draw.chance(300),
        fails: draw.pick(&[0, 0, 0, 0, 0, 50, 50, 200, 200, 1_000]),
        plugged: true,
        print: None,
        part: false,
        told_clear: false,
        epoch: 0,
        ended: None,
        attached: None,
        unwanted: None,
        lie: None,
        said_ended: false,
        pretends: None,
        earlier: None,
    }
}
