//! Many printers that wake up at once, each with its own idea of what the others do.

use std::collections::BTreeSet;

use printmesh_node::{Command, Effect, Message, NewJob, Value};

use crate::farm::{Farm, Machines, job};

/// A thousand printers are in the simulator: here each has a real document with a signed history.
const HOSTS: usize = 14;

/// Different claims that were asked for, over all hosts.
fn attempts(farm: &Farm) -> usize {
    let mut asked = BTreeSet::new();
    for host in &farm.hosts {
        for effect in &host.effects {
            let Effect::Send { bytes, .. } = effect else {
                continue;
            };
            if let Some(Message::Prepare(ask)) = Message::decode(bytes)
                && matches!(ask.value, Value::Print { .. })
            {
                asked.insert(ask.ballot);
            }
        }
    }
    asked.len()
}

fn forget(farm: &mut Farm) {
    for host in &mut farm.hosts {
        host.effects.clear();
    }
}

#[test]
fn printers_that_wake_at_once_hardly_ever_ask_for_the_same_copy() {
    let mut farm = Farm::shared(&[1; HOSTS]);
    farm.machines = Machines::Print;
    for seed in 0..2 {
        for n in 0..HOSTS {
            let printers = Vec::new();
            farm.give(
                n,
                Command::PrinterReady {
                    printers,
                    good: None,
                },
            );
        }
        farm.settle();
        let new = NewJob {
            draft: true,
            copies: HOSTS as u32,
            ..job("farm", "bracket")
        };
        let id = farm.submit(0, new).to_string();
        forget(&mut farm);
        farm.starts.clear();
        farm.give(0, Command::JobRelease { job: id });
        // Words arrive in any order: each host has its own idea of what is free.
        farm.settle_by(seed, 200_000);
        farm.pass(120_000);
        assert_eq!(farm.starts.len(), HOSTS, "seed {seed}");
        // What the voter asks itself is not on the wire.
        let others = farm.starts.iter().filter(|start| start.host != 0).count();
        let attempts = attempts(&farm);
        assert!(
            attempts * 10 <= others * 16,
            "seed {seed}: {attempts} attempts for {others} starts"
        );
        assert!(others > HOSTS / 2);
        farm.check();
    }
}

#[test]
fn ten_printers_of_each_host_that_wake_at_once_keep_out_of_each_others_way() {
    const EACH: usize = 10;
    let mut farm = Farm::shared(&[EACH; 5]);
    farm.machines = Machines::Print;
    for n in 0..5 {
        farm.ready(n);
    }
    let new = NewJob {
        copies: 5 * EACH as u32,
        ..job("farm", "bracket")
    };
    forget(&mut farm);
    farm.submit(0, new);
    farm.pass(120_000);
    assert_eq!(farm.starts.len(), 5 * EACH);
    let others = farm.starts.iter().filter(|start| start.host != 0).count();
    assert!(
        attempts(&farm) * 10 <= others * 16,
        "{} attempts for {others} starts",
        attempts(&farm)
    );
    farm.check();
}

#[test]
fn one_copy_is_asked_for_by_one_printer_and_by_the_next_in_line_when_that_one_cannot() {
    let mut farm = Farm::shared(&[1; 8]);
    farm.machines = Machines::Print;
    forget(&mut farm);
    farm.submit(7, job("farm", "bracket"));
    farm.pass(120_000);
    assert_eq!(farm.starts.len(), 1);
    assert!(attempts(&farm) <= 1, "{}", attempts(&farm));
    // Whose line it is cannot keep the file; the others do not know that.
    let first = farm.starts[0].host;
    farm.ready(first);
    farm.hosts[first].import_fails = true;
    forget(&mut farm);
    farm.submit(7, job("farm", "lid"));
    farm.pass(300_000);
    assert_eq!(farm.starts.len(), 2);
    assert_ne!(farm.starts[1].host, first);
    farm.check();
}

/// Each printer in turn is the only one whose host is not frozen: nobody has heard yet that the others do not take the copy.
#[test]
fn who_stands_behind_others_waits_two_seconds_and_up_to_one_more_for_each_of_them() {
    let hosts = 5;
    let mut waited: Vec<u64> = (1..=hosts)
        .map(|only| {
            let mut farm = Farm::shared(&[0, 1, 1, 1, 1, 1]);
            farm.machines = Machines::Print;
            for n in (1..=hosts).filter(|n| *n != only) {
                farm.hosts[n].frozen = true;
            }
            forget(&mut farm);
            farm.submit(0, job("farm", "bracket"));
            let began_ms = farm.mono_ms;
            while attempts(&farm) == 0 {
                farm.pass(10);
            }
            farm.mono_ms - began_ms
        })
        .collect();
    waited.sort_unstable();
    assert!(waited[0] < 100, "{waited:?}");
    for (rank, ms) in waited.iter().enumerate().skip(1) {
        let from = rank as u64 * 2_000;
        assert!((from..=from + 1_100).contains(ms), "{waited:?}");
    }
}
