//! Who may start a copy, with real daemons: the voter away, a holder that stands still, many printers at once, and
//! how soon a free printer takes the next copy.
//!
//! The register and the lease have their own tests, with virtual time, in the node. A holder that dies is in `kill`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use printmesh_api::reply::Event;
use rustix::process::Signal;
use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";

/// Prints for so many milliseconds at the speed above.
fn short(folder: &Path, ms: u32) -> String {
    let path = folder.join(format!("{ms}ms.gcode"));
    fs::write(&path, format!("G1 X1 F3000\nG4 S{}\n", 2 * ms)).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// The job as a host sees it, once it does.
fn until_job(host: &Host, job: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    host.until(what, |host| {
        let ran = host.run(&["job", "show", job, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        fits(&shown).then_some(shown)
    })
}

/// Every print of a job that ended well, as `(copy, host/printer)`.
fn good_prints(host: &Host, job: &str) -> Vec<(u64, String)> {
    let rows = host.history().into_iter().filter(|row| row["jobId"] == job);
    let mut prints: Vec<(u64, String)> = rows
        .map(|row| {
            assert_eq!(row["result"], "ok", "{row:#}");
            let printer = format!("{}/{}", row["host"], row["printer"]).replace('"', "");
            (row["copy"].as_u64().unwrap(), printer)
        })
        .collect();
    prints.sort();
    prints
}

#[test]
fn while_the_voter_is_away_shared_copies_wait_with_that_reason_and_local_ones_are_printed() {
    let farm = Farm::new();
    let (mut a, b) = farm.two_hosts(FAST);
    let c = farm.printing_host("c", FAST);
    c.ok(&["join", &a.ticket("farm")]);
    b.until_link("farm", "c", "connected");
    // The hosts would choose three voters by themselves, and go on without them after half a minute.
    a.ok(&["queue", "voters", "farm", "--set", "a"]);
    a.ok(&["queue", "set", "farm", "--claims", "majority"]);
    a.kill();
    for host in [&b, &c] {
        host.until_link("farm", "a", "away");
    }
    let file = sliced("clip.gcode");
    let job = b.submit(&["-q", "farm", &file, "-c", "2", "--name", "shared"]);
    for host in [&b, &c] {
        let shown = until_job(host, &job, "the reason", |job| {
            job["reason"] == "voters-away"
        });
        let rows = shown["why"].as_array().unwrap().clone();
        for printer in ["b/sim", "c/sim"] {
            let row = rows.iter().find(|row| row["printer"] == printer).unwrap();
            assert_eq!(row["code"], "voters-away", "{shown:#}");
            assert!(row["text"].as_str().unwrap().contains('a'), "{row:#}");
        }
        let listed = host.json(&["jobs", "-q", "farm"]);
        assert_eq!(listed["items"][0]["reason"], "voters-away");
        assert!(
            host.ok(&["job", "show", &job, "--why"])
                .contains("voters-away")
        );
        let queue = host.json(&["queue", "show", "farm"]);
        assert_eq!(queue["votersReachable"], false);
    }
    // Each host's own queue needs nobody.
    for host in [&b, &c] {
        let local = host.submit(&[&file]);
        host.wait(&[&local]);
        assert_eq!(good_prints(host, &local).len(), 1);
    }
    // What needs no decision works on.
    b.ok(&["job", "hold", &job]);
    until_job(&c, &job, "the hold", |job| job["state"] == "held");
    c.ok(&["job", "edit", &job, "--copies", "3"]);
    c.ok(&["job", "release", &job]);
    until_job(&b, &job, "the edit", |job| {
        job["copies"] == 3 && job["state"] == "queued"
    });
    a.start();
    for host in [&a, &b, &c] {
        until_job(host, &job, "the job to be done", |job| {
            job["state"] == "done"
        });
        let copies: Vec<u64> = good_prints(host, &job)
            .iter()
            .map(|print| print.0)
            .collect();
        assert_eq!(copies, [1, 2, 3]);
    }
}

#[test]
fn a_host_that_stands_still_during_its_print_keeps_its_copy_and_nobody_else_starts_it() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    a.ok(&["printer", "pause", "sim"]);
    // It is stopped long before these eight seconds are over.
    let job = a.submit(&["-q", "farm", &short(farm.path(), 8000)]);
    until_job(&a, &job, "the print", |job| job["state"] == "printing");
    b.signal(Signal::STOP);
    a.ok(&["printer", "resume", "sim"]);
    let leased = a.problem("job.leased", &["job", "cancel", &job]);
    assert!(
        leased["title"].as_str().unwrap().contains("b/sim"),
        "{leased:#}"
    );
    // The free printer takes whatever comes, before and after it notices that the other host is gone, but not that.
    let before = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    a.wait(&[&before]);
    a.until_link("farm", "b", "away");
    let after = a.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "3"]);
    a.wait(&[&after]);
    let shown = a.job(&job);
    assert_eq!(shown["claims"].as_array().unwrap().len(), 1, "{shown:#}");
    assert_eq!(shown["claims"][0]["state"], "printing");
    a.problem("job.leased", &["job", "cancel", &job]);
    b.signal(Signal::CONT);
    for host in [&a, &b] {
        until_job(host, &job, "the job to be done", |job| {
            job["state"] == "done"
        });
        assert_eq!(good_prints(host, &job), [(1, "b/sim".to_owned())]);
        assert_eq!(host.job(&job)["claims"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn six_printers_of_three_hosts_print_exactly_the_copies_that_were_asked_for() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let c = farm.printing_host("c", FAST);
    c.ok(&["join", &a.ticket("farm")]);
    let hosts = [&a, &b, &c];
    for host in hosts {
        host.ok(&["printer", "add", "second", "--at", FAST]);
    }
    let (file, cube) = (
        short(farm.path(), 5),
        format!("{}:2", short(farm.path(), 7)),
    );
    let jobs: Vec<(String, u64, u64)> = std::thread::scope(|scope| {
        let submitting: Vec<_> = hosts
            .iter()
            .map(|host| {
                let (file, cube) = (&file, &cube);
                scope.spawn(move || {
                    let many = host.submit(&["-q", "farm", file, "-c", "9"]);
                    let kit = host.submit(&["-q", "farm", file, cube, "-c", "4", "--name", "kit"]);
                    let row = ["-q", "farm", file, "-c", "5", "--together", "--name", "row"];
                    let row = host.submit(&row);
                    [(many, 9, 1), (kit, 4, 3), (row, 5, 1)]
                })
            })
            .collect();
        submitting
            .into_iter()
            .flat_map(|jobs| jobs.join().unwrap())
            .collect()
    });
    for host in hosts {
        for (job, ..) in &jobs {
            until_job(host, job, "the job to be done", |job| {
                job["state"] == "done"
            });
        }
    }
    let mut printers = BTreeSet::new();
    for (job, copies, runs) in &jobs {
        let prints = good_prints(&a, job);
        for host in [&b, &c] {
            assert_eq!(good_prints(host, job), prints);
        }
        let shown = a.job(job);
        assert_eq!(shown["copiesDone"], *copies);
        assert_eq!(prints.len() as u64, copies * runs, "{prints:#?}");
        // Whatever is in one copy is printed by one printer; `together` makes all copies one unit.
        let mut makers: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for (copy, printer) in &prints {
            makers.entry(*copy).or_default().insert(printer);
            printers.insert(printer.clone());
        }
        assert!(
            makers.values().all(|printers| printers.len() == 1),
            "{makers:#?}"
        );
        let units = if shown["together"] == true {
            1
        } else {
            *copies
        };
        assert_eq!(makers.len() as u64, units, "{makers:#?}");
    }
    assert!(printers.len() > 1, "only {printers:?} printed");
}

#[test]
fn a_free_printer_takes_the_next_copy_as_soon_as_one_is_done_or_submitted() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let file = short(farm.path(), 5);
    // The printer of the voter's host, then one that has to ask over the network.
    for (printing, other) in [(&a, &b), (&b, &a)] {
        other.ok(&["printer", "pause", "sim"]);
        printing.ok(&["printer", "resume", "sim"]);
        measured(
            "done → next printing",
            printing,
            done_to_printing(printing, other, &file),
        );
        measured(
            "submit → printing",
            printing,
            submit_to_printing(printing, other, &file),
        );
    }
}

/// For who reads the output: how long depends on the machine, so nothing is asserted.
fn measured(what: &str, host: &Host, mut ms: Vec<i64>) {
    ms.sort_unstable();
    let (p50, max) = (ms[ms.len() / 2], ms.last().unwrap());
    eprintln!(
        "{}: {what}: p50 {p50} ms, max {max} ms, of {}",
        host.name,
        ms.len()
    );
}

fn ms_of(event: &Event) -> i64 {
    event
        .time
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_millisecond()
}

/// From the end of each copy to the print of the next, on one printer.
fn done_to_printing(printing: &Host, submitter: &Host, file: &str) -> Vec<i64> {
    let mut events = printing.events();
    let job = submitter.submit(&["-q", "farm", file, "-c", "40"]);
    let mut next = |state: &str| {
        events.wait_for(state, |event| {
            let of_job = event.job.as_deref() == Some(&*job) && event.kind == "copy.state";
            of_job && event.state.as_deref() == Some(state)
        })
    };
    let mut times = Vec::new();
    assert_eq!(next("printing").copy, Some(1));
    for copy in 1..40 {
        let done = next("finished");
        let printing = next("printing");
        assert_eq!((done.copy, printing.copy), (Some(copy), Some(copy + 1)));
        times.push(ms_of(&printing) - ms_of(&done));
    }
    next("finished");
    times
}

/// From the moment at which one host has a new job on disk to its print on another, which fetches the file first.
fn submit_to_printing(printing: &Host, submitter: &Host, file: &str) -> Vec<i64> {
    let text = fs::read_to_string(file).unwrap();
    let mut times = Vec::new();
    for n in 0..15 {
        // Another file each time.
        let own = format!("{file}-{}-{n}.gcode", printing.name);
        fs::write(&own, format!("{text}; {} {n}\n", printing.name)).unwrap();
        let (mut there, mut here) = (submitter.events(), printing.events());
        let job = submitter.submit(&["-q", "farm", &own]);
        let of_job = |event: &Event, kind: &str, state: &str| {
            event.job.as_deref() == Some(&*job)
                && event.kind == kind
                && event.state.as_deref() == Some(state)
        };
        let submitted = there.wait_for("the job", |event| of_job(event, "job.state", "queued"));
        for state in ["fetching", "printing"] {
            let event = here.wait_for(state, |event| of_job(event, "copy.state", state));
            if state == "printing" {
                times.push(ms_of(&event) - ms_of(&submitted));
            }
        }
        printing.wait(&[&job]);
    }
    times
}
