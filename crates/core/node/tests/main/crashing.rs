//! Power cuts at every step of the way, and whatever else a network can do: nothing is lost, nothing printed twice.

use printmesh_node::{Command, NewJob, NewSet};
use printmesh_queue::{ClaimState, CopyState, JobId};
use proptest::prelude::*;

use crate::farm::{Crash, Farm, Machines, file, job};

/// Brings everything up, clears beds, and waits until all is done that can be.
fn recover(farm: &mut Farm) {
    farm.heal_all();
    for n in 0..farm.hosts.len() {
        if !farm.up(n) {
            farm.boot(n);
        }
    }
    farm.machines = Machines::PrintAndClear;
    for _ in 0..4 {
        for n in 0..farm.hosts.len() {
            farm.finish_all(n);
            farm.ready(n);
        }
        farm.pass(200_000);
    }
}

/// Every copy is done, or was meant to be printed when its host died and is shown as such; what died with its host in the
/// middle, once, was printed once more.
fn nothing_is_lost(farm: &Farm, id: JobId, copies: usize, runs: usize) {
    for n in 0..farm.hosts.len() {
        let (snapshot, job) = farm.job(n, id);
        let mut unknown = 0;
        let mut done = 0;
        for (copy, state) in snapshot.copies_of(job) {
            match state {
                CopyState::Done(_) => done += 1,
                CopyState::Begun(claim) if claim.record.state == ClaimState::Unknown => {
                    unknown += 1
                }
                other => panic!("copy {} of {} on host {n}: {other:?}", copy.index, job.name),
            }
        }
        assert_eq!(done + unknown, copies);
        let begun = farm
            .starts
            .iter()
            .filter(|start| start.run.0 == job.id.to_string())
            .count();
        assert!(
            begun <= copies * runs + 1 && begun >= done * runs,
            "{begun} prints of {copies} times {runs}"
        );
    }
}

#[test]
fn a_power_cut_at_any_step_of_any_host_neither_loses_nor_repeats_a_print() {
    let mut crashes = 0;
    for crash in [Crash::BeforeWrites, Crash::AfterWrites, Crash::AfterEffects] {
        for victim in [0, 1] {
            for at in 1.. {
                let mut farm = Farm::shared(&[0, 1]);
                farm.machines = Machines::PrintAndClear;
                farm.hosts[victim].crash_at = Some((farm.hosts[victim].handled + at, crash));
                let new = NewJob {
                    copies: 2,
                    sets: vec![NewSet::of(file("a"), 1), NewSet::of(file("b"), 2)],
                    ..job("farm", "kit")
                };
                let asked = farm.give_job(0, new);
                farm.settle();
                farm.pass(5_000);
                let over = farm.hosts[victim].crash_at.is_some();
                farm.hosts[victim].crash_at = None;
                let acknowledged = farm.hosts[0].replies.remove(&asked);
                recover(&mut farm);
                farm.check();
                match acknowledged {
                    Some(Ok(printmesh_node::Answer::Job(id))) => nothing_is_lost(&farm, id, 2, 3),
                    Some(other) => panic!("{other:?}"),
                    None => assert!(victim == 0 && !over),
                }
                if over {
                    break;
                }
                crashes += 1;
            }
        }
    }
    assert!(crashes > 100, "{crashes}");
}

/// One thing that chance does.
#[derive(Clone, Debug)]
enum Chance {
    /// The n-th thing that can happen next happens.
    Next(u16),
    /// A message arrives twice.
    Twice(u8, u8),
    Kill(u8),
    Crash(u8, u8, bool),
    Boot(u8),
    Stop(u8),
    Cut(u8, u8),
    Heal(u8, u8),
    Pass(u32),
    Ready(u8),
    Finish(u8),
    Submit(u8, u8),
    Hold(u8, bool),
    Cancel(u8),
    Move(u8, bool),
}

fn chance() -> impl Strategy<Value = Chance> {
    prop_oneof![
        30 => any::<u16>().prop_map(Chance::Next),
        2 => (0..3u8, 0..3u8).prop_map(|(a, b)| Chance::Twice(a, b)),
        1 => (0..3u8).prop_map(Chance::Kill),
        2 => (0..3u8, 1..4u8, any::<bool>()).prop_map(|(n, at, writes)| Chance::Crash(n, at, writes)),
        3 => (0..3u8).prop_map(Chance::Boot),
        1 => (0..3u8).prop_map(Chance::Stop),
        1 => (0..3u8, 0..3u8).prop_map(|(a, b)| Chance::Cut(a, b)),
        2 => (0..3u8, 0..3u8).prop_map(|(a, b)| Chance::Heal(a, b)),
        2 => (1..100_000u32).prop_map(Chance::Pass),
        3 => (0..3u8).prop_map(Chance::Ready),
        3 => (0..3u8).prop_map(Chance::Finish),
        2 => (0..3u8, 1..3u8).prop_map(|(n, copies)| Chance::Submit(n, copies)),
        1 => (0..3u8, any::<bool>()).prop_map(|(n, held)| Chance::Hold(n, held)),
        1 => (0..3u8).prop_map(Chance::Cancel),
        1 => (0..3u8, any::<bool>()).prop_map(|(n, top)| Chance::Move(n, top)),
    ]
}

fn happen(farm: &mut Farm, chance: Chance, given: &mut Vec<(usize, u64, usize)>) {
    let first_open = |farm: &Farm| {
        let n = (0..3).find(|n| farm.up(*n))?;
        farm.snapshot(n, "farm")
            .jobs_in_order()
            .first()
            .map(|job| job.id.to_string())
    };
    match chance {
        Chance::Next(n) => {
            let acts = farm.acts();
            if !acts.is_empty() {
                farm.act(acts[usize::from(n) % acts.len()]);
            }
        }
        Chance::Twice(a, b) => farm.duplicate(a.into(), b.into()),
        Chance::Kill(n) => farm.kill(n.into()),
        Chance::Crash(n, at, writes) => {
            let crash = if writes {
                Crash::AfterWrites
            } else {
                Crash::BeforeWrites
            };
            let host = &mut farm.hosts[usize::from(n)];
            host.crash_at = Some((host.handled + usize::from(at), crash));
        }
        Chance::Boot(n) if !farm.up(n.into()) => farm.boot(n.into()),
        Chance::Stop(n) if farm.up(n.into()) => {
            farm.input(n.into(), printmesh_node::Input::ShuttingDown);
            farm.kill(n.into());
        }
        Chance::Cut(a, b) if a != b => farm.cut_now(a.into(), b.into()),
        Chance::Heal(a, b) if a != b => farm.heal_now(a.into(), b.into()),
        Chance::Pass(ms) => farm.pass(ms.into()),
        Chance::Ready(n) if farm.up(n.into()) => {
            farm.give(
                n.into(),
                Command::PrinterReady {
                    printers: Vec::new(),
                    good: None,
                },
            );
        }
        Chance::Finish(n) => farm.finish_all(n.into()),
        Chance::Submit(n, copies) if farm.up(n.into()) => {
            let name = format!("job{}", given.len());
            let new = NewJob {
                copies: copies.into(),
                ..job("farm", &name)
            };
            let asked = farm.give_job(n.into(), new);
            given.push((n.into(), asked, copies.into()));
        }
        Chance::Hold(n, held) if farm.up(n.into()) => {
            if let Some(job) = first_open(farm) {
                farm.give(
                    n.into(),
                    if held {
                        Command::JobHold { job }
                    } else {
                        Command::JobRelease { job }
                    },
                );
            }
        }
        Chance::Cancel(n) if farm.up(n.into()) => {
            if let Some(job) = first_open(farm) {
                farm.give(n.into(), Command::JobCancel { job });
            }
        }
        Chance::Move(n, top) if farm.up(n.into()) => {
            if let Some(job) = first_open(farm) {
                let (to, place) = (
                    Some("local".to_owned()),
                    if top {
                        printmesh_node::Place::Top
                    } else {
                        printmesh_node::Place::Keep
                    },
                );
                farm.give(n.into(), Command::JobMove { job, to, place });
            }
        }
        _ => {}
    }
}

fn any_farm(voters: &[usize], chances: Vec<Chance>) {
    let mut farm = Farm::shared(&[1, 1, 1]);
    if voters.len() > 1 {
        farm.set_voters(voters);
        for n in 0..3 {
            farm.ready(n);
        }
    }
    farm.machines = Machines::Wait;
    let mut given = Vec::new();
    for chance in chances {
        happen(&mut farm, chance, &mut given);
    }
    for host in &mut farm.hosts {
        host.crash_at = None;
    }
    recover(&mut farm);
    release_all(&mut farm);
    recover(&mut farm);
    farm.check();
    for (n, asked, _) in given {
        let Some(Ok(printmesh_node::Answer::Job(id))) = farm.hosts[n].replies.get(&asked) else {
            continue;
        };
        // Wherever it is now, who submitted it knows how it stands, and nothing of it waits.
        let id = *id;
        let finder = (0..3).find(|n| !["moved", "?"].contains(&farm.try_status(*n, id)));
        let status = finder.map(|n| farm.try_status(n, id));
        let prints = farm.starts.iter();
        let prints = prints.filter(|start| start.run.0 == id.to_string()).count();
        assert!(
            matches!(status, Some("done" | "unknown" | "cancelled"))
                || status == Some("failed") && prints > 3,
            "{id} is {status:?}: {}",
            farm.dump(id)
        );
    }
}

fn release_all(farm: &mut Farm) {
    let held: Vec<String> = farm
        .snapshot(0, "farm")
        .jobs
        .values()
        .filter(|job| job.held)
        .map(|job| job.id.to_string())
        .collect();
    for job in held {
        farm.give(0, Command::JobRelease { job });
    }
    for n in 0..3 {
        let held: Vec<String> = farm
            .snapshot(n, "local")
            .jobs
            .values()
            .filter(|job| job.held)
            .map(|job| job.id.to_string())
            .collect();
        for job in held {
            farm.give(n, Command::JobRelease { job });
        }
    }
    farm.settle();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_printed_twice_and_no_job_is_lost(chances in proptest::collection::vec(chance(), 1..250)) {
        any_farm(&[0], chances);
    }

    #[test]
    fn the_same_with_three_voters(chances in proptest::collection::vec(chance(), 1..250)) {
        any_farm(&[0, 1, 2], chances);
    }
}
