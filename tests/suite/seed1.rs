//! Seed 1 (Network Queues), sentence by sentence, with real daemons: what its page promises, a person finds here.
//!
//! Not here: who gets into a queue (tickets: `bad_input`; the default queue `LAN` has its own tests).

mod printing;

use std::fs;

use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";
/// Prints for minutes: whatever a test does, it does while this prints.
const SLOW: &str = "sim://?speed=1";
/// Waits after each print until a person says that the bed is clear.
const BY_HAND: &str = "sim://?speed=2000&clear=manual";

/// Names of a queue's jobs in its order.
fn names(host: &Host, queue: &str) -> Vec<String> {
    strings(&host.json(&["jobs", "-q", queue])["items"], "name")
}

fn strings(items: &Value, field: &str) -> Vec<String> {
    let items = items.as_array().unwrap().iter();
    items
        .map(|item| item[field].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Waits until a host sees a queue's jobs so.
fn until_names(host: &Host, queue: &str, wanted: &[&str]) {
    host.until(&format!("{queue} to have {wanted:?}"), |host| {
        (names(host, queue) == wanted).then_some(())
    });
}

/// Waits until a job has something.
fn until_job(host: &Host, job: &str, field: &str, wanted: impl Into<Value>) -> Value {
    let wanted = wanted.into();
    host.until(&format!("{field} of {job} to be {wanted}"), |host| {
        let ran = host.run(&["job", "show", job, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        (shown[field] == wanted).then_some(shown)
    })
}

/// Waits until a printer has something.
fn until_printer(host: &Host, printer: &str, field: &str, wanted: &str) -> Value {
    host.until(&format!("{field} of {printer} to be {wanted}"), |host| {
        let ran = host.run(&["printer", "show", printer, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        (shown[field] == wanted).then_some(shown)
    })
}

/// Names of the jobs in the order in which their prints ended.
fn printed(host: &Host) -> Vec<String> {
    let mut history = host.history();
    history.reverse();
    strings(&history.into(), "job")
}

/// Why one printer does not take a job, as `job show --why` has it.
fn why(host: &Host, job: &str, printer: &str) -> String {
    let shown = host.job(job);
    let rows = shown["why"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["printer"] == printer);
    row.unwrap_or_else(|| panic!("{printer} is not in {shown:#}"))["code"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Checks that a job can neither be cancelled nor moved away, and that the refusal is of use.
fn assert_leased(host: &Host, job: &str, printer: &str) {
    let cancel = ["job", "cancel", job];
    let take_back = ["job", "move", job, "--to", "local"];
    for args in [&cancel[..], &take_back[..]] {
        let problem = host.problem("job.leased", args);
        assert_eq!(problem["exit"], 5);
        let title = problem["title"].as_str().unwrap();
        assert!(title.contains(printer), "{problem:#}");
        let fixes = strings(&problem["fixes"], "command");
        let hold = format!("printmesh job hold {}", &job[..8]);
        assert_eq!(fixes.last(), Some(&hold), "{problem:#}");
        let stops = fixes.iter().any(|fix| fix.ends_with(" --stop"));
        assert_eq!(stops, args == &cancel[..], "{problem:#}");
    }
}

// "A local queue by default"

#[test]
fn a_new_host_has_a_queue_local_and_jobs_go_there_unless_told_otherwise() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let queues = a.json(&["queue", "list"]);
    assert_eq!(strings(&queues["items"], "name"), ["local"]);
    assert_eq!(queues["items"][0]["sort"], "local");
    let job = a.submit(&[&sliced("clip.gcode")]);
    assert_eq!(a.job(&job)["queue"], "local");
    assert_eq!(a.job(&job)["reason"], "no-printer");
}

#[test]
fn local_queues_are_not_shared() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let own = a.submit(&[&sliced("clip.gcode"), "--draft", "--name", "own"]);
    let shared = a.submit(&[&sliced("clip.gcode"), "-q", "farm"]);
    b.wait(&[&shared]);
    b.problem("job.unknown", &["job", "show", &own]);
    assert_eq!(names(&a, "local"), ["own"]);
    assert!(names(&b, "local").is_empty());
    a.problem("queue.fixed", &["queue", "share", "local"]);
    a.problem("queue.fixed", &["queue", "leave", "local"]);
}

// "Each queue must have a unique name (which cannot be `local` and `archive`)"

#[test]
fn no_queue_can_be_named_local_or_archive() {
    let farm = Farm::new();
    let (mut a, mut b) = (farm.host("a"), farm.host("b"));
    a.start();
    b.start();
    a.ok(&["queue", "create", "farm"]);
    let ticket = a.ticket("farm");
    for name in ["local", "archive", "Local", "ARCHIVE"] {
        let create = ["queue", "create", name];
        let rename = ["queue", "rename", "farm", name];
        for args in [&create[..], &rename[..]] {
            assert_eq!(a.problem("name.reserved", args)["exit"], 5);
        }
        b.problem("name.reserved", &["join", &ticket, "--as", name]);
    }
    a.problem("queue.fixed", &["queue", "rename", "local", "mine"]);
    assert_eq!(
        strings(&a.json(&["queue", "list"])["items"], "name"),
        ["local", "farm"]
    );
    assert_eq!(
        strings(&b.json(&["queue", "list"])["items"], "name"),
        ["local"]
    );
    // The ticket was not used up by what was refused.
    b.ok(&["join", &ticket, "--as", "mine"]);
}

#[test]
fn no_two_queues_of_a_host_have_one_name() {
    let farm = Farm::new();
    let (mut a, mut b) = (farm.host("a"), farm.host("b"));
    a.start();
    b.start();
    for host in [&a, &b] {
        host.ok(&["queue", "create", "farm"]);
        host.ok(&["queue", "create", "rack"]);
        host.problem("name.taken", &["queue", "create", "farm"]);
        host.problem("name.taken", &["queue", "rename", "rack", "farm"]);
    }
    let ticket = a.ticket("farm");
    b.problem("name.taken", &["join", &ticket, "--as", "rack"]);
    // Without --as a name that is free is found; nothing else is renamed.
    assert_eq!(b.json(&["join", &ticket])["queue"], "farm-2");
    assert_eq!(
        strings(&b.json(&["queue", "list"])["items"], "name"),
        ["local", "farm", "rack", "farm-2"]
    );
    let job = b.submit(&[&sliced("clip.gcode"), "-q", "farm-2"]);
    until_names(&a, "farm", &["clip"]);
    assert_eq!(a.job(&job)["queue"], "farm");
}

// "Submitting a job is as simple as dragging it from the local queue to your Network Queue"

#[test]
fn a_job_moved_from_local_to_a_network_queue_is_printed_by_another_host() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let job = a.submit(&[&sliced("clip.gcode"), "-c", "2", "--name", "bracket"]);
    assert_eq!(names(&a, "local"), ["bracket"]);
    let moved = a.json(&["job", "move", &job, "--to", "farm"]);
    assert_eq!(moved["queue"], "farm");
    assert!(names(&a, "local").is_empty());
    // The old reference finds the job where it is now.
    a.wait(&[&job]);
    let shown = a.job(&job);
    assert_eq!(shown["id"], moved["id"]);
    assert_eq!(shown["copiesDone"], 2);
    assert!(a.history().iter().all(|row| row["host"] == "b"));
}

// "Undo job submission … can be done by any printer in the Network Queue … the files are fetched and copied to
// imports/<job name>/ and the Set paths are auto-updated"

#[test]
fn a_job_moved_back_by_another_host_comes_with_its_files_and_is_gone_from_the_network_queue() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    let (cube, clip) = (sliced("cube.gcode"), format!("{}:2", sliced("clip.gcode")));
    let job = a.submit(&["-q", "farm", "--name", "kit", &cube, &clip, "-c", "2"]);
    until_names(&b, "farm", &["kit"]);
    let back = b.json(&["job", "move", &job, "--to", "local"]);
    assert_eq!(back["queue"], "local");
    assert_eq!(back["copies"], 2);
    assert_eq!(names(&b, "local"), ["kit"]);
    until_names(&b, "farm", &[]);
    until_names(&a, "farm", &[]);
    assert!(names(&a, "local").is_empty());
    let local = back["id"].as_str().unwrap();
    let shown = b.until("the files to lie in imports", |b| {
        let shown = b.job(local);
        let sets = shown["sets"].as_array()?.clone();
        sets.iter()
            .all(|set| set["path"].is_string())
            .then_some(shown)
    });
    for (set, name) in [(0, "cube.gcode"), (1, "clip.gcode")] {
        let path = b.home.join("imports/kit").join(name);
        assert_eq!(shown["sets"][set]["path"], path.to_str().unwrap());
        assert_eq!(
            fs::read(path).unwrap(),
            fs::read(sliced(name)).unwrap(),
            "{name}"
        );
    }
    assert_eq!(shown["sets"][1]["perRun"], 2);
    // Now both may print: only the host that took it back does, and only from its own queue.
    a.ok(&["printer", "resume", "sim"]);
    b.ok(&["printer", "resume", "sim"]);
    b.wait(&[local]);
    let after = a.submit(&["-q", "farm", &sliced("clip.gcode"), "--name", "after"]);
    a.wait(&[&after]);
    b.wait(&[&after]);
    assert!(a.history().iter().all(|row| row["job"] == "after"));
    let kit: Vec<Value> = b.history();
    let kit: Vec<&Value> = kit.iter().filter(|row| row["job"] == "kit").collect();
    assert_eq!(kit.len(), 6, "{kit:#?}");
    assert!(
        kit.iter()
            .all(|row| row["queue"] == "local" && row["host"] == "b")
    );
}

// "You can edit jobs in Network Queues just as in Local queues"

#[test]
fn a_job_can_be_edited_on_any_host() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    until_names(&b, "farm", &["clip"]);
    b.ok(&["job", "edit", &job, "--name", "lid", "--copies", "3"]);
    let seen = until_job(&a, &job, "name", "lid");
    assert_eq!(seen["copies"], 3);
    a.ok(&["job", "edit", &job, "--printer", "b/sim"]);
    until_job(&b, &job, "printers", vec!["b/sim"]);
    b.ok(&["job", "edit", &job, "--any-printer", "--together"]);
    until_job(&a, &job, "together", true);
    assert_eq!(a.job(&job)["printers"], Value::from(Vec::<Value>::new()));
}

// "The job will disappear from the Network Queue and no longer be printed"

#[test]
fn a_cancelled_job_disappears_everywhere_and_is_not_printed() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "--name", "unwanted"]);
    let kept = a.submit(&["-q", "farm", &sliced("clip.gcode"), "--name", "kept"]);
    until_names(&b, "farm", &["unwanted", "kept"]);
    b.ok(&["job", "cancel", &job]);
    until_names(&a, "farm", &["kept"]);
    assert_eq!(names(&b, "farm"), ["kept"]);
    for host in [&a, &b] {
        assert_eq!(names(host, "archive"), ["unwanted"]);
        assert_eq!(host.job(&job)["state"], "cancelled");
        host.ok(&["printer", "resume", "sim"]);
    }
    a.wait(&[&kept]);
    b.wait(&[&kept]);
    assert_eq!(printed(&a), ["kept"]);
    assert_eq!(printed(&b), ["kept"]);
    // Twice is not an error.
    assert_eq!(a.json(&["job", "cancel", &job])["already"], true);
}

// "A job cannot be deleted if a printer is actively printing it"

#[test]
fn a_job_that_is_printing_can_neither_be_cancelled_nor_moved_and_its_print_goes_on() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", SLOW);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    until_job(&a, &job, "state", "printing");
    assert_leased(&a, &job, "b/sim");
    assert_leased(&b, &job, "b/sim");
    let mut events = b.events();
    let before = events.wait_for("progress", |e| e.kind == "print.progress");
    let after = events.wait_for("more progress", |e| {
        e.kind == "print.progress" && e.progress > before.progress
    });
    assert_eq!(after.job.as_deref(), Some(&*job));
    assert_eq!(b.job(&job)["claims"].as_array().unwrap().len(), 1);
    assert_eq!(names(&a, "farm"), ["clip"]);
}

#[test]
fn what_is_printing_stays_leased_between_two_sets_and_is_printed_to_its_end() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", BY_HAND);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let job = a.submit(&["-q", "farm", &format!("{}:2", sliced("clip.gcode"))]);
    until_printer(&b, "sim", "state", "clear-bed");
    until_job(&a, &job, "state", "printing");
    assert_leased(&a, &job, "b/sim");
    assert_leased(&b, &job, "b/sim");
    b.ok(&["printer", "ready", "sim"]);
    a.wait(&[&job]);
    let history = a.history();
    assert_eq!(history.len(), 2, "{history:#?}");
    assert!(history.iter().all(|row| row["result"] == "ok"));
}
