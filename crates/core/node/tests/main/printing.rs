//! From submitting to the last good print.

use printmesh_node::Command;
use printmesh_queue::RunResult;

use crate::farm::{Farm, Machines, file, job};

#[test]
fn a_host_alone_prints_its_local_job() {
    let mut farm = Farm::new(&[1]);
    let id = farm.submit(0, job("local", "bracket"));
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts.len(), 1);
    assert_eq!(farm.starts[0].path, "imports/bracket/bracket.gcode");
    farm.check();
}

#[test]
fn what_a_submits_is_printed_by_b_and_both_know_it_after_a_restart() {
    let mut farm = Farm::shared(&[0, 1]);
    let id = farm.submit(0, job("farm", "bracket"));
    assert_eq!(farm.status(0, id), "done");
    assert_eq!(farm.starts[0].host, 1);
    assert_eq!(farm.hosts[1].imports, ["imports/bracket/bracket.gcode"]);
    for n in [0, 1] {
        farm.kill(n);
        farm.boot(n);
    }
    farm.settle();
    for n in [0, 1] {
        assert_eq!(farm.status(n, id), "done");
        let history = farm.node(n).history();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].result, history[0].host_name.as_str()), (RunResult::Ok, "b"));
    }
    farm.check();
}
