//! The daily commands on real daemons: what each prints for programs and for pipes, exit codes, errors. What a command
//! does to queues and prints is in `seed1`.

mod homes;
mod reading;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::environment::{Farm, Host, Ran, sliced};

const FAST: &str = "sim://?speed=2000";
const SLOW: &str = "sim://?speed=1";
const BY_HAND: &str = "sim://?speed=2000&clear=manual";

/// Presses Ctrl-C.
fn interrupt(child: &Child) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

fn items(list: &Value) -> Vec<Value> {
    list["items"].as_array().unwrap().clone()
}

// Every command, for programs and for pipes

/// How an answer is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Pipe,
}

/// Runs commands and remembers which.
struct Script {
    form: Form,
    seen: BTreeSet<String>,
}

impl Script {
    /// Runs a command that succeeds and checks the outer form of its answer.
    fn run(&mut self, host: &Host, command: &str, rest: &[&str], kind: &str) {
        self.seen.insert(command.to_owned());
        let words = command.split(' ').chain(rest.iter().copied());
        let json = (self.form == Form::Json).then_some("--json");
        let args: Vec<&str> = words.chain(json).collect();
        let Ran {
            code,
            stdout,
            stderr,
        } = host.run(&args);
        assert_eq!(code, 0, "{args:?}: {stdout}{stderr}");
        match self.form {
            Form::Json => check_json(&args, &stdout, kind),
            Form::Pipe => check_pipe(&args, &stdout),
        }
    }
}

fn check_json(args: &[&str], stdout: &str, kind: &str) {
    assert_eq!(stdout.lines().count(), 1, "{args:?}: {stdout}");
    let answer: Value = serde_json::from_str(stdout).unwrap();
    assert_eq!(answer["apiVersion"], "printmesh/v1", "{args:?}");
    assert_eq!(answer["kind"], kind, "{args:?}: {answer:#}");
    if kind.ends_with("List") || kind == "History" {
        assert!(answer["asOf"].is_string(), "{args:?}: {answer:#}");
        assert!(
            answer["sync"]["peersKnown"].is_u64(),
            "{args:?}: {answer:#}"
        );
        assert!(answer["items"].is_array(), "{args:?}: {answer:#}");
    }
}

fn check_pipe(args: &[&str], stdout: &str) {
    assert!(!stdout.trim().is_empty(), "{args:?} said nothing");
    assert!(
        !stdout.contains('\u{1b}') && !stdout.contains('…'),
        "{args:?}: {stdout:?}"
    );
}

/// A life of two hosts, in which every command answers once.
fn play(form: Form) -> BTreeSet<String> {
    let farm = Farm::new();
    let a = farm.printing_host("a", FAST);
    let mut b = farm.host("b");
    b.start();
    let clip = sliced("clip.gcode");
    let mut script = Script {
        form,
        seen: BTreeSet::new(),
    };
    let mut on_a = |command: &str, rest: &[&str], kind: &str| script.run(&a, command, rest, kind);
    on_a("init", &["--name", "a"], "Init");
    on_a("up", &[], "Daemon");
    on_a("daemon status", &[], "Daemon");
    on_a("status", &[], "Status");
    on_a("printer add", &["two", "--at", FAST], "Printer");
    on_a("printer list", &[], "PrinterList");
    on_a("printer show", &["two"], "Printer");
    on_a("printer show", &["two", "--why"], "PrinterWhy");
    on_a("printer edit", &["two", "--position", "2"], "Done");
    on_a("printer load", &["two", "0=PETG/black:800g"], "Done");
    on_a("printer unload", &["two"], "Done");
    on_a("printer nozzle", &["two", "0.4"], "Done");
    on_a("printer pause", &["two", "--reason", "worn"], "Done");
    on_a("printer resume", &["two"], "Done");
    on_a("printer ready", &["--all"], "Done");
    on_a("printer remove", &["two"], "Done");
    on_a("autoprint off", &["sim"], "Done");
    on_a("queue create", &["farm"], "Queue");
    on_a("queue list", &[], "QueueList");
    on_a("queue show", &["farm"], "Queue");
    on_a("queue share", &["farm"], "Share");
    on_a("queue key", &["show", "farm"], "Done");
    on_a("queue rename", &["farm", "rack"], "Done");
    on_a("queue order", &["rack", "local"], "Done");
    on_a("queue peers", &["rack"], "PeerList");
    on_a("queue set", &["rack", "--claims", "majority"], "Done");
    on_a("queue voters", &["rack"], "Voters");
    on_a("submit", &[&clip, "--name", "lid", "--draft"], "Job");
    on_a("jobs", &[], "JobList");
    on_a("job list", &["-q", "local"], "JobList");
    on_a("job show", &["lid", "--why"], "Job");
    on_a("job edit", &["lid", "--copies", "2"], "Job");
    on_a("job move", &["lid", "--to", "rack"], "Job");
    on_a("job hold", &["lid"], "Done");
    on_a("job release", &["lid"], "Done");
    on_a(
        "job submit",
        &[&clip, "--name", "other", "-q", "rack"],
        "Job",
    );
    on_a("job cancel", &["other"], "Done");
    on_a("match", &["-q", "rack"], "MatchPlan");
    on_a("todo", &["-q", "rack"], "TodoList");
    on_a("simulate", &["-q", "rack"], "Forecast");
    on_a("autoprint on", &["sim"], "Done");
    on_a("job wait", &["lid"], "Job");
    on_a("history", &[], "History");
    on_a("file inspect", &[&clip], "Files");
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/core/gcode/fixtures");
    let project = format!("{fixtures}/made.gcode.3mf");
    let out = farm.path().join("picture.png");
    let words = [project.as_str(), "-o", out.to_str().unwrap()];
    on_a("file thumbnail", &words, "Done");
    assert!(out.metadata().unwrap().len() > 0);
    std::fs::remove_file(&out).unwrap();
    on_a("profile list", &["MK4"], "Profiles");
    on_a("profile show", &["MK4S"], "Profile");
    on_a("profile detect", &[&clip], "Detected");
    let mine = farm.path().join("mine.toml");
    std::fs::write(&mine, "[[profile]]\nname = \"Mine\"\n").unwrap();
    on_a("profile add", &[mine.to_str().unwrap()], "Done");
    on_a("profile remove", &["Mine"], "Done");
    let (one, other) = (a.ticket("rack"), a.ticket("rack"));
    script.run(&b, "join", &[&one], "Join");
    script.run(&b, "queue join", &[&other], "Join");
    on_a_later(&mut script, &a);
    script.run(&b, "queue leave", &["rack"], "Done");
    script.run(&b, "daemon stop", &[], "Done");
    // The next ones do not succeed here: the voters answer, and nobody asked to join.
    a.problem(
        "voters.answer",
        &["queue", "recover", "rack", "--confirm", "rack"],
    );
    script.seen.insert("queue recover".to_owned());
    a.problem("printer.busy", &["queue", "free-heat", "rack", "a/sim"]);
    script.seen.insert("queue free-heat".to_owned());
    a.problem("job.over", &["job", "start", "lid", "--printer", "sim"]);
    script.seen.insert("job start".to_owned());
    a.problem("copy.certain", &["job", "resolve", "lid", "--done"]);
    script.seen.insert("job resolve".to_owned());
    for command in ["approve", "deny"] {
        let problem = a.problem("member.unknown", &["member", command, "rack", "nobody"]);
        assert_eq!(problem["exit"], 3);
        script.seen.insert(format!("member {command}"));
    }
    script.seen
}

/// What needs another member.
fn on_a_later(script: &mut Script, a: &Host) {
    script.run(a, "queue share", &["rack", "--list"], "TicketList");
    script.run(a, "member list", &["rack"], "MemberList");
    script.run(a, "member show", &["rack", "b"], "Member");
    script.run(a, "member role", &["rack", "b", "printer"], "Done");
    script.run(a, "member release", &["rack", "b", "--yes"], "Done");
    script.run(a, "member remove", &["rack", "b", "--yes"], "Done");
    script.run(a, "queue rotate-key", &["rack"], "Done");
    script.run(a, "member role", &["rack", "b", "operator"], "Done");
}

/// Every command that the help names.
fn every_command(host: &Host) -> BTreeSet<String> {
    let below = |words: &[&str]| -> Vec<String> {
        let help = host.ok(&[words, &["--help"]].concat());
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let lines = lines.take_while(|line| line.starts_with("  "));
        lines
            .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
            .filter(|word| word != "help")
            .collect()
    };
    let mut all = BTreeSet::new();
    for noun in below(&[]) {
        let verbs = below(&[&noun]);
        match verbs.is_empty() {
            true => all.extend([noun]),
            false => all.extend(verbs.iter().map(|verb| format!("{noun} {verb}"))),
        }
    }
    all
}

#[test]
fn every_command_answers_programs_in_one_json_envelope_and_none_is_left_out() {
    let mut seen = play(Form::Json);
    // Each has a test of its own.
    seen.extend(["completions", "daemon run", "demo", "events"].map(str::to_owned));
    let farm = Farm::new();
    assert_eq!(every_command(&farm.host("a")), seen);
}

#[test]
fn every_command_answers_pipes_without_colour_and_without_cutting_anything() {
    play(Form::Pipe);
}

#[test]
fn a_piped_table_has_whole_ids_between_tabs_and_feeds_the_next_command() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let clip = sliced("clip.gcode");
    let ids: Vec<String> = (0..3).map(|_| a.submit(&[&clip])).collect();
    let table = a.ok(&["jobs"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.len(), 3, "{table}");
    for (row, id) in rows.iter().zip(&ids) {
        assert_eq!(row[0], id);
        assert_eq!(row.len(), rows[0].len(), "{table}");
    }
    assert_eq!(a.ok(&["jobs", "--quiet"]), ids.join("\n") + "\n");
    assert_eq!(
        a.json(&["jobs", "-q", "local"])["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let chosen = a.ok(&["jobs", "--json=id,state"]);
    let chosen: Value = serde_json::from_str(&chosen).unwrap();
    assert_eq!(items(&chosen)[0].as_object().unwrap().len(), 2, "{chosen}");
    let ran = a.run_with(&table, &["job", "cancel", "--yes", "-"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(items(&a.json(&["jobs"])).is_empty());
}

// Exit codes and errors

#[test]
fn exit_codes_say_how_a_command_ended() {
    let farm = Farm::new();
    let a = farm.printing_host("a", BY_HAND);
    let mut b = farm.host("b");
    b.start();
    let clip = sliced("clip.gcode");
    let code = |host: &Host, args: &[&str]| host.run(args).code;
    a.ok(&["queue", "create", "farm"]);
    let ticket = a.json(&["queue", "share", "farm", "--role", "observer"])["ticket"].clone();
    b.ok(&["join", ticket.as_str().unwrap()]);

    assert_eq!(code(&a, &["status"]), 0);
    assert_eq!(code(&a, &["status", "--check"]), 0);
    a.submit(&[&format!("{clip}:2"), "--name", "printing"]);
    a.until("the bed to be full", |a| {
        (a.json(&["printer", "show", "sim"])["state"] == "clear-bed").then_some(())
    });
    assert_eq!(code(&a, &["status", "--check"]), 1);
    assert_eq!(a.problem("usage", &["jobs", "--nonsense"])["exit"], 2);
    assert_eq!(a.problem("usage", &["job", "edit", "lid"])["exit"], 2);
    assert_eq!(
        a.problem("job.unknown", &["job", "show", "nosuch"])["exit"],
        3
    );
    assert_eq!(
        b.problem("member.role", &["submit", &clip, "-q", "farm"])["exit"],
        4
    );
    assert_eq!(
        b.problem("member.no-key", &["queue", "share", "farm"])["exit"],
        4
    );
    assert_eq!(
        a.problem("name.taken", &["queue", "create", "farm"])["exit"],
        5
    );
    a.submit(&[&clip, "--draft", "--name", "draft"]);
    let wait = ["job", "wait", "draft", "--timeout", "1ms"];
    assert_eq!(a.problem("timed.out", &wait)["exit"], 7);
    let partly = a.run(&["job", "cancel", "draft", "printing", "--yes", "--json"]);
    assert_eq!(partly.code, 8, "{partly:#?}");
    let rows: Value = serde_json::from_str(&partly.stdout).unwrap();
    assert_eq!(rows["kind"], "BatchResult");
    assert_eq!(rows["items"][0]["ok"], true);
    assert_eq!(rows["items"][1]["problem"]["code"], "job.leased");
    let add = ["printer", "add", "mk4", "--at", "serial:/dev/none-such"];
    assert_eq!(a.problem("printer.unreachable", &add)["exit"], 9);
    // It was cancelled above.
    assert_eq!(code(&a, &["job", "wait", "draft"]), 10);
    b.stop();
    assert_eq!(b.problem("daemon.down", &["jobs"])["exit"], 6);
    assert_eq!(code(&b, &["daemon", "status"]), 6);
    // Stopping what does not run is nothing to complain about.
    assert_eq!(b.json(&["daemon", "stop"])["already"], true);
}

#[test]
fn ctrl_c_ends_only_the_waiting_and_the_print_goes_on() {
    let farm = Farm::new();
    let a = farm.printing_host("a", SLOW);
    let job = a.submit(&[&sliced("clip.gcode")]);
    a.wait_until("printing", &job);
    let mut wait = a.command(&["job", "wait", &job]);
    let mut wait = wait
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(wait.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    interrupt(&wait);
    assert_eq!(wait.wait().unwrap().code(), Some(130));
    assert_eq!(a.job(&job)["state"], "printing");
}

#[test]
fn every_error_says_what_why_how_to_mend_it_and_a_code() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    a.ok(&["queue", "create", "farm"]);
    let cases: [(&str, &[&str]); 6] = [
        ("queue.unknown", &["queue", "show", "nosuch"]),
        (
            "queue.unknown",
            &["submit", &sliced("clip.gcode"), "-q", "nosuch"],
        ),
        ("printer.unknown", &["printer", "show", "nosuch"]),
        ("job.unknown", &["job", "hold", "nosuch"]),
        ("name.taken", &["queue", "create", "farm"]),
        ("queue.fixed", &["queue", "rename", "local", "mine"]),
    ];
    for (code, args) in cases {
        let problem = a.problem(code, args);
        assert_eq!(problem["kind"], "Problem");
        assert_eq!(problem["apiVersion"], "printmesh/v1");
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        let fixes = problem["fixes"].as_array().unwrap();
        assert!(!fixes.is_empty(), "nothing to do about {problem:#}");
        let ran = a.run(args);
        assert!(
            ran.stdout.is_empty(),
            "an answer beside an error: {}",
            ran.stdout
        );
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(lines[0].starts_with("error: "), "{}", ran.stderr);
        assert!(
            lines.iter().any(|line| line.starts_with("  fix  ")),
            "{}",
            ran.stderr
        );
        let last = format!("  code {code} (exit {})", ran.code);
        assert_eq!(lines.last(), Some(&&*last));
    }
}
