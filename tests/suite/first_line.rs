//! The first true line through the whole product: a file of a real slicer, two hosts, one queue.

use super::environment::{Farm, sliced};

const FAST: &str = "sim://?speed=2000";

#[test]
fn a_file_submitted_on_one_host_is_printed_on_the_other_and_both_remember_it_after_a_restart() {
    let farm = Farm::new();
    let mut a = farm.host("a");
    a.start();
    let mut b = farm.printing_host("b", FAST);
    a.ok(&["queue", "create", "farm"]);
    b.ok(&["join", &a.ticket("farm")]);
    let job = a.submit(&["-q", "farm", &sliced("cube.gcode"), "--copies", "2"]);
    a.wait(&[&job]);
    b.wait(&[&job]);
    for host in [&mut a, &mut b] {
        host.stop();
        host.start();
    }
    for host in [&a, &b] {
        let shown = host.job(&job);
        assert_eq!(shown["state"], "done");
        assert_eq!(shown["copiesDone"], 2);
        let history = host.history();
        assert_eq!(history.len(), 2, "{history:#?}");
        assert!(
            history
                .iter()
                .all(|row| row["result"] == "ok" && row["host"] == "b")
        );
    }
    let path = b.job(&job)["sets"][0]["path"].as_str().unwrap().to_owned();
    assert_eq!(
        path,
        b.home.join("imports/cube/cube.gcode").to_str().unwrap()
    );
    assert_eq!(
        std::fs::read(path).unwrap(),
        std::fs::read(sliced("cube.gcode")).unwrap()
    );
}

#[test]
fn two_hosts_print_the_copies_of_one_job_and_none_twice() {
    let farm = Farm::new();
    let (a, b) = farm.two_hosts(FAST);
    let job = b.submit(&["-q", "farm", &sliced("clip.gcode"), "-c", "6"]);
    a.wait(&[&job]);
    let history = a.history();
    let copies: std::collections::BTreeSet<u64> = history
        .iter()
        .map(|row| row["copy"].as_u64().unwrap())
        .collect();
    assert_eq!(history.len(), 6, "{history:#?}");
    assert_eq!(copies, (1..=6).collect());
}
