//! What real hosts and their printers left behind, as the plain facts that the laws of the simulator judge.
//!
//! The hosts are stopped: votes and documents are read from their disks, when they voted from their logs, and what the
//! printers did from the printers' own journals, not from their hosts. All run on one machine, so their clocks are one clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use printmesh_node::{Value, Vote};
use printmesh_queue::{
    Author, ClaimState, CopyId, HostId, QueueDocument, QueueId, SignedChange, Snapshot,
    VersionVector,
};
use printmesh_sim::history::{Attempt, Config, Fact, History, Outcome, Owner, Printer, Unit};
use printmesh_store::{Database, Home};

use crate::suite::environment::Host;

/// A job that was answered with an id.
pub(super) struct Submitted {
    pub(super) id: String,
    pub(super) copies: u32,
}

/// What one host's disk says about a queue.
pub(super) struct Disk {
    /// The host itself.
    pub(super) me: HostId,
    pub(super) document: QueueDocument,
    votes: Vec<(CopyId, u32, Value)>,
}

impl Disk {
    pub(super) fn snapshot(&self) -> &Snapshot {
        self.document.snapshot()
    }
}

/// Reads the disk of a host that does not run.
pub(super) fn read(host: &Host, queue: &str) -> Disk {
    let home = Home::at(&host.home);
    let database = Database::open(&home.state()).unwrap();
    // Nothing is written: nobody's name will do.
    let author = Author {
        host: HostId([0; 32]),
        boot: 0,
    };
    let mut documents = database.logs().unwrap().into_iter().map(|log| {
        let entries = database.log(log).unwrap();
        QueueDocument::load(QueueId(log), author, entries).unwrap()
    });
    let document = documents.find(|document| document.snapshot().name == queue);
    let document = document.unwrap();
    let prefix = format!("vote/{}/", document.queue());
    let votes = database.scan(prefix.as_bytes()).unwrap();
    let votes = votes.into_iter().filter_map(|(key, value)| {
        let key = String::from_utf8(key).unwrap();
        let mut unit = key.strip_prefix(&prefix).unwrap().split('/');
        let vote: Vote = serde_json::from_slice(&value).unwrap();
        let (job, index) = (unit.next()?.parse().ok()?, unit.next()?.parse().ok()?);
        let attempt = unit.next()?.parse().ok()?;
        Some((CopyId { job, index }, attempt, vote.accepted?.1))
    });
    let votes = votes.collect();
    let mut members = document.snapshot().members.iter();
    let me = *members
        .find(|(_, member)| member.name == host.name)
        .unwrap()
        .0;
    Disk {
        me,
        document,
        votes,
    }
}

/// Gives every document what the others have: then all read the same, in whatever order it came.
pub(super) fn converge(disks: &mut [Disk]) {
    let nothing = VersionVector::default();
    let all = disks
        .iter()
        .map(|disk| disk.document.changes_after(&nothing));
    for changes in all.collect::<Vec<_>>() {
        for disk in &mut *disks {
            let changes = changes.iter().map(|change| SignedChange::clone(change));
            let admitted = disk.document.admit(changes.collect());
            assert_eq!(admitted.refused, []);
        }
    }
    for disk in &disks[1..] {
        assert_eq!(disk.snapshot(), disks[0].snapshot(), "they read the same");
    }
}

/// A line of a host's log with these words, taken apart.
struct Line<'l> {
    at_ms: u64,
    text: &'l str,
}

impl<'l> Line<'l> {
    fn all(log: &'l str, words: &'static str) -> impl Iterator<Item = Self> {
        let lines = log.lines().filter(move |line| line.contains(words));
        lines.map(|text| {
            let at: jiff::Timestamp = text.split(' ').next().unwrap().parse().unwrap();
            let at_ms = at.as_millisecond().try_into().unwrap();
            Self { at_ms, text }
        })
    }

    fn field(&self, name: &str) -> &'l str {
        let found = self.text.split_once(&format!(" {name}="));
        let (_, rest) = found.unwrap_or_else(|| panic!("no {name} in {}", self.text));
        rest.split(' ').next().unwrap().trim_matches('"')
    }

    /// Counted from 1 for people, from 0 here.
    fn number(&self, name: &str) -> u32 {
        self.field(name).parse::<u32>().unwrap() - 1
    }

    fn attempt(&self) -> Attempt {
        Attempt {
            unit: Unit {
                job: self.field("job").to_owned(),
                copy: self.number("copy"),
            },
            number: self.number("attempt"),
        }
    }

    fn printer(&self, host: HostId) -> Printer {
        Printer {
            host: host.to_string(),
            name: self.field("printer").to_owned(),
        }
    }
}

/// What a host's log says of its claims: which print of what each token means to its printer, what it claimed without the
/// voters, and when it voted.
struct Told {
    prints: BTreeMap<String, (Attempt, Printer, u32)>,
    alone: Vec<(u64, Attempt, Printer)>,
    votes: BTreeMap<(Attempt, Printer), u64>,
}

fn told(host: &Host, me: HostId) -> Told {
    let log = host.log();
    let prints = Line::all(&log, "starts a print").map(|line| {
        let print = (line.attempt(), line.printer(me), line.number("run"));
        (line.field("print").to_owned(), print)
    });
    let alone = Line::all(&log, "claims a copy without the voters");
    let alone = alone.map(|line| (line.at_ms, line.attempt(), line.printer(me)));
    let mut votes = BTreeMap::new();
    for line in Line::all(&log, "votes for a claim") {
        let by = line.printer(line.field("by").parse().unwrap());
        votes.entry((line.attempt(), by)).or_insert(line.at_ms);
    }
    Told {
        prints: prints.collect(),
        alone: alone.collect(),
        votes,
    }
}

/// When a voter gave its word, which stands in its log before it is on its disk. A voter that was started again took over what
/// the others held, and its word is as old as theirs.
fn voted(voter: &Told, all: &[Told], word: (Attempt, Printer)) -> u64 {
    let others = all.iter().filter_map(|told| told.votes.get(&word));
    let at = voter.votes.get(&word).or(others.max());
    *at.unwrap_or_else(|| panic!("nobody voted for {word:?}"))
}

/// The file to which a host's printer adds what it did.
pub(super) fn journal(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.journal"))
}

/// The power of a printer that is fed by its host is off: what it was printing has ended.
pub(super) fn cut_off(journal: &Path) {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let Some((_, print)) = text
        .lines()
        .last()
        .and_then(|line| line.split_once(" begins "))
    else {
        return;
    };
    let at = jiff::Timestamp::now().as_millisecond();
    fs::write(journal, format!("{text}{at} failed {print}\n")).unwrap();
}

/// What happened, and how it can be told.
pub(super) struct Recorded {
    pub(super) history: History,
    /// Prints that a printer says it began.
    pub(super) begun: usize,
    /// Claims without the voters, by job and printer.
    pub(super) alone: BTreeMap<(String, Printer), usize>,
}

/// Puts together what happened, in the order in which it did.
pub(super) fn recorded(
    hosts: &[Host],
    disks: &[Disk],
    submitted: &[Submitted],
    folder: &Path,
) -> Recorded {
    let mut history = History::new();
    let snapshot = disks[0].snapshot();
    let told: Vec<Told> = hosts
        .iter()
        .zip(disks)
        .map(|(host, disk)| told(host, disk.me))
        .collect();
    let numbered = |number| Config {
        queue: snapshot.queue.to_string(),
        number,
    };
    for (cfg, voters) in &snapshot.configs {
        history.push((
            0,
            Fact::Voters {
                cfg: numbered(*cfg),
                hosts: voters.iter().map(ToString::to_string).collect(),
            },
        ));
    }
    for job in submitted {
        history.push((
            0,
            Fact::Submitted {
                job: job.id.clone(),
                copies: job.copies,
                runs: 1,
            },
        ));
    }
    // Of several ballots of one owner the last is kept, so all of them count as one here, from the first. Jobs were submitted
    // once all hosts voted: a word counts in each configuration since then, and in none before: one that the others overruled
    // would count as that of the founder, who was alone.
    let first = snapshot
        .configs
        .iter()
        .find(|(_, voters)| voters.len() == hosts.len())
        .map_or(0, |(cfg, _)| *cfg);
    let mut timed: Vec<(u64, Fact)> = Vec::new();
    for (n, disk) in disks.iter().enumerate() {
        let voter = &disk.me;
        for (copy, attempt, value) in &disk.votes {
            for (cfg, _) in snapshot
                .configs
                .iter()
                .filter(|(cfg, hosts)| **cfg >= first && hosts.contains(voter))
            {
                let (attempt, owner) = (named(*copy, *attempt), owner(value));
                let at = match &owner {
                    Owner::Print(printer) => {
                        voted(&told[n], &told, (attempt.clone(), printer.clone()))
                    }
                    Owner::Withdraw(_) => 0,
                };
                timed.push((
                    at,
                    Fact::Accepted {
                        voter: voter.to_string(),
                        cfg: numbered(*cfg),
                        attempt,
                        ballot: (0, String::new(), String::new()),
                        owner,
                    },
                ));
            }
        }
    }
    let mut alone: BTreeMap<(String, Printer), usize> = BTreeMap::new();
    for (at, attempt, printer) in told.iter().flat_map(|told| told.alone.clone()) {
        let of = (attempt.unit.job.clone(), printer.clone());
        *alone.entry(of).or_default() += 1;
        timed.push((at, Fact::Speculated { attempt, printer }));
    }
    let mut begun = 0;
    for (host, told) in hosts.iter().zip(&told) {
        for line in fs::read_to_string(journal(folder, &host.name))
            .unwrap()
            .lines()
        {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap();
            let (at, what, print) = (word().parse().unwrap(), word(), word());
            let (attempt, printer, run) = told.prints[print].clone();
            begun += usize::from(what == "begins");
            let fact = match what {
                "begins" => Fact::Began {
                    attempt,
                    printer,
                    run,
                },
                _ => Fact::Ended {
                    attempt,
                    printer,
                    run,
                    good: what == "finished",
                },
            };
            timed.push((at, fact));
        }
    }
    for (copy, claims) in &snapshot.claims {
        for claim in claims.values() {
            let attempt = named(*copy, claim.attempt);
            let printer = Printer {
                host: claim.host.to_string(),
                name: claim.record.printer.clone(),
            };
            if let Some(outcome) = outcome(claim.record.state) {
                let recorded = Fact::Recorded {
                    attempt,
                    printer,
                    outcome,
                };
                timed.push((claim.record.at.0, recorded));
            }
        }
    }
    for ((copy, attempt), words) in &snapshot.lost {
        for (voter, word) in words {
            let lost = Fact::Lost {
                voter: voter.to_string(),
                cfg: numbered(word.cfg),
                attempt: named(*copy, *attempt),
            };
            timed.push((word.at.0, lost));
        }
    }
    timed.sort_by_key(|(at, _)| *at);
    history.extend(timed);
    Recorded {
        history,
        begun,
        alone,
    }
}

/// Ids of jobs that are in the document.
pub(super) fn jobs(disk: &Disk) -> BTreeSet<String> {
    disk.snapshot()
        .jobs
        .keys()
        .map(ToString::to_string)
        .collect()
}

fn named(copy: CopyId, number: u32) -> Attempt {
    Attempt {
        unit: Unit {
            job: copy.job.to_string(),
            copy: copy.index,
        },
        number,
    }
}

fn owner(value: &Value) -> Owner {
    match value {
        Value::Print { host, printer, .. } => Owner::Print(Printer {
            host: host.to_string(),
            name: printer.clone(),
        }),
        Value::Withdraw { by } => Owner::Withdraw(by.to_string()),
    }
}

fn outcome(state: ClaimState) -> Option<Outcome> {
    match state {
        ClaimState::Dropped => Some(Outcome::Dropped),
        ClaimState::Released => Some(Outcome::Released),
        ClaimState::Failed => Some(Outcome::Failed),
        ClaimState::Finished => Some(Outcome::Finished),
        ClaimState::Surplus => Some(Outcome::Surplus),
        ClaimState::Unknown => Some(Outcome::Unknown),
        ClaimState::Claimed
        | ClaimState::Fetching
        | ClaimState::Staged
        | ClaimState::Started
        | ClaimState::Printing
        | ClaimState::Credited => None,
    }
}
