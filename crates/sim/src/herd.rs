//! Many printers become free at the same time: how often each must ask before it starts, when some hosts see an older state.

use crate::{
    coverage::Coverage, draw::Draw, history::Fact, laws::Violation, people::Shape, plan::Plan,
    wire::Dirt, world::World,
};

/// What came of a herd.
#[derive(Clone, Debug)]
pub struct Herd {
    /// Hosts.
    pub hosts: usize,
    /// Printers, and as many copies.
    pub printers: usize,
    /// Claims asked for.
    pub attempts: usize,
    /// Copies started.
    pub starts: usize,
    /// Virtual time from the submission to the last start, in milliseconds.
    pub took_ms: u64,
    /// The law that was broken.
    pub violation: Option<Violation>,
    /// What was met on the way.
    pub coverage: Coverage,
}

/// How far behind a stale view is.
const STALE_MS: u64 = 30_000;

/// Lets so many printers become free at once, with as many copies to print; of a hundred hosts so many see the queue as it was
/// half a minute ago.
pub fn herd(seed: u64, hosts: usize, printers: usize, stale_percent: usize) -> Herd {
    let mut each = vec![0; hosts];
    (0..printers).for_each(|n| each[n % hosts] += 1);
    let mut world = World::empty(Plan::quiet(seed, each));
    world.found();
    for machine in &mut world.machines {
        machine.fails = 0;
    }
    // Long enough for the voters to have been chosen.
    world.pass(10 * 60_000);
    let mut draw = Draw::new(seed, "herd");
    let mut stale = std::collections::BTreeSet::new();
    while stale.len() < (hosts * stale_percent).div_ceil(100) {
        stale.insert(draw.below(hosts as u64) as usize);
    }
    for to in stale {
        for from in (0..hosts).filter(|from| *from != to) {
            let dirt = Dirt {
                stale_ms: STALE_MS,
                ..Dirt::default()
            };
            world.wire.set_dirt(from, to, Some(dirt));
        }
    }
    world.history = Some(Vec::new());
    let began = world.now;
    let shape = Shape {
        copies: printers as u32,
        sets: 1,
        per_run: 1,
        together: false,
        minutes: 240,
        bad: false,
    };
    world.submit(0, shape);
    let starts = |world: &World| {
        let facts = world.history.iter().flatten();
        facts
            .filter(|(_, fact)| matches!(fact, Fact::Began { .. }))
            .count()
    };
    while starts(&world) < printers && world.now < began + 15 * 60_000 && world.violation.is_none()
    {
        world.pass(1_000);
    }
    let mut ballots = std::collections::BTreeSet::new();
    for (_, fact) in world.history.iter().flatten() {
        if let Fact::Asked { ballot, .. } = fact {
            ballots.insert(ballot.clone());
        }
    }
    Herd {
        hosts,
        printers,
        attempts: ballots.len(),
        starts: starts(&world),
        took_ms: world.now - began,
        violation: world.violation,
        coverage: world.coverage,
    }
}
