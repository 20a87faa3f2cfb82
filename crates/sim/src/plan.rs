//! What a seed means: how big the farm is, what goes wrong when, and what people do. A plan can be cut shorter.

use crate::{
    draw::Draw,
    malice::Liar,
    nemesis::{Fault, FaultKind},
    people::{Act, LATEST, Shape},
    sabotage::Bug,
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// How long a clock by which waits are measured stands still: less than the shortest `abandon`, which the promise needs
/// (`core/node/SAFETY.md`).
const STANDS_MS_MAX: u64 = 9 * MINUTE;

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of everything that is not in the plan.
    pub seed: u64,
    /// Printers of each host.
    pub printers: Vec<usize>,
    /// Faults in the order of their times.
    pub(crate) faults: Vec<Fault>,
    /// What people do, in the order of time.
    pub(crate) acts: Vec<(u64, Act)>,
    /// How long things go wrong.
    pub until: u64,
    /// Delay of a message in milliseconds.
    pub delay_ms: u64,
    /// Clocks: drift in parts per million and wrong wall time, per host.
    pub(crate) clocks: Vec<(i64, i64)>,
    /// Settings of the queue, as typed.
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    /// Changes after which an epoch of a queue ends.
    pub(crate) epoch_changes: usize,
    /// A host that lies.
    pub(crate) liar: Option<Liar>,
    /// A printer that says what is not so and goes on by itself.
    pub(crate) lying_printer: Option<usize>,
    /// A deliberate bug.
    pub(crate) bug: Option<Bug>,
}

/// What can be said about a plan beside its seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Hosts, or drawn.
    pub hosts: Option<usize>,
    /// Printers in all, or drawn.
    pub printers: Option<usize>,
    /// Only farms in which a member lies or is removed: other seeds are passed over.
    pub members: bool,
}

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64, size: Size) -> Self {
        let mut draw = Draw::new(seed, "plan");
        let hosts = size
            .hosts
            .unwrap_or_else(|| draw.pick(&[2, 2, 3, 3, 3, 4, 5]));
        let mut printers = vec![0; hosts];
        match size.printers {
            Some(wanted) => (0..wanted).for_each(|n| printers[n % hosts] += 1),
            None => printers
                .iter_mut()
                .for_each(|n| *n = draw.pick(&[0, 1, 1, 1, 2])),
        }
        if printers.iter().all(|n| *n == 0) {
            printers[hosts - 1] = 1;
        }
        let until = draw.between(4, 16) * HOUR;
        let delay_ms = draw.pick(&[1, 2, 10, 80]);
        let mut acts = acts(&mut draw, hosts, until, delay_ms);
        acts.extend(crate::epochs::rotations(seed, hosts, until));
        let halves = crate::halves::halves(seed, &mut printers, until);
        acts.extend(halves.iter().flat_map(|halves| halves.acts.clone()));
        acts.sort_by_key(|(at, _)| *at);
        // Some farms live in peace: there no start may be in vain.
        let count = match draw.below(10) {
            0 => 0,
            1..5 => draw.between(1, 4),
            _ => draw.between(3, 14),
        };
        let mut faults: Vec<Fault> = (0..count).map(|_| fault(&mut draw, hosts, until)).collect();
        for fault in &mut faults {
            // Most trouble is where something happens.
            if draw.chance(500) {
                let (at, _) = acts[draw.index(acts.len())];
                fault.at = (at + draw.below(20 * MINUTE)).saturating_sub(MINUTE);
            }
        }
        if hosts > 2 && draw.chance(50) {
            // Whoever meets all others learns at once that it was restored. Cut off from those who know, nobody can.
            let restored = Fault {
                kind: FaultKind::Restored,
                ..fault(&mut draw, hosts, until)
            };
            faults = vec![restored];
        }
        let (mut liar, mut lying_printer) = (None, None);
        if !faults.iter().any(|fault| fault.kind == FaultKind::Restored) {
            if let Some((who, lies)) = crate::malice::liar_of(seed, hosts, until) {
                liar = Some(who);
                faults.extend(lies);
            }
            faults.extend(crate::removal::removals(seed, hosts, until));
            faults.extend(crate::flip::flips(seed, hosts, until));
            faults.extend(halves.iter().flat_map(|halves| halves.faults.clone()));
            if let Some((printer, lies)) =
                crate::lying::lies(seed, &acts, printers.iter().sum(), until)
            {
                lying_printer = printer;
                faults.extend(lies);
            }
        }
        faults.sort_by_key(|fault| fault.at);
        faults
            .iter_mut()
            .enumerate()
            .for_each(|(index, fault)| fault.index = index);
        let clocks = (0..hosts)
            .map(|_| {
                let drift = draw.pick(&[0, 20, -50, 200]);
                let years = i64::from(draw.pick(&[0, 0, 0, 1, -10, 40]));
                (drift, years * 365 * 24 * HOUR as i64)
            })
            .collect();
        let mut settings = settings(&mut draw);
        for (name, value) in halves.iter().flat_map(|halves| &halves.settings) {
            settings.retain(|(other, _)| other != name);
            settings.push((name, value));
        }
        // A holder that is frozen at a start must find now and then that it was given up meanwhile.
        let freezes = |fault: &Fault| fault.kind == FaultKind::FrozenAtStart;
        if faults.iter().any(freezes) && draw.chance(700) {
            settings.retain(|(name, _)| *name != "abandon");
            settings.push(("abandon", "600"));
        }
        Self {
            seed,
            printers,
            faults,
            acts,
            until,
            delay_ms,
            clocks,
            settings,
            epoch_changes: crate::epochs::epoch_changes(seed),
            liar,
            lying_printer,
            bug: None,
        }
    }

    /// Hosts with so many printers each, at level `majority`; nothing goes wrong and nobody does anything.
    pub fn quiet(seed: u64, printers: Vec<usize>) -> Self {
        Self {
            seed,
            clocks: vec![(0, 0); printers.len()],
            printers,
            faults: Vec::new(),
            acts: Vec::new(),
            until: 0,
            delay_ms: 2,
            settings: vec![("claims", "majority")],
            epoch_changes: 10_000,
            liar: None,
            lying_printer: None,
            bug: None,
        }
    }

    /// The same with a deliberate bug.
    #[must_use]
    pub fn with_bug(mut self, bug: Bug) -> Self {
        self.bug = Some(bug);
        self
    }

    /// Whether the queue starts nothing without its voters.
    pub(crate) fn is_majority(&self) -> bool {
        self.settings.contains(&("claims", "majority"))
    }

    /// Whether one of its hosts lies.
    pub fn has_liar(&self) -> bool {
        self.liar.is_some()
    }

    /// Whether somebody is removed while the network is cut.
    pub fn has_removal(&self) -> bool {
        let removal = |fault: &Fault| matches!(fault.kind, FaultKind::Removal(_));
        self.faults.iter().any(removal)
    }

    /// Returns how many faults it has.
    pub fn faults(&self) -> usize {
        self.faults.len()
    }

    /// The same plan with nothing but its first faults.
    pub fn first_faults(&self, count: usize) -> Self {
        let mut plan = self.clone();
        plan.faults.truncate(count);
        plan
    }

    /// The same plan with nothing but these of its faults, by their places.
    #[must_use]
    pub fn with_faults(&self, kept: &Places) -> Self {
        let mut plan = self.clone();
        plan.faults.retain(|fault| kept.0.contains(&fault.index));
        plan
    }

    /// The places of its faults, as `--faults` takes them.
    pub fn fault_places(&self) -> String {
        let places: Vec<String> = self
            .faults
            .iter()
            .map(|fault| fault.index.to_string())
            .collect();
        match places.as_slice() {
            [] => "none".to_owned(),
            places => places.join(","),
        }
    }

    /// The same plan without one of its faults.
    pub fn without_fault(&self, index: usize) -> Self {
        let mut plan = self.clone();
        plan.faults.remove(index);
        plan
    }

    /// Faults as words, for whoever looks at a seed that failed.
    pub fn fault_lines(&self) -> Vec<String> {
        self.faults.iter().map(Fault::line).collect()
    }
}

/// Places of faults in a plan, as `2,6`; `none` of them.
#[derive(Clone, Debug)]
pub struct Places(Vec<usize>);

impl std::str::FromStr for Places {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(Vec::new())),
            places => places
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map(Self),
        }
    }
}

fn settings(draw: &mut Draw) -> Vec<(&'static str, &'static str)> {
    let mut settings = vec![("claims", draw.pick(&["majority", "available"]))];
    let mut maybe = |name, values: &[&'static str]| {
        if draw.chance(300) {
            settings.push((name, draw.pick(values)));
        }
    };
    maybe("budget", &["one", "one", "home", "all"]);
    maybe("abandon", &["never", "600", "3600"]);
    maybe("patience", &["5", "300"]);
    maybe("unknown", &["eta"]);
    maybe("on-surplus", &["pause", "abort"]);
    maybe("on-partial", &["restart"]);
    maybe("retries", &["0", "1"]);
    maybe("confirm", &["always"]);
    settings
}

fn acts(draw: &mut Draw, hosts: usize, until: u64, delay_ms: u64) -> Vec<(u64, Act)> {
    let mut acts = Vec::new();
    for _ in 0..draw.between(2, 7) {
        let sets = draw.pick(&[1, 1, 1, 2]);
        let shape = Shape {
            copies: draw.pick(&[1, 1, 2, 3, 5]),
            sets,
            per_run: draw.pick(&[1, 1, 2]),
            together: draw.chance(150),
            minutes: draw.pick(&[6, 20, 45, 90, 240]),
            bad: draw.chance(40),
        };
        let (host, at) = (draw.index(hosts), draw.below(until * 3 / 4));
        acts.push((at, Act::Submit { host, shape }));
        if draw.chance(150) {
            // Somebody thinks better of it at once, while printers are about to claim and to start it.
            let (host, which) = (draw.index(hosts), LATEST + draw.below(3));
            let act = match draw.chance(700) {
                true => Act::Cancel { host, which },
                false => Act::Move { host, which },
            };
            acts.push((at + 1 + draw.below(12 * delay_ms), act));
        }
    }
    for _ in 0..draw.between(0, 6) {
        let (host, which) = (draw.index(hosts), draw.next());
        let act = match draw.below(13) {
            0 | 1 => Act::Cancel { host, which },
            2 => Act::Hold {
                host,
                which,
                held: true,
            },
            3 => Act::Hold {
                host,
                which,
                held: false,
            },
            4 | 5 => Act::Move { host, which },
            6 => Act::Edit {
                host,
                which,
                copies: draw.pick(&[1, 2, 4]),
            },
            7 => Act::Pause {
                host,
                which,
                paused: true,
            },
            8 | 9 => Act::Stop { host, which },
            10 => Act::Start { host, which },
            11 => Act::Resolve { host, which },
            _ => Act::Pause {
                host,
                which,
                paused: false,
            },
        };
        acts.push((draw.below(until), act));
    }
    acts.sort_by_key(|(at, _)| *at);
    acts
}

fn fault(draw: &mut Draw, hosts: usize, until: u64) -> Fault {
    let for_ms = match draw.below(4) {
        0 => draw.between(1_000, MINUTE),
        1 | 2 => draw.between(MINUTE, 30 * MINUTE),
        _ => draw.between(30 * MINUTE, 4 * HOUR),
    };
    let host = draw.index(hosts);
    let other = (host + 1 + draw.index(hosts - 1)) % hosts;
    let kind = draw.pick(FaultKind::ALL);
    // A decision is taken for young as long as that clock stands: no longer than any write-off takes.
    let for_ms = match kind {
        FaultKind::WaitsStand => for_ms.min(STANDS_MS_MAX),
        _ => for_ms,
    };
    Fault {
        index: 0,
        kind,
        at: draw.below(until),
        for_ms,
        host,
        other,
        number: draw.next(),
    }
}
