//! Any farm at all, from one number: three hosts, every state of a printer, every axis of a file, every wish, setback and thing that
//! only the own host knows. [`crate::oracle`] has the narrow one that a naive planner can follow.

mod tried;

use std::collections::BTreeMap;

use printmesh_queue::{
    Bed, Between, ColorRule, Equipment, HostId, JobId, JobState, Needs, PrinterId, PrinterRecord,
    Priority, Rank, Role, Set, SetId, SetSpec, Slot, Timestamp, ToolNeed,
};

use self::tried::{attempts, own_knowledge, wishes};
use crate::{
    farm::{Farm, ME, file, job_id, printer},
    oracle::Dice,
};

/// The hosts: this one, and two others.
pub(crate) const HOSTS: [HostId; 3] = [ME, HostId([2; 32]), HostId([3; 32])];
pub(crate) const NOW: u64 = 1_000_000;

/// How likely something is that keeps work from being done: of so many farms, printers or jobs one has it. Each farm has its own
/// number, so that some are in order and others are not.
struct Odds<'d> {
    dice: &'d mut Dice,
    rare: u64,
}

impl Odds<'_> {
    fn rarely(&mut self) -> bool {
        self.dice.one_in(self.rare)
    }

    fn maybe<T: Copy>(&mut self, one_in: u64, of: &[T]) -> Option<T> {
        let chosen = self.dice.of(of);
        self.dice.one_in(one_in).then_some(chosen)
    }
}

/// Any farm, with whatever one host may know of it.
pub(crate) fn any(dice: &mut Dice) -> Farm {
    let mut farm = any_shared(dice);
    own_knowledge(
        &mut farm,
        &mut Odds {
            rare: dice.of(&[5, 20, 80]),
            dice,
        },
    );
    farm
}

/// Any farm as every host sees it that can reach the same hosts: nothing is known to one of them alone.
pub(crate) fn any_shared(dice: &mut Dice) -> Farm {
    let rare = dice.of(&[5, 20, 80]);
    let odds = &mut Odds { dice, rare };
    let mut farm = settings(Farm::new(0), odds.dice);
    members(&mut farm, odds);
    for n in 1..=odds.dice.below(7) as u32 {
        let id = PrinterId {
            host: odds.dice.of(&[ME, ME, HOSTS[1], HOSTS[1], HOSTS[2]]),
            name: format!("p{n}"),
        };
        let record = record(n, odds);
        farm.snapshot.printers.insert(id, record);
    }
    let mut names: Vec<String> = (0..odds.dice.below(7)).map(|n| format!("j{n}")).collect();
    // Ids say nothing about the order.
    if odds.dice.one_in(2) {
        names.reverse();
    }
    for (n, name) in names.iter().enumerate() {
        farm = any_job(farm, name, n as u8, odds);
        attempts(&mut farm, job_id(name), odds);
    }
    wishes(&mut farm, odds);
    // What a host's own printers work on is what its records say, until something happens that nobody else has heard of.
    let claims = farm.snapshot.claims.values().flat_map(BTreeMap::values);
    let own = claims.filter(|claim| claim.host == ME && claim.record.state.is_active());
    let busy = own.map(|claim| printer(&claim.record.printer));
    farm.presence.busy = busy.collect();
    farm
}

fn settings(farm: Farm, dice: &mut Dice) -> Farm {
    let onoff = ["on", "off", "off"];
    farm.set(&[
        ("claims", dice.of(&["available", "available", "majority"])),
        ("budget", dice.of(&["auto", "one", "home", "all"])),
        ("order", dice.of(&["sequential", "round-robin"])),
        (
            "distribute",
            dice.of(&[
                "position",
                "random",
                "least-recently-used",
                "hours",
                "best-fit",
                "reverse",
                "most-hours",
            ]),
        ),
        ("drain-groups", dice.of(&onoff)),
        ("groups", dice.of(&["none", "A,B", "B"])),
        ("exclude-backburner", dice.of(&onoff)),
        (
            "never-skip",
            dice.of(&["on", "off", "off", "off", "backfill", "strict"]),
        ),
        ("autoprint", dice.of(&["on", "on", "on", "on", "on", "off"])),
        ("sort-limit", dice.of(&["none", "2", "50%", "3,40%", "0"])),
        ("retries", dice.of(&["0", "1", "3"])),
        ("heat-slots", dice.of(&["none", "1", "2"])),
    ])
}

fn members(farm: &mut Farm, odds: &mut Odds<'_>) {
    let me = farm.snapshot.members[&ME].clone();
    for (host, name) in HOSTS.into_iter().zip(["me", "two", "three"]) {
        let mut member = me.clone();
        member.name = name.into();
        member.certificate.member = host;
        member.certificate.role = match odds.rarely() {
            true => odds.dice.of(&[Role::Observer, Role::Submitter]),
            false => odds.dice.of(&[Role::Printer, Role::Operator, Role::Admin]),
        };
        member.left = host != ME && odds.rarely();
        farm.snapshot.members.insert(host, member);
        if host != ME && !odds.rarely() {
            farm.presence.reachable.insert(host);
        }
    }
    let all: [&[HostId]; 5] = [&HOSTS[..1], &HOSTS, &HOSTS, &HOSTS[1..2], &[]];
    let usual = odds.dice.of(&all[..3]);
    let voters = if odds.rarely() {
        odds.dice.of(&all)
    } else {
        usual
    };
    farm.snapshot.voters.hosts = voters.to_vec();
    farm.snapshot.configs.insert(1, voters.to_vec());
    if odds.rarely() {
        farm.presence.mute.insert(odds.dice.of(&HOSTS));
    }
    let away = |host: &HostId| !farm.presence.reachable.contains(host);
    for host in HOSTS.into_iter().filter(away) {
        let ms = odds.dice.of(&[1_000, 40_000, 4_000_000]);
        farm.presence.gone_ms.insert(host, ms);
    }
    farm.presence.now = Timestamp(NOW);
    if !farm.presence.has_quorum(&farm.snapshot.voters) {
        farm.presence.voters_away_ms = Some(odds.dice.of(&[0, 10_000, 40_000, 4_000_000]));
    }
}

fn record(n: u32, odds: &mut Odds<'_>) -> PrinterRecord {
    let between = [
        Between::Cooling(30),
        Between::NoBedTemperature(30),
        Between::Clearing,
        Between::Verdict,
        Between::Heat,
        Between::Quiet(420),
    ];
    let dice = &mut *odds.dice;
    PrinterRecord {
        position: if dice.one_in(3) { 0 } else { n },
        machine: None,
        bed: match odds.rarely() {
            true => odds.dice.of(&[Bed::Occupied, Bed::Unknown]),
            false => Bed::Clear,
        },
        autoprint: !odds.rarely(),
        paused: odds.rarely().then(|| "nozzle is worn".into()),
        set_aside: odds.rarely(),
        online: !odds.rarely(),
        fault: odds.rarely().then(|| "thermal runaway".into()),
        last_print_ended: odds.maybe(2, &[Timestamp(1), Timestamp(2), Timestamp(3)]),
        equipment: equipment(odds),
        between: odds.maybe(odds.rare, &between),
        routine: printmesh_queue::Routine::default(),
        removed: odds.rarely() && odds.rarely(),
    }
}

const MATERIALS: [&str; 5] = ["PLA", "pla", "PETG", "PA-CF", "PAHT-CF"];
const COLORS: [&str; 3] = ["black", "000000", "red"];

fn equipment(odds: &mut Odds<'_>) -> Equipment {
    let slots = odds.dice.below(3) as u32;
    let slots = (0..slots).map(|slot| Slot {
        slot,
        material: odds.maybe(1, &MATERIALS).map(str::to_owned),
        color: odds.maybe(2, &COLORS).map(str::to_owned),
        left_mg: odds.maybe(2, &[0, 60_000, 900_000]),
        spool: None,
    });
    let slots = slots.collect();
    let known = odds.dice.of(&[2, 6]);
    let text = |word: Option<&str>| word.map(str::to_owned);
    Equipment {
        profile: text(odds.maybe(9, &["M", "N"])),
        model: text(odds.maybe(known, &["M", "M", "N"])),
        simulated: odds.dice.one_in(3),
        compatible: odds
            .maybe(6, &["M", "N"])
            .map(str::to_owned)
            .into_iter()
            .collect(),
        nozzle_um: odds.maybe(known, &[400, 401, 600]),
        nozzles: odds.maybe(6, &[(1, 600), (0, 400)]).into_iter().collect(),
        hardened: odds.maybe(known, &[true, false]),
        volume_mm: odds.maybe(known, &[[100, 100, 100], [300, 300, 300]]),
        nozzle_c_max: odds.maybe(known, &[230, 300]),
        bed_c_max: odds.maybe(known, &[60, 110]),
        slots,
        slicing: odds
            .maybe(2, &["fine"])
            .map(str::to_owned)
            .into_iter()
            .collect(),
        watts: odds.maybe(2, &[300, 900]),
        circuit: text(odds.maybe(4, &["garage"])),
        tags: odds
            .maybe(2, &["enclosure"])
            .map(str::to_owned)
            .into_iter()
            .collect(),
        accept_from: odds.maybe(odds.rare, &HOSTS).into_iter().collect(),
        printed_s: odds.dice.below(3),
    }
}

fn needs(odds: &mut Odds<'_>) -> Needs {
    // Most files ask for little: otherwise nothing would fit anything.
    let asks = odds.dice.of(&[3, 8, 8, 20]);
    let tools = odds.dice.of(&[0, 1, 1, 1, 2]);
    let tools = (0..tools).map(|tool| ToolNeed {
        tool,
        material: odds.maybe(2, &MATERIALS).map(str::to_owned),
        color: odds.maybe(2, &COLORS).map(str::to_owned),
        mg: odds.maybe(2, &[0, 20_000, 50_000]),
    });
    let tools = tools.collect();
    Needs {
        model: odds.maybe(asks, &["M", "m", "N"]).map(str::to_owned),
        nozzle_um: odds.maybe(asks, &[400, 600]),
        nozzles: odds
            .maybe(2 * asks, &[(1, 600), (0, 400)])
            .into_iter()
            .collect(),
        hardened: odds.dice.one_in(asks),
        volume_mm: odds.maybe(asks, &[[90, 90, 90], [101, 1, 1]]),
        extent_mm: odds.maybe(
            asks,
            &[
                [[5, 95], [5, 95], [0, 90]],
                [[-40, 50], [0, 90], [0, 50]],
                [[60, 150], [0, 90], [0, 50]],
                [[0, 90], [0, 90], [50, 110]],
            ],
        ),
        nozzle_c: odds.maybe(asks, &[215, 260]),
        bed_c: odds.maybe(asks, &[60, 100]),
        slice: odds.maybe(2 * asks, &["fine"]).map(str::to_owned),
        tools,
    }
}

fn any_job(farm: Farm, name: &str, n: u8, odds: &mut Odds<'_>) -> Farm {
    let sets = odds.dice.of(&[1, 1, 2]);
    let sets = (0..sets).map(|at: u8| {
        let alternatives = odds.dice.of(&[1, 1, 2]);
        let files = (0..alternatives).map(|other: u8| {
            // Two jobs may print one file.
            let number = if odds.dice.one_in(6) {
                0
            } else {
                1 + n * 4 + at * 2 + other
            };
            file(number, needs(odds))
        });
        let files = files.collect();
        Set {
            id: SetId([n * 2 + at; 16]),
            rank: Rank::between(None, None),
            per_run: odds.dice.of(&[1, 1, 2]),
            spec: SetSpec { files },
        }
    });
    let sets = sets.collect();
    let copies = odds.dice.of(&[1, 1, 2, 4]);
    farm.job(name, copies).with(|job| {
        job.sets = sets;
        job.together = odds.dice.one_in(6);
        job.draft = odds.rarely();
        job.held = odds.rarely();
        let (by, at) = (ME, Timestamp(5));
        let to = JobId([9; 16]);
        job.state = match odds.rarely() {
            true if odds.dice.one_in(2) => JobState::Moved { by, at, to },
            true => JobState::Cancelled { by, at },
            false => JobState::Open,
        };
        job.submitter = odds.dice.of(&HOSTS);
        job.created = Timestamp(odds.dice.below(6));
        job.retries = odds.maybe(4, &[0, 1]);
        let pins = ["p1", "p2", "p3", "me/p1", "two/p2", "gone"];
        job.printers = odds
            .maybe(8, &pins)
            .map(str::to_owned)
            .into_iter()
            .collect();
        let terms = &mut job.terms;
        terms.group = odds.dice.of(&["", "A", "B", "C"]).to_owned();
        terms.backburner = odds.dice.one_in(8);
        terms.priority = odds.dice.of(&[
            Priority::Normal,
            Priority::Normal,
            Priority::High,
            Priority::Low,
        ]);
        terms.due = odds.maybe(4, &[Timestamp(1), Timestamp(2), Timestamp(3)]);
        terms.not_before = odds.maybe(10, &[Timestamp(1), Timestamp(NOW + 7_000)]);
        terms.color = odds
            .dice
            .of(&[ColorRule::Any, ColorRule::Prefer, ColorRule::Require]);
        terms.tags = odds
            .maybe(10, &["Enclosure"])
            .map(str::to_owned)
            .into_iter()
            .collect();
        terms.level = odds.dice.below(2) as u32;
    })
}
