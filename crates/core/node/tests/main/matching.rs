//! 1-Click: a plan that is looked at is started as it was, on printers that start nothing by themselves, and never twice.

use printmesh_node::{Answer, Command, MatchAsk, MatchPlan, NewJob, Problem};
use printmesh_queue::Role;

use crate::farm::{Farm, Machines, job};

fn autoprint(farm: &mut Farm, on: bool) {
    for n in 0..farm.hosts.len() {
        let printers = Vec::new();
        farm.ok(n, Command::Autoprint { printers, on });
    }
}

fn of_farm() -> MatchAsk {
    MatchAsk {
        queue: Some("farm".into()),
        ..MatchAsk::default()
    }
}

fn plan_of(farm: &Farm, n: usize, ask: &MatchAsk) -> Result<MatchPlan, Problem> {
    farm.node(n).match_plan(ask, farm.now())
}

fn plan(farm: &Farm, n: usize) -> MatchPlan {
    plan_of(farm, n, &of_farm()).expect("a plan")
}

fn press(plan: &MatchPlan) -> Command {
    Command::Match {
        ask: of_farm(),
        plan: plan.id.clone(),
    }
}

fn copies(name: &str, copies: u32) -> NewJob {
    NewJob {
        copies,
        ..job("farm", name)
    }
}

/// What starts where, as `b/p0 1` for the first copy on that printer.
fn words(farm: &Farm, n: usize, plan: &MatchPlan) -> Vec<String> {
    let snapshot = farm.snapshot(n, "farm");
    let starts = plan.starts.iter().map(|(_, start)| {
        let host = snapshot.host_name(start.printer.host);
        let copy = start.open.copy.index + 1;
        format!("{host}/{} {copy}", start.printer.name)
    });
    starts.collect()
}

fn no_request_is_left(farm: &Farm) {
    for n in 0..farm.hosts.len() {
        let left = &farm.snapshot(n, "farm").requests;
        assert!(left.is_empty(), "{left:?}");
        let keys = farm.hosts[n].keys.keys();
        assert_eq!(keys.filter(|key| key.starts_with(b"request/")).count(), 0);
    }
}

#[test]
fn a_plan_starts_on_every_host_although_no_printer_starts_by_itself() {
    let mut farm = Farm::shared(&[1, 2, 1]);
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    let id = farm.submit(0, copies("bracket", 6));
    farm.pass(60_000);
    assert!(farm.starts.is_empty(), "nobody has pressed");
    let plan = plan(&farm, 0);
    let all = words(&farm, 0, &plan);
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(plan.waits.is_empty(), "{plan:?}");
    farm.ok(0, press(&plan));
    farm.settle();
    assert_eq!(farm.starts.len(), 4);
    no_request_is_left(&farm);
    // One press is one print of each printer: the bed that is cleared afterwards waits for the next one.
    for n in 0..3 {
        farm.finish_all(n);
        farm.ready(n);
    }
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 4);
    assert_eq!(farm.status(0, id), "queued");
    farm.check();
}

#[test]
fn what_would_start_is_what_the_printers_start_that_do_so_by_themselves() {
    // R-E1: the same copies on the same printers.
    let run = |by_hand: bool| {
        let mut farm = Farm::shared(&[2, 2]);
        farm.machines = Machines::Wait;
        autoprint(&mut farm, false);
        farm.submit(0, copies("a", 3));
        farm.submit(1, copies("b", 3));
        if by_hand {
            let plan = plan(&farm, 1);
            farm.ok(1, press(&plan));
        } else {
            autoprint(&mut farm, true);
        }
        farm.settle();
        let mut starts: Vec<_> = farm
            .starts
            .iter()
            .map(|s| (s.host, s.printer.clone()))
            .collect();
        starts.sort();
        (starts, farm.snapshot(0, "farm").claims.len())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_plan_that_has_changed_starts_nothing_and_says_so() {
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    farm.submit(0, copies("bracket", 6));
    let seen = plan(&farm, 0);
    assert_eq!(plan(&farm, 1).id, seen.id, "every host sees the same");
    farm.ok(
        1,
        Command::PrinterPause {
            printer: "p0".into(),
            reason: "worn".into(),
        },
    );
    let problem = farm.refused(0, press(&seen));
    assert_eq!(
        (problem.code.as_str(), problem.code.exit()),
        ("plan.changed", 5)
    );
    assert!(farm.starts.is_empty());
    let now = plan(&farm, 0);
    assert_eq!(words(&farm, 0, &now), ["a/p0 1"]);
    let why: Vec<_> = now
        .waits
        .values()
        .map(|(_, reason)| reason.code())
        .collect();
    assert_eq!(why, ["printer-paused"]);
    // The same plan with fewer of it is another one.
    let ask = MatchAsk {
        printers: vec!["a/p0".into()],
        ..of_farm()
    };
    assert_eq!(plan_of(&farm, 0, &ask).unwrap().id, now.id);
    let none = MatchAsk {
        limit: Some(0),
        ..of_farm()
    };
    assert_ne!(plan_of(&farm, 0, &none).unwrap().id, now.id);
    let wrong = MatchAsk {
        printers: vec!["nowhere".into()],
        ..of_farm()
    };
    assert_eq!(
        plan_of(&farm, 0, &wrong).unwrap_err().code.as_str(),
        "printer.unknown"
    );
    no_request_is_left(&farm);
}

#[test]
fn r_c2_two_people_who_press_at_once_start_nothing_twice() {
    let mut farm = Farm::shared(&[1, 1, 1]);
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    farm.submit(0, copies("bracket", 9));
    let plans = [plan(&farm, 0), plan(&farm, 1)];
    for (n, plan) in plans.iter().enumerate() {
        farm.give(n, press(plan));
    }
    farm.settle();
    farm.pass(60_000);
    assert_eq!(farm.starts.len(), 3);
    let problem = farm.refused(0, press(&plans[0]));
    assert_eq!(problem.code.as_str(), "plan.changed", "a second time");
    no_request_is_left(&farm);
    farm.check();
}

#[test]
fn r_c3_a_bed_that_nobody_called_clear_is_in_no_plan() {
    // R-C3.
    let mut farm = Farm::shared(&[1, 1]);
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    farm.submit(0, copies("bracket", 6));
    let full = plan(&farm, 0);
    farm.ok(0, press(&full));
    farm.settle();
    farm.finish_all(0);
    farm.finish_all(1);
    farm.settle();
    let empty = plan(&farm, 0);
    assert!(empty.starts.is_empty());
    let why: Vec<_> = empty
        .waits
        .values()
        .map(|(_, reason)| reason.code())
        .collect();
    assert_eq!(why, ["bed-not-clear", "bed-not-clear"]);
    // R-C1: nothing to start is no failure.
    let answer = farm.ok(0, press(&empty));
    assert!(
        matches!(answer, Answer::Done { already: true, .. }),
        "{answer:?}"
    );
    farm.ready(1);
    assert_eq!(words(&farm, 0, &plan(&farm, 0)), ["b/p0 3"]);
    assert_eq!(farm.starts.len(), 2);
}

#[test]
fn a_press_that_a_printer_hears_of_too_late_starts_nothing() {
    let mut farm = Farm::shared(&[0, 1]);
    farm.machines = Machines::Wait;
    autoprint(&mut farm, false);
    farm.submit(0, job("farm", "bracket"));
    let seen = plan(&farm, 0);
    assert_eq!(words(&farm, 0, &seen), ["b/p0 1"]);
    // It was cut off in the moment of the press, and comes back when nobody stands there any more.
    farm.give(0, press(&seen));
    farm.cut_now(0, 1);
    farm.pass(120_000);
    farm.heal(0, 1);
    farm.pass(60_000);
    assert!(farm.starts.is_empty());
    no_request_is_left(&farm);
    // It heard of it, could not start, and restarted: what it then finds in its document is nobody's wish any more.
    let pause = |reason: Option<&str>| match reason {
        Some(reason) => Command::PrinterPause {
            printer: "p0".into(),
            reason: reason.into(),
        },
        None => Command::PrinterResume {
            printer: "p0".into(),
        },
    };
    farm.give(1, pause(Some("worn")));
    let seen = plan(&farm, 0);
    farm.give(0, press(&seen));
    farm.settle();
    assert_eq!(farm.snapshot(1, "farm").requests.len(), 1);
    farm.kill(1);
    farm.boot(1);
    farm.settle();
    farm.ready(1);
    farm.ok(1, pause(None));
    farm.pass(1_000);
    assert!(farm.starts.is_empty());
    farm.pass(60_000);
    assert!(farm.starts.is_empty());
    no_request_is_left(&farm);
    // Pressed again, it starts.
    let again = plan(&farm, 0);
    farm.ok(0, press(&again));
    farm.settle();
    assert_eq!(farm.starts.len(), 1);
    farm.check();
}

#[test]
fn who_may_only_submit_starts_no_printer_of_another_host() {
    let mut farm = Farm::new(&[1, 1]);
    farm.machines = Machines::Wait;
    farm.ok(
        0,
        Command::QueueCreate {
            name: "farm".into(),
        },
    );
    farm.join(1, Role::Submitter);
    farm.settle();
    autoprint(&mut farm, false);
    farm.submit(1, copies("mine", 2));
    let seen = plan(&farm, 1);
    assert_eq!(words(&farm, 1, &seen), ["a/p0 1"]);
    let problem = farm.refused(1, press(&seen));
    assert_eq!(
        (problem.code.as_str(), problem.code.exit()),
        ("member.role", 4)
    );
    farm.pass(60_000);
    assert!(farm.starts.is_empty());
    // Who owns the printer may.
    let seen = plan(&farm, 0);
    farm.ok(0, press(&seen));
    farm.settle();
    assert_eq!(farm.starts.len(), 1);
    no_request_is_left(&farm);
}

#[test]
fn a_press_of_somebody_who_is_no_operator_any_more_starts_nothing() {
    // What the asker may by the word of the printer's host; by its own it was an operator when it pressed.
    for (role, starts) in [
        (Role::Operator, true),
        (Role::Printer, false),
        (Role::Submitter, false),
    ] {
        let mut farm = Farm::new(&[1, 1]);
        farm.machines = Machines::Wait;
        let queue = "farm".to_owned();
        let name = queue.clone();
        farm.ok(0, Command::QueueCreate { name });
        farm.join(1, Role::Operator);
        farm.settle();
        autoprint(&mut farm, false);
        // Of its own job: as a wish for what the printer takes next by itself it counts.
        farm.submit(1, copies("mine", 2));
        let (printer, reason) = ("p0".to_owned(), "worn".into());
        farm.ok(1, Command::PrinterPause { printer, reason });
        farm.settle();
        let seen = plan(&farm, 1);
        assert_eq!(words(&farm, 1, &seen), ["a/p0 1"]);
        farm.give(1, press(&seen));
        farm.cut_now(0, 1);
        farm.settle();
        if role != Role::Operator {
            let member = "b".to_owned();
            farm.ok(
                0,
                Command::MemberRole {
                    queue,
                    member,
                    role,
                },
            );
        }
        farm.heal(0, 1);
        farm.settle();
        assert_eq!(farm.starts.len(), usize::from(starts), "{role:?}");
        farm.pass(60_000);
        assert_eq!(farm.starts.len(), usize::from(starts), "{role:?}");
        no_request_is_left(&farm);
        farm.check();
    }
}

#[test]
fn whoever_stands_beside_a_printer_of_his_own_starts_it_without_being_an_operator() {
    let mut farm = Farm::new(&[1, 1]);
    farm.machines = Machines::Wait;
    let name = "farm".into();
    farm.ok(0, Command::QueueCreate { name });
    farm.join(1, Role::Printer);
    farm.settle();
    autoprint(&mut farm, false);
    farm.submit(1, copies("mine", 2));
    let (printer, reason) = ("p0".into(), "worn".into());
    farm.ok(0, Command::PrinterPause { printer, reason });
    farm.settle();
    let own = plan(&farm, 1);
    assert_eq!(words(&farm, 1, &own), ["b/p0 1"]);
    farm.ok(1, press(&own));
    farm.settle();
    let begun: Vec<usize> = farm.starts.iter().map(|start| start.host).collect();
    assert_eq!(begun, [1]);
    no_request_is_left(&farm);
    farm.check();
}
