//! Real daemons that are killed in the middle of a print: what the printer says and what a person says settles how it
//! ended, and what failed is made again.

use printmesh_api::reply::Event;
use serde_json::{Value, json};

use super::environment::{Farm, Host};

/// It takes so long from the accepted start to the first heat that a host dies in between for sure.
const HESITANT: &str = "sim://?speed=1000&slow_start=80000";
const FAST: &str = "sim://?speed=1000";

/// Writes a file that prints for so many seconds of the real machine.
fn gcode(farm: &Farm, name: &str, seconds: u32) -> String {
    let path = farm.path().join(format!("{name}.gcode"));
    let text = format!("; {name}\nG1 X10 Y10 F3000\nG4 S{seconds}\nG1 X0 F3000\n");
    std::fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// States of the claims on the job's copies, first try first.
fn claims(host: &Host, job: &str) -> Vec<String> {
    let shown = host.job(job);
    let claims = shown["claims"].as_array().unwrap().iter();
    claims
        .map(|claim| claim["state"].as_str().unwrap().to_owned())
        .collect()
}

fn results(host: &Host) -> Vec<Value> {
    let rows = host.history();
    rows.iter().rev().map(|row| row["result"].clone()).collect()
}

fn until_claims(host: &Host, job: &str, wanted: &[&str]) {
    host.until(&format!("claims {wanted:?} of {job}"), |host| {
        (claims(host, job) == wanted).then_some(())
    });
}

/// Two hosts with a queue of the first; only `b` prints.
fn farm_of_two(at: &str) -> (Farm, Host, Host) {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", at);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    (farm, a, b)
}

fn is_under_way(event: &Event) -> bool {
    event.kind == "print.progress" && event.progress > Some(0.0)
}

/// Submits on `a`, and kills `b` as soon as its print was ordered.
fn killed_at_the_start(farm: &Farm, a: &Host, b: &mut Host, name: &str) -> String {
    let job = a.submit(&["-q", "farm", &gcode(farm, name, 1)]);
    b.until("the order", |b| {
        (b.json(&["printer", "show", "sim"])["state"] == "printing").then_some(())
    });
    b.kill();
    b.start();
    b.until_link("farm", "a", "connected");
    until_claims(a, &job, &["unknown"]);
    job
}

#[test]
fn a_person_says_how_a_print_ended_of_which_nobody_knows() {
    let (farm, a, mut b) = farm_of_two(HESITANT);
    let job = killed_at_the_start(&farm, &a, &mut b, "good");
    let shown = a.job(&job);
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&json!("unknown"), &json!("copy-unknown"))
    );
    let needs = b.json(&["status"])["needsYou"].clone();
    let wanted = format!("printmesh job resolve {}#1 --done (or --failed)", &job[..8]);
    let commands: Vec<&Value> = needs
        .as_array()
        .unwrap()
        .iter()
        .map(|n| &n["command"])
        .collect();
    assert!(commands.contains(&&json!(wanted)), "{needs:#}");
    // Nobody but its own host writes how it ended.
    let foreign = a.problem("claim.foreign", &["job", "resolve", &job, "--done"]);
    assert!(
        foreign["title"]
            .as_str()
            .unwrap()
            .contains("only b can say"),
        "{foreign:#}"
    );
    b.problem(
        "number.bad",
        &["job", "resolve", &format!("{job}#2"), "--done"],
    );
    b.ok(&["job", "resolve", &format!("{job}#1"), "--done"]);
    a.wait(&[&job]);
    assert_eq!(results(&a), ["ok"]);
    b.problem("copy.certain", &["job", "resolve", &job, "--failed"]);

    // What is not good is made again, once the bed is clear.
    b.ok(&["printer", "ready", "sim"]);
    let job = killed_at_the_start(&farm, &a, &mut b, "bad");
    b.ok(&["job", "resolve", &job, "--failed"]);
    until_claims(&a, &job, &["failed"]);
    assert_eq!(a.job(&job)["state"], "queued");
    b.ok(&["printer", "ready", "sim"]);
    until_claims(&a, &job, &["failed", "printing"]);
}

#[test]
fn a_print_that_died_with_its_host_is_made_again_once_a_person_has_looked_at_the_bed() {
    let (farm, a, mut b) = farm_of_two(FAST);
    let mut events = b.events();
    // Ten seconds of this machine.
    let job = a.submit(&["-q", "farm", &gcode(&farm, "part", 10_000)]);
    events.wait_for("the print", is_under_way);
    drop(events);
    b.kill();
    b.start();
    b.until_link("farm", "a", "connected");
    until_claims(&a, &job, &["failed"]);
    let shown = a.job(&job);
    assert_eq!(shown["state"], "queued", "{shown:#}");
    let note = shown["claims"][0]["note"].as_str().unwrap();
    assert!(
        note.contains("went down in the middle of the print"),
        "{note}"
    );
    a.until("the bed to be unknown", |a| {
        (a.json(&["printer", "show", "b/sim"])["bed"] == "unknown").then_some(())
    });
    b.ok(&["printer", "ready", "sim"]);
    b.wait(&[&job]);
    a.wait(&[&job]);
    for host in [&a, &b] {
        assert_eq!(claims(host, &job), ["failed", "finished"]);
        assert_eq!(results(host), ["unknown", "ok"]);
    }
}

#[test]
fn a_copy_that_failed_as_often_as_it_may_says_so_and_is_tried_once_more_for_a_person() {
    let (farm, a, b) = farm_of_two("sim://?speed=1000&fail_after=0.5");
    let job = a.submit(&["-q", "farm", &gcode(&farm, "part", 1)]);
    let ran = a.run(&["job", "wait", &job]);
    assert_eq!(ran.code, 10, "{ran:?}");
    let shown = a.job(&job);
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&json!("failed"), &json!("retries-exhausted"))
    );
    let why = shown["reasonText"].as_str().unwrap();
    assert!(
        why.contains("4 times") && why.contains("fail_after"),
        "{why}"
    );
    assert_eq!(claims(&a, &job), ["failed"; 4]);
    // It does not vanish from the list before a person has seen to it.
    for host in [&a, &b] {
        let listed = host.json(&["jobs", "-q", "farm"]);
        let row = &listed["items"][0];
        assert_eq!(
            (&row["id"], &row["state"], &row["reason"]),
            (&json!(job), &json!("failed"), &json!("retries-exhausted"))
        );
    }
    let refused = b.problem("job.over", &["job", "start", &job, "--printer", "b/sim"]);
    assert!(refused.to_string().contains("--retry"), "{refused:#}");
    // Asked for on a host that does not print it.
    a.ok(&["job", "resolve", &job, "--retry"]);
    until_claims(&a, &job, &["failed"; 5]);
    a.until("the job to rest again", |a| {
        (a.job(&job)["state"] == "failed").then_some(())
    });
    // One file that fails is no reason to set a printer aside.
    assert_eq!(b.json(&["printer", "show", "sim"])["paused"], Value::Null);
}

#[test]
fn a_printer_that_fails_at_everything_is_set_aside_until_a_person_takes_it_back() {
    let (farm, a, b) = farm_of_two("sim://?speed=1000&fail_after=0.5");
    let mut events = b.events();
    let files = ["one", "two", "three"].map(|name| gcode(&farm, name, 1));
    let jobs = files.map(|file| a.submit(&["-q", "farm", "--draft", &file]));
    for job in &jobs {
        b.until("the job", |b| {
            (b.run(&["job", "show", job]).code == 0).then_some(())
        });
        a.ok(&["job", "release", job]);
    }
    let event = events.wait_for("the verdict", |event| event.kind == "printer.set-aside");
    assert_eq!(event.printer.as_deref(), Some("b/sim"));
    let printer = a.until("the pause", |a| {
        let printer = a.json(&["printer", "show", "b/sim"]);
        (printer["state"] == "paused").then_some(printer)
    });
    let why = printer["paused"].as_str().unwrap();
    assert!(
        why.contains("in a row failed on it") && why.contains("fail_after"),
        "{why}"
    );
    let needs = b.json(&["status"])["needsYou"].clone();
    let commands: Vec<&Value> = needs
        .as_array()
        .unwrap()
        .iter()
        .map(|n| &n["command"])
        .collect();
    assert!(
        commands.contains(&&json!("printmesh printer resume sim")),
        "{needs:#}"
    );
    b.ok(&["printer", "resume", "sim"]);
    assert_eq!(b.json(&["printer", "show", "sim"])["paused"], Value::Null);
}

#[test]
fn a_printer_that_prints_on_by_itself_is_followed_again_after_its_host_was_killed() {
    let farm = Farm::new();
    let memory = farm.path().join("memory of the machine");
    let at = format!("sim://?speed=1000&autonomous={}", memory.display());
    let mut a = farm.printing_host("a", &at);
    let mut events = a.events();
    // Ten seconds of this machine.
    let job = a.submit(&[&gcode(&farm, "part", 10_000)]);
    events.wait_for("the print", is_under_way);
    drop(events);
    a.kill();
    a.start();
    until_claims(&a, &job, &["printing"]);
    let printer = a.json(&["printer", "show", "sim"]);
    assert_eq!(
        (&printer["state"], &printer["bed"]),
        (&json!("printing"), &json!("occupied"))
    );
    a.wait(&[&job]);
    assert_eq!(
        (results(&a), claims(&a, &job)),
        (vec![json!("ok")], vec!["finished".to_owned()])
    );

    // It ends while its host is down, and is not printed again.
    let mut events = a.events();
    a.ok(&["printer", "ready", "sim"]);
    let job = a.submit(&[&gcode(&farm, "short", 3_000)]);
    events.wait_for("the print", is_under_way);
    drop(events);
    a.kill();
    std::fs::write(&memory, ended(&std::fs::read_to_string(&memory).unwrap())).unwrap();
    a.start();
    a.wait(&[&job]);
    assert_eq!(results(&a), ["ok", "ok"]);
    assert_eq!(claims(&a, &job), ["finished"]);
}

/// What the machine would remember once the print that it remembers has ended.
fn ended(memory: &str) -> String {
    let attempt = memory.lines().nth(1).unwrap();
    format!("finished\n{attempt}\n")
}
