//! The way of a file from the host that submitted it to the printer, with real daemons: from whom it is fetched, what
//! happens when that is interrupted, damaged or impossible, and where it lies in the end.
//!
//! The file store and the imports folder have their own tests; strangers at the door of the store are in `trust`.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use printmesh_api::{
    client::Client,
    reply::{Event, Reply},
    request::{NewJob, NewSet, Request},
};
use serde_json::Value;

use super::environment::{Farm, Host, sliced};

const FAST: &str = "sim://?speed=2000";
/// Waits after each print until a person says that the bed is clear.
const BY_HAND: &str = "sim://?speed=2000&clear=manual";

fn until_job(host: &Host, job: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    host.until(what, |host| {
        let ran = host.run(&["job", "show", job, "--json"]);
        let shown: Value = serde_json::from_str(&ran.stdout).ok()?;
        fits(&shown).then_some(shown)
    })
}

fn until_known(host: &Host, job: &str) {
    until_job(host, job, "the job to be known", |_| true);
}

/// The code with which one printer says why it does not take a job.
fn why(job: &Value, printer: &str) -> String {
    let rows = job["why"].as_array().unwrap().iter();
    let mut rows = rows.filter(|row| row["printer"] == printer);
    rows.next()
        .map_or_else(String::new, |row| row["code"].as_str().unwrap().to_owned())
}

fn path_of(host: &Host, job: &str, set: usize) -> PathBuf {
    PathBuf::from(host.job(job)["sets"][set]["path"].as_str().unwrap())
}

fn results(host: &Host) -> Vec<String> {
    let rows = host.history();
    rows.iter()
        .map(|row| row["result"].as_str().unwrap().to_owned())
        .collect()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// 200 MB, of which a printer has little to do: nearly everything is comments.
fn big_file(folder: &Path) -> String {
    let path = folder.join("big.gcode");
    let mut file = fs::File::create(&path).unwrap();
    for n in 0..200 {
        // No two parts of it are equal.
        let comments = format!(";{n:0>1000}\n").repeat(1000);
        write!(file, "G1 X{} F3000\n{comments}", n % 100).unwrap();
    }
    path.into_os_string().into_string().unwrap()
}

/// Three hosts of a queue `farm`: `a` decides, `b` and `c` take part; none has a printer yet.
fn three_hosts(farm: &Farm) -> (Host, Host, Host) {
    let [mut a, mut b, mut c] = ["a", "b", "c"].map(|name| farm.host(name));
    for host in [&mut a, &mut b, &mut c] {
        host.start();
    }
    a.ok(&["queue", "create", "farm"]);
    for host in [&b, &c] {
        host.ok(&["join", &a.ticket("farm")]);
    }
    b.until_link("farm", "c", "connected");
    (a, b, c)
}

#[test]
fn once_another_host_has_the_file_the_submitter_may_be_switched_off() {
    let farm = Farm::new();
    let (a, mut b, c) = three_hosts(&farm);
    a.ok(&["printer", "add", "sim", "--at", BY_HAND]);
    let job = b.submit(&["-q", "farm", &sliced("cube.gcode"), "-c", "2"]);
    until_job(&a, &job, "the first copy", |job| job["copiesDone"] == 1);
    b.stop();
    // Its bed is not clear, so the second copy is for this new printer, which has the file from a.
    c.ok(&["printer", "add", "sim", "--at", FAST]);
    c.wait(&[&job]);
    let makers: BTreeSet<String> = c
        .history()
        .iter()
        .map(|row| row["host"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(makers, BTreeSet::from(["a".to_owned(), "c".to_owned()]));
    let path = path_of(&c, &job, 0);
    assert_eq!(
        fs::read(path).unwrap(),
        fs::read(sliced("cube.gcode")).unwrap()
    );
}

#[test]
fn r_l8_the_next_copys_file_is_on_the_printers_host_before_the_first_print_ends() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let b = farm.printing_host("b", "sim://?speed=1");
    a.ok(&["printer", "pause", "sim"]);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let first = a.submit(&["-q", "farm", &sliced("cube.gcode")]);
    b.wait_until("printing", &first);
    let text = fs::read_to_string(sliced("clip.gcode")).unwrap();
    let other = write(farm.path(), "other.gcode", &text);
    let next = a.submit(&["-q", "farm", &other]);
    let shown = until_job(&b, &next, "its file", |job| job["sets"][0]["here"] == true);
    assert_eq!(shown["state"], "queued");
    assert_eq!(b.job(&first)["state"], "printing");
    assert!(shown["claims"].as_array().is_none_or(Vec::is_empty));
}

#[test]
fn a_file_that_nobody_has_is_a_reason_and_the_job_prints_when_the_submitter_is_back() {
    let farm = Farm::new();
    let (a, mut b, c) = three_hosts(&farm);
    c.ok(&["printer", "add", "sim", "--at", FAST]);
    let job = b.submit(&["-q", "farm", "--draft", &sliced("cube.gcode")]);
    for host in [&a, &c] {
        until_known(host, &job);
    }
    b.stop();
    c.until_link("farm", "b", "away");
    let mut events = c.events();
    a.ok(&["job", "release", &job]);
    let failed = events.wait_for("the fetch to fail", |event| event.kind == "fetch.failed");
    assert_eq!(failed.state.as_deref(), Some("file-missing"));
    let shown = until_job(&c, &job, "the reason", |job| {
        job["reason"] == "file-missing"
    });
    assert_eq!(why(&shown, "c/sim"), "file-missing");
    assert!(
        shown["reasonText"].as_str().unwrap().contains("cube.gcode"),
        "{shown:#}"
    );
    // The printer is not held up by it.
    let other = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    c.wait(&[&other]);
    assert_eq!(c.job(&job)["state"], "queued");
    assert_eq!(c.job(&job)["copiesDone"], 0);
    b.start();
    c.wait(&[&job]);
    assert_eq!(results(&c), ["ok", "ok"]);
}

fn is_progress(event: &Event) -> bool {
    event.kind == "fetch.progress"
}

#[test]
fn an_interrupted_fetch_goes_on_from_where_it_was_whichever_end_died() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let mut b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let file = big_file(farm.path());
    let mut events = b.events();
    let job = a.submit(&["-q", "farm", &file]);
    let first = events.wait_for("the fetch", is_progress);
    assert_eq!(first.job.as_deref(), Some(&*job));
    assert_eq!(first.printer.as_deref(), Some("b/sim"));
    assert!(first.text.unwrap().contains(" of "));
    let part =
        |event: &Event, at_least: f32| is_progress(event) && event.progress.unwrap() > at_least;
    events.wait_for("a part of the file", |event| part(event, 0.1));
    drop(events);
    // The one that fetches dies. What it had is not fetched again.
    b.kill();
    b.start();
    let mut events = b.events();
    b.ok(&["printer", "ready", "sim"]);
    let again = events
        .wait_for("the fetch to go on", is_progress)
        .progress
        .unwrap();
    assert!(again > 0.0 && again < 1.0, "it went on at {again}");
    // The one that gives dies.
    let before = events
        .wait_for("more of the file", |event| part(event, again + 0.1))
        .progress
        .unwrap();
    a.kill();
    a.start();
    let again = events
        .wait_for("the fetch to go on", is_progress)
        .progress
        .unwrap();
    assert!(
        again >= before - 0.05,
        "it was at {before} and went on at {again}"
    );
    // It was back at once, so nobody calls the file missing.
    events.wait_for("the end of the print", |event| {
        assert_ne!(event.kind, "fetch.failed", "{event:#?}");
        event.kind == "copy.state" && event.state.as_deref() == Some("finished")
    });
    assert_eq!(results(&b), ["ok"]);
    let path = path_of(&b, &job, 0);
    assert_eq!(
        fs::metadata(path).unwrap().len(),
        fs::metadata(file).unwrap().len()
    );
}

#[test]
fn a_file_that_was_changed_in_the_imports_folder_is_not_printed() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", BY_HAND);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let job = a.submit(&["-q", "farm", &sliced("cube.gcode"), "-c", "2"]);
    until_job(&b, &job, "the first copy", |job| job["copiesDone"] == 1);
    let path = path_of(&b, &job, 0);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut events = b.events();
    b.ok(&["printer", "ready", "sim"]);
    for host in [&a, &b] {
        let shown = until_job(host, &job, "the refusal", |job| {
            job["claims"][1]["state"] == "failed"
        });
        assert_eq!(shown["copiesDone"], 1);
        let note = shown["claims"][1]["note"].as_str().unwrap();
        assert!(note.contains("has been changed"), "{note}");
        assert!(note.contains("cube.gcode"), "{note}");
        assert_eq!(results(host), ["failed", "ok"]);
    }
    a.ok(&["job", "hold", &job]);
    // It never began, so the bed is as clear as before and the printer takes other work.
    let printer = b.json(&["printer", "show", "sim"]);
    assert_eq!(printer["bed"], "clear", "{printer:#}");
    let other = a.submit(&["-q", "farm", &sliced("clip.gcode")]);
    b.wait(&[&other]);
    let moved = events.wait_for("a print", |event| event.kind == "print.progress");
    assert_eq!(
        moved.job.as_deref(),
        Some(&*other),
        "the changed file moved the printer"
    );
}

#[test]
fn a_file_that_is_damaged_in_the_store_of_its_host_never_arrives_as_good() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", FAST);
    b.ok(&["printer", "pause", "sim"]);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let job = a.submit(&["-q", "farm", &sliced("cube.gcode")]);
    until_known(&b, &job);
    a.stop();
    let hash = b.job(&job)["sets"][0]["hash"].as_str().unwrap().to_owned();
    let stored = files_below(&a.home.join("files"));
    let stored = stored.iter().find(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&hash) && name.ends_with(".data")
    });
    let stored = stored.expect("a file of this size lies beside the database");
    let mut bytes = fs::read(stored).unwrap();
    let near_end = bytes.len() - 1000;
    bytes[near_end] ^= 1;
    fs::write(stored, &bytes).unwrap();
    a.start();
    b.until_link("farm", "a", "connected");
    let mut events = b.events();
    b.ok(&["printer", "resume", "sim"]);
    let failed = events.wait_for("the fetch to fail", |event| event.kind == "fetch.failed");
    assert_eq!(failed.state.as_deref(), Some("file-missing"));
    let shown = until_job(&b, &job, "the reason", |job| {
        job["reason"] == "file-missing"
    });
    assert_eq!(shown["sets"][0]["here"], false);
    assert_eq!(shown["sets"][0]["path"], Value::Null);
    assert_eq!(results(&b), Vec::<String>::new());
    // Whoever submits it again mends it.
    let again = b.submit(&["-q", "farm", &sliced("cube.gcode")]);
    b.wait(&[&again, &job]);
    assert_eq!(
        fs::read(path_of(&b, &job, 0)).unwrap(),
        fs::read(sliced("cube.gcode")).unwrap()
    );
}

#[test]
fn two_files_with_one_name_and_two_jobs_with_one_name_never_overwrite_each_other() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let text = |n: u32| format!("; {n}\nG1 X{n} F3000\n");
    let file = |n: u32| write(farm.path(), &format!("{n}/part.gcode"), &text(n));
    let first = a.submit(&["-q", "farm", "--name", "part", &file(1), &file(2)]);
    let second = a.submit(&["-q", "farm", "--name", "part", &file(3), &file(1)]);
    b.wait(&[&first, &second]);
    let lies = |job: &str, set| path_of(&b, job, set);
    let wanted = [
        (&first, 0, 1),
        (&first, 1, 2),
        (&second, 0, 3),
        (&second, 1, 1),
    ];
    let mut paths = BTreeSet::new();
    for (job, set, n) in wanted {
        let path = lies(job, set);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            text(n),
            "{}",
            path.display()
        );
        paths.insert(path);
    }
    assert_eq!(paths.len(), 4, "{paths:#?}");
    let folder = |job| lies(job, 0).parent().unwrap().to_owned();
    assert_ne!(folder(&first), folder(&second));
    assert_eq!(folder(&first), b.home.join("imports/part"));
}

#[test]
fn whatever_a_job_and_its_files_are_called_they_stay_inside_the_imports_folder() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let long = format!("{}.gcode", "x".repeat(249));
    let unicode = "Gehäuse für 🦀 – v2.gcode";
    let file_names = [
        "../../x.gcode",
        "..",
        "/etc/passwd",
        unicode,
        &long,
        "a\nb\u{202e}.gcode",
        "CON",
    ];
    let names = ["../../job", "..", "/", "Gehäuse 🦀", "\u{202e}gpj", "."];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = Client::new(a.home.join("run/api.sock"));
    let mut jobs = Vec::new();
    // Asked of the API itself, as a program of somebody else could: the command line is not the one that guards.
    for (n, name) in names.into_iter().enumerate() {
        let mut sets = Vec::new();
        for (m, file_name) in file_names.into_iter().enumerate() {
            let path = write(
                farm.path(),
                "any.gcode",
                &format!("; {n} {m}\nG1 X1 F3000\n"),
            );
            let uploaded = client.upload(Path::new(&path), file_name, |_| ());
            let hash = runtime.block_on(uploaded).unwrap().hash;
            sets.push(NewSet {
                hash,
                file_name: file_name.to_owned(),
                per_run: 1,
                alternatives: Vec::new(),
            });
        }
        let new = NewJob {
            queue: Some("farm".to_owned()),
            name: Some(name.to_owned()),
            sets,
            copies: 1,
            together: false,
            draft: false,
            printers: Vec::new(),
            terms: printmesh_api::request::Terms::default(),
            slice: None,
        };
        match runtime.block_on(client.call(&Request::JobSubmit(new))) {
            Ok(Reply::Job(job)) => jobs.push((n, job.id)),
            other => panic!("{name:?}: {other:?}"),
        }
    }
    let imports = b.home.join("imports").canonicalize().unwrap();
    let mut paths = BTreeSet::new();
    for (n, job) in &jobs {
        b.wait(&[job]);
        for m in 0..file_names.len() {
            let path = path_of(&b, job, m);
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(
                text,
                format!("; {n} {m}\nG1 X1 F3000\n"),
                "{}",
                path.display()
            );
            let real = path.canonicalize().unwrap();
            let inside = real.strip_prefix(&imports).unwrap();
            assert_eq!(inside.components().count(), 2, "{}", real.display());
            paths.insert(real);
        }
    }
    assert_eq!(paths.len(), names.len() * file_names.len());
    let strays: Vec<PathBuf> = files_below(farm.path())
        .into_iter()
        .filter(|path| path.ends_with("x.gcode") || path.ends_with("passwd"))
        .filter(|path| {
            !path.starts_with(&imports) && !path.canonicalize().unwrap().starts_with(&imports)
        })
        .collect();
    assert_eq!(strays, Vec::<PathBuf>::new());
    // People still recognise what they called so.
    let readable = path_of(&b, &jobs[3].1, 3);
    let name = readable.file_name().unwrap().to_str().unwrap();
    assert!(
        name.starts_with("Gehäuse für ") && name.ends_with(".gcode"),
        "{name}"
    );
}

/// Every file below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}
