//! Farms that are cut in two with work left for both halves, so that both print what is wanted once: what becomes of a surplus.

use crate::{
    draw::Draw,
    nemesis::{Fault, FaultKind},
    people::{Act, Shape},
};

const MINUTE: u64 = 60_000;

/// What is different in such a farm.
pub(crate) struct Halves {
    pub(crate) acts: Vec<(u64, Act)>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) settings: Vec<(&'static str, &'static str)>,
}

/// The farm of a seed, if it is one that is cut in two with its printers at work.
pub(crate) fn halves(seed: u64, printers: &mut [usize], until: u64) -> Option<Halves> {
    let mut draw = Draw::new(seed, "halves");
    if !draw.chance(100) {
        return None;
    }
    printers.iter_mut().for_each(|n| *n = (*n).max(1));
    let hosts = printers.len();
    let at = draw.below(until / 2);
    let copies = draw.pick(&[1, 1, 2, 3]);
    let shape = Shape {
        copies,
        sets: 1,
        per_run: 1,
        together: false,
        minutes: 90,
        bad: false,
    };
    // All printers are at work, and more is wanted that both halves know of.
    let jobs = printers.iter().sum::<usize>().div_ceil(copies as usize) + 1;
    let submits = (0..jobs as u64).map(|n| {
        let host = draw.index(hosts);
        (at + n * 1_000, Act::Submit { host, shape })
    });
    let acts = submits.collect();
    let fault = Fault {
        index: 0,
        kind: FaultKind::Partition,
        at: at + 30 * MINUTE,
        for_ms: draw.between(80, 200) * MINUTE,
        host: draw.index(hosts),
        other: 0,
        number: draw.next(),
    };
    let settings = vec![
        ("claims", "available"),
        ("budget", draw.pick(&["one", "all"])),
        (
            "on-surplus",
            draw.pick(&["finish", "pause", "abort", "abort"]),
        ),
    ];
    Some(Halves {
        acts,
        faults: vec![fault],
        settings,
    })
}
