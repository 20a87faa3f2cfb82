//! The pictures of SETTINGS.md, drawn from what the plan does: a picture that says something else than the rules fails here.

use printmesh_queue::{Needs, Priority, Routine, RunResult, Timestamp};

use crate::{
    ahead::{MINUTE, NOW, ahead, free, job, timeline},
    farm::{Farm, printer, slot, tool},
};

const SETTINGS: &str = include_str!("../../SETTINGS.md");

/// The page has these lines, one below the other.
#[track_caller]
fn drawn(lines: &[String]) {
    let picture = lines.join("\n");
    assert!(SETTINGS.contains(&picture), "no such picture:\n{picture}");
}

/// The page has a line that begins and goes on so.
#[track_caller]
fn line(begins: &str, goes_on: &str) {
    let mut lines = SETTINGS.lines().map(str::trim);
    let found = lines.any(|line| {
        let rest = line.strip_prefix(begins).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(goes_on))
    });
    assert!(found, "no line {begins:?} … {goes_on:?}");
}

/// What each printer prints one after the other: `p1  A1 B2`.
fn rows(farm: &Farm) -> Vec<String> {
    let prints = timeline(&[farm], &ahead(farm));
    let names = farm.snapshot.printers.keys().map(|id| id.name.as_str());
    let rows = names.map(|name| {
        let own = prints.iter().filter_map(|print| print.strip_prefix(name));
        let copies: Vec<&str> = own
            .filter_map(|print| print.split_whitespace().next())
            .collect();
        format!("{name}  {}", copies.join(" "))
    });
    rows.collect()
}

fn side_by_side(left: &[String], right: &[String]) -> Vec<String> {
    let both = left.iter().zip(right);
    both.map(|(left, right)| format!("    {left:<32}{right}"))
        .collect()
}

#[test]
fn order_over_time_is_as_drawn() {
    let farm = ["A", "B", "C"]
        .into_iter()
        .fold(free(3), |farm, name| job(farm, name, 2, 60));
    let turns = farm.clone().set(&[("order", "round-robin")]);
    drawn(&side_by_side(&rows(&farm), &rows(&turns)));
}

#[test]
fn the_example_of_each_distribution_is_the_printer_that_takes_the_copy() {
    line(
        "| value | the copy goes to |",
        "example: last print ended 9:00, 7:00, never; 5 h, 1 h, 3 h printed; 60 g, 900 g, ? left |",
    );
    let hour = |n: u64| Timestamp(n * 60 * MINUTE);
    let needs = Needs {
        tools: vec![tool(0, "PLA", 10)],
        ..Needs::default()
    };
    let mut farm = Farm::new(3).job("A", 1).needs(needs);
    for (name, ended, printed_h, grams) in [
        ("p1", Some(hour(9)), 5, Some(60)),
        ("p2", Some(hour(7)), 1, Some(900)),
        ("p3", None, 3, None),
    ] {
        farm = farm.record(name, |p| {
            p.last_print_ended = ended;
            p.equipment.printed_s = 3600 * printed_h;
            p.equipment.slots = grams
                .map(|grams| slot(0, "PLA", grams))
                .into_iter()
                .collect();
        });
    }
    for how in [
        "position",
        "reverse",
        "least-recently-used",
        "hours",
        "most-hours",
        "best-fit",
    ] {
        let starts = farm.clone().set(&[("distribute", how)]).plan().starts;
        let cell = format!("| {} |", starts[0].printer.name);
        let mut lines = SETTINGS.lines();
        let row = lines.find(|line| line.starts_with(&format!("| `{how}`")));
        let row = row.expect("a row of the table");
        assert!(row.ends_with(&cell), "{row} takes {cell}");
    }
}

/// Jobs in the order in which they start, with a line where a new group begins.
fn parts(farm: &Farm) -> String {
    let jobs = farm.jobs();
    let mut drawn = String::new();
    let mut last = None;
    for name in jobs.split(' ') {
        let group = name.chars().next();
        let bar = if last.is_some() && group != last {
            "| "
        } else {
            ""
        };
        drawn += &format!("{bar}{name} ");
        last = group;
    }
    drawn.trim_end().to_owned()
}

#[test]
fn groups_are_drained_as_drawn() {
    let names = ["A1", "B1", "A2", "C1", "B2", "A3"];
    let farm = names.into_iter().fold(Farm::new(6), |farm, name| {
        farm.job(name, 1).in_group(&name[..1])
    });
    let farm = farm.set(&[("groups", "A,B,C")]);
    line("drain-groups off (default)", &farm.jobs());
    let farm = farm.set(&[("drain-groups", "on")]);
    line("drain-groups on", &parts(&farm));
    line("on, groups C,A", &parts(&farm.set(&[("groups", "C,A")])));
}

#[test]
fn the_backburner_comes_last_or_never_as_drawn() {
    let parked = |farm: Farm| farm.with(|job| job.terms.backburner = true);
    let farm = parked(parked(Farm::new(3).job("P", 1)).job("A", 1).job("Q", 1));
    line("off (default)", &farm.jobs());
    let jobs = farm.set(&[("exclude-backburner", "on")]).jobs();
    line(
        "on",
        &format!("{jobs}           P and Q wait for `job start`"),
    );
}

#[test]
fn never_skip_waits_with_the_words_that_are_drawn() {
    let needs = |name| Needs {
        tools: vec![tool(0, name, 1)],
        ..Needs::default()
    };
    let farm = Farm::new(1)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
        .job("X", 1)
        .needs(needs("PETG"))
        .job("B", 1)
        .needs(needs("PLA"));
    let starts = farm.starts().join(" ").replace(' ', "  ");
    line("off (default)", &starts);
    let farm = farm.set(&[("never-skip", "on")]);
    assert_eq!(farm.starts(), [""; 0]);
    line(
        "on",
        &format!("p1  …           waits: \"{}\"", farm.idles("p1").text()),
    );
}

#[test]
fn r_s7_backfill_lets_through_what_is_drawn() {
    let needs = |name| Needs {
        tools: vec![tool(0, name, 1)],
        ..Needs::default()
    };
    let with_b = |takes: u64| {
        let farm = free(2)
            .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
            .has("p2", |e| e.slots = vec![slot(0, "PETG", 900)]);
        let farm = job(farm, "A", 1, 60).needs(needs("PETG"));
        let farm = farm.printed("A", 1, "p2", NOW, RunResult::Started);
        let farm = job(farm.busy(&["p2"]), "X", 1, 10).needs(needs("PETG"));
        let farm = job(farm, "B", 1, takes).needs(needs("PLA"));
        farm.set(&[("never-skip", "backfill")])
    };
    let farm = with_b(30);
    assert_eq!(farm.starts(), ["p1 B1"]);
    let shown = timeline(&[&farm], &ahead(&farm));
    assert_eq!(shown, ["p2 A1 0-60", "p1 B1 0-30", "p2 X1 60-70"]);
    line(
        "backfill",
        "p1  B1 0-30     if B takes 30 minutes; if it took 90, p1 would wait",
    );
    assert!(SETTINGS.contains("\n                    p2  A1 0-60   X1 60-70\n"));
    let long = with_b(90);
    assert_eq!(long.starts(), [""; 0]);
    // It goes on once X has begun.
    let shown = timeline(&[&long], &ahead(&long));
    assert_eq!(shown, ["p2 A1 0-60", "p2 X1 60-70", "p1 B1 60-150"]);
}

#[test]
fn sorting_reaches_as_far_as_drawn() {
    let rush = |farm: Farm| farm.with(|job| job.terms.priority = Priority::Rush);
    let farm = rush(Farm::new(4).job("A", 1).job("B", 1))
        .job("C", 1)
        .job("D", 1);
    let farm = rush(farm);
    for (limit, begins, within) in [
        ("none", "none (default)", 4),
        ("2", "2", 2),
        ("50%", "50%", 2),
        ("0", "0", 4),
    ] {
        let jobs = farm.clone().set(&[("sort-limit", limit)]).jobs();
        let names: Vec<&str> = jobs.split(' ').collect();
        let (sorted, rest) = names.split_at(within);
        let bar = if rest.is_empty() { "" } else { " | " };
        line(
            begins,
            &format!("{}{bar}{}", sorted.join(" "), rest.join(" ")),
        );
    }
}

#[test]
fn nobody_starves_as_told() {
    assert!(SETTINGS.contains("(rush) comes then: R goes on, A is next, then S."));
    let rush = |farm: Farm| farm.with(|job| job.terms.priority = Priority::Rush);
    let came = |farm: Farm, at: u64| farm.with(|job| job.created = Timestamp(at));
    let mut farm = rush(Farm::new(1).job("A", 1).job("R", 2));
    let mut order = Vec::new();
    for n in 0..4 {
        let start = farm.plan().starts.remove(0);
        let name = farm.snapshot.jobs[&start.open.copy.job].name.clone();
        assert_eq!(start.printer, printer("p1"));
        farm = farm.printed(
            &name,
            start.open.copy.index + 1,
            "p1",
            10 + n,
            RunResult::Ok,
        );
        if n == 0 {
            farm = came(rush(farm.job("S", 1)), 50);
        }
        order.push(name);
    }
    assert_eq!(order.join(" "), "R R A S");
}

#[test]
fn printers_heat_one_after_the_other_as_drawn() {
    let farm = job(free(4), "A", 4, 60);
    let bars = |farm: &Farm| -> Vec<String> {
        let forecast = ahead(farm);
        let mut prints: Vec<_> = forecast.prints.iter().collect();
        prints.sort_by_key(|print| print.printer.name.clone());
        let bars = prints.iter().map(|print| {
            // Two letters for the five minutes in which a printer heats.
            let waits = 2 * (print.from.0 - NOW) / (5 * MINUTE);
            format!(
                "{}  {}##======",
                print.printer.name,
                " ".repeat(waits as usize)
            )
        });
        bars.collect()
    };
    let two = farm.clone().set(&[("heat-slots", "2")]);
    drawn(&side_by_side(&bars(&farm), &bars(&two)));
}

#[test]
fn what_passes_between_two_prints_takes_as_long_as_drawn() {
    let minute = |from_now: u64| {
        u16::try_from((NOW / MINUTE + from_now) % (24 * 60)).expect("a minute of a day")
    };
    let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect();
    let mut farm = free(5);
    for (name, copies, printers) in [
        ("A", 2, &["p1"][..]),
        ("B", 2, &["p2"]),
        ("C", 3, &["p3"]),
        ("D", 2, &["p4", "p5"]),
    ] {
        farm = job(farm, name, copies, 60).with(|job| job.printers = names(printers));
    }
    // Only p4 and p5 share a circuit.
    for (name, circuit) in [
        ("p1", "1"),
        ("p2", "2"),
        ("p3", "3"),
        ("p4", "4"),
        ("p5", "4"),
    ] {
        farm = farm.has(name, |e| e.circuit = Some(circuit.into()));
    }
    let farm = farm
        .record("p1", |p| p.routine.cool_c = Some(30))
        .record("p2", |p| p.routine.quiet = vec![[minute(30), minute(90)]])
        .record("p3", |p| {
            p.routine = Routine {
                cycles_left: Some(2),
                ..Routine::default()
            }
        })
        .set(&[("heat-slots", "1")]);
    let prints = timeline(&[&farm], &ahead(&farm));
    for name in ["p1", "p2", "p3", "p4", "p5"] {
        let own = prints.iter().filter_map(|print| print.strip_prefix(name));
        let own: Vec<&str> = own.map(str::trim).collect();
        line(name, &own.join("   "));
    }
    // Two copies of C by itself, and no third.
    assert_eq!(
        prints
            .iter()
            .filter(|print| print.starts_with("p3"))
            .count(),
        2
    );
}

#[test]
fn the_example_of_the_to_do_list_is_the_list() {
    let needs = |name| Needs {
        tools: vec![printmesh_queue::ToolNeed {
            mg: None,
            ..tool(0, name, 0)
        }],
        ..Needs::default()
    };
    let farm = Farm::new(2)
        .has("p1", |e| e.slots = vec![slot(0, "PLA", 900)])
        .has("p2", |e| e.slots = vec![slot(0, "PLA", 900)])
        .record("p2", |p| p.bed = printmesh_queue::Bed::Occupied)
        .job("A", 4)
        .needs(needs("PETG"))
        .job("B", 10)
        .needs(needs("PLA"));
    assert_eq!(farm.starts(), ["p1 B1"]);
    assert_eq!(farm.list(), ["clear p2: 1, 9"]);
    line(
        "1  clear the bed of p2",
        "9 prints, 1 at once       p1 starts B1 anyway; B2 to B10 wait for this",
    );
}
