//! A printer that says what is not so, and does what it does not say: firmware that forgets, a status that is late, a sensor that
//! sees nothing. It errs, it does not scheme: it knows no name that nobody told it.
//!
//! What its host was told and had no way to know better is told to the judge ([`Fact::SaidEnded`], `told_clear`). As soon as the
//! machine says something that contradicts it, its host is to know.

use printmesh_node::{Doing, Ended, PrinterReport};

use crate::{
    draw::Draw,
    history::Fact,
    machine::{Kind, Physics, Print},
    nemesis::{Fault, FaultKind},
    people::Act,
    world::World,
};

/// What a printer says that is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Its print stopped early, and it says that it is done.
    StoppedEarly,
    /// It says that its print has ended, well or badly, and goes on with it.
    EndedAndGoesOn,
    /// Its sensor says that the bed is clear, with a part on it or in mid-print.
    BedClear,
    /// Connected anew, it says that it is idle, and prints.
    Idle,
    /// Connected anew, it knows no name of what it prints or has printed.
    ForgetsName,
    /// Connected anew, it gives what it prints or has printed another name, or says so of nothing.
    OtherName,
    /// It reports a job that it never got.
    Stranger,
    /// It says that it could not begin, and has begun.
    RefusedAndBegan,
    /// It says that it has begun, and does nothing; in the end it says that it is done, or that it failed.
    NeverBegan,
}

impl Lie {
    const ALL: &'static [Self] = &[
        Self::StoppedEarly,
        Self::EndedAndGoesOn,
        Self::BedClear,
        Self::Idle,
        Self::ForgetsName,
        Self::OtherName,
        Self::Stranger,
        Self::RefusedAndBegan,
        Self::RefusedAndBegan,
        Self::NeverBegan,
        Self::NeverBegan,
    ];

    /// What is counted when it is only about to be told.
    pub(crate) fn armed(self) -> &'static str {
        match self {
            Self::StoppedEarly => "armed: printer says done, and stopped early",
            Self::EndedAndGoesOn => "armed: printer says ended, and goes on",
            Self::BedClear => "armed: printer says the bed is clear, and it is not",
            Self::Idle => "armed: printer says idle, and prints",
            Self::ForgetsName => "armed: printer forgets the name of its print",
            Self::OtherName => "armed: printer gives its print another name",
            Self::Stranger => "armed: printer reports a job it never got",
            Self::RefusedAndBegan => "armed: printer says refused, and begins",
            Self::NeverBegan => "armed: printer says begun, and does nothing",
        }
    }

    /// What is counted when it is told.
    fn told(self) -> &'static str {
        match self {
            Self::StoppedEarly => "fault: printer says done, and stopped early",
            Self::EndedAndGoesOn => "fault: printer says ended, and goes on",
            Self::BedClear => "fault: printer says the bed is clear, and it is not",
            Self::Idle => "fault: printer says idle, and prints",
            Self::ForgetsName => "fault: printer forgets the name of its print",
            Self::OtherName => "fault: printer gives its print another name",
            Self::Stranger => "fault: printer reports a job it never got",
            Self::RefusedAndBegan => "fault: printer says refused, and begins",
            Self::NeverBegan => "fault: printer says begun, and does nothing",
        }
    }

    /// Whether a host that feeds its printer line by line can be told so: it knows by itself what it has sent.
    fn fits_streamed(self) -> bool {
        matches!(self, Self::StoppedEarly | Self::BedClear)
    }
}

/// Lies of one printer of a farm, if it has one that lies; and which that is, when it is one that prints by itself.
pub(crate) fn lies(
    seed: u64,
    acts: &[(u64, Act)],
    printers: usize,
    until: u64,
) -> Option<(Option<usize>, Vec<Fault>)> {
    let mut draw = Draw::new(seed, "lying printers");
    if !draw.chance(250) {
        return None;
    }
    let liar = draw.index(printers);
    let alone = draw.chance(850).then_some(liar);
    let count = draw.between(4, 9);
    let lies = (0..count).map(|_| Fault {
        index: 0,
        kind: FaultKind::Lies(draw.pick(Lie::ALL)),
        at: match draw.chance(700) {
            // Most where something happens.
            true => acts[draw.index(acts.len())].0 + draw.below(10 * 60_000),
            false => draw.below(until),
        },
        for_ms: draw.between(10 * 60_000, 3 * 3_600_000),
        host: 0,
        other: liar,
        number: draw.next(),
    });
    Some((alone, lies.collect()))
}

impl World {
    /// A printer is about to lie; at once if it can. Returns whether it will.
    pub(crate) fn lies(&mut self, lie: Lie, fault: &Fault) -> bool {
        let machine = fault.other;
        let entry = &mut self.machines[machine];
        if entry.kind == Kind::Streamed && !lie.fits_streamed() {
            return false;
        }
        entry.lie = Some((lie, fault.number));
        let waits = matches!(
            lie,
            Lie::StoppedEarly | Lie::EndedAndGoesOn | Lie::RefusedAndBegan | Lie::NeverBegan
        );
        // Of a print it lies when there is one.
        if !waits && (lie == Lie::Stranger || fault.number.is_multiple_of(3)) {
            self.tell_lie(machine);
        }
        true
    }

    /// Tells what is about to be told, if it can be told now.
    pub(crate) fn tell_lie(&mut self, machine: usize) {
        let entry = &self.machines[machine];
        let Some((lie, number)) = entry.lie else {
            return;
        };
        if entry.attached != Some(self.hosts[entry.host].life) || entry.said_ended {
            return;
        }
        let print = entry.print.clone();
        match (lie, print) {
            (Lie::StoppedEarly, Some(print)) => {
                let done = PrinterReport::Finished { print: print.token };
                self.end_saying(machine, false, |_| Some(done));
            }
            (Lie::EndedAndGoesOn, Some(print)) => {
                let report = match number % 2 {
                    0 => PrinterReport::Finished {
                        print: print.token.clone(),
                    },
                    _ => PrinterReport::Failed {
                        print: print.token.clone(),
                        reason: "it says that it failed".to_owned(),
                    },
                };
                self.says_ended(machine, &print);
                self.report(machine, report);
            }
            (Lie::BedClear, print) => {
                let entry = &mut self.machines[machine];
                if !entry.part {
                    return;
                }
                // In mid-print its host is not to believe that.
                entry.told_clear |= print.is_none();
                self.report(machine, PrinterReport::BedCleared);
            }
            (Lie::Idle, None) => return,
            (Lie::Idle | Lie::ForgetsName | Lie::OtherName, _) => {
                // The connection breaks, and the next one begins with the lie.
                self.report(
                    machine,
                    PrinterReport::Offline("the connection was lost".to_owned()),
                );
                let life = self.hosts[self.machines[machine].host].life;
                self.machines[machine].attached = None;
                self.physics(machine, 5_000, Physics::Attach { life });
                return;
            }
            (Lie::Stranger, _) => {
                let token = self.other_token(machine, number);
                let report = match number / 8 % 5 {
                    0 => PrinterReport::Began { print: token },
                    1 => PrinterReport::Progress {
                        print: token,
                        fraction: 0.5,
                        left_s: Some(600),
                        paused: false,
                    },
                    2 => PrinterReport::Finished { print: token },
                    3 => PrinterReport::Failed {
                        print: token,
                        reason: "it never got that".to_owned(),
                    },
                    _ => PrinterReport::Aborted { print: token },
                };
                self.report(machine, report);
                // Somebody goes and looks.
                self.person_sees(machine);
            }
            (
                Lie::StoppedEarly | Lie::EndedAndGoesOn | Lie::RefusedAndBegan | Lie::NeverBegan,
                _,
            ) => {
                return;
            }
        }
        self.lie_told(machine);
    }

    /// A lie is told: it is counted, and not told again.
    pub(crate) fn lie_told(&mut self, machine: usize) {
        if let Some((lie, _)) = self.machines[machine].lie.take() {
            self.coverage.hit(lie.told());
        }
    }

    /// The machine says that a print is over with which it goes on.
    pub(crate) fn says_ended(&mut self, machine: usize, print: &Print) {
        let printer = self.printer(machine);
        self.machines[machine].said_ended = true;
        self.fact(Fact::SaidEnded {
            attempt: print.attempt.clone(),
            printer,
        });
    }

    /// What the machine says, connected anew, when it is about to lie of that; `None` = the truth.
    pub(crate) fn false_doing(&mut self, machine: usize) -> Option<Doing> {
        let entry = &self.machines[machine];
        let (lie, number) = entry.lie?;
        let print = entry.print.clone();
        let doing = match (lie, print) {
            (Lie::Idle, Some(print)) => match number / 8 % 3 {
                0 => Doing::Idle { last: None },
                1 => Doing::Idle {
                    last: Some((self.other_token(machine, number), Ended::Finished)),
                },
                // It says how that very print ended.
                _ => {
                    self.says_ended(machine, &print);
                    let ended = match number / 64 % 3 {
                        0 => Ended::Finished,
                        1 => Ended::Aborted,
                        _ => Ended::Failed("it says that it failed".to_owned()),
                    };
                    Doing::Idle {
                        last: Some((print.token, ended)),
                    }
                }
            },
            (Lie::ForgetsName, Some(_)) => Doing::Printing { print: None },
            (Lie::ForgetsName, None) => Doing::Idle { last: None },
            (Lie::OtherName, Some(_)) => Doing::Printing {
                print: Some(self.other_token(machine, number)),
            },
            (Lie::OtherName, None) => {
                let token = self.other_token(machine, number);
                match number / 8 % 2 {
                    0 => Doing::Printing { print: Some(token) },
                    _ => Doing::Idle {
                        last: Some((token, Ended::Finished)),
                    },
                }
            }
            _ => return None,
        };
        self.lie_told(machine);
        Some(doing)
    }

    /// A name that is not that of its print: of an earlier one, of another machine's, or of nothing.
    fn other_token(&self, machine: usize, number: u64) -> String {
        let mine = self.machines[machine]
            .print
            .as_ref()
            .map(|print| &print.token);
        let others = self.machines.iter().enumerate();
        let others = others.filter(|(n, _)| *n != machine || number.is_multiple_of(2));
        let names = others.flat_map(|(_, other)| {
            let ended = other.ended.as_ref().map(|(token, _)| token);
            let print = other.print.as_ref().map(|print| &print.token);
            ended.into_iter().chain(print).chain(other.earlier.iter())
        });
        let names: Vec<&String> = names.filter(|name| Some(*name) != mine).collect();
        match names.is_empty() || (number / 4).is_multiple_of(4) {
            true => "CUBE~1.GCO".to_owned(),
            false => names[(number / 16) as usize % names.len()].clone(),
        }
    }

    /// Whether a start is one of which the machine lies.
    pub(crate) fn lies_of_start(&self, machine: usize) -> Option<Lie> {
        let (lie, _) = self.machines[machine].lie?;
        matches!(lie, Lie::RefusedAndBegan | Lie::NeverBegan).then_some(lie)
    }

    /// It says that it could not begin what it has begun.
    pub(crate) fn refused_and_began(&mut self, machine: usize) {
        let Some(print) = self.machines[machine].print.clone() else {
            return;
        };
        self.lie_told(machine);
        self.says_ended(machine, &print);
        // As far as its host was told, nothing lies on the bed.
        self.machines[machine].told_clear = true;
        let reason = "it does not answer".to_owned();
        let print = print.token;
        self.report(machine, PrinterReport::Failed { print, reason });
    }

    /// It takes the order, says that it has begun, and does nothing.
    pub(crate) fn never_begins(&mut self, machine: usize, token: String, length_ms: u64) {
        let number = self.machines[machine].lie.map_or(0, |(_, number)| number);
        self.lie_told(machine);
        let entry = &mut self.machines[machine];
        entry.pretends = Some(token.clone());
        entry.epoch += 1;
        entry.ended = None;
        self.report(machine, PrinterReport::Began { print: token });
        let good = number.is_multiple_of(2);
        self.physics(
            machine,
            length_ms / 2 + 60_000,
            Physics::EndsPretence { good },
        );
    }

    /// It says how the print ended that never was.
    pub(crate) fn ends_pretence(
        &mut self,
        machine: usize,
        report: impl FnOnce(String) -> PrinterReport,
    ) {
        let Some(token) = self.machines[machine].pretends.take() else {
            return;
        };
        self.machines[machine].epoch += 1;
        let report = report(token.clone());
        let good = matches!(report, PrinterReport::Finished { .. });
        self.machines[machine].ended = Some((token, good));
        self.report(machine, report);
        self.person_sees(machine);
    }

    /// It says again that it prints what it had said to be over: from now on its host can know.
    pub(crate) fn owns_up(&mut self, machine: usize) {
        let entry = &mut self.machines[machine];
        if entry.print.is_none() {
            return;
        }
        entry.told_clear = false;
        if std::mem::take(&mut entry.said_ended) {
            self.coverage.hit("machine: takes back that it has ended");
        }
    }
}
