//! Staggered start over independent hosts: never more printers of a circuit heat than the queue allows, whoever can reach whom.

use printmesh_node::{Command, NewJob, PrinterEdit, PrinterReport};
use proptest::prelude::*;

use crate::farm::{Farm, Machines, job};

/// Hosts with one printer each that does what the test says; three of them vote.
fn farm(setting: (&str, &str), hosts: usize) -> Farm {
    let mut farm = Farm::shared(&vec![1; hosts]);
    farm.set_voters(&[0, 1, 2]);
    for n in 0..hosts {
        farm.ready(n);
    }
    farm.machines = Machines::Wait;
    farm.set(setting.0, setting.1);
    farm
}

fn parts(copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job("farm", "part")
    }
}

/// Hosts whose printers were told to start and have not become hot.
fn heating(farm: &Farm, hot: &[usize]) -> Vec<usize> {
    let prints = (0..farm.hosts.len()).filter(|n| farm.up(*n) && farm.prints(*n, "p0"));
    prints.filter(|n| !hot.contains(n)).collect()
}

fn token(farm: &Farm, n: usize) -> String {
    let start = farm.starts.iter().rfind(|start| start.host == n);
    let start = start.expect("it was started");
    format!(
        "{}/{}/{}/{}",
        start.run.0, start.run.1, start.ballot, start.run.2
    )
}

fn hot(farm: &mut Farm, n: usize, nozzle: bool, bed: bool) {
    let print = token(farm, n);
    farm.printer_says(n, "p0", PrinterReport::Hot { print, nozzle, bed });
}

fn edit(farm: &mut Farm, n: usize, edit: PrinterEdit) {
    let printer = "p0".into();
    farm.ok(n, Command::PrinterEdit { printer, edit });
}

#[test]
fn r_p1_at_most_so_many_printers_heat_at_once_and_the_next_begins_when_one_is_hot() {
    let mut farm = farm(("heat-slots", "2"), 4);
    let id = farm.submit(0, parts(6));
    farm.pass(60_000);
    let first = heating(&farm, &[]);
    assert_eq!(first.len(), 2, "{}", farm.dump(id));
    let why = farm.why(0, id);
    let waits = why.iter().filter(|(_, code)| *code == "heat-slot");
    assert_eq!(waits.count(), 2, "{why:?}");
    // Its nozzle alone is not all of it.
    hot(&mut farm, first[0], true, false);
    farm.pass(60_000);
    assert_eq!(heating(&farm, &[]).len(), 2);
    hot(&mut farm, first[0], true, true);
    farm.pass(60_000);
    assert_eq!(heating(&farm, &first[..1]).len(), 2);
    // A print that failed heats no more either.
    farm.fail(first[1], "p0", "cold");
    farm.ready(first[1]);
    farm.pass(60_000);
    let now = heating(&farm, &first[..1]);
    assert_eq!(now.len(), 2, "{now:?} {}", farm.dump(id));
    farm.check();
}

#[test]
fn r_p3_a_budget_in_watts_counts_what_each_printer_draws() {
    let mut farm = farm(("heat-watts", "1500"), 3);
    for (n, watts) in [(0, 1000), (1, 600), (2, 450)] {
        let watts = Some(watts);
        edit(
            &mut farm,
            n,
            PrinterEdit {
                watts,
                ..PrinterEdit::default()
            },
        );
    }
    let id = farm.submit(0, parts(3));
    farm.pass(60_000);
    let watts = |heats: &[usize]| heats.iter().map(|n| [1000, 600, 450][*n]).sum::<u32>();
    let mut done = Vec::new();
    for _ in 0..6 {
        let now = heating(&farm, &done);
        assert!(watts(&now) <= 1500, "{now:?}");
        let Some(next) = now.first().copied() else {
            break;
        };
        hot(&mut farm, next, true, true);
        done.push(next);
        farm.pass(60_000);
    }
    assert_eq!(farm.starts.len(), 3, "{}", farm.dump(id));
    farm.check();
}

#[test]
fn a_printer_of_which_nobody_said_what_it_draws_waits_and_another_circuit_is_another_matter() {
    let mut farm = farm(("heat-watts", "1000"), 3);
    edit(
        &mut farm,
        1,
        PrinterEdit {
            watts: Some(900),
            ..PrinterEdit::default()
        },
    );
    let circuit = Some("garage".into());
    edit(
        &mut farm,
        2,
        PrinterEdit {
            watts: Some(900),
            circuit,
            ..PrinterEdit::default()
        },
    );
    farm.submit(0, parts(3));
    farm.pass(120_000);
    assert_eq!(heating(&farm, &[]), [1, 2]);
    farm.check();
}

#[test]
fn r_p2_in_a_partition_each_side_heats_only_with_what_it_has() {
    for level in ["majority", "available"] {
        let mut farm = farm(("heat-slots", "1"), 4);
        farm.set("claims", level);
        farm.level_available = true;
        farm.pass(1_000);
        for (x, y) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            farm.cut(x, y);
        }
        farm.submit(0, parts(2));
        farm.submit(2, parts(2));
        farm.pass(3_600_000);
        // Two of the three voters are on one side.
        let now = heating(&farm, &[]);
        assert!(now.len() == 1 && now[0] < 2, "{level}: {now:?}");
        for (x, y) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
            farm.heal(x, y);
        }
        farm.pass(600_000);
        assert_eq!(heating(&farm, &[]), now, "{level}");
        hot(&mut farm, now[0], true, true);
        farm.pass(600_000);
        assert_eq!(heating(&farm, &now).len(), 1, "{level}");
        farm.check();
    }
}

/// One place of two is on the side without a majority of the voters, taken before the cut: its printer heats on, and nothing else
/// there begins; the other side has the other place, and not that one.
#[test]
fn r_p2_a_minority_that_has_a_place_heats_with_that_and_begins_nothing_more() {
    for level in ["majority", "available"] {
        let mut farm = farm(("heat-slots", "2"), 4);
        farm.set("claims", level);
        farm.level_available = true;
        for n in [3, 0] {
            let printers = vec![format!("{}/p0", farm.hosts[n].name)];
            let part = parts(1);
            farm.submit(0, NewJob { printers, ..part });
        }
        farm.pass(60_000);
        assert_eq!(heating(&farm, &[]), [0, 3], "{level}");
        let sides = [(0, 2), (0, 3), (1, 2), (1, 3)];
        for (x, y) in sides {
            farm.cut(x, y);
        }
        farm.submit(0, parts(4));
        farm.submit(2, parts(4));
        farm.pass(3_600_000);
        assert_eq!(
            heating(&farm, &[]),
            [0, 3],
            "{level}: both places are taken"
        );
        // It is hot and has its place no more; whom to ask for one it cannot reach.
        hot(&mut farm, 3, true, true);
        farm.pass(3_600_000);
        assert_eq!(heating(&farm, &[3]), [0], "{level}");
        farm.finish(3, "p0");
        farm.ready(3);
        farm.pass(3_600_000);
        assert_eq!(heating(&farm, &[]), [0], "{level}");
        // The side with the majority goes on with the place that it knows to be free.
        hot(&mut farm, 0, true, true);
        farm.pass(3_600_000);
        assert_eq!(heating(&farm, &[0]), [1], "{level}");
        for (x, y) in sides {
            farm.heal(x, y);
        }
        farm.pass(3_600_000);
        let now = heating(&farm, &[0]);
        assert!(now.len() == 2 && now.contains(&1), "{level}: {now:?}");
        farm.check();
    }
}

#[test]
fn a_host_that_died_while_it_heated_keeps_its_place_until_it_is_back_or_a_person_frees_it() {
    for person in [false, true] {
        let mut farm = farm(("heat-slots", "1"), 4);
        let id = farm.submit(0, parts(4));
        farm.pass(60_000);
        let now = heating(&farm, &[]);
        assert_eq!(now.len(), 1);
        let dead = now[0];
        farm.kill(dead);
        farm.pass(2 * 3_600_000);
        assert_eq!(heating(&farm, &[]), [0; 0], "{}", farm.dump(id));
        if person {
            let asks = (0..3).find(|n| *n != dead).unwrap();
            let name = farm.hosts[dead].name.clone();
            let queue = "farm".into();
            let printer = format!("{name}/p0");
            farm.ok(asks, Command::HeatFree { queue, printer });
        } else {
            farm.boot(dead);
        }
        farm.pass(600_000);
        let others = heating(&farm, &[]);
        assert_eq!(others.len(), 1, "{person} {}", farm.dump(id));
        assert_ne!(others[0], dead, "its bed is unknown");
    }
}

#[test]
fn who_follows_as_a_voter_knows_who_heats() {
    let mut farm = farm(("heat-slots", "1"), 5);
    let id = farm.submit(0, parts(5));
    farm.pass(60_000);
    let now = heating(&farm, &[]);
    assert_eq!(now.len(), 1);
    farm.set_voters(&[2, 3, 4]);
    farm.pass(600_000);
    assert_eq!(heating(&farm, &[]), now);
    hot(&mut farm, now[0], true, true);
    farm.pass(600_000);
    assert_eq!(heating(&farm, &now).len(), 1, "{}", farm.dump(id));
    farm.check();
}

/// What happens to a farm of five hosts.
#[derive(Clone, Debug)]
enum Chance {
    Cut(usize, usize),
    Link(usize, usize),
    Hot(usize),
    Finish(usize),
    Kill(usize),
    Boot(usize),
    Pass(u64),
}

fn chance() -> impl Strategy<Value = Chance> {
    let host = || 0..5_usize;
    prop_oneof![
        (host(), host()).prop_map(|(a, b)| Chance::Cut(a, b)),
        (host(), host()).prop_map(|(a, b)| Chance::Link(a, b)),
        host().prop_map(Chance::Hot),
        host().prop_map(Chance::Hot),
        host().prop_map(Chance::Finish),
        host().prop_map(Chance::Kill),
        host().prop_map(Chance::Boot),
        (100..90_000_u64).prop_map(Chance::Pass),
        (100..90_000_u64).prop_map(Chance::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_never_more_printers_heat_than_the_queue_allows(
        k in 1..4_u32,
        by_watts in any::<bool>(),
        chances in prop::collection::vec(chance(), 1..40),
    ) {
        // So many printers, or so many watts; what each printer draws is a place, or some hundred watts.
        let (setting, most, draws) = match by_watts {
            true => ("heat-watts", 500 * k, [300, 400, 500, 600, 700]),
            false => ("heat-slots", k, [1; 5]),
        };
        let mut farm = farm((setting, &most.to_string()), 5);
        for (n, draw) in draws.into_iter().enumerate().filter(|_| by_watts) {
            let watts = Some(draw);
            edit(&mut farm, n, PrinterEdit { watts, ..PrinterEdit::default() });
        }
        farm.submit(0, parts(30));
        // A machine stays hot, or heats on, when its host dies: it counts until the host is back.
        let mut heats: Vec<usize> = farm.starts.iter().map(|start| start.host).collect();
        let mut begun = heats.len();
        for chance in chances {
            match chance {
                Chance::Cut(a, b) if a != b => farm.cut(a, b),
                Chance::Link(a, b) if a != b => farm.heal(a, b),
                Chance::Cut(..) | Chance::Link(..) => {}
                Chance::Hot(n) if farm.up(n) && heats.contains(&n) && farm.prints(n, "p0") => {
                    heats.retain(|other| *other != n);
                    hot(&mut farm, n, true, true);
                }
                Chance::Finish(n) if farm.up(n) && farm.prints(n, "p0") => {
                    heats.retain(|other| *other != n);
                    farm.begin(n, "p0");
                    farm.finish(n, "p0");
                    farm.settle();
                    farm.ready(n);
                }
                Chance::Kill(n) if farm.up(n) => farm.kill(n),
                Chance::Boot(n) if !farm.up(n) => {
                    heats.retain(|other| *other != n);
                    farm.boot(n);
                    farm.settle();
                    farm.ready(n);
                }
                Chance::Hot(_) | Chance::Finish(_) | Chance::Kill(_) | Chance::Boot(_) => {}
                Chance::Pass(ms) => farm.pass(ms),
            }
            farm.settle();
            heats.extend(farm.starts[begun..].iter().map(|start| start.host));
            begun = farm.starts.len();
            let drawn: u32 = heats.iter().map(|n| draws[*n]).sum();
            prop_assert!(drawn <= most, "{heats:?} heat with {drawn}, and {most} may");
        }
        // Everything comes back: somebody heats again.
        for n in 0..5 {
            if !farm.up(n) {
                heats.retain(|other| *other != n);
                farm.boot(n);
            }
            for other in 0..n {
                farm.heal(n, other);
            }
        }
        farm.settle();
        for n in 0..5 {
            farm.ready(n);
            if farm.prints(n, "p0") && heats.contains(&n) {
                hot(&mut farm, n, true, true);
                farm.finish(n, "p0");
                farm.settle();
                farm.ready(n);
            }
        }
        farm.pass(900_000);
        prop_assert!((0..5).any(|n| farm.prints(n, "p0")), "nobody heats any more");
    }
}
