//! `printmesh demo` as a stranger runs it: everything printed on both printers, nothing left behind, also after Ctrl-C.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::environment::PRINTMESH;

/// Starts the demo with its own folder for temporary files, as if typed in a shell.
fn demo(temporary: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(PRINTMESH);
    command.arg("demo").args(args).env("TMPDIR", temporary);
    for name in ["PRINTMESH_HOME", "PRINTMESH_QUEUE", "PRINTMESH_LOG"] {
        command.env_remove(name);
    }
    let command = command.env("NO_COLOR", "1").stdin(Stdio::null());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn temporary() -> tempfile::TempDir {
    // A short path: sockets lie below it.
    tempfile::Builder::new().prefix("pm").tempdir().unwrap()
}

/// Processes whose command line names a path below this folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

fn assert_nothing_left(temporary: &Path) {
    let left: Vec<_> = fs::read_dir(temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let running = processes_of(temporary);
    assert!(running.is_empty(), "{running:?}");
}

#[test]
fn the_demo_prints_six_parts_on_two_printers_and_leaves_nothing_behind() {
    let temporary = temporary();
    let output = demo(temporary.path(), &[]).wait_with_output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let rows = |label: &str| -> Vec<Vec<&str>> {
        let rows = stdout.lines().map(|line| line.split('\t').collect());
        rows.filter(|row: &Vec<&str>| row[0] == label).collect()
    };
    // Job, copy, file, host, printer, result, time.
    let prints = rows("print");
    assert_eq!(prints.len(), 6, "{stdout}");
    assert!(prints.iter().all(|row| row[6] == "ok"), "{stdout}");
    let of_job = |job: &str| prints.iter().filter(|row| row[1] == job).count();
    assert_eq!((of_job("cube"), of_job("kit")), (3, 3), "{stdout}");
    let hosts: BTreeSet<&str> = prints.iter().map(|row| row[4]).collect();
    assert_eq!(hosts, BTreeSet::from(["garage", "workshop"]), "{stdout}");
    // No copy was split.
    for (job, copy) in prints
        .iter()
        .map(|row| (row[1], row[2]))
        .collect::<BTreeSet<_>>()
    {
        let of_copy = prints.iter().filter(|row| (row[1], row[2]) == (job, copy));
        let hosts: BTreeSet<&str> = of_copy.map(|row| row[4]).collect();
        assert_eq!(hosts.len(), 1, "{job} {copy}: {stdout}");
    }
    let files = rows("file");
    assert!(!files.is_empty(), "{stdout}");
    for row in files {
        let place = format!("{}/imports/{}/{}", row[1], row[2], row[3]);
        assert!(row[4].ends_with(&place), "{place} is not in {row:?}");
    }
    assert_nothing_left(temporary.path());
}

#[test]
fn the_demo_answers_programs_too() {
    let temporary = temporary();
    let output = demo(temporary.path(), &["--json"])
        .wait_with_output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&shown["apiVersion"], &shown["kind"]),
        (&"printmesh/v1".into(), &"Demo".into())
    );
    assert_eq!(shown["prints"].as_array().unwrap().len(), 6, "{shown:#}");
    assert!(!shown["files"].as_array().unwrap().is_empty(), "{shown:#}");
    assert_nothing_left(temporary.path());
}

#[test]
fn ctrl_c_in_the_middle_of_the_demo_stops_both_hosts_and_leaves_nothing_behind() {
    let temporary = temporary();
    let mut child = demo(temporary.path(), &[]);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("printing on") {
        let read = stderr.read_line(&mut said).unwrap();
        assert!(read > 0, "it ended: {said}");
    }
    assert_eq!(processes_of(temporary.path()).len(), 2, "{said}");
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_nothing_left(temporary.path());
}
