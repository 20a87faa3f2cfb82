//! What goes wrong, each kind by its name: it strikes at a time, and most relent after a while.

use crate::{
    clog::bridged,
    host::{Backup, CrashPoint, STANDS_PPM, Trap},
    lying::Lie,
    machine::Kind,
    malice::Mischief,
    people::Act,
    removal::Removal,
    wire::Dirt,
    world::{Event, World},
};

/// One fault of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its place in the whole plan.
    pub(crate) index: usize,
    pub(crate) kind: FaultKind,
    pub(crate) at: u64,
    pub(crate) for_ms: u64,
    pub(crate) host: usize,
    pub(crate) other: usize,
    /// Whatever else the kind needs.
    pub(crate) number: u64,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    PowerCut,
    PowerCutOfAll,
    Kill,
    CrashBeforeCommit,
    CrashAfterCommit,
    CrashAmongEffects,
    CrashInRecovery,
    CutInCommit,
    DiskError,
    DiskFull,
    Stopped,
    Suspended,
    WallClock,
    WallStands,
    Drift,
    /// The clock by which every wait is measured.
    WaitsStand,
    OneWayCut,
    Partition,
    Overlapping,
    /// Hosts that hear one another only through others: more than three.
    Bridge,
    /// The links of one host after the other, and freed one after the other.
    Swizzle,
    Flap,
    BadLink,
    Unplugged,
    Reset,
    FileVanished,
    CleanStop,
    Switch,
    Destroyed,
    FrozenAtStart,
    OffAtStart,
    UnpluggedAtStart,
    /// Not drawn like the others: see `Plan::new`.
    Restored,
    /// In farms with a liar.
    Mischief(Mischief),
    /// In some farms.
    Removal(Removal),
    /// In farms with a printer that lies.
    Lies(Lie),
    /// In some farms, once.
    FlippedBit,
}

impl FaultKind {
    pub(crate) const ALL: &'static [Self] = &[
        Self::PowerCut,
        Self::PowerCutOfAll,
        Self::Kill,
        Self::CrashBeforeCommit,
        Self::CrashAfterCommit,
        Self::CrashAmongEffects,
        Self::CrashInRecovery,
        Self::CutInCommit,
        Self::DiskError,
        Self::DiskFull,
        Self::Stopped,
        Self::Suspended,
        Self::WallClock,
        Self::WallStands,
        Self::Drift,
        Self::WaitsStand,
        Self::OneWayCut,
        Self::Partition,
        Self::Partition,
        Self::Overlapping,
        Self::Bridge,
        Self::Swizzle,
        Self::Flap,
        Self::BadLink,
        Self::BadLink,
        Self::Unplugged,
        Self::Reset,
        Self::FileVanished,
        Self::CleanStop,
        Self::CleanStop,
        Self::Switch,
        Self::Destroyed,
        Self::FrozenAtStart,
        Self::OffAtStart,
        Self::OffAtStart,
        Self::UnpluggedAtStart,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::PowerCut => "fault: power cut",
            Self::PowerCutOfAll => "fault: power cut of all",
            Self::Kill => "fault: process killed",
            Self::CrashBeforeCommit => "armed: crash before a commit",
            Self::CrashAfterCommit => "armed: crash after a commit",
            Self::CrashAmongEffects => "armed: crash among the effects",
            Self::CrashInRecovery => "armed: crash in recovery",
            Self::CutInCommit => "armed: power cut in a commit",
            Self::DiskError => "fault: disk error",
            Self::DiskFull => "fault: disk full",
            Self::Stopped => "fault: stopped process",
            Self::Suspended => "fault: suspended machine",
            Self::WallClock => "fault: wall clock jump",
            Self::WallStands => "fault: wall clock stands still",
            Self::Drift => "fault: clock drift",
            Self::WaitsStand => "fault: monotonic clock stands still",
            Self::OneWayCut => "fault: one-way cut",
            Self::Partition => "fault: partition",
            Self::Overlapping => "fault: overlapping partitions",
            Self::Bridge => "fault: bridge between more than three hosts",
            Self::Swizzle => "fault: links clogged one after the other",
            Self::Flap => "fault: flapping link",
            Self::BadLink => "fault: bad link",
            Self::Unplugged => "fault: printer unplugged",
            Self::Reset => "fault: printer reset",
            Self::FileVanished => "fault: file vanished",
            Self::CleanStop => "fault: clean stop",
            Self::Switch => "fault: switch of all links",
            Self::FrozenAtStart => "armed: frozen at a start",
            Self::OffAtStart => "armed: power cut at a start",
            Self::UnpluggedAtStart => "armed: unplugged at a start",
            Self::Destroyed => "fault: host lost for good",
            Self::Restored => "fault: old backup restored",
            Self::Mischief(mischief) => mischief.name(),
            Self::Removal(removal) => removal.name(),
            Self::Lies(lie) => lie.armed(),
            Self::FlippedBit => "fault: bit flipped on a disk",
        }
    }
}

impl Fault {
    pub(crate) fn line(&self) -> String {
        format!(
            "{}: {:02}:{:02}:{:02} {} for {} s (host {}, other {}, {})",
            self.index,
            self.at / 3_600_000,
            self.at / 60_000 % 60,
            self.at / 1_000 % 60,
            self.kind.name(),
            self.for_ms / 1_000,
            self.host,
            self.other,
            self.number % 1_000,
        )
    }
}

impl World {
    pub(crate) fn strike(&mut self, index: usize) {
        let Some(fault) = self.plan.faults.get(index).copied() else {
            return;
        };
        if self.healing {
            return;
        }
        self.say(None, || format!("strikes: {}", fault.line()));
        if self.strikes(&fault) {
            self.coverage.hit(fault.kind.name());
            self.striking.insert(index);
            self.schedule(self.now + fault.for_ms, Event::Relent(index));
        }
    }

    /// Returns whether it did anything that ends some time.
    fn strikes(&mut self, fault: &Fault) -> bool {
        let (host, number) = (fault.host, fault.number);
        match fault.kind {
            FaultKind::PowerCut => {
                let powered = self.hosts[host].powered;
                self.power_off(host);
                powered
            }
            FaultKind::PowerCutOfAll => {
                (0..self.hosts.len()).for_each(|host| self.power_off(host));
                true
            }
            FaultKind::Kill => {
                let ran = self.hosts[host].process.is_some();
                self.kill(host);
                ran
            }
            FaultKind::CrashBeforeCommit => self.arm(host, CrashPoint::BeforeCommit),
            FaultKind::CrashAfterCommit => self.arm(host, CrashPoint::AfterCommit),
            FaultKind::CrashAmongEffects => {
                self.arm(host, CrashPoint::MidEffects(number as usize % 3))
            }
            FaultKind::CrashInRecovery => {
                // It comes back, and dies again at one of its first commits.
                let ran = self.hosts[host].process.is_some();
                self.kill(host);
                let point = match number % 3 {
                    0 => CrashPoint::BeforeCommit,
                    1 => CrashPoint::AfterCommit,
                    _ => CrashPoint::MidEffects(number as usize / 3 % 3),
                };
                self.hosts[host].crash_in = Some((number / 9 % 10, point));
                ran
            }
            FaultKind::CutInCommit => {
                self.hosts[host].disk.cut_after(number % 40);
                true
            }
            FaultKind::DiskError => {
                self.hosts[host].disk.fail_after(number % 40);
                true
            }
            FaultKind::DiskFull => {
                self.hosts[host].disk.set_full(true);
                true
            }
            FaultKind::Stopped => {
                self.freeze(host);
                true
            }
            FaultKind::Suspended => {
                self.freeze(host);
                let now = self.now;
                self.hosts[host].suspended_at.get_or_insert(now);
                // The port loses its power with the machine, now and then.
                if number.is_multiple_of(2) {
                    for machine in 0..self.machines.len() {
                        let entry = &self.machines[machine];
                        if entry.host == host && entry.kind == Kind::Streamed {
                            self.end(machine, false, "its host went to sleep");
                        }
                    }
                }
                true
            }
            FaultKind::WallClock => {
                let years = (number % 41) as i64 - 20;
                let seconds = (number % 7_200) as i64 - 3_600;
                self.hosts[host].clock.skew_ms += years * 31_536_000_000 + seconds * 1_000;
                true
            }
            FaultKind::WallStands => {
                let now = self.now;
                self.hosts[host].clock.wall_stands.get_or_insert(now);
                true
            }
            FaultKind::WaitsStand => {
                let now = self.now;
                self.hosts[host].clock.set_drift(now, STANDS_PPM);
                true
            }
            FaultKind::Drift => {
                let ppm = [200, -10_000, 10_000, 300_000, -300_000][number as usize % 5];
                let now = self.now;
                self.hosts[host].clock.set_drift(now, ppm);
                true
            }
            FaultKind::OneWayCut => {
                self.cut(host, fault.other);
                true
            }
            FaultKind::Bridge if self.hosts.len() < 4 => false,
            FaultKind::Partition
            | FaultKind::Overlapping
            | FaultKind::Bridge
            | FaultKind::Switch => {
                for (from, to) in self.cuts_of(fault) {
                    self.cut(from, to);
                }
                true
            }
            FaultKind::Swizzle => self.swizzle(fault),
            FaultKind::Flap => {
                let (a, b, left) = (host, fault.other, (number % 12) as u32 + 2);
                self.flap(a, b, left, true);
                true
            }
            FaultKind::BadLink => {
                let some = |shift: u32| [0, 0, 20, 100, 300][(number >> shift) as usize % 5];
                let dirt = Dirt {
                    drop: some(0).min(100),
                    duplicate: some(8),
                    reorder: some(16),
                    corrupt: some(24).min(100),
                    delay_ms: [0, 0, 200, 5_000, 30_000][(number >> 32) as usize % 5],
                    stale_ms: 0,
                };
                for (from, to) in [(host, fault.other), (fault.other, host)] {
                    self.wire.set_dirt(from, to, Some(dirt));
                }
                true
            }
            FaultKind::Unplugged => match self.some_machine(fault) {
                Some(machine) if self.machines[machine].plugged => {
                    self.unplug(machine);
                    true
                }
                _ => false,
            },
            FaultKind::Reset => match self.some_machine(fault) {
                Some(machine) => {
                    self.end(machine, false, "the printer was reset");
                    true
                }
                None => false,
            },
            FaultKind::FileVanished => {
                let files = &mut self.hosts[host].files;
                let count = files.len().max(1);
                match files.iter().nth(number as usize % count).copied() {
                    Some(file) => files.remove(&file),
                    None => false,
                }
            }
            FaultKind::FrozenAtStart => {
                // Half of them outlive `abandon`.
                let for_ms = match number % 2 {
                    0 => 20_000 + number % 600_000,
                    _ => 1_500_000 + number % 5_400_000,
                };
                self.hosts[host].trap = Some(Trap::Freeze { for_ms });
                true
            }
            FaultKind::OffAtStart => {
                let for_ms = 20_000 + number % 10_800_000;
                self.hosts[host].trap = Some(Trap::PowerOff { for_ms });
                true
            }
            FaultKind::UnpluggedAtStart => {
                let for_ms = 5_000 + number % 600_000;
                self.hosts[host].trap = Some(Trap::Unplug { for_ms });
                true
            }
            FaultKind::Restored => {
                let entry = &mut self.hosts[host];
                entry.backup = entry.process.is_some().then(|| Backup {
                    bytes: entry.disk.backup(),
                    memory: entry.memory.clone(),
                    acknowledged: entry.acknowledged.clone(),
                });
                entry.backup.is_some()
            }
            FaultKind::Destroyed => {
                let both = number.is_multiple_of(2);
                let doomed = if both {
                    vec![host, fault.other]
                } else {
                    vec![host]
                };
                let mut struck = false;
                for host in doomed {
                    let alive = self.hosts.iter().filter(|host| !host.destroyed).count();
                    if alive > 1 && !self.hosts[host].destroyed {
                        self.power_off(host);
                        self.hosts[host].destroyed = true;
                        struck = true;
                    }
                }
                struck
            }
            FaultKind::CleanStop => {
                let runs = self.hosts[host].runs();
                if runs {
                    self.arrive(host, printmesh_node::Input::ShuttingDown);
                }
                runs
            }
            FaultKind::Mischief(mischief) => self.does_mischief(mischief, fault),
            FaultKind::Removal(removal) => self.removes(removal, fault),
            FaultKind::Lies(lie) => self.lies(lie, fault),
            FaultKind::FlippedBit => self.flips(fault),
        }
    }

    fn arm(&mut self, host: usize, point: CrashPoint) -> bool {
        self.hosts[host].crash = Some(point);
        true
    }

    fn some_machine(&self, fault: &Fault) -> Option<usize> {
        let count = self.machines.len();
        (count > 0).then(|| fault.number as usize % count)
    }

    /// The directions that a partition cuts.
    fn cuts_of(&self, fault: &Fault) -> Vec<(usize, usize)> {
        let count = self.hosts.len();
        let side = |host: usize| fault.number >> host & 1;
        let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
        let pairs = pairs.filter(|(a, b)| a != b);
        match fault.kind {
            // At least one host is on the other side.
            FaultKind::Partition => pairs
                .filter(|(a, b)| {
                    let flip = |host: usize| {
                        side(host)
                            ^ u64::from(
                                host == fault.host && {
                                    (0..count).all(|other| side(other) == side(0))
                                },
                            )
                    };
                    flip(*a) != flip(*b)
                })
                .collect(),
            // Neighbours in a ring hear each other, nobody else does.
            FaultKind::Overlapping => pairs
                .filter(|(a, b)| {
                    let far = a.abs_diff(*b);
                    (far != 1 && far != count - 1)
                        || (count < 4 && *a + *b == fault.host + fault.other)
                })
                .collect(),
            FaultKind::Bridge => pairs
                .filter(|(a, b)| !bridged(count, fault.number, *a, *b))
                .collect(),
            _ => pairs.collect(),
        }
    }

    pub(crate) fn relent(&mut self, index: usize) {
        if !self.striking.remove(&index) {
            return;
        }
        let fault = self.plan.faults[index];
        self.say(None, || format!("relents: {}", fault.line()));
        let host = fault.host;
        match fault.kind {
            FaultKind::PowerCut => self.power_on(host),
            FaultKind::PowerCutOfAll => (0..self.hosts.len()).for_each(|host| self.power_on(host)),
            FaultKind::DiskFull => self.hosts[host].disk.set_full(false),
            FaultKind::Stopped | FaultKind::Suspended => self.thaw(host),
            FaultKind::WallStands => {
                let now = self.now;
                self.hosts[host].clock.wall_goes_on(now);
            }
            FaultKind::Drift | FaultKind::WaitsStand => {
                let (now, ppm) = (self.now, self.plan.clocks[host].0);
                self.hosts[host].clock.set_drift(now, ppm);
                // Its alarm was set by the other rate.
                self.local(host, 0, printmesh_node::Input::Wake);
            }
            FaultKind::OneWayCut => self.mend(host, fault.other),
            FaultKind::Partition
            | FaultKind::Overlapping
            | FaultKind::Bridge
            | FaultKind::Switch => {
                for (from, to) in self.cuts_of(&fault) {
                    self.mend(from, to);
                }
            }
            FaultKind::BadLink => {
                for (from, to) in [(host, fault.other), (fault.other, host)] {
                    self.wire.set_dirt(from, to, None);
                }
                // What it swallowed is asked for again.
                self.hiccup(host);
            }
            FaultKind::Unplugged => {
                if let Some(machine) = self.some_machine(&fault) {
                    self.plug_in(machine);
                }
            }
            FaultKind::CleanStop => self.schedule(self.now, Event::Boot { host }),
            FaultKind::CrashBeforeCommit
            | FaultKind::CrashAfterCommit
            | FaultKind::CrashAmongEffects => self.hosts[host].crash = None,
            FaultKind::CrashInRecovery => {
                self.hosts[host].crash_in = None;
                self.hosts[host].crash = None;
            }
            FaultKind::FrozenAtStart | FaultKind::OffAtStart | FaultKind::UnpluggedAtStart => {
                self.hosts[host].trap = None
            }
            FaultKind::CutInCommit | FaultKind::DiskError => {}
            FaultKind::Restored => self.put_back(host),
            FaultKind::Removal(removal) => {
                for (from, to) in self.removal_cuts(removal, &fault) {
                    self.mend(from, to);
                }
            }
            FaultKind::Swizzle => self.unclog(&fault),
            FaultKind::Lies(_) => self.machines[fault.other].lie = None,
            FaultKind::Mischief(_)
            | FaultKind::FlippedBit
            | FaultKind::Kill
            | FaultKind::WallClock
            | FaultKind::Flap
            | FaultKind::Reset
            | FaultKind::Destroyed
            | FaultKind::FileVanished => {}
        }
    }

    /// Somebody puts the backup of a host back.
    fn put_back(&mut self, host: usize) {
        let Some(backup) = self.hosts[host].backup.take() else {
            return;
        };
        let queues = self.hosts[host].node().map(printmesh_node::Node::queues);
        let queues = queues.into_iter().flatten().filter(|(_, view)| view.local);
        let local: Vec<String> = queues.map(|(_, view)| view.id.to_string()).collect();
        for queue in local {
            self.judge.restored_alone(&queue);
        }
        self.power_off(host);
        let entry = &mut self.hosts[host];
        entry.disk.restore(backup.bytes);
        entry.memory = backup.memory;
        entry.acknowledged = backup.acknowledged;
        self.power_on(host);
    }

    pub(crate) fn flap(&mut self, a: usize, b: usize, left: u32, cut: bool) {
        for (from, to) in [(a, b), (b, a)] {
            if cut {
                self.cut(from, to);
            } else {
                self.mend(from, to);
            }
        }
        // Ends mended.
        if left > 0 || cut {
            let at = self.now + self.draw.between(500, 40_000);
            let left = left.saturating_sub(1);
            self.schedule(
                at,
                Event::Flap {
                    a,
                    b,
                    left,
                    cut: !cut,
                },
            );
        }
    }

    /// After the last fault everything heals, and people do their part.
    pub(crate) fn heal(&mut self) {
        self.healing = true;
        for index in self.striking.clone() {
            self.relent(index);
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].crash = None;
            self.hosts[host].trap = None;
            self.hosts[host].disk.disarm();
            while self.hosts[host].frozen > 0 {
                self.thaw(host);
            }
            self.power_on(host);
            if self.hosts[host].destroyed {
                continue;
            }
            self.schedule(self.now + 1_000, Event::Boot { host });
            // Whoever has submitted a file puts it back.
            let lost: Vec<_> = self.hosts[host].originals.clone().into_iter().collect();
            for hash in lost {
                if self.hosts[host].files.insert(hash) {
                    self.schedule(
                        self.now + 60_000,
                        Event::Person(Act::PutBack { host, hash }),
                    );
                }
            }
        }
        for machine in 0..self.machines.len() {
            if !self.machines[machine].plugged {
                self.plug_in(machine);
            }
            self.machines[machine].fails = 0;
            if self.hosts[self.machines[machine].host].destroyed {
                continue;
            }
            self.schedule(self.now, Event::Person(Act::Clear { machine }));
        }
    }
}
