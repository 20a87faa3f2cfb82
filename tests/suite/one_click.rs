//! 1-Click end to end: two hosts whose printers start nothing by themselves; one command shows what could start, another one
//! starts exactly that on both of them.

use serde_json::Value;

use super::environment::{Farm, sliced};

const BY_HAND: &str = "sim://?speed=20000&clear=manual";

#[test]
fn r_c4_what_is_shown_is_started_on_both_hosts_once_and_a_plan_that_has_changed_is_refused() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(BY_HAND);
    for host in [&a, &b] {
        host.ok(&["autoprint", "off", "--all"]);
    }
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "3"]);
    let both = |plan: &Value| {
        plan["starts"]
            .as_array()
            .is_some_and(|rows| rows.len() == 2)
    };
    let plan = a.until("both printers", |a| {
        let plan = a.json(&["match", "-q", "farm"]);
        both(&plan).then_some(plan)
    });
    let id = plan["id"].as_str().unwrap();
    assert_eq!(
        plan["command"],
        format!("printmesh match -q farm --plan {id}")
    );
    assert_eq!(plan["starts"][0]["job"], "clip");
    assert_eq!(plan["starts"][0]["autoprint"], false);
    assert_eq!(plan["starts"][0]["passedOver"], 0);
    let todo = a.json(&["todo", "-q", "farm"]);
    assert_eq!(
        todo["items"][0]["steps"][0]["command"],
        "printmesh match -q farm"
    );
    assert_eq!(todo["items"][0]["starts"], 2);

    // To say that it is only a look changes nothing, and nothing starts of it.
    let dry = a.json(&["match", "-q", "farm", "-n"]);
    assert_eq!((&dry["id"], &dry["starts"]), (&plan["id"], &plan["starts"]));
    assert_eq!(a.run(&["match", "-n", "--plan", id]).code, 2);
    assert!(a.history().is_empty() && a.job(&job)["claims"].as_array().unwrap().is_empty());

    // Somebody takes a printer away between the look and the press.
    b.ok(&["printer", "pause", "sim"]);
    a.until("one printer less", |a| {
        (!both(&a.json(&["match", "-q", "farm"]))).then_some(())
    });
    let problem = a.problem("plan.changed", &["match", "-q", "farm", "--plan", id]);
    assert_eq!(problem["exit"], 5);
    assert!(a.history().is_empty());
    b.ok(&["printer", "resume", "sim"]);
    a.until("both printers", |a| {
        both(&a.json(&["match", "-q", "farm"])).then_some(())
    });

    a.ok(&["match", "-q", "farm", "--plan", id]);
    a.until("two prints", |a| (a.history().len() == 2).then_some(()));
    let plan = a.until("both beds", |a| {
        let plan = a.json(&["match", "-q", "farm"]);
        let waits = plan["waits"].as_array().unwrap();
        let occupied = waits.iter().filter(|row| row["code"] == "bed-not-clear");
        (occupied.count() == 2).then_some(plan)
    });
    assert!(plan["starts"].as_array().unwrap().is_empty());
    a.problem("plan.changed", &["match", "-q", "farm", "--plan", id]);

    // A bed that is called clear starts nothing by itself: the last copy waits for the next press.
    b.ok(&["printer", "ready", "sim"]);
    let next = a.until("the other printer", |a| {
        let plan = a.json(&["match", "--printer", "b/sim"]);
        (plan["starts"][0]["printer"] == "b/sim").then_some(plan)
    });
    assert_eq!(a.history().len(), 2);
    let command = next["command"].as_str().unwrap().to_owned();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    a.ok(&words);
    a.wait(&[&job]);
}
