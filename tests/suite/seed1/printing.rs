//! Seed 1 about what prints: peers and their printers, the order in which things print, whole copies, jobs and printers that
//! wait.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::{BY_HAND, FAST, names, printed, strings, until_job, until_names, until_printer, why};
use crate::suite::environment::{Farm, sliced};

// "See what printers are connected … make sure they have the same versions"

#[test]
fn peers_are_shown_with_version_link_and_printers() {
    let farm = Farm::new();
    let (a, mut b) = farm.two_hosts(FAST);
    a.until_link("farm", "b", "connected");
    for host in [&a, &b] {
        let peers = host.until("both to have their printers", |host| {
            let peers = host.json(&["queue", "peers", "farm"])["items"].clone();
            let all = peers.as_array()?;
            (all.len() == 2 && all.iter().all(|p| p["printers"][0]["name"] == "sim"))
                .then_some(peers)
        });
        for peer in peers.as_array().unwrap() {
            assert_eq!(peer["version"], env!("CARGO_PKG_VERSION"), "{peer:#}");
            assert_eq!(peer["link"], "connected", "{peer:#}");
            assert_eq!(peer["me"], peer["host"] == host.name.as_str());
        }
    }
    b.stop();
    a.until_link("farm", "b", "away");
    let peers = a.json(&["queue", "peers", "farm"]);
    assert_eq!(peers["sync"]["away"][0], "b");
    let away = &peers["items"].as_array().unwrap().clone()[..];
    let away = away.iter().find(|peer| peer["host"] == "b").unwrap();
    assert!(away["lastSeen"].is_string(), "{away:#}");
    assert_eq!(away["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(away["printers"][0]["state"], "host-away");
}

#[test]
fn a_member_of_an_incompatible_version_is_shown_as_such() {
    let farm = Farm::new();
    let (a, mut b) = farm.two_hosts(FAST);
    a.until_link("farm", "b", "connected");
    b.stop();
    // The same host, as if it had been updated to a version of the far future.
    let seed = fs::read(b.home.join("device.key")).unwrap();
    let port = fs::read_to_string(b.home.join("port")).unwrap();
    let future = printmesh_net::ProtocolRange {
        oldest: 1_000,
        newest: 1_000,
    };
    let config = printmesh_net::Config {
        bind: printmesh_net::Bind::Address(format!("127.0.0.1:{}", port.trim()).parse().unwrap()),
        discovery: false,
        software: "99.0.0".to_owned(),
        protocol: future,
        ..printmesh_net::Config::new(
            seed.try_into().expect("a key has 32 bytes"),
            farm.path().join("future"),
        )
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (events, _kept) = tokio::sync::mpsc::channel(64);
    let net = runtime
        .block_on(printmesh_net::start(config, events))
        .unwrap();
    let me = &a.json(&["status"])["queues"][0]["members"][0]["key"];
    let me: printmesh_queue::HostId = me.as_str().unwrap().parse().unwrap();
    let at = &a.json(&["daemon", "status"])["addresses"][0];
    let at = at.as_str().unwrap().parse().unwrap();
    let inside = runtime.enter();
    net.set_peers([(printmesh_net::PeerKey(me.0), vec![at])].into());
    drop(inside);
    let peer = a.until("b to be incompatible", |a| {
        let peers = a.json(&["queue", "peers", "farm"])["items"].clone();
        let found = peers.as_array()?.iter().find(|p| p["host"] == "b")?.clone();
        (found["link"] == "incompatible").then_some(found)
    });
    assert_eq!(peer["version"], "99.0.0", "{peer:#}");
    assert!(
        peer["note"]
            .as_str()
            .is_some_and(|note| note.contains("1000")),
        "{peer:#}"
    );
    runtime.block_on(net.shutdown());
}

// "All prints in the topmost queue will be executed before moving onto the next queue"

#[test]
fn a_host_drains_its_queues_in_its_own_order() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["printer", "pause", "sim"]);
    let clip = sliced("clip.gcode");
    for queue in ["first", "second"] {
        a.ok(&["queue", "create", queue]);
    }
    a.submit(&["-q", "local", &clip, "--name", "own"]);
    a.submit(&["-q", "first", &clip, "--name", "one", "-c", "2"]);
    let last = a.submit(&["-q", "second", &clip, "--name", "two", "-c", "2"]);
    let order = a.ok(&["queue", "order", "second", "first"]);
    assert!(order.contains("second, first, local"), "{order}");
    assert_eq!(
        strings(&a.json(&["queue", "list"])["items"], "name"),
        ["second", "first", "local"]
    );
    a.ok(&["printer", "resume", "sim"]);
    a.wait(&["own", "one", &last]);
    assert_eq!(printed(&a), ["two", "two", "one", "one", "own"]);
}

// "In-Order prints linearly down the queue from top to bottom, one job at a time"

#[test]
fn a_queue_is_printed_from_top_to_bottom_and_people_choose_the_order() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    for host in [&a, &b] {
        host.ok(&["printer", "pause", "sim"]);
    }
    let clip = sliced("clip.gcode");
    for name in ["one", "two", "three", "four"] {
        a.submit(&["-q", "farm", &clip, "--name", name]);
    }
    assert_eq!(names(&a, "farm"), ["one", "two", "three", "four"]);
    a.ok(&["job", "move", "four", "--top"]);
    assert_eq!(names(&a, "farm"), ["four", "one", "two", "three"]);
    a.ok(&["job", "move", "one", "--bottom"]);
    assert_eq!(names(&a, "farm"), ["four", "two", "three", "one"]);
    a.ok(&["job", "move", "three", "--before", "two"]);
    assert_eq!(names(&a, "farm"), ["four", "three", "two", "one"]);
    a.ok(&["job", "move", "four", "--after", "two"]);
    let order = ["three", "two", "four", "one"];
    assert_eq!(names(&a, "farm"), order);
    until_names(&b, "farm", &order);
    // The other host may reorder as well, also by place.
    b.ok(&["job", "move", "farm#4", "farm#3", "--top"]);
    until_names(&a, "farm", &["one", "four", "three", "two"]);
    assert_eq!(a.json(&["queue", "show", "farm"])["strategy"], "sequential");
    a.ok(&["printer", "resume", "sim"]);
    a.wait(&["one", "two", "three", "four"]);
    assert_eq!(printed(&a), ["one", "four", "three", "two"]);
}

// Renaming (in the seed's ancestor it deleted the queue)

#[test]
fn renaming_a_queue_keeps_its_jobs_and_the_running_print_on_every_member() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", BY_HAND);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let printing = a.submit(&[
        "-q",
        "farm",
        &format!("{}:2", sliced("clip.gcode")),
        "--name",
        "printing",
    ]);
    a.submit(&["-q", "farm", &sliced("clip.gcode"), "--name", "waiting"]);
    until_printer(&b, "sim", "state", "clear-bed");
    a.ok(&["queue", "rename", "farm", "rack"]);
    b.until("the new name", |b| {
        let queues = strings(&b.json(&["queue", "list"])["items"], "name");
        (queues == ["local", "rack"]).then_some(())
    });
    for host in [&a, &b] {
        until_names(host, "rack", &["printing", "waiting"]);
        host.problem("queue.unknown", &["jobs", "-q", "farm"]);
        assert_eq!(host.job(&printing)["state"], "printing");
    }
    b.ok(&["printer", "ready", "sim"]);
    a.wait(&[&printing]);
    let history = a.history();
    assert_eq!(history.len(), 2, "{history:#?}");
    assert!(history.iter().all(|row| row["queue"] == "rack"));
}

#[test]
fn a_queue_with_one_host_works() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["queue", "create", "alone"]);
    let job = a.submit(&["-q", "alone", &sliced("cube.gcode")]);
    a.wait(&[&job]);
    let history = a.history();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["queue"], "alone");
    assert_eq!(history[0]["result"], "ok");
    assert_eq!(
        a.json(&["queue", "peers", "alone"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

// "The work within a job will not be distributed across printers"

#[test]
fn all_prints_of_one_copy_are_made_by_one_printer() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let (cube, clip) = (sliced("cube.gcode"), format!("{}:2", sliced("clip.gcode")));
    let job = b.submit(&["-q", "farm", "--name", "kit", &cube, &clip, "-c", "5"]);
    a.wait(&[&job]);
    let history = a.history();
    assert_eq!(history.len(), 15, "{history:#?}");
    for copy in 1..=5 {
        let rows: Vec<&Value> = history.iter().filter(|row| row["copy"] == copy).collect();
        let hosts: BTreeSet<&str> = rows.iter().filter_map(|row| row["host"].as_str()).collect();
        assert_eq!(hosts.len(), 1, "copy {copy} was split: {rows:#?}");
        let mut files: Vec<&str> = rows
            .iter()
            .filter_map(|row| row["fileName"].as_str())
            .collect();
        files.reverse();
        assert_eq!(files, ["cube.gcode", "clip.gcode", "clip.gcode"]);
    }
}

#[test]
fn copies_that_belong_together_are_made_by_one_printer() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "4", "--together"]);
    b.wait(&[&job]);
    let history = b.history();
    assert_eq!(history.len(), 4, "{history:#?}");
    let hosts: BTreeSet<&str> = history
        .iter()
        .filter_map(|row| row["host"].as_str())
        .collect();
    assert_eq!(hosts.len(), 1, "{history:#?}");
    assert_eq!(b.job(&job)["copiesDone"], 4);
    assert_eq!(b.job(&job)["claims"].as_array().unwrap().len(), 1);
}

// Drafts, held jobs, printers that wait

#[test]
fn a_draft_is_never_printed_until_it_is_released() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let clip = sliced("clip.gcode");
    let draft = a.submit(&[&clip, "--draft", "--name", "idea"]);
    assert_eq!(a.job(&draft)["state"], "draft");
    assert_eq!(a.job(&draft)["reason"], "draft");
    assert_eq!(why(&a, &draft, "a/sim"), "draft");
    // What came later and is no draft is printed; the draft, first in the queue, is passed over.
    let later = a.submit(&[&clip, "--name", "later"]);
    a.wait(&[&later]);
    assert_eq!(a.job(&draft)["state"], "draft");
    assert_eq!(a.job(&draft)["claims"].as_array().unwrap().len(), 0);
    a.ok(&["job", "release", &draft]);
    a.wait(&[&draft]);
    assert_eq!(printed(&a), ["later", "idea"]);
}

#[test]
fn a_held_job_starts_no_more_copies_and_its_running_print_goes_on() {
    let farm = Farm::new();
    let a = farm.printing_host("a", BY_HAND);
    let clip = sliced("clip.gcode");
    let job = a.submit(&[&format!("{clip}:2"), "-c", "2", "--name", "held"]);
    until_printer(&a, "sim", "state", "clear-bed");
    a.ok(&["job", "hold", &job]);
    assert_eq!(a.json(&["job", "hold", &job])["already"], true);
    a.ok(&["printer", "ready", "sim"]);
    // The copy that was begun is made to its end; then the job waits because a person holds it.
    let held = until_job(&a, &job, "copiesDone", 1);
    assert_eq!(held["state"], "held");
    assert_eq!(held["reason"], "held");
    let other = a.submit(&[&clip, "--name", "other"]);
    a.ok(&["printer", "ready", "sim"]);
    a.wait(&[&other]);
    assert_eq!(printed(&a), ["held", "held", "other"]);
    a.ok(&["printer", "ready", "sim"]);
    a.ok(&["job", "release", &job]);
    until_printer(&a, "sim", "state", "clear-bed");
    a.ok(&["printer", "ready", "sim"]);
    a.wait(&[&job]);
    assert_eq!(printed(&a).len(), 5);
}

#[test]
fn a_paused_printer_takes_nothing_and_everybody_sees_why() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    b.ok(&["printer", "pause", "sim", "--reason", "nozzle worn"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    for host in [&a, &b] {
        until_job(host, &job, "reason", "printer-paused");
        let shown = until_printer(host, "b/sim", "state", "paused");
        assert_eq!(shown["paused"], "nozzle worn");
        assert_eq!(why(host, &job, "b/sim"), "printer-paused");
    }
    a.problem("printer.foreign", &["printer", "resume", "b/sim"]);
    b.ok(&["printer", "resume", "sim"]);
    a.wait(&[&job]);
}

#[test]
fn a_printer_with_autoprint_off_starts_nothing_by_itself_and_says_so() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["autoprint", "off", "sim"]);
    let job = a.submit(&[&sliced("clip.gcode")]);
    assert_eq!(a.job(&job)["reason"], "autoprint-off");
    let shown = a.json(&["printer", "show", "sim"]);
    assert_eq!(shown["reason"], "autoprint-off");
    assert_eq!(shown["autoprint"], false);
    let rows = a.job(&job)["why"].clone();
    assert_eq!(rows[0]["fix"], "printmesh autoprint on sim");
    assert_eq!(a.json(&["autoprint", "off", "--all"])["already"], true);
    a.ok(&["autoprint", "on", "sim"]);
    a.wait(&[&job]);
}

#[test]
fn a_job_for_one_printer_waits_for_it_although_others_are_free() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    b.ok(&["printer", "pause", "sim"]);
    let job = a.submit(&["-q", "farm", &sliced("clip.gcode"), "--printer", "b/sim"]);
    until_job(&a, &job, "reason", "printer-paused");
    assert_eq!(why(&a, &job, "a/sim"), "pinned-elsewhere");
    // The printer next to it prints what comes after.
    let other = a.submit(&["-q", "farm", &sliced("clip.gcode"), "--name", "other"]);
    a.wait(&[&other]);
    b.ok(&["printer", "resume", "sim"]);
    a.wait(&[&job]);
    let history = a.history();
    let of = |id: &str| -> Vec<String> {
        let rows = history.iter().filter(|row| row["jobId"] == id);
        rows.map(|row| row["host"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of(&job), ["b"]);
    assert_eq!(of(&other), ["a"]);
}
