//! What happened in a farm, as plain facts in the order in which they happened: judged by the laws, whoever recorded it.
//!
//! A fact is physical (a heater came on), durable (a voter's disk says so), or was answered to a person. No node's opinion is one.

use std::fmt;

/// One copy of a job: what is claimed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// The job's id.
    pub job: String,
    /// The copy, from 0.
    pub copy: u32,
}

/// One try to make a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The copy.
    pub unit: Unit,
    /// The try, from 0.
    pub number: u32,
}

/// A printer of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Printer {
    /// Name or key of the host.
    pub host: String,
    /// Name of the printer there.
    pub name: String,
}

/// What the voters can give an attempt to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A printer.
    Print(Printer),
    /// Whoever takes the copy out of the queue.
    Withdraw(String),
}

/// What the holder's record says of an attempt, as far as laws need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Given up before a start: the same attempt may be claimed again.
    Dropped,
    /// Given back after the voters' decision, before anything was printed.
    Released,
    /// A run ended badly.
    Failed,
    /// Every run was good.
    Finished,
    /// Counts for another copy of the job.
    Credited,
    /// Finished, and one more than was wanted.
    Surplus,
    /// Nobody can know.
    Unknown,
}

/// A list of voters: its number in its queue.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Config {
    /// The queue's id.
    pub queue: String,
    /// The number.
    pub number: u32,
}

/// A ballot, in the order of ballots.
pub type Ballot = (u64, String, String);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Somebody was answered with a job's id.
    Submitted {
        /// The job.
        job: String,
        /// Copies wanted.
        copies: u32,
        /// Prints of each copy.
        runs: u32,
    },
    /// Somebody was answered that a job wants so many copies from now on.
    Copies {
        /// The job.
        job: String,
        /// Copies wanted.
        copies: u32,
    },
    /// Somebody was answered that a job is out of its queue: cancelled, or moved.
    TakenOut {
        /// The job.
        job: String,
    },
    /// A voter configuration that some host goes by.
    Voters {
        /// Its number.
        cfg: Config,
        /// The hosts.
        hosts: Vec<String>,
    },
    /// A proposer asked voters to promise: each of its ballots is for one question, for ever.
    Asked {
        /// The ballot.
        ballot: Ballot,
        /// All that is asked for at once.
        attempts: Vec<Attempt>,
    },
    /// A voter's disk says that it accepted.
    Accepted {
        /// The voter.
        voter: String,
        /// The configuration by which it voted.
        cfg: Config,
        /// The attempt.
        attempt: Attempt,
        /// The ballot.
        ballot: Ballot,
        /// Who gets the attempt.
        owner: Owner,
    },
    /// A printer starts without the voters, as the queue's level allows it.
    Speculated {
        /// The attempt.
        attempt: Attempt,
        /// The printer.
        printer: Printer,
    },
    /// A printer goes on with a copy that it has begun, although its host cannot reach the voters, as the queue's level
    /// allows it.
    WentOn {
        /// The attempt.
        attempt: Attempt,
        /// The printer.
        printer: Printer,
    },
    /// A voter signed that the holder of an attempt is not coming back.
    Lost {
        /// The voter.
        voter: String,
        /// The configuration by which it voted.
        cfg: Config,
        /// The attempt.
        attempt: Attempt,
    },
    /// What the holder's record says.
    Recorded {
        /// The attempt.
        attempt: Attempt,
        /// The printer.
        printer: Printer,
        /// What it says.
        outcome: Outcome,
    },
    /// A person said how an attempt ended, or that another may be made.
    Resolved {
        /// The attempt.
        attempt: Attempt,
    },
    /// A heater or a motor came on.
    Began {
        /// The attempt.
        attempt: Attempt,
        /// The printer.
        printer: Printer,
        /// Which print of the copy.
        run: u32,
    },
    /// The print ended, well or not, and the heaters are off.
    Ended {
        /// The attempt.
        attempt: Attempt,
        /// The printer.
        printer: Printer,
        /// Which print of the copy.
        run: u32,
        /// Whether the part is good.
        good: bool,
    },
    /// A printer told its host that its print is over, or never began, and goes on with it.
    SaidEnded {
        /// The attempt.
        attempt: Attempt,
        /// The printer.
        printer: Printer,
    },
    /// A print began with a part on the bed.
    OntoPart {
        /// The printer.
        printer: Printer,
        /// Whether a person, a sensor or the printer had said, wrongly, that the bed is clear, and not taken it back.
        told_clear: bool,
    },
}

impl Fact {
    /// Returns the attempt that it is about; `None` when it is about none or several.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Accepted { attempt, .. }
            | Self::Speculated { attempt, .. }
            | Self::WentOn { attempt, .. }
            | Self::Lost { attempt, .. }
            | Self::Recorded { attempt, .. }
            | Self::Resolved { attempt }
            | Self::Began { attempt, .. }
            | Self::Ended { attempt, .. }
            | Self::SaidEnded { attempt, .. } => Some(attempt),
            Self::Submitted { .. }
            | Self::Copies { .. }
            | Self::TakenOut { .. }
            | Self::Voters { .. }
            | Self::Asked { .. }
            | Self::OntoPart { .. } => None,
        }
    }
}

/// Facts in order, each with its time in milliseconds by the one clock of whoever recorded them.
pub type History = Vec<(u64, Fact)>;

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = self.unit.job.get(..8).unwrap_or(&self.unit.job);
        write!(f, "{job}/{}#{}", self.unit.copy, self.number)
    }
}

impl fmt::Display for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.name)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Print(printer) => write!(f, "{printer}"),
            Self::Withdraw(by) => write!(f, "taken out by {by}"),
        }
    }
}
