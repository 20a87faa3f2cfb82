//! The laws of CLAIMS.md, judged fact by fact: what no farm may ever do, whatever breaks.
//!
//! They know nothing of the simulator, so a history that was recorded from real processes is judged by the very same code. What
//! a law assumes stands beside it.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Attempt, Ballot, Config, Fact, History, Outcome, Owner, Printer, Unit};

#[cfg(test)]
mod tests;

/// A start may rest on a decision, or on a gate, that is two minutes old (`confirm auto`), and a driver takes a while.
const GATE_MS: u64 = 150_000;

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub law: &'static str,
    /// What happened.
    pub what: String,
}

/// All laws by name, with what each says.
pub const LAWS: &[(&str, &str)] = &[
    ("I1", "the voters give an attempt to one owner, for ever"),
    ("T", "voters that follow others know what those gave away"),
    (
        "I2",
        "nothing starts before a majority of the voters has given it to that very printer, or its start without them is on record",
    ),
    (
        "I3",
        "no print of an attempt begins twice, whatever crashed in between",
    ),
    (
        "I4",
        "no copy and no job is finished more often than wanted, written off or booked as surplus",
    ),
    (
        "I5",
        "no two printers make one copy at the same time, unless one was written off, was started without the voters, or said falsely that it had ended",
    ),
    ("I6", "what was taken out of the queue never starts"),
    ("I7", "what was written off before its gate never starts"),
    (
        "I8",
        "the next attempt starts only after the one before it was closed",
    ),
    (
        "O1",
        "starts beyond what was wanted are at most one per side without a quorum",
    ),
    (
        "O2",
        "once the voters have decided about what began without them, no more copies count as finished than are wanted or written off",
    ),
    (
        "O3",
        "no more copies start than are wanted, written off, given away again by a recovery or started without the voters; in peace not even those",
    ),
    (
        "S",
        "no print begins on a decision that is older than a minute",
    ),
    (
        "N",
        "no host uses a ballot twice, whatever crashed in between",
    ),
    ("C", "hosts that have the same changes read the same"),
    (
        "A",
        "a job that was answered with an id is never lost, not by any crash",
    ),
    (
        "B",
        "no print begins on a part, unless a person, a sensor or the printer itself said that the bed is clear",
    ),
    (
        "D",
        "a power cut never damages the state database, and what was committed is there",
    ),
    ("H", "no host panics, whatever it is told"),
    ("F", "nothing that a member forged is ever taken in"),
    (
        "P",
        "a proof that a member told two stories is never forgotten, and known to all or to nobody in the end",
    ),
    ("L", "after the last fault everything comes to its end"),
    (
        "L1",
        "a printer that could begin a copy all the time begins within a lease and its turn, once all is well",
    ),
    (
        "L2",
        "what a lost host had claimed is open again after a lease, and what it had begun after the queue's silence",
    ),
    (
        "L4",
        "what was started without the voters is decided soon after the last fault",
    ),
    (
        "Q",
        "a host comes to rest: it does not work for ever on one input",
    ),
];

/// Hosts that accepted, by configuration, ballot and owner.
type Accepts = BTreeMap<(Config, Ballot, Owner), BTreeSet<String>>;

/// Judges facts as they come.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    jobs: BTreeMap<String, Job>,
    voters: BTreeMap<Config, BTreeSet<String>>,
    /// Who accepted what, by attempt, configuration, ballot and owner.
    accepted: BTreeMap<Attempt, Accepts>,
    chosen: BTreeMap<Attempt, BTreeSet<Owner>>,
    /// The same by era: within one, an attempt has one owner.
    chosen_in: BTreeMap<(Attempt, u32), Owner>,
    /// The voters who gave an attempt away first.
    chosen_by: BTreeMap<Attempt, Config>,
    asked: BTreeMap<Ballot, Vec<Attempt>>,
    lost: BTreeMap<Attempt, BTreeMap<Config, BTreeSet<String>>>,
    speculated: BTreeSet<(Attempt, Printer)>,
    went_on: BTreeSet<(Attempt, Printer)>,
    /// Of the newest voters: a recovery cannot know what only the lost ones had taken out.
    era: u32,
    begun: BTreeMap<Attempt, BTreeMap<Printer, BTreeSet<u32>>>,
    printing: BTreeMap<Unit, BTreeSet<Printer>>,
    outcomes: BTreeMap<Attempt, BTreeMap<Printer, Outcome>>,
    resolved: BTreeSet<Attempt>,
    /// Jobs of a host's own queue that was restored from a backup: it prints again what it printed since (SAFETY.md, Open).
    again: BTreeSet<String>,
    /// When a majority had written an attempt off.
    lost_at: BTreeMap<Attempt, u64>,
}

#[derive(Clone, Debug, Default)]
struct Job {
    copies: u32,
    /// Somebody was answered that it is out, in this era of the voters.
    taken_out: Option<u32>,
}

impl Judge {
    /// Judges a whole history.
    ///
    /// # Errors
    /// The first law that it breaks.
    pub fn history(facts: &History) -> Result<Self, Violation> {
        let mut judge = Self::default();
        for (at, fact) in facts {
            judge.see(*at, fact)?;
        }
        Ok(judge)
    }

    /// The only host of a queue was restored from a backup.
    pub fn restored_alone(&mut self, queue: &str) {
        let of_it = |accepts: &Accepts| accepts.keys().any(|(cfg, ..)| cfg.queue == queue);
        let given = self.accepted.iter().filter(|(_, accepts)| of_it(accepts));
        let jobs = given.map(|(attempt, _)| attempt.unit.job.clone());
        self.again.extend(jobs.collect::<Vec<_>>());
    }

    /// Judges the next fact, with its time in milliseconds.
    ///
    /// # Errors
    /// The law that it breaks.
    pub fn see(&mut self, at_ms: u64, fact: &Fact) -> Result<(), Violation> {
        let of_again = |attempt: &Attempt| self.again.contains(&attempt.unit.job);
        if fact.attempt().is_some_and(of_again) {
            return Ok(());
        }
        match fact {
            Fact::Submitted { job, copies, .. } | Fact::Copies { job, copies } => {
                // The most that was ever wanted: a copy may have been begun before the number went down.
                let entry = self.jobs.entry(job.clone()).or_default();
                entry.copies = entry.copies.max(*copies);
                Ok(())
            }
            Fact::TakenOut { job } => {
                self.jobs.entry(job.clone()).or_default().taken_out = Some(self.era);
                Ok(())
            }
            Fact::Voters { cfg, hosts } => {
                self.era = self.era.max(era(cfg));
                let hosts: BTreeSet<String> = hosts.iter().cloned().collect();
                match self.voters.insert(cfg.clone(), hosts.clone()) {
                    Some(other) if other != hosts => Err(Violation {
                        law: "I1",
                        what: format!(
                            "two lists of voters are number {}: {other:?}, {hosts:?}",
                            cfg.number
                        ),
                    }),
                    _ => Ok(()),
                }
            }
            Fact::Asked { ballot, attempts } => match self.asked.get(ballot) {
                Some(other) if other != attempts => Err(Violation {
                    law: "N",
                    what: format!(
                        "ballot {} of {} asks for {} and asked for {}",
                        ballot.0,
                        ballot.1,
                        words(attempts),
                        words(other)
                    ),
                }),
                Some(_) => Ok(()),
                None => {
                    self.asked.insert(ballot.clone(), attempts.clone());
                    Ok(())
                }
            },
            Fact::Accepted {
                voter,
                cfg,
                attempt,
                ballot,
                owner,
            } => {
                let key = (cfg.clone(), ballot.clone(), owner.clone());
                let votes = self.accepted.entry(attempt.clone()).or_default();
                votes.entry(key).or_default().insert(voter.clone());
                self.decide(attempt, cfg, ballot, owner)
            }
            Fact::Speculated { attempt, printer } => {
                self.speculated.insert((attempt.clone(), printer.clone()));
                Ok(())
            }
            Fact::WentOn { attempt, printer } => {
                self.went_on.insert((attempt.clone(), printer.clone()));
                Ok(())
            }
            Fact::Lost {
                voter,
                cfg,
                attempt,
            } => {
                let signed = self.lost.entry(attempt.clone()).or_default();
                signed.entry(cfg.clone()).or_default().insert(voter.clone());
                if self.is_lost(attempt) {
                    self.lost_at.entry(attempt.clone()).or_insert(at_ms);
                }
                Ok(())
            }
            Fact::Recorded {
                attempt,
                printer,
                outcome,
            } => self.recorded(attempt, printer, *outcome),
            Fact::Resolved { attempt } => {
                self.resolved.insert(attempt.clone());
                Ok(())
            }
            Fact::Began {
                attempt,
                printer,
                run,
            } => self.began(at_ms, attempt, printer, *run),
            // What a printer says of itself is all that its host can know: from there on it counts as ended.
            Fact::SaidEnded { attempt, printer }
            | Fact::Ended {
                attempt, printer, ..
            } => {
                if let Some(printing) = self.printing.get_mut(&attempt.unit) {
                    printing.remove(printer);
                }
                Ok(())
            }
            Fact::OntoPart {
                printer,
                told_clear,
            } => match told_clear {
                true => Ok(()),
                false => Err(Violation {
                    law: "B",
                    what: format!("{printer} began on top of a part"),
                }),
            },
        }
    }

    fn decide(
        &mut self,
        attempt: &Attempt,
        cfg: &Config,
        ballot: &Ballot,
        owner: &Owner,
    ) -> Result<(), Violation> {
        let key = (cfg.clone(), ballot.clone(), owner.clone());
        let yes = &self.accepted[attempt][&key];
        let Some(voters) = self.voters.get(cfg) else {
            return Ok(());
        };
        if yes.intersection(voters).count() <= voters.len() / 2 {
            return Ok(());
        }
        self.chosen_by
            .entry(attempt.clone())
            .or_insert_with(|| cfg.clone());
        let chosen = self.chosen.entry(attempt.clone()).or_default();
        chosen.insert(owner.clone());
        let in_era = self.chosen_in.entry((attempt.clone(), era(cfg)));
        let given = in_era.or_insert_with(|| owner.clone());
        if given != owner {
            return Err(Violation {
                law: "I1",
                what: format!("{attempt} was given to {given} and to {owner}"),
            });
        }
        let begun = self.begun.range(first(&attempt.unit, attempt.number)..);
        let late = begun
            .take_while(|(other, _)| other.unit == attempt.unit)
            .filter(|(other, _)| !self.is_forgotten(other, cfg))
            .find(|(other, printers)| {
                printers.keys().any(|printer| {
                    !self
                        .speculated
                        .contains(&((*other).clone(), printer.clone()))
                })
            });
        match (owner, late) {
            (Owner::Withdraw(by), Some((other, _)))
                if self.is_reopened(attempt, by) && other.number > attempt.number =>
            {
                Ok(())
            }
            (Owner::Withdraw(by), Some((other, _))) if !self.is_lost(attempt) => Err(Violation {
                law: "I6",
                what: format!("{by} took {attempt} out, and {other} had begun"),
            }),
            _ => Ok(()),
        }
    }

    /// Whether a recovery cannot know that an attempt was given away: only the lost voters had that.
    fn is_forgotten(&self, attempt: &Attempt, cfg: &Config) -> bool {
        let known = self.chosen_in.get(&(attempt.clone(), era(cfg)));
        era(cfg) > 0 && !matches!(known, Some(Owner::Print(_)))
    }

    /// Returns what older voters of a queue gave away and what has not ended since: whoever follows them must know of it.
    pub fn given_before<'a>(&'a self, cfg: &'a Config) -> impl Iterator<Item = &'a Attempt> {
        let older = self.chosen_by.iter().filter(move |(_, by)| {
            by.queue == cfg.queue && by.number < cfg.number && era(by) == era(cfg)
        });
        older
            .map(|(attempt, _)| attempt)
            .filter(|attempt| !self.outcomes.contains_key(*attempt) && !self.is_lost(attempt))
    }

    /// Returns whether a printer started an attempt without the voters, and they have not given it to that printer since.
    pub fn is_without(&self, attempt: &Attempt, printer: &Printer) -> bool {
        let mine = Owner::Print(printer.clone());
        let given = self
            .chosen
            .get(attempt)
            .is_some_and(|owners| owners.contains(&mine));
        let alone = (attempt.clone(), printer.clone());
        !given && self.speculated.contains(&alone)
    }

    /// Returns whether a majority wrote an attempt off.
    pub fn is_lost(&self, attempt: &Attempt) -> bool {
        self.lost.get(attempt).is_some_and(|by_cfg| {
            by_cfg.iter().any(|(cfg, signed)| {
                self.voters
                    .get(cfg)
                    .is_some_and(|voters| signed.intersection(voters).count() > voters.len() / 2)
            })
        })
    }

    /// Attempts of a copy that a majority wrote off, or that a recovery gave away once more.
    fn lost_of(&self, unit: &Unit) -> usize {
        let lost = self
            .lost
            .keys()
            .filter(|attempt| attempt.unit == *unit && self.is_lost(attempt))
            .count();
        lost + self.again(|attempt| attempt.unit == *unit)
    }

    /// How often a recovery gave attempts away that voters had given away whom nobody could ask any more.
    fn again(&self, of: impl Fn(&Attempt) -> bool) -> usize {
        let chosen = self.chosen.iter().filter(|(attempt, _)| of(attempt));
        chosen.map(|(_, owners)| owners.len() - 1).sum()
    }

    fn speculated_of(&self, unit: &Unit) -> usize {
        self.speculated
            .iter()
            .filter(|(attempt, _)| attempt.unit == *unit)
            .count()
    }

    fn recorded(
        &mut self,
        attempt: &Attempt,
        printer: &Printer,
        outcome: Outcome,
    ) -> Result<(), Violation> {
        let records = self.outcomes.entry(attempt.clone()).or_default();
        records.insert(printer.clone(), outcome);
        if outcome != Outcome::Finished {
            return Ok(());
        }
        let finished = |unit: Option<&Unit>| {
            let records = self.outcomes.iter();
            records
                .filter(|(other, _)| other.unit.job == attempt.unit.job)
                .filter(|(other, _)| unit.is_none_or(|unit| other.unit == *unit))
                .flat_map(|(_, records)| records.values())
                .filter(|outcome| **outcome == Outcome::Finished)
                .count()
        };
        let copies = finished(Some(&attempt.unit));
        let allowed = 1 + self.lost_of(&attempt.unit) + self.speculated_of(&attempt.unit);
        if copies > allowed {
            return Err(Violation {
                law: "I4",
                what: format!("{attempt} makes {copies} finished of one copy"),
            });
        }
        let Some(job) = self.jobs.get(&attempt.unit.job) else {
            return Ok(());
        };
        let lost = self
            .lost
            .keys()
            .filter(|other| other.unit.job == attempt.unit.job && self.is_lost(other))
            .count();
        let again = self.again(|other| other.unit.job == attempt.unit.job);
        let all = finished(None);
        // What was started without the voters counts as finished only once they have decided about it.
        if all > job.copies as usize + lost + again {
            return Err(Violation {
                law: "O2",
                what: format!(
                    "{all} copies of {} are finished, {} were wanted",
                    attempt.unit.job, job.copies
                ),
            });
        }
        Ok(())
    }

    fn began(
        &mut self,
        at_ms: u64,
        attempt: &Attempt,
        printer: &Printer,
        run: u32,
    ) -> Result<(), Violation> {
        let broken = |law, what| Err(Violation { law, what });
        let alone = self
            .speculated
            .contains(&(attempt.clone(), printer.clone()));
        let chosen = self.chosen.get(attempt);
        let mine = Owner::Print(printer.clone());
        if !alone && !chosen.is_some_and(|chosen| chosen.contains(&mine)) {
            let by = chosen.and_then(|chosen| chosen.first());
            let given = by.map_or("nobody".to_owned(), ToString::to_string);
            return broken(
                "I2",
                format!("{printer} began {attempt}, which was given to {given}"),
            );
        }
        // It was in the queue when the copy began, and who cannot hear of the rest is to bring it to its end.
        let mine = (attempt.clone(), printer.clone());
        let goes_on = self.begun.contains_key(attempt) && self.went_on.contains(&mine);
        if self
            .jobs
            .get(&attempt.unit.job)
            .is_some_and(|job| job.taken_out == Some(self.era))
            && !alone
            && !goes_on
        {
            return broken(
                "I6",
                format!("{printer} began {attempt} of a job that was taken out"),
            );
        }
        let taken = self.chosen.range(..=attempt.clone()).rev();
        let taken = taken.take_while(|(other, _)| other.unit == attempt.unit);
        for (other, owners) in taken {
            let known = self.chosen_in.get(&(other.clone(), self.era));
            let forgotten = self.era > 0 && !matches!(known, Some(Owner::Withdraw(_)));
            let out = owners.iter().any(|owner| match owner {
                Owner::Withdraw(by) => !forgotten && !self.is_reopened(other, by),
                Owner::Print(_) => false,
            });
            if out && !alone && !goes_on && !self.is_lost(other) {
                return broken(
                    "I6",
                    format!("{printer} began {attempt} after {other} was taken out"),
                );
            }
        }
        let gate = self.lost_at.get(attempt).map(|lost| lost + GATE_MS);
        let first = !self.begun.contains_key(attempt);
        if first && !alone && gate.is_some_and(|gate| at_ms > gate) {
            return broken(
                "I7",
                format!("{printer} began {attempt}, which had been written off"),
            );
        }
        if let Some(previous) = attempt.number.checked_sub(1) {
            let previous = Attempt {
                unit: attempt.unit.clone(),
                number: previous,
            };
            if !self.is_closed(&previous) && !alone {
                return broken(
                    "I8",
                    format!("{printer} began {attempt}, and {previous} is open"),
                );
            }
        }
        let printers = self.begun.entry(attempt.clone()).or_default();
        if !printers.entry(printer.clone()).or_default().insert(run) {
            return broken(
                "I3",
                format!("{printer} began print {run} of {attempt} twice"),
            );
        }
        let (lost, alone) = (
            self.lost_of(&attempt.unit),
            self.speculated_of(&attempt.unit),
        );
        let printing = self.printing.entry(attempt.unit.clone()).or_default();
        printing.insert(printer.clone());
        if printing.len() > 1 + lost + alone {
            let who: Vec<String> = printing.iter().map(ToString::to_string).collect();
            return broken(
                "I5",
                format!("{} print {attempt} at once", who.join(" and ")),
            );
        }
        Ok(())
    }

    /// The hosts whose printers an attempt was given to.
    pub fn given_to(&self, attempt: &Attempt) -> impl Iterator<Item = &str> {
        let owners = self.chosen.get(attempt).into_iter().flatten();
        owners.filter_map(|owner| match owner {
            Owner::Print(printer) => Some(printer.host.as_str()),
            Owner::Withdraw(_) => None,
        })
    }

    /// Whether the voters let a host take a copy out.
    pub fn is_taken_out_by(&self, attempt: &Attempt, host: &str) -> bool {
        let mut owners = self.chosen.get(attempt).into_iter().flatten();
        owners.any(|owner| matches!(owner, Owner::Withdraw(by) if by == host))
    }

    /// Whoever took a copy out gave it back: the next attempt may be made.
    fn is_reopened(&self, attempt: &Attempt, by: &str) -> bool {
        let nobody = Printer {
            host: by.to_owned(),
            name: String::new(),
        };
        let records = self.outcomes.get(attempt);
        records.and_then(|records| records.get(&nobody)) == Some(&Outcome::Released)
    }

    /// Closed: its owner gave it back or failed, a majority wrote it off, or a person resolved it.
    fn is_closed(&self, attempt: &Attempt) -> bool {
        let reopened = self.chosen.get(attempt).is_some_and(|owners| {
            owners.iter().any(|owner| match owner {
                Owner::Withdraw(by) => self.is_reopened(attempt, by),
                Owner::Print(_) => false,
            })
        });
        let given_back = self.outcomes.get(attempt).is_some_and(|records| {
            records.iter().any(|(printer, outcome)| {
                let mine = Owner::Print(printer.clone());
                matches!(outcome, Outcome::Failed | Outcome::Released)
                    && self
                        .chosen
                        .get(attempt)
                        .is_some_and(|chosen| chosen.contains(&mine))
            })
        });
        given_back || reopened || self.is_lost(attempt) || self.resolved.contains(attempt)
    }

    /// Returns how many copies of a job began in excess of what was wanted: attempts whose one before was not closed as failed.
    pub fn overshoot(&self, job: &str) -> usize {
        let begun = self
            .begun
            .iter()
            .filter(|(attempt, _)| attempt.unit.job == job);
        let mut starts = 0;
        let mut closed = 0;
        for (attempt, printers) in begun {
            starts += printers.len();
            closed += usize::from(self.is_closed(attempt));
        }
        let wanted = self.jobs.get(job).map_or(0, |job| job.copies as usize);
        starts.saturating_sub(wanted + closed)
    }

    /// Judges a farm at rest: what was started without the voters is reconciled by then.
    ///
    /// # Errors
    /// The law that is broken.
    pub fn at_rest(&self) -> Result<(), Violation> {
        for (job, entry) in &self.jobs {
            let of_job = |attempt: &Attempt| attempt.unit.job == *job;
            let records = self.outcomes.iter().filter(|(attempt, _)| of_job(attempt));
            let records = records.flat_map(|(_, records)| records.values());
            let finished = records
                .filter(|outcome| **outcome == Outcome::Finished)
                .count();
            let lost = self
                .lost
                .keys()
                .filter(|attempt| of_job(attempt) && self.is_lost(attempt));
            let allowed = entry.copies as usize + lost.count() + self.again(of_job);
            if finished > allowed {
                return Err(Violation {
                    law: "O2",
                    what: format!(
                        "at rest {finished} copies of {job} count as finished, {} were wanted",
                        entry.copies
                    ),
                });
            }
            let alone = self.speculated.iter();
            let alone = alone.filter(|(attempt, _)| of_job(attempt)).count();
            let lost = self.lost.keys();
            let lost = lost.filter(|attempt| of_job(attempt) && self.is_lost(attempt));
            let over = self.overshoot(job);
            // An attempt that is closed is not counted twice.
            if over > lost.count() + self.again(of_job) + alone {
                return Err(Violation {
                    law: "O3",
                    what: format!("{over} copies of {job} began beyond what was wanted"),
                });
            }
        }
        Ok(())
    }

    /// Returns every job that was answered with an id.
    pub fn jobs(&self) -> impl Iterator<Item = &str> {
        self.jobs.keys().map(String::as_str)
    }
}

/// A recovery begins anew: what the lost voters knew is lost (`printmesh_queue::ERA`).
fn era(cfg: &Config) -> u32 {
    cfg.number >> 20
}

fn words(attempts: &[Attempt]) -> String {
    let words: Vec<String> = attempts.iter().map(ToString::to_string).collect();
    words.join(", ")
}

fn first(unit: &Unit, number: u32) -> Attempt {
    Attempt {
        unit: unit.clone(),
        number,
    }
}
