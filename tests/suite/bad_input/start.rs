//! Daemons that cannot run: none there, one there already, a home that cannot be used, a configuration that makes no sense.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{LOOPBACK, daemon_fails, fails, host_with_a_job, jobs, why, without_roots_powers};
use crate::suite::environment::{Farm, sliced};

// The daemon and its home

#[test]
fn without_a_daemon_every_command_says_how_to_start_it() {
    let farm = Farm::new();
    let (mut a, before) = host_with_a_job(&farm);
    a.stop();
    let clip = sliced("clip.gcode");
    for args in [
        vec!["jobs"],
        vec!["submit", &clip],
        vec!["status"],
        vec!["join", "pmq1"],
        vec!["events"],
        vec!["job", "wait", "kept"],
    ] {
        let problem = a.problem("daemon.down", &args);
        assert_eq!(problem["exit"], 6);
        let fix = problem["fixes"][0]["command"].as_str().unwrap();
        assert_eq!(fix, format!("printmesh --home {} up", a.home.display()));
    }
    a.start();
    assert_eq!(jobs(&a), before);
    // Where nothing was ever set up, that is what there is to do.
    let nowhere = farm.bare_host("nowhere");
    let problem = nowhere.problem("daemon.down", &["jobs"]);
    assert!(
        problem["fixes"][0]["command"]
            .as_str()
            .unwrap()
            .ends_with(" init")
    );
    assert_eq!(daemon_fails(&nowhere, "home.not-set-up")["exit"], 1);
    assert!(
        !nowhere.home.exists(),
        "a command that only asks makes nothing"
    );
}

#[test]
fn a_second_daemon_on_one_home_is_refused_and_the_first_is_unharmed() {
    let farm = Farm::new();
    let (a, before) = host_with_a_job(&farm);
    for _ in 0..2 {
        let problem = daemon_fails(&a, "daemon.running");
        assert_eq!(problem["exit"], 5);
        assert!(why(&problem).contains(&a.pid().to_string()), "{problem:#}");
    }
    assert_eq!(a.json(&["daemon", "status"])["pid"], a.pid());
    assert_eq!(jobs(&a), before);
    a.submit(&[&sliced("clip.gcode"), "--name", "after"]);
}

#[test]
fn a_home_that_cannot_be_written_is_said_before_anything_is_made() {
    let farm = Farm::new();
    let file = farm.path().join("file");
    fs::write(&file, "mine").unwrap();
    for home in ["file", "file/home"] {
        let host = farm.bare_host(home);
        let problem = host.problem("home.not-a-folder", &["init", "--no-start"]);
        assert_eq!(problem["exit"], 1);
        let title = problem["title"].as_str().unwrap();
        assert!(title.contains(file.to_str().unwrap()), "{problem:#}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let locked = farm.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let host = farm.bare_host("locked/home");
    if let Some(init) = without_roots_powers(&host, &["init", "--no-start"]) {
        let problem = fails(init, "home.not-writable");
        assert!(why(&problem).contains("ermission denied"), "{problem:#}");
    }
}

#[test]
fn a_daemon_whose_home_has_become_read_only_says_so_and_starts_again_when_it_is_not() {
    let farm = Farm::new();
    let (mut a, before) = host_with_a_job(&farm);
    a.stop();
    let mode = |mode: u32| {
        for path in [
            a.home.clone(),
            a.home.join("state.redb"),
            a.home.join("daemon.lock"),
        ] {
            let bits = if path.is_dir() { mode } else { mode & 0o600 };
            fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
        }
    };
    mode(0o500);
    let refused =
        without_roots_powers(&a, &["daemon", "run"]).map(|run| fails(run, "home.not-writable"));
    mode(0o700);
    if let Some(problem) = refused {
        assert_eq!(problem["exit"], 1);
    }
    a.start();
    assert_eq!(jobs(&a), before);
}

// The configuration

#[test]
fn a_misspelt_setting_or_a_malformed_address_is_named_at_start() {
    let farm = Farm::new();
    let (mut a, before) = host_with_a_job(&farm);
    a.stop();
    for (config, code, said) in [
        ("[network]\nbnid = \"auto\"\n", "config.bad", "bnid"),
        ("[netwrok]\nbind = \"auto\"\n", "config.bad", "netwrok"),
        (
            "[network]\ndiscovery = \"yes\"\n",
            "config.bad",
            "discovery",
        ),
        ("[network\n", "config.bad", "line 1"),
        (
            "[network]\nrelay = [\"relay.example.org\"]\n",
            "config.bad",
            "line 2",
        ),
        ("[network]\nrelay = \"auto\"\n", "config.bad", "none"),
        (
            "[network]\nbind = \"192.168.1.43\"\n",
            "network.bind",
            "ip:port",
        ),
        (
            "[network]\nbind = \"localhost:6789\"\n",
            "network.bind",
            "ip:port",
        ),
        (
            "[network]\nbind = \"127.0.0.1:99999\"\n",
            "network.bind",
            "ip:port",
        ),
    ] {
        a.configure(config);
        // In the foreground and in the background alike.
        for args in [vec!["daemon", "run"], vec!["up"]] {
            let problem = a.problem(code, &args);
            assert_eq!(problem["exit"], 2);
            assert!(why(&problem).contains(said), "{problem:#}");
        }
    }
    a.configure(LOOPBACK);
    a.start();
    assert_eq!(jobs(&a), before);
}

#[test]
fn init_with_a_malformed_address_can_be_done_again_with_a_good_one() {
    let farm = Farm::new();
    let host = farm.bare_host("new");
    host.problem(
        "network.bind",
        &["init", "--no-start", "--bind", "everywhere"],
    );
    host.problem("name.bad", &["init", "--no-start", "--name", "a/b"]);
    let made = host.json(&[
        "init",
        "--no-start",
        "--name",
        "new",
        "--bind",
        "127.0.0.1:0",
    ]);
    assert_eq!(
        (&made["already"], &made["name"]),
        (&false.into(), &"new".into())
    );
    let config = fs::read_to_string(host.home.join("config.toml")).unwrap();
    assert!(config.contains("bind = \"127.0.0.1:0\""), "{config}");
}

#[test]
fn a_port_that_is_taken_or_no_address_of_this_machine_is_a_loud_error_at_start() {
    let farm = Farm::new();
    let (mut a, before) = host_with_a_job(&farm);
    a.stop();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    a.configure(&format!(
        "[network]\nbind = \"{address}\"\ndiscovery = false\n"
    ));
    for args in [vec!["daemon", "run"], vec!["up"]] {
        let problem = a.problem("network.port-taken", &args);
        assert_eq!(problem["exit"], 1);
        let title = problem["title"].as_str().unwrap();
        assert!(title.contains(&address.to_string()), "{problem:#}");
    }
    // An address of the documentation's own range is on no machine.
    a.configure("[network]\nbind = \"192.0.2.1:6789\"\ndiscovery = false\n");
    daemon_fails(&a, "network.no-such-address");
    a.configure(&format!(
        "[network]\nbind = \"{address}\"\ndiscovery = false\n"
    ));
    drop(taken);
    a.start();
    let status = a.json(&["daemon", "status"]);
    assert_eq!(status["addresses"][0], address.to_string());
    assert_eq!(jobs(&a), before);
}

#[test]
fn a_privileged_port_is_a_loud_error_at_start() {
    let first_free = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let first_free = fs::read_to_string(first_free).unwrap_or_default();
    if first_free
        .trim()
        .parse::<u16>()
        .is_ok_and(|port| port <= 80)
    {
        eprintln!("skipped: this machine has no privileged ports");
        return;
    }
    let farm = Farm::new();
    let (mut a, before) = host_with_a_job(&farm);
    a.stop();
    a.configure("[network]\nbind = \"127.0.0.1:80\"\ndiscovery = false\n");
    if let Some(run) = without_roots_powers(&a, &["daemon", "run"]) {
        let problem = fails(run, "network.port-privileged");
        assert_eq!(problem["exit"], 1);
        assert!(
            problem["title"].as_str().unwrap().contains("1024"),
            "{problem:#}"
        );
    }
    a.configure(LOOPBACK);
    a.start();
    assert_eq!(jobs(&a), before);
}
