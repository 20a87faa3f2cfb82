//! Jobs whose order, counts, age and files are not what they were.

use std::collections::BTreeMap;

use printmesh_node::{NewJob, NewSet, Place};
use printmesh_queue::{Bed, JobId, RunResult, SetId};
use printmesh_schedule::choose;

use super::{autoprint, copies, order, to_place};
use crate::farm::{Farm, Machines, file, job};

/// Jobs that two hosts put into one place at once had one rank, and a third could not be put between them.
#[test]
fn d14_a_job_goes_where_a_person_says_also_between_two_that_came_at_once() {
    let mut farm = Farm::shared(&[0, 0]);
    let first = farm.submit(0, job("farm", "first"));
    farm.cut(0, 1);
    let mut pair = [
        farm.submit(0, job("farm", "by a")),
        farm.submit(1, job("farm", "by b")),
    ];
    farm.heal(0, 1);
    pair.sort_unstable();
    let last = farm.submit(1, job("farm", "last"));
    farm.ok(1, to_place(first, Place::After(pair[0].to_string())));
    for n in [0, 1] {
        assert_eq!(order(&farm, n), [pair[0], first, pair[1], last]);
    }
    farm.ok(0, to_place(last, Place::Before(pair[1].to_string())));
    for n in [0, 1] {
        assert_eq!(order(&farm, n), [pair[0], first, last, pair[1]]);
    }
    farm.check();
}

/// Good prints of each file of the job's first copy.
fn made(farm: &Farm, id: JobId) -> BTreeMap<String, usize> {
    let (snapshot, job) = farm.job(0, id);
    let mut made = BTreeMap::new();
    for claim in snapshot.claims.iter().filter(|(copy, _)| copy.job == id) {
        for run in claim.1.values().flat_map(|claim| claim.runs.values()) {
            let set = job
                .sets
                .iter()
                .find(|set| set.id == run.set)
                .expect("a set");
            let name = set.spec.files[0].name.clone();
            *made.entry(name).or_default() += usize::from(run.result == RunResult::Ok);
        }
    }
    made
}

/// What was printed was noted by position, so a change of the job in mid-print credited the wrong set: one part was
/// missing, or made twice.
#[test]
fn d17_counts_that_change_in_mid_print_neither_lose_a_part_nor_make_one_twice() {
    // (left and right in one copy, finished before the change, left from then on, made in the end)
    for (counts, finished, left, wanted) in [
        ((2, 1), 1, 1, (2, 1)),
        ((2, 1), 2, 1, (2, 1)),
        ((1, 1), 1, 2, (2, 1)),
        ((3, 2), 4, 1, (3, 2)),
        ((1, 2), 2, 3, (3, 2)),
    ] {
        let mut farm = Farm::shared(&[0, 1]);
        farm.machines = Machines::Wait;
        let kit = NewJob {
            sets: vec![
                NewSet::of(file("left"), counts.0),
                NewSet::of(file("right"), counts.1),
            ],
            ..job("farm", "kit")
        };
        let id = farm.submit(0, kit);
        for _ in 0..finished {
            farm.begin(1, "p0");
            farm.finish(1, "p0");
            farm.settle();
            if !farm.prints(1, "p0") {
                farm.ready(1);
            }
        }
        let set: SetId = farm.job(0, id).1.sets[0].id;
        farm.edit_farm(|edit| edit.set_per_run(id, set, left));
        for _ in 0..10 {
            farm.finish_all(1);
            farm.settle();
            farm.ready(1);
        }
        let parts = [
            ("left.gcode".to_owned(), wanted.0),
            ("right.gcode".to_owned(), wanted.1),
        ];
        assert_eq!(made(&farm, id), BTreeMap::from(parts), "{counts:?}");
        assert_eq!(farm.status(0, id), "done");
        assert_eq!(farm.starts.len(), wanted.0 + wanted.1);
    }
}

/// Asking what would be printed next counted it as begun, or dropped it.
#[test]
fn d17_looking_at_what_comes_next_changes_nothing_however_often() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    farm.ok(1, autoprint(false));
    let first = farm.submit(0, job("farm", "first"));
    let second = farm.submit(0, job("farm", "second"));
    farm.ok(1, autoprint(true));
    let kept = |farm: &Farm| (farm.hosts[1].keys.clone(), farm.hosts[1].logs.clone());
    let before = (kept(&farm), farm.node(1).next_wakeup());
    let look = |farm: &Farm| {
        let view = farm.node(1).queue_view(farm.queue(1, "farm"));
        let presence = farm.node(1).presence_in(view.id);
        let printers = view.snapshot.printers.keys();
        let next = printers.map(|id| choose(view.snapshot, &presence, id));
        let jobs = [first, second];
        let said = jobs.map(|job| (farm.status(1, job), farm.why(1, job)));
        (next.collect::<Vec<_>>(), said, farm.node(1).history())
    };
    let seen = look(&farm);
    for _ in 0..10 {
        assert_eq!(look(&farm), seen);
    }
    assert_eq!((kept(&farm), farm.node(1).next_wakeup()), before);
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(farm.status(0, first), "printing");
    farm.finish_all(1);
    farm.settle();
    farm.ready(1);
    assert_eq!(
        (farm.status(0, first), farm.status(0, second)),
        ("done", "printing")
    );
    farm.check();
}

/// A store as format 1 was written: `put KEY VALUE` with both as text, `log QUEUE ENTRY` with both in hex.
const FORMAT_1: &str = include_str!("../../fixtures/format-1.txt");

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hex")
        })
        .collect()
}

/// The one path from an older version called a function that did not exist, and its test called another one.
#[test]
fn d18_a_store_of_the_first_format_is_opened_whole_and_prints_on() {
    let mut farm = Farm::new(&[0]);
    farm.kill(0);
    let host = &mut farm.hosts[0];
    host.keys.clear();
    host.logs.clear();
    for line in FORMAT_1.lines() {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().expect("three words");
        let (kind, key, value) = (word(), word(), word());
        if kind == "put" {
            host.keys.insert(key.into(), value.into());
        } else {
            let log = unhex(key).try_into().expect("a queue");
            host.logs.entry(log).or_default().push(unhex(value));
        }
    }
    farm.boot(0);
    farm.settle();
    // Its power failed while the second part of the first kit was printed.
    let jobs = farm.snapshot(0, "farm").jobs.values();
    let mut found: Vec<(String, &str, u32)> = jobs
        .map(|job| (job.name.clone(), farm.status(0, job.id), job.copies))
        .collect();
    found.sort();
    let wanted = [
        ("cancelled", "cancelled", 1),
        ("done", "done", 2),
        ("draft", "draft", 5),
        // It failed once: since then a copy is tried more often than that.
        ("failed", "queued", 1),
        ("held", "printing", 3),
        ("kit", "unknown", 2),
        ("moved", "draft", 1),
    ];
    assert_eq!(
        found,
        wanted.map(|(name, status, n)| (name.to_owned(), status, n))
    );
    let local: Vec<_> = farm.snapshot(0, "local").jobs_in_order();
    assert_eq!(
        local.iter().map(|job| &*job.name).collect::<Vec<_>>(),
        ["own"]
    );
    let printer = &farm.node(0).own_printers_view()["p0"];
    assert_eq!((printer.at.as_str(), printer.bed), ("sim:", Bed::Unknown));
    let history = farm.node(0).history();
    assert_eq!(
        history
            .iter()
            .filter(|print| print.result == RunResult::Ok)
            .count(),
        3
    );
    assert_eq!(farm.starts.len(), 0, "nothing starts by itself");
    // It goes on to work, and what it writes now is read with what was there.
    let id = farm.submit(
        0,
        NewJob {
            printers: vec!["a/p0".into()],
            ..job("farm", "after")
        },
    );
    farm.ok(0, to_place(id, Place::Top));
    farm.ready(0);
    farm.pass(60_000);
    assert_eq!(farm.status(0, id), "done", "{:?}", farm.why(0, id));
    let before = farm.snapshot(0, "farm").clone();
    farm.stop(0);
    farm.boot(0);
    farm.settle();
    assert_eq!(farm.snapshot(0, "farm").jobs, before.jobs);
}

/// The only source of a job's files was whoever edited it last: with that host off nobody could start it.
#[test]
fn d19_the_editor_and_then_the_submitter_are_switched_off_and_the_job_is_printed_all_the_same() {
    // The voter; the submitter; the editor; two that print.
    let mut farm = Farm::shared(&[0, 0, 0, 1, 1]);
    for n in [3, 4] {
        farm.ok(n, autoprint(false));
    }
    let id = farm.submit(1, job("farm", "bracket"));
    farm.ok(2, copies(id, 2));
    farm.kill(2);
    farm.settle();
    farm.ok(3, autoprint(true));
    assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 2));
    farm.ok(3, autoprint(false));
    farm.kill(1);
    farm.settle();
    farm.ok(0, copies(id, 3));
    farm.ok(4, autoprint(true));
    farm.pass(60_000);
    assert_eq!((farm.status(0, id), farm.starts.len()), ("done", 3));
    assert_eq!(farm.starts[2].host, 4);
    farm.check();
}
