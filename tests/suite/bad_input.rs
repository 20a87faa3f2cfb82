//! What people and machines get wrong: each is refused with a clear error, and nothing is lost by it.

mod disk;
mod start;
mod tickets;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use super::environment::{Farm, Host, PRINTMESH, sliced};

const FAST: &str = "sim://?speed=2000";
const LOOPBACK: &str = "[network]\nbind = \"127.0.0.1:0\"\ndiscovery = false\n";

/// A host with a job that must survive whatever is done to it.
fn host_with_a_job(farm: &Farm) -> (Host, Value) {
    let mut a = farm.host("a");
    a.start();
    a.submit(&[&sliced("clip.gcode"), "--name", "kept", "-c", "2"]);
    let before = jobs(&a);
    (a, before)
}

fn jobs(host: &Host) -> Value {
    host.json(&["jobs", "--all"])["items"].clone()
}

/// Runs the daemon in the foreground, where it must fail at once with this code.
fn daemon_fails(host: &Host, code: &str) -> Value {
    host.problem(code, &["daemon", "run"])
}

fn why(problem: &Value) -> &str {
    problem["why"].as_str().unwrap_or_default()
}

/// A program without the powers by which root ignores permissions and port numbers; `None`, with the reason printed, where
/// that cannot be had.
fn without_roots_powers(host: &Host, args: &[&str]) -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        return Some(host.command(args));
    }
    let powers = "--bounding-set=-dac_override,-dac_read_search,-net_bind_service";
    let tried = Command::new("setpriv").args([powers, "true"]).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: root ignores permissions, and setpriv cannot take that power away here"
        );
        return None;
    }
    let mut command = Command::new("setpriv");
    command
        .args([powers, PRINTMESH])
        .args(args)
        .arg("--home")
        .arg(&host.home);
    command.env_remove("PRINTMESH_HOME").env("NO_COLOR", "1");
    Some(command)
}

/// Runs it to its end, which must be this problem.
fn fails(mut command: Command, code: &str) -> Value {
    let output = command.arg("--json").stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = stderr.lines().last().unwrap_or_default();
    let problem: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{stderr}"));
    assert_eq!(problem["code"], code, "{stderr}");
    problem
}

// Files

#[test]
fn what_cannot_be_printed_is_refused_by_name_and_the_queue_stays_as_it_was() {
    let farm = Farm::new();
    let (a, before) = host_with_a_job(&farm);
    let folder = farm.path().join("files");
    fs::create_dir(&folder).unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let dangling = folder.join("dangling.gcode");
    symlink("nowhere", &dangling).unwrap();
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0";
    let text = "Dear printer,\nplease make a small bracket.\n".repeat(40);
    let cases = [
        (folder.to_str().unwrap().to_owned(), "file.not-a-file", 2),
        (
            farm.path()
                .join("missing.gcode")
                .to_str()
                .unwrap()
                .to_owned(),
            "file.missing",
            3,
        ),
        (dangling.to_str().unwrap().to_owned(), "file.missing", 3),
        ("/dev/null".to_owned(), "file.not-a-file", 2),
        (file("empty.gcode", b""), "file.empty", 2),
        (sliced("cube.stl"), "file.not-gcode", 2),
        (file("picture.gcode", png), "file.not-gcode", 2),
        (file("letter.gcode", text.as_bytes()), "file.not-gcode", 2),
        (file("zeros.gcode", &[0; 4096]), "file.not-gcode", 2),
    ];
    for (path, code, exit) in cases {
        // A good file before it does not get in either: a job is taken whole or not at all.
        for args in [
            vec!["submit", &*path],
            vec!["submit", &sliced("clip.gcode"), &path],
        ] {
            let problem = a.problem(code, &args);
            assert_eq!(problem["exit"], exit);
            let title = problem["title"].as_str().unwrap();
            let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
            assert!(title.contains(name), "{problem:#}");
        }
    }
    assert_eq!(jobs(&a), before);
}

#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let farm = Farm::new();
    let (a, before) = host_with_a_job(&farm);
    let secret = farm.path().join("secret.gcode");
    fs::copy(sliced("clip.gcode"), &secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let Some(submit) = without_roots_powers(&a, &["submit", secret.to_str().unwrap()]) else {
        return;
    };
    let problem = fails(submit, "file.unreadable");
    assert!(why(&problem).contains("ermission denied"), "{problem:#}");
    assert_eq!(jobs(&a), before);
}

#[test]
fn a_file_over_the_limit_is_refused_before_a_byte_of_it_is_sent() {
    let farm = Farm::new();
    let (mut a, before) = host_with_a_job(&farm);
    let huge = farm.path().join("huge.gcode");
    let limit = printmesh_api::limits::UPLOAD_BYTES_MAX;
    fs::File::create(&huge).unwrap().set_len(limit + 1).unwrap();
    let submit = ["submit", huge.to_str().unwrap()];
    assert_eq!(a.problem("file.too-big", &submit)["exit"], 2);
    assert_eq!(jobs(&a), before);
    // It does not even take a daemon to find out.
    a.stop();
    a.problem("file.too-big", &submit);
}

// Names

#[test]
fn queues_and_printers_that_do_not_exist_are_named_and_nothing_is_submitted() {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    a.ok(&["printer", "pause", "sim"]);
    let clip = sliced("clip.gcode");
    a.submit(&[&clip, "--name", "kept"]);
    let before = jobs(&a);
    let problem = a.problem("queue.unknown", &["submit", &clip, "-q", "fram"]);
    assert!(why(&problem).contains("local"), "{problem:#}");
    a.problem("queue.unknown", &["job", "move", "kept", "--to", "fram"]);
    for args in [
        vec!["submit", &clip, "--printer", "smi"],
        vec!["submit", &clip, "--printer", "a/sim", "--printer", "b/sim"],
        vec!["job", "edit", "kept", "--printer", "smi"],
    ] {
        let problem = a.problem("printer.unknown", &args);
        assert_eq!(problem["exit"], 3);
        assert!(why(&problem).contains("a/sim"), "{problem:#}");
    }
    for verb in ["pause", "resume", "ready", "remove", "show"] {
        a.problem("printer.unknown", &["printer", verb, "smi"]);
    }
    a.problem("printer.unknown", &["autoprint", "off", "smi"]);
    assert_eq!(jobs(&a), before);
}
